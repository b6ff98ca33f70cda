"""Every kind of violation, planted, is caught; what is allowed is not."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from experiments.audit import RULES, Part, Parts, audit, read_policy, reassemble
from experiments.problems import BadInput

ZONE = ZoneInfo("Asia/Shanghai")
POLICY = """
timezone: Asia/Shanghai
caps: {per_calendar_month: 2}
quiet_hours: {from: 21:00, to: 09:00, then: hold}
holidays: {dates: [2009-10-01]}
do_not_disturb: {file: dnd.csv}
control_group: {file: control.csv}
duplicate: {same_campaign_days: 30}
marketing_originators: ["100860"]
"""


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1_000_000)


def part(received, *, msisdn="8613900000001", source="1008601", smsc=None, reference=-1, number=1, parts=1):
    t_us = at(received)
    smsc_us = at(smsc) if smsc else t_us - t_us % 1_000_000
    return Part(t_us, msisdn, source, smsc_us, reference, number, parts)


@pytest.fixture
def policy(tmp_path: Path):
    (tmp_path / "dnd.csv").write_text("msisdn,since\n8613900000007,\n8613900000008,2009-09-02T10:00:00\n")
    (tmp_path / "control.csv").write_text("msisdn,since\n8613900000009,2009-09-01\n")
    (tmp_path / "policy.yaml").write_text(POLICY)
    return read_policy(tmp_path / "policy.yaml")


def test_what_is_allowed_is_no_violation(policy):
    found = audit(
        [
            part("2009-09-02T09:00:00"),
            part("2009-09-03T20:59:59", source="1008602"),
            part(
                "2009-10-02T12:00:00", source="1008602"
            ),  # a new month, 29 days on, another campaign than below
            part("2009-10-03T12:00:00", source="1008601"),  # 31 days after the first
            part("2009-09-02T23:00:00", source="8613911112222"),  # a friend's message at night
        ],
        policy,
    )
    assert found.contacts == 4
    assert found.by_rule == {**dict.fromkeys(RULES, 0), "duplicate": 1}


PLANTED = {
    "cap": [part(f"2009-09-0{d}T12:00:00", source=f"100860{d}") for d in (2, 3, 4)],
    "cap_over_midnight_utc": [
        # Three contacts of the local September, one of which is still August in UTC.
        part("2009-09-01T09:30:00", source="1008601"),
        part("2009-09-30T20:00:00", source="1008602"),
        part("2009-09-30T20:30:00", source="1008603"),
    ],
    "quiet_hours_evening": [part("2009-09-02T21:00:00")],
    "quiet_hours_morning": [part("2009-09-02T08:59:59")],
    "holiday": [part("2009-10-01T12:00:00")],
    "quiet_hours_one_part": [
        part("2009-09-02T20:59:58", reference=7, number=1, parts=2),
        part("2009-09-02T21:00:01", reference=7, number=2, parts=2),
    ],
    "do_not_disturb_always": [part("2009-09-02T12:00:00", msisdn="8613900000007")],
    "do_not_disturb_since": [part("2009-09-02T10:00:02", msisdn="8613900000008", smsc="2009-09-02T10:00:01")],
    "control_group": [part("2009-09-02T12:00:00", msisdn="8613900000009")],
    "duplicate": [part("2009-09-02T12:00:00"), part("2009-09-20T12:00:00")],
    "duplicate_same_second": [part("2009-09-02T12:00:00"), part("2009-09-02T12:00:00")],
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_is_caught_alone(policy, name):
    found = audit(PLANTED[name], policy)
    rule = next(rule for rule in RULES if name.startswith(rule))
    assert {r: n for r, n in found.by_rule.items() if n} == {rule: 1}
    assert found.findings[0].said


def test_in_flight_at_the_opt_out_is_listed_and_no_violation(policy):
    found = audit([part("2009-09-02T10:00:30", msisdn="8613900000008", smsc="2009-09-02T09:59:59")], policy)
    assert sum(found.by_rule.values()) == 0
    assert found.in_flight == 1
    assert found.in_flight_listed[0].said == (
        "on the list since 2009-09-02 10:00:00, accepted 2009-09-02 09:59:59"
    )


def test_before_the_opt_out_is_nothing(policy):
    found = audit([part("2009-09-02T09:30:00", msisdn="8613900000008")], policy)
    assert found.violations == found.in_flight == 0


def test_a_long_message_counts_once(policy):
    parts = [part(f"2009-09-02T12:00:0{n}", reference=9, number=n, parts=3) for n in (2, 1, 3)]
    found = audit(parts, policy)
    assert (found.contacts, found.parts, found.incomplete) == (1, 3, 0)


def test_a_long_message_of_which_a_part_is_missing_counts_too(policy):
    found = audit([part("2009-09-02T12:00:00", reference=9, number=1, parts=2)], policy)
    assert (found.contacts, found.incomplete) == (1, 1)


def test_a_reused_reference_makes_another_message():
    first = [part(f"2009-09-02T12:00:0{n}", reference=9, number=n, parts=2) for n in (1, 2)]
    second = [part(f"2009-09-03T12:00:0{n}", reference=9, number=n, parts=2) for n in (1, 2)]
    contacts = reassemble(Parts.of([*first, *second]))
    assert contacts.of_part.tolist() == [0, 0, 1, 1]
    assert contacts.whole.all()
    assert contacts.repeated == 0


def test_parts_eight_days_apart_are_two_messages():
    parts = [part(f"2009-09-{d}T12:00:00", reference=9, number=n, parts=2) for d, n in (("02", 1), ("10", 2))]
    contacts = reassemble(Parts.of(parts))
    assert len(contacts) == 2
    assert not contacts.whole.any()


def test_a_part_told_twice_is_one_part():
    one = part("2009-09-02T12:00:01", reference=9, number=1, parts=2)
    again = part("2009-09-02T12:00:09", reference=9, number=1, parts=2, smsc="2009-09-02T12:00:01")
    two = part("2009-09-02T12:00:10", reference=9, number=2, parts=2)
    contacts = reassemble(Parts.of([one, again, two]))
    assert (len(contacts), contacts.whole.tolist(), contacts.repeated) == (1, [True], 1)


def test_a_finding_names_rule_person_contacts_and_local_times(policy):
    found = audit(PLANTED["cap"], policy).findings[0]
    assert (found.rule, found.msisdn, found.source) == ("cap", "8613900000001", "1008604")
    assert found.said == "contact 3 in 2009-09, 2 allowed a calendar month"
    assert [(s.source, s.local, s.channel) for s in found.contacts] == [
        (f"100860{d}", f"2009-09-0{d} 12:00:00", "sms") for d in (2, 3, 4)
    ]


def test_records_without_cells_cannot_show_busy_ones(tmp_path):
    (tmp_path / "busy.csv").write_text("cell,from,to\n1-2,10:00,14:00\n")
    (tmp_path / "policy.yaml").write_text(
        "timezone: Asia/Shanghai\nbusy_cells: {file: busy.csv}\nmarketing_originators: ['100860']\n"
    )
    read = read_policy(tmp_path / "policy.yaml")
    found = audit([part("2009-09-02T12:00:00")], read)
    assert (found.violations, list(found.unjudged)) == (0, ["busy_cell"])


def test_a_list_that_is_not_there_is_the_users_mistake(tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY)
    with pytest.raises(BadInput, match=r"dnd\.csv"):
        read_policy(tmp_path / "policy.yaml")


def test_a_list_with_another_header_is_the_users_mistake(tmp_path):
    (tmp_path / "dnd.csv").write_text("number;date\n1;2\n")
    (tmp_path / "control.csv").write_text("msisdn,since\n")
    (tmp_path / "policy.yaml").write_text(POLICY)
    with pytest.raises(BadInput, match="msisdn,since"):
        read_policy(tmp_path / "policy.yaml")
