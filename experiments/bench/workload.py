"""What `kairos bench` works on: a simulated busy hour, or a capture, repeated to a large buffer.

The hour is closed: only acts whose connections are opened and released within it are kept, so it can follow
itself, and each repetition gives the same behaviours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.problems import BadInput, relative
from sigtran import MessageBatch
from sigtran.capture import CaptureError, CaptureReader, PcapngWriter
from sim.network.library import TemplateLibrary
from sim.network.wire import WireBatch
from sim.run import Run, World, build
from sim.scenario import load_world
from sim.sinks import Nothing, flat_of

__all__ = [
    "BUSY_HOUR",
    "CAPTURED_TIMES",
    "HOUR_US",
    "Hour",
    "Memory",
    "Sources",
    "Traffic",
    "flat_of",
    "life",
    "traffic_of",
]

HOUR_US: Final = 3_600_000_000
SEED: Final = 1
PROVINCE: Final = Path("scenarios/worlds/province.yaml")
"""World of which the engine's behaviours are."""
BUSY_HOUR: Final = 18
"""Local hour of the first day, a Monday, that is simulated; the evening is the busiest time."""
TICK_US: Final = 60_000_000
"""As in scenarios/studies/demo.yaml."""
CAPTURED_TIMES: Final = 4
"""How often the hour stands in the capture file that is written for reading."""
_CR, _RLC = 1, 5
_SCCP_AT: Final = 24
"""Where SCCP begins in the simulator's messages: M3UA header, Protocol Data with its label."""
_READ_AHEAD: Final = 1 << 16


class Memory(Nothing):
    """A sink that keeps signalling and what of it is visible."""

    def __init__(self) -> None:
        self.batches: list[WireBatch] = []
        self.shown: list[NDArray[np.void]] = []

    def signalling(self, batch: WireBatch) -> None:
        self.batches.append(batch)

    def visible(self, rows: NDArray[np.void]) -> None:
        self.shown.append(rows)

    @property
    def n(self) -> int:
        """Messages so far."""
        return sum(batch.n for batch in self.batches)


@dataclass(frozen=True, slots=True, eq=False)
class Hour:
    """Messages that may follow themselves, and what is known of them from where they were made."""

    data: bytes
    """All messages, one behind the other."""
    offsets: NDArray[np.int64]
    t_us: NDArray[np.int64]
    """Ascending."""
    period_us: int
    """From the beginning of one repetition to that of the next."""
    source: str
    """Where they come from, in words."""
    correlations: int | None = None
    """Sum of the M3UA correlation ids; None where nobody knows it (a capture)."""
    behaviours: Mapping[int, int] | None = None
    """Behaviour code -> how many the truth has; None likewise."""
    hold_us: int = 0
    """How long the correlator waits for a message that was overtaken."""

    @property
    def n(self) -> int:
        return len(self.t_us)


@dataclass(eq=False)
class Traffic:
    """An hour `times` times. Not slotted: the buffers are made when first asked for, and kept."""

    hour: Hour
    times: int

    @property
    def n(self) -> int:
        return self.hour.n * self.times

    @cached_property
    def data(self) -> bytes:
        return self.hour.data * self.times

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        lengths = np.tile(np.diff(self.hour.offsets), self.times)
        return np.concatenate((np.zeros(1, np.int64), lengths.cumsum()))

    @cached_property
    def t_us(self) -> NDArray[np.int64]:
        shifts = np.arange(self.times, dtype=np.int64) * self.hour.period_us
        return (self.hour.t_us + shifts[:, np.newaxis]).ravel()

    @cached_property
    def flat(self) -> bytes:
        """Each message behind its length, 32 bits little-endian: what the C yardstick reads."""
        return flat_of(self.hour.data, self.hour.offsets) * self.times

    @property
    def name(self) -> str:
        """For the record: what was worked on."""
        return f"{self.hour.source}, {self.hour.n} messages, x{self.times}"


class Sources:
    """Where stages get their work from; made when first asked for, and once."""

    def __init__(
        self,
        *,
        world: Path,
        capture: Path | None = None,
        messages: int = 1_000_000,
        folder: Path,
        province: Path = PROVINCE,
        subscribers: int | None = None,
        campaigns: int = 100,
    ) -> None:
        """`messages` is the least number in the large buffer; `folder` is a scratch folder.

        `province`, `subscribers` (None: its own) and `campaigns` are for the engine.
        """
        self.province, self.subscribers, self.campaigns = province, subscribers, campaigns
        self.world_file = world
        self.capture = capture
        self.messages = messages
        self._folder = folder

    @cached_property
    def world(self) -> World:
        if not self.world_file.is_file():
            raise BadInput(
                f"{self.world_file}: no such file. Start kairos in its repository, or name a --world"
            )
        return build(load_world(self.world_file), SEED)

    @cached_property
    def library(self) -> TemplateLibrary:
        """Templates of the busy hour, all made."""
        return self._lived[1]

    @cached_property
    def _lived(self) -> tuple[Memory, TemplateLibrary]:
        memory, run = life(self.world, None)
        while run.step() < (BUSY_HOUR + 1) * HOUR_US:
            pass
        return memory, run.library

    @cached_property
    def hour(self) -> Hour:
        """From the capture if there is one, else a simulated busy hour."""
        if self.capture is not None:
            return _captured(self.capture, self.messages)
        return _closed(self._lived[0], f"{self.source} {BUSY_HOUR}:00-{BUSY_HOUR + 1}:00, seed {SEED}")

    @cached_property
    def traffic(self) -> Traffic:
        """The hour, as often as gives `messages`."""
        return traffic_of(self.hour, self.messages)

    @property
    def source(self) -> str:
        return relative(self.world_file)

    @cached_property
    def capture_file(self) -> Path:
        """The capture given, else the hour CAPTURED_TIMES times, written down."""
        return self.capture if self.capture is not None else self._write_capture()

    def _write_capture(self) -> Path:
        path, traffic = self._folder / "bench.pcapng", Traffic(self.hour, CAPTURED_TIMES)
        streams = np.ones(traffic.n, dtype=np.uint16)
        epoch = self.world.scenario.epoch_unix_us
        servers = self.world.topology.msc_point_codes
        # Without the handshake every message of the file is one of ours.
        with PcapngWriter(path, servers=servers, handshake=False) as writer:
            whole = MessageBatch(traffic.data, traffic.offsets, streams)
            for start in range(0, traffic.n, _READ_AHEAD):
                stop = min(start + _READ_AHEAD, traffic.n)
                writer.write(epoch + traffic.t_us[start:stop], whole.slice(start, stop))
        return path

    @cached_property
    def flat_file(self) -> Path:
        """The large buffer as the C yardstick reads it."""
        path = self._folder / "bench.flat"
        path.write_bytes(self.traffic.flat)
        return path


def life(world: World, library: TemplateLibrary | None) -> tuple[Memory, Run]:
    """The busy hour, not begun, and where it will put its messages."""
    memory = Memory()
    start_us = BUSY_HOUR * HOUR_US
    return memory, Run(
        world, sink=memory, tick_us=TICK_US, start_us=start_us, end_us=start_us + HOUR_US, library=library
    )


def traffic_of(hour: Hour, messages: int) -> Traffic:
    """The hour as often as gives at least so many messages."""
    return Traffic(hour, -(-messages // hour.n))


def _closed(memory: Memory, source: str) -> Hour:
    """Messages and visible acts of those acts that open as many connections as they release."""
    batches = memory.batches
    octets = np.frombuffer(b"".join(batch.data for batch in batches), dtype=np.uint8)
    lengths = np.concatenate([np.diff(batch.offsets) for batch in batches])
    starts = lengths.cumsum() - lengths
    act = np.concatenate([batch.act for batch in batches])
    kind = octets[starts + _SCCP_AT]
    balance = np.bincount(act, (kind == _CR).astype(np.int64) - (kind == _RLC))
    kept = balance[act] == 0
    visible = np.concatenate(memory.shown)
    visible = visible[balance[visible["act"]] == 0]
    corr = np.concatenate([batch.corr for batch in batches])
    return Hour(
        octets[kept.repeat(lengths)].tobytes(),
        np.concatenate((np.zeros(1, np.int64), lengths[kept].cumsum())),
        np.concatenate([batch.t_us for batch in batches])[kept],
        HOUR_US,
        source,
        int(corr[kept].sum(dtype=np.int64)),
        dict(Counter(visible["kind"].tolist())),
    )


def _captured(path: Path, most: int) -> Hour:
    """A capture, or so many messages of it, which may follow itself one second later."""
    batches, n = [], 0
    try:
        for batch in CaptureReader(path):
            batches.append(batch)
            n += len(batch.messages)
            if n >= most:
                break
    except (CaptureError, OSError) as error:
        raise BadInput(str(error)) from None
    messages = MessageBatch.concatenate([batch.messages for batch in batches])
    if not len(messages):
        raise BadInput(f"{path}: no M3UA message in it")
    t_us = np.concatenate([batch.t_unix_us for batch in batches])
    period_us = int(t_us.max() - t_us.min()) + 1_000_000
    from marketing.collect.collector import HOLD_US

    return Hour(messages.data, messages.offsets, t_us, period_us, relative(path), hold_us=HOLD_US)
