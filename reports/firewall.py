"""The page of a firewall study, and its one screen of text, rendered from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2

from reports.rendering import Filters, NotReportable, read_json, render, write_page

__all__ = ["NotReportable", "screen", "write_report"]

_GROUPS: Final = {
    "boundaries": "The judge",
    "mutants": "Broken policies",
    "right": "The right policy",
    "races": "Races",
    "crashes": "Kills",
    "faults": "What the platform stands on",
}
_MARKS: Final = {"passed": "ok", "failed": "bad", "skipped": "na"}


def write_report(run_dir: Path, out: Path | None = None) -> Path:
    """Writes the page; where.

    Raises:
        NotReportable: a file is missing, damaged, or lacks a key.
    """
    from reports import firewall_figures as figures

    manifest, summary = (read_json(run_dir / name) for name in ("manifest.json", "summary.json"))
    filters: Filters = {"number": _number, "violated": _violated}
    try:
        text = render(
            "firewall.html.j2",
            filters,
            manifest=manifest,
            summary=summary,
            answer=answer(summary),
            groups=_grouped(summary),
            marks=_MARKS,
            kills=_kills(summary),
            pictures=figures.pictures(summary),
        )
    except (KeyError, TypeError, ValueError, IndexError, jinja2.UndefinedError) as error:
        said = f"summary.json is not as a run writes it ({type(error).__name__}: {error})"
        raise NotReportable(said) from None
    return write_page(text, run_dir, out)


def answer(summary: Mapping[str, Any]) -> str:
    """What came out, in two sentences."""
    cases = summary["cases"]
    must_hold = [c for c in cases if not c["expected"] and c["outcome"] != "skipped"]
    held = sum(c["outcome"] == "passed" for c in must_hold)
    contacts = sum(c["contacts"] for c in must_hold)
    broken = [c for c in cases if c["expected"] and c["outcome"] != "skipped"]
    caught = sum(c["outcome"] == "passed" for c in broken)
    first = (
        f"Nobody received what the policy forbids: {len(must_hold)} cases, {_number(contacts)} contacts."
        if held == len(must_hold)
        else f"Not yet: {len(must_hold) - held} of {len(must_hold)} cases did not hold."
    )
    if not broken:
        return first
    second = (
        f"The audit caught all {len(broken)} that are broken on purpose, each under the rule that names it."
        if caught == len(broken)
        else f"Of {len(broken)} that are broken on purpose the audit missed {len(broken) - caught}."
    )
    return f"{first} {second}"


def screen(run_dir: Path) -> str:
    """The cases as lines of a terminal."""
    summary = read_json(run_dir / "summary.json")
    lines = [summary["title"] or summary["study"], answer(summary), ""]
    for group, cases in _grouped(summary):
        lines.append(group)
        for case in cases:
            found = _violated(case) if case["outcome"] != "skipped" else "; ".join(case["said"])
            lines.append(f"  {case['outcome']:8}{case['name']:26}{_number(case['contacts']):>10}  {found}")
    if summary["invalid_reasons"]:
        lines += ["", f"The study is not passed, {len(summary['invalid_reasons'])} reasons:"]
        lines += [f"  {reason}" for reason in summary["invalid_reasons"]]
    kills = _kills(summary)
    if kills is not None and kills["back_s"].get("n"):
        back, cpu = kills["back_s"], kills["back_processor_s"]
        lines.append(
            f"\nService back after a kill: p50 {back['p50']} s, p99 {back['p99']} s, at most {back['max']} s "
            f"(processor time p50 {cpu['p50']} s; load average {kills['load_average']})"
        )
    lines.append(f"{summary['totals']['cases']} cases in {summary['time']['wall_s']:.0f} s.")
    return "\n".join(lines)


def _grouped(summary: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for case in summary["cases"]:
        groups.setdefault(_GROUPS.get(case["group"], case["group"]), []).append(case)
    return list(groups.items())


def _kills(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    found = [c["figures"] for c in summary["cases"] if c["group"] == "crashes" and "back_s" in c["figures"]]
    return found[0] if found else None


def _violated(case: Mapping[str, Any]) -> str:
    found = ", ".join(f"{rule.replace('_', ' ')} {n}" for rule, n in case["violated"].items())
    if case["expected"]:
        wanted = case["expected"].replace("_", " ")
        return f"{found or 'nothing'}; {wanted} was to be found"
    return found or "nothing violated"


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ")
