"""Power and minimum detectable effect: before a run from what is assumed, after it from the people it had.

"Achieved power" is the power of the run's people and rates against the effect that was worth finding, stated
beforehand; power against the effect that was found is the p-value again and is not offered.

Closed forms are normal approximations. Where hits are few, `exact_power` sums over all outcomes the verdicts
of `intervals.difference` or `paired_difference`: it is the power of the interval that the page prints. For
any other design, `power_by_simulation` counts the intervals that exclude zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.inference import laws
from experiments.inference.estimate import LEVEL, Estimate, Refused, check_level
from experiments.inference.intervals import SPARSE, clopper_pearson

__all__ = [
    "POWER",
    "Design",
    "design_effect",
    "detectable",
    "detectable_by_simulation",
    "exact_power",
    "mean_detectable",
    "mean_power",
    "power",
    "power_by_simulation",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

POWER: Final = 0.8
"""Power at which an effect counts as detectable where none is named."""
_UNLIKELY: Final = 1e-9  # outcomes rarer than this are left out of exact sums
_HALVINGS: Final = 60


@dataclass(frozen=True, slots=True)
class Design:
    """Shares compared between two arms."""

    kind: Literal["independent", "paired"]
    baseline: float
    """Independent: share of control with the outcome. Paired: share of pairs with it in the second world
    only, as discordant pairs alone bear the comparison."""
    n_a: int
    """Treated; pairs in a paired design."""
    n_b: int = 0
    """Control; not used in a paired design."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.baseline <= 1.0 or self.n_a < 2 or (self.kind == "independent" and self.n_b < 2):
            raise ValueError(f"expected a share and 2 people an arm or more, not {self}")

    @property
    def room(self) -> float:
        """The largest effect there can be."""
        return 1.0 - self.baseline if self.kind == "independent" else 1.0 - 2.0 * self.baseline


def power(design: Design, effect: float, level: float = LEVEL) -> float:
    """Chance that the interval excludes zero, by the normal law, if the true difference is `effect`.

    Independent: variance pooled under the hypothesis, apart under the alternative (Fleiss, Levin, Paik 2003,
    chapter 4, without continuity correction). Paired: of McNemar's test (Miettinen 1968, Biometrics 24).
    """
    check_level(level)
    z, (p_a, p_b) = laws.z_of(level), _shares(design, effect)
    if design.kind == "paired":
        # p_a, p_b: pairs with the event in one world only.
        null, real = sqrt((p_a + p_b) / design.n_a), sqrt((p_a + p_b - effect * effect) / design.n_a)
    else:
        n_a, n_b = design.n_a, design.n_b
        pooled = (n_a * p_a + n_b * p_b) / (n_a + n_b)
        null = sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
        real = sqrt(p_a * (1 - p_a) / n_a + p_b * (1 - p_b) / n_b)
    return _beyond(effect, z * null, real)


def exact_power(design: Design, effect: float, level: float = LEVEL) -> float:
    """Chance that the interval of `intervals` for this design excludes zero, summed over all outcomes.

    Right for any sparse outcome; takes the square of the number of likely counts.
    """
    check_level(level)
    z, (p_a, p_b) = laws.z_of(level), _shares(design, effect)
    if design.kind == "paired":
        discordant = laws.binomial_chances(design.n_a, p_a + p_b)
        total = 0.0
        for m in np.flatnonzero(discordant > _UNLIKELY).tolist():
            if m:
                b = np.arange(m + 1)
                rejected = np.abs(2 * b - m) > z * sqrt(m)
                total += discordant[m] * laws.binomial_chances(m, p_a / (p_a + p_b))[rejected].sum()
        return float(total)
    chances_a, chances_b = laws.binomial_chances(design.n_a, p_a), laws.binomial_chances(design.n_b, p_b)
    x_a, x_b = np.flatnonzero(chances_a > _UNLIKELY), np.flatnonzero(chances_b > _UNLIKELY)
    n_a, n_b = design.n_a, design.n_b
    n = n_a + n_b
    pooled = (x_a[:, np.newaxis] + x_b) / n
    gap = x_a[:, np.newaxis] / n_a - x_b / n_b
    by_score = np.abs(gap) > z * np.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b) * n / (n - 1))
    (low_a, high_a), (low_b, high_b) = _wilson_reach(x_a, n_a, z), _wilson_reach(x_b, n_b, z)
    down = np.hypot(low_a[:, np.newaxis], high_b)
    up = np.hypot(high_a[:, np.newaxis], low_b)
    few = np.minimum(x_a, n_a - x_a)[:, np.newaxis] < SPARSE
    few = few | (np.minimum(x_b, n_b - x_b) < SPARSE)
    rejected = np.where(few, (gap > down) | (-gap > up), by_score)
    return float(chances_a[x_a] @ (rejected @ chances_b[x_b]))


def detectable(
    design: Design,
    wanted: float = POWER,
    level: float = LEVEL,
    of: Callable[[Design, float, float], float] = power,
) -> float | Refused:
    """Smallest positive difference found with the wanted power; `of` is `power` or `exact_power`."""
    if not 0.0 < wanted < 1.0:
        raise ValueError(f"power {wanted}: expected between 0 and 1, such as 0.8")
    low, high = 0.0, design.room
    if high <= 0.0 or of(design, high, level) < wanted:
        reason = f"not even the largest effect there can be, {high:g}, is found with power {wanted:g}"
        return Refused("detectable", reason, design.n_a + design.n_b)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if of(design, middle, level) >= wanted else (middle, high)
    return high


def _wilson_reach(hits: I64, n: int, z: float) -> tuple[F64, F64]:
    """How far Wilson's limits lie below and above each share; what Newcombe's interval is made of."""
    p = hits / n
    shrink = 1 + z * z / n
    centre, spread = (
        (p + z * z / (2 * n)) / shrink,
        z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / shrink,
    )
    return p - np.maximum(0.0, centre - spread), np.minimum(1.0, centre + spread) - p


def mean_power(effect: float, se: float, level: float = LEVEL) -> float:
    """Chance that estimate -+ z se excludes zero: for amounts, clusters, and achieved from a run's se."""
    if not se > 0.0:
        raise ValueError(f"standard error {se}: expected above 0")
    return _beyond(effect, laws.z_of(level) * se, se)


def mean_detectable(se: float, wanted: float = POWER, level: float = LEVEL) -> float:
    """Smallest positive effect found with the wanted power by an estimate of that standard error."""
    if not se > 0.0 or not (1 - level) < wanted < 1.0:
        raise ValueError(
            f"standard error {se}, power {wanted}: expected above 0, and between 1 - level and 1"
        )
    low, high = 0.0, 20.0 * se
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if mean_power(middle, se, level) >= wanted else (middle, high)
    return high


def design_effect(cluster_size: float, correlation: float) -> float:
    """Factor on the variance where whole clusters of that mean size are drawn (Kish 1965)."""
    return 1.0 + (cluster_size - 1.0) * correlation


def power_by_simulation(
    trial: Callable[[int], Estimate | Refused], replicates: int, level: float = LEVEL
) -> Estimate | Refused:
    """Share of simulated runs whose interval excludes zero, with its exact interval.

    Args:
        trial: From the number of the replicate (its key of chance) to the estimate of that run. A refusal is
            a run in which nothing was found.
        replicates: Runs.
        level: Of the interval of the power.
    """
    found = 0
    for replicate in range(replicates):
        one = trial(replicate)
        found += isinstance(one, Estimate) and one.excludes_zero()
    share = clopper_pearson(found, replicates, level)
    if isinstance(share, Refused):
        return Refused("simulated power", "no replicate was asked for", 0)
    return Estimate(share.value, share.low, share.high, share.se, replicates, "simulated power")


def detectable_by_simulation(
    trial: Callable[[float, int], Estimate | Refused],
    effects: Sequence[float],
    replicates: int,
    wanted: float = POWER,
    level: float = LEVEL,
) -> Estimate | Refused:
    """Smallest effect found with the wanted power, by simulation, between the effects that are tried.

    Args:
        trial: From a true effect and the number of the replicate to the estimate of that run. The same number
            should mean the same chance at all effects: then little noise is between them.
        effects: True effects to try, two or more, ascending.
        replicates: Runs an effect.
        wanted: Power.
        level: Of the interval, which comes from the exact intervals of the powers.

    Returns:
        The effect; refused where the range tried does not hold it and its interval.
    """
    if len(effects) < 2 or any(b <= a for a, b in pairwise(effects)):
        raise ValueError(f"effects {list(effects)}: expected two or more, ascending")
    found: list[Estimate] = []
    for effect in effects:
        one = power_by_simulation(lambda replicate, e=effect: trial(e, replicate), replicates, level)  # type: ignore[misc]
        if isinstance(one, Refused):
            return Refused("simulated detectable", one.reason, 0)
        found.append(one)
    # Power grows with the effect; where simulated ones do not, chance is at work.
    curves = [
        np.maximum.accumulate(row) for row in zip(*((p.high, p.value, p.low) for p in found), strict=True)
    ]
    if any(curve[0] > wanted or curve[-1] < wanted for curve in curves):
        reason = (
            f"power {wanted:g} lies outside of {found[0].value:.2f} to {found[-1].value:.2f}, those tried"
        )
        return Refused("simulated detectable", reason, replicates)
    low, value, high = (_where(curve.tolist(), effects, wanted) for curve in curves)
    return Estimate(value, low, high, None, replicates, "simulated detectable")


def _where(powers: Sequence[float], effects: Sequence[float], wanted: float) -> float:
    """The effect at which a rising curve first reaches `wanted`, between points on straight lines."""
    at = next(i for i, power_ in enumerate(powers) if power_ >= wanted)
    if at == 0:
        return effects[0]
    share = (wanted - powers[at - 1]) / (powers[at] - powers[at - 1])
    return effects[at - 1] + share * (effects[at] - effects[at - 1])


def _shares(design: Design, effect: float) -> tuple[float, float]:
    p_a, p_b = design.baseline + effect, design.baseline
    if not 0.0 <= p_a <= 1.0 or (design.kind == "paired" and p_a + p_b > 1.0):
        raise ValueError(f"effect {effect}: no such shares exist beside a baseline of {design.baseline}")
    return p_a, p_b


def _beyond(effect: float, edge: float, se: float) -> float:
    """Chance that a normal estimate lies beyond -+ edge."""
    if se <= 0.0:
        return float(abs(effect) > edge)
    return laws.normal_below((effect - edge) / se) + laws.normal_below((-effect - edge) / se)
