"""Expressions inside campaign files, checked when the file is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Final

from pydantic import AfterValidator, Field, JsonValue

from marketing.expressions import CATALOGUE, Catalogue, compile_expression

__all__ = ["Condition", "in_use", "reads", "using"]

_IN_USE: Final[ContextVar[Catalogue]] = ContextVar("catalogue", default=CATALOGUE)
"""Validators have no arguments; what they check against stands here while files are read."""


@contextmanager
def using(catalogue: Catalogue) -> Iterator[None]:
    """Campaigns made meanwhile may name what this catalogue has, such as further columns of an extract."""
    token = _IN_USE.set(catalogue)
    try:
        yield
    finally:
        _IN_USE.reset(token)


def in_use() -> Catalogue:
    """The catalogue that campaigns are checked against now."""
    return _IN_USE.get()


_EXAMPLES: Final[list[JsonValue]] = [
    'profile.segment == "students" && "wap" in profile.services && !("vip" in lists)',
    'now.idle > duration("20m") && now.hour >= 18',
    'habit.minutes_left < 20 && last["10086"] > duration("24h")',
]


def _checked(text: str) -> str:
    found = compile_expression(text, _IN_USE.get())
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
    return compile_expression(text, _IN_USE.get()).reads
