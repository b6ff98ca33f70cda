"""From the phases of a run's folder, its own or those of several runs, to `summary.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.folder import read_json, write_json
from experiments.latency.histograms import Log, Ranked, percentiles, read_log, spectrum, write_log
from experiments.latency.reckoning import add_reckoned
from experiments.latency.worker import STAGES
from experiments.problems import BadInput, relative
from experiments.summary import add_signalling, add_triggers

__all__ = ["SUMMARY_SCHEMA", "lagged", "phases_in", "reasons", "results"]

SUMMARY_SCHEMA: Final = "kairos.latency/1"
LEAST_IN_WINDOW: Final = {"p50": 2, "p90": 10, "p99": 100}
"""A window has a percentile, a point without interval, where so many triggers are in it."""


def phases_in(run_dir: Path) -> list[Path]:
    """Folders of the phases that came to their end, in order."""
    found = (run_dir / "phases").glob("*/facts.json")
    return sorted((path.parent for path in found), key=lambda path: int(path.name))


def lagged(lag: Mapping[str, Any], bounds: Mapping[str, Any]) -> bool:
    """Whether the generator did not keep its schedule, as far as it must."""
    return bool(lag["late_share"] > bounds["late_share"] or lag["lag_ms"]["p99"] > bounds["lag_p99_ms"])


def reasons(facts: Sequence[Mapping[str, Any]], bounds: Mapping[str, Any], measured: int) -> list[str]:
    """Why the phases are not valid; `bounds` as in `results`."""
    said = []
    for one in facts:
        name, lag = f"phase {one['phase']}", one["lag"]
        if lag["late_share"] > bounds["late_share"]:
            said.append(
                f"{name}: the load generator lagged: {100 * lag['late_share']:.2f} % of messages were sent "
                f"more than {bounds['late_after_ms']:g} ms late, {100 * bounds['late_share']:g} % allowed"
            )
        if lag["lag_ms"]["p99"] > bounds["lag_p99_ms"]:
            said.append(
                f"{name}: the load generator lagged: p99 {lag['lag_ms']['p99']:.2f} ms, "
                f"{bounds['lag_p99_ms']:g} ms allowed"
            )
        wire = one["signalling"]
        if wire["lost"] or wire["errors"]:
            said.append(
                f"{name}: of {wire['generated']} messages {wire['lost']} were lost, {wire['errors']} bad"
            )
        if one["untold"]:
            said.append(f"{name}: the platform did not take {one['untold']}")
        verdict = one["verdict"]
        if verdict["lost"] or verdict["wrong"]:
            said.append(f"{name}: {verdict['lost']} triggers were lost, {verdict['wrong']} were wrong")
        if one["stall"]:
            said += [f"{name}: {problem}" for problem in one["stall"]["problems"]]
    if measured < bounds["min_triggers"]:
        said.append(f"{measured} triggers were measured, {bounds['min_triggers']} are needed")
    return said


def results(run_dir: Path, bounds: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What all phases of a folder say together, and why they are not valid.

    Writes their histograms added up, `latency.hlog`, and `schedule.json`, which is the same for a seed.
    `bounds` are those of the study, and `min_triggers`.

    Raises:
        BadInput: there is no phase that came to its end.
    """
    folders = phases_in(run_dir)
    if not folders:
        raise BadInput(f"{relative(run_dir)}: no phase came to its end")
    facts = [read_json(folder / "facts.json") for folder in folders]
    log = Log.merged(read_log(folder / "latency.hlog") for folder in folders)
    seconds = max(one["schedule"]["seconds"] for one in facts)
    write_log(run_dir / "latency.hlog", log, seconds)
    write_json(run_dir / "schedule.json", {"phases": [one["schedule"] for one in facts]})
    whole = log.whole
    measured = whole["corrected"].get_total_count()
    verdicts = [one["verdict"] for one in facts]
    counts = {name: sum(v[name] for v in verdicts) for name in ("found", "merged", "lost", "late", "wrong")}
    known = [v["expected"] for v in verdicts if v["expected"] is not None]
    judged = {"expected": sum(known) if len(known) == len(verdicts) else None, **counts}
    base = max(judged["expected"] if judged["expected"] is not None else measured, 1)
    judged["bad_share"] = (counts["lost"] + counts["late"] + counts["wrong"]) / base
    found = {
        "triggers_measured": measured,
        "latency_ms": {tag: percentiles(whole[tag]) for tag in ("corrected", "raw")},
        "stages_ms": {
            stage: {**percentiles(whole[f"stage.{stage}"]), "mean": _mean_ms(whole[f"stage.{stage}"])}
            for stage in STAGES
        },
        "held": {
            "n": whole["hold"].get_total_count(),
            "hold_ms": percentiles(whole["hold"]),
            "released_ms": percentiles(whole["released"]),
        },
        "spectrum": {tag: spectrum(whole[tag]) for tag in ("corrected", "raw")},
        "window_s": log.window_s,
        "windows": _windows(log, facts),
        "signalling": add_signalling(one["signalling"] for one in facts),
        "triggers": add_triggers(one["triggers"] for one in facts),
        "reckoned": add_reckoned(one.get("reckoned") for one in facts),
        "verdict": judged,
        "lag": _worst_lag(facts, bounds),
        "phases": facts,
    }
    return found, reasons(facts, bounds, measured)


def _mean_ms(histogram: Any) -> float | None:
    n = histogram.get_total_count()
    return round(float(histogram.get_mean_value()) / 1e6, 6) if n else None


def _worst_lag(facts: Sequence[Mapping[str, Any]], bounds: Mapping[str, Any]) -> dict[str, Any]:
    """Of the phase that lagged most."""
    worst = max(facts, key=lambda one: (one["lag"]["late_share"], one["lag"]["lag_ms"]["p99"]))
    return {**worst["lag"], "phase": worst["phase"], "lag_p99_bound_ms": bounds["lag_p99_ms"]}


def _windows(log: Log, facts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """By window: messages a second planned and sent, mean of the phases, and latencies of all of them."""
    n = max(len(one["windows"]["planned"]) for one in facts)
    load = {}
    for name in ("planned", "sent"):
        rows = np.zeros((len(facts), n))
        for row, one in zip(rows, facts, strict=True):
            counts = one["windows"][name]
            row[: len(counts)] = counts
        load[name] = rows.mean(axis=0) / log.window_s
    found = []
    for at in range(n):
        histogram = log.windows.get(("corrected", at))
        raw = log.windows.get(("raw", at))
        found.append(
            {
                "at_s": round(at * log.window_s, 3),
                "planned_per_s": round(float(load["planned"][at]), 1),
                "sent_per_s": round(float(load["sent"][at]), 1),
                "corrected_ms": _points(histogram),
                "raw_ms": _points(raw),
            }
        )
    return found


def _points(histogram: Any) -> dict[str, Any]:
    ranked = None if histogram is None else Ranked.of(histogram)
    if ranked is None or not ranked.n:
        return {"n": 0, **dict.fromkeys(LEAST_IN_WINDOW), "max": None}
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    found: dict[str, Any] = {"n": ranked.n}
    for name, least in LEAST_IN_WINDOW.items():
        rank = max(1, int(np.ceil(shares[name] * ranked.n - 1e-9)))
        found[name] = round(ranked.at(rank) / 1e6, 4) if ranked.n >= least else None
    return found | {"max": round(ranked.at(ranked.n) / 1e6, 4)}
