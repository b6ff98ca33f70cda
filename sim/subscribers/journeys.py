"""Journeys to other networks and back, through airport and station; visitors from other networks.

Everybody's days are cut into periods of sixteen days (each shifted by a keyed number), with at most one
journey of 0 to 6 nights in each, by plane or by train. At the Spring Festival many travel home for one to
three weeks instead; journeys that would meet with this one do not take place. Roamers (`Population.origin`
above 0) are here on the days on which the population says so, some of them for the Spring Festival. All of it
is a function of (seed, subscriber, day): whether somebody is away on a day asks for no other day.

Who flies switches off before boarding (some forget) and on again after landing. Who comes from another
network holds an area of it: a province of the same operator (same network code, an area code unknown here),
or one abroad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import scale, threshold_q32
from sim.subscribers.almanac import new_year_near
from sim.subscribers.changes import festival_stay
from sim.subscribers.habitat import Habitat
from sim.subscribers.outings import destinations
from sim.subscribers.segments import SEGMENTS
from sim.subscribers.walk import ride_us

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

PERIOD: Final = 16
NEVER: Final = np.iinfo(np.int64).max
MINUTE_US: Final = 60_000_000
HOUR_US: Final = 3_600_000_000
ABROAD_PLMN: Final = 0x99F910
"""MCC 999 MNC 01, which no country has, as three octets of the wire (TS 24.008 10.5.1.3)."""

_NIGHTS = np.cumsum([18, 22, 20, 15, 10, 9, 6]) * (2**32 // 100)  # shares of 0, 1, .. 6 nights
_NIGHTS_MOST = 6
_FEST_WITHIN = 40
_SILENT_SHARE = 0.9  # of those who fly switch off; the others forget
_FESTIVAL_BY_AIR = 0.15
# By segment, relative to each other: journeys by train, and travel home for the Spring Festival.
_TRAIN = (3.0, 0.8, 1.2, 1.0, 1.5, 0.4, 1.2, 0.7, 0.5)
_HOMEWARD = (1.0, 0.8, 1.1, 0.7, 2.0, 0.4, 2.2, 0.2, 0.2)


@dataclass(frozen=True, slots=True, eq=False)
class Crossings:
    """Leaving for other networks and coming from them, sorted by (t_us, sub)."""

    t_us: I64
    """Microseconds since the epoch of the world."""
    sub: I64
    cell: NDArray[np.int32]
    """Where somebody comes to; -1: leaves."""
    plmn: NDArray[np.int32]
    """Network from which somebody comes, three octets of the wire (TS 24.008 10.5.1.3)."""
    lac: NDArray[np.int32]
    """Location area there."""


@dataclass(frozen=True, slots=True, eq=False)
class Away:
    """What journeys do to some people's day. Times are microseconds since its midnight, NEVER without."""

    before: Flags
    """Away as the day begins."""
    after: Flags
    """Away as it ends."""
    silent: Flags
    """Handset off on the way and while away."""
    here: Flags
    """Has anything to do with this network on this day: customers, and roamers on a visit."""
    was_here: Flags
    """The same for the day before."""
    stays: Flags
    """The same for the day after."""
    gate: I64
    """Cell of the airport or station."""
    set_out: I64
    """Leaves home for it."""
    board: I64
    """Leaves the network."""
    land: I64
    """Comes back."""
    on: I64
    """Handset on after landing, where it was off."""
    homeward: I64
    """Leaves the gate for home."""
    plmn: NDArray[np.int32]
    lac: NDArray[np.int32]

    @property
    def leaves(self) -> Flags:
        """Leaves the network on this day."""
        return np.asarray(self.board != NEVER)

    @property
    def returns(self) -> Flags:
        """Comes from another network on this day."""
        return np.asarray(self.land != NEVER)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """The journey of each that is nearest to a day: first and last day (NEVER: none)."""

    first: I64
    last: I64
    by_air: Flags


def away(world: Habitat, day: int, who: I64) -> Away:
    """Journeys and visits as they touch a day."""
    population: Any = world.population  # some populations have no roamers, and nobody who comes or goes
    plan = _journeys(world, day, who)
    active = getattr(population, "active_on", None)
    everybody = np.ones(len(who), dtype=np.bool_)
    was, here, stays = (
        everybody if active is None else np.asarray(active(max(d, 0), who)) for d in (day - 1, day, day + 1)
    )
    before = (plan.first < day) & (plan.last >= day)
    after = (plan.first <= day) & (plan.last > day)
    leaves, returns = plan.first == day, plan.last == day
    by_air, key = plan.by_air.copy(), plan.first.copy()
    origin = getattr(population, "origin", None)
    roams = np.zeros(len(who), dtype=np.bool_) if origin is None else np.asarray(origin[who]) > 0
    if roams.any():
        before = np.where(roams, ~(was & here), before)
        after = np.where(roams, ~(here & stays), after)
        leaves, returns = np.where(roams, here & ~stays, leaves), np.where(roams, here & ~was, returns)
        key = np.where(roams, day // 30, key)
        flies = world.draws.u32("crossing", who, key, 8)
        comes_home = getattr(population, "comes_home", None)
        roams_by_air = flies >> np.uint32(31) == 1
        if comes_home is not None:
            roams_by_air = np.where(comes_home(who), flies < threshold_q32(_FESTIVAL_BY_AIR), roams_by_air)
        by_air = np.where(roams, roams_by_air, by_air)
    out = _nothing(len(who), before, after, was, here, stays)
    some = np.flatnonzero(leaves | returns | before | after)
    if len(some):
        _cross(world, day, who, some, key, by_air, leaves, returns, roams, out)
    return out


def crossings(day: int, who: I64, travel: Away) -> Crossings:
    """Leaving and coming on a day, in order."""
    out, back = np.flatnonzero(travel.leaves), np.flatnonzero(travel.returns)
    t = np.concatenate([travel.board[out], travel.land[back]])
    sub = np.concatenate([who[out], who[back]])
    nothing = np.zeros(len(out), dtype=np.int32)
    order = np.lexsort((sub, t))
    return Crossings(
        t[order] + day * 24 * HOUR_US,
        sub[order],
        np.concatenate([nothing - 1, travel.gate[back].astype(np.int32)])[order],
        np.concatenate([nothing, travel.plmn[back]])[order],
        np.concatenate([nothing, travel.lac[back]])[order],
    )


def _nothing(n: int, before: Flags, after: Flags, was: Flags, here: Flags, stays: Flags) -> Away:
    never = np.full(n, NEVER)
    zero = np.zeros(n, dtype=np.int32)
    return Away(
        before=before, after=after, silent=np.zeros(n, dtype=np.bool_), here=here, was_here=was, stays=stays,
        gate=np.full(n, -1, dtype=np.int64), set_out=never, board=never.copy(), land=never.copy(),
        on=never.copy(), homeward=never.copy(), plmn=zero, lac=zero.copy(),
    )  # fmt: skip


def _journeys(world: Habitat, day: int, who: I64) -> _Plan:
    """The journey of each person's period, or the one home for the Spring Festival."""
    scenario, draws = world.scenario, world.draws
    segment = world.population.segment[who].astype(np.int64)
    map_ = destinations(world.topology)
    air = "airport" in map_.kinds
    if not air and "station" not in map_.kinds:
        never = np.full(len(who), NEVER)
        return _Plan(never, never, np.zeros(len(who), dtype=np.bool_))
    habits, shares = scenario.habits, scenario.segments.weights()
    # A flight means two visits to the airport.
    fly = _by_share([s.airport for s in SEGMENTS], shares) * (
        habits.airport_share_per_day * habits.flight_share / 2 * PERIOD if air else 0.0
    )
    ride = _by_share(_TRAIN, shares) * (habits.train_journeys_per_month / 30 * PERIOD)
    flies = threshold_q32(np.minimum(fly, 1.0))
    goes = threshold_q32(np.minimum(fly + ride, 1.0))
    shift = (who * 0x9E3779B1 >> 11) & (PERIOD - 1)
    period = (day + shift) // PERIOD
    u = draws.block("journey", who, period)
    nights = np.searchsorted(_NIGHTS, u[1], side="right").astype(np.int64)
    nights = np.minimum(nights, _NIGHTS_MOST)
    first = period * PERIOD - shift + scale(u[2], PERIOD - nights)
    going = u[0] < goes[segment]
    last = np.where(going, first + nights, NEVER)
    first = np.where(going, first, NEVER)
    by_air = u[0] < flies[segment]
    plan = _Plan(first, last, by_air)
    new_year = new_year_near(scenario, day, _FEST_WITHIN)
    if new_year is not None:
        plan = _homeward(world, day, new_year, who, segment, plan, air)
    return _customers_only(world.population, who, plan)


def _homeward(
    world: Habitat, day: int, new_year: int, who: I64, segment: I64, plan: _Plan, air: bool
) -> _Plan:
    """Home for the Spring Festival: the nearer it comes, the more set out; back in the second week."""
    share = world.scenario.habits.festival_travel_share
    goes_q32 = threshold_q32(np.minimum(_by_share(_HOMEWARD, world.scenario.segments.weights()) * share, 1.0))
    u = world.draws.block("festival", who, new_year)
    goes = u[0] < goes_q32[segment]
    first, last = festival_stay(u, new_year)
    meets = goes & (plan.last >= first - 1) & (plan.first <= last + 1)  # NEVER meets nothing
    now = goes & (first <= day) & (day <= last)
    by_air = (u[3] < threshold_q32(_FESTIVAL_BY_AIR)) & air
    return _Plan(
        np.where(now, first, np.where(meets, NEVER, plan.first)),
        np.where(now, last, np.where(meets, NEVER, plan.last)),
        np.where(now, by_air, plan.by_air),
    )


def _customers_only(population: Any, who: I64, plan: _Plan) -> _Plan:
    """Journeys of customers who are that from before them until after; roamers have none of this kind."""
    start, leave = getattr(population, "start_day", None), getattr(population, "leave_day", None)
    origin = getattr(population, "origin", None)
    off = np.zeros(len(who), dtype=np.bool_)
    if start is not None and leave is not None:
        off |= (np.asarray(start[who]) >= plan.first) & (np.asarray(start[who]) > 0)
        off |= plan.last >= np.asarray(leave[who]).astype(np.int64) - 1
    if origin is not None:
        off |= np.asarray(origin[who]) > 0
    if not off.any():
        return plan
    return _Plan(np.where(off, NEVER, plan.first), np.where(off, NEVER, plan.last), plan.by_air)


def _cross(
    world: Habitat, day: int, who: I64, some: I64, key: I64, by_air: Flags, leaves: Flags, returns: Flags,
    roams: Flags, out: Away,
) -> None:  # fmt: skip
    """Fills in the rows of those who are on a journey."""
    sub, flies, home = who[some], by_air[some], world.population.home_cell[who[some]].astype(np.int64)
    u = world.draws.block("crossing", sub, key[some])
    map_ = destinations(world.topology)
    plane, train = (map_.cells(kind, home, u[0]) for kind in ("airport", "station"))
    station = train if train is not None else plane
    port = plane if plane is not None else train
    gate = home if port is None or station is None else np.where(flies, port, station)
    silent = (flies & (u[1] < threshold_q32(_SILENT_SHARE))) | roams[some]
    out.gate[some], out.silent[some] = gate, silent
    abroad = flies & (u[2] < threshold_q32(world.scenario.habits.abroad_share))
    plmn = np.where(abroad, ABROAD_PLMN, own_plmn(world))
    own = getattr(world.population, "home_plmn", None)
    if own is not None and roams.any():
        plmn = np.where(roams[some], plmn_of(np.asarray(own[sub]).astype(np.int64)), plmn)
    out.plmn[some] = plmn
    areas = _foreign_areas(world)
    out.lac[some] = areas[scale(u[3], len(areas))]
    # Times of the day: a day on which somebody leaves and comes back has words of its own for either.
    v = world.draws.block("crossing", sub, day, 4)
    go, come = leaves[some], returns[some]
    first = out.before[some]  # on a day with both: comes first (a visitor), or leaves first
    both = go & come
    early, late = both & ~first, both & first
    set_out = np.where(
        early, _between(v[0], 5.5, 7.5), np.where(late, _between(v[0], 16, 18.5), _between(v[0], 6, 17.5))
    )
    there = np.where(
        late, ride_us(world.topology, world.draws, sub, day, 5, home, gate),
        ride_us(world.topology, world.draws, sub, day, 0, home, gate),
    )  # fmt: skip
    waits = np.where(flies, _between(v[1], 0.75, 2.5), _between(v[1], 0.2, 1.1))
    board = set_out + there + waits
    land = np.where(late, _between(v[2], 7.5, 10), _between(v[2], 8.5, 20.5))
    land = np.where(early, np.maximum(board + 2 * HOUR_US, _between(v[2], 16, 20.5)), land)
    lingers = np.where(flies, _between(v[3], 0.25, 0.75), _between(v[3], 0.1, 0.35))
    for column, mask, values in (
        (out.set_out, go, set_out),
        (out.board, go, board),
        (out.land, come, land),
        (out.homeward, come, land + lingers),
        (out.on, come & silent, land + lingers // 4),
    ):
        column[some[mask]] = values[mask]


def _between(u: NDArray[np.uint32], from_h: float, to_h: float) -> I64:
    """Uniform times between two hours."""
    return round(from_h * 3600) * 1_000_000 + scale(u, round((to_h - from_h) * 3600)) * 1_000_000


def _by_share(factors: Any, shares: list[float]) -> NDArray[np.float64]:
    """Factors of the segments, with a mean of one over the people of a world."""
    total = weight = 0.0
    for value, share in zip(factors, shares, strict=True):  # one order of summation everywhere
        total += value * share
        weight += share
    return np.array(factors, dtype=np.float64) * (weight / total if total else 0.0)


def own_plmn(world: Habitat) -> int:
    """The network's own code, three octets of the wire."""
    network = world.scenario.network
    return int(plmn_of(np.array([int(network.mcc) * 100 + int(network.mnc)]))[0])


def plmn_of(digits: I64) -> I64:
    """Three octets of the wire (TS 24.008 10.5.1.3) of MCC and a MNC of two digits, as integers."""
    d = [digits // 10**k % 10 for k in (4, 3, 2, 1, 0)]
    return (d[1] << 20) | (d[0] << 16) | (0xF << 12) | (d[2] << 8) | (d[4] << 4) | d[3]


def _foreign_areas(world: Habitat) -> I64:
    """Location area codes that this network has not: 64 of them."""
    topology: Any = world.topology
    known = {int(code) for code in np.unique(topology.lac)}
    return np.array([code for code in range(20_001, 20_200) if code not in known][:64], dtype=np.int64)
