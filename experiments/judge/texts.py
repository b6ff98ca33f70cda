"""Random short messages and supplementary services: TPDUs, RP messages, components."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from experiments.judge.draws import digits, gsm_text, octets, time_stamp, wide_text
from sim.bssap import ber, gsm7, sms, tpdu
from sim.bssap.cc_elements import PartyNumber
from sim.bssap.elements import message
from sim.bssap.errors import EncodeError
from sim.bssap.ss_components import (
    ERRORS,
    INVOKE,
    OPERATIONS,
    REJECT,
    RETURN_ERROR,
    RETURN_RESULT,
    SS_CODES,
    Component,
    SsArgument,
    Ussd,
    encode_ss_argument,
    encode_ussd,
    ussd,
)
from sim.bssap.ss_results import ForwardingFeature, encode_forwarding, encode_ss_status
from sim.bssap.user_data import (
    UDH_LOCKING_SHIFT,
    UDH_PORTS_8,
    UDH_PORTS_16,
    UDH_SINGLE_SHIFT,
    Concatenation,
    HeaderElement,
    UserData,
    alphabet,
    concatenation_element,
    encode_header,
    text_user_data,
)

__all__ = ["component", "deliver", "relay", "report", "submit", "transfer", "ussd_text"]

#: TS 23.038 4: default alphabet, 8-bit data, UCS2; with and without class, message waiting.
_GSM_DCS: Final = (0x00, 0x10, 0x11, 0x12, 0x13, 0xC0, 0xC8, 0xD1, 0xDB, 0xF0, 0xF1, 0xF2)
_OCTET_DCS: Final = (0x04, 0x14, 0x15, 0xF4, 0xF5, 0xF6)
_UCS2_DCS: Final = (0x08, 0x18, 0x19, 0xE0, 0xE9)
_LANGUAGES: Final = ((UDH_LOCKING_SHIFT, gsm7.TURKISH), (UDH_LOCKING_SHIFT, gsm7.PORTUGUESE))
#: TS 23.040 9.2.3.24.4: 16000-16999 are for applications to use as they like.
_FREE_PORTS: Final = range(16_000, 17_000)


def _header(rng: Random) -> tuple[HeaderElement, ...]:
    """None, or one element or two of the user data header."""
    if rng.random() < 0.5:
        return ()
    total = rng.randint(1, 255)
    wide = rng.random() < 0.5
    joined = concatenation_element(
        Concatenation(rng.getrandbits(16 if wide else 8), total, rng.randint(1, total), wide)
    )
    here, there = rng.choice(_FREE_PORTS), rng.choice(_FREE_PORTS)
    ports = HeaderElement(UDH_PORTS_16, here.to_bytes(2, "big") + there.to_bytes(2, "big"))
    if rng.random() < 0.3:
        ports = HeaderElement(UDH_PORTS_8, bytes([rng.randint(240, 255), rng.randint(240, 255)]))
    return rng.choice(((joined,), (ports,), (joined, ports)))


def _national(rng: Random, room: int) -> UserData:
    """Text with a locking or single shift table of TS 23.038 A."""
    language = rng.choice((gsm7.TURKISH, gsm7.PORTUGUESE, gsm7.SPANISH))
    shift = UDH_SINGLE_SHIFT if language == gsm7.SPANISH or rng.random() < 0.5 else UDH_LOCKING_SHIFT
    if shift == UDH_SINGLE_SHIFT:
        special = [c for c in gsm7.SINGLE[language].values() if c != "\f"]
    else:
        special = [c for c in gsm7.LOCKING[language] if c not in "\x1b\r\n\f"]
    text = "".join(rng.choices(special, k=rng.randint(0, room // 4)))
    return text_user_data(text, 0, (HeaderElement(shift, bytes([language])),))


def user_data(rng: Random) -> UserData:
    """In any alphabet, with any header, as long as fits."""
    header = _header(rng)
    room = 140 - len(encode_header(header) if header else b"")
    match rng.choice(("gsm7", "gsm7", "gsm7", "ucs2", "8bit", "national")):
        case "ucs2":
            return text_user_data(wide_text(rng, room // 2), rng.choice(_UCS2_DCS), header)
        case "8bit":
            data = (encode_header(header) if header else b"") + octets(rng, 0, room)
            return UserData(len(data), data, rng.choice(_OCTET_DCS), bool(header))
        case "national":
            return _national(rng, 140)
    dcs = rng.choice(_GSM_DCS)
    assert alphabet(dcs) == "gsm7"
    return text_user_data(gsm_text(rng, (8 * room - 7) // 7), dcs, header)


def _address(rng: Random) -> tpdu.TpAddress:
    kind, written = rng.choice((0, 0, 1, 2, 3, 4, 6)), digits(rng, 3, 20)
    if kind == 0 and rng.random() < 0.4:
        written = digits(rng, 1, 20, "0123456789*#abc")
    return tpdu.TpAddress(written, kind, rng.choice((0, 1, 3, 8, 9)))


def _originator(rng: Random) -> tpdu.TpAddress:
    """Also by name: TS 23.040 9.1.2.5, up to 11 septets."""
    if rng.random() < 0.7:
        return _address(rng)
    return tpdu.TpAddress("", tpdu.ALPHANUMERIC, 0, gsm_text(rng, 11) or "K")


def _protocol(rng: Random) -> int:
    return rng.choice((0, 0, 0x20, 0x24, 0x40, 0x41, 0x42, 0x47, 0x5F, 0x7F))


def _flag(rng: Random) -> bool:
    return rng.random() < 0.5


def submit(rng: Random) -> bytes:
    enhanced = rng.choice((b"\x01\xa7", b"\x02\x3c", b"\x03\x21\x43\x65")).ljust(7, b"\0")
    validity: int | tpdu.Timestamp | bytes | None = rng.choice((None, rng.randrange(256), time_stamp(rng)))
    if rng.random() < 0.03:
        validity = enhanced
    return tpdu.encode(
        tpdu.Submit(
            _address(rng), user_data(rng), rng.randrange(256), _protocol(rng), validity,
            _flag(rng), _flag(rng), _flag(rng),
        )
    )  # fmt: skip


def deliver(rng: Random) -> bytes:
    return tpdu.encode(
        tpdu.Deliver(
            _originator(rng), time_stamp(rng), user_data(rng), _protocol(rng),
            _flag(rng), _flag(rng), _flag(rng), _flag(rng),
        )
    )  # fmt: skip


def status_report(rng: Random) -> bytes:
    status = rng.choice((0, 1, 2, 0x20, 0x25, 0x30, 0x40, 0x46, 0x49, 0x60, 0x65))
    return tpdu.encode(
        tpdu.StatusReport(
            rng.randrange(256), _address(rng), time_stamp(rng), time_stamp(rng), status,
            _flag(rng), _flag(rng), _flag(rng),
        )
    )  # fmt: skip


def command(rng: Random) -> bytes:
    return tpdu.encode(
        tpdu.Command(
            rng.randrange(256), _protocol(rng), rng.randrange(4), rng.randrange(256), _address(rng),
            octets(rng, 0, 20), _flag(rng),
        )
    )  # fmt: skip


def report(rng: Random, *, of_submit: bool, failed: bool) -> bytes:
    """SMS-SUBMIT-REPORT or SMS-DELIVER-REPORT; `failed`: for an RP-ERROR, with the cause."""
    failure = rng.choice((0x80, 0x81, 0x8F, 0x90, 0x91, 0x9F, 0xA0, 0xAF, 0xC0, 0xC2, 0xD0, 0xD3, 0xFF))
    data = user_data(rng) if _flag(rng) else None
    return tpdu.encode(
        tpdu.Report(
            of_submit, failure if failed else None, time_stamp(rng) if of_submit else None,
            _protocol(rng) if _flag(rng) else None, data, data.dcs if data else None,
            has_header=bool(data and data.has_header),
        )
    )  # fmt: skip


def transfer(rng: Random, *, from_network: bool) -> bytes:
    """The TPDU of an RP-DATA."""
    make: tuple[Callable[[Random], bytes], ...] = (
        (deliver, deliver, status_report) if from_network else (submit, submit, command)
    )
    return rng.choice(make)(rng)


#: TS 24.011 table 8.4.
_RP_CAUSES: Final = (
    1,
    8,
    10,
    11,
    21,
    22,
    27,
    28,
    29,
    30,
    38,
    41,
    42,
    47,
    50,
    69,
    81,
    95,
    96,
    97,
    98,
    99,
    111,
    127,
)


def relay(rng: Random, name: str, *, from_network: bool) -> sms.Rp:
    """An RP message of that name and direction."""
    centre = PartyNumber(digits(rng, 3, 15), rng.choice((0, 1, 2)))
    elements: dict[str, object] = {}
    if name == "RP-DATA":
        elements = {"RP-Originator Address": None, "RP-Destination Address": centre}
        if from_network:
            elements = {"RP-Originator Address": centre, "RP-Destination Address": None}
        elements["RP-User data"] = transfer(rng, from_network=from_network)
    elif name == "RP-ERROR":
        elements = {"RP-Cause": sms.RpCause(rng.choice(_RP_CAUSES), octets(rng, 0, 1))}
    if name in ("RP-ACK", "RP-ERROR") and rng.random() < 0.5:
        elements["RP-User data"] = report(rng, of_submit=from_network, failed=name == "RP-ERROR")
    return sms.Rp(message(name, elements), rng.randrange(256), from_network)


# ------------------------------------------------------------------ supplementary services


def ussd_text(rng: Random) -> Ussd:
    """A USSD string in the default alphabet or in UCS2 (TS 23.038 5)."""
    if rng.random() < 0.3:
        return Ussd(wide_text(rng, 40).encode("utf-16-be") or b"\0K", 0x48)
    return ussd(gsm_text(rng, 90) or "*100#")


def _argument(rng: Random, code: int) -> bytes:
    """The argument of an operation: TS 29.002 17.7.4; b"" where it has none."""
    ss_code = rng.choice(sorted(SS_CODES))
    match OPERATIONS[code]:
        case "processUnstructuredSS-Request" | "unstructuredSS-Request" | "unstructuredSS-Notify":
            return encode_ussd(ussd_text(rng))
        case "registerSS":
            to = PartyNumber(digits(rng, 3, 15), rng.choice((0, 1)))
            reply = rng.choice((None, 5, 20, 30))
            return encode_ss_argument(SsArgument(ss_code, None, rng.choice((None, 0x11, 0x60)), to, reply))
        case "eraseSS" | "activateSS" | "deactivateSS" | "interrogateSS":
            return encode_ss_argument(SsArgument(ss_code, None, rng.choice((None, 0x11, 0x60))))
        case "registerPassword":
            return ber.push_tlv(ber.Tlv(ber.OCTET_STRING, bytes([rng.choice((0x90, 0x91, 0x99))])))
        case "getPassword":
            return ber.push_tlv(ber.Tlv(ber.ENUMERATED, bytes([rng.randrange(3)])))
        case "notifySS":
            body = ber.push_tlv(ber.Tlv(0x81, bytes([ss_code])))
            return ber.push_tlv(ber.Tlv(ber.SEQUENCE, body))
        case "processUnstructuredSS-Data":
            return ber.push_tlv(ber.Tlv(0x16, digits(rng, 1, 10).encode()))
    return b""


#: Operations whose argument is mandatory in a form that this project does not build (TS 24.080 4.2).
_NOT_BUILT: Final = frozenset(
    {"registerCC-Entry", "eraseCC-Entry", "callDeflection", "userUserService", "accessRegisterCCEntry",
     "forwardCUG-Info", "forwardChargeAdvice"}
)  # fmt: skip
BUILT: Final = tuple(code for code, name in OPERATIONS.items() if name not in _NOT_BUILT)


def _result(rng: Random) -> Component:
    """A result with a value, or without one."""
    invoke = rng.randint(-128, 127)
    match rng.choice(("ussd", "forwarding", "status", "nothing")):
        case "ussd":
            return Component(RETURN_RESULT, invoke, rng.choice((59, 60)), encode_ussd(ussd_text(rng)))
        case "forwarding":
            feature = ForwardingFeature(rng.randrange(16), 0x11, PartyNumber(digits(rng, 3, 15), 1))
            return Component(RETURN_RESULT, invoke, rng.choice((10, 11)), encode_forwarding(0x21, (feature,)))
        case "status":
            return Component(RETURN_RESULT, invoke, 14, encode_ss_status(rng.randrange(16)))
    return Component(RETURN_RESULT, invoke)


def component(rng: Random) -> Component:
    """Any kind, any operation and error."""
    invoke = rng.randint(-128, 127)
    match rng.choice((INVOKE, INVOKE, RETURN_RESULT, RETURN_ERROR, REJECT)):
        case "invoke":
            code = rng.choice(BUILT)
            linked = rng.randint(-128, 127) if rng.random() < 0.1 else None
            return Component(INVOKE, invoke, code, _argument(rng, code), linked)
        case "returnResult":
            return _result(rng)
        case "returnError":
            return Component(RETURN_ERROR, invoke, rng.choice(sorted(ERRORS)))
    problem = ber.Tlv(0x80 + rng.randrange(4), bytes([rng.randrange(3)]))
    return Component(REJECT, None if rng.random() < 0.2 else invoke, problem=problem)


def cut_to_fit(make: Callable[[Random], bytes], rng: Random) -> bytes:
    """What `make` draws, drawn again while it does not fit into its frame."""
    while True:
        try:
            return make(rng)
        except EncodeError as error:
            if "octet" not in str(error) and "fit" not in str(error):
                raise
