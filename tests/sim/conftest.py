"""What the tests of the simulator share: templates, made once a session; a sink that keeps what it gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.network.build import Settings, template_library
from sim.network.library import TemplateLibrary
from sim.sinks import Nothing


@pytest.fixture(scope="session")
def library() -> TemplateLibrary:
    """Templates of the network with default codes, which every small world of the tests has."""
    return template_library(Settings())


class Desk(Nothing):
    """A sink that keeps what handsets and people did."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Any]] = {"parts": [], "contacts": [], "responses": [], "visible": []}

    def visible(self, rows: Any) -> None:
        self.seen["visible"] += rows.tolist()

    def parts(self, rows: Any) -> None:
        self.seen["parts"] += rows

    def contacts(self, rows: Any) -> None:
        self.seen["contacts"] += rows

    def responses(self, rows: Any) -> None:
        self.seen["responses"] += rows


@pytest.fixture(scope="session")
def new_desk() -> Callable[[], Desk]:
    return Desk
