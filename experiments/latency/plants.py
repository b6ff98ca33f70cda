"""Faults planted to see whether they are measured: the platform, or the generator itself, stands still."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["Stall", "Stalls"]

_NEVER: Final = 2**62
Look = Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class Stall:
    """Who stands still, from when on and how long."""

    at_s: float
    """Since the phase began."""
    platform_s: float = 0.0
    """So long the platform's process is stopped by SIGSTOP."""
    generator_s: float = 0.0
    """So long the pacing loop sleeps."""


class Stalls:
    """Wraps the pacing loop's `look` so that a stall happens when it is due. Leaves no process stopped."""

    def __init__(self, stall: Stall, pid: int, look: Look) -> None:
        """`pid` is the platform's."""
        self.stopped_ns: tuple[int, int] | None = None
        """When the platform was really stopped and went on, monotonic nanoseconds."""
        self._stall, self._pid, self._look = stall, pid, look
        self._at_ns = round(stall.at_s * 1e9)
        self._until_ns = _NEVER
        self._begun = False

    def look(self, begin_ns: int, now_ns: int) -> int:
        """As the wrapped one, and on time for the stall."""
        stall = self._stall
        if not self._begun and now_ns >= self._at_ns:
            self._begun = True
            if stall.generator_s:
                time.sleep(stall.generator_s)
            if stall.platform_s:
                os.kill(self._pid, signal.SIGSTOP)
                stopped = time.monotonic_ns()
                self.stopped_ns = (stopped, stopped)
                self._until_ns = stopped - begin_ns + round(stall.platform_s * 1e9)
        elif now_ns >= self._until_ns:
            self.go_on()
        again = self._look(begin_ns, now_ns)
        return min(again, self._until_ns if self._begun else self._at_ns)

    def go_on(self) -> None:
        """Lets the platform go on, if it stands."""
        if self._until_ns != _NEVER and self.stopped_ns is not None:
            self._until_ns = _NEVER
            os.kill(self._pid, signal.SIGCONT)
            self.stopped_ns = (self.stopped_ns[0], time.monotonic_ns())
