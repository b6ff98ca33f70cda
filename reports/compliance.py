"""The page of a compliance study, and its one screen of text, rendered from its folder alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup, escape

from reports.compared import Figure
from reports.language import LANGUAGES, Words
from reports.rendering import Filters, NotReportable, as_written, number, publish, read_json

__all__ = ["NotReportable", "answer", "compared", "screen", "write_report"]

PAGE: Final = "compliance"
FILES: Final = (
    "pressure.parquet", "pressure_distribution.csv", "cap_use.csv", "near_misses.parquet",
    "near_misses.csv", "suppressed.csv", "displaced.parquet", "displacement.csv", "holds.parquet",
    "releases.csv", "arms/precise/parts.parquet", "arms/precise/policy.yaml",
)  # fmt: skip
"""That a run leaves; those that are there are named."""
RULES: Final = (
    "cap", "gap", "not_after", "quiet_hours", "closed_hours", "holiday", "busy_cell", "do_not_disturb",
    "control_group", "duplicate",
)  # fmt: skip
"""What the audit may find broken; whatever else a case has violated is not the policy."""
_FIGURES: Final = ("campaigns", "workers", "while_starting", "at_reply", "days", "people")
"""Of cases, that the catalogue may name."""
_MARKS: Final = {"passed": True, "failed": False, "skipped": None}


def write_report(run_dir: Path, out: Path | None = None, language: str = LANGUAGES[0]) -> Path:
    """Writes the page, and `summary.csv` beside the summary; where the page is.

    Raises:
        NotReportable: a file is missing, damaged, or lacks a key.
    """
    from reports import compliance_figures as figures

    manifest, summary = (read_json(run_dir / name) for name in ("manifest.json", "summary.json"))
    words = Words(PAGE, language)
    with as_written("summary.json"):
        cap_words = _cap_words(summary, words)

        def edge_words(edge: Mapping[str, Any]) -> str:
            return _edge(edge, words, cap_words)

        own = figures.users_words(summary)
        filters: Filters = {
            "share": _share,
            "cap": lambda text: _marked(cap_words(text), own),
            "named": lambda text: _marked(text, (text,)),
            "margin": lambda edge: _margin(edge, words),
            "edge": lambda edge: _marked(edge_words(edge), own),
            "violated": lambda case: _violated(case, words),
            "tried": lambda case: _tried(case, words),
            "why": lambda case: _why(case, words),
        }
        return publish(
            "compliance.html.j2",
            words,
            filters,
            run_dir,
            out,
            manifest=manifest,
            summary=summary,
            life=summary["life"],
            answer=answer(summary, words),
            near=near_total(summary),
            marks=_MARKS,
            groups=_grouped(summary),
            campaigns=sum(role.startswith("campaign ") for role in manifest["scenario"]),
            pictures=figures.pictures(summary, words, cap_words, edge_words),
            tables=[name for name in FILES if (run_dir / name).exists()],
        )


def _marked(text: str, own: Sequence[str]) -> Markup:
    """With users' words said to be in a language of their own."""
    safe = str(escape(text))
    if own:
        known = re.compile("|".join(re.escape(str(escape(word))) for word in own))
        safe = known.sub(r'<span lang="">\g<0></span>', safe)
    return Markup(safe)


def compared(summary: Mapping[str, Any], words: Words) -> list[Figure]:
    """What is set side by side of several runs."""
    own = Words(PAGE, words.language)
    found = []
    for case in summary["cases"]:
        if case["outcome"] != "skipped":
            name = own.name(_key(case["name"]), "case")
            label = own("compared.violations", group=own.name(case["group"], "group"), case=name)
            key = f"violations.{case['group']}.{case['name']}"
            found.append(Figure(key, label, sum(case["violated"].values())))
    life = summary["life"]
    if life is not None:
        cap_words = _cap_words(summary, own)
        found += [
            Figure("near", own("compared.near"), near_total(summary)),
            Figure("gini", own("compared.gini"), life["pressure"]["gini"]),
            Figure("p99", own("compared.p99"), life["pressure"]["p99"]),
            Figure("displaced", own("compared.displaced"), life["displaced"]["total"]),
            Figure("held", own("compared.held"), life["holds"]["held"]),
        ]
        for cap in life["caps"]:
            label = own("compared.reached", cap=cap_words(cap["text"]))
            found.append(Figure(f"cap.{cap['text']}", label, 100 * _used_up(cap), unit="%"))
    return found


def answer(summary: Mapping[str, Any], words: Words) -> str:
    """What came out, in one or two sentences, with the interval of the share of contacts that violate."""
    cases = [case for case in summary["cases"] if case["outcome"] != "skipped" and not case["expected"]]
    failed = [case for case in cases if case["outcome"] == "failed"]
    contacts = sum(case["contacts"] for case in cases)
    if not cases or not contacts:
        return words("answer.nothing")
    overstepped = [case for case in failed if any(rule in RULES for rule in case["violated"])]
    violated = sum(n for case in overstepped for rule, n in case["violated"].items() if rule in RULES)
    life = summary["life"]
    judged = number(contacts)
    if overstepped:
        first = words(
            "answer.violated", cases=len(overstepped), of=len(cases), violated=violated, contacts=judged
        )
    else:
        first = words("answer.held", cases=len(cases), contacts=judged, share=_at_most(contacts))
        if failed:
            first += words.gap + words("answer.otherwise", cases=len(failed), of=len(cases))
    if life is None or not life["audit"]["contacts"]:
        return first
    second = words(
        "answer.life",
        near=near_total(summary),
        near_s=f"{summary['near_s']:g}",
        displaced=number(life["displaced"]["total"]),
        triggers=number(life["triggers"]["total"]),
    )
    return f"{first}{words.gap}{second}"


def near_total(summary: Mapping[str, Any]) -> int:
    """Near misses over all edges of all rules."""
    life = summary["life"]
    return 0 if life is None else sum(edge["near"] for edge in life["near"])


def _used_up(cap: Mapping[str, Any]) -> float:
    """Share of person-periods in which a cap would have let nothing more through."""
    return float(sum(cap["counts"][cap["most"] :]) / max(sum(cap["counts"]), 1))


def _at_most(contacts: int) -> str:
    """Of no violation among so many: the largest share with which that still has a chance of 5 %."""
    return _share(1 - 0.05 ** (1 / contacts))


def screen(run_dir: Path) -> str:
    """The results as lines of a terminal."""
    summary, words = read_json(run_dir / "summary.json"), Words("compliance")
    lines = [summary["title"] or summary["study"], answer(summary, words), ""]
    for case in summary["cases"]:
        name = words(f"case.{_key(case['name'])}")
        found = _why(case, words) if case["outcome"] == "skipped" else _violated(case, words)
        lines.append(f"  {case['outcome']:8}{case['group']:9}{name:42}{number(case['contacts']):>9}  {found}")
    life = summary["life"]
    if life is not None:
        pressure = life["pressure"]
        gini = "-" if pressure["gini"] is None else f"{pressure['gini']:.2f}"
        lines += [
            "",
            f"contacts a subscriber: mean {pressure['mean']:.2f}, p99 {pressure['p99']}, "
            f"most {pressure['most']}, Gini {gini}",
            *(f"cap: {cap['text']}: used up in {_share(_used_up(cap))}" for cap in life["caps"]),
            f"held {life['holds']['held']}, displaced {life['displaced']['total']}, near misses "
            f"{near_total(summary)}",
        ]
    for one in summary["left_out"]:
        lines.append(f"left out of {one['group']}: {one['campaign']}: {words('left_out.' + one['why'])}")
    if summary["invalid_reasons"]:
        lines += ["", f"The study is not passed, {len(summary['invalid_reasons'])} reasons:"]
        lines += [f"  {reason}" for reason in summary["invalid_reasons"]]
    lines.append(f"{summary['totals']['cases']} cases in {summary['time']['wall_s']:.0f} s.")
    return "\n".join(lines)


# --------------------------------------------------------------------------- in words


def _cap_words(summary: Mapping[str, Any], words: Words) -> Callable[[str], str]:
    """A cap as the audit writes it -> in the page's language."""
    life = summary["life"]
    caps = {} if life is None else {cap["text"]: cap for cap in life["caps"]}

    def said(text: str) -> str:
        cap = caps.get(text)
        if cap is None:
            return words(f"rule.{text}") if f"rule.{text}" in words else text
        if cap["per"]:
            found = words(f"cap.{cap['per']}", most=cap["most"])
        else:
            days, hours = cap["within_s"] / 86400, cap["within_s"] / 3600
            key, long = ("days", days) if days == int(days) else ("hours", hours)
            found = words(f"cap.{key}", most=cap["most"], long=f"{long:g}")
        if cap["channels"]:
            found += words("cap.channels", channels="/".join(cap["channels"]))
        return found + (words("cap.classes", classes="/".join(cap["classes"])) if cap["classes"] else "")

    return said


def _edge(edge: Mapping[str, Any], words: Words, cap_words: Callable[[str], str]) -> str:
    of = cap_words(edge["of"]) if edge["rule"] == "cap" else edge["of"]
    if edge["rule"] == "not_after":
        these, _, those = of.partition(" after ")
        return words("edge.classes", these=these.replace(" or ", "/"), those=those.replace(" or ", "/"))
    return words(f"edge.{edge['edge']}", rule=words(f"rule.{edge['rule']}"), of=of).strip()


def _margin(edge: Mapping[str, Any], words: Words) -> str:
    """The smallest margin of an edge."""
    worst = edge["worst"]
    if worst is None:
        return "–"
    if edge["unit"] != "us":
        return words(f"unit.{edge['unit']}", n=worst)
    seconds = worst / 1e6
    for name, long, digits in (("d", 86400, 1), ("h", 3600, 1), ("min", 60, 1), ("s", 1, 2)):
        if abs(seconds) >= long or name == "s":
            return words(f"unit.{name}", n=f"{seconds / long:.{digits}f}")
    raise AssertionError("the last unit takes everything")


def _violated(case: Mapping[str, Any], words: Words) -> str:
    said = [f"{_rule(rule, words)} {n}" for rule, n in case["violated"].items()]
    found = words("mark.comma").join(said) or words("cases.nothing")
    if case["expected"]:
        return words("cases.expected", found=found, rule=_rule(case["expected"], words))
    return found


def _rule(name: str, words: Words) -> str:
    key = f"rule.{_key(name)}"
    return words(key) if key in words else name


def _tried(case: Mapping[str, Any], words: Words) -> str:
    key, figures = f"tried.{_key(case['name'])}", case["figures"]
    known = {name: figures.get(name, 0) for name in _FIGURES}
    return words(key, tries=number(case["tries"]), **known) if key in words else case["tried"]


def _why(case: Mapping[str, Any], words: Words) -> str:
    """Why a case is skipped."""
    why = case["figures"].get("why", "")
    return words(f"why.{why}") if why else "; ".join(case["said"])


def _key(name: str) -> str:
    """A case's name as a key of the catalogue."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _grouped(summary: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, Mapping[str, Any]]]]]:
    groups: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for case in summary["cases"]:
        groups.setdefault(case["group"], []).append((_key(case["name"]), case))
    return list(groups.items())


def _share(value: float | None) -> str:
    """A share in per cent, with as many digits as it takes to be seen."""
    if value is None:
        return "–"
    percent = 100 * value
    return f"{percent:.1f} %" if percent >= 1 or not percent else f"{percent:.2g} %"
