"""Benchmarks run only when asked for by --benchmark-only (`tox -e bench`); an ordinary test run skips them.

All put messages/s and bytes/s into `extra_info` of pytest-benchmark's JSON, and `relative_to_yardstick`:
messages in the time of one pass of a fixed piece of work that is none of ours, measured before and after.
That is the figure to compare between machines: `crc32` for what is compiled, `python` for what is Python.
"""

import time
import zlib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUFFER = bytes(range(256)) * 4096
TOWN = HERE.parents[1] / "scenarios" / "worlds" / "town.yaml"


def pytest_collection_modifyitems(config, items):
    if config.getoption("benchmark_only", False):
        return
    skip = pytest.mark.skip(reason="a benchmark: ./run test -e bench, or pytest --benchmark-only")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """The town's busy hour; in the large buffer at least 250,000 messages."""
    from experiments.bench.workload import Sources

    return Sources(world=TOWN, messages=250_000, folder=tmp_path_factory.mktemp("bench"))


def crc32():
    """A pass over 1 MiB."""
    return zlib.crc32(BUFFER)


def python():
    """Integers, a dictionary, a loop."""
    found, x = {}, 1
    for _ in range(50_000):
        x = x * 1_103_515_245 + 12_345 & 0x7FFF_FFFF
        found[x & 1023] = found.get(x & 1023, 0) + 1
    return x, sum(found.values())


#: name -> (the work, what comes out of it)
YARDSTICKS = {"crc32": (crc32, 0x04D0_E435), "python": (python, (1_221_129_777, 50_000))}


@pytest.fixture(scope="session", params=sorted(YARDSTICKS))
def yardstick(request):
    return YARDSTICKS[request.param]


def passes(rounds=15):
    """Yardstick -> seconds of processor time for each of some passes."""
    found = {}
    for name, (work, expected) in YARDSTICKS.items():
        took = []
        for _ in range(rounds):
            began = time.process_time()
            result = work()
            took.append(time.process_time() - began)
            assert result == expected
        found[name] = took
    return found


@pytest.fixture
def timed(benchmark):
    """Times a `experiments.bench.stages.Job`: made ready and checked outside of the time, every round."""

    def timed(job, rounds=10):
        results = []

        def ready():
            if results:
                job.check(results.pop())
            return (job.ready(),), {}

        def run(state):
            results.append(job.run(state))

        before = passes()
        benchmark.pedantic(run, setup=ready, rounds=rounds, warmup_rounds=1)
        job.check(results.pop())
        after = passes()
        best = benchmark.stats.stats.min
        benchmark.extra_info.update(
            messages=job.n,
            messages_per_s=round(job.n / best),
            bytes_per_s=round(job.octets / best),
            relative_to_yardstick={
                name: float(f"{job.n / best * min(before[name] + after[name]):.4g}") for name in YARDSTICKS
            },
            workload=job.workload,
        )

    return timed
