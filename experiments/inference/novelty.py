"""Novelty and fatigue: the effect by days since first contact, and whether it rises or falls.

Whoever is contacted differs from whoever is not: the act that triggered the message did not befall them by
chance. So the control group must know when each of its people would have been contacted first (a shadow
contact: the engine's decision without the sending; in parallel worlds the contact of the treated twin), and
people are compared at the same number of days since then.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference import laws
from experiments.inference.estimate import LEVEL, Estimate, Refused, check_level

__all__ = ["LEAST_PEOPLE", "Novelty", "by_age", "paired_by_age"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

LEAST_PEOPLE: Final = 30
"""People an arm who were seen at an age; with fewer that age is refused."""


@dataclass(frozen=True, slots=True)
class Novelty:
    """Effects by age, and their trend."""

    effects: tuple[Estimate | Refused, ...]
    """By days since first contact, from 0: outcome a head and day, treated minus control."""
    trend: Estimate | Refused
    """Change of the effect a day, by least squares over the ages that have an effect. Below 0: novelty wears
    off or fatigue sets in."""
    p: float | None
    """Chance of a trend as large if the effect is the same at all ages; None where the trend is refused."""


def by_age(
    treated: F64,
    treated_first: I64,
    control: F64,
    control_first: I64,
    ages: int,
    level: float = LEVEL,
) -> Novelty:
    """Two groups drawn within one world.

    Args:
        treated: Outcome a person and day, shape (n_t, days).
        treated_first: Day of first contact, -1 for none, shape (n_t,).
        control: Shape (n_c, days).
        control_first: Day of the shadow contact, -1 for none, shape (n_c,).
        ages: Days since first contact to tell apart: 0 .. ages - 1.
        level: Two-sided confidence.
    """
    a, b = _aligned(treated, treated_first, ages), _aligned(control, control_first, ages)
    counts = np.minimum(_seen(a), _seen(b))
    values = _means(a) - _means(b)
    return _novelty(values, [_pulls(a), _pulls(b)], counts, int(len(a) + len(b)), level)


def paired_by_age(a: F64, b: F64, first: I64, ages: int, level: float = LEVEL) -> Novelty:
    """The same people in two worlds.

    Args:
        a: Outcome a person and day in the world with contacts, shape (n, days).
        b: The same of the world without, shape (n, days).
        first: Day of first contact in the first world, -1 for none, shape (n,).
        ages: Days since first contact to tell apart.
        level: Two-sided confidence.
    """
    if a.shape != b.shape:
        raise ValueError(f"pairs need outcomes of the same people and days, not {a.shape} and {b.shape}")
    gap = _aligned(np.asarray(a, dtype=np.float64) - b, first, ages)
    return _novelty(_means(gap), [_pulls(gap)], _seen(gap), len(gap), level)


def _aligned(outcome: F64, first: I64, ages: int) -> F64:
    """Outcomes by age, shape (contacted people, ages); NaN, in this module only, for days past the end."""
    if outcome.ndim != 2 or first.shape != outcome.shape[:1] or ages < 2:
        raise ValueError(
            f"expected (n, days), (n,) and two ages or more, not {outcome.shape}, {first.shape}, {ages}"
        )
    days = outcome.shape[1]
    if np.any(first >= days) or np.any(first < -1):
        raise ValueError(f"days of first contact lie between -1 and {days - 1}")
    people = np.flatnonzero(first >= 0)
    when = first[people, np.newaxis] + np.arange(ages)
    seen = when < days
    taken = outcome[people[:, np.newaxis], np.minimum(when, days - 1)]
    aligned: F64 = np.where(seen, taken, np.nan)
    return aligned


def _seen(aligned: F64) -> I64:
    seen: I64 = np.count_nonzero(~np.isnan(aligned), axis=0).astype(np.int64)
    return seen


def _means(aligned: F64) -> F64:
    means: F64 = np.nansum(aligned, axis=0) / np.maximum(1, _seen(aligned))
    return means


def _pulls(aligned: F64) -> F64:
    """How far each person moves the mean of each age, shape (people, ages); the covariance is their product.

    One person's days are not independent, so a person is the unit; the factor is that of a sample variance.
    """
    n = np.maximum(2, _seen(aligned))
    off = np.where(np.isnan(aligned), 0.0, aligned - _means(aligned))
    pulls: F64 = off / np.sqrt(n * (n - 1.0))
    return pulls


def _novelty(values: F64, pulls: list[F64], counts: I64, n: int, level: float) -> Novelty:
    check_level(level)
    z = laws.z_of(level)
    covariance = sum((pull.T @ pull for pull in pulls), np.zeros((len(values), len(values))))
    effects: list[Estimate | Refused] = []
    for age, (value, variance) in enumerate(zip(values.tolist(), np.diag(covariance).tolist(), strict=True)):
        people = int(counts[age])
        if people < LEAST_PEOPLE:
            reason = f"{people} people of an arm were seen {age} days after; {LEAST_PEOPLE} needed"
            effects.append(Refused("by age", reason, people))
        elif not variance > 0.0:
            effects.append(Refused("by age", f"no outcome {age} days after: chance cannot be told", people))
        else:
            half = z * sqrt(variance)
            effects.append(Estimate(value, value - half, value + half, sqrt(variance), people, "by age"))
    kept = np.array(
        [age for age, effect in enumerate(effects) if isinstance(effect, Estimate)], dtype=np.int64
    )
    if kept.size < 2:
        return Novelty(tuple(effects), Refused("trend", "fewer than two ages have an effect", n), None)
    centred = kept - kept.mean()
    weights = centred / np.sum(centred**2)
    slope = float(weights @ values[kept])
    variance = float(weights @ covariance[np.ix_(kept, kept)] @ weights)
    if not variance > 0.0:
        return Novelty(tuple(effects), Refused("trend", "the effect does not vary by chance", n), None)
    se = sqrt(variance)
    trend = Estimate(slope, slope - z * se, slope + z * se, se, n, "trend")
    return Novelty(tuple(effects), trend, 2.0 * laws.normal_below(-abs(slope / se)))
