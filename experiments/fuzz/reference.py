"""The columns of the fast decoder, read with the reference codec: the judge of the fuzzer.

`expected` decodes a message with `sigtran.m3ua` and `sim.bssap` alone and says what each of
`marketing.decode.COLUMNS` must hold, or at which layer the reference refuses the message and why. It looks as
far as the columns go: of what no column tells, it counts only that the reference can read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from marketing.decode import COLUMNS, Present
from sigtran import m3ua
from sim.bssap import (
    DecodeError,
    ber,
    bssap,
    bssmap,
    bssmap_elements,
    dtap,
    gsm7,
    sccp,
    sms,
    ss_components,
    tpdu,
)
from sim.bssap.cc_elements import PartyNumber, decode_number
from sim.bssap.cells import CellIdentifier
from sim.bssap.elements import UNKNOWN, Message
from sim.bssap.identity import Lai, MobileIdentity, encode_plmn
from sim.bssap.octets import Reader, push_bcd
from sim.bssap.user_data import GSM7, cbs_alphabet

__all__ = ["ROUTING", "Expected", "expected"]

Row = dict[str, Any]

_SI_SCCP: Final = 3
#: `called` and `calling` keep ten octets.
_NUMBER_OCTETS: Final = 10
_NAMES: Final = tuple(column.name for column in COLUMNS)
ROUTING: Final = _NAMES[: _NAMES.index("dlci")]
"""The columns that a refused message keeps, as far as its layers were right."""
_ZERO: Final[Row] = {
    column.name: bytes(int(column.dtype[1:])) if column.dtype.startswith("V") else 0 for column in COLUMNS
}
_SCCP_SIZES: Final = {"source": 3, "destination": 3, "sequencing": 2}
#: Messages whose first layer 3 information is read, and how.
_COMPLETE_LAYER_3, _CIPHER_MODE_COMPLETE = "COMPLETE LAYER 3 INFORMATION", "CIPHER MODE COMPLETE"
#: TS 24.080 3.6.2 in the order of the tags; TS 29.002 17.5: operations whose argument begins with an SS code.
_COMPONENTS: Final = (
    ss_components.INVOKE, ss_components.RETURN_RESULT, ss_components.RETURN_ERROR, ss_components.REJECT,
)  # fmt: skip
_SS_OPERATIONS: Final = (10, 11, 12, 13, 14, 15, 17)
_REGISTER_SS: Final = 10
#: TS 29.002 17.7.4, RegisterSS-Arg: forwardedToNumber [4].
_FORWARDED_TO: Final = 0x84
_FACILITY_IEI: Final = 0x1C
_HANDOVER_COMMANDS: Final = ("HANDOVER COMMAND", "HANDOVER REQUEST ACKNOWLEDGE")


@dataclass(slots=True)
class Expected:
    """What the reference makes of one message."""

    row: Row = field(default_factory=lambda: dict(_ZERO))
    """Every column but `error`; of a refused message, those of the layers that are right."""
    refused_at: str = ""
    """"" = the message is right; else m3ua, service, sccp, bssap, bssmap, dtap, rp or tpdu."""
    reason: str = ""
    """What the reference says is wrong: message, element, fault."""


class _RefusedError(Exception):
    def __init__(self, layer: str, reason: object) -> None:
        super().__init__(layer, str(reason))


# ------------------------------------------------------------------ elements


def _add_identity(row: Row, value: MobileIdentity) -> None:
    """TS 24.008 10.5.1.4."""
    match value.kind:
        case "TMSI":
            row["tmsi"] = value.tmsi
            row["present"] |= Present.TMSI
        case "IMSI":
            row["imsi"], row["imsi_digits"] = int(value.digits), len(value.digits)
            row["present"] |= Present.IMSI
        case "IMEI" | "IMEISV":
            row["imei"], row["imei_digits"] = int(value.digits), len(value.digits)
            row["present"] |= Present.IMEI


def _plmn(mcc: str | None, mnc: str | None) -> int:
    return int.from_bytes(encode_plmn(mcc, mnc), "big") if mcc and mnc else 0


def _add_lai(row: Row, value: Lai) -> None:
    row["lai_plmn"], row["lai_lac"] = _plmn(value.mcc, value.mnc), value.lac
    row["present"] |= Present.LAI


def _add_cell(row: Row, value: CellIdentifier) -> None:
    """TS 48.008 3.2.2.17; of several in a message the last one counts."""
    cell = value.cell
    row["discriminator"] = value.discriminator
    row["plmn"], row["lac"], row["ci"] = _plmn(cell.mcc, cell.mnc), cell.lac or 0, cell.ci or 0
    row["present"] &= ~(Present.CELL | Present.CI)
    row["present"] |= Present.CELL * (cell.lac is not None) | Present.CI * (cell.ci is not None)


def _kept(digits: str) -> bytes:
    return push_bcd(digits, "digits")[:_NUMBER_OCTETS].ljust(_NUMBER_OCTETS, b"\0")


def _add_party(row: Row, name: str, value: PartyNumber) -> None:
    """TS 24.008 10.5.4.7, 10.5.4.9."""
    extension = 0x80 if value.indicators is None else 0
    row[f"{name}_type"] = extension | value.type << 4 | value.plan
    row[f"{name}_digits"] = min(len(value.digits), 255)
    row[name] = _kept(value.digits)


def _add_cause(row: Row, value: int) -> None:
    row["cause"] = value
    row["present"] |= Present.CAUSE


# ------------------------------------------------------------------ short messages


def _add_tp_address(row: Row, name: str, value: tpdu.TpAddress, octets: bytes) -> None:
    """TS 23.040 9.1.2.5; `octets` from the address's length on, for the septets of an alphanumeric one."""
    length = octets[0] if value.text is not None else len(value.digits)
    body = octets[2 : 2 + (length + 1) // 2]
    row[f"{name}_type"] = 0x80 | value.type << 4 | value.plan
    row[f"{name}_digits"] = length
    row[name] = body.ljust(_NUMBER_OCTETS, b"\0") if value.text is not None else _kept(value.digits)
    row["present"] |= Present[name.upper()]


def _add_tpdu(row: Row, octets: bytes, from_network: bool) -> None:
    try:
        value = tpdu.decode(octets, from_network=from_network)
    except DecodeError as error:
        raise _RefusedError("tpdu", f"TPDU: {error}") from None
    match value:
        case tpdu.Submit():
            row |= {"tp": 1, "tp_reference": value.reference, "tp_pid": value.protocol}
            _add_tp_address(row, "called", value.destination, octets[2:])
        case tpdu.Command():
            row |= {"tp": 2, "tp_reference": value.reference, "tp_pid": value.protocol}
            _add_tp_address(row, "called", value.destination, octets[5:])
        case tpdu.Deliver():
            row |= {"tp": 3, "tp_pid": value.protocol}
            _add_tp_address(row, "calling", value.originator, octets[1:])
        case tpdu.StatusReport():
            row |= {"tp": 4, "tp_reference": value.reference}
            _add_tp_address(row, "called", value.recipient, octets[2:])
        case _:
            # TS 23.040 9.2.3.1: reports travel in RP-ACK and RP-ERROR.
            raise _RefusedError("tpdu", f"{tpdu.name(value)} in an RP-DATA")
    if isinstance(value, tpdu.Submit | tpdu.Deliver):
        row |= {"tp_dcs": value.user_data.dcs, "tp_length": value.user_data.length}


def _add_relay(row: Row, octets: bytes) -> None:
    """TS 24.011 7.3."""
    try:
        value = sms.decode_rp(octets)
    except DecodeError as error:
        raise _RefusedError("rp", f"RP: {error}") from None
    row |= {"rp": octets[0] + 1, "rp_reference": value.reference}
    if value.message.name == "RP-ERROR":
        _add_cause(row, value.message["RP-Cause"].value)
    if value.message.name == "RP-DATA":
        _add_tpdu(row, value.message["RP-User data"], value.from_network)


# ------------------------------------------------------------------ layer 3


def _add_layer_3(row: Row, octets: bytes, base: int) -> None:
    """TS 24.007 11.2.3; the elements by protocol. `base`: where the message begins in the user data."""
    try:
        value = dtap.decode(octets)
    except DecodeError as error:
        # Both CC and SS have a RELEASE COMPLETE and a FACILITY.
        prefix = "SS " if octets[0] & 15 == dtap.PD_SS else ""
        raise _RefusedError("dtap", f"{prefix}{error}") from None
    protocol = dtap.BY_PD[value.pd]
    extended = protocol.transactions and octets[0] & 0x70 == 0x70
    code = octets[2 if extended else 1]
    row |= {"pd": value.pd, "ti": octets[0] >> 4, "dtap": code & 0x3F if protocol.sequenced else code}
    row["present"] |= Present.DTAP
    # Clause 8.6.3 of TS 24.008: of an element that is repeated the first one counts.
    first = dict(reversed(value.message.elements))
    for name, element in first.items():
        match value.pd:
            case dtap.PD_MM | dtap.PD_RR:
                _add_mobility(row, value.name, name, element)
            case dtap.PD_CC:
                _add_call(row, value.name, name, element)
            case dtap.PD_SMS if name == "CP-Cause":
                _add_cause(row, element)
            case dtap.PD_SS if name == "Facility" and element:
                place = _facility_place(octets, 2 + extended, value.name)
                _add_component(row, element[0], octets[place:], base + place)
    if value.pd == dtap.PD_SMS:
        row["cp"] = code
        if value.name == "CP-DATA":
            _add_relay(row, value.message["CP-User data"])


def _add_mobility(row: Row, message: str, name: str, element: Any) -> None:
    """TS 24.008 9.2, TS 44.018 9.1."""
    if isinstance(element, MobileIdentity):
        _add_identity(row, element)
    elif isinstance(element, Lai) and message != "CM RE-ESTABLISHMENT REQUEST":
        _add_lai(row, element)
    elif name in ("Location updating type", "CM service type"):
        row["service"] = element
    elif name == "Reject cause":
        _add_cause(row, element)


def _add_call(row: Row, message: str, name: str, element: Any) -> None:
    """TS 24.008 9.3."""
    if name == "Cause":
        _add_cause(row, element.value)
    elif message == "SETUP" and name == "Called party BCD number":
        _add_party(row, "called", element)
        row["present"] |= Present.CALLED
    elif message == "SETUP" and name == "Calling party BCD number":
        _add_party(row, "calling", element)
        row["present"] |= Present.CALLING


# ------------------------------------------------------------------ supplementary services


def _facility_place(octets: bytes, at: int, message: str) -> int:
    """Where the content of the Facility begins (TS 24.080 2.3-2.5); `at`: behind the message type."""
    if message == "FACILITY":
        return at + 1
    while octets[at] != _FACILITY_IEI:
        at += 1 if octets[at] & 0x80 else 2 + octets[at + 1]
    return at + 2


def _add_component(row: Row, value: ss_components.Component, octets: bytes, base: int) -> None:
    """TS 24.080 3.6; `octets` from the component on, which stands at `base` in the user data."""
    code = value.code if value.code is not None and 0 <= value.code < 256 else 0
    row |= {"component": _COMPONENTS.index(value.kind) + 1, "operation": code}
    row["invoke_id"] = (value.invoke_id or 0) & 0xFF
    try:
        if code in ss_components.USSD_OPERATIONS and value.kind in _COMPONENTS[:2] and value.parameter:
            _add_ussd(row, value, octets, base)
        elif code in _SS_OPERATIONS and value.kind == ss_components.INVOKE:
            _add_ss_argument(row, value.parameter, code)
    except DecodeError:
        return  # an argument out of shape is left out


def _add_ussd(row: Row, value: ss_components.Component, octets: bytes, base: int) -> None:
    """USSD-Arg and USSD-Res (TS 29.002 17.7.4); a code of digits is shown like a dialled number."""
    ussd = ss_components.decode_ussd(_first(value.parameter))
    if len(ussd.octets) > 255:
        return
    row |= {"tp_dcs": ussd.dcs, "tp_length": len(ussd.octets)}
    row["list_offset"] = base + _string_place(octets, value)
    row["present"] |= Present.USSD
    # TS 23.038 6.2.1.1: what follows an escape that no table knows is shown as itself, and is no digit.
    escaped = gsm7.ESCAPE in gsm7.unpack(ussd.octets, len(ussd.octets) * 8 // 7)
    if cbs_alphabet(ussd.dcs) == GSM7 and not escaped and re.fullmatch("[0-9*#]{1,255}", ussd.text):
        row["called_digits"], row["called"] = len(ussd.text), _kept(ussd.text)


def _first(octets: bytes) -> bytes:
    """The first BER value alone."""
    reader = Reader(octets)
    ber.pull_tlv(reader)
    return octets[: reader.position]


def _content(octets: bytes, at: int) -> int:
    """Where the content of the BER value at `at` begins (X.690 8.1.2, 8.1.3)."""
    if octets[at] & 0x1F == 0x1F:
        while octets[at + 1] & 0x80:
            at += 1
        at += 1
    length = octets[at + 1]
    return at + 2 + (length & 0x7F if length > 0x80 else 0)


def _behind(octets: bytes, at: int) -> int:
    reader = Reader(octets[at:])
    ber.pull_tlv(reader)
    return at + reader.position


def _string_place(octets: bytes, value: ss_components.Component) -> int:
    """Where the USSD string begins: behind invoke identifier, operation code and data coding scheme."""
    at = _behind(octets, _content(octets, 0))
    if value.linked_id is not None:
        at = _behind(octets, at)
    if value.kind == ss_components.RETURN_RESULT:
        at = _content(octets, at)
    at = _content(octets, _behind(octets, at))
    return _content(octets, _behind(octets, at))


def _add_ss_argument(row: Row, parameter: bytes, code: int) -> None:
    """SS-Code, SS-ForBS-Code, RegisterSS-Arg (TS 29.002 17.7.4): the service, and where calls go.

    Present.CALLED is for the parties of calls and short messages alone.
    """
    reader = Reader(parameter)
    value = ber.pull_tlv(reader)
    sequence = value.tag == ber.SEQUENCE
    if sequence:
        reader = Reader(value.content)
        value = ber.pull_tlv(reader)
    if value.tag != ber.OCTET_STRING or len(value.content) != 1:
        return
    row["ss_code"] = value.content[0]
    while sequence and code == _REGISTER_SS and reader.remaining:
        value = ber.pull_tlv(reader)
        if value.tag == _FORWARDED_TO:
            _add_party(row, "called", decode_number(value.content))
            return


# ------------------------------------------------------------------ BSSMAP


def _digest(octets: bytes) -> int:
    """FNV-1a, 64 bits."""
    value = 0xCBF29CE484222325
    for octet in octets:
        value = (value ^ octet) * 0x100000001B3 & (1 << 64) - 1
    return value


def _places(octets: bytes) -> Iterator[tuple[str, int]]:
    """The elements with a length: name, and where the content begins, from the message's first octet."""
    reader = Reader(octets)
    reader.pull_u8()
    while reader.remaining:
        element = bssmap_elements.BY_IEI.get(reader.pull_u8())
        form = "TLV" if element is None else element.form
        if element is not None and form not in ("TLV", "TLVE"):
            reader.pull(element.low)
            continue
        length = reader.pull_uint(2 if form == "TLVE" else 1)
        yield UNKNOWN if element is None else element.name, reader.position
        reader.pull(length)


def _add_bssmap(row: Row, octets: bytes) -> None:
    """TS 48.008 3.2.1."""
    try:
        value = bssmap.decode(octets)
    except DecodeError as error:
        raise _RefusedError("bssmap", error) from None
    row["bssmap"] = octets[0]
    row["present"] |= Present.BSSMAP
    # Places are told from the user data, in which two octets come before the message.
    places = [(name, 2 + start) for name, start in _places(octets)]
    starts = dict(places)
    for name, element in value.elements:
        _add_bssmap_element(row, value, name, element, starts)
    if value.name == _COMPLETE_LAYER_3:
        # One message is read, the first, and last of all; the columns of two would be mixed.
        start = next(start for name, start in places if name == "Layer 3 Information")
        _add_layer_3(row, value["Layer 3 Information"], start)


def _add_bssmap_element(row: Row, value: Message, name: str, element: Any, starts: dict[str, int]) -> None:
    """`starts`: where the last element of a name has its content."""
    match name:
        case "Cell Identifier":
            _add_cell(row, element)
        case "Cell Identifier List":
            row["list_cells"], row["discriminator"] = len(element.cells), element.discriminator
            row["list_offset"] = starts[name]
            row["present"] |= Present.LIST
        case "IMSI":
            row["imsi"], row["imsi_digits"] = int(element), len(element)
            row["present"] |= Present.IMSI
        case "TMSI":
            row["tmsi"] = element
            row["present"] |= Present.TMSI
        case "Cause":
            row["bssmap_cause"] = element & 0xFF
            row["present"] |= Present.BSSMAP_CAUSE
        case "Layer 3 Information" if value.name in _HANDOVER_COMMANDS:
            row["digest"] = _digest(element)
            row["present"] |= Present.DIGEST
        case "Layer 3 Message Contents" if value.name == _CIPHER_MODE_COMPLETE:
            _add_ciphered(row, element)


def _add_ciphered(row: Row, octets: bytes) -> None:
    """TS 48.008 3.2.2.35: the IMEISV of a CIPHERING MODE COMPLETE; what else it may be is no matter."""
    try:
        inside = dtap.decode(octets)
    except DecodeError:
        return
    identity = inside.message.get("Mobile Equipment Identity")
    if inside.name == "CIPHERING MODE COMPLETE" and identity and identity.kind in ("IMEI", "IMEISV"):
        _add_identity(row, identity)


# ------------------------------------------------------------------ below


def _user_place(payload: bytes) -> int:
    """Where the user data begin in an SCCP message that the codec has accepted (Q.713 2.3, 3.1)."""
    row = sccp.BY_CODE[payload[0]]
    at = 1 + sum(_SCCP_SIZES.get(name, 1) for name in row.fixed)
    for name in row.variable:
        if name == "data":
            target = at + row.pointer - 1 + int.from_bytes(payload[at : at + row.pointer], "little")
            return target + row.pointer
        at += row.pointer
    at += payload[at]
    found = 0
    while payload[at]:
        if payload[at] == sccp.PARAMETER_CODES["data"]:
            found = at + 2
        at += 2 + payload[at + 1]
    return found


def _add_sccp(row: Row, payload: bytes, base: int) -> bytes | None:
    """Q.713; the user data that are a whole BSSAP message, or None. `base`: where the payload begins."""
    try:
        value = sccp.decode(payload)
    except DecodeError as error:
        raise _RefusedError("sccp", error) from None
    row |= {"sccp": payload[0], "slr": value.source or 0, "dlr": value.destination or 0}
    row["sccp_cause"] = value.cause or 0
    if value.data is None:
        return None
    split = value.segmentation
    more = bool(value.more) or (value.type == "DT2" and bool((value.sequencing or 0) & 1))
    row["more"] = int(more or (split is not None and not (split.first and not split.remaining)))
    row["user_offset"], row["user_length"] = base + _user_place(payload), len(value.data)
    return None if row["more"] or value.type == "ED" else value.data


def _payload_place(octets: bytes) -> int:
    """Where the payload of the first Protocol Data begins (RFC 4666 3.3.1)."""
    at = 8
    while int.from_bytes(octets[at : at + 2], "big") != m3ua.Tag.PROTOCOL_DATA:
        length = int.from_bytes(octets[at + 2 : at + 4], "big")
        at += length + -length % 4
    return at + 16


def _read(found: Expected, octets: bytes) -> None:
    row = found.row
    kind = m3ua.NAMES.get((octets[2], octets[3]), "M3UA") if len(octets) > 3 else "M3UA"
    try:
        message = m3ua.decode(octets)
        row |= {"m3ua_class": message.message_class, "m3ua_type": message.message_type}
        if message.name != "DATA":
            return
        data = m3ua.DataMessage.from_message(message)
    except m3ua.DecodeError as error:
        raise _RefusedError("m3ua", f"{kind}: {error}") from None
    row |= {name: getattr(data, name) for name in ("opc", "dpc", "si", "ni", "mp", "sls")}
    row["corr"] = data.correlation_id or 0
    if data.si != _SI_SCCP:
        raise _RefusedError("service", f"service indicator {data.si} is not SCCP's")
    user = _add_sccp(row, data.payload, _payload_place(octets))
    if user is None:
        return
    try:
        value = bssap.decode(user)
    except DecodeError as error:
        raise _RefusedError("bssap", error) from None
    if value.discrimination == bssap.BSSMAP:
        _add_bssmap(row, value.payload)
    else:
        row["dlci"] = value.dlci
        _add_layer_3(row, value.payload, 3)


def expected(octets: bytes) -> Expected:
    """What every column must hold, by the reference codec."""
    found = Expected()
    try:
        _read(found, octets)
    except _RefusedError as refusal:
        found.refused_at, found.reason = refusal.args
        for name in _NAMES[len(ROUTING) :]:
            found.row[name] = _ZERO[name]
    found.row["present"] = int(found.row["present"])
    return found
