"""The rule of `kairos bench compare` on simulated noise: how often it alarms falsely, and what it notices."""

import itertools
import math
import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, wilcoxon

from experiments.bench.compare.noise import Alarms, learnt, study
from experiments.bench.compare.rule import LEAST_ROUNDS, LOOKS, Rule, Verdict, decide, interval, least_rounds

STAGES = 6
ROUNDS = 10
RULE = Rule(tests=STAGES * LOOKS)


def gauss(coin):
    return [coin.gauss(0, 0.03) for _ in range(LOOKS * ROUNDS)]


def heavy(coin):
    """One round in ten is hit by something five times as large; Cauchy tails in one of a hundred."""
    found = []
    for _ in range(LOOKS * ROUNDS):
        noise = coin.gauss(0, 0.02) * (5 if coin.random() < 0.1 else 1)
        if coin.random() < 0.01:
            noise += 0.02 * math.tan(math.pi * (coin.random() - 0.5))
        found.append(noise)
    return found


def drift(coin):
    """The machine slows down by 3 % a round and what runs second pays for it; who that is was tossed."""
    return [coin.choice((-1, 1)) * 0.03 + coin.gauss(0, 0.02) for _ in range(LOOKS * ROUNDS)]


def bursts(coin):
    """A neighbour comes for half of the rounds and makes them ten times as noisy."""
    loud = coin.randrange(LOOKS * ROUNDS)
    return [coin.gauss(0, 0.1 if abs(i - loud) < ROUNDS // 2 else 0.01) for i in range(LOOKS * ROUNDS)]


def wild(coin):
    """So noisy that no slowdown can be seen; false alarms must stay rare even so."""
    return [coin.gauss(0, 0.4) for _ in range(LOOKS * ROUNDS)]


NOISES = (gauss, heavy, drift, bursts, wild)


def compared(logs, rule=RULE):
    for look in range(1, LOOKS + 1):
        verdict = decide(logs[: look * ROUNDS], rule).verdict
        if verdict != Verdict.UNCLEAR:
            break
    return verdict


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.__name__)
def test_false_alarms_of_a_whole_comparison_stay_within_two_percent(noise):
    coin, of = random.Random(1), 500
    alarms = sum(any(compared(noise(coin)) == Verdict.SLOWER for _ in range(STAGES)) for _ in range(of))
    assert alarms <= 0.02 * of


def test_the_level_is_the_signed_ranks_own_where_neither_threshold_nor_margin_helps():
    """With both at zero the rule is the bare test: false alarms come at its level, and do come."""
    rule = Rule(threshold_pct=0, margin_pct=0, level=0.1, tests=2)
    coin, of = random.Random(2), 4000
    alarms = sum(
        decide([coin.gauss(0, 0.4) for _ in range(ROUNDS)], rule).verdict == Verdict.SLOWER for _ in range(of)
    )
    low, high = Alarms(alarms, of).bounds
    assert low <= rule.alpha
    assert high > 0.8 * rule.alpha


@pytest.mark.parametrize("noise", [gauss, heavy, drift, bursts], ids=lambda noise: noise.__name__)
def test_a_slowdown_of_a_fifth_is_noticed(noise):
    coin, of = random.Random(3), 500
    noticed = sum(compared([v + math.log(1.2) for v in noise(coin)]) == Verdict.SLOWER for _ in range(of))
    assert noticed >= 0.95 * of


def test_where_noise_hides_it_the_verdict_is_unclear_and_not_a_pass():
    coin, of = random.Random(4), 300
    verdicts = [compared([v + math.log(1.2) for v in wild(coin)]) for _ in range(of)]
    assert verdicts.count(Verdict.SAME) <= 0.02 * of
    assert verdicts.count(Verdict.UNCLEAR) > 0.8 * of


@pytest.mark.parametrize(
    ("ratio", "spread", "verdict"),
    [
        (1.0, 0.01, Verdict.SAME),
        (1.05, 0.01, Verdict.SAME),
        (0.95, 0.01, Verdict.SAME),
        (1.11, 0.01, Verdict.SLOWER),
        (2.0, 0.3, Verdict.SLOWER),
        (0.8, 0.01, Verdict.FASTER),
        (1.0, 0.5, Verdict.UNCLEAR),
        (1.15, 0.3, Verdict.UNCLEAR),
    ],
)
def test_verdicts(ratio, spread, verdict):
    logs = [math.log(ratio) + spread * (i - 4.5) / 4.5 for i in range(10)]
    found = decide(logs, RULE)
    assert found.verdict == verdict
    assert found.low <= found.ratio <= found.high
    assert found.ratio == pytest.approx(ratio)


@given(st.lists(st.floats(-1, 1), min_size=9, max_size=14), st.randoms())
def test_neither_order_nor_unit_matters_and_sides_mirror(logs, coin):
    low, estimate, high = interval(logs, 0.01)
    shuffled = coin.sample(logs, len(logs))
    assert interval(shuffled, 0.01) == (low, estimate, high)
    mirrored = interval([-value for value in logs], 0.01)
    assert mirrored == pytest.approx((-high, -estimate, -low))
    moved = interval([value + 0.5 for value in logs], 0.01)
    assert moved == pytest.approx((low + 0.5, estimate + 0.5, high + 0.5))


@pytest.mark.parametrize("n", [7, 9, 12, 15])
@pytest.mark.parametrize("alpha", [0.01, 0.02, 0.05])
def test_bounds_are_those_of_the_signed_rank_test(n, alpha):
    """Just below the lower bound the outside test rejects at this level, just above it does not."""
    coin = random.Random(n)
    logs = [coin.gauss(0.05, 0.1) for _ in range(n)]
    low, estimate, _ = interval(logs, alpha)
    for shift, rejected in ((-1e-9, True), (1e-9, False)):
        moved = [value - low - shift for value in logs]
        assert (wilcoxon(moved, alternative="greater", mode="exact").pvalue <= alpha) == rejected
    assert estimate == median((a + b) / 2 for a, b in itertools.combinations_with_replacement(logs, 2))


def test_too_few_rounds_and_wrong_numbers_are_refused():
    assert least_rounds(0.5) == LEAST_ROUNDS
    assert least_rounds(1 / 512) == 9
    with pytest.raises(ValueError, match=r"9 rounds are too few for a level of 0\.00167: at least 10"):
        decide([0.0] * 9, RULE)
    with pytest.raises(ValueError, match=r"must be finite"):
        decide([0.0] * 10 + [math.nan], RULE)
    with pytest.raises(ValueError, match=r"margin 2 <= threshold 1"):
        Rule(threshold_pct=1)
    with pytest.raises(ValueError, match=r"level 0\.7"):
        Rule(level=0.7)


@pytest.mark.parametrize(("hits", "of"), [(0, 100), (1, 100), (2, 2000), (37, 40), (40, 40), (500, 1000)])
def test_bounds_of_alarms_as_scipy_has_them(hits, of):
    expected = binomtest(hits, of).proportion_ci(0.95, "exact")
    assert Alarms(hits, of).bounds == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_nothing_seen_says_nothing():
    assert Alarms(0, 0).bounds == (0, 1)


def test_a_study_of_recorded_rounds():
    """Comparisons apart use each round once; one that is unclear takes the next rounds too."""
    coin = random.Random(5)
    quiet = [coin.gauss(0, 0.01) for _ in range(40)]
    rule = learnt(quiet, RULE.tests, ROUNDS, 200, coin)
    assert (rule.threshold_pct, rule.sought_pct, rule.tests) == (5, 20, RULE.tests)
    found = study("decode", 0, quiet, rule, ROUNDS, 200, coin)
    assert (found.apart, found.drawn) == (Alarms(0, 4), Alarms(0, 200))
    assert found.threshold_pct == 5
    assert 0.5 < found.spread_pct < 2

    planted = study("decode", 20, [v + math.log(1.2) for v in quiet], rule, ROUNDS, 200, coin)
    assert (planted.apart, planted.drawn) == (Alarms(4, 4), Alarms(200, 200))
    assert planted.ratio == pytest.approx(1.2, rel=0.01)

    loud = [coin.gauss(0, 0.5) for _ in range(40)]
    assert learnt(loud, RULE.tests, ROUNDS, 200, coin).threshold_pct > 20
    assert study("decode", 0, loud, RULE, ROUNDS, 200, coin).apart.of == 2
