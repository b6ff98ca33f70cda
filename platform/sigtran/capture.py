"""Capture files: what a tap on the A interface sees, as pcapng that Wireshark decodes without options.

Writing: each pair of point codes is an SCTP association with its own ports, verification tags, TSNs and
stream sequence numbers, set up by INIT..COOKIE ACK and the M3UA handshake at its first message, acknowledged
by SACKs. Who sends is told by the OPC and DPC of each message, whatever association of ours brought it.

Reading: pcapng or pcap; Ethernet (VLAN), Linux cooked, loopback, raw IP; IPv4 and IPv6; SCTP also in UDP;
bundled and fragmented DATA; a TSN seen twice counts once. Memory stays constant, whatever the file's size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from sigtran import framing
from sigtran._frames import Dissector, Framer, UnknownPointCodesError
from sigtran.association import AspSide, SgpSide
from sigtran.batch import MessageBatch
from sigtran.closing import Closing
from sigtran.endpoints import UDP_PORT

__all__ = ["CaptureBatch", "CaptureError", "CaptureReader", "PcapngWriter", "read_messages"]

_FLUSH_AT: Final = 1 << 20
_CHUNK: Final = 1 << 20
_LINK_ETHERNET: Final = 1


class CaptureError(ValueError):
    """This is not a capture file, or it is damaged; the text says where."""


def _block(kind: int, body: bytes) -> bytes:
    """A pcapng block in the byte order of this machine, as the section header tells the reader."""
    total = 12 + len(body) + (-len(body) % 4)
    return struct.pack("=II", kind, total) + body + bytes(-len(body) % 4) + struct.pack("=I", total)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + value + bytes(-len(value) % 4)


def _preamble(names: Mapping[int, str], comment: str) -> bytes:
    """Section header, the one interface (Ethernet, microseconds), and the names of the nodes."""
    options = _option(1, comment.encode()) if comment else b""
    options += _option(4, b"kairos") + _option(0, b"")
    out = _block(0x0A0D0D0A, struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1) + options)
    options = _option(2, b"A interface") + _option(9, b"\x06") + _option(0, b"")
    out += _block(1, struct.pack("=HHI", _LINK_ETHERNET, 0, 0) + options)
    if names:
        records = b"".join(
            _option(1, framing.Endpoint(code).ip.packed + name.encode() + b"\0")
            for code, name in names.items()
        )
        out += _block(4, records + _option(0, b""))
    return out


class PcapngWriter(Closing):
    """Writes M3UA messages as a tap between the nodes would have seen them.

    `servers` are the point codes that are SCTP servers and signalling gateways, the MSC; of two that are not,
    the higher one is the client. `names` gives names to point codes. Call `write` in the order of time.
    """

    def __init__(
        self,
        path: str | Path | BinaryIO,
        *,
        servers: Iterable[int] = (1,),
        names: Mapping[int, str] | None = None,
        streams: int = 16,
        sacks: bool = True,
        handshake: bool = True,
        comment: str = "",
    ) -> None:
        self._file: BinaryIO = open(path, "wb") if isinstance(path, str | Path) else path  # noqa: SIM115
        self._own = isinstance(path, str | Path)
        self._servers = frozenset(servers)
        self._streams = streams
        self._handshake = handshake
        self._framer = Framer(streams, sacks)
        self._associations = 0
        self.messages = 0
        """DATA messages written."""
        self._file.write(_preamble(names or {}, comment))

    @property
    def left_out(self) -> int:
        """Messages that are not DATA, and so were not written."""
        return self._framer.left_out

    def write(self, t_unix_us: NDArray[np.int64], batch: MessageBatch) -> None:
        """Write the DATA messages of a batch, each with its time in Unix microseconds."""
        if len(t_unix_us) != batch.n:
            raise ValueError(f"{len(t_unix_us)} times for {batch.n} messages")
        before = self._framer.left_out
        first = 0
        while True:
            try:
                self._framer.messages(t_unix_us, batch.data, batch.offsets, batch.streams, first)
                break
            except UnknownPointCodesError as new:
                first = new.done
                self.open_association(*new.pair, int(t_unix_us[first]))
        self.messages += batch.n - (self._framer.left_out - before)
        if self._framer.waiting >= _FLUSH_AT:
            self._file.write(self._framer.take())

    def open_association(self, one: int, other: int, t_unix_us: int) -> None:
        """Set up the association of two point codes at a time; `write` does so at its first message."""
        first_is_client = one not in self._servers and (other in self._servers or one > other)
        client, server = (one, other) if first_is_client else (other, one)
        node, gateway = framing.Endpoint(client), framing.Endpoint(server)
        client_port = framing.CLIENT_PORTS + self._associations % 50000
        self._associations += 1
        to_client_tag = framing.number(client, server, 0)
        to_server_tag = framing.number(server, client, 0)
        client_tsn, server_tsn = framing.number(client, server, 1), framing.number(server, client, 1)
        index = self._framer.add(
            client,
            server,
            framing.headers(node, gateway, client_port, framing.SERVER_PORT, to_server_tag),
            framing.headers(gateway, node, framing.SERVER_PORT, client_port, to_client_tag),
            client_tsn,
            server_tsn,
        )
        if not self._handshake:
            return
        control = self._framer.control
        # RFC 9260 5.1: the INIT itself carries tag 0, everything else the tag that its receiver chose.
        control(index, False, t_unix_us, framing.init(to_client_tag, self._streams, client_tsn), no_tag=True)
        control(index, True, t_unix_us, framing.init_ack(to_server_tag, self._streams, server_tsn))
        control(index, False, t_unix_us, framing.cookie_echo())
        control(index, True, t_unix_us, framing.cookie_ack())
        # RFC 4666 4.3.4: ASPUP, ASPAC and their answers, on stream 0.
        asp, gateway_side = AspSide(0), SgpSide()
        asp.start(0)
        while said := asp.pending():
            for octets in said:
                self._framer.message(client, server, t_unix_us, octets, 0)
                gateway_side.receive(octets, 0)
            for octets in gateway_side.pending():
                self._framer.message(server, client, t_unix_us, octets, 0)
                asp.receive(octets, 0)

    def close(self) -> None:
        """Write what is left; closes the file if it was opened here."""
        self._file.write(self._framer.take())
        if self._own:
            self._file.close()
        else:
            self._file.flush()


@dataclass(frozen=True, slots=True, eq=False)
class CaptureBatch:
    """M3UA messages from a capture, in the order of the file."""

    t_unix_us: NDArray[np.int64]
    """Time of the frame that completed each message, Unix microseconds."""
    messages: MessageBatch


class CaptureReader:
    """Iterates over the `CaptureBatch`es of a file or of a stream such as standard input."""

    def __init__(self, source: str | Path | BinaryIO, *, udp_port: int = UDP_PORT) -> None:
        self._file: BinaryIO = open(source, "rb") if isinstance(source, str | Path) else source  # noqa: SIM115
        self._own = isinstance(source, str | Path)
        self._name = str(source) if self._own else getattr(source, "name", "stream")
        self._dissector = Dissector(udp_port)

    def counts(self) -> dict[str, int]:
        """Packets so far, and those or their parts that gave no message, by kind."""
        return self._dissector.counts()

    def __iter__(self) -> Iterator[CaptureBatch]:
        # read1 gives what a pipe has instead of waiting for a full chunk.
        read = getattr(self._file, "read1", self._file.read)
        rest = b""
        position = 0
        try:
            while octets := read(_CHUNK):
                octets = rest + octets
                try:
                    used = self._dissector.feed(octets)
                except ValueError as error:
                    raise CaptureError(f"{self._name}: {error}, near octet {position}") from error
                rest = octets[used:]
                position += used
                taken = self._dissector.take()
                if taken is not None:
                    times, data, offsets, streams = taken
                    yield CaptureBatch(times, MessageBatch(data, offsets, streams))
            if rest:
                raise CaptureError(
                    f"{self._name}: the file ends within a block, {len(rest)} octets behind {position}"
                )
        finally:
            if self._own:
                self._file.close()


def read_messages(source: str | Path | BinaryIO, *, udp_port: int = UDP_PORT) -> Iterator[CaptureBatch]:
    """The M3UA messages of a capture, batch by batch. Raises `CaptureError`."""
    return iter(CaptureReader(source, udp_port=udp_port))
