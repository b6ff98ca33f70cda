"""Dynamic features (J3): one column a feature, one row a subscriber, updated in place by batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch, Kind
from marketing.profiles import Places

__all__ = ["POWER_OFF", "POWER_ON", "POWER_UNKNOWN", "Features", "Stays"]

POWER_UNKNOWN: Final = 0
POWER_ON: Final = 1
POWER_OFF: Final = 2
_ON, _OFF, _NOWHERE = np.uint8(POWER_ON), np.uint8(POWER_OFF), np.int16(-1)
POWERED_ON: Final = int(Kind.POWER_ON)
POWERED_OFF: Final = int(Kind.POWER_OFF)


@dataclass(frozen=True, slots=True)
class Stays:
    """Stays at places that began in a batch, in the order of subscriber and time."""

    row: NDArray[np.int64]
    place: NDArray[np.int16]
    index: NDArray[np.int64]
    """Position in the batch of the behaviour that showed it."""


@dataclass(slots=True)
class Features:
    """See `bytes_each` for their size."""

    lac: NDArray[np.uint16]
    ci: NDArray[np.uint16]
    """Last cell seen; 0 = none yet."""
    cell_since_us: NDArray[np.int64]
    """First sight in that cell, Unix us."""
    place: NDArray[np.int16]
    """Place of the last cell; -1 = none, or switched off."""
    place_since_us: NDArray[np.int64]
    """First sight at that place without a break."""
    power: NDArray[np.uint8]
    """0 not known, 1 on, 2 off as said by IMSI detach."""
    power_since_us: NDArray[np.int64]
    """When it last changed, Unix us."""
    seen_us: NDArray[np.int64]
    """Last behaviour of any kind."""

    @classmethod
    def empty(cls, subscribers: int) -> Features:
        """Nothing known of anybody."""
        times = [np.zeros(subscribers, dtype=np.int64) for _ in range(4)]
        cells = [np.zeros(subscribers, dtype=np.uint16) for _ in range(2)]
        nowhere = np.full(subscribers, -1, dtype=np.int16)
        power = np.zeros(subscribers, dtype=np.uint8)
        return cls(cells[0], cells[1], times[0], nowhere, times[1], power, times[2], times[3])

    @property
    def bytes_each(self) -> int:
        """Bytes of state a subscriber."""
        return sum(getattr(self, name).itemsize for name in self.__slots__)

    def update(self, batch: BehaviourBatch, rows: NDArray[np.int64], places: Places) -> Stays:
        """Takes in behaviours ordered by time; `rows[i]` >= 0 is the subscriber of `batch[i]`."""
        order = np.argsort(rows, kind="stable")
        row, t_us, kind = rows[order], batch["t_us"][order], batch["kind"][order]
        lac, ci = batch["lac"][order], batch["ci"][order]
        self.seen_us[row] = t_us
        again = _again(row)
        off = kind == POWERED_OFF
        # Whoever acts is switched on, whether or not an attach was seen.
        power = np.where(off, _OFF, _ON)
        changed = (power != _before(row, power, self.power, again)) | (kind == POWERED_ON)
        self.power[row] = power
        self.power_since_us[row[changed]] = t_us[changed]
        located = ci != 0
        if not located.all():
            self._at(row[located], t_us[located], lac[located], ci[located], None)
            known = located | off
            order, row, t_us, off, lac, ci = (x[known] for x in (order, row, t_us, off, lac, ci))
            again = _again(row)
        else:
            self._at(row, t_us, lac, ci, again)
        place = np.where(off, _NOWHERE, places.of(lac, ci))
        moved = place != _before(row, place, self.place, again)
        self.place[row] = place
        self.place_since_us[row[moved]] = t_us[moved]
        begun = moved & (place >= 0)
        return Stays(row[begun], place[begun], order[begun])

    def _at(
        self,
        row: NDArray[np.int64],
        t_us: NDArray[np.int64],
        lac: NDArray[np.uint16],
        ci: NDArray[np.uint16],
        again: NDArray[np.int64] | None,
    ) -> None:
        again = _again(row) if again is None else again
        changed = (ci != _before(row, ci, self.ci, again)) | (lac != _before(row, lac, self.lac, again))
        self.lac[row], self.ci[row] = lac, ci
        self.cell_since_us[row[changed]] = t_us[changed]


def _again(row: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions whose subscriber is also the one before; rows are grouped."""
    return np.flatnonzero(row[1:] == row[:-1]) + 1


def _before(
    row: NDArray[np.int64], value: NDArray[Any], column: NDArray[Any], again: NDArray[np.int64]
) -> NDArray[Any]:
    """What the column held before each of these values; times ascend within a group."""
    before: NDArray[Any] = column[row]
    if len(again):
        before[again] = value[again - 1]
    return before
