"""The BOSS extract as columns: IMSI -> row by binary search, everything else by row."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketing.config import ConfigError, Problem

__all__ = ["Profiles", "load_extract"]

FLAGS: Final = ("often_off", "often_rejects")
WORDS: Final = ("brand", "language")
LISTS: Final = ("services",)


@dataclass(frozen=True, slots=True)
class Profiles:
    """Subscribers sorted by IMSI; a row number is a position in every column here."""

    imsi: NDArray[np.uint64]
    """Value of the 15 digits, ascending, no two equal."""
    msisdn: NDArray[np.uint64]
    """Value of the digits; E.164 has no leading zero."""
    flags: Mapping[str, NDArray[np.bool_]]
    words: Mapping[str, tuple[NDArray[np.int16], tuple[str, ...]]]
    """Column -> code per row, and the word of each code."""
    lists: Mapping[str, tuple[NDArray[np.uint64], tuple[str, ...]]]
    """Column -> one bit per word and row, and the word of each bit (64 at most)."""
    _by_msisdn: NDArray[np.int64] = field(repr=False)
    """Rows in the order of MSISDNs."""
    _direct: NDArray[np.int32] | None = field(default=None, repr=False)
    """Row of each IMSI from the first on, where they lie close enough together; -1 between them."""

    def __len__(self) -> int:
        return len(self.imsi)

    def rows(self, imsi: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Row of each IMSI; -1 where the extract does not know it."""
        if self._direct is None:
            return _find(self.imsi, None, imsi)
        # Below the first the difference wraps round to something large.
        place = np.minimum(imsi - self.imsi[0], np.uint64(len(self._direct) - 1)).astype(np.int64)
        rows: NDArray[np.int64] = self._direct[place].astype(np.int64)
        return rows

    def rows_by_msisdn(self, msisdn: Sequence[int] | NDArray[np.uint64]) -> NDArray[np.int64]:
        """Row of each number; -1 where the extract does not know it."""
        return _find(self.msisdn, self._by_msisdn, np.asarray(msisdn, dtype=np.uint64))

    def row_of_msisdn(self, msisdn: str) -> int:
        """Row of one number as text; -1 for anything unknown."""
        if not (msisdn.isascii() and msisdn.isdigit() and len(msisdn) <= 15):
            return -1
        return int(self.rows_by_msisdn([int(msisdn)])[0])

    def word(self, column: str, row: int) -> str:
        """One word column's value."""
        codes, words = self.words[column]
        return words[int(codes[row])]

    def mask(self, column: str, value: bool | str | Sequence[str]) -> NDArray[np.bool_]:
        """Rows whose column has the value, or one of several; all false for a word nobody has."""
        if column in self.flags:
            flag = self.flags[column]
            return flag if value else ~flag
        wanted = {value} if isinstance(value, str) else set(value) if isinstance(value, Sequence) else set()
        if column in self.words:
            codes, words = self.words[column]
            return np.isin(codes, [code for code, word in enumerate(words) if word in wanted])
        bits, names = self.lists[column]
        any_of = sum(1 << bit for bit, name in enumerate(names) if name in wanted)
        holds: NDArray[np.bool_] = (bits & np.uint64(any_of)) != 0
        return holds

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]]) -> Profiles:
        """From plain columns, in any order of rows.

        Raises:
            ValueError: digits that are none, an IMSI or MSISDN twice, more than 64 services.
        """
        imsi = np.array(columns["imsi"], dtype=np.str_).astype(np.uint64)
        msisdn = np.array(columns["msisdn"], dtype=np.str_).astype(np.uint64)
        order = np.argsort(imsi, kind="stable")
        imsi, msisdn = imsi[order], msisdn[order]
        by_msisdn = np.argsort(msisdn, kind="stable")
        for name, values in (("imsi", imsi), ("msisdn", msisdn[by_msisdn])):
            again = np.flatnonzero(values[1:] == values[:-1])
            if len(again):
                raise ValueError(f"{name} {values[again[0]]} is there twice")
        none: list[Any] = [None] * len(imsi)
        flags = {c: np.array([bool(v) for v in columns.get(c, none)], dtype=np.bool_)[order] for c in FLAGS}
        words = {c: _codes([v or "" for v in columns.get(c, none)], order) for c in WORDS}
        lists = {c: _bits([v or () for v in columns.get(c, none)], order) for c in LISTS}
        return cls(imsi, msisdn, flags, words, lists, by_msisdn, _direct_table(imsi))


def _direct_table(imsi: NDArray[np.uint64]) -> NDArray[np.int32] | None:
    """One load instead of a search, eight octets a subscriber at most; None where they lie too far apart."""
    if not len(imsi) or int(imsi[-1] - imsi[0]) >= 2 * len(imsi):
        return None
    table = np.full(int(imsi[-1] - imsi[0]) + 2, -1, dtype=np.int32)  # the last entry stands for all beyond
    table[(imsi - imsi[0]).astype(np.int64)] = np.arange(len(imsi))
    return table


def _find(
    values: NDArray[np.uint64], order: NDArray[np.int64] | None, wanted: NDArray[np.uint64]
) -> NDArray[np.int64]:
    if not len(values):
        return np.full(len(wanted), -1)
    place = np.searchsorted(values, wanted, sorter=order)
    np.minimum(place, len(values) - 1, out=place)
    rows = place if order is None else order[place]
    return np.where(values[rows] == wanted, rows, -1)


def _codes(values: Sequence[str], order: NDArray[np.int64]) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    words = tuple(sorted(set(values)))
    code = {word: i for i, word in enumerate(words)}
    return np.array([code[v] for v in values], dtype=np.int16)[order], words


def _bits(
    values: Sequence[Sequence[str]], order: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], tuple[str, ...]]:
    names = tuple(sorted({name for row in values for name in row}))
    if len(names) > 64:
        raise ValueError(f"{len(names)} different services; 64 fit")
    bit = {name: 1 << i for i, name in enumerate(names)}
    return np.array([sum(bit[name] for name in set(row)) for row in values], dtype=np.uint64)[order], names


def load_extract(path: Path) -> Profiles:
    """The extract file, Parquet or CSV by its ending (in CSV, services are joined by `;`).

    Raises:
        ConfigError: a column is missing or a row cannot be used.
    """
    try:
        columns = _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    except (OSError, ValueError, csv.Error) as error:
        raise _refuse(path, "", f"cannot be read: {error}") from None
    missing = [c for c in ("imsi", "msisdn") if c not in columns]
    if missing:
        raise _refuse(path, ",".join(columns), f"expected the columns {' and '.join(missing)}")
    problems = [
        Problem(
            str(path), row + 2 if path.suffix == ".csv" else 0, c, repr(v), f"expected {what}, row {row + 1}"
        )
        for c, what, fits in (
            ("imsi", "15 digits", lambda v: len(v) == 15),
            ("msisdn", "5 to 15 digits without a leading zero", lambda v: 5 <= len(v) <= 15 and v[0] != "0"),
        )
        for row, v in enumerate(columns[c])
        if not (isinstance(v, str) and v.isascii() and v.isdigit() and fits(v))
    ]
    if problems:
        raise ConfigError(problems[:100])
    try:
        return Profiles.of(columns)
    except ValueError as error:
        raise _refuse(path, "", str(error)) from None


def _refuse(path: Path, value: str, expected: str) -> ConfigError:
    return ConfigError([Problem(str(path), 0, "", value, expected)])


def _read_parquet(path: Path) -> dict[str, list[Any]]:
    import pyarrow.parquet as pq  # a fifth of a second that a CSV extract need not pay

    columns: dict[str, list[Any]] = pq.read_table(path).to_pydict()
    return columns


def _read_csv(path: Path) -> dict[str, list[Any]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    for name in FLAGS:
        if name in columns:
            columns[name] = [str(v).strip().lower() in ("true", "1", "yes") for v in columns[name]]
    for name in LISTS:
        if name in columns:
            columns[name] = [[s for s in (v or "").split(";") if s] for v in columns[name]]
    return columns
