"""M3UA parameters that have an inside: point codes with a mask, causes, routing keys and what became of them.

RFC 4666 3.4 (signalling network management) and 3.6 (routing key management). Each has a reader and a writer;
what a routing key holds beyond RFC 4666 is kept.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from sigtran.m3ua import DecodeError, EncodeError, Message, Parameter, Tag, TrafficMode

__all__ = [
    "AffectedPointCode",
    "DeregistrationResult",
    "DeregistrationStatus",
    "Destination",
    "RegistrationResult",
    "RegistrationStatus",
    "RoutingKey",
    "UnavailabilityCause",
    "UserCause",
    "affected_point_codes",
    "push_affected_point_codes",
]


class UnavailabilityCause(enum.IntEnum):
    """RFC 4666 3.4.5: why an MTP3 user cannot be had."""

    UNKNOWN = 0
    UNEQUIPPED_REMOTE_USER = 1
    INACCESSIBLE_REMOTE_USER = 2


class RegistrationStatus(enum.IntEnum):
    """RFC 4666 3.6.2."""

    SUCCESSFULLY_REGISTERED = 0
    UNKNOWN = 1
    INVALID_DPC = 2
    INVALID_NETWORK_APPEARANCE = 3
    INVALID_ROUTING_KEY = 4
    PERMISSION_DENIED = 5
    CANNOT_SUPPORT_UNIQUE_ROUTING = 6
    ROUTING_KEY_NOT_CURRENTLY_PROVISIONED = 7
    INSUFFICIENT_RESOURCES = 8
    UNSUPPORTED_ROUTING_KEY_PARAMETER_FIELD = 9
    UNSUPPORTED_TRAFFIC_HANDLING_MODE = 10
    ROUTING_KEY_CHANGE_REFUSED = 11
    ROUTING_KEY_ALREADY_REGISTERED = 12


class DeregistrationStatus(enum.IntEnum):
    """RFC 4666 3.6.4."""

    SUCCESSFULLY_DEREGISTERED = 0
    UNKNOWN = 1
    INVALID_ROUTING_CONTEXT = 2
    PERMISSION_DENIED = 3
    NOT_REGISTERED = 4
    ASP_CURRENTLY_ACTIVE = 5


def _number(value: int, bits: int, what: str) -> int:
    if not 0 <= value < 1 << bits:
        raise EncodeError(f"{what} {value} does not fit into {bits} bits")
    return value


@dataclass(frozen=True, slots=True)
class AffectedPointCode:
    """One of the point codes that DUNA, DAVA, DAUD, SCON, DUPU and DRST name (3.4.1)."""

    point_code: int
    """24 bits."""
    mask: int = 0
    """How many of the lowest bits do not matter: a whole cluster is meant."""


def affected_point_codes(message: Message) -> tuple[AffectedPointCode, ...]:
    """The point codes of a network management message; () where it names none."""
    parameter = message.first(Tag.AFFECTED_POINT_CODE)
    values = parameter.as_integers() if parameter else ()
    return tuple(AffectedPointCode(value & 0xFFFFFF, value >> 24) for value in values)


def push_affected_point_codes(codes: tuple[AffectedPointCode, ...]) -> Parameter:
    """Mirror of `affected_point_codes`."""
    if not codes:
        raise EncodeError("an Affected Point Code parameter names at least one")
    return Parameter.integers(
        Tag.AFFECTED_POINT_CODE,
        *(_number(c.mask, 8, "mask") << 24 | _number(c.point_code, 24, "point code") for c in codes),
    )


@dataclass(frozen=True, slots=True)
class UserCause:
    """Which MTP3 user is not there and why (3.4.5)."""

    cause: int
    """One of `UnavailabilityCause`."""
    user: int
    """MTP3 user identity: 3 is SCCP."""

    def to_parameter(self) -> Parameter:
        cause, user = _number(self.cause, 16, "cause"), _number(self.user, 16, "user")
        return Parameter.integers(Tag.USER_CAUSE, cause << 16 | user)

    @staticmethod
    def from_message(message: Message) -> UserCause | None:
        """That of a DUPU; None where there is none."""
        value = message.integer(Tag.USER_CAUSE)
        return None if value is None else UserCause(value >> 16, value & 0xFFFF)


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination point code and what narrows it down (3.6.1)."""

    point_code: int
    service_indicators: tuple[int, ...] = ()
    """MTP3 users; () is all of them."""
    originating_point_codes: tuple[int, ...] = ()
    """() is all of them."""


@dataclass(frozen=True, slots=True)
class RoutingKey:
    """Which traffic an application server wants (3.6.1)."""

    local_identifier: int
    """Number that the ASP gave this key, to know the answer by."""
    destinations: tuple[Destination, ...] = ()
    routing_context: int | None = None
    """An existing registration that is to be changed."""
    traffic_mode: int | None = None
    """One of `TrafficMode`."""
    network_appearance: int | None = None
    others: tuple[Parameter, ...] = ()
    """Parameters that RFC 4666 does not have here."""

    def to_parameters(self) -> tuple[Parameter, ...]:
        """What stands inside a Routing Key parameter, in the order of 3.6.1."""
        front = (
            (Tag.LOCAL_ROUTING_KEY_IDENTIFIER, self.local_identifier),
            (Tag.ROUTING_CONTEXT, self.routing_context),
            (Tag.TRAFFIC_MODE_TYPE, self.traffic_mode),
            (Tag.NETWORK_APPEARANCE, self.network_appearance),
        )
        out = [Parameter.integers(tag, value) for tag, value in front if value is not None]
        for destination in self.destinations:
            out.append(Parameter.integers(Tag.DESTINATION_POINT_CODE, destination.point_code))
            if destination.service_indicators:
                octets = bytes(_number(si, 8, "service indicator") for si in destination.service_indicators)
                out.append(Parameter(Tag.SERVICE_INDICATORS, octets))
            if destination.originating_point_codes:
                codes = destination.originating_point_codes
                out.append(Parameter.integers(Tag.ORIGINATING_POINT_CODE_LIST, *codes))
        return (*out, *self.others)

    @staticmethod
    def from_parameters(parameters: tuple[Parameter, ...]) -> RoutingKey:
        """Mirror of `to_parameters`; `DecodeError` for a key without its identifier."""
        found: dict[int, int] = {}
        destinations: list[Destination] = []
        others: list[Parameter] = []
        for p in parameters:
            last = destinations[-1] if destinations else None
            if p.tag in _KEY_NUMBERS and p.tag not in found:
                found[p.tag] = p.as_integer()
            elif p.tag == Tag.DESTINATION_POINT_CODE:
                destinations.append(Destination(p.as_integer()))
            elif p.tag == Tag.SERVICE_INDICATORS and last and not last.service_indicators and p.value:
                destinations[-1] = Destination(last.point_code, tuple(p.value), last.originating_point_codes)
            elif p.tag == Tag.ORIGINATING_POINT_CODE_LIST and last and not last.originating_point_codes:
                destinations[-1] = Destination(last.point_code, last.service_indicators, p.as_integers())
            else:
                others.append(p)
        identifier = found.get(Tag.LOCAL_ROUTING_KEY_IDENTIFIER)
        if identifier is None:
            raise DecodeError("Routing Key without Local-RK-Identifier")
        return RoutingKey(
            identifier,
            tuple(destinations),
            found.get(Tag.ROUTING_CONTEXT),
            found.get(Tag.TRAFFIC_MODE_TYPE),
            found.get(Tag.NETWORK_APPEARANCE),
            tuple(others),
        )

    def refusal(self) -> RegistrationStatus | None:
        """Why nobody can register this key; None where nothing speaks against it."""
        if not self.destinations:
            return RegistrationStatus.INVALID_DPC
        if self.traffic_mode is not None and self.traffic_mode not in list(TrafficMode):
            return RegistrationStatus.UNSUPPORTED_TRAFFIC_HANDLING_MODE
        if self.others:
            return RegistrationStatus.UNSUPPORTED_ROUTING_KEY_PARAMETER_FIELD
        return None


_KEY_NUMBERS: Final = frozenset(
    (
        Tag.LOCAL_ROUTING_KEY_IDENTIFIER,
        Tag.ROUTING_CONTEXT,
        Tag.TRAFFIC_MODE_TYPE,
        Tag.NETWORK_APPEARANCE,
    )
)


def _inside(parameter: Parameter, *tags: int) -> list[int]:
    """The numbers that a result consists of; `DecodeError` names the one that is missing."""
    inner = Message(0, 0, parameter.as_parameters())
    values = [inner.integer(tag) for tag in tags]
    missing = [Tag(tag).name for tag, value in zip(tags, values, strict=True) if value is None]
    if missing:
        raise DecodeError(f"parameter {parameter.tag:#06x} without {', '.join(missing)}")
    return [value for value in values if value is not None]


@dataclass(frozen=True, slots=True)
class RegistrationResult:
    """What became of one routing key (3.6.2)."""

    local_identifier: int
    status: int
    """One of `RegistrationStatus`."""
    routing_context: int = 0
    """0 where the key was not registered."""

    def to_parameter(self) -> Parameter:
        return Parameter.nested(
            Tag.REGISTRATION_RESULT,
            (
                Parameter.integers(Tag.LOCAL_ROUTING_KEY_IDENTIFIER, self.local_identifier),
                Parameter.integers(Tag.REGISTRATION_STATUS, self.status),
                Parameter.integers(Tag.ROUTING_CONTEXT, self.routing_context),
            ),
        )

    @staticmethod
    def from_parameter(parameter: Parameter) -> RegistrationResult:
        tags = (Tag.LOCAL_ROUTING_KEY_IDENTIFIER, Tag.REGISTRATION_STATUS, Tag.ROUTING_CONTEXT)
        return RegistrationResult(*_inside(parameter, *tags))


@dataclass(frozen=True, slots=True)
class DeregistrationResult:
    """What became of the request to forget one routing context (3.6.4)."""

    routing_context: int
    status: int
    """One of `DeregistrationStatus`."""

    def to_parameter(self) -> Parameter:
        return Parameter.nested(
            Tag.DEREGISTRATION_RESULT,
            (
                Parameter.integers(Tag.ROUTING_CONTEXT, self.routing_context),
                Parameter.integers(Tag.DEREGISTRATION_STATUS, self.status),
            ),
        )

    @staticmethod
    def from_parameter(parameter: Parameter) -> DeregistrationResult:
        return DeregistrationResult(*_inside(parameter, Tag.ROUTING_CONTEXT, Tag.DEREGISTRATION_STATUS))
