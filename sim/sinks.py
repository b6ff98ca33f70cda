"""Where a run's output goes: nowhere, a digest, a flat file, several places. Others derive from `Nothing`.

Beside these: a capture (`experiments.capture`), Parquet (`experiments.sinks`), and what an arm of a study
records (`experiments.arm_records`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sim.network.wire import WireBatch
from sim.run import Sink

__all__ = ["Counter", "Digest", "FlatFile", "Nothing", "Several", "flat_of"]

Rows = Sequence[Mapping[str, Any]]


class Nothing:
    """Keeps nothing; a sink that wants something overrides what it wants."""

    def signalling(self, batch: WireBatch) -> None:
        """Messages."""

    def acts(self, rows: NDArray[np.void]) -> None:
        """Acts, visible acts, faults."""

    visible = faults = acts

    def parts(self, rows: Rows) -> None:
        """What handsets received and answered."""

    contacts = responses = parts


class Counter(Nothing):
    """How much came."""

    def __init__(self) -> None:
        self.messages = self.octets = self.act_rows = self.visible_rows = self.fault_rows = 0

    def signalling(self, batch: WireBatch) -> None:
        self.messages += batch.n
        self.octets += len(batch.data)

    def acts(self, rows: NDArray[np.void]) -> None:
        self.act_rows += len(rows)

    def visible(self, rows: NDArray[np.void]) -> None:
        self.visible_rows += len(rows)

    def faults(self, rows: NDArray[np.void]) -> None:
        self.fault_rows += len(rows)


class Digest(Counter):
    """SHA-256 of messages with their times and of the truth, each in its order; the windows do not matter."""

    def __init__(self) -> None:
        super().__init__()
        self._of = {name: hashlib.sha256() for name in ("messages", "times", "acts", "visible")}

    def signalling(self, batch: WireBatch) -> None:
        super().signalling(batch)
        self._of["messages"].update(batch.data)
        self._of["times"].update(batch.t_us.tobytes())

    def acts(self, rows: NDArray[np.void]) -> None:
        super().acts(rows)
        self._of["acts"].update(rows.tobytes())

    def visible(self, rows: NDArray[np.void]) -> None:
        super().visible(rows)
        self._of["visible"].update(rows.tobytes())

    @property
    def each(self) -> dict[str, str]:
        """Hexadecimal, by what it is of."""
        return {name: found.hexdigest() for name, found in self._of.items()}


class FlatFile(Nothing):
    """Messages behind their lengths, 32 bits little-endian: what `decode_flat` and the C yardstick read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.messages = 0

    def signalling(self, batch: WireBatch) -> None:
        self._file.write(flat_of(batch.data, batch.offsets))
        self.messages += batch.n


class Several:
    """Hands everything to each of several sinks."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks

    def signalling(self, batch: WireBatch) -> None:
        for sink in self._sinks:
            sink.signalling(batch)

    def acts(self, rows: NDArray[np.void]) -> None:
        for sink in self._sinks:
            sink.acts(rows)

    def visible(self, rows: NDArray[np.void]) -> None:
        for sink in self._sinks:
            sink.visible(rows)

    def faults(self, rows: NDArray[np.void]) -> None:
        for sink in self._sinks:
            sink.faults(rows)

    def parts(self, rows: list[Any]) -> None:
        for sink in self._sinks:
            sink.parts(rows)

    def contacts(self, rows: list[Any]) -> None:
        for sink in self._sinks:
            sink.contacts(rows)

    def responses(self, rows: list[Any]) -> None:
        for sink in self._sinks:
            sink.responses(rows)


def flat_of(data: bytes, offsets: NDArray[np.int64]) -> bytes:
    """Each message behind its length as 32-bit little-endian."""
    n = len(offsets) - 1
    out = np.empty(len(data) + 4 * n, np.uint8)
    is_head = np.zeros(len(out), np.bool_)
    heads = offsets[:-1] + 4 * np.arange(n)
    lengths = np.diff(offsets).astype("<u4").view(np.uint8).reshape(n, 4)
    for i in range(4):
        out[heads + i] = lengths[:, i]
        is_head[heads + i] = True
    out[~is_head] = np.frombuffer(data, np.uint8)
    return out.tobytes()
