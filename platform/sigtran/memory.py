"""Transport `memory`: both ends of an association in one process, across threads, with the same promises.

Messages that are sent are in the peer's queue at once. The queue is bounded as that of the other kinds: who
sends to a peer that does not receive has to wait.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from sigtran.batch import MessageBatch
from sigtran.closing import Closing
from sigtran.endpoints import Association, AssociationLost, ConnectError, Kind, ListenError, State

__all__ = ["QUEUE_BOUND", "MemoryAssociation", "MemoryListener", "connect", "listen", "memory_pair"]

QUEUE_BOUND: Final = 4 << 20
"""Octets that may wait for one receiver."""


class _Signal:
    """An eventfd: readable while set."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def set(self) -> None:
        if self.fd >= 0:
            os.eventfd_write(self.fd, 1)

    def clear(self) -> None:
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            return

    def wait(self, timeout_s: float | None) -> bool:
        return bool(select.select([self.fd], [], [], timeout_s)[0])

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class MemoryAssociation(Closing):
    """One end of a pair (`memory_pair`)."""

    kind: Kind = "memory"

    peer = ""

    def __init__(self, streams: int, changed: threading.Condition) -> None:
        self.streams = streams
        self._changed = changed  # one for both ends
        self._signal = _Signal()
        self._queue: deque[MessageBatch] = deque()
        self._queued = 0
        self._state: State = "up"
        self._reason = ""
        self._peer: MemoryAssociation = self

    @property
    def state(self) -> State:
        return self._state

    @property
    def reason(self) -> str:
        return self._reason

    def send(self, batch: MessageBatch) -> None:
        if batch.n and int(batch.streams.max()) >= self.streams:
            raise ValueError(f"stream {int(batch.streams.max())} of an association with {self.streams}")
        if not batch.n:
            return
        peer = self._peer
        with self._changed:
            self._changed.wait_for(lambda: self._state != "up" or peer._queued < QUEUE_BOUND)
            if self._state != "up":
                raise AssociationLost(self._reason)
            peer._queue.append(batch)
            peer._queued += len(batch.data)
            if len(peer._queue) == 1:
                peer._signal.set()

    def receive(self) -> MessageBatch | None:
        with self._changed:
            self._signal.clear()
            if not self._queue:
                return None
            batches = list(self._queue)
            self._queue.clear()
            self._queued = 0
            self._changed.notify_all()
        return MessageBatch.concatenate(batches)

    def fileno(self) -> int:
        return self._signal.fd

    def wait(self, timeout_s: float) -> bool:
        return self._signal.wait(timeout_s)

    def flush(self, timeout_s: float) -> bool:
        # What is in the peer's queue has been handed over, as an acknowledged message has been.
        return self._state == "up"

    def close(self, timeout_s: float = 1.0) -> None:
        self._end("closed", "closed here", "closed", "the peer closed the association")

    def abort(self) -> None:
        self._end("closed", "aborted here", "lost", "the peer aborted the association")

    def _end(self, state: State, reason: str, peer_state: State, peer_reason: str) -> None:
        with self._changed:
            ends = ((self, state, reason), (self._peer, peer_state, peer_reason))
            for end, its_state, its_reason in ends:
                if end._state == "up":
                    end._state, end._reason = its_state, its_reason
                    end._signal.set()
            self._changed.notify_all()


def memory_pair(streams: int = 16) -> tuple[MemoryAssociation, MemoryAssociation]:
    """Two ends that are up."""
    changed = threading.Condition()
    one, other = MemoryAssociation(streams, changed), MemoryAssociation(streams, changed)
    one._peer, other._peer = other, one
    return one, other


class MemoryListener(Closing):
    """A name in this process under which `connect` finds somebody."""

    kind: Kind = "memory"
    encap_port = 0

    def __init__(self, host: str, port: int, streams: int, forget: Callable[[], object]) -> None:
        self.host = host
        self.port = port
        self.streams = streams
        self._forget = forget
        self._signal = _Signal()
        self._waiting: deque[Association] = deque()
        self._lock = threading.Lock()

    def _offer(self, association: Association) -> None:
        with self._lock:
            self._waiting.append(association)
            self._signal.set()

    def accept(self, timeout_s: float | None = None) -> Association | None:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._signal.wait(left):
                return None
            with self._lock:
                self._signal.clear()
                if self._waiting:
                    association = self._waiting.popleft()
                    if self._waiting:
                        self._signal.set()
                    return association

    def fileno(self) -> int:
        return self._signal.fd

    def close(self) -> None:
        self._forget()
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
        for association in waiting:
            association.abort()


# The doors of this process. It is to `memory` what the operating system's port table is to the other kinds.
_listeners: Final[dict[tuple[str, int], MemoryListener]] = {}
_lock: Final = threading.Lock()


def listen(host: str, port: int, *, streams: int = 16) -> MemoryListener:
    """Listen under (host, port) within this process; port 0 is a free one."""
    with _lock:
        if port == 0:
            port = next(free for free in range(49152, 65536) if (host, free) not in _listeners)
        key = (host, port)
        if key in _listeners:
            raise ListenError(f"memory {host}:{port} is taken by another listener of this process")
        listener = MemoryListener(host, port, streams, lambda: _listeners.pop(key, None))
        _listeners[key] = listener
        return listener


def connect(host: str, port: int, *, streams: int = 16) -> MemoryAssociation:
    """Meet the listener of this process under (host, port)."""
    with _lock:
        listener = _listeners.get((host, port))
    if listener is None:
        raise ConnectError(f"nobody in this process listens on memory {host}:{port}")
    one, other = memory_pair(min(streams, listener.streams))
    listener._offer(other)
    return one
