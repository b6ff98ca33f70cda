"""What short messages by the thousand are spliced from: bodies, each encoded once, and time stamps.

Bodies come from the reference codec (`sim.bssap.user_data`); the compiled network puts the rest around them,
and a test holds that against `sim.bssap.tpdu`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from sim.bssap import gsm7
from sim.bssap.errors import EncodeError
from sim.bssap.user_data import (
    GSM7,
    UserData,
    alphabet,
    decode_user_data,
    encode_user_data,
    text_user_data,
)

UCS2_CODING: Final = 0x08
_HEADER: Final = 0x40
_UDHI: Final = 0x40  # SMPP 3.4 5.2.12: esm_class, user data header present


@lru_cache(maxsize=4096)
def text_body(text: str) -> bytes:
    """TP-DCS, TP-UDL and TP-UD of a text of one part; GSM 7-bit where it can be."""
    try:
        coding, data = 0, text_user_data(text)
    except EncodeError:
        coding, data = UCS2_CODING, text_user_data(text, UCS2_CODING)
    return bytes([coding]) + encode_user_data(data)


def smpp_body(data: bytes, data_coding: int, esm_class: int) -> tuple[bytes, bool]:
    """TP-DCS, TP-UDL, TP-UD and TP-UDHI of an SMPP user data; GSM 7-bit comes as one septet an octet."""
    header = bool(esm_class & _UDHI)
    head = data[: data[0] + 1] if header and data else b""
    if alphabet(data_coding) == GSM7:
        used = (8 * len(head) + 6) // 7
        octets = head + gsm7.pack(list(data[len(head) :]), 7 * used)[len(head) :]
        value = UserData(used + len(data) - len(head), octets, data_coding, header)
    else:
        value = UserData(len(data), data, data_coding, header)
    return bytes([data_coding]) + encode_user_data(value), header


def user_data(body: bytes, header: bool) -> UserData:
    """What a handset makes of TP-DCS, TP-UDL and TP-UD."""
    return decode_user_data(body[1:], body[0], header)


def _semi(value: int) -> int:
    return value // 10 | value % 10 << 4


class ServiceCentreClock:
    """TP-SCTS of world times: local time of a fixed offset, TS 23.040 9.2.3.11."""

    def __init__(self, epoch_unix_us: int, utc_offset_quarters: int) -> None:
        self._midnight = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=epoch_unix_us, minutes=15 * utc_offset_quarters
        )
        self._zone = _semi(abs(utc_offset_quarters)) | (8 if utc_offset_quarters < 0 else 0)
        self._days: dict[int, bytes] = {}

    def stamp(self, t_us: int) -> bytes:
        """The seven octets."""
        day, second = divmod(t_us // 1_000_000, 86400)
        date = self._days.get(day)
        if date is None:
            at = self._midnight + timedelta(days=day)
            date = self._days[day] = bytes([_semi(at.year % 100), _semi(at.month), _semi(at.day)])
        minutes, seconds = divmod(second, 60)
        return date + bytes([_semi(minutes // 60), _semi(minutes % 60), _semi(seconds), self._zone])
