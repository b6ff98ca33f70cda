"""Corrections against statsmodels and a worked example, and the errors that they promise to keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.inference import Estimate
from experiments.inference.corrections import benjamini_hochberg, correct, holm, p_of

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)

# Benjamini and Hochberg 1995, section 4: fifteen endpoints of a trial of thrombolysis.
TRIAL = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
TRIAL += [0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]


def test_the_trial_of_the_paper():
    # There: Bonferroni (as Holm) rejects three, the new procedure four.
    assert int(np.sum(holm(TRIAL) <= 0.05)) == 3
    assert int(np.sum(benjamini_hochberg(TRIAL) <= 0.05)) == 4


@given(P_VALUES)
def test_as_statsmodels_has_them(p):
    judge = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels judges from outside")
    assert holm(p) == pytest.approx(judge.multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(judge.multipletests(p, method="fdr_bh")[1])


@given(P_VALUES, st.randoms(use_true_random=False), st.sampled_from([holm, benjamini_hochberg]))
def test_order_does_not_matter_and_ranks_stay(p, shuffler, method):
    order = list(range(len(p)))
    shuffler.shuffle(order)
    adjusted = method(p)
    assert method([p[i] for i in order]) == pytest.approx(adjusted[order])
    assert np.all(adjusted >= np.array(p) - 1e-15)
    assert np.all(np.diff(adjusted[np.argsort(p)]) >= -1e-12)
    assert np.all(benjamini_hochberg(p) <= holm(p) + 1e-12)


def test_campaigns_keep_their_names():
    found = correct({"airport": 0.004, "mms": 0.03, "hang_up": 0.04})
    assert [found[name].rejected for name in ("airport", "mms", "hang_up")] == [True, False, False]
    assert found["airport"].adjusted == pytest.approx(0.012)
    assert all(
        one.rejected for one in correct({"a": 0.004, "b": 0.03, "c": 0.04}, "benjamini-hochberg").values()
    )
    assert correct({}) == {}
    with pytest.raises(ValueError, match="expected one of holm"):
        correct({"a": 0.1}, "bonferroni")
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.2, 1.2])


def test_p_of_an_estimate():
    assert p_of(Estimate(1.959963984540054, 0.0, 4.0, 1.0, 9, "x")) == pytest.approx(0.05)
    with pytest.raises(ValueError, match="no standard error"):
        p_of(Estimate(1.0, 0.0, 4.0, None, 9, "x"))


def test_the_errors_that_are_promised():
    # 4,000 families of 10 claims, 6 without effect. Holm: at most 5 % of families with a false claim;
    # Benjamini and Hochberg: at most 3 % (6/10 of 5 %) of claims false. Bounds are 4 standard errors above.
    from scipy.stats import norm

    rng = np.random.Generator(np.random.PCG64(3))
    z = rng.normal(size=(4000, 10))
    z[:, 6:] += 3.0
    p = 2 * norm.sf(np.abs(z))
    family, shares, plain = 0, [], 0
    for row in p:
        family += np.any(holm(row)[:6] <= 0.05)
        claimed = benjamini_hochberg(row) <= 0.05
        shares.append(claimed[:6].sum() / max(1, claimed.sum()))
        plain += np.any(row[:6] <= 0.05)
    assert family / 4000 <= 0.05 + 4 * (0.05 * 0.95 / 4000) ** 0.5
    assert np.mean(shares) == pytest.approx(0.03, abs=4 * np.std(shares) / 4000**0.5)
    assert plain / 4000 > 0.2
