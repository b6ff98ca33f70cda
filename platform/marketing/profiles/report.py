"""What was wrong with rows of a file: all counted, the first of them kept, written as CSV beside the file."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from marketing.config import Problem

__all__ = ["MOST_KEPT", "RowError", "RowErrors"]

MOST_KEPT: Final = 1_000
"""Errors that a report keeps word for word."""
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True, order=True)
class RowError:
    """One cell (or row) that could not be used."""

    row: int
    """CSV: the line, the header being 1; Parquet: the row, from 1."""
    column: str
    """Empty: the row as a whole."""
    value: str
    """As it stood there, shortened."""
    expected: str


@dataclass(slots=True)
class RowErrors:
    """All errors of one file."""

    limit: int = MOST_KEPT
    kept: list[RowError] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(column, expectation) -> how many."""
    rows: int = 0
    """Rows with at least one error."""

    @property
    def total(self) -> int:
        """Errors in all, kept or not."""
        return sum(self.counts.values())

    def add(
        self, column: str, expected: str, rows: Sequence[int] | NDArray[Any], values: Sequence[Any] | Any
    ) -> None:
        """Errors of one kind in a block; `values[i]` (asked for only where kept) stood in `rows[i]`."""
        if not len(rows):
            return
        self.counts[column, expected] += len(rows)
        # The first of each block, so that what is kept are the first of the file when blocks come in order.
        for row, value in zip(rows[: self.limit], values[: self.limit], strict=True):
            self.kept.append(RowError(int(row), column, shown(value), expected))
        if len(self.kept) > 2 * self.limit:
            self._trim()

    def _trim(self) -> None:
        self.kept = sorted(self.kept)[: self.limit]

    def first(self, limit: int | None = None) -> list[RowError]:
        """The kept ones in the order of the file."""
        self._trim()
        return self.kept[:limit]

    def problems(self, path: Path, limit: int = 100) -> list[Problem]:
        """The first of them as problems of a file."""
        found = []
        for error in self.first(limit):
            line = error.row if path.suffix == ".csv" else 0
            where = "" if line else f", row {error.row}"
            found.append(
                Problem(str(path), line, error.column, error.value, f"expected {error.expected}{where}")
            )
        return found

    def summary(self) -> list[str]:
        """One line for each kind of error, the most frequent first."""
        return [
            f"{count} x {column or 'row'}: expected {expected}"
            for (column, expected), count in sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        ]

    def write(self, path: Path) -> None:
        """The kept errors as CSV (row,column,value,expected), whole or not at all; the rest as a number.

        Raises:
            OSError: it cannot be written.
        """
        partial = path.with_name(f".{path.name}.partial")
        try:
            with partial.open("w", encoding="utf-8", newline="") as file:
                out = csv.writer(file, lineterminator="\n")
                out.writerow(("row", "column", "value", "expected"))
                found = self.first()
                for error in found:
                    # A value that a spreadsheet would take for a formula is told as text.
                    value = f"'{error.value}" if error.value[:1] in ("=", "+", "-", "@") else error.value
                    out.writerow((error.row, error.column, value, error.expected))
                if self.total > len(found):
                    out.writerow(("", "", "", f"{self.total - len(found)} more errors are not listed"))
            os.replace(partial, path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise


def shown(value: Any) -> str:
    """A cell as text of bounded length without control characters."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        value = value[: 4 * _SHOWN].decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value)[: 2 * _SHOWN])
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
