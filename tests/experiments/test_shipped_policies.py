"""Every policy that is shipped: it says why it exists, can be used, and the audit reads the same file."""

from pathlib import Path

import pytest
import yaml

from experiments.audit import read_policy
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
