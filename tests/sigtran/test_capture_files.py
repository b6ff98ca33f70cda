import io
import shutil
import struct
import subprocess
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigtran import MessageBatch
from sigtran._frames import crc32c
from sigtran.capture import CaptureError, CaptureReader, Framing, PcapngWriter, read_messages
from sigtran.framing import Endpoint
from sigtran.m3ua import DataMessage, Message, Parameter, Tag, decode, encode

# The machine may be busy with other tests: how long one example takes says nothing.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

MSC, BSC1, BSC2 = 1, 257, 258
START_US = 1_199_145_600_000_000
RESET_ACK = bytes.fromhex("090003070b0443010 1fe0443 0100fe03000131".replace(" ", ""))


def traffic(n: int) -> MessageBatch:
    """Unit data between two BSCs and the MSC, on streams by SLS, with correlation ids."""
    messages = []
    for i in range(n):
        bsc = (BSC1, BSC2)[i % 2]
        opc, dpc = (MSC, bsc) if i % 3 == 0 else (bsc, MSC)
        messages.append(encode(DataMessage(opc, dpc, 3, 2, i % 16, RESET_ACK, correlation_id=i + 1)))
    return MessageBatch.from_messages(messages, [1 + i % 16 % 15 for i in range(n)])


def times(n: int) -> np.ndarray:
    return START_US + np.arange(n, dtype=np.int64) * 1000


def written(batch: MessageBatch, t_us: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    with PcapngWriter(file, **options) as writer:  # type: ignore[arg-type]
        writer.write(t_us, batch)
    return file.getvalue()


def data_messages(octets: bytes) -> list[tuple[int, int, bytes]]:
    """(time, stream, message) of all DATA in a capture."""
    return [
        (int(t), int(stream), message)
        for batch in read_messages(io.BytesIO(octets))
        for t, stream, message in zip(batch.t_unix_us, batch.messages.streams, batch.messages, strict=True)
        if decode(message).name == "DATA"
    ]


def test_crc32c_of_the_check_string() -> None:
    # The check value of CRC-32C (Castagnoli), and of 32 zeros from RFC 3720 B.4.
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


@patient
@given(st.binary(max_size=200))
def test_crc32c_by_tables_and_by_instruction_agree(octets: bytes) -> None:
    assert crc32c(octets) == crc32c(octets, tables=True)


@pytest.mark.parametrize("sacks", [True, False])
def test_what_is_written_is_read(sacks: bool) -> None:
    batch = traffic(1000)
    got = data_messages(written(batch, times(1000), framing=Framing(sacks=sacks)))
    assert got == list(zip(times(1000).tolist(), batch.streams.tolist(), batch, strict=True))


def test_same_messages_same_file() -> None:
    assert written(traffic(100), times(100)) == written(traffic(100), times(100))


def test_messages_that_are_not_data_are_left_out_and_counted() -> None:
    beat = encode(Message.named("BEAT", Parameter(Tag.HEARTBEAT_DATA, b"x")))
    messages = [*traffic(2), beat, b"garbage", *traffic(1)]
    with PcapngWriter(io.BytesIO()) as writer:
        writer.write(times(5), MessageBatch.from_messages(messages, 1))
    assert (writer.messages, writer.left_out) == (3, 2)


def test_times_must_fit_the_messages() -> None:
    with PcapngWriter(io.BytesIO()) as writer, pytest.raises(ValueError, match="2 times for 3 messages"):
        writer.write(times(2), traffic(3))


def frames(octets: bytes) -> list[bytes]:
    """The frames of a capture written on this machine."""
    found = []
    at = 0
    while at < len(octets):
        kind, length = struct.unpack_from("=II", octets, at)
        if kind == 6:
            captured = struct.unpack_from("=I", octets, at + 20)[0]
            found.append(octets[at + 28 : at + 28 + captured])
        at += length
    return found


def test_checksums_tags_and_sequence_numbers() -> None:
    ways: dict[tuple[bytes, ...], list[tuple[int, int, int]]] = {}
    for frame in frames(written(traffic(500), times(500))):
        ip, sctp = frame[14:34], frame[34:]
        assert sum(struct.unpack("!10H", ip)) % 0xFFFF == 0
        assert struct.unpack_from("!H", ip, 2)[0] == len(frame) - 14
        assert crc32c(sctp[:8] + bytes(4) + sctp[12:]) == struct.unpack_from("<I", sctp, 8)[0]
        at = 12
        while at < len(sctp):
            kind, flags, length = struct.unpack_from("!BBH", sctp, at)
            if kind == 0:
                tsn, stream, ssn, ppid = struct.unpack_from("!IHHI", sctp, at + 4)
                assert (flags, ppid) == (3, 3)
                ways.setdefault((ip[12:16], ip[16:20], sctp[:4], sctp[4:8]), []).append((tsn, stream, ssn))
            at += length + -length % 4
    assert len(ways) == 4  # two associations, two directions
    assert len({key[3] for key in ways}) == 4  # a verification tag each
    for seen in ways.values():
        assert [tsn for tsn, _, _ in seen] == [(seen[0][0] + i) & 0xFFFFFFFF for i in range(len(seen))]
        for stream in {stream for _, stream, _ in seen}:
            assert [ssn for _, s, ssn in seen if s == stream] == list(
                range(sum(s == stream for _, s, _ in seen))
            )


@pytest.mark.tshark
def test_tshark_finds_nothing_wrong_and_nothing_missing(tmp_path: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("no tshark: apt-get install tshark")
    path = tmp_path / "a.pcapng"
    with PcapngWriter(path, names={MSC: "MSC", BSC1: "BSC1", BSC2: "BSC2"}, comment="a test") as writer:
        writer.write(times(600), traffic(600))

    def ask(*arguments: str) -> list[str]:
        command = ["tshark", "-n", "-r", str(path), "-o", "sctp.checksum:CRC 32c", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    assert (
        ask("-Y", "_ws.malformed || _ws.expert || sctp.retransmission || !(sctp.checksum.status == 1)") == []
    )
    names = (
        "frame.time_epoch sctp.chunk_type m3ua.message_class m3ua.correlation_identifier gsm_a.bssmap.msgtype"
    )
    fields = [part for name in names.split() for part in ("-e", name)]
    rows = [line.split("\t") for line in ask("-T", "fields", *fields)]
    data = [row for row in rows if row[2] == "1"]
    assert [int(row[3]) for row in data] == list(range(1, 601))
    assert {row[4] for row in data} == {"0x31"}
    assert [round(float(row[0]) * 1e6) for row in data[:2]] == [START_US, START_US + 1000]
    # INIT, INIT ACK, COOKIE ECHO, COOKIE ACK; ASPUP and ASPAC with their answers; each for two associations.
    assert sorted(row[1] for row in rows[:60] if row[1] in ("1", "2", "10", "11")) == [
        "1",
        "1",
        "10",
        "10",
        "11",
        "11",
        "2",
        "2",
    ]
    assert sum(row[2] in ("3", "4") for row in rows) == 8


# --- captures as others make them


def chunk(tsn: int, payload: bytes, *, flags: int = 3, stream: int = 1, ssn: int = 0, ppid: int = 3) -> bytes:
    body = struct.pack("!BBHIHHI", 0, flags, 16 + len(payload), tsn, stream, ssn, ppid) + payload
    return body + bytes(-len(payload) % 4)


def sctp(*chunks: bytes, tag: int = 7) -> bytes:
    return struct.pack("!HHII", 2905, 2906, tag, 0) + b"".join(chunks)


def ipv4(payload: bytes, protocol: int = 132) -> bytes:
    return struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, 1, 2) + payload


def ipv6(payload: bytes, protocol: int = 132) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + bytes(32) + payload


def udp(payload: bytes) -> bytes:
    return struct.pack("!HHHH", 9899, 40000, 8 + len(payload), 0) + payload


def pcap(link: int, *packets: bytes, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for i, packet in enumerate(packets):
        fraction = 5 * 1000 if magic == 0xA1B23C4D else 5
        out += struct.pack(order + "IIII", 1000 + i, fraction, len(packet), len(packet)) + packet
    return out


def read(octets: bytes) -> list[bytes]:
    return [message for batch in read_messages(io.BytesIO(octets)) for message in batch.messages]


ETHERNET_IPV4 = bytes(12) + b"\x08\x00"
LINKS = {
    "ethernet": (1, lambda p: ETHERNET_IPV4 + ipv4(p)),
    "vlan": (1, lambda p: bytes(12) + b"\x81\x00\x00\x05\x08\x00" + ipv4(p)),
    "ethernet ipv6": (1, lambda p: bytes(12) + b"\x86\xdd" + ipv6(p)),
    "ipv6 with an extension header": (101, lambda p: ipv6(bytes([132, 0]) + bytes(6) + p, protocol=60)),
    "cooked": (113, lambda p: bytes(14) + b"\x08\x00" + ipv4(p)),
    "cooked 2": (276, lambda p: b"\x08\x00" + bytes(18) + ipv4(p)),
    "loopback": (0, lambda p: struct.pack("=I", 2) + ipv4(p)),
    "raw": (101, ipv4),
    "raw ipv6": (229, ipv6),
    "in udp": (101, lambda p: ipv4(udp(p), protocol=17)),
    "sctp": (248, lambda p: p),
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
def test_links_and_pcap_forms(link: str, order: str, magic: int) -> None:
    number, wrap = LINKS[link]
    file = pcap(
        number, wrap(sctp(chunk(1, b"one"))), wrap(sctp(chunk(2, b"two", stream=9))), order=order, magic=magic
    )
    (batch,) = read_messages(io.BytesIO(file))
    assert list(batch.messages) == [b"one", b"two"]
    assert batch.messages.streams.tolist() == [1, 9]
    assert batch.t_unix_us.tolist() == [1000_000005, 1001_000005]


def test_bundled_chunks_in_order_and_others_left_out() -> None:
    sack = struct.pack("!BBHIIHH", 3, 0, 16, 1, 1, 0, 0)
    file = pcap(101, ipv4(sctp(sack, chunk(1, b"a"), chunk(2, b"not m3ua", ppid=46), chunk(3, b"c"))))
    reader = CaptureReader(io.BytesIO(file))
    assert [m for batch in reader for m in batch.messages] == [b"a", b"c"]
    assert reader.counts()["other_payload"] == 1


def test_a_tsn_seen_twice_counts_once() -> None:
    packets = [ipv4(sctp(chunk(tsn, b"%d" % tsn))) for tsn in (5, 6, 5, 8, 7, 7, 6)]
    reader = CaptureReader(io.BytesIO(pcap(101, *packets)))
    assert [m for batch in reader for m in batch.messages] == [b"5", b"6", b"8", b"7"]
    assert reader.counts()["duplicates"] == 3


def test_the_same_tsn_of_another_association_is_another_message() -> None:
    packets = [ipv4(sctp(chunk(5, b"a"), tag=1)), ipv4(sctp(chunk(5, b"b"), tag=2))]
    assert read(pcap(101, *packets)) == [b"a", b"b"]


def test_tsns_wrap_around() -> None:
    packets = [ipv4(sctp(chunk(tsn & 0xFFFFFFFF, b"x"))) for tsn in range(0xFFFFFFF0, 0x100000010)]
    assert len(read(pcap(101, *packets))) == 32


def test_fragments_are_joined() -> None:
    packets = [
        ipv4(sctp(chunk(1, b"whole"), chunk(2, b"begin ", flags=2))),
        ipv4(sctp(chunk(3, b"middle ", flags=0))),
        ipv4(sctp(chunk(3, b"middle ", flags=0))),
        ipv4(sctp(chunk(4, b"end", flags=1), chunk(5, b"whole"))),
    ]
    assert read(pcap(101, *packets)) == [b"whole", b"begin middle end", b"whole"]


def test_a_lost_fragment_loses_its_message_only() -> None:
    packets = [
        ipv4(sctp(chunk(2, b"begin ", flags=2))),
        ipv4(sctp(chunk(4, b"end", flags=1), chunk(5, b"whole"))),
    ]
    reader = CaptureReader(io.BytesIO(pcap(101, *packets)))
    assert [m for batch in reader for m in batch.messages] == [b"whole"]
    assert reader.counts()["fragments_lost"] == 2


def test_pcapng_of_the_other_byte_order_with_nanoseconds_and_an_offset() -> None:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack(">II", kind, 12 + len(body)) + body + struct.pack(">I", 12 + len(body))

    packet = ipv4(sctp(chunk(1, b"one")))
    file = block(0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack(">HHB3x", 9, 1, 9) + struct.pack(">HHq", 14, 8, 60) + struct.pack(">HH", 0, 0)
    file += block(1, struct.pack(">HHI", 101, 0, 0) + options)
    file += block(0xBAD, b"unknown to us")
    units = 1_000_000_005_000
    head = struct.pack(">IIIII", 0, units >> 32, units & 0xFFFFFFFF, len(packet), len(packet))
    file += block(6, head + packet)
    (batch,) = read_messages(io.BytesIO(file))
    assert batch.t_unix_us.tolist() == [1_060_000_005]


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"not a capture at all, really", "neither pcapng nor pcap"),
        (b"\x0a\x0d\x0d\x0a" + bytes(30), "byte-order magic"),
        (written(traffic(3), times(3))[:-5], "ends within a block"),
        (written(traffic(3), times(3)) + bytes(30), "impossible length"),
        (pcap(1) + struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30), "more than 64 MiB"),
    ],
)
def test_what_is_no_capture_is_said_so(octets: bytes, reason: str) -> None:
    with pytest.raises(CaptureError, match=reason):
        list(read_messages(io.BytesIO(octets)))


WHOLE = written(traffic(20), times(20))


@patient
@given(st.data())
def test_damaged_captures_never_crash(data: st.DataObject) -> None:
    octets = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 8))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        for batch in read_messages(io.BytesIO(bytes(octets))):
            assert batch.messages.n == len(batch.t_unix_us)
    except CaptureError:
        return


def test_a_pipe_is_read_as_it_comes() -> None:
    octets = written(traffic(50), times(50))

    class Pipe(io.RawIOBase):
        at = 0

        def readable(self) -> bool:
            return True

        def read1(self, n: int) -> bytes:
            part = octets[self.at : self.at + 37]
            self.at += len(part)
            return part

    got = [m for batch in read_messages(Pipe()) for m in batch.messages]  # type: ignore[arg-type]
    assert got[-1] == traffic(50).message(49)


def test_memory_stays_constant(tmp_path: Path) -> None:
    path = tmp_path / "big.pcapng"
    batch = traffic(20_000)
    with PcapngWriter(path) as writer:
        for i in range(10):
            writer.write(times(20_000) + i * 20_000_000, batch)
    assert path.stat().st_size > 30 << 20
    tracemalloc.start()
    count = sum(batch.messages.n for batch in read_messages(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200_000 + 12
    assert peak < 12 << 20


def test_addresses_follow_from_the_point_code() -> None:
    assert str(Endpoint(0x010203).ip) == "10.1.2.3"
    with pytest.raises(ValueError, match="24 bits"):
        Endpoint(1 << 24)
