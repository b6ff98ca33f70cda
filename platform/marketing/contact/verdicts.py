"""The policy's answers to many triggers at once: as `Policy.decide` one by one, each written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from marketing.contact.book import Book, month_of
from marketing.contact.pairs import HOLD, OUTPUT, SEND, SUPPRESS
from marketing.contact.policy import Policy, Reason, Tighter, Window

__all__ = [
    "CODES",
    "HOLD",
    "OUTPUT",
    "REASON_OF",
    "SEND",
    "SUPPRESS",
    "Asked",
    "Limits",
    "Verdicts",
    "decide_many",
]

REASON_OF: Final[tuple[Reason, ...]] = get_args(Reason)
"""Reason by its code; 0 = none."""
CODES: Final[dict[str, int]] = {reason: code for code, reason in enumerate(REASON_OF)}


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What the policy must know of campaigns, by their position."""

    number: NDArray[np.int32]
    """In the book."""
    most: NDArray[np.int32]
    """Contacts a month of whom it may still contact, of two limits the tighter."""
    days: NDArray[np.int32]
    """Local days between two contacts of it, of two limits the tighter."""
    may_hold: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        policy: Policy,
        book: Book,
        names: Sequence[str],
        caps: Sequence[Tighter],
        may_hold: Sequence[bool],
    ) -> Limits:
        """Numbers in the book are given out here."""
        most, days = policy.file.caps.per_calendar_month, policy.file.duplicate.same_campaign_days
        return cls(
            np.array([book.number(name) for name in names], dtype=np.int32),
            np.array([min(most, c.per_calendar_month or most) for c in caps], dtype=np.int32),
            np.array([max(days, c.same_campaign_days or 0) for c in caps], dtype=np.int32),
            np.array(may_hold, dtype=np.bool_),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Triggers in the order in which they are judged; instants ascend."""

    row: NDArray[np.int64]
    campaign: NDArray[np.int32]
    """Position in the limits."""
    at_us: NDArray[np.int64]
    stopped: NDArray[np.uint8]
    """Code of why it is suppressed whatever the policy says; 0 = it is not."""
    released: NDArray[np.bool_]
    """It has been held already."""
    to_file: NDArray[np.bool_]
    """For a list of people to telephone: who does not want to hear of us is not on it; nothing is counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """One entry a trigger."""

    action: NDArray[np.uint8]
    """SEND, HOLD, SUPPRESS or OUTPUT."""
    reason: NDArray[np.uint8]
    ordinal: NDArray[np.uint16]
    """send: which of this campaign's contacts of this subscriber this month it is."""
    window: NDArray[np.int32]
    windows: list[Window]


def decide_many(policy: Policy, book: Book, names: Sequence[str], limits: Limits, asked: Asked) -> Verdicts:
    """Judges all of them, and enters contacts decided and holds into the book."""
    n = len(asked.row)
    action, reason = np.empty(n, dtype=np.uint8), np.empty(n, dtype=np.uint8)
    ordinal, window = np.zeros(n, dtype=np.uint16), np.empty(n, dtype=np.int32)
    windows: list[Window] = []
    number = limits.number[asked.campaign]
    most, days = limits.most[asked.campaign], limits.days[asked.campaign]
    may_hold = limits.may_hold[asked.campaign] & ~asked.released
    start = 0
    while start < n:
        now = policy.window(int(asked.at_us[start]))
        stop = start + int(np.searchsorted(asked.at_us[start:], now.until_us))
        part = slice(start, stop)
        book.pairs.decide(
            asked.row[part],
            number[part],
            most[part],
            days[part],
            (may_hold[part] & now.holds).view(np.uint8),
            _waiting(book, names, asked.row[part], asked.campaign[part]).view(np.uint8),
            _before(asked.row[part], asked.campaign[part], now),
            asked.stopped[part],
            asked.to_file[part].view(np.uint8),
            asked.at_us[part],
            book.control_us,
            book.do_not_disturb_us,
            book.month,
            book.count,
            book.contact_s,
            now.span.day,
            month_of(now.period),
            CODES[now.reason],
            action[part],
            reason[part],
            ordinal[part],
        )
        for i in (start + np.flatnonzero(action[part] == HOLD)).tolist():
            book.waiting.add((int(asked.row[i]), names[asked.campaign[i]]))
        window[part] = len(windows)
        windows.append(now)
        start = stop
    return Verdicts(action, reason, ordinal, window, windows)


def _waiting(
    book: Book, names: Sequence[str], rows: NDArray[np.int64], campaigns: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Which of these pairs are on hold."""
    waiting = book.waiting
    if not waiting:
        return np.zeros(len(rows), dtype=np.bool_)
    pairs = zip(rows.tolist(), campaigns.tolist(), strict=True)
    return np.array([(row, names[campaign]) in waiting for row, campaign in pairs], dtype=np.bool_)


def _before(rows: NDArray[np.int64], campaigns: NDArray[np.int32], now: Window) -> NDArray[np.int32]:
    """For each the one before it of the same pair, which it waits behind where that is held; -1 = none."""
    found = np.full(len(rows), -1, dtype=np.int32)
    if now.open:
        return found
    order = np.lexsort((campaigns, rows))
    same = (rows[order[1:]] == rows[order[:-1]]) & (campaigns[order[1:]] == campaigns[order[:-1]])
    found[order[1:][same]] = order[:-1][same]
    return found
