"""Crowds at events, weeks by segment and hours of location updates, against lives whose answer is known."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.realism import events, network, usage
from experiments.realism.fits import pairs_blocked
from experiments.realism.tables import HOUR_US, OUTCOMES, Acts, Lived, Traffic
from sim.network import acts as act_table
from sim.network.intents import DAY_US
from sim.scenario import EventScenario
from sim.subscribers.segments import SEGMENTS

RNG = np.random.default_rng(11)
N, DAYS, CELLS = 900, 14, 6
CONCERT = EventScenario(
    name="show", kind="concert", place="arena", day=2, opens_h=19.5, closes_h=22, visitors=120
)


def acts(t_us, sub, kind, outcome="", peer=-1):
    n = len(t_us)
    return Acts(
        np.asarray(t_us, np.int64), np.asarray(sub, np.int32), np.full(n, kind, np.uint8),
        np.full(n, OUTCOMES.index(outcome), np.uint8), np.broadcast_to(np.asarray(peer, np.int32), n),
        np.zeros(n, bool),
    )  # fmt: skip


def lived(some: Acts, *planned: EventScenario, **columns):
    scenario = SimpleNamespace(is_weekend=lambda day: day % 7 >= 5, events=planned)
    world = SimpleNamespace(
        n=N, scenario=scenario, population=SimpleNamespace(segment=np.arange(N) % len(SEGMENTS)),
        topology=SimpleNamespace(n=CELLS, places=[SimpleNamespace(name="arena", cells=(4, 5))]),
    )  # fmt: skip
    made = dict.fromkeys(Lived.__dataclass_fields__) | {"world": world, "days": DAYS, "acts": some}
    hours = np.zeros((DAYS * 24, CELLS), np.int64)
    made |= {"hourly": np.zeros((N, DAYS * 24), np.int16), "traffic": Traffic(hours, hours, hours)}
    return Lived(**made | columns)


def with_crowd(visitors: int, usual: int):
    """So many at the arena while the concert is on, and so many at that hour of every day."""
    hourly = np.zeros((N, DAYS * 24), np.int16)
    for day in range(DAYS):
        hourly[:usual, day * 24 + 19 : day * 24 + 22] = 4
    hourly[usual : usual + visitors, 24 + 20 : 24 + 22] = 5
    return hourly


@pytest.mark.parametrize("usual", [0, 30])
def test_a_crowd_is_what_comes_on_top_of_a_usual_evening(usual) -> None:
    life = lived(acts([], [], 1), CONCERT, hourly=with_crowd(120, usual))
    found = events.crowding(life)
    assert found.value == pytest.approx(1.0)
    assert 0.8 < found.low < 1 < found.high < 1.2
    half = replace(life, hourly=with_crowd(60, usual))
    assert events.crowding(half).value == pytest.approx(0.5)
    assert events.crowding(replace(life, hourly=with_crowd(0, usual))).value == 0.0


def test_without_a_concert_a_week_before_the_end_nothing_is_measured() -> None:
    late = CONCERT.model_copy(update={"day": 9})
    fair = CONCERT.model_copy(update={"kind": "exhibition"})
    for planned in ((), (late,), (fair,)):
        life = lived(acts([], [], 1), *planned)
        assert math.isnan(events.crowding(life).value)
        assert math.isnan(events.traffic_a_head(life).value)
        assert events.picture(life) == {}


def test_a_crowd_brings_its_calls_with_it() -> None:
    hourly = with_crowd(120, 0)
    asked = np.zeros((DAYS * 24, CELLS), np.int64)
    for hour in (44, 45):
        asked[hour] = np.bincount(hourly[:, hour], minlength=CELLS) * 3
    life = lived(acts([], [], 1), CONCERT, hourly=hourly, traffic=Traffic(asked, asked, asked))
    assert events.traffic_a_head(life).value == pytest.approx(1.0)
    more = asked.copy()
    more[:, 4:] *= 2
    total = events.traffic_a_head(replace(life, traffic=Traffic(more, more, more))).value
    assert total == pytest.approx(2 / (1 + 120 / N))
    made = acts([DAY_US + 20 * HOUR_US] * 3 + [DAY_US], [0, 1, 500, 0], act_table.CALL_MADE)
    shown = events.picture(replace(life, acts=made))
    assert (shown["day"][20], shown["day_calls"][20], shown["usual"][20]) == (120, 2, 0)
    assert sum(shown["day_calls"]) == 2


def week_of(ratio_of_segment, n=200_000):
    """Calls of the nine segments with these ratios of free day to working day."""
    sub = RNG.integers(0, N, n)
    day = RNG.integers(0, DAYS, n)
    keep = RNG.random(n) < np.where(day % 7 >= 5, np.array(ratio_of_segment)[sub % len(SEGMENTS)], 1.0)
    return acts((day * DAY_US + RNG.integers(0, DAY_US, n))[keep], sub[keep], act_table.CALL_MADE)


def test_weeks_of_segments_have_a_slope_of_one_or_none() -> None:
    told = np.linspace(0.4, 1.0, len(SEGMENTS))
    true, flat = week_of(told), week_of(np.full(len(SEGMENTS), 0.7))
    assert usage.weekly_of_segments(lived(true), true, told).value == pytest.approx(1.0, abs=0.1)
    assert usage.weekly_of_segments(lived(flat), flat, told).value == pytest.approx(0.0, abs=0.1)


def test_location_updates_follow_borders_crossed() -> None:
    t_us, sub = RNG.integers(0, DAYS, 40_000) * DAY_US, RNG.integers(0, N, 40_000)
    hour = np.where(RNG.random(40_000) < 0.5, 8, 18)
    crossed = (t_us + hour * HOUR_US, sub)
    on = RNG.random(40_000) < 0.9  # the rest are off
    life = lived(acts(crossed[0][on], sub[on], act_table.LOCATION_UPDATE))
    assert usage.updates_diurnal(life, crossed).value > 0.99
    assert usage.updates_weekly(life, crossed).value == pytest.approx(1.0, abs=0.05)
    shifted = (t_us + 3 * HOUR_US, sub)
    assert usage.updates_diurnal(life, shifted).value < 0.5
    workdays = (t_us // DAY_US % 7 < 5) & on
    fewer = lived(acts(crossed[0][workdays], sub[workdays], act_table.LOCATION_UPDATE))
    assert usage.updates_weekly(fewer, crossed).value == 0.0


def test_cells_whose_calls_stay_within_them_refuse_more() -> None:
    """The same refusals are as expected where calls are pairs, and too many where they are not."""
    legs = acts([9 * HOUR_US] * 2, [0, 1], act_table.CALL_MADE, "answered", peer=[1, 0])
    apart = acts([9 * HOUR_US] * 2, [0, 1], act_table.CALL_MADE, "answered")
    expected = pairs_blocked(8, 4.0, 1.0)
    asked = np.zeros((DAYS * 24, CELLS), np.int64)
    held = np.zeros((DAYS * 24, CELLS), np.int64)
    asked[9::24, 0], held[9::24, 0] = 100_000, int(3.8 * HOUR_US)
    refused = np.round(asked * expected).astype(np.int64)
    life = lived(legs, traffic=Traffic(asked, refused, held))
    assert network.within_cells(life)[9].tolist() == [1.0] + [0.0] * (CELLS - 1)
    assert network.within_cells(replace(life, acts=apart)).sum() == 0
    channels = np.full(CELLS, 8)
    within = network.blocking_ratio(life, channels).value
    assert within == pytest.approx(1.0, abs=0.15)
    assert network.blocking_ratio(replace(life, acts=apart), channels).value > 1.25 * within
