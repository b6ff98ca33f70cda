"""Corrections for several campaigns judged at once: adjusted p-values in the order they were given.

Holm keeps the chance of any false claim; use it where each campaign's claim must stand alone. Benjamini and
Hochberg keep the expected share of false claims among those made; use it to sift many segments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.inference import laws
from experiments.inference.estimate import Estimate

__all__ = ["METHODS", "Corrected", "benjamini_hochberg", "correct", "holm", "p_of"]

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Corrected:
    """One claim of several."""

    p: float
    """As if it were the only one."""
    adjusted: float
    """Comparable with the level, all claims together."""
    rejected: bool
    """Whether the hypothesis of no effect falls."""


def holm(p_values: ArrayLike) -> F64:
    """Holm 1979 (Scandinavian Journal of Statistics 6), step down; shape (m,) in, (m,) out."""
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> F64:
    """Benjamini and Hochberg 1995 (JRSS B 57), step up; shape (m,) in, (m,) out."""
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")[::-1]
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(p[order] * p.size / np.arange(p.size, 0, -1)))
    return adjusted


METHODS: Mapping[str, Callable[[ArrayLike], F64]] = {"holm": holm, "benjamini-hochberg": benjamini_hochberg}
"""Name in a study file -> the correction."""


def correct(p_values: Mapping[str, float], method: str = "holm", level: float = 0.05) -> dict[str, Corrected]:
    """Named claims, corrected together.

    Raises:
        ValueError: the method has no row in `METHODS`, or a p-value is none.
    """
    if method not in METHODS:
        raise ValueError(f"correction {method!r}: expected one of {', '.join(METHODS)}")
    adjusted = METHODS[method](list(p_values.values()))
    return {
        name: Corrected(p, float(q), bool(q <= level))
        for (name, p), q in zip(p_values.items(), adjusted, strict=True)
    }


def p_of(estimate: Estimate) -> float:
    """Two-sided p of "no effect" by the estimate's standard error, of the normal law.

    For corrections only, where intervals by score have none; it may differ a little from the interval's own
    verdict where outcomes are sparse.
    """
    if not estimate.se:
        raise ValueError(f"{estimate.method}: no standard error, so no p-value by the normal law")
    return 2.0 * laws.normal_below(-abs(estimate.value / estimate.se))


def _checked(p_values: ArrayLike) -> F64:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0.0) & (p <= 1.0)):
        raise ValueError(f"p-values lie between 0 and 1 in one row; found {p.tolist()}")
    return p
