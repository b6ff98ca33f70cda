"""Jobs for tests of executors: other processes import them from here."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from experiments.problems import BadInput, RunInvalid


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    value: int = 0
    folder: Path | None = None


def key_of(job):
    return job.name


def square(job):
    return {"square": job.value**2, "tuple": (1, 2.5)}


def fails(job):
    if job.value == 3:
        raise ZeroDivisionError("three is too much")
    return job.value


def invalid(job):
    raise RunInvalid("nothing was received")


def bad(job):
    raise BadInput(["one", "two"])


def once_killed(job):
    """Dies the first time that it is tried, by SIGKILL, as the kernel does it when memory runs out."""
    with (job.folder / job.name).open("a") as tries:
        tries.write("x")
    if job.value and (job.folder / job.name).stat().st_size <= job.value:
        os.kill(os.getpid(), signal.SIGKILL)
    return job.value


def sleeps(job):
    """Says that it has begun, with a child of its own, and sleeps."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (job.folder / f"{job.name}.partial").write_text(f"{os.getpid()} {child.pid}")
    (job.folder / f"{job.name}.partial").rename(job.folder / job.name)
    time.sleep(600)


def fills(job):
    """A result of so many octets."""
    return b"x" * job.value


def unpicklable(job):
    return lambda: 0


def threads(job):
    sys.stdout.write("this is no result\n")
    sys.stdout.flush()
    return os.environ["OPENBLAS_NUM_THREADS"]


def slow_square(job):
    time.sleep(0.05)
    return {"square": job.value**2, "pid": os.getpid()}
