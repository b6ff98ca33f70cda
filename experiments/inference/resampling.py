"""Bootstrap intervals, the same bytes for the same seed.

Positions come from the counter-based generator of `sim.draws` (Philox4x32-10, integers only), keyed by seed,
sample and replicate; so they are equal on every machine and build, and a replicate can be drawn alone. What
the statistic makes of them follows NumPy's order of summation.

Percentile: the replicates' own quantiles. BCa (Efron 1987, Journal of the American Statistical Association
82) moves them for bias and for a spread that changes with the value; it is the default. Both need some
dozens of units; with few hits the score intervals of `intervals` are better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.inference import laws
from experiments.inference.estimate import LEVEL, Estimate, Refused, check_level
from sim.draws import Draws, scale

__all__ = ["LEAST_UNITS", "REPLICATES", "bootstrap", "positions"]

Array = NDArray[Any]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Statistic = Callable[[Sequence[Array]], float]

REPLICATES: Final = 2000
LEAST_UNITS: Final = 10
"""Units a sample below which resampling repeats the same few and its interval is too short."""
JACKKNIFE: Final = 400
"""At most so many leave-outs a sample: blocks of units are left out where there are more units."""


@dataclass(frozen=True, slots=True)
class _Units:
    """What is drawn: single rows, or clusters of rows."""

    order: I64
    """Rows, unit by unit."""
    starts: I64
    """Where each unit begins in `order`, and the end of the last."""

    @property
    def count(self) -> int:
        return len(self.starts) - 1

    def rows(self, chosen: I64) -> I64:
        """The rows of the chosen units, one after the other."""
        if self.count == len(self.order):
            rows: I64 = self.order[chosen]
            return rows
        begin, sizes = self.starts[chosen], np.diff(self.starts)[chosen]
        ends = np.cumsum(sizes)
        within = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
        many: I64 = self.order[np.repeat(begin, sizes) + within]
        return many


def positions(seed: int, sample: int, replicate: int, n: int) -> I64:
    """As many positions out of 0 .. n - 1 with replacement; a pure function of its arguments."""
    words = Draws(seed).block(sample + 1, np.arange((n + 3) // 4), day=replicate)
    return scale(words.T.reshape(-1)[:n], n)


def bootstrap(
    statistic: Statistic,
    samples: Sequence[Array],
    seed: int,
    *,
    paired: bool = False,
    clusters: Sequence[I64] | None = None,
    replicates: int = REPLICATES,
    method: Literal["bca", "percentile"] = "bca",
    level: float = LEVEL,
) -> Estimate | Refused:
    """Interval of any statistic of one or more samples.

    Args:
        statistic: From the samples, resampled along their first axis, to a number.
        samples: Arrays of shape (n_i, ...), drawn independently; or, paired, columns of the same units.
        seed: 0 .. 2**64 - 1.
        paired: Resample the same units in all samples (their lengths must be equal).
        clusters: Cluster of each row, one array a sample (one in all where paired): whole clusters are drawn.
        replicates: Resamples; at least 1,000.
        method: See the head of the module.
        level: Two-sided confidence.

    Returns:
        The estimate; refused where the statistic is no finite number on the samples or on any resample, or
        where there are too few units.

    Raises:
        ValueError: lengths do not fit together, or too few replicates.
    """
    check_level(level)
    if replicates < 1000:
        raise ValueError(f"replicates {replicates}: a 95 % interval needs at least 1000")
    units = _units(samples, paired, clusters)
    counts, name = [unit.count for unit in units], f"bootstrap {method}"
    if min(counts) < LEAST_UNITS:
        return Refused(name, f"at least {LEAST_UNITS} units; there are {min(counts)}", min(counts))

    def of(rows: Sequence[I64]) -> float:
        taken = [rows[0]] * len(samples) if paired else rows
        return float(statistic([sample[at] for sample, at in zip(samples, taken, strict=True)]))

    value = float(statistic(list(samples)))
    found = np.empty(replicates)
    for r in range(replicates):
        found[r] = of([unit.rows(positions(seed, s, r, unit.count)) for s, unit in enumerate(units)])
    undefined = int(np.sum(~np.isfinite(found)))
    if undefined or not np.isfinite(value):
        reason = f"the figure does not exist in {undefined} of {replicates} resamples"
        return Refused(name, reason, sum(counts))
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "bca":
        corrected = _bca(value, found, tails, units, of)
        if corrected is None:
            reason = "the figure is the same in all resamples, or at their very edge"
            return Refused(name, reason, sum(counts))
        tails = corrected
    low, high = np.quantile(found, tails)
    se = float(np.std(found, ddof=1))
    return Estimate(value, float(low), float(high), se, sum(counts), name)


def _units(samples: Sequence[Array], paired: bool, clusters: Sequence[I64] | None) -> list[_Units]:
    """What is drawn from each sample that is drawn on its own."""
    lengths = [len(sample) for sample in samples]
    if not lengths or (paired and len(set(lengths)) > 1):
        raise ValueError(f"expected samples, of equal lengths where paired; found lengths {lengths}")
    drawn = lengths[:1] if paired else lengths
    if clusters is None:
        return [_Units(np.arange(n), np.arange(n + 1)) for n in drawn]
    if [len(of) for of in clusters] != drawn:
        raise ValueError(f"expected clusters of {drawn} rows, not of {[len(of) for of in clusters]}")
    units = []
    for of in clusters:
        order = np.argsort(of, kind="stable")
        inner = np.flatnonzero(np.diff(of[order])) + 1
        units.append(_Units(order, np.concatenate([[0], inner, [len(of)]])))
    return units


def _bca(
    value: float, found: F64, tails: F64, units: list[_Units], of: Callable[[Sequence[I64]], float]
) -> F64 | None:
    """Tails moved for bias z0 and acceleration a; None where they do not exist."""
    below = (np.sum(found < value) + np.sum(found == value) / 2) / len(found)
    if not 0.0 < below < 1.0:
        return None
    z0 = laws.normal_quantile(float(below))
    squares = cubes = 0.0
    for s in range(len(units)):
        pulls = np.array(list(_leave_outs(s, units, of)))
        # Influence of each block on the figure; scaled so that samples of unlike sizes add up.
        pulls = (pulls.mean() - pulls) * (len(pulls) - 1) / len(pulls)
        squares, cubes = squares + float(np.sum(pulls**2)), cubes + float(np.sum(pulls**3))
    if not squares > 0.0:
        return None
    a = cubes / (6 * squares * sqrt(squares))
    moved = []
    for tail in tails.tolist():
        z = z0 + laws.normal_quantile(tail)
        moved.append(laws.normal_below(z0 + z / (1 - a * z)) if a * z < 1 else float(tail > 0.5))
    return np.array(moved)


def _leave_outs(sample: int, units: list[_Units], of: Callable[[Sequence[I64]], float]) -> Iterator[float]:
    """The statistic without each block of units of one sample; blocks of one where there are few units."""
    whole = [unit.order for unit in units]
    count = units[sample].count
    blocks = np.arange(count) * min(count, JACKKNIFE) // count
    for block in range(min(count, JACKKNIFE)):
        kept = units[sample].rows(np.flatnonzero(blocks != block))
        yield of([kept if s == sample else rows for s, rows in enumerate(whole)])
