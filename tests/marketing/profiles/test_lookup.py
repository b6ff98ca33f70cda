"""The index of ascending numbers: every value at its place, nothing else anywhere."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing.profiles.lookup import Index

numbers = st.integers(0, 2**64 - 1) | st.integers(10**12, 10**12 + 300) | st.integers(0, 50)


@given(st.sets(numbers, max_size=60), st.lists(numbers, max_size=60))
def test_places(values, others):
    ordered = np.array(sorted(values), dtype=np.uint64)
    wanted = np.array([*ordered.tolist(), *others], dtype=np.uint64)
    place = {int(value): at for at, value in enumerate(ordered)}
    index = Index(ordered)
    assert index.find(wanted).tolist() == [place.get(int(one), -1) for one in wanted]
    assert len(index) == len(values)
    assert index.nbytes <= 4 * (len(values) // 3 + 3)


def test_clusters_far_apart_and_neighbours_of_values():
    ordered = np.unique(np.array([*range(5000), *range(10**14, 10**14 + 5000), 2**64 - 1], dtype=np.uint64))
    index = Index(ordered)
    assert np.array_equal(index.find(ordered), np.arange(len(ordered)))
    assert index.find(np.array([5000, 10**14 - 1, 10**14 + 5000, 2**64 - 2], np.uint64)).tolist() == [-1] * 4


@pytest.mark.parametrize("values", [[1, 1], [2, 1]])
def test_values_must_ascend(values):
    with pytest.raises(ValueError, match="ascend"):
        Index(np.array(values, np.uint64))


def test_copies_and_pickles_find_the_same():
    ordered = np.array([3, 9, 10**14], dtype=np.uint64)
    for twin in (copy.deepcopy(Index(ordered)), pickle.loads(pickle.dumps(Index(ordered)))):
        assert twin.find(np.array([9, 4, 10**14], np.uint64)).tolist() == [1, -1, 2]
