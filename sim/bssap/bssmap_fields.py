"""What the octets of BSSMAP elements mean: TS 48.008 3.2.2, one row an element.

Messages keep such elements as numbers or octets; `fields_of` reads them, `value_of` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from sim.bssap.bssmap_elements import BY_NAME
from sim.bssap.elements import RAW, Codec
from sim.bssap.errors import EncodeError
from sim.bssap.fields import REST, Fields, Layout, layout, pull_fields, push_fields
from sim.bssap.octets import push_octets, push_uint
from sim.bssap.speech_codecs import SpeechCodec, decode_speech_codecs, encode_speech_codecs

_LSA = "LSA identifier 24"
#: TS 24.008 10.5.1.6, octets 3 to 5; Classmark 1 is the first of them.
_CLASSMARK_1 = "spare 1 | revision level 2 | ES IND 1 | no A5/1 1 | RF power capability 3"
_CLASSMARK_2 = (
    "| spare 1 | PS capability 1 | SS screening indicator 2 | SM capability 1 | VBS 1 | VGCS 1 | FC 1"
    "| CM3 1 | spare 1 | LCSVA CAP 1 | UCS2 1 | SoLSA 1 | CMSP 1 | A5/3 1 | A5/2 1"
)

#: Element -> its fields. Elements that are one number (spare bits beside it or not), a flag, or a message of
#: another layer are not here.
LAYOUTS: dict[str, Layout] = {
    # 3.2.2.4: five interference bands, numbers of 16 bits each.
    "Resource Available": layout("", entries="bands", entry="full rate channels 16 | half rate channels 16"),
    # 3.2.2.9
    "Layer 3 Header Information": layout("spare 4 | protocol discriminator 4 | spare 4 | TI flag 1 | TI 3"),
    # 3.2.2.13, 3.2.2.14
    "Extended Resource Indicator": layout("spare 6 | subsequent mode 1 | total accessible requested 1"),
    "Total Resource Accessible": layout("full rate channels 16 | half rate channels 16"),
    # 3.2.2.15, 3.2.2.16, 3.2.2.23
    "LSA Identifier": layout(_LSA),
    "LSA Identifier List": layout("spare 7 | EP 1", entries="LSAs", entry=_LSA),
    "LSA Information": layout(
        "spare 7 | LSA only 1", entries="LSAs",
        entry=f"spare 2 | active mode support 1 | preferential access 1 | priority 4 | {_LSA}",
    ),
    # 3.2.2.18
    "Priority": layout(
        "spare 1 | preemption capability 1 | priority level 4 | queuing allowed 1"
        "| preemption vulnerability 1"
    ),
    # 3.2.2.19, 3.2.2.30
    "Classmark Information Type 1": layout(_CLASSMARK_1),
    "Classmark Information Type 2": layout(_CLASSMARK_1 + _CLASSMARK_2),
    # 3.2.2.25
    "DLCI": layout("control channel 2 | spare 3 | SAPI 3"),
    # 3.2.2.31: bit 1 of the last octet is the circuit of the message, each further bit the next one.
    "Circuit Identity Code List": layout("range 8"),
    # 3.2.2.32
    "Diagnostic": layout("error pointer 16"),
    # 3.2.2.33
    "Chosen Channel": layout("channel mode 4 | channel 4"),
    # 3.2.2.49, 3.2.2.50
    "Current Channel Type 1": layout("channel mode 4 | channel 4"),
    "Queuing Indicator": layout("spare 6 | queuing recommended 1 | spare 1"),
    # 3.2.2.55; TS 24.008 10.5.1.9
    "Group Call Reference": layout(
        "reference 27 | service flag 1 | acknowledgement flag 1 | call priority 3 | ciphering information 4"
        "| spare 4"
    ),
    # 3.2.2.60-3.2.2.63, 3.2.2.66-3.2.2.68; codings of TS 49.031
    "LCS QoS": layout(
        "spare 6 | velocity requested 1 | vertical coordinate 1"
        "| horizontal accuracy set 1 | horizontal accuracy 7 | vertical accuracy set 1 | vertical accuracy 7"
        "| response time 2 | spare 6"
    ),
    "LSA access control suppression": layout("spare 6 | RIP 1 | RTD 1"),
    "Location Type": layout("location information 8 | positioning method 8"),
    "LCS Cause": layout("cause 8 | diagnostic 8"),
    "LCS Client Type": layout("category 4 | subtype 4"),
    "APDU": layout("protocol 8"),
    # 3.2.2.75
    "Service Handover": layout("spare 5 | service handover 3"),
    # 3.2.2.85, 3.2.2.88
    "Paging Information": layout("spare 5 | paging cause 2 | VGCS/VBS flag 1"),
    "VGCS Feature Flags": layout(
        "spare 3 | talker channel parameter 1 | re-establishment by the BSS 1 | A-interface sharing 2"
        "| talker priority indicator 1"
    ),
    # 3.2.2.113
    "Send Sequence Number": layout("N(SD) 2 | spare 6"),
}  # fmt: skip


def _pull_address(data: bytes) -> Fields:
    """3.2.2.102: an IPv4 or IPv6 address and a UDP port."""
    address = {6: IPv4Address, 18: IPv6Address}.get(len(data))
    if address is None:
        return {REST: data}
    return {"address": str(address(data[:-2])), "port": int.from_bytes(data[-2:], "big")}


def _push_address(values: Mapping[str, Any]) -> bytes:
    if REST in values:
        return push_octets(values[REST], REST)
    text = str(values["address"])
    address = (IPv6Address if ":" in text else IPv4Address)(text)
    return address.packed + push_uint(values["port"], 2, "port")


def _pull_codecs(data: bytes) -> Fields:
    return {"codecs": decode_speech_codecs(data)}


def _push_codecs(values: Mapping[str, Any]) -> bytes:
    codecs: tuple[SpeechCodec, ...] = tuple(values["codecs"])
    return encode_speech_codecs(codecs)


#: Elements that are more than bit fields.
_OTHERS: dict[str, Codec] = {
    "AoIP Transport Layer Address": Codec(_pull_address, _push_address),
    "Speech Codec List": Codec(_pull_codecs, _push_codecs),
    "Speech Codec": Codec(_pull_codecs, _push_codecs),
}
NAMES = (*LAYOUTS, *_OTHERS)


def fields_of(name: str, value: Any) -> Fields | None:
    """The fields of an element's value; None for an element that has none."""
    form, other = LAYOUTS.get(name), _OTHERS.get(name)
    if form is None and other is None:
        return None
    data = value if isinstance(value, bytes) else BY_NAME[name].codec.encode(value)
    found: Fields = pull_fields(form, data) if form is not None else other.decode(data)  # type: ignore[union-attr]
    return found


def value_of(name: str, values: Mapping[str, Any]) -> Any:
    """Mirror of `fields_of`: what a message has for element `name`; EncodeError names element and field."""
    form, other = LAYOUTS.get(name), _OTHERS.get(name)
    if form is None and other is None:
        raise EncodeError(f"{name} has no fields; these have: {', '.join(NAMES)}")
    try:
        data = push_fields(form, values) if form is not None else other.encode(values)  # type: ignore[union-attr]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EncodeError(f"{name}: {error}") from error
    codec = BY_NAME[name].codec
    return data if codec is RAW else codec.decode(data)
