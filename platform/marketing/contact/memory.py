"""The ledger's answers without its database: for plays of the platform that nobody is to remember.

It says of every operation what `marketing.contact.ledger.Ledger` says, by the same guard and budgets;
a test plays both against each other. Nothing of it survives the process, so nothing real may be sent by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from marketing.contact.budgets import Budgets
from marketing.contact.guard import NO_GUARD, Guard
from marketing.contact.ledger import whole
from marketing.contact.operations import (
    AnswerGiven,
    ClockStep,
    ConfirmationDone,
    ConfirmationWanted,
    MessageDone,
    Operation,
    OptOut,
    OrderDone,
    OrderWanted,
    Reservation,
    Settled,
)
from marketing.contact.schema import TRANSITIONS, ContactState

__all__ = ["MemoryLedger"]


@dataclass(slots=True)
class _Contact:
    wanted: Reservation
    latest_us: int
    state: ContactState = "reserved"
    counted: bool = True
    messages: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Message:
    contact_id: str
    state: str = ""
    done_us: int = 0


class MemoryLedger:
    """Contacts, messages and orders as they stand."""

    def __init__(self, *, cap: int, guard: Guard = NO_GUARD) -> None:
        """`cap` is of a calendar month, `guard` the rest."""
        self._cap, self._guard = cap, guard
        self._contacts: dict[str, _Contact] = {}
        self._by_person: dict[int, list[_Contact]] = {}
        self._by_campaign: dict[str, list[_Contact]] = {}
        self._messages: dict[str, _Message] = {}
        self._budgets: dict[tuple[str, int, int], int] = {}
        self._orders: set[str] = set()
        self._confirmations: set[str] = set()
        self._answers: dict[str, str] = {}

    def apply(self, operations: Sequence[Operation]) -> list[Any]:
        """Performs operations in order; one result each, as `Ledger.apply` gives them."""
        results: list[Any] = []
        for kind, group in groupby(operations, key=type):
            results.extend(_HANDLERS[kind](self, list(group)))
        return results

    def close(self) -> None:
        """Nothing is open."""

    # ----------------------------------------------------------------- operations

    def _reserve(self, wanted: list[Reservation]) -> list[str]:
        look = self._guard.look(wanted, self._lately)
        budgets = Budgets.look(wanted, self._spans, self._spent)
        results: list[str] = []
        for w in wanted:
            theirs = self._by_person.get(w.imsi, ())
            refusal = (
                "duplicate"
                if w.contact_id in self._contacts
                else "cap"
                if sum(c.counted and c.wanted.period == w.period for c in theirs) >= self._cap
                else ""
            )
            refusal = refusal or look.refusal(w) or budgets.refusal(w)
            results.append(refusal)
            if not refusal:
                look.granted(w)
                budgets.granted(w)
                made = self._contacts[w.contact_id] = _Contact(w, w.latest_us or w.valid_until_us)
                self._by_person.setdefault(w.imsi, []).append(made)
                self._by_campaign.setdefault(w.campaign, []).append(made)
        for row in budgets.changed():
            self._budgets[row["campaign"], row["from_us"], row["until_us"]] = row["taken"]
        return results

    def _lately(self, since_us: int, imsis: list[int]) -> Iterator[Any]:
        for imsi in imsis:
            for c in self._by_person.get(imsi, ()):
                if c.counted and c.latest_us > since_us:
                    w = c.wanted
                    yield imsi, w.originator, w.channels, c.latest_us, w.period, w.day

    def _spans(self, since_us: int, campaigns: list[str]) -> Iterator[Any]:
        for (campaign, from_us, until_us), taken in self._budgets.items():
            if campaign in campaigns and until_us > since_us:
                yield campaign, from_us, until_us, taken

    def _spent(self, campaign: str, from_us: int, until_us: int) -> int:
        theirs = self._by_campaign.get(campaign, ())
        return sum(c.counted and from_us <= c.wanted.decided_us < until_us for c in theirs)

    def _settle(self, settled: list[Settled]) -> list[bool]:
        results: list[bool] = []
        for s in settled:
            contact = self._contacts.get(s.contact_id)
            old: ContactState = contact.state if contact is not None else "delivered"
            follows = s.state in TRANSITIONS[old]
            results.append(follows)
            if contact is None or not follows:
                continue
            contact.state = s.state
            # Once it may have left, nothing proves any more that it has not.
            if contact.counted and not (s.counted or old != "reserved"):
                contact.counted = False
                self._give_back(contact.wanted)
            for message_id in s.message_ids:
                if message_id not in self._messages:
                    contact.messages.append(message_id)
                    self._messages[message_id] = _Message(s.contact_id)
        return results

    def _give_back(self, wanted: Reservation) -> None:
        for campaign, from_us, until_us in self._budgets:
            if campaign == wanted.campaign and from_us <= wanted.decided_us < until_us:
                self._budgets[campaign, from_us, until_us] -= 1

    def _message_done(self, done: list[MessageDone]) -> list[tuple[str, ContactState] | None]:
        touched: dict[str, None] = {}
        for d in done:
            message = self._messages.get(d.message_id)
            if message is not None:
                if not message.state:  # the first final receipt stands
                    message.state, message.done_us = d.state, d.at_us
                touched[message.contact_id] = None
        for contact_id in touched:
            contact = self._contacts[contact_id]
            parts = [self._messages[m] for m in contact.messages]
            became = whole([part.state for part in parts])
            if became is not None and became in TRANSITIONS[contact.state]:
                contact.state = became
            if all(part.state for part in parts):
                # When every part has come to its end, nothing more can be received.
                contact.latest_us = min(contact.latest_us, max(part.done_us for part in parts))
        found = (self._messages.get(d.message_id) for d in done)
        return [
            None if message is None else (message.contact_id, self._contacts[message.contact_id].state)
            for message in found
        ]

    def _nothing(self, operations: list[OptOut | OrderDone | ConfirmationDone]) -> list[None]:
        return [None] * len(operations)

    def _order_wanted(self, wanted: list[OrderWanted]) -> list[bool]:
        return [_new(self._orders, w.order_id) for w in wanted]

    def _confirmation_wanted(self, wanted: list[ConfirmationWanted]) -> list[bool]:
        return [_new(self._confirmations, w.contact_id) for w in wanted]

    def _answer_given(self, given: list[AnswerGiven]) -> list[str]:
        for g in given:
            if self._answers.get(g.contact_id, "think") == "think":
                self._answers[g.contact_id] = g.answer
        return [self._answers[g.contact_id] for g in given]

    def _clock_set(self, steps: list[ClockStep]) -> list[int]:
        results = []
        for step in steps:
            counted = (c for c in self._contacts.values() if c.counted)
            moved = [c for c in counted if step.from_us <= c.latest_us <= step.until_us]
            for contact in moved:
                contact.latest_us += step.by_us
            results.append(len(moved))
        return results


def _new(known: set[str], key: str) -> bool:
    fresh = key not in known
    known.add(key)
    return fresh


_HANDLERS: Final[dict[type, Callable[[MemoryLedger, list[Any]], list[Any]]]] = {
    Reservation: MemoryLedger._reserve,
    Settled: MemoryLedger._settle,
    MessageDone: MemoryLedger._message_done,
    OptOut: MemoryLedger._nothing,
    OrderWanted: MemoryLedger._order_wanted,
    OrderDone: MemoryLedger._nothing,
    ConfirmationWanted: MemoryLedger._confirmation_wanted,
    ConfirmationDone: MemoryLedger._nothing,
    AnswerGiven: MemoryLedger._answer_given,
    ClockStep: MemoryLedger._clock_set,
}
