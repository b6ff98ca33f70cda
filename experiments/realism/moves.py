"""Who was where: weeks of trips alone, without the network that would make messages of them.

The sources of the laws of movement watched people for months (that of regularity for 14 weeks), and saw them
in the cell that served them at the time. So do measures of movement here: longer than the network is run,
hour by hour in the cell that serves somebody there and then, on the way as at rest. Visitors, and whoever was
no customer all the time, are left out, as from any such record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.realism.tables import HOUR_US, I32, I64, Stays, stays_of
from sim.network.intents import DAY_US, People
from sim.network.resting import cells_at_rest
from sim.subscribers.walk import Trips, stages
from sim.world import World

__all__ = ["Moved", "moved", "serving"]

_CHUNK = 512  # people whose hours are looked up at once


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """Where the customers of a world were, over some days; they are numbered anew from 0."""

    world: World
    days: int
    n: int
    trips: Trips
    stays: Stays
    hourly: NDArray[np.int16]
    """Serving cell in the middle of each hour; shape (n, hours)."""


def moved(world: World, people: People, days: int) -> Moved:
    """Draws the trips of some days.

    Args:
        world: Map and people's constant part.
        people: Whose trips.
        days: How many.
    """
    trips = people.trips(0, days * DAY_US)
    # Who is in another network at the start counts as at home, and who leaves later as waiting at the gate.
    where = people.state_at(0)[0]
    where = np.where(where < 0, world.population.home_cell[:], where).astype(np.int32)
    mine = _customers(world, days)
    number = np.cumsum(mine) - 1
    rows = mine[trips.sub]
    trips = Trips(
        number[trips.sub[rows]],
        *(getattr(trips, name)[rows] for name in ("leave_us", "ride_us", "from_cell", "to_cell")),
    )
    first = where[mine]
    return Moved(
        world=world,
        days=days,
        n=len(first),
        trips=trips,
        stays=stays_of(trips, first, days * DAY_US),
        hourly=serving(
            world,
            trips,
            first,
            np.flatnonzero(mine),
            np.arange(days * 24, dtype=np.int64) * HOUR_US + HOUR_US // 2,
        ),
    )


def _customers(world: World, days: int) -> NDArray[np.bool_]:
    """Own customers from the first day to the last."""
    population: Any = world.population
    everybody = np.arange(world.n)
    stays = population.active_on(0, everybody) & population.active_on(days - 1, everybody)
    return np.asarray(stays & (np.asarray(population.origin[:]) == 0))


def serving(world: World, trips: Trips, first_cell: I32, who: I64, times_us: I64) -> NDArray[np.int16]:
    """The cells that serve people at some moments, on the way and at rest; shape (n, moments).

    Args:
        world: Map and draws.
        trips: Of people numbered from 0.
        first_cell: Where each of them begins.
        who: Which subscriber each of them is.
        times_us: The moments.
    """
    n, steps = len(first_cell), stages(world.topology, trips)
    span = int(max(steps.t_us.max(initial=0), times_us.max(initial=0))) + 2
    # Everybody begins at rest in his first cell just before time 0.
    keys = np.concatenate([np.arange(n, dtype=np.int64) * span, steps.sub * span + steps.t_us + 1])
    order = np.argsort(keys, kind="stable")
    keys, cells = keys[order], np.concatenate([first_cell, steps.cell])[order]
    riding = np.concatenate([np.zeros(n, np.bool_), steps.riding])[order]
    hours = times_us // HOUR_US
    out = np.empty((n, len(times_us)), np.int16)
    for low in range(0, n, _CHUNK):
        some = np.arange(low, min(low + _CHUNK, n), dtype=np.int64)
        asked = some[:, None] * span + times_us[None, :] + 1
        at = np.searchsorted(keys, asked, side="right") - 1
        resting = cells_at_rest(world.topology.rest, world.draws, who[some, None], cells[at], hours)
        out[some] = np.where(riding[at], cells[at], resting)
    return out
