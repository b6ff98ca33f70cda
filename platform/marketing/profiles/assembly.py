"""From blocks of rows to an extract: identities checked, each column read as its type, bad rows reported.

A row whose identity cannot be used (not 15 digits, a number that somebody has already) is left out. A row
with another bad cell stays, that cell unknown: nobody loses what was learned of them, or gains an offer, by a
typing mistake. Both count as bad rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketing.config import suggest
from marketing.profiles.cells import Builder, digits, some_cells, type_of_arrow
from marketing.profiles.columns import Column, TooManyWords
from marketing.profiles.extract import Profiles
from marketing.profiles.reading import Block, Table, Unusable
from marketing.profiles.report import RowErrors
from marketing.profiles.schema import DECLARED, NAME, TYPES, Declared

__all__ = ["IMSI", "MSISDN", "Assembly", "of_columns", "plan"]

IMSI: Final = (r"^[0-9]{15}$", "15 digits")
MSISDN: Final = (r"^[1-9][0-9]{4,14}$", "5 to 15 digits without a leading zero")
_IDENTITIES: Final = {"imsi": IMSI, "msisdn": MSISDN}


def plan(table: Table) -> tuple[dict[str, Declared], list[str]]:
    """What each column is read as (by its name in the file), and remarks for whoever imports.

    Raises:
        Unusable: an identity is missing, a name cannot be one, a type cannot be kept.
    """
    missing = [name for name in _IDENTITIES if name not in table.columns]
    if missing:
        spare = [name for name in table.columns if name not in _IDENTITIES]
        near = [suggest(name, spare) for name in missing]
        hint = f"; did you mean {', '.join(filter(None, near))}?" if any(near) else ""
        raise Unusable(f"expected the columns imsi and msisdn{hint}", ",".join(table.columns)[:80], 1)
    read: dict[str, Declared] = {}
    remarks: list[str] = []
    for column in table.columns:
        if column in _IDENTITIES:
            continue
        name, colon, said = column.partition(":")
        if not NAME.fullmatch(name):
            raise Unusable(
                "a column name of small letters, digits and _ (as in profile.NAME)", repr(column)[:60], 1
            )
        if name in {one.name for one in read.values()}:
            raise Unusable(f"every column once; {name!r} is there again", repr(column)[:60], 1)
        if colon and said not in TYPES:
            raise Unusable(f"NAME:TYPE with one of the types {', '.join(TYPES)}", repr(column)[:60], 1)
        if name in DECLARED:
            if colon and said != DECLARED[name].type:
                raise Unusable(f"{name} as {DECLARED[name].type}, or no type", repr(column)[:60], 1)
            read[column] = DECLARED[name]
            continue
        kind = said if colon else type_of_arrow(table.types[column]) if table.types else "string"
        if kind is None:
            raise Unusable(
                f"column {name} as one of {', '.join(TYPES)} (a date as text such as 2009-03-02)",
                str(table.types[column])[:60],
            )
        read[column] = Declared(name, kind, "an attribute of this extract", "the file")  # type: ignore[arg-type]
        how = (
            ""
            if colon or table.types
            else f" (for another type write the header {name}:int, :double, :bool or :list)"
        )
        near_name = suggest(name, list(DECLARED))
        meant = f"; did you mean {near_name!r}?" if near_name else ""
        remarks.append(f"column {name} is not declared: kept as {kind}{how}{meant}")
    return read, remarks


@dataclass(slots=True)
class Assembly:
    """An extract in the making."""

    errors: RowErrors
    read: Mapping[str, Declared]
    rows: int = 0
    """Rows seen, bad ones too."""
    _builders: dict[str, Builder] = field(init=False)
    _imsi: list[NDArray[np.uint64]] = field(default_factory=list)
    _msisdn: list[NDArray[np.uint64]] = field(default_factory=list)
    _row: list[NDArray[np.uint32]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._builders = {column: Builder(declared) for column, declared in self.read.items()}

    def take(self, block: Block) -> None:
        """The rows of a block.

        Raises:
            Unusable: a column has too many different words.
        """
        n = len(block.rows)
        self.rows += n
        faulty = np.zeros(n, dtype=np.bool_)
        good = np.ones(n, dtype=np.bool_)
        numbers = {}
        for name, (pattern, expected) in _IDENTITIES.items():
            numbers[name], fits = digits(block.cells[name], pattern)
            good &= fits
            self._refuse(block, name, name, expected, ~fits)
        faulty |= ~good
        rows = None if good.all() else good
        for column, builder in self._builders.items():
            try:
                cells = builder.read(block.cells[column])
            except TooManyWords as error:
                raise Unusable(str(error)) from None
            if cells.bad.any():
                faulty |= cells.bad
                self._refuse(block, column, builder.declared.name, builder.expected, cells.bad)
            builder.keep(cells, rows)
        self.errors.rows += int(np.count_nonzero(faulty))
        self._imsi.append(numbers["imsi"] if rows is None else numbers["imsi"][rows])
        self._msisdn.append(numbers["msisdn"] if rows is None else numbers["msisdn"][rows])
        self._row.append((block.rows if rows is None else block.rows[rows]).astype(np.uint32))

    def finish(self) -> Profiles:
        """The extract. Of rows with an IMSI or MSISDN that an earlier row has, the earlier stays."""
        imsi, msisdn, row = (_joined(parts) for parts in (self._imsi, self._msisdn, self._row))
        self._imsi, self._msisdn, self._row = [], [], []
        order = np.argsort(imsi, kind="stable").astype(np.uint32)
        keep = self._once("imsi", imsi, order, row)
        if keep is not None:
            order = order[keep]
        # By number, and in the order of the file among equal ones.
        by_msisdn = order[np.lexsort((order, msisdn[order]))]
        keep = self._once("msisdn", msisdn, by_msisdn, row)
        if keep is not None:
            left = np.zeros(len(imsi), dtype=np.bool_)
            left[by_msisdn[keep]] = True
            order = order[left[order]]
        del by_msisdn, row
        imsi, msisdn = imsi[order].astype(np.uint64), msisdn[order].astype(np.uint64)
        columns: dict[str, Column] = {}
        for column in list(self._builders):
            builder = self._builders.pop(column)  # each gives its memory back before the next one needs some
            columns[builder.declared.name] = builder.finish(order)
        return Profiles.made(imsi, msisdn, columns)

    def _refuse(self, block: Block, column: str, name: str, expected: str, bad: NDArray[np.bool_]) -> None:
        at = np.flatnonzero(bad)
        if len(at):
            some = some_cells(block.cells[column], at[: self.errors.limit])
            self.errors.add(name, expected, block.rows[at], some)

    def _once(
        self, name: str, values: NDArray[Any], order: NDArray[np.uint32], row: NDArray[Any]
    ) -> NDArray[np.bool_] | None:
        """In the order of values, which are there for the first time; None: all."""
        ordered = values[order]
        again = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
        if not len(again):
            return None
        keep = np.ones(len(order), dtype=np.bool_)
        keep[again] = False
        first = np.maximum.accumulate(np.where(keep, np.arange(len(order)), 0))[again]
        rows = row[order[again]]
        by_row = np.argsort(rows, kind="stable")[: self.errors.limit]
        width = 15 if name == "imsi" else 0
        shown = [
            f"{int(ordered[again[i]]):0{width}d} is there twice, first in row {row[order[first[i]]]}"
            for i in by_row
        ]
        expected = f"every {name} once"
        self.errors.add(name, expected, rows[by_row], shown)
        self.errors.counts[name, expected] += len(again) - len(by_row)
        self.errors.rows += len(again)
        return keep


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def of_columns(columns: Mapping[str, Sequence[Any]]) -> Profiles:
    """An extract from plain columns; see `Profiles.of`."""
    n = len(columns["imsi"])
    cells = {
        name: _array(name, values) for name, values in columns.items() if len(values) or name in _IDENTITIES
    }
    table = Table(tuple(cells), {name: array.type for name, array in cells.items()}, iter(()))
    errors = RowErrors(limit=1)
    assembly = Assembly(errors, plan(table)[0])
    assembly.take(Block(np.arange(1, n + 1), cells))
    made = assembly.finish()
    if errors.total:
        first = errors.first(1)[0]
        raise ValueError(f"row {first.row}: {first.column} = {first.value}: expected {first.expected}")
    return made


def _array(name: str, values: Sequence[Any]) -> pa.Array:
    if name in _IDENTITIES:
        return pa.array([str(value) for value in values], pa.string())
    kind = DECLARED[name].type if name in DECLARED else None
    if kind == "list":
        return pa.array([None if v is None else list(v) for v in values], pa.list_(pa.string()))
    return pa.array(values, pa.string() if kind == "string" else None)
