"""WAP push: vectors of the specifications, laws, limits, and what decoders others wrote make of it."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp import pdu
from smpp.concat import Ports, ports, pull_header, pull_ports, push_header
from smpp.errors import DecodeError, EncodeError
from smpp.push import (
    MMS_TYPE,
    MMS_UA,
    PUSH_PORT,
    PUSH_PORTS,
    Header,
    Item,
    Push,
    ServiceIndication,
    ServiceLoading,
    application_id,
    indication,
    push_of,
    read,
    sms,
    split,
    wbxml,
    wsp,
)
from smpp.status import ESM_UDHI
from smpp.text import OCTETS, Part, Reassembler
from smpp.tlv import make

MAIL = ServiceIndication(
    "You have 4 new emails",
    "http://www.xyz.com/email/123/abc.wml",
    created_s=930324195,  # 1999-06-25T15:23:15Z
    si_expires_s=930700800,  # 1999-06-30T00:00:00Z
)
MAIL_OCTETS = bytes.fromhex(
    "02 05 6A 00 45 C6 0D 03 78797A 00 85 03 656D61696C2F3132332F6162632E776D6C 00"
    "0A C3 07 19990625152315 10 C3 04 19990630 01"
    "03 596F7520686176652034206E657720656D61696C73 00 01 01"
)
"""The example of WAP-167 8.4."""

VECTORS: dict[str, tuple[indication.Content, str]] = {
    # the document, and its octets after the header 02 pp 6A 00
    "nothing but a text": (ServiceIndication("a"), "45 46 03 61 00 01 01"),
    "no text either": (ServiceIndication("", si_id="i", action="delete"), "45 86 11 03 69 00 09 01 01"),
    "each signal": (ServiceIndication("a", action="signal-none"), "45 C6 05 01 03 61 00 01 01"),
    "https, the longest start": (
        ServiceIndication("a", "https://www.a.org/b"),
        "45 C6 0F 03 61 00 88 03 62 00 01 03 61 00 01 01",
    ),
    "a start alone": (ServiceIndication("a", "http://"), "45 C6 0C 01 03 61 00 01 01"),
    "no start that fits": (
        ServiceIndication("a", "wtai://x"),
        "45 C6 0B 03 777461693A2F2F78 00 01 03 61 00 01 01",
    ),
    "two domains": (
        ServiceIndication("a", "http://b.net/c.edu/"),
        "45 C6 0C 03 62 00 87 03 63 00 86 01 03 61 00 01 01",
    ),
    "midnight of a new year": (
        ServiceIndication("a", created_s=946684800),  # 2000-01-01T00:00:00Z: month and day stay
        "45 C6 0A C3 04 20000101 01 03 61 00 01 01",
    ),
    "info": (
        ServiceIndication("a", info=(Item("b", "c"), Item("d"))),
        "45 46 03 61 00 01 47 C8 12 03 63 00 01 03 62 00 01 48 03 64 00 01 01 01",
    ),
    "loading by default": (ServiceLoading("http://www.a.com/"), "85 0A 03 61 00 85 01"),
    "loading into the cache": (ServiceLoading("ftp://a", "cache"), "85 08 03 6674703A2F2F61 00 07 01"),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
def test_documents_are_these_octets(name: str) -> None:
    content, octets = VECTORS[name]
    head = "02 06 6A 00" if isinstance(content, ServiceLoading) else "02 05 6A 00"
    assert indication.encode(content) == bytes.fromhex(head + octets)
    assert indication.decode(bytes.fromhex(head + octets)) == content


def test_the_example_of_the_specification_both_ways() -> None:
    assert indication.encode(MAIL) == MAIL_OCTETS
    assert indication.decode(MAIL_OCTETS) == MAIL


def test_the_push_around_it_and_its_short_message() -> None:
    (part,) = split(MAIL, reference=5)
    assert part == Part(
        bytes.fromhex("06 05 04 0B84 23F0  05 06 04 03 AE 81 EA") + MAIL_OCTETS, OCTETS, ESM_UDHI
    )
    elements, octets = pull_header(part.short_message)
    assert pull_ports(elements) == PUSH_PORTS
    assert read(octets) == sms.Received(push_of(MAIL, 5), MAIL)


# ---- documents as others write them

FOREIGN: dict[str, tuple[str, indication.Content]] = {
    "UTF-8 unsaid, version 1.1": ("01 05 00 00 45 46 03 C3A9 00 01 01", ServiceIndication("é")),
    "Latin-1": ("02 05 04 00 45 46 03 E9 00 01 01", ServiceIndication("é")),
    "a named document type, text in the table": (
        "02 00 00 6A 1F" + b"-//WAPFORUM//DTD SI 1.0//EN\0".hex() + "687900" + "45 46 83 1C 01 01",
        ServiceIndication("hy"),
    ),
    "entities and pieces": ("02 05 6A 00 45 46 03 61 00 02 8320 03 62 00 01 01", ServiceIndication("aƠb")),
    "a time as text": (
        "02 05 6A 00 45 C6 0A 03" + b"1999-06-25T15:23:15Z\0".hex() + "01 03 61 00 01 01",
        ServiceIndication("a", created_s=930324195),
    ),
    "an attribute by its name": (
        "02 05 6A 03 787900 45 C6 04 00 03 31 00 07 01 03 61 00 01 01",
        ServiceIndication("a"),
    ),
    "an element by its name": ("02 05 6A 03 787900 45 46 03 61 00 01 04 00 01", ServiceIndication("a")),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_ways_to_say_it_are_read(name: str) -> None:
    octets, content = FOREIGN[name]
    assert indication.decode(bytes.fromhex(octets)) == content


BROKEN = {
    "nothing": "",
    "no version": "05",
    "another document type": "02 0B 6A 00 45 46 01 01",
    "a charset nobody reads": "02 05 11 00 45 46 01 01",
    "a string table past the end": "02 05 6A 09 45",
    "a string outside the table": "02 05 6A 02 6100 45 46 83 05 01 01",
    "a string without end": "02 05 6A 00 45 46 03 61",
    "an unknown tag": "02 05 6A 00 45 0A 01",
    "an unknown attribute": "02 05 6A 00 45 86 3F 01 01",
    "an unknown value": "02 05 6A 00 45 86 0B 90 01 01",
    "octets past the end": "02 05 6A 00 45 C6 0A C3 7F 01",
    "no end": "02 05 6A 00 45 46 03 61 00 01",
    "more after the end": "02 05 6A 00 45 46 03 61 00 01 01 01",
    "another page": "02 05 6A 00 45 00 01 46 01 01",
    "a half surrogate": "02 05 6A 00 45 46 02 83B000 01 01",
    "no UTF-8": "02 05 6A 00 45 46 03 FF 00 01 01",
    "one in the other for ever": "02 05 6A 00" + "45" * 50,
    "no indication": "02 05 6A 00 05",
    "text for a root": "02 06 6A 00 45 03 61 00 01",
    "a month 13": "02 05 6A 00 45 86 0A C3 04 19991330 01 01",
    "a time of letters": "02 05 6A 00 45 86 0A C3 04 1999AB30 01 01",
    "text and octets in one": "02 05 6A 00 45 86 0A 03 31 00 C3 01 31 01 01",
    "href of octets": "02 05 6A 00 45 86 0B C3 01 31 01 01",
    "delete without si-id": "02 05 6A 00 45 86 09 01 01",
    "loading of nothing": "02 06 6A 00 05",
    "an integer of six octets": "02 808080808005 6A 00 45",
    "an integer of 33 bits": "02 9F80808000 6A 00 45",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_documents_are_decode_errors(name: str) -> None:
    with pytest.raises(DecodeError):
        indication.decode(bytes.fromhex(BROKEN[name]))


MISTAKES: dict[str, Callable[[], object]] = {
    "an action that there is not": lambda: ServiceIndication("a", action="execute-low"),
    "a signal for a loading": lambda: ServiceLoading("http://a", "signal-high"),
    "delete of nothing": lambda: ServiceIndication("a", "http://a", action="delete"),
    "a blank in the link": lambda: ServiceIndication("a", "http://a b"),
    "a line in the link": lambda: ServiceLoading("http://a\r\nb"),
    "a loading of nothing": lambda: ServiceLoading(""),
    "a time out of the calendar": lambda: ServiceIndication("a", created_s=10**15),
    "NUL in the text": lambda: indication.encode(ServiceIndication("a\0b")),
    "half a surrogate pair": lambda: indication.encode(ServiceIndication("\ud83d")),
    "an element without token": lambda: wbxml.encode(indication.SI, wbxml.Element("b")),
    "an attribute without token": lambda: wbxml.encode(indication.SI, wbxml.Element("si", (("b", "c"),))),
    "an action without token": lambda: wbxml.encode(indication.SI, wbxml.Element("si", (("action", "c"),))),
    "a transaction of 16 bits": lambda: push_of(MAIL, 256),
    "no content type": lambda: Push("", b""),
    "a blank in a header's name": lambda: Header("a b", b"\x80"),
    "a header number over 127": lambda: Header(128, b"\x80"),
    "two values in one header": lambda: Header(1, b"\x80\x80"),
    "half a value": lambda: Header(1, b"\x03a"),
    "text without end": lambda: Header(1, b"abc"),
    "a port of 17 bits": lambda: Ports(65536, 0),
    "a narrow port of 9 bits": lambda: Ports(256, 0, narrow=True),
    "a push of text": lambda: split(MAIL, data_coding=8),
    "a push over 255 parts": lambda: split(ServiceIndication("a" * 128 * 255)),
    "an integer of 33 bits": lambda: wbxml.push_integer(1 << 32),
    "a negative application": lambda: application_id(-1),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_our_mistakes_are_encode_errors(name: str) -> None:
    with pytest.raises(EncodeError):
        MISTAKES[name]()


# ---- laws

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=[chr(i) for i in range(32)]), max_size=300
) | st.sampled_from(["尊敬的客户：回复1办理😀", "a\nb\tc", "<>&\"' .com/ http://www."])
LINKS = st.builds(
    lambda start, pieces: start + "".join(pieces),
    st.sampled_from(
        ["", "http://", "http://www.", "https://", "https://www.", "wtai://", "HTTP://", "http:/"]
    ),
    st.lists(st.sampled_from([".com/", ".edu/", ".net/", ".org/", ".co", "m/", "a", "路", "%20", "?q=1&r="])),
)
TIMES = st.none() | st.integers(0, 4_102_444_800) | st.sampled_from([0, 946684800, 951782400])
ITEMS = st.lists(st.builds(Item, TEXTS, TEXTS), max_size=2).map(tuple)
INDICATIONS = st.builds(
    ServiceIndication,
    TEXTS,
    LINKS,
    TEXTS.filter(bool),
    TIMES,
    TIMES,
    st.sampled_from(indication.SIGNALS),
    ITEMS,
)
LOADINGS = st.builds(ServiceLoading, LINKS.filter(bool), st.sampled_from(indication.EXECUTIONS))
VALUES = st.one_of(
    st.integers(128, 255).map(lambda n: bytes((n,))),
    st.binary(max_size=30).map(lambda b: bytes((len(b),)) + b),
    st.binary(max_size=200).map(lambda b: b"\x1f" + wbxml.push_integer(len(b)) + b),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1).map(lambda s: s.encode() + b"\0"),
)
TOKENS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=3, max_size=40)
PUSHES = st.builds(
    Push,
    st.sampled_from(sorted(wsp.CONTENT_TYPES)) | TOKENS,
    st.binary(max_size=400),
    st.lists(st.builds(Header, st.integers(0, 127) | TOKENS, VALUES), max_size=4).map(tuple),
    st.integers(0, 255),
    st.none() | st.integers(0, 0xFFFF),
)


@given(INDICATIONS | LOADINGS)
def test_decode_is_the_mirror_of_encode(content: indication.Content) -> None:
    assert indication.decode(indication.encode(content)) == content


@given(PUSHES)
def test_wsp_decode_is_the_mirror_of_encode(push: Push) -> None:
    assert wsp.decode(wsp.encode(push)) == push


@given(st.integers(0, 0xFFFFFFFF), st.binary(max_size=3))
def test_integers_of_seven_bits_an_octet(value: int, after: bytes) -> None:
    octets = wbxml.push_integer(value)
    assert wbxml.pull_integer(octets + after, 0) == (value, len(octets))


@given(
    INDICATIONS | LOADINGS | PUSHES,
    st.integers(0, 255),
    st.sampled_from([OCTETS, 0xF5]),
    st.randoms(use_true_random=False),
)
def test_what_is_split_is_read_again_whatever_the_order(content, reference, data_coding, chance) -> None:
    parts = list(split(content, reference=reference, data_coding=data_coding))
    assert all(len(part.short_message) <= 140 and part.esm_class == ESM_UDHI for part in parts)
    # no part more than there must be: all but the last are full
    assert all(len(part.short_message) == 140 for part in parts[:-1])
    assert {ports(part.esm_class, part.short_message) for part in parts} == {PUSH_PORTS}
    chance.shuffle(parts)
    joiner = Reassembler()
    found = [joiner.add_octets("a", "b", p.esm_class, p.data_coding, p.short_message, 0.0) for p in parts]
    assert found[:-1] == [None] * (len(parts) - 1)
    assert found[-1] is not None
    assert found[-1].ports == PUSH_PORTS
    if isinstance(content, Push):
        assert wsp.decode(found[-1].data) == content
    else:
        assert read(found[-1].data).content == content


@given(
    st.binary(max_size=80), st.sampled_from([b"", bytes.fromhex("056A0045"), MAIL_OCTETS, MAIL_OCTETS[:30]])
)
def test_any_octets_are_a_document_or_a_decode_error(rubbish: bytes, before: bytes) -> None:
    for function in (indication.decode, wsp.decode, read):
        for octets in (before + rubbish, bytes.fromhex("01 06 04 03 AE 81 EA") + before + rubbish):
            try:
                function(octets)
            except DecodeError:
                continue


@given(st.integers(0, len(MAIL_OCTETS) + 6), st.integers(0, 255))
def test_one_octet_wrong_never_raises_anything_else(at: int, octet: int) -> None:
    octets = bytearray(wsp.encode(push_of(MAIL)))
    octets[at] = octet
    with contextlib.suppress(DecodeError):
        read(bytes(octets))


# ---- limits: TS 23.040 9.2.3.16


@pytest.mark.parametrize(
    ("octets", "sizes"), [(133, [140]), (134, [140, 18]), (256, [140, 140]), (257, [140, 140, 13])]
)
def test_where_a_push_becomes_two(octets: int, sizes: list[int]) -> None:
    push = Push("text/plain", b"x" * (octets - 4), charset=None)
    assert len(wsp.encode(push)) == octets
    assert [len(part.short_message) for part in split(push)] == sizes


def test_255_parts_go() -> None:
    assert len(split(Push("text/plain", b"x" * (255 * 128 - 4), charset=None))) == 255


# ---- other pushes, other ports


def test_an_mms_notification_is_handed_on_as_octets() -> None:
    push = Push(MMS_TYPE, b"\x8c\x82\x98abc\0", (application_id(MMS_UA),), 1, charset=None)
    octets = wsp.encode(push)
    assert octets.hex() == "010603beaf848c829861626300"
    found = read(octets)
    assert found.content is None
    assert found.push == push
    assert found.push.application_id == MMS_UA


def test_application_ids_of_any_size_and_none() -> None:
    for number in (0, 127, 128, 0x9010, 0xFFFFFFFF):
        assert Push("a/b", b"", (application_id(number),)).application_id == number
    assert Push("a/b", b"").application_id is None
    assert (
        Push("a/b", b"", (Header(wsp.X_WAP_APPLICATION_ID, b"x-wap-application:wml.ua\0"),)).application_id
        is None
    )


def test_the_content_type_must_name_the_document() -> None:
    wrong = Push(wsp.SL_TYPE, indication.encode(MAIL))
    with pytest.raises(DecodeError, match="holds a ServiceIndication"):
        read(wsp.encode(wrong))


def test_parameters_of_a_content_type_that_nobody_needs_are_passed_over() -> None:
    # SI with charset, then level=1 by name: 2E 81 EA "level" 00 81
    octets = bytes.fromhex("00 06 0B 0A AE 81 EA 6C6576656C00 81") + MAIL_OCTETS
    assert read(octets).content == MAIL


def test_ports_by_header_and_by_optional_parameters() -> None:
    wide, narrow = PUSH_PORTS, Ports(16, 240, narrow=True)
    for one in (wide, narrow):
        assert pull_ports((one.element(),)) == one
    assert pull_ports((narrow.element(), wide.element())) == wide
    assert ports(0, b"x", (make("destination_port", PUSH_PORT), make("source_port", 9200))) == wide
    assert ports(0, b"x") is None
    assert ports(ESM_UDHI, push_header(()) + b"x") is None


# ---- judges

JUDGED = (
    MAIL,
    ServiceIndication("套餐", "https://www.a.edu/b.com/c.org/", "i-1", 1164268800, 1164528000, "signal-high"),
    ServiceIndication("x", "wtai://wp/mc;10086", action="signal-none", si_expires_s=946684800),
    ServiceIndication("x", "http://a.net/", "q", action="signal-low"),
    ServiceIndication("", si_id="q", action="delete"),
    ServiceIndication("long " * 30 + "end", "http://a.net/"),
    ServiceLoading("http://www.a.org/b", "execute-high"),
    ServiceLoading("https://a.com/", "cache"),
    ServiceLoading("http://a", "execute-low"),
)  # fmt: skip


def _iso(moment_s: int | None) -> str | None:
    return None if moment_s is None else f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _meant(content: indication.Content) -> tuple[dict[str, str], str]:
    """The attributes and the text that a reader is to find."""
    if isinstance(content, ServiceLoading):
        default, found, text = "execute-low", {"href": content.href, "action": content.action}, ""
    else:
        default, text = "signal-medium", content.text
        found = {
            "href": content.href,
            "si-id": content.si_id,
            "created": _iso(content.created_s),
            "si-expires": _iso(content.si_expires_s),
            "action": content.action,
        }
    return {
        name: value for name, value in found.items() if value and (name, value) != ("action", default)
    }, text


_ROW = re.compile(r"^ *\d+ \| +(Tag|Attr) +\|[^|]+\|([^|]+)\| *(.*)$", re.MULTILINE)


def _tshark_reads(words: str) -> tuple[dict[str, str], str]:
    """The same from Wireshark's table of tokens."""
    attributes: dict[str, str] = {}
    name, text = "", ""
    for state, token, shown in _ROW.findall(words):
        if "attrStart" in token:
            name, _, shown = shown.partition("=")
            attributes[name] = shown.strip("'")
        elif state == "Attr":
            attributes[name] += shown.removeprefix("%DateTime: ").strip("'")
        elif "STR_I" in token:
            text += shown[1:-1]
    return attributes, text


@pytest.mark.tshark
def test_wireshark_reads_what_we_mean(tshark_words: Callable[[Sequence[bytes]], list[str]]) -> None:
    messages, last = [], []
    for number, content in enumerate(JUDGED):
        for part in split(content, reference=number, data_coding=(OCTETS, 0xF5)[number % 2]):
            body = pdu.SubmitSm(
                source_addr="1008601",
                destination_addr="8613900012345",
                esm_class=part.esm_class,
                data_coding=part.data_coding,
                short_message=part.short_message,
            )
            messages.append(pdu.encode(body, len(messages) + 1))
        last.append(len(messages) - 1)
    words = tshark_words(messages)
    assert len(messages) > len(JUDGED)
    for content, at in zip(JUDGED, last, strict=True):
        assert "(2948)" in words[at]
        assert "(9200)" in words[at]
        attributes, text = _tshark_reads(words[at])
        meant, meant_text = _meant(content)
        assert attributes == meant
        assert text == meant_text


@pytest.mark.parametrize("number", range(len(JUDGED)))
def test_libwbxml_reads_what_we_mean(number: int, tmp_path: Path) -> None:
    program = shutil.which("wbxml2xml")
    if program is None:
        pytest.skip("wbxml2xml (Debian: libwbxml2-utils) is not installed")
    path = tmp_path / "document.wbxml"
    path.write_bytes(indication.encode(JUDGED[number]))
    out = tmp_path / "document.xml"
    subprocess.run([program, "-o", str(out), str(path)], check=True, capture_output=True, timeout=30)
    root = ET.fromstring(out.read_bytes())
    element = root if root.tag == "sl" else root[0]
    assert (dict(element.attrib), (element.text or "")) == _meant(JUDGED[number])
