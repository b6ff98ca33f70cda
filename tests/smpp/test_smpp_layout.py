"""The compiled loop over a class's parameters does what the types of parameter in `smpp.wire` say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp import pdu, wire
from smpp._layout import Layout
from smpp.errors import DecodeError, EncodeError
from smpp.tlv import Tlv

CLASSES = st.sampled_from(sorted(pdu.COMMANDS.values(), key=lambda cls: cls.command_id))


def read_slowly(cls: type[pdu.Body], data: bytes, at: int) -> tuple[list[object], int | str]:
    """The values by the types' own readers, and where they end or why they do not."""
    values: list[object] = []
    try:
        for _, kind in cls.parameters:
            value, at = kind.pull(data, at)
            values.append(value)
    except IndexError:
        return values, "end"
    except DecodeError as fault:
        return values, str(fault)
    return values, at


def read_fast(cls: type[pdu.Body], data: bytes, at: int) -> tuple[list[object], int | str]:
    body = cls.__new__(cls)
    end: int | str
    try:
        end = cls.layout.pull(data, at, body)
    except IndexError:
        end = "end"
    except DecodeError as fault:
        end = str(fault)
    names = [name for name, _ in cls.parameters if hasattr(body, name)]
    return [getattr(body, name) for name in names], end


# Many NULs, so that strings end, and lengths that fit now and then.
PIECES = st.sampled_from([b"\0", b"\1", b"8613900012345\0", b"\xff"]) | st.binary(min_size=1, max_size=3)
OCTETS = st.lists(PIECES, max_size=40).map(b"".join)


@given(CLASSES, OCTETS, st.integers(0, 3))
def test_any_octets_are_read_alike(cls: type[pdu.Body], data: bytes, at: int) -> None:
    assert read_fast(cls, data, at) == read_slowly(cls, data, at)


RIGHT = {
    wire.Octet: st.integers(0, 255),
    wire.CString: st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=5),
    wire.ShortMessage: st.binary(max_size=254),
    wire.Destinations: st.just((wire.DistributionList("all"),)),
    wire.OptionalParameters: st.just((Tlv(5, b"\1"),)),
    wire.Unsuccessful: st.just(()),
}
ODD = st.sampled_from(
    [None, -1, 256, 1.0, True, "a\0", "漫", "é", "x" * 300, b"", b"x" * 255, (), (1,), bytearray(b"a")]
)


@given(st.data())
def test_any_values_are_checked_and_written_alike(data: st.DataObject) -> None:
    cls = data.draw(CLASSES)
    body = cls.__new__(cls)
    wrong: str | None = None
    out = bytearray(b"before")
    odd = data.draw(st.integers(-3, len(cls.parameters)))  # which parameter gets an odd value, if any
    for number, (name, kind) in enumerate(cls.parameters):
        value = data.draw(ODD if number == odd else RIGHT[type(kind)])
        getattr(cls, name).__set__(body, value)
        if wrong is None:
            try:
                kind.check(name, value)
                kind.push(out, value)
            except EncodeError as fault:
                wrong = str(fault)
    if wrong is not None:
        with pytest.raises(EncodeError) as found:
            cls.layout.check(body)
        assert str(found.value) == wrong
        return
    cls.layout.check(body)
    fast = bytearray(b"before")
    cls.layout.push(fast, body)
    assert fast == out


def test_a_class_without_parameters_has_nothing_to_do() -> None:
    layout = Layout(object, ())
    out = bytearray()
    layout.check(object())
    layout.push(out, object())
    assert (out, layout.pull(b"abc", 1, object())) == (b"", 1)
