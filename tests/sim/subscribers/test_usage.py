"""Calls and texts: the configured rates come out, for any choice of people, in the planted mixture."""

import hashlib
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.scenario import DAY_US
from sim.subscribers import usage
from sim.subscribers.habitat import chosen
from sim.subscribers.usage import TEXTS, calls, texts
from sim.world import build_world


def a_day(of, world, day, subs=None):
    return of(world, day * DAY_US, (day + 1) * DAY_US, subs)


def near(count, mean):
    """Within 4.5 deviations of a Poisson count, rates being known (a false alarm in 150,000 seeds; seed
    fixed).
    """
    return abs(count - mean) < 4.5 * mean**0.5


def test_arrivals_follow_the_personal_rates(crowd):
    people, made, sent = crowd.population, a_day(calls, crowd, 1), a_day(texts, crowd, 1)
    own = np.isin(made.kind, (usage.CALL_INSIDE, usage.CALL_OUT, usage.CALL_VACANT))
    counts = {
        "call_rate_q16": np.count_nonzero(own),
        "service_rate_q16": np.count_nonzero(made.kind == usage.CALL_SERVICE),
        "call_in_rate_q16": np.count_nonzero(made.kind == usage.CALL_IN),
        "text_rate_q16": np.count_nonzero(sent.kind != usage.TEXT_IN),
        "text_in_rate_q16": np.count_nonzero(sent.kind == usage.TEXT_IN),
    }
    for name, count in counts.items():
        assert near(count, getattr(people, name).sum() / 65536), name
    busy = people.call_rate_q16 > np.quantile(people.call_rate_q16, 0.9)
    assert near(np.count_nonzero(busy[made.sub] & own), people.call_rate_q16[busy].sum() / 65536)


def test_counts_are_poisson(crowd):
    """Variance over mean of counts per head, given the rate, is one; 20,000 heads put it within 4 %."""
    made = a_day(calls, crowd, 2)
    rate = crowd.population.call_in_rate_q16 / 65536
    count = np.bincount(made.sub[made.kind == usage.CALL_IN], minlength=crowd.n)
    assert ((count - rate) ** 2).sum() / rate.sum() == pytest.approx(1.0, abs=0.05)


def test_hours_follow_the_profile(crowd):
    made = a_day(calls, crowd, 1)
    own = made.kind <= usage.CALL_OUT
    hours = np.bincount(
        (made.t_us[own & (made.kind != usage.CALL_SERVICE)] % DAY_US) // 3_600_000_000, minlength=24
    )
    profile = np.array(usage._CALLS_WORKDAY) / sum(usage._CALLS_WORKDAY) * hours.sum()
    assert (((hours - profile) ** 2) / profile).sum() < 60  # chi-square, 23 degrees: once in 30,000 seeds
    assert (made.t_us >= DAY_US).all()
    assert (made.t_us < 2 * DAY_US).all()


def test_weekend_is_quieter(crowd):
    assert len(a_day(calls, crowd, 5).t_us) < 0.92 * len(a_day(calls, crowd, 4).t_us)


@given(st.integers(0, 1999), st.integers(1, 400), st.integers(0, 9))
@settings(deadline=None, max_examples=15)
def test_part_of_the_people_equals_part_of_the_day(town, start, size, day):
    part = slice(start, start + size)
    for draw in (calls, texts):
        whole, alone = a_day(draw, town, day), a_day(draw, town, day, part)
        mine = np.isin(whole.sub, chosen(town.n, part))
        for field in fields(whole):
            assert np.array_equal(getattr(whole, field.name)[mine], getattr(alone, field.name)), field.name


def test_sorted_with_unique_keys(town):
    for table in (a_day(calls, town, 0), a_day(texts, town, 0)):
        assert np.array_equal(np.lexsort((table.ordinal, table.sub, table.t_us)), np.arange(len(table.sub)))
        assert len(set(zip(table.sub.tolist(), table.ordinal.tolist(), strict=True))) == len(table.sub)


def test_kinds_and_peers(crowd):
    made, people = a_day(calls, crowd, 0), crowd.population
    inside = made.kind == usage.CALL_INSIDE
    assert ((made.peer_sub >= 0) == inside).all()
    assert (made.peer_sub[inside] != made.sub[inside]).all()
    assert (made.peer_number[inside].astype(np.uint64) == people.msisdn[made.peer_sub[inside]]).all()
    lines = {line.number.encode() for line in crowd.scenario.usage.service_lines}
    assert set(made.peer_number[made.kind == usage.CALL_SERVICE].tolist()) == lines
    other = np.isin(made.kind, (usage.CALL_OUT, usage.CALL_VACANT, usage.CALL_IN))
    mobiles = np.array([int(number) for number in made.peer_number[other].tolist()], dtype=np.uint64)
    assert (people.sub_of_msisdn(mobiles) == -1).all()
    own = made.kind != usage.CALL_IN
    own &= made.kind != usage.CALL_SERVICE
    assert inside[own].mean() == pytest.approx(0.62, abs=0.02)
    assert (made.kind[own] == usage.CALL_VACANT).mean() == pytest.approx(0.03, abs=0.005)


def test_people_decide_by_habit(crowd):
    made, people = a_day(calls, crowd, 0), crowd.population
    inside = made.kind == usage.CALL_INSIDE
    refuses = people.often_rejects[made.peer_sub[inside]]
    rejected = made.intent[inside] == usage.REJECT
    assert rejected[refuses].mean() == pytest.approx(0.33, abs=0.06)
    assert rejected[~refuses].mean() == pytest.approx(0.024, abs=0.008)
    assert set(made.intent[made.kind == usage.CALL_IN].tolist()) == {
        usage.ANSWER,
        usage.NO_ANSWER,
        usage.REJECT,
    }
    assert set(made.intent[made.kind == usage.CALL_OUT].tolist()) == set(range(6))


def test_durations(crowd):
    made = a_day(calls, crowd, 0)
    talk_s = made.talk_us / 1e6
    people = made.kind != usage.CALL_SERVICE
    assert talk_s[people].mean() == pytest.approx(120, rel=0.05)
    assert np.median(talk_s[people]) == pytest.approx(72.8, rel=0.05)
    assert talk_s[~people].mean() == pytest.approx(55, rel=0.06)
    assert talk_s.min() >= 2
    assert made.alert_us.min() > 0
    assert made.ring_us.min() > 0
    assert set(np.unique(made.hangup)) == {usage.CALLER, usage.CALLEE}


def test_silence_where_nobody_calls(town):
    quiet = town.scenario.usage.model_copy(
        update=dict.fromkeys(("calls_per_day", "incoming_calls_per_day", "service_calls_per_day",
                              "texts_per_day", "incoming_texts_per_day"), 0.0)
    )  # fmt: skip
    world = build_world(town.scenario.model_copy(update={"usage": quiet, "subscribers": 50}), 1)
    assert len(a_day(calls, world, 0).t_us) == 0
    assert len(a_day(texts, world, 0).t_us) == 0


def test_texts_fit_one_message():
    for text in TEXTS:
        assert len(text) <= 70


def test_golden_hash(town):
    """Changes only when the usage does: then the new value belongs into the same commit, with the reason."""
    digest = hashlib.sha256()
    for table in (a_day(calls, town, 1), a_day(texts, town, 1)):
        for field in fields(table):
            column = getattr(table, field.name)
            digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    assert digest.hexdigest() == "eb5f9e5985a662c87a03cabb0a45490bed1135f7bcf91ed780ba54387baed8a3"
