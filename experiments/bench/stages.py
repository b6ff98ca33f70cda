"""The stages that `kairos bench` and tests/benchmarks time: one table, each with its own check.

A stage is made ready, run and checked; only the run is timed. A wrong result raises `WrongResult`: a figure
of a program that loses messages is worth nothing.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import numpy as np

from experiments.bench.workload import (
    BUSY_HOUR,
    CAPTURED_TIMES,
    HOUR_US,
    Memory,
    Sources,
    Traffic,
    life,
)
from marketing.behaviours import BehaviourBatch
from marketing.correlate import Correlator
from marketing.decode import BRIEF, ROW, Present, RowBatch, decode_batch, decode_flat, new_rows, tally
from sigtran.capture import CaptureReader
from sim.m3ua_view import view_m3ua
from sim.run import Run

__all__ = ["DECODED", "STAGES", "Job", "WrongResult"]

S = TypeVar("S")
R = TypeVar("R")

BATCH: Final = 8192
"""Messages that are decoded and correlated at a time."""
REFERENCE_MESSAGES: Final = 4000
DECODED: Final = {"decode": ROW, "decode-brief": BRIEF}
"""Stage -> kind of row."""


class WrongResult(AssertionError):  # noqa: N818 - a finding about the run
    """A stage gave something else than what was put into it."""


@dataclass(frozen=True, slots=True, eq=False)
class Job(Generic[S, R]):
    """One stage with its work."""

    n: int
    """Messages a run."""
    octets: int
    """Octets of input (of output where it encodes) a run."""
    workload: str
    ready: Callable[[], S]
    """Before each run, not timed."""
    run: Callable[[S], R]
    check: Callable[[R], None]
    """After each run, not timed; raises WrongResult."""
    comparable: bool = False
    """Whether it reads the same buffer as the C yardstick."""


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise WrongResult(f"{what}: {found}, expected {expected}")


def _traffic_octets(traffic: Traffic) -> int:
    return len(traffic.hour.data) * traffic.times


def _decode(sources: Sources, stage: str) -> Job[Any, Any]:
    """M3UA to the columns of a kind of row, one thread, into rows that exist already."""
    traffic = sources.traffic
    flat, rows = traffic.flat, new_rows(traffic.n, DECODED[stage])
    rows.view(np.uint8)[:] = 0  # so that no run pays for the first touch of memory
    first: list[tuple[int, int]] = []

    def check(done: tuple[int, int]) -> None:
        _same("messages and octets decoded", done, (traffic.n, len(flat)))
        first.append(tally(rows))
        _same("DATA messages, right ones", first[-1], first[0])
        if traffic.hour.correlations is not None:
            _same("DATA messages, right ones", first[-1], (traffic.n, traffic.n))
            _same("sum of correlation ids", _correlations(rows), traffic.hour.correlations * traffic.times)

    def run(_: None) -> tuple[int, int]:
        return decode_flat(flat, rows)

    return Job(traffic.n, _traffic_octets(traffic), traffic.name, _nothing, run, check, comparable=True)


def decode(sources: Sources) -> Job[Any, Any]:
    """Every column: M3UA to the short message's addresses and the services' components."""
    return _decode(sources, "decode")


def decode_brief(sources: Sources) -> Job[Any, Any]:
    """The columns of a brief row, which are those of the C yardstick and some more."""
    return _decode(sources, "decode-brief")


def reference(sources: Sources) -> Job[Any, Any]:
    """The readable codec: every element by name; every k-th message of the hour."""
    hour = sources.hour
    step = max(1, hour.n // REFERENCE_MESSAGES)
    ends = hour.offsets.tolist()
    messages = [hour.data[ends[i] : ends[i + 1]] for i in range(0, hour.n, step)]
    rows = decode_batch(hour.data, hour.offsets)[::step]
    fast_fails = int((rows["error"] != 0).sum())
    known = int((rows["present"] & Present.TMSI != 0).sum())

    def run(_: None) -> tuple[int, int, int]:
        tmsi = corr = wrong = 0
        for octets in messages:
            try:
                found = view_m3ua(octets)
            except ValueError:
                wrong += 1
                continue
            tmsi += "tmsi" in found
            corr += found["ies"].get("Correlation Id", 0)
        return tmsi, corr, wrong

    def check(done: tuple[int, int, int]) -> None:
        if hour.correlations is not None:
            _same("TMSIs, correlation ids, refusals", done, (known, _correlations(rows), 0))
        elif done[2] < fast_fails:
            raise WrongResult(f"{done[2]} messages refused, {fast_fails} by the fast decoder")

    return Job(
        len(messages), sum(map(len, messages)), f"{hour.source}, 1 message in {step}", _nothing, run, check,
        comparable=True,
    )  # fmt: skip


def correlate(sources: Sources) -> Job[Any, Any]:
    """Decoding and correlation to behaviours, in batches, by one correlator that has seen nothing before."""
    traffic = sources.traffic
    data, offsets, t_us = traffic.data, traffic.offsets, traffic.t_us
    rows = new_rows(BATCH)
    rows.view(np.uint8)[:] = 0
    first: list[Counter[int]] = []

    def ready() -> Correlator:
        return Correlator(hold_us=traffic.hour.hold_us)

    def run(correlator: Correlator) -> tuple[Correlator, list[BehaviourBatch]]:
        found = []
        for at in range(0, traffic.n, BATCH):
            end = min(at + BATCH, traffic.n)
            ends = offsets[at : end + 1]
            batch = decode_batch(data, ends, rows)
            found.append(correlator.feed(data, ends, batch, t_us[at:end]))
            if correlator.holding:
                found.append(correlator.expire(int(t_us[end - 1])))
        return correlator, found

    def check(done: tuple[Correlator, list[BehaviourBatch]]) -> None:
        correlator, found = done
        open_at_end = correlator.connections
        kinds = Counter(np.concatenate([*found, correlator.flush()])["kind"].tolist())
        first.append(kinds)
        _same("behaviours by kind", kinds, first[0])
        truth = traffic.hour.behaviours
        if truth is not None:
            _same("behaviours by kind", kinds, {kind: n * traffic.times for kind, n in truth.items()})
            _same("connections left open", open_at_end, 0)

    return Job(traffic.n, _traffic_octets(traffic), traffic.name, ready, run, check, comparable=True)


def encode(sources: Sources) -> Job[Any, Any]:
    """The busy hour lived: what the people do, resolved and encoded; templates known."""
    world, library = sources.world, sources.library
    end_us = (BUSY_HOUR + 1) * HOUR_US
    sample, run_to_end = life(world, library)
    while run_to_end.step() < end_us:
        pass
    expected = _crc(sample)

    def ready() -> tuple[Memory, Run]:
        return life(world, library)

    def run(state: tuple[Memory, Run]) -> Memory:
        memory, run = state
        while run.step() < end_us:
            pass
        return memory

    def check(memory: Memory) -> None:
        _same("messages and their CRC", _crc(memory), expected)
        for batch in memory.batches:
            rows = decode_batch(batch.data, batch.offsets)
            _same("messages decodable", tally(rows), (batch.n, batch.n))

    octets = sum(len(batch.data) for batch in sample.batches)
    name = f"{sources.source} {BUSY_HOUR}:00-{BUSY_HOUR + 1}:00, {world.n} subscribers"
    return Job(sample.n, octets, name, ready, run, check)


def capture(sources: Sources) -> Job[Any, Any]:
    """A capture file read from the page cache to M3UA messages; of a foreign one only counts are kept."""
    path = sources.capture_file
    own = sources.capture is None
    hour = sources.hour
    if own:
        expected = (CAPTURED_TIMES * hour.n, CAPTURED_TIMES * len(hour.data))
        crc = zlib.crc32(hour.data * CAPTURED_TIMES)
        source = f"{hour.source}, written x{CAPTURED_TIMES}"
    else:
        expected = _read(CaptureReader(path))[:2]
        crc, source = 0, f"{path.name}, whole"

    def ready() -> CaptureReader:
        return CaptureReader(path)

    def run(reader: CaptureReader) -> tuple[int, int, list[bytes]]:
        return _read(reader, keep=own)

    def check(found: tuple[int, int, list[bytes]]) -> None:
        _same("messages and their octets", found[:2], expected)
        _same("CRC of the messages", zlib.crc32(b"".join(found[2])), crc)

    return Job(expected[0], path.stat().st_size, source, ready, run, check)


def _read(reader: CaptureReader, *, keep: bool = False) -> tuple[int, int, list[bytes]]:
    """Messages, their octets, and these themselves if wanted."""
    n = octets = 0
    kept = []
    for batch in reader:
        n += len(batch.messages)
        octets += len(batch.messages.data)
        if keep:
            kept.append(batch.messages.data)
    return n, octets, kept


def _nothing() -> None:
    """No state."""


def _correlations(rows: RowBatch) -> int:
    return int(rows["corr"].sum(dtype=np.int64))


def _crc(memory: Memory) -> tuple[int, int]:
    crc = 0
    for batch in memory.batches:
        crc = zlib.crc32(batch.data, crc)
    return memory.n, crc


STAGES: Final[dict[str, Callable[[Sources], Job[Any, Any]]]] = {
    "decode": decode,
    "decode-brief": decode_brief,
    "reference": reference,
    "correlate": correlate,
    "encode": encode,
    "capture": capture,
}
"""In the order in which they run."""
