"""The calendar people live by: workdays, weekends, public holidays of China, the Spring Festival.

Days off and the weekend days worked in exchange, for 2005 to 2012, are those of the yearly notices of the
General Office of the State Council on the arrangement of holidays. Before 2008 three golden weeks and the New
Year, from 2008 on also Tomb-sweeping Day, the Dragon Boat and the Mid-Autumn Festival. Outside these years
only weekends are known here: such a world has no holidays and no Spring Festival.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from sim.scenario import WorldScenario

WORKDAY, WEEKEND, HOLIDAY, FESTIVAL = 0, 1, 2, 3
"""Kinds of days; FESTIVAL are the days off of the Spring Festival."""

FIRST_YEAR: Final = 2005
LAST_YEAR: Final = 2012

_OFF: Final = (  # first day, number of days
    ("2005-01-01", 3), ("2005-05-01", 7), ("2005-10-01", 7),
    ("2006-01-01", 3), ("2006-05-01", 7), ("2006-10-01", 7),
    ("2007-01-01", 3), ("2007-05-01", 7), ("2007-10-01", 7), ("2007-12-30", 3),
    ("2008-04-04", 3), ("2008-05-01", 3), ("2008-06-07", 3), ("2008-09-13", 3), ("2008-09-29", 7),
    ("2009-01-01", 3), ("2009-04-04", 3), ("2009-05-01", 3), ("2009-05-28", 3), ("2009-10-01", 8),
    ("2010-01-01", 3), ("2010-04-03", 3), ("2010-05-01", 3), ("2010-06-14", 3), ("2010-09-22", 3),
    ("2010-10-01", 7),
    ("2011-01-01", 3), ("2011-04-03", 3), ("2011-04-30", 3), ("2011-06-04", 3), ("2011-09-10", 3),
    ("2011-10-01", 7),
    ("2012-01-01", 3), ("2012-04-02", 3), ("2012-04-29", 3), ("2012-06-22", 3), ("2012-09-30", 8),
)  # fmt: skip
_FESTIVALS: Final = (  # first day off of the Spring Festival, seven in all; first day of the lunar year
    ("2005-02-09", "2005-02-09"), ("2006-01-29", "2006-01-29"), ("2007-02-18", "2007-02-18"),
    ("2008-02-06", "2008-02-07"), ("2009-01-25", "2009-01-26"), ("2010-02-13", "2010-02-14"),
    ("2011-02-02", "2011-02-03"), ("2012-01-22", "2012-01-23"),
)  # fmt: skip
_WORKED: Final = (  # Saturdays and Sundays that are workdays
    "2005-02-05", "2005-02-06", "2005-04-30", "2005-05-08", "2005-10-08", "2005-10-09", "2005-12-31",
    "2006-01-28", "2006-02-05", "2006-04-29", "2006-04-30", "2006-09-30", "2006-10-08", "2006-12-30",
    "2006-12-31", "2007-02-17", "2007-02-25", "2007-04-28", "2007-04-29", "2007-09-29", "2007-09-30",
    "2007-12-29", "2008-02-02", "2008-02-03", "2008-05-04", "2008-09-27", "2008-09-28", "2009-01-04",
    "2009-01-24", "2009-02-01", "2009-05-31", "2009-09-27", "2009-10-10", "2010-02-20", "2010-02-21",
    "2010-06-12", "2010-06-13", "2010-09-19", "2010-09-25", "2010-09-26", "2010-10-09", "2011-01-30",
    "2011-02-12", "2011-04-02", "2011-10-08", "2011-10-09", "2011-12-31", "2012-01-21", "2012-01-29",
    "2012-03-31", "2012-04-01", "2012-04-28", "2012-09-29",
)  # fmt: skip

_FESTIVAL_DAYS: Final = 7


def _days(first: str, count: int) -> list[date]:
    start = date.fromisoformat(first)
    return [start + timedelta(days=k) for k in range(count)]


_KINDS: Final[dict[date, int]] = {
    **{day: HOLIDAY for first, count in _OFF for day in _days(first, count)},
    **{day: FESTIVAL for first, _ in _FESTIVALS for day in _days(first, _FESTIVAL_DAYS)},
    **{date.fromisoformat(day): WORKDAY for day in _WORKED},
}
LUNAR_NEW_YEARS: Final = tuple(date.fromisoformat(day) for _, day in _FESTIVALS)
"""First days of the lunar years."""


@lru_cache(maxsize=4096)
def kind_of(day: date) -> int:
    """WORKDAY, WEEKEND, HOLIDAY or FESTIVAL."""
    known = _KINDS.get(day)
    if known is not None:
        return known
    return WEEKEND if day.weekday() >= 5 else WORKDAY


def day_kind(scenario: WorldScenario, day: int) -> int:
    """The kind of a day of a world; day 0 is the date of its epoch."""
    return kind_of(scenario.epoch + timedelta(days=day))


def new_year_near(scenario: WorldScenario, day: int, within: int) -> int | None:
    """The day of a world on which a lunar year begins, if one does at most so many days before or after."""
    for first in LUNAR_NEW_YEARS:
        distance = (first - scenario.epoch).days
        if abs(distance - day) <= within:
            return distance
    return None
