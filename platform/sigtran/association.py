"""The two ends of an M3UA association as state machines without sockets (RFC 4666 4.3).

Octets and the time go in; events come out, and `pending()` gives what is to be sent, on stream 0. All
transitions of both ends are the one table `TRANSITIONS`; what a table row does is named there and written
below it. Nothing here reads a clock: `now_ns` is any clock that never goes back.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sigtran.m3ua import (
    NAMES,
    DataMessage,
    DecodeError,
    ErrorCode,
    Message,
    NotifyStatus,
    Parameter,
    Tag,
    TrafficMode,
    decode,
    encode,
)

__all__ = [
    "ACK_TIMEOUT_NS",
    "TRANSITIONS",
    "AspActive",
    "AspInactive",
    "AspSide",
    "AspState",
    "AspUp",
    "Audit",
    "Beat",
    "BeatAck",
    "Data",
    "DestinationStatus",
    "Down",
    "Event",
    "Garbage",
    "Notified",
    "PeerError",
    "Registered",
    "SgpSide",
    "Unexpected",
]

ACK_TIMEOUT_NS: Final = 2_000_000_000
"""T(ack): a request is repeated when no answer has come for so long (RFC 4666 4.3.4)."""


class AspState(enum.Enum):
    """RFC 4666 4.3.1, and for the ASP's own side the requests that are on their way."""

    DOWN = "ASP-DOWN"
    GOING_UP = "ASPUP sent"
    REGISTERING = "REG REQ sent"
    INACTIVE = "ASP-INACTIVE"
    ACTIVATING = "ASPAC sent"
    ACTIVE = "ASP-ACTIVE"
    DEACTIVATING = "ASPIA sent"
    GOING_DOWN = "ASPDN sent"


# --- events


@dataclass(frozen=True, slots=True)
class AspUp:
    """The ASP is up; at the gateway, with the identifier it gave."""

    asp_identifier: int | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A routing key has been registered."""

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

_ASP, _SGP = "ASP", "SGP"
_D, _U, _R, _I, _G, _A, _H, _X = (
    AspState.DOWN,
    AspState.GOING_UP,
    AspState.REGISTERING,
    AspState.INACTIVE,
    AspState.ACTIVATING,
    AspState.ACTIVE,
    AspState.DEACTIVATING,
    AspState.GOING_DOWN,
)

# (side, state, message received) -> (next state, what is done). What is not listed is unexpected (3.8.1).
# RFC 4666 4.3.4: .1 ASP Up, .2 ASP Down, .3 ASP Active, .4 ASP Inactive; 4.4 registration; 4.6 heartbeat.
TRANSITIONS: Final[dict[tuple[str, AspState, str], tuple[AspState, str]]] = {
    (_ASP, _U, "ASPUP ACK"): (_I, "up"),
    (_ASP, _R, "REG RSP"): (_I, "registered"),
    (_ASP, _G, "ASPAC ACK"): (_A, "active"),
    (_ASP, _A, "ASPAC ACK"): (_A, "nothing"),
    (_ASP, _H, "ASPIA ACK"): (_I, "inactive"),
    (_ASP, _A, "ASPIA ACK"): (_I, "inactive"),
    (_ASP, _X, "ASPDN ACK"): (_D, "down"),
    (_ASP, _I, "ASPDN ACK"): (_D, "down"),
    (_ASP, _G, "ASPDN ACK"): (_D, "down"),
    (_ASP, _A, "ASPDN ACK"): (_D, "down"),
    (_ASP, _I, "ASPUP ACK"): (_I, "nothing"),
    (_ASP, _R, "ASPUP ACK"): (_R, "nothing"),
    (_ASP, _G, "ASPUP ACK"): (_G, "nothing"),
    (_ASP, _A, "DATA"): (_A, "data"),
    (_ASP, _H, "DATA"): (_H, "data"),
    **{(_ASP, s, "NTFY"): (s, "notified") for s in AspState},
    **{(_ASP, s, "ERR"): (s, "error") for s in AspState},
    **{(_ASP, s, "BEAT"): (s, "beat") for s in AspState},
    **{(_ASP, s, "BEAT ACK"): (s, "beat_ack") for s in AspState},
    **{
        (_ASP, s, m): (s, "destination")
        for s in (_I, _G, _A, _H)
        for m in ("DUNA", "DAVA", "SCON", "DUPU", "DRST")
    },
    (_SGP, _D, "ASPUP"): (_I, "answer_up"),
    (_SGP, _I, "ASPUP"): (_I, "answer_up_again"),
    (_SGP, _A, "ASPUP"): (_I, "answer_up_active"),
    (_SGP, _I, "ASPAC"): (_A, "answer_active"),
    (_SGP, _A, "ASPAC"): (_A, "answer_active_again"),
    (_SGP, _A, "ASPIA"): (_I, "answer_inactive"),
    (_SGP, _I, "ASPIA"): (_I, "answer_inactive_again"),
    (_SGP, _D, "ASPDN"): (_D, "answer_down_again"),
    (_SGP, _I, "ASPDN"): (_D, "answer_down"),
    (_SGP, _A, "ASPDN"): (_D, "answer_down"),
    (_SGP, _I, "REG REQ"): (_I, "answer_registration"),
    (_SGP, _A, "REG REQ"): (_A, "answer_registration"),
    (_SGP, _I, "DEREG REQ"): (_I, "answer_deregistration"),
    (_SGP, _A, "DATA"): (_A, "data"),
    (_SGP, _I, "DAUD"): (_I, "answer_audit"),
    (_SGP, _A, "DAUD"): (_A, "answer_audit"),
    **{(_SGP, s, "SCON"): (s, "destination") for s in (_I, _A)},
    **{(_SGP, s, "NTFY"): (s, "notified") for s in (_D, _I, _A)},
    **{(_SGP, s, "ERR"): (s, "error") for s in (_D, _I, _A)},
    **{(_SGP, s, "BEAT"): (s, "beat") for s in (_D, _I, _A)},
    **{(_SGP, s, "BEAT ACK"): (s, "beat_ack") for s in (_D, _I, _A)},
}

# Requests of the ASP that are repeated until answered.
_REQUESTS: Final = {_U: "ASPUP", _R: "REG REQ", _G: "ASPAC", _H: "ASPIA", _X: "ASPDN"}

_Action = Callable[[Message], list[Event]]


class _Side:
    """What both ends share: the table, the queue of answers, heartbeats, errors."""

    role = ""

    def __init__(self, answer_beats: bool) -> None:
        self.state = AspState.DOWN
        self._answer_beats = answer_beats
        self._out: list[bytes] = []

    def receive(self, octets: bytes | Message, now_ns: int) -> list[Event]:
        """What a message from the peer means; never raises for what a peer may send."""
        if isinstance(octets, Message):
            message = octets
        else:
            try:
                message = decode(octets)
            except DecodeError as error:
                code = (
                    ErrorCode.INVALID_VERSION
                    if len(octets) >= 8 and octets[0] != 1
                    else ErrorCode.PROTOCOL_ERROR
                )
                # An ERR is never answered by an ERR (3.8.1).
                if octets[2:4] != b"\0\0":
                    self._error(code, octets)
                return [Garbage(octets, str(error))]
        key = (message.message_class, message.message_type)
        if key not in NAMES:
            known = any(message.message_class == known_class for known_class, _ in NAMES)
            self._error(
                ErrorCode.UNSUPPORTED_MESSAGE_TYPE if known else ErrorCode.UNSUPPORTED_MESSAGE_CLASS,
                encode(message),
            )
            return [Unexpected(message)]
        rule = TRANSITIONS.get((self.role, self.state, message.name))
        if rule is None:
            if message.name != "DATA":
                self._error(ErrorCode.UNEXPECTED_MESSAGE, encode(message))
            return [Unexpected(message)]
        before = self.state
        self.state, action = rule
        try:
            events = self._actions()[action](message)
        except DecodeError as error:
            self.state = before
            if message.name != "ERR":
                self._error(ErrorCode.PARAMETER_FIELD_ERROR, encode(message))
            return [Garbage(encode(message), str(error))]
        self._moved(now_ns)
        return events

    def pending(self) -> list[bytes]:
        """What has to be sent now, in order, on stream 0. Taken away by asking."""
        out, self._out = self._out, []
        return out

    def beat(self, data: bytes) -> None:
        """Ask the peer for a BEAT ACK with this data (RFC 4666 3.5.5)."""
        self._say("BEAT", Parameter(Tag.HEARTBEAT_DATA, data))

    def acknowledge_beat(self, data: bytes) -> None:
        """Answer a `Beat` event."""
        self._say("BEAT ACK", Parameter(Tag.HEARTBEAT_DATA, data))

    def lost(self, reason: str) -> list[Event]:
        """The SCTP association is gone."""
        self._out.clear()
        if self.state is AspState.DOWN:
            return []
        self.state = AspState.DOWN
        self._moved(0)
        return [Down(reason)]

    def _actions(self) -> dict[str, _Action]:
        return {
            "nothing": lambda _: [],
            "beat": self._beat,
            "beat_ack": lambda m: [BeatAck(_value(m, Tag.HEARTBEAT_DATA))],
            "data": lambda m: [Data(DataMessage.from_message(m))],
            "notified": lambda m: [Notified(m.integer(Tag.STATUS) or 0)],
            "error": lambda m: [
                PeerError(m.integer(Tag.ERROR_CODE) or 0, _value(m, Tag.DIAGNOSTIC_INFORMATION))
            ],
            "destination": lambda m: [DestinationStatus(m)],
        }

    def _moved(self, now_ns: int) -> None:
        """Called behind every transition."""

    def _say(self, name: str, *parameters: Parameter | None) -> None:
        self._out.append(encode(Message.named(name, *parameters)))

    def _error(self, code: ErrorCode, octets: bytes) -> None:
        # 3.8.1: the first 40 octets of the offending message.
        self._say(
            "ERR",
            Parameter.integers(Tag.ERROR_CODE, code),
            Parameter(Tag.DIAGNOSTIC_INFORMATION, octets[:40]),
        )

    def _beat(self, message: Message) -> list[Event]:
        data = message.first(Tag.HEARTBEAT_DATA)
        if self._answer_beats:
            self._say("BEAT ACK", data)
            return []
        return [Beat(data.value if data else b"")]


def _value(message: Message, tag: int) -> bytes:
    parameter = message.first(tag)
    return parameter.value if parameter else b""


class AspSide(_Side):
    """The ASP: it asks to come up, perhaps registers its routing key, and asks to become active."""

    role = _ASP

    def __init__(
        self,
        now_ns: int = 0,
        *,
        asp_identifier: int | None = None,
        traffic_mode: TrafficMode | None = None,
        routing_contexts: tuple[int, ...] = (),
        routing_key: tuple[Parameter, ...] = (),
        answer_beats: bool = True,
    ) -> None:
        super().__init__(answer_beats)
        self._asp_identifier = asp_identifier
        self._traffic_mode = traffic_mode
        self.routing_contexts = routing_contexts
        self._routing_key = routing_key
        self._since_ns = now_ns
        self._asked: AspState | None = None

    def start(self, now_ns: int) -> None:
        """Send ASPUP; the rest follows from the answers."""
        self.state = AspState.GOING_UP
        self._moved(now_ns)

    def stop(self, now_ns: int) -> None:
        """Send ASPDN, from whatever state."""
        self.state = AspState.GOING_DOWN
        self._moved(now_ns)

    def deactivate(self, now_ns: int) -> None:
        """Send ASPIA."""
        self.state = AspState.DEACTIVATING
        self._moved(now_ns)

    def activate(self, now_ns: int) -> None:
        """Send ASPAC again after an `AspInactive`."""
        self.state = AspState.ACTIVATING
        self._moved(now_ns)

    @property
    def deadline_ns(self) -> int | None:
        """When `on_time` wants to be called, or None."""
        return self._since_ns + ACK_TIMEOUT_NS if self.state in _REQUESTS else None

    def on_time(self, now_ns: int) -> None:
        """Repeat the request whose answer is late."""
        deadline = self.deadline_ns
        if deadline is not None and now_ns >= deadline:
            self._asked = None
            self._moved(now_ns)

    def _actions(self) -> dict[str, _Action]:
        return super()._actions() | {
            "up": self._up,
            "registered": self._registered,
            "active": lambda _: [AspActive(self.routing_contexts)],
            "inactive": lambda _: [AspInactive()],
            "down": lambda _: [Down("ASPDN ACK")],
        }

    def _up(self, _: Message) -> list[Event]:
        self.state = AspState.REGISTERING if self._routing_key else AspState.ACTIVATING
        return [AspUp(self._asp_identifier)]

    def _registered(self, message: Message) -> list[Event]:
        result = message.first(Tag.REGISTRATION_RESULT)
        inner = Message(9, 2, result.as_parameters()) if result else message
        status, context = inner.integer(Tag.REGISTRATION_STATUS), inner.integer(Tag.ROUTING_CONTEXT)
        # 3.6.2: 0 registered, 12 registered already.
        if status not in (0, 12) or context is None:
            return [PeerError(status or 0, b"REG RSP")]
        self.routing_contexts = (context,)
        self.state = AspState.ACTIVATING
        return [Registered(context)]

    def _moved(self, now_ns: int) -> None:
        if self.state not in _REQUESTS:
            self._asked = None
            return
        if self.state is self._asked:
            return
        self._asked = self.state
        self._since_ns = now_ns
        contexts = self.routing_contexts
        routing_context = Parameter.integers(Tag.ROUTING_CONTEXT, *contexts) if contexts else None
        mode, identifier = self._traffic_mode, self._asp_identifier
        parameters: dict[AspState, tuple[Parameter | None, ...]] = {
            _U: (None if identifier is None else Parameter.integers(Tag.ASP_IDENTIFIER, identifier),),
            _R: (Parameter.nested(Tag.ROUTING_KEY, self._routing_key),),
            _G: (None if mode is None else Parameter.integers(Tag.TRAFFIC_MODE_TYPE, mode), routing_context),
            _H: (routing_context,),
            _X: (),
        }
        self._say(_REQUESTS[self.state], *parameters[self.state])


class SgpSide(_Side):
    """The signalling gateway: it answers. With `answer_beats=False` each BEAT comes up as an event instead.

    `available(point_code)` says what a DAUD is answered with: DAVA or DUNA.
    """

    role = _SGP

    def __init__(
        self, *, answer_beats: bool = True, available: Callable[[int], bool] = lambda point_code: True
    ) -> None:
        super().__init__(answer_beats)
        self._available = available
        self._routing_contexts = 0

    def _actions(self) -> dict[str, _Action]:
        return super()._actions() | {
            "answer_up": self._answer_up,
            "answer_up_again": lambda m: self._answer_up(m)[:0],
            "answer_up_active": self._answer_up_active,
            "answer_active": self._answer_active,
            "answer_active_again": lambda m: self._answer_active(m)[:0],
            "answer_inactive": self._answer_inactive,
            "answer_inactive_again": lambda m: self._answer_inactive(m)[:0],
            "answer_down": self._answer_down,
            "answer_down_again": lambda m: self._answer_down(m)[:0],
            "answer_registration": self._answer_registration,
            "answer_deregistration": self._answer_deregistration,
            "answer_audit": self._answer_audit,
        }

    def _answer_up(self, message: Message) -> list[Event]:
        self._say("ASPUP ACK")
        self._notify(NotifyStatus.AS_INACTIVE)
        return [AspUp(message.integer(Tag.ASP_IDENTIFIER))]

    def _answer_up_active(self, message: Message) -> list[Event]:
        # 4.3.4.1: an active ASP that comes up again has restarted: acknowledged, told, and inactive from now.
        self._say("ASPUP ACK")
        self._error(ErrorCode.UNEXPECTED_MESSAGE, encode(message))
        return [AspInactive()]

    def _answer_active(self, message: Message) -> list[Event]:
        contexts = message.first(Tag.ROUTING_CONTEXT)
        self._say("ASPAC ACK", message.first(Tag.TRAFFIC_MODE_TYPE), contexts)
        self._notify(NotifyStatus.AS_ACTIVE)
        return [AspActive(contexts.as_integers() if contexts else ())]

    def _answer_inactive(self, message: Message) -> list[Event]:
        self._say("ASPIA ACK", message.first(Tag.ROUTING_CONTEXT))
        return [AspInactive()]

    def _answer_down(self, _: Message) -> list[Event]:
        self._say("ASPDN ACK")
        return [Down("ASPDN")]

    def _answer_registration(self, message: Message) -> list[Event]:
        # 3.6.2: one result for each routing key, under the identifier that the ASP gave it.
        events: list[Event] = []
        results = []
        for key in (p for p in message.parameters if p.tag == Tag.ROUTING_KEY):
            inner = Message(9, 1, key.as_parameters())
            self._routing_contexts += 1
            results.append(
                Parameter.nested(
                    Tag.REGISTRATION_RESULT,
                    (
                        Parameter.integers(
                            Tag.LOCAL_ROUTING_KEY_IDENTIFIER,
                            inner.integer(Tag.LOCAL_ROUTING_KEY_IDENTIFIER) or 0,
                        ),
                        Parameter.integers(Tag.REGISTRATION_STATUS, 0),
                        Parameter.integers(Tag.ROUTING_CONTEXT, self._routing_contexts),
                    ),
                )
            )
            events.append(Registered(self._routing_contexts))
        self._say("REG RSP", *results)
        return events

    def _answer_deregistration(self, message: Message) -> list[Event]:
        contexts = message.first(Tag.ROUTING_CONTEXT)
        results = [
            Parameter.nested(
                Tag.DEREGISTRATION_RESULT,
                (
                    Parameter.integers(Tag.ROUTING_CONTEXT, context),
                    Parameter.integers(Tag.DEREGISTRATION_STATUS, 0),
                ),
            )
            for context in (contexts.as_integers() if contexts else ())
        ]
        self._say("DEREG RSP", *results)
        return []

    def _answer_audit(self, message: Message) -> list[Event]:
        # 4.5.3: the state of each; the upper octet of an affected point code is a mask.
        affected = message.first(Tag.AFFECTED_POINT_CODE)
        codes = affected.as_integers() if affected else ()
        for code in codes:
            self._say(
                "DAVA" if self._available(code & 0xFFFFFF) else "DUNA",
                Parameter.integers(Tag.AFFECTED_POINT_CODE, code),
            )
        return [Audit(tuple(code & 0xFFFFFF for code in codes))]

    def _notify(self, status: NotifyStatus) -> None:
        self._say("NTFY", Parameter.integers(Tag.STATUS, status))
