"""Fixtures of the codec tests: Wireshark's decoder, the variants of every ladder."""

from __future__ import annotations

import shutil
import struct
import subprocess
from itertools import product

import pytest

from sim.bssap.procedures import LADDERS, OPTION_VALUES, Params, ladder


def _exported_pdus(messages, protocol):
    """A capture of link type 252: each packet names its dissector (tag 12) and holds one message."""
    name = protocol.encode()
    name += bytes(-len(name) % 4)
    head = struct.pack(">HH", 12, len(name)) + name + bytes(4)
    out = bytearray(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 252))
    for index, data in enumerate(messages):
        packet = head + data
        out += struct.pack("<IIII", index, 0, len(packet), len(packet)) + packet
    return bytes(out)


@pytest.fixture(scope="session")
def tshark(tmp_path_factory):
    """decode(messages, dissector, fields) -> one list of strings a message."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")

    def decode(messages, protocol, fields):
        path = tmp_path_factory.mktemp("tshark") / "messages.pcap"
        path.write_bytes(_exported_pdus(messages, protocol))
        command = [program, "-n", "-r", str(path), "-T", "fields", "-E", "separator=/t"]
        for field in fields:
            command += ["-e", field]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        rows = [line.split("\t") for line in run.stdout.splitlines()]
        assert len(rows) == len(messages)
        return rows

    return decode


@pytest.fixture(scope="session")
def tshark_words(tmp_path_factory):
    """read(messages, dissector) -> what Wireshark writes of each message in full."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")

    def read(messages, protocol):
        path = tmp_path_factory.mktemp("tshark") / "messages.pcap"
        path.write_bytes(_exported_pdus(messages, protocol))
        command = [program, "-n", "-r", str(path), "-V"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        texts = run.stdout.split("\nFrame ")
        assert len(texts) == len(messages)
        return texts

    return read


@pytest.fixture(scope="session")
def variants():
    """(kind, params, steps) for every procedure under every combination of its options."""
    found = []
    for kind, row in LADDERS.items():
        values = [OPTION_VALUES[option] for option in row.options]
        for chosen in product(*values):
            params = Params(**dict(zip(row.options, chosen, strict=True)))
            found.append((kind, params, ladder(kind, params)))
    return found
