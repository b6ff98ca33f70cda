"""The subscribers' stations as columns, the events that wait for them, and where they will go today."""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.network.intents import Moves, Power

GAP_US = 300_000
"""Between the end of one connection of a station and the beginning of the next."""


class Stations:
    """What each station is doing; typed arrays, read and written one row at a time."""

    def __init__(self, cell: NDArray[np.int32], on: NDArray[np.bool_], start_us: int) -> None:
        n = len(cell)
        self.cell = array("i", cell.astype(np.int32).tobytes())
        self.on = bytearray(on.astype(np.uint8).tobytes())
        self.camped = bytearray(self.on)
        """Has updated its location since it was switched on: can call and be called."""
        self.closing = bytearray(n)
        """Will be switched off as soon as the present connection ends."""
        self.busy_until_us = array("q", bytes(8 * n))
        """End of the present connection of any kind."""
        self.call_until_us = array("q", bytes(8 * n))
        """End of the present call."""
        nothing = np.full(n, -1, dtype=np.int64).tobytes()
        self.power_on_us = array("q", nothing)
        """When it was last switched on; -1 not since the start."""
        self.service_call_us = array("q", nothing)
        """When its last call to a service line ended; -1 not since the start."""
        self.place_since_us = array("q", np.full(n, start_us, dtype=np.int64).tobytes())
        """When it came to its present place (or cell, outside places)."""

    def free_us(self, sub: int, t_us: int) -> int:
        """The first moment from `t_us` on at which the station has no connection."""
        until = self.busy_until_us[sub]
        return t_us if until <= t_us else until + GAP_US


class Agenda:
    """Events that the network itself has made due, in the order (time, subscriber, class, number)."""

    def __init__(self) -> None:
        self.heap: list[tuple[int, int, int, int, Any]] = []
        self._number = 1 << 40  # apart from the numbers of a day's intents

    def pop(self) -> tuple[int, int, int, int, Any]:
        """The earliest event."""
        return heapq.heappop(self.heap)

    def push(self, t_us: int, sub: int, what: int, detail: Any = None) -> None:
        """`what` is an event class of the resolver."""
        self._number += 1
        heapq.heappush(self.heap, (t_us, sub, what, self._number, detail))


class Ahead:
    """Diaries laid out by subscriber, to look up the next switching on, or a move during a call."""

    def __init__(self, n: int, moves: list[Moves], power: list[Power]) -> None:
        self._move_t, move_cell, self._move_start = _by_subscriber(
            n, [m.t_us for m in moves], [m.sub for m in moves], [m.cell for m in moves]
        )
        self._move_cell: list[int] = move_cell.tolist()
        on: list[NDArray[Any]] = [np.flatnonzero(p.on) for p in power]
        self._on_t, _, self._on_start = _by_subscriber(
            n,
            [p.t_us[rows] for p, rows in zip(power, on, strict=True)],
            [p.sub[rows] for p, rows in zip(power, on, strict=True)],
            on,
        )

    def moves_between(self, sub: int, from_us: int, to_us: int) -> list[tuple[int, int]]:
        """(time, cell) of the moves with from_us < time < to_us."""
        low, high = self._move_start[sub], self._move_start[sub + 1]
        found = []
        for i in range(bisect_right(self._move_t, from_us, low, high), high):
            if self._move_t[i] >= to_us:
                break
            found.append((self._move_t[i], self._move_cell[i]))
        return found

    def next_on_us(self, sub: int, after_us: int) -> int:
        """When the subscriber next switches on; -1: not in the days laid out."""
        low, high = self._on_start[sub], self._on_start[sub + 1]
        i = bisect_right(self._on_t, after_us, low, high)
        return self._on_t[i] if i < high else -1


def _by_subscriber(
    n: int, times: list[NDArray[np.int64]], subs: list[NDArray[Any]], values: list[NDArray[Any]]
) -> tuple[list[int], NDArray[Any], list[int]]:
    """Times and values of all lists, by subscriber and then time, and where each subscriber begins."""
    if not times:
        return [], np.zeros(0, dtype=np.int64), [0] * (n + 1)
    t, sub, value = np.concatenate(times), np.concatenate(subs), np.concatenate(values)
    order = np.lexsort((t, sub))
    starts = np.searchsorted(sub[order], np.arange(n + 1))
    return t[order].tolist(), value[order], starts.tolist()
