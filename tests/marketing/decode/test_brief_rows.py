"""Brief rows: what a whole row holds in the same columns, of every message, right or wrong."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing.decode import (
    BRIEF,
    BRIEF_PASSES_OVER,
    BRIEF_PRESENT,
    COLUMNS,
    ROW,
    DecodeErrorKind,
    decode_batch,
    decode_flat,
    new_rows,
    tally,
)

ROUTING = COLUMNS[[column.name for column in COLUMNS].index("dlci")].name
FRONT = BRIEF.fields[ROUTING][1]


def both(data, offsets):
    """Whole and brief rows of the same messages, the brief ones into rows that were not clean."""
    n = len(offsets) - 1
    brief = new_rows(n, BRIEF)
    brief.view(np.uint8)[:] = 0xEE
    return decode_batch(data, offsets), decode_batch(data, offsets, brief)


def agree(whole, brief):
    """The law between them; gives how many were right in both, and the refusals of the whole row alone."""
    alone = (whole["error"] > 0) & (brief["error"] == 0)
    # Where the whole row found fault with what a brief one passes over, that finds the next fault, if any.
    over = np.isin(whole["error"], [int(kind) for kind in BRIEF_PASSES_OVER])
    same = ~over
    for name in BRIEF.names:
        wanted = whole[name] & BRIEF_PRESENT if name == "present" else whole[name]
        assert np.array_equal(brief[name][same], wanted[same]), name
        if BRIEF.fields[name][1] < FRONT and name != "error":
            assert np.array_equal(brief[name], whole[name]), name
    raw = brief.view(np.uint8).reshape(-1, BRIEF.itemsize)
    assert not raw[brief["error"] > 0][:, FRONT:].any()
    kinds = Counter(whole["error"][alone].tolist())
    assert set(kinds) <= {int(kind) for kind in BRIEF_PASSES_OVER}
    return int((whole["error"] == 0).sum()), kinds


def stories(wire, seed, n):
    """Messages of all procedures, identities and numbers by chance, a third of them with a correlation id."""
    rng = random.Random(seed)
    kinds = wire.variants()
    out = []
    while len(out) < n:
        kind, options = rng.choice(kinds)
        digits = "".join(rng.choice("0123456789*#") for _ in range(rng.randrange(1, 20)))
        values = {
            "imsi": f"46000{rng.randrange(10**10):010d}",
            "tmsi": rng.randrange(1 << 32),
            "lac": rng.randrange(1 << 16),
            "ci": rng.randrange(1 << 16),
            "called": digits,
            "ussd": digits * rng.randrange(1, 4),
            "imei": f"{rng.randrange(10**15):015d}",
            "ti": rng.randrange(7),
        }
        for message in wire.story(kind, **options, **values):
            corr = rng.randrange(1 << 32)
            out.append(wire.with_corr(message.octets, corr) if rng.random() < 0.3 else message.octets)
    return out[:n]


def test_the_brief_row_is_the_front_of_the_whole_one():
    names = BRIEF.names
    assert ROW.names[: len(names)] == names
    assert [BRIEF.fields[name] for name in names] == [ROW.fields[name] for name in names]
    assert BRIEF.itemsize == 96
    yardstick = {
        "opc",
        "dpc",
        "slr",
        "dlr",
        "lac",
        "ci",
        "sccp",
        "bssmap",
        "pd",
        "dtap",
        "imsi",
        "tmsi",
        "imei",
    }
    assert yardstick | {"called", "calling", "present", "error"} <= set(names)


def test_equal_on_every_message_of_every_procedure(wire):
    messages = stories(wire, 1, 5000)
    right, alone = agree(*both(*wire.pack(messages)))
    assert right == len(messages)
    assert not alone


def test_equal_on_damaged_messages_and_the_same_refusals(wire):
    rng = random.Random(4)
    sound, damaged = stories(wire, 2, 2500), []
    for _ in range(60_000):
        raw = bytearray(rng.choice(sound))
        for _ in range(rng.choice((1, 1, 2, 4))):
            at = rng.randrange(24, len(raw)) if len(raw) > 30 else len(raw) - 1
            match rng.randrange(4):
                case 0:
                    raw[at] ^= 1 << rng.randrange(8)
                case 1:
                    raw[at] = rng.randrange(256)
                case 2:
                    del raw[at : at + rng.randrange(1, 4)]
                case _:
                    raw[at:at] = rng.randbytes(rng.randrange(1, 4))
        if rng.random() < 0.9 and len(raw) > 24:
            raw[4:8] = len(raw).to_bytes(4, "big")
            if rng.random() < 0.7:
                raw[10:12] = (len(raw) - 8).to_bytes(2, "big")
        damaged.append(bytes(raw))
    whole, brief = both(*wire.pack(damaged))
    right, alone = agree(whole, brief)
    assert right > 5000
    assert (brief["error"] > 0).sum() > 5000
    assert set(alone) == {int(kind) for kind in BRIEF_PASSES_OVER}  # each exception is met, or it is none
    assert sum(alone.values()) < 0.02 * len(damaged)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from([0x57, 0x52, 0x2F, 0x20, 0x55, 0x10, 0x13]),
    elements=st.lists(
        st.tuples(
            st.sampled_from([0x04, 0x05, 0x08, 0x09, 0x17, 0x1A, 0x1B, 0x20, 0x49, 0x2C, 0xF1]),
            st.binary(max_size=12),
        ),
        max_size=6,
    ),
)
def test_any_order_of_elements(wire, kind, elements):
    body = bytes([kind]) + b"".join(bytes([tag, len(value)]) + value for tag, value in elements)
    user = bytes([0, len(body)]) + body
    octets = wire.m3ua(bytes.fromhex("0604050600") + bytes([1, len(user)]) + user, True)
    agree(*both(octets, np.array([0, len(octets)])))


@settings(max_examples=300, deadline=None)
@given(layer3=st.binary(max_size=40))
def test_any_layer_3_octets(wire, layer3):
    user = bytes([1, 0, len(layer3)]) + layer3
    octets = wire.m3ua(bytes.fromhex("0604050600") + bytes([1, len(user)]) + user, True)
    agree(*both(octets, np.array([0, len(octets)])))


def test_flat_form_and_tally_take_brief_rows(wire):
    messages = stories(wire, 5, 500)
    data, offsets = wire.pack(messages)
    rows = new_rows(600, BRIEF)
    flat = b"".join(len(one).to_bytes(4, "little") + one for one in messages)
    assert decode_flat(flat, rows) == (500, len(flat))
    assert rows[:500].tobytes() == decode_batch(data, offsets, new_rows(500, BRIEF)).tobytes()
    assert tally(rows[:500]) == (500, 500)


@pytest.mark.parametrize("dtype", [ROW, BRIEF], ids=["whole", "brief"])
def test_threads_side_by_side_fill_the_rows_that_one_fills(wire, dtype):
    messages = stories(wire, 7, 2000)
    flat = b"".join(len(one).to_bytes(4, "little") + one for one in messages)
    cuts = [0, 700, 701, 2000]
    starts = [sum(4 + len(one) for one in messages[:cut]) for cut in cuts]
    alone, together = new_rows(2000, dtype), new_rows(2000, dtype)
    decode_flat(flat, alone)
    with ThreadPoolExecutor(3) as pool:
        for _ in range(5):
            together.view(np.uint8)[:] = 0xCD
            parts = [together[a:b] for a, b in pairwise(cuts)]
            ends = list(pool.map(lambda part, at: decode_flat(flat, part, at), parts, starts[:-1]))
            assert [end for _, end in ends] == starts[1:]
            assert together.tobytes() == alone.tobytes()


def test_nothing_is_written_behind_the_last_row(wire):
    messages = stories(wire, 6, 64)
    data, offsets = wire.pack(messages)
    room = new_rows(65, BRIEF)
    room.view(np.uint8)[:] = 0xAB
    decode_batch(data, offsets, room)
    assert set(room[64:].tobytes()) == {0xAB}


def test_an_empty_message_and_wrong_rows():
    rows = decode_batch(b"\1", np.array([0, 0, 1]), new_rows(2, BRIEF))
    assert rows["error"].tolist() == [DecodeErrorKind.M3UA_HEADER] * 2
    with pytest.raises(TypeError, match="ROW or BRIEF"):
        new_rows(1, np.dtype("u1"))
    with pytest.raises(TypeError, match="ROW or BRIEF"):
        decode_batch(b"", np.array([0]), np.zeros(1, dtype="u1"))
    crooked = np.zeros(BRIEF.itemsize + 8, dtype=np.uint8)
    at = 1 - crooked.ctypes.data % 8
    with pytest.raises(ValueError, match="multiple of 8"):
        decode_batch(b"\1", np.array([0, 1]), crooked[at % 8 :][: BRIEF.itemsize].view(BRIEF))
