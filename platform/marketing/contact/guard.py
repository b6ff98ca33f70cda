"""The ledger's own look at a policy's windows: the last defence, from what is in the database.

It shares nothing with `Policy.decide` but the policy file: contacts as they are written down, senders
compared letter by letter, one rule after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from marketing.contact.operations import Reservation
from marketing.contact.rules_file import CHANNELS, PolicyFile

__all__ = ["NO_GUARD", "Guard", "Look"]

LONGEST_PERIOD_US: Final = 32 * 86_400_000_000
"""No contact of this month is older."""


@dataclass(frozen=True, slots=True)
class _Rule:
    reason: str
    most: int
    within_us: int
    """Rolling window; 0: calendar period."""
    per: str
    refuses: tuple[str, ...]
    """Senders' prefixes; empty: all."""
    counts: tuple[str, ...]
    channels: int
    """Mask; 0: all."""

    def refuses_it(self, one: Reservation) -> bool:
        return _is(one.originator, self.refuses) and bool(not self.channels or self.channels & one.channels)

    def counts_it(self, sent: _Sent, one: Reservation) -> bool:
        if not _is(sent.originator, self.counts):
            return False
        if self.channels and not self.channels & sent.channels:
            return False
        if self.within_us:
            return sent.latest_us > one.decided_us - self.within_us
        if self.per == "month":
            return sent.period == one.period
        if self.per == "week":
            return (sent.day - 1) // 7 == (one.day - 1) // 7
        return sent.day == one.day


@dataclass(frozen=True, slots=True)
class _Sent:
    """A contact of the database that counts."""

    imsi: int
    originator: str
    channels: int
    latest_us: int
    period: int
    day: int


def _is(originator: str, prefixes: tuple[str, ...]) -> bool:
    return not prefixes or originator.startswith(prefixes)


Fetch = Callable[[int, list[int]], Iterable[Any]]
"""Contacts of these subscribers that may be received after an instant: columns of `_Sent`."""


@dataclass(slots=True)
class Look:
    """At one group of reservations."""

    rules: tuple[_Rule, ...]
    sent: dict[int, list[_Sent]] = field(default_factory=dict)

    def refusal(self, wanted: Reservation) -> str:
        """Why it is not granted; empty: it may be."""
        before = self.sent.get(wanted.imsi)
        if before:
            for rule in self.rules:
                if rule.refuses_it(wanted) and sum(rule.counts_it(s, wanted) for s in before) >= rule.most:
                    return rule.reason
        return ""

    def granted(self, wanted: Reservation) -> None:
        """One more that counts."""
        if self.rules:
            self.sent.setdefault(wanted.imsi, []).append(
                _Sent(
                    wanted.imsi,
                    wanted.originator,
                    wanted.channels,
                    wanted.latest_us or wanted.valid_until_us,
                    wanted.period,
                    wanted.day,
                )
            )


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of a policy file that the ledger checks besides the cap of a month."""

    rules: tuple[_Rule, ...] = ()

    @classmethod
    def of(cls, file: PolicyFile) -> Guard:
        """Of a checked file."""

        def senders(names: Sequence[str]) -> tuple[str, ...]:
            return tuple(prefix for name in names for prefix in file.classes[name].originators)

        rules = [
            _Rule(
                "cap",
                rule.most,
                (rule.within_s or 0) * 1_000_000,
                rule.per or "",
                senders(rule.classes),
                senders(rule.classes),
                sum(1 << CHANNELS.index(name) for name in set(rule.channels)),
            )
            for rule in file.caps.rules
        ]
        if file.minimum_gap_s:
            rules.append(_Rule("gap", 1, file.minimum_gap_s * 1_000_000, "", (), (), 0))
        for never in file.not_after:
            these, after = senders(never.classes), senders(never.after)
            rules.append(_Rule("not_after", 1, never.within_s * 1_000_000, "", these, after, 0))
            rules.append(_Rule("not_after", 1, 1, "", after, these, 0))
        return cls(tuple(rules))

    def look(self, wanted: Sequence[Reservation], fetch: Fetch) -> Look:
        """What the database holds of the subscribers of a group, as far back as some rule asks."""
        look = Look(self.rules)
        if not self.rules:
            return look
        longest_us = max(rule.within_us or LONGEST_PERIOD_US for rule in self.rules)
        since_us = min(one.decided_us for one in wanted) - longest_us
        for row in fetch(since_us, sorted({one.imsi for one in wanted})):
            sent = _Sent(*row)
            look.sent.setdefault(sent.imsi, []).append(sent)
        return look


NO_GUARD: Final = Guard()
"""Checks nothing."""
