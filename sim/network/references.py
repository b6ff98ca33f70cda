"""Numbers that live connections borrow: SCCP local references, circuits, TMSIs.

A number comes from a free list and goes back with the time at which it may be used again, so that a late
message of an old connection is never taken for one of a new connection (Q.714 3.3.2: frozen references).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

REFERENCE_BITS: Final = 24
FREEZE_US: Final = 300_000_000
"""How long a local reference rests after its connection."""
RESERVED_REFERENCES: Final = 0xF00000
"""References from here on are for deliveries made beside a schedule (`sim.network.live`)."""


class NumbersExhaustedError(RuntimeError):
    """All numbers of a list are borrowed or frozen: the world is larger than the network."""


class FreeList:
    """Lends out numbers low <= x < high; the longest rested first, a new one when none has rested enough.

    New numbers follow a keyed permutation (an odd multiplier modulo a power of two, skipping what lies
    outside), so neighbours in time do not look alike on the wire.
    """

    __slots__ = (
        "_count",
        "_fresh",
        "_high",
        "_low",
        "_mask",
        "_multiplier",
        "_offset",
        "_resting",
        "_usable",
    )

    def __init__(
        self,
        low: int,
        high: int,
        *,
        key: int = 0,
        scatter: bool = True,
        usable: Callable[[int], bool] = lambda value: True,
    ) -> None:
        self._usable = usable
        self._low = low
        self._high = high
        self._mask = (1 << (high - 1).bit_length()) - 1
        self._multiplier = (key * 0x9E3779B1 + 0x5851F42D) & self._mask | 1 if scatter else 1
        self._offset = (key ^ key >> 29) & self._mask if scatter else 0
        self._count = self._mask + 1
        self._fresh = 0
        self._resting: list[tuple[int, int]] = []

    def take(self, t_us: int) -> int:
        """A number that nobody uses at `t_us`."""
        resting = self._resting
        if resting and resting[0][0] <= t_us:
            return heapq.heappop(resting)[1]
        while self._fresh < self._count:
            value = (self._fresh * self._multiplier + self._offset) & self._mask
            self._fresh += 1
            if self._low <= value < self._high and self._usable(value):
                return value
        raise NumbersExhaustedError(f"{self._high - self._low} numbers, all borrowed or frozen at {t_us} us")

    def take_fresh(self, count: int) -> NDArray[np.int64]:
        """`count` numbers never lent before, as a column: how a world begins with everybody registered."""
        enough = (
            self._fresh + 2 * count + 64
        )  # of the codes of a list more than half lie inside, evenly spread
        order = np.arange(self._fresh, min(self._count, enough), dtype=np.int64)
        values = (order * self._multiplier + self._offset) & self._mask
        inside = np.flatnonzero((values >= self._low) & (values < self._high))
        if len(inside) < count:
            raise NumbersExhaustedError(f"{count} numbers wanted at the start, {len(inside)} to be had")
        self._fresh = int(order[inside[count - 1]]) + 1 if count else self._fresh
        return values[inside[:count]]

    def give_back(self, value: int, t_us: int) -> None:
        """`value` may be lent again from `t_us` on; may be called ahead of that time."""
        heapq.heappush(self._resting, (t_us, value))


def local_references(key: int) -> FreeList:
    """The 24-bit references of one SCCP node. Zero is left out: some decoders take it for none."""
    return FreeList(1, RESERVED_REFERENCES, key=key)


def reserved_references(key: int) -> FreeList:
    """The part of a node's references that `local_references` never lends."""
    return FreeList(RESERVED_REFERENCES, 1 << REFERENCE_BITS, key=key)


def temporary_identities(key: int) -> FreeList:
    """TMSIs of one VLR: TS 23.003 2.4 leaves 11 in the top bits to the SGSN and all ones to 'none'."""
    return FreeList(1, 0xC0000000, key=key)


def circuits() -> FreeList:
    """Circuit identity codes of one BSC: TS 48.008 3.2.2.2, eleven bits of PCM system, five of time slot.

    Time slots 0 and 16 carry no traffic. All systems are equipped: blocking is for the cells, not here.
    """
    return FreeList(1 << 5, 1 << 16, scatter=False, usable=lambda code: code & 15 != 0)
