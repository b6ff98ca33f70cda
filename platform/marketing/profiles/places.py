"""The cell table: which place a cell belongs to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from marketing.config import ConfigError, Problem
from marketing.profiles.plain_csv import plain_csv

__all__ = ["Places", "load_cells"]


@dataclass(frozen=True, slots=True)
class Places:
    """Cells sorted by lac x 65536 + ci, each with the number of its place."""

    names: tuple[str, ...]
    """Place number -> name."""
    _cells: NDArray[np.uint32]
    _place: NDArray[np.int16]

    @property
    def cells(self) -> NDArray[np.uint32]:
        """All cells as lac x 65536 + ci, ascending."""
        return self._cells

    def number(self, name: str) -> int:
        """Place number of a name.

        Raises:
            ValueError: no cell of the table is there.
        """
        return self.names.index(name)

    def of(self, lac: NDArray[np.uint16], ci: NDArray[np.uint16]) -> NDArray[np.int16]:
        """Place number of each cell; -1 for a cell without a place or unknown to the table."""
        if not len(self._cells):
            return np.full(len(lac), -1, dtype=np.int16)
        wanted = (lac.astype(np.uint32) << np.uint32(16)) | ci
        position = np.searchsorted(self._cells, wanted)
        np.minimum(position, len(self._cells) - 1, out=position)
        return np.where(self._cells[position] == wanted, self._place[position], np.int16(-1))

    @classmethod
    def from_rows(cls, rows: list[tuple[int, int, str]]) -> Places:
        """From (lac, ci, place name or empty)."""
        names = tuple(sorted({place for _, _, place in rows if place}))
        number = {name: i for i, name in enumerate(names)} | {"": -1}
        ordered = sorted(rows)
        cells = np.array([lac << 16 | ci for lac, ci, _ in ordered], dtype=np.uint32)
        return cls(names, cells, np.array([number[place] for _, _, place in ordered], dtype=np.int16))


def load_cells(path: Path) -> Places:
    """The cell table: CSV with lac, ci, place (and kind, unread here).

    Raises:
        ConfigError: with every bad row (the first hundred).
    """
    rows: list[tuple[int, int, str]] = []
    problems: list[Problem] = []
    with plain_csv(path) as reader:
        header = reader.fieldnames or []
        if not {"lac", "ci", "place"} <= set(header):
            raise ConfigError(
                [Problem(str(path), 1, "", ",".join(header), "expected the header lac,ci,place,kind")]
            )
        for row in reader:
            try:
                lac, ci = int(row["lac"]), int(row["ci"])
                if not (0 <= lac <= 0xFFFF and 0 <= ci <= 0xFFFF):
                    raise ValueError
            except (TypeError, ValueError):
                cell = f"{row['lac']},{row['ci']}"
                problems.append(
                    Problem(str(path), reader.line_num, "lac,ci", cell, "expected two numbers of 16 bits")
                )
                continue
            rows.append((lac, ci, (row["place"] or "").strip()))
    cells = [(lac, ci) for lac, ci, _ in rows]
    if len(set(cells)) != len(cells):
        twice = min(cell for cell, count in Counter(cells).items() if count > 1)
        problems.append(Problem(str(path), 0, "lac,ci", str(twice), "expected every cell once"))
    if problems:
        raise ConfigError(problems[:100])
    return Places.from_rows(rows)
