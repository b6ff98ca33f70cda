"""Journeys: through a gate, out and back, with the handset as it should be; visitors; the Spring Festival."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.scenario import DAY_US, load_world
from sim.subscribers.diary import journeys, power, state_at, trips
from sim.subscribers.journeys import ABROAD_PLMN, away, own_plmn, plmn_of
from sim.subscribers.walk import walk
from sim.world import build_world

HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def festival(request):
    """The town with 4,000 people from four weeks before the lunar new year of 2008, day 28."""
    path = request.config.rootpath / "scenarios" / "worlds" / "town.yaml"
    return build_world(load_world(path, {"epoch": "2008-01-10", "subscribers": 4000}), 3)


@dataclass(frozen=True)
class WithGuests:
    """A population of which every tenth is a roamer, and others come and go as customers."""

    base: Any

    def __getattr__(self, name):
        return getattr(self.base, name)

    @property
    def origin(self):
        return (np.arange(self.base.n) % 10 == 0).astype(np.uint8)

    @property
    def home_plmn(self):
        return np.where(self.origin > 0, 46000, 101)

    @property
    def start_day(self):
        return np.where(np.arange(self.base.n) % 10 == 1, 4, 0).astype(np.uint16)

    @property
    def leave_day(self):
        return np.where(np.arange(self.base.n) % 10 == 2, 6, 65535).astype(np.uint16)

    def active_on(self, day, subs):
        i = np.asarray(subs)
        visit = (day >= i % 7) & (day <= i % 7 + i % 4)  # one day to four
        return np.where(self.origin[i] > 0, visit, (self.start_day[i] <= day) & (day < self.leave_day[i]))


@pytest.fixture(scope="module")
def guests(town):
    return replace(town, population=WithGuests(town.population))


def live(world, days, subs=None):
    """Every row of everything, in order: (t_us, sub, what, value)."""
    span = 0, days * DAY_US, subs
    made, crossed, switched = trips(world, *span), journeys(world, *span), power(world, *span)
    moved = walk(world.topology, made)
    rows = [(t, s, "move", c) for t, s, c in zip(moved.t_us, moved.sub, moved.cell, strict=True)]
    rows += [(t, s, "cross", c) for t, s, c in zip(crossed.t_us, crossed.sub, crossed.cell, strict=True)]
    rows += [(t, s, "power", o) for t, s, o in zip(switched.t_us, switched.sub, switched.on, strict=True)]
    return sorted((int(t), int(s), what, int(v)) for t, s, what, v in rows)


def check(world, days):
    """Plays all rows: nobody does anything while away, power alternates, the state at midnights agrees."""
    cells, ons = state_at(world, 0)
    cell, on = cells.astype(int).tolist(), ons.astype(int).tolist()
    midnight = DAY_US
    counts = {"out": 0, "in": 0, "off": 0}
    for t_us, sub, what, value in [*live(world, days), (days * DAY_US, 0, "end", 0)]:
        while t_us >= midnight:
            cells, ons = state_at(world, midnight - 1)
            assert cells.tolist() == cell
            here = cells >= 0
            assert np.array_equal(ons[here], np.array(on)[here].astype(bool))
            midnight += DAY_US
        if what == "cross":
            assert (cell[sub] < 0) == (value >= 0), (t_us, sub)
            counts["in" if value >= 0 else "out"] += 1
            counts["off"] += value < 0 and not on[sub]
            cell[sub] = value
        elif what == "move":
            assert cell[sub] >= 0
            assert world.topology.hops[cell[sub], value] == 1
            cell[sub] = value
        elif what == "power":
            assert cell[sub] >= 0
            assert on[sub] != value, (t_us / DAY_US, sub)
            on[sub] = value
    return counts


def test_a_fortnight_hangs_together(town):
    counts = check(town, 14)
    assert counts["out"] > 100
    assert counts["in"] > 100
    assert 0.4 < counts["off"] / counts["out"] < 0.8  # planes, less those who forget; trains stay on


def test_visitors_and_customers_who_come_and_go_hang_together(guests):
    check(guests, 12)
    n = guests.n
    for day in range(12):
        active = guests.population.active_on(day, np.arange(n))
        cell, on = state_at(guests, day * DAY_US + 13 * HOUR_US)
        roams = guests.population.origin > 0
        assert (cell[roams & ~active] == -1).all()
        assert not on[~active].any()
        made = trips(guests, day * DAY_US, (day + 1) * DAY_US)
        assert active[made.sub].all()
    crossed = journeys(guests, 0, 12 * DAY_US)
    back = (crossed.cell >= 0) & (crossed.sub % 10 == 0)
    assert set(crossed.plmn[back].tolist()) == {0x64F000}
    kinds = {p.kind for p in guests.topology.places for c in p.cells if c in set(crossed.cell[back].tolist())}
    assert kinds == {"airport", "station"}


def test_returning_customers_bring_an_area_of_another_province_or_country(town):
    crossed = journeys(town, 0, 28 * DAY_US)
    back = crossed.cell >= 0
    assert set(crossed.plmn[back].tolist()) == {own_plmn(town), ABROAD_PLMN}
    assert not set(crossed.lac[back].tolist()) & set(town.topology.lac.tolist())
    assert (crossed.plmn[back] == ABROAD_PLMN).mean() < 0.15


def test_octets_of_network_codes():
    assert [hex(v) for v in plmn_of(np.array([46000, 101, 99901, 31026]))] == [
        "0x64f000", "0xf110", "0x99f910", "0x13f062",
    ]  # fmt: skip


def test_spring_festival_sends_people_home_and_back(festival):
    gone = [np.mean(state_at(festival, day * DAY_US)[0] < 0) for day in range(8, 56, 4)]
    usual, feast = gone[0], gone[(28 - 8) // 4]
    assert usual < 0.10
    assert feast > usual + 0.25  # 35 in 100 travel
    assert gone[-1] < 0.10
    segment = festival.population.segment
    away_then = state_at(festival, 28 * DAY_US)[0] < 0
    assert away_then[segment == 6].mean() > 0.6  # migrant workers
    assert away_then[segment == 7].mean() < 0.2  # farmers
    check(festival, 30)


@given(st.integers(0, 1999), st.integers(1, 200), st.integers(0, 30))
@settings(deadline=None, max_examples=15)
def test_part_of_the_people_is_part_of_the_rows(guests, start, size, day):
    part = slice(start, start + size)
    whole = journeys(guests, day * DAY_US, (day + 2) * DAY_US)
    alone = journeys(guests, day * DAY_US, (day + 2) * DAY_US, part)
    mine = (whole.sub >= start) & (whole.sub < start + size)
    for name in ("t_us", "sub", "cell", "plmn", "lac"):
        assert np.array_equal(getattr(whole, name)[mine], getattr(alone, name))


@given(st.lists(st.integers(0, 3 * DAY_US), min_size=1, max_size=5))
@settings(deadline=None, max_examples=10)
def test_a_span_cut_in_pieces_is_the_same(town, cuts):
    edges = [0, *sorted(cuts), 3 * DAY_US]
    pieces = [journeys(town, a, b) for a, b in pairwise(edges) if a < b]
    whole = journeys(town, 0, 3 * DAY_US)
    for name in ("t_us", "sub", "cell", "plmn", "lac"):
        assert np.array_equal(getattr(whole, name), np.concatenate([getattr(p, name) for p in pieces]))


def test_nights_agree_from_both_sides(festival):
    who = np.arange(festival.n)
    for day in range(10, 50):
        assert np.array_equal(away(festival, day, who).after, away(festival, day + 1, who).before)
