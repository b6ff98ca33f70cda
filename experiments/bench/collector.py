"""`kairos bench collector`: messages over libusrsctp on loopback into the collector, to behaviours.

The sender is a process of its own on another processor (`experiments.bench.collector_sender`) and sends as
fast as the association takes. In turns with it the same messages are received and thrown away: what the
association alone can do. Both by the wall clock, since two processes and the stack's threads are at work.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.bench.stages import WrongResult
from experiments.bench.workload import Sources, Traffic
from experiments.problems import BadInput
from marketing.behaviours import Kind
from marketing.clock import Clock
from marketing.collect import Collector
from marketing.config import CollectorConfig
from sigtran import Association, MessageBatch, TransportUnavailable
from sigtran.association import SgpSide
from sigtran.transport import choose, listen

__all__ = ["CollectorBench", "Received"]

PATIENCE_S: Final = 20.0
"""Without a message for so long, the rest is lost."""
LEAST_TURNS: Final = 3
_DATA_CLASS: Final = 1
_CLASS_AT: Final = 2
"""Octet of the M3UA header with the message class (RFC 4666 3.1.2)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one pass gave."""

    n: int
    """Messages after the first read, which may have found many."""
    seconds: float
    """Wall clock, from after the first read to the last message taken in."""
    processor_s: float
    """Of this process, the stack's thread included."""
    main_s: float
    """Of the thread that decodes and correlates."""
    sender_s: float
    """Processor time of the sender, its stack's thread included."""

    @property
    def per_s(self) -> float:
        """Messages per second of the wall clock."""
        return self.n / self.seconds


@dataclass(frozen=True, slots=True)
class Received:
    """What all passes gave."""

    n: int
    octets: int
    best: Turn
    raw: Turn
    """The best pass that throws everything away."""
    behaviours: int
    runs: int
    pinned: bool
    """The sender has a processor of its own."""

    @property
    def limit(self) -> str:
        """What is busy for most of the time."""
        turn = self.best
        stack_s = turn.processor_s - turn.main_s
        shares = {
            "decoding and correlating": turn.main_s / turn.seconds,
            "the receiving stack's thread": stack_s / turn.seconds,
            "the sender": turn.sender_s / turn.seconds,
        }
        busiest = max(shares, key=shares.__getitem__)
        told = ", ".join(f"{what} {share:.0%}" for what, share in shares.items())
        return f"busy for the time of the pass: {told}; {busiest} is nearest to its limit"


class CollectorBench:
    """The work: the traffic of `decode` and `correlate`, over one association."""

    def __init__(self, sources: Sources) -> None:
        """Raises BadInput without libusrsctp."""
        try:
            choose("usrsctp")
        except TransportUnavailable as error:
            raise BadInput(f"collector: {error}") from None
        self.traffic: Traffic = sources.traffic
        processors = sorted(os.sched_getaffinity(0))
        self.own = set(processors[:1])
        self.other = set(processors[1:2]) or self.own

    def measure(self, seconds: float) -> Received:
        """In turns with the raw receive, until so many seconds have passed.

        Raises:
            WrongResult: messages were lost, or behaviours are not those of the truth.
        """
        turns: list[Turn] = []
        raw: list[Turn] = []
        kinds: Counter[int] = Counter()
        end = time.monotonic() + seconds
        with tempfile.TemporaryDirectory(prefix="kairos-collector-") as folder, _on(self.own):
            flat = Path(folder) / "messages.npz"
            octets = np.frombuffer(self.traffic.data, np.uint8)
            np.savez(flat, data=octets, offsets=self.traffic.offsets)
            while len(turns) < LEAST_TURNS or time.monotonic() < end:
                turn, kinds = self._collected(flat)
                turns.append(turn)
                raw.append(self._thrown_away(flat))
        return Received(
            self.traffic.n,
            len(self.traffic.data),
            max(turns, key=lambda t: t.per_s),
            max(raw, key=lambda t: t.per_s),
            sum(kinds.values()),
            len(turns),
            self.own != self.other,
        )

    # ----------------------------------------------------------------- inside

    def _collected(self, flat: Path) -> tuple[Turn, Counter[int]]:
        found: list[Any] = []
        config = CollectorConfig(transport="usrsctp", port=0, encap_port=0)
        with Collector(config, Clock("wall"), network_indicator=-1) as collector:
            with self._sender(collector.port, collector.encap_port, flat) as sender:
                clocks = _Clocks()
                last_s = time.monotonic()
                while (received := collector.received) < self.traffic.n:
                    if received:
                        clocks.begin(received)
                    collector.wait(0.2)
                    found += collector.poll()
                    if collector.received != received:
                        last_s = time.monotonic()
                    elif time.monotonic() > last_s + PATIENCE_S:
                        raise WrongResult(f"{received} messages of {self.traffic.n} came")
                turn = clocks.turn(self.traffic.n, sender)
            found.append(collector.flush())
            counters = collector.counters()
        kinds = Counter(np.concatenate(found)["kind"].tolist())
        if (counters["decoded"], counters["errors"]) != (self.traffic.n, {}):
            raise WrongResult(
                f"{counters['decoded']} messages decoded of {self.traffic.n}; {counters['errors']}"
            )
        truth = self.traffic.hour.behaviours
        if truth is not None:
            expected = Counter({kind: n * self.traffic.times for kind, n in truth.items()})
            # The hour passes in seconds here, in which no page is given up.
            for counted in (kinds, expected):
                counted.pop(int(Kind.PAGING_NO_RESPONSE), None)
            if kinds != expected:
                raise WrongResult(f"behaviours by kind: {kinds}, expected {expected}")
        return turn, kinds

    def _thrown_away(self, flat: Path) -> Turn:
        with (
            listen("usrsctp", encap_port=0) as listener,
            self._sender(listener.port, listener.encap_port, flat) as sender,
        ):
            association = listener.accept(10.0)
            if association is None:
                raise WrongResult("the sender's association did not come up")
            with closing(association):
                received, clocks = 0, _Clocks()
                side = SgpSide(answer_beats=True)
                while received < self.traffic.n:
                    if received:
                        clocks.begin(received)
                    if not association.wait(PATIENCE_S):
                        raise WrongResult(f"{received} messages of {self.traffic.n} came")
                    while (batch := association.receive()) is not None:
                        received += batch.n if received else _handshake(association, side, batch)
                return clocks.turn(self.traffic.n, sender)

    @contextmanager
    def _sender(self, port: int, encap_port: int, flat: Path) -> Iterator[subprocess.Popen[str]]:
        where = [str(port), str(encap_port), str(flat), ",".join(map(str, self.other))]
        command = [sys.executable, "-m", "experiments.bench.collector_sender", *where]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.terminate()


class _Clocks:
    """Clocks of a pass, from its first message on."""

    def __init__(self) -> None:
        self._began: tuple[float, float, float] | None = None
        self._before = 0

    def begin(self, received: int) -> None:
        if self._began is None:
            self._before = received
            self._began = time.perf_counter(), time.process_time(), time.thread_time()

    def turn(self, received: int, sender: subprocess.Popen[str]) -> Turn:
        """At the last message; the sender says what it took and ends."""
        now = time.perf_counter(), time.process_time(), time.thread_time()
        began = self._began or now
        assert sender.stdin is not None
        assert sender.stdout is not None
        sender.stdin.close()
        ready, _, _ = select.select([sender.stdout], [], [], PATIENCE_S)
        said = sender.stdout.readline() if ready else ""
        if not said:
            raise WrongResult("the sender did not say what it took")
        wall, processor, main = (after - before for after, before in zip(now, began, strict=True))
        return Turn(received - self._before, wall, processor, main, float(said))


def _handshake(association: Association, side: SgpSide, batch: MessageBatch) -> int:
    """Answers what is not DATA; returns how many DATA messages there are."""
    data = 0
    for i in range(batch.n):
        octets = batch.message(i)
        if octets[_CLASS_AT] == _DATA_CLASS:
            data += 1
            continue
        side.receive(octets, time.monotonic_ns())
        answers = side.pending()
        if answers:
            association.send(MessageBatch.from_messages(answers, 0))
    return data


@contextmanager
def _on(processors: set[int]) -> Iterator[None]:
    """This thread, and threads that it starts, on these processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
