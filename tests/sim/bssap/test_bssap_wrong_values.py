"""Values that no message can have: an EncodeError of ours, which names the element; never Python's own."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.bssap import EncodeError, bssap, bssmap, dtap, sccp, sms, tpdu
from sim.bssap.cc_elements import Cause, Progress
from sim.bssap.elements import Message, message
from sim.bssap.procedures import LADDERS, Params, ladder
from sim.bssap.user_data import UserData, text_user_data

quick = settings(deadline=None, database=None, derandomize=True, max_examples=400)

RUBBISH = (
    None, -1, 0, 256, 1 << 16, 1 << 24, 1 << 32, 1 << 80, "", "abc", "漢", "\ud800", b"", b"\xff" * 300,
    (), (1, 2), 3.5, [], {}, object(),
)  # fmt: skip
WRITERS = {
    sccp.SccpMessage: (sccp.encode, sccp.decode),
    bssap.Bssap: (bssap.encode, bssap.decode),
    dtap.Dtap: (dtap.encode, dtap.decode),
    Message: (bssmap.encode, bssmap.decode),
    sms.Rp: (sms.encode_rp, sms.decode_rp),
    tpdu.Submit: (tpdu.encode, None),
    tpdu.Deliver: (tpdu.encode, None),
    tpdu.Report: (tpdu.encode, None),
    tpdu.StatusReport: (tpdu.encode, None),
    tpdu.Command: (tpdu.encode, None),
}
STAMP = tpdu.Timestamp.of(26, 11, 23, 12, 0, 0, -14)


def _values():
    """Right values of every layer: what all ladders consist of, and TPDUs that none has."""
    found = {}
    for kind in LADDERS:
        for step in ladder(kind, Params()):
            outer = sccp.decode(step.payload)
            found[outer.type] = outer
            if not outer.data:
                continue
            user = bssap.decode(outer.data)
            found["user", user.discrimination] = user
            if user.discrimination == bssap.BSSMAP:
                inner = bssmap.decode(user.payload)
                found["BSSMAP", inner.name] = inner
                continue
            value = dtap.decode(user.payload)
            found["DTAP", value.pd, value.name] = value
            if value.name == "CP-DATA":
                rp = sms.decode_rp(value.message["CP-User data"])
                found["RP", rp.message.name] = rp
                if rp.message.get("RP-User data"):
                    inner = tpdu.decode(rp.message["RP-User data"], from_network=rp.from_network)
                    found[tpdu.name(inner)] = inner
    address = tpdu.TpAddress("10086", 0)
    found["command"] = tpdu.Command(1, 0, 2, 7, address, b"\1")
    found["status"] = tpdu.StatusReport(1, address, STAMP, STAMP, 0)
    found["alphanumeric"] = tpdu.Deliver(tpdu.TpAddress("", 5, 0, "Bank"), STAMP, text_user_data("hi"))
    return list(found.values())


VALUES = _values()


@st.composite
def ruined(draw, value, depth=0):
    """`value` with rubbish somewhere inside; the constructors on the way may refuse it."""
    if depth and (depth > 6 or draw(st.integers(0, 3)) == 0):
        return draw(st.sampled_from(RUBBISH))
    if isinstance(value, Message) and value.elements:
        at = draw(st.integers(0, len(value.elements) - 1))
        name, content = value.elements[at]
        changed = (name, draw(ruined(content, depth + 1)))
        return Message(value.name, (*value.elements[:at], changed, *value.elements[at + 1 :]))
    if dataclasses.is_dataclass(value):
        name = draw(st.sampled_from([field.name for field in dataclasses.fields(value)]))
        return dataclasses.replace(value, **{name: draw(ruined(getattr(value, name), depth + 1))})
    if isinstance(value, tuple) and value:
        at = draw(st.integers(0, len(value) - 1))
        return (*value[:at], draw(ruined(value[at], depth + 1)), *value[at + 1 :])
    return draw(st.sampled_from(RUBBISH))


@quick
@given(st.data())
def test_rubbish_is_refused_as_our_mistake(data):
    value = data.draw(st.sampled_from(VALUES))
    encode, decode = WRITERS[type(value)]
    try:
        octets = encode(data.draw(ruined(value)))
    except EncodeError:
        return
    if decode is not None:
        # What is written can be read.
        decode(octets)


@pytest.mark.parametrize(
    "encode", list(dict.fromkeys(writer for writer, _ in WRITERS.values())), ids=lambda f: f.__module__
)
@pytest.mark.parametrize("value", [None, 5, "CR", b"\1", object()])
def test_a_value_of_another_kind(encode, value):
    with pytest.raises(EncodeError):
        encode(value)


CALLED = tpdu.TpAddress("10086", 0)


@pytest.mark.parametrize(
    ("write", "names"),
    [
        (lambda: bssap.encode(bssap.Bssap(1, b"\5", 300)), "DLCI: 300"),
        (lambda: bssap.encode(bssap.Bssap(0, b"")), "empty"),
        (lambda: bssmap.encode(message("CLEAR COMMAND", {"Cause": 200})), "Cause: cause 200"),
        (lambda: bssmap.encode(message("CLEAR COMMAND")), "Cause is missing"),
        (lambda: bssmap.encode(message("RESET", {"Cause": 1, "Colour": 2})), "Colour"),
        (lambda: bssmap.encode(message("PAGING", {"IMSI": 5, "Cell Identifier List": 0})), "IMSI"),
        (lambda: bssmap.encode(message("HANDOVER COMMAND", {"Layer 3 Information": 5})), "Layer 3 Inf"),
        (lambda: dtap.encode(dtap.Dtap(3, message("DISCONNECT", {"Cause": Cause(128)}))), "Cause: cause 128"),
        (lambda: dtap.encode(dtap.Dtap(3, message("DISCONNECT", {"Cause": Cause(1, recommendation=128)}))),
         "Cause: recommendation 128"),
        (lambda: dtap.encode(dtap.Dtap(3, message("PROGRESS", {"Progress indicator": Progress(1, 16)}))),
         "Progress indicator: .*location 16"),
        (lambda: dtap.encode(dtap.Dtap(5, message("ABORT", {"Reject cause": 256}))), "Reject cause"),
        (lambda: sccp.encode(sccp.SccpMessage("RLC", destination=1 << 24, source=1)), "destination"),
        (lambda: sccp.encode(sccp.SccpMessage("DT1", destination=1, more=False, data=7)), "data"),
        (lambda: sms.encode_rp(sms.Rp(message("RP-SMMA"), 256, False)), "RP message reference: 256"),
        (lambda: tpdu.encode(tpdu.Submit(CALLED, text_user_data("x"), 256)), "TP-MR: 256"),
        (lambda: tpdu.encode(tpdu.Submit(CALLED, text_user_data("x"), protocol=-1)), "TP-PID: -1"),
        (lambda: tpdu.encode(tpdu.Submit(CALLED, UserData(9, b"\1"))), "TP-UD of 1 octets with TP-UDL 9"),
        (lambda: text_user_data("\ud83d", 8), "half a surrogate"),
    ],
)  # fmt: skip
def test_the_element_is_named(write, names):
    with pytest.raises(EncodeError, match=names):
        write()
