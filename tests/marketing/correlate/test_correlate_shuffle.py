"""Streams overtake each other: the behaviours are the same. And damaged traffic is survived."""

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.correlate import Correlator
from marketing.decode import decode_batch

KINDS = [
    ("lu_attach", {"identity": "imsi"}),
    ("lu_normal", {}),
    ("lu_periodic", {"reallocate": False}),
    ("lu_reject", {}),
    ("mo_call_answered", {}),
    ("mo_call_answered", {"handover": True}),
    ("mt_call_answered", {"handover": True, "identity": "imsi"}),
    ("mo_call_busy", {}),
    ("mo_call_no_answer", {"auth": False}),
    ("mt_call_rejected", {}),
    ("mt_call_no_answer", {}),
    ("mo_sms", {}),
    ("mt_sms", {}),
    ("mt_sms_failed", {}),
    ("detach", {}),
]


def traffic(wire, seed: int, people: int = 6, acts: int = 6):
    """Several subscribers, each with an attach and then act after act; no reference is used twice."""
    rng = random.Random(seed)
    messages = []
    reference = 1
    for sub in range(people):
        t, tmsi, lac = rng.randrange(5_000_000), 1000 + sub * 100, 0x1001 + sub % 3
        for act in range(acts):
            kind, options = KINDS[0] if act == 0 else rng.choice(KINDS)
            new = tmsi + 1
            story = wire.story(
                kind,
                t,
                imsi=f"00101{sub + 1:010d}",
                tmsi=tmsi,
                new_tmsi=new,
                lac=lac,
                old_lac=lac,
                bss_ref=reference,
                msc_ref=reference + 1,
                bss_ref2=reference + 2,
                msc_ref2=reference + 3,
                handover_reference=rng.randrange(256),
                sls=(reference % 61, (reference + 2) % 61),
                called=f"1392{reference:07d}",
                calling=f"1393{reference:07d}",
                **options,
            )
            reference += 4
            messages += story
            if kind.startswith("lu_") and kind != "lu_reject" and options.get("reallocate", True):
                tmsi = new
            t = story[-1].t_us + rng.randrange(1_000_000, 30_000_000)
    return sorted(messages, key=lambda m: m.t_us)


def shuffled(messages, rng: random.Random, most_us: int):
    """Each message late by up to `most_us`, but never before an earlier one of its stream."""
    last: dict[int, int] = {}
    arrivals = []
    for i, m in enumerate(messages):
        at = max(m.t_us + rng.randrange(most_us + 1), last.get(m.stream, 0))
        last[m.stream] = at
        arrivals.append((at, i, m))
    return sorted(arrivals)


def live(wire, arrivals, size: int):
    """Fed in small batches as they arrive, with time passing in between."""
    correlator = Correlator(hold_us=200_000)
    found = []
    for first in range(0, len(arrivals), size):
        part = arrivals[first : first + size]
        data, offsets = wire.pack([m.octets for _, _, m in part])
        times = np.array([m.t_us for _, _, m in part])
        # What has come since the last read has waited for as long as that took.
        found.append(correlator.expire(part[0][0] - 100_000))
        found.append(correlator.feed(data, offsets, decode_batch(data, offsets), times))
    found.append(correlator.flush())
    assert correlator.connections == 0
    assert correlator.holding == 0
    return np.concatenate(found)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 30), most_us=st.sampled_from([1, 30_000, 90_000]), size=st.integers(1, 40))
def test_shuffled_streams_give_the_same_behaviours(wire, seed, most_us, size):
    messages = traffic(wire, seed, people=4, acts=5)
    wanted = wire.plain(wire.behaviours(messages))
    arrivals = shuffled(messages, random.Random(seed), most_us)
    assert wire.plain(live(wire, arrivals, size)) == wanted


def cut_in_two(wire, message, at: int):
    """A DT1 as two segments, where it is one that can be cut there."""
    octets = message.octets
    sccp = octets[24 : 24 + int.from_bytes(octets[10:12], "big") - 16]
    if sccp[0] != 6 or not 0 < at < len(sccp) - 7:
        return [message]
    heads = (octets[:24] + sccp[:4] + bytes([more, 1]) for more in (1, 0))
    parts = []
    for head, user in zip(heads, (sccp[7 : 7 + at], sccp[7 + at :]), strict=True):
        value = head + bytes([len(user)]) + user
        size = len(value) - 12
        value += bytes(-len(value) % 4)
        whole = value[:4] + len(value).to_bytes(4, "big") + value[8:10] + (size + 4).to_bytes(2, "big")
        parts.append(wire.Message(message.t_us, whole + value[12:], message.stream, "", message.name))
    return parts


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 1 << 30), hold_us=st.sampled_from([0, 200_000]), data=st.data())
def test_any_partition_into_batches_gives_the_same_octets(wire, seed, hold_us, data):
    """With the messages in order and, where they are held, with late ones; some of them in two segments."""
    rng = random.Random(seed)
    messages = []
    for message in traffic(wire, seed, people=4, acts=4):
        cut = rng.randrange(1, 12) if rng.random() < 0.1 else 0
        messages += cut_in_two(wire, message, cut) if cut else [message]
    if hold_us:
        messages = [m for _, _, m in shuffled(messages, rng, 90_000)]
    cuts = data.draw(st.lists(st.integers(0, len(messages)), max_size=30).map(sorted))
    found = []
    for edges in ([], cuts, range(1, len(messages))):
        correlator = Correlator(hold_us=hold_us)
        parts = []
        for first, end in zip([0, *edges], [*edges, len(messages)], strict=True):
            octets, offsets = wire.pack([m.octets for m in messages[first:end]])
            times = np.array([m.t_us for m in messages[first:end]], dtype=np.int64)
            parts.append(correlator.feed(octets, offsets, decode_batch(octets, offsets), times))
        parts.append(correlator.flush())
        assert correlator.holding == 0
        found.append((np.concatenate(parts).tobytes(), correlator.counters))
    assert found[0] == found[1] == found[2]
    assert hold_us or found[0][1]["reassembly_errors"] == 0


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_the_size_of_the_reads_does_not_matter(wire, size):
    messages = traffic(wire, 4)
    whole = wire.behaviours(messages)
    parts = wire.feed(Correlator(hold_us=0), messages, size=size)
    assert whole.tobytes() == parts.tobytes()
    assert (whole["imsi"] > 0).all()


def test_an_order_is_the_same_as_a_sorted_batch(wire):
    messages = traffic(wire, 9)
    mixed = list(range(len(messages)))
    random.Random(1).shuffle(mixed)
    data, offsets = wire.pack([messages[i].octets for i in mixed])
    times = np.array([messages[i].t_us for i in mixed])
    correlator = Correlator(hold_us=0)
    found = correlator.feed(data, offsets, decode_batch(data, offsets), times, 0, np.argsort(mixed))
    assert found.tobytes() == wire.behaviours(messages).tobytes()


@pytest.mark.parametrize("hold_us", [0, 200_000])
def test_damaged_traffic_is_survived_in_bounded_memory(wire, hold_us):
    rng = np.random.default_rng(7)
    octets = [m.octets for m in traffic(wire, 5, people=20, acts=10)]
    correlator = Correlator(hold_us=hold_us, max_connections=2000, max_identities=2000)
    total = 0
    for round_ in range(30):
        data, offsets = wire.pack(octets)
        raw = np.frombuffer(data, dtype=np.uint8).copy()
        # Some octets behind the M3UA label, anywhere: types, references, lengths, identities.
        lengths = np.diff(offsets)
        for _ in range(2):
            hit = rng.random(len(lengths)) < 0.3
            at = offsets[:-1][hit] + 12 + (rng.random(hit.sum()) * (lengths[hit] - 12)).astype(np.int64)
            raw[at] = rng.integers(0, 256, len(at))
        order = rng.permutation(len(lengths)) if round_ % 3 == 0 else np.arange(len(lengths))
        rows = decode_batch(raw, offsets)
        times = np.sort(rng.integers(0, 10_000_000, len(lengths))) + round_ * 10_000_000
        found = correlator.feed(raw, offsets, rows, times, 0, order)
        correlator.expire(int(times[-1]))
        total += len(found)
        assert correlator.memory < 80_000_000
    assert total > 1000
    correlator.flush()
    assert correlator.holding == 0
