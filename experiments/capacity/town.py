"""The world to measure with: as many people as asked for, on a network that grows with them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from experiments.arm import of_day_us
from experiments.bench.campaigns import document_of
from experiments.latency.pacing import Schedule
from experiments.latency.phase import Site, Terms
from experiments.latency.worldtime import WorldTime
from experiments.problems import RunInvalid
from experiments.weave import streams_of
from sigtran import MessageBatch
from sigtran.transport import Kind
from sim.network.build import template_library
from sim.run import LivePhase, settings_of
from sim.scenario import load_world

__all__ = ["Drawn", "Town", "extra_campaigns", "settings_for"]

STARTS: Final = ("10:00", "10:20", "10:40", "11:00", "11:20")
"""Probes begin here by turns, so that no two in a row send the same messages."""
ENDS: Final = "20:30"
"""The world's time may not pass this: quiet hours would hold what is to be measured."""
FIRST_US: Final = 60_000_000
"""World time drawn at first, to see how much signalling there is."""
WHOLE_CALLS_S: Final = 180.0
"""World time that a phase spans at least: nothing is under way at its beginning, and most calls are over
by then."""
HOPELESS: Final = 2.0
"""Nobody looks whether a day has this many times the messages that its first minute promises."""
SPARING: Final = 0.75
"""Share of what the day should have that a phase is made so long for: afternoons are quieter."""
MARGIN: Final = 1.1
"""So much more of it is drawn than should be needed."""


def settings_for(world: Path, subscribers: int) -> dict[str, Any]:
    """Settings that make a world so large, its cells in proportion to its people but no fewer than it has."""
    scenario = load_world(world)
    cells = scenario.network.cells * subscribers / scenario.subscribers
    return {"subscribers": subscribers, "network.cells": max(scenario.network.cells, round(cells))}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A schedule, and the network that reacts to what comes of it."""

    network: LivePhase
    plan: Schedule


class Town:
    """A site with so many people, and schedules of any rate drawn from its signalling."""

    def __init__(
        self, terms: Terms, world: Path, subscribers: int, seed: int, folder: Path, transport: Kind
    ) -> None:
        """`folder` takes the platform's inputs."""
        self.subscribers = subscribers
        self.terms = terms
        self.site = Site(
            terms, world, seed, folder, settings=settings_for(world, subscribers), transport=transport
        )
        # Templates are made once; each phase would make its own.
        self._library = template_library(settings_of(self.site.scenario))
        start_us = of_day_us(STARTS[0])
        first = self.site.live(start_us, start_us + FIRST_US).batch
        if not first.n:
            raise RunInvalid(f"{world.name} with {subscribers} people has no signalling at {STARTS[0]}")
        self._per_us = first.n / FIRST_US

    @property
    def customers(self) -> list[str]:
        """IMSIs of those whom the platform knows."""
        extract = self.site.extract
        return [imsi for imsi, known in zip(extract["imsi"], extract["customer"], strict=True) if known]

    @property
    def per_world_s(self) -> float:
        """Messages a second of the world's time."""
        return self._per_us * 1e6

    def most_per_s(self, seconds: float) -> float:
        """The highest rate that the day's signalling is enough for."""
        whole_us = of_day_us(ENDS) - of_day_us(STARTS[-1])
        return self._per_us * whole_us / MARGIN / seconds

    def least_s(self, rate_per_s: float) -> float:
        """So long a phase of that rate must be for calls that begin in it to end in it too."""
        return self.per_world_s * WHOLE_CALLS_S / rate_per_s

    def most_s(self, rate_per_s: float) -> float:
        """So long a phase of that rate is at most: some of the day's signalling is left."""
        return SPARING * self.most_per_s(rate_per_s)

    def draw(self, rate_per_s: float, seconds: float, seed: int) -> Drawn:
        """The first messages from a moment that hangs on the seed, squeezed into so many seconds.

        Raises:
            RunInvalid: the day has too few.
        """
        wanted = max(1, round(rate_per_s * seconds))
        start_us = of_day_us(STARTS[seed % len(STARTS)])
        most_us = of_day_us(ENDS) - start_us
        span_us = wanted / self._per_us * MARGIN
        if span_us > HOPELESS * most_us:
            raise self._too_few(round(most_us * self._per_us), rate_per_s, seconds)
        for stretch in (1.0, 1.5, 3.0):
            end_us = start_us + min(most_us, round(span_us * stretch))
            network = LivePhase(self.site.world, start_us, end_us, self._library, most=wanted)
            if network.batch.n == wanted:
                return Drawn(network, _squeezed(network.batch, start_us, seconds, self.terms.streams))
            if end_us == start_us + most_us:
                break
        raise self._too_few(network.batch.n, rate_per_s, seconds)

    def _too_few(self, messages: int, rate_per_s: float, seconds: float) -> RunInvalid:
        return RunInvalid(
            f"{self.subscribers} people make some {messages} messages until {ENDS}, too few for "
            f"{rate_per_s:.0f}/s over {seconds:.1f} s: expected more subscribers"
        )


def _squeezed(batch: Any, start_us: int, seconds: float, streams: int) -> Schedule:
    factor = float(batch.t_us[-1] - start_us) / 1e6 / seconds
    intended_ns = ((batch.t_us - start_us) * 1000 / factor).astype(np.int64)
    messages = MessageBatch(batch.data, batch.offsets, streams_of(batch.sls, streams))
    return Schedule(messages, intended_ns, batch.corr.astype(np.int64), WorldTime.even(start_us, factor))


def extra_campaigns(count: int, site: Site, folder: Path) -> list[Path]:
    """Files of so many campaigns of all kinds of scene with narrow audiences, as those of `kairos bench`."""
    folder.mkdir(parents=True, exist_ok=True)
    places = sorted({place.name for place in site.scenario.places}) or [""]
    areas = sorted({int(lac) for lac in site.world.topology.lac})
    return [
        _written(folder / f"bench-{number:03d}.yaml", document_of(number, places, areas, "narrow"))
        for number in itertools.islice(itertools.count(), count)
    ]


def _written(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path
