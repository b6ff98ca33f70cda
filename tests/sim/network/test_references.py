"""Borrowed numbers: never two borrowers at once, rest kept, ranges kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.network.exhaustion import NumbersExhaustedError
from sim.network.kernel import RESERVED_REFERENCES, FreeList, circuits, local_references, reserved_references


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 400)), max_size=120),
    st.integers(0, 2**32),
    st.integers(100, 300),
)
def test_no_number_is_lent_twice_at_a_time(loans: list[tuple[int, int]], key: int, rest: int) -> None:
    numbers, now, held = FreeList(5, 4000, key=key), 0, []
    for after, length in loans:
        now += after
        value = numbers.take(now)
        assert 5 <= value < 4000
        assert all(value != other or until + rest <= now for other, until in held)
        numbers.give_back(value, now + length + rest)
        held.append((value, now + length))


@given(st.integers(0, 2**32))
def test_every_number_comes_once_before_any_comes_again(key: int) -> None:
    numbers = FreeList(1, 200, key=key)
    assert sorted(numbers.take(0) for _ in range(199)) == list(range(1, 200))
    with pytest.raises(NumbersExhaustedError, match="199 numbers"):
        numbers.take(0)
    numbers.give_back(7, 10)
    with pytest.raises(NumbersExhaustedError):
        numbers.take(9)
    assert numbers.take(10) == 7


def test_the_reserved_references_are_apart() -> None:
    assert {local_references(1).take(0) < RESERVED_REFERENCES for _ in range(9)} == {True}
    reserved = reserved_references(1)
    assert all(RESERVED_REFERENCES <= reserved.take(0) < 1 << 24 for _ in range(1000))


def test_circuits_avoid_the_time_slots_of_synchronisation_and_signalling() -> None:
    codes = circuits()
    lent = [codes.take(0) for _ in range(90)]
    assert sorted(lent) == lent
    assert {code >> 5 for code in lent} == {1, 2, 3}
    assert {code & 31 for code in lent} == set(range(1, 32)) - {16}
    codes.give_back(lent[7], 50)
    assert codes.take(60) == lent[7]


FREEZE_US = 300_000_000


def test_frozen_references_outlast_a_late_message() -> None:
    numbers = local_references(3)
    first = numbers.take(0)
    numbers.give_back(first, 1000 + FREEZE_US)
    assert numbers.take(1000 + FREEZE_US - 1) != first
    assert numbers.take(1000 + FREEZE_US) == first
