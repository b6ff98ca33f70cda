"""Decisions between processes: the columns in which they were judged, and objects of them at the other end.

A campaign goes by its position, so both ends must have the same ones in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch
from marketing.campaigns import Campaign
from marketing.contact import Kind, Policy
from marketing.contact.policy import Window
from marketing.contact.verdicts import SEND, Verdicts
from marketing.engine import Decision, Judged, Told, Trigger
from marketing.engine.texts import Texts
from marketing.profiles import Profiles
from marketing.rules import Telling

__all__ = ["Sent", "Whole", "told"]


@dataclass(frozen=True, slots=True, eq=False)
class Kept(Sequence[Trigger | Told]):
    """What a `Judged` keeps beside its columns, of those that need it; made objects for whoever asks."""

    triggers: list[Trigger]
    """Those that were held."""
    tellings: list[tuple[Telling, BehaviourBatch | None]]
    """What the texts of those to be sent tell of."""
    of: NDArray[np.int32]
    """Entry of the tellings; of one that was held -1 - its entry of the triggers."""
    at: NDArray[np.int32]
    """Which of the telling's rows."""

    def __len__(self) -> int:
        return len(self.of)

    @overload
    def __getitem__(self, i: int) -> Trigger | Told: ...
    @overload
    def __getitem__(self, i: slice) -> Sequence[Trigger | Told]: ...
    def __getitem__(self, i: int | slice) -> Trigger | Told | Sequence[Trigger | Told]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        of = int(self.of[i])
        return self.triggers[-1 - of] if of < 0 else Told(int(self.at[i]), *self.tellings[of])

    @classmethod
    def made(cls, kept: Sequence[Trigger | Told]) -> Kept:
        """Of objects."""
        triggers: list[Trigger] = []
        tellings: dict[int, tuple[int, tuple[Telling, BehaviourBatch | None]]] = {}
        of, at = np.zeros((2, len(kept)), dtype=np.int32)
        for i, one in enumerate(kept):
            if isinstance(one, Trigger):
                # What its text told of is over: another has been made at its release.
                triggers.append(replace(one, event=None, values=None))
                of[i] = -len(triggers)
            else:
                known = tellings.setdefault(id(one.telling), (len(tellings), (one.telling, one.events)))
                of[i], at[i] = known[0], one.at
        return cls(triggers, [telling for _, telling in tellings.values()], of, at)

    def moved(self, rows: NDArray[np.int64]) -> Kept:
        """With other rows of subscribers."""
        triggers = [replace(one, row=int(rows[one.row])) for one in self.triggers]
        return Kept(triggers, self.tellings, self.of, self.at)


class Sent(NamedTuple):
    """What was judged together, without what the other end has."""

    wishes: NDArray[np.void]
    kept: Kept
    action: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    ordinal: NDArray[np.uint16]
    window: NDArray[np.int32]
    windows: list[Window]
    channel: NDArray[np.uint8]
    decided_ns: int
    said: dict[int, str]


def told(decisions: Sequence[Decision]) -> list[Sent]:
    """As they are sent; rows are those of the sender."""
    found, at = [], 0
    while at < len(decisions):
        judged = decisions[at].judged  # it and as many more as were judged with it
        found.append(_sent(judged))
        at += len(judged.wishes)
    return found


def _sent(judged: Judged) -> Sent:
    wishes, verdicts, kept = judged.wishes, judged.verdicts, list(judged.kept)
    if kept:
        wanted = (wishes["kept"] >= 0) & (wishes["released"] | (verdicts.action == SEND))
        kept = [kept[i] for i in wishes["kept"][wanted].tolist()]
        wishes = wishes.copy()
        wishes["kept"] = -1
        wishes["kept"][wanted] = np.arange(len(kept), dtype=np.int32)
    return Sent(
        *(wishes, Kept.made(kept), verdicts.action, verdicts.reason, verdicts.ordinal),
        *(verdicts.window, verdicts.windows, judged.channel, judged.decided_ns, judged.said),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Decisions(Sequence[Decision]):
    """Entries of what was judged in several places, in one order; each made an object for whoever asks."""

    judged: list[Judged]
    of: NDArray[np.int64]
    """Which of them."""
    at: NDArray[np.int64]
    """Which of its entries."""

    def __len__(self) -> int:
        return len(self.of)

    @overload
    def __getitem__(self, i: int) -> Decision: ...
    @overload
    def __getitem__(self, i: slice) -> Decisions: ...
    def __getitem__(self, i: int | slice) -> Decision | Decisions:
        if isinstance(i, slice):
            return Decisions(self.judged, self.of[i], self.at[i])
        return Decision(self.judged[int(self.of[i])], int(self.at[i]))

    def __iter__(self) -> Iterator[Decision]:
        for of, at in zip(self.of.tolist(), self.at.tolist(), strict=True):
            yield Decision(self.judged[of], at)


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """What decisions of all workers are made objects with."""

    profiles: Profiles
    campaigns: tuple[Campaign, ...]
    texts: Texts
    policy: Policy
    rank: NDArray[np.int32]
    """Of each campaign: order by name."""
    priority: NDArray[np.int32]
    value: NDArray[np.float64]
    kinds: tuple[Kind, ...]

    @classmethod
    def of(cls, profiles: Profiles, campaigns: tuple[Campaign, ...], policy: Policy) -> Whole:
        """Of the whole extract and what runs."""
        names = [c.campaign for c in campaigns]
        rank = np.empty(len(names), dtype=np.int32)
        rank[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
        priority = np.array([c.priority for c in campaigns], dtype=np.int32)
        value = np.array([c.value for c in campaigns], dtype=np.float64)
        texts = Texts.of_campaigns(campaigns, profiles)
        kinds = tuple(policy.kind(c.originator, c.channels) for c in campaigns)
        return cls(profiles, campaigns, texts, policy, rank, priority, value, kinds)

    def heard(self, parts: Sequence[tuple[Sequence[Sent], NDArray[np.int64]]]) -> Sequence[Decision]:
        """All decisions in the one order of time, priority, campaign, subscriber.

        `parts`: what each worker has sent, and our rows by its own.
        """
        judged = [self._judged(sent, rows) for sents, rows in parts for sent in sents]
        if not judged:
            return ()
        lengths = [len(one.wishes) for one in judged]
        whose = np.repeat([worker for worker, (sents, _) in enumerate(parts) for _ in sents], lengths)
        order = self._order([one.wishes for one in judged], whose)
        ends = np.cumsum(lengths, dtype=np.int64)
        of = np.searchsorted(ends, order, side="right")
        begins = ends - np.array(lengths, dtype=np.int64)
        return Decisions(judged, of, order - begins[of])

    def _judged(self, sent: Sent, rows: NDArray[np.int64]) -> Judged:
        sent.wishes["row"] = rows[sent.wishes["row"]]
        verdicts = Verdicts(sent.action, sent.reason, sent.ordinal, sent.window, sent.windows)
        of = self.campaigns, self.profiles, self.texts, self.policy
        judged = Judged(
            *of, sent.wishes, sent.kept.moved(rows), verdicts, sent.channel, sent.decided_ns, self.kinds
        )
        judged.said = sent.said
        return judged

    def _order(self, wishes: Sequence[NDArray[np.void]], whose: NDArray[np.int64]) -> NDArray[np.int64]:
        """As one engine judges: by instant, then priority, value, campaign and subscriber.

        `whose`: worker of each. What one worker has sent is in order: merging that takes a pass, not a sort.
        """
        at_us, when_us = (np.concatenate([some[name] for some in wishes]) for name in ("at_us", "when_us"))
        order = np.lexsort((when_us, at_us))
        same = (np.diff(at_us[order]) == 0) & (np.diff(when_us[order]) == 0)
        between = same & (np.diff(whose[order]) != 0)
        if not between.any():
            return order
        group = np.concatenate(([0], np.cumsum(~same)))
        tied = np.flatnonzero(np.isin(group, group[1:][between]))
        some = np.concatenate(wishes)[order[tied]]
        campaign = some["campaign"]
        keys = (
            *(some[name] for name in ("t_us", "row")),
            *(self.rank[campaign], -self.value[campaign], -self.priority[campaign]),
            *(some[name] for name in ("turn", "when_us", "at_us")),
        )
        order[tied] = order[tied[np.lexsort(keys)]]
        return order
