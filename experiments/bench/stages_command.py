"""`kairos bench`: figures of each stage, as a table for people and JSON for programs.

Rates are per second of processor time of the one thread that works, best run: on a machine with other work
to do this is what repeats. The yardstick, a decoder in C, counts the same way and takes turns with us.
"""

from __future__ import annotations

import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from experiments.bench.more_stages import EXTRA, Extra, in_threads
from experiments.bench.stages import DECODED, STAGES, Job, WrongResult
from experiments.bench.workload import Sources
from experiments.folder import machine, write_json
from experiments.problems import BadInput, RunInvalid

__all__ = ["Figure", "Yardstick", "measure", "run_command", "this_machine"]

ROUNDS: Final = 5
"""Turns of a stage and the yardstick, where there is one."""
LEAST_RUNS: Final = 3
YARDSTICK_PASSES: Final = 4
"""Passes of the yardstick over the buffer in its turn; it prints the best."""
YARDSTICK_MODE: Final = "2"
"""That which writes a record for each message."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured of one stage."""

    stage: str
    n: int
    """Units a run."""
    per_s: float
    """Units per second of processor time, best run."""
    bytes_per_s: float
    workload: str
    runs: int
    threads: int = 1
    ratio: float | None = None
    """Of per_s to the yardstick's best; None without one."""
    yardstick_per_s: float | None = None
    ratios: tuple[float, ...] = ()
    """The same turn by turn: how far they lie apart tells how far to trust the ratio."""

    more: Mapping[str, float] = field(default_factory=dict)
    """Further figures of a stage that runs only when named."""
    said: str = ""
    """The same in words."""
    unit: str = "messages"
    """What is counted; where it is not messages, there are no octets of a wire."""

    def as_json(self, where: dict[str, Any]) -> dict[str, Any]:
        found = {
            "stage": self.stage,
            "unit": self.unit,
            "n": self.n,
            "per_s": round(self.per_s),
            "bytes_per_s": round(self.bytes_per_s),
            "threads": self.threads,
            "workload": self.workload,
            "machine": where,
            "runs": self.runs,
        }
        if self.ratio is not None and self.yardstick_per_s is not None:
            found |= {
                "ratio": round(self.ratio, 6),
                "ratios": [round(ratio, 6) for ratio in self.ratios],
                "yardstick_per_s": round(self.yardstick_per_s),
            }
        return found | dict(self.more)


class Yardstick:
    """A compiled decoder, run on a flat file of the same messages."""

    def __init__(self, program: Path) -> None:
        if not program.is_file():
            raise BadInput(f"--yardstick {program}: no such file; see the README for how to compile one")
        self._program = program.resolve()

    def per_s(self, flat: Path, n: int) -> float:
        """Messages per second of processor time, the best of some passes. Raises BadInput, RunInvalid."""
        command = [str(self._program), YARDSTICK_MODE, str(flat), str(YARDSTICK_PASSES)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
            said = json.loads(done.stdout)
            messages, rate = int(said["msgs"]), float(said["mps"])
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BadInput(f"--yardstick {self._program}: {error}") from None
        except (ValueError, KeyError, TypeError):
            raise BadInput(
                f"--yardstick {self._program}: JSON with msgs and mps was expected, not "
                f"{done.stdout[:80]!r} and exit status {done.returncode}"
            ) from None
        if messages != n:
            raise RunInvalid(f"the yardstick read {messages} messages of {n}")
        return rate


def measure(
    job: Job[Any, Any], seconds: float, least: int = LEAST_RUNS, clock: Clock = time.process_time
) -> tuple[float, int]:
    """The least time of a run, in seconds of `clock`, and how many runs there were; each is checked."""
    best, runs, end = float("inf"), 0, time.monotonic() + seconds
    while runs < least or time.monotonic() < end:
        state = job.ready()
        began = clock()
        result = job.run(state)
        best = min(best, clock() - began)
        job.check(result)
        runs += 1
    return best, runs


def figure(stage: str, sources: Sources, seconds: float, yardstick: Yardstick | None) -> Figure:
    """Makes one stage ready and measures it, in turns with the yardstick where that can do the same work."""
    job = STAGES[stage](sources)
    took, rivals, runs = [], [], 0
    rival_of = yardstick if job.comparable else None
    turns, least = (ROUNDS, 1) if rival_of else (1, LEAST_RUNS)
    for _ in range(turns):
        best, more = measure(job, seconds / turns, least)
        took.append(best)
        runs += more
        if rival_of:
            rivals.append(rival_of.per_s(sources.flat_file, sources.traffic.n))
    rate = job.n / min(took)
    rival = max(rivals, default=None)
    return Figure(
        stage,
        job.n,
        rate,
        job.octets / min(took),
        job.workload,
        runs,
        ratio=rate / rival if rival else None,
        yardstick_per_s=rival,
        ratios=tuple(job.n / best / other for best, other in zip(took, rivals, strict=False)),
    )


def _of_extra(stage: str, found: Extra) -> Figure:
    rate, octets = found.n / found.seconds, found.octets / found.seconds
    return Figure(
        stage,
        found.n,
        rate,
        octets,
        found.workload,
        found.runs,
        found.threads,
        more=found.more,
        said=found.said,
        unit=found.unit,
    )


def _figures(
    stages: Sequence[str], sources: Sources, seconds: float, rival: Yardstick | None, threads: int
) -> Iterator[Figure]:
    """Stage by stage; with several threads, that of those that can follow."""
    for stage in [
        stage for stage in (*STAGES, *EXTRA) if stage in stages or (not stages and stage in STAGES)
    ]:
        try:
            if stage in EXTRA:
                yield _of_extra(stage, EXTRA[stage](sources, seconds))
                continue
            yield figure(stage, sources, seconds, rival)
            if threads > 1 and stage in DECODED:
                yield _of_extra(stage, in_threads(stage, sources, seconds, threads))
        except WrongResult as error:
            raise RunInvalid(f"{stage}: {error}") from None


def run_command(
    stages: Sequence[str],
    json_file: Path | None,
    *,
    capture: Path | None,
    yardstick: Path | None,
    seconds: float,
    messages: int,
    world: Path,
    threads: int = 1,
    subscribers: int | None = None,
    campaigns: int = 100,
) -> None:
    """What `kairos bench` does with its options. Raises BadInput, and RunInvalid for a wrong result."""
    unknown = [stage for stage in stages if stage not in STAGES and stage not in EXTRA]
    if unknown:
        raise BadInput(f"{unknown[0]}: no such stage; there are {', '.join((*STAGES, *EXTRA))}")
    if capture is not None and not capture.is_file():
        raise BadInput(f"{capture}: no such file")
    rival = Yardstick(yardstick) if yardstick is not None else None
    where = this_machine()
    click.echo(f"{where['model']}, {where['cpus']} processors, Python {where['python']}")
    click.echo(_HEAD)
    figures = []
    with tempfile.TemporaryDirectory(prefix="kairos-bench-") as folder:
        sources = Sources(
            world=world,
            capture=capture,
            messages=messages,
            folder=Path(folder),
            subscribers=subscribers,
            campaigns=campaigns,
        )
        for found in _figures(stages, sources, seconds, rival, threads):
            figures.append(found)
            click.echo(_line(found))
    for said in filter(None, (found.said for found in figures)):
        click.echo(said)
    for workload in dict.fromkeys(found.workload for found in figures):
        of = ", ".join(dict.fromkeys(found.stage for found in figures if found.workload == workload))
        click.echo(f"{of}: {workload}")
    if json_file is not None:
        try:
            write_json(json_file, [found.as_json(where) for found in figures])
        except OSError as error:
            raise BadInput(f"--json {json_file}: {error.strerror}") from None


_HEAD: Final = (
    f"{'stage':12} {'a run':>10} {'of':12} {'a second':>13} {'Mbyte/s':>9} {'ns each':>9} "
    f"{'of yardstick':>13}"
)


def _line(found: Figure) -> str:
    ratio = f"{found.ratio:.3g}" if found.ratio is not None else "-"
    octets = f"{found.bytes_per_s / 1e6:,.1f}" if found.unit == "messages" else "-"
    return (
        f"{found.stage:12} {found.n:>10,} {found.unit:12} {found.per_s:>13,.0f} {octets:>9} "
        f"{1e9 / found.per_s:>9,.0f} {ratio:>13}"
    )


def this_machine() -> dict[str, Any]:
    """What a figure was got on, with the processor's name."""
    return machine() | {"model": _model(), "python": platform.python_version()}


def _model() -> str:
    """The processor's name where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
