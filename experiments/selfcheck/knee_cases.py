"""Is the knee found? The search of capacity studies on platforms of known service rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from experiments.capacity.knee import Knee, SearchKeys, find
from experiments.capacity.levels import ServiceLevel
from experiments.capacity.mock import VirtualQueue
from experiments.capacity.mock_site import ClockedMock
from experiments.capacity.utilisation import at_knee
from experiments.running.executor import Executor
from experiments.selfcheck.case import Band, Case, Scale, judged

__all__ = ["CLOCKED", "QUEUES", "SLOW", "WITHIN", "Clocked", "Queue", "cases", "find_clocked", "find_queue"]

WITHIN: Final = (0.95, 1.05)
"""Knee found over the rate served."""
KEYS: Final = SearchKeys(seconds=8, resolution=0.03)
LEVEL: Final = ServiceLevel(latency_ms=100)


@dataclass(frozen=True, slots=True)
class Queue:
    """A platform in virtual time, and who stands in front of it."""

    serves_per_s: float
    arrivals: Literal["even", "poisson"]
    noise: float = 0.01
    """Of the service rate, from probe to probe."""
    slow: Literal["generator", "transport", "platform"] = "platform"
    """Who gives way first; if it is not the platform, at `SLOW` of its rate."""
    seeds: int = 1

    @property
    def key(self) -> str:
        """A name for good."""
        return f"virtual/{self.slow}-{self.arrivals}-{self.serves_per_s:g}"

    @property
    def name(self) -> str:
        """Of the case."""
        return f"{self.slow}, {self.arrivals}, {self.serves_per_s:g}/s"


@dataclass(frozen=True, slots=True)
class Clocked:
    """A process that serves by the wall clock, asked through the pacing of real phases."""

    serves_per_s: float
    seconds: float
    """Of a probe."""
    percentile: Literal["p90", "p99"]
    latency_ms: float
    """Its bound. A probe passes a rate too high by this over its length: about 2 %."""

    @property
    def key(self) -> str:
        """A name for good."""
        return f"clocked/{self.serves_per_s:g}"


SLOW: Final = 0.6
QUEUES: Final[dict[Scale, tuple[Queue, ...]]] = {
    "small": (Queue(1000, "even"), Queue(7777, "poisson"), Queue(5000, "even", 0.0, "generator")),
    "full": (
        *(
            Queue(rate, arrivals, seeds=10)
            for rate in (1000, 7777, 30_000)
            for arrivals in ("even", "poisson")
        ),
        Queue(5000, "even", 0.0, "generator"),
        Queue(5000, "even", 0.0, "transport"),
    ),
}
CLOCKED: Final[dict[Scale, Clocked]] = {
    "small": Clocked(500, 2.0, "p90", 40),
    "full": Clocked(2000, 8, "p99", 150),
}


def cases(scale: Scale, executor: Executor) -> Iterator[Case]:
    """Queues in virtual time, then one by the clock, alone."""
    found = dict(executor.map(find_queue, QUEUES[scale], key=lambda job: job.key))
    for job in QUEUES[scale]:
        yield queue_case(job, found[job.key])
    clocked = CLOCKED[scale]
    ((_, seen),) = executor.map(find_clocked, [clocked], key=lambda job: job.key)
    yield clocked_case(clocked, seen)


def find_queue(job: Queue) -> dict[str, Any]:
    """Knees over what is served, and how often the right one was said to give way."""
    slow = {"generator": "sends_per_s", "transport": "carries_per_s"}.get(job.slow)
    first = {slow: SLOW * job.serves_per_s} if slow else {}
    queue = VirtualQueue(job.serves_per_s, job.arrivals, job.noise, **first)
    knees = [find(queue, KEYS, LEVEL, seed) for seed in range(1, job.seeds + 1)]
    named = sum(at_knee(knee)[1].limited_by == job.slow for knee in knees)
    return {
        "knees": [knee.rate_per_s for knee in knees],
        "settled": sum(map(_settled, knees)),
        "named": named,
    }


def find_clocked(job: Clocked) -> dict[str, Any]:
    """The knee, and how late the generator was at worst."""
    keys = SearchKeys(
        seconds=job.seconds,
        closed_seconds=job.seconds / 4,
        confirm_seconds=2 * job.seconds,
        outstanding=64,
        resolution=0.02,
        least_rate_per_s=0.7 * job.serves_per_s,
        most_rate_per_s=1.3 * job.serves_per_s,
    )
    level = ServiceLevel(percentile=job.percentile, latency_ms=job.latency_ms, lagging_share=0.2)
    knee = find(ClockedMock(job.serves_per_s), keys, level)
    return {
        "knee": knee.rate_per_s,
        "settled": int(_settled(knee)),
        "closed": knee.closed_per_s,
        "probes": len(knee.tries),
        "lag_ms": max(one.result.lag_p99_ms for one in knee.tries),
    }


def _settled(knee: Knee) -> bool:
    return knee.status == "found"


def queue_case(job: Queue, found: dict[str, Any]) -> Case:
    """The knee that lies furthest off."""
    served = job.serves_per_s * (SLOW if job.slow != "platform" else 1.0)
    ratios = [rate / served for rate in found["knees"]]
    bands: dict[str, Band] = {
        "knee": WITHIN,
        "settled": (job.seeds, job.seeds),
        "named": (job.seeds, job.seeds),
    }
    values = {
        "knee": max(ratios, key=lambda ratio: abs(ratio - 1)),
        "settled": found["settled"],
        "named": found["named"],
    }
    tried = f"in virtual time, {job.seeds} searches; the {job.slow} gives way first"
    return judged("knee", job.name, tried, job.seeds, bands, values)


def clocked_case(job: Clocked, found: dict[str, Any]) -> Case:
    """The knee by the clock."""
    bands: dict[str, Band] = {"knee": WITHIN, "settled": (1, 1)}
    values = {
        "knee": found["knee"] / job.serves_per_s,
        "settled": found["settled"],
        "closed": found["closed"] / job.serves_per_s,
        "lag_ms": found["lag_ms"],
    }
    tried = (
        f"by the clock: a process that serves {job.serves_per_s:g} messages a second, "
        f"probes of {job.seconds:g} s"
    )
    return judged("knee", f"by the clock, {job.serves_per_s:g}/s", tried, found["probes"], bands, values)
