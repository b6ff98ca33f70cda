"""From cells of a block, as text or as the file's own types, to values of a declared type; bad cells marked.

Everything is done on whole columns. A cell is *known* (it holds a value), *unknown* (empty or null) or *bad*
(something that the type cannot be); a bad cell counts as unknown, and its row is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from marketing.profiles.columns import MOST_LIST_WORDS, MOST_WORDS, Column, Words, narrow
from marketing.profiles.schema import Declared, Type

__all__ = ["EXPECTED", "Builder", "Cells", "as_text", "digits", "some_cells", "type_of_arrow"]

LONGEST_WORD: Final = 200
"""Characters of a word, or of the joined words of a list in CSV times eight."""
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")
_INT = r"^[+-]?[0-9]{1,18}$"
_DOUBLE = r"^[+-]?([0-9]{1,40}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?$"
_MOST_CACHED: Final = 1 << 18

EXPECTED: Final[dict[Type, str]] = {
    "bool": "true or false",
    "int": "a whole number",
    "double": "a number",
    "string": f"text of at most {LONGEST_WORD} characters",
    "list": f"words of at most {LONGEST_WORD} characters joined by ;",
}

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cells:
    """One column of one block."""

    values: NDArray[Any]
    """By type: bool_, int64, float64, numbers of words, bits."""
    known: Flags
    bad: Flags


def type_of_arrow(kind: pa.DataType) -> Type | None:
    """The type of an undeclared Parquet column; None for one that cannot be kept."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        return "int"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "double"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return "string"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "list" if type_of_arrow(kind.value_type) == "string" else None
    return None


def some_cells(cells: pa.Array, at: NDArray[np.int64]) -> list[Any]:
    """A few cells as plain values, to be shown."""
    some = cells.take(pa.array(at))
    if pa.types.is_dictionary(some.type):
        some = some.dictionary_decode()
    if pa.types.is_nested(some.type):
        is_list = pa.types.is_list(some.type) or pa.types.is_large_list(some.type)
        return ["a list" if is_list else "a structure"] * len(some)
    return list(some.cast(pa.binary()).to_pylist() if pa.types.is_string(some.type) else some.to_pylist())


def as_text(cells: pa.Array) -> tuple[pa.Array, Flags]:
    """Cells as trimmed text, null where empty or bad, and which are no UTF-8; others as Arrow writes them."""
    n = len(cells)
    bad = np.zeros(n, dtype=np.bool_)
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = cells.cast(pa.binary())  # a damaged Parquet file holds octets that are no text
    if pa.types.is_binary(cells.type) or pa.types.is_large_binary(cells.type):
        try:
            text = cells.cast(pa.string())
        except pa.ArrowInvalid:
            bad = np.fromiter((not _utf8(cell) for cell in cells.to_pylist()), dtype=np.bool_, count=n)
            text = pc.if_else(pa.array(~bad), cells, pa.scalar(b"", cells.type)).cast(pa.string())
    else:
        try:
            text = cells.cast(pa.string())
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # structures; times that no calendar has
            return pa.nulls(n, pa.string()), np.ones(n, dtype=np.bool_)
    text = pc.utf8_trim_whitespace(text)
    bad |= _flags(pc.match_substring(text, "\ufffd"))  # what could not be read when it was text of a file
    empty = pc.fill_null(pc.equal(text, ""), True)
    if bad.any():
        empty = pc.or_(empty, pa.array(bad))
    return pc.if_else(empty, pa.scalar(None, pa.string()), text), bad


def _utf8(cell: bytes | None) -> bool:
    try:
        return cell is None or cell.decode("utf-8") is not None
    except UnicodeDecodeError:
        return False


def _flags(mask: pa.Array) -> Flags:
    """Null is false."""
    found: Flags = pc.fill_null(mask, False).to_numpy(zero_copy_only=False)
    return found


def digits(cells: pa.Array, pattern: str) -> tuple[NDArray[np.uint64], Flags]:
    """Values of cells of digits (text, or whole numbers as Parquet has them), and which fit the pattern."""
    if pa.types.is_integer(cells.type):
        # A number has lost its leading zeros: IMSIs of test networks have two.
        wide = cells.cast(pa.string())
        if "{15}" in pattern:
            wide = pc.utf8_lpad(wide, width=15, padding="0")
        text, bad = wide, np.zeros(len(cells), dtype=np.bool_)
    else:
        text, bad = as_text(cells)
    fits = _flags(pc.match_substring_regex(text, pattern)) & ~bad
    clean = text if fits.all() else pc.if_else(pa.array(fits), text, pa.scalar("0"))
    return clean.cast(pa.uint64()).to_numpy(zero_copy_only=False), fits


def _numbers(text: pa.Array, bad: Flags, pattern: str, to: pa.DataType) -> Cells:
    """Text that fits the pattern, as numbers."""
    present = _flags(pc.is_valid(text))
    fits = _flags(pc.match_substring_regex(text, pattern))
    clean = pc.if_else(pa.array(fits), text, pa.scalar("0"))
    values = pc.replace_substring_regex(clean, r"^\+", "").cast(to).to_numpy(zero_copy_only=False)
    if to == pa.float64():
        fits &= np.isfinite(values)
        values = np.where(fits, values, 0.0)
    return Cells(values, fits, bad | (present & ~fits))


def _ints(cells: pa.Array) -> Cells:
    kind = cells.type
    if pa.types.is_floating(kind):
        values = pc.fill_null(cells, 0).to_numpy(zero_copy_only=False).astype(np.float64)
        present = _flags(pc.is_valid(cells)) & ~np.isnan(values)  # a tool's null in a column of numbers
        whole = present & (np.floor(values) == values) & (np.abs(values) < 2.0**53)
        return Cells(np.where(whole, values, 0.0).astype(np.int64), whole, present & ~whole)
    if pa.types.is_integer(kind):
        present = _flags(pc.is_valid(cells))
        values = pc.fill_null(cells, 0).to_numpy(zero_copy_only=False)
        too_large = values > np.iinfo(np.int64).max  # of an unsigned type
        known = present & ~too_large
        return Cells(np.where(known, values, 0).astype(np.int64), known, present & too_large)
    return _numbers(*as_text(cells), _INT, pa.int64())


def _doubles(cells: pa.Array) -> Cells:
    if pa.types.is_floating(cells.type) or pa.types.is_integer(cells.type):
        values = pc.fill_null(cells.cast(pa.float64(), safe=False), float("nan")).to_numpy(
            zero_copy_only=False
        )
        known = np.isfinite(values)
        return Cells(np.where(known, values, 0.0), known, np.isinf(values))
    return _numbers(*as_text(cells), _DOUBLE, pa.float64())


def _bools(cells: pa.Array) -> Cells:
    if pa.types.is_boolean(cells.type):
        known = _flags(pc.is_valid(cells))
        return Cells(_flags(cells), known, np.zeros(len(cells), dtype=np.bool_))
    text, bad = as_text(cells)
    lower = pc.utf8_lower(text)
    true = _flags(pc.is_in(lower, pa.array(_TRUE)))
    known = true | _flags(pc.is_in(lower, pa.array(_FALSE)))
    return Cells(true, known, bad | (_flags(pc.is_valid(text)) & ~known))


_PLAIN: Final[dict[str, Callable[[pa.Array], Cells]]] = {"bool": _bools, "int": _ints, "double": _doubles}


@dataclass(slots=True)
class Builder:
    """One column, block by block."""

    declared: Declared
    words: Words = field(init=False)
    _values: list[NDArray[Any]] = field(default_factory=list)
    _known: list[NDArray[np.uint8] | None] = field(default_factory=list)
    """A bit a row, or None for a block in which all are known."""
    _lengths: list[int] = field(default_factory=list)
    _bits: dict[str, int] = field(default_factory=dict)
    """Joined words of CSV lists -> bits; bounded."""

    def __post_init__(self) -> None:
        limit = MOST_LIST_WORDS if self.declared.type == "list" else MOST_WORDS
        self.words = Words(self.declared.name, limit)

    @property
    def expected(self) -> str:
        """What a cell has to be."""
        one = self.declared
        text = EXPECTED[one.type]
        return text if one.least is None else f"{text} from {one.least} to {one.most}"

    def read(self, cells: pa.Array) -> Cells:
        """The block's cells as values.

        Raises:
            TooManyWords: the words do not fit.
        """
        kind = self.declared.type
        if kind == "string":
            return self._strings(cells)
        if kind == "list":
            is_list = pa.types.is_list(cells.type) or pa.types.is_large_list(cells.type)
            return self._lists(cells) if is_list else self._joined(cells)
        found = _PLAIN[kind](cells)
        if self.declared.least is not None and self.declared.most is not None:
            outside = found.known & (
                (found.values < self.declared.least) | (found.values > self.declared.most)
            )
            if outside.any():
                values = np.where(outside, 0, found.values)
                found = Cells(values, found.known & ~outside, found.bad | outside)
        return found

    def keep(self, cells: Cells, rows: Flags | None) -> None:
        """Takes the block's rows, or those of a mask."""
        values, known = (
            (cells.values, cells.known) if rows is None else (cells.values[rows], cells.known[rows])
        )
        self._values.append(values if values.dtype.kind in "bf" else narrow(values))
        self._known.append(None if known.all() else np.packbits(known))
        self._lengths.append(len(values))

    def finish(self, rows: NDArray[np.integer[Any]]) -> Column:
        """The column, of these of the kept rows in this order."""
        kind = self.declared.type
        values = np.concatenate(self._values) if self._values else np.zeros(0, dtype=np.uint8)
        self._values = []
        values = values[rows]
        words: tuple[str, ...] = ()
        if kind == "string":
            words, place = self.words.sorted()
            values = narrow(place[values]) if len(words) else values
        elif kind == "list":
            words, place = self.words.sorted()
            values = _moved_bits(values, place)
        elif kind == "int":
            values = narrow(values)
        elif kind == "bool":
            values = values.astype(np.bool_)
        elif kind == "double":
            values = values.astype(np.float64)
        return Column(kind, values, words, self._known_of(rows))

    def _known_of(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.uint8] | None:
        if all(block is None for block in self._known):
            return None
        known = np.concatenate(
            [
                np.ones(n, dtype=np.bool_)
                if block is None
                else np.unpackbits(block, count=n).astype(np.bool_)
                for block, n in zip(self._known, self._lengths, strict=True)
            ]
        )[rows]
        return None if known.all() else np.packbits(known)

    def _strings(self, cells: pa.Array) -> Cells:
        text, bad = as_text(cells)
        coded = text.dictionary_encode()
        names = coded.dictionary.to_pylist()
        fits = np.array([len(name) <= LONGEST_WORD for name in names] or [True], dtype=np.bool_)
        nothing = self.words.of("")
        each = zip(names, fits, strict=False)
        number = np.array(
            [self.words.of(name) if ok else nothing for name, ok in each] or [nothing], np.int64
        )
        at = pc.fill_null(coded.indices, 0).to_numpy(zero_copy_only=False)
        present = _flags(pc.is_valid(text))
        known = present & fits[at]
        return Cells(np.where(known, number[at], nothing), known, bad | (present & ~known))

    def _joined(self, cells: pa.Array) -> Cells:
        """Lists as CSV has them. An empty cell is an empty list: that is known."""
        text, bad = as_text(cells)
        coded = text.dictionary_encode()
        bits = [self._bits_of(joined) for joined in coded.dictionary.to_pylist()] or [0]
        fits = np.array([one is not None for one in bits], dtype=np.bool_)
        number = np.array([one or 0 for one in bits], dtype=np.uint64)
        at = pc.fill_null(coded.indices, 0).to_numpy(zero_copy_only=False)
        present = _flags(pc.is_valid(text))
        wrong = bad | (present & ~fits[at])
        return Cells(np.where(present & ~wrong, number[at], np.uint64(0)), ~wrong, wrong)

    def _bits_of(self, joined: str) -> int | None:
        found = self._bits.get(joined)
        if found is None:
            words = [word.strip() for word in joined.split(";")]
            if any(len(word) > LONGEST_WORD for word in words):
                return None
            found = 0
            for word in words:
                if word:
                    found |= 1 << self.words.of(word)
            if len(self._bits) < _MOST_CACHED:
                self._bits[joined] = found
        return found

    def _lists(self, cells: pa.Array) -> Cells:
        """Lists as Parquet has them; a null list is not known, a null within a list is nothing."""
        n = len(cells)
        parents = pc.list_parent_indices(cells).to_numpy(zero_copy_only=False).astype(np.int64)
        text, bad = as_text(pc.list_flatten(cells))
        coded = text.dictionary_encode()
        names = coded.dictionary.to_pylist()
        fits = np.array([len(name) <= LONGEST_WORD for name in names] or [True], dtype=np.bool_)
        bit = np.array([1 << self.words.of(name) if ok else 0 for name, ok in zip(names, fits, strict=False)]
                       or [0], dtype=np.uint64)  # fmt: skip
        at = pc.fill_null(coded.indices, 0).to_numpy(zero_copy_only=False)
        present = _flags(pc.is_valid(text))
        each = np.where(present, bit[at], np.uint64(0))
        values, wrong = np.zeros(n, dtype=np.uint64), np.zeros(n, dtype=np.bool_)
        if len(each):
            first = np.flatnonzero(np.diff(parents, prepend=-1))  # parents ascend
            values[parents[first]] = np.bitwise_or.reduceat(each, first)
            wrong[parents[bad | (present & ~fits[at])]] = True
        known = _flags(pc.is_valid(cells)) & ~wrong
        return Cells(np.where(known, values, np.uint64(0)), known, wrong)


def _moved_bits(values: NDArray[Any], place: NDArray[np.int64]) -> NDArray[Any]:
    """Bits moved to the places of the sorted words, in the narrowest type that has one for each word."""
    dtype = next(d for d in (np.uint8, np.uint16, np.uint32, np.uint64) if len(place) <= 8 * d().itemsize)
    moved: NDArray[Any] = np.zeros(len(values), dtype=dtype)
    for bit, to in enumerate(place.tolist()):
        at = (
            ((values >> values.dtype.type(bit)) & values.dtype.type(1)) if bit < 8 * values.itemsize else None
        )
        if at is not None:
            moved = moved | at.astype(dtype) << dtype(to)
    return moved
