"""Kinds of studies, found by themselves: every module `experiments.<kind>_study` is one.

Such a module has `Keys` (the pydantic model of its files, whose `kind` is a literal), `check(loaded)`,
`run(loaded, out, arguments)` and `report(run_dir, out, language)`; with `plan(loaded)` it also tells what its
studies will come to (`kairos dry-run`), with `foretell(loaded)` how often it tries what, where it lives
through no world. With `results(run_dir)` it names those files of a run that the clock has no part in, which
`kairos rerun` compares; with `AT_SCALE = True` it says that its runs begin by `experiments.running.begin`, so
that they take `--processes`, `--cluster` and `--resume`, with `RESUMES = True` that they take the last alone.
The kind end-to-end has its keys in `experiments.study` and is run by `experiments.endtoend`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from experiments.problems import BadInput, relative

if TYPE_CHECKING:
    from pydantic import BaseModel

    from experiments.study import LoadedStudy

__all__ = [
    "END_TO_END",
    "Kind",
    "Plan",
    "kind_of_study",
    "kind_of_values",
    "kinds",
    "results_function",
    "start",
]

END_TO_END = "end-to-end"
_SUFFIX = "_study"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a study lives through its world, and how to run a short one like it."""

    world: Path
    world_settings: Mapping[str, Any]
    seed: int
    days: int
    lives: int
    """How often the world, or one like it, is lived through for these days."""
    trial: tuple[str, ...]
    """Settings `path=value` that make it short."""
    trial_days: tuple[int, ...]
    """Days of short runs: what a day takes by itself is told apart where there are two."""
    trial_lives: int
    people: str
    """Setting of how many people there are; empty: by a world file of its own."""
    messages: tuple[str, ...]
    """Where its `summary.json` has the number of messages."""
    keeps_days: bool = False
    """Whether its memory grows with the days that it has lived through."""
    side_by_side: int = 1
    """Processes that are busy at a time."""
    live_s: float = 0.0
    """Wall clock that passes beside, seconds."""


class Kind(Protocol):
    """What a module of a kind of study has."""

    Keys: type[BaseModel]

    def check(self, loaded: LoadedStudy) -> None:
        """Raises BadInput with every problem of the files that a study names."""

    def run(self, loaded: LoadedStudy, out: Path, arguments: Sequence[str]) -> int:
        """Runs a study; the exit code."""

    def report(self, run_dir: Path, out: Path | None, language: str = "en") -> Path:
        """Writes the page of a run again, from its folder alone; where. Raises BadInput."""


@cache
def kinds() -> dict[str, Kind]:
    """Kinds of studies beside end-to-end, by name."""
    import experiments

    names = sorted(
        module.name for module in pkgutil.iter_modules(experiments.__path__) if module.name.endswith(_SUFFIX)
    )
    return {
        name.removesuffix(_SUFFIX).replace("_", "-"): cast(
            "Kind", importlib.import_module(f"experiments.{name}")
        )
        for name in names
    }


def kind_of_values(values: Any) -> Kind | None:
    """The kind that a study's keys name; None: end-to-end, or unknown."""
    return kinds().get(str(values.get("kind"))) if isinstance(values, dict) else None


def kind_of_study(study: BaseModel) -> Kind | None:
    """The kind whose keys these are; None: end-to-end."""
    return next((kind for kind in kinds().values() if isinstance(study, kind.Keys)), None)


def results_function(values: Mapping[str, Any]) -> Callable[[Path], Sequence[Path]] | None:
    """What names the files of a run of this kind that the clock has no part in; None: nothing does."""
    if values.get("kind") == END_TO_END:
        from experiments.endtoend import results

        return results
    return getattr(kind_of_values(values), "results", None)


def start(loaded: LoadedStudy, out: Path, arguments: Sequence[str]) -> int:
    """Runs a study of any kind; the exit code.

    Raises:
        BadInput: it is told to run in a way that studies of its kind know nothing of.
    """
    kind = kind_of_study(loaded.study)
    running = loaded.running
    spreads = getattr(kind, "AT_SCALE", False)
    resumes = kind is None or spreads or getattr(kind, "RESUMES", False)
    options = {
        "--resume": running.resume is not None and not resumes,
        "--processes": running.processes is not None and not spreads,
        "--cluster": running.cluster is not None and not spreads,
    }
    wrong = [option for option, is_wrong in options.items() if is_wrong]
    if wrong:
        name = getattr(loaded.study, "kind", "")
        lacks = "cannot go on once broken off" if wrong == ["--resume"] else "has no jobs to spread"
        raise BadInput(f"{', '.join(wrong)}: {relative(loaded.path)} is of kind {name}, which {lacks}")
    if kind is not None:
        return kind.run(loaded, out, arguments)
    from experiments.endtoend import run_study

    return run_study(loaded, out, arguments)
