"""The estimate of each design, against counts made by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.inference import Estimate, Refused
from experiments.inference.intervals import difference, paired_difference
from experiments.uplift.designs import CONTROL, TREATED, Assignment, Plan
from experiments.uplift.estimates import by_campaign, by_group, compared, guardrails, novelty
from experiments.uplift.primary import effect_of_days, primary_of
from experiments.uplift.sides import parallel, within
from experiments.uplift.switchback import by_days, paired_days, times

DAY_US = 86_400_000_000


def divided(kind, n, treated, cluster=None, days=None):
    role = np.full(n, CONTROL, np.uint8)
    role[treated] = TREATED
    return Assignment(kind, role, np.arange(n) if cluster is None else cluster, days)


def test_parallel_worlds_are_pairs(make_outcome):
    arms = {
        "precise": make_outcome(ordered_us={0: 5, 1: 5, 2: 5}),
        "blanket_reach": make_outcome("blanket", ordered_us={2: 5, 3: 5}),
    }
    found = primary_of(arms, Plan("parallel_worlds", 0.5, 0.0, ""), None, 7, 1)
    assert found.estimate == paired_difference(2, 1, 100)
    assert found.take_ups == (3, 2)


def test_one_world_is_two_groups(make_outcome):
    outcome = make_outcome(ordered_us={0: 5, 1: 5, 70: 5})
    plan = Plan("subscriber", 0.5, 0.0, "")
    found = primary_of({"assigned": outcome}, plan, divided("subscriber", 100, slice(0, 60)), 7, 1)
    assert found.estimate == difference(2, 60, 1, 40)
    assert found.plain is None


def test_a_fortnight_before_sharpens_the_estimate(make_outcome):
    rng = np.random.default_rng(3)
    before = rng.normal(10, 3, 400)
    ordered = {int(i): 20 * DAY_US for i in np.flatnonzero(before + rng.normal(0, 1, 400) > 12)}
    outcome = make_outcome(n=400, days=21, ordered_us=ordered, before=before)
    plan, assignment = Plan("subscriber", 0.5, 0.0, ""), divided("subscriber", 400, slice(0, 200))
    early = primary_of({"assigned": outcome}, plan, assignment, 21, 8)
    found = primary_of({"assigned": outcome}, plan, assignment, 21, 15)
    assert early.plain is None  # a week is not enough
    assert isinstance(found.estimate, Estimate)
    assert isinstance(found.plain, Estimate)
    assert found.estimate.method == "cuped"
    assert found.variance_reduction > 0.3
    assert found.estimate.se < found.plain.se
    assert found.explained["calls"] > 0.3
    assert found.explained["spend"] == 0  # does not vary here


def test_a_time_before_that_says_nothing_gains_nothing(make_outcome):
    rng = np.random.default_rng(4)
    ordered = dict.fromkeys(np.flatnonzero(rng.random(4000) < 0.1).tolist(), 20 * DAY_US)
    outcome = make_outcome(n=4000, days=21, ordered_us=ordered, before=rng.normal(10, 3, 4000))
    plan, assignment = Plan("subscriber", 0.5, 0.0, ""), divided("subscriber", 4000, slice(0, 2000))
    found = primary_of({"assigned": outcome}, plan, assignment, 21, 15)
    assert found.explained["calls"] < 0.005  # 1 / 4000 on average
    assert abs(found.variance_reduction) < 0.005


def test_clusters_are_sharpened_too(make_outcome):
    rng = np.random.default_rng(5)
    before, cluster = rng.normal(10, 3, 400), np.arange(400) // 10
    ordered = {int(i): 20 * DAY_US for i in np.flatnonzero(before + rng.normal(0, 1, 400) > 12)}
    outcome = make_outcome(n=400, days=21, ordered_us=ordered, before=before)
    plan, treated = Plan("cluster", 0.5, 0.0, ""), cluster % 2 == 0
    found = primary_of({"assigned": outcome}, plan, divided("cluster", 400, treated, cluster), 21, 15)
    assert found.estimate.method == "CR2"
    assert found.variance_reduction > 0.2


def test_clusters_widen_the_interval(make_outcome):
    cluster = np.arange(200) // 10
    treated = cluster < 10
    ordered = {int(i): 5 for i in range(200) if cluster[i] in (0, 1, 2, 11)}  # whole cells take up together
    outcome = make_outcome(n=200, ordered_us=ordered)
    found = primary_of(
        {"assigned": outcome}, Plan("cluster", 0.5, 0.0, ""), divided("cluster", 200, treated, cluster), 7, 1
    )
    people = difference(30, 100, 10, 100)
    assert found.estimate.value == pytest.approx(people.value)
    assert found.estimate.high - found.estimate.low > 1.5 * (people.high - people.low)


def test_days_are_compared_with_their_neighbours(make_outcome):
    on = np.array([True, False, False, True, True, False])
    counts = np.array([5, 1, 2, 4, 3, 1])
    found = effect_of_days(counts, on, 100)
    assert found.value == pytest.approx(np.mean([4, 2, 2]) / 100)
    ordered = {}
    for day, n in enumerate(counts.tolist()):
        for _ in range(n):
            ordered[len(ordered)] = day * DAY_US + 5
    made = make_outcome(days=6, ordered_us=ordered)
    primary = primary_of(
        {"assigned": made},
        Plan("switchback", 0.5, 0.0, ""),
        divided("switchback", 100, slice(0, 100), days=on),
        6,
        1,
    )
    assert primary.estimate == found
    assert primary.take_ups == (12, 4)


def test_every_measure_is_compared_by_day(make_outcome):
    """Six days, three pairs; by hand, per person and day of a hundred people."""
    on = np.array([True, False, False, True, True, False])
    at = [day * DAY_US + 5 for day in range(6)]
    made = make_outcome(
        days=6,
        ordered_us={0: at[0], 1: at[0], 2: at[3], 3: at[4], 4: at[5]},
        contacts=[(sub, at[day], 0.1, 0) for day in (0, 3, 4) for sub in range(10 * day, 10 * day + 8 + day)],
        complaints={5: at[0], 6: at[3], 7: at[2]},
        opted_out={8: at[4], 9: at[4]},
        cost=0.5,
    )
    found = by_days(made, divided("switchback", 100, slice(0, 100), days=on), 6, 1)
    by_hand = {
        "take_up": [2 - 0, 1 - 0, 1 - 1],
        "complaints": [1, 1 - 1, 0],
        "opt_outs": [0, 0, 2],
        "cost": [4.0, 5.5, 6.0],
        "net": [6.0 - 4.0, 3.0 - 5.5, 0.0 - 6.0],
    }
    assert set(found) == {*by_hand, "take_up_relative"}
    for name, pairs in by_hand.items():
        gaps = np.array(pairs) / 100
        assert found[name].value == pytest.approx(gaps.mean()), name
        assert found[name].se == pytest.approx(gaps.std(ddof=1) / 3**0.5), name
    assert isinstance(found["take_up_relative"], Refused)  # three pairs do not tell the days without from 0
    assert found["take_up"] == effect_of_days(np.array([2, 0, 0, 1, 1, 1]), on, 100)
    whole = times(found["complaints"], 6)
    assert (whole.value, whole.se) == pytest.approx((0.02, 6 * found["complaints"].se))
    assert times(found["take_up_relative"], 6) is found["take_up_relative"]


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_pairs_of_days_lose_no_day_but_an_odd_one(n, seed):
    rng = np.random.default_rng(seed)
    column = rng.random(n)
    heads = rng.random((n + 1) // 2) < 0.5
    on = np.stack([heads, ~heads], axis=1).ravel()[:n]
    a, b = paired_days(column, on)
    whole = n // 2 * 2
    assert sorted(a) == sorted(column[:whole][on[:whole]])
    assert sorted(b) == sorted(column[:whole][~on[:whole]])


def test_every_measure_of_a_comparison(make_outcome):
    arms = {
        "precise": make_outcome(
            ordered_us=dict.fromkeys(range(12), 5),
            contacts=[(i, 1, 0.2, 0) for i in range(30)],
            complaints=[3],
        ),
        "blanket_reach": make_outcome(
            ordered_us=dict.fromkeys(range(8, 14), 5),
            contacts=[(i, 1, 0.1, 0) for i in range(5, 35)],
            opted_out=[9],
        ),
    }
    found = compared(parallel(arms, "precise", "blanket_reach"), 1, 1000)
    assert found["take_up"] == paired_difference(8, 2, 100)
    assert found["complaints"] == paired_difference(1, 0, 100)
    assert found["opt_outs"] == paired_difference(0, 1, 100)
    assert found["net"].value == pytest.approx((12 - 6) * 3.0 / 100)
    assert found["take_up_relative"].value == pytest.approx(1.0)
    assert found["opt_outs_relative"].value == pytest.approx(-1.0)
    assert isinstance(found["complaints_relative"], Refused)  # nobody complained in the world compared with
    assert found["cost_per_take_up_relative"].value == pytest.approx((30 / 12) / (30 / 6) - 1)
    assert found["cost_per_take_up"].value == pytest.approx(30 * 0.05 / 12 - 30 * 0.05 / 6)
    assert found["net_bootstrap"].low < found["net"].value < found["net_bootstrap"].high


def test_guardrails_need_proof(make_outcome):
    precise = make_outcome(complaints=[1], contacts=[(1, 1, 0.1, 0)])
    found = guardrails(
        parallel({"a": precise, "b": make_outcome()}, "a", "b"), {"complaints": 0.1, "opt_outs": 0.01}
    )
    assert found["complaints"].verdict == "held"
    assert found["opt_outs"].verdict == "undecided"  # nobody opted out, and a hundred people do not show it


def test_groups_are_corrected_together_and_the_sparse_refused(make_outcome):
    arms = {"a": make_outcome(n=900, ordered_us={9 * i: 5 for i in range(40)}), "b": make_outcome(n=900)}
    both = parallel(arms, "a", "b")
    segment = arms["a"].segment.astype(np.int64)
    rows = by_group(both, segment, segment, [f"s{i}" for i in range(9)], "holm")
    assert rows[0]["told_apart"]
    assert all("refused" in row["difference"] and not row["told_apart"] for row in rows[1:])


def test_offers_are_corrected_by_holm(make_outcome):
    arms = {"a": make_outcome(ordered_us=dict.fromkeys(range(20), 5)), "b": make_outcome(ordered_us={0: 5})}
    (row,) = by_campaign(parallel(arms, "a", "b"), (arms["a"], arms["b"]), {"o": ["a title"]})
    assert row["take_ups"] == (20, 1)
    assert row["told_apart"]
    assert row["difference"] == paired_difference(19, 0, 100).as_json()


def test_offers_within_one_world_are_compared_between_its_groups(make_outcome):
    """And orders of the look-back are none of the campaign's."""
    outcome = make_outcome(ordered_us={**dict.fromkeys(range(30), DAY_US), 40: 5, 41: 5, 70: DAY_US})
    sides = within(outcome, divided("subscriber", 100, slice(0, 60)))
    rows = by_campaign(sides, (outcome, outcome), {"o": ["a title"], "other": ["another"]}, DAY_US)
    assert [row["take_ups"] for row in rows] == [(30, 1), (0, 0)]
    assert rows[0]["difference"] == difference(30, 60, 1, 40).as_json()
    assert [row["told_apart"] for row in rows] == [True, False]


def test_what_days_since_the_first_contact_add(make_outcome):
    contacts = [(i, DAY_US, 0.2, 0) for i in range(60)]
    arm = make_outcome(
        contacts=contacts,
        ordered_us={**dict.fromkeys(range(12), DAY_US + 9), **dict.fromkeys(range(20, 23), 3 * DAY_US)},
    )
    control = make_outcome("control", ordered_us={20: 3 * DAY_US})
    found = novelty(arm, control, 1, 5)
    assert found["ages"][0]["added"]["value"] == pytest.approx(12 / 60)
    assert "refused" in found["ages"][1]["added"]
    assert found["ages"][2]["added"]["value"] == pytest.approx(2 / 60)
    assert found["trend"]["value"] < 0


def test_other_people_are_no_pairs(make_outcome):
    with pytest.raises(ValueError, match="other people"):
        parallel({"a": make_outcome(), "b": make_outcome(n=99)}, "a", "b")


def test_roles_are_cut_out_of_one_world(make_outcome):
    found = within(make_outcome(ordered_us={1: 5}), divided("subscriber", 100, slice(0, 30)))
    assert (found.a.n, found.b.n) == (30, 70)
    assert found.layout == "groups"


def test_nothing_to_divide_by_is_refused(make_outcome):
    found = compared(parallel({"a": make_outcome(ordered_us={1: 5}), "b": make_outcome()}, "a", "b"), 1, 0)
    assert isinstance(found["take_up_relative"], Refused)
    assert isinstance(found["cost_per_take_up"], Refused)
