"""The table of procedures: register a new ladder here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sim.bssap.errors import EncodeError
from sim.bssap.procedures import calls, location, texts
from sim.bssap.procedures.params import Params, Step


@dataclass(frozen=True, slots=True)
class Ladder:
    """One row of the procedure table."""

    build: Callable[[Params], tuple[Step, ...]]
    description: str
    options: tuple[str, ...] = ()
    """Fields of Params that decide the steps."""


_SECURITY = ("identity", "ask_identity", "auth", "cipher")
_LOCATION = (*_SECURITY, "ask_imei", "reallocate")
_CALL = (*_SECURITY, "released_by")
_PAGED = (*_SECURITY, "page_by_tmsi")

LADDERS: dict[str, Ladder] = {
    "lu_normal": Ladder(location.lu_normal, "location updating on a new location area", _LOCATION),
    "lu_periodic": Ladder(location.lu_periodic, "periodic location updating", _LOCATION),
    "lu_attach": Ladder(location.lu_attach, "IMSI attach at power-on", _LOCATION),
    "lu_reject": Ladder(location.lu_reject, "location updating refused", _SECURITY),
    "detach": Ladder(location.detach, "IMSI detach at power-off", ("identity",)),
    "mo_call_answered": Ladder(calls.mo_call_answered, "call made and answered", (*_CALL, "handover")),
    "mo_call_busy": Ladder(calls.mo_call_busy, "call made, other side busy", _SECURITY),
    "mo_call_rejected": Ladder(calls.mo_call_rejected, "call made, refused while ringing", _SECURITY),
    "mo_call_no_answer": Ladder(calls.mo_call_no_answer, "call made, rings in vain", _CALL),
    "mo_call_vacant": Ladder(calls.mo_call_vacant, "call made to a vacant number", _SECURITY),
    "mo_call_unreachable": Ladder(calls.mo_call_unreachable, "call made, other side absent", _SECURITY),
    "mo_call_abandoned": Ladder(calls.mo_call_abandoned, "call given up before it rings", _SECURITY),
    "mt_call_answered": Ladder(
        calls.mt_call_answered, "call received and answered", (*_PAGED, "released_by", "handover")
    ),
    "mt_call_rejected": Ladder(calls.mt_call_rejected, "call received and refused", _PAGED),
    "mt_call_no_answer": Ladder(
        calls.mt_call_no_answer, "call received, not answered", (*_PAGED, "released_by")
    ),
    "paging_only": Ladder(calls.paging_only, "page that nobody answers", ("page_by_tmsi",)),
    "mo_sms": Ladder(texts.mo_sms, "short message sent", _SECURITY),
    "mo_sms_failed": Ladder(texts.mo_sms_failed, "short message refused by the centre", _SECURITY),
    "mt_sms": Ladder(texts.mt_sms, "short message received", _PAGED),
    "mt_sms_failed": Ladder(texts.mt_sms_failed, "short message refused by the station", _PAGED),
}


def ladder(kind: str, p: Params) -> tuple[Step, ...]:
    """The steps of procedure `kind`; EncodeError for an unknown kind or a value that does not fit."""
    row = LADDERS.get(kind)
    if row is None:
        raise EncodeError(f"procedure {kind!r} is unknown: one of {', '.join(LADDERS)}")
    return row.build(p)
