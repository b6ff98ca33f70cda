"""Each trigger that was sent, tied to its message and to its arrival; how much the generator lagged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.latency.pacing import Schedule

__all__ = ["Joined", "LagBounds", "join", "lag", "lag_ms"]


class LagBounds(Protocol):
    """From when on the generator is late, and how often it may be (`experiments.study.Limits`)."""

    @property
    def late_after_ms(self) -> float: ...
    @property
    def late_share(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Joined:
    """Triggers that were sent, each with its message and its arrival."""

    columns: dict[str, Any]
    """Columns of the table `latencies`."""
    stages: dict[str, Any]
    """Columns of the table `stages`, of the same triggers in the same order."""
    unmatched: tuple[str, ...]
    """Contacts submitted of which no trigger, or whose message, is known."""

    @property
    def latency_ns(self) -> NDArray[np.int64]:
        return np.asarray(self.columns["latency_ns"], np.int64)


def join(
    arrivals: Mapping[str, int],
    triggers: pa.Table,
    plan: Schedule,
    sent_ns: NDArray[np.int64],
    begin_ns: int,
    due_ns: Callable[[int], int],
    delivered: Mapping[str, int] | None = None,
) -> Joined:
    """Ties each contact's first arrival to the planned send of the message that completed its trigger.

    For one that a timer fired the moment counts at which the timer was due; for one that the policy held, the
    moment of its release, and the hold stands in a column of its own.

    Args:
        arrivals: Contact id -> monotonic nanoseconds of its first submit_sm at the SMSC.
        triggers: The platform's triggers.
        plan: The schedule.
        sent_ns: Actual sends.
        begin_ns: Monotonic nanoseconds of the phase's beginning.
        due_ns: Unix microseconds of a timer -> nanoseconds since the beginning.
        delivered: Contact id -> nanoseconds since the beginning when the handset had it.
    """
    columns: dict[str, list[Any]] = {name: [] for name in _LATENCY_COLUMNS}
    stages: dict[str, list[Any]] = {name: [] for name in _STAGE_COLUMNS}
    known = {row["contact_id"]: row for row in triggers.to_pylist() if row["contact_id"]}
    unmatched = []
    for contact_id, arrived in sorted(arrivals.items()):
        row = known.get(contact_id)
        index = -1 if row is None else plan.index_of(row["corr"])
        if row is None or not (row["timer"] or index >= 0):
            unmatched.append(contact_id)
            continue
        until_us = row.get("held_until_us") or 0
        intended = due_ns(row["t_us"]) if row["timer"] else int(plan.intended_ns[index])
        sent = intended if row["timer"] else int(sent_ns[index])
        hold = 0
        if until_us:
            released = due_ns(until_us)
            hold, intended, sent = max(0, released - intended), released, released
        at = arrived - begin_ns
        stamps = {
            name: row[name] - begin_ns if row.get(name) else None
            for name in ("t_received_ns", "t_decoded_ns", "t_matched_ns", "t_decided_ns", "t_submitted_ns")
        }
        own = {"contact_id": contact_id, "campaign": row["campaign"], "corr": row["corr"]}
        times = {"t_intended_ns": intended, "t_sent_ns": sent, "t_arrived_ns": at}
        parts = {
            "latency_ns": at - intended,
            "wire_ns": _between(sent, stamps["t_received_ns"]),
            "decode_ns": _between(stamps["t_received_ns"], stamps["t_decoded_ns"]),
            "decide_ns": _between(stamps["t_decoded_ns"], stamps["t_decided_ns"]),
            "submit_ns": _between(stamps["t_decided_ns"], at),
        }
        more = {"timer": bool(row["timer"]), "hold_ns": hold, "t_delivered_ns": -1}
        if delivered and contact_id in delivered:
            more["t_delivered_ns"] = delivered[contact_id]
        for name, value in (own | times | parts).items():
            columns[name].append(value)
        seen = {name: -1 if stamp is None else stamp for name, stamp in stamps.items()}
        for name, value in (own | times | seen | more).items():
            stages[name].append(value)
    return Joined(columns, stages, tuple(unmatched))


_LATENCY_COLUMNS: Final = (
    "contact_id",
    "campaign",
    "corr",
    "t_intended_ns",
    "t_sent_ns",
    "t_arrived_ns",
    "latency_ns",
    "wire_ns",
    "decode_ns",
    "decide_ns",
    "submit_ns",
)
_STAGE_COLUMNS: Final = (
    "contact_id",
    "campaign",
    "corr",
    "timer",
    "hold_ns",
    "t_intended_ns",
    "t_sent_ns",
    "t_received_ns",
    "t_decoded_ns",
    "t_matched_ns",
    "t_decided_ns",
    "t_submitted_ns",
    "t_arrived_ns",
    "t_delivered_ns",
)


def _between(first: int | None, second: int | None) -> int:
    return -1 if first is None or second is None else max(0, second - first)


def lag(plan: Schedule, sent_ns: NDArray[np.int64], limits: LagBounds) -> dict[str, Any]:
    """How well the generator kept its schedule."""
    late_ns = sent_ns - plan.intended_ns
    share = float(np.mean(late_ns > limits.late_after_ms * 1e6))
    return {
        "lag_ms": lag_ms(late_ns),
        "late_share": share,
        "late_after_ms": limits.late_after_ms,
        "late_share_bound": limits.late_share,
    }


def lag_ms(late_ns: NDArray[np.int64]) -> dict[str, float] | None:
    """Median, 99th percentile and most of it, in milliseconds; None of nothing."""
    if not late_ns.size:
        return None
    p50, p99 = (float(np.quantile(late_ns, q, method="inverted_cdf")) / 1e6 for q in (0.5, 0.99))
    return {"p50": round(p50, 3), "p99": round(p99, 3), "max": round(float(late_ns.max()) / 1e6, 3)}
