"""The table of acts: what people and the network did, whether or not the A interface showed it."""

from __future__ import annotations

from typing import Final

import numpy as np

ACT: Final = np.dtype(
    [
        ("act", np.int64),
        ("t_us", np.int64),  # Unix microseconds of its beginning
        ("sub", np.int32),
        ("kind", np.uint8),
        ("peer_sub", np.int32),  # -1 none
        ("peer_number", "S20"),
        ("outcome", "S16"),
        ("label", "S16"),  # an injected fault; empty: none
    ]
)

POWER_ON: Final = 1
POWER_OFF: Final = 2
LOCATION_UPDATE: Final = 3
PERIODIC_UPDATE: Final = 4
POWER_LOST: Final = 40
MOVE: Final = 41
CALL_MADE: Final = 42
CALL_RECEIVED: Final = 43
TEXT_SENT: Final = 44
TEXT_RECEIVED: Final = 45
PAGE: Final = 46
HANDOVER: Final = 47
CALL_DROPPED: Final = 48
SERVICE_USED: Final = 49
ROAMED_OUT: Final = 50
ROAMED_IN: Final = 51

KINDS: Final[dict[int, str]] = {
    POWER_ON: "power_on",
    POWER_OFF: "power_off",
    LOCATION_UPDATE: "location_update",
    PERIODIC_UPDATE: "periodic_update",
    POWER_LOST: "power_lost",
    MOVE: "move",
    CALL_MADE: "call_made",
    CALL_RECEIVED: "call_received",
    TEXT_SENT: "text_sent",
    TEXT_RECEIVED: "text_received",
    PAGE: "page_unanswered",
    HANDOVER: "handover_tried",
    CALL_DROPPED: "call_dropped",
    SERVICE_USED: "service_used",
    ROAMED_OUT: "roamed_out",
    ROAMED_IN: "roamed_in",
}
"""Act codes. Up to 39 they are those of the behaviours."""

ActRow = tuple[int, int, int, int, int, bytes, bytes, bytes]
"""One row of ACT, world microseconds."""
