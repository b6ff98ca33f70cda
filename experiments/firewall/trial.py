"""A trial of a platform's decision: traffic in, a message centre that does its worst, handset records out.

The driver is the rest of a platform, made small: it keeps what is held, books what is decided, reserves
in a ledger that survives restarts, and tells the decision what receipts tell. What is tried is a `Decision`:
the platform's own `Policy` and `Book`, or one of the broken ones of `experiments.firewall.mutants`.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from experiments.audit.parts import Parts
from experiments.firewall.traffic import CAMPAIGNS, CELLS, Sender, Traffic
from marketing.contact import NEVER, Book, Policy, load_policy
from marketing.contact.policy import Verdict

__all__ = ["Decision", "Reserved", "Tried", "try_decision"]

SECOND_US: Final = 1_000_000
RESTART_EVERY_US: Final = 3 * 86_400 * SECOND_US
DECISION_US: Final = 2_000
"""From the decision to the message centre, at least."""


@dataclass(slots=True)
class Reserved:
    """A row of the ledger, and what the message centre makes of it."""

    number: int
    row: int
    sender: Sender
    at_us: int
    verdict: Verdict
    ordinal: int
    counted: bool = True
    answered: bool = False
    """The centre's response has come."""
    ended_us: int = 0
    """Told by its receipt; 0 = not yet."""


class Decision:
    """The platform's own: `Policy` decides, `Book` remembers. Broken ones override what they break."""

    name = "right"
    rule = ""
    """Under which the audit must catch it."""
    why = "the platform's own policy, book and order of things"
    waits_us = 0
    """How long after a decision it is booked; 0: before the next one."""

    def __init__(self, file: Path, traffic: Traffic) -> None:
        self.traffic = traffic
        self.file = self.read(file)
        self.policy = self.ready(Policy.of(self.file))
        self.kinds = {s.name: self.policy.kind(self.class_key(s), (s.channel,)) for s in CAMPAIGNS}
        self.restart(())

    def read(self, file: Path) -> Any:
        """The policy file as it is understood."""
        return load_policy(file)

    def ready(self, policy: Policy) -> Any:
        """The policy that decides."""
        return policy

    def class_key(self, sender: Sender) -> str:
        """What a class is known by."""
        return sender.originator

    def restart(self, ledger: Any) -> None:
        """A new process: nothing is known but what the ledger has."""
        n = self.traffic.subscribers
        self.book = Book.empty(n)
        self.live_in()
        self.book.control_us[self.traffic.control] = 0
        for one in ledger:
            self.restore(one)

    def live_in(self) -> None:
        """Who lives in which zone."""
        zones = self.policy.zones
        if len(zones.msisdn):
            self.book.live_in((zones.msisdn - int(self.traffic.msisdn(0))).astype(np.int64), zones.zone)

    def restore(self, one: Reserved) -> None:
        """A contact of the ledger, in a new book."""
        span = one.verdict.span
        assert span is not None  # it was sent
        latest_us = one.ended_us or one.verdict.latest_us
        self.book.restore(
            one.row, one.sender.name, span.period, span.day, one.ordinal, one.counted,
            one.at_us, latest_us, self.kinds[one.sender.name],
        )  # fmt: skip

    def decide(
        self, row: int, sender: Sender, at_us: int, since_us: int, cell: int, released: bool
    ) -> Verdict:
        """Judges one trigger."""
        verdict: Verdict = self.policy.decide(
            self.book, row, sender.name, at_us,
            may_hold=sender.holds, released=released, kind=self.kinds[sender.name],
            cell=self.cell_of(row, cell), since_us=since_us,
        )  # fmt: skip
        return verdict

    def cell_of(self, _row: int, cell: int) -> int:
        """Where a subscriber is, as the platform knows it."""
        lac, ci = CELLS[cell]
        return lac << 16 | ci

    def enter(self, one: Reserved) -> None:
        """Books a decision."""
        verdict, kind = one.verdict, self.kinds[one.sender.name]
        assert verdict.span is not None  # it is to be sent
        one.ordinal = self.book.add(
            one.row, one.sender.name, verdict.span, one.at_us, verdict.latest_us, kind
        )

    def unsent(self, one: Reserved) -> None:
        """Proven not to have left: counts no more."""
        span = one.verdict.span
        assert span is not None  # it was decided to send it
        one.counted = False
        self.book.release(
            one.row, one.sender.name, span.period, span.day, one.at_us, self.kinds[one.sender.name]
        )

    def unknown(self, one: Reserved) -> None:
        """No response came: it may have left, and counts."""

    def ended(self, one: Reserved, at_us: int) -> None:
        """A final receipt of all its parts."""
        one.ended_us = at_us
        self.book.settled(one.row, one.at_us, self.kinds[one.sender.name], at_us)

    def expired(self, one: Reserved, at_us: int) -> None:
        """A receipt says that a part expired: it is over, and stays counted."""
        self.ended(one, at_us)

    def stop(self, row: int, _at_us: int) -> None:
        """A stop code."""
        self.book.opt_out(row)

    def again(self, _ledger: dict[int, Reserved]) -> Iterator[Reserved]:
        """What a restart sends again: nothing."""
        return iter(())

    def valid_until_us(self, one: Reserved) -> int:
        """Until when the message centre tries."""
        return one.verdict.valid_until_us


@dataclass(slots=True)
class Tried:
    """What came of a trial."""

    triggers: int = 0
    sent: int = 0
    held: int = 0
    suppressed: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    parts: Parts | None = None


@dataclass(slots=True)
class _Rows:
    """Handset records as they come."""

    columns: dict[str, list[int]] = field(
        default_factory=lambda: {
            n: []
            for n in ("t_us", "smsc_us", "reference", "part", "parts", "person", "source", "channel", "cell")
        }
    )

    def add(self, *values: int) -> None:
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)

    def parts(self, traffic: Traffic) -> Parts:
        c = self.columns
        channels = tuple(dict.fromkeys(s.channel for s in CAMPAIGNS))
        numbers = [np.array(c[n], np.int64) for n in ("t_us", "smsc_us", "reference", "part", "parts")]
        lists = (
            tuple(map(traffic.msisdn, range(traffic.subscribers))),
            tuple(s.originator for s in CAMPAIGNS),
            channels,
            tuple(f"{lac}-{ci}" for lac, ci in CELLS),
        )
        codes = [np.array(c[n], np.int32) for n in ("person", "source", "channel", "cell")]
        return Parts.from_columns(numbers, list(zip(codes, lists, strict=True)))


_RECEIPT, _RELEASE, _BOOK = range(3)


class _Trial:
    def __init__(self, decision: Decision, traffic: Traffic, seed: int) -> None:
        self.decision, self.traffic = decision, traffic
        self.chance = random.Random(seed)
        self.tried = Tried()
        self.rows = _Rows()
        self.ledger: dict[int, Reserved] = {}
        self.events: list[tuple[int, int, int, Any]] = []
        self.numbers = 0
        self.cell = np.zeros(traffic.subscribers, np.int64)
        self.channel = {name: i for i, name in enumerate(dict.fromkeys(s.channel for s in CAMPAIGNS))}
        self.source = {s.name: i for i, s in enumerate(CAMPAIGNS)}

    def at(self, t_us: int, kind: int, what: Any) -> None:
        self.numbers += 1
        heapq.heappush(self.events, (t_us, self.numbers, kind, what))

    def until(self, t_us: int) -> None:
        """Everything that falls due before a time."""
        while self.events and self.events[0][0] <= t_us:
            at_us, _, kind, what = heapq.heappop(self.events)
            if kind == _RECEIPT:
                one, state = what
                (self.decision.ended if state == "delivered" else self.decision.expired)(one, at_us)
            elif kind == _RELEASE:
                row, campaign, since_us = what
                self.decision.book.waiting.discard((row, CAMPAIGNS[campaign].name))
                self.judge(row, campaign, at_us, since_us, released=True)
            else:
                self.decision.enter(what)

    def judge(self, row: int, campaign: int, at_us: int, since_us: int, *, released: bool = False) -> None:
        sender = CAMPAIGNS[campaign]
        verdict = self.decision.decide(row, sender, at_us, since_us, int(self.cell[row]), released)
        if verdict.action == "hold":
            self.tried.held += 1
            self.decision.book.waiting.add((row, sender.name))
            self.at(verdict.release_us, _RELEASE, (row, campaign, since_us))
        elif verdict.action == "suppress":
            self.tried.suppressed[verdict.reason] = self.tried.suppressed.get(verdict.reason, 0) + 1
        else:
            self.tried.sent += 1
            one = Reserved(self.numbers, row, sender, at_us, verdict, 0)
            self.numbers += 1
            if self.decision.waits_us:
                self.at(at_us + self.decision.waits_us, _BOOK, one)
            else:
                self.decision.enter(one)
            self.ledger[one.number] = one
            self.submit(one, at_us)

    def submit(self, one: Reserved, at_us: int) -> None:
        """To the message centre; what it answers, and what it does."""
        drawn = self.chance.random()
        if drawn < 0.02:
            self.decision.unsent(one)
            return
        if drawn < 0.06:
            self.decision.unknown(one)
        else:
            one.answered = self.chance.random() < 0.9
        self.carry(one, at_us)

    def carry(self, one: Reserved, at_us: int) -> None:
        """The centre delivers when its validity lets it; an attempt begun in time may end a guard later."""
        decision, chance = self.decision, self.chance
        accepted_us = at_us + DECISION_US + chance.randrange(400_000)
        latest_us = decision.valid_until_us(one) + decision.policy.guard_us - 1
        parts, lost_from = one.sender.parts, 99
        how = chance.random()
        if how < 0.12:
            lost_from = chance.randrange(1, parts + 1)  # this part and those after it expire
        reference, last_us = one.number % 256 if parts > 1 else -1, accepted_us
        for part in range(1, parts + 1):
            if part >= lost_from:
                break
            if how < 0.45:
                t_us = accepted_us + chance.randrange(3 * SECOND_US)
            elif how < 0.75:
                t_us = latest_us - chance.choice((0, 0, 1, SECOND_US, 50 * SECOND_US))
            else:
                t_us = accepted_us + int(chance.random() * max(latest_us - accepted_us, 1))
            t_us = max(min(t_us, latest_us), accepted_us)
            last_us = max(last_us, t_us)
            self.rows.add(
                t_us, accepted_us // SECOND_US * SECOND_US, reference, part, parts, one.row,
                self.source[one.sender.name], self.channel[one.sender.channel], int(self.cell[one.row]),
            )  # fmt: skip
        told_us = last_us if lost_from > parts else max(last_us, decision.valid_until_us(one))
        if one.answered and chance.random() < 0.9:
            state = "delivered" if lost_from > parts else "expired"
            self.at(told_us + chance.randrange(5 * SECOND_US), _RECEIPT, (one, state))

    def run(self, progress: Callable[[float], None]) -> Tried:
        traffic, decision = self.traffic, self.decision
        columns = zip(
            traffic.t_us.tolist(),
            traffic.row.tolist(),
            traffic.campaign.tolist(),
            traffic.cell.tolist(),
            strict=True,
        )
        stops = list(traffic.stops)[::-1]
        stopped: list[tuple[int, int]] = []
        restart_us = int(traffic.t_us[0]) + RESTART_EVERY_US
        for count, (t_us, row, campaign, cell) in enumerate(columns):
            while stops and stops[-1][0] <= t_us:
                at_us, who = stops.pop()
                self.until(at_us)
                decision.stop(who, at_us)
                stopped.append((who, at_us))
            self.until(t_us)
            if t_us >= restart_us:
                self.restart(stopped, t_us)
                restart_us = t_us + RESTART_EVERY_US
            self.cell[row] = cell
            self.judge(row, campaign, t_us, t_us)
            self.tried.triggers += 1
            if not count % 20_000:
                progress(count / len(traffic.t_us))
        self.until(NEVER)
        self.tried.parts = self.rows.parts(traffic)
        return self.tried

    def restart(self, stopped: list[tuple[int, int]], t_us: int) -> None:
        """Killed and started again: books from the ledger, holds from the state, stops from the ledger."""
        self.tried.restarts += 1
        waiting = self.decision.book.waiting
        # A decision that was never booked died with the process, unless it has left already.
        ledger = sorted(self.ledger.values(), key=lambda one: (one.at_us, one.number))
        self.decision.restart(ledger)
        self.decision.book.waiting |= waiting
        for row, at_us in stopped:
            self.decision.stop(row, at_us)
        for one in self.decision.again(self.ledger):
            self.carry(one, t_us)


def try_decision(
    decision: Decision, traffic: Traffic, seed: int, progress: Callable[[float], None] = lambda share: None
) -> Tried:
    """Runs it all."""
    return _Trial(decision, traffic, seed).run(progress)
