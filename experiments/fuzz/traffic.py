"""Sound A interface traffic for the fuzzer: the procedures, and every message that a table names.

Everything is a function of the draws handed in. Ladders give what networks say; the tables of the reference
codec give the rest of the messages and elements, with contents drawn from what each element may hold.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any, Final

from sim.bssap import (
    ber,
    bssap,
    bssmap,
    bssmap_elements,
    cc_elements,
    dtap,
    mm,
    sccp,
    sms,
    ss_components,
    tpdu,
)
from sim.bssap.cc_elements import PartyNumber
from sim.bssap.cells import DISCRIMINATORS, SIZES
from sim.bssap.elements import Codec, Element, MessageType
from sim.bssap.errors import EncodeError
from sim.bssap.identity import MobileIdentity, encode_mobile_identity
from sim.bssap.octets import push_bcd
from sim.bssap.procedures import LADDERS, OPTION_VALUES, Params, ladder
from sim.bssap.sccp_address import Address, GlobalTitle
from sim.bssap.user_data import UserData, text_user_data

__all__ = ["Draws", "in_m3ua", "sound_messages"]

#: Octets of one BSSAP message at most (TS 48.006 9.3: its length has one octet), with room for SCCP's own.
_USER_MAX: Final = 230
_SI_SCCP: Final = 3
#: Most optional elements and longest content that a table-made message gets; short ones meet more borders.
_CONTENT: Final = 12
_KINDS: Final = tuple(LADDERS)


class Draws:
    """Numbers that depend on seed and counter alone: made of `getrandbits`, which Python keeps as it is."""

    def __init__(self, seed: int, counter: int) -> None:
        self._bits = random.Random(seed << 64 | counter).getrandbits

    def below(self, n: int) -> int:
        """0 to n - 1."""
        return self._bits(32) * n >> 32

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def pick(self, values: Any) -> Any:
        return values[self.below(len(values))]

    def octets(self, n: int) -> bytes:
        return self._bits(8 * n).to_bytes(n, "big") if n else b""

    def digits(self, n: int) -> str:
        return "".join(str(self.below(10)) for _ in range(n))


# ------------------------------------------------------------------ contents of elements


def _identity(d: Draws) -> bytes:
    kind = d.pick(("IMSI", "IMSI", "TMSI", "TMSI", "IMEI", "IMEISV", "no identity", "TMGI"))
    if kind == "TMSI":
        return encode_mobile_identity(MobileIdentity(kind, tmsi=d.below(1 << 32)))
    if kind in ("no identity", "TMGI"):
        return bytes([0xF0 if kind == "no identity" else 0xF5]) + d.octets(d.below(4))
    digits = {"IMSI": d.between(6, 15), "IMEI": 15, "IMEISV": 16}[kind]
    return encode_mobile_identity(MobileIdentity(kind, d.digits(digits)))


def _imsi(d: Draws) -> bytes:
    return encode_mobile_identity(MobileIdentity("IMSI", d.digits(d.between(6, 15))))


def _cells(d: Draws, most: int) -> bytes:
    kind = d.pick(tuple(DISCRIMINATORS))
    size = sum(SIZES[field] for field in DISCRIMINATORS[kind])
    return bytes([kind | d.pick((0, 0, 0, 0x50))]) + d.octets(size * d.between(1, most))


def _number(d: Draws) -> bytes:
    digits = "".join(d.pick("0123456789*#abc") for _ in range(d.pick((0, 1, 5, 11, 13, 20, 21, 33))))
    head = bytes([0x80 | d.below(128)]) if d.chance(70) else bytes([d.below(128), d.below(256)])
    return head + push_bcd(digits, "digits")


def _cause(d: Draws) -> bytes:
    head = bytes([0x80 | d.below(128)]) if d.chance(80) else bytes([d.below(128), d.below(256)])
    return head + d.octets(1) + d.octets(d.pick((0, 0, 0, 2, 5)))


def _bssmap_cause(d: Draws) -> bytes:
    return bytes([d.below(128)]) if d.chance(80) else bytes([0x80 | d.below(128), d.below(256)])


def _ss_argument(d: Draws, code: int) -> bytes:
    """The argument of an operation of TS 29.002 17.5: a USSD string, an SS code, a number, or none."""
    if code in ss_components.USSD_OPERATIONS:
        text = "".join(d.pick("0123456789*#") for _ in range(d.between(1, 24)))
        ussd = ss_components.ussd(text if d.chance(70) else "Your balance"[: d.between(1, 12)])
        dcs = d.pick((ussd.dcs, ussd.dcs, 0x48, 0x44, 0x11))
        return ss_components.encode_ussd(ss_components.Ussd(ussd.octets, dcs))
    if d.chance(20):
        return bytes([4, 1, d.below(256)])
    number = PartyNumber(d.digits(d.between(1, 21)), d.pick((0, 1))) if d.chance(60) else None
    return ss_components.encode_ss_argument(
        ss_components.SsArgument(d.pick(tuple(ss_components.SS_CODES)), None, d.below(256), number)
    )


_KINDS_OF_COMPONENT: Final = (
    ss_components.INVOKE, ss_components.INVOKE, ss_components.RETURN_RESULT, ss_components.RETURN_ERROR,
    ss_components.REJECT,
)  # fmt: skip
#: Operations whose argument a column tells of, and a few others.
_OPERATIONS: Final = (59, 60, 61, 10, 10, 11, 12, 13, 14, 15, 16, 17, 19, 124)


def _facility(d: Draws) -> bytes:
    kind = d.pick(_KINDS_OF_COMPONENT)
    code = d.pick(_OPERATIONS)
    argument = _ss_argument(d, code) if d.chance(80) else b""
    invoke, linked = d.between(-128, 127), d.below(128) if d.chance(10) else None
    if kind == ss_components.REJECT:
        problem = ber.Tlv(0x80 | d.below(4), bytes([d.below(8)]))
        component = ss_components.Component(kind, None if d.chance(30) else invoke, problem=problem)
    elif kind == ss_components.INVOKE:
        component = ss_components.Component(kind, invoke, code, argument, linked)
    else:
        component = ss_components.Component(kind, invoke, code, argument)
    return ss_components.encode_facility((component,) * d.pick((1, 1, 1, 2)))


_CONTENTS: Final[dict[Codec, Callable[[Draws], bytes]]] = {
    mm.IDENTITY: _identity,
    bssmap_elements.IDENTITY: _identity,
    bssmap_elements.IMSI: _imsi,
    bssmap_elements.CELL: lambda d: _cells(d, 1),
    bssmap_elements.CELLS: lambda d: _cells(d, d.pick((1, 1, 2, 7, 16))),
    bssmap_elements.CAUSE: _bssmap_cause,
    cc_elements.NUMBER: _number,
    cc_elements.CAUSE: _cause,
    ss_components.FACILITY: _facility,
    sms.ADDRESS: lambda d: b"" if d.chance(40) else b"\x91" + push_bcd(d.digits(d.between(1, 20)), "digits"),
}


def _content(d: Draws, element: Element) -> bytes:
    make = _CONTENTS.get(element.codec)
    if make is not None:
        return make(d)
    high = element.high if d.chance(3) else max(element.low, min(element.high, _CONTENT))
    return d.octets(d.between(element.low, min(high, _USER_MAX)))


def _pushed(element: Element, content: bytes, d: Draws) -> bytes:
    match element.form:
        case "TV1":
            return bytes([element.iei & 0xF0 | d.below(16)])
        case "T":
            return bytes([element.iei])
        case "V" | "TV":
            head = b""
        case "TLVE":
            head = struct.pack("!H", len(content))
        case _:
            head = bytes([len(content) & 255])
    return (b"" if element.iei < 0 else bytes([element.iei])) + head + content


def _elements(d: Draws, kind: MessageType, contents: dict[str, bytes]) -> bytes:
    """The elements of a message by its table: imperative ones, then some of the optional ones."""
    out = bytearray()
    low: int | None = None
    for element in kind.mandatory:
        if element.form != "H":
            out += _pushed(element, contents.get(element.name) or _content(d, element), d)
        elif low is None:
            low = d.below(16)
        else:
            out.append(low | d.below(16) << 4)
            low = None
    if low is not None:
        out.append(low | d.below(16) << 4)
    share = d.pick((0, 15, 40))
    for element in kind.optional:
        if element.name in kind.required or d.chance(share):
            out += _pushed(element, _content(d, element), d)
            if d.chance(4):
                out += _pushed(element, _content(d, element), d)
    if d.chance(4):
        out += d.pick((bytes([0xF0 | d.below(16)]), b"\x6f\x02" + d.octets(2), b"\x6f\x7f" + d.octets(1)))
    return bytes(out)


# ------------------------------------------------------------------ messages


def _address(d: Draws) -> tpdu.TpAddress:
    if d.chance(25):
        return tpdu.TpAddress("", tpdu.ALPHANUMERIC, d.below(16), "Kairos Bank"[: d.between(1, 11)])
    return tpdu.TpAddress(d.digits(d.between(1, 20)), d.pick((0, 1, 2)), d.below(16))


def _user_data(d: Draws) -> UserData:
    if d.chance(60):
        dcs = d.pick((0, 0, 0, 8, 0xF1, 0x11, 0xC8, 0xE0))
        return text_user_data("The quick brown fox"[: d.below(20)], dcs)
    octets = d.octets(d.below(41))
    return UserData(len(octets), octets, d.pick((4, 0xF5, 0x24)))


def _tpdu(d: Draws, uplink: bool) -> bytes:
    stamp = tpdu.Timestamp(d.octets(7))
    value: tpdu.Tpdu
    match uplink, d.chance(70):
        case True, True:
            validity = d.pick((None, d.below(256), stamp, d.octets(7)))
            value = tpdu.Submit(
                _address(d), _user_data(d), d.below(256), d.below(256), validity, d.chance(50)
            )
        case True, False:
            value = tpdu.Command(
                d.below(256), d.below(256), 2, d.below(256), _address(d), d.octets(d.below(6))
            )
        case False, True:
            value = tpdu.Deliver(_address(d), stamp, _user_data(d), d.below(256), d.chance(50))
        case _:
            value = tpdu.StatusReport(d.below(256), _address(d), stamp, stamp, d.below(256))
    return tpdu.encode(value)


def _relay(d: Draws) -> bytes:
    kind = d.pick(sms.RP_MESSAGES)
    contents = {"RP-User data": _tpdu(d, not kind.code & 1)} if kind.name == "RP-DATA" else {}
    return bytes([kind.code, d.below(256)]) + _elements(d, kind, contents)


def _dtap(d: Draws, pd: int | None = None, name: str | None = None) -> bytes:
    protocol = dtap.BY_PD[d.pick((3, 3, 5, 5, 6, 9, 11) if pd is None else (pd,))]
    kind = d.pick([row for row in protocol.messages if name in (None, row.name)])
    contents = {"CP-User data": _relay(d)} if kind.name == "CP-DATA" else {}
    head = bytes([protocol.pd | (d.below(16) << 4 if protocol.transactions else 0)])
    if protocol.transactions and head[0] & 0x70 == 0x70:
        head += bytes([0x80 | d.below(128)])
    code = kind.code | (d.below(4) << 6 if protocol.sequenced else 0)
    return head + bytes([code]) + _elements(d, kind, contents)


#: Layer 3 messages inside BSSMAP: message -> protocol discriminator and name; the rest is any.
_INSIDE: Final = {
    "HANDOVER COMMAND": (dtap.PD_RR, "HANDOVER COMMAND"),
    "HANDOVER REQUEST ACKNOWLEDGE": (dtap.PD_RR, "HANDOVER COMMAND"),
    "CIPHER MODE COMPLETE": (dtap.PD_RR, "CIPHERING MODE COMPLETE"),
}
_COMMON: Final = tuple(
    bssmap_elements.BY_NAME[name]
    for name in ("Cause", "Cell Identifier", "Cell Identifier List", "IMSI", "TMSI", "Mobile Identity",
                 "Layer 3 Information", "Layer 3 Message Contents", "Response Request", "APDU")
)  # fmt: skip


def _bssmap(d: Draws) -> bytes:
    row = d.pick(bssmap.MESSAGES if d.chance(60) else [r for r in bssmap.MESSAGES if r.mandatory])
    elements = [bssmap_elements.BY_NAME[name] for name in row.mandatory]
    elements += [d.pick(_COMMON if d.chance(60) else bssmap_elements.ELEMENTS) for _ in range(d.below(4))]
    if row.name == "CIPHER MODE COMPLETE" and d.chance(80):
        elements.append(bssmap_elements.BY_NAME["Layer 3 Message Contents"])
    out = bytearray([row.code])
    for element in elements:
        content = _content(d, element)
        if (
            element.name.startswith("Layer 3 ")
            and element.name != "Layer 3 Header Information"
            and d.chance(90)
        ):
            content = _dtap(d, *_INSIDE.get(row.name, (None, None)))[:120]
        out += _pushed(element, content, d)
    return bytes(out)


def _user(d: Draws) -> bytes:
    if d.chance(55):
        return bssap.encode(bssap.Bssap(bssap.DTAP, _dtap(d)[:_USER_MAX], d.pick((0, 0, 3, 0x83))))
    return bssap.encode(bssap.Bssap(bssap.BSSMAP, _bssmap(d)[:_USER_MAX]))


def _party(d: Draws) -> Address:
    title = None
    if d.chance(20):
        digits = d.digits(2 * d.between(1, 6))
        title = GlobalTitle(4, digits, 0, 1, 2, 4)
    return Address(254, d.below(1 << 14) if d.chance(30) else None, title, title is None)


def _sccp(d: Draws) -> bytes:
    """One SCCP message of any type, its user data a BSSAP message or a piece of one."""
    row = d.pick(sccp.MESSAGES)
    user = _user(d)
    piece = user[: d.between(1, len(user))]
    values: dict[str, Any] = {
        "source": d.below(1 << 24), "destination": d.below(1 << 24),
        "protocol_class": d.pick((0, 1, 2, 0x80)), "cause": d.below(20),
        "called": _party(d), "calling": _party(d), "data": user, "more": False,
        "sequencing": d.below(1 << 16) & ~1, "receive_number": 2 * d.below(128), "credit": d.below(256),
        "hop_counter": d.between(1, 15), "importance": d.below(8),
    }  # fmt: skip
    if d.chance(25):
        values |= {"data": piece, "more": True, "sequencing": values["sequencing"] | 1}
        values["segmentation"] = sccp.Segmentation(d.chance(50), d.between(1, 15), d.below(1 << 24))
    elif d.chance(25):
        values["segmentation"] = sccp.Segmentation(True, 0, d.below(1 << 24), d.chance(50))
    fields = {*row.fixed, *row.variable, *(name for name in row.optional if d.chance(50))}
    return sccp.encode(sccp.SccpMessage(row.short, **{k: v for k, v in values.items() if k in fields}))


def in_m3ua(payload: bytes, d: Draws) -> bytes:
    """DATA (RFC 4666 3.3.1) with what parameters may come before and behind the Protocol Data."""
    si = _SI_SCCP if not d.chance(1) else d.below(16)
    label = struct.pack(
        "!IIBBBB",
        d.pick((1, 257, d.below(1 << 32))),
        d.pick((1, 257)),
        si,
        d.below(4),
        d.below(4),
        d.below(256),
    )
    body = b""
    if d.chance(15):
        body += struct.pack("!HHI", 0x0200, 8, d.below(1 << 32))
    if d.chance(15):
        body += struct.pack("!HHI", 0x0006, 8, d.below(1 << 32))
    value = label + payload
    body += struct.pack("!HH", 0x0210, 4 + len(value)) + value + bytes(-len(value) % 4)
    if d.chance(40):
        body += struct.pack("!HHI", 0x0013, 8, d.below(1 << 32))
    return struct.pack("!BBBBI", 1, 0, 1, 1, 8 + len(body)) + body


def _management(d: Draws) -> bytes:
    numbers = d.pick(
        ((0, 0), (0, 1), (2, 1), (2, 3), (2, 4), (3, 1), (3, 3), (3, 6), (4, 1), (4, 3), (9, 1), (7, 7))
    )
    tags = (0x0004, 0x0006, 0x0009, 0x000B, 0x000C, 0x000D, 0x0011, 0x0012, 0x0205, 0x7777)
    body = b""
    for _ in range(d.below(4)):
        value = d.octets(4 * d.between(1, 3) if d.chance(80) else d.below(7))
        body += struct.pack("!HH", d.pick(tags), 4 + len(value)) + value + bytes(-len(value) % 4)
    return struct.pack("!BBBBI", 1, 0, *numbers, 8 + len(body)) + body


def _story(d: Draws) -> list[bytes]:
    """The SCCP messages of one procedure with drawn values."""
    kind = d.pick(_KINDS)
    options = {name: d.pick(OPTION_VALUES[name]) for name in LADDERS[kind].options}
    text = d.pick(("", "1", "OK", "Your balance is 12.50"))
    values: dict[str, Any] = {
        "imsi": "00101" + d.digits(10),
        "tmsi": d.below(1 << 32),
        "new_tmsi": d.below(1 << 32),
        "imei": d.digits(15),
        "lac": d.below(1 << 16),
        "ci": d.below(1 << 16),
        "old_lac": d.below(1 << 16),
        "paging_lacs": tuple(d.below(1 << 16) for _ in range(d.below(4))),
        "bss_ref": d.below(1 << 24),
        "msc_ref": d.below(1 << 24),
        "ti": d.below(7),
        "ss_ti": d.below(7),
        "called": d.digits(d.between(3, 19)) + d.pick(("", "*", "#", "a")),
        "calling": d.pick(("", d.digits(d.between(3, 15)))),
        "rp_ref": d.below(256),
        "rand": d.octets(16),
        "handover_reference": d.below(256),
        "ussd_text": text,
    }
    try:
        return [step.payload for step in ladder(kind, Params(**options, **values))]
    except EncodeError:
        return []  # options that do not go together


def sound_messages(seed: int, counter: int, stories: int = 2, others: int = 60) -> list[bytes]:
    """M3UA messages, right ones: those of some procedures, and as many others from the tables."""
    d = Draws(seed, counter)
    found = [in_m3ua(payload, d) for _ in range(stories) for payload in _story(d)]
    for i in range(others):
        if i % 12 == 0:
            found.append(_management(d))
            continue
        try:
            dt1 = sccp.SccpMessage("DT1", destination=d.below(1 << 24), more=False, data=_user(d))
            payload = sccp.encode(dt1) if i % 3 else _sccp(d)
        except EncodeError:
            continue  # drawn too long for its length octet
        found.append(in_m3ua(payload, d))
    return found
