"""The fast decoder against the readable one: the same columns, the same refusals.

`experiments.fuzz.reference` reads a message with `sim.bssap` and `sigtran.m3ua` alone and says what every
column must hold. On damaged messages the fast decoder may be more lenient where the readable one looks
deeper; those places are listed in `experiments.fuzz.deeper.DEEPER`, and it may never be stricter.
"""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.fuzz.command import check
from experiments.fuzz.deeper import DEEPER, deeper_name
from experiments.fuzz.reference import expected
from experiments.fuzz.traffic import Draws, in_m3ua, sound_messages
from marketing.decode import COLUMNS, DecodeErrorKind, Present, decode_batch
from sigtran import m3ua
from sim.bssap import bssmap, bssmap_elements, dtap, sccp, sms


def assert_agreement(messages: list[bytes]) -> dict[str, int]:
    """No difference; how many were equal, refused by both, and deeper."""
    report = check(messages)
    assert report.differences == {}
    assert sum(report.kinds.values()) == len(messages)
    return dict(report.kinds)


def test_the_view_has_every_column():
    assert set(expected(b"").row) == {column.name for column in COLUMNS}


def test_every_variant_of_every_procedure_is_equal_in_every_column(wire):
    messages = [m.octets for kind, options in wire.variants() for m in wire.story(kind, **options)]
    assert assert_agreement(list(dict.fromkeys(messages))) == {"equal": len(set(messages))}


def test_all_messages_of_the_tables_agree():
    """Sound by the tables of the reference: what it refuses of them is of another service, or management."""
    messages = [m for block in range(60) for m in sound_messages(5, block)]
    kinds = assert_agreement(messages)
    assert kinds["equal"] > 0.9 * len(messages)
    carried, flags = set(), 0
    seen = {"bssmap": set(), "dtap": set(), "sccp": set()}
    for octets in messages:
        row = expected(octets).row
        seen["sccp"].add(row["sccp"])
        seen["bssmap"].add(row["bssmap"])
        seen["dtap"].add((row["pd"], row["dtap"]))
        carried |= {name for name, value in row.items() if value not in (0, bytes(10))}
        flags |= row["present"]
    # Every column has held something, every flag been set, every message type that there is been met.
    assert carried == {column.name for column in COLUMNS} - {"error"}
    assert flags == sum(Present)
    assert seen["sccp"] >= set(range(1, 21))
    assert seen["bssmap"] >= {row.code for row in bssmap.MESSAGES}
    assert seen["dtap"] >= {(p.pd, kind.code) for p in dtap.PROTOCOLS for kind in p.messages}


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 1 << 32), position=st.integers(0, 400), value=st.binary(min_size=1, max_size=4))
def test_overwritten_octets_agree(seed, position, value):
    octets = bytearray(sound_messages(seed, 0, 1, 0)[0] if seed % 2 else sound_messages(seed, 0, 0, 3)[-1])
    at = 24 + position % max(1, len(octets) - 24)
    octets[at : at + len(value)] = value
    octets[4:8] = len(octets).to_bytes(4, "big")
    assert_agreement([bytes(octets)])


@settings(max_examples=300, deadline=None)
@given(payload=st.binary(max_size=60), seed=st.integers(0, 1000))
def test_any_octets_in_sccp_agree(payload, seed):
    assert_agreement([in_m3ua(payload, Draws(seed, 0)), in_m3ua(b"\6\1\2\3\0\1" + payload, Draws(seed, 1))])


@pytest.mark.parametrize("user", ["0009", "01030405", "00ff20"])
def test_bssap_lengths_are_exact_in_both(wire, user):
    raw = bytes.fromhex(user)
    octets = wire.m3ua(bytes.fromhex("0604050600") + bytes([1, len(raw)]) + raw, True)
    assert expected(octets).refused_at == "bssap"
    assert assert_agreement([octets]) == {"refused": 1}


def dt1(wire, user: str) -> bytes:
    raw = bytes.fromhex(user)
    return wire.m3ua(bytes.fromhex("0604050600 01") + bytes([len(raw)]) + raw, True)


# What each has taught: (user data, error kind, columns).
FOUND = {
    # TS 24.008 9.3.4: the cause is optional and behind its identifier, not imperative.
    "CONGESTION CONTROL without a cause": ("0100 03 0339 00", "OK", {"dtap": 0x39, "cause": 0}),
    "CONGESTION CONTROL with a cause": ("0100 07 0339 00 0802 e0aa", "OK", {"cause": 42}),
    # TS 24.008 8.6.3: of an element that is repeated the first one counts.
    "called number twice": (
        "0100 0e 0305 5e05 91 214365f7 5e03 a1 89f9",
        "OK",
        {"called_digits": 7, "called_type": 0x91, "called": bytes.fromhex("214365f7")},
    ),
    "calling number twice": ("0100 0a 0305 5c02 81 21 5c02 a1 43", "OK", {"calling_type": 0x81}),
    "second called number wrong": ("0100 0a 0305 5e02 81 21 5e02 81 1f", "NUMBER", {}),
    "identity twice": (
        "0100 15 0502 00f110 1001 1705 f4 01020304 1705 f4 05060708",
        "OK",
        {"tmsi": 0x01020304},
    ),
    # TS 48.008 3.2.2.27: a list of discriminator 3 has no cells, whatever a list before it had.
    "list of cells, then all cells": (
        "00 11 52 0804 010011f2 1a05 05 1001 1002 1a01 03",
        "OK",
        {"list_cells": 0, "discriminator": 3},
    ),
    # TS 48.008 3.2.1.32: one layer 3 message; the columns of a second one would be mixed with its own.
    "two layer 3 messages": (
        "00 12 57 0503 05 1001 1703 052205 1705 832502e095",
        "OK",
        {"pd": 5, "dtap": 0x22, "cause": 5},
    ),
    # TS 29.002 17.5: the argument of notifySS (16) does not begin with an SS code.
    "notifySS": (
        "0100 11 0b3b 1c0d a10b 020105 020110 3003040121",
        "OK",
        {"component": 1, "operation": 16, "ss_code": 0},
    ),
    # TS 48.008 3.2.2.6: the element is an IMSI, also where another one has been before.
    "IMSI, then a TMSI in the place of an IMSI": ("00 0e 2f 0804 010011f2 0805 f4 01020304", "IDENTITY", {}),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_has_been_found(wire, name):
    user, kind, columns = FOUND[name]
    octets = dt1(wire, user)
    row = decode_batch(octets, np.array([0, len(octets)]))[0]
    assert DecodeErrorKind(int(row["error"])).name == kind
    for column, value in columns.items():
        got = row[column]
        assert (got.tobytes().rstrip(b"\0") if isinstance(value, bytes) else int(got)) == value, column
    assert_agreement([octets])


def test_more_digits_than_a_column_counts(wire):
    """A called number of 2 * 150 digits: counted up to 255 and no further."""
    octets = dt1(wire, "0100 9b 0305 5e97 81" + "21" * 150)
    row = decode_batch(octets, np.array([0, len(octets)]))[0]
    assert (row["error"], row["called_digits"]) == (0, 255)
    assert_agreement([octets])


# ------------------------------------------------------------------ the published list


def test_the_list_names_elements_that_exist():
    """A name that no table has would excuse nothing, or too much."""
    known = {
        "sccp": set(sccp.PARAMETER_CODES),
        "bssmap": {element.name for element in bssmap_elements.ELEMENTS},
        "dtap": {
            e.name for p in dtap.PROTOCOLS for kind in p.messages for e in (*kind.mandatory, *kind.optional)
        },
        "rp": {e.name for kind in sms.RP_MESSAGES for e in (*kind.mandatory, *kind.optional)},
        "tpdu": {"SMS-COMMAND", "user data"},
        "m3ua": set(),
    }
    for row in DEEPER:
        assert set(row.elements) <= known[row.layer], row.name
        assert row.why
        re.compile(row.fault)
    assert len({row.name for row in DEEPER}) == len(DEEPER)


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        # Elements that columns are read from are never passed over.
        ("dtap", "SETUP: Called party BCD number: digits: end mark before the end"),
        ("dtap", "LOCATION UPDATING REQUEST: Mobile identity: empty"),
        ("dtap", "IDENTITY RESPONSE: Mobile identity: 0 octets, 1 to 10 wanted"),
        ("dtap", "DISCONNECT: Cause: 1 octets, 2 to 32 wanted"),
        ("bssmap", "PAGING: IMSI is missing"),
        ("bssmap", "CLEAR COMMAND: Cause is missing"),
        ("bssmap", "HANDOVER REQUEST: Cell Identifier: cell identification discriminator 7 is reserved"),
        ("bssmap", "PAGING: Cell Identifier List is missing"),
        ("sccp", "DT1: data: 9 octets wanted at 1, 2 left"),
        ("sccp", "pointer at 5 leads behind the end"),
        ("m3ua", "DATA: parameter 0x0210 of length 90, 12 octets are left"),
        ("m3ua", "DATA: parameter 0x0013: 5 octets are not one integer"),
        ("m3ua", "M3UA: version 2, not 1"),
        ("rp", "RP: RP-Cause: 0 octets, 1 to 2 wanted"),
        ("tpdu", "TPDU: user data: 3 octets, length 9 wants 8"),
        ("tpdu", "TPDU: address of 21 semi-octets, at most 20"),
    ],
)
def test_the_list_excuses_nothing_that_columns_need(layer, reason):
    assert deeper_name(layer, reason) is None


def test_a_management_message_is_named_by_its_numbers():
    beat = m3ua.encode(m3ua.Message.named("BEAT", m3ua.Parameter(m3ua.Tag.HEARTBEAT_DATA, b"abc")))
    found = expected(beat)
    assert (found.row["m3ua_class"], found.row["m3ua_type"], found.refused_at) == (3, 3, "")


def test_an_escaped_character_is_no_digit_of_a_ussd_code():
    """TS 23.038 6.2.1.1: it is shown as the character itself, and still is not what the user dialled."""
    octets = bytes.fromhex(
        "010001010000004c021000420000000000000000030000000600000000012b0100287b95bb1c23a1210201370201"
        "3b301904010f0414b09aec668ba95431180c771bd170b7d86d038b010000"
    )
    row = decode_batch(octets, np.array([0, len(octets)]))[0]
    assert row["present"] & Present.USSD
    assert row["called_digits"] == expected(octets).row["called_digits"] == 0
