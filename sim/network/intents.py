"""What people mean to do, day by day: the columns that the resolver settles.

The world's people (`sim.subscribers`) provide them; the network knows only these shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

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


class Moves(Protocol):
    """Cell changes of a day, sorted by (t_us, sub)."""

    @property
    def t_us(self) -> NDArray[np.int64]: ...
    @property
    def sub(self) -> NDArray[np.int64]: ...
    @property
    def cell(self) -> NDArray[np.int32]: ...


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
    """Everything that people bring into the network."""

    def diary(self, day: int) -> tuple[Moves, Power]: ...
    def calls(self, day: int) -> Calls: ...
    def texts(self, day: int) -> Texts: ...
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
