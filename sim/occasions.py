"""Who has something to do when: so that a short block of time draws only those whose turn it is.

One row of what people mean to do costs the plan of a whole day, however short the block that asks for it.
So the first block of a day draws everybody for all that is left of the day, keeps its own rows, and of the
rest one bit for each person and occasion: an occasion is a thirty-second of a day. A later block then draws
those alone who have something in it. Draws are pure functions of people and of a span of time, so the rows
are the same as if everybody had been drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.network.narrow import narrow
from sim.scenario import DAY_US
from sim.subscribers.walk import LONGEST_RIDE_US

__all__ = ["OCCASION_US", "Ask", "Draw", "Occasions", "Timetable", "answer", "slices"]

CHUNK: Final = 1 << 14
"""People drawn at a time, at most: more would not fit the caches, and memory would grow with the world."""
OCCASIONS: Final = 32
OCCASION_US: Final = DAY_US // OCCASIONS
_LEAST: Final = 1 << 13
"""People at a time of whom a whole day is drawn: as many rows as of `CHUNK` in a block, or so."""

Draw = Callable[..., Any]
"""(world, *span, people) -> a table whose rows are in time order (t_us), or trips; a function of a module."""
Some = slice | NDArray[np.int64]


def slices(n: int, chunk: int = CHUNK) -> list[slice]:
    """All people, so many at a time."""
    return [slice(first, min(first + chunk, n)) for first in range(0, n, chunk)]


@dataclass(frozen=True, slots=True)
class Timetable:
    """Which spans of time a network will ask for: blocks, one after another (`Network.block_us`)."""

    start_us: int
    end_us: int
    block_us: int

    def next(self, from_us: int) -> tuple[int, int] | None:
        """The block that begins at a moment; None at the end."""
        if from_us >= self.end_us:
            return None
        return from_us, min((from_us // self.block_us + 1) * self.block_us, self.end_us)

    def span(self, draw: Draw, block: tuple[int, int], walked: Draw) -> tuple[int, int]:
        """What is asked for a block; of the first one also the trips on which people are already."""
        early = draw is walked and block[0] == self.start_us
        return (block[0] - LONGEST_RIDE_US if early else block[0]), block[1]

    def horizon(self, to_us: int) -> int:
        """End of the day in which a block ends, or of the run."""
        return min(((to_us - 1) // DAY_US + 1) * DAY_US, self.end_us)


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """One share of what is to be drawn."""

    draw: Draw
    span: tuple[int, ...]
    some: Some
    until_us: int = 0
    """Draw up to here, and tell who has something after the span; 0: the span is all."""


def answer(world: Any, ask: Ask) -> tuple[Any, NDArray[np.uint32] | None]:
    """The rows of a share in narrow columns; and where they are wanted the marks of its people."""
    if not ask.until_us:
        return narrow(ask.draw(world, *ask.span, ask.some)), None
    assert isinstance(ask.some, slice)
    from_us, to_us = ask.span
    table = ask.draw(world, from_us, ask.until_us, ask.some)
    t_us = table.leave_us if hasattr(table, "leave_us") else table.t_us
    midnight = (to_us - 1) // DAY_US * DAY_US
    marks = marks_of(t_us - midnight, table.sub - ask.some.start, ask.some.stop - ask.some.start)
    return narrow(table, np.flatnonzero(t_us < to_us)), marks


def marks_of(since_midnight_us: NDArray[np.int64], row: NDArray[np.int64], n: int) -> NDArray[np.uint32]:
    """Bit k of a person is set where a row of theirs lies in occasion k of the day."""
    marks = np.zeros(n, np.uint32)
    occasion = since_midnight_us // OCCASION_US
    for k in np.unique(occasion[occasion >= 0]).tolist():
        marks[row[occasion == k]] |= np.uint32(1 << k)
    return marks


def touched(from_us: int, to_us: int) -> np.uint32:
    """The occasions that a span within one day touches."""
    midnight = from_us // DAY_US * DAY_US
    first, last = (from_us - midnight) // OCCASION_US, (to_us - 1 - midnight) // OCCASION_US
    return np.uint32((1 << last + 1) - (1 << first))


@dataclass(frozen=True, slots=True, eq=False)
class _Marks:
    """Marks of people who follow each other; where most have none, of the others alone."""

    first: int
    who: NDArray[np.uint16] | None
    """Counted from the first; None: everybody."""
    marks: NDArray[np.uint32]

    @classmethod
    def of(cls, first: int, marks: NDArray[np.uint32]) -> _Marks:
        some = np.flatnonzero(marks)
        if 3 * len(some) > 2 * len(marks):  # six octets each, or four
            return cls(first, None, marks)
        return cls(first, some.astype(np.uint16), marks[some])

    def having(self, bits: np.uint32) -> NDArray[np.int64]:
        """Who has something in any of these occasions."""
        found = np.flatnonzero(self.marks & bits)
        return self.first + (found if self.who is None else self.who[found].astype(np.int64))


@dataclass(slots=True, eq=False)
class Occasions:
    """The marks of one day for each draw."""

    n: int
    timetable: Timetable
    _known: dict[Draw, tuple[int, list[_Marks]]] = field(default_factory=dict)
    """Of a draw the day, and the marks of everybody."""

    def asks(self, draw: Draw, span: tuple[int, ...], chunk: int = CHUNK) -> Sequence[Ask]:
        """What is to be drawn for a block, share by share; at least one."""
        if len(span) == 1 or self.timetable.block_us >= DAY_US:
            return [Ask(draw, span, some) for some in slices(self.n, chunk)]
        from_us, to_us = span
        day = (to_us - 1) // DAY_US
        known_day, known = self._known.get(draw, (-1, []))
        if known_day == day and from_us >= day * DAY_US:
            who = np.concatenate([marks.having(touched(from_us, to_us)) for marks in known])
            firsts = range(0, max(len(who), 1), chunk)
            return [Ask(draw, span, who[first : first + chunk]) for first in firsts]
        self._known.pop(draw, None)
        until_us = self.timetable.horizon(to_us)
        if until_us <= to_us:
            return [Ask(draw, span, some) for some in slices(self.n, chunk)]
        self._known[draw] = day, []
        fewer = max(chunk * (to_us - from_us) // (until_us - from_us), min(_LEAST, chunk))
        return [Ask(draw, span, some, until_us) for some in slices(self.n, fewer)]

    def note(self, ask: Ask, marks: NDArray[np.uint32] | None) -> None:
        """Keeps what an answer told beside its rows; answers come in the order of what was asked."""
        if marks is not None:
            assert isinstance(ask.some, slice)
            self._known[ask.draw][1].append(_Marks.of(ask.some.start, marks))

    @property
    def nbytes(self) -> int:
        """Octets of all marks."""
        kept = [marks for _, known in self._known.values() for marks in known]
        return sum(one.marks.nbytes + (0 if one.who is None else one.who.nbytes) for one in kept)
