"""Two-way codes (J11): which contact a reply answers, and which messages are still on their way.

A campaign's originator is an access code with the campaign's sub-code behind it, so a reply to it answers the
latest contact of that campaign. A reply to a bare access code answers the one contact that is still open and
that takes such an answer; where there are several it answers none.

A contact can be answered from the moment at which a channel has it: who has the message may write back before
we have been told, or have taken in, that it was accepted. As under the caps, what may have left has left.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from marketing.campaigns import Campaign
from marketing.clock import Clock
from marketing.engine import Contact

__all__ = ["Conversations", "Match", "SentContact", "Unanswered", "match", "received_us"]

Meaning = Literal["order", "stop", "other", "unasked", "ambiguous", "no campaign"]
STOP: Final = "TD"
"""Ends all marketing, whatever campaign it was meant for."""


@dataclass(slots=True)
class SentContact:
    """A contact as the replies see it."""

    contact_id: str
    campaign: str
    offer: str
    originator: str
    msisdn: str
    channel: str = "sms"
    open_messages: set[str] = field(default_factory=set)
    """Parts without a final receipt."""
    decided_us: int = 0
    ended_us: int = 0
    """The latest of its final receipts, Unix us; 0 = none yet."""
    answered: bool = False
    """Somebody has written back, whatever."""
    ordered: bool = False
    """It has been answered by an order."""

    @classmethod
    def of(cls, contact: Contact) -> SentContact:
        """Of a contact that was decided."""
        campaign = contact.campaign
        return cls(
            contact.contact_id,
            campaign.campaign,
            campaign.offer,
            campaign.originator,
            contact.msisdn,
            contact.channel,
            decided_us=contact.decided_us,
        )


@dataclass(slots=True)
class Conversations:
    """The latest contact of each subscriber with each of our numbers."""

    _latest: dict[str, dict[str, SentContact]] = field(default_factory=dict)
    """MSISDN -> originator -> contact, the latest last."""
    _leaving: dict[str, dict[str, SentContact]] = field(default_factory=dict)
    """MSISDN -> contact id -> contacts of which a channel has yet to say what became of them."""
    _by_contact: dict[str, SentContact] = field(default_factory=dict)
    _by_message: dict[str, SentContact] = field(default_factory=dict)
    _open: dict[str, dict[str, SentContact]] = field(default_factory=dict)
    """MSISDN -> contact id -> contacts with open messages."""

    def leaving(self, contact: SentContact) -> None:
        """A contact that is handed to a channel; `sent` or `unsent` says what became of it."""
        self._leaving.setdefault(contact.msisdn, {})[contact.contact_id] = contact
        self._by_contact[contact.contact_id] = contact

    def unsent(self, contact_id: str) -> None:
        """It has not left after all. An order that it was answered by meanwhile stands: it was asked for."""
        contact = self._by_contact.get(contact_id)
        if contact is not None:
            self._has_left(contact)
            if not contact.ordered:
                del self._by_contact[contact_id]

    def _has_left(self, contact: SentContact) -> None:
        theirs = self._leaving.get(contact.msisdn)
        if theirs is not None and theirs.pop(contact.contact_id, None) is not None and not theirs:
            del self._leaving[contact.msisdn]

    def sent(self, contact: SentContact, message_ids: tuple[str, ...]) -> None:
        """A contact that the centre has accepted, at least in part."""
        self._has_left(contact)
        theirs = self._latest.setdefault(contact.msisdn, {})
        theirs.pop(contact.originator, None)
        theirs[contact.originator] = contact
        self._by_contact[contact.contact_id] = contact
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
        return self._theirs(msisdn).get(originator)

    def _theirs(self, msisdn: str) -> dict[str, SentContact]:
        theirs = self._latest.get(msisdn, {})
        leaving = self._leaving.get(msisdn)
        if leaving is None:
            return theirs
        found = dict(theirs)
        for one in leaving.values():
            found.pop(one.originator, None)
            found[one.originator] = one
        return found

    def latest(self, msisdn: str, access_code: str) -> list[SentContact]:
        """The latest contact of each number that begins with an access code, the latest first."""
        theirs = self._theirs(msisdn)
        return [theirs[number] for number in reversed(theirs) if number.startswith(access_code)]

    def contact(self, contact_id: str) -> SentContact | None:
        """A contact by its id."""
        return self._by_contact.get(contact_id)

    def ordered(self, contact_ids: Iterable[str]) -> None:
        """Contacts whose order has been taken."""
        for contact_id in contact_ids:
            if (contact := self._by_contact.get(contact_id)) is not None:
                contact.ordered = True

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


def received_us(contact: SentContact, told_us: int, clock: Clock) -> int:
    """When a contact was received, of which the peer tells when by its own clock; on ours.

    Rules ask how long ago that was. Where the two clocks are known to differ, it counts from now: later it
    cannot have been.
    """
    differ = clock.mode == "wall" and (clock.steps > 0 or told_us < contact.decided_us)
    return clock.now_us() if differ else told_us


@dataclass(frozen=True, slots=True)
class Match:
    """What a reply means, and which contact it answers."""

    meaning: Meaning
    contact: SentContact | None = None


def match(
    conversations: Conversations,
    campaigns: Sequence[Campaign],
    access_codes: Sequence[str],
    msisdn: str,
    destination: str,
    text: str,
) -> Match:
    """What a subscriber's message to one of our numbers means.

    `access_codes`: those that may be written to without a sub-code; empty: none.
    """
    own = next((c for c in campaigns if c.originator and c.originator == destination), None)
    if own is not None:
        contact, meaning = conversations.answered(msisdn, destination), own.answer(text)
        return Match("unasked" if meaning == "order" and contact is None else meaning, contact)
    if not any(destination.startswith(code) for code in access_codes):
        return Match("no campaign")
    if _is_stop(campaigns, text):  # also where the campaign that was meant is gone
        return Match("stop")
    if destination not in access_codes:
        return Match("no campaign")
    by_name = {c.campaign: c for c in campaigns}
    theirs = [c for c in conversations.latest(msisdn, destination) if not c.ordered and c.campaign in by_name]
    takes = [c for c in theirs if by_name[c.campaign].answer(text) == "order"]
    if len(takes) == 1:
        return Match("order", takes[0])
    if takes:
        return Match("ambiguous")
    return Match("other", theirs[0]) if len(theirs) == 1 else Match("no campaign")


def _is_stop(campaigns: Sequence[Campaign], text: str) -> bool:
    """A stop code of any campaign that asks for it by that word alone and means nothing else by it."""
    meanings = {c.answer(text) for c in campaigns if c.output == "contact"}
    if "stop" in meanings:
        return "order" not in meanings
    return unicodedata.normalize("NFKC", text).strip().upper() == STOP
