"""Messages between the SMSC's door and the network: what came in by SMPP, what goes out by it.

Times in `_us` are microseconds since the world's epoch, as everywhere in `sim`.
"""

from dataclasses import dataclass
from typing import Literal

DeliverKind = Literal["receipt", "reply"]
FinalState = Literal["delivered", "expired", "deleted", "undeliverable", "accepted", "unknown", "rejected"]
"""The words of SMPP 3.4 5.2.28 for where a message stands."""


@dataclass(frozen=True, slots=True)
class Submit:
    """One short message taken from the platform; a long text is several of them."""

    message_id: str
    """contact_id "." part; without a contact id a hash of the content; "~2" and so on for exact repeats."""
    contact_id: str
    """The platform's name for the contact, empty if it gave none."""
    part: int
    """Which part of a long message, from 1."""
    parts: int
    """Of how many."""
    source: str
    """Originator: the access code that the handset shows and answers to."""
    destination: str
    """MSISDN, E.164 without plus."""
    data: bytes
    """User data with its header if esm_class says so; GSM 7-bit as one septet an octet."""
    data_coding: int
    esm_class: int
    validity_until_us: int | None
    """Not to be delivered at or after this; None: the SMSC's default."""
    arrived_ns: int = 0
    """Reading of the door's clock when the socket was read."""
    receipt: bool = True
    """A delivery receipt is wanted."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """The platform takes one message back."""

    message_id: str
    source: str
    destination: str
    arrived_ns: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """One deliver_sm for the platform: a receipt, or a short message from a subscriber."""

    t_us: int
    """When it happened in the network."""
    stable_id: str
    """Orders what happened at one time; the same in every run of the same seed."""
    kind: DeliverKind
    source: str
    """The subscriber's MSISDN."""
    destination: str
    """The access code: the originator of the message answered or receipted."""
    data: bytes = b""
    """A reply's user data, coded as in Submit."""
    data_coding: int = 0
    esm_class: int = 0
    message_id: str = ""
    """A receipt's message."""
    state: FinalState = "delivered"
    """A receipt's outcome."""
    error: int = 0
    """A receipt's network error code, 0..999."""
    submitted_us: int = -1
    """When a receipt's message had been submitted; -1 not told."""


@dataclass(frozen=True, slots=True)
class MmsSubmit:
    """One multimedia message taken from the platform."""

    message_id: str
    """"mm." and the platform's transaction id; "~2" and so on where that comes again."""
    contact_id: str
    """The platform's name for the contact."""
    source: str
    """Short code that the handset shows and answers to."""
    destination: str
    """MSISDN, E.164 without plus."""
    subject: str
    text: str
    """Of its text parts."""
    parts: tuple[tuple[str, str, int], ...]
    """Name, content type and octets of each part."""
    until_us: int | None
    """Not to be retrieved at or after this, world time; None: the centre's default."""
    arrived_ns: int = 0
    """Reading of the centre's clock."""
    report: bool = True
    """A delivery report is wanted."""


@dataclass(frozen=True, slots=True)
class MmsCancel:
    """The platform takes one multimedia message back."""

    message_id: str
    arrived_ns: int


@dataclass(frozen=True, slots=True)
class MmsReport:
    """What became of one multimedia message."""

    t_us: int
    message_id: str
    status: Literal["Retrieved", "Expired", "Rejected"]
    """Words of MM7's MMStatus."""
    source: str
    destination: str
