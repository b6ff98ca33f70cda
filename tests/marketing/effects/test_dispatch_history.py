"""Any history of triggers, refusals, losses, receipts, stop codes, crashes and restarts keeps the policy."""

import asyncio
import csv
import itertools
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from marketing.channels import Outcome, Receipt, Reply
from marketing.clock import Clock
from marketing.contact import Book, Policy
from marketing.contact.ledger import Ledger, OrderDone, Settled
from marketing.effects import Accounts, Conversations, Records
from marketing.effects.dispatch import Dispatcher
from marketing.engine import new_state, next_due, on_batch, on_timers
from marketing.metrics import Metrics
from marketing.profiles import Column
from marketing.selecting import SelectionError, Selector
from marketing.server import restore
from marketing.workers import LocalHost

CAP = 2
ASKING = "1008604"
"""Sender of the campaign that asks BOSS."""
HOUR = 3_600_000_000


class Killed(Exception):  # noqa: N818 - what happens, not what is wrong
    """The process is gone."""


@dataclass
class Answer:
    outcome: Outcome
    kills: bool

    def __await__(self):
        if self.kills:
            raise Killed
        return self.outcome
        yield


class World:
    """What survives a crash: the database, and what has left the building."""

    def __init__(self, town):
        self.town = town
        self.folder = tempfile.TemporaryDirectory()
        self.left: list[tuple[str, str, str, int]] = []
        """(contact id, msisdn, originator, time) of everything that may be on its way to a handset."""
        self.orders: list[str] = []
        self.stopped: dict[str, int] = {}
        self.clock = Clock("lockstep", town.at("2009-03-28 10:30"))
        self.outcome = Outcome("submitted")
        self.yuan: float | None = 99.0
        self.takes_us = 0
        self.rich: set[str] = set()
        self.kill = ""
        self.ledger: Ledger | None = None
        self.numbers = itertools.count()
        self.start()

    def start(self):
        town = self.town
        if self.ledger is not None:
            self.ledger.close()
            self.dispatcher.records.close()
        campaigns = (
            town.campaign("alert", priority=5),
            town.campaign(
                "call", originator="1008603", hold="drop", scene={"begin": {"behaviour": "call_ended"}}
            ),
            town.campaign(
                "text",
                originator=ASKING,
                scene={"begin": {"behaviour": "sms_sent"}},
                boss="boss.balance >= 50.0",
            ),
        )
        people = town.profiles(3)
        policy = Policy.of(town.policy_file(duplicate={"same_campaign_days": 2}))
        self.state = new_state(people, town.places(), campaigns, policy, Book.empty(3))
        self.ledger = Ledger(f"sqlite:///{self.folder.name}/l.db", cap=CAP)
        records = Records(Path(self.folder.name) / "records")
        self.faults = []
        engine = LocalHost(self.state)
        self.dispatcher = Dispatcher(
            engine,
            self.clock,
            self,
            self,
            self,
            records,
            Metrics(),
            Conversations(),
            self.faults.append,
            Accounts(self),
        )
        restore(self.ledger, engine, self.dispatcher.conversations)

    # the ledger's writer, the channel and BOSS, as the dispatcher sees them

    async def apply(self, operations, *, urgent=True):
        if self.kill == "before commit":
            raise Killed
        results = self.ledger.apply(operations) if operations else []
        if self.kill == "after commit" and operations:
            raise Killed
        if self.kill == "at settlement" and any(isinstance(one, Settled) for one in operations):
            raise Killed
        return results

    async def ask(self, msisdns, names, now_us):
        assert names == ["balance"]
        if self.kill == "while asking":
            raise Killed
        self.clock.set_us(now_us + self.takes_us)
        if self.yuan is None:
            return {"balance": Column.unknown("double", len(msisdns))}
        self.rich |= {str(m) for m in msisdns if self.yuan >= 50}
        return {"balance": Column("double", np.full(len(msisdns), self.yuan))}

    def submit(self, message, unsent_after_s):
        contact_id, msisdn, originator = message.contact_id, message.msisdn, message.originator
        assert message.valid_until_us > self.clock.now_us()
        assert originator != ASKING or msisdn in self.rich
        outcome, at_us = self.outcome, self.clock.now_us()
        if outcome.counted:
            self.left.append((contact_id, msisdn, originator, at_us))

        ids = (f"{contact_id}.1",) if outcome.state == "submitted" else ()
        answer = Outcome(outcome.state, outcome.reason, ids, outcome.counted)
        return Answer(answer, self.kill == "after submit")

    async def cancel(self, channel, message_id, originator, msisdn):
        return True

    async def place(self, order, give_up_s=None):
        self.orders.append(order.order_id)
        return OrderDone(order.order_id, "done")

    def bulk(self, name):
        """An operator's file of contacts; whatever is in a file that is there may be on its way."""
        state = self.state
        campaign = state.campaigns[state.numbers[name]]
        folder = Path(self.folder.name)
        selector = Selector(LocalHost(state), self.clock, self.dispatcher, folder)
        before, now_us = set(folder.glob("bulk-sms-*.csv")), self.clock.now_us()
        try:
            asyncio.run(selector._bulk(campaign, np.arange(3), now_us))
        except SelectionError:
            assert not state.policy.window(now_us).open
        except Killed:
            self.start()
        self.kill = ""
        for path in set(folder.glob("bulk-sms-*.csv")) - before:
            with path.open(encoding="utf-8", newline="") as file:
                self.left += [
                    (row["contact_id"], row["msisdn"], row["originator"], now_us)
                    for row in csv.DictReader(file)
                ]

    def flush(self):
        try:
            asyncio.run(self.dispatcher.flush(wait=True))
        except Killed:
            self.start()
        self.kill = ""
        # Nothing that was decided is without an end.
        assert not self.dispatcher.records.counts().get("pending")


KINDS = ["power_on", "call_ended", "sms_sent"]
OUTCOMES = [Outcome("submitted")] * 2 + [
    Outcome("unknown", "lost"),
    Outcome("failed", "no", (), False),
    Outcome("failed", "half"),
]


class ContactHistory(RuleBasedStateMachine):
    town: SimpleNamespace

    @initialize()
    def begin(self):
        self.world = World(self.town)

    @rule(
        hours=st.sampled_from([0, 1, 1, 2, 11, 30]),
        acts=st.lists(
            st.tuples(st.sampled_from([0, 0, 0, 1]), st.sampled_from(KINDS)), min_size=1, max_size=2
        ),
        outcome=st.sampled_from(OUTCOMES),
        kill=st.sampled_from([""] * 9 + ["before commit", "after commit", "after submit", "while asking"]),
        yuan=st.sampled_from([99.0, 99.0, 1.0, None]),
        takes_us=st.sampled_from([0, 0, 1_000_000, HOUR // 2]),
    )
    def behave(self, hours, acts, outcome, kill, yuan, takes_us):
        world = self.world
        t_us = world.clock.now_us() + hours * HOUR
        world.outcome, world.yuan, world.takes_us = outcome, yuan, takes_us
        world.rich.clear()
        while (due_us := next_due(world.state)) is not None and due_us <= t_us:
            world.clock.set_us(max(due_us, world.clock.now_us()))
            world.dispatcher.take(on_timers(world.state, due_us, world.clock.now_us()))
            world.flush()
        rows = self.town.batch(*({"t": t_us, "sub": sub, "kind": kind} for sub, kind in acts))
        world.dispatcher.take(on_batch(world.state, rows, world.clock.now_us()))
        # BOSS may have taken its time over what was released before.
        world.clock.set_us(max(t_us, world.clock.now_us()))
        world.kill = kill
        world.flush()

    @rule(
        name=st.sampled_from(["alert", "call"]),
        kill=st.sampled_from(["", "", "before commit", "after commit", "at settlement"]),
    )
    def select(self, name, kill):
        self.world.kill = kill
        self.world.bulk(name)

    @rule(which=st.integers(0, 5), state=st.sampled_from(["delivered", "expired", "failed"]))
    def receipt(self, which, state):
        if self.world.left:
            contact_id = self.world.left[-1 - which % len(self.world.left)][0]
            self.world.dispatcher.take_inbound(Receipt(self.world.clock.now_us(), f"{contact_id}.1", state))
            self.world.flush()

    @rule(which=st.integers(0, 5), text=st.sampled_from(["1", "TD", "?"]))
    def reply(self, which, text):
        if self.world.left:
            _, msisdn, originator, _ = self.world.left[-1 - which % len(self.world.left)]
            now_us = self.world.clock.now_us()
            self.world.dispatcher.take_inbound(Reply(now_us, msisdn, originator, text))
            self.world.flush()
            if text == "TD":
                self.world.stopped.setdefault(msisdn, now_us)

    @rule()
    def restart(self):
        self.world.start()

    @invariant()
    def the_policy_holds(self):
        if not hasattr(self, "world"):
            return
        left, hours = self.world.left, self.world.state.policy.hours
        assert len({contact_id for contact_id, *_ in left}) == len(left), "sent twice"
        months = Counter((msisdn, hours.period(t)) for _, msisdn, _, t in left)
        assert all(n <= CAP for n in months.values()), months
        assert not any(hours.span(t).closed for *_, t in left)
        assert not any(t > self.world.stopped.get(msisdn, t) for _, msisdn, _, t in left)
        days: dict[tuple[str, str], int] = {}
        for _, msisdn, originator, t in left:
            day = hours.span(t).day
            assert day - days.get((msisdn, originator), 0) >= 2, "the same campaign too soon"
            days[msisdn, originator] = day
        assert len(set(self.world.orders)) == len(self.world.orders), "ordered twice"

    def teardown(self):
        if hasattr(self, "world"):
            self.world.ledger.close()
            self.world.dispatcher.records.close()
            self.world.folder.cleanup()


def test_any_history_keeps_the_policy(town):
    from hypothesis.stateful import run_state_machine_as_test

    ContactHistory.town = town
    run_state_machine_as_test(
        ContactHistory,
        settings=settings(
            max_examples=10, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
