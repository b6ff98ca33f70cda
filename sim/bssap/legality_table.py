"""The state machines of a dialogue on the A interface, as one table of transitions.

A symbol is a direction (^ uplink, v downlink) and a message; where one message means different things
its symbol says more ("CLEAR COMMAND after handover"). `legality` reads messages into symbols.
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap import dtap

#: A source that stands for every state.
ANY = "*"
#: In `Transition.needs`: the same machine of the other calls that are alive.
OTHER = "other "

Needs = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: in one of `sources` the machine takes `symbol` and goes to `target`."""

    machine: str
    sources: tuple[str, ...]
    symbol: str
    """Direction and message: ^ uplink, v downlink."""
    target: str
    needs: Needs = ()
    """States that other machines must be in; one of PER_TRANSACTION means the row's own transaction where
    the row has one, and all of them otherwise."""


def _rows(machine: str, *rows: str, needs: Needs = ()) -> list[Transition]:
    """Rows from lines "source, source | symbol | target"."""
    out = []
    for row in rows:
        sources, symbol, target = (part.strip() for part in row.split("|"))
        out.append(
            Transition(machine, tuple(name.strip() for name in sources.split(",")), symbol, target, needs)
        )
    return out


#: After CLEAR REQUEST nothing but CLEAR COMMAND is awaited.
_OPEN: Needs = (("clearing", ("no",)),)
_PROVEN = ("auth", ("idle", "answered"))
_CONNECTED: Needs = (
    ("mm", ("connected",)), ("cipher", ("off", "on")), ("identity", ("idle",)), _PROVEN,
)  # fmt: skip
_FURTHER: Needs = (("mm", ("connected", "further service")), *_CONNECTED[1:])
_SIGNALLING: Needs = (*_CONNECTED, ("channel", ("signalling",)))
_SPEECH: Needs = (*_CONNECTED, ("channel", ("speech",)))
_SETTLED: Needs = (
    ("channel", ("signalling", "speech", "retrying")), ("cc", ("null", "released")),
    ("sms", ("idle", "done")), ("ss", ("null", "done")), ("handover", ("none", "complete")),
)  # fmt: skip
_RESTING: Needs = (
    ("mm", ("updated", "rejected", "detached", "connected", "aborted")), ("identity", ("idle",)),
    ("auth", ("idle", "answered", "rejected")), ("cipher", ("off", "on", "rejected")), *_SETTLED,
)  # fmt: skip
_SECURING: Needs = (
    ("cc", ("null",)), ("sms", ("idle",)), ("ss", ("null",)), ("mm", ("updating", "service", "connected")),
)  # fmt: skip
_REFUSING: Needs = (
    *_OPEN, ("identity", ("idle",)), ("auth", ("idle", "answered", "failed")),
    ("cipher", ("off", "on", "rejected")),
)  # fmt: skip
_AT_REST: Needs = (("handover", ("none", "complete")), ("hold", ("idle", "held")))

_IN_CALL = "initiated, proceeding, announced, delivered, confirmed, received, active"

#: The whole of it. Machines named in PER_LEG have one state for each leg, those in PER_TRANSACTION one for
#: each transaction.
TRANSITIONS: tuple[Transition, ...] = (
    # Q.714 3.1-3.3; TS 48.006 9.1: the MSC releases. TS 48.008 3.1.4.1: a reset leaves no connection.
    *_rows("sccp", "idle | ^CR | asked by BSS", "idle | vCR | asked by MSC",
           "asked by BSS | vCC | open", "asked by MSC | ^CC | open",
           "asked by BSS | vCREF | closed", "asked by MSC | ^CREF | closed",
           "open | ^DT1 | open", "open | vDT1 | open", "releasing | ^RLC | closed",
           "open | ^RESET | closed", "open | vRESET | closed",
           "idle | ^RESET | idle", "idle | vRESET | idle"),
    *_rows("sccp", "open | vRLSD | releasing", needs=(("clearing", ("done",)),)),
    # TS 48.008 3.1.4.1
    *_rows("reset", "none | ^RESET | asked by BSS", "asked by BSS | vRESET ACKNOWLEDGE | done",
           "none | vRESET | asked by MSC", "asked by MSC | ^RESET ACKNOWLEDGE | done"),
    # TS 48.008 3.1.10
    *_rows("paging", "none, paged | vPAGING | paged", needs=(("mm", ("none",)),)),
    # TS 48.008 3.1.30
    *_rows("common id", "unsent | vCOMMON ID | sent", needs=(*_OPEN, ("identity", ("idle",)))),
    # TS 24.008 4.3.3
    *_rows("identity", "idle | vIDENTITY REQUEST | asked", "asked | ^IDENTITY RESPONSE | idle",
           needs=(*_OPEN, ("auth", ("idle", "answered", "failed")), ("cipher", ("off", "on")), *_SECURING)),
    # TS 24.008 4.3.2
    *_rows("auth", "idle, answered, failed | vAUTHENTICATION REQUEST | asked",
           "asked | ^AUTHENTICATION RESPONSE | answered", "asked | ^AUTHENTICATION FAILURE | failed",
           "answered, failed | vAUTHENTICATION REJECT | rejected",
           needs=(*_OPEN, ("identity", ("idle",)), ("cipher", ("off",)), *_SECURING)),
    # TS 48.008 3.1.14
    *_rows("cipher", "off | vCIPHER MODE COMMAND | starting", "starting | ^CIPHER MODE COMPLETE | on",
           "starting | ^CIPHER MODE REJECT | rejected",
           needs=(*_OPEN, ("identity", ("idle",)), _PROVEN, *_SECURING)),
    # TS 24.008 4.3.4, 4.4, 4.5
    *_rows("mm", "none | ^LOCATION UPDATING REQUEST | updating", "none | ^CM SERVICE REQUEST | service",
           "none | ^IMSI DETACH INDICATION | detached"),
    *_rows("mm", "none | ^PAGING RESPONSE | connected", needs=(("paging", ("paged",)),)),
    *_rows("mm", "updating | vLOCATION UPDATING ACCEPT | updated",
           "updating | vLOCATION UPDATING ACCEPT with TMSI | reallocating",
           "service | vCM SERVICE ACCEPT | connected",
           needs=(*_OPEN, ("identity", ("idle",)), _PROVEN, ("cipher", ("off", "on")))),
    *_rows("mm", "updating | vLOCATION UPDATING REJECT | rejected", "service | vCM SERVICE REJECT | rejected",
           needs=_REFUSING),
    *_rows("mm", "reallocating | ^TMSI REALLOCATION COMPLETE | updated",
           "updating, service, connected | vAUTHENTICATION REJECT | rejected",
           # TS 24.008 4.5.1.1: ciphering accepts the service.
           "service, connected | ^CIPHER MODE COMPLETE | connected",
           "updating | ^CIPHER MODE COMPLETE | updating",
           needs=_OPEN),
    # TS 24.008 4.3.6: whenever there is a connection.
    *_rows("information", "any | vMM INFORMATION | any", needs=_OPEN),
    # TS 24.011 5.4: the next message is asked for before the last one is acknowledged.
    *_rows("mm", "connected | ^CM SERVICE REQUEST | further service",
           needs=(*_OPEN, *_CONNECTED, ("sms", ("answered by centre",)))),
    *_rows("mm", "further service | vCM SERVICE ACCEPT | connected",
           needs=(*_OPEN, ("identity", ("idle",)), _PROVEN, ("cipher", ("off", "on")), ("sms", ("done",)))),
    # TS 24.008 4.3.5
    *_rows("mm", "service, connected | vABORT | aborted",
           needs=(*_OPEN, ("identity", ("idle",)), _PROVEN, ("cipher", ("off", "on")))),
    *_rows("cc", f"{ANY} | vABORT | released"),
    *_rows("sms", f"{ANY} | vABORT | done"),
    *_rows("ss", f"{ANY} | vABORT | done"),
    # TS 24.008 4.5.1.7
    *_rows("mm", "connected | ^CM SERVICE ABORT | aborted", needs=(*_OPEN, *_CONNECTED, *_SECURING)),
    # TS 24.008 4.5.1.1: what the station asked for is what it begins.
    *_rows("service", "none | ^CM SERVICE REQUEST for a call | call",
           "none | ^CM SERVICE REQUEST for an emergency call | emergency call",
           "none, short message | ^CM SERVICE REQUEST for a short message | short message",
           "none | ^CM SERVICE REQUEST for a supplementary service | supplementary service"),
    # TS 48.008 3.1.1
    *_rows("channel", "signalling | vASSIGNMENT REQUEST | assigning",
           "assigning | ^ASSIGNMENT COMPLETE | speech",
           "assigning | ^ASSIGNMENT FAILURE | signalling",
           "assigning | ^ASSIGNMENT FAILURE for directed retry | retrying",
           needs=(*_OPEN, *_CONNECTED, ("cc", ("proceeding", "confirmed")))),
    # TS 23.009 14
    *_rows("channel", "speech, retrying | ^HANDOVER COMPLETE | speech"),
    # TS 24.008 5.2.1
    *_rows("cc", "null | ^SETUP | initiated", needs=(*_OPEN, *_SIGNALLING, ("service", ("call",)))),
    *_rows("cc", "null | ^EMERGENCY SETUP | initiated",
           needs=(*_OPEN, *_SIGNALLING, ("service", ("emergency call",)))),
    *_rows("cc", "initiated | vCALL PROCEEDING | proceeding",
           "null | vSETUP | present", "present | ^RELEASE COMPLETE | released",
           needs=(*_OPEN, *_SIGNALLING)),
    *_rows("cc", "present | ^CALL CONFIRMED | confirmed", needs=(*_OPEN, *_CONNECTED)),
    # TS 24.083 1: a waiting call is offered on the channel of the first, and answered when that is on hold.
    *_rows("cc", "null | vSETUP of a second call | present",
           needs=(*_OPEN, *_SPEECH, (OTHER + "cc", ("active",)), (OTHER + "hold", ("idle", "held")))),
    *_rows("cc", "received, confirmed | ^CONNECT of a second call | connect request",
           needs=(*_OPEN, *_SPEECH, (OTHER + "hold", ("held",)))),
    *_rows("cc", "proceeding | vALERTING | delivered", "proceeding | vPROGRESS | announced",
           "delivered, proceeding | vCONNECT | connect indication",
           "connect indication | ^CONNECT ACKNOWLEDGE | active",
           # TS 24.008 5.2.2
           "confirmed | ^ALERTING | received", "received, confirmed | ^CONNECT | connect request",
           "connect request | vCONNECT ACKNOWLEDGE | active",
           needs=(*_OPEN, *_SPEECH, ("handover", ("none", "complete")))),
    # TS 24.008 5.4
    *_rows("cc", f"{_IN_CALL} | ^DISCONNECT | disconnect request",
           f"{_IN_CALL} | vDISCONNECT | disconnect indication",
           "disconnect request | vRELEASE | release indication",
           "disconnect indication | ^RELEASE | release request",
           "release indication | ^RELEASE COMPLETE | released",
           "release request | vRELEASE COMPLETE | released",
           needs=(*_OPEN, ("channel", ("signalling", "speech", "retrying")), *_AT_REST)),
    # TS 24.083 2
    *_rows("hold", "idle | ^HOLD | hold requested", "hold requested | vHOLD ACKNOWLEDGE | held",
           "hold requested | vHOLD REJECT | idle", "retrieve requested | vRETRIEVE ACKNOWLEDGE | idle",
           "retrieve requested | vRETRIEVE REJECT | held",
           needs=(*_OPEN, *_SPEECH, ("cc", ("active",)), ("handover", ("none", "complete")))),
    *_rows("hold", "held | ^RETRIEVE | retrieve requested",
           needs=(*_OPEN, *_SPEECH, ("cc", ("active",)), (OTHER + "hold", ("held",)))),
    # TS 24.011 5.3
    *_rows("sms", "idle | ^SMS-SUBMIT | submitted", "idle | ^RP-SMMA | submitted",
           needs=(*_OPEN, *_CONNECTED, ("service", ("short message",)))),
    *_rows("sms", "submitted | vCP-ACK | waiting for centre", "submitted | vCP-ERROR | done",
           "waiting for centre | vRP-ACK | answered by centre",
           "waiting for centre | vRP-ERROR | answered by centre",
           "idle | vSMS-DELIVER | delivered", "delivered | ^CP-ACK | waiting for station",
           "delivered | ^CP-ERROR | done", 'delivered | ^SAPI "n" REJECT | done',
           "waiting for station | ^RP-ACK | answered by station",
           "waiting for station | ^RP-ERROR | answered by station",
           "answered by station | vCP-ACK | done",
           needs=(*_OPEN, *_CONNECTED)),
    *_rows("sms", "answered by centre | ^CP-ACK | done", needs=(*_OPEN, *_FURTHER)),
    # TS 24.080 2; TS 24.090 6
    *_rows("ss", "null | ^REGISTER: invoke | asked of network",
           needs=(*_OPEN, *_CONNECTED, ("service", ("supplementary service",)))),
    *_rows("ss", "asked of network | vRELEASE COMPLETE: returnResult | done",
           "asked of network | vRELEASE COMPLETE: returnError | done",
           "asked of network | vRELEASE COMPLETE: reject | done",
           "asked of network | vFACILITY: invoke | asked back",
           "asked back | ^FACILITY: returnResult | asked of network",
           "null | vREGISTER: invoke | asked of station", "asked of station | ^FACILITY: returnResult | told",
           "told | vRELEASE COMPLETE: nothing | done",
           "asked of station | ^RELEASE COMPLETE: returnError | done",
           needs=(*_OPEN, *_CONNECTED)),
    # TS 48.008 3.1.5
    *_rows("handover", "none, complete | ^HANDOVER REQUIRED | required", "none | ^HANDOVER PERFORMED | none",
           "complete | ^HANDOVER PERFORMED | complete", "required | vHANDOVER REQUIRED REJECT | none",
           needs=(*_OPEN, *_SPEECH, ("cc", ("active",)), ("hold", ("idle", "held")))),
    *_rows("handover", "none | ^HANDOVER REQUIRED for directed retry | required",
           needs=(*_OPEN, *_CONNECTED, ("channel", ("retrying",)))),
    *_rows("handover", "required | vHANDOVER REQUEST | requested", "requested | ^CREF | required",
           "requested | ^HANDOVER REQUEST ACKNOWLEDGE | prepared",
           "requested | ^HANDOVER FAILURE of the target | refused",
           "refused | vCLEAR COMMAND to the target | required",
           "prepared | vHANDOVER COMMAND | commanded",
           "commanded | ^HANDOVER DETECT | detected", "detected | ^HANDOVER COMPLETE | complete",
           "commanded, detected | ^HANDOVER FAILURE | returned",
           "returned | vCLEAR COMMAND to the target | none",
           "complete | vCLEAR COMMAND after handover | complete"),
    # TS 48.008 3.1.9
    *_rows("clearing", "no | vCLEAR COMMAND | commanded", needs=_RESTING),
    *_rows("clearing", "no | vCLEAR COMMAND after handover | commanded",
           "no | vCLEAR COMMAND to the target | commanded",
           "no | ^CLEAR REQUEST | requested", "requested | vCLEAR COMMAND on request | commanded",
           "commanded | ^CLEAR COMPLETE | done"),
    # What the station had going is over without a word to it.
    *_rows("cc", f"{ANY} | vCLEAR COMMAND on request | released", f"{ANY} | ^RESET | released",
           f"{ANY} | vRESET | released"),
    *_rows("sms", f"{ANY} | vCLEAR COMMAND on request | done", f"{ANY} | ^RESET | done",
           f"{ANY} | vRESET | done"),
    *_rows("ss", f"{ANY} | vCLEAR COMMAND on request | done", f"{ANY} | ^RESET | done",
           f"{ANY} | vRESET | done"),
)  # fmt: skip

PER_LEG = ("sccp", "common id", "clearing")
#: Machine -> the protocol whose transactions have it.
PER_TRANSACTION = {"cc": dtap.PD_CC, "hold": dtap.PD_CC, "sms": dtap.PD_SMS, "ss": dtap.PD_SS}
INITIAL = {
    "sccp": "idle", "reset": "none", "common id": "unsent", "clearing": "no", "paging": "none",
    "identity": "idle", "auth": "idle", "cipher": "off", "mm": "none", "service": "none",
    "channel": "signalling", "cc": "null", "hold": "idle", "sms": "idle", "ss": "null", "handover": "none",
    "information": "any",
}  # fmt: skip
#: States in which a dialogue may end.
FINAL = {
    "sccp": ("idle", "closed"),
    "reset": ("none", "done"),
    "handover": ("none", "complete"),
    "cc": ("null", "released"),
    "sms": ("idle", "done"),
    "ss": ("null", "done"),
}
#: A call in one of these states is not alive.
OVER = ("null", "released")
#: Legs: on which the station is, to which it is being handed over, from which it has come.
SERVING, TARGET, LEFT = "serving", "target", "left"
#: Leg on which each message of the handover belongs.
HANDOVER_LEG = {
    "^HANDOVER REQUIRED": SERVING, "^HANDOVER REQUIRED for directed retry": SERVING,
    "vHANDOVER REQUIRED REJECT": SERVING, "vHANDOVER COMMAND": SERVING, "^HANDOVER FAILURE": SERVING,
    "^HANDOVER PERFORMED": SERVING, "vCLEAR COMMAND after handover": LEFT,
    "vHANDOVER REQUEST": TARGET, "^HANDOVER REQUEST ACKNOWLEDGE": TARGET,
    "^HANDOVER FAILURE of the target": TARGET, "^HANDOVER DETECT": TARGET, "^HANDOVER COMPLETE": TARGET,
    "vCLEAR COMMAND to the target": TARGET,
}  # fmt: skip
#: BSSMAP messages that travel without a connection, and those that open one.
CONNECTIONLESS = ("PAGING", "RESET", "RESET ACKNOWLEDGE")
OPENING = ("COMPLETE LAYER 3 INFORMATION", "HANDOVER REQUEST")
#: CM service type -> what it is for: TS 24.008 10.5.3.3.
SERVICES = {1: "a call", 2: "an emergency call", 4: "a short message", 8: "a supplementary service"}
