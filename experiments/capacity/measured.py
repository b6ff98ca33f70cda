"""What a capacity study has measured, before anything is concluded from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from experiments.capacity.knee import Knee
from experiments.capacity.levels import ProbeResult

__all__ = ["Found", "Measured"]


@dataclass(frozen=True, slots=True)
class Found:
    """One configuration: its knee, and the runs below it."""

    workers: int
    subscribers: int
    knee: Knee
    runs: tuple[tuple[float, ProbeResult], ...]
    """(share of the knee, what came of it)."""


@dataclass(slots=True)
class Measured:
    """All that was measured, as far as it got."""

    found: list[Found] = field(default_factory=list)
    rounds: list[dict[int, float]] = field(default_factory=list)
    """Closed probes: worker count -> messages a second, a round each."""
    growth: dict[str, list[tuple[float, ProbeResult]]] = field(default_factory=dict)
    """Axis -> (value, what came of a run there)."""
    growth_rate_per_s: float = 0.0
    busy_hour_messages: float | None = None
    """Of one subscriber of the world that is sized for."""
