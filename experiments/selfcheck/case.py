"""One promise that was put to the test, and what runs many of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

__all__ = ["Case", "InThisProcess", "Mapper", "Scale"]

T = TypeVar("T")
R = TypeVar("R")

Scale = Literal["small", "full"]
"""small: seconds, for CI; full: minutes, for the published report."""


@dataclass(frozen=True, slots=True)
class Case:
    """A promise, how it was tried, and whether it held."""

    group: str
    name: str
    tried: str
    """What was done, in one sentence."""
    tries: int
    """Replicates, or outcomes summed over where nothing was left to chance."""
    expected: str
    found: Mapping[str, float]
    """Figures by name; shares of one, not per cent."""
    passed: bool


class Mapper(Protocol):
    """The part of an executor that is needed here: runs jobs, gives results in any order with their keys."""

    def map(
        self, function: Callable[[T], R], jobs: Sequence[T], *, key: Callable[[T], str]
    ) -> Iterator[tuple[str, R]]: ...


class InThisProcess:
    """Runs one job after the other."""

    def map(
        self, function: Callable[[T], R], jobs: Sequence[T], *, key: Callable[[T], str]
    ) -> Iterator[tuple[str, R]]:
        """Results in the order of the jobs."""
        for job in jobs:
            yield key(job), function(job)
