"""When contact is allowed: hours that are closed, holidays and periods, as instants in one time zone.

A local day is cut at midnight and at the ends of closed hours; between two cuts nothing changes. Cuts are
local times turned into instants one by one, so days of 23 and 25 hours come out right: what counts is what a
clock on the wall shows, so an hour that comes twice is closed twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

__all__ = ["EVERY_DAY", "Closed", "Hours", "Span", "Stretch"]

Closed = Literal["", "quiet_hours", "holiday", "closed_hours", "busy_cell"]
SEARCH_DAYS: Final = 800
"""How far ahead an open hour is looked for."""
EVERY_DAY: Final = frozenset(range(7))
MOST_DAYS: Final = 4000
"""Days whose spans are kept."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in which nothing changes."""

    start_us: int
    """Unix us, included."""
    end_us: int
    """Unix us, not included."""
    closed: Closed
    """Why no contact is allowed; empty: it is."""
    period: int
    """Local calendar month as year x 100 + month."""
    day: int
    """Local calendar day, proleptic ordinal."""
    holds: bool = True
    """Closed: what may wait is held for the opening."""

    @property
    def week(self) -> int:
        """A number for the week from Monday to Sunday."""
        return (self.day - 1) // 7


@dataclass(frozen=True, slots=True)
class Stretch:
    """Hours of the day that are closed."""

    closed: Closed
    start: time
    """First closed local time."""
    end: time
    """First local time that is not; up to `start`: the hours run over midnight."""
    holds: bool = True
    days: frozenset[int] = EVERY_DAY
    """Weekdays whose hours are meant, 0 = Monday."""

    def covers(self, day: date, at: time) -> bool:
        """Whether a local time lies in it."""
        if day.weekday() not in self.days:
            return False
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


@dataclass(slots=True)
class Hours:
    """Answers for any instant; keeps the spans of the days asked for."""

    zone: ZoneInfo
    stretches: tuple[Stretch, ...] = ()
    """Of several that are closed at a time, the first is the reason."""
    holidays: frozenset[date] = frozenset()
    """They come before all stretches."""
    holidays_hold: bool = False
    by_day: bool = False
    """A contact must be received on the local day of its decision."""
    by_week: bool = False
    """In the week."""
    _days: dict[date, tuple[list[int], list[Span]]] = field(default_factory=dict, repr=False)
    _span: Span = Span(0, 0, "", 0, 0)
    _closes: tuple[Span, int] = (Span(0, 0, "", 0, 0), 0)
    _opens: tuple[Span, int] = (Span(0, 0, "", 0, 0), 0)

    @classmethod
    def of(cls, zone: str, quiet: tuple[time, time] | None, holidays: Iterable[date] = ()) -> Hours:
        """With nothing but quiet hours and holidays."""
        stretches = (Stretch("quiet_hours", *quiet),) if quiet is not None else ()
        return cls(ZoneInfo(zone), stretches, frozenset(holidays))

    def span(self, t_us: int) -> Span:
        """The stretch around an instant."""
        if not self._span.start_us <= t_us < self._span.end_us:
            self._span = self._look_up(t_us)
        return self._span

    def period(self, t_us: int) -> int:
        """The month of an instant, year x 100 + month."""
        return self._look_up(t_us).period

    def day(self, t_us: int) -> int:
        """The local day of an instant, proleptic ordinal."""
        return self._look_up(t_us).day

    def starts_s(self, t_us: int) -> tuple[int, int, int]:
        """When the day, the week and the month of an instant began, Unix seconds."""
        today = self.local(t_us).date()
        firsts = (today, today - timedelta(days=today.weekday()), today.replace(day=1))
        day_s, week_s, month_s = (self.instant_us(first, time(0)) // 1_000_000 for first in firsts)
        return day_s, week_s, month_s

    def closes_us(self, t_us: int) -> int:
        """The first instant from t on that is closed, or by which a contact must have been received."""
        first = self.span(t_us)
        if first.closed:
            return t_us
        if self._closes[0] is first:
            return self._closes[1]
        span = first
        for _ in range(SEARCH_DAYS * 3):
            following = self._look_up(span.end_us)
            if following.closed or self._apart(first, following):
                break
            span = following
        self._closes = (first, span.end_us)
        return span.end_us

    def opens_us(self, t_us: int) -> int:
        """The first allowed instant from t on.

        Raises:
            ValueError: there is none within two years.
        """
        first = self.span(t_us)
        if not first.closed:
            return t_us
        if self._opens[0] is first:
            return self._opens[1]
        span = first
        end_us = t_us + SEARCH_DAYS * 86_400_000_000
        while span.end_us < end_us:
            span = self._look_up(span.end_us)
            if not span.closed:
                self._opens = (first, span.start_us)
                return span.start_us
        raise ValueError("no hour is left for contacts: quiet hours and holidays cover everything")

    def local(self, t_us: int) -> datetime:
        """Local date and time, to the microsecond."""
        return (_EPOCH + timedelta(microseconds=t_us)).astimezone(self.zone)

    def instant_us(self, day: date, at: time) -> int:
        """Unix us of a local time; one that a clock change skips becomes the same time on the old offset."""
        moment = datetime.combine(day, at, self.zone)
        return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)

    def _apart(self, one: Span, other: Span) -> bool:
        """Whether a contact of the one may not be received in the other."""
        if one.period != other.period:
            return True
        return (self.by_day and one.day != other.day) or (self.by_week and one.week != other.week)

    def _look_up(self, t_us: int) -> Span:
        starts, spans = self._day(self.local(t_us).date())
        return spans[max(bisect_right(starts, t_us) - 1, 0)]

    def _day(self, day: date) -> tuple[list[int], list[Span]]:
        known = self._days.get(day)
        if known is None:
            if len(self._days) > MOST_DAYS:
                self._days.clear()
            known = self._days[day] = self._cut(day)
        return known

    def _cut(self, day: date) -> tuple[list[int], list[Span]]:
        start, end = (self.instant_us(day + timedelta(days=n), time(0)) for n in (0, 1))
        cuts = {start, *(self.instant_us(day, at) for s in self.stretches for at in (s.start, s.end))}
        if end - start != _DAY_US:
            # Clocks change: some local times come twice, others never, and hours may begin where they change.
            cuts |= {self._second_us(day, at) for s in self.stretches for at in (s.start, s.end)}
            cuts.add(self._change_us(start, end))
        starts = sorted(cut for cut in cuts if start <= cut < end)
        spans = []
        for cut, stop in zip(starts, [*starts[1:], end], strict=True):
            closed, holds = self._closed(day, self.local(cut).time())
            spans.append(Span(cut, stop, closed, day.year * 100 + day.month, day.toordinal(), holds))
        return starts, spans

    def _second_us(self, day: date, at: time) -> int:
        """Unix us of a local time when it comes for the second time."""
        moment = datetime.combine(day, at, self.zone).replace(fold=1)
        return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)

    def _change_us(self, low: int, high: int) -> int:
        """Where between two instants the clocks change."""
        before = self.local(low).utcoffset()
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.local(middle).utcoffset() == before else (low, middle)
        return high

    def _closed(self, day: date, at: time) -> tuple[Closed, bool]:
        if day in self.holidays:
            return "holiday", self.holidays_hold
        first = next((s for s in self.stretches if s.covers(day, at)), None)
        return ("", True) if first is None else (first.closed, first.holds)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000
