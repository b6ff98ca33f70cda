"""Whatever comes in: no crash, no read outside the message, nothing filled on an error row.

And the same as the reference codec says of it: `kairos fuzz` does by the million what the tests here do by
the hundred thousand, with the same seeds everywhere.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from experiments.fuzz.command import BLOCK, block_messages, check
from experiments.fuzz.mutate import cuts, mutate
from experiments.fuzz.traffic import Draws, sound_messages
from marketing.decode import ERROR_NAMES, ROW, decode_batch, decode_flat, new_rows

N = 100_000
VECTORS = (
    Path(os.environ.get("KAIROS_VECTORS", Path(__file__).parents[4] / "shared" / "vectors")) / "corpus.jsonl"
)


def mutated(wire, seed: int, n: int):
    """Messages of all procedures with random octets overwritten and random cuts, as one batch."""
    rng = np.random.default_rng(seed)
    sound = [m.octets for kind, options in wire.variants()[::7] for m in wire.story(kind, **options)]
    chosen = rng.integers(0, len(sound), n)
    lengths = np.array([len(o) for o in sound])[chosen]
    cut = rng.random(n) < 0.2
    lengths = np.where(cut, (lengths * rng.random(n)).astype(np.int64), lengths)
    offsets = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    parts = [sound[i][:length] for i, length in zip(chosen.tolist(), lengths.tolist(), strict=True)]
    data = np.frombuffer(b"".join(parts), dtype=np.uint8).copy()
    for _ in range(2):
        full = lengths > 24
        at = offsets[:-1][full] + 24 + (rng.random(full.sum()) * (lengths[full] - 24)).astype(np.int64)
        data[at] = rng.integers(0, 256, len(at))
    # Mend the M3UA length of half of the cut ones, so that the layers above meet the cut too.
    mend = cut & (lengths > 8) & (rng.random(n) < 0.5)
    starts = offsets[:-1][mend]
    for octet in range(4):
        data[starts + 4 + octet] = (lengths[mend] >> (8 * (3 - octet))) & 255
    return data, offsets


@pytest.mark.parametrize("seed", [11, 12])
def test_mutated_messages(wire, seed):
    data, offsets = mutated(wire, seed, N)
    rows = decode_batch(data, offsets)
    wrong = rows["error"] > 0
    assert 0.2 < wrong.mean() < 0.9
    assert rows["error"].max() < len(ERROR_NAMES)
    raw = rows.view(np.uint8).reshape(-1, ROW.itemsize)
    assert not raw[wrong][:, 34:].any()
    lengths = np.diff(offsets)
    assert (rows["user_offset"].astype(np.int64) + rows["user_length"] <= lengths).all()
    assert (rows["called_digits"][~wrong & (rows["pd"] == 9)] <= 20).all()


def test_random_octets():
    rng = np.random.default_rng(5)
    data = rng.integers(0, 256, 1 << 20, dtype=np.uint8)
    data[::37] = 1
    offsets = np.unique(np.concatenate([[0, len(data)], rng.integers(0, len(data), 20_000)]))
    rows = decode_batch(data, offsets)
    assert (rows["error"] > 0).sum() > 0.99 * len(rows)
    decode_flat(data, new_rows(1000))


def test_every_cut_of_every_message_is_survived(wire):
    """Each prefix in a buffer of its own length: a read past the end would be a read past the heap block."""
    for kind in ("lu_attach", "mo_call_answered", "mt_sms", "mo_sms"):
        for message in wire.story(kind):
            for end in range(len(message.octets)):
                octets = bytearray(message.octets[:end])
                if end > 8:
                    octets[4:8] = end.to_bytes(4, "big")
                row = decode_batch(octets, np.array([0, end]))[0]
                assert row["error"] or end % 4 == 0 or end > len(message.octets) - 4


def test_decoding_twice_into_the_same_rows_leaves_nothing_behind(wire):
    data, offsets = mutated(wire, 3, 5000)
    rows = new_rows(5000)
    rows.view(np.uint8)[:] = 0xFF
    first = decode_batch(data, offsets, rows).tobytes()
    rows.view(np.uint8)[:] = 0xAA
    assert decode_batch(data, offsets, rows).tobytes() == first


# A tenth of a hundred thousand messages each.
PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_messages_agree_with_the_reference(part):
    seed, blocks = 2009, N // BLOCK // PARTS
    for block in range(part * blocks, (part + 1) * blocks):
        report = check(block_messages(seed, block), block * BLOCK)
        assert report.differences == {}, f"kairos fuzz --seed {seed} --start {block * BLOCK} --count {BLOCK}"
        assert report.messages == BLOCK
        # Damage that reaches the layers: accepted, refused and passed over all occur.
        assert min(report.kinds[kind] for kind in ("equal", "refused", "deeper")) > BLOCK // 100


def test_every_cut_agrees_with_the_reference():
    """Behind each octet, with the lengths as they were and with those around the cut put right."""
    messages = [cut for octets in sound_messages(2009, 0, stories=3, others=40) for cut in cuts(octets)]
    report = check(messages)
    assert report.differences == {}
    assert report.messages > 5000


#: What stands below each layer of a vector: BSSAP of so many octets.
BELOW = {
    "bssap": lambda raw: raw,
    "bssmap": lambda raw: bytes([0, len(raw)]) + raw,
    "dtap": lambda raw: bytes([1, 0, len(raw)]) + raw,
    "rpdata": lambda raw: bytes([1, 3, len(raw) + 3, 9, 1, len(raw)]) + raw,
}


@pytest.mark.vectors
@pytest.mark.skipif(not VECTORS.exists(), reason=f"no vectors at {VECTORS}; set KAIROS_VECTORS")
def test_damaged_vectors_agree_with_the_reference(wire):
    """Messages of other projects, as they are and damaged: shapes that no ladder has."""
    messages = []
    for line in VECTORS.read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        raw, layer = bytes.fromhex(vector["hex"]), vector["layer"]
        if layer == "m3ua":
            messages.append(raw)
        elif layer == "sccp":
            messages.append(wire.m3ua(raw, True))
        elif layer in BELOW and len(raw) < 245:
            user = BELOW[layer](raw)
            messages.append(wire.m3ua(bytes([6, 1, 2, 3, 0, 1, len(user)]) + user, True))
    assert len(messages) > 300
    d = Draws(2009, 0)
    damaged = [mutate(octets, d, messages) for octets in messages for _ in range(20) if len(octets) >= 8]
    assert check(messages + damaged).differences == {}
