"""The A interface in bytes: SCCP, BSSAP, BSSMAP, DTAP, short messages; and its procedures as ladders.

A reference codec, written from the specifications to be read. Bytes and values only: no socket, no
clock, no chance. `sccp`, `bssap`, `bssmap`, `dtap`, `sms` and `tpdu` each have `decode` and `encode`.
"""

from __future__ import annotations

from sim.bssap.errors import DecodeError, EncodeError
from sim.bssap.flat import view

__all__ = ["DecodeError", "EncodeError", "view"]
