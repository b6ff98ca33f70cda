"""Segments: of connections by the more bit, of connectionless messages by the segmentation parameter."""

from itertools import pairwise

import numpy as np
import pytest

from marketing.correlate import Correlator
from marketing.decode import decode_batch

IMSI = 1010000000001
AREAS = tuple(range(0x2000, 0x2050))
CALLED, CALLING = bytes.fromhex("42fe"), bytes.fromhex("42fd")


def paging(wire):
    """User data of a PAGING that names many areas."""
    (message,) = wire.story("paging_only", paging_lacs=AREAS, tmsi=9)
    sccp = message.octets[24 : 24 + int.from_bytes(message.octets[10:12], "big") - 16]
    assert sccp[0] == 9
    at = 4 + sccp[4]
    return sccp[at + 1 : at + 1 + sccp[at]]


def xudt(user, first, remaining, reference, calling=CALLING):
    """XUDT (Q.713 4.18) with a segmentation parameter (3.17)."""
    called = bytes([len(CALLED)]) + CALLED
    caller = bytes([len(calling)]) + calling
    data = bytes([len(user)]) + user
    option = bytes([0x10, 4, first << 7 | remaining]) + reference.to_bytes(3, "big") + b"\0"
    pointers = [4, 3 + len(called), 2 + len(called) + len(caller), 1 + len(called) + len(caller) + len(data)]
    return bytes([0x11, 1, 15, *pointers]) + called + caller + data + option


def ludt(user, first, remaining, reference, calling=CALLING):
    """LUDT (Q.713 4.20): pointers and the data's length in two octets, low one first."""
    called = bytes([len(CALLED)]) + CALLED
    caller = bytes([len(calling)]) + calling
    data = len(user).to_bytes(2, "little") + user
    option = bytes([0x10, 4, first << 7 | remaining]) + reference.to_bytes(3, "big") + b"\0"
    starts = [11, 11 + len(called), 11 + len(called) + len(caller)]
    starts.append(starts[2] + len(data))
    pointers = b"".join((start - (4 + 2 * i)).to_bytes(2, "little") for i, start in enumerate(starts))
    return bytes([0x13, 1, 15]) + pointers + called + caller + data + option


def feed(wire, correlator, payloads, times=None):
    octets = [wire.m3ua(payload, False) for payload in payloads]
    data, offsets = wire.pack(octets)
    rows = decode_batch(data, offsets)
    assert not rows["error"].any()
    times = np.zeros(len(rows), np.int64) if times is None else np.array(times)
    correlator.feed(data, offsets, rows, times)


def known(correlator):
    """In how many of the areas the paged TMSI means the paged subscriber."""
    return sum(correlator.imsi_of(area, 9) == IMSI for area in AREAS)


@pytest.mark.parametrize("write", [xudt, ludt])
@pytest.mark.parametrize("cuts", [(100,), (1, 2), (50, 51, 120), tuple(range(10, 160, 10))])
def test_a_page_in_segments(wire, write, cuts):
    user = paging(wire)
    edges = [0, *cuts, len(user)]
    parts = [user[a:b] for a, b in pairwise(edges)]
    last = len(parts) - 1
    correlator = Correlator(hold_us=0)
    feed(wire, correlator, [write(part, i == 0, last - i, 7) for i, part in enumerate(parts)])
    assert known(correlator) == len(AREAS)
    counters = correlator.counters
    assert (counters["segments"], counters["reassembled"], counters["reassembly_errors"]) == (last + 1, 1, 0)


def test_senders_and_references_are_kept_apart(wire):
    """Segments of three messages in turn: another reference, another calling address."""
    user = paging(wire)
    parts = [user[:60], user[60:120], user[120:]]
    rubbish = [bytes(60), bytes(60), bytes(60)]
    payloads = []
    for i in range(3):
        payloads.append(xudt(rubbish[i], i == 0, 2 - i, 8))
        payloads.append(xudt(parts[i], i == 0, 2 - i, 7))
        payloads.append(xudt(rubbish[i], i == 0, 2 - i, 7, bytes.fromhex("42fc")))
    correlator = Correlator(hold_us=0)
    feed(wire, correlator, payloads)
    assert known(correlator) == len(AREAS)
    assert correlator.counters["reassembled"] == 1
    assert correlator.counters["reassembly_errors"] == 2


@pytest.mark.parametrize(
    ("order", "errors"),
    [((0, 2, 1), 2), ((1, 0, 2), 2), ((0, 1, 0, 1, 2), 1), ((1, 2), 2), ((0, 0, 1, 2), 1)],
)
def test_segments_out_of_order_are_given_up(wire, order, errors):
    user = paging(wire)
    parts = [user[:60], user[60:120], user[120:]]
    correlator = Correlator(hold_us=0)
    feed(wire, correlator, [xudt(parts[i], i == 0, 2 - i, 7) for i in order])
    assert correlator.counters["reassembly_errors"] == errors
    assert known(correlator) == (len(AREAS) if order[-3:] == (0, 1, 2) else 0)


def test_segments_wait_for_a_limited_time(wire):
    """Q.714: T(reass), 10 to 20 s."""
    user = paging(wire)
    payloads = [xudt(user[:60], True, 1, 7), xudt(user[60:], False, 0, 7)]
    correlator = Correlator(hold_us=0)
    feed(wire, correlator, payloads, [0, 21_000_000])
    assert known(correlator) == 0
    feed(wire, correlator, payloads, [30_000_000, 39_000_000])
    assert known(correlator) == len(AREAS)


def test_more_segmented_messages_than_are_put_together(wire):
    user = paging(wire)
    correlator = Correlator(hold_us=0)
    feed(wire, correlator, [xudt(bytes(9), True, 1, i) for i in range(1000)], range(1000))
    memory = correlator.memory
    feed(wire, correlator, [xudt(user[:60], True, 1, 5000), xudt(user[60:], False, 0, 5000)], [1001, 1002])
    assert known(correlator) == len(AREAS)
    assert correlator.memory == memory


# ---------------------------------------------------------------- connections


def halves(wire, message):
    """A DT1 in two, the first with the more bit."""
    octets = message.octets
    sccp = octets[24 : 24 + int.from_bytes(octets[10:12], "big") - 16]
    assert sccp[0] == 6
    user = sccp[7:]
    uplink = octets[12:16] != b"\0\0\0\1"
    return [
        wire.Message(message.t_us, wire.m3ua(sccp[:4] + bytes([more, 1, len(part)]) + part, uplink), 1)
        for more, part in ((1, user[:4]), (0, user[4:]))
    ]


def test_first_segments_on_very_many_connections(wire):
    """So many are kept, the oldest gives way; and the one that came last is still put together."""
    story = wire.story("mo_call_answered")
    names = [m.name for m in story]
    first, second = halves(wire, story[names.index("SETUP")])
    begun, flood = 5000, []
    for i in range(1, begun + 1):
        reference = i.to_bytes(3, "big")
        flood.append(story[0].octets[:25] + reference + story[0].octets[28:])
        flood.append(first.octets[:25] + reference + first.octets[28:])
    # SETUP comes from the handset and names the MSC's reference; a first segment the other way does as well.
    flood = [
        octets if octets[24] == 1 else octets[:12] + octets[16:20] + octets[12:16] + octets[20:]
        for octets in flood
    ]
    correlator = Correlator(hold_us=0)
    data, offsets = wire.pack(flood)
    correlator.feed(data, offsets, decode_batch(data, offsets), np.zeros(len(flood), np.int64))
    assert correlator.connections == begun
    assert correlator.counters["reassembly_errors"] == begun - 4096
    assert correlator.memory < 10_000_000
    late = second.octets[:12] + second.octets[16:20] + second.octets[12:16] + second.octets[20:]
    late = late[:25] + begun.to_bytes(3, "big") + late[28:]
    data, offsets = wire.pack([late])
    correlator.feed(data, offsets, decode_batch(data, offsets), np.zeros(1, np.int64))
    assert correlator.counters["reassembled"] == 1


def test_a_last_segment_that_looks_like_a_message_of_its_own(wire):
    """What is left out because it means nothing must not be left out where it completes something."""
    story = wire.story("mo_call_answered")
    names = [m.name for m in story]
    setup = story[names.index("SETUP")]
    sccp = setup.octets[24 : 24 + int.from_bytes(setup.octets[10:12], "big") - 16]
    # CM SERVICE ACCEPT in a facility at the end of SETUP: the last five octets are a whole DTAP message.
    inner = bytes.fromhex("01 00 02 05 21")
    user = sccp[7:] + b"\x1c" + bytes([len(inner)]) + inner
    user = user[:2] + bytes([len(user) - 3]) + user[3:]
    parts = [(1, user[:-5]), (0, user[-5:])]
    cut = [
        wire.Message(setup.t_us, wire.m3ua(sccp[:4] + bytes([more, 1, len(part)]) + part, True, sls=1), 1)
        for more, part in parts
    ]
    messages = story[: names.index("SETUP")] + cut + story[names.index("SETUP") + 1 :]
    for size in (1, 1 << 20):
        correlator = Correlator(hold_us=0)
        found = wire.feed(correlator, messages, size=size)
        assert wire.plain(found) == wire.plain(wire.behaviours(story))
        assert correlator.counters["reassembled"] == 1


def test_a_reset_of_a_connection_is_no_release(wire):
    """RSR, RSC (Q.714 3.8): segments in transit are lost, the connection goes on."""
    story = wire.story("mo_call_answered")
    names = [m.name for m in story]
    at = names.index("SETUP")
    begun, _ = halves(wire, story[at])
    t = story[at].t_us
    both = bytes.fromhex("040506 010203")
    for kind in ("0d", "0e"):
        cause = b"\0" if kind == "0d" else b""
        reset = wire.m3ua(bytes.fromhex(kind) + both + cause, True)
        messages = [*story[:at], begun, wire.Message(t, reset, 1), *story[at:]]
        correlator = Correlator(hold_us=0)
        assert wire.plain(wire.feed(correlator, messages)) == wire.plain(wire.behaviours(story))
        assert correlator.counters["stale"] == correlator.counters["reassembled"] == 0
        assert correlator.connections == 0
