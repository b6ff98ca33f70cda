"""How people move, measured: the laws of human mobility on a world's diaries, and pictures of days.

    python -m experiments.daily_life WORLD [--seed N] [--days N] [--set KEY=VALUE] [--out FOLDER]

Measures are taken from the trips alone, as from anybody's: who was where from when to when. Literature: jumps
and radius of gyration Gonzalez, Hidalgo, Barabasi, Nature 453 (2008); visits, growth of places, returns Song,
Koren, Wang, Barabasi, Nature Physics 6 (2010); burstiness Goh, Barabasi, EPL 81 (2008); daily range Isaacman
and others, MobiSys 2012.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from numpy.typing import NDArray

from experiments.problems import BadInput
from sim.run import World, build
from sim.scenario import DAY_US, load_world
from sim.scenario_errors import ScenarioError, parse_value
from sim.subscribers import diary
from sim.subscribers.habitat import Subs, chosen

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

HOUR_US: Final = 3_600_000_000
MINUTE_US: Final = 60_000_000
_DRAWN = 2  # day of the pictures, from 0
_MOST = 2000  # people looked at
_OFFSET_KM = 1.5  # of the truncated power law of jumps


@dataclass(frozen=True, slots=True, eq=False)
class Stays:
    """Who was where: rows by (sub, start). A stay begins on arrival; while away nobody stays anywhere."""

    sub: I64
    start_us: I64
    end_us: I64
    cell: I64


def stays_of(world: World, days: int, subs: Subs = None) -> Stays:
    """The stays of some days, from midnight of the first one on."""
    end_us = days * DAY_US
    made, crossed = diary.trips(world, 0, end_us, subs), diary.journeys(world, 0, end_us, subs)
    who = chosen(world.n, subs)
    cell, _ = diary.state_at(world, -1, subs)
    # One row for each change: to a cell (from arrival on), or to nowhere (from setting out, or leaving).
    sub = np.concatenate([who, made.sub, made.sub, crossed.sub])
    t_us = np.concatenate(
        [np.zeros(len(who), np.int64), made.leave_us, made.leave_us + made.ride_us, crossed.t_us]
    )
    where = np.concatenate([cell, np.full(len(made.sub), -1), made.to_cell, crossed.cell]).astype(np.int64)
    order = np.lexsort((t_us, sub))
    sub, t_us, where = sub[order], t_us[order], where[order]
    last = np.append(sub[1:] != sub[:-1], True)
    until = np.where(last, end_us, np.append(t_us[1:], end_us))
    here = (where >= 0) & (until > t_us)
    return Stays(sub[here], t_us[here], until[here], where[here])


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """What the laws are about."""

    jumps_km: F64
    jump_exponent: float
    """Of (r + 1.5 km)**-beta exp(-r / kappa), by likelihood."""
    gyration_km: F64
    """By subscriber."""
    zipf: float
    """Visits to the k-th most visited place go as k**-zipf, k 1 to 10."""
    distinct: F64
    """Mean number of distinct places after 1, 2, .. days."""
    growth: float
    """It goes as days**growth, from the second day on."""
    returns: F64
    """Chance to be at the cell of noon of day 1 so many hours later, of those who were on a stay then."""
    range_km: F64
    """Greatest distance between two places of a day, by subscriber and day."""
    burstiness: float
    """(s - m) / (s + m) of lengths of stays: -1 regular, 0 memoryless, 1 bursty."""
    waiting_exponent: float
    """Stays of 20 minutes to 17 hours go as t**-(1 + this), by likelihood."""


def measure(world: World, stays: Stays, days: int) -> Measures:
    """The measures of some stays."""
    ground = world.topology
    x, y = ground.spot_x_m[stays.cell] / 1000.0, ground.spot_y_m[stays.cell] / 1000.0
    same = stays.sub[1:] == stays.sub[:-1]
    jumps = np.hypot(np.diff(x), np.diff(y))[same]
    jumps = jumps[jumps > 0]
    length = (stays.end_us - stays.start_us).astype(np.float64)
    people, row = np.unique(stays.sub, return_inverse=True)

    def mean(values: F64) -> F64:
        return np.bincount(row, values * length) / np.bincount(row, length)

    gyration = np.sqrt(np.maximum(mean(x**2) - mean(x) ** 2 + mean(y**2) - mean(y) ** 2, 0.0))
    hours = length / HOUR_US
    whole = np.flatnonzero(same)[1:]  # neither the first nor the last stay of anybody: these are cut off
    whole = whole[same[whole - 1]]
    inner = hours[whole]
    waits = inner[(inner >= 1 / 3) & (inner <= 17)]
    distinct = _distinct(stays, row, len(people), days)
    return Measures(
        jumps_km=jumps,
        jump_exponent=_jump_exponent(jumps),
        gyration_km=gyration,
        zipf=_zipf(stays, len(ground.spot_x_m)),
        distinct=distinct,
        growth=float(np.polyfit(np.log(np.arange(2, days + 1)), np.log(distinct[1:]), 1)[0]),
        returns=_returns(stays, days),
        range_km=_ranges(stays, x, y),
        burstiness=float((inner.std() - inner.mean()) / (inner.std() + inner.mean())),
        waiting_exponent=_waiting_exponent(waits),
    )


def _jump_exponent(jumps: F64) -> float:
    """The most likely exponent, whatever the cut; not a number where all jumps are equal."""
    if len(jumps) == 0 or jumps.min() == jumps.max():
        return float("nan")
    grid = np.geomspace(jumps.min(), jumps.max(), 2000)
    some = jumps[:: max(1, len(jumps) // 20_000)]
    best = (-np.inf, 0.0)
    for exponent in np.arange(0.5, 3.51, 0.05):
        for cut in (10.0, 20.0, 40.0, 80.0, 160.0):
            density = (grid + _OFFSET_KM) ** -exponent * np.exp(-grid / cut)
            norm = float(np.sum(0.5 * (density[1:] + density[:-1]) * np.diff(grid)))
            fit = float(np.mean(-exponent * np.log(some + _OFFSET_KM) - some / cut)) - np.log(norm)
            best = max(best, (fit, float(exponent)))
    return best[1]


def _waiting_exponent(hours: F64) -> float:
    """The most likely exponent; not a number without stays."""
    if len(hours) == 0:
        return float("nan")
    grid = np.geomspace(1 / 3, 17, 2000)
    best = (-np.inf, 0.0)
    for beta in np.arange(-0.9, 2.0, 0.02):
        density = grid ** -(1 + beta)
        norm = float(np.sum(0.5 * (density[1:] + density[:-1]) * np.diff(grid)))
        best = max(best, (float(-(1 + beta) * np.log(hours).mean() - np.log(norm)), float(beta)))
    return best[1]


def _zipf(stays: Stays, cells: int) -> float:
    """From mean frequencies by rank: visits are stays, ranked for each person."""
    key, visits = np.unique(stays.sub * cells + stays.cell, return_counts=True)
    sub = key // cells
    order = np.lexsort((-visits, sub))
    sub, visits = sub[order], visits[order]
    first = np.concatenate(([0], np.flatnonzero(np.diff(sub)) + 1))
    rank = np.arange(len(sub)) - np.repeat(first, np.diff(np.append(first, len(sub))))
    share = visits / np.repeat(np.add.reduceat(visits, first), np.diff(np.append(first, len(sub))))
    mean = np.bincount(rank, share, minlength=10)[:10] / len(first)
    used = mean > 0
    return float(-np.polyfit(np.log(np.arange(1, 11)[used]), np.log(mean[used]), 1)[0])


def _distinct(stays: Stays, row: I64, people: int, days: int) -> F64:
    key = row * (1 << 20) + stays.cell
    _, first = np.unique(key, return_index=True)  # rows are in order of time: the first visit to each place
    day = np.minimum(stays.start_us[first] // DAY_US, days - 1)
    return np.asarray(np.cumsum(np.bincount(day, minlength=days)) / people)


def _at(stays: Stays, t_us: int) -> tuple[I64, I64]:
    there = np.flatnonzero((stays.start_us <= t_us) & (t_us < stays.end_us))
    return stays.sub[there], stays.cell[there]


def _returns(stays: Stays, days: int) -> F64:
    begun = np.full(int(stays.sub.max()) + 1, -1, dtype=np.int64)
    sub, cell = _at(stays, 12 * HOUR_US)
    begun[sub] = cell
    out = []
    for hour in range((days - 1) * 24):
        sub, cell = _at(stays, (12 + hour) * HOUR_US)
        out.append(np.count_nonzero(begun[sub] == cell) / np.count_nonzero(begun >= 0))
    return np.array(out)


def _ranges(stays: Stays, x: F64, y: F64) -> F64:
    """By the greatest distance from the place where the day begins: at most half of the range off."""
    key = stays.sub * 4096 + stays.start_us // DAY_US
    out = []
    first = np.concatenate(([0], np.flatnonzero(np.diff(key)) + 1, [len(key)]))
    for a, b in zip(first[:-1].tolist(), first[1:].tolist(), strict=True):
        a = max(a - 1, 0) if a and stays.sub[a - 1] == stays.sub[a] else a  # the night before
        dx, dy = x[a:b, None] - x[a:b], y[a:b, None] - y[a:b]
        out.append(float(np.sqrt((dx * dx + dy * dy).max())))
    return np.array(out)


def words(m: Measures) -> str:
    """The measures as lines of text."""
    q = np.quantile
    peaks = [m.returns[24 * d] for d in range(1, 4) if 24 * d < len(m.returns)]
    troughs = [m.returns[24 * d - 12] for d in range(1, len(peaks) + 1)]
    lines = [
        ("jump length, km: median, 90 %, 99 %, longest",
         "  ".join(f"{km:.1f}" for km in (*q(m.jumps_km, (0.5, 0.9, 0.99)), m.jumps_km.max()))),
        ("  exponent (literature 1.75 +- 0.15)", f"{m.jump_exponent:.2f}"),
        ("radius of gyration, km: median, mean, 90 %, 99 %",
         f"{q(m.gyration_km, 0.5):.2f}  {m.gyration_km.mean():.2f}  {q(m.gyration_km, 0.9):.1f}  "
         f"{q(m.gyration_km, 0.99):.1f}"),
        ("visits by rank: exponent (1.2)", f"{m.zipf:.2f}"),
        ("distinct places after 1, 7, 14 days",
         "  ".join(f"{m.distinct[d - 1]:.1f}" for d in (1, 7, 14) if d <= len(m.distinct))),
        ("  growth exponent (0.6)", f"{m.growth:.2f}"),
        ("return probability at 24, 48, 72 h; half a day before each",
         "  ".join(f"{p:.2f}" for p in peaks) + ";  " + "  ".join(f"{p:.2f}" for p in troughs)),
        ("daily range, km: 25 %, median, 75 %, 95 %",
         "  ".join(f"{q(m.range_km, p):.1f}" for p in (0.25, 0.5, 0.75, 0.95))),
        ("stays: exponent beta (0.8), burstiness", f"{m.waiting_exponent:.2f}  {m.burstiness:.2f}"),
    ]  # fmt: skip
    return "\n".join(f"{name:<62} {value}" for name, value in lines)


@click.command()
@click.argument("world_file", metavar="WORLD", type=click.Path(path_type=Path))
@click.option("--seed", default=7, show_default=True, help="Seed of the world.")
@click.option("--days", default=14, show_default=True, type=click.IntRange(3, 60), help="Days to live.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Value of the world file.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for pictures; by default none are drawn."
)
def main(world_file: Path, seed: int, days: int, overrides: tuple[str, ...], out: Path | None) -> None:
    """Measures the laws of mobility on a world, and draws a day and the density of people."""
    pairs: dict[str, Any] = {}
    for item in overrides:
        key, is_pair, value = item.partition("=")
        if not is_pair:
            raise BadInput(f"--set {item}: expected KEY=VALUE")
        pairs[key] = parse_value(value)
    try:
        world = build(load_world(world_file, pairs), seed)
    except (ScenarioError, OSError) as error:
        raise BadInput(str(error)) from error
    stays = stays_of(world, days, np.arange(0, world.n, max(1, world.n // _MOST)))
    click.echo(words(measure(world, stays, days)))
    if out is not None:
        from experiments.daily_life_pictures import draw_day, draw_density  # matplotlib is slow to import

        out.mkdir(parents=True, exist_ok=True)
        today = stays.sub[stays.start_us // DAY_US == _DRAWN]
        click.echo(str(draw_day(world, int(np.argmax(np.bincount(today))), _DRAWN, out / "day.png")))
        click.echo(str(draw_density(world, _DRAWN, out / "density.png")))


if __name__ == "__main__":
    main()
