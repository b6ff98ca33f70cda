"""The platform's only source of time: wall, live (faster or shifted) or lockstep (set from outside).

Everything that decides takes `now` as an argument; only the server asks this object for it.

A wall clock goes on steadily, by the machine's monotonic clock, until `follow` makes it show again what the
machine shows. The machine's time may be set, forward or back, at any instant; whoever has written instants
down must then move them along, or the time between two of them leaps. So nobody sees a step before everybody
has been told.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = ["STEP_US", "Clock", "ClockMode"]

ClockMode = Literal["wall", "live", "lockstep"]
STEP_US: Final = 100_000
"""A smaller difference is followed as it is. Time daemons slew what is below an eighth of a second."""
READINGS: Final = 5
"""Of both clocks, of which the closest pair counts: between the two a process may have to wait."""


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
    steps: int = 0
    """wall: how often the machine's time has been set and followed."""
    began_us: int = 0
    """What it showed when it was made, moved along with every step since."""
    _set_us: int = 0
    _ahead_us: int = 0
    """wall: what is shown less monotonic time."""

    def __post_init__(self) -> None:
        if self.factor <= 0:
            raise ValueError(f"a clock's factor is above 0, not {self.factor}")
        self._set_us = self.epoch_us
        self._ahead_us = _ahead_us()
        self.began_us = self.now_us()

    def now_us(self) -> int:
        """Unix microseconds, UTC."""
        if self.mode == "lockstep":
            return self._set_us
        if self.mode == "live":
            return self.epoch_us + int((time.monotonic_ns() - self.origin_ns) * self.factor) // 1000
        return time.monotonic_ns() // 1000 + self._ahead_us

    def step_us(self) -> int:
        """wall: by how much the machine's time has been set since it was followed; 0: not, or hardly."""
        if self.mode != "wall":
            return 0
        by_us = _ahead_us() - self._ahead_us
        if abs(by_us) >= STEP_US:
            return by_us
        self._ahead_us += by_us
        return 0

    def follow(self, by_us: int) -> None:
        """wall: shows what the machine shows, after a step of `step_us`; everybody has been told."""
        self._ahead_us += by_us
        self.began_us += by_us
        self.steps += 1

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


def _ahead_us() -> int:
    """The machine's time less its monotonic time."""
    found = []
    for _ in range(READINGS):
        before_ns = time.monotonic_ns()
        wall_ns = time.time_ns()
        took_ns = time.monotonic_ns() - before_ns
        found.append((took_ns, wall_ns - before_ns - took_ns // 2))
    return min(found)[1] // 1000
