"""Short messages between people: up to the service centre, kept there, and down again (TS 23.040)."""

from __future__ import annotations

from typing import Final, NamedTuple

from sim.network import acts, intents, tpdus
from sim.network.core import DELIVERY, TEXT, Core, StoredText
from sim.network.paging import authenticates, page_in_vain, response_us, security

_VALIDITY_US: Final = 48 * 3_600_000_000
_CENTRE_US: Final = (400_000, 1_600_000)  # time in the service centre: least, and range above it
_RETRY_US: Final = 300_000_000
# Out of 256.
_SUBMIT_FAILS, _MEMORY_FULL = 1, 1
NETWORK_OUT_OF_ORDER: Final = 38
MEMORY_EXCEEDED: Final = 22


class Text(NamedTuple):
    """One row of the day's texts."""

    kind: int
    peer_sub: int
    peer_number: str
    body: bytes


class Attempt(NamedTuple):
    """What came of an attempt to send or deliver."""

    outcome: str
    """delivered (or sent), refused, absent; later: the station is busy until `at_us`."""
    at_us: int
    """When that is known: at RP-ACK or RP-ERROR."""


def text(core: Core, t_us: int, sub: int, wish: Text) -> None:
    """Settles one text meant by `sub` (from other networks: meant for `sub`)."""
    if wish.kind == intents.TEXT_IN:
        receive(core, t_us, sub, StoredText(wish.peer_number, wish.body, t_us, t_us + _VALIDITY_US))
        return
    number = wish.peer_number or core.switch.number(wish.peer_sub)
    attempt = send(core, t_us, sub, number, wish.body, peer_sub=wish.peer_sub)
    if attempt.outcome == "later":
        core.agenda.push(attempt.at_us, sub, TEXT, wish)
    elif attempt.outcome == "absent":
        core.switch.act(t_us, sub, acts.TEXT_SENT, b"no service", wish.peer_sub, number.encode())
    elif attempt.outcome == "delivered" and wish.kind == intents.TEXT_INSIDE:
        stored = StoredText(core.switch.number(sub), wish.body, attempt.at_us, attempt.at_us + _VALIDITY_US)
        words = core.switch.chance(wish.peer_sub, "paging")
        through_us = _CENTRE_US[0] + (words[0] * _CENTRE_US[1] >> 32)
        core.agenda.push(attempt.at_us + through_us, wish.peer_sub, DELIVERY, stored)


def send(
    core: Core, t_us: int, sub: int, number: str, body: bytes, *, peer_sub: int = -1, purpose: str = "options"
) -> Attempt:
    """One mobile-originated short message, TS 24.011 5."""
    station = core.stations
    if not station.camped[sub]:
        return Attempt("absent", t_us)
    if station.busy_until_us[sub] > t_us:
        return Attempt("later", station.free_us(sub, t_us))
    words = core.switch.chance(sub, purpose)
    fails = words[2] & 0xFF < _SUBMIT_FAILS
    kind, cause = ("mo_sms_failed", NETWORK_OUT_OF_ORDER) if fails else ("mo_sms", 0)
    options = security(words, ("cause", cause)) if fails else security(words)
    tpdu = tpdus.submit(words[3] >> 8 & 0xFF, number, body)
    leg = core.switch.leg(kind, options, t_us, words, tpdu_length=len(tpdu))
    outcome = "refused" if fails else "delivered"
    act = core.switch.act(t_us, sub, acts.TEXT_SENT, outcome.encode(), peer_sub, number.encode())
    end_us = core.switch.begin(
        leg, act, sub, station.cell[sub], words, tmsi=core.vlr.tmsi[sub], identified=True,
        peer=number.encode(), cause=cause, tpdu=tpdu, fresh_vectors=authenticates(options),
    )  # fmt: skip
    core.vlr.known[sub] = 1
    core.vlr.last_seen_us[sub] = station.busy_until_us[sub] = end_us
    return Attempt(outcome, leg.time("sms_failed" if fails else "sms_ok"))


def receive(core: Core, t_us: int, sub: int, stored: StoredText) -> None:
    """One attempt to deliver a text between people; the centre keeps what cannot be delivered."""
    if t_us >= stored.until_us:
        core.switch.act(t_us, sub, acts.TEXT_RECEIVED, b"expired", -1, stored.originator.encode())
        return
    attempt = deliver(core, t_us, sub, stored.originator, stored.body, core.clock.stamp(stored.sent_us))
    if attempt.outcome == "later":
        core.agenda.push(attempt.at_us, sub, DELIVERY, stored)
    elif attempt.outcome == "refused":
        core.agenda.push(attempt.at_us + _RETRY_US, sub, DELIVERY, stored)
    elif attempt.outcome == "absent":
        core.stored.setdefault(sub, []).append(stored)


def deliver(
    core: Core,
    t_us: int,
    sub: int,
    originator: str,
    body: bytes,
    stamp: bytes,
    *,
    header: bool = False,
    more: bool = False,
    purpose: str = "options",
) -> Attempt:
    """One mobile-terminated short message, TS 24.011 5: page, connection, RP-DATA, RP-ACK."""
    station = core.stations
    if not core.vlr.attached(sub, t_us):
        return Attempt("absent", t_us)
    if station.busy_until_us[sub] > t_us:
        return Attempt("later", station.free_us(sub, t_us))
    if not core.hears_page(sub):
        page_in_vain(core, t_us, sub, purpose if purpose != "options" else "paging")
        return Attempt("absent", t_us)
    words = core.switch.chance(sub, purpose)
    full = words[2] & 0xFF < _MEMORY_FULL
    kind, cause = ("mt_sms_failed", MEMORY_EXCEEDED) if full else ("mt_sms", 0)
    options = security(words, ("cause", cause)) if full else security(words)
    tpdu = tpdus.deliver(originator, stamp, body, header=header, more=more)
    leg = core.switch.leg(kind, options, t_us, words, tpdu_length=len(tpdu), page_us=response_us(words))
    outcome = "refused" if full else "delivered"
    act = core.switch.act(t_us, sub, acts.TEXT_RECEIVED, outcome.encode(), -1, originator.encode())
    end_us = core.switch.begin(
        leg, act, sub, station.cell[sub], words, tmsi=core.vlr.tmsi[sub], identified=True,
        peer=originator.encode(), cause=cause, tpdu=tpdu, fresh_vectors=authenticates(options),
    )  # fmt: skip
    core.vlr.known[sub] = 1
    core.vlr.last_seen_us[sub] = station.busy_until_us[sub] = end_us
    return Attempt(outcome, leg.time("sms_failed" if full else "sms_ok"))
