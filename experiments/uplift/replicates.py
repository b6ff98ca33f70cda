"""Checks of the method itself, for whoever wants to see them: coverage, and arms that are both untreated.

Both take an executor and a size; `small` is for the tests of every day, `full` is what the claims rest on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from experiments.inference import Refused, laws
from experiments.inference.intervals import clopper_pearson
from experiments.running.executor import Executor
from experiments.study import load_study
from experiments.uplift.designs import Kind, Plan
from experiments.uplift.jobs import Job, NothingAgainstNothing, Replicate, Sending, do, key_of
from experiments.uplift.results import replicates_of
from experiments.uplift.study import plan_of, precise_spec, replicate_spec
from experiments.uplift_study import Keys

__all__ = ["SIZES", "Scale", "Size", "a_a", "coverage"]

Scale = Literal["small", "full"]
CHUNK: Final = 50


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run."""

    replicates: int
    """Small worlds."""
    subscribers: int
    """People of each; twice as many where only a part of them is treated."""
    days: int
    comparisons: int
    """Of nothing with nothing."""


SIZES: Final[dict[Scale, Size]] = {
    "small": Size(replicates=6, subscribers=500, days=4, comparisons=200),
    "full": Size(replicates=1000, subscribers=500, days=7, comparisons=2000),
}


def coverage(
    executor: Executor, study: Path, scale: Scale = "full", design: Kind | None = None
) -> dict[str, Any]:
    """Whether the 95 % intervals of a study hold the truth over worlds with people drawn anew.

    Args:
        executor: Runs the worlds; one of `Kept` goes on where it was broken off.
        study: File of an uplift study.
        scale: How many worlds of what size.
        design: Another design than the study's.

    Returns:
        As `results.replicates_of`: coverage with its band, bias, type S and M errors; and `scale`.
    """
    keys, size = _keys(study), SIZES[scale]
    plan = _plan(keys, design)
    people = size.subscribers * (2 if plan.within_one_world else 1)
    sized = keys.truth.model_copy(update={"days": size.days, "world_settings": {"subscribers": people}})
    keys = keys.model_copy(update={"truth": sized})
    sending = Sending(keys.blanket.at, dict(keys.blanket.price))
    jobs = [Replicate(k, replicate_spec(keys, k), plan, sending) for k in range(size.replicates)]
    found = _map(executor, jobs)
    made = replicates_of([found[key_of(job)] for job in jobs], keys.truth.min_take_ups)
    return {"scale": scale, "design": plan.kind, **made}


def a_a(executor: Executor, study: Path, scale: Scale = "full", design: Kind | None = None) -> dict[str, Any]:
    """How often two untreated arms are told apart at 95 %, by a study's own design and estimate.

    Arguments as for `coverage`; the world is the study's own, its people those of small worlds.

    Returns:
        comparisons, false, share with its exact interval, and `passed`: no more than 5 % but for chance of
        one in a thousand.
    """
    keys, size = _keys(study), SIZES[scale]
    people = 4 * size.subscribers  # enough that asymptotic estimates are asked fairly
    spec = replace(
        precise_spec(keys).as_arm("control"),
        world_settings={**keys.world_settings, "subscribers": people},
        days=size.days,
        campaigns_from_day=1,
        covariates=False,
        replays=0,
    )
    plan = _plan(keys, design)
    jobs = [
        NothingAgainstNothing(first, min(CHUNK, size.comparisons - first), spec, plan)
        for first in range(0, size.comparisons, CHUNK)
    ]
    found = _map(executor, jobs).values()
    n, false = (sum(one[name] for one in found) for name in ("comparisons", "false"))
    share = clopper_pearson(false, n)
    if isinstance(share, Refused):
        return {"scale": scale, "design": plan.kind, "comparisons": n, "false": false, "passed": False}
    as_many = 1.0 - float(laws.binomial_below(false - 1, n, 0.05)) if false else 1.0
    return {
        "scale": scale,
        "design": plan.kind,
        "comparisons": n,
        "false": false,
        "share": share.as_json(),
        "passed": as_many >= 0.001,
    }


def _keys(study: Path) -> Keys:
    return load_study(study).keys_of(Keys)


def _plan(keys: Keys, design: Kind | None) -> Plan:
    plan = plan_of(keys)
    return plan if design is None else replace(plan, kind=design, holdout_share=0.0)


def _map(executor: Executor, jobs: list[Any]) -> dict[str, dict[str, Any]]:
    wanted: list[Job] = jobs
    return dict(executor.map(do, wanted, key=key_of))
