"""`kairos capture`: a world's signalling as a tap between its nodes sees it. Also what studies capture with.

Everything streams: a tick of the simulation is written before the next one begins, so memory does not grow
with the length of the capture. Same world, start, length, seed and form: the same bytes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Self

import numpy as np

from experiments.problems import BadInput
from experiments.progress import Display
from experiments.world_files import of_day_us, opened_world
from sigtran import MessageBatch
from sigtran.capture import CaptureWriter, Framing
from sigtran.framing import Link
from sim.network.wire import WireBatch
from sim.run import Run, Sink, World, build
from sim.scenario import DAY_US
from sim.sinks import Nothing, Several

__all__ = ["DEFAULT_START", "Tap", "layout_of", "run_command", "simulate", "tap_of"]

DEFAULT_START: Final = "18:00"
"""The evening's busy hour of the first day."""
STREAMS: Final = 16
TICK_US: Final = 10_000_000
"""Simulated time between two looks at the terminal, the pipe and Ctrl-C."""
_MINUTE_US: Final = 60_000_000


class Tap:
    """A capture writer that takes what a run emits."""

    def __init__(self, writer: CaptureWriter, world: World, streams: int = STREAMS) -> None:
        self._writer = writer
        self._epoch_us = world.scenario.epoch_unix_us
        self._streams = streams
        self._topology = world.topology

    @property
    def messages(self) -> int:
        """DATA messages so far."""
        return self._writer.messages

    def set_up(self, t_us: int) -> None:
        """Every BSC's association with its MSC is set up at a time of the world."""
        topology = self._topology
        for code, msc in zip(topology.bsc_point_codes, topology.msc_of_bsc, strict=True):
            self._writer.open_association(code, topology.msc_point_codes[msc], self._epoch_us + t_us)

    def write(self, batch: WireBatch, part: slice | None = None) -> None:
        """Messages of a batch, the streams chosen as by an endpoint: by SLS, never stream 0."""
        part = slice(0, batch.n) if part is None else part
        first, last = batch.offsets[part.start], batch.offsets[part.stop]
        stream = (1 + batch.sls[part].astype(np.uint16) % (self._streams - 1)).astype(np.uint16)
        offsets = batch.offsets[part.start : part.stop + 1] - first
        self._writer.write(
            batch.t_us[part] + self._epoch_us, MessageBatch(batch.data[first:last], offsets, stream)
        )

    def flush(self) -> None:
        """To the file, and on to whoever reads it."""
        self._writer.flush()

    def pass_time(self, t_us: int) -> None:
        """Heartbeats and late acknowledgements up to a time of the world."""
        self._writer.pass_time(self._epoch_us + t_us)


@contextlib.contextmanager
def tap_of(
    target: Path | BinaryIO, world: World, *, streams: int = STREAMS, framing: Framing | None = None
) -> Iterator[Tap]:
    """A tap on all links of a world's MSCs, the nodes named; the file is complete at the end."""
    topology = world.topology
    several = len(topology.msc_point_codes) > 1
    names = {code: f"MSC{i + 1}" if several else "MSC" for i, code in enumerate(topology.msc_point_codes)}
    names |= {code: f"BSC{i + 1}" for i, code in enumerate(topology.bsc_point_codes)}
    with CaptureWriter(
        target, servers=topology.msc_point_codes, names=names, streams=streams, framing=framing
    ) as writer:
        yield Tap(writer, world, streams)


class _Sink(Nothing):
    """Signalling goes to the tap; nobody asks here what people did."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap

    def signalling(self, batch: WireBatch) -> None:
        self._tap.write(batch)


def simulate(world: World, tap: Tap, start_us: int, end_us: int, truth: Sink | None = None) -> Iterator[int]:
    """Runs a world into a tap, and its truth where that is wanted; gives the time reached after each tick."""
    tap.set_up(start_us)
    sink = _Sink(tap) if truth is None else Several(_Sink(tap), truth)
    run = Run(world, sink=sink, tick_us=TICK_US, start_us=start_us, end_us=end_us)
    now_us = start_us
    while now_us < end_us:
        now_us = run.step()
        tap.pass_time(now_us)
        yield now_us


# ------------------------------------------------------------------ the command


@dataclass(slots=True)
class _Target:
    """Where it goes: a file beside which it grows, a device or pipe, standard output (None)."""

    path: Path | None

    @property
    def name(self) -> str:
        return "standard output" if self.path is None else str(self.path)

    @contextlib.contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The open file. A regular one gets its name when it is complete; on an error what there is goes."""
        if self.path is None:
            yield sys.stdout.buffer
            return
        if self.path.exists() and not stat.S_ISREG(self.path.stat().st_mode):
            with self.path.open("wb") as file:  # a pipe or a device
                yield file
            return
        growing = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            with growing.open("xb") as file:
                yield file
            growing.replace(self.path)
        except BaseException:
            growing.unlink(missing_ok=True)
            raise


class _Stop:
    """While open, the first Ctrl-C or SIGTERM asks to stop after the tick under way; a second one insists."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Self:
        self._before = {n: signal.signal(n, self._take) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def run_command(
    world_file: Path,
    out: str,
    *,
    minutes: float,
    start: str = DEFAULT_START,
    day: int = 1,
    seed: int = 1,
    framing: Framing | None = None,
    truth: Path | None = None,
) -> None:
    """What `kairos capture` does with its options.

    Raises BadInput where nothing can be made of them or the file cannot be written, which then is removed.
    Exits with 130 where it was stopped, what there is complete.
    """
    start_us = (day - 1) * DAY_US + of_day_us(start)
    end_us = start_us + round(minutes * _MINUTE_US)
    if out == "-" and sys.stdout.isatty():
        raise BadInput("a capture is not for a terminal: --out FILE, or pipe standard output on")
    target = _Target(None if out == "-" else Path(out))
    if target.path is not None and target.path.is_dir():
        raise BadInput(f"--out {out}: is a folder; name a file in it")
    if truth is not None and truth.exists() and not truth.is_dir():
        raise BadInput(f"--truth {truth}: is a file; name a folder")
    world = build(opened_world(world_file), seed)
    reached_us = start_us
    try:
        with (
            target.opened() as file,
            Display() as display,
            _Stop() as stop,
            tap_of(file, world, framing=framing) as tap,
            contextlib.ExitStack() as stack,
        ):
            kept = None
            if truth is not None:
                from experiments.sinks import TruthFolder

                kept = stack.enter_context(TruthFolder(truth))
            for reached_us in simulate(world, tap, start_us, end_us, kept):
                tap.flush()  # whoever reads a pipe sees it as it comes
                said = {"event": "progress", "t_us": reached_us, "start_us": start_us}
                display.event("capture", said | {"end_us": end_us, "messages": tap.messages})
                if stop.asked:
                    break
    except BrokenPipeError:
        # The reader has seen enough; nothing is left to be flushed at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except OSError as error:
        gone = ""
        if target.path is not None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
            gone = "; the unfinished capture is removed"
        raise BadInput(f"--out {target.name}: {error.strerror}{gone}") from None
    length = f"{(reached_us - start_us) / _MINUTE_US:.4g} minutes from day {day} {start}, seed {seed}"
    stopped = f" (of {minutes:g} wanted: stopped, and complete up to there)" if reached_us < end_us else ""
    print(f"{target.name}: {tap.messages} messages, {length}{stopped}", file=sys.stderr)  # noqa: T201 - the command line
    if stopped:
        sys.exit(130)


def layout_of(
    out: str,
    *,
    form: Literal["pcapng", "pcap"] | None,
    link: Link,
    vlan: int | None,
    ipv6: bool,
    udp: int | None,
    mtu: int,
    bundle_ms: float,
    nanoseconds: bool,
    heartbeat_s: float,
) -> Framing:
    """The layout that the command's options ask for. Raises BadInput where they contradict each other."""
    try:
        return Framing(
            form=form or ("pcap" if out.endswith(".pcap") else "pcapng"),
            link=link,
            vlan=vlan,
            ip=6 if ipv6 else 4,
            udp_port=udp,
            mtu=mtu,
            bundle_us=round(bundle_ms * 1000),
            nanoseconds=nanoseconds,
            heartbeat_s=heartbeat_s,
        )
    except ValueError as error:
        raise BadInput(f"--{error}") from None
