"""What every function here returns: a figure with its interval, or a reason why there is none.

A refusal is a value and never a NaN, so that a page can print why a cell is empty, and so that no figure is
made of data which cannot bear it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

__all__ = ["LEVEL", "Estimate", "Refused", "check_counts", "check_level"]

LEVEL = 0.95
"""Two-sided confidence level where none is named."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with a two-sided confidence interval. All numbers are finite."""

    value: float
    """The figure, in the unit of the outcome."""
    low: float
    """Lower limit. Resampling intervals need not hold `value`; all others do."""
    high: float
    se: float | None
    """Standard error of `value`; None where the method has none (order statistics). Intervals by score or by
    exact laws are not made from it."""
    n: int
    """Independent units that bear the figure: subscribers of both arms, pairs, clusters or observations."""
    method: str
    """Name of the method, a row of `experiments/inference/README.md`."""

    def __post_init__(self) -> None:
        numbers = (self.value, self.low, self.high, 0.0 if self.se is None else self.se)
        if not all(isfinite(number) for number in numbers):
            raise ValueError(f"{self.method}: an estimate is made of finite numbers, not of {numbers}")
        if self.low > self.high:
            raise ValueError(f"{self.method}: the interval {self.low}..{self.high} is upside down")

    def mirrored(self) -> Estimate:
        """The same of b - a, where this one is of a - b."""
        return Estimate(-self.value, -self.high, -self.low, self.se, self.n, self.method)

    def scaled(self, factor: float) -> Estimate:
        """The same in another unit, `factor` > 0 of which make one of this."""
        if not factor > 0.0:
            raise ValueError(f"a unit is changed by a factor above 0, not by {factor}")
        se = None if self.se is None else self.se * factor
        return Estimate(self.value * factor, self.low * factor, self.high * factor, se, self.n, self.method)

    def covers(self, truth: float) -> bool:
        """Whether the interval, its limits included, holds `truth`."""
        return self.low <= truth <= self.high

    def excludes_zero(self) -> bool:
        """Whether the difference is "significant" at the interval's level."""
        return self.low > 0.0 or self.high < 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain values for `summary.json`."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "se": self.se,
            "n": self.n,
            "method": self.method,
        }


@dataclass(frozen=True, slots=True)
class Refused:
    """No figure, and why."""

    method: str
    reason: str
    """One sentence in lower case that names what was found and what is needed."""
    n: int
    """Units there were."""

    def as_json(self) -> dict[str, Any]:
        """Plain values for `summary.json`."""
        return {"refused": self.reason, "n": self.n, "method": self.method}


def check_counts(counts: Mapping[str, tuple[int, int]]) -> None:
    """Refuses the caller's mistake: hits that are more than those asked, or negative.

    Args:
        counts: What the hits are of -> (hits, all).

    Raises:
        ValueError: naming which, found and expected.
    """
    for name, (hits, n) in counts.items():
        if n < 0 or not 0 <= hits <= n:
            raise ValueError(f"{name}: {hits} of {n} is no count; expected 0 <= hits <= n")


def check_level(level: float) -> None:
    """Refuses a confidence level that is none.

    Raises:
        ValueError: the level is not between 0.5 and 1.
    """
    if not 0.5 <= level < 1.0:
        raise ValueError(f"level {level}: expected at least 0.5 and below 1, such as 0.95")
