"""Mobility management messages: TS 24.008 9.2, message types 10.4 table 10.2."""

from __future__ import annotations

from sim.bssap.elements import U8, Codec, MessageType, half, lv, t, tlv, tv, tv1, v
from sim.bssap.identity import decode_lai, decode_mobile_identity, encode_lai, encode_mobile_identity
from sim.bssap.mm_elements import NETWORK_NAME, TIME_ZONE, UNIVERSAL_TIME

LAI = Codec(decode_lai, encode_lai)
IDENTITY = Codec(decode_mobile_identity, encode_mobile_identity)

CLASSMARK_1 = v("Mobile station classmark 1", 1, U8, "10.5.1.5")
#: Three octets; stations in the field send others, and TS 24.008 8.7.2 leaves the reaction open.
CLASSMARK_2 = lv("Mobile station classmark 2", 1, 16, clause="10.5.1.6")
_CKSN = half("Ciphering key sequence number", "10.5.1.2")
_SPARE = half("Spare half octet", "10.5.1.8")
_LAI = v("Location area identification", 5, LAI, "10.5.1.3")
_IDENTITY = lv("Mobile identity", 1, 10, IDENTITY, "10.5.1.4")
_REJECT_CAUSE = v("Reject cause", 1, U8, "10.5.3.6")
_T3246 = tlv(0x36, "T3246 value", 1, 1, U8, "10.5.7.4a")
_ADDITIONAL = tv1(0xC0, "Additional update parameters", "10.5.3.14")
_DEVICE = tv1(0xD0, "Device properties", "10.5.7.8")

#: CM service types, TS 24.008 10.5.3.3.
SERVICE_CALL = 1
SERVICE_EMERGENCY_CALL = 2
SERVICE_SMS = 4
SERVICE_SS = 8

#: Location updating types, TS 24.008 10.5.3.5.
UPDATING_NORMAL = 0
UPDATING_PERIODIC = 1
UPDATING_IMSI_ATTACH = 2

MESSAGES: tuple[MessageType, ...] = (
    MessageType("IMSI DETACH INDICATION", 0x01, "9.2.12", (CLASSMARK_1, _IDENTITY)),
    MessageType("LOCATION UPDATING ACCEPT", 0x02, "9.2.13", (_LAI,), (
        tlv(0x17, "Mobile identity", 1, 10, IDENTITY, "10.5.1.4"),
        t(0xA1, "Follow on proceed", "10.5.3.7"),
        t(0xA2, "CTS permission", "10.5.3.10"),
        tlv(0x4A, "Equivalent PLMNs", 3, 45, clause="10.5.1.13"),
        tlv(0x34, "Emergency Number List", 3, 48, clause="10.5.3.13"),
        tlv(0x35, "Per MS T3212", 1, 1, U8, "10.5.7.4a"),
    )),
    MessageType("LOCATION UPDATING REJECT", 0x04, "9.2.14", (_REJECT_CAUSE,), (_T3246,)),
    MessageType("LOCATION UPDATING REQUEST", 0x08, "9.2.15", (
        half("Location updating type", "10.5.3.5"), _CKSN, _LAI, CLASSMARK_1, _IDENTITY,
    ), (
        tlv(0x33, "Mobile station classmark for UMTS", 3, 3, clause="10.5.1.6"),
        _ADDITIONAL,
        _DEVICE,
        tv1(0xE0, "MS network feature support", "10.5.1.15"),
    )),
    MessageType("AUTHENTICATION REJECT", 0x11, "9.2.1"),
    MessageType("AUTHENTICATION REQUEST", 0x12, "9.2.2", (
        _CKSN, _SPARE, v("Authentication parameter RAND", 16, clause="10.5.3.1"),
    ), (
        tlv(0x20, "Authentication parameter AUTN", 16, 16, clause="10.5.3.1.1"),
    )),
    MessageType("AUTHENTICATION RESPONSE", 0x14, "9.2.3", (
        v("Authentication response parameter", 4, clause="10.5.3.2"),
    ), (
        tlv(0x21, "Authentication response parameter (extension)", 1, 12, clause="10.5.3.2.1"),
    )),
    MessageType("AUTHENTICATION FAILURE", 0x1C, "9.2.3a", (_REJECT_CAUSE,), (
        tlv(0x22, "Authentication failure parameter", 14, 14, clause="10.5.3.2.2"),
    )),
    MessageType("IDENTITY REQUEST", 0x18, "9.2.10", (half("Identity type", "10.5.3.4"), _SPARE)),
    MessageType("IDENTITY RESPONSE", 0x19, "9.2.11", (_IDENTITY,)),
    MessageType("TMSI REALLOCATION COMMAND", 0x1A, "9.2.17", (_LAI, _IDENTITY)),
    MessageType("TMSI REALLOCATION COMPLETE", 0x1B, "9.2.18"),
    MessageType("CM SERVICE ACCEPT", 0x21, "9.2.5"),
    MessageType("CM SERVICE REJECT", 0x22, "9.2.6", (_REJECT_CAUSE,), (_T3246,)),
    MessageType("CM SERVICE ABORT", 0x23, "9.2.7"),
    MessageType("CM SERVICE REQUEST", 0x24, "9.2.9", (
        half("CM service type", "10.5.3.3"), _CKSN, CLASSMARK_2, _IDENTITY,
    ), (
        tv1(0x80, "Priority level", "10.5.1.11"),
        _ADDITIONAL,
        _DEVICE,
    )),
    MessageType("CM SERVICE PROMPT", 0x25, "9.2.5a", (v("PD and SAPI", 1, U8, "10.5.1.10a"),)),
    MessageType("CM RE-ESTABLISHMENT REQUEST", 0x28, "9.2.4", (
        _CKSN, _SPARE, CLASSMARK_2, _IDENTITY,
    ), (
        tv(0x13, "Location area identification", 5, LAI, "10.5.1.3"),
        _DEVICE,
    )),
    MessageType("ABORT", 0x29, "9.2.8", (_REJECT_CAUSE,)),
    MessageType("MM NULL", 0x30, "9.2.19"),
    MessageType("MM STATUS", 0x31, "9.2.16", (_REJECT_CAUSE,)),
    MessageType("MM INFORMATION", 0x32, "9.2.15a", (), (
        tlv(0x43, "Full name for network", 1, 255, NETWORK_NAME, "10.5.3.5a"),
        tlv(0x45, "Short name for network", 1, 255, NETWORK_NAME, "10.5.3.5a"),
        tv(0x46, "Local time zone", 1, TIME_ZONE, "10.5.3.8"),
        tv(0x47, "Universal time and local time zone", 7, UNIVERSAL_TIME, "10.5.3.9"),
        tlv(0x48, "LSA Identity", 0, 3, clause="10.5.3.11"),
        tlv(0x49, "Network Daylight Saving Time", 1, 1, U8, "10.5.3.12"),
    )),
)  # fmt: skip
