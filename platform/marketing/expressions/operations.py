"""What the operators and functions of expressions do to columns; CEL's errors become values not known."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketing.expressions.columns import Known, Numbers, Sets, Words

__all__ = [
    "ARITHMETIC",
    "COMPARE",
    "DURATION_MAX_US",
    "Table",
    "among",
    "both",
    "choose",
    "compare_mixed",
    "compare_words",
    "conjunction",
    "disjunction",
    "divided",
    "held",
    "negated",
    "remainder",
    "shortened",
    "to_int",
]

COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_INT_MIN: Final = np.int64(-(1 << 63))
_ONE: Final = np.uint64(1)
DURATION_MAX_US: Final = 315_576_000_000 * 1_000_000
"""Ten thousand years, CEL's range."""


def both(*known: Known) -> Known:
    """Where all are known."""
    masks = [mask for mask in known if mask is not None]
    if not masks:
        return None
    found = masks[0]
    for mask in masks[1:]:
        found = found & mask
    return found


class Table:
    """A function of words, worked out once for a vocabulary and then looked up by code."""

    __slots__ = ("_dtype", "_made", "_of")

    def __init__(self, of: Callable[[str], Any], dtype: type[np.generic]) -> None:
        self._of, self._dtype = of, dtype
        self._made: tuple[Sequence[str] | None, NDArray[Any]] = (None, np.empty(0, dtype=dtype))

    def __call__(self, column: Words) -> NDArray[Any]:
        words, values = self._made
        if words is not column.words:
            values = np.array([self._of(word) for word in column.words], dtype=self._dtype)
            self._made = (column.words, values)
        found: NDArray[Any] = values[column.codes]
        return found


def compare_words(sign: str, left: Words, right: Words) -> NDArray[np.bool_]:
    """Words of two columns, in the order of code points."""
    rank = {word: i for i, word in enumerate(sorted({*left.words, *right.words}))}
    lefts = np.array([rank[word] for word in left.words])[left.codes]
    rights = np.array([rank[word] for word in right.words])[right.codes]
    found: NDArray[np.bool_] = COMPARE[sign](lefts, rights)
    return found


def compare_mixed(sign: str, ints: NDArray[np.int64], doubles: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whole numbers against doubles by their mathematical values; NaN compares as false, != as true."""
    low, high = doubles < -(2.0**63), doubles >= 2.0**63
    safe = np.where(low | high | np.isnan(doubles), 0.0, doubles)
    whole = np.trunc(safe)
    cut = whole.astype(np.int64)
    # -1, 0 or 1 as the int is below, at or above the double
    rank = np.sign(np.where(ints == cut, 0, np.where(ints < cut, -1, 1)) * 2 + np.sign(whole - safe))
    rank = np.where(low, 1, np.where(high, -1, rank))
    found: NDArray[np.bool_] = COMPARE[sign](rank, 0)
    return np.where(np.isnan(doubles), sign == "!=", found)


def held(left: Words, sets: Sets, bit: Table) -> NDArray[np.bool_]:
    """Where the set holds the word; `bit` gives each word's bit in this set's order, 0 for none."""
    found: NDArray[np.bool_] = (sets.bits & bit(left)) != 0
    return found


def among(left: NDArray[Any], items: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Where the value equals one of the items."""
    found: NDArray[np.bool_] = np.zeros(np.shape(left), dtype=np.bool_)
    for item in items:
        found = found | (left == item)
    return found


def conjunction(parts: Sequence[Callable[[], Numbers]]) -> Numbers:
    """`&&`: false where one is false, whatever is not known of the others. Stops where all is decided."""
    true: Any = np.True_
    false: Any = np.False_
    certain = True
    for part in parts:
        value = part()
        if value.known is None:
            true, false = true & value.values, false | ~value.values
        else:
            certain = False
            true, false = true & value.values & value.known, false | (~value.values & value.known)
        if np.all(false):
            return Numbers(np.zeros(np.shape(false), dtype=np.bool_))
    return Numbers(true, None if certain else true | false)


def disjunction(parts: Sequence[Callable[[], Numbers]]) -> Numbers:
    """`||`: true where one is true, whatever is not known of the others."""

    def turned(part: Callable[[], Numbers]) -> Callable[[], Numbers]:
        def value() -> Numbers:
            found = part()
            return Numbers(~found.values, found.known)

        return value

    found = conjunction([turned(part) for part in parts])
    return Numbers(~found.values, found.known)


def choose(condition: Numbers, yes: Numbers | Words, no: Numbers | Words) -> Numbers | Words:
    """`condition ? yes : no`; only what is chosen must be known."""
    where = condition.values
    known: Known = condition.known
    if yes.known is not None or no.known is not None:
        chosen = np.where(
            where,
            np.True_ if yes.known is None else yes.known,
            np.True_ if no.known is None else no.known,
        )
        known = both(known, chosen)
    if isinstance(yes, Words) and isinstance(no, Words):
        shifted = no.codes + np.int64(len(yes.words))
        return Words(np.where(where, yes.codes, shifted), (*yes.words, *no.words), known)
    assert isinstance(yes, Numbers)
    assert isinstance(no, Numbers)
    return Numbers(np.where(where, yes.values, no.values), known)


# ------------------------------------------------------------------- arithmetic: (values, where defined)

Result = tuple[NDArray[Any], Known]


def _ints(
    plain: Callable[[Any, Any], Any], overflown: Callable[[Any, Any, Any], Any]
) -> Callable[[Any, Any], Result]:
    def apply(a: Any, b: Any) -> Result:
        # 64-bit arithmetic wraps round without a word; what wrapped is not known.
        with np.errstate(over="ignore"):
            result = plain(a, b)
            wrong = overflown(a, b, result)
        return result, None if not np.any(wrong) else ~wrong

    return apply


def _product_overflown(a: Any, b: Any, result: Any) -> Any:
    near = np.abs(np.asarray(a, dtype=np.float64) * np.asarray(b, dtype=np.float64)) >= 2.0**62
    if not np.any(near):
        return near
    a, b, result, near = np.broadcast_arrays(a, b, result, near)
    wrong = np.zeros(near.shape, dtype=np.bool_)
    for place in np.argwhere(near):
        at = tuple(place)
        wrong[at] = int(a[at]) * int(b[at]) != int(result[at])
    return wrong


def _durations(plain: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Result]:
    def apply(a: Any, b: Any) -> Result:
        result = plain(a, b)
        wrong = np.abs(result) > DURATION_MAX_US
        return result, None if not np.any(wrong) else ~wrong

    return apply


def _doubles(plain: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Result]:
    def apply(a: Any, b: Any) -> Result:
        with np.errstate(all="ignore"):
            return plain(a, b), None

    return apply


def _parts(a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Dividend and a divisor that is safe to divide by, and where it was not."""
    wrong = (b == 0) | ((a == _INT_MIN) & (b == -1))
    return a, np.where(wrong, np.int64(1), b), wrong


def divided(a: Any, b: Any) -> Result:
    """Whole numbers, towards zero."""
    a, safe, wrong = _parts(a, b)
    left = np.fmod(a, safe)
    result = (a - left) // safe
    return result, None if not np.any(wrong) else ~wrong


def remainder(a: Any, b: Any) -> Result:
    """What a division towards zero leaves; it has the sign of the dividend."""
    a, safe, wrong = _parts(a, b)
    return np.fmod(a, safe), None if not np.any(wrong) else ~wrong


ARITHMETIC: Final[dict[tuple[str, str], Callable[[Any, Any], Result]]] = {
    ("+", "int"): _ints(operator.add, lambda a, b, r: ((a >= 0) == (b >= 0)) & ((r >= 0) != (a >= 0))),
    ("-", "int"): _ints(operator.sub, lambda a, b, r: ((a >= 0) != (b >= 0)) & ((r >= 0) != (a >= 0))),
    ("*", "int"): _ints(operator.mul, _product_overflown),
    ("/", "int"): divided,
    ("%", "int"): remainder,
    ("+", "double"): _doubles(operator.add),
    ("-", "double"): _doubles(operator.sub),
    ("*", "double"): _doubles(operator.mul),
    ("/", "double"): _doubles(np.divide),
    ("+", "duration"): _durations(operator.add),
    ("-", "duration"): _durations(operator.sub),
}
"""(operator, type of both sides) -> what it does."""


def negated(value: Numbers) -> Numbers:
    """`-x` of an int or double."""
    if value.values.dtype == np.float64:
        return Numbers(-value.values, value.known)
    wrong = value.values == _INT_MIN
    with np.errstate(over="ignore"):
        return Numbers(-value.values, value.known if not np.any(wrong) else both(value.known, ~wrong))


def to_int(value: Numbers) -> Numbers:
    """`int(double)`, towards zero."""
    doubles = value.values
    wrong = ~((doubles > -(2.0**63)) & (doubles < 2.0**63))
    ints = np.where(wrong, 0.0, doubles).astype(np.int64)
    return Numbers(ints, value.known if not np.any(wrong) else both(value.known, ~wrong))


def shortened(unit_us: int) -> Callable[[Numbers], Numbers]:
    """Whole units of a duration, towards zero."""

    def apply(value: Numbers) -> Numbers:
        return Numbers(divided(value.values, np.int64(unit_us))[0], value.known)

    return apply
