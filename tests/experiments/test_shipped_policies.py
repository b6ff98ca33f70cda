"""Every policy that is shipped: it says why it exists, can be used, and the audit reads the same file."""

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from experiments.audit import Part, audit, read_policy
from experiments.problems import BadInput
from marketing.campaigns import load_all
from marketing.config import ConfigError
from marketing.contact import Policy, load_policy
from marketing.contact.bounds import class_of

POLICIES = sorted((Path(__file__).parents[2] / "scenarios" / "policies").glob("*.yaml"))


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_shipped_policy_can_be_used_and_judged(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.stem != "default":
        why = " ".join(line.removeprefix("# ") for line in lines[:2])
        assert all(line.startswith("# ") for line in lines[:2])
        assert why.count(". ") + why.endswith(".") == 2, "two sentences on why it exists"
    policy = Policy.of(load_policy(path))
    assert policy.window(1_235_959_200_000_000).open  # Monday, 2 March 2009, 10:00
    assert read_policy(path).originators == tuple(policy.file.marketing_originators)


def test_they_are_of_every_kind_together() -> None:
    said = set().union(*(yaml.safe_load(path.read_text(encoding="utf-8")) for path in POLICIES))
    kinds = {"caps", "minimum_gap_s", "classes", "not_after", "quiet_hours", "closed_hours", "holidays"}
    assert said >= kinds | {"busy_cells", "holds", "do_not_disturb", "control_group", "duplicate"}


JUDGED = [
    # (policy, received: local time, originator, cell), what the audit must find
    ("default", [("2009-03-02 10:00", "1008601"), ("2009-03-03 10:00", "1008603")], {}),
    (
        "default",
        [
            ("2009-03-02 10:00", "1008601"),
            ("2009-03-03 10:00", "1008603"),
            ("2009-03-31 20:59:59", "1008604"),
        ],
        {"cap": 1},
    ),
    ("default", [("2009-03-02 21:00", "1008601"), ("2009-04-01 09:00", "1008603")], {"quiet_hours": 1}),
    ("default", [("2009-03-02 10:00", "1008601"), ("2009-03-30 10:00", "1008601")], {"duplicate": 1}),
    ("two-a-month", [("2009-03-01 00:00", "1008601"), ("2009-03-01 00:01", "1008601")], {}),
    ("two-a-month", [(f"2009-03-{d} 03:00", "1008601") for d in ("01", "15", "31")], {"cap": 1}),
    ("two-a-month", [(f"2009-{d} 03:00", "1008601") for d in ("03-30", "03-31", "04-01", "04-02")], {}),
    ("no-holidays", [("2009-04-30 20:00", "1008601"), ("2009-05-04 09:00", "1008603")], {}),
    ("no-holidays", [("2009-05-01 10:00", "1008601"), ("2009-05-03 20:59:59", "1008603")], {"holiday": 2}),
    ("no-holidays", [("2009-01-26 22:00", "1008601")], {"holiday": 1, "quiet_hours": 1}),
    ("meal-times", [("2009-03-02 11:29:59", "1008601"), ("2009-03-02 13:00", "1008603")], {}),
    (
        "meal-times",
        [("2009-03-02 11:30", "1008601"), ("2009-03-07 18:59:59", "1008603")],
        {"closed_hours": 2},
    ),
    ("busy-network", [("2009-03-07 17:30", "1008601"), ("2009-03-09 16:59:59", "1008603")], {}),
    ("busy-network", [("2009-03-09 17:00", "1008601")], {"closed_hours": 1}),
    (
        "busy-network",
        [("2009-03-07 12:00", "1008601", "4097-1"), ("2009-03-07 12:00", "1008603", "4097-3")],
        {"busy_cell": 1},
    ),
    ("fair-shares", [("2009-03-02 10:00", "1008603"), ("2009-03-03 10:00", "1008604")], {}),
    ("fair-shares", [("2009-03-02 10:00", "1008603"), ("2009-03-02 20:00", "1008604")], {"cap": 1, "gap": 1}),
    ("fair-shares", [("2009-03-02 10:00", "1008601"), ("2009-03-05 09:59:59", "1008605")], {"not_after": 1}),
    ("fair-shares", [("2009-03-02 10:00", "1008601"), ("2009-03-30 10:00", "1008602")], {"cap": 1}),
    ("all-rules", [("2009-03-02 10:00", "1008601"), ("2009-03-05 10:00", "1008605")], {}),
    (
        "all-rules",
        [("2009-03-02 10:00", "1008603"), ("2009-03-02 10:59:59", "1008604")],
        {"cap": 1, "gap": 1},
    ),
    (
        "all-rules",
        [("2009-03-02 12:00", "1008603"), ("2009-05-01 10:00", "1008604")],
        {"closed_hours": 1, "holiday": 1},
    ),
    # The list names him always; the next since a day; the last since a year that is over.
    ("do-not-disturb", [("2007-01-01 03:00", "1008601")], {"do_not_disturb": 1}),
    (
        "do-not-disturb",
        [("2009-05-01 11:59:59", "1008601", "", 6), ("2009-05-01 12:00:01", "1008601", "", 6)],
        {"do_not_disturb": 1},
    ),
    ("do-not-disturb", [("2007-06-05 09:30:01", "1008603", "", 8)] * 2, {}),
    ("do-not-disturb", [("2007-06-05 09:30:01", "1008603", "", 9)], {"do_not_disturb": 1}),
]


@pytest.mark.parametrize(("name", "received", "expected"), JUDGED)
def test_the_audit_judges_by_a_shipped_policy(name: str, received: list[tuple], expected: dict) -> None:
    def part(local: str, source: str, cell: str = "", who: int = 3) -> Part:
        moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Asia/Shanghai"))
        t_us = round(moment.timestamp() * 1e6)
        return Part(t_us, f"861390000000{who}", source, t_us, cell=cell)

    path = next(path for path in POLICIES if path.stem == name)
    found = audit([part(*row) for row in received], read_policy(path))
    assert {rule: n for rule, n in found.by_rule.items() if n} == expected


# Campaign -> its class, where it has one, in the two policies that have classes.
CLASSES = {
    "airport-travel": "offers",
    "evening-messenger": "offers",
    "long-distance-prefix": "offers",
    "missed-call-alert": "offers",
    "off-peak-tariff": "offers",
    "old-hotline": "offers",
    "rejected-call-alert": "offers",
    "service-line-follow-up": "offers",
    "students-campus-fun": "offers",
    "talk-more": "offers",
    "waiting-wap": "credit",
    "welcome-back": "offers",
    "wrong-number": "offers",
}


@pytest.mark.parametrize("name", ["all-rules", "fair-shares"])
def test_platform_and_audit_know_the_class_of_every_shipped_campaign(name: str) -> None:
    path = next(path for path in POLICIES if path.stem == name)
    rules, judge = load_policy(path), read_policy(path)
    found = {}
    for campaign in load_all(sorted((path.parents[1] / "campaigns").glob("*.yaml"))):
        number = class_of(rules, campaign.originator)
        judged = [one for one in judge.classes if judge.in_classes(campaign.originator, [one])]
        assert judged == ([] if number == 0 else [[*rules.classes][number - 1]]), campaign.campaign
        found.update((campaign.campaign, one) for one in judged)
    assert found == CLASSES


@pytest.mark.parametrize(
    "classes",
    [
        "{a: {originators: ['1008601', '10086015']}}",
        "{a: {originators: ['10086015']}, b: {originators: ['1008601']}}",
        "{a: {originators: ['1008601']}, b: {originators: ['1008602', '1008601']}}",
    ],
)
def test_senders_of_two_classes_are_refused_by_platform_and_audit(tmp_path: Path, classes: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"timezone: UTC\nmarketing_originators: ['100860']\nclasses: {classes}\n")
    with pytest.raises(ConfigError, match="overlaps with 1008601"):
        load_policy(path)
    with pytest.raises(BadInput, match="share no beginning with 1008601"):
        read_policy(path)


def test_every_shipped_policy_is_judged_both_ways_and_told_of() -> None:
    told = (POLICIES[0].parent / "README.md").read_text(encoding="utf-8")
    for path in POLICIES:
        assert f"| `{path.name}` |" in told
        verdicts = [bool(expected) for name, _, expected in JUDGED if name == path.stem]
        assert any(verdicts)
        assert not all(verdicts)
    files = sorted(path.name for path in POLICIES)
    assert sorted(re.findall(r"^\| `([a-z-]+\.yaml)` \|", told, re.MULTILINE)) == files
