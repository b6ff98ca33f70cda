"""What goes wrong below the call: paging, connections, channels, the radio path, a whole BSS."""

from __future__ import annotations

from sim.bssap import mm
from sim.bssap.procedures import calls, location
from sim.bssap.procedures.dialogue import Dialogue
from sim.bssap.procedures.handovers import NO_RADIO_RESOURCE
from sim.bssap.procedures.params import Params, Step

#: Call control cause: resources unavailable, TS 24.008 table 10.5.123.
RESOURCES_UNAVAILABLE = 47
#: Reject cause: network failure, TS 24.008 10.5.3.6.
NETWORK_FAILURE = 17
#: Refusal cause of SCCP: subsystem congestion, Q.713 3.15.
CONGESTION = 0x0B
#: BSSMAP causes, TS 48.008 3.2.2.5.
RADIO_INTERFACE_FAILURE = 0x01
MAINTENANCE = 0x07
EQUIPMENT_FAILURE = 0x20


def paging_failed(p: Params) -> tuple[Step, ...]:
    """A page, and after the slot "page" another by the IMSI alone; nobody answers: TS 48.008 3.1.10."""
    d = Dialogue(p, network_started=True)
    d.page(mark="started")
    d.page(by_tmsi=False, wait="page")
    return d.done()


def lu_connection_refused(p: Params) -> tuple[Step, ...]:
    """CREF to the station's first message: Q.714 3.2."""
    d = Dialogue(p)
    location.ask(d, mm.UPDATING_NORMAL, refused=CONGESTION if p.cause is None else p.cause)
    return d.done()


def mo_call_connection_refused(p: Params) -> tuple[Step, ...]:
    d = Dialogue(p)
    calls.ask_service(d, mm.SERVICE_CALL, refused=CONGESTION if p.cause is None else p.cause)
    return d.done()


def _without_channel(d: Dialogue) -> tuple[Step, ...]:
    """ASSIGNMENT FAILURE and the end of the call: TS 48.008 3.2.1.3."""
    calls.request_assignment(d)
    d.bssmap(True, "ASSIGNMENT FAILURE", {"Cause": NO_RADIO_RESOURCE}, after_ms=200)
    calls.hang_up(d, False, RESOURCES_UNAVAILABLE if d.p.cause is None else d.p.cause)
    return d.done()


def mo_call_assignment_failed(p: Params) -> tuple[Step, ...]:
    return _without_channel(calls.propose(p))


def mt_call_assignment_failed(p: Params) -> tuple[Step, ...]:
    return _without_channel(calls.offer(p))


def mo_call_aborted(p: Params) -> tuple[Step, ...]:
    """The user thinks better of it before SETUP: TS 24.008 4.5.1.7."""
    d = Dialogue(p)
    calls.request_service(d, mm.SERVICE_CALL)
    d.mm(True, "CM SERVICE ABORT", after_ms=90, mark="aborted")
    d.clear()
    return d.done()


def mo_call_network_abort(p: Params) -> tuple[Step, ...]:
    """ABORT of the network ends all that the station has going: TS 24.008 4.3.5."""
    d = calls.propose(p)
    cause = NETWORK_FAILURE if p.cause is None else p.cause
    d.mm(False, "ABORT", {"Reject cause": cause}, after_ms=90, mark="aborted")
    d.clear()
    return d.done()


def _lose(d: Dialogue, *, wait: str = "", after_ms: int = 20) -> tuple[Step, ...]:
    """CLEAR REQUEST: the BSS has lost the station; nothing is said to it any more: TS 48.008 3.2.1.20."""
    cause = RADIO_INTERFACE_FAILURE if d.p.cause is None else d.p.cause
    d.bssmap(True, "CLEAR REQUEST", {"Cause": cause}, wait=wait, after_ms=after_ms, mark="lost")
    d.clear(cause, mark="cleared")
    return d.done()


def lu_radio_lost(p: Params) -> tuple[Step, ...]:
    d = Dialogue(p)
    location.ask(d, mm.UPDATING_NORMAL)
    d.secure()
    return _lose(d, after_ms=400)


def mo_call_radio_lost(p: Params) -> tuple[Step, ...]:
    return _lose(calls.converse_out(p), wait="talk")


def mt_call_radio_lost(p: Params) -> tuple[Step, ...]:
    return _lose(calls.converse_in(p), wait="talk")


def bsc_reset(p: Params) -> tuple[Step, ...]:
    """A BSC starts anew; the acknowledgement comes when the MSC has forgotten all calls there: 3.1.4.1."""
    d = Dialogue(p)
    _reset(d, uplink=True)
    return d.done()


def msc_reset(p: Params) -> tuple[Step, ...]:
    d = Dialogue(p)
    _reset(d, uplink=False)
    return d.done()


def _reset(d: Dialogue, *, uplink: bool, wait: str = "") -> None:
    cause = d.p.cause
    if cause is None:
        cause = EQUIPMENT_FAILURE if uplink else MAINTENANCE
    d.unitdata("RESET", {"Cause": cause}, uplink=uplink, wait=wait, mark="reset")
    d.unitdata("RESET ACKNOWLEDGE", uplink=not uplink, after_ms=2_000)


def mo_call_lost_by_reset(p: Params) -> tuple[Step, ...]:
    """A RESET ends the connection with no further message on it."""
    d = calls.converse_out(p)
    _reset(d, uplink=True, wait="talk")
    return d.done()
