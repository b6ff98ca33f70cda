"""What an ideal observer of the A interface can know of each act: the rules, as one table.

A rule names the message of a ladder at which the act shows, with the clause that makes it so. The truth
of a run is computed from the ladders by this table alone; no code of the platform takes part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sim.network.templates import Shape, StepLike

VISIBLE: Final = np.dtype(
    [
        ("t_us", np.int64),  # Unix microseconds of the message
        ("imsi", np.uint64),  # 0: the tap could not know it
        ("kind", np.uint8),
        ("role", np.uint8),  # 0 none, 1 caller or sender, 2 callee or receiver
        ("lac", np.uint16),
        ("ci", np.uint16),
        ("peer", "S20"),
        ("cause", np.uint8),
        ("duration_us", np.int64),
        ("detail", np.uint64),  # as the kind says; 0: none
        ("corr", np.int64),  # number of the message
        ("act", np.int64),
        ("rule", "S24"),  # name in RULES
    ]
)
"""One row per visible act, in the order of the messages."""

PAGE_US: Final = 10_000_000
"""A page unanswered for so long after the last PAGING has failed: T3113 of the network (TS 44.018 11.1.2)."""

NONE: Final = 0
CALLER: Final = 1
CALLEE: Final = 2

POWER_ON: Final = 1
POWER_OFF: Final = 2
LOCATION_UPDATE: Final = 3
PERIODIC_UPDATE: Final = 4
LOCATION_UPDATE_REJECTED: Final = 5
IMEI_CHANGED: Final = 6
POWER_OFF_IMPLICIT: Final = 7
ROAMED_IN: Final = 8
ROAMED_OUT: Final = 9
CALL_STARTED: Final = 10
CALL_CONNECTED: Final = 11
CALL_ENDED: Final = 12
CALL_REJECTED: Final = 13
CALL_NO_ANSWER: Final = 14
CALL_BUSY: Final = 15
CALL_VACANT: Final = 16
CALL_UNREACHABLE: Final = 17
CALL_ABANDONED: Final = 18
CALL_FAILED: Final = 19
SMS_SENT: Final = 20
SMS_RECEIVED: Final = 21
SMS_FAILED: Final = 22
USSD_USED: Final = 23
SS_USED: Final = 24
HANDSET_SEEN: Final = 26
HANDOVER: Final = 30
CELL_CHANGED: Final = 31
AREA_ENTERED: Final = 32
PAGING_NO_RESPONSE: Final = 33
SEEN: Final = 34


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which an act shows."""

    name: str
    kind: int
    """Behaviour code."""
    role: int
    ladders: tuple[str, ...]
    mark: str
    """The step of those ladders that defines the time, by its mark or by its message."""
    cause: bool
    """Whether the row carries the cause of the ladder."""
    clause: str
    wording: str
    there: bool = False
    """Whether it shows in the other cell that the ladder names, though on the same connection."""
    peer: bool = False
    """Whether the row carries a number though it has no role."""
    detail: bool = False
    """Whether the row carries the detail of the ladder."""
    page: int = 0
    """1: opens a page, which shows when nobody answers it by PAGE_US after; 2: answers it."""


_MO: Final = (
    "mo_call_answered",
    "mo_call_busy",
    "mo_call_rejected",
    "mo_call_no_answer",
    "mo_call_vacant",
    "mo_call_unreachable",
    "mo_call_abandoned",
    "mo_call_congested",
    "mo_call_assignment_failed",
    "mo_call_directed_retry_intra_bsc",
)
_MT: Final = ("mt_call_answered", "mt_call_rejected", "mt_call_no_answer", "mt_call_assignment_failed")
_MO_ANSWERED: Final = ("mo_call_answered", "mo_call_directed_retry_intra_bsc")
_LU: Final = "TS 24.008 4.4.4.6"
_PAGED: Final = ("paging_only", *_MT, "mt_sms", "mt_sms_failed")
_SERVICES: Final = (
    *(
        f"cf_{operation}{condition}"
        for operation in ("register", "erase", "interrogate")
        for condition in ("", "_busy", "_no_reply", "_not_reachable")
    ),
    "cw_activate",
)

RULES: Final[tuple[Rule, ...]] = (
    Rule("attach_accepted", POWER_ON, NONE, ("lu_attach",), "accepted", False, "TS 24.008 4.4.3",
         "LOCATION UPDATING ACCEPT to a request of type IMSI attach"),
    Rule("detach", POWER_OFF, NONE, ("detach",), "detached", False, "TS 24.008 4.3.4",
         "IMSI DETACH INDICATION; a battery that dies shows nothing"),
    Rule("normal_accepted", LOCATION_UPDATE, NONE, ("lu_normal",), "accepted", False, _LU,
         "LOCATION UPDATING ACCEPT to a request of type normal, also after power-on elsewhere; detail: the "
         "area that the handset says it comes from: LAC, and PLMN << 16 if it is another network's",
         detail=True),
    Rule("periodic_accepted", PERIODIC_UPDATE, NONE, ("lu_periodic",), "accepted", False, "TS 24.008 4.4.2",
         "LOCATION UPDATING ACCEPT to a request of type periodic"),
    Rule("update_rejected", LOCATION_UPDATE_REJECTED, NONE, ("lu_reject",), "rejected", True,
         "TS 24.008 4.4.4.7",
         "LOCATION UPDATING REJECT"),
    Rule("setup_up", CALL_STARTED, CALLER, _MO, "started", False, "TS 24.008 5.2.1.1",
         "SETUP from the caller's station"),
    Rule("setup_down", CALL_STARTED, CALLEE, _MT, "started", False, "TS 24.008 5.2.2.1",
         "SETUP to the called station"),
    Rule("connect_down", CALL_CONNECTED, CALLER, ("mo_call_answered",), "connected", False,
         "TS 24.008 5.2.1.6",
         "CONNECT to the caller's station"),
    Rule("connect_retried", CALL_CONNECTED, CALLER, ("mo_call_directed_retry_intra_bsc",), "connected", False,
         "TS 48.008 3.2.1.3", "the same, in the cell that ASSIGNMENT COMPLETE names", there=True),
    Rule("connect_up", CALL_CONNECTED, CALLEE, ("mt_call_answered",), "connected", False, "TS 24.008 5.2.2.5",
         "CONNECT from the called station"),
    Rule("release_caller", CALL_ENDED, CALLER, _MO_ANSWERED, "ended", True, "TS 24.008 5.4",
         "the first DISCONNECT after CONNECT, on the caller's side"),
    Rule("release_callee", CALL_ENDED, CALLEE, ("mt_call_answered",), "ended", True, "TS 24.008 5.4",
         "the first DISCONNECT after CONNECT, on the called side"),
    Rule("refused_heard", CALL_REJECTED, CALLER, ("mo_call_rejected",), "ended", True, "TS 24.008 5.4.4",
         "DISCONNECT with cause 21 or 17 to the caller after ALERTING"),
    Rule("refused", CALL_REJECTED, CALLEE, ("mt_call_rejected",), "ended", True, "TS 24.008 5.2.2.3.2",
         "DISCONNECT with cause 21 or 17 from the called station after ALERTING"),
    Rule("unanswered_heard", CALL_NO_ANSWER, CALLER, ("mo_call_no_answer",), "ended", True, "TS 24.008 5.4",
         "DISCONNECT on the caller's side after ALERTING and before CONNECT, by the caller or with cause 19"),
    Rule("unanswered", CALL_NO_ANSWER, CALLEE, ("mt_call_no_answer",), "ended", True, "TS 24.008 5.4.4",
         "DISCONNECT to the called station after ALERTING and before CONNECT"),
    Rule("busy_heard", CALL_BUSY, CALLER, ("mo_call_busy",), "ended", True, "TS 24.008 5.4.4",
         "DISCONNECT with cause 17 to the caller without ALERTING; the busy side itself shows nothing"),
    Rule("vacant_heard", CALL_VACANT, CALLER, ("mo_call_vacant",), "ended", True, "TS 24.008 5.4.4",
         "DISCONNECT with cause 1 to the caller"),
    Rule("absent_heard", CALL_UNREACHABLE, CALLER, ("mo_call_unreachable",), "ended", True, "TS 24.008 5.4.4",
         "DISCONNECT with cause 20 to the caller; the absent side shows at most a page without response"),
    Rule("given_up", CALL_ABANDONED, CALLER, ("mo_call_abandoned",), "ended", True, "TS 24.008 5.4.3",
         "DISCONNECT from the caller before ALERTING"),
    Rule("congested", CALL_FAILED, CALLER, ("mo_call_congested",), "ended", True, "TS 24.008 5.4.4",
         "DISCONNECT with cause 34 to the caller: no circuit"),
    Rule("submit_acknowledged", SMS_SENT, CALLER, ("mo_sms",), "sms_ok", False, "TS 24.011 7.3.3",
         "RP-ACK to the sender"),
    Rule("deliver_acknowledged", SMS_RECEIVED, CALLEE, ("mt_sms",), "sms_ok", False, "TS 24.011 7.3.3",
         "RP-ACK from the receiver"),
    Rule("submit_refused", SMS_FAILED, CALLER, ("mo_sms_failed",), "sms_failed", True, "TS 24.011 7.3.4",
         "RP-ERROR to the sender"),
    Rule("deliver_refused", SMS_FAILED, CALLEE, ("mt_sms_failed",), "sms_failed", True, "TS 24.011 7.3.4",
         "RP-ERROR from the receiver"),
    Rule("handover_complete", HANDOVER, NONE, ("mo_call_answered", "mt_call_answered"), "handover", False,
         "TS 48.008 3.1.5.3.3", "HANDOVER COMPLETE on the target connection, tied by COMMON ID"),
    Rule("handover_msc", HANDOVER, NONE, ("mo_call_handover_inter_msc",), "handover", False,
         "TS 23.009 7.1", "the same at another MSC, tied by equal HANDOVER COMMAND octets"),
    Rule("handover_performed", HANDOVER, NONE, ("mo_call_handover_intra_bsc",), "handover", False,
         "TS 48.008 3.2.1.25", "HANDOVER PERFORMED with another cell than before", there=True),
    Rule("imei_told", HANDSET_SEEN, NONE, ("lu_attach",), "handset", False,
         "TS 24.008 9.2.11", "IDENTITY RESPONSE with the IMEI, on a connection that has told the IMSI",
         detail=True),
    Rule("ussd_answered", USSD_USED, NONE, ("ussd_query",), "ss_ok", False, "TS 24.090 6.1",
         "the result of the handset's own request; peer: the code as dialled", peer=True),
    Rule("ussd_refused", USSD_USED, NONE, ("ussd_refused",), "ss_failed", True, "TS 24.090 6.1",
         "the error that answers it; cause: the error code", peer=True),
    Rule("service_answered", SS_USED, NONE, _SERVICES, "ss_ok", False, "TS 24.080 3.6",
         "the result of the handset's request; detail: SS code << 8 | operation, peer: forwarded-to number",
         peer=True, detail=True),
    Rule("page_unanswered", PAGING_NO_RESPONSE, NONE, _PAGED, "PAGING", False, "TS 48.008 3.1.10",
         "PAGE_US after the last PAGING of a subscriber, with no PAGING RESPONSE of his in between", page=1),
    Rule("page_answered", PAGING_NO_RESPONSE, NONE, _PAGED, "PAGING RESPONSE", False, "TS 24.008 3.4.1",
         "nothing: it ends the wait", page=2),
    Rule("channel_caller", CALL_FAILED, CALLER, ("mo_call_assignment_failed",), "ended", True,
         "TS 24.008 5.4.4", "DISCONNECT with cause 47 to the caller after ASSIGNMENT FAILURE"),
    Rule("channel_callee", CALL_FAILED, CALLEE, ("mt_call_assignment_failed",), "ended", True,
         "TS 24.008 5.4.4", "DISCONNECT to the called station after ASSIGNMENT FAILURE, before ALERTING"),
    Rule("lost_caller", CALL_ENDED, CALLER, ("mo_call_radio_lost",), "cleared", True, "TS 48.008 3.2.1.20",
         "CLEAR COMMAND after a CLEAR REQUEST in the conversation, on the caller's side"),
    Rule("lost_callee", CALL_ENDED, CALLEE, ("mt_call_radio_lost",), "cleared", True, "TS 48.008 3.2.1.20",
         "the same on the called side"),
)  # fmt: skip
"""The visibility rules. A ladder not named here shows nothing. What follows from these rows with memory of
the subscriber (cells changed, silence, another handset, roaming) is in `sim.network.derived`."""

_INDEX: Final = {(ladder, rule.mark): i for i, rule in enumerate(RULES) for ladder in rule.ladders}
_NO_CIRCUIT: Final = 34


def rule_of(shape: Shape, step: StepLike) -> int:
    """Index into RULES of a step of a ladder; -1: it shows nothing by itself."""
    kind = shape.kind
    if kind == "mo_call_busy" and ("cause", _NO_CIRCUIT) in shape.options:
        kind = "mo_call_congested"
    found = _INDEX.get((kind, step.mark), -1)
    return found if found >= 0 else _INDEX.get((kind, step.name), -1)
