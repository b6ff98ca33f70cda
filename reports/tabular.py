"""A summary as a table for spreadsheets: a row a figure, its place, its value, its unit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["csv_of", "rows_of", "unit_of"]

UNITS: Final = {
    "_per_s": "1/s", "_per_h": "1/h", "_ms": "ms", "_us": "us", "_ns": "ns", "_s": "s", "_h": "h",
    "_dbm": "dBm", "_db": "dB", "_kmh": "km/h", "_km": "km", "_merl": "mErl", "_erl": "Erl", "_pct": "%",
    "_mb": "MB", "_bytes": "bytes",
}  # fmt: skip
"""How names end -> the unit of their values."""


def csv_of(summary: Any) -> str:
    """All values of a summary, in its order: `key,value,unit`. Nothing is written for null."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("key", "value", "unit"))
    table.writerows(rows_of(summary))
    return text.getvalue()


def rows_of(node: Any, path: tuple[str, ...] = (), unit: str = "") -> Iterator[tuple[str, str, str]]:
    """Key path with dots, value and unit of every leaf; a list's items by their number from 0.

    A unit is what the name ends in, or the nearest name above it: `latency_ms.p50` is in ms.
    """
    if isinstance(node, dict):
        for name, below in node.items():
            yield from rows_of(below, (*path, str(name)), unit_of(str(name)) or unit)
    elif isinstance(node, list):
        for place, below in enumerate(node):
            yield from rows_of(below, (*path, str(place)), unit)
    else:
        counted = isinstance(node, int | float) and not isinstance(node, bool)
        yield ".".join(path), _text(node), unit if counted else ""


def unit_of(name: str) -> str:
    """The unit that a name ends in; empty: none, or a plain number."""
    return next((unit for end, unit in UNITS.items() if name.endswith(end)), "")


def _text(value: Any) -> str:
    if value is None:
        return ""
    # The lines of a text end as those of the file do, so that what ends a row is known.
    return str(value).lower() if isinstance(value, bool) else "\n".join(str(value).splitlines())
