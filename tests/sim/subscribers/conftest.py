from pathlib import Path

import pytest

from sim.scenario import load_world
from sim.world import build_world

WORLDS = Path(__file__).parents[3] / "scenarios" / "worlds"


@pytest.fixture(scope="session")
def town():
    """The world of the demo."""
    return build_world(load_world(WORLDS / "town.yaml"), 7)


@pytest.fixture(scope="session")
def crowd():
    """The town with 20,000 people, for rates."""
    return build_world(load_world(WORLDS / "town.yaml", {"subscribers": 20_000}), 11)
