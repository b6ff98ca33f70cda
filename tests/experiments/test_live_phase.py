"""The live phase: schedule first, percentiles refused where they mean nothing, lag seen."""

from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

import experiments.latency.pacing
from experiments.latency.joining import join, lag
from experiments.latency.pacing import Schedule, pace
from experiments.latency.worldtime import WorldTime
from experiments.live import schedule
from experiments.platform_records import trigger_counts
from experiments.problems import RunInvalid
from experiments.study import Limits, LiveKeys
from experiments.summary import latency, no_latency
from experiments.weave import POLL_NS, Weaver
from sigtran import MessageBatch
from sim.network.live import FIRST_REACTION
from sim.network.messages import Deliver, Submit
from sim.run import Reaction, WireBatch


def keys(**given):
    return LiveKeys.model_construct(**{"seconds": 2.0, "rate_per_s": 50.0, "max_factor": 20.0, **given})


def wire(n, every_us, start_us=36_000_000_000):
    return SimpleNamespace(
        t_us=start_us + every_us * np.arange(n, dtype=np.int64),
        data=b"x" * 8 * n,
        offsets=8 * np.arange(n + 1, dtype=np.int64),
        sls=np.zeros(n, np.uint8),
        corr=np.arange(1, n + 1, dtype=np.int64),
    )


def test_the_schedule_fits_the_phase_and_keeps_the_worlds_rhythm():
    plan = schedule(wire(100, 200_000), 36_000_000_000, keys(), 16)
    assert plan.batch.n == 100
    assert plan.intended_ns[0] == 0
    assert plan.intended_ns[-1] == pytest.approx(2e9)
    assert plan.time.factor == pytest.approx(9.9)
    assert np.all(np.diff(plan.intended_ns) > 0)
    assert plan.batch.streams.min() >= 1


def test_a_world_too_small_for_the_rate_is_said():
    with pytest.raises(RunInvalid, match=r"too small: 60 messages .* 100 needed"):
        schedule(wire(60, 200_000), 36_000_000_000, keys(), 16)


def planned(intended_ns):
    n = len(intended_ns)
    batch = MessageBatch(b"x" * n, np.arange(n + 1, dtype=np.int64), np.ones(n, np.uint16))
    return Schedule(
        batch, np.array(intended_ns, np.int64), np.arange(1, n + 1), WorldTime.even(START_US, 10.0)
    )


def test_pace_sends_in_order_never_early_and_stamps_truly():
    plan = planned(np.arange(0, 200_000_000, 1_000_000))
    sent = []
    link = SimpleNamespace(send_raw=lambda batch: sent.append(batch.n), poll=lambda: None)
    _, sent_ns = pace(plan, link)
    assert sum(sent) == 200
    late = sent_ns - plan.intended_ns
    assert late.min() >= 0
    assert np.quantile(late, 0.5) < 50e6  # a busy machine; an idle one keeps 0.1 ms


# ---- weaving; the clock is a number, one millisecond of which is ten of the world

MS = 1_000_000
START_US = 36_000_000_000


class Clock:
    """Stands still but for sleeping, and for what work is said to take."""

    def __init__(self):
        self.ns = 0

    def monotonic_ns(self):
        return self.ns

    def sleep(self, seconds):
        self.ns += round(seconds * 1e9)


class Phase:
    """Network, door and link of a live phase in one table: what is submitted when, and what comes of it."""

    def __init__(self, clock, plan, script, react_ns=0, schedule_only=False):
        """`script`: contact -> (arrival ms, outcome, due ms of its messages, ms of RP-ACK)."""
        self.clock, self.script, self.react_ns = clock, script, react_ns
        self.log, self.posted, self.reacted_at, self.asked_us = [], [], [], {}
        self.begin_ns = experiments.latency.pacing.AHEAD_NS
        self.coming = [
            Submit(f"{name}.1", name, 1, 1, "1008603", "86139", b"", 0, 0, None, self.begin_ns + at * MS)
            for name, (at, *_) in sorted(script.items(), key=lambda row: row[1][0])
        ]
        self.corr = FIRST_REACTION
        self.weaver = Weaver(self.react, self, self.send_raw, time=plan.time, streams=16)
        look = {} if schedule_only else {"look": self.weaver.look}
        self.begin_ns, self.sent_ns = pace(plan, self, **look)

    def now_ms(self):
        return (self.clock.ns - self.begin_ns) / MS

    def take_submits(self):
        here = [s for s in self.coming if s.arrived_ns <= self.clock.ns]
        del self.coming[: len(here)]
        return here

    def post(self, messages, timeout=10.0):
        self.posted += [(message.message_id, self.now_ms()) for message in messages]
        future = Future()
        future.set_result(None)
        return future

    def react(self, submit, t_us):
        self.reacted_at.append(self.now_ms())
        self.asked_us[submit.contact_id] = t_us - START_US
        self.clock.ns += self.react_ns
        _, outcome, due, acknowledged = self.script[submit.contact_id]
        if outcome != "delivered":
            return Reaction(outcome)
        n = len(due)
        batch = WireBatch(
            START_US + 10_000 * np.array(due, np.int64),
            f"{submit.contact_id:8}".encode() * n,
            8 * np.arange(n + 1, dtype=np.int64),
            np.full(n, 3, np.uint8),
            np.zeros(n, bool),
            np.arange(self.corr, self.corr + n, dtype=np.int64),
            np.zeros(n, np.int64),
        )
        self.corr += n
        told = Deliver(
            START_US + 10_000 * acknowledged, "r", "receipt", "86139", "1008603", message_id=submit.message_id
        )
        return Reaction("delivered", batch, None, told)

    def send_raw(self, batch):
        self.log += [
            (round(self.now_ms(), 3), bytes(m).decode().strip(), int(s))
            for m, s in zip(batch, batch.streams, strict=True)
        ]

    def poll(self):
        """Nothing comes."""


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(experiments.latency.pacing, "time", clock)
    return clock


SCRIPT = {
    # contact: arrives at ms, outcome, its messages due at ms, RP-ACK at ms
    "a": (3, "delivered", (10, 20, 33), 20),
    "b": (4, "delivered", (20, 21), 21),  # at 20 ms after the schedule's own message and after a's
    "c": (4, "absent", (), 0),
    "d": (35, "delivered", (30, 36), 36),  # planned late: what is overdue goes at once
    "e": (49, "after_end", (), 0),
}


def test_deliveries_are_woven_in_when_due_and_after_what_was_scheduled(clock):
    plan = planned([0, 20 * MS, 40 * MS, 50 * MS])
    phase = Phase(clock, plan, SCRIPT)
    assert phase.log == [
        (0, "x", 1),
        (10, "a", 4),
        (20, "x", 1),
        (20, "a", 4),
        (20, "b", 4),
        (21, "b", 4),
        (33, "a", 4),
        (35, "d", 4),
        (36, "d", 4),
        (40, "x", 1),
        (50, "x", 1),
    ]
    assert phase.posted == [("a.1", 20), ("b.1", 21), ("d.1", 36)]
    assert phase.asked_us == {name: row[0] * 10_000 for name, row in SCRIPT.items()}  # factor 10
    assert [(c - FIRST_REACTION, due // MS, sent // MS) for c, due, sent in phase.weaver.sent] == [
        (0, 10, 10),
        (1, 20, 20),
        (3, 20, 20),
        (4, 21, 21),
        (2, 33, 33),
        (5, 30, 35),
        (6, 36, 36),
    ]
    assert phase.weaver.contacts() == {
        "submitted": 5,
        "received": 3,
        "unreached": {"absent": 1, "after_end": 1},
    }
    assert phase.weaver.untold(0) == ""


def test_the_schedule_is_the_same_with_and_without_weaving(clock):
    intended = np.arange(0, 60 * MS, MS // 2)
    alone = Phase(clock, planned(intended), {}, schedule_only=True)
    clock.ns = 0
    woven = Phase(clock, planned(intended), SCRIPT)
    assert [row for row in woven.log if row[1] == "x"] == alone.log
    np.testing.assert_array_equal(woven.sent_ns, alone.sent_ns)
    np.testing.assert_array_equal(woven.sent_ns, intended)


def test_a_burst_of_submits_delays_the_schedule_by_one_reaction_at_most(clock):
    burst = {f"s{i}": (5, "delivered", (40, 41), 41) for i in range(20)}
    plan = planned(np.arange(0, 60 * MS, MS // 2))
    phase = Phase(clock, plan, burst, react_ns=700_000)
    late_ns = phase.sent_ns - plan.intended_ns
    assert late_ns.max() <= 700_000
    assert late_ns.max() > 0  # a reaction does cost time, and the lag shows it
    assert len(phase.log) == plan.batch.n + 40
    assert np.diff(phase.reacted_at).min() > 0.69


def test_what_comes_after_the_end_is_reacted_to_and_not_sent(clock):
    phase = Phase(clock, planned([0, 10 * MS]), {"z": (12, "after_end", (), 0)})
    sent = list(phase.log)
    clock.ns += POLL_NS
    phase.weaver.finish(12 * MS, 10 * MS)
    assert phase.log == sent
    assert phase.weaver.contacts() == {"submitted": 1, "received": 0, "unreached": {"after_end": 1}}


def test_a_receipt_that_the_platform_refuses_is_said():
    failed = Future()
    failed.set_exception(ValueError("no"))
    centre = SimpleNamespace(take_submits=list, post=lambda messages, timeout=0: failed)
    weaver = Weaver(
        lambda submit, t_us: None, centre, lambda batch: None, time=WorldTime.even(0, 1.0), streams=16
    )
    weaver._receipts.append((0, 1, None))
    weaver.look(0, 0)
    assert weaver.untold(0) == "1 of 1 receipts: no"


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
    assert joined.unmatched == ("stranger",)


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
