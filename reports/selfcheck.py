"""The page of a selfcheck study, and its one screen of text, rendered from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reports.language import LANGUAGES, Words
from reports.numerals import number
from reports.rendering import Filters, NotReportable, as_written, publish, read_json

__all__ = ["NotReportable", "screen", "write_report"]

PAGE = "selfcheck"


def write_report(run_dir: Path, out: Path | None = None, language: str = LANGUAGES[0]) -> Path:
    """Writes the page, and `summary.csv` beside the summary; where the page is.

    Raises:
        NotReportable: a file is missing, damaged, or lacks a key.
    """
    from reports.selfcheck_figures import bands, overview

    words = Words(PAGE, language)
    manifest, summary = (read_json(run_dir / name) for name in ("manifest.json", "summary.json"))
    filters: Filters = {
        "value": value_text,
        "band": lambda band: band_text(words, band["least"], band["most"]),
    }
    with as_written("summary.json"):
        groups = _grouped(summary)
        return publish(
            "selfcheck.html.j2",
            words,
            filters,
            run_dir,
            out,
            manifest=manifest,
            summary=summary,
            answer=answer(words, summary),
            checks=[_check(words, name, cases) for name, cases in groups],
            groups=[(name, title_of(words, name), about_of(words, name), cases) for name, cases in groups],
            overview=overview(
                words, words("section.answer"), [(title_of(words, name), cases) for name, cases in groups]
            ),
            pictures={name: bands(words, title_of(words, name), cases) for name, cases in groups},
            name_of=lambda group, what: name_of(words, group, what),
        )


def _check(words: Words, group: str, cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A row of the trust table: one group of cases."""
    passed = sum(1 for case in cases if case["passed"])
    found = words("trust", passed=passed, total=len(cases))
    return {"asked": title_of(words, group), "found": found, "holds": passed == len(cases)}


def answer(words: Words, summary: Mapping[str, Any]) -> str:
    """What came out, in a sentence."""
    found = summary["results"]
    total, passed = len(found["cases"]), found["passed"]
    values = sum(len(case["bands"]) for case in found["cases"])
    key = "answer.all" if passed == total else "answer.some"
    return words(key, total=total, passed=passed, failed=total - passed, values=values)


def title_of(words: Words, group: str) -> str:
    """A group's name; one without words of its own is called by its key."""
    key = f"group.{group}.title"
    return words(key) if key in words else group


def about_of(words: Words, group: str) -> str:
    """What a group tries; empty where the catalogue does not say."""
    key = f"group.{group}.about"
    return words(key) if key in words else ""


def name_of(words: Words, group: str, what: str) -> str:
    """A found value's name."""
    key = f"value.{group}.{what.replace(' ', '_')}"
    return words(key) if key in words else what.replace("_", " ")


def value_text(value: float | None) -> str:
    """A number as short as it can be told apart."""
    if value is None:
        return "–"
    return number(value) if value == int(value) or abs(value) >= 1000 else f"{value:.4g}"


def band_text(words: Words, low: float | None, high: float | None) -> str:
    """A band in words."""
    if low is None and high is None:
        return words("band.any")
    if low is None:
        return words("band.most", high=value_text(high))
    if high is None:
        return words("band.least", low=value_text(low))
    if low == high:
        return words("band.exactly", value=value_text(low))
    return words("band.between", low=value_text(low), high=value_text(high))


def screen(run_dir: Path) -> str:
    """The cases as lines of a terminal."""
    words, summary = Words(PAGE), read_json(run_dir / "summary.json")
    lines = [summary["title"] or summary["study"], answer(words, summary)]
    for group, cases in _grouped(summary):
        lines += ["", title_of(words, group)]
        for case in cases:
            lines.append(f"  {'passed' if case['passed'] else 'FAILED':8}{case['name']}: {case['tried']}")
            lines += [
                f"            {name_of(words, group, what):34}{value_text(value):>10}  "
                f"({band_text(words, band['least'], band['most'])})"
                for what, band in case["bands"].items()
                for value in [case["found"][what]]
            ]
    lines.append(f"\n{len(summary['results']['cases'])} cases in {summary['time']['wall_s']:.0f} s.")
    return "\n".join(lines)


def _grouped(summary: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for case in summary["results"]["cases"]:
        groups.setdefault(case["group"], []).append(case)
    return list(groups.items())
