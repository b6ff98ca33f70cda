"""Ties to people whom one neither lives nor works with: mutual, and of some people many.

Everybody holds so many ends of ties, by the number of friends. The ends of a quarter of the world, and those
of the whole world for far friends, are numbered person by person, shuffled by a keyed permutation and joined
first with last, second with last but one: the configuration model. Whoever holds many ends is somebody's
acquaintance as often, so that the numbers of friends may differ as much as they like and every tie still has
two sides. Nothing is stored but a running count every sixteen people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import U32, Draws

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
_Once = Callable[[U64, Any], U64]

QUARTER: Final = 4096
"""Subscribers in a quarter of the world."""
BLOCK: Final = 16
"""People between two running counts."""
_NEAR_KEY, _FAR_KEY = 6, 7  # which draws of the purpose "friend"
_MOST_CLOSE: Final = 16
_ALL_CLOSE: Final = 8  # up to so many friends three of four are close, then one of three

_FRIENDS = np.arange(256)
_BEYOND = _FRIENDS - _ALL_CLOSE
CLOSE: Final = np.where(
    _BEYOND <= 0, _FRIENDS - _FRIENDS // 4, np.minimum(_ALL_CLOSE * 3 // 4 + _BEYOND // 3, _MOST_CLOSE)
).astype(np.uint8)
"""By the number of friends: how many of them are close ones, of family, home and work."""
_OTHERS = _FRIENDS - CLOSE
_NEAR_ENDS = (_OTHERS - (_OTHERS + 1) // 3).astype(np.uint8)
_FAR_ENDS = ((_OTHERS + 1) // 3).astype(np.uint8)
# Odd multipliers (2**32 times parts of the golden ratio and such) and what undoes them.
_TIMES: Final = (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35)
_UNDOES: Final = tuple(np.uint64(pow(factor, -1, 1 << 32)) for factor in _TIMES)


def is_far(rank: I64) -> NDArray[np.bool_]:
    """Whether acquaintance number `rank` (from 0) lives anywhere in the world: every third."""
    return np.asarray(rank % 3 == 1)


@dataclass(frozen=True, slots=True, eq=False)
class Shuffle:
    """Keyed permutations of 0 .. size - 1, one an element; `size` below 2**32."""

    size: U64
    key: U32
    """Shape (4, elements)."""

    def _mask(self) -> tuple[U64, U64]:
        """All ones of as many bits as the size needs, and half of that many."""
        below = np.maximum(self.size, np.uint64(2)) - np.uint64(1)
        bits = np.frexp(below.astype(np.float64))[1].astype(np.uint64)  # exact below 2**53
        return (np.uint64(1) << bits) - np.uint64(1), (bits + np.uint64(1)) >> np.uint64(1)

    def forward(self, x: U64) -> U64:
        """Where elements go."""
        mask, half = self._mask()
        key = self.key.astype(np.uint64)

        def once(x: U64, at: Any) -> U64:
            m, h = mask[at], half[at]
            for turn, factor in enumerate(_TIMES):
                x = (x * np.uint64(factor) + key[turn, at]) & m
                if turn < len(_TIMES) - 1:
                    x = x ^ (x >> h)
            return x

        return self._walk(x, once)

    def backward(self, y: U64) -> U64:
        """Where they came from."""
        mask, half = self._mask()
        key = self.key.astype(np.uint64)

        def once(x: U64, at: Any) -> U64:
            m, h = mask[at], half[at]
            for turn in (2, 1, 0):
                if turn < len(_TIMES) - 1:
                    x = x ^ (x >> h)  # a shift by half the bits or more undoes itself
                x = ((x - key[turn, at]) * _UNDOES[turn]) & m
            return x

        return self._walk(y, once)

    def _walk(self, x: U64, once: _Once) -> U64:
        """Steps of a permutation of a power of two, until they end below the size."""
        x = once(x, slice(None))
        out = np.flatnonzero(x >= self.size)
        while len(out):
            x[out] = once(x[out], out)
            out = out[x[out] >= self.size[out]]
        return x


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """The ends of ties of one kind, numbered person by person."""

    degree: NDArray[np.uint8]
    """Number of friends of everybody."""
    held: NDArray[np.uint8]
    """Ends by the number of friends."""
    before: NDArray[np.uint32]
    """Ends of people before each block of sixteen, and of all."""

    @classmethod
    def of(cls, degree: NDArray[np.uint8], held: NDArray[np.uint8]) -> Ends:
        """Counts them."""
        sums = np.add.reduceat(held[degree], np.arange(0, len(degree), BLOCK), dtype=np.int64)
        return cls(degree, held, np.append(0, np.cumsum(sums)).astype(np.uint32))

    def _block(self, block: I64) -> I64:
        """Ends of each of the sixteen people of blocks; shape (blocks, 16)."""
        who = block[:, np.newaxis] * BLOCK + np.arange(BLOCK)
        ends: I64 = self.held[self.degree[np.minimum(who, len(self.degree) - 1)]].astype(np.int64)
        return np.where(who < len(self.degree), ends, 0)

    def first(self, sub: I64) -> I64:
        """Number of the first end of people."""
        ends = self._block(sub // BLOCK) * (np.arange(BLOCK) < (sub % BLOCK)[:, np.newaxis])
        whole: I64 = self.before[sub // BLOCK].astype(np.int64) + ends.sum(axis=1)
        return whole

    def holder(self, end: I64) -> I64:
        """Whose end it is."""
        block = np.searchsorted(self.before, end.astype(np.uint32), side="right").astype(np.int64) - 1
        passed = np.cumsum(self._block(block), axis=1) + self.before[block].astype(np.int64)[:, np.newaxis]
        holder: I64 = block * BLOCK + np.count_nonzero(passed <= end[:, np.newaxis], axis=1)
        return holder


@dataclass(frozen=True, slots=True, eq=False)
class Acquaintances:
    """Ties beyond family, home and work."""

    draws: Draws
    near: Ends
    far: Ends

    @classmethod
    def of(cls, draws: Draws, degree: NDArray[np.uint8]) -> Acquaintances:
        """From everybody's number of friends."""
        return cls(draws, Ends.of(degree, _NEAR_ENDS), Ends.of(degree, _FAR_ENDS))

    def of_rank(self, sub: I64, rank: I64) -> I64:
        """Acquaintance number `rank` (from 0) of each subscriber; oneself where the shuffle comes to that."""
        other = sub.copy()
        far = is_far(rank)
        at = np.flatnonzero(~far)
        if len(at):
            quarter = sub[at] // QUARTER
            some, place = np.unique(quarter, return_inverse=True)
            key = self.draws.block("friend", some, _NEAR_KEY)[:, place]
            blocks = QUARTER // BLOCK
            last = len(self.near.before) - 1
            start = self.near.before[quarter * blocks].astype(np.int64)
            stop = self.near.before[np.minimum((quarter + 1) * blocks, last)].astype(np.int64)
            other[at] = _joined(self.near, sub[at], rank[at] - (rank[at] + 1) // 3, start, stop, key)
        at = np.flatnonzero(far)
        if len(at):
            key = np.repeat(self.draws.block("friend", np.array([0]), _FAR_KEY), len(at), axis=1)
            start = np.zeros(len(at), dtype=np.int64)
            stop = np.full(len(at), int(self.far.before[-1]))
            other[at] = _joined(self.far, sub[at], rank[at] // 3, start, stop, key)
        return other


def _joined(ends: Ends, sub: I64, which: I64, start: I64, stop: I64, key: U32) -> I64:
    """Who holds the other end of ties."""
    shuffle = Shuffle((stop - start).astype(np.uint64), key)
    mine = (ends.first(sub) + which - start).astype(np.uint64)
    other = shuffle.backward(shuffle.size - np.uint64(1) - shuffle.forward(mine))
    return ends.holder(other.astype(np.int64) + start)
