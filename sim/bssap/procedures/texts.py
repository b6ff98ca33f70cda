"""Short messages, point to point: TS 24.011 5, 6; TS 24.008 4.5."""

from __future__ import annotations

from typing import Any

from sim.bssap import dtap, mm, sms
from sim.bssap.cc_elements import INTERNATIONAL, PartyNumber
from sim.bssap.elements import Message, message
from sim.bssap.procedures.calls import answer_page, request_service
from sim.bssap.procedures.default_tpdu import default_deliver, default_submit
from sim.bssap.procedures.dialogue import Dialogue
from sim.bssap.procedures.params import Params, Step

#: RP causes, TS 24.011 table 8.4.
UNASSIGNED_NUMBER = 1
MEMORY_EXCEEDED = 22


def _cp_data(d: Dialogue, uplink: bool, label: str, rp: Message, **keywords: Any) -> None:
    data = sms.encode_rp(sms.Rp(rp, d.p.rp_ref, from_network=not uplink))
    d.dtap(uplink, dtap.PD_SMS, "CP-DATA", {"CP-User data": data}, label=label, **keywords)


def _rp_data(d: Dialogue, uplink: bool, tpdu: bytes, label: str) -> None:
    """CP-DATA with RP-DATA and the TPDU, and the CP-ACK for it."""
    centre = PartyNumber(d.p.smsc, INTERNATIONAL)
    addresses = {"RP-Originator Address": None, "RP-Destination Address": centre}
    if not uplink:
        addresses = {"RP-Originator Address": centre, "RP-Destination Address": None}
    rp = message("RP-DATA", {**addresses, "RP-User data": tpdu})
    _cp_data(d, uplink, label, rp, after_ms=120, mark="started")
    d.dtap(not uplink, dtap.PD_SMS, "CP-ACK", after_ms=60)


def _answer(d: Dialogue, uplink: bool, cause: int | None) -> tuple[Step, ...]:
    """CP-DATA with RP-ACK or RP-ERROR, the CP-ACK for it, the clearing."""
    if cause is None:
        _cp_data(d, uplink, "RP-ACK", message("RP-ACK"), after_ms=350, mark="sms_ok")
    else:
        error = message("RP-ERROR", {"RP-Cause": sms.RpCause(cause)})
        _cp_data(d, uplink, "RP-ERROR", error, after_ms=350, mark="sms_failed")
    d.dtap(not uplink, dtap.PD_SMS, "CP-ACK", after_ms=60)
    d.clear()
    return d.done()


def _originated(p: Params, cause: int | None) -> tuple[Step, ...]:
    d = Dialogue(p)
    request_service(d, mm.SERVICE_SMS)
    _rp_data(d, True, p.tpdu or default_submit(p.called), "SMS-SUBMIT")
    return _answer(d, False, cause)


def _terminated(p: Params, cause: int | None) -> tuple[Step, ...]:
    d = Dialogue(p, network_started=True)
    answer_page(d)
    _rp_data(d, False, p.tpdu or default_deliver(p.calling), "SMS-DELIVER")
    return _answer(d, True, cause)


def mo_sms(p: Params) -> tuple[Step, ...]:
    return _originated(p, None)


def mo_sms_failed(p: Params) -> tuple[Step, ...]:
    return _originated(p, UNASSIGNED_NUMBER if p.cause is None else p.cause)


def mt_sms(p: Params) -> tuple[Step, ...]:
    return _terminated(p, None)


def mt_sms_failed(p: Params) -> tuple[Step, ...]:
    return _terminated(p, MEMORY_EXCEEDED if p.cause is None else p.cause)
