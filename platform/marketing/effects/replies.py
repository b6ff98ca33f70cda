"""Two-way codes (J11): which contact a reply answers, and which messages are still on their way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Conversations", "SentContact", "Unanswered"]


@dataclass(slots=True)
class SentContact:
    """A contact as the replies see it."""

    contact_id: str
    campaign: str
    offer: str
    originator: str
    msisdn: str
    open_messages: set[str] = field(default_factory=set)
    """Parts without a final receipt."""
    decided_us: int = 0
    ended_us: int = 0
    """The latest of its final receipts, Unix us; 0 = none yet."""


@dataclass(slots=True)
class Conversations:
    """The latest contact of each subscriber with each of our numbers."""

    _latest: dict[tuple[str, str], SentContact] = field(default_factory=dict)
    """(MSISDN, originator) -> contact."""
    _by_message: dict[str, SentContact] = field(default_factory=dict)
    _open: dict[str, dict[str, SentContact]] = field(default_factory=dict)
    """MSISDN -> contact id -> contacts with open messages."""

    def sent(self, contact: SentContact, message_ids: tuple[str, ...]) -> None:
        """A contact that the centre has accepted, at least in part."""
        self._latest[contact.msisdn, contact.originator] = contact
        contact.open_messages.update(message_ids)
        for message_id in message_ids:
            self._by_message[message_id] = contact
        if message_ids:
            self._open.setdefault(contact.msisdn, {})[contact.contact_id] = contact

    def done(self, message_id: str, at_us: int = 0) -> SentContact | None:
        """A final receipt has come; None if no such message is open."""
        contact = self._by_message.pop(message_id, None)
        if contact is None:
            return None
        contact.ended_us = max(contact.ended_us, at_us)
        contact.open_messages.discard(message_id)
        if not contact.open_messages:
            self._open.get(contact.msisdn, {}).pop(contact.contact_id, None)
        return contact

    def answered(self, msisdn: str, originator: str) -> SentContact | None:
        """The contact that a reply from a subscriber to one of our numbers answers."""
        return self._latest.get((msisdn, originator))

    def pending(self, msisdn: str) -> list[tuple[str, SentContact]]:
        """Messages to a subscriber that may still wait at the centre, in order."""
        open_contacts = self._open.get(msisdn, {})
        return sorted(
            ((m, c) for c in open_contacts.values() for m in c.open_messages), key=lambda pair: pair[0]
        )


@dataclass(slots=True)
class Unanswered:
    """Replies that the centre is told of once they are durable: a stop code confirmed is not forgotten."""

    waiting: list[asyncio.Future[bool]] = field(default_factory=list)

    def add(self) -> asyncio.Future[bool]:
        """What the centre waits for: True, it is kept; False, it is to be delivered again."""
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    def take(self) -> Callable[[bool], None]:
        """Answers those that wait now; to be called when it is known."""
        taken, self.waiting = self.waiting, []

        def answer(kept: bool) -> None:
            for one in taken:
                if not one.done():
                    one.set_result(kept)

        return answer
