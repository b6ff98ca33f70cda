"""The network as a map: cells, their areas and controllers, who is neighbour of whom, places.

Three ways to a map: the small town (`town_layout`), a drawn city or province (`city_layout`), a cell list
(`listed_layout`). What follows from them is computed here: routes, borders, channels. Distances are whole
metres and everything is integer: a map is the same on every machine.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.cell_list import CELL_KINDS, INDOOR, MACRO, RAIL, ROAD
from sim.draws import Draws
from sim.network.capacity import signalling_channels, traffic_channels
from sim.network.city_layout import city_layout
from sim.network.city_neighbours import grounds_of, site_distance_m, sites_of
from sim.network.kernel.routes import all_routes
from sim.network.layout import Layout, Place
from sim.network.listed_layout import listed_layout
from sim.network.radio import field_of
from sim.network.resting import Rest, rest_of
from sim.network.town_layout import town_layout
from sim.scenario import RadioScenario, WorldScenario

if TYPE_CHECKING:
    import networkx as nx

    from sim.network.kernel.field import Field

__all__ = [
    "CELL_KINDS",
    "INDOOR",
    "MACRO",
    "RAIL",
    "ROAD",
    "Place",
    "Topology",
    "build_topology",
    "place_names",
    "topology_of",
]

I32 = NDArray[np.int32]
I16 = NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Topology:
    """Columns over cells (index 0 .. n - 1) and what follows from them."""

    lac: NDArray[np.uint16]
    ci: NDArray[np.uint16]
    bsc: NDArray[np.uint8]
    """Index into `bsc_point_codes`."""
    msc: NDArray[np.uint8]
    """Index into `msc_point_codes`."""
    place: I16
    """Index into `places`, -1 outside those that have cells of their own."""
    kind: NDArray[np.uint8]
    """MACRO, INDOOR, ROAD or RAIL."""
    x_m: I32
    """Position of the antenna."""
    y_m: I32
    spot_x_m: I32
    """Middle of what the cell covers, where its people are: ahead of a sector's antenna, else right there."""
    spot_y_m: I32
    site: I32
    """Cells at one point have one site: the index of the first of them."""
    ground: NDArray[np.uint8]
    """What surrounds the antenna (`sim.network.radio`): URBAN, SUBURBAN, OPEN or INSIDE."""
    azimuth_deg: I16
    """Direction of the antenna from north clockwise, -1 in all directions."""
    power_dbm: I16
    """Radiated power (EIRP)."""
    trx: NDArray[np.uint8]
    """Transceivers."""
    tch: NDArray[np.uint16]
    """Traffic channels."""
    sdcch: NDArray[np.uint16]
    """Stand-alone dedicated control channels."""
    neighbour_start: I32
    """Neighbours of cell c are `neighbour_cells[neighbour_start[c] : neighbour_start[c + 1]]`, ascending."""
    neighbour_cells: I32
    neighbour_m: I32
    """Metres from spot to spot, beside `neighbour_cells`."""
    border_q16: I32
    """Where on the way to the neighbour a call goes over, 1/65536 of the way; beside `neighbour_cells`."""
    ping_pong_q16: I32
    """Chance that it is back within ten seconds, 1/65536; beside `neighbour_cells`."""
    fails_q16: I32
    """Chance that the handover fails, 1/65536; beside `neighbour_cells`."""
    rest: Rest
    """Cells that serve phones at rest."""
    distance_m: I32
    """Route length between two cells along neighbours, metres; shape (n, n)."""
    next_cell: I16
    """First cell of the route from row to column (the column itself when neighbour or equal); shape (n,
    n).
    """
    hops: I16
    """Number of cell changes on the route; shape (n, n)."""
    places: tuple[Place, ...]
    """Those with own cells come first, as `place` counts them."""
    bsc_point_codes: tuple[int, ...]
    msc_point_codes: tuple[int, ...]
    msc_of_bsc: tuple[int, ...]
    """Index into `msc_point_codes` for each BSC."""
    las_of_bsc: tuple[tuple[int, ...], ...]
    """Location area codes of each BSC."""
    lines: tuple[tuple[str, str, tuple[tuple[int, int], ...]], ...]
    """Roads and railways of a drawn city: name, `road` or `rail`, corners in metres."""

    @property
    def graph(self) -> nx.Graph[int]:
        """Cells as nodes (lac, ci, bsc, msc, place, kind, x_m, y_m), neighbours as edges (distance_m)."""
        return _graph(self)

    @property
    def n(self) -> int:
        """Number of cells."""
        return len(self.lac)

    @property
    def msc_point_code(self) -> int:
        """Point code of the (first) MSC."""
        return self.msc_point_codes[0]

    def neighbours(self, cell: int) -> I32:
        """Neighbour cells, ascending."""
        return self.neighbour_cells[self.neighbour_start[cell] : self.neighbour_start[cell + 1]]

    def relation(self, cell: int, neighbour: int) -> int:
        """Index of a neighbour relation into the columns beside `neighbour_cells`. Raises KeyError."""
        first = int(self.neighbour_start[cell])
        at = first + int(np.searchsorted(self.neighbours(cell), neighbour))
        if at == self.neighbour_start[cell + 1] or self.neighbour_cells[at] != neighbour:
            raise KeyError((cell, neighbour))
        return at

    def cells_of_kind(self, kind: str) -> I32:
        """Cells of all places of a kind, ascending; empty if the world has none."""
        return np.array(sorted({c for p in self.places if p.kind == kind for c in p.cells}), dtype=np.int32)

    def place_index(self, name: str) -> int:
        """Index of a place by name. Raises KeyError."""
        for index, place in enumerate(self.places):
            if place.name == name:
                return index
        raise KeyError(name)

    def cells_csv(self, path: str | Path) -> None:
        """Writes the cell list that the platform reads.

        Columns: lac, ci, place (name or empty), kind (of the place, else of the cell), in_cell (places
        without own cells that lie in the cell, as name:kind separated by spaces).
        """
        inside: dict[int, list[str]] = {}
        for spot in self.places:
            if not spot.own:
                inside.setdefault(spot.cells[0], []).append(f"{spot.name}:{spot.kind}")
        with Path(path).open("w", newline="", encoding="utf-8") as out:
            rows = csv.writer(out, lineterminator="\n")
            rows.writerow(["lac", "ci", "place", "kind", "in_cell"])
            for cell in range(self.n):
                at = int(self.place[cell])
                name, kind = (
                    (self.places[at].name, self.places[at].kind)
                    if at >= 0
                    else ("", CELL_KINDS[self.kind[cell]])
                )
                within = " ".join(inside.get(cell, ()))
                rows.writerow([int(self.lac[cell]), int(self.ci[cell]), name, kind, within])


def build_topology(scenario: WorldScenario, draws: Draws) -> Topology:
    """The map of a world. Raises `ScenarioError` where its cell list is wrong."""
    return topology_of(_layout(scenario, draws), scenario.network.radio, draws)


def place_names(scenario: WorldScenario) -> list[str]:
    """Names of the places with cells of their own, which campaigns can name; the same for any seed."""
    if scenario.network.is_town:
        return [place.name for place in scenario.places]
    return [place.name for place in _layout(scenario, Draws(0)).places if place.own]


def _layout(scenario: WorldScenario, draws: Draws) -> Layout:
    if scenario.network.cell_list is not None:
        return listed_layout(scenario)
    if scenario.network.city is not None:
        return city_layout(scenario, draws)
    return town_layout(scenario, draws)


def topology_of(layout: Layout, radio: RadioScenario, draws: Draws) -> Topology:
    """What follows from a layout: routes, borders, channels."""
    site = sites_of(layout.x_m, layout.y_m)
    ground = grounds_of(site_distance_m(layout.x_m, layout.y_m, layout.kind), layout.kind)
    start, cells, metres, order = _relations(len(layout.lac), layout.edges)
    distance, following, hops = all_routes(start, cells, metres)
    field = field_of(
        radio,
        draws,
        x_m=layout.x_m,
        y_m=layout.y_m,
        site=site,
        azimuth_deg=layout.azimuth_deg,
        power_dbm=layout.power_dbm,
        ground=ground,
    )
    border, back, fails = _borders(layout, field, radio)
    return Topology(
        lac=layout.lac,
        ci=layout.ci,
        bsc=layout.bsc,
        msc=np.array(layout.msc_of_bsc, dtype=np.uint8)[layout.bsc],
        place=layout.place,
        kind=layout.kind,
        x_m=layout.x_m,
        y_m=layout.y_m,
        spot_x_m=layout.spot_x_m,
        spot_y_m=layout.spot_y_m,
        site=site,
        ground=ground,
        azimuth_deg=layout.azimuth_deg,
        power_dbm=layout.power_dbm,
        trx=layout.trx,
        tch=traffic_channels(layout.trx),
        sdcch=signalling_channels(layout.trx),
        neighbour_start=start,
        neighbour_cells=cells,
        neighbour_m=metres,
        border_q16=border[order],
        ping_pong_q16=back[order],
        fails_q16=fails[order],
        rest=rest_of(layout, site, start, cells, field, draws, radio.room_db),
        distance_m=distance,
        next_cell=following,
        hops=hops,
        places=layout.places,
        bsc_point_codes=layout.bsc_point_codes,
        msc_point_codes=layout.msc_point_codes,
        msc_of_bsc=layout.msc_of_bsc,
        las_of_bsc=layout.las_of_bsc,
        lines=layout.lines,
    )


def _relations(n: int, edges: list[tuple[int, int, int]]) -> tuple[I32, I32, I32, NDArray[np.intp]]:
    """Neighbour lists of both directions, and from where in (first to second, then back) each one comes."""
    table = np.array(edges, dtype=np.int64).reshape(-1, 3)
    here = np.concatenate([table[:, 0], table[:, 1]])
    there = np.concatenate([table[:, 1], table[:, 0]])
    order = np.lexsort((there, here))
    start = np.concatenate(([0], np.cumsum(np.bincount(here, minlength=n)))).astype(np.int32)
    metres = np.concatenate([table[:, 2], table[:, 2]])
    return start, there[order].astype(np.int32), metres[order].astype(np.int32), order


def _borders(layout: Layout, field: Field, radio: RadioScenario) -> tuple[I32, I32, I32]:
    """Border, ping-pong and failures for all edges, first to second, then all of them back."""
    pairs = np.array(layout.edges, dtype=np.int64).reshape(-1, 3)
    met = field.borders(
        pairs[:, 0],
        pairs[:, 1],
        layout.spot_x_m,
        layout.spot_y_m,
        round(radio.hysteresis_db * 100),
        round(radio.time_to_trigger_s * 1000),
    )
    border, back, fails = (column.T.reshape(-1) for column in met)
    return border, back, fails


@lru_cache(maxsize=1)
def _graph(map_: Topology) -> nx.Graph[int]:
    import networkx as nx  # ten megabytes that nobody else needs

    graph: nx.Graph[int] = nx.Graph()
    for c in range(map_.n):
        at = int(map_.place[c])
        graph.add_node(
            c, lac=int(map_.lac[c]), ci=int(map_.ci[c]), bsc=int(map_.bsc[c]), msc=int(map_.msc[c]),
            x_m=int(map_.x_m[c]), y_m=int(map_.y_m[c]), kind=CELL_KINDS[map_.kind[c]],
            place=map_.places[at].name if at >= 0 else "",
        )  # fmt: skip
    for c in range(map_.n):
        for relation in range(map_.neighbour_start[c], map_.neighbour_start[c + 1]):
            other = int(map_.neighbour_cells[relation])
            if c < other:
                graph.add_edge(c, other, distance_m=int(map_.neighbour_m[relation]))
    return graph
