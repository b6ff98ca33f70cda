"""Platforms of known service rate, to see whether the search finds their knee.

`VirtualQueue` is a generator, a wire and a platform one behind another, each of a known rate, in virtual
time:
deterministic, and as fast as numpy is. `experiments.capacity.mock_site` has one that serves by the wall
clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.capacity.levels import ProbeResult
from experiments.capacity.utilisation import STAGES, Resource, Stage

__all__ = ["VirtualQueue", "served"]

LATE_S: Final = 0.01
"""A message sent so much after its planned time is sent late."""


def served(arrivals_s: NDArray[np.float64], rate_per_s: float) -> NDArray[np.float64]:
    """When each of these, served one after another at that rate in the order of arrival, is done.

    Lindley: done[i] = max(arrived[i], done[i - 1]) + s, which without the recursion is
    s (i + 1) + max over j <= i of (arrived[j] - s j).
    """
    each_s = 1.0 / rate_per_s
    before = np.arange(len(arrivals_s)) * each_s
    return np.asarray(before + each_s + np.maximum.accumulate(arrivals_s - before), np.float64)


@dataclass(slots=True)
class VirtualQueue:
    """Generator -> wire -> platform, in virtual time. Every message is a trigger."""

    serves_per_s: float
    """Of the platform: its knee, for a bound that is large beside one service."""
    arrivals: Literal["even", "poisson"] = "even"
    """even: D/D/1; poisson: M/D/1."""
    noise: float = 0.0
    """Standard deviation of the logarithm of the service rate, from probe to probe."""
    hiccups: float = 0.0
    """Share of probes in which the platform stands still for half a second, as for a neighbour's doing."""
    sends_per_s: float = math.inf
    """Of the generator."""
    carries_per_s: float = math.inf
    """Of the wire."""
    loses: float = 0.0
    """Share of triggers lost, at any rate."""

    def closed(self, outstanding: int, seconds: float, seed: int) -> float:
        """As many as the slowest of the three takes; so many outstanding keep it busy."""
        rate = min(self._rate(np.random.default_rng(seed)), self.sends_per_s, self.carries_per_s)
        # A window that is empty half the time would tell of the window.
        return rate * min(1.0, outstanding / (1.0 + outstanding))

    def probe(self, rate_per_s: float, seconds: float, seed: int) -> ProbeResult:
        """One phase."""
        random = np.random.default_rng(seed)
        n = max(1, round(rate_per_s * seconds))
        if self.arrivals == "even":
            intended = np.arange(n) / rate_per_s
        else:
            # So many arrivals of a Poisson process in a time of given length are that many uniform draws.
            intended = np.sort(random.random(n)) * seconds
        sent = served(intended, self.sends_per_s) if math.isfinite(self.sends_per_s) else intended
        carried = served(sent, self.carries_per_s) if math.isfinite(self.carries_per_s) else sent
        rate = self._rate(random)
        if random.random() < self.hiccups:
            at = random.random() * seconds * 0.8
            carried = np.where((carried > at) & (carried < at + 0.5), at + 0.5, carried)
        done = served(carried, rate)
        kept = random.random(n) >= self.loses
        busy: dict[Stage, float] = {
            "generator": self.sends_per_s,
            "transport": self.carries_per_s,
            "engine": rate,
        }
        shares = {stage: min(1.0, rate_per_s / each) for stage, each in busy.items()}
        # What does not get through the one before keeps the next from being busier.
        shares["transport"] = min(shares["transport"], min(rate_per_s, self.sends_per_s) / self.carries_per_s)
        through = min(rate_per_s, self.sends_per_s, self.carries_per_s)
        shares["engine"] = min(1.0, through / rate)
        return ProbeResult(
            rate_per_s, seconds, seed, n,
            latency_ms=1000 * (done - intended)[kept],
            at_s=intended[kept],
            lost=int(n - np.count_nonzero(kept)),
            lagging_share=float(np.mean(sent - intended > LATE_S)),
            lag_p99_ms=1000 * float(np.quantile(sent - intended, 0.99)),
            resources=(
                _doing("generator_thread", "generator", shares),
                _doing("platform_pump", "transport", shares),
                _doing("platform_loop", "engine", shares),
            ),
            cost_us=1e6 / rate,
        )  # fmt: skip

    def _rate(self, random: np.random.Generator) -> float:
        return self.serves_per_s * math.exp(self.noise * random.standard_normal())


def _doing(name: str, stage: Stage, shares: Mapping[Stage, float]) -> Resource:
    """A resource that does one thing."""
    return Resource(name, shares[stage], {stage: shares[stage]}, STAGES[stage])
