"""`kairos bench engine`, `change` and `collector`, at a small size: what they check and what they say."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.bench import change as bench_change
from experiments.bench import restart as bench_restart
from experiments.bench import workers as bench_workers
from experiments.bench.change import ChangeBench
from experiments.bench.engine import EngineBench
from experiments.bench.restart import RestartBench
from experiments.bench.stages import WrongResult
from experiments.cli import cli
from sigtran import TransportUnavailable
from sigtran.transport import choose

ROOT = Path(__file__).parents[2]
PROVINCE = ROOT / "scenarios" / "worlds" / "province.yaml"
SIZE = 3000


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def here(monkeypatch, cache):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


def figures(tmp_path, *arguments):
    out = tmp_path / "figures.json"
    done = CliRunner().invoke(cli, ["bench", *map(str, arguments), "--seconds", "0.01", "--json", str(out)])
    assert done.exit_code == 0, done.output
    return json.loads(out.read_text()), done.output


def test_engine_says_both_sets(here, tmp_path):
    (found,), said = figures(tmp_path, "engine", "--subscribers", SIZE, "--campaigns", 40)
    assert found["campaigns"] == 40
    assert found["triggering"] > found["narrow_triggering"] > 0
    assert found["median_audience"] > found["narrow_median_audience"] > 0
    decided = sum(found.get(f"decided_{action}", 0) for action in ("send", "hold", "suppress"))
    assert found["triggering"] == pytest.approx(decided / found["n"], abs=1e-4)
    assert found["bytes_each"] == pytest.approx(
        sum(v for k, v in found.items() if k.startswith("bytes_") and k not in ("bytes_each", "bytes_per_s")),
        abs=0.2,
    )
    assert "engine, broad audiences" in said
    assert "engine, narrow audiences" in said


def test_changes_come_into_force_and_lose_nothing(here, monkeypatch):
    monkeypatch.setattr(bench_change, "STEP", 20)
    found = ChangeBench(EngineBench(PROVINCE, SIZE, 40)).measure()
    assert set(found.effect_s) == set(found.pause_s) == {"added", "changed", "extract"}
    assert all(found.pause_s[what] <= found.effect_s[what] for what in found.effect_s)
    assert found.triggers > 0


def test_workers_decide_the_same_and_say_what_they_took(here, tmp_path):
    out = tmp_path / "workers.json"
    sizes = ["--subscribers", str(SIZE), "--campaigns", "40", "--turns", "1", "--json", str(out)]
    done = CliRunner().invoke(cli, ["bench", "workers", *sizes])
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    alone, divided = found["passes"]
    assert (alone["workers"], divided["workers"], len(divided["worker_cpu_s"])) == (1, 2, 2)
    assert alone["decisions"] == divided["decisions"] > 0
    assert found["ratios"]["wall"] == pytest.approx(alone["wall_s"] / divided["wall_s"])
    busiest = max(divided["main_cpu_s"], *divided["worker_cpu_s"])
    assert found["ratios"]["longest_cpu"] == pytest.approx(alone["main_cpu_s"] / busiest)


def test_workers_that_decide_otherwise_are_noticed(here, monkeypatch):
    said = bench_workers._said
    monkeypatch.setattr(bench_workers, "_said", lambda work, n: said(work, n)[: -1 if n > 1 else None])
    done = CliRunner().invoke(cli, ["bench", "workers", "--subscribers", str(SIZE), "--turns", "1"])
    assert done.exit_code == 3
    assert "2 workers decide otherwise" in done.output


def test_a_lost_trigger_is_noticed(here, monkeypatch):
    monkeypatch.setattr(bench_change, "STEP", 20)
    steps = bench_change._Loop.steps

    def forgetting(self, n):
        steps(self, n)
        self.triggers.add(("bench-007", 1, 1))

    monkeypatch.setattr(bench_change._Loop, "steps", forgetting)
    with pytest.raises(WrongResult, match="too many"):
        ChangeBench(EngineBench(PROVINCE, SIZE, 40)).measure()


def test_collector_over_usrsctp(tmp_path):
    try:
        choose("usrsctp")
    except TransportUnavailable as error:
        pytest.skip(str(error))
    world = ROOT / "scenarios" / "worlds" / "town.yaml"
    (found,), said = figures(tmp_path, "collector", "--messages", 1, "--world", world)
    assert found["behaviours"] > 1000
    assert 0 < found["main_share"] <= found["processor_share"] * 1.01
    assert found["ratio_to_raw"] == pytest.approx(found["per_s"] / found["raw_per_s"], rel=0.01)
    assert "nearest to its limit" in said


def test_a_restart_is_measured_and_checked(here, monkeypatch):
    monkeypatch.setattr(bench_restart, "JOURNAL_US", 300_000_000)
    found = RestartBench(EngineBench(PROVINCE, SIZE, 40)).measure()
    assert found.lived > found.journaled > 0
    assert found.write_s >= found.pause_s > 0
    assert found.octets > 0
    assert found.resume_s > 0
    resume = bench_restart.StateFolder.resume

    def forgetting(self, state):
        made = resume(self, state)
        state.habits.records["act_s"][:] = 0
        return made

    monkeypatch.setattr(bench_restart.StateFolder, "resume", forgetting)
    with pytest.raises(WrongResult, match="or otherwise"):
        RestartBench(EngineBench(PROVINCE, SIZE, 40)).measure()
