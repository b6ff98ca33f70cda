"""Every law and estimator of the realism study against a closed form."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.realism.fits import (
    Estimate,
    HourLaw,
    PowerLaw,
    burstiness,
    by_subscriber,
    channels_for,
    correlation,
    earth_mover,
    entropy_rate,
    erlang_b,
    lognormal_distance,
    mean_over_seeds,
    offered_of_carried,
    pairs_blocked,
    predictability,
    slope,
    student_t,
)

RNG = np.random.default_rng(5)


def power_law_sample(exponent, low, high, n):
    u = np.random.default_rng(11).random(n)
    b = 1 - exponent
    return (low**b + u * (high**b - low**b)) ** (1 / b)


@pytest.mark.parametrize("exponent", [1.5, 1.75, 2.6])
def test_the_exponent_of_a_truncated_power_law_is_found(exponent) -> None:
    x = power_law_sample(exponent, 1.0, 50.0, 60_000)
    law = PowerLaw(1.0, 50.0)
    found = law.estimate(x, np.arange(60_000) % 3000, 3000)
    assert found.low < exponent < found.high
    assert found.high - found.low < 0.06
    assert found.value == pytest.approx(exponent, abs=0.03)


def test_a_shifted_power_law_is_one_of_the_shifted_variable() -> None:
    x = power_law_sample(1.75, 2.0, 30.0, 60_000) - 1.5
    found = PowerLaw(0.5, 28.5, shift=1.5).estimate(x, np.arange(60_000) % 3000, 3000)
    assert found.value == pytest.approx(1.75, abs=0.03)


def test_a_cut_power_law_has_the_mean_of_a_gamma_law() -> None:
    # x^(k - 1) exp(-x / c): E log x = digamma(k) + log c.
    law = PowerLaw(1e-9, 400.0, cut=10.0)
    from scipy.special import digamma

    assert law.mean_log(np.array([-1.0]))[0] == pytest.approx(digamma(2) + math.log(10), abs=1e-3)


@pytest.mark.parametrize("exponent", [0.5, 1.8, 2.6])
def test_the_exponent_of_whole_hours_is_found_and_another_law_is_far_from_it(exponent) -> None:
    law, k = HourLaw(200, 17.0), np.arange(1, 201)
    shares = law.shares(exponent)
    assert shares[1] / shares[0] == pytest.approx(2**-exponent * math.exp(-1 / 17))
    hours = np.random.default_rng(12).choice(k, 40_000, p=shares)
    found = law.estimate(hours, np.arange(40_000) % 2000, 2000)
    assert found.low < exponent < found.high
    assert found.value == pytest.approx(exponent, abs=0.03)
    assert law.distance(hours, found.value).value < 0.01
    assert law.distance(np.full(100, 8), found.value).value > 0.4
    assert math.isnan(law.estimate(hours[:0], hours[:0], 3).value)


def test_the_bootstrap_of_a_mean_is_that_of_the_normal_law() -> None:
    rows = RNG.normal(3.0, 2.0, (4000, 1))
    found = by_subscriber(rows, lambda m: float(m[0]))
    half = 1.96 * rows.std() / math.sqrt(4000)
    assert found.value == pytest.approx(rows.mean())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.2)


def test_erlang_b_as_tabled() -> None:
    # Tables of Erlang B: 7 channels carry 2.935 E, 30 channels 21.93 E at 2 %.
    assert erlang_b(7, 2.935) == pytest.approx(0.02, abs=2e-4)
    assert erlang_b(30, 21.932) == pytest.approx(0.02, abs=2e-4)
    assert channels_for(2.9, 0.02) == 7
    assert erlang_b(0, 3.0) == 1.0


@given(st.integers(1, 40), st.floats(0.1, 30.0))
def test_pairs_are_refused_between_erlang_b_of_single_calls_and_of_pairs(channels, offered) -> None:
    """Without pairs the formula; with pairs alone that of half as many channels, where these are even."""
    single = erlang_b(channels, offered)
    assert pairs_blocked(channels, offered, 0.0) == pytest.approx(single, rel=1e-9)
    if channels % 2 == 0:
        full = erlang_b(channels // 2, offered / 2)
        # The first request of a pair is refused, or none: the one channel left is for nobody.
        assert pairs_blocked(channels, offered, 1.0) == pytest.approx(full / (2 - full), rel=1e-9)
    if channels > 2 and single < 0.05:
        assert pairs_blocked(channels, offered, 0.4) > single
    assert pairs_blocked(0, offered, 0.5) == 1.0


def test_offered_traffic_is_found_from_what_is_carried() -> None:
    assert offered_of_carried(7, 2.935 * (1 - erlang_b(7, 2.935))) == pytest.approx(2.935, abs=1e-6)


def gaps_of(times):
    gaps = np.diff(np.sort(times))
    return np.array([len(times)]), np.array([gaps.std()]), np.array([gaps.mean()])


def test_burstiness_is_nothing_for_poisson_minus_one_for_a_clock() -> None:
    some = [burstiness(*gaps_of(RNG.random(25)))[0] for _ in range(4000)]
    assert np.mean(some) == pytest.approx(0.0, abs=0.02)
    assert burstiness(*gaps_of(np.arange(50.0)))[0] == pytest.approx(-1.0)
    assert burstiness(*gaps_of(np.exp(np.arange(40.0))))[0] > 0.6


def test_the_entropy_of_noise_is_that_of_its_alphabet_and_of_a_rhythm_nearly_nothing() -> None:
    noise = np.random.default_rng(2).integers(0, 8, 4000).tolist()
    assert entropy_rate(noise) == pytest.approx(3.0, rel=0.08)
    assert entropy_rate([1, 2, 3, 4] * 250) < 0.1
    # A coin that shows heads nine times out of ten: 0.469 bits.
    coin = (np.random.default_rng(3).random(6000) < 0.1).astype(int).tolist()
    assert entropy_rate(coin) == pytest.approx(0.469, rel=0.12)


def test_fanos_bound_is_met_by_its_own_equality() -> None:
    p, n = 0.93, 30
    entropy = -p * math.log2(p) - (1 - p) * math.log2(1 - p) + (1 - p) * math.log2(n - 1)
    assert predictability(entropy, n) == pytest.approx(p, abs=1e-9)
    assert predictability(math.log2(8), 8) == pytest.approx(1 / 8)
    assert predictability(0.0, 8) == 1.0


def test_the_distance_from_a_log_normal_law_is_kolmogorovs() -> None:
    x = np.random.default_rng(4).lognormal(math.log(73), 1.0, 5000)
    expected = stats.kstest(x, stats.lognorm(1.0, scale=73).cdf).statistic
    assert lognormal_distance(x, 73, 1.0, 0.0, math.inf) == pytest.approx(expected)
    assert lognormal_distance(np.clip(x, 10, 500), 73, 1.0, 10, 500) < 0.025
    assert lognormal_distance(np.linspace(0, 240, 5000), 73, 1.0, 0.0, math.inf) > 0.15


def test_earth_is_moved_from_bin_to_bin() -> None:
    assert earth_mover(np.array([1.0, 0, 0]), np.array([0, 0, 4.0]), 0.5) == pytest.approx(1.0)
    assert earth_mover(np.array([2.0, 2]), np.array([1.0, 1]), 3.0) == 0.0


@pytest.mark.parametrize(("level", "freedom"), [(0.95, 4), (0.99, 2), (0.993, 9)])
def test_students_bound(level, freedom) -> None:
    assert student_t(level, freedom) == pytest.approx(stats.t.ppf((1 + level) / 2, freedom), rel=1e-3)


def test_the_mean_over_seeds_has_students_interval() -> None:
    found = mean_over_seeds([1.0, 2.0, 3.0])
    half = stats.t.ppf(0.975, 2) / math.sqrt(3)
    assert (found.value, found.high) == (2.0, pytest.approx(2 + half, rel=1e-3))
    assert mean_over_seeds([1.0]) == Estimate(1.0, -math.inf, math.inf)


def test_slope_and_correlation() -> None:
    x = np.arange(10.0)
    assert slope(x, 3 - 1.2 * x) == pytest.approx(-1.2)
    assert correlation(x, 5 + 2 * x) == pytest.approx(1.0)
    assert math.isnan(correlation(x, np.ones(10)))
