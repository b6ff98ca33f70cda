"""DTAP messages: the common header of TS 24.007 11.2.3 and the tables of MM, RR, CC, SMS and SS."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap import cc, mm, rr, sms, ss
from sim.bssap.elements import RAW, Message, MessageType, decode_elements, encode_elements
from sim.bssap.errors import DecodeError, EncodeError, writer
from sim.bssap.octets import Reader, push_uint

#: Protocol discriminators, TS 24.007 11.2.3.1.1.
PD_CC = 3
PD_MM = 5
PD_RR = 6
PD_SMS = 9
PD_SS = 11


@dataclass(frozen=True, slots=True)
class Protocol:
    """One row: a protocol behind a discriminator."""

    pd: int
    name: str
    messages: tuple[MessageType, ...]
    sequenced: bool
    """The message type octet carries N(SD) in bits 8-7: TS 24.007 11.2.3.2."""
    transactions: bool
    """The first octet carries a transaction identifier, not a skip indicator: 11.2.3.1.3."""


PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(PD_CC, "CC", cc.MESSAGES, True, True),
    Protocol(PD_MM, "MM", mm.MESSAGES, True, False),
    Protocol(PD_RR, "RR", rr.MESSAGES, False, False),
    Protocol(PD_SMS, "SMS", sms.MESSAGES, False, True),
    Protocol(PD_SS, "SS", ss.MESSAGES, True, True),
)
BY_PD = {row.pd: row for row in PROTOCOLS}
_BY_CODE = {(row.pd, kind.code): kind for row in PROTOCOLS for kind in row.messages}
_BY_NAME = {(row.pd, kind.name): kind for row in PROTOCOLS for kind in row.messages}
#: A message of the radio resource protocol that `rr` does not list.
RR_OTHER = "RR message"
#: TS 24.007 11.2.3.1.3: this TI value says that an extension octet follows.
_TI_EXTENDED = 7


@dataclass(frozen=True, slots=True)
class Dtap:
    """One layer-3 message between the mobile station and the network."""

    pd: int
    """Protocol discriminator, a key of BY_PD."""
    message: Message
    ti: int = 0
    """Transaction identifier value 0-127 (CC, SMS, SS), or the skip indicator (MM, RR)."""
    ti_flag: int = 0
    """0: sent by the side that allocated the transaction identifier."""
    sequence: int = 0
    """N(SD), 0-3."""

    @property
    def name(self) -> str:
        return self.message.name


def decode(data: bytes) -> Dtap:
    """A DTAP message from its protocol discriminator on, TS 24.007 11.2.3.

    An RR message of a type that the A interface does not know is kept as `RR_OTHER`; everything else that is
    unknown, or does not fit its type, is a DecodeError that names the message and the element.
    """
    reader = Reader(data)
    first = reader.pull_u8()
    protocol = BY_PD.get(first & 15)
    if protocol is None:
        raise DecodeError(f"protocol discriminator {first & 15} is unknown")
    ti, flag = first >> 4, 0
    if protocol.transactions:
        ti, flag = ti & 7, ti >> 3
        if ti == _TI_EXTENDED:
            octet = reader.pull_u8()
            if not octet & 0x80:
                raise DecodeError("transaction identifier of more than two octets")
            ti = octet & 0x7F
    octet = reader.pull_u8()
    code, sequence = (octet & 0x3F, octet >> 6) if protocol.sequenced else (octet, 0)
    kind = _BY_CODE.get((protocol.pd, code))
    rest = reader.pull_rest()
    if kind is None:
        if protocol.pd != PD_RR:
            raise DecodeError(f"{protocol.name} message type 0x{code:02x} is unknown")
        return Dtap(PD_RR, Message(RR_OTHER, (("Message type", code), ("Content", rest))), ti)
    try:
        message = decode_elements(kind, rest)
    except DecodeError as error:
        raise DecodeError(f"{kind.name}: {error}") from None
    return Dtap(protocol.pd, message, ti, flag, sequence)


@writer("DTAP")
def encode(value: Dtap) -> bytes:
    """Mirror of `decode`; elements in the order given. EncodeError names what does not fit."""
    protocol = BY_PD.get(value.pd)
    if protocol is None:
        raise EncodeError(f"protocol discriminator {value.pd} is unknown")
    if not (0 <= value.ti < 128 and value.ti_flag in (0, 1) and 0 <= value.sequence < 4):
        raise EncodeError(f"TI {value.ti}, flag {value.ti_flag}, N(SD) {value.sequence}")
    head = bytearray()
    if not protocol.transactions:
        if value.ti > 15:
            raise EncodeError(f"skip indicator {value.ti}")
        head.append(protocol.pd | value.ti << 4)
    elif value.ti < _TI_EXTENDED:
        head.append(protocol.pd | value.ti << 4 | value.ti_flag << 7)
    else:
        head += bytes([protocol.pd | _TI_EXTENDED << 4 | value.ti_flag << 7, 0x80 | value.ti])
    if value.pd == PD_RR and value.name == RR_OTHER:
        head += push_uint(value.message["Message type"], 1, "Message type")
        return bytes(head) + RAW.encode(value.message["Content"])
    kind = _BY_NAME.get((value.pd, value.name))
    if kind is None:
        raise EncodeError(f"{protocol.name} has no message {value.name!r}")
    head.append(kind.code | (value.sequence << 6 if protocol.sequenced else 0))
    return bytes(head) + encode_elements(kind, value.message)
