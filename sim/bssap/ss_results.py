"""Results of call forwarding operations: TS 29.002 17.7.4."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap import ber
from sim.bssap.ber import Tlv
from sim.bssap.cc_elements import PartyNumber, decode_number, encode_number
from sim.bssap.errors import DecodeError
from sim.bssap.octets import Reader, push_uint

#: SS-Info: forwardingInfo [0]; InterrogateSS-Res: ss-Status [0].
_FORWARDING_INFO = 0xA0
_INTERROGATED_STATUS = 0x80
#: ForwardingFeature: BasicServiceCode teleservice [3], ss-Status [4], forwardedToNumber [5].
_TELESERVICE, _STATUS, _NUMBER = 0x83, 0x84, 0x85


@dataclass(frozen=True, slots=True)
class ForwardingFeature:
    """Call forwarding of one basic service."""

    status: int
    """SS-Status: bit 1 active, 2 registered, 3 provisioned, 4 quiescent."""
    teleservice: int | None = None
    forwarded_to: PartyNumber | None = None
    rest: bytes = b""
    """Subaddress, options and no reply condition time, as BER."""


def _encode_feature(value: ForwardingFeature) -> bytes:
    body = (
        b""
        if value.teleservice is None
        else ber.push_tlv(Tlv(_TELESERVICE, push_uint(value.teleservice, 1, "teleservice")))
    )
    body += ber.push_tlv(Tlv(_STATUS, push_uint(value.status, 1, "SS-Status")))
    if value.forwarded_to is not None:
        body += ber.push_tlv(Tlv(_NUMBER, encode_number(value.forwarded_to)))
    return ber.push_tlv(Tlv(ber.SEQUENCE, body + value.rest))


def encode_forwarding(ss_code: int, features: tuple[ForwardingFeature, ...]) -> bytes:
    """SS-Info of RegisterSS-Res and EraseSS-Res: the code and the list of features."""
    body = ber.push_tlv(Tlv(ber.OCTET_STRING, push_uint(ss_code, 1, "SS code")))
    body += ber.push_tlv(Tlv(ber.SEQUENCE, b"".join(map(_encode_feature, features))))
    return ber.push_tlv(Tlv(_FORWARDING_INFO, body))


def _pull(reader: Reader, tag: int, what: str) -> bytes:
    value = ber.pull_tlv(reader)
    if value.tag != tag:
        raise DecodeError(f"forwarding info: {what} expected, tag 0x{value.tag:02x} found")
    return value.content


def _octet(data: bytes, what: str) -> int:
    if len(data) != 1:
        raise DecodeError(f"forwarding info: {what} in {len(data)} octets")
    return data[0]


def _decode_feature(data: bytes) -> ForwardingFeature:
    reader = Reader(data)
    teleservice = number = None
    if reader.peek_u8() == _TELESERVICE:
        teleservice = _octet(ber.pull_tlv(reader).content, "teleservice")
    status = _octet(_pull(reader, _STATUS, "SS-Status"), "SS-Status")
    if reader.remaining and reader.peek_u8() == _NUMBER:
        number = decode_number(ber.pull_tlv(reader).content)
    return ForwardingFeature(status, teleservice, number, reader.pull_rest())


def decode_forwarding(parameter: bytes) -> tuple[int, tuple[ForwardingFeature, ...]]:
    """Mirror of `encode_forwarding`."""
    reader = Reader(_pull(Reader(parameter), _FORWARDING_INFO, "forwardingInfo"))
    ss_code = _octet(_pull(reader, ber.OCTET_STRING, "SS code"), "SS code")
    features = Reader(_pull(reader, ber.SEQUENCE, "feature list"))
    found = []
    while features.remaining:
        found.append(_decode_feature(_pull(features, ber.SEQUENCE, "feature")))
    return ss_code, tuple(found)


def encode_ss_status(status: int) -> bytes:
    """InterrogateSS-Res when there is nothing to tell but the status."""
    return ber.push_tlv(Tlv(_INTERROGATED_STATUS, push_uint(status, 1, "SS-Status")))
