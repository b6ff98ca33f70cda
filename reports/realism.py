"""The page of a realism study, and its one screen of text, rendered from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup, escape

from reports.compared import Figure
from reports.language import LANGUAGES, Words
from reports.rendering import Filters, NotReportable, as_written, number, publish, read_json

__all__ = ["NotReportable", "answer", "compared", "screen", "write_report"]

PAGE: Final = "realism"
_MARKS: Final = {"inside": "ok", "outside": "bad", "unmeasured": "na"}


def write_report(run_dir: Path, out: Path | None = None, language: str = LANGUAGES[0]) -> Path:
    """Writes the page, and `summary.csv` beside the summary; where the page is.

    Raises:
        NotReportable: a file is missing, damaged, or lacks a key.
    """
    from reports import realism_figures as figures

    manifest, summary, details = (
        read_json(run_dir / name) for name in ("manifest.json", "summary.json", "details.json")
    )
    words = Words(PAGE, language)
    filters: Filters = {
        "figure": lambda value: _figure(value, words),
        "interval": lambda found: _interval(found, words),
        "band": lambda row: _band(row, words),
        "source": lambda text: _source(text, words),
    }
    with as_written("summary.json or details.json"):
        return publish(
            "realism.html.j2",
            words,
            filters,
            run_dir,
            out,
            manifest=manifest,
            summary=summary,
            details=details,
            answer=answer(summary, words),
            checks=checks(summary, words),
            groups=_groups(summary["measures"]),
            marks=_MARKS,
            told_apart=_told_apart(summary, words),
            pictures=figures.pictures(summary, details, words),
        )


def answer(summary: Mapping[str, Any], words: Words | None = None) -> str:
    """What came out, in two sentences."""
    words = words or Words(PAGE)
    held, required = _required(summary)
    first = (
        words("answer.all", n=required)
        if held == required
        else words("answer.some", held=held, n=required, missed=required - held)
    )
    apart = _told_apart(summary, words)
    clear = all(row["missed"] == row["expected"] for row in apart)
    parts = words("answer.and").join(
        words("answer.misses", population=row["called"], missed=row["missed"], n=row["expected"])
        for row in apart
    )
    return f"{first}{words.gap}{words('answer.both' if clear else 'answer.not_both', parts=parts)}"


def compared(summary: Mapping[str, Any], words: Words) -> list[Figure]:
    """What is set side by side of several runs: the required measures of our people."""
    own = Words(PAGE, words.language)
    found = []
    for row in summary["measures"]:
        ours = row["populations"].get("ours")
        if row["required"] and ours is not None and ours["value"] is not None:
            low, high = (ours["low"], ours["high"]) if ours["low"] != ours["high"] else (None, None)
            label = own.name(row["name"], "short")
            found.append(Figure(row["name"], label, ours["value"], low, high, row["unit"]))
    return found


def checks(summary: Mapping[str, Any], words: Words) -> list[dict[str, Any]]:
    """What the answer rests on, and whether it holds."""
    held, required = _required(summary)
    rows = [
        {
            "asked": words("trust.required"),
            "found": words("trust.required_found", held=held, n=required),
            "holds": held == required,
        }
    ]
    rows += [
        {
            "asked": words("trust.apart", population=row["called"]),
            "found": words("trust.apart_found", missed=row["missed"], n=row["expected"]),
            "holds": row["missed"] == row["expected"],
        }
        for row in _told_apart(summary, words)
    ]
    unmeasured = sum(
        found["verdict"] == "unmeasured"
        for row in summary["measures"]
        for found in row["populations"].values()
    )
    said = words("trust.measured_found", n=unmeasured)
    rows.append({"asked": words("trust.measured"), "found": said, "holds": not unmeasured})
    return rows


def screen(run_dir: Path) -> str:
    """The figures as lines of a terminal."""
    summary = read_json(run_dir / "summary.json")
    words = Words(PAGE)
    lines = [summary["title"] or summary["study"], answer(summary), ""]
    names = list(summary["populations"].values())
    lines.append(f"{'':24} {'band':>16} " + " ".join(f"{name:>18}" for name in names))
    for row in summary["measures"]:
        cells = []
        for key in summary["populations"]:
            found = row["populations"].get(key)
            mark = {"inside": " ", "outside": "x", "unmeasured": "?"}[found["verdict"]] if found else " "
            cells.append(f"{_figure(found['value'], words) if found else '':>16} {mark}")
        wanted = "" if row["required"] else " (not required)"
        lines.append(f"{row['name']:24} {_band(row, words):>16} " + " ".join(cells) + wanted)
    lines.append("")
    lines.append("x outside its band, ? not measured")
    if summary["invalid_reasons"]:
        lines.append(f"The study is not passed, {len(summary['invalid_reasons'])} reasons:")
        lines += [f"  {reason}" for reason in summary["invalid_reasons"]]
    lines.append(
        f"{number(summary['messages'])} messages of the A interface, in {summary['time']['wall_s']:.0f} s."
    )
    return "\n".join(lines)


def _required(summary: Mapping[str, Any]) -> tuple[int, int]:
    """Required measures of our people that lie in their bands, and how many there are."""
    required = [row["populations"].get("ours") for row in summary["measures"] if row["required"]]
    return sum(1 for found in required if found and found["verdict"] == "inside"), len(required)


def _told_apart(summary: Mapping[str, Any], words: Words) -> list[dict[str, Any]]:
    found = []
    for column in summary["populations"]:
        rows = [row for row in summary["measures"] if column in row["fails"]]
        if rows:
            missed = sum(1 for row in rows if row["populations"].get(column, {}).get("verdict") == "outside")
            found.append(
                {"called": words.name(column, "population"), "expected": len(rows), "missed": missed}
            )
    return found


def _groups(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["group"], []).append(row)
    return list(groups.items())


def _figure(value: float | None, words: Words) -> str:
    if value is None:
        return words("measures.not_measured")
    if value < 0:
        return f"−{_figure(-value, words)}"
    if value and abs(value) < 0.0095:
        return f"{value:.1g}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 100 else number(round(value))


def _interval(found: Mapping[str, Any], words: Words) -> str:
    low, high = found["low"], found["high"]
    if low is None or high is None or low == high:
        return ""
    return words("mark.to", low=_figure(low, words), high=_figure(high, words))


def _band(row: Mapping[str, Any], words: Words) -> str:
    low, high = row["low"], row["high"]
    if high is None:
        return f"≥ {low:g}"
    if low == high:
        return f"{low:g}"
    if low == 0:
        return f"≤ {high:g}"
    return words("mark.to", low=f"{low:g}", high=f"{high:g}").replace("-", "−")


def _source(text: str, words: Words) -> Markup:
    """Where a band comes from, part by part; citations stay as they are."""
    parts = [words.told(part, "source") or part for part in text.split("; ")]
    return escape(words("mark.semicolon").join(parts))
