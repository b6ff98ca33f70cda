"""Is the comparison what it claims to be? Read before any result; stops the reading where it fails.

Each check is a row with a key (its words are in the page's catalogue), the values found, and whether it
holds; None: it does not apply to this design.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.inference import Refused, laws
from experiments.inference.balance import SampleRatio, covariate_balance, sample_ratio
from experiments.inference.intervals import clopper_pearson, difference
from experiments.uplift.designs import CONTROL, HELD_OUT, TREATED, Assignment, Plan
from experiments.uplift.specs import BEFORE, ArmOutcome

__all__ = ["Check", "checks_of", "covariates_of"]

UNLIKE_P: Final = 0.001
"""Balance, and hold-out against control: less likely than this is a failure, as with sample ratios."""
FALSE_RATE: Final = 0.05
"""Of two arms that are not treated, compared at 95 %."""
AS_MANY: Final = 0.05
"""People reached, or money spent, that differ by no more than this share are as many."""


@dataclass(frozen=True, slots=True)
class Check:
    """One row."""

    key: str
    holds: bool | None
    values: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Plain values for `summary.json`."""
        return {"key": self.key, "holds": self.holds, "values": dict(self.values)}


def covariates_of(people: Any, sub: NDArray[np.int64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is known of people before anything happens, shape (people, covariates).

    Args:
        people: The world's population.
        sub: Whom.
        before: What the look-back shows, (people, BEFORE).
    """
    segment = np.asarray(people.segment[sub], dtype=np.int64)
    columns = [(segment == index).astype(np.float64) for index in range(1, 9)]
    columns += [np.asarray(people.age[sub], np.float64), np.asarray(people.arpu_yuan[sub], np.float64)]
    columns += [np.asarray(column[sub], np.float64) for column in (people.often_off, people.often_rejects)]
    kept = [index for index, name in enumerate(BEFORE) if name != "spend"]  # which is there already
    return np.column_stack([*columns, before[:, kept]])


def checks_of(
    arms: Mapping[str, ArmOutcome],
    plan: Plan,
    assignment: Assignment | None,
    covariates: NDArray[np.float64],
    a_a: Mapping[str, int] | None,
    feed: Mapping[str, Any] | None,
) -> list[Check]:
    """All rows, those that stop the reading first.

    Args:
        arms: Outcomes by name.
        plan: The design.
        assignment: Who was treated, within one world.
        covariates: Of the eligible, as `covariates_of` has them.
        a_a: comparisons and false, of arms that are both untreated; None: not tried.
        feed: What the comparison of feeds gave; None: nothing to compare.
    """
    main = arms.get("assigned", arms["precise"])
    return [
        _sample_ratio(main, plan, assignment),
        _balance(main, plan, assignment, covariates),
        *_exposure(arms, plan, assignment),
        *_reach(arms, plan),
        _false_alarms(a_a),
        _compliance(arms.values()),
        _one_state(arms.values()),
        _held_out(main, assignment),
        _feed(feed),
    ]


def _sample_ratio(main: ArmOutcome, plan: Plan, assignment: Assignment | None) -> Check:
    if assignment is None or plan.kind in ("parallel_worlds", "switchback"):
        return Check("srm", None, {"why": plan.kind})
    roles, units = assignment.role[main.sub], assignment.cluster[main.sub]
    if plan.kind == "cluster":
        _, first = np.unique(units, return_index=True)
        roles = roles[first]
    left = 1.0 - plan.holdout_share
    shares = {
        TREATED: left * (1.0 - plan.control_share),
        CONTROL: left * plan.control_share,
        HELD_OUT: plan.holdout_share,
    }
    planned = {role: share for role, share in shares.items() if share > 0.0}
    counts = [int(np.sum(roles == role)) for role in planned]
    found = sample_ratio(counts, list(planned.values()))
    if isinstance(found, Refused):
        return Check("srm", None, {"why": "few", "said": found.reason})
    return Check("srm", not found.mismatch, {"counts": counts, "expected": _rounded(found), "p": found.p})


def _rounded(found: SampleRatio) -> list[float]:
    return [round(one, 1) for one in found.expected]


def _balance(
    main: ArmOutcome, plan: Plan, assignment: Assignment | None, covariates: NDArray[np.float64]
) -> Check:
    if assignment is None or plan.kind in ("parallel_worlds", "switchback"):
        return Check("balance", None, {"why": plan.kind})
    roles, units = assignment.role[main.sub], assignment.cluster[main.sub]
    a, b = roles == TREATED, roles == CONTROL
    clusters = (units[a], units[b]) if plan.kind == "cluster" else None
    found = covariate_balance(covariates[a], covariates[b], clusters)
    if isinstance(found, Refused):
        return Check("balance", None, {"why": "few", "said": found.reason})
    values = {"largest": found.largest, "covariates": len(found.differences), "p": found.p}
    return Check("balance", found.p >= UNLIKE_P, values)


def _exposure(arms: Mapping[str, ArmOutcome], plan: Plan, assignment: Assignment | None) -> list[Check]:
    if assignment is None or plan.kind == "parallel_worlds":
        reached = {name: int(np.count_nonzero(arm.contacts)) for name, arm in arms.items() if name != "half"}
        people, stray = len(arms["precise"].sub), int(arms["control"].contacts.sum())
        exposed = Check("exposure", reached["precise"] > 0, {"reached": reached["precise"], "people": people})
        return [exposed, Check("contamination", stray == 0, {"contacts": stray})]
    outcome = arms["assigned"]
    if assignment.days is not None:
        day = outcome.contact_table.t_us // 86_400_000_000
        stray = int(np.sum(~assignment.days[np.minimum(day, len(assignment.days) - 1)]))
        treated = np.ones(len(outcome.sub), dtype=np.bool_)
    else:
        treated = assignment.role[outcome.sub] == TREATED
        stray = int(outcome.contacts[~treated].sum())
    reached_, people = int(np.count_nonzero(outcome.contacts[treated])), int(treated.sum())
    return [
        Check("exposure", reached_ > 0, {"reached": reached_, "people": people}),
        Check("contamination", stray == 0, {"contacts": stray}),
    ]


def _reach(arms: Mapping[str, ArmOutcome], plan: Plan) -> list[Check]:
    rows = []
    if "blanket_reach" in arms:
        found = [int(np.count_nonzero(arms[name].contacts)) for name in ("precise", "blanket_reach")]
        # Only where it is the study's own question does it stop the reading.
        holds = not _fewer(max(found), min(found)) if plan.kind == "parallel_worlds" else None
        rows.append(Check("equal_reach", holds, {"precise": found[0], "blanket": found[1]}))
    if "blanket_budget" in arms:
        spent = [round(float(arms[name].cost.sum()), 2) for name in ("precise", "blanket_budget")]
        rows.append(Check("equal_budget", _alike(*spent), {"precise": spent[0], "blanket": spent[1]}))
    return rows


def _fewer(more: int, less: int) -> bool:
    """Whether the one is smaller by more than `AS_MANY`, chance allowed for (exact interval of the share)."""
    share = clopper_pearson(more - less, more)
    return not isinstance(share, Refused) and share.low > AS_MANY


def _alike(a: float, b: float) -> bool:
    return abs(a - b) <= AS_MANY * max(a, b)


def _false_alarms(a_a: Mapping[str, int] | None) -> Check:
    if not a_a or not a_a["comparisons"]:
        return Check("a_a", None, {"why": "not_tried"})
    n, false = a_a["comparisons"], a_a["false"]
    share = clopper_pearson(false, n)
    as_many = 1.0 - float(laws.binomial_below(false - 1, n, FALSE_RATE)) if false else 1.0
    assert not isinstance(share, Refused), "there are comparisons"
    values = {"comparisons": n, "false": false, "share": share.value, "low": share.low, "high": share.high}
    return Check("a_a", as_many >= UNLIKE_P, values)


def _compliance(arms: Sequence[ArmOutcome] | Any) -> Check:
    broken: dict[str, int] = {}
    contacts = 0
    for arm in arms:
        contacts += len(arm.contact_table.sub)
        for rule, count in arm.violations.items():
            broken[rule] = broken.get(rule, 0) + count
    found = {rule: count for rule, count in sorted(broken.items()) if count}
    return Check("compliance", not found, {"contacts": contacts, "broken": found})


def _one_state(arms: Sequence[ArmOutcome] | Any) -> Check:
    total = states = 0
    for arm in arms:
        told = arm.triggers
        total += told["total"]
        states += told["sent"] + told["held"] + told["failed"] + sum(told["suppressed"].values())
    return Check("one_state", total == states, {"triggers": total, "states": states})


def _held_out(main: ArmOutcome, assignment: Assignment | None) -> Check:
    if assignment is None or not np.any(assignment.role == HELD_OUT):
        return Check("held_out", None, {"why": "none"})
    roles = assignment.role[main.sub]
    hits = [
        (int(main.ordered[roles == role].sum()), int(np.sum(roles == role))) for role in (HELD_OUT, CONTROL)
    ]
    found = difference(*hits[0], *hits[1], level=1.0 - UNLIKE_P)
    if isinstance(found, Refused):
        return Check("held_out", None, {"why": "none"})
    shares = {"held_out": hits[0][0] / hits[0][1], "control": hits[1][0] / hits[1][1]}
    return Check("held_out", not found.excludes_zero(), shares)


def _feed(feed: Mapping[str, Any] | None) -> Check:
    if feed is None:
        return Check("same_feed", None, {"why": "signalling"})
    if not feed:
        return Check("same_feed", None, {"why": "not_tried"})
    if feed["same"] and not feed["triggers"]:  # nothing was compared with nothing
        return Check("same_feed", None, {"why": "few"})
    return Check("same_feed", bool(feed["same"]), {k: v for k, v in feed.items() if k != "same"})
