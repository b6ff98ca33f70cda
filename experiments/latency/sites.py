"""A world made ready, which any number of phases share: its people, their lists, the platform's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from experiments.inputs import ArmKeys, draw_lists, world_files
from experiments.study import Limits, Lists
from sigtran.transport import Kind
from sim.network.messages import Submit
from sim.run import LivePhase, Reaction, build
from sim.scenario import load_world

__all__ = ["Reacts", "Site", "SiteKeys", "Terms"]


class SiteKeys(ArmKeys, Protocol):
    """What a site reads of a study; `experiments.study.Study` has it all, and so has `Terms`."""

    @property
    def lists(self) -> Lists: ...
    @property
    def streams(self) -> int: ...
    @property
    def limits(self) -> Limits: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """The keys of a site for studies that are of another kind than end-to-end."""

    policy: Path
    """Contact policy file."""
    lists: Lists = field(default_factory=Lists)
    streams: int = 16
    limits: Limits = field(default_factory=Limits)
    segments: Path | None = None
    blanket_at: str = "10:00"


class Reacts(Protocol):
    """What the network does about a message of the platform (`sim.run.LivePhase`, or a replay)."""

    def react(self, submit: Submit, t_us: int) -> Reaction: ...


class Site:
    """A world, what BOSS knows of it, and who is on which list: built once, used by any number of phases."""

    def __init__(
        self,
        keys: SiteKeys,
        world: Path,
        seed: int,
        folder: Path,
        *,
        settings: Mapping[str, Any] | None = None,
        transport: Kind = "usrsctp",
    ) -> None:
        """`folder` is where the platform's inputs are written; `settings` are laid over the world file."""
        self.keys = keys
        self.transport = transport
        self.inputs = folder / "inputs"
        self.scenario = load_world(world, settings)
        self.world = build(self.scenario, seed)
        self.extract = world_files(self.world, self.inputs)
        self.drawn = draw_lists(keys.lists, self.world.draws, self.world.n)

    def live(self, start_us: int, end_us: int, most: int | None = None) -> LivePhase:
        """The world's signalling between two moments, of `most` messages at the most."""
        return LivePhase(self.world, start_us, end_us, most=most)
