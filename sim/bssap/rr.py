"""The radio resource messages that the A interface shows: TS 44.018 9.1, types 10.4.

PAGING RESPONSE opens a connection; HANDOVER COMMAND travels as layer 3 information of BSSMAP.
Other messages of that protocol are kept as named octets.
"""

from __future__ import annotations

from sim.bssap.elements import U8, MessageType, half, lv, tlv, tv, tv1, v
from sim.bssap.mm import CLASSMARK_2, IDENTITY

MESSAGES: tuple[MessageType, ...] = (
    MessageType("PAGING RESPONSE", 0x27, "9.1.25", (
        half("Ciphering key sequence number", "10.5.1.2"),
        half("Spare half octet", "10.5.1.8"),
        CLASSMARK_2,
        lv("Mobile identity", 1, 10, IDENTITY, "10.5.1.4"),
    ), (
        tv1(0xC0, "Additional update parameters", "10.5.2.71"),
    )),
    MessageType("HANDOVER COMMAND", 0x2B, "9.1.15", (
        v("Cell Description", 2, clause="10.5.2.2"),
        v("Description of the first channel, after time", 3, clause="10.5.2.5a"),
        v("Handover Reference", 1, U8, "10.5.2.15"),
        v("Power Command and access type", 1, U8, "10.5.2.28a"),
    ), (
        tv1(0xD0, "Synchronization Indication", "10.5.2.39"),
        tv(0x02, "Frequency Short List, after time", 9, clause="10.5.2.14"),
        tlv(0x05, "Frequency List, after time", clause="10.5.2.13"),
        tv(0x62, "Cell Channel Description", 16, clause="10.5.2.1b"),
        tv(0x63, "Mode of the First Channel (Channel Set 1)", 1, U8, "10.5.2.6"),
        tlv(0x72, "Mobile Allocation, after time", clause="10.5.2.21"),
        tv(0x7C, "Starting Time", 2, clause="10.5.2.38"),
        tv1(0x90, "Cipher Mode Setting", "10.5.2.9"),
        tlv(0x03, "MultiRate configuration", clause="10.5.2.21aa"),
    )),
    MessageType("CIPHERING MODE COMPLETE", 0x32, "9.1.10", (), (
        tlv(0x17, "Mobile Equipment Identity", 1, 10, IDENTITY, "10.5.1.4"),
    )),
    MessageType("CLASSMARK CHANGE", 0x16, "9.1.11", (CLASSMARK_2,), (
        tlv(0x20, "Mobile Station Classmark 3", 1, 32, clause="10.5.1.7"),
    )),
    MessageType("ASSIGNMENT COMPLETE", 0x29, "9.1.3", (v("RR Cause", 1, U8, "10.5.2.31"),)),
    MessageType("HANDOVER COMPLETE", 0x2C, "9.1.16", (v("RR Cause", 1, U8, "10.5.2.31"),)),
    MessageType("HANDOVER FAILURE", 0x28, "9.1.17", (v("RR Cause", 1, U8, "10.5.2.31"),)),
    MessageType("RR STATUS", 0x12, "9.1.29", (v("RR Cause", 1, U8, "10.5.2.31"),)),
)  # fmt: skip
