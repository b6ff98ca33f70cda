"""Gaps and windows over a clock that is set forward and back: measured in true time, in book and ledger."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketing.contact import Book, Policy
from marketing.contact.guard import Guard
from marketing.contact.ledger import Ledger
from marketing.contact.memory import MemoryLedger
from marketing.contact.operations import MessageDone, Reservation, Settled
from marketing.contact.schema import contact
from marketing.contact.steps import ClockStep

SECOND_US = 1_000_000
GAP_S, VALIDITY_S, GUARD_S = 3600, 1200.0, 60.0
DAY_S = 86_400
RULES = {
    "caps": {"per_calendar_month": 99, "rules": [{"most": 2, "within_s": 4 * GAP_S}]},
    "duplicate": {"same_campaign_days": 0},
    "minimum_gap_s": GAP_S,
    "validity_s": VALIDITY_S,
    "validity_guard_s": GUARD_S,
    "quiet_hours": None,
}


class Phone:
    """One subscriber and a platform whose clock is set; time that is true is kept beside."""

    def __init__(self, town, ledger=MemoryLedger):
        self.town = town
        file = town.policy_file(**RULES)
        self.policy = Policy.of(file)
        self.ledger = ledger(cap=99, guard=Guard.of(file))
        self.true_us = town.at("2009-03-04 12:00")
        self.wrong_us = 0
        self.sent: list[int] = []
        """True instants."""
        self.steps = 0
        self.guarded = ""
        """What the ledger by itself says of the latest wish."""
        self.began_us = self.now_us
        self.book = Book.empty(1)
        self.kind = self.policy.kind("1008601")

    @property
    def now_us(self):
        return self.true_us + self.wrong_us

    def set(self, by_s):
        reach_us = self.policy.validity_us + self.policy.guard_us
        keep_us = self.policy.keep_s * SECOND_US
        step = ClockStep.of(by_s * SECOND_US, self.now_us, self.began_us, reach_us, keep_us)
        self.book.clock_set(step)
        self.ledger.apply([step])
        self.wrong_us += by_s * SECOND_US
        self.began_us += by_s * SECOND_US
        self.steps += 1

    def wish(self, receipt_s):
        """Why it is refused, by the book and by the ledger; empty: it goes, and is received so much later."""
        at_us, number = self.now_us, len(self.sent)
        verdict = self.policy.decide(self.book, 0, "alert", at_us, may_hold=False, kind=self.kind)
        span, latest_us = verdict.span or self.policy.window(at_us).span, verdict.latest_us or at_us
        asked = Reservation(
            f"{number:016x}", f"t{number}", "alert", "1008601", "o", 1, 86139, span.period, span.day, number,
            at_us, latest_us, latest_us,
        )  # fmt: skip
        if isinstance(self.ledger, MemoryLedger):
            look = Guard.of(self.policy.file).look([asked], self.ledger._lately)
            self.guarded = look.refusal(asked)
        if verdict.action != "send":
            return verdict.reason
        (refused,) = self.ledger.apply([asked])
        if refused:
            return f"ledger: {refused}"
        self.book.add(0, "alert", span, at_us, latest_us, self.kind)
        self.sent.append(self.true_us + receipt_s * SECOND_US)
        self.ledger.apply([Settled(asked.contact_id, "submitted", at_us, True, "", (f"m{number}",))])
        self.true_us += receipt_s * SECOND_US
        self.ledger.apply([MessageDone(f"m{number}", "delivered", self.now_us)])
        self.book.settled(0, at_us, self.kind, self.now_us)
        return ""


ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("goes on"), st.integers(0, 2 * GAP_S)),
        st.tuples(st.just("goes on"), st.sampled_from([GAP_S - 30, GAP_S - 1, GAP_S, GAP_S + 30])),
        st.tuples(st.just("set"), st.integers(-5, 5).map(lambda n: n * GAP_S)),
        st.tuples(st.just("set"), st.sampled_from([-7 * DAY_S, -1, 1, 7 * DAY_S, 400 * DAY_S])),
        st.tuples(st.just("wish"), st.integers(1, 600)),
    ),
    max_size=30,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTS)
def test_no_step_shortens_a_gap_or_a_window_and_none_makes_them_longer(town, acts):
    phone = Phone(town)
    for what, n in acts:
        if what == "goes on":
            phone.true_us += n * SECOND_US
        elif what == "set":
            phone.set(n)
        else:
            before, now_us = phone.sent[-2:], phone.true_us
            reason = phone.wish(n)
            if reason == "delivery_margin":  # a month ends, by what the clock shows
                continue
            since_s = [(now_us - t) / SECOND_US for t in before]
            gap, window = bool(since_s) and since_s[-1] < GAP_S, len(since_s) == 2 and since_s[0] < 4 * GAP_S
            if gap or window:
                assert reason
                assert phone.guarded
            elif reason:
                # Whole seconds are kept: each step may cost one.
                slack_s = phone.steps + 1
                soon = since_s[-1] < GAP_S + slack_s
                assert soon or (len(since_s) == 2 and since_s[0] < 4 * GAP_S + slack_s), reason


def test_what_an_earlier_process_sent_never_seems_older_than_by_either_reading(town):
    """Its clock may have been right or wrong: forward it moves along, back it stays."""
    latest_s = town.at("2009-03-04 11:30") // SECOND_US

    def after(by_s, *, began="2009-03-04 12:00", now="2009-03-04 12:10"):
        book = Book.empty(1)
        book.restore(0, "alert", 200903, 733470, 0, True, (latest_s - 60) * SECOND_US, latest_s * SECOND_US)
        spans = 1260 * SECOND_US, 7 * DAY_S * SECOND_US
        book.clock_set(ClockStep.of(by_s * SECOND_US, town.at(now), town.at(began), *spans))
        return book.contacts(0)[0].latest_s - latest_s

    assert after(3 * DAY_S) == 3 * DAY_S
    assert after(-3 * DAY_S) == 0
    # The clock was years behind when it began, as without a battery; then it is set right.
    assert after(400 * DAY_S, began="2008-01-28 12:00", now="2008-01-28 12:10") == 0


def test_what_may_still_be_received_is_given_up_at_the_instant_that_the_centre_was_told(town):
    """The clock was ahead and is set right: the message may come as late as was said when it was sent."""
    phone = Phone(town)
    at_us, span = phone.now_us, phone.policy.window(phone.now_us).span
    phone.book.add(0, "alert", span, at_us, at_us + 600 * SECOND_US, phone.kind)
    phone.true_us += 599 * SECOND_US
    phone.set(-3600)
    assert phone.book.contacts(0)[0].latest_s == at_us // SECOND_US + 600
    phone.true_us += 4200 * SECOND_US  # never received, and over now by any clock
    phone.set(-60)
    assert phone.book.contacts(0)[0].latest_s == at_us // SECOND_US + 540


def test_what_is_older_than_any_rule_asks_for_stays(town):
    book = Book.empty(1)
    old_us, now_us = town.at("2009-02-01 12:00"), town.at("2009-03-04 12:00")
    book.restore(0, "alert", 200902, 733439, 0, True, old_us, old_us)
    book.clock_set(ClockStep.of(DAY_S * SECOND_US, now_us, now_us, SECOND_US, 7 * DAY_S * SECOND_US))
    assert book.contacts(0)[0].latest_s == old_us // SECOND_US


@pytest.mark.parametrize("by_s", [3 * DAY_S, -3 * DAY_S])
def test_the_database_moves_what_the_ledger_in_memory_moves(town, ledger_url, by_s):
    phone = Phone(town, lambda **how: Ledger(ledger_url, **how))
    try:
        assert phone.wish(30) == ""
        phone.true_us += 60 * SECOND_US
        (before,) = phone.ledger.rows(contact)
        phone.set(by_s)
        (row,) = phone.ledger.rows(contact)
        assert row["latest_us"] - before["latest_us"] == by_s * SECOND_US
        assert {**row, "latest_us": 0} == {**before, "latest_us": 0}, "what the calendar counts stays"
        assert phone.wish(30) == "gap"
        phone.true_us += GAP_S * SECOND_US
        assert phone.wish(30) == ""
    finally:
        phone.ledger.close()
