"""A worker process: the engine of some subscribers, doing what it is told through a pipe until that ends.

Commands come one after another, each answered once, except those that only tell something. While a command
runs, the crowds of a whole minute are told and the sum over all workers awaited.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BEHAVIOUR, BehaviourBatch
from marketing.campaigns import Campaign, Target
from marketing.contact import Kind, Reason
from marketing.contact.steps import ClockStep
from marketing.engine import (
    Change,
    Decision,
    EngineState,
    KeptState,
    Rank,
    SelectionError,
    Trigger,
    change_campaigns,
    choose,
    handsets,
    next_due,
    no_stamp,
    on_batch,
    on_ended,
    on_opt_out,
    on_released,
    on_reply,
    on_selection,
    on_timers,
    prepare_campaigns,
    schedule_group,
    switch_profiles,
)
from marketing.workers.host import CountedAt, Figures, LocalHost, Settings
from marketing.workers.link import ANSWER, OCTETS, SharedAnswers, SharedRows
from marketing.workers.shares import Share, owners
from marketing.workers.wire import Sent, told

__all__ = ["Answer", "main"]

log = logging.getLogger("marketing.worker")

Counts = NDArray[np.int32]
Answer = tuple[list[Sent], BehaviourBatch]
"""Decisions, and the behaviours that followed from others."""


class Worker:
    """One engine and its pipe."""

    def __init__(self, pipe: Connection, shared: SharedRows, answers: SharedAnswers, number: int) -> None:
        self._pipe, self._shared, self._answers, self._number = pipe, shared, answers, number
        self._behaviours = 0
        self._later: deque[tuple[str, tuple[Any, ...]]] = deque()
        """Commands that came while another was under way."""
        self._workers, self._key = 1, 0
        self.state: EngineState
        self._host: LocalHost
        self._own_crowd: Counts

    def serve(self) -> None:
        """Until the pipe ends."""
        while True:
            try:
                what, values = self._later.popleft() if self._later else self._receive()
            except (EOFError, OSError):
                return
            answer = COMMANDS[what](self, *values)
            if what not in UNANSWERED:
                self._say("done", answer)

    def _receive(self) -> tuple[str, tuple[Any, ...]]:
        what, values = pickle.loads(self._pipe.recv_bytes())
        return what, values

    def _ask(self, kind: str, value: Any) -> Any:
        """Says something in the middle of a command; commands that come before the answer are for later."""
        self._say(kind, value)
        while True:
            what, values = self._receive()
            if what == ANSWER:
                return values[0]
            self._later.append((what, values))

    def _say(self, kind: str, value: Any) -> None:
        self._pipe.send_bytes(self._answers.pack((kind, value)))

    # ----------------------------------------------------------------- life

    def begin(self, workers: int, key: int, share: Share, settings: Settings) -> int:
        """Makes the engine. Returns for how many subscribers."""
        self._workers, self._key = workers, key
        self.state = settings.engine(share.profiles())
        self._host = LocalHost(self.state)
        self.state.crowds_told = self._crowds
        self.state.turns_told = self._turns
        self._own_crowd = self.state.habits.crowd.copy()
        return len(self.state.profiles)

    def _crowds(self, minute_us: int, counts: Counts) -> Counts:
        """People by cell over all workers, where some condition asks for it; else only ours."""
        self._own_crowd = counts.copy()
        # Before the first behaviour there is nobody anywhere, and workers do not stop at the same minutes.
        if not self.state.tells_crowds or not self.state.reached_us:
            return counts
        total: Counts = self._ask("crowds", (minute_us, self._own_crowd))
        return total

    def _turns(self, due_s: int, ranks: list[Rank], at_change: bool) -> tuple[list[int], tuple[int, int]]:
        """The seconds of ours among those of all workers; late ones ask alone, and have what is free."""
        found: tuple[list[int], tuple[int, int]]
        found = self._ask("turns" if at_change else "late", (due_s, ranks))
        return found

    def releases(self) -> tuple[int, int]:
        return self.state.releases

    # ----------------------------------------------------------------- time and behaviours

    def batch(self, slot: int, n: int, now_us: int, stamped: bool) -> Answer:
        """Takes our rows of a slot in, and time on to the last of them all."""
        rows, first_us, last_us = self._mine(slot, n)
        stamp = time.monotonic_ns if stamped else no_stamp
        # An engine of all subscribers goes from the first row of anybody to the last. So do we: all workers
        # have then reached the same time, and pass the same minutes.
        decisions = on_timers(self.state, first_us - 1, now_us, stamp)
        decisions += on_batch(self.state, rows, now_us, stamp)
        decisions += on_timers(self.state, last_us - 1, now_us, stamp)
        return self._answer(decisions)

    def timers(
        self, until_us: int, now_us: int, stamped: bool
    ) -> tuple[list[Sent], BehaviourBatch, int | None]:
        """And when something falls due next, which is always asked for after it."""
        stamp = time.monotonic_ns if stamped else no_stamp
        sent, derived = self._answer(on_timers(self.state, until_us, now_us, stamp))
        return sent, derived, next_due(self.state)

    def replay(self, slot: int, n: int) -> tuple[int, Answer]:
        """Rows of a journal; see `KeptState.replay`."""
        rows, first_us, last_us = self._mine(slot, n)
        decisions = on_timers(self.state, first_us - 1)
        decisions += on_batch(self.state, rows, 0) + on_timers(self.state, last_us - 1)
        return KeptState(self.state).take_back(decisions), self._answer(decisions)

    def _mine(self, slot: int, n: int) -> tuple[BehaviourBatch, int, int]:
        """Our rows, and the times of the first and the last of all."""
        shown = self._shared.get(slot, n)
        first_us, last_us = int(shown["t_us"][0]), int(shown["t_us"][-1])
        ours = owners(shown["imsi"], self._key, self._workers) == self._number
        rows = shown.view(OCTETS)[ours].view(BEHAVIOUR)  # field by field it takes six times as long
        self._behaviours += len(rows)
        return rows, first_us, last_us

    def _answer(self, decisions: list[Decision]) -> Answer:
        return told(decisions), self.state.take_derived()

    def due(self) -> int | None:
        return next_due(self.state)

    def figures(self) -> Figures:
        state = self.state
        known = self._behaviours - state.unknown_imsi
        return Figures(known, state.unknown_imsi, len(state.timers), len(state.held), time.process_time())

    # ----------------------------------------------------------------- told

    def unsent(self, imsi: int, campaign: str, period: int, day: int, decided_us: int, kind: Kind) -> None:
        row = int(self.state.profiles.rows(np.array([imsi], dtype=np.uint64))[0])
        if row >= 0:
            on_released(self.state, row, campaign, period, day, decided_us, kind)

    def reaches(self, channels: frozenset[str]) -> None:
        self.state.reach = channels

    def opt_out(self, msisdn: str) -> None:
        on_opt_out(self.state, msisdn)

    def reply(self, msisdn: str, campaign: str) -> None:
        on_reply(self.state, msisdn, campaign)

    def follow(self, msisdn: str, campaign: str, decided_us: int) -> None:
        KeptState(self.state).follow(msisdn, campaign, decided_us)

    def ended(self, msisdn: str, originator: str, channel: str, decided_us: int, ended_us: int) -> None:
        on_ended(self.state, msisdn, originator, channel, decided_us, ended_us)

    def clock_set(self, step: ClockStep) -> None:
        self._host.clock_set(step)

    def take_ended(self) -> list[tuple[Trigger, Reason]]:
        return [(replace(one, event=None, values=None), why) for one, why in self.state.take_ended()]

    def enter(self, *columns: Any) -> None:
        self._host.enter(*columns)

    def remember(self, stops: Sequence[int], contacts: Sequence[CountedAt], forget_s: int | None) -> None:
        self._host.remember(stops, contacts, forget_s)

    # ----------------------------------------------------------------- changes

    def change(self, campaigns: Sequence[Campaign]) -> Change:
        return change_campaigns(self.state, prepare_campaigns(self.state, campaigns))

    def group(self, campaign: str, targets: Sequence[Target], day_1_us: int) -> None:
        state = self.state
        schedule_group(state, state.campaigns[state.numbers[campaign]], targets, day_1_us)

    def switch(self, share: Share) -> int:
        return switch_profiles(self.state, share.profiles())

    # ----------------------------------------------------------------- asked

    def choose(self, number: int, at_us: int, audience: str, targets: str) -> NDArray[np.uint64] | str:
        """IMSIs of ours; or why it cannot be made, which ends nobody."""
        try:
            rows = choose(self.state, number, at_us, audience, targets)
        except SelectionError as error:
            return str(error)
        found: NDArray[np.uint64] = self.state.profiles.imsi[rows]
        return found

    def select(
        self, number: int, rows: NDArray[np.int64], now_us: int, stamped: bool, channels: tuple[str, ...]
    ) -> Answer:
        stamp = time.monotonic_ns if stamped else no_stamp
        return self._answer(on_selection(self.state, number, rows, now_us, stamp, channels))

    def handsets(self, msisdn: NDArray[np.uint64], now_us: int) -> list[dict[str, Any] | None]:
        return handsets(self.state, msisdn, now_us)

    # ----------------------------------------------------------------- kept

    def capture(self) -> dict[str, NDArray[Any]]:
        """With the crowds of our own people: whoever puts the shares together adds them up."""
        return KeptState(self.state).capture() | {"crowd": self._own_crowd}

    def restore(self, captured: Mapping[str, NDArray[Any]]) -> int | str:
        """How many subscribers of it are ours; or why it is of no use, which ends nobody."""
        try:
            found = KeptState(self.state).restore(captured)
        except (ValueError, KeyError) as error:
            return f"{type(error).__name__}: {error}"
        first = self._number == 0
        # What belongs to nobody in particular is counted by one of us.
        self._own_crowd = self.state.habits.crowd * np.int32(first)
        self.state.unknown_imsi *= first
        ended = self.state.take_ended()  # most of them are only not ours
        imsi = np.array([int(trigger.imsi) for trigger, _ in ended], dtype=np.uint64)
        ours = owners(imsi, self._key, self._workers) == self._number
        self.state.ended = [one for one, mine in zip(ended, ours.tolist(), strict=True) if mine]
        self._behaviours = self.state.unknown_imsi
        return found

    def last_us(self) -> int:
        return KeptState(self.state).last_us()

    def crowd(self) -> Counts:
        return self._own_crowd

    def set_crowd(self, total: Counts) -> None:
        self.state.habits.publish(total)


COMMANDS: Final[dict[str, Callable[..., Any]]] = {
    name: getattr(Worker, name)
    for name in (
        *("begin", "batch", "timers", "replay", "due", "figures"),
        *("unsent", "reaches", "opt_out", "reply", "follow", "ended", "clock_set", "take_ended"),
        *("enter", "remember"),
        *("choose", "select", "handsets"),
        *("change", "group", "switch", "capture", "restore", "last_us", "releases", "crowd", "set_crowd"),
    )
}
UNANSWERED: Final = frozenset(
    {"unsent", "reaches", "opt_out", "reply", "follow", "ended", "clock_set"}
    | {"enter", "remember", "set_crowd"}
)
"""Whoever says these goes on at once; what follows finds them done."""


def main() -> None:
    """Started by `Link` with descriptors of pipe and memory, and a number."""
    # The platform decides when we end, by ending the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    pipe_fd, rows_fd, answers_fd, number = (int(text) for text in sys.argv[1:5])
    pipe = Connection(pipe_fd)
    os.set_inheritable(pipe_fd, False)
    answers = SharedAnswers(answers_fd)
    worker = Worker(pipe, SharedRows(rows_fd), answers, number)
    try:
        worker.serve()
    except (BrokenPipeError, EOFError):
        return
    except Exception as error:
        log.exception("worker %d", number)
        pipe.send_bytes(answers.pack(("failed", f"{type(error).__name__}: {error}")))
        sys.exit(1)
