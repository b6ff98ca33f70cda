"""`kairos bench network`: its figures, what it says of them, and that it notices runs that disagree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.bench import network as bench_network
from experiments.bench.network import figures, lines_of
from experiments.bench.network_child import Job
from experiments.cli import cli
from experiments.problems import RunInvalid

TOWN = Path(__file__).parents[2] / "scenarios" / "worlds" / "town.yaml"
JOB = Job(str(TOWN), 1_000_000, 1, 0.0, 24.0, 1, messages=True, digest=False)
FOUND = {
    "messages": 120_000_000, "octets": 12_000_000_000, "cpu_s": 90.0, "workers_cpu_s": 0.0, "wall_s": 100.0,
    "drawing_cpu_s": 40.0, "build_s": 70.0, "build_cpu_s": 60.0, "peak_bytes": 390_000_000,
    "worker_peak_bytes": 0, "acts": 9, "visible": 8, "hours": [(1.0, 1_000_000), (4.0, 9_000_000)],
    "held": {"the people": 30_000_000, "nothing": 0, "stations": 64_000_000},
}  # fmt: skip


def bench(*arguments):
    return CliRunner().invoke(cli, ["bench", "network", *map(str, arguments)])


def test_both_measurements_with_their_figures(tmp_path):
    out = tmp_path / "figures.json"
    done = bench(
        "--world", TOWN, "--subscribers", 400, "--start", 18, "--hours", 1, "--digest", "--json", out
    )
    assert done.exit_code == 0, done.output
    with_messages, without = json.loads(out.read_text())
    assert (with_messages["stage"], without["stage"]) == ("network", "network-acts")
    for one in (with_messages, without):
        assert {"per_s", "bytes_per_subscriber", "subscriber_days_per_cpu_s", "build_s", "machine"} <= set(
            one
        )
        assert one["n"] == with_messages["n"] > 1000
        assert one["busy_hour_n"] == one["n"]
        assert one["sha256"]["acts"] == with_messages["sha256"]["acts"]
        assert one["peak_bytes"] > 30_000_000
        assert 0 < one["drawing_cpu_s"] < one["cpu_s"]
    assert sum(with_messages["held"].values()) == with_messages["peak_bytes"]
    assert with_messages["held"]["stations"] == 64 * 400
    assert with_messages["held"]["the people"] == 30 * 400
    assert "who holds the peak memory" in done.output
    assert with_messages["bytes_per_s"] > with_messages["per_s"]
    assert without["bytes_per_s"] == 0
    assert with_messages["sha256"]["messages"] in done.output


def test_workers_change_nothing(tmp_path):
    said = []
    for workers in (1, 2):
        out = tmp_path / f"{workers}.json"
        done = bench(
            "--world",
            TOWN,
            "--subscribers",
            300,
            "--hours",
            2,
            "--digest",
            "--workers",
            workers,
            "--json",
            out,
        )
        assert done.exit_code == 0, done.output
        said.append([one["sha256"] for one in json.loads(out.read_text())])
        assert ("largest worker" in done.output) == (workers > 1)
    assert said[0] == said[1]


def test_the_figures_follow_from_what_was_measured():
    one = figures(JOB, FOUND)
    assert one["per_s"] == 1_333_333
    assert one["subscriber_days_per_cpu_s"] == pytest.approx(11_111.1)
    assert one["messages_per_subscriber_day"] == 120.0
    assert one["bytes_per_subscriber"] == 390.0
    assert one["settling_cpu_s"] == 50.0
    assert (one["busy_hour_n"], one["busy_hour_settled_per_s"]) == (9_000_000, 2_250_000)
    assert list(one["held"].items()) == [
        ("stations", 64_000_000), ("the people", 30_000_000), (bench_network.BEYOND, 296_000_000)
    ]  # fmt: skip
    said = "\n".join(lines_of(one))
    assert "at most 60: MISSED" in said
    assert "at most 400: kept" in said
    assert "at least 500,000: kept" in said


def test_processor_time_of_the_workers_counts():
    job = Job(str(TOWN), 1_000_000, 2, 0.0, 24.0, 1, messages=True, digest=False)
    one = figures(job, FOUND | {"cpu_s": 50.0, "workers_cpu_s": 50.0, "drawing_cpu_s": 50.0})
    assert one["cpu_s"] == 100.0
    assert one["settling_cpu_s"] == 50.0
    assert one["per_s"] == 1_200_000


def test_runs_that_disagree_are_no_result(monkeypatch, tmp_path):
    class Worker:
        def __init__(self, name, arguments, log):
            self.n = 0 if name == "network" else 1

    class Crew:
        def __init__(self, on_event):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def start(self, worker):
            return worker

        def finish(self, worker):
            return [FOUND | {"visible": worker.n}]

    monkeypatch.setattr(bench_network, "Worker", Worker)
    monkeypatch.setattr(bench_network, "Crew", Crew)
    with pytest.raises(RunInvalid, match="visible: 0 with messages, 1 without"):
        bench_network.run_command(
            world=TOWN, subscribers=10, workers=1, start=0.0, hours=1.0, seed=1, digest=False, json_file=None
        )


def test_a_mistake_is_said_in_one_line(tmp_path):
    done = bench("--world", tmp_path / "none.yaml")
    assert done.exit_code == 2
    assert "none.yaml: no such file" in done.output
    broken = tmp_path / "w.yaml"
    broken.write_text("world: x\n", encoding="utf-8")
    done = bench("--world", broken)
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert "epoch" in done.output
