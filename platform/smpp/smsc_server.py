"""SmscServer: the SMSC's driver on asyncio; listens, or takes connected sockets."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from smpp import pdu
from smpp.access import AccessList
from smpp.events import BindFailed, Bound, Closed, Event, NoResponse, PeerError, Request, Response, Unsent
from smpp.link import Link, NotSent, OutcomeUnknown
from smpp.session import SessionConfig, SmscSession
from smpp.states import State
from smpp.status import CommandStatus

Answer = tuple[pdu.Body, int]
"""The response and its command status."""


class Peer:
    """One ESME, as the SMSC sees it."""

    def __init__(self) -> None:
        self.system_id = ""
        self.peer_errors = 0
        self.closed: Closed | None = None
        """How the session ended, once it has."""
        self._link: Link | None = None
        self._futures: dict[int, asyncio.Future[Answer]] = {}

    @property
    def arrived(self) -> int:
        """The server's `stamp` at the read of the socket that brought the request being handled."""
        return self._link.arrived if self._link else 0

    @property
    def address(self) -> str:
        """The ESME's IP address; empty on a socketpair."""
        return self._link.address if self._link else ""

    def abort(self) -> None:
        """Drop the connection at once, without unbinding."""
        if self._link is not None:
            self._link.abort()

    @property
    def receives(self) -> bool:
        """Bound as receiver or transceiver."""
        return self._link is not None and self._link.session.state in (State.BOUND_RX, State.BOUND_TRX)

    @property
    def session(self) -> SmscSession:
        """The session, for its counters and state."""
        assert self._link is not None
        assert isinstance(self._link.session, SmscSession)
        return self._link.session

    def send(self, body: pdu.Body) -> asyncio.Future[Answer]:
        """deliver_sm or data_sm to the ESME; the future gives its response with whatever status.

        Raises NotSent or OutcomeUnknown through the future, SessionError at once where the bind is of the
        wrong kind.
        """
        assert self._link is not None
        loop = asyncio.get_running_loop()
        handle = self._link.session.request(body, loop.time())
        future = self._futures[handle] = loop.create_future()
        self._link.flush()
        return future


RequestHandler = Callable[[Peer, pdu.Body], Answer | Awaitable[Answer]]
"""Gets submit_sm, submit_multi, data_sm, query_sm, cancel_sm, replace_sm; returns the response."""


def _anybody(bind: pdu.Bind) -> int:
    return CommandStatus.ESME_ROK


class SmscServer:
    """An SMSC's front: any number of ESMEs, each with a session.

    A request handler that raises is answered with ESME_RSYSERR and counted in `handler_errors`.
    """

    def __init__(
        self,
        on_request: RequestHandler,
        *,
        authenticate: Callable[[pdu.Bind], int] = _anybody,
        access: AccessList | None = None,
        system_id: str = "SMSC",
        config: SessionConfig | None = None,
        rate_per_s: float = 0.0,
        on_bound: Callable[[Peer, bool], None] | None = None,
        stamp: Callable[[], int] | None = None,
        most_connections: int = 1_000,
    ) -> None:
        """`access` is asked first, then `authenticate`; over `most_connections` the newest are dropped."""
        self.handler_errors = 0
        self.binds_refused = 0
        self.turned_away = 0
        """Connections dropped unheard: from an address that is not listed, or too many."""
        self.last_error = ""
        self._on_request = on_request
        self._authenticate = authenticate
        self._access = access
        self._most_connections = most_connections
        self._system_id = system_id
        self._config = config or SessionConfig()
        self._rate_per_s = rate_per_s
        self._on_bound = on_bound
        self._stamp = stamp
        self._server: asyncio.Server | None = None
        self._peers: dict[Link, Peer] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port listened on, 0 if none."""
        if self._server is None or not self._server.sockets:
            return 0
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Connected ESMEs that have bound."""
        return tuple(peer for peer in self._peers.values() if peer.system_id)

    def receiver(self, system_id: str) -> Peer | None:
        """A session on which `system_id` takes messages: the newest. Receipts of a transmitter go there."""
        found = [peer for peer in self.peers if peer.system_id == system_id and peer.receives]
        return found[-1] if found else None

    async def listen(self, host: str, port: int = 0) -> None:
        """Listen; port 0 takes a free one. OSError where the port is taken."""
        self._server = await asyncio.get_running_loop().create_server(self._accept, host, port)

    async def adopt(self, sock: socket.socket) -> None:
        """Serve a connected socket."""
        await asyncio.get_running_loop().connect_accepted_socket(self._accept, sock)

    async def outbind(self, host: str, port: int, body: pdu.Outbind) -> None:
        """Call an ESME that listens and ask it to bind; on_bound tells if it does. OSError: it is away."""
        loop = asyncio.get_running_loop()
        _, link = await loop.create_connection(self._accept, host, port)
        if link.transport is not None:
            link.session.notify(body)
            link.flush()

    async def close(self, timeout_s: float = 1.0) -> None:
        """Stop listening, unbind everybody, close."""
        if self._server is not None:
            self._server.close()
        links = list(self._peers)
        now_s = asyncio.get_running_loop().time()
        for link in links:
            if link.session.bound:
                link.session.unbind(now_s)
                link.flush()
            else:
                link.take(link.session.connection_lost("the SMSC closes"))
        if links:
            await asyncio.wait([link.closed for link in links], timeout=timeout_s)
        for link in list(self._peers):
            link.abort()
            await asyncio.wait([link.closed], timeout=timeout_s)
        for task in self._tasks:
            task.cancel()
        if self._server is not None:
            await self._server.wait_closed()

    # ---- inside

    def _accept(self) -> Link:
        peer = Peer()
        session = SmscSession(
            lambda bind: self._let_in(peer, bind),
            self._config,
            now_s=asyncio.get_running_loop().time(),
            system_id=self._system_id,
            rate_per_s=self._rate_per_s,
        )
        link = Link(session, self._take, self._stamp, self._admit)
        self._peers[link] = peer
        peer._link = link
        return link

    def _admit(self, link: Link) -> bool:
        if len(self._peers) <= self._most_connections and (
            self._access is None or self._access.admits(link.address)
        ):
            return True
        self.turned_away += 1
        return False

    def _let_in(self, peer: Peer, bind: pdu.Bind) -> int:
        status: int = CommandStatus.ESME_ROK
        if self._access is not None:
            bound = sum(one.system_id == bind.system_id for one in self._peers.values())
            status = self._access.authenticate(bind, peer.address, bound)
        try:
            return status or self._authenticate(bind)
        except Exception as fault:  # whatever it is: the peer is told, the server goes on
            self.handler_errors += 1
            self.last_error = f"authenticate: {fault!r}"
            return CommandStatus.ESME_RBINDFAIL

    def _take(self, link: Link, events: list[Event]) -> None:
        peer = self._peers.get(link)
        if peer is None:
            return
        for event in events:
            if isinstance(event, Request):
                self._handle(link, peer, event)
            elif isinstance(event, Response):
                _settle(peer, event.handle, (event.body, event.command_status))
            elif isinstance(event, NoResponse):
                _settle(peer, event.handle, OutcomeUnknown(event.reason))
            elif isinstance(event, Unsent):
                _settle(peer, event.handle, NotSent(event.reason))
            elif isinstance(event, PeerError):
                peer.peer_errors += 1
                self.last_error = str(event.error)
            elif isinstance(event, Bound):
                peer.system_id = event.peer_system_id or "-"
                if self._on_bound is not None:
                    self._on_bound(peer, True)
            elif isinstance(event, BindFailed):
                self.binds_refused += 1
            elif isinstance(event, Closed):
                del self._peers[link]
                peer.closed = event
                if peer.system_id and self._on_bound is not None:
                    self._on_bound(peer, False)

    def _handle(self, link: Link, peer: Peer, event: Request) -> None:
        try:
            answer = self._on_request(peer, event.body)
            if isinstance(answer, tuple):
                link.session.respond(event.sequence_number, *answer)
                return
        except Exception as fault:  # whatever it is: the peer is told, the session goes on
            self._failed(link, event, fault)
            return
        task = asyncio.ensure_future(self._answer_later(link, event, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_later(self, link: Link, event: Request, answer: Awaitable[Answer]) -> None:
        try:
            body, status = await answer
            link.session.respond(event.sequence_number, body, status)
        except Exception as fault:  # whatever it is: the peer is told, the session goes on
            self._failed(link, event, fault)
        link.flush()

    def _failed(self, link: Link, event: Request, fault: Exception) -> None:
        self.handler_errors += 1
        self.last_error = f"request handler: {fault!r}"
        response = pdu.response_class(event.body)
        assert response is not None
        link.session.respond(event.sequence_number, response(), CommandStatus.ESME_RSYSERR)


def _settle(peer: Peer, handle: int, outcome: Answer | Exception) -> None:
    future = peer._futures.pop(handle, None)
    if future is None or future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
