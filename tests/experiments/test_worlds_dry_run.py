"""`kairos dry-run`: Erlang B, counts that are exact, and samples that say what the whole then does."""

from __future__ import annotations

import json
from functools import partial
from math import factorial
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from experiments import dry_run
from experiments.cli import cli
from experiments.dry_run_world import erlang_b, expect
from experiments.world_check import lived
from sim.network import acts
from sim.network.capacity import LOAD_2_PCT_CERL, traffic_channels
from sim.run import build
from sim.scenario import load_world

SCENARIOS = Path(__file__).parents[2] / "scenarios"
TOWN = SCENARIOS / "worlds" / "town.yaml"
HOUR = 3_600_000_000


@pytest.mark.parametrize(("trx", "cerl"), list(enumerate(LOAD_2_PCT_CERL, 1)))
def test_erlang_b_agrees_with_the_planners_table(trx, cerl):
    channels = int(traffic_channels(trx))
    assert erlang_b(cerl / 100, channels) == pytest.approx(0.02, abs=2e-4)


@given(st.floats(0, 60), st.integers(0, 40))
def test_erlang_b_is_erlangs_formula(load, channels):
    terms = [load**n / factorial(n) for n in range(channels + 1)]
    assert erlang_b(load, channels) == pytest.approx(terms[-1] / sum(terms), rel=1e-9, abs=1e-300)


def test_with_everybody_in_the_sample_it_is_what_then_happens():
    scenario = load_world(TOWN, {"subscribers": 200})
    said = expect(scenario, seed=5, sample=200, memory_sample=500)
    world = build(scenario, 5)
    watch = lived(world, 0, 24 * HOUR)
    assert said.messages_per_day.value == watch.messages
    kinds = watch.rows["kind"].tolist()
    assert said.per_day["calls made"].value == kinds.count(acts.CALL_MADE) > 0
    assert said.per_day["handovers"].value == kinds.count(acts.HANDOVER)
    assert said.messages_per_day.plus_minus == 0
    assert (said.cells, said.location_areas, said.bscs, said.mscs) == (60, 5, 2, 1)
    assert said.traffic_channels == int(world.topology.tch.sum())
    assert said.busy_hour_erl.value == pytest.approx(sum(g.cells * g.load_erl for g in said.groups))


def test_a_sample_tells_of_the_whole():
    scenario = load_world(TOWN, {"subscribers": 1600})
    part, whole = (expect(scenario, seed=5, sample=n, memory_sample=500) for n in (400, 1600))
    for name, figure in part.per_day.items():
        if name == "handovers":  # too few in so small a sample
            continue
        assert abs(figure.value - whole.per_day[name].value) <= 2 * figure.plus_minus, name
    assert part.messages_per_day.value == pytest.approx(whole.messages_per_day.value, rel=0.1)
    assert part.subscribers == whole.subscribers == 1600


def test_the_command_prints_a_table_or_json(monkeypatch):
    monkeypatch.setattr(dry_run, "expect", partial(expect, memory_sample=500))
    command = ["dry-run", str(TOWN), "--set", "subscribers=100", "--set", "network.t3212_h=2"]
    table = CliRunner().invoke(cli, command)
    assert table.exit_code == 0
    for words in ("Busy hour", "blocking, Erlang B", "location updates", "octets in a capture", "memory"):
        assert words in table.output
    said = json.loads(CliRunner().invoke(cli, [*command, "--json"]).output)
    assert said["subscribers"] == 100
    assert said["messages_per_day"]["value"] > 5000
    assert {group["kind"] for group in said["groups"]} == {"macro", "indoor", "road"}


def test_a_study_is_tried_small(monkeypatch):
    monkeypatch.setattr(dry_run, "TRIALS", (20, 60))
    monkeypatch.setattr(dry_run, "expect", partial(expect, sample=100, memory_sample=500))
    done = CliRunner().invoke(
        cli,
        ["run", str(SCENARIOS / "studies" / "demo.yaml"), "--dry-run", "--set", "days=2"],
    )
    assert done.exit_code == 0, done.output
    assert "Study demo: arms control, precise, blanket, 2 days" in done.output
    assert "with 20 and 60 people" in done.output
    assert "World town, day 1, seed 7" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["worlds/twon.yaml"], "town.yaml"),
        (["policies/default.yaml"], "expected a world or a study"),
        (["studies/realism.yaml"], "expected a study of kind end-to-end"),
        (["worlds/town.yaml", "--set", "subscriber=5"], "subscribers"),
        (["worlds/town.yaml", "--set", "subscribers"], "path=value"),
    ],
)
def test_mistakes_are_told(arguments, said):
    done = CliRunner().invoke(cli, ["dry-run", str(SCENARIOS / arguments[0]), *arguments[1:]])
    assert done.exit_code == 2
    assert said in done.output
