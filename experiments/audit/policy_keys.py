"""All keys of a policy file as the audit knows them, and what their values must be."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time
from typing import Any, Final
from zoneinfo import ZoneInfo

__all__ = ["NULLABLE", "POLICY_KEYS", "UNSAID", "WEEKDAYS", "Quoted", "expected_of", "number", "passes"]

UNSAID: Final = {"caps": 2, "duplicate": 30}
"""What a policy file means that leaves a limit out, as `scenarios/README.md` says."""
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
_WHOLE: Final = re.compile(r"[-+]?[0-9]+")
_NUMBER: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASED: Final = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Quoted(str):
    """A value that stands in quotes: text, whatever it looks like."""

    __slots__ = ()


def number(value: str) -> int | float:
    """What a plain value says, by YAML 1.2.2 10.3.2. Raises ValueError for what is no number."""
    if isinstance(value, Quoted):
        raise ValueError("text")
    if _WHOLE.fullmatch(value):
        return int(value)
    if _BASED.fullmatch(value):
        return int(value, 0)
    if _NUMBER.fullmatch(value):
        return float(value)
    raise ValueError("no number")


def _zone(value: Any) -> bool:
    ZoneInfo(value)
    return True


def _count(value: Any) -> bool:
    found = number(value)
    return isinstance(found, int) and found >= 0


def _seconds(value: Any) -> bool:
    return 0 <= number(value) < float("inf")


def _clock(value: Any) -> bool:
    return _TIME.fullmatch(value) is not None and time.fromisoformat(value).tzinfo is None


def _then(value: Any) -> bool:
    return value in ("hold", "drop")


def _period(value: Any) -> bool:
    return value in ("day", "week", "month")


def _dates(value: Any) -> bool:
    return isinstance(value, list) and all(_DATE.fullmatch(day) and date.fromisoformat(day) for day in value)


def _file(value: Any) -> bool:
    return isinstance(value, str)


def _prefixes(value: Any) -> bool:
    # Without quotes it would be a number.
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(p, Quoted) and p.isascii() and p.isdigit() for p in value)
    )


def _words(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_WORD.fullmatch(word) for word in value)


def _days(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(day in WEEKDAYS for day in value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _confirmations(value: Any) -> bool:
    return value in ("always", "as_contacts")


def _instead(value: Any) -> bool:
    return value in ("drop", "divert")


_EXPECTED: Final[dict[Callable[[Any], bool], str]] = {
    _zone: "an IANA time zone such as Asia/Shanghai",
    _count: "a whole number, 0 or more",
    _seconds: "seconds, 0 or more",
    _clock: "a local time of day such as '21:00'",
    _then: "hold or drop",
    _period: "day, week or month",
    _dates: "a list of dates such as 2009-10-01",
    _file: "the name of a CSV file, or null",
    _prefixes: "a list of sender prefixes such as ['100860']",
    _words: "a list of names such as [sms, mms]",
    _days: f"a list of {', '.join(WEEKDAYS)}",
    _text: "a name",
    _confirmations: "always or as_contacts",
    _instead: "drop or divert",
}
"""What a value is judged by -> what is said where it fails."""

POLICY_KEYS: Final[dict[str, Any]] = {
    "timezone": _zone,
    "timezones": {"file": _file},
    "caps": {
        "per_calendar_month": _count,
        "rules": [
            {
                "most": _count, "per": _period, "within_s": _seconds, "channels": _words, "classes": _words,
                "then": _instead, "needed": ("most",),
            }
        ],
    },
    "minimum_gap_s": _seconds,
    "classes": {"*": {"originators": _prefixes, "needed": ("originators",)}},
    "not_after": [
        {"classes": _words, "after": _words, "within_s": _seconds, "needed": ("classes", "after", "within_s")}
    ],
    "quiet_hours": {"from": _clock, "to": _clock, "then": _then, "needed": ("from", "to")},
    "closed_hours": [
        {
            "name": _text, "from": _clock, "to": _clock, "days": _days, "then": _then,
            "needed": ("from", "to"),
        }
    ],
    "holidays": {"dates": _dates, "then": _then},
    "busy_cells": {"file": _file, "then": _then},
    "holds": {"release_per_s": _seconds, "stale_after_s": _seconds},
    "do_not_disturb": {"file": _file},
    "control_group": {"file": _file},
    "delivery_margin_s": _seconds,
    "validity_s": _seconds,
    "validity_guard_s": _seconds,
    "duplicate": {"same_campaign_days": _count},
    "confirmations": _confirmations,
    "marketing_originators": _prefixes,
}  # fmt: skip
"""All keys by section. A list holds sections of one kind; `*`: any name; `needed`: keys that must be."""

NULLABLE: Final = (
    "timezones", "timezones.file", "caps.rules", "classes", "not_after", "quiet_hours", "closed_hours",
    "busy_cells", "busy_cells.file", "do_not_disturb.file", "control_group.file",
)  # fmt: skip
"""Keys that may say `null`: no such rule."""


def passes(judge: Callable[[Any], bool], value: Any) -> bool:
    """Whether a value is as it must be."""
    try:
        return judge(value)
    except (ValueError, TypeError, AttributeError, LookupError, OSError, OverflowError):
        return False


def expected_of(judge: Callable[[Any], bool]) -> str:
    """What is said where it is not."""
    return _EXPECTED[judge]
