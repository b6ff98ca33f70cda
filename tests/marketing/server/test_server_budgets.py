"""Budgets through the whole platform: for any number of workers, over killed workers and restarts."""

import json
import os
import signal

import pytest

DAY = "2009-03-02"
MOST = 7


def folder_of(path, **budgets):
    """Campaigns that each want whoever ends a call or sends a short message."""
    path.mkdir()
    for number, (name, budget) in enumerate(budgets.items()):
        values = {
            "campaign": name, "title": "t", "offer": "o", "priority": 5 - number, "budget": budget,
            "content": {"en": name}, "originator": f"100860{number}",
            "scene": {"begin": {"behaviour": ["call_ended", "sms_sent"]}},
        }  # fmt: skip
        (path / f"{name}.yaml").write_text(json.dumps(values))
    return {"campaigns": (), "campaigns_dir": str(path)}


def calls(clock, *subs):
    return [{"t": f"{DAY} {clock}", "sub": sub, "kind": "call_ended", "role": 1} for sub in subs]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_same_contacts_for_any_number_of_workers(town, platform, tmp_path, workers):
    one = platform(
        workers=workers, **folder_of(tmp_path / "c", few=MOST, daily={"contacts": 3, "per": "day"})
    )
    one.tick(f"{DAY} 10:00:05", *calls("10:00:01", *range(5)))
    one.tick(f"{DAY} 10:00:10", *calls("10:00:06", *range(5, 20)))
    one.tick("2009-03-03 10:00:05", *[row | {"t": "2009-03-03 10:00:01"} for row in calls("", *range(20))])
    assert one.stop() == 0
    records = one.records()
    sent = [
        (row["campaign"], row["msisdn"], row["t_us"]) for row in records.triggers if row["state"] == "sent"
    ]
    few = [row for row in sent if row[0] == "few"]
    daily = [[row for row in sent if row[0] == "daily" and (row[2] > town.at("2009-03-03 00:00")) is later]
             for later in (False, True)]  # fmt: skip
    assert [len(few), *map(len, daily)] == [MOST, 3, 3]
    assert {row["reason"] for row in records.triggers if row["state"] == "suppressed"} >= {"budget"}
    assert len(records.ledger) == len(one.centre.submits) == MOST + 6


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_strands_nothing_of_a_budget(town, platform, tmp_path, workers):
    """Live: to the last contact after a kill, and not one more."""
    keys = {
        "mode": "live",
        "workers": workers,
        "clock": {"mode": "live", "start_s": 36_000},
        "ledger": {"url": f"sqlite:///{tmp_path}/ledger.db"},
        "state": {"dir": str(tmp_path / "state")},
        **folder_of(tmp_path / "c", few=MOST),
    }
    first = platform(**keys)
    first.push(*calls("10:00:00", *range(3)))
    first.until(lambda: len(first.centre.submits) == 3)
    first.push(*calls("10:00:01", 3))
    if workers > 1:
        os.kill(first.server.engine.pids[-1], signal.SIGKILL)
        first.thread.join(30)
        assert first.code == 3
    else:
        first.stop()
    reserved = len(first.records().ledger)
    assert reserved in (3, 4)
    second = platform(**keys)
    for sub in range(4, 20):
        second.push(*calls("10:00:02", sub))
    second.until(lambda: len(second.centre.submits) == MOST - reserved)
    assert second.stop() == 0
    rows = second.records().ledger
    assert len(rows) == MOST
    assert all(row["counted"] for row in rows)
    assert "budget" in {row["reason"] for row in second.records().triggers}
    handsets = [s.destination_addr for one in (first, second) for s in one.centre.submits]
    assert len(handsets) == len(set(handsets)) <= MOST
