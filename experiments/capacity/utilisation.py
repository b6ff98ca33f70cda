"""What was busy while a rate was tried, and which part gave way first.

A resource is what can do one second of work a second: a thread, the platform's loop, or the processors that a
side runs on. Its parts say what it was busy with. Where a rate breaks, the busiest resource that has no room
left is the bottleneck, and of its parts the largest. A bottleneck of the generator or the transport says
nothing of the platform, and the knee is labelled so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from statistics import median
from typing import Any, Final, Literal

from experiments.capacity.knee import Knee

__all__ = ["FULL", "STAGES", "Bottleneck", "Resource", "Stage", "bottleneck", "joined"]

Stage = Literal[
    "generator", "transport", "decode", "engine", "decide", "ledger", "records", "messages", "other"
]
Owner = Literal["generator", "transport", "platform"]
STAGES: Final[Mapping[Stage, Owner]] = {
    "generator": "generator",
    "transport": "transport",
    "decode": "platform",
    "engine": "platform",
    "decide": "platform",
    "ledger": "platform",
    "records": "platform",
    "messages": "platform",
    "other": "platform",
}
"""Stage -> whose it is. decode: also correlates; decide: from decisions to reservations; messages: SMPP."""
FULL: Final = 0.9
"""A resource busier than this has no room left."""
BUSY: Final = 0.6
"""Where nothing is full, work that comes unevenly queues before whatever is busiest, if it is busier than
this."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that can be busy all the time, and what it was busy with."""

    name: str
    """Name in the catalogue of the page: generator_thread, platform_loop, platform_processors, ..."""
    busy: float
    """Share of the time; of several processors, of all of them."""
    parts: Mapping[Stage, float] = field(default_factory=dict)
    """Stage -> its share of the time; their sum is `busy`, but for what was not told apart."""
    owner: Owner = "platform"
    """Whose it is where no part is known."""

    @property
    def largest(self) -> Stage | None:
        """The stage that it was busiest with; None: none is known."""
        return max(self.parts.items(), key=itemgetter(1))[0] if self.parts else None


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What gave way first."""

    limited_by: Literal["generator", "transport", "platform", "others", "unknown"]
    """others: programs that are no part of this had more of the processors of the side that gave way than the
    level allows, in most of the probes that broke; what was busiest beside them is named all the same.
    unknown: everything had room left, as when a disk is waited for, or nothing was measured."""
    resource: str = ""
    stage: str = ""
    busy: float = 0.0
    """Of the resource."""
    full: bool = True
    """Whether it had no room left; else work queued before it, as it came unevenly or in batches."""
    others: float = 0.0
    """What others had of the processors of the side that gave way: the median of what broke there."""
    side: Literal["generator", "platform"] = "platform"
    """Whose processors these are."""

    @property
    def of_platform(self) -> bool:
        """Whether the knee may be called the platform's."""
        return self.limited_by == "platform"


def joined(samples: Iterable[Sequence[Resource]]) -> tuple[Resource, ...]:
    """The median of several probes, resource by resource and stage by stage, in the order of the first."""
    rows = [{resource.name: resource for resource in one} for one in samples]
    names = dict.fromkeys(name for row in rows for name in row)
    found = []
    for name in names:
        same = [row[name] for row in rows if name in row]
        stages = dict.fromkeys(stage for one in same for stage in one.parts)
        parts = {stage: median(one.parts.get(stage, 0.0) for one in same) for stage in stages}
        found.append(Resource(name, median(one.busy for one in same), parts, same[0].owner))
    return tuple(found)


def bottleneck(resources: Sequence[Resource], lagged: bool = False) -> Bottleneck:
    """The busiest resource without room left, else the busiest one, and the largest of its stages.

    `lagged`: the generator did not keep its schedule, so it gave way first whatever else was busy. A
    thread is
    preferred to the processors that it runs on, as it says more.
    """
    if lagged:
        own = [r for r in resources if r.owner == "generator"]
        busiest = max(own, key=lambda r: r.busy, default=None)
        name, busy = (busiest.name, busiest.busy) if busiest else ("", 0.0)
        return Bottleneck("generator", name, "generator", busy)
    full = [r for r in resources if r.busy >= FULL]
    near = [r for r in resources if r.busy >= BUSY and not _many(r)]
    if not (full or near):
        return Bottleneck("unknown")
    found = max(full, key=lambda r: (not _many(r), r.busy)) if full else max(near, key=lambda r: r.busy)
    stage = found.largest
    owner: Owner = STAGES[stage] if stage is not None else found.owner
    return Bottleneck(owner, found.name, stage or "", found.busy, full=bool(full))


def _many(resource: Resource) -> bool:
    return resource.name.endswith("_processors")


def at_knee(knee: Knee) -> tuple[tuple[Resource, ...], Bottleneck]:
    """What was busy at the lowest rate that breaks, and what gave way there."""
    breaking = knee.breaking
    resources = joined(t.result.resources for t in breaking if t.result.resources)
    lagged = sum(t.verdict.outcome == "generator" for t in breaking) * 2 > len(breaking)
    side: Literal["generator", "platform"] = "generator" if lagged else "platform"
    shares = [t.result.others_beside(side) for t in breaking]
    found = replace(bottleneck(resources, lagged=lagged), others=median(shares) if shares else 0.0, side=side)
    if sum(t.verdict.disturbed for t in breaking) * 2 > len(breaking):
        found = replace(found, limited_by="others")
    return resources, found


def as_json(resource: Resource) -> dict[str, Any]:
    """For the summary."""
    parts = {stage: round(share, 4) for stage, share in resource.parts.items()}
    return {
        "name": resource.name,
        "busy": round(resource.busy, 4),
        "parts": parts,
        "owner": resource.owner,
    }
