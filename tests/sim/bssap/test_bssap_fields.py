"""Bit fields of elements: what octets mean, both ways, and the places that Wireshark sees them at."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.bssap import EncodeError, bssmap, dtap, view
from sim.bssap.bssmap_elements import BY_NAME
from sim.bssap.bssmap_fields import LAYOUTS, NAMES, fields_of, value_of
from sim.bssap.cc_elements import BEARER_OCTETS, BearerCapability, bearer_capability
from sim.bssap.elements import RAW, message
from sim.bssap.errors import DecodeError
from sim.bssap.fields import pull_groups, push_groups
from sim.bssap.mm_elements import TimeZone, network_name
from sim.bssap.speech_codecs import SpeechCodec
from sim.bssap.tpdu import Timestamp

#: (element, its octets, its fields), written out from TS 48.008 3.2.2.
CASES = [
    ("Priority", "6d", {"preemption capability": 1, "priority level": 11, "queuing allowed": 0,
                        "preemption vulnerability": 1}),
    ("Chosen Channel", "98", {"channel mode": 9, "channel": 8}),
    ("Layer 3 Header Information", "050f", {"protocol discriminator": 5, "TI flag": 1, "TI": 7}),
    ("Layer 3 Header Information", "05", {"protocol discriminator": 5}),
    ("LSA Information", "01 3f 123456 09 abcdef", {"LSA only": 1, "LSAs": [
        {"active mode support": 1, "preferential access": 1, "priority": 15, "LSA identifier": 0x123456},
        {"active mode support": 0, "preferential access": 0, "priority": 9, "LSA identifier": 0xABCDEF},
    ]}),
    ("Classmark Information Type 2", "33 19 81", {
        "revision level": 1, "ES IND": 1, "no A5/1": 0, "RF power capability": 3,
        "PS capability": 0, "SS screening indicator": 1, "SM capability": 1, "VBS": 0, "VGCS": 0, "FC": 1,
        "CM3": 1, "LCSVA CAP": 0, "UCS2": 0, "SoLSA": 0, "CMSP": 0, "A5/3": 0, "A5/2": 1}),
    ("Queuing Indicator", "02", {"queuing recommended": 1}),
    ("Group Call Reference", "00000e9390", {"reference": 116, "service flag": 1, "acknowledgement flag": 0,
                                            "call priority": 3, "ciphering information": 9}),
    ("LCS QoS", "03 85 07 40", {
        "velocity requested": 1, "vertical coordinate": 1, "horizontal accuracy set": 1,
        "horizontal accuracy": 5, "vertical accuracy set": 0, "vertical accuracy": 7, "response time": 1}),
    ("Location Type", "0102", {"location information": 1, "positioning method": 2}),
    ("Circuit Identity Code List", "0aff07", {"range": 10, "rest": b"\xff\x07"}),
    ("Resource Available", "00010002" * 5,
     {"bands": [{"full rate channels": 1, "half rate channels": 2}] * 5}),
    ("AoIP Transport Layer Address", "0a0000010fa0", {"address": "10.0.0.1", "port": 4000}),
    ("AoIP Transport Layer Address", "20010db8" + "00" * 11 + "01" + "ffff",
     {"address": "2001:db8::1", "port": 65535}),
    ("Speech Codec List", "80 83ff00 8457ff 8955 afFD80",
     {"codecs": (SpeechCodec(0, True), SpeechCodec(3, True, configuration=b"\xff\0"),
                 SpeechCodec(4, True, configuration=b"\x57\xff"), SpeechCodec(9, True, configuration=b"\x55"),
                 SpeechCodec(15, True, False, True, extended=0xFD, configuration=b"\x80"))}),
    ("Speech Codec", "83", {"codecs": (SpeechCodec(3, True),)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "octets", "fields"), CASES)
def test_fields_of_elements(name, octets, fields):
    data = bytes.fromhex(octets)
    codec = BY_NAME[name].codec
    value = data if codec is RAW else codec.decode(data)
    assert fields_of(name, value) == fields
    assert value_of(name, fields) == value


@given(st.data())
def test_any_octets_are_read_and_written_again(data):
    name = data.draw(st.sampled_from(NAMES))
    element = BY_NAME[name]
    octets = data.draw(st.binary(min_size=element.low, max_size=min(element.high, 24)))
    value = octets if element.codec is RAW else element.codec.decode(octets)
    fields = fields_of(name, value)
    assert fields is not None
    again = value_of(name, fields)
    if name in LAYOUTS and isinstance(value, bytes):
        # A last octet of spare bits alone that are all zero has no field to tell of it.
        assert value.startswith(again)
        assert not any(value[len(again) :])
    else:
        assert again == value


@pytest.mark.parametrize(
    ("name", "fields", "says"),
    [
        ("Priority", {"priority level": 16}, "Priority: priority level: 16 does not fit into 4"),
        ("Priority", {"colour": 1}, "Priority: there is no field 'colour'"),
        ("LSA Information", {"LSAs": [{"priority": 99}]}, "LSA Information: priority"),
        ("Location Type", {"rest": 5}, "Location Type: rest"),
        ("AoIP Transport Layer Address", {"address": "10.0.0", "port": 1}, "AoIP Transport Layer Address"),
        ("AoIP Transport Layer Address", {"port": 1}, "AoIP Transport Layer Address"),
        ("Speech Codec List", {"codecs": [SpeechCodec(3), SpeechCodec(0)]}, "configuration of FR_AMR"),
        ("Speech Codec List", {"codecs": [SpeechCodec(16)]}, "speech codec type 16"),
        ("Speech Codec List", {"codecs": [SpeechCodec(0, extended=1)]}, "with an extended type"),
        ("Cause", {"value": 1}, "Cause has no fields"),
    ],
)
def test_wrong_fields_are_named(name, fields, says):
    with pytest.raises(EncodeError, match=says):
        value_of(name, fields)


BEARERS = [
    ("a0", {"radio channel requirement": 1, "coding standard": 0, "transfer mode": 0,
            "information transfer capability": 0}),
    ("60 04 02 81", {"radio channel requirement": 3, "coding standard": 0, "transfer mode": 0,
                     "information transfer capability": 0,
                     "speech versions": [{"coding": 0, "CTM": 0, "speech version": 4},
                                         {"coding": 0, "CTM": 0, "speech version": 2},
                                         {"coding": 0, "CTM": 0, "speech version": 1}]}),
    ("a2 b8 81 21 15 63 80", {
        "radio channel requirement": 1, "coding standard": 0, "transfer mode": 0,
        "information transfer capability": 2, "compression": 0, "structure": 3, "duplex mode": 1,
        "configuration": 0, "NIRR": 0, "establishment": 0,
        "access identity": 0, "rate adaption": 0, "signalling access protocol": 1,
        "layer 1 identity": 1, "user information layer 1 protocol": 0, "asynchronous": 1,
        "stop bits": 0, "negotiation": 0, "data bits": 1, "user rate": 5,
        "intermediate rate": 3, "NIC on Tx": 0, "NIC on Rx": 0, "parity": 3,
        "connection element": 0, "modem type": 0}),
]  # fmt: skip


@pytest.mark.parametrize(("octets", "fields"), BEARERS)
def test_bearer_capabilities(octets, fields):
    value = BearerCapability(bytes.fromhex(octets))
    assert value.fields == fields
    assert bearer_capability(fields) == value


@given(st.binary(max_size=14))
def test_any_bearer_capability_is_read_and_written_again(octets):
    try:
        fields = pull_groups(BEARER_OCTETS, octets)
    except DecodeError:
        assert BearerCapability(octets).fields == {"octets": octets}
        return
    assert push_groups(BEARER_OCTETS, fields) == octets


def test_fields_are_shown():
    octets = bssmap.encode(
        message("ASSIGNMENT COMPLETE", {"Chosen Channel": value_of("Chosen Channel", {"channel mode": 9})})
    )
    assert view("bssmap", octets)["ies"] == {"Chosen Channel": {"channel mode": 9, "channel": 0}}


#: Our field -> Wireshark's; element, then field.
JUDGED = {
    ("Priority", "preemption capability"): "gsm_a.bssmap.pci",
    ("Priority", "priority level"): "gsm_a_bssmap.priority_level",
    ("Priority", "queuing allowed"): "gsm_a.bssmap.qa",
    ("Priority", "preemption vulnerability"): "gsm_a.bssmap.pvi",
    ("Chosen Channel", "channel mode"): "gsm_a.bssmap.cch_mode",
    ("Chosen Channel", "channel"): "gsm_a.bssmap.channel",
    ("Layer 3 Header Information", "TI flag"): "gsm_a_bssmap.ti_flag",
    ("Layer 3 Header Information", "TI"): "gsm_a_bssmap.tio",
    ("LSA Identifier List", "EP"): "gsm_a.bssmap.ep",
    ("LSA Information", "LSA only"): "gsm_a.bssmap.lsa_only",
    ("DLCI", "control channel"): "gsm_a.bssmap.dlci.cc",
    ("DLCI", "SAPI"): "gsm_a.bssmap.dlci.sapi",
    ("Extended Resource Indicator", "subsequent mode"): "gsm_a.bssmap.sm",
    ("Extended Resource Indicator", "total accessible requested"): "gsm_a.bssmap.tarr",
    ("Queuing Indicator", "queuing recommended"): "gsm_a_bssmap.qri",
    ("LSA access control suppression", "RIP"): "gsm_a.bssmap.rip",
    ("LSA access control suppression", "RTD"): "gsm_a.bssmap.rtd",
    ("Service Handover", "service handover"): "gsm_a.bssmap.serv_ho_inf",
    ("Paging Information", "paging cause"): "gsm_a.bssmap.paging_cause",
    ("Paging Information", "VGCS/VBS flag"): "gsm_a.bssmap.paging_inf_flg",
    ("VGCS Feature Flags", "talker channel parameter"): "gsm_a.bssmap.tcp",
    ("VGCS Feature Flags", "re-establishment by the BSS"): "gsm_a.bssmap.bss_res",
    ("VGCS Feature Flags", "talker priority indicator"): "gsm_a.bssmap.tpind",
    ("Send Sequence Number", "N(SD)"): "gsm_a.bssmap.send_seqn",
    ("Classmark Information Type 2", "revision level"): "gsm_a.MSC_rev",
    ("Classmark Information Type 2", "ES IND"): "gsm_a.ES_IND",
    ("Classmark Information Type 2", "no A5/1"): "gsm_a.A5_1_algorithm_sup",
    ("Classmark Information Type 2", "RF power capability"): "gsm_a.RF_power_capability",
    ("Classmark Information Type 2", "PS capability"): "gsm_a.ps_sup_cap",
    ("Classmark Information Type 2", "SS screening indicator"): "gsm_a.SS_screening_indicator",
    ("Classmark Information Type 2", "SM capability"): "gsm_a.SM_cap",
    ("Classmark Information Type 2", "VBS"): "gsm_a.VBS_notification_rec",
    ("Classmark Information Type 2", "VGCS"): "gsm_a.VGCS_notification_rec",
    ("Classmark Information Type 2", "FC"): "gsm_a.FC_frequency_cap",
    ("Classmark Information Type 2", "CM3"): "gsm_a.CM3",
    ("Classmark Information Type 2", "LCSVA CAP"): "gsm_a.LCS_VA_cap",
    ("Classmark Information Type 2", "UCS2"): "gsm_a.UCS2_treatment",
    ("Classmark Information Type 2", "SoLSA"): "gsm_a.SoLSA",
    ("Classmark Information Type 2", "CMSP"): "gsm_a.CMSP",
    ("Classmark Information Type 2", "A5/3"): "gsm_a.A5_3_algorithm_sup",
    ("Classmark Information Type 2", "A5/2"): "gsm_a.A5_2_algorithm_sup",
}
JUDGED_BEARER = {
    "radio channel requirement": "radio_channel_requirement", "coding standard": "cap_coding_standard",
    "transfer mode": "transfer_mode", "information transfer capability": "itc",
    "compression": "compression", "structure": "structure", "duplex mode": "duplex_mode",
    "establishment": "establishment", "access identity": "access_identity",
    "rate adaption": "rate_adaption", "signalling access protocol": "signalling_access_protocol",
    "other rate adaption": "other_rate_adaption", "rate adaption header": "rate_adaption_header",
    "multiple frame": "multiple_frame_establishment_support",
    "LLI negotiation": "logical_link_identifier_negotiation", "assignor": "assignor_assignee",
    "in-band negotiation": "in_out_band", "layer 1 identity": "layer_1_identity",
    "user information layer 1 protocol": "user_information_layer_1_protocol",
    "stop bits": "number_of_stop_bits", "negotiation": "negotiation", "data bits": "number_of_data_bits",
    "user rate": "user_rate", "intermediate rate": "v110_x30_rate_adaptation", "NIC on Tx": "nic_on_tx",
    "NIC on Rx": "nic_on_rx", "parity": "parity_information", "modem type": "modem_type",
    "other modem type": "other_modem_type", "fixed network user rate": "fixed_network_user_rate",
    "acceptable channel codings": "acceptable_channel_codings", "UIMI": "uimi",
    "wanted air interface user rate": "wanted_air_interface_user_rate",
    "asymmetry": "channel_coding_asymmetry_indication", "layer 2 identity": "layer_2_identity",
    "user information layer 2 protocol": "user_information_layer_2_protocol",
}  # fmt: skip


@pytest.fixture(scope="module")
def masks():
    """Wireshark's field -> the bits it has in its octet."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed")
    run = subprocess.run([program, "-G", "fields"], capture_output=True, text=True, timeout=120, check=True)
    rows = [line.split("\t") for line in run.stdout.splitlines() if line.startswith("F\t")]
    return {row[2]: int(row[6], 16) for row in rows if row[6].startswith("0x")}


def _mask(part, name):
    """Bits of a field in its part of a layout."""
    left = sum(bits for _, bits in part)
    for other, bits in part:
        left -= bits
        if other == name:
            return (1 << bits) - 1 << left
    raise KeyError(name)


@pytest.mark.parametrize(("element", "field"), JUDGED)
def test_bits_are_where_wireshark_has_them(masks, element, field):
    part = next(part for part in LAYOUTS[element].parts if field in dict(part))
    assert _mask(part, field) == masks[JUDGED[element, field]]


@pytest.mark.parametrize("field", JUDGED_BEARER)
def test_bits_of_bearer_capabilities_are_where_wireshark_has_them(masks, field):
    part = next(part for group in BEARER_OCTETS for part in group.octets if field in dict(part))
    assert _mask(part, field) == masks[f"gsm_a.dtap.{JUDGED_BEARER[field]}"]


def test_mm_information_is_shown_by_what_it_means():
    information = message(
        "MM INFORMATION",
        {
            "Full name for network": network_name("Kairos"),
            "Short name for network": network_name("凯", ucs2=True),
            "Local time zone": TimeZone(0x4A),
            "Universal time and local time zone": Timestamp.of(2026, 11, 23, 19, 30, 0, -14),
        },
    )
    ies = view("dtap", dtap.encode(dtap.Dtap(dtap.PD_MM, information)))["ies"]
    assert ies["Full name for network"]["text"] == "Kairos"
    assert ies["Short name for network"]["text"] == "凯"
    assert ies["Local time zone"]["quarters"] == -24
    assert ies["Universal time and local time zone"]["time"] == "2026-11-23T19:30:00-03:30"
