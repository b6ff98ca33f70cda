"""Whether a dialogue may happen: state machines as one table of transitions.

A dialogue is a row of steps (leg, direction, SCCP message), as a ladder gives it. Several small machines
run side by side: SCCP, clearing and COMMON ID for each leg; paging, mobility management, security,
channel, handover, call control and short messages once. A message must be awaited by every machine that
knows it. Beside the machines, references, transaction identifiers and N(SD) must fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from sim.bssap import bssap, bssmap, dtap, sccp, sms, tpdu
from sim.bssap.elements import Message
from sim.bssap.errors import DecodeError


class Sent(Protocol):
    """What the acceptor reads of a step."""

    @property
    def leg(self) -> int: ...
    @property
    def uplink(self) -> bool: ...
    @property
    def payload(self) -> bytes: ...


class LegalityError(Exception):
    """The dialogue may not happen; says at which step and why."""

    def __init__(self, step: int, why: str) -> None:
        super().__init__(f"step {step}: {why}")
        self.step = step
        self.why = why


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: in one of `sources` the machine takes `symbol` and goes to `target`."""

    machine: str
    sources: tuple[str, ...]
    symbol: str
    """Direction and message: ^ uplink, v downlink."""
    target: str
    needs: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """States that other machines must be in."""


def _rows(machine: str, *rows: str, needs: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> list[Transition]:
    """Rows from lines "source, source | symbol | target"."""
    out = []
    for row in rows:
        sources, symbol, target = (part.strip() for part in row.split("|"))
        out.append(
            Transition(machine, tuple(name.strip() for name in sources.split(",")), symbol, target, needs)
        )
    return out


#: BSSMAP cause of the clearing of the old channel, TS 48.008 3.2.2.5.
HANDOVER_SUCCESSFUL = 0x0B

_OPEN = ("clearing", ("no", "requested"))
_CONNECTED = (("mm", ("connected",)), ("cipher", ("off", "on")), ("identity", ("idle",)), ("auth", ("idle",)))
_SPEECH = (*_CONNECTED, ("channel", ("speech",)))
_RESTING = (
    ("mm", ("updated", "rejected", "detached", "connected")), ("identity", ("idle",)), ("auth", ("idle",)),
    ("cipher", ("off", "on")), ("channel", ("signalling", "speech")), ("cc", ("null", "released")),
    ("sms", ("idle", "done")), ("handover", ("none", "complete")),
)  # fmt: skip
_SECURING = (("cc", ("null",)), ("sms", ("idle",)), ("mm", ("updating", "service", "connected")))

_IN_CALL = "initiated, proceeding, announced, delivered, confirmed, received, active"

#: The whole of it. Machines named in PER_LEG have one state for each leg.
TRANSITIONS: tuple[Transition, ...] = (
    # Q.714 3.1, 3.3; TS 48.006 9.1: the MSC releases.
    *_rows("sccp", "idle | ^CR | asked by BSS", "idle | vCR | asked by MSC",
           "asked by BSS | vCC | open", "asked by MSC | ^CC | open",
           "asked by BSS | vCREF | closed", "asked by MSC | ^CREF | closed",
           "open | ^DT1 | open", "open | vDT1 | open", "releasing | ^RLC | closed"),
    *_rows("sccp", "open | vRLSD | releasing", needs=(("clearing", ("done",)),)),
    # TS 48.008 3.1.10
    *_rows("paging", "none | vPAGING | paged", needs=(("mm", ("none",)),)),
    # TS 48.008 3.1.30
    *_rows("common id", "unsent | vCOMMON ID | sent", needs=(_OPEN, ("identity", ("idle",)))),
    # TS 24.008 4.3.3
    *_rows("identity", "idle | vIDENTITY REQUEST | asked", "asked | ^IDENTITY RESPONSE | idle",
           needs=(_OPEN, ("auth", ("idle",)), ("cipher", ("off", "on")), *_SECURING)),
    # TS 24.008 4.3.2
    *_rows("auth", "idle | vAUTHENTICATION REQUEST | asked", "asked | ^AUTHENTICATION RESPONSE | idle",
           "asked | ^AUTHENTICATION FAILURE | idle", "idle | vAUTHENTICATION REJECT | rejected",
           needs=(_OPEN, ("identity", ("idle",)), ("cipher", ("off",)), *_SECURING)),
    # TS 48.008 3.1.14
    *_rows("cipher", "off | vCIPHER MODE COMMAND | starting", "starting | ^CIPHER MODE COMPLETE | on",
           "starting | ^CIPHER MODE REJECT | off",
           needs=(_OPEN, ("identity", ("idle",)), ("auth", ("idle",)), *_SECURING)),
    # TS 24.008 4.3.4, 4.4, 4.5
    *_rows("mm", "none | ^LOCATION UPDATING REQUEST | updating", "none | ^CM SERVICE REQUEST | service",
           "none | ^IMSI DETACH INDICATION | detached"),
    *_rows("mm", "none | ^PAGING RESPONSE | connected", needs=(("paging", ("paged",)),)),
    *_rows("mm", "updating | vLOCATION UPDATING ACCEPT | updated",
           "updating | vLOCATION UPDATING ACCEPT with TMSI | reallocating",
           "updating | vLOCATION UPDATING REJECT | rejected", "service | vCM SERVICE ACCEPT | connected",
           "service | vCM SERVICE REJECT | rejected",
           needs=(_OPEN, ("identity", ("idle",)), ("auth", ("idle",)), ("cipher", ("off", "on")))),
    *_rows("mm", "reallocating | ^TMSI REALLOCATION COMPLETE | updated",
           # TS 24.008 4.5.1.1: ciphering accepts the service.
           "service, connected | ^CIPHER MODE COMPLETE | connected",
           "updating | ^CIPHER MODE COMPLETE | updating",
           needs=(_OPEN,)),
    # TS 48.008 3.1.1
    *_rows("channel", "signalling | vASSIGNMENT REQUEST | assigning",
           "assigning | ^ASSIGNMENT COMPLETE | speech",
           "assigning | ^ASSIGNMENT FAILURE | signalling",
           needs=(_OPEN, *_CONNECTED, ("cc", ("proceeding", "confirmed")))),
    # TS 24.008 5.2.1
    *_rows("cc", "null | ^SETUP | initiated", "initiated | vCALL PROCEEDING | proceeding",
           "null | vSETUP | present", "present | ^CALL CONFIRMED | confirmed",
           "present | ^RELEASE COMPLETE | released",
           needs=(_OPEN, *_CONNECTED, ("channel", ("signalling",)))),
    *_rows("cc", "proceeding | vALERTING | delivered", "proceeding | vPROGRESS | announced",
           "delivered, proceeding | vCONNECT | connect indication",
           "connect indication | ^CONNECT ACKNOWLEDGE | active",
           # TS 24.008 5.2.2
           "confirmed | ^ALERTING | received", "received, confirmed | ^CONNECT | connect request",
           "connect request | vCONNECT ACKNOWLEDGE | active",
           needs=(_OPEN, *_SPEECH)),
    # TS 24.008 5.4
    *_rows("cc", f"{_IN_CALL} | ^DISCONNECT | disconnect request",
           f"{_IN_CALL} | vDISCONNECT | disconnect indication",
           "disconnect request | vRELEASE | release indication",
           "disconnect indication | ^RELEASE | release request",
           "release indication | ^RELEASE COMPLETE | released",
           "release request | vRELEASE COMPLETE | released",
           needs=(_OPEN, ("channel", ("signalling", "speech")), ("handover", ("none", "complete")))),
    # TS 24.011 5.3
    *_rows("sms", "idle | ^SMS-SUBMIT | submitted", "submitted | vCP-ACK | waiting for centre",
           "waiting for centre | vRP-ACK | answered by centre",
           "waiting for centre | vRP-ERROR | answered by centre",
           "answered by centre | ^CP-ACK | done",
           "idle | vSMS-DELIVER | delivered", "delivered | ^CP-ACK | waiting for station",
           "waiting for station | ^RP-ACK | answered by station",
           "waiting for station | ^RP-ERROR | answered by station",
           "answered by station | vCP-ACK | done",
           needs=(_OPEN, *_CONNECTED)),
    # TS 48.008 3.1.5
    *_rows("handover", "none | ^HANDOVER REQUIRED | required", "required | vHANDOVER REQUIRED REJECT | none",
           needs=(_OPEN, ("cc", ("active",)))),
    *_rows("handover", "required | vHANDOVER REQUEST | requested",
           "requested | ^HANDOVER REQUEST ACKNOWLEDGE | prepared", "requested | ^HANDOVER FAILURE | required",
           "prepared | vHANDOVER COMMAND | commanded",
           "commanded | ^HANDOVER DETECT | detected", "detected | ^HANDOVER COMPLETE | complete",
           "complete | vCLEAR COMMAND after handover | complete"),
    # TS 48.008 3.1.9
    *_rows("clearing", "no | vCLEAR COMMAND | commanded", needs=_RESTING),
    *_rows("clearing", "no | vCLEAR COMMAND after handover | commanded",
           "no | ^CLEAR REQUEST | requested", "requested | vCLEAR COMMAND | commanded",
           "commanded | ^CLEAR COMPLETE | done"),
)  # fmt: skip

PER_LEG = ("sccp", "common id", "clearing")
INITIAL = {
    "sccp": "idle", "common id": "unsent", "clearing": "no", "paging": "none", "identity": "idle",
    "auth": "idle", "cipher": "off", "mm": "none", "channel": "signalling", "cc": "null", "sms": "idle",
    "handover": "none",
}  # fmt: skip
#: States in which a dialogue may end.
FINAL = {
    "sccp": ("idle", "closed"),
    "handover": ("none", "complete"),
    "cc": ("null", "released"),
    "sms": ("idle", "done"),
}
#: Leg on which each message of the handover belongs.
_HANDOVER_LEG = {
    "^HANDOVER REQUIRED": 0, "vHANDOVER REQUIRED REJECT": 0, "vHANDOVER COMMAND": 0,
    "vCLEAR COMMAND after handover": 0, "vHANDOVER REQUEST": 1, "^HANDOVER REQUEST ACKNOWLEDGE": 1,
    "^HANDOVER FAILURE": 1, "^HANDOVER DETECT": 1, "^HANDOVER COMPLETE": 1,
}  # fmt: skip

_BY_SYMBOL: dict[str, dict[str, list[Transition]]] = {}
for _row in TRANSITIONS:
    _BY_SYMBOL.setdefault(_row.symbol, {}).setdefault(_row.machine, []).append(_row)


@dataclass(slots=True)
class _Leg:
    bss: int | None = None
    msc: int | None = None


@dataclass(slots=True)
class Acceptor:
    """Takes the steps of one dialogue one after the other."""

    steps: int = 0
    _states: dict[tuple[str, int], str] = field(default_factory=dict)
    _legs: dict[int, _Leg] = field(default_factory=dict)
    _sequence: int = 0
    _transaction: tuple[int, int] | None = None
    """TI value, and the flag that uplink messages carry."""

    def state(self, machine: str, leg: int = 0) -> str:
        return self._states.get((machine, leg if machine in PER_LEG else 0), INITIAL[machine])

    def _refuse(self, why: str) -> LegalityError:
        return LegalityError(self.steps, why)

    def take(self, step: Sent) -> None:
        """LegalityError when the step may not come now."""
        self.steps += 1
        try:
            outer = sccp.decode(step.payload)
            symbols = self._read(outer, step)
        except DecodeError as error:
            raise self._refuse(str(error)) from None
        self._check_references(outer, step)
        moves = [move for symbol in symbols for move in self._moves(symbol, step.leg)]
        for machine, target in moves:
            self._states[machine, step.leg if machine in PER_LEG else 0] = target

    def _moves(self, symbol: str, leg: int) -> list[tuple[str, str]]:
        machines = _BY_SYMBOL.get(symbol)
        if machines is None:
            raise self._refuse(f"{symbol} has no place in any dialogue")
        moves = []
        for machine, rows in machines.items():
            state = self.state(machine, leg)
            row = next((row for row in rows if state in row.sources), None)
            if row is None:
                raise self._refuse(f"{symbol} while {machine} is {state!r}")
            for other, allowed in row.needs:
                if self.state(other, leg) not in allowed:
                    raise self._refuse(f"{symbol} while {other} is {self.state(other, leg)!r}")
            moves.append((machine, row.target))
        return moves

    def _read(self, outer: sccp.SccpMessage, step: Sent) -> list[str]:
        """Symbols of the SCCP message and of what it carries."""
        arrow = "^" if step.uplink else "v"
        symbols = [] if outer.type == "UDT" else [arrow + outer.type]
        if outer.data is None:
            return symbols
        user = bssap.decode(outer.data)
        if user.discrimination == bssap.BSSMAP:
            inner = bssmap.decode(user.payload)
            name = inner.name
            if name == "CLEAR COMMAND" and inner["Cause"] == HANDOVER_SUCCESSFUL:
                name = "CLEAR COMMAND after handover"
            symbols.append(arrow + name)
            expected = _HANDOVER_LEG.get(symbols[-1])
            if expected is not None and expected != step.leg:
                raise self._refuse(f"{inner.name} on leg {step.leg}")
            if (outer.type == "UDT") != (inner.name == "PAGING") or (outer.type == "UDT" and step.leg):
                raise self._refuse(f"{inner.name} in {outer.type}")
            if (outer.type == "CR") != (inner.name in ("COMPLETE LAYER 3 INFORMATION", "HANDOVER REQUEST")):
                raise self._refuse(f"{inner.name} in {outer.type}")
            if inner.name == "COMPLETE LAYER 3 INFORMATION":
                symbols[-1] = arrow + self._layer3(dtap.decode(inner["Layer 3 Information"]), step)
            return symbols
        if self.state("handover") in ("commanded", "detected") or step.leg != (
            1 if self.state("handover") == "complete" else 0
        ):
            raise self._refuse(f"DTAP on leg {step.leg}")
        value = dtap.decode(user.payload)
        if (user.sapi == 3) != (value.pd == dtap.PD_SMS):
            raise self._refuse(f"{value.name} on SAPI {user.sapi}")
        symbols.append(arrow + self._layer3(value, step))
        return symbols

    def _layer3(self, value: dtap.Dtap, step: Sent) -> str:
        """The name of the innermost message; N(SD) and transaction identifier are checked on the way."""
        protocol = dtap.BY_PD[value.pd]
        if step.uplink and protocol.sequenced:
            if value.sequence != self._sequence:
                raise self._refuse(f"{value.name} with N(SD) {value.sequence}, a repetition")
            self._sequence ^= 1
        if protocol.transactions:
            flag = value.ti_flag if step.uplink else value.ti_flag ^ 1
            if self._transaction is None:
                self._transaction = (value.ti, flag)
            if self._transaction != (value.ti, flag):
                raise self._refuse(f"{value.name} with transaction {value.ti}, flag {value.ti_flag}")
        if value.name == "CP-DATA":
            return self._relay(value.message, step)
        if value.name == "LOCATION UPDATING ACCEPT" and "Mobile identity" in value.message:
            return "LOCATION UPDATING ACCEPT with TMSI"
        return value.name

    def _relay(self, message: Message, step: Sent) -> str:
        value = sms.decode_rp(message["CP-User data"])
        if value.from_network == step.uplink:
            raise self._refuse(f"{value.message.name} in the other direction")
        if value.message.name == "RP-DATA":
            return tpdu.name(tpdu.decode(value.message["RP-User data"], from_network=value.from_network))
        return value.message.name

    def _check_references(self, outer: sccp.SccpMessage, step: Sent) -> None:
        if outer.type == "UDT":
            return
        leg = self._legs.setdefault(step.leg, _Leg())
        ours, theirs = ("bss", "msc") if step.uplink else ("msc", "bss")
        if outer.type == "CR":
            setattr(leg, ours, outer.source)
            return
        if outer.destination != getattr(leg, theirs):
            raise self._refuse(f"{outer.type} for an unknown reference")
        if outer.type == "CC":
            setattr(leg, ours, outer.source)
        elif outer.source is not None and outer.source != getattr(leg, ours):
            raise self._refuse(f"{outer.type} from an unknown reference")

    def finish(self) -> None:
        """LegalityError when the dialogue may not end here."""
        for machine, allowed in FINAL.items():
            for leg in {0, *self._legs} if machine in PER_LEG else {0}:
                if self.state(machine, leg) not in allowed:
                    raise self._refuse(f"ends while {machine} is {self.state(machine, leg)!r}")


def check(dialogue: Iterable[Sent]) -> None:
    """LegalityError unless the dialogue may happen from its first to its last step."""
    acceptor = Acceptor()
    for step in dialogue:
        acceptor.take(step)
    acceptor.finish()


def is_legal(dialogue: Iterable[Sent]) -> bool:
    try:
        check(dialogue)
    except LegalityError:
        return False
    return True
