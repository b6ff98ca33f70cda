"""A base station controller as osmo-stp and osmo-msc see it: our M3UA association, SCCP and BSSAP.

It keeps what was said in both directions, octet by octet; what is said is decided in `stations`.
"""

import time
from collections import deque
from dataclasses import dataclass, field

from sigtran import Association, MessageBatch, connect
from sigtran.association import AspActive, AspSide, Data, Down, Event
from sigtran.m3ua import DataMessage, Parameter, Tag, TrafficMode, encode
from sim.bssap import DecodeError, bssap, bssmap, dtap, sccp
from sim.bssap.elements import Message, message
from sim.bssap.sccp import SccpMessage
from sim.bssap.sccp_address import SSN_BSSAP, Address
from sim.bssap.sccp_connection import ACTIVE, CLOSED, Connection

#: Point codes in the 3-8-3 form of Q.704: 0.23.1 is osmo-msc's own choice.
MSC, BSC = 23 << 3 | 1, 23 << 3 | 3
SI_SCCP, NATIONAL = 3, 2
#: Slower than any answer, quicker than a test that hangs.
PATIENCE_S = 8.0


class Surprise(Exception):  # noqa: N818  # what happened, not whose fault it was
    """The network did not say what was awaited."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the network to us: of BSSMAP, or of the layers that DTAP carries."""

    name: str
    message: Message
    layer3: dtap.Dtap | None = None
    """The header too, where it is DTAP."""


def told(user: bytes) -> Said:
    """The message in the user data of SCCP."""
    value = bssap.decode(user)
    if value.discrimination == bssap.BSSMAP:
        inner = bssmap.decode(value.payload)
        return Said(inner.name, inner)
    layer3 = dtap.decode(value.payload)
    return Said(layer3.name, layer3.message, layer3)


@dataclass(slots=True)
class Link:
    """One SCCP connection, with what the network has said on it and nobody has taken yet."""

    connection: Connection
    sls: int
    heard: deque[Said] = field(default_factory=deque)
    heard_names: list[str] = field(default_factory=list)
    """Everything the network has said, SCCP's own messages included, in order."""


class Bsc:
    """One SCTP association to the signalling transfer point, and the connections over it."""

    def __init__(self, host: str, port: int) -> None:
        self._association: Association = connect("kernel", host, port)
        key = (
            Parameter.integers(Tag.LOCAL_ROUTING_KEY_IDENTIFIER, 1),
            Parameter.integers(Tag.TRAFFIC_MODE_TYPE, TrafficMode.OVERRIDE),
            Parameter.integers(Tag.DESTINATION_POINT_CODE, BSC),
        )
        self._asp = AspSide(traffic_mode=TrafficMode.OVERRIDE, routing_key=key)
        self._links: dict[int, Link] = {}
        self._reference = 0
        self.unitdata: deque[Said] = deque()
        self.exchange: list[tuple[float, str, bytes]] = []
        """(Unix time, "sent" or "received", M3UA message)."""
        self.events: list[Event] = []
        """What the association has told apart from DATA."""

    # the association

    def start(self) -> None:
        """Come up, register the routing key, become active."""
        self._asp.start(time.monotonic_ns())
        self._wait(lambda: any(isinstance(event, AspActive) for event in self.events), "ASPAC ACK")

    def stop(self) -> None:
        """Go down and end the association."""
        self._asp.stop(time.monotonic_ns())
        self._wait(lambda: any(isinstance(event, Down) for event in self.events), "ASPDN ACK")
        self._association.close()

    def _send(self, octets: bytes, stream: int) -> None:
        self.exchange.append((time.time(), "sent", octets))
        self._association.send(MessageBatch.from_messages([octets], stream))

    def _flush(self) -> None:
        """What the association and the connections have to say by themselves."""
        for octets in self._asp.pending():
            self._send(octets, 0)
        for link in self._links.values():
            for waiting in link.connection.pending():
                self._transfer(waiting, link.sls)

    def _transfer(self, value: SccpMessage, sls: int) -> None:
        context = self._asp.routing_contexts[0]
        data = DataMessage(BSC, MSC, SI_SCCP, NATIONAL, sls, sccp.encode(value), routing_context=context)
        # RFC 4666 1.4.7: never on stream 0.
        self._send(encode(data), 1 + sls % max(self._association.streams - 1, 1))

    def _wait(self, done, what: str, patience_s: float = PATIENCE_S) -> None:
        """Take in what comes until `done`; `Surprise` when it takes too long."""
        deadline = time.monotonic() + patience_s
        while True:
            self._flush()
            if done():
                return
            left = deadline - time.monotonic()
            if left <= 0:
                raise Surprise(f"no {what} within {patience_s:g} s")
            self._association.wait(min(left, 0.2))
            batch = self._association.receive()
            for octets in batch or ():
                self._take(octets)
            if batch is None and self._association.state != "up":
                raise Surprise(f"the association is {self._association.state}: {self._association.reason}")
            self._asp.on_time(time.monotonic_ns())

    def _take(self, octets: bytes) -> None:
        self.exchange.append((time.time(), "received", octets))
        for event in self._asp.receive(octets, time.monotonic_ns()):
            if isinstance(event, Data):
                self._deliver(sccp.decode(event.message.payload))
            else:
                self.events.append(event)

    def _deliver(self, value: SccpMessage) -> None:
        if value.destination is None:
            if value.type == "UDT" and value.data:
                self.unitdata.append(told(value.data))
            return
        link = self._links.get(value.destination)
        if link is None:
            raise Surprise(f"{value.type} for reference {value.destination:06x}, which is nobody's")
        if value.type != "DT1":
            link.heard_names.append(value.type)
        for event in link.connection.receive(value, time.monotonic()):
            if event.data:
                try:
                    said = told(event.data)
                except DecodeError as error:
                    said = Said(f"malformed {error}", Message(""))
                link.heard.append(said)
                link.heard_names.append(said.name)

    # what a controller says and awaits

    def connectionless(self, value: Message) -> None:
        user = bssap.encode(bssap.Bssap(bssap.BSSMAP, bssmap.encode(value)))
        called, calling = Address(SSN_BSSAP, MSC), Address(SSN_BSSAP, BSC)
        self._transfer(
            SccpMessage("UDT", protocol_class=0, called=called, calling=calling, data=user), self._reference
        )

    def await_unitdata(self, name: str, patience_s: float = PATIENCE_S) -> Message:
        """The next connectionless message of that name; others before it are passed over."""

        def here() -> bool:
            while self.unitdata and self.unitdata[0].name != name:
                self.unitdata.popleft()
            return bool(self.unitdata)

        self._wait(here, name, patience_s)
        return self.unitdata.popleft().message

    def open(self, cell, layer3: dtap.Dtap, codecs: bytes) -> Link:
        """CR with COMPLETE LAYER 3 INFORMATION; back when it is confirmed or refused."""
        self._reference += 1
        link = Link(Connection(0x010000 + self._reference), self._reference % 16)
        self._links[link.connection.local] = link
        first = message(
            "COMPLETE LAYER 3 INFORMATION",
            {
                "Cell Identifier": cell,
                "Layer 3 Information": dtap.encode(layer3),
                "Speech Codec List": codecs,
            },
        )
        user = bssap.encode(bssap.Bssap(bssap.BSSMAP, bssmap.encode(first)))
        link.connection.connect(
            Address(SSN_BSSAP, MSC), user, time.monotonic(), calling=Address(SSN_BSSAP, BSC)
        )
        self._wait(lambda: link.connection.state in (ACTIVE, CLOSED), "CC or CREF")
        return link

    def send_bssmap(self, link: Link, name: str, elements=()) -> None:
        user = bssap.encode(bssap.Bssap(bssap.BSSMAP, bssmap.encode(message(name, elements))))
        link.connection.send(user, time.monotonic())
        self._flush()

    def send_dtap(self, link: Link, value: dtap.Dtap, sapi: int = 0) -> None:
        user = bssap.encode(bssap.Bssap(bssap.DTAP, dtap.encode(value), sapi))
        link.connection.send(user, time.monotonic())
        self._flush()

    def pause(self, seconds: float) -> None:
        """Go on taking in what comes, for so long."""
        until = time.monotonic() + seconds
        self._wait(lambda: time.monotonic() >= until, "end of a pause", seconds + 1)

    def hear(self, link: Link, patience_s: float = PATIENCE_S) -> Said:
        """The next message of the network on this connection."""
        self._wait(lambda: bool(link.heard), f"message behind {', '.join(link.heard_names)}", patience_s)
        return link.heard.popleft()

    def await_release(self, link: Link) -> None:
        """RLSD, answered by RLC."""
        self._wait(lambda: link.connection.state == CLOSED, f"RLSD behind {', '.join(link.heard_names)}")
        self._flush()
        del self._links[link.connection.local]

    def abandon(self) -> None:
        """End every connection that something unforeseen has left open."""
        for link in [*self._links.values()]:
            if link.connection.state == ACTIVE:
                link.connection.disconnect(time.monotonic())
                self._wait(lambda link=link: link.connection.state == CLOSED, "RLC")
            del self._links[link.connection.local]
        self.unitdata.clear()
