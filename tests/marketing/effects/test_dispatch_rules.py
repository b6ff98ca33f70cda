"""Dispatcher, ledger and engine together under rules with windows: receipts, restarts, ends of holds."""

import asyncio
from pathlib import Path

import pytest

from marketing.channels import Outcome, Receipt
from marketing.clock import Clock
from marketing.contact import Book, Policy
from marketing.contact.guard import Guard
from marketing.contact.ledger import Ledger
from marketing.contact.schema import contact
from marketing.effects import Accounts, Conversations, Records
from marketing.effects.dispatch import Dispatcher
from marketing.engine import change_campaigns, new_state, on_batch, on_timers
from marketing.metrics import Metrics
from marketing.starting import restore
from marketing.workers import LocalHost

DAY = "2009-03-02"
RULES = {
    "caps": {"per_calendar_month": 9, "rules": [{"most": 2, "within_s": 86_400}]},
    "minimum_gap_s": 3600,
    "duplicate": {"same_campaign_days": 0},
    "validity_s": 7200.0,
}


class Ready:
    def __init__(self, outcome):
        self.outcome = outcome

    def __await__(self):
        return self.outcome
        yield


class Desk:
    """A platform whose database outlives it; each contact is one message, `CONTACT.1`."""

    def __init__(self, town, folder, *campaigns, **rules):
        self.town, self.folder, self.campaigns, self.rules = town, folder, campaigns, rules
        self.clock = Clock("lockstep", town.at(f"{DAY} 10:00"))
        self.early, self.sent = False, []
        self.ledger = None
        self.start()

    def start(self):
        file = self.town.policy_file(**{**RULES, **self.rules})
        if self.ledger is not None:
            asyncio.run(self.dispatcher.flush(wait=True))
            self.ledger.close()
            self.dispatcher.records.close()
        self.state = new_state(
            self.town.profiles(3), self.town.places(), self.campaigns, Policy.of(file), Book.empty(3)
        )
        self.ledger = Ledger(f"sqlite:///{self.folder}/l.db", cap=9, guard=Guard.of(file))
        engine = LocalHost(self.state)
        self.dispatcher = Dispatcher(
            engine,
            self.clock,
            self,
            self,
            None,
            Records(Path(self.folder) / "records"),
            Metrics(),
            Conversations(),
            lambda fault: None,
            Accounts(None),
        )
        restore(self.ledger, engine, self.dispatcher.conversations)

    async def apply(self, operations, *, urgent=True):
        return self.ledger.apply(operations) if operations else []

    def submit(self, contact_id, *_):
        self.sent.append(contact_id)
        if self.early:  # the receipt overtakes the response
            self.dispatcher.take_inbound(Receipt(self.clock.now_us(), f"{contact_id}.1", "delivered"))
        return Ready(Outcome("submitted", "", (f"{contact_id}.1",)))

    async def cancel(self, message_id, originator, msisdn):
        return True

    def at(self, local, *kinds, day=DAY):
        """Behaviours then; the reasons of what was decided in the end, empty: sent."""
        t_us = self.town.at(f"{day} {local}")
        now_us = self.clock.now_us()
        decisions = on_timers(self.state, t_us - 1, now_us)
        if kinds:
            rows = self.town.batch(*({"t": t_us, "kind": kind} for kind in kinds))
            decisions += on_batch(self.state, rows, now_us)
        self.clock.set_us(t_us)
        self.dispatcher.take(decisions)
        asyncio.run(self.dispatcher.flush(wait=True))
        known = [self.dispatcher.records.known(d.trigger.trigger_id) for d in decisions]
        return [(record.state, record.reason) for record in known]

    def receipt(self, local, state="delivered"):
        at_us = self.town.at(f"{DAY} {local}")
        self.clock.set_us(at_us)
        self.dispatcher.take_inbound(Receipt(at_us, f"{self.sent[-1]}.1", state))
        asyncio.run(self.dispatcher.flush(wait=True))

    def close(self):
        self.ledger.close()
        self.dispatcher.records.close()


@pytest.fixture
def desk(town, tmp_path):
    made = []

    def make(*campaigns, **rules):
        made.append(Desk(town, tmp_path, *(campaigns or (town.campaign(),)), **rules))
        return made[-1]

    yield make
    for one in made:
        one.close()


SENT, GAP = [("sent", "")], [("suppressed", "gap")]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("early", [False, True])
def test_a_gap_runs_from_the_receipt_once_it_is_told(desk, restarts, early):
    one = desk()
    one.early = early
    assert one.at("10:00:00", "power_on") == SENT
    if not early:
        one.receipt("10:00:10")
    if restarts:
        one.start()
    last = "00" if early else "10"
    before = "10:59:59" if early else "11:00:09"
    assert one.at(before, "power_on") == GAP
    assert one.at(f"11:00:{last}", "power_on") == SENT


@pytest.mark.parametrize("restarts", [False, True])
def test_without_a_receipt_it_runs_from_the_last_moment(desk, restarts):
    one = desk()
    assert one.at("10:00:00", "power_on") == SENT
    if restarts:
        one.start()
    assert one.at("13:00:59", "power_on") == GAP  # two hours' validity, a minute's attempt, an hour's gap
    assert one.at("13:01:00", "power_on") == SENT
    assert one.at("20:00:00", "power_on") == [("suppressed", "cap")]


def test_the_ledger_stands_in_for_a_book_that_has_forgotten(desk):
    """Whatever went wrong above: a book that knows of no contact."""
    one = desk()
    assert one.at("10:00:00", "power_on") == SENT
    one.state.book.log.load([], one.state.book.log.entries()[1][:0])
    assert one.at("12:00:00", "power_on") == GAP
    assert len(one.sent) == 1
    assert len(list(one.ledger.rows(contact))) == 1


def test_a_hold_whose_campaign_is_taken_away_has_an_end(desk, town):
    one = desk(town.campaign("alert"), town.campaign("other", scene={"begin": {"behaviour": "sms_sent"}}))
    assert one.at("22:00:00", "power_on") == [("held", "quiet_hours")]
    change_campaigns(one.state, tuple(c for c in one.state.campaigns if c.campaign == "other"))
    one.dispatcher.take_ended()
    assert one.dispatcher.records.counts() == {"suppressed": 1}
    (record,) = one.dispatcher.records._triggers.values()
    assert (record.reason, record.campaign) == ("withdrawn", "alert")
    assert one.at("10:00:00", day="2009-03-03") == []
    assert one.dispatcher.records.counts() == {"suppressed": 1}


def test_every_held_trigger_ends_once(desk, town):
    one = desk(town.campaign("alert"), town.campaign("call", hold="drop"), minimum_gap_s=0)
    assert one.at("22:00:00", "power_on") == [("held", "quiet_hours"), ("suppressed", "quiet_hours")]
    assert one.at("09:00:01", day="2009-03-03") == SENT
    assert one.dispatcher.records.counts() == {"sent": 1, "suppressed": 1}
