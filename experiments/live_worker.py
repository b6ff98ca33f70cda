"""The live phase's process: draws the schedule, waits for the word, starts a platform, sends, measures."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.arm import (
    HOST,
    PASSWORD,
    SYSTEM_ID,
    boss_of,
    linked,
    load_job,
    memory_doors,
    of_day_us,
    smsc_door,
)
from experiments.arm_records import write_rows
from experiments.audit import audit, read_parts, read_policy
from experiments.folder import write_json
from experiments.hosts import blamed, ended, host
from experiments.inputs import arm_files, draw_lists, world_files
from experiments.live import join, lag, lag_ms, pace, schedule, settle, write_tables
from experiments.platform_records import take_over
from experiments.problems import RunInvalid
from experiments.summary import latency
from experiments.weave import Weaver
from experiments.worker import say, wait_for_word
from sim.backoffice.boss import BossDoor
from sim.run import LivePhase, build
from sim.scenario import load_world

__all__ = ["main"]

TOLD_S: Final = 5.0
"""So long the platform may take to answer the last receipts."""


def main(arguments: list[str]) -> dict[str, Any]:
    """The worker's job: RUN_DIR."""
    job = load_job(Path(arguments[0]))
    study, keys = job.study, job.study.live
    assert keys is not None  # the parent starts this worker only for a study with a live phase
    folder = job.run_dir / "live"
    began = time.monotonic()
    scenario = load_world(keys.world)
    start_us = of_day_us(keys.starts)
    world = build(scenario, study.seed)
    most_us = start_us + round(keys.seconds * keys.max_factor * 1e6)
    phase = LivePhase(world, start_us, most_us, most=round(keys.seconds * keys.rate_per_s))
    plan = schedule(phase.batch, start_us, keys, study.streams)
    extract = world_files(world, folder / "inputs")
    drawn = draw_lists(study.lists, world.draws, world.n)
    prepared_s = time.monotonic() - began
    wait_for_word()
    memory = job.transport == "memory"
    with ExitStack() as stack:
        centre = stack.enter_context(smsc_door(scenario, memory))
        boss = boss_of(extract)
        url = "http://boss" if memory else stack.enter_context(BossDoor(boss, HOST)).url
        origin_ns = time.monotonic_ns()
        files = arm_files(
            folder,
            folder / "inputs",
            study,
            scenario,
            drawn,
            extract,
            keys.campaigns or study.campaigns,
            clock={"mode": "live", "start_s": start_us / 1e6, "factor": plan.factor, "origin_ns": origin_ns},
            collector={
                "transport": job.transport,
                "host": HOST,
                "port": 0,
                "encap_port": 0,
                "streams": study.streams,
            },
            smpp={"host": HOST, "port": centre.port, "system_id": SYSTEM_ID, "password": PASSWORD},
            boss_url=url,
        )
        doors = memory_doors(centre, boss) if memory else None
        platform = stack.enter_context(host(files.config, folder / "platform.log", doors))
        link = stack.enter_context(linked(platform, centre, study))
        weaver = Weaver(
            phase.react,
            centre,
            link.send_raw,
            start_us=start_us,
            factor=plan.factor,
            streams=study.streams,
        )

        def progress(at_ns: int, sent: int) -> None:
            t_us = start_us + round(at_ns / 1000 * plan.factor)
            say("progress", t_us=t_us, start_us=start_us, end_us=phase.end_us, messages=sent)

        say("stage", name="sending")
        with blamed(platform):
            begin_ns, sent_ns = pace(plan, link, progress, weaver.look)
        say("stage", name="sent")

        def finish() -> None:
            weaver.finish(time.monotonic_ns() - begin_ns, int(plan.intended_ns[-1]))

        with blamed(platform):
            finish()
            link.association.flush(5.0)
            settle(weaver.take)
            finish()
            untold = weaver.untold(TOLD_S)
        ended(platform, broken=bool(untold))
        finish()
    records = take_over(files.records, folder)
    if records.triggers is None:
        raise RunInvalid("the platform left no triggers")
    epoch_us = scenario.epoch_unix_us

    def due_ns(t_unix_us: int) -> int:
        since_us = t_unix_us - epoch_us - start_us
        return origin_ns + round(since_us * 1000 / plan.factor) - begin_ns

    arrivals: dict[str, int] = {}
    for submit in weaver.submits:
        arrivals[submit.contact_id] = min(
            submit.arrived_ns, arrivals.get(submit.contact_id, submit.arrived_ns)
        )
    joined = join(arrivals, records.triggers, plan, sent_ns, begin_ns, due_ns)
    woven = np.array(weaver.sent, np.int64).reshape(-1, 3)
    write_tables(folder, plan, sent_ns, woven, joined)
    judged = _audit(folder, files.policy, phase, weaver)
    kept = lag(plan, sent_ns, study.limits)
    invalid = []
    if untold:
        invalid.append(f"the platform did not take {untold}")
    if kept["late_share"] > study.limits.late_share:
        invalid.append(
            f"the load generator lagged: {100 * kept['late_share']:.2f} % of messages were sent more than "
            f"{study.limits.late_after_ms:g} ms late, {100 * study.limits.late_share:g} % allowed"
        )
    if len(joined.latency_ns) < keys.min_triggers:
        invalid.append(f"{len(joined.latency_ns)} triggers were measured, {keys.min_triggers} are needed")
    return {
        "seconds": keys.seconds,
        "factor": round(plan.factor, 3),
        "rate_per_s": plan.rate_per_s,
        "subscribers": world.n,
        "prepared_s": round(prepared_s, 2),
        "unmatched": joined.unmatched,
        "latency_ms": latency(joined.latency_ns, plan.batch.n / (float(sent_ns[-1]) / 1e9)),
        "signalling": records.signalling(plan.batch.n + len(woven)),
        "woven": {"messages": len(woven), "lag_ms": lag_ms(woven[:, 2] - woven[:, 1])},
        "triggers": records.counts(),
        "contacts": weaver.contacts(),
        "audit": {key: judged[key] for key in ("contacts", "parts", "incomplete", "violations", "in_flight")},
        **kept,
        "invalid": invalid,
    }


def _audit(folder: Path, policy: Path, phase: LivePhase, weaver: Weaver) -> dict[str, Any]:
    """Writes what the handsets received, and what the audit says of it."""
    parts = [reaction.part for _, reaction in weaver.reactions if reaction.part is not None]
    rows = [phase.part_row(part) for part in sorted(parts, key=lambda part: (part.t_us, part.sub))]
    write_rows(folder / "parts.parquet", "parts", rows)
    judged = audit(read_parts(folder / "parts.parquet"), read_policy(policy)).as_json()
    write_json(folder / "audit.json", judged)
    return judged


if __name__ == "__main__":
    from experiments.worker import work

    work(main)
