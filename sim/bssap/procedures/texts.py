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


def cp_data(d: Dialogue, uplink: bool, label: str, rp: Message, **keywords: Any) -> None:
    data = sms.encode_rp(sms.Rp(rp, d.p.rp_ref, from_network=not uplink))
    d.dtap(uplink, dtap.PD_SMS, "CP-DATA", {"CP-User data": data}, label=label, **keywords)


def cp_ack(d: Dialogue, uplink: bool) -> None:
    d.dtap(uplink, dtap.PD_SMS, "CP-ACK", after_ms=60)


def rp_data(d: Dialogue, uplink: bool, data: bytes, label: str) -> None:
    """CP-DATA with RP-DATA and the TPDU."""
    centre = PartyNumber(d.p.smsc, INTERNATIONAL)
    addresses = {"RP-Originator Address": None, "RP-Destination Address": centre}
    if not uplink:
        addresses = {"RP-Originator Address": centre, "RP-Destination Address": None}
    rp = message("RP-DATA", {**addresses, "RP-User data": data})
    cp_data(d, uplink, label, rp, after_ms=120, mark="started")


def submit(p: Params) -> Dialogue:
    """Up to the short message that the station sends."""
    d = Dialogue(p)
    request_service(d, mm.SERVICE_SMS)
    rp_data(d, True, p.tpdu or default_submit(p.called), "SMS-SUBMIT")
    return d


def deliver(p: Params) -> Dialogue:
    """Up to the short message that the station is sent."""
    d = Dialogue(p, network_started=True)
    answer_page(d)
    rp_data(d, False, p.tpdu or default_deliver(p.calling), "SMS-DELIVER")
    return d


def acknowledge(d: Dialogue, uplink: bool) -> tuple[Step, ...]:
    """CP-ACK for the message, CP-DATA with RP-ACK, the CP-ACK for it, the clearing."""
    cp_ack(d, uplink)
    cp_data(d, uplink, "RP-ACK", message("RP-ACK"), after_ms=350, mark="sms_ok")
    cp_ack(d, not uplink)
    d.clear()
    return d.done()


def fail(d: Dialogue, uplink: bool, cause: int, report: bytes = b"") -> tuple[Step, ...]:
    """The same with RP-ERROR; `report` is a TPDU in it."""
    cp_ack(d, uplink)
    error = message("RP-ERROR", {"RP-Cause": sms.RpCause(cause), "RP-User data": report or ...})
    cp_data(d, uplink, "RP-ERROR", error, after_ms=350, mark="sms_failed")
    cp_ack(d, not uplink)
    d.clear()
    return d.done()


def mo_sms(p: Params) -> tuple[Step, ...]:
    return acknowledge(submit(p), False)


def mo_sms_failed(p: Params) -> tuple[Step, ...]:
    return fail(submit(p), False, UNASSIGNED_NUMBER if p.cause is None else p.cause)


def mt_sms(p: Params) -> tuple[Step, ...]:
    return acknowledge(deliver(p), True)


def mt_sms_failed(p: Params) -> tuple[Step, ...]:
    return fail(deliver(p), True, MEMORY_EXCEEDED if p.cause is None else p.cause)
