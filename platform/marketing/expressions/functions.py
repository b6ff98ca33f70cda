"""The functions and methods of expressions: one row each, and what CEL has that this language has not."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import numpy as np

from marketing.expressions import operations as ops
from marketing.expressions.catalogue import Type
from marketing.expressions.columns import Ascii, Numbers, Sets, Words
from marketing.expressions.parts import Checker, Get, Part
from marketing.expressions.syntax import Access, Call, Literal, Node

__all__ = ["FUNCTIONS", "FUNCTION_TABLE", "METHODS", "UNKNOWN_WORDS", "duration_us"]

_DURATION: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:h|m|s|ms|us|ns))+")
_STEP: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|m|s|us|ns)")
_UNIT_US: Final = {
    "h": Fraction(3_600_000_000),
    "m": Fraction(60_000_000),
    "s": Fraction(1_000_000),
    "ms": Fraction(1000),
    "us": Fraction(1),
    "ns": Fraction(1, 1000),
}

UNKNOWN_WORDS: Final = {
    "null": "null is not part of this language; to ask whether something is known, write has(profile.age)",
    "matches": "matches is not part of this language; use startsWith, endsWith or contains",
    **dict.fromkeys(
        ("all", "exists", "exists_one", "map", "filter"),
        "loops over lists are not part of this language; write out the conditions, or use in",
    ),
    **dict.fromkeys(
        ("timestamp", "string", "bytes", "uint", "type", "dyn", "bool"),
        "this type is not part of this language; it has bool, int, double, string and duration",
    ),
}
"""What CEL has and this language has not -> what to do instead."""


def duration_us(text: str) -> int:
    """Microseconds of a text such as 1h30m, 45s or 1.5s.

    Raises:
        ValueError: no such text, finer than a microsecond, or longer than ten thousand years.
    """
    if len(text) > 40 or not _DURATION.fullmatch(text):
        raise ValueError('expected a duration such as "30s", "45m", "1h30m" or "1.5s"')
    total = sum((Fraction(n) * _UNIT_US[u] for n, u in _STEP.findall(text)), start=Fraction(0))
    if total.denominator != 1:
        raise ValueError("a duration has no parts smaller than a microsecond")
    if total > ops.DURATION_MAX_US:
        raise ValueError("a duration has at most ten thousand years")
    return int(-total if text[0] == "-" else total)


def _one(node: Call) -> Node:
    if len(node.arguments) != 1:
        raise node.wrong(f"{node.name} takes one argument, found {len(node.arguments)}")
    return node.arguments[0]


def _none(node: Call) -> Node:
    if node.arguments:
        raise node.wrong(f"{node.name} takes no argument, found {len(node.arguments)}")
    assert node.of is not None
    return node.of


def _duration(_checker: Checker, node: Call) -> Part:
    argument = _one(node)
    text = argument.value if isinstance(argument, Literal) else None
    if not isinstance(text, str):
        raise argument.wrong('duration takes a text in quotes, such as duration("45m")')
    try:
        value = Numbers(np.array(duration_us(text), dtype=np.int64))
    except ValueError as error:
        raise argument.wrong(str(error)) from None
    return Part(Type.DURATION, frozenset(), lambda _get: value)


def _has(checker: Checker, node: Call) -> Part:
    argument = _one(node)
    if not isinstance(argument, Access):
        raise argument.wrong("has takes a feature, such as has(profile.age)")
    part = checker.part(argument)

    def value(get: Get) -> Numbers:
        found = part.value(get)
        shape = np.shape(
            found.codes if isinstance(found, Words) else getattr(found, "values", getattr(found, "bits", ()))
        )
        return Numbers(np.ones(shape, dtype=np.bool_) if found.known is None else found.known)

    return Part(Type.BOOL, part.reads, value)


def _size_of(checker: Checker, node: Call, of: Node) -> Part:
    part = checker.part(of)
    if part.items is not None:
        count = Numbers(np.array(len(part.items), dtype=np.int64))
        return Part(Type.INT, frozenset(), lambda _get: count)
    if part.type is Type.STRING:
        length = ops.Table(len, np.int64)
        return Part(Type.INT, part.reads, lambda get: _table(length, part.value(get)))
    if part.type is Type.STRINGS:
        return Part(Type.INT, part.reads, lambda get: _held(part.value(get)))
    raise of.wrong(f"size takes a string or a list, found {part.type.value}")


def _held(sets: Sets) -> Numbers:
    counts = np.zeros(np.shape(sets.bits), dtype=np.int64)
    for bit in range(len(sets.names)):
        counts += ((sets.bits >> np.uint64(bit)) & np.uint64(1)).astype(np.int64)
    return Numbers(counts, sets.known)


def _table(table: ops.Table, words: Words) -> Numbers:
    return Numbers(table(words), words.known)


def _converted(kind: Type, other: Type, how: Callable[[Numbers], Numbers]) -> Callable[[Checker, Call], Part]:
    def made(checker: Checker, node: Call) -> Part:
        argument = _one(node)
        part = checker.part(argument)
        if part.type is kind:
            return part
        if part.type is not other:
            raise argument.wrong(f"{node.name} takes an int or a double, found {part.type.value}")
        return Part(kind, part.reads, lambda get: how(part.value(get)))

    return made


def _to_double(value: Numbers) -> Numbers:
    return Numbers(value.values.astype(np.float64), value.known)


def _text(how: Callable[[str, str], bool]) -> Callable[[Checker, Call], Part]:
    def made(checker: Checker, node: Call) -> Part:
        assert node.of is not None
        part = checker.wanted(node.of, Type.STRING, node.name)
        argument = _one(node)
        wanted = argument.value if isinstance(argument, Literal) else None
        if not isinstance(wanted, str):
            raise argument.wrong(f"{node.name} takes a text in quotes")
        table = ops.Table(lambda word: how(word, wanted), np.bool_)
        if how is str.startswith:
            return Part(Type.BOOL, part.reads, lambda get: _begins(table, wanted, part.value(get)))
        return Part(Type.BOOL, part.reads, lambda get: _table(table, part.value(get)))

    return made


def _begins(table: ops.Table, prefix: str, column: Words) -> Numbers:
    """Numbers dialled are as many as rows: no table of them pays."""
    if not isinstance(column.words, Ascii):
        return _table(table, column)
    return Numbers(column.words.begins(prefix)[column.codes], column.known)


def _units(unit_us: int) -> Callable[[Checker, Call], Part]:
    how = ops.shortened(unit_us)

    def made(checker: Checker, node: Call) -> Part:
        part = checker.wanted(_none(node), Type.DURATION, node.name)
        return Part(Type.INT, part.reads, lambda get: how(part.value(get)))

    return made


Made = Callable[[Any, Call], Part]
FUNCTIONS: Final[dict[str, Made]] = {
    "duration": _duration,
    "has": _has,
    "size": lambda checker, node: _size_of(checker, node, _one(node)),
    "int": _converted(Type.INT, Type.DOUBLE, ops.to_int),
    "double": _converted(Type.DOUBLE, Type.INT, _to_double),
}
METHODS: Final[dict[str, Made]] = {
    "startsWith": _text(str.startswith),
    "endsWith": _text(str.endswith),
    "contains": _text(str.__contains__),
    "size": lambda checker, node: _size_of(checker, node, _none(node)),
    "getHours": _units(3_600_000_000),
    "getMinutes": _units(60_000_000),
    "getSeconds": _units(1_000_000),
}

FUNCTION_TABLE: Final[tuple[tuple[str, str], ...]] = (
    ('duration("1h30m")', "duration: numbers with h, m, s, ms or us"),
    ("has(profile.age)", "bool: whether it is known"),
    ("size(x), x.size()", "int: characters of a string, or items of a list"),
    ("int(x)", "int: of a double, towards zero"),
    ("double(x)", "double: of an int"),
    ('x.startsWith("a")', "bool: of a string"),
    ('x.endsWith("a")', "bool: of a string"),
    ('x.contains("a")', "bool: of a string"),
    ("d.getHours(), d.getMinutes(), d.getSeconds()", "int: whole units of a duration, towards zero"),
)
"""Form and result, for people."""
