"""Offices and campuses have the cells and transceivers that those need who are there."""

from __future__ import annotations

import numpy as np
import pytest

from sim.draws import Draws
from sim.network.build import build_network, template_library
from sim.network.capacity import LOAD_2_PCT_CERL, MOST_TRX
from sim.network.city_demand import BUSY_CERL, KINDS, people_at
from sim.network.intents import Identities
from sim.network.topology import build_topology
from sim.run import Inhabitants, build, settings_of
from sim.scenario import load_world

CITY = "scenarios/worlds/city.yaml"
HOUR_US = 3_600_000_000


@pytest.fixture(scope="module")
def world():
    return build(load_world(CITY, {"subscribers": 20_000}), 1)


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_are_expected_as_live_or_work_there(world, kind) -> None:
    cells, people = world.topology.cells_of_kind(kind), world.population
    there = max(np.isin(column[:], cells).sum() for column in (people.home_cell, people.work_cell))
    # Communities and work groups of some hundred are of one segment for the most part: hence the tolerance.
    assert people_at(world.scenario, kind) == pytest.approx(there, rel=0.1)


@pytest.mark.parametrize("subscribers", [5_000, 20_000, 100_000])
def test_every_such_place_carries_its_load_at_two_per_cent(subscribers) -> None:
    scenario = load_world(CITY, {"subscribers": subscribers})
    ground = build_topology(scenario, Draws(3))
    for kind in KINDS:
        cells = ground.cells_of_kind(kind)
        carried = sum(LOAD_2_PCT_CERL[trx - 1] for trx in ground.trx[cells].tolist())
        assert carried >= people_at(scenario, kind) * BUSY_CERL
        assert ground.trx[cells].max() <= MOST_TRX
    assert ground.n == scenario.network.cells


def test_places_that_are_given_keep_their_cells() -> None:
    office = {"name": "tower", "kind": "office", "cells": 2, "x_km": 0.5, "y_km": 0.5}
    scenario = load_world(CITY).model_copy(update={"subscribers": 100_000})
    scenario = type(scenario).model_validate({**scenario.model_dump(mode="json"), "places": [office]})
    ground = build_topology(scenario, Draws(3))
    (tower,) = (place for place in ground.places if place.name == "tower")
    assert len(tower.cells) == 2
    assert len(ground.cells_of_kind("office")) > 6
    assert set(ground.trx[list(tower.cells)].tolist()) == {MOST_TRX}


def test_the_busy_morning_finds_its_channels(world) -> None:
    settings, people = settings_of(world.scenario), world.population
    start_us, end_us = 9 * HOUR_US, 11 * HOUR_US
    network = build_network(
        settings, world.topology, Identities(people.imsi, people.msisdn), Inhabitants(world), world.draws,
        template_library(settings), start_us, end_us, silent=True,
    )  # fmt: skip
    network.settle(end_us)
    found = network.traffic()
    asked, refused = found["tch_asked"].astype(float), found["tch_refused"]
    assert asked.sum() > 15_000
    assert refused.sum() < 0.02 * asked.sum()
    for kind in KINDS:
        cells = world.topology.cells_of_kind(kind)
        assert asked[cells].sum() > 500
        assert refused[cells].sum() < 0.02 * asked[cells].sum()
