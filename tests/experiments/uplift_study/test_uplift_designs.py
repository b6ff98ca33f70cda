"""Who is treated: shares, whole clusters, pairs of days, and the same people for the same salt."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.uplift.designs import CONTROL, HELD_OUT, TREATED, Plan, assign, switch_days

HOMES = np.arange(40_000) % 200


def plan(kind, control=0.5, held=0.1, salt="a"):
    return Plan(kind, control, held, salt)


def test_shares_of_subscribers():
    """Five standard errors of 40,000 people."""
    role = assign(plan("subscriber", 0.3, 0.1), HOMES, 7).role
    for which, share in ((HELD_OUT, 0.1), (CONTROL, 0.9 * 0.3), (TREATED, 0.9 * 0.7)):
        assert abs(np.mean(role == which) - share) < 5 * (share * (1 - share) / len(HOMES)) ** 0.5


def test_a_salt_divides_again_as_it_did_and_another_independently():
    one, again, other = (assign(plan("subscriber", salt=salt), HOMES, 7).role for salt in "aab")
    assert np.array_equal(one, again)
    both = np.mean((one == TREATED) & (other == TREATED))
    assert abs(both - np.mean(one == TREATED) * np.mean(other == TREATED)) < 0.01


def test_clusters_are_whole():
    made = assign(plan("cluster"), HOMES, 7)
    for home in range(200):
        assert len(set(made.role[home == HOMES].tolist())) == 1
    assert len(set(made.role.tolist())) == 3
    assert made.treated is not None
    assert np.array_equal(made.treated, made.role == TREATED)


def test_parallel_worlds_treat_everybody():
    made = assign(plan("parallel_worlds"), HOMES, 7)
    assert made.treated is None
    assert made.days is None


@given(st.text(max_size=8), st.integers(4, 60), st.integers(1, 4))
def test_of_two_neighbouring_days_one_has_campaigns(salt, days, from_day):
    on = switch_days(salt, days, from_day)
    assert not on[: from_day - 1].any()
    pairs = on[from_day - 1 :][: (days - from_day + 1) // 2 * 2].reshape(-1, 2)
    assert (pairs.sum(axis=1) == 1).all()


def test_the_first_of_two_days_is_as_often_on_as_the_second():
    first = [switch_days(f"{salt}", 4)[0] for salt in range(2000)]
    assert np.mean(first) == pytest.approx(0.5, abs=0.06)
