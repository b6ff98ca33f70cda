"""Did the score find the people on whom the message works? Qini curve and coefficient, uplift of the top.

The curve: of all outcomes won by treating everybody, how many come from the people of the highest scores.
At share x it is Y_t(x) / N_t - Y_c(x) / N_c, with Y(x) the outcomes among those of the highest scores and N
all people of the arm (after Radcliffe 2007; whole arms as denominators, so that the curve is unbiased and
nothing is divided by the few at its start). It ends at the average effect. The Qini coefficient is the area
between the curve and the straight line of a score that knows nothing, in outcomes a head.

A simulator also knows each person's true effect: `effect_curve` by a score, and by the effects themselves,
which no score can beat (the oracle).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.inference.estimate import LEVEL, Estimate, Refused
from experiments.inference.intervals import difference, paired_difference
from experiments.inference.means import mean_difference, paired_mean_difference

__all__ = [
    "Curve",
    "area_above_line",
    "effect_curve",
    "paired_qini",
    "paired_qini_curve",
    "paired_uplift_at",
    "qini",
    "qini_curve",
    "share_of_oracle",
    "uplift_at",
]

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve from (0, 0); one point a distinct score, highest first."""

    share: F64
    """Share of people targeted, ascending from 0 to 1; shape (m,)."""
    gain: F64
    """Outcomes won, per person of the whole; shape (m,)."""


def qini_curve(outcome: F64, treated: Bools, score: F64) -> Curve:
    """Curve of a randomised experiment; three columns over the same people, shape (n,)."""
    _check(outcome, treated, score)
    weight = np.where(treated, 1.0 / treated.sum(), -1.0 / (~treated).sum())
    return _curve(outcome * weight, score)


def paired_qini_curve(a: F64, b: F64, score: F64) -> Curve:
    """Curve of parallel worlds: outcomes of the same people in both, shape (n,)."""
    return _curve((np.asarray(a, dtype=np.float64) - b) / len(a), score)


def effect_curve(effects: F64, score: F64) -> Curve:
    """True curve of a score, from each person's true effect; with the effects as score, the oracle's."""
    return _curve(effects / len(effects), score)


def area_above_line(curve: Curve) -> float:
    """Area between a curve and the straight line to its end; the Qini coefficient, outcomes a head."""
    width = np.diff(curve.share)
    return float(np.sum(width * (curve.gain[1:] + curve.gain[:-1])) / 2 - curve.gain[-1] / 2)


def qini(outcome: F64, treated: Bools, score: F64, level: float = LEVEL) -> Estimate | Refused:
    """Qini coefficient with its interval, arguments as those of `qini_curve`.

    The area is the difference between the arms' means of outcome times (share of people ranked lower - 1/2),
    ties half; so it has Welch's interval, given the scores.
    """
    _check(outcome, treated, score)
    weighted = outcome * (_ranked_lower(score) - 0.5)
    return _named(mean_difference(weighted[treated], weighted[~treated], level), "qini")


def paired_qini(a: F64, b: F64, score: F64, level: float = LEVEL) -> Estimate | Refused:
    """Qini coefficient over parallel worlds, arguments as those of `paired_qini_curve`."""
    weight = _ranked_lower(score) - 0.5
    return _named(paired_mean_difference(a * weight, b * weight, level), "paired qini")


def share_of_oracle(found: Estimate | Refused, effects: F64) -> Estimate | Refused:
    """A Qini coefficient as a share of the oracle's, 1 being a perfect order of people.

    Args:
        found: From `qini` or `paired_qini`.
        effects: Each person's true effect, shape (n,), taken as known.
    """
    best = area_above_line(effect_curve(effects, effects))
    if isinstance(found, Refused):
        return found
    if not best > 1e-15:
        reason = "the true effect is the same for everybody: no order of people is better than another"
        return Refused("share of oracle", reason, found.n)
    return _named(found.scaled(1.0 / best), "share of oracle")


def uplift_at(
    outcome: F64, treated: Bools, score: F64, share: float, level: float = LEVEL
) -> Estimate | Refused:
    """Effect among the people of the highest scores; its n says how many they are.

    Args:
        outcome: Shape (n,); by score interval where all are 0 or 1, by Welch's else.
        treated: Shape (n,).
        score: Shape (n,); all who tie with the last are taken in.
        share: Of all people, above 0 and at most 1.
        level: Two-sided confidence.
    """
    _check(outcome, treated, score)
    top = _top(score, share)
    a, b = outcome[top & treated], outcome[top & ~treated]
    if _binary(outcome):
        return difference(int(a.sum()), a.size, int(b.sum()), b.size, level)
    return mean_difference(a, b, level)


def paired_uplift_at(a: F64, b: F64, score: F64, share: float, level: float = LEVEL) -> Estimate | Refused:
    """The same over parallel worlds: Tango's interval where all are 0 or 1, of paired means else."""
    top = _top(score, share)
    a, b = np.asarray(a, dtype=np.float64)[top], np.asarray(b, dtype=np.float64)[top]
    if _binary(a) and _binary(b):
        return paired_difference(int(np.sum(a > b)), int(np.sum(b > a)), int(a.size), level)
    return paired_mean_difference(a, b, level)


def _check(outcome: F64, treated: Bools, score: F64) -> None:
    if not outcome.shape == treated.shape == score.shape or outcome.ndim != 1:
        raise ValueError(
            f"expected three columns of the same people, not {outcome.shape}, {treated.shape}, {score.shape}"
        )
    if treated.all() or not treated.any():
        raise ValueError("expected treated and control people; all are one of them")


def _binary(values: F64) -> bool:
    return bool(np.all((values == 0.0) | (values == 1.0)))


def _curve(parts: F64, score: F64) -> Curve:
    """Cumulates parts from the highest score; a point after each distinct score."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    return Curve(np.r_[0.0, (ends + 1) / len(score)], np.r_[0.0, np.cumsum(parts[order])[ends]])


def _ranked_lower(score: F64) -> F64:
    """Share of people with a lower score, and half of those who tie (oneself among them)."""
    ascending = np.sort(score)
    below, upto = np.searchsorted(ascending, score, "left"), np.searchsorted(ascending, score, "right")
    ranked: F64 = (below + upto) / (2.0 * len(score))
    return ranked


def _top(score: F64, share: float) -> Bools:
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share {share}: expected above 0 and at most 1")
    last = max(1, int(np.floor(share * len(score) + 1e-9)))
    top: Bools = score >= np.partition(score, len(score) - last)[len(score) - last]
    return top


def _named(found: Estimate | Refused, method: str) -> Estimate | Refused:
    if isinstance(found, Refused):
        return Refused(method, found.reason, found.n)
    return Estimate(found.value, found.low, found.high, found.se, found.n, method)
