"""BSSMAP messages: TS 48.008 3.2.1, message types 3.2.2.1.

A message is its name and its elements; `ELEMENTS` of `bssmap_elements` say how each is coded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sim.bssap.bssmap_elements import BY_IEI, BY_NAME
from sim.bssap.elements import UNKNOWN, Message, Unknown, pull_element, push_element, push_unknown
from sim.bssap.errors import DecodeError, EncodeError, writer
from sim.bssap.octets import Reader


@dataclass(frozen=True, slots=True)
class BssmapType:
    """One row of the message table."""

    code: int
    name: str
    clause: str = ""
    mandatory: tuple[str, ...] = ()
    """Elements that must be there; the rest of 3.2.2 may be."""


_C = "Cause"
_CIC = "Circuit Identity Code"
_CELL = "Cell Identifier"
_LIST = "Cell Identifier List"
_L3 = "Layer 3 Information"
_CICS = "Circuit Identity Code List"

#: TS 48.008 3.2.2.1; clauses of 3.2.1.
MESSAGES: tuple[BssmapType, ...] = (
    BssmapType(0x01, "ASSIGNMENT REQUEST", "3.2.1.1", ("Channel Type",)),
    BssmapType(0x02, "ASSIGNMENT COMPLETE", "3.2.1.2"),
    BssmapType(0x03, "ASSIGNMENT FAILURE", "3.2.1.3", (_C,)),
    BssmapType(0x04, "VGCS/VBS SETUP", "3.2.1.50"),
    BssmapType(0x05, "VGCS/VBS SETUP ACK", "3.2.1.51"),
    BssmapType(0x06, "VGCS/VBS SETUP REFUSE", "3.2.1.52"),
    BssmapType(0x07, "VGCS/VBS ASSIGNMENT REQUEST", "3.2.1.53"),
    BssmapType(0x08, "CHANNEL MODIFY REQUEST"),
    BssmapType(0x10, "HANDOVER REQUEST", "3.2.1.8",
               ("Channel Type", "Encryption Information", _CELL)),
    BssmapType(0x11, "HANDOVER REQUIRED", "3.2.1.9", (_C,)),
    BssmapType(0x12, "HANDOVER REQUEST ACKNOWLEDGE", "3.2.1.10", (_L3,)),
    BssmapType(0x13, "HANDOVER COMMAND", "3.2.1.11", (_L3,)),
    BssmapType(0x14, "HANDOVER COMPLETE", "3.2.1.12"),
    BssmapType(0x15, "HANDOVER SUCCEEDED", "3.2.1.13"),
    BssmapType(0x16, "HANDOVER FAILURE", "3.2.1.16", (_C,)),
    BssmapType(0x17, "HANDOVER PERFORMED", "3.2.1.25", (_C, _CELL)),
    BssmapType(0x18, "HANDOVER CANDIDATE ENQUIRE", "3.2.1.14", ("Number Of MSs", _LIST, _CELL)),
    BssmapType(0x19, "HANDOVER CANDIDATE RESPONSE", "3.2.1.15", ("Number Of MSs", _CELL)),
    BssmapType(0x1A, "HANDOVER REQUIRED REJECT", "3.2.1.37", (_C,)),
    BssmapType(0x1B, "HANDOVER DETECT", "3.2.1.40"),
    BssmapType(0x1C, "VGCS/VBS ASSIGNMENT RESULT", "3.2.1.54"),
    BssmapType(0x1D, "VGCS/VBS ASSIGNMENT FAILURE", "3.2.1.55"),
    BssmapType(0x1E, "VGCS/VBS QUEUING INDICATION", "3.2.1.56"),
    BssmapType(0x1F, "UPLINK REQUEST", "3.2.1.57"),
    BssmapType(0x20, "CLEAR COMMAND", "3.2.1.21", (_C,)),
    BssmapType(0x21, "CLEAR COMPLETE", "3.2.1.22"),
    BssmapType(0x22, "CLEAR REQUEST", "3.2.1.20", (_C,)),
    BssmapType(0x25, "SAPI \"n\" REJECT", "3.2.1.34", ("DLCI", _C)),
    BssmapType(0x26, "CONFUSION", "3.2.1.45", (_C, "Diagnostic")),
    BssmapType(0x27, "UPLINK REQUEST ACKNOWLEDGE", "3.2.1.58"),
    BssmapType(0x28, "SUSPEND"),
    BssmapType(0x29, "RESUME"),
    BssmapType(0x2A, "CONNECTION ORIENTED INFORMATION", "", ("APDU",)),
    BssmapType(0x2B, "PERFORM LOCATION REQUEST", "", ("Location Type",)),
    BssmapType(0x2C, "LSA INFORMATION", "", ("LSA Information",)),
    BssmapType(0x2D, "PERFORM LOCATION RESPONSE"),
    BssmapType(0x2E, "PERFORM LOCATION ABORT", "", ("LCS Cause",)),
    BssmapType(0x2F, "COMMON ID", "3.2.1.68", ("IMSI",)),
    BssmapType(0x30, "RESET", "3.2.1.23", (_C,)),
    BssmapType(0x31, "RESET ACKNOWLEDGE", "3.2.1.24"),
    BssmapType(0x32, "OVERLOAD", "3.2.1.26", (_C,)),
    BssmapType(0x34, "RESET CIRCUIT", "3.2.1.38", (_CIC, _C)),
    BssmapType(0x35, "RESET CIRCUIT ACKNOWLEDGE", "3.2.1.39", (_CIC,)),
    BssmapType(0x36, "MSC INVOKE TRACE", "3.2.1.27", ("Trace Type", "Trace Reference")),
    BssmapType(0x37, "BSS INVOKE TRACE", "3.2.1.28", ("Trace Type", "Trace Reference")),
    BssmapType(0x3A, "CONNECTIONLESS INFORMATION", "", ("Network Element Identity", "APDU")),
    BssmapType(0x3B, "VGCS/VBS ASSIGNMENT STATUS"),
    BssmapType(0x3C, "VGCS/VBS AREA CELL INFO"),
    BssmapType(0x3D, "RESET IP RESOURCE", "3.2.1.87", (_C, "Call Identifier List")),
    BssmapType(0x3E, "RESET IP RESOURCE ACKNOWLEDGE", "3.2.1.88", ("Call Identifier List",)),
    BssmapType(0x40, "BLOCK", "3.2.1.4", (_CIC, _C)),
    BssmapType(0x41, "BLOCKING ACKNOWLEDGE", "3.2.1.5", (_CIC,)),
    BssmapType(0x42, "UNBLOCK", "3.2.1.6", (_CIC,)),
    BssmapType(0x43, "UNBLOCKING ACKNOWLEDGE", "3.2.1.7", (_CIC,)),
    BssmapType(0x44, "CIRCUIT GROUP BLOCK", "3.2.1.41", (_C, _CIC, _CICS)),
    BssmapType(0x45, "CIRCUIT GROUP BLOCKING ACKNOWLEDGE", "3.2.1.42", (_CIC, _CICS)),
    BssmapType(0x46, "CIRCUIT GROUP UNBLOCK", "3.2.1.43", (_CIC, _CICS)),
    BssmapType(0x47, "CIRCUIT GROUP UNBLOCKING ACKNOWLEDGE", "3.2.1.44", (_CIC, _CICS)),
    BssmapType(0x48, "UNEQUIPPED CIRCUIT", "3.2.1.47", (_CIC,)),
    BssmapType(0x49, "UPLINK REQUEST CONFIRMATION", "3.2.1.59"),
    BssmapType(0x4A, "UPLINK RELEASE INDICATION", "3.2.1.60"),
    BssmapType(0x4B, "UPLINK REJECT COMMAND", "3.2.1.61"),
    BssmapType(0x4C, "UPLINK RELEASE COMMAND"),
    BssmapType(0x4D, "UPLINK SEIZED COMMAND"),
    BssmapType(0x4E, "CHANGE CIRCUIT"),
    BssmapType(0x4F, "CHANGE CIRCUIT ACKNOWLEDGE"),
    BssmapType(0x50, "RESOURCE REQUEST", "3.2.1.17"),
    BssmapType(0x51, "RESOURCE INDICATION", "3.2.1.18"),
    BssmapType(0x52, "PAGING", "3.2.1.19", ("IMSI", _LIST)),
    BssmapType(0x53, "CIPHER MODE COMMAND", "3.2.1.30", ("Encryption Information",)),
    BssmapType(0x54, "CLASSMARK UPDATE", "3.2.1.29", ("Classmark Information Type 2",)),
    BssmapType(0x55, "CIPHER MODE COMPLETE", "3.2.1.31"),
    BssmapType(0x56, "QUEUING INDICATION", "3.2.1.33"),
    BssmapType(0x57, "COMPLETE LAYER 3 INFORMATION", "3.2.1.32", (_CELL, _L3)),
    BssmapType(0x58, "CLASSMARK REQUEST", "3.2.1.46"),
    BssmapType(0x59, "CIPHER MODE REJECT", "3.2.1.48", (_C,)),
    BssmapType(0x5A, "LOAD INDICATION", "3.2.1.49", ("Time Indication", _CELL, _LIST)),
    BssmapType(0x60, "VGCS ADDITIONAL INFORMATION"),
    BssmapType(0x61, "VGCS SMS"),
    BssmapType(0x62, "NOTIFICATION DATA"),
    BssmapType(0x63, "UPLINK APPLICATION DATA", "3.2.1.59a"),
    BssmapType(0x70, "INTERNAL HANDOVER REQUIRED"),
    BssmapType(0x71, "INTERNAL HANDOVER REQUIRED REJECT"),
    BssmapType(0x72, "INTERNAL HANDOVER COMMAND"),
    BssmapType(0x73, "INTERNAL HANDOVER ENQUIRY", "3.2.1.86"),
    BssmapType(0x74, "LCLS-CONNECT-CONTROL", "3.2.1.91"),
    BssmapType(0x75, "LCLS-CONNECT-CONTROL-ACK", "3.2.1.92"),
    BssmapType(0x76, "LCLS-NOTIFICATION", "3.2.1.93"),
    BssmapType(0x78, "REROUTE COMMAND", "3.2.1.89"),
    BssmapType(0x79, "REROUTE COMPLETE", "3.2.1.90"),
)  # fmt: skip
BY_CODE = {row.code: row for row in MESSAGES}
BY_TYPE_NAME = {row.name: row for row in MESSAGES}


def decode(data: bytes) -> Message:
    """A BSSMAP message from its message type octet on."""
    reader = Reader(data)
    code = reader.pull_u8()
    row = BY_CODE.get(code)
    if row is None:
        raise DecodeError(f"BSSMAP message type 0x{code:02x} is unknown")
    found: list[tuple[str, Any]] = []
    while reader.remaining:
        iei = reader.pull_u8()
        element = BY_IEI.get(iei)
        try:
            if element is None:
                found.append((UNKNOWN, Unknown(iei, reader.pull_lv())))
            else:
                found.append((element.name, pull_element(reader, element)))
        except DecodeError as error:
            raise DecodeError(f"{row.name}: {error}") from None
    names = {name for name, _ in found}
    for name in row.mandatory:
        if name not in names:
            raise DecodeError(f"{row.name}: {name} is missing")
    return Message(row.name, tuple(found))


@writer("BSSMAP")
def encode(value: Message) -> bytes:
    """Elements in the order given; that of 3.2.1 is the caller's to keep."""
    row = BY_TYPE_NAME.get(value.name)
    if row is None:
        raise EncodeError(f"BSSMAP has no message {value.name!r}")
    names = {name for name, _ in value.elements}
    for name in row.mandatory:
        if name not in names:
            raise EncodeError(f"{row.name}: {name} is missing")
    out = bytearray([row.code])
    for name, content in value.elements:
        kept = push_unknown(name, content)
        if kept is not None:
            if name == UNKNOWN and content.octets is None:
                raise EncodeError(f"{row.name}: an unknown element has a length here")
            out += kept
        elif name in BY_NAME:
            out += push_element(BY_NAME[name], content)
        else:
            raise EncodeError(f"BSSMAP has no element {name!r}")
    return bytes(out)
