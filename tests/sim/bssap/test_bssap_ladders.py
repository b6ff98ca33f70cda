"""Every procedure under every combination of its options: fields in place, marks, names, positions."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from sim.bssap import EncodeError, bssap, bssmap, dtap, sccp, sms, tpdu, view
from sim.bssap.cc_elements import INTERNATIONAL, UNKNOWN_NUMBER
from sim.bssap.procedures import (
    LADDERS,
    OPTION_VALUES,
    Params,
    Step,
    ladder,
    location,
    overview,
    texts_failed,
)
from sim.bssap.procedures.params import MARKS, WAITS
from sim.bssap.user_data import text_user_data

#: Kind -> the marks of its steps, in order (without a handover).
MARKED = {
    "lu_normal": ["started", "accepted"],
    "lu_periodic": ["started", "accepted"],
    "lu_attach": ["started", "accepted"],
    "lu_reject": ["started", "rejected"],
    "detach": ["detached"],
    "mo_call_answered": ["started", "alerting", "connected", "ended"],
    "mo_call_busy": ["started", "ended"],
    "mo_call_rejected": ["started", "alerting", "ended"],
    "mo_call_no_answer": ["started", "alerting", "ended"],
    "mo_call_vacant": ["started", "ended"],
    "mo_call_unreachable": ["started", "ended"],
    "mo_call_abandoned": ["started", "ended"],
    "mt_call_answered": ["started", "alerting", "connected", "ended"],
    "mt_call_rejected": ["started", "alerting", "ended"],
    "mt_call_no_answer": ["started", "alerting", "ended"],
    "paging_only": ["started"],
    "mo_sms": ["started", "sms_ok"],
    "mo_sms_failed": ["started", "sms_failed"],
    "mt_sms": ["started", "sms_ok"],
    "mt_sms_failed": ["started", "sms_failed"],
    **{f"lu_reject_{name}": ["started", "rejected"] for name, _, _ in location.REJECTS},
    "lu_connection_refused": ["started", "refused"],
    "lu_radio_lost": ["started", "lost", "cleared"],
    "lu_auth_rejected": ["started", "rejected"],
    "mo_call_auth_rejected": ["rejected"],
    "mt_call_auth_rejected": ["rejected"],
    "lu_auth_resync": ["started", "accepted"],
    "mo_call_auth_resync": ["started", "alerting", "connected", "ended"],
    "lu_auth_mac_failure": ["started", "accepted"],
    "lu_auth_mac_rejected": ["started", "rejected"],
    "lu_cipher_rejected": ["started", "rejected"],
    "mo_call_cipher_rejected": ["rejected"],
    "mt_call_cipher_rejected": [],
    "emergency_call": ["started", "alerting", "connected", "ended"],
    "emergency_call_no_sim": ["started", "alerting", "connected", "ended"],
    "mo_call_hold": ["started", "alerting", "connected", "ended"],
    "mt_call_hold": ["started", "alerting", "connected", "ended"],
    "mo_call_hold_rejected": ["started", "alerting", "connected", "ended"],
    "mo_call_waiting": ["started", "alerting", "connected", "ended"],
    "mo_call_waiting_refused": ["started", "alerting", "connected", "ended"],
    "mo_call_connection_refused": ["refused"],
    "mo_call_aborted": ["aborted"],
    "mo_call_assignment_failed": ["started", "ended"],
    "mt_call_assignment_failed": ["started", "ended"],
    "mo_call_radio_lost": ["started", "alerting", "connected", "lost", "cleared"],
    "mt_call_radio_lost": ["started", "alerting", "connected", "lost", "cleared"],
    "mo_call_lost_by_reset": ["started", "alerting", "connected", "reset"],
    "mo_call_handover_intra_bsc": ["started", "alerting", "connected", "handover", "ended"],
    "mt_call_handover_intra_bsc": ["started", "alerting", "connected", "handover", "ended"],
    "mo_call_handover_inter_msc": ["started", "alerting", "connected", "handover", "ended"],
    "mt_call_handover_inter_msc": ["started", "alerting", "connected", "handover", "ended"],
    "mo_call_handover_returned": ["started", "alerting", "connected", "ended"],
    "mo_call_handover_no_channel": ["started", "alerting", "connected", "ended"],
    "mo_call_handover_connection_refused": ["started", "alerting", "connected", "refused", "ended"],
    "mo_call_handover_rejected": ["started", "alerting", "connected", "ended"],
    "mo_call_directed_retry": ["started", "handover", "alerting", "connected", "ended"],
    "mo_call_directed_retry_intra_bsc": ["started", "alerting", "connected", "ended"],
    **{f"mo_sms_{name}": ["started", "sms_failed"] for name, _, _ in texts_failed.MO_CAUSES},
    **{f"mt_sms_{name}": ["started", "sms_failed"] for name, _, _ in texts_failed.MT_CAUSES},
    "mo_sms_failed_report": ["started", "sms_failed"],
    "mt_sms_failed_report": ["started", "sms_failed"],
    "mo_sms_cp_error": ["started", "sms_failed"],
    "mt_sms_cp_error": ["started", "sms_failed"],
    "mt_sms_sapi_rejected": ["started", "sms_failed"],
    "sms_memory_available": ["started", "sms_ok"],
    "ussd_query": ["started", "ss_ok"],
    "ussd_menu": ["started", "ss_ok"],
    "ussd_refused": ["started", "ss_failed"],
    "ussd_notify": ["started", "ss_ok"],
    "ussd_ask": ["started", "ss_ok"],
    "ussd_ask_refused": ["started", "ss_failed"],
    "mo_sms_two": ["started", "sms_ok", "started", "sms_ok"],
    "mo_call_network_abort": ["started", "aborted"],
    **{
        f"cf_{kind}{condition}": ["started", "ss_ok"]
        for kind in ("register", "erase", "interrogate")
        for condition in ("", "_busy", "_no_reply", "_not_reachable")
    },
    "cf_register_refused": ["started", "ss_failed"],
    "cw_activate": ["started", "ss_ok"],
    "paging_failed": ["started"],
    "bsc_reset": ["reset"],
    "msc_reset": ["reset"],
}

#: Connections without COMMON ID, and why.
NO_COMMON_ID = {
    "detach": "the station waits for nothing",
    "lu_connection_refused": "there is no connection",
    "mo_call_connection_refused": "there is no connection",
    "lu_auth_rejected": "the subscriber is not who he says",
    "mo_call_auth_rejected": "the subscriber is not who he says",
    "mt_call_auth_rejected": "the subscriber is not who he says",
    "lu_auth_mac_rejected": "the subscriber is not who he says",
    "emergency_call_no_sim": "there is no IMSI",
}
#: Kinds with one connection to the handover target that has none.
NO_COMMON_ID_AT_TARGET = (
    "mo_call_handover_inter_msc",  # MAP version 2 tells MSC-B no IMSI
    "mt_call_handover_inter_msc",
    "mo_call_handover_connection_refused",
)

#: Kind -> (goes up, cause) of the first message that ends the call.
ENDINGS = {
    "mo_call_answered": (True, 16),
    "mo_call_busy": (False, 17),
    "mo_call_rejected": (False, 21),
    "mo_call_no_answer": (True, 16),
    "mo_call_vacant": (False, 1),
    "mo_call_unreachable": (False, 20),
    "mo_call_abandoned": (True, 16),
    "mt_call_answered": (False, 16),
    "mt_call_rejected": (True, 21),
    "mt_call_no_answer": (False, 16),
    "emergency_call": (True, 16),
    "mo_call_hold": (True, 16),
    "mo_call_waiting": (True, 16),
    "mo_call_assignment_failed": (False, 47),
    "mt_call_assignment_failed": (False, 47),
    "mo_call_handover_returned": (True, 16),
    "mo_call_directed_retry": (True, 16),
}


def test_every_kind_is_described_and_marked():
    assert set(MARKED) == set(LADDERS)
    options = {field.name for field in fields(Params)}
    assert all(row.description and set(row.options) <= options for row in LADDERS.values())


@pytest.mark.parametrize("kind", LADDERS)
def test_marks(kind):
    steps = ladder(kind, Params())
    assert [step.mark for step in steps if step.mark] == MARKED[kind]
    assert {step.mark for step in steps} <= set(MARKS)
    assert {step.wait for step in steps} <= set(WAITS)


@pytest.mark.parametrize("kind", ENDINGS)
def test_who_hears_what(kind):
    (ended,) = [step for step in ladder(kind, Params()) if step.mark == "ended"]
    assert (ended.uplink, view("sccp", ended.payload)["cause"]) == ENDINGS[kind]
    (ended,) = [step for step in ladder(kind, Params(cause=31)) if step.mark == "ended"]
    assert view("sccp", ended.payload)["cause"] == 31


@pytest.mark.parametrize(("released_by", "ending"), [("caller", (True, 16)), ("callee", (False, 19)),
                                                     ("network", (False, 19))])  # fmt: skip
def test_no_answer_ends_by_caller_or_network(released_by, ending):
    steps = ladder("mo_call_no_answer", Params(released_by=released_by))
    (ended,) = [step for step in steps if step.mark == "ended"]
    assert (ended.uplink, view("sccp", ended.payload)["cause"]) == ending


@pytest.mark.parametrize(
    ("kind", "released_by", "uplink"),
    [
        ("mo_call_answered", "caller", True), ("mo_call_answered", "callee", False),
        ("mo_call_answered", "network", False), ("mt_call_answered", "caller", False),
        ("mt_call_answered", "callee", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("handover", [False, True])
def test_who_hangs_up(kind, released_by, uplink, handover):
    steps = ladder(kind, Params(released_by=released_by, handover=handover))
    (ended,) = [step for step in steps if step.mark == "ended"]
    assert ended.uplink is uplink
    assert ended.leg == handover


def test_names_are_those_inside(variants):
    seen = {}
    for _, _, steps in variants:
        for step in steps:
            seen.setdefault(step.payload, step.name)
    short = {"CC", "CREF", "RLSD", "RLC"}
    for payload, name in seen.items():
        shown = view("sccp", payload)
        assert name == (shown["sccp"] if name in short else shown["message"])


def test_step_payloads_are_canonical(variants):
    for payload in {step.payload for _, _, steps in variants for step in steps}:
        outer = sccp.decode(payload)
        assert sccp.encode(outer) == payload
        if outer.data is None:
            continue
        user = bssap.decode(outer.data)
        assert bssap.encode(user) == outer.data
        if user.discrimination == bssap.BSSMAP:
            assert bssmap.encode(bssmap.decode(user.payload)) == user.payload
        else:
            assert dtap.encode(dtap.decode(user.payload)) == user.payload


def test_the_values_come_out_again():
    p = Params()
    seen = {}
    for kind in LADDERS:
        for step in ladder(kind, replace(p, ask_identity=True, ask_imei=True)):
            for key, value in view("sccp", step.payload).items():
                seen.setdefault(key, set()).add(str(value))
    assert seen["imsi"] == {p.imsi}
    assert seen["imei"] == {p.imei}
    assert seen["tmsi"] == {f"{p.tmsi:08x}", f"{p.new_tmsi:08x}"}
    assert {p.called, p.calling} <= seen["called"] | seen["calling"]
    assert seen["lac"] == {str(p.lac), str(p.lac2)}
    assert seen["mcc"] == {p.mcc}
    assert seen["text"] == {"Hello"}
    references = {f"{ref:06x}" for ref in (p.bss_ref, p.msc_ref, p.bss_ref2, p.msc_ref2)}
    assert references == seen["slr"] == seen["dlr"]
    assert seen["ussd"] == {p.ussd, p.ussd_text, p.ussd_reply}


def test_old_location_area():
    p = Params()
    request, *_ = ladder("lu_normal", p)
    assert view("sccp", request.payload)["ies"]["Location area identification"]["lac"] == p.old_lac


def test_handover_legs():
    p = Params(handover=True)
    steps = ladder("mo_call_answered", p)
    assert [step.mark for step in steps if step.mark] == [
        *MARKED["mo_call_answered"][:3],
        "handover",
        "ended",
    ]
    (done,) = [step for step in steps if step.mark == "handover"]
    assert (done.leg, done.uplink, done.name) == (1, True, "HANDOVER COMPLETE")
    references = {view("sccp", step.payload).get("slr") for step in steps if step.leg == 1}
    assert {f"{p.bss_ref2:06x}", f"{p.msc_ref2:06x}"} <= references
    # Equal RR HANDOVER COMMAND octets tie the legs: a tap has nothing else but COMMON ID.
    carried = [
        bssmap.decode(bssap.decode(sccp.decode(step.payload).data).payload)["Layer 3 Information"]
        for step in steps
        if step.name in ("HANDOVER REQUEST ACKNOWLEDGE", "HANDOVER COMMAND")
    ]
    assert len(carried) == 2
    assert carried[0] == carried[1]
    assert sum(step.name == "COMMON ID" for step in steps) == 2
    request = next(step for step in steps if step.name == "HANDOVER REQUEST")
    cells = [
        value.cell
        for name, value in bssmap.decode(bssap.decode(sccp.decode(request.payload).data).payload).elements
        if name == "Cell Identifier"
    ]
    assert [(cell.lac, cell.ci) for cell in cells] == [(p.lac, p.ci), (p.lac2, p.ci2)]


@pytest.mark.parametrize("kind", [kind for kind in LADDERS if kind.startswith("mt_")])
def test_terminating_procedures_are_paged(kind):
    page, response, *_ = ladder(kind, Params(paging_lacs=(1, 2, 3)))
    assert (page.name, page.uplink, response.name, response.wait) == (
        "PAGING",
        False,
        "PAGING RESPONSE",
        "page",
    )
    shown = view("sccp", page.payload)
    assert shown["sccp"] == "UDT"
    assert [cell["lac"] for cell in shown["ies"]["Cell Identifier List"]["cells"]] == [1, 2, 3]


@pytest.mark.parametrize("kind", LADDERS)
def test_common_id_on_every_connection(kind):
    steps = ladder(kind, Params())
    legs = {step.leg for step in steps if sccp.decode(step.payload).type == "CR"}
    expected = 0 if kind in NO_COMMON_ID else len(legs) - (kind in NO_COMMON_ID_AT_TARGET)
    assert sum(step.name == "COMMON ID" for step in steps) == expected


CHANGES = {
    "imsi": "001019999999999", "tmsi": 0xF0F1F2F3, "new_tmsi": 0xE0E1E2E3, "imei": "359999999999995",
    "lac": 0x7FFE, "ci": 0x7FFD, "old_lac": 0x7FFC, "lac2": 0x7FFB, "ci2": 0x7FFA, "bss_ref": 0xABCDE1,
    "msc_ref": 0xABCDE2, "bss_ref2": 0xABCDE3, "msc_ref2": 0xABCDE4, "ti": 5, "called": "8615999999999",
    "calling": "8615888888888", "cic": 0xFFFE, "cic2": 0xFFFD, "cause": 47, "rand": b"\x55" * 16,
    "sres": b"\x66" * 4, "kc": b"\x77" * 8, "smsc": "8613999999999", "rp_ref": 0xEE, "cksn": 6,
    "handover_reference": 0xDD, "handover_cell": b"\xcc\xcc", "ss_ti": 4, "rand2": b"\x44" * 16,
    "res_extension": b"\x33" * 4, "autn": b"\x22" * 16, "auts": b"\x11" * 14, "ussd": "*199#",
    "ussd_text": "Balance: 99.99", "ussd_reply": "9",
}  # fmt: skip


@pytest.mark.parametrize("field", CHANGES)
def test_a_value_changes_octets_in_place_only(field):
    """The batch encoder fills templates by position: lengths and steps never depend on a value."""
    changed_anywhere = False
    for kind in LADDERS:
        options = {"handover": "answered" in kind, "ask_identity": True, "ask_imei": True}
        before = ladder(kind, Params(**options))
        after = ladder(kind, Params(**options, **{field: CHANGES[field]}))
        assert [(s.leg, s.uplink, s.after_us, s.wait, s.name, s.mark, len(s.payload)) for s in before] == [
            (s.leg, s.uplink, s.after_us, s.wait, s.name, s.mark, len(s.payload)) for s in after
        ]
        changed_anywhere |= before != after
    assert changed_anywhere


def test_short_numbers_are_not_international():
    steps = ladder("mo_call_answered", Params(called="10086"))
    setup = next(step for step in steps if step.name == "SETUP")
    number = view("sccp", setup.payload)["ies"]["Called party BCD number"]
    assert (number["digits"], number["type"]) == ("10086", 0)


def test_a_given_tpdu_is_carried():
    data = tpdu.encode(tpdu.Submit(tpdu.TpAddress("10086", 0), text_user_data("短信", 8)))
    steps = ladder("mo_sms", Params(tpdu=data))
    (sent,) = [step for step in steps if step.name == "SMS-SUBMIT"]
    shown = view("sccp", sent.payload)
    assert (shown["text"], shown["called"], shown["rp"]) == ("短信", "10086", "RP-DATA")


def test_sms_failure_cause():
    steps = ladder("mt_sms_failed", Params(cause=22))
    (failed,) = [step for step in steps if step.mark == "sms_failed"]
    assert failed.uplink
    relay = sms.decode_rp(
        dtap.decode(bssap.decode(sccp.decode(failed.payload).data).payload).message["CP-User data"]
    )
    assert relay.message["RP-Cause"].value == 22


def test_options_are_those_that_ladders_have():
    assert set(OPTION_VALUES) == {option for row in LADDERS.values() for option in row.options}
    defaults = Params()
    assert all(getattr(defaults, option) in values for option, values in OPTION_VALUES.items())


@pytest.mark.parametrize(
    ("keywords", "why"),
    [({"identity": "imei"}, "one of"), ({"released_by": "nobody"}, "one of"), ({"tmsi": None}, "without"),
     ({"ti": 7}, "0 to 6"), ({"ss_ti": -1}, "0 to 6")],
)  # fmt: skip
def test_wrong_params(keywords, why):
    with pytest.raises(EncodeError, match=why):
        Params(**keywords)


def test_unknown_kind_and_values_that_do_not_fit():
    with pytest.raises(EncodeError, match="mo_call_busy"):
        ladder("mo_call_buzy", Params())
    with pytest.raises(EncodeError):
        ladder("lu_normal", Params(bss_ref=1 << 24))
    with pytest.raises(EncodeError):
        ladder("lu_normal", Params(imsi="0010100000"[:5]))


def test_steps_are_values():
    assert ladder("lu_normal", Params()) == ladder("lu_normal", Params())
    assert isinstance(ladder("lu_normal", Params())[0], Step)


def test_the_readme_is_what_the_code_says():
    """Its head says how it is made anew."""
    here = Path(__file__).parent
    sources = {path.name: path.read_text() for path in here.glob("*.py")}
    assert (here.parents[2] / "sim" / "bssap" / "README.md").read_text() == overview.markdown(sources)


@pytest.mark.parametrize(
    ("called", "kind"),
    [("8613900000001", INTERNATIONAL), ("057188888888", UNKNOWN_NUMBER),
     ("12593057188888888", UNKNOWN_NUMBER), ("10086", UNKNOWN_NUMBER)],
)  # fmt: skip
def test_prefixes_make_no_international_number(called, kind):
    """TS 24.008 10.5.4.7: with a trunk or carrier prefix a number is no international one, however long."""
    said = [view("sccp", step.payload) for step in ladder("mo_call_answered", Params(called=called))]
    found = [one["ies"]["Called party BCD number"] for one in said if one.get("dtap") == "SETUP"]
    assert [(one["digits"], one["type"]) for one in found] == [(called, kind)]
