"""Expressions inside campaign files, checked when the file is read."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

__all__ = ["Condition", "reads"]

Condition = Annotated[str, Field(min_length=1, max_length=2000)]
"""Text of an expression that is true or false."""


def reads(_text: str) -> frozenset[str]:
    """Names that an expression reads."""
    return frozenset()
