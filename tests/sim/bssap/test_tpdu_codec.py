"""Short message transfer layer: vectors, alphabets, headers, and what is refused."""

from __future__ import annotations

import pytest

from sim.bssap import DecodeError, EncodeError, gsm7, tpdu
from sim.bssap.tpdu import ALPHANUMERIC, Command, Deliver, Report, StatusReport, Submit, Timestamp, TpAddress
from sim.bssap.user_data import (
    Concatenation,
    HeaderElement,
    UserData,
    alphabet,
    cbs_alphabet,
    concatenation_element,
    text_user_data,
)

STAMP = Timestamp.of(2007, 11, 5, 12, 30, 59, 32)

VECTORS = [
    ("04 0d91683109002143f5 0000 70115021039523 05c8329bfd06",
     Deliver(TpAddress("8613900012345"), STAMP, text_user_data("Hello")), "Hello"),
    ("01 2a 0581 0180f6 0000 05c8329bfd06",
     Submit(TpAddress("10086", 0), text_user_data("Hello"), 42), "Hello"),
    ("11 00 0581 0180f6 0008 aa 04 4f60597d",
     Submit(TpAddress("10086", 0), text_user_data("你好", 8), validity=0xAA), "你好"),
    ("19 00 0581 0180f6 0000 70115021039523 00",
     Submit(TpAddress("10086", 0), text_user_data(""), validity=STAMP), ""),
    ("09 00 0581 0180f6 0000 01000000000000 00",
     Submit(TpAddress("10086", 0), text_user_data(""), validity=b"\x01" + bytes(6)), ""),
    ("06 2a 0d91683109002143f5 70115021039523 70115021039523 00",
     StatusReport(42, TpAddress("8613900012345"), STAMP, STAMP, 0), None),
    ("00 00", Report(False), None),
    ("00 d3 00", Report(False, 0xD3), None),
    ("00 07 00 00 05c8329bfd06",
     Report(False, protocol=0, dcs=0, user_data=text_user_data("Hello")), None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "value", "text"), VECTORS, ids=[tpdu.name(value) for _, value, _ in VECTORS]
)
def test_vector(data, value, text):
    octets = bytes.fromhex(data)
    assert tpdu.encode(value) == octets
    decoded = tpdu.decode(octets)
    assert decoded == value
    if text is not None:
        assert decoded.user_data.text == text


BY_DIRECTION = [
    ("02 2a 00 02 17 0d91683109002143f5 00", False,
     Command(42, 0, 2, 23, TpAddress("8613900012345"))),
    ("01 00 70115021039523", True, Report(True, timestamp=STAMP)),
    ("01 c0 01 70115021039523 39", True, Report(True, 0xC0, STAMP, 0x39)),
]  # fmt: skip


@pytest.mark.parametrize(("data", "from_network", "value"), BY_DIRECTION)
def test_the_direction_decides(data, from_network, value):
    octets = bytes.fromhex(data)
    assert tpdu.encode(value) == octets
    assert tpdu.decode(octets, from_network=from_network) == value
    with pytest.raises(DecodeError):
        tpdu.decode(octets, from_network=not from_network)


def test_names():
    values = [value for _, value, _ in VECTORS] + [value for _, _, value in BY_DIRECTION]
    assert {tpdu.name(value) for value in values} == {
        "SMS-DELIVER", "SMS-SUBMIT", "SMS-STATUS-REPORT", "SMS-COMMAND", "SMS-DELIVER-REPORT",
        "SMS-SUBMIT-REPORT",
    }  # fmt: skip


def test_alphanumeric_originator():
    value = Deliver(TpAddress("", ALPHANUMERIC, 0, "FONIC"), STAMP, text_user_data("x"))
    octets = tpdu.encode(value)
    assert octets[1:8] == bytes.fromhex("09d0c6a7333904")
    assert tpdu.decode(octets) == value
    assert str(value.originator) == "FONIC"


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("dcs", [0, 8])
def test_concatenation(wide, dcs):
    mark = Concatenation(0x5A, 3, 2, wide)
    value = Submit(TpAddress("10086", 0), text_user_data("part two", dcs, (concatenation_element(mark),)))
    decoded = tpdu.decode(tpdu.encode(value))
    assert decoded == value
    assert decoded.user_data.concatenation == mark
    assert decoded.user_data.text == "part two"


@pytest.mark.parametrize(("iei", "octets", "ports"), [(4, "0102", (1, 2)), (5, "0b8423f0", (2948, 9200))])
def test_ports(iei, octets, ports):
    header = (HeaderElement(iei, bytes.fromhex(octets)),)
    assert text_user_data("x", 0, header).ports == ports


@pytest.mark.parametrize("length", [152, 153])
def test_room_in_a_concatenated_part(length):
    header = (concatenation_element(Concatenation(1, 2, 1)),)
    assert len(text_user_data("x" * length, 0, header).octets) <= 140
    with pytest.raises(EncodeError, match="140"):
        text_user_data("x" * 154, 0, header)


@pytest.mark.parametrize(
    ("dcs", "expected"),
    [(0, "gsm7"), (4, "8bit"), (8, "ucs2"), (0x0C, "gsm7"), (0x11, "gsm7"), (0x18, "ucs2"), (0x20, "8bit"),
     (0x48, "ucs2"), (0xC0, "gsm7"), (0xD0, "gsm7"), (0xE0, "ucs2"), (0xF1, "gsm7"), (0xF5, "8bit")],
)  # fmt: skip
def test_alphabets(dcs, expected):
    assert alphabet(dcs) == expected


@pytest.mark.parametrize(
    ("dcs", "expected"), [(0x0F, "gsm7"), (0x11, "ucs2"), (0x48, "ucs2"), (0x44, "8bit"), (0xF4, "8bit")]
)
def test_ussd_alphabets(dcs, expected):
    assert cbs_alphabet(dcs) == expected


@pytest.mark.parametrize(
    ("text", "locking", "single", "septets"),
    [
        ("Hello", 0, 0, [72, 101, 108, 108, 111]),
        ("€[]", 0, 0, [27, 0x65, 27, 0x3C, 27, 0x3E]),
        ("ışĞ", gsm7.TURKISH, 0, [7, 0x1D, 0x0B]),
        ("ğ", 0, gsm7.TURKISH, [27, 0x67]),
        ("Áá", 0, gsm7.SPANISH, [27, 0x41, 27, 0x61]),
        ("Êê€", gsm7.PORTUGUESE, 0, [0x1E, 4, 0x18]),
        ("ã", 0, gsm7.PORTUGUESE, [27, 0x7B]),
    ],
)
def test_national_tables(text, locking, single, septets):
    assert gsm7.encode_text(text, locking, single) == septets
    assert gsm7.decode_text(septets, locking, single) == text


def test_national_header_is_used():
    header = (HeaderElement(0x25, bytes([gsm7.TURKISH])), HeaderElement(0x24, bytes([gsm7.TURKISH])))
    data = text_user_data("ığİŞ", 0, header)
    assert data.text == "ığİŞ"


def test_all_of_the_default_alphabet():
    assert len(gsm7.DEFAULT) == 128
    assert all(len(table) == 128 for table in gsm7.LOCKING.values())
    septets = [code for code in range(128) if code != gsm7.ESCAPE]
    assert gsm7.encode_text(gsm7.decode_text(septets)) == septets


def test_ussd_packing():
    # TS 23.038 6.1.2.3.1: seven spare bits become a carriage return.
    assert gsm7.pack(gsm7.encode_text("*100#12"), fill_cr=True)[-1] >> 1 == 0x0D
    for length in range(1, 20):
        assert gsm7.ussd_text(gsm7.pack([0x31] * length, fill_cr=True)) == "1" * length


def test_timestamp():
    assert STAMP.octets.hex() == "70115021039523"
    assert STAMP.fields == (7, 11, 5, 12, 30, 59, 32)
    assert Timestamp.of(2007, 1, 1, 0, 0, 0, -22).fields[-1] == -22


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "missing"),
        ("03", "reserved"),
        ("01 00 15 91" + "00" * 11, "at most 20"),
        ("01 00 05 01 0180f6 0000 00", "extension bit"),
        ("01 00 05 81 01f0f6 0000 00", "end mark"),
        ("01 00 04 81 0180f6"[:14] + " f0 0000 00", "wanted|announced|left|wants"),
        ("01 00 05 81 0180f6 0000 05c8329bfd", "wants"),
        ("01 00 05 81 0180f6 0000 05c8329bfd0600", "wants"),
        ("41 00 05 81 0180f6 0000 03 05000301", "header|wanted|wants"),
        ("41 00 05 81 0180f6 0004 02 0500", "longer"),
        ("41 00 05 81 0180f6 0004 03 020005", "wanted"),
    ],
)
def test_refused(data, why):
    with pytest.raises(DecodeError, match=why):
        tpdu.decode(bytes.fromhex(data), from_network=False)


@pytest.mark.parametrize(
    "value",
    [
        Submit(TpAddress("1" * 21), text_user_data("")),
        Submit(TpAddress("12", 5), text_user_data("")),
        Submit(TpAddress("1"), UserData(200, bytes(141))),
        Submit(TpAddress("1"), text_user_data(""), validity=b"\x01"),
        Submit(TpAddress("1"), text_user_data(""), validity=256),
        Report(True),
        Report(False, 0x10),
    ],
)
def test_wrong_values(value):
    with pytest.raises(EncodeError):
        tpdu.encode(value)


def test_texts_that_do_not_fit():
    with pytest.raises(EncodeError, match="140"):
        text_user_data("x" * 161)
    with pytest.raises(EncodeError, match="7-bit"):
        text_user_data("你好")
    with pytest.raises(EncodeError, match="no text"):
        text_user_data("x", 4)
    with pytest.raises(EncodeError, match="part 3 of 2"):
        concatenation_element(Concatenation(1, 2, 3))
