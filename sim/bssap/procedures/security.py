"""Authentication and ciphering that fail or are repeated: TS 24.008 4.3.2; TS 48.008 3.1.14."""

from __future__ import annotations

from sim.bssap import mm
from sim.bssap.procedures import calls, location
from sim.bssap.procedures.dialogue import Dialogue
from sim.bssap.procedures.params import Params, Step

#: MM causes of AUTHENTICATION FAILURE, TS 24.008 10.5.3.6.
MAC_FAILURE = 20
SYNCH_FAILURE = 21
#: BSSMAP cause: ciphering algorithm not supported, TS 48.008 3.2.2.5.
NO_SUCH_CIPHER = 0x40


def _update(p: Params) -> Dialogue:
    d = Dialogue(p)
    location.ask(d, mm.UPDATING_NORMAL)
    d.identify()
    return d


def _call(p: Params) -> Dialogue:
    d = Dialogue(p)
    calls.ask_service(d, mm.SERVICE_CALL)
    d.identify()
    return d


def _paged(p: Params) -> Dialogue:
    d = Dialogue(p, network_started=True)
    calls.respond_to_page(d)
    d.identify()
    return d


def _turn_away(d: Dialogue) -> tuple[Step, ...]:
    """AUTHENTICATION REJECT: the station stays out until it is switched on again: TS 24.008 4.3.2.5."""
    d.mm(False, "AUTHENTICATION REJECT", after_ms=40, mark="rejected")
    d.clear()
    return d.done()


def _wrong_response(d: Dialogue) -> tuple[Step, ...]:
    d.challenge(d.p.rand)
    d.answer_challenge()
    return _turn_away(d)


def lu_auth_rejected(p: Params) -> tuple[Step, ...]:
    return _wrong_response(_update(p))


def mo_call_auth_rejected(p: Params) -> tuple[Step, ...]:
    return _wrong_response(_call(p))


def mt_call_auth_rejected(p: Params) -> tuple[Step, ...]:
    return _wrong_response(_paged(p))


def _fail(d: Dialogue, cause: int) -> None:
    """AUTHENTICATION FAILURE; with a synch failure comes what the home register needs to catch up."""
    d.mm(
        True,
        "AUTHENTICATION FAILURE",
        {
            "Reject cause": cause,
            "Authentication failure parameter": d.p.auts if cause == SYNCH_FAILURE else ...,
        },
        after_ms=300,
    )


def _resynchronise(d: Dialogue) -> None:
    """The sequence numbers have drifted apart; the second challenge is a fresh one: 4.3.2.6 d."""
    p = d.p
    d.challenge(p.rand, p.autn)
    _fail(d, SYNCH_FAILURE)
    d.challenge(p.rand2, p.autn, after_ms=600)
    d.answer_challenge(p.res_extension)


def lu_auth_resync(p: Params) -> tuple[Step, ...]:
    d = _update(p)
    _resynchronise(d)
    d.settle()
    return location.accept(d)


def mo_call_auth_resync(p: Params) -> tuple[Step, ...]:
    d = _call(p)
    _resynchronise(d)
    if not d.settle():
        d.mm(False, "CM SERVICE ACCEPT")
    calls.propose_call(d)
    calls.assign(d)
    calls.ring_out(d)
    return calls.end(d, True, wait="talk")


def _distrust(d: Dialogue) -> None:
    """The station takes the network for a false one; the network asks who it is: 4.3.2.6 c."""
    p = d.p
    d.challenge(p.rand, p.autn)
    _fail(d, MAC_FAILURE)
    if p.identity == "tmsi" and not p.ask_identity:
        d.ask_identity()
    d.challenge(p.rand2, p.autn, after_ms=600)


def lu_auth_mac_failure(p: Params) -> tuple[Step, ...]:
    """The TMSI was another's: with the right subscriber's vector all is well."""
    d = _update(p)
    _distrust(d)
    d.answer_challenge(p.res_extension)
    d.settle()
    return location.accept(d)


def lu_auth_mac_rejected(p: Params) -> tuple[Step, ...]:
    """It fails again, and the network gives up."""
    d = _update(p)
    _distrust(d)
    _fail(d, MAC_FAILURE)
    return _turn_away(d)


def _no_cipher(d: Dialogue) -> None:
    """CIPHER MODE REJECT: TS 48.008 3.2.1.48."""
    p = d.p
    if p.auth:
        d.challenge(p.rand)
        d.answer_challenge()
    d.common_id()
    d.start_ciphering()
    cause = NO_SUCH_CIPHER if p.cause is None else p.cause
    d.bssmap(True, "CIPHER MODE REJECT", {"Cause": cause}, after_ms=30)


def lu_cipher_rejected(p: Params) -> tuple[Step, ...]:
    d = _update(p)
    _no_cipher(d)
    return location.reject(d, location.NETWORK_FAILURE)


def mo_call_cipher_rejected(p: Params) -> tuple[Step, ...]:
    d = _call(p)
    _no_cipher(d)
    d.mm(False, "CM SERVICE REJECT", {"Reject cause": location.NETWORK_FAILURE}, mark="rejected")
    d.clear()
    return d.done()


def mt_call_cipher_rejected(p: Params) -> tuple[Step, ...]:
    """The call has not been offered yet: the connection is cleared."""
    d = _paged(p)
    _no_cipher(d)
    d.clear(NO_SUCH_CIPHER if p.cause is None else p.cause)
    return d.done()
