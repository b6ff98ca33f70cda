"""`kairos bench change`: campaign files added and changed, and an extract exchanged, while the engine runs.

The engine takes in the busy hour's behaviours, a few at a time, on this thread. Beside it runs what the
server runs: the thread that looks at the campaign folder and compiles, and one that prepares the new extract.
Measured are the times from a file's rename (an extract's being loaded) to the first behaviours judged under
it, and how long the engine stood still for the exchange. Nothing may be lost: every behaviour is taken in,
and what the campaigns that stayed trigger is what they trigger without any change.
"""

from __future__ import annotations

import queue
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from experiments.bench.campaigns import document_of
from experiments.bench.engine import EngineBench
from experiments.bench.stages import WrongResult
from marketing.behaviours import BehaviourBatch
from marketing.campaigns import load_all
from marketing.engine import EngineState, change_campaigns, on_batch, prepare_switch, switch_profiles
from marketing.profiles import Profiles
from marketing.reloading import CampaignFolder
from marketing.workers import LocalHost

__all__ = ["ChangeBench", "Changed"]

STEP: Final = 1000
"""Behaviours a step: what a province's busy hour brings in about a second."""
PAUSE_S: Final = 0.01
"""Between two steps the loop waits for its doors, and other threads work."""
PATIENCE_S: Final = 60.0
GONE: Final = 100
"""One in so many subscribers is not in the new extract."""
Triggers = set[tuple[str, int, int]]


@dataclass(slots=True)
class Changed:
    """What was seen."""

    subscribers: int
    campaigns: int
    n: int
    """Behaviours taken in."""
    effect_s: dict[str, float]
    """added, changed, extract: from the file (the extract in memory) to the first behaviours judged by it."""
    pause_s: dict[str, float]
    """How long the engine stood still for it."""
    triggers: int
    """Of the campaigns that stayed, the same as without any change."""
    taken_in: dict[str, int] = field(default_factory=dict)
    """Behaviours taken in while each change was under way."""


@dataclass(slots=True)
class ChangeBench:
    """The work: a world's busy hour and campaigns as files."""

    bench: EngineBench

    def measure(self) -> Changed:
        """One run with the changes, one without.

        Raises:
            WrongResult: behaviours or triggers were lost, or a change did not come into force.
        """
        batch, profiles, places, terminals = self.bench.inputs()
        areas = np.unique(places.cells >> 16).tolist()
        count = max(2, self.bench.campaigns)
        documents = [document_of(i, places.names or ("",), areas, self.bench.audiences) for i in range(count)]
        with tempfile.TemporaryDirectory(prefix="kairos-change-") as name:
            folder = Path(name)
            for document in documents[1:]:
                _put(folder, document)

            def state() -> EngineState:
                made = self.bench.state(profiles, places, terminals)
                change_campaigns(made, load_all(sorted(folder.glob("*.yaml")), alone=True))
                made.take_derived()
                return made

            loop = _Loop(state(), batch)
            expected = _Loop(state(), batch)
            with _watched(loop.state, folder, loop.ready) as watching:
                loop.steps(20)
                watching.start()
                loop.change("added", lambda: _put(folder, documents[0]))
                altered = documents[1] | {"priority": 77}
                loop.change("changed", lambda: _put(folder, altered))
            kept = profiles.imsi % np.uint64(GONE) != 0
            loop.switch(_without(profiles, kept))
        while expected.at < loop.at:
            expected.step()
        touched = {documents[0]["campaign"], documents[1]["campaign"]}
        self._check(loop, expected, touched, kept)
        stayed = sum(one[0] not in touched for one in loop.triggers)
        return Changed(
            len(profiles),
            count,
            loop.at,
            loop.effect_s,
            loop.pause_s,
            stayed,
            loop.taken_in,
        )

    @staticmethod
    def _check(loop: _Loop, expected: _Loop, touched: set[str], kept: Any) -> None:
        before = loop.switched_at
        seen = expected.state.profiles.rows(loop.batch["imsi"][before : loop.at])
        unknown = int(np.count_nonzero(~kept[seen[seen >= 0]])) + int(np.count_nonzero(seen < 0))
        unknown += int(np.count_nonzero(expected.state.profiles.rows(loop.batch["imsi"][:before]) < 0))
        if loop.state.unknown_imsi != unknown:
            raise WrongResult(f"{loop.state.unknown_imsi} behaviours of unknown subscribers, not {unknown}")
        imsi = set(expected.state.profiles.imsi[~kept].tolist())
        gone_us = int(loop.batch["t_us"][before]) if before < len(loop.batch) else 0
        wanted = {
            one
            for one in expected.triggers
            if one[0] not in touched and not (one[1] in imsi and one[2] >= gone_us)
        }
        got = {one for one in loop.triggers if one[0] not in touched}
        if got != wanted:
            raise WrongResult(f"{len(wanted - got)} triggers lost and {len(got - wanted)} too many")


class _Loop:
    """The engine's side of the server, with a clock."""

    def __init__(self, state: EngineState, batch: BehaviourBatch) -> None:
        self.state, self.batch, self.at = state, batch, 0
        self.ready: queue.Queue[Any] = queue.Queue()
        self.triggers: Triggers = set()
        self.effect_s: dict[str, float] = {}
        self.pause_s: dict[str, float] = {}
        self.taken_in: dict[str, int] = {}
        self.switched_at = len(batch)

    def step(self) -> None:
        """Some behaviours."""
        part = self.batch[self.at : self.at + STEP]
        if not len(part):
            raise WrongResult("the hour is over before the change is in force")
        self.at += len(part)
        for decision in on_batch(self.state, part, 0):
            trigger = decision.trigger
            self.triggers.add((trigger.campaign, int(trigger.imsi), trigger.t_us))
        self.state.take_derived()

    def steps(self, n: int) -> None:
        """Some of them."""
        for _ in range(n):
            self.step()

    def change(self, what: str, write: Callable[[], None]) -> None:
        """Steps until what is written is in force, and one more."""
        write()
        self._until(what, lambda prepared: change_campaigns(self.state, prepared))

    def switch(self, profiles: Profiles) -> None:
        """The same with an extract, prepared on a thread."""
        prepare = threading.Thread(target=lambda: self.ready.put(prepare_switch(self.state, profiles)))
        prepare.start()

        def switched(prepared: Any) -> None:
            switch_profiles(self.state, prepared)
            self.switched_at = self.at

        self._until("extract", switched)
        prepare.join()

    def _until(self, what: str, exchange: Callable[[Any], object]) -> None:
        began, first = time.monotonic(), self.at
        while True:
            try:
                prepared = self.ready.get(timeout=PAUSE_S)
            except queue.Empty:
                if time.monotonic() > began + PATIENCE_S:
                    raise WrongResult(f"{what}: not in force after {PATIENCE_S:g} s") from None
                self.step()
                continue
            stopped = time.monotonic()
            exchange(prepared)
            self.pause_s[what] = time.monotonic() - stopped
            self.step()
            self.effect_s[what] = time.monotonic() - began
            self.taken_in[what] = self.at - first
            return


@contextmanager
def _watched(state: EngineState, folder: Path, ready: queue.Queue[Any]) -> Iterator[CampaignFolder]:
    watching = CampaignFolder(LocalHost(state), (), folder, ready.put)
    try:
        yield watching
    finally:
        watching.stop()


def _put(folder: Path, document: dict[str, Any]) -> None:
    partial = folder / f".{document['campaign']}.partial"
    partial.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    partial.rename(folder / f"{document['campaign']}.yaml")


def _without(profiles: Profiles, kept: Any) -> Profiles:
    """An extract that lacks some subscribers."""
    columns = {}
    for name, column in profiles.columns.items():
        known = None if column.known is None else np.packbits(column.is_known()[kept])
        columns[name] = type(column)(column.type, column.values[kept], column.words, known)
    return Profiles.made(profiles.imsi[kept], profiles.msisdn[kept], columns)
