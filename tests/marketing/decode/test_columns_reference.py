"""The fast decoder against the readable one: the same columns, the same refusals.

`expected` reads a message with `sim.bssap` and `sigtran.m3ua` alone and says what the columns must hold. On
damaged messages the fast decoder may be more lenient where the readable one looks deeper; those places are
listed in `DEEPER`, and it may never be stricter.
"""

import random
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketing.decode import decode_batch
from sigtran import m3ua
from sim.bssap import DecodeError, bssap, bssmap, dtap, sccp, sms, ss_components, tpdu
from sim.bssap.cells import CellIdentifier
from sim.bssap.identity import Lai, MobileIdentity

COLUMNS = (
    *("opc", "dpc", "corr", "sls", "sccp", "slr", "dlr", "bssmap", "bssmap_cause", "lac", "ci", "list_cells"),
    *("tmsi", "imsi", "imsi_digits", "imei", "imei_digits", "lai_lac", "pd", "ti", "dtap", "cause"),
    *("service", "called", "calling", "cp", "rp", "rp_reference", "tp"),
    *("component", "operation", "ss_code", "invoke_id"),
)
KINDS = ("invoke", "returnResult", "returnError", "reject")

# What only the readable decoder looks at, as its error messages begin or contain it.
DEEPER = (
    "party address",  # SCCP addresses are passed over
    "global title",
    "title",
    "semi-octets",
    "(credit|hop_counter|importance|protocol_class|calling|called|address|segmentation): ",
    r"octet\(?s?\)? \d+ is missing",  # inside an element that is passed over
    r"\d+ octets wanted at",
    "wanted",  # the length of an element that is passed over
    "is missing",  # a mandatory element that no column needs
    "reserved",
    "too many",
    "user data",
    "end mark before the end",  # in RP addresses and connected numbers
    "digits",
    "component",
    "BER",
    "tag",
    "Facility",
    "behind",
    "32-bit integers",  # a parameter of M3UA that no column needs
    "long",
    "empty",
    "header",
    "discriminator 7",
)


def party(number: Any) -> str:
    return "" if number is None else number.digits[:20]


def add_identity(out: dict[str, Any], value: Any) -> None:
    if not isinstance(value, MobileIdentity):
        return
    if value.kind == "TMSI":
        out["tmsi"] = value.tmsi
    elif value.kind == "IMSI":
        out["imsi"], out["imsi_digits"] = int(value.digits), len(value.digits)
    elif value.kind in ("IMEI", "IMEISV"):
        out["imei"], out["imei_digits"] = int(value.digits), len(value.digits)


def add_relay(out: dict[str, Any], octets: bytes) -> None:
    rp = sms.decode_rp(octets)
    out["rp"], out["rp_reference"] = (octets[0] & 7) + 1, rp.reference
    if rp.message.name == "RP-ERROR":
        out["cause"] = rp.message["RP-Cause"].value
    if rp.message.name != "RP-DATA":
        return
    value = tpdu.decode(rp.message["RP-User data"], from_network=rp.from_network)
    match value:
        case tpdu.Submit():
            out["tp"], address, column = 1, value.destination, "called"
        case tpdu.Command():
            out["tp"], address, column = 2, value.destination, "called"
        case tpdu.Deliver():
            out["tp"], address, column = 3, value.originator, "calling"
        case tpdu.StatusReport():
            out["tp"], address, column = 4, value.recipient, "called"
        case _:
            raise DecodeError("a report in an RP-DATA")
    if address.text is None:
        out[column] = address.digits


def add_component(out: dict[str, Any], value: ss_components.Component) -> None:
    out["component"] = KINDS.index(value.kind) + 1
    out["invoke_id"] = (value.invoke_id or 0) & 0xFF
    code = value.code if value.code is not None and 0 <= value.code < 256 else 0
    out["operation"] = code
    try:
        if code in ss_components.USSD_OPERATIONS and value.kind in KINDS[:2]:
            text = ss_components.decode_ussd(value.parameter).text
            out["called"] = text[:20] if re.fullmatch("[0-9*#]+", text) else ""
        elif code in (10, 11, 12, 13, 14, 15, 17) and value.kind == "invoke":
            argument = ss_components.decode_ss_argument(value.parameter)
            out["ss_code"] = argument.ss_code
            if code == 10 and argument.forwarded_to is not None:
                out["called"] = party(argument.forwarded_to)
    except (DecodeError, UnicodeError):
        return  # arguments out of shape are left out


def add_layer3(out: dict[str, Any], octets: bytes) -> None:
    value = dtap.decode(octets)
    code = octets[2 if value.pd in (3, 9, 11) and octets[0] & 0x70 == 0x70 else 1]
    out["pd"], out["ti"] = value.pd, octets[0] >> 4
    out["dtap"] = code & 0x3F if value.pd in (3, 5, 11) else code
    if value.pd == 9:
        out["cp"] = code
    for name, element in value.message.elements:
        if value.pd in (5, 6):
            if name != "Mobile Equipment Identity" or value.name == "CIPHERING MODE COMPLETE":
                add_identity(out, element)
            if isinstance(element, Lai) and value.name != "CM RE-ESTABLISHMENT REQUEST":
                out["lai_lac"] = element.lac
            if name in ("Location updating type", "CM service type"):
                out["service"] = element
            if name == "Reject cause":
                out["cause"] = element
        elif value.pd == 3:
            if name == "Cause":
                out.setdefault("cause", element.value)
            if value.name == "SETUP" and name == "Called party BCD number":
                out["called"] = party(element)
            if value.name == "SETUP" and name == "Calling party BCD number":
                out["calling"] = party(element)
        elif value.pd == 9:
            if name == "CP-Cause":
                out["cause"] = element
            if name == "CP-User data":
                add_relay(out, element)
        elif name == "Facility" and element:
            add_component(out, element[0])


def add_bssmap(out: dict[str, Any], octets: bytes) -> None:
    value = bssmap.decode(octets)
    out["bssmap"] = octets[0]
    for name, element in value.elements:
        if name == "Cell Identifier":
            assert isinstance(element, CellIdentifier)
            out["lac"], out["ci"] = element.cell.lac or 0, element.cell.ci or 0
        elif name == "IMSI":
            out["imsi"], out["imsi_digits"] = int(element), len(element)
        elif name == "TMSI":
            out["tmsi"] = element
        elif name == "Cause":
            out["bssmap_cause"] = element & 0xFF
        elif name == "Cell Identifier List":
            out["list_cells"] = len(element.cells)
        elif name == "Layer 3 Information" and value.name == "COMPLETE LAYER 3 INFORMATION":
            add_layer3(out, element)
        elif name == "Layer 3 Message Contents" and value.name == "CIPHER MODE COMPLETE":
            inside: dict[str, Any] = {}
            try:
                add_layer3(inside, element)
            except DecodeError:
                continue
            if inside["pd"] == 6:
                out.update({k: v for k, v in inside.items() if k.startswith("imei")})


def expected(octets: bytes) -> dict[str, Any] | str:
    """The columns, or why the readable decoder refuses."""
    out: dict[str, Any] = dict.fromkeys(COLUMNS, 0) | {"called": "", "calling": ""}
    try:
        data = m3ua.DataMessage.from_message(m3ua.decode(octets))
        out |= {"opc": data.opc, "dpc": data.dpc, "sls": data.sls, "corr": data.correlation_id or 0}
        value = sccp.decode(data.payload)
        out |= {"sccp": data.payload[0], "slr": value.source or 0, "dlr": value.destination or 0}
        out.pop("cause")
        more = value.more or (value.type == "DT2" and value.sequencing is not None and value.sequencing & 1)
        if value.data is not None and not more and value.type != "ED":
            split = value.segmentation
            if split is None or (split.first and not split.remaining):
                user = bssap.decode(value.data)
                (add_layer3 if user.discrimination == bssap.DTAP else add_bssmap)(out, user.payload)
        out.setdefault("cause", 0)
    except (DecodeError, m3ua.DecodeError) as error:
        return str(error)
    return out


def columns(row: np.void) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in COLUMNS:
        if name in ("called", "calling"):
            alphanumeric = row["pd"] == 9 and int(row[f"{name}_type"]) & 0x70 == 0x50
            digits = min(int(row[f"{name}_digits"]), 20)
            nibbles = [n for octet in row[name].tobytes() for n in (octet & 15, octet >> 4)]
            out[name] = "" if alphanumeric else "".join("0123456789*#abc"[n] for n in nibbles[:digits])
        else:
            out[name] = int(row[name])
    return out


def decoded(wire: Any, messages: list[bytes]) -> np.ndarray:
    return decode_batch(*wire.pack(messages))


def compare(wire: Any, messages: list[bytes]) -> tuple[int, int, dict[str, int]]:
    """Assert agreement; gives accepted, refused and the deeper refusals by reason."""
    accepted = refused = 0
    deeper: dict[str, int] = {}
    for octets, row in zip(messages, decoded(wire, messages), strict=True):
        want = expected(octets)
        if row["error"]:
            assert isinstance(want, str), f"refused alone, error {row['error']}: {octets.hex()}"
            refused += 1
        elif isinstance(want, str):
            deeper[want] = deeper.get(want, 0) + 1
        else:
            accepted += 1
            if not (row["sccp"] > 0x11 and not row["user_length"]):
                assert columns(row) == want, octets.hex()
    return accepted, refused, deeper


def messages_of(wire: Any, seed: int, n: int) -> list[bytes]:
    """Messages of all procedures with varied numbers and identities."""
    rng = random.Random(seed)
    kinds = wire.variants()
    out: list[bytes] = []
    while len(out) < n:
        kind, options = rng.choice(kinds)
        digits = "".join(rng.choice("0123456789") for _ in range(rng.randrange(3, 16)))
        values = {
            "imsi": f"00101{rng.randrange(10**10):010d}",
            "tmsi": rng.randrange(1 << 32),
            "new_tmsi": rng.randrange(1 << 32),
            "imei": f"{rng.randrange(10**15):015d}",
            "lac": rng.randrange(1 << 16),
            "ci": rng.randrange(1 << 16),
            "old_lac": rng.randrange(1 << 16),
            "bss_ref": rng.randrange(1 << 24),
            "msc_ref": rng.randrange(1 << 24),
            "ti": rng.randrange(7),
            "called": digits + rng.choice(["", "*", "#", "a"]),
            "calling": digits,
            "rp_ref": rng.randrange(256),
        }
        corr = rng.randrange(1 << 32)
        for message in wire.story(kind, **options, **values):
            out.append(wire.with_corr(message.octets, corr) if rng.random() < 0.5 else message.octets)
    return out[:n]


def test_generated_messages_agree_on_every_column(wire):
    messages = messages_of(wire, 1, 6000)
    assert compare(wire, messages) == (len(messages), 0, {})


def damage(rng: random.Random, octets: bytes) -> bytes:
    """Flip, cut, insert, change a length; mostly mend the M3UA length, so that deeper layers are reached."""
    raw = bytearray(octets)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(8, len(raw)) if len(raw) > 8 else 0
        match rng.randrange(5):
            case 0:
                raw[at] ^= 1 << rng.randrange(8)
            case 1:
                raw[at] = rng.randrange(256)
            case 2:
                del raw[at : at + rng.randrange(1, 4)]
            case 3:
                raw[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 4)))
            case _:
                raw[at] = (raw[at] + rng.choice((-1, 1))) & 255
        if len(raw) <= 12:
            break
    if rng.random() < 0.9 and len(raw) > 24:
        raw[4:8] = len(raw).to_bytes(4, "big")
    return bytes(raw)


def is_deeper(reason: str) -> bool:
    return any(re.search(pattern, reason) for pattern in DEEPER)


def test_damaged_messages_agree(wire):
    rng = random.Random(2)
    sound = messages_of(wire, 3, 3000)
    # Only within SCCP: the label itself, changed, is another message and no wrong one.
    messages = [damage(rng, rng.choice(sound)) for _ in range(20_000)]
    messages = [m for m in messages if m[8:10] == b"\x02\x10" and m[20:22] == b"\x03\x02"]
    accepted, refused, deeper = compare(wire, messages)
    assert accepted > 3000
    assert refused > 3000
    unexplained = [reason for reason in deeper if not is_deeper(reason)]
    assert unexplained == []
    assert sum(deeper.values()) < 0.2 * len(messages)


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 1 << 32), position=st.integers(0, 400), value=st.binary(min_size=1, max_size=4))
def test_overwritten_octets_agree(wire, seed, position, value):
    octets = bytearray(messages_of(wire, seed, 1)[0])
    at = 24 + position % max(1, len(octets) - 24)
    octets[at : at + len(value)] = value
    octets[4:8] = len(octets).to_bytes(4, "big")
    _, _, deeper = compare(wire, [bytes(octets)])
    assert all(is_deeper(reason) for reason in deeper)


@pytest.mark.parametrize("user", ["0009", "01030405", "00ff20"])
def test_bssap_lengths_are_exact_in_both(wire, user):
    raw = bytes.fromhex(user)
    octets = wire.m3ua(bytes.fromhex("0604050600") + bytes([1, len(raw)]) + raw, True)
    assert isinstance(expected(octets), str)
    assert decoded(wire, [octets])["error"][0]
