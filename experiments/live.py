"""The live phase: signalling paced by the wall clock, open loop, and how long triggers take.

The whole schedule is drawn before the first send. Latency counts from the planned send of the message that
completed a trigger to the arrival of the first submit_sm of its contact at the SMSC's door, both on this
process's clock; for a trigger fired by a timer, from the moment its condition fell due. A generator that lags
makes the run invalid.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.link import SignallingLink
from experiments.problems import RunInvalid
from experiments.study import Limits, LiveKeys
from experiments.weave import streams_of
from reports.records import write
from sigtran import MessageBatch

__all__ = ["Joined", "Schedule", "join", "lag", "pace", "schedule"]

SETTLE_S: Final = 1.0
"""After the last send: so long without a submit means that no more will come."""
SETTLE_MOST_S: Final = 6.0
AHEAD_NS: Final = 20_000_000
"""The phase begins so much after the last preparation, nanoseconds."""
PROGRESS_NS: Final = 250_000_000


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is sent when, all of it known before the first send."""

    batch: MessageBatch
    intended_ns: NDArray[np.int64]
    """Planned send of each message, nanoseconds since the phase begins, ascending."""
    first_corr: int
    """Correlation id of the first message; the others follow one by one."""
    factor: float
    """Simulated seconds a real second."""
    rate_per_s: float
    """Messages a second over the whole phase."""


def schedule(batch: Any, start_us: int, keys: LiveKeys, streams: int) -> Schedule:
    """Makes the schedule of the first seconds x rate messages of the world, stretched or squeezed to fit.

    Args:
        batch: These messages, from `start_us` on.
        start_us: World time at which the phase begins.
        keys: The study's keys of the phase.
        streams: Streams of the association.

    Raises:
        RunInvalid: the world has too little signalling for the rate at the largest factor.
    """
    wanted = round(keys.seconds * keys.rate_per_s)
    t_us = batch.t_us
    if len(t_us) < wanted:
        raise RunInvalid(
            f"the live world is too small: {len(t_us)} messages in {keys.max_factor * keys.seconds:g} "
            f"simulated seconds, {wanted} needed for {keys.rate_per_s:g}/s at factor {keys.max_factor:g}"
        )
    messages = MessageBatch(batch.data, batch.offsets, streams_of(batch.sls, streams))
    factor = float(t_us[-1] - start_us) / 1e6 / keys.seconds
    intended_ns = ((t_us - start_us) * 1000 / factor).astype(np.int64)
    return Schedule(messages, intended_ns, int(batch.corr[0]), factor, wanted / keys.seconds)


def pace(
    plan: Schedule,
    link: SignallingLink,
    on_progress: Callable[[int, int], None] = lambda at_ns, sent: None,
    look: Callable[[int, int], int] = lambda begin_ns, now_ns: now_ns + PROGRESS_NS,
) -> tuple[int, NDArray[np.int64]]:
    """Sends each message when it is due, what is due together in one batch.

    After the schedule's own due messages comes `look`, with the beginning and the time since then: whatever
    else there is to do, in less than a millisecond; it says when it wants to be asked again at the latest.

    Returns:
        Monotonic nanoseconds of the beginning, and when each message was really sent, since then.
    """
    n = plan.batch.n
    sent_ns = np.zeros(n, np.int64)
    due = plan.intended_ns.tolist()
    clock = time.monotonic_ns
    at = told = 0
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()  # a collection would be a stall of ours, charged to the platform
    begin_ns = clock() + AHEAD_NS
    try:
        while at < n:
            now = clock() - begin_ns
            if due[at] <= now:
                upto = int(np.searchsorted(plan.intended_ns, now, side="right"))
                link.send_raw(plan.batch.slice(at, upto))
                sent_ns[at:upto] = now
                at = upto
            again_ns = look(begin_ns, now)
            if now - told > PROGRESS_NS:
                told = now
                link.poll()
                on_progress(now, at)
            idle_ns = min(again_ns, due[min(at, n - 1)]) - (clock() - begin_ns)
            if idle_ns > 0:
                time.sleep(idle_ns / 1e9)
    finally:
        if collecting:
            gc.enable()
    return begin_ns, sent_ns


@dataclass(frozen=True, slots=True)
class Joined:
    """Triggers that were sent, each with its message and its arrival."""

    columns: dict[str, Any]
    """Columns of the table `latencies`."""
    unmatched: int
    """Contacts submitted of which no trigger, or whose message, is known."""

    @property
    def latency_ns(self) -> NDArray[np.int64]:
        return np.asarray(self.columns["latency_ns"], np.int64)


def join(
    arrivals: dict[str, int],
    triggers: pa.Table,
    plan: Schedule,
    sent_ns: NDArray[np.int64],
    begin_ns: int,
    due_ns: Callable[[int], int],
) -> Joined:
    """Ties each contact's first arrival to the planned send of the message that completed its trigger.

    Args:
        arrivals: Contact id -> monotonic nanoseconds of its first submit_sm at the SMSC.
        triggers: The platform's triggers.
        plan: The schedule.
        sent_ns: Actual sends.
        begin_ns: Monotonic nanoseconds of the phase's beginning.
        due_ns: Unix microseconds of a timer -> nanoseconds since the beginning.
    """
    columns: dict[str, list[Any]] = {name: [] for name in _LATENCY_COLUMNS}
    known = {row["contact_id"]: row for row in triggers.to_pylist() if row["contact_id"]}
    unmatched = 0
    for contact_id, arrived in sorted(arrivals.items()):
        row = known.get(contact_id)
        index = -1 if row is None else row["corr"] - plan.first_corr
        if row is None or not (row["timer"] or 0 <= index < len(sent_ns)):
            unmatched += 1
            continue
        intended = due_ns(row["t_us"]) if row["timer"] else int(plan.intended_ns[index])
        sent = intended if row["timer"] else int(sent_ns[index])
        at = arrived - begin_ns
        stamps = [row[name] for name in ("t_received_ns", "t_decoded_ns", "t_decided_ns")]
        received, decoded, decided = (stamp - begin_ns if stamp else None for stamp in stamps)
        values = {
            "contact_id": contact_id,
            "campaign": row["campaign"],
            "corr": row["corr"],
            "t_intended_ns": intended,
            "t_sent_ns": sent,
            "t_arrived_ns": at,
            "latency_ns": at - intended,
            "wire_ns": _between(sent, received),
            "decode_ns": _between(received, decoded),
            "decide_ns": _between(decoded, decided),
            "submit_ns": _between(decided, at),
        }
        for name, value in values.items():
            columns[name].append(value)
    return Joined(columns, unmatched)


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


def _between(first: int | None, second: int | None) -> int:
    return -1 if first is None or second is None else max(0, second - first)


def lag(plan: Schedule, sent_ns: NDArray[np.int64], limits: Limits) -> dict[str, Any]:
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


def settle(count: Callable[[], int]) -> None:
    """Waits until no more submits come."""
    began = last_change = time.monotonic()
    last = count()
    while time.monotonic() - last_change < SETTLE_S and time.monotonic() - began < SETTLE_MOST_S:
        time.sleep(0.02)
        now = count()
        if now != last:
            last, last_change = now, time.monotonic()


def write_tables(
    folder: Path, plan: Schedule, sent_ns: NDArray[np.int64], woven: NDArray[np.int64], joined: Joined
) -> None:
    """Writes `sends.parquet` and `latencies.parquet`.

    `woven`: a row for each message woven in: correlation id, due, sent.
    """
    corr = np.arange(plan.first_corr, plan.first_corr + plan.batch.n)
    own = np.stack((corr, plan.intended_ns, sent_ns), axis=1)
    columns = np.concatenate((own, woven)).T
    names = ("corr", "t_intended_ns", "t_sent_ns")
    sends = dict(zip(names, (columns[0].astype(np.uint32), *columns[1:]), strict=True))
    write(folder / "sends.parquet", "sends", sends)
    write(folder / "latencies.parquet", "latencies", joined.columns)
