"""Every policy that is shipped: it says why it exists, can be used, and the audit reads the same file."""

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from experiments.audit import Part, audit, read_policy
from marketing.contact import Policy, load_policy

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


def test_every_shipped_policy_is_judged_both_ways_and_told_of() -> None:
    told = (POLICIES[0].parent / "README.md").read_text(encoding="utf-8")
    for path in POLICIES:
        assert f"| `{path.name}` |" in told
        verdicts = [bool(expected) for name, _, expected in JUDGED if name == path.stem]
        assert any(verdicts)
        assert not all(verdicts)
    files = sorted(path.name for path in POLICIES)
    assert sorted(re.findall(r"^\| `([a-z-]+\.yaml)` \|", told, re.MULTILINE)) == files
