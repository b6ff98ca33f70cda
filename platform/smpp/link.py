"""One connection with its session under asyncio, and the errors that drivers raise. Shared by both roles."""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from smpp.errors import SmppError
from smpp.events import Event
from smpp.session import Session
from smpp.states import State
from smpp.status import status_name

_MOST_UNREAD = 16 * 1024 * 1024
"""Octets written that the peer does not read; past it the connection is dropped, so that it cannot fill
memory."""
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux has it."""
_LINGER_S = 1.0
"""How long the last bytes of a closing connection may take."""


class RequestError(SmppError):
    """Base of the three ways a request of ours does not succeed."""


class Refused(RequestError):  # noqa: N818 - the name says what happened
    """The peer answered with an error status: it has not taken the message."""

    def __init__(self, command: str, command_status: int) -> None:
        super().__init__(f"{command} refused: {status_name(command_status)}")
        self.command_status = command_status


class NotSent(RequestError):  # noqa: N818 - the name says what happened
    """Proven to have had no effect: never written to a connection, or refused by throttling each time."""


class OutcomeUnknown(RequestError):  # noqa: N818 - the name says what happened
    """Written, and neither accepted nor refused: it may have been taken.

    Count it as taken, never send it again.
    """


class BindRefused(SmppError):  # noqa: N818 - the name says what happened
    """The SMSC does not let us in."""

    def __init__(self, command_status: int) -> None:
        super().__init__(f"bind refused: {status_name(command_status)}")
        self.command_status = command_status


class NotConnected(SmppError):  # noqa: N818 - the name says what happened
    """No bound connection within the time given."""


def _address(transport: asyncio.Transport) -> str:
    """The peer's, without a zone; a mapped IPv4 address as such."""
    peer = transport.get_extra_info("peername")  # None where it is gone already
    if not peer:
        return ""
    address = ip_address(str(peer[0]).partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


class Link(asyncio.Protocol):
    """One connection with its session: bytes in, bytes out, one timer."""

    def __init__(
        self,
        session: Session,
        on_events: Callable[["Link", list[Event]], None],
        stamp: Callable[[], int] | None = None,
        admit: Callable[["Link"], bool] | None = None,
    ) -> None:
        """`stamp` is read once for each read of the socket, before anything else.

        `admit` looks at who is connected, before any octet is read; refused means dropped.
        """
        self.session = session
        self.arrived = 0
        self.transport: asyncio.Transport | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self._on_events = on_events
        self._loop = asyncio.get_running_loop()
        self._stamp = stamp
        self._timer: asyncio.TimerHandle | None = None
        self._flushing = False
        self._sock: socket.socket | None = None
        self._admit = admit
        self.address = ""
        """The peer's IP address; empty where there is none, as on a socketpair."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            self._sock = sock
            self.address = _address(transport)
        if self._admit is not None and not self._admit(self):
            transport.abort()
            return
        self.flush()

    def data_received(self, data: bytes) -> None:
        if self._stamp is not None:
            self.arrived = self._stamp()
        self.take(self.session.receive_bytes(data, self._loop.time()))
        if self._sock is not None and _QUICKACK is not None and self.transport is not None:
            # A peer with Nagle's algorithm holds its small PDUs until the last ones are acknowledged, which
            # the kernel puts off by 40 ms where no answer is due (a deliver_sm_resp has none).
            self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._timer is not None:
            self._timer.cancel()
        self.take(
            self.session.connection_lost(
                f"connection lost: {exc}" if exc else "connection closed by the peer"
            )
        )
        if not self.closed.done():
            self.closed.set_result(None)

    def take(self, events: list[Event]) -> None:
        """Hand events on, then write what they led to, all at once."""
        if events:
            self._on_events(self, events)
        self._write()

    def flush(self) -> None:
        """Write now; further calls within this turn of the loop are gathered into one write at its end."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._end_of_turn)
            self._write()

    def _end_of_turn(self) -> None:
        self._flushing = False
        self._write()

    def _write(self) -> None:
        data = self.session.bytes_to_send()
        if self.transport is None:
            return
        if data:
            self.transport.write(data)
            if self.transport.get_write_buffer_size() > _MOST_UNREAD:
                self.abort()
                return
        deadline_s = self.session.next_deadline
        if self.session.state is State.CLOSED:
            if not self.transport.is_closing():
                self.transport.close()
                self._loop.call_later(_LINGER_S, self.abort)
        elif deadline_s is not None and (self._timer is None or self._timer.when() > deadline_s):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(deadline_s, self._on_timer)

    def abort(self) -> None:
        """Drop the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def _on_timer(self) -> None:
        self._timer = None
        self.take(self.session.handle_timer(self._loop.time()))
