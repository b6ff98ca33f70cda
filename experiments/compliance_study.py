"""Studies of kind compliance: does a user's own policy hold with his own campaigns, and what does it cost?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, field_validator

from experiments.folder import page_again, read_json
from experiments.problems import BadInput, relative
from experiments.study import Limits, Lists, LoadedStudy, StudyName
from experiments.study_kinds import Plan
from marketing.config import ExistingFile, Strict
from sim.subscribers.response import Offer

__all__ = ["AT_SCALE", "Keys", "Kills", "Race", "check", "plan", "report", "results", "run"]

AT_SCALE: Final = True
"""What was broken off goes on with the groups that lack; within a group nothing is spread over processes."""
Group = Literal["life", "races", "crashes", "faults"]


class Race(Strict):
    """All campaigns want the same person at the same time, on several processes with one ledger."""

    workers: int = Field(default=4, ge=2, le=64)
    """Processes; no more than there are campaigns."""
    rounds: int = Field(default=100, ge=1, le=100_000)
    """Subscribers, one after another."""


class Kills(Strict):
    """A real platform under load, killed, and what it stands on broken."""

    kills: int = Field(default=20, ge=1, le=100_000)
    """SIGKILLs."""
    subscribers: int = Field(default=3000, ge=10, le=100_000)
    """People of the place in which it is killed."""
    stimuli_per_s: float = Field(default=60.0, gt=0, le=2000)
    """Acts a second that complete scenes, while a platform serves."""
    fault_s: float = Field(default=8.0, gt=0, le=3600)
    """Seconds for which each other thing is broken again and again."""
    back_within_s: float = Field(default=20.0, gt=0)
    """The service must be back in this time after every kill, seconds; firewall studies ask for five."""


class Keys(Strict):
    """A study of one's own policy file and campaigns: how near its edges they come, and whether ever past."""

    study: StudyName
    """Name; results go to `experiments/runs/<name>/`."""
    kind: Literal["compliance"]
    """compliance: policy and campaigns lived through in their world, then raced, killed and broken."""
    title: str = ""
    """What is asked, in one line, for the report."""
    world: ExistingFile
    """World file."""
    world_settings: dict[str, str | bool | int | float] = Field(default={})
    """Dotted keys of the world file laid over it, such as `subscribers: 3000`."""
    policy: ExistingFile
    """Contact policy file."""
    campaigns: list[ExistingFile] = Field(min_length=1)
    """Campaign files."""
    segments: ExistingFile | None = None
    """Table of segments for the platform (audiences/); null: none."""
    offers: list[Offer] = Field(default_factory=list)
    """How people respond to offers of the campaigns; to one left out as `sim.subscribers.offers` says."""
    lists: Lists = Lists()
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Seed of everything drawn."""
    days: int = Field(default=7, ge=1, le=366)
    """Simulated days of the life."""
    tick_s: int = Field(default=60, ge=1, le=60)
    """Simulated seconds between barriers; divides 60."""
    groups: list[Group] = Field(default=["life", "races", "crashes", "faults"], min_length=1)
    """What is run, in this order."""
    race: Race = Race()
    kills: Kills = Kills()
    near_s: float = Field(default=60.0, gt=0, le=86_400)
    """A contact received so near the edge of a rule, or nearer, is a near miss; seconds."""
    transport: Literal["auto", "kernel", "usrsctp", "memory"] = "auto"
    """How signalling reaches the platform. memory: of the life alone, both programs in one process; kills
    need a real one, and take what `auto` finds."""
    limits: Limits = Limits()

    @field_validator("tick_s")
    @classmethod
    def _divides_a_minute(cls, value: int) -> int:
        if 60 % value:
            raise ValueError("expected a divisor of 60, such as 1, 2, 5, 10, 15, 20, 30 or 60")
        return value

    @field_validator("groups")
    @classmethod
    def _once_each(cls, groups: list[Group]) -> list[Group]:
        if twice := sorted({group for group in groups if groups.count(group) > 1}):
            raise ValueError(f"expected each group once, found {', '.join(twice)} again")
        return groups


def check(loaded: LoadedStudy) -> None:
    """Reads world, policy, campaigns and segments, alone and together."""
    from experiments.study_checks import campaign_problems, world_problems
    from experiments.study_offers import offer_problems
    from experiments.validate import KINDS, problems_of

    keys = loaded.keys_of(Keys)
    problems = world_problems(loaded, keys.world, keys.world_settings)
    problems += problems_of(lambda: KINDS["policy"][1](keys.policy))
    if keys.segments is not None:
        segments = keys.segments
        problems += problems_of(lambda: KINDS["audience"][1](segments))
    if not problems:
        problems = campaign_problems(keys.campaigns, keys.policy, keys.world, keys.world_settings)
    if not problems:
        problems = offer_problems(loaded, keys.offers, keys.campaigns)
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))


def run(loaded: LoadedStudy, out: Path, arguments: Sequence[str]) -> int:
    """Runs it; 3 where anybody received what the policy forbids, or a case did not hold."""
    from experiments.compliance.conduct import run_study

    return run_study(loaded, loaded.keys_of(Keys), out, arguments)


def results(run_dir: Path) -> list[Path]:
    """What the life leaves: it runs in lockstep. Races, kills and faults go by the clock."""
    if "life" not in read_json(run_dir / "summary.json")["groups"]:
        return []
    tables = ("near_misses", "displaced", "holds", "pressure")
    sheets = ("suppressed", "displacement", "cap_use", "near_misses", "releases")
    found = [run_dir / f"{name}.parquet" for name in tables] + [run_dir / f"{name}.csv" for name in sheets]
    return [*found, run_dir / "arms" / "precise" / "parts.parquet"]


def report(run_dir: Path, out: Path | None, language: str = "en") -> Path:
    """Writes the page again."""
    from reports.compliance import write_report

    return page_again(write_report, run_dir, out, language)


def plan(loaded: LoadedStudy) -> Plan:
    """The life; kills and faults take time by the clock beside it."""
    keys = loaded.keys_of(Keys)
    if "life" not in keys.groups:
        raise BadInput(f"{relative(loaded.path)}: groups: without the life no world is lived through")
    kills, faults = "crashes" in keys.groups, "faults" in keys.groups
    return Plan(
        world=keys.world,
        world_settings=keys.world_settings,
        seed=keys.seed,
        days=keys.days,
        lives=1,
        trial=("groups=[life]",),
        trial_days=(1, 2),
        trial_lives=1,
        people="world_settings.subscribers",
        messages=("life", "signalling", "generated"),
        live_s=kills * keys.kills.kills * 3.0 + faults * keys.kills.fault_s * 8.0,
    )
