"""Which elements a BSSMAP message has, in which order: TS 48.008 3.2.1.

The codec takes elements in any order; who makes messages to be judged keeps to this one. A name ending in
`!` is mandatory (M), the others are optional or conditional (O, C).
"""

from __future__ import annotations

from typing import Final

__all__ = ["BSSMAP_CONTENTS", "contents_of"]

_L3 = "Layer 3 Information"
_LCLS = ("LCLS-Configuration", "LCLS-Connection-Status-Control")
_AOIP = "AoIP Transport Layer Address"
_CODECS = "Speech Codec List"
_CODEC = "Speech Codec"
_CIC = "Circuit Identity Code"
_CICS = "Circuit Identity Code List"
_CALL = "Call Identifier"
_CELL = "Cell Identifier"
_TALKER = "Talker Priority"
_TO_UMTS = "Source RNC to target RNC transparent information (UMTS)"
_TO_CDMA = "Source RNC to target RNC transparent information (cdma2000)"
_OLD_TO_NEW = "Old BSS to New BSS Information"
_NEW_TO_OLD = "New BSS to Old BSS Information"
_INTER_SYSTEM = "Inter-System Information"

BSSMAP_CONTENTS: Final[dict[str, tuple[str, ...]]] = {
    "ASSIGNMENT REQUEST": (
        "Channel Type!", "Layer 3 Header Information", "Priority", _CIC, "Downlink DTX Flag",
        "Interference Band To Be Used", "Classmark Information Type 2", "Group Call Reference",
        "Talker Flag", "Configuration Evolution Indication", "LSA access control suppression",
        "Service Handover", "Encryption Information", _TALKER, _AOIP, _CODECS, _CALL, "Kc128",
        "Global Call Reference", *_LCLS, "LCLS-Correlation-Not-Needed",
    ),
    "ASSIGNMENT COMPLETE": (
        "RR Cause", _CIC, _CELL, "Chosen Channel", "Chosen Encryption Algorithm", "Circuit Pool",
        "Speech Version", "LSA Identifier", _TALKER, _AOIP, _CODEC, _CODECS, "LCLS-BSS-Status",
    ),
    "ASSIGNMENT FAILURE": (
        "Cause!", "RR Cause", "Circuit Pool", "Circuit Pool List", _TALKER, _CODECS,
    ),
    "BLOCK": (f"{_CIC}!", "Cause!", "Connection Release Requested"),
    "BLOCKING ACKNOWLEDGE": (f"{_CIC}!",),
    "UNBLOCK": (f"{_CIC}!",),
    "UNBLOCKING ACKNOWLEDGE": (f"{_CIC}!",),
    "HANDOVER REQUEST": (
        "Channel Type!", "Encryption Information!", "Classmark Information Type 2!", f"{_CELL}!", "Priority",
        _CIC, "Downlink DTX Flag", f"{_CELL}!", "Interference Band To Be Used", "Cause",
        "Classmark Information Type 3", "Current Channel Type 1", "Speech Version", "Group Call Reference",
        "Talker Flag", "Configuration Evolution Indication", "Chosen Encryption Algorithm", _OLD_TO_NEW,
        "LSA Information", "LSA access control suppression", "Service Handover", "IMSI", _TO_UMTS, _TO_CDMA,
        "SNA Access Information", _TALKER, _AOIP, _CODECS, _CALL, "Kc128", "Global Call Reference", *_LCLS,
    ),
    "HANDOVER REQUIRED": (
        "Cause!", "Response Request", "Cell Identifier List!", "Circuit Pool List", "Current Channel Type 1",
        "Speech Version", "Queuing Indicator", _OLD_TO_NEW, _TO_UMTS, _TO_CDMA, "GERAN Classmark", _TALKER,
        _CODEC, "CSG Identifier",
    ),
    "HANDOVER REQUEST ACKNOWLEDGE": (
        f"{_L3}!", "Chosen Channel", "Chosen Encryption Algorithm", "Circuit Pool", "Speech Version", _CIC,
        "LSA Identifier", _NEW_TO_OLD, _INTER_SYSTEM, _TALKER, _AOIP, _CODECS, _CODEC, "LCLS-BSS-Status",
    ),
    "HANDOVER COMMAND": (f"{_L3}!", _CELL, _NEW_TO_OLD, _TALKER),
    "HANDOVER COMPLETE": (
        "RR Cause", _TALKER, _CODEC, _CODECS, "Chosen Encryption Algorithm", "Chosen Channel",
        "LCLS-BSS-Status",
    ),
    "HANDOVER SUCCEEDED": (_TALKER,),
    "HANDOVER CANDIDATE ENQUIRE": ("Number Of MSs!", "Cell Identifier List!", f"{_CELL}!"),
    "HANDOVER CANDIDATE RESPONSE": ("Number Of MSs!", f"{_CELL}!"),
    "HANDOVER FAILURE": (
        "Cause!", "RR Cause", "Circuit Pool", "Circuit Pool List", "GERAN Classmark", _NEW_TO_OLD,
        _INTER_SYSTEM, _TALKER, _CODECS,
    ),
    "RESOURCE REQUEST": (
        "Periodicity!", "Resource Indication Method!", f"{_CELL}!", "Extended Resource Indicator!",
    ),
    "RESOURCE INDICATION": (
        "Resource Indication Method!", "Resource Available!", f"{_CELL}!", "Total Resource Accessible!",
    ),
    "PAGING": (
        "IMSI!", "TMSI", "Cell Identifier List!", "Channel Needed", "eMLPP Priority", "Paging Information",
    ),
    "CLEAR REQUEST": ("Cause!",),
    "CLEAR COMMAND": ("Layer 3 Header Information", "Cause!", "CSFB Indication"),
    "CLEAR COMPLETE": (),
    "RESET": ("Cause!", "A-Interface Selector for RESET"),
    "RESET ACKNOWLEDGE": ("A-Interface Selector for RESET",),
    "HANDOVER PERFORMED": (
        "Cause!", f"{_CELL}!", "Chosen Channel", "Chosen Encryption Algorithm", "Speech Version",
        "LSA Identifier", _TALKER, _CODECS, _CODEC, "LCLS-BSS-Status",
    ),
    "OVERLOAD": ("Cause!", _CELL),
    "MSC INVOKE TRACE": (
        "Trace Type!", "TriggerID", "Trace Reference!", "TransactionID", "Mobile Identity", "OMCID",
    ),
    "BSS INVOKE TRACE": (
        "Trace Type!", "Forward Indicator", "TriggerID", "Trace Reference!", "TransactionID", "OMCID",
    ),
    "CLASSMARK UPDATE": ("Classmark Information Type 2!", "Classmark Information Type 3", _TALKER),
    "CIPHER MODE COMMAND": (
        "Layer 3 Header Information", "Encryption Information!", "Cipher Response Mode", "Kc128",
    ),
    "CIPHER MODE COMPLETE": ("Layer 3 Message Contents", "Chosen Encryption Algorithm"),
    "COMPLETE LAYER 3 INFORMATION": (
        f"{_CELL}!", f"{_L3}!", "Chosen Channel", "LSA Identifier List", "APDU", _CODECS,
        "Redirect Attempt Flag", "Send Sequence Number", "IMSI", "Selected PLMN ID",
    ),
    "QUEUING INDICATION": (),
    'SAPI "n" REJECT': ("DLCI!", "Cause!"),
    "HANDOVER REQUIRED REJECT": ("Cause!", _NEW_TO_OLD, _TALKER),
    "RESET CIRCUIT": (f"{_CIC}!", "Cause!"),
    "RESET CIRCUIT ACKNOWLEDGE": (f"{_CIC}!",),
    "HANDOVER DETECT": (_TALKER,),
    "CIRCUIT GROUP BLOCK": ("Cause!", f"{_CIC}!", f"{_CICS}!"),
    "CIRCUIT GROUP BLOCKING ACKNOWLEDGE": (f"{_CIC}!", f"{_CICS}!"),
    "CIRCUIT GROUP UNBLOCK": (f"{_CIC}!", f"{_CICS}!"),
    "CIRCUIT GROUP UNBLOCKING ACKNOWLEDGE": (f"{_CIC}!", f"{_CICS}!"),
    "CONFUSION": ("Cause!", "Diagnostic!"),
    "CLASSMARK REQUEST": (_TALKER,),
    "UNEQUIPPED CIRCUIT": (f"{_CIC}!", _CICS),
    "CIPHER MODE REJECT": ("Cause!",),
    "LOAD INDICATION": (
        "Time Indication!", f"{_CELL}!", "Cell Identifier List!", "Resource Situation", "Cause",
    ),
    "VGCS/VBS SETUP": ("Group Call Reference!", "Priority", "VGCS Feature Flags"),
    "VGCS/VBS SETUP ACK": ("VGCS Feature Flags",),
    "VGCS/VBS SETUP REFUSE": ("Cause!",),
    "VGCS/VBS ASSIGNMENT REQUEST": (
        "Channel Type!", "Assignment Requirement!", f"{_CELL}!", "Group Call Reference!", "Priority", _CIC,
        "Downlink DTX Flag", "Encryption Information", "VSTK_RAND Information", "VSTK Information",
        "Cell Identifier List Segment", _AOIP, _CALL, _CODECS,
    ),
    "VGCS/VBS ASSIGNMENT RESULT": (
        "Channel Type!", f"{_CELL}!", "Chosen Channel", _CIC, "Circuit Pool", _AOIP, _CODEC, _CALL,
    ),
    "VGCS/VBS ASSIGNMENT FAILURE": ("Cause!", "Circuit Pool", "Circuit Pool List", _CODECS),
    "VGCS/VBS QUEUING INDICATION": (),
    "UPLINK REQUEST": (_TALKER, f"{_CELL}!", _L3, "Mobile Identity"),
    "UPLINK REQUEST ACKNOWLEDGE": (_TALKER, "Emergency Set Indication", "Talker Identity!"),
    "UPLINK REQUEST CONFIRMATION": (f"{_CELL}!", "Talker Identity", f"{_L3}!"),
    "UPLINK APPLICATION DATA": (f"{_CELL}!", f"{_L3}!", "Application Data Information!"),
    "UPLINK RELEASE INDICATION": ("Cause!", _TALKER),
    "UPLINK REJECT COMMAND": ("Cause!", _TALKER, _TALKER, "Talker Identity"),
    "UPLINK RELEASE COMMAND": ("Cause!",),
    "UPLINK SEIZED COMMAND": ("Cause!", _TALKER, "Emergency Set Indication", "Talker Identity!"),
    "SUSPEND": ("DLCI!",),
    "RESUME": ("DLCI!",),
    "CHANGE CIRCUIT": ("Cause!",),
    "CHANGE CIRCUIT ACKNOWLEDGE": (f"{_CIC}!",),
    "COMMON ID": ("IMSI!", "SNA Access Information", "Selected PLMN ID", "Last used E-UTRAN PLMN ID"),
    "LSA INFORMATION": ("LSA Information!",),
    "CONNECTION ORIENTED INFORMATION": ("APDU!", "Segmentation"),
    "PERFORM LOCATION REQUEST": (
        "Location Type!", _CELL, "Classmark Information Type 3", "LCS Client Type", "Chosen Channel",
        "LCS Priority", "LCS QoS", "GPS Assistance Data", "APDU", "IMSI", "IMEI", "GANSS Location Type",
        "GANSS Assistance Data",
    ),
    "PERFORM LOCATION RESPONSE": (
        "Location Estimate", "Positioning Data", "Deciphering Keys", "LCS Cause", "Velocity Estimate",
        "GANSS Positioning Data",
    ),
    "PERFORM LOCATION ABORT": ("LCS Cause!",),
    "CONNECTIONLESS INFORMATION": (
        "Network Element Identity!", "Network Element Identity!", "APDU!", "Segmentation",
        "Return Error Request", "Return Error Cause",
    ),
    "CHANNEL MODIFY REQUEST": ("Cause!",),
    "VGCS ADDITIONAL INFORMATION": ("Talker Identity!",),
    "VGCS/VBS AREA CELL INFO": ("Cell Identifier List Segment!", "Assignment Requirement!"),
    "VGCS/VBS ASSIGNMENT STATUS": (
        "Cell Identifier List Segment for established cells",
        "Cell Identifier List Segment for cells to be established",
        "Cell Identifier List Segment for released cells - no user present",
        "Cell Identifier List Segment for not established cells - no establishment possible",
        "VGCS/VBS Cell Status",
    ),
    "VGCS SMS": ("SMS to VGCS!",),
    "NOTIFICATION DATA": ("Application Data!", "Data Identity!", "MSISDN!"),
    "INTERNAL HANDOVER REQUIRED": ("Cause!", f"{_CELL}!", _AOIP, f"{_CODECS}!"),
    "INTERNAL HANDOVER REQUIRED REJECT": ("Cause!", _CODECS),
    "INTERNAL HANDOVER COMMAND": (
        f"{_CODEC}!", _CIC, _AOIP, _CALL, "Downlink DTX Flag", "LCLS-Connection-Status-Control",
    ),
    "INTERNAL HANDOVER ENQUIRY": (f"{_CODEC}!",),
    "RESET IP RESOURCE": ("Cause!", "Call Identifier List!"),
    "RESET IP RESOURCE ACKNOWLEDGE": ("Call Identifier List!",),
    "REROUTE COMMAND": (f"{_L3}!", "Reroute Reject Cause!", _L3, "Send Sequence Number", "IMSI"),
    "REROUTE COMPLETE": ("Reroute complete outcome!",),
    "LCLS-CONNECT-CONTROL": _LCLS,
    "LCLS-CONNECT-CONTROL-ACK": ("LCLS-BSS-Status!",),
    "LCLS-NOTIFICATION": ("LCLS-BSS-Status", "LCLS-Break-Request"),
}  # fmt: skip


def contents_of(name: str) -> tuple[tuple[str, bool], ...]:
    """(element, whether it is mandatory) in wire order; KeyError for a message without a row."""
    return tuple((element.rstrip("!"), element.endswith("!")) for element in BSSMAP_CONTENTS[name])
