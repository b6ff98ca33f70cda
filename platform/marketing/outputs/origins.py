"""Where a subscriber comes from, by the first digits of the IMSI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from marketing.config import ConfigError, Problem
from marketing.profiles.plain_csv import plain_csv

__all__ = ["Origins", "load_origins"]


@dataclass(frozen=True, slots=True)
class Origins:
    """Prefixes of IMSIs with names; of several that fit the longest counts."""

    names: Mapping[str, str] = field(default_factory=dict)
    """First digits -> origin."""

    def of(self, imsi: int) -> str:
        """The origin; where no prefix fits the network, as 460-00 (TS 23.003 2.2: MCC, then MNC)."""
        digits = f"{imsi:015d}"
        for length in range(15, 4, -1):
            name = self.names.get(digits[:length])
            if name is not None:
                return name
        return f"{digits[:3]}-{digits[3:5]}"


def load_origins(path: Path | None) -> Origins:
    """CSV with the header imsi_prefix,origin. No path: networks alone.

    Raises:
        ConfigError: with every bad row (the first hundred).
    """
    if path is None:
        return Origins()
    names: dict[str, str] = {}
    problems: list[Problem] = []
    with plain_csv(path) as rows:
        header = rows.fieldnames or []
        if not {"imsi_prefix", "origin"} <= set(header):
            expected = "expected the header imsi_prefix,origin"
            raise ConfigError([Problem(str(path), 1, "", ",".join(header), expected)])
        for row in rows:
            prefix, origin = (row["imsi_prefix"] or "").strip(), (row["origin"] or "").strip()
            if not (prefix.isascii() and prefix.isdigit() and 5 <= len(prefix) <= 15):
                wrong = "expected 5 to 15 digits: a network, or a range of its numbers"
                problems.append(Problem(str(path), rows.line_num, "imsi_prefix", repr(prefix), wrong))
            elif not origin or len(origin) > 60:
                wrong = "expected a name of 1 to 60 characters"
                problems.append(Problem(str(path), rows.line_num, "origin", repr(origin), wrong))
            elif names.setdefault(prefix, origin) != origin:
                wrong = f"expected every prefix once; it is {names[prefix]!r} above"
                problems.append(Problem(str(path), rows.line_num, "imsi_prefix", repr(prefix), wrong))
    if problems:
        raise ConfigError(problems[:100])
    return Origins(names)
