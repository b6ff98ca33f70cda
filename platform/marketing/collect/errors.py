"""What came in and could not be used: counted by kind, the first few of each kind kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

__all__ = ["KEPT_OCTETS", "KEPT_PER_KIND", "BadMessage", "Rejects"]

KEPT_PER_KIND: Final = 5
"""So many messages of a kind are kept for inspection."""
KEPT_OCTETS: Final = 512
"""Of each so many octets."""


@dataclass(frozen=True, slots=True)
class BadMessage:
    """A message that could not be used."""

    kind: str
    """Error kind, as in the counters."""
    octets: bytes
    """The message from its first octet, cut to KEPT_OCTETS."""
    length: int
    """Octets that it had."""
    source: int
    """Number of the association it came on, from 1; of a tap negated, from -1."""
    t_us: int
    """Unix microseconds of the platform's clock when it was read."""

    def as_record(self) -> dict[str, str | int]:
        """Plain values, the octets in hexadecimal."""
        return {
            "kind": self.kind,
            "hex": self.octets.hex(),
            "length": self.length,
            "association": self.source,
            "t_us": self.t_us,
        }


@dataclass(slots=True)
class Rejects:
    """Counters and a small collection; what goes in is bounded by the number of kinds."""

    counts: dict[str, int] = field(default_factory=dict)
    kept: list[BadMessage] = field(default_factory=list)
    _kept_of: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, count: int = 1) -> None:
        """Count without keeping."""
        self.counts[kind] = self.counts.get(kind, 0) + count

    def wants(self, kind: str) -> bool:
        """Whether another one of this kind would be kept."""
        return self._kept_of.get(kind, 0) < KEPT_PER_KIND

    def keep(self, kind: str, octets: bytes, source: int, t_us: int) -> None:
        """Keep one, if there is room for its kind; does not count it."""
        if self.wants(kind):
            self._kept_of[kind] = self._kept_of.get(kind, 0) + 1
            self.kept.append(BadMessage(kind, bytes(octets[:KEPT_OCTETS]), len(octets), source, t_us))
