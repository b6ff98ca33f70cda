"""What the indoor cells of a drawn city are planned for: the people who are there at once.

A cell is planned by Erlang's first formula for the busy hour, 20 mErl a subscriber, at two per cent blocking
(`capacity`). Most cells share a town's load evenly; offices and campuses are full of people who work, study
or live there, and get as many cells and transceivers as these need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.network.capacity import LOAD_2_PCT_CERL, MOST_TRX
from sim.network.city_places import PlannedPlace
from sim.scenario import WorldScenario
from sim.subscribers.areas import ELSEWHERE
from sim.subscribers.segments import SEGMENTS

I64 = NDArray[np.int64]

KINDS: Final = ("office", "campus")
"""Kinds of places where people of the segment table live or work."""
BUSY_CERL: Final = 2
"""Traffic of a subscriber in the busy hour, hundredths of an erlang."""
_FILLED: Final = (9, 10)  # of what a cell carries: groups who share a cell do not spread quite evenly


@dataclass(frozen=True, slots=True)
class Centre:
    """A town as far as demand goes."""

    x: int
    y: int
    """Metres."""
    cells: int
    """Its part of the people is that of its cells."""


def people_at(scenario: WorldScenario, kind: str) -> int:
    """How many work or study at the places of a kind, or live there, whatever is more."""
    shares = scenario.segments.weights()
    total = working = living = 0.0
    for segment, share in zip(SEGMENTS, shares, strict=True):  # one order of summation everywhere
        total += share
        working += share if segment.work == kind else 0.0
        living += share if segment.home == kind else 0.0
    most = max(working, living) * (1.0 - ELSEWHERE) / total if total else 0.0
    return round(scenario.subscribers * most)


def nearest_town(towns: Sequence[Centre], x: int, y: int) -> int:
    """The town to which a place belongs: the one whose centre is nearest, as in `sim.subscribers.areas`."""
    away = [(town.x - x) ** 2 + (town.y - y) ** 2 for town in towns]
    return away.index(min(away))


def load_cerl(scenario: WorldScenario, towns: Sequence[Centre], kind: str) -> list[int]:
    """Busy-hour load of the places of a kind, town by town, hundredths of an erlang."""
    load, cells = people_at(scenario, kind) * BUSY_CERL, sum(town.cells for town in towns)
    return [load * town.cells // max(cells, 1) for town in towns]


def with_enough_cells(
    own: Sequence[PlannedPlace], scenario: WorldScenario, towns: Sequence[Centre], budget: int
) -> list[PlannedPlace]:
    """Places with cells for those who are there, at most `budget` cells more; those given keep theirs."""
    out = list(own)
    part, whole = _FILLED
    carried = LOAD_2_PCT_CERL[MOST_TRX - 1] * part // whole
    for kind in KINDS:
        for number, load in enumerate(load_cerl(scenario, towns, kind)):
            mine = [
                i for i, p in enumerate(out) if p.kind == kind and nearest_town(towns, p.x, p.y) == number
            ]
            may = [i for i in mine if not out[i].given]
            missing = -(-load // carried) - sum(out[i].cells for i in mine)
            if not may or missing <= 0:
                continue
            missing = min(missing, budget)
            budget -= missing
            for turn, i in enumerate(may):
                more = missing // len(may) + (turn < missing % len(may))
                out[i] = out[i].with_cells(out[i].cells + more)
    return out


def indoor_load_cerl(
    scenario: WorldScenario, towns: Sequence[Centre], own: Sequence[PlannedPlace], place: NDArray[np.int16]
) -> I64:
    """Load to plan each cell of a map for by those who live or work there; 0 where that is nobody.

    `place`: index into `own` of each cell, -1 none.
    """
    out = np.zeros(len(place), dtype=np.int64)
    part, whole = _FILLED
    for kind in KINDS:
        loads = load_cerl(scenario, towns, kind)
        town_of = np.array([nearest_town(towns, p.x, p.y) if p.kind == kind else -1 for p in own] + [-1])
        for number, load in enumerate(loads):
            cells = np.flatnonzero(town_of[place] == number)
            if len(cells):
                out[cells] = load * whole // (part * len(cells))
    return out
