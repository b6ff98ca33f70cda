"""Facility components: vectors, USSD, forwarding, and what is refused."""

from __future__ import annotations

import pytest

from sim.bssap import DecodeError, EncodeError, ber, dtap, view
from sim.bssap.ber import Tlv
from sim.bssap.cc_elements import PartyNumber
from sim.bssap.elements import message
from sim.bssap.ss_components import (
    Component,
    SsArgument,
    Ussd,
    decode_facility,
    decode_ss_argument,
    decode_ussd,
    encode_facility,
    encode_ss_argument,
    encode_ussd,
    ussd,
)

QUERY = encode_ussd(ussd("*100#"))

VECTORS = [
    ("a112 020101 02013b 300a 04010f 0405aa180c3602", Component("invoke", 1, 59, QUERY)),
    ("a203 0201ff", Component("returnResult", -1)),
    ("a306 020105 020124", Component("returnError", 5, 36)),
    ("a406 020105 800100", Component("reject", 5, problem=Tlv(0x80, b"\x00"))),
    ("a405 0500 830101", Component("reject", None, problem=Tlv(0x83, b"\x01"))),
    ("a109 020101 800102 02017c", Component("invoke", 1, 124, linked_id=2)),
    ("a107 020101 06022a03", Component("invoke", 1, global_code=b"\x2a\x03")),
]


@pytest.mark.parametrize(("data", "value"), VECTORS)
def test_vector(data, value):
    octets = bytes.fromhex(data)
    assert decode_facility(octets) == (value,)
    assert encode_facility((value,)) == octets


def test_several_components():
    values = tuple(value for _, value in VECTORS)
    assert decode_facility(encode_facility(values)) == values


def test_indefinite_length_is_read():
    octets = bytes.fromhex("a180 020101 02013b 3080 04010f 0405aa180c3602 0000 0000")
    assert decode_facility(octets) == (Component("invoke", 1, 59, QUERY),)
    assert decode_ussd(decode_facility(octets)[0].parameter).text == "*100#"


@pytest.mark.parametrize(
    "value", [ussd("*100#"), Ussd("您好".encode("utf-16-be"), 0x48), Ussd(b"x", 0x0F, b"\x04\x01\x05")]
)
def test_ussd(value):
    assert decode_ussd(encode_ussd(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        SsArgument(0x21),
        SsArgument(0x29, teleservice=0x11, forwarded_to=PartyNumber("8613900012345", 1), no_reply_s=20),
        SsArgument(0x41, bearer_service=0x10),
    ],
)
def test_ss_argument(value):
    assert decode_ss_argument(encode_ss_argument(value)) == value


def test_view_names_operation_and_text():
    register = dtap.Dtap(
        dtap.PD_SS,
        message("REGISTER", {"Facility": (Component("invoke", 1, 59, QUERY),), "SS version": b"\0"}),
    )
    shown = view("dtap", dtap.encode(register))
    assert shown["ussd"] == "*100#"
    assert shown["operation"] == "processUnstructuredSS-Request"
    assert shown["message"] == "REGISTER"
    released = dtap.Dtap(
        dtap.PD_SS, message("RELEASE COMPLETE", {"Facility": (Component("returnError", 1, 72),)}), ti_flag=1
    )
    shown = view("dtap", dtap.encode(released))
    assert shown["ss_error"] == "ussd-Busy"
    assert "error" not in shown


@pytest.mark.parametrize(
    "data",
    [
        "a1", "a105 020101", "a503 020101", "a106 040101 02013b", "a206 020101 04010f",
        "a403 020101", "a406 020105 900100", "a109 020101 02013b 04640f", "a106 020101 05013b",
        "a1850000000001",
        "a107 0205" + "00" * 5,
    ],
)  # fmt: skip
def test_refused(data):
    with pytest.raises(DecodeError):
        decode_facility(bytes.fromhex(data))


def test_nesting_is_bounded():
    value = b""
    for _ in range(40):
        value = ber.push_tlv(Tlv(ber.SEQUENCE, value))
    with pytest.raises(DecodeError, match="deeply"):
        ber.check(value)
    with pytest.raises(DecodeError):
        decode_facility(b"\x30\x80" * 5000)


@pytest.mark.parametrize(
    "value",
    [Component("query", 1), Component("invoke", 1), Component("reject", 1), Component("invoke", 1 << 40, 1)],
)
def test_wrong_values(value):
    with pytest.raises(EncodeError):
        encode_facility((value,))


@pytest.mark.parametrize("value", [0, 127, 128, -128, -129, 65535, 2**31 - 1])
def test_integers(value):
    assert ber.decode_integer(ber.encode_integer(value)) == value
