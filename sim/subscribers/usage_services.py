"""USSD queries, call forwarding and call waiting that people mean to use.

A prepaid subscriber asks for the balance now and then, and more often after a call; the answer is what the
account really held at midnight (`sim.subscribers.usage_accounts`). Forwarding of all calls, or of those that
find its subscriber busy, not answering or out of reach, is registered for some hours and erased again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import ONE_Q32, pick, scale, shares_q32, threshold_q32
from sim.scenario import DAY_US
from sim.subscribers import usage_profiles as profiles
from sim.subscribers.habitat import Habitat
from sim.subscribers.usage_accounts import account_fen, is_prepaid
from sim.subscribers.usage_arrivals import Arrivals, Rows, Span, at_most_one, poisson, rows_within
from sim.subscribers.usage_calls import (
    LONGEST_BEFORE_US,
    LONGEST_TALK_US,
    begun_sessions,
    ends_us,
    made_in,
)
from sim.subscribers.usage_numbers import RIVAL, Numbers, contact_numbers
from sim.subscribers.usage_sessions import MEAN_Q32, SESSION_LONGEST_US

I64 = NDArray[np.int64]

(
    USSD_QUERY,
    USSD_REFUSED,
    FORWARDING_REGISTERED,
    FORWARDING_ERASED,
    FORWARDING_ASKED,
    CALL_WAITING_ACTIVATED,
) = range(6)
"""Kinds, as `sim.network.intents` numbers them."""

BALANCE_CODE, CHARGES_CODE, POINTS_CODE, WRONG_CODE = "*100#", "*101#", "*102#", "*123#"
YUAN_STEPS: Final = (*range(20), *range(20, 100, 10), 100, 150, 200, 300, 400)
"""Whole yuan that answers speak of."""
POINT_STEPS: Final = (0, 100, 500, 1000, 2000, 5000)

DIALOGUES: Final = (
    *((BALANCE_CODE, f"Your balance is over {yuan}.00 yuan.") for yuan in YUAN_STEPS),
    *((CHARGES_CODE, f"Charges this month: over {yuan}.00 yuan.") for yuan in YUAN_STEPS),
    *((POINTS_CODE, f"You have more than {points} points.") for points in POINT_STEPS),
    (WRONG_CODE, "Unknown service."),
)
"""Code and answer by `Services.dialogue`; of a refused query the answer is not sent."""
_CHARGES: Final = len(YUAN_STEPS)
_POINTS: Final = 2 * len(YUAN_STEPS)
_WRONG: Final = len(DIALOGUES) - 1
_QUERIES: Final = (0.78, 0.16, 0.06)  # account, points, a wrong code

_SECOND_US = 1_000_000
_ASKS_AFTER_US = 60 * _SECOND_US  # the longest that somebody waits after a call
_ASKED_SHARE: Final = 0.25  # of erasures that are made sure of
_CONDITIONS: Final = (
    0.4,
    0.15,
    0.2,
    0.25,
)  # all, busy, no reply, not reachable: assumed, no figures are known
_LAST_US: Final = DAY_US - 300 * _SECOND_US


@dataclass(frozen=True, slots=True, eq=False)
class Services:
    """Services meant to be used, sorted by (t_us, sub)."""

    t_us: I64
    sub: I64
    kind: NDArray[np.uint8]
    dialogue: NDArray[np.int32]
    """Of a USSD query: index into DIALOGUES; of forwarding: its condition (`sim.network.intents`); else 0."""
    number: Numbers
    """Forwarded to, E.164; S20."""


def services(world: Habitat, who: I64, span: Span, scaled_q16: int) -> Services:
    """Everything at from_us <= t < to_us."""
    rows = rows_within(world, who, span)
    parts = [
        _queries(world, rows, span),
        _after_calls(world, who, span, scaled_q16),
        *_forwarding(world, rows, span),
        _waiting(world, rows, span),
    ]
    columns = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Services)]
    order = np.lexsort((columns[2], columns[1], columns[0]))
    return Services(*(column[order] for column in columns))


def dialogue(number: int) -> tuple[str, str]:
    """Code and answer; the first is number 1 (`sim.network.intents.People`)."""
    return DIALOGUES[number - 1]


def _services(
    found: Arrivals, kind: I64 | int, said: I64 | int = 0, number: Numbers | None = None
) -> Services:
    n = len(found)
    return Services(
        t_us=found.t_us,
        sub=found.sub,
        kind=np.broadcast_to(np.asarray(kind, dtype=np.uint8), n),
        dialogue=np.broadcast_to(np.asarray(said, dtype=np.int32), n),
        number=np.zeros(n, dtype="S20") if number is None else number,
    )


def _account_answers(world: Habitat, found: Arrivals) -> I64:
    """What a query for the account is answered: the balance, or for a bill at the month's end the charges."""
    at_midnight = account_fen(world, found.sub, found.day)
    step = np.searchsorted(np.array(YUAN_STEPS) * 100, at_midnight, side="right") - 1
    return np.maximum(step, 0) + np.where(is_prepaid(world, found.sub), 0, _CHARGES)


def _queries(world: Habitat, rows: Rows, span: Span) -> Services:
    """Queries out of the blue."""
    like = profiles.kind_of_day(world.scenario, rows.day)
    segment = world.population.segment[rows.sub].astype(np.int64)
    factors = profiles.by_segment(world.scenario, lambda leaning: leaning.services, calls=False)
    rates = np.array([int(f * world.scenario.usage.ussd_per_day * 65536.0) for f in factors], dtype=np.int64)
    curve = profiles.SERVICE
    found = poisson(
        world.draws, "ussd", rows, rates[segment], curve, profiles.rows_of(segment, like, curve), span
    )
    # The arrivals take the low blocks; nobody has four thousand of them.
    u = found.details(world.draws, "ussd", 1, first=1 << 20, stride=1)
    what = pick(u[0], shares_q32(_QUERIES))
    said = np.where(what == 1, _POINTS + scale(u[1], len(POINT_STEPS)), _WRONG)
    account = np.flatnonzero(what == 0)
    said[account] = _account_answers(world, found[account])
    return _services(found, np.where(what == 2, USSD_REFUSED, USSD_QUERY), said)


def _after_calls(world: Habitat, who: I64, span: Span, scaled_q16: int) -> Services:
    """Prepaid subscribers look what calls have cost, when a session of them is over."""
    longest_us = SESSION_LONGEST_US + LONGEST_BEFORE_US + LONGEST_TALK_US + _ASKS_AFTER_US
    early = (span[0] - longest_us, span[1])
    rows = rows_within(world, who[is_prepaid(world, who)], early)
    begun = begun_sessions(world, rows, early, scaled_q16)
    u = begun.details(world.draws, "ussd_after_call", 1, stride=1)
    # As many as if each call were asked about.
    share = min(world.scenario.usage.balance_after_call_share * MEAN_Q32 / ONE_Q32, 1.0)
    asks = np.flatnonzero(u[0] < threshold_q32(share))
    begun, wait = begun[asks], scale(u[1, asks], 55_000) * 1000 + 5 * _SECOND_US
    call = made_in(world, begun, early[0])
    last = np.flatnonzero(np.append(call.place[1:] == 0, True)) if len(call.place) else call.place
    t_us = ends_us(world, call[last]) + wait
    inside = np.flatnonzero((t_us >= span[0]) & (t_us < span[1]))
    found = Arrivals(t_us[inside], begun.sub[inside], t_us[inside] // DAY_US, begun.k[inside])
    return _services(found, USSD_QUERY, _account_answers(world, found))


def _chances(world: Habitat, rows: Rows, mean: float) -> NDArray[np.float64]:
    factors = np.array(profiles.by_segment(world.scenario, lambda leaning: leaning.services, calls=False))
    chances: NDArray[np.float64] = (factors * mean)[world.population.segment[rows.sub]]
    return chances


def _forwarding(world: Habitat, rows: Rows, span: Span) -> list[Services]:
    """Calls to another number for one to eight hours; some look whether it is really over."""
    days = (int(rows.day[0]) * DAY_US, (int(rows.day[-1]) + 1) * DAY_US) if len(rows) else span
    like = profiles.kind_of_day(world.scenario, rows.day)
    curve = profiles.SERVICE
    begun = at_most_one(
        world.draws, "forwarding", rows, _chances(world, rows, world.scenario.usage.forwarding_per_day),
        curve, profiles.rows_of(like, like, curve), days,
    )  # fmt: skip
    u = begun.details(world.draws, "forwarding", 1, first=1)
    number = contact_numbers(
        world, begun.sub, np.full(len(begun), RIVAL, dtype=np.int64), u[0], dialled=False
    )
    end_of_day = begun.day * DAY_US + _LAST_US
    first_us = np.minimum(begun.t_us, end_of_day - 600 * _SECOND_US)
    erased_us = np.minimum(first_us + (3_600 + scale(u[1], 7 * 3_600)) * _SECOND_US, end_of_day)
    asked_us = erased_us + (40 + scale(u[2], 120)) * _SECOND_US
    asks = u[3] < threshold_q32(_ASKED_SHARE)
    condition = pick(begun.details(world.draws, "forwarding", 1, first=2)[0], shares_q32(_CONDITIONS))
    tables = []
    for t_us, kind, mask in (
        (first_us, FORWARDING_REGISTERED, True),
        (erased_us, FORWARDING_ERASED, True),
        (asked_us, FORWARDING_ASKED, asks),
    ):
        at = np.flatnonzero((t_us >= span[0]) & (t_us < span[1]) & mask)
        told = number[at] if kind == FORWARDING_REGISTERED else None
        some = Arrivals(t_us[at], begun.sub[at], begun.day[at], begun.k[at])
        tables.append(_services(some, kind, condition[at], told))
    return tables


def _waiting(world: Habitat, rows: Rows, span: Span) -> Services:
    """Call waiting, activated once and for all."""
    like = profiles.kind_of_day(world.scenario, rows.day)
    curve = profiles.SERVICE
    found = at_most_one(
        world.draws, "call_waiting", rows, _chances(world, rows, world.scenario.usage.call_waiting_per_day),
        curve, profiles.rows_of(like, like, curve), span,
    )  # fmt: skip
    return _services(found, CALL_WAITING_ACTIVATED)
