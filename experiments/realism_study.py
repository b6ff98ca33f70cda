"""Studies of kind realism: are the people and the network of a world like life?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from experiments.folder import page_again
from experiments.problems import BadInput
from experiments.study import LoadedStudy, StudyName
from experiments.study_kinds import Plan
from marketing.config import ExistingFile, Strict

__all__ = ["AT_SCALE", "Keys", "check", "plan", "report", "results", "run"]

AT_SCALE = True


class Keys(Strict):
    """A study of how like life a world is: its people beside two populations that are not."""

    study: StudyName
    """Name; results go to `experiments/runs/<name>/`."""
    kind: Literal["realism"]
    """realism: measures of mobility, usage and network with bands, which two null populations must miss."""
    title: str = ""
    """What is asked, in one line, for the report."""
    world: ExistingFile
    """World file."""
    world_settings: dict[str, str | bool | int | float] = Field(default={})
    """Dotted keys of the world file laid over it, such as `subscribers: 3000`."""
    event_world: ExistingFile
    """World file with events, for the crowds at them: lived through until a week after the last of them."""
    event_settings: dict[str, str | bool | int | float] = Field(default={})
    """Keys laid over that one."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Seed of the first world; the others follow."""
    seeds: int = Field(default=10, ge=2, le=1000)
    """Worlds in which what is offered is compared with what is configured."""
    days: int = Field(default=14, ge=7, le=92)
    """Simulated days; whole weeks show the week as it is."""
    moving_days: int = Field(default=98, ge=14, le=366)
    """Days over which movements are measured, from trips alone: the sources watched people for months."""


def check(loaded: LoadedStudy) -> None:
    """Reads the world with the study's settings."""
    from experiments.study_checks import world_problems

    keys = loaded.keys_of(Keys)
    problems = world_problems(loaded, keys.world, keys.world_settings)
    problems += world_problems(loaded, keys.event_world, keys.event_settings, ("event_settings",))
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))


def run(loaded: LoadedStudy, out: Path, arguments: Sequence[str]) -> int:
    """Runs it; 3 where a required band is missed or a null population is not told apart."""
    from experiments.realism.study import run_study

    return run_study(loaded, loaded.keys_of(Keys), out, arguments)


def results(run_dir: Path) -> list[Path]:
    """All that it finds out is drawn from the seed."""
    return [run_dir / "summary.json", run_dir / "details.json"]


def report(run_dir: Path, out: Path | None, language: str = "en") -> Path:
    """Writes the page again."""
    from reports.realism import write_report

    return page_again(write_report, run_dir, out, language)


def plan(loaded: LoadedStudy) -> Plan:
    """What it lives through; short runs have the fewest days and seeds."""
    from experiments.realism.study import lives_of

    keys = loaded.keys_of(Keys)
    return Plan(
        world=keys.world,
        world_settings=keys.world_settings,
        seed=keys.seed,
        days=keys.days,
        lives=lives_of(keys.seeds),
        trial=("seeds=2",),
        trial_days=(7,),
        trial_lives=lives_of(2),
        people="world_settings.subscribers",
        messages=("messages",),
        keeps_days=True,
    )
