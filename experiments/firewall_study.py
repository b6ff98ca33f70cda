"""Studies of kind firewall: does the platform ever overstep its policy, whatever happens to it?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from experiments.folder import open_run, read_json
from experiments.problems import BadInput, relative
from experiments.study import LoadedStudy, StudyName
from marketing.config import Strict

__all__ = ["AT_SCALE", "Keys", "Race", "check", "foretell", "report", "results", "run"]

AT_SCALE = True

Group = Literal["boundaries", "mutants", "right", "races", "crashes", "faults"]


class Race(Strict):
    """Campaigns that want the same person at the same time, on several processes with one ledger."""

    workers: int = Field(default=4, ge=2, le=64)
    """Processes."""
    campaigns: int = Field(default=8, ge=2, le=64)
    """That want each subscriber."""
    rounds: int = Field(default=200, ge=1, le=100_000)
    """Subscribers, one after another."""


class Keys(Strict):
    """A study of whether the contact policy holds, whatever happens, and whether its judge would notice."""

    study: StudyName
    """Name; results go to `experiments/runs/<name>/`."""
    kind: Literal["firewall"]
    """firewall: cases in which nobody may receive what the policy forbids; broken policies to be caught."""
    title: str = ""
    """What is asked, in one line, for the report."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Seed of everything drawn."""
    groups: list[Group] = Field(
        default=["boundaries", "mutants", "right", "races", "crashes", "faults"], min_length=1
    )
    """What is run, in this order."""
    mutant_subscribers: int = Field(default=1500, ge=100, le=1_000_000)
    """People of the trial that each broken policy goes through."""
    right_subscribers: int = Field(default=165_000, ge=100, le=10_000_000)
    """People of the trial of the right policy; each receives some six contacts."""
    race: Race = Race()
    kills: int = Field(default=200, ge=1, le=100_000)
    """SIGKILLs of a platform under load."""
    stimuli_per_s: float = Field(default=60.0, gt=0, le=2000)
    """Acts a second that complete scenes, while a platform serves."""
    fault_s: float = Field(default=20.0, gt=0, le=3600)
    """Seconds for which each other thing is broken again and again."""
    back_within_s: float = Field(default=5.0, gt=0)
    """The service must be back in this time after every kill, seconds."""
    transport: Literal["auto", "kernel", "usrsctp"] = "auto"
    """How signalling reaches the platform that is killed."""

    @field_validator("groups")
    @classmethod
    def _once_each(cls, groups: list[Group]) -> list[Group]:
        if len(set(groups)) != len(groups):
            raise ValueError("expected each group once")
        return groups


def check(loaded: LoadedStudy) -> None:
    """Nothing beside the study itself: the policies of the cases are part of them."""
    loaded.keys_of(Keys)


def foretell(loaded: LoadedStudy) -> dict[str, int | float]:
    """What it will try: how often, by group. It lives through no world."""
    from experiments.firewall.boundaries import CASES
    from experiments.firewall.mutants import MUTANTS

    keys = loaded.keys_of(Keys)
    tries: dict[str, int | float] = {
        "boundaries": len(CASES),
        "mutants": len(MUTANTS),
        "right": keys.right_subscribers,
        "races": keys.race.rounds,
        "crashes": keys.kills,
        "faults": keys.fault_s,
    }
    words = {
        "boundaries": "cases at the edges of the audit's rules",
        "mutants": "broken policies to be caught",
        "right": "people of the right policy's trial",
        "races": "people wanted by all campaigns at once, each database",
        "crashes": "kills of a platform under load",
        "faults": "seconds of each other thing broken",
    }
    return {words[group]: tries[group] for group in keys.groups}


def run(loaded: LoadedStudy, out: Path, arguments: Sequence[str]) -> int:
    """Runs it; 3 where something was violated, or a broken policy was not caught."""
    from experiments.firewall.study import run_study

    return run_study(loaded, loaded.keys_of(Keys), out, arguments)


def results(run_dir: Path) -> list[Path]:
    """What was judged of groups in which nothing is killed, raced or broken at an instant of the clock."""
    return [run_dir / "judged.json"]


def report(run_dir: Path, out: Path | None, language: str = "en") -> Path:
    """Writes the page again."""
    from reports.firewall import NotReportable, write_report

    open_run(run_dir)
    read_json(run_dir / "summary.json")
    try:
        written: Path = write_report(run_dir, out, language)
        return written
    except NotReportable as error:
        raise BadInput(f"{relative(run_dir)}: {error}") from None
