"""What sets the procedures beyond the plain ones apart: causes, numbers, order, and what must not follow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sim.bssap import DecodeError, bssap, bssmap, dtap, sccp, view
from sim.bssap.cc_elements import INTERNATIONAL, PartyNumber
from sim.bssap.elements import Message
from sim.bssap.legality import LegalityError, check, is_legal
from sim.bssap.procedures import Params, ladder
from sim.bssap.ss_components import decode_ss_argument
from sim.bssap.ss_results import ForwardingFeature, decode_forwarding, encode_forwarding

P = Params()


def names(kind, **options):
    return [step.name for step in ladder(kind, Params(**options))]


def the(kind, name, **options):
    """The one step of that name."""
    (step,) = [step for step in ladder(kind, Params(**options)) if step.name == name]
    return step


def layer3(step):
    return dtap.decode(bssap.decode(sccp.decode(step.payload).data).payload)


def elements(step) -> Message:
    user = bssap.decode(sccp.decode(step.payload).data)
    return bssmap.decode(user.payload) if user.discrimination == bssap.BSSMAP else layer3(step).message


#: TS 24.008 10.5.3.6.
REJECTS = {
    "lu_reject_imsi_unknown": 2, "lu_reject_illegal_ms": 3, "lu_reject_illegal_me": 6, "lu_reject_plmn": 11,
    "lu_reject_area": 12, "lu_reject_roaming": 13, "lu_reject_no_cells": 15, "lu_reject_network_failure": 17,
}  # fmt: skip
#: TS 24.011 table 8.4.
RELAY_CAUSES = {
    "mo_sms_barred": 10, "mo_sms_rejected": 21, "mo_sms_unidentified": 28, "mo_sms_unknown_subscriber": 30,
    "mo_sms_out_of_order": 38, "mo_sms_congestion": 42, "mo_sms_not_subscribed": 50,
    "mt_sms_memory_full": 22, "mt_sms_protocol_error": 111,
}  # fmt: skip


@pytest.mark.parametrize("kind", REJECTS)
def test_reject_causes(kind):
    step = the(kind, "LOCATION UPDATING REJECT")
    assert view("sccp", step.payload)["reject_cause"] == REJECTS[kind]
    other = the(kind, "LOCATION UPDATING REJECT", cause=22)
    assert view("sccp", other.payload)["reject_cause"] == 22


@pytest.mark.parametrize("kind", RELAY_CAUSES)
def test_relay_causes(kind):
    step = the(kind, "RP-ERROR")
    assert (view("sccp", step.payload)["cause"], step.uplink) == (RELAY_CAUSES[kind], kind.startswith("mt"))


@pytest.mark.parametrize(
    ("kind", "uplink", "failure"),
    [("mo_sms_failed_report", False, 0xC2), ("mt_sms_failed_report", True, 0xD0)],
)
def test_relay_error_with_a_report(kind, uplink, failure):
    step = the(kind, "RP-ERROR")
    assert step.uplink is uplink
    assert view("sccp", step.payload)["ies"]["TPDU"]["failure_cause"] == failure


@pytest.mark.parametrize(
    ("kind", "uplink", "cause"), [("mo_sms_cp_error", False, 17), ("mt_sms_cp_error", True, 111)]
)
def test_control_error_ends_the_short_message(kind, uplink, cause):
    step = the(kind, "CP-ERROR")
    assert (step.uplink, view("sccp", step.payload)["cause"]) == (uplink, cause)
    assert "CP-ACK" not in names(kind)


def test_no_link_for_short_messages():
    step = the("mt_sms_sapi_rejected", 'SAPI "n" REJECT')
    assert (elements(step)["DLCI"], elements(step)["Cause"]) == (3, 0x25)


def test_room_again():
    assert [name for name in names("sms_memory_available") if name.startswith(("RP", "CP"))] == [
        "RP-SMMA", "CP-ACK", "RP-ACK", "CP-ACK",
    ]  # fmt: skip


def test_resynchronisation():
    steps = ladder("lu_auth_resync", P)
    first, second = [layer3(step).message for step in steps if step.name == "AUTHENTICATION REQUEST"]
    assert first["Authentication parameter RAND"] != second["Authentication parameter RAND"]
    assert "Authentication parameter AUTN" in first
    failure = elements(the("lu_auth_resync", "AUTHENTICATION FAILURE"))
    assert (failure["Reject cause"], failure["Authentication failure parameter"]) == (21, P.auts)
    response = elements(the("lu_auth_resync", "AUTHENTICATION RESPONSE"))
    assert response["Authentication response parameter (extension)"] == P.res_extension


def test_mac_failure_brings_no_token():
    failures = [step for step in ladder("lu_auth_mac_rejected", P) if step.name == "AUTHENTICATION FAILURE"]
    assert [elements(step).elements for step in failures] == [(("Reject cause", 20),)] * 2
    assert "IDENTITY REQUEST" in names("lu_auth_mac_failure")
    assert "IDENTITY REQUEST" not in names("lu_auth_mac_failure", identity="imsi")


@pytest.mark.parametrize("kind", ["lu_auth_rejected", "mo_call_auth_rejected", "mt_call_auth_rejected"])
def test_a_wrong_response_is_the_end(kind):
    order = names(kind)
    at = order.index("AUTHENTICATION RESPONSE")
    assert order[at + 1 :] == ["AUTHENTICATION REJECT", "CLEAR COMMAND", "CLEAR COMPLETE", "RLSD", "RLC"]


def test_a_call_goes_on_after_resynchronisation():
    order = names("mo_call_auth_resync", cipher=False)
    assert order[order.index("COMMON ID") + 1 :] == names("mo_call_answered", cipher=False)[5:]


@pytest.mark.parametrize("kind", ["lu_cipher_rejected", "mo_call_cipher_rejected", "mt_call_cipher_rejected"])
def test_ciphering_refused(kind):
    step = the(kind, "CIPHER MODE REJECT")
    assert (step.uplink, elements(step)["Cause"]) == (True, 0x40)


def test_ussd():
    texts = [view("sccp", step.payload).get("ussd") for step in ladder("ussd_menu", P)]
    assert [text for text in texts if text] == [P.ussd, P.ussd_text, P.ussd_reply, P.ussd_text]
    assert view("sccp", the("ussd_refused", "RELEASE COMPLETE").payload)["error_code"] == 36


@pytest.mark.parametrize(
    ("condition", "code"), [("", 0x21), ("_busy", 0x29), ("_no_reply", 0x2A), ("_not_reachable", 0x2B)]
)
def test_forwarding_is_registered_to_the_number(condition, code):
    (asked,) = elements(the(f"cf_register{condition}", "REGISTER"))["Facility"]
    (told,) = elements(the(f"cf_register{condition}", "RELEASE COMPLETE"))["Facility"]
    number = PartyNumber(P.called, INTERNATIONAL)
    argument = decode_ss_argument(asked.parameter)
    assert (argument.ss_code, argument.forwarded_to) == (code, number)
    assert argument.no_reply_s == (20 if code == 0x2A else None)
    assert decode_forwarding(told.parameter) == (code, (ForwardingFeature(0x07, 0x11, number),))
    (told,) = elements(the(f"cf_erase{condition}", "RELEASE COMPLETE"))["Facility"]
    assert decode_forwarding(told.parameter) == (code, (ForwardingFeature(0x04, 0x11),))


def test_the_network_tells_by_itself():
    steps = [
        step for step in ladder("ussd_notify", P) if step.name in ("REGISTER", "FACILITY", "RELEASE COMPLETE")
    ]
    assert [(step.name, step.uplink) for step in steps] == [
        ("REGISTER", False), ("FACILITY", True), ("RELEASE COMPLETE", False),
    ]  # fmt: skip
    assert view("sccp", steps[0].payload)["ussd"] == P.ussd_text
    assert [layer3(step).ti_flag for step in steps] == [0, 1, 0]


def test_the_network_asks_by_itself():
    question, reply = the("ussd_ask", "REGISTER"), the("ussd_ask", "FACILITY")
    assert (question.uplink, view("sccp", question.payload)["operation"]) == (False, "unstructuredSS-Request")
    assert view("sccp", question.payload)["ussd"] == P.ussd_text
    shown = view("sccp", reply.payload)
    assert (reply.uplink, shown["component"], shown["ussd"]) == (True, "returnResult", P.ussd_reply)
    assert shown["invoke_id"] == view("sccp", question.payload)["invoke_id"]
    refused = view("sccp", the("ussd_ask_refused", "RELEASE COMPLETE").payload)
    assert refused["ss_error"] == "ussd-Busy"
    assert refused["ti"] == P.ss_ti


def test_two_short_messages_are_told_apart():
    steps = ladder("mo_sms_two", P)
    order = [step.name for step in steps]
    again = order.index("CM SERVICE REQUEST", 1)
    # TS 24.011 5.4: before the last CP-ACK of the first one, which still has the old transaction.
    assert order[again - 1 : again + 4] == [
        "RP-ACK", "CM SERVICE REQUEST", "CP-ACK", "CM SERVICE ACCEPT", "SMS-SUBMIT",
    ]  # fmt: skip
    submits = [view("sccp", step.payload) for step in steps if step.name == "SMS-SUBMIT"]
    assert [shown["ti"] for shown in submits] == [P.ti, P.ti2]
    assert len({shown["rp_reference"] for shown in submits}) == 2
    acks = [view("sccp", step.payload)["ti"] for step in steps if step.name == "CP-ACK"]
    assert acks == [P.ti, P.ti, P.ti2, P.ti2]
    with pytest.raises(LegalityError, match="SMS-SUBMIT while sms is"):
        check(ladder("mo_sms_two", replace(P, ti=P.ti2)))


def test_the_network_gives_up():
    step = the("mo_call_network_abort", "ABORT")
    assert (step.uplink, view("sccp", step.payload)["reject_cause"]) == (False, 17)
    assert names("mo_call_network_abort")[-4:] == ["CLEAR COMMAND", "CLEAR COMPLETE", "RLSD", "RLC"]
    other = the("mo_call_network_abort", "ABORT", cause=6)
    assert view("sccp", other.payload)["reject_cause"] == 6


@pytest.mark.parametrize(
    ("kind", "operation", "component"),
    [("cf_interrogate", 14, "returnResult"), ("cw_activate", 12, "returnResult"),
     ("cf_register_refused", 10, "returnError")],
)  # fmt: skip
def test_other_services(kind, operation, component):
    assert view("sccp", the(kind, "REGISTER").payload)["opcode"] == operation
    assert view("sccp", the(kind, "RELEASE COMPLETE").payload)["component"] == component


def test_forwarding_info_and_back():
    features = (
        ForwardingFeature(7, None, PartyNumber("10086")),
        ForwardingFeature(4, 0x60, rest=b"\x87\x01\x14"),
    )
    assert decode_forwarding(encode_forwarding(0x2A, features)) == (0x2A, features)


@pytest.mark.parametrize(
    ("data", "why"),
    [("3000", "forwardingInfo"), ("a003040121", "missing"), ("a006040221213000", "octet"),
     ("a0080401213003300185", "missing"), ("a0090401213004300285 00", "SS-Status")],
)  # fmt: skip
def test_malformed_forwarding_info(data, why):
    with pytest.raises(DecodeError, match=why):
        decode_forwarding(bytes.fromhex(data))


def test_two_calls_share_a_transaction_identifier_but_not_its_owner():
    steps = ladder("mo_call_waiting", Params(ti=3))
    setups = [layer3(step) for step in steps if step.name == "SETUP"]
    assert [(value.ti, value.ti_flag) for value in setups] == [(3, 0), (3, 0)]
    assert [step.uplink for step in steps if step.name == "SETUP"] == [True, False]
    (confirmed,) = [layer3(step) for step in steps if step.name == "CALL CONFIRMED"]
    assert (confirmed.ti_flag, confirmed.message["Cause"].value) == (1, 17)
    order = names("mo_call_waiting")
    assert order.index("HOLD ACKNOWLEDGE") < len(order) - 1 - order[::-1].index("CONNECT")


def test_a_waiting_call_is_refused_and_the_first_goes_on():
    ended = [step for step in ladder("mo_call_waiting_refused", P) if step.name == "DISCONNECT"]
    assert [(layer3(step).ti_flag, step.uplink, step.mark) for step in ended] == [
        (1, True, ""),
        (0, True, "ended"),
    ]


@pytest.mark.parametrize("kind", ["mo_call_hold", "mt_call_hold"])
def test_hold_and_retrieve_are_the_stations(kind):
    shown = [
        (step.name, step.uplink) for step in ladder(kind, P) if step.name.startswith(("HOLD", "RETRIEVE"))
    ]
    assert shown == [
        ("HOLD", True),
        ("HOLD ACKNOWLEDGE", False),
        ("RETRIEVE", True),
        ("RETRIEVE ACKNOWLEDGE", False),
    ]
    assert view("sccp", the("mo_call_hold_rejected", "HOLD REJECT").payload)["cause"] == 50


def test_a_call_given_up_before_setup():
    order = names("mo_call_aborted")
    assert "SETUP" not in order
    assert the("mo_call_aborted", "CM SERVICE ABORT").uplink


def test_an_emergency_call_names_no_number():
    assert "called" not in {key for step in ladder("emergency_call", P) for key in view("sccp", step.payload)}
    request = ladder("emergency_call_no_sim", P)[0]
    assert view("sccp", request.payload)["imei"] == P.imei
    shown = {key for step in ladder("emergency_call_no_sim", P) for key in view("sccp", step.payload)}
    assert not {"imsi", "tmsi"} & shown


@pytest.mark.parametrize("kind", ["mo_call_handover_intra_bsc", "mt_call_handover_intra_bsc"])
def test_a_handover_within_the_bsc_is_told_once(kind):
    assert {step.leg for step in ladder(kind, P)} == {0}
    cell = elements(the(kind, "HANDOVER PERFORMED"))["Cell Identifier"].cell
    assert (cell.lac, cell.ci) == (P.lac2, P.ci2)


@pytest.mark.parametrize("kind", ["mo_call_handover_inter_msc", "mt_call_handover_inter_msc"])
def test_only_the_command_ties_the_sides_of_two_mscs(kind):
    carried = [elements(the(kind, name))["Layer 3 Information"]
               for name in ("HANDOVER REQUEST ACKNOWLEDGE", "HANDOVER COMMAND")]  # fmt: skip
    assert carried[0] == carried[1]
    assert [step.leg for step in ladder(kind, P) if step.name == "COMMON ID"] == [0]
    assert the(kind, "DISCONNECT").leg == 1


@pytest.mark.parametrize(
    ("kind", "leg", "cause"),
    [("mo_call_handover_returned", 0, 0x0A), ("mo_call_handover_no_channel", 1, 0x21)],
)
def test_a_handover_that_fails(kind, leg, cause):
    failure = the(kind, "HANDOVER FAILURE")
    assert (failure.leg, failure.uplink, elements(failure)["Cause"]) == (leg, True, cause)
    assert [step.leg for step in ladder(kind, P) if step.name == "CLEAR COMMAND"] == [1, 0]
    assert the(kind, "DISCONNECT").leg == 0


@pytest.mark.parametrize("kind", ["mo_call_handover_no_channel", "mo_call_handover_connection_refused",
                                  "mo_call_handover_rejected"])  # fmt: skip
def test_who_wants_to_know_is_told(kind):
    assert "Response Request" in elements(the(kind, "HANDOVER REQUIRED"))
    assert the(kind, "HANDOVER REQUIRED REJECT").leg == 0


def test_directed_retry():
    for name in ("ASSIGNMENT FAILURE", "HANDOVER REQUIRED"):
        assert elements(the("mo_call_directed_retry", name))["Cause"] == 0x0D
    assert {the("mo_call_directed_retry", name).leg for name in ("ALERTING", "CONNECT", "DISCONNECT")} == {1}
    complete = elements(the("mo_call_directed_retry_intra_bsc", "ASSIGNMENT COMPLETE"))
    assert complete["Cell Identifier"].cell.ci == P.ci2


@pytest.mark.parametrize("kind", ["lu_connection_refused", "mo_call_connection_refused"])
def test_a_refused_connection_is_all(kind):
    request, refusal = ladder(kind, P)
    shown = view("sccp", refusal.payload)
    assert (shown["sccp"], shown["dlr"], shown["sccp_cause"]) == ("CREF", f"{P.bss_ref:06x}", 11)
    assert view("sccp", request.payload)["slr"] == shown["dlr"]


@pytest.mark.parametrize("kind", ["lu_radio_lost", "mo_call_radio_lost", "mt_call_radio_lost"])
def test_a_lost_station_is_told_nothing(kind):
    order = names(kind)
    assert order[order.index("CLEAR REQUEST") :] == [
        "CLEAR REQUEST", "CLEAR COMMAND", "CLEAR COMPLETE", "RLSD", "RLC",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "uplink"), [("bsc_reset", True), ("msc_reset", False), ("mo_call_lost_by_reset", True)]
)
def test_a_reset_goes_without_a_connection(kind, uplink):
    reset, answer = ladder(kind, P)[-2:]
    assert (reset.name, reset.uplink, answer.name, answer.uplink) == (
        "RESET", uplink, "RESET ACKNOWLEDGE", not uplink,
    )  # fmt: skip
    assert {view("sccp", step.payload)["sccp"] for step in (reset, answer)} == {"UDT"}
    assert "RLSD" not in names(kind)


def test_the_second_page_names_the_imsi_alone():
    first, second = ladder("paging_failed", P)
    assert "TMSI" in elements(first)
    assert "TMSI" not in elements(second)
    assert second.wait == "page"


def test_a_service_that_was_not_asked_for():
    call, text = ladder("mo_call_busy", P), ladder("mo_sms", P)
    with pytest.raises(LegalityError, match=r"\^SETUP while service is 'short message'"):
        check((text[0], *call[1:]))
    assert not is_legal((call[0], *text[1:]))
    assert not is_legal((call[0], *ladder("ussd_query", P)[1:]))
    assert not is_legal((call[0], *ladder("emergency_call", P)[1:]))


def test_a_second_call_is_not_answered_while_the_first_is_spoken():
    steps = ladder("mo_call_waiting", P)
    without = [step for step in steps if step.name not in ("HOLD", "HOLD ACKNOWLEDGE")]
    with pytest.raises(LegalityError, match=r"CONNECT .*(N\(SD\)|second call)"):
        check(without)


def test_a_result_for_nothing_asked():
    steps, other = ladder("ussd_query", P), ladder("ussd_menu", P)
    question = next(step for step in other if step.name == "FACILITY")
    reply = next(step for step in other if step.name == "FACILITY" and step.uplink)
    index = next(index for index, step in enumerate(steps) if step.name == "RELEASE COMPLETE")
    assert is_legal(other)
    assert not is_legal((*steps[:index], replace(reply, uplink=False), *steps[index + 1 :]))
    assert not is_legal((*steps[:index], question, *steps[index:]))


def test_nothing_follows_a_clear_request_but_the_clearing():
    steps = ladder("mo_call_radio_lost", P)
    ends = ladder("mo_call_answered", P)
    index = next(index for index, step in enumerate(steps) if step.name == "CLEAR REQUEST")
    disconnect = next(step for step in ends if step.name == "DISCONNECT")
    assert not is_legal((*steps[: index + 1], disconnect, *steps[index + 1 :]))


def test_nothing_follows_a_reset_on_the_connection():
    steps = ladder("mo_call_lost_by_reset", P)
    disconnect = next(step for step in ladder("mo_call_answered", P) if step.name == "DISCONNECT")
    with pytest.raises(LegalityError, match="DT1 while sccp is 'closed'"):
        check((*steps[:-1], disconnect, steps[-1]))


def test_after_a_failed_authentication_nothing_is_granted():
    steps = ladder("lu_auth_mac_rejected", P)
    accept = the("lu_auth_resync", "LOCATION UPDATING ACCEPT", reallocate=False)
    assert not is_legal([accept if step.name == "AUTHENTICATION REJECT" else step for step in steps])


def test_the_old_channel_is_not_used_after_a_completed_handover():
    steps = ladder("mo_call_directed_retry", P)
    index = next(index for index, step in enumerate(steps) if step.name == "ALERTING")
    old = the("mo_call_busy", "CALL PROCEEDING")
    assert not is_legal((*steps[:index], old, *steps[index:]))
