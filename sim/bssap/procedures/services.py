"""Supplementary services outside a call: TS 24.080 2; USSD TS 24.090; call forwarding TS 24.082 1."""

from __future__ import annotations

from sim.bssap import dtap, mm
from sim.bssap.cc_elements import INTERNATIONAL, PartyNumber
from sim.bssap.procedures.calls import answer_page, request_service
from sim.bssap.procedures.dialogue import Dialogue, number
from sim.bssap.procedures.params import Params, Step
from sim.bssap.ss_components import (
    INVOKE,
    RETURN_ERROR,
    RETURN_RESULT,
    Component,
    SsArgument,
    encode_ss_argument,
    encode_ussd,
    ussd,
)
from sim.bssap.ss_results import ForwardingFeature, encode_forwarding, encode_ss_status

#: Operations, TS 29.002 17.5.
REGISTER_SS, ERASE_SS, ACTIVATE_SS, INTERROGATE_SS = 10, 11, 12, 14
USSD_REQUEST, NETWORK_USSD_REQUEST, NETWORK_USSD_NOTIFY = 59, 60, 61
#: Errors, TS 29.002 17.5.
SS_ERROR_STATUS = 17
UNEXPECTED_DATA_VALUE = 36
USSD_BUSY = 72
#: Supplementary service codes, TS 29.002 17.7.5: forwarding unconditional, on busy, on no reply, on not
#: reachable; teleservice telephony.
CFU, CFB, CFNRY, CFNRC, CALL_WAITING = 0x21, 0x29, 0x2A, 0x2B, 0x41
TELEPHONY = 0x11
#: No reply condition timer, seconds: 5 to 30, TS 22.082.
NO_REPLY_S = 20
#: SS-Status: provisioned, registered, active: TS 29.002 17.7.4.
PROVISIONED, IN_FORCE = 0x04, 0x07
#: SS version: error handling of phase 2 is supported, TS 24.080 3.7.2.
_PHASE_2 = b"\x00"
#: Invoke identifiers of the station's and of the network's operations.
_MINE, _THEIRS = 1, 2


def _facility(d: Dialogue, uplink: bool, name: str, component: Component, after_ms: int, mark: str) -> None:
    elements: dict[str, object] = {"Facility": (component,)}
    if name == "REGISTER" and uplink:
        elements["SS version"] = _PHASE_2
    d.dtap(uplink, dtap.PD_SS, name, elements, after_ms=after_ms, mark=mark)


def _ask(p: Params, operation: int, argument: bytes) -> Dialogue:
    """The service, and REGISTER with the operation."""
    d = Dialogue(p)
    request_service(d, mm.SERVICE_SS)
    _facility(d, True, "REGISTER", Component(INVOKE, _MINE, operation, argument), 90, "started")
    return d


def _answer(d: Dialogue, operation: int, result: bytes) -> tuple[Step, ...]:
    """RELEASE COMPLETE with the result, and the clearing."""
    component = Component(RETURN_RESULT, _MINE, operation, result)
    _facility(d, False, "RELEASE COMPLETE", component, 700, "ss_ok")
    d.clear()
    return d.done()


def _refuse(d: Dialogue, usual: int) -> tuple[Step, ...]:
    error = Component(RETURN_ERROR, _MINE, usual if d.p.cause is None else d.p.cause)
    _facility(d, False, "RELEASE COMPLETE", error, 700, "ss_failed")
    d.clear()
    return d.done()


def _text(text: str) -> bytes:
    return encode_ussd(ussd(text))


def ussd_query(p: Params) -> tuple[Step, ...]:
    return _answer(_ask(p, USSD_REQUEST, _text(p.ussd)), USSD_REQUEST, _text(p.ussd_text))


def ussd_refused(p: Params) -> tuple[Step, ...]:
    return _refuse(_ask(p, USSD_REQUEST, _text(p.ussd)), UNEXPECTED_DATA_VALUE)


def ussd_menu(p: Params) -> tuple[Step, ...]:
    """The network asks back before it answers."""
    d = _ask(p, USSD_REQUEST, _text(p.ussd))
    question = Component(INVOKE, _THEIRS, NETWORK_USSD_REQUEST, _text(p.ussd_text))
    _facility(d, False, "FACILITY", question, 700, "")
    reply = Component(RETURN_RESULT, _THEIRS, NETWORK_USSD_REQUEST, _text(p.ussd_reply))
    _facility(d, True, "FACILITY", reply, 4_000, "")
    return _answer(d, USSD_REQUEST, _text(p.ussd_text))


def ussd_notify(p: Params) -> tuple[Step, ...]:
    """The network tells by itself; the station confirms that it shows the text."""
    d = Dialogue(p, network_started=True)
    answer_page(d)
    notice = Component(INVOKE, _THEIRS, NETWORK_USSD_NOTIFY, _text(p.ussd_text))
    _facility(d, False, "REGISTER", notice, 90, "started")
    _facility(d, True, "FACILITY", Component(RETURN_RESULT, _THEIRS), 250, "ss_ok")
    d.dtap(False, dtap.PD_SS, "RELEASE COMPLETE", after_ms=60)
    d.clear()
    return d.done()


def _ask_station(p: Params) -> Dialogue:
    """The network asks the user by itself: TS 24.090 6.2."""
    d = Dialogue(p, network_started=True)
    answer_page(d)
    question = Component(INVOKE, _THEIRS, NETWORK_USSD_REQUEST, _text(p.ussd_text))
    _facility(d, False, "REGISTER", question, 90, "started")
    return d


def ussd_ask(p: Params) -> tuple[Step, ...]:
    """The user answers, and the network has no more questions."""
    d = _ask_station(p)
    reply = Component(RETURN_RESULT, _THEIRS, NETWORK_USSD_REQUEST, _text(p.ussd_reply))
    _facility(d, True, "FACILITY", reply, 4_000, "ss_ok")
    d.dtap(False, dtap.PD_SS, "RELEASE COMPLETE", after_ms=60)
    d.clear()
    return d.done()


def ussd_ask_refused(p: Params) -> tuple[Step, ...]:
    """The station is busy with another one and says so."""
    d = _ask_station(p)
    error = Component(RETURN_ERROR, _THEIRS, USSD_BUSY if p.cause is None else p.cause)
    _facility(d, True, "RELEASE COMPLETE", error, 250, "ss_failed")
    d.clear()
    return d.done()


#: Name of a condition in the kinds of ladders -> its code and how people say it.
CONDITIONS = {
    "": (CFU, ""),
    "_busy": (CFB, " on busy"),
    "_no_reply": (CFNRY, " on no reply"),
    "_not_reachable": (CFNRC, " on not reachable"),
}


def _register(p: Params, code: int = CFU) -> Dialogue:
    """Forwarding to `called`, the digits as the user dials them."""
    wait_s = NO_REPLY_S if code == CFNRY else None
    argument = SsArgument(code, teleservice=TELEPHONY, forwarded_to=number(p.called), no_reply_s=wait_s)
    return _ask(p, REGISTER_SS, encode_ss_argument(argument))


def cf_register(code: int, p: Params) -> tuple[Step, ...]:
    feature = ForwardingFeature(IN_FORCE, TELEPHONY, PartyNumber(p.called, INTERNATIONAL))
    return _answer(_register(p, code), REGISTER_SS, encode_forwarding(code, (feature,)))


def cf_register_refused(p: Params) -> tuple[Step, ...]:
    return _refuse(_register(p), SS_ERROR_STATUS)


def cf_erase(code: int, p: Params) -> tuple[Step, ...]:
    d = _ask(p, ERASE_SS, encode_ss_argument(SsArgument(code, teleservice=TELEPHONY)))
    return _answer(d, ERASE_SS, encode_forwarding(code, (ForwardingFeature(PROVISIONED, TELEPHONY),)))


def cf_interrogate(code: int, p: Params) -> tuple[Step, ...]:
    """Nothing is registered: the answer is the status alone."""
    d = _ask(p, INTERROGATE_SS, encode_ss_argument(SsArgument(code, teleservice=TELEPHONY)))
    return _answer(d, INTERROGATE_SS, encode_ss_status(PROVISIONED))


def cw_activate(p: Params) -> tuple[Step, ...]:
    """Call waiting switched on; the result is empty: its data are those of the request."""
    d = _ask(p, ACTIVATE_SS, encode_ss_argument(SsArgument(CALL_WAITING, teleservice=TELEPHONY)))
    component = Component(RETURN_RESULT, _MINE)
    _facility(d, False, "RELEASE COMPLETE", component, 700, "ss_ok")
    d.clear()
    return d.done()
