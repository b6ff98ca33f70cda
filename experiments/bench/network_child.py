"""One measurement of `kairos bench network`, in a process of its own, whose peak memory is that of the world.

python -m experiments.bench.network_child JOB       (JSON, see `Job`)
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.problems import BadInput
from experiments.worker import say, work
from sim.occasions import Draw
from sim.run import Run, build
from sim.scenario import load_world
from sim.scenario_errors import ScenarioError
from sim.sinks import Counter, Digest
from sim.workers import Alone, workers_of
from sim.world import World

__all__ = ["HOUR_US", "Job", "TimedDrawing", "peak_bytes"]

HOUR_US: Final = 3_600_000_000
WINDOW_US: Final = 10_000_000
SAY_EVERY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be measured."""

    world: str
    subscribers: int
    workers: int
    start: float
    """Hour of the first day at which it begins."""
    hours: float
    seed: int
    messages: bool
    """False: acts and visible acts alone."""
    digest: bool
    """Also SHA-256 of all that comes out; takes time, which is counted."""


class TimedDrawing(Alone):
    """Draws in this process, as a run does by itself, and knows how long it took."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.cpu_s = 0.0

    def parts(self, draw: Draw, span: tuple[int, ...]) -> list[Any]:
        """Everybody's share, one after another."""
        began = time.process_time()
        found = super().parts(draw, span)
        self.cpu_s += time.process_time() - began
        return found


def measure(arguments: list[str]) -> dict[str, Any]:
    """The worker's job."""
    job = Job(**json.loads(arguments[0]))
    try:
        scenario = load_world(job.world, {"subscribers": job.subscribers})
    except ScenarioError as error:
        raise BadInput([str(problem) for problem in error.problems]) from None
    sink = Digest() if job.digest else Counter()
    start_us, end_us = round(job.start * HOUR_US), round((job.start + job.hours) * HOUR_US)
    bare = _status_bytes("VmRSS")
    began, processor = time.perf_counter(), time.process_time()
    world = build(scenario, job.seed)
    drawn = TimedDrawing(world)
    with workers_of(world, job.workers) as processes:
        run = Run(
            world,
            sink=sink,
            tick_us=WINDOW_US,
            start_us=start_us,
            end_us=end_us,
            workers=processes or drawn,
            messages=job.messages,
        )
        found: dict[str, Any] = {
            "build_s": time.perf_counter() - began,
            "build_cpu_s": time.process_time() - processor,
        }
        drawn.cpu_s = 0.0
        found |= _lived(run, start_us, end_us, drawn)
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)  # complete: they have ended
    found["workers_cpu_s"] = children.ru_utime + children.ru_stime
    found["drawing_cpu_s"] = drawn.cpu_s if job.workers == 1 else found["workers_cpu_s"]
    found["peak_bytes"] = peak_bytes() or own.ru_maxrss * 1024
    found["held"] = {
        "the program": bare,
        "the map": _map_bytes(world),
        "the people": world.population.nbytes,
    } | found["held"]
    found["worker_peak_bytes"] = children.ru_maxrss * 1024 if job.workers > 1 else 0
    found |= {"messages": run.network.numbered, "octets": sink.octets}
    found |= {"acts": sink.act_rows, "visible": sink.visible_rows}
    if isinstance(sink, Digest):
        found["sha256"] = sink.each
    return found


def _lived(run: Run, start_us: int, end_us: int, drawn: TimedDrawing) -> dict[str, Any]:
    """Lives through the time; processor time and messages of each hour, the drawing apart."""
    began, processor, said = time.perf_counter(), time.process_time(), 0.0
    hours: list[tuple[float, int]] = []
    now_us, mark_n = start_us, 0
    mark_s, drawn_s = processor, 0.0
    held: dict[str, int] = {}
    block_end_us = start_us
    while now_us < end_us:
        now_us = run.step()
        if run.network.block_end_us != block_end_us or now_us == end_us:  # a block has just been drawn
            block_end_us = run.network.block_end_us
            now_held = {"marks of who has something when": drawn.nbytes} | run.network.held()
            held = max(held, now_held, key=lambda each: sum(each.values()))
        if now_us % HOUR_US == 0 or now_us == end_us:
            cpu_s, n = time.process_time(), run.network.numbered
            hours.append((cpu_s - mark_s - (drawn.cpu_s - drawn_s), n - mark_n))
            mark_s, mark_n, drawn_s = cpu_s, n, drawn.cpu_s
        if time.perf_counter() - said > SAY_EVERY_S or now_us == end_us:
            said = time.perf_counter()
            say("progress", t_us=now_us, start_us=start_us, end_us=end_us, messages=run.network.numbered)
    return {
        "cpu_s": time.process_time() - processor,
        "wall_s": time.perf_counter() - began,
        "hours": hours,
        "held": held,
    }


def _map_bytes(world: World) -> int:
    """Octets of the map's columns."""
    columns = (getattr(world.topology, each.name) for each in fields(world.topology))
    return sum(column.nbytes for column in columns if isinstance(column, np.ndarray))


def peak_bytes() -> int:
    """Peak resident octets of this program alone, 0: not told here; `ru_maxrss` outlives an exec."""
    return _status_bytes("VmHWM")


def _status_bytes(key: str) -> int:
    """A figure of this program's memory where it is told, else 0."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0
    for line in status.read_text(encoding="utf-8").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 0


def arguments_of(job: Job) -> list[str]:
    """The module and its arguments, as after `python -m`."""
    return ["experiments.bench.network_child", json.dumps(asdict(job))]


if __name__ == "__main__":
    sys.exit(work(measure))
