"""Lists of numbers: target lists, and the dated lists (do-not-disturb, control group) that say since when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marketing.config import ConfigError, Problem, suggest
from marketing.profiles.assembly import MSISDN
from marketing.profiles.cells import as_text, digits, some_cells
from marketing.profiles.loading import Loaded, reading
from marketing.profiles.reading import Block, Table, Unusable, open_table

__all__ = ["DatedList", "load_target_list", "read_dated", "read_dated_list", "read_targets"]

T = TypeVar("T")

_SINCE = "a local ISO time such as 2009-03-02T18:00:00, or nothing"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class DatedList:
    """Numbers, each once, ascending, with the instant from which each is on the list."""

    msisdn: NDArray[np.uint64]
    since_us: NDArray[np.int64]
    """Unix us; 0 is as old as can be."""

    def __len__(self) -> int:
        return len(self.msisdn)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Pairs of (MSISDN's value, Unix us)."""
        return zip(self.msisdn.tolist(), self.since_us.tolist(), strict=True)

    @classmethod
    def of(cls, msisdn: NDArray[np.uint64], since_us: NDArray[np.int64]) -> DatedList:
        """From entries in any order; of a number that is there more than once the earliest date counts."""
        order = np.lexsort((since_us, msisdn))
        msisdn, since_us = msisdn[order], since_us[order]
        first = np.ones(len(msisdn), dtype=np.bool_)
        first[1:] = msisdn[1:] != msisdn[:-1]
        return cls(msisdn[first], since_us[first])

    def joined(self, other: DatedList) -> DatedList:
        """Whoever is on either, from the earlier date on."""
        return self.of(
            np.concatenate((self.msisdn, other.msisdn)), np.concatenate((self.since_us, other.since_us))
        )

    @classmethod
    def empty(cls) -> DatedList:
        """Nobody."""
        return cls(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64))


def read_targets(file: BinaryIO, loaded: Loaded, encoding: str = "utf-8") -> NDArray[np.uint64]:
    """MSISDNs of a target list, ascending, each once; other columns are not read.

    Raises:
        Unusable: nothing of the file can be used.
    """
    table = _with_msisdn(open_table(file, loaded.errors, encoding), "msisdn")
    found = []
    for block in table.blocks:
        values, good = _numbers(block, loaded)
        found.append(values[good])
    _shapes(loaded)
    numbers = np.concatenate(found or [np.zeros(0, dtype=np.uint64)])
    once = np.unique(numbers)
    loaded.repeated = len(numbers) - len(once)
    return once


def read_dated(file: BinaryIO, loaded: Loaded, zone: str, encoding: str = "utf-8") -> DatedList:
    """A dated list; without a column `since` all entries are as old as can be.

    Raises:
        Unusable: nothing of the file can be used.
    """
    table = _with_msisdn(open_table(file, loaded.errors, encoding), "msisdn,since")
    local = ZoneInfo(zone)
    numbers, dates = [], []
    for block in table.blocks:
        values, good = _numbers(block, loaded)
        since_us = np.zeros(len(block.rows), dtype=np.int64)
        if "since" in block.cells:
            since_us, fits = _instants(block.cells["since"], local)
            late = good & ~fits
            loaded.errors.rows += int(np.count_nonzero(late))
            _refuse(block, "since", _SINCE, ~fits, loaded)
            good &= fits
        numbers.append(values[good])
        dates.append(since_us[good])
    _shapes(loaded)
    whole = np.concatenate(numbers or [np.zeros(0, dtype=np.uint64)])
    made = DatedList.of(whole, np.concatenate(dates or [np.zeros(0, dtype=np.int64)]))
    loaded.repeated = len(whole) - len(made)
    return made


def read_dated_list(path: Path | None, zone: str) -> DatedList:
    """A dated list that a policy names, without any bad row. No path: no entries.

    Raises:
        ConfigError: it cannot be used, with its first hundred bad rows.
    """
    if path is None:
        return DatedList.empty()
    return _strict(path, lambda file, loaded: read_dated(file, loaded, zone))


def load_target_list(path: Path) -> NDArray[np.uint64]:
    """MSISDNs of a target list that a configuration names, without any bad row.

    Raises:
        ConfigError: it cannot be used, with its first hundred bad rows.
    """
    return _strict(path, read_targets)


def _strict(path: Path, read: Callable[[BinaryIO, Loaded], T]) -> T:
    loaded = Loaded()
    try:
        made = reading(path, lambda file: read(file, loaded))
    except Unusable as error:
        raise ConfigError([Problem(str(path), error.line, "", error.value, str(error.expected))]) from None
    if loaded.errors.total:
        raise ConfigError(loaded.errors.problems(path))
    return made


def _with_msisdn(table: Table, header: str) -> Table:
    if "msisdn" not in table.columns:
        near = suggest("msisdn", table.columns)
        hint = f"; did you mean msisdn by {near!r}?" if near else ""
        raise Unusable(f"expected the header {header}{hint}", ",".join(table.columns)[:80], 1)
    return table


def _numbers(block: Block, loaded: Loaded) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    loaded.rows += len(block.rows)
    values, good = digits(block.cells["msisdn"], MSISDN[0])
    loaded.errors.rows += int(np.count_nonzero(~good))
    _refuse(block, "msisdn", MSISDN[1], ~good, loaded)
    return values, good


def _refuse(block: Block, column: str, expected: str, bad: NDArray[np.bool_], loaded: Loaded) -> None:
    at = np.flatnonzero(bad)
    if len(at):
        some = some_cells(block.cells[column], at[: loaded.errors.limit])
        loaded.errors.add(column, expected, block.rows[at], some)


def _shapes(loaded: Loaded) -> None:
    """Rows of a wrong shape are in no block, and yet rows."""
    loaded.rows += sum(n for (column, _), n in loaded.errors.counts.items() if not column)


def _instants(cells: pa.Array, zone: ZoneInfo) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Unix us of each date, 0 for none, and which could be read."""
    if pa.types.is_timestamp(cells.type):
        return _timestamps(cells, zone)
    text, bad = as_text(cells)
    coded = text.dictionary_encode()
    instants = [_instant_us(one, zone) for one in coded.dictionary.to_pylist()]
    values = np.array([one or 0 for one in instants] or [0], dtype=np.int64)
    fits = np.array([one is not None for one in instants] or [True], dtype=np.bool_)
    at = coded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    present = text.is_valid().to_numpy(zero_copy_only=False)
    return np.where(present, values[at], 0), (~present | fits[at]) & ~bad


def _timestamps(cells: pa.Array, zone: ZoneInfo) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    import pyarrow.compute as pc

    if cells.type.tz is None:
        cells = pc.assume_timezone(cells, str(zone), ambiguous="earliest", nonexistent="earliest")
    values = cells.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())
    return values.fill_null(0).to_numpy(zero_copy_only=False), np.ones(len(cells), dtype=np.bool_)


def _instant_us(text: str, zone: ZoneInfo) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return round((moment.astimezone(UTC) - _EPOCH).total_seconds() * 1e6)
    except (ValueError, OverflowError):
        return None
