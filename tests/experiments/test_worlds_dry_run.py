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

from experiments.cli import cli
from experiments.rehearsal import command as dry_run
from experiments.rehearsal.command import Trial, extrapolated, plan_of
from experiments.rehearsal.world import erlang_b, expect, fewer
from experiments.study import load_study
from experiments.study_kinds import kind_of_study, kinds
from experiments.world_check import lived
from sim.network import acts
from sim.network.capacity import LOAD_2_PCT_CERL, traffic_channels
from sim.run import Run, build
from sim.scenario import load_world
from sim.sinks import Counter

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


@pytest.mark.parametrize("name", sorted(path.stem for path in (SCENARIOS / "worlds").glob("*.yaml")))
def test_a_sample_tells_how_many_messages_a_world_has(name):
    """A quarter of the people: within 12 per cent, and within thrice the interval of the sample."""
    overrides = {"network.cells": 500} if name == "province" else {}
    scenario = fewer(load_world(SCENARIOS / "worlds" / f"{name}.yaml", overrides), 1200)
    said = expect(scenario, seed=5, sample=300, memory_sample=0).messages_per_day
    run = Run(build(scenario, 5), sink=Counter(), tick_us=HOUR, end_us=24 * HOUR, messages=False)
    while run.step() < 24 * HOUR:
        pass
    messages = run.network.numbered
    assert messages > 60_000
    assert said.value == pytest.approx(messages, rel=0.12)
    assert abs(said.value - messages) <= 3 * said.plus_minus


def test_memory_and_time_of_a_part_tell_of_the_whole():
    """Memory within its range; time is only said, as machines that test are busy."""
    scenario = load_world(TOWN, {"subscribers": 3000})
    part, whole = (expect(scenario, seed=5, sample=100, memory_sample=n) for n in (1000, 3000))
    low, high = part.memory_range_mib
    assert low < whole.memory_mib < high
    assert 20 < whole.memory_mib < 400
    assert part.cpu_range_s[0] < part.cpu_s_per_day < part.cpu_range_s[1]


def trial(days, lives, messages, cpu_s):
    return Trial(days, lives, messages, cpu_s, 0.0, 0)


def test_processor_time_is_read_off_where_it_was_seen_to_come_from():
    def cpu_s(days, lives, messages):
        return lives * (2.0 + 0.5 * days) + messages * 1e-5

    trials = [trial(d, 3, n, cpu_s(d, 3, n)) for d, n in ((1, 10_000), (1, 90_000), (2, 20_000))]
    assert extrapolated(trials, 30, 3, 5e6) == pytest.approx(cpu_s(30, 3, 5e6))
    # Of one length alone, all that is no message's is the days'.
    trials = [trial(7, 11, n, 11 * 7 * 0.2 + n * 1e-5) for n in (10_000, 90_000)]
    assert extrapolated(trials, 14, 19, 5e6) == pytest.approx(19 * 14 * 0.2 + 50)


def test_every_kind_of_study_tells_what_it_lives_through():
    for path in sorted((SCENARIOS / "studies").glob("*.yaml")):
        loaded = load_study(path)
        if hasattr(kind_of_study(loaded.study), "foretell"):
            continue  # lives through no world; see the test after this
        plan = plan_of(loaded)
        assert plan.days == loaded.study.days
        assert plan.lives >= plan.trial_lives > 0
        assert plan.trial_days[0] <= plan.days


def test_a_study_without_a_world_tells_what_it_tries():
    command = ["dry-run", str(SCENARIOS / "studies" / "firewall.yaml"), "--set", "kills=17"]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0
    assert "      17 kills of a platform under load" in done.output
    tries = json.loads(CliRunner().invoke(cli, [*command, "--json"]).output)["tries"]
    assert tries["people of the right policy's trial"] == 165_000
    assert tries["broken policies to be caught"] >= 12


def test_a_kind_that_does_not_tell_is_named(monkeypatch):
    monkeypatch.delattr(kinds()["realism"], "plan")
    done = CliRunner().invoke(cli, ["dry-run", str(SCENARIOS / "studies" / "realism.yaml")])
    assert done.exit_code == 2
    assert "do not tell what they will come to" in done.output


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
    assert "Study demo, end-to-end: lives 3 times through 2 days" in done.output
    assert "short runs of it: 20 people 1 d" in done.output
    assert "60 people 1 d" in done.output
    assert "20 people 2 d" in done.output
    assert "World town, day 1, seed 7" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["worlds/twon.yaml"], "town.yaml"),
        (["policies/default.yaml"], "expected a world or a study"),
        (["worlds/town.yaml", "--set", "subscriber=5"], "subscribers"),
        (["worlds/town.yaml", "--set", "subscribers"], "path=value"),
    ],
)
def test_mistakes_are_told(arguments, said):
    done = CliRunner().invoke(cli, ["dry-run", str(SCENARIOS / arguments[0]), *arguments[1:]])
    assert done.exit_code == 2
    assert said in done.output
