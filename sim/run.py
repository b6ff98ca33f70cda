"""A run: a world, a seed and sinks; advanced tick by tick, in lockstep with whoever listens.

SimPy is the kernel. One process advances the crowd window by window (intents of the day, settled and encoded
by the compiled network); every contact, reply and organic take-up is a process of its own for as long as it
lasts, and brings the network up to its own moment before it acts. Inside all times are world microseconds;
rows of tables are stamped in Unix microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.network.build import Settings, build_network, template_library
from sim.network.faults import Faults, stage_of
from sim.network.handsets import Handsets, Row, organic_story, part_row
from sim.network.intents import Calls, Identities, Journeys, Services, Texts
from sim.network.library import TemplateLibrary
from sim.network.live import Live, Reaction
from sim.network.messages import Cancel, Deliver, MmsCancel, MmsReport, MmsSubmit, Submit
from sim.network.mms import MultimediaCentre
from sim.network.narrow import NarrowCalls, NarrowTexts
from sim.network.smsc import Part, ServiceCentre, Story
from sim.network.wire import WireBatch
from sim.occasions import Draw, Timetable, slices
from sim.scenario import DAY_US, WorldScenario
from sim.subscribers import diary, usage
from sim.subscribers.journeys import Crossings
from sim.subscribers.response import Decision, Moment, ResponseModel
from sim.subscribers.terminals import TERMINALS
from sim.subscribers.walk import Trips
from sim.workers import Alone, Drawing
from sim.world import World, build_world

__all__ = [
    "Inhabitants",
    "LivePhase",
    "Reaction",
    "Run",
    "Sink",
    "WireBatch",
    "World",
    "build",
    "organic_rows",
    "settings_of",
]


_MOST_DIGITS: Final = 15


class Sink(Protocol):
    """Where a run puts what it makes. Rows of `parts`, `contacts`, `responses` are mappings."""

    def signalling(self, batch: WireBatch) -> None:
        """Messages in the order of time; not called for none."""

    def acts(self, rows: NDArray[np.void]) -> None: ...
    def visible(self, rows: NDArray[np.void]) -> None: ...
    def parts(self, rows: list[Row]) -> None: ...
    def contacts(self, rows: list[Row]) -> None: ...
    def responses(self, rows: list[Row]) -> None: ...
    def faults(self, rows: NDArray[np.void]) -> None:
        """What was done to messages on purpose (`sim.network.faults.FAULT`); called only where faults are."""


def build(scenario: WorldScenario, seed: int) -> World:
    """The world of a scenario and a seed: map and people, nothing moving yet."""
    return build_world(scenario, seed)


def settings_of(scenario: WorldScenario) -> Settings:
    """What the network needs to know of a scenario."""
    midnight = datetime.fromtimestamp(scenario.epoch_unix_us // 1_000_000, ZoneInfo(scenario.timezone))
    offset = midnight.utcoffset() or timedelta(0)
    return Settings(
        mcc=scenario.network.mcc,
        mnc=scenario.network.mnc,
        smsc=scenario.numbering.smsc,
        t3212_us=round(scenario.network.t3212_h * 10) * 360_000_000,
        epoch_unix_us=scenario.epoch_unix_us,
        utc_offset_quarters=offset // timedelta(minutes=15),
    )


class Inhabitants:
    """The world's people as the network knows them (`sim.network.intents.People`)."""

    def __init__(self, world: World, workers: Drawing | None = None) -> None:
        """`workers` draw in place of this process, and one block ahead once they have been told of them."""
        self._world = world
        self._drawing: Drawing = workers or Alone(world)

    def draw_ahead(self, timetable: Timetable) -> None:
        """Which blocks will be asked for."""
        draws = (
            diary.trips, diary.power, usage.calls, usage.texts, usage.services, diary.journeys,
        )  # fmt: skip
        self._drawing.expect(timetable, draws, walked=diary.trips)

    def trips(self, from_us: int, to_us: int) -> Trips:
        parts = self._parts(diary.trips, from_us, to_us)
        return Trips(*_merged(parts, Trips, in_order=True))  # people one after another

    def power(self, from_us: int, to_us: int) -> diary.Power:
        parts = self._parts(diary.power, from_us, to_us)
        return diary.Power(*_merged(parts, diary.Power))

    def calls(self, from_us: int, to_us: int) -> Calls:
        parts = self._parts(usage.calls, from_us, to_us)
        return NarrowCalls(*_merged(parts, NarrowCalls))

    def texts(self, from_us: int, to_us: int) -> Texts:
        parts = self._parts(usage.texts, from_us, to_us)
        return NarrowTexts(*_merged(parts, NarrowTexts))

    def services(self, from_us: int, to_us: int) -> Services:
        parts = self._parts(usage.services, from_us, to_us)
        return Services(*_merged(parts, usage.Services))

    def journeys(self, from_us: int, to_us: int) -> Journeys:
        parts = self._parts(diary.journeys, from_us, to_us)
        return Journeys(*_merged(parts, Crossings))

    def imei_at(self, day: int) -> NDArray[np.uint64]:
        subs = np.arange(self._world.n)
        parts = [self._world.population.imei_at(day, subs[some]) for some in slices(self._world.n)]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def dialogue(self, dialogue: int) -> tuple[str, str]:
        return usage.dialogue(dialogue)

    def next_on_us(self, sub: int, after_us: int) -> int:
        """When somebody next switches on; -1: not within thirty days.

        Most do within two days; whoever is away for the Spring Festival is looked for further.
        """
        from_us, span_us, end_us = after_us + 1, 2 * DAY_US, after_us + 30 * DAY_US
        while from_us < end_us:
            to_us = min(from_us + span_us, end_us)
            power = diary.power(self._world, from_us, to_us, slice(sub, sub + 1))
            on = power.t_us[power.on]
            if len(on):
                return int(on[0])
            from_us, span_us = to_us, 2 * span_us
        return -1

    def state_at(self, t_us: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        parts = self._parts(diary.state_at, t_us)
        return np.concatenate([cell for cell, _ in parts]), np.concatenate([on for _, on in parts])

    def text(self, text_id: int) -> str:
        return usage.TEXTS[text_id]

    def _parts(self, draw: Draw, *span: int) -> list[Any]:
        """People are drawn so many at a time: memory stays small, and the rows are the same."""
        return self._drawing.parts(draw, span)


def _merged(parts: list[Any], kind: type[Any], *, in_order: bool = False) -> list[NDArray[Any]]:
    """The columns of tables of one kind, one table behind the other; takes `parts` apart.

    Unless they are in order, by the first two, (t_us, sub); each person's rows keep their order. A column is
    dropped as soon as it stands in the result: the whole block never is in memory three times.
    """
    waiting = [[getattr(part, f.name) for part in parts] for f in fields(kind)]
    parts.clear()
    order = None
    if not in_order:
        order = np.lexsort((np.concatenate(waiting[1]), np.concatenate(waiting[0])))
    merged = []
    for columns in waiting:
        whole = np.concatenate(columns) if len(columns) > 1 else columns[0]
        columns.clear()
        merged.append(whole if order is None else whole[order])
    return merged


class _Minds:
    """The response model by offer name (`sim.network.handsets.People`)."""

    def __init__(self, model: ResponseModel) -> None:
        self._model = model
        self._index = {offer.name: i for i, offer in enumerate(model.offers)}

    def moment(self, **facts: int) -> Moment:
        return Moment(**facts)

    def decide(
        self, sub: int, offer: str, ordinal: int, moment: Moment, recent_contacts: int, channel: str
    ) -> Decision:
        return self._model.decide(sub, self._index[offer], ordinal, moment, recent_contacts, channel)

    def tells(self, sub: int, offer: str) -> list[tuple[int, int]]:
        return self._model.tells(sub, self._index[offer])


class Run:
    """One world alive, from `start_us` to `end_us`."""

    def __init__(
        self,
        world: World,
        *,
        sink: Sink,
        tick_us: int,
        end_us: int,
        start_us: int = 0,
        responses: ResponseModel | None = None,
        originators: Mapping[str, str] | None = None,
        boss: Callable[[int, str, int], None] | None = None,
        library: TemplateLibrary | None = None,
        workers: Drawing | None = None,
        messages: bool = True,
        block_us: int = 0,
    ) -> None:
        """A run of a world.

        Args:
            world: Map and people.
            sink: Takes signalling, truth and what handsets received.
            tick_us: Length of a window.
            end_us: Nothing happens at or after this.
            start_us: The world begins here: registered people, empty SMSC, nobody talking.
            responses: How people answer; None: nobody does.
            originators: Originator of a contact -> name of its offer.
            boss: Told of every organic take-up: subscriber, offer, world time.
            library: Templates, to share among runs of one network in one process.
            workers: Processes that draw for this one (`sim.workers.workers_of`). What comes out is the same.
            block_us: How much of a day is drawn at a time; 0: the more people, the less. All comes
                out the same.
            messages: False: acts and visible acts alone, the same as with messages, and nothing encoded.

        The scenario's faults are done to the messages on their way to the sink.
        """
        settings = settings_of(world.scenario)
        identities, people = _identities(world), Inhabitants(world, workers)
        library = template_library(settings) if library is None else library
        self.world = world
        self.library = library
        self.network = build_network(
            settings, world.topology, identities, people, world.draws, library, start_us, end_us,
            silent=not messages, block_us=block_us,
        )  # fmt: skip
        people.draw_ahead(Timetable(start_us, end_us, self.network.block_us))
        self._faults = _faults_of(world, settings.epoch_unix_us, start_us) if messages else None
        self._sink = sink
        self._tick_us = tick_us
        self._end_us = end_us
        self.env = simpy.Environment(initial_time=start_us)
        self.centre = ServiceCentre(self.env, self.network, partial(sub_of_msisdn, world))
        self.handsets = Handsets(
            self.env, self.network, self.centre, sink, settings.epoch_unix_us, originators or {},
            _Minds(responses) if responses is not None else None,
            cell_name=partial(cell_name, world), able=partial(_able, world),
        )  # fmt: skip
        self.centre.handsets = self.handsets
        self.multimedia = MultimediaCentre(
            self.env, self.network, self.centre, self.handsets, partial(sub_of_msisdn, world)
        )
        self.handsets.multimedia = self.multimedia
        if responses is not None:
            told = boss or _nobody
            self.handsets.desk = told
            organic = organic_rows(responses, start_us, end_us)
            self.env.process(organic_story(self.env, self.handsets, organic, told))
        self._window = self.env.event()
        self.env.process(self._windows())

    def step(self) -> int:
        """Advances one tick; the time reached, which is `end_us` after the last."""
        if self.env.now < self._end_us:
            self.env.run(until=self._window)
        return int(self.env.now)

    def inject_submits(self, submits: Sequence[Submit], t_us: int) -> None:
        """Messages taken from the platform, in the order of their ids; they arrive at `t_us`."""
        for submit in submits:
            self.centre.take(submit, max(t_us, int(self.env.now)))

    def inject(self, submits: Sequence[Submit], cancels: Sequence[Cancel], t_us: int) -> None:
        """Messages taken, and then messages taken back."""
        self.inject_submits(submits, t_us)
        for cancel in cancels:
            self.cancel(cancel.message_id)

    def cancel(self, message_id: str) -> bool:
        """Takes a message back; False where that is too late."""
        return self.centre.cancel(message_id)

    def inject_mms(self, submits: Sequence[MmsSubmit], cancels: Sequence[MmsCancel], t_us: int) -> None:
        """Multimedia messages taken from the platform, in the order of their ids, and then taken back."""
        for submit in sorted(submits, key=lambda one: one.message_id):
            self.multimedia.take(submit, max(t_us, int(self.env.now)))
        for cancel in cancels:
            self.multimedia.cancel(cancel.message_id)

    def outgoing_mms(self) -> list[MmsReport]:
        """What has become of multimedia messages in the last tick, in the order of time."""
        return self.multimedia.outgoing()

    def outgoing(self) -> list[Deliver]:
        """Receipts and replies of the last tick, in the order (time, stable id)."""
        return self.centre.outgoing()

    def _windows(self) -> Story:
        """The crowd, window by window."""
        while self.env.now < self._end_us:
            tick_us = min(self._tick_us, self._end_us - int(self.env.now))
            yield self.env.timeout(tick_us)
            now_us = int(self.env.now)
            self.network.settle(now_us)
            emitted = self.network.window(now_us)
            rows = self.network.take_acts()
            if len(rows):
                self._sink.acts(rows)
            batch, shown = emitted if emitted is not None else (None, None)
            if self._faults is not None:
                batch = self._faults.window(batch, now_us)
                made = self._faults.take_rows()
                if len(made):
                    self._sink.faults(made)
            if batch is not None and batch.n:
                self._sink.signalling(batch)
            if shown is not None:
                self._sink.visible(shown)
            done, self._window = self._window, self.env.event()
            done.succeed()


class LivePhase:
    """The world's signalling between two moments, and deliveries woven into it (`sim.network.live`)."""

    def __init__(
        self,
        world: World,
        start_us: int,
        end_us: int,
        library: TemplateLibrary | None = None,
        *,
        most: int | None = None,
    ) -> None:
        """Draws the schedule; with `most`, it and the phase end with that many messages at the latest."""
        settings, people = settings_of(world.scenario), Inhabitants(world)
        library = template_library(settings) if library is None else library
        network = build_network(
            settings, world.topology, _identities(world), people, world.draws, library, start_us, end_us
        )
        self._world = world
        self.live = Live(network, people, world.topology, start_us, end_us, most)

    @property
    def batch(self) -> WireBatch:
        """The schedule; correlation ids 1, 2, 3 and so on."""
        return self.live.batch

    @property
    def acts(self) -> NDArray[np.void]:
        """The schedule's acts."""
        return self.live.acts

    @property
    def visible(self) -> NDArray[np.void]:
        """Its visible acts."""
        return self.live.visible

    @property
    def end_us(self) -> int:
        """Nothing happens at or after this."""
        return self.live.end_us

    def react(self, submit: Submit, t_us: int) -> Reaction:
        """The delivery of a message that arrived at `t_us`, to be merged into what is still to be sent."""
        return self.live.react(submit, sub_of_msisdn(self._world, submit.destination), t_us)

    def part_row(self, part: Part) -> Row:
        """A row of the table `parts`."""
        world = self._world
        cell = cell_name(world, self.live.cell_at(part.sub, part.t_us))
        return part_row(part, world.population.msisdn_text(part.sub), world.scenario.epoch_unix_us, cell)


def sub_of_msisdn(world: World, number: str) -> int:
    """Whose number it is; -1: nobody's."""
    if not (number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS):
        return -1
    return int(world.population.sub_of_msisdn(int(number)))


def cell_name(world: World, cell: int) -> str:
    """LAC-CI of a cell by its index; empty for none."""
    if cell < 0:
        return ""
    return f"{int(world.topology.lac[cell])}-{int(world.topology.ci[cell])}"


def _able(world: World, sub: int, t_us: int, ability: str) -> bool:
    """Whether somebody's handset of that day can do something."""
    model = int(world.population.terminal_at(t_us // DAY_US, np.array([sub]))[0])
    return bool(getattr(TERMINALS[model], ability))


def _faults_of(world: World, epoch_unix_us: int, start_us: int) -> Faults | None:
    """What a world's signalling suffers on its way from the BSCs."""
    return stage_of(
        world.scenario.faults, world.draws, epoch_unix_us, world.topology.bsc_point_codes, start_us
    )


def _identities(world: World) -> Identities:
    population = world.population
    return Identities(population.imsi_series(), population.msisdn_series())


def _nobody(sub: int, offer: str, t_us: int) -> None:
    """Nobody is told."""


def organic_rows(
    responses: ResponseModel, start_us: int, end_us: int, *, hearsay: bool = False
) -> list[tuple[int, int, str]]:
    """Organic take-ups in order: time, subscriber, offer.

    `hearsay`: those on a friend's word too, of a world without contacts; a run makes these itself.
    """
    times = responses.organic(end_us, start_us)
    if hearsay:
        luck = np.array([responses.replicate])
        times = responses.with_hearsay(luck, times[np.newaxis], end_us)[0]
    subs, offers = np.nonzero(times >= 0)
    names = [offer.name for offer in responses.offers]
    rows = zip(times[subs, offers].tolist(), subs.tolist(), offers.tolist(), strict=True)
    return [(t_us, sub, names[offer]) for t_us, sub, offer in sorted(rows)]
