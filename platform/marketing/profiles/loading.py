"""Whole files: an extract, a target list or a list of numbers with dates, from CSV or Parquet."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

from marketing.config import ConfigError, Problem
from marketing.profiles.assembly import Assembly, plan
from marketing.profiles.extract import Profiles
from marketing.profiles.reading import Unusable, open_table
from marketing.profiles.report import RowErrors

__all__ = ["Limits", "Loaded", "load_extract", "read_extract", "reading"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may be like, and how it is written."""

    bad_share: float = 0.01
    """Greatest share of bad rows; with more the whole file is refused."""
    encoding: str = "utf-8"
    """Of CSV: utf-8 or gb18030."""


@dataclass(slots=True)
class Loaded:
    """How the reading of a file went."""

    errors: RowErrors = field(default_factory=RowErrors)
    rows: int = 0
    """Rows in the file, bad ones too."""
    remarks: list[str] = field(default_factory=list)
    repeated: int = 0
    """Lists: numbers that were there before, which does no harm."""

    def check(self, limits: Limits) -> None:
        """Whether the file may be used.

        Raises:
            Unusable: too many rows are bad, or there is none.
        """
        bad = self.errors.rows
        if bad > limits.bad_share * max(self.rows, 1):
            share = 100.0 * bad / max(self.rows, 1)
            most = "no bad row" if not limits.bad_share else f"at most {100 * limits.bad_share:g} % bad rows"
            raise Unusable(most, f"{bad} of {self.rows} rows, {share:.3g} %")


def reading(path: Path, read: Callable[[BinaryIO], T], *, no_link: bool = False) -> T:
    """Reads a file; whatever is wrong with it as a whole as `Unusable`.

    `no_link`: of somebody else, who is not to have another file read in its place by a link.

    Raises:
        Unusable: it cannot be read, or not used.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if no_link else 0)
    try:
        # Without waiting for the other end of what turns out to be a pipe.
        with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unusable("a plain file", "something else")
            return read(file)
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror or error}") from None


def read_extract(file: BinaryIO, loaded: Loaded, encoding: str = "utf-8") -> Profiles:
    """An extract from an open file; what is wrong with its rows goes to `loaded`.

    Raises:
        Unusable: nothing of the file can be used.
    """
    table = open_table(file, loaded.errors, encoding)
    read, loaded.remarks = plan(table)
    assembly = Assembly(loaded.errors, read)
    misshapen = 0
    for block in table.blocks:
        assembly.take(block)
    misshapen = sum(n for (column, _), n in loaded.errors.counts.items() if not column)
    loaded.rows = assembly.rows + misshapen
    return assembly.finish()


def load_extract(path: Path) -> Profiles:
    """The extract file that a configuration names, Parquet or CSV by its content, without any bad row.

    Raises:
        ConfigError: it cannot be used, with the first hundred bad rows.
    """
    loaded = Loaded()
    try:
        profiles = reading(path, lambda file: read_extract(file, loaded))
        if not loaded.errors.total:
            return profiles
    except Unusable as error:
        raise ConfigError([Problem(str(path), error.line, "", error.value, str(error.expected))]) from None
    raise ConfigError(loaded.errors.problems(path))
