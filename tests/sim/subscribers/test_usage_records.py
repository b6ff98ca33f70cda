"""Monthly profiles: sums of days, equal to the calls and texts that people mean, and books that balance."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.scenario import DAY_US, WorldScenario
from sim.subscribers import usage
from sim.subscribers import usage_accounts as accounts
from sim.subscribers import usage_records as records
from sim.subscribers.usage import calls, services, texts
from sim.subscribers.usage_arrivals import Rows
from sim.world import build_world

PEOPLE = 300


@pytest.fixture(scope="module")
def hamlet():
    """Whose epoch lies nine days before the end of a month, in which a festival falls."""
    scenario = WorldScenario(world="w", about="x", epoch=date(2007, 9, 22), subscribers=PEOPLE)
    return build_world(scenario, 5)


@pytest.fixture(scope="module")
def month(hamlet):
    return records.usage_records(hamlet, 0, 0, PEOPLE)


def count(sub, weight=None):
    return np.bincount(sub, weight, minlength=PEOPLE).astype(np.int64)


def test_a_month_equals_the_calls_and_texts_meant(hamlet, month):
    """Every count from the tables that the network is given, over the nine days at once."""
    made, sent = calls(hamlet, 0, 9 * DAY_US), texts(hamlet, 0, 9 * DAY_US)
    minutes = -(-made.talk_us // 60_000_000)
    answered = made.intent == usage.ANSWER
    own = answered & np.isin(made.kind, (usage.CALL_INSIDE, usage.CALL_OUT))
    came, inside = answered & (made.kind == usage.CALL_IN), own & (made.kind == usage.CALL_INSIDE)
    far = own & np.char.startswith(made.peer_number, b"0")
    cheap = own & np.char.startswith(made.peer_number, b"12593")
    assert np.array_equal(month["days"], np.full(PEOPLE, 9))
    assert np.array_equal(month["calls_made"], count(made.sub[own]))
    assert np.array_equal(month["minutes_made"], count(made.sub[own], minutes[own]))
    assert np.array_equal(month["minutes_far"], count(made.sub[far], minutes[far]))
    assert np.array_equal(month["minutes_far_cheap"], count(made.sub[cheap], minutes[cheap]))
    received = count(made.sub[came]) + count(made.peer_sub[inside])
    assert np.array_equal(month["calls_received"], received)
    length = count(made.sub[came], minutes[came]) + count(made.peer_sub[inside], minutes[inside])
    assert np.array_equal(month["minutes_received"], length)
    missed = (made.kind == usage.CALL_IN) & ~answered
    assert np.array_equal(month["calls_missed"], count(made.sub[missed]))
    assert np.array_equal(month["service_calls"], count(made.sub[made.kind == usage.CALL_SERVICE]))
    changed = records.tone_changes(made)
    assert np.array_equal(month["tone_changes"], count(changed["sub"]))
    notice = (sent.kind == usage.TEXT_IN) & (sent.peer_number == b"10658000")
    assert np.array_equal(month["mms_received"], count(sent.sub[notice]))
    assert np.array_equal(month["texts_sent"], count(sent.sub[sent.kind != usage.TEXT_IN]))
    heard = count(sent.sub[(sent.kind == usage.TEXT_IN) & ~notice])
    heard += count(sent.peer_sub[sent.kind == usage.TEXT_INSIDE])
    assert np.array_equal(month["texts_received"], heard)
    for name in ("calls_made", "minutes_far", "minutes_far_cheap", "complaints", "texts_sent", "tone_changes",
                 "mms_sent", "mms_received", "gprs_kb", "calls_missed"):  # fmt: skip
        assert month[name].sum() > 0, name


def test_a_month_is_the_sum_of_its_days(hamlet, month):
    days = [records.usage_of_day(hamlet, day, 0, PEOPLE) for day in range(9)]
    for name in accounts.ADDITIVE:
        assert np.array_equal(month[name], sum(day[name] for day in days)), name


@given(st.integers(0, PEOPLE), st.integers(0, PEOPLE))
@settings(deadline=None, max_examples=5)
def test_a_slice_is_a_slice(hamlet, month, a, b):
    lo, hi = min(a, b), max(a, b)
    part = records.usage_records(hamlet, 0, lo, hi)
    assert list(part) == list(records.MONTH_COLUMNS)
    for name, column in part.items():
        assert np.array_equal(column, month[name][lo:hi]), name


def test_books_balance(hamlet, month):
    """Opening + recharged = bill + closing; charges are those of the call records and the rest by count."""
    prepaid = accounts.is_prepaid(hamlet, month["sub"])
    bill = month["fee_fen"] + month["charge_fen"]
    assert np.array_equal(
        (month["opening_fen"] + month["recharged_fen"])[prepaid], (bill + month["balance_fen"])[prepaid]
    )
    assert (month["balance_fen"][prepaid] >= 500).all()
    assert (month["balance_fen"][prepaid] < 10_500).all()
    assert (month["recharged_fen"][prepaid] % 1_000 == 0).all()
    assert month["recharged_fen"].max() > 0
    assert np.array_equal(month["balance_fen"][~prepaid], -bill[~prepaid])
    cdr = records.call_records(hamlet, calls(hamlet, 0, 9 * DAY_US))
    charge = count(cdr["sub"], cdr["charge_fen"])
    charge += 10 * month["texts_sent"] + 30 * month["mms_sent"] + month["gprs_kb"]
    charge += 200 * month["tone_changes"]
    assert np.array_equal(month["charge_fen"], charge)


def test_an_account_ends_where_the_month_ends(hamlet, month):
    """The balance at the midnight after the last day, counted on, is that of the record."""
    sub = month["sub"]
    before = accounts.account_fen(hamlet, sub, np.full(PEOPLE, 8))
    last = records.usage_of_day(hamlet, 8, 0, PEOPLE)["charge_fen"]
    end = accounts.balance_fen(hamlet, sub, month["month"], month["fee_fen"] + month["charge_fen"])[0]
    prepaid = accounts.is_prepaid(hamlet, sub)
    assert np.array_equal(end[prepaid], month["balance_fen"][prepaid])
    spent = (before - last - month["balance_fen"])[prepaid]
    assert (spent <= 0).all()  # what is missing was recharged on the last day, in whole vouchers
    assert (spent % 1_000 == 0).all()
    assert (spent == 0).any()
    postpaid = (before + last)[~prepaid]
    assert np.array_equal(postpaid, -month["balance_fen"][~prepaid])


def test_any_rows_give_the_same(hamlet):
    """Usage of (subscriber, day) pairs in any order and company."""
    sub, day = np.array([5, 250, 5, 17]), np.array([3, 0, 1, 8])
    mixed, _ = accounts.usage_of_rows(hamlet, Rows(sub, day))
    for row, (one, when) in enumerate(zip(sub.tolist(), day.tolist(), strict=True)):
        alone, _ = accounts.usage_of_rows(hamlet, Rows(np.array([one]), np.array([when])))
        for name in accounts.ADDITIVE:
            assert getattr(mixed, name)[row] == getattr(alone, name)[0], name
    assert np.array_equal(accounts.charges_of_rows(hamlet, Rows(sub, day)), mixed.charge_fen)
    nobody, reached = accounts.usage_of_rows(hamlet, Rows(sub[:0], day[:0]))
    assert len(nobody.charge_fen) == len(reached.callee) == 0


def test_charges_alone_are_the_charges_of_usage(hamlet, crowd):
    """On the day of a festival and the next, and on an ordinary one among many people."""
    for world, day, n in ((hamlet, 3, PEOPLE), (hamlet, 4, PEOPLE), (crowd, 2, 5000)):
        rows = Rows(np.arange(n), np.full(n, day))
        usage_, _ = accounts.usage_of_rows(world, rows)
        assert np.array_equal(accounts.charges_of_rows(world, rows), usage_.charge_fen)


def test_call_records_have_both_sides(hamlet):
    made = calls(hamlet, 0, DAY_US)
    cdr = records.call_records(hamlet, made)
    inside = (made.kind == usage.CALL_INSIDE) & (made.intent == usage.ANSWER)
    numbers = hamlet.population.msisdn
    heard = cdr["direction"] == 2
    pairs = zip(cdr["t_us"].tolist(), cdr["sub"].tolist(), cdr["peer"].tolist(), heard.tolist(), strict=True)
    rows = set(pairs)
    for at in np.flatnonzero(inside).tolist():
        caller, callee = int(made.sub[at]), int(made.peer_sub[at])
        assert (int(made.t_us[at]), caller, str(int(numbers[callee])).encode(), False) in rows
        assert (int(made.t_us[at]), callee, str(int(numbers[caller])).encode(), True) in rows
    assert (cdr["charge_fen"][heard] == 0).all()
    local = cdr["charged_as"] == accounts.LOCAL
    assert np.array_equal(cdr["charge_fen"][local], 25 * -(-cdr["duration_s"][local] // 60))
    assert set(np.unique(cdr["charged_as"])) == {0, 1, 2, 3}


def test_complaints_are_a_share_of_hotline_calls(crowd):
    """4 % by proneness, within 4.5 deviations of a count: once in 150,000 seeds; the seed is fixed."""
    made = [calls(crowd, day * DAY_US, (day + 1) * DAY_US) for day in range(5)]
    sub = np.concatenate([one.sub[one.peer_number == b"10086"] for one in made])
    told = sum(np.count_nonzero(accounts.is_complaint(crowd, one)) for one in made)
    expected = 0.04 * (crowd.population.complaint[sub] / 128).sum()
    assert abs(told - expected) < 4.5 * expected**0.5
    assert expected > 100


def test_nobody_uses_what_they_are_no_customer_of(crowd):
    people = crowd.population
    for day in (0, 40):
        here = people.active_on(day, np.arange(crowd.n))
        assert 0 < np.count_nonzero(~here) < crowd.n / 20
        for draw in (calls, texts, services):
            assert here[draw(crowd, day * DAY_US + DAY_US // 24, (day + 1) * DAY_US).sub].all()
    away = np.flatnonzero(~people.active_on(40, np.arange(crowd.n)))[:200]
    nothing, _ = accounts.usage_of_rows(crowd, Rows(away, np.full(len(away), 40)))
    for name in accounts.ADDITIVE:
        assert not getattr(nothing, name).any(), name


def test_gprs_belongs_to_handsets_and_holders_of_wap(town):
    people = town.population
    used = records.usage_of_day(town, 3, 0, town.n)["gprs_sessions"] > 0
    able = (people.services >> 3 & 1).astype(bool)
    assert used.any()
    assert able[used].all()


def test_months_follow_the_calendar():
    scenario = WorldScenario(world="w", about="x", epoch=date(2007, 11, 30), subscribers=1)
    spans = [accounts.days_of_month(scenario, month) for month in range(4)]
    assert spans == [range(1), range(1, 32), range(32, 63), range(63, 92)]  # February 2008 has 29 days
    assert [accounts.month_of(scenario, day) for day in (0, 1, 31, 32, 91, 92)] == [0, 1, 1, 2, 3, 4]


def test_wrong_months_and_people_are_refused(town):
    with pytest.raises(ValueError, match="month -1 lies before the world's epoch"):
        records.usage_records(town, -1, 0, 1)
    with pytest.raises(ValueError, match=r"subscribers 0..2001 are not all in 0..2000"):
        records.usage_of_day(town, 0, 0, 2001)
