"""Bursts by mechanism: calls lead to calls, missed ones are returned, texts are answered, and rates stay."""

import numpy as np
import pytest

from sim.scenario import DAY_US
from sim.subscribers import usage, usage_sessions, usage_texts, usage_trains
from sim.subscribers.usage import calls, texts
from sim.subscribers.usage_calls import STREAMS
from sim.world import build_world

DAYS = 7


@pytest.fixture(scope="module")
def week(crowd):
    """A week's calls and texts."""
    return calls(crowd, 0, DAYS * DAY_US), texts(crowd, 0, DAYS * DAY_US)


def groups(table, process, most):
    """Rows in sessions or trains, one group after another in order of place; and where each begins."""
    rows = np.flatnonzero(table.ordinal % STREAMS == process)
    number = table.ordinal[rows].astype(np.int64) // STREAMS
    place, k, who = number // 8 % most, number // 8 // most, number % 8
    family = table.sub[rows].astype(np.int64) // usage_sessions.FAMILY_SIZE
    # Parity tells two days apart; a group is over long before the same parity comes again.
    day = (table.t_us[rows] // DAY_US - (table.t_us[rows] // DAY_US - who) % 2).astype(np.int64)
    key = ((day * 8 + who) << 40) + (k << 24) + family
    order = np.lexsort((place, key))
    rows, key, place = rows[order], key[order], place[order]
    return rows, place, np.append(True, key[1:] != key[:-1])


def test_sessions_are_as_long_as_said(week):
    made, _ = week
    rows, place, _first = groups(made, 0, usage_sessions.SESSION_MOST)
    sizes = np.bincount(place)
    for k in range(1, usage_sessions.SESSION_MOST):
        assert sizes[k] / sizes[0] == pytest.approx(usage_sessions.FOLLOWS**k, rel=0.05)
    assert len(rows) / sizes[0] == pytest.approx(usage_sessions.MEAN_Q32 / 2**32, rel=0.01)


def test_what_follows_a_call_depends_on_what_came_of_it(week):
    made, _ = week
    rows, _, first = groups(made, 0, usage_sessions.SESSION_MOST)
    later = np.flatnonzero(~first)
    now, before = rows[later], rows[later - 1]
    assert (made.kind[now] == made.kind[before]).all()
    assert (made.t_us[now] > made.t_us[before]).all()
    missed = made.intent[before] != usage.ANSWER
    back = missed & (made.sub[now] == made.peer_sub[before])
    again = missed & (made.sub[now] == made.sub[before])
    assert (back | again)[missed].all()
    assert (made.peer_sub[now] == made.sub[before])[back].all()
    assert (made.peer_number[now] == made.peer_number[before])[again].all()
    family = made.sub[before] // 4 == made.peer_sub[before] // 4
    assert family[back].all()
    share = np.count_nonzero(back) / np.count_nonzero(missed & family)
    assert share == pytest.approx(usage_sessions.CALLS_BACK, abs=0.06)
    # After a call that was taken comes another one, mostly to another person.
    taken = ~missed & (made.kind[now] != usage.CALL_VACANT)
    assert (made.peer_number[now] != made.peer_number[before])[taken].mean() > 0.5


def test_the_next_call_waits_for_the_end_of_the_one_before(week):
    made, _ = week
    rows, _, first = groups(made, 0, usage_sessions.SESSION_MOST)
    later = np.flatnonzero(~first)
    now, before = rows[later], rows[later - 1]
    talked = np.where(made.intent[before] == usage.ANSWER, made.talk_us[before], 0)
    talked[made.kind[before] == usage.CALL_VACANT] = 0
    busy = made.alert_us[before] + made.ring_us[before] + talked
    gap_s = (made.t_us[now] - made.t_us[before] - np.minimum(busy, usage_sessions.BUSY_MOST_US)) / 1e6
    assert gap_s.min() >= 8
    assert gap_s.max() <= 300
    assert np.median(gap_s) == pytest.approx(60, rel=0.1)


@pytest.mark.parametrize(
    ("process", "most", "mean"),
    [(usage_texts.OWN, usage_trains.TRAIN_MOST, 1.515), (usage_texts.CHAT, usage_trains.CHAT_MOST, 5.0)],
    ids=["single", "chat"],
)
def test_texts_go_to_and_fro_within_families(crowd, week, process, most, mean):
    _, sent = week
    rows, place, first = groups(sent, process, most)
    assert len(rows) / np.count_nonzero(first) == pytest.approx(mean, rel=0.03)
    later = np.flatnonzero(~first)
    now, before = rows[later], rows[later - 1]
    inside = sent.peer_sub[before] >= 0
    family = inside & (sent.sub[before] // 4 == sent.peer_sub[before] // 4)
    turned = sent.sub[now] == sent.peer_sub[before]
    assert (sent.peer_sub[now] == sent.sub[before])[turned].all()
    here = crowd.population.active_on(0, sent.peer_sub[before]) & crowd.population.active_on(
        DAYS, sent.peer_sub[before]
    )
    assert turned[family & here].all()
    assert not turned[~family].any()
    assert (sent.peer_number[now] == sent.peer_number[before])[~family].all()
    assert np.count_nonzero(turned) > 1000
    assert (sent.t_us[now] - sent.t_us[before]).max() <= 900e6
    assert place.max() == most - 1


def test_other_networks_answer_between_the_texts_sent_there(crowd, week):
    """Each answer comes from the number written to, between two texts to it."""
    _, sent = week
    for process, back in (
        (usage_texts.OWN, usage_texts.ANSWERS),
        (usage_texts.CHAT, usage_texts.CHAT_ANSWERS),
    ):
        out = np.flatnonzero(sent.ordinal % STREAMS == process)
        came = np.flatnonzero(sent.ordinal % STREAMS == back)
        assert len(came) > 500
        assert (sent.kind[came] == usage.TEXT_IN).all()
        number = sent.ordinal // STREAMS
        by = {
            (sub, n, t // DAY_US): row
            for sub, n, t, row in zip(
                sent.sub[out].tolist(),
                number[out].tolist(),
                sent.t_us[out].tolist(),
                out.tolist(),
                strict=True,
            )
        }
        found = 0
        for row in came[:400].tolist():
            answered = by.get((int(sent.sub[row]), int(number[row]), int(sent.t_us[row]) // DAY_US))
            if answered is None:
                continue  # the text after it was sent past midnight
            found += 1
            assert sent.peer_number[answered] == sent.peer_number[row]
            assert 0 <= sent.t_us[answered] - sent.t_us[row] <= 450e6 + 1
        assert found > 390
    answers = np.isin(sent.ordinal % STREAMS, (usage_texts.ANSWERS, usage_texts.CHAT_ANSWERS))
    comes = (sent.kind == usage.TEXT_IN) & (sent.ordinal % STREAMS != usage_texts.MMS)
    assert 0.1 < answers.sum() / comes.sum() <= usage_trains.ANSWERS_MOST


def test_answers_never_outnumber_what_may_come_in(town):
    """Where little is to come in, no more comes in."""
    few = town.scenario.usage.model_copy(update={"incoming_texts_per_day": 0.02, "texts_per_day": 4.0})
    world = build_world(town.scenario.model_copy(update={"usage": few, "subscribers": 6_000}), 5)
    sent = texts(world, 0, DAYS * DAY_US)
    comes = np.count_nonzero((sent.kind == usage.TEXT_IN) & (sent.ordinal % STREAMS != usage_texts.MMS))
    expected = 0.02 * DAYS * 6_000
    assert abs(comes - expected) < 4.5 * (6 * expected) ** 0.5
    nothing = few.model_copy(update={"incoming_texts_per_day": 0.0})
    silent = world.scenario.model_copy(update={"usage": nothing})
    assert usage_trains.answers(silent, 4) == (0.0, 0.0, 0.0)


def test_gaps_are_bursty(week, crowd):
    """Short gaps between one's calls and texts are far more than where moments are dealt out anew."""
    made, sent = week
    mine = made.kind != usage.CALL_IN
    out = sent.kind != usage.TEXT_IN
    t_us = np.concatenate((made.t_us[mine], sent.t_us[out]))
    sub = np.concatenate((made.sub[mine], sent.sub[out])).astype(np.int64)
    order = np.lexsort((t_us, sub))
    gap, same = np.diff(t_us[order]), np.diff(sub[order]) == 0
    minutes = gap[same] / 60e6
    assert np.mean(minutes < 5) > 0.15
    fresh = np.random.default_rng(1).permutation(t_us)  # the same moments, whoever's
    order = np.lexsort((fresh, sub))
    other = (np.diff(fresh[order])[np.diff(sub[order]) == 0]) / 60e6
    assert np.mean(minutes < 5) > 3 * np.mean(other < 5)
