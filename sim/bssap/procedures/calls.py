"""Mobile-originated and mobile-terminated calls: TS 24.008 5.2, 5.4; TS 48.008 3.1.1, 3.1.5."""

from __future__ import annotations

from sim.bssap import dtap, mm
from sim.bssap.bssmap_elements import ChannelType, CircuitIdentityCode
from sim.bssap.cc_elements import BearerCapability, Progress
from sim.bssap.cells import CellIdentifier
from sim.bssap.elements import Message, message
from sim.bssap.identity import MobileIdentity
from sim.bssap.procedures.dialogue import CLASSMARK_2, Dialogue, number
from sim.bssap.procedures.handover import inter_bsc
from sim.bssap.procedures.params import Params, Step

#: Cause values, TS 24.008 table 10.5.123.
UNASSIGNED_NUMBER = 1
NORMAL_CLEARING = 16
USER_BUSY = 17
NO_ANSWER = 19
SUBSCRIBER_ABSENT = 20
CALL_REJECTED = 21
#: Bearer capability: speech, full rate preferred, versions 3, 1 and half rate 1: TS 24.008 10.5.4.5.
SPEECH = BearerCapability(b"\x60\x04\x02\x00\x05\x81")
#: Call control capabilities: DTMF: TS 24.008 10.5.4.5a.
CAPABILITIES = b"\x01\x00"
#: Speech on a full or half rate channel, AMR either way: TS 48.008 3.2.2.11.
CHANNEL_TYPE = ChannelType(1, 0x0B, b"\xa1\x25")
#: In-band information available: TS 24.008 10.5.4.21.
IN_BAND = Progress(8)
#: Chosen encryption algorithm, TS 48.008 3.2.2.44.
NO_ENCRYPTION, A5_1 = 1, 2
#: Calling number: presentation allowed, verified and passed: TS 24.008 10.5.4.9.
SCREENED = 0x01


def service_request(d: Dialogue, service: int, identity: MobileIdentity | None = None) -> Message:
    """CM SERVICE REQUEST: TS 24.008 4.5.1.1."""
    return message(
        "CM SERVICE REQUEST",
        {
            "CM service type": service,
            "Ciphering key sequence number": d.p.cksn,
            "Mobile station classmark 2": CLASSMARK_2,
            "Mobile identity": identity or d.identity,
        },
    )


def ask_service(
    d: Dialogue, service: int, identity: MobileIdentity | None = None, *, refused: int | None = None
) -> None:
    """CM SERVICE REQUEST as the first message of a connection."""
    d.open(dtap.Dtap(dtap.PD_MM, service_request(d, service, identity)), refused=refused)


def request_service(d: Dialogue, service: int) -> None:
    """CM SERVICE REQUEST up to its acceptance, by ciphering or by CM SERVICE ACCEPT."""
    ask_service(d, service)
    if not d.secure():
        d.mm(False, "CM SERVICE ACCEPT")


def respond_to_page(d: Dialogue, *, mark: str = "") -> None:
    """PAGING, then after the slot "page" PAGING RESPONSE."""
    d.page()
    response = message(
        "PAGING RESPONSE",
        {
            "Ciphering key sequence number": d.p.cksn,
            "Spare half octet": 0,
            "Mobile station classmark 2": CLASSMARK_2,
            "Mobile identity": d.identity,
        },
    )
    d.open(dtap.Dtap(dtap.PD_RR, response), wait="page", mark=mark, after_ms=250)


def answer_page(d: Dialogue) -> None:
    """PAGING RESPONSE and security."""
    respond_to_page(d)
    d.secure()


def request_assignment(d: Dialogue) -> None:
    circuit = CircuitIdentityCode(d.p.cic)
    d.bssmap(False, "ASSIGNMENT REQUEST", {"Channel Type": CHANNEL_TYPE, "Circuit Identity Code": circuit})


def assign(d: Dialogue, cell: CellIdentifier | None = None, *, algorithm: int = A5_1) -> None:
    """ASSIGNMENT REQUEST and COMPLETE: TS 48.008 3.1.1; `cell`: where the station was sent meanwhile."""
    request_assignment(d)
    d.bssmap(
        True,
        "ASSIGNMENT COMPLETE",
        {
            "RR Cause": 0,
            "Cell Identifier": cell or ...,
            "Chosen Channel": 0x98,
            "Chosen Encryption Algorithm": algorithm,
            "Speech Version": 0x21,
        },
        after_ms=550,
    )


def hang_up(d: Dialogue, by_station: bool, cause: int, *, wait: str = "", after_ms: int = 30) -> None:
    """DISCONNECT from one side, RELEASE and RELEASE COMPLETE: TS 24.008 5.4.3, 5.4.4; then the clearing."""
    release(d, by_station, cause, wait=wait, after_ms=after_ms, mark="ended")
    d.clear()


def release(
    d: Dialogue, by_station: bool, cause: int, *, wait: str = "", after_ms: int = 30, mark: str = ""
) -> None:
    """The end of one call; the connection stays."""
    d.cc_cause(by_station, "DISCONNECT", cause, wait=wait, after_ms=after_ms, mark=mark)
    d.cc_cause(not by_station, "RELEASE", cause, after_ms=90)
    d.cc(by_station, "RELEASE COMPLETE", after_ms=90)


def talk(d: Dialogue, station_is_caller: bool) -> tuple[Step, ...]:
    """The conversation, perhaps with a handover, and its end."""
    if d.p.handover:
        inter_bsc(d, CHANNEL_TYPE)
    return end(d, station_is_caller, wait="talk2" if d.p.handover else "talk")


def end(d: Dialogue, station_is_caller: bool, *, wait: str) -> tuple[Step, ...]:
    """The end of an answered call, by who `released_by` says."""
    p = d.p
    by_station = p.released_by == ("caller" if station_is_caller else "callee")
    hang_up(d, by_station, NORMAL_CLEARING if p.cause is None else p.cause, wait=wait)
    return d.done()


def propose(p: Params) -> Dialogue:
    """A mobile-originated call before it has a channel."""
    d = Dialogue(p)
    request_service(d, mm.SERVICE_CALL)
    propose_call(d)
    return d


def propose_call(d: Dialogue) -> None:
    """SETUP and CALL PROCEEDING: TS 24.008 5.2.1."""
    d.cc(
        True,
        "SETUP",
        {
            "Bearer capability": SPEECH,
            "Called party BCD number": number(d.p.called),
            "Call Control Capabilities": CAPABILITIES,
        },
        after_ms=90,
        mark="started",
    )
    d.cc(False, "CALL PROCEEDING", after_ms=60)


def _originate(p: Params) -> Dialogue:
    """Up to the assigned channel of a mobile-originated call."""
    d = propose(p)
    assign(d)
    return d


def offer(p: Params) -> Dialogue:
    """A mobile-terminated call before it has a channel: TS 24.008 5.2.2."""
    d = Dialogue(p, network_started=True)
    answer_page(d)
    d.cc(
        False,
        "SETUP",
        {
            "Bearer capability": SPEECH,
            "Calling party BCD number": number(p.calling, SCREENED) if p.calling else ...,
        },
        mark="started",
    )
    d.cc(
        True,
        "CALL CONFIRMED",
        {"Bearer capability": SPEECH, "Call Control Capabilities": CAPABILITIES},
        after_ms=150,
    )
    return d


def _terminate(p: Params) -> Dialogue:
    """Up to the ringing of a mobile-terminated call."""
    d = offer(p)
    assign(d)
    d.cc(True, "ALERTING", wait="alert", after_ms=120, mark="alerting")
    return d


def _alert(d: Dialogue) -> None:
    d.cc(False, "ALERTING", wait="alert", after_ms=80, mark="alerting")


def ring_out(d: Dialogue) -> None:
    """ALERTING and the answer, as the caller's side sees them."""
    _alert(d)
    d.cc(False, "CONNECT", wait="ring", mark="connected")
    d.cc(True, "CONNECT ACKNOWLEDGE", after_ms=90)


def converse_out(p: Params) -> Dialogue:
    """Up to the conversation of a mobile-originated call."""
    d = _originate(p)
    ring_out(d)
    return d


def converse_in(p: Params) -> Dialogue:
    """Up to the conversation of a mobile-terminated call."""
    d = _terminate(p)
    d.cc(True, "CONNECT", wait="ring", mark="connected")
    d.cc(False, "CONNECT ACKNOWLEDGE", after_ms=30)
    return d


def mo_call_answered(p: Params) -> tuple[Step, ...]:
    return talk(converse_out(p), station_is_caller=True)


def mo_call_busy(p: Params) -> tuple[Step, ...]:
    """The other side is busy: no ALERTING."""
    d = _originate(p)
    hang_up(d, False, USER_BUSY if p.cause is None else p.cause, wait="alert", after_ms=80)
    return d.done()


def mo_call_rejected(p: Params) -> tuple[Step, ...]:
    """It rings, then the other side refuses."""
    d = _originate(p)
    _alert(d)
    hang_up(d, False, CALL_REJECTED if p.cause is None else p.cause, wait="ring")
    return d.done()


def mo_call_no_answer(p: Params) -> tuple[Step, ...]:
    """It rings until the caller gives up (`released_by` "caller") or the network does (any other)."""
    d = _originate(p)
    _alert(d)
    by_station = p.released_by == "caller"
    usual = NORMAL_CLEARING if by_station else NO_ANSWER
    hang_up(d, by_station, usual if p.cause is None else p.cause, wait="ring")
    return d.done()


def _announced(p: Params, usual: int) -> tuple[Step, ...]:
    """An announcement in the speech path, then DISCONNECT."""
    d = _originate(p)
    d.cc(False, "PROGRESS", {"Progress indicator": IN_BAND}, wait="alert", after_ms=80)
    hang_up(d, False, usual if p.cause is None else p.cause, wait="ring")
    return d.done()


def mo_call_vacant(p: Params) -> tuple[Step, ...]:
    return _announced(p, UNASSIGNED_NUMBER)


def mo_call_unreachable(p: Params) -> tuple[Step, ...]:
    return _announced(p, SUBSCRIBER_ABSENT)


def mo_call_abandoned(p: Params) -> tuple[Step, ...]:
    """The caller gives up before it rings."""
    d = _originate(p)
    hang_up(d, True, NORMAL_CLEARING if p.cause is None else p.cause, wait="alert", after_ms=80)
    return d.done()


def mt_call_answered(p: Params) -> tuple[Step, ...]:
    return talk(converse_in(p), station_is_caller=False)


def mt_call_rejected(p: Params) -> tuple[Step, ...]:
    """The called station refuses while it rings."""
    d = _terminate(p)
    hang_up(d, True, CALL_REJECTED if p.cause is None else p.cause, wait="ring")
    return d.done()


def mt_call_no_answer(p: Params) -> tuple[Step, ...]:
    """The caller gives up (`released_by` "caller") or the network's timer runs out."""
    d = _terminate(p)
    usual = NORMAL_CLEARING if p.released_by == "caller" else NO_ANSWER
    hang_up(d, False, usual if p.cause is None else p.cause, wait="ring")
    return d.done()


def paging_only(p: Params) -> tuple[Step, ...]:
    """Nobody answers the page."""
    d = Dialogue(p, network_started=True)
    d.page(mark="started")
    return d.done()
