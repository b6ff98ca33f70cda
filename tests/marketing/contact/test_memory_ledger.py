"""The ledger in memory says what the real one says, whatever is asked of both in whatever order."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from marketing.contact import load_policy
from marketing.contact.guard import Guard
from marketing.contact.ledger import Ledger
from marketing.contact.memory import MemoryLedger
from marketing.contact.operations import (
    Allowance,
    AnswerGiven,
    ConfirmationDone,
    ConfirmationWanted,
    MessageDone,
    OptOut,
    OrderDone,
    OrderWanted,
    Reservation,
    Settled,
)

POLICY = Path(__file__).parents[3] / "scenarios" / "policies" / "fair-shares.yaml"
HOUR_US = 3_600_000_000
BASE_US = 1_180_000_000_000_000

contact_ids = st.sampled_from([f"{n:016x}" for n in range(6)])
hours = st.integers(0, 24 * 40)


def at(hour: int) -> int:
    return BASE_US + hour * HOUR_US


@st.composite
def reservations(draw: st.DrawFn) -> Reservation:
    hour, person, campaign = draw(hours), draw(st.integers(1, 2)), draw(st.sampled_from("ab"))
    most, since = draw(st.none() | st.integers(1, 3)), hour // 240 * 240
    return Reservation(
        contact_id=draw(contact_ids),
        trigger_id="t",
        campaign=campaign,
        originator=draw(st.sampled_from(["1008601", "1008605", "1008609"])),
        offer="o",
        imsi=person,
        msisdn=person,
        period=200706 + hour // (24 * 20),
        day=hour // 24,
        ordinal=0,
        decided_us=at(hour),
        valid_until_us=at(hour + 6),
        latest_us=draw(st.sampled_from([0, at(hour + 7)])),
        channels=draw(st.sampled_from([1, 2])),
        allowance=None if most is None else Allowance(most, at(since), at(since + 240)),
    )


operations = st.one_of(
    reservations(),
    st.builds(
        Settled,
        contact_ids,
        st.sampled_from(["submitted", "failed", "unknown"]),
        hours.map(at),
        st.booleans(),
        st.just(""),
        st.lists(st.sampled_from("pqr"), max_size=2, unique=True).map(tuple),
    ),
    st.builds(
        MessageDone,
        st.sampled_from("pqrs"),
        st.sampled_from(["delivered", "expired", "failed"]),
        hours.map(at),
    ),
    st.builds(OptOut, st.integers(1, 2), hours.map(at), st.just("1008601")),
    st.builds(OrderWanted, contact_ids, st.integers(1, 2), st.just("o"), st.just("sms"), hours.map(at)),
    st.builds(OrderDone, contact_ids, st.sampled_from(["done", "refused"])),
    st.builds(
        ConfirmationWanted, contact_ids, st.integers(1, 2), st.just("a"), st.just("reserved"), hours.map(at)
    ),
    st.builds(ConfirmationDone, contact_ids, st.just("submitted"), hours.map(at)),
    st.builds(
        AnswerGiven,
        contact_ids,
        st.integers(1, 2),
        st.just("hall"),
        st.sampled_from(["accept", "refuse", "think"]),
        hours.map(at),
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(operations, min_size=1, max_size=5), min_size=1, max_size=12))
def test_both_say_the_same(groups):
    rules = load_policy(POLICY)
    cap, guard = rules.caps.per_calendar_month, Guard.of(rules)
    kept, real = MemoryLedger(cap=cap, guard=guard), Ledger("sqlite://", cap=cap, guard=guard)
    try:
        for group in groups:
            assert kept.apply(group) == real.apply(group)
    finally:
        real.close()
        kept.close()


def test_nothing_is_granted_beyond_the_cap():
    ledger = MemoryLedger(cap=2)
    asked = [
        Reservation(f"{n:016x}", "t", "a", "1", "o", 7, 7, 200706, 1, n, at(n), at(n + 6)) for n in range(4)
    ]
    assert ledger.apply(asked) == ["", "", "cap", "cap"]
    assert ledger.apply(asked[:1]) == ["duplicate"]
    assert ledger.apply([Settled(asked[0].contact_id, "failed", at(1), counted=False)]) == [True]
    assert ledger.apply(asked[2:]) == ["", "cap"]
