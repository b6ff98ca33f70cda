"""A whole small study, and what happens when its platform is killed: a run's promises, seen from outside."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from experiments.rehearsal.campaign import rehearse
from reports.records import DETERMINISTIC, digest

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory):
    """A copy of the scenarios with a world of 150 people."""
    folder = tmp_path_factory.mktemp("scenarios")
    shutil.copytree(SCENARIOS, folder, dirs_exist_ok=True)
    world = yaml.safe_load((folder / "worlds" / "town.yaml").read_text())
    world |= {"world": "hamlet", "subscribers": 150}
    world["usage"]["service_calls_per_day"] = 2.0
    world["habits"]["often_off_share"] = 0.4
    (folder / "worlds" / "hamlet.yaml").write_text(yaml.safe_dump(world))
    study = yaml.safe_load((folder / "studies" / "demo.yaml").read_text())
    study |= {"study": "small", "world": "../worlds/hamlet.yaml", "days": 1, "live": None, "tick_s": 30}
    (folder / "studies" / "small.yaml").write_text(yaml.safe_dump(study, allow_unicode=True))
    return folder


def start(scenarios, out, *arguments):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "experiments.cli",
            "run",
            str(scenarios / "studies" / "small.yaml"),
            "--out",
            str(out),
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "random"},
    )


def run(scenarios, out, *arguments):
    process = start(scenarios, out, *arguments)
    said, errors = process.communicate(timeout=200)
    (folder,) = (out / "small").iterdir()
    return process.returncode, said, errors, folder


@pytest.fixture(scope="module")
def whole(scenarios, tmp_path_factory):
    code, said, errors, folder = run(scenarios, tmp_path_factory.mktemp("runs"), "--transport", "memory")
    assert code == 0, (said, errors)
    return said, errors, folder


def hashes(folder):
    return {
        f"{arm.name}/{name}": digest(arm / f"{name}.parquet")
        for arm in sorted((folder / "arms").iterdir())
        for name in DETERMINISTIC
    }


def results(folder):
    return json.loads((folder / "manifest.json").read_text())["results"]


def test_the_manifest_keeps_hashes_of_all_that_the_clock_has_no_part_in(whole):
    *_, folder = whole
    names = (*DETERMINISTIC, "outcomes")
    tables = {f"arms/{arm}/{name}.parquet" for arm in ("control", "precise", "blanket") for name in names}
    assert set(results(folder)) == {*tables, "capture.pcapng"}


def test_a_run_that_was_stopped_goes_on_and_is_as_if_it_had_not_been(scenarios, whole, tmp_path):
    process = start(scenarios, tmp_path, "--transport", "memory")
    wait_for(lambda: list(tmp_path.glob("small/*/arms/*/result.json")), 100)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=200)
    (folder,) = (tmp_path / "small").iterdir()
    assert (process.returncode, results(folder)) == (130, {})
    assert f"Go on with: kairos run --resume {folder}" in errors
    finished = [path for path in folder.glob("arms/*/result.json") if whole_arm(path)]
    assert 1 <= len(finished) < 3
    before = {path: path.stat().st_mtime_ns for path in finished}
    done = kairos("run", "--resume", str(folder))
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in finished} == before
    assert results(folder) == results(whole[2])
    # And a third run, from the manifest of the second.
    again = kairos("rerun", str(folder / "manifest.json"), "--out", str(tmp_path / "again"))
    assert again.returncode == 0, again.stderr
    assert f"{len(results(folder))} of {len(results(folder))} results have the same hash." in again.stdout


def whole_arm(path):
    return json.loads(path.read_text())["spent"]["ticks"] == 86_400 // 30


def kairos(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "experiments.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def test_a_campaign_rehearsed_beside_the_others_does_what_it_did(whole):
    *_, folder = whole
    arm = folder / "arms" / "precise"
    did = Counter()
    for row in pq.read_table(arm / "triggers.parquet").to_pylist():
        # What came too late for its tick's end was to be sent as far as the policy goes.
        reason = row["reason"] if row["reason"] != "late" else "sent"
        did[row["campaign"], reason or row["state"]] += 1
    would = Counter()
    for path in sorted((arm / "campaigns").glob("*.yaml")):
        found = rehearse(path, folder)
        for what, count in {**found.outcomes, **found.suppressed}.items():
            would[found.campaign, what] += count
        del would[found.campaign, "suppressed"]
    assert sum(did.values()) > 100
    assert would == did


def test_the_summary_keeps_its_contract(whole):
    *_, folder = whole
    summary = json.loads((folder / "summary.json").read_text())
    assert list(summary) == [
        "schema",
        "study",
        "kind",
        "seed",
        "valid",
        "invalid_reasons",
        "signalling",
        "triggers",
        "contacts",
        "latency_ms",
        "arms",
        "uplift",
        "transport",
        "time",
    ]
    assert summary["valid"] is True
    assert list(summary["signalling"]) == ["generated", "received", "decoded", "lost", "errors"]
    assert summary["signalling"]["lost"] == 0
    assert summary["signalling"]["generated"] > 20_000
    triggers = summary["triggers"]
    assert triggers["total"] == sum(triggers[s] for s in ("sent", "held", "failed")) + sum(
        triggers["suppressed"].values()
    )
    assert triggers["sent"] > 30
    assert list(summary["contacts"]["violations"]) == [
        "cap",
        "gap",
        "not_after",
        "quiet_hours",
        "closed_hours",
        "holiday",
        "busy_cell",
        "do_not_disturb",
        "control_group",
        "duplicate",
    ]
    assert sum(summary["contacts"]["violations"].values()) == 0
    assert summary["latency_ms"]["p50"] is None
    assert summary["latency_ms"]["reason"] == "the study has no live phase"
    assert set(summary["arms"]) == {"control", "precise", "blanket"}
    for arm in summary["arms"].values():
        assert list(arm) == ["subscribers", "contacts", "take_up", "complaints", "cost"]
    assert summary["arms"]["control"]["contacts"] == 0
    assert len({arm["subscribers"] for arm in summary["arms"].values()}) == 1
    for entry in summary["uplift"].values():
        assert list(entry) == ["estimate", "ci95", "truth", "truth_se"]
        assert entry["ci95"][0] <= entry["estimate"] <= entry["ci95"][1]
        assert entry["estimate"] != entry["truth"]
    assert set(summary["uplift"]) == {"precise_vs_blanket", "precise_vs_control", "blanket_vs_control"}


def test_the_platform_saw_what_could_be_seen(whole):
    *_, folder = whole
    details = json.loads((folder / "details.json").read_text())
    for name, arm in details["arms"].items():
        assert arm["behaviours"]["equal"], (name, arm["behaviours"])


def test_the_manifest_says_where_it_came_from(whole):
    *_, folder = whole
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["validity"] == "valid"
    assert manifest["ended"]
    assert {"study", "world", "policy"} <= set(manifest["scenario"])
    assert manifest["versions"]["numpy"]


def test_one_screen_and_a_report(whole):
    said, _, folder = whole
    assert 10 < len(said.strip().splitlines()) <= 30
    assert str(folder.name) in said
    assert (folder / "report.html").stat().st_size > 20_000


def test_blanket_reaches_as_many_people_with_as_many_messages(whole):
    import pyarrow.parquet as pq

    *_, folder = whole
    sent = {}
    for arm in ("precise", "blanket"):
        table = pq.read_table(
            folder / "arms" / arm / "triggers.parquet", columns=["msisdn", "state"]
        ).to_pylist()
        sent[arm] = [row["msisdn"] for row in table if row["state"] == "sent"]
    assert len(sent["precise"]) == len(sent["blanket"])
    assert len(set(sent["precise"])) == len(set(sent["blanket"]))
    assert set(sent["precise"]) != set(sent["blanket"])


def test_audit_and_report_work_from_the_folder_alone(whole, tmp_path):
    *_, folder = whole
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    (moved / "report.html").unlink()
    for command in ("audit", "report"):
        done = subprocess.run(
            [sys.executable, "-m", "experiments.cli", command, str(moved)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
    assert (moved / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_a_planted_violation_makes_the_audit_of_a_run_fail(whole, tmp_path):
    import pyarrow.parquet as pq

    *_, folder = whole
    moved = tmp_path / "planted"
    shutil.copytree(folder, moved)
    row = pq.read_table(moved / "arms" / "precise" / "contacts.parquet", columns=["msisdn"])["msisdn"][
        0
    ].as_py()
    with (moved / "arms" / "precise" / "do_not_disturb.csv").open("a") as listed:
        listed.write(f"{row},\n")
    done = subprocess.run(
        [sys.executable, "-m", "experiments.cli", "audit", str(moved)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 3
    assert f"do_not_disturb: {row}" in done.stdout


def processes_of(folder):
    """Command lines of processes that name this run's folder."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found[int(entry.name)] = line
    return found


def wait_for(condition, timeout_s=60.0):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


usrsctp = pytest.mark.skipif(
    not any((Path(__file__).parents[2] / "platform" / "sigtran").glob("_usrsctp*"))
    and "TOX_ENV_NAME" not in os.environ,
    reason="libusrsctp was not there when sigtran was built",
)


@usrsctp
def test_the_same_over_sctp_byte_for_byte(scenarios, whole, tmp_path):
    code, said, errors, folder = run(scenarios, tmp_path, "--transport", "usrsctp")
    assert code == 0, (said, errors)
    assert hashes(folder) == hashes(whole[2])
    assert results(folder) == results(whole[2])
    logs = [said, errors, *(path.read_text() for path in folder.rglob("*.log"))]
    people = pq.read_table(
        folder / "arms" / "precise" / "inputs" / "extract.parquet", columns=["imsi", "msisdn"]
    )
    assert "association 1 is up" in "".join(logs)
    for number in (n for column in people.columns for n in column.to_pylist()):
        assert not any(number in log for log in logs), "a log tells of a subscriber"


@usrsctp
@pytest.mark.parametrize("octets", [0, 40_000], ids=["at its start", "among receipts"])
def test_a_killed_platform_ends_the_run_in_order(scenarios, tmp_path, octets):
    """Killed once it has written so much about triggers; three days are far more than it gets to."""
    process = start(scenarios, tmp_path, "--transport", "usrsctp", "--set", "days=3")
    folder = wait_for(
        lambda: next(iter((tmp_path / "small").glob("*")), None) if (tmp_path / "small").exists() else None
    )

    def platform():
        return next(
            (
                pid
                for pid, line in processes_of(folder).items()
                if "-m marketing" in line and "precise" in line
            ),
            None,
        )

    victim = wait_for(platform)
    arm = folder / "arms" / "precise"
    wait_for(lambda: b"AspActive" in (arm / "platform.log").read_bytes())
    wait_for(lambda: (arm / "platform" / "triggers.jsonl").stat().st_size >= octets)
    os.kill(victim, signal.SIGKILL)
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 3
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["validity"] == "invalid"
    assert "killed by signal 9" in manifest["invalid_reasons"][0]
    assert "Traceback" not in errors
    assert json.loads((folder / "summary.json").read_text())["valid"] is False
    assert (folder / "arms" / "precise" / "visible.parquet").exists()  # what it had is kept
    assert processes_of(folder) == {}


@usrsctp
def test_ctrl_c_leaves_nothing_running(scenarios, tmp_path):
    process = start(scenarios, tmp_path, "--transport", "usrsctp")
    folder = wait_for(
        lambda: next(iter((tmp_path / "small").glob("*")), None) if (tmp_path / "small").exists() else None
    )
    wait_for(lambda: any("-m marketing" in line for line in processes_of(folder).values()))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=200)
    assert process.returncode == 130
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["validity"], manifest["invalid_reasons"]) == ("invalid", ["stopped by Ctrl-C"])
    assert processes_of(folder) == {}


@usrsctp
def test_a_kill_of_the_run_itself_leaves_no_orphan_and_a_readable_manifest(scenarios, tmp_path):
    process = start(scenarios, tmp_path, "--transport", "usrsctp")
    folder = wait_for(
        lambda: next(iter((tmp_path / "small").glob("*")), None) if (tmp_path / "small").exists() else None
    )
    wait_for(lambda: any("-m marketing" in line for line in processes_of(folder).values()))
    process.kill()
    process.communicate(timeout=120)
    wait_for(lambda: not processes_of(folder))
    assert json.loads((folder / "manifest.json").read_text())["validity"] == "running"
