"""Outcomes of arms made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.uplift.specs import BEFORE, ArmOutcome, ContactTable, DayTable, OrderTable, TriggerTable
from sim.subscribers.response import Contacts

DAY_US = 86_400_000_000


def _outcome(
    arm="precise",
    *,
    n=100,
    days=7,
    ordered_us=(),
    contacts=(),
    complaints=(),
    opted_out=(),
    cost=0.05,
    value=3.0,
    before=None,
    replay_share=None,
    replay_means=None,
    violations=None,
    homes=10,
):
    """An outcome over subscribers 0 .. n - 1.

    `ordered_us`: {sub: t}; `contacts`: rows (sub, t_us, p_take_up, recent); `complaints`, `opted_out`: subs,
    or {sub: t}; `before`: calls of each.
    """
    orders, rows = dict(ordered_us), sorted(contacts, key=lambda row: (row[1], row[0]))
    t = np.full(n, -1, np.int64)
    for sub, when in orders.items():
        t[sub] = when
    subs = np.array([row[0] for row in rows], np.int64)
    times = np.array([row[1] for row in rows], np.int64)
    count = np.bincount(subs, minlength=n).astype(np.int32)
    first = np.full(n, -1, np.int64)
    for sub, when in zip(subs[::-1].tolist(), times[::-1].tolist(), strict=True):
        first[sub] = when
    zeros, texts = np.zeros(len(rows), np.int64), np.full(len(rows), "c", "U1")
    complained = np.zeros(n, np.int32)
    complained[list(complaints)] = 1
    stopped = np.zeros(n, np.bool_)
    stopped[list(opted_out)] = True
    known = np.zeros((n, len(BEFORE)))
    if before is not None:
        known[:, BEFORE.index("calls")] = before

    def each_day(when, amount=1.0):
        return np.bincount([min(int(t) // DAY_US, days - 1) for t in when], minlength=days) * amount

    def times_of(subs):
        return list(subs.values()) if isinstance(subs, dict) else [0] * len(subs)

    by_time = sorted(orders, key=lambda sub: (orders[sub], sub))
    return ArmOutcome(
        arm=arm,
        days=days,
        sub=np.arange(n, dtype=np.int64),
        segment=(np.arange(n) % 9).astype(np.uint8),
        home_cell=(np.arange(n) % homes).astype(np.int32),
        ordered=t >= 0,
        ordered_us=t,
        contacts=count,
        first_contact_us=first,
        complaints=complained,
        opted_out=stopped,
        cost=count * cost,
        value=(t >= 0) * value,
        before=known,
        replay_share=np.zeros(n) if replay_share is None else replay_share,
        replay_means=np.array([0.0, 0.0]) if replay_means is None else np.array(replay_means),
        contact_table=ContactTable(
            sub=subs,
            campaign=texts,
            offer=np.full(len(rows), "o", "U1"),
            t_us=times,
            ordinal=zeros,
            recent_contacts=np.array([row[3] for row in rows], np.int64),
            cell=zeros,
            place=zeros - 1,
            p_take_up=np.array([row[2] for row in rows], np.float64),
            p_organic=np.zeros(len(rows)),
        ),
        by_day=DayTable(
            complaints=each_day(times_of(complaints)),
            opt_outs=each_day(times_of(opted_out)),
            cost=each_day(times, cost),
            value=each_day(orders.values(), value),
        ),
        history=Contacts(**dict.fromkeys(Contacts.__dataclass_fields__, zeros)),
        orders=OrderTable(
            sub=np.array(by_time, np.int64),
            offer=np.full(len(by_time), "o", "U1"),
            t_us=np.array([orders[sub] for sub in by_time], np.int64),
            organic=np.zeros(len(by_time), np.bool_),
        ),
        trigger_table=TriggerTable(
            campaign=texts,
            sub=subs,
            t_us=times,
            decided_us=times,
            state=np.full(len(rows), "sent", "U4"),
            reason=np.full(len(rows), "", "U1"),
        ),
        triggers={"total": len(rows), "sent": len(rows), "held": 0, "failed": 0, "suppressed": {}},
        violations=violations or {"cap": 0},
        trigger_digest="",
    )


@pytest.fixture
def make_outcome():
    return _outcome
