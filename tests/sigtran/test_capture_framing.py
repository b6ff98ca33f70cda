"""Every layout that the writer has, read back by our reader and by tshark, with equal counts."""

import io
import itertools
import shutil
import struct
import subprocess
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigtran import MessageBatch
from sigtran.capture import CaptureReader, CaptureWriter, Framing
from sigtran.m3ua import DataMessage, decode, encode

MSC, BSC1, BSC2 = 1, 257, 258
START_US = 1_199_145_600_000_000
SHORT = bytes.fromhex("0900030 70b04430101fe04430100fe03000131".replace(" ", ""))
#: A service indicator that nobody has (Q.704 14.2.1): tshark takes any octets for its payload.
NOBODYS = 15

FRAMINGS = {
    "as a tap on an Ethernet": Framing(),
    "pcap": Framing(form="pcap"),
    "pcap in nanoseconds": Framing(form="pcap", nanoseconds=True),
    "pcap big-endian": Framing(form="pcap", byte_order="big"),
    "pcap big-endian in nanoseconds": Framing(form="pcap", byte_order="big", nanoseconds=True),
    "pcapng little-endian": Framing(byte_order="little"),
    "pcapng big-endian": Framing(byte_order="big"),
    "pcapng in nanoseconds": Framing(nanoseconds=True),
    "vlan": Framing(vlan=5),
    "cooked": Framing(link="cooked"),
    "cooked 2": Framing(link="cooked2"),
    "cooked 2, IPv6": Framing(link="cooked2", ip=6),
    "raw": Framing(link="raw"),
    "raw IPv6, pcap": Framing(link="raw", ip=6, form="pcap"),
    "loopback": Framing(link="loopback"),
    "loopback IPv6 big-endian": Framing(link="loopback", ip=6, byte_order="big"),
    "IPv6": Framing(ip=6),
    "in UDP": Framing(udp_port=9899),
    "in UDP, IPv6": Framing(udp_port=9899, ip=6),
    "bundled": Framing(bundle_us=5000),
    "bundled in UDP, IPv6, vlan, pcap": Framing(
        bundle_us=5000, udp_port=9899, ip=6, vlan=9, form="pcap"
    ),
    "small packets": Framing(mtu=576),
    "small packets, bundled": Framing(mtu=576, bundle_us=10_000),
    "small packets, bundled, IPv6": Framing(mtu=1280, ip=6, bundle_us=10_000),
    "no SACK": Framing(sacks=False),
    "no HEARTBEAT": Framing(heartbeat_s=0),
    "HEARTBEAT every second": Framing(heartbeat_s=1),
}  # fmt: skip


def traffic(n: int) -> tuple[np.ndarray, MessageBatch]:
    """Short messages in both directions of two associations, some too long for a packet, and silences."""
    messages, t_us, streams, now = [], [], [], START_US
    for i in range(n):
        bsc = (BSC1, BSC2)[i // 3 % 2]
        opc, dpc = (MSC, bsc) if i % 5 == 0 else (bsc, MSC)
        si, payload = (NOBODYS, bytes(i * 97 % 4000)) if i % 11 == 0 else (3, SHORT)
        messages.append(encode(DataMessage(opc, dpc, si, 2, i % 16, payload, correlation_id=i + 1)))
        streams.append(1 + i % 15)
        now += 70_000_000 if i % 50 == 49 else 900 * (i % 4)
        t_us.append(now)
    return np.array(t_us, dtype=np.int64), MessageBatch.from_messages(messages, streams)


def written(framing: Framing, n: int = 300, parts: int = 1, **options: object) -> bytes:
    file = io.BytesIO()
    t_us, batch = traffic(n)
    with CaptureWriter(file, framing=framing, **options) as writer:  # type: ignore[arg-type]
        bounds = [n * i // parts for i in range(parts + 1)]
        for first, last in itertools.pairwise(bounds):
            writer.write(t_us[first:last], batch.slice(first, last))
    return file.getvalue()


def read(octets: bytes) -> tuple[list[bytes], list[int], list[int], dict[str, int]]:
    reader = CaptureReader(io.BytesIO(octets))
    messages, t_us, streams = [], [], []
    for batch in reader:
        messages += list(batch.messages)
        t_us += batch.t_unix_us.tolist()
        streams += batch.messages.streams.tolist()
    return messages, t_us, streams, reader.counts()


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
def test_what_is_written_is_read(framing: Framing) -> None:
    t_us, batch = traffic(300)
    messages, times, streams, counts = read(written(framing))
    data = [i for i, message in enumerate(messages) if decode(message).name == "DATA"]
    assert [messages[i] for i in data] == list(batch)
    assert [streams[i] for i in data] == batch.streams.tolist()
    late = np.array([times[i] for i in data]) - t_us
    assert late.min() >= 0
    assert late.max() <= framing.bundle_us
    assert times == sorted(times)
    assert {key: value for key, value in counts.items() if value and key != "packets"} == {}


@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
def test_batches_leave_no_trace(framing: Framing) -> None:
    assert written(framing) == written(framing, parts=7) == written(framing, parts=300)


def test_heartbeats_and_delayed_acknowledgements_fill_the_silence() -> None:
    """RFC 9260 8.3: after HB.Interval and an RTO, on either side; 6.2: a SACK is at most 200 ms late."""
    file = io.BytesIO()
    t_us, batch = traffic(1)
    with CaptureWriter(file, framing=Framing(link="raw", form="pcap")) as writer:
        writer.write(t_us[:1], batch.slice(0, 1))
        writer.pass_time(START_US + 100_000_000)
    chunks: list[tuple[float, int, int]] = []
    octets, at = file.getvalue(), 24
    while at < len(octets):
        seconds, micro, length = struct.unpack_from("=III", octets, at)
        packet = octets[at + 16 : at + 16 + length]
        chunks.append((seconds + micro / 1e6 - START_US / 1e6, packet[14], packet[32]))
        at += 16 + length
    names = Counter(kind for _, _, kind in chunks)
    assert names[4] == names[5] == 6  # three in 100 s of either side
    beats = [t for t, node, kind in chunks if kind == 4 and node == 0]
    assert beats == sorted(beats)
    gaps = np.diff([0.0, *beats])
    assert (gaps >= 30.5).all()
    assert (gaps <= 31.5).all()
    first_data = next(t for t, _, kind in chunks if kind == 0)
    sacks = [t for t, _, kind in chunks if kind == 3]
    assert sacks
    assert max(sacks) <= first_data + 0.2 + 1e-6


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"vlan": 5, "link": "raw"}, "on an Ethernet"),
        ({"vlan": 4095}, "1 to 4094"),
        ({"mtu": 575}, "576 to 65535 with IPv4"),
        ({"mtu": 1000, "ip": 6}, "1280 to 65535 with IPv6"),
        ({"udp_port": 0}, "1 to 65535"),
        ({"link": "token ring"}, "expected one of ethernet"),
        ({"bundle_us": -1}, "not below 0"),
    ],
)
def test_layouts_that_cannot_be_are_refused(keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Framing(**keys)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9000), min_size=1, max_size=12),
    gaps=st.lists(st.integers(0, 3000), min_size=12, max_size=12),
    mtu=st.integers(576, 3000),
    bundle_us=st.sampled_from([0, 1, 1000, 10_000]),
    ip=st.sampled_from([4, 6]),
)
def test_any_lengths_bundle_and_fragment(lengths, gaps, mtu, bundle_us, ip) -> None:  # type: ignore[no-untyped-def]
    messages = [
        encode(DataMessage(BSC1, MSC, NOBODYS, 2, i, bytes([i + 1]) * n)) for i, n in enumerate(lengths)
    ]
    t_us = START_US + np.cumsum(gaps[: len(lengths)], dtype=np.int64)
    file = io.BytesIO()
    framing = Framing(mtu=max(mtu, 1280) if ip == 6 else mtu, bundle_us=bundle_us, ip=ip)
    with CaptureWriter(file, framing=framing, handshake=False) as writer:
        writer.write(t_us, MessageBatch.from_messages(messages, 3))
    got, _, _, counts = read(file.getvalue())
    assert got == messages
    assert counts["missing"] == counts["fragments_lost"] == counts["damaged"] == 0


# --------------------------------------------------------------------------- tshark

NAMES = (
    "sctp.chunk_type", "m3ua.message_class", "m3ua.correlation_identifier",
    "_ws.malformed", "_ws.expert.severity", "sctp.retransmission", "sctp.checksum.status",
)  # fmt: skip
#: Wireshark's severity "warning"; the notes and chats below it say how rare something is.
WARNING = 6291456


@pytest.mark.tshark
@pytest.mark.parametrize("framing", FRAMINGS.values(), ids=FRAMINGS)
def test_tshark_counts_the_same(framing: Framing, tmp_path) -> None:  # type: ignore[no-untyped-def]
    if shutil.which("tshark") is None:
        pytest.skip("no tshark: apt-get install tshark")
    path = tmp_path / ("a." + framing.form)
    octets = written(framing, names={MSC: "MSC", BSC1: "BSC1"})
    path.write_bytes(octets)

    fields = [part for name in NAMES for part in ("-e", name)]
    checks = ("sctp.checksum:CRC 32c", "sctp.reassembly:TRUE", "udp.check_checksum:TRUE")
    command = ["tshark", "-n", "-2", "-r", str(path), *(p for check in checks for p in ("-o", check))]
    command += ["-T", "fields", *fields]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split("\t") for line in said.splitlines()]
    for row in rows:
        assert row[3] == row[5] == ""
        assert not any(int(one) >= WARNING for one in row[4].split(",") if one)
        assert row[6] == "1"
    ours = Counter(message[2] for message in read(octets)[0])
    theirs = Counter(int(one) for row in rows for one in row[1].split(",") if one)
    assert theirs == ours
    assert theirs[1] == 300
    assert sorted(int(one) for row in rows for one in row[2].split(",") if one) == list(range(1, 301))
    kinds = Counter(int(one) for row in rows for one in row[0].split(",") if one)
    assert kinds[1] == kinds[2] == kinds[10] == kinds[11] == 2
    assert bool(kinds[3]) == framing.sacks
    assert bool(kinds[4]) == bool(kinds[5]) == (framing.heartbeat_s > 0)
    if framing.mtu < 4000:
        assert kinds[0] > 300 + 8
