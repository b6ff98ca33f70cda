"""The pictures of a capacity report, as inline SVG: load against latency, what was busy, growth of cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from reports.capacity_tables import config_name, workers_name
from reports.drawing import ACCENT, BAND, INK, OTHER, STYLE, figure_of, svg
from reports.language import Words
from reports.numerals import number, plain

__all__ = ["busy", "pictures"]

_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
_COLOURS: Final = (ACCENT, OTHER, "#5b6670", "#3f7d4e", "#7a4b94", "#9a7b1f")
_STAGES: Final[Mapping[str, tuple[str, str]]] = {
    "generator": ("#d9dde2", ""),
    "transport": ("#aab4be", "...."),
    "decode": ("#dbe6f3", "////"),
    "engine": ("#14467a", ""),
    "decide": ("#e8a33d", ""),
    "ledger": ("#b4531f", "\\\\\\\\"),
    "records": ("#f6efc4", "xxxx"),
    "messages": ("#7fa08a", "----"),
    "other": ("#ffffff", "oo"),
}
"""Stage -> colour and hatching, so that they tell apart in grey."""


def pictures(summary: Mapping[str, Any], words: Words) -> dict[str, str]:
    """Pictures of the whole study by name; those of which there is nothing are left out."""
    results = summary["results"]
    with mpl.rc_context(STYLE):
        found = {"load": _load(results, words)}
        if results["growth"] is not None:
            found["growth"] = _growth(results["growth"], words)
    return found


def _load(results: Mapping[str, Any], words: Words) -> str:
    """A mark a probe; the band between the highest rate that holds and the lowest that breaks."""
    level, every = results["level"], results["configurations"]
    figure, axes = figure_of("load", 3.9, 7.2)
    bound = level["latency_ms"]
    top, bottom = 20 * bound, bound / 400
    most = [p["rate_per_s"] for one in every for p in one["tried"]]
    settled = [one["knee"]["breaks_at_per_s"] or one["knee"]["rate_per_s"] for one in every]
    # Probes far above the knee would squeeze what matters into a corner.
    right = min(max(most, default=1), 2.2 * max(settled, default=1)) * 1.04
    said = []
    for index, one in enumerate(every):
        colour, marker = _COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)]
        knee = one["knee"]
        low, high = knee["rate_per_s"], knee["breaks_at_per_s"]
        if high is not None and low:
            axes.axvspan(
                low, high, color=BAND if not index else colour, alpha=1.0 if not index else 0.13, zorder=0
            )
            axes.axvline(low, color=colour, linewidth=1, linestyle=":", zorder=1)
        tried = [*one["tried"], *({**run, "value_ms": _value(run, level)} for run in one["runs"])]
        for probe in tried:
            never = probe["value_ms"] is None
            if probe["outcome"] == "too_few" or probe["rate_per_s"] > right:
                continue
            y = top if never else min(max(probe["value_ms"], bottom), top)
            held = probe["outcome"] == "held"
            axes.plot(
                probe["rate_per_s"], y, marker, markersize=7, color=colour if held else "white",
                markeredgecolor=colour, markeredgewidth=1.3, clip_on=False, zorder=3,
            )  # fmt: skip
        name = config_name(one, words)
        axes.plot([], [], marker, color=colour, markersize=7, linestyle="none", label=name)
        said.append(
            words(
                "shown.said",
                n=len(tried),
                workers=workers_name(one["workers"], words),
                people=number(one["subscribers"]),
                low=number(round(low)),
                high="–" if high is None else number(round(high)),
            )
        )
    axes.axhline(bound, color=INK, linestyle="--", linewidth=1.2)
    axes.annotate(
        words("shown.bound", n=number(bound)), (0.005, bound), xycoords=("axes fraction", "data"),
        xytext=(2, 4), textcoords="offset points", fontsize=9.5, color=INK,
    )  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylim(bottom, top)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    axes.set_xlim(0, right)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.set_xlabel(words("shown.rate"))
    axes.set_ylabel(words("shown.latency", percentile=level["percentile"]))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=10)
    return svg(figure, "load", words("mark.semicolon").join(said))


def _value(run: Mapping[str, Any], level: Mapping[str, Any]) -> float | None:
    value: float | None = run["percentiles_ms"][level["percentile"]].get("value")
    return value


def busy(one: Mapping[str, Any], words: Words) -> str:
    """A bar a resource, its parts by stage, at the lowest rate that breaks."""
    rows = one["resources"]
    name = f"busy-{one['name']}"
    with mpl.rc_context(STYLE):
        figure, axes = figure_of(name, 1.45 + 0.34 * len(rows), 7.2)
        shown: dict[str, Any] = {}
        for y, row in enumerate(rows):
            # Each part is a median of several probes, which need not add up to that of the whole.
            scale = 100 * min(1.0, row["busy"] / (sum(row["parts"].values()) or 1.0))
            left = 0.0
            if not row["parts"]:  # of which it is not known what with
                axes.barh(y, 100 * row["busy"], 0.3, color="none", edgecolor=INK, linewidth=0.9)
            for stage, (colour, hatch) in _STAGES.items():
                width = scale * row["parts"].get(stage, 0.0)
                if width:
                    bar = axes.barh(
                        y, width, 0.68, left=left, color=colour, hatch=hatch, edgecolor=INK, linewidth=0.6
                    )
                    shown.setdefault(stage, bar)
                    left += width
            axes.annotate(
                f"{100 * row['busy']:.0f} %", (max(left, 100 * row["busy"]), y), xytext=(4, 0),
                textcoords="offset points", va="center", fontsize=9.5,
            )  # fmt: skip
        axes.axvline(100, color=INK, linewidth=1.2, linestyle="--")
        axes.set_yticks(range(len(rows)), [words.name(row["name"], "resource") for row in rows])
        axes.set_ylim(len(rows) - 0.45, -0.55)
        axes.set_xlim(0, max(112.0, *(106 * row["busy"] for row in rows)))
        axes.set_xlabel(words("details.busy_axis"))
        axes.grid(axis="y", visible=False)
        ordered = [stage for stage in _STAGES if stage in shown]
        axes.legend(
            [shown[stage] for stage in ordered], [words.name(stage, "stage") for stage in ordered],
            loc="lower center", bbox_to_anchor=(0.38, 1.0), ncols=3, fontsize=9.5,
        )  # fmt: skip
        said = words.list(
            words("details.busy_said", name=words.name(row["name"], "resource"), n=f"{100 * row['busy']:.0f}")
            for row in rows
        )
        return svg(figure, name, said)


def _growth(found: Mapping[str, Any], words: Words) -> str:
    """Cost along each axis, side by side."""
    axes_of = {axis: one for axis, one in found["axes"].items() if one["levels"]}
    figure = Figure(figsize=(7.4, 2.9), layout="constrained")
    figure.set_gid("growth")
    most = 0.0
    every: list[Axes] = []
    for position, (axis, one) in enumerate(axes_of.items()):
        axes = figure.add_subplot(1, len(axes_of), position + 1)
        every.append(axes)
        x = [row["value"] for row in one["levels"]]
        y = [row["cost_us"] if row["cost_us"] is not None else np.nan for row in one["levels"]]
        axes.plot(x, y, color=ACCENT, linewidth=1.6)
        for row in one["levels"]:
            axes.plot(
                [row["value"]] * len(row["costs_us"]), row["costs_us"], "o", markersize=5, color="white",
                markeredgecolor=ACCENT, markeredgewidth=1.2, linestyle="none", zorder=3,
            )  # fmt: skip
            most = max(most, *row["costs_us"], 0.0)
        if axis == "subscribers":
            axes.set_xscale("log")
            axes.set_xticks(x, [number(value) for value in x])
            axes.xaxis.set_minor_locator(NullLocator())
            if len(x) > 1:
                axes.set_xlim(min(x) / 1.6, max(x) * 1.6)
        else:
            axes.set_xlim(left=0)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axes.set_xlabel(words.name(axis, "axis"))
        axes.tick_params(labelsize=9)
        if not position:
            axes.set_ylabel(words("details.cost_axis"))
    for axes in every:
        axes.set_ylim(0, 1.1 * most if most else 1.0)
    said = words.list(
        words("details.growth_said", name=words.name(axis, "axis"), n=len(one["levels"]))
        for axis, one in axes_of.items()
    )
    return svg(figure, "growth", said)
