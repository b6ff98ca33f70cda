"""Each procedure on the wire gives exactly the behaviours of the kinds table, at the marked messages."""

from typing import Any

import pytest

from marketing.behaviours import Kind, Role
from marketing.correlate import OUTCOMES, Correlator, outcome, outcome_table
from marketing.decode import decode_batch
from sim.bssap.procedures import Params

# Procedure -> (kind, role, mark or name of the completing message), in order.
CALL = (Kind.CALL_STARTED, "started")
TABLE: dict[str, list[tuple[Kind, str]]] = {
    "lu_normal": [(Kind.LOCATION_UPDATE, "accepted")],
    "lu_periodic": [(Kind.PERIODIC_UPDATE, "accepted")],
    "lu_attach": [(Kind.POWER_ON, "accepted")],
    "lu_reject": [(Kind.LOCATION_UPDATE_REJECTED, "rejected")],
    "detach": [(Kind.POWER_OFF, "detached")],
    "mo_call_answered": [CALL, (Kind.CALL_CONNECTED, "connected"), (Kind.CALL_ENDED, "ended")],
    "mt_call_answered": [CALL, (Kind.CALL_CONNECTED, "connected"), (Kind.CALL_ENDED, "ended")],
    "mo_call_busy": [CALL, (Kind.CALL_BUSY, "ended")],
    "mo_call_rejected": [CALL, (Kind.CALL_REJECTED, "ended")],
    "mo_call_no_answer": [CALL, (Kind.CALL_NO_ANSWER, "ended")],
    "mo_call_vacant": [CALL, (Kind.CALL_VACANT, "ended")],
    "mo_call_unreachable": [CALL, (Kind.CALL_UNREACHABLE, "ended")],
    "mo_call_abandoned": [CALL, (Kind.CALL_ABANDONED, "ended")],
    "mt_call_rejected": [CALL, (Kind.CALL_REJECTED, "ended")],
    "mt_call_no_answer": [CALL, (Kind.CALL_NO_ANSWER, "ended")],
    "paging_only": [(Kind.PAGING_NO_RESPONSE, "unanswered")],
    "paging_failed": [(Kind.PAGING_NO_RESPONSE, "unanswered")],
    "mo_sms": [(Kind.SMS_SENT, "sms_ok")],
    "mo_sms_failed": [(Kind.SMS_FAILED, "sms_failed")],
    "mt_sms": [(Kind.SMS_RECEIVED, "sms_ok")],
    "mt_sms_failed": [(Kind.SMS_FAILED, "sms_failed")],
    "ussd_query": [(Kind.USSD_USED, "ss_ok")],
    "ussd_refused": [(Kind.USSD_USED, "ss_failed")],
    "ussd_menu": [(Kind.USSD_USED, "ss_ok")],
    "ussd_notify": [(Kind.SEEN, "RLSD")],
    "ussd_ask": [(Kind.SEEN, "RLSD")],
    "mo_call_aborted": [(Kind.SEEN, "RLSD")],
    "lu_radio_lost": [(Kind.SEEN, "RLSD")],
    "sms_memory_available": [(Kind.SEEN, "RLSD")],
    "mo_call_handover_no_channel": [
        CALL,
        (Kind.CALL_CONNECTED, "connected"),
        (Kind.CALL_ENDED, "ended"),
    ],
    "cf_register": [(Kind.SS_USED, "ss_ok")],
    "cf_register_refused": [(Kind.SS_USED, "ss_failed")],
    "cf_erase": [(Kind.SS_USED, "ss_ok")],
    "cf_interrogate": [(Kind.SS_USED, "ss_ok")],
    "cw_activate": [(Kind.SS_USED, "ss_ok")],
    "mo_call_handover_intra_bsc": [CALL, (Kind.CALL_CONNECTED, "connected"), (Kind.CALL_ENDED, "ended")],
    "mt_call_handover_intra_bsc": [CALL, (Kind.CALL_CONNECTED, "connected"), (Kind.CALL_ENDED, "ended")],
    "mo_call_handover_inter_msc": [CALL, (Kind.CALL_CONNECTED, "connected"), (Kind.CALL_ENDED, "ended")],
    "mt_call_handover_inter_msc": [CALL, (Kind.CALL_CONNECTED, "connected"), (Kind.CALL_ENDED, "ended")],
    "mo_call_directed_retry_intra_bsc": [
        CALL,
        (Kind.CALL_CONNECTED, "connected"),
        (Kind.CALL_ENDED, "ended"),
    ],
}
CAUSES = {
    Kind.LOCATION_UPDATE_REJECTED: 11,
    Kind.CALL_BUSY: 17,
    Kind.CALL_REJECTED: 21,
    Kind.CALL_VACANT: 1,
    Kind.CALL_UNREACHABLE: 20,
    Kind.CALL_ABANDONED: 16,
    Kind.CALL_ENDED: 16,
}


# TS 29.002 17.7.5, 17.5: SS code * 256 + operation. 0x21 all calls forwarded, 0x41 call waiting.
SERVICES = {
    "cf_register": 0x21 * 256 + 10,
    "cf_register_refused": 0x21 * 256 + 10,
    "cf_erase": 0x21 * 256 + 11,
    "cf_interrogate": 0x21 * 256 + 14,
    "cw_activate": 0x41 * 256 + 12,
}
ERRORS = {"ussd_refused": 36, "cf_register_refused": 17}


def expected(messages: list[Any], kind: str, options: dict[str, Any]) -> list[tuple[Any, ...]]:
    p = Params(**options)
    at = {m.mark: m.t_us for m in messages if m.mark and m.mark != "started"}
    if "call" in kind:
        at["started"] = next((m.t_us for m in messages if m.name == "SETUP"), 0)
    caller = kind.startswith("mo_")
    rows = []
    at["RLSD"] = max((m.t_us for m in messages if m.name == "RLSD"), default=0)
    at["unanswered"] = max((m.t_us for m in messages if m.name == "PAGING"), default=0) + 10_000_000
    handed = at.get("handover")
    wanted = list(TABLE[kind])
    if handed is not None:
        wanted.insert(2, (Kind.HANDOVER, "handover"))
    if "handset" in at:
        wanted.append((Kind.HANDSET_SEEN, "handset"))
    if kind == "mo_call_directed_retry_intra_bsc":
        handed = next(m.t_us for m in messages if m.name == "ASSIGNMENT COMPLETE")
    for what, mark in wanted:
        there = handed is not None and at[mark] >= handed
        role = Role.NONE
        peer = b""
        if what not in (Kind.HANDOVER, Kind.SEEN) and ("call" in kind or "sms" in kind):
            role = Role.CALLER if caller else Role.CALLEE
            peer = (p.called if caller else p.calling).encode()
        cause = CAUSES.get(what, 0)
        detail = 0
        if what is Kind.HANDSET_SEEN:
            detail = int(p.imei)
        if what is Kind.LOCATION_UPDATE:
            detail = p.old_lac
        if what in (Kind.USSD_USED, Kind.SS_USED):
            cause, detail = ERRORS.get(kind, 0), SERVICES.get(kind, 0)
            peer = b"*100#" if what is Kind.USSD_USED else b""
            if kind.startswith("cf_register"):
                peer = p.called.encode()
        if what is Kind.CALL_NO_ANSWER:
            cause = 16 if options.get("released_by", "caller") == "caller" else 19
        if what is Kind.SMS_FAILED:
            cause = 1 if caller else 22
        lasted = at["ended"] - at["connected"] if what is Kind.CALL_ENDED else 0
        lac, ci = (p.lac2, p.ci2) if there else (p.lac, p.ci)
        if what is Kind.PAGING_NO_RESPONSE:
            ci = 0
        rows.append((at[mark], int(p.imsi), int(what), int(role), lac, ci, peer, cause, lasted, detail))
    return sorted(rows)


KINDS = sorted(TABLE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hold_us", [0, 200_000])
def test_every_option_of_a_procedure(wire, kind, hold_us):
    for name, options in wire.variants():
        if name != kind:
            continue
        correlator = Correlator(hold_us=hold_us)
        # Who signs on with a TMSI is known from the location updating before.
        before = wire.story("lu_attach", identity="imsi", new_tmsi=Params().tmsi, bss_ref=9, msc_ref=8)
        before += wire.story(
            "lu_attach", identity="imsi", new_tmsi=Params().tmsi, lac=Params().old_lac, bss_ref=9
        )
        wire.feed(correlator, before)
        messages = wire.story(kind, 100_000_000, **options)
        got = wire.plain(wire.feed(correlator, messages, size=5))
        assert got == expected(messages, kind, options), options
        assert correlator.connections == 0
        assert correlator.holding == 0
        assert correlator.counters["orphans"] == correlator.counters["stale"] == 0


def test_every_procedure_ends_clean(wire):
    """Those of the table and all others: every message decodes, nothing stays open, nothing is left over."""
    kinds = {kind for kind, _ in wire.variants()}
    assert kinds >= set(TABLE)
    for kind in sorted(kinds):
        for hold_us in (0, 200_000):
            correlator = Correlator(hold_us=hold_us)
            messages = wire.story(kind)
            assert not decode_batch(*wire.pack([m.octets for m in messages]))["error"].any(), kind
            wire.feed(correlator, messages)
            counters = correlator.counters
            assert correlator.connections == correlator.holding == 0, kind
            assert counters["orphans"] == counters["stale"] == counters["reused"] == 0, kind


def test_correlation_ids_are_copied_and_change_nothing(wire):
    messages = wire.story("mo_call_answered", handover=True)
    numbered = [
        wire.Message(m.t_us, wire.with_corr(m.octets, 1000 + i), m.stream, m.mark, m.name)
        for i, m in enumerate(messages)
    ]
    bare, with_ids = wire.behaviours(messages), wire.behaviours(numbered)
    assert wire.plain(bare) == wire.plain(with_ids)
    assert bare["corr"].tolist() == [0, 0, 0, 0]
    names = ["SETUP", "CONNECT", "HANDOVER COMPLETE", "DISCONNECT"]
    assert with_ids["corr"].tolist() == [1000 + [m.name for m in messages].index(name) for name in names]


def test_a_call_without_a_release_message_ends_at_clear_command(wire):
    releases = ("DISCONNECT", "RELEASE", "RELEASE COMPLETE")
    messages = [m for m in wire.story("mo_call_answered") if m.name not in releases]
    batch = wire.behaviours(messages)
    assert wire.told(batch) == ["call_started", "call_connected", "call_ended"]
    clear = next(m.t_us for m in messages if m.name == "CLEAR COMMAND")
    connected = next(m.t_us for m in messages if m.name == "CONNECT")
    assert (batch[-1]["t_us"], batch[-1]["cause"], batch[-1]["duration_us"]) == (clear, 0, clear - connected)
    unanswered = [m for m in wire.story("mo_call_no_answer") if m.name not in releases]
    assert wire.told(wire.behaviours(unanswered)) == ["call_started", "call_failed"]


def test_release_complete_in_place_of_call_confirmed_is_busy(wire):
    user = bytes.fromhex("01 00 06 83 6a 08 02 e0 91")
    messages = wire.story("mt_call_answered")
    at = [m.name for m in messages].index("CALL CONFIRMED")
    busy = wire.m3ua(bytes.fromhex("06 040506 00 01") + bytes([len(user)]) + user, True)
    tail = [m for m in messages if m.name in ("CLEAR COMMAND", "CLEAR COMPLETE", "RLSD", "RLC")]
    batch = wire.behaviours([*messages[:at], wire.Message(messages[at].t_us, busy, 1), *tail])
    assert wire.told(batch) == ["call_started", "call_busy"]
    assert (batch[1]["role"], batch[1]["cause"]) == (Role.CALLEE, 17)


def test_the_outcome_table_is_total_and_first_match():
    table = outcome_table()
    assert len(table) == 1024
    assert min(table) >= Kind.CALL_REJECTED
    assert max(table) <= Kind.CALL_FAILED
    for role, uplink, alerted, cause, kind in [
        (1, False, False, 17, Kind.CALL_BUSY),
        (1, False, True, 17, Kind.CALL_REJECTED),
        (1, False, True, 21, Kind.CALL_REJECTED),
        (1, False, False, 1, Kind.CALL_VACANT),
        (1, False, False, 20, Kind.CALL_UNREACHABLE),
        (1, False, True, 19, Kind.CALL_NO_ANSWER),
        (1, True, True, 16, Kind.CALL_NO_ANSWER),
        (1, True, False, 16, Kind.CALL_ABANDONED),
        (1, False, False, 34, Kind.CALL_FAILED),
        (2, True, True, 17, Kind.CALL_REJECTED),
        (2, True, True, 21, Kind.CALL_REJECTED),
        (2, True, False, 17, Kind.CALL_BUSY),
        (2, False, True, 19, Kind.CALL_NO_ANSWER),
        (2, True, True, 41, Kind.CALL_FAILED),
    ]:
        assert outcome(role, uplink, alerted, cause) is kind
        assert table[(((role - 1) * 2 + uplink) * 2 + alerted) * 128 + cause] == kind
    assert all(rule in OUTCOMES for rule in OUTCOMES)


def test_alphanumeric_originators_become_text(wire):
    deliver = bytes.fromhex("04 06 d0 cb701a 00 00 90305001000023 01 41")
    batch = wire.behaviours(wire.story("mt_sms", tpdu=deliver))
    assert batch["peer"].tolist() == [b"Kai"]


@pytest.mark.parametrize("called", ["10086", "*100#", "8613912345678", "12593138123456789a"])
def test_dialled_digits_come_out_as_dialled(wire, called):
    batch = wire.behaviours(wire.story("mo_call_answered", called=called))
    assert set(batch["peer"].tolist()) == {called.encode()}
