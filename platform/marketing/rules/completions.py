"""Completed scenes, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Completions"]


@dataclass(frozen=True, slots=True)
class Completions:
    """One entry a completed scene; in no promised order."""

    t_us: NDArray[np.int64]
    """When it was complete: the time of the behaviour, or the due time."""
    row: NDArray[np.int64]
    """Subscriber."""
    campaign: NDArray[np.int32]
    """Position of the campaign among those that the rules were made of."""
    index: NDArray[np.int32]
    """Position in the wave of the behaviour that completed it; -1 = the passing of time."""
    since_us: NDArray[np.int64]
    """First behaviour of the scene; of a dwell the begin of the stay."""

    def __len__(self) -> int:
        return len(self.t_us)

    def take(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> Completions:
        """Some of them."""
        return Completions(
            self.t_us[index], self.row[index], self.campaign[index], self.index[index], self.since_us[index]
        )

    @classmethod
    def none(cls) -> Completions:
        """Nothing completed."""
        long, short = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
        return cls(long, long, short, short, long)

    @classmethod
    def joined(cls, parts: Sequence[Completions]) -> Completions:
        """Several one after another."""
        some = [part for part in parts if len(part)]
        if len(some) <= 1:
            return some[0] if some else cls.none()
        names = ("t_us", "row", "campaign", "index", "since_us")
        return cls(*(np.concatenate([getattr(part, name) for part in some]) for name in names))
