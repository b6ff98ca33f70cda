"""Lockstep: when the messages of a tick are complete, and at what time each of them happened.

The simulator says in a BEAT how many DATA messages it has sent up to a moment. A BEAT on a multiple of the
tick is a barrier, any other one a mark. Streams overtake each other, so counts decide, never positions.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from marketing.decode import RowBatch

__all__ = ["BEAT", "BEAT_ACK", "BEAT_DATA", "Arrived", "Beats", "Mark", "Placed", "merge", "select"]

P = TypeVar("P")

BEAT_DATA: Final = struct.Struct("!QQ")
"""Heartbeat data: simulated microseconds since the world's epoch, DATA messages sent so far."""
BEAT: Final = b"\1\0\3\3\0\0\0\x1c\0\x09\0\x14"
"""What a BEAT of lockstep begins with (RFC 4666 3.5.5); its data follow, and nothing else."""
BEAT_ACK: Final = b"\1\0\3\6\0\0\0\x1c\0\x09\0\x14"
"""What its BEAT ACK begins with (3.5.6)."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One BEAT: every message with a correlation id up to `count` happened no later than `world_us`."""

    world_us: int
    count: int
    data: bytes
    """The heartbeat data as they came; the BEAT ACK carries them back."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """Some messages, decoded but not yet placed in time."""

    data: bytes
    offsets: NDArray[np.int64]
    rows: RowBatch


@dataclass(frozen=True, slots=True)
class Placed:
    """Messages of a finished tick."""

    part: Arrived
    world_us: NDArray[np.int64]
    """When each happened, at the latest."""
    order: NDArray[np.int64]
    """Which of them belong to the tick, in the order of sending."""


@dataclass(slots=True)
class Beats:
    """Lockstep state of one association."""

    tick_us: int
    received: int = 0
    """DATA messages received so far, bad ones included."""
    arrived: list[Arrived] = field(default_factory=list)
    """What belongs to no finished tick yet."""
    marks: list[Mark] = field(default_factory=list)
    """Marks and barriers not yet acknowledged, in order of time."""

    def beat(self, data: bytes) -> bool:
        """A BEAT; False where its data are not those of lockstep."""
        if len(data) != BEAT_DATA.size:
            return False
        world_us, count = BEAT_DATA.unpack(data)
        if world_us >= 1 << 62 or count >= 1 << 62:
            return False
        self.marks.append(Mark(world_us, count, data))
        # Stream 0 keeps them in order; a simulator that went back in time is sorted in all the same.
        if len(self.marks) > 1 and self.marks[-2].world_us > world_us:
            self.marks.sort(key=lambda mark: mark.world_us)
        return True

    def barrier(self) -> Mark | None:
        """The first barrier that waits, if all of its messages are here."""
        for mark in self.marks:
            if mark.world_us % self.tick_us == 0:
                return mark if self.received >= mark.count else None
        return None

    def missing(self) -> int:
        """DATA messages that the first barrier still lacks; 0 where none waits."""
        for mark in self.marks:
            if mark.world_us % self.tick_us == 0:
                return max(0, mark.count - self.received)
        return 0

    def take(self, world_us: int) -> Placed | None:
        """The messages up to a finished tick, each with its time; None where there are none."""
        if not self.arrived:
            return None
        whole = _join(self.arrived)
        rows = whole.rows
        counts = np.array([mark.count for mark in self.marks], dtype=np.int64)
        corr = _numbers(rows["corr"].astype(np.int64), int(counts[0]))
        times = np.array([mark.world_us for mark in self.marks], dtype=np.int64)
        # The first mark that counts a message tells its time. A damaged id, or none: the next barrier.
        place = np.searchsorted(counts, corr, side="left")
        barrier = next((i for i, mark in enumerate(self.marks) if mark.world_us % self.tick_us == 0), 0)
        place[(place >= len(times)) | (corr <= 0)] = barrier
        t = times[place]
        order = np.argsort(corr, kind="stable")
        self.arrived = []
        if int(times[-1]) > world_us:
            late = t > world_us
            if late.any():
                self.arrived = [select(whole, np.flatnonzero(late))]
                order = order[~late[order]]
        return Placed(whole, t, order)

    def finish(self, world_us: int) -> list[bytes]:
        """The BEATs up to a finished tick, to be acknowledged, in order."""
        done = [mark.data for mark in self.marks if mark.world_us <= world_us]
        self.marks = [mark for mark in self.marks if mark.world_us > world_us]
        return done


def _numbers(corr: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Numbers of messages by their 32 bits on the wire: those nearest to a mark's count; 0: it has none."""
    near = (corr - count + (1 << 31) & 0xFFFFFFFF) - (1 << 31) + count
    return np.where(corr == 0, 0, near)


def _join(parts: list[Arrived]) -> Arrived:
    if len(parts) == 1:
        return parts[0]
    base = 0
    offsets = [np.zeros(1, dtype=np.int64)]
    for part in parts:
        offsets.append(part.offsets[1:] + base)
        base += len(part.data)
    return Arrived(
        b"".join(part.data for part in parts),
        np.concatenate(offsets),
        np.concatenate([part.rows for part in parts]),
    )


def select(whole: Arrived, chosen: NDArray[np.int64]) -> Arrived:
    """The chosen messages alone, copied."""
    starts, ends = whole.offsets[:-1][chosen], whole.offsets[1:][chosen]
    offsets = np.zeros(len(chosen) + 1, dtype=np.int64)
    np.cumsum(ends - starts, out=offsets[1:])
    data = b"".join(whole.data[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True))
    return Arrived(data, offsets, whole.rows[chosen])


def merge(taken: Sequence[tuple[P, Placed]]) -> list[tuple[P, Placed]]:
    """Several associations: mark by mark, within a mark in the order of their numbers."""
    if len(taken) < 2:
        return list(taken)
    times = sorted({t for _, placed in taken for t in placed.world_us[placed.order].tolist()})
    out: list[tuple[P, Placed]] = []
    for t in times:
        for peer, placed in taken:
            order = placed.order[placed.world_us[placed.order] == t]
            if len(order):
                out.append((peer, Placed(placed.part, placed.world_us, order)))
    return out
