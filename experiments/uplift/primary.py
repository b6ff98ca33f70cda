"""The one comparison that a study is about, by its design, from orders and who was treated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from experiments.inference import Estimate, Refused
from experiments.inference.cluster import cluster_difference
from experiments.inference.cuped import LOOK_BACK_DAYS, adjust, cuped, explained
from experiments.inference.intervals import difference, paired_difference
from experiments.inference.means import mean_difference, paired_mean_difference
from experiments.uplift.designs import CONTROL, TREATED, Assignment, Kind, Plan
from experiments.uplift.sides import Comparison, orders_a_day, parallel, within
from experiments.uplift.specs import BEFORE, ArmOutcome
from experiments.uplift.switchback import paired_days

__all__ = ["Primary", "difference_of", "effect_of_days", "effect_of_roles", "primary_of", "sharpened"]

Mask = NDArray[np.bool_]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Primary:
    """The study's estimate."""

    name: str
    """`a_vs_b`."""
    layout: Literal["pairs", "groups", "clusters", "days"]
    estimate: Estimate | Refused
    """Difference of the share who took up; of a switchback, take-ups per eligible person and day."""
    n: int
    """Eligible people in the comparison."""
    take_ups: tuple[int, int]
    """On both sides."""
    days: int
    """Days of campaigns."""
    plain: Estimate | Refused | None = None
    """Without covariates, where some were used."""
    variance_reduction: float | None = None
    """What the covariates were worth: 1 - variance of the estimate with them / without; below 0 where they
    tell less than estimating their weights costs."""
    explained: Mapping[str, float] | None = None
    """Column of BEFORE -> share of the outcome's variance that it explains alone."""


def difference_of(comparison: Comparison, measure: str = "take_up") -> Estimate | Refused:
    """Difference of a share, a minus b, by the layout: Tango's score, Miettinen and Nurminen's, or CR2."""
    a, b = comparison.a.share(measure), comparison.b.share(measure)
    if comparison.layout == "pairs":
        return paired_difference(int(np.sum(a & ~b)), int(np.sum(b & ~a)), len(a))
    if comparison.layout == "groups":
        return difference(int(a.sum()), len(a), int(b.sum()), len(b))
    clusters = comparison.a.cluster, comparison.b.cluster
    return cluster_difference(a.astype(np.float64), b.astype(np.float64), *clusters)


def effect_of_roles(
    ordered: Mask,
    role: NDArray[np.uint8],
    unit: I64,
    kind: Kind,
    before: F64 | None = None,
    look_back_days: int = 0,
) -> Estimate | Refused:
    """Treated minus control of one world; all of shape (people,), `before` (people, BEFORE) if it is used."""
    a, b = role == TREATED, role == CONTROL
    if before is not None and look_back_days >= LOOK_BACK_DAYS:
        y, clusters = ordered.astype(np.float64), (unit[a], unit[b]) if kind == "cluster" else None
        sharper = sharpened((y[a], y[b], before[a], before[b]), clusters, look_back_days)
        if isinstance(sharper, Estimate):
            return sharper
    if kind == "cluster":
        y = ordered.astype(np.float64)
        return cluster_difference(y[a], y[b], unit[a], unit[b])
    return difference(int(ordered[a].sum()), int(a.sum()), int(ordered[b].sum()), int(b.sum()))


def sharpened(
    columns: tuple[F64, F64, F64, F64], clusters: tuple[I64, I64] | None, look_back_days: int
) -> Estimate | Refused:
    """The difference with what the look-back predicts taken off (CUPED); of clusters by CR2.

    Args:
        columns: Outcomes of both groups, (n,) each, and their covariates, (n, k) each.
        clusters: Of each person of both, where clusters were drawn.
        look_back_days: Days that the covariates sum up.
    """
    if clusters is None:
        return cuped(*columns, look_back_days=look_back_days)
    adjusted = adjust(*columns, look_back_days=look_back_days)
    if isinstance(adjusted, Refused):
        return adjusted
    return cluster_difference(adjusted.treated, adjusted.control, *clusters)


def effect_of_days(counts: NDArray[np.int64], on: Mask, people: int) -> Estimate | Refused:
    """Take-ups per person and day with campaigns minus without, over pairs of neighbouring days.

    Args:
        counts: Take-ups of each day of campaigns, (days,).
        on: Whether campaigns ran, (days,); of days 0 and 1, 2 and 3 ... one each.
        people: Eligible.
    """
    return paired_mean_difference(*paired_days(counts / max(people, 1), on))


def primary_of(
    arms: Mapping[str, ArmOutcome], plan: Plan, assignment: Assignment | None, days: int, from_day: int
) -> Primary:
    """The estimate of a study.

    Args:
        arms: `precise` and `blanket_reach` of parallel worlds, else `assigned`.
        plan: The design.
        assignment: Who was treated, within one world.
        days: Days of the study.
        from_day: First day of the campaigns.
    """
    campaign_days = days - from_day + 1
    if plan.kind == "parallel_worlds":
        found = parallel(arms, "precise", "blanket_reach")
        counts = int(found.a.take_up.sum()), int(found.b.take_up.sum())
        return Primary(found.name, "pairs", difference_of(found), found.a.n, counts, campaign_days)
    assert assignment is not None, "within one world people are divided"
    outcome = arms["assigned"]
    if assignment.days is not None:
        on = assignment.days[from_day - 1 :]
        each = orders_a_day(outcome.orders, days, from_day)
        made = effect_of_days(each, on, len(outcome.sub))
        sums = int(each[on].sum()), int(each[~on].sum())
        return Primary("on_vs_off", "days", made, len(outcome.sub), sums, campaign_days)
    found = within(outcome, assignment)
    counts = int(found.a.take_up.sum()), int(found.b.take_up.sum())
    plain, n = difference_of(found), found.a.n + found.b.n
    layout: Literal["groups", "clusters"] = "clusters" if found.layout == "clusters" else "groups"
    if from_day - 1 < LOOK_BACK_DAYS:
        return Primary(found.name, layout, plain, n, counts, campaign_days)
    a, b = found.a.take_up.astype(np.float64), found.b.take_up.astype(np.float64)
    columns = a, b, found.a.before, found.b.before
    clusters = (found.a.cluster, found.b.cluster) if layout == "clusters" else None
    sharper = sharpened(columns, clusters, from_day - 1)
    if isinstance(sharper, Refused):
        return Primary(found.name, layout, plain, n, counts, campaign_days)
    without = mean_difference(a, b) if clusters is None else cluster_difference(a, b, *clusters)
    gain = None
    if isinstance(without, Estimate) and without.se and sharper.se:
        gain = 1.0 - (sharper.se / without.se) ** 2
    told = dict(zip(BEFORE, explained(*columns), strict=True))
    return Primary(found.name, layout, sharper, n, counts, campaign_days, plain, gain, told)
