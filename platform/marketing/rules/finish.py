"""What must hold when a scene is complete: days, hours, places, handset, condition, moving audience."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketing.campaigns import Campaign
from marketing.expressions import (
    AnyColumn,
    Catalogue,
    Expression,
    Words,
    compile_expression,
    split_expression,
)
from marketing.profiles import Places
from marketing.rules.local_time import LocalTime

__all__ = ["Finish", "static_audience"]

Get = Callable[[str], AnyColumn]


def static_audience(campaign: Campaign, catalogue: Catalogue) -> Expression | None:
    """The part of an audience that changes with imports only; None: no such part."""
    return split_expression(campaign.expression, catalogue)[0] if campaign.expression else None


@dataclass(frozen=True, slots=True)
class Finish:
    """One campaign's conditions; the cheapest are asked first."""

    valid_us: tuple[int, int]
    spans: tuple[tuple[int, int], ...]
    """Minutes of the local day; empty: any."""
    weekdays: NDArray[np.bool_] | None
    place_names: frozenset[str]
    areas: NDArray[np.int64]
    conditions: tuple[Expression, ...]
    by_time: bool
    """Completed by the passing of time: where is where the subscriber is, not where a behaviour was."""

    @classmethod
    def of(cls, campaign: Campaign, places: Places, zone: str, catalogue: Catalogue) -> Finish:
        """Compiles what stands in a campaign file.

        Raises:
            ValueError: a place that the cell table lacks.
        """
        scene = campaign.scene
        when = scene.when if scene is not None else None
        where = scene.where if scene is not None else None
        for name in where.places if where is not None else ():
            places.number(name)
        weekdays = None
        if when is not None and when.days:
            weekdays = np.zeros(7, dtype=np.bool_)
            weekdays[list(when.weekdays)] = True
        moving = split_expression(campaign.expression, catalogue)[1] if campaign.expression else None
        texts = (scene.terminal, scene.condition) if scene is not None else ()
        asked = (moving, *(compile_expression(text, catalogue) for text in texts if text is not None))
        return cls(
            campaign.valid_us(zone),
            when.spans if when is not None else (),
            weekdays,
            frozenset(where.places if where is not None else ()),
            np.array(sorted(where.areas) if where is not None else [], dtype=np.int64),
            tuple(one for one in asked if one is not None),
            scene is not None and scene.ends_by_timer,
        )

    @property
    def asks(self) -> bool:
        """Whether anything but the valid days must hold."""
        return bool(
            self.spans or self.weekdays is not None or self.place_names or len(self.areas) or self.conditions
        )

    @property
    def reads(self) -> frozenset[str]:
        """Names of all features asked for."""
        names = frozenset().union(*(condition.reads for condition in self.conditions))
        group = "now" if self.by_time else "event"
        if self.place_names:
            names |= {f"{group}.place"}
        return names | {f"{group}.area"} if len(self.areas) else names

    def passing(self, at_us: NDArray[np.int64], get: Get, local: LocalTime) -> NDArray[np.bool_]:
        """Which of some completions count; `get` gives a column by name for all of them."""
        start_us, end_us = self.valid_us
        passing: NDArray[np.bool_] = (at_us >= start_us) & (at_us < end_us)
        if self.spans:
            minute = local.minute(at_us)
            passing &= np.logical_or.reduce([(minute >= a) & (minute < b) for a, b in self.spans])
        if self.weekdays is not None:
            passing &= self.weekdays[local.weekday(at_us)]
        if self.place_names or len(self.areas):
            passing &= self._somewhere(get, len(at_us))
        for condition in self.conditions:
            if not passing.any():
                break
            passing &= condition.holds(get, len(at_us))
        return passing

    def _somewhere(self, get: Get, count: int) -> NDArray[np.bool_]:
        group = "now" if self.by_time else "event"
        found = np.zeros(count, dtype=np.bool_)
        if self.place_names:
            place = get(f"{group}.place")
            assert isinstance(place, Words)
            there = np.array([name in self.place_names for name in place.words], dtype=np.bool_)[place.codes]
            found |= there if place.known is None else there & place.known
        if len(self.areas):
            area = get(f"{group}.area")
            assert not isinstance(area, Words)
            values = getattr(area, "values")  # noqa: B009 - int by the catalogue
            there = np.isin(values, self.areas)
            found |= there if area.known is None else there & area.known
        return found
