"""From one extract to the next: which row of the new is which row of the old, and columns carried over.

A subscriber is an IMSI. Whoever is in both extracts keeps what the platform has learned; whoever is new
begins with nothing; whoever is gone is forgotten (the contact ledger, which goes by number, forgets nobody).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["RowMap"]

FEW: Final = 20
"""Rows that stay neighbours are copied together where there are so many in a run on average."""


@dataclass(frozen=True, slots=True, eq=False)
class RowMap:
    """Rows of two extracts, both sorted by IMSI."""

    old_of_new: NDArray[np.int32]
    """For each row of the new extract its row in the old; -1: new."""
    new_of_old: NDArray[np.int32]
    """For each row of the old extract its row in the new; -1: gone."""

    @classmethod
    def between(cls, old_imsi: NDArray[np.uint64], new_imsi: NDArray[np.uint64]) -> RowMap:
        """By IMSI; both ascend."""
        old_of_new = np.full(len(new_imsi), -1, dtype=np.int32)
        new_of_old = np.full(len(old_imsi), -1, dtype=np.int32)
        if len(old_imsi) and len(new_imsi):
            at = np.minimum(np.searchsorted(old_imsi, new_imsi), len(old_imsi) - 1)
            new = np.flatnonzero(old_imsi[at] == new_imsi)
            old_of_new[new] = at[new]
            new_of_old[at[new]] = new
        return cls(old_of_new, new_of_old)

    @property
    def kept(self) -> int:
        """Subscribers in both."""
        return int(np.count_nonzero(self.old_of_new >= 0))

    @property
    def fresh(self) -> int:
        """Subscribers in the new one only."""
        return len(self.old_of_new) - self.kept

    @property
    def gone(self) -> int:
        """Subscribers in the old one only."""
        return len(self.new_of_old) - self.kept

    @property
    def same(self) -> bool:
        """Whether every row stays where it is, so that nothing need be carried."""
        n = len(self.old_of_new)
        return n == len(self.new_of_old) and bool(np.array_equal(self.old_of_new, np.arange(n)))

    def permute(self, column: NDArray[Any], fill: Any, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """A column of the old rows (further axes as they are) as one of the new; `fill` where new.

        `out`: where to put it. Raises:
            ValueError: it has not as many rows as the old extract, or `out` is of another form.
        """
        if len(column) != len(self.new_of_old):
            raise ValueError(f"{len(column)} rows; the old extract has {len(self.new_of_old)}")
        shape = (len(self.old_of_new), *column.shape[1:])
        carried = np.empty(shape, dtype=column.dtype) if out is None else out
        if carried.shape != shape or carried.dtype != column.dtype:
            raise ValueError(f"{carried.shape} {carried.dtype}: {shape} {column.dtype} was expected")
        carried[self.old_of_new < 0] = fill
        new, old, ends = self._runs()
        if len(new) * FEW > len(carried):
            kept = np.flatnonzero(self.old_of_new >= 0)
            carried[kept] = column[self.old_of_new[kept]]
            return carried
        for start, at, end in zip(new.tolist(), old.tolist(), ends.tolist(), strict=True):
            carried[start:end] = column[at : at + end - start]
        return carried

    def _runs(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        """Rows that stay neighbours: the first in the new extract, in the old one, and the end in the new."""
        kept = self.old_of_new >= 0
        follows = np.zeros(len(kept), dtype=np.bool_)
        follows[1:] = kept[1:] & kept[:-1] & (np.diff(self.old_of_new) == 1)
        new = np.flatnonzero(kept & ~follows)
        last = np.ones(len(kept), dtype=np.bool_)
        last[:-1] = ~follows[1:]
        return new, self.old_of_new[new], np.flatnonzero(kept & last) + 1

    def rows(self, old: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Row numbers that were written down (in timers, in what is held) as they are now; -1: gone."""
        found: NDArray[np.int64] = self.new_of_old[old].astype(np.int64)
        return found

    def row(self, old: int) -> int:
        """One of them."""
        return int(self.new_of_old[old])
