"""The terminal table: what a handset can do, by its type allocation code (TS 23.003 6.2.1).

The file is CSV or Parquet, one row for a code or for a range of codes that are one model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketing.config import ConfigError, Problem
from marketing.profiles.cells import Builder, digits, some_cells
from marketing.profiles.columns import Column, TooManyWords
from marketing.profiles.extract import Profiles
from marketing.profiles.loading import Loaded, reading
from marketing.profiles.reading import Unusable, open_table
from marketing.profiles.schema import Declared

__all__ = ["TERMINAL_COLUMNS", "Terminals", "load_terminals", "tac_of_imei"]

TERMINAL_COLUMNS: Final[dict[str, Declared]] = {
    one.name: one
    for one in (
        Declared("model", "string", "name of the model", "terminal table"),
        Declared("maker", "string", "who makes it", "terminal table"),
        Declared("gprs", "bool", "packet data", "terminal table"),
        Declared("edge", "bool", "fast packet data", "terminal table"),
        Declared("wap", "bool", "a WAP browser", "terminal table"),
        Declared("mms", "bool", "multimedia messages", "terminal table"),
        Declared("java", "bool", "Java applications", "terminal table"),
        Declared("price_class", "string", "low, middle or high", "terminal table"),
        Declared("year", "int", "year it came to market", "terminal table", least=1980, most=2100),
    )
}
"""Columns of the table besides `tac`, or `tac_from` and `tac_to`."""
_TAC: Final = (r"^[0-9]{8}$", "8 digits")


@dataclass(frozen=True, slots=True, eq=False)
class Terminals:
    """Models, in the order of their codes."""

    first: NDArray[np.uint32]
    """First code of each row, ascending."""
    last: NDArray[np.uint32]
    columns: Mapping[str, Column]
    """TERMINAL_COLUMNS, by row of this table."""
    _by_name: Mapping[str, int] = field(repr=False)

    def __len__(self) -> int:
        return len(self.first)

    def rows(self, tac: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
        """Row of each code (eight digits as a number); -1 where the table does not know it."""
        if not len(self):
            return np.full(len(tac), -1, dtype=np.int16)
        wanted = tac.astype(np.int64)
        at = np.searchsorted(self.first, wanted, side="right") - 1
        known = (at >= 0) & (wanted <= self.last[at])
        return np.where(known, at, -1).astype(np.int16)

    def of_profiles(
        self, profiles: Profiles, of: NDArray[np.integer[Any]] | None = None
    ) -> NDArray[np.int16]:
        """Row of the handset that the extract names ("maker model"), of all or of some; -1: not known."""
        named = profiles.column("terminal")
        rows = np.array([self._by_name.get(word, -1) for word in named.words] or [-1], dtype=np.int16)
        found: NDArray[np.int16] = rows[named.values if of is None else named.values[of]]
        return found

    def column(self, name: str) -> Column:
        """A column by row of this table.

        Raises:
            LookupError: there is no such column.
        """
        if name not in self.columns:
            raise LookupError(f"no terminal column {name!r}; known are {', '.join(TERMINAL_COLUMNS)}")
        return self.columns[name]

    @classmethod
    def none(cls) -> Terminals:
        """A table that knows no handset."""
        columns = {name: Column.unknown(one.type, 0) for name, one in TERMINAL_COLUMNS.items()}
        return cls(np.zeros(0, np.uint32), np.zeros(0, np.uint32), columns, {})


def tac_of_imei(imei: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Type allocation codes of IMEIs of fifteen digits as numbers; 0 of 0."""
    return (imei // np.uint64(10_000_000)).astype(np.uint32)


def load_terminals(path: Path) -> Terminals:
    """The table.

    Raises:
        ConfigError: with its first hundred problems.
    """
    loaded = Loaded()
    try:
        made = reading(path, lambda file: _read(file, loaded))
    except Unusable as error:
        raise ConfigError([Problem(str(path), error.line, "", error.value, error.expected)]) from None
    if loaded.errors.total or made is None:
        raise ConfigError(loaded.errors.problems(path))
    return made


def _read(file: Any, loaded: Loaded) -> Terminals | None:
    table = open_table(file, loaded.errors)
    single = "tac" in table.columns
    codes = ("tac", "tac") if single else ("tac_from", "tac_to")
    wanted = {*codes, *TERMINAL_COLUMNS}
    if set(table.columns) != wanted:
        raise Unusable(
            f"expected the columns {', '.join([*dict.fromkeys(codes), *TERMINAL_COLUMNS])}",
            ",".join(table.columns)[:120],
            1,
        )
    builders = {name: Builder(one) for name, one in TERMINAL_COLUMNS.items()}
    bounds: list[tuple[NDArray[np.uint64], NDArray[np.uint64]]] = []
    rows: list[NDArray[np.int64]] = []
    for block in table.blocks:
        pair = []
        for code in codes:
            values, fits = digits(block.cells[code], _TAC[0])
            _note(loaded, block.cells[code], block.rows, code, _TAC[1], ~fits)
            pair.append(values)
        bounds.append((pair[0], pair[1]))
        rows.append(block.rows)
        for name, builder in builders.items():
            try:
                cells = builder.read(block.cells[name])
            except TooManyWords as error:
                raise Unusable(str(error)) from None
            _note(loaded, block.cells[name], block.rows, name, builder.expected, cells.bad)
            builder.keep(cells, None)
    if loaded.errors.total:
        return None
    first, last = (np.concatenate([b[k] for b in bounds] or [np.zeros(0, np.uint64)]) for k in (0, 1))
    row = np.concatenate(rows or [np.zeros(0, np.int64)])
    order = np.argsort(first, kind="stable")
    first, last, row = first[order], last[order], row[order]
    overlapping = np.flatnonzero(first[1:] <= last[:-1]) + 1
    loaded.errors.add(codes[0], "codes of no other row", row[overlapping], first[overlapping])
    backwards = np.flatnonzero(last < first)
    loaded.errors.add(codes[1], "the last code, not below the first", row[backwards], last[backwards])
    if len(first) > np.iinfo(np.int16).max:
        raise Unusable("at most 32767 models or ranges", str(len(first)))
    if loaded.errors.total:
        return None
    columns = {name: builder.finish(order) for name, builder in builders.items()}
    maker, model = columns["maker"], columns["model"]
    by_name = {f"{maker.value(at) or ''} {model.value(at) or ''}".strip(): at for at in range(len(first))}
    return Terminals(first.astype(np.uint32), last.astype(np.uint32), columns, by_name)


def _note(
    loaded: Loaded,
    cells: pa.Array,
    rows: NDArray[np.int64],
    column: str,
    expected: str,
    bad: NDArray[np.bool_],
) -> None:
    at = np.flatnonzero(bad)
    if len(at):
        loaded.errors.add(column, expected, rows[at], some_cells(cells, at))
