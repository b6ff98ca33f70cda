"""A drawn city or province: towns dense in the middle, lines between them, indoor cells at places.

A town is a hexagonal grid pulled outward: a site at the distance r of the grid stands at r (1 + 3 r / 2 R), R
the grid's radius, so that sites at the edge are four times as far apart, outward, as in the middle. The inner
sites have three sectors, the outer ones antennas in all directions. Roads have cells of their own outside
the towns, railways nearly all along, remote places one cell outside. Order of the cells: towns, lines, remote
places, indoor cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import isqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.cell_list import INDOOR, MACRO, RAIL, ROAD
from sim.draws import Draws, scale
from sim.network.capacity import transceivers_for
from sim.network.city_areas import codes, group_cells
from sim.network.city_demand import Centre, indoor_load_cerl, with_enough_cells
from sim.network.city_neighbours import clear_field, neighbour_edges, spots_of
from sim.network.city_places import PlannedPlace, named_places, planned_places
from sim.network.kernel.field import Field
from sim.network.layout import I16, I32, U8, U16, Layout, Place
from sim.network.town_layout import (
    INDOOR_DBM,
    LINE_DBM,
    OMNI_DBM,
    busy_load_cerl,
    hexagonal,
    indoor_position,
)
from sim.scenario import CityScenario, LineScenario, WorldScenario

SECTOR_DBM: Final = 54
SECTORS: Final = 3
REMOTE_M: Final = 1500
"""As far as a cell along a line is taken to cover a place."""

Corners = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Town:
    """A town on the ground."""

    x: int
    y: int
    cells: int
    sectors: int
    """How many of its sites have three sectors."""
    sites: int
    radius: int
    """Of its grid before it is pulled outward, metres; it ends at five halves of that."""

    @property
    def reach(self) -> int:
        """Distance of its outermost sites, metres."""
        return self.radius * 5 // 2


@dataclass(slots=True)
class _Cells:
    """Columns as they grow."""

    x: list[int]
    y: list[int]
    kind: list[int]
    azimuth: list[int]
    power: list[int]
    place: list[int]

    def add(self, x: int, y: int, kind: int, power: int, azimuth: int = -1, place: int = -1) -> None:
        self.x.append(x)
        self.y.append(y)
        self.kind.append(kind)
        self.azimuth.append(azimuth)
        self.power.append(power)
        self.place.append(place)


def city_layout(scenario: WorldScenario, draws: Draws) -> Layout:
    """Lays out the cells of a drawn city."""
    network = scenario.network
    city = network.city
    if city is None:
        raise ValueError("a city to draw")
    rough = _towns(city, network.cells * 7 // 10, network.spacing_m)
    given = named_places(scenario)
    wanted = planned_places(scenario, draws, [(t.x, t.y, t.reach) for t in rough])
    own, inside = _with_cells([*given, *wanted], scenario, _centres(rough))
    lines = _lines(city, rough, own, draws)
    indoor = sum(place.cells for place in own)
    budget = min(int(network.cells * city.line_share), network.cells - 2 * indoor - 4 * len(city.towns))
    along = _cells_along(lines, rough, budget, network.spacing_m)
    remote = _remote(own, rough, along)
    towns = _towns(city, network.cells - indoor - len(along) - len(remote), network.spacing_m)

    cells = _Cells([], [], [], [], [], [])
    for number, town in enumerate(towns):
        _add_town(cells, town, network.spacing_m, number, draws)
    for lx, ly, line_kind in along:
        cells.add(lx, ly, line_kind, LINE_DBM)
    for place in remote:
        cells.add(place.x - 150, place.y - 150, MACRO, OMNI_DBM)
    own, inside = _at_lines(own, inside, along, towns[0])
    for index, place in enumerate(own):
        for count in range(place.cells):
            px, py = indoor_position(place.x, place.y, count)
            cells.add(px, py, INDOOR, INDOOR_DBM, place=index)

    x, y = np.array(cells.x, dtype=np.int32), np.array(cells.y, dtype=np.int32)
    kind = np.array(cells.kind, dtype=np.uint8)
    azimuth, column = np.array(cells.azimuth, dtype=np.int16), np.array(cells.place, dtype=np.int16)
    power = np.array(cells.power, dtype=np.int16)
    spot_x, spot_y = spots_of(x, y, kind, azimuth)
    outdoor = np.flatnonzero(kind != INDOOR)
    lac, bsc, las_of_bsc, msc_of_bsc = _grouped(x, y, kind, column, own, city)
    return Layout(
        lac=lac,
        ci=(network.first_ci + np.arange(len(x))).astype(np.uint16),
        bsc=bsc,
        kind=kind,
        place=column,
        x_m=x,
        y_m=y,
        azimuth_deg=azimuth,
        power_dbm=power,
        trx=_transceivers(
            kind, scenario.subscribers, indoor_load_cerl(scenario, _centres(towns), own, column)
        ),
        places=_places(column, own, inside, outdoor, clear_field(x, y, kind, azimuth, power, outdoor)),
        bsc_point_codes=tuple(city.first_bsc_point_code + i for i in range(len(las_of_bsc))),
        msc_point_codes=tuple(network.msc_point_code + i for i in range(city.mscs)),
        msc_of_bsc=msc_of_bsc,
        las_of_bsc=las_of_bsc,
        spot_x_m=spot_x,
        spot_y_m=spot_y,
        edges=neighbour_edges(x, y, kind, column, azimuth, power, spot_x, spot_y),
        lines=tuple((line.name, line.kind, tuple(corners)) for line, corners in lines),
    )


def _towns(city: CityScenario, cells: int, spacing: int) -> list[Town]:
    """The towns with their parts of so many cells."""
    shares = [round(town.share * 1000) + 1 for town in city.towns]
    bounds = [cells * sum(shares[:i]) // sum(shares) for i in range(len(shares) + 1)]
    towns = []
    for town, low, high in zip(city.towns, bounds[:-1], bounds[1:], strict=True):
        count = high - low
        sectors = int(count * city.sector_share) // SECTORS
        sites = count - sectors * (SECTORS - 1)
        radius = max(isqrt(sites * spacing * spacing * 276 // 1000), spacing)
        towns.append(Town(round(town.x_km * 1000), round(town.y_km * 1000), count, sectors, sites, radius))
    return towns


def _add_town(cells: _Cells, town: Town, spacing: int, number: int, draws: Draws) -> None:
    grid = np.array(hexagonal(town.sites, spacing), dtype=np.int64).reshape(-1, 2)
    u = draws.block("cell_position", np.arange(len(grid)), number)
    for i, (gx, gy) in enumerate(grid.tolist()):
        r = isqrt(gx * gx + gy * gy)
        # How much wider the sites stand here, in halves of 1 / radius.
        wide = 2 * town.radius + 3 * r
        sway = spacing * wide // (10 * 2 * town.radius)
        x = town.x + gx * wide // (2 * town.radius) + int(scale(u[0, i], 2 * sway + 1)) - sway
        y = town.y + gy * wide // (2 * town.radius) + int(scale(u[1, i], 2 * sway + 1)) - sway
        if i < town.sectors:
            turn = int(scale(u[2, i], 17)) - 8
            for sector in range(SECTORS):
                cells.add(x, y, MACRO, SECTOR_DBM, (120 * sector + turn) % 360)
        else:
            cells.add(x, y, MACRO, OMNI_DBM)


def _centres(towns: list[Town]) -> list[Centre]:
    return [Centre(town.x, town.y, town.cells) for town in towns]


def _with_cells(
    places: list[PlannedPlace], scenario: WorldScenario, towns: list[Centre]
) -> tuple[list[PlannedPlace], list[PlannedPlace]]:
    """Places with cells of their own, while the network can afford them, and those without."""
    cells = scenario.network.cells
    budget = cells // 5 if cells >= 300 else cells * 3 // 10
    own: list[PlannedPlace] = []
    for place in sorted(places, key=lambda p: (not p.given, p.rank, p.order)):
        wanted = place.cells if place.given or cells >= 300 else min(place.cells, 1)
        if wanted and (place.given or wanted <= budget):
            budget -= wanted
            own.append(place.with_cells(wanted))
    names = {place.name for place in own}
    order = {place.name: index for index, place in enumerate(places)}
    own.sort(key=lambda p: order[p.name])
    own = with_enough_cells(own, scenario, towns, max(budget, 0))
    return own, [place for place in places if place.name not in names]


def _lines(
    city: CityScenario, towns: list[Town], own: list[PlannedPlace], draws: Draws
) -> list[tuple[LineScenario, Corners]]:
    """The given lines; or a road and a railway between towns, two roads and one railway through a town."""
    if city.lines is not None:
        return [
            (line, [(round(x * 1000), round(y * 1000)) for x, y in line.points_km]) for line in city.lines
        ]
    found: list[tuple[LineScenario, Corners]] = []

    def draw(kind: str, name: str, ends: Corners) -> None:
        corners = _bent(ends, 12 if kind == "road" else 25, len(found), draws)
        line = LineScenario.model_validate({"name": name, "kind": kind, "points_km": [[0, 0], [0, 0]]})
        found.append((line, corners))

    if len(towns) == 1:
        t, r = towns[0], towns[0].reach
        draw(
            "road", "road-1", [(t.x - 2 * r, t.y + r // 4), (t.x, t.y + r // 8), (t.x + 2 * r, t.y - r // 4)]
        )
        draw(
            "road", "road-2", [(t.x - r // 5, t.y - 2 * r), (t.x - r // 8, t.y), (t.x + r // 4, t.y + 2 * r)]
        )
        draw(
            "rail", "rail-1", [(t.x - 2 * r, t.y - r), (t.x - r // 10, t.y - r // 10), (t.x + 2 * r, t.y + r)]
        )
    for number, (a, b) in enumerate(_spanning_tree(towns), 1):
        ends = [(towns[a].x, towns[a].y), (towns[b].x, towns[b].y)]
        draw("road", f"road-{number}", ends)
        beside = [(x + towns[0].radius // 6, y - towns[0].radius // 6) for x, y in ends]
        draw("rail", f"rail-{number}", beside)
    for place in own:
        if place.kind == "airport":
            town = min(towns, key=lambda t: (t.x - place.x) ** 2 + (t.y - place.y) ** 2)
            draw("road", f"road-{place.name}", [(town.x, town.y), (place.x, place.y)])
    return found


def _bent(ends: Corners, stiffness: int, number: int, draws: Draws) -> Corners:
    """A course through given points, swaying between them by up to one part in `stiffness` of each piece."""
    corners = ends[:1]
    for piece, ((ax, ay), (bx, by)) in enumerate(pairwise(ends)):
        sway = scale(draws.block("layout", number, piece), 2049) - 1024
        for step, aside in enumerate(sway.tolist()[:3], 1):
            x = ax + (bx - ax) * step // 4 - (by - ay) * aside // (1024 * stiffness)
            y = ay + (by - ay) * step // 4 + (bx - ax) * aside // (1024 * stiffness)
            corners.append((x, y))
        corners.append((bx, by))
    return corners


def _spanning_tree(towns: list[Town]) -> list[tuple[int, int]]:
    """The shortest network of roads that joins all towns."""
    joined, roads = [0], []
    while len(joined) < len(towns):
        _, a, b = min(
            ((towns[a].x - towns[b].x) ** 2 + (towns[a].y - towns[b].y) ** 2, a, b)
            for a in joined
            for b in range(len(towns))
            if b not in joined
        )
        joined.append(b)
        roads.append((a, b))
    return roads


def _cells_along(
    lines: list[tuple[LineScenario, Corners]], towns: list[Town], budget: int, spacing: int
) -> list[tuple[int, int, int]]:
    """Cells along lines (x, y, kind), evenly, at most `budget`; roads have none inside towns."""
    points: list[tuple[int, int, int]] = []
    for line, corners in lines:
        kind = ROAD if line.kind == "road" else RAIL
        for (ax, ay), (bx, by) in pairwise(corners):
            steps = max(1, isqrt((bx - ax) ** 2 + (by - ay) ** 2) // 100)
            for step in range(steps):
                x, y = ax + (bx - ax) * step // steps, ay + (by - ay) * step // steps
                if not any(_inside(t, x, y, 8 if kind == ROAD else 2) for t in towns):
                    points.append((x, y, kind))
    if budget <= 0 or not points:
        return []
    every = max(-(-len(points) // budget), spacing // 100, 1)
    return points[every // 2 :: every]


def _remote(
    own: list[PlannedPlace], towns: list[Town], along: list[tuple[int, int, int]]
) -> list[PlannedPlace]:
    """Places with cells of their own that need one outside as well, since no other covers the ground."""
    return [
        place
        for place in own
        if not any(_inside(town, place.x, place.y, 9) for town in towns)
        and all((x - place.x) ** 2 + (y - place.y) ** 2 > REMOTE_M**2 for x, y, _ in along)
        and (place.given or place.where not in ("road", "rail"))
    ]


def _inside(town: Town, x: int, y: int, tenths: int) -> bool:
    reach = town.reach * tenths // 10
    return (x - town.x) ** 2 + (y - town.y) ** 2 < reach * reach


def _at_lines(
    own: list[PlannedPlace], inside: list[PlannedPlace], along: list[tuple[int, int, int]], main: Town
) -> tuple[list[PlannedPlace], list[PlannedPlace]]:
    """Puts what belongs at a road or a railway there: stations near the centre, the others all along."""
    by_kind: dict[str, list[tuple[int, int, int]]] = {
        "rail": [p for p in along if p[2] == RAIL],
        "road": [p for p in along if p[2] == ROAD],
    }
    for points in by_kind.values():
        points.sort(key=lambda p: ((p[0] - main.x) ** 2 + (p[1] - main.y) ** 2, p))

    def moved(place: PlannedPlace) -> PlannedPlace:
        points = by_kind.get(place.where, [])
        if place.given or not points:
            return place
        # The first station is the one nearest to the centre; the rest lie apart from each other.
        x, y, _ = points[(place.rank * 7 + (3 if place.where == "road" else 0)) % len(points)]
        return place.at(x + 90, y - 90)

    return [moved(p) for p in own], [moved(p) for p in inside]


def _grouped(
    x: I32, y: I32, kind: U8, column: I16, own: list[PlannedPlace], city: CityScenario
) -> tuple[U16, U8, tuple[tuple[int, ...], ...], tuple[int, ...]]:
    """Areas and controllers; a place with an area of its own hangs on the BSC of the cells around it."""
    apart = np.array([p >= 0 and own[p].lac is not None for p in column])
    common = np.flatnonzero(~apart)
    grouping = group_cells(x[common], y[common], city)
    lac, bsc = np.zeros(len(x), dtype=np.uint16), np.zeros(len(x), dtype=np.uint8)
    lac[common], bsc[common] = codes(grouping, city), grouping.bsc
    las = [[city.first_lac + area for area in areas] for areas in grouping.areas_of_bsc]
    outdoor = np.flatnonzero(kind != INDOOR)
    for index, place in enumerate(own):
        if place.lac is not None:
            cells = np.flatnonzero(column == index)
            squares = (x[outdoor].astype(np.int64) - x[cells[0]]) ** 2
            squares += (y[outdoor].astype(np.int64) - y[cells[0]]) ** 2
            lac[cells], bsc[cells] = place.lac, bsc[outdoor[int(np.argmin(squares))]]
            mine = las[int(bsc[cells[0]])]
            if place.lac not in mine:
                mine.append(place.lac)
    return lac, bsc, tuple(tuple(sorted(each)) for each in las), grouping.msc_of_bsc


def _transceivers(kind: U8, subscribers: int, indoors: NDArray[np.int64]) -> U8:
    """Transceivers by the load to plan for; a cell along a line has half the load of the others.

    `indoors`: load of those who live or work in the cell.
    """
    halves = np.where((kind == ROAD) | (kind == RAIL), 1, 2)
    load = busy_load_cerl(subscribers, len(kind)) * halves * len(kind) // int(halves.sum())
    return transceivers_for(np.maximum(load, indoors))


def _places(
    column: I16,
    own: list[PlannedPlace],
    inside: list[PlannedPlace],
    outdoor: NDArray[np.intp],
    field: Field,
) -> tuple[Place, ...]:
    """Places with the cells that serve them: their own, or the one outside that is the strongest there."""
    found = [
        Place(place.name, place.kind, tuple(np.flatnonzero(column == index).tolist()))
        for index, place in enumerate(own)
    ]
    hosts = outdoor[field.strongest([place.x for place in inside], [place.y for place in inside])]
    hosted = sorted(zip(hosts.tolist(), inside, strict=True), key=lambda pair: pair[0])
    return (*found, *(Place(place.name, place.kind, (host,), own=False) for host, place in hosted))
