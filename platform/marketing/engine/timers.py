"""What the passing of time brings: stays long enough, groups, ends of holds, follow-ups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch
from marketing.engine.judging import Finds, judge
from marketing.engine.state import EngineState, Rank
from marketing.engine.triggers import Decision, Stamp, no_stamp
from marketing.features import NEVER, Timer

__all__ = [
    "fire_timers",
    "on_selection",
    "stays_again",
    "stays_begun",
    "stays_due",
    "stays_due_until",
    "turns",
]

SECOND_US: Final = 1_000_000


def stays_begun(state: EngineState, wave: BehaviourBatch) -> None:
    """Notes when the stays that this wave began will have lasted long enough for some campaign."""
    stays = state.view.stays
    if not len(stays.row) or not state.rules.dwells:
        return
    for place, dwells in state.rules.dwells.items():
        here = np.flatnonzero(stays.place == place)
        if not len(here):
            continue
        row, act = stays.row[here], wave[stays.index[here]]
        state.stay_corr[row] = act["corr"]
        shortest_us = min(dwell.at_least_us for dwell in dwells)
        state.dues.put(row, act["t_us"] + shortest_us)


def stays_due(state: EngineState, rows: NDArray[np.int64], until_us: NDArray[np.int64], found: Finds) -> None:
    """Fires what these stays have lasted long enough for, each up to its own instant."""
    features, rules, dues = state.features, state.rules, state.dues
    after = np.empty(len(rows), dtype=np.int64)
    for i, (row, limit_us) in enumerate(zip(rows.tolist(), until_us.tolist(), strict=True)):
        due_us, place = int(dues.due_us[row]), int(features.place[row])
        since_us = int(features.place_since_us[row])
        lengths = sorted({dwell.at_least_us for dwell in rules.dwells.get(place, ())}) if place >= 0 else []
        for length_us in lengths:
            at_us = since_us + length_us
            if at_us < due_us or at_us > limit_us:
                continue  # fired already, or of a stay that is over; or not yet
            for dwell in rules.dwells[place]:
                if dwell.at_least_us == length_us:
                    one = (np.array([v], dtype=np.int64) for v in (row, since_us, at_us))
                    done = rules.dwelt(dwell, *one)
                    for number in done.campaign.tolist():
                        found.late(number, np.array([row]), at_us, "dwell", int(state.stay_corr[row]))
        later = [since_us + length for length in lengths if since_us + length > limit_us]
        after[i] = min(later, default=NEVER)
    dues.put(rows, after)


def stays_due_until(state: EngineState, until_us: int, found: Finds) -> None:
    """The same for everybody."""
    rows = state.dues.until(until_us)
    if len(rows):
        stays_due(state, rows, np.full(len(rows), until_us), found)


def stays_again(state: EngineState, after_us: int) -> None:
    """Looks at all stays anew: the campaigns that wait for them are others now."""
    features, n = state.features, len(state.profiles)
    due_us = np.full(n, NEVER)
    for place, dwells in state.rules.dwells.items():
        here = np.flatnonzero(features.place == place)
        for dwell in dwells:
            at_us = features.place_since_us[here] + dwell.at_least_us
            # What was due before is over, whether or not the campaign was there then.
            due_us[here] = np.where(at_us > after_us, np.minimum(due_us[here], at_us), due_us[here])
    state.dues.load(due_us)
    if state.rules.dwells and not len(state.stay_corr):
        state.stay_corr = np.zeros(n, dtype=np.uint32)


# --------------------------------------------------------------------------- one by one


def fire_timers(state: EngineState, until_us: int, found: Finds) -> list[Decision]:
    """Groups, releases and follow-ups due until then, judged together with what has been found."""
    shared = state.turns_told is not None and until_us > state.reached_us and _changes(state, until_us)
    due_us = state.timers.next_due_us()
    while due_us is not None and due_us <= until_us:
        at_change = shared and due_us == until_us
        for timer in _in_turn(state, state.timers.pop_due(), found.now_us, at_change=at_change):
            _FIRE[timer.kind](state, timer, found)
        shared = shared and not at_change
        due_us = state.timers.next_due_us()
    if shared and state.turns_told is not None:  # the others may have releases then, and wait for us
        state.turns_told(max(until_us, found.now_us) // SECOND_US, [], True)
    return judge(found)


def _changes(state: EngineState, at_us: int) -> bool:
    """Whether closed hours end at this instant: then holds do, and at no other that is planned."""
    return bool(state.policy.file.holds.release_per_s) and state.policy.next_change_us(at_us - 1) == at_us


def _in_turn(state: EngineState, timers: list[Timer], now_us: int, *, at_change: bool) -> list[Timer]:
    """Those whose turn it is: of releases only so many a second; the others wait for a second with room.

    A turn that passed while the platform was down is none. `at_change`: other engines ask now too.
    """
    most = state.policy.file.holds.release_per_s
    if not most or (not at_change and all(timer.kind not in ("release", "slot") for timer in timers)):
        return timers
    due_s = max(timers[0].due_us, now_us) // SECOND_US
    asks = [t for t in timers if t.kind == "release" or (t.kind == "slot" and t.due_us // SECOND_US < due_s)]
    turn = sorted(set(timers) - set(asks))
    ranked = sorted((_rank(state, timer), timer) for timer in asks)
    if state.turns_told is None:
        seconds, state.releases = turns(state.releases, due_s, len(asks), most)
    elif asks or at_change:
        ranks = [rank for rank, _ in ranked]
        seconds, state.releases = state.turns_told(due_s, ranks, at_change)
    else:
        seconds = []
    for (_, timer), second in zip(ranked, seconds, strict=True):
        if second == due_s:
            turn.append(timer)
        else:
            state.timers.add(replace(timer, due_us=second * SECOND_US, kind="slot"))
    return turn


def turns(releases: tuple[int, int], due_s: int, asked: int, most: int) -> tuple[list[int], tuple[int, int]]:
    """The seconds of so many that ask at once, in their order, and what has been given out after that.

    `releases`: the latest second that has been given out, Unix seconds, and to how many.
    """
    second, n = releases
    found = []
    for _ in range(asked):
        second, n = (due_s, 0) if due_s > second else (second, n) if n < most else (second + 1, 0)
        n += 1
        found.append(second)
    return found, (second, n)


def _rank(state: EngineState, timer: Timer) -> Rank:
    """Which of several holds that end together is released first; of equals the lower IMSI."""
    imsi = int(state.profiles.imsi[timer.row])
    number, trigger = state.numbers.get(timer.campaign), state.held.get((timer.row, timer.campaign))
    if number is None or trigger is None:
        return 1.0, 0.0, timer.campaign, 0, imsi  # taken away meanwhile
    campaign = state.campaigns[number]
    return -campaign.priority, -campaign.value, timer.campaign, trigger.t_us, imsi


def _fire_group(state: EngineState, timer: Timer, found: Finds) -> None:
    rows = state.groups.pop((timer.campaign, timer.due_us), None)
    number = state.numbers.get(timer.campaign)
    if rows is None or number is None:
        return  # the campaign has been taken away
    rows = rows[state.rules.passing(number, rows, np.full(len(rows), timer.due_us))]
    if len(rows):
        found.late(number, rows, timer.due_us, "group")


def _fire_release(state: EngineState, timer: Timer, found: Finds) -> None:
    trigger = state.held.pop((timer.row, timer.campaign), None)
    state.book.waiting.discard((timer.row, timer.campaign))
    if trigger is None:
        return
    found.again(state.numbers[timer.campaign], trigger, timer.due_us)


def _fire_follow_up(state: EngineState, timer: Timer, found: Finds) -> None:
    """Unless an answer came, which took it off the list."""
    waiting = state.following.get(timer.row, [])
    due = [one for one in waiting if one[0] == timer.due_us and one[1] == timer.campaign]
    if not due:
        return
    waiting.remove(due[0])
    if not waiting:
        del state.following[timer.row]
    if state.book.last_day(timer.row, due[0][2]) is None:
        return  # the run before was killed between decision and reservation
    number = state.numbers.get(timer.campaign)
    one, due_us = np.array([timer.row]), np.array([timer.due_us])
    if number is None or not state.rules.passing(number, one, due_us)[0]:
        return
    found.late(number, one, timer.due_us, "follow_up")


def on_selection(
    state: EngineState,
    number: int,
    rows: NDArray[np.int64],
    now_us: int,
    stamp: Stamp = no_stamp,
    channels: tuple[str, ...] = (),
) -> list[Decision]:
    """An operator's selection of subscribers for a campaign, judged now like any other trigger.

    `channels`: of a file or a screen, how that goes; it cannot wait for closed hours to end.
    """
    limits = state.roster().limits_by(state.policy, state.book, channels) if channels else None
    found = Finds(state, now_us, stamp, not channels, limits, channels[0] if channels else "")
    if len(rows):
        found.late(number, rows, now_us, "manual")
    return judge(found)


_FIRE: Final[dict[str, Callable[[EngineState, Timer, Finds], None]]] = {
    "group": _fire_group,
    "release": _fire_release,
    "slot": _fire_release,
    "follow_up": _fire_follow_up,
}
