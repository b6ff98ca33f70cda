"""Budgets of campaigns in the ledger: exact in any order of events, over kills, and for several writers."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from marketing.campaigns import Budget, Campaign
from marketing.contact.ledger import Allowance, Ledger, LedgerError, Reservation, Settled
from marketing.contact.migrations import MIGRATIONS
from marketing.contact.schema import budget, contact

DAY = 86_400_000_000
CAP = 1_000_000


def wanted(number, allowance=None, *, campaign="alert", at=0, imsi=None):
    imsi = number if imsi is None else imsi
    name = (campaign, "1008601", "o")
    return Reservation(
        f"{number:016x}", f"t{number}", *name, imsi, 86139, 200903, 1, 0, at, at + 60, allowance=allowance
    )


def whole(most):
    return Allowance(most, -(1 << 62), 1 << 62)


def unsent(number):
    return Settled(f"{number:016x}", "failed", 5, counted=False)


def kept(ledger):
    """What the rows of budgets say, and what the contacts say of the same periods."""
    contacts = [row for row in ledger.rows(contact) if row["counted"]]
    said = {(r["campaign"], r["from_us"], r["until_us"]): r["taken"] for r in ledger.rows(budget)}
    counted = {
        (name, start, end): sum(
            c["campaign"] == name and start <= c["decided_us"] < end for c in contacts
        )
        for name, start, end in said
    }  # fmt: skip
    return said, counted


def test_a_budget_is_spent_to_the_last_contact_and_no_further(ledger_url):
    ledger = Ledger(ledger_url, cap=CAP)
    assert ledger.apply([wanted(n, whole(3)) for n in range(5)]) == ["", "", "", "budget", "budget"]
    assert ledger.apply([wanted(5, whole(3)), wanted(6, whole(3), campaign="other"), wanted(7)]) == [
        "budget", "", "",
    ]  # fmt: skip
    ledger.close()
    again = Ledger(ledger_url, cap=CAP)
    assert again.recover() == 5
    assert again.apply([wanted(8, whole(3))]) == ["budget"], "may have left when the platform ended"
    assert again.apply([wanted(9, whole(5)), wanted(10, whole(5))]) == ["", "budget"], "7 counts: no budget"
    said, counted = kept(again)
    assert said == counted
    again.close()


def test_only_what_has_not_left_is_given_back(ledger_url):
    ledger = Ledger(ledger_url, cap=CAP)
    ledger.apply([wanted(n, whole(4)) for n in range(4)])
    ledger.apply(
        [
            unsent(0),
            Settled(f"{1:016x}", "unknown", 5),
            Settled(f"{2:016x}", "submitted", 5, message_ids=("m",)),
            Settled(f"{3:016x}", "failed", 5),
        ]
    )
    assert ledger.apply([unsent(0), unsent(1), unsent(2), unsent(3)]) == [False, True, True, False]
    assert ledger.apply([wanted(n, whole(4)) for n in range(4, 7)]) == ["", "budget", "budget"]
    # Given back and taken again within one group.
    assert ledger.apply([unsent(4), wanted(7, whole(4)), wanted(8, whole(4))]) == [True, "", "budget"]
    assert kept(ledger)[0] == kept(ledger)[1]
    ledger.close()


def test_a_contact_refused_for_something_else_costs_nothing(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path}/l.db", cap=1)
    asked = [
        wanted(0, whole(2), imsi=1),
        wanted(1, whole(2), imsi=1),
        wanted(0, whole(2)),
        wanted(2, whole(2)),
    ]
    assert ledger.apply(asked) == ["", "cap", "duplicate", ""]
    assert ledger.apply([wanted(3, whole(2), imsi=1)]) == ["cap"], "the subscriber's reasons come first"
    ledger.close()


def test_a_group_that_fails_spends_nothing(ledger_url):
    ledger = Ledger(ledger_url, cap=CAP)
    with pytest.raises(LedgerError):
        ledger.apply([wanted(0, whole(1)), Reservation("x", None, "x", "x", "x", *[1] * 7)])
    assert ledger.apply([wanted(1, whole(1)), wanted(2, whole(1))]) == ["", "budget"]
    ledger.close()


def test_what_an_older_ledger_has_sent_counts(tmp_path):
    with sqlite3.connect(tmp_path / "l.db") as old:
        for statement in (s for step in MIGRATIONS[:3] for s in step):
            old.execute(statement)
        old.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        old.execute("INSERT INTO schema_version VALUES (3)")
        columns = (
            "contact_id, trigger_id, campaign, originator, offer, imsi, msisdn, period, day, ordinal,"
            " decided_us, valid_until_us, state, counted, reason, parts, submitted_us, settled_us"
        )
        for n, counted in enumerate((1, 1, 0)):
            values = (f"{n:016x}", "t", "alert", "1", "o", n, 1, 200903, 1, 0, n, 9, "submitted", counted)
            old.execute(
                f"INSERT INTO contact ({columns}) VALUES ({', '.join('?' * 18)})", (*values, "", 1, 5, 0)
            )
    old.close()
    ledger = Ledger(f"sqlite:///{tmp_path}/l.db", cap=CAP)
    assert ledger.apply([wanted(n, whole(4)) for n in range(5, 9)]) == ["", "", "budget", "budget"]
    ledger.close()


# --------------------------------------------------------------------------- any order of events

ALLOWANCES = st.one_of(
    st.none(),
    st.builds(whole, st.integers(1, 6)),
    st.builds(lambda most, days: (most, days), st.integers(1, 3), st.sampled_from([1, 2])),
)
RESERVE = st.tuples(
    st.just("reserve"),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3 * DAY), ALLOWANCES), min_size=1, max_size=5),
)
SETTLE = st.tuples(
    st.just("settle"),
    st.tuples(st.integers(0, 5), st.sampled_from(["unsent", "unknown", "submitted"])),
)
STEPS = st.lists(st.tuples(st.integers(0, 1), RESERVE | SETTLE | st.just(("restart", None))), max_size=25)


class Counter:
    """The same by adding up all that was granted."""

    def __init__(self):
        self.granted = []

    def answer(self, one):
        spent = 0
        if (allowance := one.allowance) is not None:
            spent = sum(
                counts and other.campaign == one.campaign
                and allowance.from_us <= other.decided_us < allowance.until_us
                for other, counts, _ in self.granted
            )  # fmt: skip
            if spent >= allowance.most:
                return "budget"
        self.granted.append([one, True, "reserved"])
        return ""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_two_writers_do_what_a_counter_does(tmp_path_factory, steps):
    run_against_counter(f"sqlite:///{tmp_path_factory.mktemp('budget')}/l.db", steps)


def test_two_writers_do_what_a_counter_does_on_postgresql(postgres):
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(steps=STEPS)
    def law(steps):
        run_against_counter(str(postgres.database()), steps)

    law()


def run_against_counter(url, steps):
    """Each step by one of two ledgers of one database."""
    ledgers, counter, numbers = [Ledger(url, cap=CAP) for _ in range(2)], Counter(), iter(range(10_000))
    for which, (what, how) in steps:
        if what == "reserve":
            group = []
            for name, at, allowance in how:
                if isinstance(allowance, tuple):
                    most, days = allowance
                    start = at // (days * DAY) * days * DAY
                    allowance = Allowance(most, start, start + days * DAY)
                group.append(wanted(next(numbers), allowance, campaign=f"c{name}", at=at))
            assert ledgers[which].apply(group) == [counter.answer(one) for one in group]
        elif what == "settle" and counter.granted:
            back, outcome = how
            entry = counter.granted[-1 - back % len(counter.granted)]
            state = "failed" if outcome == "unsent" else outcome
            done = Settled(entry[0].contact_id, state, 5, counted=outcome != "unsent")
            ledgers[which].apply([done])
            if entry[2] == "reserved":
                entry[1:] = [outcome != "unsent", outcome]
        elif what == "restart":
            for ledger in ledgers:
                ledger.close()
            ledgers = [Ledger(url, cap=CAP) for _ in range(2)]
            ledgers[0].recover()
            for entry in counter.granted:
                entry[2] = "unknown" if entry[2] == "reserved" else entry[2]
    said, counted = kept(ledgers[0])
    for ledger in ledgers:
        ledger.close()
    assert said == counted


# --------------------------------------------------------------------------- kills, processes

CHILD = """
    import sys
    from marketing.contact.ledger import Allowance, Ledger, Reservation, Settled
    ledger, first = Ledger(sys.argv[1], cap=1000000), int(sys.argv[2])
    allowance = Allowance(int(sys.argv[3]), 0, 1000)
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(first, first + 10_000_000, 7):
        group = [Reservation(f"{i:016x}", "t", "alert", "1", "o", i, 1, 200903, 1, 0, 1, 2,
                             allowance=allowance) for i in range(n, n + 7)]
        granted = [one for one, why in zip(group, ledger.apply(group)) if not why]
        # Every fifth does not leave after all.
        back = [one.contact_id for one in granted if int(one.contact_id, 16) % 5 == 0]
        ledger.apply([Settled(i, "failed", 5, counted=False) for i in back])
        print(len(granted) - len(back), flush=True)
        if not granted:
            break
"""


def child(url, first, most):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), url, str(first), str(most)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )  # fmt: skip


def begin(*children):
    for one in children:
        assert one.stdout.readline() == "ready\n"
    for one in children:
        one.stdin.write("go\n")
        one.stdin.flush()


@pytest.mark.parametrize("after", [1, 6])
def test_a_kill_leaves_the_rest_of_the_budget_to_be_spent(ledger_url, after):
    killed = child(ledger_url, 0, 200)
    begin(killed)
    for _ in range(after):
        killed.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=40)
    ledger = Ledger(ledger_url, cap=CAP)
    ledger.recover()
    (said, counted), spent = kept(ledger), sum(row["counted"] for row in ledger.rows(contact))
    assert said == counted == {("alert", 0, 1000): spent}
    assert after * 4 <= spent < 200
    more = ledger.apply([wanted(10**6 + n, Allowance(200, 0, 1000)) for n in range(220)])
    assert more == [""] * (200 - spent) + ["budget"] * (20 + spent)
    ledger.close()


def test_two_processes_spend_one_budget_together(ledger_url):
    Ledger(ledger_url, cap=CAP).close()
    both = [child(ledger_url, first, 150) for first in (0, 10**8)]
    begin(*both)
    granted = [sum(map(int, one.communicate(timeout=60)[0].split())) for one in both]
    assert [one.returncode for one in both] == [0, 0]
    ledger = Ledger(ledger_url, cap=CAP)
    said, counted = kept(ledger)
    # Both may have ended when the last was given back: never more is spent, and what is left is there.
    assert said == counted == {("alert", 0, 1000): sum(granted)}
    left = 150 - sum(granted)
    assert 0 <= left < 14
    assert ledger.apply([wanted(10**9 + n, Allowance(150, 0, 1000)) for n in range(left + 1)])[-1] == "budget"
    assert sum(row["counted"] for row in ledger.rows(contact)) == 150
    ledger.close()


# --------------------------------------------------------------------------- the key and its calendar


@pytest.mark.parametrize(
    "value", [0, -1, 1.5, True, "many", {"contacts": 0}, {"per": "day"}, {"contacts": 1, "per": "year"}]
)
def test_a_budget_that_cannot_be_meant_is_refused(town, value):
    with pytest.raises(ValidationError, match="budget"):
        town.campaign(budget=value)


def test_a_plain_number_is_of_the_whole_campaign(town):
    assert town.campaign(budget=5).budget == Budget(contacts=5, per="campaign")
    assert town.campaign().budget is None


def test_what_contacts_nobody_has_no_budget():
    scene = {"begin": {"behaviour": "power_on"}}
    keys = {"campaign": "alert", "title": "alert", "scene": scene, "output": "file"}
    assert Campaign.model_validate(keys).budget is None
    with pytest.raises(ValidationError, match="sends nothing: the key budget has no sense"):
        Campaign.model_validate(keys | {"budget": 5})


PERIODS = [
    ("Asia/Shanghai", "day", "2009-03-02T23:59:59", "2009-03-02", "2009-03-03"),
    ("Asia/Shanghai", "week", "2009-03-02T00:00:00", "2009-03-02", "2009-03-09"),
    ("Asia/Shanghai", "week", "2009-03-08T23:59:59", "2009-03-02", "2009-03-09"),
    ("Asia/Shanghai", "month", "2009-12-31T23:59:59", "2009-12-01", "2010-01-01"),
    ("Asia/Shanghai", "month", "2009-02-01T00:00:00", "2009-02-01", "2009-03-01"),
    ("Europe/Berlin", "day", "2009-03-29T12:00:00", "2009-03-29", "2009-03-30"),  # 23 hours
    ("Europe/Berlin", "day", "2009-10-25T12:00:00", "2009-10-25", "2009-10-26"),  # 25 hours
]


@pytest.mark.parametrize(("zone", "per", "at", "first", "after"), PERIODS)
def test_periods_are_those_of_the_calendar(zone, per, at, first, after):
    def us(text):
        return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000

    assert Budget(contacts=1, per=per).span_us(us(at), zone) == (us(first), us(after))


ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/Sao_Paulo", "America/St_Johns", "Asia/Kathmandu"]


@settings(max_examples=150, deadline=None)
@given(
    at_us=st.integers(946_684_800_000_000, 1_400_000_000_000_000),
    per=st.sampled_from(["day", "week", "month"]),
    zone=st.sampled_from(ZONES),
)
def test_periods_follow_each_other_and_share_nothing(at_us, per, zone):
    made = Budget(contacts=1, per=per)
    start, end = made.span_us(at_us, zone)
    assert start <= at_us < end
    assert made.span_us(start, zone) == made.span_us(end - 1, zone) == (start, end)
    assert made.span_us(end, zone)[0] == end
    assert made.span_us(start - 1, zone)[1] == start


def test_a_day_that_comes_twice_is_in_one_period_at_a_time():
    """In Newfoundland clocks went back at one minute past midnight, from Sunday into Saturday."""
    made = Budget(contacts=1, per="day")
    midnight = 1_257_042_600_000_000  # 2009-11-01 00:00 NDT, UTC-2:30
    spans = [
        made.span_us(midnight + s * 1_000_000, "America/St_Johns") for s in (-1, 0, 59, 60, 3_659, 3_660)
    ]
    assert spans[0][1] == midnight
    assert set(spans[1:]) == {(midnight, midnight + DAY + DAY // 24)}
