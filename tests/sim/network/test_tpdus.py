"""Spliced TPDUs equal the reference codec's; SMPP user data becomes the TPDU that says the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.bssap import gsm7, tpdu
from sim.bssap.user_data import decode_user_data, text_user_data
from sim.network import tpdus
from sim.network.kernel import deliver_octets, submit_octets

NUMBERS = st.text("0123456789", min_size=3, max_size=14)
TEXTS = st.text("abcXYZ @£012€到了吗？", max_size=60)


def coding(text: str) -> int:
    return 8 if any(ord(c) > 0x20AC for c in text) else 0


def address(digits: str) -> tpdu.TpAddress:
    return tpdu.TpAddress(digits, 1 if len(digits) >= 12 else 0)


@given(NUMBERS, TEXTS, st.integers(0, 255))
def test_submit(number: str, text: str, reference: int) -> None:
    expected = tpdu.Submit(address(number), text_user_data(text, coding(text)), reference)
    assert submit_octets(reference, number, tpdus.text_body(text)) == tpdu.encode(expected)


@given(NUMBERS, TEXTS, st.integers(0, 400 * 86400 * 10**6), st.booleans())
def test_deliver(number: str, text: str, t_us: int, more: bool) -> None:
    stamp = tpdus.ServiceCentreClock(1_180_886_400_000_000, 32).stamp(t_us)
    expected = tpdu.Deliver(
        address(number), tpdu.Timestamp(stamp), text_user_data(text, coding(text)), more_messages=more
    )
    assert deliver_octets(number, stamp, tpdus.text_body(text), more=more) == tpdu.encode(expected)


@pytest.mark.parametrize(
    ("epoch", "quarters", "t_us", "fields"),
    [
        (1_180_886_400_000_000, 32, 0, (7, 6, 4, 0, 0, 0, 32)),
        (1_180_886_400_000_000, 32, 86_399_999_999, (7, 6, 4, 23, 59, 59, 32)),
        (1_180_886_400_000_000, 32, 27 * 86_400_000_000, (7, 7, 1, 0, 0, 0, 32)),
        (1_199_163_600_000_000, -20, 3_600_000_000, (8, 1, 1, 1, 0, 0, -20)),
    ],
)
def test_time_stamps(epoch: int, quarters: int, t_us: int, fields: tuple[int, ...]) -> None:
    stamp = tpdus.ServiceCentreClock(epoch, quarters).stamp(t_us)
    assert tpdu.Timestamp(stamp).fields == fields


@given(st.text("abcdefg €{}", max_size=150), st.booleans())
def test_septets_of_smpp_are_packed(text: str, long: bool) -> None:
    head = bytes([5, 0, 3, 9, 2, 1]) if long else b""
    septets = bytes(gsm7.encode_text(text))[:150]
    body, header = tpdus.smpp_body(head + septets, 0, 0x40 if long else 0)
    data = tpdus.user_data(body, header)
    which = data.concatenation
    assert data.text == gsm7.decode_text(list(septets))
    assert (which is not None) == long
    if which is not None:
        assert (which.reference, which.part, which.total) == (9, 1, 2)
    assert decode_user_data(body[1:], body[0], header).dcs == 0


@given(st.text("到了吗？路上堵车", max_size=60))
def test_ucs2_of_smpp(text: str) -> None:
    body, header = tpdus.smpp_body(text.encode("utf-16-be"), 8, 0)
    data = tpdus.user_data(body, header)
    assert (data.text, data.concatenation) == (text, None)
