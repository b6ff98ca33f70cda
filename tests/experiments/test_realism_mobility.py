"""Measures of movement against made-up people whose answer is known."""

import math

import numpy as np
import pytest

from experiments.realism import mobility
from experiments.realism.tables import HOUR_US, Stays, cells_at, stays_of
from sim.network.intents import DAY_US
from sim.subscribers.walk import Trips

SQUARE = mobility.Ground(np.array([0.0, 3.0, 3.0, 0.0]), np.array([0.0, 0.0, 4.0, 4.0]))


def trips(*rows):
    sub, leave_h, ride_h, start, end = zip(*rows, strict=True)
    return Trips(
        np.array(sub), np.array(leave_h) * HOUR_US, np.array(ride_h) * HOUR_US,
        np.array(start, np.int32), np.array(end, np.int32),
    )  # fmt: skip


def test_stays_lie_before_between_and_after_trips() -> None:
    made = trips((0, 8, 1, 0, 2), (0, 18, 1, 2, 0), (2, 5, 1, 1, 3))
    stays = stays_of(made, np.array([0, 1, 1], np.int32), DAY_US)
    rows = list(zip(*(getattr(stays, name).tolist() for name in Stays.__dataclass_fields__), strict=True))
    h = HOUR_US
    assert rows == [
        (0, 0, 0, 8 * h), (0, 2, 9 * h, 18 * h), (0, 0, 19 * h, 24 * h),
        (1, 1, 0, 24 * h),
        (2, 1, 0, 5 * h), (2, 3, 6 * h, 24 * h),
    ]  # fmt: skip
    where = cells_at(stays, 3, np.array([0, 8, 12, 23]) * h)
    assert where.tolist() == [[0, 0, 2, 0], [1, 1, 1, 1], [1, 3, 3, 3]]


def test_jumps_are_as_the_crow_flies() -> None:
    assert SQUARE.jumps_km(trips((0, 1, 1, 0, 2), (0, 5, 1, 1, 2))).tolist() == [5.0, 4.0]
    assert SQUARE.diameter_km == 5.0
    assert SQUARE.nearest_km == 3.0
    assert SQUARE.radius_km == 2.5


def test_half_the_time_at_each_of_two_places_gyrates_half_their_distance() -> None:
    hourly = np.array([[0] * 12 + [2] * 12, [1] * 24], np.int16)
    assert SQUARE.gyration_km(hourly).tolist() == [2.5, 0.0]
    assert SQUARE.daily_range_km(hourly).tolist() == [[5.0], [0.0]]


def test_whoever_likes_all_cells_alike_gyrates_as_far_as_the_map() -> None:
    hourly = np.random.default_rng(1).integers(0, 4, (300, 24 * 14)).astype(np.int16)
    assert mobility.gyration_share(SQUARE, hourly).value == pytest.approx(1.0, abs=0.01)


def test_zipfs_exponent_is_found() -> None:
    often = np.round(1000 * np.arange(1, 21.0) ** -1.2).astype(int)
    visits = np.tile(np.repeat(np.arange(20), often), 50)  # everybody's favourites in another order of time
    sub = np.repeat(np.arange(50), often.sum())
    start = np.arange(len(sub)) * HOUR_US
    stays = Stays(sub, ((visits + sub) % 20).astype(np.int32), start, start + HOUR_US)
    found = mobility.zipf_exponent(stays, 50, 20)
    assert found.value == pytest.approx(1.2, abs=0.01)
    alike = Stays(sub, np.random.default_rng(2).integers(0, 20, len(sub)).astype(np.int32), start, start)
    assert mobility.zipf_exponent(alike, 50, 20).value < 0.2


def test_zipfs_exponent_does_not_fall_because_others_have_fewer_places() -> None:
    """Half of the people know six places, half twenty, all by the same law."""
    sub, cell = [], []
    for person in range(100):
        places = np.arange(1, (7 if person % 2 else 21))
        often = np.round(1000 * places**-1.2).astype(int)
        cell.append(np.repeat(places - 1, often))
        sub.append(np.full(often.sum(), person))
    who, where = np.concatenate(sub), np.concatenate(cell).astype(np.int32)
    stays = Stays(who, where, np.arange(len(who)), np.arange(len(who)) + 1)
    assert mobility.zipf_exponent(stays, 100, 20).value == pytest.approx(1.2, abs=0.02)
    few = Stays(who[where < 3], where[where < 3], who[where < 3], who[where < 3])
    assert math.isnan(mobility.zipf_exponent(few, 100, 20).value)


def test_a_new_place_every_day_is_an_exponent_of_one() -> None:
    days = 10
    sub, day = np.repeat(np.arange(50), days), np.tile(np.arange(days), 50)
    fresh = Stays(sub, day.astype(np.int32), day * DAY_US, (day + 1) * DAY_US)
    assert mobility.distinct_places(fresh, 50, days, days)[7].tolist() == list(range(1, days + 1))
    assert mobility.distinct_exponent(fresh, 50, days, days).value == pytest.approx(1.0)
    same = Stays(sub, np.zeros(500, np.int32), day * DAY_US, (day + 1) * DAY_US)
    assert mobility.distinct_exponent(same, 50, days, days).value == pytest.approx(0.0)


def hour_by_hour(lengths, hours=2000):
    """Somebody who stays so many hours in one cell after another, cut off after some hours."""
    return np.repeat(np.arange(len(lengths)), lengths)[:hours].astype(np.int16)


def test_waits_are_whole_runs_of_hours_in_one_cell() -> None:
    hourly = np.array(
        [[0, 0, 1, 1, 1, 0, 2, 2], [3, 3, 3, 3, 3, 3, 3, 3], [1, 2, 2, 2, 2, 2, 2, 1]], np.int16
    )
    hours, sub = mobility.waits_h(hourly)
    assert list(zip(sub.tolist(), hours.tolist(), strict=True)) == [(0, 3), (0, 1), (2, 6)]


def staying(exponent: float, shortest_h: float, people: int = 100, days: int = 98) -> np.ndarray:
    """People whose stays have a law in continuous time, as they are seen in the middle of every hour."""
    rng = np.random.default_rng(3)
    t = np.geomspace(shortest_h, 1_000.0, 100_000)
    sums = np.cumsum(t ** (1 - exponent) * np.exp(-t / mobility.WAITING_CUT_H))
    seen = np.arange(days * 24) + 0.5
    rows = []
    for _ in range(people):
        ends = np.cumsum(t[np.searchsorted(sums, rng.random(12 * len(seen)) * sums[-1])])
        rows.append(rng.integers(0, 30_000, len(ends))[np.searchsorted(ends, seen)])
    return np.array(rows, np.int16)


def test_stays_of_the_published_law_in_continuous_time_are_seen_by_the_hour() -> None:
    # A third of an hour is the shortest stay that scikit-mobility draws for the model of the source. What is
    # seen by the hour is a little steeper, since of two short stays within an hour but one is seen.
    seen = staying(1.8, 1 / 3)
    assert 1.85 < mobility.waiting_exponent(seen).value < 2.0
    assert mobility.waiting_shape(seen).value < 0.02
    assert 1.5 < mobility.waiting_exponent(staying(1.5, 1 / 3)).value < 1.65


def test_stays_of_an_hour_at_least_are_no_such_law() -> None:
    seen = staying(1.8, 1.0)
    assert mobility.waiting_exponent(seen).value < 1.4
    assert mobility.waiting_shape(seen).value > 0.1


def test_waiting_times_of_the_published_law_are_known_and_uniform_ones_are_not() -> None:
    rng, k = np.random.default_rng(3), np.arange(1, 337)
    law = k**-1.8 * np.exp(-k / 17)
    people = [hour_by_hour(rng.choice(k, 2000, p=law / law.sum())) for _ in range(60)]
    assert mobility.waiting_exponent(np.stack(people)).value == pytest.approx(1.8, abs=0.03)
    assert mobility.waiting_shape(np.stack(people)).value < 0.02
    even = np.stack([hour_by_hour(rng.integers(1, 9, 2000)) for _ in range(60)])
    assert mobility.waiting_shape(even).value > 0.1
    # Whoever sleeps eight hours and goes out once an evening is not of that law.
    sleeper = np.stack([np.tile(hour_by_hour([8, 1, 8, 1, 6], 24), 30)] * 5)
    assert mobility.waiting_exponent(sleeper).value < 1.0
    assert math.isnan(mobility.waiting_shape(np.zeros((4, 48), np.int16)).value)


def test_commuters_return_after_a_day_and_wanderers_do_not() -> None:
    commuter = np.tile(np.array([0] * 8 + [1] * 8 + [0] * 8, np.int16), (40, 14))
    assert mobility.returning(commuter, range(24, 25)).min() == 1.0
    # Twelve hours later one is elsewhere in sixteen hours of twenty-four.
    assert mobility.return_peak(commuter).value == pytest.approx(1 / (8 / 24), rel=0.05)
    wanderer = np.random.default_rng(4).integers(0, 9, (200, 336)).astype(np.int16)
    assert mobility.return_peak(wanderer).value == pytest.approx(1.0, abs=0.05)


def test_regularity_is_the_share_of_the_commonest_place_of_an_hour_of_the_week() -> None:
    hourly = np.zeros((1, 4, 7, 24), np.int16)
    hourly[0, 1, 2] = 1  # one Wednesday of four elsewhere
    hourly[0, 2:, 6] = 2  # half of the Sundays
    hourly[0, :, 0, 9] = [1, 2, 3, 4]  # Mondays at nine anywhere
    expected = (7 - 1 / 24 - 1 / 4 - 1 / 2 + 1 / 4 / 24) / 7
    assert mobility.regularity(hourly.reshape(1, -1)).value == pytest.approx(expected)
    assert math.isnan(mobility.regularity(np.zeros((3, 7 * 24), np.int16)).value)


def test_daily_ranges_are_as_far_apart_as_they_are() -> None:
    near, far = np.full((30, 7), 1.1), np.full((30, 7), 4.1)
    found = mobility.range_distance(near, far)
    assert (found.value, found.low, found.high) == pytest.approx((3.0, 3.0, 3.0))
    assert mobility.range_distance(near, near).value == 0.0


def test_entropies_of_routine_and_of_noise() -> None:
    routine = np.tile(np.array([0] * 9 + [1] * 9 + [0] * 6, np.int16), (5, 14))
    noise = np.random.default_rng(5).integers(0, 16, (5, 336)).astype(np.int16)
    rates, bounds = mobility.entropies(np.concatenate([routine, noise]))
    assert rates[:5].max() < 0.3
    assert bounds[:5].min() > 0.95
    assert rates[5:].min() > 3.0
    assert bounds[5:].max() < 0.4


def test_a_law_without_data_is_not_measured() -> None:
    nothing = trips((0, 1, 1, 0, 0))
    assert math.isnan(mobility.jump_exponent(SQUARE, nothing, 1).value)
