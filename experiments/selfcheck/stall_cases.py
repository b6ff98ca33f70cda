"""Is a stall measured? One of the platform shows in the latencies; one of the generator is refused."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from experiments.folder import read_json
from experiments.latency.stall_law import LEAST_OF_MOST, TOLERANCE
from experiments.problems import BadInput, RunInvalid
from experiments.running.executor import Executor
from experiments.selfcheck.case import Band, Case, Scale, judged
from experiments.selfcheck.command import kairos

__all__ = ["JOBS", "STUDY", "Stalled", "cases", "generator_case", "platform_case", "run_stalled"]

STUDY: Final = Path("scenarios/studies/latency.yaml")
"""Below the current folder."""
NOT_VALID: Final = 3
LATE_SHARE: Final = 0.01
"""Of messages sent late by the generator; more are not allowed in a valid run."""
_TOWN: Final = (
    "world_settings={subscribers: 2500, usage.service_calls_per_day: 40, usage.service_talk_mean_s: 5}"
)
_COMMON: Final = (_TOWN, "again=0", "fsync=false", "min_triggers=100")
_PATIENT: Final = "bounds={late_share: 1, lag_p99_ms: 100000}"
"""However busy the machine is: it is asked whether a stall is seen, not how good the machine is."""
_STRICT: Final = f"bounds={{late_share: {LATE_SHARE}, lag_p99_ms: 100000}}"


@dataclass(frozen=True, slots=True)
class Stalled:
    """A study of latency in which somebody stands still for a second."""

    who: str
    """platform or generator."""
    load: str
    at_s: float
    phases: int

    @property
    def key(self) -> str:
        """A name for good."""
        return f"{self.who}-{self.phases}"

    @property
    def settings(self) -> tuple[str, ...]:
        """Of the study."""
        plant = f"plant={{at_s: {self.at_s}, {self.who}_stall_s: 1.0}}"
        bounds = _PATIENT if self.who == "platform" else _STRICT
        return (*_COMMON, f"repeats={self.phases}", f"load={self.load}", plant, bounds)


JOBS: Final[dict[Scale, tuple[Stalled, Stalled]]] = {
    "small": (
        Stalled("platform", "{shape: fixed, seconds: 5, rate_per_s: 3000}", 1.5, 1),
        Stalled("generator", "{shape: fixed, seconds: 3, rate_per_s: 2000}", 1.0, 1),
    ),
    "full": (
        Stalled("platform", "{shape: fixed, seconds: 10, rate_per_s: 3000}", 2.0, 5),
        Stalled("generator", "{shape: fixed, seconds: 10, rate_per_s: 3000}", 2.0, 2),
    ),
}


def cases(scale: Scale, executor: Executor) -> Iterator[Case]:
    """Platform, then generator: never both at once, since each wants the machine to itself.

    Raises:
        BadInput: the study is not there.
        RunInvalid: it came to no end, as where there is no SCTP.
    """
    if not STUDY.is_file():
        raise BadInput([f"{STUDY}: no such file; expected to be in a clone of the sources"])
    platform, generator = JOBS[scale]
    for job, judge in ((platform, platform_case), (generator, generator_case)):
        ((_, found),) = executor.map(run_stalled, [job], key=lambda one: one.key)
        yield judge(job, found)


def run_stalled(job: Stalled) -> dict[str, Any]:
    """Exit code of the run, and of each phase what its stall shows and how late the generator was."""
    settings = [part for setting in job.settings for part in ("--set", setting)]
    with tempfile.TemporaryDirectory(prefix="kairos-stall-") as scratch:
        code = kairos("run", str(STUDY), "--out", scratch, *settings)
        if code not in (0, NOT_VALID):
            raise RunInvalid(f"{STUDY.name} ended with {code}")
        found = sorted(Path(scratch).glob("*/*/summary.json"))
        if not found:
            raise RunInvalid(f"{STUDY.name} came to no end")
        summary = read_json(found[0])
    phases = [
        {"stall": one["stall"], "late_share": one["lag"]["late_share"], "load": one["load_average"]}
        for one in summary["results"]["phases"]
    ]
    return {"code": code, "valid": summary["valid"], "phases": phases}


def platform_case(job: Stalled, found: dict[str, Any]) -> Case:
    """The longest latency, and the 99th percentile by the law: of the phase in which they show least well."""
    stalls = [one["stall"] for one in found["phases"] if one["stall"] is not None]
    laws = [one["p99_s"] / one["p99_law_s"] for one in stalls if one["p99_law_s"] is not None]
    longest = [one["most_s"] / one["stall_s"] for one in stalls]
    complete = len(laws) == len(found["phases"]) == job.phases
    bands: dict[str, Band] = {
        "phases": (job.phases, job.phases),
        "longest": (LEAST_OF_MOST, None),
        "p99": (1 - TOLERANCE, 1 + TOLERANCE),
    }
    nothing = float("nan")
    values = {
        "phases": len(stalls),
        "longest": min(longest) if complete else nothing,
        "p99": max(laws, key=lambda ratio: abs(ratio - 1)) if complete else nothing,
    }
    if complete:
        worst = max(stalls, key=lambda one: abs(one["p99_s"] / one["p99_law_s"] - 1))
        values |= {name: worst[name] for name in ("stall_s", "most_s", "p99_s", "p99_law_s")}
        if worst["p99_even_s"] is not None:
            values["p99_even_s"] = worst["p99_even_s"]
    tried = f"the platform is stopped for a second in each of {job.phases} phases of {_seconds(job)} s"
    return judged("stall", "platform", tried, job.phases, bands, values)


def generator_case(job: Stalled, found: dict[str, Any]) -> Case:
    """The run is refused, and for the generator's sake."""
    late = min((one["late_share"] for one in found["phases"]), default=float("nan"))
    bands: dict[str, Band] = {"exit_code": (NOT_VALID, NOT_VALID), "late_share": (LATE_SHARE, None)}
    values = {"exit_code": found["code"], "late_share": late}
    tried = f"the load generator sleeps for a second in each of {job.phases} phases of {_seconds(job)} s"
    return judged("stall", "generator", tried, job.phases, bands, values)


def _seconds(job: Stalled) -> str:
    return job.load.partition("seconds: ")[2].partition(",")[0]
