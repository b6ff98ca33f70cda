"""What an M3UA association tells its user (see `association`)."""

from __future__ import annotations

from dataclasses import dataclass

from sigtran.m3ua import DataMessage, Message

__all__ = [
    "AspActive",
    "AspInactive",
    "AspUp",
    "Audit",
    "Beat",
    "BeatAck",
    "Data",
    "Deregistered",
    "DestinationStatus",
    "Down",
    "Event",
    "Garbage",
    "Notified",
    "PeerError",
    "Registered",
    "Unexpected",
]


@dataclass(frozen=True, slots=True)
class AspUp:
    """The ASP is up; at the gateway, with the identifier it gave."""

    asp_identifier: int | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A routing key has been registered."""

    routing_context: int


@dataclass(frozen=True, slots=True)
class Deregistered:
    """A routing context has been given up."""

    routing_context: int


@dataclass(frozen=True, slots=True)
class AspActive:
    """Traffic may flow."""

    routing_contexts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AspInactive:
    """Traffic must stop; the ASP is still up."""


@dataclass(frozen=True, slots=True)
class Down:
    """The ASP is down."""

    reason: str


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat that somebody above has to acknowledge (`acknowledge_beat`)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class BeatAck:
    """The answer to our heartbeat, with its data."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Data:
    """A DATA in state ACTIVE."""

    message: DataMessage


@dataclass(frozen=True, slots=True)
class Audit:
    """DAUD: the peer asks for the state of these point codes; it has been answered."""

    point_codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DestinationStatus:
    """DUNA, DAVA, SCON, DUPU or DRST from the gateway."""

    message: Message


@dataclass(frozen=True, slots=True)
class Notified:
    """NTFY: status type in the upper 16 bits, information in the lower (`NotifyStatus`)."""

    status: int


@dataclass(frozen=True, slots=True)
class PeerError:
    """ERR: the peer did not like what we sent."""

    code: int
    diagnostic: bytes


@dataclass(frozen=True, slots=True)
class Unexpected:
    """A known message that does not belong into this state; the peer has been told, except for DATA."""

    message: Message


@dataclass(frozen=True, slots=True)
class Garbage:
    """Octets that are no M3UA message."""

    octets: bytes
    reason: str


Event = (
    AspUp
    | Registered
    | Deregistered
    | AspActive
    | AspInactive
    | Down
    | Beat
    | BeatAck
    | Data
    | Audit
    | DestinationStatus
    | Notified
    | PeerError
    | Unexpected
    | Garbage
)
