"""`kairos bench engine`: behaviours of a simulated busy hour through the engine, with many campaigns active.

The behaviours are the world's visible acts, what an ideal tap shows; simulated once and kept in a cache
folder under their world's hash. Every run begins with an engine to which nobody is known, and is checked:
all behaviours are taken in, and two runs decide the same.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.bench.campaigns import campaigns_of
from experiments.bench.stages import WrongResult
from experiments.bench.workload import BUSY_HOUR, HOUR_US
from experiments.inputs import world_files
from experiments.problems import BadInput, relative
from experiments.progress import Tell, clock, untold
from marketing.behaviours import BEHAVIOUR, DERIVED, BehaviourBatch, empty
from marketing.campaigns import load_all
from marketing.contact import Book, Policy, load_policy
from marketing.engine import EngineState, new_state, on_batch
from marketing.features import silence_of
from marketing.profiles import Places, Profiles, Terminals, load_cells, load_extract, load_terminals
from sim.run import Run, build
from sim.scenario import WorldScenario, load_world
from sim.sinks import Nothing

__all__ = ["EngineBench", "Measured", "cache_folder"]

SEED: Final = 1
BATCH: Final = 50_000
"""Behaviours handed to the engine at a time: about a minute of a province's busy hour."""
REPOSITORY: Final = Path("scenarios")


@dataclass(frozen=True, slots=True)
class Measured:
    """What runs of the engine gave."""

    n: int
    seconds: float
    """Processor time of the best run."""
    runs: int
    decisions: dict[str, int]
    bytes_each: dict[str, float]
    """Octets of state a subscriber, by part."""
    subscribers: int
    campaigns: int
    workload: str
    median_audience: float
    """Of the campaigns' audiences, as a share of all subscribers."""
    objects_s: float
    """Processor time of a run in which every decision is also made into an object, with ids and text."""

    @property
    def triggering(self) -> float:
        """Decisions a behaviour."""
        return sum(n for what, n in self.decisions.items() if what != "derived") / self.n


class Shown(Nothing):
    """Keeps what is visible."""

    def __init__(self) -> None:
        self.rows: list[NDArray[np.void]] = []

    def visible(self, rows: NDArray[np.void]) -> None:
        self.rows.append(rows)


def cache_folder() -> Path:
    """Where behaviours made once are kept: $XDG_CACHE_HOME/kairos, else ~/.cache/kairos."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kairos"


@dataclass(slots=True)
class EngineBench:
    """The work: a world's busy hour, its extract, and campaigns."""

    world: Path
    subscribers: int | None
    """None: as many as the world has."""
    campaigns: int
    audiences: str = "broad"
    """Or narrow; see `bench_campaigns`."""
    tell: Tell = untold

    def measure(self, seconds: float, least: int = 2) -> Measured:
        """Runs until so many seconds have passed.

        Raises:
            BadInput: there is no such world.
            WrongResult: a run lost behaviours, or two decided differently.
        """
        self.tell(f"engine, {self.audiences} audiences: reading the hour")
        batch, profiles, places, terminals = self.inputs()
        best, runs, end = float("inf"), 0, time.monotonic() + seconds
        decided: Counter[str] | None = None
        known = int(np.count_nonzero(profiles.rows(batch["imsi"]) >= 0))
        while runs < least or time.monotonic() < end:
            self.tell(f"engine, {self.audiences} audiences: run {runs + 1}")
            state = self.state(profiles, places, terminals)
            took, found = played(state, batch)
            best, runs = min(best, took), runs + 1
            if state.unknown_imsi != len(batch) - known:
                raise WrongResult(
                    f"{state.unknown_imsi} of unknown subscribers, expected {len(batch) - known}"
                )
            if decided is not None and found != decided:
                raise WrongResult(f"two runs decided differently: {found} and {decided}")
            decided = found
        assert decided is not None
        people = len(profiles)
        sizes = [np.count_nonzero(state.rules.members(i)) for i in range(len(state.campaigns))]
        octets = {name: round(n / people, 1) for name, n in state.nbytes.items()}
        self.tell(f"engine, {self.audiences} audiences: every decision as an object")
        objects_s, _ = played(self.state(profiles, places, terminals), batch, objects=True)
        return Measured(
            len(batch),
            best,
            runs,
            dict(sorted(decided.items())),
            octets,
            people,
            len(state.campaigns),
            f"{relative(self.world)} {BUSY_HOUR}:00-{BUSY_HOUR + 1}:00, seed {SEED}, {len(batch)} behaviours",
            float(np.median(sizes)) / people if sizes else 0.0,
            objects_s,
        )

    def state(self, profiles: Profiles, places: Places, terminals: Terminals) -> EngineState:
        """A fresh engine."""
        shipped = sorted((REPOSITORY / "campaigns").glob("*.yaml"))
        policy = Policy.of(load_policy(REPOSITORY / "policies" / "default.yaml"))
        fitting = [c for c in load_all(shipped, alone=True) if _fits(c, places)]
        areas = np.unique(places.cells >> 16)
        named = places.names or ("",)
        campaigns = campaigns_of(self.campaigns, named, areas.tolist(), fitting, self.audiences)
        return new_state(
            profiles,
            places,
            campaigns,
            policy,
            Book.empty(len(profiles)),
            terminals=terminals,
            silence_us=silence_of(6.0),
        )

    def inputs(self) -> tuple[BehaviourBatch, Profiles, Places, Terminals]:
        """From the cache, or made and put there."""
        if not self.world.is_file():
            raise BadInput(f"{self.world}: no such file. Start kairos in its repository, or name a --world")
        scenario = load_world(self.world)
        if self.subscribers is not None and self.subscribers != scenario.subscribers:
            scenario = scenario.model_copy(update={"subscribers": self.subscribers})
        folder = cache_folder() / f"hour-{_digest(scenario)}"
        if not (folder / "behaviours.npy").is_file():
            _simulate(scenario, folder, self.tell)
        return (
            np.load(folder / "behaviours.npy"),
            load_extract(folder / "extract.parquet"),
            load_cells(folder / "cells.csv"),
            load_terminals(folder / "terminals.csv"),
        )


def played(state: EngineState, batch: BehaviourBatch, *, objects: bool = False) -> tuple[float, Counter[str]]:
    """Processor seconds of one pass, and what was decided how often; `objects`: see `Measured`."""
    decided: Counter[str] = Counter()
    took = 0.0
    for start in range(0, len(batch), BATCH):
        part = batch[start : start + BATCH]
        began = time.process_time()
        decisions = on_batch(state, part, 0)
        derived = state.take_derived()
        if objects:
            for decision in decisions:
                assert decision.trigger.t_us <= decision.t_us
                assert (decision.contact is None) == (decision.action != "send")
        took += time.process_time() - began
        decided.update(d.action for d in decisions)
        decided["derived"] += len(derived)
    return took, decided


def _fits(campaign: Any, places: Places) -> bool:
    if campaign.mode != "trigger" or campaign.output != "contact":
        return False
    if campaign.targets is not None and not campaign.targets.endswith(".csv"):
        return False
    return all(place in places.names for _, place in campaign.scene.places)


def _digest(scenario: WorldScenario) -> str:
    said = f"{scenario.model_dump_json()}|{SEED}|{BUSY_HOUR}|{BEHAVIOUR}"
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()


def _simulate(scenario: WorldScenario, folder: Path, tell: Tell) -> None:
    tell(f"{scenario.world}, made once and kept: the network and {scenario.subscribers:,} people")
    world, shown = build(scenario, SEED), Shown()
    end_us = (BUSY_HOUR + 1) * HOUR_US
    run = Run(
        world, sink=shown, tick_us=60_000_000, start_us=BUSY_HOUR * HOUR_US, end_us=end_us, messages=False
    )
    while (now_us := run.step()) < end_us:
        tell(f"{scenario.world}, made once and kept: {clock(now_us)}")
    visible = np.concatenate(shown.rows)
    batch = empty(len(visible))
    for name in BEHAVIOUR.names or ():
        if name in (visible.dtype.names or ()):
            batch[name] = visible[name]
    raw = batch[~np.isin(batch["kind"], _DERIVED)]
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    world_files(world, partial)
    np.save(partial / "behaviours.npy", raw[np.argsort(raw["t_us"], kind="stable")])
    if not folder.exists():
        partial.rename(folder)


_DERIVED: Final = sorted(int(kind) for kind in DERIVED)
