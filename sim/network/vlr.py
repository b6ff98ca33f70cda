"""The visitor location register: who is registered where under which TMSI; what the tap has learnt."""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.network.references import FreeList, temporary_identities

TMSI_FREEZE_US: Final = 3_600_000_000
"""How long a TMSI given back rests: a station out of reach may still think that it holds it."""
IMPLICIT_DETACH_GUARD_US: Final = 600_000_000
"""TS 24.008 4.4.2: the network's timer is longer than T3212 by this much."""


class Vlr:
    """Columns over subscribers: typed arrays of eight octets a row that read as plain integers."""

    def __init__(
        self,
        lac: NDArray[np.uint16],
        on: NDArray[np.bool_],
        last_seen_us: NDArray[np.int64],
        t3212_us: int,
        key: int,
    ) -> None:
        """Everybody was here before the world began; who is on is registered. The tap knows nobody."""
        n = len(lac)
        self.t3212_us = t3212_us
        self._free: FreeList = temporary_identities(key)
        self.tmsi = array("q", self._free.take_fresh(n).tobytes())
        self.lac = array("q", lac.astype(np.int64).tobytes())
        """Location area of the last accepted update: where a page goes."""
        self.registered = bytearray(on.astype(np.uint8).tobytes())
        self.known = bytearray(n)
        """Whether the tap can tell the IMSI from the present TMSI."""
        self.last_seen_us = array("q", last_seen_us.tobytes())
        """End of the last connection: T3212 counts from here."""

    def new_tmsi(self, sub: int, t_us: int) -> tuple[int, int]:
        """Old and new TMSI at a reallocation, TS 24.008 4.3.1; the old one rests."""
        old, new = self.tmsi[sub], self._free.take(t_us)
        self._free.give_back(old, t_us + TMSI_FREEZE_US)
        self.tmsi[sub] = new
        return old, new

    def attached(self, sub: int, t_us: int) -> bool:
        """Whether the network believes the station reachable; silent for too long means detached."""
        if self.registered[sub] and t_us > self.last_seen_us[sub] + self.t3212_us + IMPLICIT_DETACH_GUARD_US:
            self.registered[sub] = 0
        return bool(self.registered[sub])

    def periodic_due_us(self, sub: int) -> int:
        """When T3212 runs out."""
        return self.last_seen_us[sub] + self.t3212_us
