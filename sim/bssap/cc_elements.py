"""Elements of call control: TS 24.008 10.5.4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sim.bssap.elements import Codec
from sim.bssap.errors import DecodeError, EncodeError
from sim.bssap.fields import Fields, group, pull_groups, push_groups
from sim.bssap.octets import Reader, pull_bcd, push_bcd, push_octets

#: Type of number, TS 24.008 table 10.5.118.
UNKNOWN_NUMBER = 0
INTERNATIONAL = 1
NATIONAL = 2
#: Numbering plan identification: ISDN/telephony.
ISDN = 1


@dataclass(frozen=True, slots=True)
class PartyNumber:
    """Called (10.5.4.7), calling (10.5.4.9), connected (10.5.4.13) or redirecting party BCD number."""

    digits: str
    """0-9, * # a b c."""
    type: int = UNKNOWN_NUMBER
    """Type of number, 3 bits."""
    plan: int = ISDN
    """Numbering plan, 4 bits."""
    indicators: int | None = None
    """Octet 3a as it stands without bit 8: presentation in bits 7-6, screening in 2-1; None: no octet 3a."""

    @property
    def presentation(self) -> int:
        return (self.indicators or 0) >> 5 & 3


def decode_number(data: bytes) -> PartyNumber:
    """A party BCD number, TS 24.008 10.5.4.7 and 10.5.4.9: octet 3a where bit 8 of octet 3 is 0."""
    reader = Reader(data)
    octet = reader.pull_u8()
    indicators = None
    if not octet & 0x80:
        indicators = reader.pull_u8() & 0x7F
    return PartyNumber(pull_bcd(reader.pull_rest(), "digits"), octet >> 4 & 7, octet & 15, indicators)


def encode_number(value: PartyNumber) -> bytes:
    """Mirror of `decode_number`; an indicator that is not None makes octet 3a."""
    if not (0 <= value.type < 8 and 0 <= value.plan < 16):
        raise EncodeError(f"type of number {value.type}, plan {value.plan}")
    octet = value.type << 4 | value.plan
    if value.indicators is None:
        head = bytes([0x80 | octet])
    elif 0 <= value.indicators < 128:
        head = bytes([octet, 0x80 | value.indicators])
    else:
        raise EncodeError(f"octet 3a {value.indicators}")
    return head + push_bcd(value.digits, "digits")


@dataclass(frozen=True, slots=True)
class Cause:
    """Cause, TS 24.008 10.5.4.11."""

    value: int
    """7 bits, table 10.5.123."""
    location: int = 0
    """4 bits: 0 user, 2 public network serving the local user."""
    coding: int = 3
    """Coding standard, 2 bits: 3 is GSM."""
    recommendation: int | None = None
    """Octet 3a, 7 bits."""
    diagnostics: bytes = b""
    spare: int = 0
    """Bit 5 of octet 3."""


def decode_cause(data: bytes) -> Cause:
    """A cause, TS 24.008 10.5.4.11."""
    reader = Reader(data)
    octet = reader.pull_u8()
    recommendation = None if octet & 0x80 else reader.pull_u8() & 0x7F
    value = reader.pull_u8() & 0x7F
    return Cause(value, octet & 15, octet >> 5 & 3, recommendation, reader.pull_rest(), octet >> 4 & 1)


def encode_cause(value: Cause) -> bytes:
    """Mirror of `decode_cause`; EncodeError for a value beyond its bits."""
    if not (0 <= value.value < 128 and 0 <= value.location < 16 and 0 <= value.coding < 4):
        raise EncodeError(f"cause {value.value}, location {value.location}, coding {value.coding}")
    octet = value.coding << 5 | value.spare << 4 | value.location
    if value.recommendation is None:
        head = bytes([0x80 | octet])
    elif 0 <= value.recommendation < 128:
        head = bytes([octet, 0x80 | value.recommendation])
    else:
        raise EncodeError(f"recommendation {value.recommendation}")
    return head + bytes([0x80 | value.value]) + push_octets(value.diagnostics, "diagnostics")


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress indicator, TS 24.008 10.5.4.21."""

    description: int
    """7 bits: 1 not end-to-end PLMN/ISDN, 8 in-band information available."""
    location: int = 2
    coding: int = 3
    spare: int = 0
    """Bit 5 of octet 3."""


def decode_progress(data: bytes) -> Progress:
    reader = Reader(data)
    octet, description = reader.pull_u8(), reader.pull_u8()
    return Progress(description & 0x7F, octet & 15, octet >> 5 & 3, octet >> 4 & 1)


def encode_progress(value: Progress) -> bytes:
    if not (0 <= value.description < 128 and 0 <= value.location < 16 and 0 <= value.coding < 4):
        raise EncodeError(f"progress {value.description}, location {value.location}, coding {value.coding}")
    octet = value.coding << 5 | value.spare << 4 | value.location
    return bytes([0x80 | octet, 0x80 | value.description])


#: Bearer capability, octet by octet: TS 24.008 figure 10.5.88, bits 7-1. Of speech, octet 3a and following
#: name one version each; other services have no such octets.
BEARER_OCTETS = (
    group(
        "3",
        "radio channel requirement 2 | coding standard 1 | transfer mode 1"
        "| information transfer capability 3",
        entries="speech versions",
        entry="coding 1 | CTM 1 | spare 1 | speech version 4",
    ),
    group(
        "4",
        "compression 1 | structure 2 | duplex mode 1 | configuration 1 | NIRR 1 | establishment 1",
    ),
    group(
        "5",
        "access identity 2 | rate adaption 2 | signalling access protocol 3",
        "other ITC 2 | other rate adaption 2 | spare 3",
        "rate adaption header 1 | multiple frame 1 | mode 1 | LLI negotiation 1 | assignor 1"
        "| in-band negotiation 1 | spare 1",
    ),
    group(
        "6",
        "layer 1 identity 2 | user information layer 1 protocol 4 | asynchronous 1",
        "stop bits 1 | negotiation 1 | data bits 1 | user rate 4",
        "intermediate rate 2 | NIC on Tx 1 | NIC on Rx 1 | parity 3",
        "connection element 2 | modem type 5",
        "other modem type 2 | fixed network user rate 5",
        "acceptable channel codings 4 | maximum number of traffic channels 3",
        "UIMI 3 | wanted air interface user rate 4",
        "acceptable channel codings extended 3 | asymmetry 2 | spare 2",
    ),
    group("7", "layer 2 identity 2 | user information layer 2 protocol 5"),
)


@dataclass(frozen=True, slots=True)
class BearerCapability:
    """Bearer capability, TS 24.008 10.5.4.5."""

    octets: bytes
    """From octet 3 on, as they stand."""

    @property
    def fields(self) -> Fields:
        """Every field by name, a row of BEARER_OCTETS; octets alone where bit 8 of one is wrong."""
        try:
            return pull_groups(BEARER_OCTETS, self.octets)
        except DecodeError:
            return {"octets": self.octets}

    @property
    def transfer_capability(self) -> int:
        """0 speech, 1 unrestricted digital, 2 audio, 3 facsimile."""
        return self.octets[0] & 7

    @property
    def speech_versions(self) -> tuple[int, ...]:
        """Versions that octets 3a and following name; () when octet 3 stands alone or it is not speech."""
        if self.transfer_capability or self.octets[0] & 0x80:
            return ()
        found = []
        for octet in self.octets[1:]:
            if not octet & 0x40:
                found.append(octet & 15)
            if octet & 0x80:
                break
        return tuple(found)


def bearer_capability(values: Mapping[str, Any]) -> BearerCapability:
    """Mirror of `BearerCapability.fields`; EncodeError names the field."""
    return BearerCapability(push_groups(BEARER_OCTETS, values))


BEARER = Codec(BearerCapability, lambda value: bytes(value.octets))
NUMBER = Codec(decode_number, encode_number)
CAUSE = Codec(decode_cause, encode_cause)
PROGRESS = Codec(decode_progress, encode_progress)
