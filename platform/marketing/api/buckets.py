"""Token buckets, one for each caller: so many requests a second on average, so many at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Final

__all__ = ["Buckets", "caller_of"]

MOST_CALLERS: Final = 4096


@dataclass(slots=True)
class Buckets:
    """Of all callers of one kind; whoever was not seen for longest is forgotten first."""

    per_s: float
    """Rate at which a bucket fills, requests/s; 0: no limit."""
    burst: float
    """What a full bucket holds."""
    most: int = MOST_CALLERS
    _kept: OrderedDict[Hashable, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, caller: Hashable, now_s: float, cost: float = 1.0) -> float:
        """Takes from a bucket; 0 if there was enough, else the seconds until there is."""
        if not self.per_s:
            return 0.0
        held, at_s = self._kept.pop(caller, (self.burst, now_s))
        held = min(self.burst, held + max(0.0, now_s - at_s) * self.per_s)
        enough = held >= cost
        self._kept[caller] = (held - cost if enough else held, now_s)
        if len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return 0.0 if enough else (cost - held) / self.per_s

    def fine(self, caller: Hashable, now_s: float, cost: float) -> None:
        """Takes whatever is left of so much."""
        if self.per_s:
            held, at_s = self._kept.get(caller, (self.burst, now_s))
            self._kept[caller] = (max(0.0, held - cost), at_s)


def caller_of(address: str) -> str:
    """Who calls: an IPv4 address, or the /64 that a host of IPv6 can choose from."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or parsed.packed[:8].hex())
    return str(parsed)
