"""SCCP messages: Q.713. Segmentation and the connection's states are in `sccp_connection`.

Local references are kept as the three octets stand on the wire, most significant first, so that
`f"{reference:06x}"` is what a hex dump shows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sim.bssap.errors import WRONG_VALUE, DecodeError, EncodeError, writer
from sim.bssap.octets import Reader, push_octets, push_uint
from sim.bssap.sccp_address import Address, decode_address, encode_address


@dataclass(frozen=True, slots=True)
class SccpType:
    """One row of the message table: which parameters stand where."""

    code: int
    short: str
    name: str
    clause: str
    fixed: tuple[str, ...] = ()
    """Mandatory fixed part, wire order."""
    variable: tuple[str, ...] = ()
    """Mandatory variable part, in pointer order."""
    optional: tuple[str, ...] = ()
    """Optional parameters, in the order they are written; () and no pointer when there are none."""
    pointer: int = 1
    """Octets of a pointer; the long messages have two, and two-octet lengths of the data."""


_ADDRESSES = ("called", "calling")
_SEGMENTED = ("segmentation", "importance")

#: Q.713 4.2-4.21, codes Q.713 2.1 table 1.
MESSAGES: tuple[SccpType, ...] = (
    SccpType(
        0x01, "CR", "Connection request", "Q.713 4.2",
        ("source", "protocol_class"), ("called",),
        ("credit", "calling", "data", "hop_counter", "importance"),
    ),
    SccpType(
        0x02, "CC", "Connection confirm", "Q.713 4.3",
        ("destination", "source", "protocol_class"), (), ("credit", "called", "data", "importance"),
    ),
    SccpType(
        0x03, "CREF", "Connection refused", "Q.713 4.4",
        ("destination", "cause"), (), ("called", "data", "importance"),
    ),
    SccpType(
        0x04, "RLSD", "Released", "Q.713 4.5",
        ("destination", "source", "cause"), (), ("data", "importance"),
    ),
    SccpType(0x05, "RLC", "Release complete", "Q.713 4.6", ("destination", "source")),
    SccpType(0x06, "DT1", "Data form 1", "Q.713 4.7", ("destination", "more"), ("data",)),
    SccpType(0x07, "DT2", "Data form 2", "Q.713 4.8", ("destination", "sequencing"), ("data",)),
    SccpType(
        0x08, "AK", "Data acknowledgement", "Q.713 4.9", ("destination", "receive_number", "credit")
    ),
    SccpType(0x09, "UDT", "Unitdata", "Q.713 4.10", ("protocol_class",), (*_ADDRESSES, "data")),
    SccpType(0x0A, "UDTS", "Unitdata service", "Q.713 4.11", ("cause",), (*_ADDRESSES, "data")),
    SccpType(0x0B, "ED", "Expedited data", "Q.713 4.12", ("destination",), ("data",)),
    SccpType(0x0C, "EA", "Expedited data acknowledgement", "Q.713 4.13", ("destination",)),
    SccpType(0x0D, "RSR", "Reset request", "Q.713 4.14", ("destination", "source", "cause")),
    SccpType(0x0E, "RSC", "Reset confirmation", "Q.713 4.15", ("destination", "source")),
    SccpType(0x0F, "ERR", "Error", "Q.713 4.16", ("destination", "cause")),
    SccpType(
        0x10, "IT", "Inactivity test", "Q.713 4.17",
        ("destination", "source", "protocol_class", "sequencing", "credit"),
    ),
    SccpType(
        0x11, "XUDT", "Extended unitdata", "Q.713 4.18",
        ("protocol_class", "hop_counter"), (*_ADDRESSES, "data"), _SEGMENTED,
    ),
    SccpType(
        0x12, "XUDTS", "Extended unitdata service", "Q.713 4.19",
        ("cause", "hop_counter"), (*_ADDRESSES, "data"), _SEGMENTED,
    ),
    SccpType(
        0x13, "LUDT", "Long unitdata", "Q.713 4.20",
        ("protocol_class", "hop_counter"), (*_ADDRESSES, "data"), _SEGMENTED, 2,
    ),
    SccpType(
        0x14, "LUDTS", "Long unitdata service", "Q.713 4.21",
        ("cause", "hop_counter"), (*_ADDRESSES, "data"), _SEGMENTED, 2,
    ),
)  # fmt: skip
BY_CODE = {row.code: row for row in MESSAGES}
BY_SHORT = {row.short: row for row in MESSAGES}

#: Parameter name codes, Q.713 3.1 table 2.
PARAMETER_CODES = {
    "called": 0x03, "calling": 0x04, "credit": 0x09, "data": 0x0F,
    "segmentation": 0x10, "hop_counter": 0x11, "importance": 0x12,
}  # fmt: skip
_PARAMETERS = {code: name for name, code in PARAMETER_CODES.items()}

#: Octets of the parameters of fixed length.
_SIZES = {
    "source": 3, "destination": 3, "protocol_class": 1, "cause": 1, "more": 1, "sequencing": 2,
    "receive_number": 1, "credit": 1, "hop_counter": 1, "importance": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segmentation:
    """Q.713 3.17: of XUDT and LUDT."""

    first: bool
    remaining: int
    """Segments still to come, 0-15."""
    reference: int
    """Segmentation local reference, 24 bits as on the wire."""
    in_sequence: bool = False
    """The class that the user asked for was 1."""


def sequencing(send: int, receive: int, *, more: bool = False) -> int:
    """Sequencing/segmenting, Q.713 3.9: P(S), P(R) and the more bit as DT2 and IT have them."""
    for number in (send, receive):
        if not 0 <= number < 128:
            raise EncodeError(f"P(S) or P(R) {number}: 7 bits")
    return send << 9 | receive << 1 | more


@dataclass(frozen=True, slots=True)
class SccpMessage:
    """One SCCP message; the parameters that its type does not have are None."""

    type: str
    """Short name: CR, CC, DT1 ..."""
    destination: int | None = None
    """Destination local reference, 24 bits."""
    source: int | None = None
    """Source local reference, 24 bits."""
    protocol_class: int | None = None
    """Class 0-3 in the low semi-octet, message handling (8: return on error) in the high one."""
    cause: int | None = None
    """Refusal, release, return, reset or error cause: Q.713 3.11-3.15."""
    called: Address | None = None
    calling: Address | None = None
    data: bytes | None = None
    more: bool | None = None
    """Segmenting/reassembling, Q.713 3.7: more data follow."""
    sequencing: int | None = None
    """Sequencing/segmenting, two octets as they stand: Q.713 3.9."""
    receive_number: int | None = None
    credit: int | None = None
    hop_counter: int | None = None
    segmentation: Segmentation | None = None
    importance: int | None = None

    def __post_init__(self) -> None:
        row = BY_SHORT.get(self.type) if isinstance(self.type, str) else None
        if row is None:
            raise EncodeError(f"SCCP message type {self.type!r} is unknown")
        allowed = {*row.fixed, *row.variable, *row.optional}
        for name in (*row.fixed, *row.variable):
            if getattr(self, name) is None:
                raise EncodeError(f"{self.type}: {name} is missing")
        for field in fields(self):
            if field.name not in allowed and field.name != "type" and getattr(self, field.name) is not None:
                raise EncodeError(f"{self.type} has no {field.name}")

    @property
    def name(self) -> str:
        return BY_SHORT[self.type].name

    @property
    def more_data(self) -> bool:
        """Whether a DT1 or DT2 is not the last of its data: Q.713 3.7, bit 1 of the second octet of 3.9."""
        return bool(self.more) or (self.type == "DT2" and bool((self.sequencing or 0) & 1))

    @property
    def send_number(self) -> int | None:
        """P(S) of DT2 and IT, 7 bits: Q.713 3.9."""
        return None if self.sequencing is None else self.sequencing >> 9

    @property
    def expected_number(self) -> int | None:
        """P(R), the next one awaited, 7 bits: of AK (Q.713 3.8), DT2 and IT (3.9)."""
        octet = self.receive_number if self.sequencing is None else self.sequencing
        return None if octet is None else octet >> 1 & 0x7F


def _decode_segmentation(data: bytes) -> Segmentation:
    if len(data) != 4:
        raise DecodeError(f"{len(data)} octets, 4 wanted")
    first = data[0]
    return Segmentation(bool(first & 0x80), first & 15, int.from_bytes(data[1:], "big"), bool(first & 0x40))


def _encode_segmentation(value: Segmentation) -> bytes:
    if not 0 <= value.remaining <= 15:
        raise EncodeError(f"segmentation: {value.remaining} remaining segments")
    first = bool(value.first) << 7 | bool(value.in_sequence) << 6 | value.remaining
    return bytes([first]) + push_uint(value.reference, 3, "segmentation local reference")


def _decode_parameter(name: str, data: bytes) -> object:
    if name in ("called", "calling"):
        return decode_address(data)
    if name == "data":
        if not data:
            raise DecodeError("empty")
        return data
    if name == "segmentation":
        return _decode_segmentation(data)
    if len(data) != _SIZES[name]:
        raise DecodeError(f"{len(data)} octets, {_SIZES[name]} wanted")
    value = int.from_bytes(data, "big")
    return bool(value & 1) if name == "more" else value


def _encode_parameter(message: SccpMessage, name: str) -> bytes:
    try:
        return _encode_value(name, getattr(message, name))
    except EncodeError:
        raise
    except WRONG_VALUE as error:
        raise EncodeError(f"{name}: {error}") from error


def _encode_value(name: str, value: Any) -> bytes:
    if name in ("called", "calling"):
        return encode_address(value)
    if name == "data":
        if not value:
            raise EncodeError("data: empty")
        return push_octets(value, name)
    if name == "segmentation":
        return _encode_segmentation(value)
    return push_uint(value, _SIZES[name], name)


def _pull_pointer(data: bytes, at: int, octets: int) -> int:
    """Where a pointer leads, 0 for a null pointer.

    Q.713 2.3: it counts the octets from its own most significant one (included) to the parameter.
    """
    if at + octets > len(data):
        raise DecodeError("pointer is missing")
    value = int.from_bytes(data[at : at + octets], "little")
    if value and at + octets - 1 + value >= len(data):
        raise DecodeError(f"pointer at {at} leads behind the end")
    return at + octets - 1 + value if value else 0


def _pull_parameter(row: SccpType, name: str, reader: Reader, length_octets: int = 0) -> object:
    """A parameter of fixed size or behind its length, low octet first; errors name message and parameter."""
    try:
        if length_octets > 1:
            data = reader.pull(int.from_bytes(reader.pull(length_octets), "little"))
        else:
            data = reader.pull_lv() if length_octets else reader.pull(_SIZES[name])
        return _decode_parameter(name, data)
    except DecodeError as error:
        raise DecodeError(f"{row.short}: {name}: {error}") from None


def decode(data: bytes) -> SccpMessage:
    """An SCCP message, Q.713; optional parameters that its type does not have are skipped.

    Raises:
        DecodeError: type unknown, parameter cut short, pointer beyond the end.
    """
    reader = Reader(data)
    code = reader.pull_u8()
    row = BY_CODE.get(code)
    if row is None:
        raise DecodeError(f"SCCP message type 0x{code:02x} is unknown")
    values: dict[str, object] = {}
    for name in row.fixed:
        values[name] = _pull_parameter(row, name, reader)
    at = reader.position
    for name in row.variable:
        target = _pull_pointer(data, at, row.pointer)
        if not target:
            raise DecodeError(f"{row.short}: {name} has no pointer")
        octets = row.pointer if name == "data" else 1
        values[name] = _pull_parameter(row, name, Reader(data[target:]), octets)
        at += row.pointer
    if row.optional:
        target = _pull_pointer(data, at, row.pointer)
        if target:
            _pull_optional(Reader(data[target:]), row, values)
    return SccpMessage(row.short, **values)  # type: ignore[arg-type]


def _pull_optional(reader: Reader, row: SccpType, values: dict[str, object]) -> None:
    while code := reader.pull_u8():
        name = _PARAMETERS.get(code)
        if name in row.optional and name is not None:
            values[name] = _pull_parameter(row, name, reader, 1)
        else:
            reader.pull_lv()


@writer("SCCP")
def encode(message: SccpMessage) -> bytes:
    """Parameters in table order, addresses and data laid out in pointer order."""
    row = BY_SHORT[message.type]
    out = bytearray([row.code])
    for name in row.fixed:
        out += _encode_parameter(message, name)
    bodies = []
    for name in row.variable:
        body = _encode_parameter(message, name)
        octets = row.pointer if name == "data" else 1
        bodies.append(push_uint(len(body), octets, f"length of {name}")[::-1] + body)
    optional = bytearray()
    for name in row.optional:
        if getattr(message, name) is not None:
            body = _encode_parameter(message, name)
            optional += bytes([PARAMETER_CODES[name]]) + push_uint(len(body), 1, f"length of {name}") + body
    if optional:
        optional.append(0)
    if row.optional:
        bodies.append(bytes(optional))
    offset = row.pointer * len(bodies)
    for index, body in enumerate(bodies):
        distance = offset - row.pointer * index - (row.pointer - 1) if body else 0
        out += push_uint(distance, row.pointer, "pointer")[::-1]
        offset += len(body)
    return bytes(out) + b"".join(bodies)
