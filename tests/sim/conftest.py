"""What the tests of the simulator share: templates are made once a session."""

from __future__ import annotations

import pytest

from sim.network.build import Settings, template_library
from sim.network.library import TemplateLibrary


@pytest.fixture(scope="session")
def library() -> TemplateLibrary:
    """Templates of the network with default codes, which every small world of the tests has."""
    return template_library(Settings())
