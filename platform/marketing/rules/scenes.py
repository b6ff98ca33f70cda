"""Scenes as vectorised masks, grouped by behaviour kind: a row meets only scenes of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marketing.behaviours import BehaviourBatch, Role
from marketing.campaigns import BehaviourElement, Campaign, DwellElement
from marketing.profiles import Places, Profiles

__all__ = ["Completions", "Dwell", "Rules"]

ROLES: Final = {"caller": Role.CALLER, "callee": Role.CALLEE}


@dataclass(frozen=True, slots=True)
class Completions:
    """Complete scenes, one a position."""

    t_us: NDArray[np.int64]
    row: NDArray[np.int64]
    campaign: NDArray[np.int64]
    index: NDArray[np.int64]
    """Position in the wave; -1 = by the passing of time."""
    since_us: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.t_us)


def none() -> Completions:
    nothing = np.zeros(0, np.int64)
    return Completions(nothing, nothing, nothing, nothing, nothing)


@dataclass(frozen=True, slots=True)
class Moment:
    """A behaviour scene, compiled."""

    campaign: int
    audience: NDArray[np.bool_] | None
    role: int
    peers: NDArray[np.bytes_] | None
    place: int

    def passing(
        self, batch: BehaviourBatch, rows: NDArray[np.int64], index: NDArray[np.int64], places: Places
    ) -> NDArray[np.int64]:
        if self.role:
            index = index[batch["role"][index] == self.role]
        if self.audience is not None:
            index = index[self.audience[rows[index]]]
        if self.peers is not None and len(index):
            index = index[np.isin(batch["peer"][index], self.peers)]
        if self.place >= 0 and len(index):
            index = index[places.of(batch["lac"][index], batch["ci"][index]) == self.place]
        return index


@dataclass(frozen=True, slots=True)
class Dwell:
    """A dwell scene, compiled."""

    campaign: int
    audience: NDArray[np.bool_] | None
    at_least_us: int


class Rules:
    """All scenes of the running campaigns."""

    def __init__(self, moments: Any, dwells: Any, profiles: Profiles, places: Places, campaigns: Any) -> None:
        self.moments, self.dwells, self.profiles, self.places = moments, dwells, profiles, places
        self.campaigns = campaigns
        self.reads: frozenset[str] = frozenset()

    @classmethod
    def compile(
        cls, campaigns: Sequence[Campaign], profiles: Profiles, places: Places, **_: Any
    ) -> Rules:
        moments: dict[int, list[Moment]] = {}
        dwells: dict[int, list[Dwell]] = {}
        for number, campaign in enumerate(campaigns):
            begin = campaign.scene.begin if campaign.scene else None
            audience = _audience(campaign, profiles)
            if isinstance(begin, DwellElement):
                dwell = Dwell(number, audience, round(begin.dwell.at_least_s * 1e6))
                dwells.setdefault(places.number(begin.dwell.place), []).append(dwell)
            elif isinstance(begin, BehaviourElement):
                for kind in begin.kinds:
                    moments.setdefault(kind, []).append(_moment(number, begin, audience, places))
        return cls(moments, dwells, profiles, places, campaigns)

    def fire(self, rows: NDArray[np.int64], t_us: NDArray[np.int64]) -> Completions:
        return none()

    def due(self, until_us: int) -> Completions:
        return none()

    def next_due_us(self) -> int | None:
        return None

    def dwelt(self, dwell: Dwell, row: int, since_us: int, at_us: int) -> Completions:
        if dwell.audience is not None and not dwell.audience[row]:
            return none()
        one = [np.array([v], np.int64) for v in (at_us, row, dwell.campaign, -1, since_us)]
        return Completions(*one)

    def snapshot(self) -> Any:
        return {}

    def restore(self, state: Any) -> None:
        pass

    def switch(self, profiles: Profiles) -> None:
        self.__init__(*(lambda r: (r.moments, r.dwells, profiles, self.places, self.campaigns))(Rules.compile(self.campaigns, profiles, self.places)))

    def members(self, number: int) -> NDArray[np.bool_]:
        audience = _audience(self.campaigns[number], self.profiles)
        return np.ones(len(self.profiles), np.bool_) if audience is None else audience

    def values(self, number: int, row: int, at_us: int, event: Any) -> dict[str, object]:
        return {}

    def match(self, batch: BehaviourBatch, rows: NDArray[np.int64]) -> Completions:
        found: list[tuple[int, NDArray[np.int64]]] = []
        kinds = batch["kind"]
        for kind, moments in self.moments.items():
            index = np.flatnonzero(kinds == kind)
            if not len(index):
                continue
            for moment in moments:
                passing = moment.passing(batch, rows, index, self.places)
                if len(passing):
                    found.append((moment.campaign, passing))
        if not found:
            return none()
        index = np.concatenate([p for _, p in found])
        campaign = np.concatenate([np.full(len(p), c) for c, p in found])
        t_us = batch["t_us"][index]
        return Completions(t_us, rows[index], campaign, index, t_us)


def _moment(
    number: int, begin: BehaviourElement, audience: NDArray[np.bool_] | None, places: Places
) -> Moment:
    peers = np.array([p.encode("ascii") for p in begin.peer], dtype="S20") if begin.peer else None
    role = int(ROLES[begin.role]) if begin.role else 0
    return Moment(number, audience, role, peers, places.number(begin.place) if begin.place else -1)


def _audience(campaign: Campaign, profiles: Profiles) -> NDArray[np.bool_] | None:
    masks = [profiles.mask(column, value) for column, value in campaign.audience.items()]
    return np.logical_and.reduce(masks) if masks else None
