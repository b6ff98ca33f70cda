"""The page that sets several runs of one kind side by side, made from their folders alone."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from reports.compared import Figure, figures_of
from reports.language import LANGUAGES, Words
from reports.rendering import (
    Filters,
    NotReportable,
    as_written,
    number,
    page_name,
    read_json,
    render,
    write_page,
    write_text,
)

__all__ = ["NotReportable", "compare", "comparison_name"]

PAGE: Final = "comparison"
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST: Final = len(LETTERS)
"""Runs that one page compares."""
_PLAIN: Final = (
    "subscribers",
    "days",
    "seeds",
    "moving_days",
    "replicates",
    "replications",
    "feed",
    "seconds",
)
"""Keys of a summary that say how large a study was."""


def comparison_name(language: str = LANGUAGES[0]) -> str:
    """The file of a comparison: `comparison.html`, `comparison.zh.html`."""
    return page_name(language).replace("report", "comparison")


def compare(runs: Sequence[Path], out: Path, language: str = LANGUAGES[0]) -> Path:
    """Writes the page; where.

    Raises:
        NotReportable: a folder lacks what is compared, or the runs are not of one kind, or too few or many.
    """
    words = Words(PAGE, language)
    if not 2 <= len(runs) <= MOST:
        raise NotReportable(f"{len(runs)} runs: expected 2 to {MOST}")
    if len({run.resolve() for run in runs}) < len(runs):
        raise NotReportable("the same folder twice: expected different runs")
    with as_written("summary.json or manifest.json"):
        columns = [_column(letter, run) for letter, run in zip(LETTERS, runs, strict=False)]
        kinds = sorted({column["kind"] for column in columns})
        if len(kinds) > 1:
            said = ", ".join(f"{c['path']}: {c['kind']}" for c in columns)
            raise NotReportable(f"runs of {len(kinds)} kinds ({said}): expected one kind")
        rows = _rows(columns, kinds[0], words)
        from reports import comparison_figures as pictures

        filters: Filters = {"figure": _figure, "interval": lambda figure: _interval(figure, words)}
        text = render(
            "comparison.html.j2",
            filters,
            t=words,
            columns=columns,
            kind=kinds[0],
            answer=_answer(columns, rows, words),
            warnings=_warnings(columns, words),
            differing=_differing(columns, words),
            rows=rows,
            pictures=pictures.pictures(rows, [c["letter"] for c in columns], words),
        )
        table = _table(columns, rows)
    write_text(out.with_suffix(".csv"), table)
    return write_page(text, out.parent, out, language)


def _column(letter: str, run: Path) -> dict[str, Any]:
    manifest, summary = read_json(run / "manifest.json"), read_json(run / "summary.json")
    return {
        "letter": letter,
        "path": run.name,
        "kind": summary.get("kind", manifest.get("kind", "end-to-end")),
        "manifest": manifest,
        "summary": summary,
    }


def _rows(columns: Sequence[Mapping[str, Any]], kind: str, words: Words) -> list[dict[str, Any]]:
    """Figures that every one of the runs could have: a row each, a cell a run (None: not in that one)."""
    found = [{f.key: f for f in figures_of(kind, column["summary"], words)} for column in columns]
    keys = list(dict.fromkeys(key for figures in found for key in figures))
    rows = []
    for key in keys:
        cells = [figures.get(key) for figures in found]
        first = next(cell for cell in cells if cell is not None)
        if any(cell is not None and cell.value is not None for cell in cells):
            rows.append({"figure": first, "cells": cells})
    return rows


def _table(columns: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> str:
    """The same as CSV: of every run the value and the ends of its interval."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    runs = [column["path"] for column in columns]
    table.writerow(["key", "unit", *(head for run in runs for head in (run, f"{run} low", f"{run} high"))])
    for row in rows:
        cells = [(None, None, None) if c is None else (c.value, c.low, c.high) for c in row["cells"]]
        table.writerow([row["figure"].key, row["figure"].unit, *(value for cell in cells for value in cell)])
    return text.getvalue()


def _answer(columns: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]], words: Words) -> str:
    """What is compared, and what comes out apart of it."""
    both = [row for row in rows if all(c is not None and c.low is not None for c in row["cells"])]
    apart = [row for row in both if _apart(row["cells"])]
    runs = len(columns)
    if not rows:
        return words("answer.nothing", runs=runs)
    if not both:
        return words("answer.no_intervals", runs=runs, figures=len(rows))
    if not apart:
        return words("answer.together", runs=runs, n=len(both))
    named = words.list(row["figure"].label for row in apart[:3])
    return words("answer.apart", runs=runs, n=len(both), apart=len(apart), named=named)


def _apart(cells: Sequence[Figure]) -> bool:
    """Whether some interval lies wholly beyond another."""
    ends = [(cell.low, cell.high) for cell in cells if cell.low is not None and cell.high is not None]
    return max(low for low, _ in ends) > min(high for _, high in ends)


def _warnings(columns: Sequence[Mapping[str, Any]], words: Words) -> list[str]:
    said = []
    invalid = [c["letter"] for c in columns if not c["summary"]["valid"]]
    if invalid:
        said.append(words("warning.invalid", runs=words.list(invalid)))
    differ = {name: len(set(values)) > 1 for name, values in _parts(columns).items()}
    scenario = [name for name in differ if name.startswith("scenario.") and differ[name]]
    if differ["study"] or any(name == "scenario.study" for name in scenario):
        said.append(words("warning.study"))
    others = [name.removeprefix("scenario.") for name in scenario if name != "scenario.study"]
    if others:
        roles = words.list(words.told(role, "role") or role for role in others)
        said.append(words("warning.scenario", roles=roles))
    if differ["seed"]:
        said.append(words("warning.seed"))
    elif not differ["study"] and not scenario and not differ["asked"]:
        said.append(words("warning.same_seed"))
    if differ["machine"]:
        said.append(words("warning.machine"))
    if differ["commit"] or differ["versions"]:
        said.append(words("warning.software"))
    if any("+" in (c["manifest"].get("commit") or "") for c in columns):
        said.append(words("warning.changed"))
    return said


def _parts(columns: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What a run was made of -> its value in each run, as text."""
    manifests, summaries = [c["manifest"] for c in columns], [c["summary"] for c in columns]
    parts = {
        "study": [str(s["study"]) for s in summaries],
        "seed": [str(s["seed"]) for s in summaries],
        "asked": [
            s.get("rerun") or shlex.join(m.get("command", []))
            for s, m in zip(summaries, manifests, strict=True)
        ],
        "commit": [str(m.get("commit") or "–") for m in manifests],
        "machine": [_machine(m.get("machine", {})) for m in manifests],
        "versions": _versions([m.get("versions", {}) for m in manifests]),
    }
    for name in _PLAIN:
        if any(name in s for s in summaries):
            parts[name] = [str(s.get(name, "–")) for s in summaries]
    roles = dict.fromkeys(role for m in manifests for role in m.get("scenario", {}))
    for role in roles:
        files = [m.get("scenario", {}).get(role) for m in manifests]
        parts[f"scenario.{role}"] = ["–" if f is None else f"{f['file']} {f['sha256'][:12]}" for f in files]
    return parts


def _differing(columns: Sequence[Mapping[str, Any]], words: Words) -> list[dict[str, Any]]:
    """Rows of what differs between the runs; what is the same is left out."""
    rows = []
    for name, values in _parts(columns).items():
        if len(set(values)) > 1:
            role = name.removeprefix("scenario.")
            called = words.told(role, "role") if role != name else words.name(name, "part")
            rows.append({"part": called or role, "values": values})
    return rows


def _machine(found: Mapping[str, Any]) -> str:
    return ", ".join(str(found[key]) for key in ("system", "processor", "cpus") if key in found) or "–"


def _versions(found: Sequence[Mapping[str, str]]) -> list[str]:
    """Those libraries alone that are not of one version in all runs."""
    names = sorted({name for versions in found for name in versions})
    differ = [name for name in names if len({versions.get(name) for versions in found}) > 1]
    return [", ".join(f"{name} {versions.get(name, '–')}" for name in differ) for versions in found]


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    if value == 0 or float(value).is_integer() or abs(value) >= 1000:
        return number(value)
    return f"{value:.4g}".replace("-", "−")


def _interval(figure: Figure, words: Words) -> str:
    if figure.low is None or figure.high is None:
        return ""
    return words("mark.to", low=_figure(figure.low), high=_figure(figure.high))
