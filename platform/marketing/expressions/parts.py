"""A part of an expression, typed and compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from marketing.expressions.catalogue import Type
from marketing.expressions.columns import AnyColumn, Numbers, Words
from marketing.expressions.syntax import Node

__all__ = ["Checker", "Get", "Part", "literal"]

Get = Callable[[str], AnyColumn]
"""Gives a column by its name."""


@dataclass(frozen=True, slots=True)
class Part:
    """What it is, what it reads, and how its value comes about."""

    type: Type
    reads: frozenset[str]
    value: Callable[[Get], Any]
    """Of the columns given: a column, or a single value that goes for every row."""
    items: tuple[Part, ...] | None = None
    """Of a list written out: its items, and `value` is not to be asked."""


class Checker(Protocol):
    """What functions ask of the compiler."""

    def part(self, node: Node) -> Part:
        """A node typed and compiled."""
        ...

    def wanted(self, node: Node, kind: Type, where: str) -> Part:
        """The same; anything but this type is an error."""
        ...


_MADE: Final[dict[type, tuple[Type, type[np.generic]]]] = {
    bool: (Type.BOOL, np.bool_),
    int: (Type.INT, np.int64),
    float: (Type.DOUBLE, np.float64),
}


def literal(value: bool | int | float | str) -> Part:
    """A value written out."""
    if isinstance(value, str):
        word = Words(np.zeros((), dtype=np.int64), (value,))
        return Part(Type.STRING, frozenset(), lambda _get: word)
    kind, dtype = _MADE[type(value)]
    number = Numbers(np.array(value, dtype=dtype))
    return Part(kind, frozenset(), lambda _get: number)
