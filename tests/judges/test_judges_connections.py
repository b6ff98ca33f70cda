"""A reference given out again: what Wireshark makes of it, and that the second reading clears it alone."""

from __future__ import annotations

import pytest

from experiments.judge import tshark as judge_tshark
from experiments.judge.connections import own_connection
from experiments.judge.wireshark import judge_wireshark

RELEASE_COMPLETE = "0100010100000028021000170000010200000001030200080550e8870871b80000130008000098a7"
"""The end of a connection on which the centre had the reference 50e887."""
HANDED_OVER = (
    "0100010100000068021000580000000100000102030200020150e8870202040242fe040242fe0f370035100b04010ba1250a0903"
    "c4e7c3410d42b000120333188105080000f110100103fb0100de05080000f1101002040e04010c40212c02000013000800017c71",
    "010001010000002c021000190000010200000001030200020250e8878366d202000000000013000800017c75",
    "010001010000003c021000290000010200000001030200020650e88700011200101104010c1a080000f110100103fb40210000"
    "000013000800018315",
    "010001010000004402100031000000010000010203020002068366d200011a001813170b062b16130aa04b5705630105080000f1"
    "10100103fb000000001300080001832e",
)
"""CR with HANDOVER REQUEST, by which the centre opens 50e887 again; CC; HANDOVER REQUIRED and COMMAND."""
OTHER = "01000101000000280210001700000101000000010302000c05e12b0ba168ec00001300080001832d"


def octets(*lines: str) -> list[bytes]:
    return [bytes.fromhex(line) for line in lines]


def test_a_connection_is_followed_by_both_its_references() -> None:
    messages = octets(RELEASE_COMPLETE, *HANDED_OVER[:3], OTHER, HANDED_OVER[3])
    assert own_connection(messages, 5) == octets(*HANDED_OVER)


def test_a_message_whose_connection_began_elsewhere_stands_alone() -> None:
    messages = octets(*HANDED_OVER[1:])
    assert own_connection(messages, 2) == messages[-1:]


@pytest.mark.skipif(judge_tshark.available() is None, reason="tshark is not installed")
class TestWireshark:
    def test_it_reads_by_a_connection_that_has_been_released(self) -> None:
        """The reason for the second reading; where this fails, a newer Wireshark needs it no more."""
        messages = octets(RELEASE_COMPLETE, *HANDED_OVER)
        *_, last = judge_tshark.say(messages, ("gsm_a.dtap.msg_rr_type",))
        *_, alone = judge_tshark.say(messages[1:], ("gsm_a.dtap.msg_rr_type",))
        assert (last, alone) == ({}, {"gsm_a.dtap.msg_rr_type": ("0x2b",)})

    def test_the_second_reading_clears_it(self) -> None:
        verdict = judge_wireshark(octets(RELEASE_COMPLETE, *HANDED_OVER))
        assert not verdict.complaints
        assert verdict.excused["reference of a former connection"] == 1

    def test_what_is_wrong_stays_wrong(self) -> None:
        command = HANDED_OVER[3].replace("062b16130aa04b57", "067f16130aa04b57")
        verdict = judge_wireshark(octets(RELEASE_COMPLETE, *HANDED_OVER[:3], command))
        assert verdict.complaints
