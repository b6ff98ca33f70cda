"""Capture files: what a tap on the A interface sees, in a pcapng or pcap that Wireshark decodes as it is.

Writing: each pair of point codes is an SCTP association with its own ports, verification tags, TSNs and
stream sequence numbers, set up by INIT..COOKIE ACK and the M3UA handshake at its first message, acknowledged
by SACKs, tested by HEARTBEATs while nothing is said. Who sends is told by the OPC and DPC of each message,
whatever association of ours brought it. `framing.Framing` says what the packets look like. An answer is dated
as what it answers: the tap is so close to both that a round trip takes no time.

Reading: pcapng or pcap; Ethernet (VLAN), Linux cooked, loopback, raw IP; IPv4 and IPv6; SCTP also in UDP;
bundled and fragmented DATA; a TSN seen twice counts once. Memory stays constant, whatever the file's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from sigtran import framing as frames
from sigtran._frames import Dissector, Framer, UnknownPointCodesError
from sigtran.association import AspSide, SgpSide
from sigtran.batch import MessageBatch
from sigtran.closing import Closing
from sigtran.endpoints import UDP_PORT
from sigtran.framing import Framing

__all__ = [
    "COUNTS",
    "CaptureBatch",
    "CaptureError",
    "CaptureReader",
    "CaptureWriter",
    "Framing",
    "PcapngWriter",
    "read_messages",
]

_FLUSH_AT: Final = 1 << 20
_CHUNK: Final = 1 << 20

COUNTS: Final[Mapping[str, str]] = {
    "packets": "captured packets",
    "not_sctp": "packets of something else than IP with SCTP in it",
    "unknown_link": "packets of a link type that is not read",
    "cut_short": "packets that the snapshot length has cut",
    "ip_fragments": "fragments of IP packets, which are not joined",
    "damaged": "packets with lengths that cannot be, their remaining chunks lost",
    "other_payload": "DATA chunks with another payload protocol id than M3UA's",
    "duplicates": "DATA chunks seen before: retransmissions",
    "missing": "TSNs between others that never came",
    "jumps": "TSNs too far from all others to say what is missing",
    "fragments_lost": "fragments of messages that never became whole",
    "i_data": "I-DATA chunks (RFC 8260); whole messages among them are read",
    "forgotten": "directions of associations forgotten because there were too many",
}
"""What `CaptureReader.counts` counts."""


class CaptureError(ValueError):
    """This is not a capture file, or it is damaged; the text says where."""


class CaptureWriter(Closing):
    """Writes M3UA messages as a tap between the nodes would have seen them.

    `servers` are the point codes that are SCTP servers and signalling gateways, the MSC; of two that are not,
    the higher one is the client. `names` gives names to point codes (pcapng). Call `write` in the order of
    time.
    """

    def __init__(
        self,
        path: str | Path | BinaryIO,
        *,
        servers: Iterable[int] = (1,),
        names: Mapping[int, str] | None = None,
        streams: int = 16,
        framing: Framing | None = None,
        handshake: bool = True,
        comment: str = "",
    ) -> None:
        self._file: BinaryIO = open(path, "wb") if isinstance(path, str | Path) else path  # noqa: SIM115 - closed by close()
        self._own = isinstance(path, str | Path)
        self._servers = frozenset(servers)
        self._streams = streams
        self._framing = framing or Framing()
        self._handshake = handshake
        self._framer = Framer(self._framing, streams)
        self._associations = 0
        self.messages = 0
        """DATA messages written."""
        self._file.write(frames.file_head(self._framing, names or {}, comment))

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
        node, gateway = frames.Endpoint(client), frames.Endpoint(server)
        client_port = frames.CLIENT_PORTS + self._associations % 50000
        self._associations += 1
        to_client_tag = frames.number(client, server, 0)
        to_server_tag = frames.number(server, client, 0)
        client_tsn, server_tsn = frames.number(client, server, 1), frames.number(server, client, 1)
        ports = (client_port, frames.SERVER_PORT)
        # What is due before this association begins comes before its packets.
        self._framer.pass_time(t_unix_us)
        index = self._framer.add(
            client,
            server,
            frames.headers(self._framing, node, gateway, ports, to_server_tag, to_server=True),
            frames.headers(self._framing, gateway, node, ports[::-1], to_client_tag, to_server=False),
            client_tsn,
            server_tsn,
            t_unix_us,
        )
        if not self._handshake:
            return
        control = self._framer.control
        # RFC 9260 5.1: the INIT itself carries tag 0, everything else the tag that its receiver chose.
        control(index, False, t_unix_us, frames.init(to_client_tag, self._streams, client_tsn), no_tag=True)
        control(index, True, t_unix_us, frames.init_ack(to_server_tag, self._streams, server_tsn))
        control(index, False, t_unix_us, frames.cookie_echo())
        control(index, True, t_unix_us, frames.cookie_ack())
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

    def pass_time(self, t_unix_us: int) -> None:
        """Write what endpoints send until then though no message comes: acknowledgements, heartbeats."""
        self._framer.pass_time(t_unix_us)
        if self._framer.waiting >= _FLUSH_AT:
            self._file.write(self._framer.take())

    def flush(self) -> None:
        """Hand what is complete to the file, and the file's to the system: for a pipe that is read live."""
        self._file.write(self._framer.take())
        self._file.flush()

    def close(self) -> None:
        """Write what is left; closes the file if it was opened here."""
        try:
            self._framer.finish()
            self._file.write(self._framer.take())
            self._file.flush()
        finally:
            if self._own:
                self._file.close()


PcapngWriter = CaptureWriter
"""The writer by the name of its default format."""


@dataclass(frozen=True, slots=True, eq=False)
class CaptureBatch:
    """M3UA messages from a capture, in the order of the file."""

    t_unix_us: NDArray[np.int64]
    """Time of the frame that completed each message, Unix microseconds."""
    messages: MessageBatch


class CaptureReader:
    """Iterates over the `CaptureBatch`es of a file or of a stream such as standard input, once.

    A stream is anything with `read` (or `read1`, which need not wait for all it is asked for). Raises
    `CaptureError` with the octet and the block where the file is damaged; batches before it have been given.
    """

    def __init__(
        self, source: str | Path | BinaryIO | Any, *, udp_port: int = UDP_PORT, name: str = ""
    ) -> None:
        self._file: BinaryIO = open(source, "rb") if isinstance(source, str | Path) else source  # noqa: SIM115 - closed by close()
        self._own = isinstance(source, str | Path)
        self._name = name or (str(source) if self._own else str(getattr(source, "name", "stream")))
        self._dissector = Dissector(udp_port)

    def counts(self) -> dict[str, int]:
        """What was met so far, by kind: see `COUNTS`."""
        return self._dissector.counts()

    def _error(self, octet: int, what: str) -> CaptureError:
        block = self._dissector.blocks + 1
        return CaptureError(f"{self._name}: {what}, at octet {octet} (block {block})")

    def __iter__(self) -> Iterator[CaptureBatch]:
        # read1 gives what a pipe has instead of waiting for a full chunk.
        read = getattr(self._file, "read1", self._file.read)
        dissector = self._dissector
        rest = b""
        position = 0
        try:
            while octets := read(_CHUNK):
                while len(octets) < len(rest) > _CHUNK and (more := read(_CHUNK)):
                    octets += more  # of a huge block, twice as much each time: it is not copied too often
                octets = rest + octets
                used = dissector.feed(octets)
                rest = octets[used:]
                position += used
                taken = dissector.take()
                if taken is not None:
                    times, data, offsets, streams = taken
                    yield CaptureBatch(times, MessageBatch(data, offsets, streams))
                if dissector.error is not None:
                    raise self._error(position, dissector.error)
            if rest:
                raise self._error(position, f"the file ends within a block, after {len(rest)} octets of it")
            if not position:
                raise CaptureError(f"{self._name}: empty, neither pcapng nor pcap")
        finally:
            dissector.finish()
            if self._own:
                self._file.close()


def read_messages(source: str | Path | BinaryIO, *, udp_port: int = UDP_PORT) -> Iterator[CaptureBatch]:
    """The M3UA messages of a capture, batch by batch. Raises `CaptureError`."""
    return iter(CaptureReader(source, udp_port=udp_port))
