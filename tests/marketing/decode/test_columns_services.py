"""Supplementary services in columns: components, operation codes, SS codes, USSD; and the published table."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing import decode as package
from marketing.decode import DecodeErrorKind, Present, column_table, decode_batch, decode_bssap, number_text
from sim.bssap import gsm7
from sim.bssap.ss_components import Component, Ussd, encode_facility, encode_ussd, ussd

README = Path(__file__).parents[3] / "platform" / "marketing" / "decode" / "README.md"


def bssap(layer3: bytes) -> bytes:
    return bytes([1, 0, len(layer3)]) + layer3


def register(facility: str | bytes) -> bytes:
    raw = bytes.fromhex(facility) if isinstance(facility, str) else facility
    return bssap(bytes([0x1B, 0x3B, 0x1C, len(raw)]) + raw + b"\x7f\1\0")


def facility(text: str) -> bytes:
    raw = bytes.fromhex(text)
    return bssap(bytes([0x9B, 0x3A, len(raw)]) + raw)


def digits(row, name="called"):
    return number_text(row[name].tobytes(), int(row[f"{name}_digits"]))


# Octets by hand: (BSSAP message, component, operation, invoke id, SS code, called).
TABLE = {
    "*100# asked": (
        register("a112 020105 02013b 300a 04010f 0405 aa180c3602"), (1, 59, 5, 0, "*100#"),
    ),
    "*100# answered with words": (
        facility("a213 020105 300e 02013b 3009 04010f 0404 c8329bfd"), (2, 59, 5, 0, ""),
    ),
    "refused": (bssap(bytes.fromhex("9b2a 1c08 a306 020105 020124")), (3, 36, 5, 0, "")),
    "rejected": (facility("a406 020105 810101"), (4, 0, 5, 0, "")),
    "rejected, whose nobody knows": (facility("a405 0500 800100"), (4, 0, 0, 0, "")),
    "all calls forwarded": (
        register("a118 020101 02010a 3010 040121 830110 8407 91683109214365 0500"),
        (1, 10, 1, 0x21, "861390123456"),
    ),
    "forwarding asked about": (register("a10b 020102 02010e 3003 040121"), (1, 14, 2, 0x21, "")),
    "password of a service": (register("a109 020103 020111 040192"), (1, 17, 3, 0x92, "")),
    "linked": (facility("a10c 020103 800102 02013c 0401 0f"), (1, 60, 3, 0, "")),
    "indefinite lengths": (
        register("a180 020105 02013b 3080 04010f 0405 aa180c3602 0000 0000"), (1, 59, 5, 0, "*100#"),
    ),
    "result of nothing": (facility("a203 020105"), (2, 0, 5, 0, "")),
    "global code": (facility("a108 0201050603 2b0c02"), (1, 0, 5, 0, "")),
    "code above 255": (facility("a107 020105 02020100"), (1, 0, 5, 0, "")),
    "code whose low octets are another": (facility("a109 020105 02040100000a"), (1, 0, 5, 0, "")),
    "no facility": (bssap(bytes.fromhex("9b2a")), (0, 0, 0, 0, "")),
    "empty facility": (facility(""), (0, 0, 0, 0, "")),
    "argument out of shape": (facility("a10b 020105 02013b 3003 020101"), (1, 59, 5, 0, "")),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_components(name):
    user, wanted = TABLE[name]
    row = decode_bssap(user)[0]
    assert DecodeErrorKind(int(row["error"])) is DecodeErrorKind.OK
    found = tuple(int(row[c]) for c in ("component", "operation", "invoke_id", "ss_code"))
    assert (*found, digits(row)) == wanted
    assert (row["pd"], row["dtap"]) == (11, user[4] & 0x3F)


WRONG = {
    "component cut off": (facility("a112 020105"), DecodeErrorKind.COMPONENT),
    "no such component": (facility("a503 020105"), DecodeErrorKind.COMPONENT),
    "no invoke identifier": (facility("a103 04013b"), DecodeErrorKind.COMPONENT),
    "identifier of five octets": (facility("a107 02050101010101"), DecodeErrorKind.COMPONENT),
    "no operation": (facility("a103 020105"), DecodeErrorKind.COMPONENT),
    "result that is no sequence": (facility("a206 020105 02013b"), DecodeErrorKind.COMPONENT),
    "length of five octets": (facility("a18500000000 01"), DecodeErrorKind.COMPONENT),
    "length beyond counting": (facility("a184ffffffff 020105"), DecodeErrorKind.COMPONENT),
    "tag without an end": (facility("bfffffff"), DecodeErrorKind.COMPONENT),
    "facility overruns": (bssap(bytes.fromhex("9b3a09 a4")), DecodeErrorKind.DTAP_TRUNCATED),
    "register without one": (bssap(bytes.fromhex("1b3b 7f0100")), DecodeErrorKind.DTAP_TRUNCATED),
    "optional one overruns": (bssap(bytes.fromhex("9b2a 1c09 a4")), DecodeErrorKind.DTAP_ELEMENT),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_components_fill_nothing(name):
    user, kind = WRONG[name]
    row = decode_bssap(user)[0]
    assert DecodeErrorKind(int(row["error"])) is kind
    assert not any(row.tobytes()[34:])


@given(code=st.text("0123456789*#", min_size=1, max_size=60), dcs=st.sampled_from([0x0F, 0x00, 0x40]))
def test_a_ussd_code_of_any_length_is_kept_to_its_twentieth_digit(code, dcs):
    value = encode_ussd(Ussd(ussd(code).octets, dcs))
    row = decode_bssap(register(encode_facility((Component("invoke", 7, 59, value),))))[0]
    assert (digits(row), row["called_digits"], row["tp_dcs"]) == (code[:20], len(code), dcs)
    assert Present(int(row["present"])) == Present.DTAP | Present.USSD


@given(text=st.text("0123456789*#aé@ ", min_size=1, max_size=60), dcs=st.sampled_from([0x0F, 0x44, 0x48]))
def test_the_whole_string_is_found_in_the_message(text, dcs):
    octets = gsm7.pack(gsm7.encode_text(text), fill_cr=True) if dcs == 0x0F else text.encode("utf-16-be")
    user = register(encode_facility((Component("invoke", 7, 60, encode_ussd(Ussd(octets, dcs))),)))
    row = decode_bssap(user)[0]
    at, size = int(row["list_offset"]), int(row["tp_length"])
    assert user[at : at + size] == octets
    assert bool(row["called_digits"]) == (dcs == 0x0F and set(text) <= set("0123456789*#"))


@given(raw=st.binary(max_size=60))
def test_any_octets_as_a_facility_are_survived(raw):
    row = decode_bssap(facility(raw.hex()))[0]
    assert row["error"] in (0, DecodeErrorKind.COMPONENT)
    assert row["list_offset"] + row["tp_length"] <= len(raw) + 6


def test_the_offset_counts_from_the_user_data(wire):
    user = register("a112 020105 02013b 300a 04010f 0405 aa180c3602")
    octets = wire.m3ua(bytes.fromhex("0604050600") + bytes([1, len(user)]) + user, True)
    row = decode_batch(octets, np.array([0, len(octets)]))[0]
    at = int(row["user_offset"]) + int(row["list_offset"])
    assert octets[at : at + int(row["tp_length"])] == bytes.fromhex("aa180c3602")


def test_the_readme_holds_the_table_of_today():
    if not README.exists():
        pytest.skip("the sources are not beside the tests")
    assert column_table() in README.read_text(encoding="utf-8"), (
        "print marketing.decode.column_table() into it"
    )
    assert package.__doc__ is not None
