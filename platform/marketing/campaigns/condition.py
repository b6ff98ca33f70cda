"""Expressions inside campaign files, checked when the file is read."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, JsonValue

from marketing.expressions import compile_expression

__all__ = ["Condition", "reads"]


_EXAMPLES: Final[list[JsonValue]] = [
    'profile.segment == "students" && "wap" in profile.services && !("vip" in lists)',
    'now.idle > duration("20m") && now.hour >= 18',
    'habit.minutes_left < 20 && last["10086"] > duration("24h")',
]


def _checked(text: str) -> str:
    found = compile_expression(text)
    if found.constant is not None:
        raise ValueError(f"this is always {str(found.constant).lower()}: it reads no feature")
    return text


Condition = Annotated[
    str,
    Field(min_length=1, max_length=2000, json_schema_extra={"examples": _EXAMPLES}),
    AfterValidator(_checked),
]
"""Text of an expression that is true or false."""


def reads(text: str) -> frozenset[str]:
    """Names that a checked expression reads."""
    return compile_expression(text).reads
