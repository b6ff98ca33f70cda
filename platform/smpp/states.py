"""The session's state machine as tables: SMPP 3.4 2.2 and table 2-1. No code beyond look-ups."""

from enum import Enum

from smpp import pdu


class State(Enum):
    """Where a session stands.

    BINDING and UNBINDING: our request is out, its response is not in yet. LEAVING: the peer has asked to
    unbind and is answered when it has answered us.
    """

    OPEN = "open"
    BINDING = "binding"
    BOUND_TX = "bound_tx"
    BOUND_RX = "bound_rx"
    BOUND_TRX = "bound_trx"
    UNBINDING = "unbinding"
    LEAVING = "leaving"
    CLOSED = "closed"

    # Members are single and equal to themselves only; Enum's own hash is a call of Python for each look-up.
    __hash__ = object.__hash__


class Role(Enum):
    """Which end of the connection we are."""

    ESME = "esme"
    SMSC = "smsc"

    __hash__ = object.__hash__


_TX_TRX = frozenset({State.BOUND_TX, State.BOUND_TRX})
_RX_TRX = frozenset({State.BOUND_RX, State.BOUND_TRX})
BOUND = _TX_TRX | _RX_TRX
_ALIVE = BOUND | {State.OPEN, State.BINDING, State.UNBINDING, State.LEAVING}
_OPEN = frozenset({State.OPEN})
_NEVER: frozenset[State] = frozenset()

BOUND_BY: dict[type[pdu.Body], State] = {
    pdu.BindTransmitter: State.BOUND_TX,
    pdu.BindReceiver: State.BOUND_RX,
    pdu.BindTransceiver: State.BOUND_TRX,
}
"""The state that each bind leads to."""

ISSUED: dict[type[pdu.Body], dict[Role, frozenset[State]]] = {
    # request: in which states the ESME may issue it, and the SMSC
    pdu.BindTransmitter: {Role.ESME: _OPEN, Role.SMSC: _NEVER},
    pdu.BindReceiver: {Role.ESME: _OPEN, Role.SMSC: _NEVER},
    pdu.BindTransceiver: {Role.ESME: _OPEN, Role.SMSC: _NEVER},
    pdu.Outbind: {Role.ESME: _NEVER, Role.SMSC: _OPEN},
    pdu.Unbind: {Role.ESME: BOUND, Role.SMSC: BOUND},
    pdu.EnquireLink: {Role.ESME: _ALIVE, Role.SMSC: _ALIVE},
    pdu.SubmitSm: {Role.ESME: _TX_TRX, Role.SMSC: _NEVER},
    pdu.SubmitMulti: {Role.ESME: _TX_TRX, Role.SMSC: _NEVER},
    pdu.DataSm: {Role.ESME: _TX_TRX, Role.SMSC: _RX_TRX},
    pdu.DeliverSm: {Role.ESME: _NEVER, Role.SMSC: _RX_TRX},
    pdu.QuerySm: {Role.ESME: _TX_TRX, Role.SMSC: _NEVER},
    pdu.CancelSm: {Role.ESME: _TX_TRX, Role.SMSC: _NEVER},
    pdu.ReplaceSm: {Role.ESME: _TX_TRX, Role.SMSC: _NEVER},
    pdu.AlertNotification: {Role.ESME: _NEVER, Role.SMSC: _RX_TRX},
}

MESSAGE_REQUESTS = frozenset({pdu.SubmitSm, pdu.SubmitMulti, pdu.DataSm})
"""What a limit on messages a second counts."""

TRANSITIONS: dict[tuple[State, str], State] = {
    # (state, what happened) -> state; `bound` leads to BOUND_BY of the bind request
    (State.OPEN, "bind sent"): State.BINDING,
    (State.BINDING, "bind refused"): State.OPEN,
    (State.BOUND_TX, "unbind sent"): State.UNBINDING,
    (State.BOUND_RX, "unbind sent"): State.UNBINDING,
    (State.BOUND_TRX, "unbind sent"): State.UNBINDING,
    (State.BOUND_TX, "unbind received"): State.LEAVING,
    (State.BOUND_RX, "unbind received"): State.LEAVING,
    (State.BOUND_TRX, "unbind received"): State.LEAVING,
}
"""`closed` leads to CLOSED from everywhere."""


def other(role: Role) -> Role:
    """The peer's role."""
    return Role.SMSC if role is Role.ESME else Role.ESME
