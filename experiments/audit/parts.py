"""What handsets received, in columns: parts as they were delivered, and contacts put together from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from experiments.folder import read_table
from experiments.problems import BadInput, relative

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PARTS_WITHIN_US", "Contacts", "Part", "Parts", "read_parts", "reassemble"]

PARTS_WITHIN_US: Final = 7 * 86_400_000_000
"""Parts that come further apart than this belong to different messages: no validity period is longer."""
ACCEPTED_WITHIN_US: Final = 3_600_000_000
"""And parts that the service centre took further apart: those of one message are handed over together."""
_NUMBERS: Final = ("t_us", "smsc_us", "reference", "part", "parts")
_TEXTS: Final = ("msisdn", "source")
_LATER: Final = ("channel", "cell")
"""Columns that records of older runs have not."""


@dataclass(frozen=True, slots=True)
class Part:
    """One message at a handset: an SMS-DELIVER, or what another channel shows in one piece."""

    t_us: int
    """Received, Unix microseconds."""
    msisdn: str
    source: str
    """Originator."""
    smsc_us: int
    """Service centre time stamp, Unix microseconds (TS 23.040 9.2.3.11: whole seconds)."""
    reference: int = -1
    """Concatenation reference (TS 23.040 9.2.3.24.1); -1 for a message of one part."""
    part: int = 1
    parts: int = 1
    channel: str = "sms"
    cell: str = ""
    """LAC-CI where the handset was; empty: not recorded."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Columns of parts; texts are numbers into the lists of distinct ones."""

    t_us: NDArray[np.int64]
    smsc_us: NDArray[np.int64]
    reference: NDArray[np.int64]
    part: NDArray[np.int64]
    parts: NDArray[np.int64]
    person: NDArray[np.int32]
    source: NDArray[np.int32]
    channel: NDArray[np.int32]
    cell: NDArray[np.int32]
    persons: tuple[str, ...]
    """MSISDNs."""
    sources: tuple[str, ...]
    channels: tuple[str, ...]
    cells: tuple[str, ...]
    """Empty where no cell was recorded."""

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Parts:
        """From single ones."""
        rows = list(parts)
        texts = [_coded([getattr(p, name) for p in rows]) for name in (*_TEXTS, *_LATER)]
        numbers = [np.array([getattr(p, name) for p in rows], np.int64) for name in _NUMBERS]
        if not any(texts[3][1]):
            texts[3] = texts[3][0], ()
        return cls.from_columns(numbers, texts)

    @classmethod
    def from_columns(
        cls, numbers: Sequence[NDArray[np.int64]], texts: Sequence[tuple[NDArray[np.int32], tuple[str, ...]]]
    ) -> Parts:
        """Numbers and coded texts in the order of the fields."""
        (person, persons), (source, sources), (channel, channels), (cell, cells) = texts
        t_us, smsc_us, reference, part, parts = numbers
        return cls(
            t_us, smsc_us, reference, part, parts,
            person, source, channel, cell, persons, sources, channels, cells,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.t_us)

    def only(self, which: NDArray[Any]) -> Parts:
        """Some of them, by mask or positions; the lists stay."""
        numbers = [getattr(self, name)[which] for name in _NUMBERS]
        texts = [
            (self.person[which], self.persons),
            (self.source[which], self.sources),
            (self.channel[which], self.channels),
            (self.cell[which], self.cells),
        ]
        return Parts.from_columns(numbers, texts)

    def from_sources(self, wanted: Callable[[str], bool]) -> Parts:
        """Those whose originator is wanted, in the order of time."""
        keep = np.array([wanted(source) for source in self.sources], np.bool_)
        found = self.only(keep[self.source]) if len(self) else self
        return found.only(np.lexsort((found.part, found.person, found.t_us)))


def _coded(texts: Sequence[str]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(text, len(numbers)) for text in texts], np.int32)
    return codes, tuple(numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Contacts:
    """Marketing messages as their readers saw them, in the order (time, person, originator).

    A message is received when it is complete, or when the last part of it came that ever did.
    """

    parts: Parts
    """What they were put together from, without repeats; in the order of time."""
    of_part: NDArray[np.int64]
    """Part -> its contact."""
    t_us: NDArray[np.int64]
    smsc_us: NDArray[np.int64]
    """Earliest service centre time stamp of the parts."""
    person: NDArray[np.int32]
    source: NDArray[np.int32]
    channel: NDArray[np.int32]
    whole: NDArray[np.bool_]
    """False where a part never came; it counts as a contact all the same."""
    repeated: int
    """Parts received twice with one service centre time stamp: a lost acknowledgement, no new contact."""

    def __len__(self) -> int:
        return len(self.t_us)


def reassemble(parts: Parts) -> Contacts:
    """Puts parts, in the order of time, together by originator, reference and number of parts.

    TS 23.040 9.2.3.24.1. A reference is reused after 256 messages, so a part number already seen, a gap
    longer than any validity period, or time stamps of the service centre far apart tell messages apart; the
    same part with the same time stamp is one delivery told twice.
    """
    number = np.arange(len(parts), dtype=np.int64)
    """Contact of each part, named by its first part; -1 = a repeat."""
    long = np.flatnonzero((parts.parts > 1) & (parts.reference >= 0))
    if len(long):
        _put_together(parts, long, number)
    kept = np.flatnonzero(number >= 0)
    parts = parts.only(kept)
    firsts, of_part = np.unique(number[kept], return_inverse=True)
    n = len(firsts)
    t_us, smsc_us = np.full(n, np.iinfo(np.int64).min), np.full(n, np.iinfo(np.int64).max)
    np.maximum.at(t_us, of_part, parts.t_us)
    np.minimum.at(smsc_us, of_part, parts.smsc_us)
    first = np.searchsorted(kept, firsts)  # a first part is never a repeat
    person, source, channel = parts.person[first], parts.source[first], parts.channel[first]
    single = (parts.parts[first] <= 1) | (parts.reference[first] < 0)
    whole = single | (np.bincount(of_part, minlength=n) == parts.parts[first])
    order = np.lexsort((source, person, t_us))
    place = np.empty(n, np.int64)
    place[order] = np.arange(n)
    return Contacts(
        parts,
        place[of_part],
        t_us[order],
        smsc_us[order],
        person[order],
        source[order],
        channel[order],
        whole[order],
        repeated=len(number) - len(kept),
    )


def _put_together(parts: Parts, long: NDArray[np.int64], number: NDArray[np.int64]) -> None:
    """Numbers the parts of long messages. Groups without repeats and reuse go at once, the others singly."""
    keys = [getattr(parts, name)[long] for name in ("parts", "reference", "channel", "source", "person")]
    order = np.lexsort((long, *keys))
    rows = long[order]
    changes = np.zeros(len(rows), np.bool_)
    changes[0] = True
    for key in keys:
        changes[1:] |= key[order][1:] != key[order][:-1]
    starts = np.flatnonzero(changes)
    group = np.cumsum(changes) - 1
    number[rows] = rows[starts][group]
    by_part = np.lexsort((parts.part[rows], group))
    twice = (group[by_part][1:] == group[by_part][:-1]) & (
        parts.part[rows][by_part][1:] == parts.part[rows][by_part][:-1]
    )
    ends = np.append(starts[1:], len(rows)) - 1
    stamp = parts.smsc_us[rows]
    apart = np.maximum.reduceat(stamp, starts) - np.minimum.reduceat(stamp, starts)
    hard = parts.t_us[rows[ends]] - parts.t_us[rows[starts]] > PARTS_WITHIN_US
    hard |= apart > ACCEPTED_WITHIN_US
    hard[group[by_part][1:][twice]] = True
    for at in np.flatnonzero(hard).tolist():
        _one_by_one(parts, rows[starts[at] : ends[at] + 1].tolist(), number)


def _one_by_one(parts: Parts, rows: list[int], number: NDArray[np.int64]) -> None:
    """Each part to the latest message that it fits: taken by the centre with it, and lacking this part."""
    messages: list[tuple[int, dict[int, int]]] = []
    for row in rows:
        which, stamp, t_us = int(parts.part[row]), int(parts.smsc_us[row]), int(parts.t_us[row])
        fits = [
            (first, held)
            for first, held in messages
            if abs(stamp - int(parts.smsc_us[first])) <= ACCEPTED_WITHIN_US
            and t_us - int(parts.t_us[first]) <= PARTS_WITHIN_US
        ]
        if any(held.get(which) == stamp for _, held in fits):
            number[row] = -1
            continue
        first, held = next(((f, h) for f, h in reversed(fits) if which not in h), (row, {}))
        if first == row:
            messages.append((row, held))
        held[which] = stamp
        number[row] = first


def read_parts(path: Path) -> Parts:
    """The handset records of a run. Records without `channel` are all of short messages.

    Raises:
        BadInput: the file is missing, damaged, or a column is missing, of the wrong kind or has gaps.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    read_table(path, list(_NUMBERS[:1]))  # says what is wrong with the file itself
    try:
        present = pq.read_schema(path).names
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{relative(path)}: damaged, cannot be read as Parquet ({error})") from None
    names = [*_NUMBERS, *_TEXTS, *(name for name in _LATER if name in present)]
    table = read_table(path, names)
    for name in names:
        kind, text = _kind(table[name].type), name not in _NUMBERS
        fits = (
            pa.types.is_string(kind) or pa.types.is_large_string(kind) if text else pa.types.is_integer(kind)
        )
        if not fits or table[name].null_count:
            expected = "text" if text else "whole numbers"
            raise BadInput(f"{relative(path)}: column {name} = {kind}: expected {expected}, none missing")
    numbers = [_numbers(table[name]) for name in _NUMBERS]
    texts: list[tuple[NDArray[np.int32], tuple[str, ...]]] = []
    for name, unsaid in (*((text, None) for text in _TEXTS), ("channel", "sms"), ("cell", None)):
        if name in present:
            coded = pc.dictionary_encode(table[name].combine_chunks())
            coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
            codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
            texts.append((codes, tuple(coded.dictionary.to_pylist())))
        else:
            texts.append((np.zeros(len(table), np.int32), (unsaid,) if unsaid else ()))
    return Parts.from_columns(numbers, texts)


def _kind(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    import pyarrow as pa

    values: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    return values
