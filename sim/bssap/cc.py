"""Call control messages: TS 24.008 9.3, message types 10.4 table 10.3.

Where a message has other optional elements in the other direction, the row names those of both.
"""

from __future__ import annotations

from sim.bssap.cc_elements import BEARER, CAUSE, NUMBER, PROGRESS
from sim.bssap.elements import U8, MessageType, half, lv, t, tlv, tv, tv1, v
from sim.bssap.ss_components import FACILITY

_REPEAT = tv1(0xD0, "Repeat indicator", "10.5.4.22")
_BEARER = tlv(0x04, "Bearer capability", 1, 16, BEARER, "10.5.4.5")
_BEARER_LV = lv("Bearer capability", 1, 16, BEARER, "10.5.4.5")
_CAUSE = tlv(0x08, "Cause", 2, 32, CAUSE, "10.5.4.11")
_CAUSE_LV = lv("Cause", 2, 32, CAUSE, "10.5.4.11")
_CAPABILITIES = tlv(0x15, "Call Control Capabilities", 1, 2, clause="10.5.4.5a")
_FACILITY = tlv(0x1C, "Facility", 0, 255, FACILITY, "10.5.4.15")
_PROGRESS = tlv(0x1E, "Progress indicator", 2, 2, PROGRESS, "10.5.4.21")
_STREAM = tlv(0x2D, "Stream Identifier", 1, 1, U8, "10.5.4.28")
_CODECS = tlv(0x40, "Supported Codecs", 1, 255, clause="10.5.4.32")
_NETWORK_CAPABILITIES = tlv(0x2F, "Network Call Control Capabilities", 1, 1, U8, "10.5.4.29")
_PRIORITY = tv1(0x80, "Priority", "10.5.1.11")
_SUBADDRESS = "Called party subaddress"
_LOW_LAYER = tlv(0x7C, "Low layer compatibility", 0, 16, clause="10.5.4.18")
_HIGH_LAYER = tlv(0x7D, "High layer compatibility", 0, 4, clause="10.5.4.16")
_USER_USER = tlv(0x7E, "User-user", 1, 129, clause="10.5.4.25")
_SS_VERSION = tlv(0x7F, "SS Version Indicator", 0, 255, clause="10.5.4.24")
_REVERSE = t(0xA3, "Reverse call setup direction", "10.5.4.22a")
_KEYPAD = tv(0x2C, "Keypad facility", 1, U8, "10.5.4.17")

MESSAGES: tuple[MessageType, ...] = (
    MessageType("ALERTING", 0x01, "9.3.1", (), (_FACILITY, _PROGRESS, _USER_USER, _SS_VERSION)),
    MessageType("CALL CONFIRMED", 0x08, "9.3.2", (),
                (_REPEAT, _BEARER, _CAUSE, _CAPABILITIES, _STREAM, _CODECS)),
    MessageType("CALL PROCEEDING", 0x02, "9.3.3", (),
                (_REPEAT, _BEARER, _FACILITY, _PROGRESS, _PRIORITY, _NETWORK_CAPABILITIES)),
    MessageType("CONGESTION CONTROL", 0x39, "9.3.4",
                (half("Congestion level", "10.5.4.12"), half("Spare half octet")), (_CAUSE,)),
    MessageType("CONNECT", 0x07, "9.3.5", (), (
        _FACILITY, _PROGRESS,
        tlv(0x4C, "Connected number", 1, 12, NUMBER, "10.5.4.13"),
        tlv(0x4D, "Connected subaddress", 0, 21, clause="10.5.4.14"),
        _USER_USER, _SS_VERSION, _STREAM,
    )),
    MessageType("CONNECT ACKNOWLEDGE", 0x0F, "9.3.6"),
    MessageType("DISCONNECT", 0x25, "9.3.7", (_CAUSE_LV,), (
        _FACILITY, _PROGRESS, _USER_USER,
        tlv(0x7B, "Allowed actions", 1, 1, U8, "10.5.4.26"),
        _SS_VERSION,
    )),
    MessageType("EMERGENCY SETUP", 0x0E, "9.3.8", (), (
        _BEARER, _STREAM, _CODECS, tlv(0x2E, "Emergency category", 1, 1, U8, "10.5.4.33"),
    )),
    MessageType("FACILITY", 0x3A, "9.3.9", (lv("Facility", 0, 255, FACILITY, "10.5.4.15"),), (_SS_VERSION,)),
    MessageType("HOLD", 0x18, "9.3.10"),
    MessageType("HOLD ACKNOWLEDGE", 0x19, "9.3.11"),
    MessageType("HOLD REJECT", 0x1A, "9.3.12", (_CAUSE_LV,)),
    MessageType("MODIFY", 0x17, "9.3.13", (_BEARER_LV,), (
        _LOW_LAYER, _HIGH_LAYER, _REVERSE, t(0xA4, "Network-initiated Service Upgrade indicator"),
    )),
    MessageType("MODIFY COMPLETE", 0x1F, "9.3.14", (_BEARER_LV,), (_LOW_LAYER, _HIGH_LAYER, _REVERSE)),
    MessageType("MODIFY REJECT", 0x13, "9.3.15", (_BEARER_LV, _CAUSE_LV), (_LOW_LAYER, _HIGH_LAYER)),
    MessageType("NOTIFY", 0x3E, "9.3.16", (v("Notification indicator", 1, U8, "10.5.4.20"),)),
    MessageType("PROGRESS", 0x03, "9.3.17", (
        lv("Progress indicator", 2, 2, PROGRESS, "10.5.4.21"),
    ), (_USER_USER,)),
    MessageType("CC-ESTABLISHMENT", 0x04, "9.3.17a", (lv("Setup container", 0, 255, clause="10.5.4.22b"),)),
    MessageType("CC-ESTABLISHMENT CONFIRMED", 0x06, "9.3.17b", (), (_REPEAT, _BEARER, _CAUSE, _CODECS)),
    MessageType("RELEASE", 0x2D, "9.3.18", (), (_CAUSE, _FACILITY, _USER_USER, _SS_VERSION)),
    MessageType("RECALL", 0x0B, "9.3.18a", (
        v("Recall type", 1, U8, "10.5.4.21a"), lv("Facility", 0, 255, FACILITY, "10.5.4.15"),
    )),
    MessageType("RELEASE COMPLETE", 0x2A, "9.3.19", (), (_CAUSE, _FACILITY, _USER_USER, _SS_VERSION)),
    MessageType("RETRIEVE", 0x1C, "9.3.20"),
    MessageType("RETRIEVE ACKNOWLEDGE", 0x1D, "9.3.21"),
    MessageType("RETRIEVE REJECT", 0x1E, "9.3.22", (_CAUSE_LV,)),
    MessageType("SETUP", 0x05, "9.3.23", (), (
        _REPEAT, _BEARER, _FACILITY, _PROGRESS,
        tv(0x34, "Signal", 1, U8, "10.5.4.23"),
        tlv(0x5C, "Calling party BCD number", 1, 255, NUMBER, "10.5.4.9"),
        tlv(0x5D, "Calling party subaddress", 0, 21, clause="10.5.4.10"),
        tlv(0x5E, "Called party BCD number", 1, 255, NUMBER, "10.5.4.7"),
        tlv(0x6D, _SUBADDRESS, 0, 21, clause="10.5.4.8"),
        tlv(0x74, "Redirecting party BCD number", 1, 255, NUMBER, "10.5.4.21b"),
        tlv(0x75, "Redirecting party subaddress", 0, 21, clause="10.5.4.21c"),
        _LOW_LAYER, _HIGH_LAYER, _USER_USER, _PRIORITY,
        tlv(0x19, "Alerting pattern", 1, 1, U8, "10.5.4.26a"),
        _NETWORK_CAPABILITIES,
        tlv(0x3A, "Cause of No CLI", 1, 1, U8, "10.5.4.30"),
        tlv(0x41, "Backup bearer capability", 1, 13, clause="10.5.4.4a"),
        _SS_VERSION,
        t(0xA1, "CLIR suppression", "10.5.4.11a"),
        t(0xA2, "CLIR invocation", "10.5.4.11b"),
        _CAPABILITIES,
        tlv(0x1D, "Facility (recall alignment, essential)", 0, 255, FACILITY, "10.5.4.15"),
        tlv(0x1B, "Facility (recall alignment, not essential)", 0, 255, FACILITY, "10.5.4.15"),
        _STREAM, _CODECS,
        t(0xA3, "Redial", "10.5.4.34"),
    )),
    MessageType("START CC", 0x09, "9.3.23a", (), (_CAPABILITIES,)),
    MessageType("START DTMF", 0x35, "9.3.24", (), (_KEYPAD,), ("Keypad facility",)),
    MessageType("START DTMF ACKNOWLEDGE", 0x36, "9.3.25", (), (_KEYPAD,), ("Keypad facility",)),
    MessageType("START DTMF REJECT", 0x37, "9.3.26", (_CAUSE_LV,)),
    MessageType("STATUS", 0x3D, "9.3.27", (_CAUSE_LV, v("Call state", 1, U8, "10.5.4.6")), (
        tlv(0x24, "Auxiliary states", 1, 1, U8, "10.5.4.4"),
    )),
    MessageType("STATUS ENQUIRY", 0x34, "9.3.28"),
    MessageType("STOP DTMF", 0x31, "9.3.29"),
    MessageType("STOP DTMF ACKNOWLEDGE", 0x32, "9.3.30"),
    MessageType("USER INFORMATION", 0x10, "9.3.31", (lv("User-user", 1, 129, clause="10.5.4.25"),), (
        t(0xA0, "More data", "10.5.4.19"),
    )),
)  # fmt: skip
