"""Who was where, hour by hour: in the cell that serves, on the way too, and customers alone."""

from pathlib import Path

import numpy as np
import pytest

from experiments.realism.moves import moved, serving
from experiments.realism.tables import HOUR_US
from sim.network.intents import DAY_US
from sim.network.resting import cells_at_rest
from sim.run import Inhabitants, build
from sim.scenario import load_world
from sim.subscribers.walk import stages

TOWN = Path(__file__).parents[2] / "scenarios" / "worlds" / "town.yaml"


@pytest.fixture(scope="module")
def world():
    settings = {"subscribers": 400, "changes.new_per_month": 0.08, "changes.churn_per_month": 0.08}
    return build(load_world(TOWN, settings), 5)


def test_hours_are_those_of_the_state_at_their_middle(world):
    people = Inhabitants(world)
    trips = people.trips(0, 2 * DAY_US)
    home = world.population.home_cell[:].astype(np.int32)
    times = np.arange(48) * HOUR_US + HOUR_US // 2
    everybody = np.arange(world.n)
    found = serving(world, trips, home, everybody, times)
    steps = stages(world.topology, trips)
    on_the_way = elsewhere = 0
    for hour, t_us in enumerate(times.tolist()):
        cell, _ = people.state_at(t_us)
        here = np.flatnonzero(cell >= 0)
        riding = np.zeros(world.n, bool)
        past = steps.t_us <= t_us
        riding[steps.sub[past]] = steps.riding[past]  # in order of time: the last one stays
        rests = cells_at_rest(world.topology.rest, world.draws, here, cell[here], hour)
        assert np.array_equal(found[here, hour], np.where(riding[here], cell[here], rests))
        on_the_way += np.count_nonzero(riding)
        elsewhere += np.count_nonzero(~riding[here] & (rests != cell[here]))
    assert on_the_way > 5
    assert elsewhere > 0.1 * 48 * world.n


def test_only_customers_of_the_whole_time_are_there_and_they_are_whole(world):
    days, people = 28, Inhabitants(world)
    found = moved(world, people, days)
    everybody = np.arange(world.n)
    population = world.population
    mine = population.active_on(0, everybody) & population.active_on(days - 1, everybody)
    mine &= np.asarray(population.origin[:]) == 0
    who = np.flatnonzero(mine)
    assert 0 < found.n == len(who) < world.n
    assert found.hourly.shape == (found.n, days * 24)
    all_trips = people.trips(0, days * DAY_US)
    rows = mine[all_trips.sub]
    assert np.array_equal(who[found.trips.sub], all_trips.sub[rows])
    assert np.array_equal(found.trips.leave_us, all_trips.leave_us[rows])
    assert np.array_equal(np.unique(found.stays.sub), np.arange(found.n))
    # Nobody is everywhere at once: stays of one person do not overlap.
    same = found.stays.sub[1:] == found.stays.sub[:-1]
    assert (found.stays.start_us[1:] >= found.stays.end_us[:-1])[same].all()
