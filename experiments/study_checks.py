"""Checks that kinds of studies share: what a study says of a world, of its campaigns and of their offers.

Whatever is wrong is said of the study's own file: its line, the key, what it says and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any, Protocol

from experiments.problems import relative
from experiments.study import LoadedStudy
from experiments.validate import problems_of
from marketing.config import KeyPath, read_yaml, shorten, suggest
from marketing.contact import PolicyFile
from sim.scenario_errors import COMMAND_LINE, ScenarioError, parse_value
from sim.subscribers.offers import STANDARD_OFFERS

__all__ = [
    "campaign_problems",
    "name_problems",
    "offer_problems",
    "quiet_problems",
    "said_of",
    "world_problems",
]


class HasOffers(Protocol):
    """Keys of a study that says how people respond."""

    @property
    def campaigns(self) -> Sequence[Path]: ...
    @property
    def offers(self) -> Sequence[Any]: ...


def said_of(loaded: LoadedStudy, path: KeyPath, expected: str, suggestion: str = "") -> str:
    """The line about one key of the study, with what stands there, in its file or on the command line."""
    document = read_yaml(loaded.path)
    value: Any = document.values
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            value = ""
            break
    problem = document.problem(path, value, expected, suggestion)
    dotted = ".".join(str(part) for part in path)
    for setting in reversed(loaded.overrides):
        name, _, text = setting.partition("=")
        if f"{dotted}.".startswith(f"{name}."):
            shown = shorten(parse_value(text)) if name == dotted else ""
            return str(replace(problem, file="--set", line=0, value=shown))
    return str(problem)


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


def offer_problems(loaded: LoadedStudy, keys: HasOffers) -> list[str]:
    """Offers of campaigns of which nobody says how people respond, and answers to offers of no campaign.

    An entry for a misspelt offer would be passed over, and people would respond as they usually do.
    """
    from marketing.campaigns import load

    said = [offer.name for offer in keys.offers]
    wanted = {load(path).offer: path for path in reversed(keys.campaigns)}
    known = {*said, *STANDARD_OFFERS}
    problems = [
        said_of(loaded, ("offers",), f"no entry for the offer {offer!r} of {relative(path)}")
        for offer, path in reversed(wanted.items())
        if offer and offer not in known
    ]
    for number, name in enumerate(said):
        where: KeyPath = ("offers", number, "name")
        if name in said[:number]:
            problems.append(said_of(loaded, where, "expected each offer once"))
    return problems + name_problems(
        loaded, ((("offers", i, "name"), name) for i, name in enumerate(said)), wanted, "an offer"
    )


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
