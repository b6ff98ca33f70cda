"""Wireshark's decoder judges what we write: names agree, nothing malformed, no expert complaint."""

from __future__ import annotations

import re

import pytest

from sim.bssap import bssap, bssmap, cc, dtap, mm, sms, ss, tpdu
from sim.bssap.bssmap_elements import ChannelType, CircuitIdentityCode, EncryptionInformation
from sim.bssap.cc_elements import BearerCapability, Cause, PartyNumber, Progress
from sim.bssap.cells import Cell, CellIdentifier, cgi, lac_list
from sim.bssap.elements import message
from sim.bssap.identity import Lai, MobileIdentity, imsi, tmsi
from sim.bssap.mm_elements import TimeZone, network_name
from sim.bssap.ss_components import Component, SsArgument, Ussd, encode_ss_argument, encode_ussd, ussd
from sim.bssap.user_data import Concatenation, concatenation_element, text_user_data

pytestmark = pytest.mark.tshark

JUDGEMENT = ("_ws.col.Info", "_ws.malformed", "_ws.expert.message", "gsm_sms.tp-mti")

#: Wireshark's spelling -> the specification's.
SPELLINGS = {"SAPI 'N' REJECT": 'SAPI "n" REJECT'}


def named(info, indicator):
    """The innermost name in an Info column, in the specification's capitals."""
    info = info.split("(GSM MAP)")[0]  # components of supplementary services
    last = re.split(r"\((?:BSSMAP|DTAP|MM|CC|RR|SMS|SS|RP)\) ", info.strip())[-1]
    last = re.sub(r"\((MS to Network|Network to MS)\)", "", last).strip().upper()
    if indicator and last == "RP-DATA":
        return {"0": "SMS-DELIVER", "1": "SMS-SUBMIT"}[indicator]
    return SPELLINGS.get(last, last)


def test_every_step_of_every_ladder(tshark, variants):
    steps = list({step.payload: step for _, _, steps in variants for step in steps}.values())
    # In the order of the dialogues, so that Wireshark follows the connections.
    rows = tshark([step.payload for step in steps], "sccp", JUDGEMENT)
    wrong = [
        (step.name, row, step.payload.hex())
        for step, row in zip(steps, rows, strict=True)
        if any(row[1:3]) or named(row[0], row[3]) != step.name
    ]
    assert not wrong


CGI = cgi("001", "01", 0x1001, 0x65)
CIC = CircuitIdentityCode(0x21)
CAUSE = {"Cause": 0x01}

#: One of each BSSMAP message that is fully coded, with all kinds of elements among them.
BSSMAP_SAMPLES = [
    message("ASSIGNMENT REQUEST", {
        "Channel Type": ChannelType(1, 0x0B, b"\xa1\x25"), "Layer 3 Header Information": b"\x06\x03",
        "Priority": 0x14, "Circuit Identity Code": CIC, "Downlink DTX Flag": 1,
        "Interference Band To Be Used": 0x1F, "Classmark Information Type 2": b"\x33\x18\x81",
        "Group Call Reference": b"\x00\x00\x00\x10\x08", "Talker Flag": None,
    }),
    message("ASSIGNMENT COMPLETE", {
        "RR Cause": 0, "Circuit Identity Code": CIC,
        "Cell Identifier": CellIdentifier(1, (Cell(lac=1, ci=2),)),
        "Chosen Channel": 0x98, "Chosen Encryption Algorithm": 2, "Circuit Pool": 1, "Speech Version": 0x21,
    }),
    message("ASSIGNMENT FAILURE", {
        **CAUSE, "RR Cause": 1, "Circuit Pool": 1, "Circuit Pool List": b"\x01\x02",
    }),
    message("HANDOVER REQUEST", [
        ("Channel Type", ChannelType(1, 0x0B, b"\xa1\x25")),
        ("Encryption Information", EncryptionInformation(3, bytes(8))),
        ("Classmark Information Type 2", b"\x33\x18\x81"), ("Cell Identifier", CGI), ("Priority", 0x14),
        ("Circuit Identity Code", CIC), ("Downlink DTX Flag", 1), ("Cell Identifier", CGI),
        ("Interference Band To Be Used", 0x1F), ("Cause", 0x0C),
        ("Classmark Information Type 3", b"\x60\x14\x00"),
        ("Current Channel Type 1", 0x18), ("Speech Version", 0x21), ("Chosen Encryption Algorithm", 2),
    ]),
    message("HANDOVER REQUIRED", {
        **CAUSE, "Response Request": None, "Cell Identifier List": CGI, "Circuit Pool List": b"\x01",
        "Current Channel Type 1": 0x18, "Speech Version": 0x21, "Queuing Indicator": 2,
    }),
    message("HANDOVER REQUEST ACKNOWLEDGE", {
        "Layer 3 Information": bytes.fromhex("062b2d4b0aa04b5c056301"), "Chosen Channel": 0x98,
        "Chosen Encryption Algorithm": 2, "Circuit Pool": 1, "Speech Version": 0x21,
    }),
    message("HANDOVER COMMAND", {
        "Layer 3 Information": bytes.fromhex("062b2d4b0aa04b5c056301"), "Cell Identifier": CGI,
    }),
    message("HANDOVER DETECT"),
    message("HANDOVER COMPLETE", {"RR Cause": 0}),
    message("HANDOVER SUCCEEDED"),
    message("HANDOVER FAILURE", {**CAUSE, "RR Cause": 4}),
    message("HANDOVER PERFORMED", {
        "Cause": 2, "Cell Identifier": CGI, "Chosen Channel": 0x98, "Chosen Encryption Algorithm": 2,
        "Speech Version": 0x21,
    }),
    message("HANDOVER CANDIDATE ENQUIRE", {
        "Number Of MSs": 3, "Cell Identifier List": lac_list((1, 2)), "Cell Identifier": CGI,
    }),
    message("HANDOVER CANDIDATE RESPONSE", {"Number Of MSs": 3, "Cell Identifier": CGI}),
    message("HANDOVER REQUIRED REJECT", CAUSE),
    message("CLEAR COMMAND", {"Cause": 9, "CSFB Indication": None}),
    message("CLEAR COMPLETE"),
    message("CLEAR REQUEST", CAUSE),
    message('SAPI "n" REJECT', {"DLCI": 3, "Cause": 0x25}),
    message("CONFUSION", {"Cause": 0x51, "Diagnostic": b"\x01\x00\x20"}),
    message("LSA INFORMATION", {"LSA Information": b"\x01\x05\x00\x12\x34"}),
    message("COMMON ID", {"IMSI": "001010000000001"}),
    message("RESET", CAUSE),
    message("RESET ACKNOWLEDGE"),
    message("OVERLOAD", {**CAUSE, "Cell Identifier": CGI}),
    message("RESET CIRCUIT", {"Circuit Identity Code": CIC, **CAUSE}),
    message("RESET CIRCUIT ACKNOWLEDGE", {"Circuit Identity Code": CIC}),
    message("MSC INVOKE TRACE", {
        "Trace Type": 1, "TriggerID": b"\x01\x02", "Trace Reference": 0x0102,
        "Mobile Identity": imsi("001010000000001"), "OMCID": b"\x01\x02",
    }),
    message("BLOCK", {"Circuit Identity Code": CIC, **CAUSE, "Connection Release Requested": None}),
    message("BLOCKING ACKNOWLEDGE", {"Circuit Identity Code": CIC}),
    message("UNBLOCK", {"Circuit Identity Code": CIC}),
    message("UNBLOCKING ACKNOWLEDGE", {"Circuit Identity Code": CIC}),
    message("CIRCUIT GROUP BLOCK", {
        "Cause": 1, "Circuit Identity Code": CIC, "Circuit Identity Code List": b"\x02\x03",
    }),
    message("UNEQUIPPED CIRCUIT", {"Circuit Identity Code": CIC, "Circuit Identity Code List": b"\x02\x03"}),
    message("LOAD INDICATION", {
        "Time Indication": 5, "Cell Identifier": CGI, "Cell Identifier List": lac_list((1,)), "Cause": 0x20,
    }),
    message("PAGING", {
        "IMSI": "001010000000001", "TMSI": 0x12345678, "Cell Identifier List": lac_list((1, 2)),
        "Channel Needed": 2, "eMLPP Priority": 3,
    }),
    message("CIPHER MODE COMMAND", {
        "Layer 3 Header Information": b"\x06\x03",
        "Encryption Information": EncryptionInformation(3, bytes(8)), "Cipher Response Mode": 1,
    }),
    message("CIPHER MODE COMPLETE", {
        "Layer 3 Message Contents": bytes.fromhex("0632"), "Chosen Encryption Algorithm": 2,
    }),
    message("CIPHER MODE REJECT", CAUSE),
    message("CLASSMARK REQUEST"),
    message("CLASSMARK UPDATE", {
        "Classmark Information Type 2": b"\x33\x18\x81", "Classmark Information Type 3": b"\x60\x14\x00",
    }),
    message("QUEUING INDICATION"),
    message("COMPLETE LAYER 3 INFORMATION", {
        "Cell Identifier": CGI, "Layer 3 Information": bytes.fromhex("05013005f40980ad8a"),
        "Chosen Channel": 1,
    }),
    message("PERFORM LOCATION ABORT", {"LCS Cause": b"\x00"}),
]  # fmt: skip


#: tshark 4.0 says of itself that it has no dissector for an element of these.
NO_DISSECTOR = ("LOAD INDICATION",)


def test_bssmap_samples(tshark):
    data = [bssap.encode(bssap.Bssap(bssap.BSSMAP, bssmap.encode(sample))) for sample in BSSMAP_SAMPLES]
    wrong = []
    for sample, octets, row in zip(BSSMAP_SAMPLES, data, tshark(data, "bssap", JUDGEMENT), strict=True):
        first = re.match(r"\(BSSMAP\) ([^(]*)", row[0])
        name = first.group(1).strip().upper()
        expert = "" if sample.name in NO_DISSECTOR else row[2]
        if row[1] or expert or SPELLINGS.get(name, name) != sample.name:
            wrong.append((sample.name, row, octets.hex()))
    assert not wrong


def test_cell_identifier_discriminators(tshark):
    cells = {
        0: Cell("460", "00", 0x1234, 0x5678), 1: Cell(lac=0x1234, ci=0x5678), 2: Cell(ci=0x5678), 3: None,
        4: Cell("460", "00", 0x1234), 5: Cell(lac=0x1234), 6: None,
    }  # fmt: skip
    data = []
    for discriminator, cell in cells.items():
        value = CellIdentifier(discriminator, (cell,) if cell else ())
        paging = message("PAGING", {"IMSI": "460001234567890", "Cell Identifier List": value})
        data.append(bssap.encode(bssap.Bssap(bssap.BSSMAP, bssmap.encode(paging))))
    fields = ("_ws.malformed", "_ws.expert.message", "gsm_a.bssmap.cell_lac", "gsm_a.bssmap.cell_ci")
    assert tshark(data, "bssap", fields) == [
        ["", "", "0x1234" if cell and cell.lac else "", "0x5678" if cell and cell.ci else ""]
        for cell in cells.values()
    ]


#: Values for elements by name, where a run of zeros would not do.
VALUES = {
    "Location area identification": Lai("001", "01", 1), "Mobile identity": tmsi(1), "Cause": Cause(16),
    "Progress indicator": Progress(8), "Bearer capability": BearerCapability(bytes.fromhex("600402000581")),
    "Calling party BCD number": PartyNumber("8613900012345", 1, indicators=1),
    "Called party BCD number": PartyNumber("*#10abc0", 0), "Connected number": PartyNumber("10086", 0),
    "Redirecting party BCD number": PartyNumber("8613900012345", 1, indicators=1),
    "Facility": (Component("invoke", 1, 124),),
    "Facility (recall alignment, essential)": (Component("invoke", 1, 124),),
    "Facility (recall alignment, not essential)": (Component("invoke", 1, 124),),
    "Equivalent PLMNs": bytes.fromhex("00f110"), "Emergency Number List": bytes.fromhex("031f11f2"),
    "Full name for network": network_name("Kairos"),
    "Short name for network": network_name("中国", ucs2=True),
    "Local time zone": TimeZone(0x23),
    "Universal time and local time zone": tpdu.Timestamp.of(2007, 11, 5, 12, 0, 0, 32),
    "Call Control Capabilities": b"\x01\x00", "Supported Codecs": bytes.fromhex("04026000"),
    "User-user": b"\x04abc", "Backup bearer capability": bytes.fromhex("a0"), "SS Version Indicator": b"\x00",
    "SS version": b"\x00", "Low layer compatibility": bytes.fromhex("8090a3"),
    "High layer compatibility": bytes.fromhex("9181"), "Keypad facility": ord("5"),
    "Mobile station classmark 2": b"\x33\x18\x81", "Mobile station classmark for UMTS": b"\x33\x18\x81",
    "Called party subaddress": b"\x80\x50\x31", "Calling party subaddress": b"\x80\x50\x31",
    "Connected subaddress": b"\x80\x50\x31", "Redirecting party subaddress": b"\x80\x50\x31",
    "CP-User data": bytes.fromhex("0302"), "Identity type": 1, "CM service type": 1, "Setup container": b"",
    "LSA Identity": b"\x12\x34\x56", "PD and SAPI": 0x03, "Signal": 1, "Call state": 10,
}  # fmt: skip


def sample_of(kind):
    elements = []
    for element in (*kind.mandatory, *kind.optional):
        if element.form == "T":
            value = None
        elif element.name in VALUES:
            value = VALUES[element.name]
        else:
            value = element.codec.decode(bytes([1] * max(element.low, 1)))
        elements.append((element.name, value))
    return message(kind.name, elements)


DTAP_KINDS = [(pd, kind) for pd, table in (
    (dtap.PD_MM, mm.MESSAGES), (dtap.PD_CC, cc.MESSAGES), (dtap.PD_SMS, sms.MESSAGES),
    (dtap.PD_SS, ss.MESSAGES),
) for kind in table]  # fmt: skip


@pytest.mark.parametrize("whole", [True, False], ids=["every element", "imperative part"])
def test_every_dtap_message(tshark, whole):
    samples = []
    for pd, kind in DTAP_KINDS:
        sample = sample_of(kind)
        if not whole:
            wanted = {element.name for element in kind.mandatory} | set(kind.required)
            sample = message(kind.name, [pair for pair in sample.elements if pair[0] in wanted])
        samples.append(dtap.Dtap(pd, sample))
    rows = tshark([dtap.encode(sample) for sample in samples], "gsm_a_dtap", JUDGEMENT)
    wrong = []
    for sample, row in zip(samples, rows, strict=True):
        name = re.sub(r"^(\((DTAP|MM|CC|SMS|SS)\) )*", "", row[0]).split(" (")[0].strip().upper()
        if any(row[1:3]) or name != sample.name or dtap.decode(dtap.encode(sample)) != sample:
            wrong.append((sample.name, row, dtap.encode(sample).hex()))
    assert not wrong


TEXTS = [
    ("Hello", 0), ("¿Qué? {[~]} €", 0), ("@£$¥", 0), ("x" * 160, 0), ("seven c", 0), ("eight ch", 0),
    ("Hello", 8), ("您好，欢迎使用", 8), ("an emoji 😀", 8), ("字" * 70, 8),
]  # fmt: skip


def test_texts(tshark):
    data = []
    for text, dcs in TEXTS:
        submit = tpdu.Submit(tpdu.TpAddress("8613900012345"), text_user_data(text, dcs), validity=0xAA)
        rp = message("RP-DATA", {
            "RP-Originator Address": None, "RP-Destination Address": PartyNumber("8613800100500", 1),
            "RP-User data": tpdu.encode(submit),
        })  # fmt: skip
        data.append(sms.encode_rp(sms.Rp(rp, 7, from_network=False)))
    fields = ("_ws.malformed", "_ws.expert.message", "gsm_sms.sms_text", "gsm_sms.tp-da")
    assert tshark(data, "gsm_a_rp", fields) == [["", "", text, "8613900012345"] for text, _ in TEXTS]


def test_concatenated_parts_and_alphanumeric_originator(tshark):
    parts = ["part one, ", "part two"]
    data = []
    for index, part in enumerate(parts, 1):
        header = (concatenation_element(Concatenation(0x5A, len(parts), index)),)
        deliver = tpdu.Deliver(
            tpdu.TpAddress("", tpdu.ALPHANUMERIC, 0, "Kairos"),
            tpdu.Timestamp.of(2007, 11, 5, 12, 0, 0, 32),
            text_user_data(part, 0, header),
        )
        rp = message("RP-DATA", {
            "RP-Originator Address": PartyNumber("8613800100500", 1), "RP-Destination Address": None,
            "RP-User data": tpdu.encode(deliver),
        })  # fmt: skip
        data.append(sms.encode_rp(sms.Rp(rp, index, from_network=True)))
    fields = ("_ws.malformed", "_ws.expert.message", "gsm_sms.udh.mm.msg_parts", "gsm_sms.udh.mm.msg_part",
              "gsm_sms.tp-oa", "gsm_sms.scts.hour")  # fmt: skip
    rows = tshark(data, "gsm_a_rp", fields)
    assert rows == [["", "", "2", "1", "Kairos", "12"], ["", "", "2", "2", "Kairos", "12"]]


SS_SAMPLES = [
    ("invoke processUnstructuredSS-Request", Component("invoke", 1, 59, encode_ussd(ussd("*100#")))),
    ("returnResultLast processUnstructuredSS-Request",
     Component("returnResult", 1, 59, encode_ussd(ussd("Balance: 10.50")))),
    ("invoke unstructuredSS-Notify",
     Component("invoke", -1, 61, encode_ussd(Ussd("您好".encode("utf-16-be"), 0x48)))),
    ("invoke registerSS", Component("invoke", 2, 10, encode_ss_argument(
        SsArgument(0x21, teleservice=0x11, forwarded_to=PartyNumber("8613900012345", 1))))),
    ("invoke eraseSS", Component("invoke", 3, 11, encode_ss_argument(SsArgument(0x21)))),
    ("returnError", Component("returnError", 3, 17)),
]  # fmt: skip


def test_supplementary_services(tshark):
    data = [
        dtap.encode(
            dtap.Dtap(dtap.PD_SS, message("REGISTER", {"Facility": (component,), "SS version": b"\x00"}))
        )
        for _, component in SS_SAMPLES
    ]
    for (expected, _), row in zip(SS_SAMPLES, tshark(data, "gsm_a_dtap", JUDGEMENT), strict=True):
        assert not row[1]
        assert expected in row[0]


def test_identities_and_imei(tshark):
    kinds = [imsi("001010000000001"), imsi("00101000000001"), MobileIdentity("IMEI", "490154203237518"),
             MobileIdentity("IMEISV", "4901542032375180"), tmsi(0xDEADBEEF)]  # fmt: skip
    data = [
        dtap.encode(dtap.Dtap(dtap.PD_MM, message("IDENTITY RESPONSE", {"Mobile identity": kind})))
        for kind in kinds
    ]
    fields = ("_ws.malformed", "_ws.expert.message", "e212.imsi", "gsm_a.imei", "gsm_a.imeisv", "3gpp.tmsi")
    rows = tshark(data, "gsm_a_dtap", fields)
    assert all(not row[0] and not row[1] for row in rows)
    assert [row[2] or row[3] or row[4] or f"{int(row[5]):08x}" for row in rows] == [
        "001010000000001", "00101000000001", "490154203237518", "4901542032375180", "deadbeef",
    ]  # fmt: skip


def test_network_name_and_zone(tshark):
    names = ["Kairos", "GSM7 ch", "Radio Ka"]
    data = [
        dtap.encode(
            dtap.Dtap(dtap.PD_MM, message("MM INFORMATION", {"Full name for network": network_name(name)}))
        )
        for name in names
    ]
    fields = ("_ws.malformed", "_ws.expert.message", "gsm_a.dtap.text_string")
    assert tshark(data, "gsm_a_dtap", fields) == [["", "", name] for name in names]
