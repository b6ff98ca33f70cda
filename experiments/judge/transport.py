"""Random M3UA messages, and the SCCP messages without a connection."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from experiments.judge.draws import digits, octets
from sigtran.m3ua import NAMES, ErrorCode, Message, NotifyStatus, Parameter, Tag
from sigtran.m3ua import encode as encode_m3ua
from sim.bssap import sccp
from sim.bssap.sccp import SccpMessage, Segmentation
from sim.bssap.sccp_address import SSN_BSSAP, Address, GlobalTitle

__all__ = ["GLOBAL_MESSAGES", "MANAGEMENT", "connectionless", "m3ua_message"]

#: SCCP messages that belong to no connection, and CREF.
GLOBAL_MESSAGES: Final = ("UDT", "UDT", "UDT", "UDTS", "XUDT", "XUDTS", "LUDT", "LUDTS", "CREF")
#: BSSMAP messages sent without a connection: TS 48.008 3.2.1.
_PLAIN: Final = (
    "RESET", "RESET ACKNOWLEDGE", "PAGING", "OVERLOAD", "BLOCK", "UNBLOCK", "RESET CIRCUIT",
    "LOAD INDICATION", "UNEQUIPPED CIRCUIT", "CONNECTIONLESS INFORMATION", "RESOURCE REQUEST",
)  # fmt: skip


def _title(rng: Random) -> GlobalTitle:
    """All four forms of Q.713 3.4.2.3; encoding by the number of digits."""
    form = rng.randint(1, 4)
    plan = rng.choice((1, 6, 7))
    written = digits(rng, 6 if form > 2 and plan > 1 else 3, 15)  # TS 23.003: MCC, MNC and more
    if form == 2 and len(written) % 2:
        written += "0"
    return GlobalTitle(
        form, written,
        0 if form > 1 else None,
        plan if form > 2 else None,
        (1 if len(written) % 2 else 2) if form > 2 else None,
        4 if form in (1, 4) else None,
    )  # fmt: skip


def _address(rng: Random) -> Address:
    plain = rng.random() < 0.5
    return Address(
        SSN_BSSAP,
        rng.choice((None, rng.getrandbits(14))),
        None if plain else _title(rng),
        plain or rng.random() < 0.5,
    )


def connectionless(rng: Random, name: str, bss: Callable[[Random, str], bytes]) -> bytes:
    """UDT, XUDT, LUDT with a BSSMAP message, their service messages, or CREF."""
    if name == "CREF":
        return sccp.encode(
            SccpMessage(
                "CREF", destination=rng.getrandbits(24), cause=rng.randrange(20),
                importance=rng.choice((None, rng.randrange(8))),
            )
        )  # fmt: skip
    fields: dict[str, Any] = {
        "called": _address(rng),
        "calling": _address(rng),
        "data": bss(rng, rng.choice(_PLAIN)),
    }
    if name.endswith("S"):
        fields["cause"] = rng.randrange(14)
    else:
        fields["protocol_class"] = rng.choice((0x00, 0x01, 0x80, 0x81))
    if name[0] in "XL":
        fields["hop_counter"] = rng.randint(1, 15)
        fields["importance"] = rng.choice((None, rng.randrange(8)))
        if rng.random() < 0.3:
            # A message in one segment: Q.713 3.17, nothing remains.
            fields["segmentation"] = Segmentation(True, 0, rng.getrandbits(24), rng.random() < 0.5)
    return sccp.encode(SccpMessage(name, **fields))


# ------------------------------------------------------------------ M3UA


def _u32(rng: Random, tag: int, low: int = 1, high: int = 1) -> Parameter:
    return Parameter.integers(tag, *(rng.getrandbits(32) for _ in range(rng.randint(low, high))))


def _text(rng: Random) -> Parameter:
    return Parameter.text(Tag.INFO_STRING, rng.choice(("Kairos", "bss 1", "a longer word", "x")))


def _points(rng: Random) -> Parameter:
    """Affected Point Code: mask and 24 bits (RFC 4666 3.4.1)."""
    return Parameter.integers(
        Tag.AFFECTED_POINT_CODE, *(rng.getrandbits(14) for _ in range(rng.randint(1, 4)))
    )


def _key(rng: Random) -> Parameter:
    """Routing Key, RFC 4666 3.6.1."""
    inner = [
        _u32(rng, Tag.LOCAL_ROUTING_KEY_IDENTIFIER),
        Parameter.integers(Tag.TRAFFIC_MODE_TYPE, rng.randint(1, 3)),
        Parameter.integers(Tag.DESTINATION_POINT_CODE, rng.getrandbits(14)),
        Parameter(Tag.SERVICE_INDICATORS, bytes([3]) if rng.random() < 0.5 else bytes([3, 5])),
        Parameter.integers(Tag.ORIGINATING_POINT_CODE_LIST, rng.getrandbits(14), rng.getrandbits(14)),
    ]
    return Parameter.nested(
        Tag.ROUTING_KEY, [inner[0], *rng.sample(inner[1:2], rng.randint(0, 1)), *inner[2 : rng.randint(3, 5)]]
    )


def _registered(rng: Random) -> Parameter:
    return Parameter.nested(
        Tag.REGISTRATION_RESULT,
        [
            _u32(rng, Tag.LOCAL_ROUTING_KEY_IDENTIFIER),
            Parameter.integers(Tag.REGISTRATION_STATUS, rng.randrange(12)),
            _u32(rng, Tag.ROUTING_CONTEXT),
        ],
    )


def _deregistered(rng: Random) -> Parameter:
    return Parameter.nested(
        Tag.DEREGISTRATION_RESULT,
        [_u32(rng, Tag.ROUTING_CONTEXT), Parameter.integers(Tag.DEREGISTRATION_STATUS, rng.randrange(6))],
    )


def _parameters(rng: Random, name: str) -> list[Parameter]:
    """RFC 4666 3.3-3.8, in the order of its figures."""
    context = _u32(rng, Tag.ROUTING_CONTEXT, 1, 4)
    appearance = _u32(rng, Tag.NETWORK_APPEARANCE)
    info = _text(rng)
    match name:
        case "ERR":
            code = Parameter.integers(Tag.ERROR_CODE, rng.choice(list(ErrorCode)))
            return [code, context, appearance, Parameter(Tag.DIAGNOSTIC_INFORMATION, octets(rng, 4, 40))]
        case "NTFY":
            status = Parameter.integers(Tag.STATUS, rng.choice(list(NotifyStatus)))
            return [status, _u32(rng, Tag.ASP_IDENTIFIER), context, info]
        case "DUNA" | "DAVA" | "DAUD" | "DRST":
            return [appearance, context, _points(rng), info]
        case "SCON":
            concerned = Parameter.integers(Tag.CONCERNED_DESTINATION, rng.getrandbits(14))
            level = Parameter.integers(Tag.CONGESTION_INDICATIONS, rng.randrange(4))
            return [appearance, context, _points(rng), concerned, level, info]
        case "DUPU":
            cause = Parameter.integers(Tag.USER_CAUSE, rng.randrange(3) << 16 | rng.choice((3, 5)))
            return [
                appearance,
                context,
                Parameter.integers(Tag.AFFECTED_POINT_CODE, rng.getrandbits(14)),
                cause,
                info,
            ]
        case "ASPUP" | "ASPUP ACK":
            return [_u32(rng, Tag.ASP_IDENTIFIER), info]
        case "BEAT" | "BEAT ACK":
            return [Parameter(Tag.HEARTBEAT_DATA, octets(rng, 1, 30))]
        case "ASPAC" | "ASPAC ACK":
            return [Parameter.integers(Tag.TRAFFIC_MODE_TYPE, rng.randint(1, 3)), context, info]
        case "ASPIA" | "ASPIA ACK" | "DEREG REQ":
            return [context] if name == "DEREG REQ" else [context, info]
        case "REG REQ":
            return [_key(rng) for _ in range(rng.randint(1, 3))]
        case "REG RSP":
            return [_registered(rng) for _ in range(rng.randint(1, 3))]
        case "DEREG RSP":
            return [_deregistered(rng) for _ in range(rng.randint(1, 3))]
    return [info]


MANAGEMENT: Final = tuple(name for name in NAMES.values() if name != "DATA")
"""M3UA messages that carry no message of a user."""


def m3ua_message(rng: Random, name: str) -> bytes:
    """One of MANAGEMENT, with the parameters of its figure."""
    return encode_m3ua(Message.named(name, *_parameters(rng, name)))
