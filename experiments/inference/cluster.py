"""Cluster-robust intervals: people of one cell, or one day, share their luck and were drawn together.

Least squares with the sandwich of cluster sums. CR1 multiplies by G / (G - 1) (N - 1) / (N - k) and takes
t with G - 1 degrees of freedom: fine for fifty clusters and more. CR2 (Bell and McCaffrey 2002, Survey
Methodology 28; Pustejovsky and Tipton 2018, Journal of Business and Economic Statistics 36) makes each
cluster's residuals unbiased under independence and takes Satterthwaite's degrees of freedom; it keeps its
level from about ten clusters, so it is the default.
"""

from __future__ import annotations

from math import sqrt
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.inference.estimate import LEVEL, Estimate, Refused
from experiments.inference.means import interval_of

__all__ = ["LEAST_CLUSTERS", "cluster_difference", "cluster_regression"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Kind = Literal["CR1", "CR2"]

LEAST_CLUSTERS: Final = 2
"""Clusters an arm; with one, its luck cannot be told from the treatment."""
LEAST_DF: Final = 1.0
"""Fewer degrees of freedom than this have no honest interval."""
ALONE: Final = 1e-10  # 1 - leverage below which a cluster alone decides a coefficient


def cluster_difference(
    treated: F64,
    control: F64,
    treated_clusters: I64,
    control_clusters: I64,
    kind: Kind = "CR2",
    level: float = LEVEL,
) -> Estimate | Refused:
    """Mean of treated minus mean of control, whole clusters having been drawn.

    Args:
        treated: Outcomes, shape (n_t,); adjusted ones (`cuped.adjust`) may be given.
        control: Shape (n_c,).
        treated_clusters: Cluster of each treated, shape (n_t,).
        control_clusters: Shape (n_c,); a cluster may be in both (days that switch within it).
        kind: See the head of the module.
        level: Two-sided confidence.
    """
    arms = (np.unique(treated_clusters).size, np.unique(control_clusters).size)
    if min(arms) < LEAST_CLUSTERS:
        reason = f"at least {LEAST_CLUSTERS} clusters an arm; there are {arms[0]} and {arms[1]}"
        return Refused(kind, reason, sum(arms))
    outcome = np.concatenate([treated, control]).astype(np.float64)
    design = np.zeros((len(outcome), 2))
    design[:, 0] = 1.0
    design[: len(treated), 1] = 1.0
    clusters = np.concatenate([treated_clusters, control_clusters])
    return cluster_regression(outcome, design, clusters, np.array([0.0, 1.0]), kind, level)


def cluster_regression(
    outcome: F64, design: F64, clusters: I64, contrast: F64, kind: Kind = "CR2", level: float = LEVEL
) -> Estimate | Refused:
    """A contrast of least-squares coefficients with its cluster-robust interval.

    Args:
        outcome: Shape (n,).
        design: Columns of the regression, the constant among them, shape (n, k), of full rank.
        clusters: Shape (n,).
        contrast: Weights of the coefficients, shape (k,).
        kind: See the head of the module.
        level: Two-sided confidence.

    Returns:
        The estimate; its n is the number of clusters.

    Raises:
        ValueError: shapes do not fit together, or columns depend on each other.
    """
    n, k = design.shape
    if outcome.shape != (n,) or clusters.shape != (n,) or contrast.shape != (k,):
        shapes = f"{outcome.shape}, {design.shape}, {clusters.shape}, {contrast.shape}"
        raise ValueError(f"expected (n,), (n, k), (n,), (k,), not {shapes}")
    if np.linalg.matrix_rank(design) < k:
        raise ValueError("columns of the design depend on each other")
    order = np.argsort(clusters, kind="stable")
    y, x = outcome[order], design[order]
    starts = np.flatnonzero(np.r_[True, np.diff(clusters[order]) != 0])
    groups = len(starts)
    if groups <= k:
        return Refused(kind, f"{groups} clusters cannot bear {k} coefficients", groups)
    bread = np.asarray(np.linalg.inv(x.T @ x), dtype=np.float64)
    beta = bread @ (x.T @ y)
    residuals = y - x @ beta
    value, ends = float(contrast @ beta), np.r_[starts[1:], n]
    if kind == "CR1":
        sums = np.add.reduceat(x * residuals[:, np.newaxis], starts, axis=0) @ bread @ contrast
        factor = groups / (groups - 1) * (n - 1) / (n - k)
        return interval_of(value, sqrt(factor * float(sums @ sums)), groups - 1, groups, kind, level)
    variance, df = _cr2(x, residuals, bread, contrast, list(zip(starts.tolist(), ends.tolist(), strict=True)))
    if not df >= LEAST_DF:
        return Refused(
            kind, f"{groups} clusters leave {df:.2f} degrees of freedom; at least 1 needed", groups
        )
    return interval_of(value, sqrt(variance), df, groups, kind, level)


def _cr2(
    x: F64, residuals: F64, bread: F64, contrast: F64, spans: list[tuple[int, int]]
) -> tuple[float, float]:
    """Variance of the contrast and Satterthwaite's degrees of freedom.

    The weight of a cluster's residuals is w = (1 - H)^-1/2 X B c, H the cluster's block of the hat matrix.
    H has rank k at most, so the root is taken in k dimensions and never in as many as there are people.
    Under independence the terms' covariance has the entries [g = h] w'w - (X'w)_g' B (X'w)_h.
    """
    half = np.linalg.cholesky(bread)
    variance, squares, through = 0.0, np.empty(len(spans)), np.empty((len(spans), x.shape[1]))
    for g, (start, end) in enumerate(spans):
        left, roots, _ = np.linalg.svd(x[start:end] @ half, full_matrices=False)
        free = 1.0 - roots * roots
        # A direction that the cluster alone decides has no residual: its weight is 0, not infinite.
        stretch = np.where(free > ALONE, 1.0 / np.sqrt(np.maximum(free, ALONE)), 0.0) - 1.0
        plain = x[start:end] @ (bread @ contrast)
        weights = plain + left @ (stretch * (left.T @ plain))
        variance += float(weights @ residuals[start:end]) ** 2
        squares[g], through[g] = weights @ weights, x[start:end].T @ weights
    covariance = np.diag(squares) - through @ bread @ through.T
    trace, total = float(np.trace(covariance)), float(np.sum(covariance * covariance))
    return variance, trace * trace / total if total > 0.0 else 0.0
