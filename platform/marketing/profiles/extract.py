"""The BOSS extract as columns: IMSI -> row by an index, everything else by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketing.profiles.columns import Column
from marketing.profiles.lookup import Index
from marketing.profiles.schema import DECLARED, unknown_column
from marketing.profiles.switching import RowMap
from marketing.profiles.target_lists import TargetLists

__all__ = ["Profiles"]

Numbers = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Subscribers sorted by IMSI; a row number is a position in every column here. Never changed in place."""

    imsi: Numbers
    """Value of the 15 digits, ascending, no two equal."""
    msisdn: Numbers
    """Value of the digits; E.164 has no leading zero."""
    columns: Mapping[str, Column]
    """What the extract tells; ask `column` for what it may also lack."""
    lists: TargetLists
    """Target lists, by name."""
    _by_msisdn: NDArray[np.int32] = field(repr=False)
    """Rows in the order of MSISDNs."""
    _index: Index = field(repr=False)
    """Finds rows of IMSIs."""

    def __len__(self) -> int:
        return len(self.imsi)

    @property
    def nbytes(self) -> int:
        """Octets of all arrays."""
        columns = sum(column.nbytes for column in self.columns.values())
        numbers = self.imsi.nbytes + self.msisdn.nbytes + self._by_msisdn.nbytes + self._index.nbytes
        return numbers + columns

    def __deepcopy__(self, _memo: dict[int, object]) -> Profiles:
        return self  # never changed in place

    def column(self, name: str) -> Column:
        """A column by name; of a declared one that this extract lacks nothing is known.

        Raises:
            UnknownColumn: neither the extract nor the declared schema has it.
        """
        found = self.columns.get(name)
        if found is not None:
            return found
        if name in DECLARED:
            return Column.unknown(DECLARED[name].type, len(self))
        raise unknown_column(name, tuple(self.columns))

    def rows(self, imsi: Numbers) -> NDArray[np.int64]:
        """Row of each IMSI; -1 where the extract does not know it."""
        return self._index.find(imsi)

    def rows_by_msisdn(self, msisdn: Sequence[int] | Numbers) -> NDArray[np.int64]:
        """Row of each number; -1 where the extract does not know it."""
        return _find(self.msisdn, self._by_msisdn, np.asarray(msisdn, dtype=np.uint64))

    def row_of_msisdn(self, msisdn: str) -> int:
        """Row of one number as text; -1 for anything unknown."""
        if not (msisdn.isascii() and msisdn.isdigit() and len(msisdn) <= 15):
            return -1
        return int(self.rows_by_msisdn([int(msisdn)])[0])

    def word(self, column: str, row: int) -> str:
        """One value of a text column; empty where it is not known."""
        found = self.column(column).value(row)
        return found if isinstance(found, str) else ""

    def mask(self, column: str, value: bool | str | Sequence[str]) -> NDArray[np.bool_]:
        """Rows whose column has the value, or one of several; what is not known matches nothing."""
        found = self.column(column)
        if found.type == "bool":
            holds: NDArray[np.bool_] = (found.values == bool(value)) & found.is_known()
            return holds
        if isinstance(value, bool):
            return np.zeros(len(self), dtype=np.bool_)
        return found.has(value)

    def on_list(self, name: str, rows: NDArray[np.integer[Any]] | None = None) -> NDArray[np.bool_]:
        """Who is on a target list: all, or those of some rows.

        Raises:
            LookupError: there is no such list.
        """
        return self.lists.mask(name, len(self), rows)

    def with_lists(self, lists: TargetLists) -> Profiles:
        """The same extract with other lists (bound to this extract's rows)."""
        return replace(self, lists=lists)

    def mapping(self, old: Profiles) -> RowMap:
        """Which of these rows is which of the old extract's."""
        return RowMap.between(old.imsi, self.imsi)

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]]) -> Profiles:
        """From plain columns, in any order of rows.

        Raises:
            ValueError: the first cell that cannot be used, or an IMSI or MSISDN that is there twice.
        """
        from marketing.profiles.assembly import of_columns  # it makes these

        return of_columns(columns)

    @classmethod
    def made(cls, imsi: Numbers, msisdn: Numbers, columns: Mapping[str, Column]) -> Profiles:
        """From checked columns, IMSIs ascending."""
        by_msisdn = np.argsort(msisdn, kind="stable").astype(np.int32)
        return cls(imsi, msisdn, columns, TargetLists(), by_msisdn, Index(imsi))


def _find(values: Numbers, order: NDArray[np.integer[Any]], wanted: Numbers) -> NDArray[np.int64]:
    if not len(values):
        return np.full(len(wanted), -1)
    place = np.searchsorted(values, wanted, sorter=order)
    np.minimum(place, len(values) - 1, out=place)
    rows = order[place]
    return np.where(values[rows] == wanted, rows, -1)
