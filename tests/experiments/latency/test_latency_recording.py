"""Captures as a load: what is played of them, and files that are none are refused before anything starts."""

import struct
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from experiments.cli import cli
from experiments.latency.recording import read_recording
from experiments.problems import BadInput
from sigtran import MessageBatch
from sigtran.capture import CaptureWriter
from sigtran.m3ua import DataMessage, encode

STUDIES = Path(__file__).parents[3] / "scenarios" / "studies"
T_US = 1_200_000_000_000_000


def data(corr):
    message = DataMessage(opc=257, dpc=1, si=3, ni=2, sls=1, payload=b"\x09" * 8, correlation_id=corr)
    return encode(message.to_message())


def capture(path, ids, gap_us=1000):
    with CaptureWriter(path) as writer:
        if ids:
            times = T_US + gap_us * np.arange(len(ids), dtype=np.int64)
            writer.write(times, MessageBatch.from_messages([data(corr) for corr in ids], 3))
    return path


def test_what_is_played_is_what_was_recorded_up_to_a_moment(tmp_path):
    file = capture(tmp_path / "tap.pcapng", [4, 5, 9, 10])
    recording = read_recording(file, 2000)
    assert recording.since_us.tolist() == [0, 1000, 2000]
    assert recording.corr.tolist() == [4, 5, 9]
    assert list(recording.messages) == [data(corr) for corr in (4, 5, 9)]
    assert recording.messages.streams.tolist() == [3, 3, 3]


def text(path):
    path.write_text("no capture at all, but long enough for a header of one\n")


def nothing(path):
    path.write_bytes(b"")


def cut(path):
    capture(path, [1, 2, 3])
    path.write_bytes(path.read_bytes()[:-9])


def handshake(path):
    with CaptureWriter(path) as writer:
        writer.open_association(257, 1, T_US)


def other(path):
    """A pcap of one UDP datagram to the port of DNS over IPv4 and Ethernet."""
    udp = struct.pack(">HHHH", 5000, 53, 12, 0) + b"\x00" * 4
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 32, 0, 0, 64, 17, 0, b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02")
    frame = b"\x02" * 12 + b"\x08\x00" + ip + udp
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(head + struct.pack("<IIII", 1_200_000_000, 0, len(frame), len(frame)) + frame)


BAD = [
    (text, "neither"),
    (nothing, "empty, neither pcapng nor pcap"),
    (cut, "the file ends within a block"),
    (lambda path: capture(path, []), "no M3UA DATA message in it (no packet)"),
    (handshake, "no M3UA DATA message in it (captured packets: "),
    (other, "packets of something else than IP with SCTP in it: 1)"),
    (lambda path: capture(path, [None, None]), "no ascending correlation ids"),
    (lambda path: capture(path, [2, 1]), "no ascending correlation ids"),
]

IDS = ["text", "empty", "cut", "no packet", "no message", "another protocol", "no ids", "ids that fall"]


@pytest.mark.parametrize(("make", "said"), BAD, ids=IDS)
def test_what_cannot_be_played_is_named_with_what_was_expected(make, said, tmp_path):
    file = tmp_path / "tap.pcapng"
    make(file)
    with pytest.raises(BadInput) as refused:
        read_recording(file, 1e9)
    (line,) = refused.value.lines
    assert line.startswith(f"{file}: ")
    assert line.count("tap.pcapng") == 1
    assert said in line
    assert "expected a pcapng or pcap with M3UA DATA messages" in line


def test_a_study_of_no_capture_is_refused_before_anything_starts(tmp_path):
    file = tmp_path / "tap.pcapng"
    nothing(file)
    study = tmp_path / "study.yaml"
    written = (STUDIES / "latency.yaml").read_text().replace("../", f"{STUDIES.parent}/")
    study.write_text(
        written.replace(
            "{shape: fixed, seconds: 30, rate_per_s: 2000}", f"{{shape: capture, file: {file}, factor: 2}}"
        )
    )
    assert "shape: capture" in study.read_text()
    out = tmp_path / "runs"
    for command in (["validate", str(study)], ["run", str(study), "--out", str(out)]):
        said = CliRunner().invoke(cli, command)
        assert said.exit_code == 2, said.output
        assert "Traceback" not in said.output
        assert f"{file}: empty, neither pcapng nor pcap; expected a pcapng" in said.output
    assert not out.exists()
    # One that can be played is foretold.
    capture(file, [1, 2, 3], gap_us=4_000_000)
    said = CliRunner().invoke(cli, ["validate", str(study)])
    assert said.exit_code == 0, said.output
    said = CliRunner().invoke(cli, ["run", str(study), "--dry-run"])
    assert said.exit_code == 0, said.output
    rows = [line.split(maxsplit=1) for line in said.output.splitlines()]
    assert ["3", "messages offered, each"] in rows
    assert ["4", "seconds of sending, each"] in rows
