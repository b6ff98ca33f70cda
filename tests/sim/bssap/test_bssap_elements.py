"""Identities, cells, numbers, causes: the vectors are the specification's pictures in hexadecimal."""

from __future__ import annotations

import pytest

from sim.bssap import DecodeError, EncodeError
from sim.bssap.cc_elements import (
    BearerCapability,
    Cause,
    PartyNumber,
    Progress,
    decode_cause,
    decode_number,
    decode_progress,
    encode_cause,
    encode_number,
    encode_progress,
)
from sim.bssap.cells import (
    Cell,
    CellIdentifier,
    cgi,
    decode_cell_identifier,
    decode_cell_identifier_list,
    encode_cell_identifier,
    encode_cell_identifier_list,
    lac_list,
)
from sim.bssap.identity import (
    Lai,
    MobileIdentity,
    decode_lai,
    decode_mobile_identity,
    encode_lai,
    encode_mobile_identity,
    imsi,
    tmsi,
)
from sim.bssap.mm_elements import TimeZone, decode_network_name, encode_network_name, network_name

IDENTITIES = [
    ("0910100000000010", imsi("001010000000001")),
    ("01101000000000f1", imsi("00101000000001")),
    ("4a09512430325781", MobileIdentity("IMEI", "490154203237518")),
    ("43095124303257 81f0", MobileIdentity("IMEISV", "4901542032375180")),
    ("f4deadbeef", tmsi(0xDEADBEEF)),
    ("f0", MobileIdentity("no identity", octets=b"\xf0")),
]


@pytest.mark.parametrize(("data", "value"), IDENTITIES)
def test_mobile_identity(data, value):
    assert decode_mobile_identity(bytes.fromhex(data)) == value
    assert encode_mobile_identity(value) == bytes.fromhex(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "empty"),
        ("06", "reserved"),
        ("f4deadbe", "5 wanted"),
        ("f4deadbeef00", "5 wanted"),
        ("0910a00000000010", "decimal"),
        ("193254", "5 digits"),
        ("1132547698103254f6", "16 digits"),
    ],
)
def test_mobile_identity_refused(data, why):
    with pytest.raises(DecodeError, match=why):
        decode_mobile_identity(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("keywords", "why"),
    [
        ({"kind": "MSISDN"}, "one of"),
        ({"kind": "IMSI", "digits": "12a456"}, "decimal"),
        ({"kind": "IMSI", "digits": "12345"}, "6 to 15"),
        ({"kind": "TMSI"}, "32 bits"),
        ({"kind": "TMSI", "tmsi": 1 << 32}, "32 bits"),
    ],
)
def test_mobile_identity_wrong_values(keywords, why):
    with pytest.raises(EncodeError, match=why):
        MobileIdentity(**keywords)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("00f1101001", Lai("001", "01", 0x1001)),
        ("64f000002a", Lai("460", "00", 0x002A)),
        ("130014fffe", Lai("310", "410", 0xFFFE)),
    ],
)
def test_lai(data, value):
    assert decode_lai(bytes.fromhex(data)) == value
    assert encode_lai(value) == bytes.fromhex(data)


CELLS = [
    ("0000f1101001 0065", cgi("001", "01", 0x1001, 0x65)),
    ("0110010065", CellIdentifier(1, (Cell(lac=0x1001, ci=0x65),))),
    ("020065", CellIdentifier(2, (Cell(ci=0x65),))),
    ("03", CellIdentifier(3)),
    ("0400f1101001", CellIdentifier(4, (Cell("001", "01", 0x1001),))),
    ("051001", lac_list((0x1001,))),
    ("06", CellIdentifier(6)),
    ("0800f110 1001 0003", CellIdentifier(8, (Cell("001", "01", 0x1001, rnc=3),))),
    ("0a1001 0003", CellIdentifier(10, (Cell(lac=0x1001, rnc=3),))),
    ("0b00f110 1001 0205", CellIdentifier(11, (Cell("001", "01", 0x1001, sac=0x0205),))),
    ("0c00f110 1001 0fff 0065", CellIdentifier(12, (Cell("001", "01", 0x1001, 0x65, 0x0FFF),))),
]


@pytest.mark.parametrize(("data", "value"), CELLS)
def test_cell_identifier(data, value):
    assert decode_cell_identifier(bytes.fromhex(data)) == value
    assert encode_cell_identifier(value) == bytes.fromhex(data)


def test_cell_identifier_list():
    data = bytes.fromhex("05100110021003")
    value = lac_list((0x1001, 0x1002, 0x1003))
    assert decode_cell_identifier_list(data) == value
    assert encode_cell_identifier_list(value) == data
    with pytest.raises(DecodeError, match="3 cells"):
        decode_cell_identifier(data)


@pytest.mark.parametrize("data", ["", "07", "0510", "05", "0600", "0000f1101001"])
def test_cell_identifier_refused(data):
    with pytest.raises(DecodeError):
        decode_cell_identifier_list(bytes.fromhex(data))


@pytest.mark.parametrize(
    "value",
    [
        CellIdentifier(7),
        CellIdentifier(5),
        CellIdentifier(6, (Cell(lac=1),)),
        CellIdentifier(1, (Cell(lac=1),)),
    ],
)
def test_cell_identifier_wrong_values(value):
    with pytest.raises(EncodeError):
        encode_cell_identifier_list(value)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("91683109103254f6", PartyNumber("8613900123456", 1)),
        ("810180f6", PartyNumber("10086", 0)),
        ("81ba10fe", PartyNumber("*#01c", 0)),
        ("1181683109103254f6", PartyNumber("8613900123456", 1, indicators=0x01)),
        ("01a3", PartyNumber("", 0, indicators=0x23)),
    ],
)
def test_party_number(data, value):
    data = bytes.fromhex(data)
    assert decode_number(data) == value
    assert encode_number(value) == data


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("e290", Cause(16, location=2)),
        ("e0 91", Cause(17)),
        ("e095 8070", Cause(21, diagnostics=b"\x80\x70")),
        ("6080 90", Cause(16, recommendation=0)),
    ],
)
def test_cause(data, value):
    assert decode_cause(bytes.fromhex(data)) == value
    assert encode_cause(value) == bytes.fromhex(data)


def test_progress():
    assert decode_progress(bytes.fromhex("e288")) == Progress(8)
    assert encode_progress(Progress(8)) == bytes.fromhex("e288")


@pytest.mark.parametrize(
    ("data", "text"), [("804f77eb1ab697e7", "On-Waves"), ("904e2d56fd", "中国"), ("86cb309d2d7f03", None)]
)
def test_network_name(data, text):
    octets = bytes.fromhex(data)
    assert encode_network_name(decode_network_name(octets)) == octets
    if text:
        assert decode_network_name(octets).text.startswith(text)


@pytest.mark.parametrize("text", ["K", "Kairos", "Kairos!", "Kairos 1", "Kairos 12"])
def test_network_name_of_any_length(text):
    assert decode_network_name(encode_network_name(network_name(text))).text == text


@pytest.mark.parametrize(("octet", "quarters"), [(0x23, 32), (0x00, 0), (0x1A, -21)])
def test_time_zone(octet, quarters):
    assert TimeZone(octet).quarters == quarters


def test_bearer_capability():
    value = BearerCapability(bytes.fromhex("600402000581"))
    assert (value.transfer_capability, value.speech_versions) == (0, (4, 2, 0, 5, 1))
    assert BearerCapability(b"\xa0").speech_versions == ()
