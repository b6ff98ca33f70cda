"""How many visitors a place has, by hour and by where they come from: known to the extract or not.

A stay begins with the first behaviour at the place and ends with one elsewhere or with IMSI detach, as in
presence. From the moment at which it has lasted `at_least_s` until it ends its subscriber is a visitor, and
counts once in every local hour and once in every local day of that time. IMSIs are held while their hour, or
day, is open and their stay lasts; what comes out are counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch, Kind
from marketing.campaigns import Campaign, DwellElement, When
from marketing.outputs.origins import Origins
from marketing.profiles import Places

__all__ = ["VISITOR_COLUMNS", "Visitors"]

VISITOR_COLUMNS: Final = ("place", "day", "hour", "origin", "visitors")
"""Columns of the file and of the answer; the whole day has no hour."""
LATE_US: Final = 60_000_000
"""An hour is closed so long after its end: links may be late."""
_HOUR_US: Final = 3_600_000_000
_NO_ACTS: Final = np.array(
    [
        Kind.PAGING_NO_RESPONSE,
        Kind.IMEI_CHANGED,
        Kind.POWER_OFF_IMPLICIT,
        Kind.ROAMED_IN,
        Kind.ROAMED_OUT,
        Kind.CELL_CHANGED,
        Kind.AREA_ENTERED,
    ],
    dtype=np.uint8,
)
"""What the subscriber has not done, or has done in another row."""
Kept = tuple[dict[str, Any], dict[str, NDArray[np.int64]]]
"""Values fit for JSON, and arrays by name."""


@dataclass(slots=True)
class Visitors:
    """Of one campaign."""

    campaign: Campaign
    places: Places
    zone: ZoneInfo
    origins: Origins
    silence_us: int = 0
    """Whoever is not heard for longer has left unseen; 0: nobody does."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Closed hours and days, VISITOR_COLUMNS each, in the order of time."""
    late: int = 0
    """Behaviours older than what was known of their subscriber already."""
    _stays: dict[int, list[int]] = field(default_factory=dict)
    """IMSI -> begin and last sight of the present stay, Unix us."""
    _hours: dict[int, set[int]] = field(default_factory=dict)
    """Begin of an open hour, Unix us -> its visitors so far."""
    _days: dict[str, set[int]] = field(default_factory=dict)
    """Local day -> its visitors, those of closed hours."""
    _closed_us: int = 0
    """Everything before this instant has been counted."""

    @property
    def place(self) -> str:
        """Name of the place."""
        scene = self.campaign.scene
        assert scene is not None
        assert isinstance(scene.begin, DwellElement)  # the schema sees to both
        return scene.begin.dwell.place

    @property
    def at_least_us(self) -> int:
        """How long a stay makes a visitor."""
        scene = self.campaign.scene
        assert scene is not None
        assert isinstance(scene.begin, DwellElement)
        return round(scene.begin.dwell.at_least_s * 1e6)

    def take(self, batch: BehaviourBatch) -> None:
        """Behaviours of anybody, in the order of time."""
        here = self.places.of(batch["lac"], batch["ci"]) == self.places.number(self.place)
        staying = np.fromiter(self._stays, dtype=np.uint64, count=len(self._stays))
        mine = here | np.isin(batch["imsi"], staying) | np.isin(batch["imsi"], batch["imsi"][here])
        mine &= (batch["imsi"] != 0) & ~np.isin(batch["kind"], _NO_ACTS)
        at = np.flatnonzero(mine)
        if not len(at):
            return
        if not self._closed_us:
            self._closed_us = self._hour(int(batch["t_us"][at[0]]))
        columns = (batch["t_us"], batch["imsi"], batch["kind"], batch["ci"], here)
        for t_us, imsi, kind, cell, is_here in zip(*(c[at].tolist() for c in columns), strict=True):
            off = kind == Kind.POWER_OFF
            if cell or off:
                self._see(t_us, imsi, is_here and not off)
            elif imsi in self._stays:
                self._stays[imsi][1] = max(t_us, self._stays[imsi][1])

    def until(self, at_us: int, *, whole: bool = False) -> bool:
        """Closes hours that ended well before an instant; `whole`: all until then, the last one cut short.

        Whether there is anything new in `rows`.
        """
        before = len(self.rows)
        while self._closed_us and self._closed_us + _HOUR_US + (0 if whole else LATE_US) <= at_us:
            self._close(self._closed_us, self._closed_us + _HOUR_US)
        if whole and self._closed_us:
            if self._closed_us < at_us:
                self._close(self._closed_us, at_us)
            for day in sorted(self._days):
                self._close_day(day)
        return len(self.rows) > before

    def ended(self, at_us: int) -> list[dict[str, Any]]:
        """What `rows` would be if all ended at an instant; nothing changes."""
        stays = {imsi: stay.copy() for imsi, stay in self._stays.items()}
        hours, days = _copied(self._hours), _copied(self._days)
        other = replace(self, rows=self.rows.copy(), _stays=stays, _hours=hours, _days=days)
        other.until(at_us, whole=True)
        return other.rows

    def freeze(self) -> Callable[[], Kept]:
        """All it knows, as of now; the call that makes arrays of it may come on another thread."""
        rows, stays = self.rows.copy(), [(imsi, *stay) for imsi, stay in self._stays.items()]
        hours, days = _copied(self._hours), _copied(self._days)
        plain = {"closed_us": self._closed_us, "late": self.late, "rows": rows, "days": list(days)}

        def made() -> Kept:
            in_hours = [(hour_us, imsi) for hour_us, seen in hours.items() for imsi in seen]
            in_days = [(at, imsi) for at, seen in enumerate(days.values()) for imsi in seen]
            arrays = {
                "stays": np.array(stays, dtype=np.int64).reshape(-1, 3),
                "hours": np.array(in_hours, dtype=np.int64).reshape(-1, 2),
                "days": np.array(in_days, dtype=np.int64).reshape(-1, 2),
            }
            return plain, arrays

        return made

    def restore(self, kept: Kept) -> None:
        """Goes on with what another has frozen."""
        plain, arrays = kept
        self._closed_us, self.late, self.rows = plain["closed_us"], plain["late"], list(plain["rows"])
        self._stays = {imsi: [since_us, seen_us] for imsi, since_us, seen_us in arrays["stays"].tolist()}
        self._hours, self._days = {}, {}
        for hour_us, imsi in arrays["hours"].tolist():
            self._hours.setdefault(hour_us, set()).add(imsi)
        for at, imsi in arrays["days"].tolist():
            self._days.setdefault(plain["days"][at], set()).add(imsi)

    # ----------------------------------------------------------------- inside

    def _see(self, t_us: int, imsi: int, is_here: bool) -> None:
        stay = self._stays.get(imsi)
        if stay is not None and t_us < stay[1]:
            self.late += 1
            return
        if stay is not None and self.silence_us and t_us - stay[1] > self.silence_us:
            self._visited(imsi, stay[0], stay[1])
            del self._stays[imsi]
            stay = None
        if is_here and stay is None:
            self._stays[imsi] = [t_us, t_us]
        elif is_here and stay is not None:
            stay[1] = t_us
        elif stay is not None:
            self._visited(imsi, stay[0], t_us)
            del self._stays[imsi]

    def _visited(self, imsi: int, since_us: int, until_us: int) -> None:
        """A stay that has ended, in the hours that are still open."""
        from_us = max(since_us + self.at_least_us, self._closed_us)
        while from_us < until_us:
            hour_us = self._hour(from_us)
            self._hours.setdefault(hour_us, set()).add(imsi)
            from_us = hour_us + _HOUR_US

    def _close(self, hour_us: int, end_us: int) -> None:
        found = self._hours.pop(hour_us, set())
        for imsi, (since_us, seen_us) in list(self._stays.items()):
            if self.silence_us and end_us - seen_us > self.silence_us:
                if since_us + self.at_least_us < seen_us and hour_us < seen_us:
                    found.add(imsi)
                del self._stays[imsi]
            elif since_us + self.at_least_us < end_us:
                found.add(imsi)
        self._closed_us = hour_us + _HOUR_US
        local = self._local(hour_us)
        for day in [day for day in self._days if day < local.date().isoformat()]:
            self._close_day(day)
        if found and self._counts(hour_us, local):
            day = local.date().isoformat()
            self._days.setdefault(day, set()).update(found)
            self._tell(day, local.hour, found)

    def _close_day(self, day: str) -> None:
        self._tell(day, None, self._days.pop(day))

    def _tell(self, day: str, hour: int | None, found: set[int]) -> None:
        counts = Counter(self.origins.of(imsi) for imsi in found)
        for origin in sorted(counts):
            self.rows.append(
                {"place": self.place, "day": day, "hour": hour, "origin": origin, "visitors": counts[origin]}
            )

    def _counts(self, hour_us: int, local: datetime) -> bool:
        """Whether an hour is one of the campaign's, by its first minute."""
        scene = self.campaign.scene
        when = scene.when if scene is not None and scene.when is not None else When()
        minute = local.hour * 60 + local.minute
        in_span = not when.spans or any(start <= minute < end for start, end in when.spans)
        return in_span and local.weekday() in when.weekdays and self.campaign.active(hour_us, str(self.zone))

    def _hour(self, at_us: int) -> int:
        """Begin of the local hour."""
        local = self._local(at_us)
        return at_us - ((local.minute * 60 + local.second) * 1_000_000 + local.microsecond)

    def _local(self, at_us: int) -> datetime:
        seconds, micros = divmod(at_us, 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros).astimezone(self.zone)


_Key = TypeVar("_Key")


def _copied(sets: dict[_Key, set[int]]) -> dict[_Key, set[int]]:
    return {key: held.copy() for key, held in sets.items()}
