"""Blocks of time drawn one after another hold what the whole day drawn at once holds."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.network.kernel import pack_numbers
from sim.network.narrow import NarrowCalls, NarrowTexts, narrow
from sim.occasions import OCCASION_US, OCCASIONS, Occasions, Timetable, answer, marks_of, touched
from sim.run import build
from sim.scenario import DAY_US, WorldScenario
from sim.subscribers import diary, usage

SCENARIO = WorldScenario(world="w", about="x", epoch=date(2007, 6, 4), subscribers=1500)
DRAWS = (diary.trips, diary.power, usage.calls, usage.texts, usage.services, diary.journeys)


@pytest.fixture(scope="module")
def town():
    return build(SCENARIO, 11)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize(("start_h", "end_h", "block_us"), [(7.6, 31, OCCASION_US), (17, 24, DAY_US // 8)])
def test_blocks_together_are_the_day(town, draw, start_h, end_h, block_us) -> None:
    timetable = Timetable(round(start_h * DAY_US / 24), round(end_h * DAY_US / 24), block_us)
    occasions, parts, drawn = Occasions(town.n, timetable), [], 0
    block = timetable.next(timetable.start_us)
    while block is not None:
        for ask in occasions.asks(draw, block, 256):
            table, marks = answer(town, ask)
            occasions.note(ask, marks)
            parts.append(table)
            drawn += len(ask.some) if isinstance(ask.some, np.ndarray) else ask.some.stop - ask.some.start
        block = timetable.next(block[1])
    blocks = len(range(timetable.start_us // block_us, -(-timetable.end_us // block_us)))
    assert drawn < 0.9 * town.n * blocks  # the others were left out
    whole = narrow(draw(town, timetable.start_us, timetable.end_us, slice(0, town.n)))
    for one, other in zip(in_order(parts), in_order([whole]), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    assert len(whole.sub) > 0 or draw is diary.journeys


def in_order(tables) -> list[np.ndarray]:
    names = [f.name for f in fields(tables[0])]
    columns = {name: np.concatenate([getattr(table, name) for table in tables]) for name in names}
    order = np.lexsort((columns["sub"], columns["leave_us" if "leave_us" in columns else "t_us"]))
    return [columns[name][order] for name in names]


def test_who_has_nothing_in_a_block_is_not_drawn(town) -> None:
    occasions = Occasions(town.n, Timetable(0, DAY_US, OCCASION_US))
    for ask in occasions.asks(usage.calls, (0, OCCASION_US)):
        occasions.note(ask, answer(town, ask)[1])
    night = (3 * DAY_US // 24, 3 * DAY_US // 24 + OCCASION_US)
    asked = np.concatenate([ask.some for ask in occasions.asks(usage.calls, night)])
    evening = np.concatenate(
        [ask.some for ask in occasions.asks(usage.calls, (18 * DAY_US // 24, 19 * DAY_US // 24))]
    )
    assert len(asked) < len(evening) < town.n
    found = usage.calls(town, *night)
    assert set(found.sub.tolist()) <= set(asked.tolist())
    assert 0 < occasions.nbytes <= 6 * town.n


@given(st.lists(st.tuples(st.integers(0, DAY_US - 1), st.integers(0, 9)), max_size=40), st.data())
@settings(deadline=None)
def test_marks_tell_who_has_a_row_in_a_span(rows, data) -> None:
    t_us, row = np.array(rows, np.int64).reshape(-1, 2).T
    marks = marks_of(t_us, row, 10)
    from_us = data.draw(st.integers(0, DAY_US - 1))
    to_us = data.draw(st.integers(from_us + 1, DAY_US))
    said = set(np.flatnonzero(marks & touched(from_us, to_us)).tolist())
    assert {who for t, who in rows if from_us <= t < to_us} <= said
    first, last = from_us // OCCASION_US * OCCASION_US, -(-to_us // OCCASION_US) * OCCASION_US
    assert said == {who for t, who in rows if first <= t < last}
    assert touched(0, DAY_US) == 2**OCCASIONS - 1


@given(st.lists(st.text("0123456789", max_size=20), max_size=30))
def test_packed_numbers_are_their_digits(numbers) -> None:
    packed = pack_numbers(np.array([number.encode() for number in numbers], "S20"))
    assert packed.shape == (len(numbers), 10)
    halves = [[half for octet in row for half in (octet & 15, octet >> 4)] for row in packed.tolist()]
    assert ["".join(str(half) for half in row if half < 10) for row in halves] == numbers
    assert all(
        row[len(number) :] == [15] * (20 - len(number)) for row, number in zip(halves, numbers, strict=True)
    )


def test_numbers_are_digits() -> None:
    with pytest.raises(ValueError, match=r"a number of digits was expected, not .*12a"):
        pack_numbers(np.array([b"10086", b"12a"], "S20"))


def test_narrow_tables_hold_the_same(town) -> None:
    for wide, kind, octets in (
        (usage.calls(town, 0, DAY_US), NarrowCalls, 45),
        (usage.texts(town, 0, DAY_US), NarrowTexts, 28),
    ):
        found = narrow(wide)
        assert isinstance(found, kind)
        assert sum(getattr(found, f.name).nbytes for f in fields(kind)) == octets * len(wide.t_us)
        for f in fields(kind):
            if f.name == "peer_number":
                assert np.array_equal(found.peer_number, pack_numbers(wide.peer_number))
            else:
                assert np.array_equal(getattr(found, f.name), getattr(wide, f.name)), f.name
    rows = np.array([2, 0])
    assert narrow(wide, rows).t_us.tolist() == wide.t_us[rows].tolist()


def test_what_does_not_fit_is_refused(town) -> None:
    calls = usage.calls(town, 0, DAY_US)
    for name, wrong, most in (("ring_us", 1 << 32, "4294967295"), ("sub", 1 << 31, "2147483647")):
        column = getattr(calls, name).copy()
        column[3] = wrong
        with pytest.raises(ValueError, match=most):
            narrow(replace(calls, **{name: column}))
