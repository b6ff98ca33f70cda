"""Signalling bytes in, SMPP out, through the real collector: in this process, and over SCTP."""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

from marketing.behaviours import BEHAVIOUR
from sigtran import TransportUnavailable, choose, connect
from sigtran.association import AspActive, AspSide, BeatAck
from sigtran.batch import MessageBatch
from sigtran.m3ua import DataMessage, encode
from sim.backoffice.boss import Boss, BossDoor, Customer
from sim.bssap.procedures import Params, ladder
from smpp.status import CommandStatus

DAY = "2009-03-02"
SECOND = 1_000_000


class Tap:
    """The simulator's end: ladders as M3UA, beats as marks and barriers."""

    def __init__(self, address):
        self.association = connect(
            address["transport"],
            address["host"],
            address["port"],
            encap_port=address["encap_port"],
            streams=8,
        )
        self.side = AspSide(time.monotonic_ns())
        self.sent = 0
        self.references = 1
        self.side.start(time.monotonic_ns())
        self._receive(AspActive)

    def _receive(self, wanted, timeout_s=40.0):
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            if out := self.side.pending():
                self.association.send(MessageBatch.from_messages(out, 0))
            self.association.wait(0.05)
            batch = self.association.receive()
            events = [e for m in batch or () for e in self.side.receive(m, time.monotonic_ns())]
            found = [e for e in events if isinstance(e, wanted)]
            if found:
                return found[-1]
        raise AssertionError(f"no {wanted.__name__}")

    def play(self, kind, **params):
        self.references += 1
        steps = ladder(kind, Params(bss_ref=self.references, msc_ref=self.references + 1000, **params))
        out = []
        for step in steps:
            self.sent += 1
            opc, dpc = (257, 1) if step.uplink else (1, 257)
            sls = self.references % 16
            out.append(encode(DataMessage(opc, dpc, 3, 2, sls, step.payload, correlation_id=self.sent)))
        stream = 1 + self.references % 16 % (self.association.streams - 1)
        self.association.send(MessageBatch.from_messages(out, stream))
        return self.sent

    def beat(self, world_s, wait=False):
        data = struct.pack("!QQ", world_s * SECOND, self.sent)
        self.association.send(
            MessageBatch.from_messages([struct.pack("!BBBBIHH", 1, 0, 3, 3, 28, 9, 20) + data], 0)
        )
        if wait:
            while self._receive(BeatAck).data != data:
                pass  # acknowledgements come in order: an earlier mark's

    def close(self):
        self.association.close()


def seconds(clock):
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(rest)


def story(town, tap, centre, fresh):
    """3 switches on at night, calls the hotline by day and orders; 5 waits at the airport; 6 says TD."""

    def digits(i):
        return f"{town.imsi(i):015d}"

    there = {"lac": town.AIRPORT[0], "ci": town.AIRPORT[1]}
    home = {"lac": town.HOME[0], "ci": town.HOME[1]}
    tap.play("lu_attach", imsi=digits(3), tmsi=None, identity="imsi", new_tmsi=33, **home)
    tap.beat(seconds("07:00:01"))
    tap.beat(seconds("07:00:05"), wait=True)
    assert centre.submits == []
    tap.beat(seconds("09:00:00"), wait=True)
    assert [s.destination_addr for s in centre.submits] == [town.msisdn(3)]
    tap.play("mo_call_answered", imsi=digits(3), tmsi=33, called="10086", **home)
    tap.beat(seconds("10:00:03"))
    tap.play("lu_normal", imsi=digits(5), tmsi=None, identity="imsi", new_tmsi=55, **there)
    tap.beat(seconds("10:00:04"))
    tap.play("lu_attach", imsi=digits(6), tmsi=None, identity="imsi", new_tmsi=66, **home)
    tap.beat(seconds("10:00:05"), wait=True)
    assert [s.destination_addr for s in centre.submits[1:]] == [town.msisdn(3), town.msisdn(6)]
    assert centre.reply(town.msisdn(3), "1008603", "Y", town.at(f"{DAY} 10:02:00")) == CommandStatus.ESME_ROK
    assert centre.reply(town.msisdn(6), "1008601", "TD", town.at(f"{DAY} 10:02:00")) == CommandStatus.ESME_ROK
    tap.beat(seconds("10:05:00"), wait=True)
    assert len(centre.cancels) == 1
    tap.beat(seconds("10:45:05"), wait=True)
    assert [s.destination_addr for s in centre.submits[3:]] == [town.msisdn(5)] * 2, "two parts"


def check(town, records):
    found = [
        (t["campaign"], t["msisdn"][-1], t["state"], t["timer"], t["held_until_us"] > 0)
        for t in records.triggers
    ]
    assert found == [
        ("missed-call-alert", "3", "sent", False, True),
        ("hang-up-sms", "3", "sent", False, False),
        ("missed-call-alert", "6", "sent", False, False),
        ("airport-travel", "5", "sent", True, False),
    ]
    assert records.collector["errors"] == {}
    assert records.collector["received"] == records.collector["decoded"] > 40
    assert records.triggers[1]["t_us"] == town.at(f"{DAY} 10:00:03")
    assert records.triggers[3]["t_us"] == town.at(f"{DAY} 10:45:04")


def test_in_this_process_over_memory(town, platform):
    one = platform(collector={"transport": "memory", "host": "tap", "port": 0}, by_hand=False)
    tap = Tap(one.server.addresses["collector"])
    story(town, tap, one.centre, one)
    tap.close()
    assert one.stop() == 0
    check(town, one.records())
    assert [(o["msisdn"], o["offer"]) for o in one.orders] == [(town.msisdn(3), "e-bill")]


@pytest.fixture
def sctp():
    try:
        return choose("auto").kind
    except TransportUnavailable as error:
        pytest.skip(f"no SCTP here: {error}")


def start(one, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-m", "marketing", str(one.folder / "platform.yaml"), *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_as_a_process_over_sctp(town, dormant, sctp):
    one = dormant(
        collector={"transport": sctp, "port": 0, "encap_port": 0},
        smpp={"port": "centre"},
        boss={"url": "http://127.0.0.1:9"},
    )
    customers = [
        Customer(town.msisdn(i), f"{town.imsi(i):015d}", "gotone", "zh", True, False, ()) for i in range(20)
    ]
    boss = Boss(customers)
    with BossDoor(boss) as door:
        one.write(boss={"url": door.url})
        child = start(one)
        try:
            assert child.stdout is not None
            ready = json.loads(child.stdout.readline())
            tap = Tap(ready["collector"])
            story(town, tap, one.centre, one)
            tap.close()
        finally:
            child.send_signal(signal.SIGTERM)
            _, log = child.communicate(timeout=40)
        assert child.returncode == 0, log
    check(town, one.records())
    assert [(o.msisdn, o.offer) for o in boss.orders()] == [(town.msisdn(3), "e-bill")]


def test_a_killed_process_goes_on_and_says_what_it_has_not_seen(town, dormant, sctp):
    """5 comes to the airport at ten; the platform is killed and starts again at ten to eleven."""
    one = dormant(
        mode="live",
        clock={"mode": "live", "start_s": 36_000},
        collector={"transport": sctp, "port": 0, "encap_port": 0},
        smpp={"port": "centre"},
        boss={"url": "http://127.0.0.1:9"},
        state={"dir": "state"},
        ledger={"url": "sqlite:///ledger.db"},
    )
    there = {"lac": town.AIRPORT[0], "ci": town.AIRPORT[1]}
    digits = [f"{town.imsi(i):015d}" for i in range(20)]

    def journaled():
        tails = (one.folder / "state").glob("tail-*.rows")
        return sum(path.stat().st_size for path in tails) // BEHAVIOUR.itemsize

    child = start(one)
    try:
        tap = Tap(json.loads(child.stdout.readline())["collector"])
        tap.play("lu_normal", imsi=digits[5], tmsi=None, identity="imsi", new_tmsi=55, **there)
        tap.play("mo_call_answered", imsi=digits[5], tmsi=55, called="12345", **there)
        one.until(lambda: journaled() >= 3)
    finally:
        child.kill()
        child.communicate(timeout=40)
    tap.close()
    taken_in = journaled()
    assert one.centre.submits == []
    one.write(clock={"start_s": 36_000 + 3_000})
    child = start(one)
    try:
        tap = Tap(json.loads(child.stdout.readline())["collector"])
        # The stay has lasted three quarters of an hour meanwhile.
        one.until(lambda: len(one.centre.submits) == 2)
        tap.play("lu_attach", imsi=digits[6], tmsi=None, identity="imsi", new_tmsi=66, **there)
        one.until(lambda: len(one.centre.submits) == 3)
    finally:
        child.send_signal(signal.SIGTERM)
        _, log = child.communicate(timeout=40)
    tap.close()
    assert child.returncode == 0, log
    said = re.search(
        r"goes on with 20 subscribers from snapshot-\d+.npz and (\d+) behaviours after it; "
        r"nothing was seen in the ([\d.]+) s since (\d+) us; 0 triggers",
        log,
    )
    assert said, log
    assert int(said[1]) == taken_in
    last_us, ten_us = int(said[3]), town.at(f"{DAY} 10:00")
    assert ten_us <= last_us < ten_us + 120 * SECOND
    # From the last behaviour to the clock at the second start, which shows ten to eleven and some seconds.
    assert ten_us + 3_000 * SECOND <= last_us + float(said[2]) * SECOND < ten_us + 3_120 * SECOND
    stay, power = sorted(one.records().triggers, key=lambda t: t["timer"], reverse=True)
    assert (stay["campaign"], stay["msisdn"], stay["state"]) == ("airport-travel", town.msisdn(5), "sent")
    assert ten_us < stay["t_us"] - 2700 * SECOND < ten_us + 120 * SECOND, (
        "since he came, not since the restart"
    )
    assert stay["decided_us"] >= ten_us + 3_000 * SECOND
    assert (power["campaign"], power["msisdn"]) == ("missed-call-alert", town.msisdn(6))
    assert (one.config.records.dir / "killed-1" / "behaviours.parquet").exists()


def test_a_wrong_configuration_is_explained(town, dormant):
    one = dormant(clock={"mode": "lokstep", "epoch": None})
    child = start(one)
    out, err = child.communicate(timeout=40)
    assert (child.returncode, out) == (2, "")
    assert "clock.mode = 'lokstep'" in err
    assert "Did you mean 'lockstep'?" in err


def test_a_taken_port_is_explained(town, dormant):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        one = dormant(http={"port": taken.getsockname()[1]})
        child = start(one)
        _, err = child.communicate(timeout=40)
    assert child.returncode == 1
    assert "HTTP door" in err
    assert "http.port" in err
