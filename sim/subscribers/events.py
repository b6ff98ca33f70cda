"""Events that draw crowds: who comes, and when they arrive and leave.

Whether somebody comes is drawn for (seed, subscriber, event) with the chance visitors / people who may come;
who is away, or no customer, stays out of it. To a concert people come in the last fifty minutes before it
begins, most of them late, and leave within a quarter of an hour after its end; an exhibition is visited while
it is open.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import ONE_Q32, U32, scale
from sim.scenario import EventScenario
from sim.subscribers.habitat import Habitat

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

EVENING_H: Final = 17
"""Events that begin from this hour on are visited after work; others take the day."""
_HOUR_US = 3_600_000_000
_EARLY_US = 50 * 60_000_000  # before a concert, at most
_LATE_US = 15 * 60_000_000  # after it, at most
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """What an event does to some people's day."""

    comes: Flags
    cell: I64
    arrive_us: I64
    """Since midnight: when they mean to be there."""
    leave_us: I64
    evening: bool


def visits(world: Habitat, day: int, who: I64) -> list[Visits]:
    """The events of a day; somebody whom two of them draw goes to the first."""
    out: list[Visits] = []
    taken = np.zeros(len(who), dtype=np.bool_)
    for index, event in enumerate(world.scenario.events):
        if event.day != day + 1:
            continue
        cells = _cells(world, event)
        u = world.draws.block("event", who, index)
        comes = (u[0].astype(np.int64) < _chance_q32(world, index)) & ~taken
        if event.within_km is not None:
            comes &= _lives_near(world, event)[world.population.home_cell[who]]
        taken |= comes
        opens, closes = round(event.opens_h * _HOUR_US), round(event.closes_h * _HOUR_US)
        if event.kind == "concert":
            # The product of two uniform draws: half of the crowd comes within the last ten minutes.
            early = _upto(u[1], _EARLY_US) * (u[2] >> np.uint32(16)).astype(np.int64) >> 16
            arrive, leave = opens - early, closes + _upto(u[3], _LATE_US)
        else:
            lasts = closes - opens
            arrive = opens + _upto(u[1], lasts * 3 // 4)
            leave = np.minimum(arrive + lasts // 8 + _upto(u[3], lasts // 4), closes)
        there = cells[scale(u[2], len(cells))]
        out.append(Visits(comes, there, arrive, leave, event.opens_h >= EVENING_H))
    return out


def _upto(u: U32, most_us: int) -> I64:
    """Uniform durations, in whole milliseconds."""
    return scale(u, most_us // 1000) * 1000


def _cells(world: Habitat, event: EventScenario) -> I64:
    for place in world.topology.places:
        if place.name == event.place:
            return np.array(place.cells, dtype=np.int64)
    raise LookupError(f"event {event.name}: no place {event.place} on this map")


@lru_cache(maxsize=256)
def _chance_q32(world: Habitat, index: int) -> int:
    """Chance of somebody who may come to event number `index`."""
    event = world.scenario.events[index]
    able = world.population.n
    if event.within_km is not None:
        near = _lives_near(world, event)
        home = world.population.home_cell
        able = sum(
            int(np.count_nonzero(near[home[first : first + _CHUNK]]))
            for first in range(0, world.population.n, _CHUNK)
        )
    return min(event.visitors * ONE_Q32 // max(able, 1), ONE_Q32)


def _lives_near(world: Habitat, event: EventScenario) -> Flags:
    """Cells near enough."""
    ground, cell = world.topology, int(_cells(world, event)[0])
    x = ground.spot_x_m.astype(np.int64) - int(ground.spot_x_m[cell])
    y = ground.spot_y_m.astype(np.int64) - int(ground.spot_y_m[cell])
    metres = round((event.within_km or 0) * 1000)
    return np.asarray(x * x + y * y <= metres * metres)
