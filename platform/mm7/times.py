"""Times of XML Schema: dateTime, and durations where a time may be relative."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from mm7.errors import DecodeError, EncodeError

__all__ = ["pull_time_us", "push_time_us"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION: Final = re.compile(
    r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})(?:\.\d+)?S)?)?"
)


def push_time_us(t_us: int) -> str:
    """Unix us as dateTime in UTC, whole seconds, rounded down."""
    try:
        return (_EPOCH + timedelta(seconds=t_us // 1_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        raise EncodeError(f"{t_us} us is no date") from None


def pull_time_us(text: str, now_us: int | None = None) -> int:
    """A dateTime; without an offset it is taken for UTC. With `now_us` a duration from then will do too."""
    relative = _DURATION.fullmatch(text)
    if relative is not None and any(relative.groups()) and now_us is not None:
        days, hours, minutes, seconds = (int(part or 0) for part in relative.groups())
        return now_us + (days * 86400 + hours * 3600 + minutes * 60 + seconds) * 1_000_000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DecodeError(f"{text[:40]!r} is no dateTime") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return (moment - _EPOCH) // timedelta(microseconds=1)
    except OverflowError:
        raise DecodeError(f"{text[:40]!r} is out of range") from None
