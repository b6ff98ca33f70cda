"""Drawn cities and provinces: connected, grouped as networks are, the same on every machine."""

import hashlib
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.draws import Draws
from sim.network.capacity import LOAD_2_PCT_CERL, signalling_channels, traffic_channels, transceivers_for
from sim.network.city_neighbours import gabriel
from sim.network.kernel.routes import all_routes
from sim.network.topology import INDOOR, MACRO, RAIL, ROAD, build_topology, place_names
from sim.place_kinds import KIND_NAMES
from sim.scenario import CityScenario, WorldScenario, load_world
from sim.scenario_errors import ScenarioError

PROVINCE = {
    "mscs": 2,
    "towns": [
        {"name": "capital", "share": 3},
        {"name": "harbour", "x_km": 45, "y_km": 15, "share": 2},
    ],
}
COLUMNS = (
    "lac", "ci", "bsc", "msc", "place", "kind", "x_m", "y_m", "spot_x_m", "spot_y_m", "site", "ground",
    "azimuth_deg", "power_dbm", "trx", "tch", "sdcch", "neighbour_start", "neighbour_cells", "neighbour_m",
    "border_q16", "ping_pong_q16", "fails_q16", "distance_m", "next_cell", "hops",
)  # fmt: skip


def city(cells, subscribers=100_000, places=(), **keys):
    return WorldScenario.model_validate(
        {
            "world": "w",
            "about": "x",
            "epoch": "2007-06-04",
            "subscribers": subscribers,
            "network": {"cells": cells, "spacing_m": 500, "city": keys},
            "places": list(places),
        }
    )


def digest(topology):
    whole = hashlib.sha256()
    for name in COLUMNS:
        column = getattr(topology, name)
        whole.update(name.encode() + np.ascontiguousarray(column).astype(np.int64).tobytes())
    whole.update(repr((topology.places, topology.las_of_bsc, topology.msc_of_bsc)).encode())
    return whole.hexdigest()[:16]


@pytest.fixture(scope="module")
def province():
    return build_topology(city(700, 500_000, **PROVINCE), Draws(7))


def test_every_cell_is_reached_and_knows_its_neighbours(province):
    assert province.n == 700
    assert nx.is_connected(province.graph)
    for cell in range(province.n):
        mine = province.neighbours(cell).tolist()
        assert mine == sorted(province.graph.neighbors(cell))
        assert all(cell in province.neighbours(other) for other in mine)
        for other in mine:
            at = province.relation(cell, other)
            assert province.neighbour_m[at] == province.graph.edges[cell, other]["distance_m"]
    with pytest.raises(KeyError):
        province.relation(0, 0)


@settings(max_examples=8, deadline=None)
@given(
    cells=st.integers(200, 520),
    mscs=st.integers(1, 2),
    seed=st.integers(0, 1 << 32),
    aim=st.integers(80, 120),
)
def test_areas_hold_80_to_120_cells_of_one_bsc_of_one_msc(cells, mscs, seed, aim):
    found = build_topology(city(cells, mscs=mscs, area_cells=aim), Draws(seed))
    assert found.n == cells
    assert nx.is_connected(found.graph)
    areas, counts = np.unique(found.lac, return_counts=True)
    assert counts.min() >= 80
    assert counts.max() <= 120
    assert sorted(areas.tolist()) == sorted(lac for lacs in found.las_of_bsc for lac in lacs)
    for cell in range(found.n):
        assert int(found.lac[cell]) in found.las_of_bsc[found.bsc[cell]]
        assert found.msc[cell] == found.msc_of_bsc[found.bsc[cell]]
    assert len(found.msc_point_codes) == mscs
    assert set(found.msc_of_bsc) == set(range(mscs))
    assert len({*found.msc_point_codes, *found.bsc_point_codes}) == mscs + len(found.bsc_point_codes)


def test_areas_are_compact(province):
    """Nine of ten neighbours outside places are in the same area, and areas do not lie in strips."""
    here = np.repeat(np.arange(province.n), np.diff(province.neighbour_start))
    same = province.lac[here] == province.lac[province.neighbour_cells]
    assert same.mean() > 0.8
    assert (province.bsc[here] == province.bsc[province.neighbour_cells]).mean() > 0.9
    assert (province.msc[here] == province.msc[province.neighbour_cells]).mean() > 0.95


def test_the_middle_is_denser_than_the_outside():
    found = build_topology(city(400), Draws(3))
    macro = found.kind == MACRO
    out = np.hypot(found.x_m[macro].astype(float), found.y_m[macro].astype(float))
    per_km2 = []
    for low, high in pairwise((0, 2000, 4000, 6000, 9000)):
        ring = np.pi * ((high / 1000) ** 2 - (low / 1000) ** 2)
        per_km2.append(np.count_nonzero((out >= low) & (out < high)) / ring)
    assert all(inner > 1.2 * outer > 0 for inner, outer in pairwise(per_km2))
    assert per_km2[0] > 6 * per_km2[-1]


def test_three_sectors_look_three_ways_and_cover_what_lies_ahead(province):
    sectors = np.flatnonzero(province.azimuth_deg >= 0)
    assert len(sectors) > province.n // 3
    for site in np.unique(province.site[sectors]).tolist():
        members = np.flatnonzero(province.site == site)
        members = members[province.azimuth_deg[members] >= 0]
        turns = np.diff(np.sort(province.azimuth_deg[members].astype(int)))
        assert len(members) == 3
        assert (turns == 120).all()
    ahead = np.radians(province.azimuth_deg[sectors].astype(float))
    east = (province.spot_x_m - province.x_m)[sectors]
    north = (province.spot_y_m - province.y_m)[sectors]
    length = np.hypot(east, north)
    assert (length > 30).all()
    np.testing.assert_allclose(east / length, np.sin(ahead), atol=0.03)
    np.testing.assert_allclose(north / length, np.cos(ahead), atol=0.03)


def test_sectors_that_look_away_from_each_other_are_no_neighbours(province):
    """Back to back, with another site of sectors between or not: never in each other's list."""
    for a in np.flatnonzero(province.azimuth_deg >= 0)[:200].tolist():
        for b in province.neighbours(a).tolist():
            if province.azimuth_deg[b] < 0 or province.site[a] == province.site[b]:
                continue
            dx, dy = int(province.x_m[b] - province.x_m[a]), int(province.y_m[b] - province.y_m[a])
            bearing = np.degrees(np.arctan2(dx, dy))
            off_a = abs((bearing - province.azimuth_deg[a] + 180) % 360 - 180)
            off_b = abs((bearing + 180 - province.azimuth_deg[b] + 180) % 360 - 180)
            assert min(off_a, off_b) <= 75.1
            assert max(off_a, off_b) <= 110.1


def test_outdoor_neighbours_have_no_third_site_between_them(province):
    outdoor = np.unique(province.site[province.kind != INDOOR])
    x, y = province.x_m.astype(np.int64), province.y_m.astype(np.int64)
    for a, b in province.graph.edges:
        if INDOOR in (province.kind[a], province.kind[b]) or province.site[a] == province.site[b]:
            continue
        inside = (x[outdoor] - x[a]) * (x[outdoor] - x[b]) + (y[outdoor] - y[a]) * (y[outdoor] - y[b]) < 0
        assert not inside.any()


def test_lines_and_places_have_cells_of_their_own(province):
    assert np.count_nonzero(province.kind == ROAD) > 20
    assert np.count_nonzero(province.kind == RAIL) > 20
    assert {kind for _, kind, _ in province.lines} == {"road", "rail"}
    assert {place.kind for place in province.places} == set(KIND_NAMES)
    assert len({place.name for place in province.places}) == len(province.places)
    owned = [place for place in province.places if place.own]
    assert province.places[: len(owned)] == tuple(owned)
    for index, place in enumerate(province.places):
        cells = np.array(place.cells)
        if place.own:
            assert np.flatnonzero(province.place == index).tolist() == list(place.cells)
            assert (province.kind[cells] == INDOOR).all()
        else:
            assert len(cells) == 1
            assert province.place[cells[0]] == -1
            assert province.kind[cells[0]] != INDOOR
    assert ((province.kind == INDOOR) == (province.place >= 0)).all()
    for place in ("airport", "station"):
        assert len(province.cells_of_kind(place)) >= 2


@pytest.mark.parametrize("cells", [40, 60, 130])
def test_small_worlds_have_every_kind_of_place_too(cells):
    scenario = city(cells, 2000)
    found = build_topology(scenario, Draws(5))
    assert found.n == cells
    assert nx.is_connected(found.graph)
    assert {place.kind for place in found.places} == set(KIND_NAMES)
    assert [place.name for place in found.places if place.own] == place_names(scenario)


def test_the_platform_is_told_places_by_cell_and_those_without_cells_beside(province, tmp_path):
    province.cells_csv(tmp_path / "cells.csv")
    lines = (tmp_path / "cells.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "lac,ci,place,kind,in_cell"
    rows = [line.split(",") for line in lines[1:]]
    assert len(rows) == len({(row[0], row[1]) for row in rows}) == province.n
    assert {row[2] for row in rows if row[2]} == {place.name for place in province.places if place.own}
    beside = [name for row in rows for name in row[4].split()]
    assert sorted(beside) == sorted(f"{p.name}:{p.kind}" for p in province.places if not p.own)


def test_given_places_stay_where_they_are_and_may_have_an_area():
    places = [
        {"name": "airport", "kind": "airport", "cells": 3, "x_km": 30.0, "y_km": -5.0, "lac": 9000},
        {"name": "old-market", "kind": "market", "cells": 0, "x_km": 0.5, "y_km": 0.5},
    ]
    found = build_topology(city(300, places=places), Draws(2))
    airport = found.places[found.place_index("airport")]
    assert found.x_m[airport.cells[0]] == 30_000
    assert set(np.flatnonzero(found.lac == 9000).tolist()) == set(airport.cells)
    assert not found.places[found.place_index("old-market")].own
    assert sum(place.kind == "airport" for place in found.places) == 1
    bsc = int(found.bsc[airport.cells[0]])
    assert 9000 in found.las_of_bsc[bsc]
    _, counts = np.unique(found.lac[found.lac != 9000], return_counts=True)
    assert (counts.min(), counts.max()) >= (80, 80)
    assert counts.max() <= 120


@pytest.mark.parametrize(
    ("seed", "expected"),
    [(7, "7d9ba08d73076731"), (8, "37384244b6561af3")],
)
def test_the_same_on_every_machine(seed, expected):
    assert digest(build_topology(city(260, **PROVINCE), Draws(seed))) == expected


def test_channels_by_transceivers():
    assert traffic_channels([1, 2, 4, 6]).tolist() == [7, 14, 29, 44]
    assert signalling_channels([1, 2, 3, 4]).tolist() == [4, 8, 8, 16]
    for trx, load in enumerate(LOAD_2_PCT_CERL, 1):
        blocked = 1.0
        for channel in range(1, int(traffic_channels(trx)) + 1):  # the recursion of Erlang B
            blocked = load / 100 * blocked / (channel + load / 100 * blocked)
        assert 0.019 < blocked <= 0.02
        assert transceivers_for(load) == trx
        assert transceivers_for(load + 1) == min(trx + 1, len(LOAD_2_PCT_CERL))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=40, unique=True))
def test_gabriel_graph(points):
    x, y = np.array(points, dtype=np.int64).T
    found = set(gabriel(x, y))
    for a in range(len(points)):
        for b in range(a + 1, len(points)):
            inside = (x - x[a]) * (x - x[b]) + (y - y[a]) * (y - y[b]) < 0
            assert ((a, b) in found) == (not inside.any())
    graph = nx.Graph(found)
    assert len(graph) == len(points)
    assert nx.is_connected(graph)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 25), st.integers(0, 1 << 32), st.integers(1, 4))
def test_routes_are_the_shortest_of_the_fewest_cells_by_the_lowest_first_step(n, seed, longest):
    """Short lengths make many routes equally long, so that the rules for ties are at work."""
    random = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(n, 0.3, seed=seed % (1 << 31))
    graph.add_edges_from(pairwise(range(n)))
    for a, b in graph.edges:
        graph.edges[a, b]["metres"] = int(random.integers(1, longest + 1))
    both = sorted([(a, b) for a, b in graph.edges] + [(b, a) for a, b in graph.edges])
    start = np.concatenate(([0], np.cumsum(np.bincount([a for a, _ in both], minlength=n))))
    metres, following, hops = all_routes(
        start, [b for _, b in both], [graph.edges[pair]["metres"] for pair in both]
    )
    for a, b in graph.edges:
        graph.edges[a, b]["key"] = graph.edges[a, b]["metres"] * 1000 + 1
    keys = dict(nx.all_pairs_dijkstra_path_length(graph, weight="key"))
    for a in range(n):
        for b in range(n):
            assert (metres[a, b], hops[a, b]) == divmod(keys[a][b], 1000)
            firsts = [c for c in graph[a] if keys[c][b] + graph.edges[a, c]["key"] == keys[a][b]]
            assert following[a, b] == (min(firsts) if a != b else a)


def test_cells_out_of_reach_are_an_error():
    with pytest.raises(ValueError, match="2 of 4 cells are in reach"):
        all_routes([0, 1, 2, 3, 4], [1, 0, 3, 2], [5, 5, 5, 5])


@pytest.mark.parametrize(
    ("network", "rest", "key", "expected"),
    [
        ("{cells: 900, msc_point_code: 256, city: {mscs: 2}}", "", "network.city.first_bsc_point_code",
         "MSCs 256..257, BSCs 257..268"),
        ("{cells: 900, city: {first_bsc_point_code: 16000}, msc_point_code: 16005}", "",
         "network.city.first_bsc_point_code", "of its own"),
        ("{cells: 8000, city: {first_lac: 65480}}", "", "network.city.first_lac", "65533"),
        ("{cells: 8000, msc_point_code: 16380, city: {mscs: 16}}", "", "network.city.first_bsc_point_code",
         "14 bits"),
        ("{cells: 100, city: {mscs: 3}}", "", "network.city.mscs", "40 cells"),
        ("{cells: 100, city: {}, bscs: [{point_code: 9, lacs: [1]}]}", "", "network.bscs", "nothing here"),
        ("{bscs: []}", "", "network.bscs", "at least one BSC"),
        ("{cells: 100, city: {towns: []}}", "", "network.city.towns", "at least 1"),
        ("{cells: 100, city: {towns: [{nam: a}]}}", "", "network.city.towns[0].nam", "no such key here"),
        ("{cells: 100, city: {}}", "places: [{name: a, kind: mall, x_km: 0, y_km: 0, lac: 4098}]", "places",
         "4097..4099"),
        ("{cells: 100, city: {}}", "places: [{name: a, kind: mall, cells: 50, x_km: 0, y_km: 0},"
         " {name: b, kind: mall, cells: 2, x_km: 0, y_km: 0}]", "network.cells", "twice the cells"),
        ("{cells: 60}", "places: [{name: a, kind: mall, cells: 0, x_km: 0, y_km: 0}]", "places",
         "at least one cell"),
        ("{cells: 60}", "places: []", "places", "at least one place"),
    ],
)  # fmt: skip
def test_cities_that_cannot_be_drawn_are_refused(tmp_path, network, rest, key, expected):
    text = f"world: w\nabout: x\nepoch: 2007-06-04\nnetwork: {network}\n{rest}\n"
    (tmp_path / "w.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_world(tmp_path / "w.yaml")
    problem = caught.value.problems[0]
    assert problem.key == key
    assert expected in problem.expected


def test_an_empty_city_is_the_default_one():
    assert city(100).network.city == CityScenario()
    assert city(100).places == []
    again = WorldScenario.model_validate(city(100).model_dump())
    assert again == city(100)
