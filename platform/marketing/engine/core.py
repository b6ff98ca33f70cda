"""The engine: behaviours in, decisions out. No socket, no clock, no database.

`on_batch` and `on_timers` change the state they are given and nothing else: the same inputs give the same
decisions anywhere. The server makes them true: it reserves in the ledger, submits, and tells the outcome.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch, imsi_text
from marketing.campaigns import Campaign, Target
from marketing.contact import Book, Policy, Reason, Span, Verdict
from marketing.features import Features, Timer, Timers
from marketing.profiles import Places, Profiles
from marketing.rules import Rules

__all__ = [
    "Contact",
    "Decision",
    "EngineState",
    "Trigger",
    "contact_id_of",
    "new_state",
    "next_due",
    "on_batch",
    "on_opt_out",
    "on_timers",
    "on_unsent",
    "schedule_group",
]

Stamp = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Trigger:
    """Rule + subscriber + instant: a wish to contact."""

    trigger_id: str
    campaign: str
    row: int
    """The subscriber's row in the profiles."""
    imsi: str
    msisdn: str
    t_us: int
    """When the scene was complete, or its timer due; Unix us."""
    corr: int
    """Correlation id of the message that completed it; dwell: of the one that began the stay; 0 = none."""
    origin: Literal["behaviour", "dwell", "group"]
    received_ns: int = 0
    decoded_ns: int = 0
    matched_ns: int = 0


@dataclass(frozen=True, slots=True)
class Contact:
    """One message to one person, decided but not yet reserved."""

    contact_id: str
    campaign: Campaign
    msisdn: str
    text: str
    span: Span
    ordinal: int
    submit_before_us: int
    valid_until_us: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy said of one trigger; a held one is decided again at its release."""

    trigger: Trigger
    action: Literal["send", "hold", "suppress"]
    reason: Reason
    t_us: int
    """The instant it was decided for, Unix us; never before the trigger's."""
    decided_ns: int
    held_until_us: int = 0
    """hold: when it will be decided again. Otherwise when it was released; 0 = never held."""
    contact: Contact | None = None
    """send only."""


class Wish(NamedTuple):
    """A trigger about to be judged; tuples sort in the order of judgement."""

    at_us: int
    priority: int
    """Negated: higher goes first."""
    campaign: str
    imsi: str
    t_us: int
    trigger: Trigger
    released: bool


@dataclass(slots=True)
class EngineState:
    """All that decisions depend on."""

    profiles: Profiles
    places: Places
    campaigns: tuple[Campaign, ...]
    policy: Policy
    rules: Rules
    features: Features
    book: Book
    timers: Timers = field(default_factory=Timers)
    held: dict[tuple[int, str], Trigger] = field(default_factory=dict)
    """(row, campaign) -> the trigger on hold."""
    groups: dict[tuple[str, int], NDArray[np.int64]] = field(default_factory=dict)
    """(campaign, due) -> rows to contact then."""
    unknown_imsi: int = 0
    """Behaviours of subscribers that the extract does not know."""
    numbers: dict[str, int] = field(default_factory=dict)
    """Campaign name -> position."""


def new_state(
    profiles: Profiles, places: Places, campaigns: Sequence[Campaign], policy: Policy, book: Book
) -> EngineState:
    """A state that knows the campaigns and has seen nothing yet."""
    rules = Rules.compile(campaigns, profiles, places)
    features = Features.empty(len(profiles))
    numbers = {c.campaign: i for i, c in enumerate(campaigns)}
    return EngineState(profiles, places, tuple(campaigns), policy, rules, features, book, numbers=numbers)


def schedule_group(state: EngineState, campaign: Campaign, targets: Iterable[Target], day_1_us: int) -> int:
    """Sets a group campaign's timers; `day_1_us` is any instant of day 1. Returns how many are unknown."""
    if campaign.group is None:
        raise ValueError(f"{campaign.campaign} is no group campaign")
    hours = state.policy.hours
    first = hours.local(day_1_us).date()
    by_due: dict[int, set[int]] = {}
    unknown = 0
    for target in targets:
        row = state.profiles.row_of_msisdn(target.msisdn)
        if row < 0:
            unknown += 1
            continue
        day = first.fromordinal(first.toordinal() + target.day - 1)
        by_due.setdefault(hours.instant_us(day, campaign.group.at), set()).add(row)
    for due_us, rows in by_due.items():
        state.groups[campaign.campaign, due_us] = np.array(sorted(rows), dtype=np.int64)
        state.timers.add(Timer(due_us, "group", campaign.campaign, -1))
    return unknown


def _no_stamp() -> int:
    return 0


def on_batch(
    state: EngineState, batch: BehaviourBatch, now_us: int, stamp: Stamp = _no_stamp
) -> list[Decision]:
    """Takes in behaviours, and fires the timers that fall due before each.

    No decision is dated before `now_us`: in lockstep the time already reached, live the present.
    """
    decisions: list[Decision] = []
    if not len(batch):
        return decisions
    t_us = batch["t_us"]
    if len(batch) > 1 and bool(np.any(t_us[1:] < t_us[:-1])):
        batch = batch[np.argsort(t_us, kind="stable")]
    rows = state.profiles.rows(batch["imsi"])
    known = rows >= 0
    if not known.all():
        state.unknown_imsi += int(np.count_nonzero(~known))
        batch, rows = batch[known], rows[known]
    at_us = np.maximum(batch["t_us"], now_us)
    start = 0
    while start < len(batch):
        # Within one stretch nothing that these rows themselves set going can fall due.
        first_us = int(at_us[start])
        decisions += on_timers(state, first_us - 1, now_us, stamp)
        until_us = _quiet_stretch(state, first_us)
        stop = int(np.searchsorted(at_us, until_us, side="right")) if at_us[-1] > until_us else len(batch)
        decisions += _stretch(state, batch[start:stop], rows[start:stop], at_us[start:stop], stamp)
        start = stop
    return decisions


def on_timers(state: EngineState, until_us: int, now_us: int = 0, stamp: Stamp = _no_stamp) -> list[Decision]:
    """Fires everything due at `until_us` or before, each at its due time but not before `now_us`."""
    decisions: list[Decision] = []
    while (due_us := state.timers.next_due_us()) is not None and due_us <= until_us:
        wishes: list[Wish] = []
        for timer in state.timers.pop_due():
            wishes += _FIRE[timer.kind](state, timer, max(due_us, now_us), stamp)
        decisions += _judge(state, wishes, stamp)
    return decisions


def next_due(state: EngineState) -> int | None:
    """Unix us of the next timer, or None."""
    return state.timers.next_due_us()


def on_unsent(state: EngineState, trigger: Trigger, contact: Contact) -> None:
    """The channel or the ledger proved that a contact never left: it counts no more."""
    state.book.release(trigger.row, trigger.campaign, contact.span.period, contact.span.day)


def on_opt_out(state: EngineState, msisdn: str, since_us: int) -> bool:
    """A stop code, effective at once; False if the extract does not know the number."""
    row = state.profiles.row_of_msisdn(msisdn)
    if row < 0:
        return False
    state.book.opt_out(row, since_us)
    return True


# --------------------------------------------------------------------------- inside


def _quiet_stretch(state: EngineState, from_us: int) -> int:
    """The last instant up to which rows may be taken in together without missing a timer."""
    until_us = state.policy.next_change_us(from_us) - 1
    due_us = state.timers.next_due_us()
    if due_us is not None:
        until_us = min(until_us, max(due_us, from_us))
    shortest_us = state.rules.shortest_dwell_us()
    if shortest_us is not None:
        until_us = min(until_us, from_us + shortest_us)
    return max(until_us, from_us)


def _stretch(
    state: EngineState,
    batch: BehaviourBatch,
    rows: NDArray[np.int64],
    at_us: NDArray[np.int64],
    stamp: Stamp,
) -> list[Decision]:
    stays = state.features.update(batch, rows, state.places)
    for place, index in _by_place(state, stays.place):
        for dwell in state.rules.dwells[place]:
            for i in index if dwell.audience is None else index[dwell.audience[stays.row[index]]]:
                begun = batch[stays.index[i]]
                since_us = int(begun["t_us"])
                state.timers.add(
                    Timer(
                        since_us + dwell.at_least_us,
                        "dwell",
                        state.campaigns[dwell.campaign].campaign,
                        int(stays.row[i]),
                        since_us,
                        place,
                        int(begun["corr"]),
                        int(begun["received_ns"]),
                        int(begun["decoded_ns"]),
                    )
                )
    matched = state.rules.match(batch, rows, state.places)
    if not matched:
        return []
    matched_ns = stamp()
    wishes: dict[str, Wish] = {}
    for number, index in matched:
        campaign, acts = state.campaigns[number], batch[index]
        columns = (
            rows[index],
            at_us[index],
            *(acts[name] for name in ("t_us", "corr", "received_ns", "decoded_ns")),
        )
        for row, at, t, corr, received_ns, decoded_ns in zip(*(c.tolist() for c in columns), strict=True):
            trigger = _trigger(
                state, campaign, row, t, corr, "behaviour", received_ns, decoded_ns, matched_ns
            )
            # The same scene of the same subscriber at the same instant is one trigger.
            wishes.setdefault(trigger.trigger_id, _wish(campaign, trigger, at))
    return _judge(state, wishes.values(), stamp)


def _by_place(state: EngineState, places: NDArray[np.int16]) -> Iterable[tuple[int, NDArray[np.int64]]]:
    if not len(places):
        return
    for place in state.rules.dwells:
        index = np.flatnonzero(places == place)
        if len(index):
            yield place, index


def _trigger(
    state: EngineState,
    campaign: Campaign,
    row: int,
    t_us: int,
    corr: int,
    origin: Literal["behaviour", "dwell", "group"],
    received_ns: int,
    decoded_ns: int,
    matched_ns: int,
) -> Trigger:
    imsi, msisdn = imsi_text(int(state.profiles.imsi[row])), str(state.profiles.msisdn[row])
    name = campaign.campaign
    trigger_id = _digest(name, imsi, str(t_us))
    return Trigger(
        trigger_id, name, row, imsi, msisdn, t_us, corr, origin, received_ns, decoded_ns, matched_ns
    )


def _wish(campaign: Campaign, trigger: Trigger, at_us: int, released: bool = False) -> Wish:
    at_us = max(at_us, trigger.t_us)
    return Wish(at_us, -campaign.priority, campaign.campaign, trigger.imsi, trigger.t_us, trigger, released)


def _judge(state: EngineState, wishes: Iterable[Wish], stamp: Stamp) -> list[Decision]:
    """In the order of time, priority, campaign, subscriber: the same whatever order they were found in."""
    return [_decide(state, wish, stamp) for wish in sorted(wishes, key=lambda w: w[:5])]


def _decide(state: EngineState, wish: Wish, stamp: Stamp) -> Decision:
    trigger = wish.trigger
    campaign = state.campaigns[state.numbers[trigger.campaign]]
    book, key = state.book, (trigger.row, trigger.campaign)
    verdict = state.policy.decide(
        book,
        trigger.row,
        trigger.campaign,
        wish.at_us,
        may_hold=campaign.hold == "release",
        released=wish.released,
    )
    released_us = wish.at_us if wish.released else 0
    if verdict.action == "hold":
        book.waiting.add(key)
        state.held[key] = trigger
        state.timers.add(Timer(verdict.release_us, "release", trigger.campaign, trigger.row))
        return Decision(trigger, "hold", verdict.reason, wish.at_us, stamp(), verdict.release_us)
    contact = _contact(state, campaign, trigger, verdict) if verdict.action == "send" else None
    return Decision(trigger, verdict.action, verdict.reason, wish.at_us, stamp(), released_us, contact)


def _contact(state: EngineState, campaign: Campaign, trigger: Trigger, verdict: Verdict) -> Contact:
    span = verdict.span
    assert span is not None  # a verdict to send has one
    ordinal = state.book.add(trigger.row, trigger.campaign, span)
    return Contact(
        contact_id_of(trigger.campaign, trigger.imsi, span.period, ordinal),
        campaign,
        trigger.msisdn,
        campaign.text(state.profiles.word("language", trigger.row)),
        span,
        ordinal,
        verdict.submit_before_us,
        verdict.valid_until_us,
    )


def contact_id_of(campaign: str, imsi: str, period: int, ordinal: int) -> str:
    """16 hexadecimal digits; the same trigger decided again after a crash asks for the same contact."""
    return _digest(campaign, imsi, str(period), str(ordinal))


def _digest(*parts: str) -> str:
    return hashlib.blake2b("|".join(parts).encode("ascii"), digest_size=8).hexdigest()


def _fire_dwell(state: EngineState, timer: Timer, at_us: int, stamp: Stamp) -> list[Wish]:
    features, row = state.features, timer.row
    if features.place_since_us[row] != timer.since_us or features.place[row] != timer.place:
        return []  # left, or switched off, in the meantime
    campaign = state.campaigns[state.numbers[timer.campaign]]
    stamps = (timer.received_ns, timer.decoded_ns, stamp())
    trigger = _trigger(state, campaign, row, timer.due_us, timer.corr, "dwell", *stamps)
    return [_wish(campaign, trigger, at_us)]


def _fire_group(state: EngineState, timer: Timer, at_us: int, stamp: Stamp) -> list[Wish]:
    campaign = state.campaigns[state.numbers[timer.campaign]]
    rows = state.groups.pop((timer.campaign, timer.due_us))
    if campaign.audience:
        masks = [state.profiles.mask(column, value) for column, value in campaign.audience.items()]
        rows = rows[np.logical_and.reduce(masks)[rows]]
    matched_ns = stamp()
    triggers = (
        _trigger(state, campaign, row, timer.due_us, 0, "group", 0, 0, matched_ns) for row in rows.tolist()
    )
    return [_wish(campaign, trigger, at_us) for trigger in triggers]


def _fire_release(state: EngineState, timer: Timer, at_us: int, _stamp: Stamp) -> list[Wish]:
    trigger = state.held.pop((timer.row, timer.campaign))
    state.book.waiting.discard((timer.row, timer.campaign))
    return [_wish(state.campaigns[state.numbers[timer.campaign]], trigger, at_us, released=True)]


_FIRE: dict[str, Callable[[EngineState, Timer, int, Stamp], list[Wish]]] = {
    "dwell": _fire_dwell,
    "group": _fire_group,
    "release": _fire_release,
}
