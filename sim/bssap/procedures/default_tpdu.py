"""The TPDU of a ladder that was given none: "Hello" in the default alphabet."""

from __future__ import annotations

from sim.bssap import tpdu
from sim.bssap.user_data import text_user_data

_TEXT = "Hello"
#: Noon of 5 November 2007, eight hours east of Greenwich.
STAMP = tpdu.Timestamp.of(2007, 11, 5, 12, 0, 0, 32)


def _address(digits: str) -> tpdu.TpAddress:
    """International from 12 digits on, as the ladders send numbers."""
    return tpdu.TpAddress(digits, 1 if len(digits) >= 12 else 0)


def default_submit(called: str) -> bytes:
    return tpdu.encode(tpdu.Submit(_address(called), text_user_data(_TEXT)))


def default_deliver(calling: str) -> bytes:
    return tpdu.encode(tpdu.Deliver(_address(calling), STAMP, text_user_data(_TEXT)))
