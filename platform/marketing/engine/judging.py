"""From complete scenes to decisions: in one order, whatever order they were found in.

What is found stays in columns: most of it is suppressed, for which look-ups in columns are enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch, imsi_text
from marketing.campaigns import CHANNEL_CODES, CHANNEL_NAMES, Campaign
from marketing.contact import Book, Policy
from marketing.contact.verdicts import CODES, HOLD, NO_CHANNEL, SEND, Asked, Limits, decide_many
from marketing.engine.judged import WISH, Judged, Told, arm_of, contact_id_of, trigger_id_of
from marketing.engine.reach import channels_for, choosing
from marketing.engine.told import follow
from marketing.engine.triggers import BY_TIME, ORIGINS, Decision, Origin, Stamp, Trigger
from marketing.features import Timer
from marketing.rules import Completions

if TYPE_CHECKING:
    from marketing.engine.state import EngineState

__all__ = ["Finds", "Roster", "contact_id_of", "judge"]


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """What judging must know of the running campaigns, by their position."""

    campaigns: tuple[Campaign, ...]
    book_names: Mapping[str, int]
    """Of the book whose numbers the limits hold."""
    names: tuple[str, ...]
    limits: Limits
    rank: NDArray[np.int32]
    """Order by name."""
    priority: NDArray[np.int32]
    value: NDArray[np.float64]
    """What one contact is expected to bring."""
    tried: tuple[int, ...]
    """Those with an experiment."""
    telling: NDArray[np.bool_]
    """Those whose text has placeholders."""
    follows: NDArray[np.bool_]
    """Something follows a contact of theirs."""
    counted: NDArray[np.bool_]
    """Those that only count: from all behaviours, also of whom no extract knows (marketing.outputs)."""
    to_file: NDArray[np.bool_]
    """Those that contact nobody but make a list."""
    choosing: tuple[int, ...]
    """Those whose contacts do not all go by short message."""
    has_follow_ups: bool
    """Something follows a contact of some campaign."""

    @property
    def longest_days(self) -> int:
        """No campaign asks for contacts of its own before so many local days."""
        return int(self.limits.days.max(initial=0))

    def limits_by(self, policy: Policy, book: Book, channels: tuple[str, ...]) -> Limits:
        """The same for contacts that go by these channels."""
        caps, held = [c.caps for c in self.campaigns], self.limits.may_hold.tolist()
        kinds = [policy.kind(c.originator, channels) for c in self.campaigns]
        return Limits.of(policy, book, self.names, caps, held, kinds)

    @classmethod
    def of(cls, campaigns: tuple[Campaign, ...], policy: Policy, book: Book) -> Roster:
        """Of a set of campaigns."""
        names = tuple(c.campaign for c in campaigns)
        rank = np.empty(len(names), dtype=np.int32)
        rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        held = [c.hold == "release" for c in campaigns]
        kinds = [policy.kind(c.originator, c.channels) for c in campaigns]
        return cls(
            campaigns,
            book.names,
            names,
            Limits.of(policy, book, names, [c.caps for c in campaigns], held, kinds),
            rank,
            np.array([c.priority for c in campaigns], dtype=np.int32),
            np.array([c.value for c in campaigns], dtype=np.float64),
            tuple(i for i, c in enumerate(campaigns) if c.experiment is not None),
            np.array([bool(c.placeholders) for c in campaigns], dtype=np.bool_),
            np.array([bool(c.follow_ups) for c in campaigns], dtype=np.bool_),
            np.array([c.output == "statistics" for c in campaigns], dtype=np.bool_),
            np.array([c.output == "file" for c in campaigns], dtype=np.bool_),
            choosing(campaigns),
            any(c.follow_ups for c in campaigns),
        )


@dataclass(slots=True)
class Finds:
    """What has been found to be complete and is not judged yet."""

    state: EngineState
    now_us: int
    stamp: Stamp
    waits: bool = True
    """What falls into closed hours may be held."""
    limits: Limits | None = None
    """Of contacts that go another way than the campaigns say; None: those of the campaigns."""
    by: str = ""
    """Channel by which they go then."""
    columns: list[NDArray[np.void]] = field(default_factory=list)
    """WISH."""
    kept: list[Trigger | Told] = field(default_factory=list)
    """Triggers released, and what texts tell of."""
    decisions: list[Decision] = field(default_factory=list)
    """Of wishes that could not wait for the others."""

    def add(self, found: Completions, wave: BehaviourBatch | None, turn: int = BY_TIME) -> None:
        """Completions of a wave, in its turn; None: by the passing of time alone."""
        roster = self.state.roster() if len(found) else None
        if roster is not None and roster.counted.any():
            found = found.take(~roster.counted[found.campaign])
        if not len(found):
            return
        wishes = self._wishes(found.t_us, found.row, found.campaign, turn)
        if wave is None:
            wishes["origin"] = ORIGINS.index("absence")
            self._tell(wishes)
            return
        by_time = found.index < 0
        act = wave[np.where(by_time, 0, found.index)]
        for name in ("corr", "received_ns", "decoded_ns"):
            wishes[name] = np.where(by_time, 0, act[name])
        wishes["origin"] = np.where(by_time, ORIGINS.index("absence"), ORIGINS.index("behaviour"))
        self._tell(wishes, act, by_time)

    def late(
        self,
        number: int,
        rows: NDArray[np.int64],
        due_us: int,
        origin: Origin,
        corr: NDArray[np.uint32] | int = 0,
    ) -> None:
        """Something that time has brought, of one campaign and some subscribers."""
        if self.state.roster().counted[number]:
            return
        due = np.full(len(rows), due_us, dtype=np.int64)
        wishes = self._wishes(due, rows, np.full(len(rows), number, dtype=np.int32), BY_TIME)
        wishes["origin"], wishes["corr"] = ORIGINS.index(origin), corr
        self._tell(wishes)

    def again(self, number: int, trigger: Trigger, due_us: int) -> None:
        """The end of a hold."""
        due, row, campaign = (np.array([v]) for v in (due_us, trigger.row, number))
        wishes = self._wishes(due, row, campaign, BY_TIME)
        wishes["t_us"], wishes["origin"] = trigger.t_us, ORIGINS.index(trigger.origin)
        wishes["released"], wishes["kept"] = True, len(self.kept)
        self.kept.append(trigger)

    def settle(self) -> None:
        """Judges what there is now."""
        if self.columns:
            columns, kept, self.columns, self.kept = self.columns, self.kept, [], []
            self.decisions += _judged(self, np.concatenate(columns), kept)

    def _tell(
        self,
        wishes: NDArray[np.void],
        acts: BehaviourBatch | None = None,
        by_time: NDArray[np.bool_] | None = None,
    ) -> None:
        """Looks up what texts tell: when a wish is judged its subscriber may have gone on."""
        state = self.state
        if not state.texts.telling:
            return
        there = np.flatnonzero(state.roster().telling[wishes["campaign"]])
        if not len(there):
            return
        timed = np.ones(len(there), dtype=np.bool_) if by_time is None else by_time[there]
        for number in np.unique(wishes["campaign"][there]).tolist():
            mine = wishes["campaign"][there] == number
            for some, seen in ((there[mine & timed], None), (there[mine & ~timed], acts)):
                if len(some):
                    self._keep(wishes, number, some, None if seen is None else seen[some].copy())

    def _keep(
        self, wishes: NDArray[np.void], number: int, some: NDArray[np.int64], events: BehaviourBatch | None
    ) -> None:
        rows, at_us = (np.ascontiguousarray(wishes[name][some]) for name in ("row", "t_us"))
        telling = self.state.rules.told(number, rows, at_us, events)
        wishes["kept"][some] = len(self.kept) + np.arange(len(some), dtype=np.int32)
        self.kept.extend(Told(at, telling, events) for at in range(len(some)))

    def _wishes(
        self, when_us: NDArray[Any], rows: NDArray[Any], campaign: NDArray[Any], turn: int
    ) -> NDArray[np.void]:
        wishes = np.zeros(len(rows), dtype=WISH)
        wishes["at_us"] = np.maximum(when_us, self.now_us)
        wishes["when_us"] = wishes["t_us"] = when_us
        wishes["turn"], wishes["campaign"], wishes["row"] = turn, campaign, rows
        wishes["matched_ns"], wishes["kept"] = self.stamp(), -1
        if len(self.state.policy.busy.cells):
            # Now: when it is judged its subscriber may have gone on.
            lac, ci = self.state.features.lac[rows], self.state.features.ci[rows]
            wishes["cell"] = lac.astype(np.uint32) << np.uint32(16) | ci
        self.columns.append(wishes)
        return wishes


def judge(found: Finds) -> list[Decision]:
    """Decisions on all that was found, in the order of time, priority, value, campaign, subscriber."""
    found.settle()
    return found.decisions


def _judged(found: Finds, wishes: NDArray[np.void], kept: list[Trigger | Told]) -> list[Decision]:
    state, roster = found.state, found.state.roster()
    limits = roster.limits if found.limits is None else found.limits
    campaign = wishes["campaign"]
    # Rows ascend as IMSIs do. What comes last here is compared first.
    keys = (
        *(wishes[name] for name in ("t_us", "row")),
        *(roster.rank[campaign], -roster.value[campaign], -roster.priority[campaign]),
        *(wishes[name] for name in ("turn", "when_us", "at_us")),
    )
    wishes = wishes[np.lexsort(keys)]
    wishes = wishes[_first_of_each(state, wishes)]
    if not len(wishes):
        return []
    row, position, at_us = (np.ascontiguousarray(wishes[name]) for name in ("row", "campaign", "at_us"))
    stopped = _kept_out(state, roster, wishes)
    if found.by:
        ways = np.full((len(wishes), 1), CHANNEL_CODES[found.by], dtype=np.uint8)
    else:
        ways = channels_for(state, position, row, at_us)
    stopped[(ways[:, 0] == NO_CHANNEL) & (stopped == 0)] = CODES["no_channel"]
    asked = Asked(
        row,
        position,
        at_us,
        stopped,
        np.ascontiguousarray(wishes["released"]) if found.waits else np.ones(len(wishes), dtype=np.bool_),
        roster.to_file[position],
        np.ascontiguousarray(wishes["t_us"]),
        np.ascontiguousarray(wishes["cell"]) if len(state.policy.busy.cells) else None,
        ways,
    )
    verdicts = decide_many(state.policy, state.book, roster.names, limits, asked)
    judged = Judged(
        state.campaigns,
        state.profiles,
        state.texts,
        state.policy,
        wishes,
        kept,
        verdicts,
        ways[np.arange(len(ways)), verdicts.way],
        found.stamp(),
        limits.kinds,
    )
    decisions = [Decision(judged, at) for at in range(len(wishes))]
    special = verdicts.action == HOLD
    again = roster.telling[asked.campaign] & wishes["released"]
    special |= (verdicts.action == SEND) & (again | roster.follows[asked.campaign])
    for at in np.flatnonzero(special).tolist():
        if verdicts.action[at] == HOLD:
            _hold(state, judged, at, decisions[at].trigger)
        else:
            _sent(state, judged, at, decisions[at].trigger)
    return decisions


def _first_of_each(state: EngineState, wishes: NDArray[np.void]) -> NDArray[np.bool_]:
    """The same scene of a subscriber at the same instant is one trigger, whichever rows completed it."""
    order = np.lexsort((wishes["released"], wishes["t_us"], wishes["campaign"], wishes["row"]))
    stays = np.ones(len(wishes), dtype=np.bool_)
    if len(wishes) > 1:
        names = ("released", "t_us", "campaign", "row")
        same = np.logical_and.reduce([wishes[n][order[1:]] == wishes[n][order[:-1]] for n in names])
        stays[order[1:][same]] = False
        stays |= wishes["released"]
    latest_us, ids = state.lately
    ready = ~wishes["released"]
    for at in np.flatnonzero(ready & (wishes["t_us"] == latest_us)).tolist() if ids else ():
        stays[at] &= _id_of(state, wishes[at]) not in ids
    done = wishes[stays & ready & (wishes["origin"] == ORIGINS.index("behaviour"))]
    if len(done):
        last_us = int(done["t_us"].max())
        if last_us > latest_us:
            latest_us, ids = last_us, frozenset()
        if last_us >= latest_us:
            ids |= {_id_of(state, wish) for wish in done[done["t_us"] == last_us]}
        state.lately = latest_us, ids
    return stays


def _id_of(state: EngineState, wish: Any) -> str:
    imsi = imsi_text(int(state.profiles.imsi[wish["row"]]))
    return trigger_id_of(state.campaigns[wish["campaign"]].campaign, imsi, int(wish["t_us"]))


def _kept_out(state: EngineState, roster: Roster, wishes: NDArray[np.void]) -> NDArray[np.uint8]:
    """Who is not contacted for an experiment's sake."""
    stopped = np.zeros(len(wishes), dtype=np.uint8)
    for number in roster.tried:
        campaign = state.campaigns[number]
        for at in np.flatnonzero(wishes["campaign"] == number).tolist():
            if not campaign.contacts(arm_of(campaign, state.policy, state.profiles, wishes[at])):
                stopped[at] = CODES["experiment"]
    return stopped


def _hold(state: EngineState, judged: Judged, at: int, trigger: Trigger) -> None:
    state.held[trigger.row, trigger.campaign] = trigger
    state.timers.add(Timer(judged.held_until_us(at), "release", trigger.campaign, trigger.row))


def _sent(state: EngineState, judged: Judged, at: int, trigger: Trigger) -> None:
    """What a contact decided brings with it: after a hold a text of the present, follow-ups."""
    wish = judged.wishes[at]
    number, row, at_us = int(wish["campaign"]), int(wish["row"]), int(wish["at_us"])
    campaign = state.campaigns[number]
    if campaign.campaign in state.texts.telling and wish["released"]:
        # What was true before the night is not what is told after it.
        values = state.rules.values(number, row, at_us, trigger.event)
        channel = CHANNEL_NAMES[int(judged.channel[at])]
        judged.said[at] = state.texts.of(campaign, row, values, channel)
    follow(state, row, campaign.campaign, at_us)
