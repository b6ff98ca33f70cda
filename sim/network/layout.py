"""A map before its routes: the columns that a generator or a cell list fills in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
I16 = NDArray[np.int16]
U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]
Edge = tuple[int, int, int]
"""A neighbour relation: lower cell, higher cell, metres from spot to spot."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place where people go on purpose."""

    name: str
    kind: str
    cells: tuple[int, ...]
    """Cell indices: its own indoor cells, or the one cell that it lies in."""
    own: bool = True
    """Whether these cells are its own; a place without own cells cannot be told from its surroundings."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Cells with all that is given of them; columns as in `Topology`."""

    lac: U16
    ci: U16
    bsc: U8
    kind: U8
    place: I16
    x_m: I32
    y_m: I32
    azimuth_deg: I16
    power_dbm: I16
    trx: U8
    places: tuple[Place, ...]
    """First those with own cells in the order of their cells, then the others in the order of theirs."""
    bsc_point_codes: tuple[int, ...]
    msc_point_codes: tuple[int, ...]
    msc_of_bsc: tuple[int, ...]
    las_of_bsc: tuple[tuple[int, ...], ...]
    spot_x_m: I32
    spot_y_m: I32
    edges: list[Edge]
    lines: tuple[tuple[str, str, tuple[tuple[int, int], ...]], ...] = ()
    """Roads and railways for maps: name, kind, corners in metres."""


def own_places(names: list[tuple[str, str]], place: I16) -> tuple[Place, ...]:
    """Places with cells of their own, from their names and kinds and the column of cells."""
    return tuple(
        Place(name, kind, tuple(np.flatnonzero(place == index).tolist()))
        for index, (name, kind) in enumerate(names)
    )
