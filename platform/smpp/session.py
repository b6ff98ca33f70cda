"""Sessions of SMPP 3.4 without input or output: bytes and `now_s` in; bytes, events and a deadline out.

    events = session.receive_bytes(data, now_s)     # from the connection
    events = session.handle_timer(now_s)            # when session.next_deadline has come
    handle = session.request(SubmitSm(...), now_s)  # its outcome is told by an event with this handle
    connection.write(session.bytes_to_send())       # after each of them

Every request ends in exactly one of Response, NoResponse (it went out, outcome unknown) and Unsent (no
effect). Requests over the window wait inside, in order. A request refused with ESME_RTHROTTLED or
ESME_RMSGQFUL goes again after a pause that doubles while refusals last.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from smpp import pdu
from smpp.errors import DecodeError, EncodeError, SessionError
from smpp.events import (
    BindFailed,
    Bound,
    Closed,
    Event,
    NoResponse,
    PeerError,
    Request,
    Response,
    Stray,
    Throttled,
    Unsent,
)
from smpp.states import BOUND, BOUND_BY, ISSUED, MESSAGE_REQUESTS, TRANSITIONS, Role, State, other
from smpp.status import CommandStatus
from smpp.tlv import get_int, make

AGAIN = frozenset({CommandStatus.ESME_RTHROTTLED, CommandStatus.ESME_RMSGQFUL})
"""Refusals that mean later, not never."""

INTERFACE_VERSION = 0x34
UNBIND_GRACE_S = 1.0
"""How long a peer that unbinds has for the responses it still owes us."""
MOST_REFUSALS = 3
"""Binds an SMSC refuses on one connection before it closes it."""


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Limits and timers of one session: SMPP 3.4 7.2. Zero or less switches a timer off."""

    window: int = 64
    """Requests of ours that may be unanswered at a time."""
    response_timeout_s: float = 10.0
    """response_timer: an answer later than this is none."""
    enquire_link_s: float = 30.0
    """enquire_link_timer: silence of the peer after which the link is tried."""
    session_init_s: float = 10.0
    """session_init_timer: an SMSC closes a connection on which no bind came for this long."""
    inactivity_s: float = 0.0
    """inactivity_timer: an SMSC closes a session with no request for this long, enquire_link not counted."""
    throttle_first_s: float = 0.05
    """First pause after a throttling refusal."""
    throttle_most_s: float = 5.0
    """Longest pause."""
    peer_window: int = 5_000
    """Unanswered requests of the peer; one more is refused with ESME_RMSGQFUL."""
    max_pdu: int = pdu.MAX_PDU
    """Octets."""

    def __post_init__(self) -> None:
        for name in ("window", "peer_window"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, not {getattr(self, name)}")
        if not 0 < self.throttle_first_s <= self.throttle_most_s:
            raise ValueError("throttle_first_s is positive and at most throttle_most_s")


@dataclass(slots=True)
class _Pending:
    handle: int
    body: pdu.Body
    send_before_s: float
    deadline_s: float = inf


@dataclass(slots=True)
class Counters:
    """What a session has seen; for metrics."""

    sent: dict[str, int] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)
    errors: int = 0
    stray: int = 0
    throttled: int = 0
    no_response: int = 0


def _count(table: dict[str, int], name: str) -> None:
    table[name] = table.get(name, 0) + 1


class Session:
    """What both roles share. Use EsmeSession or SmscSession."""

    role: Role

    def __init__(self, config: SessionConfig, now_s: float) -> None:
        self.config = config
        self.state = State.OPEN
        self.counters = Counters()
        self._splitter = pdu.Splitter(config.max_pdu)
        self._out: list[bytes] = []
        self._sequence_number = 0
        self._handle = 0
        self._waiting: list[
            tuple[int, _Pending]
        ] = []  # heap by handle: first come first sent, throttled ones too
        self._sent: dict[int, _Pending] = {}  # by sequence number, oldest first: deadlines ascend
        self._asked: dict[int, type[pdu.Body]] = {}  # the peer's requests that we owe a response
        self._unsent_deadline_s = inf
        self._paused_until_s = -inf
        self._pause_s = 0.0
        self._heard_s = now_s
        self._enquired: int | None = None
        self._enquire_deadline_s = inf
        self._phase_deadline_s = inf  # session_init, bind or unbind, whichever we are in
        self._unbind_asked = 0  # the peer's unbind, while LEAVING

    # ---- driver's side

    @property
    def bound(self) -> bool:
        """Whether requests may go."""
        return self.state in BOUND

    @property
    def in_flight(self) -> int:
        """Requests sent and unanswered."""
        return len(self._sent)

    @property
    def waiting(self) -> int:
        """Requests accepted and not sent yet."""
        return len(self._waiting)

    @property
    def next_deadline(self) -> float | None:
        """When to call `handle_timer` next, on the scale of `now_s`; None for never."""
        if self.state is State.CLOSED:
            return None
        nearest = min(self._phase_deadline_s, self._unsent_deadline_s, self._idle_deadline_s())
        if self._sent:
            nearest = min(nearest, next(iter(self._sent.values())).deadline_s)
        if self._waiting and len(self._sent) < self.config.window and self.state in BOUND:
            nearest = min(nearest, self._paused_until_s)
        return None if nearest == inf else nearest

    def bytes_to_send(self) -> bytes:
        """Everything to be written now; empties the buffer."""
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    def request(self, body: pdu.Body, now_s: float, *, send_before_s: float = inf) -> int:
        """Send `body`, at once if the window has room, and return its handle.

        Not sent by `send_before_s` it becomes Unsent. Raises SessionError where the state does not permit it.
        """
        permitted = ISSUED.get(type(body))
        if permitted is None or type(body) in BOUND_BY or isinstance(body, pdu.Unbind | pdu.EnquireLink):
            raise SessionError(f"{body.command} is not sent by request()")
        if self.state not in permitted[self.role]:
            raise SessionError(f"the {self.role.value} may not send {body.command} when {self.state.value}")
        if pdu.response_class(body) is None:
            raise SessionError(f"{body.command} has no response: send it by notify()")
        self._handle += 1
        pending = _Pending(self._handle, body, send_before_s)
        heapq.heappush(self._waiting, (pending.handle, pending))
        self._send_waiting(now_s)
        if self._waiting and send_before_s < self._unsent_deadline_s:
            self._unsent_deadline_s = send_before_s
        return pending.handle

    def notify(self, body: pdu.Outbind | pdu.AlertNotification) -> None:
        """Send a PDU that has no response."""
        if self.state not in ISSUED[type(body)][self.role]:
            raise SessionError(f"the {self.role.value} may not send {body.command} when {self.state.value}")
        self._transmit(body, self._next_sequence_number())

    def respond(self, sequence_number: int, body: pdu.Body, command_status: int = 0) -> None:
        """Answer the peer's request. An answer to a session that has closed meanwhile goes nowhere."""
        if self.state is State.CLOSED:
            return
        asked = self._asked.pop(sequence_number, None)
        if asked is None:
            raise SessionError(f"nothing with sequence_number {sequence_number} waits for {body.command}")
        if body.command_id != asked.command_id | pdu.RESPONSE and not isinstance(body, pdu.GenericNack):
            self._asked[sequence_number] = asked
            raise SessionError(f"{body.command} does not answer {asked.command}")
        self._transmit(body, sequence_number, command_status)

    def unbind(self, now_s: float) -> None:
        """Take leave; Closed follows with the response or after response_timeout_s."""
        if self.state not in BOUND:
            raise SessionError(f"unbind when {self.state.value}")
        self._enter("unbind sent")
        self._phase_deadline_s = self._timeout_s(now_s)
        self._transmit(pdu.Unbind(), self._next_sequence_number())

    def connection_lost(self, reason: str = "connection lost") -> list[Event]:
        """The connection is gone: say what becomes of each request, then Closed."""
        events: list[Event] = []
        self._close(events, reason, clean=False)
        return events

    def receive_bytes(self, data: bytes, now_s: float) -> list[Event]:
        """Take what the peer sent; any bytes are survived."""
        events: list[Event] = []
        if self.state is State.CLOSED:
            return events
        whole = self._splitter.feed(data)
        if whole:  # an octet now and then is no sign of life
            self._heard_s = now_s
        for raw in whole:
            try:
                received = pdu.decode(raw)
            except DecodeError as error:
                self._answer_error(events, error)
                self._settle_unreadable(events, raw, error)
                continue
            _count(self.counters.received, received.body.command)
            if received.body.command_id & pdu.RESPONSE:
                self._take_response(events, received, now_s)
            else:
                self._take_request(events, received, now_s)
            if self._is_closed():
                return events
        if self._splitter.error is not None:
            self._answer_error(events, self._splitter.error)
            self._close(events, f"framing lost: {self._splitter.error.reason}", clean=False)
            return events
        if self.state is State.LEAVING and not self._sent:
            self._leave(events)
        self._send_waiting(now_s)
        return events

    def handle_timer(self, now_s: float) -> list[Event]:
        """Do what is due at `now_s`."""
        events: list[Event] = []
        if self.state is State.CLOSED:
            return events
        if now_s >= self._phase_deadline_s and self.state is State.LEAVING:
            self._leave(events)
            return events
        if now_s >= self._phase_deadline_s:
            self._close(events, _PHASE_REASONS.get(self.state, "no request came in time"), clean=False)
            return events
        while self._sent:
            sequence_number, pending = next(iter(self._sent.items()))
            if pending.deadline_s > now_s:
                break
            del self._sent[sequence_number]
            self.counters.no_response += 1
            events.append(
                NoResponse(pending.handle, f"no response within {self.config.response_timeout_s:g} s")
            )
        if now_s >= self._unsent_deadline_s:
            self._drop_late(events, now_s)
        if now_s >= self._idle_deadline_s():
            self._idle(events, now_s)
        if not self._is_closed():
            self._send_waiting(now_s)
        return events

    # ---- inside

    def _timeout_s(self, now_s: float) -> float:
        return now_s + self.config.response_timeout_s if self.config.response_timeout_s > 0 else inf

    def _is_closed(self) -> bool:
        return self.state is State.CLOSED

    def _enter(self, happened: str) -> None:
        self.state = TRANSITIONS[self.state, happened]

    def _next_sequence_number(self) -> int:
        while True:
            self._sequence_number = self._sequence_number % pdu.MAX_SEQUENCE_NUMBER + 1
            if self._sequence_number not in self._sent:
                return self._sequence_number

    def _transmit(self, body: pdu.Body, sequence_number: int, command_status: int = 0) -> None:
        self._out.append(pdu.encode(body, sequence_number, command_status))
        _count(self.counters.sent, body.command)

    def _send_waiting(self, now_s: float) -> None:
        if now_s < self._paused_until_s or self.state not in BOUND:
            return
        deadline_s = self._timeout_s(now_s)
        while self._waiting and len(self._sent) < self.config.window:
            if self._waiting[0][1].send_before_s <= now_s:
                self._unsent_deadline_s = now_s  # handle_timer tells
                return
            pending = heapq.heappop(self._waiting)[1]
            sequence_number = self._next_sequence_number()
            self._transmit(pending.body, sequence_number)
            pending.deadline_s = deadline_s
            self._sent[sequence_number] = pending

    def _drop_late(self, events: list[Event], now_s: float) -> None:
        late = [entry for entry in self._waiting if entry[1].send_before_s <= now_s]
        self._waiting = [entry for entry in self._waiting if entry[1].send_before_s > now_s]
        heapq.heapify(self._waiting)
        self._unsent_deadline_s = min((entry[1].send_before_s for entry in self._waiting), default=inf)
        events += [Unsent(handle, pending.body, "not sent in time") for handle, pending in sorted(late)]

    def _take_request(self, events: list[Event], received: pdu.Pdu, now_s: float) -> None:
        body, sequence_number = received.body, received.sequence_number
        response = pdu.response_class(body)
        if isinstance(body, pdu.EnquireLink):
            self._transmit(pdu.EnquireLinkResp(), sequence_number)
            return
        if self.state not in ISSUED[type(body)][other(self.role)]:
            if self.state is State.UNBINDING and isinstance(body, pdu.Unbind):  # both at once
                self._transmit(pdu.UnbindResp(), sequence_number)
                return
            again = type(body) in BOUND_BY and self.state in BOUND
            status = CommandStatus.ESME_RALYBND if again else CommandStatus.ESME_RINVBNDSTS
            error = DecodeError(
                f"{body.command} when {self.state.value}",
                command_status=status,
                command_id=body.command_id,
                sequence_number=sequence_number,
            )
            self._answer_error(events, error)
        elif isinstance(body, pdu.Unbind):
            self._enter("unbind received")
            self._unbind_asked = sequence_number
            self._phase_deadline_s = min(now_s + UNBIND_GRACE_S, self._timeout_s(now_s))
        elif response is None:
            events.append(Request(sequence_number, body))
        elif len(self._asked) >= self.config.peer_window:
            self._transmit(response(), sequence_number, CommandStatus.ESME_RMSGQFUL)
        elif sequence_number in self._asked:
            error = DecodeError(
                f"sequence_number {sequence_number} is used twice",
                command_status=CommandStatus.ESME_RSYSERR,
                command_id=body.command_id,
                sequence_number=sequence_number,
            )
            self._answer_error(events, error)
        else:
            self._asked[sequence_number] = type(body)
            self._admit(events, Request(sequence_number, body), now_s)

    def _admit(self, events: list[Event], request: Request, now_s: float) -> None:
        events.append(request)

    def _take_response(self, events: list[Event], received: pdu.Pdu, now_s: float) -> None:
        body, sequence_number, status = received.body, received.sequence_number, received.command_status
        nack = isinstance(body, pdu.GenericNack)
        if sequence_number == self._enquired and (nack or isinstance(body, pdu.EnquireLinkResp)):
            self._enquired, self._enquire_deadline_s = None, inf  # any answer shows that the peer lives
        elif self.state is State.UNBINDING and isinstance(body, pdu.UnbindResp):
            self._close(events, "unbound", clean=True)
        elif self._take_bind_response(events, received):
            pass
        elif (pending := self._sent.get(sequence_number)) is not None and (
            nack or body.command_id == pending.body.command_id | pdu.RESPONSE
        ):
            del self._sent[sequence_number]
            if status in AGAIN:
                self._throttle(events, pending, status, now_s)
            else:
                self._pause_s = 0.0
                events.append(Response(pending.handle, body, status))
        else:
            self.counters.stray += 1
            events.append(Stray(received))

    def _take_bind_response(self, events: list[Event], received: pdu.Pdu) -> bool:
        return False

    def _settle_unreadable(self, events: list[Event], raw: bytes, error: DecodeError) -> None:
        """A response to ours with a broken body: its status may still refuse, else the outcome is unknown."""
        pending = self._sent.get(error.sequence_number)
        if pending is None or error.command_id != pending.body.command_id | pdu.RESPONSE:
            return
        status = pdu.HEADER.unpack_from(raw)[2]
        if status:
            empty = pdu.encode(pdu.COMMANDS[error.command_id](), error.sequence_number, status)
            self._take_response(events, pdu.decode(empty), self._heard_s)
            return
        del self._sent[error.sequence_number]
        self.counters.no_response += 1
        events.append(NoResponse(pending.handle, f"the response cannot be read: {error.reason}"))

    def _throttle(self, events: list[Event], pending: _Pending, status: int, now_s: float) -> None:
        self.counters.throttled += 1
        if now_s >= self._paused_until_s:  # one step for all refusals of one burst
            self._pause_s = min(
                max(2 * self._pause_s, self.config.throttle_first_s), self.config.throttle_most_s
            )
            self._paused_until_s = now_s + self._pause_s
            events.append(Throttled(self._paused_until_s, status))
        heapq.heappush(self._waiting, (pending.handle, pending))
        self._unsent_deadline_s = min(self._unsent_deadline_s, pending.send_before_s)

    def _answer_error(self, events: list[Event], error: DecodeError) -> None:
        """Tell the peer in the response that belongs to the request, else by generic_nack: SMPP 3.4 4.3."""
        self.counters.errors += 1
        events.append(PeerError(error))
        if error.command_id & pdu.RESPONSE:
            return
        cls = pdu.COMMANDS.get(error.command_id)
        response = None if cls is None else pdu.response_class(cls)
        if response is not None:
            self._transmit(response(), error.sequence_number, error.command_status)
        elif cls is None:
            self._transmit(pdu.GenericNack(), error.sequence_number, error.command_status)

    def _idle_deadline_s(self) -> float:
        if self._enquired is not None:
            return self._enquire_deadline_s
        return self._heard_s + self.config.enquire_link_s if self.config.enquire_link_s > 0 else inf

    def _idle(self, events: list[Event], now_s: float) -> None:
        if self._enquired is not None:
            self._close(
                events, f"enquire_link unanswered for {self.config.response_timeout_s:g} s", clean=False
            )
            return
        self._enquired = self._next_sequence_number()
        self._enquire_deadline_s = self._timeout_s(now_s)
        self._transmit(pdu.EnquireLink(), self._enquired)

    def _leave(self, events: list[Event]) -> None:
        """Answer the peer's unbind."""
        self._transmit(pdu.UnbindResp(), self._unbind_asked)
        self._close(events, "the peer unbound", clean=True)

    def _close(self, events: list[Event], reason: str, *, clean: bool) -> None:
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        events += [NoResponse(pending.handle, reason) for pending in self._sent.values()]
        events += [Unsent(handle, pending.body, reason) for handle, pending in sorted(self._waiting)]
        self.counters.no_response += len(self._sent)
        self._sent.clear()
        self._waiting.clear()
        self._asked.clear()
        events.append(Closed(reason, clean))


_PHASE_REASONS = {
    State.OPEN: "no bind came in time",
    State.BINDING: "the bind was not answered in time",
    State.UNBINDING: "the unbind was not answered in time",
}


class EsmeSession(Session):
    """The client's end."""

    role = Role.ESME

    def __init__(self, config: SessionConfig | None = None, *, now_s: float) -> None:
        super().__init__(config or SessionConfig(), now_s)
        self._bind: tuple[int, pdu.Bind] | None = None

    def bind(self, body: pdu.Bind, now_s: float) -> None:
        """Ask to be bound; Bound, BindFailed or Closed follows."""
        if type(body) not in BOUND_BY:
            raise EncodeError(f"{type(body).__name__} is none of the three bind requests")
        if self.state is not State.OPEN:
            raise SessionError(f"bind when {self.state.value}")
        self._enter("bind sent")
        self._bind = (self._next_sequence_number(), body)
        self._phase_deadline_s = self._timeout_s(now_s)
        self._transmit(body, self._bind[0])

    def _take_bind_response(self, events: list[Event], received: pdu.Pdu) -> bool:
        if self.state is not State.BINDING or self._bind is None or received.sequence_number != self._bind[0]:
            return False
        body, bind = received.body, self._bind[1]
        if isinstance(body, pdu.BindResp) and body.command_id == bind.command_id | pdu.RESPONSE:
            refused = received.command_status != CommandStatus.ESME_ROK
        elif isinstance(body, pdu.GenericNack):
            refused = True
        else:
            return False
        self._bind = None
        self._phase_deadline_s = inf
        if refused:
            self._enter("bind refused")
            events.append(BindFailed(received.command_status))
        else:
            self.state = BOUND_BY[type(bind)]
            assert isinstance(body, pdu.BindResp)
            events.append(Bound(bind, body.system_id, get_int(body.tlvs, "sc_interface_version")))
        return True


class SmscSession(Session):
    """The server's end. `authenticate(bind)` returns a command status, ESME_ROK to let the ESME in."""

    role = Role.SMSC

    def __init__(
        self,
        authenticate: Callable[[pdu.Bind], int],
        config: SessionConfig | None = None,
        *,
        now_s: float,
        system_id: str = "SMSC",
        rate_per_s: float = 0.0,
    ) -> None:
        """`rate_per_s` over 0: messages beyond it get ESME_RTHROTTLED (a bucket of one second's worth)."""
        super().__init__(config or SessionConfig(), now_s)
        self._authenticate = authenticate
        self._system_id = system_id
        self._refusals = 0
        self._rate_per_s = rate_per_s
        self._tokens = max(1.0, rate_per_s)
        self._tokens_at_s = now_s
        if self.config.session_init_s > 0:
            self._phase_deadline_s = now_s + self.config.session_init_s

    def _admit(self, events: list[Event], request: Request, now_s: float) -> None:
        body = request.body
        if isinstance(body, pdu.Bind):
            self._admit_bind(events, request.sequence_number, body, now_s)
            return
        if self.config.inactivity_s > 0:
            self._phase_deadline_s = now_s + self.config.inactivity_s
        if self._rate_per_s > 0 and type(body) in MESSAGE_REQUESTS and not self._take_token(now_s):
            response = pdu.response_class(body)
            assert response is not None
            self.respond(request.sequence_number, response(), CommandStatus.ESME_RTHROTTLED)
            return
        events.append(request)

    def _admit_bind(self, events: list[Event], sequence_number: int, bind: pdu.Bind, now_s: float) -> None:
        response = pdu.response_class(bind)
        assert response is not None
        assert issubclass(response, pdu.BindResp)
        status = self._authenticate(bind)
        if status != CommandStatus.ESME_ROK:
            self.respond(sequence_number, response(), status)
            events.append(BindFailed(status))
            self._refusals += 1
            if self._refusals >= MOST_REFUSALS:
                self._close(events, f"{self._refusals} binds refused", clean=False)
            return
        # SMPP 3.4 4.1.2: sc_interface_version only to who understands optional parameters
        version = (make("sc_interface_version", INTERFACE_VERSION),) if bind.interface_version >= 0x34 else ()
        self.respond(sequence_number, response(self._system_id, version))
        self.state = BOUND_BY[type(bind)]
        self._phase_deadline_s = now_s + self.config.inactivity_s if self.config.inactivity_s > 0 else inf
        events.append(Bound(bind, bind.system_id, bind.interface_version))

    def _take_token(self, now_s: float) -> bool:
        gained = (now_s - self._tokens_at_s) * self._rate_per_s
        self._tokens = min(max(1.0, self._rate_per_s), self._tokens + gained)
        self._tokens_at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
