"""Calls and texts: the same rows for any choice of people and any cut of time, in the planted mixture.

Where a test may fail by chance its text says how rarely; seeds are fixed.
"""

import hashlib
from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.bssap.gsm7 import encode_text
from sim.network.tpdus import text_body
from sim.scenario import DAY_US
from sim.subscribers import usage, usage_numbers, usage_texts, usage_trains
from sim.subscribers import usage_profiles as profiles
from sim.subscribers.habitat import chosen
from sim.subscribers.usage import TEXTS, calls, services, texts
from sim.subscribers.usage_calls import STREAMS
from sim.world import build_world

HOUR_US = DAY_US // 24
ALL = (calls, texts, services)


def a_day(of, world, day, subs=None):
    return of(world, day * DAY_US, (day + 1) * DAY_US, subs)


def near(count, mean):
    """Within 4.5 deviations of a Poisson count, rates being known (a false alarm in 150,000 seeds)."""
    return abs(count - mean) < 4.5 * mean**0.5


def weekly(table, people, day):
    """Factors of the weekday, for everybody."""
    return table[people.segment, day % 7] / 65536


def single_calls(made):
    """Calls to people of an ordinary day."""
    return made.ordinal % STREAMS == 0


def trains_of(table, mine, most):
    """Rows of each train of texts or session of calls, in order, by whoever began it."""
    rows = np.flatnonzero(mine)
    number = table.ordinal[rows].astype(np.int64) // STREAMS
    keys = zip(
        (table.sub[rows] // 4).tolist(), (number % 8).tolist(), (number // 8 // most).tolist(), strict=True
    )
    found = {}
    for row, key in zip(rows.tolist(), keys, strict=True):
        found.setdefault(key, []).append(row)
    return found


def test_arrivals_follow_the_personal_rates(crowd):
    """Counts of what comes in groups vary more than Poisson's: by mean square over mean of their size."""
    people, made, sent = crowd.population, a_day(calls, crowd, 1), a_day(texts, crowd, 1)
    call, text = weekly(profiles.CALL_WEEK, people, 1), weekly(profiles.TEXT_WEEK, people, 1)
    asked = weekly(profiles.SERVICE_WEEK, people, 1)
    comes = (sent.kind == usage.TEXT_IN) & (sent.ordinal % 8 != usage_texts.MMS)
    counts = {
        "call_rate_q16": (np.count_nonzero(single_calls(made)), call, 1.8),
        "service_rate_q16": (np.count_nonzero(made.ordinal % STREAMS == 1), asked, 1),
        "call_in_rate_q16": (np.count_nonzero(made.kind == usage.CALL_IN), call, 1),
        "text_rate_q16": (np.count_nonzero(sent.kind != usage.TEXT_IN), text, 29 / 5),
        "text_in_rate_q16": (np.count_nonzero(comes), text, 29 / 5),
    }
    for name, (count, factor, groups) in counts.items():
        rate = (getattr(people, name) * factor).sum() / 65536
        assert abs(count - rate) < 4.5 * (rate * groups) ** 0.5, name
    busy = people.call_rate_q16 > np.quantile(people.call_rate_q16, 0.9)
    expected = (people.call_rate_q16 * call)[busy].sum() / 65536
    # Calls back are made at their callers' rates.
    assert np.count_nonzero(busy[made.sub] & single_calls(made)) == pytest.approx(expected, rel=0.05)


def test_counts_are_poisson(crowd):
    """Variance over mean of counts per head, given the rate, is one; 20,000 heads put it within 4 %."""
    made = a_day(calls, crowd, 2)
    rate = crowd.population.call_in_rate_q16 / 65536 * weekly(profiles.CALL_WEEK, crowd.population, 2)
    count = np.bincount(made.sub[made.kind == usage.CALL_IN], minlength=crowd.n)
    assert ((count - rate) ** 2).sum() / rate.sum() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("segment", [0, 4, 7], ids=["business", "students", "farmers"])
@pytest.mark.parametrize("day", [1, 5], ids=["tuesday", "saturday"])
def test_hours_follow_the_segment_and_the_day(crowd, segment, day):
    """Chi-square of 23 degrees above 60: once in 30,000 seeds, each of six."""
    made = a_day(calls, crowd, day)
    mine = (crowd.population.segment[made.sub] == segment) & (
        single_calls(made) | (made.kind == usage.CALL_IN)
    )
    hours = np.bincount(made.t_us[mine] % DAY_US // HOUR_US, minlength=24)
    row = profiles.way_of(segment) * 2 + (day >= 5)
    expected = profiles.hours_of(profiles.CALLS, row) * hours.sum()
    # Hours of less than five expected events are taken together.
    rare = expected < 5
    got = np.append(hours[~rare], hours[rare].sum())
    want = np.append(expected[~rare], expected[rare].sum())
    assert (((got - want) ** 2) / np.maximum(want, 1)).sum() < 60
    assert (made.t_us >= day * DAY_US).all()
    assert (made.t_us < (day + 1) * DAY_US).all()


def test_a_week_has_a_mean_of_one():
    for table in (profiles.CALL_WEEK, profiles.TEXT_WEEK, profiles.SERVICE_WEEK):
        assert np.abs(table.sum(axis=1) - 7 * 65536).max() <= 4
    assert profiles.CALL_WEEK[0, 6] < profiles.CALL_WEEK[0, 1] / 2  # business people rest on Sundays
    assert profiles.CALL_WEEK[4, 6] > profiles.CALL_WEEK[0, 6] * 1.5  # students do not


@given(st.integers(0, 1999), st.integers(1, 400), st.integers(0, 9))
@settings(deadline=None, max_examples=12)
def test_part_of_the_people_equals_part_of_the_day(town, start, size, day):
    part = slice(start, start + size)
    for draw in ALL:
        whole, alone = a_day(draw, town, day), a_day(draw, town, day, part)
        mine = np.isin(whole.sub, chosen(town.n, part))
        for field in fields(whole):
            assert np.array_equal(getattr(whole, field.name)[mine], getattr(alone, field.name)), field.name


@given(st.lists(st.integers(0, 4 * DAY_US), min_size=1, max_size=4), st.sampled_from([0, 111]))
@settings(deadline=None, max_examples=12)
def test_cut_time_gives_the_same_rows(town, cuts, first_day):
    """Also over midnights, where evening bursts and festivals (day 113 is Mid-Autumn) reach across."""
    start, end = first_day * DAY_US, (first_day + 4) * DAY_US
    edges = sorted({start, end, *(start + cut for cut in cuts)})
    some = slice(0, 600)
    for draw in ALL:
        whole = draw(town, start, end, some)
        parts = [draw(town, a, b, some) for a, b in pairwise(edges)]
        for field in fields(whole):
            joined = np.concatenate([getattr(part, field.name) for part in parts])
            assert np.array_equal(getattr(whole, field.name), joined), field.name


def test_sorted_with_unique_keys(town):
    for table in (a_day(calls, town, 113), a_day(texts, town, 113)):
        assert np.array_equal(np.lexsort((table.ordinal, table.sub, table.t_us)), np.arange(len(table.sub)))
    one = a_day(calls, town, 113)
    assert len(set(zip(one.sub.tolist(), one.ordinal.tolist(), strict=True))) == len(one.sub)


def test_kinds_and_peers(crowd):
    made, people = a_day(calls, crowd, 0), crowd.population
    inside = made.kind == usage.CALL_INSIDE
    assert ((made.peer_sub >= 0) == inside).all()
    assert (made.peer_sub[inside] != made.sub[inside]).all()
    assert (made.peer_number[inside].astype(np.uint64) == people.msisdn[made.peer_sub[inside]]).all()
    lines = {line.number.encode() for line in crowd.scenario.usage.service_lines}
    assert set(made.peer_number[made.kind == usage.CALL_SERVICE].tolist()) == lines | {b"12530"}
    other = np.isin(made.kind, (usage.CALL_OUT, usage.CALL_VACANT, usage.CALL_IN))
    mobiles = np.array([int(number) for number in made.peer_number[other].tolist()], dtype=np.uint64)
    assert (people.sub_of_msisdn(mobiles) == -1).all()
    own = single_calls(made)
    assert inside[own].mean() == pytest.approx(0.62, abs=0.02)
    assert (made.kind[own] == usage.CALL_VACANT).mean() == pytest.approx(0.03, abs=0.005)


def test_old_codes_are_misdialled_unless_in_service(crowd, town):
    def short_ones(world):
        made = a_day(calls, world, 0)
        vacant = made.peer_number[made.kind == usage.CALL_VACANT]
        return {number for number in vacant.tolist() if len(number) < 8}

    assert short_ones(crowd) == {b"96121", b"12117"}  # 1860 is one of the town's lines
    lines = [line for line in town.scenario.usage.service_lines if line.number != "1860"]
    modern = town.scenario.model_copy(
        update={
            "subscribers": 20_000,
            "usage": town.scenario.usage.model_copy(update={"service_lines": lines}),
        }
    )
    assert short_ones(build_world(modern, 2)) == {b"1860", b"96121", b"12117"}


def test_long_distance_by_segment(crowd):
    """Shares within 4.5 deviations of a binomial: a false alarm in 150,000 seeds, each of nine and two."""
    tables = [a_day(calls, crowd, day) for day in range(5)]
    number = np.concatenate([one.peer_number[one.kind == usage.CALL_OUT] for one in tables])
    sub = np.concatenate([one.sub[one.kind == usage.CALL_OUT] for one in tables])
    cheap = np.char.startswith(number, b"12593")
    far = cheap | np.char.startswith(number, b"0")
    areas = tuple(("0" + area).encode() for area in usage_numbers.AREAS)
    for digits in number[far][:500].tolist():
        assert digits.removeprefix(b"12593").startswith(areas)
    factors = profiles.by_segment(crowd.scenario, lambda leaning: leaning.long_distance)
    for segment, factor in enumerate(factors):
        mine = crowd.population.segment[sub] == segment
        share = factor * 0.14
        spread = (share * (1 - share) / np.count_nonzero(mine)) ** 0.5
        assert abs(far[mine].mean() - share) < 4.5 * spread
    assert abs(cheap[far].mean() - 0.35) < 4.5 * (0.35 * 0.65 / np.count_nonzero(far)) ** 0.5
    local = number[~far]
    rival = np.char.startswith(local, b"86133")
    assert abs(rival.mean() - 0.7) < 4.5 * (0.21 / len(local)) ** 0.5
    assert np.char.startswith(local[~rival], b"8625").all()


def test_contacts_outside_come_again(crowd):
    """The competitor's numbers that somebody calls are few, and the same call in."""
    tables = [a_day(calls, crowd, day, slice(0, 3000)) for day in range(7)]

    def pairs(kind):
        rows = [(one.sub[one.kind == kind], one.peer_number[one.kind == kind]) for one in tables]
        return {pair for sub, peer in rows for pair in zip(sub.tolist(), peer.tolist(), strict=True)}

    out, came = pairs(usage.CALL_OUT), pairs(usage.CALL_IN)
    mobiles = {pair for pair in out if pair[1].startswith(b"86133")}
    each = np.bincount([sub for sub, _ in mobiles], minlength=3000)
    assert (each <= np.maximum(crowd.population.rivals[:3000], 1)).all()
    known = [pair for pair in came if pair[1].startswith(b"86133")]
    again = np.mean([pair in mobiles for pair in known])
    assert again > 0.2  # strangers would be there once in 10**8


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
    lines = made.ordinal % STREAMS == 1
    assert talk_s[lines].mean() == pytest.approx(55, rel=0.06)
    assert talk_s.min() >= 2
    assert made.alert_us.min() > 0
    assert made.ring_us.min() > 0
    assert set(np.unique(made.hangup)) == {usage.CALLER, usage.CALLEE}
    spread = np.log(talk_s[people & (talk_s > 2)])
    assert spread.std() == pytest.approx(1.0, abs=0.05)  # log-normal of sigma 1


def test_ring_back_tones_are_changed_by_holders(crowd):
    days = [a_day(calls, crowd, day) for day in range(7)]
    sub = np.concatenate([one.sub[one.peer_number == b"12530"] for one in days])
    holds = crowd.population.services >> 2 & 1
    assert holds[sub].all()
    assert near(len(sub), 7 * 0.6 / 30 * holds.sum())


def test_chats_are_with_one_person_in_the_evening(crowd):
    sent = a_day(texts, crowd, 1)
    chat = sent.ordinal % 8 == usage_texts.CHAT
    trains = trains_of(sent, chat, usage_trains.CHAT_MOST)
    for rows in list(trains.values())[:80]:
        ends = {
            frozenset((sub, peer)) for sub, peer in zip(sent.sub[rows], sent.peer_number[rows], strict=True)
        }
        inside = sent.peer_sub[rows] >= 0
        if inside.all():
            ends = {frozenset(pair) for pair in zip(sent.sub[rows], sent.peer_sub[rows], strict=True)}
        assert len(ends) == 1
    sizes = [len(rows) for rows in trains.values()]
    assert 1 < max(sizes) <= usage_trains.CHAT_MOST
    evening = sent.t_us[chat] % DAY_US // HOUR_US
    assert ((evening >= 18) & (evening < 23)).mean() > 0.6
    # Some 900 chats of the students, 250 of the home-makers; those who answer are of other segments, too.
    own, segment = sent.kind != usage.TEXT_IN, crowd.population.segment[sent.sub]
    assert chat[own & (segment == 4)].mean() == pytest.approx(0.43, abs=0.07)
    assert chat[own & (segment == 5)].mean() == pytest.approx(0.17, abs=0.09)


def test_festivals_raise_texts_to_the_given_height(town):
    """Texts at the peak over an ordinary day's mean; within 4.5 Poisson deviations."""
    epoch = town.scenario.model_copy(update={"subscribers": 4_000})
    world = build_world(epoch, 3)
    eve = (profiles.busy_time(epoch.epoch, epoch.usage.festivals[1])).day  # 2008-02-06
    sent = texts(world, eve * DAY_US, (eve + 2) * DAY_US)
    festive = np.isin(sent.ordinal % 8, (usage_texts.FESTIVE, usage_texts.FESTIVE + 1))
    rate = world.population.text_rate_q16.sum() / 65536
    extra = 40 * 1.5 * 1.5 / 24  # height, width in hours, area of the triangle, hours of a day
    assert near(np.count_nonzero(festive), rate * extra)
    minute = (sent.t_us[festive] - eve * DAY_US) // 60_000_000
    assert minute.min() >= 20.5 * 60 - 1
    assert minute.max() < 25 * 60 + 1
    assert (minute >= 24 * 60).any()
    height = np.count_nonzero(abs(minute - 23.5 * 60) <= 5) / 11 * 1440 / rate
    assert height == pytest.approx(40, rel=0.12)
    assert {TEXTS[k] for k in np.unique(sent.text_id[festive])} == set(usage_texts.GREETINGS)
    made = calls(world, eve * DAY_US, (eve + 2) * DAY_US)
    on_top = np.count_nonzero(made.ordinal % STREAMS >= 4)
    assert near(on_top, world.population.call_rate_q16.sum() / 65536 * 3 * 1.5 * 1.5 / 24)


def test_multimedia_is_told_by_text(crowd):
    days = [a_day(texts, crowd, day) for day in range(5)]
    sub = np.concatenate([one.sub[one.peer_number == usage_numbers.MMS_LINE] for one in days])
    assert (crowd.population.services[sub] >> 1 & 1).all()
    factors = np.array(profiles.by_segment(crowd.scenario, lambda leaning: leaning.data, calls=False))
    holds = crowd.population.services >> 1 & 1
    assert near(len(sub), 5 * 0.12 * (holds * factors[crowd.population.segment]).sum())


def test_silence_where_nobody_calls(town):
    quiet = town.scenario.usage.model_copy(
        update=dict.fromkeys(("calls_per_day", "incoming_calls_per_day", "service_calls_per_day",
                              "texts_per_day", "incoming_texts_per_day", "ring_back_changes_per_month",
                              "ussd_per_day", "forwarding_per_day", "call_waiting_per_day",
                              "mms_per_day"), 0.0)
    )  # fmt: skip
    world = build_world(town.scenario.model_copy(update={"usage": quiet, "subscribers": 50}), 1)
    for draw in ALL:
        assert len(draw(world, 112 * DAY_US, 115 * DAY_US).t_us) == 0


def test_texts_fit_one_message_in_their_alphabets():
    assert all(2 <= len(text_body(text)) <= 142 for text in TEXTS)
    assert len(TEXTS) < 256
    seven_bit = sum(_in_default_alphabet(text) for text in TEXTS)
    assert 8 <= seven_bit < len(TEXTS) - 8


def _in_default_alphabet(text):
    try:
        encode_text(text)
    except ValueError:
        return False
    return True


def test_golden_hash(town):
    """Changes only when the usage does: then the new value belongs into the same commit, with the reason."""
    digest = hashlib.sha256()
    for table in (a_day(calls, town, 1), a_day(texts, town, 1), a_day(services, town, 1)):
        for field in fields(table):
            column = getattr(table, field.name)
            digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    assert digest.hexdigest() == "400ba461fef30705f8aa3a31c28904ca2ab0f662ab506cb67af4118c9f65bde1"
