"""The live phase's process: draws the schedule, waits for the word, starts a platform, sends, measures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from experiments.arm import load_job, of_day_us
from experiments.arm_records import write_rows
from experiments.audit import audit, read_parts, read_policy
from experiments.folder import write_json
from experiments.latency.joining import lag_ms
from experiments.latency.phase import Hosting, Site, run_phase
from experiments.live import schedule, write_tables
from experiments.platform_records import take_over
from experiments.summary import latency
from experiments.weave import Weaver
from experiments.worker import say, wait_for_word
from sim.run import LivePhase

__all__ = ["main"]


def main(arguments: list[str]) -> dict[str, Any]:
    """The worker's job: RUN_DIR."""
    job = load_job(Path(arguments[0]))
    study, keys = job.study, job.study.live
    assert keys is not None  # the parent starts this worker only for a study with a live phase
    folder = job.run_dir / "live"
    began = time.monotonic()
    start_us = of_day_us(keys.starts)
    site = Site(study, keys.world, study.seed, folder, transport=job.transport)
    most_us = start_us + round(keys.seconds * keys.max_factor * 1e6)
    network = site.live(start_us, most_us, round(keys.seconds * keys.rate_per_s))
    plan = schedule(network.batch, start_us, keys, study.streams)
    prepared_s = time.monotonic() - began
    wait_for_word()

    def progress(at_ns: int, sent: int) -> None:
        t_us = plan.time.at_us(at_ns)
        say("progress", t_us=t_us, start_us=start_us, end_us=network.end_us, messages=sent)

    hosting = Hosting(
        keys.campaigns or study.campaigns,
        on_stage=lambda name: say("stage", name=name),
        on_progress=progress,
    )
    phase = run_phase(site, network, plan, folder, hosting)
    records = take_over(phase.files.records, folder)
    joined, weaver, woven = phase.joined(), phase.weaver, phase.woven
    write_tables(folder, plan, phase.sent_ns, woven, joined)
    judged = _audit(folder, phase.files.policy, network, weaver)
    kept = phase.lag(study.limits)
    invalid = []
    if phase.untold:
        invalid.append(f"the platform did not take {phase.untold}")
    if kept["late_share"] > study.limits.late_share:
        invalid.append(
            f"the load generator lagged: {100 * kept['late_share']:.2f} % of messages were sent more than "
            f"{study.limits.late_after_ms:g} ms late, {100 * study.limits.late_share:g} % allowed"
        )
    if len(joined.latency_ns) < keys.min_triggers:
        invalid.append(f"{len(joined.latency_ns)} triggers were measured, {keys.min_triggers} are needed")
    return {
        "seconds": keys.seconds,
        "factor": round(plan.time.factor, 3),
        "rate_per_s": round(plan.rate_per_s, 1),
        "subscribers": site.world.n,
        "prepared_s": round(prepared_s, 2),
        "unmatched": len(joined.unmatched),
        "latency_ms": latency(joined.latency_ns, plan.batch.n / (float(phase.sent_ns[-1]) / 1e9)),
        "signalling": phase.signalling(),
        "woven": {"messages": len(woven), "lag_ms": lag_ms(woven[:, 2] - woven[:, 1])},
        "triggers": records.counts(),
        "contacts": weaver.contacts(),
        "audit": {key: judged[key] for key in ("contacts", "parts", "incomplete", "violations", "in_flight")},
        **kept,
        "invalid": invalid,
    }


def _audit(folder: Path, policy: Path, network: LivePhase, weaver: Weaver) -> dict[str, Any]:
    """Writes what the handsets received, and what the audit says of it."""
    parts = [reaction.part for _, reaction in weaver.reactions if reaction.part is not None]
    rows = [network.part_row(part) for part in sorted(parts, key=lambda part: (part.t_us, part.sub))]
    write_rows(folder / "parts.parquet", "parts", rows)
    judged = audit(read_parts(folder / "parts.parquet"), read_policy(policy)).as_json()
    write_json(folder / "audit.json", judged)
    return judged


if __name__ == "__main__":
    from experiments.worker import work

    work(main)
