"""Events: as many people as asked for, a surge before and one after, from near by where that is said."""

from pathlib import Path

import numpy as np
import pytest

from sim.scenario import DAY_US, WorldScenario, load_world
from sim.scenario_errors import ScenarioError
from sim.subscribers.diary import state_at, trips
from sim.world import build_world

TOWN = Path(__file__).parents[3] / "scenarios" / "worlds" / "town.yaml"
HOUR_US = 3_600_000_000
CONCERT = {
    "name": "stars",
    "place": "scenic-spot",
    "day": 3,
    "opens_h": 19.5,
    "closes_h": 22,
    "visitors": 1500,
}
FAIR = {
    "name": "fair", "kind": "exhibition", "place": "station", "day": 6, "opens_h": 9, "closes_h": 17,
    "visitors": 900, "within_km": 2.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def world():
    return build_world(load_world(TOWN, {"subscribers": 12_000, "events": [CONCERT, FAIR]}), 4)


@pytest.fixture(scope="module")
def calm():
    """The same people without events."""
    return build_world(load_world(TOWN, {"subscribers": 12_000}), 4)


def present(world, day, hour, place):
    cells = next(p.cells for p in world.topology.places if p.name == place)
    cell, _ = state_at(world, day * DAY_US + round(hour * HOUR_US))
    return np.flatnonzero(np.isin(cell, cells))


def more(world, calm, day, hour, place):
    """Who is there for the event."""
    return np.setdiff1d(present(world, day, hour, place), present(calm, day, hour, place))


def test_a_concert_fills_and_empties_its_place(world, calm):
    counts = {h: len(more(world, calm, 2, h, "scenic-spot")) for h in (18.5, 19.2, 19.6, 21, 22, 22.6)}
    assert counts[21] == pytest.approx(1500 * 0.93, rel=0.08)  # the rest are away, or see somebody off
    assert counts[18.5] < 0.02 * counts[21]
    assert counts[19.2] < 0.7 * counts[21]
    assert counts[19.6] > 0.9 * counts[21]
    assert counts[22.6] < 0.05 * counts[21]
    there = next(p.cells for p in world.topology.places if p.name == "scenic-spot")
    made = trips(world, 2 * DAY_US, 3 * DAY_US)
    home = np.isin(made.from_cell, there) & (made.leave_us > 2 * DAY_US + 22 * HOUR_US)
    assert home.sum() > 1200
    assert (made.leave_us[home] < 2 * DAY_US + 22.3 * HOUR_US).mean() > 0.97  # others have their own plans


def test_an_exhibition_draws_neighbours_all_day(world, calm):
    ground, home = world.topology, world.population.home_cell
    cell = next(p.cells[0] for p in ground.places if p.name == "station")
    km = np.hypot(ground.x_m - ground.x_m[cell], ground.y_m - ground.y_m[cell]) / 1000
    noon = more(world, calm, 5, 12, "station")
    assert len(noon) > 100
    assert (km[home[noon]] <= 2.0).all()
    assert len(more(world, calm, 5, 10, "station")) > 60
    assert len(more(world, calm, 5, 17.5, "station")) < 10
    came = set()
    for hour in np.arange(9, 17.1, 0.25):
        came |= set(more(world, calm, 5, hour, "station").tolist())
    assert len(came) == pytest.approx(900 * 0.93, rel=0.1)


def test_who_comes_does_not_depend_on_who_else_is_asked_about(world):
    whole = trips(world, 2 * DAY_US, 3 * DAY_US)
    some = trips(world, 2 * DAY_US, 3 * DAY_US, slice(500, 900))
    mine = (whole.sub >= 500) & (whole.sub < 900)
    assert np.array_equal(whole.leave_us[mine], some.leave_us)
    assert np.array_equal(whole.to_cell[mine], some.to_cell)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"place": "opera"}, "opera of stars"),
        ({"closes_h": 19.6}, "half an hour"),
        ({"kind": "fight"}, "concert"),
        ({"visitors": 0}, "visitors"),
    ],
)
def test_wrong_events_are_said(change, said):
    with pytest.raises(ScenarioError, match=said):
        load_world(TOWN, {"events": [{**CONCERT, **change}]})


def test_an_event_at_no_place_of_a_drawn_map_is_said():
    scenario = load_world(TOWN).model_dump(exclude={"places", "network"})
    network = {"cells": 100, "city": {"towns": [{"name": "a"}]}}
    world = WorldScenario.model_validate({**scenario, "network": network, "events": [CONCERT]})
    with pytest.raises(ScenarioError, match="scenic-spot of stars"):
        build_world(world, 1)
