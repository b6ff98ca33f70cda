"""What others tell the engine: proven losses, stop codes, answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from marketing.engine.triggers import Contact, Trigger
from marketing.features import Timer

if TYPE_CHECKING:
    from marketing.engine.state import EngineState

__all__ = ["follow", "on_ended", "on_opt_out", "on_reply", "on_unsent", "row_now"]


def row_now(state: EngineState, trigger: Trigger) -> int:
    """The row of a trigger's subscriber: another extract may have come since. -1: he is in none any more."""
    imsi, row = int(trigger.imsi), trigger.row
    if row < len(state.profiles) and int(state.profiles.imsi[row]) == imsi:
        return row
    return int(state.profiles.rows(np.array([imsi], dtype=np.uint64))[0])


def on_unsent(state: EngineState, trigger: Trigger, contact: Contact) -> None:
    """A contact that is proven never to have left: it counts no more, and nothing follows it."""
    row = row_now(state, trigger)
    if row >= 0:
        span = contact.span
        state.book.release(row, trigger.campaign, span.period, span.day, contact.decided_us, contact.kind)
        _end_follow_ups(state, row, trigger.campaign)


def on_ended(state: EngineState, msisdn: str, originator: str, decided_us: int, ended_us: int) -> None:
    """A contact that has been received, or never will be, by a final receipt of each of its parts."""
    if state.policy.remembers:
        row = state.profiles.row_of_msisdn(msisdn)
        if row >= 0:
            state.book.settled(row, decided_us, state.policy.kind(originator), ended_us)


def on_opt_out(state: EngineState, msisdn: str) -> bool:
    """A stop code, effective at once; False if the extract does not know the number."""
    row = state.profiles.row_of_msisdn(msisdn)
    if row < 0:
        return False
    state.book.opt_out(row)
    return True


def on_reply(state: EngineState, msisdn: str, campaign: str) -> None:
    """An answer to a contact of a campaign, whatever it says: no follow-up comes any more."""
    row = state.profiles.row_of_msisdn(msisdn)
    if row >= 0:
        _end_follow_ups(state, row, campaign)


def follow(state: EngineState, row: int, campaign: str, decided_us: int) -> None:
    """Sets what follows a contact of a campaign, unless it is set already."""
    number = state.numbers.get(campaign)
    for follow_up in state.campaigns[number].follow_ups if number is not None else ():
        one = decided_us + follow_up.after_s * 1_000_000, follow_up.campaign, campaign
        if follow_up.campaign in state.numbers and one not in state.following.get(row, ()):
            state.timers.add(Timer(one[0], "follow_up", follow_up.campaign, row))
            state.following.setdefault(row, []).append(one)


def _end_follow_ups(state: EngineState, row: int, campaign: str) -> None:
    waiting = [one for one in state.following.pop(row, []) if one[2] != campaign]
    if waiting:
        state.following[row] = waiting
