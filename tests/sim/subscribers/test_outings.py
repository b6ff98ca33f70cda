"""Exploration and preferential return: the tables, the laws they stand for, and openness of places."""

from pathlib import Path

import numpy as np
import pytest

from sim.place_kinds import KIND_INDEX, PLACE_KINDS
from sim.scenario import WorldScenario
from sim.subscribers import exploration_make, exploration_tables
from sim.subscribers.outings import WAITING, choose, destinations, favourite, known, ranks, rounds, slot
from sim.world import build_world

RHO, GAMMA, OUTINGS = exploration_make.RHO, exploration_make.GAMMA, exploration_make.OUTINGS


@pytest.fixture(scope="module")
def city():
    """A drawn city of 400 cells for 60,000 people, of whom 4,000 are there."""
    network = {"cells": 400, "city": {"towns": [{"name": "a", "share": 4}, {"name": "b", "x_km": 25}]}}
    world = {"world": "city", "about": "For tests.", "epoch": "2007-06-04", "subscribers": 60_000}
    return build_world(WorldScenario.model_validate({**world, "network": network}), 5)


def test_committed_tables_are_what_the_script_writes():
    committed = Path(exploration_tables.__file__).read_text(encoding="utf-8").split()
    written = exploration_make.source().split()
    assert sum(a != b for a, b in zip(committed, written, strict=True)) <= 5  # last digits


def test_waiting_is_a_truncated_power_law_of_median_one():
    u = (np.arange(1, 200) << 32) // 200
    t = WAITING.quantile(u) / 65536
    assert t[99] == pytest.approx(1.0, abs=0.001)
    low, cut = WAITING.quantile(np.array([0]))[0] / 65536, exploration_make.LONGEST
    x = t / low
    cdf = (1 - x**-0.8) / (1 - cut**-0.8)
    assert np.abs(cdf - np.arange(1, 200) / 200).max() < 0.002


def test_weights_of_distances_make_jumps_of_the_known_law():
    """On a plane, weight times distance is the density of jumps: (r + 1.5 km)**-1.75 exp(-r / 80 km)."""
    table = np.array(exploration_tables.DISTANCE, dtype=float)
    row = np.arange(16 * 18, 16 * 34)  # 0.5 km to 130 km
    metres = np.sqrt(2.0 ** (row // 16) * (1 + (row % 16 + 0.5) / 16))
    density = table[row] * metres
    law = (metres + 1500) ** -1.75 * np.exp(-metres / 80_000)
    assert np.allclose(density / density[0], law / law[0], rtol=0.01)


def test_known_places_grow_by_the_law_of_exploration(city):
    who = np.arange(2000)
    counts = np.array([known(city.draws, who, day)[0] for day in range(201)])
    assert (np.diff(counts, axis=0) >= 0).all()
    assert (np.diff(counts, axis=0) <= 1).all()
    new = np.array([known(city.draws, who, day)[1] for day in range(1, 201)])
    assert np.array_equal(new, np.diff(counts, axis=0) == 1)
    # dS/dt = rho S**-gamma an outing, by size of S.
    size = counts[:-1]
    for least, most in ((35, 50), (60, 90), (150, 200)):
        some = (size >= least) & (size < most)
        assert new[some].mean() == pytest.approx((OUTINGS * RHO * size[some] ** -GAMMA).mean(), rel=0.1)


def test_returns_follow_the_ranks(city):
    """(r + 2)**-(1 + gamma): observed shares of the first ranks within five standard errors."""
    who, draws = np.arange(40_000), city.draws
    many, _ = known(draws, who, 3)
    some = who[many == 60]
    table = np.array(exploration_tables.RETURN)
    expected = np.diff(table)[:60] / table[60]
    assert expected[0] / expected[7] == pytest.approx((10 / 3) ** (1 + GAMMA), rel=1e-6)
    u = np.concatenate([draws.u32("outing", some, day) for day in range(40)])
    drawn = ranks(u, np.full(len(u), 60))
    shares = np.bincount(drawn, minlength=61)[1:] / len(u)
    assert (np.abs(shares - expected) < 5 * np.sqrt(expected / len(u))).all()


def test_places_are_near_but_a_heavy_tail_is_far(city):
    who = np.arange(20_000)
    _, cell = favourite(city, who, np.full(len(who), 7), np.zeros(len(who), dtype=bool))
    ground, home = city.topology, city.population.home_cell[who]
    km = (
        np.hypot(ground.spot_x_m[cell] - ground.spot_x_m[home], ground.spot_y_m[cell] - ground.spot_y_m[home])
        / 1000
    )
    assert np.median(km) < 4
    assert np.quantile(km, 0.99) > 4 * np.median(km)


@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("hour", [9, 12, 20])
def test_nobody_goes_where_it_is_closed(city, free, hour):
    who = np.arange(5000)
    found = choose(city, who, 3, 0, np.full(len(who), hour), free=free, festival=False, explores=True)
    ground = city.topology
    for place in ground.places:
        row = PLACE_KINDS[KIND_INDEX[place.kind]]
        if place.own and not row.is_open(hour, free):
            assert not np.isin(found.cell, place.cells).any(), place.name
    assert (found.stay_us > 60_000_000).all()


def test_anybody_alone_is_the_same(city):
    who, hour = np.arange(3000), np.full(3000, 19)
    how = {"free": False, "festival": True, "explores": True}
    whole = choose(city, who, 9, 1, hour, **how)
    some = who[::-7]
    part = choose(city, some, 9, 1, hour[: len(some)], **how)
    assert np.array_equal(part.cell, whole.cell[some])
    assert np.array_equal(part.stay_us, whole.stay_us[some])


def test_quantiles_of_destinations_are_places_of_their_kind(city):
    there = destinations(city.topology)
    for index, kind in enumerate(there.kinds[:-1]):
        assert set(there.near[index].reshape(-1).tolist()) <= set(city.topology.cells_of_kind(kind).tolist())
    cells = np.arange(city.topology.n)
    assert not (there.near[-1] == cells[:, None]).any()  # about town is elsewhere


def test_rounds_lead_to_a_few_sites_near_work_now_and_then_far_from_it(city):
    who = np.arange(20_000)
    found = [rounds(city, who, day, 4) for day in range(8)]
    ground, work = city.topology, city.population.work_cell[who]
    assert np.array_equal(rounds(city, who[::-3], 5, 4).cell, found[5].cell[::-3])
    cells = np.stack([outing.cell for outing in found])
    assert (ground.place[cells] < 0).all()
    assert (cells != work).all()
    km = np.hypot(
        ground.spot_x_m[cells] - ground.spot_x_m[work], ground.spot_y_m[cells] - ground.spot_y_m[work]
    )
    assert np.quantile(km, 0.99) > 4 * np.median(km)
    # Somebody comes back to a site more often than to one of somebody else's.
    again = (cells[1:] == cells[:-1]).mean()
    others = (cells[1:] == np.roll(cells[:-1], 1, axis=1)).mean()
    assert again > 2 * others


@pytest.mark.parametrize("outwards", [0.0, 0.5, 0.75, 0.9, 1.0])
def test_jumps_keep_their_law_up_to_the_edge_of_a_map(outwards):
    """Medians and upper quantiles are those of (r + 1.5 km)**-1.75 from half a spacing to the far side."""
    network = {"cells": 400, "spacing_m": 800}
    world = {"world": "plain", "about": "For tests.", "epoch": "2007-06-04", "subscribers": 1000}
    ground = build_world(WorldScenario.model_validate({**world, "network": network}), 1).topology
    town = np.flatnonzero((ground.kind == 0) & (ground.place < 0))
    x, y = ground.spot_x_m / 1000, ground.spot_y_m / 1000
    inside_out = np.argsort(np.hypot(x[town] - x[town].mean(), y[town] - y[town].mean()))
    home = town[inside_out[int(outwards * (len(town) - 1))]]
    cells = destinations(ground).near[-1, home, slot((np.arange(1, 4096) << 20).astype(np.uint32))]
    q = np.array([0.5, 0.75, 0.9])
    near = (0.4 + 1.5) ** -0.75
    far = (np.hypot(x[town] - x[home], y[town] - y[home]).max() + 1.5) ** -0.75
    law = (near - q * (near - far)) ** (-1 / 0.75) - 1.5
    assert np.quantile(np.hypot(x[cells] - x[home], y[cells] - y[home]), q) == pytest.approx(law, rel=0.2)
