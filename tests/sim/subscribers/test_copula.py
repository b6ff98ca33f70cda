"""Scores are standard normal and hang together as planted; ranks and cuts are those of the normal law."""

from statistics import NormalDist

import numpy as np
import pytest

from sim.draws import Draws
from sim.subscribers.copula import LOADINGS, Scores, at_least, correlation, rank

N = 100_000


@pytest.fixture(scope="module")
def scores():
    sub = np.arange(N)
    return Scores(Draws(5), sub, sub)  # a community for everybody: rows are independent


def test_ranks_are_the_normal_distribution_function():
    z = np.arange(-5 * 65536, 5 * 65536, 997)
    expected = np.array([NormalDist().cdf(x / 65536) for x in z])
    assert np.abs(rank(z) / 2**32 - expected).max() < 3e-4  # half a step of the table
    assert (np.diff(rank(z).astype(np.int64)) >= 0).all()
    assert rank(np.array([-(1 << 40), 1 << 40])).tolist() == [
        int(rank(np.array([-6 << 16]))[0]), int(rank(np.array([6 << 16]))[0])
    ]  # fmt: skip


@pytest.mark.parametrize("p", [0.001, 0.02, 0.5, 0.81, 0.999])
def test_cuts_leave_the_share(p):
    assert at_least(p) / 65536 == pytest.approx(NormalDist().inv_cdf(1 - p), abs=2e-3)


def test_cuts_for_nobody_and_everybody():
    nobody, everybody = at_least([0.0, 1.0]).tolist()
    assert everybody < -(10 << 16)
    assert nobody > 10 << 16


@pytest.mark.parametrize("trait", LOADINGS)
def test_every_score_is_standard_normal(scores, trait):
    """Mean and variance within 4.5 standard errors: a false alarm in 4,000 seeds for the 72; seed fixed."""
    z = scores[trait] / 65536
    assert abs(z.mean()) < 4.5 / N**0.5
    assert abs(z.var() - 1) < 4.5 * (2 / N) ** 0.5 + 1e-3


def test_correlations_of_all_pairs(scores):
    """630 pairs within 5 standard errors: a false alarm in 2,700 seeds; seed fixed."""
    names = list(LOADINGS)
    found = np.corrcoef([scores[name] for name in names])
    planted = np.array([[correlation(a, b) for b in names] for a in names])
    assert (np.abs(found - planted) < 5 * (1 - planted**2) / N**0.5 + 1e-3).all()


def test_a_person_alone_is_the_same_person(scores):
    some = np.array([99_999, 3, 64])
    alone = Scores(Draws(5), some, some)
    for trait in LOADINGS:
        assert np.array_equal(alone[trait], scores[trait][some])
