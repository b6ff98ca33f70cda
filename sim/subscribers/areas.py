"""Where people live and work, town by town: the areas that the segment table names, as cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import U32, Draws, pick, scale, shares_q32, threshold_q32
from sim.scenario import WorldScenario
from sim.subscribers.acquaintances import QUARTER
from sim.subscribers.habitat import Ground
from sim.subscribers.social import COMMUNITY

I64 = NDArray[np.int64]

ELSEWHERE: Final = 0.2
"""Share of those who have a dormitory or an office park to go to and live or work elsewhere in town."""
_WITH_QUARTER: Final = 0.75  # of the home communities are in the main town of their quarter
_KINDS = ("office", "campus", "hotel")


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """The areas of every town."""

    draws: Draws
    shares: NDArray[np.uint64]
    """Upper bounds (out of 2**32) of the towns, by their cells outside places."""
    cells: dict[str, tuple[I64, I64, I64]]
    """Area -> its cells, town after town; where each town's begin; how many they are."""

    @classmethod
    def of(cls, scenario: WorldScenario, ground: Ground, draws: Draws) -> Areas:
        """For a world. A cell belongs to the town whose centre is nearest."""
        city = scenario.network.city
        centres = [(t.x_km, t.y_km) for t in city.towns] if city is not None else [(0.0, 0.0)]
        x = np.array([round(1000 * x_km) for x_km, _ in centres], dtype=np.int64)
        y = np.array([round(1000 * y_km) for _, y_km in centres], dtype=np.int64)
        east = ground.x_m.astype(np.int64)[:, np.newaxis] - x
        north = ground.y_m.astype(np.int64)[:, np.newaxis] - y
        away = east * east + north * north
        town_of, out = np.argmin(away, axis=1), away.min(axis=1)
        town = np.flatnonzero((ground.kind == 0) & (ground.place < 0))
        edges = []
        for index in range(len(centres)):
            mine = town[town_of[town] == index]
            edges.append(mine[np.argsort(out[mine], kind="stable")][len(mine) * 2 // 3 :])
        found = {"town": town, "edge": np.concatenate(edges)}
        found |= {kind: ground.cells_of_kind(kind).astype(np.int64) for kind in _KINDS}
        cells = {}
        for name, some in found.items():
            count = np.bincount(town_of[some], minlength=len(centres)).astype(np.int64)
            order = np.argsort(town_of[some], kind="stable")
            cells[name] = (some[order], np.cumsum(count) - count, count)
        return cls(draws, shares_q32(cells["town"][2]), cells)

    def town(self, sub: I64) -> I64:
        """The town where each subscriber lives: most communities are in that of their quarter."""
        if len(self.shares) == 1:
            return np.zeros(len(sub), dtype=np.int64)
        u = self.draws.block("community", sub // COMMUNITY, 6)
        main = self.draws.u32("community", sub // QUARTER, 5)
        return pick(np.where(u[0] < threshold_q32(_WITH_QUARTER), main, u[1]), self.shares)

    def one_of(self, area: str, town: I64, where: U32, elsewhere: U32) -> I64:
        """A cell of an area; one time in five, or where a town has no such area, a cell of that town."""
        every, first, count = self.cells["town"]
        anywhere: I64 = every[first[town] + scale(where, count[town])]
        cells, start, size = self.cells[area]
        if len(cells) == 0:
            return anywhere
        there = cells[np.minimum(start[town] + scale(where, size[town]), len(cells) - 1)]
        return np.where((elsewhere < threshold_q32(ELSEWHERE)) | (size[town] == 0), anywhere, there)
