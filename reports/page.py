"""The page of an end-to-end run, rendered from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from reports import figures
from reports.answer import PAGE, answer, points, unequal_reach
from reports.checks import checks, reconciled
from reports.compared import Figure
from reports.drawing import wilson
from reports.language import LANGUAGES, Words
from reports.records import read
from reports.rendering import Filters, NotReportable, publish, read_json

__all__ = ["NotReportable", "compared", "write_report"]

_STAGES: Final = ("wire_ns", "decode_ns", "decide_ns", "submit_ns")


def write_report(run_dir: Path, out: Path | None = None, language: str = LANGUAGES[0]) -> Path:
    """Writes the page, and `summary.csv` beside the summary; where the page is.

    Raises:
        NotReportable: the run stopped before it had a summary.
    """
    manifest = read_json(run_dir / "manifest.json")
    summary = read_json(run_dir / "summary.json")
    summary["latency_ms"].setdefault("reason", None)
    details = read_json(run_dir / "details.json")
    # Runs of older versions do not say these.
    details.setdefault("planned", {"arms": list(summary["arms"]), "live": details["live"] is not None})
    details.setdefault("blanket_at", None)
    details.setdefault("currency", "")
    for name, arm in details["arms"].items():
        if "reached" not in arm and "contacts" in (columns := _outcomes(run_dir, name)):
            arm["reached"] = int(np.count_nonzero(columns["contacts"]))
    words = Words(PAGE, language)
    filters: Filters = {"points": points, "ms": _ms}
    return publish(
        "end-to-end.html.j2",
        words,
        filters,
        run_dir,
        out,
        manifest=manifest,
        summary=summary,
        details=details,
        answer=answer(summary, details, words),
        unequal=unequal_reach(summary, details, words),
        reconciled=reconciled(details, words),
        wire_per_s=_wire_per_s(details),
        pictures=_pictures(run_dir, summary, details, words),
        checks=checks(summary, details, words),
        arms=[words.name(arm, "arm") for arm in details["planned"]["arms"]],
        rerun=details["rerun"],
        stages=_stages(run_dir),
    )


def compared(summary: Mapping[str, Any], words: Words) -> list[Figure]:
    """What is set side by side of several runs: take-up and its differences, contacts, latency."""
    own = Words(PAGE, words.language)
    found = []
    for key, u in summary["uplift"].items():
        if u is not None:
            label = own("mark.said", name=own("uplift.axis"), said=own(f"versus.{key}"))
            value, low, high = (100 * share for share in (u["estimate"], *u["ci95"]))
            found.append(Figure(f"uplift.{key}", label, value, low, high))
    for name, arm in summary["arms"].items():
        n = arm["subscribers"]
        low, high = (100 * share for share in wilson(arm["take_up"], n))
        label = own("compared.take_up", arm=own.name(name, "arm"))
        found.append(
            Figure(f"take_up.{name}", label, 100 * arm["take_up"] / n if n else None, low, high, "%")
        )
    for name, arm in summary["arms"].items():
        for what in ("contacts", "complaints", "cost"):
            label = own(f"compared.{what}", arm=own.name(name, "arm"))
            found.append(Figure(f"{what}.{name}", label, arm[what]))
    broken = sum(summary["contacts"]["violations"].values())
    found.append(Figure("violations", own("compared.violations"), broken))
    for name in ("p50", "p90", "p99", "max"):
        label = own("compared.latency", name=name)
        found.append(Figure(f"latency.{name}", label, summary["latency_ms"][name], unit="ms", clock=True))
    return found


def _pictures(
    run_dir: Path, summary: dict[str, Any], details: dict[str, Any], words: Words
) -> dict[str, str]:
    found = dict.fromkeys(("take_up", "uplift", "hours", "pressure", "latency", "latency_time"), "")
    arms = {name: arm for name, arm in summary["arms"].items() if name in figures.ARM_STYLES}
    outcomes = {name: _outcomes(run_dir, name) for name in arms}
    if arms:
        found["take_up"] = figures.take_up(
            {
                name: (arm["take_up"], arm["subscribers"], _mean(outcomes[name].get("replay_share")))
                for name, arm in arms.items()
            },
            words,
        )
    rows = [
        figures.ForestRow(
            words(f"versus.{key}"), u["estimate"], u["ci95"][0], u["ci95"][1], u["truth"], u["truth_se"]
        )
        for key, u in summary["uplift"].items()
        if u is not None
    ]
    if rows:
        found["uplift"] = figures.uplift_forest(rows, words)
    contacted = {
        name: columns["contacts"] for name, columns in outcomes.items() if name != "control" and columns
    }
    policy = details["policy"]
    if contacted:
        zone = ZoneInfo(details["timezone"])
        hours = {name: _hours(run_dir, name, zone) for name in contacted}
        quiet = policy["quiet_hours"]
        found["hours"] = figures.contact_hours(
            hours, None if quiet is None else (_hour(quiet[0]), _hour(quiet[1])), words
        )
        found["pressure"] = figures.contact_pressure(contacted, policy["per_calendar_month"], words)
    path = run_dir / "live" / "latencies.parquet"
    if path.exists():
        table = read(path, ["t_intended_ns", "latency_ns"])
        if table.num_rows:
            latency = table["latency_ns"].to_numpy() / 1e6
            marks = {name: summary["latency_ms"][name] for name in ("p50", "p99")}
            found["latency"] = figures.latency_share(latency, marks, words)
            found["latency_time"] = figures.latency_over_time(
                table["t_intended_ns"].to_numpy() / 1e9, latency, words
            )
    return found


def _outcomes(run_dir: Path, arm: str) -> dict[str, NDArray[Any]]:
    path = run_dir / "arms" / arm / "outcomes.parquet"
    if not path.exists():
        return {}
    table = read(path, ["contacts", "replay_share"])
    return {name: table[name].to_numpy() for name in table.column_names}


def _mean(values: NDArray[Any] | None) -> float | None:
    if values is None or not values.size or bool(np.isnan(values).any()):
        return None
    return float(values.mean())


def _hours(run_dir: Path, arm: str, zone: ZoneInfo) -> NDArray[np.int64]:
    received = read(run_dir / "arms" / arm / "contacts.parquet", ["t_us"])["t_us"].to_pylist()
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    local = [(epoch + timedelta(microseconds=t)).astimezone(zone).hour for t in received]
    return np.bincount(np.array(local, np.int64), minlength=24).astype(np.int64)


def _hour(text: str) -> float:
    hours, minutes = text.split(":")[:2]
    return int(hours) + int(minutes) / 60


def _stages(run_dir: Path) -> list[tuple[str, float, float]]:
    """Median and 90th percentile of each stage of the live phase, in milliseconds, where stamps are there."""
    path = run_dir / "live" / "latencies.parquet"
    if not path.exists():
        return []
    table = read(path, list(_STAGES))
    rows = []
    for column in _STAGES:
        values = table[column].to_numpy()
        values = values[values >= 0]
        if values.size:
            rows.append(
                (column, float(np.quantile(values, 0.5)) / 1e6, float(np.quantile(values, 0.9)) / 1e6)
            )
    return rows


def _wire_per_s(details: dict[str, Any]) -> float | None:
    """Messages a second in the live phase with those of deliveries woven in."""
    live, counts = details["live"], details["signalling"].get("live")
    return counts["generated"] / live["seconds"] if live and counts else None


def _ms(value: float | None) -> str:
    return (
        "–"
        if value is None
        else f"{value:.1f}"
        if value < 100
        else f"{value:,.0f}".replace(",", "\N{NO-BREAK SPACE}")
    )
