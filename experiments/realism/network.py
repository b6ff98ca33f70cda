"""Measures of what the radio network makes of it: blocking, handovers, paging, location updates by area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.realism.fits import (
    F64,
    I64,
    Estimate,
    channels_for,
    offered_of_carried,
    pairs_blocked,
    slope,
)
from experiments.realism.tables import HOUR_US, Acts, Lived
from sim.network import acts as act_table
from sim.network.topology import Topology
from sim.subscribers.walk import Moves, walk

I32 = NDArray[np.int32]

GRADE_OF_SERVICE: Final = 0.02
"""Blocking in the busy hour for which channels are planned."""
BACK_WITHIN_US: Final = 12_000_000
"""Handovers of a call this close go back and forth: no cell is crossed so soon."""
_BEFORE_S, _AFTER_S = 10.0, 6.0  # from the channel to the answer; no handover so shortly before the end


def busy_hour(lived: Lived) -> tuple[int, F64]:
    """The busiest hour of working days, and each cell's mean traffic in it, Erlang."""
    held = workday_hours(lived, lived.traffic.held_us)
    hour = int(held.sum(axis=(0, 2)).argmax())
    return hour, held[:, hour].mean(axis=0) / HOUR_US


def workday_hours(lived: Lived, counts: I64) -> NDArray[np.int64]:
    """Counts by working day, hour and cell."""
    days = counts.reshape(lived.days, 24, -1)
    return days[[not lived.world.scenario.is_weekend(day) for day in range(lived.days)]]


def planned_channels(lived: Lived) -> I32:
    """Channels of each cell for 2 % blocking at the busy hour's traffic; at least one."""
    _, traffic = busy_hour(lived)
    return np.array([max(1, channels_for(a, GRADE_OF_SERVICE)) for a in traffic.tolist()], np.int32)


def within_cells(lived: Lived) -> F64:
    """Share of what each cell carries in each hour that is calls with both sides in it; shape (24, cells).

    Where somebody is counts as in the middle of the hour.
    """
    legs, cells = talk_legs(lived), lived.world.topology.n
    hour = legs.t_us // HOUR_US
    kept = lived.workday(legs.t_us) & (hour < lived.hourly.shape[1])
    sub, peer, hour = legs.sub[kept], legs.peer_sub[kept], hour[kept]
    cell = lived.hourly[sub, hour].astype(np.int64)
    together = (peer >= 0) & (lived.hourly[np.maximum(peer, 0), hour] == cell)
    slot = hour % 24 * cells + cell
    all_legs = np.bincount(slot, minlength=24 * cells)
    shared = np.bincount(slot, together, minlength=24 * cells) / np.maximum(all_legs, 1)
    return np.asarray(shared.reshape(24, cells))


def blocking_ratio(lived: Lived, channels: I32) -> Estimate:
    """Calls refused over those that theory refuses, summed over cells and hours of working days.

    Theory is Erlang B, and for the part of a cell's traffic whose calls have both sides in it, which ask for
    two channels at once, its extension to calls of several channels (`pairs_blocked`). The traffic of a cell
    in an hour is its mean over the working days; the interval is that of a Poisson number of refusals.
    """
    held = workday_hours(lived, lived.traffic.held_us).mean(axis=0) / HOUR_US
    asked = workday_hours(lived, lived.traffic.asked).sum(axis=0)
    refused = float(workday_hours(lived, lived.traffic.refused).sum())
    shared, expected = within_cells(lived), 0.0
    for hour, cell in np.argwhere(asked > 0):
        n = int(channels[cell])
        traffic = offered_of_carried(n, float(held[hour, cell]))
        expected += float(asked[hour, cell]) * pairs_blocked(n, traffic, float(shared[hour, cell]))
    if not expected:
        return Estimate.exact(math.nan)
    half = 1.96 * math.sqrt(max(refused, 1.0))
    return Estimate(refused / expected, (refused - half) / expected, (refused + half) / expected)


def blocked_share(lived: Lived) -> float:
    """Share of requests for a channel refused in the busy hour."""
    hour, _ = busy_hour(lived)
    asked = workday_hours(lived, lived.traffic.asked)[:, hour].sum()
    return float(workday_hours(lived, lived.traffic.refused)[:, hour].sum() / max(asked, 1))


def talk_legs(lived: Lived) -> Acts:
    """Sides of answered calls."""
    made = lived.acts.of(act_table.CALL_MADE, "answered")
    got = lived.acts.of(act_table.CALL_RECEIVED, "answered")
    columns = (
        np.concatenate([getattr(made, name), getattr(got, name)]) for name in Acts.__dataclass_fields__
    )
    return Acts(*columns)


def handovers(lived: Lived) -> Acts:
    """Handovers that came about."""
    return lived.acts.of(act_table.HANDOVER, "intra-BSC", "inter-BSC", "inter-MSC")


def handover_ratio(lived: Lived) -> Estimate:
    """Handovers over those that follow from borders crossed while talking.

    A call lies anywhere within its hour, so of the borders that somebody crosses in that hour he crosses in
    the call as large a part as the call is of the hour. It counts from the choice of its channel to the last
    seconds. Calls that go back and forth between two cells do so twice each time.
    """
    moves = walk(lived.world.topology, lived.trips)
    hours = lived.days * 24
    inside = moves.t_us < hours * HOUR_US
    slot = moves.sub[inside] * hours + moves.t_us[inside] // HOUR_US
    crossed = np.bincount(slot, minlength=lived.n * hours)
    legs = talk_legs(lived)
    open_s = float(lived.talk_s.mean()) + _BEFORE_S - _AFTER_S if len(lived.talk_s) else 0.0
    once = float(crossed[legs.sub.astype(np.int64) * hours + legs.t_us // HOUR_US].sum()) * open_s / 3600
    expected = once * (1 + 2 * ping_pong_share(lived).value)
    n = len(handovers(lived).t_us)
    if not expected:
        return Estimate.exact(math.nan)
    half = 1.96 * math.sqrt(max(n, 1))
    return Estimate(n / expected, (n - half) / expected, (n + half) / expected)


def ping_pong_share(lived: Lived) -> Estimate:
    """Of handovers to where somebody went, those that went back and came again: two more, close together."""
    done = handovers(lived)
    order = np.lexsort((done.t_us, done.sub))
    t_us, sub = done.t_us[order], done.sub[order]
    close = int(((np.diff(t_us) < BACK_WITHIN_US) & (sub[1:] == sub[:-1])).sum())
    there = max(len(t_us) - close, 1)
    share = close / 2 / there
    half = 1.96 * math.sqrt(max(share, 1 / there) / there)
    return Estimate(share, max(0.0, share - half), share + half)


def ping_pong_fall(shares: Sequence[Estimate]) -> Estimate:
    """The share of ping-pong at a margin over that at the margin before, where it falls least."""
    steps = [
        Estimate(
            after.value / before.value,
            max(after.low, 0.0) / max(before.high, 1e-9),
            after.high / max(before.low, 1e-9),
        )
        for before, after in pairwise(shares)
        if before.value > 0
    ]
    return max(steps, key=lambda step: step.value) if steps else Estimate.exact(math.nan)


def paging_success(lived: Lived) -> Estimate:
    """Pages answered over pages sent for calls and short messages."""
    answered = sum(
        len(lived.acts.of(kind).t_us) for kind in (act_table.CALL_RECEIVED, act_table.TEXT_RECEIVED)
    )
    lost = len(lived.acts.of(act_table.PAGE).t_us)
    total = max(answered + lost, 1)
    share = answered / total
    half = 1.96 * math.sqrt(max(share * (1 - share), 1 / total) / total)
    return Estimate(share, share - half, min(1.0, share + half))


def split_areas(topology: Topology, halvings: int) -> I32:
    """Cells divided into 2^k areas of equal numbers, across the longer side each time."""
    area = np.zeros(topology.n, np.int32)
    for _ in range(halvings):
        fresh = np.zeros_like(area)
        for index in range(int(area.max()) + 1):
            cells = np.flatnonzero(area == index)
            x, y = topology.x_m[cells], topology.y_m[cells]
            along = x if np.ptp(x) >= np.ptp(y) else y
            half = np.argsort(along, kind="stable")[len(cells) // 2 :]
            fresh[cells] = 2 * index
            fresh[cells[half]] = 2 * index + 1
        area = fresh
    return area


def area_changes(moves: Moves, first_cell: I32, area: I32) -> int:
    """Entries into cells of another area."""
    n = len(first_cell)
    sub = np.concatenate([np.arange(n), moves.sub])
    cell = np.concatenate([first_cell, moves.cell])
    t_us = np.concatenate([np.full(n, -1), moves.t_us])
    order = np.lexsort((t_us, sub))
    sub, at = sub[order], area[cell[order]]
    return int(((sub[1:] == sub[:-1]) & (at[1:] != at[:-1])).sum())


def border_links(topology: Topology, area: I32) -> int:
    """Pairs of neighbouring cells on both sides of a border: its length in cells."""
    starts = np.repeat(np.arange(topology.n), np.diff(topology.neighbour_start))
    return int((area[starts] != area[topology.neighbour_cells]).sum()) // 2


def updates_by_size(lived: Lived, halvings: Sequence[int]) -> list[tuple[float, int, float]]:
    """For several divisions of the map: cells an area, border length, area changes a person and hour."""
    moves = walk(lived.world.topology, lived.trips)
    first = lived.stays.cell[np.concatenate([[True], np.diff(lived.stays.sub) > 0])]
    found = []
    for k in halvings:
        area = split_areas(lived.world.topology, k)
        rate = area_changes(moves, first, area) / (lived.n * lived.days * 24)
        found.append((lived.world.topology.n / 2**k, border_links(lived.world.topology, area), rate))
    return found


def perimeter_exponent(sizes: Sequence[tuple[float, int, float]]) -> Estimate:
    """Of area changes against the length of borders; the interval is that of the fit of the logarithms."""
    x = np.log([border for _, border, _ in sizes])
    y = np.log([max(rate, 1e-12) for _, _, rate in sizes])
    value = slope(x, y)
    left = y - y.mean() - value * (x - x.mean())
    error = math.sqrt(float((left**2).sum()) / max(len(x) - 2, 1) / float(((x - x.mean()) ** 2).sum()))
    return Estimate(value, value - 1.96 * error, value + 1.96 * error)


def area_size_exponent(sizes: Sequence[tuple[float, int, float]]) -> Estimate:
    """Of area changes against cells an area; -1/2 on a map without an edge."""
    x = np.log([cells for cells, _, _ in sizes])
    y = np.log([max(rate, 1e-12) for _, _, rate in sizes])
    return Estimate.exact(slope(x, y))


def crossings(lived: Lived) -> tuple[I64, I64]:
    """When people cross borders of location areas by their trips, with handsets on or off; and who."""
    moves = walk(lived.world.topology, lived.trips)
    inside = moves.t_us < lived.days * 24 * HOUR_US
    first = lived.stays.cell[np.concatenate([[True], np.diff(lived.stays.sub) > 0])]
    sub = np.concatenate([np.arange(lived.n), moves.sub[inside]])
    t_us = np.concatenate([np.full(lived.n, -1), moves.t_us[inside]])
    area = lived.world.topology.lac[np.concatenate([first, moves.cell[inside]])]
    order = np.lexsort((t_us, sub))
    sub, t_us, area = sub[order], t_us[order], area[order]
    crossed = np.flatnonzero((sub[1:] == sub[:-1]) & (area[1:] != area[:-1])) + 1
    return t_us[crossed], sub[crossed]
