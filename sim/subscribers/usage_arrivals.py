"""Arrivals of non-homogeneous Poisson processes, row by row: a row is somebody on a day.

Exponential gaps are summed (as integers) until they pass the personal rate of the day, and each sum is
carried through the curve of the day. A row's arrivals are a function of (seed, subscriber, day) alone, so any
choice of rows and any cut of time gives the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import EXPONENTIAL, U32, Draws, threshold_q32
from sim.scenario import DAY_US
from sim.subscribers.diary import days_of
from sim.subscribers.habitat import Habitat
from sim.subscribers.usage_profiles import Curve

I64 = NDArray[np.int64]
Span = tuple[int, int]
"""From and to, microseconds since the epoch of the world."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """People on days, one pair a row."""

    sub: I64
    day: I64

    def __len__(self) -> int:
        return len(self.sub)

    def __getitem__(self, which: ArrayLike) -> Rows:
        at = np.asarray(which)
        return Rows(self.sub[at], self.day[at])


def rows_within(world: Habitat, who: I64, span: Span) -> Rows:
    """Everybody on every day that a span of time touches, if the day finds them in this network."""
    return rows_on(world, who, days_of(*span))


def rows_on(world: Habitat, who: I64, days: range) -> Rows:
    """Everybody on days, if they are customers then, or roamers on a visit."""
    day = np.repeat(np.arange(days.start, days.stop, dtype=np.int64), len(who))
    return active(world, Rows(np.tile(who, len(days)), day))


def active(world: Habitat, rows: Rows) -> Rows:
    """The rows of people who have to do with this network on their day."""
    return rows[np.flatnonzero(world.population.active_on(rows.day, rows.sub))]


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """Moments of rows; in no particular order."""

    t_us: I64
    sub: I64
    day: I64
    k: I64
    """Number within the day and the process, from 0 on."""

    def __len__(self) -> int:
        return len(self.sub)

    def __getitem__(self, which: ArrayLike) -> Arrivals:
        at = np.asarray(which)
        return Arrivals(self.t_us[at], self.sub[at], self.day[at], self.k[at])

    def details(self, draws: Draws, purpose: str, blocks: int, first: int = 0, stride: int = 4) -> U32:
        """Four times so many draws for each; shape (4 blocks, arrivals)."""
        at = stride * self.k + first
        return np.concatenate([draws.block(purpose, self.sub, self.day, at + b) for b in range(blocks)])


def poisson(
    draws: Draws,
    purpose: str,
    rows: Rows,
    rate_q16: I64,
    curve: Curve,
    curve_row: I64,
    span: Span,
    start_us: int = 0,
) -> Arrivals:
    """Arrivals within a span: `rate_q16` (1/65536) a row on average, from `start_us` of its day on."""
    first = draws.block(purpose, rows.sub, rows.day, 0)
    gap = EXPONENTIAL.quantile(first[0])
    going = np.flatnonzero(gap < rate_q16)
    kept, sums, numbers = [going], [gap[going]], [np.zeros(len(going), dtype=np.int64)]
    total, words, block = gap[going], first[1:, going], 0
    while len(going):
        gaps = EXPONENTIAL.quantile(words)
        for k in range(len(gaps)):
            total = total + gaps[k]  # integers: the order of the sum cannot matter
            inside = total < rate_q16[going]
            kept.append(going[inside])
            sums.append(total[inside])
            numbers.append(np.full(len(kept[-1]), 4 * block + k + (block == 0), dtype=np.int64))
        on = np.flatnonzero(total < rate_q16[going])
        going, total, block = going[on], total[on], block + 1
        words = draws.block(purpose, rows.sub[going], rows.day[going], block)
    row = np.concatenate(kept)
    passed = (np.concatenate(sums) << 32) // rate_q16[row]  # of the day's total, out of 2**32
    t_us = rows.day[row] * DAY_US + start_us + curve.at(curve_row[row], passed)
    inside = np.flatnonzero((t_us >= span[0]) & (t_us < span[1]))
    row = row[inside]
    return Arrivals(t_us[inside], rows.sub[row], rows.day[row], np.concatenate(numbers)[inside])


def at_most_one(
    draws: Draws,
    purpose: str,
    rows: Rows,
    chance: NDArray[np.float64],
    curve: Curve,
    curve_row: I64,
    span: Span,
) -> Arrivals:
    """Rare things: one on a day with a chance (a value a row), or none. Word 0 decides, word 1 says when."""
    u = draws.block(purpose, rows.sub, rows.day, 0)
    happens = np.flatnonzero(u[0] < threshold_q32(np.minimum(chance, 1.0)))
    t_us = rows.day[happens] * DAY_US + curve.at(curve_row[happens], u[1, happens].astype(np.int64))
    inside = (t_us >= span[0]) & (t_us < span[1])
    happens = happens[inside]
    return Arrivals(
        t_us[inside], rows.sub[happens], rows.day[happens], np.zeros(len(happens), dtype=np.int64)
    )
