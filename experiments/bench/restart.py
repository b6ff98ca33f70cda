"""How long a killed platform takes to go on: the state of a busy hour written, read and caught up with.

Half of the hour is lived, the state is snapshotted as every minute, the minute after it is journaled and
lived too, and then a fresh engine takes up what is on the disk, as after SIGKILL.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from experiments.bench.engine import BATCH, EngineBench
from experiments.bench.stages import WrongResult
from marketing.engine import StateFolder, on_batch

__all__ = ["RestartBench", "Restarted"]

JOURNAL_US: Final = 60_000_000
"""A snapshot a minute: so much is to be caught up with at most."""
LONGEST_WAIT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Restarted:
    """What it took; real seconds."""

    subscribers: int
    campaigns: int
    lived: int
    """Behaviours before the snapshot."""
    pause_s: float
    """The engine stands still for the copy that is snapshotted."""
    write_s: float
    """Until the snapshot is on the disk, beside the engine."""
    octets: int
    """Of the snapshot."""
    journaled: int
    """Behaviours after it."""
    resume_s: float
    """Snapshot read and journal lived again."""


@dataclass(slots=True)
class RestartBench:
    """The engine's bench, and its state on a disk."""

    bench: EngineBench

    def measure(self) -> Restarted:
        """Once.

        Raises:
            BadInput: there is no such world.
            WrongResult: the engine that went on knows something else than the one that was killed.
        """
        batch, profiles, places, terminals = self.bench.inputs()
        self.bench.tell("restart: half of the hour")
        state, t_us = self.bench.state(profiles, places, terminals), batch["t_us"]
        half = int(np.searchsorted(t_us, (int(t_us[0]) + int(t_us[-1])) // 2))
        stop = int(np.searchsorted(t_us, int(t_us[half]) + JOURNAL_US))
        for start in range(0, half, BATCH):
            on_batch(state, batch[start : min(half, start + BATCH)], 0)
        with tempfile.TemporaryDirectory(prefix="kairos-bench-") as folder:
            self.bench.tell("restart: the snapshot")
            store = StateFolder(Path(folder), every_s=1e9, sync_s=1e9)
            began = time.perf_counter()
            store.begin(state)
            pause_s = time.perf_counter() - began
            snapshot = _written(Path(folder))
            write_s = time.perf_counter() - began
            for start in range(half, stop, BATCH):
                part = batch[start : min(stop, start + BATCH)]
                store.journal(part)
                on_batch(state, part, 0)
            store.close(None)
            again = self.bench.state(profiles, places, terminals)
            self.bench.tell("restart: going on")
            began = time.perf_counter()
            resumed = StateFolder(Path(folder), every_s=1e9, sync_s=1e9).resume(again)
            resume_s = time.perf_counter() - began
            octets = snapshot.stat().st_size
        if resumed.replayed != stop - half or not np.array_equal(again.habits.records, state.habits.records):
            raise WrongResult(f"{resumed.replayed} of {stop - half} behaviours lived again, or otherwise")
        people, campaigns = len(state.profiles), len(state.campaigns)
        return Restarted(people, campaigns, half, pause_s, write_s, octets, resumed.replayed, resume_s)


def _written(folder: Path) -> Path:
    """The snapshot, once it is there whole."""
    end = time.monotonic() + LONGEST_WAIT_S
    while time.monotonic() < end:
        for path in folder.glob("snapshot-*.npz"):
            return path
        time.sleep(0.002)
    raise WrongResult("the snapshot was not written")
