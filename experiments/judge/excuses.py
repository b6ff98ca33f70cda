"""Where Wireshark 4.0 is held to be wrong, or says of itself that it does not know: each with the clause.

An excuse takes away the fields and the complaints that it names, of the messages that it is about; everything
else of those messages is judged as ever. A test refuses one that no message needs any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sim.bssap.user_data import UDH_LOCKING_SHIFT, UDH_SINGLE_SHIFT

__all__ = ["EXCUSES", "Excuse", "above_sccp"]

View = Mapping[str, Any]


def above_sccp(field: str) -> bool:
    """Whether a field is of BSSAP or of what BSSAP carries."""
    return not field.startswith(("m3ua.", "sccp."))


@dataclass(frozen=True, slots=True)
class Excuse:
    """One row of the table."""

    name: str
    why: str
    """What the specification says, with its clause, and what Wireshark does."""
    when: Callable[[View], bool]
    """Which messages it is about."""
    fields: Callable[[str], bool] = lambda field: False
    """Which fields are not compared."""
    complaint: str = "$^"
    """Regular expression of the expert messages that are let pass."""
    malformed: bool = False
    """Whether "malformed" is let pass."""

    def lets_pass(self, message: str) -> bool:
        return re.search(self.complaint, message) is not None


_EXTRANEOUS: Final = r"^Extraneous Data"
_MISSING: Final = r"^Missing Mandatory element"


def _has(name: str) -> Callable[[View], bool]:
    return lambda shown: "bssmap" in shown and name in shown.get("ies", {})


def _is(*names: str) -> Callable[[View], bool]:
    return lambda shown: shown.get("bssmap") in names


def _bss(field: str) -> bool:
    """What stands behind a broken off dissection: BSSMAP, and the parameters of M3UA behind its data."""
    return field.startswith(("gsm_a.", "e212.", "3gpp.")) or field == "m3ua.correlation_identifier"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _discriminator(shown: View, wanted: int) -> bool:
    """A cell identifier, or list, with that cell identification discriminator."""
    ies = shown.get("ies", {})
    return "bssmap" in shown and any(
        value["discriminator"] == wanted
        for name in ("Cell Identifier", "Cell Identifier List")
        for value in _listed(ies.get(name, []))
    )


def _tpdu(shown: View) -> dict[str, Any]:
    found = shown.get("ies", {}).get("TPDU", {})
    return found if "tp" in shown and isinstance(found, dict) else {}


def _national(shown: View) -> bool:
    """A user data header with a national language shift."""
    data = _tpdu(shown).get("user_data", {})
    if not data.get("has_header"):
        return False
    octets = bytes.fromhex(data["octets"])
    at, end = 1, 1 + octets[0]
    while at < end:
        if octets[at] in (UDH_SINGLE_SHIFT, UDH_LOCKING_SHIFT):
            return True
        at += 2 + octets[at + 1]
    return False


EXCUSES: Final[tuple[Excuse, ...]] = (
    Excuse(
        "no dissector",
        "Wireshark says of itself that it does not decode the element",
        lambda shown: "bssmap" in shown,
        complaint=r"^(Not decoded yet|No element dissector, rest of dissection may be incorrect)",
    ),
    Excuse(
        "talker priority",
        "TS 48.008 3.2.2.89: identifier and one octet; Wireshark checks a length that such an element lacks "
        "and reads past the end",
        _has("Talker Priority"),
        _bss,
        _MISSING,
        malformed=True,
    ),
    Excuse(
        "resource indication method",
        "TS 48.008 3.2.2.29: identifier and one octet; Wireshark reads it and calls it missing",
        _has("Resource Indication Method"),
        _bss,
        f"{_MISSING}|{_EXTRANEOUS}",
    ),
    Excuse(
        "notification data",
        "TS 48.008 3.2.1.82: APPLICATION DATA (3.2.2.98); Wireshark looks for APPLICATION DATA INFORMATION "
        "(3.2.2.100) in its place",
        _is("NOTIFICATION DATA"),
        _bss,
        f"{_MISSING}|{_EXTRANEOUS}",
    ),
    Excuse(
        "cell of UTRAN",
        "TS 48.008 3.2.2.17, discriminator 1100: a CI stands behind the RNC-ID; Wireshark stops before it, "
        "and takes a CI that begins with 51 for a container of RANAP",
        lambda shown: _discriminator(shown, 12),
        _bss,
        f"{_MISSING}|{_EXTRANEOUS}|^something unknown here",
        malformed=True,
    ),
    Excuse(
        "serving area",
        "TS 48.008 3.2.2.17, discriminator 1011: the PLMN is coded as in a CGI; Wireshark takes "
        "the digits of a three-digit MNC in RANAP's order",
        lambda shown: _discriminator(shown, 11),
        lambda field: field == "e212.mnc",
    ),
    Excuse(
        "paging information",
        "TS 48.008 3.2.2.85: the element has a length octet; Wireshark takes it for the value",
        _has("Paging Information"),
        complaint=_EXTRANEOUS,
    ),
    Excuse(
        "connectionless information",
        "TS 48.008 3.2.1.74: Wireshark names the message and reads none of its elements",
        _is("CONNECTIONLESS INFORMATION"),
        lambda field: field == "gsm_a.bssmap.elem_id",
    ),
    Excuse(
        "SMS to VGCS",
        "TS 48.008 3.2.2.92: kept as octets here; Wireshark reads the address in it",
        _is("VGCS SMS"),
        lambda field: field in ("gsm_a.dtap.cld_party_bcd_num", "gsm_a.rp.rp_message_reference"),
    ),
    Excuse(
        "classes of SCCP",
        "TS 48.006 9.2: BSSAP is carried by DT1; Wireshark hands the data of DT2 to nobody",
        lambda shown: shown.get("sccp") == "DT2",
        above_sccp,
    ),
    Excuse(
        "enhanced validity period",
        "TS 23.040 9.2.3.12.3: seven octets always; Wireshark goes on behind those that its format uses",
        lambda shown: shown.get("tp") == "SMS-SUBMIT" and isinstance(_tpdu(shown).get("validity"), str),
        lambda field: field.startswith("gsm_sms.") or _bss(field),
        r".*",
        malformed=True,
    ),
    Excuse(
        "national alphabets",
        "TS 23.038 6.2.1.2 and annex A: national shift tables; Wireshark reads the default alphabet",
        _national,
        lambda field: field == "gsm_sms.sms_text",
    ),
    Excuse(
        "USSD padding",
        "TS 23.038 6.1.2.3.1: a carriage return that fills the last octet is no text; Wireshark shows it",
        lambda shown: bool(shown.get("ussd")),
        lambda field: field == "gsm_map.ussd_string+cr",
    ),
    Excuse(
        "USSD beyond the basic plane",
        "ISO/IEC 10646 in 16 bits: surrogates are read as the character they mean, as in short messages; "
        "Wireshark does so there and not in USSD",
        lambda shown: any(character > "\uffff" for character in shown.get("ussd") or ""),
        lambda field: field == "gsm_map.ussd_string",
    ),
    Excuse(
        "cause of two octets",
        "TS 48.008 3.2.2.5: with the extension bit a second octet has the value; Wireshark shows "
        "the class alone",
        lambda shown: any(
            isinstance(cause, int) and cause > 0x7F for cause in _listed(shown.get("ies", {}).get("Cause", 0))
        ),
        lambda field: field == "gsm_a.bssmap.cause",
    ),
    Excuse(
        "reroute command",
        "TS 48.008 3.2.1.89 has two layer 3 messages; our keys show what is in the first, Wireshark both",
        _is("REROUTE COMMAND"),
        lambda field: field.startswith(("gsm_a.dtap.", "e212.lai.", "gsm_a.lac", "3gpp.")),
    ),
    Excuse(
        "mobile identity of a talker",
        "TS 48.008 3.2.2.41 in UPLINK REQUEST: Wireshark reads it as the element of TS 24.008, under that "
        "one's identifier field",
        _is("UPLINK REQUEST"),
        lambda field: field == "gsm_a.bssmap.elem_id",
    ),
)
