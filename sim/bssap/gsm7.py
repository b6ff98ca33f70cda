"""The GSM 7-bit default alphabet, its extension, the national tables, and septet packing: TS 23.038."""

from __future__ import annotations

from collections.abc import Sequence

from sim.bssap import gsm7_indian
from sim.bssap.errors import DecodeError, EncodeError

ESCAPE = 0x1B
#: TS 23.038 6.2.1; the escape stands at its place as U+001B.
DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: TS 23.038 6.2.1.1: after the escape.
EXTENSION: dict[int, str] = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
    0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip


def _changed(table: str, changes: dict[int, str]) -> str:
    return "".join(changes.get(code, character) for code, character in enumerate(table))


#: National language identifiers, TS 23.038 6.2.1.2.4; from 4 on they are in `gsm7_indian`.
TURKISH, SPANISH, PORTUGUESE = 1, 2, 3
#: TS 23.038 A.3: locking shift tables, by language; Spanish has none.
LOCKING: dict[int, str] = {
    TURKISH: _changed(
        DEFAULT,
        {4: "€", 7: "ı", 0x0B: "Ğ", 0x0C: "ğ", 0x1C: "Ş", 0x1D: "ş", 0x40: "İ", 0x60: "ç"},
    ),
    PORTUGUESE: (
        "@£$¥êéúíóç\nÔô\rÁáΔ_ªÇÀ∞^\\€Ó|\x1bÂâÊÉ !\"#º%&'()*+,-./0123456789:;<=>?"
        "ÍABCDEFGHIJKLMNOPQRSTUVWXYZÃÕÚÜ§~abcdefghijklmnopqrstuvwxyzãõ`üà"
    ),
    **gsm7_indian.LOCKING,
}
#: TS 23.038 A.2: single shift tables, by language.
SINGLE: dict[int, dict[int, str]] = {
    TURKISH: EXTENSION | {
        0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x67: "ğ", 0x69: "ı", 0x73: "ş",
    },
    SPANISH: EXTENSION | {
        0x09: "ç", 0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú",
        0x61: "á", 0x69: "í", 0x6F: "ó", 0x75: "ú",
    },
    PORTUGUESE: EXTENSION | {
        0x05: "ê", 0x09: "ç", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á", 0x12: "Φ", 0x13: "Γ",
        0x15: "Ω", 0x16: "Π", 0x17: "Ψ", 0x18: "Σ", 0x19: "Θ", 0x1F: "Ê", 0x41: "À", 0x49: "Í",
        0x4F: "Ó", 0x55: "Ú", 0x5B: "Ã", 0x5C: "Õ", 0x61: "Â", 0x69: "í", 0x6F: "ó", 0x75: "ú",
        0x7B: "ã", 0x7C: "õ", 0x7F: "â",
    },
    **gsm7_indian.SINGLE,
}  # fmt: skip


def unpack(data: bytes, count: int, skip_bits: int = 0) -> list[int]:
    """`count` septets from octets, after `skip_bits` bits: TS 23.038 6.1.2.1.1."""
    if skip_bits + 7 * count > 8 * len(data):
        raise DecodeError(f"{count} septets do not fit into {len(data)} octets")
    bits = int.from_bytes(data, "little") >> skip_bits
    return [bits >> 7 * index & 0x7F for index in range(count)]


def pack(septets: Sequence[int], skip_bits: int = 0, *, fill_cr: bool = False) -> bytes:
    """Mirror of `unpack`; the skipped bits are zero.

    fill_cr: seven spare bits at the end become a carriage return, as USSD wants (TS 23.038 6.1.2.3.1).
    """
    bits = 0
    for index, septet in enumerate(septets):
        bits |= septet << skip_bits + 7 * index
    length = skip_bits + 7 * len(septets)
    if fill_cr and length and length % 8 == 1:
        bits |= 0x0D << length
        length += 7
    return bits.to_bytes((length + 7) // 8, "little")


def decode_text(septets: Sequence[int], locking: int = 0, single: int = 0) -> str:
    """Characters of septets; an unknown extension code shows the character of the main table."""
    table = LOCKING.get(locking, DEFAULT)
    extension = SINGLE.get(single, EXTENSION)
    out = []
    escaped = False
    for septet in septets:
        if escaped:
            escaped = False
            out.append(extension.get(septet, " " if septet == ESCAPE else table[septet]))
        elif septet == ESCAPE:
            escaped = True
        else:
            out.append(table[septet])
    return "".join(out)


def encode_text(text: str, locking: int = 0, single: int = 0) -> list[int]:
    """Septets of `text`; EncodeError names the first character outside the alphabet."""
    table = LOCKING.get(locking, DEFAULT)
    extension = {character: code for code, character in SINGLE.get(single, EXTENSION).items()}
    out: list[int] = []
    for character in text:
        # A space stands wherever a table has nothing; the sender's own is at its ASCII place.
        code = 0x20 if character == " " else table.find(character)
        if code >= 0 and code != ESCAPE:
            out.append(code)
        elif character in extension:
            out += (ESCAPE, extension[character])
        else:
            raise EncodeError(f"{character!r} is not in the GSM 7-bit alphabet")
    return out


def ussd_text(data: bytes) -> str:
    """All septets of a USSD string, without the carriage return that fills its last octet."""
    septets = unpack(data, 8 * len(data) // 7)
    if septets and len(septets) % 8 == 0 and septets[-1] == 0x0D:
        septets.pop()
    return decode_text(septets)
