"""SCCP messages: one vector for each type of the table, and what is refused."""

from __future__ import annotations

import pytest

from sim.bssap import DecodeError, EncodeError
from sim.bssap.sccp import BY_SHORT, MESSAGES, SccpMessage, Segmentation, decode, encode
from sim.bssap.sccp_address import Address, GlobalTitle

BSSAP = Address(254)
HLR = Address(6, None, GlobalTitle(4, "8613800100500", 0, 1, 1, 4), route_on_ssn=False)
MSC = Address(7, 0x0102, GlobalTitle(4, "861380010050", 0, 1, 2, 4), route_on_ssn=False)

VECTORS = [
    ("01 010203 02 02 04 0242fe 0f01aa 00",
     SccpMessage("CR", source=0x010203, protocol_class=2, called=BSSAP, data=b"\xaa")),
    ("02 010203 040506 02 00",
     SccpMessage("CC", destination=0x010203, source=0x040506, protocol_class=2)),
    ("03 010203 05 01 0f01aa 00", SccpMessage("CREF", destination=0x010203, cause=5, data=b"\xaa")),
    ("04 010203 040506 00 00", SccpMessage("RLSD", destination=0x010203, source=0x040506, cause=0)),
    ("05 010203 040506", SccpMessage("RLC", destination=0x010203, source=0x040506)),
    ("06 010203 01 01 02aabb", SccpMessage("DT1", destination=0x010203, more=True, data=b"\xaa\xbb")),
    ("07 010203 0203 01 01aa",
     SccpMessage("DT2", destination=0x010203, sequencing=0x0203, data=b"\xaa")),
    ("08 010203 04 05", SccpMessage("AK", destination=0x010203, receive_number=4, credit=5)),
    ("09 80 03 05 07 0242fe 0242fe 01aa",
     SccpMessage("UDT", protocol_class=0x80, called=BSSAP, calling=BSSAP, data=b"\xaa")),
    ("0a 01 03 05 07 0242fe 0242fe 01aa",
     SccpMessage("UDTS", cause=1, called=BSSAP, calling=BSSAP, data=b"\xaa")),
    ("0b 010203 01 01aa", SccpMessage("ED", destination=0x010203, data=b"\xaa")),
    ("0c 010203", SccpMessage("EA", destination=0x010203)),
    ("0d 010203 040506 01", SccpMessage("RSR", destination=0x010203, source=0x040506, cause=1)),
    ("0e 010203 040506", SccpMessage("RSC", destination=0x010203, source=0x040506)),
    ("0f 010203 02", SccpMessage("ERR", destination=0x010203, cause=2)),
    ("10 010203 040506 02 0000 00",
     SccpMessage("IT", destination=0x010203, source=0x040506, protocol_class=2, sequencing=0, credit=0)),
    ("11 01 0f 04 06 08 09 0242fe 0242fe 01aa 1004 c1010203 120103 00",
     SccpMessage("XUDT", protocol_class=1, hop_counter=15, called=BSSAP, calling=BSSAP, data=b"\xaa",
                 segmentation=Segmentation(True, 1, 0x010203, in_sequence=True), importance=3)),
    ("12 01 0f 04 06 08 00 0242fe 0242fe 01aa",
     SccpMessage("XUDTS", cause=1, hop_counter=15, called=BSSAP, calling=BSSAP, data=b"\xaa")),
    ("13 00 0f 0700 0800 0900 0000 0242fe 0242fe 0100 aa",
     SccpMessage("LUDT", protocol_class=0, hop_counter=15, called=BSSAP, calling=BSSAP, data=b"\xaa")),
    ("14 01 0f 0700 0800 0900 0000 0242fe 0242fe 0100 aa",
     SccpMessage("LUDTS", cause=1, hop_counter=15, called=BSSAP, calling=BSSAP, data=b"\xaa")),
    ("09 00 03 0f 1c 0c 1206 001104 68310810000500 0d 1302 0107 001204 683108100005 01aa",
     SccpMessage("UDT", protocol_class=0, called=HLR, calling=MSC, data=b"\xaa")),
]  # fmt: skip


@pytest.mark.parametrize(("data", "value"), VECTORS, ids=[value.type for _, value in VECTORS])
def test_vector(data, value):
    octets = bytes.fromhex(data)
    assert encode(value) == octets
    assert decode(octets) == value


def test_every_type_has_a_vector():
    assert {value.type for _, value in VECTORS} == {row.short for row in MESSAGES} == set(BY_SHORT)


@pytest.mark.parametrize(
    ("data", "title"),
    [
        ("84 683108", GlobalTitle(1, "86138", nature=4)),
        ("00 683108", GlobalTitle(2, "861380", translation=0)),
        ("0012 683108", GlobalTitle(3, "861380", translation=0, plan=1, encoding=2)),
        ("001104 683108", GlobalTitle(4, "86138", translation=0, plan=1, encoding=1, nature=4)),
        ("001204 a8cd", GlobalTitle(4, "8adc", translation=0, plan=1, encoding=2, nature=4)),
    ],
)
def test_global_titles(data, title):
    address = bytes.fromhex(f"{title.indicator << 2 | 2:02x} 06" + data)
    called = Address(6, None, title, route_on_ssn=False)
    value = SccpMessage("UDT", protocol_class=0, called=called, calling=BSSAP, data=b"\xaa")
    pointers = bytes([3, 3 + len(address), 5 + len(address)])
    octets = b"\x09\x00" + pointers + bytes([len(address)]) + address + bytes.fromhex("0242fe 01aa")
    assert encode(value) == octets
    assert decode(octets) == value


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "missing"),
        ("7f", "unknown"),
        ("01 0102", "wanted"),
        ("01 010203 02 00 00", "no pointer"),
        ("01 010203 02 02 04 0242fe 0f", "missing"),
        ("01 010203 02 02 04 0242fe 0f01aa", "missing"),
        ("01 010203 02 02 04 0242fe 0f00 00", "empty"),
        ("06 010203 00 01 00", "empty"),
        ("06 010203 00 02 01aa", "wanted"),
        ("06 010203 00 09 01aa", "behind the end"),
        ("09 00 03 05 07 0242fe 0242fe 02aa", "wanted"),
        ("09 00 03 05 07 0216fe 0242fe 01aa", "unassigned|missing"),
        ("11 01 0f 04 06 08 09 0242fe 0242fe 01aa 1003 c10102 00", "4 wanted"),
    ],
)
def test_refused(data, why):
    with pytest.raises(DecodeError, match=why):
        decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("keywords", "why"),
    [
        ({"type": "XX"}, "unknown"),
        ({"type": "RLC", "destination": 1}, "source is missing"),
        ({"type": "RLC", "destination": 1, "source": 2, "cause": 3}, "has no cause"),
    ],
)
def test_wrong_values(keywords, why):
    with pytest.raises(EncodeError, match=why):
        SccpMessage(**keywords)


@pytest.mark.parametrize(
    "value",
    [
        SccpMessage("RLC", destination=1 << 24, source=1),
        SccpMessage("DT1", destination=1, more=False, data=b""),
        SccpMessage("DT1", destination=1, more=False, data=bytes(256)),
    ],
)
def test_does_not_fit(value):
    with pytest.raises(EncodeError):
        encode(value)
