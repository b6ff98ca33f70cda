"""Against smpplib, which nobody here wrote, as client of our SMSC."""

import asyncio
from collections.abc import Iterator

import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions
import smpplib.gsm

from smpp import gsm7, pdu
from smpp.receipt import Receipt
from smpp.status import ESM_RECEIPT, MessageState
from smpp.text import Reassembler, split

LONG = "尊敬的客户，您乘坐的航班可能延误，漫游套餐九折，回复1办理。😀" * 5


@pytest.fixture
def client(desk) -> Iterator[smpplib.client.Client]:
    client = smpplib.client.Client("127.0.0.1", desk.server.port, allow_unknown_opt_params=True)
    client.connect()
    yield client
    client.disconnect()


def submit(client: smpplib.client.Client, **values: object) -> object:
    found: list[object] = []
    client.set_message_sent_handler(lambda pdu: found.append(pdu))
    client.send_message(
        source_addr="1008601", destination_addr="8613900012345", dest_addr_ton=1, dest_addr_npi=1, **values
    )
    client.read_once()
    return found[0]


@pytest.mark.parametrize("kind", ["transmitter", "transceiver"])
def test_smpplib_submits_long_ucs2(desk, client: smpplib.client.Client, kind: str) -> None:
    getattr(client, f"bind_{kind}")(system_id="kairos", password="secret")
    parts, coding, esm_class = smpplib.gsm.make_parts(LONG, smpplib.consts.SMPP_ENCODING_ISO10646)
    for number, part in enumerate(parts, start=1):
        answer = submit(
            client, data_coding=coding, esm_class=esm_class, short_message=part, registered_delivery=True
        )
        assert answer.message_id == f"m{number}".encode()
    joiner = Reassembler()
    texts = [
        joiner.add(
            one.source_addr, one.destination_addr, one.esm_class, one.data_coding, one.short_message, 0.0
        )
        for one in desk.submits
    ]
    assert texts == [None] * (len(parts) - 1) + [LONG]
    client.unbind()


def test_smpplib_receives_our_parts(desk, client: smpplib.client.Client) -> None:
    client.bind_receiver(system_id="kairos", password="secret")
    got: list[bytes] = []
    client.set_message_received_handler(lambda pdu: got.append(pdu.short_message))
    parts = split(LONG, reference=9)
    for part in parts:
        body = pdu.DeliverSm(
            source_addr="8613900012345",
            destination_addr="1008601",
            esm_class=part.esm_class,
            data_coding=part.data_coding,
            short_message=part.short_message,
        )
        waiting = asyncio.run_coroutine_threadsafe(desk.deliver(body), desk.loop)
        client.read_once()
        assert waiting.result(5) == (pdu.DeliverSmResp(), 0)
    assert b"".join(one[6:] for one in got).decode("utf-16-be") == LONG


def test_smpplib_hears_refusals(desk, client: smpplib.client.Client) -> None:
    with pytest.raises(smpplib.exceptions.PDUError, match="Invalid Password"):
        client.bind_transceiver(system_id="kairos", password="wrong")
    client.bind_transceiver(system_id="kairos", password="secret")
    desk.throttle = True
    with pytest.raises(smpplib.exceptions.PDUError, match="Throttling"):
        submit(client, short_message=b"x")
    desk.throttle = False
    assert submit(client, short_message=b"x").message_id == b"m1"
    states: list[int] = []
    client.set_query_resp_handler(lambda pdu: states.append(pdu.message_state))
    client.query_message(message_id="m1", source_addr_ton=0, source_addr_npi=0, source_addr="1008601")
    client.read_once()
    assert states == [MessageState.ENROUTE]


def test_smpplib_submits_extension_characters(desk, client: smpplib.client.Client) -> None:
    client.bind_transmitter(system_id="kairos", password="secret")
    text = "{x} [y] ~5€ @£Δ"
    parts, coding, esm_class = smpplib.gsm.make_parts(text)
    assert (len(parts), coding) == (1, 0)
    submit(client, data_coding=coding, esm_class=esm_class, short_message=parts[0])
    assert gsm7.decode(desk.submits[0].short_message) == text


def test_smpplib_submits_message_payload_and_sar_parts(desk, client: smpplib.client.Client) -> None:
    client.bind_transceiver(system_id="kairos", password="secret")
    octets = LONG.encode("utf-16-be")
    submit(client, data_coding=8, esm_class=0, short_message=b"", message_payload=octets)
    for number, at in enumerate(range(0, len(octets), 130), start=1):
        total = -(-len(octets) // 130)
        submit(
            client,
            data_coding=8,
            esm_class=0,
            short_message=octets[at : at + 130],
            sar_msg_ref_num=7,
            sar_total_segments=total,
            sar_segment_seqnum=number,
        )
    joiner = Reassembler()
    texts = [
        joiner.add(
            one.source_addr,
            one.destination_addr,
            one.esm_class,
            one.data_coding,
            one.short_message,
            0,
            one.tlvs,
        )
        for one in desk.submits
    ]
    assert [text for text in texts if text] == [LONG, LONG]


def test_receipts_go_to_the_receiver_of_who_transmits(desk, client: smpplib.client.Client) -> None:
    """Two connections, one for each direction; smpplib reads our receipt's text and parameters."""
    client.bind_transmitter(system_id="kairos", password="secret")
    other = smpplib.client.Client("127.0.0.1", desk.server.port, allow_unknown_opt_params=True)
    other.connect()
    try:
        other.bind_receiver(system_id="kairos", password="secret")
        answer = submit(client, data_coding=0, esm_class=0, short_message=b"x", registered_delivery=1)
        told = Receipt(answer.message_id.decode(), MessageState.DELIVERED, 1, 1, "0611231630", "0611231631")
        heard: list[object] = []
        other.set_message_received_handler(lambda pdu: heard.append(pdu))
        body = pdu.DeliverSm(
            source_addr="8613900012345",
            destination_addr="1008601",
            esm_class=ESM_RECEIPT,
            short_message=told.format().encode(),
            tlvs=told.tlvs(),
        )
        waiting = asyncio.run_coroutine_threadsafe(desk.deliver(body), desk.loop)
        other.read_once()
        assert waiting.result(5) == (pdu.DeliverSmResp(), 0)
        assert heard[0].receipted_message_id == b"m1"
        assert heard[0].message_state == MessageState.DELIVERED
        assert heard[0].short_message.startswith(b"id:m1 ")
        other.unbind()
    finally:
        other.disconnect()
    client.unbind()
