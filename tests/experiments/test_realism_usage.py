"""Measures of usage and network against made-up acts whose answer is known."""

import math
from dataclasses import replace
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest

from experiments.realism import network, usage
from experiments.realism.fits import Estimate, erlang_b
from experiments.realism.tables import HOUR_US, OUTCOMES, Acts, Lived, Traffic
from sim.network import acts as act_table
from sim.network.intents import DAY_US
from sim.subscribers.segments import SEGMENTS
from sim.subscribers.usage_profiles import CALLS, hours_of

RNG = np.random.default_rng(9)
N, DAYS = 180, 14


def acts(t_us, sub, kind, outcome="", peer=-1):
    order = np.argsort(t_us, kind="stable")
    n = len(t_us)
    return Acts(
        np.asarray(t_us, np.int64)[order], np.asarray(sub, np.int32)[order], np.full(n, kind, np.uint8),
        np.full(n, OUTCOMES.index(outcome), np.uint8), np.broadcast_to(np.asarray(peer, np.int32), n)[order],
        np.zeros(n, bool),
    )  # fmt: skip


def lived(some: Acts, **columns):
    """A life of N people over two weeks from a Monday, with these acts only."""
    scenario = SimpleNamespace(is_weekend=lambda day: day % 7 >= 5)
    population = SimpleNamespace(segment=np.arange(N) % len(SEGMENTS))
    made = dict.fromkeys(Lived.__dataclass_fields__) | {
        "world": SimpleNamespace(n=N, scenario=scenario, population=population,
                                 topology=SimpleNamespace(n=1)),
        "days": DAYS, "acts": some,
    }  # fmt: skip
    return Lived(**made | columns)


PROFILE = hours_of(CALLS, 0)


def calls_by(profile, n=60_000, free_day=1.0, sub=None):
    hour = RNG.choice(24, n, p=profile)
    day = RNG.choice(DAYS, n, p=np.array([free_day if d % 7 >= 5 else 1.0 for d in range(DAYS)])
                     / sum(free_day if d % 7 >= 5 else 1.0 for d in range(DAYS)))  # fmt: skip
    t_us = day * DAY_US + hour * HOUR_US + RNG.integers(0, HOUR_US, n)
    return acts(t_us, RNG.integers(0, N, n) if sub is None else sub, act_table.CALL_MADE)


def test_curves_follow_the_profile_or_do_not() -> None:
    true, flat = calls_by(PROFILE), calls_by(np.full(24, 1 / 24))
    assert usage.diurnal(lived(true), true, PROFILE).value > 0.995
    assert abs(usage.diurnal(lived(flat), flat, PROFILE).value) < 0.6
    assert usage.diurnal_of_segments(lived(true), true, np.tile(PROFILE, (len(SEGMENTS), 1))).value > 0.97


def test_a_free_day_has_the_share_that_it_has() -> None:
    some = calls_by(PROFILE, free_day=0.5)
    found = usage.weekly(lived(some), some, 1.0)
    assert found.low < 0.5 < found.high
    assert found.value == pytest.approx(0.5, abs=0.02)


def test_segments_call_by_their_factors_or_alike() -> None:
    factors = np.array([s.calls for s in SEGMENTS])
    weight = factors[np.arange(N) % len(SEGMENTS)]
    some = calls_by(PROFILE, sub=RNG.choice(N, 60_000, p=weight / weight.sum()))
    assert usage.by_segment(lived(some), some, factors).value == pytest.approx(1.0, abs=0.05)
    alike = calls_by(PROFILE)
    assert usage.by_segment(lived(alike), alike, factors).value == pytest.approx(0.0, abs=0.05)


def test_burstiness_of_poisson_people_is_nothing_and_rhythm_can_be_taken_out() -> None:
    t = np.sort(RNG.integers(0, DAYS * DAY_US, (N, 60)), axis=1).reshape(-1)
    sub = np.repeat(np.arange(N), 60)
    assert usage.burstiness_of(t / HOUR_US, sub, N).value == pytest.approx(0.0, abs=0.02)
    by_day = calls_by(np.array([0.0] * 22 + [0.5, 0.5]), n=N * 60, sub=np.repeat(np.arange(N), 60))
    order = np.lexsort((by_day.t_us, by_day.sub))
    t, sub = by_day.t_us[order], by_day.sub[order].astype(np.int64)
    assert usage.burstiness_of(t / HOUR_US, sub, N).value > 0.2
    level = usage.burstiness_of(usage.without_seasons(t, DAYS) / HOUR_US, sub, N)
    assert level.value == pytest.approx(0.0, abs=0.03)


def test_nights_and_mornings_of_location_updates() -> None:
    working = [index for index, s in enumerate(SEGMENTS) if s.work != "none"]
    sub = np.repeat(np.flatnonzero(np.isin(np.arange(N) % len(SEGMENTS), working)), 30)
    leaves = np.array([s.leaves_min for s in SEGMENTS])[sub % len(SEGMENTS)] * 60_000_000
    some = acts(leaves, sub, act_table.LOCATION_UPDATE)
    assert usage.commute_peaks(lived(some)).value == 1.0
    assert usage.updates_by_night(lived(some)).value == 0.0
    flat = acts(RNG.integers(0, DAY_US, 40_000), RNG.integers(0, N, 40_000), act_table.LOCATION_UPDATE)
    assert usage.updates_by_night(lived(flat)).value == pytest.approx(4 / 24, abs=0.01)
    late = acts(leaves + 3 * HOUR_US, sub, act_table.LOCATION_UPDATE)
    assert usage.commute_peaks(lived(late)).value < 0.5


def test_the_call_graph_its_reciprocity_and_degrees() -> None:
    made = acts([1, 2, 3, 4, 5], [0, 1, 0, 2, 3], act_table.CALL_MADE, peer=[1, 0, 2, 3, -1])
    graph = usage.call_graph(lived(made))
    assert sorted(graph.edges) == [(0, 1), (0, 2), (1, 0), (2, 3)]
    # Two of four links are returned; by chance 4 of 12 would be.
    assert usage.reciprocity(graph).value == pytest.approx((0.5 - 1 / 3) / (1 - 1 / 3))
    star = nx.DiGraph([(0, k) for k in range(1, 10)])
    degree = np.array([9] + [1] * 9)
    spread = usage.degree_spread(usage.degrees(star, mutual=False))
    assert spread.value == pytest.approx(degree.std() / degree.mean())
    assert not len(usage.degrees(star, mutual=True))
    assert usage.degrees(graph, mutual=True).tolist() == [1, 1]
    assert usage.degree_mean(degree.astype(float)).value == pytest.approx(1.8)
    ring = nx.DiGraph([(k, (k + 1) % 9) for k in range(9)])
    assert usage.degree_spread(usage.degrees(ring, mutual=False)).value == 0.0
    random = nx.gnp_random_graph(200, 0.05, seed=1, directed=True)
    assert usage.reciprocity(random).value == pytest.approx(0.0, abs=0.03)


def carried(channels, offered, hours=24):
    """Traffic of one cell that behaves by Erlang B, over every hour."""
    blocked = erlang_b(channels, offered)
    asked = np.full((DAYS * hours, 1), 1000)
    return Traffic(asked, np.round(asked * blocked).astype(np.int64),
                   np.full((DAYS * hours, 1), int(offered * (1 - blocked) * HOUR_US)))  # fmt: skip


def test_blocking_by_erlang_b_is_a_ratio_of_one() -> None:
    life = lived(acts([], [], 1), traffic=carried(7, 2.935), hourly=np.zeros((N, DAYS * 24), np.int16))
    found = network.blocking_ratio(life, np.array([7]))
    assert found.value == pytest.approx(1.0, abs=0.01)
    assert found.low < 1 < found.high
    assert network.blocked_share(life) == pytest.approx(0.02, abs=1e-3)
    twice = carried(7, 2.935)
    twice = Traffic(twice.asked, 2 * twice.refused, twice.held_us)
    assert network.blocking_ratio(replace(life, traffic=twice), np.array([7])).value > 1.9
    assert network.planned_channels(life).tolist() == [7]


def test_ping_pong_is_two_handovers_more() -> None:
    second = 1_000_000
    # One way only; there, back and there again; two far apart.
    t = np.array([0, 100, 106, 111, 500, 600]) * second
    done = acts(t, [0, 1, 1, 1, 2, 2], act_table.HANDOVER, "intra-BSC")
    assert network.ping_pong_share(lived(done)).value == pytest.approx(1 / 4)


def test_ping_pong_must_fall_at_every_step() -> None:
    falls = [Estimate.exact(share) for share in (0.2, 0.1, 0.01)]
    assert network.ping_pong_fall(falls).value == pytest.approx(0.5)
    rises = [Estimate.exact(share) for share in (0.2, 0.05, 0.06)]
    assert network.ping_pong_fall(rises).value == pytest.approx(1.2)
    assert math.isnan(network.ping_pong_fall([Estimate.exact(0.0)] * 3).value)


def test_paging_success() -> None:
    got = acts(np.arange(99), np.zeros(99), act_table.CALL_RECEIVED)
    lost = acts([5], [0], act_table.PAGE)
    both = Acts(*(np.concatenate([getattr(a, f) for a in (got, lost)]) for f in Acts.__dataclass_fields__))
    assert network.paging_success(lived(both)).value == pytest.approx(0.99)


def grid(side):
    x, y = (v.reshape(-1) for v in np.meshgrid(np.arange(side) * 1000, np.arange(side) * 1000))
    near = (np.abs(x[:, None] - x) + np.abs(y[:, None] - y)) == 1000
    return SimpleNamespace(
        n=side * side, x_m=x, y_m=y, neighbour_cells=np.nonzero(near)[1],
        neighbour_start=np.concatenate([[0], np.cumsum(near.sum(axis=1))]),
    )  # fmt: skip


def test_areas_are_halves_of_halves_and_borders_are_counted() -> None:
    ground = grid(8)
    for k, border in ((1, 8), (2, 16), (4, 48)):
        area = network.split_areas(ground, k)
        assert np.bincount(area).tolist() == [64 // 2**k] * 2**k
        assert network.border_links(ground, area) == border


def test_evenly_spread_steps_follow_the_perimeter_law() -> None:
    ground = grid(8)
    starts = np.repeat(np.arange(64), np.diff(ground.neighbour_start))
    steps = RNG.integers(0, len(starts), 40_000)
    sizes = []
    for k in range(1, 5):
        area = network.split_areas(ground, k)
        crossed = (area[starts[steps]] != area[ground.neighbour_cells[steps]]).mean()
        sizes.append((64 / 2**k, network.border_links(ground, area), float(crossed)))
    assert network.perimeter_exponent(sizes).value == pytest.approx(1.0, abs=0.05)
    assert -0.95 < network.area_size_exponent(sizes).value < -0.4


def test_area_changes_are_counted_from_the_first_cell_on() -> None:
    moves = SimpleNamespace(
        t_us=np.array([5, 6, 7]), sub=np.array([0, 1, 0]), cell=np.array([1, 1, 2], np.int32)
    )
    assert network.area_changes(moves, np.array([0, 1], np.int32), np.array([0, 0, 1])) == 1
    assert network.area_changes(moves, np.array([0, 1], np.int32), np.array([0, 1, 1])) == 1


def test_what_is_not_there_is_not_measured() -> None:
    none = lived(acts([], [], 1), talk_s=np.zeros(0))
    assert math.isnan(usage.diurnal(none, none.acts, PROFILE).value)
    assert math.isnan(usage.degree_spread(np.zeros(0)).value)
    assert math.isnan(usage.degree_mean(np.zeros(0)).value)
