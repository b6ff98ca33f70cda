"""The parameters of one PDU class, checked, written and read by a loop in C."""

from typing import Any

class Layout:
    """All parameters of the class `cls`, whose slots they are: `parameters` is its table."""

    def __init__(self, cls: type, parameters: tuple[tuple[str, Any], ...]) -> None: ...
    def check(self, body: Any) -> None:
        """Raise EncodeError for the first value that has no place on the wire."""

    def push(self, out: bytearray, body: Any) -> None:
        """Append all values, which have been checked."""

    def pull(self, data: bytes, at: int, body: Any) -> int:
        """Put the values that begin at `at` into `body`, one after the other; where they end.

        Raises IndexError where `data` ends first, DecodeError for a wrong one: the first slot that is empty
        then tells which.
        """
