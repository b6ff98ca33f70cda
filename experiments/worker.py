"""Parts of a run in processes of their own: arms, live phase. What they say is one JSON line at a time.

The parent starts them in sessions of their own, so that Ctrl-C reaches the parent alone, which then stops
them in order; a worker whose parent vanishes is killed by the kernel.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

from experiments.child import die_with_parent, environment, how_it_ended
from experiments.problems import BadInput, RunInvalid

__all__ = ["Crew", "Stopped", "Worker", "say", "wait_for_word", "work"]

STOP_S: Final = 25.0
"""How long a worker may take to stop in order: the platform flushes its records in this time."""


class Stopped(Exception):  # noqa: N818 - an order, not an error
    """The parent asks the worker to stop and keep what it has."""


# ---- in the worker


def say(event: str, **values: Any) -> None:
    """Tells the parent something."""
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


def wait_for_word() -> None:
    """Tells the parent that all is prepared, and waits for the word to go on.

    Raises:
        RunInvalid: the parent has gone, or called it off.
    """
    say("stage", name="ready")
    if sys.stdin.readline().strip() != "go":
        raise RunInvalid("called off")


def work(job: Callable[[list[str]], dict[str, Any]]) -> NoReturn:
    """Runs a worker's job and tells the parent how it ended."""

    def stop(number: int, frame: FrameType | None) -> None:
        # Once: what follows is tidying up, which a second signal must not interrupt.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Stopped

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        result = job(sys.argv[1:])
    except RunInvalid as error:
        say("invalid", reason=str(error))
        sys.exit(3)
    except Stopped:
        say("stopped")
        sys.exit(3)
    except BadInput as error:
        say("bad", lines=list(error.lines))
        sys.exit(2)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing is left that could be stopped
    say("done", result=result)
    sys.exit(0)


# ---- in the parent


@dataclass(slots=True)
class Worker:
    """One worker process."""

    name: str
    arguments: list[str]
    """Module and its arguments, as after `python -m`."""
    log: Path
    """Where its standard error goes."""
    process: subprocess.Popen[bytes] | None = None
    result: dict[str, Any] | None = None
    reason: str = ""
    """Why it did not finish; empty while it runs and after it has."""
    bad: list[str] = field(default_factory=list)
    stages: set[str] = field(default_factory=set)
    """What it has reached, in its own words; `ready` when it waits for the word to go on."""
    _rest: bytes = b""

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(),
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - started before any thread of ours
            )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)

    def tell(self, word: str) -> None:
        """One line to the worker's standard input."""
        assert self.process is not None
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended; `read` says why
            self.process.stdin.write(word.encode() + b"\n")
            self.process.stdin.flush()

    def read(self) -> Iterator[dict[str, Any]]:
        """What it has said; at its end sets `result` or `reason`."""
        assert self.process is not None
        assert self.process.stdout is not None
        data = self.process.stdout.read()
        if data is None:
            return
        self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if said["event"] == "done":
                self.result = said["result"]
            elif said["event"] == "invalid":
                self.reason = said["reason"]
            elif said["event"] == "bad":
                self.bad = said["lines"]
                self.reason = "; ".join(self.bad)
            elif said["event"] == "stopped":
                self.reason = "stopped"
            elif said["event"] == "stage":
                self.stages.add(said["name"])
            yield said
        if not data:
            code = self.process.wait()
            if self.result is None and not self.reason:
                how = how_it_ended(code)
                last = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
                self.reason = f"the {self.name} process {how}" + (f": {last[0].strip()}" if last else "")

    @property
    def ended(self) -> bool:
        return self.result is not None or bool(self.reason)

    def reap(self) -> None:
        """Waits for its end, kills it if need be, and whatever is left of its session."""
        if self.process is None:
            return
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None and not stream.closed:
                # Closing writes what was still buffered for it; perhaps nobody reads.
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_S)
        # Whoever is left of its session; nobody, as a rule.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Crew:
    """Workers under way together. A context manager: when the block is left none of them runs."""

    def __init__(self, on_event: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._on_event = on_event
        self._workers: list[Worker] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, worker: Worker) -> Worker:
        self._workers.append(worker)
        worker.start()
        return worker

    def stop(self) -> None:
        """Asks all that still run to stop and keep what they have; then sees that they are gone."""
        running = [
            w for w in self._workers if not w.ended and w.process is not None and w.process.poll() is None
        ]
        for worker in running:
            assert worker.process is not None
            worker.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while any(not w.ended for w in running) and time.monotonic() < deadline:
            self._turn(running, 0.2)
        for worker in self._workers:
            worker.reap()
        self._workers.clear()

    def until(self, done: Callable[[], bool]) -> None:
        """Listens until something is the case.

        Raises:
            RunInvalid: a worker ended without its result; the others go on until `stop`.
        """
        while not done():
            self._turn([w for w in self._workers if not w.ended], 0.5)
            for worker in self._workers:
                if worker.bad:
                    raise BadInput(worker.bad)
                if worker.reason:
                    raise RunInvalid(f"{worker.name}: {worker.reason}")

    def finish(self, *workers: Worker) -> list[dict[str, Any]]:
        """The results of workers, when all of them are done."""
        self.until(lambda: all(w.result is not None for w in workers))
        return [w.result for w in workers if w.result is not None]

    def _turn(self, workers: list[Worker], wait_s: float) -> None:
        if not workers:
            time.sleep(wait_s)
            return
        with selectors.DefaultSelector() as selector:
            for worker in workers:
                assert worker.process is not None
                assert worker.process.stdout is not None
                selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
            for key, _ in selector.select(wait_s):
                for said in key.data.read():
                    self._on_event(key.data.name, said)
