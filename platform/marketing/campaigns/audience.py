"""The audience: an expression, or the short form column -> value that stands for one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from marketing.config import suggest
from marketing.expressions import CATALOGUE, Type

__all__ = ["Short", "Value", "as_expression", "check_short"]

Value = bool | int | float | str | list[str]
Short = dict[str, Value]

_COLUMNS: Final = {
    **{n.removeprefix("profile."): f.type for n, f in CATALOGUE.items() if n.startswith("profile.")},
    "lists": Type.STRINGS,
}
_WANTED: Final = {
    Type.BOOL: "true or false",
    Type.INT: "a whole number",
    Type.DOUBLE: "a number",
    Type.STRING: "a word or a list of words",
    Type.STRINGS: "a word or a list of words",
}


def check_short(audience: Mapping[str, Value]) -> None:
    """Raises ValueError: no such column, or a value that it cannot have."""
    for column, value in audience.items():
        kind = _COLUMNS.get(column)
        if kind is None:
            near = suggest(column, list(_COLUMNS))
            hint = f"; did you mean {near!r}?" if near else ""
            raise ValueError(
                f"no column {column!r} in the BOSS extract; known are {', '.join(_COLUMNS)}{hint}"
            )
        fits = {
            Type.BOOL: isinstance(value, bool),
            Type.INT: isinstance(value, int) and not isinstance(value, bool),
            Type.DOUBLE: isinstance(value, int | float) and not isinstance(value, bool),
        }.get(kind, isinstance(value, str | list))
        if not fits:
            raise ValueError(f"{column}: expected {_WANTED[kind]}")
        if value == []:
            raise ValueError(f"{column}: an empty list would match nobody")


def as_expression(audience: Mapping[str, Value]) -> str:
    """The expression that a short form stands for; empty where it is empty, which is everybody."""
    return " && ".join(_holds(column, value) for column, value in audience.items())


def _holds(column: str, value: Value) -> str:
    name = column if column == "lists" else f"profile.{column}"
    if isinstance(value, bool):
        return name if value else f"!{name}"
    if isinstance(value, int | float):
        return f"{name} == {float(value)!r}" if _COLUMNS[column] is Type.DOUBLE else f"{name} == {value}"
    words = [json.dumps(word, ensure_ascii=False) for word in ([value] if isinstance(value, str) else value)]
    if _COLUMNS[column] is Type.STRING:
        return f"{name} == {words[0]}" if len(words) == 1 else f"{name} in [{', '.join(words)}]"
    either = " || ".join(f"{word} in {name}" for word in words)
    return f"({either})" if len(words) > 1 else either
