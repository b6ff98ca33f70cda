"""Every kind of file speaks of its mistakes in one form and in the same words.

file:line: key = value: what was expected. Did you mean 'x'?
"""

import re

import pytest
import yaml
from click.testing import CliRunner

from experiments.cli import cli
from experiments.validate import problems_of
from marketing.campaigns import load
from marketing.outputs import load_origins
from marketing.profiles import load_cells, load_extract, load_terminals, read_dated_list
from sim.cell_list import read_cell_list

FORM = re.compile(
    r"(?P<file>[^:]+\.(?:yaml|csv))(?::(?P<line>[0-9]+))?:"
    r"(?: (?P<key>[a-z0-9_,./[\]]+)(?: = (?P<value>[^\n]+?))?:)? "
    r"(?P<said>[^\n]+)\."
    r"(?: Did you mean '(?P<near>[^']+)'\?)?"
)

WORLD = {"world": "w", "about": "x", "epoch": "2007-06-04"}
CAMPAIGN = {
    "campaign": "c",
    "title": "t",
    "scene": {"begin": {"behaviour": "power_on"}},
    "offer": "o",
    "content": {"en": "hello"},
    "originator": "1008607",
}
POLICY = {
    "timezone": "Asia/Shanghai",
    "caps": {"per_calendar_month": 2},
    "marketing_originators": ["100860"],
    "do_not_disturb": {"file": None},
    "control_group": {"file": None},
}
AUDIENCE = {
    "audiences": "segments",
    "about": "x",
    "segments": {"students": {"title": {"en": "s"}, "places": ["school"], "packages": {"fun": ["games"]}}},
}


@pytest.fixture
def good(tmp_path):
    """A correct file of each kind, with all that it names."""
    scenarios = {"world.yaml": WORLD, "campaign.yaml": CAMPAIGN, "policy.yaml": POLICY}
    platform = {
        "subscribers": "people.csv",
        "cells": "cells.csv",
        "campaigns": ["campaign.yaml"],
        "policy": "policy.yaml",
        "records": {"dir": "records"},
    }
    study = {"study": "s", "kind": "end-to-end", "world": "world.yaml", "campaigns": ["campaign.yaml"]}
    study |= {"policy": "policy.yaml", "offers": [{"name": "o"}]}
    for name, values in {
        **scenarios,
        "platform.yaml": platform,
        "study.yaml": study,
        "audience.yaml": AUDIENCE,
    }.items():
        (tmp_path / name).write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    (tmp_path / "people.csv").write_text("imsi,msisdn\n460000000000001,8613900000001\n")
    (tmp_path / "cells.csv").write_text("lac,ci,place,kind\n1,1,mall,macro\n")

    def make(kind):
        return tmp_path / f"{kind}.yaml", yaml.safe_load((tmp_path / f"{kind}.yaml").read_text())

    return make


def said_of(path):
    done = CliRunner().invoke(cli, ["validate", str(path)])
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    return [line for line in done.output.splitlines() if line.strip()]


def parsed(lines):
    found = [FORM.fullmatch(line) for line in lines]
    assert all(found), lines
    return [match.groupdict() for match in found]


KINDS = ["world", "study", "campaign", "policy", "audience", "platform"]
# kind -> a key one letter wrong, and the right one; a number too small, where; a choice that is none, where
MISSPELT = {
    "world": ("subscriberz", "subscribers"),
    "study": ("replayz", "replays"),
    "campaign": ("prioritee", "priority"),
    "policy": ("validity_z", "validity_s"),
    "audience": ("abouth", "about"),
    "platform": ("recordz", "records"),
}
TOO_SMALL = {
    "world": ("subscribers", 0, "at least"),
    "study": ("days", 0, "at least 1"),
    "campaign": ("priority", -1, "at least 0"),
    "policy": ("validity_s", -5, "than 0|at least"),
    "platform": ("state", {"dir": "s", "every_s": 0}, "than 0"),
}
NEEDED = {
    "world": "epoch",
    "study": "policy",
    "campaign": "title",
    "policy": "timezone",
    "audience": "segments",
    "platform": "cells",
}


@pytest.mark.parametrize("kind", KINDS)
def test_correct_files_are_correct(good, kind):
    path, _ = good(kind)
    done = CliRunner().invoke(cli, ["validate", str(path)])
    assert (done.exit_code, done.output) == (0, f"{path}: a correct {kind} file\n")


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_there_are_not(good, kind):
    path, values = good(kind)
    wrong, right = MISSPELT[kind]
    path.write_text(yaml.safe_dump(values | {wrong: 1}, sort_keys=False))
    (found,) = [one for one in parsed(said_of(path)) if one["key"] == wrong]
    assert found["line"] is not None
    assert found["said"].startswith("no such key here; known are: ")
    assert right in found["said"]
    assert found["near"] == right


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_are_needed(good, kind):
    path, values = good(kind)
    path.write_text(yaml.safe_dump({k: v for k, v in values.items() if k != NEEDED[kind]}, sort_keys=False))
    (found,) = [one for one in parsed(said_of(path)) if one["key"] == NEEDED[kind]]
    assert (found["value"], found["said"].partition(" [")[0]) == (None, "this key is needed")
    assert found["line"] is not None


@pytest.mark.parametrize("kind", TOO_SMALL)
def test_numbers_that_are_too_small(good, kind):
    path, values = good(kind)
    key, value, words = TOO_SMALL[kind]
    path.write_text(yaml.safe_dump(values | {key: value}, sort_keys=False))
    (found,) = parsed(said_of(path))
    if isinstance(value, dict):
        key, value = f"{key}.every_s", value["every_s"]
    assert (found["key"], found["value"]) == (key, str(value))
    assert re.match(f"expected (more )?(?:{words})", found["said"])


CHOICES = {
    "world": ({"places": [{"name": "a", "kind": "moll", "x_km": 0, "y_km": 0}]}, "places[0].kind", "mall"),
    "study": ({"arms": ["control", "precize"]}, "arms[1]", "precise"),
    "campaign": ({"hold": "realease"}, "hold", "release"),
    "policy": (
        {"holidays": {"dates": [], "then": "dropp"}},
        "holidays.then",
        "drop",
    ),
    "platform": ({"clock": {"mode": "lockstepp"}}, "clock.mode", "lockstep"),
}


@pytest.mark.parametrize("kind", CHOICES)
def test_choices_that_there_are_not(good, kind):
    path, values = good(kind)
    changes, key, near = CHOICES[kind]
    path.write_text(yaml.safe_dump(values | changes, sort_keys=False))
    (found,) = [one for one in parsed(said_of(path)) if one["key"] == key]
    assert found["value"].startswith("'")
    assert found["said"].startswith("expected ")
    assert near in found["said"]
    assert found["near"] == near


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("damage", "line", "words"),
    [
        (lambda text: text + "x: [\n", True, "not YAML: "),
        (lambda text: text + text.splitlines(keepends=True)[-1], True, "already said in line "),
        (lambda text: "- 1\n", True, "expected a mapping of keys to values"),
        (lambda text: text.encode() + b"# \xff\n", False, "expected UTF-8 text; octet "),
        (lambda text: None, False, "no such file"),
    ],
)
def test_files_that_cannot_be_read(good, kind, damage, line, words, tmp_path):
    path, _ = good(kind)
    text = path.read_text()
    if kind == "audience":  # its last line is inside of something
        text = "\n".join(sorted(text.splitlines(), key=lambda one: not one.startswith("about")))
        text = yaml.safe_dump(
            {"audiences": "s", "segments": AUDIENCE["segments"], "about": "x"}, sort_keys=False
        )
    elif kind != "world":
        text += "title: t\n" if kind == "study" else "validity_s: 60\n" if kind == "policy" else ""
        text += "priority: 3\n" if kind == "campaign" else "workers: 1\n" if kind == "platform" else ""
    damaged = damage(text)
    if damaged is None:
        path.unlink()
    else:
        path.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    (found,) = parsed(said_of(path))
    assert found["said"].startswith(words)
    assert (found["line"] is not None) == line


TABLES = {
    "extract": (load_extract, "imsi,msisdn\nabc,8613900000001\n", 2, "imsi"),
    "cells": (load_cells, "lac,ci,place,kind\n1,x,mall,macro\n", 2, "lac,ci"),
    "cell list": (read_cell_list, "lac,ci,bsc,msc,x_m,y_m\n5,1,300,1,0,0\n5,x,300,1,0,0\n", 3, "ci"),
    "terminals": (
        load_terminals,
        "tac,maker,model,gprs,edge,wap,mms,java,price_class,year\nabc,A,1,no,no,no,no,no,low,2002\n",
        2,
        "tac",
    ),
    "dated list": (
        lambda path: read_dated_list(path, "Asia/Shanghai"),
        "msisdn,since\n8613900000001,yesterday\n",
        2,
        "since",
    ),
    "origins": (load_origins, "imsi_prefix,origin\n4,home\n", 2, "imsi_prefix"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_rows_of_tables(tmp_path, kind):
    read, text, line, key = TABLES[kind]
    path = tmp_path / "table.csv"
    path.write_text(text)
    found = parsed(problems_of(lambda: read(path)))
    assert (found[0]["file"], found[0]["line"], found[0]["key"]) == (str(path), str(line), key)
    assert found[0]["value"]
    assert found[0]["said"].startswith("expected ")


@pytest.mark.parametrize("kind", TABLES)
def test_tables_that_are_no_text(tmp_path, kind):
    read, *_ = TABLES[kind]
    path = tmp_path / "table.csv"
    path.write_bytes("lac,ci\n".encode("utf-16"))
    (found,) = parsed(problems_of(lambda: read(path)))
    assert "UTF-8" in found["said"]


@pytest.mark.parametrize("mode", ["targets", "group"])
def test_rows_of_a_campaigns_lists(tmp_path, mode):
    (tmp_path / "list.csv").write_text("msisdn,day\n8613900000001,\nabc,\n")
    values = CAMPAIGN | {"targets": "list.csv"}
    if mode == "group":
        values = {k: v for k, v in CAMPAIGN.items() if k != "scene"}
        values |= {"mode": "group", "group": {"at": "10:00", "targets": "list.csv"}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    (found,) = parsed(problems_of(lambda: load(tmp_path / "c.yaml")))
    assert (found["line"], found["key"], found["value"]) == ("3", "msisdn", "'abc'")
    assert found["said"] == "expected 5 to 15 digits"


def test_settings_on_the_command_line(good):
    path, _ = good("study")
    done = CliRunner().invoke(cli, ["run", str(path), "--set", "days=0", "--set", "dayz=3", "--dry-run"])
    lines = done.output.splitlines()
    assert "--set: days = 0: expected at least 1." in lines
    (unknown,) = [line for line in lines if line.startswith("--set: dayz = 3: no such key here; known are: ")]
    assert unknown.endswith("Did you mean 'days'?")
    world, _ = good("world")
    done = CliRunner().invoke(cli, ["dry-run", str(world), "--set", "subscribers=0"])
    assert done.output.startswith("--set: subscribers = 0: expected at least ")
