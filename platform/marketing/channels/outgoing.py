"""What every channel takes and gives: a message, what became of it, what comes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

__all__ = [
    "Answer",
    "Attachment",
    "Channel",
    "Inbound",
    "Outcome",
    "Outgoing",
    "Receipt",
    "Reply",
    "TakesInbound",
    "in_order",
    "ready",
]

MOST_AWAY_US: Final = 86_400_000_000
"""A day. What a peer tells of another time is taken for just now: a stop code is not to wait for a year."""
FinalState = Literal["delivered", "expired", "failed"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """One part of a multimedia message beside its text."""

    name: str
    """File name, ASCII."""
    content_type: str
    """Such as image/jpeg."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One contact on its way out. Which of the optional fields are used is a matter of the channel."""

    contact_id: str
    """16 hexadecimal digits; the peer is told of it, so that what comes back can be tied to it."""
    channel: str
    """Name of the channel (`marketing.campaigns.CHANNELS`)."""
    originator: str
    """Sender shown; replies come back to it."""
    msisdn: str
    text: str
    """sms, mms: the text. wap: the title of the link. hall and such: the script."""
    valid_until_us: int
    """Nobody may be reached by it after this, Unix us."""
    campaign: str = ""
    offer: str = ""
    url: str = ""
    """wap: where the link leads."""
    subject: str = ""
    """mms."""
    attachments: tuple[Attachment, ...] = ()
    """mms: what comes after the text, in order."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one contact at the channel's peer."""

    state: Literal["submitted", "failed", "unknown"]
    reason: str = ""
    message_ids: tuple[str, ...] = ()
    """What receipts will name, one a part."""
    counted: bool = True
    """False only where it is proven that no part was taken."""


@dataclass(frozen=True, slots=True, order=True)
class Receipt:
    """A final report on one part."""

    t_us: int
    """When it happened in the network, Unix us."""
    message_id: str
    state: FinalState


@dataclass(frozen=True, slots=True, order=True)
class Reply:
    """What a subscriber sent to one of our numbers."""

    t_us: int
    source: str
    destination: str
    text: str


@dataclass(frozen=True, slots=True, order=True)
class Answer:
    """What somebody has said to an agent about a contact."""

    t_us: int
    contact_id: str
    channel: str
    said: Literal["accept", "refuse", "think", "stop"]
    """stop: never again."""


Inbound = Receipt | Reply | Answer
TakesInbound = Callable[[Inbound], Awaitable[bool] | None]
"""Told of whatever comes in; a reply's answer: whether it has been taken for good; None: it has."""


def in_order(inbound: Inbound) -> tuple[object, ...]:
    """Sorts what comes in: by time, and then by what it is and says, whichever came first."""
    kind, *values = type(inbound).__name__, *(getattr(inbound, name) for name in inbound.__slots__)
    return (inbound.t_us, kind, *values)


class Channel(Protocol):
    """One way out. `tests/marketing/channels/test_channel_conformance.py` says what all of them promise."""

    @property
    def name(self) -> str:
        """As campaigns and the ledger call it."""

    @property
    def bound(self) -> bool:
        """Whether a submission would go out now."""

    @property
    def throttled(self) -> int:
        """Refusals that asked for less; those messages go again by themselves."""

    async def start(self) -> None:
        """Opens what it needs. Raises where that can never be; a peer that is only away is waited for."""

    async def close(self) -> None:
        """Waits a moment for answers under way; what has not gone out by then never will."""

    def submit(self, message: Outgoing, unsent_after_s: float) -> Awaitable[Outcome]:
        """Sends at once, in the order of the calls; await the result for what became of it.

        What has not gone out after `unsent_after_s` real seconds never will. What may have gone out without
        an answer is unknown, and never goes again.
        """

    async def cancel(self, message_id: str, originator: str, msisdn: str) -> bool:
        """Takes back a message that still waits at the peer; False where it is too late."""


def believable(told_us: int | None, now_us: int) -> int:
    """When something happened, Unix us: as the peer tells, unless that cannot be."""
    return told_us if told_us is not None and abs(told_us - now_us) <= MOST_AWAY_US else now_us


async def ready(outcome: Outcome) -> Outcome:
    """An outcome that is known already."""
    return outcome
