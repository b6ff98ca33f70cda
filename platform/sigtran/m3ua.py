"""M3UA messages (RFC 4666): reader and writer of every class, sans-IO.

`decode` keeps what it does not know: an unknown message type is a `Message` with its numbers, an unknown
parameter stays as bytes. It refuses only what cannot be parsed; whether a mandatory parameter is missing is
for whoever needs that parameter (`DataMessage.from_message`, the association) to say.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

__all__ = [
    "MANDATORY",
    "NAMES",
    "ON_STREAM_0",
    "DataMessage",
    "DecodeError",
    "EncodeError",
    "ErrorCode",
    "Message",
    "MessageClass",
    "NotifyStatus",
    "Parameter",
    "Tag",
    "TrafficMode",
    "decode",
    "encode",
]

VERSION: Final = 1
HEADER_LENGTH: Final = 8
MAX_PARAMETER: Final = 65535 - 4


class DecodeError(ValueError):
    """The peer sent what is not an M3UA message."""


class EncodeError(ValueError):
    """We were about to send what is not an M3UA message."""


class MessageClass(enum.IntEnum):
    """RFC 4666 3.1.2."""

    MGMT = 0
    TRANSFER = 1
    SSNM = 2
    ASPSM = 3
    ASPTM = 4
    RKM = 9


# RFC 4666 3.1.2: message class and type -> name.
NAMES: Final[dict[tuple[int, int], str]] = {
    (0, 0): "ERR",
    (0, 1): "NTFY",
    (1, 1): "DATA",
    (2, 1): "DUNA",
    (2, 2): "DAVA",
    (2, 3): "DAUD",
    (2, 4): "SCON",
    (2, 5): "DUPU",
    (2, 6): "DRST",
    (3, 1): "ASPUP",
    (3, 2): "ASPDN",
    (3, 3): "BEAT",
    (3, 4): "ASPUP ACK",
    (3, 5): "ASPDN ACK",
    (3, 6): "BEAT ACK",
    (4, 1): "ASPAC",
    (4, 2): "ASPIA",
    (4, 3): "ASPAC ACK",
    (4, 4): "ASPIA ACK",
    (9, 1): "REG REQ",
    (9, 2): "REG RSP",
    (9, 3): "DEREG REQ",
    (9, 4): "DEREG RSP",
}
NUMBERS: Final = {name: numbers for numbers, name in NAMES.items()}


# RFC 4666 1.4.7: these go on stream 0; DATA never does; all others on any.
ON_STREAM_0: Final = frozenset(
    ("ERR", "ASPUP", "ASPDN", "ASPUP ACK", "ASPDN ACK", "REG REQ", "REG RSP", "DEREG REQ", "DEREG RSP")
)


class Tag(enum.IntEnum):
    """RFC 4666 3.2: common parameters, then those of M3UA alone."""

    INFO_STRING = 0x0004
    ROUTING_CONTEXT = 0x0006
    DIAGNOSTIC_INFORMATION = 0x0007
    HEARTBEAT_DATA = 0x0009
    TRAFFIC_MODE_TYPE = 0x000B
    ERROR_CODE = 0x000C
    STATUS = 0x000D
    ASP_IDENTIFIER = 0x0011
    AFFECTED_POINT_CODE = 0x0012
    CORRELATION_ID = 0x0013
    NETWORK_APPEARANCE = 0x0200
    USER_CAUSE = 0x0204
    CONGESTION_INDICATIONS = 0x0205
    CONCERNED_DESTINATION = 0x0206
    ROUTING_KEY = 0x0207
    REGISTRATION_RESULT = 0x0208
    DEREGISTRATION_RESULT = 0x0209
    LOCAL_ROUTING_KEY_IDENTIFIER = 0x020A
    DESTINATION_POINT_CODE = 0x020B
    SERVICE_INDICATORS = 0x020C
    ORIGINATING_POINT_CODE_LIST = 0x020E
    PROTOCOL_DATA = 0x0210
    REGISTRATION_STATUS = 0x0212
    DEREGISTRATION_STATUS = 0x0213


# RFC 4666 3.3 to 3.8: the parameters that a message cannot be without.
MANDATORY: Final[dict[str, tuple[Tag, ...]]] = {
    "ERR": (Tag.ERROR_CODE,),
    "NTFY": (Tag.STATUS,),
    "DATA": (Tag.PROTOCOL_DATA,),
    "DUNA": (Tag.AFFECTED_POINT_CODE,),
    "DAVA": (Tag.AFFECTED_POINT_CODE,),
    "DAUD": (Tag.AFFECTED_POINT_CODE,),
    "SCON": (Tag.AFFECTED_POINT_CODE,),
    "DUPU": (Tag.AFFECTED_POINT_CODE, Tag.USER_CAUSE),
    "DRST": (Tag.AFFECTED_POINT_CODE,),
    "REG REQ": (Tag.ROUTING_KEY,),
    "REG RSP": (Tag.REGISTRATION_RESULT,),
    "DEREG REQ": (Tag.ROUTING_CONTEXT,),
    "DEREG RSP": (Tag.DEREGISTRATION_RESULT,),
}


class ErrorCode(enum.IntEnum):
    """RFC 4666 3.8.1."""

    INVALID_VERSION = 0x01
    UNSUPPORTED_MESSAGE_CLASS = 0x03
    UNSUPPORTED_MESSAGE_TYPE = 0x04
    UNSUPPORTED_TRAFFIC_MODE_TYPE = 0x05
    UNEXPECTED_MESSAGE = 0x06
    PROTOCOL_ERROR = 0x07
    INVALID_STREAM_IDENTIFIER = 0x09
    REFUSED_MANAGEMENT_BLOCKING = 0x0D
    ASP_IDENTIFIER_REQUIRED = 0x0E
    INVALID_ASP_IDENTIFIER = 0x0F
    INVALID_PARAMETER_VALUE = 0x11
    PARAMETER_FIELD_ERROR = 0x12
    UNEXPECTED_PARAMETER = 0x13
    DESTINATION_STATUS_UNKNOWN = 0x14
    INVALID_NETWORK_APPEARANCE = 0x15
    MISSING_PARAMETER = 0x16
    INVALID_ROUTING_CONTEXT = 0x19
    NO_CONFIGURED_AS_FOR_ASP = 0x1A


class TrafficMode(enum.IntEnum):
    """RFC 4666 3.7.1."""

    OVERRIDE = 1
    LOADSHARE = 2
    BROADCAST = 3


class NotifyStatus(enum.IntEnum):
    """RFC 4666 3.8.2: status type in the upper 16 bits, status information in the lower."""

    AS_INACTIVE = 0x0001_0002
    AS_ACTIVE = 0x0001_0003
    AS_PENDING = 0x0001_0004
    INSUFFICIENT_ASP_RESOURCES = 0x0002_0001
    ALTERNATE_ASP_ACTIVE = 0x0002_0002
    ASP_FAILURE = 0x0002_0003


@dataclass(frozen=True, slots=True)
class Parameter:
    """One tag-length-value of RFC 4666 3.2; `value` is without the padding."""

    tag: int
    value: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.tag <= 0xFFFF:
            raise EncodeError(f"parameter tag {self.tag} is not in 0..65535")
        if len(self.value) > MAX_PARAMETER:
            raise EncodeError(f"parameter {self.tag:#06x} of {len(self.value)} octets; {MAX_PARAMETER} fit")

    @staticmethod
    def integers(tag: int, *values: int) -> Parameter:
        """A parameter that is one or more 32-bit integers."""
        try:
            return Parameter(tag, struct.pack(f"!{len(values)}I", *values))
        except struct.error as error:
            raise EncodeError(f"parameter {tag:#06x}: {values} are not 32-bit integers") from error

    @staticmethod
    def text(tag: int, value: str) -> Parameter:
        """A parameter that is a string, such as INFO String (3.8.1: up to 255 octets of UTF-8)."""
        octets = value.encode("utf-8")
        if len(octets) > 255:
            raise EncodeError(f"INFO String of {len(octets)} octets; 255 fit")
        return Parameter(tag, octets)

    @staticmethod
    def nested(tag: int, parameters: Iterable[Parameter]) -> Parameter:
        """A parameter that holds parameters, such as Routing Key."""
        return Parameter(tag, push_parameters(parameters))

    def as_integers(self) -> tuple[int, ...]:
        """Its 32-bit integers; `DecodeError` if it is not made of them."""
        if not self.value or len(self.value) % 4:
            raise DecodeError(f"parameter {self.tag:#06x}: {len(self.value)} octets are no 32-bit integers")
        return struct.unpack(f"!{len(self.value) // 4}I", self.value)

    def as_integer(self) -> int:
        """Its one 32-bit integer; `DecodeError` if it is not one."""
        if len(self.value) != 4:
            raise DecodeError(f"parameter {self.tag:#06x}: {len(self.value)} octets are not one integer")
        return int.from_bytes(self.value, "big")

    def as_text(self) -> str:
        """Its text; octets that are not UTF-8 come as backslash escapes."""
        return self.value.decode("utf-8", "backslashreplace")

    def as_parameters(self) -> tuple[Parameter, ...]:
        """The parameters inside; `DecodeError` if it does not parse."""
        try:
            return pull_parameters(self.value)
        except DecodeError as error:
            raise DecodeError(f"parameter {self.tag:#06x}: {error}") from None


@dataclass(frozen=True, slots=True)
class Message:
    """Any M3UA message: its class, its type and its parameters in the order of the wire."""

    message_class: int
    message_type: int
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        if not (0 <= self.message_class <= 255 and 0 <= self.message_type <= 255):
            raise EncodeError(f"class {self.message_class} or type {self.message_type} is not in 0..255")

    @staticmethod
    def named(name: str, *parameters: Parameter | None) -> Message:
        """The message of that name (`NAMES`), with those parameters that are not None."""
        if name not in NUMBERS:
            raise EncodeError(f"no M3UA message is named {name!r}; there are {', '.join(NUMBERS)}")
        return Message(*NUMBERS[name], tuple(p for p in parameters if p is not None))

    @property
    def name(self) -> str:
        """Its name in the words of RFC 4666, or `class/type` in figures."""
        key = (self.message_class, self.message_type)
        return NAMES.get(key) or f"{self.message_class}/{self.message_type}"

    def first(self, tag: int) -> Parameter | None:
        """The first parameter with that tag."""
        for parameter in self.parameters:
            if parameter.tag == tag:
                return parameter
        return None

    def integer(self, tag: int) -> int | None:
        """The first parameter with that tag as one integer."""
        parameter = self.first(tag)
        return None if parameter is None else parameter.as_integer()


# RFC 4666 3.3.1: the label that Protocol Data opens with.
_LABEL: Final = struct.Struct("!IIBBBB")
_DATA_TAGS: Final = frozenset(
    (Tag.NETWORK_APPEARANCE, Tag.ROUTING_CONTEXT, Tag.PROTOCOL_DATA, Tag.CORRELATION_ID)
)


@dataclass(frozen=True, slots=True)
class DataMessage:
    """DATA (RFC 4666 3.3.1): one MTP3 user message with its label."""

    opc: int
    """Originating point code, 32 bits."""
    dpc: int
    """Destination point code, 32 bits."""
    si: int
    """Service indicator; 3 is SCCP."""
    ni: int
    """Network indicator; 2 is national."""
    sls: int
    """Signalling link selection, 8 bits."""
    payload: bytes
    """The user's message, from the octet behind the SLS."""
    mp: int = 0
    """Message priority."""
    network_appearance: int | None = None
    """Which numbering of point codes is meant, where more than one is carried."""
    routing_context: int | None = None
    """Which application server is meant."""
    correlation_id: int | None = None
    """Number that the sender gave this message."""
    others: tuple[Parameter, ...] = ()
    """Parameters that have no place in DATA, kept; also a Routing Context of more than one value."""

    def to_message(self) -> Message:
        """The message as parameters, in the order of RFC 4666 3.3.1."""
        try:
            label = _LABEL.pack(self.opc, self.dpc, self.si, self.ni, self.mp, self.sls)
        except struct.error as error:
            raise EncodeError(f"a field of the label is out of range: {self}") from error
        front = (
            (Tag.NETWORK_APPEARANCE, self.network_appearance),
            (Tag.ROUTING_CONTEXT, self.routing_context),
        )
        parameters = [Parameter.integers(tag, value) for tag, value in front if value is not None]
        parameters.append(Parameter(Tag.PROTOCOL_DATA, label + self.payload))
        if self.correlation_id is not None:
            parameters.append(Parameter.integers(Tag.CORRELATION_ID, self.correlation_id))
        return Message(MessageClass.TRANSFER, 1, (*parameters, *self.others))

    @staticmethod
    def from_message(message: Message) -> DataMessage:
        """The fields of a DATA; `DecodeError` where it is none or has no Protocol Data."""
        if (message.message_class, message.message_type) != (MessageClass.TRANSFER, 1):
            raise DecodeError(f"{message.name} is not DATA")
        protocol_data = message.first(Tag.PROTOCOL_DATA)
        if protocol_data is None:
            raise DecodeError("DATA without Protocol Data")
        if len(protocol_data.value) < _LABEL.size:
            raise DecodeError(f"Protocol Data of {len(protocol_data.value)} octets has no room for its label")
        opc, dpc, si, ni, mp, sls = _LABEL.unpack_from(protocol_data.value)
        context = message.first(Tag.ROUTING_CONTEXT)
        single = context is not None and len(context.value) == 4
        return DataMessage(
            opc=opc,
            dpc=dpc,
            si=si,
            ni=ni,
            sls=sls,
            payload=protocol_data.value[_LABEL.size :],
            mp=mp,
            network_appearance=message.integer(Tag.NETWORK_APPEARANCE),
            routing_context=message.integer(Tag.ROUTING_CONTEXT) if single else None,
            correlation_id=message.integer(Tag.CORRELATION_ID),
            others=tuple(
                p
                for p in message.parameters
                if p.tag not in _DATA_TAGS or (p.tag == Tag.ROUTING_CONTEXT and not single)
            ),
        )


def push_parameters(parameters: Iterable[Parameter]) -> bytes:
    """Parameters one behind the other, each padded with zeros to four octets (RFC 4666 3.2)."""
    out = bytearray()
    for parameter in parameters:
        out += struct.pack("!HH", parameter.tag, 4 + len(parameter.value))
        out += parameter.value
        out += bytes(-len(parameter.value) % 4)
    return bytes(out)


def pull_parameters(octets: bytes, offset: int = 0) -> tuple[Parameter, ...]:
    """All parameters from `offset` on. The padding may hold anything; that of the last one may be absent."""
    parameters = []
    end = len(octets)
    while offset < end:
        if end - offset < 4:
            raise DecodeError(f"{end - offset} octets behind the last parameter")
        tag, length = struct.unpack_from("!HH", octets, offset)
        if length < 4 or offset + length > end:
            raise DecodeError(f"parameter {tag:#06x} of length {length}, {end - offset} octets are left")
        parameters.append(Parameter(tag, octets[offset + 4 : offset + length]))
        offset += length + (-length % 4)
    return tuple(parameters)


def encode(message: Message | DataMessage) -> bytes:
    """The octets of a message; the length counts the padding of the last parameter (RFC 4666 3.1.4)."""
    if isinstance(message, DataMessage):
        message = message.to_message()
    body = push_parameters(message.parameters)
    return (
        struct.pack(
            "!BBBBI",
            VERSION,
            0,
            message.message_class,
            message.message_type,
            HEADER_LENGTH + len(body),
        )
        + body
    )


def decode(octets: bytes) -> Message:
    """The message in `octets`; `DecodeError` with the reason where there is none.

    RFC 4666 3.1.4: a receiver accepts a length with and without the final padding.
    """
    if len(octets) < HEADER_LENGTH:
        raise DecodeError(f"{len(octets)} octets are less than a common header")
    version, _, message_class, message_type, length = struct.unpack_from("!BBBBI", octets)
    if version != VERSION:
        raise DecodeError(f"version {version}, not {VERSION}")
    if length < HEADER_LENGTH or length > len(octets):
        raise DecodeError(f"length {length} in a message of {len(octets)} octets")
    parameters = pull_parameters(octets[:length], HEADER_LENGTH)
    if len(octets) - length > (-length % 4):
        raise DecodeError(f"{len(octets) - length} octets behind a message of length {length}")
    for parameter in parameters:
        check = _CHECKS.get(parameter.tag)
        if check is not None:
            check(parameter)
    return Message(message_class, message_type, parameters)


def _protocol_data(parameter: Parameter) -> None:
    if len(parameter.value) < _LABEL.size:
        raise DecodeError(f"Protocol Data of {len(parameter.value)} octets has no room for its label")


# Parameters whose value must have a form of its own, or the message cannot be parsed.
_CHECKS: Final[dict[int, Callable[[Parameter], object]]] = {
    Tag.ROUTING_CONTEXT: Parameter.as_integers,
    Tag.TRAFFIC_MODE_TYPE: Parameter.as_integer,
    Tag.ERROR_CODE: Parameter.as_integer,
    Tag.STATUS: Parameter.as_integer,
    Tag.ASP_IDENTIFIER: Parameter.as_integer,
    Tag.AFFECTED_POINT_CODE: Parameter.as_integers,
    Tag.CORRELATION_ID: Parameter.as_integer,
    Tag.NETWORK_APPEARANCE: Parameter.as_integer,
    Tag.USER_CAUSE: Parameter.as_integer,
    Tag.CONGESTION_INDICATIONS: Parameter.as_integer,
    Tag.CONCERNED_DESTINATION: Parameter.as_integer,
    Tag.ROUTING_KEY: Parameter.as_parameters,
    Tag.REGISTRATION_RESULT: Parameter.as_parameters,
    Tag.DEREGISTRATION_RESULT: Parameter.as_parameters,
    Tag.LOCAL_ROUTING_KEY_IDENTIFIER: Parameter.as_integer,
    Tag.DESTINATION_POINT_CODE: Parameter.as_integer,
    Tag.ORIGINATING_POINT_CODE_LIST: Parameter.as_integers,
    Tag.REGISTRATION_STATUS: Parameter.as_integer,
    Tag.DEREGISTRATION_STATUS: Parameter.as_integer,
    Tag.PROTOCOL_DATA: _protocol_data,
}
