"""Components of the Facility element: TS 24.080 3.6; operations and arguments: TS 29.002 17.5, 17.7.4."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap import ber
from sim.bssap.ber import Tlv
from sim.bssap.cc_elements import PartyNumber, decode_number, encode_number
from sim.bssap.elements import Codec
from sim.bssap.errors import DecodeError, EncodeError, writer
from sim.bssap.gsm7 import encode_text, pack, ussd_text
from sim.bssap.octets import Reader, push_uint
from sim.bssap.user_data import GSM7, UCS2, cbs_alphabet

#: Component types, TS 24.080 3.6.2.
INVOKE, RETURN_RESULT, RETURN_ERROR, REJECT = "invoke", "returnResult", "returnError", "reject"
_TAGS = {0xA1: INVOKE, 0xA2: RETURN_RESULT, 0xA3: RETURN_ERROR, 0xA4: REJECT}
_TAG_OF = {kind: tag for tag, kind in _TAGS.items()}

#: Local operation codes, TS 29.002 17.5, TS 24.080 4.5.
OPERATIONS = {
    10: "registerSS", 11: "eraseSS", 12: "activateSS", 13: "deactivateSS", 14: "interrogateSS",
    16: "notifySS", 17: "registerPassword", 18: "getPassword", 19: "processUnstructuredSS-Data",
    38: "forwardCheckSS-Indication", 59: "processUnstructuredSS-Request",
    60: "unstructuredSS-Request", 61: "unstructuredSS-Notify", 76: "registerCC-Entry",
    77: "eraseCC-Entry", 117: "callDeflection", 118: "userUserService",
    119: "accessRegisterCCEntry", 120: "forwardCUG-Info", 121: "splitMPTY", 122: "retrieveMPTY",
    123: "holdMPTY", 124: "buildMPTY", 125: "forwardChargeAdvice", 126: "explicitCT",
}  # fmt: skip
#: Local error codes, TS 29.002 17.5.
ERRORS = {
    9: "illegalSubscriber", 10: "bearerServiceNotProvisioned", 11: "teleserviceNotProvisioned",
    12: "illegalEquipment", 13: "callBarred", 16: "illegalSS-Operation", 17: "ss-ErrorStatus",
    18: "ss-NotAvailable", 19: "ss-SubscriptionViolation", 20: "ss-Incompatibility",
    21: "facilityNotSupported", 34: "systemFailure", 35: "dataMissing", 36: "unexpectedDataValue",
    37: "pw-RegistrationFailure", 38: "negativePW-Check", 43: "numberOfPW-AttemptsViolation",
    71: "unknownAlphabet", 72: "ussd-Busy",
}  # fmt: skip
#: Operations that carry a USSD string.
USSD_OPERATIONS = (59, 60, 61)
#: Supplementary service codes, TS 29.002 17.7.5.
SS_CODES = {
    0x11: "CLIP", 0x12: "CLIR", 0x20: "all forwarding", 0x21: "CFU", 0x28: "all conditional forwarding",
    0x29: "CFB", 0x2A: "CFNRy", 0x2B: "CFNRc", 0x41: "call waiting", 0x42: "call hold",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a Facility element."""

    kind: str
    """invoke, returnResult, returnError or reject."""
    invoke_id: int | None
    """-128 to 127; None: a reject whose invoke identifier could not be derived."""
    code: int | None = None
    """Local operation code (invoke, returnResult) or error code (returnError)."""
    parameter: bytes = b""
    """The argument or result as whole BER values."""
    linked_id: int | None = None
    """Invoke only."""
    global_code: bytes | None = None
    """Object identifier in place of a local code."""
    problem: Tlv | None = None
    """Reject only: problem tag [0]-[3] and code."""


def _pull_code(reader: Reader) -> tuple[int | None, bytes | None]:
    value = ber.pull_tlv(reader)
    if value.tag == ber.INTEGER:
        return ber.decode_integer(value.content), None
    if value.tag == ber.OBJECT_IDENTIFIER:
        return None, value.content
    raise DecodeError(f"operation or error code with tag 0x{value.tag:02x}")


def _push_code(value: Component) -> bytes:
    if value.global_code is not None:
        return ber.push_tlv(Tlv(ber.OBJECT_IDENTIFIER, value.global_code))
    if value.code is None:
        raise EncodeError(f"{value.kind} without a code")
    return ber.push_tlv(Tlv(ber.INTEGER, ber.encode_integer(value.code)))


def _decode_component(value: Tlv) -> Component:
    kind = _TAGS.get(value.tag)
    if kind is None:
        raise DecodeError(f"component with tag 0x{value.tag:02x}")
    reader = Reader(value.content)
    first = ber.pull_tlv(reader)
    invoke_id = None
    if first.tag == ber.INTEGER:
        invoke_id = ber.decode_integer(first.content)
    elif kind != REJECT or first.tag != ber.NULL:
        raise DecodeError(f"{kind}: invoke identifier with tag 0x{first.tag:02x}")
    if kind == REJECT:
        problem = ber.pull_tlv(reader)
        if not 0x80 <= problem.tag <= 0x83 or reader.remaining:
            raise DecodeError("reject: problem code expected")
        return Component(kind, invoke_id, problem=problem)
    linked = None
    if kind == INVOKE and reader.remaining and reader.peek_u8() == 0x80:
        linked = ber.decode_integer(ber.pull_tlv(reader).content)
    if kind == RETURN_RESULT:
        if not reader.remaining:
            return Component(kind, invoke_id)
        result = ber.pull_tlv(reader)
        if result.tag != ber.SEQUENCE or reader.remaining:
            raise DecodeError("returnResult: one sequence expected")
        reader = Reader(result.content)
    code, global_code = _pull_code(reader)
    parameter = reader.pull_rest()
    ber.check(parameter)
    return Component(kind, invoke_id, code, parameter, linked, global_code)


def _encode_component(value: Component) -> Tlv:
    if value.kind not in _TAG_OF:
        raise EncodeError(f"component kind {value.kind!r}")
    if value.linked_id is not None and value.kind != INVOKE:
        raise EncodeError(f"{value.kind} with a linked identifier")
    if value.invoke_id is None:
        if value.kind != REJECT:
            raise EncodeError(f"{value.kind} without an invoke identifier")
        body = ber.push_tlv(Tlv(ber.NULL, b""))
    else:
        body = ber.push_tlv(Tlv(ber.INTEGER, ber.encode_integer(value.invoke_id)))
    if value.kind == REJECT:
        if value.problem is None:
            raise EncodeError("reject without a problem")
        return Tlv(_TAG_OF[value.kind], body + ber.push_tlv(value.problem))
    if value.linked_id is not None:
        body += ber.push_tlv(Tlv(0x80, ber.encode_integer(value.linked_id)))
    if value.kind != RETURN_RESULT:
        body += _push_code(value) + value.parameter
    elif value.code is not None or value.global_code is not None:
        body += ber.push_tlv(Tlv(ber.SEQUENCE, _push_code(value) + value.parameter))
    return Tlv(_TAG_OF[value.kind], body)


def decode_facility(data: bytes) -> tuple[Component, ...]:
    """Components of a Facility element, TS 24.080 3.6, in order; DecodeError for a tag that is none."""
    return tuple(_decode_component(value) for value in ber.decode_all(data))


@writer("Facility")
def encode_facility(value: tuple[Component, ...]) -> bytes:
    """Mirror of `decode_facility`."""
    return ber.encode_all(tuple(_encode_component(component) for component in value))


FACILITY = Codec(decode_facility, encode_facility)


@dataclass(frozen=True, slots=True)
class Ussd:
    """USSD-Arg and USSD-Res: TS 29.002 17.7.4."""

    octets: bytes
    """USSD string as it stands."""
    dcs: int = 0x0F
    """Data coding scheme, TS 23.038 5; 0x0f: default alphabet, language unspecified."""
    rest: bytes = b""
    """Alerting pattern and MSISDN, as BER values."""

    @property
    def text(self) -> str:
        kind = cbs_alphabet(self.dcs)
        if kind == GSM7:
            return ussd_text(self.octets)
        return self.octets.decode("utf-16-be" if kind == UCS2 else "latin-1", "replace")


def ussd(text: str) -> Ussd:
    """A USSD string in the default alphabet, packed with its filling carriage return."""
    return Ussd(pack(encode_text(text), fill_cr=True))


def _pull_sequence(parameter: bytes, what: str) -> Reader:
    reader = Reader(parameter)
    value = ber.pull_tlv(reader)
    if value.tag != ber.SEQUENCE or reader.remaining:
        raise DecodeError(f"{what}: one sequence expected")
    return Reader(value.content)


def decode_ussd(parameter: bytes) -> Ussd:
    reader = _pull_sequence(parameter, "USSD argument")
    dcs, string = ber.pull_tlv(reader), ber.pull_tlv(reader)
    if dcs.tag != ber.OCTET_STRING or string.tag != ber.OCTET_STRING or len(dcs.content) != 1:
        raise DecodeError("USSD argument: data coding scheme and string expected")
    return Ussd(string.content, dcs.content[0], reader.pull_rest())


@writer("USSD argument")
def encode_ussd(value: Ussd) -> bytes:
    body = ber.encode_all(
        (
            Tlv(ber.OCTET_STRING, push_uint(value.dcs, 1, "data coding scheme")),
            Tlv(ber.OCTET_STRING, value.octets),
        )
    )
    return ber.push_tlv(Tlv(ber.SEQUENCE, body + value.rest))


@dataclass(frozen=True, slots=True)
class SsArgument:
    """RegisterSS-Arg and SS-ForBS-Code: TS 29.002 17.7.4."""

    ss_code: int
    """A key of SS_CODES, or another code of TS 29.002 17.7.5."""
    bearer_service: int | None = None
    teleservice: int | None = None
    forwarded_to: PartyNumber | None = None
    no_reply_s: int | None = None
    """No reply condition time, seconds."""
    rest: bytes = b""
    """Further values, as BER."""


def decode_ss_argument(parameter: bytes) -> SsArgument:
    """An SsArgument; what follows the known fields is kept. DecodeError where there is no SS code."""
    reader = _pull_sequence(parameter, "SS argument")
    code = ber.pull_tlv(reader)
    if code.tag != ber.OCTET_STRING or len(code.content) != 1:
        raise DecodeError("SS argument: SS code expected")
    found: dict[int, bytes] = {}
    while reader.remaining and reader.peek_u8() in (0x82, 0x83, 0x84, 0x85):
        value = ber.pull_tlv(reader)
        found[value.tag] = value.content
    return SsArgument(
        code.content[0],
        found[0x82][0] if found.get(0x82) else None,
        found[0x83][0] if found.get(0x83) else None,
        decode_number(found[0x84]) if 0x84 in found else None,
        ber.decode_integer(found[0x85]) if 0x85 in found else None,
        reader.pull_rest(),
    )


@writer("SS argument")
def encode_ss_argument(value: SsArgument) -> bytes:
    body = ber.push_tlv(Tlv(ber.OCTET_STRING, push_uint(value.ss_code, 1, "SS code")))
    for tag, octet in ((0x82, value.bearer_service), (0x83, value.teleservice)):
        if octet is not None:
            body += ber.push_tlv(Tlv(tag, push_uint(octet, 1, "basic service")))
    if value.forwarded_to is not None:
        body += ber.push_tlv(Tlv(0x84, encode_number(value.forwarded_to)))
    if value.no_reply_s is not None:
        body += ber.push_tlv(Tlv(0x85, ber.encode_integer(value.no_reply_s)))
    return ber.push_tlv(Tlv(ber.SEQUENCE, body + value.rest))
