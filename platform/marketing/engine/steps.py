"""Batches and the passing of time.

A batch is cut into stretches at timers, where the policy's answers may change, and at whole quarters of an
hour, or at whole minutes where something hangs on them (`EngineState.minute_by_minute`). In a stretch it is
taken wave by wave, the k-th wave holding each subscriber's k-th row, so that every condition meets the
features as they were at that row. What falls due for a subscriber fires before his next row, at its due time;
for everybody else at the end of the stretch. Rows of an instant come before what falls due then.

What a wave does: what has come due; presence; scenes, with habits as they were just before the behaviour;
habits; then the same again for what the behaviours imply (another cell, another handset), which is derived.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch
from marketing.engine.judging import Finds, judge
from marketing.engine.state import EngineState
from marketing.engine.timers import fire_timers, stays_begun, stays_due, stays_due_until
from marketing.engine.triggers import Decision, Stamp, no_stamp
from marketing.features import CrowdedError

__all__ = ["MINUTE_US", "next_due", "on_batch", "on_timers"]

MINUTE_US: Final = 60_000_000
QUARTER_US: Final = 15 * MINUTE_US
"""Local time may change at the end of one."""
MOST_ROWS: Final = 1 << 16
"""Rows of a stretch: one subscriber has no more in it than `Waves` can number, and columns stay in caches."""


def on_batch(
    state: EngineState, batch: BehaviourBatch, now_us: int, stamp: Stamp = no_stamp
) -> list[Decision]:
    """Takes in behaviours, and fires what falls due before each.

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
    if not batch.flags.c_contiguous:
        batch = np.ascontiguousarray(batch)
    t_us = np.ascontiguousarray(batch["t_us"])
    start = 0
    while start < len(batch):
        first_us = int(t_us[start])
        decisions += on_timers(state, first_us - 1, now_us, stamp)
        stop = start + int(
            np.searchsorted(t_us[start : start + MOST_ROWS], _until(state, first_us), side="right")
        )
        decisions += _stretch(state, batch[start:stop], rows[start:stop], t_us[start:stop], now_us, stamp)
        start = stop
    return decisions


def on_timers(state: EngineState, until_us: int, now_us: int = 0, stamp: Stamp = no_stamp) -> list[Decision]:
    """Fires everything due at `until_us` or before, each at its due time but not before `now_us`."""
    decisions: list[Decision] = []
    while True:
        stop_us = _next_stop(state, until_us)
        found = Finds(state, now_us, stamp)
        if state.tells_crowds and stop_us % MINUTE_US == 0:
            # What has come due before this minute meets the crowds of the one before, whoever else does what.
            found.add(state.rules.due(stop_us - 1), None)
            stays_due_until(state, stop_us - 1, found)
        _lapse(state, stop_us, found)
        found.add(state.rules.due(stop_us), None)
        stays_due_until(state, stop_us, found)
        decisions += fire_timers(state, stop_us, found)
        if stop_us > state.reached_us:
            state.reached_us = stop_us
        if stop_us >= until_us:
            return decisions


def next_due(state: EngineState) -> int | None:
    """Unix us of the next timer, or None."""
    dues = (state.timers.next_due_us(), state.dues.next_us(), state.rules.next_due_us())
    return min((due for due in dues if due is not None), default=None)


# --------------------------------------------------------------------------- inside


def _until(state: EngineState, first_us: int) -> int:
    """The last instant up to which rows may be taken in together: the first with another change."""
    longest_us = MINUTE_US if state.minute_by_minute else QUARTER_US
    whole_us = -(-first_us // longest_us) * longest_us
    due_us = state.timers.next_due_us()
    until_us = min(whole_us, state.policy.next_change_us(first_us))
    return until_us if due_us is None else max(first_us, min(until_us, due_us))


def _next_stop(state: EngineState, until_us: int) -> int:
    """How far time may go at once: holds end, groups are sent and answers of the policy change at a stop."""
    from_us = state.reached_us + 1 if state.reached_us else next_due(state)
    if from_us is None or from_us >= until_us:
        return until_us
    stops = [until_us, state.policy.next_change_us(from_us)]
    due_us = state.timers.next_due_us()
    if due_us is not None:
        # Up to just before it first: what is held meanwhile may be released together with it.
        stops.append(max(due_us - 1, from_us))
    if state.tells_crowds:
        stops.append(-(-from_us // MINUTE_US) * MINUTE_US)
    if state.turns_told is not None:  # all engines stop where closed hours end
        stops.append(state.policy.next_change_us(from_us - 1))
    return min(stops)


def _lapse(state: EngineState, until_us: int, found: Finds) -> None:
    """Who has been silent for too long, minute by minute, and what crowds are told after."""
    minute_us = until_us // MINUTE_US * MINUTE_US
    if minute_us <= state.published_us:
        return
    derived, rows = state.view.sweep(minute_us)
    if len(derived):
        state.derived.append(derived)
        _waves(state, derived, rows, np.ascontiguousarray(derived["t_us"]), found, is_derived=True)
    told = state.crowds_told
    state.habits.publish(None if told is None else told(minute_us, state.habits.counts))
    state.published_us = minute_us
    span = state.policy.slowest(minute_us)
    if state.policy.remembers and span.day != state.log_pruned:
        state.book.prune_log(minute_us // 1_000_000 - state.policy.keep_s)
        state.log_pruned = span.day
    if span.period != state.pruned:
        state.book.prune(span.day - state.roster().longest_days, span.period)
        state.pruned = span.period


def _stretch(
    state: EngineState,
    batch: BehaviourBatch,
    rows: NDArray[np.int64],
    t_us: NDArray[np.int64],
    now_us: int,
    stamp: Stamp,
) -> list[Decision]:
    found = Finds(state, now_us, stamp)
    _waves(state, batch, rows, t_us, found)
    last_us = int(t_us[-1]) - 1
    found.add(state.rules.due(last_us), None)
    stays_due_until(state, last_us, found)
    state.reached_us = max(state.reached_us, last_us)
    return judge(found)


def _waves(
    state: EngineState,
    batch: BehaviourBatch,
    rows: NDArray[np.int64],
    t_us: NDArray[np.int64],
    found: Finds,
    *,
    is_derived: bool = False,
    first_turn: int = 0,
) -> None:
    """`is_derived`: rows that presence knows of already. `first_turn`: number of the first wave."""
    offset_s, month = state.view.calendar(int(t_us[0]))
    try:
        order, ends = state.waves.divide(rows)
    except CrowdedError:
        half = len(rows) // 2
        for part, turn in ((slice(0, half), first_turn), (slice(half, len(rows)), first_turn + MOST_ROWS)):
            _waves(state, batch[part], rows[part], t_us[part], found, is_derived=is_derived, first_turn=turn)
        return
    concerned = state.rules.concerned(batch, rows)
    start = 0
    for turn, end in enumerate(ends.tolist(), first_turn):
        index = order[start:end]
        start = end
        whole = len(index) == len(batch)
        wave, of, at = (batch, rows, t_us) if whole else (batch[index], rows[index], t_us[index])
        turn *= 2  # what has come due before a row comes just before it, also among what is of one instant
        _come_due(state, of, at, found, turn)
        implied: tuple[BehaviourBatch, NDArray[np.int64]] | None = None
        if not is_derived:
            implied = state.view.see(wave, of)
            stays_begun(state, wave)
        if concerned[index].any():
            found.add(state.rules.match(wave, of), wave, turn + 1)
        state.habits.update(batch, rows, index, offset_s, month)
        if implied is not None and len(implied[0]):
            _implied(state, *implied, found, turn + 1, offset_s, month)
        if state.judges_at_once:
            found.settle()


def _implied(
    state: EngineState,
    derived: BehaviourBatch,
    rows: NDArray[np.int64],
    found: Finds,
    turn: int,
    offset_s: int,
    month: int,
) -> None:
    """What a wave implies: of its time and turn, one after another where one subscriber has several."""
    state.derived.append(derived)
    order, ends = state.waves.divide(rows)
    concerned = state.rules.concerned(derived, rows)
    start = 0
    for end in ends.tolist():
        index = order[start:end]
        start = end
        if concerned[index].any():
            wave = derived[index]
            found.add(state.rules.match(wave, rows[index]), wave, turn)
        state.habits.update(derived, rows, index, offset_s, month)


def _come_due(
    state: EngineState, rows: NDArray[np.int64], t_us: NDArray[np.int64], found: Finds, turn: int
) -> None:
    """What has fallen due for these subscribers before these, their next rows."""
    fired = state.rules.fire(rows, t_us)
    if len(fired):
        order = np.argsort(rows)
        now = fired.t_us == t_us[order[np.searchsorted(rows, fired.row, sorter=order)]]
        found.add(fired.take(~now), None)
        found.add(fired.take(now), None, turn)
    late = state.dues.before(rows, t_us)
    if len(late):
        stays_due(state, rows[late], t_us[late] - 1, found)
