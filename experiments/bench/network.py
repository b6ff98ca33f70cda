"""`kairos bench network`: how fast, and in how much memory, a network of so many people lives.

A world's real mix of procedures in windows of ten seconds, once with messages and once
without. Processor time counts the drawing of what people mean to do, in whatever process that was done.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from experiments.bench.network_child import Job, arguments_of
from experiments.bench.stages_command import this_machine
from experiments.folder import write_json
from experiments.problems import BadInput, RunInvalid, relative
from experiments.progress import Display
from experiments.worker import Crew, Worker

__all__ = ["figures", "lines_of", "run_command"]

BUILD_S: Final = 60.0
BYTES: Final = 400.0
DAYS_PER_S: Final = {"network": 600.0, "network-acts": 5000.0}
MESSAGES_PER_S: Final = {100_000: 250_000.0, 1_000_000: 500_000.0}
"""What is wanted at a size, on one processor, the drawing counted."""
BEYOND: Final = "passing columns of drawing, and the allocator's rest"


def figures(job: Job, found: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of one measurement by their names in JSON."""
    days = job.subscribers * job.hours / 24
    cpu_s = found["cpu_s"] + found["workers_cpu_s"]
    settling_s, busiest = max(found["hours"], key=lambda hour: hour[1])
    return {
        "stage": "network" if job.messages else "network-acts",
        "n": found["messages"],
        "per_s": round(found["messages"] / cpu_s),
        "bytes_per_s": round(found["octets"] / cpu_s),
        "threads": 1,
        "runs": 1,
        "workload": f"{relative(Path(job.world))}, {job.subscribers} subscribers, {job.hours:g} hours from "
        f"{job.start:g} o'clock, windows of 10 s, seed {job.seed}",
        "subscribers": job.subscribers,
        "workers": job.workers,
        "start": job.start,
        "hours": job.hours,
        "messages_per_subscriber_day": round(found["messages"] / days, 2),
        "subscriber_days_per_cpu_s": round(days / cpu_s, 1),
        "build_s": round(found["build_s"], 3),
        "build_cpu_s": round(found["build_cpu_s"], 3),
        "wall_s": round(found["wall_s"], 3),
        "cpu_s": round(cpu_s, 3),
        "settling_cpu_s": round(found["cpu_s"] - (found["drawing_cpu_s"] if job.workers == 1 else 0.0), 3),
        "drawing_cpu_s": round(found["drawing_cpu_s"], 3),
        "per_wall_s": round(found["messages"] / found["wall_s"]),
        "busy_hour_n": busiest,
        "busy_hour_settled_per_s": round(busiest / settling_s),
        "peak_bytes": found["peak_bytes"],
        "worker_peak_bytes": found["worker_peak_bytes"],
        "bytes_per_subscriber": round(found["peak_bytes"] / job.subscribers, 1),
        "held": held_of(found["held"], found["peak_bytes"]),
        "acts": found["acts"],
        "visible": found["visible"],
    } | ({"sha256": found["sha256"]} if "sha256" in found else {})


def held_of(held: Mapping[str, int], peak_bytes: int) -> dict[str, int]:
    """Octets by holder when the network held most, the greatest first; and what the peak has beyond."""
    found = dict(sorted(((name, n) for name, n in held.items() if n), key=lambda each: -each[1]))
    return found | {BEYOND: peak_bytes - sum(found.values())}


def lines_of(one: Mapping[str, Any]) -> list[str]:
    """The same for people, what is wanted beside what was found."""
    rows: list[tuple[str, str, str]] = []

    def add(name: str, value: float, form: str, wanted: float | None = None, least: bool = True) -> None:
        said = ""
        if wanted is not None:
            kept = value >= wanted if least else value <= wanted
            said = f"{'at least' if least else 'at most'} {wanted:,.0f}: {'kept' if kept else 'MISSED'}"
        rows.append((name, format(value, form), said))

    encoded, at = one["stage"] == "network", one["subscribers"]
    add("built in, s", one["build_s"], ",.1f", BUILD_S if at == 1_000_000 else None, least=False)
    add("peak memory, octets a subscriber", one["bytes_per_subscriber"], ",.0f",
        BYTES if at == 1_000_000 and one["workers"] == 1 else None, least=False)  # fmt: skip
    if one["workers"] > 1:
        add("peak memory of the largest worker, Mbyte", one["worker_peak_bytes"] / 1e6, ",.0f")
    add("messages" if encoded else "messages that would have been", one["n"], ",d")
    add("messages per subscriber and day", one["messages_per_subscriber_day"], ",.1f")
    add("processor time, s", one["cpu_s"], ",.1f")
    add("  of which drawing", one["drawing_cpu_s"], ",.1f")
    add(
        "messages a second of processor time", one["per_s"], ",d", MESSAGES_PER_S.get(at) if encoded else None
    )
    add("  settled and encoded in the busiest hour" if encoded else "  settled in the busiest hour",
        one["busy_hour_settled_per_s"], ",d")  # fmt: skip
    add("messages a second by the clock", one["per_wall_s"], ",d")
    days = DAYS_PER_S[one["stage"]] if at == 100_000 else None
    add("subscriber-days a second of processor time", one["subscriber_days_per_cpu_s"], ",.0f", days)
    title = "with messages" if encoded else "without messages (acts and visible acts only)"
    return [title, *(f"  {name:44} {value:>14}  {said}".rstrip() for name, value, said in rows)]


def run_command(
    *,
    world: Path,
    subscribers: int,
    workers: int,
    start: float,
    hours: float,
    seed: int,
    digest: bool,
    json_file: Path | None,
) -> None:
    """What the command does with its options. Raises BadInput, and RunInvalid where the two runs disagree."""
    if not world.is_file():
        raise BadInput(f"{world}: no such file; worlds are in scenarios/worlds/ of the repository")
    where = this_machine()
    click.echo(f"{where['model']}, {where['cpus']} processors, Python {where['python']}")
    job = Job(str(world), subscribers, workers, start, hours, seed, messages=True, digest=digest)
    found = []
    with tempfile.TemporaryDirectory(prefix="kairos-bench-") as folder, Display() as display:
        for one in (job, replace(job, messages=False)):
            name = "network" if one.messages else "acts only"
            with Crew(display.event) as crew:
                worker = crew.start(Worker(name, arguments_of(one), Path(folder) / "log"))
                [result] = crew.finish(worker)
            display.close(name)
            found.append(figures(one, result))
    click.echo(found[0]["workload"] + f", {workers} worker{'s' * (workers > 1)}")
    for one_found in found:
        for line in lines_of(one_found):
            click.echo(line)
    click.echo("who holds the peak memory, octets a subscriber")
    for name, octets in found[0]["held"].items():
        if octets >= subscribers / 2:
            click.echo(f"  {name:54} {octets / subscribers:>6,.0f}")
    for name, digest_of in found[0].get("sha256", {}).items():
        click.echo(f"sha256 of {name:9} {digest_of}")
    for key in ("acts", "visible", "n"):
        if found[0][key] != found[1][key]:
            raise RunInvalid(f"{key}: {found[0][key]} with messages, {found[1][key]} without")
    if json_file is not None:
        try:
            write_json(json_file, [one_found | {"machine": where} for one_found in found])
        except OSError as error:
            raise BadInput(f"--json {json_file}: {error.strerror}") from None
