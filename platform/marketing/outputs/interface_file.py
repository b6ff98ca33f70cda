"""Files that other systems fetch: whoever looks sees the old one or the new one, never half of one."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["prepare_csv", "write_csv"]


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> int:
    """UTF-8 CSV with a header, written whole and then renamed; how many rows. Unknown cells stay empty."""
    partial, count = prepare_csv(path, columns, rows)
    os.replace(partial, path)
    return count


def prepare_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> tuple[Path, int]:
    """The same up to the renaming: the file beside, safe on the disk, and how many rows it has.

    Raises:
        OSError: it cannot be written; nothing of it is left.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        return partial, _write(partial, columns, rows)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _write(partial: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_cell(row[name], name) for name in columns])
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


FORMULA: Final = ("=", "+", "-", "@")
"""What a spreadsheet takes a cell for that begins so."""


def _cell(value: Any, column: str) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # No control characters, and no formula: a word of BOSS is not to do anything where a file is opened.
        # What people will read is left as it is but for a space.
        kept = "\n" if column == "text" else ""
        plain = "".join(c if c.isprintable() or c == kept else " " for c in value)
        if plain.lstrip().startswith(FORMULA):
            return f" {plain}" if column == "text" else f"'{plain}"
        return plain
    return "" if value is None else value
