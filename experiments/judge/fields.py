"""Wireshark's fields and our keys side by side: one row for each field that says what a key of ours says.

The same table judges generated messages and the field vectors, whose expectations are in Wireshark's fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sigtran.m3ua import NUMBERS
from sim.bssap import bssmap, dtap, sccp
from sim.bssap.bssmap_elements import BY_NAME
from sim.bssap.sms import RP_MESSAGES
from sim.bssap.ss_components import USSD_OPERATIONS, decode_ussd

__all__ = ["FIELDS", "NOT_OURS", "Disagreement", "compare"]

View = Mapping[str, Any]
_Ours = Callable[[View], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the table."""

    name: str
    """Wireshark's field."""
    ours: _Ours
    """Our values in a message, in the order of the wire; none where our keys do not carry them."""
    read: Callable[[str], Any] = int
    """From Wireshark's text to our value."""
    mode: str = "same"
    """same: the values are equal, in this order; bag: in any order; among: each of ours is among Wireshark's,
    which fills the field from elsewhere too."""
    also: str = ""
    """A second field in which Wireshark puts the same thing."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A field of which we and Wireshark say different things."""

    field: str
    ours: tuple[Any, ...]
    theirs: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.field}: ours {list(self.ours)}, theirs {list(self.theirs)}"


# ------------------------------------------------------------------ from our side


def _listed(value: Any) -> list[Any]:
    """An element that comes more than once is a list in `ies`."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _ies(shown: View, *names: str) -> list[Any]:
    found = shown.get("ies", {})
    return [value for name in names for value in _listed(found.get(name))]


def _key(name: str) -> _Ours:
    return lambda shown: _listed(shown.get(name))


def _element(*names: str) -> _Ours:
    return lambda shown: _ies(shown, *names)


def _part(part: str, *names: str) -> _Ours:
    """One member of elements that are objects."""
    return lambda shown: [
        value[part] for value in _ies(shown, *names) if isinstance(value, dict) and part in value
    ]


def _anywhere(name: str) -> _Ours:
    """Parameters of that name, those inside other parameters too."""

    def walk(value: Any) -> Iterable[Any]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from _listed(inner) if key == name else walk(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner)

    return lambda shown: list(walk(shown.get("ies", {}))) if "m3ua" in shown else []


def _cells(part: str) -> _Ours:
    """One part of every cell of the cell identifiers and lists."""

    def of(shown: View) -> list[Any]:
        identifiers = _ies(shown, "Cell Identifier", "Cell Identifier List")
        return [cell[part] for one in identifiers for cell in one.get("cells", ()) if part in cell]

    return of


def _areas(part: str) -> _Ours:
    return _part(part, "Location area identification")


def _dtap_code(pd: int) -> _Ours:
    def of(shown: View) -> list[int]:
        if shown.get("pd") != pd:
            return []
        if shown["dtap"] == dtap.RR_OTHER:
            return _ies(shown, "Message type")
        return [kind.code for kind in dtap.BY_PD[pd].messages if kind.name == shown["dtap"]]

    return of


def _rp_code(shown: View) -> list[int]:
    return [
        row.code for row in RP_MESSAGES
        if row.name == shown.get("rp") and bool(row.code & 1) == shown.get("rp_from_network")
    ]  # fmt: skip


def _tpdu(part: str) -> _Ours:
    return lambda shown: _listed(shown.get("ies", {}).get("TPDU", {}).get(part)) if shown.get("tp") else []


#: TS 23.040 9.2.3.1.
_MTI: Final = {
    "SMS-DELIVER": 0,
    "SMS-DELIVER-REPORT": 0,
    "SMS-SUBMIT": 1,
    "SMS-SUBMIT-REPORT": 1,
    "SMS-STATUS-REPORT": 2,
    "SMS-COMMAND": 2,
}


def _tp_address(key: str, *names: str) -> _Ours:
    return lambda shown: _text(key)(shown) if shown.get("tp") in names else []


def _tp_dcs(shown: View) -> list[int]:
    tpdu = shown.get("ies", {}).get("TPDU", {}) if shown.get("tp") else {}
    return _listed(tpdu.get("dcs", tpdu.get("user_data", {}).get("dcs")))


def _bssmap_ids(shown: View) -> list[int]:
    """Identifiers of the BSSMAP elements by the names in `ies`, each as often as it came."""
    if "bssmap" not in shown:
        return []
    ies = shown["ies"]
    return [BY_NAME[name].iei for name in ies if name in BY_NAME for _ in _listed(ies[name]) or [None]]


def _flat(values: Iterable[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for value in values:
        found += _flat(value) if isinstance(value, list) else [value]
    return found


_FACILITIES: Final = (
    "Facility",
    "Facility (recall alignment, essential)",
    "Facility (recall alignment, not essential)",
)


#: How Wireshark writes what cannot stand in a line; a backslash stays one, so nothing can be read back.
_ESCAPES: Final = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\v": "\\v"})


def _text(key: str) -> _Ours:
    return lambda shown: [text.translate(_ESCAPES) for text in _listed(shown.get(key)) if text]


def _components(part: str, *kinds: str) -> _Ours:
    return lambda shown: [
        component[part] for component in _flat(_ies(shown, *_FACILITIES))
        if component["kind"] in kinds and part in component
    ]  # fmt: skip


def _ussd_octets(shown: View) -> list[str]:
    """The USSD strings as they stand in the components."""
    return [
        decode_ussd(bytes.fromhex(component["parameter"])).octets.hex()
        for component in _flat(_ies(shown, *_FACILITIES))
        if component.get("code") in USSD_OPERATIONS
        and component["kind"] != "returnError"
        and "parameter" in component
    ]


def _numbers(*elements: str) -> _Ours:
    return _part("digits", *elements)


def _cc_cause(shown: View) -> list[int]:
    return [value["value"] for value in _ies(shown, "Cause") if isinstance(value, dict)]


def _bss_cause(shown: View) -> list[int]:
    """The value of a BSSMAP cause; of one in two octets Wireshark shows the second."""
    causes = [value for value in _ies(shown, "Cause") if isinstance(value, int)] if "bssmap" in shown else []
    return [value & 0xFF if value > 0x7F else value for value in causes]


def _ti(shown: View) -> list[int]:
    """TS 24.007 11.2.3.1.3: an extended identifier has 7 in the first octet."""
    return [min(value, 7) for value in _listed(shown.get("ti"))]


def _sccp_cause(*types: str) -> _Ours:
    return lambda shown: _listed(shown.get("sccp_cause")) if shown.get("sccp") in types else []


# ------------------------------------------------------------------ from theirs


def _number(text: str) -> int:
    """Decimal, or hexadecimal with its mark; a sign for what is signed."""
    return int(text, 0)


def _wire_reference(text: str) -> str:
    """Wireshark reads a local reference least significant octet first; ours is as on the wire."""
    return bytes.fromhex(text.removeprefix("0x").rjust(6, "0"))[::-1].hex()


def _octets(text: str) -> str:
    return text.replace(":", "").lower()


def _line(text: str) -> str:
    return text.translate(_ESCAPES)


def _countries(shown: View) -> list[str]:
    """Of cells, and of the IMSI: its first three digits (TS 23.003 2.2)."""
    return [*_cells("mcc")(shown), *(imsi[:3] for imsi in _listed(shown.get("imsi")))]


def _number_10(text: str) -> int:
    """An MNC: Wireshark leaves out leading zeros, and with them whether it has two digits or three."""
    return int(text, 10)


def _mcc(text: str) -> str:
    return text.rjust(3, "0")


_REFERENCES: Final = (
    Field("sccp.slr", _key("slr"), _wire_reference),
    Field("sccp.dlr", _key("dlr"), _wire_reference),
)

FIELDS: Final[tuple[Field, ...]] = (
    # RFC 4666
    Field("m3ua.message_class", lambda s: [NUMBERS[s["m3ua"]][0]] if s.get("m3ua") in NUMBERS else []),
    Field("m3ua.message_type", lambda s: [NUMBERS[s["m3ua"]][1]] if s.get("m3ua") in NUMBERS else []),
    Field("m3ua.protocol_data_opc", _key("opc"), _number),
    Field("m3ua.protocol_data_dpc", _key("dpc"), _number),
    Field("m3ua.protocol_data_si", _key("si"), _number),
    Field("m3ua.protocol_data_ni", _key("ni"), _number),
    Field("m3ua.protocol_data_mp", _key("mp"), _number),
    Field("m3ua.protocol_data_sls", _key("sls"), _number),
    Field("m3ua.network_appearance", _element("Network Appearance"), _number),
    Field(
        "m3ua.routing_context",
        _anywhere("Routing Context"),
        _number,
        also="m3ua.deregistration_result_routing_context",
    ),
    Field("m3ua.correlation_identifier", _element("Correlation Id"), _number),
    Field("m3ua.asp_identifier", _element("ASP Identifier"), _number),
    Field("m3ua.error_code", _element("Error Code"), _number),
    Field("m3ua.traffic_mode_type", _anywhere("Traffic Mode Type"), _number),
    Field("m3ua.info_string", _element("INFO String"), str),
    Field("m3ua.heartbeat_data", _element("Heartbeat Data"), _octets),
    Field("m3ua.affected_point_code_pc", _element("Affected Point Code"), _number),
    # Q.713
    Field("sccp.message_type", lambda s: [sccp.BY_SHORT[s["sccp"]].code] if "sccp" in s else [], _number),
    *_REFERENCES,
    Field("sccp.class", _key("class"), _number),
    Field("sccp.release_cause", _sccp_cause("RLSD"), _number),
    Field("sccp.refusal_cause", _sccp_cause("CREF"), _number),
    Field("sccp.return_cause", _sccp_cause("UDTS", "XUDTS", "LUDTS"), _number),
    Field("sccp.reset_cause", _sccp_cause("RSR"), _number),
    Field("sccp.error_cause", _sccp_cause("ERR"), _number),
    Field("sccp.called.ssn", _key("called_ssn")),
    Field("sccp.calling.ssn", _key("calling_ssn")),
    Field("sccp.called.digits", _key("called_gt"), str),
    Field("sccp.calling.digits", _key("calling_gt"), str),
    Field("sccp.called.pc", _part("point_code", "called"), _number),
    Field("sccp.calling.pc", _part("point_code", "calling"), _number),
    Field("sccp.hops", _element("hop_counter"), _number),
    Field("sccp.importance", _element("importance"), _number),
    Field("sccp.credit", _element("credit"), _number),
    # TS 48.006
    Field("bssap.pdu_type", lambda s: [int("dlci" in s)] if "bssmap" in s or "dlci" in s else [], _number),
    Field("bssap.dlci.sapi", lambda s: [value & 7 for value in _listed(s.get("dlci"))], _number),
    # TS 48.008
    Field(
        "gsm_a.bssmap.msgtype",
        lambda s: [bssmap.BY_TYPE_NAME[s["bssmap"]].code] if "bssmap" in s else [],
        _number,
    ),
    Field("gsm_a.bssmap.elem_id", _bssmap_ids, _number, "bag", "gsm_bssmap_le.elem_id"),
    Field("gsm_a.bssmap.cause", _bss_cause, _number),
    Field(
        "gsm_a.bssmap.be.cell_id_disc",
        _part("discriminator", "Cell Identifier", "Cell Identifier List"),
        _number,
        "bag",
    ),
    Field("gsm_a.bssmap.cell_lac", _cells("lac"), _number, "bag"),
    Field("gsm_a.bssmap.cell_ci", _cells("ci"), _number, "bag"),
    Field("gsm_a.bssmap.be.rnc_id", _cells("rnc"), _number, "bag"),
    Field("gsm_a.bssmap.sac", _cells("sac"), _number, "bag"),
    Field("gsm_a.bssmap.num_ms", _element("Number Of MSs"), _number),
    Field("gsm_a.bssmap.periodicity", _element("Periodicity"), _number),
    Field("gsm_a.bssmap.kc128", _element("Kc128"), _octets),
    Field("e212.mcc", _countries, _mcc, "among"),
    Field("e212.mnc", lambda s: [int(mnc) for mnc in _cells("mnc")(s)], _number_10, "among"),
    # TS 24.008 and 24.007
    Field("gsm_a.L3_protocol_discriminator", _key("pd"), _number, "among"),
    Field("gsm_a.dtap.msg_mm_type", _dtap_code(dtap.PD_MM), _number, "among"),
    Field("gsm_a.dtap.msg_cc_type", _dtap_code(dtap.PD_CC), _number),
    Field("gsm_a.dtap.msg_rr_type", _dtap_code(dtap.PD_RR), _number, "among"),
    Field("gsm_a.dtap.msg_sms_type", _dtap_code(dtap.PD_SMS), _number),
    Field("gsm_a.dtap.msg_ss_type", _dtap_code(dtap.PD_SS), _number),
    Field("gsm_a.dtap.seq_no", _key("sequence"), _number, "among"),
    Field("gsm_a.dtap.tio", _ti, _number),
    Field("gsm_a.dtap.ti_flag", _key("ti_flag"), _number),
    Field("gsm_a.dtap.service_type", _element("CM service type"), _number, "among"),
    Field(
        "gsm_a.dtap.updating_type",
        lambda s: [value & 3 for value in _ies(s, "Location updating type")],
        _number,
    ),
    Field("e212.lai.mcc", _areas("mcc"), _mcc),
    Field("e212.lai.mnc", lambda s: [int(mnc) for mnc in _areas("mnc")(s)], _number_10),
    Field("gsm_a.lac", _areas("lac"), _number),
    Field("e212.imsi", _key("imsi"), str, "among"),
    Field("3gpp.tmsi", _part("tmsi", "Mobile identity", "Mobile Identity"), _number, "among"),
    Field("gsm_a.tmsi", _element("TMSI"), _number),
    Field("gsm_a.imei", _key("imei"), str, "among"),
    Field("gsm_a.imeisv", _key("imeisv"), str, "among"),
    Field("gsm_a.dtap.rej_cause", _key("reject_cause"), _number),
    Field("gsm_a.dtap.cause", _cc_cause, _number),
    Field("gsm_a.dtap.cp_cause", _element("CP-Cause"), _number),
    Field("gsm_a.rr.RRcause", _element("RR Cause"), _number, "among"),
    Field("gsm_a.dtap.rand", _element("Authentication parameter RAND"), _octets),
    Field("gsm_a.dtap.sres", _element("Authentication response parameter"), _octets),
    Field("gsm_a.dtap.autn", _element("Authentication parameter AUTN"), _octets),
    Field("gsm_a.dtap.auts", _element("Authentication failure parameter"), _octets),
    Field("gsm_a.dtap.call_state", lambda s: [value & 63 for value in _ies(s, "Call state")], _number),
    Field("gsm_a.dtap.progress_description", _part("description", "Progress indicator"), _number),
    Field(
        "gsm_a.dtap.notif_descr",
        lambda s: [value & 127 for value in _ies(s, "Notification indicator")],
        _number,
    ),
    Field(
        "gsm_a.dtap.cld_party_bcd_num",
        _numbers("Called party BCD number", "RP-Destination Address", "RP-Originator Address"),
        str,
        "bag",
    ),
    Field("gsm_a.dtap.clg_party_bcd_num", _numbers("Calling party BCD number"), str),
    Field("gsm_a.dtap.conn_num", _numbers("Connected number"), str),
    Field("gsm_a.dtap.red_party_bcd_num", _numbers("Redirecting party BCD number"), str),
    # TS 24.011
    Field("gsm_a.rp.msg_type", _rp_code, _number),
    Field("gsm_a.rp.rp_message_reference", _key("rp_reference"), _number, "among"),
    Field("gsm_a.rp.cause", _part("value", "RP-Cause"), _number),
    # TS 23.040
    Field("gsm_sms.tp-mti", lambda s: [_MTI[s["tp"]]] if "tp" in s else [], _number),
    Field("gsm_sms.tp-mr", _tpdu("reference"), _number),
    Field("gsm_sms.tp-pid", _tpdu("protocol"), _number),
    Field("gsm_sms.tp-dcs", _tp_dcs, _number),
    Field("gsm_sms.tp-fcs", _tpdu("failure_cause"), _number),
    Field("gsm_sms.tp.command_type", _tpdu("command"), _number),
    Field("gsm_sms.tp-da", _tp_address("called", "SMS-SUBMIT", "SMS-COMMAND"), _line),
    Field("gsm_sms.tp-oa", _tp_address("calling", "SMS-DELIVER"), _line),
    Field("gsm_sms.tp-ra", _tp_address("called", "SMS-STATUS-REPORT"), _line),
    Field("gsm_sms.sms_text", _text("text"), _line),
    # TS 24.080
    Field(
        "gsm_old.localValue", _components("code", "invoke", "returnResult", "returnError"), _number, "among"
    ),
    Field(
        "gsm_old.invokeID",
        _components("invoke_id", "invoke", "returnResult", "returnError"),
        _number,
        "among",
    ),
    Field("gsm_map.ussd_string", _text("ussd"), _line, "among"),
    Field("gsm_map.ss.ussd_String", _ussd_octets, _octets, "among"),
)
BY_FIELD: Final = {field.name: field for field in FIELDS}

#: Fields of the vectors that no key of ours says, and why.
NOT_OURS: Final[dict[str, str]] = {
    "bssap.length": "a length that does not fit is refused; no key repeats it",
    "e164.calling_party_number.digits": "the digits are compared as sccp.calling.digits",
    "gsm_map.ss.ussd_DataCodingScheme": "in a component's parameter, compared as gsm_map.ss.ussd_String",
    "gsm_old.opCode": "which alternative of a choice: local or global; the code itself is compared",
    "tcap.tid": "TCAP, a user of SCCP that is not on the A interface",
}


def _agree(field: Field, ours: Sequence[Any], theirs: Sequence[Any]) -> bool:
    if field.mode == "among":
        return all(value in theirs for value in ours)
    return sorted(ours) == sorted(theirs) if field.mode == "bag" else list(ours) == list(theirs)


def compare(
    row: Mapping[str, Sequence[str]], shown: View, fields: Iterable[str] | None = None
) -> tuple[list[str], list[Disagreement]]:
    """The fields on which both speak, and those on which they disagree.

    A field that only one of the two has is a disagreement, but for `among`: there Wireshark may say more.
    """
    compared, wrong = [], []
    for field in FIELDS if fields is None else (BY_FIELD[name] for name in fields if name in BY_FIELD):
        told = (*row.get(field.name, ()), *row.get(field.also, ()))
        ours = tuple(field.ours(shown))
        if not told and not ours:
            continue
        if not ours and field.mode == "among":
            continue
        try:
            theirs: tuple[Any, ...] = tuple(field.read(text) for text in told)
        except ValueError:
            theirs = tuple(told)
        compared.append(field.name)
        if not _agree(field, ours, theirs):
            wrong.append(Disagreement(field.name, ours, theirs))
    return compared, wrong
