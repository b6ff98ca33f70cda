"""M-Notification.ind of WAP-209: what tells a handset that a multimedia message waits for it.

Headers are one octet each, the assigned number with the high bit set, and a value as WSP writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Notification", "decode", "encode"]

# Assigned numbers of field names.
CONTENT_LOCATION: Final = 0x03
EXPIRY: Final = 0x08
FROM: Final = 0x09
MESSAGE_CLASS: Final = 0x0A
MESSAGE_TYPE: Final = 0x0C
MMS_VERSION: Final = 0x0D
MESSAGE_SIZE: Final = 0x0E
SUBJECT: Final = 0x16
TRANSACTION_ID: Final = 0x18
NOTIFICATION_IND: Final = 0x82
VERSION_1_0: Final = 0x90
ADVERTISEMENT: Final = 0x81
ADDRESS_PRESENT: Final = 0x80
RELATIVE: Final = 0x81
UTF_8: Final = 0xEA  # MIBenum 106, a short integer


@dataclass(frozen=True, slots=True)
class Notification:
    """What a handset has to know to fetch the message."""

    transaction_id: str
    """ASCII."""
    location: str
    """Where the message is; ASCII."""
    sender: str
    """ASCII."""
    size: int
    """Octets of the message."""
    expiry_s: int
    """Seconds from now for which it is kept."""
    subject: str = ""


def encode(value: Notification) -> bytes:
    """The headers: type, transaction and version first, as they have to be."""
    out = bytearray((0x80 | MESSAGE_TYPE, NOTIFICATION_IND))
    out += bytes((0x80 | TRANSACTION_ID,)) + _text(value.transaction_id)
    out += bytes((0x80 | MMS_VERSION, VERSION_1_0))
    out += bytes((0x80 | FROM,)) + _long(bytes((ADDRESS_PRESENT,)) + _text(value.sender))
    if value.subject:
        out += bytes((0x80 | SUBJECT,)) + _long(bytes((UTF_8,)) + _quoted(value.subject.encode()) + b"\0")
    out += bytes((0x80 | MESSAGE_CLASS, ADVERTISEMENT))
    out += bytes((0x80 | MESSAGE_SIZE,)) + _integer(value.size)
    out += bytes((0x80 | EXPIRY,)) + _long(bytes((RELATIVE,)) + _integer(value.expiry_s))
    out += bytes((0x80 | CONTENT_LOCATION,)) + _text(value.location)
    return bytes(out)


def decode(data: bytes) -> Notification:
    """What a handset makes of it; ValueError: no notification, or a broken one."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        name = data[at]
        if not name & 0x80:
            raise ValueError(f"octet {at} is no assigned field name")
        end = _end(data, at + 1)
        found[name & 0x7F] = data[at + 1 : end]
        at = end
    if found.get(MESSAGE_TYPE) != bytes((NOTIFICATION_IND,)):
        raise ValueError("no notification")
    try:
        sender = _inside(found[FROM])
        subject = _inside(found[SUBJECT])[1:] if SUBJECT in found else b""
        expiry = _inside(found[EXPIRY])
        if expiry[0] != RELATIVE or sender[0] != ADDRESS_PRESENT:
            raise ValueError("a form that this handset does not read")
        return Notification(
            found[TRANSACTION_ID].rstrip(b"\0").decode("ascii"),
            found[CONTENT_LOCATION].rstrip(b"\0").decode("ascii"),
            sender[1:].rstrip(b"\0").decode("ascii"),
            _number(found[MESSAGE_SIZE]),
            _number(expiry[1:]),
            subject.removeprefix(b"\x7f").rstrip(b"\0").decode(),
        )
    except (KeyError, IndexError) as error:
        raise ValueError(f"a notification without {error}") from None


def _text(text: str) -> bytes:
    return text.encode("ascii") + b"\0"


def _quoted(octets: bytes) -> bytes:
    """A text that begins with an octet of 128 or more has a quote before it."""
    return b"\x7f" + octets if octets[0] >= 0x80 else octets


def _integer(value: int) -> bytes:
    octets = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    return bytes((len(octets),)) + octets


def _number(value: bytes) -> int:
    return value[0] & 0x7F if value[0] & 0x80 else int.from_bytes(value[1 : 1 + value[0]], "big")


def _long(value: bytes) -> bytes:
    """A value with its length: one octet to 30, else the quote 31 and the length as uintvar."""
    if len(value) <= 30:
        return bytes((len(value),)) + value
    digits = [len(value) & 0x7F]
    left = len(value) >> 7
    while left:
        digits.append(left & 0x7F | 0x80)
        left >>= 7
    return b"\x1f" + bytes(reversed(digits)) + value


def _inside(value: bytes) -> bytes:
    start, length = _length(value, 0)
    return value[start : start + length]


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Where a value with its length begins, and its length."""
    if data[at] < 31:
        return at + 1, data[at]
    length, at = 0, at + 1
    while data[at] & 0x80:
        length, at = length << 7 | data[at] & 0x7F, at + 1
    return at + 1, length << 7 | data[at]


def _end(data: bytes, at: int) -> int:
    """Where the value at an octet ends; WSP tells by its first octet."""
    try:
        if data[at] & 0x80:
            return at + 1
        if data[at] <= 31:
            start, length = _length(data, at)
            end = start + length
        else:
            end = data.index(b"\0", at) + 1
    except (IndexError, ValueError):
        raise ValueError(f"the value at octet {at} has no end") from None
    if end > len(data):
        raise ValueError(f"the value at octet {at} passes the end")
    return end
