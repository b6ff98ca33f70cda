"""What the decoder publishes: its columns, its error kinds, the bits of `present`.

`COLUMNS` is the table to read before using a row. A column is zero where the message does not carry it;
`present` tells a zero value from an absent one.

There are two kinds of row. ROW has every column. BRIEF has those in front, `opc` to `plmn`: how a message
was routed, what it is, where it was sent from, whose it is and whom it calls. A brief row holds what the
whole row of the same message holds in these columns, and of `present` the flags in BRIEF_PRESENT. What is
checked less is in BRIEF_PASSES_OVER; a message wrong there may be wrong further on too, and then has that
error.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BRIEF",
    "BRIEF_PASSES_OVER",
    "BRIEF_PRESENT",
    "COLUMNS",
    "ERROR_NAMES",
    "ROW",
    "Column",
    "DecodeErrorKind",
    "Present",
    "RowBatch",
    "column_table",
    "number_text",
]


class Column(NamedTuple):
    """One column of a decoded row."""

    name: str
    dtype: str
    clause: str
    meaning: str


# Up to sccp_cause: how the message was routed. The rest is payload, zero on a row in error; BRIEF ends
# at plmn.
COLUMNS: Final[tuple[Column, ...]] = (
    Column("opc", "u4", "RFC 4666 3.3.1", "originating point code"),
    Column("dpc", "u4", "RFC 4666 3.3.1", "destination point code"),
    Column("corr", "u4", "RFC 4666 3.3.1", "correlation id; copied, nothing depends on it"),
    Column("slr", "u4", "Q.713 3.3", "source local reference, its three octets in the order of the wire"),
    Column("dlr", "u4", "Q.713 3.2", "destination local reference, likewise"),
    Column("user_offset", "u2", "", "where the SCCP user data begin, from the message's first octet"),
    Column("user_length", "u2", "", "octets of SCCP user data; 0 = none"),
    Column("error", "u1", "", "DecodeErrorKind; 0 = the message is right"),
    Column("m3ua_class", "u1", "RFC 4666 3.1.2", "message class; 1 = transfer"),
    Column(
        "m3ua_type", "u1", "RFC 4666 3.1.2", "message type; DATA is class 1, type 1, all others stop here"
    ),
    Column("si", "u1", "RFC 4666 3.3.1", "service indicator; 3 = SCCP"),
    Column("ni", "u1", "RFC 4666 3.3.1", "network indicator"),
    Column("mp", "u1", "RFC 4666 3.3.1", "message priority"),
    Column("sls", "u1", "RFC 4666 3.3.1", "signalling link selection"),
    Column("sccp", "u1", "Q.713 2.1", "SCCP message type"),
    Column("more", "u1", "Q.713 3.7", "1 = a segment with more to come: its user data are not decoded"),
    Column("sccp_cause", "u1", "Q.713 3.11-3.15", "release, return, reset, error or refusal cause"),
    Column("dlci", "u1", "TS 48.006 9.3.2", "data link connection identifier of a DTAP message"),
    Column("bssmap", "u1", "TS 48.008 3.2.2.1", "BSSMAP message type; 0 = a DTAP message or no user data"),
    Column(
        "lac", "u2", "TS 48.008 3.2.2.17", "location area of the cell identifier (last one in the message)"
    ),
    Column("ci", "u2", "TS 48.008 3.2.2.17", "cell identity (in HANDOVER REQUEST the target's)"),
    Column("tmsi", "u4", "TS 24.008 10.5.1.4", "TMSI from BSSMAP or from the mobile identity"),
    Column("pd", "u1", "TS 24.007 11.2.3.1.1", "protocol discriminator of the layer 3 message"),
    Column("ti", "u1", "TS 24.007 11.2.3.1.3", "transaction identifier with its flag as bit 4; MM, RR: skip"),
    Column("dtap", "u1", "TS 24.008 10.4", "layer 3 message type without the send sequence number"),
    Column("imsi_digits", "u1", "TS 24.008 10.5.1.4", "number of digits of the IMSI"),
    Column("present", "u2", "", "Present flags"),
    Column("imei_digits", "u1", "TS 24.008 10.5.1.4", "number of digits of the IMEI or IMEISV"),
    Column(
        "called_digits",
        "u1",
        "TS 24.008 10.5.4.7",
        "digits of the number in `called`; more than 20 are counted",
    ),
    Column("called_type", "u1", "TS 24.008 10.5.4.7", "its type and plan; 0 for a USSD code"),
    Column("calling_digits", "u1", "TS 24.008 10.5.4.9", "digits of the number in `calling`, likewise"),
    Column("calling_type", "u1", "TS 24.008 10.5.4.9", "its type and plan"),
    Column("service", "u1", "TS 24.008 10.5.3.3", "location updating type or CM service type, four bits"),
    Column("imsi", "u8", "TS 24.008 10.5.1.4", "value of the digits; leading zeros are told by imsi_digits"),
    Column("imei", "u8", "TS 24.008 10.5.1.4", "IMEI or IMEISV likewise"),
    Column(
        "called",
        "V10",
        "TS 24.008 10.5.4.7",
        "called number of SETUP, TP destination or recipient, forwarded-to number of registerSS, or a USSD "
        "string of 0-9 * # alone: semi-octets, low one first; at most 20 are kept",
    ),
    Column("calling", "V10", "TS 24.008 10.5.4.9", "calling number of SETUP, or TP originator, likewise"),
    Column(
        "plmn", "u4", "TS 48.008 3.2.2.17", "MCC and MNC of the cell identifier, three octets of the wire"
    ),
    Column("bssmap_cause", "u1", "TS 48.008 3.2.2.5", "BSSMAP cause (last octet of an extended one)"),
    Column("cause", "u1", "TS 24.008 10.5.4.11", "CC cause, reject cause, RP cause or CP cause"),
    Column("cp", "u1", "TS 24.011 8.1.3", "CP message type; 1 = CP-DATA, 4 = CP-ACK, 16 = CP-ERROR"),
    Column("rp", "u1", "TS 24.011 8.2.2", "RP message type + 1; the type tells the direction"),
    Column("rp_reference", "u1", "TS 24.011 8.2.3", "RP message reference"),
    Column("tp", "u1", "TS 23.040 9.2.3.1", "1 SUBMIT, 2 COMMAND, 3 DELIVER, 4 STATUS-REPORT (of RP-DATA)"),
    Column("discriminator", "u1", "TS 48.008 3.2.2.17", "cell identification discriminator of cell or list"),
    Column("list_cells", "u1", "TS 48.008 3.2.2.27", "number of cells in the list"),
    Column("digest", "u8", "TS 48.008 3.2.2.24", "FNV-1a of the RR HANDOVER COMMAND inside BSSMAP"),
    Column(
        "lai_plmn", "u4", "TS 24.008 10.5.1.3", "MCC and MNC of the location area identification, likewise"
    ),
    Column("lai_lac", "u2", "TS 24.008 10.5.1.3", "its LAC: old one in a request, new one in an accept"),
    Column(
        "list_offset",
        "u2",
        "TS 48.008 3.2.2.27",
        "where the cell list begins, or the USSD string, from the user data",
    ),
    Column("tp_reference", "u1", "TS 23.040 9.2.3.6", "TP message reference"),
    Column("tp_pid", "u1", "TS 23.040 9.2.3.9", "TP protocol identifier"),
    Column(
        "tp_dcs",
        "u1",
        "TS 23.040 9.2.3.10",
        "TP data coding scheme, or that of the USSD string (TS 23.038 5)",
    ),
    Column(
        "tp_length",
        "u1",
        "TS 23.040 9.2.3.16",
        "TP user data length, septets or octets; octets of the USSD string",
    ),
    Column(
        "component",
        "u1",
        "TS 24.080 3.6.2",
        "first component of a Facility: 1 invoke, 2 return result, 3 return error, 4 reject",
    ),
    Column(
        "operation",
        "u1",
        "TS 24.080 3.6.4",
        "its local operation code, of a return error the error code; 0 = none below 256",
    ),
    Column(
        "ss_code", "u1", "TS 29.002 17.7.5", "supplementary service of an invoke of operations 10-17 but 16"
    ),
    Column("invoke_id", "u1", "TS 24.080 3.6.3", "invoke identifier of the component, its last octet"),
)

ROW: Final[np.dtype[np.void]] = np.dtype([(column.name, column.dtype) for column in COLUMNS])
"""A decoded message; 128 octets without padding."""

BRIEF: Final[np.dtype[np.void]] = np.dtype(
    [(column.name, column.dtype) for column in COLUMNS[: ROW.names.index("plmn") + 1]]  # type: ignore[union-attr]
)
"""The same without the columns behind `plmn`; 96 octets."""

RowBatch = NDArray[np.void]
"""A structured array of dtype ROW or BRIEF, one row for each message of the batch."""


class DecodeErrorKind(IntEnum):
    """Why a message was refused: the lowest layer that is wrong. The lower layers' columns stay filled."""

    OK = 0
    M3UA_HEADER = 1
    """Shorter than a header, or not version 1."""
    M3UA_LENGTH = 2
    """The length does not fit the SCTP message."""
    M3UA_PARAMETER = 3
    """A parameter overruns, is too short, or is missing."""
    FOREIGN_SERVICE = 4
    """The service indicator is not SCCP's."""
    FOREIGN_NETWORK = 5
    """The network indicator is not ours."""
    SCCP_TYPE = 6
    SCCP_TRUNCATED = 7
    """A mandatory fixed part is cut off."""
    SCCP_POINTER = 8
    """A pointer or a length leads out of the message."""
    BSSAP_HEADER = 9
    """Unknown discriminator, or a length that does not fit the user data."""
    BSSMAP_ELEMENT = 10
    """An element overruns, has a wrong length, or a mandatory one is missing."""
    DTAP_DISCRIMINATOR = 11
    """A protocol discriminator that the A interface does not carry."""
    DTAP_TRUNCATED = 12
    DTAP_ELEMENT = 13
    """An element overruns or has a wrong length."""
    IDENTITY = 14
    """A mobile identity that is none."""
    NUMBER = 15
    """A called, calling or TP address that is none."""
    SMS_HEADER = 16
    """CP or RP: unknown type or an element that overruns."""
    TPDU = 17
    """The short message's own header is cut off or contradicts itself."""
    MESSAGE_TYPE = 18
    """A BSSMAP or layer 3 message type that its protocol does not have."""
    COMPONENT = 19
    """The component of a supplementary service is cut off or is none."""


ERROR_NAMES: Final[tuple[str, ...]] = tuple(kind.name.lower() for kind in DecodeErrorKind)
"""Error kind -> the name used in counters."""


class Present(IntFlag):
    """Which elements the message carried."""

    IMSI = 1
    TMSI = 2
    IMEI = 4
    CELL = 8
    """lac holds."""
    CI = 16
    LAI = 32
    CALLED = 64
    """A called party or TP address; clear for a forwarded-to number and a USSD code."""
    CALLING = 128
    CAUSE = 256
    BSSMAP_CAUSE = 512
    LIST = 1024
    DTAP = 2048
    """pd, ti and dtap hold."""
    BSSMAP = 4096
    DIGEST = 8192
    USSD = 16384
    """tp_dcs, tp_length and list_offset tell of a USSD string; `called` holds it where it is a code."""


BRIEF_PRESENT: Final = (
    Present.IMSI | Present.TMSI | Present.IMEI | Present.CELL | Present.CI | Present.CALLED | Present.CALLING
    | Present.DTAP | Present.BSSMAP
)  # fmt: skip
"""The flags that a brief row can have."""

BRIEF_PASSES_OVER: Final[dict[DecodeErrorKind, str]] = {
    DecodeErrorKind.BSSMAP_ELEMENT: "the length of a BSSMAP cause, the form of a cell identifier list",
    DecodeErrorKind.DTAP_ELEMENT: "the form of a call control cause, an optional one that overruns",
}
"""Refusals that only a whole row makes, and of what. Both lie in elements that no brief column reads."""


_DIGITS: Final = "0123456789*#abc"


def number_text(semi_octets: bytes, digits: int) -> str:
    """The digits of a `called` or `calling` value (TS 24.008 10.5.4.7); not for alphanumeric addresses."""
    nibbles = [nibble for octet in semi_octets for nibble in (octet & 15, octet >> 4)]
    return "".join(_DIGITS[nibble] for nibble in nibbles[: min(digits, 20)] if nibble < 15)


def column_table() -> str:
    """COLUMNS as a table in Markdown, octet by octet; `README.md` beside this file holds it."""
    lines = ["| octet | column | type | brief | clause | meaning |", "| ---: | --- | --- | --- | --- | --- |"]
    for column in COLUMNS:
        at = ROW.fields[column.name][1] if ROW.fields is not None else 0
        brief = "yes" if column.name in (BRIEF.names or ()) else ""
        cells = (str(at), f"`{column.name}`", column.dtype, brief, column.clause, column.meaning)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
