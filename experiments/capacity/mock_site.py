"""The wall-clock mock from this side: the phase code's own pacing, to a process of known service rate.

Everything but the platform is what measures real ones: the schedule drawn first, the pacing loop, planned
sends
as the beginning of latency. So where the search misses its knee, the fault is in one of those.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.capacity.levels import ProbeResult
from experiments.capacity.mock_server import COUNT
from experiments.capacity.utilisation import Resource
from experiments.child import environment
from experiments.latency.pacing import Schedule, pace, settle
from experiments.latency.worldtime import WorldTime
from sigtran import MessageBatch

__all__ = ["ClockedMock"]

LATE_NS: Final = 10_000_000
"""A message sent so much after its planned time is sent late."""
LOOK_NS: Final = 1_000_000
"""Answers are looked for so often."""
QUIET_MOST_S: Final = 10.0


class _Line:
    """What `pace` sends to, and looks for answers on."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.done_ns: list[tuple[int, int]] = []
        """When answers were read, monotonic nanoseconds, and how many messages each was for."""
        self.n = 0
        self._rest = b""
        end.setblocking(False)

    def send_raw(self, batch: MessageBatch) -> None:
        self.end.setblocking(True)
        self.end.sendall(COUNT.pack(batch.n))
        self.end.setblocking(False)

    def poll(self) -> None:
        """Reads what has come."""
        try:
            self._rest += self.end.recv(1 << 16)
        except BlockingIOError:
            return
        now = time.monotonic_ns()
        while len(self._rest) >= COUNT.size:
            (count,), self._rest = COUNT.unpack_from(self._rest), self._rest[COUNT.size :]
            self.done_ns.append((now, count))
            self.n += count

    def look(self, begin_ns: int, now_ns: int) -> int:
        self.poll()
        return now_ns + LOOK_NS


@dataclass(slots=True)
class ClockedMock:
    """A mock platform, for each probe in a process of its own that ends with it."""

    serves_per_s: float
    quiet_s: float = 0.3
    """After the last send: so long without an answer means that no more will come, seconds."""

    def _served(self, use: Callable[[_Line], ProbeResult | float]) -> ProbeResult | float:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            child = subprocess.Popen(
                [
                    sys.executable, "-m", "experiments.capacity.mock_server",
                    str(theirs.fileno()), str(self.serves_per_s),
                ],
                pass_fds=[theirs.fileno()],
                env=environment(),
            )  # fmt: skip
            try:
                line = _Line(ours)
                line.send_raw(_messages(1))  # it is up once it has answered
                settle(lambda: _polled(line), 0.05, 10.0)
                _until(line, 1)
                line.done_ns.clear()
                line.n = 0
                return use(line)
            finally:
                theirs.close()
                ours.close()
                child.wait(5)

    def closed(self, outstanding: int, seconds: float, seed: int) -> float:
        """See `experiments.capacity.levels.Probe`."""

        def windows(line: _Line) -> float:
            began = time.monotonic()
            sent = 0
            while time.monotonic() - began < seconds:
                line.send_raw(_messages(outstanding))
                sent += outstanding
                _until(line, sent)
            return sent / (time.monotonic() - began)

        rate = self._served(windows)
        assert isinstance(rate, float)
        return rate

    def probe(self, rate_per_s: float, seconds: float, seed: int) -> ProbeResult:
        """One phase: evenly spaced messages, each of them a trigger."""
        n = max(1, round(rate_per_s * seconds))
        intended_ns = (np.arange(n) * (1e9 / rate_per_s)).astype(np.int64)

        def paced(line: _Line) -> ProbeResult:
            plan = Schedule(_messages(n), intended_ns, np.arange(1, n + 1), WorldTime.even(0, 1.0))
            begin_ns, sent_ns = pace(plan, line, look=line.look)
            settle(lambda: _polled(line), self.quiet_s, QUIET_MOST_S)
            done_ns = np.repeat([at for at, _ in line.done_ns], [k for _, k in line.done_ns]) - begin_ns
            arrived = len(done_ns)
            lag_ns: NDArray[np.int64] = sent_ns - intended_ns
            load = min(1.0, rate_per_s / self.serves_per_s)
            return ProbeResult(
                rate_per_s, seconds, seed, n,
                latency_ms=(done_ns - intended_ns[:arrived]) / 1e6,
                at_s=intended_ns[:arrived] / 1e9,
                lost=n - arrived,
                lagging_share=float(np.mean(lag_ns > LATE_NS)),
                lag_p99_ms=float(np.quantile(lag_ns, 0.99)) / 1e6,
                resources=(Resource("platform_loop", load, {"engine": load}),),
            )  # fmt: skip

        result = self._served(paced)
        assert isinstance(result, ProbeResult)
        return result


def _messages(n: int) -> MessageBatch:
    """So many messages of one octet: only their number goes over this line."""
    return MessageBatch(bytes(n), np.arange(n + 1, dtype=np.int64), np.ones(n, np.uint16))


def _polled(line: _Line) -> int:
    line.poll()
    return line.n


def _until(line: _Line, n: int) -> None:
    deadline = time.monotonic() + 30
    while line.n < n:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the mock answered {line.n} of {n} messages in 30 s")
        line.poll()
        if line.n < n:
            time.sleep(0.0005)
