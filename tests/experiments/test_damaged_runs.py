"""Damaged run folders: each wrong file, key and value is named, with an exit code and no traceback."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from experiments.cli import cli
from experiments.folder import RunFolder
from experiments.problems import BadInput

POLICY = {
    "timezone": "Asia/Shanghai",
    "caps": {"per_calendar_month": 2},
    "quiet_hours": {"from": "21:00", "to": "09:00", "then": "hold"},
    "holidays": {"dates": []},
    "control_group": {"file": None},
    "duplicate": {"same_campaign_days": 30},
    "marketing_originators": ["100860"],
}
NOON_US = 1_251_864_000_000_000  # 2009-09-02 12:00 in Shanghai


def kairos(*arguments):
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture
def run(tmp_path):
    """A valid run of two arms: one contact in `precise`, none in `control`."""
    for arm, n in (("control", 0), ("precise", 1)):
        folder = tmp_path / "arms" / arm
        folder.mkdir(parents=True)
        columns = {
            "t_us": [NOON_US], "msisdn": ["8613900000001"], "source": ["1008601"], "smsc_us": [NOON_US],
            "reference": [-1], "part": [1], "parts": [1],
        }  # fmt: skip
        table = pa.table(columns).slice(0, n)
        pq.write_table(table, folder / "parts.parquet")
        pq.write_table(table.select(["t_us"]), folder / "contacts.parquet")
        outcomes = {"contacts": [n] * 3, "replay_share": [0.1] * 3}
        pq.write_table(pa.table(outcomes), folder / "outcomes.parquet")
        (folder / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    arms = {"control": {}, "precise": {}}
    summary = {
        "schema": "kairos.summary/1", "study": "s", "seed": 1, "valid": True, "invalid_reasons": [],
        "signalling": {}, "triggers": {}, "contacts": {"received": 1, "violations": {}}, "latency_ms": {},
        "arms": arms, "uplift": {}, "transport": {}, "time": {},
    }  # fmt: skip
    details = {
        "timezone": "UTC", "campaigns": [], "policy": {}, "arms": arms, "signalling": {}, "live": None,
    }  # fmt: skip
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "details.json").write_text(json.dumps(details))
    (tmp_path / "manifest.json").write_text(json.dumps({"validity": "valid"}))
    return tmp_path


def test_a_whole_run_is_audited(run):
    assert kairos("audit", run)[0] == 0
    assert json.loads((run / "arms" / "precise" / "audit.json").read_text())["contacts"] == 1


POLICIES = {
    "unknown key": ({"qiet_hours": {}}, ["qiet_hours", "unknown key", "'quiet_hours'"]),
    "unknown key in a section": (
        {"caps": {"per_calender_month": 2}},
        ["caps.per_calender_month = 2", "'per_calendar_month'"],
    ),
    "section is a number": ({"caps": 5}, ["caps = 5", "expected a mapping with per_calendar_month"]),
    "number in words": (
        {"caps": {"per_calendar_month": "two"}},
        ["caps.per_calendar_month = two", "whole number"],
    ),
    "no such hour": ({"quiet_hours": {"from": "25:00", "to": "09:00"}}, ["quiet_hours.from = 25:00", "time"]),
    "half of the quiet hours": ({"quiet_hours": {"from": "21:00"}}, ["quiet_hours.to: missing"]),
    "no such zone": ({"timezone": "Mars/X"}, ["timezone = Mars/X", "IANA"]),
    "no zone": ({"timezone": ...}, ["timezone: missing"]),
    "no such day": ({"holidays": {"dates": ["2009-02-30"]}}, ["holidays.dates", "2009-02-30"]),
    "no originators": ({"marketing_originators": ...}, ["marketing_originators: missing"]),
    "originators not listed": ({"marketing_originators": "100860"}, ["marketing_originators = 100860"]),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_wrong_policy_is_refused(run, name):
    change, said = POLICIES[name]
    path = run / "arms" / "precise" / "policy.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in (POLICY | change).items() if v is not ...}))
    code, text = kairos("audit", run)
    assert code == 2
    for word in ("arms/precise/policy.yaml", *said):
        assert word in text
    assert not list(run.glob("arms/*/audit.json"))


@pytest.mark.parametrize("nothing", ["null", "~", ""])
def test_null_is_no_such_rule(run, nothing):
    path = run / "arms" / "precise" / "policy.yaml"
    left = {k: v for k, v in POLICY.items() if k not in ("quiet_hours", "control_group")}
    said = f"quiet_hours: {nothing}\ncontrol_group:\n  file: {nothing}\n"
    path.write_text(yaml.safe_dump(left) + said)
    assert kairos("audit", run)[0] == 0


def rewrite(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def zero_pages(path):
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + bytes(40) + whole[44:])


PARTS, OUTCOMES = "arms/precise/parts.parquet", "arms/precise/outcomes.parquet"
DAMAGE = {
    "audit: no records": ("audit", PARTS, lambda r: (r / PARTS).unlink(), 2),
    "audit: no arm": ("audit", PARTS, lambda r: shutil.rmtree(r / "arms" / "precise"), 2),
    "audit: cut": ("audit", PARTS, lambda r: cut(r / PARTS), 2),
    "audit: pages": ("audit", PARTS, lambda r: zero_pages(r / PARTS), 2),
    "audit: other columns": ("audit", PARTS, lambda r: shutil.copy(r / OUTCOMES, r / PARTS), 2),
    "audit: no summary": ("audit", "summary.json", lambda r: (r / "summary.json").unlink(), 2),
    "audit: no manifest": ("audit", "manifest.json", lambda r: (r / "manifest.json").write_text("[]"), 2),
    "audit: arms": ("audit", "summary.json", lambda r: rewrite(r / "summary.json", arms=3), 2),
    "audit: contacts": ("audit", "summary.json", lambda r: rewrite(r / "summary.json", contacts=3), 2),
    "report: cut": ("report", OUTCOMES, lambda r: cut(r / OUTCOMES), 2),
    "report: pages": ("report", OUTCOMES, lambda r: zero_pages(r / OUTCOMES), 2),
    "report: no table": ("report", OUTCOMES, lambda r: (r / OUTCOMES).unlink(), 2),
    "report: other shape": (
        "report",
        "summary.json",
        lambda r: (r / "summary.json").write_text('{"schema": "x"}'),
        2,
    ),
    "report: other shape below": ("report", "summary.json", lambda _run: None, 2),
    "report: no live phase": (
        "report",
        "live/latencies.parquet",
        lambda r: rewrite(r / "details.json", live={}),
        2,
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_run_is_refused_by_name(run, name):
    command, file, damage, expected = DAMAGE[name]
    damage(run)
    code, text = kairos(command, run)
    assert code == expected
    assert file in text.replace("\\", "/")
    assert not list(run.glob("arms/*/audit.json"))


def test_other_contacts_than_the_summary_says_make_it_invalid(run):
    rewrite(run / "summary.json", contacts={"received": 7})
    code, text = kairos("audit", run)
    assert code == 3
    assert "hold 1 contacts" in text
    assert "says 7" in text


def test_a_run_that_stopped_is_audited_as_far_as_it_came(run):
    (run / "manifest.json").write_text(json.dumps({"validity": "running"}))
    (run / "summary.json").unlink()
    (run / "arms" / "control" / "parts.parquet").unlink()
    code, text = kairos("audit", run)
    assert code == 0
    assert "precise" in text


@pytest.mark.parametrize("out", ["file/x", "/dev/null/x"])
def test_an_out_that_cannot_be_written_is_bad_input(tmp_path, out):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"--out .*: cannot be written: Not a directory"):
        RunFolder.create(tmp_path / out, "demo", 1, [], {})
