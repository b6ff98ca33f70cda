"""Kinds of studies, found by themselves: every module `experiments.<kind>_study` is one.

Such a module has `Keys` (the pydantic model of its files, whose `kind` is a literal), `check(loaded)`,
`run(loaded, out, arguments)` and `report(run_dir, out)`. The kind end-to-end has its keys in
`experiments.study` and is run by `experiments.endtoend`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from pydantic import BaseModel

    from experiments.study import LoadedStudy

__all__ = ["Kind", "kind_of_values", "kinds"]

_SUFFIX = "_study"


class Kind(Protocol):
    """What a module of a kind of study has."""

    Keys: type[BaseModel]

    def check(self, loaded: LoadedStudy) -> None:
        """Raises BadInput with every problem of the files that a study names."""

    def run(self, loaded: LoadedStudy, out: Path, arguments: Sequence[str]) -> int:
        """Runs a study; the exit code."""

    def report(self, run_dir: Path, out: Path | None) -> Path:
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
