"""EsmeClient: the ESME's driver on asyncio. It owns the socket and the loop's clock, no protocol rules."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from smpp import pdu
from smpp.errors import SmppError
from smpp.events import (
    BindFailed,
    Bound,
    Closed,
    Event,
    NoResponse,
    PeerError,
    Request,
    Response,
    Throttled,
    Unsent,
)
from smpp.link import BindRefused, Link, NotConnected, NotSent, OutcomeUnknown, Refused
from smpp.session import EsmeSession, SessionConfig
from smpp.states import State
from smpp.status import CommandStatus, status_name


@dataclass(slots=True)
class _Ticket:
    body: pdu.Body
    future: asyncio.Future[pdu.Body]
    send_before_s: float


@dataclass(slots=True)
class ClientCounters:
    """What a client has lived through; for metrics."""

    binds: int = 0
    losses: int = 0
    peer_errors: int = 0
    throttled: int = 0
    handler_errors: int = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """How a client comes back after a loss."""

    first_s: float = 0.1
    most_s: float = 5.0

    def next_s(self, before_s: float) -> float:
        """The pause after one of `before_s` (0 for the first)."""
        return min(max(2 * before_s, self.first_s), self.most_s)


DeliverHandler = Callable[[pdu.DeliverSm | pdu.DataSm], int | Awaitable[int]]
"""Gets a subscriber's message or a receipt, returns the command status of the response."""


def _accept_all(body: pdu.DeliverSm | pdu.DataSm) -> int:
    return CommandStatus.ESME_ROK


class EsmeClient:
    """An ESME that stays bound: binds, submits with a window, hands on deliver_sm, comes back after a loss.

    `sock` is a connected socket (an end of a socketpair) instead of host and port; then there is no coming
    back. While unbound, requests wait for the next bind, each until its own `send_before_s`.
    """

    def __init__(
        self,
        bind: pdu.Bind,
        *,
        host: str = "",
        port: int = 0,
        sock: socket.socket | None = None,
        on_deliver: DeliverHandler = _accept_all,
        on_bound: Callable[[bool, str], None] | None = None,
        config: SessionConfig | None = None,
        reconnect: Reconnect | None = None,
        outbind: Callable[[pdu.Outbind], bool] | None = None,
    ) -> None:
        """`on_bound(bound, reason)` is called at each change.

        With `outbind` the bind waits until the SMSC has asked for it, and for that function's consent.
        """
        if (sock is None) == (not host):
            raise ValueError("an EsmeClient takes either host and port or a connected socket")
        self.counters = ClientCounters()
        self._bind = bind
        self._host, self._port, self._sock = host, port, sock
        self._on_deliver = on_deliver
        self._on_bound = on_bound
        self._config = config or SessionConfig()
        self._reconnect = reconnect or Reconnect()
        self._outbind = outbind
        self._link: Link | None = None
        self._tickets: dict[int, _Ticket] = {}  # handle of the current session -> who waits
        self._parked: list[_Ticket] = []  # proven unsent, for the next session
        self._parked_timers: dict[int, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None
        self._bound: asyncio.Event = asyncio.Event()
        self._bind_failure: asyncio.Future[int] | None = None
        self._closing = False

    @property
    def bound(self) -> bool:
        """Whether a request would go out now."""
        return self._link is not None and self._link.session.bound

    @property
    def outstanding(self) -> int:
        """Requests without an outcome yet."""
        return len(self._tickets) + len(self._parked)

    async def start(self, timeout_s: float = 10.0) -> None:
        """Connect and bind.

        Raises BindRefused at once, NotConnected after `timeout_s`; the client is closed then.
        """
        self._bind_failure = asyncio.get_running_loop().create_future()
        self._runner = asyncio.create_task(self._run())
        waiting = asyncio.create_task(self._bound.wait())
        watched: set[asyncio.Future[Any]] = {waiting, self._bind_failure, self._runner}
        await asyncio.wait(watched, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._bound.is_set():
            return
        refused = self._bind_failure.result() if self._bind_failure.done() else None
        await self.close()
        if refused is not None:
            raise BindRefused(refused)
        where = "the given socket" if self._sock else f"{self._host}:{self._port}"
        raise NotConnected(
            f"not bound to {where} within {timeout_s:g} s: {self.counters.last_error or 'no answer'}"
        )

    def send(self, body: pdu.Body, *, unsent_after_s: float = inf) -> asyncio.Future[pdu.Body]:
        """Send a request at once (if the window has room) and return the future of its response.

        The future raises Refused, NotSent or OutcomeUnknown. What has not gone out after `unsent_after_s`
        seconds becomes NotSent. Cancelling the future takes the message back only while nothing is bound.
        """
        loop = asyncio.get_running_loop()
        ticket = _Ticket(body, loop.create_future(), loop.time() + unsent_after_s)
        if self._closing:
            ticket.future.set_exception(NotSent("the client is closed"))
        elif self._link is not None and self._link.session.bound:
            self._enter(self._link, ticket)
            self._link.flush()
        else:
            self._park(ticket)
        return ticket.future

    async def submit(self, body: pdu.SubmitSm, *, unsent_after_s: float = inf) -> pdu.SubmitSmResp:
        """One message; see `send`."""
        response = await self.send(body, unsent_after_s=unsent_after_s)
        assert isinstance(response, pdu.SubmitSmResp)
        return response

    async def cancel_sm(self, body: pdu.CancelSm, *, unsent_after_s: float = inf) -> pdu.CancelSmResp:
        """Take a message back; Refused with ESME_RCANCELFAIL where it is too late."""
        response = await self.send(body, unsent_after_s=unsent_after_s)
        assert isinstance(response, pdu.CancelSmResp)
        return response

    async def replace_sm(self, body: pdu.ReplaceSm, *, unsent_after_s: float = inf) -> pdu.ReplaceSmResp:
        """Put another text in a message's place; Refused with ESME_RREPLACEFAIL where it is too late."""
        response = await self.send(body, unsent_after_s=unsent_after_s)
        assert isinstance(response, pdu.ReplaceSmResp)
        return response

    async def query_sm(self, body: pdu.QuerySm, *, unsent_after_s: float = inf) -> pdu.QuerySmResp:
        """Ask where a message stands."""
        response = await self.send(body, unsent_after_s=unsent_after_s)
        assert isinstance(response, pdu.QuerySmResp)
        return response

    async def close(self, timeout_s: float = 2.0) -> None:
        """Wait for the responses under way, unbind, close. Whatever has not gone out becomes NotSent."""
        self._closing = True
        link = self._link
        loop = asyncio.get_running_loop()
        if link is not None and link.session.bound:
            end_s = loop.time() + timeout_s
            while link.session.in_flight and link.session.bound and loop.time() < end_s:
                await asyncio.sleep(0.005)
            if link.session.bound:
                link.session.unbind(loop.time())
                link.flush()
                await asyncio.wait({link.closed}, timeout=max(0.2, end_s - loop.time()))
        if self._runner is not None:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
        if link is not None:
            link.take(link.session.connection_lost("the client is closed"))
            if link.transport is not None:
                await asyncio.wait({link.closed}, timeout=0.5)
        if self._sock is not None and (link is None or link.transport is None):
            self._sock.close()
        self._fail_parked("the client is closed")
        for task in self._tasks:
            task.cancel()

    async def ended(self) -> None:
        """Wait until there is no connection and will be none: closed, or its one socket gone."""
        if self._runner is not None:
            await asyncio.wait({self._runner})

    # ---- inside

    async def _run(self) -> None:
        pause_s = 0.0
        while not self._closing:
            binds = self.counters.binds
            try:
                async with asyncio.timeout(self._config.response_timeout_s or None):
                    link = await self._connect()
            except OSError as fault:  # TimeoutError is one of them
                self._link = None
                self.counters.last_error = f"connect: {fault.strerror or fault or 'timed out'}"
            else:
                await asyncio.shield(link.closed)
                self._link = None
            if self._sock is not None:
                self._closing = True
                self._fail_parked("the connection is gone and there is no other")
                return
            pause_s = self._reconnect.next_s(0.0 if self.counters.binds > binds else pause_s)
            await asyncio.sleep(pause_s)

    async def _connect(self) -> Link:
        loop = asyncio.get_running_loop()

        def protocol() -> Link:
            session = EsmeSession(self._config, now_s=loop.time())
            if self._outbind is None:
                session.bind(self._bind, loop.time())
            self._link = Link(session, self._take)
            return self._link

        if self._sock is not None:
            _, link = await loop.create_connection(protocol, sock=self._sock)
        else:
            _, link = await loop.create_connection(protocol, self._host, self._port)
        return link

    def _enter(self, link: Link, ticket: _Ticket) -> None:
        if ticket.future.done():  # given up by who waited, before it was sent
            return
        now_s = asyncio.get_running_loop().time()
        try:
            handle = link.session.request(ticket.body, now_s, send_before_s=ticket.send_before_s)
        except SmppError as fault:
            ticket.future.set_exception(fault)
            return
        self._tickets[handle] = ticket

    def _park(self, ticket: _Ticket) -> None:
        self._parked.append(ticket)
        if ticket.send_before_s < inf:
            timer = asyncio.get_running_loop().call_at(ticket.send_before_s, self._unpark, ticket)
            self._parked_timers[id(ticket)] = timer

    def _unpark(self, ticket: _Ticket) -> None:
        self._parked_timers.pop(id(ticket), None)
        if ticket in self._parked:
            self._parked.remove(ticket)
            _fail(ticket, NotSent("not sent in time: no bound connection"))

    def _fail_parked(self, reason: str) -> None:
        for timer in self._parked_timers.values():
            timer.cancel()
        self._parked_timers.clear()
        parked, self._parked = self._parked, []
        for ticket in parked:
            _fail(ticket, NotSent(reason))

    def _take(self, link: Link, events: list[Event]) -> None:
        for event in events:
            handler = _CLIENT_EVENTS.get(type(event))
            if handler is not None:
                handler(self, link, event)

    def _on_response(self, link: Link, event: Response) -> None:
        ticket = self._tickets.pop(event.handle)
        if event.command_status != CommandStatus.ESME_ROK or isinstance(event.body, pdu.GenericNack):
            _fail(ticket, Refused(ticket.body.command, event.command_status))
        elif not ticket.future.done():
            ticket.future.set_result(event.body)

    def _on_no_response(self, link: Link, event: NoResponse) -> None:
        ticket = self._tickets.pop(event.handle)
        _fail(ticket, OutcomeUnknown(f"{ticket.body.command}: {event.reason}"))

    def _on_unsent(self, link: Link, event: Unsent) -> None:
        ticket = self._tickets.pop(event.handle)
        if link.session.bound or self._closing:
            _fail(ticket, NotSent(event.reason))
        else:
            self._park(ticket)

    def _on_bound_event(self, link: Link, event: Bound) -> None:
        self.counters.binds += 1
        self._bound.set()
        for timer in self._parked_timers.values():
            timer.cancel()
        self._parked_timers.clear()
        parked, self._parked = self._parked, []
        for ticket in parked:
            self._enter(link, ticket)
        if self._on_bound is not None:
            self._on_bound(True, f"bound to {event.peer_system_id or 'the SMSC'}")

    def _on_bind_failed(self, link: Link, event: BindFailed) -> None:
        self.counters.last_error = f"bind refused: {status_name(event.command_status)}"
        if self._bind_failure is not None and not self._bind_failure.done():
            self._bind_failure.set_result(event.command_status)
        if link.transport is not None:
            link.transport.close()

    def _on_closed(self, link: Link, event: Closed) -> None:
        was_bound = self._bound.is_set()
        self._bound.clear()
        self.counters.losses += not event.clean
        self.counters.last_error = event.reason
        if was_bound and self._on_bound is not None:
            self._on_bound(False, event.reason)

    def _on_throttled(self, link: Link, event: Throttled) -> None:
        self.counters.throttled += 1

    def _on_peer_error(self, link: Link, event: PeerError) -> None:
        self.counters.peer_errors += 1
        self.counters.last_error = str(event.error)

    def _on_request(self, link: Link, event: Request) -> None:
        body = event.body
        if isinstance(body, pdu.Outbind):
            self._on_outbind(link, body)
            return
        if not isinstance(body, pdu.DeliverSm | pdu.DataSm):
            return  # alert_notification: there is nothing to answer
        try:
            status = self._on_deliver(body)
        except Exception as fault:  # whatever it is: the peer is told, the session goes on
            self._respond(link, event, self._handler_failed(fault))
            return
        if isinstance(status, int):
            self._respond(link, event, status)
        else:
            task = asyncio.ensure_future(self._answer_later(link, event, status))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _on_outbind(self, link: Link, body: pdu.Outbind) -> None:
        """SMPP 3.4 4.1.7: the SMSC has called; bind, or hang up on who may not ask for that."""
        if self._outbind is None or link.session.state is not State.OPEN:
            return
        assert isinstance(link.session, EsmeSession)
        try:
            wanted = self._outbind(body)
        except Exception as fault:  # whatever it is: this is not to end the client
            self._handler_failed(fault)
            wanted = False
        if wanted:
            link.session.bind(self._bind, asyncio.get_running_loop().time())
        else:
            self.counters.last_error = f"outbind of {body.system_id!r} refused"
            link.abort()

    async def _answer_later(self, link: Link, event: Request, status: Awaitable[int]) -> None:
        try:
            value = await status
        except Exception as fault:  # whatever it is: the peer is told, the session goes on
            value = self._handler_failed(fault)
        self._respond(link, event, value)
        link.flush()

    def _handler_failed(self, fault: Exception) -> int:
        self.counters.handler_errors += 1
        self.counters.last_error = f"deliver handler: {fault!r}"
        return CommandStatus.ESME_RX_T_APPN

    def _respond(self, link: Link, event: Request, status: int) -> None:
        response = pdu.response_class(event.body)
        assert response is not None
        link.session.respond(event.sequence_number, response(), status)


def _fail(ticket: _Ticket, fault: Exception) -> None:
    if not ticket.future.done():
        ticket.future.set_exception(fault)


_CLIENT_EVENTS: dict[type[Event], Callable[..., None]] = {
    Response: EsmeClient._on_response,
    NoResponse: EsmeClient._on_no_response,
    Unsent: EsmeClient._on_unsent,
    Bound: EsmeClient._on_bound_event,
    BindFailed: EsmeClient._on_bind_failed,
    Closed: EsmeClient._on_closed,
    Throttled: EsmeClient._on_throttled,
    PeerError: EsmeClient._on_peer_error,
    Request: EsmeClient._on_request,
}
