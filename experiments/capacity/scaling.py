"""What more workers bring, and what more subscribers, campaigns or load cost.

Two worker counts give one ratio with its interval, and no law: a law through two points fits whatever they
are.
The Universal Scalability Law is fitted from four different counts on and only said within them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from experiments.inference.estimate import LEVEL, Estimate, Refused
from experiments.inference.laws import t_quantile

__all__ = ["LEAST_COUNTS", "Scalability", "Slope", "pair_ratio", "scalability", "slope"]

LEAST_COUNTS: Final = 4
"""Different worker counts from which on a law is fitted: it has three parameters."""
LEAST_PAIRS: Final = 3


def pair_ratio(pairs: Sequence[tuple[float, float]], level: float = LEVEL) -> Estimate | Refused:
    """How many times as much the second of each pair takes: geometric mean and t interval of logarithms.

    Args:
        pairs: (rate with one worker, rate with two), each pair run one right after the other.
        level: Confidence.

    Raises:
        ValueError: a rate is not above zero.
    """
    method = "paired ratio, t of logarithms"
    if any(not (math.isfinite(rate) and rate > 0) for pair in pairs for rate in pair):
        raise ValueError(f"rates of pairs must be above 0: {pairs}")
    n = len(pairs)
    if n < LEAST_PAIRS:
        return Refused(method, f"{n} pairs of runs; at least {LEAST_PAIRS} are needed for an interval", n)
    logs = np.array([math.log(second / first) for first, second in pairs])
    mean = float(logs.mean())
    se = float(logs.std(ddof=1)) / math.sqrt(n)
    half = t_quantile(level, n - 1) * se
    value = math.exp(mean)
    return Estimate(value, math.exp(mean - half), math.exp(mean + half), value * se, n, method)


@dataclass(frozen=True, slots=True)
class Scalability:
    """Universal Scalability Law (Gunther 2007).

    C(n) = rate n / (1 + contention (n - 1) + coherence n (n - 1)).
    """

    rate_per_s: float
    """Of one worker."""
    contention: float
    coherence: float
    counts: tuple[int, ...]
    """Worker counts that it was fitted from; it says nothing beyond them."""
    worst: float
    """Largest deviation of a measured rate from the law, as a share of the rate."""

    def at(self, workers: int) -> float:
        """Messages a second with so many workers.

        Raises:
            ValueError: more or fewer than were measured.
        """
        if not self.counts[0] <= workers <= self.counts[-1]:
            raise ValueError(
                f"{workers} workers: measured were {self.counts[0]} to {self.counts[-1]}, "
                "and nothing is said beyond"
            )
        return self._law(workers)

    def _law(self, n: int) -> float:
        return self.rate_per_s * n / (1 + self.contention * (n - 1) + self.coherence * n * (n - 1))

    def as_json(self) -> dict[str, Any]:
        """Plain values for `summary.json`."""
        return {**asdict(self), "counts": list(self.counts)}


def scalability(rates: Mapping[int, Sequence[float]]) -> Scalability | Refused:
    """The law through rates by worker count; refused below four different counts.

    Least squares of the relative error of n / C(n), in which the law is linear, with no negative parameter.

    Raises:
        ValueError: a count or a rate is not above zero.
    """
    method = "universal scalability law"
    points = sorted((n, rate) for n, found in rates.items() for rate in found)
    if any(n < 1 or not (math.isfinite(rate) and rate > 0) for n, rate in points):
        raise ValueError(f"worker counts and rates must be above 0: {dict(rates)}")
    counts = tuple(dict.fromkeys(n for n, _ in points))
    if len(counts) < LEAST_COUNTS:
        said = (
            f"{len(counts)} worker counts were measured; a law is fitted from {LEAST_COUNTS} on, "
            "never extrapolated from fewer"
        )
        return Refused(method, said, len(points))
    from scipy.optimize import nnls  # a second to load, and only wanted here

    n = np.array([count for count, _ in points], float)
    per = n / np.array([rate for _, rate in points])
    rows = np.stack((np.ones_like(n), n - 1, n * (n - 1)), axis=1) / per[:, None]
    (base, contention, coherence), _ = nnls(rows, np.ones_like(n))
    law = Scalability(1 / base, contention / base, coherence / base, counts, 0.0)
    worst = max(abs(law.at(count) / rate - 1) for count, rate in points)
    return Scalability(law.rate_per_s, law.contention, law.coherence, counts, worst)


@dataclass(frozen=True, slots=True)
class Slope:
    """How a cost grows along one axis: a straight line by least squares."""

    axis: str
    unit: str
    """Of the axis, for one step: tenfold, campaign, message a second."""
    per_step: Estimate | Refused
    """Change of the cost a step, microseconds of processor time a message."""
    levels: tuple[float, ...]
    """Values of the axis that were measured; nothing is said beyond them."""

    def as_json(self) -> dict[str, Any]:
        """Plain values for `summary.json`."""
        return {
            "axis": self.axis,
            "unit": self.unit,
            "per_step": self.per_step.as_json(),
            "levels": list(self.levels),
        }


STEPS: Final[Mapping[str, tuple[str, Any]]] = {
    "subscribers": ("tenfold", np.log10),
    "campaigns": ("hundred", lambda x: np.asarray(x) / 100.0),
    "load": ("ten thousand a second", lambda x: np.asarray(x) / 10_000.0),
}
"""Axis -> what one step of it is, and how many steps a value is from zero."""


def slope(axis: str, points: Sequence[tuple[float, float]], level: float = LEVEL) -> Slope:
    """Least squares of cost on steps of the axis, with the t interval of the slope.

    Args:
        axis: One of `STEPS`.
        points: (value on the axis, cost of one run), several runs of each value.
        level: Confidence.
    """
    method = "least squares"
    unit, steps = STEPS[axis]
    levels = tuple(sorted({x for x, _ in points}))
    n = len(points)
    if len(levels) < 2:
        lacking = f"{len(levels)} different values were measured; two are needed for a slope"
        return Slope(axis, unit, Refused(method, lacking, n), levels)
    if n < 3:
        few = f"{n} runs were measured; three are needed for an interval"
        return Slope(axis, unit, Refused(method, few, n), levels)
    x = np.asarray(steps(np.array([p[0] for p in points], float)))
    y = np.array([p[1] for p in points], float)
    spread = float(((x - x.mean()) ** 2).sum())
    value = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
    rest = y - y.mean() - value * (x - x.mean())
    se = math.sqrt(float((rest**2).sum()) / (n - 2) / spread)
    half = t_quantile(level, n - 2) * se
    return Slope(axis, unit, Estimate(value, value - half, value + half, se, n, method), levels)
