"""The page of a latency study, and its one screen of text, rendered from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from reports.compared import Figure
from reports.language import LANGUAGES, Words
from reports.latency_figures import Wakes, pictures
from reports.records import read
from reports.rendering import Filters, NotReportable, as_written, number, publish, read_json

__all__ = ["NotReportable", "answer", "checks", "compared", "screen", "write_report"]

PAGE: Final = "latency"
PERCENTILES: Final = ("p50", "p90", "p95", "p99", "p99.9")
_FILES: Final = ("summary.json", "summary.csv", "manifest.json", "schedule.json", "latency.hlog")
_PHASE_FILES: Final = ("facts.json", "latency.hlog", "stages.parquet", "sends.parquet", "wakes.parquet")


def write_report(run_dir: Path, out: Path | None = None, language: str = LANGUAGES[0]) -> Path:
    """Writes the page, and `summary.csv` beside the summary; where the page is.

    Raises:
        NotReportable: a file is missing, damaged, or lacks a key.
    """
    manifest, summary = (read_json(run_dir / name) for name in ("manifest.json", "summary.json"))
    words = Words(PAGE, language)
    filters: Filters = {"ms": ms, "estimate": lambda one: _estimate(one, words)}
    with as_written("summary.json"):
        return publish(
            "latency.html.j2",
            words,
            filters,
            run_dir,
            out,
            manifest=manifest,
            summary=summary,
            results=summary["results"],
            answer=answer(summary, words),
            checks=checks(summary, words),
            load=load_said(summary, words),
            percentiles=_percentiles(summary, words),
            stages=_stages(summary, words),
            used=_used(summary, words),
            pictures=pictures(summary, _wakes(run_dir), words),
            files=[*_FILES, *(f"phases/N/{name}" for name in _PHASE_FILES)],
        )


def answer(summary: Mapping[str, Any], words: Words) -> str:
    """What came out, in one sentence with its interval; of a planted stall one more."""
    found = summary["results"]["latency_ms"]["corrected"]
    known = [name for name in PERCENTILES if "value" in found[name]]
    if not known:
        return words("answer.none", n=found["n"])
    top = found[known[-1]]
    said = words(
        "answer.within",
        p50=ms(found["p50"]["value"]),
        share=known[-1].removeprefix("p"),
        top=ms(top["value"]),
        low=ms(top["low"]),
        high=ms(top["high"]),
        load=load_said(summary, words),
    )
    stalls = [one["stall"] for one in summary["results"]["phases"] if one["stall"]]
    if not stalls:
        return said
    shown = words(
        "answer.stall", n=len(stalls), seen=sum(not one["problems"] for one in stalls), most=ms(found["max"])
    )
    return f"{said}{words.gap}{shown}"


def load_said(summary: Mapping[str, Any], words: Words) -> str:
    """The load in words."""
    load = summary["load"]
    rates = [one["schedule"]["rate_per_s"] for one in summary["results"]["phases"]]
    values = {name: number(value) for name, value in load.items() if isinstance(value, int | float)}
    values["mean"] = number(round(float(np.mean(rates))))
    values = {name: value.replace(" ", "\u00a0") for name, value in values.items()}  # not torn apart
    values["file"] = load.get("file", "")
    return words(f"load.{load['shape']}", **values)


def checks(summary: Mapping[str, Any], words: Words) -> list[dict[str, Any]]:
    """What was checked, what was found, whether it holds (None: not applicable)."""
    results, bounds = summary["results"], summary["bounds"]
    lag, wire, verdict = results["lag"], results["signalling"], results["verdict"]
    rows: list[dict[str, Any]] = []

    def row(key: str, holds: bool | None, **values: Any) -> None:
        rows.append(
            {"asked": words(f"trust.{key}"), "found": words(f"trust.{key}_found", **values), "holds": holds}
        )

    row(
        "schedule",
        lag["late_share"] <= bounds["late_share"] and lag["lag_ms"]["p99"] <= bounds["lag_p99_ms"],
        late=f"{100 * lag['late_share']:.2f}",
        after=f"{bounds['late_after_ms']:g}",
        bound=f"{100 * bounds['late_share']:g}",
        p99=ms(lag["lag_ms"]["p99"]),
        p99_bound=f"{bounds['lag_p99_ms']:g}",
    )
    row(
        "no_loss",
        not wire["lost"] and not wire["errors"],
        lost=number(wire["lost"]),
        errors=number(wire["errors"]),
        generated=number(wire["generated"]),
    )
    expected = verdict["expected"]
    row(
        "triggers",
        None if expected is None else not verdict["lost"] and not verdict["wrong"],
        expected="–" if expected is None else number(expected),
        found=number(verdict["found"]),
        merged=number(verdict["merged"]),
        lost=number(verdict["lost"]),
        wrong=number(verdict["wrong"]),
        late=number(verdict["late"]),
        after=f"{bounds['trigger_late_ms']:g}",
    )
    aside = summary["aside"]
    if aside or summary["again"]:
        row("aside", True, n=len(aside), phases=len(results["phases"]), most=summary["again"])
    n, least = results["triggers_measured"], bounds["min_triggers"]
    row("enough", n >= least, n=number(n), least=number(least))
    cores = summary["cores"]
    found = (
        words("trust.cores_found", **{name: _cores(cores[name]) for name in ("generator", "platform")})
        if cores["apart"]
        else words("trust.cores_why", why=cores["why_not"])
    )
    rows.append({"asked": words("trust.cores"), "found": found, "holds": cores["apart"] or None})
    stalls = [one["stall"] for one in results["phases"] if one["stall"]]
    if stalls:
        one = max(stalls, key=lambda stall: len(stall["problems"]))
        law = one["p99_law_s"]
        row(
            "stall",
            not any(stall["problems"] for stall in stalls),
            stall=f"{one['stall_s']:.3f}",
            most=f"{one['most_s']:.3f}",
            p99=f"{one['p99_s']:.3f}",
            law="–" if law is None else f"{law:.3f}",
            drained=f"{one['drained_s']:.3f}",
        )
    return rows


def _cores(numbers: Sequence[int]) -> str:
    return ", ".join(str(one) for one in numbers)


def compared(summary: Mapping[str, Any], words: Words) -> list[Figure]:
    """What is set side by side of several runs."""
    own = Words(PAGE, words.language)
    found = []
    for tag, figures in summary["results"]["latency_ms"].items():
        for name in PERCENTILES:
            one = figures[name]
            label = own("compared.latency", tag=own(f"tag.{tag}"), name=name)
            limits = (one.get("value"), one.get("low"), one.get("high"))
            found.append(Figure(f"latency.{tag}.{name}", label, *limits, unit="ms", clock=True))
    lag = summary["results"]["lag"]["lag_ms"]["p99"]
    found.append(Figure("lag.p99", own("compared.lag"), lag, unit="ms", clock=True))
    bad = summary["results"]["verdict"]["bad_share"]
    found.append(Figure("bad_share", own("compared.bad"), 100 * bad, unit="%", clock=True))
    return found


def screen(run_dir: Path) -> str:
    """The figures as lines of a terminal."""
    summary, words = read_json(run_dir / "summary.json"), Words(PAGE)
    results = summary["results"]
    lines = [summary["title"] or summary["study"], answer(summary, words), ""]
    lines.append(f"{'milliseconds':18}" + "".join(f"{name:>24}" for name in ("corrected", "raw")))
    for name in PERCENTILES:
        cells = (_estimate(results["latency_ms"][tag][name], words) for tag in ("corrected", "raw"))
        lines.append(f"{name:18}" + "".join(f"{cell:>24}" for cell in cells))
    most = "".join(f"{ms(results['latency_ms'][tag]['max']):>24}" for tag in ("corrected", "raw"))
    lines += [f"{'max':18}{most}", ""]
    refused = {
        one["refused"]
        for one in results["latency_ms"]["corrected"].values()
        if isinstance(one, dict) and "refused" in one
    }
    lines += [f"Refused: {why}" for why in sorted(refused)]
    for check in checks(summary, words):
        mark = {True: "ok", False: "FAILS", None: "-"}[check["holds"]]
        lines.append(f"  {mark:6}{check['asked']}: {check['found']}")
    if summary["invalid_reasons"]:
        lines += ["", "The run is not valid:"]
        lines += [f"  {reason}" for reason in summary["invalid_reasons"]]
    lines.append(f"Phases: {len(results['phases'])}. It took {summary['time']['wall_s']:.0f} s.")
    return "\n".join(lines)


def ms(value: float | None) -> str:
    """Milliseconds for people: three figures that count."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def _estimate(one: Mapping[str, Any], words: Words) -> str:
    """A percentile with its interval; a dash where it was refused."""
    if "value" not in one:
        return words("refused")
    return words("estimate", value=ms(one["value"]), low=ms(one["low"]), high=ms(one["high"]))


def _percentiles(summary: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """Rows of the table of percentiles, and why some are refused."""
    found = summary["results"]["latency_ms"]
    rows = [
        [name, *(_estimate(found[tag][name], words) for tag in ("corrected", "raw"))] for name in PERCENTILES
    ]
    rows.append([words("time.max"), *(ms(found[tag]["max"]) for tag in ("corrected", "raw"))])
    refused = [
        one["refused"] for one in (found["corrected"][name] for name in PERCENTILES) if "refused" in one
    ]
    return {"rows": rows, "refused": refused}


def _stages(summary: Mapping[str, Any], words: Words) -> list[list[str]]:
    rows = []
    for name, stage in summary["results"]["stages_ms"].items():
        cells = (_estimate(stage[p], words) for p in ("p50", "p99"))
        rows.append([words(f"stage.{name}"), number(stage["n"]), ms(stage["mean"]), *cells, ms(stage["max"])])
    return rows


def _used(summary: Mapping[str, Any], words: Words) -> list[list[str]]:
    """A row a phase: messages, load of both processes, backlog, the disk."""
    rows = []
    for one in summary["results"]["phases"]:
        fsync, drained = one["fsync_ms"], one["backlog"]["after_last_send_s"]
        rows.append(
            [
                str(one["phase"]),
                number(one["signalling"]["generated"]),
                f"{100 * one['generator']['busy']:.0f} %",
                f"{100 * one['platform']['busy']:.0f} %" if one["platform"] else "–",
                f"{100 * one['generator']['waited']:.0f} %",
                f"{100 * one['platform']['waited']:.0f} %" if one["platform"] else "–",
                ms(one["lag"]["lag_ms"]["p99"]),
                number(one["backlog"]["most"]),
                ms(None if drained is None else 1000 * drained),
                ms(fsync and fsync["p99"]),
                f"{one['load_average']:.1f}",
            ]
        )
    return rows


def _wakes(run_dir: Path) -> Wakes | None:
    """The generator's loop, worst of all phases; None: no phase kept it."""
    tables = [read(path) for path in sorted((run_dir / "phases").glob("*/wakes.parquet"))]
    if not tables:
        return None
    n = max(len(table) for table in tables)
    worst = {}
    for name in ("late_ns", "turn_ns"):
        rows = np.zeros((len(tables), n))
        for row, table in zip(rows, tables, strict=True):
            row[: len(table)] = table[name].to_numpy()
        worst[name.replace("_ns", "_ms")] = (rows.max(axis=0) / 1e6).tolist()
    longest = max(tables, key=len)
    return {"at_s": (longest["at_ns"].to_numpy() / 1e9).tolist(), **worst}
