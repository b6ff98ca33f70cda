"""How a capture is laid out, and what of it is written rarely, and so in Python: headers, control chunks.

The bulk, DATA, SACK and HEARTBEAT, is framed by `_frames`. Addresses, ports, tags and first TSNs follow from
the point codes alone, so that one world always gives the same capture.
"""

from __future__ import annotations

import ipaddress
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from sigtran._frames import crc32c

__all__ = [
    "LINK_TYPES",
    "SERVER_PORT",
    "Endpoint",
    "Framing",
    "Link",
    "cookie_ack",
    "cookie_echo",
    "file_head",
    "headers",
    "init",
    "init_ack",
    "number",
]

SERVER_PORT: Final = 2905
"""The SCTP port of M3UA (RFC 4666 7.2)."""
CLIENT_PORTS: Final = 10000
_WINDOW: Final = 1 << 20
_COOKIE: Final = bytes(range(32))
_SCTP: Final = 132
_UDP: Final = 17
_ETHER_TYPES: Final = {4: 0x0800, 6: 0x86DD}
_NETWORK: Final = ipaddress.IPv6Address("fd6b:6169:726f::")

Link = Literal["ethernet", "cooked", "cooked2", "raw", "loopback"]
LINK_TYPES: Final[Mapping[str, int]] = {
    "ethernet": 1, "cooked": 113, "cooked2": 276, "raw": 101, "loopback": 0,
}  # fmt: skip
"""Numbers of https://www.tcpdump.org/linktypes.html that we write; more are read."""


@dataclass(frozen=True, slots=True)
class Framing:
    """What the packets of a capture look like; the defaults are those of a tap on an Ethernet."""

    form: Literal["pcapng", "pcap"] = "pcapng"
    """The file's format; pcap has no room for the names of nodes or a comment."""
    link: Link = "ethernet"
    """Link layer of every packet."""
    vlan: int | None = None
    """Ethernet only: an 802.1Q tag with this number, 1 to 4094."""
    ip: Literal[4, 6] = 4
    """Version of IP."""
    udp_port: int | None = None
    """SCTP in UDP (RFC 6951) between this port and itself; None: SCTP on IP."""
    mtu: int = 1500
    """Longest IP packet in octets; a longer message becomes several DATA chunks."""
    bundle_us: int = 0
    """Messages of one direction that come this close one after the other share a packet; 0: none do."""
    nanoseconds: bool = False
    """Times in nanoseconds instead of microseconds."""
    byte_order: Literal["native", "little", "big"] = "native"
    """Of the file's own numbers."""
    sacks: bool = True
    """With acknowledgements."""
    heartbeat_s: float = 30.0
    """HB.Interval (RFC 9260 16): seconds of silence before a HEARTBEAT; 0: none are sent."""

    def __post_init__(self) -> None:
        least = 576 if self.ip == 4 else 1280  # RFC 791, RFC 8200 clause 5
        if self.link not in LINK_TYPES:
            raise ValueError(f"link {self.link!r}: expected one of {', '.join(LINK_TYPES)}")
        if self.vlan is not None and (self.link != "ethernet" or not 1 <= self.vlan <= 4094):
            raise ValueError(f"vlan {self.vlan}: expected 1 to 4094, on an Ethernet")
        if not least <= self.mtu <= 65535:
            raise ValueError(f"mtu {self.mtu}: expected {least} to 65535 with IPv{self.ip}")
        if self.udp_port is not None and not 1 <= self.udp_port <= 65535:
            raise ValueError(f"udp_port {self.udp_port}: expected 1 to 65535")
        if self.bundle_us < 0 or not 0 <= self.heartbeat_s <= 1e6:
            raise ValueError("bundle_us and heartbeat_s are not below 0, and heartbeat_s is at most 1e6")

    @property
    def order(self) -> Literal["<", ">"]:
        """The byte order as `struct` spells it."""
        little = sys.byteorder == "little" if self.byte_order == "native" else self.byte_order == "little"
        return "<" if little else ">"

    @property
    def swapped(self) -> bool:
        """Whether it is not this machine's."""
        return (self.order == "<") != (sys.byteorder == "little")

    @property
    def link_octets(self) -> int:
        """Length of the link header."""
        node = Endpoint(0)
        return len(_link(self, node, node, to_server=True))


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
    def ipv6(self) -> ipaddress.IPv6Address:
        """A unique local address that ends in the point code."""
        return _NETWORK + self.point_code

    @property
    def mac(self) -> bytes:
        """A locally administered address with the octets of the point code."""
        return b"\x02\x00\x00" + self.point_code.to_bytes(3, "big")


def number(sender: int, receiver: int, purpose: int) -> int:
    """A number other than 0 that looks drawn, from two point codes: a verification tag, a first TSN."""
    return crc32c(struct.pack("!IIB", sender, receiver, purpose)) or 1


# --------------------------------------------------------------------------- packets


def headers(
    framing: Framing,
    sender: Endpoint,
    receiver: Endpoint,
    ports: tuple[int, int],
    tag: int,
    *,
    to_server: bool,
) -> bytes:
    """Link, IP (RFC 791, RFC 8200), perhaps UDP (RFC 6951) and SCTP common header (RFC 9260 3.1).

    `ports` are SCTP's, source and destination. Lengths and checksums are 0, to be filled in per packet.
    """
    protocol = _SCTP if framing.udp_port is None else _UDP
    if framing.ip == 4:
        # Version 4, header of 5 words, DSCP 0; DF; TTL 64.
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0x4000, 64, protocol, 0)
        ip += sender.ip.packed + receiver.ip.packed
    else:
        ip = struct.pack("!IHBB", 6 << 28, 0, protocol, 64) + sender.ipv6.packed + receiver.ipv6.packed
    udp = b"" if framing.udp_port is None else struct.pack("!HHHH", framing.udp_port, framing.udp_port, 0, 0)
    link = _link(framing, sender, receiver, to_server=to_server)
    return link + ip + udp + struct.pack("!HHII", *ports, tag, 0)


def _link(framing: Framing, sender: Endpoint, receiver: Endpoint, *, to_server: bool) -> bytes:
    ether_type = struct.pack("!H", _ETHER_TYPES[framing.ip])
    # The tap stands at the server: what goes to it was sent to us (0), the rest by us (4).
    kind = 0 if to_server else 4
    match framing.link:
        case "ethernet":
            tag = b"" if framing.vlan is None else struct.pack("!HH", 0x8100, framing.vlan)
            return receiver.mac + sender.mac + tag + ether_type
        case "cooked":
            return struct.pack("!HHH8s", kind, 1, 6, sender.mac) + ether_type
        case "cooked2":
            return ether_type + struct.pack("!HIHBB8s", 0, 1, 1, kind, 6, sender.mac)
        case "loopback":
            # The family as the machine that captured has it, in its own byte order: 2 is IPv4 everywhere.
            return struct.pack(framing.order + "I", 2 if framing.ip == 4 else 30)
        case "raw":
            return b""


# --------------------------------------------------------------------------- the file's own blocks


def file_head(framing: Framing, names: Mapping[int, str], comment: str) -> bytes:
    """What a file begins with: format, one interface, resolution, names of the nodes by point code."""
    order, link = framing.order, LINK_TYPES[framing.link]
    if framing.form == "pcap":
        magic = 0xA1B23C4D if framing.nanoseconds else 0xA1B2C3D4
        return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    end = _option(order, 0, b"")
    options = _option(order, 1, comment.encode()) if comment else b""
    options += _option(order, 4, b"kairos") + end
    out = _block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options)
    resolution = b"\x09" if framing.nanoseconds else b"\x06"
    options = _option(order, 2, b"A interface") + _option(order, 9, resolution) + end
    out += _block(order, 1, struct.pack(order + "HHI", link, 0, 0) + options)
    if names:
        kind = 1 if framing.ip == 4 else 2
        records = [
            _option(order, kind, (node.ip if framing.ip == 4 else node.ipv6).packed + name.encode() + b"\0")
            for node, name in ((Endpoint(code), name) for code, name in names.items())
        ]
        out += _block(order, 4, b"".join(records) + end)
    return out


def _block(order: str, kind: int, body: bytes) -> bytes:
    total = 12 + len(body) + (-len(body) % 4)
    return (
        struct.pack(order + "II", kind, total)
        + body
        + bytes(-len(body) % 4)
        + struct.pack(order + "I", total)
    )


def _option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


# --------------------------------------------------------------------------- chunks


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
