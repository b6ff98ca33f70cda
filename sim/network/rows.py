"""The variable octets of one ladder instance, side by side in the form in which they stand on the wire.

A row is a fixed part followed by the called number, the calling number and the TPDU, whose lengths belong
to the template. Templates know for each octet of a message from which octet of the row it comes
(`sim.network.encode`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sim.bssap.identity import encode_plmn
from sim.bssap.octets import push_bcd

FIXED: Final = struct.Struct(">8s8sIIHHHHH3s3s3s3sHH16s4s8sBB2sIIIIBB4s3s")

TRANSACTION_OCTETS: Final = tuple(
    bytes(flag << 7 | ti << 4 | discriminator for discriminator in (3, 9) for flag in (0, 1))
    for ti in range(7)
)
"""TS 24.007 11.2.3.1: transaction identifier beside the discriminators of call control and SMS, both
flags.
"""


@dataclass(frozen=True, slots=True)
class Values:
    """What changes from one instance of a ladder to the next, as the reference codec takes it."""

    imsi: str
    imei: str
    tmsi: int
    new_tmsi: int
    lac: int
    ci: int
    old_lac: int
    lac2: int
    ci2: int
    bss_ref: int
    msc_ref: int
    bss_ref2: int
    msc_ref2: int
    cic: int
    cic2: int
    rand: bytes
    sres: bytes
    kc: bytes
    rp_ref: int
    ti: int
    """Transaction identifier value, 0-6."""
    ho_ref: int
    ho_cell: bytes
    """RR cell description of the handover target."""
    bsc: int
    """Point code of the BSC of leg 0."""
    bsc2: int
    """Point code of the BSC of leg 1."""
    msc: int
    msc2: int
    """Point code of the MSC of leg 1."""
    sls: int
    sls2: int
    old_mcc: str = "001"
    """Network of the old location area."""
    old_mnc: str = "01"
    called: str = ""
    calling: str = ""
    tpdu: bytes = b""


@lru_cache(maxsize=1 << 17)
def bcd(digits: str) -> bytes:
    """Semi-octets of a number."""
    return push_bcd(digits, "number")


def identity_octets(digits: str, kind: int) -> bytes:
    """TS 24.008 10.5.1.4: mobile identity of 15 digits; kind 1 IMSI, 2 IMEI."""
    n = [ord(c) - 48 for c in digits]
    return bytes([n[0] << 4 | 8 | kind, *(n[i] | n[i + 1] << 4 for i in range(1, 15, 2))])


def pack_row(values: Values) -> bytes:
    """The row of these values."""
    v = values
    return (
        FIXED.pack(
            identity_octets(v.imsi, 1),
            identity_octets(v.imei, 2),
            v.tmsi,
            v.new_tmsi,
            v.lac,
            v.ci,
            v.old_lac,
            v.lac2,
            v.ci2,
            v.bss_ref.to_bytes(3, "big"),
            v.msc_ref.to_bytes(3, "big"),
            v.bss_ref2.to_bytes(3, "big"),
            v.msc_ref2.to_bytes(3, "big"),
            v.cic,
            v.cic2,
            v.rand,
            v.sres,
            v.kc,
            v.rp_ref,
            v.ho_ref,
            v.ho_cell,
            v.bsc,
            v.bsc2,
            v.msc,
            v.msc2,
            v.sls,
            v.sls2,
            TRANSACTION_OCTETS[v.ti],
            encode_plmn(v.old_mcc, v.old_mnc),
        )
        + bcd(v.called)
        + bcd(v.calling)
        + v.tpdu
    )
