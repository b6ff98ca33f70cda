"""Coverage, bias, and type S and M errors: a published example, closed forms, and who must fail."""

import numpy as np
import pytest
from scipy import stats

from experiments.inference import Estimate, Refused
from experiments.inference.errors import allowed, bias, coverage, design_errors, significance_errors


def replicates(seed, n, truth, se, width=1.959964):
    values = truth + se * np.random.Generator(np.random.PCG64(seed)).normal(size=n)
    return [Estimate(v, v - width * se, v + width * se, se, 100, "z") for v in values.tolist()]


def test_right_intervals_pass_and_wrong_ones_do_not():
    right = coverage(replicates(1, 1000, 0.3, 0.1), 0.3)
    assert right.passed
    assert right.share.n == 1000
    assert right.missed_below + right.missed_above == round(1000 * (1 - right.share.value))
    assert not coverage(replicates(1, 1000, 0.3, 0.1, width=1.5), 0.3).passed  # covers 87 %
    assert not coverage(replicates(1, 1000, 0.3, 0.1, width=3.0), 0.3).passed  # 99.7 %: too wide
    assert not coverage(replicates(1, 1000, 0.3, 0.1), 0.4).passed  # biased


def test_refused_replicates_are_told_apart():
    found = coverage([Refused("z", "nobody", 0), *replicates(2, 200, 0.0, 1.0)], 0.0)
    assert found.refused == 1
    assert found.share.n == 200
    assert "none of 1" in coverage([Refused("z", "nobody", 0)], 0.0).reason


def test_a_truth_for_each_replicate():
    truths = np.linspace(-1, 1, 500)
    estimates = [replicates(i, 1, t, 0.1)[0] for i, t in enumerate(truths.tolist())]
    assert coverage(estimates, truths).passed
    assert bias(estimates, truths).covers(0.0)
    assert not coverage(estimates, 0.0).passed


@pytest.mark.parametrize("n", [200, 1000, 5000])
def test_the_band_holds_what_chance_allows_and_no_more(n):
    low, high = allowed((0.93, 0.97), n)
    below, above = round(low * n), round(high * n)
    assert stats.binom.cdf(below - 1, n, 0.93) <= 0.005 < stats.binom.cdf(below, n, 0.93)
    assert stats.binom.sf(above, n, 0.97) <= 0.005 < stats.binom.sf(above - 1, n, 0.97)
    assert low < 0.93 < 0.97 < high


def test_bias_and_its_error():
    estimates = replicates(3, 400, 0.35, 0.1)
    found = bias(estimates, 0.3)
    values = np.array([one.value for one in estimates])
    assert found.value == pytest.approx(values.mean() - 0.3)
    assert found.se == pytest.approx(values.std(ddof=1) / 20)
    assert not found.covers(0.0)
    assert isinstance(bias(estimates[:1], 0.3), Refused)


def test_the_example_of_gelman_and_carlin():
    # 2014, "Beauty and sex ratios": effect 0.1 points, standard error 3.28: power 0.05, type S 0.46, and
    # estimates 77 times too large.
    found = design_errors(0.1, 3.28)
    assert round(found.power, 2) == 0.05
    assert round(found.type_s, 2) == 0.46
    assert round(found.type_m) == 77


@pytest.mark.parametrize("effect", [0.2, 1.0, -2.5])
def test_replicates_agree_with_the_closed_form(effect):
    # 40,000 replicates; bounds are 5 standard errors or more of each figure.
    found, expected = (
        significance_errors(replicates(4, 40000, effect, 1.0), effect),
        design_errors(effect, 1.0),
    )
    assert found.power == pytest.approx(expected.power, abs=0.012)
    assert found.type_s == pytest.approx(expected.type_s, abs=0.05)
    assert found.type_m == pytest.approx(expected.type_m, rel=0.05)


def test_without_an_effect_or_a_claim():
    assert "every sign is wrong" in significance_errors(replicates(5, 9, 0.0, 1.0), 0.0).reason
    assert "no replicate" in significance_errors([Refused("z", "nobody", 0)], 1.0).reason
    quiet = significance_errors(replicates(5, 9, 0.0, 1.0, width=9.0), 0.1)
    assert (quiet.power, quiet.type_s, quiet.type_m, quiet.significant) == (0.0, 0.0, None, 0)
    with pytest.raises(ValueError, match="other than 0"):
        design_errors(0.0, 1.0)
