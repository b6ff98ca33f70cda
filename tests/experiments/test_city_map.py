"""`kairos map`: the ground has the colour of the nearest cell; mistakes are told without a traceback."""

import numpy as np
import pytest
from click.testing import CliRunner

from experiments.city_map import ground_cells, whole_view
from experiments.cli import cli
from sim.draws import Draws
from sim.network.topology import INDOOR, build_topology
from sim.scenario import WorldScenario

WORLD = "world: little\nabout: x\nepoch: 2007-06-04\nsubscribers: 3000\nnetwork: {cells: 90, city: {}}\n"


def test_ground_belongs_to_the_nearest_cell():
    scenario = WorldScenario.model_validate(
        {"world": "w", "about": "x", "epoch": "2007-06-04", "network": {"cells": 90, "city": {}}}
    )
    topology = build_topology(scenario, Draws(1))
    view = whole_view(topology, 1.5)
    rows, columns = 60, 90
    found = ground_cells(topology, view, rows, columns)
    x = view.west + (np.arange(columns) + 0.5) * view.width / columns
    y = view.south + (np.arange(rows) + 0.5) * view.height / rows
    outdoor = np.flatnonzero(topology.kind != INDOOR)
    squares = (topology.spot_x_m[outdoor] - x[None, :, None]) ** 2 + (
        topology.spot_y_m[outdoor] - y[:, None, None]
    ) ** 2
    known = found >= 0
    mine = (topology.spot_x_m[found] - x[None, :]) ** 2 + (topology.spot_y_m[found] - y[:, None]) ** 2
    # Where two cells stand within one point of the raster either may have it.
    pixel = view.width / columns
    assert known.mean() > 0.2
    assert (np.sqrt(mine) - np.sqrt(squares.min(axis=2)) <= 1.5 * pixel)[known].all()
    assert (mine == squares.min(axis=2))[known].mean() > 0.8
    assert (squares.min(axis=2)[~known] > 600**2).all()


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_draws_and_lists(tmp_path, suffix):
    (tmp_path / "w.yaml").write_text(WORLD, encoding="utf-8")
    picture, cells = tmp_path / f"m.{suffix}", tmp_path / "cells.csv"
    result = CliRunner().invoke(
        cli, ["map", str(tmp_path / "w.yaml"), "--out", str(picture), "--cells", str(cells)]
    )
    assert result.exit_code == 0, result.output
    head = picture.read_bytes()[:400]
    assert b"PNG" in head if suffix == "png" else b"<svg" in head
    if suffix == "svg":
        text = picture.read_text(encoding="utf-8")
        assert "90 cells, 1 location area, 1 BSC, 1 MSC" in text
        assert "airport" in text
    assert len(cells.read_text(encoding="utf-8").splitlines()) == 91


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--out", "m.bmp"], "expected a name that ends in one of .png"),
        (["--set", "network.cells"], "expected path=value"),
        (["--set", "network.cells=4"], "network.cells"),
        (["--out", "nowhere/at/all/m.png"], "cannot be written"),
    ],
)
def test_mistakes(tmp_path, monkeypatch, options, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.yaml").write_text(WORLD, encoding="utf-8")
    result = CliRunner().invoke(cli, ["map", "w.yaml", *options])
    assert result.exit_code == 2
    assert expected in result.output
    assert "Traceback" not in result.output
