"""The calendar: golden weeks, weekend days worked in exchange, lunar years; and what is not in the table."""

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from sim.scenario import load_world
from sim.subscribers.almanac import (
    FESTIVAL,
    FIRST_YEAR,
    HOLIDAY,
    LAST_YEAR,
    LUNAR_NEW_YEARS,
    WEEKEND,
    WORKDAY,
    day_kind,
    kind_of,
    new_year_near,
)

WORLDS = Path(__file__).parents[3] / "scenarios" / "worlds"
DAYS = [date(FIRST_YEAR, 1, 1) + timedelta(days=k) for k in range((LAST_YEAR - FIRST_YEAR + 1) * 365 + 2)]


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2007-02-16", WORKDAY), ("2007-02-17", WORKDAY), ("2007-02-18", FESTIVAL), ("2007-02-24", FESTIVAL),
        ("2007-02-25", WORKDAY), ("2007-05-01", HOLIDAY), ("2007-05-08", WORKDAY), ("2007-06-09", WEEKEND),
        ("2008-02-06", FESTIVAL), ("2008-02-13", WORKDAY), ("2008-04-04", HOLIDAY), ("2009-10-08", HOLIDAY),
        ("2009-10-10", WORKDAY), ("2012-10-07", HOLIDAY), ("2004-10-01", WORKDAY), ("2013-02-10", WEEKEND),
    ],
)  # fmt: skip
def test_days(day, kind):
    assert kind_of(date.fromisoformat(day)) == kind


def test_weekends_worked_are_weekends_and_holidays_reach_into_the_week():
    worked = [day for day in DAYS if day.weekday() >= 5 and kind_of(day) == WORKDAY]
    off = [day for day in DAYS if day.weekday() < 5 and kind_of(day) != WORKDAY]
    # By the law of the time 10 days a year were holidays until 2007, 11 from 2008 on; a weekday off beyond
    # these is worked for on a weekend.
    assert len(worked) == 53
    holidays = {year: sum(1 for day in off if day.year == year) for year in range(FIRST_YEAR, LAST_YEAR + 1)}
    assert all(9 <= count <= 19 for count in holidays.values()), holidays


def test_lunar_years_begin_inside_the_days_off_and_354_or_more_days_apart():
    for first in LUNAR_NEW_YEARS:
        assert kind_of(first) == FESTIVAL
    apart = {(b - a).days for a, b in pairwise(LUNAR_NEW_YEARS)}
    assert apart <= {353, 354, 355, 383, 384, 385}


def test_days_of_a_world():
    world = load_world(WORLDS / "town.yaml", {"epoch": "2008-01-28"})
    assert day_kind(world, 0) == WORKDAY
    assert day_kind(world, 5) == WORKDAY  # Saturday, 2 February, worked
    assert day_kind(world, 9) == FESTIVAL
    assert new_year_near(world, 9, 1) == 10
    assert new_year_near(world, 60, 1) is None
