"""What can be asked of the ledger; a group of these is one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from marketing.contact.schema import ContactState
from marketing.contact.steps import ClockStep

__all__ = [
    "Allowance",
    "AnswerGiven",
    "ClockStep",
    "ConfirmationDone",
    "ConfirmationWanted",
    "DeskAnswer",
    "MessageDone",
    "Operation",
    "OptOut",
    "OrderDone",
    "OrderWanted",
    "Reservation",
    "Settled",
]

DeskAnswer = Literal["accept", "refuse", "think"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a campaign may spend on contacts decided within a period; the reservation is of that period."""

    most: int
    from_us: int
    """First instant, Unix us."""
    until_us: int
    """The first after it."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Asks for the right to send; the result is "" if granted, else why not."""

    contact_id: str
    trigger_id: str
    campaign: str
    originator: str
    offer: str
    imsi: int
    msisdn: int
    period: int
    day: int
    ordinal: int
    decided_us: int
    valid_until_us: int
    latest_us: int = 0
    """It cannot be received later, Unix us; 0: than valid_until_us."""
    channels: int = 1
    """As rules count the channel by which it goes; see `marketing.contact.bounds.Kind`."""
    channel: str = "sms"
    """The one by which it goes."""
    allowance: Allowance | None = None
    """Its campaign's budget; None: it has none."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a reservation at the channel; the result says whether it could follow the old."""

    contact_id: str
    state: ContactState
    at_us: int
    counted: bool = True
    """False only if it is proven that nothing left."""
    reason: str = ""
    message_ids: tuple[str, ...] = ()
    """submitted: the message centre's, one a part."""


@dataclass(frozen=True, slots=True)
class MessageDone:
    """A final receipt for one part; the result is the contact's id and state, None for an unknown message."""

    message_id: str
    state: Literal["delivered", "expired", "failed"]
    at_us: int


@dataclass(frozen=True, slots=True)
class OptOut:
    """A stop code; the earliest one counts."""

    msisdn: int
    since_us: int
    originator: str


@dataclass(frozen=True, slots=True)
class OrderWanted:
    """A service to be opened; the result says whether this order is new."""

    order_id: str
    msisdn: int
    offer: str
    channel: str
    t_us: int


@dataclass(frozen=True, slots=True)
class OrderDone:
    """The order's outcome as BOSS told it."""

    order_id: str
    state: Literal["done", "refused"]
    answer: str = ""


@dataclass(frozen=True, slots=True)
class ConfirmationWanted:
    """Asks for the right to confirm an order; the result says whether this one is new."""

    contact_id: str
    msisdn: int
    campaign: str
    state: Literal["waiting", "reserved", "suppressed"]
    at_us: int
    """waiting: when it is due."""


@dataclass(frozen=True, slots=True)
class ConfirmationDone:
    """What became of it."""

    contact_id: str
    state: Literal["waiting", "reserved", "submitted", "failed", "unknown", "suppressed"]
    at_us: int


@dataclass(frozen=True, slots=True)
class AnswerGiven:
    """What a customer has said at a desk; the result is the answer that stands.

    Thinking about it may become anything else; what has been accepted or refused stays so.
    """

    contact_id: str
    msisdn: int
    channel: str
    answer: DeskAnswer
    t_us: int


Operation = (
    Reservation
    | Settled
    | MessageDone
    | OptOut
    | OrderWanted
    | OrderDone
    | ConfirmationWanted
    | ConfirmationDone
    | AnswerGiven
    | ClockStep
)
