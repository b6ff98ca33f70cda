"""Target lists: compressed bitmaps of numbers, and of the rows that those numbers have in the extract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap, BitMap64, FrozenBitMap, FrozenBitMap64

from marketing.config import suggest

__all__ = ["LIST_NAME", "TargetList", "TargetLists"]

LIST_NAME: Final = r"[a-z0-9]+(-[a-z0-9]+)*"
"""How a list may be called; it is the name of its file too, so nothing in it can leave the folder."""

Rows = NDArray[np.integer[Any]]
Find = Callable[[NDArray[np.uint64]], NDArray[np.integer[Any]]]
"""Rows of MSISDNs; -1 for an unknown one."""


@dataclass(frozen=True, slots=True, eq=False)
class TargetList:
    """One list. Numbers are kept whole, so that those unknown today are found in tomorrow's extract."""

    name: str
    numbers: FrozenBitMap64
    """MSISDNs."""
    rows: FrozenBitMap
    """Rows of those that the extract knows."""

    @property
    def unknown(self) -> int:
        """Numbers that the extract does not know."""
        return len(self.numbers) - len(self.rows)

    @classmethod
    def of(cls, name: str, numbers: NDArray[np.uint64], find: Find) -> TargetList:
        """From MSISDNs in any order, repeated or not."""
        once = np.unique(numbers)
        held = BitMap64(once)
        held.run_optimize()
        return cls(name, FrozenBitMap64(held), _rows(once, find))

    def bound(self, find: Find) -> TargetList:
        """The same list in another extract."""
        numbers = np.fromiter(self.numbers, dtype=np.uint64, count=len(self.numbers))
        return TargetList(self.name, self.numbers, _rows(numbers, find))


def _rows(numbers: NDArray[np.uint64], find: Find) -> FrozenBitMap:
    rows = find(numbers)
    held = BitMap(rows[rows >= 0].astype(np.uint32))
    held.run_optimize()
    return FrozenBitMap(held)


@dataclass(frozen=True, slots=True, eq=False)
class TargetLists:
    """All lists by name."""

    by_name: Mapping[str, TargetList] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(sorted(self.by_name))

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def mask(self, name: str, subscribers: int, rows: Rows | None = None) -> NDArray[np.bool_]:
        """Who is on a list: all subscribers, or those of some rows.

        Raises:
            LookupError: there is no such list.
        """
        if name not in self.by_name:
            near = suggest(name, self.names)
            hint = f"; did you mean {near!r}?" if near else ""
            raise LookupError(f"no target list {name!r}; there are {', '.join(self.names) or 'none'}{hint}")
        held = self.by_name[name].rows
        if rows is not None and len(rows) < 64:
            return np.fromiter((int(row) in held for row in rows), dtype=np.bool_, count=len(rows))
        whole = np.zeros(subscribers, dtype=np.bool_)
        whole[np.asarray(held.to_array(), dtype=np.int64)] = True
        return whole if rows is None else whole[rows]

    def bound(self, find: Find) -> TargetLists:
        """The same lists in another extract."""
        return TargetLists({name: one.bound(find) for name, one in self.by_name.items()})

    @classmethod
    def of(cls, lists: Mapping[str, Sequence[int] | NDArray[np.uint64]], find: Find) -> TargetLists:
        """From MSISDNs by name."""
        return cls(
            {name: TargetList.of(name, np.asarray(n, dtype=np.uint64), find) for name, n in lists.items()}
        )
