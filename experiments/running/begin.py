"""How the run of a study begins: in a new folder, or in that of one that was broken off."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from experiments.folder import RunFolder, fingerprints, open_run, versions
from experiments.problems import BadInput, relative
from experiments.running.describing import apart
from experiments.running.executor import Executor, executor_of
from experiments.running.hashes import results_of
from experiments.running.identity import sources
from experiments.running.kept import Kept

if TYPE_CHECKING:
    from experiments.study import LoadedStudy

__all__ = ["Begun", "begin", "differences", "loaded_again", "rerun_line"]

KEPT: Final = "kept"
"""Folder of a run with results that need not be had twice."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A run under way."""

    folder: RunFolder
    executor: Executor
    """For jobs whose results are large, or no JSON: run again after a resumption."""

    @property
    def kept(self) -> Kept:
        """For jobs whose results are small and JSON: a resumed run has them already."""
        return Kept(self.folder.path / KEPT, self.executor)


def begin(loaded: LoadedStudy, out: Path, arguments: Sequence[str], files: Mapping[str, Path]) -> Begun:
    """Makes the folder of a run, or opens the one that is to be gone on with; nobody else may work in it.

    Args:
        loaded: The study; its keys `study`, `kind` and `seed` go into the manifest, with its settings.
        out: Where runs are kept.
        arguments: The command line after `kairos`.
        files: Role -> file that decides the results, hashed into the manifest; the study's own is added.

    Raises:
        BadInput: the executor cannot be had; the folder cannot be written or gone on with, or another
            process is at work in it.
    """
    running, keys = loaded.running, loaded.study
    executor = executor_of(running.processes, running.cluster)
    said: Any = keys  # every kind's keys have these three
    named = {"study": loaded.path, **files}
    command = ["kairos", *arguments]
    if running.resume is not None:
        folder = RunFolder.resume(running.resume, command)
        try:
            _same(folder, loaded, named)
            folder.begun()
        except BaseException:
            folder.release()
            raise
    else:
        folder = RunFolder.create(out, said.study, said.seed, command, named)
        folder.update(kind=said.kind, overrides=list(loaded.overrides), sources=sources())
    folder.results_of = results_of
    running.on_begin(folder)
    return Begun(folder, executor)


def _same(folder: RunFolder, loaded: LoadedStudy, files: Mapping[str, Path]) -> None:
    manifest, said = folder.manifest, loaded.study
    problems = [
        f"{relative(folder.path)}: cannot be gone on with: {line}"
        for line in (
            *apart({"study": manifest["study"]}, {"study": getattr(said, "study", "")}),
            *apart({"seed": str(manifest["seed"])}, {"seed": str(getattr(said, "seed", ""))}),
            *(line for lines in differences(manifest, files).values() for line in lines),
        )
    ]
    if problems:
        raise BadInput([*problems, "expected all as it was, or a new run: leave --resume away"])


def differences(manifest: Mapping[str, Any], files: Mapping[str, Path]) -> dict[str, list[str]]:
    """What is not as it was when a run was begun: `files`, and `program` (versions, sources), in phrases."""
    was = {f"{role} {one['file']}": one["sha256"] for role, one in manifest["scenario"].items()}
    names = {role: f"{role} {one['file']}" for role, one in manifest["scenario"].items()}
    now = {
        names.get(role, f"{role} {one['file']}"): one["sha256"] for role, one in fingerprints(files).items()
    }
    program_was = {**manifest["versions"], "sources": str(manifest.get("sources"))}
    program_now = {**versions(), "sources": sources()}
    return {"files": apart(was, now), "program": apart(program_was, program_now)}


def _tells_all(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest says what a run is repeated from, each in the form that a run writes."""
    scenario, versions_was = manifest.get("scenario"), manifest.get("versions")
    if not isinstance(scenario, dict) or "study" not in scenario or not isinstance(versions_was, dict):
        return False
    overrides, files = manifest.get("overrides"), list(scenario.values())
    if not isinstance(overrides, list) or not all(isinstance(one, dict) for one in files):
        return False
    said = [
        *overrides,
        *versions_was.values(),
        *(one.get(key) for one in files for key in ("file", "sha256")),
    ]
    return all(isinstance(one, str) for one in said)


def loaded_again(run_dir: Path, study: Path | None) -> LoadedStudy:
    """The study of a run with its settings, from its manifest.

    Args:
        run_dir: The run's folder.
        study: Where the study's file is now; None: where it was, seen from here.

    Raises:
        BadInput: the folder's manifest does not say it, or the file is not there or not as it should be.
    """
    from experiments.study import load_study

    manifest = open_run(run_dir).manifest
    if not _tells_all(manifest):
        raise BadInput(
            f"{relative(run_dir / 'manifest.json')}: does not say which study it ran with which settings, "
            "files and versions; it was made before runs could be repeated, or it is damaged"
        )
    path = study or Path(manifest["scenario"]["study"]["file"])
    overrides = list(manifest["overrides"])
    if not path.is_file():
        raise BadInput(
            f"{path}: no such file; it is the study of {relative(run_dir)}, as seen from the folder in which "
            "that was run: name the study's file, or go there"
        )
    return load_study(path, overrides)


def rerun_line(loaded: LoadedStudy) -> str:
    """The command that runs a study again, with the settings that it had."""
    words = ["kairos", "run", relative(loaded.path)]
    for setting in loaded.overrides:
        words += ["--set", setting]
    return shlex.join(words)
