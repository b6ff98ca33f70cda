"""The radio laws: what they say at known points, how fading lies in space, what a ride meets."""

from math import log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.draws import Draws
from sim.network import radio_tables, radio_tables_make
from sim.network.radio import (
    INSIDE,
    OPEN,
    SUBURBAN,
    URBAN,
    ahead,
    bearings_cdeg,
    field_of,
    indoor_law,
    log10_q24,
    off_axis_cdeg,
    outdoor_law,
    path_points,
    ride_route,
    ride_study,
    serving_cells,
    topology_field,
)
from sim.network.topology import INDOOR, build_topology
from sim.scenario import RadioScenario, WorldScenario

CLEAR = RadioScenario(shadow_db=0.0)


def one_cell(radio=CLEAR, azimuth=-1, ground=URBAN, seed=1, power=54, cells=1):
    return field_of(
        radio,
        Draws(seed),
        x_m=[0] * cells,
        y_m=[0] * cells,
        site=range(cells),
        azimuth_deg=[azimuth] * cells,
        power_dbm=[power] * cells,
        ground=[ground] * cells,
    )


def test_tables_are_what_the_script_writes():
    for name, made in (
        ("LOG2_Q16", radio_tables_make.log2_rows()),
        ("ATAN_CDEG", radio_tables_make.atan_rows()),
        ("SINE_Q14", radio_tables_make.direction_rows()),
    ):
        assert np.abs(np.array(getattr(radio_tables, name)) - np.array(made)).max() <= 1, name
    with open(radio_tables.__file__, encoding="utf-8") as committed:
        assert committed.read().count("\n") == radio_tables_make.source().count("\n")


@given(st.integers(1, 1 << 30))
def test_logarithm(n):
    assert abs(log10_q24(n) / 2**24 - log10(n)) < 2e-5


@given(st.integers(-100_000, 100_000), st.integers(-100_000, 100_000))
def test_bearings(dx, dy):
    said = int(bearings_cdeg(dx, dy)) / 100
    meant = np.degrees(np.arctan2(dx, dy)) % 360
    assert 0 <= said < 360
    assert abs((said - meant + 180) % 360 - 180) < 0.03


@pytest.mark.parametrize(
    ("azimuth", "east", "north"), [(0, 0, 100), (90, 100, 0), (225, -71, -71), (-1, 0, 0)]
)
def test_ahead(azimuth, east, north):
    x, y = ahead(azimuth, 100)
    assert abs(int(x) - east) <= 1
    assert abs(int(y) - north) <= 1
    assert azimuth < 0 or off_axis_cdeg(azimuth, x * 1000, y * 1000) < 100


@pytest.mark.parametrize("mhz", [450, 900, 1800])
@pytest.mark.parametrize("metres", [100, 1000, 5000])
@pytest.mark.parametrize("ground", [URBAN, SUBURBAN, OPEN])
def test_path_loss_is_hata_to_a_tenth_of_a_decibel(mhz, metres, ground):
    f, h = log10(mhz), log10(30)
    handset = (1.1 * f - 0.7) * 1.5 - (1.56 * f - 0.8)
    loss = (69.55 + 26.16 * f if mhz <= 1500 else 46.3 + 33.9 * f) - 13.82 * h - handset
    loss += (44.9 - 6.55 * h) * log10(metres / 1000)
    if ground == SUBURBAN:
        loss -= 2 * (log10(mhz / 28)) ** 2 + 5.4
    if ground == OPEN:
        loss -= 4.78 * f * f - 18.33 * f + 40.94
    field = one_cell(RadioScenario(shadow_db=0, frequency_mhz=mhz), ground=ground)
    assert abs(int(field.levels(0, metres, 0)) / 100 - (54 - loss)) < 0.1
    assert outdoor_law(mhz, ground)[1] == pytest.approx(100 * (44.9 - 6.55 * h), abs=1)


def test_indoor_cells_keep_to_themselves():
    field = one_cell(ground=INSIDE, power=22)
    at_10_m = 22 - (20 * log10(900) + 33 * log10(10) - 28)
    assert int(field.levels(0, 10, 0, indoors=True)) / 100 == pytest.approx(at_10_m, abs=0.1)
    assert field.levels(0, 10, 0, indoors=True) - field.levels(0, 10, 0) == 1500
    outdoor = one_cell()
    assert outdoor.levels(0, 500, 0) - outdoor.levels(0, 500, 0, indoors=True) == 1500
    assert indoor_law(900)[1] == 3300


@given(st.integers(0, 359), st.integers(0, 40_000), st.integers(0, 40_000))
def test_farther_is_never_stronger(degrees, near, far):
    field = one_cell(azimuth=120)
    near, far = sorted((near, far))
    step = np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
    (ax, ay), (bx, by) = np.round(step * near).astype(int), np.round(step * far).astype(int)
    # Points are rounded to metres, which turns them a little: 0.4 dB from 100 m on, at the steepest.
    room = 40 if near > 100 else 2000
    assert field.levels(0, ax, ay) >= field.levels(0, bx, by) - room


@pytest.mark.parametrize(("off", "loss_db"), [(0, 0), (32.5, 3), (65, 12), (90, 20), (180, 20)])
def test_sector_pattern(off, loss_db):
    field = one_cell(azimuth=300)
    angle = np.radians(300 + off)
    x, y = round(3000 * np.sin(angle)), round(3000 * np.cos(angle))
    assert int(one_cell().levels(0, x, y) - field.levels(0, x, y)) / 100 == pytest.approx(loss_db, abs=0.15)


def shadows(seed, points, cell=0):
    field = one_cell(RadioScenario(shadow_db=6.0), seed=seed, cells=2)
    return field.shadows(cell, points[0], points[1]).astype(float) / 100


def test_fading_has_its_deviation_everywhere_and_is_alike_nearby_only():
    """Over 40,000 places: 6 dB everywhere; half alike at 40-60 m, not at all from 128 m on."""
    random = np.random.default_rng(5)
    x, y = random.integers(-2_000_000, 2_000_000, (2, 40_000))
    here = shadows(3, (x, y))
    assert abs(here.mean()) < 0.1
    assert here.std() == pytest.approx(6.0, abs=0.1)
    assert shadows(3, (x // 64 * 64, y // 64 * 64)).std() == pytest.approx(6.0, abs=0.1)
    assert shadows(3, (x // 64 * 64 + 32, y // 64 * 64 + 32)).std() == pytest.approx(6.0, abs=0.1)
    alike = {m: np.corrcoef(here, shadows(3, (x + m, y)))[0, 1] for m in (5, 20, 40, 60, 80, 130, 300)}
    assert alike[5] > 0.97
    assert alike[20] > 0.8
    assert alike[40] > 0.5 > alike[60]
    assert abs(alike[130]) < 0.03
    assert abs(alike[300]) < 0.03
    assert list(alike.values())[:5] == sorted(list(alike.values())[:5], reverse=True)
    # Two sites: half of the variance is shared. Another world: nothing is.
    assert np.corrcoef(here, shadows(3, (x, y), cell=1))[0, 1] == pytest.approx(0.5, abs=0.03)
    assert abs(np.corrcoef(here, shadows(4, (x, y)))[0, 1]) < 0.03


def test_fading_without_deviation_is_none():
    assert not one_cell(CLEAR).shadows(0, np.arange(1000), 5).any()


@pytest.fixture(scope="module")
def world():
    return WorldScenario.model_validate(
        {
            "world": "w",
            "about": "x",
            "epoch": "2007-06-04",
            "subscribers": 20_000,
            "network": {"cells": 200, "spacing_m": 600, "city": {}},
        }
    )


@pytest.fixture(scope="module")
def town(world):
    return build_topology(world, Draws(7))


def test_the_strongest_serves(town, world):
    field = topology_field(town, world.network.radio, Draws(7))
    random = np.random.default_rng(1)
    x, y = random.integers(-6000, 6000, (2, 60))
    serving = serving_cells(field, x, y)
    outdoor = np.flatnonzero(town.kind != INDOOR)
    for i in range(len(x)):
        near = (town.x_m - x[i]) ** 2 + (town.y_m - y[i]) ** 2
        if near[town.kind == INDOOR].min() <= 3600:
            continue
        assert serving[i] in outdoor[np.flatnonzero(
            field.levels(outdoor, x[i], y[i]) == field.levels(outdoor, x[i], y[i]).max()
        )]  # fmt: skip
    indoor = np.flatnonzero(town.kind == INDOOR)
    inside = serving_cells(field, town.x_m[indoor] + 2, town.y_m[indoor])
    assert (town.place[inside] == town.place[indoor]).mean() > 0.9


def test_points_of_a_path():
    x, y = path_points([0, 100, 100], [0, 0, 55])
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 100, 55)
    assert len(x) == 1 + 10 + 5


def test_a_ride_goes_to_neighbours_only_and_ends_near_its_target(town, world):
    field = topology_field(town, world.network.radio, Draws(7))
    for target in (40, 90, 120):
        ride = ride_route(field, town, 0, target, hysteresis_db=3.0, time_to_trigger_s=1.0)
        assert ride.metres[0] == 0
        assert (np.diff(ride.metres) > 0).all()
        assert ride.metres[-1] <= ride.length_m
        for before, after, lost in zip(ride.cells[:-1], ride.cells[1:], ride.lost[1:], strict=True):
            assert lost or after in town.neighbours(before)
        assert town.hops[ride.cells[-1], target] <= 2


def test_ping_pong_falls_with_hysteresis_and_handovers_too(town, world):
    met = [
        ride_study(town, world.network.radio, Draws(7), 60, hysteresis_db=margin, time_to_trigger_s=0.0)
        for margin in (0.0, 2.0, 4.0, 8.0, 12.0)
    ]
    assert all(study.km == met[0].km > 100 for study in met)
    shares = [study.ping_pong_share for study in met]
    rates = [study.handovers_per_km for study in met]
    assert shares == sorted(shares, reverse=True)
    assert rates == sorted(rates, reverse=True)
    assert shares[0] > 0.3
    assert shares[3] < shares[0] / 4
    assert shares[-1] < 0.03
    assert 0.3 < rates[2] < 5


def test_waiting_longer_saves_ping_pong_too(town, world):
    shares = [
        ride_study(
            town, world.network.radio, Draws(7), 40, hysteresis_db=2.0, time_to_trigger_s=seconds
        ).ping_pong_share
        for seconds in (0.0, 2.0, 6.0)
    ]
    assert shares[0] > shares[1] > shares[2]


def borders_at(world, **radio):
    keys = world.model_dump() | {"epoch": "2007-06-04"}
    keys["network"]["radio"] = keys["network"]["radio"] | radio
    return build_topology(WorldScenario.model_validate(keys), Draws(7))


def test_border_columns_follow_the_hysteresis(world):
    at = [borders_at(world, hysteresis_db=margin) for margin in (0.0, 4.0, 10.0)]
    for town in at:
        assert (
            len(town.border_q16)
            == len(town.ping_pong_q16)
            == len(town.fails_q16)
            == len(town.neighbour_cells)
        )
        assert town.border_q16.min() >= 1024
        assert town.border_q16.max() <= 64512
        assert town.ping_pong_q16.min() >= 0
        assert town.fails_q16.min() >= 328
        assert max(town.ping_pong_q16.max(), town.fails_q16.max()) <= 65536
    back = [town.ping_pong_q16.mean() for town in at]
    assert back[0] > back[1] > back[2]
    # The later the call goes over, the more often it fails; there and back overlap by the margin.
    assert at[0].border_q16.mean() < at[1].border_q16.mean() < at[2].border_q16.mean()
    assert at[0].fails_q16.mean() <= at[1].fails_q16.mean() <= at[2].fails_q16.mean()
    town = at[2]
    overlap = []
    for cell in np.flatnonzero(town.kind != INDOOR).tolist():
        for other in town.neighbours(cell).tolist():
            if town.kind[other] != INDOOR:
                there, back_again = town.relation(cell, other), town.relation(other, cell)
                overlap.append(int(town.border_q16[there] + town.border_q16[back_again]) / 65536 - 1)
    assert np.mean(overlap) > 0.2
    assert min(overlap) > -0.2
