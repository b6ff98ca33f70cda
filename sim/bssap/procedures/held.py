"""Call hold and call waiting: TS 24.083 1, 2; TS 24.008 5.2.2.3.1.

The waiting call has the transaction identifier value of the first one: the side that allocated it tells
them apart (TS 24.007 11.2.3.1.3).
"""

from __future__ import annotations

from sim.bssap.cc_elements import Cause
from sim.bssap.procedures import calls
from sim.bssap.procedures.calls import CAPABILITIES, NORMAL_CLEARING, SCREENED, SPEECH, USER_BUSY
from sim.bssap.procedures.dialogue import Dialogue, number
from sim.bssap.procedures.params import Params, Step

#: Call control cause: requested facility not subscribed, TS 24.008 table 10.5.123.
NOT_SUBSCRIBED = 50


def _hold(d: Dialogue, *, wait: str = "") -> None:
    d.cc(True, "HOLD", wait=wait, after_ms=60)
    d.cc(False, "HOLD ACKNOWLEDGE", after_ms=90)


def _retrieve(d: Dialogue, *, wait: str = "") -> None:
    d.cc(True, "RETRIEVE", wait=wait, after_ms=60)
    d.cc(False, "RETRIEVE ACKNOWLEDGE", after_ms=90)


def mo_call_hold(p: Params) -> tuple[Step, ...]:
    d = calls.converse_out(p)
    _hold(d, wait="talk")
    _retrieve(d, wait="talk2")
    return calls.end(d, True, wait="talk2")


def mt_call_hold(p: Params) -> tuple[Step, ...]:
    d = calls.converse_in(p)
    _hold(d, wait="talk")
    _retrieve(d, wait="talk2")
    return calls.end(d, False, wait="talk2")


def mo_call_hold_rejected(p: Params) -> tuple[Step, ...]:
    d = calls.converse_out(p)
    d.cc(True, "HOLD", wait="talk", after_ms=60)
    d.cc_cause(False, "HOLD REJECT", NOT_SUBSCRIBED, after_ms=90)
    return calls.end(d, True, wait="talk2")


def _knock(d: Dialogue) -> None:
    """A second call comes in while the first one lasts."""
    calling = number(d.p.calling, SCREENED) if d.p.calling else ...
    d.network_started = True
    d.cc(False, "SETUP", {"Bearer capability": SPEECH, "Calling party BCD number": calling}, wait="talk")
    d.cc(
        True,
        "CALL CONFIRMED",
        {
            "Bearer capability": SPEECH,
            "Cause": Cause(USER_BUSY),
            "Call Control Capabilities": CAPABILITIES,
        },
        after_ms=150,
    )
    d.cc(True, "ALERTING", after_ms=120)


def mo_call_waiting(p: Params) -> tuple[Step, ...]:
    """The first call is put on hold, the second answered and ended by its caller, the first taken back."""
    d = calls.converse_out(p)
    _knock(d)
    d.network_started = False
    _hold(d, wait="ring")
    d.network_started = True
    d.cc(True, "CONNECT", after_ms=60)
    d.cc(False, "CONNECT ACKNOWLEDGE", after_ms=30)
    calls.release(d, False, NORMAL_CLEARING, wait="talk2")
    d.network_started = False
    _retrieve(d)
    return calls.end(d, True, wait="talk2")


def mo_call_waiting_refused(p: Params) -> tuple[Step, ...]:
    """The user lets the first call go on and refuses the second."""
    d = calls.converse_out(p)
    _knock(d)
    calls.release(d, True, USER_BUSY, wait="ring")
    d.network_started = False
    return calls.end(d, True, wait="talk2")
