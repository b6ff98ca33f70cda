"""Scenes as vectorised masks, grouped by behaviour kind: a row meets only scenes of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import CODES, BehaviourBatch, Role
from marketing.campaigns import BehaviourElement, Campaign, DwellElement
from marketing.profiles import Places, Profiles

__all__ = ["Dwell", "Rules"]

ROLES: Final = {"caller": Role.CALLER, "callee": Role.CALLEE}


@dataclass(frozen=True, slots=True)
class Moment:
    """A behaviour scene, compiled."""

    campaign: int
    audience: NDArray[np.bool_] | None
    """Per subscriber row; None = everybody."""
    role: int
    """0 = either."""
    peers: NDArray[np.bytes_] | None
    place: int
    """Place number; -1 = anywhere."""

    def passing(
        self, batch: BehaviourBatch, rows: NDArray[np.int64], index: NDArray[np.int64], places: Places
    ) -> NDArray[np.int64]:
        """Of the positions in `index`, those where the scene holds; the cheapest test first."""
        if self.role:
            index = index[batch["role"][index] == self.role]
        if self.audience is not None:
            index = index[self.audience[rows[index]]]
        if self.peers is not None and len(index):
            index = index[_among(batch["peer"][index], self.peers)]
        if self.place >= 0 and len(index):
            index = index[places.of(batch["lac"][index], batch["ci"][index]) == self.place]
        return index


@dataclass(frozen=True, slots=True)
class Dwell:
    """A dwell scene, compiled."""

    campaign: int
    audience: NDArray[np.bool_] | None
    at_least_us: int


@dataclass(frozen=True, slots=True)
class Rules:
    """All scenes of the running campaigns."""

    moments: dict[int, tuple[Moment, ...]]
    """Behaviour kind -> scenes that begin with it."""
    dwells: dict[int, tuple[Dwell, ...]]
    """Place number -> dwell scenes there."""

    @classmethod
    def compile(cls, campaigns: Sequence[Campaign], profiles: Profiles, places: Places) -> Rules:
        """Numbers campaigns by their position.

        Raises:
            ValueError: a scene names a place that the cell table lacks.
        """
        moments: dict[int, list[Moment]] = {}
        dwells: dict[int, list[Dwell]] = {}
        for number, campaign in enumerate(campaigns):
            begin = campaign.scene.begin if campaign.scene else None
            audience = _audience(campaign, profiles)
            if isinstance(begin, DwellElement):
                dwell = Dwell(number, audience, round(begin.dwell.at_least_s * 1e6))
                dwells.setdefault(places.number(begin.dwell.place), []).append(dwell)
            elif isinstance(begin, BehaviourElement):
                moments.setdefault(CODES[begin.behaviour], []).append(
                    _moment(number, begin, audience, places)
                )
        return cls({k: tuple(m) for k, m in moments.items()}, {p: tuple(d) for p, d in dwells.items()})

    def shortest_dwell_us(self) -> int | None:
        """No timer set by a batch falls due sooner than this after its message."""
        return min((d.at_least_us for scenes in self.dwells.values() for d in scenes), default=None)

    def match(
        self, batch: BehaviourBatch, rows: NDArray[np.int64], places: Places
    ) -> list[tuple[int, NDArray[np.int64]]]:
        """Campaign number and positions in the batch where its scene is complete."""
        found: list[tuple[int, NDArray[np.int64]]] = []
        if not self.moments:
            return found
        kinds = batch["kind"]
        for kind, moments in self.moments.items():
            index = np.flatnonzero(kinds == kind)
            if not len(index):
                continue
            for moment in moments:
                passing = moment.passing(batch, rows, index, places)
                if len(passing):
                    found.append((moment.campaign, passing))
        return found


def _among(values: NDArray[np.bytes_], wanted: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    if len(wanted) > 8:
        return np.isin(values, wanted)
    found: NDArray[np.bool_] = values == wanted[0]
    for value in wanted[1:]:
        found |= values == value
    return found


def _moment(
    number: int, begin: BehaviourElement, audience: NDArray[np.bool_] | None, places: Places
) -> Moment:
    peers = np.array([p.encode("ascii") for p in begin.peer], dtype="S20") if begin.peer else None
    role = int(ROLES[begin.role]) if begin.role else 0
    return Moment(number, audience, role, peers, places.number(begin.place) if begin.place else -1)


def _audience(campaign: Campaign, profiles: Profiles) -> NDArray[np.bool_] | None:
    masks = [profiles.mask(column, value) for column, value in campaign.audience.items()]
    return np.logical_and.reduce(masks) if masks else None
