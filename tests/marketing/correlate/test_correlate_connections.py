"""Connections: references reused, releases lost, resets, starts out of order, segments, bounds."""

import numpy as np
import pytest

from marketing.correlate import COUNTERS, Correlator
from marketing.decode import decode_batch


def names(messages):
    return [m.name for m in messages]


def test_a_reference_can_be_used_again(wire):
    first = wire.story("mo_call_answered", 1_000_000)
    second = wire.story("mo_sms", 900_000_000, imsi="001010000000002", tmsi=5)
    batch = wire.behaviours(first + second)
    assert batch["imsi"].tolist() == [1010000000001] * 3 + [1010000000002]


def test_a_connection_whose_release_was_lost_makes_room_for_the_next(wire):
    first = [m for m in wire.story("mo_call_answered") if m.name not in ("RLSD", "RLC", "CLEAR COMMAND")]
    first = first[: names(first).index("DISCONNECT")]
    second = wire.story("mo_sms", 900_000_000, imsi="001010000000002", tmsi=5)
    correlator = Correlator(hold_us=0)
    batch = wire.feed(correlator, first + second)
    assert wire.told(batch) == ["call_started", "call_connected", "sms_sent"]
    assert batch["imsi"].tolist() == [1010000000001] * 2 + [1010000000002]
    assert correlator.counters["reused"] >= 1
    assert correlator.connections == 0


def test_a_late_release_of_the_old_connection_does_not_end_the_new_one(wire):
    old = wire.story("mo_sms", msc_ref=0x111111)
    new = wire.story("mo_sms", 50_000_000, msc_ref=0x222222, imsi="001010000000002", tmsi=6)
    released = names(old).index("RLSD")
    correlator = Correlator(hold_us=0)
    middle = names(new).index("SMS-SUBMIT")
    batch = wire.feed(correlator, old[:released] + new[:middle] + old[released:] + new[middle:])
    assert batch["imsi"].tolist() == [1010000000001, 1010000000002]
    # Its RLSD names another connection's other reference; its RLC one that nobody has any more.
    assert correlator.counters["stale"] == correlator.counters["orphans"] == 1
    assert correlator.connections == 0


def test_lost_releases_are_aged_out(wire):
    correlator = Correlator(hold_us=0, idle_s=100, releasing_s=10)
    half_open = wire.story("mo_call_answered", 0)[:8]
    releasing = [m for m in wire.story("mo_sms", 0, bss_ref=7, msc_ref=6) if m.name != "RLC"]
    wire.feed(correlator, half_open + releasing, expire=False)
    # flush() is far in the future: everything has been silent for too long.
    assert correlator.connections == 0
    assert correlator.counters["aged"] == 2
    correlator = Correlator(hold_us=0, idle_s=100, releasing_s=10)
    data, offsets = wire.pack([m.octets for m in half_open + releasing])
    times = np.array([m.t_us for m in half_open + releasing])
    correlator.feed(data, offsets, decode_batch(data, offsets), times)
    last = int(times.max())
    assert correlator.connections == 2
    correlator.expire(last + 5_000_000)
    assert correlator.connections == 2
    correlator.expire(last + 20_000_000)
    assert correlator.connections == 1
    correlator.expire(last + 200_000_000)
    assert correlator.connections == 0


def test_reset_ends_the_connections_of_its_pair_only(wire):
    here = wire.story("mo_call_answered")[:12]
    there = [
        wire.Message(m.t_us, m.octets.replace(b"\0\0\1\1", b"\0\0\1\2"), m.stream)
        for m in wire.story("mo_sms")[:5]
    ]
    reset = wire.m3ua(bytes.fromhex("09 00 03 05 07 02 42fe 02 42fe 06 00 04 30 04 01 20"), True)
    correlator = Correlator(hold_us=0)
    messages = [*here, *there, wire.Message(here[-1].t_us, reset, 1)]
    data, offsets = wire.pack([m.octets for m in messages])
    rows = decode_batch(data, offsets)
    assert not rows["error"].any()
    correlator.feed(data, offsets, rows, np.array([m.t_us for m in messages]))
    assert (correlator.connections, correlator.counters["reset"]) == (1, 1)


def test_confirm_before_request(wire):
    """A CC that overtook its CR, and whatever came behind the CC."""
    messages = wire.story("mo_sms")
    assert names(messages)[1] == "CC"
    late = [*messages[1:4], messages[0], *messages[4:]]
    in_order = wire.plain(wire.behaviours(messages))
    assert wire.plain(wire.behaviours(late, 200_000)) == in_order


def test_without_its_request_a_connection_is_taken_up_from_the_confirm(wire):
    """As at the start of a tap in the middle of things: no cell, but the subscriber and what he does."""
    messages = wire.story("mo_call_answered")[1:]
    correlator = Correlator(hold_us=200_000)
    found = []
    for m in messages:
        data, offsets = wire.pack([m.octets])
        found.append(correlator.feed(data, offsets, decode_batch(data, offsets), np.array([m.t_us])))
        found.append(correlator.expire(m.t_us + 200_000))
    batch = np.concatenate(found)
    assert wire.told(batch) == ["call_started", "call_connected", "call_ended"]
    assert set(batch["imsi"].tolist()) == {1010000000001}
    assert set(batch["lac"].tolist()) == {0}
    assert correlator.counters["adopted"] == 1


def test_messages_of_unknown_connections_are_counted_and_forgotten(wire):
    """Those that mean something to a correlator: COMMON ID and SETUP, not what is about keys and channels."""
    correlator = Correlator(hold_us=200_000)
    middle = wire.story("mo_call_answered")[2:9]
    assert {"COMMON ID", "SETUP"} < set(names(middle))
    wire.feed(correlator, middle)
    assert correlator.counters["orphans"] == 2
    assert correlator.holding == correlator.connections == 0


def split(wire, message, sizes):
    """A DT1 as several, the last without the more bit."""
    octets = message.octets
    sccp = octets[24 : 24 + int.from_bytes(octets[10:12], "big") - 16]
    assert sccp[0] == 6
    user = sccp[7:]
    out, at = [], 0
    for size in [*sizes, len(user)]:
        part = user[at : at + size]
        at += len(part)
        more = 0 if at >= len(user) else 1
        payload = sccp[:4] + bytes([more, 1, len(part)]) + part
        uplink = octets[12:16] != b"\0\0\0\1"
        out.append(
            wire.Message(message.t_us, wire.m3ua(payload, uplink, sls=1), message.stream, "", message.name)
        )
        if not more:
            return out
    return out


@pytest.mark.parametrize("sizes", [[5], [1, 1, 1], [4, 2]])
@pytest.mark.parametrize("hold_us", [0, 200_000])
def test_segmented_messages_are_put_together(wire, sizes, hold_us):
    messages = []
    for m in wire.story("mo_call_answered", called="12593138001380001"):
        messages += split(wire, m, sizes) if m.name in ("SETUP", "DISCONNECT", "COMMON ID") else [m]
    whole = wire.behaviours(wire.story("mo_call_answered", called="12593138001380001"), hold_us)
    correlator = Correlator(hold_us=hold_us)
    data, offsets = wire.pack([m.octets for m in messages])
    rows = decode_batch(data, offsets)
    found = correlator.feed(data, offsets, rows, np.array([m.t_us for m in messages]))
    assert wire.plain(found) == wire.plain(whole)
    assert not rows["error"].any()
    assert correlator.counters["reassembled"] == 3
    assert correlator.counters["segments"] == len(messages) - len(wire.story("mo_call_answered")) + 3


def test_segments_without_an_end_are_given_up(wire):
    messages = wire.story("mo_call_answered")
    setup = next(m for m in messages if m.name == "SETUP")
    head = split(wire, setup, [5])[0]
    endless = [wire.Message(head.t_us, head.octets, 1)] * 500
    at = names(messages).index("SETUP")
    correlator = Correlator(hold_us=0)
    wire.feed(correlator, [*messages[:at], *endless, *messages[at + 1 :]])
    assert correlator.counters["reassembly_errors"] >= 1
    assert correlator.connections == 0


def test_the_table_is_bounded(wire):
    correlator = Correlator(hold_us=0, max_connections=100, max_identities=50)
    messages = []
    for i in range(1000):
        story = wire.story(
            "lu_attach", i * 1000, identity="imsi", imsi=f"00101{i:010d}", new_tmsi=i, bss_ref=i, msc_ref=i
        )
        messages += story[:-2]
    wire.feed(correlator, messages, expire=False)
    assert correlator.counters["evicted"] >= 900
    assert correlator.counters["identities_full"] > 0
    assert correlator.identities <= 50
    assert correlator.memory < 2_000_000


def test_a_full_hold_still_works(wire):
    """More orphans than are ever held, then good traffic."""
    orphan = next(m for m in wire.story("mo_sms") if m.name == "COMMON ID")
    flood = [wire.Message(i, orphan.octets, 1) for i in range(70_000)]
    correlator = Correlator(hold_us=200_000)
    data, offsets = wire.pack([m.octets for m in flood])
    rows = decode_batch(data, offsets)
    correlator.feed(data, offsets, rows, np.zeros(len(flood), dtype=np.int64))
    assert correlator.holding < 70_000
    assert correlator.memory < 50_000_000
    correlator.expire(300_000)
    assert correlator.holding == 0
    assert correlator.counters["orphans"] == 70_000
    assert wire.told(wire.feed(correlator, wire.story("mo_sms", 1_000_000))) == ["sms_sent"]


def test_wrong_arguments(wire):
    correlator = Correlator()
    data, offsets = wire.pack([m.octets for m in wire.story("detach")])
    rows = decode_batch(data, offsets)
    times = np.zeros(len(rows), dtype=np.int64)
    with pytest.raises(ValueError, match="times"):
        correlator.feed(data, offsets, rows, times[1:])
    with pytest.raises(TypeError):
        correlator.feed(data, offsets, np.zeros(len(rows)), times)
    with pytest.raises(ValueError, match="order"):
        correlator.feed(data, offsets, rows, times, 0, np.array([99]))
    with pytest.raises(ValueError, match="does not belong"):
        correlator.feed(b"", np.zeros(len(offsets), dtype=np.int64), rows, times)
    with pytest.raises(ValueError, match="max_connections"):
        Correlator(max_connections=1)
    assert set(correlator.counters) == set(COUNTERS)
