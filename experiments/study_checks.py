"""Checks that kinds of studies share: what a study says of a world, of its campaigns and by name.

Whatever is wrong is said of the study's own file: its line, the key, what it says and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any

from experiments.problems import relative
from experiments.study import Eligible, LoadedStudy
from experiments.validate import problems_of
from marketing.config import KeyPath, read_yaml, shorten, suggest
from marketing.config_files import parse_value
from marketing.contact import PolicyFile
from sim.scenario_errors import COMMAND_LINE, ScenarioError

__all__ = [
    "campaign_problems",
    "column_problems",
    "name_problems",
    "quiet_problems",
    "said_of",
    "world_problems",
]


def said_of(loaded: LoadedStudy, path: KeyPath, expected: str, suggestion: str = "") -> str:
    """The line about one key of the study, with what stands there, in its file or on the command line."""
    document = read_yaml(loaded.path)
    problem = document.problem(path, _there(document.values, path), expected, suggestion)
    dotted = ".".join(str(part) for part in path)
    for setting in reversed(loaded.overrides):
        name, _, text = setting.partition("=")
        if f"{dotted}.".startswith(f"{name}."):
            shown = shorten(_there(parse_value(text), path[len(name.split(".")) :]))
            return str(replace(problem, file="--set", line=0, value=shown))
    return str(problem)


def _there(value: Any, path: KeyPath) -> Any:
    """What stands at a path; empty where nothing does."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return ""
    return value


def world_problems(
    loaded: LoadedStudy, world: Path, settings: Mapping[str, Any], key: KeyPath = ("world_settings",)
) -> list[str]:
    """What is wrong with a world file, and with the settings that the study lays over it under `key`."""
    from sim.scenario import load_world

    try:
        load_world(world, settings)
    except ScenarioError as error:
        return [
            said_of(loaded, (*key, problem.key), problem.expected, problem.suggestion)
            if problem.file == COMMAND_LINE
            else str(problem)
            for problem in error.problems
        ]
    return []


def campaign_problems(
    campaigns: Sequence[Path], policy: Path, world: Path, settings: Mapping[str, Any] | None = None
) -> list[str]:
    """Campaigns against each other, against the policy's senders and against the places of the world."""
    from marketing.campaigns import load_all
    from marketing.contact import load_policy
    from sim.network.topology import place_names
    from sim.scenario import load_world

    def check() -> None:
        places = place_names(load_world(world, settings))
        load_all(campaigns, originators=load_policy(policy).marketing_originators, places=places)

    return problems_of(check)


def name_problems(
    loaded: LoadedStudy, named: Iterable[tuple[KeyPath, str]], known: Iterable[str], what: str
) -> list[str]:
    """Names that a study says something of, though no campaign of it has them: (where, name) pairs."""
    there = sorted(known)
    return [
        said_of(
            loaded,
            where,
            f"expected {what} of the study's campaigns: {', '.join(there)}",
            suggest(name, there),
        )
        for where, name in named
        if name not in there
    ]


def column_problems(loaded: LoadedStudy, eligible: Eligible) -> list[str]:
    """Columns of the extract that say who is eligible, and that there are not."""
    from experiments.inputs import EXTRACT_COLUMNS

    columns = ", ".join(EXTRACT_COLUMNS)
    return [
        said_of(
            loaded,
            ("eligible", "where", name),
            f"no such column of the extract; known are: {columns}",
            suggest(name, [*EXTRACT_COLUMNS]),
        )
        for name in eligible.where
        if name not in EXTRACT_COLUMNS
    ]


def quiet_problems(loaded: LoadedStudy, key: KeyPath, said: str, policy: PolicyFile, file: Path) -> list[str]:
    """A group-sending in quiet hours would reach nobody, and the comparison would be between unlike arms."""
    quiet = policy.quiet_hours
    if quiet is None:
        return []
    at = time.fromisoformat(said)
    inside = quiet.start <= at or at < quiet.end if quiet.start > quiet.end else quiet.start <= at < quiet.end
    if not inside:
        return []
    hours = f"{quiet.start:%H:%M} to {quiet.end:%H:%M}"
    return [said_of(loaded, key, f"expected a time outside the quiet hours of {relative(file)}, {hours}")]
