"""The simulator's end of the signalling association: M3UA handshake, traffic, marks and barriers.

Marks: after each simulated second with traffic a BEAT says (simulated microseconds since the world's epoch,
DATA messages sent so far) and is not waited for. Barriers: at the end of a tick the same, and the answer is
awaited.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from experiments.problems import RunInvalid
from sigtran import Association, AssociationLost, MessageBatch
from sigtran.association import AspActive, AspSide, Down, PeerError

__all__ = ["SignallingLink", "Traffic", "beat"]

# RFC 4666 3.5.5: BEAT with its Heartbeat Data of 16 octets.
_BEAT: Final = struct.Struct("!BBBBIHHQQ")
BEAT_DATA: Final = struct.Struct("!QQ")
SECOND_US: Final = 1_000_000
_BEAT_ACK: Final = 0x0306  # RFC 4666 3.1.2: class ASPSM, type 6
_ONE_BEAT: Final = np.array([_BEAT.size], np.int64)
_STREAM_0: Final = np.zeros(1, np.uint16)


class Traffic(Protocol):
    """Signalling messages in the order of sending, as the simulator emits them."""

    @property
    def t_us(self) -> NDArray[np.int64]: ...
    @property
    def data(self) -> bytes: ...
    @property
    def offsets(self) -> NDArray[np.int64]: ...
    @property
    def sls(self) -> NDArray[np.uint8]: ...


def beat(t_us: int, sent: int) -> bytes:
    """A BEAT message."""
    return _BEAT.pack(1, 0, 3, 3, _BEAT.size, 0x0009, 20, t_us, sent)


class SignallingLink:
    """One association towards the platform, as the application server process."""

    def __init__(
        self, association: Association, *, tick_us: int = 0, on_wait: Callable[[], None] = lambda: None
    ) -> None:
        """`on_wait` is called now and then while waiting; it may raise to end the wait."""
        self.association = association
        self.sent = 0
        """DATA messages handed over."""
        self._tick_us = tick_us
        self._on_wait = on_wait
        self._side = AspSide(time.monotonic_ns())
        self._acknowledged: set[bytes] = set()
        self._active = False

    def bring_up(self, timeout_s: float = 5.0) -> None:
        """ASP UP, ASP ACTIVE.

        Raises:
            RunInvalid: the platform does not answer.
        """
        self._side.start(time.monotonic_ns())
        deadline = time.monotonic() + timeout_s
        while not self._active:
            self._flush_side()
            if time.monotonic() > deadline:
                raise RunInvalid(f"no ASP ACTIVE ACK from the platform within {timeout_s:g} s")
            self._receive(0.05)
            self._side.on_time(time.monotonic_ns())

    def send(self, batches: Sequence[Traffic], barrier_us: int | None = None) -> None:
        """Traffic of one tick with its marks, and at its end the barrier of the tick.

        The last second's mark is left to the barrier where they fall together. Without a barrier it is sent
        by `barrier` itself.
        """
        parts: list[bytes] = []
        lengths: list[NDArray[np.int64]] = []
        streams: list[NDArray[np.uint16]] = []
        pending: int | None = None  # second whose mark is still owed
        for batch in batches:
            n = len(batch.sls)
            if not n:
                continue
            seconds = batch.t_us // SECOND_US
            cuts = [0, *(np.flatnonzero(np.diff(seconds)) + 1).tolist(), n]
            view = memoryview(batch.data)
            size = np.diff(batch.offsets)
            stream = (1 + batch.sls.astype(np.uint16) % (self.association.streams - 1)).astype(np.uint16)
            for start, stop in pairwise(cuts):
                second = int(seconds[start])
                if pending is not None and second != pending:
                    self._mark(pending, parts, lengths, streams)
                pending = second
                parts.append(bytes(view[batch.offsets[start] : batch.offsets[stop]]))
                lengths.append(size[start:stop])
                streams.append(stream[start:stop])
                self.sent += stop - start
        if pending is not None:
            self._mark(pending, parts, lengths, streams)
        if barrier_us is not None:
            self._put(beat(barrier_us, self.sent), parts, lengths, streams)
        if parts:
            offsets = np.zeros(1 + sum(map(len, lengths)), np.int64)
            np.cumsum(np.concatenate(lengths), out=offsets[1:])
            self._hand_over(MessageBatch(b"".join(parts), offsets, np.concatenate(streams)))

    def _mark(
        self,
        second: int,
        parts: list[bytes],
        lengths: list[NDArray[np.int64]],
        streams: list[NDArray[np.uint16]],
    ) -> None:
        t_us = (second + 1) * SECOND_US
        if not self._tick_us or t_us % self._tick_us:
            self._put(beat(t_us, self.sent), parts, lengths, streams)

    @staticmethod
    def _put(
        message: bytes,
        parts: list[bytes],
        lengths: list[NDArray[np.int64]],
        streams: list[NDArray[np.uint16]],
    ) -> None:
        parts.append(message)
        lengths.append(_ONE_BEAT)
        streams.append(_STREAM_0)

    def barrier(self, t_us: int, timeout_s: float, *, sent: bool = False) -> None:
        """Sends the barrier of a tick's end (unless `send` has) and waits for its answer.

        Raises:
            RunInvalid: not answered in time; the message names what is missing.
        """
        data = BEAT_DATA.pack(t_us, self.sent)
        if not sent:
            self._hand_over(MessageBatch.from_messages([beat(t_us, self.sent)], 0))
        deadline = time.monotonic() + timeout_s
        while data not in self._acknowledged:
            if time.monotonic() > deadline:
                raise RunInvalid(
                    f"barrier at {t_us / 1e6:.0f} s of the world not met within {timeout_s:g} s: the "
                    f"platform has not acknowledged {self.sent} DATA messages"
                )
            self._receive(0.2)
        self._acknowledged.clear()

    def send_raw(self, batch: MessageBatch) -> None:
        """Messages as they are, without marks (live phase)."""
        self._hand_over(batch)

    def poll(self) -> None:
        """Takes what has come, without waiting."""
        self._receive(0.0)

    def close(self) -> None:
        """ASP DOWN and an orderly end of the association."""
        if self.association.state == "up":
            try:
                self._side.stop(time.monotonic_ns())
                self._flush_side()
                self.association.flush(1.0)
            except (AssociationLost, RunInvalid):
                pass  # gone already: that is what was wanted
        self.association.close()

    def _flush_side(self) -> None:
        waiting = self._side.pending()
        if waiting:
            self._hand_over(MessageBatch.from_messages(waiting, 0))

    def _hand_over(self, batch: MessageBatch) -> None:
        try:
            self.association.send(batch)
        except AssociationLost as error:
            self._lost(str(error))

    def _lost(self, reason: str) -> NoReturn:
        raise RunInvalid(f"the association to the platform is lost: {reason}")

    def _receive(self, wait_s: float) -> None:
        batch = self.association.receive()
        if batch is None and wait_s:
            if not self.association.wait(wait_s):
                self._on_wait()
            batch = self.association.receive()
        if batch is None:
            if self.association.state != "up":
                self._lost(self.association.reason or self.association.state)
            return
        view, at = np.frombuffer(batch.data, np.uint8), batch.offsets[:-1]
        kinds = view[at + 2].astype(np.int64) << 8 | view[at + 3]
        # Most of what comes answers marks; only the last can be a barrier's.
        acks = np.flatnonzero(kinds == _BEAT_ACK)
        if len(acks):
            self._acknowledged.add(batch.message(int(acks[-1]))[-BEAT_DATA.size :])
        for i in np.flatnonzero(kinds != _BEAT_ACK).tolist():
            for event in self._side.receive(batch.message(i), time.monotonic_ns()):
                if isinstance(event, AspActive):
                    self._active = True
                elif isinstance(event, PeerError):
                    raise RunInvalid(f"the platform answered with M3UA error {event.code}")
                elif isinstance(event, Down):
                    raise RunInvalid(f"the platform took the association down: {event.reason}")
        self._flush_side()
