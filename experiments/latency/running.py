"""Studies of kind latency: phases one after another, each with a platform of its own; one answer."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from experiments.folder import RunFolder, open_run, read_json, write_json
from experiments.latency.concluding import SUMMARY_SCHEMA, lagged, phases_in, results
from experiments.latency.usage import cores_of
from experiments.latency.worker import phase_folder
from experiments.latency_study import Keys
from experiments.problems import BadInput, RunInvalid, relative
from experiments.progress import Display
from experiments.running.begin import begin, rerun_line
from experiments.running.stopping import Stopping
from experiments.study import LoadedStudy
from experiments.worker import Crew, Worker

__all__ = ["merge_runs", "run_study"]

_KEPT: Final = ("facts.json", "latency.hlog", "wakes.parquet", "stages.parquet", "sends.parquet")
"""Files of a phase that a folder of several runs takes over."""


def run_study(loaded: LoadedStudy, keys: Keys, out: Path, arguments: Sequence[str]) -> int:
    """Runs the study; the exit code. Progress goes to standard error, the results to standard output."""
    import sigtran

    started = time.monotonic()
    try:
        choice = sigtran.choose(keys.transport)
    except sigtran.TransportUnavailable as error:
        print(f"No transport for the signalling: {error}", file=sys.stderr)  # noqa: T201 - the command line
        return 1
    files = {"world": keys.world, "policy": keys.policy}
    files |= {f"campaign {path.stem}": path for path in keys.campaigns}
    files |= {"capture": keys.load.file} if keys.load.file else {}
    folder = begin(loaded, out, arguments, files).folder
    cores = cores_of().as_json() if keys.pin else {"apart": False, "why_not": "pin: false"}
    folder.update(cores=cores)
    job = {"study": str(loaded.path.resolve()), "overrides": list(loaded.overrides), "transport": choice.kind}
    write_json(folder.path / "job.json", job)
    said: list[str] = []
    code = 0
    with Stopping() as stopping:
        with Display() as display:
            display.note(
                f"{keys.study}: {relative(folder.path)}, seed {keys.seed}, signalling over {choice.kind}"
            )
            try:
                _phases(keys, folder.path, display)
            except RunInvalid as error:
                said.append(str(error))
            except KeyboardInterrupt as interrupt:
                said.append(stopping.reason(interrupt))
                code = 130
            except BaseException as error:
                folder.finish([f"{type(error).__name__}: {error}"], whole=False)
                raise
        stopping.closing()
        frame = _frame(keys, {"kind": choice.kind, "why": choice.why})
        closed = _close(folder, frame, said, time.monotonic() - started, rerun_line(loaded))
    return code or closed


def _phases(keys: Keys, run_dir: Path, display: Display) -> None:
    def on_event(name: str, said: Mapping[str, Any]) -> None:
        display.event(name, said)

    with Crew(on_event) as crew:
        aside, number, tries = len(list((run_dir / "aside").glob("*"))), len(phases_in(run_dir)), 0
        for left in (run_dir / "phases").glob("*"):
            if not (left / "facts.json").exists():
                shutil.rmtree(left)  # was under way when the run was broken off
        while number < keys.repeats:
            name = f"phase {number}" + (f", try {tries + 1}" if tries else "")
            log = run_dir / "logs" / f"phase-{number}.log"
            worker = crew.start(Worker(name, ["experiments.latency.worker", str(run_dir), str(number)], log))
            crew.until(partial(_ready, worker))
            worker.tell("go")
            (facts,) = crew.finish(worker)
            display.close(name)
            lag = facts["lag"]
            if aside < keys.again and lagged(lag, keys.bounds.model_dump()):
                aside, tries = aside + 1, tries + 1
                display.note(
                    f"{name}: the generator lagged (p99 {lag['lag_ms']['p99']:.1f} ms, "
                    f"{100 * lag['late_share']:.2f} % late): set aside, and again"
                )
                (run_dir / "aside").mkdir(exist_ok=True)
                phase_folder(run_dir, number).rename(run_dir / "aside" / f"{aside}-phase-{number}")
            else:
                number, tries = number + 1, 0


def _frame(keys: Keys, transport: Mapping[str, Any]) -> dict[str, Any]:
    """What of the study stands in the summary; runs in which it is the same can be added up."""
    load = keys.load.model_dump(mode="json", exclude_none=True)
    return {
        "study": keys.study,
        "kind": keys.kind,
        "title": keys.title,
        "seed": keys.seed,
        "load": load | ({"file": relative(keys.load.file)} if keys.load.file else {}),
        "bounds": keys.bounds.model_dump(mode="json") | {"min_triggers": keys.min_triggers},
        "plant": keys.plant and keys.plant.model_dump(mode="json"),
        "workers": keys.workers,
        "campaigns": [path.stem for path in keys.campaigns],
        "world": keys.world.stem,
        "again": keys.again,
        "transport": dict(transport),
    }


def _ready(worker: Worker) -> bool:
    return "ready" in worker.stages


def _close(
    folder: RunFolder,
    frame: Mapping[str, Any],
    said: list[str],
    wall_s: float,
    rerun: str,
    merged: Sequence[str] = (),
) -> int:
    """Writes summary and page, tells them; the exit code."""
    from reports.latency import screen, write_report

    if not phases_in(folder.path):
        said = said or ["no phase came to its end"]
        folder.finish(said, whole=False)
        print("\n".join(["The run is not valid:", *(f"  {reason}" for reason in said)]))  # noqa: T201
        return 3
    found, why = results(folder.path, frame["bounds"])
    broken_off = bool(said)
    said = [*said, *why]
    folder.finish(said, whole=not broken_off)
    summary = {
        "schema": SUMMARY_SCHEMA,
        **frame,
        "valid": not said,
        "invalid_reasons": said,
        "cores": folder.manifest["cores"],
        "merged": list(merged),
        "aside": _aside(folder.path),
        "results": found,
        "time": {
            "started": folder.manifest["started"],
            "ended": folder.manifest["ended"],
            "wall_s": round(wall_s, 1),
        },
        "rerun": rerun,
    }
    write_json(folder.path / "summary.json", summary)
    page = write_report(folder.path)
    sys.stdout.write(screen(folder.path) + f"\nReport: {relative(page)}\n")
    return 3 if said else 0


def _aside(run_dir: Path) -> list[dict[str, Any]]:
    """How the generator lagged in phases that were run again."""
    found = sorted((run_dir / "aside").glob("*/facts.json"), key=lambda path: path.parent.name)
    return [{"name": path.parent.name, **read_json(path)["lag"]} for path in found]


def merge_runs(run_dirs: Sequence[Path], out: Path, arguments: Sequence[str]) -> int:
    """Adds up several runs of one study, in a folder of its own with one page; the exit code.

    Raises:
        BadInput: a folder is none of a latency study, or they are not of one study on one machine.
    """
    opened = [open_run(path) for path in run_dirs]
    for place, (path, run) in enumerate(zip(run_dirs, opened, strict=True)):
        # Triggers counted twice would make the intervals too narrow.
        if any(run.manifest.get("run_id") == other.manifest.get("run_id") for other in opened[:place]):
            raise BadInput(f"{relative(path)}: the same run twice; expected different runs")
    frames = [_frame_in(path) for path in run_dirs]
    for path, run, frame in zip(run_dirs, opened, frames, strict=True):
        wrong = [key for key in frame if key not in _FREE and frame[key] != frames[0][key]]
        wrong += [] if run.manifest.get("machine") == opened[0].manifest.get("machine") else ["the machine"]
        if wrong:
            raise BadInput(
                f"{relative(path)}: {wrong[0]} differs from that of {relative(run_dirs[0])}; runs of one "
                "study under one load on one machine can be added up"
            )
    phases = [phase for path in run_dirs for phase in phases_in(path)]
    if not phases:
        raise BadInput("no phase came to its end in any of these runs")
    again = sum(frame["again"] for frame in frames)
    frame = frames[0] | {"study": f"{frames[0]['study']}-merged", "again": again}
    folder = RunFolder.create(out, frame["study"], frame["seed"], ["kairos", *arguments], {})
    names = [run.manifest.get("run_id") for run in opened]
    folder.update(kind=frame["kind"], cores=opened[0].manifest.get("cores"), runs=names)
    for number, phase in enumerate(phases):
        into = phase_folder(folder.path, number)
        into.mkdir(parents=True)
        for name in _KEPT:
            shutil.copyfile(phase / name, into / name)
        write_json(into / "facts.json", read_json(phase / "facts.json") | {"phase": number})
    for place, path in enumerate(run_dirs):
        for file in sorted((path / "aside").glob("*/facts.json")):
            into = folder.path / "aside" / f"run-{place}-{file.parent.name}"
            into.mkdir(parents=True)
            shutil.copyfile(file, into / file.name)
    wall_s = sum(read_json(path / "summary.json")["time"]["wall_s"] for path in run_dirs)
    return _close(
        folder, frame, [], wall_s, shlex.join(["kairos", *arguments]), [relative(p) for p in run_dirs]
    )


_FREE: Final = ("seed", "title", "transport", "again")
"""What may differ between runs that are added up."""


def _frame_in(run_dir: Path) -> dict[str, Any]:
    summary = read_json(run_dir / "summary.json")
    if summary.get("schema") != SUMMARY_SCHEMA:
        raise BadInput(f"{relative(run_dir)}: not a run of a latency study")
    try:
        return {name: summary[name] for name in _FRAME}
    except KeyError as error:
        raise BadInput(f"{relative(run_dir)}: summary.json lacks {error}") from None


_FRAME: Final = (
    "study", "kind", "title", "seed", "load", "bounds", "plant", "workers", "campaigns", "world", "again",
    "transport",
)  # fmt: skip
