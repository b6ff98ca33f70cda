"""Running a study again from what its manifest says, and comparing what comes of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.folder import RunFolder, open_run
from experiments.problems import BadInput, RunInvalid, relative
from experiments.running.begin import differences, loaded_again
from experiments.running.how import Running

if TYPE_CHECKING:
    from experiments.study import LoadedStudy

__all__ = ["Comparison", "compare", "rerun_study"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Files of results of two runs."""

    equal: tuple[str, ...]
    different: tuple[str, ...]
    lacking: tuple[str, ...]
    """In the first alone."""
    new: tuple[str, ...]
    """In the second alone."""

    @property
    def same(self) -> bool:
        return bool(self.equal) and not (self.different or self.lacking or self.new)

    def lines(self) -> list[str]:
        """What came out, for people."""
        said = [f"different: {name}" for name in self.different]
        said += [f"not there any more: {name}" for name in self.lacking]
        said += [f"not there before: {name}" for name in self.new]
        total = len(self.equal) + len(said)
        return [*said, f"{len(self.equal)} of {total} results have the same hash."]


def compare(was: Mapping[str, str], now: Mapping[str, str]) -> Comparison:
    """Two manifests' `results`."""
    both = [name for name in was if name in now]
    return Comparison(
        tuple(name for name in both if was[name] == now[name]),
        tuple(name for name in both if was[name] != now[name]),
        tuple(name for name in was if name not in now),
        tuple(name for name in now if name not in was),
    )


def rerun_study(
    manifest: Path,
    out: Path,
    study: Path | None,
    running: Running,
    start: Callable[[LoadedStudy, Running, Path], int],
    *,
    anyway: bool = False,
) -> int:
    """Runs it and says how it compares; the exit code.

    Args:
        manifest: A run's `manifest.json`, or its folder.
        out: Where the new run is kept.
        study: The study's file; None: where the manifest says.
        running: How to run it.
        start: Runs a study.
        anyway: Compare though files have changed.

    Raises:
        BadInput: it cannot be run again.
        RunInvalid: the new run was broken off.
    """
    if not manifest.exists():
        raise BadInput(
            f"{relative(manifest)}: no such file; expected the manifest.json of a run, or its folder"
        )
    run_dir = manifest if manifest.is_dir() else manifest.parent
    if manifest.is_file() and manifest.name != "manifest.json":
        raise BadInput(f"{relative(manifest)}: expected the manifest.json of a run, or its folder")
    before = open_run(run_dir).manifest
    expected = before.get("results")
    if not expected:
        raise BadInput(
            f"{relative(run_dir)}: there is nothing to compare with: the run was broken off, it was made "
            "before hashes were kept, or its kind has no results without the clock"
        )
    loaded = loaded_again(run_dir, study)
    changed = _changed(before, loaded)
    for line in changed["files"]:
        _tell(f"changed: {line}")
    if changed["files"] and not anyway:
        raise BadInput(
            "the files are not those of that run; expected the same, or --anyway to compare nevertheless"
        )
    for line in changed["program"]:
        _tell(f"not as it was: {line}")
    made: list[RunFolder] = []
    code = start(loaded, replace(running, on_begin=made.append), out)
    if not made or not made[0].manifest.get("results"):
        raise RunInvalid(f"the new run came to no end (exit code {code}); there is nothing to compare")
    found = compare(expected, made[0].manifest["results"])
    sys.stdout.write("\n".join(["", *found.lines(), f"The new run: {relative(made[0].path)}", ""]))
    return 0 if found.same else 1


def _changed(before: Mapping[str, Any], loaded: LoadedStudy) -> dict[str, list[str]]:
    """What differs from then: files by their hashes, versions and sources, and the commit."""
    from experiments.folder import commit

    files = {role: Path(one["file"]) for role, one in before["scenario"].items()} | {"study": loaded.path}
    lost = [role for role, file in files.items() if not file.is_file()]
    if lost:
        raise BadInput([f"{files[role]}: no such file; it is the {role} of that run" for role in lost])
    changed = differences(before, files)
    here = commit()
    if before.get("commit") != here:
        changed["program"].append(f"commit was {before.get('commit')} and is {here}")
    return changed


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command line
