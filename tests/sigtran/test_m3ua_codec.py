import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigtran.m3ua import (
    NAMES,
    DataMessage,
    DecodeError,
    EncodeError,
    Message,
    Parameter,
    Tag,
    TrafficMode,
    decode,
    encode,
)

# The machine may be busy with other tests: how long one example takes says nothing.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# (message, octets): written out by hand from RFC 4666 3.3 to 3.8.
VECTORS = [
    (Message.named("ASPUP"), "0100030100000008"),
    (Message.named("ASPUP", Parameter.integers(Tag.ASP_IDENTIFIER, 13)), "01000301000000100011 00080000000d"),
    (Message.named("ASPUP ACK", Parameter.text(Tag.INFO_STRING, "hi")), "0100030400000010 0004000668690000"),
    (Message.named("ASPDN"), "0100030200000008"),
    (Message.named("BEAT", Parameter(Tag.HEARTBEAT_DATA, b"\xaa")), "0100030300000010 00090005aa000000"),
    (
        Message.named(
            "ASPAC",
            Parameter.integers(Tag.TRAFFIC_MODE_TYPE, TrafficMode.LOADSHARE),
            Parameter.integers(Tag.ROUTING_CONTEXT, 1, 2),
        ),
        "010004010000001c 000b000800000002 0006000c0000000100000002",
    ),
    (
        Message.named(
            "ERR", Parameter.integers(Tag.ERROR_CODE, 6), Parameter(Tag.DIAGNOSTIC_INFORMATION, b"abc")
        ),
        "0100000000000018 000c000800000006 0007000761626300",
    ),
    (Message.named("NTFY", Parameter.integers(Tag.STATUS, 0x10003)), "0100000100000010 000d000800010003"),
    (
        Message.named("DAUD", Parameter.integers(Tag.AFFECTED_POINT_CODE, 257, 258)),
        "0100020300000014 0012000c 00000101 00000102",
    ),
    (
        Message.named(
            "SCON",
            Parameter.integers(Tag.AFFECTED_POINT_CODE, 1),
            Parameter.integers(Tag.CONCERNED_DESTINATION, 5),
            Parameter.integers(Tag.CONGESTION_INDICATIONS, 3),
        ),
        "0100020400000020 0012000800000001 0206000800000005 0205000800000003",
    ),
    (
        Message.named(
            "REG REQ",
            Parameter.nested(
                Tag.ROUTING_KEY,
                [
                    Parameter.integers(Tag.LOCAL_ROUTING_KEY_IDENTIFIER, 1),
                    Parameter.integers(Tag.DESTINATION_POINT_CODE, 23),
                ],
            ),
        ),
        "010009010000001c 02070014 020a000800000001 020b000800000017",
    ),
    (
        DataMessage(opc=1, dpc=257, si=3, ni=2, mp=0, sls=5, payload=b"hello", correlation_id=7).to_message(),
        "0100010100000028 02100015 00000001 00000101 03020005 68656c6c6f 000000 0013000800000007",
    ),
    (Message(7, 9, (Parameter(0x7777, b""),)), "010007090000000c 77770004"),
]


@pytest.mark.parametrize(("message", "octets"), VECTORS, ids=lambda v: getattr(v, "name", ""))
def test_vectors(message: Message, octets: str) -> None:
    assert encode(message) == bytes.fromhex(octets)
    assert decode(bytes.fromhex(octets)) == message


REFUSED = [
    ("", "0 octets are less"),
    ("01000301000000", "less than a common header"),
    ("0200030100000008", "version 2"),
    ("0100030100000007", "length 7"),
    ("0100030100000009", "length 9"),
    ("0100030100000008ff", "1 octets behind"),
    ("010003010000000a0011", "2 octets behind the last parameter"),
    ("010003010000000c00110003", "length 3"),
    ("010003010000000c00110009", "length 9"),
    ("010003010000001000110007aabbcc00", "not one integer"),
    ("010002030000000c00120004", "no 32-bit integers"),
    ("010001010000000c02100008", "length 8"),
    ("010001010000001002100008aabbccdd", "no room for its label"),
]


@pytest.mark.parametrize(("octets", "reason"), REFUSED)
def test_what_cannot_be_parsed_is_refused(octets: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(bytes.fromhex(octets))


def test_the_final_padding_may_be_left_out_of_the_length() -> None:
    # RFC 4666 3.1.4; and the padding may hold anything (3.2).
    wanted = Message.named("BEAT", Parameter(Tag.HEARTBEAT_DATA, b"\xaa"))
    for octets in (
        "0100030300000010 00090005aa000000",
        "010003030000000d 00090005aa000000",
        "010003030000000d 00090005aa",
        "010003030000000d 00090005aa313233",
    ):
        assert decode(bytes.fromhex(octets)) == wanted


def test_every_name_has_its_numbers() -> None:
    for (message_class, message_type), name in NAMES.items():
        assert Message.named(name) == Message(message_class, message_type)
        assert Message(message_class, message_type).name == name
    assert Message(7, 9).name == "7/9"
    with pytest.raises(EncodeError, match="ASPUP"):
        Message.named("ASP UP")


values = st.binary(max_size=40)
unknown_tags = st.integers(0, 0xFFFF).filter(lambda tag: tag not in list(Tag))
parameters = st.builds(Parameter, unknown_tags, values) | st.builds(
    lambda tag, numbers: Parameter.integers(tag, *numbers),
    st.sampled_from([Tag.ROUTING_CONTEXT, Tag.AFFECTED_POINT_CODE]),
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4),
)
messages = st.builds(
    Message, st.integers(0, 255), st.integers(0, 255), st.lists(parameters, max_size=5).map(tuple)
)
numbers = st.none() | st.integers(0, 2**32 - 1)
data_messages = st.builds(
    DataMessage,
    opc=st.integers(0, 2**32 - 1),
    dpc=st.integers(0, 2**32 - 1),
    si=st.integers(0, 255),
    ni=st.integers(0, 255),
    sls=st.integers(0, 255),
    payload=st.binary(max_size=300),
    mp=st.integers(0, 255),
    network_appearance=numbers,
    routing_context=numbers,
    correlation_id=numbers,
    others=st.lists(st.builds(Parameter, unknown_tags, values), max_size=2).map(tuple),
)


@patient
@given(messages)
def test_decode_undoes_encode(message: Message) -> None:
    assert decode(encode(message)) == message


@patient
@given(data_messages)
def test_data_comes_back_field_by_field(message: DataMessage) -> None:
    assert DataMessage.from_message(decode(encode(message))) == message


@patient
@given(st.binary(max_size=60) | messages.map(encode), st.data())
def test_whatever_comes_is_decoded_or_refused(octets: bytes, data: st.DataObject) -> None:
    if octets and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(octets) - 1))
        octets = octets[:at] + bytes([data.draw(st.integers(0, 255))]) + octets[at + 1 :]
    try:
        message = decode(octets)
    except DecodeError:
        return
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "make",
    [
        lambda: Parameter(70000, b""),
        lambda: Parameter(1, bytes(70000)),
        lambda: Parameter.integers(1, 2**32),
        lambda: Parameter.text(4, "x" * 256),
        lambda: Message(256, 1),
        lambda: DataMessage(1, 2, 300, 0, 0, b"").to_message(),
    ],
)
def test_our_own_mistakes_are_encode_errors(make) -> None:
    with pytest.raises(EncodeError):
        make()


def test_data_without_its_parts_is_for_the_reader_to_refuse() -> None:
    with pytest.raises(DecodeError, match="without Protocol Data"):
        DataMessage.from_message(decode(bytes.fromhex("0100010100000008")))
    with pytest.raises(DecodeError, match="is not DATA"):
        DataMessage.from_message(Message.named("ASPUP"))
