"""BSSAP: what tells BSSMAP from DTAP and carries the DLCI. TS 48.006 9.3."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap.errors import DecodeError, EncodeError, writer
from sim.bssap.octets import Reader, push_lv, push_uint

#: TS 48.006 9.3.2: discrimination bit.
BSSMAP = 0
DTAP = 1


@dataclass(frozen=True, slots=True)
class Bssap:
    """The user data of an SCCP message."""

    discrimination: int
    """BSSMAP or DTAP."""
    payload: bytes
    dlci: int = 0
    """Data link connection identification: SAPI in bits 3-1, control channel in bits 8-7. DTAP only."""

    @property
    def sapi(self) -> int:
        return self.dlci & 7


def decode(data: bytes) -> Bssap:
    """Discrimination, DLCI (DTAP alone), and the octets announced; DecodeError where more follow."""
    reader = Reader(data)
    discrimination = reader.pull_u8()
    if discrimination not in (BSSMAP, DTAP):
        raise DecodeError(f"BSSAP discrimination 0x{discrimination:02x} is unknown")
    dlci = reader.pull_u8() if discrimination == DTAP else 0
    payload = reader.pull_lv()
    if reader.remaining:
        raise DecodeError(f"BSSAP: {reader.remaining} octets behind the indicated length")
    if not payload:
        raise DecodeError("BSSAP: empty")
    return Bssap(discrimination, payload, dlci)


@writer("BSSAP")
def encode(value: Bssap) -> bytes:
    """Mirror of `decode`; EncodeError where there is nothing to carry, or more than 255 octets."""
    if value.discrimination not in (BSSMAP, DTAP):
        raise EncodeError(f"BSSAP discrimination {value.discrimination}")
    if not value.payload:
        raise EncodeError("BSSAP: empty")
    head = bytes([value.discrimination])
    if value.discrimination == DTAP:
        head += push_uint(value.dlci, 1, "DLCI")
    return head + push_lv(value.payload, "BSSAP")
