"""Dated lists: do-not-disturb and control group, each entry with the instant from which it holds."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from marketing.config import ConfigError, Problem

__all__ = ["read_dated_list"]


def read_dated_list(path: Path | None, zone: str) -> list[tuple[int, int]]:
    """Pairs of (MSISDN's value, Unix us since when); an empty date is as old as can be. No path: no entries.

    Raises:
        ConfigError: with every bad row (the first hundred).
    """
    if path is None:
        return []
    local = ZoneInfo(zone)
    entries: list[tuple[int, int]] = []
    problems: list[Problem] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if "msisdn" not in (rows.fieldnames or ()):
            header = ",".join(rows.fieldnames or ())
            raise ConfigError([Problem(str(path), 1, "", header, "expected the header msisdn,since")])
        for row in rows:
            msisdn, since = (row.get("msisdn") or "").strip(), (row.get("since") or "").strip()
            if not (msisdn.isascii() and msisdn.isdigit() and 5 <= len(msisdn) <= 15):
                problems.append(
                    Problem(str(path), rows.line_num, "msisdn", repr(msisdn), "expected 5 to 15 digits")
                )
                continue
            try:
                entries.append((int(msisdn), _instant_us(since, local)))
            except ValueError:
                expected = "expected a local ISO time such as 2009-03-02T18:00:00, or nothing"
                problems.append(Problem(str(path), rows.line_num, "since", repr(since), expected))
    if problems:
        raise ConfigError(problems[:100])
    return entries


def _instant_us(text: str, zone: ZoneInfo) -> int:
    if not text:
        return 0
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    since_epoch = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return round(since_epoch.total_seconds() * 1e6)
