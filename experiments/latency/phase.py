"""One open-loop phase: a platform of its own, a schedule drawn before, and raw records of what became of it.

A `Site` is a world made ready, which any number of phases share. `run_phase` starts a platform, sends a
schedule to it, weaves in what the network does about its messages, ends it and gives back records; nothing is
judged here but that the platform lived.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from experiments.arm import HOST, PASSWORD, SYSTEM_ID, boss_of, linked, memory_doors, smsc_door
from experiments.bench.fsync import syncing
from experiments.child import PlatformChild
from experiments.hosts import blamed, ended, host
from experiments.inputs import ArmFiles, ArmKeys, arm_files, draw_lists, world_files
from experiments.latency.joining import Joined, LagBounds, join, lag
from experiments.latency.pacing import SETTLE_MOST_S, SETTLE_S, Schedule, Wakes, pace, settle
from experiments.latency.plants import Stall, Stalls
from experiments.latency.usage import Cores, Usage, pinned
from experiments.platform_records import PlatformRecords
from experiments.problems import RunInvalid
from experiments.study import Limits, Lists
from experiments.weave import Weaver
from sigtran.transport import Kind
from sim.backoffice.boss import BossDoor
from sim.network.messages import Submit
from sim.run import LivePhase, Reaction, build
from sim.scenario import load_world

__all__ = ["Hosting", "Phase", "Reacts", "Site", "SiteKeys", "Terms", "run_phase"]

TOLD_S: Final = 5.0
"""So long the platform may take to answer the last receipts."""
FLUSH_S: Final = 5.0
"""So long the association may take to get rid of the last messages."""


class SiteKeys(ArmKeys, Protocol):
    """What a site reads of a study; `experiments.study.Study` has it all, and so has `Terms`."""

    @property
    def lists(self) -> Lists: ...
    @property
    def streams(self) -> int: ...
    @property
    def limits(self) -> Limits: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """The keys of a site for studies that are of another kind than end-to-end."""

    policy: Path
    """Contact policy file."""
    lists: Lists = field(default_factory=Lists)
    streams: int = 16
    limits: Limits = field(default_factory=Limits)
    segments: Path | None = None
    blanket_at: str = "10:00"


class Reacts(Protocol):
    """What the network does about a message of the platform (`sim.run.LivePhase`, or a replay)."""

    def react(self, submit: Submit, t_us: int) -> Reaction: ...


class Site:
    """A world, what BOSS knows of it, and who is on which list: built once, used by any number of phases."""

    def __init__(
        self,
        keys: SiteKeys,
        world: Path,
        seed: int,
        folder: Path,
        *,
        settings: Mapping[str, Any] | None = None,
        transport: Kind = "usrsctp",
    ) -> None:
        """`folder` is where the platform's inputs are written; `settings` are laid over the world file."""
        self.keys = keys
        self.transport = transport
        self.inputs = folder / "inputs"
        self.scenario = load_world(world, settings)
        self.world = build(self.scenario, seed)
        self.extract = world_files(self.world, self.inputs)
        self.drawn = draw_lists(keys.lists, self.world.draws, self.world.n)

    def live(self, start_us: int, end_us: int, most: int | None = None) -> LivePhase:
        """The world's signalling between two moments, of `most` messages at the most."""
        return LivePhase(self.world, start_us, end_us, most=most)


@dataclass(frozen=True, slots=True)
class Hosting:
    """How a phase hosts its platform, and what is watched beside."""

    campaigns: Sequence[Path]
    config: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the platform's configuration beside those that a phase sets, such as `workers: 2`."""
    cores: Cores | None = None
    """None: nobody is bound to a processor."""
    stall: Stall | None = None
    """Planted fault; None: none. Only for a platform in a process of its own."""
    fsync: bool = False
    """Whether fsync is timed on the disk of the ledger meanwhile."""
    settle_s: float = SETTLE_S
    settle_most_s: float = SETTLE_MOST_S
    """How long texts are waited for after the last send, seconds."""
    told_s: float = TOLD_S
    on_stage: Callable[[str], None] = lambda name: None
    """Told `sending` and `sent`."""
    on_progress: Callable[[int, int], None] = lambda at_ns, sent: None
    """Told now and then: nanoseconds since the beginning, messages sent."""
    pacing: Callable[..., tuple[int, NDArray[np.int64]]] = pace
    """How the schedule is sent: as `pace` does, or closed."""
    before_end: Callable[[Mapping[str, Any]], None] = lambda ready: None
    """Told where the platform's doors are, after all was sent and before the platform ends."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Raw records of one phase; times in nanoseconds since it began, if not said otherwise."""

    plan: Schedule
    files: ArmFiles
    begin_ns: int
    """Monotonic nanoseconds of the beginning."""
    origin_ns: int
    """Monotonic nanoseconds at which the platform's clock showed the phase's first moment of the world."""
    sent_ns: NDArray[np.int64]
    """When each message of the schedule was handed to the association."""
    drained_ns: int
    """When the association had handed all of them over to the platform's; -1: not within `FLUSH_S`."""
    settled_ns: int
    """When no more texts came."""
    weaver: Weaver
    """Submits, reactions, messages woven in, receipts."""
    records: PlatformRecords
    """The platform's own."""
    untold: str
    """What the platform did not take of the receipts; empty: it took all."""
    wakes: Mapping[str, Any]
    """Columns of the table `wakes`."""
    generator: Mapping[str, Any]
    platform: Mapping[str, Any] | None
    """Processor time while it was sent (`Usage.since`); None for a platform in this process."""
    stopped_ns: tuple[int, int] | None
    """When a planted stall stopped the platform and when it went on."""
    fsync_ns: NDArray[np.int64]
    """Empty where it was not timed."""
    load: float
    """Load average of the machine as the phase began."""
    epoch_us: int
    """Unix microseconds of the world's epoch."""

    @property
    def woven(self) -> NDArray[np.int64]:
        """A row for each message woven in: correlation id, due, sent."""
        return np.array(self.weaver.sent, np.int64).reshape(-1, 3)

    @property
    def arrivals(self) -> dict[str, int]:
        """Contact -> monotonic nanoseconds of its first submit_sm at the SMSC."""
        first: dict[str, int] = {}
        for submit in self.weaver.submits:
            known = first.get(submit.contact_id, submit.arrived_ns)
            first[submit.contact_id] = min(submit.arrived_ns, known)
        return first

    def due_ns(self, t_unix_us: int) -> int:
        """When the platform's clock, which runs evenly, showed that moment."""
        since_us = t_unix_us - self.epoch_us - self.plan.time.start_us
        return self.origin_ns + round(since_us * 1000 / self.plan.time.factor) - self.begin_ns

    def joined(self) -> Joined:
        """Each trigger that was sent, with its message, its stamps and its arrival.

        Raises:
            RunInvalid: the platform left no triggers.
        """
        if self.records.triggers is None:
            raise RunInvalid("the platform left no triggers")
        delivered: dict[str, int] = {}
        for submit, reaction in self.weaver.reactions:
            if reaction.part is not None:
                at = self.plan.time.due_ns(reaction.part.t_us)
                delivered[submit.contact_id] = max(at, delivered.get(submit.contact_id, at))
        return join(
            self.arrivals,
            self.records.triggers,
            self.plan,
            self.sent_ns,
            self.begin_ns,
            self.due_ns,
            delivered,
        )

    def signalling(self) -> dict[str, int]:
        """Message counts: generated, received, decoded, lost, errors."""
        return self.records.signalling(self.plan.batch.n + len(self.weaver.sent))

    def lag(self, bounds: LagBounds) -> dict[str, Any]:
        """How well the generator kept its schedule."""
        return lag(self.plan, self.sent_ns, bounds)


def run_phase(site: Site, network: Reacts, plan: Schedule, folder: Path, hosting: Hosting) -> Phase:
    """Sends the schedule to a platform of its own, open loop, and ends the platform.

    Args:
        site: The world made ready.
        network: What becomes of the platform's messages.
        plan: What is sent when.
        folder: For the platform's files and records.
        hosting: How.

    Raises:
        RunInvalid: the platform did not start, broke off, or did not stop; a `PlatformEnded` where it ended.
    """
    keys, memory, clock = site.keys, site.transport == "memory", time.monotonic_ns
    if hosting.stall is not None and hosting.stall.platform_s and memory:
        raise ValueError("a platform in this process cannot be stopped by itself")
    with ExitStack() as stack:
        if hosting.cores is not None:
            stack.callback(pinned, 0, frozenset(os.sched_getaffinity(0)))
            pinned(0, hosting.cores.generator)
        centre = stack.enter_context(smsc_door(site.scenario, memory))
        boss = boss_of(site.extract)
        url = "http://boss" if memory else stack.enter_context(BossDoor(boss, HOST)).url
        origin_ns = clock()
        at = {"start_s": plan.time.start_us / 1e6, "factor": plan.time.factor, "origin_ns": origin_ns}
        files = arm_files(
            folder,
            site.inputs,
            keys,
            site.scenario,
            site.drawn,
            site.extract,
            hosting.campaigns,
            clock={"mode": "live", **at},
            collector={
                "transport": site.transport,
                "host": HOST,
                "port": 0,
                "encap_port": 0,
                "streams": keys.streams,
            },
            smpp={"host": HOST, "port": centre.port, "system_id": SYSTEM_ID, "password": PASSWORD},
            boss_url=url,
            more=hosting.config,
        )
        doors = memory_doors(centre, boss) if memory else None
        platform = stack.enter_context(host(files.config, folder / "platform.log", doors))
        pid = platform.process.pid if isinstance(platform, PlatformChild) else 0
        if pid and hosting.cores is not None:
            pinned(pid, hosting.cores.platform)
        addresses: dict[str, Any] = {}
        link = stack.enter_context(linked(platform, centre, keys, on_ready=addresses.update))
        weaver = Weaver(network.react, centre, link.send_raw, time=plan.time, streams=keys.streams)
        synced = stack.enter_context(syncing(folder)) if hosting.fsync else _nothing
        wakes = Wakes(plan.seconds)
        load = os.getloadavg()[0]
        stalls = Stalls(hosting.stall, pid, weaver.look) if hosting.stall is not None else None
        hosting.on_stage("sending")
        before = _usage(pid)
        with blamed(platform):
            try:
                look = weaver.look if stalls is None else stalls.look
                begin_ns, sent_ns = hosting.pacing(plan, link, hosting.on_progress, look, wakes)
            finally:
                if stalls is not None:
                    stalls.go_on()
        seconds = (clock() - begin_ns) / 1e9
        used = [
            now.since(then, seconds) if now and then else None
            for now, then in zip(_usage(pid), before, strict=True)
        ]
        fsync_ns = synced()
        hosting.on_stage("sent")
        end_ns = int(plan.intended_ns[-1])
        with blamed(platform):
            weaver.finish(clock() - begin_ns, end_ns)
            drained_ns = clock() - begin_ns if link.association.flush(FLUSH_S) else -1
            settle(weaver.take, hosting.settle_s, hosting.settle_most_s)
            settled_ns = clock() - begin_ns
            weaver.finish(settled_ns, end_ns)
            untold = weaver.untold(hosting.told_s)
            hosting.before_end(addresses)
        ended(platform, broken=bool(untold))
        weaver.finish(clock() - begin_ns, end_ns)
    return Phase(
        plan=plan,
        files=files,
        begin_ns=begin_ns,
        origin_ns=origin_ns,
        sent_ns=sent_ns,
        drained_ns=drained_ns,
        settled_ns=settled_ns,
        weaver=weaver,
        records=PlatformRecords(files.records),
        untold=untold,
        wakes=wakes.columns(),
        generator=used[0] or {},
        platform=used[1],
        stopped_ns=_since(begin_ns, stalls),
        fsync_ns=fsync_ns,
        load=load,
        epoch_us=site.scenario.epoch_unix_us,
    )


def _usage(pid: int) -> tuple[Usage | None, Usage | None]:
    return Usage.of(os.getpid(), without=pid), Usage.of(pid) if pid else None


def _nothing() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


def _since(begin_ns: int, stalls: Stalls | None) -> tuple[int, int] | None:
    if stalls is None or stalls.stopped_ns is None:
        return None
    return stalls.stopped_ns[0] - begin_ns, stalls.stopped_ns[1] - begin_ns
