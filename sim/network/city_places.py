"""Which places a drawn city has and where: those given by hand, and the kinds of the table by inhabitants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from sim.draws import Draws, scale
from sim.network.radio import ahead
from sim.place_kinds import KIND_INDEX, PLACE_KINDS
from sim.scenario import WorldScenario

RINGS = {
    "centre": (0, 16),
    "town": (6, 60),
    "edge": (45, 95),
    "beyond": (115, 140),
    "road": (85, 110),
    "rail": (8, 20),
}
"""Between which hundredths of a town's reach a kind of site lies; lines: where no line passes."""


@dataclass(frozen=True, slots=True)
class PlannedPlace:
    """A place before the network is built around it."""

    name: str
    kind: str
    x: int
    y: int
    """Metres."""
    cells: int
    """Indoor cells wished for, or given."""
    rank: int
    """How many of its kind come before it."""
    order: int
    """Row of its kind."""
    where: str
    given: bool = False
    lac: int | None = None

    def with_cells(self, cells: int) -> Self:
        return replace(self, cells=cells)

    def at(self, x: int, y: int) -> Self:
        return replace(self, x=x, y=y)


def named_places(scenario: WorldScenario) -> list[PlannedPlace]:
    """The places that the world file gives."""
    counted: dict[str, int] = {}
    found = []
    for place in scenario.places:
        rank = counted.get(place.kind, 0)
        counted[place.kind] = rank + 1
        found.append(
            PlannedPlace(
                place.name,
                place.kind,
                round(place.x_km * 1000),
                round(place.y_km * 1000),
                place.cells,
                rank,
                KIND_INDEX[place.kind],
                PLACE_KINDS[KIND_INDEX[place.kind]].where,
                True,
                place.lac,
            )
        )
    return found


def planned_places(
    scenario: WorldScenario, draws: Draws, towns: list[tuple[int, int, int]]
) -> list[PlannedPlace]:
    """The generated places: of every kind by the number of inhabitants, at least one, less those given.

    `towns`: centre and reach of each, metres; the first place of a kind is in the first town.
    """
    city = scenario.network.city
    if city is None or not city.generated_places:
        return []
    taken = {place.name for place in scenario.places}
    bounds = np.cumsum([round(town.share * 1000) + 1 for town in city.towns])
    found: list[PlannedPlace] = []
    for order, row in enumerate(PLACE_KINDS):
        given = sum(place.kind == row.name for place in scenario.places)
        count = max(row.per_100k * scenario.subscribers // 100_000, 1)
        u = draws.block("place_site", np.arange(max(count, 1)), order)
        low, high = RINGS[row.where]
        hundredths = low + scale(u[1], high - low + 1)
        degrees = scale(u[0], 360)
        town_of = np.searchsorted(bounds, scale(u[2], int(bounds[-1])), side="right")
        for rank in range(given, count):
            tx, ty, r = towns[0 if rank == 0 else int(town_of[rank])]
            dx, dy = ahead(degrees[rank], r * hundredths[rank] // 100)
            name = row.name if count == 1 and row.name not in taken else f"{row.name}-{rank + 1}"
            while name in taken:
                name += "-x"
            taken.add(name)
            found.append(
                PlannedPlace(name, row.name, tx + int(dx), ty + int(dy), row.cells, rank, order, row.where)
            )
    return found
