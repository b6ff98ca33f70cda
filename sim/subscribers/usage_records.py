"""Monthly usage as BOSS and BI keep it, from what people meant to do: no network has to run for it.

The same draws make the signalling of a run, so the records of a month go with it as far as calls get through:
here a call counts as answered if both ends meant it to be, whereas a network also has ends that are off, busy
or without a channel. `sim.backoffice.usage_tables` makes call records of what a run's network really carried.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from sim.subscribers.habitat import Habitat
from sim.subscribers.usage_accounts import (
    ADDITIVE,
    TONE_CHOSEN_US,
    DayUsage,
    balance_fen,
    call_fen,
    charged_as,
    days_of_month,
    is_prepaid,
    monthly_fee_fen,
    opening_fen,
    usage_of_rows,
)
from sim.subscribers.usage_arrivals import Rows
from sim.subscribers.usage_calls import ANSWER, CALL_IN, CALL_INSIDE, Calls
from sim.subscribers.usage_numbers import TONE_LINE

I64 = NDArray[np.int64]
Table = dict[str, NDArray[np.generic]]

_CHUNK = 1 << 16

MONTH_COLUMNS: dict[str, str] = {
    "sub": "index of the subscriber in the world",
    "month": "calendar month, 0 for that of the world's epoch",
    "days": "days of it that the world has: fewer in the epoch's month",
    "segment": "index of the segment; the truth behind the usage, unknown to BOSS",
    "brand": "index of the brand",
    "services": "services held, a bit each",
    "calls_made": "answered calls made to people",
    "minutes_made": "minutes of them, each call rounded up",
    "minutes_far": "minutes of them to other provinces, dialled plainly",
    "minutes_far_cheap": "minutes of them to other provinces, dialled with 12593",
    "calls_received": "answered calls received, from this network and from others",
    "minutes_received": "minutes of them, each call rounded up",
    "calls_missed": "calls from other networks not answered or rejected",
    "service_calls": "calls to service lines, the ring-back tone line among them",
    "complaints": "complaints by telephone",
    "texts_sent": "short messages sent",
    "texts_received": "short messages received from people",
    "mms_sent": "multimedia messages sent",
    "mms_received": "multimedia messages received",
    "gprs_sessions": "GPRS sessions",
    "gprs_kb": "kilobytes over GPRS",
    "tone_changes": "ring-back tones chosen by telephone",
    "charge_fen": "charges for usage, fen",
    "fee_fen": "monthly fees of brand and services, fen",
    "opening_fen": "prepaid: balance when the month begins; others 0",
    "recharged_fen": "prepaid: recharged in the month; others 0",
    "balance_fen": "prepaid: balance when it ends; others minus the bill",
}
"""Columns of `usage_records`; all int64."""

CALL_COLUMNS: dict[str, str] = {
    "sub": "index of the subscriber whose record it is",
    "t_us": "when the key was pressed or the call came in, microseconds since the world's epoch",
    "direction": "1 made, 2 received",
    "peer": "digits dialled, or calling number",
    "duration_s": "conversation, seconds, rounded up",
    "charged_as": "0 free, 1 local, 2 other province, 3 other province with 12593",
    "charge_fen": "charged, fen",
}
"""Columns of `call_records`."""


def usage_of_day(world: Habitat, day: int, lo: int, hi: int) -> dict[str, I64]:
    """Usage of subscribers lo .. hi - 1 on a day, by the names of `ADDITIVE`, calls from inside included.

    Whoever is called by others inside can be known from the callers only: so everybody's day is drawn, 65,536
    people at a time, whatever the slice. Whoever wants everybody should ask for everybody at once.
    """
    _check(world, lo, hi)
    total = {name: np.zeros(hi - lo, dtype=np.int64) for name in ADDITIVE}
    for first in range(0, world.population.n, _CHUNK):
        who = np.arange(first, min(first + _CHUNK, world.population.n), dtype=np.int64)
        usage, reached = usage_of_rows(world, Rows(who, np.full(len(who), day, dtype=np.int64)))
        mine = (who >= lo) & (who < hi)
        for field in fields(DayUsage):
            total[field.name][who[mine] - lo] += getattr(usage, field.name)[mine]
        called = (reached.callee >= lo) & (reached.callee < hi)
        np.add.at(total["calls_received"], reached.callee[called] - lo, 1)
        np.add.at(total["minutes_received"], reached.callee[called] - lo, reached.minutes[called])
        told = (reached.addressee >= lo) & (reached.addressee < hi)
        np.add.at(total["texts_received"], reached.addressee[told] - lo, 1)
    return total


def usage_records(world: Habitat, month: int, lo: int, hi: int) -> dict[str, I64]:
    """The monthly profile of subscribers lo .. hi - 1: one row each, the columns of MONTH_COLUMNS.

    Raises ValueError for a month before the epoch's or people that are not in the world.
    """
    _check(world, lo, hi)
    if month < 0:
        raise ValueError(f"month {month} lies before the world's epoch; 0 is the epoch's month")
    days = days_of_month(world.scenario, month)
    total = {name: np.zeros(hi - lo, dtype=np.int64) for name in ADDITIVE}
    for day in days:
        for name, column in usage_of_day(world, day, lo, hi).items():
            total[name] += column
    sub = np.arange(lo, hi, dtype=np.int64)
    months = np.full(hi - lo, month, dtype=np.int64)
    fee, prepaid = monthly_fee_fen(world, sub), is_prepaid(world, sub)
    bill = fee + total["charge_fen"]
    balance, recharged = balance_fen(world, sub, months, bill)
    held = {
        "sub": sub,
        "month": months,
        "days": np.full(hi - lo, len(days), dtype=np.int64),
        "segment": world.population.segment[sub].astype(np.int64),
        "brand": world.population.brand[sub].astype(np.int64),
        "services": world.population.services[sub].astype(np.int64),
        "fee_fen": fee,
        "opening_fen": np.where(prepaid, opening_fen(world, sub, months), 0),
        "recharged_fen": np.where(prepaid, recharged, 0),
        "balance_fen": np.where(prepaid, balance, -bill),
    }
    return {name: held[name] if name in held else total[name] for name in MONTH_COLUMNS}


def call_records(world: Habitat, calls: Calls) -> Table:
    """Call records of the calls meant to be answered: one of the caller, one of a callee in this world.

    Columns of CALL_COLUMNS, by (t_us, sub, direction).
    """
    made = np.flatnonzero((calls.intent == ANSWER) & (calls.kind != CALL_IN))
    came = np.flatnonzero((calls.intent == ANSWER) & (calls.kind == CALL_IN))
    inside = np.flatnonzero((calls.intent == ANSWER) & (calls.kind == CALL_INSIDE))
    caller = world.population.msisdn[calls.sub[inside]].astype("S20")
    at = np.concatenate((made, came, inside))
    free = np.zeros(len(came) + len(inside), dtype=np.int64)
    table: Table = {
        "sub": np.concatenate((calls.sub[made], calls.sub[came], calls.peer_sub[inside].astype(np.int64))),
        "t_us": calls.t_us[at],
        "direction": np.repeat(np.array([1, 2], dtype=np.uint8), (len(made), len(free))),
        "peer": np.concatenate((calls.peer_number[made], calls.peer_number[came], caller)),
        "duration_s": (calls.talk_us[at] + 999_999) // 1_000_000,
        "charged_as": np.concatenate((charged_as(calls)[made], free)).astype(np.uint8),
        "charge_fen": np.concatenate((call_fen(calls)[made], free)),
    }
    order = np.lexsort((table["direction"], table["sub"], table["t_us"]))
    return {name: table[name][order] for name in CALL_COLUMNS}


def tone_changes(calls: Calls) -> Table:
    """Ring-back tones chosen by telephone, as BOSS is told: when the call ends, by whom."""
    at = np.flatnonzero((calls.peer_number == TONE_LINE) & (calls.talk_us >= TONE_CHOSEN_US))
    ends = calls.t_us[at] + calls.alert_us[at] + calls.ring_us[at] + calls.talk_us[at]
    order = np.lexsort((calls.sub[at], ends))
    return {"t_us": ends[order], "sub": calls.sub[at][order]}


def _check(world: Habitat, lo: int, hi: int) -> None:
    if not 0 <= lo <= hi <= world.population.n:
        raise ValueError(f"subscribers {lo}..{hi} are not all in 0..{world.population.n}")
