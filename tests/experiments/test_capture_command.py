"""`kairos capture`: what a tap would see, streamed, the same for the same seed, never half a file."""

import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.cli import cli
from sigtran.capture import CaptureReader, read_messages
from sigtran.m3ua import DataMessage, decode

ROOT = Path(__file__).parents[2]
WORLD = ROOT / "scenarios" / "worlds" / "town.yaml"


def command(*arguments, world=WORLD):
    return [sys.executable, "-m", "experiments.cli", "capture", str(world), *map(str, arguments)]


def kairos(*arguments, **options):
    return subprocess.run(command(*arguments), capture_output=True, timeout=120, check=False, **options)


def chunks(path):
    """SCTP chunks by type, of a file on Ethernet and IPv4."""
    from scapy.layers.sctp import SCTP
    from scapy.utils import PcapReader

    found = Counter()
    with PcapReader(str(path)) as packets:
        for packet in packets:
            layer = packet[SCTP].payload
            while layer and getattr(layer, "type", None) is not None:
                found[layer.type] += 1
                layer = layer.payload
    return found


@pytest.fixture(scope="module")
def evening(tmp_path_factory):
    path = tmp_path_factory.mktemp("capture") / "evening.pcapng"
    done = kairos("--minutes", 3, "--seed", 7, "--out", path)
    assert done.returncode == 0, done.stderr
    return path, done.stderr.decode()


def test_same_seed_same_bytes_in_a_file_or_a_pipe(evening):
    path, said = evening
    piped = kairos("--minutes", 3, "--seed", 7, "--out", "-")
    other = kairos("--minutes", 3, "--seed", 8, "--out", "-")
    assert hashlib.sha256(piped.stdout).digest() == hashlib.sha256(path.read_bytes()).digest()
    assert other.stdout != piped.stdout
    assert "3 minutes from day 1 18:00, seed 7" in said


def test_it_is_what_a_tap_sees(evening):
    """Both directions, set-up of SCTP and M3UA, DATA and SACK; times from the start to the end."""
    path, said = evening
    (batch,) = read_messages(path)
    messages = [decode(message) for message in batch.messages]
    names = Counter(message.name for message in messages)
    assert names == {"ASPUP": 2, "ASPUP ACK": 2, "ASPAC": 2, "ASPAC ACK": 2, "NTFY": names["NTFY"],
                     "DATA": names["DATA"]}  # fmt: skip
    assert f"{names['DATA']} messages" in said
    data = [DataMessage.from_message(m) for m in messages if m.name == "DATA"]
    ways = Counter((m.opc, m.dpc) for m in data)
    assert len(ways) == 4
    assert {b for a, b in ways} == {a for a, b in ways}
    span_us = int(batch.t_unix_us.max() - batch.t_unix_us.min())
    assert 170_000_000 < span_us < 180_000_000
    assert (batch.t_unix_us[1:] >= batch.t_unix_us[:-1]).all()
    found = chunks(path)
    assert found[1] == found[2] == found[10] == found[11] == 2
    assert found[0] >= names["DATA"]
    assert found[3] > names["DATA"] / 3


def test_quiet_associations_are_tested_by_heartbeats(tmp_path):
    path = tmp_path / "night.pcap"
    done = kairos("--minutes", 20, "--start", "03:30", "--out", path, "--heartbeat-s", 5)
    assert done.returncode == 0, done.stderr
    found = chunks(path)
    assert found[4] == found[5] > 0


@pytest.mark.tshark
def test_tshark_agrees(evening):
    if shutil.which("tshark") is None:
        pytest.skip("no tshark: apt-get install tshark")
    path, _ = evening
    reader = CaptureReader(path)
    ours = sum(len(batch.messages) for batch in reader)
    checks = [
        "-o",
        "sctp.checksum:CRC 32c",
        "-T",
        "fields",
        "-e",
        "m3ua.message_class",
        "-e",
        "_ws.malformed",
    ]
    checks += ["-e", "sctp.checksum.status", "-e", "sctp.retransmission"]
    said = subprocess.run(["tshark", "-n", "-r", path, *checks], capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in said.stdout.splitlines()]
    assert sum(bool(row[0]) for row in rows) == ours
    assert {tuple(row[1:]) for row in rows} == {("", "1", "")}
    assert reader.counts()["packets"] == len(rows)


LAYOUTS = [
    ["--format", "pcap"],
    ["--link", "cooked2", "--udp", "9899", "--bundle-ms", "20"],
    ["--ipv6", "--vlan", "7", "--nanoseconds"],
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=" ".join)
def test_every_layout_has_the_same_messages(evening, layout):
    path, _ = evening
    file = path.with_name("x")
    assert kairos("--minutes", 3, "--seed", 7, "--out", file, *layout).returncode == 0
    whole, other = (
        [m for batch in read_messages(one) for m in batch.messages if decode(m).name == "DATA"]
        for one in (path, file)
    )
    assert other == whole


def test_it_pipes_into_decode():
    producer = subprocess.Popen(
        command("--minutes", 2, "--out", "-"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    decoder = [sys.executable, "-m", "experiments.cli", "decode", "-", "--filter", "message=PAGING"]
    done = subprocess.run(decoder, stdin=producer.stdout, capture_output=True, timeout=120, check=True)
    producer.stdout.close()
    assert producer.wait(60) == 0
    producer.stderr.close()
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows
    assert {row["message"] for row in rows} == {"PAGING"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_completes_the_file(tmp_path, number):
    path = tmp_path / "long.pcapng"
    with subprocess.Popen(
        command("--minutes", 1000, "--out", path), stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        end = time.monotonic() + 60
        while time.monotonic() < end and not any(p.stat().st_size > 100_000 for p in tmp_path.iterdir()):
            time.sleep(0.02)
        assert not path.exists()  # it gets its name when it is complete
        process.send_signal(number)
        said = process.stderr.read().decode()
        assert process.wait(60) == 130
    assert "stopped, and complete up to there" in said
    assert "Traceback" not in said
    assert [p.name for p in tmp_path.iterdir()] == ["long.pcapng"]
    count = sum(decode(m).name == "DATA" for batch in read_messages(path) for m in batch.messages)
    assert f" {count} messages" in said


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """A limit on the size of files stands for the full disk."""
    path = tmp_path / "full.pcapng"
    path.write_bytes(b"an older one")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(command("--minutes", 30, "--out", path), preexec_fn=limit, capture_output=True,
                          timeout=120, check=False)  # fmt: skip
    said = done.stderr.decode()
    assert done.returncode == 2
    assert "File too large; the unfinished capture is removed" in said
    assert "Traceback" not in said
    assert [p.name for p in tmp_path.iterdir()] == ["full.pcapng"]
    assert path.read_bytes() == b"an older one"


def test_a_full_device_is_said():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    done = kairos("--minutes", 1, "--out", "/dev/full")
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False)
    assert b"No space left on device" in done.stderr


def test_a_reader_that_leaves_early_is_no_mishap():
    line = " ".join(f'"{part}"' for part in command("--minutes", "30", "--out", "-"))
    done = subprocess.run(
        f"{line} | head -c 100 | wc -c", shell=True, capture_output=True, timeout=60, check=True
    )
    assert done.stdout.strip() == b"100"
    assert b"Traceback" not in done.stderr
    assert b"Error" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--minutes", "1"], "Missing option '--out'"),
        (["--out", "x"], "Missing option '--minutes'"),
        (["--minutes", "0", "--out", "x"], "0.0 is not in the range"),
        (["--minutes", "1", "--out", "x", "--start", "24:00"], "--start 24:00: a time of day as HH:MM"),
        (["--minutes", "1", "--out", "x", "--start", "noon"], "HH:MM"),
        (["--minutes", "1", "--out", "."], "is a folder"),
        (["--minutes", "1", "--out", "no/such/folder/x"], "No such file or directory"),
        (["--minutes", "1", "--out", "x", "--vlan", "5", "--link", "raw"], "on an Ethernet"),
        (["--minutes", "1", "--out", "x", "--ipv6", "--mtu", "600"], "1280 to 65535"),
    ],
)  # fmt: skip
def test_mistakes_are_said_in_a_line(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["capture", str(WORLD), *arguments])
    assert done.exit_code == 2
    assert said in done.output


def test_a_world_that_is_none(tmp_path):
    campaign = ROOT / "scenarios" / "campaigns" / "airport-travel.yaml"
    for world, said in ((tmp_path / "no.yaml", "no such file"), (campaign, "expected a world")):
        done = CliRunner().invoke(
            cli, ["capture", str(world), "--minutes", "1", "--out", str(tmp_path / "x")]
        )
        assert done.exit_code == 2
        assert said in done.output
        assert not list(tmp_path.iterdir())
