"""Captures as sources of the collector: files and pipes, several at once, with associations, damaged."""

import io
import itertools
import logging
import os
import threading
import time

import numpy as np
import pytest

from marketing.behaviours import concatenate
from marketing.clock import Clock
from marketing.collect import Collector, TapError, Taps
from marketing.config import CollectorConfig
from sigtran import MessageBatch, connect
from sigtran.association import AspSide
from sigtran.capture import CaptureWriter, Framing

EPOCH_US = 1_236_528_000_000_000
SECOND = 1_000_000
_ports = itertools.count(26_000)


def octets_of(messages, framing=None):
    """A capture of timed messages, in the order of time."""
    file = io.BytesIO()
    messages = sorted(messages, key=lambda m: m.t_us)
    with CaptureWriter(file, framing=framing) as writer:
        times = np.array([EPOCH_US + m.t_us for m in messages], dtype=np.int64)
        writer.write(times, MessageBatch.from_messages([m.octets for m in messages], 1))
    return file.getvalue()


@pytest.fixture
def make():
    made = []

    def collector(mode="live", **keys):
        # The clock stands in the evening of the captures' day: behind their times there would be no holding.
        clock = Clock(mode, epoch_us=EPOCH_US + (0 if mode == "lockstep" else 50_000 * SECOND))
        keys = {"transport": "memory", "port": next(_ports), **keys}
        made.append(Collector(CollectorConfig(**keys), clock, epoch_us=EPOCH_US))
        return made[-1]

    yield collector
    for one in made:
        one.close()


def drain(collector, until=None, timeout_s=20.0):
    """Everything that comes until `until` holds (the taps are over)."""
    until = until or (lambda: collector.over and not collector.correlator.holding)
    found, end = [], time.monotonic() + timeout_s
    while True:
        found += collector.poll()
        if until() and not collector.wait(0):
            return found
        assert time.monotonic() < end, "it did not happen"
        collector.wait(0.05)


def whole(collector, found):
    return concatenate([*found, collector.flush()])


def stories(wire, n=6):
    """Acts of one subscriber, one after the other: known by IMSI first, then by the TMSI given."""
    kinds = ("lu_attach", "mo_call_answered", "mo_sms", "detach")
    return [
        wire.story(
            kinds[i % 4],
            (1 + 90 * i) * SECOND,
            identity="tmsi" if i % 4 else "imsi",
            bss_ref=10 + i,
            msc_ref=50 + i,
        )
        for i in range(n)
    ]


def flat(stories):
    return [m for story in stories for m in story]


FRAMINGS = [Framing(), Framing(form="pcap", link="cooked2"), Framing(ip=6, udp_port=9899, bundle_us=1000)]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_file_gives_behaviours_with_the_times_of_the_capture(wire, make, tmp_path, framing):
    messages = wire.story("lu_attach", identity="imsi") + wire.story("detach", 9 * SECOND)
    (tmp_path / "a").write_bytes(octets_of(messages, framing))
    collector = make(taps=[str(tmp_path / "a")])
    assert collector.state() == "up"
    batch = whole(collector, drain(collector))
    shifted = wire.plain(wire.behaviours(messages))
    late = framing.bundle_us
    assert wire.told(batch) == ["power_on", "power_off"]
    for row, (t_us, *_) in zip(batch, shifted, strict=True):
        assert 0 <= int(row["t_us"]) - EPOCH_US - t_us <= late
        assert 0 < row["received_ns"] <= row["decoded_ns"]
    counters = collector.report()
    assert counters["errors"] == {}
    assert counters["received"] == counters["decoded"] == len(messages)
    assert counters["other_messages"] > 0  # ASPUP and its like, which are between others
    assert collector.state() == "waiting"
    assert counters["taps"][0]["state"] == "ended"


def test_a_pipe_is_read_as_it_comes_and_the_rest_goes_on(wire, make):
    """Behaviours come while the pipe is open; an association works beside it."""
    out, into = os.pipe()
    collector = make(taps=[f"/dev/fd/{out}"])
    os.close(out)
    first, second = (
        wire.story("lu_attach", identity="imsi"),
        wire.story("detach", 9 * SECOND),
    )
    octets = octets_of(first + second)
    cut = len(octets_of(first))
    os.write(into, octets[:cut])
    batch = whole(collector, drain(collector, lambda: collector.report()["received"] >= len(first) - 1))
    peer = connect("memory", collector.host, collector.port)
    side = AspSide()
    side.start(0)
    for _ in range(4):
        if said := side.pending():
            peer.send(MessageBatch.from_messages(said, 0))
        collector.poll()
        for message in peer.receive() or ():
            side.receive(message, 0)
    peer.send(MessageBatch.from_messages([m.octets for m in wire.story("lu_attach", identity="imsi")], 1))
    beside = [b for b in collector.poll() if len(b)]
    assert wire.told(batch) + wire.told(whole(collector, beside)) == ["power_on", "power_on"]
    os.write(into, octets[cut:])
    os.close(into)
    assert "power_off" in wire.told(whole(collector, drain(collector)))


def test_a_quiet_pipe_holds_nothing_back_for_long(wire, make):
    """What waits for a message that it overtook is given when its time is over, though the pipe is quiet."""
    out, into = os.pipe()
    collector = make(taps=[f"/dev/fd/{out}"])
    os.close(out)
    messages = wire.story("lu_attach", identity="imsi")
    answer, request = messages[1].t_us, messages[0].t_us
    # The answer is captured before the request: it is held until it is too late for it.
    octets = octets_of([m for m in messages if m.t_us >= answer])
    assert request <= answer
    os.write(into, octets)
    drain(collector, lambda: collector.report()["received"] > 0 and not collector.correlator.holding)
    os.close(into)
    drain(collector)


def test_taps_are_merged_by_time(wire, make, tmp_path):
    """Two links, one subscriber who wanders: told in the order of time, whichever file is read first."""
    acts = stories(wire, 12)
    messages = flat(acts)
    for name, link in zip("ab", (acts[::2], acts[1::2]), strict=True):
        (tmp_path / name).write_bytes(octets_of(flat(link)))
    alone = tmp_path / "whole"
    alone.write_bytes(octets_of(messages))
    told = []
    for taps in (["whole"], ["a", "b"], ["b", "a"]):
        collector = make("lockstep", taps=[str(tmp_path / name) for name in taps])
        found = []
        while not collector.over:
            for tick in collector.poll():
                found.append(tick.behaviours)
                collector.acknowledge(tick)
            collector.wait(0.02)
        told.append(wire.plain(whole(collector, found)))
    assert told[0] == told[1] == told[2]
    assert len(told[0]) >= 12


def test_lockstep_ticks_come_from_the_times(wire, make, tmp_path):
    messages = flat(stories(wire))
    (tmp_path / "a").write_bytes(octets_of(messages))
    collector = make("lockstep", taps=[str(tmp_path / "a")])
    assert collector.address()["transport"] == "none"
    ticks = []
    while not collector.over:
        for tick in collector.poll():
            assert collector.poll() == []  # no other one until it is acknowledged
            ticks.append(tick)
            collector.acknowledge(tick)
        collector.wait(0.02)
    assert [tick.t_unix_us for tick in ticks] == sorted({tick.t_unix_us for tick in ticks})
    for tick in ticks:
        assert tick.world_us % (5 * SECOND) == 0
        assert tick.t_unix_us == EPOCH_US + tick.world_us
        assert (tick.behaviours["t_us"] <= tick.t_unix_us).all()
        assert (tick.behaviours["t_us"] > tick.t_unix_us - 5 * SECOND).all()
    batch = whole(collector, [tick.behaviours for tick in ticks])
    expected = wire.plain(wire.behaviours(sorted(messages, key=lambda m: m.t_us)))
    assert [(t - EPOCH_US, *rest) for t, *rest in wire.plain(batch)] == expected


def test_a_damaged_capture_is_an_error_and_not_the_end(wire, make, tmp_path, caplog):
    octets = octets_of(flat(stories(wire)))
    (tmp_path / "cut").write_bytes(octets[:-5])
    (tmp_path / "none").write_bytes(b"this is no capture, whatever its name says")
    (tmp_path / "good").write_bytes(octets)
    with caplog.at_level(logging.INFO):
        collector = make(taps=[str(tmp_path / name) for name in ("cut", "none", "good")])
        batch = whole(collector, drain(collector))
    assert len(batch) > 0
    assert collector.report()["errors"]["capture_damaged"] == collector.damaged == 2
    errors = [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == 2
    assert "neither pcapng nor pcap, at octet 0 (block 1)" in errors[0] + errors[1]
    assert "the file ends within a block" in errors[0] + errors[1]
    assert [tap["state"] for tap in collector.report()["taps"]] == ["damaged", "damaged", "ended"]


def test_a_fast_file_waits_for_a_slow_platform(wire, make, tmp_path):
    """Back-pressure: no more than a few reads ahead are in memory."""
    messages = wire.story("lu_attach", identity="imsi") * 20_000
    file = tmp_path / "big"
    with CaptureWriter(file) as writer:
        batch = MessageBatch.from_messages([m.octets for m in messages], 1)
        writer.write(EPOCH_US + np.arange(batch.n, dtype=np.int64), batch)
    assert file.stat().st_size > 20 << 20
    collector = make(taps=[str(file)])
    packets, end = -1, time.monotonic() + 60
    while packets != (packets := collector.report()["taps"][0]["counts"].get("packets")) or not packets:
        assert time.monotonic() < end, "it never stood still"
        time.sleep(0.3)
    assert packets < batch.n / 2
    drain(collector)
    assert collector.report()["received"] == batch.n


@pytest.mark.parametrize("said", [b"", b"\x0a\x0d\x0d\x0a"])
def test_closing_does_not_wait_for_a_quiet_pipe(make, said):
    out, into = os.pipe()
    os.write(into, said)
    before = threading.active_count()
    collector = make(taps=[f"/dev/fd/{out}"])
    assert threading.active_count() == before + 1
    collector.close()
    assert threading.active_count() == before
    os.close(out)
    os.close(into)


def test_a_named_pipe_may_find_its_writer_later(wire, make, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    collector = make(taps=[str(pipe)])
    assert drain(collector, lambda: True) == []
    assert collector.state() == "up"
    with pipe.open("wb") as writer:
        writer.write(octets_of(wire.story("lu_attach", identity="imsi")))
    assert wire.told(whole(collector, drain(collector))) == ["power_on"]


def test_what_cannot_be_opened_is_said(tmp_path):
    before = threading.active_count()
    (tmp_path / "x").write_bytes(b"")
    for source, said in ((str(tmp_path / "no"), "No such file"), (str(tmp_path), "is a folder")):
        with pytest.raises(TapError, match=said):
            Taps([str(tmp_path / "x"), source])
    assert threading.active_count() == before
