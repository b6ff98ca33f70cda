"""What a world will come to, from its network and from a sample of its people.

The map is built whole, so cells, areas, controllers and channels are exact. Two samples of the people live
the day on that map; what they do is scaled by the number of people, with the interval that the size of the
sample leaves. Processor time of the whole world is the line through both samples. Memory is that of a part of
the people, built for the purpose, and scaled likewise; the map's is added.
"""

from __future__ import annotations

import gc
import io
import os
import time
from collections import Counter
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.capture import Tap, tap_of
from sim.draws import Draws
from sim.network import acts
from sim.network.topology import CELL_KINDS, Topology, build_topology
from sim.network.wire import WireBatch
from sim.run import Run, World
from sim.scenario import DAY_US, WorldScenario
from sim.subscribers.population import build_population

__all__ = ["CellGroup", "Estimate", "Expected", "erlang_b", "expect"]

SAMPLE: Final = 4000
"""People of the larger sample; the smaller has a quarter."""
MEMORY_SAMPLE: Final = 100_000
"""People that are built to see how much memory they take; few are lost in what is resident anyway."""
_HOUR_US: Final = 3_600_000_000
_TICK_US: Final = 10_000_000
_FRAMED: Final = 20_000
"""Messages that are framed to see how long they are in a capture."""
_MIB: Final = 1 << 20

COUNTED: Final = {
    "calls made": (acts.CALL_MADE,),
    "calls received": (acts.CALL_RECEIVED,),
    "short messages sent": (acts.TEXT_SENT,),
    "short messages received": (acts.TEXT_RECEIVED,),
    "location updates": (acts.POWER_ON, acts.LOCATION_UPDATE, acts.PERIODIC_UPDATE),
    "services used": (acts.SERVICE_USED,),
    "handovers": (acts.HANDOVER,),
}
"""What is counted: its name, kinds of acts."""


def erlang_b(load_erl: float, channels: int) -> float:
    """Share of calls that find all of so many channels taken, by Erlang's first formula."""
    blocked = 1.0
    for n in range(1, channels + 1):
        blocked = load_erl * blocked / (n + load_erl * blocked)
    return blocked


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure scaled from the sample."""

    value: float
    plus_minus: float
    """Half of a 95 per cent interval, from how much people of the sample differ; 0: all were counted."""


@dataclass(frozen=True, slots=True)
class CellGroup:
    """Cells of one kind in the busy hour."""

    kind: str
    cells: int
    channels: float
    """Traffic channels of one, on average."""
    load_erl: float
    """Traffic offered to one, on average."""
    blocking: float
    """By Erlang B for that load, averaged over the cells; cells busier than their group block more."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a world will come to on one day."""

    world: str
    day: int
    seed: int
    subscribers: int
    cells: int
    location_areas: int
    bscs: int
    mscs: int
    traffic_channels: int
    busy_hour: int
    """Local hour in which it begins."""
    busy_hour_call_attempts: Estimate
    busy_hour_erl: Estimate
    merl_per_subscriber: float
    groups: tuple[CellGroup, ...]
    per_day: dict[str, Estimate]
    messages_per_day: Estimate
    busiest_messages_per_s: float
    """In the hour of most messages, on average."""
    capture_bytes_per_day: float
    cpu_s_per_day: float
    build_s: float
    memory_mib: float | None
    """None: not to be seen on this machine."""
    bytes_per_subscriber: float | None
    measured: str
    """How the figures were come by."""


@dataclass(frozen=True, slots=True, eq=False)
class _Day:
    """A sample's day."""

    people: int
    cpu_s: float
    messages: Counter[int]
    """By hour."""
    rows: NDArray[np.void]
    load_us: NDArray[np.int64]
    """Channel time by hour and cell, microseconds; shape (24, cells)."""
    framed: list[WireBatch]
    world: World


class _Sink:
    """Counts messages by the hour, keeps acts, and some messages for framing."""

    def __init__(self, midnight_us: int) -> None:
        self.by_hour: Counter[int] = Counter()
        self.rows: list[NDArray[np.void]] = []
        self.framed: list[WireBatch] = []
        self._midnight_us = midnight_us
        self._kept = 0

    def signalling(self, batch: WireBatch) -> None:
        if not batch.n:
            return
        self.by_hour[int(batch.t_us[0] - self._midnight_us) // _HOUR_US] += batch.n
        if self._kept < _FRAMED and batch.t_us[0] >= self._midnight_us + 9 * _HOUR_US:
            self.framed.append(batch)
            self._kept += batch.n

    def acts(self, rows: NDArray[np.void]) -> None:
        self.rows.append(rows)

    def visible(self, rows: NDArray[np.void]) -> None:
        """Not kept."""

    faults = visible

    def parts(self, rows: list[Any]) -> None:
        """None come: nobody sends to the people."""

    contacts = responses = parts


def _sampled(scenario: WorldScenario, topology: Topology, seed: int, people: int) -> World:
    """So many people on the whole map."""
    few = scenario.model_copy(update={"subscribers": people})
    draws = Draws(seed)
    return World(few, draws, topology, build_population(few, topology, draws))


def _day(world: World, day: int) -> _Day:
    midnight_us = (day - 1) * DAY_US
    sink = _Sink(midnight_us)
    began = time.process_time()
    run = Run(world, sink=sink, tick_us=_TICK_US, start_us=midnight_us, end_us=midnight_us + DAY_US)
    load_us = np.zeros((25, world.topology.n), np.int64)
    while (now_us := run.step()) < midnight_us + DAY_US:
        if (now_us - midnight_us) % _HOUR_US == 0:
            load_us[(now_us - midnight_us) // _HOUR_US] = run.network.traffic()["tch_us"]
    load_us[24] = run.network.traffic()["tch_us"]
    cpu_s = time.process_time() - began
    rows = np.concatenate(sink.rows) if sink.rows else np.zeros(0, acts.ACT)
    return _Day(world.n, cpu_s, sink.by_hour, rows, np.diff(load_us, axis=0), sink.framed, world)


def _resident() -> int | None:
    """Octets resident, where the system tells."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _memory(
    scenario: WorldScenario, topology: Topology, seed: int, day: int, people: int
) -> tuple[float | None, float | None, float]:
    """(octets of the whole people, octets a subscriber, seconds to build them), seen on a part of them.

    The part lives for ten minutes of the morning, so that what is drawn and pending is there too.
    """
    gc.collect()
    before, began = _resident(), time.process_time()
    world = _sampled(scenario, topology, seed, people)
    start_us = (day - 1) * DAY_US + 9 * _HOUR_US
    run = Run(
        world, sink=_Sink(start_us), tick_us=_TICK_US, start_us=start_us, end_us=start_us + 60 * _TICK_US
    )
    run.step()
    built_s = time.process_time() - began
    most = _resident()
    while run.step() < start_us + 60 * _TICK_US:
        most = max(most or 0, _resident() or 0)
    scaled_s = built_s * scenario.subscribers / people
    if before is None or most is None:
        return None, None, scaled_s
    each = max(most - before, 0) / people
    return each * scenario.subscribers, each, scaled_s


def _capture_bytes(day: _Day) -> float:
    """Octets of a message in a capture, framing and acknowledgements included."""
    count = sum(batch.n for batch in day.framed)
    if not count:
        return 0.0
    file = io.BytesIO()
    with tap_of(file, day.world) as tap:
        _frame(tap, day.framed)
    return len(file.getvalue()) / count


def _frame(tap: Tap, batches: list[WireBatch]) -> None:
    tap.set_up(int(batches[0].t_us[0]))
    for batch in batches:
        tap.write(batch)
    tap.flush()


def _groups(topology: Topology, load_erl: NDArray[np.float64]) -> tuple[CellGroup, ...]:
    """Cells by kind, the traffic of each kind spread evenly: of single cells a sample says little."""
    found = []
    for code, name in enumerate(CELL_KINDS):
        mine = np.flatnonzero(topology.kind == code)
        if len(mine):
            each = float(load_erl[mine].sum()) / len(mine)
            channels = Counter(topology.tch[mine].tolist())
            blocking = sum(erlang_b(each, n) * count for n, count in channels.items()) / len(mine)
            found.append(CellGroup(name, len(mine), float(topology.tch[mine].mean()), each, blocking))
    return tuple(found)


def _scaled(counts: NDArray[np.int64], times: float, each: float) -> Estimate:
    """A sum over the sample's people, and how far it may be off, as they differ from each other."""
    spread = 0.0 if times == 1 else 1.96 * sqrt(len(counts) * float(counts.var())) * times * each
    return Estimate(float(counts.sum()) * times * each, spread)


def expect(
    scenario: WorldScenario,
    *,
    seed: int = 1,
    day: int = 1,
    sample: int = SAMPLE,
    memory_sample: int = MEMORY_SAMPLE,
) -> Expected:
    """What a world will come to on a day (from 1)."""
    before, began = _resident(), time.process_time()
    topology = build_topology(scenario, Draws(seed))
    map_s, map_bytes = time.process_time() - began, (_resident() or 0) - (before or 0)
    most = min(sample, scenario.subscribers)
    few = max(1, most // 4)
    small = _day(_sampled(scenario, topology, seed, few), day)
    large = _day(_sampled(scenario, topology, seed, most), day)
    people_bytes, each_bytes, built_s = _memory(scenario, topology, seed, day, memory_sample)
    times = scenario.subscribers / most

    def scaled(rows: NDArray[np.void], each: float = 1.0) -> Estimate:
        return _scaled(np.bincount(rows["sub"], minlength=most), times, each)

    def of(*kinds: int) -> NDArray[np.void]:
        return large.rows[np.isin(large.rows["kind"], kinds)]

    hourly_erl = large.load_us.sum(axis=1) / _HOUR_US
    busy = int(np.argmax(hourly_erl))
    attempts = (large.rows["t_us"] - scenario.epoch_unix_us - (day - 1) * DAY_US) // _HOUR_US == busy
    attempts &= np.isin(large.rows["kind"], (acts.CALL_MADE, acts.CALL_RECEIVED))
    calls = scaled(large.rows[attempts])
    erl = float(hourly_erl[busy])
    # Traffic is known as well as the calls behind it, whose lengths spread as much again.
    spread = calls.plus_minus / calls.value * sqrt(2) if calls.value else 0.0
    total = sum(large.messages.values())
    spoken = large.rows[large.rows["kind"] != acts.MOVE]
    per_person = (large.cpu_s - small.cpu_s) / max(most - few, 1)
    return Expected(
        world=scenario.world,
        day=day,
        seed=seed,
        subscribers=scenario.subscribers,
        cells=topology.n,
        location_areas=sum(len(areas) for areas in topology.las_of_bsc),
        bscs=len(topology.bsc_point_codes),
        mscs=len(topology.msc_point_codes),
        traffic_channels=int(topology.tch.sum()),
        busy_hour=busy,
        busy_hour_call_attempts=calls,
        busy_hour_erl=Estimate(erl * times, erl * times * spread),
        merl_per_subscriber=1000 * erl / most,
        groups=_groups(topology, large.load_us[busy] / _HOUR_US * times),
        per_day={name: scaled(of(*kinds)) for name, kinds in COUNTED.items()},
        messages_per_day=scaled(spoken, total / max(len(spoken), 1)),
        busiest_messages_per_s=max(large.messages.values(), default=0) * times / 3600,
        capture_bytes_per_day=_capture_bytes(large) * total * times,
        cpu_s_per_day=max(large.cpu_s + per_person * (scenario.subscribers - most), 0.0),
        build_s=map_s + built_s,
        memory_mib=None if people_bytes is None else (people_bytes + max(map_bytes, 0)) / _MIB,
        bytes_per_subscriber=each_bytes,
        measured=(
            f"samples of {few:,} and {most:,} people lived the day here on the whole map; "
            f"memory and building: {memory_sample:,} people"
        ),
    )
