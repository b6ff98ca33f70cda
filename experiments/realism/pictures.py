"""What the pictures of a realism report are drawn from: curves, maps and graphs as plain lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from experiments.realism import events, mobility, network, usage
from experiments.realism.bands import OURS
from experiments.realism.fits import offered_of_carried
from experiments.realism.moves import Moved
from experiments.realism.tables import HOUR_US, Lived
from sim.network import acts as act_table
from sim.network.intents import DAY_US
from sim.network.topology import CELL_KINDS, Topology
from sim.subscribers.segments import SEGMENTS
from sim.subscribers.walk import walk

__all__ = ["pictures_of"]

LAGS: Final = range(1, 73)
_BINS = 24
_MOST_LINKS = 400  # of the handover graph


def pictures_of(
    lives: Mapping[str, Lived],
    moves: Mapping[str, Moved],
    limits: Mapping[str, tuple[Any, Lived]],
    ties: Mapping[str, nx.DiGraph[int]],
    crowd: Lived,
) -> dict[str, Any]:
    """Everything, for all populations.

    Args:
        lives: A life of each.
        moves: Many weeks of movement of each.
        limits: Planned channels, and the life with them.
        ties: Who called whom in many weeks.
        crowd: Our people's life in a world with events.
    """
    ours = lives[OURS]
    told = usage.Configured.of(ours.world.scenario)
    return {
        "map": _map(ours.world.topology),
        "day": _day(ours),
        "density": _density(ours).round(2).tolist(),
        "handovers": _handover_links(ours),
        "profiles": {"calls": told.calls_hours.tolist(), "texts": told.texts_hours.tolist()},
        "curves": {name: _curves(lived) for name, lived in lives.items()},
        "segments": _segments(ours),
        "week": {name: _week(lived) for name, lived in lives.items()},
        "laws": {name: _laws(lived, moves[name], ties[name]) for name, lived in lives.items()},
        "erlang": _erlang(*limits[OURS]),
        "event": events.picture(crowd),
        "areas": network.updates_by_size(ours, range(1, 5)),
    }


def _map(topology: Topology) -> dict[str, Any]:
    return {
        "x_km": (topology.x_m / 1000).round(3).tolist(),
        "y_km": (topology.y_m / 1000).round(3).tolist(),
        "lac": topology.lac.tolist(),
        "bsc": topology.bsc.tolist(),
        "kind": [CELL_KINDS[kind] for kind in topology.kind.tolist()],
        "places": [
            {
                "name": place.name,
                "x_km": float(topology.x_m[list(place.cells)].mean() / 1000),
                "y_km": float(topology.y_m[list(place.cells)].mean() / 1000),
            }
            for place in topology.places
        ],
        "links": [[int(a), int(b)] for a, b in topology.graph.edges],
    }


def _day(lived: Lived) -> dict[str, Any]:
    """The first working day of somebody with an eventful one: where, how far from home, and what is done."""
    day = next((d for d in range(lived.days) if not lived.world.scenario.is_weekend(d)), 0)
    from_us, to_us = day * DAY_US, (day + 1) * DAY_US
    stays = lived.stays
    inside = (stays.end_us > from_us) & (stays.start_us < to_us)
    acts = lived.acts
    today = (acts.t_us >= from_us) & (acts.t_us < to_us)
    spoken = np.isin(acts.kind, (act_table.CALL_MADE, act_table.CALL_RECEIVED, act_table.TEXT_SENT)) & today
    score = np.minimum(np.bincount(stays.sub[inside], minlength=lived.n), 6) * 10 + np.minimum(
        np.bincount(acts.sub[spoken], minlength=lived.n), 9
    )
    sub = int(score.argmax())
    ground = mobility.Ground.of(lived.world.topology)
    mine = np.flatnonzero(inside & (stays.sub == sub))
    home = int(lived.world.population.home_cell[sub])
    cells = stays.cell[mine]
    places = lived.world.topology.places
    at_place = lived.world.topology.place[cells]
    done = np.flatnonzero(today & (acts.sub == sub))
    return {
        "day": day + 1,
        "segment": SEGMENTS[int(lived.world.population.segment[sub])].name,
        "stays": [
            {
                "from_h": max(0.0, float((stays.start_us[row] - from_us) / HOUR_US)),
                "to_h": min(24.0, float((stays.end_us[row] - from_us) / HOUR_US)),
                "from_home_km": float(
                    np.hypot(ground.x_km[cell] - ground.x_km[home], ground.y_km[cell] - ground.y_km[home])
                ),
                "place": places[at].name if at >= 0 else ("home" if cell == home else ""),
            }
            for row, cell, at in zip(mine.tolist(), cells.tolist(), at_place.tolist(), strict=True)
        ],
        "acts": [
            {"h": float((acts.t_us[row] - from_us) / HOUR_US), "kind": act_table.KINDS[int(acts.kind[row])]}
            for row in done.tolist()
        ],
    }


def _density(lived: Lived) -> NDArray[np.float64]:
    """People in each cell by hour of working days; shape (24, cells)."""
    cells = lived.world.topology.n
    workdays = [d for d in range(lived.days) if not lived.world.scenario.is_weekend(d)]
    by_day = lived.hourly.reshape(lived.n, lived.days, 24)[:, workdays]
    counts = [np.bincount(by_day[:, :, hour].reshape(-1), minlength=cells) for hour in range(24)]
    return np.array(counts) / max(len(workdays), 1)


def _handover_links(lived: Lived) -> list[list[int]]:
    """Handovers by pair of cells: the cell of the subscriber just before and where he has come to."""
    moves = walk(lived.world.topology, lived.trips)
    first = lived.stays.cell[np.concatenate([[True], np.diff(lived.stays.sub) > 0])]
    sub = np.concatenate([np.arange(lived.n), moves.sub])
    t_us = np.concatenate([np.full(lived.n, -1), moves.t_us])
    cell = np.concatenate([first, moves.cell])
    order = np.lexsort((t_us, sub))
    sub, t_us, cell = sub[order], t_us[order], cell[order]
    span = int(t_us.max()) + 2
    done = network.handovers(lived)
    row = (
        np.searchsorted(sub * span + t_us + 1, done.sub.astype(np.int64) * span + done.t_us + 1, "right") - 1
    )
    known = (row > 0) & (sub[row] == sub[np.maximum(row - 1, 0)])
    pairs = np.sort(np.stack([cell[row[known] - 1], cell[row[known]]], axis=1), axis=1)
    links, counts = np.unique(pairs, axis=0, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:_MOST_LINKS]
    return [[int(a), int(b), int(n)] for (a, b), n in zip(links[most], counts[most], strict=True)]


def _shares(values: NDArray[np.float64]) -> list[float]:
    total = float(values.sum())
    return [round(float(v) / total, 6) if total else 0.0 for v in values]


def _curves(lived: Lived) -> dict[str, list[float]]:
    """Shares of a working day by hour: calls, texts, location updates."""
    updates = lived.acts.of(act_table.LOCATION_UPDATE)
    kinds = {"calls": usage.calls_made(lived), "texts": usage.texts_sent(lived), "updates": updates}
    return {
        name: _shares(usage.hours_of_workdays(lived, acts.t_us, acts.sub).sum(axis=0))
        for name, acts in kinds.items()
    }


def _segments(lived: Lived) -> dict[str, dict[str, list[float]]]:
    """Events a head, working day and hour by segment."""
    updates = lived.acts.of(act_table.LOCATION_UPDATE)
    kinds = {"calls": usage.calls_made(lived), "texts": usage.texts_sent(lived), "updates": updates}
    workdays = max(sum(not lived.world.scenario.is_weekend(d) for d in range(lived.days)), 1)
    segment = lived.world.population.segment
    found: dict[str, dict[str, list[float]]] = {s.name: {} for s in SEGMENTS}
    for name, acts in kinds.items():
        hours = usage.hours_of_workdays(lived, acts.t_us, acts.sub)
        for index, s in enumerate(SEGMENTS):
            some = hours[segment == index]
            found[s.name][name] = (some.sum(axis=0) / max(len(some), 1) / workdays).round(5).tolist()
    return found


def _week(lived: Lived) -> list[float]:
    """Calls a head and day by weekday, from Monday."""
    day = usage.calls_made(lived).t_us // DAY_US
    counts = np.bincount(day, minlength=lived.days)
    weekday = np.array([lived.world.scenario.weekday(d) for d in range(lived.days)])
    return [
        round(float(counts[weekday == d].mean() / lived.n), 4) if (weekday == d).any() else 0.0
        for d in range(7)
    ]


def _histogram(values: NDArray[np.float64], low: float, high: float) -> list[list[float]]:
    """Middles and densities of logarithmic bins."""
    edges = np.geomspace(low, high, _BINS + 1)
    counts, _ = np.histogram(values, edges)
    density = counts / max(counts.sum(), 1) / np.diff(edges)
    kept = counts > 0
    return [np.sqrt(edges[1:] * edges[:-1])[kept].round(5).tolist(), density[kept].tolist()]


def _hours(hours: NDArray[np.int64]) -> list[list[float]]:
    """Middles and densities of logarithmic bins of whole hours."""
    edges = np.unique(np.round(np.geomspace(1, int(hours.max(initial=1)) + 1, _BINS + 1))) - 0.5
    counts, _ = np.histogram(hours, edges)
    density = counts / max(counts.sum(), 1) / np.diff(edges)
    kept = counts > 0
    middles = np.sqrt((edges[:-1] + 0.5) * (edges[1:] - 0.5))
    return [middles[kept].round(5).tolist(), density[kept].tolist()]


def _laws(lived: Lived, moved: Moved, ties: nx.DiGraph[int]) -> dict[str, Any]:
    """Distributions beside which the report draws a published law."""
    ground, n, cells = mobility.Ground.of(moved.world.topology), moved.n, moved.world.topology.n
    ranked = mobility.visits(moved.stays, n, cells).astype(float)
    shares = (ranked / np.maximum(ranked.sum(axis=1, keepdims=True), 1)).mean(axis=0)[:12]
    waits, _ = mobility.waits_h(moved.hourly)
    degree = usage.degrees(ties, mutual=True).astype(np.int64)
    t_us, sub = usage.events_of_people(lived)
    gaps = np.diff(t_us)[sub[1:] == sub[:-1]] / HOUR_US
    jumps = ground.jumps_km(moved.trips)
    return {
        "jumps": _histogram(jumps, 0.99 * ground.nearest_km, ground.diameter_km),
        "waits": _hours(waits),
        "zipf": shares.round(6).tolist(),
        "distinct": mobility.distinct_places(moved.stays, n, cells, moved.days)
        .mean(axis=0)
        .round(3)
        .tolist(),
        "returns": mobility.returning(moved.hourly, LAGS).mean(axis=0).round(4).tolist(),
        "degrees": np.bincount(degree).tolist(),
        "gaps": _histogram(gaps, 1 / 120, 200.0),
        "talk": _histogram(lived.talk_s, 2.0, 3600.0),
    }


def _erlang(channels: Any, limited: Lived) -> dict[str, Any]:
    """Of each cell with traffic: channels, traffic offered in the busy hour, share refused in it."""
    hour, carried = network.busy_hour(limited)
    rows = []
    asked = network.workday_hours(limited, limited.traffic.asked)[:, hour].sum(axis=0)
    refused = network.workday_hours(limited, limited.traffic.refused)[:, hour].sum(axis=0)
    for cell in np.flatnonzero(asked >= 20).tolist():
        n = int(channels[cell])
        offered = offered_of_carried(n, float(carried[cell]))
        rows.append([n, round(offered, 4), round(float(refused[cell] / asked[cell]), 5), int(asked[cell])])
    return {"hour": hour, "blocked_share": network.blocked_share(limited), "cells": rows}
