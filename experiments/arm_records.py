"""What one arm records: the simulator's sink while it runs, and the tables made of it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.records import TABLES, write

__all__ = ["CaptureWindow", "Recorder", "write_rows"]


class CaptureWindow:
    """Hands the signalling of a window of time to a capture file, and counts what is in it."""

    def __init__(self, writer: Any, start_us: int, end_us: int) -> None:
        """`writer` takes a wire batch and a slice of its messages; times are microseconds of the world."""
        self._writer = writer
        self.start_us, self.end_us = start_us, end_us
        self.messages = 0
        self.acts: set[int] = set()
        """Acts with a message in the window."""
        self.payloads: list[bytes] = []
        """Every message in the window."""

    def see(self, batch: Any) -> None:
        """A batch of the wire."""
        first = int(np.searchsorted(batch.t_us, self.start_us, side="left"))
        last = int(np.searchsorted(batch.t_us, self.end_us, side="left"))
        if last > first:
            self._writer(batch, slice(first, last))
            self.messages += last - first
            self.acts.update(batch.act[first:last].tolist())
            self.payloads += [batch.message(i) for i in range(first, last)]


class Recorder:
    """The simulator's sink: blocks of rows as they come, tables at the end."""

    def __init__(self, capture: CaptureWindow | None = None) -> None:
        self.capture = capture
        self._wire: list[Any] = []
        self._blocks: dict[str, list[NDArray[np.void]]] = {"acts": [], "visible": [], "faults": []}
        self.rows: dict[str, list[Mapping[str, Any]]] = {"parts": [], "contacts": [], "responses": []}

    def signalling(self, batch: Any) -> None:
        """Signalling on its way out."""
        if batch.n:
            self._wire.append(batch)
            if self.capture is not None:
                self.capture.see(batch)

    def drain(self) -> Sequence[Any]:
        """Signalling since the last call."""
        wire, self._wire = self._wire, []
        return wire

    def acts(self, rows: NDArray[np.void]) -> None:
        self._block("acts", rows)

    def visible(self, rows: NDArray[np.void]) -> None:
        self._block("visible", rows)

    def faults(self, rows: NDArray[np.void]) -> None:
        self._block("faults", rows)

    def parts(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows["parts"] += rows

    def contacts(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows["contacts"] += rows

    def responses(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows["responses"] += rows

    def _block(self, name: str, rows: NDArray[np.void]) -> None:
        if len(rows):
            self._blocks[name].append(rows)

    def block(self, name: str) -> NDArray[np.void] | None:
        """All rows of a table, or None where there are none."""
        blocks = self._blocks[name]
        return np.concatenate(blocks) if blocks else None

    def write(self, folder: Path) -> None:
        """Writes acts and visible acts, and faults where there are any."""
        for name in self._blocks:
            columns = [column.name for column in TABLES[name].columns]
            rows = self.block(name)
            if rows is None and name == "faults":
                continue
            write(folder / f"{name}.parquet", name, {c: [] if rows is None else rows[c] for c in columns})


def write_rows(path: Path, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a table given row by row."""
    columns: Final = [column.name for column in TABLES[name].columns]
    write(path, name, {column: [row[column] for row in rows] for column in columns})
