"""The native fuzzer itself: it runs clean for a moment, and what is planted is found."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.skipif(not shutil.which("clang"), reason="clang is not installed"),
    pytest.mark.skipif(
        not (HERE.parents[1] / "platform" / "marketing" / "decode" / "columns.pyx").exists(),
        reason="compiles the sources",
    ),
]


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"native_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    pytest.importorskip("Cython", reason="Cython is not installed")
    run, work = load("run"), tmp_path_factory.mktemp("fuzz")
    return run, work, run.build_modules(work, "clang")


def corpus(work: Path) -> Path:
    folder = work / "seeds"
    load("run").write_seeds(folder, list(load("seeds").messages())[::9])
    return folder


def fuzz(built, target: str, seconds: int, *options: str) -> subprocess.CompletedProcess[str]:
    run, work, tree = built
    program = work / f"fuzz_{target}{len(options)}"
    run.build(run.TARGETS[target], program, "clang", *options)
    command = [program, f"-max_total_time={seconds}", "-seed=7", f"-artifact_prefix={work}/", corpus(work)]
    return subprocess.run(
        command,
        env=run.environment(tree),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd=work,
    )


@pytest.mark.timeout(600)
def test_nothing_is_found_in_a_moment(built):
    done = fuzz(built, "decode", 3)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "DONE" in done.stderr or "Done" in done.stderr


@pytest.mark.timeout(600)
def test_a_read_behind_the_message_is_found(built):
    done = fuzz(built, "decode", 30, "-DPLANTED")
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
    assert "signalling.c" in done.stderr


def test_the_seeds_are_of_all_layers():
    seeds = load("seeds")
    assert {octets[0] & 7 for octets in seeds.messages()} == set(range(8))
    assert all(len(octets) <= load("run").TARGETS["decode"].longest for octets in seeds.messages())
    assert len(set(seeds.streams())) > 1000
    assert len(set(seeds.captures())) > 100
