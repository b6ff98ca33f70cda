"""Calls that people mean to make or that come in for them; whether they get through the network sees.

What people themselves decide is decided here: whom they call and by which digits, whether they answer, ignore
or reject, who gives up or hangs up, how long they talk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.draws import (
    LOGNORMAL,
    LOGNORMAL_HALF,
    ONE_Q16,
    U32,
    pick,
    scale,
    shares_q32,
    threshold_q32,
)
from sim.scenario import DAY_US, WorldScenario
from sim.subscribers import usage_profiles as profiles
from sim.subscribers import usage_sessions as sessions
from sim.subscribers.habitat import Habitat
from sim.subscribers.population import SERVICES
from sim.subscribers.usage_arrivals import Arrivals, Rows, Span, at_most_one, poisson, rows_on
from sim.subscribers.usage_numbers import (
    FAR,
    FIXED,
    RIVAL,
    TONE_LINE,
    Numbers,
    contact_numbers,
    friends,
    own_numbers,
    vacant_numbers,
    with_prefix,
)

I64 = NDArray[np.int64]

# Kinds of calls.
CALL_INSIDE, CALL_SERVICE, CALL_VACANT, CALL_OUT, CALL_IN = 1, 2, 3, 4, 5
# What becomes of a call as far as people decide it; the last two happen in other networks only.
ANSWER, NO_ANSWER, REJECT, ABANDON, BUSY, UNREACHABLE = 0, 1, 2, 3, 4, 5
# Who hangs up.
CALLER, CALLEE = 1, 2

STREAMS: Final = 8
"""Ordinals of the processes of one table interleave: ordinal = 8 k + process."""
OWN, SERVICE, INCOMING, TONE, FESTIVE = 0, 1, 2, 3, 4
"""The processes; a festival's is 4 or 5 by its day, as it may reach into the next one's."""

FAR_END_SHARES: Final = (75, 11, 4, 1, 7, 2)
"""ANSWER .. UNREACHABLE in another network, per cent."""
ABANDON_SHARE: Final = 0.01
"""Of calls inside: given up before it rings."""
TONE_TALK_S: Final = 130.0
"""Mean length of a call to the ring-back tone line, seconds: a machine reads out what there is."""

_SECOND_US = 1_000_000
LONGEST_TALK_US: Final = 3_600 * _SECOND_US
LONGEST_BEFORE_US: Final = (4 + 45) * _SECOND_US
"""Longest time from the key to the answer."""
# Means to medians of the log-normal tables: exp(-1/2) and exp(-1/8).
_MEDIAN_OF_MEAN = 0.6065306597126334
_MEDIAN_OF_MEAN_HALF = 0.8824969025845955
_FAR_END = shares_q32(FAR_END_SHARES)


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """Call intents, sorted by (t_us, sub, ordinal); `sub` is the caller, in CALL_IN the callee."""

    t_us: I64
    """When the caller presses the key (for CALL_IN: when the call arrives), microseconds since the epoch."""
    sub: I64
    ordinal: NDArray[np.int32]
    """Unique per subscriber and day; the key for further draws about this call."""
    kind: NDArray[np.uint8]
    peer_sub: NDArray[np.int32]
    """Callee of CALL_INSIDE, else -1."""
    peer_number: Numbers
    """Digits dialled (E.164 without plus, 0 and an area code, 12593 before it, or a short code); S20.

    For CALL_IN the calling number, E.164.
    """
    alert_us: I64
    """From the set-up being accepted to alerting."""
    ring_us: I64
    """From alerting to the answer, the rejection, or giving up."""
    talk_us: I64
    """From the answer to the first hang-up, if answered."""
    intent: NDArray[np.uint8]
    """ANSWER .. UNREACHABLE."""
    hangup: NDArray[np.uint8]
    """CALLER or CALLEE."""


def call_rate(world: Habitat, rows: Rows, rate: I64, scaled_q16: int) -> I64:
    """Calls of rows (1/65536): personal rate, day of the week by segment, and the scale of the busy hour."""
    like = profiles.kind_of_day(world.scenario, rows.day)
    segment = world.population.segment[rows.sub]
    return (rate * profiles.CALL_WEEK[segment, like] >> 16) * scaled_q16 >> 16


def begun_sessions(world: Habitat, rows: Rows, span: Span, scaled_q16: int) -> Arrivals:
    """When people begin sessions of calls to people."""
    like = profiles.kind_of_day(world.scenario, rows.day)
    segment = world.population.segment[rows.sub].astype(np.int64)
    rate = call_rate(world, rows, world.population.call_rate_q16[rows.sub].astype(np.int64), scaled_q16)
    curve, rate = profiles.CALLS, sessions.begin_rate(rate)
    return poisson(world.draws, "call_own", rows, rate, curve, profiles.rows_of(segment, like, curve), span)


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Calls made to people, as decided, before numbers are written out."""

    found: Arrivals
    """When and by whom; `day` and `k` are those of whoever began the session."""
    number: I64
    """Which of the day's calls it is, for its ordinal."""
    place: I64
    """Number within its session, from 0."""
    u: U32
    decided: Decided

    def __getitem__(self, which: ArrayLike) -> Made:
        at = np.asarray(which)
        return Made(self.found[at], self.number[at], self.place[at], self.u[:, at], self.decided[at])


def own_made(world: Habitat, rows: Rows, span: Span, scaled_q16: int) -> Made:
    """Calls to people in sessions, as `own_calls`."""
    early = (span[0] - sessions.SESSION_LONGEST_US, span[1])
    begun = begun_sessions(world, rows, early, scaled_q16)
    made = made_in(world, begun, span[0])
    return made[np.flatnonzero((made.found.t_us >= span[0]) & (made.found.t_us < span[1]))]


def made_in(world: Habitat, begun: Arrivals, from_us: int) -> Made:
    """All calls of sessions, session by session; some of those that end before a moment are left out."""
    one = sessions.unfold(begun, begun.details(world.draws, "call_session", 1, stride=1), from_us)
    starter, place = one.starter, one.place
    u = starter.details(world.draws, "call_own_detail", 3)
    first = np.arange(len(place)) - place
    u[0] = u[0, first]  # inside or outside, as the session's first call
    later = [np.flatnonzero(place == k) for k in range(1, sessions.SESSION_MOST)]
    decided, sub, t_us = decide(world, starter.sub, u), starter.sub.copy(), starter.t_us.copy()
    mean_s = world.scenario.usage.talk_mean_s
    for at in later:
        before = at - 1
        taken = _is_taken(decided.intent[before], decided.kind[before])
        again = at[~taken]
        if len(again):
            _again(world, again, starter, sub, u, decided)
        busy_us = _busy_us(u[:, before], decided.intent[before], taken, mean_s)
        t_us[at] = t_us[before] + np.minimum(busy_us, sessions.BUSY_MOST_US) + one.gap_us[at]
    found = Arrivals(t_us, sub, starter.day, starter.k)
    return Made(found, sessions.number_of(starter), place, u, decided)


def ends_us(world: Habitat, made: Made) -> I64:
    """When calls made are over."""
    intent = made.decided.intent
    taken = _is_taken(intent, made.decided.kind)
    return made.found.t_us + _busy_us(made.u, intent, taken, world.scenario.usage.talk_mean_s)


def _is_taken(intent: I64, kind: I64) -> NDArray[np.bool_]:
    return np.asarray((intent == ANSWER) & (kind != CALL_VACANT))


def _busy_us(u: U32, intent: I64, taken: NDArray[np.bool_], mean_s: float) -> I64:
    """How long calls take, if the network lets them."""
    return _alert_us(u[3]) + _ring_us(u[4], intent) + np.where(taken, talk_us(u[5], mean_s), 0)


def _again(world: Habitat, at: I64, starter: Arrivals, sub: I64, u: U32, decided: Decided) -> None:
    """Has the calls `at` go where those before them went to, or come back from there; in place."""
    before, back_word = at - 1, u[9, at]
    for word in (1, 7, 8, 9, 11):  # whom, and by which digits
        u[word, at] = u[word, before]
    caller, callee = sub[before], decided.peer[before]
    back = sessions.calls_back(world, caller, callee, starter.day[at], back_word)
    sub[at] = np.where(back, callee, caller)
    decided.peer[at] = np.where(back, caller, callee)
    decided.reach[at], decided.cheap[at] = decided.reach[before], decided.cheap[before]
    inside = at[decided.kind[at] == CALL_INSIDE]
    decided.intent[inside] = _inside_intent(world, decided.peer[inside], u[2, inside], u[10, inside])


def own_calls(world: Habitat, rows: Rows, span: Span, scaled_q16: int = ONE_Q16) -> Calls:
    """Calls to friends, to other networks and, by mistake, to vacant numbers.

    `rows` begin with the day of SESSION_LONGEST_US before the span. Calls back are calls of whoever was
    missed: to have all calls of somebody, give the rows of the whole family.
    """
    return _written(world, own_made(world, rows, span, scaled_q16), OWN)


def festive_arrivals(world: Habitat, who: I64, span: Span, scaled_q16: int) -> list[tuple[Arrivals, int]]:
    """Calls to people on top of the ordinary at each busy time, and the process that they are of."""
    tables = []
    for busy in profiles.busy_times(world.scenario, *span):
        if not busy.call_q16:
            continue
        rows = rows_on(world, who, range(busy.day, busy.day + 1))
        rate = world.population.call_rate_q16[rows.sub].astype(np.int64)
        rate = (rate * scaled_q16 >> 16) * busy.call_q16 >> 16
        nothing = np.zeros(len(rows), dtype=np.int64)
        start_us = busy.start_us - busy.day * DAY_US
        found = poisson(world.draws, "call_festive", rows, rate, busy.curve, nothing, span, start_us)
        tables.append((found, FESTIVE + (busy.day & 1)))
    return tables


def festive_calls(world: Habitat, who: I64, span: Span, scaled_q16: int = ONE_Q16) -> list[Calls]:
    """The same with their details."""
    tables = []
    for found, process in festive_arrivals(world, who, span, scaled_q16):
        tables.append(_written(world, festive_made(world, found), process))
    return tables


def festive_made(world: Habitat, found: Arrivals) -> Made:
    """What is decided of them."""
    u = found.details(world.draws, "call_festive_detail", 3)
    return Made(found, found.k, np.zeros(len(found), dtype=np.int64), u, decide(world, found.sub, u))


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """Whom calls made go to, and what comes of them, before any number is written out."""

    kind: I64
    peer: I64
    intent: I64
    reach: I64
    """RIVAL, FIXED or FAR of a CALL_OUT."""
    cheap: NDArray[np.bool_]
    """Whether the prefix of cheap long-distance calls is dialled."""

    def __getitem__(self, which: ArrayLike) -> Decided:
        at = np.asarray(which)
        return Decided(self.kind[at], self.peer[at], self.intent[at], self.reach[at], self.cheap[at])


def decide(world: Habitat, sub: I64, u: U32) -> Decided:
    """Decisions about calls made, from their twelve rows of draws."""
    kind = _whom(world, u[0])
    inside, outside = np.flatnonzero(kind == CALL_INSIDE), np.flatnonzero(kind == CALL_OUT)
    peer = np.full(len(sub), -1, dtype=np.int64)
    peer[inside] = friends(world, sub[inside], u[1, inside])
    intent = np.zeros(len(sub), dtype=np.int64)
    intent[outside] = pick(u[2, outside], _FAR_END)
    intent[inside] = _inside_intent(world, peer[inside], u[2, inside], u[10, inside])
    reach = np.zeros(len(sub), dtype=np.int64)
    reach[outside] = _outside_kind(world, sub[outside], u[11, outside], u[8, outside])
    cheap = (reach == FAR) & (u[7] < threshold_q32(world.scenario.usage.prefix_share))
    return Decided(kind, peer, intent, reach, cheap)


def _inside_intent(world: Habitat, callee: I64, u: U32, v: U32) -> I64:
    """What becomes of calls inside: what the callee does, unless the caller gives up."""
    return np.where(v < threshold_q32(ABANDON_SHARE), ABANDON, callee_intent(world, callee, u))


def _written(world: Habitat, made: Made, process: int) -> Calls:
    """Calls with their numbers and times."""
    u, sub, decided = made.u, made.found.sub, made.decided
    kind, peer = decided.kind, decided.peer
    inside, outside = np.flatnonzero(kind == CALL_INSIDE), np.flatnonzero(kind == CALL_OUT)
    vacant, cheap = np.flatnonzero(kind == CALL_VACANT), np.flatnonzero(decided.cheap)
    number = np.zeros(len(sub), dtype="S20")
    number[inside] = own_numbers(world, peer[inside])
    number[outside] = contact_numbers(
        world, sub[outside], decided.reach[outside], u[1, outside], dialled=True
    )
    number[cheap] = with_prefix(number[cheap])
    number[vacant] = vacant_numbers(world.scenario, u[7:10, vacant])
    ordinal, mean_s = STREAMS * made.number + process, world.scenario.usage.talk_mean_s
    return _between_people(made.found, ordinal, kind, peer, number, decided.intent, u, mean_s)


def incoming_calls(world: Habitat, rows: Rows, span: Span, scaled_q16: int = ONE_Q16) -> Calls:
    """Calls from other networks; the subscriber is the callee."""
    like = profiles.kind_of_day(world.scenario, rows.day)
    segment = world.population.segment[rows.sub].astype(np.int64)
    rate = call_rate(world, rows, world.population.call_in_rate_q16[rows.sub].astype(np.int64), scaled_q16)
    curve = profiles.CALLS
    found = poisson(world.draws, "call_in", rows, rate, curve, profiles.rows_of(segment, like, curve), span)
    u = found.details(world.draws, "call_in_detail", 3)
    who = _outside_kind(world, found.sub, u[11], u[10])
    return _between_people(
        found,
        STREAMS * found.k + INCOMING,
        np.full(len(found), CALL_IN),
        np.full(len(found), -1, dtype=np.int64),
        contact_numbers(world, found.sub, who, u[1], dialled=False),
        callee_intent(world, found.sub, u[2]),
        u,
        world.scenario.usage.talk_mean_s,
    )


def service_calls(world: Habitat, rows: Rows, span: Span) -> Calls:
    """Calls to service lines: machines that answer quickly and never hang up in anger."""
    usage = world.scenario.usage
    like = profiles.kind_of_day(world.scenario, rows.day)
    segment = world.population.segment[rows.sub].astype(np.int64)
    rate = world.population.service_rate_q16[rows.sub].astype(np.int64)
    rate = rate * profiles.SERVICE_WEEK[segment, like] >> 16
    curve = profiles.SERVICE
    found = poisson(
        world.draws, "call_service", rows, rate, curve, profiles.rows_of(segment, like, curve), span
    )
    u = found.details(world.draws, "call_service_detail", 3)
    lines = np.array([line.number for line in usage.service_lines], dtype="S20")
    number = lines[pick(u[1], shares_q32([line.weight for line in usage.service_lines]))]
    return _with_machines(found, SERVICE, number, u, usage.service_talk_mean_s)


def tone_calls(world: Habitat, rows: Rows, span: Span) -> Calls:
    """Holders of ring-back tones choose another one by telephone."""
    holds = world.population.services[rows.sub] >> SERVICES.index("ring-back-tone") & 1
    chance = holds.astype(np.float64) * (world.scenario.usage.ring_back_changes_per_month / 30.0)
    like = profiles.kind_of_day(world.scenario, rows.day)
    curve = profiles.CHAT  # an evening's pastime
    found = at_most_one(
        world.draws, "call_tone", rows, chance, curve, profiles.rows_of(like, like, curve), span
    )
    u = found.details(world.draws, "call_tone", 3, first=1)
    return _with_machines(found, TONE, np.full(len(found), TONE_LINE, dtype="S20"), u, TONE_TALK_S)


def _whom(world: Habitat, u: U32) -> I64:
    """Inside, to another network, or misdialled."""
    usage = world.scenario.usage
    inside = usage.inside_share if world.population.n > 1 else 0.0
    vacant = usage.vacant_share
    bounds = shares_q32([vacant, inside, max(1.0 - vacant - inside, 0.0)])
    return np.array([CALL_VACANT, CALL_INSIDE, CALL_OUT], dtype=np.int64)[pick(u, bounds)]


def far_shares(scenario: WorldScenario) -> NDArray[np.float64]:
    """Share of calls to other networks that are long-distance, by segment."""
    factors = np.array(profiles.by_segment(scenario, lambda leaning: leaning.long_distance))
    return np.minimum(factors * scenario.usage.long_distance_share, 1.0)


def _outside_kind(world: Habitat, sub: I64, u: U32, v: U32) -> I64:
    """RIVAL, FIXED or FAR."""
    far = threshold_q32(far_shares(world.scenario))[world.population.segment[sub]]
    rival = threshold_q32(world.scenario.usage.competitor_share)
    return np.where(u < far, FAR, np.where(v < rival, RIVAL, FIXED))


def callee_intent(world: Habitat, callee: I64, u: U32) -> I64:
    """Answer, ignore or reject, by the callee's habit."""
    population = world.population
    sixteen = (u >> np.uint32(16)).astype(np.int64)
    reject = population.reject_q16[callee].astype(np.int64)
    ignore = reject + population.no_answer_q16[callee]
    return np.where(sixteen < reject, REJECT, np.where(sixteen < ignore, NO_ANSWER, ANSWER))


def _between_people(
    found: Arrivals,
    ordinal: I64,
    kind: I64,
    peer: I64,
    number: Numbers,
    intent: I64,
    u: U32,
    mean_s: float,
) -> Calls:
    """The times of calls between people."""
    return Calls(
        t_us=found.t_us,
        sub=found.sub,
        ordinal=ordinal.astype(np.int32),
        kind=kind.astype(np.uint8),
        peer_sub=peer.astype(np.int32),
        peer_number=number,
        alert_us=_alert_us(u[3]),
        ring_us=_ring_us(u[4], intent),
        talk_us=talk_us(u[5], mean_s),
        intent=intent.astype(np.uint8),
        hangup=np.where(u[6] < threshold_q32(0.6), CALLER, CALLEE).astype(np.uint8),
    )


def _alert_us(u: U32) -> I64:
    return 1_200_000 + scale(u, 2_300) * 1_000


def _ring_us(u: U32, intent: I64) -> I64:
    """From alerting to whatever comes of it."""
    rings = np.clip(LOGNORMAL_HALF.quantile(u) * 7_000 // 65536, 1_500, 40_000)  # ms: a median of 7 s
    gives_up = 25_000 + scale(u, 20_000)
    refuses = 2_500 + scale(u, 10_000)
    return np.where(intent == NO_ANSWER, gives_up, np.where(intent == REJECT, refuses, rings)) * 1_000


def talk_us(u: U32, mean_s: float) -> I64:
    """How long people talk."""
    talk = LOGNORMAL.quantile(u) * _median_ms(mean_s, _MEDIAN_OF_MEAN) // 65536 * 1_000
    return np.clip(talk, 2 * _SECOND_US, LONGEST_TALK_US)


def _with_machines(found: Arrivals, process: int, number: Numbers, u: U32, mean_s: float) -> Calls:
    """The times of calls that machines answer."""
    talk = LOGNORMAL_HALF.quantile(u[5]) * _median_ms(mean_s, _MEDIAN_OF_MEAN_HALF) // 65536 * 1_000
    return Calls(
        t_us=found.t_us,
        sub=found.sub,
        ordinal=(STREAMS * found.k + process).astype(np.int32),
        kind=np.full(len(found), CALL_SERVICE, dtype=np.uint8),
        peer_sub=np.full(len(found), -1, dtype=np.int32),
        peer_number=number,
        alert_us=700_000 + scale(u[3], 700) * 1_000,
        ring_us=500_000 + scale(u[4], 1_500) * 1_000,
        talk_us=np.clip(talk, 4 * _SECOND_US, LONGEST_TALK_US),
        intent=np.full(len(found), ANSWER, dtype=np.uint8),
        hangup=np.where(u[6] < threshold_q32(0.8), CALLER, CALLEE).astype(np.uint8),
    )


def _median_ms(mean_s: float, median_of_mean: float) -> int:
    return int(mean_s * 1000.0 * median_of_mean)
