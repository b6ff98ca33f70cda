"""Who has a message may write back before the centre has told us that it took it: nothing of that is lost."""

import time

import pytest

from smpp.status import CommandStatus

DAY = "2009-03-02"
CALL = {"kind": "call_ended", "role": 1, "peer": b"10086"}
SENDER = "1008603"


@pytest.fixture
def waiting(town, platform):
    """A platform whose contact the centre has taken and not answered."""
    one = platform(mode="live", clock={"mode": "live", "start_s": 36_000})
    one.centre.withholds = True
    one.push({"t": f"{DAY} 10:00", "sub": 1, **CALL})
    one.until(lambda: len(one.centre.submits) == 1)
    return one


def replied(one, town, text, sub=1):
    return one.centre.reply(town.msisdn(sub), SENDER, text, town.at(f"{DAY} 10:00:30"))


def ended(one, state):
    one.centre.withholds = False
    one.until(lambda: one.server.records.counts() == {state: 1})
    return one


def test_an_order_that_overtakes_the_answer_to_its_contact_is_placed(town, waiting):
    one = waiting
    assert replied(one, town, "1", sub=2) == CommandStatus.ESME_ROK  # nobody has asked him
    assert replied(one, town, "1") == CommandStatus.ESME_ROK
    one.until(lambda: one.orders)
    assert one.server.records.counts() == {"pending": 1}
    assert ended(one, "sent").stop() == 0
    (entry,) = one.records().ledger
    assert entry["state"] == "submitted"
    assert [(o["order_id"], o["msisdn"]) for o in one.orders] == [(entry["contact_id"], town.msisdn(1))]


def test_an_answer_in_the_same_read_as_the_reply_changes_nothing(town, waiting):
    """On a busy machine both wait in the socket, and the reply is taken up first."""
    one = waiting
    one.server._loop.call_soon_threadsafe(time.sleep, 0.5)
    one.centre.withholds = False
    time.sleep(0.1)
    assert replied(one, town, "1") == CommandStatus.ESME_ROK
    one.until(lambda: one.orders)
    ended(one, "sent").stop()


def test_what_is_refused_after_all_can_no_longer_be_answered(town, waiting):
    one = waiting
    one.centre.withholds = False
    one.until(lambda: one.server.records.counts() == {"sent": 1})
    one.centre.answer = lambda body: CommandStatus.ESME_RINVDSTADR
    one.push({"t": f"{DAY} 10:00", "sub": 2, **CALL})
    one.until(lambda: one.server.records.counts() == {"sent": 1, "failed": 1})
    assert replied(one, town, "1", sub=2) == CommandStatus.ESME_ROK
    assert replied(one, town, "1", sub=1) == CommandStatus.ESME_ROK
    one.until(lambda: one.orders)
    one.stop()
    assert [o["msisdn"] for o in one.orders] == [town.msisdn(1)]


def test_a_stop_code_takes_back_what_the_centre_had_not_named_yet(town, waiting):
    one = waiting
    assert replied(one, town, "TD") == CommandStatus.ESME_ROK
    assert one.centre.cancels == []
    ended(one, "sent")
    one.until(lambda: one.centre.cancels)
    one.stop()
    assert one.centre.cancels == [f"{one.records().ledger[0]['contact_id']}.1"]


def test_an_answer_that_never_comes_leaves_the_order_where_it_is(town, waiting):
    one = waiting
    assert replied(one, town, "1") == CommandStatus.ESME_ROK
    one.until(lambda: one.orders)
    one.centre.server.peers[0].abort()
    one.until(lambda: one.server.records.counts() == {"failed": 1})
    one.stop()
    (entry,) = one.records().ledger
    assert (entry["state"], entry["counted"]) == ("unknown", True)
    assert [o["order_id"] for o in one.orders] == [entry["contact_id"]]
