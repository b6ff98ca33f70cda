"""Where the fuzzers start: messages and captures of all procedures, in the form that the C targets read."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import product

from sim.bssap import bssap, bssmap, dtap, sccp, sms
from sim.bssap.errors import EncodeError
from sim.bssap.procedures import LADDERS, Params, Step, ladder

#: Layers of signalling.c, in its order.
M3UA, SCCP, USER, BSSMAP, DTAP, LAYER_3, RP, TPDU = range(8)
UPLINK = 0x80
#: Messages that one input of the correlator holds, and octets of one.
MESSAGES_MAX, OCTETS_MAX = 24, 255


def _stories() -> Iterator[tuple[Step, ...]]:
    for kind in LADDERS:
        for identity, handover, ask in product(("tmsi", "imsi"), (False, True), (False, True)):
            try:
                yield ladder(kind, Params(identity=identity, handover=handover, ask_identity=ask))
            except EncodeError:
                continue


def _inner(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """The message at each layer that can stand alone."""
    yield SCCP, payload
    data = sccp.decode(payload).data
    if data is None:
        return
    yield USER, data
    user = bssap.decode(data)
    if user.discrimination == bssap.BSSMAP:
        yield BSSMAP, user.payload
        layer_3 = bssmap.decode(user.payload).get("Layer 3 Information")
        if layer_3:
            yield LAYER_3, layer_3
        return
    yield DTAP, user.payload
    content = dtap.decode(user.payload).message.get("CP-User data")
    if content:
        yield RP, content
        tpdu = sms.decode_rp(content).message.get("RP-User data")
        if tpdu:
            yield TPDU, tpdu


def messages() -> set[bytes]:
    """Inputs of the target `decode`."""
    found = {bytes([M3UA]) + octets for octets in management()}
    for story in _stories():
        for step in story:
            direction = UPLINK * step.uplink
            found |= {bytes([layer | direction]) + octets for layer, octets in _inner(step.payload)}
    return found


def management() -> Iterator[bytes]:
    """M3UA messages: DATA with every optional parameter, and one of each other class (RFC 4666 3.3-3.8)."""
    rlc = bytes.fromhex("05010203040506")
    label = struct.pack("!IIBBBB", 257, 1, 3, 2, 0, 5)
    data = struct.pack("!HH", 0x0210, 4 + len(label + rlc)) + label + rlc + b"\0"
    front = bytes.fromhex("0200000800000001 0006000800000007")
    body = front + data + bytes.fromhex("00130008000004d2")
    yield struct.pack("!BBBBI", 1, 0, 1, 1, 8 + len(body)) + body
    for numbers in ((0, 0), (0, 1), (2, 1), (3, 1), (3, 3), (4, 1), (9, 1)):
        yield struct.pack("!BBBBI", 1, 0, *numbers, 16) + bytes.fromhex("000c000800000007")


def streams() -> Iterator[bytes]:
    """Inputs of the target `correlate`: whole stories, under several options."""
    for options, story in product((0, 1, 17, 31), _stories()):
        parts = [bytes([options])]
        for step in story[:MESSAGES_MAX]:
            if len(step.payload) <= OCTETS_MAX:
                parts.append(bytes([SCCP | UPLINK * step.uplink, 15, len(step.payload)]) + step.payload)
        yield b"".join(parts)


def captures() -> Iterator[bytes]:
    """Inputs of the target `capture`: pcap and pcapng, several link types, IPv4, IPv6 and UDP."""
    m3ua = next(management())
    for fragments in (1, 3):
        sctp = struct.pack("!HHII", 2905, 2905, 7, 0)
        size = -(-len(m3ua) // fragments)
        for i in range(fragments):
            part = m3ua[i * size : (i + 1) * size]
            flags = 2 * (i == 0) | (i == fragments - 1)
            chunk = struct.pack("!BBHIHHI", 0, flags, 16 + len(part), 100 + i, 1, 0, 3) + part
            sctp += chunk + bytes(-len(chunk) % 4)
        udp = struct.pack("!HHHH", 9899, 9899, 8 + len(sctp), 0) + sctp
        for protocol, inner in ((132, sctp), (17, udp)):
            four = struct.pack(
                "!BBHHHBBH4s4s", 0x45, 0, 20 + len(inner), 0, 0, 64, protocol, 0, b"\n\0\0\1", b"\n\0\0\2"
            )
            six = struct.pack("!IHBB16s16s", 6 << 28, len(inner), protocol, 64, b"\1" * 16, b"\2" * 16)
            for link, frame in (
                (1, bytes(12) + b"\x08\0" + four + inner),
                (1, bytes(12) + b"\x81\0\0\1\x86\xdd" + six + inner),
                (113, bytes(14) + b"\x08\0" + four + inner),
                (276, b"\x86\xdd" + bytes(18) + six + inner),
                (101, four + inner),
                (0, b"\2\0\0\0" + four + inner),
                (248, sctp),
            ):
                yield from _files(link, frame)


def _files(link: int, frame: bytes) -> Iterator[bytes]:
    padded = frame + bytes(-len(frame) % 4)
    for order in ("<", ">"):
        packet = struct.pack(order + "IIII", 1, 2, len(frame), len(frame)) + frame
        yield b"\0" + struct.pack(order + "IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link) + packet * 2
        section = struct.pack(order + "IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        options = struct.pack(order + "HHB3xHHqHH", 9, 1, 9, 14, 8, 3600, 0, 0)
        length = 20 + len(options)
        interface = (
            struct.pack(order + "IIHHI", 1, length, link, 0, 0) + options + struct.pack(order + "I", length)
        )
        length = 32 + len(padded)
        enhanced = struct.pack(order + "IIIIIII", 6, length, 0, 5, 6, len(frame), len(frame)) + padded
        yield b"\2" + section + interface + 2 * (enhanced + struct.pack(order + "I", length))
