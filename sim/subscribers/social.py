"""Who knows whom: friend k of i as a function of (seed, i, k), without a table.

Ties lie in circles. The family is four neighbouring indices; the neighbourhood (home community) 64 of them.
Colleagues, or the class at school, are one member of each of 64 neighbourhoods of a quarter (4,096 indices).
These are the close ones: the circle of close friend k depends on k only, and within it friend k is an
involution (an exclusive or with a keyed mask), so that friendship is mutual wherever both have that many.
Acquaintances live anywhere in the quarter, and far friends anywhere in the world; both are
`sim.subscribers.acquaintances`. Nobody is an own friend, unless quite alone.

Numbers of friends are log-normal with a heavy tail. For comparison: in records of 2.5 million customers the
tail of the degree distribution fell like k**-5 (Lambiotte et al., "Geographical dispersal of mobile
communication networks", Physica A 387, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import U32, Draws, scale
from sim.subscribers.acquaintances import CLOSE, QUARTER, is_far

I64 = NDArray[np.int64]

FAMILY_SIZE: Final = 4
COMMUNITY: Final = 64
"""Subscribers in a home community (the last one may have fewer)."""
assert QUARTER == COMMUNITY * COMMUNITY  # a quarter shares 64 workplaces and classes

FAMILY, HOME, WORK, NEAR, FAR = range(5)
CIRCLES: Final = ("family", "home", "work", "quarter", "far")
"""Names of the circles."""
_CLOSE: Final = np.array((FAMILY, FAMILY, FAMILY) + (WORK, WORK, HOME) * 5, dtype=np.int64)
_HOME_STEPS: Final = np.array([1, 7, 11, 13, 17, 19, 23, 29])
_WORK_STEPS: Final = np.array([1, 2, 4, 5, 8, 10, 11, 13])
MOST_FRIENDS: Final = 200


def circle_of(k: ArrayLike, degree: ArrayLike) -> I64:
    """The circle to which friend k of somebody with so many friends belongs; an index into CIRCLES."""
    rank, close = np.asarray(k, dtype=np.int64), CLOSE[np.asarray(degree)].astype(np.int64)
    beyond = np.where(is_far(rank - close), FAR, NEAR)
    return np.where(rank < close, _CLOSE[np.minimum(rank, len(_CLOSE) - 1)], beyond)


def work_group(draws: Draws, sub: ArrayLike) -> tuple[I64, I64]:
    """Group of colleagues (number over the whole world) and place in it (0..63) of each subscriber."""
    i = np.asarray(sub, dtype=np.int64)
    block, offset = i // COMMUNITY, i % COMMUNITY
    return i // QUARTER * COMMUNITY + (offset + turn_of(draws, block)) % COMMUNITY, block % COMMUNITY


def turn_of(draws: Draws, block: I64) -> I64:
    """By how much the members of home communities are turned on their way to work; drawn once for each."""
    some, place = np.unique(block, return_inverse=True)
    turn: I64 = (draws.u32("community", some, 1).astype(np.int64) % COMMUNITY)[place]
    return turn


@dataclass(frozen=True, slots=True)
class Ties:
    """The close ties of n subscribers."""

    draws: Draws
    n: int

    def friend(self, sub: ArrayLike, k: ArrayLike) -> I64:
        """Close friend number k (0 .. 17) of each subscriber."""
        shape = np.broadcast_shapes(np.shape(sub), np.shape(k))
        i = np.broadcast_to(np.asarray(sub, dtype=np.int64), shape).reshape(-1)
        rank = np.broadcast_to(np.asarray(k, dtype=np.int64), shape).reshape(-1)
        circle = _CLOSE[rank]
        other = np.full(len(i), self.n, dtype=np.int64)
        for number, find in enumerate((self._relative, self._neighbour, self._colleague)):
            mine = np.flatnonzero(circle == number)
            if len(mine):
                other[mine] = find(i[mine], rank[mine])
        # Those whose place in the circle nobody has: the world is not a multiple of 4,096.
        rest = np.flatnonzero(other >= self.n)
        other[rest] = self.anybody(i[rest], rank[rest])
        return other.reshape(shape)

    @staticmethod
    def _relative(i: I64, k: I64) -> I64:
        return i ^ (k + 1)

    def _neighbour(self, i: I64, k: I64) -> I64:
        # Masks 4..63: not the family; the step has no factor in common with 60, so no friend comes twice.
        u = self._shared(i // COMMUNITY, 0)
        other: I64 = i ^ (4 + (scale(u[0], 60) + k * _HOME_STEPS[u[1] & np.uint32(7)]) % 60)
        return other

    def _colleague(self, i: I64, k: I64) -> I64:
        group, place = work_group(self.draws, i)
        u = self._shared(group, 3)
        at = place ^ (1 + (scale(u[0], 63) + k * _WORK_STEPS[u[1] & np.uint32(7)]) % 63)
        block = i // QUARTER * COMMUNITY + at
        other: I64 = block * COMMUNITY + (group - turn_of(self.draws, block)) % COMMUNITY
        return other

    def _shared(self, group: I64, which: int) -> U32:
        """What the members of groups have in common; drawn once for each group."""
        some, place = np.unique(group, return_inverse=True)
        return self.draws.block("friend", some, which)[:, place]

    def anybody(self, i: I64, k: I64) -> I64:
        """Somebody else: mirrored in what there is of the home community, or in the world if one is alone."""
        home = i - i % COMMUNITY
        alone = home == self.n - 1  # in the last community
        base = np.where(alone, 0, home)
        size = np.where(alone, self.n, np.minimum(COMMUNITY, self.n - home))
        constant = scale(self.draws.u32("friend", np.where(alone, 0xFFFFFFFF, base), 5, k), size)
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
