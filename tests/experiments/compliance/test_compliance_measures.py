"""Measures of a compliance study: closed forms, cases worked out by hand, and margins beside the audit."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.audit import Part, Parts, audit
from experiments.audit.parts import reassemble
from experiments.audit.policy import Cap, NotAfter, Policy, Stretch
from experiments.audit.rules import Judged
from experiments.compliance.cap_use import cap_use
from experiments.compliance.displacement import Holder, Lost, displaced, matrix, unplaced
from experiments.compliance.holds import HOUR_US, HeldTrigger, holds
from experiments.compliance.margins import BINS, EDGES, edges, histogram
from experiments.compliance.pressure import gini, lorenz, pressure, top_share

SHANGHAI = "Asia/Shanghai"
HOUR = 3600 * 1_000_000
DAY = 24 * HOUR


def us(local: str) -> int:
    return round(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(SHANGHAI)).timestamp() * 1e6)


def judged(policy: Policy, *received: tuple[str | int, str, str]) -> Judged:
    """Of (local time or Unix us, MSISDN, originator)."""
    rows = [(us(t) if isinstance(t, str) else t, who, source) for t, who, source in received]
    parts = [Part(t, who, source, t // 1_000_000 * 1_000_000) for t, who, source in rows]
    return Judged(reassemble(Parts.of(parts).from_sources(policy.is_marketing)), policy)


def policy(**keys: object) -> Policy:
    return Policy(zone=SHANGHAI, originators=("100860",), **keys)


# --------------------------------------------------------------------------- pressure


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3, 3, 3, 3], 0.0),
        ([0, 0, 0, 5], 1 - 1 / 4),
        ([0] * 99 + [1], 1 - 1 / 100),
        (range(1, 11), 9 / 30),  # of 1..n it is (n - 1) / 3n
        (range(1, 101), 99 / 300),
    ],
)
def test_gini_has_its_closed_forms(values, expected):
    assert gini(np.array(values)) == pytest.approx(expected)


def test_of_nothing_there_is_no_gini():
    assert gini(np.zeros(5, np.int64)) is None
    assert gini(np.zeros(0, np.int64)) is None
    assert top_share(np.zeros(5, np.int64), 0.01) is None


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30).filter(any))
def test_gini_is_half_the_mean_difference_over_the_mean(values):
    x = np.array(values)
    brute = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert gini(x) == pytest.approx(brute)
    assert gini(7 * x) == pytest.approx(brute)


def test_the_area_under_the_lorenz_curve_tells_gini():
    values = np.random.default_rng(3).poisson(1.5, 100)
    curve = lorenz(values)
    area = float(((curve[1:] + curve[:-1]) / 2).mean())
    assert gini(values) == pytest.approx(1 - 2 * area)
    assert (np.diff(curve) >= 0).all()
    assert (curve[0], curve[-1]) == (0, 1)


def test_pressure_of_a_hundred_people():
    found = pressure(np.array([0] * 60 + [1] * 30 + [2] * 9 + [12]))
    assert (found.people, found.contacts, found.reached, found.most) == (100, 60, 40, 12)
    assert (found.p50, found.p90, found.p99) == (0, 1, 2)
    assert found.mean == pytest.approx(0.6)
    assert found.top_1pct_share == pytest.approx(12 / 60)
    assert found.distribution[:3] == (60, 30, 9)
    assert sum(found.distribution) == 100
    with pytest.raises(ValueError, match="nobody"):
        pressure(np.zeros(0, np.int64))


# --------------------------------------------------------------------------- use of caps


def test_person_months_are_counted_with_those_without_contacts():
    rules = policy(caps=(Cap(2, "month"), Cap(1, "day"), Cap(2, within_us=7 * DAY)))
    seen = judged(
        rules,
        ("2009-03-30 10:00", "861", "1008601"),
        ("2009-03-31 10:00", "861", "1008602"),
        ("2009-04-01 10:00", "861", "1008603"),
        ("2009-04-01 11:00", "862", "1008601"),
        ("2009-04-01 12:00", "869", "1008601"),  # nobody who might have been contacted
    )
    first, last = (date.fromisoformat(d).toordinal() - 719163 for d in ("2009-03-30", "2009-04-02"))
    month, day, week = cap_use(seen, ["861", "862", "863"], (first, last))
    assert (month.periods, month.counts) == (2, (3, 2, 1, 0))
    assert month.at_cap_share == pytest.approx(1 / 6)
    assert (day.periods, day.counts) == (4, (8, 4, 0))
    assert (week.periods, week.counts) == (1, (1, 1, 0, 1))  # three within seven days: beyond the cap
    assert all(sum(cap.counts) == 3 * cap.periods for cap in (month, day, week))


def test_a_cap_counts_its_channels_and_classes_only():
    rules = policy(
        caps=(Cap(1, "month", classes=("data",)), Cap(1, "month", channels=frozenset({"mms"}))),
        classes={"data": ("10086001",)},
    )
    seen = judged(rules, ("2009-03-02 10:00", "861", "100860011"), ("2009-03-03 10:00", "861", "1008602"))
    data, mms = cap_use(seen, ["861"], (14305, 14306))
    assert (data.counts, mms.counts) == ((0, 1, 0), (1, 0, 0))


# --------------------------------------------------------------------------- near misses

NIGHT = Stretch("quiet hours", 21 * HOUR, 9 * HOUR)
CASES = [
    ("before the night", {"quiet": NIGHT}, ["2009-03-02 20:59:59"], ("quiet_hours", "until"), [1_000_000]),
    ("in the night", {"quiet": NIGHT}, ["2009-03-02 21:00:00"], ("quiet_hours", "until"), [-1]),
    ("after the night", {"quiet": NIGHT}, ["2009-03-02 09:00:03"], ("quiet_hours", "since"), [3_000_000]),
    (
        "on a Saturday, before Monday's lunch",
        {"closed": (Stretch("lunch", 12 * HOUR, 13 * HOUR, frozenset({0})),)},
        ["2009-03-07 12:30:00"],
        ("closed_hours", "until"),
        [2 * DAY - HOUR // 2],
    ),
    (
        "until a holiday",
        {"holidays": frozenset({date(2009, 5, 1)})},
        ["2009-04-30 23:59:59", "2009-05-01 00:00:00", "2009-05-02 00:00:00"],
        ("holiday", "until"),
        [1_000_000, -1],
    ),
    (
        "a second beyond the gap",
        {"gap_us": HOUR},
        ["2009-03-02 10:00:00", "2009-03-02 11:00:01", "2009-03-02 12:00:00"],
        ("gap", "apart"),
        [1_000_000, -1_000_000],
    ),
    (
        "at the cap, and past it",
        {"caps": (Cap(2, "day"),)},
        ["2009-03-02 10:00", "2009-03-02 11:00", "2009-03-02 12:00"],
        ("cap", "left"),
        [1, 0, -1],
    ),
    (
        "late in a day before a full one",
        {"caps": (Cap(1, "day"),)},
        ["2009-03-02 23:59:58", "2009-03-03 12:00"],
        ("cap", "next_full"),
        [2_000_000],
    ),
    (
        "late in a month before a full one",
        {"caps": (Cap(1, "month"),)},
        ["2009-12-31 23:00", "2010-01-05 12:00"],
        ("cap", "next_full"),
        [HOUR],
    ),
    (
        "beyond a window",
        {"caps": (Cap(1, within_us=DAY),)},
        ["2009-03-02 10:00:00", "2009-03-03 10:00:02"],
        ("cap", "over_window"),
        [2_000_000],
    ),
    (
        "the same campaign on the last day it must wait for",
        {"duplicate_days": 2},
        ["2009-03-02 23:00", "2009-03-04 01:00"],
        ("duplicate", "apart"),
        [0],
    ),
    (
        "accepted after the stop; what came before it is no concern of the list",
        {"do_not_disturb": {"861": us("2009-03-02 10:00:05")}},
        ["2009-03-02 10:00:00", "2009-03-02 10:00:07"],
        ("do_not_disturb", "before_stop"),
        [-2_000_000],
    ),
]


@pytest.mark.parametrize(("_name", "keys", "at", "edge", "margins"), CASES, ids=[case[0] for case in CASES])
def test_margins_by_hand(_name, keys, at, edge, margins):
    seen = judged(policy(**keys), *((t, "861", "1008601") for t in at))
    found = next(e for e in edges(seen) if (e.rule, e.edge) == edge)
    assert found.margin.tolist() == margins
    assert found.edge in EDGES
    assert sum(histogram(found)) == len(margins)
    assert histogram(found)[0] == sum(m < 0 for m in margins)


def test_a_message_in_flight_at_a_stop():
    rules = policy(do_not_disturb={"861": us("2009-03-02 10:00:05")})
    part = Part(us("2009-03-02 10:00:07"), "861", "1008601", us("2009-03-02 10:00:02"))
    (found,) = edges(Judged(reassemble(Parts.of([part])), rules))
    assert found.margin.tolist() == [3_000_000]
    assert audit([part], rules).in_flight == 1


def test_a_message_that_may_not_follow():
    rules = policy(
        classes={"credit": ("10086002",), "care": ("10086003",)},
        not_after=(NotAfter(("credit",), ("care",), DAY),),
    )
    seen = judged(
        rules,
        ("2009-03-02 10:00:00", "861", "100860031"),
        ("2009-03-03 10:00:01", "861", "100860021"),
        ("2009-03-03 10:00:01", "862", "100860021"),
    )
    (found,) = (e for e in edges(seen) if e.rule == "not_after")
    assert found.margin.tolist() == [1_000_000]


MOMENTS = [us(f"2009-03-{day:02d} {clock}") for day in (1, 2, 8, 31) for clock in (
    "00:00:00", "08:59:59", "09:00:00", "11:59:59", "12:00:00", "13:00:00", "20:59:59", "21:00:00",
    "23:59:59",
)]  # fmt: skip
RULES = policy(
    caps=(Cap(2, "month"), Cap(1, "day"), Cap(1, "week", classes=("data",)), Cap(2, within_us=7 * DAY)),
    gap_us=HOUR,
    classes={"data": ("10086001",), "care": ("10086002",)},
    not_after=(NotAfter(("data",), ("care",), DAY), NotAfter(("data",), ("data",), HOUR)),
    quiet=NIGHT,
    closed=(
        Stretch("lunch", 12 * HOUR, 13 * HOUR),
        Stretch("Sunday night", 22 * HOUR, 2 * HOUR, frozenset({6})),
    ),
    holidays=frozenset({date(2009, 3, 8)}),
    busy={"1-1": (Stretch("1-1", 11 * HOUR, 12 * HOUR),)},
    do_not_disturb={"861": us("2009-03-02 09:00:00")},
    duplicate_days=3,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(MOMENTS), st.sampled_from((-1, 0, 1, 1_000_000, HOUR)),
            st.sampled_from(("861", "862")), st.sampled_from(("100860011", "100860021", "1008603")),
            st.sampled_from(("", "1-1")),
        ),
        max_size=14,
    )
)  # fmt: skip
def test_a_margin_is_below_zero_where_the_audit_finds_a_violation_and_nowhere_else(rows):
    parts = [
        Part(t + off, who, source, (t + off) // 1_000_000 * 1_000_000, cell=cell)
        for t, off, who, source, cell in rows
    ]
    columns = Parts.of(parts)
    found = audit(columns, RULES)
    below = dict.fromkeys(found.by_rule, 0)
    for edge in edges(Judged(reassemble(columns.from_sources(RULES.is_marketing)), RULES)):
        below[edge.rule] += int((edge.margin < 0).sum())
        assert len(histogram(edge)) == len(BINS[edge.unit]) + 1
        assert len(np.unique(edge.at)) == len(edge.at)
    assert below == dict(found.by_rule)


# --------------------------------------------------------------------------- displacement


def lost(campaign, originator, reason, at, **more):
    day = at // DAY
    keys = {"channels": ("sms",), "imsi": 1, "when_us": at, "period": 200903, "day": day} | more
    return Lost(campaign, originator, reason=reason, decided_us=at, **keys)


def holder(campaign, originator, at, imsi=1, latest=None, channel="sms", period=200903):
    return Holder(
        campaign, originator, channel, imsi, at, at + HOUR if latest is None else latest, period, at // DAY
    )


def test_a_month_s_place_is_taken_by_all_that_fill_it():
    rules = policy(caps=(Cap(2, "month"),))
    ledger = [
        holder("b", "1008602", 1 * DAY),
        holder("c", "1008603", 2 * DAY),
        holder("b", "1008602", 3 * DAY, imsi=2),
        holder("d", "1008604", 1 * DAY, period=200902),
    ]
    (found,) = displaced([lost("a", "1008601", "cap", 4 * DAY)], ledger, rules)
    assert [h.campaign for h in found.holders] == ["b", "c"]
    assert found.rule == "2 allowed a calendar month"
    table = matrix([found], ["a", "b", "c", "d"])
    assert table[0] == [0, 0.5, 0.5, 0]
    assert not any(map(any, table[1:]))


@pytest.mark.parametrize(
    ("caps", "ledger", "holders"),
    [
        # What came later, or to another, has taken nothing.
        ([Cap(1, "month")], [holder("b", "1008602", 5 * DAY)], []),
        ([Cap(1, "month")], [holder("b", "1008602", 3 * DAY, imsi=2)], []),
        ([Cap(1, "day")], [holder("b", "1008602", 3 * DAY), holder("c", "1008603", 4 * DAY)], ["c"]),
        ([Cap(1, "week")], [holder("b", "1008602", 3 * DAY)], ["b"]),
        # A window counts what could still be received within it.
        ([Cap(1, within_us=DAY)], [holder("b", "1008602", 2 * DAY, latest=3 * DAY + HOUR + 1)], ["b"]),
        ([Cap(1, within_us=DAY)], [holder("b", "1008602", 2 * DAY, latest=3 * DAY + HOUR)], []),
        # The cap of the month is not full: the next one is.
        ([Cap(5, "month"), Cap(1, "day")], [holder("c", "1008603", 4 * DAY)], ["c"]),
        # Another class, another channel.
        ([Cap(1, "month", classes=("data",))], [holder("b", "1008602", 3 * DAY)], []),
        (
            [Cap(1, "month", channels=frozenset({"mms"}))],
            [holder("b", "1008602", 3 * DAY, channel="mms")],
            [],
        ),
    ],
)
def test_whose_contacts_fill_a_cap(caps, ledger, holders):
    rules = policy(caps=tuple(caps), classes={"data": ("10086001",)})
    (found,) = displaced([lost("a", "1008601", "cap", 4 * DAY + HOUR)], ledger, rules)
    assert [h.campaign for h in found.holders] == holders
    assert bool(found.rule) == bool(holders)
    assert unplaced([found]) == ({} if holders else {"a": 1})


def test_a_campaign_s_own_cap_is_filled_sooner():
    wish = lost("a", "1008601", "cap", 4 * DAY, most_a_month=1)
    (found,) = displaced([wish], [holder("b", "1008602", DAY)], policy(caps=(Cap(3, "month"),)))
    assert [h.campaign for h in found.holders] == ["b"]


def test_the_gap_is_held_by_the_latest():
    ledger = [holder("b", "1008602", DAY), holder("c", "1008603", DAY + 2 * HOUR)]
    rules = policy(gap_us=6 * HOUR)
    (found,) = displaced([lost("a", "1008601", "gap", DAY + 5 * HOUR)], ledger, rules)
    assert [h.campaign for h in found.holders] == ["c"]
    (late,) = displaced([lost("a", "1008601", "gap", DAY + 9 * HOUR)], ledger, rules)
    assert late.holders == ()


def test_an_order_of_classes_is_held_from_both_sides():
    rules = policy(
        classes={"credit": ("10086002",), "care": ("10086003",)},
        not_after=(NotAfter(("credit",), ("care",), DAY),),
    )
    care, credit = holder("care", "100860031", DAY), holder("credit", "100860021", DAY)
    (after,) = displaced([lost("credit", "100860021", "not_after", DAY + 2 * HOUR)], [care], rules)
    assert after.holders == (care,)
    # What must not come before may still be on its way.
    (over,) = displaced([lost("care", "100860031", "not_after", DAY + HOUR // 2)], [credit], rules)
    assert over.holders == (credit,)
    (free,) = displaced([lost("care", "100860031", "not_after", DAY + 2 * HOUR)], [credit], rules)
    assert free.holders == ()


# --------------------------------------------------------------------------- holds


def test_what_became_of_what_was_held():
    def held(at_h, due_h, decided_us, state="sent", reason=""):
        return HeldTrigger("a", round(at_h * HOUR_US), round(due_h * HOUR_US), decided_us, state, reason)

    nine = 9 * HOUR_US
    found = holds(
        [
            held(1, 9, nine), held(2, 9, nine + 400_000), held(3, 9, nine + 1_000_000),
            held(4, 9, nine, "suppressed", "stale"), held(5, 9, nine, "suppressed", "cap"),
            held(6, 9, nine, "suppressed", "cap"), held(22, 33, 22 * HOUR_US, "held"),
        ],
        0,
        24 * HOUR_US,
    )  # fmt: skip
    assert found.held == 7
    assert found.ends == {"sent": 3, "cap": 2, "held": 1, "stale": 1}
    assert found.most_a_second == 2
    assert found.by_hour[9] == 3 == sum(found.by_hour)
    assert len(found.by_hour) == 24
    assert found.late_s == {"p50": 0.4, "p90": 1.0, "most": 1.0}
    assert found.waited_s["most"] == 8 * 3600.0


def test_nothing_was_held():
    found = holds([], 0, HOUR_US)
    assert (found.held, found.most_a_second, found.by_hour) == (0, 0, (0,))
    assert found.waited_s == {"p50": None, "p90": None, "most": None}
