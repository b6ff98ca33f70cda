"""Messages from the field: what other projects' tests and captures contain decodes, and agrees."""

from __future__ import annotations

import pytest

from sim.bssap import DecodeError, bssap, bssmap, dtap, sccp, sms, tpdu, view

pytestmark = pytest.mark.vectors

CODECS = {
    "sccp": (sccp.decode, sccp.encode),
    "bssap": (bssap.decode, bssap.encode),
    "bssmap": (bssmap.decode, bssmap.encode),
    "dtap": (dtap.decode, dtap.encode),
    "rpdata": (sms.decode_rp, sms.encode_rp),
    "tpdu": (tpdu.decode, tpdu.encode),
}

#: Vectors that decode and are not written the way we write them.
NOT_CANONICAL = {
    105: "TMSI with the odd indicator set: TS 24.008 10.5.1.4 wants 0",
    112: "TMSI with the odd indicator set",
    128: "TMSI with the odd indicator set",
    116: "TMSI with zeros in bits 8-5: TS 24.008 10.5.1.4 wants 1111",
    123: "IMSI of 15 digits with the indicator of an even number: TS 24.008 10.5.1.4",
    121: "IMEISV of 15 digits with the indicator of an odd number",
    138: "pointer to an empty optional part: Q.713 2.3 wants a null pointer",
    148: "pointer to an empty optional part",
    149: "pointer to an empty optional part",
    153: "pointer to an empty optional part",
    154: "pointer to an empty optional part",
}


def hexadecimal(text):
    return int(text, 16)


def octets_reversed(text):
    """Wireshark shows local references in the other octet order."""
    return bytes.fromhex(text[2:].rjust(6, "0"))[::-1].hex()


#: tshark's field -> (our key, how to read the expectation, layers in which it is about our key).
ALL = tuple(CODECS)
A_INTERFACE = ("bssap", "bssmap", "dtap")
FIELDS = {
    "sccp.slr": ("slr", octets_reversed, ALL),
    "sccp.dlr": ("dlr", octets_reversed, ALL),
    "sccp.class": ("class", hexadecimal, ALL),
    "sccp.release_cause": ("sccp_cause", hexadecimal, ALL),
    "sccp.called.ssn": ("called_ssn", int, ALL),
    "sccp.calling.ssn": ("calling_ssn", int, ALL),
    "sccp.called.digits": ("called_gt", str, ALL),
    "sccp.calling.digits": ("calling_gt", str, ALL),
    "bssap.dlci.sapi": ("dlci", hexadecimal, ("bssap",)),
    "gsm_a.bssmap.cell_lac": ("lac", hexadecimal, ALL),
    "gsm_a.bssmap.cell_ci": ("ci", hexadecimal, ALL),
    "gsm_a.bssmap.cause": ("cause", hexadecimal, ALL),
    "gsm_a.dtap.cause": ("cause", hexadecimal, ALL),
    "gsm_a.L3_protocol_discriminator": ("pd", hexadecimal, A_INTERFACE),
    "gsm_a.dtap.tio": ("ti", int, A_INTERFACE),
    "gsm_a.dtap.ti_flag": ("ti_flag", int, A_INTERFACE),
    "gsm_a.dtap.seq_no": ("sequence", int, A_INTERFACE),
    "gsm_a.imei": ("imei", str, ALL),
    "gsm_a.imeisv": ("imeisv", str, ALL),
    "e212.imsi": ("imsi", str, (*A_INTERFACE, "rpdata")),
    "3gpp.tmsi": ("tmsi", lambda text: f"{int(text):08x}", A_INTERFACE),
    "gsm_a.dtap.clg_party_bcd_num": ("calling", str, ALL),
    "gsm_a.rp.rp_message_reference": ("rp_reference", hexadecimal, ("rpdata", *A_INTERFACE, "sccp")),
    "gsm_sms.tp-da": ("called", str, ALL),
    "gsm_sms.tp-oa": ("calling", str, ALL),
    "gsm_sms.tp-ra": ("called", str, ALL),
    "gsm_sms.sms_text": ("text", str, ALL),
    "gsm_map.ussd_string": ("ussd", str, ALL),
}
#: Only where tshark's field is about our key.
CONDITIONAL = {
    # tshark fills it from the service centre address too.
    "gsm_a.dtap.cld_party_bcd_num": ("called", str,
                                          lambda row, shown: "rp" not in shown and "tp" not in shown),
    # Of the LAI in a DTAP message, when no cell identifier came first.
    "gsm_a.lac": ("lac", hexadecimal, lambda row, shown: "gsm_a.bssmap.cell_lac" not in row["expected"]
                  and "bssmap" not in shown and "dtap" in shown),
    # TS 24.080; tshark's other uses of the field are TCAP in SCCP.
    "gsm_old.localValue": ("opcode", int,
                           lambda row, shown: shown.get("component") in ("invoke", "returnResult")),
    "gsm_old.invokeID": ("invoke_id", int, lambda row, shown: "component" in shown),
}  # fmt: skip

#: tshark's type field -> what names the type in our tables.
TYPES = {
    "sccp.message_type": lambda shown: sccp.BY_SHORT[shown["sccp"]].code,
    "gsm_a.bssmap.msgtype": lambda shown: bssmap.BY_TYPE_NAME[shown["bssmap"]].code,
    "gsm_a.dtap.msg_mm_type": lambda shown: _dtap_code(dtap.PD_MM, shown),
    "gsm_a.dtap.msg_cc_type": lambda shown: _dtap_code(dtap.PD_CC, shown),
    "gsm_a.dtap.msg_rr_type": lambda shown: _dtap_code(dtap.PD_RR, shown),
    "gsm_a.dtap.msg_sms_type": lambda shown: _dtap_code(dtap.PD_SMS, shown),
    "gsm_a.dtap.msg_ss_type": lambda shown: _dtap_code(dtap.PD_SS, shown),
}


def _dtap_code(pd, shown):
    return next(kind.code for kind in dtap.BY_PD[pd].messages if kind.name == shown["dtap"])


def disagreements(row, shown):
    found = []
    for field, value in row["expected"].items():
        expected = value if isinstance(value, list) else [value]
        if field in TYPES:
            if field == "gsm_a.bssmap.msgtype" or row["layer"] in ("sccp", *A_INTERFACE):
                if field != "sccp.message_type" and "dtap" not in shown and "bssmap" not in shown:
                    continue
                if TYPES[field](shown) not in [int(one, 16) for one in expected]:
                    found.append((field, expected, shown))
            continue
        if field in FIELDS:
            key, read, layers = FIELDS[field]
            applies = row["layer"] in layers
        elif field in CONDITIONAL:
            key, read, condition = CONDITIONAL[field]
            applies = condition(row, shown)
        else:
            continue
        if applies and shown.get(key) not in [read(one) for one in expected]:
            found.append((field, expected, shown.get(key)))
    return found


def test_every_decodable_vector_decodes_and_agrees(vectors):
    wrong = []
    for row in vectors:
        if row["expect"] != "decode":
            continue
        try:
            shown = view(row["layer"], bytes.fromhex(row["hex"]))
        except DecodeError as error:
            wrong.append((row["id"], str(error)))
            continue
        wrong += [(row["id"], *disagreement) for disagreement in disagreements(row, shown)]
    assert not wrong


def test_every_malformed_vector_is_refused(vectors):
    accepted = []
    for row in vectors:
        if row["expect"] == "malformed":
            try:
                view(row["layer"], bytes.fromhex(row["hex"]))
            except DecodeError:
                continue
            accepted.append(row["id"])
    assert not accepted


def test_disputed_vectors_are_refused_with_a_reason(vectors):
    """The RR cause is one octet without a length (TS 48.008 3.2.2.22): what follows 15 01 is no element."""
    for row in vectors:
        if row["expect"] == "disputed":
            with pytest.raises(DecodeError, match=r"HANDOVER (COMPLETE|FAILURE)"):
                view(row["layer"], bytes.fromhex(row["hex"]))


def test_canonical_vectors_are_written_back(vectors):
    changed = []
    for row in vectors:
        data = bytes.fromhex(row["hex"])
        decode, encode = CODECS[row["layer"]]
        if row["expect"] == "decode" and encode(decode(data)) != data and row["id"] not in NOT_CANONICAL:
            changed.append((row["id"], row["hex"], encode(decode(data)).hex()))
    assert not changed
