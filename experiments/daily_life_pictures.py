"""A day of one subscriber, and where people are by the hour: pictures to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sim.run import World
from sim.scenario import DAY_US
from sim.subscribers import diary
from sim.subscribers.segments import SEGMENTS
from sim.subscribers.walk import walk

__all__ = ["draw_day", "draw_density"]

_HOUR_US = 3_600_000_000
_INK: Final = "#1d242c"
_PAPER: Final = "#f7f5f0"
_GREY: Final = "#c3c0b8"
_HOURS: Final = (4, 8, 10, 12, 15, 18, 20, 23)
_COLOURS: Final = ("#1f77b4", "#d8622b", "#2a9d5c", "#8e5bb5", "#b8860b", "#c23b6b", "#3aa6b9", "#6b6b6b")


def _place_name(world: World, cell: int) -> str:
    """What people would call a cell."""
    if cell < 0:
        return "in another network"
    place = int(world.topology.place[cell])
    return world.topology.places[place].name if place >= 0 else f"cell {int(world.topology.ci[cell])}"


def draw_day(world: World, sub: int, day: int, path: Path) -> Path:
    """One subscriber's day: the way on the map, and place and handset by the clock."""
    me = slice(sub, sub + 1)
    from_us, to_us = day * DAY_US, (day + 1) * DAY_US
    made = diary.trips(world, from_us, to_us, me)
    moved, switched = walk(world.topology, made), diary.power(world, from_us, to_us, me)
    crossed = diary.journeys(world, from_us, to_us, me)
    cells, on = diary.state_at(world, from_us, me)
    ground, population = world.topology, world.population
    colours: dict[int, str] = {}
    for cell in [int(cells[0]), *made.to_cell.tolist()]:
        colours.setdefault(cell, _COLOURS[len(colours) % len(_COLOURS)])
    figure = Figure(figsize=(11, 5.2), facecolor=_PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.25))
    x, y = ground.spot_x_m / 1000.0, ground.spot_y_m / 1000.0
    seen = np.array([int(cells[0]), *moved.cell.tolist()])
    seen = seen[seen >= 0]
    left.scatter(x, y, s=5, color=_GREY, linewidths=0)
    for start, end in zip(made.from_cell.tolist(), made.to_cell.tolist(), strict=True):
        way = [start]
        while way[-1] != end:
            way.append(int(ground.next_cell[way[-1], end]))
        left.plot(x[way], y[way], color=_INK, linewidth=1.2, alpha=0.6)
    for number, (cell, colour) in enumerate(colours.items(), 1):
        if cell >= 0:
            left.scatter(x[cell], y[cell], s=90, color=colour, zorder=3)
            left.annotate(str(number), (x[cell], y[cell]), color="white", ha="center", va="center",
                          fontsize=7, zorder=4)  # fmt: skip
    reach = max(float(np.ptp(x[seen])), float(np.ptp(y[seen])), 2.0) * 0.7
    left.set_xlim(x[seen].mean() - reach, x[seen].mean() + reach)
    left.set_ylim(y[seen].mean() - reach, y[seen].mean() + reach)
    left.set_aspect("equal")
    left.set_xlabel("km east")
    left.set_ylabel("km north")
    date = np.datetime64(world.scenario.epoch) + day
    segment = SEGMENTS[int(population.segment[sub])].name.replace("_", " ")
    left.set_title(f"subscriber {sub} ({segment}), {date}", loc="left", fontsize=10)
    # The clock: where, on the way, away; and the handset below.
    changes = [(from_us, int(cells[0]))]
    for leave, ride, to in zip(
        made.leave_us.tolist(), made.ride_us.tolist(), made.to_cell.tolist(), strict=True
    ):
        changes += [(leave, -2), (leave + ride, to)]
    changes += list(zip(crossed.t_us.tolist(), crossed.cell.tolist(), strict=True))
    changes.sort()
    names = list(colours)
    for (t_us, cell), until in zip(changes, [*(t for t, _ in changes[1:]), to_us], strict=True):
        a, b = (t_us - from_us) / _HOUR_US, (until - from_us) / _HOUR_US
        if cell >= 0:
            right.barh(names.index(cell), b - a, left=a, height=0.7, color=colours[cell])
        else:
            right.axvspan(a, b, color=_GREY, alpha=0.5 if cell == -2 else 0.9, linewidth=0)
    state, since = bool(on[0]), from_us
    rows = [*zip(switched.t_us.tolist(), switched.on.tolist(), strict=True), (to_us, False)]
    for t_us, now in rows:
        if state:
            right.barh(len(names), (t_us - since) / _HOUR_US, left=(since - from_us) / _HOUR_US, height=0.35,
                       color=_INK)  # fmt: skip
        state, since = bool(now), t_us
    labels = [f"{i} {'home' if c == population.home_cell[sub] else _place_name(world, c)}"
              for i, c in enumerate(names, 1)]  # fmt: skip
    right.set_yticks(range(len(names) + 1), [*labels, "handset on"])
    right.set_xlim(0, 24)
    right.set_xticks(range(0, 25, 3))
    right.set_xlabel("hour (grey: on the way)")
    right.invert_yaxis()
    for axes in (left, right):
        _plain(axes)
    figure.savefig(path, dpi=120)
    return path


def draw_density(world: World, day: int, path: Path) -> Path:
    """Where people are at eight hours of a day: those in each cell against those of four in the morning."""
    ground = world.topology
    figure = Figure(figsize=(13, 6.6), facecolor=_PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    counts = []
    for hour in _HOURS:
        cell, _ = diary.state_at(world, day * DAY_US + hour * _HOUR_US)
        counts.append(np.bincount(cell[cell >= 0], minlength=ground.n))
    most = max(int(count.max()) for count in counts)
    x, y = ground.spot_x_m / 1000.0, ground.spot_y_m / 1000.0
    people = counts[0].astype(np.float64)
    centre = float(np.average(x, weights=people)), float(np.average(y, weights=people))
    away = np.hypot(x - centre[0], y - centre[1])
    order = np.argsort(away)
    share = np.cumsum(np.maximum(people, sum(counts) / len(counts))[order])
    reach = float(away[order][np.searchsorted(share, 0.9 * share[-1])]) * 1.1
    shown: Any = None
    for axes, hour, count in zip(figure.subplots(2, 4).flat, _HOURS, counts, strict=True):
        change = (count - counts[0]) / np.maximum(count + counts[0], 1)
        shown = axes.scatter(x, y, s=2 + 260 * count / most, c=change, cmap="coolwarm", vmin=-1, vmax=1,
                             linewidths=0.2, edgecolors=_INK)  # fmt: skip
        axes.set_xlim(centre[0] - reach, centre[0] + reach)
        axes.set_ylim(centre[1] - reach, centre[1] + reach)
        axes.set_aspect("equal")
        axes.set_title(f"{hour:02d}:00, {int(count.sum())} people here", loc="left", fontsize=9)
        _plain(axes)
    figure.colorbar(shown, ax=figure.axes, shrink=0.6, label="emptier | fuller than at 04:00")
    figure.savefig(path, dpi=110)
    return path


def _plain(axes: Any) -> None:
    axes.set_facecolor(_PAPER)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
