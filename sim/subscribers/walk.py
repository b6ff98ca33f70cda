"""Trips along the map, and the cells that they enter.

The compiled network walks trips one by one as time comes to them; here they are walked all at once, for those
who want to know where people are. A test holds the one against the other.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.subscribers.habitat import Ground

I64 = NDArray[np.int64]

LONGEST_RIDE_US: Final = 4 * 3_600_000_000
"""No trip takes longer."""


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
