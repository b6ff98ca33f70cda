"""The pictures of a realism report, as inline SVG. Line styles and hatching tell apart without colour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import matplotlib as mpl
import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator

from reports.drawing import ACCENT, BAND, INK, OTHER, SMALL, STYLE, figure_of, svg
from reports.language import Words

__all__ = ["pictures"]

LINES: Final[dict[str, dict[str, Any]]] = {
    "ours": {"color": ACCENT, "linestyle": "-", "linewidth": 2.2},
    "waypoint": {"color": OTHER, "linestyle": "--", "linewidth": 1.6},
    "uniform": {"color": "#6f7b86", "linestyle": ":", "linewidth": 2.0},
}
MARKERS: Final = {"ours": "o", "waypoint": "s", "uniform": "^"}
_AREAS = ("#f3d9b1", "#cfe0f1", "#d8ead0", "#ead6ea", "#f6efc4", "#d5d9de", "#f1cfcf", "#cfeae6")
_SHAPES = "hs^Dovp8"
_HATCHES = ("", "///", "...", "\\\\\\", "xx", "---", "oo", "++")


def pictures(summary: Mapping[str, Any], details: Mapping[str, Any], words: Words) -> dict[str, str]:
    """Every picture by name."""
    called = {name: words.name(name, "population") for name in summary["populations"]}
    with mpl.rc_context(STYLE):
        return {
            "overview": _overview(summary, called, words),
            "map": _map(details["map"], words),
            "handovers": _handovers(details["map"], details["handovers"], words),
            "density": _density(details["map"], details["density"], words),
            "day": _day(details["day"], words),
            "curves": _curves(details["curves"], details["profiles"], called, words),
            "segments": _segments(details["segments"], words),
            "week": _week(details["week"], called, words),
            "jumps": _law(details["laws"], "jumps", called, _jump_law, words),
            "waits": _law(details["laws"], "waits", called, _waiting_law, words),
            "zipf": _zipf(details["laws"], called, words),
            "distinct": _distinct(details["laws"], called, words),
            "returns": _returns(details["laws"], called, words),
            "degrees": _degrees(details["laws"], called, words),
            "gaps": _gaps(details["laws"], called, words),
            "event": _event(details["event"], words),
            "erlang": _erlang(details["erlang"], words),
            "areas": _areas(details["areas"], words),
            "hysteresis": _hysteresis(details["hysteresis"], words),
            "seeds": _seeds(summary, details["seeds"], words),
        }


def _overview(summary: Mapping[str, Any], called: Mapping[str, str], words: Words) -> str:
    """Every measure on an axis of its own: the band is the grey bar, what lies far out is at the edge."""
    rows = [
        row for row in summary["measures"] if any(p["value"] is not None for p in row["populations"].values())
    ]
    figure, axes = figure_of("overview", 0.9 + 0.27 * len(rows), 7.4)
    for y, row in enumerate(rows):
        low, high = row["low"], row["high"]
        if high is None:
            high = low + 2 * max(abs(low), 1e-9)
        width = max(high - low, 1e-9)
        if width < 1e-6:
            low, width = low - 0.05, 0.1
        axes.barh(y, 1, 0.72, left=0, color=BAND, edgecolor="#aab4be", linewidth=0.6)
        for name, found in row["populations"].items():
            if found["value"] is None:
                continue
            at = (found["value"] - low) / width
            edge = min(max(at, -1.42), 2.42)
            axes.plot(
                edge, y, MARKERS[name], markersize=7 if name == "ours" else 6,
                color=LINES[name]["color"] if name == "ours" else "white",
                markeredgecolor=LINES[name]["color"] if name == "ours" else INK, markeredgewidth=1.1,
                zorder=4 if name == "ours" else 3,
            )  # fmt: skip
    for name, said in called.items():
        axes.plot(
            [], [], MARKERS[name], color=LINES[name]["color"] if name == "ours" else "white",
            markeredgecolor=INK, label=said,
        )  # fmt: skip
    axes.legend(loc="lower center", bbox_to_anchor=(0.42, 1.0), ncols=3, fontsize=10)
    axes.set_yticks(range(len(rows)), [words.name(row["name"], "short") for row in rows], fontsize=9)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(-1.55, 2.55)
    axes.set_xticks(
        [-1.42, 0, 1, 2.42],
        [words(f"overview.{end}") for end in ("far_below", "low", "high", "far_above")],
        fontsize=9,
    )
    axes.grid(axis="y", visible=False)
    return svg(figure, "overview", words("overview.title"))


def _town(axes: Axes) -> None:
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def _map(where: Mapping[str, Any], words: Words) -> str:
    """Cells by location area: colour and hatching; places by name."""
    x, y = np.array(where["x_km"]), np.array(where["y_km"])
    areas = sorted(set(where["lac"]))
    figure, axes = figure_of("map", 4.6, 6.4)
    for a, b in where["links"]:
        axes.plot(x[[a, b]], y[[a, b]], color="#cdd3d9", linewidth=0.6, zorder=1)
    lac = np.array(where["lac"])
    for index, area in enumerate(areas):
        mine = lac == area
        axes.scatter(
            x[mine], y[mine], s=60, marker=_SHAPES[index % len(_SHAPES)],
            color=_AREAS[index % len(_AREAS)], edgecolor=INK, linewidth=0.5,
            hatch=_HATCHES[index % len(_HATCHES)], label=words("map.area", n=area), zorder=2,
        )  # fmt: skip
    right = x.min() + 0.75 * (x.max() - x.min())
    for place in where["places"]:
        axes.annotate(
            words.name(place["name"], "place"), (place["x_km"], place["y_km"]), (0, 9),
            textcoords="offset points", fontsize=9.5, fontweight="bold",
            ha="right" if place["x_km"] > right else "center", zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6},
        )  # fmt: skip
    _town(axes)
    corner = x.min()
    axes.plot([corner, corner + 2], [y.min() - 0.7] * 2, color=INK, linewidth=2)
    axes.text(corner + 1, y.min() - 0.9, words("map.scale"), ha="center", va="top", fontsize=9)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, fontsize=9.5, handletextpad=0.2)
    return svg(figure, "map", words("map.title", cells=len(x), areas=len(areas)))


def _handovers(where: Mapping[str, Any], links: Sequence[Sequence[int]], words: Words) -> str:
    """The graph of handovers: the wider a link, the more calls went over."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_weighted_edges_from([(a, b, n) for a, b, n in links])
    at = {cell: (where["x_km"][cell], where["y_km"][cell]) for cell in range(len(where["x_km"]))}
    figure, axes = figure_of("handovers", 4.2, 6.4)
    axes.scatter(where["x_km"], where["y_km"], s=7, color="#b9c2ca", zorder=1)
    most = max((n for _, _, n in links), default=1)
    for a, b in sorted(graph.edges, key=lambda edge: graph.edges[edge]["weight"]):
        weight = graph.edges[a, b]["weight"]
        inter = where["bsc"][a] != where["bsc"][b]
        axes.plot(
            [at[a][0], at[b][0]], [at[a][1], at[b][1]], color=OTHER if inter else ACCENT,
            linewidth=0.5 + 5 * math.sqrt(weight / most), linestyle=(0, (2, 1)) if inter else "-",
            solid_capstyle="round", zorder=2,
        )  # fmt: skip
    axes.plot([], [], color=ACCENT, linewidth=3, label=words("handovers.within"))
    axes.plot([], [], color=OTHER, linewidth=3, linestyle=(0, (2, 1)), label=words("handovers.between"))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2, fontsize=10)
    _town(axes)
    return svg(figure, "handovers", words("handovers.title", n=len(links)))


def _density(where: Mapping[str, Any], density: Sequence[Sequence[float]], words: Words) -> str:
    """Eight small maps of a working day: the area of a dot is the number of people."""
    figure = Figure(figsize=(7.4, 4.3), layout="constrained")
    values = np.array(density)
    most = float(np.quantile(values.max(axis=0), 0.99)) or 1.0
    for position, hour in enumerate(range(0, 24, 3)):
        axes = figure.add_subplot(2, 4, position + 1)
        axes.scatter(
            where["x_km"], where["y_km"], s=np.minimum(150 * values[hour] / most, 220), color=ACCENT,
            alpha=0.75, linewidth=0,
        )  # fmt: skip
        axes.set_title(f"{hour:02d}:30", fontsize=11)
        _town(axes)
    return svg(figure, "density", words("density.title"))


def _day(day: Mapping[str, Any], words: Words) -> str:
    """Distance from home over a day, with what was done by phone."""
    figure, axes = figure_of("day", 2.7, 7.0)
    stays = day["stays"]
    for stay in stays:
        axes.plot([stay["from_h"], stay["to_h"]], [stay["from_home_km"]] * 2, color=ACCENT, linewidth=4,
                  solid_capstyle="butt")  # fmt: skip
        if stay["place"] and stay["to_h"] - stay["from_h"] > 0.5:
            axes.annotate(
                words.name(stay["place"], "place"),
                ((stay["from_h"] + stay["to_h"]) / 2, stay["from_home_km"]), (0, 6),
                textcoords="offset points", ha="center", fontsize=9.5,
            )  # fmt: skip
    for one, other in pairwise(stays):
        axes.plot([one["to_h"], other["from_h"]], [one["from_home_km"], other["from_home_km"]],
                  color=ACCENT, linewidth=1.2, linestyle="--")  # fmt: skip
    shown = {
        "call_made": ("^", "calls"), "call_received": ("v", "called"), "text_sent": ("s", "texts"),
        "location_update": ("|", "update"),
    }  # fmt: skip
    top = max((stay["from_home_km"] for stay in stays), default=1.0) or 1.0
    for kind, (marker, said) in shown.items():
        hours = [act["h"] for act in day["acts"] if act["kind"] == kind]
        axes.plot(hours, [-0.22 * top] * len(hours), marker, color=INK, markersize=8, linestyle="none",
                  markerfacecolor="white", label=words(f"day.{said}"), clip_on=False)  # fmt: skip
    axes.set_ylim(-0.35 * top, 1.25 * top)
    axes.set_xlim(0, 24)
    axes.set_xticks(range(0, 25, 3), [f"{h:02d}" for h in range(0, 25, 3)])
    axes.set_xlabel(words("day.x"))
    axes.set_ylabel(words("day.y"))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=9.5)
    return svg(figure, "day", words("day.title"))


def _hours_axis(axes: Axes, every: int = 6) -> None:
    axes.set_xlim(0, 24)
    axes.set_xticks(range(0, 25, every), [f"{h:02d}" for h in range(0, 25, every)])
    axes.set_ylim(bottom=0)


def _steps(axes: Axes, values: Sequence[float], **style: Any) -> None:
    axes.plot(np.arange(24) + 0.5, 100 * np.array(values), **style)


def _curves(
    curves: Mapping[str, Any], profiles: Mapping[str, Any], called: Mapping[str, str], words: Words
) -> str:
    """Calls, texts and location updates over a working day; the configured profile as the grey ground."""
    figure = Figure(figsize=(7.4, 3.0), layout="constrained")
    for position, kind in enumerate(("calls", "texts", "updates")):
        axes = figure.add_subplot(1, 3, position + 1)
        if kind in profiles:
            axes.fill_between(np.arange(24) + 0.5, 100 * np.array(profiles[kind]), color=BAND, step="mid",
                              label=words("curves.configured"))  # fmt: skip
        for name, each in curves.items():
            _steps(axes, each[kind], **LINES[name], label=called[name])
        axes.set_title(words(f"kind.{kind}"), fontsize=11)
        _hours_axis(axes)
        if not position:
            axes.set_ylabel(words("curves.y"))
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=10)
    return svg(figure, "curves", words("curves.title"))


def _segments(segments: Mapping[str, Any], words: Words) -> str:
    """Nine small charts: events a head by hour of a working day."""
    figure = Figure(figsize=(7.4, 5.6), layout="constrained")
    styles: dict[str, dict[str, Any]] = {
        "calls": {"color": ACCENT, "linestyle": "-", "linewidth": 2},
        "texts": {"color": OTHER, "linestyle": "--", "linewidth": 1.6},
        "updates": {"color": "#5b6670", "linestyle": ":", "linewidth": 1.8},
    }
    first: Axes | None = None
    most = 0.0
    for position, (name, kinds) in enumerate(segments.items()):
        axes = figure.add_subplot(3, 3, position + 1, sharey=first)
        first = first or axes
        most = max(most, *(max(values) for values in kinds.values()))
        for kind, values in kinds.items():
            axes.plot(np.arange(24) + 0.5, values, **styles[kind], label=words(f"kind.{kind}"))
        axes.set_title(words.name(name, "segment"), fontsize=10.5)
        _hours_axis(axes, 6)
        axes.tick_params(labelsize=9)
        if position % 3:
            axes.tick_params(labelleft=False)
    figure.supylabel(words("segments.y"), fontsize=11)
    if first is not None:
        first.set_ylim(0, 1.03 * most)
        figure.legend(*first.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=10)
    return svg(figure, "segments", words("segments.title"))


def _week(week: Mapping[str, Sequence[float]], called: Mapping[str, str], words: Words) -> str:
    figure, axes = figure_of("week", 2.9, SMALL)
    for name, values in week.items():
        if name != "waypoint":  # makes the calls of our people
            axes.plot(range(7), values, marker=MARKERS[name], **LINES[name], label=called[name])
    axes.set_xticks(range(7), words("week.days").split())
    axes.set_ylim(bottom=0)
    axes.set_ylabel(words("week.y"))
    axes.legend(loc="lower left", fontsize=10)
    return svg(figure, "week", words("week.title"))


def _jump_law(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray((x + 1.5) ** -1.75)


def _waiting_law(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(x**-1.8 * np.exp(-x / 17))


def _log_axis(axes: Axes, which: str, low: float, high: float) -> None:
    """Ticks 1, 2, 5 of a logarithmic axis, written as plain numbers; decades alone where it is wide."""
    parts: Sequence[float] = (1, 2, 5) if high / low < 200 else (1,)
    ticks = [
        float(f"{m}e{e}")
        for e in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for m in parts
        if 0.95 * low <= float(f"{m}e{e}") <= 1.05 * high
    ]
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([f"{t:g}" for t in ticks]))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _law(laws: Mapping[str, Any], kind: str, called: Mapping[str, str], law: Any, words: Words) -> str:
    """A distribution on logarithmic axes beside the published law."""
    figure, axes = figure_of(kind, 3.2, SMALL)
    everything = [laws[name][kind] for name in laws if laws[name][kind][0]]
    if everything:
        low = min(min(x) for x, _ in everything)
        high = max(max(x) for x, _ in everything)
        x = np.geomspace(low, high, 200)
        y = law(x)
        # As much of the law as of the first population lies between its ends.
        xs, ys = (np.array(v) for v in everything[0])
        inside = np.interp(x, xs, ys)
        scale = float((inside[1:] * np.diff(x)).sum() / (y[1:] * np.diff(x)).sum())
        axes.fill_between(x, y * scale / 1.6, y * scale * 1.6, color=BAND, label=words("law.published"))
        floor = min(min(v) for _, v in everything)
        axes.set_ylim(floor / 2, None)
        _log_axis(axes, "x", low, high)
    for name in laws:
        if name != "uniform":  # goes where our people go
            axes.plot(
                *laws[name][kind], marker=MARKERS[name], markersize=4, **LINES[name], label=called[name]
            )
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(words(f"{kind}.x"))
    axes.set_ylabel(words("law.density"))
    axes.legend(loc="lower left", fontsize=10)
    return svg(figure, kind, words(f"{kind}.title"))


def _zipf(laws: Mapping[str, Any], called: Mapping[str, str], words: Words) -> str:
    figure, axes = figure_of("zipf", 3.2, SMALL)
    rank = np.arange(1, 13)
    top = laws["ours"]["zipf"][0]
    axes.fill_between(rank, top * rank**-1.0, top * rank**-1.3, color=BAND, label=words("zipf.band"))
    for name in ("ours", "waypoint"):
        values = np.array(laws[name]["zipf"])
        kept = values > 0
        axes.plot(rank[: len(values)][kept], values[kept], marker=MARKERS[name], markersize=5, **LINES[name],
                  label=called[name])  # fmt: skip
    _log_axis(axes, "x", 1, 12)
    _log_axis(axes, "y", 0.001, 1)
    axes.set_ylim(0.0008, 1)
    axes.set_xlabel(words("zipf.x"))
    axes.set_ylabel(words("zipf.y"))
    axes.legend(loc="lower left", fontsize=10)
    return svg(figure, "zipf", words("zipf.title"))


def _distinct(laws: Mapping[str, Any], called: Mapping[str, str], words: Words) -> str:
    figure, axes = figure_of("distinct", 3.2, SMALL)
    days = np.arange(1, len(laws["ours"]["distinct"]) + 1)
    first = laws["ours"]["distinct"][0]
    axes.fill_between(
        days, first * days**0.58, first * days**0.62, color="#b7c4d2", label=words("distinct.band")
    )
    for name in ("ours", "waypoint"):
        axes.plot(days, laws[name]["distinct"], marker=MARKERS[name], markersize=4, **LINES[name],
                  label=called[name])  # fmt: skip
    most = max(max(laws[name]["distinct"]) for name in ("ours", "waypoint"))
    _log_axis(axes, "x", 1, len(days))
    _log_axis(axes, "y", first, most)
    axes.set_xlabel(words("distinct.x"))
    axes.set_ylabel(words("distinct.y"))
    axes.legend(loc="upper left", fontsize=10)
    return svg(figure, "distinct", words("distinct.title"))


def _returns(laws: Mapping[str, Any], called: Mapping[str, str], words: Words) -> str:
    figure, axes = figure_of("returns", 2.9, 7.0)
    for lag in (24, 48, 72):
        axes.axvline(lag, color="#aab4be", linewidth=1)
    for name in ("ours", "waypoint"):
        values = laws[name]["returns"]
        axes.plot(range(1, len(values) + 1), values, **LINES[name], label=called[name])
    axes.set_xlim(0, 73)
    axes.set_ylim(0, 1)
    axes.set_xticks(range(0, 73, 12))
    axes.set_xlabel(words("returns.x"))
    axes.set_ylabel(words("returns.y"))
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.4), fontsize=10)
    return svg(figure, "returns", words("returns.title"))


def _degrees(laws: Mapping[str, Any], called: Mapping[str, str], words: Words) -> str:
    figure, axes = figure_of("degrees", 2.9, 7.0)
    k = np.arange(1, 100)
    onnela = (np.arange(1, 1000) + 10.9) ** -8.4
    beyond = onnela[::-1].cumsum()[::-1][: len(k)] / onnela.sum()
    axes.fill_between(k, 100 * beyond, 1e-3, color=BAND, label="Onnela et al. 2007")
    for name in ("ours", "uniform"):
        counts = np.array(laws[name]["degrees"], float)
        share = 100 * counts[::-1].cumsum()[::-1][1:] / max(counts[1:].sum(), 1)
        axes.plot(np.arange(1, len(counts)), share, **LINES[name], label=called[name])
    _log_axis(axes, "x", 1, 100)
    axes.set_xlim(1, 100)
    axes.set_yscale("log")
    axes.set_ylim(0.03, 110)
    axes.set_xlabel(words("degrees.x"))
    axes.set_ylabel(words("degrees.y"))
    axes.legend(loc="upper right", fontsize=10)
    return svg(figure, "degrees", words("degrees.title"))


def _gaps(laws: Mapping[str, Any], called: Mapping[str, str], words: Words) -> str:
    figure, axes = figure_of("gaps", 2.9, SMALL)
    for name in ("ours", "uniform"):
        axes.plot(*laws[name]["gaps"], **LINES[name], label=called[name])
    _log_axis(axes, "x", 1 / 120, 200)
    axes.set_yscale("log")
    axes.set_xlabel(words("gaps.x"))
    axes.set_ylabel(words("gaps.y"))
    axes.legend(loc="lower left", fontsize=10)
    return svg(figure, "gaps", words("gaps.title"))


def _event(event: Mapping[str, Any], words: Words) -> str:
    """People, and calls made, at the cells of an event by hour; the day of it and the day a week later."""
    figure = Figure(figsize=(7.0, 2.8), layout="constrained")
    for position, (suffix, title) in enumerate((("", "there"), ("_calls", "calls"))):
        axes = figure.add_subplot(1, 2, position + 1)
        if event:
            axes.axvspan(
                event["opens_h"], event["closes_h"], color=BAND, label=words.name(event["name"], "place")
            )
            for name in ("day", "usual"):
                axes.plot(np.arange(24) + 0.5, event[f"{name}{suffix}"], **LINES["ours" if name == "day" else
                          "uniform"], label=words(f"event.{name}"))  # fmt: skip
        axes.set_title(words(f"event.{title}"), fontsize=11)
        _hours_axis(axes)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=10)
    return svg(figure, "event", words("event.title"))


def _erlang(erlang: Mapping[str, Any], words: Words) -> str:
    """Cells against the curves of Erlang B for their numbers of channels."""
    figure, axes = figure_of("erlang", 3.3, 7.0)
    cells = erlang["cells"]
    numbers = sorted({n for n, *_ in cells})[:6]
    most = max((a for _, a, *_ in cells), default=1.0)
    traffic = np.linspace(0.01, 1.1 * most, 120)
    for index, n in enumerate(numbers):
        blocked = np.ones_like(traffic)
        for channel in range(1, n + 1):
            blocked = traffic * blocked / (channel + traffic * blocked)
        shade = str(0.15 + 0.5 * index / max(len(numbers), 1))
        marker = "osD^vP"[index]
        axes.plot(traffic, 100 * blocked, color=shade, linewidth=1.3)
        mine = [(a, 100 * b, asked) for m, a, b, asked in cells if m == n]
        label = words("erlang.channels", n=n) if n > 1 else words("erlang.one")
        axes.scatter(
            [a for a, _, _ in mine], [b for _, b, _ in mine], marker=marker, s=22, facecolor="white",
            edgecolor=shade, linewidth=1.1, label=label, zorder=3,
        )  # fmt: skip
    top = max((100 * b for _, _, b, _ in cells), default=1.0)
    axes.set_ylim(-0.3, min(max(1.25 * top, 4.0), 60.0))
    axes.set_xlim(0, 1.1 * most)
    axes.set_xlabel(words("erlang.x"))
    axes.set_ylabel(words("erlang.y"))
    axes.legend(fontsize=10, ncols=2)
    return svg(figure, "erlang", words("erlang.title"))


def _areas(areas: Sequence[Sequence[float]], words: Words) -> str:
    figure, axes = figure_of("areas", 2.9, SMALL)
    border = np.array([b for _, b, _ in areas], float)
    rate = np.array([r for _, _, r in areas])
    axes.plot(border, rate * 24, "o", color=ACCENT, markersize=8)
    x = np.linspace(0, 1.08 * border.max(), 20)
    axes.plot(x, 24 * float((rate * border).sum() / (border * border).sum()) * x, color=INK, linestyle="--",
              linewidth=1.2, label=words("areas.proportion"))  # fmt: skip
    for cells, b, r in areas:
        left = b < border.max() / 2  # where there is room
        axes.annotate(
            words("areas.cells", n=f"{cells:g}"), (b, 24 * r), (9, -5) if left else (-8, 6),
            textcoords="offset points", ha="left" if left else "right", fontsize=9,
        )  # fmt: skip
    axes.set_xlim(0, 1.08 * border.max())
    axes.set_ylim(0, 1.2 * 24 * rate.max())
    axes.set_xlabel(words("areas.x"))
    axes.set_ylabel(words("areas.y"))
    axes.legend(loc="lower right", fontsize=10)
    return svg(figure, "areas", words("areas.title"))


def _hysteresis(margins: Sequence[Sequence[float]], words: Words) -> str:
    figure, axes = figure_of("hysteresis", 2.9, SMALL)
    margin, share, low, high = (np.array(column) for column in zip(*margins, strict=True))
    axes.errorbar(
        margin, 100 * share, 100 * np.array([share - low, high - share]), fmt="o-", color=ACCENT, capsize=4
    )
    axes.set_ylim(bottom=0)
    axes.set_xticks(margin)
    axes.set_xlabel(words("hysteresis.x"))
    axes.set_ylabel(words("hysteresis.y"))
    return svg(figure, "hysteresis", words("hysteresis.title"))


def _seeds(summary: Mapping[str, Any], seeds: Mapping[str, Sequence[float]], words: Words) -> str:
    """Offered over configured: every world a dot, the mean with its interval."""
    rows = {row["name"]: row for row in summary["measures"]}
    figure, axes = figure_of("seeds", 0.9 + 0.42 * len(seeds), 7.0)
    axes.axvspan(0.98, 1.02, color=BAND)
    axes.axvline(1, color=INK, linewidth=0.9)
    for y, (name, values) in enumerate(seeds.items()):
        axes.plot(values, [y + 0.2] * len(values), "o", markersize=4, color="#8a96a1")
        found = rows[name]["populations"]["ours"]
        if found["low"] is not None:
            axes.plot([found["low"], found["high"]], [y - 0.1] * 2, color=ACCENT, linewidth=2)
        axes.plot(found["value"], y - 0.1, "D", color=ACCENT, markersize=7)
    axes.set_yticks(range(len(seeds)), [words.name(name, "short") for name in seeds])
    axes.set_ylim(len(seeds) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(words("seeds.x"))
    return svg(figure, "seeds", words("seeds.title"))
