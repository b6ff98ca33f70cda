"""The two ends of an M3UA association as state machines without sockets (RFC 4666 4.3).

Octets and the time go in; events come out, and `pending()` gives what is to be sent, on stream 0. All
transitions of both ends are the one table `TRANSITIONS`; what a table row does is named there and written
below it. Nothing here reads a clock: `now_ns` is any clock that never goes back.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

from sigtran.association_events import (
    AspActive,
    AspInactive,
    AspUp,
    Audit,
    Beat,
    BeatAck,
    Data,
    Deregistered,
    DestinationStatus,
    Down,
    Event,
    Garbage,
    Notified,
    PeerError,
    Registered,
    Unexpected,
)
from sigtran.m3ua import (
    MANDATORY,
    NAMES,
    ON_STREAM_0,
    DataMessage,
    DecodeError,
    EncodeError,
    ErrorCode,
    Message,
    NotifyStatus,
    Parameter,
    Tag,
    TrafficMode,
    decode,
    encode,
)
from sigtran.m3ua_values import (
    AffectedPointCode,
    DeregistrationResult,
    DeregistrationStatus,
    RegistrationResult,
    RegistrationStatus,
    RoutingKey,
    affected_point_codes,
    push_affected_point_codes,
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
    "Deregistered",
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
    DEREGISTERING = "DEREG REQ sent"
    INACTIVE = "ASP-INACTIVE"
    ACTIVATING = "ASPAC sent"
    ACTIVE = "ASP-ACTIVE"
    DEACTIVATING = "ASPIA sent"
    GOING_DOWN = "ASPDN sent"


_ASP, _SGP = "ASP", "SGP"
_D, _U, _R, _Q, _I, _G, _A, _H, _X = (
    AspState.DOWN,
    AspState.GOING_UP,
    AspState.REGISTERING,
    AspState.DEREGISTERING,
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
    (_ASP, _Q, "DEREG RSP"): (_I, "deregistered"),
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
    (_SGP, _A, "DEREG REQ"): (_A, "refuse_deregistration"),
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
_REQUESTS: Final = {_U: "ASPUP", _R: "REG REQ", _Q: "DEREG REQ", _G: "ASPAC", _H: "ASPIA", _X: "ASPDN"}

# 3.6.2: what leaves a routing key registered.
_REGISTERED: Final = (
    RegistrationStatus.SUCCESSFULLY_REGISTERED,
    RegistrationStatus.ROUTING_KEY_ALREADY_REGISTERED,
)
_ANNOUNCED: Final = ("DUNA", "DAVA", "DRST", "SCON", "DUPU")

_Action = Callable[[Message], list[Event]]


class _RefusedError(Exception):
    """What the peer asks for cannot be: it is told why."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class _Side:
    """What both ends share: the table, the queue of answers, heartbeats, errors."""

    role = ""

    def __init__(self, answer_beats: bool) -> None:
        self.state = AspState.DOWN
        self._answer_beats = answer_beats
        self._out: list[bytes] = []

    def receive(self, octets: bytes | Message, now_ns: int, stream: int | None = None) -> list[Event]:
        """What a message from the peer means; never raises for what a peer may send.

        `stream`: the SCTP stream that it came on; None: nobody looks at it.
        """
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
        name = message.name
        if (stream and name in ON_STREAM_0) or (stream == 0 and name == "DATA"):
            return self._refuse(message, ErrorCode.INVALID_STREAM_IDENTIFIER, f"{name} on stream {stream}")
        missing = [tag.name for tag in MANDATORY.get(name, ()) if message.first(tag) is None]
        if missing:
            return self._refuse(message, ErrorCode.MISSING_PARAMETER, f"{name} without {', '.join(missing)}")
        rule = TRANSITIONS.get((self.role, self.state, name))
        if rule is None:
            if message.name != "DATA":
                self._error(ErrorCode.UNEXPECTED_MESSAGE, encode(message))
            return [Unexpected(message)]
        before = self.state
        self.state, action = rule
        try:
            events = self._actions()[action](message)
        except _RefusedError as error:
            self.state = before
            return self._refuse(message, error.code, str(error))
        except DecodeError as error:
            self.state = before
            return self._refuse(message, ErrorCode.PARAMETER_FIELD_ERROR, str(error))
        self._moved(now_ns)
        return events

    def _refuse(self, message: Message, code: ErrorCode, reason: str) -> list[Event]:
        octets = encode(message)
        # An ERR is never answered by an ERR (3.8.1).
        if message.name != "ERR":
            self._error(code, octets, message.first(Tag.ROUTING_CONTEXT))
        return [Garbage(octets, reason)]

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

    def _error(self, code: ErrorCode, octets: bytes, context: Parameter | None = None) -> None:
        # 3.8.1: the first 40 octets of the offending message, and the routing context that was wrong.
        self._say(
            "ERR",
            Parameter.integers(Tag.ERROR_CODE, code),
            context if code is ErrorCode.INVALID_ROUTING_CONTEXT else None,
            Parameter(Tag.DIAGNOSTIC_INFORMATION, octets[:40]),
        )

    def _beat(self, message: Message) -> list[Event]:
        data = message.first(Tag.HEARTBEAT_DATA)
        if self._answer_beats:
            self._say("BEAT ACK", data)
            return []
        return [Beat(data.value if data else b"")]


def _contexts(message: Message) -> tuple[int, ...]:
    parameter = message.first(Tag.ROUTING_CONTEXT)
    return parameter.as_integers() if parameter else ()


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

    def deregister(self, now_ns: int) -> None:
        """Send DEREG REQ for the routing contexts; an active ASP deactivates first (RFC 4666 4.4.2)."""
        self.state = AspState.DEREGISTERING
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
            "deregistered": self._deregistered,
            "active": lambda _: [AspActive(self.routing_contexts)],
            "inactive": lambda _: [AspInactive()],
            "down": lambda _: [Down("ASPDN ACK")],
        }

    def _up(self, _: Message) -> list[Event]:
        self.state = AspState.REGISTERING if self._routing_key else AspState.ACTIVATING
        return [AspUp(self._asp_identifier)]

    def _registered(self, message: Message) -> list[Event]:
        parameters = (p for p in message.parameters if p.tag == Tag.REGISTRATION_RESULT)
        results = [RegistrationResult.from_parameter(p) for p in parameters]
        for result in results:
            if result.status not in _REGISTERED:
                return [PeerError(result.status, b"REG RSP")]
        self.routing_contexts = tuple(result.routing_context for result in results)
        self.state = AspState.ACTIVATING
        return [Registered(context) for context in self.routing_contexts]

    def _deregistered(self, message: Message) -> list[Event]:
        events: list[Event] = []
        for parameter in (p for p in message.parameters if p.tag == Tag.DEREGISTRATION_RESULT):
            result = DeregistrationResult.from_parameter(parameter)
            if result.status != DeregistrationStatus.SUCCESSFULLY_DEREGISTERED:
                events.append(PeerError(result.status, b"DEREG RSP"))
                continue
            context = result.routing_context
            self.routing_contexts = tuple(c for c in self.routing_contexts if c != context)
            events.append(Deregistered(context))
        return events

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
            _Q: (routing_context,),
            _X: (),
        }
        self._say(_REQUESTS[self.state], *parameters[self.state])


class SgpSide(_Side):
    """The signalling gateway: it answers. With `answer_beats=False` each BEAT comes up as an event instead.

    `available(point_code)` says what a DAUD is answered with: DAVA or DUNA. `routing_contexts` are those of
    its application servers; (): it takes what the ASP names, until that registers a key of its own.
    `admit(asp_identifier)` says why an ASP may not come up; None: it may.
    """

    role = _SGP

    def __init__(
        self,
        *,
        answer_beats: bool = True,
        available: Callable[[int], bool] = lambda point_code: True,
        routing_contexts: tuple[int, ...] = (),
        admit: Callable[[int | None], ErrorCode | None] = lambda identifier: None,
    ) -> None:
        super().__init__(answer_beats)
        self._available = available
        self._admit = admit
        self._configured = frozenset(routing_contexts)
        self._registered: dict[int, RoutingKey] = {}
        self._next_context = max(routing_contexts, default=0) + 1

    def announce(self, name: str, codes: tuple[AffectedPointCode, ...], *details: Parameter | None) -> None:
        """Tell the ASP of destinations: DUNA, DAVA, DRST, SCON or DUPU (RFC 4666 3.4).

        `details`: what else the message says, such as `UserCause.to_parameter()`.
        """
        if name not in _ANNOUNCED:
            raise EncodeError(f"a gateway announces {', '.join(_ANNOUNCED)}, not {name}")
        self._say(name, push_affected_point_codes(codes), *details)

    def _check_contexts(self, message: Message) -> None:
        """3.8.1: a routing context that no application server has."""
        known = self._configured | self._registered.keys()
        contexts = message.first(Tag.ROUTING_CONTEXT)
        if known and contexts and not known.issuperset(contexts.as_integers()):
            reason = f"routing contexts {contexts.as_integers()}, known are {sorted(known)}"
            raise _RefusedError(ErrorCode.INVALID_ROUTING_CONTEXT, reason)

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
            "refuse_deregistration": self._refuse_deregistration,
            "data": self._data,
            "answer_audit": self._answer_audit,
        }

    def _answer_up(self, message: Message) -> list[Event]:
        identifier = message.integer(Tag.ASP_IDENTIFIER)
        code = self._admit(identifier)
        if code is not None:
            raise _RefusedError(code, f"ASP identifier {identifier}")
        self._say("ASPUP ACK")
        self._notify(NotifyStatus.AS_INACTIVE)
        return [AspUp(identifier)]

    def _answer_up_active(self, message: Message) -> list[Event]:
        # 4.3.4.1: an active ASP that comes up again has restarted: acknowledged, told, and inactive from now.
        self._say("ASPUP ACK")
        self._error(ErrorCode.UNEXPECTED_MESSAGE, encode(message))
        return [AspInactive()]

    def _data(self, message: Message) -> list[Event]:
        self._check_contexts(message)
        return [Data(DataMessage.from_message(message))]

    def _answer_active(self, message: Message) -> list[Event]:
        mode = message.integer(Tag.TRAFFIC_MODE_TYPE)
        if mode is not None and mode not in list(TrafficMode):
            raise _RefusedError(ErrorCode.UNSUPPORTED_TRAFFIC_MODE_TYPE, f"traffic mode {mode}")
        self._check_contexts(message)
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
        for parameter in (p for p in message.parameters if p.tag == Tag.ROUTING_KEY):
            key = RoutingKey.from_parameters(parameter.as_parameters())
            result = self._register(key)
            results.append(result.to_parameter())
            if result.status == RegistrationStatus.SUCCESSFULLY_REGISTERED:
                events.append(Registered(result.routing_context))
        self._say("REG RSP", *results)
        return events

    def _register(self, key: RoutingKey) -> RegistrationResult:
        refusal = key.refusal()
        if refusal is not None:
            return RegistrationResult(key.local_identifier, refusal)
        for context, other in self._registered.items():
            if other.destinations == key.destinations:
                already = RegistrationStatus.ROUTING_KEY_ALREADY_REGISTERED
                return RegistrationResult(key.local_identifier, already, context)
        context, self._next_context = self._next_context, self._next_context + 1
        self._registered[context] = key
        return RegistrationResult(key.local_identifier, RegistrationStatus.SUCCESSFULLY_REGISTERED, context)

    def _answer_deregistration(self, message: Message) -> list[Event]:
        events: list[Event] = []
        results = []
        for context in _contexts(message):
            if self._registered.pop(context, None) is None:
                results.append(DeregistrationResult(context, DeregistrationStatus.NOT_REGISTERED))
            else:
                results.append(DeregistrationResult(context, DeregistrationStatus.SUCCESSFULLY_DEREGISTERED))
                events.append(Deregistered(context))
        self._say("DEREG RSP", *(result.to_parameter() for result in results))
        return events

    def _refuse_deregistration(self, message: Message) -> list[Event]:
        # 4.4.2: not while the ASP is active.
        active = DeregistrationStatus.ASP_CURRENTLY_ACTIVE
        self._say("DEREG RSP", *(DeregistrationResult(c, active).to_parameter() for c in _contexts(message)))
        return []

    def _answer_audit(self, message: Message) -> list[Event]:
        # 4.5.3: the state of each.
        codes = affected_point_codes(message)
        for code in codes:
            self.announce("DAVA" if self._available(code.point_code) else "DUNA", (code,))
        return [Audit(tuple(code.point_code for code in codes))]

    def _notify(self, status: NotifyStatus) -> None:
        self._say("NTFY", Parameter.integers(Tag.STATUS, status))
