"""Runs that are broken off and gone on with, runs that are run again: the same hashes, or what differs."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.child import environment
from experiments.cli import cli
from experiments.folder import RunFolder
from experiments.running.rerun import compare

STUDY = """
study: trial
kind: firewall
seed: 3
groups: [boundaries, mutants]
mutant_subscribers: 100
"""
SETS = ("--set", "groups=[mutants]")


def kairos(*arguments):
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    return done.exit_code, done.output


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    file = tmp_path_factory.mktemp("studies") / "trial.yaml"
    file.write_text(STUDY)
    return file


@pytest.fixture(scope="module")
def whole(study, tmp_path_factory):
    """A run that nobody interrupted, in one process."""
    out = tmp_path_factory.mktemp("runs")
    code, said = kairos("run", study, "--out", out, "--processes", "1", *SETS)
    assert code == 3, said  # with so few people some broken policies are not caught
    (folder,) = (out / "trial").iterdir()
    assert set(manifest_of(folder)["results"]) == {"judged.json"}
    return folder


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip


def wait_for_kept(out):
    """The results that a run has kept, once there are some."""
    deadline = time.monotonic() + 60
    while len(done := list(out.glob("trial/*/kept/mutants/*.json"))) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return done


def test_a_run_that_was_stopped_goes_on_to_the_same_hashes(study, whole, tmp_path):
    process = started("run", study, "--out", tmp_path, "--processes", "2", *SETS)
    done = wait_for_kept(tmp_path)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    (folder,) = (tmp_path / "trial").iterdir()
    assert f"Go on with: kairos run --resume {folder}" in errors
    assert manifest_of(folder)["validity"] == "invalid"
    assert manifest_of(folder)["results"] == {}
    before = {file: file.stat().st_mtime_ns for file in done}
    code, said = kairos("run", "--resume", folder)
    assert code == 3, said
    assert {file: file.stat().st_mtime_ns for file in done} == before, "what was done was done again"
    assert len(list(folder.glob("kept/mutants/*.json"))) == 24
    after = manifest_of(folder)
    assert after["results"] == manifest_of(whole)["results"]
    assert len(after["resumed"]) == 1
    # A folder of a run that came to its end may be gone on with where it is not valid: all is there.
    assert kairos("run", study, "--resume", folder)[0] == 3
    assert manifest_of(folder)["results"] == after["results"]


def test_a_worker_of_the_cluster_killed_in_mid_study_changes_no_hash(study, whole, tmp_path, cluster):
    address, workers = cluster
    process = started("run", study, "--out", tmp_path / "runs", "--cluster", address, *SETS)
    wait_for_kept(tmp_path / "runs")
    workers[0].kill()
    said, errors = process.communicate(timeout=100)
    assert process.returncode == 3, (said, errors)
    (folder,) = (tmp_path / "runs" / "trial").iterdir()
    assert manifest_of(folder)["results"] == manifest_of(whole)["results"]


@pytest.fixture(scope="module")
def small(study, tmp_path_factory):
    out = tmp_path_factory.mktemp("small")
    code, said = kairos("run", study, "--out", out, "--set", "groups=[boundaries]")
    assert code == 0, said
    (folder,) = (out / "trial").iterdir()
    return folder


def changed(folder, tmp_path, **values):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "manifest.json").write_text(json.dumps(manifest_of(copy) | values))
    return copy


def test_what_differs_is_named_and_ends_with_1(small, tmp_path):
    copy = changed(small, tmp_path, results={"judged.json": "0" * 64, "lost.parquet": "1" * 64})
    code, said = kairos("rerun", copy, "--out", tmp_path / "out")
    assert code == 1
    assert "different: judged.json" in said
    assert "not there any more: lost.parquet" in said
    assert "0 of 2 results have the same hash." in said


def test_other_versions_are_said_and_do_not_hinder(small, tmp_path):
    versions = manifest_of(small)["versions"] | {"numpy": "1.0"}
    copy = changed(small, tmp_path, versions=versions, commit="abc", sources="0" * 64)
    code, said = kairos("rerun", copy, "--out", tmp_path / "out")
    assert code == 0
    for what in ("numpy was 1.0 and is ", "commit was abc and is ", "sources was 000"):
        assert f"not as it was: {what}" in said


def test_a_changed_study_is_refused_unless_asked_for(small, study, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(study.read_text() + "title: another\n")
    code, said = kairos("rerun", small, "--out", tmp_path / "out", "--study", other)
    assert code == 2
    assert f"changed: study {study} was " in said.replace("\n", "")
    assert "--anyway" in said
    assert not (tmp_path / "out").exists()
    code, said = kairos("rerun", small, "--out", tmp_path / "out", "--study", other, "--anyway")
    assert code == 0, said
    code, said = kairos("rerun", small, "--out", tmp_path / "out", "--study", tmp_path / "gone.yaml")
    assert (code, "gone.yaml: no such file" in said) == (2, True)


BROKEN = {
    "broken off": ({"results": {}}, "there is nothing to compare with"),
    "made before": ({"results": {"a": "b"}, "overrides": None}, "made before runs could be repeated"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_manifests_that_cannot_be_run_again(case, small, tmp_path):
    values, expected = BROKEN[case]
    code, said = kairos("rerun", changed(small, tmp_path, **values), "--out", tmp_path / "out")
    assert (code, expected in said) == (2, True), said
    assert kairos("rerun", tmp_path / "none")[0] == 2
    (tmp_path / "x.json").write_text("{}")
    assert kairos("rerun", tmp_path / "x.json")[0] == 2


def test_a_run_that_came_to_its_end_is_not_gone_on_with(small):
    code, said = kairos("run", "--resume", small)
    assert code == 2
    assert "has come to its end; `kairos report`" in said


def broken_off(study, out):
    """A run's folder as a kill leaves it."""
    kept = kairos("run", study, "--out", out, "--set", "groups=[boundaries]")
    assert kept[0] == 0
    (folder,) = (out / "trial").iterdir()
    (folder / "manifest.json").write_text(
        json.dumps(manifest_of(folder) | {"validity": "running", "ended": None, "results": {}})
    )
    return folder


def test_two_at_once_in_one_folder_are_refused(study, tmp_path):
    folder = broken_off(study, tmp_path)
    at_work = RunFolder.resume(folder, ["kairos"])
    before = (folder / "manifest.json").read_bytes()
    code, said = kairos("run", "--resume", folder)
    assert code == 2
    assert f"{folder}: another process is at work in this run" in said
    assert (folder / "manifest.json").read_bytes() == before
    at_work.release()
    assert kairos("run", "--resume", folder)[0] == 0


def test_a_changed_study_is_not_gone_on_with_silently(study, tmp_path):
    folder = broken_off(study, tmp_path)
    other = tmp_path / "trial.yaml"
    other.write_text(study.read_text().replace("seed: 3", "seed: 4"))
    code, said = kairos("run", other, "--resume", folder)
    assert code == 2
    assert "cannot be gone on with: seed was 3 and is 4" in said
    assert "cannot be gone on with: study " in said
    assert manifest_of(folder)["validity"] == "running"
    other.write_text(study.read_text())
    assert kairos("run", other, "--resume", folder)[0] == 0, "the same file elsewhere"
    values = manifest_of(folder) | {"validity": "running", "sources": "0" * 64}
    (folder / "manifest.json").write_text(json.dumps(values))
    code, said = kairos("run", "--resume", folder)
    assert (code, "cannot be gone on with: sources was 000" in said) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument 'STUDY': a study file, or --resume RUN_DIR"),
        (["--resume", "nowhere"], "nowhere: no such folder"),
        (["--resume", "nowhere", "--seed", "3"], "a run goes on as it began"),
        (["{study}", "--processes", "2", "--cluster", "tcp://x:1"], "expected one of them"),
        (["{study}", "--processes", "0"], "Invalid value for '--processes'"),
        (["{demo}", "--processes", "2"], "--processes: "),
        (["{demo}", "--cluster", "tcp://x:1"], "is of kind end-to-end, which has no jobs to spread"),
    ],
)
def test_mistakes_of_the_command_line_are_said(arguments, said, study, tmp_path):
    demo = Path(__file__).parents[3] / "scenarios" / "studies" / "demo.yaml"
    made = [part.format(study=study, demo=demo) for part in arguments]
    code, found = kairos("run", *made, *(["--out", tmp_path] if "--resume" not in arguments else []))
    assert code == 2
    assert said in found
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "damage",
    [
        {"versions": 3},
        {"versions": {"numpy": 2}},
        {"scenario": []},
        {"scenario": {"study": {}}},
        {"scenario": {"study": {"file": "s.yaml", "sha256": 3}}},
        {"overrides": "a=1"},
        {"overrides": [1]},
    ],
)
@pytest.mark.parametrize("command", [("rerun",), ("run", "--resume")])
def test_a_damaged_manifest_is_refused_by_name(command, damage, tmp_path):
    file = {"file": "s.yaml", "sha256": "0" * 64}
    whole = {"scenario": {"study": file}, "versions": {"numpy": "2"}, "overrides": [], "results": {"a": "0"}}
    (tmp_path / "manifest.json").write_text(json.dumps(whole | damage))
    code, said = kairos(*command, tmp_path)
    assert code == 2
    assert "manifest.json: does not say which study it ran" in said


def test_a_run_that_is_not_there_is_not_run_again(tmp_path):
    code, said = kairos("rerun", tmp_path / "nowhere")
    assert (code, "nowhere: no such file; expected the manifest.json of a run" in said) == (2, True)


def test_a_full_disk_is_said_and_the_run_goes_on_later(study, small, tmp_path):
    """The system lets no file grow past some octets, as it does where the disk is full."""
    other = tmp_path / "long.yaml"
    other.write_text(f"{study.read_text()}title: {'long ' * 2000}")  # what is kept says all that decided it
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8000, resource.RLIM_INFINITY)); "
        "from experiments.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "run", other, "--out", tmp_path, "--set", "groups=[boundaries]"],
        capture_output=True, text=True, check=False, timeout=120, env=environment(),
    )  # fmt: skip
    (folder,) = (tmp_path / "trial").iterdir()
    assert done.returncode == 1, done.stderr
    assert f"{folder}: no room: File too large. What was finished before is whole." in done.stderr
    assert f"Go on with: kairos run --resume {folder}" in done.stderr
    assert "Traceback" not in done.stderr
    for file in folder.rglob("*.json"):
        json.loads(file.read_text())
    assert not list(folder.rglob("*.partial"))
    assert manifest_of(folder)["validity"] == "invalid"
    code, said = kairos("run", "--resume", folder)
    assert code == 0, said
    assert manifest_of(folder)["results"] == manifest_of(small)["results"]


def test_results_are_compared_by_name():
    found = compare({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "x", "d": "4"})
    assert (found.equal, found.different, found.lacking, found.new) == (("a",), ("b",), ("c",), ("d",))
    assert not found.same
    assert compare({"a": "1"}, {"a": "1"}).same
    assert not compare({}, {}).same
