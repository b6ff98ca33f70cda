"""What leaves the network: M3UA DATA messages in send order, as columns over one buffer."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SCCP_SERVICE_INDICATOR: Final = 3
NETWORK_INDICATOR: Final = 2
PROTOCOL_DATA: Final = 0x0210
CORRELATION_ID: Final = 0x0013
_LABEL: Final = struct.Struct(">IIBBBB")


@dataclass(frozen=True, slots=True, eq=False)
class WireBatch:
    """Messages in the order in which they are sent; every one a complete M3UA DATA message."""

    t_us: NDArray[np.int64]
    """World microseconds, ascending."""
    data: bytes
    """All messages, one behind the other."""
    offsets: NDArray[np.int64]
    """n + 1 positions in `data`."""
    sls: NDArray[np.uint8]
    """Signalling link selection, the same for both directions of a connection."""
    uplink: NDArray[np.bool_]
    """True from BSC to MSC."""
    corr: NDArray[np.int64]
    """Number of the message, from 1 on. Its low 32 bits are the M3UA correlation id in the last four octets:
    ten million people use those up in three days, so the truth counts on.
    """
    act: NDArray[np.int64]
    """The truth act that the message belongs to."""

    @property
    def n(self) -> int:
        """Number of messages."""
        return len(self.t_us)

    def message(self, i: int) -> bytes:
        """The i-th message, copied out."""
        return self.data[self.offsets[i] : self.offsets[i + 1]]

    @staticmethod
    def empty() -> WireBatch:
        """No messages."""
        return WireBatch(
            np.zeros(0, np.int64),
            b"",
            np.zeros(1, np.int64),
            np.zeros(0, np.uint8),
            np.zeros(0, np.bool_),
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
        )


def data_message(opc: int, dpc: int, sls: int, payload: bytes, corr: int = 0) -> bytes:
    """RFC 4666 3.3.1 with Protocol Data and Correlation Id only; the id comes last, so it can be patched."""
    label = _LABEL.pack(opc, dpc, SCCP_SERVICE_INDICATOR, NETWORK_INDICATOR, 0, sls)
    length = 4 + len(label) + len(payload)  # RFC 4666 3.2: the length leaves out the padding
    padding = -length % 4
    body = struct.pack(">HH", PROTOCOL_DATA, length) + label + payload + bytes(padding)
    body += struct.pack(">HHI", CORRELATION_ID, 8, corr)
    return struct.pack(">BBBBI", 1, 0, 1, 1, 8 + len(body)) + body
