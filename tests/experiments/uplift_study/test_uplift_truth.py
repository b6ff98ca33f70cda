"""Truth: replays, oracle, interference; coverage over replicates; looking while it runs; the trust block."""

import numpy as np
import pytest

from experiments.inference import Estimate, Refused
from experiments.inference.intervals import difference
from experiments.uplift.designs import CONTROL, HELD_OUT, TREATED, Assignment, Plan
from experiments.uplift.looks import look, planned_variance
from experiments.uplift.planning import Hoped, achieved, before, hoped_of
from experiments.uplift.results import replicates_of
from experiments.uplift.specs import Potential
from experiments.uplift.trust import checks_of
from experiments.uplift.truth import (
    arrival_curve,
    contact_gains,
    interference,
    oracle_of,
    share_of_oracle,
    true_difference,
)
from sim.subscribers.offers import STANDARD_OFFERS


def test_truth_is_of_the_same_replays(make_outcome):
    a, b = make_outcome(replay_means=[0.05, 0.07, 0.06]), make_outcome(replay_means=[0.03, 0.04, 0.05])
    found = true_difference(a, b)
    assert found.value == pytest.approx(0.02)
    assert found.se == pytest.approx(0.01 / 3**0.5)
    with pytest.raises(ValueError, match="two or more replays"):
        true_difference(a, make_outcome(replay_means=[0.1]))


def test_gains_of_contacts(make_outcome):
    arm = make_outcome(n=5, contacts=[(1, 5, 0.2, 0), (1, 9, 0.5, 1), (3, 5, 0.1, 0)])
    unasked = np.array([0.0, 0.1, 0.0, 0.0, 0.0])
    assert contact_gains(arm.contact_table, arm.sub, unasked) == pytest.approx(
        [0, (1 - 0.8 * 0.5) * 0.9, 0, 0.1, 0]
    )


def test_no_arm_beats_the_oracle_with_as_many_contacts(make_outcome):
    rng = np.random.default_rng(5)
    who = rng.permutation(200)[:60]
    arm = make_outcome(
        n=200,
        contacts=[
            (int(s), int(t), float(p), 0)
            for s, t, p in zip(who, rng.permutation(60), rng.uniform(0, 0.4, 60), strict=True)
        ],
    )
    potential = Potential(np.arange(200), ("o",), np.full((200, 1), 0.02), rng.uniform(0, 0.2, (200, 1)))
    oracle = oracle_of(potential, {"precise": arm})
    share = share_of_oracle(oracle, arm)
    assert 0 < share <= 1
    assert share_of_oracle(oracle, make_outcome(n=200)) is None
    contacts, gains = arrival_curve(oracle, arm)
    assert contacts[-1] == 60
    assert gains[-1] == pytest.approx(share * oracle.curve()[60])
    assert np.all(np.diff(oracle.curve()) >= 0)


def test_interference_is_what_others_did(make_outcome):
    role = np.array([TREATED] * 50 + [CONTROL] * 50, np.uint8)
    base = np.linspace(0.01, 0.1, 100)
    everybody, nobody = base + 0.05, base
    mixed = np.where(role == TREATED, everybody - 0.004, nobody + 0.003)  # spoken to by fewer, and by some
    arms = [
        make_outcome(replay_share=s, replay_means=[s.mean(), s.mean()]) for s in (mixed, everybody, nobody)
    ]
    found = interference(*arms, role)
    assert found.two_worlds == pytest.approx(0.05)
    assert found.treated == pytest.approx(-0.004)
    assert found.control == pytest.approx(0.003)
    assert found.bias == pytest.approx(-0.007)
    assert found.naive == pytest.approx(0.043)


def test_replicates_tell_right_intervals_from_wrong_ones():
    """400 experiments with a known effect: score intervals cover, half as wide ones do not."""
    rng = np.random.default_rng(11)
    rows, narrow = [], []
    for _ in range(400):
        a, b = int(rng.binomial(400, 0.08)), int(rng.binomial(400, 0.04))
        found = difference(a, 400, b, 400)
        rows.append({"people": 800, "take_ups": [a, b], "true": 0.04, "estimate": found.as_json()})
        half = {k: found.value + (getattr(found, k) - found.value) / 2 for k in ("low", "high")}
        narrow.append({**rows[-1], "estimate": {**found.as_json(), **half}})
    good, bad = replicates_of(rows, 10), replicates_of(narrow, 10)
    assert good["judged"]
    assert good["coverage"]["passed"]
    assert not bad["coverage"]["passed"]
    assert abs(good["bias"]["value"]) < 4 * good["bias"]["se"]
    assert good["errors"]["type_m"] > 1
    assert not replicates_of(rows, 100)["judged"]


def test_looking_every_day_is_paid_for():
    """Orders that add up over 30 days, two arms alike: a z-test is fooled, the sequence is not; 300 runs."""
    rng = np.random.default_rng(7)
    hoped = Hoped(0.06, 0.15, 0.03, 0.2, 0.02)
    planned = planned_variance("groups", hoped, 1500, 1500)
    naive = ours = 0
    for _ in range(300):
        day = rng.geometric(0.002, 3000)  # of the first order
        called = [False, False]
        for end in range(1, 31):
            y = (day <= end).astype(float)
            found = look(y[:1500], y[1500:], False, planned)
            if isinstance(found, Estimate):
                called[0] |= abs(found.value) > 1.959964 * found.se
                called[1] |= found.excludes_zero()
        naive, ours = naive + called[0], ours + called[1]
    assert naive / 300 > 0.15
    assert ours / 300 <= 0.05


def test_a_sequence_finds_an_effect_and_pairs_are_narrower():
    rng = np.random.default_rng(9)
    base = rng.random(4000) < 0.03
    extra = rng.random(4000) < 0.04
    a, b = (base | extra).astype(float), base.astype(float)
    paired, apart = look(a, b, True, 1e-5), look(a, rng.permutation(b), False, 1e-5)
    assert paired.low > 0
    assert paired.high - paired.low < apart.high - apart.low
    assert isinstance(look(np.zeros(50), np.zeros(50), False, 1e-5), Refused)


def test_planning_rises_with_people_and_agrees_with_the_search():
    plan = Plan("subscriber", 0.5, 0.0, "")
    hoped = Hoped(0.03, 0.15, 0.03, 0.2, 0.02)
    few, many = (before(hoped, plan, n, 7, 0.8, 400, 1) for n in (1000, 4000))
    assert few["power"]["value"] < many["power"]["value"]
    assert many["detectable"] < few["detectable"]
    # Closed form: about 2.8 standard errors of two shares of 3 and 5 %.
    assert many["detectable"] == pytest.approx(
        2.8 * (0.03 * 0.97 / 2000 + 0.05 * 0.95 / 2000) ** 0.5, rel=0.2
    )
    assert achieved(Refused("x", "y", 1), 0.1, 0.8) is None


def test_planning_counts_cells_where_cells_are_drawn():
    """Few cells leave few degrees of freedom, so power is lost; many cost next to nothing."""
    hoped = Hoped(0.03, 0.15, 0.03, 0.2, 0.02)
    people = before(hoped, Plan("subscriber", 0.5, 0.0, ""), 3000, 7, 0.8, 400, 1)["power"]["value"]
    plan = Plan("cluster", 0.5, 0.0, "")
    few, many = (
        before(hoped, plan, 3000, 7, 0.8, 400, 1, np.arange(3000) % cells)["power"]["value"]
        for cells in (8, 300)
    )
    assert few < many - 0.05
    assert many == pytest.approx(people, abs=0.07)


def test_what_a_run_could_find():
    assert achieved(difference(50, 500, 20, 500), 0.06, 0.8)["power"] > 0.8


def test_hopes_come_from_the_offers():
    offer = [STANDARD_OFFERS["missed-call-alert"]]
    moment = hoped_of(offer, Plan("parallel_worlds", 0.5, 0.0, ""), 7, 0.1, None)
    contact = hoped_of(offer, Plan("subscriber", 0.5, 0.0, ""), 7, 0.1, None)
    assert moment.unasked == pytest.approx(1 - np.exp(-7 * 0.0033))
    assert 0.12 < moment.right < 0.2
    assert 0.02 < moment.ordinary < 0.04
    assert contact.effect > moment.effect > 0
    assert hoped_of(offer, Plan("subscriber", 0.5, 0.0, ""), 7, 0.1, 0.07).effect == 0.07


# --------------------------------------------------------------------------- the trust block


def trusted(make_outcome, role=None, kind="subscriber", a_a=None, feed=None, **assigned):
    """Verdicts by key of a study within one world, or of parallel worlds where `role` is None."""
    n = 600
    arms = {
        "precise": make_outcome(n=n, contacts=[(i, 5, 0.1, 0) for i in range(60)]),
        "control": make_outcome("control", n=n),
    }
    plan = Plan(kind if role is not None else "parallel_worlds", 0.5, 0.1 if role is not None else 0.0, "")
    assignment = None
    if role is not None:
        arms["assigned"] = make_outcome(
            n=n,
            **({"contacts": [(int(i), 5, 0.1, 0) for i in np.flatnonzero(role == TREATED)[:30]]} | assigned),
        )
        assignment = Assignment(kind, role, np.arange(n), None)
    else:
        arms["blanket_reach"] = make_outcome(
            "blanket", n=n, contacts=[(i, 5, 0.1, 0) for i in range(100, 160)]
        )
        arms |= assigned
    covariates = np.random.default_rng(1).normal(size=(n, 3))
    return {one.key: one for one in checks_of(arms, plan, assignment, covariates, a_a, feed)}


def roles(held, control):
    role = np.full(600, TREATED, np.uint8)
    role[:held] = HELD_OUT
    role[held : held + control] = CONTROL
    return np.random.default_rng(2).permutation(role)


def test_a_good_experiment_holds(make_outcome):
    found = trusted(
        make_outcome,
        roles(60, 270),
        a_a={"comparisons": 1000, "false": 52},
        feed={"same": True, "triggers": 3, "people": 9, "days": 1, "outcome_same": True},
    )
    assert {key for key, one in found.items() if one.holds is False} == set()
    assert {"srm", "balance", "exposure", "contamination", "a_a", "compliance", "held_out"} <= {
        key for key, one in found.items() if one.holds
    }


def test_parallel_worlds_have_no_sample_ratio(make_outcome):
    found = trusted(make_outcome)
    assert found["srm"].holds is None
    assert found["equal_reach"].holds
    assert found["a_a"].holds is None


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("srm", {"role": roles(60, 170)}),
        ("a_a", {"a_a": {"comparisons": 1000, "false": 80}}),
        ("compliance", {"role": roles(60, 270), "violations": {"cap": 2}}),
        ("contamination", {"role": roles(60, 270), "contacts": [(i, 5, 0.1, 0) for i in range(600)]}),
        (
            "held_out",
            {
                "role": roles(60, 270),
                "ordered_us": dict.fromkeys(np.flatnonzero(roles(60, 270) == HELD_OUT).tolist(), 5),
            },
        ),
        (
            "same_feed",
            {"feed": {"same": False, "triggers": 3, "people": 9, "days": 1, "outcome_same": False}},
        ),
    ],
)
def test_what_is_wrong_is_seen(make_outcome, key, change):
    assert trusted(make_outcome, **change)[key].holds is False


def test_unequal_reach_names_no_winner(make_outcome):
    few = make_outcome("blanket", n=600, contacts=[(i, 5, 0.1, 0) for i in range(40)])
    assert trusted(make_outcome, blanket_reach=few)["equal_reach"].holds is False


def test_unlike_groups_are_seen(make_outcome):
    role = roles(60, 270)
    arms = {
        "precise": make_outcome(n=600, contacts=[(1, 5, 0.1, 0)]),
        "control": make_outcome(n=600),
        "assigned": make_outcome(n=600),
    }
    covariates = np.random.default_rng(1).normal(size=(600, 2))
    covariates[role == TREATED, 0] += 0.8
    found = checks_of(
        arms,
        Plan("subscriber", 0.5, 0.1, ""),
        Assignment("subscriber", role, np.arange(600), None),
        covariates,
        None,
        None,
    )
    assert next(one for one in found if one.key == "balance").holds is False
