"""The national language tables of TS 23.038 annex A, and that every text of theirs comes out again."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.bssap import gsm7, gsm7_indian, tpdu
from sim.bssap.user_data import UDH_LOCKING_SHIFT, UDH_SINGLE_SHIFT, HeaderElement, text_user_data

#: Language -> locking shift at 0x03, 0x24, 0x40, 0x5f, 0x60, 0x7b, 0x7f; single shift at 0x1c, 0x24, 0x26.
ROWS = {
    gsm7_indian.BENGALI: ("অডব্ৎৗৱ", "২য়ৡ"),
    gsm7_indian.GUJARATI: ("અડબ્ૐૠ૱", "૦૮ "),
    gsm7_indian.HINDI: ("अडब्ॐॲॿ", "०८॑"),
    gsm7_indian.KANNADA: ("ಅಡಬ್ೕೖೣ", "೦೮ೞ"),
    gsm7_indian.MALAYALAM: ("അഡബ്ൗൠ൹", "൦൮൰"),
    gsm7_indian.ORIYA: ("ଅଡବ୍ୖୗୣ", "୦୮ଡ଼"),
    gsm7_indian.PUNJABI: ("ਅਡਬ੍ੑੰੴ", "੦੮ਖ਼"),
    gsm7_indian.TAMIL: ("அ  ்ௐௗ௹", "௦௮௳"),
    gsm7_indian.TELUGU: ("అడబ్ౕౖౣ", "౦౮ౘ"),
    gsm7_indian.URDU: ("ٻذصٰٕٗٔ", "۰۸،"),
}
LOCKED = [0x03, 0x24, 0x40, 0x5F, 0x60, 0x7B, 0x7F]
SHIFTED = [0x1C, 0x24, 0x26]


@pytest.mark.parametrize("language", ROWS)
def test_places(language):
    locked, shifted = ROWS[language]
    # A character that Unicode also has in two parts is compared in those parts.
    assert unicodedata.normalize("NFD", "".join(gsm7.LOCKING[language][code] for code in LOCKED)) == (
        unicodedata.normalize("NFD", locked)
    )
    assert unicodedata.normalize(
        "NFD", "".join(gsm7.SINGLE[language].get(code, " ") for code in SHIFTED)
    ) == unicodedata.normalize("NFD", shifted)


@pytest.mark.parametrize("language", gsm7.LOCKING)
def test_locking_tables_are_whole(language):
    table = gsm7.LOCKING[language]
    assert len(table) == 128
    assert table[gsm7.ESCAPE] == "\x1b"
    assert table[0x0A] == "\n"
    assert table[0x0D] == "\r"
    assert table[0x20:0x22] == " !"
    assert table[0x30:0x3C] == "0123456789:;"
    assert table[0x61:0x7B] == "abcdefghijklmnopqrstuvwxyz"
    without_spaces = table.replace(" ", "")
    assert len(set(without_spaces)) == len(without_spaces)
    assert all(unicodedata.category(character) != "Cn" for character in table)


@pytest.mark.parametrize("language", gsm7.SINGLE)
def test_single_shift_tables(language):
    table = gsm7.SINGLE[language]
    assert gsm7.ESCAPE not in table
    assert table[0x65] == "€"
    assert table[0x28] + table[0x29] + table[0x2F] + table[0x3C] + table[0x3D] + table[0x3E] == "{}\\[~]"
    assert all(unicodedata.category(character) != "Cn" for character in table.values())


@given(st.data())
def test_texts_in_national_tables_come_out_again(data):
    locking = data.draw(st.sampled_from([0, *gsm7.LOCKING]))
    single = data.draw(st.sampled_from([0, *gsm7.SINGLE]))
    table = gsm7.LOCKING.get(locking, gsm7.DEFAULT)
    letters = sorted({*table, *gsm7.SINGLE.get(single, gsm7.EXTENSION).values()} - {"\x1b"})
    text = "".join(data.draw(st.lists(st.sampled_from(letters), max_size=60)))
    header = tuple(
        HeaderElement(iei, bytes([language]))
        for iei, language in ((UDH_SINGLE_SHIFT, single), (UDH_LOCKING_SHIFT, locking))
        if language
    )
    value = tpdu.Submit(tpdu.TpAddress("10086", 0), text_user_data(text, 0, header))
    decoded = tpdu.decode(tpdu.encode(value))
    assert decoded == value
    assert decoded.user_data.text == text


def test_a_space_is_a_space():
    assert gsm7.encode_text("a b", gsm7_indian.TAMIL) == [0x61, 0x20, 0x62]


def test_an_unknown_language_is_read_with_the_default_tables():
    assert gsm7.decode_text([0x40, 0x1B, 0x65], 99, 99) == "¡€"
