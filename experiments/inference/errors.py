"""How an estimator errs over replicates of whole worlds with known truth: what only a simulator can tell.

Coverage with the band that chance allows; bias with its Monte Carlo error; and type S and M errors (Gelman
and Carlin 2014, Perspectives on Psychological Science 9): of the estimates called significant, how many have
the wrong sign, and how many times too large they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.inference import laws
from experiments.inference.estimate import LEVEL, Estimate, Refused, check_level
from experiments.inference.intervals import clopper_pearson
from experiments.inference.means import mean

__all__ = [
    "BAND",
    "Coverage",
    "SignificanceErrors",
    "bias",
    "coverage",
    "design_errors",
    "significance_errors",
]

BAND: Final = (0.93, 0.97)
"""Coverage of 95 % intervals that is called right, before binomial error."""
BAND_LEVEL: Final = 0.99
"""Of the binomial error added to the band: a right method fails by chance once in 200 at either edge."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often intervals held the truth."""

    share: Estimate
    """Share of replicates covered, with its exact interval."""
    missed_below: int
    """Replicates whose interval lies wholly below the truth."""
    missed_above: int
    refused: int
    """Replicates without an interval; they are not counted as covered nor as missed."""
    band: tuple[float, float]
    """Shares that are called right: `BAND` widened by the binomial error of so many replicates."""
    passed: bool


@dataclass(frozen=True, slots=True)
class SignificanceErrors:
    """What is wrong with the estimates that are called significant."""

    power: float
    """Share of significant estimates."""
    type_s: float
    """Of these, the share of wrong sign; 0 where none is significant."""
    type_m: float | None
    """Of these, mean size over the true effect's size; None where none is significant."""
    significant: int
    n: int


def _replicates(estimates: Sequence[Estimate | Refused]) -> list[Estimate]:
    return [one for one in estimates if isinstance(one, Estimate)]


def coverage(
    estimates: Sequence[Estimate | Refused],
    truth: ArrayLike,
    band: tuple[float, float] = BAND,
    band_level: float = BAND_LEVEL,
) -> Coverage | Refused:
    """Coverage over replicates.

    Args:
        estimates: One a replicate.
        truth: The true effect: one for all, or one a replicate where populations are redrawn.
        band: Right coverage for endless replicates.
        band_level: Two-sided, of the binomial error that widens the band.
    """
    check_level(band_level)
    truths = np.broadcast_to(np.asarray(truth, dtype=np.float64), (len(estimates),))
    kept = [(one, t) for one, t in zip(estimates, truths.tolist(), strict=True) if isinstance(one, Estimate)]
    n, refused = len(kept), len(estimates) - len(kept)
    below, above = sum(one.high < t for one, t in kept), sum(one.low > t for one, t in kept)
    share = clopper_pearson(n - below - above, n)
    if isinstance(share, Refused):
        return Refused("coverage", f"none of {len(estimates)} replicates has an interval", 0)
    wide = allowed(band, n, band_level)
    return Coverage(share, below, above, refused, wide, wide[0] <= share.value <= wide[1])


def allowed(band: tuple[float, float], n: int, level: float = BAND_LEVEL) -> tuple[float, float]:
    """Shares of n that a true share within `band` gives but for binomial error of that level."""
    counts, tail = np.arange(n + 1), (1 - level) / 2
    low = int(np.searchsorted(laws.binomial_below(counts, n, band[0]), tail, side="right"))
    high = int(np.searchsorted(laws.binomial_below(counts, n, band[1]), 1 - tail, side="left"))
    return low / n, high / n


def bias(
    estimates: Sequence[Estimate | Refused], truth: ArrayLike, level: float = LEVEL
) -> Estimate | Refused:
    """Mean of estimate minus truth; its standard error is the Monte Carlo error of so many replicates."""
    truths = np.broadcast_to(np.asarray(truth, dtype=np.float64), (len(estimates),))
    off = [
        one.value - t for one, t in zip(estimates, truths.tolist(), strict=True) if isinstance(one, Estimate)
    ]
    found = mean(np.array(off), level)
    if isinstance(found, Refused):
        return Refused("bias", found.reason, found.n)
    return Estimate(found.value, found.low, found.high, found.se, found.n, "bias")


def significance_errors(
    estimates: Sequence[Estimate | Refused], truth: float
) -> SignificanceErrors | Refused:
    """Type S and M errors, from replicates.

    Args:
        estimates: One a replicate; those refused are left out.
        truth: The true effect; without one there is no wrong sign.
    """
    kept = _replicates(estimates)
    if truth == 0.0 or not kept:
        reason = "the true effect is zero: every sign is wrong" if kept else "no replicate has an interval"
        return Refused("type S and M", reason, len(kept))
    values: NDArray[np.float64] = np.array([one.value for one in kept if one.excludes_zero()])
    if not values.size:
        return SignificanceErrors(0.0, 0.0, None, 0, len(kept))
    wrong = float(np.mean(values * truth < 0.0))
    size = float(np.mean(np.abs(values)) / abs(truth))
    return SignificanceErrors(values.size / len(kept), wrong, size, int(values.size), len(kept))


def design_errors(effect: float, se: float, level: float = LEVEL) -> SignificanceErrors:
    """The same before any data: of a normal estimator with that standard error.

    Closed form: the parts of a normal law beyond -+ z, and the first moment of each.
    """
    if effect == 0.0 or not se > 0.0:
        raise ValueError(f"effect {effect}, se {se}: expected an effect other than 0 and an error above 0")
    z, shift = laws.z_of(level), abs(effect) / se
    right, wrong = laws.normal_below(shift - z), laws.normal_below(-shift - z)
    power = right + wrong

    def density(x: float) -> float:
        return exp(-x * x / 2) / sqrt(2 * pi)

    size = (shift * right + density(z - shift)) + (-shift * wrong + density(z + shift))
    return SignificanceErrors(power, wrong / power, size / power / shift, 0, 0)
