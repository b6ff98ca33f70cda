"""Handovers other than the plain one between two BSSs of an MSC: TS 48.008 3.1.5; TS 23.009 6, 7, 14."""

from __future__ import annotations

from sim.bssap.procedures import calls, handover
from sim.bssap.procedures.calls import CHANNEL_TYPE, converse_in, converse_out
from sim.bssap.procedures.dialogue import Dialogue
from sim.bssap.procedures.params import Params, Step

#: BSSMAP causes, TS 48.008 3.2.2.5.
BACK_ON_OLD_CHANNEL = 0x0A
DIRECTED_RETRY = 0x0D
NO_RADIO_RESOURCE = 0x21
#: RR cause: abnormal release, timer expired: TS 44.018 10.5.2.31.
TIMER_EXPIRED = 3
#: Refusal causes of SCCP, Q.713 3.15: destination inaccessible.
INACCESSIBLE = 5


def _intra_bsc(d: Dialogue) -> None:
    """The BSS moves the station by itself and tells the MSC: TS 48.008 3.2.1.25."""
    p = d.p
    d.bssmap(
        True,
        "HANDOVER PERFORMED",
        {
            "Cause": handover.BETTER_CELL,
            "Cell Identifier": handover.target_cell(d),
            "Chosen Channel": 0x98,
            "Chosen Encryption Algorithm": 2 if p.ciphered else 1,
            "Speech Version": 0x21,
        },
        wait="talk",
        mark="handover",
    )


def mo_call_handover_intra_bsc(p: Params) -> tuple[Step, ...]:
    d = converse_out(p)
    _intra_bsc(d)
    return calls.end(d, True, wait="talk2")


def mt_call_handover_intra_bsc(p: Params) -> tuple[Step, ...]:
    d = converse_in(p)
    _intra_bsc(d)
    return calls.end(d, False, wait="talk2")


def _inter_msc(d: Dialogue) -> None:
    """Leg 0 is at MSC-A, leg 1 at MSC-B: TS 23.009 7.1.

    MAP and the circuit between the MSCs take their time. PREPARE HANDOVER of MAP version 2 names no IMSI,
    so MSC-B sends no COMMON ID, and equal HANDOVER COMMAND octets alone tie the two sides. MSC-A stays in
    control of the call, whose further messages MSC-B passes on.
    """
    handover.require(d)
    handover.request(d, CHANNEL_TYPE, after_ms=180)
    handover.command(d, after_ms=900)
    handover.complete(d)


def mo_call_handover_inter_msc(p: Params) -> tuple[Step, ...]:
    d = converse_out(p)
    _inter_msc(d)
    return calls.end(d, True, wait="talk2")


def mt_call_handover_inter_msc(p: Params) -> tuple[Step, ...]:
    d = converse_in(p)
    _inter_msc(d)
    return calls.end(d, False, wait="talk2")


def _give_back(d: Dialogue, cause: int) -> None:
    """The target's connection is cleared; what follows goes on the old one."""
    d.clear(cause)
    d.move(0)


def mo_call_handover_returned(p: Params) -> tuple[Step, ...]:
    """The station does not reach the target and goes back to the old channel: TS 48.008 3.1.5.3."""
    d = converse_out(p)
    handover.require(d)
    handover.request(d, CHANNEL_TYPE)
    d.common_id()
    handover.command(d)
    failure = {"Cause": BACK_ON_OLD_CHANNEL, "RR Cause": TIMER_EXPIRED}
    d.bssmap(True, "HANDOVER FAILURE", failure, after_ms=1_400, leg=0)
    _give_back(d, BACK_ON_OLD_CHANNEL)
    return calls.end(d, True, wait="talk2")


def mo_call_handover_no_channel(p: Params) -> tuple[Step, ...]:
    """The target has no channel, and the serving BSS is told: TS 48.008 3.1.5.2, 3.2.1.37."""
    d = converse_out(p)
    handover.require(d, answered=True)
    handover.request(d, CHANNEL_TYPE)
    d.common_id()
    d.bssmap(True, "HANDOVER FAILURE", {"Cause": NO_RADIO_RESOURCE}, after_ms=80)
    _give_back(d, NO_RADIO_RESOURCE)
    d.bssmap(False, "HANDOVER REQUIRED REJECT", {"Cause": NO_RADIO_RESOURCE})
    return calls.end(d, True, wait="talk2")


def mo_call_handover_connection_refused(p: Params) -> tuple[Step, ...]:
    """The target refuses the SCCP connection: Q.714 3.2."""
    d = converse_out(p)
    handover.require(d, answered=True)
    handover.request(d, CHANNEL_TYPE, refused=INACCESSIBLE if p.cause is None else p.cause)
    d.move(0)
    d.bssmap(False, "HANDOVER REQUIRED REJECT", {"Cause": NO_RADIO_RESOURCE})
    return calls.end(d, True, wait="talk2")


def mo_call_handover_rejected(p: Params) -> tuple[Step, ...]:
    """The MSC has no use for the cells named: TS 48.008 3.2.1.37."""
    d = converse_out(p)
    handover.require(d, answered=True)
    d.bssmap(False, "HANDOVER REQUIRED REJECT", {"Cause": NO_RADIO_RESOURCE})
    return calls.end(d, True, wait="talk2")


def mo_call_directed_retry(p: Params) -> tuple[Step, ...]:
    """No channel in the serving cell: the call gets one in a cell of another BSS: TS 23.009 14."""
    d = calls.propose(p)
    calls.request_assignment(d)
    d.bssmap(True, "ASSIGNMENT FAILURE", {"Cause": DIRECTED_RETRY}, after_ms=250)
    handover.require(d, DIRECTED_RETRY, wait="")
    handover.request(d, CHANNEL_TYPE, DIRECTED_RETRY)
    d.common_id()
    handover.command(d)
    handover.complete(d)
    calls.ring_out(d)
    return calls.end(d, True, wait="talk")


def mo_call_directed_retry_intra_bsc(p: Params) -> tuple[Step, ...]:
    """The same within a BSS: ASSIGNMENT COMPLETE names the cell."""
    d = calls.propose(p)
    calls.assign(d, handover.target_cell(d))
    calls.ring_out(d)
    return calls.end(d, True, wait="talk")
