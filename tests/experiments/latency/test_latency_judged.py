"""Lost, late and wrong triggers are counted as what they are."""

import numpy as np
import pyarrow as pa
import pytest

from experiments.latency.joining import join
from experiments.latency.judged import Expected, expected_of, judge
from experiments.latency.pacing import Schedule
from experiments.latency.worldtime import WorldTime
from sigtran import MessageBatch
from sim.network.visible import VISIBLE

MS = 1_000_000
BEGIN = 10**12


def plan(n=10):
    batch = MessageBatch(b"x" * n, np.arange(n + 1, dtype=np.int64), np.ones(n, np.uint16))
    return Schedule(batch, np.arange(n) * MS, np.arange(1, n + 1), WorldTime.even(0, 1.0))


def trigger(name, corr, state="sent", *, contact=True, timer=False, msisdn="861", held_us=0):
    stamps = dict.fromkeys(
        ("t_received_ns", "t_decoded_ns", "t_matched_ns", "t_decided_ns", "t_submitted_ns"), BEGIN + 5 * MS
    )
    return {
        "campaign": "c",
        "corr": corr,
        "state": state,
        "contact_id": name if contact else "",
        "msisdn": msisdn,
        "timer": timer,
        "t_us": 0,
        "held_until_us": held_us,
        **stamps,
    }


def judged(rows, arrivals, expected=frozenset({1, 2, 3}), destinations=None, late_ms=1000.0, behaviours=None):
    table, schedule = pa.Table.from_pylist(rows), plan()
    absolute = {name: BEGIN + at * MS for name, at in arrivals.items()}
    joined = join(absolute, table, schedule, schedule.intended_ns, BEGIN, lambda t_us: t_us * 1000)
    numbers = dict.fromkeys(arrivals, "861") | (destinations or {})
    verdict = judge(
        Expected({"c": expected}, ()), schedule, table, joined, numbers, late_ms, {4_100_000_000}, behaviours
    )
    return verdict, joined


RIGHT = [trigger("a", 1), trigger("b", 2), trigger("", 3, "suppressed", contact=False)]


@pytest.mark.parametrize(
    ("rows", "arrivals", "found", "lost", "wrong", "late"),
    [
        (RIGHT, {"a": 6, "b": 7}, 3, 0, 0, 0),
        (RIGHT[:2], {"a": 6, "b": 7}, 2, 1, 0, 0),  # one never triggered
        (RIGHT, {"a": 6}, 3, 1, 0, 0),  # one was sent and never arrived
        ([*RIGHT[:2], trigger("", 3, "failed", contact=False)], {"a": 6, "b": 7}, 3, 1, 0, 0),
        ([*RIGHT, trigger("d", 5)], {"a": 6, "b": 7, "d": 9}, 3, 0, 1, 0),  # by a message that must not
        ([*RIGHT, trigger("d", 1)], {"a": 6, "b": 7, "d": 9}, 3, 0, 1, 0),  # twice by one message
        (RIGHT, {"a": 6, "b": 7, "stranger": 8}, 3, 0, 1, 0),
        (RIGHT, {"a": 6, "b": 1002}, 3, 0, 0, 1),
        ([*RIGHT, trigger("w", 4_000_000_000)], {"a": 6, "b": 7, "w": 9}, 3, 0, 1, 0),  # cannot be tied
        ([*RIGHT, trigger("w", 4_100_000_000)], {"a": 6, "b": 7, "w": 9}, 3, 0, 0, 0),  # by one woven in
    ],
)
def test_each_fault_is_counted_once(rows, arrivals, found, lost, wrong, late):
    verdict, _ = judged(rows, arrivals)
    assert (verdict.found, verdict.lost, verdict.wrong, verdict.late) == (found, lost, wrong, late)
    assert verdict.as_json()["bad_share"] == pytest.approx((lost + wrong + late) / 3)


def test_acts_of_one_person_at_one_instant_are_one_trigger():
    rows = [{"imsi": "1011"} | row for row in RIGHT[:2]]
    seen = pa.table({"corr": [1, 2, 3], "imsi": [1011] * 3, "t_us": [0, 0, 0]})
    verdict, _ = judged(rows, {"a": 6, "b": 7}, behaviours=seen)
    assert (verdict.found, verdict.merged, verdict.lost) == (2, 1, 0)
    verdict, _ = judged(rows, {"a": 6, "b": 7}, behaviours=seen.set_column(2, "t_us", pa.array([0, 0, 1])))
    assert (verdict.found, verdict.merged, verdict.lost) == (2, 0, 1)


def test_a_text_to_another_number_is_wrong():
    verdict, _ = judged(RIGHT, {"a": 6, "b": 7}, destinations={"b": "862"})
    assert (verdict.lost, verdict.wrong) == (0, 1)


def test_a_hold_stands_apart_from_the_latency():
    # Its message was to be sent at 1 ms, the policy held it until 400 ms.
    _, joined = judged([trigger("a", 2, held_us=400_000)], {"a": 403})
    assert joined.stages["hold_ns"] == [399 * MS]
    assert joined.stages["t_intended_ns"] == [400 * MS]
    assert joined.columns["latency_ns"] == [3 * MS]


def test_what_must_trigger_is_read_from_the_visible_acts(tmp_path):
    plain = tmp_path / "plain.yaml"
    plain.write_text(
        "campaign: plain\naudience: {}\n"
        "scene:\n  begin: {behaviour: call_ended, role: caller, peer: ['10086']}\n"
    )
    staged = tmp_path / "staged.yaml"
    staged.write_text(
        "campaign: staged\nscene:\n  begin: {behaviour: call_ended}\n  dwell: {place: mall, minutes: 5}\n"
    )
    several = tmp_path / "several.yaml"
    several.write_text(
        "campaign: several\nscene:\n"
        "  begin: {behaviour: [call_ended, call_rejected], role: caller, peer: ['10086', '12580']}\n"
    )
    unseen = tmp_path / "unseen.yaml"
    unseen.write_text("campaign: unseen\nscene:\n  begin: {behaviour: [call_ended, daydream]}\n")
    rows = np.zeros(7, VISIBLE)
    rows["kind"], rows["role"], rows["peer"], rows["imsi"] = 12, 1, b"10086", 1011
    rows["corr"] = [1, 2, 3, 4, 5, 6, 90]
    rows["kind"][1], rows["role"][2], rows["peer"][3], rows["imsi"][4] = 13, 2, b"12580", 5
    found = expected_of([plain, staged, several, unseen], rows, ["1011", "1012"], 10)
    assert found.by_campaign == {"plain": frozenset({1, 6}), "several": frozenset({1, 2, 4, 6})}
    assert found.unjudged == ("staged", "unseen")
    assert expected_of([plain], None, ["1011"], 10).unjudged == ("plain",)
