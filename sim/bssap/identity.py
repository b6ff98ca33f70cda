"""Identities of a mobile station and of where it is: TS 24.008 10.5.1.3, 10.5.1.4; TS 23.003."""

from __future__ import annotations

from dataclasses import dataclass

from sim.bssap.errors import DecodeError, EncodeError
from sim.bssap.octets import Reader, push_octets, push_uint

#: TS 24.008 10.5.1.4, bits 3-1 of the first octet.
IDENTITY_TYPES = {0: "no identity", 1: "IMSI", 2: "IMEI", 3: "IMEISV", 4: "TMSI", 5: "TMGI"}
_TYPE_CODES = {name: code for code, name in IDENTITY_TYPES.items()}
_DIGIT_KINDS = ("IMSI", "IMEI", "IMEISV")

#: TS 23.003 2.2: not more than 15 digits; below six there is no room for MCC, MNC and an MSIN.
IMSI_DIGITS = range(6, 16)


@dataclass(frozen=True, slots=True)
class MobileIdentity:
    """Mobile identity, TS 24.008 10.5.1.4."""

    kind: str
    """One of IDENTITY_TYPES."""
    digits: str = ""
    """Decimal digits of an IMSI, IMEI or IMEISV."""
    tmsi: int | None = None
    """TMSI or P-TMSI, 32 bits."""
    octets: bytes = b""
    """Content of a TMGI or of "no identity", as it came."""

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or self.kind not in _TYPE_CODES:
            raise EncodeError(f"mobile identity kind {self.kind!r}: one of {', '.join(_TYPE_CODES)}")
        if self.kind in _DIGIT_KINDS and not (
            isinstance(self.digits, str) and self.digits.isascii() and self.digits.isdigit()
        ):
            raise EncodeError(f"{self.kind} {self.digits!r}: decimal digits wanted")
        if self.kind == "IMSI" and len(self.digits) not in IMSI_DIGITS:
            raise EncodeError(f"IMSI {self.digits!r}: {IMSI_DIGITS[0]} to {IMSI_DIGITS[-1]} digits")
        if self.kind == "TMSI" and not (isinstance(self.tmsi, int) and 0 <= self.tmsi < 1 << 32):
            raise EncodeError(f"TMSI {self.tmsi}: 32 bits")


def imsi(digits: str) -> MobileIdentity:
    return MobileIdentity("IMSI", digits)


def tmsi(value: int) -> MobileIdentity:
    return MobileIdentity("TMSI", tmsi=value)


def decode_mobile_identity(data: bytes) -> MobileIdentity:
    """The value of a mobile identity, TS 24.008 10.5.1.4; DecodeError where it is not of its type."""
    if not data:
        raise DecodeError("mobile identity: empty")
    first = data[0]
    kind = IDENTITY_TYPES.get(first & 7)
    if kind is None:
        raise DecodeError(f"mobile identity: type {first & 7} is reserved")
    if kind == "TMSI":
        if len(data) != 5:
            raise DecodeError(f"TMSI in {len(data)} octets, 5 wanted")
        return MobileIdentity(kind, tmsi=int.from_bytes(data[1:], "big"))
    if kind not in _DIGIT_KINDS:
        return MobileIdentity(kind, octets=data)
    nibbles = [first >> 4]
    for octet in data[1:]:
        nibbles += (octet & 15, octet >> 4)
    if not first & 8 and nibbles[-1] == 15:
        nibbles.pop()  # an even count that lacks the end mark is read as digits to the end
    if max(nibbles, default=10) > 9:
        raise DecodeError(f"{kind}: not all semi-octets are decimal digits")
    digits = "".join(map(str, nibbles))
    if kind == "IMSI" and len(digits) not in IMSI_DIGITS:
        raise DecodeError(f"IMSI of {len(digits)} digits")
    return MobileIdentity(kind, digits)


def encode_mobile_identity(value: MobileIdentity) -> bytes:
    """Mirror of `decode_mobile_identity`; an even number of digits ends with the semi-octet 1111."""
    if value.kind == "TMSI":
        assert value.tmsi is not None
        return b"\xf4" + value.tmsi.to_bytes(4, "big")
    if value.kind not in _DIGIT_KINDS:
        return push_octets(value.octets, value.kind) or bytes([_TYPE_CODES[value.kind]])
    nibbles = [int(digit) for digit in value.digits]
    odd = len(nibbles) % 2
    first = nibbles[0] << 4 | odd << 3 | _TYPE_CODES[value.kind]
    rest = nibbles[1:] if odd else [*nibbles[1:], 15]
    return bytes([first, *(low | high << 4 for low, high in zip(rest[::2], rest[1::2], strict=True))])


@dataclass(frozen=True, slots=True)
class Lai:
    """Location area identification, TS 24.008 10.5.1.3."""

    mcc: str
    """Three digits."""
    mnc: str
    """Two or three digits."""
    lac: int
    """16 bits."""


_NIBBLES = "0123456789abcdef"


def decode_plmn(data: bytes) -> tuple[str, str]:
    """MCC and MNC from three octets; a third MNC digit of 1111 means two digits."""
    mcc2_mcc1, mnc3_mcc3, mnc2_mnc1 = data
    mcc = _NIBBLES[mcc2_mcc1 & 15] + _NIBBLES[mcc2_mcc1 >> 4] + _NIBBLES[mnc3_mcc3 & 15]
    mnc = _NIBBLES[mnc2_mnc1 & 15] + _NIBBLES[mnc2_mnc1 >> 4]
    third = mnc3_mcc3 >> 4
    return mcc, mnc if third == 15 else mnc + _NIBBLES[third]


def encode_plmn(mcc: str, mnc: str) -> bytes:
    """Mirror of `decode_plmn`; EncodeError for other than three digits, and two or three."""
    if len(mcc) != 3 or len(mnc) not in (2, 3):
        raise EncodeError(f"PLMN {mcc!r} {mnc!r}: three digits, and two or three")
    try:
        one, two, three = (_NIBBLES.index(digit) for digit in mcc)
        m_one, m_two, m_three = (_NIBBLES.index(digit) for digit in mnc.ljust(3, "f"))
    except ValueError:
        raise EncodeError(f"PLMN {mcc!r} {mnc!r}: digits wanted") from None
    return bytes([one | two << 4, three | m_three << 4, m_one | m_two << 4])


def pull_lai(reader: Reader) -> Lai:
    mcc, mnc = decode_plmn(reader.pull(3))
    return Lai(mcc, mnc, reader.pull_uint(2))


def push_lai(value: Lai) -> bytes:
    return encode_plmn(value.mcc, value.mnc) + push_uint(value.lac, 2, "LAC")


def decode_lai(data: bytes) -> Lai:
    if len(data) != 5:
        raise DecodeError(f"location area identification in {len(data)} octets, 5 wanted")
    return pull_lai(Reader(data))


def encode_lai(value: Lai) -> bytes:
    return push_lai(value)
