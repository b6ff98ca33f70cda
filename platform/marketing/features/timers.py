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
    kind: Literal["follow_up", "group", "release", "slot"]
    """slot: a release that had to wait for its turn."""
    campaign: str
    row: int
    """Subscriber; -1 for a whole group."""


@dataclass(slots=True)
class Timers:
    """A heap; cancelled timers stay in it and are recognised when due. For crowds see `Dues`."""

    _heap: list[tuple[int, Timer]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, timer: Timer) -> None:
        """Puts one in."""
        heapq.heappush(self._heap, (timer.due_us, timer))

    def all(self) -> list[Timer]:
        """All of them, in their order."""
        return sorted(timer for _, timer in self._heap)

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
