"""Transport `usrsctp`: libusrsctp over UDP (RFC 6951), for machines without SCTP in the kernel.

It interoperates with the Linux kernel's `net.sctp.encap_port`. One native thread in the process moves
packets, timers and acknowledgements whatever Python does. Loss of an association is noticed by unanswered
retransmissions and heartbeats, and sooner where the other machine answers that the UDP port is closed, as
the loopback does after `kill -9`.
"""

from __future__ import annotations

import atexit
import errno
import functools
import select
import socket
import struct
import time
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from sigtran.batch import MessageBatch
from sigtran.closing import Closing
from sigtran.endpoints import (
    AssociationLost,
    ConnectError,
    Kind,
    ListenError,
    State,
    TransportError,
    TransportUnavailable,
)

if TYPE_CHECKING:
    from sigtran._usrsctp import AssociationHandle, ListenerHandle, StackError

__all__ = ["UsrsctpAssociation", "UsrsctpListener", "connect", "listen", "probe"]

T = TypeVar("T")

_SLICE: Final = 1024
"""Messages handed over at once: smaller than the bound of the send queue by far."""


@functools.cache
def _stack() -> ModuleType:
    try:
        from sigtran import _usrsctp
    except ImportError as error:
        if "libusrsctp" in str(error):
            remedy = "install the library: apt-get install libusrsctp2"
        else:
            remedy = (
                "it was built without libusrsctp: "
                "apt-get install libusrsctp-dev, then install this package again"
            )
        raise TransportUnavailable(f"no userland SCTP ({error}); {remedy}") from error
    atexit.register(_usrsctp.stop)
    return _usrsctp


def probe() -> str:
    """Why this transport works here; raises `TransportUnavailable` with the remedy where it does not."""
    _stack()
    return "libusrsctp over UDP (RFC 6951)"


def _address(host: str, port: int) -> bytes:
    """A struct sockaddr_in or sockaddr_in6 of this machine's layout."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except socket.gaierror as error:
        raise TransportError(f"no address for {host!r}: {error.strerror}") from error
    octets = socket.inet_pton(family, str(address[0]))
    head = struct.pack("=H", family) + struct.pack("!H", port)
    if family == socket.AF_INET6:
        return head + bytes(4) + octets + bytes(4)
    return head + octets + bytes(8)


def _refuse(error: StackError, what: type[TransportError], host: str, port: int, udp_port: int) -> NoReturn:
    if error.errno == errno.ECHILD:
        raise TransportUnavailable(
            "libusrsctp cannot be used here: this process was forked from one that had started it, or is "
            "ending; start processes with the method spawn"
        ) from error
    if error.step == 1 and error.errno == errno.EADDRINUSE:
        raise what(
            f"UDP port {udp_port} on {host} is in use; end the program that holds it "
            f"(ss -ulpn 'sport = :{udp_port}') or choose another encap_port (0: any free one)"
        ) from error
    if error.step == 1:
        raise what(f"UDP port {udp_port} on {host} cannot be bound: {error.strerror or error}") from error
    if error.step == 2:
        raise what(
            f"SCTP port {port} is in use by another listener of this process; "
            "choose another port (0: any free one)"
        ) from error
    raise what(f"libusrsctp: {errno.errorcode.get(error.errno or 0, error.errno)}") from error


class UsrsctpAssociation(Closing):
    """An association of libusrsctp; made by `connect` and `UsrsctpListener.accept`."""

    kind: Kind = "usrsctp"

    def __init__(self, handle: AssociationHandle) -> None:
        self._handle = handle

    @property
    def streams(self) -> int:
        return self._handle.streams()

    @property
    def peer(self) -> str:
        return self._handle.peer().removeprefix("UDP ").rpartition(":")[0].strip("[]")

    @property
    def state(self) -> State:
        return self._handle.state()[0]

    @property
    def reason(self) -> str:
        return self._handle.state()[1]

    def send(self, batch: MessageBatch) -> None:
        if not batch.n:
            return
        if int(batch.streams.max()) >= self.streams:
            raise ValueError(f"stream {int(batch.streams.max())} of an association with {self.streams}")
        if batch.n <= _SLICE:
            self._send(batch)
            return
        for start in range(0, batch.n, _SLICE):
            self._send(batch.slice(start, min(start + _SLICE, batch.n)))

    def _send(self, batch: MessageBatch) -> None:
        longest = _stack().MAX_MESSAGE
        if len(batch.data) > longest and int((batch.offsets[1:] - batch.offsets[:-1]).max()) > longest:
            raise ValueError(f"a message of more than {longest} octets")
        # One second at a time, so that Ctrl-C is heard while the peer's window is closed.
        while (result := self._handle.send(batch.data, batch.offsets, batch.streams, 1.0)) == 1:
            continue
        if result == 2:
            raise AssociationLost(self.reason or "closed here")
        if result == 3:
            raise MemoryError

    def receive(self) -> MessageBatch | None:
        taken = self._handle.receive()
        return None if taken is None else MessageBatch(*taken)

    def fileno(self) -> int:
        return self._handle.fileno()

    def wait(self, timeout_s: float) -> bool:
        return _readable(self._handle.fileno(), timeout_s)

    def flush(self, timeout_s: float) -> bool:
        return _in_slices(timeout_s, self._handle.flush, lambda done: done or self.state != "up")

    def close(self, timeout_s: float = 1.0) -> None:
        if not self._handle.finish(False, timeout_s):
            self.abort()

    def abort(self) -> None:
        self._handle.finish(True, 1.0)


class UsrsctpListener(Closing):
    """A UDP socket and an SCTP port on it; made by `listen`."""

    kind: Kind = "usrsctp"

    def __init__(self, handle: ListenerHandle, host: str) -> None:
        self._handle = handle
        self.host = host
        self.port = handle.port
        self.encap_port = handle.udp_port

    def accept(self, timeout_s: float | None = None) -> UsrsctpAssociation | None:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (handle := self._handle.accept()) is None:
            left = 1.0 if deadline is None else deadline - time.monotonic()
            if self._handle.fileno() < 0 or (left <= 0):
                return None
            _readable(self._handle.fileno(), left)
        return UsrsctpAssociation(handle)

    def fileno(self) -> int:
        return self._handle.fileno()

    def close(self) -> None:
        self._handle.close()


def _in_slices(timeout_s: float, wait: Callable[[float], T], enough: Callable[[T], bool]) -> T:
    """Wait natively a fifth of a second at a time, so that Ctrl-C is heard in between."""
    deadline = time.monotonic() + timeout_s
    while True:
        left = deadline - time.monotonic()
        result = wait(max(0.0, min(0.2, left)))
        if enough(result) or left <= 0.2:
            return result


def _readable(fd: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0, round(timeout_s * 1000))))


def listen(host: str, port: int, *, encap_port: int, streams: int = 16) -> UsrsctpListener:
    """Listen on SCTP `port` inside UDP `encap_port`; 0 is a free one, for either."""
    stack = _stack()
    try:
        return UsrsctpListener(stack.listen(_address(host, encap_port), port, streams), host)
    except stack.StackError as error:
        _refuse(error, ListenError, host, port, encap_port)


def connect(
    host: str,
    port: int,
    *,
    encap_port: int,
    local_encap_port: int = 0,
    streams: int = 16,
    timeout_s: float = 5,
) -> UsrsctpAssociation:
    """An association that is up, from a UDP socket of its own. `ConnectError` with the reason."""
    stack = _stack()
    remote = _address(host, encap_port)
    any_host = "::" if len(remote) == 28 else "0.0.0.0"
    try:
        handle = stack.connect(_address(any_host, local_encap_port), remote, port, streams)
    except stack.StackError as error:
        _refuse(error, ConnectError, any_host, port, local_encap_port)
    state = _in_slices(timeout_s, handle.wait_up, lambda state: state != "connecting")
    if state == "up":
        return UsrsctpAssociation(handle)
    reason = handle.state()[1] or f"no answer within {timeout_s:g} s"
    handle.finish(True, 1.0)
    raise ConnectError(f"SCTP {host}:{port} over UDP {encap_port}: {reason}")
