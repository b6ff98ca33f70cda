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
from sim.subscribers.walk import Trips, walk

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
    cell, (_, on) = town.population.home_cell.copy(), state_at(town, 0)
    for sub, where in zip(walked.sub[walked.t_us <= t], walked.cell[walked.t_us <= t], strict=True):
        cell[sub] = where
    for sub, now in zip(switched.sub[switched.t_us <= t], switched.on[switched.t_us <= t], strict=True):
        on[sub] = now
    cells, ons = state_at(town, t)
    assert np.array_equal(cells, cell)
    assert np.array_equal(ons, on)


def test_airport_share_and_stay(crowd):
    """Shares within 4.5 standard errors. Whoever does not fly stays 40-180 minutes."""
    airport = crowd.topology.cells_of_kind("airport")
    walked, switched = both(crowd, 1)
    there = np.isin(walked.cell, airport)
    visitors = np.unique(walked.sub[there])
    p = crowd.scenario.habits.airport_share_per_day
    assert abs(len(visitors) / crowd.n - p) < 4.5 * (p / crowd.n) ** 0.5 + 0.001
    flyers = np.unique(switched.sub[~switched.on & np.isin(switched.sub, visitors)])
    assert 0.4 < len(flyers) / len(visitors) < 0.75
    order, _ = by_person(walked.sub, walked.t_us)
    sub, t, inside = walked.sub[order], walked.t_us[order], there[order]
    leaves = np.flatnonzero(inside[:-1] & ~inside[1:] & (sub[1:] == sub[:-1]))
    stays_min = {}
    for row in leaves.tolist():
        arrival = row
        while inside[arrival - 1] and sub[arrival - 1] == sub[row]:
            arrival -= 1
        stays_min[int(sub[row])] = (t[row + 1] - t[arrival]) / 60e6
    grounded = [stay for person, stay in stays_min.items() if person not in set(flyers.tolist())]
    assert len(grounded) > 50
    assert min(grounded) >= 40
    assert np.median(grounded) == pytest.approx(110, abs=20)


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
    _, on = state_at(crowd, 3 * HOUR_US + DAY_US)
    habit = crowd.population.nightly_off
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
    assert digest.hexdigest() == "72fa476caa5db6a33dccd32984a25475009dfe792ee1dcaad2b9fd239b689b06"
