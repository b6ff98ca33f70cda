"""Emergency calls: TS 24.008 4.5.1.5, 5.2.1.2."""

from __future__ import annotations

from sim.bssap import mm
from sim.bssap.identity import MobileIdentity
from sim.bssap.procedures import calls
from sim.bssap.procedures.dialogue import Dialogue
from sim.bssap.procedures.params import Params, Step


def _speak(d: Dialogue, algorithm: int) -> tuple[Step, ...]:
    """EMERGENCY SETUP names no number: the network knows where to send the call."""
    d.cc(True, "EMERGENCY SETUP", {"Bearer capability": calls.SPEECH}, after_ms=90, mark="started")
    d.cc(False, "CALL PROCEEDING", after_ms=60)
    calls.assign(d, algorithm=algorithm)
    calls.ring_out(d)
    return calls.end(d, True, wait="talk")


def emergency_call(p: Params) -> tuple[Step, ...]:
    d = Dialogue(p)
    calls.request_service(d, mm.SERVICE_EMERGENCY_CALL)
    return _speak(d, calls.A5_1 if p.ciphered else calls.NO_ENCRYPTION)


def emergency_call_no_sim(p: Params) -> tuple[Step, ...]:
    """A station without a SIM gives its IMEI; it can be neither authenticated nor ciphered."""
    d = Dialogue(p)
    calls.ask_service(d, mm.SERVICE_EMERGENCY_CALL, MobileIdentity("IMEI", p.imei))
    d.mm(False, "CM SERVICE ACCEPT")
    return _speak(d, calls.NO_ENCRYPTION)
