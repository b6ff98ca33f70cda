"""Channels of a cell: from transceivers to traffic and signalling channels, and how many a load needs.

Eight time slots a transceiver (TS 45.002 4.3). The first carries the BCCH; signalling takes one slot of eight
SDCCHs for every two transceivers, and a cell with a single transceiver has its four SDCCHs on the BCCH's slot
(channel combination V of TS 45.002 6.4). Every other slot is a full-rate traffic channel.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST_TRX: Final = 12
"""Where one cell's cabinet ends."""

LOAD_2_PCT_CERL: Final = (293, 820, 1489, 2103, 2825, 3468, 4212, 4870, 5627, 6294, 7060, 7734)
"""Traffic that 1, 2, .. transceivers carry at two per cent blocking, hundredths of an erlang (Erlang B)."""


def traffic_channels(trx: ArrayLike) -> NDArray[np.uint16]:
    """Traffic channels (TCH/F) of cells with so many transceivers."""
    n = np.asarray(trx, dtype=np.int64)
    return np.asarray(8 * n - 1 - n // 2, dtype=np.uint16)


def signalling_channels(trx: ArrayLike) -> NDArray[np.uint16]:
    """SDCCHs of cells with so many transceivers."""
    n = np.asarray(trx, dtype=np.int64)
    return np.asarray(np.where(n == 1, 4, 8 * (n // 2)), dtype=np.uint16)


def transceivers_for(load_cerl: ArrayLike) -> NDArray[np.uint8]:
    """The fewest transceivers that carry a busy-hour load at two per cent blocking, 1..MOST_TRX."""
    needed = np.searchsorted(np.array(LOAD_2_PCT_CERL), np.asarray(load_cerl), side="left") + 1
    return np.minimum(needed, MOST_TRX).astype(np.uint8)
