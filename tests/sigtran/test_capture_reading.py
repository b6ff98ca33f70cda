"""What real captures hold that ours do not: holes, late fragments, odd headers, damage; endless ones too."""

import gc
import io
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigtran import MessageBatch
from sigtran.capture import COUNTS, CaptureError, CaptureReader, CaptureWriter, Framing
from sigtran.m3ua import DataMessage, encode

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
START_US = 1_199_145_600_000_000


def chunk(tsn: int, payload: bytes, *, flags: int = 3, stream: int = 1, ppid: int = 3) -> bytes:
    head = struct.pack("!BBHIHHI", 0, flags, 16 + len(payload), tsn & 0xFFFFFFFF, stream, 0, ppid)
    return head + payload + bytes(-len(payload) % 4)


def i_data(tsn: int, payload: bytes, *, flags: int = 3, last: int = 3) -> bytes:
    """RFC 8260 2.1; `last` is the payload protocol id of a first fragment, else the fragment's number."""
    head = struct.pack("!BBHIHHII", 64, flags, 20 + len(payload), tsn, 1, 0, 0, last)
    return head + payload + bytes(-len(payload) % 4)


def sctp(*chunks: bytes, tag: int = 7) -> bytes:
    return struct.pack("!HHII", 2905, 2906, tag, 0) + b"".join(chunks)


def ipv4(payload: bytes, protocol: int = 132, fragment: int = 0, length: int | None = None) -> bytes:
    length = 20 + len(payload) if length is None else length
    return struct.pack("!BBHHHBBHII", 0x45, 0, length, 0, fragment, 64, protocol, 0, 1, 2) + payload


def ipv6(payload: bytes, protocol: int = 132) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + bytes(32) + payload


def pcap(*packets: bytes, link: int = 101, cut: int = 0) -> bytes:
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    for i, packet in enumerate(packets):
        out += struct.pack("<IIII", 1000 + i, 5, len(packet), len(packet) + cut) + packet
    return out


def read(octets: bytes) -> tuple[list[bytes], dict[str, int]]:
    """Messages, and what was counted beside packets."""
    reader = CaptureReader(io.BytesIO(octets))
    messages = [message for batch in reader for message in batch.messages]
    counts = reader.counts()
    assert set(counts) == set(COUNTS)
    return messages, {name: n for name, n in counts.items() if n and name != "packets"}


def tsns(*numbers: int) -> list[bytes]:
    return [ipv4(sctp(chunk(n, b"%d" % (n & 0xFFFF)))) for n in numbers]


@pytest.mark.parametrize(
    ("numbers", "counted"),
    [
        ((1, 2, 3), {}),
        ((1, 2, 5, 6), {"missing": 2}),
        ((1, 2, 5, 4, 3, 6), {}),
        ((1, 4, 2, 2), {"missing": 1, "duplicates": 1}),
        ((5, 3, 4, 6), {}),  # the first that is seen need not be the first that was sent
        ((5, 2, 6), {"missing": 2}),
        ((1, 2, 2 + 5000, 2 + 5001), {"jumps": 1}),
        ((1, 900_000, 2, 3), {"jumps": 2}),  # one damaged number hides nothing that follows
        ((0xFFFFFFFE, 0xFFFFFFFF, 1, 2), {"missing": 1}),
    ],
)
def test_what_is_missing_is_counted(numbers: tuple[int, ...], counted: dict[str, int]) -> None:
    messages, counts = read(pcap(*tsns(*numbers)))
    assert counts == counted
    assert len(messages) == len(numbers) - counted.get("duplicates", 0)


def test_data_of_others_leaves_no_hole() -> None:
    packet = ipv4(sctp(chunk(1, b"a"), chunk(2, b"x", ppid=46), chunk(3, b"b")))
    assert read(pcap(packet)) == ([b"a", b"b"], {"other_payload": 1})


FRAGMENTS = [(11, b"begin ", 2), (12, b"middle ", 0), (13, b"more ", 0), (14, b"end", 1)]


@pytest.mark.parametrize(
    "order", [(0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0), (1, 0, 0, 3, 2), (0, 3, 1, 1, 2)]
)
def test_fragments_join_in_whatever_order_they_come(order: tuple[int, ...]) -> None:
    """A retransmission comes late; the message has the time of the frame that completes it."""
    packets = [ipv4(sctp(chunk(tsn, part, flags=flags))) for tsn, part, flags in FRAGMENTS]
    file = pcap(*tsns(10), *(packets[i] for i in order), *tsns(15))
    reader = CaptureReader(io.BytesIO(file))
    (batch,) = reader
    assert list(batch.messages) == [b"10", b"begin middle more end", b"15"]
    assert batch.t_unix_us[1] == (1000 + len(order)) * 1_000_000 + 5
    assert reader.counts()["missing"] == reader.counts()["fragments_lost"] == 0


def test_fragments_of_messages_side_by_side_do_not_mix() -> None:
    packets = [
        ipv4(sctp(chunk(1, b"a1", flags=2), chunk(2, b"a2", flags=1), chunk(3, b"b1", flags=2))),
        ipv4(sctp(chunk(1, b"A1", flags=2), chunk(2, b"A2", flags=1), tag=8)),
        ipv4(sctp(chunk(4, b"b2", flags=1), chunk(6, b"c2", flags=1), chunk(5, b"c1", flags=2))),
    ]
    messages, counts = read(pcap(*packets))
    assert messages == [b"a1a2", b"A1A2", b"b1b2", b"c1c2"]
    assert counts == {}


def test_fragments_that_never_become_whole_are_given_up() -> None:
    packets = [ipv4(sctp(chunk(n, bytes(1000), flags=2))) for n in range(1, 2000)]
    messages, counts = read(pcap(*packets))
    assert messages == []
    assert counts == {"fragments_lost": 1999}


def test_headers_seldom_seen() -> None:
    data = sctp(chunk(1, b"one"))
    option = bytes([132, 0]) + bytes(6)
    atomic = bytes([132, 0, 0, 0]) + bytes(4)  # RFC 6946: a fragment that is whole
    authentication = bytes([132, 4]) + bytes(22)  # RFC 4302: its length counts words of four octets, less two
    for packet in (
        ipv6(option + data, protocol=0),
        ipv6(bytes([60, 0]) + bytes(6) + option + data, protocol=43),
        ipv6(atomic + data, protocol=44),
        ipv6(authentication + data, protocol=51),
        ipv4(data, length=0),  # the network card was to cut it
    ):
        assert read(pcap(packet)) == ([b"one"], {}), packet.hex()


def test_fragments_of_ip_are_counted_and_not_read() -> None:
    data = sctp(chunk(1, b"one"))
    later = bytes([132, 0, 0, 8]) + bytes(4)
    packets = [ipv4(data, fragment=0x2000), ipv4(data, fragment=5), ipv6(later + data, protocol=44)]
    assert read(pcap(*packets, ipv4(data, fragment=0x4000))) == ([b"one"], {"ip_fragments": 3})


def test_i_data_is_read_where_it_is_whole() -> None:
    packet = ipv4(sctp(i_data(1, b"whole"), i_data(2, b"a", flags=2), i_data(3, b"b", flags=1, last=1)))
    assert read(pcap(packet)) == ([b"whole"], {"i_data": 3, "fragments_lost": 2})


def test_what_the_snapshot_length_cut_is_counted() -> None:
    packet = ipv4(sctp(chunk(1, b"one"), chunk(2, b"two")))
    assert read(pcap(packet[:-3], cut=3)) == ([b"one"], {"cut_short": 1, "damaged": 1})


def test_links_that_are_not_read_are_told_apart() -> None:
    assert read(pcap(b"x" * 60, link=105))[1] == {"unknown_link": 1}
    assert read(pcap(b"x" * 60, link=1))[1] == {"not_sctp": 1}


def block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, 12 + len(body)) + body + struct.pack("<I", 12 + len(body))


SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def test_simple_packets_take_the_time_before_them() -> None:
    one, two = (ipv4(sctp(chunk(n, b"%d" % n))) for n in (1, 2))
    file = SECTION + block(1, struct.pack("<HHI", 101, 0, 0))
    file += block(6, struct.pack("<IIIII", 0, 0, 77, len(one), len(one)) + one)
    file += block(3, struct.pack("<I", len(two)) + two)
    (batch,) = CaptureReader(io.BytesIO(file))
    assert list(batch.messages) == [b"1", b"2"]
    assert batch.t_unix_us.tolist() == [77, 77]


@pytest.mark.parametrize(
    ("resolution", "units", "t_us"),
    [
        (0, 7, 7_000_000),
        (3, 7001, 7_001_000),
        (9, 7_000_001_999, 7_000_001),
        (0x8A, 7 * 1024 + 512, 7_500_000),
    ],
)
def test_resolutions(resolution: int, units: int, t_us: int) -> None:
    """if_tsresol: powers of ten, or of two where the upper bit says so."""
    packet = ipv4(sctp(chunk(1, b"one")))
    options = struct.pack("<HHB3x", 9, 1, resolution) + struct.pack("<HH", 0, 0)
    file = SECTION + block(1, struct.pack("<HHI", 101, 0, 0) + options)
    file += block(
        6, struct.pack("<IIIII", 0, units >> 32, units & 0xFFFFFFFF, len(packet), len(packet)) + packet
    )
    (batch,) = CaptureReader(io.BytesIO(file))
    assert batch.t_unix_us.tolist() == [t_us]


# --------------------------------------------------------------------------- damage


def written(n: int, framing: Framing | None = None) -> bytes:
    file = io.BytesIO()
    messages = [encode(DataMessage(257, 1, 15, 2, i % 16, bytes(i * 37 % 700))) for i in range(n)]
    with CaptureWriter(file, framing=framing) as writer:
        times = START_US + 700 * np.arange(n, dtype=np.int64)
        writer.write(times, MessageBatch.from_messages(messages, 1))
    return file.getvalue()


def starts(octets: bytes) -> list[int]:
    """Where each block begins, of a pcapng of this machine or of a pcap with its header as the first."""
    found, at = [], 0
    while at < len(octets):
        found.append(at)
        if octets[:4] == b"\x0a\x0d\x0d\x0a":
            at += struct.unpack_from("=I", octets, at + 4)[0]
        else:
            at += 24 if at == 0 else 16 + struct.unpack_from("=I", octets, at + 8)[0]
    return found


@pytest.mark.parametrize("form", ["pcapng", "pcap"])
@pytest.mark.parametrize("which", [5, 2000, -1])
def test_damage_is_named_by_octet_and_block(form: str, which: int) -> None:
    octets = bytearray(written(3000, Framing(form=form)))  # type: ignore[arg-type]
    at = starts(octets)
    which %= len(at)
    struct.pack_into("=I", octets, at[which] + (4 if form == "pcapng" else 8), 1 << 30)
    with pytest.raises(CaptureError, match=rf"at octet {at[which]} \(block {which + 1}\)"):
        read(bytes(octets))
    cut = bytes(written(3000, Framing(form=form)))[: at[which] + 9]  # type: ignore[arg-type]
    with pytest.raises(
        CaptureError, match=rf"after 9 octets of it, at octet {at[which]} \(block {which + 1}\)"
    ):
        read(cut)


def test_both_lengths_of_a_block_must_agree() -> None:
    octets = bytearray(written(50))
    at = starts(octets)
    octets[at[10] - 3] ^= 1
    with pytest.raises(CaptureError, match=rf"differs.* at octet {at[9]} \(block 10\)"):
        read(bytes(octets))


def test_an_empty_file_is_no_capture() -> None:
    with pytest.raises(CaptureError, match="empty"):
        read(b"")


FORMS = [
    Framing(mtu=576, bundle_us=2000),
    Framing(form="pcap", byte_order="big", link="cooked2", ip=6, mtu=1280),
    Framing(link="loopback", udp_port=9899, nanoseconds=True),
]
WHOLE = [written(25, framing) for framing in FORMS]


@settings(patient, max_examples=400)
@given(st.data())
def test_no_damage_is_too_odd(data: st.DataObject) -> None:
    """Flipped, cut, inserted, repeated: messages or a CaptureError, whatever the pieces it comes in."""
    octets = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(octets) - 1))
        match data.draw(st.sampled_from(["flip", "word", "cut", "insert", "repeat"])):
            case "flip":
                octets[at] = data.draw(st.integers(0, 255))
            case "word":
                word = data.draw(st.sampled_from([0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000]))
                octets[at : at + 4] = struct.pack("=I", word)
            case "cut":
                del octets[at : at + data.draw(st.integers(1, 100))]
            case "insert":
                octets[at:at] = data.draw(st.binary(min_size=1, max_size=20))
            case "repeat":
                octets[at:at] = octets[at : at + 200]
        if not octets:
            return
    size = data.draw(st.sampled_from([1 << 20, 997, 61]))

    class Pieces(io.RawIOBase):
        at = 0

        def read1(self, n: int) -> bytes:
            part = bytes(octets[self.at : self.at + size])
            self.at += len(part)
            return part

    def told(source: object) -> tuple[list[bytes], str]:
        messages: list[bytes] = []
        try:
            for batch in CaptureReader(source, name="x"):
                assert batch.messages.n == len(batch.t_unix_us) > 0
                messages += list(batch.messages)
        except CaptureError as error:
            return messages, str(error)
        return messages, ""

    assert told(Pieces()) == told(io.BytesIO(bytes(octets)))


# --------------------------------------------------------------------------- endless captures


def resident_kib() -> int:
    """The most memory that this process has had since `clear_peak`."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0])


def clear_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def test_an_endless_stream_is_read_in_constant_memory() -> None:
    """Through a pipe, 600 MiB: new TSNs, holes, duplicates and unfinished fragments all along."""
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("no /proc/self/clear_refs to measure the peak with")
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    out, into = os.pipe()
    want = 600 << 20

    def pour() -> None:
        sent, turn, tsn = 0, 0, 0
        # Two packets an association, so that associations come and go without end.
        body = b"".join(
            struct.pack("<IIII", 1000, i, 1328, 1328) + ipv4(sctp(*(chunk(0, bytes(1280)),), tag=1))
            for i in range(700)
        )
        packets = bytearray(body)
        record = len(packets) // 700
        with os.fdopen(into, "wb") as pipe:
            pipe.write(head)
            while sent < want:
                for i in range(700):
                    at = i * record + 16 + 20
                    struct.pack_into("!I", packets, at + 4, (turn * 700 + i) // 2)  # verification tag
                    packets[at + 13] = 2 if i % 31 == 0 else 3  # a first fragment that nothing follows
                    struct.pack_into("!I", packets, at + 16, tsn & 0xFFFFFFFF)
                    tsn += 2 if i % 50 == 0 else 1
                pipe.write(packets)
                sent += len(packets)
                turn += 1

    pourer = threading.Thread(target=pour)
    pourer.start()
    with os.fdopen(out, "rb") as pipe:
        reader = CaptureReader(pipe)
        batches = iter(reader)
        octets = 0
        while octets < 60 << 20:  # by now everything has its size
            octets += len(next(batches).messages.data)
        gc.collect()
        clear_peak()
        before = resident_kib()
        for batch in batches:
            octets += len(batch.messages.data)
        grown = resident_kib() - before
    pourer.join()
    assert octets > want * 0.85
    assert grown < 24 << 10
    counts = reader.counts()
    assert counts["missing"] > 1000
    assert counts["forgotten"] > 100_000
    assert counts["fragments_lost"] > 1000
