"""Cells with busy hours, in which nobody is contacted who is there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketing.config import ConfigError, Problem
from marketing.contact.hours import Stretch
from marketing.contact.rules_file import BusyCells
from marketing.contact.zones import MOST_PROBLEMS, read_rows

__all__ = ["NO_BUSY", "Busy", "read_busy"]

CELL: Final = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


@dataclass(frozen=True, slots=True, eq=False)
class Busy:
    """Cells by code, LAC x 65536 + CI, ascending, with the number of each one's hours."""

    cells: NDArray[np.uint32]
    group: NDArray[np.int32]
    hours: tuple[tuple[Stretch, ...], ...]
    """Of group 1 and so on; group 0 is never busy. Cells with the same hours are one group."""

    def of(self, cells: NDArray[Any]) -> NDArray[np.int32]:
        """The group of each cell."""
        if not len(self.cells):
            return np.zeros(len(cells), dtype=np.int32)
        at = np.minimum(np.searchsorted(self.cells, cells), len(self.cells) - 1)
        return np.where(self.cells[at] == cells, self.group[at], 0).astype(np.int32)

    def of_one(self, cell: int) -> int:
        """The same of one."""
        return int(self.of(np.array([cell], dtype=np.uint32))[0])


NO_BUSY: Final = Busy(np.zeros(0, dtype=np.uint32), np.zeros(0, dtype=np.int32), ())


def read_busy(keys: BusyCells | None) -> Busy:
    """The file that `busy_cells` names; no keys: no cell.

    Raises:
        ConfigError: it cannot be used, with its first hundred bad rows.
    """
    if keys is None:
        return NO_BUSY
    path, problems = keys.file, list[Problem]()
    found: dict[int, set[tuple[time, time]]] = {}
    for line, (cell, start, end) in read_rows(path, ("cell", "from", "to")):
        code, first, last = _code(cell), _time(start), _time(end)
        for name, value, read, expected in (
            ("cell", cell, code, "expected lac-ci, such as 4369-7"),
            ("from", start, first, "expected a local time such as 18:00"),
            ("to", end, last, "expected a local time such as 20:00"),
        ):
            if read is None:
                problems.append(Problem(str(path), line, name, value[:60], expected))
        if first is not None and first == last:
            problems.append(Problem(str(path), line, "to", end, "expected another time than from"))
        if code is not None and first is not None and last is not None:
            found.setdefault(code, set()).add((first, last))
        if len(problems) >= MOST_PROBLEMS:
            break
    if not found and not problems:
        problems.append(Problem(str(path), 0, "", "", "it can never bite: there is no cell in it"))
    if problems:
        raise ConfigError(problems)
    groups: dict[frozenset[tuple[time, time]], int] = {}
    cells = sorted(found)
    group = [groups.setdefault(frozenset(found[cell]), len(groups) + 1) for cell in cells]
    holds = keys.then == "hold"
    hours = tuple(tuple(Stretch("busy_cell", *ends, holds) for ends in sorted(each)) for each in groups)
    return Busy(np.array(cells, dtype=np.uint32), np.array(group, dtype=np.int32), hours)


def _code(cell: str) -> int | None:
    match = CELL.fullmatch(cell)
    if match is None:
        return None
    lac, ci = int(match[1]), int(match[2])
    return lac << 16 | ci if max(lac, ci) < 65536 else None


def _time(text: str) -> time | None:
    try:
        at = time.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is None else None
