"""Studies of kind realism: three populations on one map, every measure with its band.

One core is enough: a world of some thousand people lives two weeks in seconds. The worlds of other seeds are
jobs of their own.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from experiments.folder import RunFolder, now, write_json
from experiments.problems import relative
from experiments.progress import Display
from experiments.realism.bands import COLUMNS, MEASURES, OURS, UNIFORM, WAYPOINT, verdict
from experiments.realism.fits import Estimate
from experiments.realism_study import Keys
from experiments.running.begin import begin
from experiments.running.ending import early_end, summary_of
from experiments.study import LoadedStudy

if TYPE_CHECKING:
    from experiments.realism.tables import Lived
    from experiments.running.executor import Executor
    from sim.network.intents import People
    from sim.network.library import TemplateLibrary
    from sim.world import World

__all__ = ["HYSTERESIS_DB", "judge", "lives_of", "rows_of", "run_study"]

SUMMARY_SCHEMA: Final = "kairos.realism/1"
HYSTERESIS_DB: Final = (0.0, 2.0, 4.0, 6.0)
"""Margins of handover at which ping-pong is counted."""
NO_ROOMS: Final = {"network.radio.room_db": 0}
"""The random waypoint model has points where people pause, and no houses with rooms that they are used to."""


def lives_of(seeds: int) -> int:
    """How often a world is lived through: populations without and with channels, margins, other seeds."""
    return 2 * len(COLUMNS) + len(HYSTERESIS_DB) + seeds - 1


Found = dict[str, dict[str, Estimate]]
"""Population -> measure -> figure."""


@dataclass(slots=True)
class _Studied:
    found: Found = field(default_factory=lambda: {column: {} for column in COLUMNS})
    pictures: dict[str, Any] = field(default_factory=dict)
    messages: int = 0
    subscribers: int = 0


def run_study(loaded: LoadedStudy, keys: Keys, out: Path, arguments: Sequence[str]) -> int:
    """Runs the study; the exit code. Progress goes to standard error, the results to standard output."""
    started = time.monotonic()
    run = begin(loaded, out, arguments, {"world": keys.world, "event world": keys.event_world})
    folder = run.folder
    with early_end(folder.finish), Display() as display:
        display.note(f"{keys.study}: {relative(folder.path)}, seed {keys.seed}, {keys.days} days")
        studied = _studied(keys, display, run.kept)
    rows = rows_of(studied.found)
    reasons = judge(rows)
    _write(folder, loaded, keys, studied, rows, reasons, time.monotonic() - started)
    folder.finish(reasons)
    from reports.realism import screen, write_report

    page = write_report(folder.path)
    sys.stdout.write(screen(folder.path) + f"\nReport: {relative(page)}\n")
    return 3 if reasons else 0


def _write(
    folder: RunFolder,
    loaded: LoadedStudy,
    keys: Keys,
    studied: _Studied,
    rows: list[dict[str, Any]],
    reasons: list[str],
    wall_s: float,
) -> None:
    summary = summary_of(
        folder, loaded, SUMMARY_SCHEMA, reasons, ended=now(), wall_s=wall_s,
        seeds=keys.seeds, days=keys.days, moving_days=keys.moving_days, subscribers=studied.subscribers,
        messages=studied.messages, populations=COLUMNS, measures=rows,
    )  # fmt: skip
    write_json(folder.path / "details.json", {"schema": "kairos.realism-pictures/1", **studied.pictures})
    write_json(folder.path / "summary.json", summary)


def _studied(keys: Keys, display: Display, executor: Executor) -> _Studied:
    """Lives through all worlds and measures them."""
    from experiments.realism import measure, mobility, pictures
    from experiments.realism.moves import moved
    from experiments.realism.network import planned_channels
    from experiments.realism.nulls import UniformUse, Waypoint
    from experiments.realism.usage import graph_of_weeks
    from sim.network.build import template_library
    from sim.run import Inhabitants, build, settings_of
    from sim.scenario import load_world

    scenario = load_world(keys.world, keys.world_settings)
    studied = _Studied(subscribers=scenario.subscribers)
    lived = _living(keys.days, template_library(settings_of(scenario)), display, studied)
    world = build(scenario, keys.seed)
    still = build(load_world(keys.world, keys.world_settings | NO_ROOMS), keys.seed)
    worlds = {OURS: world, WAYPOINT: still, UNIFORM: world}
    populations: dict[str, Callable[[], People]] = {
        OURS: lambda: Inhabitants(world),
        WAYPOINT: lambda: Waypoint(still, keys.days),
        UNIFORM: lambda: UniformUse(world, keys.days),
    }
    ground = mobility.Ground.of(world.topology)
    lives = {name: lived(COLUMNS[name], worlds[name], people()) for name, people in populations.items()}
    weeks = measure.WEEKS_OF_TIES
    ours = graph_of_weeks(Inhabitants(world), weeks)
    ties = {OURS: ours, WAYPOINT: ours, UNIFORM: graph_of_weeks(UniformUse(world, weeks * 7), weeks)}
    crowds = _crowds(keys, lived)
    moves = {
        OURS: moved(world, Inhabitants(world), keys.moving_days),
        WAYPOINT: moved(still, Waypoint(still, keys.moving_days), keys.moving_days),
    }
    moves[UNIFORM] = moves[OURS]
    ranges = ground.daily_range_km(moves[WAYPOINT].hourly)
    margins = _margins(keys, lived)
    limits: dict[str, tuple[Any, Lived]] = {}
    for name, people in populations.items():
        channels = planned_channels(lives[name])
        limited = lived(f"{COLUMNS[name]}, channels", worlds[name], people(), channels=channels)
        limits[name] = (channels, limited)
        studied.found[name] |= measure.radio(lives[name], limited, channels, margins if name == OURS else ())
        studied.found[name] |= measure.moving(moves[name], ranges)
        studied.found[name] |= measure.using(lives[name], ties[name])
        studied.found[name] |= measure.at_events(crowds[name])
    each: list[Mapping[str, float]] = [measure.offered(lives[OURS])]
    for found in _other_seeds(keys, display, executor):
        studied.messages += found["messages"]
        each.append(found["offered"])
    studied.found[OURS] |= measure.over_seeds(each)
    studied.pictures = pictures.pictures_of(lives, moves, limits, ties, crowds[OURS])
    studied.pictures["hysteresis"] = _ping_pong(margins)
    studied.pictures["seeds"] = {name: [found[name] for found in each] for name in each[0]}
    return studied


def _living(
    usual_days: int, usual_library: TemplateLibrary, display: Display, studied: _Studied
) -> Callable[..., Lived]:
    """What lives through a world: shows how far it is, and counts the messages that it made."""
    from experiments.realism.tables import live_through

    def lived(
        name: str,
        world: World,
        people: People,
        *,
        channels: Any = None,
        days: int = usual_days,
        library: TemplateLibrary = usual_library,
    ) -> Lived:
        def watch(t_us: int, messages: int) -> None:
            end_us = days * 86_400_000_000
            display.event(
                name,
                {"event": "progress", "t_us": t_us, "start_us": 0, "end_us": end_us, "messages": messages},
            )

        result = live_through(world, people, days, library, watch=watch, channels=channels)
        display.close(name)
        studied.messages += result.messages
        return result

    return lived


def _margins(keys: Keys, live: Callable[..., Lived]) -> list[Lived]:
    """The world lived through with each of HYSTERESIS_DB."""
    from sim.run import Inhabitants, build
    from sim.scenario import load_world

    lives = []
    for margin in HYSTERESIS_DB:
        settings = keys.world_settings | {"network.radio.hysteresis_db": margin}
        world = build(load_world(keys.world, settings), keys.seed)
        lives.append(live(f"hysteresis {margin:g} dB", world, Inhabitants(world)))
    return lives


def _ping_pong(margins: Sequence[Lived]) -> list[list[float]]:
    """For each of HYSTERESIS_DB: itself, share of handovers that go back, and its interval."""
    from experiments.realism.network import ping_pong_share

    shares = [ping_pong_share(life) for life in margins]
    return [
        [margin, share.value, share.low, share.high]
        for margin, share in zip(HYSTERESIS_DB, shares, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class OtherSeed:
    """A world of another seed, of which only what it was offered is asked."""

    world: Path
    settings: Mapping[str, str | bool | int | float]
    seed: int
    days: int


def live_other_seed(job: OtherSeed) -> dict[str, Any]:
    """What a world was offered, and how many messages it made of it."""
    from experiments.realism.measure import offered
    from experiments.realism.tables import live_through
    from sim.network.build import template_library
    from sim.run import Inhabitants, build, settings_of
    from sim.scenario import load_world

    scenario = load_world(job.world, job.settings)
    world = build(scenario, job.seed)
    lived = live_through(world, Inhabitants(world), job.days, template_library(settings_of(scenario)))
    found = {name: float(value) for name, value in offered(lived).items()}
    return {"offered": found, "messages": int(lived.messages)}


def _other_seeds(keys: Keys, display: Display, executor: Executor) -> list[dict[str, Any]]:
    """What worlds of the seeds that follow found, in their order."""
    jobs = [
        OtherSeed(keys.world, keys.world_settings, seed, keys.days)
        for seed in range(keys.seed + 1, keys.seed + keys.seeds)
    ]
    found: dict[str, dict[str, Any]] = {}
    for name, result in executor.map(live_other_seed, jobs, key=_seed_key):
        found[name] = result
        display.note(f"other seeds: {len(found)} of {len(jobs)} worlds")
    return [found[_seed_key(job)] for job in jobs]


def _seed_key(job: OtherSeed) -> str:
    return f"seed/{job.seed}"


def _crowds(keys: Keys, live: Callable[..., Lived]) -> dict[str, Lived]:
    """A world with events, lived through by each population until a week after the last event."""
    from experiments.realism.nulls import UniformUse, Waypoint
    from sim.network.build import template_library
    from sim.run import Inhabitants, build, settings_of
    from sim.scenario import load_world

    scenario = load_world(keys.event_world, keys.event_settings)
    days = max((event.day for event in scenario.events), default=0) + 7
    world = build(scenario, keys.seed)
    still = build(load_world(keys.event_world, keys.event_settings | NO_ROOMS), keys.seed)
    library = template_library(settings_of(scenario))
    return {
        name: live(f"{COLUMNS[name]}, events", place, people, days=days, library=library)
        for name, place, people in (
            (OURS, world, Inhabitants(world)),
            (WAYPOINT, still, Waypoint(still, days)),
            (UNIFORM, world, UniformUse(world, days)),
        )
    }


def rows_of(found: Found) -> list[dict[str, Any]]:
    """Every measure as a row of the summary: band, source, and for each population figure and verdict."""
    rows = []
    for measure in MEASURES:
        row = {k: _plain(v) for k, v in asdict(measure).items()}
        row["populations"] = {
            column: {
                "value": _plain(figure.value),
                "low": _plain(figure.low),
                "high": _plain(figure.high),
                "verdict": verdict(measure, figure),
            }
            for column in COLUMNS
            if (figure := found[column].get(measure.name)) is not None
        }
        rows.append(row)
    return rows


def judge(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why the study is not passed: required bands that our people miss, and nulls not told apart."""
    reasons = []
    for row in rows:
        ours = row["populations"].get(OURS)
        if row["required"] and (ours is None or ours["verdict"] != "inside"):
            reasons.append(f"{row['name']}: {_said(row, ours)}")
    for column, called in COLUMNS.items():
        blind = [
            row["name"]
            for row in rows
            if column in row["fails"]
            and row["populations"].get(column, {"verdict": "unmeasured"})["verdict"] != "outside"
        ]
        reasons += [f"{name}: {called} is not told apart by it" for name in blind]
    return reasons


def _said(row: Mapping[str, Any], ours: Mapping[str, Any] | None) -> str:
    low, high = (("" if v is None else f"{v:g}") for v in (row["low"], row["high"]))
    band = f"{low} to {high}" if high else f"{low} or more"
    if ours is None or ours["value"] is None:
        return f"not measured (band {band})"
    if ours["verdict"] == "unmeasured":
        return f"{ours['value']:.3g}, its interval too wide to tell (band {band})"
    return f"{ours['value']:.3g} is outside {band}"


def _plain(value: Any) -> Any:
    """JSON has no infinities."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
