"""One phase of a latency study in a process of its own: `python -m experiments.latency.worker RUN_DIR PHASE`.

Draws the schedule, waits for the word, sends, and leaves `phases/PHASE/`: its facts, its histograms and its
tables. Nothing is judged here that more than one phase could say better.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.arm import of_day_us
from experiments.folder import read_json, write_json
from experiments.latency.histograms import Log, write_log
from experiments.latency.joining import Joined, lag_ms
from experiments.latency.judged import expected_of, judge
from experiments.latency.pacing import Schedule
from experiments.latency.phase import Hosting, Phase, Site, Terms, run_phase
from experiments.latency.plants import Stall
from experiments.latency.reckoning import reckon
from experiments.latency.sources import Source, drawn
from experiments.latency.stall_law import seen
from experiments.latency.usage import cores_of
from experiments.latency_study import Keys
from experiments.study import Limits, load_study
from experiments.worker import say, wait_for_word
from reports.records import write

__all__ = ["STAGES", "main", "phase_folder"]

STAGES: Final = {
    "lag": ("t_intended_ns", "t_sent_ns"),
    "wire": ("t_sent_ns", "t_received_ns"),
    "decode": ("t_received_ns", "t_decoded_ns"),
    "match": ("t_decoded_ns", "t_matched_ns"),
    "decide": ("t_matched_ns", "t_decided_ns"),
    "submit": ("t_decided_ns", "t_arrived_ns"),
    "answer": ("t_arrived_ns", "t_submitted_ns"),
    "deliver": ("t_arrived_ns", "t_delivered_ns"),
}
"""Stage -> stamps at which it begins and ends. The first six add up to the latency of a trigger."""


def phase_folder(run_dir: Path, phase: int) -> Path:
    """Where a phase leaves its files."""
    return run_dir / "phases" / f"{phase}"


def main(arguments: list[str]) -> dict[str, Any]:
    """The worker's job: RUN_DIR PHASE."""
    run_dir, number = Path(arguments[0]), int(arguments[1])
    job = read_json(run_dir / "job.json")
    keys = load_study(Path(job["study"]), job["overrides"]).keys_of(Keys)
    folder = phase_folder(run_dir, number)
    began = time.monotonic()
    start_us = of_day_us(keys.starts)
    bounds = keys.bounds
    limits = Limits(late_after_ms=bounds.late_after_ms, late_share=bounds.late_share, start_s=keys.start_s)
    site = Site(
        Terms(keys.policy, keys.lists, keys.streams, limits),
        keys.world,
        keys.seed + number,
        folder,
        settings=keys.world_settings,
        transport=job["transport"],
    )
    source = drawn(site, keys.load, start_us, keys.max_factor)
    plan = source.plan
    prepared_s = time.monotonic() - began
    wait_for_word()

    def progress(at_ns: int, sent: int) -> None:
        say("progress", t_us=plan.time.at_us(at_ns), start_us=start_us, end_us=source.end_us, messages=sent)

    plant = keys.plant
    hosting = Hosting(
        keys.campaigns,
        config={"workers": keys.workers},
        cores=cores_of() if keys.pin else None,
        stall=Stall(plant.at_s, plant.platform_stall_s, plant.generator_stall_s) if plant else None,
        fsync=keys.fsync,
        on_stage=lambda name: say("stage", name=name),
        on_progress=progress,
    )
    phase = run_phase(site, source.network, plan, folder, hosting)
    return conclude(keys, site, source, phase, folder, number) | {"prepared_s": round(prepared_s, 2)}


def conclude(
    keys: Keys, site: Site, source: Source, phase: Phase, folder: Path, number: int
) -> dict[str, Any]:
    """Writes what a phase leaves; its facts."""
    plan, joined = phase.plan, phase.joined()
    write(folder / "stages.parquet", "stages", joined.stages)
    write(folder / "wakes.parquet", "wakes", phase.wakes)
    own = np.stack((plan.corr, plan.intended_ns, phase.sent_ns), axis=1)
    sends = np.concatenate((own, phase.woven)).T
    table = dict(zip(("corr", "t_intended_ns", "t_sent_ns"), sends, strict=True))
    write(folder / "sends.parquet", "sends", table | {"corr": sends[0].astype(np.uint32)})
    columns, intended = _columns(joined)
    write_log(folder / "latency.hlog", Log.of(columns, intended, keys.window_s), plan.seconds)
    customers = site.extract["customer"]
    imsis = (imsi for imsi, kept in zip(site.extract["imsi"], customers, strict=True) if kept)
    last = int(plan.corr[-1])
    expected = expected_of(keys.campaigns, source.visible, imsis, last)
    destinations = {submit.contact_id: submit.destination for submit in phase.weaver.submits}
    verdict = judge(
        expected,
        plan,
        phase.records.triggers,
        joined,
        destinations,
        keys.bounds.trigger_late_ms,
        set(phase.woven[:, 0].tolist()),
        phase.records.behaviours,
    )
    stall = None
    if phase.stopped_ns is not None and columns["corrected"].size:
        stall = seen(intended, intended + columns["corrected"], phase.stopped_ns, plan.seconds).as_json()
        stall["at_s"] = round(phase.stopped_ns[0] / 1e9, 4)
    facts: dict[str, Any] = {
        "phase": number,
        "schedule": _schedule(plan, keys.seed + number, site.world.n, expected.by_campaign),
        "windows": _offered(plan, phase.sent_ns, keys.window_s),
        "woven": len(phase.woven),
        "lag": phase.lag(site.keys.limits),
        "jitter": {
            name: lag_ms(np.asarray(phase.wakes[f"{name}_ns"], np.int64)) for name in ("late", "turn", "kept")
        },
        "signalling": phase.signalling(),
        "triggers": phase.records.counts(),
        "reckoned": reckon(phase.records.triggers, joined, phase.arrivals),
        "contacts": phase.weaver.contacts(),
        "verdict": verdict.as_json(),
        "unjudged": list(expected.unjudged),
        "backlog": _backlog(intended, intended + columns["corrected"], phase),
        "generator": phase.generator,
        "platform": phase.platform,
        "fsync_ms": lag_ms(phase.fsync_ns),
        "stall": stall,
        "load_average": round(phase.load, 2),
        "untold": phase.untold,
    }
    write_json(folder / "facts.json", facts)
    return facts


def _columns(joined: Joined) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.int64]]:
    """Values of each tag of the histograms, and the intended times of those that were not held."""
    stamps = {name: np.asarray(column) for name, column in joined.stages.items() if name.endswith("_ns")}
    held = stamps["hold_ns"] > 0
    timer = np.asarray(joined.stages["timer"], bool)
    arrived = stamps["t_arrived_ns"]
    free = {name: column[~held].astype(np.int64) for name, column in stamps.items()}
    columns = {
        "corrected": free["t_arrived_ns"] - free["t_intended_ns"],
        "raw": free["t_arrived_ns"] - free["t_sent_ns"],
        "hold": stamps["hold_ns"][held].astype(np.int64),
        "released": (arrived - stamps["t_intended_ns"])[held].astype(np.int64),
    }
    plain = ~held & ~timer
    for stage, (first, last) in STAGES.items():
        begun, ended = stamps[first][plain].astype(np.int64), stamps[last][plain].astype(np.int64)
        known = (begun >= 0) & (ended >= 0)
        columns[f"stage.{stage}"] = (ended - begun)[known]
    return columns, free["t_intended_ns"]


def _schedule(
    plan: Schedule, seed: int, subscribers: int, expected: dict[str, frozenset[int]] | Any
) -> dict[str, Any]:
    """What was drawn, the same whenever seed and keys are."""
    digest = hashlib.sha256(plan.intended_ns.astype("<i8").tobytes())
    digest.update(bytes(plan.batch.data))
    return {
        "seed": seed,
        "subscribers": subscribers,
        "messages": plan.batch.n,
        "seconds": round(plan.seconds, 6),
        "rate_per_s": round(plan.rate_per_s, 3),
        "factor": round(plan.time.factor, 6),
        "expected": {name: len(ids) for name, ids in sorted(expected.items())},
        "sha256": digest.hexdigest(),
    }


def _offered(plan: Schedule, sent_ns: NDArray[np.int64], window_s: float) -> dict[str, list[int]]:
    """Messages of the schedule by window: planned, and sent."""
    width = round(window_s * 1e9)
    n = int(max(plan.intended_ns[-1], sent_ns.max())) // width + 1
    return {
        "planned": np.bincount(plan.intended_ns // width, minlength=n).tolist(),
        "sent": np.bincount(sent_ns // width, minlength=n).tolist(),
    }


def _backlog(intended: NDArray[np.int64], arrived: NDArray[np.int64], phase: Phase) -> dict[str, Any]:
    """Triggers due and not yet arrived, seen at each that fell due; and what was left after the last send."""
    waiting = np.arange(1, len(intended) + 1) - np.searchsorted(
        np.sort(arrived), np.sort(intended), side="right"
    )
    last_ns = int(phase.sent_ns[-1])
    return {
        "most": int(waiting.max()) if waiting.size else 0,
        "p99": int(np.quantile(waiting, 0.99, method="inverted_cdf")) if waiting.size else 0,
        "after_last_send_s": round(max(0, int(arrived.max()) - last_ns) / 1e9, 4) if arrived.size else None,
        "association_drained_s": round((phase.drained_ns - last_ns) / 1e9, 4)
        if phase.drained_ns >= 0
        else None,
    }


if __name__ == "__main__":
    from experiments.worker import work

    work(main)
