"""Two sides of a comparison as columns, cut from the outcomes of arms: whole arms, or people of one world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.uplift.designs import CONTROL, HELD_OUT, TREATED, Assignment
from experiments.uplift.specs import ArmOutcome, OrderTable

__all__ = [
    "DAY_US",
    "SHARES",
    "Comparison",
    "Layout",
    "Side",
    "ordered_by",
    "orders_a_day",
    "parallel",
    "side_of",
    "within",
]

Mask = NDArray[np.bool_]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

DAY_US: Final = 86_400_000_000
SHARES: Final = ("take_up", "complaints", "opt_outs")
"""Measures that are shares of people; `net` is money a person."""

Layout = Literal["pairs", "groups", "clusters"]
"""pairs: the same people in both worlds, row by row. groups: other people. clusters: other people, drawn as
clusters."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The people of one side."""

    row: I64
    """Rows of its arm's outcome."""
    take_up: Mask
    complaints: Mask
    """Complained at least once."""
    opt_outs: Mask
    cost: F64
    net: F64
    """Value of the orders minus cost of the contacts."""
    before: F64
    """(people, BEFORE): what the look-back shows of each."""
    cluster: I64
    contacted: Mask

    @property
    def n(self) -> int:
        """People."""
        return len(self.take_up)

    def share(self, measure: str) -> Mask:
        """One of SHARES, by person."""
        column: Mask = getattr(self, measure)
        return column

    def only(self, mask: Mask) -> Side:
        """Some of them."""
        return Side(
            self.row[mask],
            self.take_up[mask],
            self.complaints[mask],
            self.opt_outs[mask],
            self.cost[mask],
            self.net[mask],
            self.before[mask],
            self.cluster[mask],
            self.contacted[mask],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What is compared with what."""

    name: str
    """`a_vs_b`, as the summary has it."""
    a: Side
    b: Side
    layout: Layout


def side_of(outcome: ArmOutcome, rows: I64 | None = None, cluster: I64 | None = None) -> Side:
    """People of an arm, by default all; `cluster` is of all of them."""
    at = np.arange(len(outcome.sub), dtype=np.int64) if rows is None else rows
    unit = outcome.sub.astype(np.int64) if cluster is None else cluster
    return Side(
        at,
        outcome.ordered[at],
        outcome.complaints[at] > 0,
        outcome.opted_out[at],
        outcome.cost[at],
        (outcome.value - outcome.cost)[at],
        outcome.before[at],
        unit[at],
        outcome.contacts[at] > 0,
    )


def parallel(arms: Mapping[str, ArmOutcome], a: str, b: str) -> Comparison:
    """Two arms over the same people.

    Raises:
        ValueError: they do not have the same people in the same order.
    """
    if not np.array_equal(arms[a].sub, arms[b].sub):
        raise ValueError(f"arms {a} and {b} have other people")
    return Comparison(f"{a}_vs_{b}", side_of(arms[a]), side_of(arms[b]), "pairs")


def within(outcome: ArmOutcome, assignment: Assignment, a: int = TREATED, b: int = CONTROL) -> Comparison:
    """Two groups of one world by their role."""
    names = {TREATED: "treated", CONTROL: "control", HELD_OUT: "held_out"}
    role, unit = assignment.role[outcome.sub], assignment.cluster[outcome.sub]
    made = [side_of(outcome, np.flatnonzero(role == one), unit) for one in (a, b)]
    layout: Layout = "clusters" if assignment.kind == "cluster" else "groups"
    return Comparison(f"{names[a]}_vs_{names[b]}", made[0], made[1], layout)


def ordered_by(outcome: ArmOutcome, t_us: int) -> Mask:
    """Who has an order by a time of the world."""
    by: Mask = (outcome.ordered_us >= 0) & (outcome.ordered_us < t_us)
    return by


def orders_a_day(orders: OrderTable, days: int, from_day: int) -> I64:
    """Take-ups on each day of campaigns, (days - from_day + 1,)."""
    day = orders.t_us // DAY_US - (from_day - 1)
    inside = (day >= 0) & (day < days - from_day + 1)
    return np.bincount(day[inside], minlength=days - from_day + 1).astype(np.int64)
