import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigtran import MessageBatch

# The machine may be busy with other tests: how long one example takes says nothing.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.integers(0, 65535)), max_size=30))
def test_messages_come_out_as_they_went_in(pairs: list[tuple[bytes, int]]) -> None:
    batch = MessageBatch.from_messages([m for m, _ in pairs], [s for _, s in pairs])
    assert batch.n == len(batch) == len(pairs)
    assert list(batch) == [m for m, _ in pairs]
    assert [batch.message(i) for i in range(batch.n)] == list(batch)
    assert batch.streams.tolist() == [s for _, s in pairs]


@patient
@given(st.lists(st.lists(st.binary(min_size=1, max_size=5), max_size=4), max_size=5))
def test_concatenating_is_appending(lists: list[list[bytes]]) -> None:
    batch = MessageBatch.concatenate([MessageBatch.from_messages(each, 3) for each in lists])
    assert list(batch) == [message for each in lists for message in each]
    assert batch.streams.tolist() == [3] * batch.n


def test_a_slice_stands_alone() -> None:
    batch = MessageBatch.from_messages([b"a", b"bc", b"def"], [1, 2, 3])
    part = batch.slice(1, 3)
    assert list(part) == [b"bc", b"def"]
    assert part.offsets.tolist() == [0, 2, 5]
    assert part.streams.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("data", "offsets", "streams", "error"),
    [
        (b"abc", np.array([0, 3], dtype=np.int32), np.array([1], dtype=np.uint16), TypeError),
        (b"abc", np.array([0, 3], dtype=np.int64), np.array([1], dtype=np.int64), TypeError),
        (b"abc", np.array([0, 3], dtype=np.int64), np.array([1, 2], dtype=np.uint16), ValueError),
        (b"abc", np.array([0, 2], dtype=np.int64), np.array([1], dtype=np.uint16), ValueError),
        (b"abc", np.array([0, 0, 3], dtype=np.int64), np.array([1, 2], dtype=np.uint16), ValueError),
        (b"abc", np.array([0, 4, 3], dtype=np.int64), np.array([1, 2], dtype=np.uint16), ValueError),
    ],
)
def test_what_cannot_be_a_batch_is_refused(data, offsets, streams, error) -> None:
    with pytest.raises(error):
        MessageBatch(data, offsets, streams)


def test_a_message_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        MessageBatch.from_messages([b"a"]).message(1)
