"""Octets in and out: a bounds-checked reader, semi-octet digits, length-checked writers."""

from __future__ import annotations

from sim.bssap.errors import DecodeError, EncodeError

#: TS 24.008 10.5.4.7 (called party BCD number): the sixteenth value is the end mark.
BCD_DIGITS = "0123456789*#abc"
END_MARK = 0xF


class Reader:
    """Walks over octets; every read past the end is a DecodeError."""

    __slots__ = ("_data", "_end", "_pos")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self._end = len(data)

    @property
    def remaining(self) -> int:
        return self._end - self._pos

    @property
    def position(self) -> int:
        return self._pos

    def peek_u8(self) -> int:
        if self._pos >= self._end:
            raise DecodeError(f"octet {self._pos} is missing")
        return self._data[self._pos]

    def pull_u8(self) -> int:
        value = self.peek_u8()
        self._pos += 1
        return value

    def pull_uint(self, octets: int) -> int:
        return int.from_bytes(self.pull(octets), "big")

    def pull(self, octets: int) -> bytes:
        end = self._pos + octets
        if end > self._end:
            raise DecodeError(f"{octets} octets wanted at {self._pos}, {self.remaining} left")
        chunk = self._data[self._pos : end]
        self._pos = end
        return chunk

    def pull_rest(self) -> bytes:
        return self.pull(self.remaining)

    def pull_lv(self) -> bytes:
        """A one-octet length and that many octets."""
        return self.pull(self.pull_u8())


def push_uint(value: int, octets: int, what: str) -> bytes:
    """`value` in `octets` octets, most significant first; EncodeError when it does not fit."""
    if not isinstance(value, int) or not 0 <= value < 1 << (8 * octets):
        raise EncodeError(f"{what}: {value!r} does not fit into {octets} octet(s)")
    return value.to_bytes(octets, "big")


def push_octets(value: bytes, what: str) -> bytes:
    """Octets as they stand; a number is none (`bytes` would make as many zeros of it)."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise EncodeError(f"{what}: octets wanted, not {value!r}")
    return bytes(value)


def push_lv(value: bytes, what: str) -> bytes:
    data = push_octets(value, what)
    return push_uint(len(data), 1, f"length of {what}") + data


def pull_bcd(data: bytes, what: str) -> str:
    """Semi-octets, low one first; the end mark may stand in the last high semi-octet only."""
    nibbles = [nibble for octet in data for nibble in (octet & 15, octet >> 4)]
    if nibbles and nibbles[-1] == END_MARK:
        nibbles.pop()
    try:
        return "".join([BCD_DIGITS[nibble] for nibble in nibbles])
    except IndexError:
        raise DecodeError(f"{what}: end mark before the end") from None


def push_bcd(digits: str, what: str) -> bytes:
    """Mirror of `pull_bcd`: an odd count is filled with the end mark."""
    try:
        nibbles = [BCD_DIGITS.index(digit) for digit in digits]
    except (TypeError, ValueError):
        raise EncodeError(f"{what}: {digits!r} has a character outside {BCD_DIGITS!r}") from None
    if len(nibbles) % 2:
        nibbles.append(END_MARK)
    return bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
