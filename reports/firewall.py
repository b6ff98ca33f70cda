"""The page of a firewall study, and its one screen of text, rendered from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from reports.compared import Figure
from reports.language import LANGUAGES, Words
from reports.rendering import Filters, NotReportable, as_written, number, publish, read_json

__all__ = ["NotReportable", "answer", "compared", "screen", "write_report"]

PAGE: Final = "firewall"
GROUPS: Final = ("boundaries", "mutants", "right", "races", "crashes", "faults")
_MARKS: Final = {"passed": True, "failed": False, "skipped": None}


def write_report(run_dir: Path, out: Path | None = None, language: str = LANGUAGES[0]) -> Path:
    """Writes the page, and `summary.csv` beside the summary; where the page is.

    Raises:
        NotReportable: a file is missing, damaged, or lacks a key.
    """
    from reports import firewall_figures as figures

    manifest, summary = (read_json(run_dir / name) for name in ("manifest.json", "summary.json"))
    words = Words(PAGE, language)
    filters: Filters = {
        "violated": lambda case: _violated(case, words),
        "rule": lambda rule: _rule(rule, words),
        "ended": lambda reason: _ended(reason, words),
    }
    with as_written("summary.json"):
        return publish(
            "firewall.html.j2",
            words,
            filters,
            run_dir,
            out,
            manifest=manifest,
            summary=summary,
            answer=answer(summary, words),
            checks=checks(summary, words),
            reasons=[_reason(reason, summary, words) for reason in summary["invalid_reasons"]],
            groups=_grouped(summary),
            marks=_MARKS,
            kills=_kills(summary),
            pictures=figures.pictures(summary, words),
        )


def answer(summary: Mapping[str, Any], words: Words | None = None) -> str:
    """What came out, in two sentences."""
    words = words or Words(PAGE)
    must_hold, broken = _halves(summary)
    held = sum(c["outcome"] == "passed" for c in must_hold)
    caught = sum(c["outcome"] == "passed" for c in broken)
    contacts = number(sum(c["contacts"] for c in must_hold))
    first = (
        words("answer.held", cases=len(must_hold), contacts=contacts)
        if held == len(must_hold)
        else words("answer.not_held", n=len(must_hold) - held, cases=len(must_hold))
    )
    if not broken:
        return first
    second = (
        words("answer.caught", n=len(broken))
        if caught == len(broken)
        else words("answer.missed", n=len(broken), missed=len(broken) - caught)
    )
    return f"{first}{words.gap}{second}"


def compared(summary: Mapping[str, Any], words: Words) -> list[Figure]:
    """What is set side by side of several runs: violations of each case, restarts by the clock."""
    own = Words(PAGE, words.language)
    found = []
    for case in summary["cases"]:
        if case["outcome"] != "skipped":
            name = own.told(case["name"], "case") or case["name"]
            label = own("compared.violations", group=own.name(case["group"], "group"), case=name)
            key = f"violations.{case['group']}.{case['name']}"
            found.append(Figure(key, label, sum(case["violated"].values())))
    kills = _kills(summary)
    for name in ("p50", "p99", "max"):
        if kills is None:
            break
        label = own("compared.back", name=name)
        found.append(Figure(f"back.{name}", label, kills["back_s"].get(name), unit="s", clock=True))
    return found


def checks(summary: Mapping[str, Any], words: Words) -> list[dict[str, Any]]:
    """Whether the judge sees what it must, and nothing went missing; None: not run in this study."""
    rows = []

    def row(key: str, holds: bool | None, **values: Any) -> None:
        found = "" if holds is None else words(f"trust.{key}_found", **values)
        rows.append({"asked": words(f"trust.{key}"), "found": found, "holds": holds})

    edges = [c for c in summary["cases"] if c["group"] == "boundaries"]
    wrong = sum(sum(c["violated"].values()) for c in edges)
    tries = number(sum(c["tries"] for c in edges))
    row("judge", all(c["outcome"] == "passed" for c in edges) if edges else None, tries=tries, wrong=wrong)
    _, broken = _halves(summary)
    caught = sum(c["outcome"] == "passed" for c in broken)
    row("caught", caught == len(broken) if broken else None, caught=caught, n=len(broken))
    told = [c["figures"]["accounts"] for c in summary["cases"] if "accounts" in c["figures"]]
    lost, wanted = sum(a["lost"] for a in told), sum(a["wanted"] for a in told)
    row("accounted", lost == 0 if told else None, lost=number(lost), wanted=number(wanted))
    kills = _kills(summary)
    back = kills["back_s"] if kills else {}
    late = [c for c in summary["cases"] if "not back in time" in c["violated"]]
    row("back", not late if back.get("n") else None, **({"p50": "", "p99": "", "max": ""} | back))
    run = {c["group"] for c in summary["cases"] if c["outcome"] != "skipped"}
    skipped = sum(c["outcome"] == "skipped" for c in summary["cases"])
    row("complete", len(run) == len(GROUPS) and not skipped, run=len(run), all=len(GROUPS), skipped=skipped)
    return rows


def screen(run_dir: Path) -> str:
    """The cases as lines of a terminal."""
    words = Words(PAGE)
    summary = read_json(run_dir / "summary.json")
    lines = [summary["title"] or summary["study"], answer(summary), ""]
    for group, cases in _grouped(summary):
        lines.append(words.name(group, "group"))
        for case in cases:
            found = _violated(case, words) if case["outcome"] != "skipped" else "; ".join(case["said"])
            lines.append(f"  {case['outcome']:8}{case['name']:26}{number(case['contacts']):>10}  {found}")
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


def _halves(summary: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Cases that must hold, and those broken on purpose; skipped ones are in neither."""
    run = [c for c in summary["cases"] if c["outcome"] != "skipped"]
    return [c for c in run if not c["expected"]], [c for c in run if c["expected"]]


def _grouped(summary: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for case in summary["cases"]:
        groups.setdefault(case["group"], []).append(case)
    return list(groups.items())


def _kills(summary: Mapping[str, Any]) -> dict[str, Any] | None:
    found = [c["figures"] for c in summary["cases"] if c["group"] == "crashes" and "back_s" in c["figures"]]
    return found[0] if found else None


def _rule(rule: str, words: Words) -> str:
    """A rule of the policy, or what else a harness counts as violated."""
    if f"rule.{rule}" in words:
        return words(f"rule.{rule}")
    return words.told(rule, "what") or rule.replace("_", " ")


def _violated(case: Mapping[str, Any], words: Words) -> str:
    found = words("mark.comma").join(
        words("mark.counted", name=_rule(rule, words), n=number(n)) for rule, n in case["violated"].items()
    )
    if case["expected"]:
        wanted = _rule(case["expected"], words)
        return words("violated.expected", found=found or words("violated.none_found"), wanted=wanted)
    return found or words("violated.nothing")


def _ended(reason: str, words: Words) -> str:
    """`suppressed gap`: a final state, and why."""
    state, _, why = reason.partition(" ")
    said = words.name(state, "state")
    return words("mark.said", name=said, said=_rule(why, words)) if why else said


def _reason(reason: str, summary: Mapping[str, Any], words: Words) -> str | Markup:
    """Group, case and what it says of itself, as `experiments.firewall.study` puts them together."""
    for case in summary["cases"]:
        start = f"{case['group']}: {case['name']}: "
        if reason.startswith(start):
            said = [words.told(one, "said") or one for one in case["said"]]
            name = words.told(case["name"], "case") or case["name"]
            texts = (words.name(case["group"], "group"), name, words("mark.semicolon").join(said))
            return words("reason.case", group=texts[0], case=texts[1], said=texts[2])
    return words.told(reason, "reason") or reason
