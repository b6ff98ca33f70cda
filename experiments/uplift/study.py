"""Runs an uplift study: arms, small worlds, comparisons of nothing with nothing, what-ifs, the page."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.folder import RunFolder, now, write_json
from experiments.inference.peeking import peeking
from experiments.problems import RunInvalid, relative
from experiments.progress import Display
from experiments.running.begin import begin, rerun_line
from experiments.running.executor import Executor
from experiments.study import LoadedStudy
from experiments.study_offers import responses
from experiments.uplift.designs import Assignment, Plan
from experiments.uplift.jobs import (
    Arm,
    Job,
    NothingAgainstNothing,
    Replicate,
    SameFeed,
    Sending,
    assigned,
    blanket_of,
    divided,
    do,
    key_of,
)
from experiments.uplift.packing import unpack
from experiments.uplift.planning import Hoped, achieved, before, hoped_of
from experiments.uplift.primary import primary_of
from experiments.uplift.results import Studied, blocks_of, replicates_of
from experiments.uplift.sensitivity import tornado, what_ifs
from experiments.uplift.setting import setting_of
from experiments.uplift.specs import ArmOutcome, ArmSpec
from experiments.uplift.tables import write_tables
from experiments.uplift.trust import Check, checks_of, covariates_of
from experiments.uplift_study import Keys

__all__ = ["SUMMARY_SCHEMA", "fiftieth", "plan_of", "precise_spec", "replicate_spec", "run_study"]

SUMMARY_SCHEMA: Final = "kairos.uplift/1"
CHUNK: Final = 50
"""Comparisons of nothing with nothing in a job."""
SAY_EVERY_S: Final = 10.0
PEEKING_REPLICATES: Final = 1000


def run_study(loaded: LoadedStudy, keys: Keys, out: Path, arguments: Sequence[str]) -> int:
    """Runs the study; the exit code. Progress goes to standard error, the results to standard output."""
    began = time.monotonic()
    files = {"world": keys.world, "policy": keys.policy}
    files |= {f"campaign {number}": path for number, path in enumerate(keys.campaigns, start=1)}
    files |= {"segments": keys.segments} if keys.segments else {}
    run = begin(loaded, out, arguments, files)
    folder = run.folder
    try:
        with Display() as display:
            display.note(f"{keys.study}: {relative(folder.path)}, seed {keys.seed}, feed {keys.feed}")
            found = _Whole(keys, run.kept, display).run()
    except KeyboardInterrupt:
        folder.finish(["stopped by Ctrl-C"], whole=False)
        raise
    except BaseException as error:
        folder.finish([f"{type(error).__name__}: {error}"], whole=False)
        raise
    reasons = [f"trust: {check.key}: {dict(check.values)}" for check in found.checks if check.holds is False]
    write_tables(folder.path, found.studied, found.results, found.replicates)
    _write(folder, loaded, keys, found, reasons, time.monotonic() - began)
    folder.finish(reasons)
    from reports.uplift import screen, write_report

    page = write_report(folder.path)
    sys.stdout.write(screen(folder.path) + f"\nReport: {relative(page)}\n")
    return 3 if reasons else 0


def _write(
    folder: RunFolder, loaded: LoadedStudy, keys: Keys, found: _Found, reasons: list[str], wall_s: float
) -> None:
    summary = {
        "schema": SUMMARY_SCHEMA,
        "study": keys.study,
        "kind": keys.kind,
        "title": keys.title,
        "seed": keys.seed,
        "valid": not reasons,
        "invalid_reasons": reasons,
        "question": _question(keys, found),
        "results": found.results,
        "reported": [one.model_dump() for one in keys.reported],
        "response": [offer.model_dump() for offer in found.studied.spec.offers],
        "time": {
            "started": folder.manifest["started"],
            "ended": now(),
            "wall_s": round(wall_s, 1),
            **found.cpu,
        },
        "rerun": rerun_line(loaded),
    }
    write_json(folder.path / "summary.json", summary)


def _question(keys: Keys, found: _Found) -> dict[str, Any]:
    from marketing.campaigns import load

    campaigns = [load(path) for path in keys.campaigns]
    outcome = found.studied.arms["precise"]
    return {
        "design": keys.design.kind,
        "control_share": keys.design.control_share,
        "holdout_share": keys.design.holdout_share,
        "primary": found.studied.primary.name,
        "days": keys.days,
        "campaigns_from_day": keys.campaigns_from_day,
        "subscribers": found.studied.setting.world.n,
        "eligible": len(outcome.sub),
        "feed": keys.feed,
        "tick_s": keys.tick_s,
        "currency": keys.currency,
        "blanket_at": keys.blanket.at,
        "world": found.studied.setting.scenario.world,
        "policy": keys.policy.name,
        "campaigns": [{"title": c.title, "offer": c.offer, "cost": c.cost} for c in campaigns],
        "values": keys.values,
        "replays": keys.replays,
        "truth_days": keys.truth.days,
    }


@dataclass(slots=True, eq=False)
class _Found:
    """What a study has come to."""

    studied: Studied
    checks: list[Check]
    results: dict[str, Any]
    replicates: list[dict[str, Any]]
    cpu: dict[str, float] = field(default_factory=dict)
    """Processor time of the arms, seconds: a clock's figures."""


def plan_of(keys: Keys) -> Plan:
    """How people are divided."""
    design = keys.design
    held = design.holdout_share if design.kind in ("subscriber", "cluster") else 0.0
    return Plan(design.kind, design.control_share, held, design.salt or keys.study)


def precise_spec(keys: Keys) -> ArmSpec:
    """The precise arm of a study."""
    return ArmSpec(
        world=keys.world,
        world_settings=dict(keys.world_settings),
        seed=keys.seed,
        days=keys.days,
        campaigns=tuple(keys.campaigns),
        policy=keys.policy,
        offers=responses(keys.offers, keys.campaigns),
        arm="precise",
        campaigns_from_day=keys.campaigns_from_day,
        feed=keys.feed,
        lists=keys.lists,
        eligible=keys.eligible,
        segments=keys.segments,
        replays=keys.replays,
        tick_s=keys.tick_s,
        covariates=keys.look_back,
        values=dict(keys.values),
    )


def replicate_spec(keys: Keys, number: int) -> ArmSpec:
    """The precise arm of a small world with people of its own."""
    words = hashlib.blake2b(f"{keys.seed}/replicate/{number}".encode(), digest_size=8).digest()
    return replace(
        precise_spec(keys),
        world_settings={**keys.world_settings, **keys.truth.world_settings},
        seed=int.from_bytes(words, "big") >> 2,
        days=keys.truth.days,
        campaigns_from_day=1,
        covariates=False,
        replays=keys.truth.replays,
        feed="behaviours",
    )


def fiftieth(spec: ArmSpec, people: int, days: int) -> ArmSpec:
    """The precise arm with a fiftieth of its `people`, 200 at least, in which both feeds are compared."""
    return replace(
        spec,
        world_settings={**spec.world_settings, "subscribers": max(200, people // 50)},
        days=days,
        campaigns_from_day=1,
        covariates=False,
        replays=0,
        tick_s=spec.tick_s if 60 % spec.tick_s == 0 else 60,
    )


class _Whole:
    """One study from its keys to its results."""

    def __init__(self, keys: Keys, executor: Executor, display: Display) -> None:
        self.keys, self.executor, self.display = keys, executor, display
        self.plan = plan_of(keys)
        self.spec = precise_spec(keys)
        self.sending = Sending(keys.blanket.at, dict(keys.blanket.price))
        self.cpu: dict[str, float] = {}

    def run(self) -> _Found:
        keys, spec = self.keys, self.spec
        setting = setting_of(spec)
        self.display.note(f"{setting.world.n} people, {len(setting.eligible)} of them eligible")
        days = keys.days - keys.campaigns_from_day + 1
        hoped = hoped_of(spec.offers, self.plan, days, keys.planning.reach, keys.planning.uplift)
        foretold = before(
            hoped,
            self.plan,
            len(setting.eligible),
            days,
            keys.planning.power,
            keys.planning.simulations,
            keys.seed,
            np.asarray(setting.world.population.home[setting.eligible]),
        )
        studied = self._studied(hoped)
        small = self._map(
            [
                Replicate(k, replicate_spec(keys, k), self.plan, self.sending)
                for k in range(keys.truth.replicates)
            ]
        )
        replicates = [small[name] for name in sorted(small)]
        look_back = studied.arms["control"].before if keys.look_back else None
        nothing = self._nothing(look_back)
        same = self._same_feed()
        covariates = covariates_of(setting.world.population, setting.eligible, studied.arms["control"].before)
        checks = checks_of(studied.arms, self.plan, studied.assignment, covariates, nothing, same)
        results = blocks_of(studied)
        results["primary"] = _primary(studied)
        effect = foretold["hoped"]["effect"]
        results["planning"] = {
            "before": foretold,
            "after": achieved(studied.primary.estimate, effect, keys.planning.power),
        }
        results["truth"]["replicates"] = (
            replicates_of(replicates, keys.truth.min_take_ups) if replicates else None
        )
        checks.append(_covers(results["truth"]["replicates"]))
        results["trust"] = [check.as_json() for check in checks]
        results["sensitivity"] = self._tornado(studied)
        results["peeking"] = _peeking(keys.seed)
        return _Found(studied, checks, results, replicates, self.cpu)

    def _map(self, jobs: Sequence[Job]) -> dict[str, dict[str, Any]]:
        """Results by key; says now and then how far it is."""
        found: dict[str, dict[str, Any]] = {}
        if not jobs:
            return found
        name, told = key_of(jobs[0]).partition("/")[0], time.monotonic()
        for key, result in self.executor.map(do, jobs, key=key_of):
            found[key] = result
            if len(found) == len(jobs) or time.monotonic() - told >= SAY_EVERY_S:
                told = time.monotonic()
                self.display.note(f"{name}: {len(found)} of {len(jobs)}")
        return found

    def _lived(self, specs: Mapping[str, ArmSpec]) -> Iterator[tuple[str, ArmOutcome]]:
        found = self._map([Arm(name, spec) for name, spec in specs.items()])
        for name in specs:
            outcome = unpack(ArmOutcome, found[f"arms/{name}"])
            self.cpu[f"cpu_{name}_s"] = round(sum(outcome.cpu_s.values()), 2)
            yield name, outcome

    def _studied(self, hoped: Hoped) -> Studied:
        """The study's own worlds."""
        from marketing.campaigns import load

        keys, spec, plan = self.keys, self.spec, self.plan
        first = {"precise": spec, "control": spec.as_arm("control")}
        assignment: Assignment | None = None
        half = divided(spec, Plan("subscriber", 0.5, 0.0, f"{plan.salt}/half"))
        if plan.within_one_world:
            assignment = divided(spec, plan)
            first["assigned"] = assigned(spec, assignment)
        if plan.kind in ("subscriber", "cluster") and assignment is not None:
            half = assignment
        else:
            first["half"] = assigned(spec, half)
        arms = dict(self._lived(first))
        if not arms["precise"].pattern:
            raise RunInvalid(
                "the precise arm contacted nobody: no scene was met, or everything was suppressed"
            )
        wanted = dict.fromkeys([*(("reach",) if plan.kind == "parallel_worlds" else ()), *keys.blanket.by])
        blankets = {
            f"blanket_{by}": spec.as_arm("blanket", blanket_of(arms["precise"], by, self.sending))
            for by in wanted
        }
        arms |= dict(self._lived(blankets))
        titles: dict[str, list[str]] = {}
        for campaign in (load(path) for path in keys.campaigns):
            titles.setdefault(campaign.offer, []).append(campaign.title)
        return Studied(
            arms=arms,
            plan=plan,
            assignment=assignment,
            half=half,
            primary=primary_of(arms, plan, assignment, keys.days, keys.campaigns_from_day),
            setting=setting_of(spec),
            spec=spec,
            hoped=hoped,
            offers=titles,
            margins=keys.guardrails.model_dump(),
            seed=keys.seed,
        )

    def _nothing(self, before: NDArray[np.float64] | None) -> dict[str, int]:
        """Comparisons of two untreated arms, by the very estimate of the study: with its look-back."""
        control = replace(self.spec.as_arm("control"), replays=0)
        starts = range(0, self.keys.a_a, CHUNK)
        jobs = [
            NothingAgainstNothing(first, min(CHUNK, self.keys.a_a - first), control, self.plan, before)
            for first in starts
        ]
        found = self._map(jobs).values()
        return {name: sum(one[name] for one in found) for name in ("comparisons", "false")}

    def _same_feed(self) -> dict[str, Any] | None:
        """A fiftieth of the people with both feeds. None: nothing to compare; empty: not tried."""
        keys = self.keys
        if keys.feed == "signalling":
            return None
        if not keys.both_feeds_days:
            return {}
        small = fiftieth(self.spec, setting_of(self.spec).world.n, keys.both_feeds_days)
        found = self._map([SameFeed(small)])["same-feed"]
        return {**found, "people": small.world_settings["subscribers"], "days": small.days}

    def _tornado(self, studied: Studied) -> dict[str, Any] | None:
        keys = self.keys.sensitivity
        if keys is None:
            return None
        pair = ("precise", "blanket_reach" if self.plan.kind == "parallel_worlds" else "control")
        spec = replace(self.spec, replays=keys.replays, covariates=False)
        jobs = what_ifs(spec, studied.arms, pair, keys.logits, keys.factor, self.sending)
        made = tornado(jobs, self._map(jobs), keys.shown)
        return {"pair": list(pair), "logits": keys.logits, "factor": keys.factor, **made}


def _primary(studied: Studied) -> dict[str, Any]:
    primary = studied.primary
    plain = primary.plain
    return {
        "name": primary.name,
        "layout": primary.layout,
        "estimate": primary.estimate.as_json(),
        "people": primary.n,
        "take_ups": list(primary.take_ups),
        "days": primary.days,
        "plain": None if plain is None else plain.as_json(),
        "variance_reduction": primary.variance_reduction,
        "explained": None if primary.explained is None else dict(primary.explained),
    }


def _covers(replicates: Mapping[str, Any] | None) -> Check:
    """Whether the study's intervals held the truth in small worlds."""
    if replicates is None:
        return Check("coverage", None, {"why": "not_tried"})
    held = replicates["coverage"]
    if held is None or not replicates["judged"]:
        return Check("coverage", None, {"why": "few"})
    values = {"share": held["share"]["value"], "replicates": replicates["replicates"]}
    return Check("coverage", held["passed"], {**values, "low": held["band"][0], "high": held["band"][1]})


def _peeking(seed: int) -> dict[str, Any]:
    """What looking every day for a month does to a z-test and to the sequence, where nothing is there."""
    found = peeking(seed, PEEKING_REPLICATES)
    return {
        "looks": found.looks,
        "replicates": found.replicates,
        **{name: getattr(found, name).as_json() for name in ("naive", "ours", "once")},
        "naive_by_look": [round(v, 4) for v in found.naive_by_look],
        "ours_by_look": [round(v, 4) for v in found.ours_by_look],
    }
