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
from reports.answer import answer, points, unequal_reach
from reports.records import read
from reports.rendering import Filters, NotReportable, read_json, render, write_page

__all__ = ["NotReportable", "write_report"]

_LABELS: Final = {
    "precise_vs_blanket": "precise − blanket",
    "precise_vs_control": "precise − control",
    "blanket_vs_control": "blanket − control",
}
_UNREACHED: Final = {
    "absent": "to a handset that was off or out of reach",
    "after_end": "on their way at the end",
    "expired": "expired",
    "unknown": "to no subscriber's number",
}


def write_report(run_dir: Path, out: Path | None = None) -> Path:
    """Writes the page; where.

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
    filters: Filters = {
        "number": _number,
        "percent": _percent,
        "points": points,
        "ms": _ms,
        "seconds": _seconds,
    }
    text = render(
        "end-to-end.html.j2",
        filters,
        manifest=manifest,
        summary=summary,
        details=details,
        answer=answer(summary, details),
        unequal=unequal_reach(summary, details),
        reconciled=_reconciled(details),
        wire_per_s=_wire_per_s(details),
        labels=_LABELS,
        pictures=_pictures(run_dir, summary, details),
        checks=_checks(summary, details),
        stages=_stages(run_dir),
    )
    return write_page(text, run_dir, out)


def _pictures(run_dir: Path, summary: dict[str, Any], details: dict[str, Any]) -> dict[str, str]:
    found = dict.fromkeys(("take_up", "uplift", "hours", "pressure", "latency", "latency_time"), "")
    arms = {name: arm for name, arm in summary["arms"].items() if name in figures.ARM_STYLES}
    outcomes = {name: _outcomes(run_dir, name) for name in arms}
    if arms:
        found["take_up"] = figures.take_up(
            {
                name: (arm["take_up"], arm["subscribers"], _mean(outcomes[name].get("replay_share")))
                for name, arm in arms.items()
            }
        )
    rows = [
        figures.ForestRow(_LABELS[key], u["estimate"], u["ci95"][0], u["ci95"][1], u["truth"], u["truth_se"])
        for key, u in summary["uplift"].items()
        if u is not None
    ]
    if rows:
        found["uplift"] = figures.uplift_forest(rows)
    contacted = {
        name: columns["contacts"] for name, columns in outcomes.items() if name != "control" and columns
    }
    policy = details["policy"]
    if contacted:
        zone = ZoneInfo(details["timezone"])
        hours = {name: _hours(run_dir, name, zone) for name in contacted}
        quiet = policy["quiet_hours"]
        found["hours"] = figures.contact_hours(
            hours, None if quiet is None else (_hour(quiet[0]), _hour(quiet[1]))
        )
        found["pressure"] = figures.contact_pressure(contacted, policy["per_calendar_month"])
    path = run_dir / "live" / "latencies.parquet"
    if path.exists():
        table = read(path, ["t_intended_ns", "latency_ns"])
        if table.num_rows:
            latency = table["latency_ns"].to_numpy() / 1e6
            marks = {name: summary["latency_ms"][name] for name in ("p50", "p99")}
            found["latency"] = figures.latency_share(latency, marks)
            found["latency_time"] = figures.latency_over_time(
                table["t_intended_ns"].to_numpy() / 1e9, latency
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
    names = {
        "wire_ns": "sent → read from the socket",
        "decode_ns": "read → behaviour recognised",
        "decide_ns": "behaviour → policy passed, contact reserved",
        "submit_ns": "decided → at the SMSC",
    }
    table = read(path, list(names))
    rows = []
    for column, said in names.items():
        values = table[column].to_numpy()
        values = values[values >= 0]
        if values.size:
            rows.append((said, float(np.quantile(values, 0.5)) / 1e6, float(np.quantile(values, 0.9)) / 1e6))
    return rows


def _checks(summary: dict[str, Any], details: dict[str, Any]) -> list[dict[str, Any]]:
    """The trust block: what was checked, what was found, whether it holds (None: not applicable)."""
    signalling, triggers, contacts = summary["signalling"], summary["triggers"], summary["contacts"]
    violations: Mapping[str, int] = contacts["violations"]
    broken = sum(violations.values())
    suppressed = sum(triggers["suppressed"].values())
    states = triggers["sent"] + triggers["held"] + triggers["failed"] + suppressed
    arms = details["arms"].values()
    kinds = [kind for arm in arms for kind in (arm.get("behaviours") or {}).get("kinds", {}).values()]
    seen = sum(kind["truth"] for kind in kinds)
    differing = sum(kind["truth"] + kind["platform"] - 2 * kind["matched"] for kind in kinds)
    parts = [*arms, *([details["live"]] if details["live"] else [])]
    recorded, audited = bool(signalling["generated"]), any(part.get("audit") for part in parts)
    rows: list[dict[str, Any]] = [
        {
            "asked": "No signalling lost between the network and the platform",
            "found": f"{_number(signalling['lost'])} of {_number(signalling['generated'])} messages lost",
            "holds": signalling["lost"] == 0 if recorded else None,
        },
        {
            "asked": "Every message understood",
            "found": f"{_number(signalling['errors'])} decoding errors",
            "holds": signalling["errors"] == 0 if recorded else None,
        },
        {
            "asked": "The platform saw exactly what could be seen",
            "found": f"{_number(differing)} behaviours differ from the truth, of {_number(seen)}",
            "holds": (differing == 0) if kinds else None,
        },
        {
            "asked": "Every trigger ended in exactly one state",
            "found": f"{_number(states)} states for {_number(triggers['total'])} triggers",
            "holds": states == triggers["total"] if parts else None,
        },
        {
            "asked": "Nobody received what the policy forbids (audit of handsets)",
            "found": f"{_number(broken)} violations in {_number(contacts['received'])} contacts",
            "holds": broken == 0 if audited or broken else None,
        },
    ]
    live = details["live"]
    if live is None and details["planned"]["live"]:
        said = "the run ended before the live phase"
        rows.append({"asked": "The load generator kept its schedule", "found": said, "holds": None})
    if live is not None:
        rows.append(
            {
                "asked": "The load generator kept its schedule",
                "found": f"{100 * live['late_share']:.2f} % of messages {live['late_after_ms']:g} ms late "
                f"(bound {100 * live['late_share_bound']:g} %); lag p99 {live['lag_ms']['p99']:.2f} ms",
                "holds": live["late_share"] <= live["late_share_bound"],
            }
        )
        sent, received = live["triggers"]["sent"], live["audit"]["contacts"]
        unreached = sum(live["contacts"]["unreached"].values())
        why = ", ".join(
            f"{_number(n)} {_UNREACHED[name]}" for name, n in live["contacts"]["unreached"].items()
        )
        rows.append(
            {
                "asked": "Every contact sent in the live phase reached its handset, or it is known why not",
                "found": f"{_number(sent)} sent: {_number(received)} received" + (f", {why}" if why else ""),
                "holds": sent == received + unreached,
            }
        )
    return rows


def _reconciled(details: dict[str, Any]) -> str:
    """One line from triggers sent to contacts received, over the arms and the live phase."""
    said, sent, received = [], 0, 0
    arms = [arm for arm in details["arms"].values() if arm.get("triggers") and arm.get("audit")]
    if arms:
        sent = sum(arm["triggers"]["sent"] for arm in arms)
        received = sum(arm["audit"]["contacts"] for arm in arms)
        said.append(f"{_number(sent)} in the arms, of which {_number(received)} were received")
    live = details["live"]
    if live is not None:
        live_sent, live_received = live["triggers"]["sent"], live["audit"]["contacts"]
        sent, received = sent + live_sent, received + live_received
        why = [f"{_number(n)} {_UNREACHED[name]}" for name, n in live["contacts"]["unreached"].items()]
        found = ", ".join([f"{_number(live_received)} were received", *why])
        said.append(f"{_number(live_sent)} in the live phase, of which {found}")
    if not said:
        return ""
    return f"{_number(sent)} triggers sent: {'; '.join(said)}: {_number(received)} contacts received in all."


def _wire_per_s(details: dict[str, Any]) -> float | None:
    """Messages a second in the live phase with those of deliveries woven in."""
    live, counts = details["live"], details["signalling"].get("live")
    return counts["generated"] / live["seconds"] if live and counts else None


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    if abs(value) >= 1000:
        value = round(value)
    return (
        f"{value:,.0f}".replace(",", " ") if float(value).is_integer() else f"{value:,.2f}".replace(",", " ")
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}" if value < 100 else f"{value:,.0f}".replace(",", " ")


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"
