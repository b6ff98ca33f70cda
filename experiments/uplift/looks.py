"""Looking while it runs: take-up day by day, with intervals that hold however often one looks.

Everybody is in from the first day and orders add up, so what grows is not the number of people but the
variance of the sum: the difference by day d is a sum of daily increments, a martingale once its drift is
taken off, and Robbins' normal mixture holds for it at all days together with that variance as its clock
(`inference.sequential`). The mixture is tuned where the plan expected the variance to end.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.inference import LEVEL, Estimate, Refused, laws
from experiments.inference.sequential import LEAST_EVENTS, informative, mixture_ratio, widening
from experiments.uplift.planning import Hoped

__all__ = ["look", "looks_of", "planned_variance"]

Mask = NDArray[np.bool_]
F64 = NDArray[np.float64]


def planned_variance(layout: str, hoped: Hoped, n_a: int, n_b: int) -> float:
    """Variance of the difference at the end, as the plan had it."""
    if layout == "pairs":
        only_b = (1.0 - hoped.unasked) * hoped.reach * hoped.ordinary
        return (2.0 * only_b + hoped.effect - hoped.effect**2) / n_a
    p_b = hoped.unasked
    p_a = min(1.0, p_b + hoped.effect)
    return p_a * (1.0 - p_a) / n_a + p_b * (1.0 - p_b) / n_b


def look(a: F64, b: F64, paired: bool, planned: float, level: float = LEVEL) -> Estimate | Refused:
    """The difference of means now, a - b, at one of any number of looks.

    Args:
        a: Outcomes summed up to now, (n_a,).
        b: The same, (n_b,); of the same people in the same order where `paired`.
        paired: See b.
        planned: Variance at which the sequence is narrowest; fixed before the first look.
        level: Chance that all looks together hold the truth.
    """
    if paired:
        gap = a - b
        known, variance = informative(gap), float(np.var(gap, ddof=1)) / len(gap)
    else:
        known = min(informative(a), informative(b))
        variance = float(np.var(a, ddof=1)) / len(a) + float(np.var(b, ddof=1)) / len(b)
    n = len(a) if paired else len(a) + len(b)
    if known < LEAST_EVENTS:
        said = f"too early: {known:.1f} informative outcomes, {LEAST_EVENTS:g} needed"
        return Refused("confidence sequence", said, n)
    value, se = float(a.mean() - b.mean()), sqrt(variance)
    half = se * widening(mixture_ratio(level) * variance / planned, level)
    return Estimate(value, value - half, value + half, se, n, "confidence sequence")


def looks_of(a: Sequence[Mask], b: Sequence[Mask], paired: bool, planned: float) -> list[dict[str, Any]]:
    """A row a day: counts, the sequence, and the interval of somebody who looks on that day alone.

    Args:
        a: Who has ordered by the end of each day.
        b: The same of the other side.
        paired: Whether both are the same people.
        planned: As for `look`.
    """
    rows = []
    for day, (left, right) in enumerate(zip(a, b, strict=True), start=1):
        found = look(left.astype(np.float64), right.astype(np.float64), paired, planned)
        row: dict[str, Any] = {
            "day": day,
            "a": int(left.sum()),
            "b": int(right.sum()),
            "value": float(left.mean() - right.mean()),
            "sequence": found.as_json(),
            "once": None,
        }
        if isinstance(found, Estimate) and found.se is not None:
            half = laws.z_of(LEVEL) * found.se
            row["once"] = [found.value - half, found.value + half]
        rows.append(row)
    return rows
