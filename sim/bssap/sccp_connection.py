"""SCCP above the message: segmentation, reassembly and the states of one connection.

Q.714 3 (class 2), 4.1.1 (XUDT segmentation); states Q.714 annex B in the words used below. Sans-IO:
messages and `now_s` in, events, messages to send and the next deadline out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sim.bssap.errors import DecodeError, EncodeError
from sim.bssap.sccp import SccpMessage, Segmentation
from sim.bssap.sccp_address import Address

#: Octets of user data in one DT1, Q.713 4.7.
MAX_DATA = 255
#: Q.713 3.18: the hop counter starts here at the most.
MAX_HOPS = 15
#: User data of one XUDT segment when addresses are short: it keeps the whole message within an MSU.
MAX_XUDT_DATA = 200


def segment(data: bytes, destination: int, size: int = MAX_DATA) -> tuple[SccpMessage, ...]:
    """DT1 messages of `data`, all but the last with the more bit."""
    if not data or not 0 < size <= MAX_DATA:
        raise EncodeError(f"{len(data)} octets in segments of {size}")
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    return tuple(
        SccpMessage("DT1", destination=destination, more=index < len(chunks) - 1, data=chunk)
        for index, chunk in enumerate(chunks)
    )


class Reassembly:
    """Joins the DT1, or the DT2 (class 3), of one direction of a connection."""

    def __init__(self, limit: int = 65536) -> None:
        self._limit = limit
        self._parts = bytearray()

    def push(self, message: SccpMessage) -> bytes | None:
        """The whole user data when `message` ends it; DecodeError past the limit."""
        self._parts += message.data or b""
        if len(self._parts) > self._limit:
            self._parts.clear()
            raise DecodeError(f"reassembly of more than {self._limit} octets")
        if message.more_data:
            return None
        whole = bytes(self._parts)
        self._parts.clear()
        return whole


def segment_unitdata(
    data: bytes, called: Address, calling: Address, reference: int, size: int = MAX_XUDT_DATA
) -> tuple[SccpMessage, ...]:
    """XUDT messages of `data`, Q.714 4.1.1.1; at most 16 segments."""
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    if not 1 <= len(chunks) <= 16:
        raise EncodeError(f"{len(data)} octets make {len(chunks)} segments, 1 to 16 are possible")
    marks: Iterator[Segmentation | None] = (
        Segmentation(index == 0, len(chunks) - 1 - index, reference, in_sequence=True)
        for index in range(len(chunks))
    )
    if len(chunks) == 1:
        marks = iter([None])
    return tuple(
        SccpMessage(
            "XUDT", protocol_class=1 if mark else 0, hop_counter=MAX_HOPS, called=called, calling=calling,
            data=chunk, segmentation=mark,
        )
        for chunk, mark in zip(chunks, marks, strict=True)
    )  # fmt: skip


class UnitdataReassembly:
    """Joins segmented XUDT and LUDT by calling address and reference, Q.714 4.1.1.2."""

    def __init__(self, timeout_s: float = 10.0, limit: int = 1024) -> None:
        self._timeout_s = timeout_s
        self._limit = limit
        self._open: dict[tuple[Address | None, int], tuple[float, int, bytes]] = {}

    def push(self, message: SccpMessage, now_s: float) -> bytes | None:
        """The whole user data when `message` ends it; DecodeError for a segment out of place."""
        mark = message.segmentation
        data = message.data or b""
        if mark is None:
            return data
        self._open = {key: value for key, value in self._open.items() if value[0] > now_s}
        key = (message.calling, mark.reference)
        if mark.first:
            if len(self._open) >= self._limit:
                raise DecodeError(f"more than {self._limit} reassemblies at once")
            self._open[key] = (now_s + self._timeout_s, mark.remaining, data)
        else:
            deadline, remaining, before = self._open.pop(key, (0.0, -1, b""))
            if mark.remaining != remaining - 1:
                raise DecodeError(f"segment with {mark.remaining} to come, {remaining - 1} expected")
            self._open[key] = (deadline, mark.remaining, before + data)
        return self._open.pop(key)[2] if mark.remaining == 0 else None


#: Bit of the protocol class that asks for a message back that cannot be delivered: Q.713 3.6.
RETURN_ON_ERROR = 0x80
#: What comes back for what: Q.714 4.2.
_SERVICES = {"UDT": "UDTS", "XUDT": "XUDTS", "LUDT": "LUDTS"}


def return_unitdata(message: SccpMessage, cause: int) -> SccpMessage | None:
    """The answer to unitdata that cannot be delivered: the same data back, with the cause (Q.713 3.12).

    None where the sender did not ask for it, or `message` is itself such an answer.
    """
    service = _SERVICES.get(message.type)
    if service is None or not (message.protocol_class or 0) & RETURN_ON_ERROR:
        return None
    return SccpMessage(
        service, cause=cause, called=message.calling, calling=message.called, data=message.data,
        hop_counter=None if service == "UDTS" else MAX_HOPS, segmentation=message.segmentation,
        importance=message.importance,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timers:
    """Q.714 annex C, seconds."""

    established_s: float = 90.0
    """T(conn est): 1 to 2 minutes."""
    send_inactivity_s: float = 420.0
    """T(ias): 5 to 10 minutes."""
    receive_inactivity_s: float = 900.0
    """T(iar): 11 to 21 minutes."""
    release_s: float = 15.0
    """T(rel): 10 to 20 seconds."""
    interval_s: float = 60.0
    """T(int): up to a minute; then the reference is given up."""


@dataclass(frozen=True, slots=True)
class Event:
    """What the user of a connection learns."""

    kind: str
    """connect, confirm, refused, data, disconnect."""
    data: bytes = b""
    cause: int | None = None


#: States of one end.
IDLE, CALLING, CALLED, ACTIVE, RELEASING, CLOSED = (
    "idle", "connection pending outgoing", "connection pending incoming", "active",
    "disconnect pending", "closed",
)  # fmt: skip

#: (state, message received or request of the user) -> next state. What is not here is an error.
TRANSITIONS: dict[tuple[str, str], str] = {
    (IDLE, "connect"): CALLING,
    (IDLE, "CR"): CALLED,
    (CALLING, "CC"): ACTIVE,
    (CALLING, "CREF"): CLOSED,
    (CALLING, "timeout"): CLOSED,
    (CALLED, "accept"): ACTIVE,
    (CALLED, "refuse"): CLOSED,
    (ACTIVE, "send"): ACTIVE,
    (ACTIVE, "DT1"): ACTIVE,
    (ACTIVE, "IT"): ACTIVE,
    (ACTIVE, "RLSD"): CLOSED,
    (ACTIVE, "ERR"): CLOSED,
    (ACTIVE, "disconnect"): RELEASING,
    (ACTIVE, "timeout"): RELEASING,
    (RELEASING, "DT1"): RELEASING,
    (RELEASING, "IT"): RELEASING,
    (RELEASING, "RLSD"): CLOSED,
    (RELEASING, "RLC"): CLOSED,
    (RELEASING, "ERR"): CLOSED,
    (RELEASING, "repeat"): RELEASING,
    (RELEASING, "timeout"): CLOSED,
}

#: Release causes, Q.713 3.11: end user originated; expiration of receive inactivity timer.
END_USER = 0x00
INACTIVITY = 0x0D


class Connection:
    """One end of one class 2 connection."""

    def __init__(self, local: int, timers: Timers | None = None) -> None:
        self.local = local
        self.remote: int | None = None
        self.state = IDLE
        self._timers = timers or Timers()
        self._out: list[SccpMessage] = []
        self._incoming = Reassembly()
        self._deadline: float | None = None
        self._send_test: float | None = None
        self._give_up: float | None = None

    def _step(self, event: str) -> None:
        target = TRANSITIONS.get((self.state, event))
        if target is None:
            raise (DecodeError if event.isupper() else EncodeError)(f"{event} in state {self.state}")
        self.state = target
        if target == CLOSED:
            self._deadline = self._send_test = self._give_up = None

    def pending(self) -> list[SccpMessage]:
        """Messages to send since the last call."""
        out, self._out = self._out, []
        return out

    @property
    def next_deadline(self) -> float | None:
        """When `handle_time` wants to be called, on the clock of `now_s`."""
        times = [at for at in (self._deadline, self._send_test, self._give_up) if at is not None]
        return min(times, default=None)

    def _alive(self, now_s: float) -> None:
        self._deadline = now_s + self._timers.receive_inactivity_s

    def _sent(self, now_s: float) -> None:
        self._send_test = now_s + self._timers.send_inactivity_s

    # Requests of the user

    def connect(self, called: Address, data: bytes, now_s: float, calling: Address | None = None) -> None:
        self._step("connect")
        self._deadline = now_s + self._timers.established_s
        request = SccpMessage(
            "CR", source=self.local, protocol_class=2, called=called, calling=calling, data=data
        )
        self._out.append(request)

    def accept(self, now_s: float, data: bytes | None = None) -> None:
        self._step("accept")
        self._out.append(
            SccpMessage("CC", destination=self.remote, source=self.local, protocol_class=2, data=data)
        )
        self._alive(now_s)
        self._sent(now_s)

    def refuse(self, cause: int) -> None:
        self._step("refuse")
        self._out.append(SccpMessage("CREF", destination=self.remote, cause=cause))

    def send(self, data: bytes, now_s: float) -> None:
        self._step("send")
        assert self.remote is not None
        self._out += segment(data, self.remote)
        self._sent(now_s)

    def disconnect(self, now_s: float, cause: int = END_USER) -> None:
        self._step("disconnect")
        self._release(now_s, cause)

    def _release(self, now_s: float, cause: int) -> None:
        self._send_test = None
        self._deadline = now_s + self._timers.release_s
        if self._give_up is None:
            self._give_up = now_s + self._timers.interval_s
        self._out.append(SccpMessage("RLSD", destination=self.remote, source=self.local, cause=cause))

    # What the peer and the clock do

    def receive(self, message: SccpMessage, now_s: float) -> list[Event]:
        """DecodeError for a message that has no place here; the state is then unchanged."""
        if message.type != "CR" and message.destination != self.local:
            raise DecodeError(f"{message.type} for reference {message.destination}, this is {self.local}")
        before = self.state
        self._step(message.type)
        if message.type in ("CR", "CC"):
            self.remote = message.source
        if self.state == ACTIVE:
            self._alive(now_s)
        match message.type:
            case "CR":
                return [Event("connect", message.data or b"")]
            case "CC":
                self._sent(now_s)
                return [Event("confirm", message.data or b"")]
            case "CREF":
                return [Event("refused", message.data or b"", message.cause)]
            case "DT1" if before == ACTIVE:
                whole = self._incoming.push(message)
                return [] if whole is None else [Event("data", whole)]
            case "RLSD":
                self._out.append(SccpMessage("RLC", destination=message.source, source=self.local))
                return [Event("disconnect", message.data or b"", message.cause)] if before == ACTIVE else []
            case "ERR" if before == ACTIVE:
                return [Event("disconnect", b"", message.cause)]
        return []

    def handle_time(self, now_s: float) -> list[Event]:
        """Timers that have run out: inactivity test, release repeated, connection given up."""
        if self._give_up is not None and now_s >= self._give_up:
            self._step("timeout")
            return []
        if self._send_test is not None and now_s >= self._send_test:
            self._sent(now_s)
            self._out.append(
                SccpMessage(
                    "IT", destination=self.remote, source=self.local, protocol_class=2, sequencing=0, credit=0
                )
            )
        if self._deadline is None or now_s < self._deadline:
            return []
        if self.state == RELEASING:
            self._step("repeat")
            self._release(now_s, END_USER)
            return []
        calling = self.state == CALLING
        self._step("timeout")
        if calling:
            return [Event("refused")]
        self._release(now_s, INACTIVITY)
        return [Event("disconnect", b"", INACTIVITY)]
