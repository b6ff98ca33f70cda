"""The pictures of a compliance report, as inline SVG: greys and hatching, so that they print in black."""

from __future__ import annotations

import html
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from math import sin
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from reports.figures import INK, STYLE, svg
from reports.language import Words
from reports.numerals import number

__all__ = ["TIME_BINS", "pictures", "users_words"]

WIDTH: Final = 6.8
GREYS: Final = ("#c9d6e6", "#8fabc9", "#4f7cab", "#14467a")
"""Lighter to darker, by the number of contacts."""
TIME_BINS: Final = ("broken", "s1", "s10", "m1", "m10", "h1", "h6", "h24", "more")
"""Names of the bins of `experiments.compliance.margins` of margins in time."""
TURN: Final = 35
"""Degrees by which labels below an axis are turned."""


def pictures(
    summary: Mapping[str, Any],
    words: Words,
    cap_words: Callable[[str], str],
    edge_words: Callable[[Mapping[str, Any]], str],
) -> dict[str, str]:
    """Every picture by name; those of which there is nothing are left out.

    `cap_words`, `edge_words`: a cap, an edge of a rule, for people.
    """
    life = summary["life"]
    if life is None:
        return {}
    found = {
        "caps": _caps(life["caps"], words, cap_words),
        "pressure": _pressure(life["pressure"], words),
        "suppressed": _suppressed(life, words),
        "displaced": _displaced(life, words),
        "releases": _releases(life["holds"]["by_hour"], words),
        "near": _near(life["near"], words, edge_words),
    }
    own = users_words(summary)
    return {name: _marked(picture, own) for name, picture in found.items() if picture}


def users_words(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """What users have named in files of theirs: campaigns, hours, classes; the longest first."""
    life = summary["life"] or {"campaigns": [], "near": [], "caps": []}
    found = set(life["campaigns"]) | {name for cap in life["caps"] for name in cap["classes"]}
    for edge in life["near"]:
        if edge["rule"] == "closed_hours":
            found.add(edge["of"])
        if edge["rule"] == "not_after":
            found |= {name for part in edge["of"].split(" after ") for name in part.split(" or ")}
    return tuple(sorted(found, key=lambda name: (-len(name), name)))


def _marked(picture: str, own: Sequence[str]) -> str:
    """With users' words said to be in a language of their own, as everywhere on a page."""
    if not own:
        return picture
    words = re.compile("|".join(re.escape(html.escape(word)) for word in own))
    return re.sub(
        r">([^<>]+)</text>",
        lambda text: ">" + words.sub(r'<tspan lang="">\g<0></tspan>', text[1]) + "</text>",
        picture,
    )


def _svg(figure: Figure, name: str, said: str) -> str:
    with warnings.catch_warnings():
        # Text stays text: who reads the page has the glyphs that are not in the font which measures here.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        return svg(figure, name, said)


def _wide(text: str, size: float = 9.0) -> float:
    """About how wide a text is, inches; a Chinese character is as wide as it is high."""
    return sum(1.05 if ord(c) > 0x2E80 else 0.58 for c in text) * size / 72


def _short(text: str, share: float) -> str:
    """A text that takes no more than this share of the width."""
    if _wide(text) <= share * WIDTH:
        return text
    while _wide(text) > share * WIDTH - 0.1:
        text = text[:-1]
    return text.rstrip() + "…"


def _page(
    name: str, left: Sequence[str], below: Sequence[str], rows: float, foot: float = 0.4
) -> tuple[Figure, Axes]:
    """Axes with room for labels at the left and, turned, below; `rows` inches high."""
    margin = max([0.4, *map(_wide, left)]) + 0.2
    margin = min(margin, 0.45 * WIDTH)
    foot = max([foot, *(_wide(text) * sin(np.radians(TURN)) + 0.25 for text in below)])
    height = rows + foot + 0.1
    figure = Figure(figsize=(WIDTH, height))
    figure.set_gid(name)
    axes = figure.add_axes((margin / WIDTH, foot / height, 1 - (margin + 0.35) / WIDTH, rows / height))
    return figure, axes


def _heat(
    name: str, rows: Sequence[str], columns: Sequence[str], values: NDArray[np.float64], said: str
) -> str:
    """A table whose cells are the darker the greater; each has its number."""
    with mpl.rc_context(STYLE):
        figure, axes = _page(name, rows, columns, 0.34 * len(rows))
        most = max(float(values.max()), 1.0)
        size = 8 if most >= 1000 or len(columns) > 9 else 9
        # The square root keeps small numbers apart from none; dark letters stand on the darkest grey, too.
        edges = (np.arange(width + 1) - 0.5 for width in values.shape[::-1])
        axes.pcolormesh(*edges, np.sqrt(values / most), cmap="Greys", vmin=0, vmax=1.9)
        axes.invert_yaxis()
        for y, x in np.ndindex(*values.shape):
            if values[y, x]:
                whole = values[y, x] >= 10 or float(values[y, x]).is_integer()
                text = number(round(float(values[y, x]))) if whole else f"{values[y, x]:.1f}"
                axes.text(x, y, text, ha="center", va="center", fontsize=size, color=INK)
        axes.set_yticks(range(len(rows)), rows, fontsize=9)
        axes.set_xticks(range(len(columns)), columns, fontsize=9, rotation=TURN, ha="right")
        axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
        axes.grid(visible=False)
        axes.grid(visible=True, which="minor", color="#aab3bb", linewidth=0.5)
        axes.tick_params(which="both", length=0)
        axes.spines[["left", "bottom"]].set_visible(False)
        return _svg(figure, name, said)


def _caps(caps: Sequence[Mapping[str, Any]], words: Words, cap_words: Callable[[str], str]) -> str:
    """A bar a cap: person-periods with one contact and more; hatched where the cap is reached."""
    labels = [cap_words(cap["text"]) for cap in caps]
    short = [_short(label, 0.42) for label in labels]
    with mpl.rc_context(STYLE):
        figure, axes = _page("caps", short, [], 0.5 * len(caps) + 0.1, foot=0.55)
        for y, cap in enumerate(caps):
            total, left = sum(cap["counts"]) or 1, 0.0
            for n, many in enumerate(cap["counts"][1:], start=1):
                share = 100 * many / total
                over, at = n > cap["most"], n == cap["most"]
                tone = GREYS[min(round(3 * n / max(cap["most"], 1)), 3)]
                axes.barh(
                    y, share, 0.6, left=left, edgecolor=INK, linewidth=0.7,
                    color="black" if over else "white" if at else tone, hatch="////" if at else "",
                )  # fmt: skip
                left += share
            none = 100 * cap["counts"][0] / total
            axes.annotate(words("caps.none", share=f"{none:.1f}"), (left, y), (6, 0),
                          textcoords="offset points", va="center", fontsize=9)  # fmt: skip
        axes.set_yticks(range(len(caps)), short, fontsize=9)
        axes.invert_yaxis()
        low, high = axes.get_xlim()
        axes.set_xlim(0, max(high * 1.45, low + 1))
        axes.grid(axis="y", visible=False)
        axes.set_xlabel(words("caps.axis"), fontsize=9)
        return _svg(figure, "caps", words("caps.alt", n=len(caps)))


def _pressure(pressure: Mapping[str, Any], words: Words) -> str:
    """How many have how many contacts, and the Lorenz curve."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.9))
        figure.set_gid("pressure")
        bars, curve = figure.add_axes((0.09, 0.2, 0.4, 0.74)), figure.add_axes((0.61, 0.2, 0.36, 0.74))
        many = np.array(pressure["distribution"], np.float64)
        shares = 100 * many / many.sum()
        bars.bar(range(len(many)), shares, 0.75, color="#8fabc9", edgecolor=INK, linewidth=0.7)
        for x, (share, n) in enumerate(zip(shares, many, strict=True)):
            if n and len(many) <= 12:
                bars.annotate(number(round(float(n))), (x, share), (0, 2), textcoords="offset points",
                              ha="center", fontsize=8)  # fmt: skip
        bars.set_xlabel(words("pressure.contacts"), fontsize=9)
        bars.set_ylabel(words("pressure.people"), fontsize=9)
        bars.grid(axis="x", visible=False)
        bars.xaxis.set_major_locator(MaxNLocator(integer=True))
        curve.plot([0, 100], [0, 100], color="#5b6670", linewidth=1, linestyle=":")
        if pressure["lorenz"]:
            at = np.linspace(0, 100, len(pressure["lorenz"]))
            curve.plot(at, 100 * np.array(pressure["lorenz"]), color="#14467a", linewidth=2)
            curve.fill_between(at, 100 * np.array(pressure["lorenz"]), at, facecolor="none", hatch="....",
                               edgecolor="#8fabc9", linewidth=0)  # fmt: skip
        curve.set_xlabel(words("pressure.lorenz_x"), fontsize=9)
        curve.set_ylabel(words("pressure.lorenz_y"), fontsize=9)
        for axes in (bars, curve):
            axes.tick_params(labelsize=9)
        said = words("pressure.alt", reached=number(pressure["reached"]), people=number(pressure["people"]))
        return _svg(figure, "pressure", said)


def _suppressed(life: Mapping[str, Any], words: Words) -> str:
    names = life["campaigns"]
    by = life["suppressed"]
    totals: dict[str, int] = {}
    for reasons in by.values():
        for reason, n in reasons.items():
            totals[reason] = totals.get(reason, 0) + n
    if not totals:
        return ""
    order = sorted(totals, key=lambda reason: (-totals[reason], reason))
    values = np.array([[by.get(name, {}).get(reason, 0) for reason in order] for name in names], np.float64)
    said = words("suppressed.alt", n=number(sum(totals.values())))
    return _heat("suppressed", names, [words(f"why_not.{reason}") for reason in order], values, said)


def _displaced(life: Mapping[str, Any], words: Words) -> str:
    names, found = life["campaigns"], life["displaced"]
    if not found["total"]:
        return ""
    values = np.array(found["matrix"], np.float64)
    columns = list(names)
    unknown = np.array([[found["unplaced"][name]] for name in names], np.float64)
    if unknown.any():
        values, columns = np.hstack((values, unknown)), [*columns, words("displaced.unknown")]
    return _heat("displaced", names, columns, values, words("displaced.alt", n=number(found["total"])))


def _releases(by_hour: Sequence[int], words: Words) -> str:
    """Releases in each hour from the first day's midnight on."""
    if not any(by_hour):
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.3))
        figure.set_gid("releases")
        axes = figure.add_axes((0.09, 0.24, 0.88, 0.7))
        hours = np.arange(len(by_hour))
        axes.bar(
            hours / 24 + 1, by_hour, 1 / 24, align="edge", color=GREYS[3], edgecolor=GREYS[3], linewidth=0.4
        )
        days = -(-len(by_hour) // 24)
        axes.set_xlim(1, days + 1)
        step = max(1, days // 14)
        axes.set_xticks(range(1, days + 2, step))
        axes.set_xlabel(words("holds.axis_x"), fontsize=9)
        axes.set_ylabel(words("holds.axis_y"), fontsize=9)
        axes.tick_params(labelsize=9)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        return _svg(figure, "releases", words("holds.alt", n=number(sum(by_hour))))


def _near(
    near: Sequence[Mapping[str, Any]], words: Words, edge_words: Callable[[Mapping[str, Any]], str]
) -> str:
    """A row an edge, a column a distance in time."""
    rows = [edge for edge in near if edge["unit"] == "us" and edge["contacts"]]
    if not rows:
        return ""
    labels = []
    for edge in rows:
        labels.append(_short(edge_words(edge), 0.42))
    values = np.array([edge["histogram"] for edge in rows], np.float64)
    columns = [words(f"bin.{name}") for name in TIME_BINS]
    return _heat("near", labels, columns, values, words("near.alt"))
