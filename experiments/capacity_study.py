"""Studies of kind capacity: how much does a platform take, what gives way first, and how many are needed?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from experiments.capacity.knee import SearchKeys
from experiments.capacity.levels import ServiceLevel
from experiments.capacity.sizing import SizingKeys
from experiments.folder import page_again
from experiments.problems import BadInput
from experiments.study import Lists, LoadedStudy, StudyName
from marketing.config import ExistingFile, Strict

__all__ = ["RESUMES", "GrowthKeys", "Keys", "ScalingKeys", "check", "foretell", "report", "results", "run"]

RESUMES = True

Count = Annotated[int, Field(ge=1, le=64)]
People = Annotated[int, Field(ge=1000, le=10_000_000)]
Active = Annotated[int, Field(ge=1, le=10_000)]
Load = Annotated[float, Field(gt=0, le=1)]


class ScalingKeys(Strict):
    """How the gain of more workers is measured: closed probes of all counts, one round after another."""

    rounds: int = Field(default=6, ge=0, le=1000)
    """Rounds; every other one goes backwards. 0: none. An interval takes three."""
    seconds: float = Field(default=3.0, gt=0, le=600)
    """Length of each closed probe, seconds."""


class GrowthKeys(Strict):
    """How the growth of cost is measured: processor time a message at one rate, over everything else."""

    rate_share: float = Field(default=0.4, gt=0, le=1)
    """The rate, as a share of the first configuration's knee."""
    repeats: int = Field(default=3, ge=0, le=100)
    """Runs of each value of an axis; 0: no growth is measured."""


class Keys(Strict):
    """A study of the highest rate at which a stated service level holds, and of what it costs."""

    study: StudyName
    """Name; results go to `experiments/runs/<name>/`."""
    kind: Literal["capacity"]
    """capacity: the knee found by search, runs below it, the bottleneck, scaling, growth of cost, sizing."""
    title: str = ""
    """What is asked, in one line, for the report."""
    world: ExistingFile
    """World file; its cells grow with its people where `subscribers` are more than it has."""
    campaigns: list[ExistingFile] = Field(min_length=1)
    """Campaign files whose triggers are judged."""
    policy: ExistingFile
    """Contact policy file."""
    lists: Lists = Lists()
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Seed of the world; probes begin at different times of its day."""
    workers: list[Count] = Field(default=[1, 2], min_length=1)
    """Engines of the platform that share out the subscribers; the first is that of the base configuration."""
    subscribers: list[People] = Field(default=[10_000, 100_000, 1_000_000], min_length=1)
    """People of the world; the first number is that of the base configuration. The more, the less the world's
    time is squeezed for a rate; the longer a probe takes to draw."""
    active_campaigns: list[Active] = Field(default=[1, 20, 100], min_length=1)
    """Campaigns that are active, for the growth of cost: those above, and others of all kinds of scene."""
    every_combination: bool = False
    """false: a knee for each count of workers and each number of subscribers, the other being the first;
    true: for each pair."""
    level: ServiceLevel = ServiceLevel()
    search: SearchKeys = SearchKeys()
    loads: list[Load] = Field(default=[0.5, 0.8, 0.95])
    """Runs after the search, as shares of the knee."""
    load_seconds: float = Field(default=15.0, gt=0, le=3600)
    """Length of these, seconds; longer where the percentile needs more triggers."""
    scaling: ScalingKeys = ScalingKeys()
    growth: GrowthKeys = GrowthKeys()
    sizing: SizingKeys
    pin: bool = True
    """Generator and platform are bound to different processors, where there are two. Never in scaling
    rounds, where
    all processors are for everybody: the generator of a closed probe has little to do."""
    transport: Literal["auto", "kernel", "usrsctp"] = "auto"
    """How signalling reaches the platform."""
    streams: int = Field(default=16, ge=2, le=65535)
    """SCTP streams in each direction."""
    start_s: float = Field(default=120.0, gt=0)
    """Longest wait for a platform to be ready, seconds."""

    @model_validator(mode="after")
    def _fits(self) -> Keys:
        for name in ("workers", "subscribers", "active_campaigns", "loads"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name}: expected each value once")
        if min(self.active_campaigns) < len(self.campaigns):
            raise ValueError(f"active_campaigns: expected at least the {len(self.campaigns)} of campaigns")
        if self.search.repeats % 2 == 0:
            raise ValueError("search.repeats: expected an odd number, so that most of them say one thing")
        bound = 2 * self.search.seconds * self.search.resolution * 1000
        if self.level.latency_ms > bound:
            raise ValueError(
                f"level.latency_ms: expected at most {bound:g}, twice search.resolution of "
                "search.seconds: a backlog grows slowly just above the knee, and shorter probes end before "
                "it shows"
            )
        if self.search.least_rate_per_s >= self.search.most_rate_per_s:
            raise ValueError("search.least_rate_per_s: expected less than search.most_rate_per_s")
        return self

    def configurations(self) -> list[tuple[int, int]]:
        """(workers, subscribers) of which the knee is looked for; the first is the base."""
        if self.every_combination:
            return [(workers, people) for people in self.subscribers for workers in self.workers]
        base = (self.workers[0], self.subscribers[0])
        others = [(workers, base[1]) for workers in self.workers[1:]]
        return [base, *others, *((base[0], people) for people in self.subscribers[1:])]


def check(loaded: LoadedStudy) -> None:
    """Reads all that the study names, alone and together."""
    from experiments.study_checks import campaign_problems
    from experiments.validate import problems_of
    from marketing.campaigns import load
    from marketing.contact import load_policy
    from sim.scenario import load_world

    keys = loaded.keys_of(Keys)
    problems = problems_of(lambda: load_world(keys.world))
    problems += problems_of(lambda: load_world(keys.sizing.world))
    problems += problems_of(lambda: load_policy(keys.policy))
    for campaign in keys.campaigns:
        problems += problems_of(partial(load, campaign))
    if not problems:
        problems = campaign_problems(keys.campaigns, keys.policy, keys.world)
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))


def foretell(loaded: LoadedStudy) -> dict[str, int | float]:
    """What it will do. How long hangs on the rates that it finds."""
    keys = loaded.keys_of(Keys)
    knees = len(keys.configurations())
    axes = len(keys.subscribers) + len(keys.active_campaigns) - 1
    return {
        "knees to be found": knees,
        "probes of each search, at most": keys.search.most_probes,
        "seconds of a probe, at least": keys.search.seconds,
        "runs below the knees": knees * len(keys.loads),
        "closed probes for the gain of workers": keys.scaling.rounds * len(keys.workers),
        "runs for the growth of cost": keys.growth.repeats * axes,
    }


def run(loaded: LoadedStudy, out: Path, arguments: Sequence[str]) -> int:
    """Runs it; 3 where no knee is found."""
    from experiments.capacity.running import run_study

    return run_study(loaded, loaded.keys_of(Keys), out, arguments)


def results(run_dir: Path) -> list[Path]:
    """What was drawn: all else a clock has measured."""
    return [run_dir / "drawn.json"]


def report(run_dir: Path, out: Path | None, language: str = "en") -> Path:
    """Writes the page again."""
    from reports.capacity import write_report

    return page_again(write_report, run_dir, out, language)
