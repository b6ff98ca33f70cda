"""GSM 7-bit default alphabet with its extension table: TS 23.038 6.2.1 and 6.2.1.1.

One septet per octet, as SMPP carries data_coding 0; packing seven octets' worth into eight septets is the
radio side's affair.
"""

from smpp.errors import DecodeError, EncodeError
from smpp.status import CommandStatus

ESCAPE = 0x1B
"""The next septet is of the extension table."""

DEFAULT_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
"""TS 23.038 6.2.1: the character at each of the 128 values."""

EXTENSION: dict[int, str] = {
    # TS 23.038 6.2.1.1
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}

_CODES: dict[str, bytes] = {
    character: bytes((code,)) for code, character in enumerate(DEFAULT_ALPHABET) if code != ESCAPE
} | {character: bytes((ESCAPE, code)) for code, character in EXTENSION.items()}


def encodable(text: str) -> bool:
    """Whether all of `text` is in the alphabet."""
    return all(character in _CODES for character in text)


def encode_characters(text: str) -> list[bytes]:
    """The septets of each character: one, or two after an escape. For cutting between characters."""
    try:
        return [_CODES[character] for character in text]
    except KeyError as missing:
        raise EncodeError(f"{missing.args[0]!r} is not in the GSM 7-bit alphabet") from None


def encode(text: str) -> bytes:
    """`text` as septets, one an octet."""
    return b"".join(encode_characters(text))


def decode(data: bytes) -> str:
    """The text of septets, one an octet.

    An unknown extension value stands for its character in the default alphabet, as TS 23.038 6.2.1.1 wants.
    """
    out: list[str] = []
    escaped = False
    for code in data:
        if code > 0x7F:
            raise DecodeError(
                f"octet 0x{code:02X} is no septet", command_status=CommandStatus.ESME_RINVMSGLEN, data=data
            )
        if escaped:
            out.append(EXTENSION.get(code) or (" " if code == ESCAPE else DEFAULT_ALPHABET[code]))
            escaped = False
        elif code == ESCAPE:
            escaped = True
        else:
            out.append(DEFAULT_ALPHABET[code])
    if escaped:
        out.append(" ")
    return "".join(out)
