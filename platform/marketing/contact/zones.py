"""Who lives in which time zone: a small file, a number of a zone by subscriber."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marketing.config import ConfigError, Problem
from marketing.contact.rules_file import known_zone

__all__ = ["NO_ZONES", "Zones", "read_rows", "read_zones"]

MOST_ZONES: Final = 255
MOST_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """Numbers, each once, ascending, with the number of the zone of each."""

    names: tuple[str, ...]
    """Zone 1 and so on; zone 0 is that of everybody else."""
    msisdn: NDArray[np.uint64]
    zone: NDArray[np.uint8]


NO_ZONES: Final = Zones((), np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.uint8))


def read_zones(path: Path | None) -> Zones:
    """The file `timezones` of a policy. No path: nobody.

    Raises:
        ConfigError: it cannot be used, with its first hundred bad rows.
    """
    if path is None:
        return NO_ZONES
    numbers: dict[str, int] = {}
    found: dict[int, int] = {}
    problems: list[Problem] = []
    for line, (msisdn, name) in read_rows(path, ("msisdn", "timezone")):
        if not (msisdn.isascii() and msisdn.isdigit() and len(msisdn) <= 15):
            problems.append(Problem(str(path), line, "msisdn", msisdn[:60], "expected 1 to 15 digits"))
            continue
        try:
            zone = numbers.setdefault(known_zone(name), len(numbers) + 1)
        except ValueError as error:
            problems.append(Problem(str(path), line, "timezone", name[:60], str(error)))
            continue
        if found.setdefault(int(msisdn), zone) != zone:
            expected = "this subscriber was said to live in another zone"
            problems.append(Problem(str(path), line, "timezone", name, expected))
        if zone > MOST_ZONES:
            problems.append(Problem(str(path), line, "timezone", name, f"at most {MOST_ZONES} zones"))
        if len(problems) >= MOST_PROBLEMS:
            break
    if problems:
        raise ConfigError(problems)
    ordered = sorted(found)
    zones = np.array([found[number] for number in ordered], dtype=np.uint8)
    return Zones(tuple(numbers), np.array(ordered, dtype=np.uint64), zones)


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Line and cells, trimmed, of the columns of a CSV file; its others are not read.

    Raises:
        ConfigError: it cannot be read, or lacks a column, or a row is of another length.
    """

    def refuse(line: int, value: str, expected: str) -> ConfigError:
        return ConfigError([Problem(str(path), line, "", value, expected)])

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            if any(name not in header for name in columns):
                raise refuse(1, ",".join(header)[:80], f"expected the header {','.join(columns)}")
            places = [header.index(name) for name in columns]
            for row in rows:
                if not row:
                    continue
                if len(row) != len(header):
                    raise refuse(rows.line_num, str(len(row)), f"expected {len(header)} cells")
                yield rows.line_num, tuple(row[place].strip() for place in places)
    except OSError as error:
        raise refuse(0, "", f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise refuse(0, "", f"expected UTF-8 text; octet {error.start + 1} is none") from None
    except csv.Error as error:
        raise refuse(0, "", f"not CSV: {error}") from None
