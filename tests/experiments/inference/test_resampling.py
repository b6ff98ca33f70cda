"""The bootstrap: same seed same bytes, against scipy, coverage, clusters, refusals."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.inference import Estimate, Refused
from experiments.inference.resampling import bootstrap, positions
from sim.draws import philox4x32


def gap(samples):
    return float(samples[0].mean() - samples[1].mean())


def middle(samples):
    return float(samples[0].mean())


def skewed(seed, n):
    return np.random.Generator(np.random.PCG64(seed)).exponential(size=n)


def test_positions_are_the_same_everywhere():
    # Integers of Philox4x32-10 alone: this digest holds on every machine and build.
    found = np.concatenate([positions(20091001, s, r, 1001) for s in range(2) for r in range(5)])
    digest = hashlib.sha256(found.astype("<i8").tobytes()).hexdigest()
    assert digest == "49db56fdffaa507f0d6a345416ee967dfb5a8127862bf3e875b49905187b6d02"


def test_positions_by_plain_integers():
    key = (77, 3)
    for i, at in enumerate(positions(77 + (3 << 32), 1, 9, 30).tolist()):
        assert at == philox4x32((i // 4, 9, 2, 0), key)[i % 4] * 30 >> 32


@given(st.integers(0, 2**64 - 1), st.integers(1, 5000))
def test_positions_are_positions(seed, n):
    found = positions(seed, 0, 3, n)
    assert found.shape == (n,)
    assert found.min() >= 0
    assert found.max() < n


def test_positions_are_uniform_and_apart():
    counts = np.bincount(np.concatenate([positions(1, 0, r, 50) for r in range(2000)]), minlength=50)
    assert stats.chisquare(counts).pvalue > 1e-4
    assert not np.array_equal(positions(1, 0, 0, 50), positions(1, 1, 0, 50))
    assert not np.array_equal(positions(1, 0, 0, 50), positions(1, 0, 1, 50))
    assert not np.array_equal(positions(1, 0, 0, 50), positions(2, 0, 0, 50))


def test_same_seed_same_interval():
    samples = [skewed(1, 80), skewed(2, 60)]
    assert bootstrap(gap, samples, 5) == bootstrap(gap, samples, 5)
    assert bootstrap(gap, samples, 5) != bootstrap(gap, samples, 6)


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize("paired", [False, True])
def test_as_scipy_has_it(method, paired):
    # The limits differ by chance alone: 9,999 resamples give a tail to 0.16 points (one standard error).
    samples = [skewed(3, 70), skewed(4, 70) * 2]
    if paired:
        samples[1] = samples[0] + 0.3 * samples[1]
    ours = bootstrap(gap, samples, 7, paired=paired, replicates=9999, method=method)

    def theirs_of(a, b, axis):
        return a.mean(axis=axis) - b.mean(axis=axis)

    theirs = stats.bootstrap(
        samples, theirs_of, paired=paired, method="BCa" if method == "bca" else method, n_resamples=9999,
        rng=np.random.default_rng(1),
    )  # fmt: skip
    tolerance = 0.08 * theirs.standard_error
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=tolerance)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=tolerance)
    assert ours.se == pytest.approx(theirs.standard_error, rel=0.04)
    assert ours.n == (70 if paired else 140)


def test_blocks_left_out_give_the_same_acceleration():
    # 1,200 units are left out in 400 blocks; the acceleration of a mean is its skewness / (6 sqrt(n)).
    sample = skewed(5, 1200)
    found = bootstrap(middle, [sample], 1, replicates=4000)
    theirs = stats.bootstrap(
        (sample,), lambda x, axis: x.mean(axis=axis), n_resamples=4000, rng=np.random.default_rng(2)
    )
    tolerance = 0.12 * theirs.standard_error
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=tolerance)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=tolerance)


def test_clusters_are_drawn_whole():
    rng = np.random.Generator(np.random.PCG64(9))
    of = np.repeat(np.arange(40), rng.integers(1, 20, 40))
    values = rng.normal(size=40)[of]
    found = bootstrap(middle, [values], 3, clusters=[of], method="percentile")
    alone = bootstrap(middle, [values], 3, method="percentile")
    assert found.n == 40
    assert found.se > 2 * alone.se
    # Clusters of one row each are rows.
    single = bootstrap(middle, [values], 3, clusters=[np.arange(len(values))])
    assert single == bootstrap(middle, [values], 3)


def test_clusters_rows_come_whole_and_as_often_as_drawn():
    of = np.array([4, 9, 4, 7, 9, 4, *range(100, 110)])
    seen = []

    def keep(samples):
        seen.append(samples[0])
        return float(samples[0].sum()) + 1e-9 * len(seen)

    bootstrap(keep, [np.arange(16.0)], 2, clusters=[of], method="percentile", replicates=1000)
    for rows in seen[1:50]:
        times = np.bincount(rows.astype(int), minlength=16)
        assert times[0] == times[2] == times[5]
        assert times[1] == times[4]


@pytest.mark.parametrize(
    ("statistic", "samples", "reason"),
    [
        (middle, [np.arange(9.0)], "at least 10 units; there are 9"),
        (middle, [np.ones(30)], "the same in all resamples"),
        (lambda s: 1.0 / s[0].sum(), [np.r_[1.0, np.zeros(29)]], "does not exist in"),
    ],
)
def test_what_cannot_be_resampled_says_why(statistic, samples, reason):
    with np.errstate(divide="ignore"):
        found = bootstrap(statistic, samples, 1, replicates=1000)
    assert isinstance(found, Refused)
    assert reason in found.reason


def test_mistakes_of_the_caller():
    with pytest.raises(ValueError, match="at least 1000"):
        bootstrap(middle, [np.arange(30.0)], 1, replicates=100)
    with pytest.raises(ValueError, match="equal lengths"):
        bootstrap(gap, [np.arange(30.0), np.arange(31.0)], 1, paired=True)
    with pytest.raises(ValueError, match="clusters of"):
        bootstrap(middle, [np.arange(30.0)], 1, clusters=[np.arange(29)])


def test_coverage_of_a_skewed_mean():
    # 150 samples of 40 from an exponential law, 1,000 resamples each. BCa covers about 93 %: 87 % but
    # for 1 in 200 seeds; its misses are less lopsided than the percentile's.
    misses = {"bca": [0, 0], "percentile": [0, 0]}
    for seed in range(150):
        for method, missed in misses.items():
            found = bootstrap(middle, [skewed(9000 + seed, 40)], seed, replicates=1000, method=method)
            assert isinstance(found, Estimate)
            missed[0] += found.high < 1.0
            missed[1] += found.low > 1.0
    assert sum(misses["bca"]) / 150 <= 0.13
    assert misses["bca"][0] - misses["bca"][1] < misses["percentile"][0] - misses["percentile"][1]
