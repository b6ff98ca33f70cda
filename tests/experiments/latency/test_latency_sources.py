"""Schedules of a real world: the same for a seed, every shape, the day as it is."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from experiments.latency.shapes import Load
from experiments.latency.sites import Site, Terms
from experiments.latency.sources import drawn
from experiments.problems import RunInvalid

SCENARIOS = Path(__file__).parents[3] / "scenarios"
START_US = 36_000_000_000
SETTINGS = {"subscribers": 800, "usage.service_calls_per_day": 40, "usage.service_talk_mean_s": 5}
LOADS = [
    Load(shape="fixed", seconds=4, rate_per_s=300),
    Load(shape="step", seconds=4, rate_per_s=100, to_per_s=500, at_s=2),
    Load(shape="ramp", seconds=4, rate_per_s=100, to_per_s=500),
    Load(shape="saw-tooth", seconds=4, rate_per_s=100, to_per_s=500, period_s=1),
    Load(shape="flash-crowd", seconds=4, rate_per_s=100, to_per_s=500, at_s=1, rise_s=0.5, fall_s=0.5),
    Load(shape="day", seconds=4, factor=50),
]


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    def site(seed):
        world = SCENARIOS / "worlds" / "town-live.yaml"
        terms = Terms(SCENARIOS / "policies" / "default.yaml")
        return Site(terms, world, seed, tmp_path_factory.mktemp("site"), settings=SETTINGS)

    return {name: site(seed) for name, seed in (("one", 7), ("same", 7), ("other", 8))}


def digest(plan):
    return hashlib.sha256(plan.intended_ns.tobytes() + bytes(plan.batch.data)).hexdigest()


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.shape)
def test_a_schedule_is_drawn_whole_and_the_same_for_a_seed(sites, load):
    plans = {name: drawn(site, load, START_US, 400).plan for name, site in sites.items()}
    one = plans["one"]
    assert digest(one) == digest(plans["same"]) != digest(plans["other"])
    assert np.all(np.diff(one.intended_ns) >= 0)
    assert one.intended_ns[0] >= 0
    assert one.seconds == pytest.approx(4, abs=0.2)
    assert [one.index_of(int(one.corr[i])) for i in (0, -1)] == [0, one.batch.n - 1]
    assert one.index_of(0) == one.index_of(int(one.corr[-1]) + 1) == -1
    if load.shape == "fixed":
        assert one.batch.n == 1200
    if load.shape == "step":
        assert np.count_nonzero(one.intended_ns <= 2e9) == pytest.approx(200, abs=3)
    if load.shape == "day":
        assert one.time.factor == pytest.approx(50)


def test_more_than_the_world_says_is_not_drawn(sites):
    with pytest.raises(RunInvalid, match="too small"):
        drawn(sites["one"], Load(shape="fixed", seconds=4, rate_per_s=5000), START_US, 10)
