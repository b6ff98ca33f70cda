"""What others tell the engine: proven losses, stop codes, answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marketing.contact import Kind, Reason
from marketing.engine.triggers import Contact, Trigger
from marketing.features import Timer
from marketing.profiles import Profiles

if TYPE_CHECKING:
    from marketing.engine.state import EngineState

__all__ = [
    "barred",
    "follow",
    "on_ended",
    "on_opt_out",
    "on_released",
    "on_reply",
    "on_unsent",
    "row_in",
    "row_now",
]


def row_now(state: EngineState, trigger: Trigger) -> int:
    """The row of a trigger's subscriber: another extract may have come since. -1: he is in none any more."""
    return row_in(state.profiles, trigger)


def row_in(profiles: Profiles, trigger: Trigger) -> int:
    """The same in an extract."""
    imsi, row = int(trigger.imsi), trigger.row
    if row < len(profiles) and int(profiles.imsi[row]) == imsi:
        return row
    return int(profiles.rows(np.array([imsi], dtype=np.uint64))[0])


def on_unsent(state: EngineState, trigger: Trigger, contact: Contact) -> None:
    """A contact that is proven never to have left: it counts no more, and nothing follows it."""
    row = row_now(state, trigger)
    if row >= 0:
        span = contact.span
        on_released(state, row, trigger.campaign, span.period, span.day, contact.decided_us, contact.kind)


def on_released(
    state: EngineState, row: int, campaign: str, period: int, day: int, decided_us: int, kind: Kind
) -> None:
    """The same, of a row as it is now."""
    state.book.release(row, campaign, period, day, decided_us, kind)
    _end_follow_ups(state, row, campaign)


def barred(
    row: int, do_not_disturb_us: NDArray[np.int64], control_us: NDArray[np.int64], now_us: int
) -> Reason:
    """Why a subscriber may not be sent anything at an instant, whatever was decided; empty: he may."""
    if row < 0:
        return "gone"
    if control_us[row] <= now_us:
        return "control_group"
    return "do_not_disturb" if do_not_disturb_us[row] <= now_us else ""


def on_ended(
    state: EngineState, msisdn: str, originator: str, channel: str, decided_us: int, ended_us: int
) -> None:
    """A contact that has been received, or never will be, by a final receipt of each of its parts."""
    if state.policy.remembers:
        row = state.profiles.row_of_msisdn(msisdn)
        if row >= 0:
            kind = state.policy.kind(originator, (channel,))
            state.book.settled(row, decided_us, kind, ended_us)


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
