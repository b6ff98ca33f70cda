"""The pictures of an end-to-end report, as inline SVG. Shapes and hatching tell apart in grey too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from reports.drawing import ACCENT, ARM_STYLES, INK, SMALL, STYLE, figure_of, svg, wilson
from reports.language import Words

__all__ = [
    "ARM_STYLES",
    "INK",
    "SMALL",
    "STYLE",
    "ForestRow",
    "contact_hours",
    "contact_pressure",
    "figure_of",
    "latency_over_time",
    "latency_share",
    "svg",
    "take_up",
    "uplift_forest",
    "wilson",
]

WIDE: Final = 4.9
"""Width of figures that stand alone, inches: on a phone they are whole."""


def take_up(arms: Mapping[str, tuple[int, int, float | None]], words: Words) -> str:
    """Take-up per arm with 95 % intervals; name -> (took up, eligible, mean share of the replays)."""
    with mpl.rc_context(STYLE):
        figure, axes = figure_of("take-up", 0.75 + 0.5 * len(arms), WIDE)
        for y, (name, (k, n, replay)) in enumerate(arms.items()):
            style = ARM_STYLES[name]
            share = 100 * k / n if n else 0.0
            low, high = (100 * edge for edge in wilson(k, n))
            axes.barh(y, share, 0.62, color=style.colour, hatch=style.hatch, edgecolor=INK, linewidth=0.8)
            axes.plot([low, high], [y, y], color=INK, linewidth=1.6)
            axes.plot([low, high], [y, y], "|", color=INK, markersize=9)
            axes.annotate(f"{share:.1f} %", (high, y), (7, 0), textcoords="offset points", va="center")
            if replay is not None:
                axes.plot(
                    100 * replay, y - 0.42, "D", markersize=6, markerfacecolor="white", markeredgecolor=INK
                )
        axes.set_yticks(range(len(arms)), [words.name(name, "arm") for name in arms])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_xlim(left=0)
        axes.margins(x=0.14)
        axes.set_xlabel(words("take_up.axis"))
    said = words.list(
        words("take_up.arm_said", arm=words.name(name, "arm"), share=f"{100 * k / max(n, 1):.1f}")
        for name, (k, n, _) in arms.items()
    )
    return svg(figure, "take-up", said, words("take_up.title"))


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One comparison of two arms, in shares."""

    label: str
    estimate: float
    low: float
    high: float
    truth: float | None
    truth_se: float | None


def uplift_forest(rows: Sequence[ForestRow], words: Words) -> str:
    """Differences of take-up in percentage points: what orders show, and what replays know."""
    with mpl.rc_context(STYLE):
        figure, axes = figure_of("uplift", 1.35 + 0.55 * len(rows), WIDE)
        axes.axvline(0, color=INK, linewidth=1)
        for y, row in enumerate(rows):
            axes.plot([100 * row.low, 100 * row.high], [y, y], color=INK, linewidth=1.8)
            axes.plot([100 * row.low, 100 * row.high], [y, y], "|", color=INK, markersize=10)
            axes.plot(100 * row.estimate, y, "o", color=ACCENT, markersize=8)
            if row.truth is not None:
                axes.plot(
                    100 * row.truth, y + 0.24, "D", markersize=7, markerfacecolor="white", markeredgecolor=INK
                )
                if row.truth_se is not None:
                    half = 196 * row.truth_se
                    axes.plot(
                        [100 * row.truth - half, 100 * row.truth + half],
                        [y + 0.24] * 2,
                        color=INK,
                        linewidth=1,
                    )
        axes.plot([], [], "o-", color=ACCENT, label=words("uplift.estimate"))
        axes.plot(
            [], [], "D", markerfacecolor="white", markeredgecolor=INK, color=INK, label=words("uplift.truth")
        )
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=10)
        axes.set_yticks(range(len(rows)), [row.label for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.1)
        axes.set_xlabel(words("uplift.axis"))
    said = words("mark.semicolon").join(
        words(
            "uplift.row_said",
            label=r.label,
            estimate=f"{100 * r.estimate:+.1f}",
            low=f"{100 * r.low:.1f}",
            high=f"{100 * r.high:.1f}",
        )
        for r in rows
    )
    return svg(figure, "uplift", said, words("uplift.title"))


def latency_share(latency_ms: NDArray[np.float64], marks: Mapping[str, float | None], words: Words) -> str:
    """Share of triggers that were at the SMSC within a time (empirical distribution)."""
    values = np.sort(latency_ms)
    with mpl.rc_context(STYLE):
        figure, axes = figure_of("latency", 3.0, SMALL)
        axes.step(
            values,
            100 * np.arange(1, len(values) + 1) / len(values),
            where="post",
            color=ACCENT,
            linewidth=1.8,
        )
        for name, value in marks.items():
            if value is not None:
                axes.axvline(value, color=INK, linewidth=1, linestyle="--")
                said = words("fast.mark", name=name, value=f"{value:.1f}")
                axes.text(value, 3, said, rotation=90, va="bottom", ha="left", fontsize=10)
        axes.set_xscale("log")
        positive = values[values > 0]
        ticks = _ticks(float(positive[0]) if positive.size else 1.0, float(values[-1]))
        axes.set_xlim(ticks[0], ticks[-1])
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylim(0, 101)
        axes.set_ylabel(words("fast.share_axis"))
        axes.set_xlabel(words("fast.share_x"))
    return svg(figure, "latency", words("fast.share_said", n=len(values)), words("fast.share_title"))


def _ticks(low: float, high: float) -> list[float]:
    """Ticks 1, 2, 5, 10, ... of a logarithmic axis that enclose a range; decades alone where it is wide."""
    first, last = floor(log10(low)), ceil(log10(max(high, low))) + 1
    wide = last - first > 5
    series = [float(f"{m}e{e}") for e in range(first, last + 1) for m in ((1,) if wide else (1, 2, 5))]
    start = max(i for i, tick in enumerate(series) if tick <= low)
    end = min(i for i, tick in enumerate(series) if tick >= high and i > start)
    return series[start : end + 1]


def latency_over_time(at_s: NDArray[np.float64], latency_ms: NDArray[np.float64], words: Words) -> str:
    """Every trigger's latency over the live phase."""
    with mpl.rc_context(STYLE):
        figure, axes = figure_of("latency-time", 3.0, SMALL)
        axes.plot(at_s, latency_ms, "o", color=ACCENT, markersize=3.5, alpha=0.7, markeredgewidth=0)
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.set_xlabel(words("fast.time_x"))
        axes.set_ylabel(words("fast.time_y"))
    return svg(figure, "latency-time", words("fast.time_title"))


def contact_hours(
    arms: Mapping[str, NDArray[np.int64]], quiet: tuple[float, float] | None, words: Words
) -> str:
    """Contacts received by hour of the local day; quiet hours shaded. name -> 24 counts."""
    with mpl.rc_context(STYLE):
        figure, axes = figure_of("hours", 3.1, SMALL)
        if quiet is not None:
            start, end = quiet
            for a, b in [(start, end)] if start <= end else [(start, 24.0), (0.0, end)]:
                axes.axvspan(a, b, color="#eceff2", zorder=0)
                if b - a > 2:  # there is room for a word
                    _top(axes, (a + b) / 2, words("pressed.quiet_band"), ha="center")
        width = 0.86 / max(len(arms), 1)
        for i, (name, counts) in enumerate(arms.items()):
            style = ARM_STYLES[name]
            x = np.arange(24) + 0.07 + width * (i + 0.5)
            axes.bar(
                x,
                counts,
                width,
                color=style.colour,
                hatch=style.hatch,
                edgecolor=INK,
                linewidth=0.6,
                label=words.name(name, "arm"),
            )
        axes.set_xlim(0, 24)
        axes.set_xticks(range(0, 25, 3), [f"{h:02d}" for h in range(0, 25, 3)])
        axes.set_xlabel(words("pressed.hours_x"))
        axes.set_ylabel(words("pressed.hours_y"))
        axes.legend(loc="upper left", bbox_to_anchor=(0.4, 1.02))
    return svg(figure, "hours", words("pressed.hours_title"))


def contact_pressure(arms: Mapping[str, NDArray[np.int64]], cap: int | None, words: Words) -> str:
    """How many eligible subscribers received 0, 1, 2, ... contacts. name -> contacts of each subscriber."""
    most = max((int(counts.max(initial=0)) for counts in arms.values()), default=0)
    most = max(most, cap or 0)
    with mpl.rc_context(STYLE):
        figure, axes = figure_of("pressure", 3.1, SMALL)
        width = 0.84 / max(len(arms), 1)
        for i, (name, counts) in enumerate(arms.items()):
            style = ARM_STYLES[name]
            shares = 100 * np.bincount(counts, minlength=most + 1) / max(len(counts), 1)
            x = np.arange(most + 1) - 0.42 + width * (i + 0.5)
            axes.bar(
                x,
                shares,
                width,
                color=style.colour,
                hatch=style.hatch,
                edgecolor=INK,
                linewidth=0.6,
                label=words.name(name, "arm"),
            )
            for at, share in zip(x, shares, strict=True):
                axes.text(
                    at,
                    share,
                    f"{share:.0f}" if share >= 10 or not share else f"{share:.1f}",
                    ha="center",
                    va="bottom",
                    fontsize=9,
                )
        if cap is not None:
            axes.axvline(cap + 0.5, color=INK, linestyle="--", linewidth=1.2)
            _top(axes, cap + 0.47, words("pressed.cap_line"), ha="right")
        axes.set_xticks(range(most + 1))
        axes.set_xlim(-0.6, most + 0.7)
        axes.grid(axis="x", visible=False)
        axes.set_xlabel(words("pressed.pressure_x"))
        axes.set_ylabel(words("pressed.pressure_y"))
        axes.legend()
    return svg(figure, "pressure", words("pressed.pressure_title"))


def _top(axes: Axes, x: float, said: str, **how: Any) -> None:
    """A word at the upper end of the axes."""
    axes.text(x, 0.97, said, transform=axes.get_xaxis_transform(), va="top", **how)
