"""The engine in several processes, each with the subscribers that a keyed hash of the IMSI gives it.

Commands go to all workers, then their answers are awaited: whatever order they finish in, decisions are put
into one order. Here stay the whole extract, who is whose, and who must not be disturbed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BEHAVIOUR, BehaviourBatch, empty
from marketing.campaigns import Campaign, Target
from marketing.contact import NEVER, Reason
from marketing.contact.steps import ClockStep
from marketing.engine import (
    Change,
    Contact,
    Decision,
    Rank,
    SelectionError,
    Stamp,
    Trigger,
    barred,
    change_campaigns,
    no_stamp,
    prepare_campaigns,
    row_in,
    turns,
)
from marketing.profiles import Profiles
from marketing.workers.captures import merge_captures
from marketing.workers.host import CountedAt, Figures, Settings
from marketing.workers.link import OCTETS, SLOT_ROWS, SLOTS, Link, SharedRows, WorkerLost
from marketing.workers.shares import owners, share_of
from marketing.workers.wire import Whole

__all__ = ["DividedHost"]

_UNKNOWN_DUE: Final = -1


class DividedHost:
    """See `EngineHost`. The workers run from construction on; `close` ends them."""

    def __init__(self, profiles: Profiles, settings: Settings, workers: int, key: int | None = None) -> None:
        """`key` of the hash; None: drawn anew, decisions do not hang on it.

        Raises:
            WorkerLost, OSError: the workers could not be started.
        """
        if not 1 <= workers <= 64:
            raise ValueError(f"1 to 64 workers can be told apart, not {workers}")
        self._key = secrets.randbits(64) if key is None else key
        self.lost = ""
        self.profiles, self.campaigns = profiles, settings.campaigns
        self.places, self.policy, self.silence_us = settings.places, settings.policy, settings.silence_us
        self._settings = settings
        self._unseen = settings.engine(_nobody(profiles))
        """An engine without subscribers: it compiles whatever the workers compile."""
        self._shared = SharedRows()
        self._slot = 0
        self._waiting = 0
        """Batches with the workers; they answer in order."""
        self._found: list[Sequence[Decision]] = []
        """What they have answered and nobody has taken yet."""
        self._links: list[Link] = []
        self._derived: list[BehaviourBatch] = []
        self._most = settings.policy.file.holds.release_per_s
        self._releases = (0, 0)
        """See `EngineState.releases`: here they are given out."""
        self._due: int | None = _UNKNOWN_DUE
        try:
            for number in range(workers):
                self._links.append(Link(number, self._shared))
            self._divide(profiles)
            for link, rows in zip(self._links, self._rows, strict=True):
                share = share_of(profiles, rows)
                link.send("begin", workers, self._key, share, settings)
            self._gather()
        except BaseException:
            self.close()
            raise
        self._disturb_us, self._control_us = np.full((2, len(profiles)), NEVER)

    @property
    def pids(self) -> list[int]:
        """Process numbers of the workers."""
        return [link.pid for link in self._links]

    def close(self) -> None:
        """Ends the workers."""
        for link in self._links:
            link.close()
        self._links = []
        if self._shared is not None:
            self._shared.close()
            self._shared = None  # type: ignore[assignment]
        self.lost = self.lost or "closed"

    # ----------------------------------------------------------------- whose is whose

    def _divide(self, profiles: Profiles) -> None:
        self.profiles = profiles
        self._owner = owners(profiles.imsi, self._key, len(self._links))
        self._rows = [np.flatnonzero(self._owner == link.number) for link in self._links]
        self._whole = Whole.of(profiles, self.campaigns, self.policy)

    def _named(self, campaigns: Sequence[Campaign]) -> None:
        self.campaigns = tuple(campaigns)
        self._whole = Whole.of(self.profiles, self.campaigns, self.policy)

    def _link_of(self, row: int) -> Link:
        return self._links[int(self._owner[row])]

    # ----------------------------------------------------------------- asking

    def _ask(self, what: str, *values: Any) -> list[Any]:
        """All workers the same; their answers."""
        self._drained()
        for link in self._links:
            self._send(link, what, *values)
        return self._gather()

    def _send(self, link: Link, what: str, *values: Any) -> None:
        if self.lost:
            raise WorkerLost(self.lost)
        try:
            link.send(what, *values)
        except WorkerLost as error:
            self.lost = str(error)
            raise

    def _tell(self, link: Link, what: str, *values: Any) -> None:
        """Without an answer. Where a worker is lost everything ends, and nobody needs to know any more."""
        try:
            self._drained()
            self._send(link, what, *values)
        except WorkerLost:
            return

    def _gather(self) -> list[Any]:
        """One answer of each; on the way there crowds are added up, and turns given, as often as they ask."""
        if self.lost:
            raise WorkerLost(self.lost)
        try:
            while True:
                said = [self._hear(link) for link in self._links]
                kinds = {kind for kind, _ in said}
                if kinds == {"done"}:
                    return [value for _, value in said]
                if len(kinds) != 1 or len({when for _, (when, _) in said}) != 1:
                    raise WorkerLost(f"the workers are not at one: {', '.join(sorted(kinds))}")
                when, told = said[0][1][0], [what for _, (_, what) in said]
                answers = self._turns(when, told) if kinds == {"turns"} else self._crowds(told)
                for link, answer in zip(self._links, answers, strict=True):
                    link.say(answer)
        except WorkerLost as error:
            self.lost = str(error)
            raise

    def _hear(self, link: Link) -> tuple[str, Any]:
        """What a worker says next, and all others need know; releases that are late have what is free."""
        while True:
            kind, value = link.receive()
            if kind != "late":
                return kind, value
            due_s, ranks = value
            seconds, self._releases = turns(self._releases, due_s, len(ranks), self._most)
            link.say((seconds, self._releases))

    def _crowds(self, told: Sequence[NDArray[np.int32]]) -> list[Any]:
        return [np.sum(told, axis=0, dtype=np.int32)] * len(self._links)

    def _turns(self, due_s: int, told: Sequence[list[Rank]]) -> list[Any]:
        """The same turns that one engine gives to all of them."""
        asks = sorted((rank, worker) for worker, ranks in enumerate(told) for rank in ranks)
        given, self._releases = turns(self._releases, due_s, len(asks), self._most)
        seconds: list[list[int]] = [[] for _ in told]
        for (_, worker), second in zip(asks, given, strict=True):
            seconds[worker].append(second)
        return [(some, self._releases) for some in seconds]

    def _drained(self, under_way: int = 0) -> None:
        """Waits until only so many batches are with the workers."""
        while self._waiting > under_way:
            self._waiting -= 1
            self._found.append(self._heard(self._gather()))

    # ----------------------------------------------------------------- behaviours and time

    def on_batch(self, batch: BehaviourBatch, now_us: int, stamp: Stamp = no_stamp) -> Sequence[Decision]:
        """Takes in behaviours; see `marketing.engine.on_batch`."""
        self.begin(batch, now_us, stamp)
        return self.end()

    def begin(self, batch: BehaviourBatch, now_us: int, stamp: Stamp = no_stamp) -> None:
        """Hands behaviours over, of which at most two slots are with the workers at a time."""
        if len(batch) > 1 and bool(np.any(batch["t_us"][1:] < batch["t_us"][:-1])):
            batch = batch[np.argsort(batch["t_us"], kind="stable")]
        for start in range(0, len(batch), SLOT_ROWS):
            self._drained(SLOTS - 1)
            part = batch[start : start + SLOT_ROWS]
            self._shared.put(self._slot, part)
            for link in self._links:
                self._send(link, "batch", self._slot, len(part), now_us, stamp is not no_stamp)
            self._slot = (self._slot + 1) % SLOTS
            self._waiting += 1
            self._due = _UNKNOWN_DUE

    def end(self, under_way: int = 0) -> Sequence[Decision]:
        """What was decided on what was begun, waiting for all but so many batches."""
        self._drained(under_way)
        found, self._found = self._found, []
        return found[0] if len(found) == 1 else [decision for some in found for decision in some]

    def on_timers(self, until_us: int, now_us: int = 0, stamp: Stamp = no_stamp) -> Sequence[Decision]:
        """The passing of time; see `marketing.engine.on_timers`."""
        answers = self._ask("timers", until_us, now_us, stamp is not no_stamp)
        self._due = min((due for _, _, due in answers if due is not None), default=None)
        return self._heard([answer[:2] for answer in answers])

    def next_due(self) -> int | None:
        """The earliest of all workers."""
        if self._due == _UNKNOWN_DUE:
            self._due = min((due for due in self._ask("due") if due is not None), default=None)
        return self._due

    def take_derived(self) -> BehaviourBatch:
        """Of all workers since the last call, in the order of time and subscriber."""
        parts, self._derived = self._derived, []
        if not parts:
            return empty()
        found = np.concatenate(parts)
        t_us = np.ascontiguousarray(found["t_us"])
        order = np.argsort(t_us, kind="stable")  # what is in order in parts is merged in a pass
        imsi = found["imsi"][order]
        if bool(np.any((np.diff(t_us[order]) == 0) & (imsi[1:] < imsi[:-1]))):
            order = np.lexsort((found["imsi"], t_us))
        return found.view(OCTETS)[order].view(BEHAVIOUR)

    def _heard(self, answers: Sequence[Any]) -> Sequence[Decision]:
        parts = []
        for (sent, derived), rows in zip(answers, self._rows, strict=True):
            if len(derived):
                self._derived.append(derived)
            parts.append((sent, rows))
        return self._whole.heard(parts)

    # ----------------------------------------------------------------- told

    def reaches(self, channels: frozenset[str]) -> None:
        """Channels that are up, to all workers."""
        for link in self._links:
            self._tell(link, "reaches", channels)

    def on_unsent(self, trigger: Trigger, contact: Contact) -> None:
        """A contact proven unsent, to the subscriber's worker."""
        imsi = int(trigger.imsi)
        owner = int(owners(np.array([imsi], dtype=np.uint64), self._key, max(len(self._links), 1))[0])
        if self._links:
            of = contact.span.period, contact.span.day, contact.decided_us, contact.kind
            self._tell(self._links[owner], "unsent", imsi, trigger.campaign, *of)

    def on_opt_out(self, msisdn: str) -> bool:
        """A stop code, effective at once here and there."""
        row = self.profiles.row_of_msisdn(msisdn)
        if row < 0:
            return False
        self._disturb_us[row] = 0
        if self._links:
            self._tell(self._link_of(row), "opt_out", msisdn)
        return True

    def on_reply(self, msisdn: str, campaign: str) -> None:
        """An answer, to the subscriber's worker."""
        row = self.profiles.row_of_msisdn(msisdn)
        if row >= 0 and self._links:
            self._tell(self._link_of(row), "reply", msisdn, campaign)

    def follow(self, msisdn: str, campaign: str, decided_us: int) -> None:
        """What follows a contact, to the subscriber's worker."""
        row = self.profiles.row_of_msisdn(msisdn)
        if row >= 0 and self._links:
            self._tell(self._link_of(row), "follow", msisdn, campaign, decided_us)

    def row_now(self, trigger: Trigger) -> int:
        """The row of a trigger's subscriber in the extract as it is; -1: he is in it no more."""
        return row_in(self.profiles, trigger)

    def barred(self, row: int, now_us: int) -> Reason:
        """By what is known here, which is all."""
        return barred(row, self._disturb_us, self._control_us, now_us)

    def on_ended(self, msisdn: str, originator: str, channel: str, decided_us: int, ended_us: int) -> None:
        """The end of a contact, to the subscriber's worker where some rule asks for it."""
        row = self.profiles.row_of_msisdn(msisdn) if self.policy.remembers else -1
        if row >= 0 and self._links:
            self._tell(self._link_of(row), "ended", msisdn, originator, channel, decided_us, ended_us)

    def clock_set(self, step: ClockStep) -> None:
        """To all workers: each has contacts of its own."""
        for link in self._links:
            self._tell(link, "clock_set", step)

    def take_ended(self) -> list[tuple[Trigger, Reason]]:
        """Of all workers, in the order of time and campaign."""
        found = [one for some in self._ask("take_ended") for one in some]
        return sorted(found, key=lambda one: (one[0].t_us, one[0].campaign, one[0].imsi))

    def enter(
        self,
        do_not_disturb_us: NDArray[np.int64],
        control_us: NDArray[np.int64],
        rows: NDArray[np.int64],
        zones: NDArray[np.uint8],
    ) -> None:
        """Dates by row, and zones, each to its subscriber's worker."""
        np.minimum(self._disturb_us, do_not_disturb_us, out=self._disturb_us)
        np.minimum(self._control_us, control_us, out=self._control_us)
        for link, theirs in zip(self._links, self._rows, strict=True):
            mine = self._owner[rows] == link.number
            there = np.searchsorted(theirs, rows[mine]), zones[mine]
            self._tell(link, "enter", do_not_disturb_us[theirs], control_us[theirs], *there)

    def remember(
        self, stops: Sequence[int], contacts: Sequence[CountedAt], forget_s: int | None = None
    ) -> None:
        """What the ledger remembers, each to its subscriber's worker."""
        self._disturb_us[list(stops)] = 0
        for link, rows in zip(self._links, self._rows, strict=True):
            place = _Places(self._owner, rows, link.number)
            theirs = [place.of(row) for row in stops if place.has(row)]
            counted = [(place.of(one[0]), *one[1:]) for one in contacts if place.has(one[0])]
            self._tell(link, "remember", theirs, counted, forget_s)

    # ----------------------------------------------------------------- changes

    def prepare(self, campaigns: Sequence[Campaign]) -> tuple[Campaign, ...]:
        """Compiles them over an extract without subscribers: nothing hangs on them."""
        prepare_campaigns(self._unseen, campaigns)
        return tuple(campaigns)

    def change(self, prepared: Sequence[Campaign]) -> Change:
        """Runs these from now on, in all workers. They stand still while they compile."""
        asked = self._unseen.tells_crowds
        change_campaigns(self._unseen, tuple(prepared))  # what is wrong with them shows here
        changes = self._ask("change", tuple(prepared))
        self._named(prepared)
        if self._unseen.tells_crowds and not asked:
            total = np.sum(self._ask("crowd"), axis=0, dtype=np.int32)
            for link in self._links:
                self._tell(link, "set_crowd", total)
        self._due = _UNKNOWN_DUE
        first: Change = changes[0]
        dropped = sum(change.dropped_holds for change in changes)
        return Change(first.added, first.removed, first.changed, dropped, first.kept)

    def schedule_group(self, campaign: Campaign, targets: Iterable[Target], day_1_us: int) -> int:
        """Each target to its worker; returns how many are unknown."""
        theirs: list[list[Target]] = [[] for _ in self._links]
        unknown = 0
        for target in targets:
            row = self.profiles.row_of_msisdn(target.msisdn)
            if row < 0:
                unknown += 1
            else:
                theirs[int(self._owner[row])].append(target)
        for link, some in zip(self._links, theirs, strict=True):
            self._send(link, "group", campaign.campaign, some, day_1_us)
        self._gather()
        self._due = _UNKNOWN_DUE
        return unknown

    def prepare_switch(self, new: Profiles) -> Profiles:
        """Nothing: each worker compiles over its own share."""
        return new

    def switch_profiles(self, new: Profiles) -> int:
        """Goes over to a new extract. A subscriber stays with his worker."""
        rows = new.mapping(self.profiles)
        self._disturb_us = rows.permute(self._disturb_us, NEVER)
        self._control_us = rows.permute(self._control_us, NEVER)
        self._divide(new)
        for link, theirs in zip(self._links, self._rows, strict=True):
            self._send(link, "switch", share_of(new, theirs))
        self._due = _UNKNOWN_DUE
        kept: int = sum(self._gather())
        self._settings = replace(self._settings, campaigns=self.campaigns)
        self._unseen = self._settings.engine(_nobody(new))
        return kept

    # ----------------------------------------------------------------- an operator's selection, lists

    def choose(self, campaign: str, at_us: int, audience: str = "", targets: str = "") -> NDArray[np.uint64]:
        """Of all workers; see `EngineHost`."""
        found = self._ask("choose", self._number(campaign), at_us, audience, targets)
        for one in found:
            if isinstance(one, str):
                raise SelectionError(one)
        return np.sort(np.concatenate(found))

    def on_selection(
        self,
        campaign: str,
        imsi: NDArray[np.uint64],
        now_us: int,
        stamp: Stamp = no_stamp,
        channels: tuple[str, ...] = (),
    ) -> Sequence[Decision]:
        """Judged by the workers, each its own."""
        self._drained()
        number = self._number(campaign)
        rows = self.profiles.rows(imsi)
        rows = rows[rows >= 0]
        for link, theirs in zip(self._links, self._rows, strict=True):
            some = np.searchsorted(theirs, rows[self._owner[rows] == link.number])
            self._send(link, "select", number, some, now_us, stamp is not no_stamp, channels)
        self._due = _UNKNOWN_DUE
        return self._heard(self._gather())

    def _number(self, campaign: str) -> int:
        return [one.campaign for one in self.campaigns].index(campaign)

    def handsets(self, msisdn: NDArray[np.uint64], now_us: int) -> list[dict[str, Any] | None]:
        """Each is known to one worker at most."""
        found: list[dict[str, Any] | None] = [None] * len(msisdn)
        for some in self._ask("handsets", msisdn, now_us) if len(msisdn) else ():
            found = [one or other for one, other in zip(found, some, strict=True)]
        return found

    # ----------------------------------------------------------------- kept

    def capture(self) -> dict[str, NDArray[Any]]:
        """As one engine of all subscribers would have it: whoever reads it may have any number of workers."""
        return merge_captures(self._ask("capture"))

    def restore(self, captured: Mapping[str, NDArray[Any]]) -> int:
        """Each worker takes its subscribers out of it.

        Raises:
            ValueError: it was written by another version of the platform, or is damaged.
        """
        self._due = _UNKNOWN_DUE
        found = self._ask("restore", dict(captured))
        for one in found:
            if isinstance(one, str):
                raise ValueError(one)
        self._releases = max(self._ask("releases"))
        return int(sum(found))

    def replay(self, rows: BehaviourBatch) -> tuple[int, Sequence[Decision]]:
        """At most REPLAY_ROWS behaviours of a journal; how many triggers are not sent any more, and all."""
        if not len(rows):
            return 0, ()
        self._shared.put(0, rows[np.argsort(rows["t_us"], kind="stable")])
        answers = self._ask("replay", 0, len(rows))
        self._due = _UNKNOWN_DUE
        found = self._heard([answer for _, answer in answers])
        self._derived.clear()  # written down by the run before
        return sum(not_sent for not_sent, _ in answers), found

    def last_us(self) -> int:
        """Time of the last behaviour known."""
        return int(max(self._ask("last_us")))

    # ----------------------------------------------------------------- seen

    def figures(self) -> list[Figures]:
        """One for each worker; none once one of them is lost."""
        return [] if self.lost else self._ask("figures")

    def filenos(self) -> list[int]:
        """The pipes: between two calls they are silent."""
        return [link.fileno() for link in self._links]

    def look(self) -> str:
        """Why nothing can be decided any more; empty: it can."""
        for link in self._links if not self.lost else ():
            try:
                self.lost = self.lost or link.look()
            except WorkerLost as error:
                self.lost = str(error)
        return self.lost


class _Places:
    """Rows of the whole as a worker counts them."""

    def __init__(self, owner: NDArray[np.uint8], rows: NDArray[np.int64], number: int) -> None:
        self._owner, self._rows, self._number = owner, rows, number

    def has(self, row: int) -> bool:
        return int(self._owner[row]) == self._number

    def of(self, row: int) -> int:
        return int(np.searchsorted(self._rows, row))


def _nobody(profiles: Profiles) -> Profiles:
    """The same columns and lists, without subscribers."""
    return share_of(profiles, np.zeros(0, dtype=np.int64)).profiles()
