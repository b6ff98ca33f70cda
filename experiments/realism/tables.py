"""What a realism study looks at: one world lived through, as columns.

The network is run hour by hour and only what the measures need is kept: acts without moves, how long calls
were talked, what each cell was asked for in each hour. Times are world microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.network import acts as act_table
from sim.network.build import Settings, build_network
from sim.network.intents import DAY_US, Identities, People
from sim.network.library import TemplateLibrary
from sim.network.topology import Topology
from sim.network.visible import CALL_ENDED, CALLER
from sim.run import settings_of
from sim.subscribers.walk import Trips
from sim.world import World

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
F64 = NDArray[np.float64]

HOUR_US: Final = 3_600_000_000
_KEPT: Final = np.array(
    [
        act_table.LOCATION_UPDATE, act_table.PERIODIC_UPDATE, act_table.CALL_MADE, act_table.CALL_RECEIVED,
        act_table.TEXT_SENT, act_table.TEXT_RECEIVED, act_table.PAGE, act_table.HANDOVER,
    ]
)  # fmt: skip
OUTCOMES: Final = ("", "answered", "no response", "intra-BSC", "inter-BSC", "inter-MSC", "accepted")
"""Outcomes told apart; `Acts.outcome` is an index, 0 any other."""


@dataclass(frozen=True, slots=True, eq=False)
class Acts:
    """Acts of the kinds that are measured, in the order of time."""

    t_us: I64
    sub: I32
    kind: NDArray[np.uint8]
    outcome: NDArray[np.uint8]
    peer_sub: I32
    to_line: NDArray[np.bool_]
    """Calls to service lines."""

    def of(self, kind: int, *outcomes: str) -> Acts:
        """Those of a kind, and with one of some outcomes."""
        rows = self.kind == kind
        if outcomes:
            rows &= np.isin(self.outcome, [OUTCOMES.index(outcome) for outcome in outcomes])
        return Acts(*(getattr(self, name)[rows] for name in Acts.__dataclass_fields__))


@dataclass(frozen=True, slots=True, eq=False)
class Stays:
    """Where people are between trips, by (sub, start); from 0 to the end for each of them."""

    sub: I64
    cell: I32
    start_us: I64
    end_us: I64


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """What cells were asked for by new calls, and all that they carried, by hour; shape (hours, cells)."""

    asked: I64
    refused: I64
    held_us: I64


@dataclass(frozen=True, slots=True, eq=False)
class Lived:
    """One world lived through by one population."""

    world: World
    days: int
    trips: Trips
    stays: Stays
    hourly: NDArray[np.int16]
    """Cell of everybody in the middle of each hour; shape (n, hours)."""
    acts: Acts
    talk_s: F64
    """Lengths of answered calls between people, as the caller's side shows them."""
    traffic: Traffic
    messages: int

    @property
    def n(self) -> int:
        return self.world.n

    def workday(self, t_us: I64) -> NDArray[np.bool_]:
        """Whether moments lie on working days."""
        free = np.array([self.world.scenario.is_weekend(day) for day in range(self.days)])
        return np.asarray(~free[t_us // DAY_US])


class WithColumns:
    """A topology with some columns of its own, such as `tch`."""

    def __init__(self, topology: Topology, **columns: Any) -> None:
        self._topology = topology
        self.__dict__ |= columns

    def __getattr__(self, name: str) -> Any:
        return getattr(self._topology, name)


def live_through(
    world: World,
    people: People,
    days: int,
    library: TemplateLibrary,
    *,
    channels: I32 | None = None,
    watch: Callable[[int, int], None] = lambda t_us, messages: None,
) -> Lived:
    """Runs a world's network for some days.

    Args:
        world: Map and people's constant part.
        people: What people do.
        days: How many.
        library: Templates, shared by the runs of one process.
        channels: Traffic channels of each cell; None: no limit.
        watch: Told of every hour: the time reached and messages so far.
    """
    settings: Settings = settings_of(world.scenario)
    limits = np.full(world.topology.n, -1, np.int32) if channels is None else channels
    topology: Any = WithColumns(world.topology, tch=limits, sdcch=np.full(world.topology.n, -1, np.int32))
    population = world.population
    network = build_network(
        settings, topology, Identities(population.imsi[:], population.msisdn[:]), people,
        world.draws, library, 0, days * DAY_US,
    )  # fmt: skip
    lines = np.array([line.number for line in world.scenario.usage.service_lines], "S20")
    acts, talks, counters, messages = [], [], [], 0
    for hour in range(1, days * 24 + 1):
        network.settle(hour * HOUR_US)
        shown = network.window(hour * HOUR_US)
        acts.append(_acts(network.take_acts(), settings.epoch_unix_us, lines))
        if shown is not None:
            messages += shown[0].n
            talks.append(_talks(shown[1], lines))
        counters.append(_counters(network.traffic()))
        watch(hour * HOUR_US, messages)
    trips = people.trips(0, days * DAY_US)
    # Who is in another network at the start counts as at home, and who leaves later as waiting at the gate.
    where = people.state_at(0)[0]
    where = np.where(where < 0, world.population.home_cell[:], where)
    stays = stays_of(trips, where, days * DAY_US)
    each = np.array(counters, np.int64)
    each[1:] -= each[:-1].copy()
    return Lived(
        world=world,
        days=days,
        trips=trips,
        stays=stays,
        hourly=cells_at(stays, world.n, np.arange(days * 24, dtype=np.int64) * HOUR_US + HOUR_US // 2),
        acts=Acts(*(np.concatenate(column) for column in zip(*acts, strict=True))),
        talk_s=np.concatenate(talks) if talks else np.zeros(0),
        traffic=Traffic(each[:, 0], each[:, 1], each[:, 2]),
        messages=messages,
    )


def stays_of(trips: Trips, first_cell: I32, end_us: int) -> Stays:
    """The stays before, between and after trips."""
    n = len(first_cell)
    sub = np.concatenate([trips.sub, np.arange(n)])
    # One's last stay is the row of everybody, which begins with the last arrival and ends at the end.
    leaves = np.concatenate([trips.leave_us, np.full(n, end_us)])
    order = np.lexsort((leaves, sub))
    sub, leaves = sub[order], leaves[order]
    arrives = np.concatenate([trips.leave_us + trips.ride_us, np.zeros(n, np.int64)])[order]
    reached = np.concatenate([trips.to_cell, np.zeros(n, np.int32)])[order]
    first = np.concatenate([[True], sub[1:] != sub[:-1]]) if len(sub) else np.zeros(0, bool)
    start = np.where(first, 0, np.roll(arrives, 1))
    cell = np.where(first, first_cell[sub], np.roll(reached, 1))
    end = np.maximum(leaves, start)  # a ride may end after the last moment
    return Stays(sub, cell.astype(np.int32), start, end)


def cells_at(stays: Stays, n: int, times_us: I64) -> NDArray[np.int16]:
    """Where everybody was, or was last, at some moments; shape (n, moments)."""
    span = int(max(stays.start_us.max(initial=0), times_us.max(initial=0))) + 1
    keys = stays.sub * span + stays.start_us
    asked = np.arange(n, dtype=np.int64)[:, None] * span + times_us[None, :]
    return stays.cell[np.searchsorted(keys, asked, side="right") - 1].astype(np.int16)


_WORDS: Final = np.array(OUTCOMES[1:], "S16")
_ORDER: Final = np.argsort(_WORDS)


def _acts(rows: NDArray[np.void], epoch_us: int, lines: NDArray[np.bytes_]) -> tuple[NDArray[Any], ...]:
    rows = rows[np.isin(rows["kind"], _KEPT)]
    found = _ORDER[np.minimum(np.searchsorted(_WORDS, rows["outcome"], sorter=_ORDER), len(_WORDS) - 1)]
    outcome = np.where(_WORDS[found] == rows["outcome"], found + 1, 0).astype(np.uint8)
    to_line = (rows["kind"] == act_table.CALL_MADE) & np.isin(rows["peer_number"], lines)
    return (
        rows["t_us"] - epoch_us, rows["sub"].copy(), rows["kind"].copy(), outcome, rows["peer_sub"].copy(),
        to_line,
    )  # fmt: skip


def _talks(rows: NDArray[np.void], lines: NDArray[np.bytes_]) -> F64:
    ended = rows[(rows["kind"] == CALL_ENDED) & (rows["role"] == CALLER)]
    return np.asarray(ended["duration_us"][~np.isin(ended["peer"], lines)] / 1e6)


def _counters(rows: NDArray[np.void]) -> list[NDArray[Any]]:
    """Of calls that begin."""
    return [rows[name].astype(np.int64) for name in ("tch_asked", "tch_refused", "tch_us")]
