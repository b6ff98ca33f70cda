"""The days of an experiment that goes back and forth: on which of them contacts are made, and to whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from marketing.profiles.plain_csv import plain_csv

__all__ = ["Days", "read_days"]

Span = tuple[date, date]
HEADER: Final = "from,until or from,until,msisdn"


@dataclass(frozen=True, slots=True)
class Days:
    """Spans of local days, both ends included."""

    everybody: tuple[Span, ...]
    single: Mapping[str, tuple[Span, ...]]
    """MSISDN -> its own."""

    def hold(self, day: date, msisdn: str) -> bool:
        """Whether contacts are made to a subscriber on a day."""
        spans = (*self.everybody, *self.single.get(msisdn, ()))
        return any(first <= day <= last for first, last in spans)


def read_days(path: Path) -> Days:
    """A table of days: CSV with the header from,until, and msisdn besides where it tells of single ones.

    Raises:
        ValueError: the first line that cannot be used.
    """
    everybody: list[Span] = []
    single: dict[str, list[Span]] = {}
    with plain_csv(path) as rows:
        if not {"from", "until"} <= set(rows.fieldnames or ()):
            raise ValueError(f"{path} line 1: expected the header {HEADER}")
        for row in rows:
            try:
                span = tuple(date.fromisoformat((row.get(name) or "").strip()) for name in ("from", "until"))
            except ValueError:
                span = ()
            if len(span) != 2 or span[1] < span[0]:
                raise ValueError(
                    f"{path} line {rows.line_num}: expected two days such as 2009-03-02, in order"
                )
            msisdn = (row.get("msisdn") or "").strip()
            if msisdn and not (msisdn.isascii() and msisdn.isdigit() and 5 <= len(msisdn) <= 15):
                raise ValueError(f"{path} line {rows.line_num}: msisdn: expected 5 to 15 digits or nothing")
            (single.setdefault(msisdn, []) if msisdn else everybody).append(span)
    return Days(tuple(everybody), {msisdn: tuple(spans) for msisdn, spans in single.items()})
