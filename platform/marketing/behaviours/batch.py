"""The behaviour batch: one row per act of a subscriber that the tap has shown.

Batches are structured arrays: the engine filters them by masks, and makes Python objects of what passes only.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BEHAVIOUR",
    "CODES",
    "DERIVED",
    "NAMES",
    "BehaviourBatch",
    "Kind",
    "Role",
    "concatenate",
    "digits",
    "empty",
    "imsi_text",
    "imsi_value",
]


class Kind(IntEnum):
    """What happened. The value is the code in the `kind` column and in the records; never renumber.

    Kinds in DERIVED follow from what is remembered of a subscriber (`marketing.features.presence`); the
    correlator gives all others, each from one connection alone.
    """

    POWER_ON = 1
    """Location updating of type IMSI attach, at LOCATION UPDATING ACCEPT."""
    POWER_OFF = 2
    """At IMSI DETACH INDICATION."""
    LOCATION_UPDATE = 3
    """Normal location updating, at LOCATION UPDATING ACCEPT."""
    PERIODIC_UPDATE = 4
    """Periodic updating, at LOCATION UPDATING ACCEPT."""
    LOCATION_UPDATE_REJECTED = 5
    """At LOCATION UPDATING REJECT; cause = reject cause."""
    IMEI_CHANGED = 6
    """At HANDSET_SEEN with another IMEI than his last one; detail = the new one's 15 digits."""
    POWER_OFF_IMPLICIT = 7
    """Silent for longer than the implicit detach timer, dated at the whole minute at which that passed."""
    ROAMED_IN = 8
    """Location updating accepted, of a handset that comes from an area of another network; detail = it."""
    ROAMED_OUT = 9
    """Gone to another network, as his return shows, which is its time; detail = the area he returns from."""
    CALL_STARTED = 10
    """At SETUP, once for each side of a call."""
    CALL_CONNECTED = 11
    """At CONNECT."""
    CALL_ENDED = 12
    """After CONNECT, at the first DISCONNECT, RELEASE or RELEASE COMPLETE, else at CLEAR COMMAND."""
    CALL_REJECTED = 13
    """Refused by the called user, as each side hears it."""
    CALL_NO_ANSWER = 14
    """Rung without an answer."""
    CALL_BUSY = 15
    """The called user was busy."""
    CALL_VACANT = 16
    """The number is not in use."""
    CALL_UNREACHABLE = 17
    """The called subscriber is absent or switched off."""
    CALL_ABANDONED = 18
    """The caller gave up before it rang."""
    CALL_FAILED = 19
    """Anything else that ended a call before CONNECT."""
    SMS_SENT = 20
    """At RP-ACK to the handset."""
    SMS_RECEIVED = 21
    """At RP-ACK from the handset."""
    SMS_FAILED = 22
    """At RP-ERROR; cause = RP cause."""
    USSD_USED = 23
    """At the answer to a USSD request of the handset; peer = the code as dialled; cause = error code."""
    SS_USED = 24
    """At the answer to another request; detail = SS code * 256 + operation; peer = forwarded-to number."""
    HANDSET_SEEN = 26
    """At a message that tells the IMEI; detail = its 15 digits."""
    HANDOVER = 30
    """At HANDOVER COMPLETE on the target leg or HANDOVER PERFORMED; lac and ci are the target's."""
    CELL_CHANGED = 31
    """At the first behaviour in another cell than his last one."""
    AREA_ENTERED = 32
    """At the first behaviour in another location area than his last one; detail = the old one's LAC."""
    PAGING_NO_RESPONSE = 33
    """Nobody answered a page in time, at the end of that time; lac = where; nothing that he did."""
    SEEN = 34
    """At the release of a connection that told who, and nothing else; where messages are lost, mostly."""


class Role(IntEnum):
    """On which side of the call or short message the subscriber was."""

    NONE = 0
    CALLER = 1
    """Caller, or sender of a short message."""
    CALLEE = 2
    """Callee, or receiver of a short message."""


DERIVED: Final = frozenset(
    {
        Kind.IMEI_CHANGED,
        Kind.POWER_OFF_IMPLICIT,
        Kind.ROAMED_IN,
        Kind.ROAMED_OUT,
        Kind.CELL_CHANGED,
        Kind.AREA_ENTERED,
    }
)
"""Kinds that are worked out from others with what is remembered of the subscriber."""

NAMES: Final[dict[int, str]] = {int(kind): kind.name.lower() for kind in Kind}
"""Kind code -> the name used in campaign files, such as `call_ended`."""

CODES: Final[dict[str, int]] = {name: code for code, name in NAMES.items()}
"""The other way round."""

BEHAVIOUR: Final[np.dtype[np.void]] = np.dtype(
    [
        ("t_us", np.int64),  # Unix microseconds of the completing message
        ("imsi", np.uint64),  # value of the 15 digits; 0 = not known at the tap
        ("kind", np.uint8),  # Kind
        ("role", np.uint8),  # Role
        ("lac", np.uint16),  # location area of the connection's present cell; 0 = not known
        ("ci", np.uint16),  # cell identity; 0 = not known
        ("peer", "S20"),  # the other side's number, digits as dialled or shown; empty = not known
        ("cause", np.uint8),  # CC cause, reject cause or RP cause; 0 = none
        ("duration_us", np.int64),  # since CONNECT, for call_ended; 0 = none
        ("detail", np.uint64),  # as the kind says: IMEI, SS code and operation, old area; 0 = none
        ("corr", np.uint32),  # M3UA correlation id of the completing message; 0 = none
        ("received_ns", np.int64),  # monotonic, when the socket read returned
        ("decoded_ns", np.int64),  # monotonic, when its decoding and correlation had finished
    ]
)

BehaviourBatch = NDArray[np.void]
"""A structured array of dtype BEHAVIOUR, in the order of the completing messages."""


def empty(n: int = 0) -> BehaviourBatch:
    """A batch of n zero rows."""
    return np.zeros(n, dtype=BEHAVIOUR)


def concatenate(batches: list[BehaviourBatch]) -> BehaviourBatch:
    """Batches one after another; a batch of no rows where the list is empty."""
    if len(batches) == 1:
        return batches[0]
    return np.concatenate(batches) if batches else empty()


def imsi_text(value: int) -> str:
    """The 15 digits of an `imsi` value, with the leading zeros that the integer lost; empty for 0."""
    return f"{value:015d}" if value else ""


def imsi_value(text: str) -> int:
    """The `imsi` column's value of 15 digits."""
    if len(text) != 15 or not text.isascii() or not text.isdigit():
        raise ValueError(f"an IMSI has 15 digits, not {text!r}")
    return int(text)


def digits(peer: bytes) -> str:
    """A `peer` value as text."""
    return peer.decode("ascii")
