"""Whose fault it is: the peer's bytes or our values."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

_Value = TypeVar("_Value")

#: What Python says of a value of the wrong type, size or name.
WRONG_VALUE = (AttributeError, TypeError, ValueError, LookupError, OverflowError)


class DecodeError(ValueError):
    """The bytes are not what the specification allows: count it, keep the bytes, go on."""


class EncodeError(ValueError):
    """A value that cannot be put on the wire: our own mistake, stop."""


def writer(what: str) -> Callable[[Callable[[_Value], bytes]], Callable[[_Value], bytes]]:
    """A function that writes `what`: a value that it cannot write is an EncodeError, whatever Python says."""

    def named(encode: Callable[[_Value], bytes]) -> Callable[[_Value], bytes]:
        @wraps(encode)
        def checked(value: _Value) -> bytes:
            try:
                return encode(value)
            except EncodeError:
                raise
            except WRONG_VALUE as error:
                raise EncodeError(f"{what}: {error}") from error

        return checked

    return named
