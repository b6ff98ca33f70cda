"""Where people go and when their handsets are on: for any choice of subscribers and any span of time.

A day starts and ends at home, or in another network. It is made of at most six trips: to work, out at noon or
on one's rounds and back, out in the evening, perhaps on to a second place, home; or outings on a free day.
Where outings lead is `sim.subscribers.outings`' to say, how long they last follows from the place; evenings
without one are spent at home, after an errand on the way. Events and journeys replace parts of a day
(`events`, `journeys`); the calendar (`almanac`) says what kind of day it is. Everything is a function of
(seed, subscriber, day), so nobody else's day and no other day has to be drawn with it.

Handsets go off at night by habit, by day for meetings, flights and empty batteries. Switching off properly
sends an IMSI detach; a dead battery sends nothing (`graceful` is False). Who is no customer any more, or not
yet, and who visits another network, is never on here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import NORMAL, ONE_Q16, U32, scale, threshold_q32
from sim.scenario import DAY_US
from sim.subscribers.almanac import FESTIVAL, HOLIDAY, WORKDAY, day_kind, new_year_near
from sim.subscribers.events import visits
from sim.subscribers.habitat import Habitat, Subs, chosen
from sim.subscribers.journeys import Away, Crossings, away, crossings
from sim.subscribers.outings import choose, destinations, rounds
from sim.subscribers.segments import SEGMENTS
from sim.subscribers.walk import Trips, ride_us, walk

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

MINUTE_US: Final = 60_000_000
TRIPS: Final = 6
"""Trips in a day, at most."""
_NEVER: Final = np.iinfo(np.int64).max
_LAST_START_US: Final = (22 * 60 + 45) * MINUTE_US  # nobody sets out later: everybody is home before midnight
_LATEST_US: Final = (23 * 60 + 50) * MINUTE_US  # nor arrives later
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

_NIGHT_KEPT: Final = 0.88  # how often a nightly habit is kept
_NIGHT_OTHERS: Final = 0.02  # how often others switch off at night
# Chances of being off by day: a meeting before noon, one after, an empty battery in the evening.
_DAY_OFF_OFTEN: Final = (0.45, 0.45, 0.20)
_DAY_OFF_OTHERS: Final = (0.03, 0.03, 0.02)
_BATTERY_SHARE: Final = 0.25  # of the off times by day that are empty batteries all the same


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """Handsets switched on and off, sorted by (t_us, sub); on and off alternate for each subscriber."""

    t_us: I64
    """Microseconds since the epoch of the world."""
    sub: I64
    on: Flags
    graceful: Flags
    """For off: True if the handset was switched off properly, False if its battery died."""


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """A day's trips: rows of six, _NEVER as the time of leaving where there is none."""

    leaves: I64
    to: I64
    here: I64
    """Cell where the day begins."""
    punctual: Flags
    """Whether trip 0 or trip 3 is given by the time of arrival instead; shape (2, n)."""


def trips(world: Habitat, from_us: int, to_us: int, subs: Subs = None) -> Trips:
    """All trips on which somebody sets out at from_us <= t < to_us, by (sub, leave_us)."""
    who = chosen(world.population.n, subs)
    days = [_trips(world, day, who, away(world, day, who)) for day in days_of(from_us, to_us)]
    return Trips.joined(days).between(from_us, to_us)


def power(world: Habitat, from_us: int, to_us: int, subs: Subs = None) -> Power:
    """All handsets switched on and off at from_us <= t < to_us, by (t_us, sub)."""
    who = chosen(world.population.n, subs)
    days = [_switch(world, day, who, away(world, day, who)) for day in days_of(from_us, to_us)]
    columns = [
        np.concatenate([getattr(day, name) for day in days]) for name in ("t_us", "sub", "on", "graceful")
    ]
    rows = within(columns[0], from_us, to_us)
    return Power(*(column[rows] for column in columns))


def journeys(world: Habitat, from_us: int, to_us: int, subs: Subs = None) -> Crossings:
    """All that leave the network or come to it at from_us <= t < to_us, by (t_us, sub)."""
    who = chosen(world.population.n, subs)
    days = [crossings(world, day, who, away(world, day, who)) for day in days_of(from_us, to_us)]
    columns = [
        np.concatenate([getattr(day, name) for day in days])
        for name in ("t_us", "sub", "cell", "plmn", "lac")
    ]
    rows = within(columns[0], from_us, to_us)
    return Crossings(*(column[rows] for column in columns))


def state_at(world: Habitat, t_us: int, subs: Subs = None) -> tuple[NDArray[np.int32], Flags]:
    """Cell (-1: in another network) and power of everybody chosen, after all that happens up to `t_us`."""
    who = chosen(world.population.n, subs)
    order = np.argsort(who, kind="stable")
    day = t_us // DAY_US
    midnight, travel = day * DAY_US, away(world, day, who)
    walked = walk(world.topology, _trips(world, day, who, travel).between(midnight, t_us + 1))
    crossed = crossings(world, day, who, travel)
    switched = _switch(world, day, who, travel)
    cell = np.where(travel.before, -1, world.population.home_cell[who]).astype(np.int32)
    t = np.concatenate([walked.t_us, crossed.t_us])
    past = np.flatnonzero(t <= t_us)
    past = past[np.argsort(t[past], kind="stable")]  # the last one stays
    sub = np.concatenate([walked.sub, crossed.sub])[past]
    row = order[np.searchsorted(who, sub, sorter=order)]
    cell[row] = np.concatenate([walked.cell, crossed.cell])[past]
    on = ~_off_before(world, day, who, travel)
    past_us = switched.t_us <= t_us
    row = order[np.searchsorted(who, switched.sub[past_us], sorter=order)]
    on[row] = switched.on[past_us]
    return cell, on


def days_of(from_us: int, to_us: int) -> range:
    """The days that a span of time touches; at least one."""
    return range(from_us // DAY_US, max((to_us - 1) // DAY_US, from_us // DAY_US) + 1)


def within(t_us: I64, from_us: int, to_us: int) -> slice:
    """The rows of an ascending column with from_us <= t < to_us."""
    return slice(int(np.searchsorted(t_us, from_us)), int(np.searchsorted(t_us, to_us)))


def _spread(middle_min: NDArray[np.int64] | int, deviation_min: int, u: U32) -> I64:
    """Times since midnight, normal round a middle, both in minutes; cut at two and a half deviations."""
    z = np.clip(NORMAL.quantile(u), -5 * ONE_Q16 // 2, 5 * ONE_Q16 // 2)
    return np.asarray(middle_min, dtype=np.int64) * MINUTE_US + z * (deviation_min * MINUTE_US // ONE_Q16)


def _minutes(least: int, most: int, u: U32) -> I64:
    """Uniform durations between two numbers of minutes."""
    return least * MINUTE_US + scale(u, (most - least) * 60) * 1_000_000


def _plan(world: Habitat, day: int, who: I64, travel: Away) -> _Plan:
    """Who sets out when and where to. Times that a late arrival makes impossible are put off by `_trips`."""
    population, draws, kind = world.population, world.draws, day_kind(world.scenario, day)
    segment = population.segment[who].astype(np.int64)
    u = np.concatenate([draws.block("day_plan", who, day, block) for block in range(3)])
    leaves = np.full((TRIPS, len(who)), _NEVER, dtype=np.int64)
    to = np.zeros((TRIPS, len(who)), dtype=np.int64)
    home, work = population.home_cell[who].astype(np.int64), population.work_cell[who].astype(np.int64)
    eve = new_year_near(world.scenario, day + 1, 0) is not None
    usual = travel.here & ~travel.before & ~travel.after & ~travel.leaves
    works = usual & _works(kind, segment, u[7])
    free = usual & ~works

    def chance(row: U32, read: list[float]) -> Flags:
        more = _HOLIDAY_MORE if kind in (HOLIDAY, FESTIVAL) else 1.0
        return row < threshold_q32(np.minimum(np.array(read) * more, 1.0))[segment]

    def put(trip: int, rows: I64, when: I64, where: I64) -> None:
        leaves[trip, rows], to[trip, rows] = when, where

    def outing(rows: I64, ordinal: int, when: I64, explores: bool, at_noon: bool = False) -> tuple[I64, I64]:
        found = choose(
            world, who[rows], day, ordinal, np.minimum(when // (60 * MINUTE_US), 23), free=kind != WORKDAY,
            festival=kind == FESTIVAL, explores=explores, at_noon=at_noon,
        )  # fmt: skip
        return found.cell, found.stay_us

    # A working day: to work; perhaps elsewhere for a part of it, or out at noon, and back; perhaps out in the
    # evening; home.
    rows = np.flatnonzero(works)
    begins = _spread(np.array([s.leaves_min for s in SEGMENTS])[segment[rows]], 30, u[0, rows])
    ends = _spread(np.array([s.returns_min for s in SEGMENTS])[segment], 50, u[1]) - eve * _EVE_EARLIER_US
    put(0, rows, begins, work[rows])
    put(5, rows, ends[rows], home[rows])
    elsewhere = works & (u[8] < threshold_q32(np.array([s.rounds for s in SEGMENTS]))[segment])
    _rounds(world, day, who, np.flatnonzero(elsewhere), ends, work, u[9:11], leaves, to)
    noon = np.flatnonzero(works & ~elsewhere & chance(u[2], [s.lunch_out for s in SEGMENTS]))
    at_noon = _spread(12 * 60, 15, u[4, noon])
    cell, stay = outing(noon, 0, at_noon, explores=False, at_noon=True)
    put(1, noon, at_noon, cell)
    put(2, noon, at_noon + np.clip(stay, 20 * MINUTE_US, 75 * MINUTE_US), work[noon])
    # A free day: an outing, perhaps on to a second place, home.
    first = np.flatnonzero(free & chance(u[2], [s.weekend_out for s in SEGMENTS]))
    earliest = np.array([max(s.leaves_min, 9 * 60) for s in SEGMENTS])[segment[first]]
    sets_out = _spread(earliest, 70, u[0, first]) + _minutes(0, 150, u[4, first])
    cell, stay = outing(first, 0, sets_out, explores=True)
    stay = np.minimum(stay, 8 * 60 * MINUTE_US)
    put(0, first, sets_out, cell)
    put(2, first, sets_out + stay + 20 * MINUTE_US, home[first])
    more = np.flatnonzero(u[5, first] < threshold_q32(_ON_SHARE))
    onward = sets_out[more] + stay[more] + 15 * MINUTE_US
    cell, stay = outing(first[more], 2, onward, explores=False)
    put(1, first[more], onward, cell)
    put(2, first[more], onward + np.minimum(stay, 4 * 60 * MINUTE_US) + 20 * MINUTE_US, home[first[more]])
    # The evening of either.
    if not eve:
        evening = np.flatnonzero(usual & chance(u[3], [s.evening_out for s in SEGMENTS]))
        later = np.where(works, ends, _spread(16 * 60 + 45, 90, u[1]))[evening]
        cell, stay = outing(evening, 1, later + 30 * MINUTE_US, explores=True)
        put(3, evening, later, cell)
        back = np.minimum(later + stay + 20 * MINUTE_US, np.maximum(_EVENING_ENDS_US, later + 40 * MINUTE_US))
        put(5, evening, back, home[evening])
        more = np.flatnonzero(u[6, evening] < threshold_q32(_ON_SHARE))
        onward = (later + np.minimum(stay, 2 * 60 * MINUTE_US) + 20 * MINUTE_US)[more]
        more, onward = more[onward < _EVENING_ENDS_US], onward[onward < _EVENING_ENDS_US]
        cell, stay = outing(evening[more], 3, onward, explores=False)
        put(4, evening[more], onward, cell)
        put(5, evening[more], np.minimum(onward + stay + 20 * MINUTE_US, _LAST_START_US), home[evening[more]])
        # Whoever does not go out may stop on the way home.
        errand = works & (u[6] < threshold_q32(_ERRAND_SHARE))
        errand[evening] = False
        rows = np.flatnonzero(errand)
        cell, stay = outing(rows, 1, ends[rows] + 15 * MINUTE_US, explores=True)
        put(4, rows, ends[rows], cell)
        put(
            5,
            rows,
            ends[rows] + np.clip(stay // 3, 6 * MINUTE_US, 50 * MINUTE_US) + 15 * MINUTE_US,
            home[rows],
        )
    _airport(world, day, who, usual, segment, leaves, to)
    punctual = np.zeros((2, len(who)), dtype=np.bool_)
    _events(world, day, who, usual, leaves, to, punctual)
    # Out through the gate, in through it; whoever comes and leaves on one day comes first.
    here = np.where(travel.before & travel.returns, travel.gate, home)
    out, back = np.flatnonzero(travel.leaves), np.flatnonzero(travel.returns)
    leaves[np.where(travel.before[out], 5, 0), out] = travel.set_out[out]
    to[np.where(travel.before[out], 5, 0), out] = travel.gate[out]
    leaves[np.where(travel.before[back], 0, 5), back] = travel.homeward[back]
    to[np.where(travel.before[back], 0, 5), back] = home[back]
    return _Plan(leaves, to, here, punctual)


def _rounds(
    world: Habitat, day: int, who: I64, rows: I64, ends: I64, work: I64, u: U32, leaves: I64, to: I64
) -> None:
    """Puts a part of the working day elsewhere: before one comes to work, or later, perhaps to its end."""
    found = rounds(world, who[rows], day, 4)
    begins, ends = leaves[0, rows], ends[rows]
    first = u[0, rows] < threshold_q32(_FIRST_THERE)
    sets_out = begins + np.where(first, 0, 40 * MINUTE_US + _minutes(0, 300, u[1, rows]))
    stay = np.clip(found.stay_us, _ROUNDS_LEAST_US, _ROUNDS_MOST_US)
    back = sets_out + stay + 30 * MINUTE_US
    to[0, rows[first]] = found.cell[first]
    later = ~first & (sets_out < ends - 60 * MINUTE_US)
    leaves[1, rows[later]], to[1, rows[later]] = sets_out[later], found.cell[later]
    returns = (first | later) & (back < ends - 45 * MINUTE_US)
    leaves[2, rows[returns]], to[2, rows[returns]] = back[returns], work[rows[returns]]


def _works(kind: int, segment: I64, u: U32) -> Flags:
    """Who goes to work, or to school, on a day of a kind."""
    if kind == WORKDAY:
        share = np.array(_WEEKDAY_WORK)
    else:
        share = np.array(_WEEKEND_WORK) * {FESTIVAL: 0.0, HOLIDAY: 0.5}.get(kind, 1.0)
    return np.asarray(u < threshold_q32(share)[segment])


def _airport(world: Habitat, day: int, who: I64, usual: Flags, segment: I64, leaves: I64, to: I64) -> None:
    """Replaces the day of those who see somebody off at the airport or meet somebody: 40-180 minutes."""
    there = destinations(world.topology)
    if "airport" not in there.kinds:
        return
    factor = np.array([s.airport for s in SEGMENTS])
    mean = _mean_by_share(factor, world.scenario.segments.weights())
    habits = world.scenario.habits
    share = factor * (habits.airport_share_per_day * (1.0 - habits.flight_share)) / mean
    v = world.draws.block("travel", who, day)
    goes = np.flatnonzero(usual & (v[0] < threshold_q32(np.minimum(share, 1.0))[segment]))
    home = world.population.home_cell[who[goes]].astype(np.int64)
    airport = there.cells("airport", home, v[3, goes])
    if airport is None:
        return
    start = _minutes(6 * 60, 17 * 60, v[2, goes])
    back = start + ride_us(world.topology, world.draws, who[goes], day, 0, home, airport)
    leaves[:, goes] = _NEVER
    leaves[0, goes], to[0, goes] = start, airport
    leaves[5, goes], to[5, goes] = back + _minutes(40, 180, v[1, goes]), home


def _events(world: Habitat, day: int, who: I64, usual: Flags, leaves: I64, to: I64, punctual: Flags) -> None:
    """Puts visits to events in place of an evening, or of a whole day."""
    for visit in visits(world, day, who):
        comes = np.flatnonzero(visit.comes & usual)
        trip = 3 if visit.evening else 0
        leaves[trip:, comes] = _NEVER
        leaves[trip, comes], to[trip, comes] = visit.arrive_us[comes], visit.cell[comes]
        leaves[5, comes] = visit.leave_us[comes]
        to[5, comes] = world.population.home_cell[who[comes]]
        punctual[trip // 3, comes] = True


def _mean_by_share(values: NDArray[np.float64], shares: list[float]) -> float:
    total = weight = 0.0
    for value, share in zip(values.tolist(), shares, strict=True):  # one order of summation everywhere
        total += value * share
        weight += share
    return total / weight


def _trips(world: Habitat, day: int, who: I64, travel: Away) -> Trips:
    """The trips of the plan as they can be made: one after another, and home before midnight."""
    midnight, plan = day * DAY_US, _plan(world, day, who, travel)
    here = plan.here
    free_from = np.zeros(len(who), dtype=np.int64)
    made = np.zeros(len(who), dtype=np.int64)
    rows, nth = [], []
    for trip in range(TRIPS):
        going = np.flatnonzero((plan.leaves[trip] != _NEVER) & (plan.to[trip] != here))
        start, target = here[going], plan.to[trip, going]
        ride = ride_us(world.topology, world.draws, who[going], day, trip, start, target)
        leave = plan.leaves[trip, going]
        if trip % 3 == 0:
            leave = np.where(plan.punctual[trip // 3, going], leave - ride, leave)
        leave = np.maximum(leave, free_from[going])
        # Whoever would arrive too late hurries: the whole trip is squeezed into what is left of the day.
        leave = np.minimum(leave, np.maximum(_LAST_START_US, free_from[going]))
        ride = np.minimum(ride, _LATEST_US - leave)
        rows.append((who[going], leave + midnight, ride, start.astype(np.int32), target.astype(np.int32)))
        nth.append((going, made[going]))
        made[going] += 1
        here[going] = target
        free_from[going] = leave + ride + MINUTE_US
    # By (sub, leave_us) without a sort: one's trips are made in order, and how many each makes is known.
    people = np.argsort(who, kind="stable")
    before = np.empty(len(who), dtype=np.int64)
    before[people] = np.cumsum(made[people]) - made[people]
    at = np.concatenate([before[going] + earlier for going, earlier in nth])
    columns = []
    for parts in zip(*rows, strict=True):
        column = np.concatenate(parts)
        placed = np.empty_like(column)
        placed[at] = column
        columns.append(placed)
    return Trips(*columns)


def _off_overnight(world: Habitat, day: int, who: I64) -> Flags:
    """Whether handsets go off in the evening of a day and stay off past midnight, by habit."""
    kept = threshold_q32(np.array([_NIGHT_OTHERS, _NIGHT_KEPT]))
    return world.draws.u32("power_night", who, day) < kept[world.population.nightly_off[who].astype(np.int64)]


def _off_before(world: Habitat, day: int, who: I64, travel: Away) -> Flags:
    """Whether handsets are off as a day begins; the same as `_off_after` of the day before."""
    habit = _off_overnight(world, day - 1, who)
    return np.where(travel.before, travel.silent, habit) | ~(travel.here & travel.was_here)


def _off_after(world: Habitat, day: int, who: I64, travel: Away) -> Flags:
    """Whether they are off as it ends."""
    habit = _off_overnight(world, day, who)
    return np.where(travel.after, travel.silent, habit) | ~(travel.here & travel.stays)


def _switch(world: Habitat, day: int, who: I64, travel: Away) -> Power:
    """On in the morning; off and on by day on occasions that cannot overlap; off at night."""
    population, draws = world.population, world.draws
    segment = population.segment[who].astype(np.int64)
    night = draws.block("power_night", who, day)
    u = np.concatenate([draws.block("power_day", who, day, block) for block in range(3)])
    rows: list[tuple[Flags, I64, bool, Flags | bool]] = []
    # Morning: some forty minutes before the usual time of leaving, before a journey in any case.
    usual = np.array([s.leaves_min for s in SEGMENTS])[segment] - 40
    morning = np.clip(_spread(usual, 20, night[1]), 5 * 60 * MINUTE_US, 8 * 60 * MINUTE_US + 50 * MINUTE_US)
    sets_out = np.where(travel.leaves & ~travel.before, travel.set_out, _NEVER)
    morning = np.minimum(morning, sets_out - 10 * MINUTE_US)
    at_home = travel.here & ~travel.before
    rows.append((at_home & _off_before(world, day, who, travel), morning, True, True))
    # Evening; whoever ceases to be a customer switches off for good.
    bed = _spread(23 * 60 + 10, 14, night[2])
    rows.append((travel.here & ~travel.after & _off_after(world, day, who, travel), bed, False, True))
    # Off before boarding, on after landing.
    rows.append((travel.leaves & travel.silent, travel.board - 4 * MINUTE_US, False, True))
    rows.append((travel.on != _NEVER, travel.on, True, True))
    # Meetings and batteries: 08:15-12:10, 13:30-17:15 and 17:30-22:10 hold the three occasions.
    at_home &= ~travel.after & ~travel.leaves
    bounds = (
        (8 * 60 + 15, 11 * 60, 20, 70),
        (13 * 60 + 30, 15 * 60 + 45, 20, 90),
        (17 * 60 + 30, 20 * 60 + 10, 30, 120),
    )
    chances = threshold_q32(np.array([_DAY_OFF_OTHERS, _DAY_OFF_OFTEN]))
    often = population.often_off[who].astype(np.int64)
    for occasion, (first, last, least, most) in enumerate(bounds):
        happens = at_home & (u[occasion] < chances[often, occasion])
        off = np.maximum(_minutes(first, last, u[3 + occasion]), morning + 5 * MINUTE_US)
        died = (u[9 + occasion] < threshold_q32(_BATTERY_SHARE)) | (occasion == 2)
        rows.append((happens, off, False, ~died))
        rows.append((happens, off + _minutes(least, most, u[6 + occasion]), True, True))
    t = np.concatenate([when[mask] for mask, when, _, _ in rows])
    sub = np.concatenate([who[mask] for mask, _, _, _ in rows])
    on = np.concatenate([np.full(np.count_nonzero(mask), state) for mask, _, state, _ in rows])
    graceful = np.concatenate(
        [np.broadcast_to(np.asarray(way), mask.shape)[mask] for mask, _, _, way in rows]
    )
    order = _time_order(t, sub)
    return Power(t[order] + day * DAY_US, sub[order], on[order], graceful[order])


def _time_order(t_us: I64, sub: I64) -> I64:
    """Order by (time since midnight, subscriber): one sort of one integer of 37 + 24 bits."""
    return np.argsort((t_us << 24) | sub, kind="stable")
