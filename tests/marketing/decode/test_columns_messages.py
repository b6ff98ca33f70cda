"""Messages written out by hand, octet for octet, and the columns they must fill."""

import ast
import struct
from pathlib import Path

import numpy as np
import pytest

from marketing import decode as package
from marketing.decode import (
    COLUMNS,
    ERROR_NAMES,
    ROW,
    DecodeErrorKind,
    Present,
    decode_batch,
    decode_bssap,
    decode_flat,
    new_rows,
    number_text,
    tally,
)

# COMPLETE LAYER 3 INFORMATION with LOCATION UPDATING REQUEST of type periodic, IMSI 001010000000001, old area
# 001 01 1002; cell 001 01 1001 0065.
CL3 = bytes.fromhex("001f 57 050800 00f110 1001 0065 1712 0508 71 00f110 1002 33 08 0910100000000010")
CR = bytes.fromhex("01 010203 02 02 04 0242fe 0f") + bytes([len(CL3)]) + CL3 + b"\0"
CC = bytes.fromhex("02 010203 040506 02 00")
RLSD = bytes.fromhex("04 010203 040506 00 00")
RLC = bytes.fromhex("05 040506 010203")
# CC SETUP from the handset, TI 1: called number 10086, type unknown, plan ISDN.
SETUP = bytes.fromhex("0100 0d 13 05 0403600400 5e 04 81 0180f6")


def one(octets: bytes, ni: int = -1):
    return decode_batch(octets, np.array([0, len(octets)]), None, ni)[0]


def dt1(user: bytes, more: int = 0) -> bytes:
    return bytes.fromhex("06 040506") + bytes([more, 1, len(user)]) + user


def bssap(dtap: str) -> bytes:
    raw = bytes.fromhex(dtap)
    return bytes([1, 0, len(raw)]) + raw


def bssmap(text: str) -> bytes:
    raw = bytes.fromhex(text)
    return bytes([0, len(raw)]) + raw


def test_the_row_has_the_published_columns_and_no_padding():
    assert ROW.itemsize == 128
    assert tuple(ROW.names) == tuple(column.name for column in COLUMNS)
    assert len(set(ROW.names)) == len(COLUMNS)
    assert len(ERROR_NAMES) == len(DecodeErrorKind)


def test_the_fast_decoder_is_independent_of_the_readable_one():
    for path in Path(package.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not any(name.split(".")[0] == "sim" for name in names), path


def test_connection_request_with_location_updating(wire):
    row = one(wire.m3ua(CR, True, corr=77, sls=5))
    assert row["error"] == 0
    assert (row["opc"], row["dpc"], row["si"], row["ni"], row["sls"], row["corr"]) == (257, 1, 3, 2, 5, 77)
    assert (row["sccp"], row["slr"], row["dlr"]) == (1, 0x010203, 0)
    assert (row["bssmap"], row["lac"], row["ci"], row["plmn"]) == (0x57, 0x1001, 0x65, 0x00F110)
    assert (row["pd"], row["dtap"], row["service"]) == (5, 8, 1)
    assert (row["lai_plmn"], row["lai_lac"]) == (0x00F110, 0x1002)
    assert (row["imsi"], row["imsi_digits"]) == (1010000000001, 15)
    wanted = Present.BSSMAP | Present.DTAP | Present.CELL | Present.CI | Present.LAI | Present.IMSI
    assert Present(int(row["present"])) == wanted


@pytest.mark.parametrize(
    ("sccp", "kind", "slr", "dlr"),
    [(CC, 2, 0x040506, 0x010203), (RLSD, 4, 0x040506, 0x010203), (RLC, 5, 0x010203, 0x040506)],
)
def test_references_stand_as_on_the_wire(wire, sccp, kind, slr, dlr):
    row = one(wire.m3ua(sccp, False))
    assert (row["error"], row["sccp"], row["slr"], row["dlr"], row["user_length"]) == (0, kind, slr, dlr, 0)


def test_setup_gives_the_dialled_digits(wire):
    row = one(wire.m3ua(dt1(SETUP), True))
    assert (row["error"], row["pd"], row["ti"], row["dtap"]) == (0, 3, 1, 5)
    assert number_text(row["called"].tobytes(), int(row["called_digits"])) == "10086"
    assert row["called_type"] == 0x81
    assert row["calling_digits"] == 0


# What one user message must give: (BSSAP message, columns).
MESSAGES = {
    "paging": (
        bssmap("52 0808 0910100000000010 0904 1a2b3c4d 1a03 05 1001"),
        {"bssmap": 0x52, "imsi": 1010000000001, "tmsi": 0x1A2B3C4D, "list_cells": 1, "discriminator": 5},
    ),
    "common id": (bssmap("2f 0808 0910100000000010"), {"bssmap": 0x2F, "imsi": 1010000000001}),
    "clear command": (bssmap("20 0401 09"), {"bssmap": 0x20, "bssmap_cause": 9}),
    "extended cause": (bssmap("20 0402 8105"), {"bssmap_cause": 5}),
    "handover request, target cell last": (
        bssmap("10 0b03 010811 0a02 0301 0505 01 1001 0065 0505 01 1003 00c9 0401 0c"),
        {"bssmap": 0x10, "lac": 0x1003, "ci": 0xC9, "bssmap_cause": 12},
    ),
    "cipher mode complete with IMEISV": (
        bssmap("55 200d 0632 1709 43 05 19 90 20 32 57 18 f0 2c 02"),
        {"bssmap": 0x55, "imei": 4509109022375810, "imei_digits": 16, "pd": 0},
    ),
    "disconnect": (bssap("8325 02 e0 95"), {"pd": 3, "ti": 8, "dtap": 0x25, "cause": 21}),
    "disconnect with a recommendation": (bssap("0325 03 60 80 91"), {"cause": 17}),
    "release complete, numbered": (bssap("03 6a"), {"dtap": 0x2A, "cause": 0, "present": 2048}),
    "extended transaction identifier": (bssap("73 81 05"), {"pd": 3, "ti": 7, "dtap": 5}),
    "location updating reject": (bssap("0504 0b"), {"pd": 5, "dtap": 4, "cause": 11}),
    "location updating accept": (
        bssap("0502 00f110 1001 1705 f4 5e6f7081"),
        {"dtap": 2, "lai_lac": 0x1001, "tmsi": 0x5E6F7081},
    ),
    "IMSI of six digits": (bssap("0559 04 01 10 10 f2"), {"dtap": 0x19, "imsi": 1012, "imsi_digits": 6}),
    "RP-ACK from the network": (bssap("8901 02 03 2a"), {"cp": 1, "rp": 4, "rp_reference": 0x2A}),
    "RP-ERROR from the handset": (bssap("0901 04 04 2a 01 16"), {"rp": 5, "cause": 22}),
    "SMS-SUBMIT": (
        bssap("0901 18 00 2a 00 03 91 68 31 10 31 07 05 81 01 80 f6 00 00 00 05 e8 32 9b fd 06"),
        {"tp": 1, "called_digits": 5, "tp_reference": 7, "tp_length": 5},
    ),
    "SMS-DELIVER from a word": (
        bssap("8901 18 01 2a 02 91 68 00 11 04 06 d0 cb 70 1a 00 00 90 30 50 01 00 00 23 01 41"),
        {"tp": 3, "calling_digits": 6, "calling_type": 0xD0},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MESSAGES)
def test_columns_of_one_message(wire, name):
    user, wanted = MESSAGES[name]
    row = one(wire.m3ua(dt1(user), True))
    assert DecodeErrorKind(int(row["error"])) is DecodeErrorKind.OK
    got = {column: int(row[column]) for column in wanted}
    assert got == wanted
    alone = decode_bssap(user)[0]
    assert {column: int(alone[column]) for column in wanted} == wanted


def whole(payload: bytes, **options: int) -> bytes:
    value = struct.pack("!IIBBBB", 257, 1, options.get("si", 3), options.get("ni", 2), 0, 0) + payload
    body = struct.pack("!HH", 0x0210, len(value) + 4) + value + bytes(-len(value) % 4)
    return struct.pack("!BBBBI", 1, 0, 1, 1, 8 + len(body)) + body


K = DecodeErrorKind
WRONG = {
    "garbage": (b"garbage", K.M3UA_HEADER),
    "empty": (b"", K.M3UA_HEADER),
    "other version": (b"\2" + whole(CR)[1:], K.M3UA_HEADER),
    "cut short": (whole(CR)[:-4], K.M3UA_LENGTH),
    "octets behind": (whole(CR) + b"\0\0\0\0", K.M3UA_LENGTH),
    "no protocol data": (bytes.fromhex("0100010100000008"), K.M3UA_PARAMETER),
    "parameter overruns": (bytes.fromhex("0100010100000010 0210 0030 00000000"), K.M3UA_PARAMETER),
    "ISUP": (whole(CR, si=5), K.FOREIGN_SERVICE),
    "another network": (whole(CR, ni=0), K.FOREIGN_NETWORK),
    "unknown SCCP type": (whole(b"\x77\1\2\3"), K.SCCP_TYPE),
    "short CC": (whole(CC[:-1]), K.SCCP_TRUNCATED),
    "DT1 pointer out": (whole(bytes.fromhex("06 040506 00 ff 01 00")), K.SCCP_POINTER),
    "no end of options": (whole(CR[:-1]), K.SCCP_POINTER),
    "unknown discriminator": (whole(dt1(b"\7\1\1")), K.BSSAP_HEADER),
    "BSSAP length": (whole(dt1(b"\1\0\5\5\1")), K.BSSAP_HEADER),
    "BSSMAP element overruns": (whole(dt1(bssmap("2008 1010"))), K.BSSMAP_ELEMENT),
    "clear command without cause": (whole(dt1(bssmap("20 1b"))), K.BSSMAP_ELEMENT),
    "unknown BSSMAP type": (whole(dt1(bssmap("ff 1b"))), K.MESSAGE_TYPE),
    "unknown discriminator of layer 3": (whole(dt1(bssap("0801"))), K.DTAP_DISCRIMINATOR),
    "unknown MM type": (whole(dt1(bssap("053f"))), K.MESSAGE_TYPE),
    "layer 3 of one octet": (whole(dt1(bssap("05"))), K.DTAP_TRUNCATED),
    "called number overruns": (whole(dt1(bssap("0305 5e09 81"))), K.DTAP_ELEMENT),
    "digit that is none": (whole(dt1(bssap("0519 08 29a0100000000010"))), K.IDENTITY),
    "end mark inside a number": (whole(dt1(bssap("0305 5e04 81 0f8006"))), K.NUMBER),
    "unknown CP type": (whole(dt1(bssap("0907"))), K.SMS_HEADER),
    "user data longer than the message": (
        whole(dt1(bssap("0901 10 00 2a 00 00 0b 01 07 03 81 21f3 00 00 50 e832"))),
        K.TPDU,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_errors_by_kind_and_no_payload(name):
    octets, kind = WRONG[name]
    row = one(octets, ni=2)
    assert DecodeErrorKind(int(row["error"])) is kind
    assert not any(row.tobytes()[34:])
    if kind >= K.SCCP_TYPE:
        assert (row["opc"], row["dpc"]) == (257, 1)
    if kind >= K.BSSAP_HEADER:
        assert row["dlr"] or row["slr"]


def test_messages_of_the_association_are_marked_and_not_read():
    beat = bytes.fromhex("0100 0303 0000001c 0009 0014 0000000000000001 0000000000000002")
    row = one(beat)
    assert (row["error"], row["m3ua_class"], row["m3ua_type"], row["sccp"]) == (0, 3, 3, 0)
    assert not any(row.tobytes()[34:])


def test_a_segment_with_more_to_come_is_not_decoded(wire):
    row = one(wire.m3ua(dt1(SETUP[:5], more=1), True))
    assert (row["error"], row["more"], row["user_length"], row["pd"]) == (0, 1, 5, 0)


def test_padding_of_the_last_parameter_may_be_outside_the_length():
    full = whole(RLC)
    assert len(RLC) % 4 == 3
    cut = full[:-1]
    for octets in (full, cut[:7] + bytes([len(cut)]) + cut[8:], full[:7] + bytes([len(cut)]) + full[8:]):
        assert one(octets)["error"] == 0


def test_flat_and_batch_forms_give_the_same_rows(wire):
    octets = [m.octets for m in wire.story("mo_call_answered")]
    data, offsets = wire.pack(octets)
    batch = decode_batch(data, offsets)
    rows = new_rows(len(octets) + 3)
    flat = b"".join(struct.pack("<I", len(o)) + o for o in octets)
    n, end = decode_flat(flat, rows)
    assert (n, end) == (len(octets), len(flat))
    assert rows[:n].tobytes() == batch.tobytes()
    assert decode_flat(flat[:-1], rows)[0] == n - 1
    assert tally(batch) == (n, n)


def test_wrong_buffers_are_refused(wire):
    data, offsets = wire.pack([wire.m3ua(CR, True)])
    with pytest.raises(ValueError, match="out of the data"):
        decode_batch(data[:-1], offsets)
    with pytest.raises(ValueError, match="room for"):
        decode_batch(data, offsets, new_rows(0))
    with pytest.raises(TypeError):
        decode_batch(data, offsets, np.zeros(1, dtype=np.uint8))
    with pytest.raises(ValueError, match="descend"):
        decode_batch(data, np.array([0, 5, 3, len(data)]))
