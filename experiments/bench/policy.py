"""`kairos bench policy`: triggers of many subscribers judged by a policy with rules of every kind.

A million subscribers, twenty campaigns in three classes, some with other time zones, some in cells with
busy hours; triggers over ten days, by day and by night. The first of them are judged by the readable
`Policy.decide` too, one by one, and must end the same.
"""

from __future__ import annotations

import copy
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.bench.stages import WrongResult
from marketing.contact import Book, Kind, Policy, PolicyFile
from marketing.contact.verdicts import HOLD, REASON_OF, SEND, SUPPRESS, Asked, Limits, decide_many

__all__ = ["PolicyBench", "PolicyMeasured"]

PEOPLE: Final = 1_000_000
CAMPAIGNS: Final = 20
GROUP: Final = 5_000
"""Triggers judged at a time: some seconds of a province's busy hour."""
TRIGGERS: Final = 400_000
COMPARED: Final = 20_000
"""Of these how many are judged one by one besides."""
FIRST_US: Final = 1_235_952_000_000_000  # 2009-03-02 08:00 in Shanghai
LASTS_US: Final = 10 * 86_400_000_000
ZONES: Final = ("Asia/Urumqi", "Asia/Kathmandu", "Europe/Berlin")
BUSY: Final = 400
"""Cells with busy hours, of 4,000."""
PLAIN: Final[dict[str, Any]] = {
    "timezone": "Asia/Shanghai",
    "marketing_originators": ["100860"],
    "quiet_hours": {"from": "21:00", "to": "09:00"},
}
EVERY: Final[dict[str, Any]] = PLAIN | {
    "caps": {
        "per_calendar_month": 6,
        "rules": [
            {"most": 1, "per": "day"},
            {"most": 2, "within_s": 604_800},
            {"most": 1, "per": "month", "channels": ["mms"]},
            {"most": 1, "within_s": 2_592_000, "classes": ["data"]},
        ],
    },
    "classes": {"data": {"originators": ["1008601"]}, "credit": {"originators": ["1008605"]}},
    "not_after": [{"classes": ["credit"], "after": ["data"], "within_s": 259_200}],
    "minimum_gap_s": 3600,
    "closed_hours": [{"name": "lunch", "from": "11:30", "to": "13:00"}],
}
NAMES: Final = tuple(f"campaign-{n}" for n in range(CAMPAIGNS))


@dataclass(frozen=True, slots=True)
class _Free:
    per_calendar_month: int | None = None
    same_campaign_days: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyMeasured:
    """What the judging of all triggers took."""

    n: int
    seconds: float
    """Processor time of the best run."""
    runs: int
    plain_s: float
    """The same with a policy of none but the first kinds: a month's cap, quiet hours, duplicates."""
    one_by_one_per_s: float
    """Decisions a second of the readable `decide`."""
    log_bytes: float
    """Octets a subscriber for single contacts, at the end."""
    contacts: int
    reasons: dict[str, int]


class PolicyBench:
    """The work, made once."""

    def __init__(self, people: int = PEOPLE, triggers: int = TRIGGERS) -> None:
        rng = np.random.default_rng(1)
        self.people = people
        at_us = np.sort(rng.integers(FIRST_US, FIRST_US + LASTS_US, triggers))
        # One in five of the triggers is of somebody who has many.
        often = rng.random(triggers) < 0.2
        row = np.where(
            often, rng.integers(0, max(people // 50, 1), triggers), rng.integers(0, people, triggers)
        )
        cell = rng.integers(1, 4001, triggers).astype(np.uint32)
        self.asked = Asked(
            row,
            rng.integers(0, CAMPAIGNS, triggers).astype(np.int32),
            at_us,
            np.zeros(triggers, dtype=np.uint8),
            np.zeros(triggers, dtype=np.bool_),
            np.zeros(triggers, dtype=np.bool_),
            at_us,
            cell,
        )
        self.zoned = np.flatnonzero(rng.random(people) < 0.02)

    def measure(self, seconds: float, least: int = 2) -> PolicyMeasured:
        """Runs until so many seconds have passed.

        Raises:
            WrongResult: one by one the triggers end otherwise, or two runs differ.
        """
        with tempfile.TemporaryDirectory(prefix="kairos-bench-") as folder:
            every, plain = self._policy(Path(folder)), Policy.of(PolicyFile.model_validate(PLAIN))
        one_by_one = self._compare(every)
        best = plain_s = float("inf")
        runs, end, reasons = 0, time.monotonic() + seconds, Counter[str]()
        while runs < least or time.monotonic() < end:
            took, found, book = self._played(every)
            plain_s = min(plain_s, self._played(plain)[0])
            if runs and found != reasons:
                raise WrongResult(f"two runs decided differently: {found} and {reasons}")
            best, reasons, runs = min(best, took), found, runs + 1
        return PolicyMeasured(
            len(self.asked.row),
            best,
            runs,
            plain_s,
            one_by_one,
            book.log.nbytes / self.people,
            len(book.log),
            dict(sorted(reasons.items())),
        )

    def _policy(self, folder: Path) -> Policy:
        zones, busy = folder / "zones.csv", folder / "busy.csv"
        rows = "".join(f"{n},{ZONES[n % len(ZONES)]}\n" for n in self.zoned.tolist())
        zones.write_text(f"msisdn,timezone\n{rows}", encoding="utf-8")
        cells = range(1, BUSY + 1)
        hours = "".join(f"0-{n},{16 + n % 4}:{n % 6}0,{20 + n % 3}:00\n" for n in cells)
        busy.write_text(f"cell,from,to\n{hours}", encoding="utf-8")
        files = {"timezones": {"file": zones}, "busy_cells": {"file": busy}}
        return Policy.of(PolicyFile.model_validate(EVERY | files))

    def _ready(self, policy: Policy) -> tuple[Book, Limits]:
        book = Book.empty(self.people)
        if policy.zones.names:
            book.live_in(policy.zones.msisdn.astype(np.int64), policy.zones.zone)
        held = [n % 3 == 0 for n in range(CAMPAIGNS)]
        return book, Limits.of(policy, book, NAMES, [_Free()] * CAMPAIGNS, held, _kinds(policy))

    def _groups(self, n: int) -> Iterator[Asked]:
        a = self.asked
        for start in range(0, n, GROUP):
            part = slice(start, min(start + GROUP, n))
            assert a.since_us is not None
            assert a.cell is not None
            yield Asked(
                a.row[part],
                a.campaign[part],
                a.at_us[part],
                a.stopped[part],
                a.released[part],
                a.to_file[part],
                a.since_us[part],
                a.cell[part],
            )

    def _played(self, policy: Policy) -> tuple[float, Counter[str], Book]:
        book, limits = self._ready(policy)
        found, took = Counter[str](), 0.0
        for asked in self._groups(len(self.asked.row)):
            began = time.process_time()
            verdicts = decide_many(policy, book, NAMES, limits, asked)
            book.waiting.clear()  # of whom is released nothing is measured here
            took += time.process_time() - began
            for action, word in ((SEND, "send"), (HOLD, "hold")):
                found[word] += int(np.count_nonzero(verdicts.action == action))
            reasons = np.bincount(verdicts.reason[verdicts.action == SUPPRESS], minlength=len(REASON_OF))
            found.update({REASON_OF[code]: n for code, n in enumerate(reasons.tolist()) if n})
        return took, found, book

    def _compare(self, policy: Policy) -> float:
        """Decisions a second of the readable one; see `measure`."""
        book, limits = self._ready(policy)
        twin = copy.deepcopy(book)
        n = min(COMPARED, len(self.asked.row))
        kinds, took = _kinds(policy), 0.0
        for asked in self._groups(n):
            assert asked.cell is not None
            verdicts = decide_many(policy, book, NAMES, limits, asked)
            columns = (asked.row, asked.campaign, asked.at_us, asked.cell)
            for i, (row, number, at_us, cell) in enumerate(
                zip(*(column.tolist() for column in columns), strict=True)
            ):
                began = time.process_time()
                one = policy.decide(
                    twin, row, NAMES[number], at_us, may_hold=number % 3 == 0, kind=kinds[number], cell=cell
                )
                took += time.process_time() - began
                if one.action == "send":
                    assert one.span is not None
                    twin.add(row, NAMES[number], one.span, at_us, one.latest_us, kinds[number])
                elif one.action == "hold":
                    twin.waiting.add((row, NAMES[number]))
                if (one.action == "send", one.reason) != (
                    verdicts.action[i] == SEND,
                    REASON_OF[verdicts.reason[i]],
                ):
                    said = REASON_OF[verdicts.reason[i]] or "send"
                    raise WrongResult(f"{row}, {NAMES[number]} at {at_us}: {said}, one by one {one}")
        return n / took


def _kinds(policy: Policy) -> list[Kind]:
    senders = ("1008601", "1008605", "1008609")
    ways = (("sms",), ("mms", "sms"))
    return [policy.kind(f"{senders[n % 3]}{n}", ways[n % 2]) for n in range(CAMPAIGNS)]
