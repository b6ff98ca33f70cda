"""Who is contacted and who is not: by salted hash within one world, or everybody in worlds side by side.

The hash is a keyed one (Philox, `sim.draws`): its key comes from the salt, so that two experiments with other
salts divide people independently, and one with the same salt divides them again as it did.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sim.draws import Draws

__all__ = ["CONTROL", "HELD_OUT", "TREATED", "Assignment", "Plan", "assign", "draws_of", "switch_days"]

Mask = NDArray[np.bool_]
U8 = NDArray[np.uint8]
Kind = Literal["parallel_worlds", "subscriber", "cluster", "switchback"]

TREATED: Final = 0
CONTROL: Final = 1
HELD_OUT: Final = 2

_ROLE: Final = 10_011
"""Purposes of draws that belong to the study: those of the simulator and of its lists are below."""
_DAY: Final = 10_012


@dataclass(frozen=True, slots=True)
class Plan:
    """How people are divided."""

    kind: Kind
    control_share: float
    """Of those not held out."""
    holdout_share: float
    salt: str

    @property
    def within_one_world(self) -> bool:
        """Whether treated and control live in the same world."""
        return self.kind != "parallel_worlds"


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Who may be contacted."""

    kind: Kind
    role: U8
    """(subscribers,) of the world: TREATED, CONTROL or HELD_OUT."""
    cluster: NDArray[np.int64]
    """(subscribers,): units that were divided; each by itself, or all who live in one cell."""
    days: Mask | None
    """(days,): switchback: whether campaigns run on each local day; else None."""

    @property
    def treated(self) -> Mask | None:
        """(subscribers,): who may be contacted at all; None: everybody."""
        if self.kind == "parallel_worlds":
            return None
        allowed: Mask = self.role == TREATED
        return allowed


def draws_of(salt: str) -> Draws:
    """The keyed hash of a salt."""
    return Draws(int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "big"))


def assign(plan: Plan, home_cell: NDArray[np.integer], days: int, from_day: int = 1) -> Assignment:
    """Divides the people of a world.

    Args:
        plan: How.
        home_cell: (subscribers,) where each lives.
        days: Days of the study.
        from_day: First day of the campaigns, from 1.
    """
    n = len(home_cell)
    each = np.arange(n, dtype=np.int64)
    role = np.full(n, TREATED, dtype=np.uint8)
    if plan.kind == "parallel_worlds":
        return Assignment(plan.kind, role, each, None)
    draws = draws_of(plan.salt)
    unit = home_cell.astype(np.int64) if plan.kind == "cluster" else each
    held = 0.0 if plan.kind == "switchback" else plan.holdout_share
    u = draws.u32(_ROLE, unit) / float(1 << 32)
    if plan.kind != "switchback":
        role[u < held + (1.0 - held) * plan.control_share] = CONTROL
        role[u < held] = HELD_OUT
        return Assignment(plan.kind, role, unit, None)
    return Assignment(plan.kind, role, unit, switch_days(plan.salt, days, from_day))


def switch_days(salt: str, days: int, from_day: int = 1) -> Mask:
    """Which days have campaigns, (days,): of every two neighbours one, by the hash.

    An odd one at the end is drawn by itself. Days before `from_day` have none. The pairs keep trends and the
    week's rhythm out of the comparison.
    """
    on = np.zeros(days, dtype=np.bool_)
    first = np.arange(from_day - 1, days, 2)
    heads = (draws_of(salt).u32(_DAY, first) & 1).astype(np.bool_)
    on[first] = heads
    second = first + 1
    inside = second < days
    on[second[inside]] = ~heads[inside]
    return on
