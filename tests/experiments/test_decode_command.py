"""`kairos decode`: captures by both engines in three formats, hexadecimal lines, field vectors."""

import fcntl
import io
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.cli import cli
from experiments.decode.command import LAYERS, decode_capture, decode_hex, hex_lines
from experiments.decode.filters import parse_filters
from experiments.decode.formats import KEYS, WRITERS
from experiments.judge.vectors import REFUSED, disagreements
from experiments.problems import BadInput
from sigtran import MessageBatch
from sigtran.capture import PcapngWriter
from sigtran.m3ua import DataMessage, Message, Parameter, Tag, encode
from sim.bssap import bssap, bssmap, dtap, sccp
from sim.bssap.elements import message
from sim.bssap.procedures import LADDERS, Params, ladder
from sim.bssap.sccp_connection import segment

ROOT = Path(__file__).parents[2]
VECTORS = Path(os.environ.get("KAIROS_VECTORS") or ROOT.parent / "shared" / "vectors") / "corpus.jsonl"
MSC, BSC = 1, 257


def kairos(*arguments, data=b""):
    return subprocess.run(
        [sys.executable, "-m", "experiments.cli", "decode", *map(str, arguments)],
        input=data, capture_output=True, timeout=120, check=False,
    )  # fmt: skip


def by_hex(layer, lines):
    out = io.BytesIO()
    hex_lines(layer, [line.encode() + b"\n" for line in lines], out)
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(found) == len(lines)
    return found


def data(payload, *, uplink=True, si=3):
    opc, dpc = (BSC, MSC) if uplink else (MSC, BSC)
    return encode(DataMessage(opc, dpc, si, 2, 4, payload, correlation_id=7))


def written(path, messages):
    with PcapngWriter(path) as writer:
        times = 1_000_000 + np.arange(len(messages), dtype=np.int64)
        writer.write(times, MessageBatch.from_messages(messages, 1))
    return path


def decoded(path, **options):
    out = io.BytesIO()
    decode_capture(str(path), out, **options)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture(scope="module")
def traffic():
    return [data(step.payload, uplink=step.uplink) for kind in LADDERS for step in ladder(kind, Params())]


@pytest.fixture(scope="module")
def capture(traffic, tmp_path_factory):
    return written(tmp_path_factory.mktemp("decode") / "x.pcapng", traffic)


# ------------------------------------------------------------------ vectors


@pytest.fixture(scope="module")
def vectors():
    if not VECTORS.is_file():
        pytest.skip("no field vectors at ../shared/vectors or KAIROS_VECTORS")
    return [json.loads(line) for line in VECTORS.read_text().splitlines()]


@pytest.mark.vectors
@pytest.mark.parametrize("layer", LAYERS)
def test_every_decodable_vector_decodes_and_agrees(vectors, layer):
    rows = [row for row in vectors if row["layer"] == layer and row["expect"] == "decode"]
    wrong = []
    for row, shown in zip(rows, by_hex(layer, [row["hex"] for row in rows]), strict=True):
        if row["id"] in REFUSED:
            assert REFUSED[row["id"]][0] in shown["error"]
            continue
        if "error" in shown:
            wrong.append((row["id"], shown["error"]))
            continue
        wrong += [(row["id"], str(one)) for one in disagreements(row, shown)]
    assert rows
    assert not wrong


@pytest.mark.vectors
@pytest.mark.parametrize("layer", LAYERS)
def test_every_malformed_vector_is_refused(vectors, layer):
    rows = [row for row in vectors if row["layer"] == layer and row["expect"] == "malformed"]
    found = by_hex(layer, [row["hex"] for row in rows])
    assert [row["id"] for row, shown in zip(rows, found, strict=True) if list(shown) != ["error"]] == []


# ------------------------------------------------------------------ hexadecimal


def test_m3ua_composes_all_layers():
    steps = [data(step.payload).hex() for step in ladder("mo_sms", Params())]
    found = next(shown for shown in by_hex("m3ua", steps) if shown.get("tp") == "SMS-SUBMIT")
    assert (found["m3ua"], found["opc"], found["dpc"], found["sls"]) == ("DATA", BSC, MSC, 4)
    assert (found["sccp"], found["dtap"], found["cp"], found["rp"]) == (
        "DT1",
        "CP-DATA",
        "CP-DATA",
        "RP-DATA",
    )
    assert found["message"] == found["tp"] == "SMS-SUBMIT"
    assert found["text"]
    assert len(found["dlr"]) == 6
    assert found["ies"]["Correlation Id"] == 7
    assert {"RP-Destination Address", "TPDU", "destination"} <= set(found["ies"])


def test_m3ua_management_by_name():
    contexts = Parameter.integers(Tag.ROUTING_CONTEXT, 5, 6)
    unknown = Parameter(0x0999, b"\x01")
    key = Parameter.nested(Tag.ROUTING_KEY, [Parameter.integers(Tag.DESTINATION_POINT_CODE, 257)])
    found = by_hex("m3ua", [encode(Message.named("ASPAC", contexts, unknown)).hex(),
                            encode(Message.named("REG REQ", key, key)).hex()])  # fmt: skip
    assert found[0] == {"message": "ASPAC", "m3ua": "ASPAC",
                        "ies": {"Routing Context": [5, 6], "unknown 0x0999": "01"}}  # fmt: skip
    assert found[1]["ies"]["Routing Key"] == [{"Destination Point Code": 257}] * 2


def test_what_is_not_ours_is_kept_and_what_is_wrong_is_refused():
    found = by_hex("m3ua", [data(b"\xde\xad").hex(), data(b"\x01", si=5).hex(),
                            data(bytes.fromhex("06010203")).hex(), data(b"").hex()])  # fmt: skip
    assert found[0]["ies"]["Protocol Data"] == "dead"
    assert "0xde is unknown" in found[0]["undecoded"]
    assert "service indicator 5" in found[1]["undecoded"]
    assert list(found[2]) == list(found[3]) == ["error"]


def test_an_error_of_the_service_is_no_error_of_decoding():
    # Facility in RELEASE COMPLETE: return error 72 (ussd-Busy) of invoke 1, TS 24.080.
    (found,) = by_hex("dtap", ["8b2a" + "1c08a306020101020148"])
    assert "error" not in found
    assert found["ss_error"] == "ussd-Busy"


LINES = [
    "zz",
    "",
    "0",
    "05 21",
    "0x0521",
    "ｆｆ",
    "\udce9".encode(errors="surrogateescape").decode("latin-1"),
    "0521",
]


def test_lines_that_are_no_message_become_errors_and_end_nothing():
    done = kairos("--layer", "dtap", "--hex", data="\n".join(LINES).encode() + b"\n\xff\xfe\n0521")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(found) == len(LINES) + 2
    assert ["error" in one for one in found] == [
        True,
        True,
        True,
        False,
        True,
        True,
        True,
        False,
        True,
        False,
    ]
    assert found[3]["message"] == found[-1]["message"] == "CM SERVICE ACCEPT"


def test_each_line_is_answered_at_once():
    command = [sys.executable, "-m", "experiments.cli", "decode", "--layer", "bssmap", "--hex"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for octets, name in ((b"31", "RESET ACKNOWLEDGE"), (b"21", "CLEAR COMPLETE")):
            process.stdin.write(octets + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["bssmap"] == name
        process.stdin.close()
        assert process.wait(20) == 0


@settings(max_examples=300, deadline=None)
@given(layer=st.sampled_from(LAYERS), octets=st.binary(max_size=60))
def test_no_octets_are_too_odd(layer, octets):
    found = decode_hex(layer, octets.hex())
    assert not str(found.get("error", "")).startswith(("Type", "Index", "Key", "Attribute", "Assertion"))
    json.dumps(found)


@settings(max_examples=200, deadline=None)
@given(
    pick=st.integers(0, 10_000), at=st.integers(0, 300), octet=st.integers(0, 255), cut=st.integers(0, 300)
)
def test_no_damage_is_too_odd(traffic, pick, at, octet, cut):
    octets = bytearray(traffic[pick % len(traffic)])
    octets[at % len(octets)] = octet
    found = decode_hex("m3ua", bytes(octets[: max(1, len(octets) - cut)]).hex())
    assert not str(found.get("error", "")).startswith(("Type", "Index", "Key", "Attribute", "Assertion"))


# ------------------------------------------------------------------ captures

#: Where columns say something else on purpose (`marketing.decode.COLUMNS`): the target cell of a handover,
#: cell lists by offset only, the RR message inside BSSMAP by its digest, no TPDU but that of RP-DATA.
OTHERWISE = {
    "HANDOVER REQUEST": {"lac", "ci"},
    "HANDOVER REQUIRED": {"lac", "ci", "mcc", "mnc"},
    "HANDOVER CANDIDATE ENQUIRE": {"lac", "ci", "mcc", "mnc"},
    "PAGING": {"lac", "ci", "mcc", "mnc"},
    "LOAD INDICATION": {"lac", "ci", "mcc", "mnc"},
    "RP-ACK": {"tp"},
    "RP-ERROR": {"tp"},
    "HANDOVER COMMAND": {"dtap", "pd", "protocol"},
    "HANDOVER REQUEST ACKNOWLEDGE": {"dtap", "pd", "protocol"},
}


def test_reference_names_everything_in_order(capture, traffic):
    found = [row for row in decoded(capture) if row["m3ua"] == "DATA"]
    assert len(found) == len(traffic)
    assert [row["t_unix_us"] for row in found] == list(range(1_000_000, 1_000_000 + len(traffic)))
    steps = [step for kind in LADDERS for step in ladder(kind, Params())]
    for row, step in zip(found, steps, strict=True):
        assert "error" not in row
        assert set(row) <= set(KEYS)
        assert step.name in (row["message"], row["sccp"], row.get("bssmap"), row.get("dtap"), row.get("rp"))


def test_columnar_agrees_with_reference(capture):
    reference, columnar = decoded(capture, engine="reference"), decoded(capture, engine="columnar")
    carried = set().union(*columnar)
    assert {"imsi", "tmsi", "called", "calling", "cause", "lac", "ci", "tp", "slr", "dlr"} <= carried
    wrong = []
    for one, other in zip(columnar, reference, strict=True):
        for key in carried - OTHERWISE.get(other["message"], set()):
            if one.get(key) != other.get(key):
                wrong.append((other["message"], key, one.get(key), other.get(key)))
    assert not wrong


@pytest.mark.parametrize("engine", ["columnar", "reference"])
def test_segments_are_joined(tmp_path, engine):
    whole = bssap.encode(
        bssap.Bssap(bssap.DTAP, dtap.encode(dtap.Dtap(dtap.PD_MM, message("ABORT", {"Reject cause": 6}))))
    )
    parts = segment(whole, 0x040506, 2)
    other = sccp.encode(
        segment(bssap.encode(bssap.Bssap(bssap.BSSMAP, bssmap.encode(message("CLEAR COMPLETE")))), 9)[0]
    )
    messages = [data(sccp.encode(part)) for part in parts]
    messages.insert(1, data(other))
    path = written(tmp_path / "segments.pcapng", messages)
    found = [row for row in decoded(path, engine=engine) if row["m3ua"] == "DATA"]
    assert [row["message"] for row in found] == ["Data form 1", "CLEAR COMPLETE", "Data form 1", "ABORT"]
    last = found[-1]
    assert (last["dtap"], last["reject_cause"], last["dlr"], last["opc"]) == ("ABORT", 6, "040506", BSC)


@pytest.mark.parametrize("engine", ["columnar", "reference"])
def test_a_broken_message_keeps_the_layers_that_are_right(tmp_path, engine):
    broken = sccp.encode(segment(bytes.fromhex("010002050f"), 0x040506)[0])
    path = written(tmp_path / "broken.pcapng", [data(broken), data(b"\x06\x01")])
    rows = [row for row in decoded(path, engine=engine) if row["m3ua"] == "DATA"]
    assert all(row["error"] and row["opc"] == BSC and "dtap" not in row for row in rows)
    assert (rows[0]["sccp"], rows[0]["dlr"]) == ("DT1", "040506")


def test_command_reads_standard_input_and_filters(capture):
    done = kairos("-", "--filter", "message=PAGING", "--filter", f"dpc={BSC}", data=capture.read_bytes())
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert {row["message"] for row in rows} == {"PAGING"}
    assert b"0 not decodable" in done.stderr


FILTERS = [
    (["message=PAGING"], lambda row: row["message"] == "PAGING"),
    (["message!=PAGING"], lambda row: row["message"] != "PAGING"),
    (["message~^LOCATION UPDATING"], lambda row: row["message"].startswith("LOCATION UPDATING")),
    (["message!~A"], lambda row: "A" not in row["message"]),
    (["imsi~."], lambda row: "imsi" in row),
    (["imsi=", f"dpc={BSC}"], lambda row: "imsi" not in row and row.get("dpc") == BSC),
    (["cause~^1[67]$", "dtap!="], lambda row: row.get("cause") in (16, 17) and "dtap" in row),
    (["rp_from_network=true"], lambda row: row.get("rp_from_network") is True),
    (["called~^[0-9]+$"], lambda row: row.get("called", "x").isdigit()),
]


@pytest.mark.parametrize(("texts", "holds"), FILTERS, ids=[" ".join(texts) for texts, _ in FILTERS])
def test_filters(capture, texts, holds):
    rows = decoded(capture)
    wanted = [row for row in rows if holds(row)]
    assert decoded(capture, filters=parse_filters(texts)) == wanted
    assert 0 < len(wanted) < len(rows)


@pytest.mark.parametrize("engine", ["columnar", "reference"])
def test_parquet_has_the_same_rows(capture, tmp_path, engine):
    done = kairos(capture, "--format", "parquet", "--engine", engine, "--out", tmp_path / "x.parquet")
    assert done.returncode == 0
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.column_names == list(KEYS)
    rows = decoded(capture, engine=engine)
    assert table.num_rows == len(rows)
    for shown, row in zip(table.to_pylist(), rows, strict=True):
        ies = shown.pop("ies")
        assert ies is None or json.loads(ies) == row["ies"]
        assert {key: value for key, value in shown.items() if value is not None} == {
            key: value if isinstance(value, KEYS[key]) else str(value)
            for key, value in row.items()
            if key != "ies"
        }


def test_table_is_one_line_a_message(capture):
    out = io.BytesIO()
    decode_capture(str(capture), out, form="table")
    lines = out.getvalue().decode().splitlines()
    assert len(lines) == 1 + len(decoded(capture))
    assert lines[0].split()[:4] == ["t_unix_us", "opc", "dpc", "sccp"]
    assert any("LOCATION UPDATING REQUEST" in line for line in lines)


def test_a_named_pipe_is_as_good_as_a_file(capture, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(capture.read_bytes()))
    writer.start()
    done = kairos(tmp_path / "pipe", "--engine", "columnar")
    writer.join()
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == len(decoded(capture))


def test_a_reader_that_leaves_early_is_no_mishap(capture):
    command = f'"{sys.executable}" -m experiments.cli decode "{capture}" | head -n 1'
    done = subprocess.run(command, shell=True, capture_output=True, timeout=60, check=True)
    assert done.stdout.count(b"\n") == 1
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "FILE is missing"),
        (["--hex"], "go together"),
        (["--layer", "dtap"], "go together"),
        (["x", "--layer", "dtap", "--hex"], "no FILE"),
        (["nothing.pcapng"], "nothing.pcapng: no such file"),
        ([str(ROOT)], "is a folder"),
        ([str(ROOT / "README.md")], "neither pcapng nor pcap"),
        ([str(ROOT / "README.md"), "--filter", "colour=blue"], "no key is called colour"),
        ([str(ROOT / "README.md"), "--filter", "imis=1"], "did you mean imsi?"),
        ([str(ROOT / "README.md"), "--filter", "imsi"], "KEY=VALUE, KEY!=VALUE, KEY~REGEX or KEY!~REGEX"),
        ([str(ROOT / "README.md"), "--filter", "imsi~("], "is no regular expression"),
    ],
)
def test_mistakes_are_said_in_a_line(arguments, said):
    done = kairos(*arguments)
    assert done.returncode == 2
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_damaged_capture_gives_what_came_before(capture, tmp_path):
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(capture.read_bytes()[:-7])
    out = io.BytesIO()
    with pytest.raises(BadInput, match="ends within a block"):
        decode_capture(str(cut), out)
    assert len(out.getvalue().splitlines()) == len(decoded(capture)) - 1


def test_damage_is_named_by_octet_and_block(capture, tmp_path):
    octets = bytearray(capture.read_bytes())
    at = block = 0
    while at < len(octets) // 2:
        at += int.from_bytes(octets[at + 4 : at + 8], sys.byteorder)
        block += 1
    octets[at + 4] ^= 4
    damaged = tmp_path / "damaged.pcapng"
    damaged.write_bytes(octets)
    for engine in ("columnar", "reference"):
        done = kairos(damaged, "--engine", engine)
        assert done.returncode == 2
        assert f"at octet {at} (block {block + 1})" in done.stderr.decode()
        assert len(done.stdout.splitlines()) > 20
        assert b"Traceback" not in done.stderr


def wait_until_read(pipe, timeout_s=60.0):
    """Until the process at the other end has taken all that the pipe held."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        (waiting,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
        if not waiting:
            return
        time.sleep(0.02)
    raise AssertionError("nobody read")


@pytest.mark.parametrize("arguments", [["-"], ["--layer", "dtap", "--hex"]])
def test_ctrl_c_is_quiet(arguments):
    command = [sys.executable, "-m", "experiments.cli", "decode", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as one:
        # In hex it has answered; of a capture it has the first four octets and waits for more.
        one.stdin.write(b"0521\n" if "--hex" in arguments else b"\x0a\x0d\x0d\x0a")
        one.stdin.flush()
        if "--hex" in arguments:
            one.stdout.readline()
        else:
            wait_until_read(one.stdin)
        one.send_signal(signal.SIGINT)
        assert one.wait(20) == 130
        assert one.stderr.read() == b"Stopped.\n"


def test_the_command_offers_what_the_module_has():
    options = {option.name: option for option in cli.commands["decode"].params}
    assert tuple(options["layer"].type.choices) == LAYERS
    assert set(options["form"].type.choices) == set(WRITERS)
