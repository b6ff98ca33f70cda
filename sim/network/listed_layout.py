"""A map out of a cell list, and a cell list out of a map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sim.cell_list import CellRow, PlaceName, read_cell_list, write_cell_list
from sim.network.city_neighbours import edges_between, neighbour_edges, spots_of
from sim.network.layout import Layout, Place, own_places
from sim.scenario import WorldScenario

if TYPE_CHECKING:
    from sim.network.topology import Topology


def listed_layout(scenario: WorldScenario) -> Layout:
    """The cells of the world's cell list. Raises `ScenarioError` for a list that is wrong."""
    path = scenario.cell_list_path
    if path is None:
        raise ValueError("a world with a cell list")
    return layout_of_rows(read_cell_list(path))


def layout_of_rows(rows: Sequence[CellRow]) -> Layout:
    """The layout of checked rows."""

    def numbers(values: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array(values, dtype=np.int64)

    x, y = numbers([r.x_m for r in rows]).astype(np.int32), numbers([r.y_m for r in rows]).astype(np.int32)
    kind = numbers([r.kind for r in rows]).astype(np.uint8)
    azimuth = numbers([r.azimuth_deg for r in rows]).astype(np.int16)
    power = numbers([r.power_dbm for r in rows]).astype(np.int16)
    own = list(dict.fromkeys(r.place for r in rows if r.place is not None))
    place = numbers([own.index(r.place) if r.place is not None else -1 for r in rows]).astype(np.int16)
    shared = [
        Place(spot.name, spot.kind, (cell,), own=False) for cell, r in enumerate(rows) for spot in r.in_cell
    ]
    bscs, mscs = sorted({r.bsc for r in rows}), sorted({r.msc for r in rows})
    msc_of = {r.bsc: mscs.index(r.msc) for r in rows}
    las: dict[int, set[int]] = {code: set() for code in bscs}
    for row in rows:
        las[row.bsc].add(row.lac)
    spot_x, spot_y = spots_of(x, y, kind, azimuth)
    if any(row.neighbours for row in rows):
        number = {(row.lac, row.ci): cell for cell, row in enumerate(rows)}
        pairs = {
            (min(cell, number[name]), max(cell, number[name]))
            for cell, row in enumerate(rows)
            for name in row.neighbours
        }
        edges = edges_between(pairs, spot_x, spot_y)
    else:
        edges = neighbour_edges(x, y, kind, place, azimuth, power, spot_x, spot_y)
    return Layout(
        lac=numbers([r.lac for r in rows]).astype(np.uint16),
        ci=numbers([r.ci for r in rows]).astype(np.uint16),
        bsc=numbers([bscs.index(r.bsc) for r in rows]).astype(np.uint8),
        kind=kind,
        place=place,
        x_m=x,
        y_m=y,
        azimuth_deg=azimuth,
        power_dbm=power,
        trx=numbers([r.trx for r in rows]).astype(np.uint8),
        places=(*own_places([(p.name, p.kind) for p in own], place), *shared),
        bsc_point_codes=tuple(bscs),
        msc_point_codes=tuple(mscs),
        msc_of_bsc=tuple(msc_of[code] for code in bscs),
        las_of_bsc=tuple(tuple(sorted(las[code])) for code in bscs),
        spot_x_m=spot_x,
        spot_y_m=spot_y,
        edges=edges,
    )


def rows_of(topology: Topology) -> list[CellRow]:
    """The cells of a map as rows of a list, neighbours included."""
    names = list(zip(topology.lac.tolist(), topology.ci.tolist(), strict=True))
    inside: dict[int, list[PlaceName]] = {}
    for spot in topology.places:
        if not spot.own:
            inside.setdefault(spot.cells[0], []).append(PlaceName(spot.name, spot.kind))
    rows = []
    for cell, (lac, ci) in enumerate(names):
        at = int(topology.place[cell])
        bsc = int(topology.bsc[cell])
        rows.append(
            CellRow(
                lac=lac,
                ci=ci,
                bsc=topology.bsc_point_codes[bsc],
                msc=topology.msc_point_codes[topology.msc_of_bsc[bsc]],
                x_m=int(topology.x_m[cell]),
                y_m=int(topology.y_m[cell]),
                kind=int(topology.kind[cell]),
                azimuth_deg=int(topology.azimuth_deg[cell]),
                power_dbm=int(topology.power_dbm[cell]),
                trx=int(topology.trx[cell]),
                place=PlaceName(topology.places[at].name, topology.places[at].kind) if at >= 0 else None,
                in_cell=tuple(inside.get(cell, ())),
                neighbours=tuple(sorted(names[c] for c in topology.neighbours(cell).tolist())),
            )
        )
    return rows


def export_cells(topology: Topology, path: str | Path) -> None:
    """Writes the map as a cell list: a world that names it in `network.cell_list` has the same map."""
    write_cell_list(path, rows_of(topology))
