"""Where people go and when their handsets are on: for any choice of subscribers and any span of time.

A day starts and ends at home. It is made of at most five trips (to work, out at noon and back, out in the
evening, home; or errands and outings on a free day; or a journey to the airport), each along the route of the
map at a speed of its own (`sim.subscribers.walk`). Everything is a function of (seed, subscriber, day), so
nobody else's day and no other day has to be drawn with it.

Handsets go off at night by habit, by day for meetings, flights and empty batteries. Switching off properly
sends an IMSI detach; a dead battery sends nothing (`graceful` is False).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import NORMAL, ONE_Q16, U32, pick_rows, scale, shares_q32, threshold_q32
from sim.scenario import DAY_US
from sim.subscribers.habitat import Habitat, Subs, chosen
from sim.subscribers.segments import OUTINGS, SEGMENTS
from sim.subscribers.walk import LONGEST_RIDE_US, Trips, walk

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

MINUTE_US: Final = 60_000_000
TRIPS: Final = 5
"""Trips in a day, at most."""
_NEVER: Final = np.iinfo(np.int64).max
_LAST_START_US: Final = 22 * 60 * MINUTE_US  # nobody sets out later, so everybody is home before midnight
_LATEST_US: Final = 23 * 60 * MINUTE_US + 50 * MINUTE_US  # nor arrives later

_FLYER_OFF_SHARE: Final = 0.9  # of those who fly; the rest forget, and their handset stays on at the airport
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
    """A day's trips: rows of five, _NEVER as the time of leaving where there is none."""

    leaves: I64
    to: I64
    flies: Flags
    """Takes a flight; it is the time after trip 0 that the plan leaves at the airport."""
    off_us: I64
    """Since midnight: handset off for the flight."""
    on_us: I64


def trips(world: Habitat, from_us: int, to_us: int, subs: Subs = None) -> Trips:
    """All trips on which somebody sets out at from_us <= t < to_us, by (sub, leave_us)."""
    who = chosen(world.population.n, subs)
    days = [_trips(world, day, who, _plan(world, day, who)) for day in days_of(from_us, to_us)]
    return Trips.joined(days).between(from_us, to_us)


def power(world: Habitat, from_us: int, to_us: int, subs: Subs = None) -> Power:
    """All handsets switched on and off at from_us <= t < to_us, by (t_us, sub)."""
    who = chosen(world.population.n, subs)
    days = [_switch(world, day, who, _plan(world, day, who)) for day in days_of(from_us, to_us)]
    columns = [
        np.concatenate([getattr(day, name) for day in days]) for name in ("t_us", "sub", "on", "graceful")
    ]
    rows = within(columns[0], from_us, to_us)
    return Power(*(column[rows] for column in columns))


def state_at(world: Habitat, t_us: int, subs: Subs = None) -> tuple[NDArray[np.int32], Flags]:
    """Cell and power of everybody chosen just after all that happens up to and at `t_us`."""
    who = chosen(world.population.n, subs)
    order = np.argsort(who, kind="stable")
    day = t_us // DAY_US
    midnight, plan = day * DAY_US, _plan(world, day, who)
    walked = walk(world.topology, _trips(world, day, who, plan).between(midnight, t_us + 1))
    switched = _switch(world, day, who, plan)
    cell = world.population.home_cell[who].astype(np.int32)
    past = walked.t_us <= t_us
    row = order[np.searchsorted(who, walked.sub[past], sorter=order)]
    cell[row] = walked.cell[past]  # sorted by time: the last one stays
    on = ~_off_overnight(world, day - 1, who)
    past = switched.t_us <= t_us
    row = order[np.searchsorted(who, switched.sub[past], sorter=order)]
    on[row] = switched.on[past]
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


def _plan(world: Habitat, day: int, who: I64) -> _Plan:
    """Who sets out when and where to. Times that a late arrival makes impossible are put off by `_trips`."""
    population, draws = world.population, world.draws
    segment = population.segment[who].astype(np.int64)
    u = np.concatenate([draws.block("day_plan", who, day, block) for block in range(3)])
    o = np.concatenate([draws.block("outing", who, day, block) for block in range(2)])
    leaves = np.full((TRIPS, len(who)), _NEVER, dtype=np.int64)
    to = np.zeros((TRIPS, len(who)), dtype=np.int64)
    home, work = population.home_cell[who].astype(np.int64), population.work_cell[who].astype(np.int64)
    works = np.array([s.work != "none" for s in SEGMENTS])[segment] & (not world.scenario.is_weekend(day))
    out = [_outing(world, segment, o[0 + k], o[2 + k]) for k in range(2)]

    def chance(row: U32, read: list[float]) -> Flags:
        return row < threshold_q32(read)[segment]

    def put(trip: int, mask: Flags, when: I64, where: I64) -> None:
        leaves[trip, mask], to[trip, mask] = when[mask], where[mask]

    # A working day: to work; perhaps out at noon and back; perhaps out in the evening; home.
    begins = _spread(np.array([s.leaves_min for s in SEGMENTS])[segment], 25, u[0])
    ends = _spread(np.array([s.returns_min for s in SEGMENTS])[segment], 35, u[1])
    noon = works & chance(u[2], [s.lunch_out for s in SEGMENTS])
    evening = works & chance(u[3], [s.evening_out for s in SEGMENTS])
    at_noon = _spread(12 * 60, 15, u[4])
    put(0, works, begins, work)
    put(1, noon, at_noon, out[0])
    put(2, noon, at_noon + _minutes(30, 60, u[5]), work)
    put(3, evening, ends, out[1])
    put(4, works, np.where(evening, ends + _minutes(40, 140, u[6]), ends), home)
    # A free day: an outing by day and one in the evening, each with its own way home.
    free = ~works
    first = free & chance(u[2], [s.weekend_out for s in SEGMENTS])
    second = free & chance(u[3], [s.evening_out for s in SEGMENTS])
    sets_out = _spread(np.array([max(s.leaves_min, 9 * 60) for s in SEGMENTS])[segment], 70, u[0]) + _minutes(
        0, 150, u[4]
    )
    later = _spread(17 * 60 + 45, 50, u[1])
    put(0, first, sets_out, out[0])
    put(1, first, sets_out + _minutes(50, 230, u[5]), home)
    put(3, second, later, out[1])
    put(4, second, later + _minutes(40, 150, u[6]), home)
    return _journey(world, day, who, segment, leaves, to)


def _journey(world: Habitat, day: int, who: I64, segment: I64, leaves: I64, to: I64) -> _Plan:
    """Replaces the day of those who go to the airport: 40-180 minutes there, perhaps a flight, home."""
    airport = world.topology.cells_of_kind("airport")
    flies = np.zeros(len(who), dtype=np.bool_)
    off, on = np.full(len(who), _NEVER), np.full(len(who), _NEVER)
    if len(airport) == 0:
        return _Plan(leaves, to, flies, off, on)
    factor = np.array([s.airport for s in SEGMENTS])
    mean = _mean_by_share(factor, world.scenario.segments.weights())
    share = np.minimum(factor * world.scenario.habits.airport_share_per_day / mean, 1.0)
    v = np.concatenate([world.draws.block("travel", who, day, block) for block in range(2)])
    goes = v[0] < threshold_q32(share)[segment]
    flies = goes & (v[1] < threshold_q32(world.scenario.habits.flight_share))
    start = _minutes(6 * 60, 13 * 60, v[2])
    there = airport[scale(v[3], len(airport))].astype(np.int64)
    home = world.population.home_cell[who].astype(np.int64)
    arrives = start + _ride_us(world, who, day, 0, home, there)
    stays = _minutes(40, 180, v[4])
    off = np.where(flies, arrives + stays, off)
    on = np.where(flies, off + _minutes(120, 300, v[5]), on)
    back = np.where(flies, on + _minutes(10, 35, v[6]), arrives + stays)
    leaves[:, goes] = _NEVER
    leaves[0, goes], to[0, goes] = start[goes], there[goes]
    leaves[1, goes], to[1, goes] = back[goes], home[goes]
    silent = flies & (v[7] < threshold_q32(_FLYER_OFF_SHARE))
    return _Plan(leaves, to, flies, np.where(silent, off, _NEVER), np.where(silent, on, _NEVER))


def _mean_by_share(values: NDArray[np.float64], shares: list[float]) -> float:
    total = weight = 0.0
    for value, share in zip(values.tolist(), shares, strict=True):  # one order of summation everywhere
        total += value * share
        weight += share
    return total / weight


def _outing(world: Habitat, segment: I64, kind: U32, where: U32) -> I64:
    """Destinations by the segment's liking; a kind of place that the world does not have becomes the town."""
    liking = shares_q32(np.array([s.outings for s in SEGMENTS], dtype=np.float64))
    wanted = pick_rows(kind, liking[segment])
    town = np.flatnonzero((world.topology.kind == 0) & (world.topology.place < 0))
    result = town[scale(where, len(town))]
    for index, name in enumerate(OUTINGS):
        cells = world.topology.cells_of_kind(name)
        if len(cells):
            result = np.where(wanted == index, cells[scale(where, len(cells))], result)
    return result


def _speed_mm_s(world: Habitat, who: I64, day: int, trip: int) -> I64:
    """Speed of a trip, mm/s: 7 to 15 m/s."""
    return 7_000 + scale(world.draws.u32("trip", who, day, trip), 8_000)


def _ride_us(world: Habitat, who: I64, day: int, trip: int, a: I64, b: I64) -> I64:
    """How long a trip takes by the route of the map."""
    metres = world.topology.distance_m[a, b].astype(np.int64)
    return metres * 1_000_000_000 // _speed_mm_s(world, who, day, trip)


def _trips(world: Habitat, day: int, who: I64, plan: _Plan) -> Trips:
    """The trips of the plan as they can be made: one after another, and home before midnight."""
    midnight = day * DAY_US
    here = world.population.home_cell[who].astype(np.int64)
    free_from = np.zeros(len(who), dtype=np.int64)
    rows = []
    for trip in range(TRIPS):
        going = np.flatnonzero((plan.leaves[trip] != _NEVER) & (plan.to[trip] != here))
        start, target = here[going], plan.to[trip, going]
        leave = np.maximum(plan.leaves[trip, going], free_from[going])
        ride = _ride_us(world, who[going], day, trip, start, target)
        # Whoever would arrive too late hurries: the whole trip is squeezed into what is left of the day.
        leave = np.minimum(leave, np.maximum(_LAST_START_US, free_from[going]))
        ride = np.minimum(ride, np.minimum(_LATEST_US - leave, LONGEST_RIDE_US))
        rows.append((who[going], leave + midnight, ride, start, target))
        here[going] = target
        free_from[going] = leave + ride + MINUTE_US
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    sub, leave, ride, start, target = (column[order] for column in columns)
    return Trips(sub, leave, ride, start.astype(np.int32), target.astype(np.int32))


def _off_overnight(world: Habitat, day: int, who: I64) -> Flags:
    """Whether handsets go off in the evening of a day and stay off past midnight."""
    kept = threshold_q32(np.array([_NIGHT_OTHERS, _NIGHT_KEPT]))
    return world.draws.u32("power_night", who, day) < kept[world.population.nightly_off[who].astype(np.int64)]


def _switch(world: Habitat, day: int, who: I64, plan: _Plan) -> Power:
    """On in the morning; off and on by day on occasions that cannot overlap; off at night."""
    population, draws = world.population, world.draws
    segment = population.segment[who].astype(np.int64)
    night = draws.block("power_night", who, day)
    u = np.concatenate([draws.block("power_day", who, day, block) for block in range(3)])
    rows: list[tuple[Flags, I64, bool, Flags | bool]] = []
    # Morning: some forty minutes before the usual time of leaving, before a journey in any case.
    usual = np.array([s.leaves_min for s in SEGMENTS])[segment] - 40
    morning = np.clip(_spread(usual, 20, night[1]), 5 * 60 * MINUTE_US, 8 * 60 * MINUTE_US + 50 * MINUTE_US)
    travels = plan.flies | (plan.off_us != _NEVER)
    morning = np.where(travels, np.minimum(morning, plan.leaves[0] - 10 * MINUTE_US), morning)
    rows.append((_off_overnight(world, day - 1, who), morning, True, True))
    # Evening.
    bed = _spread(23 * 60 + 10, 14, night[2])
    rows.append((_off_overnight(world, day, who), bed, False, True))
    # The flight.
    flight = plan.off_us != _NEVER
    rows += [(flight, plan.off_us, False, True), (flight, plan.on_us, True, True)]
    # Meetings and batteries: 08:15-12:10, 13:30-17:15 and 17:30-22:10 hold the three occasions.
    bounds = (
        (8 * 60 + 15, 11 * 60, 20, 70),
        (13 * 60 + 30, 15 * 60 + 45, 20, 90),
        (17 * 60 + 30, 20 * 60 + 10, 30, 120),
    )
    chances = threshold_q32(np.array([_DAY_OFF_OTHERS, _DAY_OFF_OFTEN]))
    often = population.often_off[who].astype(np.int64)
    for occasion, (first, last, least, most) in enumerate(bounds):
        happens = ~travels & (u[occasion] < chances[often, occasion])
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
