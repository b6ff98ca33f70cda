"""People: unique, findable, in the planted proportions, and the same today and tomorrow."""

import hashlib

import numpy as np
import pytest

from sim.draws import Draws
from sim.scenario import SegmentShares
from sim.subscribers.identities import Permutation, keyed_permutation
from sim.subscribers.population import COMMUNITY, build_population
from sim.subscribers.segments import BRANDS, SEGMENTS
from sim.world import build_world


def test_identities_are_unique_and_can_be_looked_up(town):
    people, everybody = town.population, np.arange(town.n)
    for column in (people.imsi, people.msisdn, people.imei):
        assert len(np.unique(column)) == town.n
    assert np.array_equal(people.sub_of_imsi(people.imsi), everybody)
    assert np.array_equal(people.sub_of_msisdn(people.msisdn), everybody)
    assert people.sub_of_msisdn([10086, 8613900000000 - 1, 8613399999999]).tolist() == [-1, -1, -1]
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


def test_subscriber_does_not_depend_on_how_many_there_are(town, crowd):
    """A person is a function of (seed, index): only friendships across the world know its size."""
    small = build_population(town.scenario, crowd.topology, crowd.draws)
    for name in (
        "segment",
        "brand",
        "imsi",
        "msisdn",
        "imei",
        "home_cell",
        "work_cell",
        "often_off",
        "call_rate_q16",
    ):
        assert np.array_equal(getattr(small, name), getattr(crowd.population, name)[: small.n]), name


def share_is(mask, p, n):
    """Within 4.5 standard errors (a false alarm in 150,000 seeds, and the seed is fixed)."""
    return abs(mask.mean() - p) < 4.5 * (p * (1 - p) / n) ** 0.5


def test_planted_shares(crowd):
    people, habits = crowd.population, crowd.scenario.habits
    assert share_is(people.often_off, habits.often_off_share, crowd.n)
    assert share_is(people.often_rejects, habits.often_rejects_share, crowd.n)
    # Half of a community shares its segment, so shares spread as if there were fewer people.
    fewer = crowd.n / (COMMUNITY / 4 + 1)
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


def test_friends(crowd):
    people, everybody = crowd.population, np.arange(crowd.n)
    for k in range(6):
        friend = people.friend(everybody, k)
        assert (friend != everybody).all()
        assert ((friend >= 0) & (friend < crowd.n)).all()
        same = friend // COMMUNITY == everybody // COMMUNITY
        assert same.mean() > 0.99 if k != 4 else same.mean() < 0.05
        assert (people.friend(friend, k) == everybody).mean() > 0.95  # friendship is mutual
    assert people.degree.min() >= 2
    assert people.degree.max() >= 40  # a heavy tail


@pytest.mark.parametrize("n", [1, 2, 64, 65, 66])
def test_odd_sizes_of_world(town, n):
    world = build_world(town.scenario.model_copy(update={"subscribers": n}), 3)
    friend = world.population.friend(np.arange(n), 0)
    assert ((friend != np.arange(n)) | (n == 1)).all()
    assert ((friend >= 0) & (friend < n)).all()


def test_extract(town):
    columns = town.population.extract()
    assert list(columns) == ["imsi", "msisdn", "brand", "often_off", "often_rejects", "services", "language"]
    assert {len(column) for column in columns.values()} == {town.n}
    assert set(columns["brand"]) == set(BRANDS)
    assert columns["imsi"][5] == town.population.imsi_text(5)
    assert sum(columns["often_off"]) == np.count_nonzero(town.population.often_off)


def test_golden_hash(town):
    """Changes only when the world does: then the new value belongs into the same commit, with the reason."""
    digest = hashlib.sha256()
    for name in (
        "imsi", "msisdn", "imei", "segment", "brand", "services", "home_cell", "work_cell",
        "often_off", "reject_q16", "call_rate_q16", "text_rate_q16", "service_rate_q16", "degree",
    ):  # fmt: skip
        column = getattr(town.population, name)
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    for name in ("lac", "ci", "bsc", "place", "kind", "x_m", "y_m", "distance_m", "next_cell"):
        column = getattr(town.topology, name)
        digest.update(column.astype(column.dtype.newbyteorder("<")).tobytes())
    assert digest.hexdigest() == "b4ef56ff2b75bae3c7f012f22e1bdfea419550beb58430fc1e340e8847526549"
