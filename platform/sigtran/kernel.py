"""Transport `kernel`: SCTP of the operating system. pysctp sets up the sockets, `_kernel` moves batches.

Timers and acknowledgements are the kernel's, so there is no thread. `fileno` is the socket itself, and -1
once the association has been closed or aborted here. The payload protocol id is written in network order
here; whoever uses pysctp's own calls gives 3 when sending and reads it in network order when receiving.
"""

from __future__ import annotations

import errno
import functools
import os
import select
import socket
import struct
import threading
import time
from types import ModuleType
from typing import Any, Final

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

__all__ = ["KernelAssociation", "KernelListener", "connect", "listen", "probe"]

RECEIVE_BOUND: Final = 4 << 20
"""Octets taken by one `receive`; the rest stays in the kernel, and the descriptor readable."""
SOCKET_BUFFER: Final = 4 << 20
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
MESSAGE_MAX: Final = 1 << 18
_SCTP_DELAYED_SACK: Final = 16


@functools.cache
def _pysctp() -> ModuleType:
    try:
        import sctp

        from sigtran import _kernel  # noqa: F401  # the compiled part must be there too
    except ImportError as error:
        raise TransportUnavailable(f"no kernel SCTP: {error}; pip install pysctp (Linux only)") from error
    return sctp  # type: ignore[no-any-return]


def probe() -> str:
    """Why this transport works here; raises `TransportUnavailable` with the remedy where it does not."""
    _pysctp()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP) as probing:
            probing.bind(("127.0.0.1", 0))
            probing.listen(1)
    except OSError as error:
        raise TransportUnavailable(
            f"no SCTP in this kernel ({error.strerror}); load it as root: modprobe sctp"
        ) from error
    return "the kernel has SCTP and pysctp is installed"


def _open(host: str, port: int, streams: int) -> tuple[Any, Any]:
    """A one-to-one socket with our timers, and the address to use."""
    sctp = _pysctp()
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except socket.gaierror as error:
        raise TransportError(f"no address for {host!r}: {error.strerror}") from error
    try:
        sock = sctp.sctpsocket_tcp(family)
    except OSError as error:
        raise TransportUnavailable(
            f"no SCTP in this kernel ({error.strerror}); load it as root: modprobe sctp"
        ) from error
    sock.initparams.autoflush = False
    sock.initparams.num_ostreams = streams
    sock.initparams.max_instreams = streams
    sock.initparams.max_init_timeo = 1000
    sock.initparams.flush()
    rto = sock.get_rtoinfo()
    rto.initial, rto.min, rto.max = 200, 100, 1000
    sock.set_rtoinfo(rto)
    params = sock.get_assocparams()
    params.assocmaxrxt = 4
    sock.set_assocparams(params)
    path = sctp.paddrparams()
    path.sockaddr = ("::" if family == socket.AF_INET6 else "0.0.0.0", 0)
    path.hbinterval, path.pathmaxrxt, path.flags = 1000, 4, sctp.paddrparams.flags_HB_ENABLED
    sock.set_paddrparams(path)
    sock.nodelay = True
    sock.events.autoflush = False
    sock.events.data_io = 1
    sock.events.association = 0
    sock.events.flush()
    # An acknowledgement may wait 20 ms, not 200.
    sock.setsockopt(socket.IPPROTO_SCTP, _SCTP_DELAYED_SACK, struct.pack("=iII", 0, 20, 2))
    # The kernel counts about a kilobyte for a message of a hundred octets; root may pass its bound.
    for force, option in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, SOCKET_BUFFER)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
    return sock, address


class KernelAssociation(Closing):
    """One association of the kernel; made by `connect` and `KernelListener.accept`."""

    kind: Kind = "kernel"

    def __init__(self, sock: Any) -> None:
        from sigtran import _kernel

        self._kernel = _kernel
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_SCTP, _SCTP_DELAYED_SACK, struct.pack("=iII", 0, 20, 2))
        # From now on: before, it would only tell that the association is up.
        sock.events.autoflush = False
        sock.events.association = 1
        sock.events.flush()
        self._sock = sock
        self._fd: int = sock.fileno()
        try:
            self.peer = str(sock.getpeername()[0])
        except OSError:  # gone already
            self.peer = "?"
        self._receiver = _kernel.Receiver(self._fd)
        self.streams = _kernel.outbound_streams(self._fd)
        self._lock = threading.RLock()  # for what is below; a thread may send while another receives
        self._held: list[MessageBatch] = []
        self._state: State = "up"
        self._reason = ""

    @property
    def state(self) -> State:
        # The kernel tells the end behind the last message: read up to there.
        if self._state == "up" and self._kernel.unacknowledged(self._fd) < 0:
            with self._lock:
                while self._state == "up" and (batch := self._pull()) is not None:
                    self._held.append(batch)
        return self._state

    @property
    def reason(self) -> str:
        return self._reason

    def send(self, batch: MessageBatch) -> None:
        if not batch.n:
            return
        if int(batch.streams.max()) >= self.streams > 0:
            raise ValueError(f"stream {int(batch.streams.max())} of an association with {self.streams}")
        longest = int((batch.offsets[1:] - batch.offsets[:-1]).max())
        if longest > MESSAGE_MAX:
            raise ValueError(f"a message of more than {MESSAGE_MAX} octets")
        sent = 0
        while sent < batch.n:
            if self.state != "up":
                raise AssociationLost(self._reason)
            # One second at a time, so that Ctrl-C is heard while the peer's window is closed.
            more, failure = self._kernel.send(self._fd, batch.data, batch.offsets, batch.streams, sent, 1000)
            sent += more
            if failure:
                self._failed(failure)
                raise AssociationLost(self._reason)

    def receive(self) -> MessageBatch | None:
        with self._lock:
            if self._held:
                batches, self._held = self._held, []
                return MessageBatch.concatenate(batches)
            return self._pull()

    def _pull(self) -> MessageBatch | None:
        if self._fd < 0:
            return None
        taken = self._receiver.receive(RECEIVE_BOUND)
        if taken is not None:
            return MessageBatch(*taken)
        if self._receiver.ended:
            if self._receiver.failure:
                self._failed(self._receiver.failure)
            else:
                self._end("closed", "the peer closed the association")
        return None

    def fileno(self) -> int:
        return self._fd

    def wait(self, timeout_s: float) -> bool:
        if self._fd < 0:
            return True
        return _ready(self._fd, select.POLLIN, timeout_s)

    def flush(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while (waiting := self._kernel.unacknowledged(self._fd)) > 0:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.002)
        return waiting == 0

    def close(self, timeout_s: float = 1.0) -> None:
        if self._fd < 0:
            return
        deadline = time.monotonic() + timeout_s
        if self._state == "up":
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError as error:
                self._failed(error.errno or 0)
        # What still comes is thrown away: the end of it is the end of the association.
        with self._lock:
            while self._state == "up" and not self._receiver.ended:
                left = deadline - time.monotonic()
                if left <= 0:
                    self.abort()
                    return
                self.wait(left)
                while self._receiver.receive(RECEIVE_BOUND) is not None:
                    continue
            self._end("closed", "closed here")
            self._close_socket()

    def abort(self) -> None:
        if self._fd < 0:
            return
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._end("closed", "aborted here")
        self._close_socket()

    def _close_socket(self) -> None:
        self._fd = -1
        self._sock.close()

    def _failed(self, failure: int) -> None:
        if failure in (errno.EPIPE, errno.ENOTCONN, errno.ESHUTDOWN, errno.EINVAL, errno.EBADF):
            self._end("closed", "the peer closed the association")
        elif failure == errno.ECONNRESET or self._receiver.aborted:
            self._end("lost", "the peer aborted the association")
        elif failure in (0, errno.ETIMEDOUT):
            self._end("lost", "the peer does not acknowledge: 4 retransmissions without answer")
        else:
            self._end("lost", os.strerror(failure))

    def _end(self, state: State, reason: str) -> None:
        with self._lock:
            if self._state == "up":
                self._state, self._reason = state, reason


class KernelListener(Closing):
    """A listening SCTP socket; made by `listen`."""

    kind: Kind = "kernel"
    encap_port = 0

    def __init__(self, sock: Any, host: str) -> None:
        self._sock = sock
        self.host = host
        self.port = int(sock.getsockname()[1])

    def accept(self, timeout_s: float | None = None) -> KernelAssociation | None:
        fd = self.fileno()
        if fd < 0 or not _ready(fd, select.POLLIN, timeout_s):
            return None
        try:
            sock, _ = self._sock.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return None
        return KernelAssociation(sock)

    def fileno(self) -> int:
        return int(self._sock.fileno())

    def close(self) -> None:
        self._sock.close()


def _ready(fd: int, events: int, timeout_s: float | None) -> bool:
    poll = select.poll()
    poll.register(fd, events)
    return bool(poll.poll(None if timeout_s is None else max(0, round(timeout_s * 1000))))


def listen(host: str, port: int, *, streams: int = 16) -> KernelListener:
    """Listen on an SCTP port; 0 is a free one."""
    sock, address = _open(host, port, streams)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(64)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise ListenError(
                f"SCTP port {port} on {host} is in use; "
                "end the program that holds it (ss -Sln) or choose another port"
            ) from error
        raise ListenError(f"SCTP port {port} on {host}: {error.strerror}") from error
    sock.setblocking(False)
    return KernelListener(sock, host)


def connect(host: str, port: int, *, streams: int = 16, timeout_s: float = 5) -> KernelAssociation:
    """An association that is up. `ConnectError` with the reason."""
    sock, address = _open(host, port, streams)
    sock.settimeout(timeout_s)
    try:
        sock.connect(address)
    except OSError as error:
        sock.close()
        reasons = {
            errno.ECONNREFUSED: "nobody listens on that port",
            errno.ETIMEDOUT: f"no answer within {timeout_s:g} s",
        }
        reason = reasons.get(error.errno or errno.ETIMEDOUT, error.strerror or str(error))
        raise ConnectError(f"SCTP {host}:{port}: {reason}") from error
    return KernelAssociation(sock)
