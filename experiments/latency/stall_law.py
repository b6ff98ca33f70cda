"""What a planted stall of the platform must show, from the moments of its stop and the drain of its backlog.

Time counts from the stop. The platform stands still for S seconds; at c after the restart the first text of
the backlog arrives, and at d after it the last: the backlog is drained. What was intended at x, 0 <= x <=
S + d, is answered in that order, evenly between both, at

    S + c + (d - c) x / (S + d)        so that it took        L(x) = S - x + c + (d - c) x / (S + d),

which falls from S + c to nothing. All else in the T seconds of an even load took next to nothing. A share
x / T of all took longer than L(x), so the percentile at share 1 - p is L(p T); the 99th is

    p99 = S - 0.01 T + drain,          drain = c + (d - c) 0.01 T / (S + d)

as long as 0.01 T < S. With a server that drains at once, c = d = 0, it is max(0, S - 0.01 T). One that works
at utilisation r from the restart on has c = 0 and d = S r / (1 - r), hence drain = 0.01 T r.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["StallSeen", "law", "seen"]

SHARE: Final = 0.01
LEAST_OF_MOST: Final = 0.95
"""The longest latency shows at least so much of the stall."""
TOLERANCE: Final = 0.05
"""The 99th percentile lies within so much of the law's."""


@dataclass(frozen=True, slots=True)
class StallSeen:
    """A stall beside what the latencies show of it; seconds."""

    stall_s: float
    """Between the signals."""
    first_s: float
    """From the restart to the first text of the backlog."""
    drained_s: float
    """From the restart until no more were waiting than usual."""
    most_s: float
    """Longest latency."""
    p99_s: float
    p99_even_s: float | None
    """The law for triggers that come evenly. None: the stall's share of all is below 1 %."""
    p99_law_s: float | None
    """The law for the moments at which they really fell due: in place of 0.01 T stands the time from the stop
    until one hundredth of all had."""

    @property
    def problems(self) -> list[str]:
        """What of it the latencies do not show."""
        found = []
        if self.most_s < LEAST_OF_MOST * self.stall_s:
            found.append(
                f"a stall of {self.stall_s:.3f} s shows as {self.most_s:.3f} s at most, "
                f"{LEAST_OF_MOST * self.stall_s:.3f} s expected"
            )
        law_s = self.p99_law_s
        if law_s is not None and abs(self.p99_s - law_s) > TOLERANCE * law_s:
            found.append(
                f"a stall of {self.stall_s:.3f} s shows in a p99 of {self.p99_s:.3f} s, {law_s:.3f} s "
                f"expected within {100 * TOLERANCE:g} %"
            )
        return found

    def as_json(self) -> dict[str, Any]:
        """For the summary."""
        values = {name: getattr(self, name) for name in self.__slots__}
        rounded = {name: None if value is None else round(value, 4) for name, value in values.items()}
        return {**rounded, "problems": self.problems}


def law(x: float, stall_s: float, first_s: float, drained_s: float) -> float | None:
    """The 99th percentile where a hundredth of all fell due within `x` s of the stop; None: as without it."""
    if x >= stall_s:
        return None
    return stall_s - x + first_s + (drained_s - first_s) * x / (stall_s + drained_s)


def _hundredth(due: NDArray[np.int64], stop: int) -> float:
    """Seconds from the stop until one hundredth of all has fallen due; the whole run where it has not."""
    first = int(np.searchsorted(due, stop))
    last = first + len(due) - int(np.ceil((1 - SHARE) * len(due)))
    return float(due[last] - stop) / 1e9 if last < len(due) else float(due[-1]) / 1e9


def seen(
    intended_ns: NDArray[np.int64],
    arrived_ns: NDArray[np.int64],
    stopped_ns: tuple[int, int],
    seconds: float,
) -> StallSeen:
    """What the latencies show of a stall between both moments of `stopped_ns`.

    Args:
        intended_ns: When the message of each trigger was to be sent.
        arrived_ns: When its text arrived.
        stopped_ns: When the platform was stopped and when it went on, on the same clock.
        seconds: Length of the run.
    """
    if not intended_ns.size:
        raise ValueError("no trigger was measured")
    stop, go = stopped_ns
    latency = np.sort(arrived_ns - intended_ns)
    arrivals, due = np.sort(arrived_ns), np.sort(intended_ns)
    # How many are waiting just after each arrival.
    waiting = np.searchsorted(due, arrivals, side="right") - np.arange(1, len(arrivals) + 1)
    before = waiting[arrivals < stop]
    usual = int(np.quantile(before, 0.99, method="inverted_cdf")) if before.size else 0
    later = arrivals >= go
    backlog = arrived_ns[intended_ns >= stop]  # texts of before may have been on their way
    first = max(0, int(backlog.min()) - go) if backlog.size else 0
    drained = arrivals[later & (waiting <= usual)]
    last = drained[0] - go if drained.size else arrivals[-1] - go
    stall_s, first_s, drained_s = ((value / 1e9) for value in (go - stop, first, max(last, first)))
    p99 = latency[min(len(latency) - 1, int(np.ceil((1 - SHARE) * len(latency))) - 1)]
    return StallSeen(
        float(stall_s),
        float(first_s),
        float(drained_s),
        float(latency[-1]) / 1e9,
        float(p99) / 1e9,
        law(SHARE * seconds, float(stall_s), float(first_s), float(drained_s)),
        law(_hundredth(due, stop), float(stall_s), float(first_s), float(drained_s)),
    )
