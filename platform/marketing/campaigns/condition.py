"""Expressions inside campaign files, checked when the file is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Final

from pydantic import AfterValidator, Field, JsonValue

from marketing.expressions import BOSS_CATALOGUE, CATALOGUE, Catalogue, compile_expression, impossible

__all__ = ["BossCondition", "Condition", "in_use", "reads", "using"]

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
    return _varying(text, _IN_USE.get())


def _checked_boss(text: str) -> str:
    return _varying(text, BOSS_CATALOGUE)


def _varying(text: str, catalogue: Catalogue) -> str:
    found = compile_expression(text, catalogue)
    if found.constant is not None:
        raise ValueError(f"this is always {str(found.constant).lower()}: it reads no feature")
    never = impossible([text], catalogue)
    if never is not None:
        raise never
    return text


Condition = Annotated[
    str,
    Field(min_length=1, max_length=2000, json_schema_extra={"examples": _EXAMPLES}),
    AfterValidator(_checked),
]
"""Text of an expression that is true or false."""
_BOSS_EXAMPLES: Final[list[JsonValue]] = ['boss.balance >= 50.0 && !("mms" in boss.services)']
BossCondition = Annotated[
    str,
    Field(min_length=1, max_length=2000, json_schema_extra={"examples": _BOSS_EXAMPLES}),
    AfterValidator(_checked_boss),
]
"""The same over what BOSS says at the moment of a decision."""


def reads(text: str) -> frozenset[str]:
    """Names that a checked expression reads."""
    return compile_expression(text, _IN_USE.get()).reads
