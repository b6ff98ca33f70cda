"""What all arms of one comparison share: the world, what BOSS knows, who is on which list, who is counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.inputs import ListDraw, draw_lists, eligible_set
from experiments.uplift.specs import ArmSpec
from sim.network.build import template_library
from sim.network.library import TemplateLibrary
from sim.run import build, settings_of
from sim.scenario import DAY_US, WorldScenario, load_world
from sim.subscribers.response import ResponseModel
from sim.world import World

__all__ = ["Setting", "setting_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """A world before its first day."""

    world: World
    extract: Mapping[str, Sequence[Any]]
    """Columns of everybody in the world, as BOSS has them."""
    drawn: ListDraw
    eligible: NDArray[np.int64]
    library: TemplateLibrary
    """Templates of messages, shared by all runs of one network."""

    @property
    def scenario(self) -> WorldScenario:
        return self.world.scenario

    def start_us(self, spec: ArmSpec) -> int:
        """World time at which campaigns begin."""
        return (spec.campaigns_from_day - 1) * DAY_US

    def valid_from(self, spec: ArmSpec) -> date | None:
        """The local day at which they begin; None: from the first on."""
        if spec.campaigns_from_day == 1:
            return None
        return self.scenario.epoch + timedelta(days=spec.campaigns_from_day - 1)

    def open_days(self, treated: NDArray[np.bool_]) -> Iterator[tuple[date, date, str]]:
        """Spans of local days on which contacts are made: of a mask by day, or by day and subscriber."""
        first, msisdn = self.scenario.epoch, self.extract["msisdn"]
        columns: Iterable[tuple[str, NDArray[np.bool_]]]
        columns = [("", treated)] if treated.ndim == 1 else zip(msisdn, treated.T, strict=True)
        for number, column in columns:
            turns = np.flatnonzero(np.diff(np.concatenate(([0], column.astype(np.int8), [0]))))
            for begin, end in turns.reshape(-1, 2).tolist():
                yield first + timedelta(days=begin), first + timedelta(days=end - 1), number

    def model(self, spec: ArmSpec) -> ResponseModel:
        """How people respond."""
        return ResponseModel(self.world, spec.offers)


def setting_of(spec: ArmSpec) -> Setting:
    """The setting of an arm; the latest two are kept, since the arms of a replicate come one after another.

    Raises:
        ScenarioError: the world file.
        ValueError: masks of another number of subscribers.
    """
    settings = json.dumps(dict(spec.world_settings), sort_keys=True)
    keys = spec.lists.model_dump_json(), spec.eligible.model_dump_json()
    found = _setting(spec.world, settings, spec.seed, *keys)
    n = found.world.n
    for name in ("treated", "treated_by_day"):
        mask = getattr(spec, name)
        if mask is not None and (mask.ndim == 2 or name == "treated") and mask.shape[-1] != n:
            raise ValueError(f"{name}: shape {mask.shape}, the world has {n} subscribers")
    return found


@lru_cache(maxsize=2)
def _setting(path: Path, settings: str, seed: int, lists: str, eligible: str) -> Setting:
    from experiments.study import Eligible, Lists

    world = build(_scenario(path, settings), seed)
    extract = world.population.extract()
    drawn = draw_lists(Lists.model_validate_json(lists), world.draws, world.n)
    members = eligible_set(Eligible.model_validate_json(eligible), extract, drawn)
    return Setting(world, extract, drawn, members, _library(path, settings))


@lru_cache(maxsize=4)
def _scenario(path: Path, settings: str) -> WorldScenario:
    return load_world(path, json.loads(settings))


@lru_cache(maxsize=4)
def _library(path: Path, settings: str) -> TemplateLibrary:
    return template_library(settings_of(_scenario(path, settings)))
