"""Which moment of the world is sent when: world time against nanoseconds of a phase."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["WorldTime"]


class WorldTime:
    """World time over a phase: straight lines between knots, and on along the outer ones.

    One line is a world that passes evenly, `factor` times as fast as it does for its people. More are a world
    that hurries and dawdles, which is how a load shape is made of the signalling of one world.
    """

    def __init__(self, at_ns: Sequence[int], t_us: Sequence[int]) -> None:
        """`at_ns`: since the phase began; `t_us`: world time there. Two knots or more, both ascending."""
        rising = all(a < b for row in (at_ns, t_us) for a, b in pairwise(row))
        if len(at_ns) != len(t_us) or len(at_ns) < 2 or not rising:
            raise ValueError("world time must go on: knots that ascend, at least two of them")
        self._at_ns, self._t_us = list(at_ns), list(t_us)

    @classmethod
    def even(cls, start_us: int, factor: float) -> WorldTime:
        """One line from the beginning of the phase on, so many simulated seconds a real one."""
        return cls([0, round(3.6e12 / factor)], [start_us, start_us + 3_600_000_000])

    @property
    def start_us(self) -> int:
        """World time at which the phase begins."""
        return self._t_us[0]

    @property
    def factor(self) -> float:
        """Simulated seconds a real second, over all knots."""
        return (self._t_us[-1] - self._t_us[0]) * 1000 / (self._at_ns[-1] - self._at_ns[0])

    def at_us(self, at_ns: float) -> int:
        """World time so long after the beginning."""
        i = min(max(bisect_right(self._at_ns, at_ns) - 1, 0), len(self._at_ns) - 2)
        rate = (self._t_us[i + 1] - self._t_us[i]) / (self._at_ns[i + 1] - self._at_ns[i])
        return self._t_us[i] + round((at_ns - self._at_ns[i]) * rate)

    def due_ns(self, t_us: int) -> int:
        """When a moment of the world is due, since the beginning."""
        i = min(max(bisect_right(self._t_us, t_us) - 1, 0), len(self._t_us) - 2)
        rate = (self._at_ns[i + 1] - self._at_ns[i]) / (self._t_us[i + 1] - self._t_us[i])
        return self._at_ns[i] + int((t_us - self._t_us[i]) * rate)
