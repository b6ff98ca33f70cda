"""CSV text in blocks of whole lines, made harmless before it is parsed.

A line is a record: a quoted value cannot go over its end, so that one stray quote costs one line and not all
that follow. What cannot be a line (a quote left open, NUL octets, far too long) is replaced by an empty line
and told by its number; an empty line is nothing anywhere.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np

__all__ = ["ENCODINGS", "LONGEST_LINE", "Lines", "WrongEncoding", "clean_blocks"]

LONGEST_LINE: Final = 1 << 16
"""Octets."""
_BLOCK: Final = 1 << 22
ENCODINGS: Final = ("utf-8", "gb18030")
"""What a file may be written in; GB2312 and GBK are parts of GB 18030."""
_UNLIKELY: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xfe", "UTF-16 text: save it as CSV UTF-8"),
    (b"\xfe\xff", "UTF-16 text: save it as CSV UTF-8"),
    (b"PK\x03\x04", "a spreadsheet or an archive: save it as CSV UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet: save it as CSV UTF-8"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
    (b"PAR1", "a damaged Parquet file"),
)
OPEN_QUOTE, NUL, TOO_LONG = (
    "quotes that are closed within the line",
    "text without NUL characters",
    f"at most {LONGEST_LINE} octets",
)


class WrongEncoding(ValueError):  # noqa: N818 - the name says what happened
    """The file is not text that can be read; the message says what it seems to be."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Some whole lines."""

    first: int
    """Number of the first, counted from 1."""
    count: int
    text: bytes
    """Each ends with a newline."""
    spoilt: tuple[tuple[int, str, bytes], ...]
    """Number, expectation and beginning of each line that was emptied."""


def clean_blocks(file: BinaryIO, encoding: str = "utf-8") -> Iterator[Lines]:
    """All lines of a file as UTF-8 in blocks of some megabytes.

    Raises:
        WrongEncoding: it begins like something that is no text.
        OSError: it cannot be read.
    """
    decoder = codecs.getincrementaldecoder(encoding)("replace") if encoding != "utf-8" else None
    rest, first, beginning = b"", 1, True
    while True:
        raw = file.read(_BLOCK)
        if beginning:
            beginning = False
            for magic, said in _UNLIKELY:
                if raw.startswith(magic):
                    raise WrongEncoding(f"this is {said}")
            raw = raw.removeprefix(codecs.BOM_UTF8)
        ended = not raw
        if decoder is not None:
            raw = decoder.decode(raw, final=ended).encode("utf-8")
        data = rest + raw
        if ended:
            if data:
                yield _cleaned(data + b"\n", first)
            return
        cut = data.rfind(b"\n") + 1
        if not cut:
            # A line without an end is not kept whole in memory.
            rest = data if len(data) <= LONGEST_LINE else data[: LONGEST_LINE + 1]
            continue
        block, rest = _cleaned(data[:cut], first), data[cut:]
        first += block.count
        yield block


def _cleaned(data: bytes, first: int) -> Lines:
    if b"\r" in data:
        # Only a newline ends a line, with or without a carriage return before it.
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            # The mark of what could not be read makes a cell bad; all before and behind it stays.
            data = data.decode("utf-8", "replace").encode("utf-8")
    octets = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(octets == 10)
    begins = np.concatenate((np.zeros(1, dtype=ends.dtype), ends[:-1] + 1))
    reasons: dict[int, str] = {}
    if b'"' in data:
        # Doubled quotes within quotes count two, so that the parity holds.
        quotes = np.searchsorted(ends, np.flatnonzero(octets == 34))
        odd = np.flatnonzero(np.bincount(quotes, minlength=len(ends)) & 1)
        reasons |= dict.fromkeys(odd.tolist(), OPEN_QUOTE)
    if b"\0" in data:
        found = np.unique(np.searchsorted(ends, np.flatnonzero(octets == 0)))
        reasons |= dict.fromkeys(found.tolist(), NUL)
    reasons |= dict.fromkeys(np.flatnonzero(ends - begins > LONGEST_LINE).tolist(), TOO_LONG)
    if not reasons:
        return Lines(first, len(ends), data, ())
    parts, at, spoilt = [], 0, []
    for line in sorted(reasons):
        begin, end = int(begins[line]), int(ends[line])
        spoilt.append((first + line, reasons[line], data[begin : min(end, begin + 120)]))
        parts.append(data[at:begin])
        at = end
    parts.append(data[at:])
    return Lines(first, len(ends), b"".join(parts), tuple(spoilt))
