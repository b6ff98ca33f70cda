"""Local time of many instants at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

__all__ = ["LocalTime"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER_US: Final = 900_000_000
"""Offsets from UTC change at whole quarters of an hour only (and have done since 1970)."""
_MINUTE_US: Final = 60_000_000


@dataclass(slots=True)
class LocalTime:
    """Minutes of the day and days of the week in one time zone; keeps the offsets it has looked up."""

    zone: ZoneInfo
    _offsets_us: dict[int, int] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, zone: str) -> LocalTime:
        """From an IANA name."""
        return cls(ZoneInfo(zone))

    def minute(self, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Minute of the local day, 0 to 1439."""
        minutes: NDArray[np.int64] = (self._local_us(at_us) // _MINUTE_US) % 1440
        return minutes

    def weekday(self, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """0 = Monday; the epoch was a Thursday."""
        days: NDArray[np.int64] = (self._local_us(at_us) // (1440 * _MINUTE_US) + 3) % 7
        return days

    def _local_us(self, at_us: NDArray[np.int64]) -> NDArray[np.int64]:
        quarters, place = np.unique(at_us // _QUARTER_US, return_inverse=True)
        offsets = np.array([self._offset_us(quarter) for quarter in quarters.tolist()], dtype=np.int64)
        return at_us + offsets[place] if len(offsets) else at_us

    def _offset_us(self, quarter: int) -> int:
        known = self._offsets_us.get(quarter)
        if known is None:
            if len(self._offsets_us) > 10_000:
                self._offsets_us.clear()
            moment = (_EPOCH + timedelta(microseconds=quarter * _QUARTER_US)).astimezone(self.zone)
            known = (moment.utcoffset() or timedelta(0)) // timedelta(microseconds=1)
            self._offsets_us[quarter] = known
        return known
