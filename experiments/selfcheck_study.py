"""Studies of kind selfcheck: does the harness measure what it says?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from experiments.folder import page_again
from experiments.study import LoadedStudy, StudyName
from marketing.config import Strict

__all__ = ["AT_SCALE", "Keys", "check", "foretell", "report", "results", "run"]

AT_SCALE = True


class Keys(Strict):
    """A study of the harness itself: what it measures where the answer is known beforehand."""

    study: StudyName
    """Name; results go to `experiments/runs/<name>/`."""
    kind: Literal["selfcheck"]
    """selfcheck: cases whose answer is known, each found value beside the band in which it must lie."""
    title: str = ""
    """What is asked, in one line, for the report."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Part of the run's name; what is drawn in a case is drawn from seeds of its own."""
    scale: Literal["small", "full"] = "full"
    """small: sizes for every day, wide bands. full: the sizes that the claims are made of."""
    groups: list[str] | None = Field(default=None, min_length=1)
    """What is checked, in this order; null: everything that there is."""

    @field_validator("groups")
    @classmethod
    def _known(cls, groups: list[str] | None) -> list[str] | None:
        from experiments.selfcheck.groups import GROUPS

        for group in groups or ():
            if group not in GROUPS:
                raise ValueError(f"expected some of {', '.join(GROUPS)}; {group!r} is none")
        if groups is not None and len(set(groups)) != len(groups):
            raise ValueError("expected each group once")
        return groups

    @property
    def chosen(self) -> list[str]:
        """Names of the groups that are run."""
        from experiments.selfcheck.groups import GROUPS

        return list(GROUPS) if self.groups is None else self.groups


def check(loaded: LoadedStudy) -> None:
    """Nothing: it names no files, and which groups there are its keys have seen to."""
    loaded.keys_of(Keys)


def foretell(loaded: LoadedStudy) -> dict[str, int | float]:
    """What it will try. It lives through worlds of its cases only."""
    keys = loaded.keys_of(Keys)
    return {f"groups of checks at scale {keys.scale}: {', '.join(keys.chosen)}": len(keys.chosen)}


def run(loaded: LoadedStudy, out: Path, arguments: Sequence[str]) -> int:
    """Runs it; 3 where a value lies outside its band."""
    from experiments.selfcheck.study import run_study

    return run_study(loaded, loaded.keys_of(Keys), out, arguments)


def results(run_dir: Path) -> list[Path]:
    """The cases of groups in which the clock has no part."""
    return [run_dir / "drawn.json"]


def report(run_dir: Path, out: Path | None, language: str = "en") -> Path:
    """Writes the page again."""
    from reports.selfcheck import write_report

    return page_again(write_report, run_dir, out, language)
