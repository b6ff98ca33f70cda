"""Who knows whom: friend k of i as a function of (seed, i, k), without a table.

Ties lie in circles. The family is four neighbouring indices; the neighbourhood (home community) 64 of them.
Colleagues, or the class at school, are one member of each of 64 neighbourhoods of a quarter (4,096 indices).
Acquaintances live anywhere in the quarter, and far friends anywhere in the world. The circle of friend k
depends on k only. Within a circle friend k is an involution (an exclusive or with a keyed mask, a mirror for
far friends), so that friendship is mutual wherever both have that many friends; nobody is an own friend,
unless quite alone.

Degrees are log-normal (the number of friends grows with sociability). For comparison: in records of 2.5
million customers the tail of the degree distribution fell like k**-5 (Lambiotte et al., "Geographical
dispersal of mobile communication networks", Physica A 387, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import Draws, scale

I64 = NDArray[np.int64]

FAMILY_SIZE: Final = 4
COMMUNITY: Final = 64
"""Subscribers in a home community (the last one may have fewer)."""
QUARTER: Final = COMMUNITY * COMMUNITY
"""Subscribers in a quarter of the world, which share 64 workplaces and classes."""

FAMILY, HOME, WORK, NEAR, FAR = range(5)
CIRCLES: Final = ("family", "home", "work", "quarter", "far")
"""Names of the circles."""
_FIRST: Final = (FAMILY, FAMILY, FAMILY, WORK, HOME, FAR)
_CYCLE: Final = (WORK, HOME, WORK, NEAR, HOME, FAR)
_HOME_STEPS: Final = np.array([1, 7, 11, 13, 17, 19, 23, 29])
_WORK_STEPS: Final = np.array([1, 2, 4, 5, 8, 10, 11, 13])
_CLOSE: Final = 24  # friends from this rank on are acquaintances or live far away
MOST_FRIENDS: Final = 200


def circle_of(k: ArrayLike) -> I64:
    """The circle to which friend k belongs; an index into CIRCLES."""
    rank = np.asarray(k, dtype=np.int64)
    table = np.array(_FIRST + _CYCLE * 3, dtype=np.int64)
    late = np.where(rank % 3 == 2, FAR, NEAR)
    return np.where(rank < _CLOSE, table[np.minimum(rank, _CLOSE - 1)], late)


def work_group(draws: Draws, sub: ArrayLike) -> tuple[I64, I64]:
    """Group of colleagues (number over the whole world) and place in it (0..63) of each subscriber."""
    i = np.asarray(sub, dtype=np.int64)
    block, offset = i // COMMUNITY, i % COMMUNITY
    turn = draws.u32("community", block, 1).astype(np.int64) % COMMUNITY
    return i // QUARTER * COMMUNITY + (offset + turn) % COMMUNITY, block % COMMUNITY


@dataclass(frozen=True, slots=True)
class Ties:
    """The social graph of n subscribers."""

    draws: Draws
    n: int

    def friend(self, sub: ArrayLike, k: ArrayLike) -> I64:
        """Friend number k (from 0) of each subscriber."""
        shape = np.broadcast_shapes(np.shape(sub), np.shape(k))
        i = np.broadcast_to(np.asarray(sub, dtype=np.int64), shape).reshape(-1)
        rank = np.broadcast_to(np.asarray(k, dtype=np.int64), shape).reshape(-1)
        circle = circle_of(rank)
        other = np.full(len(i), self.n, dtype=np.int64)
        for number, find in enumerate((self._relative, self._neighbour, self._colleague, self._near)):
            mine = np.flatnonzero(circle == number)
            if len(mine):
                other[mine] = find(i[mine], rank[mine])
        # Far friends, and those whose place in the circle nobody has: the world is not a multiple of 4,096.
        rest = np.flatnonzero(other >= self.n)
        other[rest] = self._far(i[rest], rank[rest], circle[rest] == FAR)
        return other.reshape(shape)

    @staticmethod
    def _relative(i: I64, k: I64) -> I64:
        return i ^ (k + 1)

    def _neighbour(self, i: I64, k: I64) -> I64:
        # Masks 4..63: not the family; the step has no factor in common with 60, so no friend comes twice.
        u = self.draws.block("friend", i // COMMUNITY, 0)
        other: I64 = i ^ (4 + (scale(u[0], 60) + k * _HOME_STEPS[u[1] & np.uint32(7)]) % 60)
        return other

    def _colleague(self, i: I64, k: I64) -> I64:
        group, place = work_group(self.draws, i)
        u = self.draws.block("friend", group, 3)
        at = place ^ (1 + (scale(u[0], 63) + k * _WORK_STEPS[u[1] & np.uint32(7)]) % 63)
        block = i // QUARTER * COMMUNITY + at
        turn = self.draws.u32("community", block, 1).astype(np.int64) % COMMUNITY
        other: I64 = block * COMMUNITY + (group - turn) % COMMUNITY
        return other

    def _near(self, i: I64, k: I64) -> I64:
        mask = scale(self.draws.u32("friend", i // QUARTER, 4, k), QUARTER - COMMUNITY)
        return i ^ (COMMUNITY + mask)

    def _far(self, i: I64, k: I64, far: NDArray[np.bool_]) -> I64:
        """Mirrored in the whole world or in what there is of the home community."""
        home = i - i % COMMUNITY
        far = far | (home == self.n - 1)  # or alone in the last community
        base = np.where(far, 0, home)
        size = np.where(far, self.n, np.minimum(COMMUNITY, self.n - home))
        constant = scale(self.draws.u32("friend", np.where(far, 0xFFFFFFFF, base), 5, k), size)
        offset = i - base
        other: I64 = base + (constant - offset) % size
        return np.where(other == i, base + (offset + 1) % size, other)

    def rival_number(self, sub: ArrayLike, k: ArrayLike) -> NDArray[np.uint64]:
        """Number (E.164 as an integer) of friend k in the competitor's network, 86 133."""
        serial = scale(self.draws.u32("rival", sub, 1, k), 10**8).astype(np.uint64)
        return np.uint64(86_133 * 10**8) + serial

    def partner(self, sub: ArrayLike) -> I64:
        """With whom somebody may swap a handset: one of the neighbourhood, mutual; oneself for nobody."""
        i = np.asarray(sub, dtype=np.int64)
        other = i ^ (1 + scale(self.draws.u32("swap", i // COMMUNITY, 1), COMMUNITY - 1))
        return np.where(other < self.n, other, i)
