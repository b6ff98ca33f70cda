"""The national language tables of the Indian languages: TS 23.038 A.2.4-A.2.13 and A.3.4-A.3.13.

The scripts of one family stand alike in Unicode: a letter has the same offset within the block of each
script. So their locking shift tables are one pattern of offsets, less what a script lacks; Urdu, which
is written in Arabic letters, has a table of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

#: National language identifiers, TS 23.038 6.2.1.2.4.
BENGALI, GUJARATI, HINDI, KANNADA, MALAYALAM, ORIYA, PUNJABI, TAMIL, TELUGU, URDU = range(4, 14)

#: A.3: the common pattern. Hexadecimal: offset in the script's block; `x` and a character: itself.
_PATTERN = (
    "01 02 03 05 06 07 08 09 0a 0b x\n 0c 0d x\r 0e 0f 10 11 12 13 14 15 16 17 18 19 1a x\x1b 1b 1c 1d 1e "
    "x  x! 1f 20 21 22 23 24 x) x( 25 26 x, 27 x. 28 x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 x: x; 29 2a 2b x? "
    "2c 2d 2e 2f 30 31 32 33 34 35 36 37 38 39 3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d"
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Script:
    """One row: what makes the tables of a language."""

    language: int
    block: int
    """First code point of the script's block."""
    lacks: str
    """Offsets of the pattern that the script has nothing at: a space stands there."""
    tail: str
    """Offsets at 0x60 and 0x7b-0x7f of the locking shift table."""
    signs: str
    """What the single shift table has in its free places, in order; . and .. are dandas, - is nothing."""


#: A.3.7 prints code 0x24 of Kannada as U+0CAA, which stands at 0x3d already: U+0CA1 is meant. So in A.2.12,
#: where Telugu digits six and seven are meant at 0x22 and 0x23.
SCRIPTS: tuple[Script, ...] = (
    Script(BENGALI, 0x980, "0d 0e 11 12 29 31 33 34 35 45 46 49 4a", "4e 57 5c 5d 70 71",
           "66 67 68 69 6a 6b 6c 6d 6e 6f 5f 60 61 62 63 72 73 74 75 76 77 78 79 7a"),
    Script(GUJARATI, 0xA80, "0e 12 29 31 34 46 4a", "50 60 61 62 63 71",
           ". .. 66 67 68 69 6a 6b 6c 6d 6e 6f"),
    Script(HINDI, 0x900, "", "50 72 7b 7c 7e 7f",
           ". .. 66 67 68 69 6a 6b 6c 6d 6e 6f 51 52 53 54 58 59 5a 5b 5c 5d 5e 5f 60 61 62 63 70 71"),
    Script(KANNADA, 0xC80, "01 0d 11 29 34 45 49", "55 56 60 61 62 63",
           ". .. 66 67 68 69 6a 6b 6c 6d 6e 6f 5e 71 72"),
    Script(MALAYALAM, 0xD00, "01 0d 11 29 3c 45 49", "57 60 61 62 63 79",
           ". .. 66 67 68 69 6a 6b 6c 6d 6e 6f 70 71 72 73 74 75 7a 7b 7c 7d 7e 7f"),
    Script(ORIYA, 0xB00, "0d 0e 11 12 29 31 34 45 46 49 4a", "56 57 60 61 62 63",
           ". .. 66 67 68 69 6a 6b 6c 6d 6e 6f 5c 5d 5f 70 71"),
    Script(PUNJABI, 0xA00, "0b 0c 0d 0e 11 12 29 31 34 37 3d 43 44 45 46 49 4a", "51 70 71 72 73 74",
           ". .. 66 67 68 69 6a 6b 6c 6d 6e 6f 59 5a 5b 5c 5e 75"),
    Script(TAMIL, 0xB80,
           "01 0b 0c 0d 11 16 17 18 1b 1d 20 21 22 25 26 27 2b 2c 2d 3c 3d 43 44 45 49", "50 57 70 71 72 79",
           ". .. 66 67 68 69 6a 6b 6c 6d 6e 6f 73 74 75 76 77 78 7a"),
    Script(TELUGU, 0xC00, "0d 11 29 34 3c 45 49", "55 56 60 61 62 63",
           "- - 66 67 68 69 6a 6b 6c 6d 6e 6f 58 59 78 79 7a 7b 7c 7d 7e 7f"),
)  # fmt: skip

#: A.3.13; the letters a to z stand at 0x61.
_URDU_LETTERS = (
    "627 622 628 67b 680 67e 6a6 62a 6c2 67f x\n 679 67d x\r 67a 67c 62b 62c 681 684 683 685 686 687 62d 62e "
    "62f x\x1b 68c 688 689 68a x  x! 68f 68d 630 631 691 693 x) x( 699 632 x, 696 x. 698 "
    "x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 x: x; 69a 633 634 x? 635 636 637 638 639 641 642 6a9 6aa 6ab 6af 6b3 6b1 "
    "644 645 646 6ba 6bb 6bc 648 6c4 6d5 6c1 6be 621 6cc 6d0 6d2 64d 650 64f 657"
)
_URDU_TAIL = "654 655 651 653 656 670"
#: A.2.13.
_URDU_SIGNS = (
    "600 601 6f0 6f1 6f2 6f3 6f4 6f5 6f6 6f7 6f8 6f9 60c 60d 60e 60f 610 611 612 613 614 61b 61f 640 652 658 "
    "66b 66c 672 673 6cd 6d4"
)

#: A.2.4-A.2.13: what the single shift tables have in common, and the places that each fills by itself.
_COMMON: dict[int, str] = {
    **dict(enumerate("@£$¥¿\"¤%&'\f*+")), 0x0E: "-", 0x0F: "/",
    **dict(enumerate("<=>¡^¡_#*", 0x10)),
    0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|",
    **dict(enumerate(_LETTERS.upper(), 0x41)), 0x65: "€",
}  # fmt: skip
_FREE = (0x19, 0x1A, *range(0x1C, 0x28), *range(0x2A, 0x2F), *range(0x30, 0x3C), 0x3F)
#: Danda and double danda stand in the block of Devanagari for all.
_DANDAS = {".": "\u0964", "..": "\u0965"}


def _characters(codes: str, block: int, lacks: tuple[str, ...] = ()) -> list[str]:
    """One character a word of a pattern."""
    words = codes.replace("x  ", "x\u2420 ").split(" ")  # the space is a character of the pattern too
    out = []
    for word in words:
        if word.startswith("x"):
            out.append(" " if word == "x\u2420" else word[1:])
        else:
            out.append(" " if word in lacks else chr(block + int(word, 16)))
    return out


def _locking(pattern: str, tail: str, block: int, lacks: tuple[str, ...] = ()) -> str:
    first, *rest = _characters(tail, block)
    return "".join([*_characters(pattern, block, lacks), first, *_LETTERS, *rest])


def _single(signs: str, block: int) -> dict[int, str]:
    own = {}
    for place, word in zip(_FREE, signs.split(), strict=False):
        if word != "-":
            own[place] = _DANDAS.get(word) or chr(block + int(word, 16))
    return _COMMON | own


LOCKING: dict[int, str] = {
    row.language: _locking(_PATTERN, row.tail, row.block, tuple(row.lacks.split())) for row in SCRIPTS
} | {URDU: _locking(_URDU_LETTERS, _URDU_TAIL, 0)}
SINGLE: dict[int, dict[int, str]] = {row.language: _single(row.signs, row.block) for row in SCRIPTS} | {
    URDU: _single(_URDU_SIGNS, 0)
}
