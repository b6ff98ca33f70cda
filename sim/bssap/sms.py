"""Short message control and relay: TS 24.011 7.2 and 8.1 (CP), 7.3 and 8.2 (RP)."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap.cc_elements import PartyNumber, decode_number, encode_number
from sim.bssap.elements import (
    U8,
    Codec,
    Message,
    MessageType,
    decode_elements,
    encode_elements,
    lv,
    tlv,
    v,
)
from sim.bssap.errors import DecodeError, EncodeError, writer
from sim.bssap.octets import Reader, push_octets, push_uint

#: CP messages, TS 24.011 8.1.3.
MESSAGES: tuple[MessageType, ...] = (
    MessageType("CP-DATA", 0x01, "7.2.1", (lv("CP-User data", 0, 248, clause="8.1.4.1"),)),
    MessageType("CP-ACK", 0x04, "7.2.2"),
    MessageType("CP-ERROR", 0x10, "7.2.3", (v("CP-Cause", 1, U8, "8.1.4.2"),)),
)


def _decode_address(data: bytes) -> PartyNumber | None:
    return decode_number(data) if data else None


def _encode_address(value: PartyNumber | None) -> bytes:
    return b"" if value is None else encode_number(value)


@dataclass(frozen=True, slots=True)
class RpCause:
    """RP-Cause, TS 24.011 8.2.5.4."""

    value: int
    """7 bits."""
    diagnostic: bytes = b""


def _decode_cause(data: bytes) -> RpCause:
    return RpCause(data[0] & 0x7F, data[1:])


def _encode_cause(value: RpCause) -> bytes:
    if not 0 <= value.value < 128:
        raise EncodeError(f"RP cause {value.value}")
    return bytes([value.value]) + push_octets(value.diagnostic, "diagnostic")


#: RP-Originator and RP-Destination address, 8.2.5.1 and 8.2.5.2; None when empty.
ADDRESS = Codec(_decode_address, _encode_address)
CAUSE = Codec(_decode_cause, _encode_cause)
_USER_DATA = tlv(0x41, "RP-User data", 0, 234, clause="8.2.5.3")
_DATA = (
    lv("RP-Originator Address", 0, 12, ADDRESS, "8.2.5.1"),
    lv("RP-Destination Address", 0, 12, ADDRESS, "8.2.5.2"),
    lv("RP-User data", 0, 233, clause="8.2.5.3"),
)
_ERROR = (lv("RP-Cause", 1, 2, CAUSE, "8.2.5.4"),)

#: RP messages; the code is the message type indicator, its bit 1 set when the network sends it: 8.2.2.
RP_MESSAGES: tuple[MessageType, ...] = (
    MessageType("RP-DATA", 0, "7.3.1.2", _DATA),
    MessageType("RP-DATA", 1, "7.3.1.1", _DATA),
    MessageType("RP-ACK", 2, "7.3.3", (), (_USER_DATA,)),
    MessageType("RP-ACK", 3, "7.3.3", (), (_USER_DATA,)),
    MessageType("RP-ERROR", 4, "7.3.4", _ERROR, (_USER_DATA,)),
    MessageType("RP-ERROR", 5, "7.3.4", _ERROR, (_USER_DATA,)),
    MessageType("RP-SMMA", 6, "7.3.2"),
)
_RP_BY_CODE = {row.code: row for row in RP_MESSAGES}
_RP_BY_NAME = {(row.name, bool(row.code & 1)): row for row in RP_MESSAGES}


@dataclass(frozen=True, slots=True)
class Rp:
    """One RP message."""

    message: Message
    reference: int
    """RP-Message reference, one octet."""
    from_network: bool
    """Bit 1 of the message type indicator: True network to MS."""


def decode_rp(data: bytes) -> Rp:
    """An RP message, TS 24.011 7.3: type, reference, elements. DecodeError for an unknown type."""
    reader = Reader(data)
    code = reader.pull_u8()
    row = _RP_BY_CODE.get(code & 7)
    if row is None or code & 0xF8:
        raise DecodeError(f"RP message type 0x{code:02x} is unknown")
    reference = reader.pull_u8()
    return Rp(decode_elements(row, reader.pull_rest()), reference, bool(code & 1))


@writer("RP")
def encode_rp(value: Rp) -> bytes:
    """Mirror of `decode_rp`; EncodeError where that side sends no such message."""
    row = _RP_BY_NAME.get((value.message.name, value.from_network))
    if row is None:
        sender = "network" if value.from_network else "MS"
        raise EncodeError(f"the {sender} sends no {value.message.name}")
    reference = push_uint(value.reference, 1, "RP message reference")
    return bytes([row.code]) + reference + encode_elements(row, value.message)
