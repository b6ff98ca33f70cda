"""Tango's interval against a published example, a closed form and coverage; truth against estimate."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.uplift import Z_95, paired, tango_interval, truth_of


def test_airway_example():
    # Fagerland, Lydersen, Laake 2014 (Statistics in Medicine 33:2850): 21 children, 1 and 7 discordant.
    low, high = tango_interval(1, 7, 21)
    assert (round(low, 3), round(high, 3)) == (-0.517, -0.026)


def closed_form(b: int, c: int, n: int) -> tuple[float, float]:
    """Yang, Sun, Hardin 2013: the limits are roots of a quartic."""
    g = Z_95**2
    coefficients = [
        n**2 * (n / g + 1) ** 2,
        -n * (b - c) * (n / g + 1) * (4 * n / g + 1),
        2 * n * (b - c) ** 2 * (3 * n / g + 2) / g - n**2 * ((b + c) / g + 1),
        n * (b - c) * (2 * (b + c) / g + 1) - (b - c) ** 3 * (4 * n / g + 1) / g,
        (b - c) ** 2 * ((b - c) ** 2 / g - (b + c)) / g,
    ]
    real = [r.real for r in np.roots(coefficients) if abs(r.imag) < 1e-6]
    return min(real), max(real)


@pytest.mark.parametrize(
    ("b", "c", "n"), [(1, 7, 21), (40, 20, 160), (9, 3, 44), (150, 86, 1600), (12, 4, 2000), (30, 1, 1900)]
)
def test_equal_to_the_closed_form(b, c, n):
    assert tango_interval(b, c, n) == pytest.approx(closed_form(b, c, n), abs=1e-9)


def test_no_discordant_pair_still_leaves_doubt():
    low, high = tango_interval(0, 0, 2000)
    assert low == pytest.approx(-high)
    # The same as Wilson's upper limit of 0 in n: z^2 / (n + z^2).
    assert high == pytest.approx(Z_95**2 / (2000 + Z_95**2))


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
def test_the_interval_holds_its_estimate_and_mirrors(counts):
    b, c, n = counts
    c = min(c, n - b)
    low, high = tango_interval(b, c, n)
    assert -1 <= low <= (b - c) / n + 1e-12
    assert (b - c) / n - 1e-12 <= high <= 1
    mirrored = tango_interval(c, b, n)
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)


@pytest.mark.parametrize(("p_b", "p_c"), [(0.03, 0.01), (0.004, 0.001), (0.01, 0.01), (0.2, 0.05)])
def test_coverage(p_b, p_c):
    # 4,000 samples of 2,000 pairs. A correct 95 % interval falls below 94 % here with probability under 0.3 %
    # (binomial, standard error 0.34 points); the seed is fixed, so the test does not flicker.
    n, samples = 2000, 4000
    counts = np.random.Generator(np.random.PCG64(20091001)).multinomial(n, [p_b, p_c, 1 - p_b - p_c], samples)
    unique, times = np.unique(counts[:, :2], axis=0, return_counts=True)
    covered = 0
    for (b, c), k in zip(unique.tolist(), times.tolist(), strict=True):
        low, high = tango_interval(b, c, n)
        covered += k * (low <= p_b - p_c <= high)
    assert 0.94 <= covered / samples <= 0.985


def test_arms_of_other_people_are_refused():
    with pytest.raises(ValueError, match="same subscribers"):
        paired(np.zeros(3, bool), np.zeros(4, bool))


def toy_world(seed: int, n: int = 2000):
    """Two arms over the same people, their response draws shared: (replay of arm a, replay of arm b)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    organic = rng.uniform(0.0, 0.04, n)
    contacted_a, contacted_b = rng.random(n) < 0.35, rng.random(n) < 0.35
    lift_a, lift_b = rng.uniform(0.0, 0.2, n), rng.uniform(0.0, 0.06, n)

    def replay(contacted, lift):
        p = organic + contacted * lift

        def take_up(replicate: int):
            u = np.random.Generator(np.random.PCG64([seed, replicate])).random(n)
            return u < p

        return take_up, p

    (replay_a, p_a), (replay_b, p_b) = replay(contacted_a, lift_a), replay(contacted_b, lift_b)
    return replay_a, replay_b, float(np.mean(p_a - p_b))


def test_truth_finds_the_expected_difference_and_says_how_sure():
    replay_a, replay_b, expected = toy_world(5)
    shares = [np.array([np.mean(replay(r)) for r in range(400)]) for replay in (replay_a, replay_b)]
    truth = truth_of(*shares)
    assert truth.replays == 400
    assert abs(truth.value - expected) < 4 * truth.se
    independent = truth_of(shares[0], np.roll(shares[1], 7))
    assert truth.se < 0.9 * independent.se  # common random numbers pay


def test_estimate_and_truth_differ_and_the_interval_covers_as_promised():
    # Each world's estimate comes from one draw, its truth from all. Of 300 worlds a 95 % interval
    # covers fewer than 91.5 % of them with probability under 0.5 %.
    worlds, covered, equal = 300, 0, 0
    for seed in range(worlds):
        replay_a, replay_b, expected = toy_world(1000 + seed)
        found = paired(replay_a(0), replay_b(0))
        equal += found.estimate == pytest.approx(expected, abs=1e-6)
        covered += found.ci95[0] <= expected <= found.ci95[1]
    assert equal <= 2
    assert covered / worlds >= 0.915


def test_standard_error_of_replays():
    values = [0.1, 0.3, 0.2, 0.4]
    truth = truth_of(np.array(values), np.zeros(4))
    assert truth.value == pytest.approx(0.25)
    assert truth.se == pytest.approx(np.std(values, ddof=1) / sqrt(4))
