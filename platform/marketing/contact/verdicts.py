"""The policy's answers to many triggers at once: as `Policy.decide` one by one, each written down."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from marketing.contact.book import Book, month_of
from marketing.contact.bounds import CALENDAR, PLAIN, Kind, way_mask
from marketing.contact.pairs import BOUND, HOLD, OUTPUT, SEND, SUPPRESS
from marketing.contact.policy import Policy, Reason, Tighter, Window
from marketing.contact.rules_file import CHANNELS

__all__ = [
    "CODES",
    "HOLD",
    "NO_CHANNEL",
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
NO_CHANNEL: Final = 255
"""In place of a channel's."""
_MASKS: Final = np.zeros(NO_CHANNEL + 1, dtype=np.uint16)
"""As what rules count a contact by a channel of this place."""
_MASKS[: len(CHANNELS)] = [way_mask((name,)) for name in CHANNELS]
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
    kinds: tuple[Kind, ...]
    group: NDArray[np.uint8]
    """Class of its contacts."""
    channels: NDArray[np.uint16]
    """Mask of the channels by which they may go, where triggers do not say."""
    bounds: NDArray[np.void]
    """The policy's, BOUND."""
    bound_from: NDArray[np.int32]
    """From where in `bound_of` its bounds are named; one more for the end."""
    bound_of: NDArray[np.int32]

    @classmethod
    def of(
        cls,
        policy: Policy,
        book: Book,
        names: Sequence[str],
        caps: Sequence[Tighter],
        may_hold: Sequence[bool],
        kinds: Sequence[Kind] = (),
    ) -> Limits:
        """Numbers in the book are given out here. `kinds`: of each campaign's contacts; none: all PLAIN."""
        most, days = policy.file.caps.per_calendar_month, policy.file.duplicate.same_campaign_days
        kinds = tuple(kinds) or (PLAIN,) * len(names)
        meant = [[at for at, bound in enumerate(policy.bounds) if bound.meant_for(k)] for k in kinds]
        return cls(
            np.array([book.number(name) for name in names], dtype=np.int32),
            np.array([min(most, c.per_calendar_month or most) for c in caps], dtype=np.int32),
            np.array([max(days, c.same_campaign_days or 0) for c in caps], dtype=np.int32),
            np.array(may_hold, dtype=np.bool_),
            kinds,
            np.array([kind.group for kind in kinds], dtype=np.uint8),
            np.array([kind.channels for kind in kinds], dtype=np.uint16),
            _bounds(policy),
            np.concatenate(([0], np.cumsum([len(some) for some in meant]))).astype(np.int32),
            np.array([at for some in meant for at in some], dtype=np.int32),
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
    since_us: NDArray[np.int64] | None = None
    """When it came about; None: for all when it is judged."""
    cell: NDArray[np.uint32] | None = None
    """Where the subscriber is, LAC x 65536 + CI; 0 = not known; None: of all."""
    ways: NDArray[np.uint8] | None = None
    """(n, k): channels by which each may go, in order of preference, by their place in CHANNELS; NO_CHANNEL =
    no more. None: any of its campaign's, counted for each of them."""


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
    way: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, dtype=np.uint8))
    """send: which of its ways it goes. Empty where the channels are known already."""


def decide_many(policy: Policy, book: Book, names: Sequence[str], limits: Limits, asked: Asked) -> Verdicts:
    """Judges all of them, and enters contacts decided and holds into the book."""
    n = len(asked.row)
    action, reason = np.empty(n, dtype=np.uint8), np.empty(n, dtype=np.uint8)
    ordinal, way = np.zeros(n, dtype=np.uint16), np.empty(n, dtype=np.uint8)
    ways = limits.channels[asked.campaign][:, np.newaxis] if asked.ways is None else _MASKS[asked.ways]
    window, windows = _windows(policy, book, asked)
    closed = np.array([CODES[w.reason] for w in windows], dtype=np.uint8)
    may_hold = limits.may_hold[asked.campaign] & ~asked.released
    too_old, when_us = np.zeros(n, dtype=np.uint8), asked.at_us
    if closed.any():
        shut, release_us = closed[window] != 0, np.array([w.release_us for w in windows])[window]
        may_hold &= np.array([w.holds for w in windows])[window]
        when_us = np.where(shut, release_us, asked.at_us)
        too_old = _too_old(policy, asked, shut & may_hold, when_us)
    elif asked.released.any():
        too_old = _too_old(policy, asked, np.zeros(n, dtype=np.bool_), when_us)
    latest_us, latest_day = _latest(policy, asked.at_us, window, windows)
    book.pairs.decide(
        asked.row,
        limits.number[asked.campaign],
        limits.most[asked.campaign],
        limits.days[asked.campaign],
        may_hold.view(np.uint8),
        _waiting(book, names, asked.row, asked.campaign).view(np.uint8),
        _before(asked.row, asked.campaign, open_=not closed.any()),
        asked.stopped,
        asked.to_file.view(np.uint8),
        asked.at_us,
        book.control_us,
        book.do_not_disturb_us,
        book.month,
        book.count,
        book.contact_s,
        window,
        np.array([w.span.day for w in windows], dtype=np.int32),
        np.array([month_of(w.period) for w in windows], dtype=np.int32),
        closed,
        latest_day,
        too_old,
        book.log,
        policy.remembers,
        when_us,
        latest_us,
        np.array([w.starts_s for w in windows], dtype=np.int64).reshape(-1, len(CALENDAR)),
        limits.bounds,
        limits.bound_from,
        limits.bound_of,
        asked.campaign,
        limits.group,
        ways,
        action,
        reason,
        ordinal,
        way,
    )
    for i in np.flatnonzero(action == HOLD).tolist():
        book.waiting.add((int(asked.row[i]), names[asked.campaign[i]]))
    return Verdicts(action, reason, ordinal, window, windows, way)


def _windows(policy: Policy, book: Book, asked: Asked) -> tuple[NDArray[np.int32], list[Window]]:
    """The window of each, and all of them: by zone, and by the hours of the cells in which they are."""
    n = len(asked.row)
    found, windows = np.empty(n, dtype=np.int32), list[Window]()
    zone = book.zone[asked.row].astype(np.int64) if len(book.zone) else None
    busy = policy.busy.of(asked.cell) if asked.cell is not None and len(policy.busy.cells) else None
    if zone is None and busy is None:
        parts = [(0, 0, np.arange(n))]
    else:
        groups = len(policy.busy.hours) + 1
        schedule = np.zeros(n, dtype=np.int64)
        schedule += 0 if zone is None else zone * groups
        schedule += 0 if busy is None else busy
        order = np.argsort(schedule, kind="stable")
        some, starts = np.unique(schedule[order], return_index=True)
        split = np.split(order, starts[1:])
        parts = [(*divmod(int(one), groups), index) for one, index in zip(some, split, strict=True)]
    for zone_, busy_, index in parts:
        at_us, start = asked.at_us[index], 0
        while start < len(index):
            now = policy.window(int(at_us[start]), zone_, busy_)
            stop = start + int(np.searchsorted(at_us[start:], now.until_us))
            found[index[start:stop]] = len(windows)
            windows.append(now)
            start = stop
    return found, windows


def _too_old(
    policy: Policy, asked: Asked, held: NDArray[np.bool_], when_us: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Who has waited for too long, or would have to."""
    since_us = asked.at_us if asked.since_us is None else asked.since_us
    most_us = policy.file.holds.stale_after_s * 1_000_000
    waited = asked.released & (asked.at_us - since_us > most_us)
    return np.where(waited | (held & (when_us - since_us > most_us)), CODES["stale"], 0).astype(np.uint8)


def _latest(
    policy: Policy, at_us: NDArray[np.int64], window: NDArray[np.int32], windows: Sequence[Window]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """When each cannot be received any more, and the local day of the instant before."""
    closes_us = np.array([w.closes_us for w in windows])[window]
    latest_us = np.minimum(at_us + (policy.validity_us + policy.guard_us), closes_us)
    day = np.array([w.span.day for w in windows], dtype=np.int32)[window]
    later = latest_us > np.array([w.day_ends_us[0] for w in windows])[window]
    for i in np.flatnonzero(later).tolist():
        ends = windows[int(window[i])].day_ends_us
        day[i] += bisect_right(ends, int(latest_us[i]) - 1)
    return latest_us, day


def _bounds(policy: Policy) -> NDArray[np.void]:
    made = np.zeros(len(policy.bounds), dtype=BOUND)
    for row, bound in zip(made, policy.bounds, strict=True):
        row["within_us"], row["counts"], row["counts_by"] = bound.within_us, bound.counts, bound.counts_by
        row["per"] = CALENDAR.index(bound.per) if bound.per else 0
        row["most"], row["reason"] = bound.most, CODES[bound.reason]
        row["refuses_by"], row["diverts"] = bound.refuses_by, bound.diverts
    return made


def _waiting(
    book: Book, names: Sequence[str], rows: NDArray[np.int64], campaigns: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Which of these pairs are on hold."""
    waiting = book.waiting
    if not waiting:
        return np.zeros(len(rows), dtype=np.bool_)
    pairs = zip(rows.tolist(), campaigns.tolist(), strict=True)
    return np.array([(row, names[campaign]) in waiting for row, campaign in pairs], dtype=np.bool_)


def _before(rows: NDArray[np.int64], campaigns: NDArray[np.int32], *, open_: bool) -> NDArray[np.int32]:
    """For each the one before it of the same pair, which it waits behind where that is held; -1 = none."""
    found = np.full(len(rows), -1, dtype=np.int32)
    if open_:
        return found
    order = np.lexsort((campaigns, rows))
    same = (rows[order[1:]] == rows[order[:-1]]) & (campaigns[order[1:]] == campaigns[order[:-1]])
    found[order[1:][same]] = order[:-1][same]
    return found
