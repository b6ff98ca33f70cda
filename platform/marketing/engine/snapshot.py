"""What the engine knows, as arrays in one file, and the journal of what came after: how a restart goes on.

    snapshot-000007.npz     the state at one moment; whole or not there
    tail-000007.rows        behaviours taken in since that moment, in order
    told-000007.jsonl       contacts with follow-ups, and answers to contacts, since that moment

A row is handed to the operating system before anything is decided on it, so a killed process loses none that
it took in; a power cut loses what the system had not written, `sync_s` of it at most. What nobody can recover
is what the network said while nobody listened: `Resumed` says from when to when.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import re
import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BEHAVIOUR, BehaviourBatch
from marketing.engine.campaigns import restore_rules
from marketing.engine.state import EngineState, new_state
from marketing.engine.steps import on_batch
from marketing.engine.timers import stays_again
from marketing.engine.told import follow, on_reply, on_unsent
from marketing.engine.triggers import Decision, Trigger
from marketing.features import Habits, Presence, Timer
from marketing.profiles import RowMap

__all__ = [
    "REPLAY_ROWS",
    "Beside",
    "Keeper",
    "KeptState",
    "Resumed",
    "StateFolder",
    "capture",
    "restore",
    "twin",
]

log = logging.getLogger("marketing.state")

VERSION: Final = 1
_SNAPSHOT: Final = re.compile(r"snapshot-([0-9]{6,})\.npz")
REPLAY_ROWS: Final = 1 << 16
"""Behaviours of a journal taken in before what they would have sent is taken back."""

Captured = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Resumed:
    """How a restart went on."""

    snapshot: str
    """File it began with; empty: with nothing."""
    subscribers: int
    """Who is in the snapshot and in the extract."""
    replayed: int
    """Behaviours since then."""
    last_us: int
    """Time of the last behaviour known; what came after it until the platform listens again is not seen."""
    not_sent: int
    """Triggers of the replay that the last run had not sent, and whose moment is over."""
    partial: int
    """Rows cut off in the journal's end."""


class Beside(Protocol):
    """What takes the same rows and decisions as the engine's server, and is to go on after a restart too."""

    def freeze(self) -> Callable[[], Captured]:
        """As of now; what it returns is called on the thread that writes."""
        ...

    def restore(self, kept: Captured) -> None:
        """What was frozen, or nothing. Raises ValueError for what another version has written."""
        ...

    def behaviours(self, batch: BehaviourBatch) -> None: ...

    def decided(self, decision: Decision) -> None: ...


def capture(state: EngineState) -> Captured:
    """Copies of everything, so that the engine can go on while they are written."""
    plain = {
        "version": VERSION,
        "columns": [BEHAVIOUR.itemsize, state.habits.records.dtype.itemsize, state.features.bytes_each],
        "lines": list(state.habits.lines),
        "reached_us": state.reached_us,
        "published_us": state.published_us,
        "unknown_imsi": state.unknown_imsi,
        "releases": list(state.releases),
        "lately": [state.lately[0], sorted(state.lately[1])],
        "held": [_plain(trigger) for _, trigger in sorted(state.held.items())],
        "timers": [asdict(timer) for timer in state.timers.all() if timer.kind != "group"],
        "following": [
            [row, [list(one) for one in waiting]] for row, waiting in sorted(state.following.items())
        ],
    }
    rules = state.rules.snapshot()
    return {
        "plain": np.frombuffer(json.dumps(plain).encode(), dtype=np.uint8),
        "imsi": state.profiles.imsi,
        "habits": state.habits.records.copy(),
        "line_s": state.habits.line_s.copy(),
        "cells": state.habits.cells,
        "crowd": state.habits.crowd.copy(),
        "stay_corr": state.stay_corr.copy(),
        "presence": state.features.records.copy(),
        **{f"rules.{name}": np.array(column) for name, column in rules.items()},
    }


def restore(state: EngineState, captured: Captured) -> int:
    """Puts a captured state into a fresh one, each subscriber's by IMSI; returns how many are in both.

    Raises:
        ValueError: it was written by another version of the platform.
    """
    plain = json.loads(captured["plain"].tobytes())
    here = [BEHAVIOUR.itemsize, state.habits.records.dtype.itemsize, state.features.bytes_each]
    if plain["version"] != VERSION or plain["columns"] != here:
        raise ValueError(f"version {plain['version']}, {plain['columns']}: expected {VERSION}, {here}")
    rows = RowMap.between(captured["imsi"], state.profiles.imsi)
    habits = state.habits
    records = rows.permute(captured["habits"], np.zeros((), habits.records.dtype))
    crowd: NDArray[Any] | None = captured["crowd"]
    if not np.array_equal(captured["cells"], habits.cells):
        records, crowd = _renumbered(records, captured["cells"], habits), None
    habits.records[:] = records
    for at, line in enumerate(plain["lines"]):
        if line in habits.lines:
            habits.line_s[:, habits.lines.index(line)] = rows.permute(captured["line_s"][:, at], 0)
    habits.recount()
    habits.publish(crowd)
    presence = state.features
    presence.load(rows.permute(captured["presence"], Presence(1).records[0]))
    if len(state.stay_corr) and len(captured["stay_corr"]):
        state.stay_corr[:] = rows.permute(captured["stay_corr"], 0)
    # Whoever fell silent until then was told of by the run before.
    presence.sweep(plain["published_us"], state.profiles.imsi)
    state.reached_us, state.published_us = plain["reached_us"], plain["published_us"]
    state.unknown_imsi = plain["unknown_imsi"]
    state.releases = (plain["releases"][0], plain["releases"][1]) if "releases" in plain else (0, 0)
    state.lately = plain["lately"][0], frozenset(plain["lately"][1])
    _restore_waiting(state, plain, rows)
    restore_rules(state, _under("rules.", captured), rows)
    stays_again(state, state.reached_us)
    return rows.kept


def _renumbered(records: NDArray[np.void], cells: NDArray[Any], habits: Habits) -> NDArray[np.void]:
    """Habits over another table of cells: a cell that is gone is none."""
    numbers = np.concatenate((np.zeros(1, np.uint16), habits.numbers_of(cells)))
    made = records.copy()
    for name in ("cell", "prev", "night_cell", "day_cell"):
        made[name] = numbers[records[name]]
    for span in ("night", "day"):
        made[f"{span}_min"] = np.where(made[f"{span}_cell"] != 0, made[f"{span}_min"], 0)
    return made


def twin(state: EngineState) -> EngineState:
    """A state apart from this one that knows the same."""
    other = new_state(
        state.profiles,
        state.places,
        state.campaigns,
        state.policy,
        copy.deepcopy(state.book),
        terminals=state.view.terminals,
        silence_us=state.features.silence_us,
    )
    restore(other, capture(state))
    other.groups = dict(state.groups)
    for timer in state.timers.all():
        if timer.kind == "group":
            other.timers.add(timer)
    other.derived, other.reach = list(state.derived), state.reach
    return other


def _plain(trigger: Trigger) -> dict[str, Any]:
    event = trigger.event
    held = {name: getattr(trigger, name) for name in trigger.__slots__ if name not in ("event", "values")}
    return held | {"event": None if event is None else event.tobytes().hex()}


def _restore_waiting(state: EngineState, plain: dict[str, Any], rows: RowMap) -> None:
    """Holds, releases and follow-ups, of campaigns and subscribers that are still there."""
    for one in plain["held"]:
        row, event = rows.row(one["row"]), one.pop("event")
        trigger = Trigger(
            **(one | {"row": row}),
            event=None if event is None else np.frombuffer(bytes.fromhex(event), dtype=BEHAVIOUR),
        )
        if row < 0 or trigger.campaign not in state.numbers:
            state.ended.append((trigger, "gone" if row < 0 else "withdrawn"))
            continue
        state.held[row, trigger.campaign] = trigger
        state.book.waiting.add((row, trigger.campaign))
    for row, waiting in plain["following"]:
        if rows.row(row) >= 0:
            state.following[rows.row(row)] = [(due, name, first) for due, name, first in waiting]
    for timer in plain["timers"]:
        row = rows.row(timer["row"])
        if row >= 0 and timer["campaign"] in state.numbers:
            state.timers.add(Timer(**(timer | {"row": row})))


class Keeper(Protocol):
    """Whoever has something to keep: an engine, or several that share out the subscribers."""

    def capture(self) -> Captured: ...
    def restore(self, captured: Captured) -> int: ...
    def replay(self, rows: BehaviourBatch) -> tuple[int, Sequence[Decision]]:
        """Takes in at most REPLAY_ROWS behaviours of a journal, and sends nothing.

        How many triggers that takes back, and all that was decided.
        """

    def on_reply(self, msisdn: str, campaign: str) -> None:
        """An answer to a contact of a campaign."""

    def follow(self, msisdn: str, campaign: str, decided_us: int) -> None:
        """Sets what follows a contact of a campaign, unless it is set already or he is unknown."""

    def last_us(self) -> int:
        """Time of the last behaviour known, to the second; 0 = none."""


@dataclass(frozen=True, slots=True)
class KeptState:
    """One engine's state as a keeper."""

    state: EngineState

    def capture(self) -> Captured:
        """See `capture`."""
        return capture(self.state)

    def restore(self, captured: Mapping[str, NDArray[Any]]) -> int:
        """See `restore`."""
        return restore(self.state, dict(captured))

    def replay(self, rows: BehaviourBatch) -> tuple[int, Sequence[Decision]]:
        """What is replayed is learned and held anew, but nothing of it is sent: the ledger knows what was."""
        state = self.state
        decisions = on_batch(state, rows, 0)
        if len(rows):
            state.reached_us = max(state.reached_us, int(rows["t_us"].max()) - 1)
        state.take_derived()
        return self.take_back(decisions), decisions

    def take_back(self, decisions: list[Decision]) -> int:
        """Undoes what would have been sent; returns how many that are."""
        return _take_back(self.state, decisions)

    def on_reply(self, msisdn: str, campaign: str) -> None:
        """See `marketing.engine.told`."""
        on_reply(self.state, msisdn, campaign)

    def follow(self, msisdn: str, campaign: str, decided_us: int) -> None:
        """See `marketing.engine.told`."""
        row = self.state.profiles.row_of_msisdn(msisdn)
        if row >= 0:
            follow(self.state, row, campaign, decided_us)

    def last_us(self) -> int:
        """By the habits."""
        seen_s = self.state.habits.records["seen_s"]
        return int(seen_s.max()) * 1_000_000 if len(seen_s) else 0


class StateFolder:
    """Snapshots and journals of one platform. One process at a time; called on the engine's thread."""

    def __init__(self, folder: Path, *, every_s: float, sync_s: float, beside: Beside | None = None) -> None:
        """Raises OSError where the folder cannot be made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.beside = folder, beside
        self.every_s, self.sync_s = every_s, sync_s
        self.failed = ""
        """Why the latest snapshot could not be written; empty: it could."""
        self._number = 0
        self._tail: BinaryIO | None = None
        self._told: BinaryIO | None = None
        self._writing: threading.Thread | None = None
        self._next_s = self._next_sync_s = 0.0

    def resume(self, state: EngineState | Keeper) -> Resumed:
        """Puts what is there into a fresh state: the latest whole snapshot, and all that came after.

        What is replayed is learned and held anew, but nothing of it is sent: the ledger knows what was.
        """
        keeper = _keeper(state)
        name, subscribers, first = "", 0, 0
        for number, path in sorted(self._snapshots(), reverse=True):
            try:
                # numpy leaves a file open that turns out to be none of its own.
                with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                    captured = dict(file)
                    subscribers = keeper.restore(captured)
                    if self.beside is not None:
                        self.beside.restore(_under("beside.", captured))
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                log.error("%s is of no use: %s", path.name, error)
                continue
            name, first = path.name, number
            break
        tails = sorted(
            (int(path.stem.removeprefix("tail-")), path) for path in self.folder.glob("tail-*.rows")
        )
        replayed = not_sent = partial = 0
        for number, path in tails:
            if number < first:
                continue
            rows, odd = _rows_of(path)
            partial += odd
            for start in range(0, len(rows), REPLAY_ROWS):
                part = rows[start : start + REPLAY_ROWS]
                undone, decisions = keeper.replay(part)
                not_sent += undone
                if self.beside is not None:
                    self.beside.behaviours(part)
                    for decision in decisions:
                        if decision.action == "output":
                            self.beside.decided(decision)
            replayed += len(rows)
        for path in sorted(self.folder.glob("told-*.jsonl")):
            if int(path.stem.removeprefix("told-")) >= first:
                _retell(keeper, path)
        self._number = max([number for number, _ in (*tails, *self._snapshots())], default=-1) + 1
        return Resumed(name, subscribers, replayed, keeper.last_us(), not_sent, partial)

    def begin(self, state: EngineState | Keeper) -> None:
        """Snapshots the state as it is and starts its journal; to be called once, after `resume`."""
        self._snapshot(state)

    def journal(self, batch: BehaviourBatch) -> None:
        """Hands rows to the operating system; before they are decided on."""
        if self._tail is not None and len(batch):
            self._tail.write(batch.tobytes())

    def note(self, what: Literal["sent", "answered"], msisdn: str, campaign: str, t_us: int) -> None:
        """Hands to the operating system what follow-ups hang on; a killed process loses none of it."""
        if self._told is not None:
            self._told.write(json.dumps([what, msisdn, campaign, t_us]).encode() + b"\n")

    def tend(self, state: EngineState | Keeper) -> None:
        """To be called between two steps: snapshots and syncs when it is time."""
        now_s = time.monotonic()
        if self._tail is not None and now_s >= self._next_sync_s:
            self._next_sync_s = now_s + self.sync_s
            os.fdatasync(self._tail.fileno())
        if now_s >= self._next_s and (self._writing is None or not self._writing.is_alive()):
            self._snapshot(state)

    def close(self, state: EngineState | Keeper | None) -> None:
        """Ends with a last snapshot, waited for."""
        if state is not None:
            if self._writing is not None:
                self._writing.join()
            self._snapshot(state)
        if self._writing is not None:
            self._writing.join()
        if self._tail is not None:
            self._tail.close()
            self._tail = None
        if self._told is not None:
            self._told.close()
            self._told = None

    # ----------------------------------------------------------------- inside

    def _snapshots(self) -> list[tuple[int, Path]]:
        found = ((_SNAPSHOT.fullmatch(path.name), path) for path in self.folder.iterdir())
        return [(int(match[1]), path) for match, path in found if match]

    def _snapshot(self, state: EngineState | Keeper) -> None:
        number = self._number
        self._number += 1
        self._next_s = time.monotonic() + self.every_s
        if self._tail is not None:
            self._tail.close()
        if self._told is not None:
            self._told.close()
        self._tail = (self.folder / f"tail-{number:06d}.rows").open("ab", buffering=0)
        self._told = (self.folder / f"told-{number:06d}.jsonl").open("ab", buffering=0)
        made = self.beside.freeze() if self.beside is not None else dict
        captured = _keeper(state).capture()
        self._writing = threading.Thread(target=self._write, args=(number, captured, made), name="snapshot")
        self._writing.start()

    def _write(self, number: int, captured: Captured, beside: Callable[[], Captured]) -> None:
        path = self.folder / f"snapshot-{number:06d}.npz"
        partial = path.with_suffix(".partial")
        try:
            captured |= {f"beside.{name}": column for name, column in beside().items()}
            with partial.open("wb") as file:
                np.savez(file, **captured)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except OSError as error:
            # The snapshot before and all journals since stay: a restart takes longer, and loses nothing.
            self.failed = f"{path.name}: {error.strerror}"
            log.error("the state cannot be written: %s", self.failed)
            return
        self.failed = ""
        for old, found in self._snapshots():
            if old < number:
                found.unlink(missing_ok=True)
        for tail in (*self.folder.glob("tail-*.rows"), *self.folder.glob("told-*.jsonl")):
            if int(tail.stem.partition("-")[2]) < number:
                with contextlib.suppress(FileNotFoundError):
                    tail.unlink()


def _under(prefix: str, captured: Captured) -> Captured:
    return {name.removeprefix(prefix): v for name, v in captured.items() if name.startswith(prefix)}


def _keeper(one: EngineState | Keeper) -> Keeper:
    return KeptState(one) if isinstance(one, EngineState) else one


def _rows_of(path: Path) -> tuple[BehaviourBatch, int]:
    whole, odd = divmod(path.stat().st_size, BEHAVIOUR.itemsize)
    return np.fromfile(path, dtype=BEHAVIOUR, count=whole), int(odd > 0)


def _retell(keeper: Keeper, path: Path) -> None:
    """Follow-ups set and ended as they were; the last line of a killed process may be cut."""
    for line in path.read_bytes().splitlines():
        try:
            what, msisdn, campaign, t_us = json.loads(line)
        except ValueError:
            continue
        if what == "answered":
            keeper.on_reply(msisdn, campaign)
        else:
            keeper.follow(msisdn, campaign, t_us)


def _take_back(state: EngineState, decisions: list[Decision]) -> int:
    """Undoes what a replay would have sent; returns how many that are."""
    sends = [d for d in decisions if d.action == "send"]
    for decision in sends:
        assert decision.contact is not None
        on_unsent(state, decision.trigger, decision.contact)
    return len(sends)
