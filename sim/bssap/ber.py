"""The part of the Basic Encoding Rules (X.690) that supplementary services use."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap.errors import DecodeError, EncodeError
from sim.bssap.octets import Reader

INTEGER = 0x02
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
SEQUENCE = 0x30
_CONSTRUCTED = 0x20
_MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class Tlv:
    """One data value: identifier octets and contents."""

    tag: int
    """Identifier octet, or the octets of a long one as a number."""
    content: bytes

    @property
    def constructed(self) -> bool:
        first = self.tag
        while first > 0xFF:
            first >>= 8
        return bool(first & _CONSTRUCTED)


def _pull_tag(reader: Reader) -> int:
    tag = reader.pull_u8()
    if tag & 0x1F == 0x1F:
        while True:
            octet = reader.pull_u8()
            tag = tag << 8 | octet
            if not octet & 0x80:
                break
            if tag > 0xFFFFFF:
                raise DecodeError("BER tag is too long")
    return tag


def pull_tlv(reader: Reader, depth: int = 0) -> Tlv:
    """Definite lengths in short and long form; the indefinite form up to its end-of-contents octets."""
    tag = _pull_tag(reader)
    length = reader.pull_u8()
    if length == 0x80:
        if depth > _MAX_DEPTH:
            raise DecodeError("BER values are nested too deeply")
        content = bytearray()
        while True:
            inner = pull_tlv(reader, depth + 1)
            if inner.tag == 0 and not inner.content:
                return Tlv(tag, bytes(content))
            content += push_tlv(inner)
    if length > 0x80:
        if length > 0x84:
            raise DecodeError(f"BER length in {length & 0x7F} octets")
        length = reader.pull_uint(length & 0x7F)
    return Tlv(tag, reader.pull(length))


def decode_all(data: bytes) -> tuple[Tlv, ...]:
    reader = Reader(data)
    found = []
    while reader.remaining:
        found.append(pull_tlv(reader))
    return tuple(found)


def push_tlv(value: Tlv) -> bytes:
    """Shortest definite length."""
    length = len(value.content)
    tag = value.tag.to_bytes((value.tag.bit_length() + 7) // 8 or 1, "big")
    if length < 0x80:
        head = bytes([length])
    else:
        octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
        head = bytes([0x80 | len(octets)]) + octets
    return tag + head + value.content


def encode_all(values: tuple[Tlv, ...]) -> bytes:
    return b"".join(push_tlv(value) for value in values)


def check(data: bytes, depth: int = 0) -> None:
    """DecodeError unless `data` is a row of well-formed values, all the way down."""
    if depth > _MAX_DEPTH:
        raise DecodeError("BER values are nested too deeply")
    for value in decode_all(data):
        if value.constructed:
            check(value.content, depth + 1)


def decode_integer(data: bytes) -> int:
    if not 1 <= len(data) <= 4:
        raise DecodeError(f"BER integer of {len(data)} octets")
    return int.from_bytes(data, "big", signed=True)


def encode_integer(value: int) -> bytes:
    for octets in range(1, 5):
        if -(1 << 8 * octets - 1) <= value < 1 << 8 * octets - 1:
            return value.to_bytes(octets, "big", signed=True)
    raise EncodeError(f"BER integer {value}")
