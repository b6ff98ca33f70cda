"""Handsets change hands and numbers, customers come and go, roamers visit: at the configured rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.scenario import load_world
from sim.subscribers.changes import NEVER
from sim.subscribers.terminals import TERMINALS, terminal_of_imei
from sim.world import build_world

N = 20_000


def near(mask, p):
    """Within 4.5 standard errors (a false alarm in 150,000 seeds; seed fixed), twice that for clusters."""
    return abs(np.mean(mask) - p) < 9 * (p * (1 - p) / len(mask)) ** 0.5


@pytest.fixture(scope="module")
def restless(request):
    """A town where much changes, and of whose rows a tenth are roamers."""
    worlds = request.config.rootpath / "scenarios" / "worlds"
    overrides = {
        "subscribers": N,
        "changes.handset_changes_per_month": 0.10,
        "changes.handset_swaps_per_month": 0.04,
        "changes.second_sim_share": 0.25,
        "changes.churn_per_month": 0.05,
        "changes.new_per_month": 0.02,
        "numbering.origins": [
            {"name": "next", "imsi_prefix": "001015", "msisdn_prefix": "861706", "share": 0.07},
            {"name": "abroad", "imsi_prefix": "99902", "msisdn_prefix": "999020", "share": 0.03},
        ],
    }
    return build_world(load_world(worlds / "town.yaml", overrides), 5)


@pytest.fixture(scope="module")
def people(restless):
    return restless.population


def own_handset(people, day):
    """Those whose SIM is no second one, nor their partner's: everybody has a handset alone."""
    everybody, changes = np.arange(people.n), people.changes
    second = changes.second_sim(everybody, people.start_day)
    return ~second & ~second[people.ties.partner(everybody)]


def test_handsets_are_replaced(people):
    everybody = np.arange(people.n)
    alone = own_handset(people, 0)
    months = 6
    _, generation, model = people.handset_at(30 * months, everybody)
    assert near(generation > 0, 1 - 0.9**months)
    assert generation.mean() == pytest.approx(0.6, abs=0.02)
    changed = generation > 0
    assert {TERMINALS[m].year for m in np.unique(model[changed])} == {2006, 2007}
    before, after = people.imei_at(0, everybody), people.imei_at(30 * months, everybody)
    assert (before[changed & alone] != after[changed & alone]).all()
    assert len(np.unique(np.concatenate([before[alone], after[changed & alone]]))) == np.count_nonzero(
        alone
    ) + np.count_nonzero(changed & alone)


def test_nothing_changes_on_day_zero_and_imei_names_the_model(people):
    everybody = np.arange(people.n)
    line, generation, model = people.handset_at(0, everybody)
    alone = own_handset(people, 0)
    assert not generation.any()
    assert np.array_equal(line[alone], everybody[alone])
    assert np.array_equal(model[alone], people.terminal[alone])
    for day in (0, 77):
        assert np.array_equal(
            terminal_of_imei(people.imei_at(day, everybody)), people.terminal_at(day, everybody)
        )


def test_swaps_are_mutual_and_no_handset_has_two_sims(people):
    everybody = np.arange(people.n)
    partner, alone = people.ties.partner(everybody), own_handset(people, 90)
    line = people.changes.line(everybody, 90, people.start_day)
    moved = alone & (line != everybody)
    assert np.array_equal(line[moved], partner[moved])
    assert np.array_equal(line[partner[moved]], everybody[moved])
    # An odd number of swaps in three months of 4 % each.
    assert near(moved[alone], (1 - (1 - 2 * 0.04) ** 3) / 2)
    assert len(np.unique(people.imei_at(90, everybody[alone]))) == np.count_nonzero(alone)


def test_second_sims_share_a_handset(people):
    everybody = np.arange(people.n)
    second = people.changes.second_sim(everybody, people.start_day)
    assert near(second[people.start_day > 0], 0.25)
    partner = people.ties.partner(everybody)
    pair = second & ~second[partner]
    assert np.array_equal(people.imei_at(40, everybody[pair]), people.imei_at(40, partner[pair]))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, N - 1), min_size=1, max_size=30), st.integers(0, 400))
def test_any_slice_on_any_day_is_the_same(people, subs, day):
    everybody, some = np.arange(people.n), np.array(subs)
    assert np.array_equal(people.imei_at(day, some), people.imei_at(day, everybody)[some])
    assert np.array_equal(people.active_on(day, some), people.active_on(day, everybody)[some])


def test_customers_leave_for_ever_and_new_ones_come(people):
    customers = np.flatnonzero(people.origin == 0)
    new = people.start_day[customers] > 0
    assert near(new, 12 * 0.02)
    assert people.start_day.max() <= 360
    before = np.zeros(len(customers), dtype=bool)
    for day in range(0, 400, 20):
        active = people.active_on(day, customers)
        gone = people.leave_day[customers] <= day
        assert not (before & active).any()
        before = gone
    tenure = people.leave_day[customers].astype(int) - people.start_day[customers]
    # Rates differ from person to person, so the share of the first month is not quite the mean rate.
    assert np.mean(tenure <= 30) == pytest.approx(0.05, abs=0.006)
    assert (people.leave_day > people.start_day).all()


def test_those_with_friends_at_the_competitor_leave_sooner(people):
    customers = np.flatnonzero(people.origin == 0)
    tenure = people.leave_day[customers].astype(int) - people.start_day[customers]
    share = people.rivals[customers] / (people.rivals[customers] + people.degree[customers].astype(int))
    low, high = np.quantile(share, [0.2, 0.8])
    assert np.mean(tenure[share >= high] <= 90) > 1.4 * np.mean(tenure[share <= low] <= 90)


def test_roamers(people):
    everybody = np.arange(people.n)
    for origin, share, prefix, number in ((1, 0.07, 1015, 861706), (2, 0.03, 999020, 999020)):
        guests = np.flatnonzero(people.origin == origin)
        assert near(people.origin == origin, share)
        assert (people.imsi[guests] // 10**9 == prefix).all()
        assert (people.msisdn[guests] // 10**7 == number).all()
        assert (people.home_plmn[guests] == prefix // 10).all()
        assert (people.start_day[guests] == 0).all()
        assert (people.leave_day[guests] == NEVER).all()
    assert np.array_equal(people.sub_of_imsi(people.imsi), everybody)
    assert np.array_equal(people.sub_of_msisdn(people.msisdn), everybody)
    guests = np.flatnonzero(people.origin > 0)
    days = np.mean([people.active_on(day, guests).mean() for day in range(60)]) * 30
    assert 3.0 < days < 4.0  # four days, less what the end of a month cuts off
    assert people.origins == ("", "next", "abroad")
    customer = np.array(people.extract()["customer"])
    assert not customer[guests].any()
    assert np.array_equal(customer, (people.origin == 0) & (people.start_day == 0))
