"""Lockstep by the times of captures: a tick is complete when a message behind its barrier is there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from marketing.behaviours import BehaviourBatch, concatenate, empty
from marketing.collect.taps import Taken, Taps

__all__ = ["TapTicks"]


class TapTicks:
    """Cuts what taps give at multiples of the tick since the epoch. Ticks without a message are left out."""

    def __init__(
        self,
        taps: Taps,
        epoch_us: int,
        tick_us: int,
        feed: Callable[[Taken], BehaviourBatch],
        expire: Callable[[int], BehaviourBatch],
    ) -> None:
        """`feed` and `expire` are the collector's: messages, and the passing of time, into behaviours."""
        self._taps, self._epoch_us, self._tick_us = taps, epoch_us, tick_us
        self._feed, self._expire = feed, expire
        self._found: list[BehaviourBatch] = []
        self._rest: Taken | None = None
        self._barrier_us: int | None = None
        self._reached_us = 0

    @property
    def pending(self) -> bool:
        """Whether a tick is begun."""
        return self._barrier_us is not None

    def next(self) -> tuple[int, BehaviourBatch] | None:
        """The next complete tick: Unix microseconds of its barrier, behaviours in the order of time."""
        while True:
            taken, self._rest = self._rest or self._taps.take(patient=True), None
            if taken is None:
                if self._taps.reading or self._barrier_us is None:
                    return None
                return self._complete(self._barrier_us, None)
            # A message dated before others that came before it happened no earlier than they.
            reached = np.maximum.accumulate(np.maximum(taken.t_unix_us, self._reached_us))
            if self._barrier_us is None:
                self._barrier_us = self._barrier_behind(int(reached[0]))
            n, whole = int(np.searchsorted(reached, self._barrier_us, side="left")), len(reached)
            if n:
                self._found.append(self._feed(_part(taken, 0, n) if n < whole else taken))
                self._reached_us = int(reached[n - 1])
            if n < whole:
                self._rest = _part(taken, n, whole) if n else taken
                return self._complete(self._barrier_us, self._barrier_behind(int(reached[n])))

    def _barrier_behind(self, t_us: int) -> int:
        return self._epoch_us + ((t_us - self._epoch_us) // self._tick_us + 1) * self._tick_us

    def _complete(self, barrier_us: int, following_us: int | None) -> tuple[int, BehaviourBatch]:
        self._barrier_us = following_us
        self._found.append(self._expire(barrier_us))
        found = concatenate([batch for batch in self._found if len(batch)] or [empty()])
        self._found = []
        return barrier_us, found


def _part(taken: Taken, start: int, stop: int) -> Taken:
    return Taken(taken.tap, taken.t_unix_us[start:stop], taken.messages.slice(start, stop))
