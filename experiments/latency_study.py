"""Studies of kind latency: how long does it take from a message on the wire to a text on its way?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from experiments.folder import page_again
from experiments.latency.shapes import SHAPES, Load
from experiments.problems import BadInput
from experiments.study import Clock, Lists, LoadedStudy, StudyName
from marketing.config import ExistingFile, Strict

if TYPE_CHECKING:
    from experiments.latency.recording import Recording

__all__ = ["Bounds", "Keys", "Plant", "check", "foretell", "report", "results", "run"]


class Bounds(Strict):
    """Past these the run is not valid (exit code 3), or a trigger counts as late."""

    late_after_ms: float = Field(default=10.0, gt=0)
    """A message sent this much after its planned time was sent late by the generator, milliseconds."""
    late_share: float = Field(default=0.01, ge=0, le=1)
    """Largest share of such messages."""
    lag_p99_ms: float = Field(default=10.0, gt=0)
    """Largest 99th percentile of the generator's lag, milliseconds."""
    trigger_late_ms: float = Field(default=1000.0, gt=0)
    """A trigger that took longer is late, milliseconds; with lost and wrong ones it is counted."""
    gap_ms: float = Field(default=20.0, gt=0)
    """The generator's loop stood still where a turn or wake-up took longer, milliseconds: marked."""


class Plant(Strict):
    """A stall made on purpose, to see whether it is measured."""

    at_s: float = Field(default=2.0, ge=0, le=3600)
    """When, seconds after the beginning of the phase."""
    platform_stall_s: float = Field(default=0.0, ge=0, le=5)
    """So long the platform's process is stopped (SIGSTOP), which the latencies must show for a valid run."""
    generator_stall_s: float = Field(default=0.0, ge=0, le=60)
    """So long the generator sleeps; this must make the run invalid."""


class Keys(Strict):
    """A study of the latency of triggers under a load that was drawn before, open loop."""

    study: StudyName
    """Name; results go to `experiments/runs/<name>/`."""
    kind: Literal["latency"]
    """latency: a platform process under a prepared schedule of signalling; corrected and raw latencies."""
    title: str = ""
    """What is asked, in one line, for the report."""
    world: ExistingFile
    """World file; large enough for the rates at the largest factor."""
    world_settings: dict[str, str | bool | int | float] = Field(default={})
    """Dotted keys of the world file laid over it, such as `subscribers: 3000`."""
    campaigns: list[ExistingFile] = Field(min_length=1)
    """Campaign files."""
    policy: ExistingFile
    """Contact policy file."""
    lists: Lists = Lists()
    load: Load
    """What is offered over time."""
    starts: Clock = "10:00"
    """Local time of day 1 at which each phase begins."""
    max_factor: float = Field(default=400.0, gt=0)
    """Most simulated seconds a real second, on average; a world too small for the rates: not valid."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Seed of the first phase; the others follow."""
    repeats: int = Field(default=1, ge=1, le=1000)
    """Phases, each with a world and a platform of its own; their histograms are added up."""
    again: int = Field(default=0, ge=0, le=100)
    """Phases in which the generator lagged are set aside and run again, so many in all; the page tells."""
    workers: int = Field(default=1, ge=1, le=64)
    """Engines of the platform that share out the subscribers."""
    pin: bool = True
    """Generator and platform are bound to different processors, where there are two."""
    fsync: bool = True
    """The disk under the ledger is timed meanwhile."""
    window_s: float = Field(default=1.0, ge=0.1, le=600)
    """Width of the windows of latencies over time, seconds."""
    min_triggers: int = Field(default=300, ge=0)
    """Fewest triggers with a measured latency, over all phases."""
    bounds: Bounds = Bounds()
    plant: Plant | None = None
    """null: no stall is planted."""
    transport: Literal["auto", "kernel", "usrsctp"] = "auto"
    """How signalling reaches the platform."""
    streams: int = Field(default=16, ge=2, le=65535)
    """SCTP streams in each direction."""
    start_s: float = Field(default=30.0, gt=0)
    """Longest wait for the platform to be ready, seconds."""

    @model_validator(mode="after")
    def _plant_fits(self) -> Keys:
        plant = self.plant
        if plant is None:
            return self
        if bool(plant.platform_stall_s) == bool(plant.generator_stall_s):
            raise ValueError("plant: expected one of platform_stall_s and generator_stall_s")
        if plant.at_s + plant.platform_stall_s + plant.generator_stall_s >= self.load.seconds:
            raise ValueError("plant: expected a stall that is over before load.seconds")
        if plant.platform_stall_s and self.load.shape != "fixed":
            raise ValueError("plant: what a stall of the platform must show is known for a fixed load only")
        return self


def check(loaded: LoadedStudy) -> None:
    """Reads all that the study names, alone and together."""
    from experiments.study_checks import campaign_problems, world_problems
    from experiments.validate import problems_of
    from marketing.campaigns import load
    from marketing.contact import load_policy

    keys = loaded.keys_of(Keys)
    problems = world_problems(loaded, keys.world, keys.world_settings)
    problems += problems_of(lambda: load_policy(keys.policy))
    for campaign in keys.campaigns:
        problems += problems_of(partial(load, campaign))
    problems += problems_of(partial(_recording, keys.load))
    if not problems:
        problems = campaign_problems(keys.campaigns, keys.policy, keys.world, keys.world_settings)
    if problems:
        raise BadInput(list(dict.fromkeys(problems)))


def foretell(loaded: LoadedStudy) -> dict[str, int | float]:
    """What it will send: it takes so long on the wall clock, whatever the machine."""
    from experiments.latency.shapes import counted

    keys = loaded.keys_of(Keys)
    said: dict[str, int | float] = {
        "phases, each with a platform of its own": keys.repeats,
        "seconds of sending, each": keys.load.seconds,
    }
    if (knots := SHAPES[keys.load.shape].knots) is not None:
        said["messages offered, each"] = counted(knots(keys.load))[1][-1]
    elif (recording := _recording(keys.load)) is not None and keys.load.factor is not None:
        said["seconds of sending, each"] = float(recording.since_us[-1]) / 1e6 / keys.load.factor
        said["messages offered, each"] = recording.messages.n
    return said


def _recording(load: Load) -> Recording | None:
    """What the load plays of a capture; None: it plays none."""
    from experiments.latency.recording import read_recording

    if load.file is None or load.factor is None:
        return None
    return read_recording(load.file, load.seconds * load.factor * 1e6)


def run(loaded: LoadedStudy, out: Path, arguments: Sequence[str]) -> int:
    """Runs it; 3 where the generator lagged, messages were lost, or a planted stall does not show."""
    from experiments.latency.running import run_study

    return run_study(loaded, loaded.keys_of(Keys), out, arguments)


def results(run_dir: Path) -> list[Path]:
    """What was drawn: all else a clock has measured."""
    return [run_dir / "schedule.json"]


def report(run_dir: Path, out: Path | None, language: str = "en") -> Path:
    """Writes the page again."""
    from reports.latency import write_report

    return page_again(write_report, run_dir, out, language)
