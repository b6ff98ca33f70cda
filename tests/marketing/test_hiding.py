"""What logs hide: numbers of subscribers, passwords, tokens; and what they leave alone."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketing import hiding
from marketing.hiding import SafeFormatter, hide, masked, safe


@pytest.fixture(autouse=True)
def _nothing_hidden(monkeypatch):
    monkeypatch.setattr(hiding, "_secrets", {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("8613900000001", "86139****0001"),
        ("+8613900000001.", "+86139****0001."),
        ("imsi=460000123456789,", "imsi=46000****6789,"),
        ("13900000001", "139****0001"),
        ("x8613900000001y", "x86139****0001y"),
        ("[8613900000001, 8613900000002]", "[86139****0001, 86139****0002]"),
        ("since 1235952000000000 us", "since 1235952000000000 us"),  # Unix microseconds
        ("10086 at 10:00:00 on 2009-03-02", "10086 at 10:00:00 on 2009-03-02"),
        ("postgresql://kairos:pa:ss@db/x", "postgresql://***@db/x"),
        ("http://boss:8080/orders", "http://boss:8080/orders"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
    ],
)
def test_safe(text, shown):
    assert safe(text) == shown


@given(st.integers(10**10, 10**15 - 1), st.text(st.characters(exclude_categories=["Nd", "Cs"]), max_size=5))
def test_no_number_passes(number, around):
    assert str(number) not in safe(f"{around}{number}{around}")
    assert masked(number).count("*") == 4


def test_secrets_wherever_they_stand():
    hide("s3cr3t-s3cr3t", "tiny")
    assert safe("a s3cr3t-s3cr3tb tiny") == "a ***b tiny"


def test_a_record_passes_with_its_traceback_and_stays_one_line():
    hide("hunter22")
    formatter = SafeFormatter("%(levelname)s %(message)s")
    try:
        raise ValueError("hunter22 of 8613900000001")
    except ValueError as error:
        found = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", 40, "f", 1, "%s", ("one\nERROR two 8613900000001",), found)
    said = formatter.format(record)
    assert said.splitlines()[0] == "ERROR one\\nERROR two 86139****0001"
    assert "hunter22" not in said
    assert "8613900000001" not in said
    assert "ValueError: *** of 86139****0001" in said
