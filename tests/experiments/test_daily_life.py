"""The measures of mobility: known answers on made-up stays, and what a city's people come to."""

import numpy as np
import pytest
from click.testing import CliRunner

from experiments import daily_life
from experiments.daily_life import Stays, measure, stays_of, words
from sim.scenario import DAY_US, WorldScenario
from sim.world import build_world

HOUR_US = 3_600_000_000
DAYS = 14


@pytest.fixture(scope="module")
def city():
    network = {"cells": 400, "city": {"towns": [{"name": "a", "share": 4}, {"name": "b", "x_km": 25}]}}
    world = {"world": "city", "about": "For tests.", "epoch": "2007-06-04", "subscribers": 40_000}
    return build_world(WorldScenario.model_validate({**world, "network": network}), 5)


@pytest.fixture(scope="module")
def lives(city):
    stays = stays_of(city, DAYS, np.arange(0, city.n, 40))
    return stays, measure(city, stays, DAYS)


def test_stays_do_not_overlap_and_fill_the_days(lives):
    stays, _ = lives
    same = stays.sub[1:] == stays.sub[:-1]
    assert (stays.start_us[1:][same] >= stays.end_us[:-1][same]).all()
    spent = np.bincount(stays.sub, (stays.end_us - stays.start_us) / DAY_US)
    assert 0.85 < spent[spent > 0].mean() / DAYS < 0.98  # the rest is on the way, or away


def test_people_of_a_city_move_as_people_do(lives):
    """Bands round the figures of the papers that `daily_life` names."""
    _, m = lives
    # Ways to work, which are drawn within a town whatever the distance, make the middle broad.
    assert np.quantile(m.jumps_km, 0.99) > 3.5 * np.median(m.jumps_km)
    assert np.quantile(m.gyration_km, 0.99) > 2 * np.median(m.gyration_km)
    assert m.zipf == pytest.approx(1.2, abs=0.3)
    assert m.growth == pytest.approx(0.6, abs=0.1)
    for day in (1, 2, 3):  # from noon, when people are where they always are less than at any other hour
        assert m.returns[24 * day] > 0.35
        assert m.returns[24 * day] > 2 * m.returns[24 * day - 12]
    assert m.burstiness > -0.1
    assert len(words(m).splitlines()) == 9


def test_measures_of_a_made_up_life(city):
    """Somebody who is at two places twelve hours each: everything is known."""
    ground = city.topology
    a, b = 0, 40
    km = float(np.hypot(*(np.diff(c[[a, b]]) / 1000 for c in (ground.spot_x_m, ground.spot_y_m)))[0])
    start = np.arange(8) * DAY_US // 2
    stays = Stays(np.zeros(8, np.int64), start, start + DAY_US // 2, np.array([a, b] * 4))
    m = measure(city, stays, 4)
    assert m.jumps_km == pytest.approx([km] * 7)
    assert m.gyration_km == pytest.approx([km / 2])
    assert m.range_km == pytest.approx([km] * 4)
    assert m.distinct.tolist() == [2, 2, 2, 2]
    assert m.growth == pytest.approx(0.0)
    assert m.burstiness == pytest.approx(-1.0)
    assert m.returns[[0, 24, 48]].tolist() == [1, 1, 1]
    assert m.returns[[12, 36]].tolist() == [0, 0]


def test_command_draws_and_says_what_is_wrong(tmp_path, request):
    town = str(request.config.rootpath / "scenarios" / "worlds" / "town.yaml")
    done = CliRunner().invoke(
        daily_life.main, [town, "--days", "4", "--set", "subscribers=300", "--out", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    assert "distinct places" in done.output
    for name in ("day.png", "density.png"):
        assert (tmp_path / name).stat().st_size > 10_000
    for bad in (["--set", "x"], ["--set", "subscribers=none"]):
        failed = CliRunner().invoke(daily_life.main, [town, *bad])
        assert failed.exit_code != 0
        assert "Traceback" not in failed.output
