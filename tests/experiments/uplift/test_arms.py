"""One arm of an uplift study: the short cut gives what the bytes give, the masks hold, the sums add up."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.uplift.arms import (
    ArmOutcome,
    ArmSpec,
    BlanketPlan,
    outcome_digest,
    potential,
    run_arm,
    same_triggers,
)
from experiments.uplift.bench_arms import bench, table
from experiments.uplift.setting import setting_of
from experiments.uplift.specs import BEFORE
from marketing.campaigns import load
from sim.scenario import DAY_US
from sim.subscribers.offers import STANDARD_OFFERS, Offer

SCENARIOS = Path(__file__).parents[3] / "scenarios"
FOUR = ("missed-call-alert", "hang-up-sms", "points-reminder", "service-line-follow-up")
ALL = tuple(sorted(path.stem for path in (SCENARIOS / "campaigns").glob("*.yaml")))


def eager(offer: Offer) -> Offer:
    """People who answer a lot, so that a few days show all of it."""
    moods = {"logit": -1.0, "stop_logit": -1.0, "complaint_logit": -2.0, "organic_per_day": 0.02}
    return offer.model_copy(update=moods)


def spec(campaigns: tuple[str, ...] = FOUR, policy: str = "default", **keys: Any) -> ArmSpec:
    paths = tuple(SCENARIOS / "campaigns" / f"{name}.yaml" for name in campaigns)
    offers = dict.fromkeys(offer for path in paths if (offer := load(path).offer))
    given: dict[str, Any] = {
        "world": SCENARIOS / "worlds" / "town.yaml",
        "world_settings": {"subscribers": 150},
        "seed": 3,
        "days": 3,
        "campaigns": paths,
        "policy": SCENARIOS / "policies" / f"{policy}.yaml",
        "offers": tuple(eager(STANDARD_OFFERS[name]) for name in offers),
        "segments": SCENARIOS / "audiences" / "segments.yaml",
        "arm": "precise",
        "replays": 20,
        "tick_s": 600,
    }
    return ArmSpec(**given | keys)


@pytest.mark.parametrize(
    ("campaigns", "policy", "tick_s", "days"),
    [(ALL, "default", 120, 2), (ALL, "all-rules", 600, 2), (FOUR, "meal-times", 20, 2)],
)
def test_both_feeds_give_the_same(campaigns, policy, tick_s, days):
    told = spec(campaigns, policy, tick_s=tick_s, days=days, values={"missed-call-alert": 3.0})
    found = same_triggers(told)
    assert not found.differences
    assert found.same
    assert found.outcome_same
    outcome = run_arm(told)
    assert outcome.trigger_digest == found.signalling
    # What there was to be equal: replies, stop codes, holds over the night, caps.
    assert outcome.triggers["total"] == len(outcome.trigger_table.sub) > 40
    assert outcome.triggers["suppressed"].keys() & {"cap", "duplicate"}
    held = outcome.trigger_table.decided_us > outcome.trigger_table.t_us + 3_600_000_000
    assert held.any()
    assert outcome.ordered.any()
    if campaigns is ALL:
        assert outcome.opted_out.any()
        assert outcome.complaints.any()
    assert not sum(outcome.violations.values())


def test_both_feeds_give_the_same_blanket():
    precise = run_arm(spec())
    plan = BlanketPlan("reach", precise.pattern)
    assert same_triggers(spec(arm="blanket", blanket=plan)).outcome_same


def test_the_same_spec_gives_the_same_bytes():
    told = spec()
    first, second = run_arm(told), run_arm(told)
    assert outcome_digest(first) == outcome_digest(second)
    assert outcome_digest(first) != outcome_digest(run_arm(replace(told, seed=4)))


def test_a_digest_is_of_every_column():
    outcome = run_arm(spec(days=2))
    whole = outcome_digest(outcome)
    for one in fields(ArmOutcome):
        held = getattr(outcome, one.name)
        if isinstance(held, np.ndarray) and len(held):
            changed = held.copy()
            changed[-1] = ~changed[-1] if changed.dtype == np.bool_ else changed[-1] + 1
            assert outcome_digest(replace(outcome, **{one.name: changed})) != whole, one.name


def test_a_control_arm_needs_no_life():
    told = spec(arm="control", campaigns_from_day=2)
    short, lived = run_arm(told), run_arm(replace(told, live_control=True))
    assert outcome_digest(short) == outcome_digest(lived)
    assert short.ordered.any()
    calls, asked = (short.before[:, BEFORE.index(name)] for name in ("calls", "service_calls"))
    assert (asked <= calls).all()
    for column, name in zip(short.before.T, BEFORE, strict=True):
        assert column.any(), name
    assert np.array_equal(short.before, run_arm(replace(told, arm="precise")).before)


def test_days_add_up_to_people():
    outcome = run_arm(spec(campaigns_from_day=2, values={"missed-call-alert": 3.0}))
    days = outcome.by_day
    assert days.cost.sum() == pytest.approx(outcome.cost.sum())
    assert days.value.sum() == pytest.approx(outcome.value.sum())
    assert days.complaints.sum() == outcome.complaints.sum() > 0
    assert days.opt_outs.sum() == outcome.opted_out.sum() > 0
    assert days.cost[0] == days.value[0] == days.complaints[0] == days.opt_outs[0] == 0  # look-back
    assert all(len(getattr(days, one.name)) == outcome.days for one in fields(days))


def test_whoever_is_not_treated_is_never_contacted():
    n, days = 150, 4
    odd = np.arange(n) % 2 == 1
    by_day = np.array([True, False, True, False])
    both = np.arange(days)[:, np.newaxis] % 2 == np.arange(n) % 2
    for masks in ({"treated": odd}, {"treated_by_day": by_day}, {"treated_by_day": both}):
        table = run_arm(spec(days=days, **masks)).trigger_table
        sent = table.state == "sent"
        day, sub = table.decided_us[sent] // DAY_US, table.sub[sent]
        allowed = np.ones((days, n), bool) & masks.get("treated", True)
        mask = masks.get("treated_by_day", np.ones(days, bool))
        allowed &= mask if mask.ndim == 2 else mask[:, np.newaxis]
        assert sent.sum() > 10
        assert allowed[day, sub].all()
        assert np.isin(table.reason[~sent], ("control_group", "experiment")).any()


def test_both_feeds_give_the_same_with_masks_and_a_look_back():
    odd = np.arange(150) % 2 == 1
    days = np.array([True, False, True])
    found = same_triggers(spec(treated=odd, treated_by_day=days, campaigns_from_day=2))
    assert found.outcome_same
    assert found.triggers


def test_campaigns_begin_after_the_look_back():
    outcome = run_arm(spec(days=4, campaigns_from_day=3))
    assert outcome.trigger_table.t_us.min() >= 2 * DAY_US
    assert outcome.ordered_us[outcome.ordered].min() >= 2 * DAY_US
    early = outcome.orders.t_us < 2 * DAY_US
    assert early.any()
    assert outcome.before.sum() > early.sum()


def test_the_columns_agree_with_the_tables():
    outcome = run_arm(spec(values=dict.fromkeys(STANDARD_OFFERS, 2.5)))
    contacts, orders = outcome.contact_table, outcome.orders
    assert outcome.contacts.sum() == len(contacts.sub) > 0
    assert np.isin(contacts.sub, outcome.sub).all()
    first = outcome.first_contact_us[outcome.contacts > 0]
    assert (first >= 0).all()
    assert first.min() == contacts.t_us.min()
    assert (outcome.first_contact_us[outcome.contacts == 0] == -1).all()
    assert outcome.value.sum() == pytest.approx(2.5 * len(orders.sub))
    assert outcome.ordered.sum() == len(np.unique(orders.sub))
    sent = [one for one in outcome.pattern if one.sub in set(outcome.sub.tolist())]
    assert outcome.cost.sum() == pytest.approx(sum(one.cost for one in sent))
    assert outcome.triggers["sent"] == len(outcome.pattern)
    assert ((contacts.p_take_up > 0) & (contacts.p_take_up < 1)).all()
    assert ((contacts.p_organic > 0) & (contacts.p_organic < 1)).all()


def test_blanket_by_reach_repeats_the_pattern_on_others():
    precise = run_arm(spec())
    blanket = run_arm(spec(arm="blanket", blanket=BlanketPlan("reach", precise.pattern, at="11:00")))
    table = blanket.trigger_table
    assert len(table.sub) == len(precise.pattern)
    assert set((table.t_us % DAY_US).tolist()) == {11 * 3_600_000_000}
    planned = sorted((one.campaign, one.day) for one in precise.pattern)
    assert sorted(zip(table.campaign.tolist(), (table.t_us // DAY_US + 1).tolist(), strict=True)) == planned

    def often(subs: Any) -> list[int]:
        return sorted(np.unique(list(subs), return_counts=True)[1].tolist())

    assert often(table.sub) == often(one.sub for one in precise.pattern)
    assert set(table.sub.tolist()) != {one.sub for one in precise.pattern}


def test_blanket_by_budget_spends_the_same_money_on_as_many_as_it_reaches():
    precise = run_arm(spec())
    spent = sum(one.cost for one in precise.pattern)
    price = dict.fromkeys(FOUR, 0.02)  # a contact of the precise arm costs 0.05
    plan = BlanketPlan("budget", precise.pattern, price=price)
    blanket = run_arm(spec(arm="blanket", blanket=plan, policy="two-a-month"))
    asked = len(blanket.trigger_table.sub) * 0.02
    assert spent - len(FOUR) * 0.02 <= asked <= spent + 1e-9
    paid = sum(one.cost for one in blanket.pattern)
    assert paid == pytest.approx(blanket.triggers["sent"] * 0.02)
    assert paid > 0
    times = np.unique(blanket.trigger_table.sub, return_counts=True)[1]
    assert times.max() - times.min() <= 1


def test_potentials_are_what_replays_tend_to():
    told = spec(replays=1500, arm="control", covariates=False)
    outcome, known = run_arm(told), potential(told)
    expected = 1 - np.prod(1 - known.organic, axis=1)
    error = outcome.replay_share - expected
    assert abs(error.mean()) < 4 * np.sqrt((expected * (1 - expected)).sum() / 1500) / len(expected)
    assert np.abs(error).max() < 6 * np.sqrt(0.25 / 1500)
    assert (known.contacted > 0).all()
    assert known.contacted.mean() > known.organic.mean()
    assert known.sub.tolist() == setting_of(told).eligible.tolist()


def test_specs_say_what_does_not_fit():
    with pytest.raises(ValueError, match="blanket: a plan"):
        spec(arm="blanket")
    with pytest.raises(ValueError, match="tick_s: 7000"):
        spec(tick_s=7000)
    with pytest.raises(ValueError, match="campaigns_from_day: 4"):
        spec(campaigns_from_day=4)
    with pytest.raises(ValueError, match=r"treated_by_day: shape \(2,\)"):
        spec(treated_by_day=np.ones(2, bool))
    with pytest.raises(ValueError, match="faults: behaviours know nothing of them"):
        run_arm(spec(world_settings={"subscribers": 60, "faults.loss_share": 0.01}))
    with pytest.raises(ValueError, match=r"treated: shape \(7,\), the world has 150"):
        run_arm(spec(treated=np.ones(7, bool)))


def test_another_process_gives_the_same():
    told = spec(world_settings={"subscribers": 60}, days=1)
    here = outcome_digest(run_arm(told))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert outcome_digest(pool.submit(run_arm, told).result(120)) == here


def test_the_benchmark_says_how_fast_each_part_is(monkeypatch):
    monkeypatch.chdir(SCENARIOS.parent)
    found = bench(FOUR, 60, 1, 600, 1, covariates=False)
    lines = table(found)
    assert lines[0].startswith("60 subscribers, 1 days")
    for arm in ("precise", "blanket"):
        parts = found["arms"][arm]["parts"]
        assert parts.keys() >= {"simulator", "engine"}
        assert sum(part["cpu_s"] for part in parts.values()) == pytest.approx(
            found["arms"][arm]["cpu_s"], rel=0.3, abs=0.1
        )
