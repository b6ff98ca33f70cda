"""Studies of kind selfcheck: groups of cases one after another, one row a case, and one answer."""

from __future__ import annotations

import csv
import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from experiments.folder import RunFolder, now, write_json
from experiments.problems import RunInvalid, relative
from experiments.progress import Display
from experiments.running.begin import begin
from experiments.running.ending import early_end, summary_of
from experiments.running.executor import Executor
from experiments.selfcheck.case import Case, within
from experiments.selfcheck.groups import GROUPS, cases_of
from experiments.selfcheck_study import Keys
from experiments.study import LoadedStudy

__all__ = ["SUMMARY_SCHEMA", "run_study"]

T = TypeVar("T")
R = TypeVar("R")

SUMMARY_SCHEMA: Final = "kairos.selfcheck/1"
DRAWN_SCHEMA: Final = "kairos.selfcheck-drawn/1"
COLUMNS: Final = ("group", "case", "tries", "value", "found", "least", "most", "inside")


@dataclass(frozen=True, slots=True)
class _Named:
    """An executor whose keys begin with a group's name, so that groups need not know each other's."""

    group: str
    executor: Executor

    def map(
        self, function: Callable[[T], R], jobs: Sequence[T], *, key: Callable[[T], str]
    ) -> Iterator[tuple[str, R]]:
        """As `Executor.map`."""
        start = f"{self.group}/"
        for name, result in self.executor.map(function, jobs, key=lambda job: start + key(job)):
            yield name.removeprefix(start), result


def run_study(loaded: LoadedStudy, keys: Keys, out: Path, arguments: Sequence[str]) -> int:
    """Runs the study; the exit code. Progress goes to standard error, the results to standard output."""
    started = time.monotonic()
    run = begin(loaded, out, arguments, {})
    folder = run.folder
    cases: list[Case] = []
    with early_end(folder.finish), Display() as display:
        display.note(f"{keys.study}: {relative(folder.path)}, seed {keys.seed}, {keys.scale}")
        for case in _cases(keys, run.kept):
            cases.append(case)
            display.note(f"{'passed' if case.passed else 'FAILED'} {case.group}: {case.name}: {case.tried}")
    reasons = [f"{case.group}: {case.name}: {_said(case)}" for case in cases if not case.passed]
    _write(folder, loaded, keys, cases, reasons, time.monotonic() - started)
    folder.finish(reasons)
    from reports.selfcheck import screen, write_report

    page = write_report(folder.path)
    sys.stdout.write(screen(folder.path) + f"\nReport: {relative(page)}\n")
    return 3 if reasons else 0


def _cases(keys: Keys, executor: Executor) -> Iterator[Case]:
    """All cases; a group that comes to no end is a case that is not passed."""
    for group in keys.chosen:
        try:
            yield from cases_of(group, keys.scale, _Named(GROUPS[group].kept or group, executor))
        except RunInvalid as error:
            yield Case(group, "came to no end", str(error), 0, "an end", {}, passed=False)


def _said(case: Case) -> str:
    if not case.found:
        return case.tried
    outside = [
        f"{what} {case.found[what]:.6g}, expected {_band(*band)}"
        for what, band in case.bands.items()
        if not within(case.found[what], band)
    ]
    return "; ".join(outside) or f"expected {case.expected}"


def _band(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "anything"
    if low is None or high is None:
        return f"at least {low:.6g}" if low is not None else f"at most {high:.6g}"
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def _write(
    folder: RunFolder, loaded: LoadedStudy, keys: Keys, cases: list[Case], reasons: list[str], wall_s: float
) -> None:
    results = {
        "scale": keys.scale,
        "passed": sum(case.passed for case in cases),
        "cases": [_plain(case) for case in cases],
    }
    summary = summary_of(folder, loaded, SUMMARY_SCHEMA, reasons, ended=now(), wall_s=wall_s, results=results)
    write_json(folder.path / "summary.json", summary)
    drawn = [_plain(case) for case in cases if GROUPS[case.group].drawn]
    write_json(folder.path / "drawn.json", {"schema": DRAWN_SCHEMA, "cases": drawn})
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for case in cases:
        for what, value in case.found.items():
            band = case.bands.get(what)
            where = ["", "", ""] if band is None else [*band, "yes" if within(value, band) else "no"]
            table.writerow([case.group, case.name, case.tries, what, value, *where])
    (folder.path / "cases.csv").write_text(text.getvalue(), encoding="utf-8")


def _plain(case: Case) -> dict[str, Any]:
    """For JSON, which has neither infinities nor NaN."""
    bands = {
        what: {"least": band[0], "most": band[1], "inside": within(case.found[what], band)}
        for what, band in case.bands.items()
    }
    found = {what: float(value) if _finite(value) else None for what, value in case.found.items()}
    return asdict(case) | {"found": found, "bands": bands}


def _finite(value: float) -> bool:
    return value - value == 0
