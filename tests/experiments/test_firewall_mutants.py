"""Broken policies are caught under the rule that names them; the right one raises no alarm."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.audit import RULES, audit, read_policy
from experiments.firewall.mutants import MUTANTS
from experiments.firewall.parts import concatenated, joined
from experiments.firewall.traffic import CAMPAIGNS, ZONES, make_traffic, write_policy
from experiments.firewall.trial import Decision, try_decision

SEED = 1


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    traffic = make_traffic(500, SEED)
    file = write_policy(tmp_path_factory.mktemp("trial"), traffic)
    return traffic, file, read_policy(file)


def judged(kind, trial):
    traffic, file, policy = trial
    tried = try_decision(kind(file, traffic), traffic, SEED)
    return tried, audit(tried.parts, policy)


def test_the_right_policy_raises_no_alarm(trial):
    tried, found = judged(Decision, trial)
    assert {rule: n for rule, n in found.by_rule.items() if n} == {}
    assert found.contacts > 2500
    assert found.incomplete > 10
    # It was tempted in every way: each reason has stopped something.
    assert tried.suppressed.keys() >= {
        "cap", "gap", "not_after", "quiet_hours", "closed_hours", "holiday", "busy_cell", "do_not_disturb",
        "control_group", "duplicate", "stale", "delivery_margin",
    }  # fmt: skip
    assert tried.held > 1000
    assert tried.restarts > 10


@pytest.mark.parametrize("kind", MUTANTS, ids=lambda kind: kind.name)
def test_a_broken_policy_is_caught_under_the_rule_that_names_it(kind, trial):
    _, found = judged(kind, trial)
    assert found.by_rule[kind.rule] > 0
    assert all(finding.contacts for finding in found.findings)


def test_there_is_a_broken_policy_for_every_rule():
    assert {kind.rule for kind in MUTANTS} == set(RULES)
    assert len({kind.name for kind in MUTANTS}) == len(MUTANTS) >= 12


def test_a_trial_is_the_same_again_and_comes_apart_by_people(tmp_path):
    """Parts of a trial, put together, are judged as one."""
    made = []
    for at in (0, 1):
        traffic = make_traffic(60, SEED + at, first=at * 60)
        file = write_policy(tmp_path / str(at), traffic)
        once, again = (try_decision(Decision(file, traffic), traffic, 3).parts for _ in range(2))
        assert np.array_equal(once.t_us, again.t_us)
        made.append(once)
    together = concatenated(made)
    assert len(together) == sum(map(len, made))
    assert len(set(together.persons)) == 120
    read = read_policy(joined(tmp_path, 2))
    assert set(read.zones.values()) <= set(ZONES)
    assert len(read.control_group) == sum(
        len(read_policy(tmp_path / str(at) / "policy.yaml").control_group) for at in (0, 1)
    )
    found = audit(together, read)
    assert found.violations == 0
    assert found.contacts == sum(
        audit(parts, read_policy(tmp_path / str(at) / "policy.yaml")).contacts
        for at, parts in enumerate(made)
    )


def test_traffic_comes_in_the_order_of_time_and_reaches_every_campaign():
    traffic = make_traffic(300, 5)
    assert (np.diff(traffic.t_us) >= 0).all()
    assert set(traffic.campaign.tolist()) == set(range(len(CAMPAIGNS)))
    assert len(traffic.stops) > 3
    assert len({who for _, who in traffic.stops}) == len(traffic.stops)
