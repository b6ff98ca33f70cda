"""The contact policy as tables: one line a case, boundaries at one second."""

from datetime import date

import pytest

from marketing.contact import Book, Policy, load_policy

QUIET = ("hold", "quiet_hours")
SEND = ("send", "")

HOURS = [
    # local time, expected action and reason, release
    ("2009-03-02 09:00:00", SEND, None),
    ("2009-03-02 08:59:59.999999", QUIET, "2009-03-02 09:00:00"),
    ("2009-03-02 20:54:59.999999", SEND, None),
    ("2009-03-02 20:55:00", ("hold", "delivery_margin"), "2009-03-03 09:00:00"),
    ("2009-03-02 20:59:59", ("hold", "delivery_margin"), "2009-03-03 09:00:00"),
    ("2009-03-02 21:00:00", QUIET, "2009-03-03 09:00:00"),
    ("2009-03-02 23:59:59", QUIET, "2009-03-03 09:00:00"),
    ("2009-03-03 00:00:00", QUIET, "2009-03-03 09:00:00"),
    ("2009-02-28 23:00:00", QUIET, "2009-03-01 09:00:00"),
    ("2008-02-28 22:00:00", QUIET, "2008-02-29 09:00:00"),
    ("2008-02-29 22:00:00", QUIET, "2008-03-01 09:00:00"),
    ("2009-12-31 22:00:00", QUIET, "2010-01-01 09:00:00"),
]


def decide(town, at, *, file=None, book=None, row=0, campaign="alert", may_hold=True, released=False):
    policy = Policy.of(file or town.policy_file())
    return policy.decide(
        book or Book.empty(4), row, campaign, town.at(at), may_hold=may_hold, released=released
    )


@pytest.mark.parametrize(("at", "expected", "release"), HOURS)
def test_hours(town, at, expected, release):
    verdict = decide(town, at)
    assert (verdict.action, verdict.reason) == expected
    assert verdict.release_us == (town.at(release) if release else 0)


@pytest.mark.parametrize("at", [case[0] for case in HOURS if case[1] == QUIET])
def test_a_campaign_that_does_not_wait_is_suppressed(town, at):
    assert decide(town, at, may_hold=False).reason == "quiet_hours"
    assert decide(town, at, may_hold=False).action == "suppress"
    drop = town.policy_file(quiet_hours={"from": "21:00", "to": "09:00", "then": "drop"})
    assert decide(town, at, file=drop).action == "suppress"
    assert decide(town, at, released=True).action == "suppress"


def test_hours_that_do_not_cross_midnight(town):
    file = town.policy_file(quiet_hours={"from": "12:00", "to": "14:00", "then": "hold"})
    assert decide(town, "2009-03-02 11:54:59", file=file).action == "send"
    assert decide(town, "2009-03-02 13:59:59", file=file).release_us == town.at("2009-03-02 14:00:00")
    assert decide(town, "2009-03-02 23:00:00", file=file).action == "send"


VALIDITY = [
    # decided, validity ends, last moment to submit
    ("2009-03-02 10:00:00", "2009-03-02 16:00:00", "2009-03-02 20:55:00"),
    ("2009-03-02 20:00:00", "2009-03-02 20:59:00", "2009-03-02 20:55:00"),
    ("2009-03-31 20:00:00", "2009-03-31 20:59:00", "2009-03-31 20:55:00"),
]


@pytest.mark.parametrize(("at", "valid_until", "before"), VALIDITY)
def test_validity_ends_before_the_quiet_hours(town, at, valid_until, before):
    verdict = decide(town, at)
    assert verdict.valid_until_us == town.at(valid_until)
    assert verdict.submit_before_us == town.at(before)


def test_validity_ends_before_the_month_does(town):
    file = town.policy_file(quiet_hours=None)
    verdict = decide(town, "2009-03-31 22:00:00", file=file)
    assert verdict.valid_until_us == town.at("2009-03-31 23:59:00")
    margin = decide(town, "2009-03-31 23:55:00", file=file)
    assert (margin.action, margin.reason) == ("hold", "delivery_margin")
    assert margin.release_us == town.at("2009-04-01 00:00:00")
    assert decide(town, "2008-02-29 23:54:59", file=file).action == "send"
    assert decide(town, "2008-02-29 23:55:00", file=file).release_us == town.at("2008-03-01 00:00:00")


HOLIDAYS = [
    ("2009-09-30 20:54:59", "drop", SEND, None),
    ("2009-09-30 22:00:00", "drop", ("suppress", "stale"), None),  # 35 hours are too long to wait
    ("2009-10-01 00:00:00", "drop", ("suppress", "holiday"), None),
    ("2009-10-01 12:00:00", "drop", ("suppress", "holiday"), None),
    ("2009-10-01 12:00:00", "hold", ("hold", "holiday"), "2009-10-02 09:00:00"),
    ("2009-10-01 23:59:59", "hold", ("hold", "holiday"), "2009-10-02 09:00:00"),
    ("2009-10-02 09:00:00", "drop", SEND, None),
]


@pytest.mark.parametrize(("at", "then", "expected", "release"), HOLIDAYS)
def test_holidays(town, at, then, expected, release):
    file = town.policy_file(holidays={"dates": ["2009-10-01"], "then": then})
    verdict = decide(town, at, file=file)
    assert (verdict.action, verdict.reason) == expected
    assert verdict.release_us == (town.at(release) if release else 0)


def test_holiday_eve_without_quiet_hours_keeps_the_margin(town):
    file = town.policy_file(quiet_hours=None, holidays={"dates": ["2009-10-02"]})
    assert decide(town, "2009-10-01 23:54:59", file=file).action == "send"
    margin = decide(town, "2009-10-01 23:55:00", file=file)
    assert (margin.action, margin.reason) == ("suppress", "delivery_margin")


def test_cap_is_per_calendar_month_and_over_all_campaigns(town):
    policy, book = Policy.of(town.policy_file(duplicate={"same_campaign_days": 0})), Book.empty(4)
    for day, campaign in (("2009-03-02", "a"), ("2009-03-31", "b")):
        assert policy.decide(book, 0, campaign, town.at(f"{day} 10:00"), may_hold=True).action == "send"
        book.add(0, campaign, policy.hours.span(town.at(f"{day} 10:00")))
    assert policy.decide(book, 0, "c", town.at("2009-03-31 20:54:59"), may_hold=True).reason == "cap"
    assert policy.decide(book, 1, "c", town.at("2009-03-31 12:00"), may_hold=True).action == "send"
    assert policy.decide(book, 0, "c", town.at("2009-04-01 09:00:00"), may_hold=True).action == "send"


def test_a_hold_is_judged_by_the_month_of_its_release(town):
    policy, book = Policy.of(town.policy_file(duplicate={"same_campaign_days": 0})), Book.empty(4)
    for _ in range(2):
        book.add(0, "a", policy.hours.span(town.at("2009-03-02 10:00")))
    assert policy.decide(book, 0, "a", town.at("2009-03-30 22:00"), may_hold=True).reason == "cap"
    assert policy.decide(book, 0, "a", town.at("2009-03-31 22:00"), may_hold=True).action == "hold"


LISTS = [("2009-03-02 11:59:59", "send"), ("2009-03-02 12:00:00", "suppress")]


@pytest.mark.parametrize(("at", "action"), LISTS)
@pytest.mark.parametrize("name", ["do_not_disturb", "control_group"])
def test_lists_hold_from_their_date(town, at, action, name):
    book = Book.empty(4)
    column = book.do_not_disturb_us if name == "do_not_disturb" else book.control_us
    column[2] = town.at("2009-03-02 12:00:00")
    verdict = decide(town, at, book=book, row=2)
    assert verdict.action == action
    assert verdict.reason == ("" if action == "send" else name)


DUPLICATES = [("2009-03-31", True), ("2009-04-01", False), ("2009-03-02", True)]


@pytest.mark.parametrize(("day", "refused"), DUPLICATES)
def test_duplicate_counts_local_days(town, day, refused):
    policy, book = Policy.of(town.policy_file()), Book.empty(4)
    book.add(0, "alert", policy.hours.span(town.at("2009-03-02 20:00")))
    verdict = policy.decide(book, 0, "alert", town.at(f"{day} 09:00"), may_hold=True)
    assert (verdict.reason == "duplicate") is refused
    assert policy.decide(book, 0, "other", town.at(f"{day} 09:00"), may_hold=True).action == "send"


def test_waiting_counts_as_duplicate(town):
    book = Book.empty(4)
    book.waiting.add((0, "alert"))
    assert decide(town, "2009-03-02 10:00", book=book).reason == "duplicate"
    assert decide(town, "2009-03-02 10:00", book=book, campaign="other").action == "send"


def test_the_first_reason_in_the_table_is_told(town):
    book = Book.empty(4)
    book.control_us[0] = book.do_not_disturb_us[0] = 0
    assert decide(town, "2009-03-02 22:00", book=book).reason == "control_group"
    book.control_us[0] = 2**62
    assert decide(town, "2009-03-02 22:00", book=book).reason == "do_not_disturb"


def test_a_release_gives_the_slot_back(town):
    policy, book = Policy.of(town.policy_file(caps={"per_calendar_month": 1})), Book.empty(4)
    span = policy.hours.span(town.at("2009-03-02 10:00"))
    assert book.add(0, "alert", span) == 0
    book.release(0, "alert", span.period, span.day)
    assert policy.decide(book, 0, "alert", town.at("2009-03-02 11:00"), may_hold=True).action == "send"
    assert book.add(0, "alert", span) == 1, "a contact id is never used twice"


def test_a_zone_with_summer_time(town):
    file = town.policy_file(
        timezone="Europe/Berlin", quiet_hours={"from": "21:00", "to": "09:00", "then": "hold"}
    )
    policy = Policy.of(file)
    from zoneinfo import ZoneInfo

    berlin = ZoneInfo("Europe/Berlin")
    for day in (date(2009, 3, 28), date(2009, 10, 24)):  # the night in which the clocks change
        late = town.at(f"{day} 22:00", berlin)
        following = date.fromordinal(day.toordinal() + 1)
        assert policy.hours.opens_us(late) == town.at(f"{following} 09:00", berlin)


def test_quiet_all_year_is_noticed(town):
    days = [date.fromordinal(date(2009, 1, 1).toordinal() + i).isoformat() for i in range(900)]
    file = town.policy_file(holidays={"dates": days, "then": "hold"})
    with pytest.raises(ValueError, match="no hour is left"):
        decide(town, "2009-03-02 12:00", file=file)


def test_the_default_policy_loads(town):
    file = load_policy(town.SCENARIOS / "policies" / "default.yaml")
    assert file.caps.per_calendar_month == 2
    assert file.quiet_hours is not None
    assert (file.quiet_hours.start.hour, file.quiet_hours.end.hour) == (21, 9)


def test_a_receipt_ends_the_contact_of_its_own_channel(town):
    rules = [{"most": 1, "within_s": 86_400, "channels": [name]} for name in ("sms", "mms")]
    keys = {"quiet_hours": None, "duplicate": {"same_campaign_days": 0}}
    policy = Policy.of(town.policy_file(caps={"per_calendar_month": 9, "rules": rules}, **keys))
    book, t_us = Book.empty(1), town.at("2009-03-02 10:00")
    for name in ("sms", "mms"):  # in one second, of one class
        sent = policy.decide(book, 0, "c", t_us, may_hold=True, channels=(name,))
        book.add(0, "c", sent.span, t_us, sent.latest_us, policy.kind("1008601", (name,)))
    assert book.settled(0, t_us, policy.kind("1008601", ("sms",)), t_us + 1_000_000)
    assert not book.settled(0, t_us, policy.kind("1008601", ("wap",)), t_us + 1_000_000)
    later_us = t_us + 86_401_000_000
    ask = {"book": book, "row": 0, "campaign": "c", "at_us": later_us, "may_hold": True}
    assert policy.decide(**ask, channels=("sms",)).action == "send"
    assert policy.decide(**ask, channels=("mms",)).reason == "cap"
    assert policy.decide(**ask, channels=("mms", "sms")).reason == "cap"  # nothing diverts
