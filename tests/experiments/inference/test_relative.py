"""Ratios against statsmodels, published examples, laws of symmetry, and coverage."""

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from experiments.inference import Estimate, Refused, laws
from experiments.inference.cluster import cluster_difference
from experiments.inference.intervals import difference, paired_difference, wilson
from experiments.inference.relative import (
    cluster_relative,
    delta_ratio,
    fieller,
    log_relative,
    mover_ratio,
    paired_ratio,
    paired_relative,
    ratio_difference,
    ratio_relative,
    relative,
    relative_means,
    score_ratio,
)

COUNTS = st.integers(2, 3000).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))


def ratio_limits(found):
    assert isinstance(found, Estimate), found
    return found.low + 1, found.high + 1


@given(COUNTS, COUNTS)
def test_log_delta_as_statsmodels_has_it(a, b):
    judge = pytest.importorskip("statsmodels.stats.proportion", reason="statsmodels judges from outside")
    assume(a[0] < a[1] or b[0] < b[1])
    theirs = judge.confint_proportions_2indep(*a, *b, method="log", compare="ratio")
    assert ratio_limits(log_relative(*a, *b)) == pytest.approx(tuple(theirs), rel=1e-9)


@pytest.mark.parametrize("counts", [(12, 500, 30, 480), (3, 2000, 9, 500), (40, 80, 20, 90), (7, 7, 3, 9)])
def test_the_score_at_its_limits_as_statsmodels_has_it(counts):
    judge = pytest.importorskip("statsmodels.stats.proportion", reason="statsmodels judges from outside")
    for limit, sign in zip(ratio_limits(score_ratio(*counts)), (1, -1), strict=True):
        theirs = judge.score_test_proportions_2indep(*counts, value=limit, compare="ratio")
        assert theirs.statistic == pytest.approx(sign * laws.z_of(0.95), rel=1e-5)


@given(COUNTS, COUNTS, st.sampled_from([relative, score_ratio, mover_ratio]))
def test_a_ratio_turns_over(a, b, method):
    there, back = ratio_limits(method(*a, *b)), ratio_limits(method(*b, *a))
    assert back == pytest.approx((1 / there[1], 1 / there[0]), rel=1e-6)


@given(COUNTS, COUNTS)
def test_the_mover_ratio_is_where_newcombes_interval_touches_zero(a, b):
    wilson_a, wilson_b = wilson(*a), wilson(*b)
    low, high = ratio_limits(mover_ratio(*a, *b))

    def edges(r):  # Newcombe's interval of p_a - r p_b
        value = wilson_a.value - r * wilson_b.value
        down = np.hypot(wilson_a.value - wilson_a.low, r * (wilson_b.high - wilson_b.value))
        up = np.hypot(wilson_a.high - wilson_a.value, r * (wilson_b.value - wilson_b.low))
        return value - down, value + up

    assert edges(low)[0] == pytest.approx(0.0, abs=1e-9 * (1 + low))
    assert edges(high)[1] == pytest.approx(0.0, abs=1e-9 * (1 + high))


@given(COUNTS, COUNTS)
def test_ratio_and_difference_agree_on_whether_there_is_an_effect(a, b):
    absolute, ratio = difference(*a, *b), relative(*a, *b)
    assume(min(abs(absolute.low), abs(absolute.high)) > 1e-9)
    assert ratio.excludes_zero() == absolute.excludes_zero()


def test_nobody_in_the_treated_group_is_minus_all():
    found = relative(0, 400, 12, 400)
    assert (found.value, found.low) == (-1.0, -1.0)
    assert -1.0 < found.high < -0.5


def test_airway_example_of_pairs():
    # Fagerland, Lydersen, Laake 2014 (Statistics in Medicine 33:2850): 21 children; 1 in both,
    # 1 and 7 in one only. Ratio 0.25; by Tang's score interval 0.065 to 0.907.
    low, high = ratio_limits(paired_relative(1, 1, 7, 21))
    assert (low, high) == pytest.approx((0.065, 0.907), abs=6e-4)


def pair_loglik(both, only_a, only_b, n, theta):
    """Share of the second only at the largest log-likelihood where p_a = theta p_b, by brute force."""
    total = both + only_a + only_b
    s = total / n
    best = (0.0, -np.inf)
    top = s / (1 + theta)
    for p21 in np.linspace(max(0.0, s * (1 - theta)), top, 200001)[1:-1]:
        p11, p12 = (s - (1 + theta) * p21) / theta, (s * (theta - 1) + p21) / theta
        if p11 <= 0 or p12 <= 0:
            continue
        value = both * log(p11) + only_a * log(p12) + only_b * log(p21)
        if value > best[1]:
            best = (p21, value)
    return best[0]


@pytest.mark.parametrize("counts", [(30, 12, 25, 400), (5, 9, 3, 2000), (80, 4, 9, 200)])
def test_the_paired_score_has_the_likelihoods_maximum(counts):
    both, only_a, only_b, n = counts
    for theta, sign in zip(ratio_limits(paired_relative(*counts)), (1, -1), strict=True):
        p21 = pair_loglik(*counts, theta)
        variance = n * (1 + theta) * p21 + (both + only_a + only_b) * (theta - 1)
        score = (both + only_a - theta * (both + only_b)) / sqrt(variance)
        assert score == pytest.approx(sign * laws.z_of(0.95), rel=2e-3)


@given(st.integers(0, 300), st.integers(0, 60), st.integers(0, 60), st.integers(0, 5000))
def test_pairs_turn_over_and_agree_with_tango(both, only_a, only_b, neither):
    n = both + only_a + only_b + neither
    assume(both + only_a and both + only_b and only_a + only_b)
    there, back = paired_relative(both, only_a, only_b, n), paired_relative(both, only_b, only_a, n)
    low, high = ratio_limits(there)
    assert low - 1e-9 <= (both + only_a) / (both + only_b) <= high + 1e-9
    if low > 1e-9:
        assert ratio_limits(back) == pytest.approx((1 / high, 1 / low), rel=1e-5)
    z = abs(only_a - only_b) / sqrt(only_a + only_b)
    if abs(z - laws.z_of(0.95)) > 1e-6:
        assert there.excludes_zero() == paired_difference(only_a, only_b, n).excludes_zero()


def amounts(seed, n=60, mean=5.0):
    rng = np.random.Generator(np.random.PCG64(seed))
    b = mean + rng.normal(size=n)
    return 0.7 * b + rng.normal(size=n), b


@given(st.integers(0, 10**6))
def test_fieller_holds_the_ratios_that_a_t_test_does_not_reject(seed):
    from scipy.stats import ttest_1samp

    a, b = amounts(seed)
    found = fieller(a, b)
    for ratio in (found.low, found.high):
        assert ttest_1samp(a - ratio * b, 0.0).pvalue == pytest.approx(0.05)
    turned = fieller(b, a)
    if found.low > 0 and isinstance(turned, Estimate):
        assert (turned.low, turned.high) == pytest.approx((1 / found.high, 1 / found.low))
    assert paired_ratio(a, b).value == pytest.approx(found.value - 1)


def test_fieller_of_two_groups_by_its_textbook_form():
    a, b = amounts(1, 40)[0], amounts(2, 70)[1]
    found = relative_means(a, b)
    t = laws.t_quantile(0.95, 108)
    for ratio in ratio_limits(found):
        error = sqrt(a.var(ddof=1) / 40 + ratio**2 * b.var(ddof=1) / 70)
        assert abs(a.mean() - ratio * b.mean()) == pytest.approx(t * error)


def test_a_denominator_near_zero_has_no_ratio():
    a, b = amounts(3, mean=0.05)
    found = fieller(a, b)
    assert isinstance(found, Refused)
    assert "cannot be told from zero" in found.reason


def test_delta_is_fieller_where_the_denominator_is_sure():
    a, b = amounts(4, n=4000)
    close, exact = delta_ratio(a, b), fieller(a, b)
    assert (close.low, close.high) == pytest.approx((exact.low, exact.high), rel=1e-3)
    c, d = amounts(5, n=3000)
    gap = ratio_difference(a, b, c, d)
    assert gap.value == pytest.approx(close.value - delta_ratio(c, d).value)
    assert gap.se == pytest.approx(sqrt(close.se**2 + delta_ratio(c, d).se ** 2))
    back = ratio_difference(c, d, a, b)
    assert (back.low, back.high) == pytest.approx((-gap.high, -gap.low))


def test_a_ratio_of_ratios_turns_over_and_is_the_difference_of_logarithms():
    rng = np.random.Generator(np.random.PCG64(12))
    a, b, c, d = (rng.gamma(9.0, size=size) for size in (400, 400, 300, 300))
    found, back = ratio_relative(a, 2 * b, c, d), ratio_relative(c, d, a, 2 * b)
    one, other = delta_ratio(a, 2 * b), delta_ratio(c, d)
    assert found.value == pytest.approx(one.value / other.value - 1)
    assert log(found.high + 1) - log(found.low + 1) == pytest.approx(
        2 * laws.t_quantile(0.95, 700) * sqrt((one.se / one.value) ** 2 + (other.se / other.value) ** 2),
        rel=0.01,
    )
    assert ((back.low + 1) * (found.high + 1), (back.high + 1) * (found.low + 1)) == pytest.approx((1, 1))
    assert found.high < 0  # half as much, told apart


@given(st.integers(0, 10**6), st.integers(8, 30), st.floats(0.1, 0.6), st.floats(0.1, 0.6))
@settings(max_examples=25)
def test_a_ratio_of_clusters_is_where_their_difference_touches_zero(seed, groups, p, q):
    rng = np.random.Generator(np.random.PCG64(seed))
    of_a, of_b = (np.repeat(np.arange(groups), 20) + first for first in (0, groups))
    a, b = ((rng.random(20 * groups) < chance).astype(float) for chance in (p, q))
    found = cluster_relative(a, b, of_a, of_b)
    if isinstance(found, Refused):
        assert cluster_difference(a, 1e4 * b, of_a, of_b).high >= 0  # b is not told from nothing
        return
    assert found.value == pytest.approx(a.mean() / b.mean() - 1)
    assert found.low <= found.value <= found.high
    high = cluster_difference(a, (found.high + 1) * b, of_a, of_b)
    assert high.high == pytest.approx(0, abs=1e-9)
    if found.low > -1:
        assert cluster_difference(a, (found.low + 1) * b, of_a, of_b).low == pytest.approx(0, abs=1e-9)


def test_a_ratio_of_clusters_of_one_is_fiellers():
    rng = np.random.Generator(np.random.PCG64(3))
    a, b = rng.gamma(3.0, size=400), rng.gamma(2.0, size=300)
    found, people = cluster_relative(a, b, np.arange(400), np.arange(400, 700)), relative_means(a, b)
    assert (found.low, found.high, found.se) == pytest.approx((people.low, people.high, people.se), rel=0.02)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (relative(3, 10, 0, 10), "no ratio"),
        (relative(0, 0, 1, 10), "empty"),
        (cluster_relative(np.ones(4), np.zeros(4), np.arange(4), np.arange(4)), "not above zero"),
        (cluster_relative(np.ones(4), np.ones(4), np.zeros(4, int), np.arange(4)), "at least 2 clusters"),
        (cluster_relative(np.arange(9.0), np.eye(9)[0], np.arange(9), np.arange(9, 18)), "told from zero"),
        (score_ratio(3, 10, 0, 10), "no ratio"),
        (log_relative(0, 10, 3, 10), "needs one"),
        (paired_relative(0, 4, 0, 10), "no ratio"),
        (fieller(np.ones(1), np.ones(1)), "at least 2"),
        (fieller(np.ones(5), np.ones(5)), "do not vary"),
        (delta_ratio(np.ones(5), np.zeros(5)), "zero"),
        (delta_ratio(np.ones(5), np.ones(5)), "do not vary"),
        (relative_means(np.ones(1), np.ones(5)), "at least 2"),
        (ratio_difference(np.ones(5), np.zeros(5), np.ones(5), np.ones(5)), "denominator of zero"),
        (ratio_relative(np.ones(5), np.zeros(5), np.ones(5), np.ones(5)), "denominator of zero"),
        (ratio_relative(np.zeros(5), np.ones(5), np.ones(5), np.ones(5)), "above 0"),
    ],
)
def test_what_has_no_ratio_says_why(found, reason):
    assert isinstance(found, Refused)
    assert reason in found.reason


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="same units"):
        fieller(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="negative"):
        paired_relative(5, -1, 3, 10)


@pytest.mark.parametrize(("n_a", "p_a", "n_b", "p_b"), [(500, 0.03, 500, 0.02), (300, 0.02, 1200, 0.02)])
def test_exact_coverage_of_the_score_ratio(n_a, p_a, n_b, p_b):
    # Enumerated, given that somebody of b took up; no chance is left.
    a, b = laws.binomial_chances(n_a, p_a), laws.binomial_chances(n_b, p_b)
    covered = had = 0.0
    for x in np.flatnonzero(a > 1e-7).tolist():
        for y in np.flatnonzero(b > 1e-7).tolist():
            if y:
                low, high = ratio_limits(relative(x, n_a, y, n_b))
                covered += a[x] * b[y] * (low <= p_a / p_b <= high)
                had += a[x] * b[y]
    assert 0.945 <= covered / had <= 0.965


def test_coverage_of_the_paired_score_ratio_and_of_fieller():
    # 2,000 samples: a 95 % interval covers 93.4 to 96.6 % but for 1 in 700 seeds.
    rng = np.random.Generator(np.random.PCG64(31))
    truth, covered = (0.01 + 0.02) / (0.01 + 0.012), 0
    for both, only_a, only_b, _ in rng.multinomial(1500, [0.01, 0.02, 0.012, 0.958], 2000).tolist():
        low, high = ratio_limits(paired_relative(both, only_a, only_b, 1500))
        covered += low <= truth <= high
    assert 0.934 <= covered / 2000 <= 0.968
    lopsided = rng.lognormal(0.0, 0.8, (2000, 2, 200))
    covered = sum(relative_means(a, 2 * b).covers(-0.5) for a, b in lopsided)
    assert 0.934 <= covered / 2000 <= 0.968
