"""Calls: who gets through to whom, and the two legs of it made to agree on the time axis."""

from __future__ import annotations

from typing import Final, NamedTuple

from sim.network import acts, intents
from sim.network.core import Core
from sim.network.intents import ABANDON, ANSWER, BUSY, BY_CALLER, NO_ANSWER, REJECT
from sim.network.paging import (
    NO_RESPONSE_US,
    Options,
    authenticates,
    page_in_vain,
    response_us,
    security,
    wait_for_station,
)
from sim.network.switch import Leg, Words

_ACROSS_US: Final = 40_000  # from one side of the exchange to the other
_ROUTING_US: Final = 80_000
_ANNOUNCEMENT_US: Final = 6_000_000
_SETTLED_US: Final = 4_000_000  # no handover so close to the beginning or the end of the conversation
# Cause values, TS 24.008 table 10.5.123.
UNASSIGNED, NORMAL, USER_BUSY, NO_REPLY, ABSENT, REJECTED, NO_CIRCUIT = 1, 16, 17, 19, 20, 21, 34

_BOTH_SIDES: Final = ("answered", "no_answer", "rejected")
_FAR_ENDS: Final = ("answered", "no_answer", "rejected", "abandoned", "busy", "unreachable")
# Outcome -> ladder and cause of each side; "page" is an absent callee who had to be paged to be missed.
_CALLER: Final = {
    "answered": ("mo_call_answered", NORMAL),
    "no_answer": ("mo_call_no_answer", NO_REPLY),
    "rejected": ("mo_call_rejected", REJECTED),
    "abandoned": ("mo_call_abandoned", NORMAL),
    "busy": ("mo_call_busy", USER_BUSY),
    "congested": ("mo_call_busy", NO_CIRCUIT),
    "unreachable": ("mo_call_unreachable", ABSENT),
    "page": ("mo_call_unreachable", ABSENT),
    "vacant": ("mo_call_vacant", UNASSIGNED),
}
_CALLEE: Final = {
    "answered": ("mt_call_answered", NORMAL),
    "no_answer": ("mt_call_no_answer", NO_REPLY),
    "rejected": ("mt_call_rejected", REJECTED),
}
_MEANT: Final = {ANSWER: "answered", NO_ANSWER: "no_answer", REJECT: "rejected", BUSY: "busy"}


class Call(NamedTuple):
    """One row of the day's calls."""

    kind: int
    peer_sub: int
    peer_number: str
    alert_us: int
    ring_us: int
    talk_us: int
    intent: int
    hangup: int


class Side(NamedTuple):
    """One leg of a call with what is needed to begin it."""

    leg: Leg
    kind: str
    options: Options
    words: Words
    sub: int
    called: str
    """The number in the caller's SETUP."""
    calling: str
    """The number in the callee's SETUP."""
    cause: int


def call(core: Core, t_us: int, sub: int, wish: Call) -> None:
    """Settles one call meant by `sub` (for calls from other networks: meant for `sub`)."""
    if wish.kind == intents.FROM_OTHER_NETWORK:
        _from_outside(core, t_us, sub, wish)
        return
    if not core.stations.camped[sub] or core.in_call(sub, t_us):
        why = b"engaged" if core.stations.camped[sub] else b"no service"
        core.switch.act(t_us, sub, acts.CALL_MADE, why, wish.peer_sub, wish.peer_number.encode())
        return
    start_us = core.stations.free_us(sub, t_us)
    if core.admits is not None and not core.admits(core.stations.cell[sub], t_us):
        outcome = "congested"
    elif wish.kind == intents.INSIDE:
        outcome = _fate(core, t_us, wish)
        if outcome in _BOTH_SIDES:
            _both(core, start_us, sub, wish, outcome)
            return
    else:
        outcome = "vacant" if wish.kind == intents.VACANT else _FAR_ENDS[wish.intent]
    side = _caller(core, start_us, sub, wish, outcome)
    leg = side.leg
    if outcome == "page":
        leg.stretch("ended", leg.time("started") + _ROUTING_US + NO_RESPONSE_US + _ANNOUNCEMENT_US)
    elif outcome in ("busy", "congested", "abandoned"):
        leg.stretch("ended", leg.time("started") + wish.alert_us)
    elif outcome in ("vacant", "unreachable"):
        leg.stretch("ended", leg.time("started") + wish.alert_us + _ANNOUNCEMENT_US)
    else:
        leg.stretch("alerting", leg.time("started") + wish.alert_us)
        _ring_and_talk(leg, wish, outcome)
    ended_us = _begin(core, side, outcome, acts.CALL_MADE, wish.peer_sub)
    if outcome == "page":
        page_in_vain(core, leg.time("started") + _ROUTING_US, wish.peer_sub, "paging")
    if wish.kind == intents.SERVICE_LINE:
        core.stations.service_call_us[sub] = ended_us


def _fate(core: Core, t_us: int, wish: Call) -> str:
    """What becomes of a call to one of ours: the callee's state first, then what both mean to do."""
    callee = wish.peer_sub
    if wish.intent == ABANDON:
        return "abandoned"
    if not core.vlr.attached(callee, t_us):
        return "unreachable"
    if core.in_call(callee, t_us):
        return "busy"
    if not core.hears_page(callee):
        return "page"
    return _MEANT.get(wish.intent, "unreachable")


def _released(outcome: str, wish: Call, cause: int) -> tuple[str, int]:
    """Who ends it, and the cause that goes with it."""
    by = "caller" if wish.hangup == BY_CALLER else "callee"
    if outcome == "no_answer":
        return ("caller", NORMAL) if by == "caller" else ("network", cause)
    return by, cause


def _refusal(words: Words, cause: int) -> int:
    """Some handsets refuse with 'user busy', TS 24.008 5.2.2.3.2."""
    return USER_BUSY if cause == REJECTED and words[2] & 3 == 0 else cause


def _caller(core: Core, start_us: int, sub: int, wish: Call, outcome: str, refusal: int = 0) -> Side:
    words = core.switch.chance(sub)
    kind, cause = _CALLER[outcome]
    by, cause = _released(outcome, wish, cause)
    cause = refusal or cause
    options = security(words, ("cause", cause), *_release_option(kind, by))
    called = (
        core.switch.number(wish.peer_sub) if wish.peer_sub >= 0 and not wish.peer_number else wish.peer_number
    )
    leg = core.switch.leg(kind, options, start_us, words, called=called)
    return Side(leg, kind, options, words, sub, called, "", cause)


def _callee(
    core: Core, start_us: int, sub: int, wish: Call, outcome: str, calling: str, words: Words
) -> Side:
    kind, cause = _CALLEE[outcome]
    by, cause = _released(outcome, wish, cause)
    cause = _refusal(words, cause)
    options = security(words, ("cause", cause), *_release_option(kind, by))
    leg = core.switch.leg(kind, options, start_us, words, calling=calling, page_us=response_us(words))
    wait_for_station(core, leg, sub)
    return Side(leg, kind, options, words, sub, "", calling, cause)


def _release_option(kind: str, by: str) -> tuple[tuple[str, str], ...]:
    return (("released_by", by),) if kind.endswith(("answered", "no_answer")) else ()


def _both(core: Core, start_us: int, sub: int, wish: Call, outcome: str) -> None:
    """A call between two subscribers of ours."""
    callee_words = core.switch.chance(wish.peer_sub)
    refusal = _refusal(callee_words, _CALLEE[outcome][1]) if outcome == "rejected" else 0
    caller = _caller(core, start_us, sub, wish, outcome, refusal)
    mo = caller.leg
    callee = _callee(
        core,
        mo.time("started") + _ROUTING_US,
        wish.peer_sub,
        wish,
        outcome,
        core.switch.number(sub),
        callee_words,
    )
    mt = callee.leg
    mt.stretch("alerting", mo.time("alerting") - _ACROSS_US)
    mo.stretch("alerting", mt.time("alerting") + _ACROSS_US)
    if outcome == "answered":
        mt.stretch("connected", mt.time("alerting") + wish.ring_us)
        mo.stretch("connected", mt.time("connected") + _ACROSS_US)
        first, second = (mo, mt) if wish.hangup == BY_CALLER else (mt, mo)
        first.stretch("ended", first.time("connected") + wish.talk_us)
    else:
        first, second = (mt, mo) if outcome == "rejected" or wish.hangup != BY_CALLER else (mo, mt)
        first.stretch("ended", first.time("alerting") + wish.ring_us)
    second.stretch("ended", first.time("ended") + _ACROSS_US)
    _begin(core, caller, outcome, acts.CALL_MADE, wish.peer_sub)
    _begin(core, callee, outcome, acts.CALL_RECEIVED, sub)


def _from_outside(core: Core, t_us: int, sub: int, wish: Call) -> None:
    """A call from another network: its far side is not on our A interface."""
    fate = _fate(core, t_us, wish._replace(peer_sub=sub))
    if fate not in _BOTH_SIDES:
        if fate == "page":
            page_in_vain(core, t_us, sub, "paging")
        outcome = b"unreachable" if fate == "page" else fate.encode()
        core.switch.act(t_us, sub, acts.CALL_RECEIVED, outcome, -1, wish.peer_number.encode())
        return
    side = _callee(core, t_us, sub, wish, fate, wish.peer_number, core.switch.chance(sub))
    _ring_and_talk(side.leg, wish, fate)
    _begin(core, side, fate, acts.CALL_RECEIVED, -1)


def _ring_and_talk(leg: Leg, wish: Call, outcome: str) -> None:
    if outcome == "answered":
        leg.stretch("connected", leg.time("alerting") + wish.ring_us)
        leg.stretch("ended", leg.time("connected") + wish.talk_us)
    else:
        leg.stretch("ended", leg.time("alerting") + wish.ring_us)


def _begin(core: Core, side: Side, outcome: str, act_kind: int, peer_sub: int) -> int:
    """Begins one side, handed over if its subscriber enters another BSC's cell meanwhile; when it ends."""
    leg, sub = side.leg, side.sub
    cell, cell2 = core.stations.cell[sub], -1
    if outcome == "answered":
        leg, cell2 = _handover(core, side, cell)
    peer = (side.called or side.calling).encode()
    shown = b"unreachable" if outcome == "page" else outcome.encode()
    act = core.switch.act(leg.start_us, sub, act_kind, shown, peer_sub, peer)
    end_us = core.switch.begin(
        leg,
        act,
        sub,
        cell,
        side.words,
        tmsi=core.vlr.tmsi[sub],
        identified=True,
        peer=peer,
        cause=side.cause,
        cell2=cell2,
        called=side.called,
        calling=side.calling,
        speech=True,
        fresh_vectors=authenticates(side.options),
    )
    core.vlr.known[sub] = 1
    core.vlr.last_seen_us[sub] = end_us
    core.stations.busy_until_us[sub] = core.stations.call_until_us[sub] = end_us
    return leg.time("ended")


def _handover(core: Core, side: Side, cell: int) -> tuple[Leg, int]:
    """The same leg with a handover in it, if one is due; the target cell or -1. TS 23.009 6."""
    leg, bsc = side.leg, core.switch.bsc
    begin_us, ended_us = leg.time("connected") + _SETTLED_US, leg.time("ended")
    for move_us, target in core.ahead.moves_between(side.sub, begin_us, ended_us - _SETTLED_US):
        if bsc[target] != bsc[cell]:
            options = tuple(sorted((*side.options, ("handover", True))))
            other = core.switch.leg(
                side.kind, options, leg.start_us, side.words, called=side.called, calling=side.calling
            )
            other.slots = [*leg.slots[:3], 0, 0]
            other.stretch("handover", move_us)
            other.stretch("ended", ended_us)
            return other, target
    return leg, -1
