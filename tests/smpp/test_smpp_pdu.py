"""Codec of SMPP 3.4: vectors byte by byte, round trips, and rubbish in."""

from contextlib import suppress

import pytest
import smpplib.command
import smpplib.consts
import smpplib.smpp
from hypothesis import given
from hypothesis import strategies as st

from smpp import pdu, tlv, wire
from smpp.errors import DecodeError, EncodeError
from smpp.status import STATUS_TEXT, CommandStatus, status_name
from smpp.tlv import Tlv, make

ADDRESS = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=20)


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


VECTORS = {
    "the bind_transmitter that the specification prints": (
        "0000002F 00000002 00000000 00000001"
        "534D50503354455354 00 7365637265743038 00 5355424D495431 00 00 01 01 00",
        pdu.Pdu(pdu.BindTransmitter("SMPP3TEST", "secret08", "SUBMIT1", 0, 1, 1, ""), 1),
    ),
    "submit_sm to 555555555, as encyclopaedias show it": (
        "0000003C 00000004 00000000 00000005 00 02 08 35353500 01 01 35353535353535353500"
        "00 00 00 00 00 00 00 03 00 0F 48656C6C6F2057696B697065646961",
        pdu.Pdu(
            pdu.SubmitSm(
                source_addr_ton=2,
                source_addr_npi=8,
                source_addr="555",
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr="555555555",
                data_coding=3,
                short_message=b"Hello Wikipedia",
            ),
            5,
        ),
    ),
    "submit_sm in UCS2 with validity, receipt and the contact's name": (
        "00000051 00000004 00000000 0000002A 00 00 00 3130303836303100 01 01 3836313339303030313233343500"
        "00 00 00 00 303631313233313633303030303332 2B 00 01 00 08 00 04 60A8597D 1400 0004 63372D00",
        None,
    ),
    "bind_transceiver_resp with sc_interface_version": (
        "0000001A 80000009 00000000 00000007 534D534300 0210 0001 34",
        pdu.Pdu(pdu.BindTransceiverResp("SMSC", (Tlv(0x0210, b"\x34"),)), 7),
    ),
    "submit_sm_resp, refused: no body": (
        "00000010 80000004 00000058 00000009",
        pdu.Pdu(pdu.SubmitSmResp(), 9, CommandStatus.ESME_RTHROTTLED),
    ),
    "submit_sm_resp": (
        "00000014 80000004 00000000 00000009 632E3100",
        None,
    ),
    "deliver_sm: a receipt by optional parameters": (
        "00000044 00000005 00000000 00000003 00 01 01 3836313300 00 00 3130303836303100"
        "04 00 00 00 00 00 00 00 00 00 1401 0008 0004_1F2C_7A63_F500 001E 0003 632E00 0427 0001 02",
        None,
    ),
    "query_sm": (
        "00000019 00000003 00000000 00000001 632E3100 01 01 383600",
        pdu.Pdu(pdu.QuerySm("c.1", 1, 1, "86"), 1),
    ),
    "query_sm_resp": (
        "00000017 80000003 00000000 00000001 632E3100 00 02 00",
        pdu.Pdu(pdu.QuerySmResp("c.1", "", 2, 0), 1),
    ),
    "cancel_sm": (
        "0000001E 00000008 00000000 00000002 00 632E3100 00 00 3100 01 01 383600",
        None,
    ),
    "cancel_sm_resp": ("00000010 80000008 00000000 00000002", pdu.Pdu(pdu.CancelSmResp(), 2)),
    "replace_sm": (
        "0000001F 00000007 00000000 00000002 632E3100 00 00 3100 00 00 01 00 02 6869",
        None,
    ),
    "submit_multi to a number and a list": (
        "00000030 00000021 00000000 00000001 00 00 00 3100 02 01 01 01 383600 02 667269656E647300"
        "00 00 00 00 00 00 00 00 00 01 21",
        None,
    ),
    "submit_multi_resp with one failure": (
        "0000001E 80000021 00000000 00000001 632E3100 01 01 01 383600 0000000B",
        None,
    ),
    "data_sm with its text in message_payload": (
        "00000023 00000103 00000000 00000001 00 00 00 3100 01 01 383600 00 00 00 0424 0002 6869",
        None,
    ),
    "outbind": ("00000014 0000000B 00000000 00000001 6100 6200", pdu.Pdu(pdu.Outbind("a", "b"), 1)),
    "alert_notification": (
        "0000001E 00000102 00000000 00000001 01 01 383600 00 00 3100 0422 0001 00",
        None,
    ),
    "unbind": ("00000010 00000006 00000000 00000001", pdu.Pdu(pdu.Unbind(), 1)),
    "enquire_link": ("00000010 00000015 00000000 7FFFFFFF", pdu.Pdu(pdu.EnquireLink(), 0x7FFFFFFF)),
    "generic_nack": ("00000010 80000000 00000003 00000000", pdu.Pdu(pdu.GenericNack(), 0, 3)),
}


def with_length(text: str) -> bytes:
    """The vector's octets; its command_length is checked, not trusted."""
    return octets(text.replace("_", "").replace(" ", ""))


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_decode_and_encode_back(name: str) -> None:
    text, expected = VECTORS[name]
    data = with_length(text)
    found = pdu.decode(data)
    if expected is not None:
        assert found == expected
    assert pdu.encode(found.body, found.sequence_number, found.command_status) == data


def test_fields_of_the_ucs2_vector() -> None:
    body = pdu.decode(
        with_length(VECTORS["submit_sm in UCS2 with validity, receipt and the contact's name"][0])
    ).body
    assert isinstance(body, pdu.SubmitSm)
    assert (body.source_addr, body.destination_addr) == ("1008601", "8613900012345")
    assert body.validity_period == "061123163000032+"
    assert (body.registered_delivery, body.data_coding) == (1, 8)
    assert body.short_message.decode("utf-16-be") == "您好"
    assert tlv.get_text(body.tlvs, "contact_id") == "c7-"


# ---- every PDU, any values


def values_of(kind: wire.Wire) -> st.SearchStrategy[object]:
    octet = st.integers(0, 255)
    if isinstance(kind, wire.Octet):
        return octet
    if isinstance(kind, wire.CString):
        return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=kind.size - 1)
    if isinstance(kind, wire.ShortMessage):
        return st.binary(max_size=254)
    if isinstance(kind, wire.OptionalParameters):
        unknown = st.builds(Tlv, st.integers(0x1402, 0x3FFF), st.binary(max_size=20))
        known = st.sampled_from(
            [
                make("message_state", 2),
                make("event_time", 2**60),
                make("contact_id", "c"),
                make("message_payload", b""),
            ]
        )
        return st.lists(st.one_of(unknown, known), max_size=4).map(tuple)
    if isinstance(kind, wire.Destinations):
        one = st.one_of(
            st.builds(wire.SmeAddress, octet, octet, ADDRESS), st.builds(wire.DistributionList, ADDRESS)
        )
        return st.lists(one, min_size=1, max_size=5).map(tuple)
    assert isinstance(kind, wire.Unsuccessful)
    failure = st.builds(wire.UnsuccessSme, octet, octet, ADDRESS, st.integers(0, 2**32 - 1))
    return st.lists(failure, max_size=4).map(tuple)


@st.composite
def bodies(draw: st.DrawFn) -> pdu.Body:
    cls = draw(st.sampled_from(sorted(pdu.COMMANDS.values(), key=lambda one: one.command_id)))
    return cls(**{name: draw(values_of(kind)) for name, kind in cls.parameters})


@given(bodies(), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_decode_gives_back_what_encode_was_given(body: pdu.Body, sequence_number: int, status: int) -> None:
    data = pdu.encode(body, sequence_number, status)
    assert int.from_bytes(data[:4], "big") == len(data)
    assert pdu.decode(data) == pdu.Pdu(body, sequence_number, status)


@given(bodies(), st.data())
def test_every_truncation_is_a_decode_error_or_a_shorter_pdu(body: pdu.Body, data: st.DataObject) -> None:
    whole = pdu.encode(body, 1)
    cut = data.draw(st.integers(16, len(whole)))
    short = cut.to_bytes(4, "big") + whole[4:cut]
    fault = None
    try:
        found = pdu.decode(short)
        assert pdu.encode(found.body, 1) == short or cut == 16
    except DecodeError as caught:
        fault = caught
    if fault is not None:
        assert (fault.command_id, fault.sequence_number, fault.data) == (body.command_id, 1, short)


@given(st.binary(max_size=200), st.sampled_from(sorted(pdu.COMMANDS)))
def test_rubbish_after_a_good_header_is_a_decode_error_at_worst(rubbish: bytes, command_id: int) -> None:
    data = pdu.HEADER.pack(16 + len(rubbish), command_id, 0, 1) + rubbish
    try:
        found = pdu.decode(data)
    except DecodeError:
        return
    assert pdu.decode(pdu.encode(found.body, 1)) == found


@given(st.binary(max_size=300))
def test_rubbish_is_a_decode_error_at_worst(rubbish: bytes) -> None:
    with suppress(DecodeError):
        pdu.decode(rubbish)


@given(st.lists(bodies(), max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_splitter_gives_the_same_pdus_whatever_the_cuts(sent: list[pdu.Body], cuts: list[int]) -> None:
    stream = b"".join(pdu.encode(body, number) for number, body in enumerate(sent))
    splitter = pdu.Splitter()
    found: list[bytes] = []
    at = 0
    while at < len(stream):
        step = cuts[at % len(cuts)]
        found += splitter.feed(stream[at : at + step])
        at += step
    assert [pdu.decode(raw).body for raw in found] == sent
    assert splitter.error is None


@pytest.mark.parametrize("length", [0, 15, pdu.MAX_PDU + 1, 0xFFFFFFFF])
def test_splitter_stops_at_an_impossible_length_after_what_came_before(length: int) -> None:
    splitter = pdu.Splitter()
    good = pdu.encode(pdu.EnquireLink(), 1)
    assert splitter.feed(good + length.to_bytes(4, "big") + good) == [good]
    assert splitter.error is not None
    assert splitter.error.command_status == CommandStatus.ESME_RINVCMDLEN
    assert splitter.feed(good) == []


# ---- whose fault


WRONG_VALUES = {
    "address too long": lambda: pdu.SubmitSm(destination_addr="1" * 21),
    "address not text": lambda: pdu.SubmitSm(destination_addr=8613900012345),
    "NUL inside": lambda: pdu.SubmitSm(source_addr="1\x002"),
    "not Latin-1": lambda: pdu.BindTransceiver(system_id="移动"),
    "octet out of range": lambda: pdu.SubmitSm(data_coding=256),
    "message too long": lambda: pdu.SubmitSm(short_message=b"x" * 255),
    "message not bytes": lambda: pdu.SubmitSm(short_message="x"),
    "tlvs not Tlv": lambda: pdu.SubmitSm(tlvs=((1, b""),)),
    "no destinations": lambda: pdu.SubmitMulti(),
    "TLV unknown by name": lambda: make("colour", 1),
    "TLV integer too big": lambda: make("message_state", 256),
    "TLV text of the wrong type": lambda: make("contact_id", 5),
    "TLV too long": lambda: make("contact_id", "c" * 65),
    "TLV too short": lambda: make("network_error_code", b"\x01"),
    "TLV tag": lambda: Tlv(0x10000, b""),
}


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_our_mistakes_fail_in_the_constructor(name: str) -> None:
    with pytest.raises(EncodeError):
        WRONG_VALUES[name]()


PEER_MISTAKES = {
    "source address without end": ("00000004", "00 01 01 " + "31" * 30, CommandStatus.ESME_RINVSRCADR),
    "service type too long": ("00000004", "414243444546474800", CommandStatus.ESME_RINVSERTYP),
    "body ends early": ("00000004", "00 01 01 3100", CommandStatus.ESME_RINVCMDLEN),
    "sm_length past the end": (
        "00000004",
        "00 0000 00 0000 00 000000 00 00 00 00 00 00 05 61",
        CommandStatus.ESME_RINVCMDLEN,
    ),
    "sm_length 255": (
        "00000004",
        "00 0000 00 0000 00 000000 00 00 00 00 00 00 FF" + "61" * 255,
        CommandStatus.ESME_RINVMSGLEN,
    ),
    "TLV cut": (
        "00000004",
        "00 0000 00 0000 00 000000 00 00 00 00 00 00 00 1400 0009 61",
        CommandStatus.ESME_RINVOPTPARSTREAM,
    ),
    "TLV head cut": (
        "00000004",
        "00 0000 00 0000 00 000000 00 00 00 00 00 00 00 1400",
        CommandStatus.ESME_RINVOPTPARSTREAM,
    ),
    "TLV of the wrong size": (
        "00000004",
        "00 0000 00 0000 00 000000 00 00 00 00 00 00 00 0427 0002 0102",
        CommandStatus.ESME_RINVPARLEN,
    ),
    "octets after enquire_link": ("00000015", "00", CommandStatus.ESME_RINVCMDLEN),
    "unknown command": ("00000999", "00", CommandStatus.ESME_RINVCMDID),
    "dest_flag 3": ("00000021", "00 00 00 00 01 03", CommandStatus.ESME_RINVDESTFLAG),
    "no destinations": ("00000021", "00 00 00 00 00", CommandStatus.ESME_RINVNUMDESTS),
    "list name too long": ("00000021", "00 00 00 00 01 02" + "61" * 22 + "00", CommandStatus.ESME_RINVDLNAME),
}


@pytest.mark.parametrize("name", PEER_MISTAKES)
def test_the_peers_mistakes_name_the_status_it_should_hear(name: str) -> None:
    command_id, text, status = PEER_MISTAKES[name]
    body = octets(text)
    with pytest.raises(DecodeError) as caught:
        pdu.decode(pdu.HEADER.pack(16 + len(body), int(command_id, 16), 0, 77) + body)
    assert status_name(caught.value.command_status) == status.name
    assert caught.value.sequence_number == 77


# ---- against what others wrote


def test_statuses_and_tags_are_those_of_smpplib() -> None:
    theirs = {
        name.removeprefix("SMPP_"): value
        for name, value in vars(smpplib.consts).items()
        if name.startswith("SMPP_ESME_R")
    }
    assert theirs == {status.name: int(status) for status in CommandStatus}
    assert set(STATUS_TEXT) == set(CommandStatus)
    for name, tag in smpplib.consts.OPTIONAL_PARAMS.items():
        if name in tlv.BY_NAME:
            assert tlv.BY_NAME[name].tag == tag, name
    assert len(set(smpplib.consts.OPTIONAL_PARAMS) & set(tlv.BY_NAME)) >= 40


class Client:
    """What smpplib wants of a client to make a PDU."""

    sequence = 5

    def next_sequence(self) -> int:
        return 5


def test_submit_sm_bytes_are_those_of_smpplib() -> None:
    values = {
        "source_addr_ton": 5,
        "source_addr": "10086",
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": "8613900012345",
        "esm_class": 0x40,
        "validity_period": "061123163000032+",
        "registered_delivery": 1,
        "data_coding": 8,
        "short_message": "您好".encode("utf-16-be"),
    }
    theirs = smpplib.smpp.make_pdu("submit_sm", client=Client(), user_message_reference=7, **values)
    ours = pdu.SubmitSm(**values, tlvs=(make("user_message_reference", 7),))
    assert pdu.encode(ours, 5) == theirs.generate()


def test_smpplib_reads_our_deliver_sm() -> None:
    ours = pdu.DeliverSm(
        source_addr="8613900012345",
        destination_addr="1008601",
        esm_class=4,
        short_message=b"id:c.1",
        tlvs=(make("message_state", 2), make("receipted_message_id", "c.1")),
    )
    theirs = smpplib.smpp.parse_pdu(pdu.encode(ours, 6), client=Client(), allow_unknown_opt_params=True)
    assert theirs.source_addr == b"8613900012345"
    assert theirs.short_message == b"id:c.1"
    assert theirs.message_state == 2
    assert theirs.receipted_message_id == b"c.1"
