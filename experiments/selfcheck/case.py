"""One promise that was put to the test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from experiments.running.executor import Executor, InProcess

__all__ = ["Band", "Case", "InThisProcess", "Mapper", "Scale", "judged", "within"]

Mapper = Executor
InThisProcess = InProcess

Scale = Literal["small", "full"]
"""small: seconds, for CI; full: minutes, for the published report."""
Band = tuple[float | None, float | None]
"""From the least to the most that a figure may be, both included; None: no bound on that side."""


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
    bands: Mapping[str, Band] = field(default_factory=dict)
    """Figures that decide, by name, with where they must lie; the others say more about it."""

    def __post_init__(self) -> None:
        lost = self.bands.keys() - self.found.keys()
        if lost:
            raise ValueError(f"{self.group}: {self.name}: bands of what was not found: {sorted(lost)}")
        outside = [name for name, band in self.bands.items() if not within(self.found[name], band)]
        if self.passed and outside:
            raise ValueError(f"{self.group}: {self.name}: passed, though {sorted(outside)} lie outside")


def within(value: float, band: Band) -> bool:
    """Whether a figure lies in a band; what is no number lies in none."""
    low, high = band
    return math.isfinite(value) and (low is None or value >= low) and (high is None or value <= high)


def judged(
    group: str, name: str, tried: str, tries: int, bands: Mapping[str, Band], found: Mapping[str, float]
) -> Case:
    """A case that is passed where something was tried and every figure with a band lies in it."""
    passed = tries > 0 and bool(bands) and all(within(found[what], band) for what, band in bands.items())
    expected = "; ".join(f"{what} {_said(*band)}" for what, band in bands.items())
    return Case(group, name, tried, tries, expected, found, passed, bands)


def _said(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "at most" + f" {high:g}" if low is None and high is not None else f"at least {low:g}"
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
