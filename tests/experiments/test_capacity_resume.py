"""A capacity study by the clock in a process of its own: killed, then stopped, then gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.child import environment
from sigtran import TransportUnavailable, choose

STUDY = Path(__file__).parents[2] / "scenarios" / "studies" / "capacity.yaml"

DRIVER = """\
import sys
from types import SimpleNamespace

from experiments.capacity import running
from experiments.capacity.mock_site import ClockedMock
from experiments.cli import cli

def town(terms, world, people, *rest):
    return SimpleNamespace(site=None, per_world_s=people / 380, most_per_s=lambda seconds: 1e6)

running.Town = town
running.extra_campaigns = lambda count, site, folder: []
running.expect = lambda *a, **k: SimpleNamespace(busiest_messages_per_s=10_000.0)
# One mock in a process of its own for each probe, as real ones have a platform each.
running.PlatformProbe = lambda town, campaigns, beside, workers, *rest: ClockedMock(400.0)
cli(sys.argv[1:])
"""

SETS = (
    "workers=[1]", "subscribers=[10000]", "loads=[0.5]", "load_seconds=0.5", "growth.repeats=0",
    "scaling.rounds=0", "search.seconds=0.6", "search.closed_seconds=0.2", "search.outstanding=32",
    "search.confirm_seconds=1.2", "search.repeats=1", "search.most_probes=6", "search.resolution=0.05",
    "search.least_rate_per_s=300", "search.most_rate_per_s=500", "level.percentile=p90",
    "level.latency_ms=60", "level.lagging_share=0.5", "level.bad_share=0.1",
)  # fmt: skip


def started(tmp_path, *arguments):
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    return subprocess.Popen(
        [sys.executable, str(driver), "run", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip


def wait_for(process, out, name):
    """The run's folder, once that piece is kept."""
    deadline = time.monotonic() + 60
    while not (found := list(out.glob(f"capacity/*/kept/{name}.json"))):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return found[0].parents[len(Path(name).parts)]


def kept_in(folder):
    return {file: file.stat().st_mtime_ns for file in folder.glob("kept/**/*.json")}


def test_a_killed_and_a_stopped_sitting_are_gone_on_with(tmp_path):
    try:
        choose("auto")
    except TransportUnavailable as error:
        pytest.skip(f"no SCTP here: {error}")
    out = tmp_path / "runs"
    sets = [word for setting in SETS for word in ("--set", setting)]
    first = started(tmp_path, STUDY, "--out", out, *sets)
    folder = wait_for(first, out, "1x10000/probe-001")
    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=30)
    assert json.loads((folder / "manifest.json").read_text())["validity"] == "running"
    assert list(folder.glob("probes-*")), "a killed run leaves its scratch folder"
    killed = kept_in(folder)

    second = started(tmp_path, "--resume", folder)
    wait_for(second, out, "1x10000/probe-003")
    second.send_signal(signal.SIGINT)
    _, said = second.communicate(timeout=60)
    assert second.returncode == 130, said
    assert f"Go on with: kairos run --resume {folder}" in said
    stopped = kept_in(folder)
    assert killed.items() <= stopped.items(), "what was done was done again"
    assert len(stopped) > len(killed)

    third = started(tmp_path, "--resume", folder)
    text, said = third.communicate(timeout=120)
    # 3: on a machine with others at work the few probes may settle no knee.
    assert third.returncode in (0, 3), said
    assert stopped.items() <= kept_in(folder).items(), "what was done was done again"
    assert not list(folder.glob("probes-*"))
    summary = json.loads((folder / "summary.json").read_text())
    (one,) = summary["results"]["configurations"]
    assert len(summary["sittings"]) == 3
    parts = [{piece["what"]: piece["n"] for piece in sitting["measured"]} for sitting in summary["sittings"]]
    assert parts[0]["probe"] == len([file for file in killed if file.name.startswith("probe-")])
    assert (
        parts[1]["probe"]
        == len([file for file in stopped if file.name.startswith("probe-")]) - parts[0]["probe"]
    )
    assert min(part["probe"] for part in parts) >= 1
    assert sum(part["probe"] for part in parts) == one["knee"]["probes"]
    assert "the last of 3 sittings" in text
