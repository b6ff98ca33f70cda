"""Figures of several runs side by side: a small picture a figure, in it a dot and an interval a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import matplotlib as mpl
from matplotlib.ticker import MaxNLocator

from reports.compared import Figure
from reports.drawing import ACCENT, INK, SMALL, STYLE, figure_of, svg
from reports.language import Words

__all__ = ["pictures"]

MARKERS: Final = "osD^vPX*hp<>"
"""Runs differ in these too."""


def pictures(
    rows: Sequence[Mapping[str, Any]], letters: Sequence[str], words: Words
) -> list[tuple[str, Mapping[str, Any]]]:
    """A picture with its row, of every figure that has an interval in some run, in the order of the rows."""
    with mpl.rc_context(STYLE):
        return [
            (_side_by_side(f"figure-{place}", row["figure"], row["cells"], letters, words), row)
            for place, row in enumerate(rows)
            if any(cell is not None and cell.low is not None for cell in row["cells"])
        ]


def _side_by_side(
    name: str, first: Figure, cells: Sequence[Figure | None], letters: Sequence[str], words: Words
) -> str:
    figure, axes = figure_of(name, 0.75 + 0.3 * len(letters), SMALL)
    said = []
    for y, (letter, cell) in enumerate(zip(letters, cells, strict=True)):
        if cell is None or cell.value is None:
            axes.annotate(
                words("figure.none"), (0.5, y), xycoords=("axes fraction", "data"), va="center", ha="center"
            )
            said.append(words("mark.said", name=letter, said=words("figure.none")))
            continue
        text = f"{cell.value:.3g}"
        if cell.low is not None and cell.high is not None:
            axes.plot([cell.low, cell.high], [y, y], color=INK, linewidth=1.6)
            axes.plot([cell.low, cell.high], [y, y], "|", color=INK, markersize=9)
            text = words("figure.said", value=text, low=f"{cell.low:.3g}", high=f"{cell.high:.3g}")
        axes.plot(cell.value, y, MARKERS[y % len(MARKERS)], color=ACCENT, markersize=7, zorder=3)
        said.append(words("mark.said", name=letter, said=text))
    axes.set_yticks(range(len(letters)), list(letters))
    axes.set_ylim(len(letters) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.08)
    if first.unit:
        axes.set_xlabel(first.unit)
    return svg(figure, name, words("mark.semicolon").join(said), first.label)
