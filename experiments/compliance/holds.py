"""What became of triggers that a policy held: how long they waited, when they were sent, what went stale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["HeldTrigger", "Holds", "holds"]

HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class HeldTrigger:
    """A trigger that waited for closed hours to end."""

    campaign: str
    t_us: int
    """When it came about, Unix microseconds."""
    due_us: int
    """When the hours ended that it waited for."""
    decided_us: int
    """The last decision; for one that still waits the first."""
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Holds:
    """All of them."""

    held: int
    ends: dict[str, int]
    """sent, held (still waiting), failed, or the reason of those suppressed -> how many; most first."""
    waited_s: dict[str, float | None]
    """p50, p90, most: from the trigger to its last decision, seconds, of those that wait no more."""
    late_s: dict[str, float | None]
    """The same from when they were due to when they were sent: releases are spread."""
    most_a_second: int
    """Sent in one second at most."""
    by_hour: tuple[int, ...]
    """Sent in each hour from the beginning on."""


def holds(found: Sequence[HeldTrigger], start_us: int, end_us: int) -> Holds:
    """Measures them. `start_us`, `end_us`: of the run; hours are counted from the former."""
    over = [one for one in found if one.state != "held"]
    sent = np.array([one.decided_us for one in found if one.state == "sent"], np.int64)
    due = np.array([one.due_us for one in found if one.state == "sent"], np.int64)
    waited = np.array([one.decided_us - one.t_us for one in over], np.int64)
    ends = Counter(one.reason if one.state == "suppressed" else one.state for one in found)
    hours = -(-(end_us - start_us) // HOUR_US)
    hour = np.clip((sent - start_us) // HOUR_US, 0, max(hours - 1, 0))
    seconds = np.unique(sent // 1_000_000, return_counts=True)[1]
    return Holds(
        held=len(found),
        ends=dict(sorted(ends.items(), key=lambda item: (-item[1], item[0]))),
        waited_s=_spread(waited),
        late_s=_spread(sent - due),
        most_a_second=int(seconds.max()) if len(seconds) else 0,
        by_hour=tuple(np.bincount(hour, minlength=hours).tolist()),
    )


def _spread(times_us: np.ndarray[tuple[int], np.dtype[np.int64]]) -> dict[str, float | None]:
    if not len(times_us):
        return dict.fromkeys(("p50", "p90", "most"))
    ordered = np.sort(times_us)

    def at(share: float) -> float:
        rank = max(int(np.ceil(share * len(ordered) - 1e-9)), 1)
        return round(float(ordered[rank - 1]) / 1e6, 3)

    return {"p50": at(0.5), "p90": at(0.9), "most": at(1.0)}
