"""Columns that expressions read: values beside what is known of them, for some rows at once.

A value that is not known is what CEL calls an error: `&&` and `||` pass over it where the other side decides,
everything else hands it on, and a condition that is not known does not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["AnyColumn", "Ascii", "Numbers", "Sets", "View", "Words"]

Known = NDArray[np.bool_] | None
"""None: all are known."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """bool, int (int64), double (float64) or duration (int64 microseconds), one a row."""

    values: NDArray[Any]
    known: Known = None


class Ascii(Sequence[str]):
    """A vocabulary of ASCII texts, decoded one by one for whoever asks: most are never asked for."""

    __slots__ = ("_raw",)

    def __init__(self, raw: NDArray[np.bytes_]) -> None:
        self._raw = raw

    def __len__(self) -> int:
        return len(self._raw)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return Ascii(self._raw[index])
        text: bytes = self._raw[index]
        return text.decode("ascii", "replace")

    def begins(self, prefix: str) -> NDArray[np.bool_]:
        """Which of them begin with it."""
        if not prefix or not prefix.isascii():
            return np.full(len(self), not prefix)
        # Cut to the prefix's length: a longer prefix leaves the texts whole, and equals none of them.
        found: NDArray[np.bool_] = self._raw.astype(f"S{len(prefix)}") == prefix.encode("ascii")
        return found


@dataclass(frozen=True, slots=True)
class Words:
    """string: a code a row into a vocabulary."""

    codes: NDArray[Any]
    """Any integer type; where not known, any code."""
    words: Sequence[str]
    known: Known = None

    @classmethod
    def of_codes(cls, codes: NDArray[Any], words: Sequence[str]) -> Words:
        """Codes of which negative ones are not known."""
        known = codes >= 0
        return cls(codes, words) if known.all() else cls(np.where(known, codes, 0), words or ("",), known)

    @classmethod
    def of_bytes(cls, values: NDArray[np.bytes_]) -> Words:
        """ASCII texts."""
        unique, codes = np.unique(values, return_inverse=True)
        return cls(codes, Ascii(unique))


@dataclass(frozen=True, slots=True)
class Sets:
    """list(string): a bit a word and row, 64 words at most."""

    bits: NDArray[np.uint64]
    names: Sequence[str]
    known: Known = None


AnyColumn = Numbers | Words | Sets


class View(Protocol):
    """What gives features as of an instant of each row."""

    def column(self, name: str, rows: NDArray[np.int64], at_us: NDArray[np.int64]) -> AnyColumn:
        """One feature of the catalogue for some subscribers, each as of its own instant (Unix us).

        Names with a key ask for `lists[vip]` (bool) and `last[10086]` (duration).
        """
        ...
