"""The small town: a hexagonal grid of cells round the centre, indoor cells at places, roads to far places.

Location areas are strips from west to east, except that a place may have a location area of its own (the
airport has). One MSC.
"""

from __future__ import annotations

from math import isqrt

import numpy as np

from sim.cell_list import INDOOR, MACRO, ROAD
from sim.draws import Draws, scale
from sim.network.capacity import transceivers_for
from sim.network.city_neighbours import bridge
from sim.network.layout import I16, I32, U8, U16, Edge, Layout, own_places
from sim.scenario import NetworkScenario, PlaceScenario, WorldScenario

OMNI_DBM, INDOOR_DBM, LINE_DBM = 51, 22, 56
"""Radiated power of cells in all directions, indoors, and along lines."""


def town_layout(scenario: WorldScenario, draws: Draws) -> Layout:
    """Lays out the cells of a small town."""
    network = scenario.network
    x, y, kind, place = _positions(scenario, draws)
    lac, bsc = _areas(x, y, place, scenario.places, network)
    n = len(x)
    return Layout(
        lac=lac,
        ci=(network.first_ci + np.arange(n)).astype(np.uint16),
        bsc=bsc,
        kind=kind,
        place=place,
        x_m=x,
        y_m=y,
        azimuth_deg=np.full(n, -1, dtype=np.int16),
        power_dbm=np.array([OMNI_DBM, INDOOR_DBM, LINE_DBM], dtype=np.int16)[kind],
        trx=transceivers_for(np.full(n, busy_load_cerl(scenario.subscribers, n))),
        places=own_places([(p.name, p.kind) for p in scenario.places], place),
        bsc_point_codes=tuple(b.point_code for b in network.bscs),
        msc_point_codes=(network.msc_point_code,),
        msc_of_bsc=(0,) * len(network.bscs),
        las_of_bsc=tuple(tuple(b.lacs) for b in network.bscs),
        spot_x_m=x,
        spot_y_m=y,
        edges=_edges(x, y, kind, place, network.spacing_m),
    )


def busy_load_cerl(subscribers: int, cells: int) -> int:
    """Busy-hour load to plan a cell for: 20 mErl a subscriber, and two fifths more where it is crowded."""
    return subscribers * 28 // (10 * cells)


def hexagonal(count: int, spacing: int) -> list[tuple[int, int]]:
    """The `count` points of a hexagonal grid nearest to the centre."""
    reach = isqrt(count) + 3
    rise = spacing * 866 // 1000
    points = [
        (column * spacing + (spacing // 2 if row % 2 else 0), row * rise)
        for row in range(-reach, reach + 1)
        for column in range(-reach, reach + 1)
    ]
    return sorted(points, key=lambda p: (p[0] * p[0] + p[1] * p[1], p[1], p[0]))[:count]


def _positions(scenario: WorldScenario, draws: Draws) -> tuple[I32, I32, U8, I16]:
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
    town = hexagonal(outside - len(roads), spacing)
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
            px, py = indoor_position(round(p.x_km * 1000), round(p.y_km * 1000), number)
            xs.append(px)
            ys.append(py)
            kinds.append(INDOOR)
            places.append(index)
    return (
        np.array(xs, dtype=np.int32),
        np.array(ys, dtype=np.int32),
        np.array(kinds, dtype=np.uint8),
        np.array(places, dtype=np.int16),
    )


def indoor_position(x: int, y: int, number: int) -> tuple[int, int]:
    """Where the indoor cells of a place stand: rows of three, 120 m apart."""
    return x + 120 * (number % 3), y + 120 * (number // 3)


def _road(x: int, y: int, radius: int, step: int) -> list[tuple[int, int]]:
    """Cells along the straight road from the edge of the town to a place beyond it."""
    length = isqrt(x * x + y * y)
    return [
        (x * along // length, y * along // length) for along in range(radius + step, length - step // 2, step)
    ]


def _edges(x: I32, y: I32, kind: U8, place: I16, spacing: int) -> list[Edge]:
    """Neighbour relations (lower cell, higher cell, metres), sorted; the graph is connected."""
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
    for cell in np.flatnonzero(kind == INDOOR):  # an indoor cell knows its fellows and the cells around
        for fellow in np.flatnonzero(place == place[cell]):
            if fellow != cell:
                join(int(cell), int(fellow))
        ranked = outdoor[np.argsort(square[cell, outdoor], kind="stable")[:3]]
        for rank, other in enumerate(ranked):
            if rank == 0 or square[cell, other] <= spacing * spacing:
                join(int(cell), int(other))
    bridge(pairs, square)
    return [(a, b, max(1, isqrt(int(square[a, b])))) for a, b in sorted(pairs)]


def _areas(
    x: I32, y: I32, place: I16, places: list[PlaceScenario], network: NetworkScenario
) -> tuple[U16, U8]:
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
