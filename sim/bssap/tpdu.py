"""Short message transfer layer: TS 23.040 9.2.2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from sim.bssap import gsm7
from sim.bssap.errors import DecodeError, EncodeError, writer
from sim.bssap.octets import Reader, pull_bcd, push_bcd, push_lv, push_octets, push_uint
from sim.bssap.user_data import UserData, decode_user_data, encode_user_data

#: Type of number of an alphanumeric address: TS 23.040 9.1.2.5.
ALPHANUMERIC = 5

#: Bits of TP-PI, TS 23.040 9.2.3.27: which parameters follow.
_PID, _DCS, _UDL = 1, 2, 4

#: Bits of the first octet, TS 23.040 9.2.3.
_MORE = 0x04  # TP-MMS, TP-RD; TP-MMS is 0 when more messages wait
_LOOP = 0x08  # TP-LP
_REPORT = 0x20  # TP-SRR, TP-SRI, TP-SRQ
_HEADER = 0x40  # TP-UDHI
_REPLY = 0x80  # TP-RP


@dataclass(frozen=True, slots=True)
class TpAddress:
    """TP-OA, TP-DA, TP-RA: TS 23.040 9.1.2.5."""

    digits: str = ""
    """0-9 * # a b c; empty for an alphanumeric address."""
    type: int = 1
    """Type of number, 3 bits: 0 unknown, 1 international, 5 alphanumeric."""
    plan: int = 1
    """Numbering plan, 4 bits."""
    text: str | None = None
    """Alphanumeric originator."""

    def __str__(self) -> str:
        return self.digits if self.text is None else self.text


def pull_address(reader: Reader) -> TpAddress:
    """An address field, TS 23.040 9.1.2.5: its length counts semi-octets."""
    length = reader.pull_u8()
    octet = reader.pull_u8()
    if length > 20:
        raise DecodeError(f"address of {length} semi-octets, at most 20")
    if not octet & 0x80:
        raise DecodeError("type of address without its extension bit")
    kind, plan = octet >> 4 & 7, octet & 15
    body = reader.pull((length + 1) // 2)
    if kind == ALPHANUMERIC:
        return TpAddress("", kind, plan, gsm7.decode_text(gsm7.unpack(body, 4 * length // 7)))
    digits = pull_bcd(body, "address")
    if len(digits) != length:
        raise DecodeError(f"address: {len(digits)} digits, {length} announced")
    return TpAddress(digits, kind, plan)


def push_address(value: TpAddress) -> bytes:
    """Mirror of `pull_address`; EncodeError beyond 20 semi-octets."""
    if not (0 <= value.type < 8 and 0 <= value.plan < 16):
        raise EncodeError(f"type of number {value.type}, plan {value.plan}")
    octet = 0x80 | value.type << 4 | value.plan
    if (value.text is not None) != (value.type == ALPHANUMERIC):
        raise EncodeError("an alphanumeric address has type 5, and only that")
    if value.text is None:
        length, body = len(value.digits), push_bcd(value.digits, "address")
    else:
        septets = gsm7.encode_text(value.text)
        length, body = (7 * len(septets) + 3) // 4, gsm7.pack(septets)
    if length > 20:
        raise EncodeError(f"address {value}: {length} semi-octets, at most 20")
    return bytes([length, octet]) + body


@dataclass(frozen=True, slots=True)
class Timestamp:
    """TP-SCTS, TP-DT, absolute TP-VP: TS 23.040 9.2.3.11."""

    octets: bytes
    """Seven octets as they stand: year to second, zone; semi-octets swapped."""

    def __post_init__(self) -> None:
        if not isinstance(self.octets, bytes) or len(self.octets) != 7:
            raise EncodeError(f"time stamp {self.octets!r}: 7 octets wanted")

    @classmethod
    def of(
        cls, year: int, month: int, day: int, hour: int, minute: int, second: int, quarters: int
    ) -> Timestamp:
        """quarters: quarters of an hour east of Greenwich, -79 to 79."""
        values = [year % 100, month, day, hour, minute, second, abs(quarters)]
        if not all(0 <= value < 100 for value in values) or abs(quarters) > 79:
            raise EncodeError(f"time stamp {values}")
        octets = [value // 10 | value % 10 << 4 for value in values]
        octets[6] |= 8 if quarters < 0 else 0
        return cls(bytes(octets))

    @property
    def fields(self) -> tuple[int, ...]:
        """Year of the century, month, day, hour, minute, second, quarters of an hour east."""
        values = [(octet & 15) * 10 + (octet >> 4) for octet in self.octets[:6]]
        zone = self.octets[6]
        quarters = (zone & 7) * 10 + (zone >> 4)
        return (*values, -quarters if zone & 8 else quarters)

    def __str__(self) -> str:
        """As ISO 8601 writes it; a year of the century below 70 is of this one. Nothing is checked."""
        year, month, day, hour, minute, second, quarters = self.fields
        year += 2000 if year < 70 else 1900
        sign, east = "-" if quarters < 0 else "+", abs(quarters) * 15
        clock = f"{hour:02d}:{minute:02d}:{second:02d}"
        return f"{year}-{month:02d}-{day:02d}T{clock}{sign}{east // 60:02d}:{east % 60:02d}"


@dataclass(frozen=True, slots=True)
class Deliver:
    """SMS-DELIVER, TS 23.040 9.2.2.1."""

    originator: TpAddress
    timestamp: Timestamp
    user_data: UserData
    protocol: int = 0
    """TP-PID."""
    more_messages: bool = False
    loop_prevention: bool = False
    status_report: bool = False
    """TP-SRI."""
    reply_path: bool = False
    spare: int = 0
    """Bit 5 of the first octet as it came."""


@dataclass(frozen=True, slots=True)
class Submit:
    """SMS-SUBMIT, TS 23.040 9.2.2.2."""

    destination: TpAddress
    user_data: UserData
    reference: int = 0
    protocol: int = 0
    validity: int | Timestamp | bytes | None = None
    """TP-VP: relative (one octet), absolute, enhanced (7 octets), or none."""
    reject_duplicates: bool = False
    status_report: bool = False
    """TP-SRR."""
    reply_path: bool = False


@dataclass(frozen=True, slots=True)
class StatusReport:
    """SMS-STATUS-REPORT, TS 23.040 9.2.2.3."""

    reference: int
    recipient: TpAddress
    timestamp: Timestamp
    discharge: Timestamp
    status: int
    """TP-ST: 0 received by the recipient, 0x20-0x3f still trying, 0x40-0x7f failed."""
    more_messages: bool = False
    loop_prevention: bool = False
    of_command: bool = False
    """TP-SRQ: the report is about an SMS-COMMAND."""
    has_header: bool = False
    spare: int = 0
    """TP-RP's bit as it came."""
    extension: bytes | None = None
    """From the parameter indicator on, as it came; None where the TPDU ends with the status."""

    @property
    def _parameters(self) -> tuple[int | None, UserData | None]:
        """TP-PID and TP-UD behind TP-PI; what does not read as such says nothing."""
        reader = Reader(self.extension or b"")
        try:
            indicator = reader.pull_u8()
            protocol = reader.pull_u8() if indicator & _PID else None
            dcs = reader.pull_u8() if indicator & _DCS else 0
            if not indicator & _UDL:
                return protocol, None
            return protocol, decode_user_data(reader.pull_rest(), dcs, self.has_header)
        except DecodeError:
            return None, None

    @property
    def protocol(self) -> int | None:
        """TP-PID, when the extension has one."""
        return self._parameters[0]

    @property
    def user_data(self) -> UserData | None:
        """What the recipient's side has to say, when the extension has it."""
        return self._parameters[1]


@dataclass(frozen=True, slots=True)
class Command:
    """SMS-COMMAND, TS 23.040 9.2.2.4."""

    reference: int
    protocol: int
    command: int
    """TP-CT: 0 enquiry, 1 cancel status report request, 2 delete, 3 enable status report request."""
    message_number: int
    destination: TpAddress
    data: bytes = b""
    status_report: bool = False
    has_header: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """SMS-DELIVER-REPORT and SMS-SUBMIT-REPORT: TS 23.040 9.2.2.1a, 9.2.2.2a."""

    of_submit: bool
    failure_cause: int | None = None
    """TP-FCS, 0x80-0xff: only in an RP-ERROR."""
    timestamp: Timestamp | None = None
    """Submit reports only."""
    protocol: int | None = None
    user_data: UserData | None = None
    dcs: int | None = None
    parameter_rest: int = 0
    """Bits of the parameter indicator beyond PID, DCS and UDL."""
    has_header: bool = False


Tpdu: TypeAlias = Deliver | Submit | StatusReport | Command | Report
NAMES = {
    Deliver: "SMS-DELIVER",
    Submit: "SMS-SUBMIT",
    StatusReport: "SMS-STATUS-REPORT",
    Command: "SMS-COMMAND",
}


def name(value: Tpdu) -> str:
    """The specification's name of a TPDU."""
    if isinstance(value, Report):
        return "SMS-SUBMIT-REPORT" if value.of_submit else "SMS-DELIVER-REPORT"
    return NAMES[type(value)]


def _pull_timestamp(reader: Reader) -> Timestamp:
    return Timestamp(reader.pull(7))


def _decode_deliver(first: int, reader: Reader) -> Deliver:
    originator = pull_address(reader)
    protocol, dcs = reader.pull_u8(), reader.pull_u8()
    timestamp = _pull_timestamp(reader)
    user_data = decode_user_data(reader.pull_rest(), dcs, bool(first & _HEADER))
    return Deliver(
        originator, timestamp, user_data, protocol,
        not first & _MORE, bool(first & _LOOP), bool(first & _REPORT), bool(first & _REPLY), first >> 4 & 1,
    )  # fmt: skip


def _encode_deliver(value: Deliver) -> bytes:
    first = (
        (0 if value.more_messages else _MORE)
        | _LOOP * value.loop_prevention
        | _REPORT * value.status_report
        | _HEADER * value.user_data.has_header
        | _REPLY * value.reply_path
        | value.spare << 4
    )
    return (
        bytes([first])
        + push_address(value.originator)
        + push_uint(value.protocol, 1, "TP-PID")
        + push_uint(value.user_data.dcs, 1, "TP-DCS")
        + value.timestamp.octets
        + encode_user_data(value.user_data)
    )


def _decode_submit(first: int, reader: Reader) -> Submit:
    reference = reader.pull_u8()
    destination = pull_address(reader)
    protocol, dcs = reader.pull_u8(), reader.pull_u8()
    validity: int | Timestamp | bytes | None = None
    form = first >> 3 & 3  # TP-VPF: TS 23.040 9.2.3.3
    if form == 2:
        validity = reader.pull_u8()
    elif form:
        validity = _pull_timestamp(reader) if form == 3 else reader.pull(7)
    user_data = decode_user_data(reader.pull_rest(), dcs, bool(first & _HEADER))
    return Submit(
        destination, user_data, reference, protocol, validity,
        bool(first & _MORE), bool(first & _REPORT), bool(first & _REPLY),
    )  # fmt: skip


def _encode_submit(value: Submit) -> bytes:
    if value.validity is None:
        form, validity = 0, b""
    elif isinstance(value.validity, int):
        form, validity = 2, push_uint(value.validity, 1, "validity period")
    elif isinstance(value.validity, Timestamp):
        form, validity = 3, value.validity.octets
    else:
        form, validity = 1, push_octets(value.validity, "TP-VP")
        if len(validity) != 7:
            raise EncodeError(f"enhanced validity period of {len(validity)} octets")
    first = (
        1
        | form << 3
        | _MORE * value.reject_duplicates
        | _REPORT * value.status_report
        | _HEADER * value.user_data.has_header
        | _REPLY * value.reply_path
    )
    return (
        bytes([first])
        + push_uint(value.reference, 1, "TP-MR")
        + push_address(value.destination)
        + push_uint(value.protocol, 1, "TP-PID")
        + push_uint(value.user_data.dcs, 1, "TP-DCS")
        + validity
        + encode_user_data(value.user_data)
    )


def _decode_status_report(first: int, reader: Reader) -> StatusReport:
    return StatusReport(
        reader.pull_u8(), pull_address(reader), _pull_timestamp(reader), _pull_timestamp(reader),
        reader.pull_u8(), not first & _MORE, bool(first & _LOOP), bool(first & _REPORT),
        bool(first & _HEADER), first >> 7 << 1 | first >> 4 & 1,
        reader.pull_rest() if reader.remaining else None,
    )  # fmt: skip


def _encode_status_report(value: StatusReport) -> bytes:
    first = (
        2
        | (0 if value.more_messages else _MORE)
        | _LOOP * value.loop_prevention
        | _REPORT * value.of_command
        | _HEADER * value.has_header
        | (value.spare >> 1) << 7
        | (value.spare & 1) << 4
    )
    return (
        bytes([first])
        + push_uint(value.reference, 1, "TP-MR")
        + push_address(value.recipient)
        + value.timestamp.octets
        + value.discharge.octets
        + push_uint(value.status, 1, "TP-ST")
        + push_octets(value.extension or b"", "TP-PI and what follows")
    )


def _decode_command(first: int, reader: Reader) -> Command:
    reference, protocol, command, number = (reader.pull_u8() for _ in range(4))
    destination = pull_address(reader)
    data = reader.pull_lv()
    if reader.remaining:
        raise DecodeError(f"SMS-COMMAND: {reader.remaining} octets too many")
    return Command(
        reference, protocol, command, number, destination, data, bool(first & _REPORT), bool(first & _HEADER)
    )


def _encode_command(value: Command) -> bytes:
    first = 2 | _REPORT * value.status_report | _HEADER * value.has_header
    return (
        bytes([first])
        + push_uint(value.reference, 1, "TP-MR")
        + push_uint(value.protocol, 1, "TP-PID")
        + push_uint(value.command, 1, "TP-CT")
        + push_uint(value.message_number, 1, "TP-MN")
        + push_address(value.destination)
        + push_lv(value.data, "TP-CD")
    )


def _decode_report(first: int, reader: Reader, of_submit: bool) -> Report:
    failure = reader.pull_u8() if reader.remaining and reader.peek_u8() & 0x80 else None
    indicator = reader.pull_u8() if reader.remaining else 0  # TP-PI: TS 23.040 9.2.3.27
    timestamp = _pull_timestamp(reader) if of_submit else None
    protocol = reader.pull_u8() if indicator & _PID else None
    dcs = reader.pull_u8() if indicator & _DCS else None
    user_data = None
    if indicator & _UDL:
        user_data = decode_user_data(reader.pull_rest(), dcs or 0, bool(first & _HEADER))
    if reader.remaining:
        raise DecodeError(f"report: {reader.remaining} octets too many")
    return Report(
        of_submit, failure, timestamp, protocol, user_data, dcs, indicator & 0xF8, bool(first & _HEADER)
    )


def _encode_report(value: Report) -> bytes:
    indicator = (
        value.parameter_rest
        | (value.protocol is not None)
        | (value.dcs is not None) << 1
        | (value.user_data is not None) << 2
    )
    out = bytearray([value.of_submit | _HEADER * value.has_header])
    if value.failure_cause is not None:
        if not 0x80 <= value.failure_cause <= 0xFF:
            raise EncodeError(f"TP-FCS 0x{value.failure_cause:02x}")
        out.append(value.failure_cause)
    out.append(indicator)
    if value.of_submit:
        if value.timestamp is None:
            raise EncodeError("SMS-SUBMIT-REPORT has a time stamp")
        out += value.timestamp.octets
    for octet, what in ((value.protocol, "TP-PID"), (value.dcs, "TP-DCS")):
        out += b"" if octet is None else push_uint(octet, 1, what)
    return bytes(out) + (encode_user_data(value.user_data) if value.user_data else b"")


def decode(data: bytes, *, from_network: bool | None = None) -> Tpdu:
    """A TPDU; the message type indicator means different things in the two directions (9.2.3.1).

    from_network None: the direction is not known; DELIVER, SUBMIT and STATUS-REPORT are tried first, then
    the report or command with the same indicator.
    """
    kind = Reader(data).peek_u8() & 3
    if kind == 3:
        raise DecodeError("TP-MTI 3 is reserved")
    if from_network is None:
        try:
            return decode(data, from_network=kind != 1)
        except DecodeError:
            return decode(data, from_network=kind == 1)
    reader = Reader(data)
    first = reader.pull_u8()
    if kind == 0:
        return _decode_deliver(first, reader) if from_network else _decode_report(first, reader, False)
    if kind == 1:
        return _decode_report(first, reader, True) if from_network else _decode_submit(first, reader)
    return _decode_status_report(first, reader) if from_network else _decode_command(first, reader)


@writer("TPDU")
def encode(value: Tpdu) -> bytes:
    """Mirror of `decode`; EncodeError names the field that does not fit."""
    match value:
        case Deliver():
            return _encode_deliver(value)
        case Submit():
            return _encode_submit(value)
        case StatusReport():
            return _encode_status_report(value)
        case Command():
            return _encode_command(value)
        case Report():
            return _encode_report(value)
    raise EncodeError(f"TPDU: {value!r} is none")
