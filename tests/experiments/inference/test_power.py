"""Power: against statsmodels, against sums over all outcomes, and against simulated intervals."""

from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from experiments.inference import Refused
from experiments.inference.intervals import difference, paired_difference
from experiments.inference.power import (
    Design,
    design_effect,
    detectable,
    detectable_by_simulation,
    exact_power,
    mean_detectable,
    mean_power,
    power,
    power_by_simulation,
)

INDEPENDENT = Design("independent", 0.02, 2000, 2000)
SPARSE = Design("independent", 0.004, 900, 500)
PAIRED = Design("paired", 0.004, 2000)


def test_means_as_statsmodels_has_them():
    judge = pytest.importorskip("statsmodels.stats.power", reason="statsmodels judges from outside")
    for effect in (0.1, 0.3):
        theirs = judge.NormalIndPower().power(effect, 300, 0.05, ratio=1.0)
        assert mean_power(effect, (2 / 300) ** 0.5) == pytest.approx(theirs)
    wanted = judge.NormalIndPower().solve_power(None, 300, 0.05, 0.8)
    assert mean_detectable((2 / 300) ** 0.5) == pytest.approx(wanted, rel=1e-4)


def test_the_rule_of_two_point_eight():
    # Everybody's rule: (1.96 + 0.84) standard errors are found with power 80 %.
    assert mean_detectable(1.0) == pytest.approx(2.8016, abs=1e-3)
    assert mean_power(2.8016, 1.0) == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize(("p_a", "p_b", "n"), [(0.03, 0.02, 2000), (0.3, 0.2, 250), (0.06, 0.03, 800)])
def test_two_groups_as_statsmodels_has_them(p_a, p_b, n):
    judge = pytest.importorskip("statsmodels.stats.proportion", reason="statsmodels judges from outside")
    theirs = judge.power_proportions_2indep(p_a - p_b, p_b, n, alternative="two-sided").power
    assert power(Design("independent", p_b, n, n), p_a - p_b) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(
    ("design", "effect"),
    [(INDEPENDENT, 0.0), (INDEPENDENT, 0.012), (SPARSE, 0.012), (PAIRED, 0.0), (PAIRED, 0.006)],
)
def test_the_exact_sum_is_the_power_of_the_printed_interval(design, effect):
    # 3,000 simulated runs through the interval itself; 4 standard errors are passed by 1 in 16,000 seeds.
    rng = np.random.Generator(np.random.PCG64(12))
    paired, two = cache(paired_difference), cache(difference)  # few counts come again and again
    if design.kind == "paired":
        shares = [design.baseline + effect, design.baseline]
        draws = rng.multinomial(design.n_a, [*shares, 1 - sum(shares)], 3000)
        trial = lambda r: paired(int(draws[r, 0]), int(draws[r, 1]), design.n_a)  # noqa: E731
    else:
        a = rng.binomial(design.n_a, design.baseline + effect, 3000)
        b = rng.binomial(design.n_b, design.baseline, 3000)
        trial = lambda r: two(int(a[r]), design.n_a, int(b[r]), design.n_b)  # noqa: E731
    simulated, exact = power_by_simulation(trial, 3000), exact_power(design, effect)
    assert abs(simulated.value - exact) < 4 * (exact * (1 - exact) / 3000) ** 0.5 + 1e-3
    assert abs(power(design, effect) - exact) < 0.06  # the closed form is near, no more


def test_the_exact_test_keeps_its_level_where_hits_are_few():
    for n in (300, 900, 3000):
        for rate in (0.002, 0.005, 0.02):
            assert exact_power(Design("independent", rate, n, n // 3), 0.0) <= 0.06


@given(st.floats(0.001, 0.4), st.integers(50, 5000), st.integers(50, 5000), st.floats(0.001, 0.3))
def test_more_people_and_larger_effects_are_found_sooner(baseline, n_a, n_b, effect):
    here = power(Design("independent", baseline, n_a, n_b), effect)
    assert 0 <= here <= 1 + 1e-12
    assume(here > 0.1)  # below, the level of the test with rates that differ by arm has its say
    assert power(Design("independent", baseline, 2 * n_a, 2 * n_b), effect) >= here - 1e-9
    assert power(Design("independent", baseline, n_a, n_b), effect * 1.2) >= here - 1e-9


@pytest.mark.parametrize("design", [INDEPENDENT, PAIRED, SPARSE])
@pytest.mark.parametrize("of", [power, exact_power])
def test_the_detectable_effect_is_found_with_the_power_wanted(design, of):
    effect = detectable(design, 0.8, of=of)
    assert of(design, effect, 0.95) >= 0.8
    assert of(design, effect * 0.98, 0.95) < 0.8


def test_the_simulated_detectable_effect_is_near_the_exact_one():
    # 1,500 runs at each of nine effects; its own interval holds the exact one but for 1 seed in 20.
    u = np.random.Generator(np.random.PCG64(41)).random((1500, 2, 400))
    two = cache(difference)

    def trial(effect, replicate):
        a, b = u[replicate, 0] < 0.1 + effect, u[replicate, 1] < 0.1
        return two(int(a.sum()), 400, int(b.sum()), 400)

    found = detectable_by_simulation(trial, np.linspace(0.02, 0.12, 9).tolist(), 1500)
    assert found.low < found.value < found.high
    assert found.covers(detectable(Design("independent", 0.1, 400, 400), of=exact_power))
    assert found.high - found.low < 0.01
    outside = detectable_by_simulation(trial, [0.01, 0.02], 200)
    assert "outside of" in outside.reason
    with pytest.raises(ValueError, match="ascending"):
        detectable_by_simulation(trial, [0.2, 0.1], 10)


def test_pairs_need_fewer_people():
    # Take-up 2 % in both worlds; four in five of those who take up do so in both.
    independent = detectable(Design("independent", 0.02, 2000, 2000))
    assert detectable(Design("paired", 0.004, 2000)) < independent / 1.8


def test_what_cannot_be_found_says_so():
    found = detectable(Design("independent", 0.5, 4, 4), 0.9)
    assert isinstance(found, Refused)
    assert "not even the largest effect" in found.reason
    assert "no replicate" in power_by_simulation(lambda r: Refused("x", "y", 0), 0).reason
    assert power_by_simulation(lambda r: Refused("x", "y", 0), 10).value == 0.0
    with pytest.raises(ValueError, match="no such shares"):
        power(INDEPENDENT, 0.99)
    with pytest.raises(ValueError, match="2 people"):
        Design("independent", 0.5, 4)
    with pytest.raises(ValueError, match="power 80"):
        detectable(INDEPENDENT, 80)


def test_clusters_are_worth_less():
    # Variance of the mean of m equally correlated outcomes: s^2 / m (1 + (m - 1) rho).
    rng = np.random.Generator(np.random.PCG64(4))
    common, own = rng.normal(size=(40000, 1)), rng.normal(size=(40000, 8))
    outcomes = 0.2**0.5 * common + 0.8**0.5 * own
    assert outcomes.mean(axis=1).var() * 8 == pytest.approx(design_effect(8, 0.2), rel=0.03)
