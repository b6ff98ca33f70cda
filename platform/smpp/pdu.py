"""The PDUs of SMPP 3.4 and their codec: `encode(body, sequence_number)` and `decode(bytes) -> Pdu`.

A body is a frozen dataclass whose fields are the mandatory parameters in the specification's order and with
its names; sequence number and status belong to the header and stand beside the body in `Pdu`. sm_length,
number_of_dests and no_unsuccess are implied by what they count.
"""

import dataclasses
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from smpp import wire
from smpp._layout import Layout
from smpp.errors import DecodeError, EncodeError
from smpp.status import CommandStatus, status_name
from smpp.tlv import Tlv

HEADER = struct.Struct("!IIII")
RESPONSE = 0x80000000
"""The bit of command_id that tells a response from its request: SMPP 3.4 5.1.2.1."""
MAX_SEQUENCE_NUMBER = 0x7FFFFFFF
"""SMPP 3.4 5.1.4."""
MAX_PDU = 70_000
"""Octets; room for a message_payload of 64 K. A longer command_length is taken for lost framing."""

_S = CommandStatus
_SERVICE_TYPE = 6
_ADDRESS = 21
_LONG_ADDRESS = 65
_MESSAGE_ID = 65
_TIME = 17


class Body:
    """What all PDUs share. Wrong values raise EncodeError in the constructor."""

    __slots__ = ()
    command_id: ClassVar[int] = 0
    command: ClassVar[str] = ""
    parameters: ClassVar[tuple[tuple[str, wire.Wire], ...]] = ()
    layout: ClassVar[Layout] = Layout(object, ())
    """The same, ready to run."""

    def __post_init__(self) -> None:
        self.layout.check(self)


B = TypeVar("B", bound=type[Body])
COMMANDS: dict[int, type[Body]] = {}
"""command_id -> class: SMPP 3.4 table 5-1."""


def _command(command_id: int, name: str) -> Callable[[B], B]:
    """Enter a dataclass into COMMANDS and build its table of parameters."""

    def enter(cls: B) -> B:
        cls.command_id, cls.command = command_id, name
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        cls.parameters = tuple((one.name, one.metadata["wire"]) for one in fields)
        cls.layout = Layout(cls, cls.parameters)
        COMMANDS[command_id] = cls
        return cls

    return enter


# ---- session management: SMPP 3.4 4.1 - 4.3


@dataclass(frozen=True, slots=True)
class Bind(Body):
    """The three bind requests differ in their command_id only."""

    system_id: str = wire.c_string(16, _S.ESME_RINVSYSID)
    password: str = wire.c_string(9, _S.ESME_RINVPASWD)
    system_type: str = wire.c_string(13, _S.ESME_RINVSYSTYP)
    interface_version: int = wire.octet(0x34)
    addr_ton: int = wire.octet()
    addr_npi: int = wire.octet()
    address_range: str = wire.c_string(41)


@_command(0x00000001, "bind_receiver")
@dataclass(frozen=True, slots=True)
class BindReceiver(Bind):
    """SMPP 3.4 4.1.3: the ESME wants to be sent messages."""


@_command(0x00000002, "bind_transmitter")
@dataclass(frozen=True, slots=True)
class BindTransmitter(Bind):
    """SMPP 3.4 4.1.1: the ESME wants to send messages."""


@_command(0x00000009, "bind_transceiver")
@dataclass(frozen=True, slots=True)
class BindTransceiver(Bind):
    """SMPP 3.4 4.1.5: both directions on one connection."""


@dataclass(frozen=True, slots=True)
class BindResp(Body):
    """sc_interface_version comes as an optional parameter."""

    system_id: str = wire.c_string(16)
    tlvs: tuple[Tlv, ...] = wire.optional_parameters()


@_command(0x80000001, "bind_receiver_resp")
@dataclass(frozen=True, slots=True)
class BindReceiverResp(BindResp):
    """SMPP 3.4 4.1.4."""


@_command(0x80000002, "bind_transmitter_resp")
@dataclass(frozen=True, slots=True)
class BindTransmitterResp(BindResp):
    """SMPP 3.4 4.1.2."""


@_command(0x80000009, "bind_transceiver_resp")
@dataclass(frozen=True, slots=True)
class BindTransceiverResp(BindResp):
    """SMPP 3.4 4.1.6."""


@_command(0x0000000B, "outbind")
@dataclass(frozen=True, slots=True)
class Outbind(Body):
    """SMPP 3.4 4.1.7: the SMSC asks the ESME to bind as a receiver."""

    system_id: str = wire.c_string(16, _S.ESME_RINVSYSID)
    password: str = wire.c_string(9, _S.ESME_RINVPASWD)


@_command(0x00000006, "unbind")
@dataclass(frozen=True, slots=True)
class Unbind(Body):
    """SMPP 3.4 4.2.1."""


@_command(0x80000006, "unbind_resp")
@dataclass(frozen=True, slots=True)
class UnbindResp(Body):
    """SMPP 3.4 4.2.2."""


@_command(0x80000000, "generic_nack")
@dataclass(frozen=True, slots=True)
class GenericNack(Body):
    """SMPP 3.4 4.3.1: the peer could not even tell which response to send."""


@_command(0x00000015, "enquire_link")
@dataclass(frozen=True, slots=True)
class EnquireLink(Body):
    """SMPP 3.4 4.11.1."""


@_command(0x80000015, "enquire_link_resp")
@dataclass(frozen=True, slots=True)
class EnquireLinkResp(Body):
    """SMPP 3.4 4.11.2."""


# ---- messages: SMPP 3.4 4.4 - 4.7


@dataclass(frozen=True, slots=True)
class ShortMessageBody(Body):
    """submit_sm and deliver_sm carry the same parameters."""

    service_type: str = wire.c_string(_SERVICE_TYPE, _S.ESME_RINVSERTYP)
    source_addr_ton: int = wire.octet()
    source_addr_npi: int = wire.octet()
    source_addr: str = wire.c_string(_ADDRESS, _S.ESME_RINVSRCADR)
    dest_addr_ton: int = wire.octet()
    dest_addr_npi: int = wire.octet()
    destination_addr: str = wire.c_string(_ADDRESS, _S.ESME_RINVDSTADR)
    esm_class: int = wire.octet()
    protocol_id: int = wire.octet()
    priority_flag: int = wire.octet()
    schedule_delivery_time: str = wire.c_string(_TIME, _S.ESME_RINVSCHED)
    validity_period: str = wire.c_string(_TIME, _S.ESME_RINVEXPIRY)
    registered_delivery: int = wire.octet()
    replace_if_present_flag: int = wire.octet()
    data_coding: int = wire.octet()
    sm_default_msg_id: int = wire.octet()
    short_message: bytes = wire.short_message()
    tlvs: tuple[Tlv, ...] = wire.optional_parameters()


@_command(0x00000004, "submit_sm")
@dataclass(frozen=True, slots=True)
class SubmitSm(ShortMessageBody):
    """SMPP 3.4 4.4.1: ESME to SMSC, one message to one subscriber."""


@_command(0x00000005, "deliver_sm")
@dataclass(frozen=True, slots=True)
class DeliverSm(ShortMessageBody):
    """SMPP 3.4 4.6.1: SMSC to ESME, a subscriber's message or a receipt."""


@dataclass(frozen=True, slots=True)
class MessageIdResp(Body):
    """Responses that name a message. The specification gives optional parameters to data_sm_resp only."""

    message_id: str = wire.c_string(_MESSAGE_ID, _S.ESME_RINVMSGID)
    tlvs: tuple[Tlv, ...] = wire.optional_parameters()


@_command(0x80000004, "submit_sm_resp")
@dataclass(frozen=True, slots=True)
class SubmitSmResp(MessageIdResp):
    """SMPP 3.4 4.4.2."""


@_command(0x80000005, "deliver_sm_resp")
@dataclass(frozen=True, slots=True)
class DeliverSmResp(MessageIdResp):
    """SMPP 3.4 4.6.2: message_id is unused and empty."""


@_command(0x00000021, "submit_multi")
@dataclass(frozen=True, slots=True)
class SubmitMulti(Body):
    """SMPP 3.4 4.5.1: one message to several destinations or distribution lists."""

    service_type: str = wire.c_string(_SERVICE_TYPE, _S.ESME_RINVSERTYP)
    source_addr_ton: int = wire.octet()
    source_addr_npi: int = wire.octet()
    source_addr: str = wire.c_string(_ADDRESS, _S.ESME_RINVSRCADR)
    dest_address: tuple[wire.SmeAddress | wire.DistributionList, ...] = wire.destinations()
    esm_class: int = wire.octet()
    protocol_id: int = wire.octet()
    priority_flag: int = wire.octet()
    schedule_delivery_time: str = wire.c_string(_TIME, _S.ESME_RINVSCHED)
    validity_period: str = wire.c_string(_TIME, _S.ESME_RINVEXPIRY)
    registered_delivery: int = wire.octet()
    replace_if_present_flag: int = wire.octet()
    data_coding: int = wire.octet()
    sm_default_msg_id: int = wire.octet()
    short_message: bytes = wire.short_message()
    tlvs: tuple[Tlv, ...] = wire.optional_parameters()


@_command(0x80000021, "submit_multi_resp")
@dataclass(frozen=True, slots=True)
class SubmitMultiResp(Body):
    """SMPP 3.4 4.5.2."""

    message_id: str = wire.c_string(_MESSAGE_ID, _S.ESME_RINVMSGID)
    unsuccess_sme: tuple[wire.UnsuccessSme, ...] = wire.unsuccessful()
    tlvs: tuple[Tlv, ...] = wire.optional_parameters()


@_command(0x00000103, "data_sm")
@dataclass(frozen=True, slots=True)
class DataSm(Body):
    """SMPP 3.4 4.7.1: both directions; the text is in message_payload."""

    service_type: str = wire.c_string(_SERVICE_TYPE, _S.ESME_RINVSERTYP)
    source_addr_ton: int = wire.octet()
    source_addr_npi: int = wire.octet()
    source_addr: str = wire.c_string(_LONG_ADDRESS, _S.ESME_RINVSRCADR)
    dest_addr_ton: int = wire.octet()
    dest_addr_npi: int = wire.octet()
    destination_addr: str = wire.c_string(_LONG_ADDRESS, _S.ESME_RINVDSTADR)
    esm_class: int = wire.octet()
    registered_delivery: int = wire.octet()
    data_coding: int = wire.octet()
    tlvs: tuple[Tlv, ...] = wire.optional_parameters()


@_command(0x80000103, "data_sm_resp")
@dataclass(frozen=True, slots=True)
class DataSmResp(MessageIdResp):
    """SMPP 3.4 4.7.2."""


# ---- messages under way: SMPP 3.4 4.8 - 4.10, 4.12


@_command(0x00000003, "query_sm")
@dataclass(frozen=True, slots=True)
class QuerySm(Body):
    """SMPP 3.4 4.8.1."""

    message_id: str = wire.c_string(_MESSAGE_ID, _S.ESME_RINVMSGID)
    source_addr_ton: int = wire.octet()
    source_addr_npi: int = wire.octet()
    source_addr: str = wire.c_string(_ADDRESS, _S.ESME_RINVSRCADR)


@_command(0x80000003, "query_sm_resp")
@dataclass(frozen=True, slots=True)
class QuerySmResp(Body):
    """SMPP 3.4 4.8.2: final_date is empty until the message has reached a final state."""

    message_id: str = wire.c_string(_MESSAGE_ID, _S.ESME_RINVMSGID)
    final_date: str = wire.c_string(_TIME)
    message_state: int = wire.octet()
    error_code: int = wire.octet()


@_command(0x00000008, "cancel_sm")
@dataclass(frozen=True, slots=True)
class CancelSm(Body):
    """SMPP 3.4 4.9.1: take back one message, or with an empty message_id all between two addresses."""

    service_type: str = wire.c_string(_SERVICE_TYPE, _S.ESME_RINVSERTYP)
    message_id: str = wire.c_string(_MESSAGE_ID, _S.ESME_RINVMSGID)
    source_addr_ton: int = wire.octet()
    source_addr_npi: int = wire.octet()
    source_addr: str = wire.c_string(_ADDRESS, _S.ESME_RINVSRCADR)
    dest_addr_ton: int = wire.octet()
    dest_addr_npi: int = wire.octet()
    destination_addr: str = wire.c_string(_ADDRESS, _S.ESME_RINVDSTADR)


@_command(0x80000008, "cancel_sm_resp")
@dataclass(frozen=True, slots=True)
class CancelSmResp(Body):
    """SMPP 3.4 4.9.2."""


@_command(0x00000007, "replace_sm")
@dataclass(frozen=True, slots=True)
class ReplaceSm(Body):
    """SMPP 3.4 4.10.1."""

    message_id: str = wire.c_string(_MESSAGE_ID, _S.ESME_RINVMSGID)
    source_addr_ton: int = wire.octet()
    source_addr_npi: int = wire.octet()
    source_addr: str = wire.c_string(_ADDRESS, _S.ESME_RINVSRCADR)
    schedule_delivery_time: str = wire.c_string(_TIME, _S.ESME_RINVSCHED)
    validity_period: str = wire.c_string(_TIME, _S.ESME_RINVEXPIRY)
    registered_delivery: int = wire.octet()
    sm_default_msg_id: int = wire.octet()
    short_message: bytes = wire.short_message()


@_command(0x80000007, "replace_sm_resp")
@dataclass(frozen=True, slots=True)
class ReplaceSmResp(Body):
    """SMPP 3.4 4.10.2."""


@_command(0x00000102, "alert_notification")
@dataclass(frozen=True, slots=True)
class AlertNotification(Body):
    """SMPP 3.4 4.12.1: a subscriber is reachable again. There is no response."""

    source_addr_ton: int = wire.octet()
    source_addr_npi: int = wire.octet()
    source_addr: str = wire.c_string(_LONG_ADDRESS, _S.ESME_RINVSRCADR)
    esme_addr_ton: int = wire.octet()
    esme_addr_npi: int = wire.octet()
    esme_addr: str = wire.c_string(_LONG_ADDRESS)
    tlvs: tuple[Tlv, ...] = wire.optional_parameters()


# ---- codec


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU as received: header values beside the body."""

    body: Body
    sequence_number: int
    command_status: int = 0

    def __str__(self) -> str:
        status = f" {status_name(self.command_status)}" if self.command_status else ""
        return f"{self.body.command} #{self.sequence_number}{status}"


def response_class(body: Body | type[Body]) -> type[Body] | None:
    """The class that answers `body`; None for responses and for requests without one."""
    if body.command_id & RESPONSE:
        return None
    return COMMANDS.get(body.command_id | RESPONSE)


def encode(body: Body, sequence_number: int, command_status: int = 0) -> bytes:
    """The PDU's bytes. An error response that says only its status has no body (SMPP 3.4 4.4.2)."""
    if not 0 <= sequence_number <= 0xFFFFFFFF or not 0 <= command_status <= 0xFFFFFFFF:
        raise EncodeError(f"sequence_number {sequence_number} and command_status {command_status} are 32-bit")
    out = bytearray(16)
    if not command_status or not body.command_id & RESPONSE or body != type(body)():
        body.layout.push(out, body)
    HEADER.pack_into(out, 0, len(out), body.command_id, command_status, sequence_number)
    return bytes(out)


def decode(data: bytes) -> Pdu:
    """The one PDU that `data` is. A response with no body at all has the defaults, whatever its status."""
    if len(data) < 16:
        raise DecodeError(f"{len(data)} octets are no header", command_status=_S.ESME_RINVCMDLEN, data=data)
    length, command_id, command_status, sequence_number = HEADER.unpack_from(data)

    def error(reason: str, status: int) -> DecodeError:
        return DecodeError(
            reason, command_status=status, command_id=command_id, sequence_number=sequence_number, data=data
        )

    if length != len(data):
        raise error(f"command_length {length} of a PDU of {len(data)} octets", _S.ESME_RINVCMDLEN)
    cls = COMMANDS.get(command_id)
    if cls is None:
        raise error(f"unknown command_id 0x{command_id:08X}", _S.ESME_RINVCMDID)
    if length == 16 and command_id & RESPONSE:
        return Pdu(cls(), sequence_number, command_status)
    # Not by the constructor, which would check once more what the readers make sure of.
    body = cls.__new__(cls)
    try:
        at = cls.layout.pull(data, 16, body)
    except IndexError:
        raise error(f"{cls.command} ends inside {_first_missing(body)}", _S.ESME_RINVCMDLEN) from None
    except DecodeError as fault:
        reason = f"{cls.command} {_first_missing(body)}: {fault.reason}"
        raise error(reason, fault.command_status) from None
    if at != length:
        raise error(f"{cls.command} has {length - at} octets too many", _S.ESME_RINVCMDLEN)
    return Pdu(body, sequence_number, command_status)


def _first_missing(body: Body) -> str:
    """The parameter at which a reader stopped."""
    return next(name for name, _ in body.parameters if not hasattr(body, name))


class Splitter:
    """Cuts a byte stream into PDUs. `feed` returns whole ones and keeps the rest.

    A command_length below 16 or over `max_pdu` sets `error`: nothing after it can be trusted, and `feed`
    gives no more.
    """

    def __init__(self, max_pdu: int = MAX_PDU) -> None:
        self.error: DecodeError | None = None
        self._max_pdu = max_pdu
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """All PDUs that are complete now."""
        if self.error is not None:
            return []
        data = self._rest + data if self._rest else data
        whole: list[bytes] = []
        at, end = 0, len(data)
        while end - at >= 4:
            length = int.from_bytes(data[at : at + 4], "big")
            if not 16 <= length <= self._max_pdu:
                self.error = DecodeError(
                    f"command_length {length}",
                    command_status=_S.ESME_RINVCMDLEN,
                    data=data[at : at + 256],
                )
                break
            if end - at < length:
                break
            whole.append(data[at : at + length])
            at += length
        self._rest = data[at:]
        return whole
