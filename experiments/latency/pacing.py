"""Sending by a schedule that was drawn before: each message when it is due, whatever became of the others.

The loop also watches itself: how late the operating system wakes it, how long its own turns take and how long
it is kept by the association, in slots of a tenth of a second.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from experiments.latency.worldtime import WorldTime
from sigtran import MessageBatch

__all__ = ["SLOT_NS", "Schedule", "Wakes", "pace", "settle"]

SETTLE_S: Final = 1.0
"""After the last send: so long without a submit means that no more will come."""
SETTLE_MOST_S: Final = 6.0
AHEAD_NS: Final = 20_000_000
"""The phase begins so much after the last preparation, nanoseconds."""
PROGRESS_NS: Final = 250_000_000
SLOT_NS: Final = 100_000_000
"""Width of the slots in which the loop watches itself."""
SWITCH_S: Final = 0.0002
"""So long the pacing thread keeps the interpreter from the message centre's, which stamps arrivals."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is sent when, all of it known before the first send."""

    batch: MessageBatch
    intended_ns: NDArray[np.int64]
    """Planned send of each message, nanoseconds since the phase begins, ascending."""
    corr: NDArray[np.int64]
    """Correlation id of each message, ascending; 0: it has none."""
    time: WorldTime
    """World time over the phase."""

    @property
    def seconds(self) -> float:
        """Up to the last planned send."""
        return float(self.intended_ns[-1]) / 1e9

    @property
    def rate_per_s(self) -> float:
        """Messages a second over the whole phase."""
        return self.batch.n / self.seconds if self.seconds else 0.0

    def index_of(self, corr: int) -> int:
        """Which message a correlation id names; -1: none of these."""
        at = int(np.searchsorted(self.corr, corr))
        return at if corr and at < len(self.corr) and self.corr[at] == corr else -1


class Link(Protocol):
    """The simulator's end of the association (`experiments.link.SignallingLink`)."""

    def send_raw(self, batch: MessageBatch) -> None: ...
    def poll(self) -> None: ...


class Wakes:
    """What the pacing loop noted of itself, by slots of `SLOT_NS` since the phase began."""

    def __init__(self, seconds: float) -> None:
        n = int(seconds * 1e9) // SLOT_NS + 2
        self._late, self._turn, self._kept = [0] * n, [0] * n, [0] * n
        self._woken = [0] * n

    def turn(self, at_ns: int, turn_ns: int, kept_ns: int) -> None:
        """One turn of the loop that ended at `at_ns`, of which the association kept it for `kept_ns`."""
        slot = min(max(at_ns // SLOT_NS, 0), len(self._late) - 1)
        if turn_ns > self._turn[slot]:
            self._turn[slot] = turn_ns
        if kept_ns > self._kept[slot]:
            self._kept[slot] = kept_ns

    def woke(self, at_ns: int, late_ns: int) -> None:
        """A sleep that ended at `at_ns`, so much later than was asked for."""
        slot = min(max(at_ns // SLOT_NS, 0), len(self._late) - 1)
        self._woken[slot] += 1
        if late_ns > self._late[slot]:
            self._late[slot] = late_ns

    def columns(self) -> dict[str, Any]:
        """Columns of the table `wakes`."""
        return {
            "at_ns": np.arange(len(self._late), dtype=np.int64) * SLOT_NS,
            "woken": np.array(self._woken, np.int32),
            "late_ns": np.array(self._late, np.int64),
            "turn_ns": np.array(self._turn, np.int64),
            "kept_ns": np.array(self._kept, np.int64),
        }


def pace(
    plan: Schedule,
    link: Link,
    on_progress: Callable[[int, int], None] = lambda at_ns, sent: None,
    look: Callable[[int, int], int] = lambda begin_ns, now_ns: now_ns + PROGRESS_NS,
    wakes: Wakes | None = None,
) -> tuple[int, NDArray[np.int64]]:
    """Sends each message when it is due, what is due together in one batch.

    After the schedule's own due messages comes `look`, with the beginning and the time since then: whatever
    else there is to do, in less than a millisecond; it says when it wants to be asked again at the latest.

    Returns:
        Monotonic nanoseconds of the beginning, and when each message was really sent, since then.
    """
    n = plan.batch.n
    sent_ns = np.zeros(n, np.int64)
    due = plan.intended_ns.tolist()
    clock = time.monotonic_ns
    wakes = wakes or Wakes(plan.seconds)
    at = told = 0
    collecting, switch_s = gc.isenabled(), sys.getswitchinterval()
    gc.collect()
    gc.disable()  # a collection would be a stall of ours, charged to the platform
    sys.setswitchinterval(SWITCH_S)
    begin_ns = clock() + AHEAD_NS
    try:
        while at < n:
            now = clock() - begin_ns
            kept = 0
            if due[at] <= now:
                upto = int(np.searchsorted(plan.intended_ns, now, side="right"))
                link.send_raw(plan.batch.slice(at, upto))
                kept = clock() - begin_ns - now
                sent_ns[at:upto] = now
                at = upto
            again_ns = look(begin_ns, now)
            if now - told > PROGRESS_NS:
                told = now
                link.poll()
                on_progress(now, at)
            done = clock() - begin_ns
            wakes.turn(done, done - now, kept)
            wake_ns = min(again_ns, due[min(at, n - 1)])
            if wake_ns > done:
                time.sleep((wake_ns - done) / 1e9)
                woke = clock() - begin_ns
                wakes.woke(woke, woke - wake_ns)
    finally:
        sys.setswitchinterval(switch_s)
        if collecting:
            gc.enable()
    return begin_ns, sent_ns


def settle(count: Callable[[], int], quiet_s: float = SETTLE_S, most_s: float = SETTLE_MOST_S) -> None:
    """Waits until no more submits come for `quiet_s`, for `most_s` at most."""
    began = last_change = time.monotonic()
    last = count()
    while time.monotonic() - last_change < quiet_s and time.monotonic() - began < most_s:
        time.sleep(0.02)
        now = count()
        if now != last:
            last, last_change = now, time.monotonic()
