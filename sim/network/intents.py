"""What people mean to do: the columns that the network settles.

The world's people (`sim.subscribers`) provide them; the network knows only these shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.subscribers.identities import Series
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
    def sub(self) -> NDArray[np.int32] | NDArray[np.int64]: ...
    @property
    def on(self) -> NDArray[np.bool_]: ...
    @property
    def graceful(self) -> NDArray[np.bool_]: ...


class Calls(Protocol):
    """Calls meant, sorted by (t_us, sub, ordinal)."""

    @property
    def t_us(self) -> NDArray[np.int64]: ...
    @property
    def sub(self) -> NDArray[np.int32] | NDArray[np.int64]: ...
    @property
    def kind(self) -> NDArray[np.uint8]: ...
    @property
    def peer_sub(self) -> NDArray[np.int32] | NDArray[np.int64]: ...
    @property
    def peer_number(self) -> NDArray[np.bytes_] | NDArray[np.uint8]:
        """S20, or packed as `pack_numbers` has it."""

    @property
    def alert_us(self) -> NDArray[np.uint32] | NDArray[np.int64]: ...
    @property
    def ring_us(self) -> NDArray[np.uint32] | NDArray[np.int64]: ...
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
    def sub(self) -> NDArray[np.int32] | NDArray[np.int64]: ...
    @property
    def kind(self) -> NDArray[np.uint8]: ...
    @property
    def peer_sub(self) -> NDArray[np.int32] | NDArray[np.int64]: ...
    @property
    def peer_number(self) -> NDArray[np.bytes_] | NDArray[np.uint8]:
        """S20, or packed as `pack_numbers` has it."""

    @property
    def text_id(self) -> NDArray[np.uint8]: ...


USSD_QUERY: Final = 0
USSD_REFUSED: Final = 1
FORWARDING_REGISTERED: Final = 2
FORWARDING_ERASED: Final = 3
FORWARDING_ASKED: Final = 4
CALL_WAITING_ACTIVATED: Final = 5
"""Kinds of services."""

UNCONDITIONAL: Final = 0
ON_BUSY: Final = 1
ON_NO_REPLY: Final = 2
ON_NOT_REACHABLE: Final = 3
"""Conditions of call forwarding, TS 22.082."""


@dataclass(frozen=True, slots=True, eq=False)
class Services:
    """Supplementary services and USSD queries meant, sorted by (t_us, sub)."""

    t_us: NDArray[np.int64]
    sub: NDArray[np.int64]
    kind: NDArray[np.uint8]
    dialogue: NDArray[np.int32]
    """Of a USSD query: which code and answer (`People.dialogue`). Of forwarding: its condition."""
    number: NDArray[np.bytes_]
    """Forwarded to, E.164; S20."""

    @staticmethod
    def none() -> Services:
        """Nobody uses any."""
        nothing = np.zeros(0, np.int64)
        return Services(
            nothing, nothing, nothing.astype(np.uint8), nothing.astype(np.int32), np.zeros(0, "S20")
        )


@dataclass(frozen=True, slots=True, eq=False)
class Journeys:
    """Leaving for other networks and coming from them, sorted by (t_us, sub)."""

    t_us: NDArray[np.int64]
    sub: NDArray[np.int64]
    cell: NDArray[np.int32]
    """Where somebody comes to; -1: leaves."""
    plmn: NDArray[np.int32]
    """Network from which somebody comes, three octets of the wire (TS 24.008 10.5.1.3)."""
    lac: NDArray[np.int32]
    """Location area there."""

    @staticmethod
    def none() -> Journeys:
        """Nobody travels."""
        nothing = np.zeros(0, np.int64)
        narrow = nothing.astype(np.int32)
        return Journeys(nothing, nothing, narrow, narrow, narrow)


class People(Protocol):
    """Everything that people bring into the network: what happens at from_us <= t < to_us.

    Pure functions: however a span of time is cut, the same rows come. No trip lasts longer than four hours.
    """

    def trips(self, from_us: int, to_us: int) -> Trips: ...
    def power(self, from_us: int, to_us: int) -> Power: ...
    def calls(self, from_us: int, to_us: int) -> Calls: ...
    def texts(self, from_us: int, to_us: int) -> Texts: ...
    def services(self, from_us: int, to_us: int) -> Services: ...
    def journeys(self, from_us: int, to_us: int) -> Journeys: ...
    def imei_at(self, day: int) -> NDArray[np.uint64]:
        """IMEI of the handset in which everybody's SIM is on a day, all fifteen digits as an integer."""

    def dialogue(self, dialogue: int) -> tuple[str, str]:
        """Code and answer of a USSD query; the first is number 1."""

    def next_on_us(self, sub: int, after_us: int) -> int:
        """When somebody next switches on; -1: not within thirty days."""

    def state_at(self, t_us: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Cell (-1: in another network) and power of everybody."""

    def text(self, text_id: int) -> str:
        """The wording of a text."""


@dataclass(frozen=True, slots=True, eq=False)
class Identities:
    """Who everybody is: digits as integers, in columns or worked out one by one."""

    imsi: NDArray[np.uint64] | Series
    msisdn: NDArray[np.uint64] | Series

    @property
    def n(self) -> int:
        return len(self.imsi)
