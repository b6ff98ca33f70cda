"""A platform of its own and all that it talks to: message centre, BOSS, signalling, weaver."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.arm import HOST, PASSWORD, SYSTEM_ID, boss_of, linked, memory_doors, smsc_door
from experiments.bench.fsync import syncing
from experiments.child import PlatformChild
from experiments.hosts import Host, host
from experiments.inputs import ArmFiles, arm_files
from experiments.latency.pacing import SETTLE_MOST_S, SETTLE_S, Schedule, pace
from experiments.latency.plants import Stall
from experiments.latency.sites import Reacts, Site
from experiments.latency.usage import Cores, pinned
from experiments.link import SignallingLink
from experiments.weave import Weaver
from sim.backoffice.boss import BossDoor

__all__ = ["Hosted", "Hosting", "hosted"]

TOLD_S: Final = 5.0
"""So long the platform may take to answer the last receipts."""


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
class Hosted:
    """A platform that is up, its association and its bind to the message centre too; nothing was sent yet."""

    platform: Host
    pid: int
    """Of its process; 0: it is a thread of this one."""
    link: SignallingLink
    """Our end of the association."""
    weaver: Weaver
    files: ArmFiles
    addresses: Mapping[str, Any]
    """Where its doors are."""
    origin_ns: int
    """Monotonic nanoseconds at which its clock shows the schedule's first moment of the world."""
    synced: Callable[[], NDArray[np.int64]]
    """Ends the timing of fsync; the nanoseconds of each, none where it is not timed."""


@contextmanager
def hosted(site: Site, network: Reacts, plan: Schedule, folder: Path, hosting: Hosting) -> Iterator[Hosted]:
    """Starts a platform with a clock that runs as the schedule's, and all that it talks to; ends both.

    Raises:
        RunInvalid: the platform did not start; a `PlatformEnded` where it ended.
    """
    keys, memory = site.keys, site.transport == "memory"
    with ExitStack() as stack:
        if hosting.cores is not None:
            stack.callback(pinned, 0, frozenset(os.sched_getaffinity(0)))
            pinned(0, hosting.cores.generator)
        centre = stack.enter_context(smsc_door(site.scenario, memory))
        boss = boss_of(site.extract)
        url = "http://boss" if memory else stack.enter_context(BossDoor(boss, HOST)).url
        origin_ns = time.monotonic_ns()
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
        yield Hosted(platform, pid, link, weaver, files, addresses, origin_ns, synced)


def _nothing() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)
