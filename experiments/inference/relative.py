"""Relative uplift and other ratios: a / b - 1 with intervals that may be lopsided, as ratios are.

Rule of choice. Shares of two groups: from both Wilson intervals below `intervals.SPARSE` hits or misses in
either group, by score else; so that absolute and relative uplift always agree on whether there is any. (The
log-delta interval is the one in everybody's tables.) Shares over pairs: by the paired score. Amounts:
Fieller, which says when the denominator may be zero; then there is no ratio, and that is said. The
delta-method interval of a ratio is the short one where the denominator is sure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, isinf, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference import laws
from experiments.inference.cluster import cluster_difference
from experiments.inference.estimate import LEVEL, Estimate, Refused, check_counts, check_level
from experiments.inference.intervals import sparse, wilson
from experiments.inference.means import interval_of

__all__ = [
    "cluster_relative",
    "delta_ratio",
    "fieller",
    "log_relative",
    "mover_ratio",
    "paired_ratio",
    "paired_relative",
    "ratio_difference",
    "ratio_relative",
    "relative",
    "relative_means",
    "score_ratio",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
_HALVINGS: Final = 100  # on the scale of logarithms
_FARTHEST: Final = 60.0  # e^60: no ratio of counts of people lies beyond
_WIDEST: Final = 1e4  # a ratio's distance from its estimate beyond which nobody needs to know
_CLOSER: Final = 40  # halvings of what is left, to its 1e-12th
_TOO_FEW: Final = "a group has too few units, or a denominator of zero"


def relative(hits_a: int, n_a: int, hits_b: int, n_b: int, level: float = LEVEL) -> Estimate | Refused:
    """Interval of p_a / p_b - 1 for two independent groups by the rule of choice."""
    method = mover_ratio if sparse((hits_a, n_a), (hits_b, n_b)) else score_ratio
    return method(hits_a, n_a, hits_b, n_b, level)


def mover_ratio(hits_a: int, n_a: int, hits_b: int, n_b: int, level: float = LEVEL) -> Estimate | Refused:
    """Interval of p_a / p_b - 1 from both Wilson intervals.

    Donner and Zou 2012, Statistical Methods in Medical Research 21:347-359: the ratios r at which Newcombe's
    interval of p_a - r p_b holds zero.
    """
    check_counts({"a": (hits_a, n_a), "b": (hits_b, n_b)})
    refusal = _no_ratio(hits_b, n_a, n_b, "mover ratio")
    a, b = wilson(hits_a, n_a, level), wilson(hits_b, n_b, level)
    if refusal or isinstance(a, Refused) or isinstance(b, Refused):
        return refusal or Refused("mover ratio", "a group is empty", n_a + n_b)
    product = a.value * b.value
    up, down = b.high * (2 * b.value - b.high), b.low * (2 * b.value - b.low)
    inner = a.low * (2 * a.value - a.low) * up
    # The form without cancellation; `up` is below 0 where b's upper limit is more than twice its share.
    low = (
        a.low * (2 * a.value - a.low) / (product + sqrt(max(0.0, product * product - inner)))
        if product
        else 0.0
    )
    high = (product + sqrt(max(0.0, product * product - a.high * (2 * a.value - a.high) * down))) / down
    se = _se_of_ratio(hits_a, n_a, hits_b, n_b)
    return Estimate(a.value / b.value - 1, max(0.0, low) - 1, high - 1, se, n_a + n_b, "mover ratio")


def score_ratio(hits_a: int, n_a: int, hits_b: int, n_b: int, level: float = LEVEL) -> Estimate | Refused:
    """Score interval of p_a / p_b - 1 for two independent groups.

    Miettinen and Nurminen 1985, Statistics in Medicine 4:213-226 (Koopman 1984, Biometrics 40, but for the
    factor N / (N - 1)).
    """
    check_counts({"a": (hits_a, n_a), "b": (hits_b, n_b)})
    check_level(level)
    n, name = n_a + n_b, "score ratio"
    if refusal := _no_ratio(hits_b, n_a, n_b, name):
        return refusal

    def score(theta: float) -> float:
        # Rates at the likelihood's maximum where a's is theta times b's: the smaller root of a quadratic.
        a, b = n * theta, n_a * theta + hits_a + n_b + hits_b * theta
        rate_b = 2 * (hits_a + hits_b) / (b + sqrt(max(0.0, b * b - 4 * a * (hits_a + hits_b))))
        rate_a = min(1.0, theta * rate_b)
        variance = rate_a * (1 - rate_a) / n_a + theta * theta * rate_b * (1 - rate_b) / n_b
        return _standard(hits_a / n_a - theta * hits_b / n_b, variance * n / (n - 1))

    value = hits_a / n_a / (hits_b / n_b)
    return _by_score(score, value, level, _se_of_ratio(hits_a, n_a, hits_b, n_b), n, name)


def log_relative(hits_a: int, n_a: int, hits_b: int, n_b: int, level: float = LEVEL) -> Estimate | Refused:
    """Delta-method interval of log(p_a / p_b), as a ratio minus 1 (Katz et al. 1978, Biometrics 34)."""
    check_counts({"a": (hits_a, n_a), "b": (hits_b, n_b)})
    check_level(level)
    if not hits_a or not hits_b:
        reason = f"{hits_a} and {hits_b} hits: a logarithm needs one in each group"
        return Refused("log delta", reason, n_a + n_b)
    value = hits_a / n_a / (hits_b / n_b)
    half = laws.z_of(level) * sqrt(1 / hits_a - 1 / n_a + 1 / hits_b - 1 / n_b)
    se = _se_of_ratio(hits_a, n_a, hits_b, n_b)
    return Estimate(value - 1, value * exp(-half) - 1, value * exp(half) - 1, se, n_a + n_b, "log delta")


def paired_relative(both: int, only_a: int, only_b: int, n: int, level: float = LEVEL) -> Estimate | Refused:
    """Score interval of p_a / p_b - 1 over n pairs (Tang, Tang, Chan 2003, Statistics in Medicine 22).

    Args:
        both: Pairs with the event in both worlds.
        only_a: Pairs with it in the first only.
        only_b: Pairs with it in the second only.
        n: All pairs.
        level: Two-sided confidence.
    """
    check_counts({"pairs": (both + only_a + only_b, n)})
    check_level(level)
    any_, hits_a, hits_b = both + only_a + only_b, both + only_a, both + only_b
    if min(both, only_a, only_b) < 0:
        raise ValueError(f"pairs cannot be negative: {both}, {only_a}, {only_b}")
    if not hits_b:
        return Refused("paired score ratio", f"none of {n} did so in the world compared with: no ratio", n)

    def score(theta: float) -> float:
        a, c = n * (1 + theta), only_b * (1 - theta) * any_ / n
        b = hits_b * theta * theta - (any_ + only_b)
        root = sqrt(max(0.0, b * b - 4 * a * c))
        # Share of pairs with the second event only; the form without cancellation.
        q21 = (root - b) / (2 * a) if b < 0 else (-2 * c / (b + root) if b + root > 0 else 0.0)
        return _standard(hits_a - theta * hits_b, n * (1 + theta) * q21 + any_ * (theta - 1))

    value = hits_a / hits_b
    # Linearised: each pair gives (a - value b) / mean b.
    squares = only_a + value * value * only_b + (1 - value) ** 2 * both
    return _by_score(score, value, level, sqrt(squares) / hits_b, n, "paired score ratio")


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two means, their variances and covariance."""

    a: float
    b: float
    v_a: float
    v_b: float
    c: float
    df: float
    n: int


def relative_means(a: F64, b: F64, level: float = LEVEL) -> Estimate | Refused:
    """Fieller's interval of mean a / mean b - 1 for independent groups, shapes (n_a,) and (n_b,)."""
    if min(a.size, b.size) < 2:
        return Refused("fieller", f"at least 2 outcomes a group; there are {a.size} and {b.size}", a.size)
    v_a, v_b = float(np.var(a, ddof=1)) / a.size, float(np.var(b, ddof=1)) / b.size
    pair = _Pair(
        float(a.mean()), float(b.mean()), v_a, v_b, 0.0, float(a.size + b.size - 2), int(a.size + b.size)
    )
    return _minus_one(_fieller(pair, level))


def cluster_relative(
    a: F64, b: F64, a_clusters: I64, b_clusters: I64, level: float = LEVEL
) -> Estimate | Refused:
    """Interval of mean a / mean b - 1 where whole clusters were drawn: Fieller's idea with CR2.

    The ratios r at which `cluster_difference` of a and r b holds zero, searched to both sides of a / b.
    Arguments as for `cluster_difference`; a ratio below 0 is not looked at where no outcome is below 0.
    """
    name, n = "CR2 ratio", len(np.union1d(a_clusters, b_clusters))
    whole, part = float(np.mean(b)) if len(b) else 0.0, float(np.mean(a)) if len(a) else 0.0
    if not whole > 0.0:
        return Refused(name, "the side compared with is not above zero on average: no ratio", n)
    value = part / whole
    middle = cluster_difference(a, value * b, a_clusters, b_clusters, level=level)
    if isinstance(middle, Refused):
        return Refused(name, middle.reason, middle.n)

    def outside(ratio: float, side: int) -> bool:
        found = cluster_difference(a, ratio * b, a_clusters, b_clusters, level=level)
        return isinstance(found, Estimate) and (found.low > 0.0 if side < 0 else found.high < 0.0)

    ends = []
    least = 0.0 if min(float(a.min()), float(b.min())) >= 0.0 else -inf
    for side in (-1, 1):
        step = max(abs(value), 1.0)
        far = max(value + side * step, least)
        while not outside(far, side) and far > least and step < _WIDEST:
            step *= 2.0
            far = max(value + side * step, least)
        if outside(far, side):
            near = value
            for _ in range(_CLOSER):
                between = (near + far) / 2
                near, far = (near, between) if outside(between, side) else (between, far)
        elif far > least:
            reason = f"the denominator, {whole:g}, cannot be told from zero: no bounded interval of a ratio"
            return Refused(name, reason, n)
        ends.append(far)
    return Estimate(value - 1, ends[0] - 1, ends[1] - 1, (middle.se or 0.0) / whole, middle.n, name)


def fieller(numerator: F64, denominator: F64, level: float = LEVEL) -> Estimate | Refused:
    """Fieller's interval of mean numerator / mean denominator over the same units, both of shape (n,).

    As of cost per take-up, where each person has a cost and took up or not.
    """
    pair = _of_units(numerator, denominator)
    return pair if isinstance(pair, Refused) else _fieller(pair, level)


def paired_ratio(a: F64, b: F64, level: float = LEVEL) -> Estimate | Refused:
    """Fieller's interval of mean a / mean b - 1 over the same people in two worlds, both of shape (n,)."""
    return _minus_one(fieller(a, b, level))


def delta_ratio(numerator: F64, denominator: F64, level: float = LEVEL) -> Estimate | Refused:
    """Delta-method interval of mean numerator / mean denominator over the same units, both of shape (n,)."""
    pair = _of_units(numerator, denominator)
    if isinstance(pair, Refused):
        return Refused("delta ratio", pair.reason, pair.n)
    if pair.b == 0.0:
        return Refused("delta ratio", "the denominator's mean is zero", pair.n)
    value, se = _linear(pair)
    return interval_of(value, se, pair.df, pair.n, "delta ratio", level)


def ratio_difference(
    numerator_a: F64, denominator_a: F64, numerator_b: F64, denominator_b: F64, level: float = LEVEL
) -> Estimate | Refused:
    """Delta-method interval of the ratio in group a minus that in group b, such as of costs per take-up."""
    n = int(numerator_a.size + numerator_b.size)
    found = _both(numerator_a, denominator_a, numerator_b, denominator_b)
    if found is None:
        return Refused("delta ratio difference", _TOO_FEW, n)
    a, b = found
    (value_a, se_a), (value_b, se_b) = _linear(a), _linear(b)
    total = se_a * se_a + se_b * se_b
    df = total * total / (se_a**4 / a.df + se_b**4 / b.df) if total > 0.0 else 0.0
    return interval_of(value_a - value_b, sqrt(total), df, n, "delta ratio difference", level)


def ratio_relative(
    numerator_a: F64, denominator_a: F64, numerator_b: F64, denominator_b: F64, level: float = LEVEL
) -> Estimate | Refused:
    """The ratio in group a over that in group b, minus 1: a delta-method interval of its logarithm."""
    n = int(numerator_a.size + numerator_b.size)
    found = _both(numerator_a, denominator_a, numerator_b, denominator_b)
    if found is None:
        return Refused("log delta ratio", _TOO_FEW, n)
    a, b = found
    (value_a, se_a), (value_b, se_b) = _linear(a), _linear(b)
    if not (value_a > 0.0 and value_b > 0.0):
        reason = f"a logarithm needs ratios above 0, not {value_a:g} and {value_b:g}"
        return Refused("log delta ratio", reason, n)
    part_a, part_b = (se_a / value_a) ** 2, (se_b / value_b) ** 2
    total = part_a + part_b
    df = total * total / (part_a * part_a / a.df + part_b * part_b / b.df) if total > 0.0 else 0.0
    inner = interval_of(log(value_a / value_b), sqrt(total), df, n, "log delta ratio", level)
    if isinstance(inner, Refused):
        return inner
    value = value_a / value_b
    se = value * sqrt(total)
    return Estimate(value - 1, exp(inner.low) - 1, exp(inner.high) - 1, se, n, "log delta ratio")


def _both(
    numerator_a: F64, denominator_a: F64, numerator_b: F64, denominator_b: F64
) -> tuple[_Pair, _Pair] | None:
    """Moments of both groups' ratios; None: one of them has none."""
    a, b = _of_units(numerator_a, denominator_a), _of_units(numerator_b, denominator_b)
    if isinstance(a, Refused) or isinstance(b, Refused) or a.b == 0.0 or b.b == 0.0:
        return None
    return a, b


def _no_ratio(hits_b: int, n_a: int, n_b: int, method: str) -> Refused | None:
    if not n_a or not n_b:
        return Refused(method, f"a group is empty: {n_a} and {n_b} observed", n_a + n_b)
    if not hits_b:
        return Refused(method, f"none of {n_b} did so in the group compared with: no ratio", n_a + n_b)
    return None


def _of_units(numerator: F64, denominator: F64) -> _Pair | Refused:
    if numerator.shape != denominator.shape or numerator.ndim != 1:
        raise ValueError(
            f"expected two outcomes of the same units, not {numerator.shape}, {denominator.shape}"
        )
    n = int(numerator.size)
    if n < 2:
        return Refused("fieller", f"at least 2 units are needed; there are {n}", n)
    spread = np.cov(numerator, denominator) / n
    means = float(numerator.mean()), float(denominator.mean())
    return _Pair(*means, float(spread[0, 0]), float(spread[1, 1]), float(spread[0, 1]), n - 1.0, n)


def _linear(pair: _Pair) -> tuple[float, float]:
    """The ratio and its standard error by the delta method."""
    value = pair.a / pair.b
    variance = pair.v_a - 2 * value * pair.c + value * value * pair.v_b
    return value, sqrt(max(0.0, variance)) / abs(pair.b)


def _fieller(pair: _Pair, level: float) -> Estimate | Refused:
    """Ratios r with a - r b not told from zero, between roots of a quadratic (Fieller 1954, JRSS B 16)."""
    check_level(level)
    t2 = laws.t_quantile(level, pair.df) ** 2
    leading = pair.b * pair.b - t2 * pair.v_b
    if leading <= 0.0:
        reason = f"the denominator, {pair.b:g}, cannot be told from zero: no bounded interval of a ratio"
        return Refused("fieller", reason, pair.n)
    value, se = _linear(pair)
    if not se > 0.0:
        return Refused("fieller", "the outcomes do not vary: chance cannot be told", pair.n)
    middle = (pair.a * pair.b - t2 * pair.c) / leading
    constant = (pair.a * pair.a - t2 * pair.v_a) / leading
    half = sqrt(max(0.0, middle * middle - constant))
    return Estimate(value, middle - half, middle + half, se, pair.n, "fieller")


def _minus_one(found: Estimate | Refused) -> Estimate | Refused:
    if isinstance(found, Refused):
        return found
    return Estimate(found.value - 1, found.low - 1, found.high - 1, found.se, found.n, found.method)


def _se_of_ratio(hits_a: int, n_a: int, hits_b: int, n_b: int) -> float:
    p_a, p_b = hits_a / n_a, hits_b / n_b
    value = p_a / p_b
    return sqrt(p_a * (1 - p_a) / n_a + value * value * p_b * (1 - p_b) / n_b) / p_b


def _standard(difference: float, variance: float) -> float:
    if variance <= 0.0:
        return 0.0 if difference == 0.0 else inf if difference > 0 else -inf
    return difference / sqrt(variance)


def _by_score(
    score: Callable[[float], float], value: float, level: float, se: float, n: int, method: str
) -> Estimate | Refused:
    """The ratios, minus 1, at which a score that falls with the ratio is -+ z."""
    z = laws.z_of(level)
    inside = log(value) if value > 0.0 else -_FARTHEST
    low = 0.0 if value == 0.0 else _edge(lambda theta: z - score(theta), inside, -_FARTHEST)
    high = _edge(lambda theta: score(theta) + z, inside, _FARTHEST)
    if isinf(high):
        return Refused(method, "the interval has no upper limit", n)
    return Estimate(value - 1, low - 1, high - 1, se, n, method)


def _edge(good: Callable[[float], float], inner: float, outer: float) -> float:
    """The ratio at which `good` stops being positive, searched on the scale of logarithms."""
    if good(exp(outer)) > 0.0:
        return 0.0 if outer < 0 else inf
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2
        if good(exp(middle)) > 0.0:
            inner = middle
        else:
            outer = middle
    return exp((inner + outer) / 2)
