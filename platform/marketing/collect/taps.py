"""Taps: capture files and capture streams as sources of signalling, several at once, merged by time.

A thread a tap reads and dissects, so that a slow pipe keeps nobody waiting; it stops while what it has read
is not taken, so that a fast file does not fill the memory and a pipe's writer feels it. `Taps.take` gives
the messages of all taps in the order of their times, as far as that can be known.
"""

from __future__ import annotations

import logging
import os
import select
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sigtran import MessageBatch
from sigtran.capture import COUNTS, CaptureBatch, CaptureError, CaptureReader

__all__ = ["STANDARD_INPUT", "Taken", "TapError", "Taps"]

log = logging.getLogger(__name__)

STANDARD_INPUT: Final = "-"
_WAITING: Final = 4
"""Batches of a tap that wait to be taken; each holds what one read gave, at most 1 MiB of the file."""
_TOLD: Final = ("unknown_link", "cut_short", "ip_fragments", "damaged", "missing", "jumps", "fragments_lost")
"""Counts that mean messages may be lost: said in the log when a tap ends."""


class TapError(Exception):
    """A tap cannot be opened; the message names it and what helps."""


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """Some messages of one tap."""

    tap: int
    """Number of the tap, from 1."""
    t_unix_us: NDArray[np.int64]
    messages: MessageBatch


class _Stream:
    """A descriptor to read from until told to stop, without an owner's lock that could outlive a thread."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._stop = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLIN)
        self._ready.register(self._stop, select.POLLIN)

    def read(self, size: int) -> bytes:
        """What is there, after waiting for it; nothing at the end, or when stopped."""
        while True:
            if any(descriptor == self._stop for descriptor, _ in self._ready.poll()):
                return b""
            try:
                return os.read(self.descriptor, size)
            except BlockingIOError:
                continue

    def stop(self) -> None:
        os.eventfd_write(self._stop, 1)

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self._stop)


class _Tap:
    """One source and its thread."""

    def __init__(self, number: int, source: str, wake: Callable[[], None]) -> None:
        self.number, self.source, self._wake = number, source, wake
        self.name = "standard input" if source == STANDARD_INPUT else source
        descriptor = _open(source)
        self.regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._stream = _Stream(descriptor)
        self._reader = CaptureReader(self._stream, name=self.name)
        self._changed = threading.Condition()
        self._batches: deque[CaptureBatch] = deque()
        self._stopping = False
        self._done = ""
        self.problem = ""
        """Why it was damaged."""
        self.received = 0
        self.last_us = 0
        """Time of the last message taken."""
        self.taken_at_s = time.monotonic()
        self.said = False
        """Its end has been told."""
        self._thread = threading.Thread(target=self._work, name=f"tap-{number}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # ------------------------------------------------------------------ its thread

    def _work(self) -> None:
        try:
            for batch in self._reader:
                if not self._give(batch):
                    return
            self._end("ended")
        except (CaptureError, OSError) as error:
            self._end("damaged", str(error))
        except Exception as error:  # a fault of ours must not look like a tap that is still quiet
            log.exception("tap %d: %s", self.number, self.name)
            self._end("damaged", f"{type(error).__name__}: {error}")

    def _give(self, batch: CaptureBatch) -> bool:
        with self._changed:
            while len(self._batches) >= _WAITING and not self._stopping:
                self._changed.wait()
            if self._stopping:
                return False
            self._batches.append(batch)
        self._wake()
        return True

    def _end(self, how: str, problem: str = "") -> None:
        with self._changed:
            self._done, self.problem = how, problem
        self._wake()

    # ------------------------------------------------------------------ its owner

    def head(self) -> CaptureBatch | None:
        """The oldest batch that waits."""
        with self._changed:
            return self._batches[0] if self._batches else None

    def take(self, n: int) -> Taken:
        """The first `n` messages of the head."""
        with self._changed:
            batch = self._batches.popleft()
            if n < batch.messages.n:
                rest = batch.messages.slice(n, batch.messages.n)
                self._batches.appendleft(CaptureBatch(batch.t_unix_us[n:], rest))
            else:
                self._changed.notify()
        taken = batch.messages if n >= batch.messages.n else batch.messages.slice(0, n)
        self.received += taken.n
        self.last_us = int(batch.t_unix_us[n - 1])
        self.taken_at_s = time.monotonic()
        return Taken(self.number, batch.t_unix_us[:n], taken)

    @property
    def state(self) -> str:
        """reading, ended or damaged; the latter two once everything before has been taken."""
        with self._changed:
            return self._done if self._done and not self._batches else "reading"

    def close(self) -> None:
        """End the thread; the capture is not read to its end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._stream.stop()
        self._thread.join()
        self._stream.close()

    def counters(self) -> dict[str, Any]:
        counts = {name: count for name, count in self._reader.counts().items() if count}
        found = {"number": self.number, "source": self.name, "state": self.state, "messages": self.received}
        return found | {"problem": self.problem, "counts": counts}


def _open(source: str) -> int:
    """A descriptor of its own. A named pipe nobody writes to yet is no error: it is waited for."""
    try:
        if source == STANDARD_INPUT:
            if sys.stdin is None or os.isatty(0):
                raise TapError("tap -: standard input is a terminal; pipe a capture into it: tcpdump -w - |")
            return os.dup(0)
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise TapError(f"tap {source}: {error.strerror}") from None
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise TapError(f"tap {source}: is a folder; name a capture file, or a pipe")
    return descriptor


class Taps:
    """All taps of a collector. Its owner calls everything from one thread; `fileno` says when.

    Raises:
        TapError: one cannot be opened.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._taps: list[_Tap] = []
        try:
            for number, source in enumerate(sources, 1):
                self._taps.append(_Tap(number, source, self.wake))
        except TapError:
            for tap in self._taps:
                tap.start()
            self.close()
            raise
        for tap in self._taps:
            tap.start()
            log.info("tap %d: reading %s", tap.number, tap.name)

    def fileno(self) -> int:
        """Readable when something may have changed."""
        return self._event

    def wake(self) -> None:
        """Make `fileno` readable."""
        os.eventfd_write(self._event, 1)

    def clear(self) -> None:
        """Until something changes again."""
        try:
            os.eventfd_read(self._event)
        except BlockingIOError:
            return

    def take(self, *, patient: bool) -> Taken | None:
        """The messages that come next in time, of one tap; None while that is not known, or nothing is there.

        A file is waited for, since it will have something at once. A pipe may stay quiet for long: it is
        waited for only if `patient`, where the order matters more than the moment.
        """
        heads: list[tuple[int, _Tap, CaptureBatch]] = []
        for tap in self._taps:
            batch = tap.head()
            if batch is not None:
                heads.append((int(batch.t_unix_us[0]), tap, batch))
            elif (patient or tap.regular) and tap.state == "reading":
                return None
        if not heads:
            return None
        first_us, tap, batch = min(heads, key=lambda head: (head[0], head[1].number))
        until_us = min((t_us for t_us, other, _ in heads if other is not tap), default=None)
        n = batch.messages.n
        if until_us is not None:
            reached = np.maximum.accumulate(batch.t_unix_us)
            n = max(1, int(np.searchsorted(reached, max(until_us, first_us), side="right")))
        return tap.take(n)

    def ended(self) -> list[tuple[str, str]]:
        """(what to say, why it was damaged or nothing) of taps that have ended since the last call."""
        found = []
        for tap in self._taps:
            if tap.said or tap.state == "reading":
                continue
            tap.said = True
            counts = tap.counters()["counts"]
            lost = "".join(f"; {counts[name]} {COUNTS[name]}" for name in _TOLD if name in counts)
            how = f"damaged: {tap.problem}" if tap.problem else "at its end"
            found.append(
                (f"tap {tap.number} {how}; {tap.received} messages of {tap.name}{lost}", tap.problem)
            )
        return found

    @property
    def reading(self) -> int:
        """Taps that are not at their end."""
        return sum(tap.state == "reading" for tap in self._taps)

    @property
    def damaged(self) -> int:
        """Taps whose capture was damaged."""
        return sum(bool(tap.problem) for tap in self._taps)

    def now_us(self) -> int | None:
        """The time that all taps still reading have reached; None where none is, or none has said anything.

        A file has reached its last message. A pipe is alive: its time goes on while it is quiet.
        """
        now_s = time.monotonic()
        reached = [
            tap.last_us + (0 if tap.regular else round((now_s - tap.taken_at_s) * 1e6))
            for tap in self._taps
            if tap.state == "reading" and tap.received
        ]
        return min(reached, default=None)

    def counters(self) -> list[dict[str, Any]]:
        """Plain values, one mapping a tap."""
        return [tap.counters() for tap in self._taps]

    def close(self) -> None:
        """Read no more."""
        for tap in self._taps:
            tap.close()
        os.close(self._event)
