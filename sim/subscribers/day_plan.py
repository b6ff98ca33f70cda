"""Where people want to go on a day: at most six trips each, before anybody has set out.

To work, out at noon or on one's rounds and back, out in the evening, perhaps on to a second place, home; or
outings on a free day. Where outings lead is `sim.subscribers.outings`' to say, how long they last follows
from the place; evenings without one are spent at home, after an errand on the way. Seeing somebody off at the
airport, events (`events`) and journeys (`journeys`) replace parts of a day; the calendar (`almanac`) says
what kind of day it is. What a late arrival makes impossible is put off by `sim.subscribers.diary`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import NORMAL, ONE_Q16, U32, scale, threshold_q32
from sim.subscribers.almanac import FESTIVAL, HOLIDAY, WORKDAY, day_kind, new_year_near
from sim.subscribers.events import visits
from sim.subscribers.habitat import Habitat
from sim.subscribers.journeys import Away
from sim.subscribers.outings import choose, destinations, rounds
from sim.subscribers.segments import SEGMENTS
from sim.subscribers.walk import ride_us

__all__ = ["LAST_START_US", "MINUTE_US", "NEVER", "TRIPS", "DayPlan", "minutes", "plan_day", "spread"]

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

MINUTE_US: Final = 60_000_000
TRIPS: Final = 6
"""Trips in a day, at most."""
NEVER: Final = np.iinfo(np.int64).max
LAST_START_US: Final = (22 * 60 + 45) * MINUTE_US
"""Nobody sets out later: everybody is home before midnight."""
_EVENING_ENDS_US: Final = (21 * 60 + 45) * MINUTE_US  # outings end by then at the latest

_ON_SHARE: Final = 0.45  # of outings on free days and of evenings go on to a second place
_FIRST_THERE: Final = 0.35  # of those who work elsewhere for a part of the day begin it there
_ROUNDS_LEAST_US: Final = 15 * MINUTE_US
_ROUNDS_MOST_US: Final = 6 * 60 * MINUTE_US
_ERRAND_SHARE: Final = 0.5  # of ways home from work that no evening out follows have a short stop
_EVE_EARLIER_US: Final = 90 * MINUTE_US  # the last evening of the lunar year is spent at home
_HOLIDAY_MORE: Final = 1.2  # times as many outings on public holidays
# Share of each segment that works on a working day: others are on leave, ill, or off in turn.
_WEEKDAY_WORK: Final = (0.93, 0.90, 0.93, 0.95, 0.95, 0.0, 0.88, 0.85, 0.0)
# Share of each segment that works on a weekend day; a public holiday halves it, the Spring Festival ends it.
_WEEKEND_WORK: Final = (0.06, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.6, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class DayPlan:
    """A day's trips of n people."""

    leaves: I64
    """Microseconds since midnight, shape (TRIPS, n); NEVER where there is no trip."""
    to: I64
    """Cell where the trip leads, shape (TRIPS, n)."""
    here: I64
    """Cell where the day begins, shape (n,)."""
    punctual: Flags
    """Whether trip 0 or trip 3 is given by the time of arrival instead; shape (2, n)."""


def plan_day(world: Habitat, day: int, who: I64, travel: Away) -> DayPlan:
    """Who wants to set out when and where to, on a day.

    Args:
        world: Map and people.
        day: Of the world, from 0.
        who: Subscribers, in any order.
        travel: Their journeys on that day, in the same order.
    """
    return _Draft(world, day, who, travel).plan(travel)


def spread(middle_min: NDArray[np.int64] | int, deviation_min: int, u: U32) -> I64:
    """Times since midnight, normal round a middle, both in minutes; cut at two and a half deviations."""
    z = np.clip(NORMAL.quantile(u), -5 * ONE_Q16 // 2, 5 * ONE_Q16 // 2)
    return np.asarray(middle_min, dtype=np.int64) * MINUTE_US + z * (deviation_min * MINUTE_US // ONE_Q16)


def minutes(least: int, most: int, u: U32) -> I64:
    """Uniform durations between two numbers of minutes, microseconds."""
    return least * MINUTE_US + scale(u, (most - least) * 60) * 1_000_000


class _Draft:
    """A plan that is being made: each part of a day puts its trips over those of the parts before it."""

    def __init__(self, world: Habitat, day: int, who: I64, travel: Away) -> None:
        population = world.population
        self.world, self.day, self.who = world, day, who
        self.kind = day_kind(world.scenario, day)
        self.segment = population.segment[who].astype(np.int64)
        self.u = np.concatenate([world.draws.block("day_plan", who, day, block) for block in range(3)])
        self.leaves = np.full((TRIPS, len(who)), NEVER, dtype=np.int64)
        self.to = np.zeros((TRIPS, len(who)), dtype=np.int64)
        self.home = population.home_cell[who].astype(np.int64)
        self.work = population.work_cell[who].astype(np.int64)
        self.eve = new_year_near(world.scenario, day + 1, 0) is not None
        """The last evening of the lunar year."""
        self.usual = travel.here & ~travel.before & ~travel.after & ~travel.leaves
        """Who is at home the whole day, as far as journeys go."""
        self.works = self.usual & _works(self.kind, self.segment, self.u[7])

    def plan(self, travel: Away) -> DayPlan:
        ends = self._working_day()
        self._free_day()
        if not self.eve:
            self._errand(ends, self._evening(ends))
        self._airport()
        punctual = self._events()
        return DayPlan(self.leaves, self.to, self._through_the_gate(travel), punctual)

    def _chance(self, row: U32, read: list[float]) -> Flags:
        more = _HOLIDAY_MORE if self.kind in (HOLIDAY, FESTIVAL) else 1.0
        return row < threshold_q32(np.minimum(np.array(read) * more, 1.0))[self.segment]

    def _put(self, trip: int, rows: I64, when: I64, where: I64) -> None:
        self.leaves[trip, rows], self.to[trip, rows] = when, where

    def _outing(
        self, rows: I64, ordinal: int, when: I64, explores: bool, at_noon: bool = False
    ) -> tuple[I64, I64]:
        found = choose(
            self.world, self.who[rows], self.day, ordinal, np.minimum(when // (60 * MINUTE_US), 23),
            free=self.kind != WORKDAY, festival=self.kind == FESTIVAL, explores=explores, at_noon=at_noon,
        )  # fmt: skip
        return found.cell, found.stay_us

    def _working_day(self) -> I64:
        """To work; perhaps elsewhere for a part of it, or out at noon; home. When work ends, (n,)."""
        u, segment = self.u, self.segment
        rows = np.flatnonzero(self.works)
        begins = spread(np.array([s.leaves_min for s in SEGMENTS])[segment[rows]], 30, u[0, rows])
        ends = spread(np.array([s.returns_min for s in SEGMENTS])[segment], 50, u[1])
        ends -= self.eve * _EVE_EARLIER_US
        self._put(0, rows, begins, self.work[rows])
        self._put(5, rows, ends[rows], self.home[rows])
        elsewhere = self.works & (u[8] < threshold_q32(np.array([s.rounds for s in SEGMENTS]))[segment])
        self._rounds(np.flatnonzero(elsewhere), ends)
        noon = np.flatnonzero(self.works & ~elsewhere & self._chance(u[2], [s.lunch_out for s in SEGMENTS]))
        at_noon = spread(12 * 60, 15, u[4, noon])
        cell, stay = self._outing(noon, 0, at_noon, explores=False, at_noon=True)
        self._put(1, noon, at_noon, cell)
        self._put(2, noon, at_noon + np.clip(stay, 20 * MINUTE_US, 75 * MINUTE_US), self.work[noon])
        return ends

    def _rounds(self, rows: I64, ends: I64) -> None:
        """A part of the working day elsewhere: before one comes to work, or later, perhaps to its end."""
        found = rounds(self.world, self.who[rows], self.day, 4)
        begins, ends = self.leaves[0, rows], ends[rows]
        first = self.u[9, rows] < threshold_q32(_FIRST_THERE)
        sets_out = begins + np.where(first, 0, 40 * MINUTE_US + minutes(0, 300, self.u[10, rows]))
        stay = np.clip(found.stay_us, _ROUNDS_LEAST_US, _ROUNDS_MOST_US)
        back = sets_out + stay + 30 * MINUTE_US
        self.to[0, rows[first]] = found.cell[first]
        later = ~first & (sets_out < ends - 60 * MINUTE_US)
        self._put(1, rows[later], sets_out[later], found.cell[later])
        returns = (first | later) & (back < ends - 45 * MINUTE_US)
        self._put(2, rows[returns], back[returns], self.work[rows[returns]])

    def _free_day(self) -> None:
        """An outing, perhaps on to a second place, home."""
        u, home = self.u, self.home
        free = self.usual & ~self.works
        first = np.flatnonzero(free & self._chance(u[2], [s.weekend_out for s in SEGMENTS]))
        earliest = np.array([max(s.leaves_min, 9 * 60) for s in SEGMENTS])[self.segment[first]]
        sets_out = spread(earliest, 70, u[0, first]) + minutes(0, 150, u[4, first])
        cell, stay = self._outing(first, 0, sets_out, explores=True)
        stay = np.minimum(stay, 8 * 60 * MINUTE_US)
        self._put(0, first, sets_out, cell)
        self._put(2, first, sets_out + stay + 20 * MINUTE_US, home[first])
        more = np.flatnonzero(u[5, first] < threshold_q32(_ON_SHARE))
        onward = sets_out[more] + stay[more] + 15 * MINUTE_US
        cell, stay = self._outing(first[more], 2, onward, explores=False)
        back = onward + np.minimum(stay, 4 * 60 * MINUTE_US) + 20 * MINUTE_US
        self._put(1, first[more], onward, cell)
        self._put(2, first[more], back, home[first[more]])

    def _evening(self, ends: I64) -> I64:
        """Out after work or on a free day, perhaps on to a second place; the rows of those who go out."""
        u, home = self.u, self.home
        evening = np.flatnonzero(self.usual & self._chance(u[3], [s.evening_out for s in SEGMENTS]))
        later = np.where(self.works, ends, spread(16 * 60 + 45, 90, u[1]))[evening]
        cell, stay = self._outing(evening, 1, later + 30 * MINUTE_US, explores=True)
        self._put(3, evening, later, cell)
        back = np.minimum(later + stay + 20 * MINUTE_US, np.maximum(_EVENING_ENDS_US, later + 40 * MINUTE_US))
        self._put(5, evening, back, home[evening])
        more = np.flatnonzero(u[6, evening] < threshold_q32(_ON_SHARE))
        onward = (later + np.minimum(stay, 2 * 60 * MINUTE_US) + 20 * MINUTE_US)[more]
        more, onward = more[onward < _EVENING_ENDS_US], onward[onward < _EVENING_ENDS_US]
        cell, stay = self._outing(evening[more], 3, onward, explores=False)
        back = np.minimum(onward + stay + 20 * MINUTE_US, LAST_START_US)
        self._put(4, evening[more], onward, cell)
        self._put(5, evening[more], back, home[evening[more]])
        return evening

    def _errand(self, ends: I64, evening: I64) -> None:
        """Whoever does not go out in the evening may stop on the way home."""
        errand = self.works & (self.u[6] < threshold_q32(_ERRAND_SHARE))
        errand[evening] = False
        rows = np.flatnonzero(errand)
        cell, stay = self._outing(rows, 1, ends[rows] + 15 * MINUTE_US, explores=True)
        back = ends[rows] + np.clip(stay // 3, 6 * MINUTE_US, 50 * MINUTE_US) + 15 * MINUTE_US
        self._put(4, rows, ends[rows], cell)
        self._put(5, rows, back, self.home[rows])

    def _airport(self) -> None:
        """The day of those who see somebody off at the airport or meet somebody there: 40-180 minutes."""
        world, who = self.world, self.who
        there = destinations(world.topology)
        if "airport" not in there.kinds:
            return
        factor = np.array([s.airport for s in SEGMENTS])
        mean = _mean_by_share(factor, world.scenario.segments.weights())
        habits = world.scenario.habits
        share = factor * (habits.airport_share_per_day * (1.0 - habits.flight_share)) / mean
        v = world.draws.block("travel", who, self.day)
        goes = np.flatnonzero(self.usual & (v[0] < threshold_q32(np.minimum(share, 1.0))[self.segment]))
        home = self.home[goes]
        airport = there.cells("airport", home, v[3, goes])
        if airport is None:
            return
        start = minutes(6 * 60, 17 * 60, v[2, goes])
        back = start + ride_us(world.topology, world.draws, who[goes], self.day, 0, home, airport)
        self.leaves[:, goes] = NEVER
        self._put(0, goes, start, airport)
        self._put(5, goes, back + minutes(40, 180, v[1, goes]), home)

    def _events(self) -> Flags:
        """Visits to events in place of an evening, or of a whole day; who must be there in time, (2, n)."""
        punctual = np.zeros((2, len(self.who)), dtype=np.bool_)
        for visit in visits(self.world, self.day, self.who):
            comes = np.flatnonzero(visit.comes & self.usual)
            trip = 3 if visit.evening else 0
            self.leaves[trip:, comes] = NEVER
            self._put(trip, comes, visit.arrive_us[comes], visit.cell[comes])
            self._put(5, comes, visit.leave_us[comes], self.home[comes])
            punctual[trip // 3, comes] = True
        return punctual

    def _through_the_gate(self, travel: Away) -> I64:
        """Out of the network, and back; on one day first back. The cell where everybody's begins, (n,)."""
        out, back = np.flatnonzero(travel.leaves), np.flatnonzero(travel.returns)
        leaves_by = np.where(travel.before[out], 5, 0)
        self.leaves[leaves_by, out], self.to[leaves_by, out] = travel.set_out[out], travel.gate[out]
        comes_by = np.where(travel.before[back], 0, 5)
        self.leaves[comes_by, back], self.to[comes_by, back] = travel.homeward[back], self.home[back]
        return np.where(travel.before & travel.returns, travel.gate, self.home)


def _works(kind: int, segment: I64, u: U32) -> Flags:
    """Who goes to work, or to school, on a day of a kind."""
    if kind == WORKDAY:
        share = np.array(_WEEKDAY_WORK)
    else:
        share = np.array(_WEEKEND_WORK) * {FESTIVAL: 0.0, HOLIDAY: 0.5}.get(kind, 1.0)
    return np.asarray(u < threshold_q32(share)[segment])


def _mean_by_share(values: NDArray[np.float64], shares: list[float]) -> float:
    total = weight = 0.0
    for value, share in zip(values.tolist(), shares, strict=True):  # one order of summation everywhere
        total += value * share
        weight += share
    return total / weight
