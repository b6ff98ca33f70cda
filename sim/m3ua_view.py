"""A flat look at an M3UA message and everything inside it: what `sim.bssap.view` is, one layer lower.

Here and not in `sim.bssap`, because M3UA belongs to `sigtran`, of which the reference codec knows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from sigtran.m3ua import DataMessage, Message, Parameter, Tag, decode
from sim.bssap import sccp, view

__all__ = ["PARAMETERS", "SI_SCCP", "label_of", "pull_parameter", "push_parameter", "view_m3ua"]

#: RFC 4666 3.3.1: the service indicator of SCCP.
SI_SCCP: Final = 3

#: SCCP, and behind it what it carries; the layers above M3UA.
View = dict[str, Any]


class ParameterRow(NamedTuple):
    """One row of the parameter table."""

    name: str
    """As RFC 4666 spells it."""
    form: str
    """integer, integers, text, nested (parameters), octets."""


#: RFC 4666 3.2.
PARAMETERS: Final[dict[int, ParameterRow]] = {
    Tag.INFO_STRING: ParameterRow("INFO String", "text"),
    Tag.ROUTING_CONTEXT: ParameterRow("Routing Context", "integers"),
    Tag.DIAGNOSTIC_INFORMATION: ParameterRow("Diagnostic Information", "octets"),
    Tag.HEARTBEAT_DATA: ParameterRow("Heartbeat Data", "octets"),
    Tag.TRAFFIC_MODE_TYPE: ParameterRow("Traffic Mode Type", "integer"),
    Tag.ERROR_CODE: ParameterRow("Error Code", "integer"),
    Tag.STATUS: ParameterRow("Status", "integer"),
    Tag.ASP_IDENTIFIER: ParameterRow("ASP Identifier", "integer"),
    Tag.AFFECTED_POINT_CODE: ParameterRow("Affected Point Code", "integers"),
    Tag.CORRELATION_ID: ParameterRow("Correlation Id", "integer"),
    Tag.NETWORK_APPEARANCE: ParameterRow("Network Appearance", "integer"),
    Tag.USER_CAUSE: ParameterRow("User/Cause", "integer"),
    Tag.CONGESTION_INDICATIONS: ParameterRow("Congestion Indications", "integer"),
    Tag.CONCERNED_DESTINATION: ParameterRow("Concerned Destination", "integer"),
    Tag.ROUTING_KEY: ParameterRow("Routing Key", "nested"),
    Tag.REGISTRATION_RESULT: ParameterRow("Registration Result", "nested"),
    Tag.DEREGISTRATION_RESULT: ParameterRow("Deregistration Result", "nested"),
    Tag.LOCAL_ROUTING_KEY_IDENTIFIER: ParameterRow("Local-RK-Identifier", "integer"),
    Tag.DESTINATION_POINT_CODE: ParameterRow("Destination Point Code", "integer"),
    Tag.SERVICE_INDICATORS: ParameterRow("Service Indicators", "octets"),
    Tag.ORIGINATING_POINT_CODE_LIST: ParameterRow("Originating Point Code List", "integers"),
    Tag.PROTOCOL_DATA: ParameterRow("Protocol Data", "octets"),
    Tag.REGISTRATION_STATUS: ParameterRow("Registration Status", "integer"),
    Tag.DEREGISTRATION_STATUS: ParameterRow("Deregistration Status", "integer"),
}
_TAGS: Final = {row.name: tag for tag, row in PARAMETERS.items()}
_UNKNOWN: Final = "unknown 0x"


def pull_parameter(parameter: Parameter) -> tuple[str, Any]:
    """Its name and its value; a parameter that RFC 4666 does not have is `unknown 0x....` and octets."""
    row = PARAMETERS.get(parameter.tag)
    if row is None:
        return f"{_UNKNOWN}{parameter.tag:04x}", parameter.value
    match row.form:
        case "integer":
            return row.name, parameter.as_integer()
        case "integers":
            return row.name, list(parameter.as_integers())
        case "text":
            return row.name, parameter.as_text()
        case "nested":
            return row.name, [pull_parameter(inner) for inner in parameter.as_parameters()]
    return row.name, parameter.value


def push_parameter(name: str, value: Any) -> Parameter:
    """Mirror of `pull_parameter`; ValueError for a name that is none."""
    if name.startswith(_UNKNOWN):
        return Parameter(int(name.removeprefix(_UNKNOWN), 16), bytes(value))
    tag = _TAGS.get(name)
    if tag is None:
        raise ValueError(f"M3UA has no parameter {name!r}; there are {', '.join(_TAGS)}")
    match PARAMETERS[tag].form:
        case "integer":
            return Parameter.integers(tag, value)
        case "integers":
            return Parameter.integers(tag, *([value] if isinstance(value, int) else value))
        case "text" if isinstance(value, str):
            return Parameter.text(tag, value)
        case "nested":
            return Parameter.nested(tag, [push_parameter(*inner) for inner in value])
    return Parameter(tag, bytes(value))


def _shown(value: Any) -> Any:
    """Octets as hexadecimal, a single integer by itself, nested parameters by name."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return _by_name(value)
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _by_name(pairs: Iterable[tuple[str, Any]]) -> View:
    """A name that comes again becomes a list of its values."""
    seen: dict[str, list[Any]] = {}
    for name, value in pairs:
        seen.setdefault(name, []).append(_shown(value))
    return {name: values[0] if len(values) == 1 else values for name, values in seen.items()}


def label_of(message: Message) -> tuple[View, DataMessage | None]:
    """The keys of M3UA alone, and the DATA whose user's message is still to be read, if it is one."""
    out: View = {"message": message.name, "m3ua": message.name}
    shown = [p for p in message.parameters if p.tag != Tag.PROTOCOL_DATA]
    data = None
    if message.name == "DATA" and len(shown) < len(message.parameters):
        data = DataMessage.from_message(message)
        for key in ("opc", "dpc", "si", "ni", "mp", "sls"):
            out[key] = getattr(data, key)
    out["ies"] = _by_name(map(pull_parameter, shown))
    return out, data


def view_m3ua(octets: bytes) -> View:
    """The flat keys of one M3UA message, those of all layers inside included.

    The keys of `sim.bssap.view` and `m3ua`, `opc`, `dpc`, `si`, `ni`, `mp`, `sls`. A DATA of another user
    than SCCP, or with an SCCP message type that Q.713 does not have, keeps its octets as `Protocol Data`
    (Q.714 and RFC 4666 leave such messages to others); `undecoded` says why. Anything that is malformed
    inside raises the `DecodeError` of its codec; all of them are ValueErrors.
    """
    out, data = label_of(decode(octets))
    if data is None:
        if out["m3ua"] == "DATA":
            out["undecoded"] = "DATA without Protocol Data"
        return out
    if data.si == SI_SCCP and not (data.payload and data.payload[0] not in sccp.BY_CODE):
        inner = view("sccp", data.payload)
        return out | inner | {"ies": out["ies"] | inner.get("ies", {})}
    out["ies"]["Protocol Data"] = data.payload.hex()
    out["undecoded"] = (
        f"SCCP message type 0x{data.payload[0]:02x} is unknown"
        if data.si == SI_SCCP
        else f"service indicator {data.si} is not SCCP's"
    )
    return out
