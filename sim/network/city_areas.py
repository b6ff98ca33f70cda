"""Location areas, BSCs and MSCs of a drawn city: compact pieces of ground, each inside one of the next size.

The ground is cut in two again and again, across its longer side, so that each side gets cells in proportion
to the areas it will hold: first into MSCs, each of these into BSCs, each of those into location areas. Cuts
go between sites where the sizes allow it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.network.layout import I32, I64, U8, U16
from sim.scenario import CityScenario

FEWEST_CELLS: Final = 80
MOST_CELLS: Final = 120
"""Cells in a location area of networks of that time."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Who belongs to what; areas, BSCs and MSCs are numbered in the order of the cuts."""

    area: I32
    bsc: U8
    areas_of_bsc: tuple[tuple[int, ...], ...]
    msc_of_bsc: tuple[int, ...]


def number_of_areas(cells: int, aim: int, at_least: int) -> int:
    """How many location areas so many cells make; 80..120 cells each from 200 cells on."""
    count = (2 * cells + aim) // (2 * aim)
    if cells >= 200:
        count = min(max(count, -(-cells // MOST_CELLS)), cells // FEWEST_CELLS)
    return max(count, at_least, 1)


def group_cells(x_m: I32, y_m: I32, city: CityScenario) -> Grouping:
    """Groups cells by their position."""
    x, y = x_m.astype(np.int64), y_m.astype(np.int64)
    everything = np.arange(len(x))
    total = number_of_areas(len(x), city.area_cells, city.mscs)
    area = np.zeros(len(x), dtype=np.int32)
    bsc = np.zeros(len(x), dtype=np.uint8)
    areas_of_bsc: list[tuple[int, ...]] = []
    msc_of_bsc: list[int] = []
    first = 0
    per_msc = even(total, city.mscs)
    for msc, (mine, areas) in enumerate(zip(cut(x, y, everything, per_msc), per_msc, strict=True)):
        per_bsc = even(areas, max(1, (2 * areas + city.bsc_areas) // (2 * city.bsc_areas)))
        for cells, count in zip(cut(x, y, mine, per_bsc), per_bsc, strict=True):
            bsc[cells] = len(areas_of_bsc)
            for number, part in enumerate(cut(x, y, cells, [1] * count)):
                area[part] = first + number
            areas_of_bsc.append(tuple(range(first, first + count)))
            msc_of_bsc.append(msc)
            first += count
    return Grouping(area, bsc, tuple(areas_of_bsc), tuple(msc_of_bsc))


def even(total: int, parts: int) -> list[int]:
    """A total in parts that differ by one at most."""
    return [total * (i + 1) // parts - total * i // parts for i in range(parts)]


def cut(x: I64, y: I64, members: I64, areas: list[int]) -> list[I64]:
    """Cells in pieces that will hold so many areas each."""
    if len(areas) == 1:
        return [members]
    half = len(areas) // 2
    left, total = sum(areas[:half]), sum(areas)
    mx, my = x[members], y[members]
    wide = int(np.ptp(mx)) >= int(np.ptp(my))
    order = members[np.lexsort((members, my, mx) if wide else (members, mx, my))]
    at = _between_sites(x[order], y[order], len(order) * left // total, left, total)
    return cut(x, y, order[:at], areas[:half]) + cut(x, y, order[at:], areas[half:])


def _between_sites(x: I64, y: I64, exact: int, left: int, total: int) -> int:
    """The cut between two sites nearest to an exact one, within the sizes; the exact one if there is none."""
    n = len(x)
    cuts = np.flatnonzero((np.diff(x) != 0) | (np.diff(y) != 0)) + 1
    if FEWEST_CELLS * total <= n <= MOST_CELLS * total:
        low = max(FEWEST_CELLS * left, n - MOST_CELLS * (total - left))
        high = min(MOST_CELLS * left, n - FEWEST_CELLS * (total - left))
        cuts = cuts[(cuts >= low) & (cuts <= high)]
        exact = min(max(exact, low), high)
    if len(cuts) == 0:
        return exact
    return int(cuts[np.argmin(np.abs(cuts - exact))])


def codes(grouping: Grouping, city: CityScenario) -> U16:
    """Location area codes of the cells."""
    return (city.first_lac + grouping.area).astype(np.uint16)
