"""What a world will come to, from its network and from a sample of its people.

The map is built whole, so cells, areas, controllers and channels are exact. Two samples of the people live
the day on that map; what they do is scaled by the number of people, with the interval that the size of the
sample leaves. Processor time of the whole world is the line through both samples. Memory is the peak of two
processes that begin the busiest part of the day with a part of the people, and the line through both.
"""

from __future__ import annotations

import io
import multiprocessing
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.bench.network_child import peak_bytes
from experiments.capture import Tap, tap_of
from experiments.progress import Tell, clock, untold
from sim.draws import Draws
from sim.network import acts
from sim.network.kernel.network import block_of
from sim.network.topology import CELL_KINDS, Topology, build_topology
from sim.network.wire import WireBatch
from sim.run import Run, World, build
from sim.scenario import DAY_US, WorldScenario
from sim.subscribers.population import build_population

__all__ = ["CellGroup", "Estimate", "Expected", "about", "erlang_b", "expect", "fewer", "span_messages"]

SAMPLE: Final = 4000
"""People of the larger sample; the smaller has a quarter."""
MEMORY_SAMPLE: Final = 20_000
"""People of the larger process whose memory is seen; the smaller has a quarter."""
PERSON_DAYS: Final = 8000
"""So much is lived to see how many messages several days have."""
TIME_RANGE: Final = (0.5, 1.4)
MEMORY_RANGE: Final = (0.85, 1.3)
"""Whole runs have been within this many times what was expected (README.md)."""
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
    """Processor time of a day without a platform, seconds; `cpu_range_s` is what whole runs kept within."""
    cpu_range_s: tuple[float, float]
    build_s: float
    memory_mib: float | None
    """Peak of the whole process. None: not to be seen on this machine."""
    memory_range_mib: tuple[float, float] | None
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


def fewer(scenario: WorldScenario, people: int) -> WorldScenario:
    """The scenario with so many people; of those who come to its events, the same share."""
    events = [
        event.model_copy(update={"visitors": max(1, event.visitors * people // scenario.subscribers)})
        for event in scenario.events
    ]
    return scenario.model_copy(update={"subscribers": people, "events": events})


def _sampled(scenario: WorldScenario, topology: Topology, seed: int, people: int) -> World:
    """So many people on the whole map."""
    few, draws = fewer(scenario, people), Draws(seed)
    return World(few, draws, topology, build_population(few, topology, draws))


def _day(world: World, day: int, tell: Tell) -> _Day:
    midnight_us = (day - 1) * DAY_US
    sink = _Sink(midnight_us)
    began = time.process_time()
    run = Run(world, sink=sink, tick_us=_TICK_US, start_us=midnight_us, end_us=midnight_us + DAY_US)
    load_us = np.zeros((25, world.topology.n), np.int64)
    while (now_us := run.step()) < midnight_us + DAY_US:
        tell(f"{world.scenario.world}: {world.n:,} of its people live {clock(now_us)}")
        if (now_us - midnight_us) % _HOUR_US == 0:
            load_us[(now_us - midnight_us) // _HOUR_US] = run.network.traffic()["tch_us"]
    load_us[24] = run.network.traffic()["tch_us"]
    cpu_s = time.process_time() - began
    rows = np.concatenate(sink.rows) if sink.rows else np.zeros(0, acts.ACT)
    return _Day(world.n, cpu_s, sink.by_hour, rows, np.diff(load_us, axis=0), sink.framed, world)


def about(value: float, within: tuple[float, float]) -> tuple[float, float]:
    """The range that goes with an expected value."""
    return value * within[0], value * within[1]


def _begin(scenario: WorldScenario, seed: int, start_us: int, end_us: int) -> tuple[int, float]:
    """(peak octets of this process, processor seconds to build and begin) of a world's first ten minutes."""
    began = time.process_time()
    world = build(scenario, seed)
    built_s = time.process_time() - began
    run = Run(world, sink=_Sink(start_us), tick_us=_TICK_US, start_us=start_us, end_us=end_us)
    while run.step() < min(start_us + 60 * _TICK_US, end_us):
        pass
    return peak_bytes(), built_s


def _memory(
    scenario: WorldScenario, seed: int, day: int, people: int
) -> tuple[float | None, float | None, float]:
    """(peak octets of the whole, octets a subscriber, seconds to build), seen in two processes of their own.

    The intents of a block of hours are in memory at a time: the parts have a block as long as the whole has
    (people the fewer the longer), which is the first of the afternoon, or the day.
    """
    block_us = block_of(scenario.subscribers)
    start_us = (day - 1) * DAY_US + DAY_US // 2 // block_us * block_us
    end_us = start_us + block_us
    peaks, built = [], []
    if not people:
        return None, None, 0.0
    most = min(people, scenario.subscribers)
    for n in (few := max(1, most // 4), most):
        some = fewer(scenario, n)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            peak, built_s = alone.submit(_begin, some, seed, start_us, end_us).result()
        peaks.append(peak)
        built.append(built_s)
    more = scenario.subscribers - most
    each_s = max(built[1] - built[0], 0.0) / max(most - few, 1)
    if not peaks[0]:
        return None, None, built[1] + each_s * more
    each = max(peaks[1] - peaks[0], 0) / max(most - few, 1)
    return peaks[1] + each * more, each, built[1] + each_s * more


def span_messages(scenario: WorldScenario, seed: int, days: int) -> Estimate:
    """Messages of the first days of a world, from people who live them all."""
    people = min(scenario.subscribers, max(300, PERSON_DAYS // days))
    world = _sampled(scenario, build_topology(scenario, Draws(seed)), seed, people)
    sink, end_us = _Sink(0), days * DAY_US
    run = Run(world, sink=sink, tick_us=_TICK_US, end_us=end_us)
    while run.step() < end_us:
        pass
    rows = np.concatenate(sink.rows) if sink.rows else np.zeros(0, acts.ACT)
    spoken = rows[rows["kind"] != acts.MOVE]
    counts = np.bincount(spoken["sub"], minlength=people)
    return _scaled(counts, scenario.subscribers / people, sum(sink.by_hour.values()) / max(len(spoken), 1))


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
    tell: Tell = untold,
) -> Expected:
    """What a world will come to on a day (from 1); with `memory_sample` 0 without memory and building."""
    tell(f"{scenario.world}: the network")
    topology = build_topology(scenario, Draws(seed))
    most = min(sample, scenario.subscribers)
    few = max(1, most // 4)
    small = _day(_sampled(scenario, topology, seed, few), day, tell)
    large = _day(_sampled(scenario, topology, seed, most), day, tell)
    tell(f"{scenario.world}: memory, and time to build")
    whole_bytes, each_bytes, built_s = _memory(scenario, seed, day, memory_sample)
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
    cpu_s = max(large.cpu_s + per_person * (scenario.subscribers - most), 0.0)
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
        cpu_s_per_day=cpu_s,
        cpu_range_s=about(cpu_s, TIME_RANGE),
        build_s=built_s,
        memory_mib=None if whole_bytes is None else whole_bytes / _MIB,
        memory_range_mib=None if whole_bytes is None else about(whole_bytes / _MIB, MEMORY_RANGE),
        bytes_per_subscriber=each_bytes,
        measured=(
            f"samples of {few:,} and {most:,} people lived the day here on the whole map; "
            f"memory and building: up to {memory_sample:,} people in a process of their own"
        ),
    )
