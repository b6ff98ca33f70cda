"""How a study is to be run: what the command line says beside the study itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.folder import RunFolder

__all__ = ["Running"]


def _nobody(folder: RunFolder) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Running:
    """Nothing of it changes a result."""

    processes: int | None = None
    """Jobs at a time; None: as many as there are processors."""
    cluster: str | None = None
    """Address of a Dask scheduler in place of processes here."""
    resume: Path | None = None
    """Folder of a run that was broken off, to go on in."""
    on_begin: Callable[[RunFolder], None] = _nobody
    """Told of the run's folder."""
