"""The audience: an expression, or the short form column -> value that stands for one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from marketing.campaigns.condition import in_use
from marketing.config import suggest
from marketing.expressions import Type

__all__ = ["Short", "Value", "as_expression", "check_short"]

Value = bool | int | float | str | list[str]
Short = dict[str, Value]

_WANTED: Final = {
    Type.BOOL: "true or false",
    Type.INT: "a whole number",
    Type.DOUBLE: "a number",
    Type.STRING: "a word or a list of words",
    Type.STRINGS: "a word or a list of words",
}


def _columns() -> dict[str, Type]:
    features = in_use().items()
    columns = {name.removeprefix("profile."): f.type for name, f in features if name.startswith("profile.")}
    return {**columns, "lists": Type.STRINGS}


def check_short(audience: Mapping[str, Value]) -> None:
    """Raises ValueError: no such column, or a value that it cannot have."""
    columns = _columns()
    for column, value in audience.items():
        kind = columns.get(column)
        if kind is None:
            near = suggest(column, list(columns))
            hint = f"; did you mean {near!r}?" if near else ""
            raise ValueError(
                f"no column {column!r} in the BOSS extract; known are {', '.join(columns)}{hint}"
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
    columns = _columns()
    return " && ".join(_holds(column, columns[column], value) for column, value in audience.items())


def _holds(column: str, kind: Type, value: Value) -> str:
    name = column if column == "lists" else f"profile.{column}"
    if isinstance(value, bool):
        return name if value else f"!{name}"
    if isinstance(value, int | float):
        return f"{name} == {float(value)!r}" if kind is Type.DOUBLE else f"{name} == {value}"
    words = [json.dumps(word, ensure_ascii=False) for word in ([value] if isinstance(value, str) else value)]
    if kind is Type.STRING:
        return f"{name} == {words[0]}" if len(words) == 1 else f"{name} in [{', '.join(words)}]"
    either = " || ".join(f"{word} in {name}" for word in words)
    return f"({either})" if len(words) > 1 else either
