"""The page of a realism study, and its one screen of text, rendered from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2

from reports.rendering import Filters, NotReportable, read_json, render, write_page

__all__ = ["NotReportable", "screen", "write_report"]

_MARKS: Final = {"inside": "ok", "outside": "bad", "unmeasured": "na"}


def write_report(run_dir: Path, out: Path | None = None) -> Path:
    """Writes the page; where.

    Raises:
        NotReportable: a file is missing, damaged, or lacks a key.
    """
    from reports import realism_figures as figures

    manifest, summary, details = (
        read_json(run_dir / name) for name in ("manifest.json", "summary.json", "details.json")
    )
    filters: Filters = {"figure": _figure, "number": _number, "interval": _interval, "band": _band}
    try:
        text = render(
            "realism.html.j2",
            filters,
            manifest=manifest,
            summary=summary,
            details=details,
            answer=answer(summary),
            groups=_groups(summary["measures"]),
            marks=_MARKS,
            told_apart=_told_apart(summary),
            pictures=figures.pictures(summary, details),
        )
    except (KeyError, TypeError, ValueError, IndexError, jinja2.UndefinedError) as error:
        said = f"summary.json or details.json is not as a run writes it ({type(error).__name__}: {error})"
        raise NotReportable(said) from None
    return write_page(text, run_dir, out)


def answer(summary: Mapping[str, Any]) -> str:
    """What came out, in two sentences."""
    ours = [(row, row["populations"].get("ours")) for row in summary["measures"]]
    required = [found for row, found in ours if row["required"]]
    held = sum(1 for found in required if found and found["verdict"] == "inside")
    missed = len(required) - held
    first = (
        f"All {len(required)} required measures lie in their bands."
        if not missed
        else f"Not yet: {held} of {len(required)} required measures lie in their bands, {missed} do not."
    )
    apart = _told_apart(summary)
    clear = all(row["missed"] == row["expected"] for row in apart)
    second = " and ".join(
        f"{row['called']} misses {row['missed']} of the {row['expected']} that it must miss" for row in apart
    )
    return f"{first} {second[:1].upper()}{second[1:]}{': both are told apart' if clear else ''}."


def screen(run_dir: Path) -> str:
    """The figures as lines of a terminal."""
    summary = read_json(run_dir / "summary.json")
    lines = [summary["title"] or summary["study"], answer(summary), ""]
    names = list(summary["populations"].values())
    lines.append(f"{'':24} {'band':>16} " + " ".join(f"{name:>18}" for name in names))
    for row in summary["measures"]:
        cells = []
        for key in summary["populations"]:
            found = row["populations"].get(key)
            mark = {"inside": " ", "outside": "x", "unmeasured": "?"}[found["verdict"]] if found else " "
            cells.append(f"{_figure(found['value']) if found else '':>16} {mark}")
        wanted = "" if row["required"] else " (not required)"
        lines.append(f"{row['name']:24} {_band(row):>16} " + " ".join(cells) + wanted)
    lines.append("")
    lines.append("x outside its band, ? not measured")
    if summary["invalid_reasons"]:
        lines.append(f"The study is not passed, {len(summary['invalid_reasons'])} reasons:")
        lines += [f"  {reason}" for reason in summary["invalid_reasons"]]
    lines.append(
        f"{_number(summary['messages'])} messages of the A interface, in {summary['time']['wall_s']:.0f} s."
    )
    return "\n".join(lines)


def _told_apart(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for column, called in summary["populations"].items():
        rows = [row for row in summary["measures"] if column in row["fails"]]
        if rows:
            missed = sum(1 for row in rows if row["populations"].get(column, {}).get("verdict") == "outside")
            found.append({"called": called, "expected": len(rows), "missed": missed})
    return found


def _groups(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    return list(groups.items())


def _figure(value: float | None) -> str:
    if value is None:
        return "not measured"
    if value < 0:
        return f"−{_figure(-value)}"
    if value and abs(value) < 0.0095:
        return f"{value:.1g}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def _interval(found: Mapping[str, Any]) -> str:
    low, high = found["low"], found["high"]
    if low is None or high is None or low == high:
        return ""
    return f"{_figure(low)} to {_figure(high)}"


def _band(row: Mapping[str, Any]) -> str:
    low, high = row["low"], row["high"]
    if high is None:
        return f"≥ {low:g}"
    if low == high:
        return f"{low:g}"
    if low == 0:
        return f"≤ {high:g}"
    return f"{low:g} to {high:g}".replace("-", "−")


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")
