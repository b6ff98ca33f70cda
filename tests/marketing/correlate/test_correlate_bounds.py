"""What bounds the correlator: connections, identities, waiting rows, segments, work for each message."""

import threading

import numpy as np
import pytest

from marketing.behaviours import concatenate
from marketing.correlate import Correlator
from marketing.decode import decode_batch

MILLION = 1_000_000
BATCH = 8192
IMSI = 1010000000001


def fed(correlator, data, offsets, times):
    """Feed a large buffer in batches."""
    found = []
    for first in range(0, len(times), BATCH):
        part = slice(first, min(first + BATCH, len(times)))
        ends = offsets[part.start : part.stop + 1]
        found.append(correlator.feed(data, ends, decode_batch(data, ends), times[part]))
    return concatenate([batch for batch in found if len(batch)])


def many(wire, message, references, at):
    """The same message with other local references, three octets each that begin `at` octets into it."""
    one = np.frombuffer(message, dtype=np.uint8)
    octets = np.tile(one, (len(references), 1))
    for i in range(3):
        octets[:, at + i] = references >> (16 - 8 * i) & 255
    return octets.tobytes(), np.arange(len(references) + 1, dtype=np.int64) * len(one)


def named(messages, name):
    return next(m for m in messages if m.name == name)


def request_and_confirm(wire):
    """CR and CC of one connection, and where in them their references are."""
    request, confirm = wire.story("mo_call_answered")[:2]
    assert (request.octets[24], confirm.octets[24]) == (1, 2)
    return request.octets, confirm.octets


def test_a_million_open_connections_in_bounded_memory(wire):
    """All confirmed, so both references of each are in the table; at the limit the oldest make room."""
    correlator = Correlator(hold_us=0, max_connections=MILLION)
    request, confirm = request_and_confirm(wire)
    references = np.arange(1, MILLION + 1, dtype=np.uint32)
    times = references.astype(np.int64)
    fed(correlator, *many(wire, request, references, 25), times)
    # CC: the opener's reference, then the one's who answers.
    data, offsets = many(wire, confirm, references, 25)
    octets = np.frombuffer(data, dtype=np.uint8).reshape(MILLION, -1).copy()
    octets[:, 28:31] = octets[:, 25:28]
    fed(correlator, octets.tobytes(), offsets, times)
    assert correlator.connections == MILLION
    # 64 + 128 + 8 octets each, and two of at most eight slots of 8 octets; the README tells this figure.
    assert round(correlator.memory / MILLION) == 234
    before = correlator.memory
    more = np.arange(MILLION + 1, MILLION + 100_001, dtype=np.uint32)
    fed(correlator, *many(wire, request, more, 25), more.astype(np.int64))
    assert correlator.connections == MILLION
    assert correlator.memory == before
    counters = correlator.counters
    assert (counters["evicted"], counters["overflow"]) == (100_000, 0)
    # COMMON ID to each: the oldest hundred thousand are gone, all others are there.
    data, offsets = many(wire, named(wire.story("mo_call_answered"), "COMMON ID").octets, references, 25)
    fed(correlator, data[: 100_000 * offsets[1]], offsets[:100_001], times[:100_000])
    assert correlator.counters["orphans"] == 100_000
    fed(correlator, data, offsets, times)
    assert correlator.counters["orphans"] == 200_000


def test_the_longest_silent_of_those_looked_at_makes_room(wire):
    """With 64 or fewer connections the very oldest goes."""
    correlator = Correlator(hold_us=0, max_connections=50)
    request, _ = request_and_confirm(wire)
    references = np.arange(1, 51, dtype=np.uint32)
    times = np.random.default_rng(3).permutation(50).astype(np.int64)
    fed(correlator, *many(wire, request, references, 25), times)
    oldest = int(references[times.argmin()])
    fed(correlator, *many(wire, request, np.array([51], np.uint32), 25), np.array([99]))
    assert correlator.counters["evicted"] == 1
    # Opened again, all but the one that is gone are reused.
    fed(correlator, *many(wire, request, np.array([oldest], np.uint32), 25), np.array([100]))
    assert correlator.counters["reused"] == 0


def test_ageing_looks_at_a_few_connections_at_a_time(wire):
    correlator = Correlator(hold_us=0, idle_s=10)
    request, _ = request_and_confirm(wire)
    fed(correlator, *many(wire, request, np.arange(1, 1001, dtype=np.uint32), 25), np.zeros(1000, np.int64))
    left = []
    for _ in range(4):
        correlator.expire(11_000_000)
        left.append(correlator.connections)
    assert left == [744, 488, 232, 0]
    assert correlator.counters["aged"] == 1000


def at_other_bsc(octets):
    return octets.replace(b"\0\0\1\1", b"\0\0\1\2")


def test_a_reset_finds_its_connections_whatever_was_opened_and_closed_between(wire):
    """The connections of each pair are a list of their own: RESET goes through no others."""
    request, _ = request_and_confirm(wire)
    reset = wire.m3ua(bytes.fromhex("09 00 03 05 07 02 42fe 02 42fe 06 00 04 30 04 01 20"), True)
    rng = np.random.default_rng(5)
    correlator = Correlator(hold_us=0)
    here, there = set(), set()
    for round_ in range(200):
        reference = int(rng.integers(1, 60))
        mine, octets = (here, request) if rng.random() < 0.5 else (there, at_other_bsc(request))
        # A reference that is used again replaces its connection in the middle of the list.
        fed(correlator, *many(wire, octets, np.array([reference], np.uint32), 25), np.array([round_]))
        mine.add(reference)
        assert correlator.connections == len(here) + len(there)
        if round_ % 40 == 39:
            data, offsets = wire.pack([reset] * 50)
            before = correlator.counters["reset"]
            fed(correlator, data, offsets, np.full(50, round_, np.int64))
            assert correlator.counters["reset"] - before == len(here)
            here.clear()
            assert correlator.connections == len(there)


def test_identities_are_bounded_and_new_ones_still_learned(wire):
    correlator = Correlator(hold_us=0, max_identities=64)
    for i in range(300):
        wire.feed(correlator, wire.story("lu_attach", identity="imsi", imsi=f"00101{i:010d}", new_tmsi=i))
        assert correlator.imsi_of(0x1001, i) == 1010000000000 + i
        assert correlator.identities <= 64
    assert correlator.counters["identities_full"] >= 300 - 64


def test_areas_of_pages_do_not_fill_the_map_for_good(wire):
    """Each page names areas in which its TMSI means nothing to anybody later."""
    correlator = Correlator(hold_us=0, max_identities=128)
    for i in range(100):
        areas = tuple(range(100 + 8 * i, 108 + 8 * i))
        wire.feed(correlator, wire.story("paging_only", paging_lacs=areas, tmsi=i, imsi=f"00101{i:010d}"))
    assert correlator.identities == 128
    wire.feed(correlator, wire.story("lu_attach", identity="imsi", new_tmsi=77))
    assert correlator.imsi_of(0x1001, 77) == IMSI


# ---------------------------------------------------------------- rows that wait for their subscriber


def stranger(wire, start, reference, tmsi):
    """A detach of somebody unknown."""
    return wire.story("detach", start, bss_ref=reference, msc_ref=reference + 1, tmsi=tmsi)


@pytest.mark.parametrize("strangers", [1, 63, 64, 65, 1000])
def test_whoever_gets_a_name_finds_his_own_rows_only(wire, strangers):
    correlator = Correlator(hold_us=10**9)
    messages = []
    for i in range(strangers):
        messages += stranger(wire, i * 1000, 2 * i + 1, 5000 + i)
    found = wire.feed(correlator, messages, expire=False, size=100)
    # `feed` flushes at its end: every row came out, unknown.
    assert len(found) == correlator.counters["unknown_identity"] == strangers
    correlator = Correlator(hold_us=10**9)
    data, offsets = wire.pack([m.octets for m in messages])
    times = np.array([m.t_us for m in messages])
    assert len(correlator.feed(data, offsets, decode_batch(data, offsets), times)) == 0
    assert correlator.holding == strangers
    page = wire.story("paging_only", tmsi=5000 + strangers // 2)
    data, offsets = wire.pack([m.octets for m in page])
    got = correlator.feed(data, offsets, decode_batch(data, offsets), np.array([m.t_us for m in page]))
    assert got["imsi"].tolist() == [IMSI]
    assert correlator.holding == strangers - 1
    rest = correlator.flush()
    assert len(rest) == strangers - 1
    assert not rest["imsi"].any()
    assert (np.diff(rest["t_us"]) > 0).all()


def test_rows_of_a_connection_come_out_in_order_when_its_subscriber_is_known(wire):
    """COMMON ID behind everything else: all rows of the call have waited, and none of them for long."""
    messages = wire.story("mo_call_answered")
    late = [m for m in messages if m.name != "COMMON ID"]
    at = [m.name for m in late].index("CLEAR COMMAND")
    late.insert(at, named(messages, "COMMON ID"))
    correlator = Correlator(hold_us=10**9)
    data, offsets = wire.pack([m.octets for m in late])
    times = np.array([m.t_us for m in late])
    got = correlator.feed(data, offsets, decode_batch(data, offsets), times)
    assert wire.told(got) == ["call_started", "call_connected", "call_ended"]
    assert set(got["imsi"].tolist()) == {IMSI}
    assert correlator.holding == 0


def test_more_strangers_than_may_wait(wire):
    """They come out at once, unknown, and memory stays where it is."""
    one = stranger(wire, 0, 1, 7)
    data, offsets = wire.pack([m.octets for m in one])
    detaches = 66_000
    flood = data * detaches
    ends = np.concatenate(
        ([0], (np.diff(offsets)[np.newaxis, :].repeat(detaches, 0)).ravel().cumsum())
    ).astype(np.int64)
    correlator = Correlator(hold_us=10**9)
    got = fed(correlator, flood, ends, np.zeros(len(ends) - 1, np.int64))
    assert correlator.holding == 65_536
    assert len(got) == detaches - 65_536
    assert correlator.memory < 20_000_000
    page = wire.story("paging_only", tmsi=7)
    data, offsets = wire.pack([m.octets for m in page])
    got = correlator.feed(data, offsets, decode_batch(data, offsets), np.array([m.t_us for m in page]))
    assert got["imsi"].tolist() == [IMSI] * 65_536
    assert correlator.holding == 0


def test_clear_commands_of_one_leg_are_put_off_once(wire):
    """A source leg in a call, cleared again and again before its handover is known to have succeeded."""
    messages = wire.story("mo_call_answered", handover=True)
    upto = [m.name for m in messages].index("HANDOVER COMMAND")
    clear = named([m for m in messages if m.stream == messages[0].stream], "CLEAR COMMAND")
    correlator = Correlator(hold_us=200_000)
    flood = messages[: upto + 1] + [clear] * 1000
    data, offsets = wire.pack([m.octets for m in flood])
    times = np.array([m.t_us for m in flood])
    correlator.feed(data, offsets, decode_batch(data, offsets), times)
    assert correlator.holding == 1


def test_correlators_on_threads_of_their_own(wire):
    """Each of two pairs of point codes on its thread gives what it gives alone."""
    story = wire.story("mo_call_answered", handover=False)
    data, offsets = wire.pack([m.octets for m in story] * 2000)
    times = np.arange(len(offsets) - 1, dtype=np.int64)
    inputs = [data, at_other_bsc(data)]
    alone = [fed(Correlator(hold_us=0), octets, offsets, times).tobytes() for octets in inputs]
    found = ["", ""]

    def work(i):
        found[i] = fed(Correlator(hold_us=0), inputs[i], offsets, times).tobytes()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone
    assert len(alone[0]) > 0


def test_one_correlator_is_not_for_two_threads(wire):
    """Whoever comes second is told so, or comes when the first has finished; nothing breaks."""
    story = wire.story("mo_sms")
    data, offsets = wire.pack([m.octets for m in story] * 3000)
    rows = decode_batch(data, offsets)
    times = np.zeros(len(rows), np.int64)
    correlator = Correlator(hold_us=0)
    sent, refused, other = [], [], []

    def work():
        for _ in range(10):
            try:
                sent.append(len(correlator.feed(data, offsets, rows, times)))
            except RuntimeError as error:
                refused.append(str(error))
            except Exception as error:
                other.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not other
    assert len(sent) + len(refused) == 20
    assert sum(sent) == 3000 * len(sent)
    assert all("one thread" in text for text in refused)
