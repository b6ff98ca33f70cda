"""Scapy layers: captures are named, messages made by hand are what the codec writes, and can be sent."""

import contextlib
import doctest
import io
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from scapy.config import conf
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP, SCTPChunkData, SCTPChunkSACK
from scapy.packet import Raw
from scapy.utils import rdpcap

from sigtran import MessageBatch, TransportError, listen, m3ua
from sigtran.association import SgpSide
from sigtran.capture import PcapngWriter
from sim import scapy_layers
from sim.bssap import EncodeError, dtap, sccp
from sim.bssap.cells import cgi, lac_list
from sim.bssap.procedures import LADDERS, Params, ladder
from sim.bssap.sccp_connection import segment
from sim.scapy_layers import BSSAP, BSSMAP, DTAP, M3UA, RP, SCCP, TPDU, data_chunk, deliver

ROOT = Path(__file__).parents[2]
MSC, BSC = 1, 257
RESET = bytes.fromhex("000430040120")


def dialogues():
    """(name, M3UA message) of every procedure with its usual options."""
    for kind in LADDERS:
        for step in ladder(kind, Params()):
            opc, dpc = (BSC, MSC) if step.uplink else (MSC, BSC)
            yield step.name, m3ua.encode(m3ua.DataMessage(opc, dpc, 3, 2, 5, step.payload, correlation_id=9))


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    path = tmp_path_factory.mktemp("capture") / "x.pcapng"
    messages = [octets for _, octets in dialogues()]
    with PcapngWriter(path) as writer:
        times = np.arange(len(messages), dtype=np.int64) * 1000
        writer.write(times, MessageBatch.from_messages(messages, 3))
    return rdpcap(str(path))


def forget(packet):
    """The same values without the octets they were read from."""
    packet = packet.copy()
    layer = packet
    while layer:
        layer.raw_packet_cache = None
        layer = layer.payload
    return packet


def test_everything_in_a_capture_is_named(capture):
    found = [packet[M3UA] for packet in capture if M3UA in packet and packet[M3UA].message == "DATA"]
    expected = list(dialogues())
    assert len(found) == len(expected) > 100
    for packet, (name, octets) in zip(found, expected, strict=True):
        assert Raw not in packet, name
        assert bytes(packet) == octets
        assert bytes(forget(packet)) == octets
        assert packet.correlation_id == 9
        shown = packet.show(dump=True)
        assert SCCP in packet
        assert f"({sccp.BY_SHORT[packet[SCCP].type].name})" in shown
        for layer in (BSSMAP, DTAP, RP):
            if layer in packet:
                assert f"message   = {packet[layer].message}\n" in shown
                assert all(element in shown for element, _ in packet[layer].elements)
    handshake = {p[M3UA].message for p in capture if M3UA in p} - {"DATA"}
    assert handshake == {"ASPUP", "ASPUP ACK", "ASPAC", "ASPAC ACK", "NTFY"}


def test_first_packet_of_a_capture_shows(capture):
    assert "SCTPChunkInit" in capture[0].show(dump=True)


def test_short_message_is_read_to_its_text(capture):
    packet = next(p for p in capture if TPDU in p)
    shown = packet.show(dump=True)
    assert "message   = RP-DATA" in shown
    assert re.search(r"message: SMS-(SUBMIT|DELIVER)", shown)
    assert f"text: {packet[TPDU].value.user_data.text}" in shown


def test_a_changed_field_changes_the_octets_and_a_changed_element_too():
    paging = BSSMAP(
        message="PAGING", elements={"IMSI": "460001234567890", "Cell Identifier List": lac_list((7,))}
    )
    packet = M3UA(bytes(M3UA(opc=MSC, dpc=BSC) / SCCP(type="UDT") / BSSAP() / paging))
    assert packet[BSSMAP].element("IMSI") == "460001234567890"
    packet[BSSMAP].elements[0] = ("IMSI", "460009999999999")
    packet.dpc = 258
    again = M3UA(bytes(packet))
    assert (again.dpc, again[BSSMAP].element("IMSI")) == (258, "460009999999999")
    assert again[SCCP].called.ssn == again[SCCP].calling.ssn == 254


def test_dtap_makes_the_discrimination_of_bssap():
    accept = DTAP(pd=dtap.PD_MM, message="CM SERVICE ACCEPT")
    assert bytes(BSSAP(dlci=3) / accept) == bytes.fromhex("0103020521")
    assert bytes(BSSAP() / BSSMAP()) == bytes.fromhex("000131")


def test_octets_that_the_codec_writes_otherwise_are_kept_until_changed():
    # The final padding is not in the length: RFC 4666 3.1.4 lets a receiver take it.
    octets = m3ua.encode(m3ua.DataMessage(BSC, MSC, 3, 2, 0, bytes.fromhex("05010203040506")))
    loose = octets[:4] + (len(octets) - 1).to_bytes(4, "big") + octets[8:-1]
    packet = M3UA(loose)
    assert bytes(packet) == bytes(packet.copy()) == loose
    packet.sls = 4
    assert len(bytes(packet)) == len(octets)


def test_m3ua_management_by_hand():
    packet = M3UA(message="ASPAC", parameters={"Traffic Mode Type": 2, "Routing Context": [5, 6]})
    assert m3ua.decode(bytes(packet)).integer(m3ua.Tag.TRAFFIC_MODE_TYPE) == 2
    assert M3UA(bytes(packet)).element("Routing Context") == [5, 6]
    error = M3UA(bytes(m3ua.encode(m3ua.Message(0, 0, (m3ua.Parameter(0x99, b"x"),)))))
    assert (error.message, error.element("unknown 0x0099")) == ("ERR", b"x")


def test_what_cannot_be_decoded_is_raw(monkeypatch):
    def message(payload):
        return m3ua.encode(m3ua.DataMessage(BSC, MSC, 3, 2, 0, payload))

    assert M3UA(message(b"\xde\xad"))[Raw].load == b"\xde\xad"
    damaged = SCTP(bytes(SCTP() / data_chunk(b"\x01\x00\x01\x01\x00\x00\x00\xff")))
    assert isinstance(damaged[SCTPChunkData].data, Raw)
    with pytest.raises(EncodeError, match="IMSI is missing"):
        bytes(BSSMAP(message="PAGING"))
    monkeypatch.setattr(conf, "debug_dissector", True)
    with pytest.raises(ValueError, match="SCCP message type 0xde"):
        M3UA(message(b"\xde\xad"))


def test_segments_and_other_users_are_not_taken_for_bssap():
    first = segment(bytes(300), 0x010203)[0]
    assert isinstance(SCCP(sccp.encode(first)).payload, Raw)
    assert isinstance(SCCP(bytes(SCCP(type="UDT", called=sccp.Address(8)) / Raw(RESET))).payload, Raw)
    assert isinstance(M3UA(bytes(M3UA(si=5) / Raw(RESET))).payload, Raw)


def test_bundled_chunks_fragments_and_udp():
    udt = M3UA(opc=BSC, dpc=MSC) / SCCP(type="UDT") / BSSAP(RESET)
    chunks = data_chunk(udt, tsn=1) / data_chunk(udt, tsn=2)
    frame = Ether(bytes(Ether() / IP() / UDP(sport=40000, dport=9899) / SCTP() / chunks / SCTPChunkSACK()))
    first = frame[SCTPChunkData]
    second = first.payload
    assert [first.tsn, second.tsn] == [1, 2]
    assert first.data[BSSMAP].message == second.data[BSSMAP].message == "RESET"
    assert SCTPChunkSACK in frame
    fragment = data_chunk(bytes(udt)[:20])
    fragment.ending = 0
    assert M3UA not in SCTP(bytes(SCTP() / fragment))
    other = data_chunk(b"abcd")
    other.proto_id = 46
    assert bytes(SCTP(bytes(SCTP() / other))[SCTPChunkData].data) == b"abcd"


def test_summary_names_the_message():
    packet = BSSAP() / BSSMAP(
        message="COMPLETE LAYER 3 INFORMATION", elements={"Cell Identifier": cgi("460", "00", 1, 2)}
    )
    assert packet.summary() == "BSSAP / BSSMAP COMPLETE LAYER 3 INFORMATION"


# ------------------------------------------------------------------ examples


class Gateway:
    """A listener that answers the M3UA handshake and keeps what comes."""

    def __init__(self):
        self.listener = listen("memory", "127.0.0.1", 0)
        self.received = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        association = self.listener.accept(10)
        side = SgpSide()
        while association is not None and association.state == "up":
            association.wait(0.05)
            batch = association.receive()
            for octets, stream in zip(batch, batch.streams.tolist(), strict=True) if batch else ():
                if m3ua.decode(octets).name == "DATA":
                    self.received.append((stream, octets))
                side.receive(octets, 0)
            if said := side.pending():
                with contextlib.suppress(TransportError):
                    association.send(MessageBatch.from_messages(said, 0))


@pytest.fixture
def gateway(monkeypatch):
    monkeypatch.setenv("SCTP_TRANSPORT", "memory")
    made = Gateway()
    yield made
    made.thread.join(10)
    made.listener.close()


def test_docstring_example():
    assert doctest.testmod(scapy_layers).attempted > 5
    assert doctest.testmod(scapy_layers).failed == 0


def test_readme_example(gateway, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "sim" / "README.md").read_text(), re.DOTALL)
    names = {"host": "127.0.0.1", "port": gateway.listener.port}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        for block in blocks:
            exec(compile(block, "sim/README.md", "exec"), names)
    assert "LOCATION UPDATING REQUEST" in said.getvalue()
    assert "460001234567890" in said.getvalue()
    gateway.thread.join(10)
    assert [octets for _, octets in gateway.received] == [bytes(names["message"]), bytes(names["release"])]
    assert all(stream >= 1 for stream, _ in gateway.received)


def test_deliver_says_who_does_not_answer():
    silent = listen("memory", "127.0.0.1", 0)
    with pytest.raises(TransportError, match="does not answer M3UA"):
        deliver([], "127.0.0.1", silent.port, kind="memory", timeout_s=0.2)
    silent.close()


def test_only_this_module_imports_scapy():
    code = "import sys, sim, sim.bssap, sim.m3ua_view, experiments.cli, experiments.decode.command\n"
    code += "print('scapy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
