"""Campaigns made into tables: steps for the selection, stages for the automata, dwells for the engine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import Role
from marketing.campaigns import AtLeast, BehaviourElement, Campaign, DwellElement, Scene
from marketing.expressions import CATALOGUE, Catalogue, Expression, compile_expression
from marketing.profiles import Places

__all__ = ["LONGEST_US", "STAGE", "STEP", "Dwell", "Program", "compile_program"]

LONGEST_US: Final = 30 * 86400 * 1_000_000
"""How long a pattern without a limit of its own may take."""

STAGE: Final[np.dtype[np.void]] = np.dtype(
    [
        ("match", np.uint32),  # bits of symbols that this stage waits for
        ("guard", np.uint32),  # bits of symbols that end the partial match
        ("absorb", np.uint32),  # bits of the step before where it was at_least: no break of a strict next
        ("need", np.uint16),  # how often
        ("strict", np.uint8),  # 1: next; 0: followed_by
        ("absence", np.uint8),  # 1: a last not_followed_by, which time completes
        ("limit_us", np.int64),  # after the step before; 0 = none
    ]
)
"""One stage of a pattern."""

STEP: Final[np.dtype[np.void]] = np.dtype(
    [
        ("kind", np.uint8),
        ("campaign", np.int32),
        ("element", np.uint8),  # bit of its symbol: 0 = begin, i + 1 = then[i]
        ("role", np.uint8),  # 0 = either
        ("place", np.int32),  # -1 = anywhere
        ("area", np.int32),  # -1 = anywhere
        ("peers", np.int32, 2),  # first and end in the table of numbers
        ("prefixes", np.int32, 2),
        ("condition", np.int32),  # position of its expression; -1 = none
        ("list", np.int32),  # position of the list that the other side must be on; -1 = none
    ]
)
"""One element of a scene and one of its kinds."""

_ROLES: Final = {None: Role.NONE, "caller": Role.CALLER, "callee": Role.CALLEE}


@dataclass(frozen=True, slots=True)
class Dwell:
    """A stay that begins, or is, a scene."""

    campaign: int
    at_least_us: int
    pattern: int
    """The pattern that it begins; -1: it completes the scene."""


@dataclass(slots=True)
class Program:
    """What all scenes come to."""

    steps: NDArray[np.void]
    """STEP, in the order of (kind, campaign, element)."""
    peers: list[bytes]
    prefixes: list[bytes]
    conditions: list[Expression]
    lists: list[str]
    """Lists of other sides: names of imported ones, or CSV files."""
    stages: NDArray[np.void]
    first: NDArray[np.int32]
    within_us: NDArray[np.int64]
    pattern_of: NDArray[np.int32]
    """Campaign -> its pattern; -1 where a single behaviour, or nothing, completes it."""
    campaign_of: NDArray[np.int32]
    """The other way round."""
    names: list[str]
    """Pattern -> campaign's name and a digest of its scene: what a snapshot knows it by."""
    dwells: dict[int, tuple[Dwell, ...]]
    """Place number -> dwells there."""


@dataclass(slots=True)
class _Tables:
    places: Places
    catalogue: Catalogue
    steps: list[tuple[object, ...]] = field(default_factory=list)
    peers: list[bytes] = field(default_factory=list)
    prefixes: list[bytes] = field(default_factory=list)
    conditions: list[Expression] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)

    def add(self, campaign: int, bit: int, element: BehaviourElement) -> None:
        """An element's rows, one a kind."""
        peers = self._span(self.peers, sorted({p.encode("ascii") for p in element.peer}))
        starts = sorted({p.encode("ascii") for p in element.peer_prefix}, key=lambda p: (len(p), p))
        prefixes = self._span(self.prefixes, starts)
        place = self.places.number(element.place) if element.place is not None else -1
        area = element.area if element.area is not None else -1
        condition = -1
        if element.condition is not None:
            condition = len(self.conditions)
            self.conditions.append(compile_expression(element.condition, self.catalogue))
        listed = -1
        if element.peer_list is not None:
            if element.peer_list not in self.lists:
                self.lists.append(element.peer_list)
            listed = self.lists.index(element.peer_list)
        role = int(_ROLES[element.role])
        for kind in element.kinds:
            self.steps.append((kind, campaign, bit, role, place, area, peers, prefixes, condition, listed))

    @staticmethod
    def _span(table: list[bytes], values: list[bytes]) -> tuple[int, int]:
        if not values:
            return (0, 0)
        table += values
        return (len(table) - len(values), len(table))


def compile_program(
    campaigns: Sequence[Campaign], places: Places, catalogue: Catalogue = CATALOGUE
) -> Program:
    """Tables of all scenes, campaigns numbered by their position.

    Raises:
        ValueError: a scene names a place that the cell table lacks.
    """
    tables = _Tables(places, catalogue)
    stages: list[tuple[int, ...]] = []
    first, within, campaign_of, names = [0], list[int](), list[int](), list[str]()
    pattern_of = np.full(len(campaigns), -1, dtype=np.int32)
    dwells: dict[int, list[Dwell]] = {}
    for number, campaign in enumerate(campaigns):
        scene = campaign.scene
        if scene is None:
            continue
        dwell = scene.begin.dwell if isinstance(scene.begin, DwellElement) else None
        for bit, element in _elements(scene):
            tables.add(number, bit, element)
        if scene.then or (not isinstance(scene.begin, DwellElement) and scene.begin.count > 1):
            pattern_of[number] = len(within)
            campaign_of.append(number)
            names.append(_named(campaign.campaign, scene))
            stages += _stages(scene)
            first.append(len(stages))
            within.append(_us(scene.within_s) or LONGEST_US)
        if dwell is not None:
            made = Dwell(number, round(dwell.at_least_s * 1e6), int(pattern_of[number]))
            dwells.setdefault(places.number(dwell.place), []).append(made)
    return Program(
        np.array(sorted(tables.steps, key=lambda s: s[:3]), dtype=STEP),
        tables.peers,
        tables.prefixes,
        tables.conditions,
        tables.lists,
        np.array(stages, dtype=STAGE),
        np.array(first, dtype=np.int32),
        np.array(within, dtype=np.int64),
        pattern_of,
        np.array(campaign_of, dtype=np.int32),
        names,
        {place: tuple(made) for place, made in dwells.items()},
    )


def _elements(scene: Scene) -> list[tuple[int, BehaviourElement]]:
    begin = [] if isinstance(scene.begin, DwellElement) else [(0, scene.begin)]
    return [*begin, *((i + 1, step.element) for i, step in enumerate(scene.then))]


def _stages(scene: Scene) -> list[tuple[int, ...]]:
    begin = scene.begin
    counted = 1 if isinstance(begin, DwellElement) else begin.count
    open_ = not isinstance(begin, DwellElement) and isinstance(begin.times, AtLeast)
    stages: list[tuple[int, ...]] = [(1, 0, 0, counted, 0, 0, 0)]
    before, guard = 1 if open_ else 0, 0
    for i, step in enumerate(scene.then):
        bit = 1 << (i + 1)
        if step.word != "not_followed_by":
            strict = int(step.word == "next")
            stages.append((bit, guard, before, step.count, strict, 0, _us(step.within_s)))
            before, guard = bit if isinstance(step.times, AtLeast) else 0, 0
        elif i == len(scene.then) - 1:
            stages.append((0, bit, 0, 1, 0, 1, _us(step.within_s)))
        else:
            guard = bit
    return stages


def _us(seconds: float | None) -> int:
    return max(1, round(seconds * 1e6)) if seconds is not None else 0


def _named(campaign: str, scene: Scene) -> str:
    digest = hashlib.blake2b(scene.model_dump_json().encode(), digest_size=8).hexdigest()
    return f"{campaign} {digest}"
