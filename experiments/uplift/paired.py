"""Uplift: the difference of take-up between two arms, estimated from orders and known from replays.

The arms are parallel worlds that share every draw, so each subscriber is their own pair. `paired` uses only
what the platform may see (who ordered); `truth_of` uses what only a simulator has (the response draws
replayed on the recorded contacts). The two never share a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference.intervals import tango_interval

__all__ = ["COMPARISONS", "Paired", "Truth", "paired", "tango_interval", "truth_of"]

COMPARISONS: Final = {
    "precise_vs_blanket": ("precise", "blanket"),
    "precise_vs_control": ("precise", "control"),
    "blanket_vs_control": ("blanket", "control"),
}
"""Name in `summary.json` -> the arm, the arm it is compared with."""

Z_95: Final = 1.959963984540054
"""Two-sided 95 % point of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Paired:
    """A paired difference of proportions as the platform's owner would report it."""

    n: int
    """Pairs: eligible subscribers."""
    only_a: int
    """Took up in the first arm and not in the second."""
    only_b: int
    """Took up in the second arm and not in the first."""
    estimate: float
    """Share of the first arm minus share of the second."""
    ci95: tuple[float, float]
    """Tango's score interval."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The same difference averaged over replays of the response draws."""

    value: float
    """Mean difference over the replays."""
    se: float
    """Its standard error: deviation of the replays' differences over the square root of their number."""
    replays: int


def paired(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> Paired:
    """Compares two arms over the same subscribers in the same order.

    Raises:
        ValueError: the arms do not have the same subscribers, or none.
    """
    if a.shape != b.shape or a.ndim != 1 or not a.size:
        raise ValueError(f"two arms of the same subscribers are needed, not {a.shape} and {b.shape}")
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    n = int(a.size)
    return Paired(n, only_a, only_b, (only_a - only_b) / n, tango_interval(only_a, only_b, n))


def truth_of(a: NDArray[np.float64], b: NDArray[np.float64]) -> Truth:
    """Averages the difference of two arms over replays of their response draws.

    Args:
        a: Share of the eligible who take up in the first arm, one value a replay. Replay r has the same draws
            in both
            arms (common random numbers), so the difference has little noise.
        b: The same for the second arm.

    Raises:
        ValueError: fewer than two replays, or not the same number.
    """
    if a.shape != b.shape or a.ndim != 1 or a.size < 2:
        raise ValueError(
            f"a standard error needs at least two replays of both arms, not {a.shape} and {b.shape}"
        )
    difference = a - b
    return Truth(float(np.mean(difference)), float(np.std(difference, ddof=1)) / sqrt(a.size), int(a.size))
