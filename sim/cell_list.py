"""Cell lists as CSV: a network's cells, read with every mistake named, and written the same way.

One row a cell, in UTF-8, the first line holding the names of the columns (`COLUMNS`, in any order; those with
a default may be missing). `read_cell_list` reports everything wrong at once as `ScenarioError` with file,
line, column, value and what was expected: bad values, cells twice, areas of two BSCs, BSCs of two MSCs,
neighbours that are no cells or know only one side, cells out of reach of the others.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sim.place_kinds import KIND_INDEX
from sim.scenario_errors import Problem, ScenarioError, unreadable

CELL_KINDS: Final = ("macro", "indoor", "road", "rail")
"""What a cell is for; `Topology.kind` is an index into it."""
MACRO, INDOOR, ROAD, RAIL = range(4)

POWER_DBM: Final = (54, 22, 56, 56)
"""Radiated power (EIRP) where a list says nothing, by kind of cell: 20 W and an antenna of 15 dBi less its
feeder for macro cells, a distributed indoor antenna, and narrow antennas along a line.
"""

MOST_CELLS: Final = 8000
"""The routes between all cells take 8 octets for every pair of cells: 512 MB."""
FARTHEST_M: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class PlaceName:
    """A place as a list names it."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class CellRow:
    """One cell of a list."""

    lac: int
    ci: int
    bsc: int
    """Point code of its BSC."""
    msc: int
    """Point code of its MSC."""
    x_m: int
    """Position of the antenna east of the origin, metres."""
    y_m: int
    kind: int = MACRO
    """Index into CELL_KINDS."""
    azimuth_deg: int = -1
    """Direction of the antenna, degrees from north clockwise; -1: in all directions."""
    power_dbm: int = POWER_DBM[MACRO]
    """Radiated power (EIRP)."""
    trx: int = 2
    """Transceivers, of eight time slots each."""
    place: PlaceName | None = None
    """The place whose own cell this is."""
    in_cell: tuple[PlaceName, ...] = ()
    """Places without cells of their own that lie in this one."""
    neighbours: tuple[tuple[int, int], ...] = ()
    """Neighbour cells as (lac, ci), ascending; none in the whole list: found by distance and direction."""


COLUMNS: Final[dict[str, str]] = {
    "lac": "location area code, 1..65533",
    "ci": "cell identity, 0..65535; (lac, ci) is the cell's name",
    "bsc": "signalling point code of its BSC, 1..16383",
    "msc": "signalling point code of its MSC, 1..16383",
    "x_m": "position of the antenna east of a common origin, whole metres",
    "y_m": "position of the antenna north of it, whole metres",
    "kind": "macro, indoor, road or rail; by default macro",
    "azimuth_deg": "direction of the antenna, 0..359 degrees from north clockwise; empty: all directions",
    "power_dbm": "radiated power (EIRP), 0..70 dBm; by default that of its kind: "
    + ", ".join(f"{kind} {power}" for kind, power in zip(CELL_KINDS, POWER_DBM, strict=True)),
    "trx": "transceivers, 1..16; by default 2",
    "place": "name of the place that the cell belongs to; empty: none",
    "place_kind": "what the place is (kinds in sim/place_kinds.py); needed with `place`",
    "in_cell": "places without cells of their own that lie in this one, as name:kind, separated by spaces",
    "neighbours": "neighbour cells as lac-ci, separated by spaces; each names the other; without any in the "
    "whole list they are found by distance and direction",
}
"""The columns of a cell list and what they take; the first six are needed."""
NEEDED: Final = tuple(COLUMNS)[:6]

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_WHOLE = re.compile(r"-?[0-9]{1,9}")


class _UnfitError(ValueError):
    """A value that does not fit; the message says what would."""


def _whole(low: int, high: int, default: int | None = None) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text and default is not None:
            return default
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            raise _UnfitError(
                f"a whole number {low}..{high}" + (" or nothing" if default is not None else "")
            )
        return int(text)

    return read


def _kind(text: str) -> int:
    if text and text not in CELL_KINDS:
        raise _UnfitError("one of " + ", ".join(CELL_KINDS) + " or nothing")
    return CELL_KINDS.index(text) if text else MACRO


def _named(text: str) -> str:
    if text and not _NAME.fullmatch(text):
        raise _UnfitError("small letters, digits and hyphens, a letter first, or nothing")
    return text


def _place_kind(text: str) -> str:
    if text and text not in KIND_INDEX:
        near = difflib.get_close_matches(text, KIND_INDEX, 1)
        raise _UnfitError("a kind of place", *near)
    return text


def _in_cell(text: str) -> tuple[PlaceName, ...]:
    found = []
    for item in text.split():
        name, colon, kind = item.partition(":")
        if not colon or not _NAME.fullmatch(name) or kind not in KIND_INDEX:
            raise _UnfitError(f"name:kind with a kind of place, separated by spaces ({item!r} is not)")
        found.append(PlaceName(name, kind))
    return tuple(found)


def _neighbours(text: str) -> tuple[tuple[int, int], ...]:
    found = []
    for item in text.split():
        lac, _, ci = item.partition("-")
        if not (lac.isascii() and lac.isdigit() and ci.isascii() and ci.isdigit()):
            raise _UnfitError(f"lac-ci, separated by spaces ({item!r} is not)")
        found.append((int(lac), int(ci)))
    if len(set(found)) != len(found):
        raise _UnfitError("every neighbour once")
    return tuple(sorted(found))


_READERS: Final[dict[str, Callable[[str], object]]] = {
    "lac": _whole(1, 65533),
    "ci": _whole(0, 65535),
    "bsc": _whole(1, 16383),
    "msc": _whole(1, 16383),
    "x_m": _whole(-FARTHEST_M, FARTHEST_M),
    "y_m": _whole(-FARTHEST_M, FARTHEST_M),
    "kind": _kind,
    "azimuth_deg": _whole(0, 359, -1),
    "power_dbm": _whole(0, 70, -1),
    "trx": _whole(1, 16, 2),
    "place": _named,
    "place_kind": _place_kind,
    "in_cell": _in_cell,
    "neighbours": _neighbours,
}


@dataclass(slots=True)
class _Reading:
    """A list while it is read."""

    file: str
    problems: list[Problem]
    rows: list[CellRow]
    lines: list[int]

    def wrong(self, line: int, column: str, value: str, expected: str, near: str = "") -> None:
        self.problems.append(Problem(self.file, line, column, value, f"expected {expected}", near))


def read_cell_list(path: str | Path) -> list[CellRow]:
    """The cells of a list, in its order. Raises `ScenarioError` with everything that is wrong."""
    file = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error
    reading = _Reading(file, [], [], [])
    lines = csv.reader(text.splitlines())
    header = [name.strip() for name in next(lines, [])]
    _check_header(reading, header)
    for fields in lines:
        if not any(field.strip() for field in fields):
            continue
        if len(fields) != len(header):
            reading.wrong(
                lines.line_num, "", f"{len(fields)} fields", f"{len(header)}, as the first line has"
            )
            continue
        _read_row(reading, lines.line_num, dict(zip(header, (f.strip() for f in fields), strict=True)))
    if not reading.problems and not 2 <= len(reading.rows) <= MOST_CELLS:
        reading.wrong(0, "", f"{len(reading.rows)} cells", f"2..{MOST_CELLS} cells")
    if not reading.problems:
        _check_codes(reading)
        _check_places(reading)
        _check_neighbours(reading)
    if reading.problems:
        raise ScenarioError(reading.problems[:100])
    return reading.rows


def _check_header(reading: _Reading, header: list[str]) -> None:
    for name in header:
        if name not in COLUMNS:
            near = difflib.get_close_matches(name, COLUMNS, 1)
            reading.wrong(1, name, "", "columns out of " + ", ".join(COLUMNS), *near)
    missing = [name for name in NEEDED if name not in header]
    if missing:
        reading.wrong(1, missing[0], "", "this column, which every list needs")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        reading.wrong(1, twice[0], "", "every column once")
    if reading.problems:
        raise ScenarioError(reading.problems)


def _read_row(reading: _Reading, line: int, fields: dict[str, str]) -> None:
    before = len(reading.problems)
    values: dict[str, object] = {}
    for column, read in _READERS.items():
        said = fields.get(column, "")
        try:
            values[column] = read(said)
        except _UnfitError as error:
            reading.wrong(line, column, repr(said), *map(str, error.args))
    if bool(fields.get("place")) != bool(fields.get("place_kind")):
        missing = "place_kind" if fields.get("place") else "place"
        reading.wrong(line, missing, "", "`place` and `place_kind` together, or neither")
    if len(reading.problems) > before:
        return
    name, kind = str(values.pop("place")), str(values.pop("place_kind"))
    if values["power_dbm"] == -1:
        values["power_dbm"] = POWER_DBM[int(str(values["kind"]))]
    reading.rows.append(CellRow(place=PlaceName(name, kind) if name else None, **values))  # type: ignore[arg-type]
    reading.lines.append(line)


def _check_codes(reading: _Reading) -> None:
    """Every cell once, every area of one BSC, every BSC of one MSC, every point code one node's."""
    cells: dict[tuple[int, int], int] = {}
    bsc_of: dict[int, tuple[int, int]] = {}
    msc_of: dict[int, tuple[int, int]] = {}
    for row, line in zip(reading.rows, reading.lines, strict=True):
        first = cells.setdefault((row.lac, row.ci), line)
        if first != line:
            reading.wrong(line, "ci", f"{row.lac}-{row.ci}", f"every cell once; line {first} has it already")
        bsc, first = bsc_of.setdefault(row.lac, (row.bsc, line))
        if bsc != row.bsc:
            reading.wrong(line, "bsc", str(row.bsc), f"one BSC for area {row.lac}, {bsc} as on line {first}")
        msc, first = msc_of.setdefault(row.bsc, (row.msc, line))
        if msc != row.msc:
            reading.wrong(line, "msc", str(row.msc), f"one MSC for BSC {row.bsc}, {msc} as on line {first}")
    for row, line in zip(reading.rows, reading.lines, strict=True):
        if row.msc in msc_of:
            reading.wrong(line, "msc", str(row.msc), "a point code that no BSC has")
            break
    for column, count, most in (("bsc", len(msc_of), 255), ("msc", len({r.msc for r in reading.rows}), 16)):
        if count > most:
            reading.wrong(1, column, f"{count} point codes", f"at most {most}")


def _check_places(reading: _Reading) -> None:
    """One kind for every place, and either cells of its own or one that it lies in."""
    kinds: dict[str, tuple[str, int]] = {}
    inside: dict[str, int] = {}
    own = {row.place.name for row in reading.rows if row.place is not None}
    for row, line in zip(reading.rows, reading.lines, strict=True):
        spots = [("place_kind", row.place)] if row.place is not None else []
        for column, spot in (*spots, *(("in_cell", spot) for spot in row.in_cell)):
            kind, first = kinds.setdefault(spot.name, (spot.kind, line))
            if kind != spot.kind:
                reading.wrong(line, column, spot.kind, f"one kind for {spot.name}, {kind} as on line {first}")
        for spot in row.in_cell:
            if spot.name in own:
                reading.wrong(line, "in_cell", spot.name, "a place without cells of its own")
            elif inside.setdefault(spot.name, line) != line:
                reading.wrong(
                    line, "in_cell", spot.name, f"a place in one cell, the one of line {inside[spot.name]}"
                )


def _check_neighbours(reading: _Reading) -> None:
    """Neighbours are cells of the list and know each other, and every cell is in reach of the first."""
    if not any(row.neighbours for row in reading.rows):
        return
    by_name = {(row.lac, row.ci): row for row in reading.rows}
    for row, line in zip(reading.rows, reading.lines, strict=True):
        for lac, ci in row.neighbours:
            other = by_name.get((lac, ci))
            if other is None:
                reading.wrong(line, "neighbours", f"{lac}-{ci}", "a cell of this list")
            elif other is row:
                reading.wrong(line, "neighbours", f"{lac}-{ci}", "other cells than itself")
            elif (row.lac, row.ci) not in other.neighbours:
                reading.wrong(
                    line,
                    "neighbours",
                    f"{lac}-{ci}",
                    f"a cell that names {row.lac}-{row.ci} as its neighbour too",
                )
    if reading.problems:
        return
    reached, ahead = {(reading.rows[0].lac, reading.rows[0].ci)}, [reading.rows[0]]
    while ahead:
        fresh = [name for name in ahead.pop().neighbours if name not in reached]
        reached.update(fresh)
        ahead += [by_name[name] for name in fresh]
    lost = [(row, line) for row, line in zip(reading.rows, reading.lines, strict=True)
            if (row.lac, row.ci) not in reached]  # fmt: skip
    for row, line in lost[:20]:
        reading.wrong(
            line,
            "neighbours",
            f"{row.lac}-{row.ci}",
            f"a way from every cell to every other; {len(lost)} cells are out of reach of the first one",
        )


def write_cell_list(path: str | Path, rows: Sequence[CellRow]) -> None:
    """Writes a list that `read_cell_list` reads back equal."""
    with Path(path).open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(COLUMNS)
        for row in rows:
            table.writerow(
                [
                    row.lac,
                    row.ci,
                    row.bsc,
                    row.msc,
                    row.x_m,
                    row.y_m,
                    CELL_KINDS[row.kind],
                    row.azimuth_deg if row.azimuth_deg >= 0 else "",
                    row.power_dbm,
                    row.trx,
                    row.place.name if row.place else "",
                    row.place.kind if row.place else "",
                    " ".join(f"{spot.name}:{spot.kind}" for spot in row.in_cell),
                    " ".join(f"{lac}-{ci}" for lac, ci in row.neighbours),
                ]
            )
