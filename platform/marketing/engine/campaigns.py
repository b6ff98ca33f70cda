"""Campaigns that come, go and change while the engine runs, and new extracts switched in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketing.campaigns import Campaign
from marketing.engine.state import EngineState, compile_rules, lines_of
from marketing.engine.texts import Texts
from marketing.engine.timers import stays_again
from marketing.features import Dues, Habits, Presence, Timers, Waves
from marketing.profiles import Profiles, RowMap
from marketing.rules import Rules

__all__ = [
    "Change",
    "Prepared",
    "PreparedSwitch",
    "change_campaigns",
    "prepare_campaigns",
    "prepare_switch",
    "restore_rules",
    "switch_profiles",
]


@dataclass(frozen=True, slots=True)
class Change:
    """What a reload did, by names of campaigns."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    dropped_holds: int = 0
    """Triggers on hold of campaigns that are gone."""
    kept: tuple[str, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Campaigns compiled beside the running ones; nothing has changed yet."""

    campaigns: tuple[Campaign, ...]
    rules: Rules
    profiles: Profiles
    """The extract that they were compiled over."""


def prepare_campaigns(state: EngineState, campaigns: Sequence[Campaign]) -> Prepared:
    """Compiles campaigns; may be called on another thread while the engine goes on.

    Raises:
        ValueError: they cannot be compiled.
    """
    profiles = state.profiles
    rules = compile_rules(campaigns, profiles, state.places, state.policy, state.view, state.rules)
    return Prepared(tuple(campaigns), rules, profiles)


def change_campaigns(state: EngineState, prepared: Prepared | Sequence[Campaign]) -> Change:
    """Runs these campaigns from now on. Everything is compiled before anything changes.

    Partial matches of campaigns whose scene stays as it is go on, holds of those that still run too. What a
    campaign removed had on hold or due falls away; a changed one's partial matches begin anew.

    Raises:
        ValueError: they cannot be compiled; nothing has changed then.
    """
    if not isinstance(prepared, Prepared) or prepared.profiles is not state.profiles:
        wanted = prepared.campaigns if isinstance(prepared, Prepared) else prepared
        prepared = prepare_campaigns(state, wanted)
    campaigns, rules = prepared.campaigns, prepared.rules
    old = {c.campaign: c for c in state.campaigns}
    new = {c.campaign: c for c in campaigns}
    change = Change(
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        tuple(sorted(n for n in new.keys() & old.keys() if new[n] != old[n])),
        sum(name not in new for _, name in state.held),
        tuple(sorted(n for n in new.keys() & old.keys() if new[n] == old[n])),
    )
    if not change:
        return change
    rules.restore(state.rules.snapshot())
    lines = lines_of(rules)
    if lines != list(state.habits.lines):
        state.view.habits = state.habits.keep_lines(lines)
    state.rules, state.reads = rules, rules.reads
    state.campaigns = campaigns
    state.numbers = {c.campaign: i for i, c in enumerate(campaigns)}
    state.texts = Texts.of_campaigns(state.campaigns, state.profiles)
    for key in [key for key in state.held if key[1] not in new]:
        state.ended.append((state.held.pop(key), "withdrawn"))
        state.book.waiting.discard(key)
    for group in [group for group in state.groups if group[0] not in new]:
        del state.groups[group]
    stays_again(state, state.reached_us)
    return change


def restore_rules(state: EngineState, saved: Mapping[str, NDArray[Any]], rows: RowMap | None = None) -> int:
    """Live partial matches from a snapshot; returns how many belong to nothing that is here any more."""
    return state.rules.restore(saved, None if rows is None else rows.new_of_old.astype(np.int64))


@dataclass(frozen=True, slots=True)
class PreparedSwitch:
    """A new extract with the running campaigns compiled over it, for one switch; nothing has changed yet."""

    profiles: Profiles
    before: Profiles
    rows: RowMap
    """From the one before."""
    rules: Rules
    campaigns: tuple[Campaign, ...]
    habits: Habits
    """Of nobody yet, their memory touched already."""
    presence: NDArray[np.void]
    """Likewise: room for the records."""


def prepare_switch(state: EngineState, new: Profiles) -> PreparedSwitch:
    """Does what takes long; may be called on another thread while the engine goes on."""
    before, campaigns = state.profiles, state.campaigns
    rules = compile_rules(campaigns, new, state.places, state.policy, state.view)
    habits = Habits(len(new), state.habits.cells, state.habits.lines)
    habits.records.view(np.uint8)[:] = 0
    habits.line_s[:] = 0
    presence = np.zeros(len(new), dtype=state.features.records.dtype)
    presence.view(np.uint8)[:] = 0
    return PreparedSwitch(new, before, new.mapping(before), rules, campaigns, habits, presence)


def switch_profiles(state: EngineState, new: PreparedSwitch | Profiles) -> int:
    """Goes over to a new extract; what is known of a subscriber goes with his IMSI. Returns how many stay.

    Who is gone is forgotten with all that waits for him; who is new begins with nothing.
    """
    made = new if isinstance(new, PreparedSwitch) else prepare_switch(state, new)
    profiles, rules = made.profiles, made.rules
    rows = made.rows if made.before is state.profiles else profiles.mapping(state.profiles)
    if made.campaigns is not state.campaigns:  # they changed while it was prepared
        rules = compile_rules(state.campaigns, profiles, state.places, state.policy, state.view, rules)
    rules.restore(state.rules.snapshot(), rows.new_of_old.astype(np.int64))
    state.rules, state.profiles = rules, profiles
    state.texts = Texts.of_campaigns(state.campaigns, profiles)
    if rows.same:
        state.view.switch(profiles, state.view.presence, state.view.habits, state.book)
    else:
        _move(state, rows, made)
    stays_again(state, state.reached_us)
    return rows.kept


def _move(state: EngineState, rows: RowMap, made: PreparedSwitch) -> None:
    """Everything that goes by row to the rows of another extract."""
    profiles, n = state.profiles, len(state.profiles)
    presence = Presence(n, silence_us=state.features.silence_us)
    presence.load(rows.permute(state.features.records, Presence(1).records[0], made.presence), own=True)
    presence.sweep(state.features.swept_us, profiles.imsi)
    same = made.habits.lines == state.habits.lines  # campaigns that came meanwhile may ask for others
    habits = made.habits if same else Habits(n, state.habits.cells, state.habits.lines)
    nothing = np.zeros((), state.habits.records.dtype)
    rows.permute(state.habits.records, nothing, habits.records)
    rows.permute(state.habits.line_s, 0, habits.line_s)
    habits.recount()
    habits.publish(state.habits.crowd)
    state.stay_corr = rows.permute(state.stay_corr, 0) if len(state.stay_corr) else state.stay_corr
    state.book = state.book.moved(rows)
    state.view.switch(profiles, presence, habits, state.book)
    state.dues, state.waves = Dues(n), Waves(n)
    state.ended += [(one, "gone") for (row, _), one in state.held.items() if rows.row(row) < 0]
    held = {(rows.row(row), name): trigger for (row, name), trigger in state.held.items()}
    state.held = {key: replace(trigger, row=key[0]) for key, trigger in held.items() if key[0] >= 0}
    state.following = {
        rows.row(row): waiting for row, waiting in state.following.items() if rows.row(row) >= 0
    }
    groups = {key: rows.rows(of) for key, of in state.groups.items()}
    state.groups = {key: np.sort(of[of >= 0]) for key, of in groups.items()}
    timers = Timers()
    for timer in state.timers.all():
        row = rows.row(timer.row) if timer.row >= 0 else -1
        if timer.row < 0 or row >= 0:
            timers.add(replace(timer, row=row))
    state.timers = timers
