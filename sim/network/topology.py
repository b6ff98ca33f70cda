"""The network as a map: cells, their areas and controllers, who is neighbour of whom, places.

A town is a hexagonal grid of cells round the centre, indoor cells at the places, and road cells out to places
that lie beyond the grid. Cells are numbered by position in the columns; location areas are strips from west
to east, except that a place may have a location area of its own (the airport has). Distances are integers:
routes are the same on every machine.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Final

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from sim.draws import Draws, scale
from sim.scenario import NetworkScenario, PlaceScenario, WorldScenario

I32 = NDArray[np.int32]
I16 = NDArray[np.int16]

MACRO, INDOOR, ROAD = 0, 1, 2
CELL_KINDS: Final = ("macro", "indoor", "road")
"""Names of the values of `Topology.kind`."""

_FAR = 1 << 29  # metres; more than any route


@dataclass(frozen=True, slots=True)
class Place:
    """A place with indoor cells of its own."""

    name: str
    kind: str
    cells: tuple[int, ...]
    """Cell indices."""


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """Columns over cells (index 0 .. n - 1) and what follows from them."""

    lac: NDArray[np.uint16]
    ci: NDArray[np.uint16]
    bsc: NDArray[np.uint8]
    """Index into `bsc_point_codes`."""
    place: I16
    """Index into `places`, -1 outside all of them."""
    kind: NDArray[np.uint8]
    """MACRO, INDOOR or ROAD."""
    x_m: I32
    y_m: I32
    neighbour_start: I32
    """Neighbours of cell c are `neighbour_cells[neighbour_start[c] : neighbour_start[c + 1]]`, ascending."""
    neighbour_cells: I32
    distance_m: I32
    """Route length between two cells along neighbours, metres; shape (n, n)."""
    next_cell: I16
    """First cell of the route from row to column (the column itself when neighbour or equal); shape (n,
    n).
    """
    hops: I16
    """Number of cell changes on the route; shape (n, n)."""
    places: tuple[Place, ...]
    bsc_point_codes: tuple[int, ...]
    msc_point_code: int
    las_of_bsc: tuple[tuple[int, ...], ...]
    """Location area codes of each BSC."""
    graph: nx.Graph[int]
    """Cells as nodes (lac, ci, bsc, place, kind, x_m, y_m), neighbour relations as edges (distance_m)."""

    @property
    def n(self) -> int:
        """Number of cells."""
        return len(self.lac)

    def neighbours(self, cell: int) -> I32:
        """Neighbour cells, ascending."""
        return self.neighbour_cells[self.neighbour_start[cell] : self.neighbour_start[cell + 1]]

    def cells_of_kind(self, kind: str) -> I32:
        """Cells of all places of a kind, ascending; empty if the world has none."""
        return np.array(sorted(c for p in self.places if p.kind == kind for c in p.cells), dtype=np.int32)

    def place_index(self, name: str) -> int:
        """Index of a place by name. Raises KeyError."""
        for index, place in enumerate(self.places):
            if place.name == name:
                return index
        raise KeyError(name)

    def cells_csv(self, path: str | Path) -> None:
        """Writes the cell list that the platform reads: lac, ci, place (name or empty), kind."""
        with Path(path).open("w", newline="", encoding="utf-8") as out:
            rows = csv.writer(out, lineterminator="\n")
            rows.writerow(["lac", "ci", "place", "kind"])
            for cell in range(self.n):
                at = int(self.place[cell])
                name, kind = (
                    (self.places[at].name, self.places[at].kind)
                    if at >= 0
                    else ("", CELL_KINDS[self.kind[cell]])
                )
                rows.writerow([int(self.lac[cell]), int(self.ci[cell]), name, kind])


def build_topology(scenario: WorldScenario, draws: Draws) -> Topology:
    """Lays out the cells of a world."""
    x, y, kind, place = _positions(scenario, draws)
    edges = _edges(x, y, kind, place, scenario.network.spacing_m)
    lac, bsc = _areas(x, y, place, scenario.places, scenario.network)
    distance, following, hops = _routes(len(x), edges)
    ci = (scenario.network.first_ci + np.arange(len(x))).astype(np.uint16)
    both = sorted([(a, b) for a, b, _ in edges] + [(b, a) for a, b, _ in edges])
    counts = np.bincount([a for a, _ in both], minlength=len(x))
    places = tuple(
        Place(p.name, p.kind, tuple(int(c) for c in np.flatnonzero(place == index)))
        for index, p in enumerate(scenario.places)
    )
    graph: nx.Graph[int] = nx.Graph()
    for c in range(len(x)):
        graph.add_node(
            c, lac=int(lac[c]), ci=int(ci[c]), bsc=int(bsc[c]), x_m=int(x[c]), y_m=int(y[c]),
            kind=CELL_KINDS[kind[c]], place=places[place[c]].name if place[c] >= 0 else "",
        )  # fmt: skip
    for a, b, metres in edges:
        graph.add_edge(a, b, distance_m=metres)
    return Topology(
        lac=lac,
        ci=ci,
        bsc=bsc,
        place=place,
        kind=kind,
        x_m=x,
        y_m=y,
        neighbour_start=np.concatenate(([0], np.cumsum(counts))).astype(np.int32),
        neighbour_cells=np.array([b for _, b in both], dtype=np.int32),
        distance_m=distance,
        next_cell=following,
        hops=hops,
        places=places,
        bsc_point_codes=tuple(b.point_code for b in scenario.network.bscs),
        msc_point_code=scenario.network.msc_point_code,
        las_of_bsc=tuple(tuple(b.lacs) for b in scenario.network.bscs),
        graph=graph,
    )


def _positions(scenario: WorldScenario, draws: Draws) -> tuple[I32, I32, NDArray[np.uint8], I16]:
    """Grid cells first, then roads, then the indoor cells of the places in their order."""
    spacing = scenario.network.spacing_m
    indoor = sum(p.cells for p in scenario.places)
    outside = scenario.network.cells - indoor
    # Roads take a quarter of the cells outside places at most; the rest is the town, whose radius follows.
    radius = isqrt(outside * spacing * spacing * 28 // 100)
    roads: list[tuple[int, int]] = []
    for p in scenario.places:
        roads += _road(round(p.x_km * 1000), round(p.y_km * 1000), radius, 2 * spacing)
    roads = roads[: outside // 4]
    town = _grid(outside - len(roads), spacing)
    shift = scale(draws.block("cell_position", np.arange(len(town)))[:2], spacing // 5) - spacing // 10
    town_xy = np.array(town, dtype=np.int64).T + shift
    xs, ys = [int(v) for v in town_xy[0]], [int(v) for v in town_xy[1]]
    kinds, places = [MACRO] * len(town), [-1] * len(town)
    for rx, ry in roads:
        xs.append(rx)
        ys.append(ry)
        kinds.append(ROAD)
        places.append(-1)
    for index, p in enumerate(scenario.places):
        for number in range(p.cells):
            xs.append(round(p.x_km * 1000) + 120 * (number % 3))
            ys.append(round(p.y_km * 1000) + 120 * (number // 3))
            kinds.append(INDOOR)
            places.append(index)
    return (
        np.array(xs, dtype=np.int32),
        np.array(ys, dtype=np.int32),
        np.array(kinds, dtype=np.uint8),
        np.array(places, dtype=np.int16),
    )


def _grid(count: int, spacing: int) -> list[tuple[int, int]]:
    """The `count` points of a hexagonal grid nearest to the centre."""
    reach = isqrt(count) + 3
    rise = spacing * 866 // 1000
    points = [
        (column * spacing + (spacing // 2 if row % 2 else 0), row * rise)
        for row in range(-reach, reach + 1)
        for column in range(-reach, reach + 1)
    ]
    return sorted(points, key=lambda p: (p[0] * p[0] + p[1] * p[1], p[1], p[0]))[:count]


def _road(x: int, y: int, radius: int, step: int) -> list[tuple[int, int]]:
    """Cells along the straight road from the edge of the town to a place beyond it."""
    length = isqrt(x * x + y * y)
    return [
        (x * along // length, y * along // length) for along in range(radius + step, length - step // 2, step)
    ]


def _edges(x: I32, y: I32, kind: NDArray[np.uint8], place: I16, spacing: int) -> list[tuple[int, int, int]]:
    """Neighbour relations (lower cell, higher cell, metres), sorted; the graph is connected."""
    n = len(x)
    dx, dy = x.astype(np.int64)[:, None] - x[None, :], y.astype(np.int64)[:, None] - y[None, :]
    square = dx * dx + dy * dy
    pairs: set[tuple[int, int]] = set()

    def join(a: int, b: int) -> None:
        pairs.add((min(a, b), max(a, b)))

    outdoor = np.flatnonzero(kind != INDOOR)
    town = np.flatnonzero(kind == MACRO)
    near = square[np.ix_(town, town)] <= (spacing * 135 // 100) ** 2
    for a, b in np.argwhere(np.triu(near, 1)):
        join(int(town[a]), int(town[b]))
    for cell in np.flatnonzero(kind == ROAD):  # a road cell knows the two nearest cells outside places
        others = outdoor[outdoor != cell]
        for other in others[np.argsort(square[cell, others], kind="stable")[:2]]:
            join(int(cell), int(other))
    for cell in np.flatnonzero(
        kind == INDOOR
    ):  # an indoor cell knows its fellows and the cells around the place
        for fellow in np.flatnonzero(place == place[cell]):
            if fellow != cell:
                join(int(cell), int(fellow))
        ranked = outdoor[np.argsort(square[cell, outdoor], kind="stable")[:3]]
        for rank, other in enumerate(ranked):
            if rank == 0 or square[cell, other] <= spacing * spacing:
                join(int(cell), int(other))
    group = _components(n, pairs)
    while len(set(group)) > 1:  # bridge the nearest two cells of separate pieces
        apart = np.array(group)[:, None] != np.array(group)[None, :]
        a, b = divmod(int(np.argmin(np.where(apart, square, np.iinfo(np.int64).max))), n)
        join(a, b)
        group = _components(n, pairs)
    return [(a, b, max(1, isqrt(int(square[a, b])))) for a, b in sorted(pairs)]


def _components(n: int, pairs: set[tuple[int, int]]) -> list[int]:
    parent = list(range(n))

    def root(a: int) -> int:
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        return a

    for a, b in pairs:
        parent[max(root(a), root(b))] = min(root(a), root(b))
    return [root(a) for a in range(n)]


def _areas(
    x: I32, y: I32, place: I16, places: list[PlaceScenario], network: NetworkScenario
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Location area and BSC index of every cell: strips in order of LAC from west to east, or a place."""
    of_bsc = {lac: index for index, bsc in enumerate(network.bscs) for lac in bsc.lacs}
    own = {p.lac for p in places if p.lac is not None}
    strips = sorted(lac for lac in of_bsc if lac not in own)
    apart = np.array([p >= 0 and places[p].lac is not None for p in place])
    lac = np.zeros(len(x), dtype=np.uint16)
    common = np.flatnonzero(~apart)
    westward = common[np.lexsort((y[common], x[common]))]
    lac[westward] = np.array(strips, dtype=np.uint16)[np.arange(len(westward)) * len(strips) // len(westward)]
    for index, p in enumerate(places):
        if p.lac is not None:
            lac[place == index] = p.lac
    return lac, np.array([of_bsc[int(code)] for code in lac], dtype=np.uint8)


def _routes(n: int, edges: list[tuple[int, int, int]]) -> tuple[I32, I16, I16]:
    """Shortest routes between all cells: Floyd and Warshall, all pairs at once for each cell between."""
    distance = np.full((n, n), _FAR, dtype=np.int64)
    following = np.broadcast_to(np.arange(n), (n, n)).astype(np.int16)
    hops = np.zeros((n, n), dtype=np.int16)
    np.fill_diagonal(distance, 0)
    for a, b, metres in edges:
        distance[a, b] = distance[b, a] = metres
        hops[a, b] = hops[b, a] = 1
    for via in range(n):
        through = distance[:, via, None] + distance[None, via, :]
        better = through < distance
        distance = np.where(better, through, distance)
        following = np.where(better, following[:, via, None], following)
        hops = np.where(better, hops[:, via, None] + hops[None, via, :], hops).astype(np.int16)
    return distance.astype(np.int32), following, hops
