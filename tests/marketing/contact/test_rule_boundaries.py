"""Each kind of rule at its boundaries, one second to either side; local times of several zones."""

import csv
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from marketing.contact import Book, Kind, Policy

OFTEN = {"per_calendar_month": 100}
ANY_TIME = {"quiet_hours": None, "duplicate": {"same_campaign_days": 0}}
SHORT = {"validity_s": 60.0, "validity_guard_s": 0.0, "delivery_margin_s": 0.0}
CLASSES = {"credit": {"originators": ["1008605"]}, "data": {"originators": ["1008601"]}}
CREDIT, DATA, PLAIN, MMS = Kind(1), Kind(2), Kind(0), Kind(0, 4)


class Phone:
    """One subscriber, contacted at local times."""

    def __init__(self, town, **policy):
        self.town = town
        self.policy = Policy.of(town.policy_file(classes=CLASSES, **{**ANY_TIME, **SHORT, **policy}))
        self.book = Book.empty(3)
        self.row, self.zone = 0, town.SHANGHAI

    def asks(self, at, kind=PLAIN, campaign="a", cell=0, **more):
        """What the policy says, at a local time."""
        at_us = self.town.at(at, self.zone)
        may_hold = more.pop("may_hold", True)
        return self.policy.decide(
            self.book, self.row, campaign, at_us, may_hold=may_hold, kind=kind, cell=cell, **more
        )

    def gets(self, at, kind=PLAIN, campaign="a", ended=None):
        """Contacted then; `ended`: a final receipt said so."""
        verdict, at_us = self.asks(at, kind, campaign), self.town.at(at, self.zone)
        assert verdict.action == "send", verdict
        self.book.add(self.row, campaign, verdict.span, at_us, verdict.latest_us, kind)
        if ended is not None:
            assert self.book.settled(self.row, at_us, kind, self.town.at(ended, self.zone))
        return verdict


def says(verdict):
    return verdict.reason or verdict.action


GAPS = [
    # a minute's validity from 10:00:00, then an hour
    (None, "2009-03-02 11:00:59", "gap"),
    (None, "2009-03-02 11:01:00", "send"),
    ("2009-03-02 10:00:30", "2009-03-02 11:00:29", "gap"),
    ("2009-03-02 10:00:30", "2009-03-02 11:00:30", "send"),
    (None, "2009-03-02 10:00:00", "gap"),
    (None, "2009-03-02 09:59:59", "gap"),  # the clock was set back
]


@pytest.mark.parametrize(("ended", "at", "expected"), GAPS)
def test_a_gap_ends_exactly(town, ended, at, expected):
    phone = Phone(town, minimum_gap_s=3600, caps=OFTEN)
    phone.gets("2009-03-02 10:00:00", ended=ended)
    assert says(phone.asks(at)) == expected


def test_the_guard_belongs_to_the_latest_receipt(town):
    phone = Phone(town, minimum_gap_s=3600, caps=OFTEN, validity_guard_s=30.0, delivery_margin_s=60.0)
    phone.gets("2009-03-02 10:00:00")
    assert says(phone.asks("2009-03-02 11:01:29")) == "gap"
    assert says(phone.asks("2009-03-02 11:01:30")) == "send"


ROLLING = [("2009-03-09 10:00:59", "cap"), ("2009-03-09 10:01:00", "send")]


@pytest.mark.parametrize(("at", "expected"), ROLLING)
def test_a_rolling_window_is_none_of_the_calendar(town, at, expected):
    rules = [{"most": 2, "within_s": 604_800}]
    phone = Phone(town, caps={**OFTEN, "rules": rules})
    phone.gets("2009-03-02 10:00:00")
    phone.gets("2009-03-08 23:00:00")
    assert says(phone.asks(at)) == expected


PERIODS = [
    ("day", "2009-03-02 23:59:59", "cap"),
    ("day", "2009-03-03 00:00:00", "send"),
    ("week", "2009-03-08 23:59:59", "cap"),  # Sunday
    ("week", "2009-03-09 00:00:00", "send"),
    ("month", "2009-03-31 23:59:59", "cap"),
    ("month", "2009-04-01 00:00:00", "send"),
]


@pytest.mark.parametrize(("per", "at", "expected"), PERIODS)
def test_calendar_periods_end_at_midnight(town, per, at, expected):
    phone = Phone(town, caps={**OFTEN, "rules": [{"most": 1, "per": per}]})
    phone.gets("2009-03-02 00:00:00")
    assert says(phone.asks(at)) == expected


LEAP = [
    ("2008-02-28 12:00:00", "2008-02-29 00:00:00", "day", "send"),
    ("2008-02-29 00:00:00", "2008-02-29 23:59:59", "day", "cap"),
    ("2008-02-29 12:00:00", "2008-02-29 23:59:59", "month", "cap"),
    ("2008-02-29 12:00:00", "2008-03-01 00:00:00", "month", "send"),
    ("2008-02-29 23:59:59", "2008-03-01 00:00:00", "day", "send"),
    ("2008-12-31 12:00:00", "2009-01-01 00:00:00", "week", "cap"),  # a Wednesday
    ("2008-12-31 12:00:00", "2009-01-01 00:00:00", "month", "send"),
]


@pytest.mark.parametrize(("first", "then", "per", "expected"), LEAP)
def test_leap_days_and_years_ends(town, first, then, per, expected):
    phone = Phone(town, caps={**OFTEN, "rules": [{"most": 1, "per": per}]})
    phone.gets(first)
    assert says(phone.asks(then)) == expected


@pytest.mark.parametrize("per", ["day", "week"])
def test_validity_ends_with_the_period_that_is_counted(town, per):
    margin = {"validity_s": 21_600.0, "validity_guard_s": 60.0, "delivery_margin_s": 300.0}
    phone = Phone(town, caps={**OFTEN, "rules": [{"most": 1, "per": per}]}, **margin)
    sunday = "2009-03-08 22:00:00"
    assert phone.asks(sunday).valid_until_us == town.at("2009-03-08 23:59:00")
    last = phone.asks("2009-03-08 23:55:00")
    assert (last.action, last.reason) == ("hold", "delivery_margin")
    assert last.release_us == town.at("2009-03-09 00:00:00")
    free = Phone(town, caps=OFTEN, **margin).asks(sunday)
    assert free.valid_until_us == town.at("2009-03-09 04:00:00")


def test_a_duplicate_counts_from_the_day_of_the_latest_receipt(town):
    phone = Phone(town, caps=OFTEN, duplicate={"same_campaign_days": 1}, validity_s=21_600.0)
    phone.gets("2009-03-02 22:00:00")  # may come until 04:00
    assert says(phone.asks("2009-03-02 23:59:59")) == "duplicate"
    assert says(phone.asks("2009-03-03 23:59:59")) == "duplicate"
    assert says(phone.asks("2009-03-04 00:00:00")) == "send"


SELECTED = [
    ({"classes": ["data"]}, DATA, DATA, "cap"),
    ({"classes": ["data"]}, DATA, CREDIT, "send"),
    ({"classes": ["data"]}, CREDIT, DATA, "send"),
    ({"classes": ["data", "credit"]}, CREDIT, DATA, "cap"),
    ({"classes": ["data"]}, PLAIN, DATA, "send"),
    ({"channels": ["mms"]}, MMS, MMS, "cap"),
    ({"channels": ["mms"]}, MMS, PLAIN, "send"),
    ({"channels": ["mms"]}, PLAIN, MMS, "send"),
    ({"channels": ["mms"]}, Kind(0, 5), MMS, "cap"),  # by MMS or SMS: it may have been MMS
    ({"channels": ["mms"], "classes": ["data"]}, MMS, Kind(2, 4), "send"),
    ({"channels": ["mms"], "classes": ["data"]}, Kind(2, 4), Kind(2, 4), "cap"),
]


@pytest.mark.parametrize(("which", "first", "then", "expected"), SELECTED)
def test_a_rule_counts_and_refuses_what_it_names(town, which, first, then, expected):
    phone = Phone(town, caps={**OFTEN, "rules": [{"most": 1, "per": "day", **which}]})
    phone.gets("2009-03-02 10:00:00", first)
    assert says(phone.asks("2009-03-02 12:00:00", then)) == expected


NEVER = [
    ("2009-03-02 10:01:00", DATA, CREDIT, "2009-03-02 11:00:59", "not_after"),
    ("2009-03-02 10:01:00", DATA, CREDIT, "2009-03-02 11:01:00", "send"),
    ("2009-03-02 10:01:00", DATA, DATA, "2009-03-02 10:01:00", "send"),
    ("2009-03-02 10:01:00", PLAIN, CREDIT, "2009-03-02 10:01:00", "send"),
    # The other way round only while the first may still be received.
    (None, CREDIT, DATA, "2009-03-02 10:01:00", "not_after"),
    (None, CREDIT, DATA, "2009-03-02 10:01:01", "send"),
    ("2009-03-02 10:00:30", CREDIT, DATA, "2009-03-02 10:00:31", "send"),
]


@pytest.mark.parametrize(("ended", "first", "then", "at", "expected"), NEVER)
def test_never_the_one_after_the_other(town, ended, first, then, at, expected):
    phone = Phone(town, caps=OFTEN, not_after=[{"classes": ["credit"], "after": ["data"], "within_s": 3600}])
    phone.gets("2009-03-02 10:00:00", first, ended=ended)
    assert says(phone.asks(at, then)) == expected


LUNCH = {"name": "lunch", "from": "11:30", "to": "13:00", "days": ["mon", "tue"]}
EVENING = {"name": "peak", "from": "18:00", "to": "00:00"}
CLOSED = [
    ("2009-03-02 11:29:59", LUNCH, "send", None),
    ("2009-03-02 11:30:00", LUNCH, "closed_hours", "2009-03-02 13:00:00"),
    ("2009-03-02 12:59:59", LUNCH, "closed_hours", "2009-03-02 13:00:00"),
    ("2009-03-02 13:00:00", LUNCH, "send", None),
    ("2009-03-04 12:00:00", LUNCH, "send", None),  # a Wednesday
    ("2009-03-31 23:59:59", EVENING, "closed_hours", "2009-04-01 00:00:00"),
    ("2009-03-31 17:59:59", EVENING, "send", None),
]


@pytest.mark.parametrize(("at", "closed", "expected", "release"), CLOSED)
@pytest.mark.parametrize("then", ["hold", "drop"])
def test_closed_hours(town, at, closed, expected, release, then):
    verdict = Phone(town, closed_hours=[{**closed, "then": then}]).asks(at)
    assert says(verdict) == expected
    holds = release is not None and then == "hold"
    assert verdict.action == ("send" if release is None else "hold" if holds else "suppress")
    assert verdict.release_us == (town.at(release) if holds else 0)


def test_hours_that_touch_are_waited_for_together(town):
    closed = [LUNCH, {"name": "nap", "from": "13:00", "to": "14:00", "then": "drop"}]
    phone = Phone(town, closed_hours=closed)
    held = phone.asks("2009-03-02 12:00:00")
    assert (held.action, held.release_us) == ("hold", town.at("2009-03-02 14:00:00"))
    assert phone.asks("2009-03-02 13:00:00").action == "suppress"


STALE = [
    # closed until 13:00; the trigger came about at
    ("2009-03-02 12:00:00", "hold"),
    ("2009-03-02 11:59:59", "stale"),
]


@pytest.mark.parametrize(("since", "expected"), STALE)
def test_nothing_waits_that_would_be_stale(town, since, expected):
    phone = Phone(town, closed_hours=[LUNCH], holds={"stale_after_s": 3600})
    since_us = town.at(since)
    verdict = phone.asks("2009-03-02 12:30:00", since_us=since_us)
    assert (verdict.action if expected == "hold" else verdict.reason) == expected
    released = phone.asks("2009-03-02 13:00:00", released=True, since_us=since_us)
    assert says(released) == ("send" if expected == "hold" else "stale")


def test_what_waits_is_judged_as_of_its_release(town):
    phone = Phone(town, closed_hours=[LUNCH], minimum_gap_s=3600, caps=OFTEN)
    phone.gets("2009-03-02 11:00:00")
    assert phone.asks("2009-03-02 11:40:00").action == "hold"  # at 13:00 the gap is over
    phone = Phone(town, closed_hours=[LUNCH], minimum_gap_s=7200, caps=OFTEN)
    phone.gets("2009-03-02 11:00:00")
    assert says(phone.asks("2009-03-02 11:40:00")) == "gap"


# --------------------------------------------------------------------------- where and when


def listed(tmp_path, name, *rows):
    path = tmp_path / name
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def zoned(town, tmp_path):
    """Subscriber 1 in Kathmandu (UTC+5:45), 2 in Berlin, where clocks change; 0 in Shanghai."""
    rows = [("1", "Asia/Kathmandu"), ("2", "Europe/Berlin")]
    path = listed(tmp_path, "zones.csv", ("msisdn", "timezone"), *rows)

    def phone(row, **policy):
        made = Phone(town, timezones={"file": path}, **policy)
        made.book.live_in(np.array([1, 2]), made.policy.zones.zone)
        made.row = row
        made.zone = (town.SHANGHAI, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Europe/Berlin"))[row]
        return made

    return phone


NIGHT = {"from": "21:00", "to": "09:00", "then": "hold"}
LOCAL = [("20:59:59", "send"), ("21:00:00", "quiet_hours"), ("08:59:59", "quiet_hours"), ("09:00:00", "send")]


@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize("day", ["2009-03-02", "2008-02-29", "2009-03-29", "2009-10-25", "2009-12-31"])
@pytest.mark.parametrize(("at", "expected"), LOCAL)
def test_quiet_hours_are_those_of_the_subscribers_clock(zoned, row, day, at, expected):
    assert says(zoned(row, quiet_hours=NIGHT).asks(f"{day} {at}")) == expected


@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize(("per", "at", "expected"), PERIODS)
def test_periods_are_those_of_the_subscribers_calendar(zoned, row, per, at, expected):
    phone = zoned(row, caps={**OFTEN, "rules": [{"most": 1, "per": per}]})
    phone.gets("2009-03-02 00:00:00")
    assert says(phone.asks(at)) == expected


@pytest.mark.parametrize("row", [0, 1, 2])
def test_the_month_is_that_of_the_subscriber(zoned, row):
    phone = zoned(row, caps={"per_calendar_month": 1})
    phone.gets("2009-03-31 23:59:59" if row else "2009-03-31 23:00:00")
    assert says(phone.asks("2009-03-31 23:59:59")) == "cap"
    assert says(phone.asks("2009-04-01 00:00:00")) == "send"


def test_holidays_are_local_days(zoned):
    for row in (0, 1, 2):
        phone = zoned(row, holidays={"dates": ["2009-10-25"]})
        clock = ("24 23:59:59", "25 00:00:00", "25 23:59:59", "26 00:00:00")
        said = [says(phone.asks(f"2009-10-{at}")) for at in clock]
        assert said == ["send", "holiday", "holiday", "send"]


CLOCKS = [
    # Berlin: 02:00 becomes 03:00 on 29 March; 03:00 becomes 02:00 on 25 October.
    # UTC, closed from, to, expected
    ("2009-03-29 00:59:59", "02:30", "05:00", "send"),  # 01:59:59
    ("2009-03-29 01:00:00", "02:30", "05:00", "closed_hours"),  # 03:00:00: 02:30 never came
    ("2009-03-29 02:59:59", "02:30", "05:00", "closed_hours"),
    ("2009-03-29 03:00:00", "02:30", "05:00", "send"),
    ("2009-10-25 00:29:59", "01:00", "02:30", "closed_hours"),  # 02:29:59, summer time
    ("2009-10-25 00:30:00", "01:00", "02:30", "send"),
    ("2009-10-25 01:00:00", "01:00", "02:30", "closed_hours"),  # 02:00:00 again
    ("2009-10-25 01:29:59", "01:00", "02:30", "closed_hours"),
    ("2009-10-25 01:30:00", "01:00", "02:30", "send"),
    ("2009-10-25 01:29:59", "02:30", "04:00", "send"),
    ("2009-10-25 00:30:00", "02:30", "04:00", "closed_hours"),
]


@pytest.mark.parametrize(("utc", "start", "end", "expected"), CLOCKS)
def test_the_clock_on_the_wall_counts_when_clocks_change(town, utc, start, end, expected):
    closed = [{"name": "x", "from": start, "to": end, "then": "drop"}]
    phone = Phone(town, timezone="Europe/Berlin", closed_hours=closed)
    phone.zone = ZoneInfo("UTC")
    assert says(phone.asks(utc)) == expected


def test_days_of_23_and_25_hours_are_days(town):
    for day, utc in (("2009-03-29", "22:00:00"), ("2009-10-25", "23:00:00")):
        phone = Phone(town, timezone="Europe/Berlin", caps={**OFTEN, "rules": [{"most": 1, "per": "day"}]})
        phone.zone = ZoneInfo("Europe/Berlin")
        phone.gets(f"{day} 00:00:00")
        phone.zone = ZoneInfo("UTC")
        hour, rest = int(utc[:2]), utc[2:]
        assert says(phone.asks(f"{day} {hour - 1}:59:59")) == "cap"
        assert says(phone.asks(f"{day} {hour}{rest}")) == "send"


AIRPORT, MALL = 0x1111 << 16 | 7, 0x3333 << 16 | 1
PEAK = [
    (AIRPORT, "2009-03-02 17:59:59", "send", None),
    (AIRPORT, "2009-03-02 18:00:00", "busy_cell", "2009-03-02 20:00:00"),
    (AIRPORT, "2009-03-02 19:59:59", "busy_cell", "2009-03-02 20:00:00"),
    (AIRPORT, "2009-03-02 20:00:00", "send", None),
    (AIRPORT, "2009-03-02 08:00:00", "busy_cell", "2009-03-02 08:30:00"),
    (MALL, "2009-03-02 08:00:00", "send", None),
    (MALL, "2009-03-02 23:59:59", "busy_cell", "2009-03-03 01:00:00"),
    (0, "2009-03-02 19:00:00", "send", None),
    (AIRPORT + 1, "2009-03-02 19:00:00", "send", None),
]


@pytest.mark.parametrize(("cell", "at", "expected", "release"), PEAK)
@pytest.mark.parametrize("then", ["hold", "drop"])
def test_busy_cells(town, tmp_path, cell, at, expected, release, then):
    rows = [("4369-7", "18:00", "20:00"), ("4369-7", "08:00", "08:30"), ("13107-1", "23:30", "01:00")]
    path = listed(tmp_path, "busy.csv", ("cell", "from", "to"), *rows)
    phone = Phone(town, busy_cells={"file": path, "then": then})
    verdict = phone.asks(at, cell=cell)
    assert says(verdict) == expected
    holds = release is not None and then == "hold"
    assert verdict.release_us == (town.at(release) if holds else 0)


def test_a_message_does_not_outlast_the_quiet_of_a_cell(town, tmp_path):
    path = listed(tmp_path, "busy.csv", ("cell", "from", "to"), ("4369-7", "18:00", "20:00"))
    phone = Phone(town, busy_cells={"file": path}, validity_s=21_600.0)
    assert phone.asks("2009-03-02 17:00:00", cell=AIRPORT).valid_until_us == town.at("2009-03-02 18:00:00")
    assert phone.asks("2009-03-02 17:00:00").valid_until_us == town.at("2009-03-02 23:00:00")


# --------------------------------------------------------------------------- what is remembered


def test_only_what_some_rule_asks_for_is_remembered(town):
    phone = Phone(town, caps={**OFTEN, "rules": [{"most": 2, "within_s": 86_400}]})
    for day in (2, 3, 9):
        phone.gets(f"2009-03-{day:02} 10:00:00")
    assert len(phone.book.log) == 3
    phone.book.prune_log(phone.town.at("2009-03-09 10:00:00") // 1_000_000 - phone.policy.keep_s)
    assert [one.at_s for one in phone.book.contacts(0)] == [phone.town.at("2009-03-09 10:00:00") // 1_000_000]
    assert not Phone(town, caps=OFTEN).policy.remembers


def test_people_without_contacts_cost_four_octets_at_most(town):
    n = 100_000
    book = Book.empty(n)
    assert book.log.nbytes == 0
    before = book.nbytes
    for row in range(100):
        book.log.add(row, 1, 2, 0, 1)
    assert book.nbytes - before <= 4 * n + 100 * 16 * 5 / 4 + 1024


def test_what_is_proven_unsent_counts_no_more(town):
    phone = Phone(town, minimum_gap_s=3600, caps=OFTEN)
    at = "2009-03-02 10:00:00"
    sent = phone.gets(at)
    phone.book.release(0, "a", sent.span.period, sent.span.day, town.at(at), PLAIN)
    assert says(phone.asks("2009-03-02 10:00:01")) == "send"
    assert len(phone.book.log) == 0
