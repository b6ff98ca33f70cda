"""`kairos dry-run` and `kairos run --dry-run`: what a world or a study will come to, said before it runs.

Of a world everything comes from `dry_run_world`. Of a study, what its harness and the platform take is seen
in two short runs of its first arm, one day over memory in a world of few people; the line through both is
read off at the messages of the whole.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from experiments.dry_run_world import Estimate, Expected, expect
from experiments.problems import BadInput
from experiments.study import LoadedStudy, Study, load_study
from experiments.validate import check_study_files, kind_of
from experiments.world_files import opened_world

__all__ = ["ExpectedStudy", "dry_run_command", "expect_study"]

TRIALS: Final = (200, 1000)
"""People in the two short runs of a study."""


@dataclass(frozen=True, slots=True)
class ExpectedStudy:
    """What a study will come to."""

    study: str
    arms: tuple[str, ...]
    days: int
    messages: float
    """Of all arms together."""
    cpu_s: float
    """Processor time of all arms together, simulator, harness and platform; the live phase is not in it."""
    live_s: float
    """The live phase lasts so long on the wall clock."""
    capture_bytes: float
    world: Expected
    """Its world on day 1."""
    measured: str


def dry_run_command(
    file: Path,
    settings: Sequence[str] = (),
    *,
    seed: int | None = None,
    day: int = 1,
    as_json: bool = False,
) -> None:
    """Prints what a world or study file will come to. Raises BadInput."""
    kind = kind_of(file)
    said: Expected | ExpectedStudy
    if kind == "world":
        said = expect(opened_world(file, settings), seed=seed or 1, day=day)
    elif kind == "study":
        loaded = load_study(file, [*settings, *([f"seed={seed}"] if seed is not None else [])])
        check_study_files(loaded)
        if not isinstance(loaded.study, Study):
            raise BadInput(
                f"{file}: what a study of this kind takes is said by its own run; expected a study of kind "
                "end-to-end, or its world file"
            )
        said = expect_study(loaded)
    else:
        raise BadInput(f"{file}: a {kind} file; expected a world or a study")
    lines = [json.dumps(asdict(said), indent=1)] if as_json else _lines(said)
    print("\n".join(lines))  # noqa: T201 - the command's answer


def expect_study(loaded: LoadedStudy) -> ExpectedStudy:
    """What a study will come to; runs two short ones for that."""
    study = loaded.keys
    world = expect(opened_world(study.world), seed=study.seed)
    trials = [_trial(loaded, people) for people in TRIALS]
    (few, least_s), (many, most_s) = trials
    each_s = max(most_s - least_s, 0.0) / max(many - few, 1)
    messages = world.messages_per_day.value * study.days
    arm_s = max(most_s - many * each_s, 0.0) * study.days + messages * each_s
    hours = 0.0
    if study.capture is not None:
        hours = _hour(study.capture.to) - _hour(study.capture.from_)
    return ExpectedStudy(
        study=study.study,
        arms=tuple(study.arms),
        days=study.days,
        messages=messages * len(study.arms),
        cpu_s=arm_s * len(study.arms),
        live_s=study.live.seconds if study.live else 0.0,
        capture_bytes=world.capture_bytes_per_day * hours / 24,
        world=world,
        measured=(
            f"one day of arm {study.arms[0]} over memory with {TRIALS[0]} and {TRIALS[1]} people "
            f"({few:,} and {many:,} messages, {least_s:.1f} and {most_s:.1f} s of processor time)"
        ),
    )


def _trial(loaded: LoadedStudy, people: int) -> tuple[int, float]:
    """(messages, processor seconds) of a short run of the study's first arm."""
    study = loaded.keys
    with tempfile.TemporaryDirectory(prefix="kairos-dry-run-") as folder:
        few = yaml.safe_load(study.world.read_text(encoding="utf-8")) | {"subscribers": people}
        network = few.get("network")
        if isinstance(network, dict) and network.get("cell_list"):
            network["cell_list"] = str((study.world.parent / network["cell_list"]).resolve())
        small = Path(folder) / "world.yaml"
        small.write_text(yaml.safe_dump(few, allow_unicode=True), encoding="utf-8")
        keys = [
            *loaded.overrides, f"world={small}", "days=1", "live=null", "capture=null", "transport=memory",
            f"arms=[{study.arms[0]}]", "replays=200",
        ]  # fmt: skip
        command = [sys.executable, "-m", "experiments.cli", "run", str(loaded.path), "--out", folder]
        command += [part for key in keys for part in ("--set", key)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        summaries = list(Path(folder).glob("*/*/summary.json"))
        if not summaries:
            raise BadInput(f"{loaded.path}: a short run of it failed: {done.stderr.strip()[-400:]}")
        generated = json.loads(summaries[0].read_text(encoding="utf-8"))["signalling"]["generated"]
    return int(generated), used_s


def _hour(text: str) -> float:
    return int(text[:2]) + int(text[3:]) / 60


def _lines(said: Expected | ExpectedStudy) -> list[str]:
    return _world_lines(said) if isinstance(said, Expected) else _study_lines(said)


def _row(name: str, value: str) -> str:
    return f"  {name:<34} {value}"


def _figure(value: float) -> str:
    """Three places are all that a sample knows."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _estimate(estimate: Estimate) -> str:
    if not estimate.plus_minus:
        return _figure(estimate.value)
    return f"{_figure(estimate.value)} +- {_figure(estimate.plus_minus)}"


def _octets(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} TiB"


def _world_lines(e: Expected) -> list[str]:
    memory = "not to be seen here" if e.memory_mib is None else f"{e.memory_mib:,.0f} MiB above the program"
    each = "" if e.bytes_per_subscriber is None else f", {e.bytes_per_subscriber:.0f} octets a subscriber"
    lines = [
        f"World {e.world}, day {e.day}, seed {e.seed}",
        _row("subscribers", f"{e.subscribers:,}"),
        _row("cells, areas, BSCs, MSCs", f"{e.cells:,}, {e.location_areas}, {e.bscs}, {e.mscs}"),
        _row("traffic channels", f"{e.traffic_channels:,}"),
        f"Busy hour ({e.busy_hour:02d}:00)",
        _row("call attempts (BHCA)", _estimate(e.busy_hour_call_attempts)),
        _row("traffic, Erlang", _estimate(e.busy_hour_erl)),
        _row("a subscriber, milli-Erlang", f"{e.merl_per_subscriber:.1f}"),
        f"  {'cells by kind':<16}{'cells':>8}{'channels':>10}{'Erlang a cell':>15}{'blocking, Erlang B':>20}",
    ]
    lines += [
        f"  {g.kind:<16}{g.cells:>8,}{g.channels:>10.1f}{g.load_erl:>15.2f}{100 * g.blocking:>18.2f} %"
        for g in e.groups
    ]
    lines += ["A day", *(_row(name, _estimate(figure)) for name, figure in e.per_day.items())]
    lines += [
        _row("messages", _estimate(e.messages_per_day)),
        _row("messages a second, busiest hour", _figure(e.busiest_messages_per_s)),
        _row("octets in a capture", _octets(e.capture_bytes_per_day)),
        "On this machine",
        _row("to build it, processor time", f"{e.build_s:.3g} s"),
        _row("a day without a platform", f"{e.cpu_s_per_day:.3g} s of one processor"),
        _row("memory", memory + each),
        f"From {e.measured}. +- is half of a 95 % interval.",
    ]
    return lines


def _study_lines(e: ExpectedStudy) -> list[str]:
    lines: list[Any] = [
        f"Study {e.study}: arms {', '.join(e.arms)}, {e.days} days",
        _row("messages, all arms", _figure(e.messages)),
        _row("all arms, processor time", f"{e.cpu_s:.3g} s"),
        _row("live phase, wall clock", f"{e.live_s:.3g} s" if e.live_s else "none"),
        _row("capture", _octets(e.capture_bytes) if e.capture_bytes else "none"),
        f"From {e.measured}. Two arms run side by side; over SCTP they take more.",
        "",
        *_world_lines(e.world),
    ]
    return lines
