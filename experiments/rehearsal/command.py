"""`kairos dry-run` and `kairos run --dry-run`: what a world or a study will come to, said before it runs.

Of a world everything comes from `dry_run_world`. A study says by its kind how often it lives through which
world for how many days (`Plan`); what its harness takes is seen in short runs of it, with few people and few
days, and read off at the days and messages of the whole.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from experiments.problems import BadInput
from experiments.progress import Doing, Tell, untold
from experiments.rehearsal.world import (
    MEMORY_RANGE,
    MEMORY_SAMPLE,
    TIME_RANGE,
    Estimate,
    Expected,
    about,
    expect,
    fewer,
    span_messages,
)
from experiments.study import LoadedStudy, Study, load_study
from experiments.study_kinds import Plan, kind_of_study
from experiments.validate import check_study_files, kind_of
from experiments.world_files import opened_world
from sim.scenario import load_world

__all__ = ["ExpectedStudy", "Trial", "dry_run_command", "expect_study", "extrapolated"]

TRIALS: Final = (200, 1000)
"""People in the short runs of a study."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A short run."""

    days: int
    lives: int
    messages: int
    cpu_s: float
    peak_mib: float
    """Of the largest of its processes."""
    people: int


@dataclass(frozen=True, slots=True)
class ExpectedStudy:
    """What a study will come to."""

    study: str
    kind: str
    lives: int
    """How often it lives through its world: arms, populations, seeds."""
    days: int
    messages: Estimate
    """Of all lives together."""
    cpu_s: float
    """Processor time of all its processes together; a live phase is not in it."""
    cpu_range_s: tuple[float, float]
    wall_range_s: tuple[float, float]
    """On this machine, if nobody else uses it; the live phase is in it."""
    peak_range_mib: tuple[float, float] | None
    """Memory of the largest of its processes."""
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
        scenario = opened_world(file, settings)
        with Doing() as tell:
            said = expect(scenario, seed=1 if seed is None else seed, day=day, tell=tell)
    elif kind == "study":
        loaded = load_study(file, [*settings, *([f"seed={seed}"] if seed is not None else [])])
        check_study_files(loaded)
        foretell = (
            None
            if isinstance(loaded.study, Study)
            else getattr(kind_of_study(loaded.study), "foretell", None)
        )
        if foretell is not None:
            _tell_tries(loaded, foretell(loaded), as_json)
            return
        with Doing() as tell:
            said = expect_study(loaded, tell)
    else:
        raise BadInput(f"{file}: a {kind} file; expected a world or a study")
    lines = [json.dumps(asdict(said), indent=1)] if as_json else _lines(said)
    print("\n".join(lines))  # noqa: T201 - the command's answer


def _tell_tries(loaded: LoadedStudy, tries: Mapping[str, float], as_json: bool) -> None:
    """Of a study that says how often it tries what."""
    name, kind = (str(getattr(loaded.study, key)) for key in ("study", "kind"))
    if as_json:
        print(json.dumps({"study": name, "kind": kind, "tries": dict(tries)}, indent=1))  # noqa: T201 - the command's answer
        return
    rows = [f"  {_figure(count):>8} {what}" for what, count in tries.items()]
    print("\n".join([f"Study {name}, {kind}, tries", *rows]))  # noqa: T201 - the command's answer


def plan_of(loaded: LoadedStudy) -> Plan:
    """How a study lives through its world. Raises BadInput for a kind that does not tell."""
    if isinstance(loaded.study, Study):
        return _end_to_end(loaded.study)
    plan = getattr(kind_of_study(loaded.study), "plan", None)
    if plan is None:
        raise BadInput(f"{loaded.path}: studies of this kind do not tell what they will come to")
    found = plan(loaded)
    assert isinstance(found, Plan)
    return found


def _end_to_end(study: Study) -> Plan:
    live = None if study.live is None else study.live.seconds
    return Plan(
        world=study.world,
        world_settings={},
        seed=study.seed,
        days=study.days,
        lives=len(study.arms),
        trial=("live=null", "capture=null", "transport=memory", "replays=200"),
        trial_days=(1, 2),
        trial_lives=len(study.arms),
        people="",
        messages=("signalling", "generated"),
        side_by_side=2,
        live_s=live or 0.0,
    )


def expect_study(loaded: LoadedStudy, tell: Tell = untold) -> ExpectedStudy:
    """What a study will come to; runs short ones for that."""
    plan = plan_of(loaded)
    scenario = load_world(plan.world, dict(plan.world_settings))
    world = expect(scenario, seed=plan.seed, tell=tell)
    few, most = (min(people, scenario.subscribers) for people in TRIALS)
    short, *longer = plan.trial_days
    trials = []
    for people, days in ((few, short), (most, short), *((few, days) for days in longer)):
        tell(f"a short run of {people} people and {days} d")
        trials.append(_trial(loaded, plan, people, days))
    tell("messages of the whole")
    small = fewer(scenario, most)
    plain = span_messages(small, plan.seed, trials[1].days).value * trials[1].lives
    whole = span_messages(scenario, plan.seed, plan.days)
    # What the platform and other populations add to the world's own messages.
    times = plan.lives * (trials[1].messages / plain if plain else 1.0)
    messages = Estimate(whole.value * times, whole.plus_minus * times)
    cpu_s = extrapolated(trials, plan.days, plan.lives, messages.value)
    cpus = min(plan.side_by_side, os.cpu_count() or 1)
    low, high = about(cpu_s, TIME_RANGE)
    hours = 0.0
    if isinstance(loaded.study, Study) and loaded.study.capture is not None:
        hours = _hour(loaded.study.capture.to) - _hour(loaded.study.capture.from_)
    peak = None
    if trials[0].peak_mib:
        each = max(trials[1].peak_mib - trials[0].peak_mib, 0.0) / max(most - few, 1)
        times_longer = plan.days / trials[0].days if plan.keeps_days else 1.0
        people_days = scenario.subscribers * times_longer - few
        peak = about(trials[0].peak_mib + each * people_days, MEMORY_RANGE)
    return ExpectedStudy(
        study=str(loaded.study.study),  # type: ignore[attr-defined]  # every kind has a name
        kind=str(loaded.study.kind),  # type: ignore[attr-defined]
        lives=plan.lives,
        days=plan.days,
        messages=messages,
        cpu_s=cpu_s,
        cpu_range_s=(low, high),
        wall_range_s=(low / cpus + plan.live_s, high + plan.live_s),
        peak_range_mib=peak,
        live_s=plan.live_s,
        capture_bytes=world.capture_bytes_per_day * hours / 24,
        world=world,
        measured="short runs of it: " + ", ".join(
            f"{t.people} people {t.days} d ({t.messages:,} messages, {t.cpu_s:.1f} s of processor time)"
            for t in trials
        ),
    )  # fmt: skip


def extrapolated(trials: Sequence[Trial], days: int, lives: int, messages: float) -> float:
    """Processor time of the whole: a message, a lived day, and once, as far as the trials tell them apart."""
    few, most = trials[:2]
    each_s = max(most.cpu_s - few.cpu_s, 0.0) / max(most.messages - few.messages, 1)
    once_s, day_s = 0.0, max(few.cpu_s - few.messages * each_s, 0.0) / few.days / few.lives
    if len(trials) > 2:
        longer = trials[2]
        more_s = longer.cpu_s - few.cpu_s - (longer.messages - few.messages) * each_s
        rest_s = day_s * few.days * few.lives
        day_s = min(max(more_s, 0.0) / ((longer.days - few.days) * few.lives), day_s)
        once_s = (rest_s - day_s * few.days * few.lives) / few.lives
    return messages * each_s + lives * (days * day_s + once_s)


def _trial(loaded: LoadedStudy, plan: Plan, people: int, days: int) -> Trial:
    """A short run of the study."""
    with tempfile.TemporaryDirectory(prefix="kairos-dry-run-") as folder:
        keys = [*loaded.overrides, *plan.trial, f"days={days}"]
        keys.append(
            f"{plan.people}={people}" if plan.people else f"world={_small(plan.world, people, folder)}"
        )
        command = [sys.executable, "-m", "experiments.cli", "run", str(loaded.path), "--out", folder]
        command += [part for key in keys for part in ("--set", key)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = partial(subprocess.run, capture_output=True, text=True, check=False)
        # In a process between, whose children's peak memory is that of this run alone.
        done = run([sys.executable, "-c", _BETWEEN, *command])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        summaries = list(Path(folder).glob("*/*/summary.json"))
        if not summaries:
            raise BadInput(f"{loaded.path}: a short run of it failed: {done.stderr.strip()[-400:]}")
        found: Any = json.loads(summaries[0].read_text(encoding="utf-8"))
        for key in plan.messages:
            found = found[key]
        peak = done.stdout.rsplit("peak ", 1)[-1].strip()
    return Trial(
        days, plan.trial_lives, int(found), used_s, int(peak) / 1024 if peak.isdigit() else 0.0, people
    )


_BETWEEN: Final = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def _small(world: Path, people: int, folder: str) -> Path:
    """The world file with few people."""
    few = yaml.safe_load(world.read_text(encoding="utf-8"))
    for event in few.get("events", []):
        event["visitors"] = max(1, event["visitors"] * people // few["subscribers"])
    few["subscribers"] = people
    network = few.get("network")
    if isinstance(network, dict) and network.get("cell_list"):
        network["cell_list"] = str((world.parent / network["cell_list"]).resolve())
    small = Path(folder) / "world.yaml"
    small.write_text(yaml.safe_dump(few, allow_unicode=True), encoding="utf-8")
    return small


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


def _range(within: tuple[float, float]) -> str:
    return f"{_figure(within[0])} to {_figure(within[1])}"


def _octets(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} TiB"


def _world_lines(e: Expected) -> list[str]:
    memory = "not to be seen here" if e.memory_range_mib is None else f"{_range(e.memory_range_mib)} MiB"
    each = ""
    if e.bytes_per_subscriber is not None and e.subscribers >= MEMORY_SAMPLE:  # of few, the program is all
        each = f", {e.bytes_per_subscriber:.0f} octets a subscriber"
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
        _row("a day without a platform", f"{_range(e.cpu_range_s)} s of one processor"),
        _row("memory", memory + each),
        f"From {e.measured}. +- is half of a 95 % interval.",
    ]
    return lines


def _study_lines(e: ExpectedStudy) -> list[str]:
    peak = "not to be seen here" if e.peak_range_mib is None else f"{_range(e.peak_range_mib)} MiB"
    lines: list[Any] = [
        f"Study {e.study}, {e.kind}: lives {e.lives} times through {e.days} day{'s' * (e.days != 1)}",
        _row("messages, all together", _estimate(e.messages)),
        _row("processor time, all together", f"{_range(e.cpu_range_s)} s"),
        _row("on the wall clock", f"{_range(e.wall_range_s)} s"),
        _row("memory of its largest process", peak),
        _row("live phase, wall clock", f"{e.live_s:.3g} s" if e.live_s else "none"),
        _row("capture", _octets(e.capture_bytes) if e.capture_bytes else "none"),
        f"From {e.measured}. Over SCTP arms take more.",
        "",
        *_world_lines(e.world),
    ]
    return lines
