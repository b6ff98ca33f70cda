"""Budgets through engine, dispatcher and ledger: how a trigger ends, what is given back, when it is anew."""

import asyncio
from pathlib import Path

import pytest

from marketing.channels import Outcome
from marketing.clock import Clock
from marketing.contact import Book, Policy
from marketing.contact.ledger import Ledger
from marketing.contact.schema import contact
from marketing.effects import Accounts, Conversations, Records
from marketing.effects.dispatch import Dispatcher
from marketing.engine import new_state, on_batch
from marketing.metrics import Metrics
from marketing.starting import restore
from marketing.workers import LocalHost

SENT, SPENT = ("sent", ""), ("suppressed", "budget")


class Ready:
    def __init__(self, outcome):
        self.outcome = outcome

    def __await__(self):
        return self.outcome
        yield


class Desk:
    """A platform of twenty subscribers whose database outlives it."""

    def __init__(self, town, folder, *campaigns):
        self.town, self.folder, self.campaigns = town, folder, campaigns
        self.clock = Clock("lockstep", town.at("2009-03-02 10:00"))
        self.outcome, self.ledger = Outcome("submitted", "", ("m",)), None
        self.start()

    def start(self):
        if self.ledger is not None:
            self.close()
        people = self.town.profiles(20)
        file = self.town.policy_file(caps={"per_calendar_month": 1}, duplicate={"same_campaign_days": 0})
        self.state = new_state(
            people, self.town.places(), self.campaigns, Policy.of(file), Book.empty(len(people))
        )
        self.ledger = Ledger(f"sqlite:///{self.folder}/l.db", cap=1)
        engine = LocalHost(self.state)
        records = Records(Path(self.folder) / "records")
        self.dispatcher = Dispatcher(
            *(engine, self.clock, self, self, None, records, Metrics(), Conversations()),
            lambda fault: None,
            Accounts(None),
        )
        restore(self.ledger, engine, self.dispatcher.conversations)

    async def apply(self, operations, *, urgent=True):
        return self.ledger.apply(operations) if operations else []

    def submit(self, *_):
        return Ready(self.outcome)

    async def cancel(self, *_):
        return True

    def at(self, local, kind, *subs):
        t_us = self.town.at(local)
        self.clock.set_us(t_us)
        # What falls on one instant goes in the order of contact ids: here each has its own.
        rows = self.town.batch(*({"t": t_us + n, "kind": kind, "sub": sub} for n, sub in enumerate(subs)))
        decisions = on_batch(self.state, rows, t_us)
        self.dispatcher.take(decisions)
        asyncio.run(self.dispatcher.flush(wait=True))
        known = [self.dispatcher.records.known(d.trigger.trigger_id) for d in decisions]
        return [(record.state, record.reason) for record in known]

    def close(self):
        self.ledger.close()
        self.dispatcher.records.close()


@pytest.fixture
def desk(town, tmp_path):
    made = []

    def make(*campaigns):
        made.append(Desk(town, tmp_path, *campaigns))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("restarts", [False, True])
def test_what_comes_after_the_budget_ends_suppressed_and_keeps_its_place_under_the_cap(desk, town, restarts):
    other = town.campaign("other", scene={"begin": {"behaviour": "sms_sent"}})
    one = desk(town.campaign(budget=3), other)
    assert one.at("2009-03-02 10:00", "power_on", *range(5)) == [SENT] * 3 + [SPENT] * 2
    if restarts:
        one.start()
    assert one.at("2009-03-20 10:01", "power_on", 5) == [SPENT]
    # One contact a month: who was refused has had none.
    cap = ("suppressed", "cap")
    assert one.at("2009-03-20 10:02", "sms_sent", *range(6)) == [cap] * 3 + [SENT] * 3


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("outcome", "after"),
    [
        (Outcome("failed", "bound", counted=False), SENT),
        (Outcome("unknown", "no answer", counted=True), SPENT),
        (Outcome("failed", "refused", counted=True), SPENT),
    ],
)
def test_what_has_not_left_is_given_back(desk, town, restarts, outcome, after):
    one = desk(town.campaign(budget={"contacts": 2, "per": "day"}))
    one.outcome = outcome
    assert [state for state, _ in one.at("2009-03-02 10:00", "power_on", 0, 1)] == ["failed"] * 2
    one.outcome = Outcome("submitted", "", ("n",))
    if restarts:
        one.start()
    assert one.at("2009-03-02 10:01", "power_on", 2, 3, 4) == [after] * 2 + [SPENT]


NEW = [
    ("day", "2009-03-02 20:00", "2009-03-03 09:00"),
    ("week", "2009-03-08 20:00", "2009-03-09 09:00"),
    ("month", "2009-03-31 20:00", "2009-04-01 09:00"),
]


@pytest.mark.parametrize(("per", "last", "anew"), NEW)
def test_a_new_period_has_the_whole_budget(desk, town, per, last, anew):
    one = desk(town.campaign(budget={"contacts": 2, "per": per}))
    assert one.at("2009-03-02 10:00", "power_on", 0, 1, 2) == [SENT, SENT, SPENT]
    assert one.at(last, "power_on", 3) == [SPENT]
    assert one.at(anew, "power_on", 4, 5, 6) == [SENT, SENT, SPENT]
    assert len([row for row in one.ledger.rows(contact) if row["counted"]]) == 4


def test_a_decision_asked_for_by_hand_is_told_so(desk, town):
    one = desk(town.campaign(budget=1))
    t_us = town.at("2009-03-02 10:00")
    rows = town.batch(*({"t": t_us, "kind": "power_on", "sub": sub} for sub in range(2)))
    first, second = on_batch(one.state, rows, t_us)
    assert asyncio.run(one.dispatcher.send_now(first)) == ""
    assert asyncio.run(one.dispatcher.send_now(second)) == "budget"


def test_contacts_that_leave_in_a_file_spend_it_too(desk, town):
    one = desk(town.campaign(budget=2))
    t_us = town.at("2009-03-02 10:00")
    rows = town.batch(*({"t": t_us, "kind": "power_on", "sub": sub} for sub in range(4)))
    decisions = on_batch(one.state, rows, t_us)
    granted = asyncio.run(one.dispatcher.reserve(decisions))
    assert granted == decisions[:2]
    asyncio.run(one.dispatcher.given_back(granted[:1], "failed", "disk"))
    assert one.at("2009-03-02 10:01", "power_on", 5, 6) == [SENT, SPENT]
