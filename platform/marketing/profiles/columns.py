"""One column over all subscribers, as narrow as its values allow, and how it is built up block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketing.profiles.schema import Type

__all__ = ["MOST_LIST_WORDS", "MOST_WORDS", "Column", "TooManyWords", "Words", "narrow"]

MOST_WORDS: Final = 65_535
"""Different words of a text column: its codes take two octets at most."""
MOST_LIST_WORDS: Final = 64
"""Different words of a list column: one bit each."""
_UNSIGNED: Final = (np.uint8, np.uint16, np.uint32, np.uint64)
_SIGNED: Final = (np.int8, np.int16, np.int32, np.int64)


class TooManyWords(ValueError):  # noqa: N818 - the name says what happened
    """A text or list column whose words do not fit into codes or bits; the message says what helps."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Values by row. A value that is not known is false, 0, "" or empty here, and `is_known` says so."""

    type: Type
    values: NDArray[Any]
    """bool: bool_; int: the narrowest integers; double: float64; string: code of the word; list: bits."""
    words: tuple[str, ...] = ()
    """string: the word of each code, sorted; list: the word of each bit, sorted. Of the others: none."""
    known: NDArray[np.uint8] | None = None
    """A bit a row as `numpy.packbits` has them, set where the value is known; None: all are."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def nbytes(self) -> int:
        """Octets of the arrays."""
        whole = self.values.nbytes if self.values.strides != (0,) else 0
        return whole + (0 if self.known is None else self.known.nbytes)

    def is_known(self, rows: NDArray[np.integer[Any]] | None = None) -> NDArray[np.bool_]:
        """Where the value is known: of all rows, or of some."""
        if self.known is None:
            return np.ones(len(self) if rows is None else len(rows), dtype=np.bool_)
        if rows is None:
            return np.unpackbits(self.known, count=len(self)).astype(np.bool_)
        bits: NDArray[np.bool_] = (self.known[rows >> 3] >> (7 - (rows & 7)) & 1).astype(np.bool_)
        return bits

    def has(
        self, word: str | Sequence[str], rows: NDArray[np.integer[Any]] | None = None
    ) -> NDArray[np.bool_]:
        """Where a text is this word (or one of several), or a list holds it (or one of several)."""
        wanted = {word} if isinstance(word, str) else set(word)
        found = [at for at, one in enumerate(self.words) if one in wanted]
        values = self.values if rows is None else self.values[rows]
        if self.type == "list":
            bits = values.dtype.type(sum(1 << bit for bit in found))
            holds: NDArray[np.bool_] = (values & bits) != 0
            return holds
        mask = np.isin(values, np.array(found, dtype=values.dtype))
        return mask & self.is_known(rows) if "" in wanted else mask

    def value(self, row: int) -> bool | int | float | str | tuple[str, ...] | None:
        """One value as a plain object; None where it is not known."""
        if not self.is_known(np.array([row]))[0]:
            return None
        one = self.values[row]
        if self.type == "string":
            return self.words[int(one)]
        if self.type == "list":
            return tuple(word for bit, word in enumerate(self.words) if int(one) >> bit & 1)
        plain: bool | int | float = one.item()
        return plain

    @classmethod
    def unknown(cls, kind: Type, rows: int) -> Column:
        """Of nobody known; takes no room but the bits."""
        dtype = {"bool": np.bool_, "double": np.float64}.get(kind, np.uint8)
        values: NDArray[Any] = np.broadcast_to(np.zeros((), dtype=dtype), (rows,))
        words = ("",) if kind == "string" else ()
        return cls(kind, values, words, np.zeros((rows + 7) // 8, dtype=np.uint8))


def narrow(values: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers in the narrowest type that holds them all."""
    if not len(values):
        return values.astype(np.uint8)
    least, most = int(values.min()), int(values.max())
    for dtype in _UNSIGNED if least >= 0 else _SIGNED:
        if np.iinfo(dtype).min <= least and most <= np.iinfo(dtype).max:
            return values.astype(dtype)
    raise ValueError(f"whole numbers from {least} to {most} do not fit into 64 bits")


@dataclass(slots=True)
class Words:
    """Words as they come, each with a number for ever."""

    name: str
    limit: int
    number: dict[str, int] = field(default_factory=dict)

    def of(self, word: str) -> int:
        """The number of a word, a new one for a new word.

        Raises:
            TooManyWords: more than the limit.
        """
        found = self.number.get(word)
        if found is None:
            if len(self.number) >= self.limit:
                helps = (
                    "one bit each: leave the rare ones out or make a target list of them"
                    if self.limit == MOST_LIST_WORDS
                    else "is it a number of its own for each subscriber? Leave the column out"
                )
                raise TooManyWords(f"column {self.name}: more than {self.limit} different words ({helps})")
            found = self.number[word] = len(self.number)
        return found

    def sorted(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """All words sorted, and the place of each number: the same whatever order the rows came in."""
        words = tuple(sorted(self.number))
        place = np.zeros(len(words), dtype=np.int64)
        for at, word in enumerate(words):
            place[self.number[word]] = at
        return words, place
