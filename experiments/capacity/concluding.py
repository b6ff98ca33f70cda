"""From what was measured to `summary.json`: knees with their bottlenecks, scaling, growth of cost, sizing."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

from experiments.capacity import sizing, utilisation
from experiments.capacity.knee import Knee
from experiments.capacity.levels import PERCENTILES, ProbeResult, ServiceLevel, Verdict, least_triggers
from experiments.capacity.measured import Found, Measured
from experiments.capacity.scaling import pair_ratio, scalability, slope
from experiments.capacity_study import Keys
from experiments.inference.intervals import quantile
from reports.records import write

__all__ = ["conclude", "probe_row", "write_probes"]

ENOUGH: Final = ("found", "above")
"""Ends of a search after which a rate is known to hold."""


def probe_row(
    workers: int, subscribers: int, why: str, found: ProbeResult, verdict: Verdict
) -> dict[str, Any]:
    """A row of the table `probes`, but for its number and the counts that hang on the level."""
    worst = float(found.latency_ms.max()) if found.latency_ms.size else None
    return {
        "workers": workers,
        "subscribers": subscribers,
        "why": why,
        "rate_per_s": found.rate_per_s,
        "seconds": found.seconds,
        "outcome": verdict.outcome,
        "broke": " ".join(verdict.broke),
        "messages": found.messages,
        "triggers": found.triggers,
        "p50_ms": _finite(found.quantile_ms("p50")),
        "p99_ms": _finite(found.quantile_ms("p99")),
        "max_ms": worst,
        "late": verdict.late,
        "lost": found.lost,
        "wrong": found.wrong,
        "lagging_share": found.lagging_share,
        "others_share": found.others_share,
        "others_generator": found.others_generator,
        "others_platform": found.others_platform,
        "cost_us": found.cost_us,
        "memory_mib": found.memory_mib,
    }


def write_probes(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes `probes.parquet`, and the same as `probes.csv`."""
    columns: dict[str, list[Any]] = {"number": list(range(len(rows)))}
    for name in (
        "workers", "subscribers", "why", "rate_per_s", "seconds", "outcome", "broke", "messages", "triggers",
        "p50_ms", "p99_ms", "max_ms", "late", "lost", "wrong", "lagging_share", "others_share",
        "others_generator", "others_platform", "cost_us", "memory_mib",
    ):  # fmt: skip
        columns[name] = [math.nan if row[name] is None else row[name] for row in rows]
    write(folder / "probes.parquet", "probes", columns)
    lines = [",".join(columns)]
    lines += [",".join(map(_cell, values)) for values in zip(*columns.values(), strict=True)]
    (folder / "probes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)


def conclude(keys: Keys, measured: Measured, *, processors: int) -> tuple[dict[str, Any], list[str]]:
    """The summary's results, and why the study is not valid.

    `processors` are the platform's.
    """
    configurations = [_configuration(found, keys.level) for found in measured.found]
    reasons = []
    for found, one in zip(measured.found, configurations, strict=True):
        if found.knee.status not in ENOUGH:
            reasons.append(
                f"{found.workers} workers, {found.subscribers} people: no knee: {_WHY[found.knee.status]}"
            )
        one["base"] = found is measured.found[0]
    lacking = len(keys.configurations()) - len(measured.found)
    if lacking:
        reasons.append(f"{lacking} of {len(keys.configurations())} knees were not looked for")
    results: dict[str, Any] = {
        "level": keys.level.model_dump(mode="json"),
        "least_triggers": least_triggers(keys.level.percentile),
        "search": keys.search.model_dump(mode="json"),
        "processors": processors,
        "configurations": configurations,
        "scaling": _scaling(keys, measured, processors),
        "growth": _growth(measured),
        "sizing": _sizing(keys, measured, processors),
        "others_share": _others(measured),
        "loss": _losses(measured),
    }
    return results, reasons


_WHY: Final = {
    "below": "the level breaks at the lowest rate asked for",
    "unsettled": "the probes did not settle it",
}


# --------------------------------------------------------------------------- a configuration


def _configuration(found: Found, level: ServiceLevel) -> dict[str, Any]:
    knee = found.knee
    resources, gave_way = utilisation.at_knee(knee)
    return {
        "name": f"{found.workers}x{found.subscribers}",
        "workers": found.workers,
        "subscribers": found.subscribers,
        "knee": {
            "status": knee.status,
            "rate_per_s": round(knee.rate_per_s, 1),
            "breaks_at_per_s": _finite(knee.breaks_at_per_s),
            "closed_per_s": round(knee.closed_per_s, 1),
            "broke": list(knee.broke),
            "probes": len(knee.tries),
            "disturbed": sum(t.verdict.disturbed for t in knee.tries),
            "proof": _proof(knee),
            "stepped_down": knee.stepped_down,
        },
        "bottleneck": {
            "limited_by": gave_way.limited_by,
            "resource": gave_way.resource,
            "stage": gave_way.stage,
            "busy": round(gave_way.busy, 4),
            "full": gave_way.full,
            "of_platform": gave_way.of_platform,
            "others": round(gave_way.others, 4),
            "side": gave_way.side,
        },
        "resources": [utilisation.as_json(resource) for resource in resources],
        "tried": [_tried(t.ask.why, t.result, t.verdict) for t in knee.tries],
        "runs": [_run(share, result, level) for share, result in found.runs],
        "memory_mib": _memory(knee),
    }


def _proof(knee: Knee) -> dict[str, Any] | None:
    """The longer run in which the knee held."""
    if knee.proof is None:
        return None
    found, verdict = knee.proof.result, knee.proof.verdict
    return {
        "seconds": round(found.seconds, 1),
        "triggers": found.triggers,
        "value_ms": _finite(verdict.value_ms),
        "bad_share": round(verdict.bad_share, 6),
    }


def _tried(why: str, found: ProbeResult, verdict: Verdict) -> dict[str, Any]:
    return {
        "rate_per_s": round(found.rate_per_s, 1),
        "seconds": round(found.seconds, 1),
        "why": why,
        "outcome": verdict.outcome,
        "broke": list(verdict.broke),
        "value_ms": _finite(verdict.value_ms),
        "bad_share": round(verdict.bad_share, 6),
        "disturbed": verdict.disturbed,
        "triggers": found.triggers,
        "broke_off": str(found.notes.get("broke_off", "")),
    }


def _run(share: float, found: ProbeResult, level: ServiceLevel) -> dict[str, Any]:
    """A run at a share of the knee: percentiles with intervals, what was busy, what it cost."""
    verdict = level.judge(found)
    percentiles = {name: quantile(found.latency_ms, q).as_json() for name, q in PERCENTILES.items()}
    return {
        "share": share,
        "rate_per_s": round(found.rate_per_s, 1),
        "seconds": round(found.seconds, 1),
        "outcome": verdict.outcome,
        "broke": list(verdict.broke),
        "triggers": found.triggers,
        "percentiles_ms": percentiles,
        "late": verdict.late,
        "lost": found.lost,
        "wrong": found.wrong,
        "lagging_share": round(found.lagging_share, 6),
        "others_share": round(found.others_share, 4),
        "others_beside": round(found.others_beside(_side(verdict)), 4),
        "disturbed": verdict.disturbed,
        "merged": int(found.notes.get("merged", 0)),
        "resources": [utilisation.as_json(resource) for resource in found.resources],
        "stages_p99_ms": dict(found.notes.get("stages_p99_ms", {})),
        "cost_us": None if found.cost_us is None else round(found.cost_us, 3),
        "memory_mib": None if found.memory_mib is None else round(found.memory_mib, 1),
    }


def _side(verdict: Verdict) -> Literal["generator", "platform"]:
    return "generator" if verdict.outcome == "generator" else "platform"


def _memory(knee: Knee) -> float | None:
    seen = [t.result.memory_mib for t in knee.tries if t.result.memory_mib is not None]
    return round(max(seen), 1) if seen else None


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 4)


# --------------------------------------------------------------------------- over configurations


def _scaling(keys: Keys, measured: Measured, processors: int) -> dict[str, Any] | None:
    if len(keys.workers) < 2 or not measured.rounds:
        return None
    one, two = keys.workers[:2]
    ratio = pair_ratio([(found[one], found[two]) for found in measured.rounds])
    rates = {workers: [found[workers] for found in measured.rounds] for workers in keys.workers}
    law = scalability(rates)
    free = _all_processors(processors, keys)
    return {
        "counts": list(keys.workers),
        "pair": [one, two],
        "rates_per_s": {str(workers): [round(rate, 1) for rate in found] for workers, found in rates.items()},
        "ratio": ratio.as_json(),
        "law": law.as_json(),
        "processors": free,
        "enough_processors": free >= max(keys.workers) + 1,
    }


def _all_processors(processors: int, keys: Keys) -> int:
    return (os.cpu_count() or processors) if keys.pin else processors


def _growth(measured: Measured) -> dict[str, Any] | None:
    if not measured.growth:
        return None
    axes = {}
    for axis, rows in measured.growth.items():
        points = [(value, found.cost_us) for value, found in rows if found.cost_us is not None]
        levels: list[dict[str, Any]] = []
        for value in sorted({value for value, _ in rows}):
            mine = [found for at, found in rows if at == value]
            costs = [found.cost_us for found in mine if found.cost_us is not None]
            memory = [found.memory_mib for found in mine if found.memory_mib is not None]
            levels.append(
                {
                    "value": round(value, 1),
                    "runs": len(mine),
                    "cost_us": round(median(costs), 3) if costs else None,
                    "costs_us": [round(cost, 3) for cost in costs],
                    "memory_mib": round(median(memory), 1) if memory else None,
                }
            )
        axes[axis] = {**slope(axis, points).as_json(), "levels": levels}
    return {"rate_per_s": round(measured.growth_rate_per_s, 1), "axes": axes}


def _sizing(keys: Keys, measured: Measured, processors: int) -> dict[str, Any] | None:
    """Units of the configuration with most subscribers, and of these the highest knee."""
    usable = [found for found in measured.found if found.knee.status in ENOUGH]
    if not usable or not measured.busy_hour_messages:
        return None
    best = max(usable, key=lambda found: (found.subscribers, found.knee.rate_per_s))
    unit = sizing.Unit(
        best.knee.rate_per_s,
        best.knee.breaks_at_per_s,
        best.workers,
        processors,
        best.subscribers,
        _memory(best.knee),
    )
    needed = sizing.needs(keys.sizing, unit, measured.busy_hour_messages, max(keys.subscribers))
    _, gave_way = utilisation.at_knee(best.knee)
    return {
        "unit": f"{best.workers}x{best.subscribers}",
        "at_most": best.knee.status == "above" or not gave_way.of_platform,
        "assumed": sizing.assumptions(keys.sizing, unit, measured.busy_hour_messages),
        "needs": [need.as_json() for need in needed],
    }


def _others(measured: Measured) -> dict[str, Any]:
    """What others used of the machine's processors: median and most of all probes."""
    shares = [t.result.others_share for found in measured.found for t in found.knee.tries]
    return {
        "median": round(median(shares), 4) if shares else None,
        "most": round(max(shares), 4) if shares else None,
    }


def _losses(measured: Measured) -> dict[str, int]:
    """Triggers of the runs below the knee: expected, lost, wrong."""
    runs = [result for found in measured.found for _, result in found.runs]
    return {
        "triggers": sum(run.triggers for run in runs),
        "lost": sum(run.lost for run in runs),
        "wrong": sum(run.wrong for run in runs),
        "messages_lost": sum(int(run.notes.get("messages_lost", 0)) for run in runs),
    }
