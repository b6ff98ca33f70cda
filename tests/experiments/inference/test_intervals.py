"""Intervals of proportions against published tables, outside judges, laws of symmetry, and exact coverage."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.inference import Estimate, Refused, intervals, laws
from experiments.inference.intervals import (
    clopper_pearson,
    difference,
    mid_p,
    miettinen_nurminen,
    newcombe,
    paired_difference,
    proportion,
    quantile,
    quantile_ranks,
    tango_interval,
    wilson,
)

ONE = {"wilson": wilson, "clopper-pearson": clopper_pearson, "mid-p": mid_p, "chosen": proportion}

# Newcombe 1998, Statistics in Medicine 17:857-872, table I: methods 3 (score), 5 (exact) and 6 (mid-P).
PUBLISHED_ONE = [
    (wilson, 81, 263, 0.2553, 0.3662),
    (wilson, 15, 148, 0.0624, 0.1605),
    (wilson, 0, 20, 0.0, 0.1611),
    (wilson, 1, 29, 0.0061, 0.1718),
    (clopper_pearson, 81, 263, 0.2527, 0.3676),
    (clopper_pearson, 15, 148, 0.0578, 0.1617),
    (clopper_pearson, 0, 20, 0.0, 0.1684),
    (clopper_pearson, 1, 29, 0.0009, 0.1776),
    (mid_p, 81, 263, 0.2544, 0.3658),
    (mid_p, 15, 148, 0.0601, 0.1581),
    (mid_p, 0, 20, 0.0, 0.1391),
    (mid_p, 1, 29, 0.0017, 0.1585),
]
# Newcombe 1998, Statistics in Medicine 17:873-890, table II: methods 6 (Miettinen, Nurminen) and 10.
PUBLISHED_TWO = [
    (miettinen_nurminen, (56, 70, 48, 80), 0.0528, 0.3382),
    (miettinen_nurminen, (9, 10, 3, 10), 0.1700, 0.8406),
    (miettinen_nurminen, (5, 56, 0, 29), -0.0326, 0.1933),
    (miettinen_nurminen, (0, 10, 0, 20), -0.1658, 0.2844),
    (miettinen_nurminen, (10, 10, 0, 20), 0.7156, 1.0),
    (newcombe, (56, 70, 48, 80), 0.0524, 0.3339),
    (newcombe, (9, 10, 3, 10), 0.1705, 0.8090),
    (newcombe, (5, 56, 0, 29), -0.0381, 0.1926),
    (newcombe, (0, 10, 0, 20), -0.1611, 0.2775),
    (newcombe, (10, 10, 0, 20), 0.6791, 1.0),
]

COUNTS = st.integers(1, 4000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
SPARSE_COUNTS = st.integers(50, 50000).flatmap(lambda n: st.tuples(st.integers(0, 12), st.just(n)))


def limits(found: Estimate | Refused) -> tuple[float, float]:
    assert isinstance(found, Estimate), found
    return found.low, found.high


@pytest.mark.parametrize(("method", "hits", "n", "low", "high"), PUBLISHED_ONE)
def test_published_intervals_of_one_proportion(method, hits, n, low, high):
    assert limits(method(hits, n)) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.parametrize(("method", "counts", "low", "high"), PUBLISHED_TWO)
def test_published_intervals_of_a_difference(method, counts, low, high):
    assert limits(method(*counts)) == pytest.approx((low, high), abs=6e-5)


@given(COUNTS | SPARSE_COUNTS, st.sampled_from([0.8, 0.95, 0.99]))
def test_one_proportion_as_scipy_has_it(counts, level):
    hits, n = counts
    judge = stats.binomtest(hits, n)
    for method, name in ((wilson, "wilson"), (clopper_pearson, "exact")):
        theirs = judge.proportion_ci(level, name)
        assert limits(method(hits, n, level)) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(COUNTS | SPARSE_COUNTS)
def test_mid_p_lies_inside_exact_and_leaves_its_tails(counts):
    hits, n = counts
    low, high = limits(mid_p(hits, n))
    outer = limits(clopper_pearson(hits, n))
    assert outer[0] - 1e-12 <= low <= hits / n <= high <= outer[1] + 1e-12
    for edge, tail in ((low, 0.975), (high, 0.025)):
        if 0.0 < edge < 1.0:
            half = (stats.binom.cdf(hits, n, edge) + stats.binom.cdf(hits - 1, n, edge)) / 2
            assert half == pytest.approx(tail, abs=1e-6)


@given(COUNTS, st.sampled_from(sorted(ONE)))
def test_hits_and_misses_mirror(counts, name):
    hits, n = counts
    low, high = limits(ONE[name](hits, n))
    assert limits(ONE[name](n - hits, n)) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(
    COUNTS | SPARSE_COUNTS,
    COUNTS | SPARSE_COUNTS,
    st.sampled_from([difference, miettinen_nurminen, newcombe]),
)
def test_a_difference_mirrors_and_holds_its_value(a, b, method):
    there, back = method(*a, *b), method(*b, *a)
    assert limits(back) == pytest.approx((-there.high, -there.low), abs=1e-8)
    assert limits(there.mirrored()) == (-there.high, -there.low)
    assert -1 <= there.low <= there.value + 1e-12
    assert there.value - 1e-12 <= there.high <= 1


def likelihood_maximum(x_a, n_a, x_b, n_b, delta):
    """Rate of b by ternary search on the log-likelihood, which is concave: no cubic."""
    low, high = max(0.0, -delta), min(1.0, 1.0 - delta)

    def value(p):
        pairs = ((x_a, p + delta), (n_a - x_a, 1 - p - delta), (x_b, p), (n_b - x_b, 1 - p))
        return sum(k * log(max(share, 1e-300)) for k, share in pairs if k)

    for _ in range(200):
        third = (high - low) / 3
        if value(low + third) < value(high - third):
            low += third
        else:
            high -= third
    return (low + high) / 2


@given(COUNTS | SPARSE_COUNTS, COUNTS | SPARSE_COUNTS, st.floats(-0.999, 0.999))
def test_the_cubic_finds_the_likelihoods_maximum(a, b, delta):
    found = intervals._restricted_rate(*a, *b, delta)
    assert found == pytest.approx(likelihood_maximum(*a, *b, delta), abs=2e-7)


@given(COUNTS, COUNTS)
def test_newcombes_interval_as_statsmodels_has_it(a, b):
    judge = pytest.importorskip("statsmodels.stats.proportion", reason="statsmodels judges from outside")
    theirs = judge.confint_proportions_2indep(*a, *b, method="newcomb", compare="diff")
    ours = limits(newcombe(*a, *b))
    assert ours == pytest.approx((max(-1.0, theirs[0]), min(1.0, theirs[1])), abs=1e-9)


@given(COUNTS, COUNTS)
def test_zero_is_outside_exactly_where_the_pooled_test_rejects(a, b):
    # At a difference of 0 the score test is the pooled z-test, but for N / (N - 1).
    (x_a, n_a), (x_b, n_b) = a, b
    n, pooled = n_a + n_b, (x_a + x_b) / (n_a + n_b)
    variance = pooled * (1 - pooled) * (1 / n_a + 1 / n_b) * n / (n - 1)
    gap = x_a / n_a - x_b / n_b
    z = abs(gap) / variance**0.5 if variance > 0 else 0.0
    if abs(z - laws.z_of(0.95)) > 1e-6:
        assert miettinen_nurminen(*a, *b).excludes_zero() == (z > laws.z_of(0.95))


def coverage(method, n_a, p_a, n_b, p_b):
    """Exact coverage and its two misses, by enumerating all outcomes that are likelier than 1e-8."""
    a, b = laws.binomial_chances(n_a, p_a), laws.binomial_chances(n_b, p_b)
    covered = below = above = 0.0
    for x in np.flatnonzero(a > 1e-8).tolist():
        for y in np.flatnonzero(b > 1e-8).tolist():
            found, weight = method(x, n_a, y, n_b), a[x] * b[y]
            covered += weight * found.covers(p_a - p_b)
            above += weight * (found.low > p_a - p_b)
            below += weight * (found.high < p_a - p_b)
    return covered, below, above


@pytest.mark.parametrize(
    ("n_a", "p_a", "n_b", "p_b"),
    [
        (500, 0.004, 500, 0.004),
        (500, 0.02, 500, 0.01),
        (500, 0.04, 500, 0.02),
        (200, 0.01, 1000, 0.01),
        (2000, 0.002, 500, 0.001),
        (60, 0.05, 60, 0.2),
    ],
)
def test_exact_coverage_of_a_sparse_difference(n_a, p_a, n_b, p_b):
    # Enumerated, not simulated: no false alarm.
    covered, below, above = coverage(difference, n_a, p_a, n_b, p_b)
    assert 0.942 <= covered <= 0.985
    assert max(below, above) <= 0.042


def test_why_the_rule_of_choice_exists():
    # Two hits expected against a quarter of one: the score interval falls far below its level.
    assert coverage(miettinen_nurminen, 1000, 0.001, 250, 0.001)[0] < 0.91
    assert coverage(difference, 1000, 0.001, 250, 0.001)[0] > 0.95
    assert difference(9, 500, 30, 500).method == "newcombe"
    assert difference(10, 500, 30, 500).method == "miettinen-nurminen"
    assert difference(10, 500, 491, 500).method == "newcombe"


@pytest.mark.parametrize("n", [30, 500])
def test_exact_coverage_of_one_proportion(n):
    rates = np.r_[0.17 / n, np.linspace(0.05, 12, 120) / n, np.linspace(0.02, 0.5, 60)]
    found = {name: [limits(method(x, n)) for x in range(n + 1)] for name, method in ONE.items()}
    covered = {
        name: np.array(
            [
                sum(
                    w
                    for w, (low, high) in zip(laws.binomial_chances(n, p), rows, strict=True)
                    if low <= p <= high
                )
                for p in rates
            ]
        )
        for name, rows in found.items()
    }
    assert covered["clopper-pearson"].min() >= 0.95
    assert covered["chosen"].min() >= 0.935
    assert covered["wilson"].min() < 0.85  # why the rule of choice exists
    assert 0.94 <= covered["mid-p"].mean() <= 0.98


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
def test_pairs_mirror_and_know_their_standard_error(counts):
    only_a, only_b, n = counts
    only_b = min(only_b, n - only_a)
    found = paired_difference(only_a, only_b, n)
    assert (found.low, found.high) == tango_interval(only_a, only_b, n, laws.z_of(0.95))
    assert limits(paired_difference(only_b, only_a, n)) == pytest.approx(limits(found.mirrored()), abs=1e-9)
    each = np.r_[np.ones(only_a), -np.ones(only_b), np.zeros(n - only_a - only_b)]
    assert found.se == pytest.approx(each.std() / n**0.5, abs=1e-12)


@pytest.mark.parametrize(("b", "c"), [(9, 3), (0, 4), (15, 14), (30, 12)])
def test_pairs_reject_where_mcnemar_does(b, c):
    judge = pytest.importorskip(
        "statsmodels.stats.contingency_tables", reason="statsmodels judges from outside"
    )
    p = judge.mcnemar([[50, b], [c, 400]], exact=False, correction=False).pvalue
    assert paired_difference(b, c, 450 + b + c).excludes_zero() == (p < 0.05)


# ---------------------------------------------------------------------------------------------- quantiles


def test_ranks_of_a_median_are_those_of_the_sign_test():
    # n = 10 and 95 %: second and ninth (97.9 %), as in any table of the sign test.
    assert quantile_ranks(10, 0.5, beyond=1) == (2, 5, 9)


@given(st.integers(20, 30000), st.sampled_from([0.05, 0.5, 0.9, 0.99]), st.sampled_from([0.9, 0.95]))
def test_ranks_leave_their_tails_and_no_more(n, q, level):
    ranks = quantile_ranks(n, q, level)
    if isinstance(ranks, Refused):
        assert n * min(q, 1 - q) < 10
        return
    low, at, high = ranks
    tail = (1 - level) / 2
    assert 1 <= low <= at <= high <= n
    assert stats.binom.cdf(low - 1, n, q) <= tail * (1 + 1e-9)
    assert stats.binom.cdf(low, n, q) > tail * (1 - 1e-9)
    assert stats.binom.sf(high - 1, n, q) <= tail * (1 + 1e-9)
    assert stats.binom.sf(high - 2, n, q) > tail * (1 - 1e-9)


def test_a_quantile_is_refused_where_too_few_lie_beyond():
    values = np.arange(9999.0)
    refused = quantile(values, 0.999)
    assert refused == Refused("order statistics", "a p99.9 needs 10000 observations; there are 9999", 9999)
    assert isinstance(quantile(np.arange(10000.0), 0.999), Estimate)
    assert "needs 1000 " in quantile(values[:999], 0.99).reason
    assert "needs 6 " in quantile(values[:5], 0.5, beyond=1).reason  # 2 / 2^6 < 5 %
    assert isinstance(quantile(values[:6], 0.5, beyond=1), Estimate)


@given(st.integers(20, 300), st.integers(0, 10**6))
def test_quantiles_follow_any_growing_map(n, seed):
    values = np.random.Generator(np.random.PCG64(seed)).normal(size=n)
    plain, mapped = quantile(values, 0.5), quantile(np.exp(values), 0.5)
    assert (mapped.low, mapped.value, mapped.high) == pytest.approx(
        tuple(np.exp([plain.low, plain.value, plain.high]))
    )
    assert plain.se is None
    assert plain.value == np.quantile(values, 0.5, method="inverted_cdf")


def test_quantiles_cover():
    # 3,000 samples of 200 from an exponential law. By the binomial law the exact coverage of a p90 with these
    # ranks is known; the share seen lies within 4 standard errors of it but for 1 in 16,000 seeds.
    rng = np.random.Generator(np.random.PCG64(7))
    found = [quantile(row, 0.9) for row in rng.exponential(size=(3000, 200))]
    low, _, high = quantile_ranks(200, 0.9)
    exact = stats.binom.cdf(high - 1, 200, 0.9) - stats.binom.cdf(low - 1, 200, 0.9)
    assert exact >= 0.95
    seen = np.mean([one.covers(log(10)) for one in found])
    assert abs(seen - exact) < 4 * (exact * (1 - exact) / 3000) ** 0.5


# ---------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (wilson(0, 0), "nobody"),
        (clopper_pearson(0, 0), "nobody"),
        (mid_p(0, 0), "nobody"),
        (difference(0, 0, 1, 9), "group is empty"),
        (miettinen_nurminen(0, 0, 1, 9), "group is empty"),
        (newcombe(1, 9, 0, 0), "group is empty"),
        (paired_difference(0, 0, 0), "no pair"),
    ],
)
def test_what_has_no_figure_has_a_reason(found, reason):
    assert isinstance(found, Refused)
    assert reason in found.reason
    assert set(found.as_json()) == {"refused", "n", "method"}


def test_mistakes_of_the_caller_are_named():
    with pytest.raises(ValueError, match="b: 7 of 5"):
        difference(1, 5, 7, 5)
    with pytest.raises(ValueError, match="level 95"):
        clopper_pearson(1, 5, 95)
    with pytest.raises(ValueError, match="quantile 99"):
        quantile_ranks(100, 99)
    with pytest.raises(ValueError, match="finite"):
        Estimate(float("nan"), 0.0, 1.0, 0.1, 3, "x")
    with pytest.raises(ValueError, match="upside down"):
        Estimate(0.5, 1.0, 0.0, 0.1, 3, "x")


def test_an_estimate_goes_into_a_summary_and_another_unit():
    found = Estimate(0.01, -0.02, 0.04, 0.015, 100, "x")
    assert found.as_json() == {
        "value": 0.01,
        "low": -0.02,
        "high": 0.04,
        "se": 0.015,
        "n": 100,
        "method": "x",
    }
    assert found.scaled(100.0) == Estimate(1.0, -2.0, 4.0, 1.5, 100, "x")
    assert found.covers(-0.02)
    assert not found.covers(0.05)
    assert not found.excludes_zero()
