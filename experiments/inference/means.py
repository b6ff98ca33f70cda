"""Means and their differences, by Student's t: for outcomes that are amounts (cost, value, calls).

Where a difference of two shares is asked, `intervals` has what keeps its level when hits are few.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from experiments.inference import laws
from experiments.inference.estimate import LEVEL, Estimate, Refused, check_level

__all__ = ["interval_of", "mean", "mean_difference", "paired_mean_difference"]

F64 = NDArray[np.float64]


def interval_of(
    value: float, se: float, df: float, n: int, method: str, level: float = LEVEL
) -> Estimate | Refused:
    """The interval value -+ t(df) se; refused where the error is zero or not a number."""
    check_level(level)
    if not se > 0.0 or not df > 0.0:
        return Refused(method, f"the outcomes do not vary (standard error {se:g}): chance cannot be told", n)
    half = laws.t_quantile(level, df) * se
    return Estimate(value, value - half, value + half, se, n, method)


def mean(values: F64, level: float = LEVEL) -> Estimate | Refused:
    """Mean of independent outcomes, shape (n,)."""
    n = int(values.size)
    if n < 2:
        return Refused("t", f"a standard error needs at least 2 outcomes; there are {n}", n)
    return interval_of(float(np.mean(values)), float(np.std(values, ddof=1)) / sqrt(n), n - 1, n, "t", level)


def mean_difference(a: F64, b: F64, level: float = LEVEL) -> Estimate | Refused:
    """Mean of a minus mean of b for independent groups of unlike spread (Welch), shapes (n_a,) and (n_b,)."""
    n_a, n_b = int(a.size), int(b.size)
    if min(n_a, n_b) < 2:
        return Refused("welch", f"at least 2 outcomes a group; there are {n_a} and {n_b}", n_a + n_b)
    v_a, v_b = float(np.var(a, ddof=1)) / n_a, float(np.var(b, ddof=1)) / n_b
    value, total = float(np.mean(a) - np.mean(b)), v_a + v_b
    # Welch 1947, Biometrika 34: degrees of freedom of a sum of two variances.
    df = total * total / (v_a * v_a / (n_a - 1) + v_b * v_b / (n_b - 1)) if total > 0.0 else 0.0
    return interval_of(value, sqrt(total), df, n_a + n_b, "welch", level)


def paired_mean_difference(a: F64, b: F64, level: float = LEVEL) -> Estimate | Refused:
    """Mean of a - b over the same units in the same order, both of shape (n,).

    Raises:
        ValueError: the shapes differ.
    """
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"pairs need outcomes of the same units in one order, not {a.shape} and {b.shape}")
    found = mean(np.asarray(a, dtype=np.float64) - b, level)
    if isinstance(found, Refused):
        return Refused("paired t", found.reason, found.n)
    return Estimate(found.value, found.low, found.high, found.se, found.n, "paired t")
