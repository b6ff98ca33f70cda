"""The closed probe: a bounded number of messages outstanding, the next only when those are taken in.

A BEAT follows each window, and its acknowledgement is waited for (RFC 4666 3.5.5): the platform answers it
when
it has read what came before, which it does not do before it is done with the window before that. So the
rate is
the platform's own, at the pace at which it asks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.latency.pacing import Schedule, Wakes
from experiments.link import SignallingLink
from experiments.problems import RunInvalid

__all__ = ["Windowed"]

PATIENCE_S: Final = 30.0
"""A window that is not taken in for so long ends the probe."""


class Windowed:
    """Sends as `experiments.latency.pacing.pace` does, but closed; `sent` and `seconds` say how it went."""

    def __init__(self, outstanding: int, seconds: float) -> None:
        self._outstanding = outstanding
        self._most_s = seconds
        self.sent = 0
        self.seconds = 0.0

    @property
    def rate_per_s(self) -> float:
        """Messages a second.

        Raises:
            RunInvalid: not one window was taken in.
        """
        if not self.sent or not self.seconds:
            raise RunInvalid("closed probe: nothing was taken in")
        return self.sent / self.seconds

    def __call__(
        self,
        plan: Schedule,
        link: SignallingLink,
        on_progress: Callable[[int, int], None],
        look: Callable[[int, int], int],
        wakes: Wakes,
    ) -> tuple[int, NDArray[np.int64]]:
        """Windows until time or schedule are over: the beginning, and when each message was sent."""
        clock: Any = time.monotonic_ns
        sent_ns = np.zeros(plan.batch.n, np.int64)
        begin_ns = clock()
        at, now = 0, 0
        while at < plan.batch.n and now < self._most_s * 1e9:
            upto = min(at + self._outstanding, plan.batch.n)
            link.send_raw(plan.batch.slice(at, upto))
            sent_ns[at:upto] = now
            link.sent += upto - at  # so that no two BEATs are alike
            link.barrier(now // 1000, PATIENCE_S)
            at, now = upto, clock() - begin_ns
            while look(begin_ns, now) <= now:  # a message centre with a backlog is no part of this
                now = clock() - begin_ns
            on_progress(now, at)
        self.sent, self.seconds = at, (clock() - begin_ns) / 1e9
        return begin_ns, sent_ns
