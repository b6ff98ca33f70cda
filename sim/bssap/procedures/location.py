"""Location updating, IMSI detach: TS 24.008 4.3.4, 4.4; TS 48.008 3.1.16."""

from __future__ import annotations

from sim.bssap import dtap, mm
from sim.bssap.elements import message
from sim.bssap.identity import Lai, MobileIdentity, tmsi
from sim.bssap.procedures.dialogue import ASK_IMEI, CLASSMARK_1, Dialogue
from sim.bssap.procedures.params import Params, Step

#: MM reject causes, TS 24.008 10.5.3.6.
PLMN_NOT_ALLOWED = 11
NETWORK_FAILURE = 17
#: What a location updating is refused with, at home and above all as a guest: name, cause, meaning.
REJECTS = (
    ("imsi_unknown", 2, "IMSI unknown in HLR"),
    ("illegal_ms", 3, "illegal MS"),
    ("illegal_me", 6, "illegal ME"),
    ("plmn", 11, "PLMN not allowed"),
    ("area", 12, "location area not allowed"),
    ("roaming", 13, "roaming not allowed in this location area"),
    ("no_cells", 15, "no suitable cells in location area"),
    ("network_failure", NETWORK_FAILURE, "network failure"),
)


def ask(d: Dialogue, updating_type: int, *, refused: int | None = None) -> None:
    """LOCATION UPDATING REQUEST."""
    p = d.p
    request = message(
        "LOCATION UPDATING REQUEST",
        {
            "Location updating type": updating_type,
            "Ciphering key sequence number": p.cksn,
            "Location area identification": Lai(p.old_mcc or p.mcc, p.old_mnc or p.mnc, p.old_lac),
            "Mobile station classmark 1": CLASSMARK_1,
            "Mobile identity": d.identity,
        },
    )
    d.open(dtap.Dtap(dtap.PD_MM, request), mark="started", refused=refused)


def updating(p: Params, updating_type: int) -> tuple[Step, ...]:
    """Request, security, accept."""
    d = Dialogue(p)
    ask(d, updating_type)
    d.secure()
    return accept(d)


def accept(d: Dialogue) -> tuple[Step, ...]:
    """LOCATION UPDATING ACCEPT with or without a new TMSI, perhaps after the question for the IMEI."""
    p = d.p
    if p.ask_imei:
        d.mm(False, "IDENTITY REQUEST", {"Identity type": ASK_IMEI, "Spare half octet": 0})
        handset = {"Mobile identity": MobileIdentity("IMEI", p.imei)}
        d.mm(True, "IDENTITY RESPONSE", handset, after_ms=200, mark="handset")
    new = p.new_tmsi if p.reallocate else None
    d.mm(
        False,
        "LOCATION UPDATING ACCEPT",
        {
            "Location area identification": d.lai,
            "Mobile identity": tmsi(new) if new is not None else ...,
        },
        after_ms=60,
        mark="accepted",
    )
    if new is not None:
        d.mm(True, "TMSI REALLOCATION COMPLETE", after_ms=120)
    d.clear()
    return d.done()


def lu_normal(p: Params) -> tuple[Step, ...]:
    return updating(p, mm.UPDATING_NORMAL)


def lu_periodic(p: Params) -> tuple[Step, ...]:
    return updating(p, mm.UPDATING_PERIODIC)


def lu_attach(p: Params) -> tuple[Step, ...]:
    return updating(p, mm.UPDATING_IMSI_ATTACH)


def reject(d: Dialogue, cause: int) -> tuple[Step, ...]:
    d.mm(False, "LOCATION UPDATING REJECT", {"Reject cause": cause}, after_ms=60, mark="rejected")
    d.clear()
    return d.done()


def rejected(usual: int, p: Params) -> tuple[Step, ...]:
    """A location updating refused with cause `usual`, unless `p.cause` says another."""
    d = Dialogue(p)
    ask(d, mm.UPDATING_NORMAL)
    d.secure()
    return reject(d, usual if p.cause is None else p.cause)


def lu_reject(p: Params) -> tuple[Step, ...]:
    return rejected(PLMN_NOT_ALLOWED, p)


def detach(p: Params) -> tuple[Step, ...]:
    """The station switches off and waits for no answer: TS 24.008 4.3.4."""
    d = Dialogue(p)
    indication = message(
        "IMSI DETACH INDICATION", {"Mobile station classmark 1": CLASSMARK_1, "Mobile identity": d.identity}
    )
    d.open(dtap.Dtap(dtap.PD_MM, indication), mark="detached")
    d.clear()
    return d.done()
