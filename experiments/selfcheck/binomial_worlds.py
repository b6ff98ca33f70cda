"""Worlds whose truth is known on paper: people who take up by chance, before and with a message.

A person's chance depends on a class that nobody sees; acts of the time before and a score tell a little of
it, and people of one cell share their luck. Populations are redrawn for every replicate. All chance is keyed
integers (`sim.draws`), so a replicate is the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.draws import Draws, threshold_q32

__all__ = ["WORLDS", "Population", "World", "population"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

_CLASS_FACTORS: Final = np.array([0.4, 0.8, 1.2, 1.6])  # of the base rate, a quarter of people each
_LIFT_FACTORS: Final = np.array([0.0, 0.5, 1.0, 2.5])  # of the lift; mean 1
_CELL_FACTORS: Final = np.array([0.6, 0.8, 1.2, 1.4])  # of the base rate, by cell; mean 1
_BEFORE_SHARES: Final = np.array([0.1, 0.25, 0.45, 0.7])  # chance of an act on each day of the time before
_LOOK_BACK_DAYS: Final = 14
_OWN_LUCK: Final = 0.125  # share of people whose draw differs between parallel worlds
_PURPOSES: Final = {
    "class": 1,
    "cell": 2,
    "arm": 3,
    "luck": 4,
    "other": 5,
    "own": 6,
    "before": 7,
    "score": 8,
    "drawn": 9,
}


@dataclass(frozen=True, slots=True)
class World:
    """What decides the truth."""

    name: str
    people: int
    base: float
    """Mean chance to take up unasked."""
    lift: float
    """Mean added chance if contacted: the truth."""
    treated: float = 0.5
    """Chance to be drawn into the treated arm."""
    cells: int = 24

    @property
    def truth_of_top(self) -> float:
        """Effect among people of the score's top; see `Population.score`."""
        return self.lift * float(_LIFT_FACTORS @ _share_of_class_in_top())


WORLDS: Final = {
    world.name: world
    for world in (
        World("sparse", 1600, 0.016, 0.008),
        World("usual", 1200, 0.05, 0.03),
        World("common", 600, 0.3, 0.1),
        World("no effect", 1200, 0.04, 0.0),
        World("few treated", 2400, 0.05, 0.03, treated=0.2),
    )
}
"""Worlds with ten take-ups an arm or more."""


@dataclass(frozen=True, slots=True)
class Population:
    """One replicate: columns over people."""

    treated: Bools
    """Drawn person by person."""
    cell: I64
    cell_treated: Bools
    """Half of the cells, drawn as wholes."""
    outcome: F64
    """1 if taken up, treated being contacted."""
    cell_outcome: F64
    """1 if taken up, people of treated cells being contacted."""
    with_contact: F64
    """1 if taken up in the world where everybody is contacted."""
    without_contact: F64
    """1 if taken up in the world where nobody is."""
    before: F64
    """Acts in the look-back."""
    luck_of_cells: float
    """Mean factor that the cells of this replicate have on the chance to take up unasked; 1 on average."""
    score: F64
    """0 .. 3: the class for half of people, any class for the others."""


def population(world: World, seed: int, replicate: int) -> Population:
    """Draws a replicate."""
    draws, who = Draws(seed), np.arange(world.people)

    def words(purpose: str, ordinal: int = 0) -> NDArray[np.uint32]:
        return draws.u32(_PURPOSES[purpose], who, day=replicate, ordinal=ordinal)

    kind = (words("class") >> np.uint32(30)).astype(np.int64)
    cell = (words("cell").astype(np.int64) * world.cells) >> 32
    cells = np.arange(world.cells)
    luck_of_cell = _CELL_FACTORS[
        (draws.u32(_PURPOSES["cell"], cells, replicate, 1) >> np.uint32(30)).astype(np.int64)
    ]
    drawn = np.argsort(draws.u32(_PURPOSES["drawn"], cells, replicate), kind="stable")
    cell_treated = np.isin(cell, drawn[: world.cells // 2])
    base = world.base * _CLASS_FACTORS[kind] * luck_of_cell[cell]
    asked = base + world.lift * _LIFT_FACTORS[kind]
    treated = words("arm") < threshold_q32(world.treated)
    luck = words("luck")
    other = np.where(words("own") < threshold_q32(_OWN_LUCK), words("other"), luck)
    without, contacted = (luck < threshold_q32(base)), (other < threshold_q32(asked))
    before = np.zeros(world.people)
    for day in range(_LOOK_BACK_DAYS):
        before += words("before", day) < threshold_q32(_BEFORE_SHARES[kind])
    tells = words("score") < threshold_q32(0.5)
    guess = (words("score", 1) >> np.uint32(30)).astype(np.int64)
    return Population(
        treated,
        cell,
        cell_treated,
        np.where(treated, contacted, without).astype(np.float64),
        np.where(cell_treated, contacted, without).astype(np.float64),
        contacted.astype(np.float64),
        without.astype(np.float64),
        before,
        float(luck_of_cell.mean()),
        np.where(tells, kind, guess).astype(np.float64),
    )


def _share_of_class_in_top() -> F64:
    """Classes of people with the highest score, 3: half of class 3's, and an eighth of everybody's."""
    shares = np.array([0.125, 0.125, 0.125, 0.625])
    mixed: F64 = shares / shares.sum()
    return mixed
