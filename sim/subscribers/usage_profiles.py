"""When people call and text: hours by segment and kind of day, weekdays by segment, busy times of the year.

What is not here is the place: a call is drawn without regard to where its caller stands at the moment, so
that traffic at a place follows from the crowd in it. Evenings at the campus are busy because students are
awake then, not because of the campus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import ONE_Q16, shares_q32
from sim.scenario import DAY_US, Festival, WorldScenario
from sim.subscribers import almanac
from sim.subscribers.segments import SEGMENTS, Segment

I64 = NDArray[np.int64]

HOUR_US: Final = 3_600_000_000
SUNDAY: Final = 6

Hours = tuple[int, ...]

# Shares of a day's events by hour, any unit: (working day, free day) of five ways to spend a day.
_CALLS: Final[dict[str, tuple[Hours, Hours]]] = {
    "office": (
        (2, 1, 1, 1, 1, 3, 12, 40, 94, 78, 78, 72, 60, 52, 58, 64, 68, 76, 80, 74, 62, 44, 22, 8),
        (3, 2, 1, 1, 1, 2, 7, 20, 44, 62, 72, 74, 62, 52, 54, 58, 62, 70, 78, 76, 64, 46, 25, 10),
    ),
    "student": (
        (4, 2, 1, 1, 1, 1, 6, 18, 22, 26, 34, 50, 92, 60, 34, 38, 46, 80, 86, 74, 84, 96, 60, 14),
        (6, 4, 2, 1, 1, 1, 4, 10, 24, 44, 58, 66, 74, 60, 54, 56, 60, 72, 80, 78, 82, 80, 52, 18),
    ),
    "home": (
        (1, 1, 1, 1, 1, 3, 14, 36, 66, 84, 92, 80, 50, 34, 46, 66, 74, 70, 62, 72, 64, 36, 12, 3),
        (1, 1, 1, 1, 1, 3, 10, 24, 50, 74, 84, 78, 52, 36, 46, 62, 70, 72, 68, 78, 70, 40, 14, 4),
    ),
    "shift": (
        (3, 1, 1, 1, 1, 4, 18, 40, 40, 38, 40, 56, 86, 50, 38, 40, 44, 56, 86, 98, 96, 70, 34, 10),
        (4, 2, 1, 1, 1, 3, 10, 24, 40, 54, 64, 70, 72, 56, 54, 56, 60, 70, 84, 92, 90, 66, 34, 12),
    ),
    "rural": (
        (1, 1, 1, 1, 2, 14, 40, 66, 70, 62, 58, 66, 62, 40, 36, 40, 50, 64, 82, 86, 56, 24, 6, 2),
        (1, 1, 1, 1, 2, 12, 34, 58, 66, 66, 64, 68, 62, 42, 38, 42, 52, 64, 80, 88, 60, 28, 8, 2),
    ),
}
_TEXTS: Final[dict[str, tuple[Hours, Hours]]] = {
    "office": (
        (6, 3, 2, 1, 1, 2, 10, 28, 44, 50, 52, 54, 58, 46, 46, 50, 54, 60, 66, 76, 84, 78, 52, 22),
        (9, 5, 3, 2, 1, 2, 6, 16, 34, 48, 56, 58, 56, 50, 50, 52, 56, 60, 66, 78, 86, 80, 56, 28),
    ),
    "student": (
        (8, 4, 2, 1, 1, 1, 6, 18, 30, 36, 40, 46, 60, 56, 40, 42, 46, 56, 62, 70, 88, 110, 96, 30),
        (12, 7, 4, 2, 1, 1, 4, 10, 24, 42, 54, 58, 60, 54, 50, 52, 56, 62, 68, 76, 88, 98, 80, 36),
    ),
    "home": (
        (2, 1, 1, 1, 1, 2, 8, 20, 34, 46, 52, 50, 44, 40, 46, 52, 54, 56, 60, 76, 80, 62, 26, 6),
        (3, 2, 1, 1, 1, 2, 6, 16, 30, 46, 54, 52, 46, 42, 46, 52, 56, 58, 62, 78, 82, 64, 30, 8),
    ),
    "shift": (
        (5, 2, 1, 1, 1, 3, 12, 24, 26, 28, 30, 42, 66, 46, 30, 32, 36, 46, 66, 88, 104, 96, 58, 16),
        (8, 4, 2, 1, 1, 2, 8, 16, 30, 42, 50, 54, 60, 50, 46, 48, 52, 58, 70, 86, 98, 90, 56, 20),
    ),
    "rural": (
        (1, 1, 1, 1, 1, 6, 20, 36, 40, 40, 38, 44, 48, 34, 30, 32, 38, 50, 66, 80, 62, 30, 8, 2),
        (1, 1, 1, 1, 1, 5, 16, 30, 38, 42, 42, 46, 48, 36, 32, 34, 40, 50, 66, 82, 64, 32, 10, 2),
    ),
}
# Machines and hotlines: one way for all, in both tables of hours.
_SERVICE: Final = (
    (1, 1, 0, 0, 0, 1, 5, 20, 70, 110, 120, 95, 55, 50, 75, 85, 80, 60, 45, 35, 25, 15, 8, 3),
    (1, 1, 0, 0, 0, 1, 4, 12, 40, 70, 85, 80, 55, 50, 60, 65, 60, 50, 40, 35, 25, 15, 8, 3),
)
# Idle evenings: when somebody begins to text to and fro.
_CHAT: Final = (
    (4, 2, 1, 0, 0, 0, 0, 2, 3, 3, 3, 5, 16, 10, 4, 4, 5, 10, 20, 50, 90, 110, 80, 20),
    (6, 3, 1, 0, 0, 0, 0, 1, 3, 6, 8, 10, 16, 14, 12, 12, 14, 18, 26, 52, 90, 108, 80, 26),
)
WAYS: Final = tuple(_CALLS)


@dataclass(frozen=True, slots=True)
class Leaning:
    """What else about usage goes with a segment; in the order of `SEGMENTS`."""

    way: str
    """How the day is spent: one of WAYS."""
    calls_free: float
    """Calls on a free day over those of a working day, against everybody's; likewise texts."""
    texts_free: float
    long_distance: float
    """Factor on the world's share of long-distance calls."""
    chat_share: float
    """Share of the texts sent in evening bursts."""
    services: float
    """Factor on the world's USSD queries, forwarding and call waiting."""
    data: float
    """Factor on GPRS and MMS."""


LEANINGS: Final = (
    Leaning("office", 0.55, 0.70, 2.2, 0.10, 1.8, 2.0),
    Leaning("office", 1.00, 1.05, 0.8, 0.35, 1.0, 1.4),
    Leaning("office", 0.75, 0.90, 1.1, 0.25, 1.1, 1.2),
    Leaning("office", 0.70, 0.90, 0.9, 0.10, 0.8, 0.6),
    Leaning("student", 1.15, 1.10, 1.3, 0.45, 1.3, 1.8),
    Leaning("home", 1.05, 1.00, 0.5, 0.15, 0.7, 0.4),
    Leaning("shift", 1.05, 1.05, 1.8, 0.35, 1.0, 0.6),
    Leaning("rural", 1.00, 1.00, 0.4, 0.10, 0.5, 0.1),
    Leaning("home", 1.10, 1.00, 0.4, 0.05, 0.3, 0.0),
)
"""One a segment. Inputs of the simulation; no measurement stands behind them."""

# Monday to Sunday, of a mean of one.
_CALL_WEEK: Final = (1.06, 1.04, 1.03, 1.04, 1.09, 0.91, 0.83)
_TEXT_WEEK: Final = (0.98, 0.97, 0.97, 0.98, 1.05, 1.06, 0.99)
_SERVICE_WEEK: Final = (1.12, 1.08, 1.06, 1.05, 1.04, 0.87, 0.78)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """How events spread over a span of time of equal steps; several rows of shares."""

    edges: I64
    """Row r, step s: r 2**32 + which share (out of 2**32) lies before the step; and the end."""
    steps: int
    step_us: int

    @staticmethod
    def of(rows: list[Hours], step_us: int) -> Curve:
        """A curve by its shares."""
        upper = shares_q32(np.array(rows)).astype(np.int64)
        edges = np.concatenate((np.zeros((len(rows), 1), dtype=np.int64), upper), axis=1)
        edges += np.arange(len(rows), dtype=np.int64)[:, None] << 32
        return Curve(edges.reshape(-1), len(rows[0]), step_us)

    def at(self, row: I64, passed: I64) -> I64:
        """Microseconds after the beginning at which a share (out of 2**32) of a row has passed."""
        share = (row << 32) + passed
        place = np.searchsorted(self.edges, share, side="right") - 1
        step = place - row * (self.steps + 1)
        low = self.edges[place]
        within = (share - low) * self.step_us // (self.edges[place + 1] - low)
        return step * self.step_us + within


def _curve(ways: dict[str, tuple[Hours, Hours]]) -> Curve:
    return Curve.of([hours for way in WAYS for hours in ways[way]], HOUR_US)


CALLS: Final = _curve(_CALLS)
TEXTS: Final = _curve(_TEXTS)
SERVICE: Final = Curve.of(list(_SERVICE), HOUR_US)
CHAT: Final = Curve.of(list(_CHAT), HOUR_US)
_WAY: Final = np.array([WAYS.index(leaning.way) for leaning in LEANINGS], dtype=np.int64)


def _week(week: tuple[float, ...], lean: Callable[[Leaning], float]) -> I64:
    """Factors (1/65536) by segment and weekday: free days lean as the segment does, the mean stays one."""
    rows = []
    for leaning in LEANINGS:
        row = [value * (lean(leaning) if day >= SUNDAY - 1 else 1.0) for day, value in enumerate(week)]
        total = 0.0
        for value in row:
            total += value
        rows.append([int(value * 7.0 / total * ONE_Q16 + 0.5) for value in row])
    return np.array(rows, dtype=np.int64)


CALL_WEEK: Final = _week(_CALL_WEEK, lambda leaning: leaning.calls_free)
TEXT_WEEK: Final = _week(_TEXT_WEEK, lambda leaning: leaning.texts_free)
SERVICE_WEEK: Final = _week(_SERVICE_WEEK, lambda leaning: 1.0)


def kind_of_day(scenario: WorldScenario, day: I64) -> I64:
    """Which day of the week a day is like: 0 Monday .. 6 Sunday.

    Holidays are like Sundays, weekend days that make up for them like Mondays.
    """
    days, which = np.unique(day, return_inverse=True)
    like = [_like(scenario, one) for one in days.tolist()]
    return np.array(like, dtype=np.int64)[which]


def _like(scenario: WorldScenario, day: int) -> int:
    kind, weekday = almanac.day_kind(scenario, day), scenario.weekday(day)
    if kind in (almanac.HOLIDAY, almanac.FESTIVAL):
        return SUNDAY
    return 0 if kind == almanac.WORKDAY and weekday >= SUNDAY - 1 else weekday


def rows_of(segment: I64, like: I64, curve: Curve) -> I64:
    """The rows of a curve for people of segments on days like these weekdays."""
    free: I64 = (like >= SUNDAY - 1).astype(np.int64)
    return free if curve is SERVICE or curve is CHAT else _WAY[segment] * 2 + free


def way_of(segment: int) -> int:
    """Index of the way that a segment spends its days."""
    return int(_WAY[segment])


def hours_of(curve: Curve, row: int) -> NDArray[np.float64]:
    """Shares of a curve's row by step."""
    first = row * (curve.steps + 1)
    return np.diff(curve.edges[first : first + curve.steps + 1]) / float(1 << 32)


# A busy time rises over two of its widths and falls over one: sixteen steps up, eight down, their middles.
_FESTIVE: Final = Curve.of(
    [tuple(2 * k + 1 for k in range(16)) + tuple(4 * k + 2 for k in range(7, -1, -1))], 1
)


@dataclass(frozen=True, slots=True, eq=False)
class Busy:
    """A busy time as extra usage: its own Poisson process on top of the ordinary day."""

    day: int
    """Day of the world that it belongs to; it may reach into the next."""
    start_us: int
    end_us: int
    text_q16: int
    """How many days' worth of texts come on top, 1/65536; likewise calls."""
    call_q16: int
    curve: Curve


def busy_times(scenario: WorldScenario, from_us: int, to_us: int) -> list[Busy]:
    """The busy times that a span of time touches, in the order of the scenario."""
    found = []
    for festival in scenario.usage.festivals:
        one = busy_time(scenario.epoch, festival)
        if one.start_us < to_us and from_us < one.end_us:
            found.append(one)
    return found


def busy_time(epoch: date, festival: Festival) -> Busy:
    """A festival in the world's time."""
    day = (festival.date - epoch).days
    width_us = festival.width_min * 60_000_000
    peak_us = day * DAY_US + int(festival.peak_hour * 60.0 + 0.5) * 60_000_000
    step_us = width_us // 8
    curve = Curve(_FESTIVE.edges, _FESTIVE.steps, step_us)
    # The triangle's area is one and a half widths times the peak, which is in means of an ordinary day.
    days = 1.5 * width_us / DAY_US
    start_us = peak_us - 16 * step_us
    return Busy(
        day,
        start_us,
        start_us + 24 * step_us,
        int(festival.factor * days * ONE_Q16),
        int(festival.calls_factor * days * ONE_Q16),
        curve,
    )


def by_segment(scenario: WorldScenario, read: Callable[[Leaning], float], calls: bool = True) -> list[float]:
    """Factors of the segments scaled so that their mean over calls (or over people) is one."""
    total = weight = 0.0
    for leaning, segment, share in zip(LEANINGS, SEGMENTS, scenario.segments.weights(), strict=True):
        heavy = share * (segment.calls if calls else 1.0)
        total += heavy * read(leaning)
        weight += heavy
    return [read(leaning) * weight / total if total > 0 else 0.0 for leaning in LEANINGS]


def mean_of(scenario: WorldScenario, read: Callable[[Segment], float]) -> list[float]:
    """What share of all that the world does each segment does."""
    total = 0.0
    for segment, share in zip(SEGMENTS, scenario.segments.weights(), strict=True):
        total += share * read(segment)
    return [
        share * read(segment) / total
        for segment, share in zip(SEGMENTS, scenario.segments.weights(), strict=True)
    ]
