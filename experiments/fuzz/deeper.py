"""The published list of refusals that only the reference codec makes.

The reference reads every element; the fast decoder reads those that a column tells of, and of the rest what
it needs to find its way. Each row names the elements and the fault, so that a refusal of the reference alone
that is in no row is a difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["DEEPER", "Deeper", "deeper_name"]


@dataclass(frozen=True, slots=True)
class Deeper:
    """One kind of refusal that only the reference makes."""

    name: str
    layer: str
    """The reference's layer that refuses: m3ua, sccp, bssmap, dtap, rp or tpdu."""
    why: str
    """What the fast decoder does instead."""
    elements: tuple[str, ...] = ()
    """The elements it is about, as the specification names them; () = none is named."""
    fault: str = ".*"
    """Regular expression of what the reference says behind message and element."""
    messages: str = "[^:]+"
    """Regular expression of the message's name."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split("; "))


_ABSENT: Final = " is missing"
_ANY: Final = ": .*"
_PASSES: Final = "passes over the content of these elements"
_CUT: Final = r"octet \d+ is missing|\d+ octets wanted at \d+, \d+ left"
#: Too long may be passed over, too short never: `deeper_name` compares the two.
_TOO_LONG: Final = r": (?P<octets>\d+) octets, \d+ to (?P<most>\d+) wanted"

#: In the order of the layers.
DEEPER: Final[tuple[Deeper, ...]] = (
    Deeper(
        "parameters of M3UA management",
        "m3ua",
        "reads of a message that is not DATA the common header alone",
        messages="(?!DATA:)[^:]+",
        fault=r": (parameter 0x[0-9a-f]+( of length \d+, \d+ octets are left|: .*)"
        r"|\d+ octets behind the last parameter|Protocol Data of \d+ octets has no room .*)",
    ),
    Deeper(
        "parameters that have no place in DATA",
        "m3ua",
        "passes over the parameters that RFC 4666 3.3.1 does not name",
        messages="DATA",
        fault=": parameter 0x(?!0006:|0013:|0200:|0210:)[0-9a-f]{4}: .*",
    ),
    Deeper(
        "SCCP party addresses",
        "sccp",
        "passes over the addresses of Q.713 3.4 and 3.5",
        ("called", "calling"),
        rf": (party address: \d+ octets too many|{_CUT}|global title.*)",
    ),
    Deeper(
        "SCCP optional parameters of fixed length",
        "sccp",
        "passes over optional parameters other than data and segmentation",
        ("credit", "importance", "hop_counter"),
        r": \d+ octets, \d+ wanted",
    ),
    Deeper(
        "SCCP data of no octets",
        "sccp",
        "does not look into the data of a segment with more to come, nor of ED",
        ("data",),
        ": empty",
    ),
    Deeper(
        "BSSMAP elements without a column",
        "bssmap",
        _PASSES,
        _names(
            "AoIP Transport Layer Address; APDU; Call Identifier List; Channel Type; "
            "Circuit Identity Code List; Circuit Pool List; Classmark Information Type 2; "
            "Classmark Information Type 3; Deciphering Keys; Diagnostic; Encryption Information; "
            "GPS Assistance Data; Group Call Reference; IMEI; LCS Cause; LCS Client Type; LCS Priority; "
            "LCS QoS; LSA Identifier; LSA Identifier List; LSA Information; Layer 3 Header Information; "
            "Layer 3 Message Contents; Location Estimate; Location Type; Mobile Identity; "
            "Network Element Identity; OMCID; Positioning Data; Priority; Return Error Cause; "
            "Return Error Request; Segmentation; Service Handover; Speech Codec; Speech Codec List; "
            "TransactionID; TriggerID"
        ),
        _ANY,
    ),
    Deeper(
        "layer 3 information of a length that TS 48.008 3.2.2.24 has not",
        "bssmap",
        "takes it as it is where the message is not COMPLETE LAYER 3 INFORMATION",
        ("Layer 3 Information",),
        r": (0|25\d) octets, 1 to 251 wanted",
    ),
    Deeper(
        "mandatory BSSMAP elements without a column",
        "bssmap",
        "does not ask for elements that no column tells of",
        _names(
            "APDU; Call Identifier List; Channel Type; Circuit Identity Code; Circuit Identity Code List; "
            "Classmark Information Type 2; DLCI; Diagnostic; Encryption Information; LCS Cause; "
            "LSA Information; Location Type; Network Element Identity; Number Of MSs; Time Indication; "
            "Trace Reference; Trace Type"
        ),
        _ABSENT,
    ),
    Deeper(
        "mandatory cause that no behaviour needs",
        "bssmap",
        "asks for a cause where a behaviour depends on it",
        ("Cause",),
        _ABSENT,
        "ASSIGNMENT FAILURE|BLOCK|CIPHER MODE REJECT|CIRCUIT GROUP BLOCK|CONFUSION|HANDOVER FAILURE|"
        "HANDOVER PERFORMED|HANDOVER REQUIRED REJECT|OVERLOAD|RESET CIRCUIT|RESET IP RESOURCE|"
        'SAPI "n" REJECT',
    ),
    Deeper(
        "mandatory cell that no behaviour needs",
        "bssmap",
        "asks for cells where a behaviour depends on them",
        ("Cell Identifier", "Cell Identifier List"),
        _ABSENT,
        "HANDOVER CANDIDATE ENQUIRE|HANDOVER CANDIDATE RESPONSE|LOAD INDICATION",
    ),
    Deeper(
        "layer 3 elements without a column",
        "dtap",
        _PASSES,
        _names(
            "Alerting pattern; Allowed actions; Authentication failure parameter; "
            "Authentication parameter AUTN; Authentication response parameter (extension); "
            "Auxiliary states; Backup bearer capability; Bearer capability; Call Control Capabilities; "
            "Called party subaddress; Calling party subaddress; Cause of No CLI; Cell Channel Description; "
            "Cell Description; Connected number; Connected subaddress; "
            "Description of the first channel, after time; Emergency Number List; Emergency category; "
            "Equivalent PLMNs; Facility; Facility (recall alignment, essential); "
            "Facility (recall alignment, not essential); Frequency List, after time; "
            "Frequency Short List, after time; "
            "Full name for network; Handover Reference; High layer compatibility; Keypad facility; "
            "LSA Identity; Local time zone; Low layer compatibility; Mobile Allocation, after time; "
            "Mobile Station Classmark 3; Mobile station classmark 2; Mobile station classmark for UMTS; "
            "Mode of the First Channel (Channel Set 1); MultiRate configuration; "
            "Network Call Control Capabilities; Network Daylight Saving Time; Per MS T3212; "
            "Power Command and access type; Progress indicator; RR Cause; Redirecting party BCD number; "
            "Redirecting party subaddress; SS Version Indicator; SS version; Setup container; "
            "Short name for network; Starting Time; Stream Identifier; Supported Codecs; T3246 value; "
            "Universal time and local time zone; User-user"
        ),
        _ANY,
    ),
    Deeper(
        "location area of a CM RE-ESTABLISHMENT REQUEST",
        "dtap",
        "passes over it: the call was there, the station is elsewhere",
        ("Location area identification",),
        _ANY,
        "CM RE-ESTABLISHMENT REQUEST",
    ),
    Deeper(
        "mandatory layer 3 elements without a column",
        "dtap",
        "does not ask for elements that no column tells of",
        ("Facility", "Keypad facility"),
        _ABSENT,
    ),
    Deeper(
        "cause of a supplementary service",
        "dtap",
        "passes over the cause of TS 24.080 2.5",
        ("Cause",),
        _ANY,
        "SS RELEASE COMPLETE",
    ),
    Deeper(
        "layer 3 elements longer than their clause allows",
        "dtap",
        "reads the octets that it knows and passes over the rest",
        ("Cause", "Mobile identity", "Mobile Equipment Identity", "CP-User data"),
        _TOO_LONG,
    ),
    Deeper(
        "RP elements longer than their clause allows",
        "rp",
        "reads the octets that it knows and passes over the rest",
        ("RP-Cause", "RP-User data"),
        _TOO_LONG,
    ),
    Deeper(
        "RP addresses",
        "rp",
        "passes over the addresses of the service centre (TS 24.011 8.2.5.1, 8.2.5.2)",
        ("RP-Originator Address", "RP-Destination Address"),
        rf": (digits: end mark before the end|\d+ octets, 0 to 12 wanted|{_CUT})",
    ),
    Deeper(
        "octets behind an SMS-COMMAND",
        "tpdu",
        "does not ask that the command data end the TPDU",
        ("SMS-COMMAND",),
        r": \d+ octets too many",
    ),
    Deeper(
        "octets behind the user data",
        "tpdu",
        "does not ask that the user data end the TPDU",
        ("user data",),
        r": (?P<octets>\d+) octets, length \d+ wants (?P<most>\d+)",
    ),
    Deeper(
        "more user data than TS 23.040 9.2.3.24 allows",
        "tpdu",
        "asks only that the octets are there",
        fault=r": user data of (14[1-9]|1[5-9]\d|2\d\d) octets",
    ),
    Deeper(
        "user data header",
        "tpdu",
        "passes over the user data",
        fault=rf": user data header( is longer than the user data|: ({_CUT}))",
    ),
)


def _pattern(row: Deeper) -> re.Pattern[str]:
    elements = "|".join(re.escape(name) for name in row.elements)
    named = f": (?:{elements})" if elements else ""
    return re.compile(f"(?:{row.messages}){named}(?:{row.fault})")


_PATTERNS: Final = tuple((row, _pattern(row)) for row in DEEPER)


def deeper_name(layer: str, reason: str) -> str | None:
    """The row of DEEPER that a refusal of the reference falls under; None: it is in no row."""
    for row, pattern in _PATTERNS:
        match = pattern.fullmatch(reason) if row.layer == layer else None
        if match is None:
            continue
        sizes = match.groupdict()
        if not sizes or int(sizes["octets"]) > int(sizes["most"]):
            return row.name
    return None
