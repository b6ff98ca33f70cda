"""The pictures of an uplift report, as inline SVG: forest, Qini, days, tornado, map, ages of contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.drawing import ACCENT, BAND, INK, OTHER, STYLE, figure_of, svg
from reports.language import Words
from reports.uplift import asked_first, parameter_label

__all__ = ["pictures"]

_LINES: Final = {
    "precise": (ACCENT, "-", "o"),
    "assigned": (ACCENT, "-", "o"),
    "blanket_reach": (OTHER, "--", "s"),
    "blanket_budget": ("#8a6d1f", "-.", "^"),
    "control": ("#55606b", ":", "D"),
}
"""Arm -> colour, line and marker."""


def pictures(summary: Mapping[str, Any], words: Words) -> dict[str, str]:
    """Every picture by name; those of which there is nothing are left out."""
    results = summary["results"]
    found = {}
    with mpl.rc_context(STYLE):
        if results.get("switch") is not None:
            found["switch"] = _switch(results["switch"], words)
        found["forest"] = _forest(asked_first(results), words)
        found["qini"] = _qini(results["targeting"], results["arms"]["precise"]["people"], words)
        found["days"] = _days(results["days"], words)
        if results["sensitivity"] is not None and results["sensitivity"]["rows"]:
            found["tornado"] = _tornado(results["sensitivity"], words)
        found["map"] = _map(results["map"], words)
        ages = [row for row in results["novelty"]["ages"] if "value" in row["added"]]
        if len(ages) > 1:
            found["ages"] = _ages(ages, words)
    return found


def _forest(comparisons: Mapping[str, Any], words: Words) -> str:
    # A difference of days is in another unit, and has a picture of its own.
    shown = {name: one for name, one in comparisons.items() if one["layout"] != "days"}
    rows = [(name, one) for name, one in shown.items() if "value" in one["measures"]["take_up"]]
    figure, axes = figure_of("forest", 1.2 + 0.55 * max(len(rows), 1))
    axes.axvline(0, color=INK, linewidth=1)
    said = []
    for y, (name, one) in enumerate(rows):
        found, true = one["measures"]["take_up"], one["true"]
        value, low, high = (100 * found[key] for key in ("value", "low", "high"))
        axes.plot([low, high], [y, y], color=INK, linewidth=1.8)
        axes.plot([low, high], [y, y], "|", color=INK, markersize=10)
        axes.plot(value, y, "o", color=ACCENT, markersize=8)
        half = 196 * true["se"]
        at = 100 * true["value"]
        axes.plot([at - half, at + half], [y + 0.26] * 2, color=INK, linewidth=1)
        axes.plot(at, y + 0.26, "D", markersize=6, markerfacecolor="white", markeredgecolor=INK)
        label = words.name(name, "comparison")
        said.append(
            words("forest.row", name=label, value=f"{value:+.2f}", low=f"{low:.2f}", high=f"{high:.2f}")
        )
    axes.plot([], [], "o-", color=ACCENT, label=words("forest.estimate"))
    axes.plot(
        [], [], "D", markerfacecolor="white", markeredgecolor=INK, color=INK, label=words("forest.truth")
    )
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=10)
    axes.set_yticks(range(len(rows)), [words.name(name, "comparison") for name, _ in rows])
    axes.set_ylim(len(rows) - 0.35, -0.6)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.1)
    axes.set_xlabel(words("forest.axis"))
    return svg(figure, "forest", words("mark.semicolon").join(said), words("forest.title"))


def _switch(switch: Mapping[str, Any], words: Words) -> str:
    """Take-ups of every day, those with campaigns full and those without hatched."""
    figure, axes = figure_of("switch", 2.8)
    on, rate = np.array(switch["on"], bool), 1000 * np.array(switch["take_up"])
    day = switch["first_day"] + np.arange(len(on))
    means = []
    for key, which, colour, hatch in (("on", on, ACCENT, ""), ("off", ~on, "white", "////")):
        label = words(f"switch.{key}")
        axes.bar(day[which], rate[which], 0.8, color=colour, hatch=hatch, edgecolor=INK, label=label)
        means.append(f"{rate[which].mean():.2f}" if which.any() else "–")
    axes.set_xlabel(words("days.x"))
    axes.set_ylabel(words("switch.y"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=10)
    return svg(figure, "switch", words("switch.said", on=means[0], off=means[1]), words("switch.title"))


def _qini(targeting: Mapping[str, Any], people: int, words: Words) -> str:
    curves = targeting["curves"]
    figure, axes = figure_of("qini", 3.4)
    made = max(curves["precise_by_contacts"]["x"][-1], 1e-9)
    most = min(1.0, 2.0 * max(made, curves.get("blanket_by_contacts", {"x": [0.0]})["x"][-1]))

    def draw(name: str, label: str, colour: str, line: str, marker: str) -> float:
        x, y = np.array(curves[name]["x"]), np.array(curves[name]["y"])
        axes.plot(100 * x, 100 * y, color=colour, linestyle=line, linewidth=1.9, label=words(label))
        end = min(made, x[-1])
        value = float(np.interp(end, x, y))
        axes.plot(100 * end, 100 * value, marker, color=colour, markersize=7, markeredgecolor="white")
        return 100 * value

    values = {
        "oracle": draw("oracle_moment", "qini.oracle", INK, "-", "D"),
        "precise": draw("precise_by_contacts", "qini.precise", ACCENT, "-", "o"),
    }
    if "blanket_by_contacts" in curves:
        values["blanket"] = draw("blanket_by_contacts", "qini.blanket", OTHER, "--", "s")
    seen = curves["seen"]
    x = np.array(seen["x"])
    upto = x <= made + 1e-9
    axes.plot(
        100 * x[upto],
        100 * np.array(seen["y"])[upto],
        color=ACCENT,
        linestyle=":",
        linewidth=1.6,
        label=words("qini.seen"),
    )
    axes.set_xlim(0, 100 * most)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_xlabel(words("qini.x"))
    axes.set_ylabel(words("qini.y"))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)
    key = "qini.said" if "blanket" in values else "qini.said_alone"
    texts = {name: f"{value:.2f}" for name, value in values.items()}
    said = words(key, contacts=targeting["contacts"], **texts)
    return svg(figure, "qini", said, words("qini.title"))


def _days(days: Mapping[str, Any], words: Words) -> str:
    looks = [row for row in days["looks"] if row["once"] is not None]
    figure = Figure(figsize=(6.4, 4.6 if looks else 2.8), layout="constrained")
    figure.set_gid("days")
    axes: Sequence[Axes] = (
        figure.subplots(2, 1, sharex=True, height_ratios=[1.2, 1.0]) if looks else [figure.subplots()]
    )
    first, people = days["first_day"], max(days["people"], 1)
    shares = []
    for name, (colour, line, marker) in _LINES.items():
        counts = days["arms"].get(name)
        if counts is None or (name == "assigned" and "blanket_reach" in days["arms"]):
            continue
        x = np.arange(first, first + len(counts))
        y = 100 * np.array(counts) / people
        label = words.name(name, "arm")
        axes[0].plot(x, y, line, color=colour, marker=marker, markersize=4, linewidth=1.7, label=label)
        shares.append(words("mark.counted", name=label, n=f"{y[-1]:.2f} %"))
    axes[0].set_ylabel(words("days.y"))
    axes[0].set_ylim(bottom=0)
    axes[0].legend(loc="upper left", fontsize=9)
    if looks:
        x = np.array([first + row["day"] - 1 for row in looks])
        value = 100 * np.array([row["value"] for row in looks])
        wide = 100 * np.array([[row["sequence"]["low"], row["sequence"]["high"]] for row in looks])
        once = 100 * np.array([row["once"] for row in looks])
        below = axes[1]
        below.fill_between(
            x, wide[:, 0], wide[:, 1], color=BAND, edgecolor=INK, linewidth=0.8, label=words("days.sequence")
        )
        below.vlines(x, once[:, 0], once[:, 1], color=INK, linewidth=1.2, label=words("days.once"))
        below.plot(x, value, "o-", color=ACCENT, markersize=4, linewidth=1.5)
        below.axhline(0, color=INK, linewidth=1)
        below.set_ylabel(words("days.difference"))
        below.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)
    axes[-1].set_xlabel(words("days.x"))
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return svg(figure, "days", words("days.said", shares=words.list(shares)), words("days.title"))


def _tornado(found: Mapping[str, Any], words: Words) -> str:
    rows, base = found["rows"], 100 * found["base"]["value"]
    several = len({row["offer"] for row in rows}) > 1
    figure, axes = figure_of("tornado", 1.1 + 0.36 * len(rows))
    said = []
    for y, row in enumerate(rows):
        ends = {way: 100 * row[way]["value"] for way in ("low", "high") if way in row}
        for way, hatch, colour in (("low", "////", "#e8a33d"), ("high", "", ACCENT)):
            if way in ends:
                axes.barh(
                    y,
                    ends[way] - base,
                    0.62,
                    left=base,
                    color=colour,
                    hatch=hatch,
                    edgecolor=INK,
                    linewidth=0.7,
                )
        texts = {way: f"{ends[way]:+.2f}" if way in ends else "–" for way in ("low", "high")}
        name = _label(row, several, words)
        said.append(words("tornado.row", name=name, **texts))
    axes.axvline(base, color=INK, linewidth=1.4)
    axes.axvline(0, color=INK, linewidth=1, linestyle="--")
    axes.barh([0], [0], color="#e8a33d", hatch="////", edgecolor=INK, label=words("tornado.low"))
    axes.barh([0], [0], color=ACCENT, edgecolor=INK, label=words("tornado.high"))
    axes.set_yticks(range(len(rows)), [_label(row, several, words) for row in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.06)
    axes.set_xlabel(words("tornado.axis"))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=10)
    return svg(figure, "tornado", words("mark.semicolon").join(said), words("tornado.title"))


def _label(row: Mapping[str, Any], several: bool, words: Words) -> str:
    name = parameter_label(row["name"], words)
    return words("mark.said", name=row["offer"], said=name) if several else name


def _map(found: Mapping[str, Any], words: Words) -> str:
    x, y, contacts = (np.array(found[name], float) for name in ("x_km", "y_km", "contacts"))
    wide, high = max(float(np.ptp(x)), 1.0), max(float(np.ptp(y)), 1.0)
    figure, axes = figure_of("map", min(5.4, max(2.4, 6.0 * high / wide + 0.5)))
    axes.plot(x[contacts == 0], y[contacts == 0], "x", color="#9aa3ab", markersize=4, markeredgewidth=0.9)
    there = contacts > 0
    size = 14.0 + 260.0 * contacts[there] / max(contacts.max(initial=0.0), 1.0)
    axes.scatter(x[there], y[there], s=size, color=ACCENT, alpha=0.55, edgecolor=INK, linewidth=0.6, zorder=3)
    for place in _farthest(found["places"]):
        at = place["x_km"], place["y_km"]
        axes.plot(*at, "^", color=OTHER, markersize=6, markeredgecolor="white", zorder=4)
        label = words.name(place["kind"], "place")
        axes.annotate(label, at, xytext=(5, 4), textcoords="offset points", fontsize=8.5, zorder=5)
    axes.set_aspect("equal")
    axes.margins(0.08)
    axes.set_xlabel(words("map.x"))
    axes.set_ylabel(words("map.x"))
    total, cells = int(contacts.sum()), int(there.sum())
    said = words("map.said", contacts=total, cells=cells, all=len(contacts))
    return svg(figure, "map", said, words("map.title"))


def _farthest(places: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One place of each kind, so that names do not cover each other; at most a dozen."""
    kinds: dict[str, Mapping[str, Any]] = {}
    for place in places:
        kinds.setdefault(place["kind"], place)
    return list(kinds.values())[:12]


def _ages(rows: Sequence[Mapping[str, Any]], words: Words) -> str:
    figure, axes = figure_of("ages", 2.6)
    x = [row["age"] for row in rows]
    value, low, high = ([100 * row["added"][name] for row in rows] for name in ("value", "low", "high"))
    axes.axhline(0, color=INK, linewidth=1)
    axes.vlines(x, low, high, color=INK, linewidth=1.6)
    axes.plot(x, value, "o", color=ACCENT, markersize=7)
    axes.set_xlabel(words("ages.x"))
    axes.set_ylabel(words("ages.y"))
    axes.set_xlim(-0.5, max(x) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    said = words.list(words("ages.row", age=a, value=f"{v:+.2f} %") for a, v in zip(x, value, strict=True))
    return svg(figure, "ages", said, words("ages.title"))
