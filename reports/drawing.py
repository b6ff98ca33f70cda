"""What every picture is drawn with: sizes, styles, and SVG that stands inside a page.

Text stays text. It is measured with the font that matplotlib carries, Chinese as wide as it is, so that a
picture is the same on machines with and without other fonts; the page names fonts that are no wider.
"""

from __future__ import annotations

import io
import re
import unicodedata
from dataclasses import dataclass
from html import escape
from math import sqrt
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")

from matplotlib.axes import Axes
from matplotlib.backends import backend_svg
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, FixedLocator, MaxNLocator

__all__ = [
    "ACCENT",
    "ARM_STYLES",
    "BAND",
    "INK",
    "LETTERS",
    "OTHER",
    "SMALL",
    "STYLE",
    "ArmStyle",
    "figure_of",
    "svg",
    "wilson",
]


@dataclass(frozen=True, slots=True)
class ArmStyle:
    """How one arm is drawn everywhere."""

    colour: str
    hatch: str
    marker: str


ARM_STYLES: Final = {
    "precise": ArmStyle("#14467a", "", "o"),
    "blanket": ArmStyle("#e8a33d", "////", "s"),
    "control": ArmStyle("#d9dde2", "....", "D"),
}

INK: Final = "#1d242c"
ACCENT: Final = "#14467a"
OTHER: Final = "#b4531f"
BAND: Final = "#dfe6ee"
SMALL: Final = 4.6
"""Width of figures that stand side by side, inches: their letters are as large as those of the wide ones."""
_MEASURED: Final = "DejaVu Sans"
LETTERS: Final = (
    "'DejaVu Sans', Verdana, 'Noto Sans', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', "
    "'Noto Sans SC', 'Source Han Sans SC', 'WenQuanYi Micro Hei', 'WenQuanYi Zen Hei', sans-serif"
)
_MOST: Final = 1.5
"""How many times its size a picture grows to on a wide screen."""
_LEAST: Final = 0.92
"""Part of its size to which a picture may shrink on a phone; below, it is moved with the finger."""
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": _MEASURED,
    "font.size": 11,
    "axes.unicode_minus": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#5b6670",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": "#3c464f",
    "ytick.color": "#3c464f",
    "axes.grid": True,
    "grid.color": "#e6e9ec",
    "axes.axisbelow": True,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
}


class _Renderer(backend_svg.RendererSVG):
    """Measures Chinese by a letter of the same width: matplotlib's own font has none of it."""

    def get_text_width_height_descent(self, s: str, prop: Any, ismath: Any) -> tuple[float, float, float]:
        as_wide = "".join("—" if unicodedata.east_asian_width(letter) in "WF" else letter for letter in s)
        found = super().get_text_width_height_descent(as_wide, prop, ismath)  # type: ignore[no-untyped-call]
        width, height, descent = found
        if as_wide != s:  # a dash is flat: Chinese stands as high as its size, a little of it below the line
            height, descent = max(height, 1.1 * prop.get_size()), max(descent, 0.16 * prop.get_size())
        return width, height, descent


backend_svg.RendererSVG = _Renderer  # type: ignore[misc]  # the canvas makes its renderer by this name


def figure_of(name: str, height: float, width: float = 6.4) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    figure.set_gid(name)
    return figure, axes


def svg(figure: Figure, name: str, said: str, title: str = "") -> str:
    """The figure as an `<svg>` element that scales.

    `said` is its text for those who cannot see it; with `title`, that is what it is called, and `said` what
    it shows.
    """
    buffer = io.StringIO()
    # The salt keeps ids apart between figures of one page and equal between two renderings.
    with mpl.rc_context({**STYLE, "svg.hashsalt": f"kairos-{name}"}):
        _settle(figure)
        figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    # Ids that nothing refers to would stand twice on a page.
    referred = set(re.findall(r'(?:url\(|href=")#([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in referred else "", text)
    # Matplotlib before 3.10 writes `font: 700 11px 'family'`, later ones each part by itself.
    text = re.sub(rf"font: (\d+ )?([\d.]+px) '{_MEASURED}'", _parted, text)
    text = re.sub(rf"font-family: '{_MEASURED}';? ?", "", text)
    width = 72 * figure.get_figwidth()
    called, told = (title, said) if title else (said, "")
    labels = f"{name}-title {name}-said" if told else f"{name}-title"
    opening = (
        f'<svg role="img" aria-labelledby="{labels}" font-family="{LETTERS}" '
        f'style="--least: {_LEAST * width:.0f}px; --most: {_MOST * width:.0f}px"'
    )
    head = f'<title id="{name}-title">{escape(called)}</title>'
    head += f'<desc id="{name}-said">{escape(told)}</desc>' if told else ""
    text = text.replace("<svg", opening, 1)
    end = text.index(">") + 1
    return text[:end] + head + text[end:]


def _settle(figure: Figure) -> None:
    """Lays the figure out and keeps its ticks, then lets the drawing lay it out again.

    Otherwise the size of the axes decides how many ticks there are, and the width of their labels that size:
    the two may never agree, and a label is cut off.
    """
    if (engine := figure.get_layout_engine()) is None:
        return
    backend_svg.FigureCanvasSVG(figure)
    engine.execute(figure)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if type(axis.get_major_locator()) in (AutoLocator, MaxNLocator):
                axis.set_major_locator(FixedLocator(axis.get_majorticklocs().tolist()))


def _parted(found: re.Match[str]) -> str:
    weight, size = found.groups()
    return f"font-size: {size}" + (f"; font-weight: {weight.strip()}" if weight else "")


def wilson(k: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Wilson's score interval of a proportion."""
    if n <= 0:
        return 0.0, 1.0
    p = k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)
