"""What a study could find: power and minimum detectable effect, simulated before it runs, achieved after.

Before: from the offers' own logits and the reach hoped for, with the very estimate that the study will use.
After: from the standard error that it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import exp, prod
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.inference import Estimate, Refused
from experiments.inference.cluster import cluster_difference
from experiments.inference.intervals import difference, paired_difference
from experiments.inference.means import paired_mean_difference
from experiments.inference.power import mean_detectable, mean_power, power_by_simulation
from experiments.uplift.designs import Plan
from sim.draws import NORMAL, ONE_Q16, Draws, threshold_q32
from sim.subscribers.offers import Offer

__all__ = ["Hoped", "achieved", "before", "hoped_of"]

_ROLL: Final = 10_021
_SIDE: Final = 10_022
"""Purposes of the draws."""
_NODES: Final = 64
"""Quantiles of the affinity over which chances are averaged."""
_STEPS: Final = 10
"""Halvings in the search for the least detectable effect: to a thousandth of its bracket."""
_BRACKET: Final = 8.0
"""The largest effect looked at, in hoped-for effects."""


@dataclass(frozen=True, slots=True)
class Hoped:
    """What was assumed before anything was seen; shares of people."""

    unasked: float
    """Take up without contact from the start of the campaigns to the end."""
    right: float
    """Take up after a contact at the best moment of the offer, averaged over people's liking."""
    ordinary: float
    """After one at an ordinary moment."""
    reach: float
    """Are contacted in the precise arm."""
    effect: float
    """Difference worth finding."""


def hoped_of(offers: Sequence[Offer], plan: Plan, days: int, reach: float, uplift: float | None) -> Hoped:
    """What the offers' own numbers let one hope for; with several offers, the mean of their contacts.

    Args:
        offers: Of the campaigns.
        plan: The design: against a blanket arm it is the moment that counts, within one world the contact.
        days: Days of campaigns.
        reach: Share of people who will be contacted.
        uplift: Difference worth finding, where the study names one.
    """
    unasked = 1.0 - prod(exp(-offer.organic_per_day * days) for offer in offers)
    right = float(np.mean([_chance(offer, _best_moment(offer)) for offer in offers]))
    ordinary = float(np.mean([_chance(offer, 0.0) for offer in offers]))
    gain = right - (ordinary if plan.kind == "parallel_worlds" else 0.0)
    effect = uplift if uplift is not None else reach * gain * (1.0 - unasked)
    return Hoped(unasked, right, ordinary, reach, effect)


def _best_moment(offer: Offer) -> float:
    moments = offer.moments
    parts = [moments.since_power_on, moments.since_service_call, moments.at_place]
    weight = sum(max(0.0, part.weight) for part in parts if part is not None)
    return weight + max([0.0, *(hours.weight for hours in moments.hours)])


def _chance(offer: Offer, moment: float) -> float:
    """Averaged over liking, at equally likely quantiles."""
    words = (np.arange(_NODES, dtype=np.int64) * 2 + 1) * (1 << 32) // (2 * _NODES)
    z = NORMAL.quantile(words.astype(np.uint32)) / ONE_Q16
    return float(np.mean(1.0 / (1.0 + np.exp(-(offer.logit + moment + offer.spread * z)))))


@dataclass(frozen=True, slots=True)
class _Trials:
    """Experiments simulated with common chance, so that power rises with the effect as it must."""

    layout: Literal["pairs", "groups", "clusters", "days"]
    hoped: Hoped
    n_a: int
    n_b: int
    days: int
    draws: Draws
    plan: Plan
    unit: NDArray[np.int64] | None = None
    """clusters: cell of each eligible person, (people,); whole ones are drawn."""

    def run(self, effect: float, replicate: int) -> Estimate | Refused:
        if self.layout == "clusters":
            return self._clustered(effect, replicate)
        n = self.n_a + (self.n_b if self.layout != "pairs" else 0)
        roll = self.draws.u32(_ROLL, np.arange(n), replicate)
        if self.layout == "pairs":
            # Who the group-sending alone wins is lost to the precise arm; they are as many as it reaches.
            only_b = (1.0 - self.hoped.unasked) * self.hoped.reach * self.hoped.ordinary
            edges = threshold_q32([only_b, min(1.0, 2.0 * only_b + effect)])
            b, a = int(np.sum(roll < edges[0])), int(np.sum((roll >= edges[0]) & (roll < edges[1])))
            return paired_difference(a, b, n)
        if self.layout == "days":
            return self._switched(effect, roll)
        base = self.hoped.unasked
        a = int(np.sum(roll[: self.n_a] < threshold_q32(min(1.0, base + effect))))
        b = int(np.sum(roll[self.n_a :] < threshold_q32(base)))
        return difference(a, self.n_a, b, self.n_b)

    def _clustered(self, effect: float, replicate: int) -> Estimate | Refused:
        """Whole cells treated or not, drawn anew each time; neighbours are no more alike than others."""
        assert self.unit is not None, "clusters have their units"
        base, held = self.hoped.unasked, self.plan.holdout_share
        drawn = self.draws.u32(_SIDE, self.unit, replicate) / float(1 << 32)
        side = drawn >= held + (1.0 - held) * self.plan.control_share
        other = (drawn >= held) & ~side
        roll = self.draws.u32(_ROLL, np.arange(len(self.unit)), replicate)
        y = (roll < np.where(side, threshold_q32(min(1.0, base + effect)), threshold_q32(base))).astype(float)
        return cluster_difference(y[side], y[other], self.unit[side], self.unit[other])

    def _switched(self, effect: float, roll: np.ndarray[Any, Any]) -> Estimate | Refused:
        """People split over days of campaigns and days without: each orders on one day at most."""
        base, pairs = self.hoped.unasked / self.days, self.days // 2
        day = np.arange(len(roll)) % (2 * pairs)
        chance = np.where(day % 2 == 0, base + effect, base) * 2 * pairs
        hit = roll < threshold_q32(np.minimum(chance, 1.0))
        counts = np.bincount(day, weights=hit, minlength=2 * pairs) / len(roll)
        return paired_mean_difference(counts[::2], counts[1::2])


def before(
    hoped: Hoped,
    plan: Plan,
    people: int,
    days: int,
    wanted: float,
    simulations: int,
    seed: int,
    home: NDArray[np.integer] | None = None,
) -> dict[str, Any]:
    """Power at the effect hoped for, and the least effect that is found with the power wanted.

    Args:
        hoped: What is assumed.
        plan: The design.
        people: Eligible.
        days: Days of campaigns.
        wanted: Power.
        simulations: Experiments for the power; a quarter of them for each step of the search.
        seed: Of the draws.
        home: Cell where each eligible person lives, (people,): what a cluster design draws.
    """
    control = round(people * (1 - plan.holdout_share) * plan.control_share)
    treated = round(people * (1 - plan.holdout_share)) - control
    layout: Literal["pairs", "groups", "clusters", "days"] = "groups"
    unit = None
    if plan.kind == "parallel_worlds":
        layout, treated, control = "pairs", people, people
    elif plan.kind == "switchback":
        layout, treated, control = "days", people, 0
    elif plan.kind == "cluster" and home is not None:
        layout, unit = "clusters", home.astype(np.int64)
    trials = _Trials(layout, hoped, treated, control, days, Draws(seed), plan, unit)

    def power_at(effect: float, count: int) -> Estimate | Refused:
        return power_by_simulation(lambda replicate: trials.run(effect, replicate), count)

    effect = hoped.effect / (days if layout == "days" else 1)
    found = power_at(effect, simulations)
    low, high, few = 0.0, effect * _BRACKET, max(200, simulations // 4)
    least: float | None = None
    top = power_at(high, few)
    if isinstance(top, Estimate) and top.value >= wanted:
        for _ in range(_STEPS):
            middle = (low + high) / 2
            at = power_at(middle, few)
            enough = isinstance(at, Estimate) and at.value >= wanted
            low, high = (low, middle) if enough else (middle, high)
        least = high
    return {
        "hoped": {**asdict(hoped), "effect": effect},
        "wanted_power": wanted,
        "power": found.as_json(),
        "detectable": least,
        "people": [treated, control],
    }


def achieved(estimate: Estimate | Refused, effect: float, wanted: float) -> dict[str, Any] | None:
    """What the run could find by the standard error that it had; None: it has none."""
    if isinstance(estimate, Refused) or not estimate.se:
        return None
    return {
        "power": mean_power(effect, estimate.se),
        "detectable": mean_detectable(estimate.se, wanted),
        "se": estimate.se,
    }
