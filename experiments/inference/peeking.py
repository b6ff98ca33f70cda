"""The peeking demonstration: what looking every day does to a z-test, and does not do to a sequence.

Both arms are alike, so whoever finds a difference is wrong. Draws are keyed integers (`sim.draws`), so that
the same seed gives the same figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference import laws
from experiments.inference.estimate import LEVEL, Estimate, Refused
from experiments.inference.intervals import clopper_pearson
from experiments.inference.sequential import LEAST_EVENTS, mixture_ratio
from sim.draws import Draws, threshold_q32

__all__ = ["LOOKS", "Peeking", "peeking"]

I64 = NDArray[np.int64]

LOOKS: Final = 30
"""A look a day over a month."""
_AT_ONCE: Final = 50  # replicates drawn together


@dataclass(frozen=True, slots=True)
class Peeking:
    """Replicates of an experiment without effect that were called a success at some look."""

    looks: int
    per_look: int
    """New people an arm between looks."""
    rate: float
    """Share of people with the outcome, in both arms."""
    replicates: int
    naive: Estimate
    """Share of replicates that a z-test at 5 % called different at one look or more; interval exact."""
    ours: Estimate
    """The same of the confidence sequence."""
    once: Estimate
    """The same of the z-test looked at only at the end: its own level."""
    naive_by_look: tuple[float, ...]
    """Share called different by the z-test at this look or before."""
    ours_by_look: tuple[float, ...]


def peeking(
    seed: int,
    replicates: int = 2000,
    looks: int = LOOKS,
    per_look: int = 200,
    rate: float = 0.1,
    level: float = LEVEL,
) -> Peeking:
    """Runs the demonstration.

    Args:
        seed: 0 .. 2**64 - 1.
        replicates: Experiments without effect; the Monte Carlo error is in the intervals of the result.
        looks: Looks an experiment.
        per_look: New people an arm before each look; a multiple of 4.
        rate: Share of people with the outcome.
        level: Of the test, and of the sequence, which is tuned at the last look.

    Raises:
        ValueError: the sizes make no experiment.
    """
    if replicates < 1 or looks < 1 or per_look < 4 or per_look % 4 or not 0.0 < rate < 1.0:
        raise ValueError(
            f"expected replicates and looks above 0, per_look a multiple of 4 and a rate between 0 and 1; "
            f"found {replicates}, {looks}, {per_look}, {rate}"
        )
    naive, ours = np.zeros((replicates, looks), bool), np.zeros((replicates, looks), bool)
    for start in range(0, replicates, _AT_ONCE):
        some = np.arange(start, min(start + _AT_ONCE, replicates))
        hits_a, hits_b = (_hits(seed, arm, some, looks, per_look, rate) for arm in (0, 1))
        naive[some], ours[some] = _verdicts(hits_a, hits_b, per_look, level)
    naive_so_far, ours_so_far = (np.logical_or.accumulate(x, axis=1) for x in (naive, ours))
    return Peeking(
        looks,
        per_look,
        rate,
        replicates,
        _share(naive_so_far[:, -1]),
        _share(ours_so_far[:, -1]),
        _share(naive[:, -1]),
        tuple(float(x) for x in naive_so_far.mean(axis=0)),
        tuple(float(x) for x in ours_so_far.mean(axis=0)),
    )


def _hits(seed: int, arm: int, some: I64, looks: int, per_look: int, rate: float) -> I64:
    """People with the outcome up to each look, shape (replicates, looks)."""
    words = Draws(seed).block(
        arm + 1,
        some[:, np.newaxis, np.newaxis],
        day=np.arange(looks)[np.newaxis, :, np.newaxis],
        block=np.arange(per_look // 4)[np.newaxis, np.newaxis, :],
    )
    fresh = np.count_nonzero(words < threshold_q32(rate), axis=(0, 3))
    return np.cumsum(fresh, axis=1, dtype=np.int64)


def _verdicts(
    hits_a: I64, hits_b: I64, per_look: int, level: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each look calls the arms different: by the pooled z-test, by the sequence."""
    looks = hits_a.shape[1]
    n = per_look * np.arange(1, looks + 1, dtype=np.float64)
    a, b = hits_a / n, hits_b / n
    pooled = (a + b) / 2
    naive = np.abs(a - b) > laws.z_of(level) * np.sqrt(pooled * (1 - pooled) * 2 / n)
    v_a, v_b = a * (1 - a), b * (1 - b)
    known = np.minimum(n * v_a / (1 - 3 * v_a), n * v_b / (1 - 3 * v_b))
    ratio = mixture_ratio(level) * n / n[-1]
    wide = np.sqrt((1 + 1 / ratio) * (np.log1p(ratio) - 2 * np.log(1 - level)))
    ours = (known >= LEAST_EVENTS) & (np.abs(a - b) > wide * np.sqrt((v_a + v_b) / (n - 1)))
    return naive, ours


def _share(called: NDArray[np.bool_]) -> Estimate:
    found = clopper_pearson(int(called.sum()), int(called.size))
    if isinstance(found, Refused):  # there is at least one replicate
        raise AssertionError(found.reason)
    return found
