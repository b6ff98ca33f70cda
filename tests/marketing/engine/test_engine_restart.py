"""A platform killed and started again goes on with what it has learned."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from marketing.engine import StateFolder, on_batch, on_timers
from marketing.profiles import Profiles

DAY = "2009-03-02"


def campaigns(town):
    absent = {
        "begin": {"behaviour": "call_started", "role": "caller"},
        "then": [{"not_followed_by": {"behaviour": "call_connected"}, "within_s": 3600}],
    }
    return (
        town.campaign(),
        town.dwell(),
        town.campaign("absent", scene=absent, originator="1008603", hold="drop"),
    )


def rows_before(town):
    return town.batch(
        {"t": f"{DAY} 07:00", "sub": 1, "kind": "power_on"},  # held: quiet hours until 09:00
        {"t": f"{DAY} 09:30", "sub": 3, "kind": "location_update", "cell": town.AIRPORT, "corr": 5},
    )


def rows_after(town):
    return town.batch(
        {"t": f"{DAY} 08:00", "sub": 2, "kind": "power_on"},
        {"t": f"{DAY} 09:40", "sub": 4, "kind": "call_started", "role": 1},
    )


STORES = []


@pytest.fixture(autouse=True)
def _closed():
    yield
    while STORES:
        STORES.pop().close(None)


def opened(folder, state):
    for store in STORES:
        store._writing.join()
    store = StateFolder(folder, every_s=3600, sync_s=3600)
    STORES.append(store)
    resumed = store.resume(state)
    store.begin(state)
    return store, resumed


def brief(decisions):
    return sorted((d.trigger.campaign, d.trigger.row, d.action, d.t_us, d.trigger.corr) for d in decisions)


def run(town, folder, *, kill):
    """Two batches with a stop between; everything that falls due later, as decided."""
    first = town.engine_state(*campaigns(town))
    store, _ = opened(folder, first)
    parts = (rows_before(town)[:1], rows_after(town)[:1], rows_before(town)[1:], rows_after(town)[1:])
    for i, part in enumerate(parts):
        if i == 2:
            store._writing.join()
            store._next_s = 0
            store.tend(first)
            store._writing.join()
        store.journal(part)
        on_batch(first, part, 0)
    if kill:
        second = town.engine_state(*campaigns(town))
        _, resumed = opened(folder, second)
        first.habits.records[:] = 0
        return second, resumed
    return first, None


def test_what_waits_falls_due_after_the_restart(town, tmp_path):
    end = town.at(f"{DAY} 20:00")
    whole, _ = run(town, tmp_path / "whole", kill=False)
    again, resumed = run(town, tmp_path / "killed", kill=True)
    assert resumed.replayed == 2
    assert resumed.snapshot == "snapshot-000001.npz"
    assert resumed.last_us == town.at(f"{DAY} 09:40")
    assert again.habits.records.tobytes() == whole.habits.records.tobytes()
    assert again.features.records.tobytes() == whole.features.records.tobytes()
    expected = brief(on_timers(whole, end))
    assert brief(on_timers(again, end)) == expected
    assert {c for c, *_ in expected} == {"travel", "absent"}


def test_holds_survive(town, tmp_path):
    state = town.engine_state(*campaigns(town))
    store, _ = opened(tmp_path, state)
    for part in (rows_before(town)[:1],):
        store.journal(part)
        (held,) = on_batch(state, part, 0)
    assert held.action == "hold"
    store.close(state)
    again = town.engine_state(*campaigns(town))
    opened(tmp_path, again)
    assert [(d.trigger, d.action) for d in on_timers(again, town.at(f"{DAY} 09:00"))] == [
        (held.trigger, "send")
    ]


def test_nothing_of_the_replay_is_sent(town, tmp_path):
    state = town.engine_state(*campaigns(town))
    store, _ = opened(tmp_path, state)
    part = town.batch({"t": f"{DAY} 10:00", "sub": 1, "kind": "power_on"})
    store.journal(part)
    assert [d.action for d in on_batch(state, part, 0)] == ["send"]
    again = town.engine_state(*campaigns(town))
    _, resumed = opened(tmp_path, again)
    assert resumed.not_sent == 1
    assert not again.book.counted(1, 200903)


def test_nothing_follows_a_contact_that_was_decided_and_never_reserved(town, tmp_path):
    """The snapshot has the follow-up; the ledger, which the book is made from, has no contact."""
    both = (
        town.campaign(follow_ups=[{"after_s": 3600, "campaign": "later"}]),
        town.campaign("later", mode="follow_up", scene=None, originator="1008604"),
    )
    for known in (False, True):
        state = town.engine_state(*both)
        store, _ = opened(tmp_path / str(known), state)
        (sent,) = on_batch(state, town.batch({"t": f"{DAY} 10:00", "sub": 1, "kind": "power_on"}), 0)
        store.close(state)
        again = town.engine_state(*both)
        if known:
            span = sent.contact.span
            again.book.restore(1, "alert", span.period, span.day, sent.contact.ordinal, at_us=sent.t_us)
        opened(tmp_path / str(known), again)
        found = [d.trigger.campaign for d in on_timers(again, town.at(f"{DAY} 12:00"))]
        assert found == (["later"] if known else [])


def test_another_extract_is_gone_into_by_imsi(town, tmp_path):
    state = town.engine_state()
    store, _ = opened(tmp_path, state)
    on_batch(state, town.batch({"t": f"{DAY} 10:00", "sub": 7, "kind": "sms_sent"}), 0)
    store.close(state)
    kept = [3, 7, 8]
    people = Profiles.of(
        {"imsi": [f"{town.imsi(s):015d}" for s in kept], "msisdn": [town.msisdn(s) for s in kept]}
    )
    again = town.engine_state(people=people)
    _, resumed = opened(tmp_path, again)
    assert resumed.subscribers == 3
    assert again.habits.records["act_s"].tolist() == [0, town.at(f"{DAY} 10:00") // 1_000_000, 0]


def test_a_damaged_snapshot_is_passed_over(town, tmp_path):
    state = town.engine_state()
    store, _ = opened(tmp_path, state)
    rows = town.batch({"t": f"{DAY} 10:00", "sub": 7, "kind": "sms_sent"})
    store.journal(rows)
    on_batch(state, rows, 0)
    store._writing.join()
    (snapshot,) = tmp_path.glob("snapshot-*.npz")
    snapshot.write_bytes(snapshot.read_bytes()[:100])
    with (tmp_path / "tail-000000.rows").open("ab") as tail:
        tail.write(b"half a row")
    again = town.engine_state()
    _, resumed = opened(tmp_path, again)
    assert (resumed.snapshot, resumed.replayed, resumed.partial) == ("", 1, 1)
    assert again.habits.records["act_s"][7]


CHILD = """
import sys, importlib.util
spec = importlib.util.spec_from_file_location("town", sys.argv[1])
town = importlib.util.module_from_spec(spec)
spec.loader.exec_module(town)
from pathlib import Path
from marketing.engine import StateFolder, on_batch
state = town.engine_state(town.campaign())
store = StateFolder(Path(sys.argv[2]), every_s=0.01, sync_s=0.01)
store.resume(state)
store.begin(state)
taken = 0
while True:
    t = town.at("2009-03-02 10:00") + taken * 1_000_000
    rows = town.batch({"t": t, "sub": taken % 10, "kind": "sms_sent"})
    store.journal(rows)
    on_batch(state, rows, 0)
    store.tend(state)
    taken += 1
    print(taken, flush=True)
"""


@pytest.mark.parametrize("after", [5, 60])
def test_killed_by_the_system(town, tmp_path, after):
    """Whatever the child had taken in when it was killed is known afterwards."""
    helpers = Path(__file__).parents[1] / "conftest.py"
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(helpers), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        taken = 0
        while taken < after:
            taken = int(child.stdout.readline())
    finally:
        os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read().split()
        child.wait()
        child.stdout.close()
    taken = int(rest[-1]) if rest else taken
    state = town.engine_state(town.campaign())
    resumed = StateFolder(tmp_path, every_s=60, sync_s=60).resume(state)
    expected = town.at(f"{DAY} 10:00") // 1_000_000 + taken - 1
    # A row more may have been taken in than the child could tell of.
    assert int(state.habits.records["act_s"].max()) in (expected, expected + 1)
    assert resumed.last_us // 1_000_000 in (expected, expected + 1)
    assert np.count_nonzero(state.habits.records["act_s"]) in (min(10, taken), min(10, taken + 1))
