"""`kairos bench ledger`: reservations in groups, each group on the disk before the next is asked for.

By the wall clock, since most of it is waiting for the disk; between two groups a file beside the database is
written and synced, which tells what the disk alone takes in the same run. The guard has rules of every kind,
and refuses about a fifth of the reservations.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from experiments.bench.policy import EVERY, FIRST_US
from experiments.bench.stages import WrongResult
from marketing.contact import PolicyFile
from marketing.contact.guard import Guard
from marketing.contact.ledger import Ledger, Reservation
from marketing.contact.schema import contact

__all__ = ["GROUPS", "LedgerBench", "LedgerMeasured"]

GROUPS: Final = (1, 20, 200, 1000)
"""Reservations in a transaction."""
LEAST: Final = 10
"""Groups of each size at least."""
HELD: Final = 20_000
"""Contacts in the database before."""


@dataclass(frozen=True, slots=True)
class LedgerMeasured:
    """What reservations in groups of one size took."""

    group: int
    n: int
    seconds: float
    """By the wall clock, of all groups."""
    processor_s: float
    p50_ms: float
    p99_ms: float
    """Of one group."""
    fsync_p50_ms: float
    fsync_p99_ms: float
    """Of a page written and synced beside it, between the groups."""
    refused: dict[str, int]

    @property
    def per_s(self) -> float:
        """Reservations a second."""
        return self.n / self.seconds


class LedgerBench:
    """A database with some contacts in it, in a folder of its own."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kairos-bench-", dir=folder)
        rules = PolicyFile.model_validate(EVERY)
        url = f"sqlite:///{self._folder.name}/ledger.db"
        self._ledger = Ledger(url, cap=rules.caps.per_calendar_month, guard=Guard.of(rules))
        self._rng, self._number, self._at_us, self.granted = np.random.default_rng(1), 0, FIRST_US, 0
        for _ in range(HELD // 1000):
            self._reserve(self._wanted(1000))

    def measure(self, group: int, seconds: float) -> LedgerMeasured:
        """Groups of one size until so many seconds have passed.

        Raises:
            WrongResult: the database does not hold what was granted.
        """
        took: list[float] = []
        synced: list[float] = []
        refused: Counter[str] = Counter()
        processor_s, end = 0.0, time.monotonic() + seconds
        with (Path(self._folder.name) / "beside").open("wb", buffering=0) as beside:
            while len(took) < LEAST or time.monotonic() < end:
                asked = self._wanted(group)
                began, began_processor = time.perf_counter(), time.process_time()
                refused.update(self._reserve(asked))
                took.append(time.perf_counter() - began)
                processor_s += time.process_time() - began_processor
                began = time.perf_counter()
                os.pwrite(beside.fileno(), bytes(4096), 0)
                os.fdatasync(beside.fileno())
                synced.append(time.perf_counter() - began)
        held = sum(1 for _ in self._ledger.rows(contact))
        if held != self.granted:
            raise WrongResult(f"{self.granted} reservations were granted, the database holds {held}")
        (p50, p99), (sync_50, sync_99) = (np.percentile(values, (50, 99)) * 1000 for values in (took, synced))
        return LedgerMeasured(
            group,
            group * len(took),
            sum(took),
            processor_s,
            round(float(p50), 3),
            round(float(p99), 3),
            round(float(sync_50), 3),
            round(float(sync_99), 3),
            {reason: n for reason, n in sorted(refused.items()) if reason},
        )

    def _wanted(self, n: int) -> list[Reservation]:
        """A tenth of a second apart, of more and more subscribers: about a fifth have had theirs."""
        people = self._rng.integers(0, 2 * self._number + HELD, n).tolist()
        made = []
        for imsi in people:
            self._number += 1
            self._at_us += 100_000
            sender = ("1008601", "1008605", "1008609")[self._number % 3]
            day = 733_468 + (self._at_us - FIRST_US) // 86_400_000_000
            end_us = self._at_us + 3_600_000_000
            number = f"{self._number:016x}"
            made.append(
                Reservation(
                    contact_id=number,
                    trigger_id=number,
                    campaign="campaign",
                    originator=sender,
                    offer="offer",
                    imsi=imsi,
                    msisdn=imsi,
                    period=200903,
                    day=day,
                    ordinal=0,
                    decided_us=self._at_us,
                    valid_until_us=end_us,
                    latest_us=end_us + 60_000_000,
                    channels=1 + 4 * (self._number % 2),
                )
            )
        return made

    def _reserve(self, wanted: list[Reservation]) -> list[str]:
        refusals = self._ledger.apply(wanted)
        self.granted += refusals.count("")
        return refusals

    def close(self) -> None:
        """Removes the database."""
        self._ledger.close()
        self._folder.cleanup()
