"""Every message type that the codec knows, by protocol: the rows of the table of confirmations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sigtran.m3ua import NAMES
from sim.bssap import bssmap, dtap, sccp
from sim.bssap.dtap import RR_OTHER
from sim.bssap.sms import RP_MESSAGES
from sim.bssap.ss_components import INVOKE, REJECT, RETURN_ERROR, RETURN_RESULT
from sim.bssap.tpdu import NAMES as TPDU_NAMES

__all__ = ["KINDS", "kinds_of"]


def _relay(name: str, from_network: bool) -> str:
    return f"{name} {'to' if from_network else 'from'} the station"


#: Protocol -> its message types, in the order of their codes or tables.
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "M3UA": tuple(NAMES.values()),
    "SCCP": tuple(row.short for row in sccp.MESSAGES),
    "BSSMAP": tuple(row.name for row in bssmap.MESSAGES),
    **{row.name: tuple(kind.name for kind in row.messages) for row in dtap.PROTOCOLS},
    "RP": tuple(_relay(row.name, bool(row.code & 1)) for row in RP_MESSAGES),
    "TPDU": (*TPDU_NAMES.values(), "SMS-DELIVER-REPORT", "SMS-SUBMIT-REPORT"),
    "component": (INVOKE, RETURN_RESULT, RETURN_ERROR, REJECT),
}


def kinds_of(shown: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(protocol, message type) of each layer of a decoded message, outermost first."""
    kinds = []
    for protocol, key in (("M3UA", "m3ua"), ("SCCP", "sccp"), ("BSSMAP", "bssmap")):
        if key in shown and shown[key] in KINDS[protocol]:
            kinds.append((protocol, shown[key]))
    if "dtap" in shown and shown["dtap"] != RR_OTHER:
        kinds.append((shown["protocol"], shown["dtap"]))
    if "rp" in shown:
        kinds.append(("RP", _relay(shown["rp"], shown["rp_from_network"])))
    if "tp" in shown:
        kinds.append(("TPDU", shown["tp"]))
    if "component" in shown:
        kinds.append(("component", shown["component"]))
    return tuple(kinds)
