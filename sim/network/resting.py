"""Cells that serve phones at rest: the strongest in the room where one is, which changes with the hours.

A station in idle mode camps on the cell that is best by path loss, and within a location area next to nothing
holds it where it is (TS 45.008 6.6.2: CELL_RESELECT_HYSTERESIS counts towards other areas alone). So people
who stay in a place are seen now in one cell, now in another: "oscillation" in the records of phones (Bayir,
Demirbas, Eagle: "Discovering spatiotemporal mobility profiles of cellphone users", WoWMoM 2009).

* Whoever stays in a cell does so at one of `SPOTS` points where that cell is the strongest of the field.
* Walls and furniture weaken each mast differently from room to room: normal deviates with the deviation
  `network.radio.room_db` (Recommendation ITU-R P.1238, shadow fading: 8 dB in homes, 10 dB in offices and
  shops). Masts of one site are seen through the same walls.
* Where in the house or the office somebody is at an hour is a habit, kept nine times in ten; else it is
  another room. Between midnight and six there is one room. No measurement stands behind these two.
* What serves is the strongest cell of the location area: out of doors and in houses among the outdoor
  neighbours, in a place with cells of its own among the neighbours that belong to it.

All is a pure function of (seed, subscriber, cell, hour): nothing is remembered, and `sim.network.kernel`
looks it up where a connection begins. `cells_at_rest` is the same in columns; a test holds one against the
other.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.cell_list import INDOOR
from sim.draws import NORMAL, U32, Draws, scale

if TYPE_CHECKING:
    from sim.network.kernel.field import Field
    from sim.network.layout import Layout

__all__ = ["RIVALS", "SPOTS", "Rest", "cells_at_rest", "rest_of"]

I64 = NDArray[np.int64]

SPOTS: Final = 32
"""Points where people stay in a cell."""
RIVALS: Final = 4
"""Other cells that may serve at a point: the strongest ones."""
KEPT_Q32: Final = 9 * (1 << 32) // 10
"""How often somebody is in the usual room of the hour."""
NIGHT_H: Final = 6
"""Up to this hour of the day nobody changes rooms."""

_TRIES = 192  # points drawn for a cell, among which those are sought where it is the strongest
_WALLS_M = 60  # of a place round its indoor antenna, as `sim.network.kernel.field` has them
_LEAST_M = 100
_FAR_CDB = 32_000
_HOME_OF_SPOT = 0xFFFFFFFF  # the hour that stands for none


class Rest(NamedTuple):
    """Columns over cells; those beside `rivals` have its shape."""

    rivals: NDArray[np.int16]
    """Cells that may serve in place of this one, -1 none; shape (n, SPOTS, RIVALS)."""
    behind_cdb: NDArray[np.int16]
    """By how much they are weaker at the point, hundredths of a dB."""
    walls: NDArray[np.uint8]
    """Which deviate of a room weakens them, 0 .. RIVALS; 0 is that of this cell's site."""
    room_cdb: NDArray[np.int16]
    """Deviation from room to room; shape (n,)."""


def rest_of(
    layout: Layout,
    site: NDArray[np.int32],
    start: NDArray[np.int32],
    neighbours: NDArray[np.int32],
    field: Field,
    draws: Draws,
    room_db: float,
) -> Rest:
    """Who may serve at the points of every cell.

    Args:
        layout: The cells.
        site: Which of them share a mast.
        start: Neighbours of cell c are `neighbours[start[c] : start[c + 1]]`.
        neighbours: Their cells.
        field: The radio field of the cells.
        draws: The world's draws.
        room_db: Deviation from room to room in homes, dB; a quarter more in places with cells of their own.
    """
    n = len(layout.lac)
    shape = (n, SPOTS, RIVALS)
    rest = Rest(
        np.full(shape, -1, np.int16), np.full(shape, _FAR_CDB, np.int16), np.zeros(shape, np.uint8),
        np.where(layout.kind == INDOOR, round(room_db * 125), round(room_db * 100)).astype(np.int16),
    )  # fmt: skip
    if room_db <= 0:
        return rest
    for cell in range(n):
        others = neighbours[start[cell] : start[cell + 1]]
        others = others[(layout.kind[others] == INDOOR) == (layout.kind[cell] == INDOOR)]
        others = others[layout.place[others] == layout.place[cell]]
        if (layout.lac[others] == layout.lac[cell]).any():
            _fill(rest, layout, site, cell, others, field, draws)
    return rest


def _fill(
    rest: Rest,
    layout: Layout,
    site: NDArray[np.int32],
    cell: int,
    others: NDArray[np.int32],
    field: Field,
    draws: Draws,
) -> None:
    """The points of one cell."""
    inside = bool(layout.kind[cell] == INDOOR)
    x0, y0 = int(layout.spot_x_m[cell]), int(layout.spot_y_m[cell])
    dx, dy = layout.spot_x_m[others].astype(np.int64) - x0, layout.spot_y_m[others].astype(np.int64) - y0
    reach_2 = int(np.sort(dx * dx + dy * dy)[len(others) // 2])
    reach = _WALLS_M if inside else max(isqrt(reach_2), _LEAST_M)
    u = draws.block("rest_point", np.arange(_TRIES), cell)
    x, y = x0 - reach + scale(u[0], 2 * reach + 1), y0 - reach + scale(u[1], 2 * reach + 1)
    own = field.levels(cell, x, y, inside)
    level = field.levels(others[:, None], x[None, :], y[None, :], inside)
    here = np.flatnonzero(own >= level.max(axis=0))
    if not len(here):
        return
    here = np.resize(here, SPOTS)
    mates = np.flatnonzero(layout.lac[others] == layout.lac[cell])
    behind = own[here] - level[np.ix_(mates, here)]
    order = np.argsort(behind, axis=0, kind="stable")[:RIVALS]
    found = others[mates][order].T
    many = found.shape[1]
    rest.rivals[cell, :, :many] = found
    rest.behind_cdb[cell, :, :many] = np.minimum(np.take_along_axis(behind, order, axis=0), _FAR_CDB).T
    # The first of a site gives the deviate that is of its number, and others of the site have the same.
    sites = np.concatenate([np.full((SPOTS, 1), site[cell]), site[found]], axis=1)
    rest.walls[cell, :, :many] = (sites[:, :, None] == sites[:, None, :]).argmax(axis=2)[:, 1:]


def cells_at_rest(
    rest: Rest, draws: Draws, sub: ArrayLike, cell: ArrayLike, hour: ArrayLike
) -> NDArray[np.int32]:
    """The cells that serve subscribers who stay in cells, in hours of the world; all three broadcast."""
    who, home, when = (np.asarray(v).astype(np.int64) for v in np.broadcast_arrays(sub, cell, hour))
    shape = who.shape
    who, home, when = who.reshape(-1), home.reshape(-1), when.reshape(-1)
    out = home.astype(np.int32)
    some = np.flatnonzero(rest.rivals[home, 0, 0] >= 0)
    if len(some):
        out[some] = _strongest(rest, draws, who[some], home[some], when[some])
    return out.reshape(shape)


def _strongest(rest: Rest, draws: Draws, who: I64, home: I64, hour: I64) -> NDArray[np.int32]:
    of_day = hour % 24
    night = of_day < NIGHT_H
    usual = draws.block("usual_room", who, np.where(night, 0, of_day), home)
    other = draws.block("other_room", who, np.where(night, hour - of_day, hour), home)
    words = np.where(other[3].astype(np.uint64) < KEPT_Q32, usual, other)
    spot = draws.block("usual_room", who, _HOME_OF_SPOT, home)[0] >> np.uint32(27)
    room = np.stack([NORMAL.quantile(u) for u in _five(words)]) * rest.room_cdb[home].astype(np.int64) >> 16
    rivals, behind, walls = rest.rivals[home, spot], rest.behind_cdb[home, spot], rest.walls[home, spot]
    best, serving = room[0], home.astype(np.int32)
    for k in range(RIVALS):
        level = np.take_along_axis(room, walls[None, :, k].astype(np.int64), axis=0)[0] - behind[:, k]
        stronger = (rivals[:, k] >= 0) & (level > best)
        best, serving = np.where(stronger, level, best), np.where(stronger, rivals[:, k], serving)
    return serving


def _five(words: U32) -> list[U32]:
    """Five words out of three: halves of the first two, each in the middle of its step, and the third."""
    low, high, middle = np.uint32(16), np.uint32(0xFFFF0000), np.uint32(0x8000)
    halves = [half for word in words[:2] for half in (word << low | middle, word & high | middle)]
    return [*halves, words[2]]
