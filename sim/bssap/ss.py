"""Supplementary service messages: TS 24.080 2, message types 3.4."""

from __future__ import annotations

from sim.bssap.cc_elements import CAUSE
from sim.bssap.elements import MessageType, lv, tlv
from sim.bssap.ss_components import FACILITY

_FACILITY_LV = lv("Facility", 0, 255, FACILITY, "3.5")
_FACILITY = tlv(0x1C, "Facility", 0, 255, FACILITY, "3.5")

MESSAGES: tuple[MessageType, ...] = (
    MessageType("RELEASE COMPLETE", 0x2A, "2.5", (), (
        tlv(0x08, "Cause", 2, 32, CAUSE, "TS 24.008 10.5.4.11"), _FACILITY,
    )),
    MessageType("FACILITY", 0x3A, "2.3", (_FACILITY_LV,)),
    MessageType("REGISTER", 0x3B, "2.4", (), (
        _FACILITY, tlv(0x7F, "SS version", 1, 255, clause="3.5"),
    ), ("Facility",)),
)  # fmt: skip
