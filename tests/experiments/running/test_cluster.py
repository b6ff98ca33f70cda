"""Jobs on a Dask cluster: a real scheduler and two workers, one of them killed in mid-study."""

import re
import signal
import sys
import threading
from contextlib import ExitStack

import pytest

from experiments.problems import BadInput, RunInvalid
from experiments.running.executor import InProcess, JobError, JobLost, executor_of

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")


def test_a_worker_killed_in_mid_study_changes_no_result(cluster, jobs):
    address, workers = cluster
    made = [jobs.Job(f"j{n:02}", n) for n in range(30)]
    expected = dict(InProcess().map(jobs.slow_square, made, key=jobs.key_of))
    found = {}
    for name, result in executor_of(cluster=address).map(jobs.slow_square, made, key=jobs.key_of):
        found[name] = result
        if len(found) == 5:
            workers[0].send_signal(signal.SIGKILL)
    assert workers[0].wait(5) == -signal.SIGKILL
    assert {name: result["square"] for name, result in found.items()} == {
        name: result["square"] for name, result in expected.items()
    }
    ran_on = {result["pid"] for result in found.values()}
    assert ran_on == {one.pid for one in workers}, "both took part"


def test_errors_name_their_job_and_a_cluster_goes_on(cluster, jobs):
    executor = executor_of(cluster=cluster[0])
    with pytest.raises(JobError, match="job j3: ZeroDivisionError: three is too much"):
        list(executor.map(jobs.fails, [jobs.Job(f"j{n}", n) for n in range(6)], key=jobs.key_of))
    with pytest.raises(RunInvalid, match="job a: nothing was received"):
        list(executor.map(jobs.invalid, [jobs.Job("a")], key=jobs.key_of))
    with pytest.raises(BadInput, match="job a: one"):
        list(executor.map(jobs.bad, [jobs.Job("a")], key=jobs.key_of))
    assert list(executor.map(jobs.fails, [jobs.Job("b", 7)], key=jobs.key_of)) == [("b", 7)]


def test_a_job_that_kills_every_worker_is_named(tmp_path, jobs, dask):
    with ExitStack() as stack:
        _, address = stack.enter_context(dask.scheduler(tmp_path))
        for n in range(3):
            stack.enter_context(dask.worker(tmp_path, address, f"w{n}"))
        with pytest.raises(JobLost, match="job j1: its worker died, as did those"):
            list(
                executor_of(cluster=address).map(
                    jobs.once_killed, [jobs.Job("j1", 99, tmp_path)], key=jobs.key_of
                )
            )
    assert (tmp_path / "j1").stat().st_size == 3


def test_a_scheduler_that_vanishes_is_said(tmp_path, jobs, dask):
    with ExitStack() as stack:
        boss, address = stack.enter_context(dask.scheduler(tmp_path))
        stack.enter_context(dask.worker(tmp_path, address, "w0"))
        results = executor_of(cluster=address).map(
            jobs.slow_square, [jobs.Job(f"j{n}", n) for n in range(200)], key=jobs.key_of
        )
        next(results)
        threading.Timer(0.2, boss.kill).start()
        with pytest.raises(RunInvalid, match=f"the Dask scheduler at {address} is gone"):
            list(results)


def test_what_is_wrong_with_a_cluster_is_said_before_anything_runs(tmp_path, monkeypatch, dask):
    monkeypatch.setattr("experiments.running.cluster.CONNECT_S", 1.0)
    with pytest.raises(BadInput, match=r"--cluster tcp://127\.0\.0\.1:1: no Dask scheduler answers there"):
        executor_of(cluster="tcp://127.0.0.1:1")
    for address in ("nonsense://x", "nonsense"):
        with pytest.raises(BadInput, match=f"--cluster {address}: no Dask scheduler answers there"):
            executor_of(cluster=address)
    with dask.scheduler(tmp_path) as (_, address):
        with pytest.raises(BadInput, match="the scheduler has no workers"):
            executor_of(cluster=address)
        other = tmp_path / "other" / "kairos_testbed-9.9.dist-info"
        other.mkdir(parents=True)
        (other / "METADATA").write_text("Metadata-Version: 2.1\nName: kairos-testbed\nVersion: 9.9\n")
        with (
            dask.worker(tmp_path, address, "w0"),
            dask.worker(tmp_path, address, "w1", str(other.parent)),
            pytest.raises(BadInput) as wrong,
        ):
            executor_of(cluster=address)
    (line,) = wrong.value.lines
    assert re.search(r"the worker tcp://\S+ is of another version: kairos 9.9 there and \S+ here", line)


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(BadInput, match=r"Dask is not installed here; .*\.\[cluster\]"):
        executor_of(cluster="tcp://127.0.0.1:1")
