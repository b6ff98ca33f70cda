"""Where people go and when their handsets are on: for any choice of subscribers and any span of time.

A day starts and ends at home, or in another network. What people mean to do on it is `day_plan`'s to say;
here its trips are made one after another, and the handset is taken along. Everything is a function of (seed,
subscriber, day), so nobody else's day and no other day has to be drawn with it.

Handsets go off at night by habit, by day for meetings, flights and empty batteries. Switching off properly
sends an IMSI detach; a dead battery sends nothing (`graceful` is False). Who is no customer any more, or not
yet, and who visits another network, is never on here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import threshold_q32
from sim.scenario import DAY_US
from sim.subscribers.day_plan import LAST_START_US, MINUTE_US, NEVER, TRIPS, minutes, plan_day, spread
from sim.subscribers.habitat import Habitat, Subs, chosen
from sim.subscribers.journeys import Away, Crossings, away, crossings
from sim.subscribers.segments import SEGMENTS
from sim.subscribers.walk import Trips, ride_us, walk

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

_LATEST_US: Final = (23 * 60 + 50) * MINUTE_US  # nobody arrives later
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
    days = [crossings(day, who, away(world, day, who)) for day in days_of(from_us, to_us)]
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
    crossed = crossings(day, who, travel)
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


def _trips(world: Habitat, day: int, who: I64, travel: Away) -> Trips:
    """The trips of the plan as they can be made: one after another, and home before midnight."""
    midnight, plan = day * DAY_US, plan_day(world, day, who, travel)
    here = plan.here
    free_from = np.zeros(len(who), dtype=np.int64)
    made = np.zeros(len(who), dtype=np.int64)
    rows, nth = [], []
    for trip in range(TRIPS):
        going = np.flatnonzero((plan.leaves[trip] != NEVER) & (plan.to[trip] != here))
        start, target = here[going], plan.to[trip, going]
        ride = ride_us(world.topology, world.draws, who[going], day, trip, start, target)
        leave = plan.leaves[trip, going]
        if trip % 3 == 0:
            leave = np.where(plan.punctual[trip // 3, going], leave - ride, leave)
        leave = np.maximum(leave, free_from[going])
        # Whoever would arrive too late hurries: the whole trip is squeezed into what is left of the day.
        leave = np.minimum(leave, np.maximum(LAST_START_US, free_from[going]))
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
    morning = np.clip(spread(usual, 20, night[1]), 5 * 60 * MINUTE_US, 8 * 60 * MINUTE_US + 50 * MINUTE_US)
    sets_out = np.where(travel.leaves & ~travel.before, travel.set_out, NEVER)
    morning = np.minimum(morning, sets_out - 10 * MINUTE_US)
    at_home = travel.here & ~travel.before
    rows.append((at_home & _off_before(world, day, who, travel), morning, True, True))
    # Evening; whoever ceases to be a customer switches off for good.
    bed = spread(23 * 60 + 10, 14, night[2])
    rows.append((travel.here & ~travel.after & _off_after(world, day, who, travel), bed, False, True))
    # Off before boarding, on after landing.
    rows.append((travel.leaves & travel.silent, travel.board - 4 * MINUTE_US, False, True))
    rows.append((travel.on != NEVER, travel.on, True, True))
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
        off = np.maximum(minutes(first, last, u[3 + occasion]), morning + 5 * MINUTE_US)
        died = (u[9 + occasion] < threshold_q32(_BATTERY_SHARE)) | (occasion == 2)
        rows.append((happens, off, False, ~died))
        rows.append((happens, off + minutes(least, most, u[6 + occasion]), True, True))
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
