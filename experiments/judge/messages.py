"""Random traffic for judges: every procedure with every option, and every message type with random elements.

`traffic(seed, count)` is a stream of M3UA messages in the order of the wire: dialogues interleaved as on a
real association, each on a connection of its own. The same seed gives the same octets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from experiments.judge.contents import contents_of
from experiments.judge.draws import cell, digits, octets, plmn, value_of
from experiments.judge.texts import component, cut_to_fit, deliver, relay, submit, ussd_text
from experiments.judge.transport import GLOBAL_MESSAGES, MANAGEMENT, connectionless, m3ua_message
from sigtran.m3ua import DataMessage
from sigtran.m3ua import encode as encode_m3ua
from sim.bssap import bssap, bssmap, dtap, gsm7, sccp, sms
from sim.bssap.bssmap_elements import BY_NAME
from sim.bssap.elements import Element, Message, MessageType, message
from sim.bssap.procedures import LADDERS, OPTION_VALUES, Params, ladder
from sim.bssap.sccp import SccpMessage
from sim.bssap.sccp_address import SSN_BSSAP, Address
from sim.bssap.sms import RP_MESSAGES

__all__ = ["traffic"]

_SINGLES: Final = 24
"""Messages on a connection that carries single messages."""
_OPEN: Final = 8
"""Dialogues interleaved at once."""
_BSSAP: Final = Address(SSN_BSSAP)
_EXPEDITED: Final = b"\xa5"
"""First octet of expedited data: BSSAP has none (TS 48.006 9.2), so it must not look like BSSAP's."""
_DTAP_TYPES: Final = tuple((row.pd, kind) for row in dtap.PROTOCOLS for kind in row.messages)
_CHOICES: Final = {**OPTION_VALUES, "cipher": (None, True, False)}
"""Options in the order in which those of a seed have been drawn ever since judges confirmed its messages."""


@dataclass(frozen=True, slots=True)
class _Route:
    """Where a dialogue runs: point codes of both ends, network, link, references of both ends."""

    bss: int
    msc: int
    ni: int
    sls: int
    references: tuple[int, int, int, int]
    rest: dict[str, int | None]

    def wrap(self, uplink: bool, payload: bytes) -> bytes:
        opc, dpc = (self.bss, self.msc) if uplink else (self.msc, self.bss)
        return encode_m3ua(
            DataMessage(opc=opc, dpc=dpc, si=3, ni=self.ni, sls=self.sls, payload=payload, **self.rest)  # type: ignore[arg-type]
        )


class _Routes:
    """Routes whose references are never given twice."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._next = 0
        self._factor = rng.randrange(1, 1 << 24, 2)

    def _reference(self) -> int:
        """A bijection of the counter, so that all octets of a reference vary."""
        self._next += 1
        return self._next * self._factor & 0xFFFFFF

    def draw(self) -> _Route:
        rng = self._rng
        bss, msc = rng.sample(range(1, 1 << 14), 2)
        rest = {
            "network_appearance": rng.choice((None, rng.getrandbits(32))),
            "routing_context": rng.choice((None, rng.getrandbits(32))),
            "correlation_id": rng.choice((None, rng.getrandbits(32))),
        }
        four = (self._reference(), self._reference(), self._reference(), self._reference())
        return _Route(bss, msc, rng.choice((0, 2, 3)), rng.randrange(16), four, rest)


# ------------------------------------------------------------------ procedures


def _number(rng: Random, kind: str) -> str:
    """A ladder sends 12 digits and more, and all numbers of call forwarding, as international ones."""
    if kind.startswith("cf_") or rng.random() < 0.7:
        return digits(rng, 3, 20)
    return digits(rng, 1, 11, "0123456789*#abc")


def params(rng: Random, kind: str, route: _Route) -> Params:
    """Random values, and random options of that ladder."""
    mcc, mnc = plmn(rng)
    one, two, three, four = route.references
    chosen: dict[str, Any] = {option: rng.choice(_CHOICES[option]) for option in LADDERS[kind].options}
    tpdu = b""
    if "sms" in kind and rng.random() < 0.9:
        tpdu = cut_to_fit(deliver if kind.startswith("mt") else submit, rng)
    menu = [ussd_text(rng).text for _ in range(3)] if "ussd" in kind else ["*100#", "10.50", "1"]
    menu = [text if all(c in gsm7.DEFAULT + "^{}\\[~]|€" for c in text) else "*140#" for text in menu]
    return Params(
        imsi=digits(rng, 15, 15), tmsi=rng.getrandbits(32), new_tmsi=rng.getrandbits(32),
        imei=digits(rng, 15, 15), mcc=mcc, mnc=mnc,
        lac=rng.getrandbits(16), ci=rng.getrandbits(16), old_lac=rng.getrandbits(16),
        lac2=rng.getrandbits(16), ci2=rng.getrandbits(16),
        paging_lacs=tuple(rng.getrandbits(16) for _ in range(rng.randint(0, 8))),
        bss_ref=one, msc_ref=two, bss_ref2=three, msc_ref2=four, ti=rng.randrange(7), ss_ti=rng.randrange(7),
        called=_number(rng, kind), calling=_number(rng, kind) if rng.random() < 0.8 else "",
        cic=rng.getrandbits(16), cic2=rng.getrandbits(16),
        cause=rng.choice((None, None, rng.randrange(128))),
        rand=rng.randbytes(16), rand2=rng.randbytes(16), sres=rng.randbytes(4),
        res_extension=octets(rng, 1, 12), autn=rng.randbytes(16), auts=rng.randbytes(14),
        kc=rng.randbytes(8), cksn=rng.randrange(8), tpdu=tpdu, smsc=digits(rng, 11, 15),
        rp_ref=rng.randrange(256), ussd=menu[0], ussd_text=menu[1], ussd_reply=menu[2],
        handover_reference=rng.randrange(256), handover_cell=rng.randbytes(2), **chosen,
    )  # fmt: skip


def procedure(rng: Random, route: _Route, kind: str) -> list[bytes]:
    """One instance of a ladder."""
    steps = ladder(kind, params(rng, kind, route))
    return [route.wrap(step.uplink, step.payload) for step in steps]


# ------------------------------------------------------------------ single messages


#: Mandatory in the specification (TS 24.008 9.3.17b) and not asked for by the codec: the field leaves it out.
_WANTED: Final = frozenset({("CC-ESTABLISHMENT CONFIRMED", "Bearer capability")})


def layer_3(rng: Random, pd: int, kind: MessageType, *, uplink: bool) -> dtap.Dtap:
    """A message of that type with random optional elements, in the order of its table."""
    elements = [(element.name, _value(rng, element, uplink)) for element in kind.mandatory]
    share = rng.choice((0.0, 0.3, 1.0))
    for element in kind.optional:
        if element.name in kind.required or (kind.name, element.name) in _WANTED or rng.random() < share:
            elements.append((element.name, _value(rng, element, uplink)))
    protocol = dtap.BY_PD[pd]
    ti = flag = sequence = 0
    if protocol.transactions:
        ti, flag = rng.choice((rng.randrange(7), rng.randrange(7), rng.randrange(7, 128))), rng.randrange(2)
        if pd == dtap.PD_SMS:
            ti %= 7  # TS 24.011 takes no extended transaction identifier
    if protocol.sequenced:
        sequence = rng.randrange(4) if uplink else 0
    return dtap.Dtap(pd, message(kind.name, elements), ti, flag, sequence)


def _value(rng: Random, element: Element, uplink: bool) -> Any:
    if element.name.startswith("Facility"):
        return tuple(component(rng) for _ in range(rng.choice((1, 1, 1, 2))))
    if element.name == "CP-User data":
        rows = [row for row in RP_MESSAGES if bool(row.code & 1) != uplink]
        return sms.encode_rp(relay(rng, rng.choice(rows).name, from_network=not uplink))
    return value_of(rng, element)


#: Layer-3 messages that open a connection: TS 48.008 3.1.16.
_INITIAL: Final = tuple(
    (pd, kind) for pd, kind in _DTAP_TYPES
    if kind.name in ("LOCATION UPDATING REQUEST", "CM SERVICE REQUEST", "IMSI DETACH INDICATION",
                     "CM RE-ESTABLISHMENT REQUEST", "PAGING RESPONSE")
)  # fmt: skip
_RR: Final = {kind.name: kind for pd, kind in _DTAP_TYPES if pd == dtap.PD_RR}


def _contained(rng: Random, name: str, element: str) -> bytes:
    """The layer-3 message that a BSSMAP message carries."""
    if element == "Layer 3 Message Contents":
        kind = rng.choice(("CIPHERING MODE COMPLETE",))
        return dtap.encode(layer_3(rng, dtap.PD_RR, _RR[kind], uplink=True))
    if name in ("HANDOVER REQUEST ACKNOWLEDGE", "HANDOVER COMMAND"):
        return dtap.encode(layer_3(rng, dtap.PD_RR, _RR["HANDOVER COMMAND"], uplink=False))
    pd, kind_row = rng.choice(_INITIAL)
    return dtap.encode(layer_3(rng, pd, kind_row, uplink=True))


#: Elements that a judge stumbles over, so that what follows them is seen too; or whose content is another
#: protocol's: RANAP's container (TS 25.413) is not built here.
_RARE: Final = {"Talker Priority": 0.1, "Source RNC to target RNC transparent information (UMTS)": 0.0}


#: What a station sent in this cell is beside it, so it is a GSM cell: discriminators of TS 48.008 3.2.2.17.
_IN_THE_CELL: Final = frozenset(
    {
        "COMPLETE LAYER 3 INFORMATION",
        "UPLINK REQUEST",
        "UPLINK REQUEST CONFIRMATION",
        "UPLINK APPLICATION DATA",
    }
)
_GSM_CELL: Final = (0, 0, 1, 2)
_GSM_CELLS: Final = (0, 1, 2, 4, 5, 6)


def bss_message(rng: Random, name: str, *, utran: bool = True) -> Message:
    """A BSSMAP message with its mandatory elements and random others, in the order of TS 48.008 3.2.1.

    utran: whether cells of other radio networks may be named.
    """
    share = rng.choice((0.0, 0.3, 1.0))
    elements: list[tuple[str, Any]] = []
    for element, wanted in contents_of(name):
        if not wanted and rng.random() >= min(share, _RARE.get(element, 1.0)):
            continue
        if element in ("Layer 3 Information", "Layer 3 Message Contents"):
            elements.append((element, _contained(rng, name, element)))
        elif element == "Cell Identifier" and (name in _IN_THE_CELL or not utran):
            elements.append((element, cell(rng, _GSM_CELL)))
        elif element == "Cell Identifier List" and not utran:
            elements.append((element, cell(rng, _GSM_CELLS, 6)))
        else:
            elements.append((element, value_of(rng, BY_NAME[element], bssmap=True)))
    return message(name, elements)


def _bss(rng: Random, name: str, *, utran: bool = True) -> bytes:
    return bssap.encode(bssap.Bssap(bssap.BSSMAP, bssmap.encode(bss_message(rng, name, utran=utran))))


def _direct(rng: Random, pd: int, kind: MessageType, uplink: bool) -> bytes:
    data = dtap.encode(layer_3(rng, pd, kind, uplink=uplink))
    return bssap.encode(
        bssap.Bssap(bssap.DTAP, data, rng.choice((0, 0x80)) | (3 if pd == dtap.PD_SMS else 0))
    )


#: Their layer 3 is that of the radio network of the cell named before on the connection, here GSM's:
#: TS 48.008 3.2.1.10, 3.2.1.11, 3.2.1.89.
_TO_GSM: Final = frozenset({"HANDOVER REQUEST ACKNOWLEDGE", "HANDOVER COMMAND", "REROUTE COMMAND"})
#: A message type behind BSSAP's header: a BSSMAP name, or a layer-3 row behind its discriminator.
_Plan = str | tuple[int, MessageType]
_PLANS: Final[tuple[_Plan, ...]] = (
    *(row.name for row in bssmap.MESSAGES),
    *_DTAP_TYPES,
    # What it carries is many types in one.
    *(plan for plan in _DTAP_TYPES if plan[1].name == "CP-DATA" for _ in range(7)),
)


def singles(rng: Random, route: _Route, plans: Sequence[_Plan]) -> list[bytes]:
    """A connection with one message of each of the plans, and with those of SCCP's own."""
    bss, msc = route.references[:2]
    utran = _TO_GSM.isdisjoint(plan for plan in plans if isinstance(plan, str))

    def send(uplink: bool, **fields: Any) -> None:
        out.append(route.wrap(uplink, sccp.encode(SccpMessage(**fields))))

    out: list[bytes] = []
    send(
        True, type="CR", source=bss, protocol_class=2, called=_BSSAP, calling=rng.choice((None, _BSSAP)),
        data=cut_to_fit(lambda r: _bss(r, "COMPLETE LAYER 3 INFORMATION"), rng),
        importance=rng.choice((None, rng.randrange(8))), credit=rng.choice((None, rng.randrange(256))),
    )  # fmt: skip
    send(
        False, type="CC", destination=bss, source=msc, protocol_class=2,
        called=rng.choice((None, _BSSAP)), importance=rng.choice((None, rng.randrange(8))),
    )  # fmt: skip
    for plan in plans:
        uplink = rng.random() < 0.5
        destination = msc if uplink else bss
        own = bss if uplink else msc
        data = _fitting(plan, rng, uplink, utran)
        send(uplink, type="DT1", destination=destination, more=False, data=data)
        match rng.choice(("", "", "", "", "DT2", "AK", "IT", "ED", "EA", "RSR", "RSC", "ERR")):
            case "DT2":
                numbers = rng.getrandbits(16) & 0xFEFE  # Q.713 3.9: no more data
                send(uplink, type="DT2", destination=destination, sequencing=numbers, data=data)
            case "AK":
                send(
                    uplink,
                    type="AK",
                    destination=destination,
                    receive_number=rng.randrange(128) << 1,
                    credit=rng.randrange(256),
                )
            case "IT":
                send(
                    uplink,
                    type="IT",
                    destination=destination,
                    source=own,
                    protocol_class=2,
                    sequencing=0,
                    credit=0,
                )
            case "ED":
                send(uplink, type="ED", destination=destination, data=_EXPEDITED + octets(rng, 0, 31))
            case "EA":
                send(uplink, type="EA", destination=destination)
            case "RSR":
                send(uplink, type="RSR", destination=destination, source=own, cause=rng.randrange(11))
            case "RSC":
                send(uplink, type="RSC", destination=destination, source=own)
            case "ERR":
                send(uplink, type="ERR", destination=destination, cause=rng.randrange(5))
    send(
        False,
        type="RLSD",
        destination=bss,
        source=msc,
        cause=rng.randrange(16),
        importance=rng.choice((None, 1)),
    )
    send(True, type="RLC", destination=msc, source=bss)
    return out


def _fitting(plan: _Plan, rng: Random, uplink: bool, utran: bool) -> bytes:
    """What fits into one DT1: 255 octets."""

    def make(rng: Random) -> bytes:
        return _bss(rng, plan, utran=utran) if isinstance(plan, str) else _direct(rng, *plan, uplink)

    while True:
        data = cut_to_fit(make, rng)
        if len(data) <= 255:
            return data


# ------------------------------------------------------------------ the stream


def _dialogues(rng: Random) -> Iterator[list[bytes]]:
    """Every ladder and every message type in turn, again and again, in an order that changes."""
    routes = _Routes(rng)
    kinds, plans = list(LADDERS), list(_PLANS)
    while True:
        rng.shuffle(kinds)
        rng.shuffle(plans)
        others = [list(plans[at : at + _SINGLES]) for at in range(0, len(plans), _SINGLES)]
        for kind in kinds:
            yield procedure(rng, routes.draw(), kind)
            if others and rng.random() < 0.3:
                yield singles(rng, routes.draw(), others.pop())
        for group in others:
            yield singles(rng, routes.draw(), group)
        route = routes.draw()
        yield [route.wrap(rng.random() < 0.5, connectionless(rng, name, _bss)) for name in GLOBAL_MESSAGES]
        yield [m3ua_message(rng, name) for name in rng.sample(MANAGEMENT, len(MANAGEMENT))]


def traffic(seed: int, count: int) -> Iterator[bytes]:
    """`count` M3UA messages, dialogues interleaved."""
    rng = Random(seed)
    source = _dialogues(rng)
    running = [iter(next(source)) for _ in range(_OPEN)]
    made = 0
    while made < count:
        at = rng.randrange(_OPEN)
        octets_ = next(running[at], None)
        if octets_ is None:
            running[at] = iter(next(source))
            continue
        made += 1
        yield octets_
