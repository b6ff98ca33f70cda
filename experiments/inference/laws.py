"""Quantiles and tails of the laws of chance that intervals are made of, by scipy.special.

scipy is imported where it is used: it takes half a second, and a study that needs none should not wait.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "beta_quantile",
    "binomial_below",
    "binomial_chances",
    "chi2_above",
    "normal_below",
    "normal_quantile",
    "t_quantile",
    "z_of",
]


@lru_cache(maxsize=1024)
def normal_quantile(p: float) -> float:
    """Value below which the standard normal law has the share p."""
    from scipy.special import ndtri

    return float(ndtri(p))


def z_of(level: float) -> float:
    """Two-sided point of the standard normal law: 1.96 at 0.95."""
    return -normal_quantile((1.0 - level) / 2.0)


def normal_below(z: float) -> float:
    """Share of the standard normal law below z."""
    from scipy.special import ndtr

    return float(ndtr(z))


@lru_cache(maxsize=4096)
def t_quantile(level: float, df: float) -> float:
    """Two-sided point of Student's t with df (may be fractional) degrees of freedom."""
    from scipy.special import stdtrit

    return -float(stdtrit(df, (1.0 - level) / 2.0))


def chi2_above(x: float, df: int) -> float:
    """Chance of a chi-square with df degrees of freedom above x."""
    from scipy.special import chdtrc

    return float(chdtrc(df, x))


def beta_quantile(p: float, a: float, b: float) -> float:
    """Value below which Beta(a, b) has the share p."""
    from scipy.special import betaincinv

    return float(betaincinv(a, b, p))


def binomial_below(k: ArrayLike, n: int, p: float) -> NDArray[np.float64]:
    """Chance of at most k hits of n, each with chance p; 0 for k < 0."""
    from scipy.special import bdtr

    ks = np.asarray(k, dtype=np.float64)
    below: NDArray[np.float64] = np.where(ks < 0, 0.0, bdtr(np.clip(ks, 0, n), n, p))
    return below


def binomial_chances(n: int, p: float) -> NDArray[np.float64]:
    """Chances of 0 .. n hits of n, each with chance p; shape (n + 1,)."""
    from scipy.special import gammaln, xlog1py, xlogy

    k = np.arange(n + 1, dtype=np.float64)
    logs = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0) + xlogy(k, p) + xlog1py(n - k, -p)
    chances: NDArray[np.float64] = np.exp(logs)
    return chances
