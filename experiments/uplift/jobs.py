"""What an uplift study has done elsewhere: arms, small worlds, comparisons of nothing with nothing, what-ifs.

A job is a value that decides its result; results are plain JSON. `do` is what an executor maps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.inference import Estimate, Refused
from experiments.inference.intervals import paired_difference
from experiments.uplift.arms import run_arm, same_triggers
from experiments.uplift.designs import Assignment, Plan, assign
from experiments.uplift.outcome import replayed
from experiments.uplift.packing import pack
from experiments.uplift.parameters import Changed
from experiments.uplift.primary import Primary, effect_of_days, effect_of_roles, primary_of
from experiments.uplift.setting import setting_of
from experiments.uplift.specs import BEFORE, ArmOutcome, ArmSpec, BlanketPlan
from experiments.uplift.truth import TrueEffect, true_difference
from sim.scenario import DAY_US
from sim.subscribers.response import Contacts

__all__ = [
    "Arm",
    "Job",
    "NothingAgainstNothing",
    "Replicate",
    "SameFeed",
    "WhatIf",
    "blanket_of",
    "do",
    "key_of",
]


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """One arm of the study itself."""

    name: str
    spec: ArmSpec

    @property
    def key(self) -> str:
        return f"arms/{self.name}"

    def do(self) -> dict[str, Any]:
        """The outcome, packed."""
        return pack(run_arm(self.spec))


@dataclass(frozen=True, slots=True)
class Sending:
    """How a blanket arm sends, before it is known what the precise arm did."""

    at: str
    price: Mapping[str, float]


def blanket_of(precise: ArmOutcome, by: str, sending: Sending) -> BlanketPlan:
    """The plan of a blanket arm that is compared with a precise one."""
    kind: Any = by
    return BlanketPlan(kind, precise.pattern, sending.at, sending.price)


@dataclass(frozen=True, slots=True, eq=False)
class Replicate:
    """A small world with people of its own, in which the study's estimate meets its truth."""

    number: int
    spec: ArmSpec
    """Of the precise arm."""
    plan: Plan
    sending: Sending

    @property
    def key(self) -> str:
        return f"replicates/r{self.number:05d}"

    def do(self) -> dict[str, Any]:
        """Estimate and true effect."""
        arms = {"precise": run_arm(self.spec)}
        assignment = None
        if self.plan.kind == "parallel_worlds":
            plan = blanket_of(arms["precise"], "reach", self.sending)
            arms["blanket_reach"] = run_arm(self.spec.as_arm("blanket", plan))
        else:
            arms["control"] = run_arm(self.spec.as_arm("control"))
            assignment = divided(self.spec, self.plan)
            arms["assigned"] = run_arm(assigned(self.spec, assignment))
        found = primary_of(arms, self.plan, assignment, self.spec.days, self.spec.campaigns_from_day)
        return {
            "people": found.n,
            "take_ups": list(found.take_ups),
            "estimate": found.estimate.as_json(),
            "true": true_of(found, arms).value,
        }


def divided(spec: ArmSpec, plan: Plan) -> Assignment:
    """Who is treated in the world of a spec."""
    people = setting_of(spec).world.population
    return assign(plan, np.asarray(people.home_cell[:]), spec.days, spec.campaigns_from_day)


def assigned(spec: ArmSpec, assignment: Assignment) -> ArmSpec:
    """The precise arm for the treated alone."""
    return replace(spec, treated=assignment.treated, treated_by_day=assignment.days)


def true_of(primary: Primary, arms: Mapping[str, ArmOutcome]) -> TrueEffect:
    """Two-world truth of what the primary comparison estimates."""
    a, b = ("precise", "blanket_reach") if primary.layout == "pairs" else ("precise", "control")
    found = true_difference(arms[a], arms[b])
    if primary.layout != "days":
        return found
    per_day = 1.0 / primary.days
    return TrueEffect(found.value * per_day, found.se * per_day, found.replays)


@dataclass(frozen=True, slots=True, eq=False)
class NothingAgainstNothing:
    """Comparisons of two arms of which neither is contacted, by the study's own design and estimate."""

    first: int
    count: int
    spec: ArmSpec
    """Of the control arm."""
    plan: Plan
    before: NDArray[np.float64] | None = None
    """(eligible, BEFORE): the look-back, where the study's estimate makes use of one."""

    @property
    def key(self) -> str:
        return f"a-a/{self.first:06d}"

    def do(self) -> dict[str, Any]:
        """How many intervals left out nothing, of how many."""
        found = [self._one(k) for k in range(self.first, self.first + self.count)]
        told = [one for one in found if isinstance(one, Estimate)]
        return {"comparisons": len(told), "false": sum(one.excludes_zero() for one in told)}

    def _times(self, luck: int) -> NDArray[np.int64]:
        """When each eligible person first took something up in a world without contacts; -1: not."""
        return self._lucky(luck)[0]

    def _lucky(self, luck: int) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
        """The same, and the look-back with the orders that this luck had in it."""
        setting = setting_of(self.spec)
        model, end_us = setting.model(self.spec), self.spec.days * DAY_US
        times = model.uncontacted_in(np.array([luck]), end_us)[0][setting.eligible]
        from_us = (self.spec.campaigns_from_day - 1) * DAY_US
        never = np.iinfo(np.int64).max
        first = np.where(times >= from_us, times, never).min(axis=1)
        before = None
        if self.before is not None:
            before = self.before.copy()
            before[:, BEFORE.index("orders")] = ((times >= 0) & (times < from_us)).sum(axis=1)
        return np.where(first == never, -1, first), before

    def _one(self, k: int) -> Estimate | Refused:
        # Replay 0 is the run, the ones after it are the truth's: these are beyond both.
        luck = 1_000_000 + 2 * k
        times, before = self._lucky(luck)
        if self.plan.kind == "parallel_worlds":
            a, b = times >= 0, self._times(luck + 1) >= 0
            return paired_difference(int(np.sum(a & ~b)), int(np.sum(b & ~a)), len(a))
        setting, plan = setting_of(self.spec), replace(self.plan, salt=f"{self.plan.salt}/a-a/{k}")
        assignment = divided(self.spec, plan)
        if assignment.days is not None:
            days, from_day = self.spec.days, self.spec.campaigns_from_day
            day = times[times >= 0] // DAY_US
            counts = np.bincount(day, minlength=days)[from_day - 1 : days]
            return effect_of_days(counts, assignment.days[from_day - 1 :], len(times))
        roles, units = assignment.role[setting.eligible], assignment.cluster[setting.eligible]
        look_back = self.spec.campaigns_from_day - 1
        return effect_of_roles(times >= 0, roles, units, plan.kind, before, look_back)


@dataclass(frozen=True, slots=True, eq=False)
class WhatIf:
    """The primary comparison of arms, truly, if one number of the responses were another."""

    changed: Changed | None
    """None: as they are, with the same replays."""
    spec: ArmSpec
    """Of the precise arm, its replays those of the tornado."""
    histories: Mapping[str, Contacts]
    """Arm -> contacts recorded, for the two that are compared: first minus second."""
    sending: Sending

    @property
    def key(self) -> str:
        if self.changed is None:
            return "tornado/as-it-is"
        parameter = self.changed.parameter
        return f"tornado/{parameter.offer}.{parameter.name}/{self.changed.direction}"

    def do(self) -> dict[str, Any]:
        """Difference of take-up over the eligible."""
        spec = self.spec
        if self.changed is not None:
            spec = replace(spec, offers=self.changed.offers)
        if self.changed is not None and self.changed.parameter.changes_contacts:
            means, how = self._lived(spec), "lived again"
        else:
            means, how = [self._replayed(spec, name) for name in self.histories], "contacts replayed"
        difference = means[0] - means[1]
        se = float(np.std(difference, ddof=1)) / len(difference) ** 0.5
        return {"value": float(difference.mean()), "se": se, "how": how}

    def _replayed(self, spec: ArmSpec, name: str) -> NDArray[np.float64]:
        start_us = (spec.campaigns_from_day - 1) * DAY_US
        _, means = replayed(spec, setting_of(spec), self.histories[name], start_us, spec.days * DAY_US)
        return means

    def _lived(self, spec: ArmSpec) -> list[NDArray[np.float64]]:
        precise = run_arm(spec)
        means = [precise.replay_means]
        other = list(self.histories)[1]
        if other == "control":
            means.append(run_arm(spec.as_arm("control")).replay_means)
        else:
            plan = blanket_of(precise, "reach", self.sending)
            means.append(run_arm(spec.as_arm("blanket", plan)).replay_means)
        return means


@dataclass(frozen=True, slots=True, eq=False)
class SameFeed:
    """A fiftieth of the study with both feeds: the triggers must be the same."""

    spec: ArmSpec

    @property
    def key(self) -> str:
        return "same-feed"

    def do(self) -> dict[str, Any]:
        """Whether they were, and how many."""
        found = same_triggers(self.spec)
        return {
            "same": found.same,
            "outcome_same": found.outcome_same,
            "triggers": found.triggers,
            "differences": list(found.differences),
        }


Job = Arm | Replicate | NothingAgainstNothing | WhatIf | SameFeed


def do(job: Job) -> dict[str, Any]:
    """Does one."""
    return job.do()


def key_of(job: Job) -> str:
    """Its name for good."""
    return job.key
