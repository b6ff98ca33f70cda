"""What people mean to do: the columns that the network settles.

The world's people (`sim.subscribers`) provide them; the network knows only these shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.subscribers.walk import Trips

DAY_US: Final = 86_400_000_000

INSIDE: Final = 1
SERVICE_LINE: Final = 2
VACANT: Final = 3
TO_OTHER_NETWORK: Final = 4
FROM_OTHER_NETWORK: Final = 5
"""Kinds of calls; of texts 1, 2 (to another network) and 3 (from another network)."""
TEXT_INSIDE: Final = 1
TEXT_OUT: Final = 2
TEXT_IN: Final = 3

ANSWER: Final = 0
NO_ANSWER: Final = 1
REJECT: Final = 2
ABANDON: Final = 3
BUSY: Final = 4
UNREACHABLE: Final = 5
"""What the two ends mean to do: the called one to answer or not, the caller to give up before it rings;
busy and unreachable are the far ends of other networks.
"""

BY_CALLER: Final = 1
BY_CALLEE: Final = 2


class Power(Protocol):
    """Handsets switched on and off, sorted by (t_us, sub)."""

    @property
    def t_us(self) -> NDArray[np.int64]: ...
    @property
    def sub(self) -> NDArray[np.int64]: ...
    @property
    def on(self) -> NDArray[np.bool_]: ...
    @property
    def graceful(self) -> NDArray[np.bool_]: ...


class Calls(Protocol):
    """Calls meant, sorted by (t_us, sub, ordinal)."""

    @property
    def t_us(self) -> NDArray[np.int64]: ...
    @property
    def sub(self) -> NDArray[np.int64]: ...
    @property
    def kind(self) -> NDArray[np.uint8]: ...
    @property
    def peer_sub(self) -> NDArray[np.int32] | NDArray[np.int64]: ...
    @property
    def peer_number(self) -> NDArray[np.bytes_]: ...
    @property
    def alert_us(self) -> NDArray[np.int64]: ...
    @property
    def ring_us(self) -> NDArray[np.int64]: ...
    @property
    def talk_us(self) -> NDArray[np.int64]: ...
    @property
    def intent(self) -> NDArray[np.uint8]: ...
    @property
    def hangup(self) -> NDArray[np.uint8]: ...


class Texts(Protocol):
    """Short messages meant, sorted by (t_us, sub, ordinal)."""

    @property
    def t_us(self) -> NDArray[np.int64]: ...
    @property
    def sub(self) -> NDArray[np.int64]: ...
    @property
    def kind(self) -> NDArray[np.uint8]: ...
    @property
    def peer_sub(self) -> NDArray[np.int32] | NDArray[np.int64]: ...
    @property
    def peer_number(self) -> NDArray[np.bytes_]: ...
    @property
    def text_id(self) -> NDArray[np.uint8]: ...


class People(Protocol):
    """Everything that people bring into the network: what happens at from_us <= t < to_us.

    Pure functions: however a span of time is cut, the same rows come. No trip lasts longer than four hours.
    """

    def trips(self, from_us: int, to_us: int) -> Trips: ...
    def power(self, from_us: int, to_us: int) -> Power: ...
    def calls(self, from_us: int, to_us: int) -> Calls: ...
    def texts(self, from_us: int, to_us: int) -> Texts: ...
    def next_on_us(self, sub: int, after_us: int) -> int:
        """When somebody next switches on; -1: not within two days."""

    def state_at(self, t_us: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Cell and power of everybody."""

    def text(self, text_id: int) -> str:
        """The wording of a text."""


@dataclass(frozen=True, slots=True, eq=False)
class Identities:
    """Who everybody is, as columns."""

    imsi: NDArray[np.uint64]
    msisdn: NDArray[np.uint64]
    imei: NDArray[np.uint64]

    @property
    def n(self) -> int:
        return len(self.imsi)
