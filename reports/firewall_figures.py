"""The pictures of a firewall report, as inline SVG: what broken policies broke, how long a restart takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np

from reports.drawing import ACCENT, INK, OTHER, STYLE, figure_of, svg
from reports.language import Words

__all__ = ["pictures"]


def pictures(summary: Mapping[str, Any], words: Words) -> dict[str, str]:
    """Every picture by name; those of which there is nothing are left out."""
    cases = summary["cases"]
    broken = [c for c in cases if c["group"] == "mutants"]
    kills = [c for c in cases if c["group"] == "crashes" and c["figures"].get("back_each_s")]
    found = {}
    with mpl.rc_context(STYLE):
        if broken:
            found["mutants"] = _mutants(broken, words)
        if kills:
            found["back"] = _back(kills[0]["figures"]["back_each_s"], words)
    return found


def _mutants(cases: Sequence[Mapping[str, Any]], words: Words) -> str:
    """A row a policy, a column a rule; the rule that names it is framed."""
    rules = list(
        dict.fromkeys(r for c in cases for r in (*c["violated"], *([c["expected"]] * bool(c["expected"]))))
    )
    names = {c["name"]: words.told(c["name"], "case") or c["name"] for c in cases}
    figure, axes = figure_of("mutants", 0.6 + 0.27 * len(cases))
    for y, case in enumerate(cases):
        for x, rule in enumerate(rules):
            n = case["violated"].get(rule, 0)
            if n:
                size = 20 + 60 * np.log10(n + 1)
                axes.scatter(x, y, s=size, color=ACCENT, alpha=0.85, linewidth=0, zorder=2)
            if rule == case["expected"]:
                axes.scatter(
                    x, y, s=330, marker="s", facecolor="none", edgecolor=OTHER, linewidth=1.6, zorder=3
                )
    axes.set_yticks(range(len(cases)), [names[c["name"]] for c in cases])
    axes.set_xticks(range(len(rules)), [words.name(r, "rule") for r in rules], rotation=30, ha="right")
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.set_xlim(-0.5, max(len(rules), 1) - 0.5)
    axes.tick_params(labelsize=9)
    said = words("mark.semicolon").join(
        words(
            "mutants.row_said",
            name=names[c["name"]],
            rules=words.list(words.name(rule, "rule") for rule in c["violated"]) or words("mark.none"),
        )
        for c in cases
    )
    return svg(figure, "mutants", said, words("mutants.title"))


def _back(seconds: Sequence[float], words: Words) -> str:
    """Seconds from each kill until the service was back, in the order of time, and sorted."""
    figure, axes = figure_of("back", 2.6, 4.9)
    ordered = np.sort(np.array(seconds))
    axes.step(ordered, np.arange(1, len(ordered) + 1) / len(ordered), where="post", color=ACCENT, linewidth=2)
    axes.axvline(5.0, color=OTHER, linestyle="--", linewidth=1.2)
    axes.annotate(
        words("back.limit"), (5.0, 0.03), xytext=(4, 0), textcoords="offset points", color=INK, fontsize=9
    )
    axes.set_xlim(0, max(6.0, float(ordered[-1]) * 1.05))
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(words("back.x"))
    axes.set_ylabel(words("back.y"))
    middle = float(np.median(ordered))
    said = words("back.said", n=len(ordered), median=f"{middle:.2f}", max=f"{ordered[-1]:.2f}")
    return svg(figure, "back", said, words("back.title"))
