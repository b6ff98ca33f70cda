"""Random contents for every element that the codec writes: identities, numbers, places, texts, containers.

`value_of(rng, element)` draws by the element's name; where no row says how, by its codec and its length.
Reserved codings are left out, so that a judge who complains complains of the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from sim.bssap import gsm7, mm, mm_elements
from sim.bssap.bssmap_elements import ChannelType, CircuitIdentityCode, EncryptionInformation
from sim.bssap.cc_elements import BearerCapability, Cause, PartyNumber, Progress
from sim.bssap.cells import DISCRIMINATORS, Cell, CellIdentifier
from sim.bssap.elements import FLAG, U8, U16, Element
from sim.bssap.identity import Lai, MobileIdentity, encode_plmn
from sim.bssap.tpdu import Timestamp

__all__ = ["digits", "gsm_text", "identity", "number", "octets", "time_stamp", "value_of"]

_GSM: Final = [character for character in gsm7.DEFAULT if character not in "\x1b\r\n\f"]
_EXTENSION: Final = [character for character in gsm7.EXTENSION.values() if character != "\f"]
_WIDE: Final = "您好欢迎使用中国移动通信平台套餐流量话费余额Привет мирαβγ日本語한국어😀🎉🏀€“”"
#: TS 24.008 table 10.5.123.
_CC_CAUSES: Final = (
    1,
    3,
    6,
    8,
    16,
    17,
    18,
    19,
    21,
    22,
    25,
    26,
    27,
    28,
    29,
    30,
    31,
    34,
    38,
    41,
    42,
    43,
    44,
    47,
    49,
    50,
    55,
    57,
    58,
    63,
    65,
    68,
    69,
    70,
    79,
    81,
    87,
    88,
    91,
    95,
    96,
    97,
    98,
    99,
    100,
    101,
    102,
    111,
    127,
)


def octets(rng: Random, low: int, high: int | None = None) -> bytes:
    return rng.randbytes(low if high is None else rng.randint(low, high))


def digits(rng: Random, low: int, high: int, alphabet: str = "0123456789") -> str:
    return "".join(rng.choices(alphabet, k=rng.randint(low, high)))


def plmn(rng: Random) -> tuple[str, str]:
    return digits(rng, 3, 3), digits(rng, 2, 3)


def imsi(rng: Random) -> str:
    return digits(rng, 15, 15) if rng.random() < 0.7 else digits(rng, 6, 14)


def identity(rng: Random, kinds: tuple[str, ...] = ("IMSI", "TMSI", "IMEI", "IMEISV")) -> MobileIdentity:
    kind = rng.choice(kinds)
    if kind == "TMSI":
        return MobileIdentity(kind, tmsi=rng.getrandbits(32))
    return MobileIdentity(
        kind, {"IMEI": digits(rng, 15, 15), "IMEISV": digits(rng, 16, 16)}.get(kind, imsi(rng))
    )


def number(rng: Random, *, origin: bool = False, most: int = 20) -> PartyNumber:
    """Any type and plan; `origin`: with presentation and screening in half of the cases."""
    kind, written = rng.choice((0, 0, 1, 2, 3, 4)), digits(rng, 3, most)
    if kind == 0 and rng.random() < 0.4:
        written = digits(rng, 1, most, "0123456789*#abc")  # what only a dialled string has
    indicators = None
    if origin and rng.random() < 0.5:
        indicators = rng.choice((0, 1, 2)) << 5 | rng.randrange(4)
    return PartyNumber(written, kind, rng.choice((0, 1, 3, 8, 9)), indicators)


def gsm_text(rng: Random, septets: int) -> str:
    """Text of the default alphabet with its extension that takes at most so many septets."""
    out: list[str] = []
    left = rng.randint(0, septets)
    while left > 0:
        wide = left > 1 and rng.random() < 0.05
        out.append(rng.choice(_EXTENSION if wide else _GSM))
        left -= 1 + wide
    return "".join(out)


def wide_text(rng: Random, units: int) -> str:
    """Text that takes at most so many UTF-16 units, surrogates among them."""
    out, left = "", rng.randint(0, units)
    while left > 0:
        character = rng.choice(_WIDE)
        if len(character.encode("utf-16-be")) // 2 <= left:
            out += character
        left -= len(character.encode("utf-16-be")) // 2
    return out


def time_stamp(rng: Random) -> Timestamp:
    return Timestamp.of(
        rng.randrange(2000, 2100),
        rng.randint(1, 12),
        rng.randint(1, 28),
        rng.randrange(24),
        rng.randrange(60),
        rng.randrange(60),
        rng.randint(-48, 56),
    )


def cell(rng: Random, choices: tuple[int, ...], most: int = 1) -> CellIdentifier:
    discriminator = rng.choice(choices)
    if discriminator == 12 and rng.random() < 0.8:
        discriminator = 0
    cells = []
    for _ in range(rng.randint(1, most) if DISCRIMINATORS[discriminator] else 0):
        values: dict[str, Any] = {}
        for part in DISCRIMINATORS[discriminator]:
            if part == "plmn":
                values["mcc"], values["mnc"] = plmn(rng)
            else:
                values[part] = rng.getrandbits(16)
        cells.append(Cell(**values))
    return CellIdentifier(discriminator, tuple(cells))


def _channel_type(rng: Random) -> ChannelType:
    """TS 48.008 3.2.2.11: speech with permitted versions, data with rate, or signalling."""
    kind = rng.choice((1, 1, 2, 3))
    if kind == 1:
        versions = rng.sample((0x01, 0x05, 0x11, 0x15, 0x21, 0x25), rng.randint(1, 6))
        rest = bytes(v | (0x80 if i < len(versions) - 1 else 0) for i, v in enumerate(versions))
        return ChannelType(1, rng.choice((0x08, 0x09, 0x0A, 0x0B, 0x0F)), rest)
    if kind == 2:
        return ChannelType(
            2, rng.choice((0x08, 0x09, 0x0A, 0x0B)), bytes([rng.choice((0x10, 0x11, 0x12, 0x14))])
        )
    return ChannelType(3, rng.choice((0x00, 0x01, 0x02, 0x03)), b"\x00")


def _codec(rng: Random) -> bytes:
    """One speech codec element, TS 48.008 3.2.2.103, with the configuration that its type wants."""
    kind = rng.choice((0, 1, 2, 3, 4, 9, 0xB, 0xC, 0xD, 0xF))
    size = {3: 2, 4: 2, 0xB: 2, 9: 1, 0xC: 1, 0xD: 1, 0xF: 0}.get(kind, 0)
    if kind == 0xF:  # the extended type CSData
        return bytes([rng.choice((0x5F, 0x6F, 0x7F)), 0xFD, rng.choice((0x00, 0x40, 0x80, 0xC0))])
    return bytes([rng.randrange(16) << 4 | kind]) + rng.randbytes(size)


def _circuits(rng: Random) -> bytes:
    """TS 48.008 3.2.2.31: range, and a status bit for each circuit."""
    last = rng.randint(1, 31)
    return bytes([last]) + rng.randbytes((last + 8) // 8)


def _lsa_information(rng: Random) -> bytes:
    return bytes([rng.randrange(2)]) + b"".join(
        bytes([rng.randrange(64)]) + rng.randbytes(3) for _ in range(rng.randint(1, 4))
    )


def _estimate(rng: Random) -> bytes:
    """TS 23.032: ellipsoid point, or with an uncertainty circle."""
    circle = rng.random() < 0.5
    return bytes([0x10 * circle]) + rng.randbytes(6) + bytes([rng.randrange(128)] if circle else [])


def _cell_segment(rng: Random) -> bytes:
    """TS 48.008 3.2.2.27a: sequence length and number, and a list of LACs and CIs."""
    return bytes([0x11, 0x01]) + rng.randbytes(4 * rng.randint(1, 3))


def _emergency_numbers(rng: Random) -> bytes:
    """TS 24.008 10.5.3.13."""
    out = b""
    for _ in range(rng.randint(1, 4)):
        written = rng.randbytes(2).hex().translate(str.maketrans("abcdef", "012345"))
        out += bytes([3, rng.randrange(1, 32)]) + bytes.fromhex(written)
    return out


def _cause(rng: Random) -> Cause:
    return Cause(rng.choice(_CC_CAUSES), rng.choice((0, 1, 2, 3, 4, 5, 7, 10)))


def _network_name(rng: Random) -> mm_elements.NetworkName:
    if rng.random() < 0.4:
        return mm_elements.network_name(wide_text(rng, 12), ucs2=True)
    return mm_elements.network_name(gsm_text(rng, 20))


def _word(rng: Random) -> bytes:
    """An identity of the operator's own, here letters."""
    return digits(rng, 1, 20, "ABCDEFGHIJKLMNOPQRSTUVWXYZ").encode()


def _old_to_new(rng: Random) -> bytes:
    """TS 48.008 3.2.2.58: extra information, current channel type 2, cell load information."""
    parts = [bytes([1, 1, rng.randrange(8)]), bytes([2, 2, rng.randrange(16), rng.randrange(16)])]
    return b"".join(rng.sample(parts, rng.randint(1, 2)))


def _lv(data: bytes) -> bytes:
    return bytes([len(data)]) + data


_Draw = Callable[[Random], Any]
_CELL: Final = (0, 1, 2, 3, 8, 9, 10, 11, 12)
_CELLS: Final = (0, 1, 2, 3, 4, 5, 6, 8, 9, 10)


def _pick(*values: Any) -> _Draw:
    return lambda rng: rng.choice(values)


def _some(low: int, high: int | None = None) -> _Draw:
    return lambda rng: octets(rng, low, high)


def _frequencies(size: int) -> _Draw:
    """A frequency list of the format "bit map 0", TS 44.018 10.5.2.13.2."""
    return lambda rng: bytes([rng.randrange(256) & 0x31]) + rng.randbytes(size - 1)


_SUBADDRESS: Final = lambda rng: b"\x80\x50" + digits(rng, 1, 8).encode()  # noqa: E731 - NSAP, TS 24.008 10.5.4.8

#: By element name, BSSMAP and DTAP together.
_DRAWS: Final[dict[str, _Draw]] = {
    # TS 48.008 3.2.2
    "Circuit Identity Code": lambda r: CircuitIdentityCode(r.getrandbits(16)),
    "Cell Identifier": lambda r: cell(r, _CELL),
    "Cell Identifier List": lambda r: cell(r, _CELLS, 6),
    "Layer 3 Header Information": lambda r: bytes([r.choice((3, 5, 9)), r.choice((0x00, 0x03, 0x83))]),
    "IMSI": imsi,
    "TMSI": lambda r: r.getrandbits(32),
    "Encryption Information": lambda r: EncryptionInformation(r.randrange(1, 256), r.randbytes(8)),
    "Channel Type": _channel_type,
    "Classmark Information Type 2": lambda r: bytes(
        [r.choice((0x33, 0x53, 0x57)), r.randrange(128) & 0x7B, r.randrange(256)]
    ),
    "Classmark Information Type 3": _pick(
        b"\x60\x14\x00", bytes.fromhex("601400"), bytes.fromhex("7014008000")
    ),
    "Circuit Identity Code List": _circuits,
    "Diagnostic": lambda r: bytes([r.randrange(1, 20), r.randrange(9)]) + octets(r, 1, 12),
    "TriggerID": _word,
    "TransactionID": _some(2),
    "OMCID": _word,
    "Mobile Identity": identity,
    "Circuit Pool List": _some(1, 8),
    "Resource Situation": lambda r: b"\x01\x04" + r.randbytes(4),
    "Group Call Reference": lambda r: r.randbytes(4) + bytes([r.randrange(16) << 4]),
    "Old BSS to New BSS Information": _old_to_new,
    "New BSS to Old BSS Information": _old_to_new,
    "Inter-System Information": _old_to_new,
    "LSA Identifier": _some(3),
    "LSA Identifier List": lambda r: bytes([r.randrange(2)]) + r.randbytes(3 * r.randint(1, 4)),
    "LSA Information": _lsa_information,
    "LCS QoS": lambda r: bytes([r.randrange(4), r.randrange(256), r.randrange(256), r.randrange(4) << 6]),
    "LCS Priority": _pick(b"\x00", b"\x01"),
    "Location Type": lambda r: r.choice(
        (b"\x00", b"\x01" + bytes([r.randrange(4)]), b"\x02" + bytes([r.randrange(4)]))
    ),
    "Location Estimate": _estimate,
    "Positioning Data": lambda r: (
        b"\x00" + bytes(r.randrange(12) << 3 | r.randrange(5) for _ in range(r.randint(1, 4)))
    ),
    "LCS Cause": lambda r: bytes([r.randrange(18)]),
    "LCS Client Type": _pick(b"\x00", b"\x02", b"\x03", b"\x20", b"\x21", b"\x22", b"\x30", b"\x40"),
    # BSSLAP, TS 48.071: TA REQUEST, or REJECT with its cause.
    "APDU": lambda r: b"\x01" + r.choice((b"\x01", b"\x0a\x18" + bytes([r.randrange(5)]))),
    "Network Element Identity": lambda r: b"\x01" + r.randbytes(2),
    "Deciphering Keys": _some(15),
    "Return Error Request": _pick(b"\x00"),
    "Return Error Cause": _pick(b"\x00", b"\x01", b"\x02"),
    "Service Handover": lambda r: bytes([r.randrange(4)]),
    "AoIP Transport Layer Address": lambda r: octets(r, r.choice((6, 18))),
    "Speech Codec List": lambda r: b"".join(_codec(r) for _ in range(r.randint(1, 5))),
    "Speech Codec": _codec,
    "Call Identifier List": lambda r: r.randbytes(4 * r.randint(0, 5)),
    "CSG Identifier": lambda r: r.randbytes(3) + bytes([r.randrange(8) << 5 | 0, r.randrange(2)]),
    "Global Call Reference": lambda r: _lv(r.randbytes(3)) + _lv(r.randbytes(2)) + _lv(r.randbytes(5)),
    "Talker Identity": lambda r: b"\x00" + octets(r, 1, 17),
    "VSTK_RAND Information": lambda r: bytes([r.randrange(16)]) + r.randbytes(4),
    "VSTK Information": _some(16),
    "VGCS Feature Flags": lambda r: bytes([r.randrange(16)]),
    "Paging Information": lambda r: bytes([r.randrange(2)]),
    "SNA Access Information": lambda r: encode_plmn(*plmn(r)) + b"\x00",
    "IMEI": lambda r: identity(r, ("IMEI", "IMEISV")),
    "MSISDN": lambda r: b"\x91" + bytes.fromhex("6831"),
    "Application Data": _some(9),
    "Data Identity": _some(1),
    "Application Data Information": _some(1),
    "Cell Identifier List Segment": _cell_segment,
    "Cell Identifier List Segment for established cells": _cell_segment,
    "Cell Identifier List Segment for cells to be established": _cell_segment,
    "Cell Identifier List Segment for released cells - no user present": _cell_segment,
    "Cell Identifier List Segment for not established cells - no establishment possible": _cell_segment,
    "VGCS/VBS Cell Status": lambda r: bytes([r.randrange(4)]),
    "SMS to VGCS": lambda r: bytes([r.randrange(256)]) + bytes.fromhex("0791683108201005") + b"\0\0",
    "GANSS Location Type": lambda r: bytes([r.randrange(3)]),
    "GANSS Positioning Data": lambda r: bytes([r.randrange(256)]),
    "Velocity Estimate": lambda r: bytes([r.randrange(2)]) + r.randbytes(3),
    "GERAN Classmark": _pick(b"\x00", b"\x00\x00\x00", b"\x40\x00"),
    "Selected PLMN ID": lambda r: encode_plmn(*plmn(r)),
    "Last used E-UTRAN PLMN ID": lambda r: encode_plmn(*plmn(r)),
    # TS 24.008 10.5, TS 44.018 10.5
    "Location area identification": lambda r: Lai(*plmn(r), r.getrandbits(16)),
    "Mobile identity": identity,
    "Mobile Equipment Identity": lambda r: identity(r, ("IMEISV",)),
    "Mobile station classmark 2": lambda r: bytes(
        [r.choice((0x33, 0x53, 0x57)), r.randrange(128) & 0x7B, r.randrange(256)]
    ),
    "Mobile station classmark for UMTS": _pick(b"\x33\x18\x81", b"\x57\x58\xa6"),
    "Mobile Station Classmark 3": _pick(b"\x60\x14\x00", bytes.fromhex("7014008000")),
    "Ciphering key sequence number": lambda r: r.randrange(8),
    "Spare half octet": _pick(0),
    "Location updating type": _pick(0, 1, 2, 8, 9, 10),
    "Identity type": _pick(1, 2, 3, 4),
    "CM service type": _pick(1, 2, 4, 8, 9, 10, 11),
    "Reject cause": _pick(
        2,
        3,
        4,
        5,
        6,
        11,
        12,
        13,
        15,
        17,
        20,
        21,
        22,
        25,
        32,
        33,
        34,
        38,
        48,
        95,
        96,
        97,
        98,
        99,
        100,
        101,
        111,
    ),
    "Authentication response parameter (extension)": _some(1, 12),
    "Equivalent PLMNs": lambda r: b"".join(encode_plmn(*plmn(r)) for _ in range(r.randint(1, 15))),
    "Emergency Number List": _emergency_numbers,
    "PD and SAPI": lambda r: r.choice((0, 3)) << 4 | r.choice((3, 5, 9, 11)),
    "Full name for network": _network_name,
    "Short name for network": _network_name,
    "Local time zone": lambda r: mm_elements.TimeZone(time_stamp(r).octets[6]),
    "Universal time and local time zone": time_stamp,
    "LSA Identity": _some(3),
    "Network Daylight Saving Time": _pick(0, 1, 2),
    "T3246 value": lambda r: r.randrange(3) << 5 | r.randrange(32),
    "Per MS T3212": lambda r: r.randrange(3) << 5 | r.randrange(32),
    "Description of the first channel, after time": lambda r: bytes(
        [r.choice((8, 9, 15)), r.randrange(16) & 0xEF, r.randrange(256)]
    ),
    "Cell Channel Description": _frequencies(16),
    "Frequency Short List, after time": _frequencies(9),
    "Frequency List, after time": _frequencies(16),
    "Mobile Allocation, after time": _some(1, 8),
    "MultiRate configuration": _pick(b"\x20\x84"),
    "Bearer capability": lambda r: BearerCapability(
        r.choice(
            (
                bytes.fromhex("a0"),
                bytes.fromhex("600402000581"),
                bytes.fromhex("6080"),
                bytes.fromhex("a2b8816181"),
            )
        )
    ),
    "Cause": _cause,
    "Progress indicator": lambda r: Progress(
        r.choice((1, 2, 3, 4, 8, 32, 64)), r.choice((0, 1, 2, 4, 5, 10)), r.choice((0, 3))
    ),
    "Repeat indicator": _pick(1, 2, 3),
    "Call Control Capabilities": lambda r: (
        bytes([r.randrange(16) << 4 | r.randrange(8)]) + r.choice((b"", bytes([r.randrange(16)])))
    ),
    "Supported Codecs": lambda r: bytes([r.choice((0, 4)), 2]) + r.randbytes(2),
    "User-user": lambda r: b"\x04" + octets(r, 1, 30).hex().encode()[:32],
    "Calling party BCD number": lambda r: number(r, origin=True),
    "Called party BCD number": number,
    "Connected number": lambda r: number(r, origin=True, most=12),
    "Redirecting party BCD number": lambda r: number(r, origin=True),
    "Called party subaddress": _SUBADDRESS,
    "Calling party subaddress": _SUBADDRESS,
    "Connected subaddress": _SUBADDRESS,
    "Redirecting party subaddress": _SUBADDRESS,
    "Low layer compatibility": _pick(bytes.fromhex("8090a3"), bytes.fromhex("8890")),
    "High layer compatibility": _pick(bytes.fromhex("9181"), bytes.fromhex("9184")),
    "Backup bearer capability": _pick(bytes.fromhex("a0"), bytes.fromhex("e0")),
    "SS Version Indicator": _pick(b"\x00", b"\x01"),
    "SS version": _pick(b"\x00", b"\x01"),
    "Keypad facility": lambda r: ord(r.choice("0123456789*#ABCD")),
    "Call state": _pick(0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 19, 26, 27, 28),
    "Signal": _pick(0, 1, 2, 3, 4, 5, 6, 7, 63, 79),
    "Notification indicator": _pick(0x80, 0x81, 0x82),
    "Emergency category": lambda r: r.randrange(128),
    "Allowed actions": _pick(0x00, 0x80),
    "Alerting pattern": _pick(0, 1, 2, 4, 5, 6, 7, 8),
    "Recall type": _pick(0, 1),
    "Cause of No CLI": _pick(0, 1, 2, 3, 4),
    "Congestion level": _pick(0, 15),
    "Setup container": _pick(b""),
    "Stream Identifier": lambda r: r.randrange(256),
    "Auxiliary states": lambda r: 0x80 | r.randrange(16),
    "CP-Cause": _pick(17, 22, 81, 95, 96, 97, 98, 99, 101, 111),
}


def _bssmap_cause(rng: Random) -> int:
    """One octet, or two with the extension bit, TS 48.008 3.2.2.5: 1XXX 0000, then the value."""
    if rng.random() < 0.1:
        return 0x8000 | rng.randrange(8) << 12 | rng.randrange(256)
    return rng.randrange(128)


def value_of(rng: Random, element: Element, *, bssmap: bool = False) -> Any:
    """A value that `element`'s codec writes."""
    if bssmap and element.name == "Cause":
        return _bssmap_cause(rng)
    draw = _DRAWS.get(element.name)
    if draw is not None:
        return draw(rng)
    if element.codec is FLAG:
        return None
    if element.codec is U8:
        return rng.randrange(16 if element.form in ("H", "TV1") else 256)
    if element.codec is U16:
        return rng.getrandbits(16)
    if element.codec in (mm.LAI, mm.IDENTITY):
        raise KeyError(f"no draw for {element.name}")
    low = max(element.low, 1)
    return octets(rng, low, min(element.high, low + 12))
