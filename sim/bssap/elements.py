"""Information elements and messages as tables, read and written by one pair of functions.

The element forms are those of TS 24.007 11.2.1.1; BSSMAP (TS 48.008 3.2.2) uses the same ones
but tags every element, so it goes through `decode_tagged` with one table for all messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sim.bssap.errors import WRONG_VALUE, DecodeError, EncodeError
from sim.bssap.octets import Reader, push_lv, push_octets, push_uint


@dataclass(frozen=True, slots=True)
class Codec:
    """A reader and a writer of the same value."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


def _decode_u8(data: bytes) -> int:
    if len(data) != 1:
        raise DecodeError(f"{len(data)} octets, one wanted")
    return data[0]


def _decode_u16(data: bytes) -> int:
    if len(data) != 2:
        raise DecodeError(f"{len(data)} octets, two wanted")
    return int.from_bytes(data, "big")


def _decode_none(data: bytes) -> None:
    if data:
        raise DecodeError(f"{len(data)} octets in an element without content")


#: Kept as it came.
RAW = Codec(bytes, lambda value: push_octets(value, "octets"))
U8 = Codec(_decode_u8, lambda value: push_uint(value, 1, "octet"))
U16 = Codec(_decode_u16, lambda value: push_uint(value, 2, "two octets"))
#: Presence is all it says; the value is None.
FLAG = Codec(_decode_none, lambda value: b"")


@dataclass(frozen=True, slots=True)
class Element:
    """One row of a message table."""

    name: str
    """The specification's name."""
    form: str
    """H (half octet), V, LV, T, TV1 (half-octet value beside the identifier), TV, TLV, TLVE (wide length)."""
    iei: int = -1
    """Information element identifier; the high semi-octet alone counts for TV1. -1: none."""
    low: int = 0
    """Fewest octets of value."""
    high: int = 255
    """Most octets of value."""
    codec: Codec = RAW
    clause: str = ""
    """Where the specification describes it."""


def half(name: str, clause: str = "", codec: Codec = U8) -> Element:
    return Element(name, "H", -1, 1, 1, codec, clause)


def v(name: str, octets: int, codec: Codec = RAW, clause: str = "") -> Element:
    return Element(name, "V", -1, octets, octets, codec, clause)


def lv(name: str, low: int, high: int, codec: Codec = RAW, clause: str = "") -> Element:
    return Element(name, "LV", -1, low, high, codec, clause)


def t(iei: int, name: str, clause: str = "") -> Element:
    return Element(name, "T", iei, 0, 0, FLAG, clause)


def tv1(iei: int, name: str, clause: str = "") -> Element:
    return Element(name, "TV1", iei, 1, 1, U8, clause)


def tv(iei: int, name: str, octets: int, codec: Codec = RAW, clause: str = "") -> Element:
    return Element(name, "TV", iei, octets, octets, codec, clause)


def tlv(iei: int, name: str, low: int = 0, high: int = 255, codec: Codec = RAW, clause: str = "") -> Element:
    return Element(name, "TLV", iei, low, high, codec, clause)


def tlve(iei: int, name: str, low: int, high: int, codec: Codec = RAW, clause: str = "") -> Element:
    return Element(name, "TLVE", iei, low, high, codec, clause)


@dataclass(frozen=True, slots=True)
class Unknown:
    """An element that its message's table does not name, kept as it came."""

    iei: int
    octets: bytes | None
    """None for an element of one octet (TS 24.007 11.2.4: bit 8 set)."""


UNKNOWN = "unknown"
#: An unknown identifier at the end whose length runs out of the message, kept as it came.
TRAILING = "trailing octets"


@dataclass(frozen=True, slots=True)
class MessageType:
    """One row of a protocol's message table."""

    name: str
    code: int
    clause: str
    mandatory: tuple[Element, ...] = ()
    """Imperative part, in wire order, untagged (BSSMAP: the elements that must be there)."""
    optional: tuple[Element, ...] = ()
    """Tagged part, in the table's order."""
    required: tuple[str, ...] = ()
    """Names in the tagged part that must be there all the same."""


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded message: its specification name and its elements in wire order."""

    name: str
    elements: tuple[tuple[str, Any], ...] = ()
    """(element name, value); a name may come more than once."""

    def get(self, name: str, default: Any = None) -> Any:
        """The first element of that name."""
        for key, value in self.elements:
            if key == name:
                return value
        return default

    def __getitem__(self, name: str) -> Any:
        for key, value in self.elements:
            if key == name:
                return value
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self.elements)


def message(name: str, elements: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> Message:
    """A message from a mapping or pairs; elements whose value is `...` are left out."""
    pairs = elements.items() if isinstance(elements, Mapping) else elements
    return Message(name, tuple((key, value) for key, value in pairs if value is not ...))


def decode_value(element: Element, data: bytes) -> Any:
    """What an element's octets say; DecodeError names the element and the lengths that it may have."""
    if not element.low <= len(data) <= element.high:
        raise DecodeError(f"{element.name}: {len(data)} octets, {element.low} to {element.high} wanted")
    try:
        return element.codec.decode(data)
    except DecodeError as error:
        raise DecodeError(f"{element.name}: {error}") from None


def encode_value(element: Element, value: Any) -> bytes:
    """Mirror of `decode_value`; EncodeError names the element."""
    try:
        data = element.codec.encode(value)
    except WRONG_VALUE as error:
        raise EncodeError(f"{element.name}: {error}") from error
    if not element.low <= len(data) <= element.high:
        raise EncodeError(f"{element.name}: {len(data)} octets, {element.low} to {element.high} allowed")
    return data


def pull_element(reader: Reader, element: Element) -> Any:
    """The value of an element whose identifier, if it has one, has been read."""
    try:
        if element.form in ("LV", "TLV"):
            data = reader.pull_lv()
        elif element.form == "TLVE":
            data = reader.pull(reader.pull_uint(2))
        else:
            data = reader.pull(element.low)
    except DecodeError as error:
        raise DecodeError(f"{element.name}: {error}") from None
    return decode_value(element, data)


def push_element(element: Element, value: Any) -> bytes:
    """Identifier, length and value, as the form wants them; not for H."""
    data = encode_value(element, value)
    if element.form == "TV1":
        if data[0] > 15:
            raise EncodeError(f"{element.name}: {data[0]} does not fit into four bits")
        return bytes([element.iei | data[0]])
    tag = b"" if element.iei < 0 else bytes([element.iei])
    if element.form in ("LV", "TLV"):
        return tag + push_lv(data, element.name)
    if element.form == "TLVE":
        return tag + push_uint(len(data), 2, f"length of {element.name}") + data
    return tag + data


def _pull_unknown(reader: Reader) -> tuple[str, Any]:
    """TS 24.007 11.2.4: bit 8 set means one octet, otherwise a length follows."""
    rest = reader.remaining
    iei = reader.pull_u8()
    if iei & 0x80:
        return UNKNOWN, Unknown(iei, None)
    if rest < 2 or reader.peek_u8() > rest - 2:
        return TRAILING, bytes([iei]) + reader.pull_rest()
    return UNKNOWN, Unknown(iei, reader.pull_lv())


def push_unknown(name: str, value: Any) -> bytes | None:
    """The octets of a kept element; None when `name` is an ordinary one."""
    if name == UNKNOWN:
        head = push_uint(value.iei, 1, "identifier of an unknown element")
        return head + (b"" if value.octets is None else push_lv(value.octets, name))
    if name == TRAILING:
        return push_octets(value, name)
    return None


def _by_identifier(elements: tuple[Element, ...]) -> dict[int, Element]:
    table = {}
    for element in elements:
        first, count = (element.iei & 0xF0, 16) if element.form == "TV1" else (element.iei, 1)
        for iei in range(first, first + count):
            table[iei] = element
    return table


_TABLES: dict[tuple[Element, ...], dict[int, Element]] = {}


def decode_elements(kind: MessageType, data: bytes) -> Message:
    """The part of a layer-3 message after its header: imperative elements, then tagged ones."""
    reader = Reader(data)
    found: list[tuple[str, Any]] = []
    halves: int | None = None
    for element in kind.mandatory:
        if element.form != "H":
            found.append((element.name, pull_element(reader, element)))
        elif halves is None:
            octet = reader.pull_u8()
            found.append((element.name, decode_value(element, bytes([octet & 15]))))
            halves = octet >> 4
        else:
            found.append((element.name, decode_value(element, bytes([halves]))))
            halves = None
    table = _TABLES.get(kind.optional)
    if table is None:
        table = _TABLES.setdefault(kind.optional, _by_identifier(kind.optional))
    while reader.remaining:
        known = table.get(reader.peek_u8())
        if known is None:
            found.append(_pull_unknown(reader))
        elif known.form == "TV1":
            found.append((known.name, decode_value(known, bytes([reader.pull_u8() & 15]))))
        else:
            reader.pull_u8()
            found.append((known.name, pull_element(reader, known)))
    for name in kind.required:
        if all(key != name for key, _ in found):
            raise DecodeError(f"{name} is missing")
    return Message(kind.name, tuple(found))


def encode_elements(kind: MessageType, value: Message) -> bytes:
    """Mirror of `decode_elements`: tagged elements come in the order given."""
    out = bytearray()
    given = list(value.elements)
    for name in kind.required:
        if name not in value:
            raise EncodeError(f"{kind.name}: {name} is missing")
    low: int | None = None
    for element in kind.mandatory:
        index = next((i for i, (name, _) in enumerate(given) if name == element.name), -1)
        if index < 0:
            raise EncodeError(f"{kind.name}: {element.name} is missing")
        _, content = given.pop(index)
        if element.form != "H":
            out += push_element(element, content)
            continue
        nibble = encode_value(element, content)[0]
        if nibble > 15:
            raise EncodeError(f"{element.name}: {nibble} does not fit into four bits")
        if low is None:
            low = nibble
        else:
            out.append(low | nibble << 4)
            low = None
    known = {element.name: element for element in kind.optional}
    for name, content in given:
        kept = push_unknown(name, content)
        if kept is None and name not in known:
            raise EncodeError(f"{kind.name} has no element {name!r}")
        out += push_element(known[name], content) if kept is None else kept
    return bytes(out)
