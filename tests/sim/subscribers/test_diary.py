"""Days: continuous on the map and in time, the same for any choice of people, with the planted habits."""

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.scenario import DAY_US
from sim.subscribers.diary import journeys, power, state_at, trips
from sim.subscribers.habitat import chosen
from sim.subscribers.walk import Trips, stages, walk

HOUR_US = 3_600_000_000
SATURDAY = 5


def moves(world, from_us, to_us, subs=None):
    return walk(world.topology, trips(world, from_us, to_us, subs))


def a_day(of, world, day, subs=None):
    return of(world, day * DAY_US, (day + 1) * DAY_US, subs)


def both(world, day, subs=None):
    return a_day(moves, world, day, subs), a_day(power, world, day, subs)


def by_person(sub, t_us):
    """Rows in order of person and time, and which of them are a person's first."""
    order = np.lexsort((t_us, sub))
    first = np.concatenate(([True], sub[order][1:] != sub[order][:-1]))
    return order, first


@pytest.mark.parametrize("day", [1, SATURDAY])
def test_people_walk_from_cell_to_neighbour_and_end_at_home_or_away(town, day):
    walked, crossed = a_day(moves, town, day), a_day(journeys, town, day)
    assert (np.diff(walked.t_us) >= 0).all()
    assert walked.t_us.min() >= day * DAY_US
    assert walked.t_us.max() < (day + 1) * DAY_US
    now, away_before = {}, set()
    rows = [(t, s, c, False) for t, s, c in zip(walked.t_us, walked.sub, walked.cell, strict=True)]
    rows += [(t, s, c, True) for t, s, c in zip(crossed.t_us, crossed.sub, crossed.cell, strict=True)]
    start, _ = state_at(town, day * DAY_US - 1)
    assert len(set(crossed.sub.tolist())) > 10
    for t_us, sub, cell, crosses in sorted(rows):
        here, last_us = now.get(sub, (start[sub], 0))
        if crosses:
            assert (here < 0) == (cell >= 0)  # leaves from here, comes from elsewhere
            away_before.add(sub)
            if here >= 0:
                place = town.topology.places[town.topology.place[here]]
                assert place.kind in ("airport", "station")
        else:
            assert here >= 0
            assert town.topology.hops[here, cell] == 1
            assert t_us - last_us > 1_000_000  # nobody is in two cells in the same second
        now[sub] = (cell, t_us)
    end, _ = state_at(town, (day + 1) * DAY_US - 1)
    assert all(end[sub] == cell for sub, (cell, _) in now.items())
    assert ((end == town.population.home_cell) | (end < 0)).all()
    following, _ = state_at(town, (day + 1) * DAY_US)
    assert np.array_equal(end, following)


@pytest.mark.parametrize("day", [0, SATURDAY])
def test_handsets_alternate_between_on_and_off_over_midnight(town, day):
    for today in (day, day + 1):
        switched = a_day(power, town, today)
        assert (np.diff(switched.t_us) >= 0).all()
        order, first = by_person(switched.sub, switched.t_us)
        on = switched.on[order]
        assert (on[1:] != on[:-1])[~first[1:]].all()
        _, before = state_at(town, today * DAY_US - 1) if today else (None, None)
        _, after = state_at(town, today * DAY_US)
        if before is not None:
            assert np.array_equal(before, after)
        sub = switched.sub[order][first]
        assert (on[first] != after[sub]).all()


def test_sorted_by_time_and_subscriber(town):
    for table in both(town, 2):
        assert np.array_equal(np.lexsort((table.sub, table.t_us)), np.arange(len(table.sub)))


@given(st.integers(0, 1999), st.integers(1, 300), st.integers(0, 9))
@settings(deadline=None, max_examples=15)
def test_part_of_the_people_equals_part_of_the_day(town, start, size, day):
    part = slice(start, start + size)
    for whole, alone in zip(both(town, day), both(town, day, part), strict=True):
        mine = np.isin(whole.sub, chosen(town.n, part))
        for name in ("t_us", "sub"):
            assert np.array_equal(getattr(whole, name)[mine], getattr(alone, name))
    cell, on = state_at(town, day * DAY_US + 11 * HOUR_US)
    some = np.arange(town.n)[part][::-1]
    cells, ons = state_at(town, day * DAY_US + 11 * HOUR_US, some)
    assert np.array_equal(cells, cell[some])
    assert np.array_equal(ons, on[some])


def test_state_follows_the_events(town):
    t = 18 * HOUR_US + 7 * 60_000_000
    walked, switched = both(town, 0)
    cell, on = state_at(town, -1)
    crossed = a_day(journeys, town, 0)
    rows = [*zip(walked.t_us, walked.sub, walked.cell, strict=True)]
    rows += [*zip(crossed.t_us, crossed.sub, crossed.cell, strict=True)]
    for t_us, sub, where in sorted(rows):
        if t_us <= t:
            cell[sub] = where
    for sub, now in zip(switched.sub[switched.t_us <= t], switched.on[switched.t_us <= t], strict=True):
        on[sub] = now
    cells, ons = state_at(town, t)
    assert np.array_equal(cells, cell)
    assert np.array_equal(ons, on)


def test_airport_share_and_stay(crowd):
    """Shares within 4.5 standard errors over six days. Whoever does not fly stays 40-180 minutes."""
    airport = crowd.topology.cells_of_kind("airport")
    p, flights = crowd.scenario.habits.airport_share_per_day, crowd.scenario.habits.flight_share
    grounded, visits, flown = [], 0, 0
    for day in range(1, 7):
        made, crossed = a_day(trips, crowd, day), a_day(journeys, crowd, day)
        arrives = np.isin(made.to_cell, airport)
        came = np.isin(crossed.cell, airport)
        leaves = (crossed.cell < 0) & np.isin(crossed.sub, made.sub[arrives])
        visits += arrives.sum() + came.sum()
        flown += leaves.sum() + came.sum()
        stays = np.flatnonzero(arrives[:-1] & (made.sub[1:] == made.sub[:-1]))
        away = np.isin(made.sub[stays], crossed.sub)
        grounded.append((made.leave_us[stays + 1] - made.leave_us[stays] - made.ride_us[stays])[~away] / 60e6)
    n = 6 * crowd.n
    assert abs(visits / n - p) < 4.5 * (p / n) ** 0.5 + 0.0015  # some are away already
    assert abs(flown / visits - flights) < 4.5 * (0.24 / visits) ** 0.5 + 0.03
    stays_min = np.concatenate(grounded)
    assert len(stays_min) > 500
    assert stays_min.min() >= 40
    assert stays_min.max() <= 181
    assert np.median(stays_min) == pytest.approx(110, abs=8)


def test_often_off_people_switch_on_by_day(crowd):
    switched = a_day(power, crowd, 1)
    by_day = switched.on & (switched.t_us % DAY_US > 9 * HOUR_US)
    per_head = np.bincount(switched.sub[by_day], minlength=crowd.n)
    often = crowd.population.often_off
    assert 0.9 < per_head[often].mean() < 1.3
    assert per_head[~often].mean() < 0.15
    off = ~switched.on
    assert 0.70 < switched.graceful[off].mean() < 0.95  # the rest are empty batteries


def test_nightly_off_people(crowd):
    cell, on = state_at(crowd, 3 * HOUR_US + DAY_US)
    here = (cell >= 0) & crowd.population.active_on(1, np.arange(crowd.n))
    on, habit = on[here], crowd.population.nightly_off[here]
    assert 1 - on[habit].mean() == pytest.approx(0.88, abs=0.03)
    assert 1 - on[~habit].mean() == pytest.approx(0.02, abs=0.01)


def test_working_day_differs_from_saturday(crowd):
    office = crowd.topology.cells_of_kind("office")
    monday, _ = state_at(crowd, 11 * HOUR_US)
    saturday, _ = state_at(crowd, SATURDAY * DAY_US + 11 * HOUR_US)
    assert np.isin(monday, office).mean() > 0.2
    assert np.isin(saturday, office).mean() < 0.01


@given(st.lists(st.integers(0, 2 * DAY_US), min_size=1, max_size=5))
@settings(deadline=None, max_examples=15)
def test_a_span_cut_in_pieces_is_the_same(town, cuts):
    pieces = [(a, b) for a, b in itertools.pairwise([0, *sorted(cuts), 2 * DAY_US]) if a < b]
    part = slice(100, 300)
    whole = power(town, 0, 2 * DAY_US, part)
    found = [power(town, *piece, part) for piece in pieces]
    assert np.array_equal(whole.t_us, np.concatenate([piece.t_us for piece in found]))
    made = trips(town, 0, 2 * DAY_US, part)
    joined = Trips.joined([trips(town, *piece, part) for piece in pieces])
    for name in ("sub", "leave_us", "ride_us", "from_cell", "to_cell"):
        assert np.array_equal(getattr(made, name), getattr(joined, name))


def test_golden_hash(town):
    """Changes only when the diaries do: then the new value belongs into the same commit, with the reason."""
    digest = hashlib.sha256()
    walked, switched = both(town, 1)
    for column in (
        walked.t_us,
        walked.sub,
        walked.cell,
        switched.t_us,
        switched.sub,
        switched.on,
        switched.graceful,
    ):
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    assert digest.hexdigest() == "6da2827f56d3b3fe06edd8f101b8084b44c5d5767cb1d9640946e12d4ffa39a5"


def test_stages_are_the_ways_of_one_after_another(town):
    made = a_day(trips, town, 0)
    steps, ground = stages(town.topology, made), town.topology
    assert np.array_equal(np.lexsort((steps.sub, steps.t_us)), np.arange(len(steps.t_us)))
    expected = []
    for sub, leave, ride, start, end in zip(
        made.sub, made.leave_us, made.ride_us, made.from_cell, made.to_cell, strict=True
    ):
        one = Trips(*(np.array([v]) for v in (sub, leave, ride, start, end)))
        way = walk(ground, one)
        expected.append((leave, sub, start, True))
        expected += [(t, sub, c, c != end) for t, c in zip(way.t_us, way.cell, strict=True)]
    found = zip(steps.t_us, steps.sub, steps.cell, steps.riding, strict=True)
    assert sorted(found) == sorted(expected)
    assert steps.riding.mean() > 0.5
