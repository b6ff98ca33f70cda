"""Whether a dialogue may happen: state machines that run side by side.

A dialogue is a row of steps (leg, direction, SCCP message), as a ladder gives it; every handover to another
BSS opens one leg more. The machines are in
`legality_table`: SCCP, clearing and COMMON ID for each leg; calls, short messages and supplementary services
for each transaction; paging, mobility management, security, channel and handover once. A message must be
awaited by every machine that knows it. Beside the machines, references, transaction identifiers, invoke
identifiers and N(SD) must fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from sim.bssap import bssap, bssmap, dtap, sccp, sms, tpdu
from sim.bssap.elements import Message
from sim.bssap.errors import DecodeError
from sim.bssap.legality_table import (
    ANY,
    CONNECTIONLESS,
    FINAL,
    HANDOVER_LEG,
    INITIAL,
    LEFT,
    OPENING,
    OTHER,
    OVER,
    PER_LEG,
    PER_TRANSACTION,
    SERVICES,
    SERVING,
    TARGET,
    TRANSITIONS,
    Transition,
)
from sim.bssap.ss_components import INVOKE, Component

#: BSSMAP causes that tell what a message is about, TS 48.008 3.2.2.5.
HANDOVER_SUCCESSFUL = 0x0B
DIRECTED_RETRY = 0x0D


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


#: Symbol -> machine -> its rows.
_BY_SYMBOL: dict[str, dict[str, list[Transition]]] = {}
for _row in TRANSITIONS:
    _BY_SYMBOL.setdefault(_row.symbol, {}).setdefault(_row.machine, []).append(_row)

#: Protocol discriminator, TI value, TI flag of what the station sends.
_Transaction = tuple[int, int, int]
#: One machine: its name and the leg or transaction it belongs to.
_Place = tuple[str, int | _Transaction]


@dataclass(slots=True)
class _Leg:
    bss: int | None = None
    msc: int | None = None


@dataclass(slots=True)
class Acceptor:
    """Takes the steps of one dialogue one after the other."""

    steps: int = 0
    _states: dict[_Place, str] = field(default_factory=dict)
    _legs: dict[int, _Leg] = field(default_factory=dict)
    _serving: int = 0
    """The leg on which the station is."""
    _target: int = -1
    """The leg to which it is being handed over."""
    _left: int = -1
    """The leg from which it has come."""
    _last_leg: int = 0
    """Legs are numbered in the order in which they are opened."""
    _sequenced: int = 0
    """Uplink messages so far that carry an N(SD)."""
    _moduli: tuple[int, ...] = (2, 4)
    """How the station may count them: TS 24.007 11.2.3.2.3, from release 99 on modulo 4."""
    _transactions: list[_Transaction] = field(default_factory=list)
    _current: _Transaction | None = None
    """The transaction of the message at hand."""
    _invoked: set[tuple[bool, int | None]] = field(default_factory=set)
    """Operations without an outcome yet: whether the station invoked it, invoke identifier."""

    def _refuse(self, why: str) -> LegalityError:
        return LegalityError(self.steps, why)

    def take(self, step: Sent) -> None:
        """LegalityError when the step may not come now."""
        self.steps += 1
        self._current = None
        try:
            outer = sccp.decode(step.payload)
            symbols = self._read(outer, step)
        except DecodeError as error:
            raise self._refuse(str(error)) from None
        self._check_references(outer, step)
        moves = [move for symbol in symbols for move in self._moves(symbol, step.leg)]
        if self._current is not None and self._current not in self._transactions:
            self._transactions.append(self._current)
        self._states.update(moves)

    # Where the machines are

    def _of(self, protocol: int) -> list[_Transaction]:
        return [transaction for transaction in self._transactions if transaction[0] == protocol]

    def _places(self, machine: str, leg: int) -> list[_Place]:
        """The machines of that name that a message on `leg` concerns."""
        protocol = PER_TRANSACTION.get(machine)
        if protocol is None:
            return [(machine, leg if machine in PER_LEG else 0)]
        if self._current is not None and self._current[0] == protocol:
            return [(machine, self._current)]
        return [(machine, transaction) for transaction in self._of(protocol)] or [(machine, -1)]

    def _state(self, place: _Place) -> str:
        return self._states.get(place, INITIAL[place[0]])

    def _others(self) -> list[_Transaction]:
        """Calls alive beside the one at hand."""
        return [
            transaction
            for transaction in self._of(dtap.PD_CC)
            if transaction != self._current and self._state(("cc", transaction)) not in OVER
        ]

    def _moves(self, symbol: str, leg: int) -> list[tuple[_Place, str]]:
        machines = _BY_SYMBOL.get(symbol)
        if machines is None:
            raise self._refuse(f"{symbol} has no place in any dialogue")
        moves = []
        for machine, rows in machines.items():
            for place in self._places(machine, leg):
                state = self._state(place)
                row = next((row for row in rows if state in row.sources or ANY in row.sources), None)
                if row is None:
                    raise self._refuse(f"{symbol} while {machine} is {state!r}")
                self._check_needs(row, leg)
                moves.append((place, row.target))
        return moves

    def _check_needs(self, row: Transition, leg: int) -> None:
        for name, allowed in row.needs:
            if name.startswith(OTHER):
                machine = name.removeprefix(OTHER)
                places: list[_Place] = [(machine, transaction) for transaction in self._others()]
            else:
                places = self._places(name, leg)
            for place in places:
                if self._state(place) not in allowed:
                    raise self._refuse(f"{row.symbol} while {name} is {self._state(place)!r}")

    # What a message means

    def _read(self, outer: sccp.SccpMessage, step: Sent) -> list[str]:
        """Symbols of the SCCP message and of what it carries."""
        arrow = "^" if step.uplink else "v"
        symbols = [] if outer.type == "UDT" else [arrow + outer.type]
        if outer.data is None:
            return symbols
        user = bssap.decode(outer.data)
        if user.discrimination == bssap.BSSMAP:
            inner = bssmap.decode(user.payload)
            if (outer.type == "UDT") != (inner.name in CONNECTIONLESS) or (outer.type == "UDT" and step.leg):
                raise self._refuse(f"{inner.name} in {outer.type}")
            if (outer.type == "CR") != (inner.name in OPENING):
                raise self._refuse(f"{inner.name} in {outer.type}")
            if inner.name == "COMPLETE LAYER 3 INFORMATION":
                names = self._layer3(dtap.decode(inner["Layer 3 Information"]), step)
                return symbols + [arrow + name for name in names]
            symbol = arrow + self._bssmap(inner, step)
            self._check_leg(symbol, inner.name, step.leg)
            return [*symbols, symbol]
        if self._state(("handover", 0)) in ("commanded", "detected") or step.leg != self._serving:
            raise self._refuse(f"DTAP on leg {step.leg}")
        value = dtap.decode(user.payload)
        if (user.sapi == 3) != (value.pd == dtap.PD_SMS):
            raise self._refuse(f"{value.name} on SAPI {user.sapi}")
        return symbols + [arrow + name for name in self._layer3(value, step)]

    def _check_leg(self, symbol: str, name: str, leg: int) -> None:
        """A message of the handover is on the leg where it belongs; COMPLETE makes the target serve."""
        role = HANDOVER_LEG.get(symbol)
        if role == TARGET and symbol == "vHANDOVER REQUEST" and leg == self._last_leg + 1:
            self._last_leg = self._target = leg
        own = {None: leg, SERVING: self._serving, TARGET: self._target, LEFT: self._left}[role]
        if leg != own:
            raise self._refuse(f"{name} on leg {leg}")
        if symbol == "^HANDOVER COMPLETE":
            self._left, self._serving, self._target = self._serving, leg, -1

    def _bssmap(self, message: Message, step: Sent) -> str:
        """The message by its name, and what its cause or the state makes of it."""
        name, cause = message.name, message.get("Cause")
        if name == "CLEAR COMMAND":
            if cause == HANDOVER_SUCCESSFUL:
                return f"{name} after handover"
            if self._state(("clearing", step.leg)) == "requested":
                return f"{name} on request"
            if step.leg == self._target and self._state(("handover", 0)) in ("refused", "returned"):
                return f"{name} to the target"
        if name == "HANDOVER FAILURE" and step.leg != self._serving:
            return f"{name} of the target"
        if name in ("ASSIGNMENT FAILURE", "HANDOVER REQUIRED") and cause == DIRECTED_RETRY:
            return f"{name} for directed retry"
        return name

    def _layer3(self, value: dtap.Dtap, step: Sent) -> list[str]:
        """The names of the innermost message; N(SD) and transaction identifier are noted on the way."""
        protocol = dtap.BY_PD[value.pd]
        if step.uplink and protocol.sequenced:
            self._moduli = tuple(m for m in self._moduli if self._sequenced % m == value.sequence)
            if not self._moduli:
                raise self._refuse(f"{value.name} with N(SD) {value.sequence}, a repetition")
            self._sequenced += 1
        name = value.name
        if protocol.transactions:
            self._current = (value.pd, value.ti, value.ti_flag if step.uplink else value.ti_flag ^ 1)
        match value.pd:
            case dtap.PD_CC if name in ("SETUP", "CONNECT") and self._others():
                return [f"{name} of a second call"]
            case dtap.PD_SS:
                return [self._operation(value, step)]
            case dtap.PD_SMS if name == "CP-DATA":
                return [self._relay(value.message, step)]
        if name == "LOCATION UPDATING ACCEPT" and "Mobile identity" in value.message:
            return [f"{name} with TMSI"]
        if name == "CM SERVICE REQUEST":
            return [name, f"{name} for {SERVICES.get(value.message['CM service type'], 'something else')}"]
        return [name]

    def _operation(self, value: dtap.Dtap, step: Sent) -> str:
        """A supplementary service message and the kind of its component."""
        components: tuple[Component, ...] = value.message.get("Facility") or ()
        if len(components) > 1:
            raise self._refuse(f"{value.name} with {len(components)} components")
        for component in components:
            if component.kind == INVOKE:
                self._invoked.add((step.uplink, component.invoke_id))
            elif (not step.uplink, component.invoke_id) in self._invoked:
                self._invoked.remove((not step.uplink, component.invoke_id))
            else:
                raise self._refuse(f"{component.kind} for invoke identifier {component.invoke_id}")
        return f"{value.name}: {components[0].kind if components else 'nothing'}"

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
        self._current = None
        for machine, allowed in FINAL.items():
            for leg in {0, *self._legs} if machine in PER_LEG else {0}:
                for place in self._places(machine, leg):
                    if self._state(place) not in allowed:
                        raise self._refuse(f"ends while {machine} is {self._state(place)!r}")


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
