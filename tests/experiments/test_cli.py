"""The command line: quick help, exit codes, every mistake said at once, nothing left behind."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from experiments.cli import cli
from experiments.validate import KINDS

SCENARIOS = Path(__file__).parents[2] / "scenarios"
DEMO = SCENARIOS / "studies" / "demo.yaml"


def kairos(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "experiments.cli", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, timeout=120, check=False,
    )  # fmt: skip


def processor_s():
    """Processor time of the processes that have been waited for, seconds."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


@pytest.mark.parametrize(
    "command", ["", "run", "serve", "capture", "decode", "validate", "schema", "audit", "report"]
)
def test_help_teaches_and_answers_at_once(command):
    best = 9.0
    for _ in range(3):  # processor time, for the machine may be busy; the best of three counts
        began = processor_s()
        done = kairos(*command.split(), "--help")
        best = min(best, processor_s() - began)
        assert done.returncode == 0
        assert len(done.stdout) > 150
    assert best < 0.6  # 0.3 s on an idle machine


def test_help_imports_nothing_heavy():
    code = """
import sys
sys.argv = ["kairos", "--help"]
import experiments.cli
try:
    experiments.cli.main()
except SystemExit:
    heavy = {"numpy", "pyarrow", "pydantic", "matplotlib", "scipy", "simpy", "networkx", "yaml"}
    print("HEAVY", sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "HEAVY []" in done.stdout


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*/*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_scenario_is_correct(path):
    done = kairos("validate", path)
    assert (done.returncode, done.stderr) == (0, "")
    kind = {"studies": "study", "policies": "policy"}.get(
        path.parent.name, path.parent.name.removesuffix("s")
    )
    assert f"a correct {kind} file" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_schema_is_json_schema_with_descriptions(kind):
    done = kairos("schema", kind)
    assert done.returncode == 0
    schema = json.loads(done.stdout)
    # Studies are of several kinds, each with keys of its own.
    variants = [schema["$defs"][one["$ref"].rpartition("/")[2]] for one in schema.get("anyOf", ())]
    assert (len(variants) >= 2) == (kind == "study")
    for variant in variants or [schema]:
        assert variant["type"] == "object"
        properties = variant["properties"]
        described = [key for key, value in properties.items() if value.get("description") or "$ref" in value]
        assert len(described) >= len(properties) / 2


BAD_STUDY = """\
study: Demo One
kind: end-to-end
world: town.yaml
campaign: [a.yaml]
policy: none.yaml
days: zero
tick_s: 7
offers: [{name: e-bill, logit: high}]
live: {world: town.yaml, secnds: 10}
"""


def test_all_mistakes_of_a_study_at_once_with_line_key_value_and_remedy(tmp_path):
    (tmp_path / "bad.yaml").write_text(BAD_STUDY)
    (tmp_path / "town.yaml").write_text("world: x\n")
    done = kairos("validate", tmp_path / "bad.yaml")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    for line, key, said in [
        (1, "study", "Demo One"),
        (4, "campaign", "Did you mean 'campaigns'?"),
        (5, "policy", "exists"),
        (6, "days", "zero"),
        (7, "tick_s", "divisor of 60"),
        (8, "offers[0].logit", "high"),
        (9, "live.secnds", "Did you mean 'seconds'?"),
    ]:
        assert any(f"bad.yaml:{line}:" in x and key in x and said in x for x in lines), (
            line,
            key,
            said,
            lines,
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("study: [", "not YAML"),
        ("- 1\n", "expected a mapping"),
        ("colour: blue\n", "belong to no kind of file"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_what_is_no_scenario(tmp_path, text, said):
    (tmp_path / "x.yaml").write_text(text)
    done = kairos("validate", tmp_path / "x.yaml")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["explain", "run", "dry-run", "map"])
def test_a_file_of_another_kind_is_called_by_its_kind(command):
    done = kairos(command, SCENARIOS / "policies" / "default.yaml")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "default.yaml: a policy file; expected a " in line


@pytest.mark.parametrize("option", ["--cells", "--subscribers"])
def test_a_table_that_is_not_there(tmp_path, option):
    done = kairos("validate", SCENARIOS / "campaigns" / "airport-travel.yaml", option, tmp_path / "no.csv")
    assert done.returncode == 2
    assert "no.csv" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_lists_every_command():
    listed = cli.list_commands(None)
    assert sorted(listed) == sorted(cli.commands)
    readme = (SCENARIOS.parent / "README.md").read_text(encoding="utf-8")
    assert [name for name in listed if f"| `kairos {name} " not in readme] == []


def test_a_file_that_is_not_there_with_a_suggestion(tmp_path):
    (tmp_path / "demo.yaml").write_text("study: x\n")
    done = kairos("validate", tmp_path / "dmeo.yaml")
    assert done.returncode == 2
    assert "Did you mean 'demo.yaml'?" in done.stderr


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("days=zero", "--set: days"),
        ("dys=2", "Did you mean 'days'?"),
        ("days", "expected path=value"),
        ("campaigns.9.x=1", "there is nothing at campaigns.9.x"),
        ("live.seconds=-1", "live.seconds"),
    ],
)
def test_bad_settings_exit_2_and_leave_no_run_folder(tmp_path, setting, said):
    done = kairos("run", DEMO, "--set", setting, "--out", tmp_path / "runs")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_campaign_that_the_study_names_is_checked_before_anything_is_written(tmp_path):
    campaign = yaml.safe_load((SCENARIOS / "campaigns" / "hang-up-sms.yaml").read_text())
    campaign["originator"] = "777"
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(campaign, allow_unicode=True))
    done = kairos("run", DEMO, "--set", f"campaigns=[{tmp_path / 'c.yaml'}]", "--out", tmp_path / "runs")
    assert done.returncode == 2
    assert "c.yaml" in done.stderr
    assert "777" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("command", ["audit", "report"])
def test_a_folder_that_is_no_run(tmp_path, command):
    done = kairos(command, tmp_path)
    assert done.returncode == 2
    assert "no manifest.json" in done.stderr


def test_a_folder_of_runs_names_the_newest(tmp_path):
    for name in ("20260101-120000-seed1", "20260301-120000-seed1", "20260201-120000-seed1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text("{}")
    done = kairos("report", tmp_path)
    assert done.returncode == 2
    assert "not a run folder" in done.stderr
    assert done.stderr.strip().endswith("20260301-120000-seed1")


def test_a_folder_is_told_from_a_file():
    done = kairos("validate", SCENARIOS / "campaigns")
    assert done.returncode == 2
    assert "campaigns: a folder; name its files, such as " in done.stderr


def test_a_table_that_holds_no_handset_records(tmp_path):
    pq.write_table(pa.table({"msisdn": ["8613900000001"]}), tmp_path / "x.parquet")
    done = kairos("audit", tmp_path / "x.parquet", "--policy", SCENARIOS / "policies" / "default.yaml")
    assert done.returncode == 2
    assert "x.parquet: lacks t_us: not such a table" in done.stderr


def test_a_shipped_study_called_by_its_name_alone():
    done = kairos("run", "demo", cwd=SCENARIOS.parent)
    assert done.returncode == 2
    assert done.stderr.strip() == "demo: no such file. Did you mean 'scenarios/studies/demo.yaml'?"


def test_serve_without_a_file():
    done = kairos("serve", "nowhere.yaml")
    assert done.returncode == 2
    assert "no such file" in done.stderr


def test_unknown_transport_names_the_known_ones():
    done = kairos("run", DEMO, "--transport", "pigeon")
    assert done.returncode == 2
    assert "usrsctp" in done.stderr


def test_scenarios_readme_is_made_from_the_schemas():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.scenario_readme"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=SCENARIOS.parent,
    )
    assert done.stdout == (SCENARIOS / "README.md").read_text(), (
        "run: python -m experiments.scenario_readme > scenarios/README.md"
    )


def test_every_key_in_the_readme_has_a_meaning():
    rows = [line for line in (SCENARIOS / "README.md").read_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    lacking = [row for row in rows if row.rstrip("| ").endswith(("needed", "null", "none", "see below"))]
    assert len(lacking) <= 12, lacking
