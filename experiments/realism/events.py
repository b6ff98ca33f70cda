"""Measures of crowds at events: more people at a place at an hour than at the same hour a week later."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.realism.fits import F64, Estimate, by_subscriber
from experiments.realism.tables import HOUR_US, Lived
from sim.network import acts as act_table
from sim.scenario import EventScenario

__all__ = ["crowding", "picture", "traffic_a_head"]

_WEEK = 7
_I64 = NDArray[np.int64]


def concerts(lived: Lived) -> list[tuple[EventScenario, _I64]]:
    """Events that people see from beginning to end and that are a week before the end; and their cells."""
    places = {place.name: np.array(place.cells, np.int64) for place in lived.world.topology.places}
    return [
        (event, places[event.place])
        for event in lived.world.scenario.events
        if event.kind == "concert" and event.day - 1 + _WEEK < lived.days
    ]


def _hours(event: EventScenario) -> list[int]:
    """Hours of the day that lie within an event."""
    return [hour for hour in range(24) if event.opens_h <= hour and hour + 1 <= event.closes_h]


def _there(lived: Lived, cells: _I64, day: int, hours: list[int]) -> F64:
    """Share of the hours of a day that each subscriber is in one of some cells."""
    at = lived.hourly[:, [day * 24 + hour for hour in hours]]
    return np.asarray(np.isin(at, cells).mean(axis=1))


def crowding(lived: Lived) -> Estimate:
    """People at concerts beyond those who are there a week later at that hour, over the visitors planned."""
    rows, visitors = np.zeros(lived.n), 0
    for event, cells in concerts(lived):
        hours, day = _hours(event), event.day - 1
        if hours:
            rows += _there(lived, cells, day, hours) - _there(lived, cells, day + _WEEK, hours)
            visitors += event.visitors
    if not visitors:
        return Estimate.exact(math.nan)
    return by_subscriber(rows[:, None], lambda m: float(m[0]) * lived.n / visitors)


def traffic_a_head(lived: Lived) -> Estimate:
    """Calls that the cells of concerts are asked for in their hours, a head, over all cells' then.

    A call is drawn without regard to where its caller stands, so that the crowd brings its calls with it.
    """
    asked = heads = all_asked = 0.0
    for event, cells in concerts(lived):
        rows = [(event.day - 1) * 24 + hour for hour in _hours(event)]
        there = np.isin(lived.hourly[:, rows], cells).sum()
        asked += float(lived.traffic.asked[rows][:, cells].sum())
        all_asked += float(lived.traffic.asked[rows].sum()) * float(there) / max(lived.n * len(rows), 1)
        heads += float(there)
    if not heads or not all_asked:
        return Estimate.exact(math.nan)
    half = 1.96 * math.sqrt(2 * max(asked, 1.0))  # both sides of a call may be there
    return Estimate(asked / all_asked, (asked - half) / all_asked, (asked + half) / all_asked)


def picture(lived: Lived) -> dict[str, Any]:
    """People and calls at the first concert's cells by hour of its day and of the day a week later."""
    found = concerts(lived)
    if not found:
        return {}
    event, cells = found[0]
    acts = lived.acts.of(act_table.CALL_MADE)
    rows: dict[str, Any] = {"name": event.name, "place": event.place, "visitors": event.visitors}
    rows |= {"opens_h": event.opens_h, "closes_h": event.closes_h}
    for name, day in (("day", event.day - 1), ("usual", event.day - 1 + _WEEK)):
        at = lived.hourly[:, day * 24 : day * 24 + 24]
        rows[name] = np.isin(at, cells).sum(axis=0).tolist()
        today = acts.t_us // (24 * HOUR_US) == day
        hour = acts.t_us[today] // HOUR_US
        inside = np.isin(lived.hourly[acts.sub[today], hour], cells)
        rows[f"{name}_calls"] = np.bincount(hour[inside] % 24, minlength=24).tolist()
    return rows
