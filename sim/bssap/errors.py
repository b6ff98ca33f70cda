"""Whose fault it is: the peer's bytes or our values."""

from __future__ import annotations


class DecodeError(ValueError):
    """The bytes are not what the specification allows: count it, keep the bytes, go on."""


class EncodeError(ValueError):
    """A value that cannot be put on the wire: our own mistake, stop."""
