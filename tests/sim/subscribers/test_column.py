"""Columns computed when read behave like arrays; packed rates come back as near as promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.subscribers.column import Column, pack_rate, unpack_rate

SQUARES = Column(100, np.int32, lambda i: i * i)


def test_a_column_reads_like_an_array():
    whole = np.arange(100, dtype=np.int32) ** 2
    assert len(SQUARES) == 100
    assert SQUARES.shape == (100,)
    assert np.array_equal(SQUARES, whole)
    assert np.array_equal(SQUARES[10:20:3], whole[10:20:3])
    assert np.array_equal(SQUARES[whole % 2 == 0], whole[whole % 2 == 0])
    assert np.array_equal(SQUARES[[[1, 2], [-1, 5]]], whole[[[1, 2], [-1, 5]]])
    assert SQUARES[7] == 49
    assert SQUARES[np.array([], dtype=np.int64)].shape == (0,)
    assert SQUARES[3:5].dtype == np.int32
    assert ((SQUARES > 50) == (whole > 50)).all()
    assert (SQUARES * 2 + whole == whole * 3).all()
    assert SQUARES.sum() == whole.sum()
    assert SQUARES.mean() == whole.mean()
    assert SQUARES.tolist() == whole.tolist()


@pytest.mark.parametrize("index", [100, -101, [0, 100], np.ones(99, dtype=bool)])
def test_rows_that_are_not_there(index):
    with pytest.raises(IndexError):
        SQUARES[index]


def test_no_more_is_computed_than_asked():
    asked = []
    column = Column(10**12, np.int64, lambda i: asked.append(i.tolist()) or i)
    assert column[10**11] == 10**11
    assert asked == [[10**11]]


@given(st.lists(st.integers(0, (1 << 26) - 1), min_size=1, max_size=50))
def test_packed_rates(values):
    v = np.array(values)
    back = unpack_rate(pack_rate(v))
    assert (back <= v).all()
    assert ((v - back) * 2048 <= v).all()
    assert (back[v < 4096] == v[v < 4096]).all()
    assert np.array_equal(pack_rate(back), pack_rate(v))


@pytest.mark.parametrize("value", [-1, 1 << 26])
def test_rates_that_do_not_fit(value):
    with pytest.raises(ValueError, match="rate"):
        pack_rate(value)
