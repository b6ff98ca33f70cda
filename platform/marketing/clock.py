"""The platform's only source of time: wall, live (faster or shifted) or lockstep (set from outside).

Everything that decides takes `now` as an argument; only the server asks this object for it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Clock", "ClockMode"]

ClockMode = Literal["wall", "live", "lockstep"]


@dataclass(slots=True)
class Clock:
    """Unix microseconds as the platform sees them, and monotonic stamps for latencies."""

    mode: ClockMode = "wall"
    epoch_us: int = 0
    """live: Unix microseconds shown at the origin. lockstep: the time before the first tick."""
    factor: float = 1.0
    """live: simulated seconds a real second."""
    origin_ns: int = field(default_factory=time.monotonic_ns)
    """live: the monotonic instant that shows `epoch_us`; shared by all processes of one machine."""
    _set_us: int = 0

    def __post_init__(self) -> None:
        if self.factor <= 0:
            raise ValueError(f"a clock's factor is above 0, not {self.factor}")
        self._set_us = self.epoch_us

    def now_us(self) -> int:
        """Unix microseconds, UTC."""
        if self.mode == "lockstep":
            return self._set_us
        if self.mode == "live":
            return self.epoch_us + int((time.monotonic_ns() - self.origin_ns) * self.factor) // 1000
        return time.time_ns() // 1000

    def set_us(self, t_us: int) -> None:
        """Lockstep only: the time reached; going back is the caller's mistake."""
        if self.mode != "lockstep":
            raise ValueError(f"a {self.mode} clock runs by itself")
        if t_us < self._set_us:
            raise ValueError(f"time went back by {self._set_us - t_us} us")
        self._set_us = t_us

    def stamp_ns(self) -> int:
        """Monotonic nanoseconds for stage stamps; 0 in lockstep, where a duration would mean nothing."""
        return 0 if self.mode == "lockstep" else time.monotonic_ns()

    def real_s_until(self, t_us: int) -> float:
        """Real seconds until the clock shows a time; 0 if it is past. Without meaning in lockstep."""
        simulated_s = max(0, t_us - self.now_us()) / 1e6
        return simulated_s / self.factor if self.mode == "live" else simulated_s
