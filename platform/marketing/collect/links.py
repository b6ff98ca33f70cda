"""Links that have fallen silent: pairs of point codes of which nothing comes any more, though others talk.

An association may be up and yet one of its links be lost, at the tap or behind it. A link is silent when its
last opening (CR, or a connectionless message) is longer ago than it ever makes sense at its own pace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LinkEvent", "LinkWatch"]

LOOK_EVERY_US: Final = 1_000_000
"""Time between two looks, of the stream's own time."""


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """A link has fallen silent, or is heard again."""

    one: int
    other: int
    """Point codes."""
    silent: bool
    for_s: float
    """How long nothing came."""

    def __str__(self) -> str:
        link = f"the link between point codes {self.one} and {self.other}"
        if self.silent:
            return f"{link} has been silent for {self.for_s:.0f} s: its signalling is missing"
        return f"{link} is heard again"


@dataclass(slots=True)
class LinkWatch:
    """What is known to be silent. Time comes from the arguments only."""

    least_s: float = 60.0
    """No shorter silence is one."""
    gaps: float = 300.0
    """So many of a link's mean gaps between openings must have passed: nights are quieter than days."""
    openings: int = 100
    """A link that has had fewer has no pace yet."""
    silent: set[tuple[int, int]] = field(default_factory=set)
    _looked_us: int | None = field(default=None, repr=False)

    def due(self, now_us: int) -> bool:
        """Whether it is time for another look."""
        return self._looked_us is None or not 0 <= now_us - self._looked_us < LOOK_EVERY_US

    def look(self, links: NDArray[np.void], now_us: int) -> list[LinkEvent]:
        """What has changed since the last look; `links` is of dtype `marketing.correlate.LINK`."""
        self._looked_us = now_us
        said = []
        for link in links:
            pair = int(link["one"]), int(link["other"])
            silent_us, openings = now_us - int(link["last_us"]), int(link["openings"])
            pace_us = (int(link["last_us"]) - int(link["first_us"])) / max(openings - 1, 1)
            lost = openings >= self.openings and silent_us > max(self.least_s * 1e6, self.gaps * pace_us)
            if lost != (pair in self.silent):
                said.append(LinkEvent(*pair, lost, silent_us / 1e6))
                (self.silent.add if lost else self.silent.remove)(pair)
        return said

    def report(self, links: NDArray[np.void]) -> list[dict[str, Any]]:
        """Plain values for records."""
        return [
            {
                "point_codes": [int(link["one"]), int(link["other"])],
                "openings": int(link["openings"]),
                "last_us": int(link["last_us"]),
                "silent": (int(link["one"]), int(link["other"])) in self.silent,
            }
            for link in links
        ]
