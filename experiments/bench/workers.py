"""`kairos bench workers`: one engine and several that share out the subscribers, in turns over one busy hour.

First both decide the whole hour, and their decisions are compared. Then they are measured in turns: by the
clock on the wall, as that is what workers are for, and by the processors: where others use the machine too,
the first says little, and the second what would come of it.
"""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from experiments.bench.engine import BATCH, EngineBench
from experiments.folder import machine
from experiments.problems import RunInvalid
from marketing.behaviours import BehaviourBatch
from marketing.engine import Decision
from marketing.profiles import Profiles
from marketing.workers import DividedHost, EngineHost, LocalHost, Settings

__all__ = ["Pass", "Ratios", "run_command"]


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the behaviours."""

    workers: int
    wall_s: float
    main_cpu_s: float
    """Of the process that hands out and gathers; with one worker it is the engine's own."""
    worker_cpu_s: tuple[float, ...]
    decisions: int
    load: float
    """Processes that wanted to run, a minute's mean (getloadavg) at the end."""

    @property
    def longest_cpu_s(self) -> float:
        """What the pass would take where every process has a processor to itself."""
        return max(self.main_cpu_s, *self.worker_cpu_s, 0.0)

    @property
    def shared_cpu_s(self) -> float:
        """What it would take at least on as many processors as there are workers, nobody else being there."""
        return max(self.longest_cpu_s, (self.main_cpu_s + sum(self.worker_cpu_s)) / self.workers)


@dataclass(frozen=True, slots=True)
class Ratios:
    """How many times as fast several are, each from the best pass of one and of several."""

    wall: float
    shared_cpu: float
    """By processor time, on as many processors as workers."""
    longest_cpu: float
    """By processor time, on one more: the process that hands out has one too."""

    @classmethod
    def of(cls, passes: list[Pass], workers: int) -> Ratios:
        """Of passes of one and of so many."""

        def ratio(time_of: Callable[[Pass], float]) -> float:
            best = {n: min(time_of(p) for p in passes if p.workers == n) for n in (1, workers)}
            return best[1] / best[workers]

        return cls(
            ratio(lambda p: p.wall_s), ratio(lambda p: p.shared_cpu_s), ratio(lambda p: p.longest_cpu_s)
        )


Take = Callable[[Any], None]


def _alone(host: EngineHost, batch: BehaviourBatch, take: Take) -> Pass:
    n = 0
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for start in range(0, len(batch), BATCH):
        decisions = host.on_batch(batch[start : start + BATCH], 0)
        n += len(decisions)
        take(decisions)
        host.take_derived()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return Pass(1, wall_s, cpu_s, (), n, os.getloadavg()[0])


def _divided(host: DividedHost, batch: BehaviourBatch, take: Take) -> Pass:
    """The next batch is handed out before the last one's decisions are gathered."""
    n = 0
    before = [one.cpu_s for one in host.figures()]
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for start in range(0, len(batch), BATCH):
        host.begin(batch[start : start + BATCH], 0)
        last = start + BATCH >= len(batch)
        decisions = host.end(under_way=0 if last else 1)
        n += len(decisions)
        take(decisions)
        host.take_derived()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    spent = [one.cpu_s - was for one, was in zip(host.figures(), before, strict=True)]
    return Pass(len(spent), wall_s, cpu_s, tuple(spent), n, os.getloadavg()[0])


def _nothing(_decisions: Any) -> None:
    """What is measured is the engine; whoever makes decisions true is elsewhere."""


@dataclass(frozen=True, slots=True)
class Work:
    """An hour, and what makes engines for it."""

    batch: BehaviourBatch
    profiles: Profiles
    settings: Settings

    def once(self, workers: int, take: Take = _nothing) -> Pass:
        """By engines that know nobody yet; the garbage of what came before is collected first."""
        gc.collect()
        if workers == 1:
            return _alone(LocalHost(self.settings.engine(self.profiles)), self.batch, take)
        host = DividedHost(self.profiles, self.settings, workers)
        try:
            return _divided(host, self.batch, take)
        finally:
            host.close()


def _said(work: Work, workers: int) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []

    def take(decisions: list[Decision]) -> None:
        for d in decisions:
            t = d.trigger
            found.append((d.t_us, t.campaign, t.imsi, t.t_us, t.corr, d.action, d.reason, d.held_until_us))

    work.once(workers, take)
    return sorted(found)


def run_command(
    world: Path, subscribers: int | None, campaigns: int, workers: int, turns: int, json_file: Path | None
) -> None:
    """Compares, measures in turns, and says the best.

    Raises:
        RunInvalid: they decide differently.
    """
    bench = EngineBench(world, subscribers, campaigns)
    batch, profiles, places, terminals = bench.inputs()
    state = bench.state(profiles, places, terminals)
    settings = Settings(state.places, state.campaigns, state.policy, terminals, state.features.silence_us)
    del state
    work = Work(batch, profiles, settings)
    if _said(work, workers) != (expected := _said(work, 1)):
        raise RunInvalid(f"{workers} workers decide otherwise than one engine")
    click.echo(f"{len(batch)} behaviours, {len(expected)} decisions: the same of one and of {workers}")
    del expected
    passes: list[Pass] = []
    for _ in range(turns):
        for n in (1, workers):
            passes.append(work.once(n))
            click.echo(f"{n:3} {_line(passes[-1])}")
    ratios = Ratios.of(passes, workers)
    click.echo(
        f"best of {turns}: {ratios.wall:.2f} times as fast by the wall clock; by processor time "
        f"{ratios.shared_cpu:.2f} on {workers} processors, {ratios.longest_cpu:.2f} on {workers + 1}"
    )
    if json_file is not None:
        values = {"behaviours": len(batch), "machine": machine(), "passes": [asdict(p) for p in passes]}
        json_file.write_text(json.dumps(values | {"ratios": asdict(ratios)}, indent=2) + "\n")


def _line(one: Pass) -> str:
    spent = " + ".join(f"{s:.2f}" for s in one.worker_cpu_s)
    theirs = f", workers {spent} s" if spent else ""
    return f"{one.wall_s:.2f} s; processor {one.main_cpu_s:.2f} s{theirs}; load {one.load:.1f}"
