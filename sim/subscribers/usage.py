"""What people want to do with their handsets: calls, texts and services, as intents.

Everything is a function of (seed, subscriber, day, ordinal): any choice of people and any span of time gives
the same rows. When is decided in `usage_profiles` and `usage_arrivals`, whom by `usage_numbers`, what by
`usage_calls`, `usage_texts` and `usage_services`; `usage_offered` says what is to be expected of a scenario,
`usage_accounts` and `usage_records` what BOSS makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sim.subscribers import usage_calls, usage_services, usage_texts
from sim.subscribers.diary import days_of
from sim.subscribers.habitat import Habitat, Subs, chosen
from sim.subscribers.usage_arrivals import Rows, Span, rows_within
from sim.subscribers.usage_calls import (
    ABANDON,
    ANSWER,
    BUSY,
    CALL_IN,
    CALL_INSIDE,
    CALL_OUT,
    CALL_SERVICE,
    CALL_VACANT,
    CALLEE,
    CALLER,
    NO_ANSWER,
    REJECT,
    UNREACHABLE,
    Calls,
)
from sim.subscribers.usage_offered import call_scale_q16
from sim.subscribers.usage_services import Services, dialogue
from sim.subscribers.usage_sessions import SESSION_LONGEST_US, family_of
from sim.subscribers.usage_texts import TEXT_IN, TEXT_INSIDE, TEXT_OUT, TEXTS, Texts
from sim.subscribers.usage_trains import TRAIN_LONGEST_US

__all__ = [
    "ABANDON",
    "ANSWER",
    "BUSY",
    "CALLEE",
    "CALLER",
    "CALL_IN",
    "CALL_INSIDE",
    "CALL_OUT",
    "CALL_SERVICE",
    "CALL_VACANT",
    "NO_ANSWER",
    "REJECT",
    "TEXTS",
    "TEXT_IN",
    "TEXT_INSIDE",
    "TEXT_OUT",
    "UNREACHABLE",
    "Calls",
    "Services",
    "Texts",
    "calls",
    "dialogue",
    "services",
    "texts",
]

I64 = NDArray[np.int64]
T = TypeVar("T", Calls, Texts)

_SUB_BITS = 24  # sixteen million people
_TIME_BITS = 39  # six days


def calls(world: Habitat, from_us: int, to_us: int, subs: Subs = None) -> Calls:
    """Call intents at from_us <= t < to_us."""
    who, span, scaled = chosen(world.population.n, subs), (from_us, to_us), call_scale_q16(world.scenario)
    rows = rows_within(world, who, span)
    families = _families(world, who, span, SESSION_LONGEST_US, rows)
    parts = [
        _of(who, usage_calls.own_calls(world, families, span, scaled)),
        usage_calls.service_calls(world, rows, span),
        usage_calls.incoming_calls(world, rows, span, scaled),
        usage_calls.tone_calls(world, rows, span),
        *usage_calls.festive_calls(world, who, span, scaled),
    ]
    return Calls(**in_order(parts))


def texts(world: Habitat, from_us: int, to_us: int, subs: Subs = None) -> Texts:
    """Text intents at from_us <= t < to_us."""
    who, span = chosen(world.population.n, subs), (from_us, to_us)
    rows = rows_within(world, who, span)
    families = _families(world, who, span, TRAIN_LONGEST_US, rows)
    parts = [
        _of(who, usage_texts.own_texts(world, families, span)),
        _of(who, usage_texts.chat_texts(world, families, span)),
        usage_texts.incoming_texts(world, rows, span),
        usage_texts.mms_notices(world, rows, span),
        *usage_texts.festive_texts(world, who, span),
    ]
    return Texts(**in_order(parts))


def services(world: Habitat, from_us: int, to_us: int, subs: Subs = None) -> Services:
    """Services meant at from_us <= t < to_us."""
    who = chosen(world.population.n, subs)
    return usage_services.services(world, who, (from_us, to_us), call_scale_q16(world.scenario))


def _families(world: Habitat, who: I64, span: Span, earlier_us: int, rows: Rows) -> Rows:
    """Rows of people's whole families in a span and before it; `rows` are their own in the span itself."""
    everybody, early = family_of(who, world.population.n), (span[0] - earlier_us, span[1])
    if np.array_equal(everybody, who) and days_of(*early) == days_of(*span):
        return rows
    return rows_within(world, everybody, early)


def _of(who: I64, table: T) -> T:
    """The rows of some people."""
    if len(who) and (np.diff(who) == 1).all():
        mine = (table.sub >= who[0]) & (table.sub <= who[-1])
    else:
        mine = np.isin(table.sub, who)
    if mine.all():
        return table
    columns: dict[str, Any] = {field.name: getattr(table, field.name)[mine] for field in fields(table)}
    return type(table)(**columns)


def in_order(parts: Sequence[Calls] | Sequence[Texts]) -> dict[str, NDArray[Any]]:
    """The columns of tables of one kind together, by (t_us, sub, ordinal)."""
    names = [field.name for field in fields(parts[0])]
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    order = _order(whole["t_us"], whole["sub"], whole["ordinal"])
    return {name: column[order] for name, column in whole.items()}


def _order(t_us: NDArray[np.int64], sub: NDArray[np.int64], ordinal: NDArray[np.int32]) -> NDArray[np.int64]:
    """By (t_us, sub, ordinal): one integer is sorted where it holds time and person, and none comes twice."""
    since = t_us - t_us.min(initial=np.iinfo(np.int64).max)
    if len(since) and int(since.max()) < 1 << _TIME_BITS:
        key = (since << _SUB_BITS) | sub
        order = np.argsort(key)
        if not (np.diff(key[order]) == 0).any():
            return order
    return np.lexsort((ordinal, sub, t_us))
