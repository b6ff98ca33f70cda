"""Timers: what falls due by the passing of time alone, in one queue with one order."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Timer", "Timers"]


@dataclass(frozen=True, slots=True, order=True)
class Timer:
    """One thing to look at when its time has come; the fields' order is the order of equal times."""

    due_us: int
    """Unix us."""
    kind: Literal["dwell", "group", "release"]
    campaign: str
    row: int
    """Subscriber; -1 for a whole group."""
    since_us: int = 0
    """dwell: begin of the stay; if it has changed by then, the timer means nothing."""
    place: int = -1
    """dwell: number of the place."""
    corr: int = 0
    """dwell: correlation id of the message that showed the stay."""
    received_ns: int = field(default=0, compare=False)
    decoded_ns: int = field(default=0, compare=False)
    """dwell: stage stamps of that message."""


@dataclass(slots=True)
class Timers:
    """A heap; cancelled timers stay in it and are recognised when due."""

    _heap: list[tuple[int, Timer]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, timer: Timer) -> None:
        """Puts one in."""
        heapq.heappush(self._heap, (timer.due_us, timer))

    def next_due_us(self) -> int | None:
        """The earliest, or None."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self) -> list[Timer]:
        """All timers of the earliest time, in order; the queue must not be empty."""
        due_us = self._heap[0][0]
        timers: list[Timer] = []
        while self._heap and self._heap[0][0] == due_us:
            timers.append(heapq.heappop(self._heap)[1])
        return timers
