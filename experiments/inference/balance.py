"""Is the experiment what it claims to be: groups of the planned sizes, alike before they were treated?

A sample-ratio mismatch means that something after the draw lost or added people, mostly not by chance; then
no estimate of the run is to be read. It says nothing of parallel worlds, whose arms are the same people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference import laws
from experiments.inference.estimate import Refused

__all__ = ["SRM_P", "Balance", "SampleRatio", "covariate_balance", "sample_ratio"]

SRM_P: Final = 0.001
"""A sample ratio less likely than this is a mismatch (Fabijan et al., KDD 2019, and FACTS of the project)."""
LEAST_EXPECTED: Final = 5.0
"""Expected people a group below which a chi-square is no chi-square."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Groups' sizes against the plan."""

    counts: tuple[int, ...]
    expected: tuple[float, ...]
    p: float
    """Chance of sizes as far off under the planned shares."""
    method: str
    mismatch: bool
    """Whether p is below `SRM_P`: no figure of the run is to be read."""


@dataclass(frozen=True, slots=True)
class Balance:
    """Covariates measured before treatment, treated against control."""

    differences: tuple[float | None, ...]
    """Standardised mean difference of each covariate: difference over the pooled standard deviation. None for
    a covariate that does not vary."""
    largest: float
    """Largest absolute of them; 0.1 is often taken as the bound of "alike"."""
    chi2: float
    """Omnibus statistic: all differences at once, measured by their covariance under the draw."""
    df: int
    """Covariates that are not sums of others."""
    p: float
    """Chance of differences as large under the draw."""
    n: int
    """Units drawn: people, or clusters."""


def sample_ratio(counts: Sequence[int], shares: Sequence[float]) -> SampleRatio | Refused:
    """Tests the sizes of groups against planned shares.

    Exact (binomial) for two groups of few people, chi-square else.

    Args:
        counts: People found in each group.
        shares: Planned proportions in the same order; any positive scale.

    Raises:
        ValueError: the lists do not fit together.
    """
    if len(counts) != len(shares) or len(counts) < 2 or min(counts) < 0 or min(shares) <= 0:
        raise ValueError(f"expected two or more groups with positive shares, not {counts} of {shares}")
    n, whole = sum(counts), float(sum(shares))
    expected = tuple(n * share / whole for share in shares)
    if min(expected) >= LEAST_EXPECTED:
        chi2 = sum((found - plan) ** 2 / plan for found, plan in zip(counts, expected, strict=True))
        p, method = laws.chi2_above(chi2, len(counts) - 1), "chi-square"
    elif len(counts) == 2 and n:
        chances = laws.binomial_chances(n, shares[0] / whole)
        # As likely or less; the slack takes equals in, whose last bits differ.
        p = float(min(1.0, chances[chances <= chances[counts[0]] * (1 + 1e-9)].sum()))
        method = "exact binomial"
    else:
        reason = (
            f"the smallest group should have {min(expected):g} people; at least {LEAST_EXPECTED:g} needed"
        )
        return Refused("sample ratio", reason, n)
    return SampleRatio(tuple(counts), expected, p, method, p < SRM_P)


def covariate_balance(
    treated: NDArray[np.float64],
    control: NDArray[np.float64],
    clusters: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None,
) -> Balance | Refused:
    """Standardised mean differences, and one test of them all.

    The omnibus test is Hansen and Bowers 2008 (Statistical Science 23:219-236): under the draw the vector of
    differences has the covariance S n / (n_t n_c), S that of all units; its squared length in that measure
    is a chi-square with as many degrees of freedom as S has rank.

    Args:
        treated: Covariates before treatment, shape (n_t, k).
        control: The same of the control group, shape (n_c, k).
        clusters: Which cluster each unit is of, where clusters were drawn: the test then is of cluster means.

    Raises:
        ValueError: the shapes do not fit together.
    """
    if treated.ndim != 2 or control.ndim != 2 or treated.shape[1] != control.shape[1] or not treated.shape[1]:
        raise ValueError(f"expected covariates (n, k) of both groups, not {treated.shape}, {control.shape}")
    if min(len(treated), len(control)) < 2:
        found = f"{len(treated)} and {len(control)}"
        return Refused("balance", f"at least 2 units a group; there are {found}", len(treated) + len(control))
    spread = np.sqrt((treated.var(axis=0, ddof=1) + control.var(axis=0, ddof=1)) / 2)
    gap = treated.mean(axis=0) - control.mean(axis=0)
    differences = tuple(float(d / s) if s > 0 else None for d, s in zip(gap, spread, strict=True))
    if clusters is not None:
        treated, control = _means(treated, clusters[0]), _means(control, clusters[1])
    n_t, n_c = len(treated), len(control)
    if n_t + n_c < treated.shape[1] + 3 or min(n_t, n_c) < 2:
        reason = f"{n_t} and {n_c} drawn units cannot bear a test of {treated.shape[1]} covariates"
        return Refused("balance", reason, n_t + n_c)
    chi2, df = _distance(treated, control)
    if not df:
        return Refused("balance", "no covariate varies", n_t + n_c)
    largest = max(abs(d) for d in differences if d is not None)
    return Balance(differences, largest, chi2, df, laws.chi2_above(chi2, df), n_t + n_c)


def _means(values: NDArray[np.float64], clusters: NDArray[np.int64]) -> NDArray[np.float64]:
    if clusters.shape != (len(values),):
        raise ValueError(f"expected one cluster a unit, {len(values)}, not {clusters.shape}")
    _, of, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), values.shape[1]))
    np.add.at(sums, of, values)
    means: NDArray[np.float64] = sums / sizes[:, np.newaxis]
    return means


def _distance(treated: NDArray[np.float64], control: NDArray[np.float64]) -> tuple[float, int]:
    """Squared length of the differences under the draw, and the rank."""
    together = np.concatenate([treated, control])
    scale = together.std(axis=0, ddof=1)
    kept = scale > 1e-12 * np.maximum(1.0, np.abs(together).max(axis=0))
    if not kept.any():
        return 0.0, 0
    unit = (together[:, kept] - together[:, kept].mean(axis=0)) / scale[kept]
    gap = unit[: len(treated)].mean(axis=0) - unit[len(treated) :].mean(axis=0)
    roots, directions = np.linalg.eigh(np.atleast_2d(np.cov(unit, rowvar=False)))
    real = roots > 1e-9 * roots[-1]
    along = directions[:, real].T @ gap / np.sqrt(roots[real])
    per_unit = len(together) / (len(treated) * len(control))
    return float(along @ along) / per_unit, int(real.sum())
