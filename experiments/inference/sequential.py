"""Intervals that stay valid however often one looks while a campaign runs, and whenever one stops.

Asymptotic confidence sequences of a difference of means: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas,
"Time-uniform central limit theory and asymptotic confidence sequences" (arXiv 2103.06476; Annals of
Statistics 2024), which is Robbins' normal mixture with the variance estimated. With V the variance of the
estimate now and r the mixture's variance over V,

    half width = sqrt(V (1 + 1 / r) (log(1 + r) + 2 log(1 / alpha)))

r grows with the people seen. It is tuned to be narrowest at a stated number of people: there it is about 1.5
times as wide as an interval for one look, and elsewhere wider.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference.estimate import LEVEL, Estimate, Refused, check_counts, check_level

__all__ = [
    "LEAST_EVENTS",
    "always_valid",
    "always_valid_counts",
    "informative",
    "intersected",
    "mixture_ratio",
    "paired_always_valid",
    "widening",
]

F64 = NDArray[np.float64]

LEAST_EVENTS: Final = 10.0
"""Informative observations an arm (`informative`; of a rare event: about its number) before the first look:
the sequence is asymptotic, and with fewer the variance is not known."""


@lru_cache(maxsize=64)
def mixture_ratio(level: float = LEVEL) -> float:
    """The r at which the width is least: -1 - W(-alpha^2 / e), W the lower branch of Lambert's function."""
    from scipy.special import lambertw

    check_level(level)
    alpha = 1.0 - level
    return -1.0 - float(lambertw(-alpha * alpha / np.e, -1).real)


def widening(ratio: float, level: float = LEVEL) -> float:
    """Half width over the standard error, at r = `ratio` > 0; 1.96 is that of an interval for one look."""
    return sqrt((1.0 + 1.0 / ratio) * (log(1.0 + ratio) - 2.0 * log(1.0 - level)))


def informative(values: F64) -> float:
    """Number of observations over their kurtosis, shape (n,): how well their variance is known.

    For a rare event about the number of events; for a normal outcome a third of n; 0 if nothing varies.
    """
    centred = values - values.mean()
    squares = float(np.sum(centred**2))
    return squares * squares / float(np.sum(centred**4)) if squares > 0.0 else 0.0


def always_valid(a: F64, b: F64, planned: tuple[int, int], level: float = LEVEL) -> Estimate | Refused:
    """Difference of means, a - b, at one of any number of looks.

    Args:
        a: Outcomes so far, shape (n_a,).
        b: Outcomes so far, shape (n_b,).
        planned: People of both arms at which the sequence is narrowest; fixed before the first look.
        level: Chance that all looks together hold the truth.
    """
    n_a, n_b = int(a.size), int(b.size)
    if min(n_a, n_b) < 2:
        return _too_early(0.0, n_a + n_b)
    known = min(informative(a), informative(b))
    variance = float(np.var(a, ddof=1)) / n_a + float(np.var(b, ddof=1)) / n_b
    progress = _harmonic(n_a, n_b) / _harmonic(*planned)
    return _sequence(float(a.mean() - b.mean()), variance, progress, known, n_a + n_b, level)


def always_valid_counts(
    hits_a: int, n_a: int, hits_b: int, n_b: int, planned: tuple[int, int], level: float = LEVEL
) -> Estimate | Refused:
    """The same of yes-or-no outcomes, from counts."""
    check_counts({"a": (hits_a, n_a), "b": (hits_b, n_b)})
    if min(n_a, n_b) < 2:
        return _too_early(0.0, n_a + n_b)
    v_a, v_b = (h / n * (1 - h / n) for h, n in ((hits_a, n_a), (hits_b, n_b)))
    known = min(n_a * v_a / (1 - 3 * v_a), n_b * v_b / (1 - 3 * v_b))
    progress = _harmonic(n_a, n_b) / _harmonic(*planned)
    value, variance = hits_a / n_a - hits_b / n_b, v_a / (n_a - 1) + v_b / (n_b - 1)
    return _sequence(value, variance, progress, known, n_a + n_b, level)


def paired_always_valid(a: F64, b: F64, planned: int, level: float = LEVEL) -> Estimate | Refused:
    """Mean of a - b over the same people, both of shape (n,), at one of any number of looks."""
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"pairs need outcomes of the same units in one order, not {a.shape} and {b.shape}")
    n = int(a.size)
    if n < 2:
        return _too_early(0.0, n)
    if planned < 2:
        raise ValueError(f"planned {planned}: expected the pairs to be narrowest at, 2 or more")
    gap = np.asarray(a, dtype=np.float64) - b
    variance = float(np.var(gap, ddof=1)) / n
    return _sequence(float(gap.mean()), variance, n / planned, informative(gap), n, level)


def intersected(looks: Sequence[Estimate | Refused]) -> list[Estimate | Refused]:
    """Each look's interval cut by all earlier ones: as valid, and never growing.

    Where nothing is left, some look was wrong (or the effect changes over time): that look and all after it
    are refused.
    """
    low, high, empty = -np.inf, np.inf, False
    found: list[Estimate | Refused] = []
    for look in looks:
        if isinstance(look, Refused):
            found.append(look)
            continue
        low, high = max(low, look.low), min(high, look.high)
        empty = empty or low > high
        found.append(
            Refused(look.method, "this look and earlier ones have no value in common", look.n)
            if empty
            else Estimate(look.value, float(low), float(high), look.se, look.n, look.method)
        )
    return found


def _harmonic(n_a: int, n_b: int) -> float:
    """People that count for a difference of two groups."""
    if min(n_a, n_b) < 1:
        raise ValueError(f"planned {n_a} and {n_b}: expected people in both arms")
    return n_a * n_b / (n_a + n_b)


def _too_early(known: float, n: int) -> Refused:
    reason = f"too early: {known:.1f} informative outcomes in an arm, {LEAST_EVENTS:g} needed"
    return Refused("confidence sequence", reason, n)


def _sequence(
    value: float, variance: float, progress: float, known: float, n: int, level: float
) -> Estimate | Refused:
    if known < LEAST_EVENTS:
        return _too_early(known, n)
    se = sqrt(variance)
    half = se * widening(mixture_ratio(level) * progress, level)
    return Estimate(value, value - half, value + half, se, n, "confidence sequence")
