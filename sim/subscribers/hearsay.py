"""Word of mouth: who has taken an offer up tells friends, and some of them take it up on their word.

    friend k of s takes up at t + D    with the chance w, where s wished to have the offer at t

w is the offer's `word_of_mouth`, D log-normal. Only who came to it first-hand, unasked or after a contact,
tells; whoever has it from hearsay tells nobody. Draws are keyed by (seed, replicate, s, offer, k), so whoever
is won over in one arm is in the other. This is what makes arms within one world disturb each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.draws import LOGNORMAL, Draws, threshold_q32
from sim.subscribers.population import Population

__all__ = ["Told", "told"]

I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Friends who take an offer up on somebody's word."""

    row: I64
    """Of the tellers given."""
    friend: I64
    delay_us: I64
    """From the teller's wish to the friend's order."""


def told(
    draws: Draws,
    population: Population,
    sub: I64,
    replicate: I64,
    key: I64,
    chance: NDArray[np.float64],
    median_s: I64,
) -> Told:
    """Whom each teller wins over, all columns of equal length.

    Args:
        draws: Of the study.
        population: Who knows whom.
        sub: Tellers.
        replicate: Replay of the response draws.
        key: Sixteen bits of the offer's name.
        chance: That a friend takes it up.
        median_s: Median of the delay, seconds.
    """
    degree = np.asarray(population.degree[sub], dtype=np.int64)
    row = np.repeat(np.arange(len(sub), dtype=np.int64), degree)
    first = np.repeat(np.cumsum(degree) - degree, degree)
    k = np.arange(len(row), dtype=np.int64) - first
    words = draws.block("hearsay", sub[row], replicate[row], key[row] << 12 | k)
    won = np.flatnonzero(words[0] < threshold_q32(chance[row]))
    row, k, late = row[won], k[won], words[1][won]
    seconds = np.clip(LOGNORMAL.quantile(late) * median_s[row] >> 16, 60, 30 * 86_400)
    delay = seconds * 1_000_000 + (late.astype(np.int64) & 0xFFFFF) % 1_000_000
    return Told(row, population.friend(sub[row], k), delay)
