"""Jobs in processes of this machine: each is handed one job at a time, so that whose process died is known.

A process is a fresh interpreter (nothing is forked, nothing of `__main__` is imported again) in a session of
its own: Ctrl-C reaches the parent alone, which then ends them; where the parent dies the kernel kills them.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, Final, TypeVar

from experiments.child import environment, how_it_ended
from experiments.running.executor import ATTEMPTS, JobError, JobLost, failure, keyed

__all__ = ["Processes", "one_thread"]

T = TypeVar("T")
R = TypeVar("R")

STOP_S: Final = 5.0
"""How long a process may take to end in order when it is called off."""
ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""A process is one processor's work; libraries of linear algebra would start a thread for each of them."""


def one_thread() -> None:
    """Makes this process compute as those of its jobs do; before NumPy is imported, or it has no effect."""
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)


class _Process:
    """A process that takes jobs."""

    def __init__(self) -> None:
        ours, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "experiments.running.job_process", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what jobs print is no result of the study
                env={**ONE_THREAD, **environment()},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self.line: Connection[Any, Any] = ours
        self.key = ""
        """Of the job that it works on."""

    def give(self, key: str, packed: bytes) -> None:
        self.key = key
        with contextlib.suppress(BrokenPipeError):  # it has died; the next read says so
            self.line.send_bytes(packed)

    def answer(self) -> tuple[bool, Any] | None:
        """What came of its job; None: it died first."""
        try:
            found: tuple[bool, Any] = pickle.loads(self.line.recv_bytes())
        except (EOFError, ConnectionResetError):
            return None
        return found

    def fate(self) -> str:
        """How it ended."""
        code = self.process.wait()
        return how_it_ended(code) + (" (out of memory?)" if code == -signal.SIGKILL else "")


@dataclass(frozen=True, slots=True)
class Processes:
    """So many jobs at a time."""

    count: int
    attempts: int = ATTEMPTS
    """How often a job is begun whose process dies."""

    def map(
        self, function: Callable[[T], R], jobs: Sequence[T], *, key: Callable[[T], str]
    ) -> Iterator[tuple[str, R]]:
        """As `Executor.map`. However it ends, none of its processes is left."""
        waiting = deque(keyed(jobs, key).items())
        tried: dict[str, int] = {}
        given: dict[str, T] = {}
        crew: list[_Process] = []

        def employ(process: _Process) -> None:
            name, job = waiting.popleft()
            try:
                packed = pickle.dumps((function, job))
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                raise JobError(name, f"it cannot be sent to another process: {error}") from error
            given[name] = job
            tried[name] = tried.get(name, 0) + 1
            process.give(name, packed)

        try:
            while waiting or crew:
                while waiting and len(crew) < self.count:
                    crew.append(_Process())
                    employ(crew[-1])
                lines: dict[Any, _Process] = {process.line: process for process in crew}
                for line in wait(list(lines)):
                    process = lines[line]
                    name, answer = process.key, process.answer()
                    if answer is None:
                        crew.remove(process)
                        fate = process.fate()
                        process.line.close()
                        if tried[name] >= self.attempts:
                            raise JobLost(name, f"its process {fate}, {tried[name]} times of {self.attempts}")
                        waiting.appendleft((name, given[name]))
                        continue
                    right, found = answer
                    if not right:
                        raise failure(name, *found)
                    del given[name]
                    if waiting:
                        employ(process)
                    else:
                        crew.remove(process)
                        _end([process])
                    yield name, found
        finally:
            _end(crew)


def _end(crew: Sequence[_Process]) -> None:
    """Ends processes: in order where they are idle or can be asked to, by force in the end."""
    for process in crew:
        process.line.close()
        process.process.terminate()
    deadline = time.monotonic() + STOP_S
    for process in crew:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.process.wait(max(deadline - time.monotonic(), 0))
        # Itself where it has not ended, and whatever its job has left behind.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.process.pid, signal.SIGKILL)
        process.process.wait()
