"""Wireshark reads every PDU we can send, without a complaint and to the same values."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from experiments.judge.tshark import available, say
from smpp import pdu, wire
from smpp.receipt import Receipt
from smpp.status import ESM_RECEIPT, CommandStatus, MessageState
from smpp.text import split
from smpp.tlv import BY_TAG, TLV_TABLE, Tlv, TlvKind, make

pytestmark = pytest.mark.tshark

TIMES = ("", "061123163000032+", "991231235959948-", "000007010203000R")
#: Fields of ours that Wireshark shows under the same name and as one number or text.
SAME = (
    "system_id", "password", "system_type", "addr_ton", "addr_npi", "address_range", "service_type",
    "source_addr_ton", "source_addr_npi", "source_addr", "dest_addr_ton", "dest_addr_npi", "destination_addr",
    "protocol_id", "replace_if_present_flag", "data_coding", "sm_default_msg_id",
    "message_id", "message_state", "error_code", "esme_addr_ton", "esme_addr_npi", "esme_addr",
)  # fmt: skip
#: Optional parameters likewise.
SAME_TLVS = (
    "receipted_message_id", "user_message_reference", "source_port", "destination_port", "sar_msg_ref_num",
    "sar_total_segments", "sar_segment_seqnum", "qos_time_to_live", "language_indicator", "payload_type",
    "more_messages_to_send", "ms_validity", "number_of_messages", "user_response_code",
)  # fmt: skip
LIMITED = {
    "data_coding": (0, 1, 3, 4, 8),
    "esm_class": (0, 3, 4, 8, 0x24),
    "message_state": range(1, 9),
    "replace_if_present_flag": (0, 1),
}
"""Values that say what the rest of the PDU means."""
ADDRESSES = ("", "1008601", "8613900012345", "Kairos")


def tlv_of(kind: TlvKind, chance: random.Random) -> Tlv:
    if kind.kind == "int":
        return make(kind.name, chance.randrange(1 << 8 * kind.most))
    if kind.kind == "text":
        return make(kind.name, "".join(chance.choices("abc019", k=chance.randint(1, 20))))
    if kind.name in ("source_subaddress", "dest_subaddress", "callback_num", "callback_num_atag"):
        return make(kind.name, bytes((0x01, 0x01, 0x01)) + b"8613900012345"[: kind.most - 3])
    return make(kind.name, chance.randbytes(max(kind.least, min(kind.most, 30))))


def value_of(name: str, kind: wire.Wire, tlvs: tuple[Tlv, ...], chance: random.Random) -> object:
    if isinstance(kind, wire.Octet):
        return chance.choice(LIMITED.get(name, range(256)))
    if isinstance(kind, wire.CString):
        if kind.size == 17:
            return chance.choice(TIMES)
        choices = ADDRESSES if kind.size in (21, 65, 41) else ("", "kairos", "CMT")
        return chance.choice(choices)[: kind.size - 1]
    if isinstance(kind, wire.ShortMessage):
        return b"Kairos"[: chance.choice((0, 1, 6))] * chance.choice((1, 23, 42))  # text in every coding
    if isinstance(kind, wire.Destinations):
        return (
            wire.SmeAddress(1, 1, "8613900012345"),
            wire.DistributionList("all"),
            wire.SmeAddress(0, 0, "1"),
        )
    if isinstance(kind, wire.Unsuccessful):
        return tuple(wire.UnsuccessSme(1, 1, "8613900012345", 0x58) for _ in range(chance.randint(0, 3)))
    return tlvs


def bodies() -> list[pdu.Body]:
    """Each command several times, each optional parameter at least once."""
    chance = random.Random(20061123)
    found: list[pdu.Body] = []
    tlvs = [tlv_of(kind, chance) for kind in TLV_TABLE if kind.name != "message_payload"]
    for cls in pdu.COMMANDS.values():
        for turn in range(8):
            some = tuple(tlvs[turn::8])
            found.append(cls(*(value_of(name, kind, some, chance) for name, kind in cls.parameters)))
    return found


def test_every_pdu_of_ours_is_read_alike(tshark_words: Callable[[Sequence[bytes]], list[str]]) -> None:
    sent = bodies()
    messages = [pdu.encode(body, number) for number, body in enumerate(sent, start=1)]
    tshark_words(messages)  # fails for what Wireshark calls malformed
    fields = ["smpp.command_id", "smpp.sequence_number", "smpp.opt_param_tag"]
    fields += [f"smpp.{name}" for name in (*SAME, *SAME_TLVS)]
    compared = 0
    for number, (body, row) in enumerate(
        zip(sent, say(messages, fields, dissector="smpp"), strict=True), start=1
    ):
        assert int(row["smpp.command_id"][0], 16) == body.command_id
        assert int(row["smpp.sequence_number"][0], 0) == number
        for name, kind in body.parameters:
            if name not in SAME or isinstance(body, pdu.SubmitMulti):
                continue
            value = getattr(body, name)
            shown = row.get(f"smpp.{name}", ("",))[0]
            if isinstance(kind, wire.Octet):
                assert int(shown, 0) == value, (body, name)
            else:
                assert shown in (value, value or "(Default)"), (body, name)
            compared += 1
        for tlv in getattr(body, "tlvs", ()):
            name = BY_TAG[tlv.tag].name
            if name in SAME_TLVS:
                shown = row[f"smpp.{name}"][0]
                same = shown == tlv.value.rstrip(b"\0").decode() if name == "receipted_message_id" else None
                assert same or int(shown, 0) == int.from_bytes(tlv.value, "big"), (body, name)
                compared += 1
    assert compared > 500


def test_every_status_has_the_name_it_has_for_us() -> None:
    """Errors by the words: Wireshark says of each status of ours that it knows it."""
    if available() is None:
        pytest.skip("tshark is not installed")
    statuses = list(CommandStatus)
    messages = [pdu.encode(pdu.SubmitSmResp(), 1, status) for status in statuses]
    rows = say(messages, ["smpp.command_status"], dissector="smpp")
    assert [int(row["smpp.command_status"][0], 0) for row in rows] == [int(status) for status in statuses]


TEXTS = ("@£ [x] {y} ^~\\| 5€", "您好，漫游套餐", "尊敬的客户，您乘坐的航班可能延误。😀" * 8)


def test_texts_and_receipts_in_words(tshark_words: Callable[[Sequence[bytes]], list[str]]) -> None:
    messages = []
    for text in TEXTS:
        for how in ("header", "sar", "payload"):
            for part in split(text, reference=9, how=how):
                body = pdu.DeliverSm(
                    source_addr="8613900012345",
                    destination_addr="1008601",
                    esm_class=part.esm_class,
                    data_coding=part.data_coding,
                    short_message=part.short_message,
                    tlvs=part.tlvs,
                )
                messages.append(pdu.encode(body, len(messages) + 1))
    told = Receipt("m1", MessageState.DELIVERED, 1, 1, "0611231630", "0611231631")
    body = pdu.DeliverSm(esm_class=ESM_RECEIPT, short_message=told.format().encode(), tlvs=told.tlvs())
    messages.append(pdu.encode(body, len(messages) + 1))
    words = tshark_words(messages)
    assert "Message type: Short message contains SMSC Delivery Receipt" in words[-1]
    assert "Message state: DELIVERED (2)" in words[-1]
    assert sum("您好，漫游套餐" in one for one in words) == 3
    assert sum("Short Message fragment" in one for one in words) > 0
