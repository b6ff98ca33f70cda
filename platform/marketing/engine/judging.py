"""From complete scenes to decisions: in one order, whatever order they were found in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from marketing.behaviours import BehaviourBatch, imsi_text
from marketing.campaigns import Campaign
from marketing.contact import Verdict
from marketing.engine.triggers import BY_TIME, Contact, Decision, Origin, Stamp, Trigger, Wish
from marketing.features import Timer
from marketing.rules import Completions

if TYPE_CHECKING:
    from marketing.engine.state import EngineState

__all__ = ["Finds", "contact_id_of", "judge", "make_trigger", "wish_of"]


@dataclass(slots=True)
class Finds:
    """What has been found to be complete and is not judged yet."""

    state: EngineState
    now_us: int
    stamp: Stamp
    wishes: list[Wish] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    """Of wishes that could not wait for the others."""

    def add(self, found: Completions, wave: BehaviourBatch | None, turn: int = BY_TIME) -> None:
        """Completions of a wave, in its turn; None: by the passing of time alone."""
        if not len(found):
            return
        state, matched_ns = self.state, self.stamp()
        columns = [c.tolist() for c in (found.t_us, found.row, found.campaign, found.index)]
        for t_us, row, number, index in zip(*columns, strict=True):
            campaign = state.campaigns[number]
            if campaign.output == "statistics":
                continue  # counted from all behaviours, also of those whom no extract knows (marketing.outputs)
            if index < 0 or wave is None:
                self.late(campaign, row, t_us, "absence", 0, matched_ns, turn)
                continue
            act = wave[index]
            stamps = int(act["received_ns"]), int(act["decoded_ns"]), matched_ns
            event = wave[index : index + 1].copy() if campaign.campaign in state.texts.telling else None
            trigger = make_trigger(state, campaign, row, t_us, int(act["corr"]), "behaviour", *stamps, event)
            self.wishes.append(wish_of(campaign, trigger, max(t_us, self.now_us), t_us, turn))

    def late(
        self,
        campaign: Campaign,
        row: int,
        due_us: int,
        origin: Origin,
        corr: int,
        matched_ns: int,
        turn: int = BY_TIME,
    ) -> None:
        """Something that time has brought."""
        if campaign.output == "statistics":
            return
        trigger = make_trigger(self.state, campaign, row, due_us, corr, origin, 0, 0, matched_ns)
        self.wishes.append(wish_of(campaign, trigger, max(due_us, self.now_us), due_us, turn))

    def settle(self) -> None:
        """Judges what there is now."""
        wishes, self.wishes = self.wishes, []
        self.decisions += _judged(self.state, wishes, self.stamp)


def judge(state: EngineState, found: Finds) -> list[Decision]:
    """Decisions on all that was found, in the order of time, priority, campaign, subscriber."""
    if found.wishes:
        found.settle()
    return found.decisions


def _judged(state: EngineState, wishes: Iterable[Wish], stamp: Stamp) -> list[Decision]:
    decisions: list[Decision] = []
    latest_us, ids = state.lately
    # The same scene of the same subscriber at the same instant is one trigger, whichever rows completed it.
    seen = set(ids)
    for wish in sorted(wishes, key=_order):
        trigger = wish.trigger
        if not wish.released:
            if trigger.trigger_id in seen:
                continue
            seen.add(trigger.trigger_id)
            if trigger.origin == "behaviour" and trigger.t_us >= latest_us:
                if trigger.t_us > latest_us:
                    latest_us, ids = trigger.t_us, frozenset()
                ids |= {trigger.trigger_id}
        decisions.append(_decide(state, wish, stamp))
    state.lately = latest_us, ids
    return decisions


def _order(wish: Wish) -> tuple[Any, ...]:
    return wish[:7]


def _decide(state: EngineState, wish: Wish, stamp: Stamp) -> Decision:
    trigger = wish.trigger
    campaign = state.campaigns[state.numbers[trigger.campaign]]
    released_us = wish.at_us if wish.released else 0
    book, key = state.book, (trigger.row, trigger.campaign)
    arm = campaign.arm(trigger.imsi) if campaign.experiment is not None else ""
    if arm and not campaign.contacts(arm):
        return Decision(trigger, "suppress", "experiment", wish.at_us, stamp(), released_us, None, arm)
    if campaign.output == "file":
        # A list for people who telephone: who does not want to hear of us is not on it; nothing is counted.
        reason = state.policy.refuses(book, trigger.row, wish.at_us)
        return Decision(trigger, "suppress" if reason else "output", reason, wish.at_us, stamp())
    verdict = state.policy.decide(
        book,
        trigger.row,
        trigger.campaign,
        wish.at_us,
        may_hold=campaign.hold == "release",
        released=wish.released,
        caps=campaign.caps,
    )
    if verdict.action == "hold":
        book.waiting.add(key)
        state.held[key] = trigger
        state.timers.add(Timer(verdict.release_us, "release", trigger.campaign, trigger.row))
        return Decision(trigger, "hold", verdict.reason, wish.at_us, stamp(), verdict.release_us, None, arm)
    contact = _contact(state, campaign, wish, verdict) if verdict.action == "send" else None
    return Decision(trigger, verdict.action, verdict.reason, wish.at_us, stamp(), released_us, contact, arm)


def _contact(state: EngineState, campaign: Campaign, wish: Wish, verdict: Verdict) -> Contact:
    trigger, at_us = wish.trigger, wish.at_us
    span, row = verdict.span, trigger.row
    assert span is not None  # a verdict to send has one
    ordinal = state.book.add(row, trigger.campaign, span, at_us)
    values = trigger.values
    if wish.released and campaign.campaign in state.texts.telling:
        # What was true before the night is not what is told after it.
        values = state.rules.values(state.numbers[trigger.campaign], row, at_us, trigger.event)
    for follow_up in campaign.follow_ups:
        if follow_up.campaign in state.numbers:
            due_us = at_us + follow_up.after_s * 1_000_000
            state.timers.add(Timer(due_us, "follow_up", follow_up.campaign, row))
            state.following.setdefault(row, []).append((due_us, follow_up.campaign, trigger.campaign))
    return Contact(
        contact_id_of(trigger.campaign, trigger.imsi, span.period, ordinal),
        campaign,
        trigger.msisdn,
        state.texts.of(campaign, row, values),
        span,
        ordinal,
        verdict.submit_before_us,
        verdict.valid_until_us,
    )


def make_trigger(
    state: EngineState,
    campaign: Campaign,
    row: int,
    t_us: int,
    corr: int,
    origin: Origin,
    received_ns: int,
    decoded_ns: int,
    matched_ns: int,
    event: BehaviourBatch | None = None,
) -> Trigger:
    """A trigger; its id is a hash of campaign, subscriber and instant.

    What its text tells is looked up now: when it is judged the subscriber may have gone on.
    """
    imsi, msisdn = imsi_text(int(state.profiles.imsi[row])), str(state.profiles.msisdn[row])
    name = campaign.campaign
    trigger_id = _digest(name, imsi, str(t_us))
    values = None
    if name in state.texts.telling:
        values = state.rules.values(state.numbers[name], row, t_us, event)
    stamps = received_ns, decoded_ns, matched_ns
    return Trigger(trigger_id, name, row, imsi, msisdn, t_us, corr, origin, *stamps, event, values)


def wish_of(
    campaign: Campaign, trigger: Trigger, at_us: int, when_us: int, turn: int, released: bool = False
) -> Wish:
    """In the order of judgement."""
    return Wish(
        at_us,
        when_us,
        turn,
        -campaign.priority,
        campaign.campaign,
        trigger.imsi,
        trigger.t_us,
        trigger,
        released,
    )


def contact_id_of(campaign: str, imsi: str, period: int, ordinal: int) -> str:
    """16 hexadecimal digits; the same trigger decided again after a crash asks for the same contact."""
    return _digest(campaign, imsi, str(period), str(ordinal))


def _digest(*parts: str) -> str:
    return hashlib.blake2b("|".join(parts).encode("ascii"), digest_size=8).hexdigest()
