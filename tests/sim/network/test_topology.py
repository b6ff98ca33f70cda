"""The map: connected, consistent in its three forms, the same on every machine."""

import csv
from datetime import date

import networkx as nx
import numpy as np
import pytest

from sim.draws import Draws
from sim.network.topology import INDOOR, MACRO, ROAD, build_topology
from sim.scenario import BscScenario, NetworkScenario, PlaceScenario, WorldScenario


def scenario(places=None, **network):
    default = {
        "bscs": [
            BscScenario(point_code=257, lacs=[4097, 4098]),
            BscScenario(point_code=258, lacs=[4099, 4112]),
        ]
    }
    layout = {} if places is None else {"places": places}
    return WorldScenario(
        world="w", about="x", epoch=date(2007, 6, 4), network=NetworkScenario(**default | network), **layout
    )


@pytest.fixture(scope="module")
def town():
    return build_topology(scenario(), Draws(7))


def test_size_and_codes(town):
    assert town.n == 60
    assert len(set(town.ci.tolist())) == 60
    assert town.bsc_point_codes == (257, 258)
    assert town.las_of_bsc == ((4097, 4098), (4099, 4112))
    for lac, bsc in zip(town.lac.tolist(), town.bsc.tolist(), strict=True):
        assert lac in town.las_of_bsc[bsc]


def test_airport_has_an_area_of_its_own(town):
    airport = town.places[town.place_index("airport")]
    assert set(np.flatnonzero(town.lac == 4112).tolist()) == set(airport.cells)
    assert town.cells_of_kind("airport").tolist() == list(airport.cells)
    assert {place.kind for place in town.places} == {
        "airport",
        "station",
        "mall",
        "office",
        "campus",
        "scenic",
    }
    with pytest.raises(KeyError):
        town.place_index("harbour")


def test_kinds_of_cells(town):
    assert ((town.kind == INDOOR) == (town.place >= 0)).all()
    assert np.count_nonzero(town.kind == ROAD) > 0  # the airport lies beyond the town
    assert np.count_nonzero(town.kind == MACRO) >= 30


def test_graph_and_columns_say_the_same(town):
    assert nx.is_connected(town.graph)
    for cell in range(town.n):
        assert town.neighbours(cell).tolist() == sorted(town.graph.neighbors(cell))
        assert town.graph.nodes[cell]["lac"] == town.lac[cell]


@pytest.mark.parametrize("cells", [30, 60, 150])
def test_routes_are_shortest_and_step_by_step(cells):
    town = build_topology(scenario(cells=cells), Draws(3))
    shortest = dict(nx.all_pairs_dijkstra_path_length(town.graph, weight="distance_m"))
    for a in range(town.n):
        for b in range(town.n):
            assert town.distance_m[a, b] == shortest[a][b]
            at, hops, metres = a, 0, 0
            while at != b:
                step = int(town.next_cell[at, b])
                metres += town.graph.edges[at, step]["distance_m"]
                at, hops = step, hops + 1
            assert (hops, metres) == (town.hops[a, b], town.distance_m[a, b])


def test_places_far_apart_are_still_connected():
    far = [
        PlaceScenario(name="airport", kind="airport", cells=1, x_km=150, y_km=-90),
        PlaceScenario(name="mall", kind="mall", cells=1, x_km=-120, y_km=80),
    ]
    town = build_topology(scenario(far, cells=12), Draws(1))
    assert town.n == 12
    assert nx.is_connected(town.graph)


def test_cell_list_for_the_platform(town, tmp_path):
    town.cells_csv(tmp_path / "cells.csv")
    with (tmp_path / "cells.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == town.n
    assert {row["place"] for row in rows if row["lac"] == "4112"} == {"airport"}
    assert {row["kind"] for row in rows if not row["place"]} == {"macro", "road"}
