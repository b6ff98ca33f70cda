"""Uplift studies put to the test: coverage over worlds with people drawn anew, untreated arms, both feeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from experiments.inference.errors import allowed
from experiments.problems import BadInput
from experiments.running.executor import Executor
from experiments.selfcheck.case import Band, Case, Scale, judged
from experiments.study import load_study
from experiments.uplift.designs import Kind
from experiments.uplift.jobs import Job, SameFeed, do
from experiments.uplift.replicates import SIZES, a_a, coverage
from experiments.uplift.specs import ArmSpec
from experiments.uplift.study import fiftieth, precise_spec
from experiments.uplift_study import Keys
from sim.scenario import load_world

__all__ = [
    "COVERED",
    "Clock",
    "a_a_cases",
    "coverage_cases",
    "covered",
    "feed_cases",
    "keys_in",
    "shipped",
    "timed",
]

T = TypeVar("T")
R = TypeVar("R")

STUDIES: Final = Path("scenarios/studies")
"""Below the current folder."""
COVERED: Final = STUDIES / "missed-call-alert.yaml"
"""500 people of it have more than ten take-ups an arm in a week."""
FALSE: Final = (0.03, 0.05)
"""Share of untreated arms told apart that is called right, before binomial error: an interval that holds the
truth in 97 of 100 cases, where counts are few, up to one that holds its level."""
SMALL_FEEDS: Final = ("hang-up-sms", "missed-call-alert")
"""Studies that are compared at small scale; at full, all that are shipped."""
FEED_DAYS: Final = 1
"""At small scale; at full a study's own."""
BIAS_SE: Final = 3.3
"""Largest bias in standard errors of so many replicates; one unbiased one in a thousand is further off."""


def timed(job: Job) -> dict[str, Any]:
    """What a job comes to, with when it was worked on: seconds since 1970, and of processor time."""
    began, cpu = time.time(), time.process_time()
    return {
        "result": do(job),
        "began": began,
        "ended": time.time(),
        "cpu_s": round(time.process_time() - cpu, 3),
    }


@dataclass(slots=True)
class Clock:
    """An executor of jobs of uplift studies that keeps to itself how long they took."""

    executor: Executor
    spans: list[tuple[float, float]]
    """When each job was worked on."""
    cpu_s: float = 0.0

    def map(
        self, function: Callable[[T], R], jobs: Sequence[T], *, key: Callable[[T], str]
    ) -> Iterator[tuple[str, R]]:
        """As `Executor.map`, of `uplift.jobs.do`."""
        assert function is do, f"jobs of uplift studies are expected, not {function!r}"
        named: Any = key
        for name, found in self.executor.map(timed, cast("Sequence[Job]", jobs), key=named):
            self.spans.append((found["began"], found["ended"]))
            self.cpu_s += found["cpu_s"]
            yield name, found["result"]

    @property
    def seconds(self) -> float:
        """While at least one job was worked on: a break between two goes at a run is not counted."""
        total, until = 0.0, float("-inf")
        for began, ended in sorted(self.spans):
            total += max(0.0, ended - max(began, until))
            until = max(until, ended)
        return total


def coverage_cases(scale: Scale, executor: Executor) -> Iterator[Case]:
    """Whether intervals of a whole study hold the truth that a study cannot know.

    Raises:
        BadInput: the study is not there.
    """
    found = covered(Clock(executor, []), scale)
    size = SIZES[scale]
    tried = (
        f"{size.subscribers} people drawn anew each time, {size.days} days, precise against "
        "blanket arm of equal reach"
    )
    yield coverage_case(COVERED.stem, tried, found, least_take_ups=10 if scale == "full" else 5)


def covered(clock: Clock, scale: Scale) -> dict[str, Any]:
    """Lives through the small worlds of that scale; see `uplift.replicates.coverage`."""
    return coverage(clock, _there(COVERED), scale)


def coverage_case(name: str, tried: str, found: Mapping[str, Any], least_take_ups: float) -> Case:
    """What replicates say of a study's intervals; see `uplift.results.replicates_of`."""
    held, errors, bias = found["coverage"], found["errors"] or {}, found["bias"]
    values: dict[str, float] = {"take_ups": min(found["take_ups"]), "effect": found["true"]}
    bands: dict[str, Band] = {"take_ups": (least_take_ups, None)}
    if held is None:
        values["covered"], bands["covered"] = float("nan"), (0.0, 1.0)
    else:
        low, high = held["band"]
        values |= {"covered": held["share"]["value"], "refused": held["refused"]}
        bands |= {"covered": (low, high), "refused": (0, 0)}
        values |= {"below": held["missed_below"], "above": held["missed_above"]}
    if "value" in bias:
        values |= {"bias_se": bias["value"] / bias["se"], "bias": bias["value"]}
        bands["bias_se"] = (-BIAS_SE, BIAS_SE)
    values |= {what: errors[what] for what in ("power", "type_s", "type_m") if errors.get(what) is not None}
    return judged("coverage", name, tried, found["replicates"], bands, values)


_DESIGNS: Final[tuple[tuple[str, Kind], ...]] = (
    ("missed-call-alert", "parallel_worlds"),
    ("hang-up-sms", "subscriber"),
    ("off-peak-tariff", "cluster"),
)
_DIVIDED: Final[Mapping[Kind, str]] = {
    "parallel_worlds": "a world each",
    "subscriber": "divided by subscriber",
    "cluster": "divided by home cell",
}


def a_a_cases(scale: Scale, executor: Executor) -> Iterator[Case]:
    """How often two arms of which neither is contacted are told apart: a case for each design.

    Raises:
        BadInput: a study is not there.
    """
    size = SIZES[scale]
    for study, design in _DESIGNS:
        at = _Below(study, executor)
        found = a_a(at, _there(STUDIES / f"{study}.yaml"), scale, design)
        n = found["comparisons"]
        low, high = allowed(FALSE, n) if n else (0.0, 1.0)
        tried = f"two untreated arms, {_DIVIDED[design]}, {size.days} days"
        share = found["share"]["value"] if "share" in found else float("nan")
        refused = size.comparisons - n
        yield judged(
            "a_a",
            study,
            tried,
            size.comparisons,
            {"told_apart": (low, high), "refused": (0, 0)},
            {"told_apart": share, "refused": refused},
        )


def feed_cases(scale: Scale, executor: Executor) -> Iterator[Case]:
    """Whether a fiftieth of each shipped study that is fed with behaviours has the same triggers by bytes."""
    chosen = {name: keys for name, keys in shipped().items() if scale == "full" or name in SMALL_FEEDS}
    jobs = {name: _small(name, keys, scale) for name, keys in chosen.items()}
    found = dict(executor.map(both_feeds, list(jobs.values()), key=lambda job: job.study))
    for name, job in jobs.items():
        one, people = found[name], job.spec.world_settings["subscribers"]
        tried = f"{people} people, {job.spec.days} days, fed with behaviours and with signalling"
        values = {"same": int(one["same"]), "outcome": int(one["outcome_same"]), "triggers": one["triggers"]}
        bands: dict[str, Band] = {"same": (1, 1), "outcome": (1, 1), "triggers": (1, None)}
        yield judged("feeds", name, tried, 2, bands, values)


@dataclass(frozen=True, slots=True, eq=False)
class _Small:
    """A study in small."""

    study: str
    spec: ArmSpec


def both_feeds(job: _Small) -> dict[str, Any]:
    """Whether bytes and short cut gave the same; see `uplift.jobs.SameFeed`."""
    return SameFeed(job.spec).do()


def _small(study: str, keys: Keys, scale: Scale) -> _Small:
    people = load_world(keys.world, keys.world_settings).subscribers
    days = FEED_DAYS if scale == "small" else keys.days
    return _Small(study, fiftieth(precise_spec(keys), people, days))


def shipped() -> dict[str, Keys]:
    """Studies of uplift that are fed with behaviours, by name of the file.

    Raises:
        BadInput: there is none, or one cannot be read.
    """
    loaded = {path.stem: load_study(path).study for path in sorted(STUDIES.glob("*.yaml"))}
    keys = {name: one for name, one in loaded.items() if isinstance(one, Keys)}
    found = {name: one for name, one in keys.items() if one.feed == "behaviours"}
    if not found:
        raise BadInput([f"{STUDIES}: no study of kind uplift; expected to be in a clone of the sources"])
    return found


def keys_in(study: Path) -> Keys:
    """What a study of uplift says. Raises BadInput where it is not there."""
    return load_study(_there(study)).keys_of(Keys)


def _there(study: Path) -> Path:
    if not study.is_file():
        raise BadInput([f"{study}: no such file; expected to be in a clone of the sources"])
    return study


@dataclass(frozen=True, slots=True)
class _Below:
    """Keys of one study among those of others."""

    study: str
    executor: Executor

    def map(
        self, function: Callable[[T], R], jobs: Sequence[T], *, key: Callable[[T], str]
    ) -> Iterator[tuple[str, R]]:
        """As `Executor.map`."""
        yield from self.executor.map(function, jobs, key=lambda job: f"{self.study}/{key(job)}")
