"""What people want to do with their handsets on a day: calls and texts, as intents.

Arrivals are a non-homogeneous Poisson process: exponential gaps are summed (as integers) until they pass the
personal rate of the day, and each sum is carried through the hourly profile. Whether a call finds its far end
busy or off is for the network to see; what people themselves decide (answer, ignore, reject, who hangs up,
how long they talk) is decided here. Everything is a function of (seed, subscriber, day, ordinal).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import EXPONENTIAL, LOGNORMAL, LOGNORMAL_HALF, U32, pick, scale, shares_q32, threshold_q32
from sim.scenario import DAY_US
from sim.subscribers.column import Column
from sim.subscribers.diary import days_of
from sim.subscribers.habitat import Habitat, Subs, chosen

I64 = NDArray[np.int64]
Numbers = NDArray[np.bytes_]
Span = tuple[int, int]
"""From and to, microseconds since the epoch of the world."""

# Kinds of calls and texts.
CALL_INSIDE, CALL_SERVICE, CALL_VACANT, CALL_OUT, CALL_IN = 1, 2, 3, 4, 5
TEXT_INSIDE, TEXT_OUT, TEXT_IN = 1, 2, 3
# What becomes of a call as far as people decide it; the last two happen in other networks only.
ANSWER, NO_ANSWER, REJECT, ABANDON, BUSY, UNREACHABLE = 0, 1, 2, 3, 4, 5
# Who hangs up.
CALLER, CALLEE = 1, 2

TEXTS: Final = (
    "到了吗？", "今晚一起吃饭", "好的", "生日快乐！", "我在开会，等会儿打给你", "明天几点？", "收到",
    "路上堵车，晚到十分钟", "OK", "Where are you?", "Happy birthday!", "See you at 8", "周末去爬山吧",
    "妈，我到家了", "作业写完了吗", "票买好了，两张", "帮我带一份早饭，谢谢", "Call me back",
    "老地方见", "火车晚点了，大概九点半才能到站，你先吃饭吧，不用等我",
)  # fmt: skip
"""Everyday texts; `Texts.text_id` is an index into it."""
OLD_CODES: Final = ("96121", "12117", "1861")
"""Service codes out of use, dialled by habit."""

# Share of a day's events by hour, any unit.
_CALLS_WORKDAY = (2, 1, 1, 1, 1, 3, 12, 40, 94, 78, 78, 72, 60, 52, 58, 64, 68, 76, 80, 74, 62, 44, 22, 8)
_CALLS_FREE_DAY = (3, 2, 1, 1, 1, 2, 7, 20, 44, 62, 72, 74, 62, 52, 54, 58, 62, 70, 78, 76, 64, 46, 25, 10)
_TEXTS_WORKDAY = (6, 3, 2, 1, 1, 2, 10, 28, 44, 50, 52, 54, 58, 46, 46, 50, 54, 60, 66, 76, 84, 78, 52, 22)
_TEXTS_FREE_DAY = (9, 5, 3, 2, 1, 2, 6, 16, 34, 48, 56, 58, 56, 50, 50, 52, 56, 60, 66, 78, 86, 80, 56, 28)
_SERVICE_WORKDAY = (1, 1, 0, 0, 0, 1, 5, 20, 70, 110, 120, 95, 55, 50, 75, 85, 80, 60, 45, 35, 25, 15, 8, 3)
_SERVICE_FREE_DAY = (1, 1, 0, 0, 0, 1, 4, 12, 40, 70, 85, 80, 55, 50, 60, 65, 60, 50, 40, 35, 25, 15, 8, 3)
_FREE_DAY_Q16 = 56_000  # usage on a free day against a working day, out of 65536

_HOUR_US = 3_600_000_000
_SECOND_US = 1_000_000
_LONGEST_TALK_US = 3_600 * _SECOND_US
# Means to medians of the log-normal tables: exp(-1/2) and exp(-1/8).
_MEDIAN_OF_MEAN = 0.6065306597126334
_MEDIAN_OF_MEAN_HALF = 0.8824969025845955
_FAR_END = shares_q32([75, 11, 4, 1, 7, 2])  # ANSWER .. UNREACHABLE in another network
_ABANDON_SHARE = 0.01
_OUTSIDERS = 6  # numbers in other networks that somebody knows
_STREAMS = 4  # ordinals of the streams of one table interleave: ordinal = 4 k + stream


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
    """Number dialled; for CALL_IN the calling number. E.164 without plus, or a short code; S20."""
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


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Text intents, sorted by (t_us, sub, ordinal); `sub` is the sender, in TEXT_IN the receiver."""

    t_us: I64
    """When it is sent (for TEXT_IN: when it reaches the message centre), microseconds since the epoch."""
    sub: I64
    ordinal: NDArray[np.int32]
    """Unique per subscriber and day."""
    kind: NDArray[np.uint8]
    peer_sub: NDArray[np.int32]
    """Receiver of TEXT_INSIDE, else -1."""
    peer_number: Numbers
    """Destination; for TEXT_IN the originator; S20."""
    text_id: NDArray[np.uint8]
    """Index into TEXTS."""


def calls(world: Habitat, from_us: int, to_us: int, subs: Subs = None) -> Calls:
    """Call intents at from_us <= t < to_us."""
    who, span = chosen(world.population.n, subs), (from_us, to_us)
    kinds = (_own_calls, _service_calls, _incoming_calls)
    return Calls(**_in_order([_columns(of(world, day, who, span)) for day in days_of(*span) for of in kinds]))


def texts(world: Habitat, from_us: int, to_us: int, subs: Subs = None) -> Texts:
    """Text intents at from_us <= t < to_us."""
    who, span = chosen(world.population.n, subs), (from_us, to_us)
    kinds = (_own_texts, _incoming_texts)
    return Texts(**_in_order([_columns(of(world, day, who, span)) for day in days_of(*span) for of in kinds]))


def _columns(part: Calls | Texts) -> dict[str, NDArray[Any]]:
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _in_order(parts: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((whole["ordinal"], whole["sub"], whole["t_us"]))
    return {name: column[order] for name, column in whole.items()}


def arrivals(
    world: Habitat,
    purpose: str,
    day: int,
    who: I64,
    rate_q16: Column[np.int32],
    hours: tuple[int, ...],
    span: Span,
) -> tuple[I64, I64, I64]:
    """Arrivals (t_us, sub, k), unsorted, of a Poisson process with personal rates: a day's within a span."""
    rate = rate_q16[who].astype(np.int64)
    if world.scenario.is_weekend(day):
        rate = rate * _FREE_DAY_Q16 >> 16
    total = np.zeros(len(who), dtype=np.int64)
    going = np.flatnonzero(rate > 0)
    rows, sums, numbers = [], [], []
    block = 0
    while len(going):
        gaps = EXPONENTIAL.quantile(world.draws.block(purpose, who[going], day, block))
        reached = total[going] + np.cumsum(gaps, axis=0)  # integers: the order of the sum cannot matter
        for k in range(4):
            inside = reached[k] < rate[going]
            rows.append(going[inside])
            sums.append(reached[k][inside])
            numbers.append(np.full(np.count_nonzero(inside), 4 * block + k, dtype=np.int64))
        total[going] = reached[3]
        going = going[reached[3] < rate[going]]
        block += 1
    if not rows:
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty, empty
    row = np.concatenate(rows)
    passed = (np.concatenate(sums) << 32) // rate[row]  # of the day's total, out of 2**32
    edges = np.concatenate(([0], shares_q32(hours).astype(np.int64)))
    hour = np.searchsorted(edges, passed, side="right") - 1
    within = (passed - edges[hour]) * _HOUR_US // (edges[hour + 1] - edges[hour])
    t_us = day * DAY_US + hour * _HOUR_US + within
    inside = (t_us >= span[0]) & (t_us < span[1])
    return t_us[inside], who[row][inside], np.concatenate(numbers)[inside]


def _own_calls(world: Habitat, day: int, who: I64, span: Span) -> Calls:
    """Calls to friends, to other networks and, by mistake, to vacant numbers."""
    population, usage = world.population, world.scenario.usage
    hours = _CALLS_FREE_DAY if world.scenario.is_weekend(day) else _CALLS_WORKDAY
    t, sub, k = arrivals(world, "call_own", day, who, population.call_rate_q16, hours, span)
    u = _details(world, "call_own_detail", day, sub, k)
    inside = usage.inside_share if population.n > 1 else 0.0
    bounds = shares_q32([usage.vacant_share, inside, max(1.0 - usage.vacant_share - inside, 0.0)])
    kind = np.array([CALL_VACANT, CALL_INSIDE, CALL_OUT], dtype=np.uint8)[pick(u[0], bounds)]
    peer = np.where(kind == CALL_INSIDE, _friend(world, sub, u[1]), -1)
    number = _outside_numbers(world, sub, u[1])
    number[kind == CALL_INSIDE] = population.msisdn[peer[kind == CALL_INSIDE]].astype("S20")
    number[kind == CALL_VACANT] = _vacant_numbers(world, u[7:10, kind == CALL_VACANT])
    intent = pick(u[2], _FAR_END)
    abandons = threshold_q32(_ABANDON_SHARE)
    intent = np.where(kind == CALL_INSIDE, _callee_intent(world, peer, u[2]), intent)
    intent = np.where((kind == CALL_INSIDE) & (u[10] < abandons), ABANDON, intent)
    intent = np.where(kind == CALL_VACANT, ANSWER, intent)
    return _calls(t, sub, 4 * k, kind, peer, number, intent, u, usage.talk_mean_s)


def _incoming_calls(world: Habitat, day: int, who: I64, span: Span) -> Calls:
    """Calls from other networks; the subscriber is the callee."""
    hours = _CALLS_FREE_DAY if world.scenario.is_weekend(day) else _CALLS_WORKDAY
    t, sub, k = arrivals(world, "call_in", day, who, world.population.call_in_rate_q16, hours, span)
    u = _details(world, "call_in_detail", day, sub, k)
    kind = np.full(len(t), CALL_IN, dtype=np.uint8)
    intent = _callee_intent(world, sub, u[2])
    number = _outside_numbers(world, sub, u[1])
    return _calls(
        t, sub, 4 * k + 2, kind, np.full(len(t), -1), number, intent, u, world.scenario.usage.talk_mean_s
    )


def _service_calls(world: Habitat, day: int, who: I64, span: Span) -> Calls:
    """Calls to service lines: machines that answer quickly and never hang up in anger."""
    usage = world.scenario.usage
    hours = _SERVICE_FREE_DAY if world.scenario.is_weekend(day) else _SERVICE_WORKDAY
    t, sub, k = arrivals(world, "call_service", day, who, world.population.service_rate_q16, hours, span)
    u = _details(world, "call_service_detail", day, sub, k)
    lines = np.array([line.number for line in usage.service_lines], dtype="S20")
    number = lines[pick(u[1], shares_q32([line.weight for line in usage.service_lines]))]
    talk = (
        LOGNORMAL_HALF.quantile(u[5])
        * _median_ms(usage.service_talk_mean_s, _MEDIAN_OF_MEAN_HALF)
        // 65536
        * 1_000
    )
    return Calls(
        t_us=t,
        sub=sub,
        ordinal=(4 * k + 1).astype(np.int32),
        kind=np.full(len(t), CALL_SERVICE, dtype=np.uint8),
        peer_sub=np.full(len(t), -1, dtype=np.int32),
        peer_number=number,
        alert_us=700_000 + scale(u[3], 700) * 1_000,
        ring_us=500_000 + scale(u[4], 1_500) * 1_000,
        talk_us=np.clip(talk, 4 * _SECOND_US, _LONGEST_TALK_US),
        intent=np.full(len(t), ANSWER, dtype=np.uint8),
        hangup=np.where(u[6] < threshold_q32(0.8), CALLER, CALLEE).astype(np.uint8),
    )


def _own_texts(world: Habitat, day: int, who: I64, span: Span) -> Texts:
    population = world.population
    hours = _TEXTS_FREE_DAY if world.scenario.is_weekend(day) else _TEXTS_WORKDAY
    t, sub, k = arrivals(world, "text_own", day, who, population.text_rate_q16, hours, span)
    u = world.draws.block("text_own_detail", sub, day, k)
    inside = u[0] < threshold_q32(world.scenario.usage.inside_share if population.n > 1 else 0.0)
    peer = np.where(inside, _friend(world, sub, u[1]), -1)
    number = _outside_numbers(world, sub, u[1], fixed=False)
    number[inside] = population.msisdn[peer[inside]].astype("S20")
    return _texts(t, sub, 4 * k, np.where(inside, TEXT_INSIDE, TEXT_OUT), peer, number, u[2])


def _incoming_texts(world: Habitat, day: int, who: I64, span: Span) -> Texts:
    hours = _TEXTS_FREE_DAY if world.scenario.is_weekend(day) else _TEXTS_WORKDAY
    t, sub, k = arrivals(world, "text_in", day, who, world.population.text_in_rate_q16, hours, span)
    u = world.draws.block("text_in_detail", sub, day, k)
    nobody = np.full(len(t), -1)
    number = _outside_numbers(world, sub, u[1], fixed=False)
    return _texts(t, sub, 4 * k + 2, np.full(len(t), TEXT_IN), nobody, number, u[2])


def _calls(
    t: I64,
    sub: I64,
    ordinal: I64,
    kind: NDArray[np.uint8],
    peer: I64,
    number: Numbers,
    intent: I64,
    u: U32,
    mean_s: float,
) -> Calls:
    """The times of calls between people."""
    rings = np.clip(LOGNORMAL_HALF.quantile(u[4]) * 7_000 // 65536, 1_500, 40_000)  # ms: a median of 7 s
    gives_up = 25_000 + scale(u[4], 20_000)
    refuses = 2_500 + scale(u[4], 10_000)
    ring_ms = np.where(intent == NO_ANSWER, gives_up, np.where(intent == REJECT, refuses, rings))
    talk = LOGNORMAL.quantile(u[5]) * _median_ms(mean_s, _MEDIAN_OF_MEAN) // 65536 * 1_000
    return Calls(
        t_us=t,
        sub=sub,
        ordinal=ordinal.astype(np.int32),
        kind=kind,
        peer_sub=peer.astype(np.int32),
        peer_number=number,
        alert_us=1_200_000 + scale(u[3], 2_300) * 1_000,
        ring_us=ring_ms * 1_000,
        talk_us=np.clip(talk, 2 * _SECOND_US, _LONGEST_TALK_US),
        intent=intent.astype(np.uint8),
        hangup=np.where(u[6] < threshold_q32(0.6), CALLER, CALLEE).astype(np.uint8),
    )


def _texts(t: I64, sub: I64, ordinal: I64, kind: I64, peer: I64, number: Numbers, u: U32) -> Texts:
    return Texts(
        t_us=t,
        sub=sub,
        ordinal=ordinal.astype(np.int32),
        kind=kind.astype(np.uint8),
        peer_sub=peer.astype(np.int32),
        peer_number=number,
        text_id=scale(u, len(TEXTS)).astype(np.uint8),
    )


def _details(world: Habitat, purpose: str, day: int, sub: I64, k: I64) -> U32:
    """Twelve draws for each call."""
    return np.concatenate([world.draws.block(purpose, sub, day, 4 * k + block) for block in range(3)])


def _median_ms(mean_s: float, median_of_mean: float) -> int:
    return int(mean_s * 1000.0 * median_of_mean)


def _friend(world: Habitat, sub: I64, u: U32) -> I64:
    """A friend, the nearer the likelier: the square of a uniform draw picks the rank."""
    square = (u.astype(np.uint64) * u.astype(np.uint64)) >> np.uint64(32)
    return world.population.friend(sub, scale(square, world.population.degree[sub]))


def _callee_intent(world: Habitat, callee: I64, u: U32) -> I64:
    """Answer, ignore or reject, by the callee's habit; for a callee of -1 the result has no meaning."""
    population = world.population
    sixteen = (u >> np.uint32(16)).astype(np.int64)
    reject = population.reject_q16[callee].astype(np.int64)
    ignore = reject + population.no_answer_q16[callee]
    return np.where(sixteen < reject, REJECT, np.where(sixteen < ignore, NO_ANSWER, ANSWER))


def _outside_numbers(world: Habitat, sub: I64, u: U32, *, fixed: bool = True) -> Numbers:
    """Numbers in other networks, six of which everybody knows: mobiles 86 133, fixed lines 86 25."""
    which = scale(u, _OUTSIDERS)
    v = world.draws.u32("friend", sub, 2, which)
    serial = scale(v, 100_000_000).astype(np.uint64)
    mobile = np.uint64(86_133 * 10**8) + serial
    if fixed:
        line = np.uint64(86_25 * 10**8) + serial
        return np.where(which >= 4, line, mobile).astype("S20")
    return mobile.astype("S20")


def _vacant_numbers(world: Habitat, u: U32) -> Numbers:
    """Old service codes, or mobile numbers of a block that nobody has."""
    codes = np.array(OLD_CODES, dtype="S20")
    prefix = int(world.scenario.numbering.msisdn_prefix) ^ 1  # the neighbouring block
    mobiles = (np.uint64(prefix * 10**7) + scale(u[1], 10**7).astype(np.uint64)).astype("S20")
    return np.where(u[0] < threshold_q32(0.4), codes[scale(u[2], len(codes))], mobiles)
