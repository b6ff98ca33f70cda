"""Segment classes: static features that everybody of a segment has, from one table of audiences.

The table gives each segment its usual places of contact and its content packages; with it two more columns
stand beside those of the extract, `contact_places` and `packages`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from marketing.config import ConfigError, Document, Strict, read_model, suggest
from marketing.config_values import Form
from marketing.profiles.columns import MOST_LIST_WORDS, Column
from marketing.profiles.extract import Profiles

__all__ = [
    "SEGMENT_COLUMNS",
    "SegmentClass",
    "SegmentTable",
    "check_segments",
    "load_segments",
    "with_segments",
]

SEGMENT_COLUMNS: Final[dict[str, str]] = {
    "contact_places": "kinds of places where the segment is met most often",
    "packages": "content packages that suit the segment",
}
"""Columns that a table adds: lists, by name with their meaning."""

Word = Annotated[
    str,
    Field(max_length=60),
    Form(
        r"^[a-z0-9]+([_-][a-z0-9]+)*$", "words of small letters and digits, joined by hyphens or underscores"
    ),
]


class SegmentClass(Strict):
    """One segment."""

    title: dict[Literal["en", "zh"], Annotated[str, Field(min_length=1, max_length=60)]] = Field(min_length=1)
    """Name for people, by language."""
    places: list[Word] = Field(min_length=1, max_length=20)
    """Kinds of places, as the cell table names them, the likeliest first."""
    packages: dict[Word, Annotated[list[Word], Field(min_length=1, max_length=20)]] = Field(min_length=1)
    """Content packages -> contents, as the extract's interests name them."""

    @model_validator(mode="after")
    def _once(self) -> SegmentClass:
        contents = [content for package in self.packages.values() for content in package]
        for what, words in (("place", self.places), ("content", contents)):
            twice = sorted({word for word in words if words.count(word) > 1})
            if twice:
                raise ValueError(f"every {what} once; {twice[0]} is there again")
        return self

    @property
    def contents(self) -> tuple[str, ...]:
        """All contents of its packages, sorted."""
        return tuple(sorted(content for package in self.packages.values() for content in package))


class SegmentTable(Strict):
    """The table."""

    audiences: Literal["segments"]
    """What kind of audiences these are."""
    about: str = Field(default="", max_length=400)
    """What the table is for."""
    segments: dict[Word, SegmentClass] = Field(min_length=1)
    """Segments by the name that the extract has for them."""

    @model_validator(mode="after")
    def _fits(self) -> SegmentTable:
        for what, words in (
            ("kinds of places", {p for s in self.segments.values() for p in s.places}),
            ("packages", {p for s in self.segments.values() for p in s.packages}),
        ):
            if len(words) > MOST_LIST_WORDS:
                raise ValueError(f"at most {MOST_LIST_WORDS} different {what}; there are {len(words)}")
        return self


def load_segments(path: Path) -> tuple[SegmentTable, Document]:
    """The table, and where its keys stand in the file.

    Raises:
        ConfigError: with every problem of the file.
    """
    return read_model(path, SegmentTable)


def check_segments(
    table: SegmentTable, document: Document, profiles: Profiles, kinds: frozenset[str]
) -> None:
    """Whether a table fits an extract and a cell table.

    Raises:
        ConfigError: a segment or content is in no profile, a kind of place in no cell.
    """
    problems = []
    segments, contents = profiles.column("segment").words, profiles.column("interests").words
    for name, one in table.segments.items():
        here = ("segments", name)
        if segments and name not in segments:
            expected = f"a segment of the extract: {', '.join(filter(None, segments))}"
            problems.append(document.problem(here, name, expected, suggest(name, segments)))
        for at, place in enumerate(one.places):
            if kinds and place not in kinds:
                expected = f"a kind of place of the cell table: {', '.join(sorted(kinds))}"
                problems.append(
                    document.problem((*here, "places", at), place, expected, suggest(place, sorted(kinds)))
                )
        for package, words in one.packages.items():
            for at, content in enumerate(words):
                if contents and content not in contents:
                    expected = f"one of the extract's interests: {', '.join(contents)}"
                    path = (*here, "packages", package, at)
                    problems.append(document.problem(path, content, expected, suggest(content, contents)))
    if problems:
        raise ConfigError(problems)


def with_segments(profiles: Profiles, table: SegmentTable) -> Profiles:
    """The extract with the columns of the table; unknown for whoever has no segment, or another one."""
    segment = profiles.column("segment")
    columns = dict(profiles.columns)
    given: dict[str, Mapping[str, tuple[str, ...]]] = {
        "contact_places": {name: tuple(one.places) for name, one in table.segments.items()},
        "packages": {name: tuple(one.packages) for name, one in table.segments.items()},
    }
    for column, by_segment in given.items():
        words = tuple(sorted({word for words in by_segment.values() for word in words}))
        dtype = next(d for d in (np.uint8, np.uint16, np.uint32, np.uint64) if len(words) <= 8 * d().itemsize)
        bits: NDArray[np.unsignedinteger] = np.zeros(max(len(segment.words), 1), dtype=dtype)
        has = np.zeros(len(bits), dtype=np.bool_)
        for code, name in enumerate(segment.words):
            if name in by_segment:
                bits[code] = sum(1 << words.index(word) for word in by_segment[name])
                has[code] = True
        known = has[segment.values] & segment.is_known()
        packed = None if known.all() else np.packbits(known)
        columns[column] = Column("list", bits[segment.values], words, packed)
    return replace(profiles, columns=columns)
