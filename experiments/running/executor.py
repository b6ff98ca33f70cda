"""Many like jobs at once: in this process, in processes of this machine, or on a Dask cluster.

A study says what one job is (a function and a value that decides its result) and gets results as they come;
what runs them is told on the command line. Results are the same whichever it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from experiments.problems import BadInput, RunInvalid

__all__ = [
    "ATTEMPTS",
    "Executor",
    "InProcess",
    "JobError",
    "JobLost",
    "cpus_available",
    "executor_of",
    "failure",
    "keyed",
]

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS: Final = 3
"""How often a job is begun whose process dies before it has answered."""


class Executor(Protocol):
    """Runs jobs."""

    def map(
        self, function: Callable[[T], R], jobs: Sequence[T], *, key: Callable[[T], str]
    ) -> Iterator[tuple[str, R]]:
        """Results with the keys of their jobs, in any order, each as soon as it is there.

        Args:
            function: A function at the top level of a module: what it returns depends on its job alone.
            jobs: Values that pickle. At most one result a process is held besides what the caller keeps.
            key: Names a job for good, such as `precise/r0017`; no two jobs have one key.

        Raises:
            JobError: a job raised something; the others are called off.
            RunInvalid, BadInput: a job raised that, which then names its key.
            JobLost: a job's process died each time that it was tried.
            ValueError: two jobs have one key.
        """
        ...


class JobError(Exception):
    """A job raised what it should not have; its traceback is among the notes."""

    def __init__(self, key: str, said: str) -> None:
        super().__init__(f"job {key}: {said}")
        self.key = key


class JobLost(RunInvalid):
    """A job never answered: whatever ran it died, as often as it was tried."""

    def __init__(self, key: str, said: str) -> None:
        super().__init__(f"job {key}: {said}")
        self.key = key


def failure(key: str, kind: str, lines: Sequence[str], trace: str) -> Exception:
    """What a job raised elsewhere, as an error that names the job.

    Args:
        key: Its key.
        kind: `invalid`, `bad` or `error`: which of ours it was, if any.
        lines: What it said.
        trace: Its traceback, as text.
    """
    if kind == "bad":
        return BadInput([f"job {key}: {line}" for line in lines])
    if kind == "invalid":
        return RunInvalid(f"job {key}: {'; '.join(lines)}")
    made = JobError(key, "; ".join(lines))
    made.add_note(trace.rstrip())
    return made


def keyed(jobs: Sequence[T], key: Callable[[T], str]) -> dict[str, T]:
    """Jobs by key. Raises ValueError where two have the same."""
    found: dict[str, T] = {}
    for job in jobs:
        name = key(job)
        if name in found:
            raise ValueError(f"two jobs with the key {name!r}: expected each key once")
        found[name] = job
    return found


@dataclass(frozen=True, slots=True)
class InProcess:
    """One job after another, here."""

    def map(
        self, function: Callable[[T], R], jobs: Sequence[T], *, key: Callable[[T], str]
    ) -> Iterator[tuple[str, R]]:
        """As `Executor.map`; in the order of the jobs."""
        for name, job in keyed(jobs, key).items():
            try:
                result = function(job)
            except BadInput as error:
                raise failure(name, "bad", error.lines, "") from None
            except JobLost:
                raise
            except RunInvalid as error:
                raise RunInvalid(f"job {name}: {error}") from error
            except Exception as error:
                raise JobError(name, f"{type(error).__name__}: {error}") from error
            yield name, result


def cpus_available() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def executor_of(processes: int | None = None, cluster: str | None = None) -> Executor:
    """What runs jobs.

    Args:
        processes: How many at a time, each in a process of its own; one: in this process. None: as many as
            there are processors.
        cluster: Address of a Dask scheduler, such as `tcp://10.0.0.5:8786`; the jobs go there instead.

    Raises:
        BadInput: both are given, the number is below one, or the cluster cannot be used: it does not answer,
            or the extra `cluster` is not installed.
    """
    if cluster is not None:
        if processes is not None:
            raise BadInput("--processes and --cluster: expected one of them; a cluster has its own processes")
        from experiments.running.cluster import Cluster

        return Cluster.at(cluster)
    count = cpus_available() if processes is None else processes
    if count < 1:
        raise BadInput(f"--processes {count}: expected one or more")
    if count == 1:
        return InProcess()
    from experiments.running.processes import Processes

    return Processes(count)
