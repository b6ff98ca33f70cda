"""How long a short message is to be kept: TP-VP in its relative and enhanced forms, TS 23.040 9.2.3.12."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap.errors import DecodeError, EncodeError
from sim.bssap.octets import push_uint

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_WEEK = 7 * _DAY
#: 9.2.3.12.1: up to this value, so many seconds a step, counted from there on.
_STEPS = (
    (143, 5 * _MINUTE, 0, -1),
    (167, 30 * _MINUTE, 12 * _HOUR, 143),
    (196, _DAY, 0, 166),
    (255, _WEEK, 0, 192),
)


def relative_s(value: int) -> int:
    """Seconds that a relative TP-VP stands for."""
    for last, step, base, start in _STEPS:
        if 0 <= value <= last:
            return base + (value - start) * step
    raise DecodeError(f"relative validity period {value}")


def relative(seconds: float) -> int:
    """The shortest relative TP-VP that lasts `seconds`; EncodeError beyond 63 weeks."""
    for value in range(256):
        if relative_s(value) >= seconds:
            return value
    raise EncodeError(f"validity period of {seconds} s: 63 weeks at the most")


#: Formats of an enhanced validity period, 9.2.3.12.3.
NONE, RELATIVE, SECONDS, CLOCK = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class EnhancedValidity:
    """TP-VP of the enhanced form."""

    seconds: int | None = None
    """None: no validity period is given."""
    single_shot: bool = False
    """The centre tries once and no more."""
    format: int = SECONDS
    """RELATIVE (one octet as in the relative form), SECONDS (to 255), CLOCK (to 99 hours), NONE."""


def decode_enhanced(data: bytes) -> EnhancedValidity:
    """Seven octets; DecodeError for a reserved format or further indicator octets, whose meaning is open."""
    if len(data) != 7:
        raise DecodeError(f"enhanced validity period of {len(data)} octets, 7 wanted")
    if data[0] & 0x80:
        raise DecodeError("enhanced validity period with more than one indicator octet")
    form, single_shot = data[0] & 7, bool(data[0] & 0x40)
    if form == NONE:
        return EnhancedValidity(None, single_shot, NONE)
    if form == RELATIVE:
        return EnhancedValidity(relative_s(data[1]), single_shot, RELATIVE)
    if form == SECONDS:
        return EnhancedValidity(data[1], single_shot, SECONDS)
    if form == CLOCK:
        hours, minutes, seconds = ((octet & 15) * 10 + (octet >> 4) for octet in data[1:4])
        return EnhancedValidity(hours * _HOUR + minutes * _MINUTE + seconds, single_shot, CLOCK)
    raise DecodeError(f"enhanced validity period of format {form}")


def encode_enhanced(value: EnhancedValidity) -> bytes:
    """Mirror of `decode_enhanced`, for `Submit.validity`."""
    head = bytes([value.format & 7 | 0x40 * bool(value.single_shot)])
    if (value.seconds is None) != (value.format == NONE):
        raise EncodeError(f"enhanced validity period of {value.seconds} s in format {value.format}")
    if value.seconds is None:
        body = b""
    elif value.format == RELATIVE:
        octet = relative(value.seconds)
        if relative_s(octet) != value.seconds:
            raise EncodeError(f"{value.seconds} s is no step of the relative form")
        body = bytes([octet])
    elif value.format == SECONDS:
        body = push_uint(value.seconds, 1, "validity period in seconds")
    elif value.format == CLOCK and 0 <= value.seconds < 100 * _HOUR:
        parts = (value.seconds // _HOUR, value.seconds // _MINUTE % 60, value.seconds % 60)
        body = bytes(part // 10 | part % 10 << 4 for part in parts)
    else:
        raise EncodeError(f"enhanced validity period of {value.seconds} s in format {value.format}")
    return (head + body).ljust(7, b"\0")
