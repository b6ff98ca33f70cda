"""Means and differences as scipy has them; refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.inference import Refused, laws
from experiments.inference.means import mean, mean_difference, paired_mean_difference


@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(2, 60), st.sampled_from([0.8, 0.95, 0.99]))
def test_as_scipy_has_them(seed, n_a, n_b, level):
    rng = np.random.Generator(np.random.PCG64(seed))
    a, b = rng.normal(1.0, 3.0, n_a), rng.exponential(size=n_b)
    theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval(level)
    ours = mean_difference(a, b, level)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    theirs = stats.ttest_1samp(a, 0.0).confidence_interval(level)
    ours = mean(a, level)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    c = rng.normal(size=n_a)
    theirs = stats.ttest_rel(a, c).confidence_interval(level)
    ours = paired_mean_difference(a, c, level)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (mean(np.ones(1)), "at least 2"),
        (mean(np.ones(9)), "do not vary"),
        (mean_difference(np.ones(9), np.ones(1)), "at least 2"),
        (mean_difference(np.ones(9), np.ones(9)), "do not vary"),
        (paired_mean_difference(np.ones(9), np.zeros(9)), "do not vary"),
    ],
)
def test_no_error_no_interval(found, reason):
    assert isinstance(found, Refused)
    assert reason in found.reason


def test_pairs_must_be_pairs():
    with pytest.raises(ValueError, match="same units"):
        paired_mean_difference(np.ones(3), np.ones(4))


@given(st.integers(1, 3000), st.floats(1e-6, 1 - 1e-6))
def test_binomial_chances_as_scipy_has_them(n, p):
    assert laws.binomial_chances(n, p) == pytest.approx(stats.binom.pmf(np.arange(n + 1), n, p), abs=1e-10)
