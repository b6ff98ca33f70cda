"""World files as commands take them: opened, with single keys set, and moments of their days."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from experiments.problems import BadInput
from sim.scenario import WorldScenario, load_world
from sim.scenario_errors import ScenarioError, parse_value

__all__ = ["of_day_us", "opened_world"]

_MINUTE_US: Final = 60_000_000


def opened_world(path: Path, settings: Sequence[str] = ()) -> WorldScenario:
    """The world of a file, with `path=value` settings laid over it. Raises BadInput."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file; worlds are in scenarios/worlds/ of the repository")
    try:
        return load_world(path, _overrides(settings))
    except ScenarioError as error:
        # Imported here: it knows every kind of file, which costs time.
        from experiments.validate import bad_file

        raise bad_file(path, "world", error.problems) from None


def of_day_us(text: str) -> int:
    """HH:MM as microseconds since midnight. Raises BadInput."""
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60):
        raise BadInput(f"--start {text}: a time of day as HH:MM is wanted, 00:00 to 23:59")
    return (int(hours) * 60 + int(minutes)) * _MINUTE_US


def _overrides(settings: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise BadInput(f"--set {setting}: expected path=value, such as network.cells=200")
        found[name] = parse_value(text)
    return found
