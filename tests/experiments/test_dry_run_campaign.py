"""`kairos dry-run CAMPAIGN RUN_DIR`: a campaign on the behaviours that a run has recorded."""

import json
from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from experiments.cli import cli
from experiments.inputs import world_files
from reports.records import TABLES, write
from sim.run import Run, build
from sim.scenario import load_world
from sim.sinks import Nothing

DAY_US = 86_400_000_000
ZONE = ZoneInfo("Asia/Shanghai")


class Shown(Nothing):
    def __init__(self):
        self.rows = []

    def visible(self, rows):
        self.rows.append(rows)


def often_off(extract):
    rows = zip(extract["imsi"], extract["often_off"], extract["customer"], strict=True)
    return {int(imsi) for imsi, off, own in rows if off and own}


def first_on(acts, extract):
    """The IMSI of the first of them to switch on: he is on the do-not-disturb list."""
    return int(acts[(acts["kind"] == 1) & np.isin(acts["imsi"], list(often_off(extract)))]["imsi"][0])


@pytest.fixture(scope="module")
def run(tmp_path_factory, request):
    """A run's folder with one arm in it, as a study leaves it; and the acts behind it."""
    scenarios = request.config.rootpath / "scenarios"
    folder = tmp_path_factory.mktemp("run")
    arm = folder / "arms" / "precise"
    world = build(load_world(scenarios / "worlds" / "town.yaml", {"subscribers": 300}), 5)
    shown = Shown()
    running = Run(world, sink=shown, tick_us=600_000_000, end_us=DAY_US, messages=False)
    while running.step() < DAY_US:
        pass
    acts = np.concatenate(shown.rows)
    extract = world_files(world, arm / "inputs")
    rows = {column.name: acts[column.name] for column in TABLES["behaviours"].columns}
    write(arm / "behaviours.parquet", "behaviours", rows)
    policy = yaml.safe_load((scenarios / "policies" / "default.yaml").read_text(encoding="utf-8"))
    policy["do_not_disturb"] = {"file": "disturb.csv"}
    disturbed = first_on(acts, extract)
    number = extract["msisdn"][extract["imsi"].index(f"{disturbed:015d}")]
    (arm / "disturb.csv").write_text("msisdn,since\n" + f"{number},\n")
    (arm / "policy.yaml").write_text(yaml.safe_dump(policy), encoding="utf-8")
    config = {
        "clock": {"mode": "lockstep", "epoch": "2007-06-04T00:00:00"},
        "subscribers": "inputs/extract.parquet",
        "cells": "inputs/cells.csv",
        "terminals": "inputs/terminals.csv",
        "policy": "policy.yaml",
        "records": {"dir": "platform"},
    }
    (arm / "platform.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder, acts, extract, scenarios


def kairos(*arguments):
    return CliRunner().invoke(cli, ["dry-run", *map(str, arguments)])


def test_how_many_when_where_and_what_the_policy_would_suppress(run):
    folder, acts, extract, scenarios = run
    done = kairos(scenarios / "campaigns" / "missed-call-alert.yaml", folder, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    often = often_off(extract)
    on = acts[(acts["kind"] == 1) & np.isin(acts["imsi"], list(often))]
    hours = Counter(
        datetime.fromtimestamp(t / 1e6, UTC).astimezone(ZONE).strftime("%H") for t in on["t_us"].tolist()
    )
    assert found["triggers"] == len(on) > 20
    assert found["by_hour"] == hours
    assert found["subscribers"] == len(set(on["imsi"].tolist()))
    assert sum(found["by_place"].values()) == sum(found["outcomes"].values()) == len(on)
    assert sum(found["suppressed"].values()) == found["outcomes"]["suppressed"]
    assert found["suppressed"]["do_not_disturb"] == Counter(on["imsi"].tolist())[first_on(acts, extract)]
    assert found["suppressed"]["duplicate"] > 0
    in_words = kairos(scenarios / "campaigns" / "missed-call-alert.yaml", folder)
    assert f"triggered {len(on)} times" in in_words.output


def test_statistics_are_counted(run):
    folder, *_, scenarios = run
    done = kairos(scenarios / "campaigns" / "mall-origins.yaml", folder, "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.output)["visitors"]
    assert sum(row["visitors"] for row in rows if row["hour"] is not None) > 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (lambda run: ("missed-call-alert.yaml", None), "give the folder of one as RUN_DIR"),
        (lambda run: ("missed-call-alert.yaml", run / "none"), "no such folder"),
        (lambda run: ("missed-call-alert.yaml", run / "arms"), "no folder arms/"),
        (
            lambda run: ("missed-call-alert.yaml", run, "--arm", "control"),
            "no arm 'control'; there are precise",
        ),
        (lambda run: ("../studies/demo.yaml", run), "RUN_DIR goes with a campaign file"),
        (lambda run: ("nothing.yaml", run), "no such file"),
    ],
)
def test_what_cannot_be_played_is_said(run, arguments, words):
    folder, *_, scenarios = run
    name, *rest = arguments(folder)
    done = kairos(scenarios / "campaigns" / name, *(one for one in rest if one is not None))
    assert done.exit_code == 2
    assert words in done.output
    assert "Traceback" not in done.output


def test_a_run_without_behaviours_is_said(run, tmp_path):
    *_, scenarios = run
    (tmp_path / "arms" / "precise").mkdir(parents=True)
    done = kairos(scenarios / "campaigns" / "missed-call-alert.yaml", tmp_path)
    assert done.exit_code == 2
    assert "has no behaviours.parquet" in done.output
