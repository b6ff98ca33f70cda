"""Cell lists: what is wrong is named with line and column; a list written is the map it came from."""

import dataclasses
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.cell_list import CELL_KINDS, COLUMNS, POWER_DBM, CellRow, PlaceName, read_cell_list, write_cell_list
from sim.draws import Draws
from sim.network.listed_layout import export_cells, layout_of_rows
from sim.network.topology import Topology, build_topology, place_names, topology_of
from sim.place_kinds import KIND_NAMES
from sim.scenario import RadioScenario, WorldScenario, load_world
from sim.scenario_errors import ScenarioError

WORLD = "world: listed\nabout: x\nepoch: 2007-06-04\nsubscribers: 100\nnetwork:\n  cell_list: cells.csv\n"
HEAD = "lac,ci,bsc,msc,x_m,y_m"
GOOD = f"{HEAD}\n5,1,300,1,0,0\n5,2,300,1,900,0\n6,3,301,1,1800,100\n"


def problems(tmp_path, text):
    (tmp_path / "cells.csv").write_text(text, encoding="utf-8")
    (tmp_path / "w.yaml").write_text(WORLD, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_world(tmp_path / "w.yaml")
    return caught.value.problems


def load(tmp_path, text):
    (tmp_path / "cells.csv").write_text(text, encoding="utf-8")
    (tmp_path / "w.yaml").write_text(WORLD, encoding="utf-8")
    return build_topology(load_world(tmp_path / "w.yaml"), Draws(1))


def test_a_short_list_with_defaults(tmp_path):
    found = load(tmp_path, GOOD)
    assert found.n == 3
    assert found.bsc_point_codes == (300, 301)
    assert found.las_of_bsc == ((5,), (6,))
    assert found.msc_point_codes == (1,)
    assert found.power_dbm.tolist() == [POWER_DBM[0]] * 3
    assert found.tch.tolist() == [14] * 3
    assert found.azimuth_deg.tolist() == [-1] * 3
    assert sorted(found.graph.edges) == [(0, 1), (1, 2)]
    assert found.places == ()
    assert found.distance_m[0, 2] == 900 + 905


def test_columns_in_any_order_with_a_byte_order_mark_blank_lines_and_spaces(tmp_path):
    rows = [
        "\ufeffci, lac ,y_m,x_m,msc,bsc,kind,place,place_kind,azimuth_deg",
        "1,5, 0,0,1,300,macro,,,120",
        "",
        "2,5,10,20,1,300,indoor,mall,mall,",
    ]
    found = load(tmp_path, "\n".join(rows))
    assert found.lac.tolist() == [5, 5]
    assert found.x_m.tolist() == [0, 20]
    assert found.azimuth_deg.tolist() == [120, -1]
    assert found.places[0].name == "mall"
    assert found.cells_of_kind("mall").tolist() == [1]
    assert found.power_dbm.tolist() == [54, 22]


WRONG = [
    (f"{HEAD},trxs\n5,1,300,1,0,0,2\n", 1, "trxs", "", "columns out of"),
    ("lac,ci,bsc,x_m,y_m\n5,1,300,0,0\n", 1, "msc", "", "every list needs"),
    (f"{HEAD},ci\n5,1,300,1,0,0,1\n", 1, "ci", "", "every column once"),
    (f"{GOOD}5,4,300,1,0\n", 5, "", "5 fields", "6, as the first line has"),
    (f"{GOOD}0,4,300,1,0,0\n", 5, "lac", "'0'", "a whole number 1..65533"),
    (f"{GOOD}5,65536,300,1,0,0\n", 5, "ci", "'65536'", "0..65535"),
    (f"{GOOD}5,4,20000,1,0,0\n", 5, "bsc", "'20000'", "1..16383"),
    (f"{GOOD}5,4,300,,0,0\n", 5, "msc", "''", "1..16383"),
    (f"{GOOD}5,4,300,1,1.5,0\n", 5, "x_m", "'1.5'", "a whole number"),
    (f"{GOOD}5,4,300,1,0,2000000\n", 5, "y_m", "'2000000'", "-1000000..1000000"),
    (f"{HEAD},kind\n5,1,300,1,0,0,micro\n", 2, "kind", "'micro'", "one of macro, indoor, road, rail"),
    (f"{HEAD},azimuth_deg\n5,1,300,1,0,0,360\n", 2, "azimuth_deg", "'360'", "0..359 or nothing"),
    (f"{HEAD},power_dbm\n5,1,300,1,0,0,99\n", 2, "power_dbm", "'99'", "0..70 or nothing"),
    (f"{HEAD},trx\n5,1,300,1,0,0,0\n", 2, "trx", "'0'", "1..16 or nothing"),
    (f"{HEAD},place,place_kind\n5,1,300,1,0,0,The Mall,mall\n", 2, "place", "'The Mall'", "small letters"),
    (f"{HEAD},place,place_kind\n5,1,300,1,0,0,m,moll\n", 2, "place_kind", "'moll'", "a kind of place"),
    (f"{HEAD},place,place_kind\n5,1,300,1,0,0,m,\n", 2, "place_kind", "", "together, or neither"),
    (f"{HEAD},place,place_kind\n5,1,300,1,0,0,,mall\n", 2, "place", "", "together, or neither"),
    (f"{HEAD},in_cell\n5,1,300,1,0,0,bar\n", 2, "in_cell", "'bar'", "name:kind"),
    (f"{HEAD},neighbours\n5,1,300,1,0,0,5/2\n", 2, "neighbours", "'5/2'", "lac-ci"),
    (f"{HEAD},neighbours\n5,1,300,1,0,0,5-2 5-2\n", 2, "neighbours", "'5-2 5-2'", "every neighbour once"),
    (f"{HEAD}\n5,1,300,1,0,0\n", 0, "", "1 cells", "2..8000 cells"),
    (f"{GOOD}5,1,300,1,9,9\n", 5, "ci", "5-1", "every cell once; line 2 has it already"),
    (f"{GOOD}5,4,301,1,9,9\n", 5, "bsc", "301", "one BSC for area 5, 300 as on line 2"),
    (f"{GOOD}7,4,300,2,9,9\n", 5, "msc", "2", "one MSC for BSC 300, 1 as on line 2"),
    (f"{HEAD}\n5,1,300,1,0,0\n6,2,1,1,900,0\n", 2, "msc", "1", "a point code that no BSC has"),
    (f"{HEAD},place,place_kind\n5,1,300,1,0,0,m,mall\n5,2,300,1,9,9,m,park\n", 3, "place_kind", "park",
     "one kind for m, mall as on line 2"),
    (f"{HEAD},place,place_kind,in_cell\n5,1,300,1,0,0,m,mall,\n5,2,300,1,9,9,,,m:mall\n", 3, "in_cell", "m",
     "without cells of its own"),
    (f"{HEAD},in_cell\n5,1,300,1,0,0,b:bar\n5,2,300,1,9,9,b:bar\n", 3, "in_cell", "b", "the one of line 2"),
    (f"{HEAD},neighbours\n5,1,300,1,0,0,5-2\n5,2,300,1,9,9,5-1 5-9\n", 3, "neighbours", "5-9",
     "a cell of this list"),
    (f"{HEAD},neighbours\n5,1,300,1,0,0,5-1 5-2\n5,2,300,1,9,9,5-1\n", 2, "neighbours", "5-1",
     "other cells than itself"),
    (f"{HEAD},neighbours\n5,1,300,1,0,0,5-2\n5,2,300,1,9,9,\n", 2, "neighbours", "5-2", "names 5-1 as its"),
    (f"{HEAD},neighbours\n5,1,300,1,0,0,5-2\n5,2,300,1,9,9,5-1\n5,3,300,1,5,5,5-4\n5,4,300,1,6,6,5-3\n", 4,
     "neighbours", "5-3", "2 cells are out of reach"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "value", "expected"), WRONG, ids=lambda v: str(v)[-30:])
def test_mistakes_are_named(tmp_path, text, line, column, value, expected):
    found = problems(tmp_path, text)
    assert (found[0].file, found[0].line) == (str(tmp_path / "cells.csv"), line)
    assert (found[0].key, found[0].value) == (column, value)
    assert expected in found[0].expected


def test_all_mistakes_are_told_at_once(tmp_path):
    found = problems(tmp_path, f"{HEAD}\n0,1,300,1,0,0\n5,x,300,1,0,0\n5,2,300,99999,0,0\n")
    assert [(p.line, p.key) for p in found] == [(2, "lac"), (3, "ci"), (4, "msc")]


def test_a_list_that_cannot_be_read(tmp_path):
    (tmp_path / "w.yaml").write_text(WORLD, encoding="utf-8")
    with pytest.raises(ScenarioError, match="no such file"):
        load_world(tmp_path / "w.yaml")
    (tmp_path / "cells.csv").write_bytes(b"\xff\xfe\x00l")
    with pytest.raises(ScenarioError, match="UTF-8"):
        load_world(tmp_path / "w.yaml")


@pytest.mark.parametrize(
    ("extra", "key"),
    [
        ("  city: {}\n", "network.cell_list"),
        ("  bscs: [{point_code: 257, lacs: [5]}]\n", "network.bscs"),
        ("places: [{name: m, kind: mall, x_km: 0, y_km: 0}]\n", "places"),
    ],
)
def test_what_the_list_brings_is_not_given_twice(tmp_path, extra, key):
    (tmp_path / "cells.csv").write_text(GOOD, encoding="utf-8")
    (tmp_path / "w.yaml").write_text(WORLD + extra, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load_world(tmp_path / "w.yaml")
    assert [p.key for p in caught.value.problems] == [key]


def equal(a: Topology, b: Topology) -> None:
    for field in dataclasses.fields(Topology):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype, field.name
            np.testing.assert_array_equal(one, other, field.name)
        elif field.name == "rest":
            for name, column in one._asdict().items():
                np.testing.assert_array_equal(column, getattr(other, name), name)
        elif field.name == "graph":
            assert nx.utils.graphs_equal(one, other)
        elif field.name != "lines":  # a list has cells only
            assert one == other, field.name


@pytest.mark.parametrize("city", [None, {"mscs": 2, "area_cells": 90}], ids=["town", "city"])
def test_a_map_written_and_read_is_the_same_map(tmp_path, city):
    network = {"cells": 220 if city else 60} | ({"city": city} if city else {})
    scenario = WorldScenario.model_validate(
        {"world": "w", "about": "x", "epoch": "2007-06-04", "subscribers": 50_000, "network": network}
    )
    drawn = build_topology(scenario, Draws(9))
    export_cells(drawn, tmp_path / "cells.csv")
    (tmp_path / "w.yaml").write_text(WORLD, encoding="utf-8")
    world = load_world(tmp_path / "w.yaml")
    equal(build_topology(world, Draws(9)), drawn)
    assert place_names(world) == [place.name for place in drawn.places if place.own]


names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)


@st.composite
def lists(draw):
    """Any list that may be read: areas of BSCs of MSCs, places of one kind, a ring of neighbours or none."""
    n = draw(st.integers(2, 12))
    kinds = st.sampled_from(KIND_NAMES)
    own = draw(st.lists(st.builds(PlaceName, names, kinds), max_size=3, unique_by=lambda p: p.name))
    inside = draw(st.lists(st.builds(PlaceName, names, kinds), max_size=4, unique_by=lambda p: p.name))
    inside = [p for p in inside if p.name not in {q.name for q in own}]
    homes = [draw(st.integers(0, n - 1)) for _ in inside]
    cis = draw(st.lists(st.integers(0, 65535), min_size=n, max_size=n, unique=True))
    lacs = [draw(st.integers(1, 6)) for _ in range(n)]
    ring = draw(st.booleans())
    rows = []
    for i in range(n):
        around = {(i - 1) % n, (i + 1) % n} - {i} if ring else set()
        kind = draw(st.integers(0, len(CELL_KINDS) - 1))
        rows.append(
            CellRow(
                lac=lacs[i], ci=cis[i], bsc=100 + lacs[i] // 2, msc=1 + lacs[i] // 4,
                x_m=draw(st.integers(-9999, 9999)), y_m=draw(st.integers(-9999, 9999)), kind=kind,
                azimuth_deg=draw(st.integers(-1, 359)), power_dbm=draw(st.integers(0, 70)),
                trx=draw(st.integers(1, 16)), place=draw(st.sampled_from([None, *own])),
                in_cell=tuple(p for p, home in zip(inside, homes, strict=True) if home == i),
                neighbours=tuple(sorted((lacs[j], cis[j]) for j in around)),
            )
        )  # fmt: skip
    return rows


@settings(max_examples=60, deadline=None)
@given(rows=lists())
def test_any_list_reads_back_as_written_and_makes_a_connected_map(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("list") / "cells.csv"
    write_cell_list(path, rows)
    assert read_cell_list(path) == rows
    found = topology_of(layout_of_rows(rows), RadioScenario(), Draws(1))
    assert nx.is_connected(found.graph)
    assert [(int(a), int(b)) for a, b in zip(found.lac, found.ci, strict=True)] == [
        (r.lac, r.ci) for r in rows
    ]


def test_every_column_is_described_and_written():
    assert set(COLUMNS) >= {field.name for field in dataclasses.fields(CellRow)}


def test_the_readme_describes_the_columns():
    text = (Path(__file__).parents[3] / "sim" / "network" / "README.md").read_text(encoding="utf-8")
    for column, meaning in COLUMNS.items():
        assert f"| `{column}` | {meaning} |" in text, "renew the table from sim.cell_list.COLUMNS"
