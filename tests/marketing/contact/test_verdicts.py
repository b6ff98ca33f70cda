"""Many triggers judged at once: what the policy says of each, one after another."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.contact import REASONS, Book, Policy
from marketing.contact.book import NEVER
from marketing.contact.verdicts import CODES, HOLD, REASON_OF, SEND, Asked, Limits, decide_many

NAMES = ("alert", "roam", "song")
ROWS = 4
ACTIONS = ("send", "hold", "suppress", "output")
INSTANTS = (
    "2009-03-02 10:00", "2009-03-02 20:54:59", "2009-03-02 20:55", "2009-03-02 20:59:59", "2009-03-02 21:00",
    "2009-03-03 08:59:59", "2009-03-03 09:00", "2009-03-08 12:00", "2009-03-31 20:56", "2009-03-31 22:00",
    "2009-04-01 09:00",
)  # fmt: skip

asked = st.lists(
    st.tuples(
        st.sampled_from(INSTANTS),
        st.integers(0, ROWS - 1),
        st.integers(0, len(NAMES) - 1),
        st.sampled_from((False, False, False, True)),
        st.sampled_from((False, False, False, True)),
        st.sampled_from((False, False, False, True)),
    ),
    min_size=1,
    max_size=30,
)
caps = st.lists(
    st.builds(
        SimpleNamespace,
        per_calendar_month=st.sampled_from((None, 1, 2, 9)),
        same_campaign_days=st.sampled_from((None, 1, 40)),
    ),
    min_size=len(NAMES),
    max_size=len(NAMES),
)
sent = st.lists(
    st.tuples(
        st.integers(0, ROWS - 1),
        st.sampled_from((*NAMES, "gone")),
        st.sampled_from(((200902, 20), (200903, 1), (200904, 33))),
        st.booleans(),
    ),
    max_size=8,
)


def book_of(town, contacts, waiting, listed):
    book = Book.empty(ROWS)
    for row, name, (period, day), counted in contacts:
        book.restore(row, name, period, 733_438 + day, 0, counted, town.at("2009-02-20 10:00"))
    book.waiting |= {(row, NAMES[number]) for row, number in waiting}
    for row, column in listed:
        getattr(book, column)[row] = town.at("2009-03-02 20:55")
    return book


def one_by_one(policy, book, triggers, limits, may_hold):
    found = []
    for at_us, row, number, stopped, released, to_file in triggers:
        if stopped:
            found.append(("suppress", "experiment", 0, 0, 0))
            continue
        if to_file:
            reason = policy.refuses(book, row, at_us)
            found.append(("suppress" if reason else "output", reason, 0, 0, 0))
            continue
        verdict = policy.decide(
            book, row, NAMES[number], at_us, may_hold=may_hold[number], released=released, caps=limits[number]
        )
        ordinal = 0
        if verdict.action == "send":
            ordinal = book.add(row, NAMES[number], verdict.span, at_us)
        elif verdict.action == "hold":
            book.waiting.add((row, NAMES[number]))
        found.append((verdict.action, verdict.reason, ordinal, verdict.release_us, verdict.valid_until_us))
    return found


def together(policy, book, triggers, limits, may_hold):
    at_us, row, number, stopped, released, to_file = zip(*triggers, strict=True)
    columns = Asked(
        np.array(row, dtype=np.int64),
        np.array(number, dtype=np.int32),
        np.array(at_us, dtype=np.int64),
        np.array(stopped, dtype=np.uint8) * np.uint8(CODES["experiment"]),
        np.array(released),
        np.array(to_file),
    )
    verdicts = decide_many(policy, book, NAMES, Limits.of(policy, book, NAMES, limits, may_hold), columns)
    found = []
    for i, instant in enumerate(at_us):
        window, action = verdicts.windows[verdicts.window[i]], int(verdicts.action[i])
        found.append(
            (
                ACTIONS[action],
                REASON_OF[verdicts.reason[i]],
                int(verdicts.ordinal[i]),
                window.release_us if action == HOLD else 0,
                policy.valid_until_us(window, instant) if action == SEND else 0,
            )
        )
    return found


def written(book):
    by_number = {number: name for name, number in book.names.items()}
    rows, numbers, records = book.pairs.entries()
    pairs = sorted(
        (row, by_number[number], int(r["day"]), int(r["month"]), int(r["ordinal"]))
        for row, number, r in zip(rows.tolist(), numbers.tolist(), records, strict=True)
    )
    return pairs, book.month.tolist(), book.count.tolist(), book.contact_s.tolist(), book.waiting


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked,
    caps,
    sent,
    st.sets(st.tuples(st.integers(0, ROWS - 1), st.integers(0, len(NAMES) - 1)), max_size=3),
    st.lists(
        st.tuples(st.integers(0, ROWS - 1), st.sampled_from(("control_us", "do_not_disturb_us"))), max_size=3
    ),
    st.lists(st.booleans(), min_size=len(NAMES), max_size=len(NAMES)),
    st.sampled_from(("hold", "drop")),
)
def test_together_as_one_by_one(town, triggers, limits, contacts, waiting, listed, may_hold, then):
    policy = Policy.of(town.policy_file(holidays={"dates": ["2009-03-08"], "then": then}))
    triggers = sorted((town.at(at), *rest) for at, *rest in triggers)
    book = book_of(town, contacts, waiting, listed)
    twin = copy.deepcopy(book)
    expected = one_by_one(policy, twin, triggers, limits, may_hold)
    assert together(policy, book, triggers, limits, may_hold) == expected
    assert written(book) == written(twin)


def test_codes_are_those_that_the_compiled_loop_writes(town):
    """Each reason is met where it must be, so that no code can stand for another."""
    policy, book = Policy.of(town.policy_file()), Book.empty(ROWS)
    book.control_us[0] = book.do_not_disturb_us[1] = 0
    limits = [SimpleNamespace(per_calendar_month=1, same_campaign_days=None)] * 3
    at_us = town.at("2009-03-02 10:00")
    triggers = [
        (at_us, row, number, False, False, False) for row, number in ((0, 0), (1, 0), (2, 0), (2, 0), (2, 1))
    ]
    reasons = [reason for _, reason, *_ in together(policy, book, triggers, limits, [True] * 3)]
    assert reasons == ["control_group", "do_not_disturb", "", "duplicate", "cap"]
    assert set(REASON_OF) == {"", *REASONS}
    assert book.do_not_disturb_us[3] == NEVER


@pytest.mark.parametrize("n", [1, 2, 5])
def test_only_one_of_a_pair_is_held(town, n):
    policy, book = Policy.of(town.policy_file()), Book.empty(ROWS)
    limits = [SimpleNamespace(per_calendar_month=None, same_campaign_days=None)] * 3
    triggers = [(town.at("2009-03-02 22:00") + i, 1, 0, False, False, False) for i in range(n)]
    actions = [action for action, *_ in together(policy, book, triggers, limits, [True] * 3)]
    assert actions == ["hold", *["suppress"] * (n - 1)]
    assert book.waiting == {(1, "alert")}
