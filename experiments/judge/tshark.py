"""Wireshark's decoder as a judge: what it says of M3UA messages, field by field.

The messages go in as exported PDUs (link type 252), whose tag 12 names the dissector; `-T fields` gives the
values of each field in the order in which the dissector met them.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

__all__ = ["Row", "available", "exported_pdus", "say", "version"]

Row = dict[str, tuple[str, ...]]
"""Field -> its values; a field that is absent has none."""

_SEPARATOR: Final = "\x1d"
_AGGREGATOR: Final = "\x1e"
_LINKTYPE_EXPORTED_PDU: Final = 252
_TAG_DISSECTOR: Final = 12
#: Each part of a long short message shows its own text; connections are followed, because a handover
#: message's layer 3 is read by the kind of the target cell.
_OPTIONS: Final = ("-o", "gsm_sms.reassemble:FALSE", "-o", "sccp.trace_sccp:TRUE")


def available() -> str | None:
    """The program, or None."""
    return shutil.which("tshark")


def version() -> str:
    program = available()
    if program is None:
        return "absent"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+(\.\d+)+", said)
    return found.group() if found else said.splitlines()[0]


def exported_pdus(messages: Iterable[bytes], dissector: str) -> Iterator[bytes]:
    """A pcap with one packet for each message, a millisecond apart."""
    name = dissector.encode()
    name += bytes(-len(name) % 4)
    head = struct.pack(">HH", _TAG_DISSECTOR, len(name)) + name + bytes(4)
    yield struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _LINKTYPE_EXPORTED_PDU)
    for index, data in enumerate(messages):
        size = len(head) + len(data)
        yield struct.pack("<IIII", index // 1000, index % 1000 * 1000, size, size) + head + data


def say(messages: Iterable[bytes], fields: Sequence[str], *, dissector: str = "m3ua") -> Iterator[Row]:
    """What Wireshark reads in each message, in order; memory does not grow with their number.

    Raises `OSError` where tshark is missing or fails.
    """
    program = available()
    if program is None:
        raise OSError("tshark is not installed")
    with tempfile.TemporaryDirectory(prefix="kairos-judge-") as folder:
        path = Path(folder) / "messages.pcap"
        with path.open("wb") as file:
            for part in exported_pdus(messages, dissector):
                file.write(part)
        command = [program, "-n", "-r", str(path), *_OPTIONS, "-T", "fields"]
        command += ["-E", f"separator={_SEPARATOR}", "-E", f"aggregator={_AGGREGATOR}"]
        for field in fields:
            command += ["-e", field]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            assert run.stdout is not None
            assert run.stderr is not None
            for line in run.stdout:
                cells = line.decode("utf-8", "replace").removesuffix("\n").split(_SEPARATOR)
                pairs = zip(fields, cells, strict=True)
                yield {field: tuple(cell.split(_AGGREGATOR)) for field, cell in pairs if cell}
            complaint = run.stderr.read().decode("utf-8", "replace")
        if run.returncode:
            raise OSError(f"tshark ended with {run.returncode}: {complaint.strip()[-500:]}")
