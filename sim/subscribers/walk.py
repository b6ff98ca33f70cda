"""Trips along the map: how long they take, and the cells that they enter.

Whoever has up to 900 m to go walks; in towns it is bus, bicycle and car; long ways run on roads and railways
as far as the route has cells of these kinds, each at a speed of its own.

The compiled network walks trips one by one as time comes to them; here they are walked all at once, for those
who want to know where people are. A test holds the one against the other.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import Draws, scale
from sim.subscribers.habitat import Ground

I64 = NDArray[np.int64]

LONGEST_RIDE_US: Final = 4 * 3_600_000_000
"""No trip takes longer."""
_WALKED_M: Final = 900
_LONG_M: Final = 6_000  # from here on the kinds of cells on the way count
_ON_FOOT_MM_S: Final = (1_100, 600)  # least speed, and how much more at most
_IN_TOWN_MM_S: Final = (4_500, 7_500)
# In thirty-seconds of the speed in town: outdoors, indoors, on a road, on a railway.
_FASTER: Final = np.array([32, 32, 90, 150], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Trips:
    """Trips by (sub, leave_us); a person's trips do not overlap. Times are microseconds since the epoch."""

    sub: I64
    leave_us: I64
    ride_us: I64
    from_cell: NDArray[np.int32]
    to_cell: NDArray[np.int32]

    @staticmethod
    def joined(parts: list[Trips]) -> Trips:
        """Trips of the same people on days one after another."""
        if len(parts) == 1:
            return parts[0]
        columns = [np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Trips)]
        order = np.lexsort((columns[1], columns[0]))
        return Trips(*(column[order] for column in columns))

    def between(self, from_us: int, to_us: int) -> Trips:
        """Those that begin at from_us <= t < to_us."""
        rows = (self.leave_us >= from_us) & (self.leave_us < to_us)
        return self if rows.all() else Trips(*(getattr(self, f.name)[rows] for f in fields(Trips)))


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """Entries into cells, sorted by (t_us, sub)."""

    t_us: I64
    """Microseconds since the epoch of the world."""
    sub: I64
    cell: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """Moments from which somebody is on the way or stays, sorted by (t_us, sub)."""

    t_us: I64
    sub: I64
    cell: NDArray[np.int32]
    riding: NDArray[np.bool_]
    """On the way in the cell: left, or entered and not the last; else it stays there."""


def ride_us(ground: Ground, draws: Draws, who: I64, day: int, trip: int, a: I64, b: I64) -> I64:
    """How long trip number `trip` of a day takes from cell to cell, by the route of the map."""
    metres = ground.distance_m[a, b].astype(np.int64)
    u = draws.u32("trip", who, day, trip)
    on_foot = metres <= _WALKED_M
    speed = np.where(on_foot, _ON_FOOT_MM_S[0], _IN_TOWN_MM_S[0]) + scale(
        u, np.where(on_foot, _ON_FOOT_MM_S[1], _IN_TOWN_MM_S[1])
    )
    ride = metres * 1_000_000_000 // speed
    far = np.flatnonzero(metres > _LONG_M)
    if len(far):
        ride[far] = _slow_metres(ground, a[far], b[far]) * 1_000_000_000 // speed[far]
    return np.asarray(np.minimum(ride, LONGEST_RIDE_US))


def _slow_metres(ground: Ground, a: I64, b: I64) -> I64:
    """Lengths of routes, where a metre on a fast way is so much shorter."""
    at, out = a.copy(), np.zeros(len(a), dtype=np.int64)
    alive = np.flatnonzero(at != b)
    while len(alive):
        step = ground.next_cell[at[alive], b[alive]].astype(np.int64)
        hop = ground.distance_m[at[alive], step].astype(np.int64)
        out[alive] += hop * 32 // _FASTER[ground.kind[step]]
        at[alive] = step
        alive = alive[step != b[alive]]
    return out


def walk(ground: Ground, trips: Trips) -> Moves:
    """Every cell that the trips enter, all people one hop further at a time.

    The map tells how far on the way between two cells the border lies.
    """
    relations = (
        np.repeat(np.arange(ground.n), np.diff(ground.neighbour_start)) * ground.n + ground.neighbour_cells
    )
    at, target = trips.from_cell.astype(np.int64), trips.to_cell.astype(np.int64)
    metres = np.maximum(ground.distance_m[at, target].astype(np.int64), 1)
    walked = np.zeros(len(at), dtype=np.int64)
    alive = np.flatnonzero(at != target)
    times, people, cells = (
        [np.zeros(0, dtype=np.int64)],
        [np.zeros(0, dtype=np.int64)],
        [np.zeros(0, np.int32)],
    )
    while len(alive):
        step = ground.next_cell[at[alive], target[alive]].astype(np.int64)
        hop = ground.distance_m[at[alive], step].astype(np.int64)
        border_q16 = ground.border_q16[np.searchsorted(relations, at[alive] * ground.n + step)]
        border = walked[alive] + (hop * border_q16 >> 16)
        walked[alive] += hop
        times.append(trips.leave_us[alive] + trips.ride_us[alive] * border // metres[alive])
        people.append(trips.sub[alive])
        cells.append(step.astype(np.int32))
        at[alive] = step
        alive = alive[step != target[alive]]
    t_us, sub, cell = np.concatenate(times), np.concatenate(people), np.concatenate(cells)
    order = np.lexsort((sub, t_us))
    return Moves(t_us[order], sub[order], cell[order])


def stages(ground: Ground, trips: Trips) -> Stages:
    """Every moment at which somebody sets out or enters a cell."""
    moves = walk(ground, trips)
    t_us = np.concatenate([trips.leave_us, moves.t_us])
    sub = np.concatenate([trips.sub, moves.sub])
    cell = np.concatenate([trips.from_cell, moves.cell]).astype(np.int32)
    leaves = np.zeros(len(t_us), dtype=np.bool_)
    leaves[: len(trips.sub)] = trips.from_cell != trips.to_cell
    # The cell entered last before one sets out again, or at all, is where one stays.
    order = np.lexsort((~leaves, t_us, sub))
    ends = np.ones(len(order), dtype=np.bool_)
    ends[:-1] = leaves[order[1:]] | (sub[order[1:]] != sub[order[:-1]])
    riding = np.empty(len(order), dtype=np.bool_)
    riding[order] = leaves[order] | ~ends
    order = np.lexsort((~leaves, sub, t_us))
    return Stages(t_us[order], sub[order], cell[order], riding[order])
