"""Which procedures of the A interface occur in a stretch of signalling, by the reference codec's names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sigtran.m3ua import DataMessage, DecodeError, decode
from sim.bssap import DecodeError as BssapError
from sim.bssap import bssap, bssmap, dtap, sccp

__all__ = ["PROCEDURES", "Procedure", "message_names", "procedure_table"]

_LAYER_3: Final = ("Layer 3 Information", "Layer 3 Message Contents")


@dataclass(frozen=True, slots=True)
class Procedure:
    """One row of the table."""

    name: str
    rules: tuple[str, ...] = ()
    """Visibility rules of `sim.network.visible`, one row of the visible table for each occurrence."""
    message: str = ""
    """Or the message that occurs once in it."""


PROCEDURES: Final[tuple[Procedure, ...]] = (
    Procedure("location update, normal", ("normal_accepted",)),
    Procedure("location update, periodic", ("periodic_accepted",)),
    Procedure("location update, IMSI attach", ("attach_accepted",)),
    Procedure("location update, rejected", ("update_rejected",)),
    Procedure("IMSI detach", ("detach",)),
    Procedure("authentication", message="AUTHENTICATION RESPONSE"),
    Procedure("ciphering", message="CIPHER MODE COMPLETE"),
    Procedure("identity request", message="IDENTITY RESPONSE"),
    Procedure("TMSI reallocation", message="TMSI REALLOCATION COMPLETE"),
    Procedure("paging", message="PAGING"),
    Procedure("channel assignment", message="ASSIGNMENT COMPLETE"),
    Procedure("call made: answered", ("release_caller",)),
    Procedure("call made: busy", ("busy_heard",)),
    Procedure("call made: rejected", ("refused_heard",)),
    Procedure("call made: no answer", ("unanswered_heard",)),
    Procedure("call made: vacant number", ("vacant_heard",)),
    Procedure("call made: other side absent", ("absent_heard",)),
    Procedure("call made: given up", ("given_up",)),
    Procedure("call received: answered", ("release_callee",)),
    Procedure("call received: rejected", ("refused",)),
    Procedure("call received: no answer", ("unanswered",)),
    Procedure("SMS sent", ("submit_acknowledged",)),
    Procedure("SMS received", ("deliver_acknowledged",)),
    Procedure("handover between BSCs", message="HANDOVER COMPLETE"),
    Procedure("channel release", message="CLEAR COMPLETE"),
)
"""The rows, in the order of the report."""


def message_names(octets: bytes) -> tuple[str, ...]:
    """Names of the layers above SCCP of one M3UA DATA message, outermost first; empty for none."""
    try:
        data = sccp.decode(DataMessage.from_message(decode(octets)).payload).data
        if not data:
            return ()
        outer = bssap.decode(data)
        if outer.discrimination == bssap.DTAP:
            return (dtap.decode(outer.payload).name,)
        message = bssmap.decode(outer.payload)
        inner = next((message.get(name) for name in _LAYER_3 if message.get(name)), None)
        return (message.name, dtap.decode(inner).name) if isinstance(inner, bytes) else (message.name,)
    except (DecodeError, BssapError) as error:
        return (f"not decoded: {error}",)


def procedure_table(messages: Iterable[bytes], rules: Iterable[str]) -> list[dict[str, Any]]:
    """How often each procedure occurs.

    Args:
        messages: M3UA messages of the stretch.
        rules: Rule of each row of the visible table in the same stretch.
    """
    names = Counter(name for octets in messages for name in message_names(octets))
    shown = Counter(rules)
    return [
        {"name": p.name, "n": names[p.message] if p.message else sum(shown[rule] for rule in p.rules)}
        for p in PROCEDURES
    ]
