"""Alphabets, long messages, receipts and times."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp import gsm7, receipt
from smpp.concat import (
    Concatenation,
    InformationElement,
    concatenation,
    pull_concatenation,
    pull_header,
    push_header,
)
from smpp.errors import DecodeError, EncodeError
from smpp.pdu import DeliverSm
from smpp.receipt import Receipt
from smpp.status import ESM_RECEIPT, ESM_UDHI, MessageState
from smpp.text import (
    ASCII,
    GSM7,
    LATIN1,
    OCTETS,
    UCS2,
    How,
    Reassembler,
    coding_of,
    decode_text,
    encode_text,
    part_count,
    split,
)
from smpp.times import decode_time, encode_absolute, encode_relative, receipt_date
from smpp.tlv import Tlv, make

GSM_TEXT = st.text(
    st.sampled_from([c for c in gsm7.DEFAULT_ALPHABET if c != "\x1b"] + list(gsm7.EXTENSION.values()))
)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=900)


# ---- alphabets


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("@£$¥èéùìòÇ\nØø\rÅå", bytes(range(16))),
        ("Hi!", b"Hi!"),
        ("_§¿à", b"\x11\x5f\x60\x7f"),
        ("€[]{}|~^\\\f", b"\x1be\x1b<\x1b>\x1b(\x1b)\x1b@\x1b=\x1b\x14\x1b/\x1b\x0a"),
    ],
)
def test_gsm7_by_hand(text: str, data: bytes) -> None:
    assert gsm7.encode(text) == data
    assert gsm7.decode(data) == text


def test_gsm7_has_128_places_and_no_letter_twice() -> None:
    assert len(gsm7.DEFAULT_ALPHABET) == 128
    assert len(set(gsm7.DEFAULT_ALPHABET)) == 128


@given(GSM_TEXT)
def test_gsm7_round_trip(text: str) -> None:
    assert gsm7.decode(gsm7.encode(text)) == text


@given(st.binary(max_size=60), st.sampled_from([GSM7, ASCII, LATIN1, OCTETS, UCS2, 0xF5]))
def test_any_octets_decode_or_are_a_decode_error(data: bytes, data_coding: int) -> None:
    fault = None
    try:
        decode_text(data, data_coding)
    except DecodeError as caught:
        fault = caught
    assert fault is None or fault.data == data


def test_an_unknown_extension_and_a_lone_escape() -> None:
    assert gsm7.decode(b"\x1bA\x1b\x1b\x1b") == "A  "


@pytest.mark.parametrize(
    ("text", "coding"), [("hello", GSM7), ("5 €", GSM7), ("您好", UCS2), ("naïve", UCS2), ("😀", UCS2)]
)
def test_the_shorter_alphabet_is_chosen_when_it_can_say_it(text: str, coding: int) -> None:
    assert coding_of(text) == coding
    data, chosen = encode_text(text)
    assert chosen == coding
    assert decode_text(data, coding) == text


def test_text_that_a_coding_cannot_say() -> None:
    for coding in (GSM7, ASCII, LATIN1, OCTETS):
        with pytest.raises(EncodeError):
            encode_text("您", coding)
    with pytest.raises(EncodeError):
        encode_text("\ud800", UCS2)


# ---- segmentation


@pytest.mark.parametrize(
    ("text", "wide", "sizes"),
    [
        ("a" * 160, False, [160]),
        ("a" * 161, False, [6 + 153, 6 + 8]),
        ("a" * 161, True, [7 + 152, 7 + 9]),
        ("a" * 152 + "€" + "a" * 10, False, [6 + 152, 6 + 12]),  # the escape pair does not fit the first part
        ("您" * 70, False, [140]),
        ("您" * 71, False, [6 + 134, 6 + 8]),
        ("您" * 71, True, [7 + 132, 7 + 10]),
        ("您" * 66 + "😀" + "您" * 10, False, [6 + 132, 6 + 24]),  # nor does the surrogate pair
        ("", False, [0]),
    ],
)
def test_where_long_texts_are_cut(text: str, wide: bool, sizes: list[int]) -> None:
    parts = split(text, reference=5, wide=wide)
    assert [len(part.short_message) for part in parts] == sizes
    assert part_count(text, wide=wide) == len(sizes)
    for number, part in enumerate(parts, start=1):
        assert part.esm_class == (ESM_UDHI if len(parts) > 1 else 0)
        if len(parts) > 1:
            head = bytes((6, 8, 4, 0, 5)) if wide else bytes((5, 0, 3, 5))
            assert part.short_message.startswith(head + bytes((len(parts), number)))


@given(ANY_TEXT, st.integers(0, 255), st.booleans(), st.randoms())
def test_parts_in_any_order_and_repeated_make_the_text_again(
    text: str, reference: int, wide: bool, random
) -> None:
    parts = list(split(text, reference=reference, wide=wide))
    assert all(len(part.short_message) <= (160 if part.data_coding == GSM7 else 140) for part in parts)
    order = parts[:-1] * 2 + parts[-1:] if len(parts) > 1 else parts
    random.shuffle(order)
    joiner = Reassembler()
    texts = [
        joiner.add("86139", "10086", one.esm_class, one.data_coding, one.short_message, 0.0) for one in order
    ]
    assert next(found for found in texts if found is not None) == text


@given(
    st.text(st.sampled_from("a[€您😀 "), max_size=900),
    st.sampled_from(["header", "sar", "payload"]),
    st.randoms(),
)
def test_each_way_to_send_a_long_text_makes_it_again(text: str, how: How, random) -> None:
    parts = list(split(text, reference=9, how=how))
    assert how != "payload" or len(parts) == 1
    assert all(len(part.short_message) <= (160 if part.data_coding == GSM7 else 140) for part in parts)
    assert all(part.esm_class == 0 or how == "header" for part in parts)
    random.shuffle(parts)
    joiner = Reassembler()
    found = [
        joiner.add("86139", "10086", one.esm_class, one.data_coding, one.short_message, 0.0, one.tlvs)
        for one in parts
    ]
    assert [one for one in found if one is not None] == [text]


def test_more_than_255_parts_is_our_mistake() -> None:
    with pytest.raises(EncodeError, match="256 parts"):
        split("您" * (67 * 255 + 1))


def test_reassembly_keeps_people_apart_and_forgets() -> None:
    first, second = split("您" * 80, reference=1)
    joiner = Reassembler(keep_s=60, most=2)

    def add(source: str, part, now_s: float) -> str | None:
        return joiner.add(source, "10086", part.esm_class, part.data_coding, part.short_message, now_s)

    assert add("a", first, 0) is None
    assert add("b", second, 10) is None
    assert len(joiner) == 2
    assert add("a", second, 61) is None  # the first part is forgotten by then
    assert add("b", first, 62) == "您" * 80
    assert joiner.dropped == 1
    assert add("c", first, 63) is None
    assert add("d", first, 63) is None  # one too many: the oldest goes
    assert joiner.dropped == 2
    assert len(joiner) == 2


def test_reassembly_by_sar_parameters_and_payload() -> None:
    joiner = Reassembler()

    def sar(number: int) -> tuple:
        return (
            make("sar_msg_ref_num", 300),
            make("sar_total_segments", 2),
            make("sar_segment_seqnum", number),
        )

    assert joiner.add("a", "b", 0, GSM7, b"one ", 0.0, sar(1)) is None
    assert joiner.add("a", "b", 0, GSM7, b"two", 0.0, sar(2)) == "one two"
    assert joiner.add("a", "b", 0, GSM7, b"", 0.0, (make("message_payload", b"all"),)) == "all"


def test_headers_with_other_elements() -> None:
    ports = InformationElement(5, b"\x23\xf4\x00\x00")
    where = Concatenation(3, 2, 1)
    header = push_header((ports, where.element()))
    assert header == bytes.fromhex("0B 0504 23F40000 0003 030201".replace(" ", ""))
    elements, payload = pull_header(header + b"rest")
    assert payload == b"rest"
    assert elements == (ports, where.element())
    assert concatenation(ESM_UDHI, header + b"rest") == (where, b"rest")


def test_an_impossible_concatenation_is_ignored() -> None:
    for data in (b"\x01\x00\x01", b"\x01\x02\x03", b"\x01\x02\x00", b"\x01\x02"):
        assert pull_concatenation((InformationElement(0, data),)) is None
    with pytest.raises(EncodeError):
        Concatenation(256, 2, 1)
    with pytest.raises(EncodeError):
        Concatenation(1, 2, 3)


@given(st.binary(max_size=60))
def test_any_header_decodes_or_is_a_decode_error(data: bytes) -> None:
    try:
        elements, payload = pull_header(data)
    except DecodeError:
        return
    assert push_header(elements) + payload == data


# ---- receipts

APPENDIX_B = (
    "id:1234567890 sub:001 dlvrd:001 submit date:0611231630 done date:0611231631 "
    "stat:DELIVRD err:000 text:Hello W"
)


def test_the_receipt_of_appendix_b() -> None:
    found = receipt.parse(APPENDIX_B)
    assert found == Receipt(
        "1234567890", MessageState.DELIVERED, 1, 1, "0611231630", "0611231631", "000", "Hello W"
    )
    assert found.format() == APPENDIX_B


@given(
    st.from_regex(r"[!-~]{1,30}", fullmatch=True),
    st.sampled_from(list(receipt.STATE_WORDS.values())),
    st.text("0123456789", max_size=12),
    st.from_regex(r"[0-9A-Z]{1,10}", fullmatch=True),
    st.text("aétext: \n", max_size=25),
)
def test_the_usual_order_is_read_as_any_other(
    message_id: str, stat: str, date: str, err: str, first: str
) -> None:
    """The short way through the usual layout and the long way, which takes the fields as they come."""
    head = f"id:{message_id} sub:001 dlvrd:000 submit date:{date} done date:{date} stat:{stat}"
    told = []
    for text in (f"{head} err:{err} text:{first}", f"{head}  err:{err} text:{first}"):
        try:
            told.append(receipt.parse(text))
        except DecodeError as fault:
            told.append(str(fault).partition("(")[0][:20])
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "text",
    [
        "id:c7.1 stat:EXPIRED",
        "ID:c7.1 SUB:001 Submit Date:061123163059 Done Date:061123163159 Stat:expired Err:4 Text:id:x stat:y",
        "stat:EXPIRED err:011 id:c7.1",
    ],
)
def test_receipts_as_other_smscs_write_them(text: str) -> None:
    found = receipt.parse(text)
    assert (found.message_id, found.state) == ("c7.1", MessageState.EXPIRED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "id: stat:DELIVRD",
        "id:1 stat:WHAT",
        "id:1 sub:x stat:DELIVRD",
        "id:1 done date:x stat:DELIVRD",
    ],
)
def test_what_is_no_receipt(text: str) -> None:
    with pytest.raises(DecodeError):
        receipt.parse(text)


@given(
    st.builds(
        Receipt,
        st.text("abcdefghijklmnopqrstuvwxyz0123456789.-~_", min_size=1, max_size=64),
        st.sampled_from(MessageState),
        st.integers(0, 999),
        st.integers(0, 999),
        st.sampled_from(["", "0611231630", "061123163000"]),
        st.sampled_from(["", "0611231630"]),
        st.sampled_from(["000", "11", "A1"]),
        st.text("abc :id", max_size=20),
    )
)
def test_receipts_round_trip(sent: Receipt) -> None:
    assert receipt.parse(sent.format()) == sent
    body = DeliverSm(esm_class=ESM_RECEIPT, short_message=sent.format().encode(), tlvs=sent.tlvs())
    assert receipt.is_receipt(body)
    assert receipt.from_deliver(body) == sent


def test_optional_parameters_win_over_the_text() -> None:
    tlvs = (make("receipted_message_id", "c.9"), make("message_state", 5))
    found = receipt.from_deliver(DeliverSm(esm_class=4, short_message=APPENDIX_B.encode(), tlvs=tlvs))
    assert (found.message_id, found.state) == ("c.9", MessageState.UNDELIVERABLE)
    found = receipt.from_deliver(DeliverSm(esm_class=4, short_message=b"no text at all", tlvs=tlvs))
    assert (found.message_id, found.state) == ("c.9", MessageState.UNDELIVERABLE)
    for wrong in ((make("message_state", 99),), (make("receipted_message_id", "c.9"),)):
        with pytest.raises(DecodeError):
            receipt.from_deliver(DeliverSm(esm_class=4, short_message=b"no text", tlvs=wrong))


@given(st.binary(max_size=120), st.binary(max_size=10), st.integers(0, 255))
def test_any_receipt_decodes_or_is_a_decode_error(text: bytes, message_id: bytes, state: int) -> None:
    tlvs = (Tlv(0x001E, message_id), Tlv(0x0427, bytes((state,))))
    with suppress(DecodeError):
        receipt.from_deliver(DeliverSm(esm_class=4, short_message=text, tlvs=tlvs))


# ---- times

T = 1_164_299_400_000_000  # 2006-11-23 16:30:00 UTC


@pytest.mark.parametrize(
    ("t_unix_us", "quarters", "text"),
    [
        (T, 0, "061123163000000+"),
        (T, 32, "061124003000032+"),
        (T, -20, "061123113000020-"),
        (T + 990_000, 0, "061123163000900+"),
        (0, 0, "700101000000000+"),
    ],
)
def test_absolute_times_by_hand(t_unix_us: int, quarters: int, text: str) -> None:
    assert encode_absolute(t_unix_us, quarters) == text
    assert decode_time(text, 0) == t_unix_us - t_unix_us % 100_000


@given(st.integers(10**6, 3 * 10**10), st.integers(-48, 48))
def test_absolute_times_round_trip_to_the_tenth(tenths: int, quarters: int) -> None:
    t_unix_us = tenths * 100_000
    assert decode_time(encode_absolute(t_unix_us, quarters), 0) == t_unix_us


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("000000000030000R", T + 30_000_000),
        ("000002010000000R", T + (2 * 86_400 + 3_600) * 1_000_000),
        ("000100000000000R", T + 30 * 86_400 * 1_000_000),  # 23 November to 23 December
        ("010000000000000R", T + 365 * 86_400 * 1_000_000),
        ("", None),
    ],
)
def test_relative_times_by_hand(text: str, expected: int | None) -> None:
    assert decode_time(text, T) == expected


def test_the_31st_in_a_short_month() -> None:
    january_31 = 1_170_201_600_000_000  # 2007-01-31 00:00 UTC
    assert decode_time("000100000000000R", january_31) == january_31 + 28 * 86_400 * 1_000_000


@given(st.integers(0, 32 * 86_400 - 1), st.integers(0, 10**9))
def test_relative_times_round_trip(after_s: int, now_s: int) -> None:
    assert decode_time(encode_relative(after_s), now_s * 1_000_000) == (now_s + after_s) * 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "0611231630",
        "061323163000000+",
        "061123163000000x",
        "061123163000049+",
        "06112316300000+0",
        "ABCDEFGHIJKLMNO+",
        "٠٦١١٢٣١٦٣٠٠٠٠٠٠+",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_time(text, 0)


@given(st.text("0123456789+-R", min_size=16, max_size=16), st.integers(0, 4 * 10**15))
def test_any_sixteen_characters_are_a_time_or_a_decode_error(text: str, now_unix_us: int) -> None:
    with suppress(DecodeError):
        decode_time(text, now_unix_us)


def test_times_that_cannot_be_said() -> None:
    for wrong in (
        lambda: encode_relative(-1),
        lambda: encode_relative(32 * 86_400),
        lambda: encode_absolute(T, 49),
        lambda: encode_absolute(4 * 10**15),
        lambda: encode_absolute(10**30),
    ):
        with pytest.raises(EncodeError):
            wrong()
    assert receipt_date(T, 32) == "0611240030"
