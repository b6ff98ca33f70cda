"""Local time in columns: instants of a million people, each in his own zone.

The rules of a zone become a table of instants and offsets; days of 23 and 25 hours, and offsets such as
+05:45, come out right.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

__all__ = ["DAY_US", "EPOCH", "Zones", "local_text", "month_of", "week_of"]

DAY_US: Final = 86_400_000_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEP_S: Final = 6 * 3600
"""No zone changes its clock twice, and back, in so short a time."""
_FIRST_S: Final = -2_208_988_800
"""1900; earlier instants are shown at the offset of that year."""
_LAST_S: Final = 4_102_444_800
"""2100, likewise."""


class Zones:
    """Offsets of zones over the time that a set of instants spans."""

    def __init__(self, names: Sequence[str], t_us: NDArray[np.int64]) -> None:
        """`names` by code; `t_us` are all instants that will be asked for."""
        low, high = (int(t_us.min()), int(t_us.max())) if len(t_us) else (0, 0)
        first = min(max(low // 1_000_000 - _STEP_S, _FIRST_S), _LAST_S)
        last = min(max(high // 1_000_000 + _STEP_S, _FIRST_S), _LAST_S)
        self._tables = [_table(ZoneInfo(name), first, last) for name in names]

    def local_us(self, t_us: NDArray[np.int64], zone: NDArray[np.int32]) -> NDArray[np.int64]:
        """Local microseconds since 1970-01-01 00:00 of the zone's own wall clock."""
        if len(self._tables) == 1:
            return self._shift(t_us, 0)
        out = np.empty_like(t_us)
        for code in np.unique(zone).tolist():
            mine = zone == code
            out[mine] = self._shift(t_us[mine], code)
        return out

    def _shift(self, t_us: NDArray[np.int64], code: int) -> NDArray[np.int64]:
        starts_s, offsets_s = self._tables[code]
        at = np.searchsorted(starts_s, t_us // 1_000_000, side="right") - 1
        return t_us + offsets_s[np.maximum(at, 0)] * 1_000_000


def _table(zone: ZoneInfo, first_s: int, last_s: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Unix seconds from which an offset holds, and the offsets in seconds."""
    starts, offsets = [first_s], [_offset(zone, first_s)]
    known = first_s
    while known < last_s:
        following = min(known + _STEP_S, last_s)
        if (offset := _offset(zone, following)) != offsets[-1]:
            low, high = known, following
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == offsets[-1] else (low, middle)
            starts.append(high)
            offsets.append(offset)
        known = following
    return np.array(starts, np.int64), np.array(offsets, np.int64)


def _offset(zone: ZoneInfo, t_s: int) -> int:
    shift = (EPOCH + timedelta(seconds=t_s)).astimezone(zone).utcoffset()
    assert shift is not None  # an aware time has one
    return round(shift.total_seconds())


def week_of(day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of the week, Monday first, of days since 1970-01-01, which was a Thursday."""
    return (day + 3) // 7


def month_of(day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Months since January 1970 of days since 1970-01-01."""
    return day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def local_text(t_us: int, zone: ZoneInfo, fine: bool = False) -> str:
    """Local date and time; `fine`: with what is beyond the second, where there is any."""
    local = (EPOCH + timedelta(microseconds=t_us)).astimezone(zone)
    beyond = f"{local:.%f}" if fine and local.microsecond else ""
    return f"{local:%Y-%m-%d %H:%M:%S}{beyond}"
