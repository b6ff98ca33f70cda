"""The server by the wall: latency, losses, timers by the clock, HTTP."""

import http.client
import json
import threading
import time
from datetime import UTC, datetime

import pytest

from marketing.clock import Clock
from smpp.status import CommandStatus

CALL = {"kind": "call_ended", "role": 1, "peer": b"10086"}
DAY = "2009-03-02"


def live(platform, start="10:00", factor=1.0, **changes):
    hours, minutes = map(int, start.split(":"))
    return platform(
        mode="live",
        clock={"mode": "live", "start_s": hours * 3600 + minutes * 60, "factor": factor},
        **changes,
    )


def test_a_trigger_goes_out_at_once_with_its_stamps(town, platform):
    one = live(platform)
    latencies = []
    for i in range(10):
        sent_ns = time.monotonic_ns()
        one.push(
            {
                "t": f"{DAY} 10:00",
                "sub": i,
                "received_ns": sent_ns,
                "decoded_ns": sent_ns + 1,
                "corr": i + 1,
                **CALL,
            }
        )
        one.until(lambda i=i: len(one.centre.submits) > i)
        latencies.append((one.centre.arrived[i] - sent_ns) / 1e6)
    assert sorted(latencies)[5] < 300, latencies
    assert one.stop() == 0
    for trigger in one.records().triggers:
        stamps = [
            trigger[f"t_{name}_ns"] for name in ("received", "decoded", "matched", "decided", "submitted")
        ]
        assert stamps == sorted(stamps)
        assert stamps[0] > 0
        assert trigger["state"] == "sent"


def test_dwell_timers_run_by_the_clock(town, platform):
    one = live(platform, factor=3600.0)
    began_us = one.server.clock.now_us()
    one.push({"t": began_us, "sub": 1, "kind": "location_update", "cell": town.AIRPORT})
    one.until(lambda: len(one.centre.submits) == 2)
    one.stop()
    (trigger,) = one.records().triggers
    assert trigger["timer"]
    assert trigger["t_us"] == began_us + 2_700_000_000
    assert trigger["t_us"] <= trigger["decided_us"] < trigger["t_us"] + 3600 * 5_000_000


def test_night_is_kept_by_the_clock(town, platform):
    one = live(platform, start="21:30")
    one.push({"t": f"{DAY} 21:30", "sub": 1, "kind": "power_on"}, {"t": f"{DAY} 21:30", "sub": 2, **CALL})
    one.until(lambda: sum(one.server.records.counts().values()) == 2)
    one.stop()
    assert {t["state"] for t in one.records().triggers} == {"held", "suppressed"}


def test_live_goes_on_after_losses(town, platform):
    one = live(platform)
    one.push({"t": f"{DAY} 10:00", "sub": 1, **CALL})
    one.until(lambda: len(one.centre.submits) == 1)
    one.signalling.lose()
    one.centre.run(one.centre.server.close())
    one.until(lambda: not one.server.channels.bound("sms"))
    one.signalling.status = "up"
    one.push({"t": f"{DAY} 10:00", "sub": 2, **CALL})
    one.until(lambda: one.server.records.counts().get("failed") == 1)
    assert one.stop() == 0
    failed = next(t for t in one.records().triggers if t["state"] == "failed")
    entry = next(e for e in one.records().ledger if e["contact_id"] == failed["contact_id"])
    assert (entry["state"], entry["counted"]) == ("failed", False)


def test_an_unanswered_submission_counts_and_is_not_repeated(town, platform):
    one = live(platform, start="10:00")
    gone = threading.Event()

    def vanish(body):
        gone.set()
        one.centre.server.peers[0]._link.transport.abort()
        return CommandStatus.ESME_ROK

    one.centre.answer = vanish
    one.push({"t": f"{DAY} 10:00", "sub": 1, **CALL})
    one.until(lambda: one.server.records.counts().get("failed") == 1)
    one.stop()
    assert len(one.centre.submits) == 1
    (entry,) = one.records().ledger
    assert (entry["state"], entry["counted"]) == ("unknown", True)
    again = live(platform, ledger={"url": one.config.ledger.url})
    again.push({"t": f"{DAY} 10:00", "sub": 1, **CALL})
    again.until(lambda: again.server.records.counts() == {"suppressed": 1})
    again.stop()
    assert again.records().triggers[0]["reason"] == "duplicate"


def get(one, path):
    connection = http.client.HTTPConnection("127.0.0.1", one.server.addresses["http"]["port"], timeout=10)
    connection.request("GET", path, headers=one.door[1])
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body.decode()


def test_health_and_metrics(town, platform):
    one = live(platform)
    one.push({"t": f"{DAY} 10:00", "sub": 1, **CALL}, {"t": f"{DAY} 10:00", "imsi": 5, **CALL})
    one.until(lambda: len(one.centre.submits) == 1)
    status, body = get(one, "/healthz")
    health = json.loads(body)
    assert (status, health["healthy"], health["smpp"], health["behaviours"]) == (200, True, "bound", 2)
    assert health["campaigns"] == ["airport-travel", "hang-up-sms", "missed-call-alert"]
    status, body = get(one, "/metrics")
    assert status == 200
    assert 'kairos_triggers_total{campaign="hang-up-sms",outcome="send",reason=""} 1.0' in body
    assert "kairos_behaviours_unknown_subscriber 1.0" in body
    assert town.msisdn(1) not in body
    one.signalling.lose()
    status, body = get(one, "/healthz")
    assert (status, json.loads(body)["healthy"]) == (503, False)


def test_clock_modes():
    wall = Clock()
    assert abs(wall.now_us() - datetime.now(UTC).timestamp() * 1e6) < 1e6
    assert wall.stamp_ns() > 0
    fast = Clock("live", 1_000_000, 100.0, time.monotonic_ns() - 1_000_000_000)
    assert 101_000_000 <= fast.now_us() < 200_000_000
    assert fast.real_s_until(fast.now_us() + 100_000_000) == pytest.approx(1.0, abs=0.1)
    assert fast.real_s_until(0) == 0
    told = Clock("lockstep", 5)
    assert (told.now_us(), told.stamp_ns()) == (5, 0)
    told.set_us(7)
    assert told.now_us() == 7
    with pytest.raises(ValueError, match="went back"):
        told.set_us(6)
    with pytest.raises(ValueError, match="by itself"):
        wall.set_us(1)
    with pytest.raises(ValueError, match="above 0"):
        Clock(factor=0)
