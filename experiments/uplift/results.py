"""From outcomes of arms and small worlds to what a study's summary says, block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from experiments.inference import Estimate, Refused
from experiments.inference.errors import bias, coverage, significance_errors
from experiments.inference.guardrails import Guardrail, non_inferior
from experiments.inference.intervals import paired_difference
from experiments.inference.targeting import (
    effect_curve,
    paired_qini,
    paired_qini_curve,
    paired_uplift_at,
    share_of_oracle,
)
from experiments.uplift.arms import potential
from experiments.uplift.designs import CONTROL, HELD_OUT, TREATED, Assignment, Plan
from experiments.uplift.estimates import (
    arm_figures,
    by_campaign,
    by_group,
    compared,
    fatigue,
    guardrail_json,
    guardrails,
    novelty,
)
from experiments.uplift.jobs import true_of
from experiments.uplift.looks import looks_of, planned_variance
from experiments.uplift.planning import Hoped
from experiments.uplift.primary import Primary
from experiments.uplift.setting import Setting
from experiments.uplift.sides import DAY_US, Comparison, ordered_by, parallel, side_of, within
from experiments.uplift.specs import ArmOutcome, ArmSpec
from experiments.uplift.switchback import as_json, by_days, each_day, times
from experiments.uplift.truth import arrival_curve, contact_gains, interference, oracle_of, true_difference
from experiments.uplift.truth import share_of_oracle as share_reached
from sim.subscribers.segments import SEGMENTS

__all__ = ["Studied", "blocks_of", "estimate_of", "replicates_of"]

PAIRS: Final = (
    ("precise", "blanket_reach"),
    ("precise", "blanket_budget"),
    ("precise", "control"),
    ("blanket_reach", "control"),
    ("blanket_budget", "control"),
)
"""Arms that are compared where both were run."""
RESAMPLES: Final = 1000
AGES: Final = 14
"""Days since first contact."""
TOPS: Final = (0.25, 0.5, 1.0)
"""Of the people contacted, first come first: k of uplift@k."""
POINTS: Final = 101
"""Of a curve, in the summary."""


@dataclass(frozen=True, slots=True, eq=False)
class Studied:
    """Everything that a study's own worlds have given."""

    arms: Mapping[str, ArmOutcome]
    plan: Plan
    assignment: Assignment | None
    """Of the arm `assigned`, within one world."""
    half: Assignment
    """Of the arm in which interference shows."""
    primary: Primary
    setting: Setting
    spec: ArmSpec
    """Of the precise arm."""
    hoped: Hoped
    offers: Mapping[str, Sequence[str]]
    """Offer -> titles of its campaigns."""
    margins: Mapping[str, float]
    seed: int

    @property
    def main(self) -> Comparison:
        """The sides of the study's own question; of a switchback, everybody treated against nobody."""
        if self.primary.layout == "pairs":
            return parallel(self.arms, "precise", "blanket_reach")
        if self.primary.layout == "days" or self.assignment is None:
            return parallel(self.arms, "precise", "control")
        return within(self.arms["assigned"], self.assignment)

    @property
    def sides(self) -> tuple[str, str]:
        """Arms that the sides of `main` are cut of."""
        if self.main.layout != "pairs":
            return "assigned", "assigned"
        left, right = self.main.name.split("_vs_", 1)
        return left, right


def blocks_of(studied: Studied) -> dict[str, Any]:
    """All blocks but trust, planning, replicates and tornado."""
    arms, from_day = studied.arms, studied.spec.campaigns_from_day
    return {
        "arms": _arms(studied),
        "comparisons": _comparisons(studied),
        "guardrails": {name: guardrail_json(one) for name, one in _guarded(studied).items()},
        "campaigns": _campaigns(studied),
        "segments": _segments(studied),
        "places": _places(studied),
        "days": _days(studied),
        "switch": _switch(studied),
        "novelty": novelty(arms["precise"], arms["control"], from_day, AGES),
        "fatigue": fatigue(arms["precise"]),
        "targeting": _targeting(studied),
        "map": _map(studied),
        "truth": _truth(studied),
    }


def _guarded(studied: Studied) -> dict[str, Guardrail]:
    """Contacted against not, for what must not get worse."""
    if studied.assignment is None:
        return guardrails(parallel(studied.arms, "precise", "control"), studied.margins)
    if studied.primary.layout != "days":
        return guardrails(studied.main, studied.margins)
    # Over as many days as the study has; whoever complains twice counts twice, which is the safe side.
    found = {name: _of_whole(studied, name) for name in studied.margins}
    return {name: non_inferior(found[name], margin) for name, margin in studied.margins.items()}


def _of_whole(studied: Studied, measure: str) -> Estimate | Refused:
    """A measure of a switchback as if campaigns had run on all of its days."""
    outcome, spec = studied.arms["assigned"], studied.spec
    if each_day(outcome, spec.days, spec.campaigns_from_day)[measure].any():
        return times(_switched(studied)[measure], studied.primary.days)
    # Nothing on any day has no scatter between days. People are pairs then: half of the days against half.
    return times(paired_difference(0, 0, len(outcome.sub)), 2.0)


def _switched(studied: Studied) -> dict[str, Estimate | Refused]:
    """Every measure of a switchback's own question."""
    assert studied.assignment is not None, "days are switched within one world"
    spec = studied.spec
    return by_days(studied.arms["assigned"], studied.assignment, spec.days, spec.campaigns_from_day)


def _arms(studied: Studied) -> dict[str, Any]:
    found = {}
    for name, outcome in studied.arms.items():
        figures = arm_figures(outcome)
        figures["triggers"] = dict(outcome.triggers)
        figures["true_take_up"] = float(outcome.replay_means.mean()) if outcome.replay_means.size else None
        found[name] = figures
    assignment = studied.assignment
    if assignment is not None and studied.primary.layout != "days":
        outcome = studied.arms["assigned"]
        role = assignment.role[outcome.sub]
        for name, which in (("treated", TREATED), ("control_group", CONTROL), ("held_out", HELD_OUT)):
            rows = np.flatnonzero(role == which)
            if rows.size:
                found[name] = arm_figures(outcome, side_of(outcome, rows))
    return found


def _comparisons(studied: Studied) -> dict[str, Any]:
    arms, found = studied.arms, {}
    made = [(a, b, parallel(arms, a, b)) for a, b in PAIRS if a in arms and b in arms]
    main = studied.main
    for a, b, comparison in made:
        resamples = RESAMPLES if comparison.name == main.name else 0
        measures = compared(comparison, studied.seed, resamples)
        found[comparison.name] = {
            "layout": "pairs",
            "people": comparison.a.n,
            "measures": {name: one.as_json() for name, one in measures.items()},
            "true": true_difference(arms[a], arms[b]).as_json(),
        }
    if main.layout != "pairs":
        measures = compared(main, studied.seed, RESAMPLES if main.layout == "groups" else 0)
        found[main.name] = {
            "layout": main.layout,
            "people": main.a.n + main.b.n,
            "measures": {name: one.as_json() for name, one in measures.items()},
            "true": true_difference(arms["precise"], arms["control"]).as_json(),
        }
    if studied.primary.layout == "days":
        found[studied.primary.name] = {
            "layout": "days",
            "people": studied.primary.n,
            "measures": {name: one.as_json() for name, one in _switched(studied).items()},
            "true": true_of(studied.primary, arms).as_json(),
        }
    return found


def _campaigns(studied: Studied) -> list[dict[str, Any]]:
    left, right = studied.sides
    from_us = (studied.spec.campaigns_from_day - 1) * DAY_US
    return by_campaign(studied.main, (studied.arms[left], studied.arms[right]), studied.offers, from_us)


def _segments(studied: Studied) -> list[dict[str, Any]]:
    main = studied.main
    outcome = studied.arms[studied.sides[0]]
    segment = outcome.segment.astype(np.int64)
    names = [one.name for one in SEGMENTS]
    return by_group(main, segment[main.a.row], segment[main.b.row], names, "benjamini-hochberg")


def _places(studied: Studied) -> list[dict[str, Any]]:
    """Contacts of the precise arm by where they were read: orders within a day, less those without."""
    precise, control = studied.arms["precise"], studied.arms["control"]
    table, places = precise.contact_table, studied.setting.world.topology.places
    row = np.searchsorted(precise.sub, table.sub)
    a, b = (
        (one.ordered_us[row] >= table.t_us) & (one.ordered_us[row] < table.t_us + DAY_US)
        for one in (precise, control)
    )
    rows = []
    kinds = (
        np.array([place.kind for place in places] + [""])[table.place] if len(table.sub) else np.array([""])
    )
    for kind in sorted(set(kinds.tolist())) if len(table.sub) else []:
        at = kinds == kind
        n = int(at.sum())
        found = paired_difference(int(np.sum(a[at] & ~b[at])), int(np.sum(b[at] & ~a[at])), n)
        rows.append(
            {
                "kind": kind,
                "contacts": n,
                "took_up": int(a[at].sum()),
                "added": found.as_json(),
                "model": float(table.p_take_up[at].mean()),
            }
        )
    return sorted(rows, key=lambda one: -one["contacts"])


def _days(studied: Studied) -> dict[str, Any]:
    """Cumulated take-up of every arm, and the primary comparison at every day's end."""
    spec = studied.spec
    ends = [day * DAY_US for day in range(spec.campaigns_from_day, spec.days + 1)]
    arms = {name: [int(ordered_by(arm, end).sum()) for end in ends] for name, arm in studied.arms.items()}
    main, (left, right) = studied.main, studied.sides
    a = [ordered_by(studied.arms[left], end)[main.a.row] for end in ends]
    b = [ordered_by(studied.arms[right], end)[main.b.row] for end in ends]
    planned = planned_variance(
        "pairs" if main.layout == "pairs" else "groups", studied.hoped, main.a.n, main.b.n
    )
    rows = looks_of(a, b, main.layout == "pairs", planned) if main.layout != "clusters" else []
    return {
        "first_day": spec.campaigns_from_day,
        "arms": arms,
        "looks": rows,
        "people": len(studied.arms["precise"].sub),
    }


def _switch(studied: Studied) -> dict[str, Any] | None:
    """Each day of a switchback; None: of other designs."""
    if studied.primary.layout != "days" or studied.assignment is None:
        return None
    spec = studied.spec
    return as_json(studied.arms["assigned"], studied.assignment, spec.days, spec.campaigns_from_day)


def _targeting(studied: Studied) -> dict[str, Any]:
    """The order in which the precise arm came to people, against the oracle's: whom, and when."""
    precise, control = studied.arms["precise"], studied.arms["control"]
    contacted = precise.first_contact_us >= 0
    last = float(studied.spec.days * DAY_US)
    score = np.where(contacted, last - precise.first_contact_us, -1.0)
    a, b = precise.ordered.astype(np.float64), control.ordered.astype(np.float64)
    coefficient = paired_qini(a, b, score)
    oracle = oracle_of(potential(studied.spec), {n: o for n, o in studied.arms.items() if n != "control"})
    # By formula and not by replays, whose noise the oracle's order would take for effects.
    effects = contact_gains(precise.contact_table, precise.sub, oracle.unasked)
    contacts, gains = arrival_curve(oracle, precise)
    best = oracle.curve()
    n = len(precise.sub)
    curves = {
        "seen": _points(*_of(paired_qini_curve(a, b, score))),
        "true": _points(*_of(effect_curve(effects, score))),
        "oracle_whom": _points(*_of(effect_curve(effects, effects))),
        "oracle_moment": _points(np.arange(n + 1) / n, best),
        "precise_by_contacts": _points(contacts / n, gains),
    }
    if "blanket_reach" in studied.arms:
        sent, won = arrival_curve(oracle, studied.arms["blanket_reach"])
        curves["blanket_by_contacts"] = _points(sent / n, won)
    shares = {
        name: share_reached(oracle, arm)
        for name, arm in studied.arms.items()
        if name not in ("control", "half", "assigned")
    }
    reached = float(contacted.mean())
    tops = [
        {
            "share": share,
            "seen": paired_uplift_at(a, b, score, share).as_json(),
            "oracle": float(np.sort(effects)[::-1][: max(1, int(share * n))].mean()),
        }
        for share in (reached * part for part in TOPS)
        if share * n >= 1
    ]
    return {
        "qini": coefficient.as_json(),
        "qini_share_of_oracle": share_of_oracle(coefficient, effects).as_json(),
        "uplift_at": tops,
        "curves": curves,
        "share_of_oracle": shares,
        "contacts": int(precise.contacts.sum()),
    }


def _of(curve: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return curve.share, curve.gain


def _points(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> dict[str, list[float]]:
    """A curve thinned out: its ends, and points at even distances between."""
    at = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(np.int64))
    return {"x": [round(float(v), 6) for v in x[at]], "y": [round(float(v), 8) for v in y[at]]}


def _map(studied: Studied) -> dict[str, Any]:
    """Contacts of the precise arm by the cell where they were read."""
    ground, table = studied.setting.world.topology, studied.arms["precise"].contact_table
    known = table.cell[table.cell >= 0]
    counts = np.bincount(known, minlength=ground.n)
    x, y = ground.spot_x_m / 1000.0, ground.spot_y_m / 1000.0
    return {
        "x_km": [round(float(v), 2) for v in x],
        "y_km": [round(float(v), 2) for v in y],
        "contacts": counts.tolist(),
        "places": [
            {
                "name": place.name,
                "kind": place.kind,
                "x_km": round(float(x[list(place.cells)].mean()), 2),
                "y_km": round(float(y[list(place.cells)].mean()), 2),
            }
            for place in ground.places
        ][:60],
    }


def _truth(studied: Studied) -> dict[str, Any]:
    arms, primary = studied.arms, studied.primary
    mixed = arms["half"] if "half" in arms else arms["assigned"]
    disturbed = interference(mixed, arms["precise"], arms["control"], studied.half.role[mixed.sub])
    effect = true_of(primary, arms)
    value = effect.value
    told = primary.estimate
    return {
        "effect": {"value": value, "se": effect.se, "replays": effect.replays},
        "error": told.value - value if isinstance(told, Estimate) else None,
        "covered": told.covers(value) if isinstance(told, Estimate) else None,
        "interference": disturbed.as_json(),
    }


def estimate_of(values: Mapping[str, Any]) -> Estimate | Refused:
    """What `as_json` was made of."""
    if "refused" in values:
        return Refused(values["method"], values["refused"], values["n"])
    return Estimate(**values)


def replicates_of(found: Sequence[Mapping[str, Any]], min_take_ups: int) -> dict[str, Any]:
    """Coverage, bias, type S and M errors over small worlds with other people.

    Args:
        found: Results of `jobs.Replicate`, in the order of their numbers.
        min_take_ups: On average, in the arm that has fewer, for coverage to be judged.
    """
    estimates = [estimate_of(one["estimate"]) for one in found]
    truths = np.array([one["true"] for one in found])
    truth = float(truths.mean())
    take_ups = np.array([one["take_ups"] for one in found], dtype=np.float64).mean(axis=0)
    held = coverage(estimates, truth)
    off, errors = bias(estimates, truths), significance_errors(estimates, truth)
    judged = float(take_ups.min()) >= min_take_ups
    made: dict[str, Any] = {
        "replicates": len(found),
        "people": float(np.mean([one["people"] for one in found])),
        "take_ups": [float(v) for v in take_ups],
        "true": truth,
        "true_spread": float(truths.std(ddof=1)) if len(truths) > 1 else 0.0,
        "judged": judged,
        "bias": off.as_json(),
        "coverage": held.as_json() if isinstance(held, Refused) else None,
        "errors": errors.as_json() if isinstance(errors, Refused) else None,
    }
    if not isinstance(held, Refused):
        made["coverage"] = {
            "share": held.share.as_json(),
            "missed_below": held.missed_below,
            "missed_above": held.missed_above,
            "refused": held.refused,
            "band": list(held.band),
            "passed": held.passed,
        }
    if not isinstance(errors, Refused):
        made["errors"] = {
            "power": errors.power,
            "type_s": errors.type_s,
            "type_m": errors.type_m,
            "significant": errors.significant,
        }
    return made
