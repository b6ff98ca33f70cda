"""Whose a subscriber is, and an extract cut into what each worker holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap, FrozenBitMap, FrozenBitMap64

from marketing.profiles import Column, Profiles, TargetList, TargetLists

__all__ = ["Share", "owners", "share_of"]

_MIX: Final = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9))


def owners(imsi: NDArray[np.uint64], key: int, workers: int) -> NDArray[np.uint8]:
    """The worker of each IMSI: a hash with a key, so that nobody can choose subscribers of one worker.

    Multiplication and shifts as in SplitMix64's finaliser, the upper half taken by multiplication.
    """
    mixed = (imsi ^ np.uint64(key)) * _MIX[0]
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX[1]
    mixed >>= np.uint64(32)
    mixed *= np.uint64(workers)
    mixed >>= np.uint64(32)
    return mixed.astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """Rows of an extract as they go to a worker: arrays, without what can be made again."""

    imsi: NDArray[np.uint64]
    msisdn: NDArray[np.uint64]
    columns: dict[str, Column]
    lists: dict[str, NDArray[np.uint32]]
    """Rows of the share on each target list."""

    def profiles(self) -> Profiles:
        """The extract of the worker. Its lists know rows only: numbers unknown today stay with the whole."""
        lists = {
            name: TargetList(name, FrozenBitMap64(), FrozenBitMap(BitMap(rows)))
            for name, rows in self.lists.items()
        }
        return Profiles.made(self.imsi, self.msisdn, self.columns).with_lists(TargetLists(lists))


def share_of(whole: Profiles, rows: NDArray[np.int64]) -> Share:
    """These rows, ascending."""
    return Share(
        whole.imsi[rows],
        whole.msisdn[rows],
        {name: _cut(column, rows) for name, column in whole.columns.items()},
        {name: np.flatnonzero(whole.on_list(name)[rows]).astype(np.uint32) for name in whole.lists.names},
    )


def _cut(column: Column, rows: NDArray[np.int64]) -> Column:
    known = None if column.known is None else np.packbits(column.is_known(rows))
    values: NDArray[Any] = column.values[rows]
    return Column(column.type, values, column.words, known)
