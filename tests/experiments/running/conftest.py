"""Jobs that other processes can import, and a real Dask cluster: a scheduler and workers in processes."""

import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.child import environment

HERE = Path(__file__).parent


@pytest.fixture
def jobs(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))
    import executor_jobs

    return executor_jobs


@contextmanager
def process(log, *arguments, path=""):
    """One of Dask's programs; it is gone when the block is left."""
    env = environment()
    env["PYTHONPATH"] = os.pathsep.join(part for part in (path, str(HERE), env["PYTHONPATH"]) if part)
    env["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = "2"
    with log.open("w") as said:
        started = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
            stdout=said, stderr=said, stdin=subprocess.DEVNULL, env=env, cwd=log.parent,
        )  # fmt: skip
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def said(log, pattern, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while not (found := re.search(pattern, log.read_text())):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return found[1]


@contextmanager
def scheduler(folder):
    log = folder / "scheduler.log"
    with process(
        log, "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-jupyter"
    ) as at:
        yield at, said(log, r"Scheduler at:\s+(tcp://\S+)")


@contextmanager
def worker(folder, address, name, path=""):
    log = folder / f"{name}.log"
    with process(
        log, "dask_worker", address, "--name", name, "--nthreads", "1", "--no-nanny", "--no-dashboard",
        "--local-directory", str(folder), path=path,
    ) as at:  # fmt: skip
        said(log, r"(Starting established connection to) ")
        yield at


@pytest.fixture
def dask():
    """`scheduler(folder)` and `worker(folder, address, name)`, context managers."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    return SimpleNamespace(scheduler=scheduler, worker=worker)


@pytest.fixture
def cluster(tmp_path, dask):
    """Address of a scheduler, and the processes of its two workers."""
    with ExitStack() as stack:
        _, address = stack.enter_context(dask.scheduler(tmp_path))
        yield address, [stack.enter_context(dask.worker(tmp_path, address, f"w{n}")) for n in range(2)]
