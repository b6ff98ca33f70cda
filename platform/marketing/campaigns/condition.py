"""Expressions inside campaign files, checked when the file is read."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from marketing.expressions import compile_expression

__all__ = ["Condition", "reads"]


def _checked(text: str) -> str:
    found = compile_expression(text)
    if found.constant is not None:
        raise ValueError(f"this is always {str(found.constant).lower()}: it reads no feature")
    return text


Condition = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_checked)]
"""Text of an expression that is true or false."""


def reads(text: str) -> frozenset[str]:
    """Names that a checked expression reads."""
    return compile_expression(text).reads
