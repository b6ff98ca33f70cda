"""Keyed permutations: subscriber index <-> serial digits of an IMSI or MSISDN, without a table."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import Draws


@dataclass(frozen=True, slots=True)
class Permutation:
    """x -> (a x + b) mod m over 0 .. m - 1, with m at most 10**9 so that products fit 64 bits."""

    modulus: int
    a: int
    """Coprime to the modulus."""
    b: int

    def __post_init__(self) -> None:
        if not 1 < self.modulus <= 10**9 or gcd(self.a, self.modulus) != 1 or not 0 <= self.b < self.modulus:
            raise ValueError(f"no permutation: {self}")

    def forward(self, index: ArrayLike) -> NDArray[np.uint64]:
        """Serial numbers of indices."""
        x = np.asarray(index, dtype=np.uint64)
        return (x * np.uint64(self.a) + np.uint64(self.b)) % np.uint64(self.modulus)

    def backward(self, serial: ArrayLike) -> NDArray[np.uint64]:
        """Indices of serial numbers."""
        y = np.asarray(serial, dtype=np.uint64) + np.uint64(self.modulus - self.b)
        return (
            (y % np.uint64(self.modulus)) * np.uint64(pow(self.a, -1, self.modulus)) % np.uint64(self.modulus)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Numbers of everybody, worked out when they are asked for: a prefix by range, and a serial number."""

    range_of: NDArray[np.uint8]
    """Range of each subscriber."""
    prefix: NDArray[np.uint64]
    """Digits before the serial number, by range."""
    serials: Permutation

    def __len__(self) -> int:
        return len(self.range_of)

    def numbers(self, index: ArrayLike) -> NDArray[np.uint64]:
        """The numbers of some."""
        i = np.asarray(index, dtype=np.int64)
        prefix: NDArray[np.uint64] = self.prefix[self.range_of[i]] * np.uint64(self.serials.modulus)
        return prefix + self.serials.forward(i)


def keyed_permutation(draws: Draws, which: int, modulus: int) -> Permutation:
    """The permutation number `which` of a world."""
    a = draws.one("identity", which, 0, 0) * modulus >> 32
    while gcd(a, modulus) != 1:
        a = (a + 1) % modulus
    return Permutation(modulus, a, draws.one("identity", which, 0, 1) * modulus >> 32)
