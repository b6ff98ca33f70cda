"""A world ready to live in: scenario, chance, map and people; nothing in it changes afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from sim.draws import Draws
from sim.network.topology import Topology, build_topology
from sim.scenario import WorldScenario
from sim.scenario_errors import Problem, ScenarioError
from sim.subscribers.population import Population, build_population


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Everything that is drawn once. Two worlds of the same scenario and seed are equal column by column."""

    scenario: WorldScenario
    draws: Draws
    topology: Topology
    population: Population

    @property
    def seed(self) -> int:
        """Seed of all its draws."""
        return self.draws.seed

    @property
    def n(self) -> int:
        """Number of subscribers."""
        return self.population.n


def build_world(scenario: WorldScenario, seed: int) -> World:
    """Lays out the network and draws the people. Raises ScenarioError for an event at no place of the map."""
    draws = Draws(seed)
    topology = build_topology(scenario, draws)
    try:
        scenario.check_events({place.name for place in topology.places})
    except ValueError as error:
        key, _, expected = str(error).partition(": ")
        raise ScenarioError([Problem(scenario.world, 0, key, "", f"expected {expected}")]) from None
    return World(scenario, draws, topology, build_population(scenario, topology, draws))
