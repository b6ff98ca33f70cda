"""SCCP called and calling party address: Q.713 3.4."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap.errors import DecodeError, EncodeError
from sim.bssap.octets import Reader, push_uint

#: Q.713 3.4.2.2: subsystem numbers used here.
SSN_MANAGEMENT = 1
SSN_RANAP = 142
#: TS 48.006 9.1: BSSAP.
SSN_BSSAP = 254

#: Q.713 3.4.2.3: global title indicator -> which octets stand before the digits.
_GT_FIELDS: dict[int, tuple[str, ...]] = {
    1: ("nature",),
    2: ("translation",),
    3: ("translation", "plan"),
    4: ("translation", "plan", "nature"),
}
_DIGITS = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class GlobalTitle:
    """Global title of any of the four forms; the fields a form lacks are None."""

    indicator: int
    """1 nature of address; 2 translation type; 3 type, plan, encoding; 4 all of them."""
    digits: str
    """Semi-octets as hexadecimal characters (a filler is not among them)."""
    translation: int | None = None
    plan: int | None = None
    """Numbering plan, 4 bits."""
    encoding: int | None = None
    """Encoding scheme, 4 bits: 1 odd, 2 even number of digits in BCD."""
    nature: int | None = None
    """Nature of address indicator, 7 bits."""
    filler: int = 0
    """Semi-octet after an odd number of digits."""

    @property
    def odd(self) -> bool:
        return len(self.digits) % 2 == 1


@dataclass(frozen=True, slots=True)
class Address:
    """Called or calling party address."""

    ssn: int | None = None
    point_code: int | None = None
    """14 bits (ITU)."""
    global_title: GlobalTitle | None = None
    route_on_ssn: bool = True
    """Routing indicator: True on SSN and point code, False on global title."""
    national: bool = False
    """Bit 8, reserved for national use."""


def _decode_global_title(indicator: int, data: bytes) -> GlobalTitle:
    reader = Reader(data)
    if indicator not in _GT_FIELDS:
        raise DecodeError(f"global title indicator {indicator} is unassigned")
    translation = plan = encoding = nature = None
    odd = False
    for field in _GT_FIELDS[indicator]:
        octet = reader.pull_u8()
        if field == "translation":
            translation = octet
        elif field == "plan":
            plan, encoding = octet >> 4, octet & 15
            odd = encoding == 1
        else:
            nature = octet & 0x7F
            if indicator == 1:
                odd = bool(octet & 0x80)
    body = reader.pull_rest()
    digits = "".join(_DIGITS[octet & 15] + _DIGITS[octet >> 4] for octet in body)
    filler = 0
    if odd:
        if not digits:
            raise DecodeError("global title: odd number of digits in no octets")
        filler = _DIGITS.index(digits[-1])
        digits = digits[:-1]
    return GlobalTitle(indicator, digits, translation, plan, encoding, nature, filler)


def _encode_global_title(value: GlobalTitle) -> bytes:
    fields = _GT_FIELDS.get(value.indicator)
    if fields is None:
        raise EncodeError(f"global title indicator {value.indicator} is unassigned")
    out = bytearray()
    for field in fields:
        if field == "translation":
            out += push_uint(value.translation or 0, 1, "translation type")
        elif field == "plan":
            out += push_uint((value.plan or 0) << 4 | (value.encoding or 0), 1, "numbering plan")
        else:
            odd = 0x80 if value.indicator == 1 and value.odd else 0
            out += push_uint((value.nature or 0) | odd, 1, "nature of address")
    if value.odd and value.indicator in (3, 4) and value.encoding != 1:
        raise EncodeError(f"{len(value.digits)} digits want encoding scheme 1")
    try:
        nibbles = [_DIGITS.index(digit) for digit in value.digits]
    except ValueError:
        raise EncodeError(f"global title digits {value.digits!r}") from None
    if value.odd:
        nibbles.append(value.filler)
    out += bytes(low | high << 4 for low, high in zip(nibbles[::2], nibbles[1::2], strict=True))
    return bytes(out)


def decode_address(data: bytes) -> Address:
    """A party address, Q.713 3.4: indicator, then what it announces of point code, SSN and global title."""
    reader = Reader(data)
    indicator = reader.pull_u8()
    point_code = int.from_bytes(reader.pull(2), "little") if indicator & 1 else None
    ssn = reader.pull_u8() if indicator & 2 else None
    title_form = indicator >> 2 & 15
    title = _decode_global_title(title_form, reader.pull_rest()) if title_form else None
    if reader.remaining:
        raise DecodeError(f"party address: {reader.remaining} octets too many")
    return Address(ssn, point_code, title, bool(indicator & 0x40), bool(indicator & 0x80))


def encode_address(value: Address) -> bytes:
    """Mirror of `decode_address`; the indicator follows from what is there."""
    title = value.global_title
    indicator = (value.point_code is not None) | (value.ssn is not None) << 1
    indicator |= (title.indicator if title else 0) << 2
    indicator |= value.route_on_ssn << 6 | value.national << 7
    out = bytearray([indicator])
    if value.point_code is not None:
        push_uint(value.point_code, 2, "point code")
        out += value.point_code.to_bytes(2, "little")
    if value.ssn is not None:
        out += push_uint(value.ssn, 1, "SSN")
    if title:
        out += _encode_global_title(title)
    return bytes(out)
