"""When contact is allowed: quiet hours, holidays and months, as instants in the policy's time zone.

A local day is cut at midnight and at the quiet hours' ends; between two cuts nothing changes. Cuts are local
times turned into instants one by one, so days of 23 and 25 hours come out right.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

__all__ = ["Closed", "Hours", "Span"]

Closed = Literal["", "quiet_hours", "holiday"]
SEARCH_DAYS: Final = 800
"""How far ahead an open hour is looked for."""


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


@dataclass(slots=True)
class Hours:
    """Answers for any instant; keeps the spans of the days asked for."""

    zone: ZoneInfo
    quiet: tuple[time, time] | None
    """First quiet and first allowed local time; may run over midnight."""
    holidays: frozenset[date] = frozenset()
    _days: dict[date, tuple[list[int], list[Span]]] = field(default_factory=dict, repr=False)
    _span: Span = Span(0, 0, "", 0, 0)
    _closes: tuple[Span, int] = (Span(0, 0, "", 0, 0), 0)
    _opens: tuple[Span, int] = (Span(0, 0, "", 0, 0), 0)

    @classmethod
    def of(cls, zone: str, quiet: tuple[time, time] | None, holidays: Iterable[date] = ()) -> Hours:
        """From the words of a policy file."""
        return cls(ZoneInfo(zone), quiet, frozenset(holidays))

    def span(self, t_us: int) -> Span:
        """The stretch around an instant."""
        if not self._span.start_us <= t_us < self._span.end_us:
            self._span = self._look_up(t_us)
        return self._span

    def period(self, t_us: int) -> int:
        """The month of an instant, year x 100 + month."""
        return self._look_up(t_us).period

    def closes_us(self, t_us: int) -> int:
        """The first instant from t on that is closed or in another month."""
        first = self.span(t_us)
        if first.closed:
            return t_us
        if self._closes[0] is first:
            return self._closes[1]
        span = first
        for _ in range(SEARCH_DAYS * 3):
            following = self._look_up(span.end_us)
            if following.closed or following.period != first.period:
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
        for _ in range(SEARCH_DAYS * 3):
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

    def _look_up(self, t_us: int) -> Span:
        starts, spans = self._day(self.local(t_us).date())
        return spans[bisect_right(starts, t_us) - 1]

    def _day(self, day: date) -> tuple[list[int], list[Span]]:
        known = self._days.get(day)
        if known is None:
            if len(self._days) > 4000:
                self._days.clear()
            known = self._days[day] = self._cut(day)
        return known

    def _cut(self, day: date) -> tuple[list[int], list[Span]]:
        local = sorted({time(0), *(self.quiet or ())})
        end = self.instant_us(day + timedelta(days=1), time(0))
        cuts = [(self.instant_us(day, at), at) for at in local]
        ends = [start for start, _ in cuts[1:]] + [end]
        spans = [
            Span(start, stop, self._closed(day, at), day.year * 100 + day.month, day.toordinal())
            for (start, at), stop in zip(cuts, ends, strict=True)
            if stop > start
        ]
        return [s.start_us for s in spans], spans

    def _closed(self, day: date, at: time) -> Closed:
        if day in self.holidays:
            return "holiday"
        if self.quiet is None:
            return ""
        start, end = self.quiet
        quiet = start <= at < end if start < end else at >= start or at < end
        return "quiet_hours" if quiet else ""


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
