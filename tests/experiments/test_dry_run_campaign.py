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
from experiments.rehearsal.campaign import rehearse
from marketing.contact.ledger import Ledger, OptOut, Reservation
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
    done = kairos(scenarios / "campaigns" / "missed-call-alert.yaml", folder, "--json", "--alone")
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
    in_words = kairos(scenarios / "campaigns" / "missed-call-alert.yaml", folder, "--alone")
    assert f"triggered {len(on)} times" in in_words.output


@pytest.mark.parametrize(
    ("budget", "through"),
    [(3, 3), ({"contacts": 10**6, "per": "day"}, None), ({"contacts": 2, "per": "week"}, 2)],
)
def test_a_budget_says_how_many_it_lets_through(run, tmp_path, budget, through):
    folder, *_, scenarios = run
    text = (scenarios / "campaigns" / "missed-call-alert.yaml").read_text(encoding="utf-8")
    (tmp_path / "c.yaml").write_text(
        yaml.safe_dump(yaml.safe_load(text) | {"budget": budget}), encoding="utf-8"
    )
    found = rehearse(tmp_path / "c.yaml", folder, alone=True)
    assert found.outcomes["sent"] > 3
    assert found.budgeted == (through or found.outcomes["sent"])
    assert f"budget lets {found.budgeted:,} through" in kairos(tmp_path / "c.yaml", folder, "--alone").output


def test_statistics_are_counted(run):
    folder, *_, scenarios = run
    done = kairos(scenarios / "campaigns" / "mall-origins.yaml", folder, "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.output)["visitors"]
    assert sum(row["visitors"] for row in rows if row["hour"] is not None) > 10


def reserved(extract, imsi, campaign, number, at_us):
    """A contact of another campaign, as the ledger has it."""
    msisdn = int(extract["msisdn"][extract["imsi"].index(f"{imsi:015d}")])
    name, period = f"{campaign[:8]}{number:08d}", 200706
    return Reservation(
        name, name, campaign, "10086999", "o", imsi, msisdn, period, 732831, number, at_us, at_us + 1
    )


@pytest.fixture
def ledger(run):
    """What others sent: to one two contacts before his first trigger, to one after it; one has said stop."""
    folder, acts, extract, scenarios = run
    on = acts[
        (acts["kind"] == 1) & np.isin(acts["imsi"], list(often_off(extract) - {first_on(acts, extract)}))
    ]
    sent = rehearse(scenarios / "campaigns" / "missed-call-alert.yaml", folder, alone=True)
    first = {}
    for imsi, t_us in zip(on["imsi"].tolist(), on["t_us"].tolist(), strict=True):
        first.setdefault(imsi, t_us)
    hours = {imsi: (t - int(acts["t_us"][0])) / 3_600_000_000 for imsi, t in first.items()}
    early, late, stopped = [imsi for imsi, hour in hours.items() if 10 < hour < 19][:3]
    book = Ledger(f"sqlite:///{folder}/arms/precise/ledger.db", cap=9)
    wanted = [reserved(extract, early, "other", n, first[early] - 60_000_000 * (n + 1)) for n in range(2)]
    wanted += [reserved(extract, late, "further", n, first[late] + 1 + n) for n in range(2)]
    wanted += [reserved(extract, early, "missed-call-alert", n, 1) for n in range(2)]  # its own: played anew
    msisdn = int(extract["msisdn"][extract["imsi"].index(f"{stopped:015d}")])
    book.apply([*wanted, OptOut(msisdn, first[stopped] - 1, "10086999")])
    book.close()
    yield sent, Counter(on["imsi"].tolist()), early, stopped
    (folder / "arms" / "precise" / "ledger.db").unlink()


def test_what_the_other_campaigns_had_sent_counts(run, ledger):
    folder, *_, scenarios = run
    alone, triggers, early, stopped = ledger
    campaign = scenarios / "campaigns" / "missed-call-alert.yaml"
    found = json.loads(kairos(campaign, folder, "--json").output)
    assert alone.others is None
    assert found["others"] == {"further": 2, "other": 2}
    assert found["triggers"] == alone.triggers
    # The early one would have been contacted once; who was contacted by others later, was so before.
    assert found["outcomes"]["sent"] == alone.outcomes["sent"] - 2
    assert found["suppressed"]["cap"] == triggers[early]
    assert found["suppressed"]["do_not_disturb"] == alone.suppressed["do_not_disturb"] + triggers[stopped]
    assert "2 of further, 2 of other" in kairos(campaign, folder).output
    again = json.loads(kairos(campaign, folder, "--json", "--alone").output)
    assert (again["outcomes"], again["others"]) == (alone.outcomes, None)


def test_one_that_is_judged_earlier_goes_first_at_one_instant(run, tmp_path):
    """Of equal priority the name decides; here the other's file is there to say so."""
    folder, acts, extract, scenarios = run
    campaign = scenarios / "campaigns" / "missed-call-alert.yaml"
    switched_on = Counter(acts[acts["kind"] == 1]["imsi"].tolist())
    named = often_off(extract) - {first_on(acts, extract)}
    imsi = min(imsi for imsi in named if switched_on[imsi] == 1)
    on = acts[(acts["kind"] == 1) & (acts["imsi"] == imsi)]
    config = folder / "arms" / "precise" / "platform.yaml"
    before = config.read_text(encoding="utf-8")
    found = []
    for name in ("aaa", "zzz"):
        values = yaml.safe_load(campaign.read_text(encoding="utf-8")) | {"campaign": name}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        named = yaml.safe_load(before) | {"campaigns": [str(tmp_path / f"{name}.yaml")]}
        config.write_text(yaml.safe_dump(named), encoding="utf-8")
        book = Ledger(f"sqlite:///{folder}/arms/precise/ledger.db", cap=9)
        book.apply([reserved(extract, imsi, name, n, int(on["t_us"][0])) for n in range(2)])
        book.close()
        found.append(rehearse(campaign, folder).suppressed.get("cap", 0))
        (folder / "arms" / "precise" / "ledger.db").unlink()
    config.write_text(before, encoding="utf-8")
    assert found == [1, 0]


def test_a_run_without_a_ledger_says_what_is_not_known(run):
    folder, *_, scenarios = run
    ledger = folder / "arms" / "precise" / "ledger.db"
    for words in ("no such file", "cannot be read as a ledger"):
        done = kairos(scenarios / "campaigns" / "missed-call-alert.yaml", folder)
        assert done.exit_code == 2
        assert words in done.output
        assert "--alone" in done.output
        ledger.write_bytes(b"no database at all, whatever its name says")
    ledger.unlink()


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
