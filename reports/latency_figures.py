"""The pictures of a latency report, as inline SVG: spectrum, over time, stages, load; told apart in grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from reports.drawing import ACCENT, BAND, INK, OTHER, STYLE, figure_of, svg
from reports.language import Words
from reports.numerals import number, plain

__all__ = ["Wakes", "pictures"]

Wakes = Mapping[str, Sequence[float]]
"""The generator's loop over time, worst of all phases: `at_s`, and `late_ms`, `turn_ms`."""
_SHARES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_LEAST_MS: Final = 0.001


def pictures(summary: Mapping[str, Any], wakes: Wakes | None, words: Words) -> dict[str, str]:
    """Every picture by name; those of which there is nothing are left out."""
    results = summary["results"]
    found = {}
    with mpl.rc_context(STYLE):
        if results["spectrum"]["corrected"]["ms"]:
            found["spectrum"] = _spectrum(results, words)
            found["time"] = _time(summary, wakes, words)
        if any(stage["n"] for stage in results["stages_ms"].values()):
            found["stages"] = _stages(results["stages_ms"], words)
        found["load"] = _load(results, words)
    return found


def _spectrum(results: Mapping[str, Any], words: Words) -> str:
    """Latency at each share; the axis gives the last tenth, hundredth and thousandth the same room."""
    figure, axes = figure_of("spectrum", 3.6)
    for tag, style in (
        ("raw", {"color": OTHER, "linestyle": "--", "linewidth": 1.6}),
        ("corrected", {"color": ACCENT, "linestyle": "-", "linewidth": 2.2}),
    ):
        line = results["spectrum"][tag]
        beyond = 1 / (1 - np.array(line["share"]))
        values = np.maximum(np.array(line["ms"]), _LEAST_MS)
        axes.plot(beyond, values, label=words(f"tag.{tag}"), drawstyle="steps-post", **style)  # type: ignore[arg-type]
    said = []
    for name, share in _SHARES.items():
        estimate = results["latency_ms"]["corrected"][name]
        if "value" in estimate:
            at = 1 / (1 - share)
            axes.plot([at, at], [estimate["low"], estimate["high"]], color=INK, linewidth=1.6)
            axes.plot([at, at], [estimate["low"], estimate["high"]], "_", color=INK, markersize=9)
            axes.plot(at, estimate["value"], "o", color=INK, markersize=4.5)
            said.append(words("spectrum.row_said", name=name, value=f"{estimate['value']:.2f}"))
    n = results["triggers_measured"]
    axes.set_xscale("log")
    axes.set_xlim(1, max(n, 10) * 1.15)
    shares = [0, *_SHARES.values(), 0.9999, 0.99999]
    ticks = [1 / (1 - share) for share in shares if 1 / (1 - share) <= max(n, 10) * 1.15]
    axes.set_xticks(ticks, [f"{100 * share:g} %" for share in shares[: len(ticks)]])
    axes.xaxis.set_minor_locator(NullLocator())
    lowest, highest = (results["spectrum"]["corrected"]["ms"][i] for i in (0, -1))
    _log_ms(axes, lowest, highest)
    axes.set_xlabel(words("spectrum.x"))
    axes.set_ylabel(words("unit.ms"))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=10)
    return svg(figure, "spectrum", words("mark.semicolon").join(said), words("spectrum.title"))


def _log_ms(axes: Axes, low: float, high: float, side: str = "y") -> None:
    """A logarithmic axis of milliseconds around a range, with plain figures at 1, 2, 5 or at decades."""
    low, high = max(low, _LEAST_MS), max(high, 2 * _LEAST_MS)
    first, last = floor(log10(low)), ceil(log10(high))
    steps = (1,) if last - first > 3 else (1, 2, 5)
    ticks = [float(f"{m}e{e}") for e in range(first, last + 1) for m in steps]
    ticks = [tick for tick in ticks if low / 2 <= tick <= high * 2]
    axis = axes.yaxis if side == "y" else axes.xaxis
    (axes.set_yscale if side == "y" else axes.set_xscale)("log")
    (axes.set_ylim if side == "y" else axes.set_xlim)(low / 1.3, high * 1.3)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(lambda value, _: plain(value))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _time(summary: Mapping[str, Any], wakes: Wakes | None, words: Words) -> str:
    """Median and a band up to the highest percentile that windows bear; below, the generator's own loop."""
    results = summary["results"]
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    figure.set_gid("time")
    axes, track = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    windows = [row for row in results["windows"] if row["corrected_ms"]["n"]]
    middle = np.array([row["at_s"] for row in windows]) + results["window_s"] / 2
    upper = _highest(windows)

    def line(name: str, tag: str = "corrected_ms") -> np.ndarray[Any, Any]:
        return np.array([np.nan if row[tag][name] is None else row[tag][name] for row in windows], float)

    axes.fill_between(middle, line("p50"), line(upper), color=BAND, step=None, linewidth=0)
    axes.plot(middle, line(upper), color=ACCENT, linestyle="--", linewidth=1.3, label=upper)
    axes.plot(middle, line("p50"), color=ACCENT, linewidth=2.2, marker="o", markersize=3, label="p50")
    axes.plot(middle, line("max"), "^", color=OTHER, markersize=4.5, label=words("time.max"))
    figures = np.concatenate([line("p50"), line("max")])
    kept = figures[np.isfinite(figures)]
    _log_ms(axes, float(kept.min()), float(kept.max()))
    axes.set_ylabel(words("unit.ms"))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=10)
    gap_ms = summary["bounds"]["gap_ms"]
    gaps = 0
    if wakes is not None:
        at, late, turn = (np.array(wakes[name], float) for name in ("at_s", "late_ms", "turn_ms"))
        width = float(at[1] - at[0]) if len(at) > 1 else 0.1
        track.bar(
            at,
            np.maximum(turn, _LEAST_MS),
            width,
            align="edge",
            color="#c9d0d6",
            hatch="////",
            edgecolor="#8a949d",
            linewidth=0,
            label=words("time.turn"),
        )
        track.step(
            at, np.maximum(late, _LEAST_MS), where="post", color=INK, linewidth=1.2, label=words("time.late")
        )
        track.axhline(gap_ms, color=OTHER, linewidth=1, linestyle=":")
        for start in at[np.maximum(late, turn) > gap_ms]:
            gaps += 1
            for one in (axes, track):
                one.axvspan(start, start + width, color="#f2c9b5", alpha=0.7, linewidth=0)
        _log_ms(track, 0.05, max(float(np.max(np.maximum(late, turn))), gap_ms))
        track.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)
    for phase in results["phases"]:
        if phase["stall"]:
            start = phase["stall"]["at_s"]
            axes.axvspan(
                start,
                start + phase["stall"]["stall_s"],
                facecolor="none",
                hatch="xx",
                edgecolor="#8a949d",
                linewidth=0,
            )
            axes.annotate(
                words("time.stall"), (start, 0.97), xycoords=("data", "axes fraction"), va="top", fontsize=9
            )
    track.set_ylabel(words("unit.ms"))
    track.set_xlabel(words("time.x"))
    track.set_xlim(0, results["windows"][-1]["at_s"] + results["window_s"])
    said = words("time.said", n=len(windows), upper=upper, gaps=gaps)
    return svg(figure, "time", said, words("time.title"))


def _highest(windows: Sequence[Mapping[str, Any]]) -> str:
    """The highest percentile that at least half of the windows have."""
    for name in ("p99", "p90"):
        if 2 * sum(row["corrected_ms"][name] is not None for row in windows) >= len(windows):
            return name
    return "p50"


def _stages(stages: Mapping[str, Mapping[str, Any]], words: Words) -> str:
    """A line a stage: from its median to its highest percentile, and its mean."""
    shown = [(name, stage) for name, stage in stages.items() if stage["n"]]
    figure, axes = figure_of("stages", 0.9 + 0.36 * len(shown))
    least, most = [], []
    said = []
    for y, (name, stage) in enumerate(shown):
        known = {p: stage[p]["value"] for p in _SHARES if "value" in stage[p]}
        values = {p: max(value, _LEAST_MS) for p, value in known.items()}
        least.append(min([*values.values(), max(stage["mean"], _LEAST_MS)]))
        most.append(max(stage["max"], _LEAST_MS))
        axes.plot([least[-1], most[-1]], [y, y], color="#8a949d", linewidth=1, linestyle=":")
        if values:
            first, last = values[min(values, key=_order)], values[max(values, key=_order)]
            axes.plot([first, last], [y, y], color=ACCENT, linewidth=2.4)
            axes.plot(first, y, "o", color=ACCENT, markersize=7)
            axes.plot(last, y, "|", color=ACCENT, markersize=11, markeredgewidth=2)
        axes.plot(most[-1], y, "^", color=OTHER, markersize=5)
        axes.plot(
            max(stage["mean"], _LEAST_MS), y, "D", markersize=5, markerfacecolor="white", markeredgecolor=INK
        )
        said.append(words("stages.row_said", name=words(f"stage.{name}"), mean=f"{stage['mean']:.3f}"))
    axes.plot([], [], "o", color=ACCENT, label="p50")
    axes.plot([], [], "|", color=ACCENT, markersize=11, markeredgewidth=2, label=words("stages.high"))
    axes.plot([], [], "D", markerfacecolor="white", markeredgecolor=INK, label=words("stages.mean"))
    axes.plot([], [], "^", color=OTHER, label=words("time.max"))
    axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=4, fontsize=9.5)
    axes.set_yticks(range(len(shown)), [words(f"stage.{name}") for name, _ in shown])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    _log_ms(axes, min(least), max(most), "x")
    axes.set_xlabel(words("unit.ms"))
    return svg(figure, "stages", words("mark.semicolon").join(said), words("stages.title"))


def _order(name: str) -> float:
    return _SHARES[name]


def _load(results: Mapping[str, Any], words: Words) -> str:
    """Messages a second over time: planned, and sent."""
    figure, axes = figure_of("load", 2.3)
    windows = results["windows"]
    width = results["window_s"]
    at = [row["at_s"] for row in windows]
    planned = np.array([row["planned_per_s"] for row in windows])
    sent = np.array([row["sent_per_s"] for row in windows])
    edges = [*at, at[-1] + width]
    axes.stairs(planned, edges, fill=True, color=BAND, label=words("load.planned"))
    axes.stairs(planned, edges, color="#8a949d", linewidth=1)
    axes.plot(np.array(at) + width / 2, sent, "o", color=ACCENT, markersize=3.5, label=words("load.sent"))
    axes.set_ylim(0, 1.15 * max(planned.max(), sent.max(), 1))
    axes.set_xlim(0, edges[-1])
    axes.set_xlabel(words("time.x"))
    axes.set_ylabel(words("load.y"))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=10)
    axes.yaxis.set_major_formatter(lambda value, _: plain(value))
    said = words("load.said", low=number(round(planned.min())), high=number(round(planned.max())))
    return svg(figure, "load", said, words("load.title"))
