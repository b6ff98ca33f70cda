"""Times on the wire: SMPP 3.4 7.1.1, `YYMMDDhhmmsstnnp`. Pure functions of their arguments; no clock is read.

Absolute: local time, tenths of a second, offset from UTC in quarters of an hour with its sign. Relative: `R`
as the sign, counted from the SMSC's own now.
"""

from datetime import UTC, datetime, timedelta, timezone

from smpp.errors import DecodeError, EncodeError
from smpp.status import CommandStatus

_SECOND_US = 1_000_000
_QUARTER_US = 15 * 60 * _SECOND_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_RELATIVE_S = 31 * 86_400 + 86_399


def _at(t_unix_us: int, zone: timezone) -> datetime:
    try:
        return (_EPOCH + timedelta(microseconds=t_unix_us)).astimezone(zone)
    except OverflowError:
        raise EncodeError(f"{t_unix_us} us is no date") from None


def unix_us(moment: datetime) -> int:
    """Unix microseconds of an aware datetime, in integers."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def encode_absolute(t_unix_us: int, utc_offset_quarters: int = 0) -> str:
    """`t_unix_us` as absolute time, cut to tenths of a second. China is +32 quarters."""
    if not -48 <= utc_offset_quarters <= 48:
        raise EncodeError(f"offset of {utc_offset_quarters} quarters of an hour is out of -48..48")
    local = _at(t_unix_us, timezone(timedelta(minutes=15 * utc_offset_quarters)))
    if not 1970 <= local.year <= 2069:
        raise EncodeError(f"year {local.year} is out of 1970..2069, which two digits can tell apart here")
    sign = "-" if utc_offset_quarters < 0 else "+"
    tenths = local.microsecond // 100_000
    return f"{local:%y%m%d%H%M%S}{tenths}{abs(utc_offset_quarters):02d}{sign}"


def encode_relative(after_s: int) -> str:
    """`after_s` seconds from the SMSC's now, in days, hours, minutes and seconds; at most 31 days."""
    if not 0 <= after_s <= _MAX_RELATIVE_S:
        raise EncodeError(f"{after_s} s is out of 0..{_MAX_RELATIVE_S}")
    minutes, seconds = divmod(after_s, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"0000{days:02d}{hours:02d}{minutes:02d}{seconds:02d}000R"


def decode_time(
    text: str, now_unix_us: int, *, command_status: int = CommandStatus.ESME_RINVEXPIRY
) -> int | None:
    """Unix microseconds that `text` stands for; None for the empty string (the SMSC's default).

    `now_unix_us` serves relative times only. A month or year of a relative time counts by the calendar in
    UTC, and the 31st of a short month is its last day.
    """
    if not text:
        return None
    if len(text) != 16 or not text.isascii() or not text[:15].isdigit() or text[15] not in "+-R":
        raise DecodeError(f"{text!r} is not YYMMDDhhmmsstnnp", command_status=command_status)
    year, month, day, hour, minute, second = (int(text[i : i + 2]) for i in range(0, 12, 2))
    tenths, quarters = int(text[12]), int(text[13:15])
    try:
        if text[15] == "R":
            now = _EPOCH + timedelta(microseconds=now_unix_us)
            months = now.month - 1 + month
            first = now.replace(year=now.year + year + months // 12, month=months % 12 + 1, day=1)
            following = (first + timedelta(days=31)).replace(day=1)
            moment = first.replace(day=min(now.day, (following - first).days))
            return unix_us(moment + timedelta(days=day, hours=hour, minutes=minute, seconds=second))
        if quarters > 48:
            raise ValueError(f"offset of {quarters} quarters")
        offset = quarters if text[15] == "+" else -quarters
        local = datetime(
            year + (1900 if year >= 70 else 2000),
            month,
            day,
            hour,
            minute,
            second,
            tenths * 100_000,
            tzinfo=UTC,
        )
        return unix_us(local) - offset * _QUARTER_US
    except (ValueError, OverflowError) as fault:
        raise DecodeError(f"{text!r}: {fault}", command_status=command_status) from None


def receipt_date(t_unix_us: int, utc_offset_quarters: int = 0) -> str:
    """`YYMMDDhhmm` in the SMSC's local time, as delivery receipts carry it (SMPP 3.4 appendix B)."""
    return f"{_at(t_unix_us, timezone(timedelta(minutes=15 * utc_offset_quarters))):%y%m%d%H%M}"
