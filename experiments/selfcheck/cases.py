"""The cases of the statistics: coverage of the interval methods over binomial worlds, and peeking."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.selfcheck.case import Case, InThisProcess, Mapper, Scale
from experiments.selfcheck.interval_cases import exact_cases, simulated_cases
from experiments.selfcheck.peeking_cases import peeking_cases as _peeking_cases

__all__ = ["SEED", "Case", "InThisProcess", "Mapper", "Scale", "cases", "interval_cases", "peeking_cases"]

SEED = 20091001


def cases(scale: Scale, executor: Mapper, seed: int = SEED) -> Iterator[Case]:
    """All of them, in a fixed order; each is yielded as soon as its group is done."""
    yield from interval_cases(scale, executor, seed)
    yield from peeking_cases(scale, executor, seed)


def interval_cases(scale: Scale, executor: Mapper, seed: int = SEED) -> Iterator[Case]:
    """Coverage of the interval methods."""
    yield from exact_cases(scale, executor)
    yield from simulated_cases(scale, executor, seed)


def peeking_cases(scale: Scale, executor: Mapper, seed: int = SEED) -> Iterator[Case]:
    """Looking every day."""
    yield from _peeking_cases(scale, executor, seed)
