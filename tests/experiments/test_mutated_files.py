"""Every shipped file with something broken: no traceback, and each line says place, value and expectation.

The mutations are drawn from a seed; `KAIROS_MUTATIONS` asks for more of each file.
"""

import os
import random
import re
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from experiments.cli import cli
from experiments.validate import check_file

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHIPPED = sorted(str(path.relative_to(SCENARIOS)) for path in SCENARIOS.glob("*/*.yaml"))
EACH = int(os.environ.get("KAIROS_MUTATIONS", "8"))

PLATFORM = """\
clock: {mode: lockstep, epoch: "2009-03-02T00:00:00"}
collector: {transport: memory, port: 0, peers: [10.1.2.0/24]}
smpp: {host: 127.0.0.1, port: 2775, window: 100}
boss: {url: "http://127.0.0.1:8080", timeout_s: 5}
http: {port: 8000, rate_per_s: 200}
subscribers: people.csv
cells: cells.csv
campaigns: [campaigns/hang-up-sms.yaml]
policy: policies/default.yaml
ledger: {url: "sqlite:///ledger.db"}
records: {dir: records, flush_s: 5}
workers: 1
"""

LINE = re.compile(r"(?P<file>[^:\n]+?)(?::(?P<line>[1-9][0-9]*))?: [^\n]+\.(?: Did you mean '[^'\n]+'\?)?")
# What no message may hold: words of pydantic, Python and regular expressions.
FOREIGN = (
    "Input should", "valid integer", "valid number", "valid boolean", "instance of", "Value error",
    "Traceback", "NoneType", "object at 0x", "<class", "Error(", "$", "^", "\\d", "[a-z", "[0-9",
)  # fmt: skip

ODD = [
    "true", "'7'", "7", "-1", "1e999", ".nan", ".inf", "2009-02-30", "2009-01-31", "25:61", "[]", "{}",
    "null", "~", "9" * 30, "9" * 5000, "x", "''", "[[[[]]]]", "*nothing", "&a [*a]", "!!binary xx",
    "'" + "a" * 5000 + "'", "'\u0661'", "0x", "{a: 1, a: 2}", "? [a, b]", "{[1]: 2}", "- - -", "%", "@",
    "'..'", "../../../../etc", "/dev/zero", "'a\\0b'", "\"a\\0b\"", "no", "1_000", "007", "1.5", "{1: 2}",
    "[true, 1, a]", "'\U0001f600'", "<<: {a: 1}", "!x y",
]  # fmt: skip


def keys(lines):
    """Numbers of the lines that have a key, outside of comments."""
    return [n for n, line in enumerate(lines) if re.match(r"[ -]*[a-z0-9_]+:", line)]


def cut(lines, rng):
    del lines[rng.randrange(len(lines))]


def double(lines, rng):
    at = rng.choice(keys(lines))
    lines.insert(at, lines[at])


def misspell(lines, rng):
    at = rng.choice(keys(lines))
    name = re.search(r"[a-z0-9_]+(?=:)", lines[at])
    if len(name[0]) > 2:
        drop = name.start() + rng.randrange(1, len(name[0]))
        lines[at] = lines[at][:drop] + lines[at][drop + 1 :]


def exchange(lines, rng):
    at = rng.choice(keys(lines))
    lines[at] = lines[at][: lines[at].index(":") + 1] + " " + rng.choice(ODD)


def exchange_inside(lines, rng):
    """A value within brackets of a line."""
    at = rng.choice(keys(lines))
    inner = re.findall(r"(?<=: )[^\s,{}\[\]]+", lines[at])
    if inner:
        lines[at] = lines[at].replace(rng.choice(inner), rng.choice(ODD), 1)


def tab(lines, rng):
    at = rng.choice(keys(lines))
    lines[at] = "\t" + lines[at]


def shift(lines, rng):
    at = rng.choice(keys(lines))
    lines[at] = rng.choice(["  ", " "]) + lines[at] if rng.random() < 0.5 else lines[at].lstrip()


def swap(lines, rng):
    at = rng.randrange(1, len(lines))
    lines[at - 1], lines[at] = lines[at], lines[at - 1]


LINES = (cut, double, misspell, misspell, exchange, exchange, exchange_inside, tab, shift, swap)

OCTETS = {
    "BOM": lambda octets, rng: b"\xef\xbb\xbf" + octets,
    "CRLF": lambda octets, rng: octets.replace(b"\n", b"\r\n"),
    "UTF-16": lambda octets, rng: octets.decode().encode("utf-16"),
    "Latin-1": lambda octets, rng: octets + b"# \xe9\n",
    "NUL": lambda octets, rng: octets[:40] + b"\0" + octets[40:],
    "cut off": lambda octets, rng: octets[: rng.randrange(len(octets))],
    "empty": lambda octets, rng: b"",
    "binary": lambda octets, rng: rng.randbytes(300),
    "a list": lambda octets, rng: b"- 1\n",
    "deep": lambda octets, rng: octets + b"x: " + b"[" * 1100,
    "aliases of aliases": lambda octets, rng: octets + b"a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + b"".join(
        b"%c: &%c [%s]\n" % (n, n, b", ".join([b"*%c" % (n - 1)] * 10)) for n in range(98, 107)
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of all scenarios, with a configuration of a platform."""
    folder = tmp_path_factory.mktemp("files") / "scenarios"
    shutil.copytree(SCENARIOS, folder)
    (folder / "platform.yaml").write_text(PLATFORM)
    (folder / "people.csv").write_text("imsi,msisdn\n460000000000001,8613900000001\n")
    (folder / "cells.csv").write_text("lac,ci,place,kind\n1,1,mall,macro\n")
    return folder


def said_of(path):
    """What is said of a file, once it has been seen to be said well."""
    kind, lines = check_file(path)
    for line in lines:
        assert LINE.fullmatch(line), line
        shown = re.sub(r"'[^']*'", "", line)
        assert not [word for word in FOREIGN if word in shown], line
    return kind, lines


@pytest.mark.parametrize("name", [*SHIPPED, "platform.yaml"])
def test_broken_lines(copied, name):
    path, rng = copied / name, random.Random(name)
    whole = path.read_text(encoding="utf-8")
    assert said_of(path)[1] == []
    try:
        for _ in range(EACH):
            lines = whole.splitlines()
            for change in rng.sample(LINES, rng.choice([1, 1, 1, 2])):
                change(lines, rng)
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            said_of(path)
    finally:
        path.write_text(whole, encoding="utf-8")


OF_EACH_KIND = (
    "worlds/town.yaml", "studies/demo.yaml", "campaigns/hang-up-sms.yaml", "policies/all-rules.yaml",
    "audiences/segments.yaml", "platform.yaml",
)  # fmt: skip


@pytest.mark.parametrize("name", OF_EACH_KIND)
@pytest.mark.parametrize("damage", OCTETS)
def test_broken_octets(copied, name, damage):
    path = copied / name
    whole = path.read_bytes()
    try:
        path.write_bytes(OCTETS[damage](whole, random.Random(name)))
        _, lines = said_of(path)
        assert bool(lines) == (damage not in ("BOM", "CRLF")) or damage == "cut off", lines
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", [*SHIPPED, "platform.yaml"])
def test_misspelt_keys_at_the_top_are_found_and_the_right_one_named(copied, name):
    path = copied / name
    whole = path.read_text(encoding="utf-8")
    known = [key for key in yaml.safe_load(whole) if len(key) >= 5]
    known = random.Random(name).sample(known, min(3, len(known)))
    try:
        for key in known:
            wrong = key[:2] + key[3:]
            path.write_text(re.sub(rf"^{key}:", f"{wrong}:", whole, flags=re.MULTILINE), encoding="utf-8")
            _, lines = said_of(path)
            assert any(f" {wrong} = " in ln and f"Did you mean {key!r}?" in ln for ln in lines), lines
    finally:
        path.write_text(whole, encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["validate", "worlds"], "worlds: a folder; name its files, such as worlds/*.yaml"),
        (["validate", "none.yaml"], "none.yaml: no such file."),
        (["validate", "/dev/null"], "/dev/null: expected a file; that is a pipe or a device."),
        (["run", "worlds/town.yaml"], "worlds/town.yaml: a world file; expected a study."),
        (["run", "policies/default.yaml"], "policies/default.yaml: a policy file; expected a study."),
        (["run", "worlds"], "worlds: a folder; name its files, such as worlds/*.yaml"),
        (["run", "none.yaml"], "none.yaml: no such file."),
        (["run", "studies/demo.yaml", "--set", "dayz=3"], "--set: dayz = 3: no such key here"),
        (["run", "studies/demo.yaml", "--set", "days"], "--set days: expected path=value"),
        (["run", "studies/demo.yaml", "--set", "=3"], "--set =3: expected path=value"),
        (["run", "studies/demo.yaml", "--set", "days='3'"], "days = '3': expected a whole number, without"),
        (["run", "studies/demo.yaml", "--set", "days=true"], "--set: days = true: expected a whole number."),
        (["run", "studies/demo.yaml", "--set", "days=["], "--set days=[: not YAML: "),
        (["run", "studies/demo.yaml", "--set", "days.x.y=1"], "--set days.x.y=1: there is nothing at"),
        (["run", "studies/demo.yaml", "--set", "\u00b2=1"], "--set: \u00b2 = 1: no such key here"),
        (["run", "studies/demo.yaml", "--set", "campaigns.9=x"], "there is nothing at campaigns.9"),
        (["run", "studies/demo.yaml", "--set", "offers=[{name: e-bil}]"], "Did you mean 'e-bill'?"),
        (["run", "studies/demo.yaml", "--seed", "-1"], "-1 is not in the range"),
        (["run", "studies/demo.yaml", "--seed", "9" * 20], "9: expected a whole number of at most 63 bits"),
        (["run", "--resume", "worlds"], "worlds: not a run folder"),
        (["run", "--resume", "worlds/town.yaml"], "is a file"),
        (["rerun", "worlds"], "worlds: not a run folder"),
        (["rerun", "worlds/town.yaml"], "worlds/town.yaml"),
        (["rerun", "none"], "none"),
        (["report", "worlds"], "worlds: not a run folder"),
        (["report", "none"], "none"),
        (["report", "worlds", "studies"], "not a run folder"),
        (["merge", "worlds", "studies"], "not a run folder"),
        (["merge", "worlds"], "worlds"),
        (["audit", "worlds"], "worlds: not a run folder"),
        (["audit", "worlds/town.yaml"], "worlds/town.yaml"),
        (["audit", "worlds/town.yaml", "--policy", "policies/default.yaml"], "worlds/town.yaml"),
        (["audit", "none"], "none: no such run folder or file of handset records"),
        (["dry-run", "campaigns/hang-up-sms.yaml"], "campaigns/hang-up-sms.yaml: a campaign is played"),
        (["dry-run", "worlds/town.yaml", "--set", "subscribers='9'"], "subscribers = '9': expected a whole"),
        (["explain", "worlds/town.yaml"], "a world file; expected a campaign"),
        (["explain", "none.yaml"], "none.yaml: no such file"),
        (["serve", "worlds"], "worlds: "),
        (["map", "studies/demo.yaml"], "studies/demo.yaml"),
        (["see", "worlds"], "worlds"),
    ],
)  # fmt: skip
def test_commands_with_the_wrong_things(copied, monkeypatch, arguments, words):
    monkeypatch.chdir(copied)
    before = sorted(copied.rglob("*"))
    done = CliRunner().invoke(cli, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code == 2, done.output
    assert words in done.output
    assert sorted(copied.rglob("*")) == before
