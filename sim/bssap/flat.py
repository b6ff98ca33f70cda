"""A flat look at one message, layer by layer: what `kairos decode` prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from sim.bssap import bssap, bssmap, bssmap_fields, dtap, sccp, sms, tpdu
from sim.bssap.bssmap_elements import CircuitIdentityCode
from sim.bssap.cc_elements import BearerCapability, Cause, PartyNumber
from sim.bssap.cells import CellIdentifier
from sim.bssap.elements import Message, Unknown
from sim.bssap.errors import DecodeError
from sim.bssap.identity import Lai, MobileIdentity
from sim.bssap.mm_elements import NetworkName, TimeZone
from sim.bssap.sccp_address import SSN_BSSAP
from sim.bssap.sms import RpCause
from sim.bssap.ss_components import ERRORS, OPERATIONS, USSD_OPERATIONS, Component, decode_ussd
from sim.bssap.validity import decode_enhanced, relative_s

View = dict[str, Any]
#: The fields of an element by its name and value; None where it has none.
FieldsOf = Callable[[str, Any], Any]

#: Elements whose value is also a flat key: element name -> key.
_CAUSES = {"Cause": "cause", "RP-Cause": "cause", "CP-Cause": "cause", "Reject cause": "reject_cause"}
_NUMBERS = {"Called party BCD number": "called", "Calling party BCD number": "calling"}
#: Elements of DTAP (TS 24.008 10.5.1.5, 10.5.1.6) -> their names in BSSMAP.
_CLASSMARKS = {
    "Mobile station classmark 1": "Classmark Information Type 1",
    "Mobile station classmark 2": "Classmark Information Type 2",
    "Mobile station classmark for UMTS": "Classmark Information Type 2",
}
#: BSSMAP elements that hold a layer-3 message.
_LAYER_3 = ("Layer 3 Information", "Layer 3 Message Contents")


#: Values that are shown by what they mean.
_SHOWN: dict[type, Callable[[Any], Any]] = {
    CircuitIdentityCode: lambda value: value.code,
    BearerCapability: lambda value: value.fields,
    tpdu.Timestamp: lambda value: {"octets": value.octets, "time": str(value)},
    TimeZone: lambda value: {"octet": value.octet, "quarters": value.quarters},
    NetworkName: lambda value: {
        "text": value.text, "octets": value.octets, "coding": value.coding,
        "add_initials": value.add_initials,
    },
}  # fmt: skip


def jsonable(value: Any) -> Any:
    """Octets as hexadecimal, dataclasses as objects without their empty fields."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        return [jsonable(item) for item in value]
    if isinstance(value, dict):
        return {name: jsonable(item) for name, item in value.items()}
    show = _SHOWN.get(type(value))
    if show is not None:
        return jsonable(show(value))
    if is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: jsonable(item) for name, item in pairs if item not in (None, b"", ())}
    return value


def _add_ies(out: View, message: Message, fields_of: FieldsOf) -> None:
    """Every element by its name, by its fields where it has some; a name that comes again becomes a list."""
    ies = out.setdefault("ies", {})
    for name, value in message.elements:
        if isinstance(value, Unknown):
            key, shown = f"unknown 0x{value.iei:02x}", jsonable(value.octets)
        else:
            fields = fields_of(name, value)
            key, shown = name, jsonable(value if fields is None else fields)
        if key not in ies:
            ies[key] = shown
        elif isinstance(ies[key], list):
            ies[key].append(shown)
        else:
            ies[key] = [ies[key], shown]


def _add_identity(out: View, value: MobileIdentity) -> None:
    if value.kind == "TMSI":
        assert value.tmsi is not None
        out.setdefault("tmsi", f"{value.tmsi:08x}")
    elif value.digits:
        out.setdefault(value.kind.lower(), value.digits)


def _add_place(out: View, place: Lai | CellIdentifier) -> None:
    cell = place.cell if isinstance(place, CellIdentifier) else place
    for key in ("mcc", "mnc", "lac", "ci"):
        value = getattr(cell, key, None)
        if value is not None:
            out.setdefault(key, value)


def _add_component(out: View, component: Component) -> None:
    out["component"] = component.kind
    out["invoke_id"] = component.invoke_id
    if component.kind == "returnError":
        # Not "error", which says of a message that it is not decodable.
        out["ss_error"] = ERRORS.get(component.code, component.code) if component.code is not None else None
        out["error_code"] = component.code
        return
    if component.code is not None:
        out["operation"] = OPERATIONS.get(component.code, component.code)
        out["opcode"] = component.code
    if component.code in USSD_OPERATIONS and component.parameter:
        out["ussd"] = decode_ussd(component.parameter).text


def _no_fields(name: str, value: Any) -> None:
    return None


def _add_elements(out: View, message: Message, fields_of: FieldsOf = _no_fields) -> None:
    """The flat keys that elements give; the first of a kind wins."""
    for name, value in message.elements:
        if isinstance(value, MobileIdentity):
            _add_identity(out, value)
        elif isinstance(value, Lai | CellIdentifier):
            _add_place(out, value)
        elif name == "IMSI":
            out.setdefault("imsi", value)
        elif name == "TMSI":
            out.setdefault("tmsi", f"{value:08x}")
        elif isinstance(value, PartyNumber) and name in _NUMBERS:
            out.setdefault(_NUMBERS[name], value.digits)
        elif name in _CAUSES:
            number = value.value if isinstance(value, Cause | RpCause) else value
            out.setdefault(_CAUSES[name], number)
        elif name.startswith("Facility"):
            for component in value:
                _add_component(out, component)
    _add_ies(out, message, fields_of)


def _validity(value: int | tpdu.Timestamp | bytes | None) -> View:
    """How long a message is to be kept: seconds, or until when."""
    if isinstance(value, tpdu.Timestamp):
        return {"validity_period": str(value)}
    if value is None:
        return {}
    try:
        seconds = relative_s(value) if isinstance(value, int) else decode_enhanced(value).seconds
    except DecodeError:  # a form that TS 23.040 reserves
        return {}
    return {} if seconds is None else {"validity_period": seconds}


def _add_tpdu(out: View, data: bytes, from_network: bool | None) -> None:
    value = tpdu.decode(data, from_network=from_network)
    out["tp"] = tpdu.name(value)
    out["message"] = out["tp"]
    shown = jsonable(value)
    match value:
        case tpdu.Deliver():
            out["calling"] = str(value.originator)
        case tpdu.Submit():
            out["called"] = str(value.destination)
            shown |= _validity(value.validity)
        case tpdu.StatusReport():
            out["called"] = str(value.recipient)
        case tpdu.Command():
            out["called"] = str(value.destination)
    user_data = getattr(value, "user_data", None)
    if user_data is not None:
        if user_data.text is not None:
            out["text"] = user_data.text
        for key in ("concatenation", "ports"):
            if getattr(user_data, key) is not None:
                shown[key] = jsonable(getattr(user_data, key))
    out.setdefault("ies", {})["TPDU"] = shown


def _add_rp(out: View, data: bytes) -> None:
    value = sms.decode_rp(data)
    out["rp"] = value.message.name
    out["rp_reference"] = value.reference
    out["rp_from_network"] = value.from_network
    out["message"] = value.message.name
    _add_elements(out, value.message)
    user_data = value.message.get("RP-User data")
    if user_data:
        name = out["message"]
        _add_tpdu(out, user_data, value.from_network)
        if name != "RP-DATA":
            out["message"] = name


def _classmark_fields(name: str, value: Any) -> Any:
    return bssmap_fields.fields_of(_CLASSMARKS[name], value) if name in _CLASSMARKS else None


def _add_dtap(out: View, data: bytes) -> None:
    value = dtap.decode(data)
    protocol = dtap.BY_PD[value.pd]
    out["message"] = out["dtap"] = value.name
    out["pd"] = value.pd
    out["protocol"] = protocol.name
    if protocol.transactions:
        out["ti"] = value.ti
        out["ti_flag"] = value.ti_flag
    if protocol.sequenced:
        out["sequence"] = value.sequence
    _add_elements(out, value.message, _classmark_fields)
    if value.name == "CP-DATA":
        out["cp"] = value.name
        if value.message["CP-User data"]:
            _add_rp(out, value.message["CP-User data"])
    elif value.pd == dtap.PD_SMS:
        out["cp"] = value.name


def _add_bssmap(out: View, data: bytes) -> None:
    value = bssmap.decode(data)
    out["message"] = out["bssmap"] = value.name
    _add_elements(out, value, bssmap_fields.fields_of)
    for name in _LAYER_3:
        # TS 24.008 8.2: what is too short for a message type is no message.
        if len(value.get(name, b"")) < 2:
            continue
        _add_dtap(out, value[name])
        if value.name != "COMPLETE LAYER 3 INFORMATION":
            # What the message carries is told by "dtap"; the message itself is BSSMAP's.
            out["message"] = value.name


def _add_bssap(out: View, data: bytes) -> None:
    value = bssap.decode(data)
    if value.discrimination == bssap.DTAP:
        out["dlci"] = value.dlci
        _add_dtap(out, value.payload)
    else:
        _add_bssmap(out, value.payload)


def _add_sccp(out: View, data: bytes) -> None:
    value = sccp.decode(data)
    out["sccp"] = value.type
    out["message"] = value.name
    if value.source is not None:
        out["slr"] = f"{value.source:06x}"
    if value.destination is not None:
        out["dlr"] = f"{value.destination:06x}"
    if value.protocol_class is not None:
        out["class"] = value.protocol_class & 15
    for side in ("called", "calling"):
        address = getattr(value, side)
        if address is None:
            continue
        if address.ssn is not None:
            out[f"{side}_ssn"] = address.ssn
        if address.global_title is not None:
            out[f"{side}_gt"] = address.global_title.digits
    shown = jsonable(value)
    out["ies"] = {key: item for key, item in shown.items() if key not in ("type", "data")}
    if value.cause is not None:
        out["sccp_cause"] = value.cause
    if value.data is None or not _carries_bssap(value):
        if value.data is not None:
            out["ies"]["data"] = value.data.hex()
        return
    if value.more:
        out["ies"]["data"] = value.data.hex()
        return
    _add_bssap(out, value.data)


def _carries_bssap(value: sccp.SccpMessage) -> bool:
    """Whether the data is for BSSAP: by subsystem number, where there is one.

    TS 48.006 9.2 lets RLSD and CREF carry no user data: what does not look like BSSAP there is kept.
    """
    part = value.segmentation
    if part is not None and not (part.first and part.remaining == 0):
        return False
    if value.called is not None and value.called.ssn is not None:
        return value.called.ssn == SSN_BSSAP
    if value.type in ("RLSD", "CREF", "RLC"):
        return bool(value.data) and value.data is not None and value.data[0] in (bssap.BSSMAP, bssap.DTAP)
    return value.type in ("CR", "CC", "DT1", "DT2")


def _add_tpdu_alone(out: View, data: bytes) -> None:
    _add_tpdu(out, data, None)


LAYERS: dict[str, Callable[[View, bytes], None]] = {
    "sccp": _add_sccp,
    "bssap": _add_bssap,
    "bssmap": _add_bssmap,
    "dtap": _add_dtap,
    "rpdata": _add_rp,
    "tpdu": _add_tpdu_alone,
}


def view(layer: str, data: bytes) -> View:
    """The flat keys of one message of `layer`, inner layers included; DecodeError when any is malformed.

    Keys, where they apply: message, sccp, slr, dlr, class, bssmap, dtap, pd, ti, imsi, tmsi, imei, imeisv,
    mcc, mnc, lac, ci, called, calling, cause, reject_cause, rp, cp, tp, text, ussd, and ies, which has every
    element by name.
    """
    add = LAYERS.get(layer)
    if add is None:
        raise KeyError(f"layer {layer!r}: one of {', '.join(LAYERS)}")
    out: View = {}
    try:
        add(out, data)
    except RecursionError:
        raise DecodeError("nested too deeply") from None
    return out
