"""The service level: what a rate must keep to count as carried, and what a probe says of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from marketing.config import Strict

__all__ = ["PERCENTILES", "Percentile", "Probe", "ProbeResult", "ServiceLevel", "Verdict", "least_triggers"]

Percentile = Literal["p50", "p90", "p95", "p99", "p99.9"]
PERCENTILES: Final[Mapping[Percentile, float]] = {
    "p50": 0.5,
    "p90": 0.9,
    "p95": 0.95,
    "p99": 0.99,
    "p99.9": 0.999,
}
"""Name -> share of triggers that took at most so long."""
BEYOND: Final = 10
"""A percentile is said of so many triggers that at least this many lie beyond it."""


def least_triggers(percentile: Percentile) -> int:
    """Fewest triggers of which that percentile is said: 1,000 for p99, 10,000 for p99.9."""
    return math.ceil(round(BEYOND / (1 - PERCENTILES[percentile]), 6))


class ServiceLevel(Strict):
    """What must hold at a rate for it to count as carried."""

    percentile: Percentile = "p99"
    """The percentile of trigger latency that is bound; refused of fewer than ten triggers beyond it."""
    latency_ms: float = Field(default=100.0, gt=0, le=60_000)
    """The bound: from the planned send of a completing message to the arrival of submit_sm, milliseconds."""
    late_after_ms: float = Field(default=1000.0, gt=0, le=600_000)
    """A trigger that takes longer than this is late, milliseconds."""
    bad_share: float = Field(default=0.001, ge=0, le=0.5)
    """Largest share of triggers that may be late, lost or wrong, all three together."""
    lagging_share: float = Field(default=0.01, ge=0, le=1)
    """Largest share of messages that the generator may send late by its own doing; past it, what broke
    says nothing
    of the platform. What holds all the same does hold, as latency counts from the planned send."""
    lagging_after_ms: float = Field(default=10.0, gt=0)
    """A message sent this much after its planned time is sent late, milliseconds."""
    others_share: float = Field(default=0.15, ge=0, le=1)
    """A break counts at once only where other programs had at most this share of the processors of the side
    that gave way; else the rate is tried again, and counts all the same when it goes on like that, labelled
    as their doing."""

    def judge(self, found: ProbeResult) -> Verdict:
        """What the probe says of the rate: held, broken and by what, or nothing, as the generator lagged."""
        value = found.quantile_ms(self.percentile)
        late = found.late(self.late_after_ms)
        share = found.bad_share(self.late_after_ms)
        disturbed = found.others_beside("platform") > self.others_share
        if value is None:
            return Verdict("too_few", (), value, share, late, disturbed)
        broke: list[Broke] = ["latency"] if value > self.latency_ms else []
        if share > self.bad_share:
            counts = {"late": late, "lost": found.lost, "wrong": found.wrong}
            broke += [name for name, n in counts.items() if n]  # type: ignore[misc]
        if broke and found.lagging_share > self.lagging_share:
            # Latency counts from the planned send, so what holds in spite of a late generator does hold.
            disturbed = found.others_beside("generator") > self.others_share
            return Verdict("generator", ("generator",), value, share, late, disturbed)
        return Verdict("broken" if broke else "held", tuple(broke), value, share, late, disturbed)


Broke = Literal["latency", "late", "lost", "wrong", "generator"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one probe says."""

    outcome: Literal["held", "broken", "generator", "too_few"]
    """generator: it could not keep the schedule, so nothing is known of the platform; too_few triggers."""
    broke: tuple[Broke, ...]
    value_ms: float | None
    """The percentile of the level; None: refused."""
    bad_share: float
    late: int = 0
    """Triggers later than the level allows."""
    disturbed: bool = False
    """Others used so much of the machine that a break may be their doing."""


@dataclass(frozen=True, slots=True, eq=False)
class ProbeResult:
    """What came of one phase at one rate."""

    rate_per_s: float
    """Messages a second, offered."""
    seconds: float
    """Planned."""
    seed: int
    messages: int
    latency_ms: NDArray[np.float64]
    """Of every trigger that arrived, from its planned instant."""
    at_s: NDArray[np.float64]
    """Its planned instant, seconds since the beginning."""
    lost: int = 0
    """Triggers that should have arrived and never did."""
    wrong: int = 0
    """Triggers that should not have arrived, or for a message that completes none."""
    lagging_share: float = 0.0
    """Of the messages: sent late by the generator's own doing, not as the association stood full."""
    lag_p99_ms: float = 0.0
    others_share: float = 0.0
    """Of the machine's processors, used by other programs meanwhile."""
    others_generator: float | None = None
    """Of the processors that the generator was bound to; None: it was bound to none."""
    others_platform: float | None = None
    """The same of the platform's."""
    resources: tuple[Any, ...] = ()
    """`experiments.capacity.utilisation.Resource` of what had work."""
    cost_us: float | None = None
    """Processor time of the platform a message, microseconds."""
    memory_mib: float | None = None
    """Of the platform's processes, at the end of sending."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else was measured, by name."""

    @property
    def triggers(self) -> int:
        """Expected: those that arrived for a reason, and those lost."""
        return len(self.latency_ms) + self.lost

    def quantile_ms(self, percentile: Percentile) -> float | None:
        """The least latency that at least this share of triggers did not exceed; a lost one never ends.

        None: of fewer triggers than `least_triggers`. Infinite: so many are lost that it is among them.
        """
        n = self.triggers
        if n < least_triggers(percentile):
            return None
        at = math.ceil(round(PERCENTILES[percentile] * n, 6)) - 1
        if at >= len(self.latency_ms):
            return math.inf
        return float(np.partition(self.latency_ms, at)[at])

    def others_beside(self, side: Literal["generator", "platform"]) -> float:
        """Others' share of the processors of that side; of all, where they are not told apart."""
        own = self.others_generator if side == "generator" else self.others_platform
        return self.others_share if own is None else own

    def late(self, after_ms: float) -> int:
        """Triggers that took longer."""
        return int(np.count_nonzero(self.latency_ms > after_ms))

    def bad_share(self, late_after_ms: float) -> float:
        """Late, lost and wrong ones over all; 1 where there is none at all but wrong ones."""
        bad = self.late(late_after_ms) + self.lost + self.wrong
        return min(1.0, bad / max(self.triggers, 1))


class Probe(Protocol):
    """Whatever can be asked what becomes of a rate."""

    def closed(self, outstanding: int, seconds: float, seed: int) -> float:
        """Messages a second with at most so many sent and not yet taken in, over about so many seconds."""

    def probe(self, rate_per_s: float, seconds: float, seed: int) -> ProbeResult:
        """One phase at one rate, open loop: the schedule is drawn first and kept whatever happens."""
