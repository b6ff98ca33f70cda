"""How many units of the measured size so many subscribers need, with every assumption in numbers."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field

from marketing.config import ExistingFile, Strict

__all__ = ["Need", "SizingKeys", "Unit", "assumptions", "needs"]

People = Annotated[int, Field(ge=1, le=10_000_000_000)]


class SizingKeys(Strict):
    """What the sizing assumes beside what was measured."""

    subscribers: list[People] = Field(default=[1_000_000, 10_000_000, 30_000_000], min_length=1)
    """Numbers of subscribers to size for."""
    world: ExistingFile
    """World whose working day says how many messages a subscriber has in the busy hour."""
    sample: int = Field(default=4000, ge=100, le=1_000_000)
    """People of it who live that day."""
    peak: float = Field(default=1.3, ge=1, le=20)
    """Busiest seconds of the busy hour over its mean."""
    headroom: float = Field(default=0.3, ge=0, lt=1)
    """Share of the knee that is kept free: for what is not foreseen, and since latency rises before the
    knee."""
    spare_units: int = Field(default=1, ge=0, le=1000)
    """Units on top, so that so many may fail."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What was measured, and is multiplied."""

    knee_per_s: float
    """The highest rate that held, messages a second."""
    breaks_at_per_s: float
    """The lowest that broke."""
    workers: int
    processors: int
    """Of the platform."""
    subscribers: int
    """In the extract of the platform measured."""
    memory_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What so many subscribers need."""

    subscribers: int
    busy_per_s: float
    """Messages a second in the busiest seconds."""
    units: int
    """Without the spare ones; 0 is never said."""
    units_low: int
    """If the true knee lies where the level broke."""
    with_spares: int
    subscribers_each: int
    """Subscribers of one unit, the spares idle."""
    beyond: bool
    """A unit holds more subscribers than were measured: what that costs is not known from here."""

    def as_json(self) -> dict[str, Any]:
        """Plain values for `summary.json`."""
        return asdict(self)


def needs(keys: SizingKeys, unit: Unit, busy_hour_messages: float, most_subscribers: int) -> tuple[Need, ...]:
    """Units for each number of subscribers: peak load over what of the knee is used, rounded up.

    Subscribers are dealt out evenly over units that know nothing of one another, as the A interfaces of
    different
    MSCs are.

    Args:
        keys: Assumptions.
        unit: What was measured.
        busy_hour_messages: Of one subscriber in the busy hour.
        most_subscribers: Largest extract that was measured.

    Raises:
        ValueError: the knee or the load is not above zero.
    """
    if not unit.knee_per_s > 0:
        raise ValueError(
            f"a knee of {unit.knee_per_s} messages/s cannot be multiplied; expected more than none"
        )
    if not busy_hour_messages > 0:
        raise ValueError(f"{busy_hour_messages} messages in the busy hour; expected more than none")
    found = []
    for subscribers in keys.subscribers:
        load = subscribers * busy_hour_messages / 3600 * keys.peak
        units = _units(load, unit.knee_per_s * (1 - keys.headroom))
        breaks = unit.breaks_at_per_s if math.isfinite(unit.breaks_at_per_s) else unit.knee_per_s
        low = _units(load, breaks * (1 - keys.headroom))
        each = math.ceil(subscribers / units)
        found.append(
            Need(subscribers, load, units, low, units + keys.spare_units, each, each > most_subscribers)
        )
    return tuple(found)


def _units(load_per_s: float, each_per_s: float) -> int:
    # A load that fits exactly fits, whatever the last bit says.
    return max(1, math.ceil(round(load_per_s / each_per_s, 9)))


def assumptions(keys: SizingKeys, unit: Unit, busy_hour_messages: float) -> dict[str, Any]:
    """Everything that the numbers hang on, for the page to say in words."""
    return {
        "world": keys.world.stem,
        "sample": keys.sample,
        "busy_hour_messages": round(busy_hour_messages, 3),
        "peak": keys.peak,
        "headroom": keys.headroom,
        "spare_units": keys.spare_units,
        "knee_per_s": round(unit.knee_per_s, 1),
        "breaks_at_per_s": round(unit.breaks_at_per_s, 1) if math.isfinite(unit.breaks_at_per_s) else None,
        "workers": unit.workers,
        "processors": unit.processors,
        "subscribers": unit.subscribers,
        "memory_mib": unit.memory_mib,
    }
