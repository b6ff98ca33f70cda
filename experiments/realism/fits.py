"""The laws and estimators of the realism study: pure functions, each tested by a closed form.

An estimate comes with an interval. Where people are the sample, rows of one person are resampled together
(a bootstrap by subscriber), since one person's trips and calls are anything but independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import Draws, scale

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

REPLICATES: Final = 200
"""Resamples of a bootstrap."""
_RESAMPLING: Final = 1  # purpose of the bootstrap's draws, which have a seed and a stream of their own
_POINTS = 4000  # of a numerical integral


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    @staticmethod
    def exact(value: float) -> Estimate:
        """A figure without chance in it."""
        return Estimate(value, value, value)


def by_subscriber(rows: F64, figure: Callable[[F64], float], seed: int = 1) -> Estimate:
    """A figure of the mean row, and its bootstrap interval over subscribers.

    Args:
        rows: One row per subscriber, shape (n, d): sums and counts from which the figure follows.
        figure: From the mean row to the figure.
        seed: Of the resampling.
    """
    value = figure(rows.mean(axis=0))
    means = _weights(len(rows), seed) @ rows
    found = np.array([figure(mean) for mean in means])
    found = found[np.isfinite(found)]
    if not found.size:
        return Estimate.exact(value)
    low, high = np.quantile(found, (0.025, 0.975))
    return Estimate(value, float(low), float(high))


@lru_cache(maxsize=4)
def _weights(n: int, seed: int) -> F64:
    """Shares of each of n rows in each resample; shape (REPLICATES, n)."""
    u = Draws(seed).block(_RESAMPLING, np.arange(-(-REPLICATES * n // 4))).reshape(-1)[: REPLICATES * n]
    drawn = scale(u, n) + np.repeat(np.arange(REPLICATES), n) * n
    return np.bincount(drawn, minlength=REPLICATES * n).reshape(REPLICATES, n) / n


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """The density (x + shift)^-a exp(-x / cut) between two bounds; the exponent a by maximum likelihood.

    The likelihood depends on the data through the mean of log(x + shift) alone, and its maximum is where the
    law's own mean of it is the same.
    """

    low: float
    high: float
    shift: float = 0.0
    cut: float = math.inf

    def mean_log(self, exponents: F64) -> F64:
        """The law's mean of log(x + shift), by the integral."""
        edges = np.linspace(math.log(self.low + self.shift), math.log(self.high + self.shift), _POINTS)
        y = (edges[1:] + edges[:-1]) / 2
        fading = (np.exp(y) - self.shift) / self.cut
        # dx = (x + shift) dy: hence the one.
        exponent = (1 - exponents[:, None]) * y[None, :] - fading[None, :]
        weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        return np.asarray((weight * y).sum(axis=1) / weight.sum(axis=1))

    def fit(self, mean_log: float) -> float:
        """The exponent at which the law's mean of log(x + shift) is that of the data."""
        if not math.isfinite(mean_log):
            return math.nan
        exponents, means = _curve(self)
        return float(np.interp(mean_log, means[::-1], exponents[::-1]))

    def terms(self, x: F64, sub: I64, n: int) -> F64:
        """Per subscriber the sum of log(x + shift) and the count of what lies within the bounds."""
        inside = (x >= self.low) & (x <= self.high)
        logs = np.log(x[inside] + self.shift)
        return np.stack(
            [np.bincount(sub[inside], logs, minlength=n), np.bincount(sub[inside], minlength=n)], axis=1
        )

    def estimate(self, x: F64, sub: I64, n: int) -> Estimate:
        """The exponent and its interval over subscribers."""
        return by_subscriber(self.terms(x, sub, n), lambda m: self.fit(m[0] / m[1]) if m[1] else math.nan)

    def distance(self, x: F64, exponent: float) -> Estimate:
        """Kolmogorov's distance of what lies within the bounds from the law with an exponent."""
        x = np.sort(x[(x >= self.low) & (x <= self.high)])
        if not len(x) or not math.isfinite(exponent):
            return Estimate.exact(math.nan)
        y = np.linspace(math.log(self.low + self.shift), math.log(self.high + self.shift), _POINTS)
        at = np.exp(y) - self.shift
        mass = np.exp((1 - exponent) * (y - y[0]) - at / self.cut)
        law = np.concatenate([[0.0], np.cumsum((mass[1:] + mass[:-1]) / 2)])
        # Places lie where they lie: ties are compared at their far ends only.
        values, counts = np.unique(x, return_counts=True)
        rank = np.cumsum(counts) / len(x)
        value = float(np.abs(np.interp(values, at, law / law[-1]) - rank).max())
        half = 1.36 / math.sqrt(len(x))
        return Estimate(value, max(0.0, value - half), value + half)


@dataclass(frozen=True, slots=True)
class HourLaw:
    """Shares k^-a exp(-k / cut) of whole hours k from 1 to a longest; exponent by maximum likelihood."""

    longest: int
    cut: float

    def shares(self, exponent: float) -> F64:
        """Of 1, 2, .. hours."""
        hours = np.arange(1, self.longest + 1, dtype=np.float64)
        weight = np.exp(-exponent * np.log(hours) - hours / self.cut)
        return np.asarray(weight / weight.sum())

    def fit(self, mean_log: float) -> float:
        """The exponent at which the law's mean of log k is that of the data."""
        if not math.isfinite(mean_log):
            return math.nan
        exponents, means = _hour_curve(self)
        return float(np.interp(mean_log, means[::-1], exponents[::-1]))

    def estimate(self, hours: I64, sub: I64, n: int) -> Estimate:
        """The exponent and its interval over subscribers."""
        logs = np.bincount(sub, np.log(hours), minlength=n)
        rows = np.stack([logs, np.bincount(sub, minlength=n).astype(np.float64)], axis=1)
        return by_subscriber(rows, lambda m: self.fit(m[0] / m[1]) if m[1] else math.nan)

    def distance(self, hours: I64, exponent: float) -> Estimate:
        """Kolmogorov's distance from the law with an exponent."""
        if not len(hours) or not math.isfinite(exponent):
            return Estimate.exact(math.nan)
        found = np.bincount(np.minimum(hours, self.longest), minlength=self.longest + 1)[1:] / len(hours)
        value = float(np.abs(np.cumsum(found) - np.cumsum(self.shares(exponent))).max())
        half = 1.36 / math.sqrt(len(hours))
        return Estimate(value, max(0.0, value - half), value + half)


@lru_cache(maxsize=4)
def _hour_curve(law: HourLaw) -> tuple[F64, F64]:
    exponents = np.linspace(-4.0, 12.0, 641)
    logs = np.log(np.arange(1, law.longest + 1))
    return exponents, np.array([float((law.shares(a) * logs).sum()) for a in exponents.tolist()])


@lru_cache(maxsize=16)
def _curve(law: PowerLaw) -> tuple[F64, F64]:
    exponents = np.linspace(-4.0, 12.0, 641)
    return exponents, law.mean_log(exponents)


def slope(x: F64, y: F64) -> float:
    """Least squares of y on x."""
    x = x - x.mean()
    return float((x * (y - y.mean())).sum() / (x * x).sum())


def correlation(a: F64, b: F64) -> float:
    """Pearson's; nan where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    norm = math.sqrt(float((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1e-12 * max(1.0, float(np.abs(a).max())) else math.nan


def erlang_b(channels: int, offered_erl: float) -> float:
    """Share of calls that find all channels busy (Erlang's first formula), by its recursion."""
    blocked = 1.0
    for n in range(1, channels + 1):
        blocked = offered_erl * blocked / (n + offered_erl * blocked)
    return blocked


def pairs_blocked(channels: int, offered_erl: float, shared: float) -> float:
    """Share of requests refused where a part of the traffic is of calls that want two channels, one by one.

    The states' shares are those of the multi-rate loss model (Kaufman, Roberts: calls of one and of two
    channels share a group). Of a pair the first request is refused where no channel is free, and the second,
    made only if the first was not, where but one is.
    """
    single, pairs = offered_erl * (1 - shared), offered_erl * shared / 2
    states = [1.0]
    for held in range(1, channels + 1):
        two = 2 * pairs * states[held - 2] if held > 1 else 0.0
        states.append((single * states[held - 1] + two) / held)
    total = sum(states)
    full, one = states[-1] / total, states[-2] / total if channels else 0.0
    asked = single + pairs * (2 - full)
    return (single * full + pairs * (full + one)) / asked if asked else 0.0


def channels_for(offered_erl: float, blocking: float) -> int:
    """The fewest channels at which no more than a share of calls is blocked."""
    channels, blocked = 0, 1.0
    while blocked > blocking:
        channels += 1
        blocked = offered_erl * blocked / (channels + offered_erl * blocked)
    return channels


def offered_of_carried(channels: int, carried_erl: float) -> float:
    """The offered traffic of which so much is carried."""
    low, high = carried_erl, carried_erl + 1.0
    while high * (1 - erlang_b(channels, high)) < carried_erl:
        high *= 2
        if high > 1e6:
            return math.inf
    for _ in range(60):
        middle = (low + high) / 2
        if middle * (1 - erlang_b(channels, middle)) < carried_erl:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def burstiness(events: F64, deviation: F64, mean: F64) -> F64:
    """Burstiness of series of n events, from deviation and mean of their gaps, whatever their length.

    (deviation - mean) / (deviation + mean) of Goh and Barabasi, corrected for finite series as by Kim and Jo
    (Phys. Rev. E 94, 032311, 2016): 0 for a Poisson process, -1 for a clock, 1 at most.
    """
    r, up, down = deviation / mean, np.sqrt(events + 1), np.sqrt(events - 1)
    return np.asarray((up * r - down) / ((up - 2) * r + down))


def entropy_rate(symbols: Sequence[int]) -> float:
    """Bits a step, by the Lempel-Ziv estimator: n log2 n over the lengths of the shortest new strings."""
    text = "".join(chr(0x100 + symbol) for symbol in symbols)
    n, total, length = len(text), 0, 1
    for i in range(n):
        # The shortest new string at i is at most one shorter than that at i - 1.
        length = max(1, length - 1)
        while i + length <= n and text.find(text[i : i + length], 0, i + length - 1) in range(i):
            length += 1
        total += length
    return n * math.log2(n) / total


def predictability(entropy_bits: float, places: int) -> float:
    """Fano's bound: the greatest share of steps that any rule can foretell (Song et al., Science 2010)."""
    if places < 2 or entropy_bits <= 0:
        return 1.0
    if entropy_bits >= math.log2(places):
        return 1.0 / places
    low, high = 1.0 / places, 1.0 - 1e-12
    for _ in range(60):
        p = (low + high) / 2
        fano = -p * math.log2(p) - (1 - p) * math.log2(1 - p) + (1 - p) * math.log2(places - 1)
        low, high = (p, high) if fano > entropy_bits else (low, p)
    return (low + high) / 2


def lognormal_distance(values: F64, median: float, sigma: float, low: float, high: float) -> float:
    """Kolmogorov's distance from a log-normal law, within the bounds at which values are cut."""
    x = np.sort(values)
    z = (np.log(np.maximum(x, 1e-9)) - math.log(median)) / (sigma * math.sqrt(2))
    law = 0.5 * (1 + np.array([math.erf(v) for v in z.tolist()]))
    rank = np.arange(len(x) + 1) / len(x)
    apart = np.maximum(np.abs(law - rank[1:]), np.abs(law - rank[:-1]))
    inside = (x > low) & (x < high)
    return float(apart[inside].max()) if inside.any() else 1.0


def earth_mover(shares: F64, other: F64, width: float) -> float:
    """How far one histogram's mass must be moved to make the other, times the width of a bin."""
    return float(np.abs(np.cumsum(shares / shares.sum() - other / other.sum())).sum() * width)


def mean_over_seeds(values: Sequence[float], level: float = 0.95) -> Estimate:
    """Mean of independent repetitions and its interval by Student's t."""
    x = np.asarray(values, float)
    if len(x) < 2:
        return Estimate(float(x.mean()), -math.inf, math.inf)
    half = student_t(level, len(x) - 1) * float(x.std(ddof=1)) / math.sqrt(len(x))
    mean = float(x.mean())
    return Estimate(mean, mean - half, mean + half)


@lru_cache(maxsize=32)
def student_t(level: float, freedom: int) -> float:
    """The bound that |t| keeps with probability `level`, by the integral of the density."""
    # With t = sqrt(f) tan(a) the density is cos(a)^(f - 1).
    a = (np.arange(200_000) + 0.5) * (math.pi / 2 / 200_000)
    mass = np.cumsum(np.cos(a) ** (freedom - 1))
    return math.sqrt(freedom) * math.tan(float(a[np.searchsorted(mass, level * mass[-1])]))
