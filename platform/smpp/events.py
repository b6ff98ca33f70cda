"""What a session tells its driver."""

from dataclasses import dataclass

from smpp.errors import DecodeError
from smpp.pdu import Bind, Body, Pdu


class Event:
    """Base of all events."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Bound(Event):
    """The session is bound: requests may go."""

    bind: Bind
    """The request that was granted, at both ends."""
    peer_system_id: str
    """The SMSC's name for the ESME, the ESME's for the SMSC."""
    version: int | None
    """sc_interface_version; None from a peer older than 3.4."""


@dataclass(frozen=True, slots=True)
class BindFailed(Event):
    """The peer (at the SMSC: our own authenticate) refused the bind."""

    command_status: int


@dataclass(frozen=True, slots=True)
class Request(Event):
    """The peer asks; answer with `respond(sequence_number, ...)`, except where the PDU has no response."""

    sequence_number: int
    body: Body


@dataclass(frozen=True, slots=True)
class Response(Event):
    """The peer answered our request `handle`. A refusal may come as GenericNack."""

    handle: int
    body: Body
    command_status: int


@dataclass(frozen=True, slots=True)
class NoResponse(Event):
    """Our request `handle` went out and was not answered: its outcome is unknown."""

    handle: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unsent(Event):
    """Our request `handle` was never sent, or was refused by throttling each time: it had no effect."""

    handle: int
    body: Body
    reason: str


@dataclass(frozen=True, slots=True)
class Throttled(Event):
    """The peer asked for less: nothing is sent before `until_s`. The refused request goes again by itself."""

    until_s: float
    command_status: int


@dataclass(frozen=True, slots=True)
class Stray(Event):
    """A response to nothing that is outstanding: late, repeated or invented. Count it."""

    pdu: Pdu


@dataclass(frozen=True, slots=True)
class PeerError(Event):
    """The peer sent what it must not. Already answered where an answer is due."""

    error: DecodeError


@dataclass(frozen=True, slots=True)
class Closed(Event):
    """The last event of a session: close the connection once the bytes to send are out."""

    reason: str
    clean: bool
    """After an unbind."""
