"""The information elements of BSSMAP: TS 48.008 3.2.2, one table by identifier.

Elements that no message of this project builds are kept as named octets.
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap.cells import (
    decode_cell_identifier,
    decode_cell_identifier_list,
    encode_cell_identifier,
    encode_cell_identifier_list,
)
from sim.bssap.elements import U8, U16, Codec, Element, t, tlv, tlve, tv
from sim.bssap.errors import DecodeError, EncodeError
from sim.bssap.identity import decode_mobile_identity, encode_mobile_identity, imsi
from sim.bssap.octets import push_octets, push_uint


@dataclass(frozen=True, slots=True)
class ChannelType:
    """Channel type, TS 48.008 3.2.2.11."""

    kind: int
    """Speech or data indicator, 4 bits: 1 speech, 2 data, 3 signalling."""
    rate: int
    """Channel rate and type, one octet."""
    rest: bytes = b""
    """Permitted speech versions, or data rate and transparency, as they stand (bit 8: another follows)."""
    spare: int = 0

    @property
    def speech_versions(self) -> tuple[int, ...]:
        return tuple(octet & 0x7F for octet in self.rest) if self.kind == 1 else ()


@dataclass(frozen=True, slots=True)
class EncryptionInformation:
    """Encryption information, TS 48.008 3.2.2.10."""

    permitted: int
    """Permitted algorithms, bit 1 no encryption, bit 2 A5/1 ... bit 8 A5/7."""
    key: bytes = b""
    """Kc, 8 octets."""


@dataclass(frozen=True, slots=True)
class CircuitIdentityCode:
    """Circuit identity code, TS 48.008 3.2.2.2: 11 bits of PCM multiplex, 5 bits of time slot."""

    code: int
    """All 16 bits."""

    @property
    def multiplex(self) -> int:
        return self.code >> 5

    @property
    def timeslot(self) -> int:
        return self.code & 31


def _decode_cause(data: bytes) -> int:
    """TS 48.008 3.2.2.5: the extension bit makes it two octets."""
    wanted = 2 if data[0] & 0x80 else 1
    if len(data) != wanted:
        raise DecodeError(f"{len(data)} octets, {wanted} wanted")
    return int.from_bytes(data, "big")


def _encode_cause(value: int) -> bytes:
    if value < 0x80:
        return push_uint(value, 1, "cause")
    if value < 0x8000:
        raise EncodeError(f"cause {value}: 0-127, or an extended one from 0x8000")
    return push_uint(value, 2, "cause")


def _decode_imsi(data: bytes) -> str:
    value = decode_mobile_identity(data)
    if value.kind != "IMSI":
        raise DecodeError(f"a {value.kind} in its place")
    return value.digits


def _decode_tmsi(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _decode_encryption(data: bytes) -> EncryptionInformation:
    return EncryptionInformation(data[0], data[1:])


def _decode_channel_type(data: bytes) -> ChannelType:
    return ChannelType(data[0] & 15, data[1], data[2:], data[0] >> 4)


def _encode_channel_type(value: ChannelType) -> bytes:
    if not 0 <= value.kind < 16:
        raise EncodeError(f"speech or data indicator {value.kind}")
    head = push_uint(value.kind | value.spare << 4, 1, "speech or data indicator")
    return head + push_uint(value.rate, 1, "channel rate and type") + push_octets(value.rest, "rest")


CAUSE = Codec(_decode_cause, _encode_cause)
IMSI = Codec(_decode_imsi, lambda digits: encode_mobile_identity(imsi(digits)))
TMSI = Codec(_decode_tmsi, lambda value: push_uint(value, 4, "TMSI"))
IDENTITY = Codec(decode_mobile_identity, encode_mobile_identity)
CELL = Codec(decode_cell_identifier, encode_cell_identifier)
CELLS = Codec(decode_cell_identifier_list, encode_cell_identifier_list)
ENCRYPTION = Codec(
    _decode_encryption,
    lambda value: push_uint(value.permitted, 1, "algorithms") + push_octets(value.key, "key"),
)
CHANNEL_TYPE = Codec(_decode_channel_type, _encode_channel_type)
CIC = Codec(
    lambda data: CircuitIdentityCode(int.from_bytes(data, "big")),
    lambda value: push_uint(value.code, 2, "circuit identity code"),
)

#: TS 48.008 3.2.2.1: every element, by identifier. Clauses from 3.2.2.2 on.
ELEMENTS: tuple[Element, ...] = (
    tv(0x01, "Circuit Identity Code", 2, CIC, "3.2.2.2"),
    tv(0x03, "Resource Available", 20, clause="3.2.2.4"),
    tlv(0x04, "Cause", 1, 2, CAUSE, "3.2.2.5"),
    tlv(0x05, "Cell Identifier", 1, 10, CELL, "3.2.2.17"),
    tlv(0x06, "Priority", 1, 1, U8, "3.2.2.18"),
    tlv(0x07, "Layer 3 Header Information", 1, 3, clause="3.2.2.9"),
    tlv(0x08, "IMSI", 1, 8, IMSI, "3.2.2.6"),
    tlv(0x09, "TMSI", 4, 4, TMSI, "3.2.2.7"),
    tlv(0x0A, "Encryption Information", 1, 9, ENCRYPTION, "3.2.2.10"),
    tlv(0x0B, "Channel Type", 2, 12, CHANNEL_TYPE, "3.2.2.11"),
    tv(0x0C, "Periodicity", 1, U8, "3.2.2.12"),
    tv(0x0D, "Extended Resource Indicator", 1, U8, "3.2.2.13"),
    tv(0x0E, "Number Of MSs", 1, U8, "3.2.2.8"),
    tlv(0x12, "Classmark Information Type 2", 1, 3, clause="3.2.2.19"),
    tlv(0x13, "Classmark Information Type 3", 1, 32, clause="3.2.2.20"),
    tv(0x14, "Interference Band To Be Used", 1, U8, "3.2.2.21"),
    tv(0x15, "RR Cause", 1, U8, "3.2.2.22"),
    tlv(0x17, "Layer 3 Information", 1, 251, clause="3.2.2.24"),
    tv(0x18, "DLCI", 1, U8, "3.2.2.25"),
    tv(0x19, "Downlink DTX Flag", 1, U8, "3.2.2.26"),
    tlv(0x1A, "Cell Identifier List", 1, 251, CELLS, "3.2.2.27"),
    t(0x1B, "Response Request", "3.2.2.28"),
    tv(0x1C, "Resource Indication Method", 1, U8, "3.2.2.29"),
    tv(0x1D, "Classmark Information Type 1", 1, U8, "3.2.2.30"),
    tlv(0x1E, "Circuit Identity Code List", 2, 255, clause="3.2.2.31"),
    tlv(0x1F, "Diagnostic", 2, 255, clause="3.2.2.32"),
    tlv(0x20, "Layer 3 Message Contents", 1, 255, clause="3.2.2.35"),
    tv(0x21, "Chosen Channel", 1, U8, "3.2.2.33"),
    tv(0x22, "Total Resource Accessible", 4, clause="3.2.2.14"),
    tv(0x23, "Cipher Response Mode", 1, U8, "3.2.2.34"),
    tv(0x24, "Channel Needed", 1, U8, "3.2.2.36"),
    tv(0x25, "Trace Type", 1, U8, "3.2.2.37"),
    tlv(0x26, "TriggerID", 1, 20, clause="3.2.2.38"),
    tv(0x27, "Trace Reference", 2, U16, "3.2.2.39"),
    tlv(0x28, "TransactionID", 1, 2, clause="3.2.2.40"),
    tlv(0x29, "Mobile Identity", 1, 255, IDENTITY, "3.2.2.41"),
    tlv(0x2A, "OMCID", 1, 20, clause="3.2.2.42"),
    tv(0x2B, "Forward Indicator", 1, U8, "3.2.2.43"),
    tv(0x2C, "Chosen Encryption Algorithm", 1, U8, "3.2.2.44"),
    tv(0x2D, "Circuit Pool", 1, U8, "3.2.2.45"),
    tlv(0x2E, "Circuit Pool List", 1, 255, clause="3.2.2.46"),
    tv(0x2F, "Time Indication", 1, U8, "3.2.2.47"),
    tlv(0x30, "Resource Situation", 0, 255, clause="3.2.2.48"),
    tv(0x31, "Current Channel Type 1", 1, U8, "3.2.2.49"),
    tv(0x32, "Queuing Indicator", 1, U8, "3.2.2.50"),
    tv(0x33, "Assignment Requirement", 1, U8, "3.2.2.52"),
    t(0x35, "Talker Flag", "3.2.2.54"),
    t(0x36, "Connection Release Requested", "3.2.2.3"),
    tlv(0x37, "Group Call Reference", 4, 8, clause="3.2.2.55"),
    tv(0x38, "eMLPP Priority", 1, U8, "3.2.2.56"),
    tv(0x39, "Configuration Evolution Indication", 1, U8, "3.2.2.57"),
    tlv(0x3A, "Old BSS to New BSS Information", 0, 255, clause="3.2.2.58"),
    tlv(0x3B, "LSA Identifier", 3, 3, clause="3.2.2.15"),
    tlv(0x3C, "LSA Identifier List", 1, 255, clause="3.2.2.16"),
    tlv(0x3D, "LSA Information", 1, 255, clause="3.2.2.23"),
    tlv(0x3E, "LCS QoS", 4, 4, clause="3.2.2.60"),
    tv(0x3F, "LSA access control suppression", 1, U8, "3.2.2.61"),
    tv(0x40, "Speech Version", 1, U8, "3.2.2.51"),
    tlv(0x43, "LCS Priority", 1, 1, clause="3.2.2.62"),
    tlv(0x44, "Location Type", 1, 3, clause="3.2.2.63"),
    tlv(0x45, "Location Estimate", 1, 255, clause="3.2.2.64"),
    tlv(0x46, "Positioning Data", 1, 255, clause="3.2.2.65"),
    tlv(0x47, "LCS Cause", 1, 2, clause="3.2.2.66"),
    tlv(0x48, "LCS Client Type", 1, 1, clause="3.2.2.67"),
    tlve(0x49, "APDU", 1, 65535, clause="3.2.2.68"),
    tlv(0x4A, "Network Element Identity", 1, 255, clause="3.2.2.69"),
    tlv(0x4B, "GPS Assistance Data", 1, 255, clause="3.2.2.70"),
    tlv(0x4C, "Deciphering Keys", 1, 255, clause="3.2.2.71"),
    tlv(0x4D, "Return Error Request", 1, 255, clause="3.2.2.72"),
    tlv(0x4E, "Return Error Cause", 1, 255, clause="3.2.2.73"),
    tlv(0x4F, "Segmentation", 2, 2, clause="3.2.2.74"),
    tlv(0x50, "Service Handover", 1, 2, clause="3.2.2.75"),
    tlv(0x51, "Source RNC to target RNC transparent information (UMTS)"),
    tlv(0x52, "Source RNC to target RNC transparent information (cdma2000)"),
    tlv(0x53, "GERAN Classmark"),
    tlv(0x54, "GERAN BSC Container"),
    tlv(0x55, "Velocity Estimate"),
    tlv(0x61, "New BSS to Old BSS Information"),
    tlv(0x63, "Inter-System Information"),
    tlv(0x64, "SNA Access Information"),
    tlv(0x65, "VSTK_RAND Information", clause="3.2.2.83"),
    tlv(0x66, "VSTK Information", clause="3.2.2.84"),
    tlv(0x67, "Paging Information", clause="3.2.2.85"),
    tlv(0x68, "IMEI", 1, 9, IDENTITY, "3.2.2.86"),
    tlv(0x69, "VGCS Feature Flags", clause="3.2.2.88"),
    tv(0x6A, "Talker Priority", 1, U8, "3.2.2.89"),
    t(0x6B, "Emergency Set Indication", "3.2.2.90"),
    tlv(0x6C, "Talker Identity", clause="3.2.2.91"),
    tlv(0x6D, "Cell Identifier List Segment", clause="3.2.2.27a"),
    tlv(0x6E, "SMS to VGCS"),
    tlv(0x6F, "VGCS Talker Mode"),
    tlv(0x70, "VGCS/VBS Cell Status"),
    tlv(0x71, "Cell Identifier List Segment for established cells"),
    tlv(0x72, "Cell Identifier List Segment for cells to be established"),
    tlv(0x73, "Cell Identifier List Segment for released cells - no user present"),
    tlv(0x74, "Cell Identifier List Segment for not established cells - no establishment possible"),
    tlv(0x75, "GANSS Assistance Data"),
    tlv(0x76, "GANSS Positioning Data"),
    tlv(0x77, "GANSS Location Type"),
    tlv(0x78, "Application Data"),
    tlv(0x79, "Data Identity"),
    tlv(0x7A, "Application Data Information", clause="3.2.2.100"),
    tlv(0x7B, "MSISDN"),
    tlv(0x7C, "AoIP Transport Layer Address", 6, 18, clause="3.2.2.102"),
    tlv(0x7D, "Speech Codec List", 1, 255, clause="3.2.2.103"),
    tlv(0x7E, "Speech Codec", 1, 255, clause="3.2.2.104"),
    tv(0x7F, "Call Identifier", 4, clause="3.2.2.105"),
    tlv(0x80, "Call Identifier List", clause="3.2.2.106"),
    tv(0x81, "A-Interface Selector for RESET", 1, U8, "3.2.2.107"),
    tv(0x83, "Kc128", 16, clause="3.2.2.109"),
    tlv(0x84, "CSG Identifier"),
    t(0x85, "Redirect Attempt Flag", "3.2.2.111"),
    tv(0x86, "Reroute Reject Cause", 1, U8, "3.2.2.112"),
    tv(0x87, "Send Sequence Number", 1, U8, "3.2.2.113"),
    tv(0x88, "Reroute complete outcome", 1, U8, "3.2.2.114"),
    tlv(0x89, "Global Call Reference", clause="3.2.2.115"),
    tv(0x8A, "LCLS-Configuration", 1, U8, "3.2.2.116"),
    tv(0x8B, "LCLS-Connection-Status-Control", 1, U8, "3.2.2.117"),
    t(0x8C, "LCLS-Correlation-Not-Needed", "3.2.2.118"),
    tv(0x8D, "LCLS-BSS-Status", 1, U8, "3.2.2.119"),
    t(0x8E, "LCLS-Break-Request", "3.2.2.120"),
    t(0x8F, "CSFB Indication", "3.2.2.121"),
    t(0x90, "CS to PS SRVCC"),
    tlv(0x91, "Source eNB to target eNB transparent information (E-UTRAN)"),
    t(0x92, "CS to PS SRVCC Indication"),
    tlv(0x93, "CN to MS transparent information"),
    tv(0x94, "Selected PLMN ID", 3, clause="3.2.2.126"),
    tv(0x95, "Last used E-UTRAN PLMN ID", 3),
    tlv(0x96, "Old Location Area Identification"),
    t(0x97, "Attach Indicator"),
    tv(0x98, "Selected Operator", 3),
    tv(0x99, "PS Registered Operator", 3),
    tv(0x9A, "CS Registered Operator", 3),
)  # fmt: skip
BY_IEI = {element.iei: element for element in ELEMENTS}
BY_NAME = {element.name: element for element in ELEMENTS}
