"""Validity periods of short messages, also as Wireshark reads them; what reports say behind the status."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.bssap import DecodeError, EncodeError, tpdu, view
from sim.bssap.user_data import text_user_data
from sim.bssap.validity import (
    CLOCK,
    NONE,
    RELATIVE,
    SECONDS,
    EnhancedValidity,
    decode_enhanced,
    encode_enhanced,
    relative,
    relative_s,
)

MINUTE, HOUR, DAY = 60, 3_600, 86_400
CALLED = tpdu.TpAddress("10086", 0)
STAMP = tpdu.Timestamp.of(26, 11, 23, 12, 30, 59, -14)

#: TS 23.040 9.2.3.12.1, the corners of its table.
RELATIVES = [
    (0, 5 * MINUTE), (1, 10 * MINUTE), (143, 12 * HOUR), (144, 12 * HOUR + 30 * MINUTE), (167, 24 * HOUR),
    (168, 2 * DAY), (196, 30 * DAY), (197, 35 * DAY), (255, 63 * 7 * DAY),
]  # fmt: skip


@pytest.mark.parametrize(("value", "seconds"), RELATIVES)
def test_relative_periods(value, seconds):
    assert relative_s(value) == seconds
    assert relative(seconds) == value


@given(st.integers(0, 63 * 7 * DAY))
def test_the_shortest_that_lasts(seconds):
    value = relative(seconds)
    assert relative_s(value) >= seconds
    assert value == 0 or relative_s(value - 1) < seconds


def test_no_period_is_longer_than_63_weeks():
    with pytest.raises(EncodeError, match="63 weeks"):
        relative(63 * 7 * DAY + 1)
    with pytest.raises(DecodeError):
        relative_s(256)


ENHANCED = [
    ("00 00 0000 000000", EnhancedValidity(None, False, NONE)),
    ("41 a7 0000 000000", EnhancedValidity(24 * HOUR, True, RELATIVE)),
    ("02 1e 0000 000000", EnhancedValidity(30, False, SECONDS)),
    ("03 21 43 95 000000", EnhancedValidity(12 * HOUR + 34 * MINUTE + 59, False, CLOCK)),
]


@pytest.mark.parametrize(("octets", "value"), ENHANCED)
def test_enhanced_periods(octets, value):
    data = bytes.fromhex(octets)
    assert decode_enhanced(data) == value
    assert encode_enhanced(value) == data
    sent = tpdu.Submit(CALLED, text_user_data("x"), validity=encode_enhanced(value))
    assert tpdu.decode(tpdu.encode(sent)) == sent


@pytest.mark.parametrize("octets", ["", "00" * 6, "80" + "00" * 6, "07" + "00" * 6])
def test_enhanced_periods_refused(octets):
    with pytest.raises(DecodeError):
        decode_enhanced(bytes.fromhex(octets))


@pytest.mark.parametrize(
    "value",
    [
        EnhancedValidity(None, False, SECONDS),
        EnhancedValidity(1, False, NONE),
        EnhancedValidity(256, False, SECONDS),
        EnhancedValidity(301, False, RELATIVE),
        EnhancedValidity(100 * HOUR, False, CLOCK),
        EnhancedValidity(1, False, 6),
    ],
)
def test_enhanced_periods_that_cannot_be(value):
    with pytest.raises(EncodeError):
        encode_enhanced(value)


@pytest.mark.parametrize(
    ("validity", "shown"),
    [
        (0xAA, 4 * DAY),
        (encode_enhanced(EnhancedValidity(30)), 30),
        (STAMP, "2026-11-23T12:30:59-03:30"),
        (b"\x07" + bytes(6), None),
    ],
)
def test_the_period_is_shown(validity, shown):
    seen = view("tpdu", tpdu.encode(tpdu.Submit(CALLED, text_user_data("x"), validity=validity)))
    assert seen["ies"]["TPDU"].get("validity_period") == shown


def test_wireshark_reads_the_same_relative_period(tshark_words):
    """Its words: 5 minutes, 12 hours 30 minutes, 2 day(s), 5 week(s)."""
    units = {"minute": MINUTE, "hour": HOUR, "day": DAY, "week": 7 * DAY}
    values = [value for value, _ in RELATIVES] + [11, 99, 150, 180, 220]
    messages = []
    for value in values:
        octets = tpdu.encode(tpdu.Submit(CALLED, text_user_data("x"), validity=value))
        rp = bytes([0, 1, 0, 2, 0x91, 0x68, len(octets)]) + octets
        messages.append(bytes([0x09, 0x01, len(rp)]) + rp)
    for value, text in zip(values, tshark_words(messages, "gsm_a_dtap"), strict=True):
        (words,) = re.findall(r"TP-Validity-Period: (.*)", text)
        parts = re.findall(r"(\d+) (minute|hour|day|week)", words)
        assert sum(int(number) * units[unit] for number, unit in parts) == relative_s(value), words


def test_what_a_status_report_says_more():
    # 9.2.2.3: parameter indicator, protocol, coding, user data.
    text = text_user_data("done")
    more = bytes([7, 0x41, 0]) + bytes([text.length]) + text.octets
    report = tpdu.StatusReport(1, CALLED, STAMP, STAMP, 0, extension=more)
    assert tpdu.decode(tpdu.encode(report), from_network=True) == report
    assert report.protocol == 0x41
    assert report.user_data is not None
    assert report.user_data.text == "done"
    assert view("tpdu", tpdu.encode(report))["text"] == "done"
    bare = tpdu.StatusReport(1, CALLED, STAMP, STAMP, 0)
    assert (bare.protocol, bare.user_data) == (None, None)
    odd = tpdu.StatusReport(1, CALLED, STAMP, STAMP, 0, extension=b"\x07\x41")
    assert odd.user_data is None
