"""People: unique, findable, in the planted proportions, and the same today and tomorrow."""

import hashlib
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.draws import Draws
from sim.place_kinds import KIND_INDEX, KIND_NAMES, PLACE_KINDS
from sim.scenario import SegmentShares, WorldScenario, load_world
from sim.scenario_errors import ScenarioError
from sim.subscribers.drawing import DTYPES, Plan
from sim.subscribers.identities import Permutation, keyed_permutation
from sim.subscribers.population import COMMUNITY, Population, build_population
from sim.subscribers.segments import BRANDS, SEGMENTS
from sim.subscribers.traits import PLACE_NAMES, TRAITS
from sim.world import build_world

WORLDS = Path(__file__).parents[3] / "scenarios" / "worlds"


def test_identities_are_unique_and_can_be_looked_up(town):
    people, everybody = town.population, np.arange(town.n)
    for column in (people.imsi, people.msisdn):
        assert len(np.unique(column)) == town.n
    second = people.changes.second_sim(everybody, people.start_day)  # those are in a handset with another
    assert len(np.unique(people.imei[~second])) == np.count_nonzero(~second)
    assert np.array_equal(people.sub_of_imsi(people.imsi), everybody)
    assert np.array_equal(people.sub_of_msisdn(people.msisdn), everybody)
    assert people.sub_of_msisdn([10086, 8613900000000 - 1, 8613399999999]).tolist() == [-1, -1, -1]
    assert people.origin[3] == 0
    assert people.imsi_text(3).startswith("00101")
    assert len(people.imsi_text(3)) == 15
    assert people.msisdn_text(3).startswith("861390")
    assert len(people.msisdn_text(3)) == 13


def test_permutation_and_back():
    p = keyed_permutation(Draws(5), 1, 1000)
    images = p.forward(np.arange(1000))
    assert sorted(images.tolist()) == list(range(1000))
    assert np.array_equal(p.backward(images), np.arange(1000))
    with pytest.raises(ValueError, match="permutation"):
        Permutation(10, 5, 0)


LAZY = (
    "imsi", "msisdn", "imei", "home_plmn", "home_cell", "work_cell", "language", "often_off", "often_rejects",
    "nightly_off", "reject_q16", "no_answer_q16", "call_rate_q16", "call_in_rate_q16", "service_rate_q16",
    "text_rate_q16", "text_in_rate_q16",
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 19_999), min_size=1, max_size=50))
def test_any_slice_built_alone_is_the_same(crowd, subs):
    some = np.array(subs)
    rows = Plan.of(crowd.scenario, crowd.topology, crowd.draws).rows(some)
    assert list(rows) == list(DTYPES)
    for name, column in rows.items():
        assert column.dtype == DTYPES[name]
        assert np.array_equal(column, getattr(crowd.population, name)[some]), name
    for name in LAZY:
        column = getattr(crowd.population, name)
        assert np.array_equal(column[some], column[:][some]), name


def test_the_last_of_ten_million_alone(crowd):
    plan = Plan.of(crowd.scenario, crowd.topology, crowd.draws)
    last = plan.rows(np.arange(9_999_900, 10_000_000))
    alone = plan.rows(np.array([9_999_999]))
    assert all(last[name][-1] == alone[name][0] for name in DTYPES)
    assert len(np.unique(last["segment"])) > 3


def test_subscriber_does_not_depend_on_how_many_there_are(town, crowd):
    """A person is a function of (seed, index): only ties that the last index cuts off know its size."""
    small = build_population(town.scenario, crowd.topology, crowd.draws)
    for name in (*DTYPES, *LAZY):
        if name != "imei":  # of second SIMs whose partner is not there
            assert np.array_equal(getattr(small, name)[:], getattr(crowd.population, name)[: small.n]), name
    assert (small.imei == crowd.population.imei[: small.n]).mean() > 0.998


def test_thirty_octets_a_subscriber(crowd):
    assert crowd.population.nbytes == 30 * crowd.n
    arrays = [v for f in fields(Population) if isinstance(v := getattr(crowd.population, f.name), np.ndarray)]
    assert sum(array.nbytes for array in arrays) == crowd.population.nbytes  # nothing else grows with people


def test_other_networks_and_cities(town):
    """IMSIs of 460 00; numbers by the city nearest to the home; the lookup knows them all."""
    cities = [
        {"name": "west", "msisdn_prefix": "861350", "x_km": -3, "y_km": 0},
        {"name": "east", "msisdn_prefix": "861360", "x_km": 3, "y_km": 0},
    ]
    scenario = load_world(
        WORLDS / "town.yaml", {"numbering.imsi_prefix": "46000", "numbering.cities": cities}
    )
    people = build_world(scenario, 7).population
    own = people.origin == 0
    assert (people.imsi[own] // 10**9 == 460000).all()
    east = town.topology.x_m[people.home_cell[own]] > 0
    west = town.topology.x_m[people.home_cell[own]] < 0
    assert set((people.msisdn[own][east] // 10**7).tolist()) == {861360}
    assert set((people.msisdn[own][west] // 10**7).tolist()) == {861350}
    assert np.array_equal(people.sub_of_msisdn(people.msisdn), np.arange(people.n))
    other = people.msisdn[own] ^ np.uint64(0)
    other = np.where(other // 10**7 == 861350, other + 10 * 10**7, other - 10 * 10**7)
    assert (people.sub_of_msisdn(other) == -1).all()  # the right serial number in the wrong city


def test_people_of_a_province_live_and_work_in_one_town():
    """Towns by their cells; the number's block is that of the town; colleagues are mostly of one town."""
    towns = [("west", -20, 2.0, "861350"), ("east", 20, 1.0, "861360"), ("south", 0, 1.0, "861370")]
    places = [{"name": name, "x_km": x, "y_km": -15 if x == 0 else 0} for name, x, _, _ in towns]
    city = {"towns": [p | {"share": t[2]} for p, t in zip(places, towns, strict=True)]}
    cities = [p | {"msisdn_prefix": t[3]} for p, t in zip(places, towns, strict=True)]
    scenario = WorldScenario.model_validate(
        {
            "world": "p", "about": "x", "epoch": "2007-06-04", "subscribers": 60_000,
            "network": {"cells": 400, "city": city}, "numbering": {"cities": cities},
        }
    )  # fmt: skip
    world = build_world(scenario, 5)
    people, ground = world.population, world.topology
    centre = np.array([(p["x_km"] * 1000, p["y_km"] * 1000) for p in places])
    at = np.stack([ground.x_m, ground.y_m], axis=1).astype(np.int64)[:, np.newaxis] - centre
    town_of = np.argmin((at**2).sum(axis=2), axis=1)
    home, work = town_of[people.home_cell], town_of[people.work_cell]
    assert (home == work).all()
    cells = np.bincount(town_of[(ground.kind == 0) & (ground.place < 0)], minlength=3)
    # Fifteen quarters, three in four communities go with theirs: 0.25 is 2.5 standard errors (seed fixed).
    assert np.abs(np.bincount(home, minlength=3) / people.n - cells / cells.sum()).max() < 0.25
    assert len(np.unique(home)) == 3
    own = people.origin == 0
    assert np.array_equal(people.msisdn[own] // 10**7, np.array([861350, 861360, 861370])[home[own]])
    friend = people.friend(np.arange(people.n), 3)  # a colleague
    assert (home[friend] == home).mean() > 0.55


def test_places_of_contact_are_kinds_of_the_map():
    assert set(PLACE_NAMES) <= set(KIND_NAMES)
    # Both tables say of each segment where it likes to be: nobody's place of contact is one they never visit.
    for index, traits in enumerate(TRAITS):
        for name in traits.contact_places:
            assert PLACE_KINDS[KIND_INDEX[name]].likes[index] > 0, (SEGMENTS[index].name, name)


def abroad(imsi, msisdn, share):
    return {"name": "a", "imsi_prefix": imsi, "msisdn_prefix": msisdn, "share": share}


@pytest.mark.parametrize(
    ("numbering", "expected"),
    [
        ({"cities": [{"name": "a", "msisdn_prefix": "861391", "x_km": 0, "y_km": 0}]}, "every block once"),
        ({"origins": [abroad("00101", "861350", 0.1)]}, "origin"),
        ({"origins": [abroad("00102", "861390", 0.1)]}, "block"),
        ({"origins": [abroad("00102", "861350", 0.95)]}, "0.9"),
        ({"msisdn_prefix": "013900"}, "country code"),
    ],
)
def test_numbers_that_would_be_mixed_up(numbering, expected):
    with pytest.raises(ScenarioError, match=expected):
        load_world(WORLDS / "town.yaml", {f"numbering.{key}": value for key, value in numbering.items()})


def share_is(mask, p, n):
    """Within 4.5 standard errors (a false alarm in 150,000 seeds, and the seed is fixed)."""
    return abs(mask.mean() - p) < 4.5 * (p * (1 - p) / n) ** 0.5


def test_planted_shares(crowd):
    people, habits = crowd.population, crowd.scenario.habits
    assert share_is(people.often_off, habits.often_off_share, crowd.n)
    assert share_is(people.often_rejects, habits.often_rejects_share, crowd.n)
    # A third of a community and a third of a work group share a segment: as if there were fewer people.
    fewer = crowd.n / (2 * COMMUNITY / 9 + 1)
    weights = np.array(crowd.scenario.segments.weights())
    for index, share in enumerate(weights / weights.sum()):
        assert share_is(people.segment == index, share, fewer)


def test_segment_names_agree_with_the_scenario():
    assert [s.name for s in SEGMENTS] == list(SegmentShares.model_fields)


def test_mean_rates(crowd):
    people, usage = crowd.population, crowd.scenario.usage
    for name, mean in (
        ("call_rate_q16", usage.calls_per_day),
        ("call_in_rate_q16", usage.incoming_calls_per_day),
        ("service_rate_q16", usage.service_calls_per_day),
        ("text_rate_q16", usage.texts_per_day),
        ("text_in_rate_q16", usage.incoming_texts_per_day),
    ):
        assert getattr(people, name).mean() / 65536 == pytest.approx(mean, rel=0.03)


def test_students_live_on_the_campus(crowd):
    students = crowd.population.segment == [s.name for s in SEGMENTS].index("students")
    assert np.isin(crowd.population.home_cell[students], crowd.topology.cells_of_kind("campus")).mean() > 0.75
    assert not np.isin(crowd.population.home_cell[~students], crowd.topology.cells_of_kind("campus")).any()


def test_extract(town):
    columns = town.population.extract()
    assert list(columns) == [
        "imsi", "msisdn", "brand", "often_off", "often_rejects", "services", "language",
        "tariff", "arpu_band", "arpu", "bundle_minutes", "age", "city", "segment", "interests", "terminal",
        "customer",
    ]  # fmt: skip
    assert {len(column) for column in columns.values()} == {town.n}
    assert set(columns["brand"]) == set(BRANDS)
    assert columns["imsi"][5] == town.population.imsi_text(5)
    assert sum(columns["often_off"]) == np.count_nonzero(town.population.often_off)


def test_golden_hash(town):
    """Changes only when the world does: then the new value belongs into the same commit, with the reason."""
    digest = hashlib.sha256()
    for name in (
        "imsi", "msisdn", "imei", "home_cell", "work_cell", "often_off", "reject_q16", "call_rate_q16",
        "text_rate_q16", "service_rate_q16", *DTYPES,
    ):  # fmt: skip
        column = getattr(town.population, name)[:]
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    people, everybody = town.population, np.arange(town.n)
    for column in (
        *(people.friend(everybody, k) for k in range(40)), people.imei_at(200, everybody),
        people.active_on(33, everybody), people.contact_places(everybody), people.rival_number(everybody, 2),
    ):  # fmt: skip
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    for name in ("lac", "ci", "bsc", "place", "kind", "x_m", "y_m", "distance_m", "next_cell"):
        column = getattr(town.topology, name)
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    assert digest.hexdigest() == "eaccb62f0254edf5179f331f1fde797a0a876c06d4cfc7bc6dfd4df6a0469a64"
