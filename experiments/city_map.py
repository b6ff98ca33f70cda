"""A map to look at: cells and location areas in colour, BSC and MSC borders, roads, railways, places by name.

`kairos map WORLD`. Two views of one network: all of it, and the middle of its densest town with place names.
The ground is coloured by the nearest cell (its spot) as far as cells reach: one hue for each BSC, one shade
for each of its location areas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from experiments.problems import BadInput
from experiments.world_files import opened_world
from sim.draws import Draws
from sim.network.listed_layout import export_cells
from sim.network.topology import INDOOR, RAIL, ROAD, Topology, build_topology
from sim.scenario_errors import ScenarioError

__all__ = ["FORMATS", "View", "draw_map", "ground_cells", "map_command", "whole_view"]

FORMATS: Final = (".png", ".svg", ".pdf")
INK: Final = "#1d242c"
PAPER: Final = "#f7f5f0"
_PIXELS = 900
_HUES = (0.58, 0.10, 0.36, 0.93, 0.50, 0.15, 0.76, 0.02, 0.44, 0.65, 0.27, 0.85)
_LABELS = 34
_STYLE: Any = {"font.family": "sans-serif", "svg.fonttype": "none"}


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of the ground, metres."""

    west: float
    south: float
    east: float
    north: float

    @property
    def width(self) -> float:
        return self.east - self.west

    @property
    def height(self) -> float:
        return self.north - self.south

    def holds(self, x: float, y: float) -> bool:
        return self.west <= x <= self.east and self.south <= y <= self.north


def whole_view(topology: Topology, shape: float) -> View:
    """All cells with a margin, `shape` times as wide as high."""
    x, y = topology.x_m.astype(float), topology.y_m.astype(float)
    return _shaped(View(x.min(), y.min(), x.max(), y.max()), shape, 1.16)


def _middle_view(topology: Topology, shape: float) -> View:
    """The densest ground: around the cell that has the nearest quarter of all outdoor cells closest to it."""
    outdoor = np.flatnonzero(topology.kind != INDOOR)
    x, y = topology.spot_x_m[outdoor].astype(float), topology.spot_y_m[outdoor].astype(float)
    count = max(min(len(outdoor) - 1, 16), min(len(outdoor) // 4, 160))
    tried = np.arange(0, len(outdoor), max(1, len(outdoor) // 400))
    squares = (x[tried, None] - x[None, :]) ** 2 + (y[tried, None] - y[None, :]) ** 2
    reach = np.sqrt(np.partition(squares, count, axis=1)[:, count])
    best = int(np.argmin(reach))
    r, at = float(reach[best]), int(tried[best])
    return _shaped(View(x[at] - r, y[at] - r, x[at] + r, y[at] + r), shape, 1.0)


def _shaped(view: View, shape: float, margin: float) -> View:
    cx, cy = (view.west + view.east) / 2, (view.south + view.north) / 2
    height = max(view.height, view.width / shape, 1000.0) * margin
    return View(cx - height * shape / 2, cy - height / 2, cx + height * shape / 2, cy + height / 2)


def ground_cells(topology: Topology, view: View, rows: int, columns: int) -> NDArray[np.int32]:
    """The cell nearest to every point of a raster (rows from the south), -1 out of the reach of all.

    Jump flooding (G. Rong, T.-S. Tan, "Jump flooding in GPU with applications to Voronoi diagram and
    distance transform", I3D 2006): nearly exact, and quick however many cells there are.
    """
    x, y = topology.spot_x_m.astype(np.float64), topology.spot_y_m.astype(np.float64)
    px = view.west + (np.arange(columns) + 0.5) * view.width / columns
    py = view.south + (np.arange(rows) + 0.5) * view.height / rows
    seeds = np.flatnonzero(topology.kind != INDOOR)
    margin = max(rows, columns) // 4
    column = np.floor((x - view.west) / view.width * columns).astype(int)
    row = np.floor((y - view.south) / view.height * rows).astype(int)
    near = seeds[
        (column[seeds] >= -margin)
        & (column[seeds] < columns + margin)
        & (row[seeds] >= -margin)
        & (row[seeds] < rows + margin)
    ]
    owner = np.full((rows, columns), -1, dtype=np.int32)
    best = np.full((rows, columns), np.inf)

    def offer(candidates: NDArray[np.int32]) -> None:
        """Takes the cells offered to each point where they are nearer than those it has."""
        known = candidates >= 0
        east, north = x[candidates] - px[None, :], y[candidates] - py[:, None]
        squares = np.where(known, east**2 + north**2, np.inf)
        nearer = squares < best
        best[nearer] = squares[nearer]
        owner[nearer] = candidates[nearer]

    # Cells outside the view begin at the point of its edge that is nearest to them.
    first = np.full_like(owner, -1)
    order = near[np.argsort(-topology.ci[near].astype(int), kind="stable")]
    first[np.clip(row[order], 0, rows - 1), np.clip(column[order], 0, columns - 1)] = order
    offer(first)
    step = 1 << (max(rows, columns) - 1).bit_length() - 1
    steps = []
    while step:
        steps.append(step)
        step >>= 1
    for step in (*steps, 2, 1):
        for down in (-step, 0, step):
            for right in (-step, 0, step):
                moved = np.full_like(owner, -1)
                to_rows, from_rows = _shifted(rows, down)
                to_columns, from_columns = _shifted(columns, right)
                moved[to_rows, to_columns] = owner[from_rows, from_columns]
                offer(moved)
    return np.where(np.sqrt(best) <= _reach_m(topology)[owner], owner, -1)


def _shifted(size: int, by: int) -> tuple[slice, slice]:
    """Where a shift puts things, and from where it takes them."""
    by = min(max(by, -size), size)
    return slice(max(by, 0), size + min(by, 0)), slice(max(-by, 0), size + min(-by, 0))


def _reach_m(topology: Topology) -> NDArray[np.float64]:
    """How far each cell's colour reaches: as far as its farthest neighbour outside, 700 m to 4 km."""
    reach = np.full(topology.n, 700.0)
    for cell in range(topology.n):
        others = topology.neighbours(cell)
        lengths = topology.neighbour_m[topology.neighbour_start[cell] : topology.neighbour_start[cell + 1]]
        outside = lengths[topology.kind[others] != INDOOR]
        if len(outside):
            reach[cell] = np.clip(float(np.median(outside)) * 0.8, 700.0, 4000.0)
    return reach


def _area_colours(topology: Topology) -> NDArray[np.float64]:
    """A colour for every cell: the hue of its BSC, the shade of its location area."""
    colours = np.zeros((topology.n, 3))
    for bsc, areas in enumerate(topology.las_of_bsc):
        hue = _HUES[bsc % len(_HUES)]
        for number, area in enumerate(areas):
            fraction = (number + 0.5) / len(areas)
            near = (hue + 0.14 * (fraction - 0.5)) % 1.0
            shade = hsv_to_rgb((near, (0.24, 0.42, 0.30)[number % 3], (0.97, 0.86, 0.92)[number % 3]))
            colours[(topology.bsc == bsc) & (topology.lac == area)] = shade
    return colours


def _paint(ax: Axes, topology: Topology, view: View) -> None:
    """The ground, with borders of areas (white), BSCs (dark) and MSCs (thick)."""
    columns = _PIXELS if view.width >= view.height else int(_PIXELS * view.width / view.height)
    rows = int(columns * view.height / view.width)
    owner = ground_cells(topology, view, rows, columns)
    known = owner >= 0
    picture = np.zeros((rows, columns, 4))
    picture[known, :3] = _area_colours(topology)[owner[known]]
    picture[known, 3] = 1.0
    for labels, colour, width in (
        (topology.lac, (1.0, 1.0, 1.0), 1),
        (topology.bsc, (0.28, 0.33, 0.40), 1),
        (topology.msc, (0.60, 0.05, 0.10), 3),
    ):
        edge = _borders(np.where(known, labels[owner].astype(np.int64), -1), width)
        picture[edge & known, :3] = colour
    ax.imshow(
        picture,
        extent=(view.west, view.east, view.south, view.north),
        origin="lower",
        interpolation="nearest" if rows * columns < 10_000 else "antialiased",
        zorder=1,
    )


def _borders(labels: NDArray[np.int64], width: int) -> NDArray[np.bool_]:
    """Points beside another label; borders to unknown ground do not count."""
    edge = np.zeros(labels.shape, dtype=np.bool_)
    for axis in (0, 1):
        for by in range(1, width + 1):
            other = np.roll(labels, by, axis=axis)
            differs = (labels != other) & (labels >= 0) & (other >= 0)
            wrapped: Any = [slice(None), slice(None)]
            wrapped[axis] = slice(0, by)
            differs[tuple(wrapped)] = False
            edge |= differs
    return edge


def _draw_lines(ax: Axes, topology: Topology, view: View) -> None:
    for _, kind, corners in topology.lines:
        xs, ys = zip(*corners, strict=True)
        if kind == "road":
            ax.plot(xs, ys, color="#8a7a5c", linewidth=3.2, solid_capstyle="round", zorder=2)
            ax.plot(xs, ys, color="#fff3c4", linewidth=1.9, solid_capstyle="round", zorder=2.1)
        else:
            ax.plot(xs, ys, color="#30363d", linewidth=2.6, zorder=2.2)
            ax.plot(xs, ys, color="white", linewidth=1.4, linestyle=(0, (4, 4)), zorder=2.3)
    ax.set_xlim(view.west, view.east)
    ax.set_ylim(view.south, view.north)


def _draw_cells(ax: Axes, topology: Topology, view: View, size: float) -> None:
    """Sectors as strokes in their direction, cells in all directions as dots, indoor cells as squares."""
    inside = np.array(
        [view.holds(x, y) for x, y in zip(topology.x_m.tolist(), topology.y_m.tolist(), strict=True)]
    )
    along = (topology.kind == ROAD) | (topology.kind == RAIL)
    sectors = np.flatnonzero(inside & (topology.azimuth_deg >= 0))
    reach = np.hypot(
        topology.spot_x_m[sectors] - topology.x_m[sectors], topology.spot_y_m[sectors] - topology.y_m[sectors]
    )
    length = np.minimum(1.0, 0.022 * view.width / np.maximum(reach, 1.0))[:, None]
    start = np.stack([topology.x_m[sectors], topology.y_m[sectors]], axis=1).astype(float)
    spot = np.stack([topology.spot_x_m[sectors], topology.spot_y_m[sectors]], axis=1).astype(float)
    ends = start + (spot - start) * length
    ax.add_collection(
        LineCollection(
            list(np.stack([start, ends], axis=1)), colors=INK, linewidths=0.45 + size / 14, zorder=3
        )
    )
    for chosen, marker, face, scale in (
        (inside & (topology.kind == INDOOR), "s", "#b3261e", 1.25),
        (inside & along, "D", "#ffffff", 0.8),
        (inside & (topology.kind != INDOOR) & ~along, "o", INK, 0.5),
    ):
        ax.scatter(
            topology.x_m[chosen], topology.y_m[chosen], s=size * scale, marker=marker, c=face,
            edgecolors=INK if face == "#ffffff" else "none", linewidths=0.6, zorder=3.2,
        )  # fmt: skip


def _draw_places(ax: Axes, topology: Topology, view: View, most: int) -> None:
    """Names of places, those with own cells and the first of their kind before others, none over another."""
    taken: list[tuple[float, float, float, float]] = []
    seen: dict[str, int] = {}
    ranked = []
    for place in topology.places:
        number = seen.get(place.kind, 0)
        seen[place.kind] = number + 1
        ranked.append((not place.own, number, place))
    written = 0
    for _, _, place in sorted(ranked, key=lambda item: item[:2]):
        cell = place.cells[0]
        x = float(topology.x_m[cell] if place.own else topology.spot_x_m[cell])
        y = float(topology.y_m[cell] if place.own else topology.spot_y_m[cell])
        if not view.holds(x, y) or written >= most:
            continue
        wide, high = view.width * (0.0125 * len(place.name) + 0.02), view.height * 0.03
        for dx, dy in ((1, 0), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, -1)):
            left = x + view.width * 0.010 if dx > 0 else x - view.width * 0.010 - wide
            low = y + dy * high * 0.9 - high / 2
            box = (left, low, left + wide, low + high)
            if all(box[2] < b[0] or b[2] < box[0] or box[3] < b[1] or b[3] < box[1] for b in taken) and (
                view.holds(box[0], box[1]) and view.holds(box[2], box[3])
            ):
                taken.append(box)
                ax.text(
                    left if dx > 0 else left + wide, low + high / 2, place.name,
                    ha="left" if dx > 0 else "right", va="center", fontsize=7.6, color=INK, zorder=5,
                    style="normal" if place.own else "italic",
                    bbox={"facecolor": "white", "alpha": 0.78, "edgecolor": "none", "pad": 0.8},
                )  # fmt: skip
                written += 1
                break


def _scale_bar(ax: Axes, view: View) -> None:
    length = 10 ** int(np.floor(np.log10(view.width / 4)))
    length = next(m * length for m in (5, 2, 1) if m * length <= view.width / 4)
    x, y = view.west + view.width * 0.04, view.south + view.height * 0.045
    ax.plot([x, x + length], [y, y], color=INK, linewidth=2.5, solid_capstyle="butt", zorder=6)
    said = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    ax.text(
        x + length / 2,
        y + view.height * 0.012,
        said,
        ha="center",
        va="bottom",
        fontsize=9,
        color=INK,
        zorder=6,
    )


def _runs(codes: Sequence[int]) -> str:
    """Codes with what follows each other taken together: 4097-4099, 4112."""
    runs: list[list[int]] = []
    for code in sorted(codes):
        if runs and code == runs[-1][1] + 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return ", ".join(f"{first}-{last}" if last > first else f"{first}" for first, last in runs)


def _legend(topology: Topology) -> list[Any]:
    shown: list[Any] = []
    for bsc, code in enumerate(topology.bsc_point_codes[:12]):
        red, green, blue = hsv_to_rgb((_HUES[bsc % len(_HUES)], 0.36, 0.92)).tolist()
        said = _runs(topology.las_of_bsc[bsc])
        shown.append(Patch(facecolor=(red, green, blue), label=f"BSC {code}: areas {said}"))
    marks: Sequence[tuple[str, dict[str, Any]]] = (
        ("sector", {"color": INK, "linewidth": 1.2}),
        ("all directions", {"marker": "o", "color": INK, "linestyle": "", "markersize": 4}),
        ("indoor cell", {"marker": "s", "color": "#b3261e", "linestyle": "", "markersize": 6}),
        ("cell along a line", {"marker": "D", "color": "white", "markeredgecolor": INK, "linestyle": ""}),
        ("border of areas", {"color": "#c9cdd2", "linewidth": 1.5}),
        ("border of BSCs", {"color": "#475466", "linewidth": 1.5}),
        ("border of MSCs", {"color": "#990d1a", "linewidth": 3}),
        ("road", {"color": "#d9c88c", "linewidth": 3}),
        ("railway", {"color": "#30363d", "linewidth": 2.6, "linestyle": (0, (3, 1))}),
    )
    needed = {
        "border of MSCs": len(topology.msc_point_codes) > 1,
        "border of BSCs": len(topology.bsc_point_codes) > 1,
        "road": any(kind == "road" for _, kind, _ in topology.lines),
        "railway": any(kind == "rail" for _, kind, _ in topology.lines),
        "sector": bool((topology.azimuth_deg >= 0).any()),
    }
    shown += [Line2D([], [], label=name, **style) for name, style in marks if needed.get(name, True)]
    return shown


def draw_map(topology: Topology, title: str, path: Path) -> None:
    """Draws the map into a file; its suffix (`FORMATS`) says which kind. Raises OSError."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(16, 9.2), facecolor="white", layout=None)
        FigureCanvasAgg(figure)
        frames = ((0.012, 0.085, 0.482, 0.83), (0.506, 0.085, 0.482, 0.83))
        shape = (16 * frames[0][2]) / (9.2 * frames[0][3])
        views = (whole_view(topology, shape), _middle_view(topology, shape))
        for number, (frame, view) in enumerate(zip(frames, views, strict=True)):
            ax = figure.add_axes(frame)
            ax.set_facecolor(PAPER)
            _paint(ax, topology, view)
            _draw_lines(ax, topology, view)
            crowd = sum(
                view.holds(x, y) for x, y in zip(topology.x_m.tolist(), topology.y_m.tolist(), strict=True)
            )
            _draw_cells(ax, topology, view, float(np.clip(7000 / max(crowd, 1), 2.5, 26)))
            _draw_places(ax, topology, view, _LABELS if number else 8)
            _scale_bar(ax, view)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_aspect("equal")
            ax.set_xlim(view.west, view.east)
            ax.set_ylim(view.south, view.north)
        at, wide, high = (views[1].west, views[1].south), views[1].width, views[1].height
        middle = Rectangle(at, wide, high, fill=False, edgecolor="#b3261e", linewidth=1.6, zorder=6)
        figure.axes[0].add_patch(middle)
        figure.text(0.012, 0.972, title, fontsize=17, weight="bold", color=INK, va="center")
        figure.text(0.012, 0.943, _said(topology), fontsize=11, color="#5b6670", va="center")
        figure.text(
            0.988, 0.943, "right: the red frame. Italic: places without cells of their own", fontsize=10,
            color="#5b6670", va="center", ha="right",
        )  # fmt: skip
        figure.legend(
            handles=_legend(topology), loc="lower center", ncols=7, frameon=False, fontsize=9.5,
            bbox_to_anchor=(0.5, 0.005), handlelength=1.8, columnspacing=1.6,
        )  # fmt: skip
        figure.savefig(path, dpi=150)


def _said(topology: Topology) -> str:
    areas = sum(len(areas) for areas in topology.las_of_bsc)
    own = sum(place.own for place in topology.places)

    def many(count: int, one: str) -> str:
        return f"{count:,} {one}" + ("" if count == 1 else "s")

    return ", ".join(
        [
            many(topology.n, "cell"),
            many(areas, "location area"),
            many(len(topology.bsc_point_codes), "BSC"),
            many(len(topology.msc_point_codes), "MSC"),
            f"{many(len(topology.places), 'place')} ({own:,} with cells of their own)",
            f"{int(topology.tch.sum()):,} traffic channels",
        ]
    )


def map_command(
    world: Path, out: Path | None, seed: int, cell_list: Path | None, settings: Sequence[str]
) -> None:
    """`kairos map`: draws a world's network, and writes its cells where asked."""
    scenario = opened_world(world, settings)
    try:
        topology = build_topology(scenario, Draws(seed))
    except ScenarioError as error:
        raise BadInput([str(problem) for problem in error.problems]) from None
    path = out or Path(f"{scenario.world}.png")
    if path.suffix not in FORMATS:
        raise BadInput(f"--out {path}: expected a name that ends in one of {', '.join(FORMATS)}")
    written = path
    try:
        draw_map(topology, scenario.world, path)
        if cell_list is not None:
            written = cell_list
            export_cells(topology, cell_list)
    except OSError as error:
        raise BadInput(f"{written}: cannot be written: {error.strerror or error}") from None
    click.echo(path)
    if cell_list is not None:
        click.echo(cell_list)
