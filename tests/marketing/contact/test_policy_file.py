"""The policy file: what it refuses, naming line, key, value and what was expected."""

import textwrap

import pytest

from marketing.config import ConfigError
from marketing.contact import Policy, load_policy
from marketing.contact.busy import read_busy
from marketing.contact.rules_file import BusyCells, PolicyFile
from marketing.contact.zones import read_zones

HEAD = """\
timezone: Asia/Shanghai
marketing_originators: ["100860"]
classes:
  data: {originators: ["100860011", "100860012"]}
  credit: {originators: ["10086005"]}
"""

NINE = "caps:\n  per_calendar_month: 9\n  rules:\n"
NIGHT = 'quiet_hours: {from: "21:00", to: "09:00"}\n'
WRONG = [
    (
        "caps: {rules: [{most: 1, per: day, classes: [dta]}]}",
        6,
        "caps.rules[0].classes[0] = 'dta'",
        "no such class; known are: data, credit. Did you mean 'data'?",
    ),
    (
        "not_after: [{classes: [credit], after: [care], within_s: 9}]",
        6,
        "not_after[0].after[0] = 'care'",
        "no such class",
    ),
    (
        "caps: {rules: [{most: 1, within_s: 0}]}",
        6,
        "caps.rules[0].within_s = 0",
        "expected at least 1",
    ),
    ("caps: {rules: [{most: 1}]}", 6, "caps.rules[0]", "expected either per or within_s"),
    (
        "caps: {rules: [{most: 1, per: day, within_s: 9}]}",
        6,
        "caps.rules[0]",
        "expected either per or within_s",
    ),
    ("caps: {rules: [{most: 1, per: day, then: divert}]}", 6, "caps.rules[0]", "divert takes channels"),
    (
        "caps: {rules: [{most: 1, per: day, channels: [mms], then: hold}]}",
        6,
        "caps.rules[0].then = 'hold'",
        "'drop' or 'divert'",
    ),
    ("caps: {rules: [{most: 0, per: day}]}", 6, "caps.rules[0].most = 0", "expected at least 1"),
    ("caps: {rules: [{most: 1, per: year}]}", 6, "caps.rules[0].per = 'year'", "'day', 'week' or 'month'"),
    (
        "caps: {rules: [{most: 1, per: day, channels: [fax]}]}",
        6,
        "caps.rules[0].channels[0] = 'fax'",
        "'sms'",
    ),
    (
        "caps: {rules: [{most: 2, per: day}]}",
        6,
        "caps.rules[0].most = 2",
        "never bite: caps.per_calendar_month lets 2",
    ),
    (
        "caps: {rules: [{most: 4, per: week}]}",
        6,
        "caps.rules[0].most = 4",
        "never bite: caps.per_calendar_month",
    ),
    (
        NINE + "    - {most: 2, per: week}\n    - {most: 3, per: day, classes: [data]}",
        10,
        "caps.rules[1].most = 3",
        "never bite: caps.rules[0] is as tight",
    ),
    (
        NINE + "    - {most: 2, within_s: 60}\n    - {most: 2, within_s: 60}",
        10,
        "caps.rules[1].most = 2",
        "never bite: caps.rules[0] is as tight",
    ),
    (
        "minimum_gap_s: 100\ncaps: {per_calendar_month: 9, rules: [{most: 2, within_s: 200}]}",
        7,
        "caps.rules[0].most = 2",
        "never bite: minimum_gap_s = 100",
    ),
    (
        "minimum_gap_s: 100\nnot_after: [{classes: [credit], after: [data], within_s: 100}]",
        7,
        "not_after[0].within_s = 100",
        "never bite: minimum_gap_s = 100 keeps them apart",
    ),
    ("minimum_gap_s: -1", 6, "minimum_gap_s = -1", "expected at least 0"),
    ('closed_hours: [{name: noon, from: "12:00", to: "12:00"}]', 6, "closed_hours[0]", "must differ"),
    (
        'closed_hours: [{name: noon, from: "12:00", to: "13:00", days: [moon]}]',
        6,
        "closed_hours[0].days[0] = 'moon'",
        "'mon'",
    ),
    (
        NIGHT + 'closed_hours: [{name: night, from: "23:00", to: "01:00"}]',
        7,
        "closed_hours[0] = 'night'",
        "never bite: these hours are closed already",
    ),
    (
        NIGHT + 'closed_hours: [{name: day, from: "08:00", to: "22:00"}]',
        7,
        "closed_hours[0] = 'day'",
        "always bites: no hour of any day is left",
    ),
    ("holds: {stale_after_s: 0}", 6, "holds.stale_after_s = 0", "expected at least 1"),
    ("holds: {release_per_sec: 9}", 6, "holds.release_per_sec = 9", "Did you mean 'release_per_s'?"),
    ("busy_cells: {file: nowhere.csv}", 6, "busy_cells.file = 'nowhere.csv'", "a file that exists"),
]

OVERLAPS = [
    (
        "one: {originators: ['1008601', '10086012']}",
        "one.originators[1] = '10086012'",
        "overlaps with 1008601 of this",
    ),
    (
        "one: {originators: ['1008601']}\n  two: {originators: ['10086012']}",
        "two.originators[0] = '10086012'",
        "overlaps with 1008601 of class one",
    ),
    (
        "one: {originators: ['12345']}",
        "one.originators[0] = '12345'",
        "no contact is of it: marketing_originators are",
    ),
    ("One: {originators: ['1008601']}", "classes.One", "words of small letters and digits"),
    ("one: {originators: []}", "one.originators", "at least 1"),
]


def refused(tmp_path, text):
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_policy(path)
    return str(error.value)


@pytest.mark.parametrize(("lines", "line", "key", "expected"), WRONG)
def test_what_is_refused(tmp_path, lines, line, key, expected):
    said = refused(tmp_path, HEAD + lines + "\n")
    (first,) = said.splitlines()
    assert f"policy.yaml:{line}: {key}" in first
    assert expected in first


@pytest.mark.parametrize(("group", "key", "expected"), OVERLAPS)
def test_classes_that_are_none(tmp_path, group, key, expected):
    head = "timezone: UTC\nmarketing_originators: ['100860']\nclasses:\n  "
    said = refused(tmp_path, head + group + "\n")
    assert key in said
    assert expected in said


def test_all_rules_of_the_documents_load(tmp_path):
    path = tmp_path / "policy.yaml"
    (tmp_path / "zones.csv").write_text(
        "msisdn,timezone\n8613900000001,Asia/Kathmandu\n8613900000002,Europe/Berlin\n"
    )
    (tmp_path / "busy.csv").write_text(
        "cell,from,to\n4369-7,18:00,20:00\n4369-7,08:00,09:30\n1-2,18:00,20:00\n"
    )
    path.write_text(
        HEAD
        + textwrap.dedent("""\
        timezones: {file: zones.csv}
        caps:
          per_calendar_month: 4
          rules:
            - {most: 1, per: day}
            - {most: 2, within_s: 604800}
            - {most: 1, per: month, channels: [mms]}
            - {most: 1, within_s: 2592000, classes: [data]}
        minimum_gap_s: 3600
        not_after:
          - {classes: [credit], after: [data], within_s: 604800}
        quiet_hours: {from: "21:00", to: "09:00"}
        closed_hours:
          - {name: lunch, from: "11:30", to: "13:00", days: [mon, tue], then: drop}
        busy_cells: {file: busy.csv, then: hold}
        holds: {release_per_s: 50, stale_after_s: 40000}
        """),
        encoding="utf-8",
    )
    policy = Policy.of(load_policy(path))
    assert [bound.reason for bound in policy.bounds] == ["cap"] * 4 + ["gap"] + ["not_after"] * 2
    assert policy.zones.names == ("Asia/Kathmandu", "Europe/Berlin")
    assert policy.busy.of_one(4369 << 16 | 7) != policy.busy.of_one(1 << 16 | 2)
    assert policy.busy.of_one(5) == 0
    assert policy.kind("100860012345", ("sms", "mms")).group == 1
    assert policy.kind("100860", ("sms",)).group == 0
    assert policy.keep_s == 32 * 86400


ZONES = [
    ("msisdn,zone\n1,UTC\n", "header msisdn,timezone"),
    ("msisdn,timezone\n1,Mars/Olympus\n", "an IANA time zone"),
    ("msisdn,timezone\nabc,UTC\n", "1 to 15 digits"),
    ("msisdn,timezone\n1,UTC\n1,Europe/Berlin\n", "was said to live in another zone"),
    ("msisdn,timezone\n1\n", "expected 2 cells"),
    ("", "header msisdn,timezone"),
]


@pytest.mark.parametrize(("text", "expected"), ZONES)
def test_zones_that_are_none(tmp_path, text, expected):
    path = tmp_path / "zones.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected):
        read_zones(path)


BUSY = [
    ("cell,from,to\n1-99999,18:00,19:00\n", "expected lac-ci"),
    ("cell,from,to\n1/2,18:00,19:00\n", "expected lac-ci"),
    ("cell,from,to\n1-2,18,19:00:61\n", "expected a local time"),
    ("cell,from,to\n1-2,18:00,18:00\n", "another time than from"),
    ("cell,from,to\n", "never bite: there is no cell"),
    ("cell,from\n1-2,18:00\n", "header cell,from,to"),
]


@pytest.mark.parametrize(("text", "expected"), BUSY)
def test_busy_cells_that_are_none(tmp_path, text, expected):
    path = tmp_path / "busy.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected):
        read_busy(BusyCells(file=path))


def test_every_line_that_is_wrong_is_named(tmp_path):
    path = tmp_path / "zones.csv"
    path.write_text("msisdn,timezone\nx,UTC\n5,UTC\n6,Nowhere\n")
    with pytest.raises(ConfigError) as error:
        read_zones(path)
    assert [problem.line for problem in error.value.problems] == [2, 4]


def test_by_bulk_a_short_message_is_one_too():
    policy = Policy.of(
        PolicyFile.model_validate({"timezone": "Asia/Shanghai", "marketing_originators": ["1"]})
    )
    assert policy.kind("1", ("bulk-sms",)).channels == policy.kind("1", ("bulk-sms", "sms")).channels
    assert policy.kind("1", ("sms",)).channels == 1


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("most: 1, per: day, channels: [mms], then: divert", "most: 1, per: day, channels: [mms, wap]", ""),
        ("most: 1, per: day, channels: [mms]", "most: 1, per: day, channels: [mms], then: divert", ""),
        ("most: 2, per: day, channels: [mms], then: divert", "most: 1, per: day", "caps.rules[0].most = 2"),
    ],
)
def test_a_rule_that_diverts_says_something_of_its_own_beside_one_that_drops(tmp_path, first, second, said):
    path = tmp_path / "policy.yaml"
    rules = f"[{{{first}}}, {{{second}}}]"
    path.write_text(
        f"timezone: Asia/Shanghai\ncaps: {{per_calendar_month: 9, rules: {rules}}}\n"
        "marketing_originators: ['1']\n"
    )
    if not said:
        assert len(load_policy(path).caps.rules) == 2
        return
    with pytest.raises(ConfigError) as raised:
        load_policy(path)
    assert said in str(raised.value)
