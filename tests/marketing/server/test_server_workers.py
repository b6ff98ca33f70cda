"""The server with its engine divided over processes: the same records, and an end in order."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from marketing.behaviours import BEHAVIOUR, DERIVED, empty
from sim.run import Run, build
from sim.scenario import load_world
from sim.sinks import Nothing

TOWN = Path(__file__).parents[3] / "scenarios" / "worlds" / "town.yaml"
DAY = "2009-03-02"
WORLD_DAY = "2007-06-04T00:00:00"
HOUR_US = 3_600_000_000
CALL = {"kind": "call_ended", "role": 1, "peer": b"10086"}
CROWD = """campaign: crowd
title: c
scene: {begin: {behaviour: [call_ended, sms_sent, power_on]}, if: now.crowd > 60}
offer: o
content: {en: hello, zh: 你好}
originator: '1008607'
hold: release
"""


class Shown(Nothing):
    def __init__(self):
        self.rows = []

    def visible(self, rows):
        self.rows.append(rows)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """Files of a town, and its visible acts of a day since the world's epoch."""
    folder = tmp_path_factory.mktemp("town")
    world, shown = build(load_world(TOWN), 1), Shown()
    run = Run(world, sink=shown, tick_us=600_000_000, end_us=24 * HOUR_US, messages=False)
    while run.step() < 24 * HOUR_US:
        pass
    visible = np.concatenate(shown.rows)
    visible = visible[~np.isin(visible["kind"], sorted(int(kind) for kind in DERIVED))]
    batch = empty(len(visible))
    for name in set(BEHAVIOUR.names) & set(visible.dtype.names):
        batch[name] = visible[name]
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(dict(world.population.extract())), folder / "people.parquet")
    world.topology.cells_csv(folder / "cells.csv")
    return folder, batch[np.argsort(batch["t_us"], kind="stable")]


def lived(town, platform, day, workers):
    """A day in ticks of ten minutes, answered by stop codes and orders: hashes of what is written down."""
    folder, batch = day
    (folder / "crowd.yaml").write_text(CROWD)
    one = platform(
        workers=workers,
        clock={"epoch": WORLD_DAY},
        subscribers=str(folder / "people.parquet"),
        cells=str(folder / "cells.csv"),
        campaigns=["missed-call-alert", "airport-travel", "hang-up-sms", str(folder / "crowd")],
        silence={"t3212_h": 1.0, "periods": 2},
    )
    midnight_us = town.at(WORLD_DAY)
    answered = set()
    ends_us = midnight_us + np.arange(1, 24 * 6 + 1) * (HOUR_US // 6)
    for start, stop, end_us in zip(
        np.searchsorted(batch["t_us"], ends_us - HOUR_US // 6).tolist(),
        np.searchsorted(batch["t_us"], ends_us).tolist(),
        ends_us.tolist(),
        strict=True,
    ):
        one.tick_of(end_us, batch[start:stop])
        for submit in sorted(one.centre.submits, key=lambda s: (s.destination_addr, s.source_addr)):
            number = submit.destination_addr
            if number not in answered and len(answered) < 200:
                answered.add(number)
                text = "TD" if len(answered) % 2 else "1"
                one.centre.reply(number, submit.source_addr, text, end_us + 1_000_000)
    assert one.stop() == 0
    records = one.records()
    derived = sorted(json.dumps(row, sort_keys=True) for row in records.behaviours)
    tables = {"triggers": records.triggers, "ledger": records.ledger, "behaviours": derived}
    orders = sorted(json.dumps(order, sort_keys=True) for order in one.orders)
    said = {
        name: hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
        for name, table in (*tables.items(), ("orders", orders), ("contacts", one.centre.texts()))
    }
    return said, records


def test_a_town_day_is_the_same_for_any_number_of_workers(town, platform, day):
    (expected, records), *others = (lived(town, platform, day, n) for n in (1, 2, 3))
    sent = {(t["campaign"], t["state"]) for t in records.triggers}
    assert {("crowd", "sent"), ("crowd", "held"), ("missed-call-alert", "sent")} <= sent
    assert {t["reason"] for t in records.triggers} >= {"", "duplicate", "do_not_disturb"}
    assert any(row["kind"] == 7 for row in records.behaviours), "somebody falls silent"
    for found, _ in others:
        assert found == expected


RACERS = 12
CAP = 2


def race(folder):
    """Campaigns that all want whoever texts or telephones, each with a sender of its own."""
    folder.mkdir()
    for number in range(RACERS):
        kinds = ("sms_sent", "call_ended") if number % 2 else ("call_ended", "sms_sent")
        values = {
            "campaign": f"racer-{number:02}", "title": "t", "offer": "o", "priority": number % 5,
            "content": {"en": f"racer {number}"}, "originator": f"100860{number:02}",
            "scene": {"begin": {"behaviour": list(kinds)}},
        }  # fmt: skip
        (folder / f"{values['campaign']}.yaml").write_text(json.dumps(values))
    return str(folder)


def burst(one, town, clock, seed):
    """Everybody does several things within milliseconds, handed over in small pieces."""
    draws = np.random.default_rng(seed)
    for start_ms in range(0, 60, 6):
        acts = [
            {"t": town.at(f"{DAY} {clock}") + (start_ms + int(draws.integers(6))) * 1000, "sub": sub,
             "kind": ("sms_sent", "call_ended")[int(draws.integers(2))], "role": 1}
            for sub in draws.permutation(20).tolist()
        ]  # fmt: skip
        one.push(*sorted(acts, key=lambda act: act["t"]))


def handsets(*platforms):
    found = {}
    for one in platforms:
        for submit in one.centre.submits:
            found[submit.destination_addr] = found.get(submit.destination_addr, 0) + 1
    return found


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_many_campaigns_want_one_subscriber_within_milliseconds(town, platform, tmp_path, workers):
    """No handset gets more than the cap: not at once, not after a lost worker, not after a restart."""
    keys = {
        "mode": "live",
        "workers": workers,
        "campaigns": (),
        "campaigns_dir": race(tmp_path / "racers"),
        "clock": {"mode": "live", "start_s": 36_000},
        "ledger": {"url": f"sqlite:///{tmp_path}/ledger.db"},
        "state": {"dir": str(tmp_path / "state")},
    }
    first = platform(**keys)
    burst(first, town, "10:00", seed=1)
    first.until(lambda: len(first.centre.submits) >= 10)
    burst(first, town, "10:00:01", seed=2)
    if workers > 1:
        os.kill(first.server.engine.pids[-1], signal.SIGKILL)
        first.thread.join(30)
        assert first.code == 3
    else:
        first.stop()
    second = platform(**keys)
    burst(second, town, "10:00:02", seed=3)
    second.until(lambda: sum(handsets(first, second).values()) >= 20 * CAP - lost(first))
    burst(second, town, "10:00:03", seed=4)
    assert second.stop() == 0
    found = handsets(first, second)
    assert set(found) == {town.msisdn(sub) for sub in range(20)}
    assert max(found.values()) == CAP
    counted = {}
    for row in second.records().ledger:
        counted[row["msisdn"]] = counted.get(row["msisdn"], 0) + row["counted"]
    assert set(counted.values()) == {CAP}
    reasons = {t["reason"] for t in second.records().triggers}
    assert "cap" in reasons


def lost(one):
    """Contacts that were reserved and perhaps never left when the platform ended: they count."""
    return sum(row["state"] != "submitted" for row in one.records().ledger)


@pytest.mark.parametrize("mode", ["live", "lockstep"])
def test_a_killed_worker_ends_the_platform_in_order(town, platform, mode):
    clock = {"mode": mode, **({"start_s": 36_000} if mode == "live" else {})}
    one = platform(mode=mode, workers=2, clock=clock)
    if mode == "live":
        one.push({"t": f"{DAY} 10:00", "sub": 1, **CALL})
        one.until(lambda: len(one.centre.submits) == 1)
    else:
        one.tick(f"{DAY} 10:00:05", {"t": f"{DAY} 10:00:03", "sub": 1, **CALL})
    os.kill(one.server.engine.pids[1], signal.SIGKILL)
    one.thread.join(30)
    assert not one.thread.is_alive()
    assert one.code == 3
    assert "worker 1" in one.server.reason
    assert "SIGKILL" in one.server.reason
    (trigger,) = one.records().triggers
    assert trigger["state"] == "sent"
    assert len(one.records().ledger) == 1


def test_health_and_metrics_of_workers(town, platform):
    import http.client

    one = platform(mode="live", workers=2, clock={"mode": "live", "start_s": 36_000})
    one.push(*({"t": f"{DAY} 10:00", "sub": sub, **CALL} for sub in range(20)))
    one.until(lambda: len(one.centre.submits) == 20)

    def get(path):
        connection = http.client.HTTPConnection("127.0.0.1", one.server.addresses["http"]["port"], timeout=10)
        connection.request("GET", path, headers=one.door[1])
        body = connection.getresponse().read().decode()
        connection.close()
        return body

    assert json.loads(get("/healthz"))["workers"] == 2
    text = get("/metrics")
    taken = [
        float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("kairos_worker_beh")
    ]
    assert len(taken) == 2
    assert sum(taken) == 20
    assert 'kairos_worker_cpu_seconds{worker="1"}' in text
    assert 'kairos_loop_seconds{stage="idle"}' in text
    assert one.stop() == 0
    loop = json.loads((one.config.records.dir / "loop.json").read_text())
    spent = dict(zip(loop["columns"], loop["rows"][-1], strict=True))
    assert all(spent[stage] > 0 for stage in ("idle", "engine", "decide", "ledger", "records", "messages"))


def test_ctrl_c_ends_platform_and_workers(town, dormant):
    one = dormant(
        mode="live", workers=2, clock={"mode": "live", "start_s": 36_000}, smpp={"port": "centre"},
        collector={"transport": "none", "taps": ["pipe"]},
    )  # fmt: skip
    os.mkfifo(one.folder / "pipe")
    child = subprocess.Popen(
        [sys.executable, "-m", "marketing", str(one.folder / "platform.yaml")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert json.loads(child.stdout.readline())["ready"]
        workers = children_of(child.pid)
        assert len(workers) == 2
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does
        _, said = child.communicate(timeout=30)
        assert child.returncode == 0, said
        assert "Traceback" not in said
    finally:
        child.kill()
        child.wait()
    end = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < end, "a worker is left behind"
        time.sleep(0.01)


def children_of(pid):
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in text.split()]
