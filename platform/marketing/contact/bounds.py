"""Caps, gaps and never-A-after-B as one kind of thing: at most so many of these contacts in that window."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from marketing.contact.rules_file import CHANNELS, PolicyFile

__all__ = [
    "CALENDAR",
    "PLAIN",
    "Bound",
    "Kind",
    "bounds_of",
    "channel_mask",
    "class_of",
    "keep_s",
    "way_mask",
]

EVERY: Final = (1 << 64) - 1
"""All classes."""
ANYHOW: Final = (1 << 16) - 1
"""All channels."""
CALENDAR: Final = ("day", "week", "month")
_RECEIVED_AS: Final = {"bulk-sms": ("sms",)}
_KEPT_DAYS: Final = {"day": 2, "week": 8, "month": 32}
DAY_S: Final = 86400


@dataclass(frozen=True, slots=True)
class Kind:
    """What rules ask of a contact besides when."""

    group: int = 0
    """Number of its class; 0 = none."""
    channels: int = 1
    """Mask of the channel by which it goes, of a campaign those by which it may; the bit of a channel is its
    place in CHANNELS."""


PLAIN: Final = Kind()
"""A short message of no class."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One contact more is refused where `most` of those that count are in the window already.

    Receipt is what counts. A new contact may be received at once; one before it at its latest possible
    receipt. So a rolling window counts those whose latest possible receipt is later than its begin, and
    holds whenever the message centre chooses to deliver. Calendar periods count by decision: validity
    ends within the period.
    """

    most: int
    reason: Literal["cap", "gap", "not_after"]
    within_us: int = 0
    """Rolling window; 0: a calendar period."""
    per: Literal["", "day", "week", "month"] = ""
    refuses: int = EVERY
    """Mask of the classes that it refuses; bit 0 is that of contacts of no class."""
    refuses_by: int = ANYHOW
    """Mask of channels."""
    counts: int = EVERY
    """What counts."""
    counts_by: int = ANYHOW
    diverts: bool = False
    """What it refuses is judged by the next channel."""

    def meant_for(self, kind: Kind) -> bool:
        """Whether it may refuse such a contact."""
        return bool(self.refuses >> kind.group & 1 and self.refuses_by & kind.channels)

    def counted(self, kind: Kind) -> bool:
        """Whether such a contact counts."""
        return bool(self.counts >> kind.group & 1 and self.counts_by & kind.channels)


def bounds_of(file: PolicyFile) -> tuple[Bound, ...]:
    """Those of a policy, in the order in which their reasons are told."""
    numbers = {name: number for number, name in enumerate(file.classes, 1)}

    def classes(names: Iterable[str]) -> int:
        return sum(1 << numbers[name] for name in set(names)) or EVERY

    found: list[Bound] = []
    for rule in file.caps.rules:
        group, by = classes(rule.classes), channel_mask(rule.channels) or ANYHOW
        within_us = (rule.within_s or 0) * 1_000_000
        diverts = rule.then == "divert"
        found.append(Bound(rule.most, "cap", within_us, rule.per or "", group, by, group, by, diverts))
    if file.minimum_gap_s:
        found.append(Bound(1, "gap", file.minimum_gap_s * 1_000_000))
    for never in file.not_after:
        these, after = classes(never.classes), classes(never.after)
        found.append(
            Bound(1, "not_after", never.within_s * 1_000_000, refuses=these, counts=after),
        )
        # What is not to be received after the other must not be under way when the other is sent.
        found.append(Bound(1, "not_after", 1, refuses=after, counts=these))
    return tuple(found)


def keep_s(bounds: Sequence[Bound]) -> int:
    """For how long after its latest possible receipt some bound asks for a contact, seconds."""
    spans = [b.within_us // 1_000_000 + 1 if b.within_us else _KEPT_DAYS[b.per] * DAY_S for b in bounds]
    return max(spans, default=0)


def class_of(file: PolicyFile, originator: str) -> int:
    """Number of a sender's class; 0 = none."""
    for number, group in enumerate(file.classes.values(), 1):
        if originator.startswith(tuple(group.originators)):
            return number
    return 0


def channel_mask(names: Iterable[str]) -> int:
    """Channels as a mask; names that no rule can know have no bit."""
    return sum(1 << CHANNELS.index(name) for name in set(names) if name in CHANNELS)


def way_mask(names: Iterable[str]) -> int:
    """As what rules count a contact that goes by one of these.

    Handsets cannot tell which system a short message came from: by bulk it is one, too.
    """
    return channel_mask(seen for name in names for seen in (name, *_RECEIVED_AS.get(name, ())))
