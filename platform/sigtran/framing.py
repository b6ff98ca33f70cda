"""Headers and chunks of a simulated SCTP association: what is written rarely, and so in Python.

The bulk, DATA and SACK, is framed by `_frames`. Addresses, ports, tags and first TSNs follow from the point
codes alone, so that one world always gives the same capture.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass
from typing import Final

from sigtran._frames import crc32c

__all__ = ["SERVER_PORT", "Endpoint", "cookie_ack", "cookie_echo", "headers", "init", "init_ack", "number"]

SERVER_PORT: Final = 2905
"""The SCTP port of M3UA (RFC 4666 7.2)."""
CLIENT_PORTS: Final = 10000
_WINDOW: Final = 1 << 20
_COOKIE: Final = bytes(range(32))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One node as the tap sees it."""

    point_code: int
    """24 bits."""
    name: str = ""
    """Shown by Wireshark in place of the address, where given."""

    def __post_init__(self) -> None:
        if not 0 <= self.point_code < 1 << 24:
            raise ValueError(f"point code {self.point_code} is not of 24 bits")

    @property
    def ip(self) -> ipaddress.IPv4Address:
        """10.x.y.z with the octets of the point code."""
        return ipaddress.IPv4Address((10 << 24) | self.point_code)

    @property
    def mac(self) -> bytes:
        """A locally administered address with the octets of the point code."""
        return b"\x02\x00\x00" + self.point_code.to_bytes(3, "big")


def number(sender: int, receiver: int, purpose: int) -> int:
    """A number other than 0 that looks drawn, from two point codes: a verification tag, a first TSN."""
    return crc32c(struct.pack("!IIB", sender, receiver, purpose)) or 1


def headers(sender: Endpoint, receiver: Endpoint, source_port: int, destination_port: int, tag: int) -> bytes:
    """Ethernet, IPv4 (RFC 791) and SCTP common header (RFC 9260 3.1); lengths and checksums are 0."""
    ethernet = receiver.mac + sender.mac + b"\x08\x00"
    # Version 4, header of 5 words, DSCP 0; DF; TTL 64; protocol 132 is SCTP.
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0x4000, 64, 132, 0) + sender.ip.packed + receiver.ip.packed
    return ethernet + ip + struct.pack("!HHII", source_port, destination_port, tag, 0)


def _chunk(kind: int, value: bytes) -> bytes:
    """RFC 9260 3.2, padded to four octets."""
    return struct.pack("!BBH", kind, 0, 4 + len(value)) + value + bytes(-len(value) % 4)


def init(tag: int, streams: int, tsn: int) -> bytes:
    """RFC 9260 3.3.2."""
    return _chunk(1, struct.pack("!IIHHI", tag, _WINDOW, streams, streams, tsn))


def init_ack(tag: int, streams: int, tsn: int) -> bytes:
    """RFC 9260 3.3.3, with the State Cookie parameter."""
    cookie = struct.pack("!HH", 7, 4 + len(_COOKIE)) + _COOKIE
    return _chunk(2, struct.pack("!IIHHI", tag, _WINDOW, streams, streams, tsn) + cookie)


def cookie_echo() -> bytes:
    """RFC 9260 3.3.11."""
    return _chunk(10, _COOKIE)


def cookie_ack() -> bytes:
    """RFC 9260 3.3.12."""
    return _chunk(11, b"")
