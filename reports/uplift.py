"""The page of an uplift study, and its one screen of text, rendered from its folder alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup, escape

from reports.compared import Figure
from reports.language import LANGUAGES, Words
from reports.rendering import Filters, NotReportable, as_written, number, publish, read_json

__all__ = [
    "NotReportable",
    "answer",
    "asked_first",
    "checks",
    "compared",
    "parameter_label",
    "screen",
    "write_report",
]

PAGE: Final = "uplift"
_MINUS: Final = "−"
_SHARES: Final = ("take_up", "complaints", "opt_outs")
"""Measures that are shares of people: shown in hundredths, a day's in thousandths; all others are money."""


def write_report(run_dir: Path, out: Path | None = None, language: str = LANGUAGES[0]) -> Path:
    """Writes the page, and `summary.csv` beside the summary; where the page is.

    Raises:
        NotReportable: a file is missing, damaged, or lacks a key.
    """
    from reports import uplift_figures as figures

    manifest, summary = (read_json(run_dir / name) for name in ("manifest.json", "summary.json"))
    words = Words(PAGE, language)
    filters: Filters = {
        "points": points,
        "decimal": decimal,
        "interval": lambda found, scale=100.0, digits=2: _interval(found, words, scale, digits),
        "shares": lambda found: _interval(found, words, signed=False),
        "money": lambda found: _interval(found, words, 1.0, 2, signed=False),
        "measured": lambda found, measure, layout: _interval(found, words, *_scale_of(measure, layout)),
        "key": lambda text: Markup("<code>{}</code>").format(text),
        "parameter": lambda name: parameter_label(name, words),
        "place": lambda kind: words.name(kind, "place") if kind else words("elsewhere"),
        "method": lambda found: words.name(found["method"], "method") if "value" in found else "",
    }
    with as_written("summary.json"):
        trusted = all(check["holds"] is not False for check in summary["results"]["trust"])
        return publish(
            "uplift.html.j2",
            words,
            filters,
            run_dir,
            out,
            manifest=manifest,
            summary=summary,
            results=summary["results"],
            question=summary["question"],
            comparisons=asked_first(summary["results"]),
            trusted=trusted,
            money=words.name(summary["question"]["currency"], "currency"),
            answer=answer(summary, words),
            checks=checks(summary, words),
            offers=[_parameters(offer) for offer in summary["response"]],
            scale=_scale(summary["results"]["primary"]),
            unit=words(_unit(summary["results"]["primary"])),
            pictures=figures.pictures(summary, words) if trusted else {},
            tables=sorted(path.name for path in run_dir.glob("*.csv") if path.name != "summary.csv"),
        )


def asked_first(results: Mapping[str, Any]) -> dict[str, Any]:
    """Comparisons by name, the study's own question before the others."""
    asked = results["primary"]["name"]
    return dict(sorted(results["comparisons"].items(), key=lambda one: one[0] != asked))


def answer(summary: Mapping[str, Any], words: Words | None = None) -> str:
    """One sentence with its interval; none where the comparison is not to be trusted."""
    words = words or Words(PAGE)
    results = summary["results"]
    if any(check["holds"] is False for check in results["trust"]):
        return words("answer.stopped")
    primary, true = results["primary"], results["truth"]["effect"]
    found = primary["estimate"]
    if "refused" in found:
        return words("answer.refused", why=words.told(found["refused"], "refused") or found["refused"])
    verdict = "raised" if found["low"] > 0 else "lowered" if found["high"] < 0 else "untold"
    scale = _scale(primary)
    size = found["value"] if verdict == "untold" else abs(found["value"])
    values = {
        "size": decimal(scale * size),
        "low": decimal(scale * found["low"]),
        "high": decimal(scale * found["high"]),
        "true": decimal(scale * true["value"]),
    }
    if primary["name"] == "precise_vs_blanket_reach":
        values["at"] = summary["question"]["blanket_at"]
    said = words(f"answer.{primary['name']}.{verdict}", **values)
    return said if verdict != "untold" else words.gap.join([said, *_power(results, words)])


def _power(results: Mapping[str, Any], words: Words) -> list[str]:
    """What a run that told nothing apart could have found: nothing told is not nothing there."""
    primary, before, after = results["primary"], *(results["planning"][name] for name in ("before", "after"))
    detectable = after["detectable"] if after is not None else before["detectable"]
    if detectable is None or "value" not in before["power"]:
        return []
    scale = _scale(primary)
    values = {
        "unit": words(_unit(primary)),
        "detectable": decimal(scale * detectable),
        "hoped": decimal(scale * before["hoped"]["effect"]),
        "power": f"{100 * before['power']['value']:.0f} %",
        "wanted": f"{100 * before['wanted_power']:.0f} %",
    }
    weak = before["power"]["value"] < before["wanted_power"]
    return [words("answer.underpowered" if weak else "answer.detectable", **values)]


def _scale(primary: Mapping[str, Any]) -> float:
    """What differences of take-up are shown in: hundredths of people, of days thousandths a day."""
    return 1000.0 if primary["layout"] == "days" else 100.0


def _unit(primary: Mapping[str, Any]) -> str:
    return "unit.day" if primary["layout"] == "days" else "unit.points"


def checks(summary: Mapping[str, Any], words: Words) -> list[dict[str, Any]]:
    """The trust block as rows of a table."""
    rows = []
    for check in summary["results"]["trust"]:
        key, holds, values = check["key"], check["holds"], dict(check["values"])
        if "why" in values:
            found = words(f"trust.why.{values['why']}")
        else:
            found = words(f"trust.{key}.found", **_told_of(key, values, words))
        rows.append({"asked": words(f"trust.{key}.asked"), "found": found, "holds": holds})
    return rows


def _told_of(key: str, values: dict[str, Any], words: Words) -> dict[str, Any]:
    """Values of a check as texts."""
    if key == "compliance":
        return {"contacts": number(values["contacts"]), "violations": number(sum(values["broken"].values()))}
    if key == "same_feed":
        told = {name: number(values[name]) for name in ("triggers", "people", "days")}
        return {**told, "equal": words("yes" if values["outcome_same"] else "no")}
    if key in ("a_a", "coverage", "held_out"):
        shares = ("share", "low", "high", "held_out", "control")
        return {name: f"{100 * v:.1f} %" if name in shares else number(v) for name, v in values.items()}
    made = {}
    for name, value in values.items():
        if name == "p":
            made[name] = f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
        elif isinstance(value, list):
            made[name] = words.list(number(one) for one in value)
        else:
            made[name] = number(value)
    return made


def compared(summary: Mapping[str, Any], words: Words) -> list[Figure]:
    """What is set side by side of several runs: differences of take-up, and their truths."""
    own = Words(PAGE, words.language)
    found = []
    for name, comparison in summary["results"]["comparisons"].items():
        measure, label = comparison["measures"]["take_up"], own.name(name, "comparison")
        scale, of = _scale(comparison), "day_" if comparison["layout"] == "days" else ""
        if "value" in measure:
            ends = [scale * measure[key] for key in ("value", "low", "high")]
            found.append(Figure(f"{name}.take_up", own(f"compared.{of}take_up", name=label), *ends))
        true = comparison["true"]
        half = 1.96 * scale * true["se"]
        value = scale * true["value"]
        label = own(f"compared.{of}true", name=label)
        found.append(Figure(f"{name}.true", label, value, value - half, value + half))
    return found


def screen(run_dir: Path) -> str:
    """What the terminal shows when a run has ended."""
    words = Words(PAGE)
    summary = read_json(run_dir / "summary.json")
    results = summary["results"]
    lines = [summary["title"] or summary["study"], answer(summary, words), ""]
    heads = ("people", 8), ("contacts", 10), ("took up", 9), ("complain", 10), ("opt out", 9), ("cost", 10)
    lines.append(f"{'arm':16}" + "".join(f"{name:>{wide}}" for name, wide in (*heads, ("net", 10))))
    for name, arm in results["arms"].items():
        shares = "".join(
            f"{100 * arm[key]['value']:>{wide}.2f}%"
            for key, wide in (("take_up", 8), ("complaints", 9), ("opt_outs", 8))
        )
        lines.append(
            f"{name:16}{arm['people']:>8}{arm['contacts']:>10}{shares}{arm['cost']:>10.2f}{arm['net']:>10.2f}"
        )
    lines.append("")
    for name, comparison in results["comparisons"].items():
        found, true = comparison["measures"]["take_up"], comparison["true"]["value"]
        size = _scale(comparison) / 100
        said, low, high, true = (
            "none" if one is None else points(size * one)
            for one in (*(found.get(key) for key in ("value", "low", "high")), true)
        )
        said = "none" if "refused" in found else f"{said} [{low}, {high}]"
        unit = "points " if size == 1 else "per mille a day "
        lines.append(f"{name.replace('_', ' '):34}{said:>26} {unit}  truth {true}")
    lines.append("")
    for check in results["trust"]:
        mark = {True: "holds", False: "FAILS", None: "-"}[check["holds"]]
        lines.append(f"{mark:6} {check['key'].replace('_', ' '):15} {_plainly(check['values'])}")
    tornado = results["sensitivity"]
    if tornado is not None:
        flipping = ", ".join(tornado["flipping"]) or "none"
        lines += ["", f"assumptions that flip the sign: {flipping} (of {tornado['tried']} tried)"]
    lines.append(f"{summary['time']['wall_s']:.0f} s")
    return "\n".join(lines)


def _plainly(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {round(v, 4) if isinstance(v, float) else v}" for name, v in values.items())


def points(share: float | None, digits: int = 2) -> str:
    """A share in hundredths, with its sign."""
    return "–" if share is None else f"{100 * share:+.{digits}f}".replace("-", _MINUS)


def decimal(value: float | None, digits: int = 2) -> str:
    """A number with so many decimals."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", _MINUS)


def parameter_label(name: str, words: Words) -> str:
    """What a number of a response is called, by its key below the offer."""
    parts = name.split(".")
    if parts[0] in ("segments", "channels"):
        return words(f"parameter.{parts[0]}", which=words.name(parts[1], "segment"))
    places = [int(part) for part in parts if part.isdigit()]
    key = f"parameter.{'_'.join(part for part in parts if not part.isdigit())}"
    if key not in words:
        return name
    ahead = parts[-1].isdigit()  # days before an event are counted from its day
    return words(key, which=places[0] + (0 if ahead else 1)) if places else words(key)


def _scale_of(measure: str, layout: str) -> tuple[float, int]:
    if measure.endswith("_relative"):
        return 100.0, 2
    if measure in _SHARES:
        return (1000.0 if layout == "days" else 100.0), 2
    return 1.0, 4


def _interval(
    found: Mapping[str, Any], words: Words, scale: float = 100.0, digits: int = 2, *, signed: bool = True
) -> str | Markup:
    """An estimate with its interval, or why there is none."""
    if "refused" in found:
        said = words.told(found["refused"], "refused")
        why = (
            escape(said) if said is not None else Markup('<span lang="en">{}</span>').format(found["refused"])
        )
        return Markup("– <small>{}</small>").format(why)
    value, low, high = (decimal(scale * found[name], digits) for name in ("value", "low", "high"))
    sign = "+" if signed and found["value"] > 0 else ""
    return f"{sign}{value}{words('mark.because', why=words('mark.to', low=low, high=high))}"


def _parameters(offer: Mapping[str, Any]) -> dict[str, Any]:
    """An offer's numbers that are not left at nothing, by the key that a study file would use."""
    rows: list[tuple[str, str]] = []

    def take(node: Any, path: str) -> None:
        if isinstance(node, Mapping):
            for name, below in node.items():
                take(below, f"{path}.{name}" if path else str(name))
        elif isinstance(node, list) and node and isinstance(node[0], Mapping):
            for index, below in enumerate(node):
                take(below, f"{path}.{index}")
        elif node not in (None, 0, 0.0, [], {}):
            rows.append((path, ", ".join(map(str, node)) if isinstance(node, list) else str(node)))

    take({name: below for name, below in offer.items() if name != "name"}, "")
    return {"name": offer["name"], "rows": rows}
