"""Short messages that fail, and the news that there is room again: TS 24.011 7.2.3, 7.3."""

from __future__ import annotations

from sim.bssap import dtap, mm, tpdu
from sim.bssap.elements import message
from sim.bssap.procedures import texts
from sim.bssap.procedures.calls import request_service
from sim.bssap.procedures.default_tpdu import STAMP
from sim.bssap.procedures.dialogue import Dialogue
from sim.bssap.procedures.params import Params, Step

#: RP causes in an RP-ERROR to the station, TS 24.011 table 8.4: name, cause, meaning.
MO_CAUSES = (
    ("barred", 10, "call barred"),
    ("rejected", 21, "short message transfer rejected"),
    ("unidentified", 28, "unidentified subscriber"),
    ("unknown_subscriber", 30, "unknown subscriber"),
    ("out_of_order", 38, "network out of order"),
    ("congestion", 42, "congestion"),
    ("not_subscribed", 50, "requested facility not subscribed"),
)
#: The same from the station.
MT_CAUSES = (
    ("memory_full", 22, "memory capacity exceeded"),
    ("protocol_error", 111, "protocol error, unspecified"),
)
#: CP causes, TS 24.011 table 8.2.
NETWORK_FAILURE = 17
CP_PROTOCOL_ERROR = 111
#: TP failure causes, TS 23.040 9.2.3.22: SC system failure; SIM SMS storage full.
CENTRE_FAILURE = 0xC2
STORAGE_FULL = 0xD0
#: RP causes that go with them.
_OUT_OF_ORDER = 38
#: BSSMAP cause: BSS not equipped, TS 48.008 3.2.2.5.
_NOT_EQUIPPED = 0x25
#: DLCI of short messages: SAPI 3 on the main signalling channel, TS 48.006 9.3.2.
_SAPI_3 = 3


def mo_failed(usual: int, p: Params) -> tuple[Step, ...]:
    return texts.fail(texts.submit(p), False, usual if p.cause is None else p.cause)


def mt_failed(usual: int, p: Params) -> tuple[Step, ...]:
    return texts.fail(texts.deliver(p), True, usual if p.cause is None else p.cause)


def mo_sms_failed_report(p: Params) -> tuple[Step, ...]:
    """RP-ERROR with the centre's own words in it."""
    report = tpdu.encode(tpdu.Report(True, CENTRE_FAILURE, STAMP))
    return texts.fail(texts.submit(p), False, _OUT_OF_ORDER if p.cause is None else p.cause, report)


def mt_sms_failed_report(p: Params) -> tuple[Step, ...]:
    report = tpdu.encode(tpdu.Report(False, STORAGE_FULL))
    cause = texts.MEMORY_EXCEEDED if p.cause is None else p.cause
    return texts.fail(texts.deliver(p), True, cause, report)


def _cp_error(d: Dialogue, uplink: bool, usual: int) -> tuple[Step, ...]:
    """CP-ERROR in place of the CP-ACK ends the transaction."""
    cause = usual if d.p.cause is None else d.p.cause
    d.dtap(uplink, dtap.PD_SMS, "CP-ERROR", {"CP-Cause": cause}, after_ms=80, mark="sms_failed")
    d.clear()
    return d.done()


def mo_sms_cp_error(p: Params) -> tuple[Step, ...]:
    return _cp_error(texts.submit(p), False, NETWORK_FAILURE)


def mt_sms_cp_error(p: Params) -> tuple[Step, ...]:
    return _cp_error(texts.deliver(p), True, CP_PROTOCOL_ERROR)


def mt_sms_sapi_rejected(p: Params) -> tuple[Step, ...]:
    """The BSS cannot set up the link for short messages: TS 48.008 3.2.1.34."""
    d = texts.deliver(p)
    cause = _NOT_EQUIPPED if p.cause is None else p.cause
    d.bssmap(True, 'SAPI "n" REJECT', {"DLCI": _SAPI_3, "Cause": cause}, after_ms=200, mark="sms_failed")
    d.clear()
    return d.done()


def sms_memory_available(p: Params) -> tuple[Step, ...]:
    """RP-SMMA: the station has room again, and the centre may try: TS 24.011 7.3.2."""
    d = Dialogue(p)
    request_service(d, mm.SERVICE_SMS)
    texts.cp_data(d, True, "RP-SMMA", message("RP-SMMA"), after_ms=120, mark="started")
    return texts.acknowledge(d, False)
