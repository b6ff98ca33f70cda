"""What everybody else sees of the engine, and the engine of this process seen so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch
from marketing.campaigns import CHANNELS, Campaign, Target
from marketing.contact import Book, Kind, Policy, Reason
from marketing.contact.steps import ClockStep
from marketing.engine import (
    Change,
    Contact,
    Decision,
    EngineState,
    KeptState,
    Stamp,
    Trigger,
    barred,
    change_campaigns,
    choose,
    handsets,
    new_state,
    next_due,
    no_stamp,
    on_batch,
    on_ended,
    on_opt_out,
    on_reply,
    on_selection,
    on_timers,
    on_unsent,
    prepare_campaigns,
    prepare_switch,
    row_now,
    schedule_group,
    switch_profiles,
)
from marketing.profiles import Places, Profiles, Terminals

__all__ = ["CountedAt", "EngineHost", "Figures", "LocalHost", "Settings"]

CountedAt = tuple[int, str, int, int, int, bool, int, int, Kind]
"""A contact as `Book.restore` takes it: row, campaign, period, day, ordinal, counted; when decided and when
received at the latest, Unix us; its kind.
"""


class Figures(NamedTuple):
    """What one engine has to show."""

    behaviours: int
    """Of its own subscribers, taken in since the start."""
    unknown: int
    """Of subscribers that the extract does not know."""
    timers: int
    held: int
    cpu_s: float
    """Processor seconds of its process."""


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """All that an engine is made from, but for its subscribers."""

    places: Places
    campaigns: tuple[Campaign, ...]
    policy: Policy
    terminals: Terminals | None
    silence_us: int
    """0: nobody is taken for switched off who has not said so."""
    reach: frozenset[str] = frozenset(CHANNELS)
    """Channels that there are."""

    def engine(self, profiles: Profiles) -> EngineState:
        """One that knows nobody of them yet."""
        state = new_state(
            profiles,
            self.places,
            self.campaigns,
            self.policy,
            Book.empty(len(profiles)),
            terminals=self.terminals,
            silence_us=self.silence_us,
        )
        state.reach = self.reach
        return state


class EngineHost(Protocol):
    """The engine, wherever it runs. Called by one thread, but for `prepare`.

    Raises of all: WorkerLost, where it runs in other processes and one of them is no more.
    """

    @property
    def profiles(self) -> Profiles: ...
    @property
    def places(self) -> Places: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def campaigns(self) -> tuple[Campaign, ...]: ...
    @property
    def silence_us(self) -> int:
        """Who is silent for longer is taken for switched off; 0: nobody is."""

    @property
    def lost(self) -> str:
        """Why it can decide no more; empty: it can."""

    def on_batch(self, batch: BehaviourBatch, now_us: int, stamp: Stamp = no_stamp) -> Sequence[Decision]: ...
    def begin(self, batch: BehaviourBatch, now_us: int, stamp: Stamp = no_stamp) -> None:
        """Takes in behaviours; what is decided on them says `end`."""

    def end(self, under_way: int = 0) -> Sequence[Decision]:
        """What was decided on all that was begun, but for so many batches that others may still work on."""

    def on_timers(self, until_us: int, now_us: int = 0, stamp: Stamp = no_stamp) -> Sequence[Decision]: ...
    def next_due(self) -> int | None: ...
    def take_derived(self) -> BehaviourBatch: ...

    def reaches(self, channels: frozenset[str]) -> None:
        """Channels that are up from now on."""

    def on_unsent(self, trigger: Trigger, contact: Contact) -> None: ...
    def on_opt_out(self, msisdn: str) -> bool: ...
    def on_reply(self, msisdn: str, campaign: str) -> None: ...
    def follow(self, msisdn: str, campaign: str, decided_us: int) -> None: ...
    def row_now(self, trigger: Trigger) -> int:
        """The row of a trigger's subscriber in the extract as it is; -1: he is in it no more."""

    def barred(self, row: int, now_us: int) -> Reason:
        """Why a subscriber may not be sent anything now, whatever was decided; empty: he may."""

    def enter(
        self,
        do_not_disturb_us: NDArray[np.int64],
        control_us: NDArray[np.int64],
        rows: NDArray[np.int64],
        zones: NDArray[np.uint8],
    ) -> None:
        """Dates by row, only ever moved to earlier; and who lives in which zone."""

    def remember(
        self, stops: Sequence[int], contacts: Sequence[CountedAt], forget_s: int | None = None
    ) -> None:
        """What the ledger remembers: rows of those who have said stop, contacts as they were decided.

        `forget_s`: single contacts received before this instant, Unix seconds, are forgotten again.
        """

    def on_ended(
        self, msisdn: str, originator: str, channel: str, decided_us: int, ended_us: int
    ) -> None: ...
    def clock_set(self, step: ClockStep) -> None:
        """The clock shows another time from now on; between two batches."""

    def take_ended(self) -> list[tuple[Trigger, Reason]]:
        """Triggers on hold whose campaign or subscriber has gone since the last call."""

    def prepare(self, campaigns: Sequence[Campaign]) -> Any:
        """Checks whatever can be checked beside the running engine; for `change`. On any thread.

        Raises:
            ValueError: they cannot be compiled.
        """

    def change(self, prepared: Any) -> Change: ...
    def schedule_group(self, campaign: Campaign, targets: Iterable[Target], day_1_us: int) -> int: ...
    def prepare_switch(self, new: Profiles) -> Any:
        """Does what takes long; for `switch_profiles`. On any thread."""

    def switch_profiles(self, new: Any) -> int:
        """Goes over to a new extract, prepared or not; returns how many subscribers stay."""

    def choose(self, campaign: str, at_us: int, audience: str = "", targets: str = "") -> NDArray[np.uint64]:
        """IMSIs, ascending, of whom an operator's selection means; see `marketing.engine.choose`.

        Raises:
            SelectionError: it cannot be made.
        """

    def on_selection(
        self,
        campaign: str,
        imsi: NDArray[np.uint64],
        now_us: int,
        stamp: Stamp = no_stamp,
        channels: tuple[str, ...] = (),
    ) -> Sequence[Decision]:
        """Of those whom the extract knows, judged now. `channels`: of a file that others send from."""

    def handsets(self, msisdn: NDArray[np.uint64], now_us: int) -> list[dict[str, Any] | None]: ...

    def capture(self) -> dict[str, NDArray[Any]]: ...
    def restore(self, captured: Mapping[str, NDArray[Any]]) -> int: ...
    def replay(self, rows: BehaviourBatch) -> tuple[int, Sequence[Decision]]: ...
    def last_us(self) -> int: ...

    def figures(self) -> list[Figures]:
        """One for each engine."""

    def filenos(self) -> list[int]:
        """Readable between two calls only if something is wrong; `look` then says what."""

    def look(self) -> str:
        """`lost`, after looking."""

    def close(self) -> None: ...


class LocalHost:
    """The engine in this process: functions over one state."""

    def __init__(self, state: EngineState) -> None:
        self.state = state
        self._kept = KeptState(state)
        self._behaviours = 0
        self._found: list[Decision] = []
        self.lost = ""

    @property
    def profiles(self) -> Profiles:
        return self.state.profiles

    @property
    def places(self) -> Places:
        return self.state.places

    @property
    def policy(self) -> Policy:
        return self.state.policy

    @property
    def campaigns(self) -> tuple[Campaign, ...]:
        return self.state.campaigns

    @property
    def silence_us(self) -> int:
        return self.state.features.silence_us

    def on_batch(self, batch: BehaviourBatch, now_us: int, stamp: Stamp = no_stamp) -> Sequence[Decision]:
        unknown = self.state.unknown_imsi
        decisions = on_batch(self.state, batch, now_us, stamp)
        self._behaviours += len(batch) - (self.state.unknown_imsi - unknown)
        return decisions

    def begin(self, batch: BehaviourBatch, now_us: int, stamp: Stamp = no_stamp) -> None:
        self._found += self.on_batch(batch, now_us, stamp)

    def end(self, under_way: int = 0) -> Sequence[Decision]:
        found, self._found = self._found, []
        return found

    def on_timers(self, until_us: int, now_us: int = 0, stamp: Stamp = no_stamp) -> Sequence[Decision]:
        return on_timers(self.state, until_us, now_us, stamp)

    def next_due(self) -> int | None:
        return next_due(self.state)

    def take_derived(self) -> BehaviourBatch:
        return self.state.take_derived()

    def reaches(self, channels: frozenset[str]) -> None:
        self.state.reach = channels

    def on_unsent(self, trigger: Trigger, contact: Contact) -> None:
        on_unsent(self.state, trigger, contact)

    def on_opt_out(self, msisdn: str) -> bool:
        return on_opt_out(self.state, msisdn)

    def on_reply(self, msisdn: str, campaign: str) -> None:
        on_reply(self.state, msisdn, campaign)

    def follow(self, msisdn: str, campaign: str, decided_us: int) -> None:
        self._kept.follow(msisdn, campaign, decided_us)

    def row_now(self, trigger: Trigger) -> int:
        return row_now(self.state, trigger)

    def barred(self, row: int, now_us: int) -> Reason:
        return barred(row, self.state.book.do_not_disturb_us, self.state.book.control_us, now_us)

    def enter(
        self,
        do_not_disturb_us: NDArray[np.int64],
        control_us: NDArray[np.int64],
        rows: NDArray[np.int64],
        zones: NDArray[np.uint8],
    ) -> None:
        book = self.state.book
        np.minimum(book.do_not_disturb_us, do_not_disturb_us, out=book.do_not_disturb_us)
        np.minimum(book.control_us, control_us, out=book.control_us)
        book.live_in(rows, zones)

    def remember(
        self, stops: Sequence[int], contacts: Sequence[CountedAt], forget_s: int | None = None
    ) -> None:
        book = self.state.book
        for counted in contacts:
            book.restore(*counted)
        for row in stops:
            book.opt_out(row)
        if forget_s is not None:
            book.prune_log(forget_s)

    def on_ended(self, msisdn: str, originator: str, channel: str, decided_us: int, ended_us: int) -> None:
        on_ended(self.state, msisdn, originator, channel, decided_us, ended_us)

    def clock_set(self, step: ClockStep) -> None:
        self.state.book.clock_set(step)

    def take_ended(self) -> list[tuple[Trigger, Reason]]:
        return self.state.take_ended()

    def prepare(self, campaigns: Sequence[Campaign]) -> Any:
        return prepare_campaigns(self.state, campaigns)

    def change(self, prepared: Any) -> Change:
        return change_campaigns(self.state, prepared)

    def schedule_group(self, campaign: Campaign, targets: Iterable[Target], day_1_us: int) -> int:
        return schedule_group(self.state, campaign, targets, day_1_us)

    def prepare_switch(self, new: Profiles) -> Any:
        return prepare_switch(self.state, new)

    def switch_profiles(self, new: Any) -> int:
        return switch_profiles(self.state, new)

    def choose(self, campaign: str, at_us: int, audience: str = "", targets: str = "") -> NDArray[np.uint64]:
        rows = choose(self.state, self.state.numbers[campaign], at_us, audience, targets)
        found: NDArray[np.uint64] = self.state.profiles.imsi[rows]
        return found

    def on_selection(
        self,
        campaign: str,
        imsi: NDArray[np.uint64],
        now_us: int,
        stamp: Stamp = no_stamp,
        channels: tuple[str, ...] = (),
    ) -> Sequence[Decision]:
        rows = self.state.profiles.rows(imsi)
        number = self.state.numbers[campaign]
        return on_selection(self.state, number, rows[rows >= 0], now_us, stamp, channels)

    def handsets(self, msisdn: NDArray[np.uint64], now_us: int) -> list[dict[str, Any] | None]:
        return handsets(self.state, msisdn, now_us)

    def capture(self) -> dict[str, NDArray[Any]]:
        return self._kept.capture()

    def restore(self, captured: Mapping[str, NDArray[Any]]) -> int:
        return self._kept.restore(captured)

    def replay(self, rows: BehaviourBatch) -> tuple[int, Sequence[Decision]]:
        return self._kept.replay(rows)

    def last_us(self) -> int:
        return self._kept.last_us()

    def figures(self) -> list[Figures]:
        state = self.state
        return [Figures(self._behaviours, state.unknown_imsi, len(state.timers), len(state.held), 0.0)]

    def filenos(self) -> list[int]:
        return []

    def look(self) -> str:
        return self.lost

    def close(self) -> None:
        """Nothing is open."""
