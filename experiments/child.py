"""The platform as a child process: started, watched, stopped; never left behind."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from experiments.problems import PlatformEnded, RunInvalid

__all__ = ["PlatformChild", "die_with_parent", "environment", "how_it_ended"]

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """In a child before exec: be killed when the parent is, however it goes (Linux; a no-op elsewhere)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def environment() -> dict[str, str]:
    """The environment of a child: the same packages wherever ours come from, the same hashes in every run."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONUNBUFFERED": "1",
    }


def how_it_ended(code: int) -> str:
    """An exit code as `subprocess` gives it, in words."""
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


class PlatformChild:
    """`python -m marketing CONFIG`. A context manager: the process is gone when the block is left."""

    def __init__(self, config: Path, log: Path, module: Sequence[str] = ("marketing",)) -> None:
        """`module`: what follows `python -m`, before the configuration."""
        self._log_path = log
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", *module, str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment(),
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one call into libc, no lock, no allocation
        )
        self.ports: dict[str, Any] = {}

    def wait_ready(self, timeout_s: float) -> dict[str, Any]:
        """Its ports, once it says that it is ready.

        Raises:
            RunInvalid: it ended, or said nothing in time.
        """
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.process.stdout], [], [], min(left, 0.5))[0]:
                continue
            line = self.process.stdout.readline()
            if not line:
                how = how_it_ended(self.process.wait(5))
                raise PlatformEnded(self.said(f"the platform {how} while starting"))
            try:
                ready = json.loads(line)
            except ValueError:
                continue
            if isinstance(ready, dict) and ready.get("ready"):
                self.ports = ready
                return ready
        raise RunInvalid(self.said(f"the platform was not ready within {timeout_s:g} s"))

    def check(self) -> None:
        """Raises PlatformEnded where the process has ended."""
        if fate := self.fate(0.0):
            raise PlatformEnded(self.said(fate))

    def fate(self, wait_s: float) -> str:
        """How the process ended by itself, waiting so long for its end; empty while it runs."""
        try:
            code = self.process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return ""
        return f"the platform {how_it_ended(code)} in mid-run"

    def stop(self, timeout_s: float = 20.0) -> int:
        """Asks it to flush its records and end; its exit code. Killed when it does not."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
                raise RunInvalid(self.said(f"the platform did not stop within {timeout_s:g} s")) from None
        return self.process.returncode

    def said(self, text: str) -> str:
        """A message with the last lines the platform wrote to its log."""
        self._log.flush()
        last = self._log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
        return text + (f"; its log ends: {' | '.join(line.strip() for line in last)}" if last else "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()
