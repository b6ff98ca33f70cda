"""The live phase: schedule first, percentiles refused where they mean nothing, lag seen."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from experiments.live import Schedule, join, lag, pace, schedule
from experiments.problems import RunInvalid
from experiments.study import Limits, LiveKeys
from experiments.summary import latency, no_latency, trigger_counts
from sigtran import MessageBatch


def keys(**given):
    return LiveKeys.model_construct(**{"seconds": 2.0, "rate_per_s": 50.0, "max_factor": 20.0, **given})


def wire(n, every_us, start_us=36_000_000_000):
    return SimpleNamespace(
        t_us=start_us + every_us * np.arange(n, dtype=np.int64),
        data=b"x" * 8 * n,
        offsets=8 * np.arange(n + 1, dtype=np.int64),
        sls=np.zeros(n, np.uint8),
        corr=np.arange(1, n + 1, dtype=np.uint32),
    )


def test_the_schedule_fits_the_phase_and_keeps_the_worlds_rhythm():
    plan = schedule([wire(60, 200_000), wire(60, 200_000, 36_012_000_000)], 36_000_000_000, keys(), 16)
    assert plan.batch.n == 100
    assert plan.intended_ns[0] == 0
    assert plan.intended_ns[-1] == pytest.approx(2e9)
    assert plan.factor == pytest.approx(9.9)
    assert np.all(np.diff(plan.intended_ns) > 0)
    assert plan.batch.streams.min() >= 1


def test_a_world_too_small_for_the_rate_is_said():
    with pytest.raises(RunInvalid, match=r"too small: 60 messages .* 100 needed"):
        schedule([wire(60, 200_000)], 36_000_000_000, keys(), 16)


def planned(intended_ns):
    n = len(intended_ns)
    batch = MessageBatch(b"x" * n, np.arange(n + 1, dtype=np.int64), np.ones(n, np.uint16))
    return Schedule(batch, np.array(intended_ns, np.int64), 1, 10.0, 100.0)


def test_pace_sends_in_order_never_early_and_stamps_truly():
    plan = planned(np.arange(0, 200_000_000, 1_000_000))
    sent = []
    link = SimpleNamespace(send_raw=lambda batch: sent.append(batch.n), poll=lambda: None)
    _, sent_ns = pace(plan, link)
    assert sum(sent) == 200
    late = sent_ns - plan.intended_ns
    assert late.min() >= 0
    assert np.quantile(late, 0.5) < 50e6  # a busy machine; an idle one keeps 0.1 ms


def test_a_stall_of_the_generator_is_seen_as_lag():
    plan = planned(np.arange(0, 1_000_000_000, 1_000_000))
    sent_ns = plan.intended_ns.copy()
    sent_ns[500:600] = 600_000_000
    found = lag(plan, sent_ns, Limits())
    assert found["late_share"] == pytest.approx(0.09, abs=0.002)
    assert found["lag_ms"]["max"] == pytest.approx(100)


COLUMNS = (
    "contact_id",
    "campaign",
    "corr",
    "timer",
    "t_us",
    "t_received_ns",
    "t_decoded_ns",
    "t_decided_ns",
    "state",
)


def triggers(*rows):
    return pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in rows])


def test_latency_counts_from_the_planned_send_of_the_completing_message():
    plan = planned([0, 10_000_000, 20_000_000])
    sent_ns = np.array([0, 13_000_000, 20_000_000])
    begin = 1_000_000_000_000
    table = triggers(
        ("c1", "hang-up", 2, False, 0, begin + 14_000_000, begin + 15_000_000, begin + 16_000_000, "sent"),
        ("c2", "dwell", 1, True, 500, 0, 0, begin + 31_000_000, "sent"),
        ("", "hang-up", 3, False, 0, 0, 0, 0, "suppressed"),
    )
    arrivals = {"c1": begin + 18_000_000, "c2": begin + 33_000_000, "stranger": begin}
    joined = join(arrivals, table, plan, sent_ns, begin, lambda t_us: 30_000_000)
    by = dict(zip(joined.columns["contact_id"], zip(*joined.columns.values(), strict=True), strict=True))
    assert set(by) == {"c1", "c2"}
    c1 = dict(zip(joined.columns, by["c1"], strict=True))
    assert c1["latency_ns"] == 8_000_000  # from 10 ms, not from the late send at 13 ms
    assert (c1["wire_ns"], c1["decode_ns"], c1["decide_ns"], c1["submit_ns"]) == (
        1_000_000,
        1_000_000,
        1_000_000,
        2_000_000,
    )
    c2 = dict(zip(joined.columns, by["c2"], strict=True))
    assert c2["latency_ns"] == 3_000_000  # from the moment its condition fell due
    assert joined.unmatched == 1


def test_percentiles_are_refused_where_too_few_lie_beyond():
    ms = np.arange(1, 301, dtype=np.int64) * 1_000_000
    full = latency(ms, 2000.0)
    assert (full["n"], full["p50"], full["p90"], full["p99"], full["max"]) == (
        300,
        150.0,
        270.0,
        297.0,
        300.0,
    )
    assert "reason" not in full
    few = latency(ms[:299], 2000.0)
    assert few["p99"] is None
    assert few["p90"] == 270.0
    assert few["reason"] == "n is 299; p99 needs n >= 300"
    none = latency(ms[:0], 2000.0)
    assert none == no_latency("no trigger was measured", 2000.0)


def test_triggers_are_counted_by_their_one_state():
    table = pa.table(
        {"state": ["sent", "suppressed", "suppressed", "held"], "reason": ["", "cap", "cap", ""]}
    )
    assert trigger_counts(table) == {"total": 4, "sent": 1, "held": 1, "failed": 0, "suppressed": {"cap": 2}}
    with pytest.raises(ValueError, match="pending"):
        trigger_counts(pa.table({"state": ["pending"], "reason": [""]}))
