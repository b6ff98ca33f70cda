"""Budgets of campaigns, as the ledger keeps them: for each period asked for, how many contacts count.

A row is counted from the contacts the first time it is asked for, and moves with them from then on, in the
same transaction: it goes up with each grant and down with each reservation that has demonstrably not left.
Nothing is lent to anybody, so whoever is killed leaves no part of a budget behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from marketing.contact.operations import Reservation

__all__ = ["Budgets"]

Span = tuple[int, int]
"""First instant of a period and the first after it, Unix us."""
Fetch = Callable[[int, list[str]], Iterable[Any]]
"""Rows of these campaigns' periods that end after an instant: campaign, from_us, until_us, taken."""
Count = Callable[[str, int, int], int]
"""Contacts of a campaign that count and were decided within a period."""


@dataclass(slots=True)
class Budgets:
    """Of one group of reservations."""

    taken: dict[str, dict[Span, int]] = field(default_factory=dict)
    _changed: set[tuple[str, Span]] = field(default_factory=set)

    @classmethod
    def look(cls, wanted: Sequence[Reservation], fetch: Fetch, count: Count) -> Budgets:
        """What the database holds of the campaigns of a group; what it does not hold yet is counted."""
        look = cls()
        since_us = min(one.decided_us for one in wanted)
        for campaign, from_us, until_us, taken in fetch(since_us, sorted({one.campaign for one in wanted})):
            look.taken.setdefault(campaign, {})[from_us, until_us] = taken
        for one in wanted:
            if one.allowance is None:
                continue
            span = one.allowance.from_us, one.allowance.until_us
            spans = look.taken.setdefault(one.campaign, {})
            if span not in spans:
                spans[span] = count(one.campaign, *span)
                look._changed.add((one.campaign, span))
        return look

    def refusal(self, wanted: Reservation) -> str:
        """Why it is not granted; empty: it may be."""
        allowance = wanted.allowance
        if allowance is None:
            return ""
        taken = self.taken[wanted.campaign][allowance.from_us, allowance.until_us]
        return "budget" if taken >= allowance.most else ""

    def granted(self, wanted: Reservation) -> None:
        """One more that counts, in each period around it: another one may have been asked for before."""
        spans = self.taken.get(wanted.campaign, {})
        for span in spans:
            if span[0] <= wanted.decided_us < span[1]:
                spans[span] += 1
                self._changed.add((wanted.campaign, span))

    def changed(self) -> list[dict[str, Any]]:
        """Rows to be written down."""
        return [
            {"campaign": name, "from_us": span[0], "until_us": span[1], "taken": self.taken[name][span]}
            for name, span in sorted(self._changed)
        ]
