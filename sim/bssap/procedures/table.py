"""The table of procedures: register a new ladder here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sim.bssap.errors import EncodeError
from sim.bssap.procedures import (
    calls,
    emergency,
    failures,
    handovers,
    held,
    location,
    security,
    services,
    several,
    texts,
    texts_failed,
)
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
#: Where authentication, or ciphering, always takes place.
_AUTHENTICATED = ("identity", "ask_identity", "cipher")
_CIPHERED = ("identity", "ask_identity", "auth")

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
    # Location updating and attach that fail.
    **{
        f"lu_reject_{name}": Ladder(
            partial(location.rejected, cause), f"location updating refused, cause {cause}: {text}", _SECURITY
        )
        for name, cause, text in location.REJECTS
    },
    "lu_connection_refused": Ladder(
        failures.lu_connection_refused, "location updating, connection refused", ("identity",)
    ),
    "lu_radio_lost": Ladder(failures.lu_radio_lost, "location updating, radio contact lost", _SECURITY),
    # Security that fails or is repeated.
    "lu_auth_rejected": Ladder(
        security.lu_auth_rejected, "location updating, wrong SRES", ("identity", "ask_identity")
    ),
    "mo_call_auth_rejected": Ladder(
        security.mo_call_auth_rejected, "call made, wrong SRES", ("identity", "ask_identity")
    ),
    "mt_call_auth_rejected": Ladder(
        security.mt_call_auth_rejected, "call received, wrong SRES",
        ("identity", "ask_identity", "page_by_tmsi"),
    ),
    "lu_auth_resync": Ladder(
        security.lu_auth_resync, "location updating with re-synchronisation of a USIM",
        (*_AUTHENTICATED, "ask_imei", "reallocate"),
    ),
    "mo_call_auth_resync": Ladder(
        security.mo_call_auth_resync, "call made with re-synchronisation of a USIM",
        (*_AUTHENTICATED, "released_by"),
    ),
    "lu_auth_mac_failure": Ladder(
        security.lu_auth_mac_failure, "location updating, MAC failure, then the right vector",
        (*_AUTHENTICATED, "ask_imei", "reallocate"),
    ),
    "lu_auth_mac_rejected": Ladder(
        security.lu_auth_mac_rejected, "location updating, MAC failure twice", ("identity", "ask_identity")
    ),
    "lu_cipher_rejected": Ladder(
        security.lu_cipher_rejected, "location updating, ciphering refused", _CIPHERED
    ),
    "mo_call_cipher_rejected": Ladder(
        security.mo_call_cipher_rejected, "call made, ciphering refused", _CIPHERED
    ),
    "mt_call_cipher_rejected": Ladder(
        security.mt_call_cipher_rejected, "call received, ciphering refused", (*_CIPHERED, "page_by_tmsi")
    ),
    # Calls.
    "emergency_call": Ladder(emergency.emergency_call, "emergency call", _CALL),
    "emergency_call_no_sim": Ladder(
        emergency.emergency_call_no_sim, "emergency call of a station without SIM", ("released_by",)
    ),
    "mo_call_hold": Ladder(held.mo_call_hold, "call made, held and retrieved", _CALL),
    "mt_call_hold": Ladder(
        held.mt_call_hold, "call received, held and retrieved", (*_PAGED, "released_by")
    ),
    "mo_call_hold_rejected": Ladder(held.mo_call_hold_rejected, "call made, hold refused", _CALL),
    "mo_call_waiting": Ladder(held.mo_call_waiting, "call made, a waiting call answered", _CALL),
    "mo_call_waiting_refused": Ladder(
        held.mo_call_waiting_refused, "call made, a waiting call refused", _CALL
    ),
    "mo_call_connection_refused": Ladder(
        failures.mo_call_connection_refused, "call made, connection refused", ("identity",)
    ),
    "mo_call_aborted": Ladder(failures.mo_call_aborted, "call given up before SETUP", _SECURITY),
    "mo_call_network_abort": Ladder(
        failures.mo_call_network_abort, "call given up by the network: ABORT", _SECURITY
    ),
    "mo_call_assignment_failed": Ladder(
        failures.mo_call_assignment_failed, "call made, no channel", _SECURITY
    ),
    "mt_call_assignment_failed": Ladder(
        failures.mt_call_assignment_failed, "call received, no channel", _PAGED
    ),
    "mo_call_radio_lost": Ladder(failures.mo_call_radio_lost, "call made, radio contact lost", _SECURITY),
    "mt_call_radio_lost": Ladder(failures.mt_call_radio_lost, "call received, radio contact lost", _PAGED),
    "mo_call_lost_by_reset": Ladder(
        failures.mo_call_lost_by_reset, "call made, lost by a reset of the BSC", _SECURITY
    ),
    # Handovers.
    "mo_call_handover_intra_bsc": Ladder(
        handovers.mo_call_handover_intra_bsc, "call made, handed over within the BSC", _CALL
    ),
    "mt_call_handover_intra_bsc": Ladder(
        handovers.mt_call_handover_intra_bsc, "call received, handed over within the BSC",
        (*_PAGED, "released_by"),
    ),
    "mo_call_handover_inter_msc": Ladder(
        handovers.mo_call_handover_inter_msc, "call made, handed over to another MSC", _CALL
    ),
    "mt_call_handover_inter_msc": Ladder(
        handovers.mt_call_handover_inter_msc, "call received, handed over to another MSC",
        (*_PAGED, "released_by"),
    ),
    "mo_call_handover_returned": Ladder(
        handovers.mo_call_handover_returned, "call made, handover fails, back on the old channel", _CALL
    ),
    "mo_call_handover_no_channel": Ladder(
        handovers.mo_call_handover_no_channel, "call made, handover target has no channel", _CALL
    ),
    "mo_call_handover_connection_refused": Ladder(
        handovers.mo_call_handover_connection_refused, "call made, handover target refuses the connection",
        _CALL,
    ),
    "mo_call_handover_rejected": Ladder(
        handovers.mo_call_handover_rejected, "call made, handover refused by the MSC", _CALL
    ),
    "mo_call_directed_retry": Ladder(
        handovers.mo_call_directed_retry, "call made, channel at another BSC by directed retry", _CALL
    ),
    "mo_call_directed_retry_intra_bsc": Ladder(
        handovers.mo_call_directed_retry_intra_bsc, "call made, channel in another cell of the BSC", _CALL
    ),
    # Short messages that fail.
    **{
        f"mo_sms_{name}": Ladder(
            partial(texts_failed.mo_failed, cause), f"short message refused, cause {cause}: {text}", _SECURITY
        )
        for name, cause, text in texts_failed.MO_CAUSES
    },
    **{
        f"mt_sms_{name}": Ladder(
            partial(texts_failed.mt_failed, cause), f"short message not taken, cause {cause}: {text}", _PAGED
        )
        for name, cause, text in texts_failed.MT_CAUSES
    },
    "mo_sms_failed_report": Ladder(
        texts_failed.mo_sms_failed_report, "short message refused with a submit report", _SECURITY
    ),
    "mt_sms_failed_report": Ladder(
        texts_failed.mt_sms_failed_report, "short message not taken, with a deliver report", _PAGED
    ),
    "mo_sms_cp_error": Ladder(texts_failed.mo_sms_cp_error, "short message, CP-ERROR of the MSC", _SECURITY),
    "mt_sms_cp_error": Ladder(
        texts_failed.mt_sms_cp_error, "short message, CP-ERROR of the station", _PAGED
    ),
    "mt_sms_sapi_rejected": Ladder(
        texts_failed.mt_sms_sapi_rejected, "short message, no link for it", _PAGED
    ),
    "sms_memory_available": Ladder(
        texts_failed.sms_memory_available, "room again for short messages", _SECURITY
    ),
    "mo_sms_two": Ladder(several.mo_sms_two, "two short messages sent on one connection", _SECURITY),
    # Supplementary services.
    "ussd_query": Ladder(services.ussd_query, "USSD query answered", _SECURITY),
    "ussd_menu": Ladder(services.ussd_menu, "USSD query with a question back", _SECURITY),
    "ussd_refused": Ladder(services.ussd_refused, "USSD query refused", _SECURITY),
    "ussd_notify": Ladder(services.ussd_notify, "USSD notice of the network", _PAGED),
    "ussd_ask": Ladder(services.ussd_ask, "USSD question of the network answered", _PAGED),
    "ussd_ask_refused": Ladder(services.ussd_ask_refused, "USSD question of the network refused", _PAGED),
    "cf_register_refused": Ladder(services.cf_register_refused, "call forwarding refused", _SECURITY),
    **{
        f"{kind}{name}": Ladder(partial(build, code), f"call forwarding{when} {said}", _SECURITY)
        for kind, build, said in (
            ("cf_register", services.cf_register, "registered"),
            ("cf_erase", services.cf_erase, "erased"),
            ("cf_interrogate", services.cf_interrogate, "asked about"),
        )
        for name, (code, when) in services.CONDITIONS.items()
    },
    "cw_activate": Ladder(services.cw_activate, "call waiting activated", _SECURITY),
    # Nobody answers; a whole BSC or MSC starts anew.
    "paging_failed": Ladder(failures.paging_failed, "page repeated in vain", ("page_by_tmsi",)),
    "bsc_reset": Ladder(failures.bsc_reset, "reset of a BSC"),
    "msc_reset": Ladder(failures.msc_reset, "reset of the MSC"),
}  # fmt: skip


def ladder(kind: str, p: Params) -> tuple[Step, ...]:
    """The steps of procedure `kind`; EncodeError for an unknown kind or a value that does not fit."""
    row = LADDERS.get(kind)
    if row is None:
        raise EncodeError(f"procedure {kind!r} is unknown: one of {', '.join(LADDERS)}")
    return row.build(p)
