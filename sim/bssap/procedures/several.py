"""Several short messages on one connection: TS 24.011 5.4."""

from __future__ import annotations

from dataclasses import replace

from sim.bssap import mm
from sim.bssap.elements import message
from sim.bssap.procedures import texts
from sim.bssap.procedures.calls import service_request
from sim.bssap.procedures.default_tpdu import default_submit
from sim.bssap.procedures.dialogue import Dialogue
from sim.bssap.procedures.params import Params, Step


def mo_sms_two(p: Params) -> tuple[Step, ...]:
    """The station asks for the service again before its last CP-ACK, which keeps the channel.

    The second message has `ti2` and `rp_ref2`. With `ti2` equal to `ti` the dialogue may not happen, and the
    legality acceptor says so.
    """
    d = texts.submit(p)
    texts.cp_ack(d, False)
    texts.cp_data(d, False, "RP-ACK", message("RP-ACK"), after_ms=350, mark="sms_ok")
    d.mm(True, "CM SERVICE REQUEST", dict(service_request(d, mm.SERVICE_SMS).elements), after_ms=40)
    texts.cp_ack(d, True)
    d.mm(False, "CM SERVICE ACCEPT")
    _again(d)
    return texts.acknowledge(d, False)


def _again(d: Dialogue) -> None:
    d.p = replace(d.p, ti=d.p.ti2, rp_ref=d.p.rp_ref2)
    texts.rp_data(d, True, d.p.tpdu or default_submit(d.p.called), "SMS-SUBMIT")
