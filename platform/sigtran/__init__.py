"""SIGTRAN: SCTP associations (kernel, libusrsctp, memory), M3UA messages and associations, capture files.

Neutral ground: the simulator and the platform both stand on it, and it stands on neither.
"""

from sigtran.batch import MessageBatch
from sigtran.transport import (
    Association,
    AssociationLost,
    Choice,
    ConnectError,
    Listener,
    ListenError,
    TransportError,
    TransportUnavailable,
    choose,
    connect,
    listen,
)

__all__ = [
    "Association",
    "AssociationLost",
    "Choice",
    "ConnectError",
    "ListenError",
    "Listener",
    "MessageBatch",
    "TransportError",
    "TransportUnavailable",
    "choose",
    "connect",
    "listen",
]
