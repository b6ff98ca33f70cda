"""However many threads decode: the rows that one thread makes, of damaged messages too."""

import random

import numpy as np
import pytest

from marketing.decode import Decoders, decode_batch, threads


@pytest.fixture(scope="module")
def messages(wire):
    """Of all procedures, one in ten cut, one in ten with an octet changed, one of nothing."""
    rng = random.Random(11)
    kinds, found = wire.variants(), [b""]
    while len(found) < 3000:
        kind, options = rng.choice(kinds)
        found += [message.octets for message in wire.story(kind, **options)]
    for i, one in enumerate(found):
        at = rng.randrange(max(len(one), 1))
        if i % 10 == 3:
            found[i] = one[:at]
        elif i % 10 == 7:
            found[i] = one[:at] + bytes([one[at] ^ 0x55]) + one[at + 1 :]
    return wire.pack(found)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("ni", [-1, 2])
def test_threads_make_the_rows_of_one(messages, monkeypatch, count, ni):
    monkeypatch.setattr(threads, "LEAST", 500)
    data, offsets = messages
    expected = decode_batch(data, offsets, None, ni)
    assert np.count_nonzero(expected["error"]) > 100
    decoders = Decoders(count)
    try:
        for first, last in ((0, len(offsets) - 1), (1, 2000), (7, 1507), (5, 905), (3, 3)):
            rows = decoders.decode(data, offsets[first : last + 1], ni)
            assert rows.tobytes() == expected[first:last].tobytes()
        with pytest.raises(ValueError, match="out of the data"):
            decoders.decode(data[:100], offsets, ni)
    finally:
        decoders.close()


def test_few_messages_wake_nobody(messages):
    data, offsets = messages
    decoders = Decoders(4)
    decoders.close()  # a thread would be refused
    assert decoders.decode(data, offsets).tobytes() == decode_batch(data, offsets).tobytes()
    assert Decoders().decode(data, offsets).tobytes() == decode_batch(data, offsets).tobytes()
