"""A switchback's measures by day: days with campaigns against their neighbours without.

All of it is what the owner of one world sees: orders, complaints, opt-outs and money of the eligible, each on
the day on which it came. A unit is a pair of neighbouring days and not a person, so intervals are Student's
over the pairs. What a day leaves for the next one (talk, a late reply) counts for the next: it moves the
difference towards nothing, as the page says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference import Estimate, Refused
from experiments.inference.means import paired_mean_difference
from experiments.inference.relative import paired_ratio
from experiments.uplift.designs import Assignment
from experiments.uplift.sides import orders_a_day
from experiments.uplift.specs import ArmOutcome

__all__ = ["MEASURES", "by_days", "each_day", "paired_days", "times"]

F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
Found = Estimate | Refused

MEASURES: Final = ("take_up", "complaints", "opt_outs", "cost", "net")
"""Per eligible person and day: take-ups, complaints, opt-outs; money of contacts; value less that cost."""


def each_day(outcome: ArmOutcome, days: int, from_day: int) -> dict[str, F64]:
    """Every measure on each day of campaigns, per eligible person: (days - from_day + 1,) each."""
    people, during = max(len(outcome.sub), 1), slice(from_day - 1, days)
    table = outcome.by_day
    found = {
        "take_up": orders_a_day(outcome.orders, days, from_day),
        "complaints": table.complaints[during],
        "opt_outs": table.opt_outs[during],
        "cost": table.cost[during],
        "net": (table.value - table.cost)[during],
    }
    return {name: np.asarray(column, np.float64) / people for name, column in found.items()}


def paired_days(column: F64, on: Mask) -> tuple[F64, F64]:
    """Days with campaigns and their neighbours without, pair by pair; an odd day at the end is left out.

    Args:
        column: A measure on each day of campaigns, (days,).
        on: Whether campaigns ran, (days,); of days 0 and 1, 2 and 3 ... one each.
    """
    pairs = len(column) // 2
    both, first = column[: 2 * pairs].reshape(pairs, 2), on[: 2 * pairs].reshape(pairs, 2)[:, 0]
    return np.where(first, both[:, 0], both[:, 1]), np.where(first, both[:, 1], both[:, 0])


def by_days(outcome: ArmOutcome, assignment: Assignment, days: int, from_day: int) -> dict[str, Found]:
    """Days with campaigns less days without, per eligible person and day; of take-up the ratio too."""
    assert assignment.days is not None, "a switchback has its days"
    on = assignment.days[from_day - 1 :]
    columns = each_day(outcome, days, from_day)
    found: dict[str, Found] = {}
    for name in MEASURES:
        treated, control = paired_days(columns[name], on)
        found[name] = paired_mean_difference(treated, control)
        if name == "take_up":
            found["take_up_relative"] = paired_ratio(treated, control)
    return found


def times(found: Found, factor: float) -> Found:
    """An estimate in another unit: a day's difference over as many days as `factor` says."""
    if isinstance(found, Refused):
        return found
    se = None if found.se is None else found.se * factor
    return replace(found, value=found.value * factor, low=found.low * factor, high=found.high * factor, se=se)


def as_json(outcome: ArmOutcome, assignment: Assignment, days: int, from_day: int) -> dict[str, Any]:
    """What each day was like, for the picture."""
    assert assignment.days is not None, "a switchback has its days"
    columns = each_day(outcome, days, from_day)
    return {
        "first_day": from_day,
        "on": assignment.days[from_day - 1 :].tolist(),
        **{name: [round(float(v), 8) for v in column] for name, column in columns.items()},
    }
