"""Benchmarks run only when asked for by --benchmark-only (`tox -e bench`); an ordinary test run skips them.

All put messages/s and bytes/s into `extra_info` of pytest-benchmark's JSON.
Figures of different machines are compared after division by those of the group "yardstick".
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
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
    from experiments.bench_workload import Sources

    return Sources(world=TOWN, messages=250_000, folder=tmp_path_factory.mktemp("bench"))


@pytest.fixture
def timed(benchmark):
    """Times a `experiments.bench_stages.Job`: made ready and checked outside of the time, every round."""

    def timed(job, rounds=10):
        results = []

        def ready():
            if results:
                job.check(results.pop())
            return (job.ready(),), {}

        def run(state):
            results.append(job.run(state))

        benchmark.pedantic(run, setup=ready, rounds=rounds, warmup_rounds=1)
        job.check(results.pop())
        best = benchmark.stats.stats.min
        benchmark.extra_info.update(
            messages=job.n,
            messages_per_s=round(job.n / best),
            bytes_per_s=round(job.octets / best),
            workload=job.workload,
        )

    return timed
