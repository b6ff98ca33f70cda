"""One open-loop phase: a platform of its own, a schedule drawn before, and raw records of what became of it.

A `Site` is a world made ready, which any number of phases share. `run_phase` has a platform started, sends a
schedule to it, weaves in what the network does about its messages, ends it and gives back records; nothing is
judged here but that the platform lived.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.hosts import blamed, ended
from experiments.inputs import ArmFiles
from experiments.latency.hosted import Hosted, Hosting, hosted
from experiments.latency.joining import Joined, LagBounds, join, lag
from experiments.latency.pacing import Schedule, Wakes, settle
from experiments.latency.plants import Stalls
from experiments.latency.sites import Reacts, Site, SiteKeys, Terms
from experiments.latency.usage import Usage
from experiments.platform_records import PlatformRecords
from experiments.problems import RunInvalid
from experiments.weave import Weaver

__all__ = ["Hosting", "Phase", "Reacts", "Site", "SiteKeys", "Terms", "run_phase"]

FLUSH_S: Final = 5.0
"""So long the association may take to get rid of the last messages."""


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
    if hosting.stall is not None and hosting.stall.platform_s and site.transport == "memory":
        raise ValueError("a platform in this process cannot be stopped by itself")
    with hosted(site, network, plan, folder, hosting) as up:
        sending = _send(plan, up, hosting)
        waited = _wait_out(plan, up, sending.begin_ns, hosting)
    return Phase(
        plan=plan,
        files=up.files,
        begin_ns=sending.begin_ns,
        origin_ns=up.origin_ns,
        sent_ns=sending.sent_ns,
        drained_ns=waited.drained_ns,
        settled_ns=waited.settled_ns,
        weaver=up.weaver,
        records=PlatformRecords(up.files.records),
        untold=waited.untold,
        wakes=sending.wakes.columns(),
        generator=sending.generator,
        platform=sending.platform,
        stopped_ns=sending.stopped_ns,
        fsync_ns=sending.fsync_ns,
        load=sending.load,
        epoch_us=site.scenario.epoch_unix_us,
    )


@dataclass(frozen=True, slots=True)
class _Sending:
    """What was noted while the schedule went out; see `Phase`."""

    begin_ns: int
    sent_ns: NDArray[np.int64]
    wakes: Wakes
    generator: Mapping[str, Any]
    platform: Mapping[str, Any] | None
    stopped_ns: tuple[int, int] | None
    fsync_ns: NDArray[np.int64]
    load: float


def _send(plan: Schedule, up: Hosted, hosting: Hosting) -> _Sending:
    """Sends the schedule and watches what both processes use meanwhile. Leaves no platform stopped."""
    wakes = Wakes(plan.seconds)
    load = os.getloadavg()[0]
    stalls = Stalls(hosting.stall, up.pid, up.weaver.look) if hosting.stall is not None else None
    look = up.weaver.look if stalls is None else stalls.look
    hosting.on_stage("sending")
    ours, theirs = _usage(up.pid)
    with blamed(up.platform):
        try:
            begin_ns, sent_ns = hosting.pacing(plan, up.link, hosting.on_progress, look, wakes)
        finally:
            if stalls is not None:
                stalls.go_on()
    seconds = (time.monotonic_ns() - begin_ns) / 1e9
    ours_now, theirs_now = _usage(up.pid)
    fsync_ns = up.synced()
    hosting.on_stage("sent")
    return _Sending(
        begin_ns=begin_ns,
        sent_ns=sent_ns,
        wakes=wakes,
        generator=ours_now.since(ours, seconds),
        platform=theirs_now.since(theirs, seconds) if theirs and theirs_now else None,
        stopped_ns=_since(begin_ns, stalls),
        fsync_ns=fsync_ns,
        load=load,
    )


@dataclass(frozen=True, slots=True)
class _Waited:
    """What was noted after the last send; see `Phase`."""

    drained_ns: int
    settled_ns: int
    untold: str


def _wait_out(plan: Schedule, up: Hosted, begin_ns: int, hosting: Hosting) -> _Waited:
    """Waits for the texts and receipts that are still on their way, and ends the platform."""
    weaver, clock, end_ns = up.weaver, time.monotonic_ns, int(plan.intended_ns[-1])
    with blamed(up.platform):
        weaver.finish(clock() - begin_ns, end_ns)
        drained_ns = clock() - begin_ns if up.link.association.flush(FLUSH_S) else -1
        settle(weaver.take, hosting.settle_s, hosting.settle_most_s)
        settled_ns = clock() - begin_ns
        weaver.finish(settled_ns, end_ns)
        untold = weaver.untold(hosting.told_s)
        hosting.before_end(up.addresses)
    ended(up.platform, broken=bool(untold))
    weaver.finish(clock() - begin_ns, end_ns)
    return _Waited(drained_ns, settled_ns, untold)


def _usage(pid: int) -> tuple[Usage, Usage | None]:
    return Usage.of(os.getpid(), without=pid), Usage.of(pid) if pid else None


def _since(begin_ns: int, stalls: Stalls | None) -> tuple[int, int] | None:
    if stalls is None or stalls.stopped_ns is None:
        return None
    return stalls.stopped_ns[0] - begin_ns, stalls.stopped_ns[1] - begin_ns
