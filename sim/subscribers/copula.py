"""A Gaussian copula in integers: traits of one person hang together, and every margin stays as given.

Four hidden factors (affluence, openness to the new, sociability, irritability) are standard normal; a part of
their variance is shared by the home community, so that neighbours and friends are alike. Each trait has a
score, a weighted sum of factors and of a noise of its own, standard normal too; the weights are `LOADINGS`.
A score becomes a rank (its place in the normal distribution, out of 2**32), and the rank becomes a yes or no,
an age, a rate, by the quantiles of the person's segment. So within a segment the correlation of two scores is
the sum of the products of their loadings (`correlation`), whatever the margins are.
"""

from __future__ import annotations

from functools import cache
from math import isqrt, sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import NORMAL, ONE_Q16, U32, Draws, threshold_q32

I64 = NDArray[np.int64]

FACTORS: Final = ("affluence", "openness", "sociability", "irritability")
SHARED: Final = (0.20, 0.20, 0.15, 0.0)
"""Share of the variance of each factor that a home community has in common."""

LOADINGS: Final[dict[str, tuple[float, float, float, float]]] = {
    "arpu": (0.60, 0.10, 0.45, 0.00),
    "age": (0.15, -0.50, 0.00, 0.00),
    "brand": (0.50, 0.00, 0.00, 0.00),
    "terminal": (0.55, 0.35, 0.00, 0.00),
    "calls": (0.30, 0.00, 0.65, 0.00),
    "texts": (0.00, 0.45, 0.40, 0.00),
    "services": (0.00, 0.00, 0.20, 0.45),
    "degree": (0.10, 0.10, 0.70, 0.00),
    "rivals": (0.00, 0.25, 0.00, 0.25),
    "complaint": (0.10, 0.00, 0.00, 0.70),
    "churn": (-0.30, 0.15, -0.15, 0.40),
    "often-off": (0.00, -0.10, -0.35, 0.10),
    "often-rejects": (0.00, 0.00, -0.25, 0.50),
    "nightly-off": (0.00, -0.35, -0.10, 0.00),
    "text-pack": (0.00, 0.25, 0.50, 0.00),
    "mms": (0.25, 0.55, 0.20, 0.00),
    "ring-back-tone": (0.00, 0.35, 0.50, 0.00),
    "wap": (0.15, 0.70, 0.00, 0.00),
    "newspaper": (0.45, 0.20, 0.00, 0.00),
    "mail": (0.40, 0.45, 0.00, 0.00),
    "im": (0.00, 0.60, 0.35, 0.00),
    # what people like to read and hear about (`sim.subscribers.traits.CONTENTS`)
    "finance": (0.60, 0.00, 0.00, 0.00),
    "news": (0.35, -0.15, 0.00, 0.00),
    "cars": (0.55, 0.20, 0.00, 0.00),
    "travel": (0.45, 0.20, 0.20, 0.00),
    "sports": (0.00, 0.20, 0.35, 0.00),
    "fashion": (0.25, 0.35, 0.20, 0.00),
    "shopping": (0.10, 0.20, 0.30, 0.00),
    "games": (-0.10, 0.60, 0.00, 0.00),
    "music": (0.00, 0.45, 0.35, 0.00),
    "film": (0.10, 0.35, 0.25, 0.00),
    "jokes": (-0.15, 0.10, 0.45, 0.00),
    "exams": (0.00, 0.30, -0.15, 0.00),
    "jobs": (-0.40, 0.20, 0.00, 0.20),
    "farming": (-0.10, -0.20, 0.00, 0.00),
    "health": (0.15, -0.35, 0.00, 0.15),
    "parenting": (0.10, 0.00, 0.15, 0.00),
}
"""Weights of FACTORS in the score of each trait; the rest of its variance is a noise of its own."""

_SLOT: Final = {name: len(FACTORS) + k for k, name in enumerate(LOADINGS)}
_PER_BLOCK = 8  # sixteen-bit noises in a block of four draws
_RANK_SHIFT = 5
_RANK_HALF = 6 << 16 - _RANK_SHIFT  # the table of ranks ends six deviations from the middle


def correlation(a: str, b: str) -> float:
    """Planted correlation of the scores of two traits within a segment."""
    if a == b:
        return 1.0
    return sum(x * y for x, y in zip(LOADINGS[a], LOADINGS[b], strict=True))


def _weights(parts: tuple[float, ...]) -> tuple[list[int], int]:
    """Weights out of 65536, and the weight of what is left of a variance of one."""
    whole = [round(part * ONE_Q16) for part in parts]
    left = ONE_Q16**2 - sum(part * part for part in whole)
    if left < 0:
        raise ValueError(f"loadings {parts}: their squares sum to more than one")
    return whole, isqrt(left)


@cache
def _noise_table() -> NDArray[np.int32]:
    """Standard normal quantiles (1/65536) at the middles of 65,536 equal classes."""
    return NORMAL.quantile((np.arange(ONE_Q16, dtype=np.int64) << 16) | 0x8000).astype(np.int32)


@cache
def _rank_table() -> U32:
    """The normal distribution function out of 2**32, at steps of 1/2048: the inverse of the table NORMAL."""
    row = np.arange(513)
    tail = (16 + row % 16).astype(np.int64) << row // 16 >> 4  # w of `sim.draw_tables_make`
    z, w = NORMAL.rows[513:][::-1], tail[::-1]
    score = np.arange(_RANK_HALF + 1, dtype=np.int64) << _RANK_SHIFT
    at = np.clip(np.searchsorted(z, score, side="right") - 1, 0, 511)
    beyond = score >= z[-1]
    part = np.where(beyond, 0, w[at] - (w[at] - w[at + 1]) * (score - z[at]) // (z[at + 1] - z[at]))
    upper = (1 << 32) - 1 - (part >> 1)
    lower = (1 << 32) - 1 - upper[:0:-1]
    return np.concatenate([lower, upper]).astype(np.uint32)


def rank(score: I64) -> U32:
    """Where scores (1/65536) stand in the standard normal distribution, out of 2**32."""
    place = (np.clip(score, -6 * ONE_Q16, 6 * ONE_Q16) + (1 << _RANK_SHIFT - 1)) >> _RANK_SHIFT
    ranks: U32 = _rank_table()[place + _RANK_HALF]
    return ranks


def at_least(share: ArrayLike) -> I64:
    """Score (1/65536) that a share of people reach or pass; nobody for 0, everybody for 1."""
    p = np.asarray(share, dtype=np.float64)
    below = np.minimum(threshold_q32(1.0 - p), (1 << 32) - 1)
    cut = NORMAL.quantile(below)
    return np.where(p <= 0.0, 1 << 40, np.where(p >= 1.0, -(1 << 40), cut))


class Scores:
    """The scores of some people: `scores["wap"]` is a column in units of 1/65536."""

    def __init__(self, draws: Draws, sub: I64, community: I64) -> None:
        table = _noise_table()
        blocks = -(-(len(FACTORS) + len(LOADINGS)) // _PER_BLOCK)
        words = np.concatenate([draws.block("latent", sub, 0, k) for k in range(blocks)])
        self._words = words
        some, place = np.unique(community, return_inverse=True)
        shared = table[draws.block("latent_community", some) >> np.uint32(16)][:, place]
        self._table = table
        self._factors = []
        for k, part in enumerate(SHARED):
            ours, own = _weights((sqrt(part),))
            self._factors.append((shared[k].astype(np.int64) * ours[0] + self._noise(k) * own) >> 16)

    def _noise(self, slot: int) -> I64:
        word = self._words[slot // 2]
        half = word >> np.uint32(16) if slot % 2 else word & np.uint32(0xFFFF)
        noise: I64 = self._table[half].astype(np.int64)
        return noise

    def __getitem__(self, trait: str) -> I64:
        weights, own = _weights(LOADINGS[trait])
        total = self._noise(_SLOT[trait]) * own
        for factor, weight in zip(self._factors, weights, strict=True):
            if weight:
                total += factor * weight
        return total >> 16

    def rank(self, trait: str) -> U32:
        """Ranks out of 2**32."""
        return rank(self[trait])
