"""The audit at the edges of every rule, and beside a slow judge that looks at one contact after another."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.audit import RULES, Part, audit
from experiments.audit.local_time import Zones
from experiments.audit.policy import Cap, NotAfter, Policy, Stretch, read_policy
from experiments.cli import cli
from experiments.firewall.boundaries import CASES, judge_case
from experiments.problems import BadInput

ZONES = (
    "Asia/Shanghai",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "UTC",
)
HOUR_US = 3_600_000_000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_at_the_boundary(case, tmp_path):
    assert judge_case(case, tmp_path) == []


def test_every_rule_has_cases_on_both_sides():
    broken = {rule for case in CASES for rule in case.broken}
    assert broken == set(RULES)
    assert sum(not case.broken for case in CASES) > 40


@given(st.sampled_from(ZONES), st.lists(st.integers(0, 2_000_000_000_000_000), min_size=1, max_size=20))
def test_local_time_is_that_of_the_zone(name, instants):
    t_us = np.array(instants, np.int64)
    local = Zones([name], t_us).local_us(t_us, np.zeros(len(t_us), np.int32))
    for instant, found in zip(instants, local.tolist(), strict=True):
        said = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)).astimezone(ZoneInfo(name))
        assert datetime(1970, 1, 1) + timedelta(microseconds=found) == said.replace(tzinfo=None)


# --------------------------------------------------------------------------- a slow judge

CLASSES = {"data": ("1008601",), "credit": ("1008602",), "both": ("1008601", "1008602")}


def slow(parts, policy):
    """Violations of rules that look at several contacts, all pairs by hand. Single parts only."""
    counts = dict.fromkeys(("cap", "gap", "not_after"), 0)
    people = defaultdict(list)
    for one in sorted(parts, key=lambda p: (p.t_us, p.source)):
        people[one.msisdn].append(one)
    for who, got in people.items():
        zone = ZoneInfo(policy.zones.get(who, policy.zone))

        def day(one, zone=zone):
            return (
                (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=one.t_us)).astimezone(zone).date()
            )

        periods = {
            "day": day,
            "week": lambda one: day(one).isocalendar()[:2],
            "month": lambda one: (day(one).year, day(one).month),
        }
        for cap in policy.caps:
            mine = [
                one for one in got
                if (not cap.channels or one.channel in cap.channels)
                and (not cap.classes or policy.in_classes(one.source, cap.classes))
            ]  # fmt: skip
            for at, one in enumerate(mine):
                if cap.per:
                    inside = [o for o in mine[: at + 1] if periods[cap.per](o) == periods[cap.per](one)]
                else:
                    inside = [o for o in mine[: at + 1] if one.t_us - cap.within_us < o.t_us]
                counts["cap"] += len(inside) > cap.most
        counts["gap"] += sum(b.t_us - a.t_us < policy.gap_us for a, b in pairwise(got))
        for row in policy.not_after:
            for one in got:
                before = [
                    o for o in got
                    if o is not one and policy.in_classes(o.source, row.after)
                    and one.t_us - row.within_us < o.t_us <= one.t_us
                ]  # fmt: skip
                counts["not_after"] += policy.in_classes(one.source, row.classes) and bool(before)
    return counts


HOURS = st.integers(0, 24 * 70)
RECEIVED = st.lists(
    st.tuples(
        HOURS,
        st.sampled_from(["1", "2"]),
        st.sampled_from(["1008601", "10086020", "1008603"]),
        st.sampled_from(["sms", "mms"]),
    ),
    max_size=14,
)
CAPS = st.builds(
    lambda most, per, hours, channels, classes: Cap(
        most, per, 0 if per else hours * HOUR_US, channels, classes
    ),
    st.integers(0, 3),
    st.sampled_from(["", "day", "week", "month"]),
    st.integers(1, 200),
    st.sampled_from([frozenset(), frozenset({"sms"})]),
    st.sampled_from([(), ("data",), ("both",), ("credit", "data")]),
)
AFTER = st.builds(
    lambda these, those, hours: NotAfter((these,), (those,), hours * HOUR_US),
    st.sampled_from(list(CLASSES)), st.sampled_from(list(CLASSES)), st.integers(0, 100),
)  # fmt: skip


@settings(max_examples=150)
@given(
    RECEIVED,
    st.lists(CAPS, max_size=3),
    st.integers(0, 60),
    st.lists(AFTER, max_size=2),
    st.sampled_from(ZONES),
)
def test_columns_say_what_the_slow_judge_says(received, caps, gap_h, not_after, zone):
    start = int(datetime(2009, 9, 20, tzinfo=UTC).timestamp()) * 1_000_000
    policy = Policy(
        zone,
        {"2": "Europe/Berlin"},
        tuple(caps),
        gap_h * HOUR_US,
        CLASSES,
        tuple(not_after),
        originators=("1",),
    )
    parts = [Part(start + h * HOUR_US, who, source, 0, channel=by) for h, who, source, by in received]
    found = audit(parts, policy)
    assert {rule: found.by_rule[rule] for rule in ("cap", "gap", "not_after")} == slow(parts, policy)
    # The time of day plays no part for who is not bound by it.
    assert not any(found.by_rule[rule] for rule in ("quiet_hours", "closed_hours", "holiday", "busy_cell"))


@pytest.mark.parametrize(
    "limits",
    [{"caps": (Cap(2, "week"),)}, {"caps": (Cap(1, within_us=20 * HOUR_US),)}, {"gap_us": 3 * HOUR_US}],
)
def test_each_finding_holds_what_it_takes(limits):
    """By themselves the contacts of a finding are one violation; without the first of them they are none."""
    chance = np.random.default_rng(4)
    hours = np.sort(chance.integers(0, 24 * 40, 120))
    parts = [Part(int(h) * HOUR_US + 1, "1", f"100860{i % 7}", 0) for i, h in enumerate(hours)]
    policy = Policy("UTC", originators=("1",), **limits)
    found = audit(parts, policy).findings
    assert len(found) > 20
    for finding in found:
        taken = [Part(seen.t_us, "1", seen.source, 0) for seen in finding.contacts]
        assert audit(taken, policy).violations == 1
        assert taken[-1].t_us == finding.t_us
        assert not audit(taken[1:], policy).violations


def test_a_quarter_of_a_million_long_messages_by_every_rule():
    """In columns: this would take minutes one by one."""
    n = 250_000
    policy = Policy(
        "Asia/Shanghai", {}, (Cap(40, "month"), Cap(30, within_us=720 * HOUR_US)), HOUR_US // 60, CLASSES,
        (NotAfter(("data",), ("credit",), HOUR_US),), Stretch("quiet", 22 * HOUR_US, 6 * HOUR_US),
        originators=("1",), duplicate_days=0,
    )  # fmt: skip
    from experiments.audit import Parts

    person = np.arange(2 * n, dtype=np.int32) % 5000
    at = np.arange(2 * n, dtype=np.int64) // 2
    columns = Parts(
        t_us=at * 10_000_000, smsc_us=at * 10_000_000, reference=at % 200, part=np.arange(2 * n) % 2 + 1,
        parts=np.full(2 * n, 2), person=person // 2, source=np.zeros(2 * n, np.int32),
        channel=np.zeros(2 * n, np.int32), cell=np.zeros(2 * n, np.int32),
        persons=tuple(str(i) for i in range(2500)), sources=("1008601",), channels=("sms",), cells=(),
    )  # fmt: skip
    found = audit(columns, policy)
    assert found.contacts == n
    assert found.incomplete == found.repeated_parts == 0
    assert found.by_rule["cap"] > 100_000
    assert found.by_rule["gap"] == 0


# --------------------------------------------------------------------------- the command

WRONG = {
    "no such class": (
        {
            "caps": {"rules": [{"most": 1, "per": "day", "classes": ["dta"]}]},
            "classes": {"data": {"originators": ["1"]}},
        },
        "Did you mean 'data'",
    ),
    "both kinds of period": (
        {"caps": {"rules": [{"most": 1, "per": "day", "within_s": 5}]}},
        "caps.rules[0]: expected one of per and within_s",
    ),
    "no period": ({"caps": {"rules": [{"most": 1}]}}, "caps.rules[0]: expected one of per and within_s"),
    "no limit": ({"caps": {"rules": [{"per": "day"}]}}, "caps.rules[0].most: missing"),
    "no such period": (
        {"caps": {"rules": [{"most": 1, "per": "year"}]}},
        "caps.rules[0].per = year: expected day, week or month",
    ),
    "a rule that is no list": ({"caps": {"rules": {"most": 1}}}, "caps.rules"),
    "unknown key of a rule": (
        {"caps": {"rules": [{"most": 1, "per": "day", "chanels": ["sms"]}]}},
        "Did you mean 'channels'",
    ),
    "no such day": (
        {"closed_hours": [{"from": "10:00", "to": "11:00", "days": ["Monday"]}]},
        "closed_hours[0].days",
    ),
    "not after what": ({"not_after": [{"classes": ["a"], "within_s": 5}]}, "not_after[0].after: missing"),
    "no such list": ({"timezones": {"file": "nowhere.csv"}}, "nowhere.csv"),
    "negative gap": ({"minimum_gap_s": -1}, "minimum_gap_s = -1: expected seconds"),
    "needed is no key": ({"needed": 1}, "needed = 1: unknown key"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_the_users_mistake(name, tmp_path):
    change, said = WRONG[name]
    values = {"timezone": "Asia/Shanghai", "marketing_originators": ["100860"]} | change
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(BadInput) as refused:
        read_policy(tmp_path / "policy.yaml")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("timezones", "msisdn,timezone\n1,Mars/X\n", "zones.csv:2"),
        ("busy_cells", "cell,from,to\n1-2,25:00,26:00\n", "zones.csv:2"),
        ("busy_cells", "cell;from;to\n1;2;3\n", "cell,from,to"),
    ],
)
def test_a_wrong_table_is_named_with_its_line(name, text, said, tmp_path):
    (tmp_path / "zones.csv").write_text(text)
    values = {"timezone": "UTC", "marketing_originators": ["1"], name: {"file": "zones.csv"}}
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(BadInput, match=said):
        read_policy(tmp_path / "policy.yaml")


def command(*arguments):
    done = CliRunner().invoke(cli, ["audit", *map(str, arguments)])
    return done.exit_code, done.output


@pytest.fixture
def records(tmp_path):
    noon = int(datetime(2009, 9, 2, 4, tzinfo=UTC).timestamp()) * 1_000_000
    rows = {
        "t_us": [noon, noon + 60_000_000], "msisdn": ["1", "1"], "source": ["1008601", "1008602"],
        "smsc_us": [noon, noon + 60_000_000], "reference": [-1, -1], "part": [1, 1], "parts": [1, 1],
    }  # fmt: skip
    pq.write_table(pa.table(rows), tmp_path / "parts.parquet")
    (tmp_path / "loose.yaml").write_text("timezone: Asia/Shanghai\nmarketing_originators: ['100860']\n")
    (tmp_path / "tight.yaml").write_text(
        "timezone: Asia/Shanghai\nmarketing_originators: ['100860']\nminimum_gap_s: 61\n"
    )
    return tmp_path


def test_one_file_of_records_by_a_policy(records):
    assert command(records / "parts.parquet", "--policy", records / "loose.yaml")[0] == 0
    code, text = command(
        records / "parts.parquet", "--policy", records / "tight.yaml", "--json", records / "a.json"
    )
    assert code == 3
    assert "gap: 1 from 1008602: 2009-09-02 12:01:00, 60 s after 1008601 at 2009-09-02 12:00:00" in text
    found = json.loads((records / "a.json").read_text())["parts"]
    assert found["violations"] == {**dict.fromkeys(RULES, 0), "gap": 1}
    assert [seen["local"] for seen in found["findings"][0]["contacts"]] == [
        "2009-09-02 12:00:00", "2009-09-02 12:01:00",
    ]  # fmt: skip


def test_records_with_channels_and_cells(records):
    table = pq.read_table(records / "parts.parquet")
    table = table.append_column("channel", pa.array(["mms", "sms"]))
    table = table.append_column("cell", pa.array(["1-2", "1-3"]).dictionary_encode())
    pq.write_table(table, records / "parts.parquet")
    (records / "busy.csv").write_text("cell,from,to\n1-3,12:00,13:00\n")
    (records / "policy.yaml").write_text(
        "timezone: Asia/Shanghai\nmarketing_originators: ['100860']\nbusy_cells: {file: busy.csv}\n"
        "caps: {rules: [{most: 0, per: day, channels: [mms]}]}\n"
    )
    code, text = command(records / "parts.parquet")
    assert code == 3
    assert "busy_cell: 1 from 1008602: received 2009-09-02 12:01:00, in cell 1-3 in its busy hours" in text
    assert "cap: 1 from 1008601: contact 1 on 2009-09-02, 0 allowed a calendar day, channel mms" in text


def test_what_cannot_be_judged_is_refused(records):
    assert command(records / "parts.parquet")[0] == 2
    assert command(records / "nothing.parquet")[0] == 2
    assert command(records / "loose.yaml", "--policy", records / "loose.yaml")[0] == 2
