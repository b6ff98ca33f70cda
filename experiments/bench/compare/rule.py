"""When a stage counts as slower: the rule of `kairos bench compare`, pure, on paired log-ratios.

One log-ratio a round: log(time of the newer commit / time of the base), of fresh processes that took turns.
Which of the two goes first is tossed anew each round, for everything that is done in it. Where both run the
same code, the sign of each log-ratio is therefore a fair coin whatever its size: no matter how heavy the
tails are, or how the machine drifts. The signed-rank test needs nothing else: its level is exact.

A stage is slower when both hold: the Hodges-Lehmann estimate (median of all pairwise means) reaches the
threshold, and its lower confidence bound lies above the margin. The level is divided by the number of
stages and of looks, so that one whole comparison alarms falsely in at most `level` of all cases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from statistics import median
from typing import Final

__all__ = ["LEAST_ROUNDS", "LOOKS", "Finding", "Rule", "Verdict", "decide", "interval", "least_rounds"]

LEAST_ROUNDS: Final = 5
LOOKS: Final = 2
"""After the first rounds, and for stages that are unclear then once more after as many again."""


class Verdict(StrEnum):
    """What a comparison says of a stage."""

    SAME = "not slower"
    FASTER = "faster"
    SLOWER = "slower"
    UNCLEAR = "unclear"
    """Not shown to be slower, yet a slowdown of `sought_pct` is not excluded: more rounds are needed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The numbers of the rule; in percent of the base's time."""

    threshold_pct: float = 10.0
    """The estimate must reach this. Half of what is sought: alarms and misses are equally far away."""
    sought_pct: float = 20.0
    """A slowdown that must not go unnoticed."""
    margin_pct: float = 2.0
    """The lower bound must lie above this; differences so small come from where the linker puts things."""
    level: float = 0.02
    """Share of false alarms that one comparison of all stages may have."""
    tests: int = 1
    """Stages times looks that share the level."""

    def __post_init__(self) -> None:
        if not 0 <= self.margin_pct <= self.threshold_pct <= self.sought_pct:
            raise ValueError(
                f"0 <= margin {self.margin_pct:g} <= threshold {self.threshold_pct:g} <= sought "
                f"{self.sought_pct:g} does not hold"
            )
        if not (0 < self.level < 0.5 and self.tests >= 1):
            raise ValueError(f"level {self.level:g}, tests {self.tests}: between 0 and 0.5, at least 1")

    @property
    def alpha(self) -> float:
        """Level of a single test."""
        return self.level / self.tests


@dataclass(frozen=True, slots=True)
class Finding:
    """The rule applied to a stage's rounds."""

    verdict: Verdict
    ratio: float
    """Time of the newer commit / time of the base: 1.2 is 20 % slower."""
    low: float
    """Bounds of the ratio, each at the level of a single test."""
    high: float
    rounds: int


def decide(logs: Sequence[float], rule: Rule) -> Finding:
    """The verdict on a stage. `logs` holds one log-ratio a round, at least `least_rounds(rule.alpha)`."""
    low, estimate, high = interval(logs, rule.alpha)
    threshold, margin, sought = (
        math.log1p(pct / 100) for pct in (rule.threshold_pct, rule.margin_pct, rule.sought_pct)
    )
    if estimate >= threshold and low > margin:
        verdict = Verdict.SLOWER
    elif high >= sought or estimate >= threshold:
        verdict = Verdict.UNCLEAR
    elif estimate <= -threshold and high < -margin:
        verdict = Verdict.FASTER
    else:
        verdict = Verdict.SAME
    return Finding(verdict, math.exp(estimate), math.exp(low), math.exp(high), len(logs))


def interval(logs: Sequence[float], alpha: float) -> tuple[float, float, float]:
    """Lower bound, Hodges-Lehmann estimate, upper bound; each bound is one-sided at `alpha`.

    Raises:
        ValueError: too few rounds for any bound at that level, or a value that is no number.
    """
    if not all(map(math.isfinite, logs)):
        raise ValueError(
            f"log-ratios must be finite: {[value for value in logs if not math.isfinite(value)]}"
        )
    n = len(logs)
    if n < least_rounds(alpha):
        raise ValueError(f"{n} rounds are too few for a level of {alpha:.3g}: at least {least_rounds(alpha)}")
    walsh = sorted((logs[i] + logs[j]) / 2 for i in range(n) for j in range(i, n))
    at = _critical(n, alpha)
    return walsh[at], median(walsh), walsh[-1 - at]


def least_rounds(alpha: float) -> int:
    """So many rounds can reject at this level: when all of them agree, by chance once in 2**n."""
    return max(LEAST_ROUNDS, math.ceil(-math.log2(alpha) - 1e-9))


@cache
def _critical(n: int, alpha: float) -> int:
    """The largest k for which the signed-rank statistic of n fair coins is k or less with at most `alpha`."""
    counts = [1]  # counts[s]: subsets of the ranks so far whose sum is s
    for rank in range(1, n + 1):
        longer = counts + [0] * rank
        for total, ways in enumerate(counts):
            longer[total + rank] += ways
        counts = longer
    allowed, k, seen = alpha * 2**n, -1, 0
    for total, ways in enumerate(counts):
        seen += ways
        if seen > allowed * (1 + 1e-12):
            break
        k = total
    # least_rounds() sees to it that k >= 0: one subset, the empty one, has the sum 0.
    return k
