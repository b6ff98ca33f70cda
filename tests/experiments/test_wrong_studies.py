"""Studies of every kind with one thing wrong: its line, key, value and what was expected; nothing is run."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from experiments.cli import cli
from experiments.problems import BadInput
from experiments.study import load_study
from experiments.validate import check_study_files

SCENARIOS = Path(__file__).parents[2] / "scenarios"
STUDIES = SCENARIOS / "studies"
UPLIFT = "missed-call-alert"
HANG_UP = str(SCENARIOS / "campaigns" / "hang-up-sms.yaml")

# Study, dotted key, what it says, and the problem from the key on.
WRONG = [
    ("latency", "kind", "latncy", "kind = 'latncy': expected one of capacity, compliance, end-to-end"),
    ("uplift", "kind", 5, "kind = 5: expected one of capacity"),
    ("selfcheck", "kind", None, "kind = null: expected one of"),
    ("latency", "world", None, "world = null: expected the name of a file."),
    ("latency", "world", str(STUDIES), "expected a file; that is a folder."),
    ("latency", "world_settings", {"subscriber": 5}, "world_settings.subscriber = 5: no such key here"),
    (
        "compliance",
        "world_settings",
        {"subscribers": 0},
        "world_settings.subscribers = 0: expected at least 1",
    ),
    ("uplift", "truth.world_settings", {"subscribers": 0}, "truth.world_settings.subscribers = 0: expected"),
    ("latency", "campaigns", [HANG_UP, HANG_UP], "campaign = 'hang-up-sms': a name of its own"),
    ("latency", "load.at_s", 5, "load = {...}: a load of shape fixed has no at_s."),
    ("latency", "load.rate_per_s", 0.001, "load.seconds = 30: not one message in 30 s"),
    ("latency", "plant", {}, "plant = {...}: expected one of platform_stall_s and generator_stall_s."),
    (
        "latency",
        "load",
        {"shape": "saw-tooth", "seconds": 3600, "rate_per_s": 5, "to_per_s": 6, "period_s": 1e-9},
        "load.period_s = 1e-09: expected at least 0.1.",
    ),
    ("capacity", "workers", [1, 1], "workers = [1, 1]: expected each value once."),
    ("capacity", "search.repeats", 2, "search.repeats = 2: expected an odd number"),
    ("capacity", "active_campaigns", [10**7], "active_campaigns[0] = 10000000: expected at most 10000."),
    ("capacity", "sizing.subscribers", [0], "sizing.subscribers[0] = 0: expected at least 1."),
    ("compliance", "offers", [{"name": "missed"}], "offers[0].name = 'missed': expected an offer of"),
    ("uplift", "offers", [{"name": UPLIFT}] * 2, f"offers[1].name = '{UPLIFT}': expected each offer once."),
    ("uplift", "offers", [{"name": "missed-cal-alert"}], "Did you mean 'missed-call-alert'?"),
    (
        "uplift",
        "values",
        {"x": 1},
        "values.x = 1: expected an offer of the study's campaigns: missed-call-alert.",
    ),
    ("uplift", "blanket.price", {"x": 1}, "blanket.price.x = 1: expected one of the study's campaigns"),
    ("uplift", "blanket.by", ["reach", "reach"], "blanket.by = ['reach', 'reach']: expected each once."),
    ("uplift", "blanket.at", "21:30", "blanket.at = '21:30': expected a time outside the quiet hours"),
    ("uplift", "eligible", {"where": {"x": "y"}}, "eligible.where.x = 'y': no such column of the extract"),
    ("uplift", "campaigns_from_day", 9, "campaigns_from_day = 9: expected at most days, 7."),
    ("uplift", "same_feed_days", 8, "same_feed_days = 8: expected at most days, 7."),
    ("uplift", "seed", True, "seed = true: expected a whole number."),
    ("latency", "seed", "7", "seed = '7': expected a whole number, without quotes."),
    ("firewall", "groups", ["races"] * 2, "groups = ['races', 'races']: expected each group once."),
    ("realism", "event_settings", {"subscriber": 5}, "event_settings.subscriber = 5: no such key here"),
    ("selfcheck", "groups", ["nix"], "groups = ['nix']: expected some of intervals, peeking"),
    ("selfcheck", "groups", ["rerun"] * 2, "groups = ['rerun', 'rerun']: expected each group once."),
]


def written(path, name, key, value):
    """A shipped study with one key set, its files named from anywhere; the file."""
    values = yaml.safe_load((STUDIES / f"{UPLIFT if name == 'uplift' else name}.yaml").read_text())
    *parents, last = key.split(".")
    for role in ("world", "event_world", "policy"):
        if role in values:
            values[role] = str(STUDIES / values[role])
    if "campaigns" in values:
        values["campaigns"] = [str(STUDIES / file) for file in values["campaigns"]]
    if "sizing" in values:
        values["sizing"]["world"] = str(STUDIES / values["sizing"]["world"])
    at = values
    for part in parents:
        at = at[part]
    at[last] = value
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


@pytest.mark.parametrize(("name", "key", "value", "said"), WRONG)
def test_one_wrong_key_is_said_where_it_stands(tmp_path, name, key, value, said):
    file = written(tmp_path / "study.yaml", name, key, value)
    with pytest.raises(BadInput) as found:
        check_study_files(load_study(file))
    (line,) = [line for line in found.value.lines if said in line]
    if HANG_UP in line:
        return
    assert line.startswith(f"{file}:")
    place, _, rest = line.removeprefix(f"{file}:").partition(": ")
    named = rest.partition(" = ")[0].rpartition(".")[2].partition("[")[0]
    around = file.read_text().splitlines()[int(place) - 2 : int(place)]
    assert any(named in row for row in around)


def test_a_setting_of_the_command_line_is_said_as_one():
    settings = ["blanket.at=21:30", "offers.0.name=nothing"]
    with pytest.raises(BadInput) as found:
        check_study_files(load_study(STUDIES / f"{UPLIFT}.yaml", settings))
    assert any(line.startswith("--set: blanket.at = '21:30': expected a time") for line in found.value.lines)
    assert any(line.startswith("--set: offers[0].name = 'nothing': expected") for line in found.value.lines)


@pytest.mark.parametrize("command", ["run", "dry-run", "validate"])
def test_every_command_refuses_it_alike(tmp_path, command):
    file = written(tmp_path / "study.yaml", "uplift", "kind", "upliftt")
    done = CliRunner().invoke(cli, [command, str(file)])
    assert done.exit_code == 2
    assert done.output.splitlines()[0].startswith(f"{file}:2: kind = 'upliftt': expected one of capacity")
    assert done.output.count("\n") == 1
