"""Studies of kind end-to-end: arms in lockstep, a live phase, the audit, the comparison, one report.

Control and precise arm run side by side, each with a platform of its own; the blanket arm follows, since it
repeats the precise arm's pattern of contacts on people drawn at random. The live phase has the machine to
itself.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from experiments.folder import read_json, write_json
from experiments.outcome import Outcome
from experiments.problems import BadInput, RunInvalid, relative
from experiments.progress import Display
from experiments.running.begin import begin, rerun_line
from experiments.running.stopping import Stopping
from experiments.study import LoadedStudy
from experiments.worker import Crew, Worker
from reports.records import DETERMINISTIC

__all__ = ["results", "run_study"]

BUDGET: Final = {"arms": 70.0, "live": 20.0, "start and report": 20.0}
"""What each part of the demo may take on two cores, seconds; printed as used."""


class _Stopwatch:
    """Wall time by part."""

    def __init__(self) -> None:
        self.used: dict[str, float] = dict.fromkeys(BUDGET, 0.0)
        self._part = "start and report"
        self._since = time.monotonic()

    def part(self, name: str) -> None:
        now = time.monotonic()
        self.used[self._part] += now - self._since
        self._part, self._since = name, now

    def budget(self, with_allowance: bool) -> list[dict[str, Any]]:
        self.part(self._part)
        return [
            {"phase": name, "allowed_s": BUDGET[name] if with_allowance else None, "used_s": round(used, 1)}
            for name, used in self.used.items()
        ]


def run_study(loaded: LoadedStudy, out: Path, arguments: Sequence[str]) -> int:
    """Runs the study; the exit code. Progress goes to standard error, the results to standard output."""
    import sigtran

    try:
        choice = sigtran.choose(loaded.keys.transport)
    except sigtran.TransportUnavailable as error:
        print(f"No transport for the signalling: {error}", file=sys.stderr)  # noqa: T201 - the command line
        return 1
    watch = _Stopwatch()
    study = loaded.keys
    files = {"world": study.world, "policy": study.policy}
    files |= {f"campaign {path.stem}": path for path in study.campaigns}
    files |= {"live world": study.live.world} if study.live else {}
    files |= {"segments": study.segments} if study.segments else {}
    folder = begin(loaded, out, arguments, files).folder
    job = {"study": str(loaded.path.resolve()), "overrides": list(loaded.overrides), "transport": choice.kind}
    write_json(folder.path / "job.json", job)
    outcome = Outcome(study, folder.path, {"kind": choice.kind, "why": choice.why}, rerun_line(loaded))
    code = 0
    with Stopping() as stopping, Display() as display:
        display.note(
            f"{study.study}: {relative(folder.path)}, seed {study.seed}, signalling over {choice.kind}"
        )
        try:
            _phases(study, folder.path, outcome, display, watch)
        except RunInvalid as error:
            outcome.reasons.append(str(error))
        except KeyboardInterrupt as interrupt:
            outcome.reasons.append(stopping.reason(interrupt))
            code = 130
        except BadInput:
            folder.finish(["the input was refused after the start"], whole=False)
            raise
        except BaseException as error:
            folder.finish([f"{type(error).__name__}: {error}"], whole=False)
            raise
        stopping.closing()
        watch.part("start and report")
        text = outcome.close(folder, lambda: watch.budget(with_allowance=True))
    sys.stdout.write(text + "\n")
    return code or (3 if outcome.reasons else 0)


def results(run_dir: Path) -> list[Path]:
    """What the arms leave: they run in lockstep. The live phase goes by the clock."""
    found = [
        run_dir / "arms" / arm / f"{name}.parquet"
        for arm in read_json(run_dir / "details.json")["planned"]["arms"]
        for name in (*DETERMINISTIC, "outcomes")
    ]
    capture = run_dir / "capture.pcapng"
    return [*found, capture] if capture.exists() else found


def _phases(study: Any, run_dir: Path, outcome: Outcome, display: Display, watch: _Stopwatch) -> None:
    def on_event(name: str, said: Mapping[str, Any]) -> None:
        display.event(name, said)

    with Crew(on_event) as crew:

        def start(name: str, *arguments: str) -> Worker:
            return crew.start(Worker(name, [*arguments], run_dir / "logs" / f"{name}.log"))

        def finish(*workers: Worker) -> None:
            for worker, result in zip(workers, crew.finish(*workers), strict=True):
                outcome.add(worker.name, result)
                display.close(worker.name)

        watch.part("arms")
        outcome.recover()
        for part in [*(f"arms/{arm}" for arm in study.arms if not outcome.has(arm)), "live"]:
            shutil.rmtree(run_dir / part, ignore_errors=True)  # of a run that was broken off
        arms = {
            arm: start(arm, "experiments.arm", str(run_dir), arm)
            for arm in sorted(study.arms, reverse=True)
            if not outcome.has(arm)
        }
        if "blanket" in arms and "precise" not in arms:  # it came to its end before the run was broken off
            crew.until(lambda: "ready" in arms["blanket"].stages)
            arms["blanket"].tell("go")
        elif "blanket" in arms:
            # It has prepared itself meanwhile; all it needs of the precise arm is who was contacted when.
            crew.until(lambda: "triggers" in arms["precise"].stages and "ready" in arms["blanket"].stages)
            arms["blanket"].tell("go")
        live = start("live", "experiments.live_worker", str(run_dir)) if study.live is not None else None
        finish(*arms.values())
        watch.part("start and report")
        if live is not None:
            crew.until(lambda: "ready" in live.stages)
            live.tell("go")
            crew.until(lambda: "sending" in live.stages)
            watch.part("live")
            crew.until(lambda: "sent" in live.stages)
            watch.part("start and report")
            finish(live)
