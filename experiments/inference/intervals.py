"""Intervals of proportions, of their differences, and of quantiles; all from counts or from one array.

Score intervals (Wilson; Miettinen and Nurminen; Tango) invert the test whose variance is taken under the
hypothesis, so they stay inside the possible values and keep their level where hits are few, where estimate
plus or minus two standard errors shrinks to nothing. Exact intervals (Clopper and Pearson) never fall below
their level and pay by width.

Rule of choice. One proportion: exact below `SPARSE` hits or misses, Wilson else. A difference of two groups:
Newcombe's below `SPARSE` hits or misses in either group, where Miettinen and Nurminen's falls to 91 % if the
groups are unlike in size; Miettinen and Nurminen's else. A difference over pairs: always Tango's. The README
tells the coverage seen.
"""

from __future__ import annotations

from collections.abc import Callable
from math import acos, ceil, cos, inf, log, pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference import laws
from experiments.inference.estimate import LEVEL, Estimate, Refused, check_counts, check_level

__all__ = [
    "BEYOND",
    "SPARSE",
    "clopper_pearson",
    "difference",
    "mid_p",
    "miettinen_nurminen",
    "newcombe",
    "paired_difference",
    "proportion",
    "quantile",
    "quantile_ranks",
    "sparse",
    "tango_interval",
    "wilson",
]

SPARSE: Final = 10
"""Fewer hits, or fewer misses, call for the intervals of sparse outcomes."""
BEYOND: Final = 10
"""Observations that must be expected beyond a quantile: 10,000 for a p99.9, 1,000 for a p99."""
_HALVINGS: Final = 80  # of an interval of length 2: past the last bit of a float


def wilson(hits: int, n: int, level: float = LEVEL) -> Estimate | Refused:
    """Score interval of one proportion (Wilson 1927, Journal of the American Statistical Association 22)."""
    check_counts({"proportion": (hits, n)})
    if not n:
        return Refused("wilson", "nobody was observed", 0)
    z, p = laws.z_of(level), hits / n
    centre, spread = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    shrink = 1 + z * z / n
    low = 0.0 if hits == 0 else max(0.0, (centre - spread) / shrink)
    high = 1.0 if hits == n else min(1.0, (centre + spread) / shrink)
    return Estimate(p, low, high, _se(p, n), n, "wilson")


def clopper_pearson(hits: int, n: int, level: float = LEVEL) -> Estimate | Refused:
    """Exact interval of one proportion (Clopper and Pearson 1934, Biometrika 26): never below its level."""
    check_counts({"proportion": (hits, n)})
    check_level(level)
    if not n:
        return Refused("clopper-pearson", "nobody was observed", 0)
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else laws.beta_quantile(tail, hits, n - hits + 1)
    high = 1.0 if hits == n else laws.beta_quantile(1 - tail, hits + 1, n - hits)
    return Estimate(hits / n, low, high, _se(hits / n, n), n, "clopper-pearson")


def mid_p(hits: int, n: int, level: float = LEVEL) -> Estimate | Refused:
    """Exact interval that counts half of the chance of what was seen: narrower, at its level on average."""
    check_counts({"proportion": (hits, n)})
    check_level(level)
    if not n:
        return Refused("mid-p", "nobody was observed", 0)
    tail, p = (1 - level) / 2, hits / n

    def at_most(candidate: float) -> float:
        upto = float(laws.binomial_below(hits, n, candidate))
        before = float(laws.binomial_below(hits - 1, n, candidate))
        return (upto + before) / 2

    low = 0.0 if hits == 0 else _crossing(lambda x: 1 - at_most(x) - tail, p, 0.0)
    high = 1.0 if hits == n else _crossing(lambda x: at_most(x) - tail, p, 1.0)
    return Estimate(p, low, high, _se(p, n), n, "mid-p")


def proportion(hits: int, n: int, level: float = LEVEL) -> Estimate | Refused:
    """One proportion by the rule of choice: exact below `SPARSE` hits or misses, Wilson else."""
    return (clopper_pearson if sparse((hits, n)) else wilson)(hits, n, level)


def sparse(*counts: tuple[int, int]) -> bool:
    """Whether any of the counts, (hits, all), has fewer than `SPARSE` hits or misses."""
    return any(min(hits, n - hits) < SPARSE for hits, n in counts)


def difference(hits_a: int, n_a: int, hits_b: int, n_b: int, level: float = LEVEL) -> Estimate | Refused:
    """Interval of a - b for two independent groups by the rule of choice."""
    method = newcombe if sparse((hits_a, n_a), (hits_b, n_b)) else miettinen_nurminen
    return method(hits_a, n_a, hits_b, n_b, level)


def miettinen_nurminen(
    hits_a: int, n_a: int, hits_b: int, n_b: int, level: float = LEVEL
) -> Estimate | Refused:
    """Score interval of a - b for two independent groups.

    Miettinen and Nurminen 1985, Statistics in Medicine 4:213-226: the limits are the differences that a test
    with the rates at their likelihood's maximum under that difference just does not reject.
    """
    check_counts({"a": (hits_a, n_a), "b": (hits_b, n_b)})
    check_level(level)
    if not n_a or not n_b:
        return Refused("miettinen-nurminen", f"a group is empty: {n_a} and {n_b} observed", n_a + n_b)
    z, p_a, p_b = laws.z_of(level), hits_a / n_a, hits_b / n_b

    def score(delta: float) -> float:
        return _score_of_groups(hits_a, n_a, hits_b, n_b, delta)

    value = p_a - p_b
    low = _crossing(lambda d: z - score(d), value, -1.0)
    high = _crossing(lambda d: score(d) + z, value, 1.0)
    se = sqrt(p_a * (1 - p_a) / n_a + p_b * (1 - p_b) / n_b)
    return Estimate(value, low, high, se, n_a + n_b, "miettinen-nurminen")


def newcombe(hits_a: int, n_a: int, hits_b: int, n_b: int, level: float = LEVEL) -> Estimate | Refused:
    """Interval of a - b from both Wilson intervals (Newcombe 1998, Statistics in Medicine 17:873-890).

    Method 10 there: a closed form, near its level where hits are few in groups of unlike sizes.
    """
    check_counts({"a": (hits_a, n_a), "b": (hits_b, n_b)})
    a, b = wilson(hits_a, n_a, level), wilson(hits_b, n_b, level)
    if isinstance(a, Refused) or isinstance(b, Refused):
        return Refused("newcombe", f"a group is empty: {n_a} and {n_b} observed", n_a + n_b)
    value = a.value - b.value
    low = value - sqrt((a.value - a.low) ** 2 + (b.high - b.value) ** 2)
    high = value + sqrt((a.high - a.value) ** 2 + (b.value - b.low) ** 2)
    se = sqrt((a.se or 0.0) ** 2 + (b.se or 0.0) ** 2)
    return Estimate(value, max(-1.0, low), min(1.0, high), se, n_a + n_b, "newcombe")


def paired_difference(only_a: int, only_b: int, n: int, level: float = LEVEL) -> Estimate | Refused:
    """Tango's score interval of a - b over n pairs, of which so many have the event in one world only."""
    check_level(level)
    if not n:
        return Refused("tango", "there is no pair", 0)
    low, high = tango_interval(only_a, only_b, n, laws.z_of(level))
    value = (only_a - only_b) / n
    se = sqrt(max(0.0, only_a + only_b - n * value * value)) / n
    return Estimate(value, low, high, se, n, "tango")


def tango_interval(b: int, c: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Tango's score interval for a paired difference of proportions, (b - c) / n.

    Found by bisection: the score falls as the difference grows. It stays inside [-1, 1] and keeps its level
    where pairs that differ are few.

    Args:
        b: Pairs with the event under the first condition only.
        c: Pairs with the event under the second condition only.
        n: All pairs.
        z: Two-sided quantile of the standard normal distribution.
    """
    if not (n > 0 and b >= 0 and c >= 0 and b + c <= n):
        raise ValueError(f"counts do not fit together: b={b}, c={c}, n={n}")
    value = (b - c) / n
    low = _crossing(lambda d: z - _score_of_pairs(b, c, n, d), value, -1.0)
    return low, _crossing(lambda d: _score_of_pairs(b, c, n, d) + z, value, 1.0)


def quantile_ranks(
    n: int, q: float, level: float = LEVEL, beyond: int = BEYOND
) -> tuple[int, int, int] | Refused:
    """Ranks (from 1, ascending) of the order statistics that are low limit, quantile and high limit.

    The number of observations below the true quantile is binomial whatever they are distributed like, so the
    limits need no model. For histograms, which know values by rank. Conservative for discrete values.

    Args:
        n: Observations.
        q: Share below the quantile, such as 0.99.
        level: Two-sided confidence.
        beyond: Refused where fewer observations than this are expected beyond the quantile.
    """
    check_level(level)
    if not 0.0 < q < 1.0:
        raise ValueError(f"quantile {q}: expected above 0 and below 1")
    needed = ceil(beyond / min(q, 1 - q) - 1e-6)
    tail = (1 - level) / 2
    # The extreme order statistics must lie beyond the quantile often enough, whatever `beyond` asks.
    needed = max(needed, ceil(log(tail) / log(max(q, 1 - q))))
    if n < needed:
        return Refused("order statistics", f"a p{100 * q:g} needs {needed} observations; there are {n}", n)
    below = laws.binomial_below(np.arange(n + 1), n, q)
    low = int(np.searchsorted(below, tail, side="right"))  # P(Bin <= low - 1) <= tail
    high = int(np.searchsorted(below, 1 - tail, side="left")) + 1  # P(Bin >= high) <= tail
    return low, max(1, ceil(n * q - 1e-9)), high


def quantile(
    values: NDArray[np.float64], q: float, level: float = LEVEL, beyond: int = BEYOND
) -> Estimate | Refused:
    """A quantile with its order-statistic interval; `values` of shape (n,), in any order."""
    ranks = quantile_ranks(int(values.size), q, level, beyond)
    if isinstance(ranks, Refused):
        return ranks
    places = [rank - 1 for rank in ranks]
    low, value, high = (float(x) for x in np.partition(values, places)[places])
    return Estimate(value, low, high, None, int(values.size), "order statistics")


def _se(p: float, n: int) -> float:
    return sqrt(p * (1 - p) / n)


def _crossing(good: Callable[[float], float], inner: float, outer: float) -> float:
    """Where `good` stops being positive on the way from `inner` to `outer`; `outer` if it never does."""
    if good(outer) > 0.0:
        return outer
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2.0
        if good(middle) > 0.0:
            inner = middle
        else:
            outer = middle
    return (inner + outer) / 2.0


def _score_of_pairs(b: int, c: int, n: int, delta: float) -> float:
    """Score statistic of a paired difference (Tango 1998, Statistics in Medicine 17:891-908)."""
    quadratic, linear = 2.0 * n, -b - c + (2.0 * n - b + c) * delta
    constant = -c * delta * (1.0 - delta)
    # The share of pairs with the second event only, at its likelihood's maximum under the hypothesis.
    q21 = (sqrt(max(0.0, linear * linear - 4.0 * quadratic * constant)) - linear) / (2.0 * quadratic)
    return _standardised(b - c - n * delta, n * (2.0 * q21 + delta * (1.0 - delta)))


def _score_of_groups(x_a: int, n_a: int, x_b: int, n_b: int, delta: float) -> float:
    """Score statistic of a difference between two groups, with Miettinen and Nurminen's N / (N - 1)."""
    n, rate_b = n_a + n_b, _restricted_rate(x_a, n_a, x_b, n_b, delta)
    rate_a = min(1.0, max(0.0, rate_b + delta))
    variance = (rate_a * (1 - rate_a) / n_a + rate_b * (1 - rate_b) / n_b) * n / max(1, n - 1)
    return _standardised(x_a / n_a - x_b / n_b - delta, variance)


def _standardised(difference_: float, variance: float) -> float:
    if variance <= 0.0:
        return 0.0 if difference_ == 0.0 else inf if difference_ > 0 else -inf
    return difference_ / sqrt(variance)


def _restricted_rate(x_a: int, n_a: int, x_b: int, n_b: int, delta: float) -> float:
    """Rate of b at the likelihood's maximum where a's is `delta` higher: the right root of a cubic."""
    n, hits = n_a + n_b, x_a + x_b
    l3, l2 = float(n), (n_a + 2 * n_b) * delta - n - hits
    l1, l0 = (n_b * delta - n - 2 * x_b) * delta + hits, x_b * delta * (1 - delta)
    shift = l2 / (3 * l3)
    q = shift**3 - l1 * l2 / (6 * l3 * l3) + l0 / (2 * l3)
    size = sqrt(max(0.0, shift * shift - l1 / (3 * l3)))
    low, high = max(0.0, -delta), min(1.0, 1.0 - delta)
    if size == 0.0:
        return min(high, max(low, -shift))
    p = size if q >= 0.0 else -size
    root = 2 * p * cos((pi + acos(max(-1.0, min(1.0, q / p**3)))) / 3) - shift
    for _ in range(2):  # the arc cosine loses half the digits where rates are small; Newton finds them again
        slope = (3 * l3 * root + 2 * l2) * root + l1
        if slope == 0.0:
            break
        better = root - (((l3 * root + l2) * root + l1) * root + l0) / slope
        if abs(better - root) > 1e-6:
            break
        root = better
    return min(high, max(low, root))
