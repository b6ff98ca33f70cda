"""What the event loop spends its time with: one stage at a time, kept as rows of time, bounded in number.

The loop is what a platform has one of, so the shares say what it gives way at. A stage begins where somebody
says `to`, and ends where the next one does; while the selector waits the loop is idle, and what it runs
without a word from anybody is `messages`: sessions with peers, and what becomes of decisions. Waiting for a
processor or a disk counts for the stage that waits.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any, Final, Literal

__all__ = ["STAGES", "Occupation", "Stage", "watched_loop"]

Stage = Literal["idle", "decode", "engine", "decide", "ledger", "records", "messages"]
STAGES: Final[tuple[Stage, ...]] = ("idle", "decode", "engine", "decide", "ledger", "records", "messages")
"""decode: what has come in is read, decoded and correlated; decide: from the engine's decisions to
requests."""
STEP_NS: Final = 250_000_000
"""A row is kept so often, until there are too many."""
MOST_ROWS: Final = 4096


class Occupation:
    """Sums by stage since the beginning, now and at moments of the past."""

    def __init__(self, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock_ns = clock_ns
        self._spent = dict.fromkeys(STAGES, 0)
        self._stage: Stage = "messages"
        self._since = self._kept = clock_ns()
        self._step_ns = STEP_NS
        self._rows: list[tuple[int, ...]] = []

    def to(self, stage: Stage) -> Stage:
        """From now on this; what it was before."""
        now, before = self._clock_ns(), self._stage
        self._spent[before] += now - self._since
        self._since, self._stage = now, stage
        if now - self._kept >= self._step_ns:
            self._keep(now)
        return before

    def seconds(self) -> dict[Stage, float]:
        """Sums up to the last change of stage."""
        return {stage: spent / 1e9 for stage, spent in self._spent.items()}

    def table(self) -> dict[str, Any]:
        """Column names, and rows: monotonic nanoseconds, then nanoseconds by stage since the beginning."""
        self.to(self._stage)
        self._keep(self._since)
        return {"columns": ["t_ns", *STAGES], "rows": [list(row) for row in self._rows]}

    def _keep(self, now: int) -> None:
        self._kept = now
        self._rows.append((now, *self._spent.values()))
        if len(self._rows) >= MOST_ROWS:
            # Sums lose nothing by it: what lies between two rows is their difference.
            del self._rows[1::2]
            self._step_ns *= 2


class _Watched(selectors.DefaultSelector):
    """Tells when the loop has nothing to do."""

    def __init__(self, occupation: Occupation) -> None:
        super().__init__()
        self._occupation = occupation

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._occupation.to("idle")
        found = super().select(timeout)
        self._occupation.to("messages")
        return found


def watched_loop(occupation: Occupation) -> Callable[[], asyncio.AbstractEventLoop]:
    """Makes event loops that tell of their idleness, for `asyncio.Runner`."""
    return lambda: asyncio.SelectorEventLoop(_Watched(occupation))
