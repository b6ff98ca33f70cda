"""A contact can be answered from the moment at which a channel has it."""

import asyncio

import pytest

from marketing.channels import Outcome, Reply
from marketing.clock import Clock
from marketing.contact import Book, Policy
from marketing.contact.ledger import OrderDone
from marketing.contact.memory import MemoryLedger
from marketing.effects import Accounts, Conversations, SentContact
from marketing.effects.dispatch import Dispatcher
from marketing.effects.records import Triggers
from marketing.effects.replies import received_us
from marketing.engine import new_state, on_batch
from marketing.metrics import Metrics
from marketing.workers import LocalHost

DAY = "2009-03-02"
SENDER = "1008601"


class Hasty:
    """Channel, ledger's writer and BOSS of a platform whose subscribers answer while they are written to."""

    def __init__(self, town, outcome, text):
        self.town, self.outcome, self.text = town, outcome, text
        self.clock, self.ledger = Clock("lockstep", town.at(f"{DAY} 10:00")), MemoryLedger(cap=9)
        self.orders, self.notes = [], []
        follows = [{"after_s": 600, "campaign": "reminder"}]
        campaigns = (
            town.campaign("first", originator=SENDER, follow_ups=follows),
            town.campaign("reminder", mode="follow_up", scene=None, originator="1008609"),
        )
        people = town.profiles(3)
        self.state = new_state(
            people, town.places(), campaigns, Policy.of(town.policy_file()), Book.empty(len(people))
        )
        self.dispatcher = Dispatcher(
            *(LocalHost(self.state), self.clock, self, self, self, Triggers(), Metrics(), Conversations()),
            lambda fault: None,
            Accounts(None),
            note=lambda what, msisdn, campaign, t_us: self.notes.append(what),
        )

    async def apply(self, operations, *, urgent=True):
        return self.ledger.apply(operations)

    async def submit(self, message, _unsent_after_s):
        self.dispatcher.take_inbound(Reply(self.clock.now_us(), message.msisdn, SENDER, self.text))
        await self.dispatcher.flush(wait=True)
        return self.outcome

    async def cancel(self, *_):
        return True

    async def place(self, order, _give_up_s):
        self.orders.append(order.order_id)
        return OrderDone(order.order_id, "done")

    def begin(self):
        rows = self.town.batch({"t": f"{DAY} 10:00", "sub": 1, "kind": "power_on"})
        decisions = on_batch(self.state, rows, self.clock.now_us())
        self.dispatcher.take(decisions)
        asyncio.run(self.dispatcher.flush(wait=True))
        return decisions[0].contact.contact_id


SENT = Outcome("submitted", "", ("m",))
NEVER_LEFT = Outcome("failed", "window", counted=False)


@pytest.mark.parametrize("outcome", [SENT, Outcome("unknown", "lost"), NEVER_LEFT])
def test_it_orders_whatever_the_channel_says_afterwards(town, outcome):
    one = Hasty(town, outcome, "1")
    contact_id = one.begin()
    assert one.orders == [contact_id]
    assert one.dispatcher.conversations.contact(contact_id).ordered


def test_what_follows_is_ended_for_good(town):
    """Told in this order after a kill, too: what was answered is not taken up again by having been sent."""
    one = Hasty(town, SENT, "what is this")
    one.begin()
    assert one.notes == ["answered"]
    assert one.state.following == {}


def test_what_never_left_is_forgotten(town):
    one = Hasty(town, NEVER_LEFT, "what is this")
    contact_id = one.begin()
    assert one.dispatcher.conversations.contact(contact_id) is None
    assert one.dispatcher.conversations.answered(town.msisdn(1), SENDER) is None


def contact(name, number="1008601"):
    return SentContact(name, "a", "o", number, "86139")


def test_of_several_the_latest_that_may_have_left_is_answered():
    talk = Conversations()
    old, new, newest, other = contact("old"), contact("new"), contact("newest"), contact("other", "1008602")
    talk.sent(old, ("old.1",))
    for one in (new, other, newest):
        talk.leaving(one)
    assert talk.answered("86139", "1008601") is newest
    assert talk.latest("86139", "100860") == [newest, other]
    talk.unsent("newest")
    assert talk.answered("86139", "1008601") is new
    talk.sent(new, ("new.1",))
    assert talk.answered("86139", "1008601") is new
    talk.unsent("other")
    assert talk.latest("86139", "100860") == [new]
    talk.unsent("nobody knows it")
    assert [m for m, _ in talk.pending("86139")] == ["new.1", "old.1"]


def test_a_receipt_counts_by_our_own_clock_where_the_peers_is_another(town):
    one = contact("c")
    one.decided_us = town.at(f"{DAY} 10:00")
    clock = Clock("wall")
    assert received_us(one, one.decided_us, clock) == one.decided_us
    assert abs(received_us(one, one.decided_us - 1, clock) - clock.now_us()) < 5_000_000
    clock.follow(1)
    assert abs(received_us(one, one.decided_us + 1, clock) - clock.now_us()) < 5_000_000
    for mode in ("live", "lockstep"):
        assert received_us(one, 7, Clock(mode, 9)) == 7
