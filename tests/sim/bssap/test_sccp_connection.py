"""Both ends of a connection joined in memory: set-up, data in segments, release, timers, refusal."""

from __future__ import annotations

import pytest

from sim.bssap import DecodeError, EncodeError, sccp
from sim.bssap.sccp import SccpMessage, Segmentation
from sim.bssap.sccp_address import Address
from sim.bssap.sccp_connection import (
    ACTIVE,
    CLOSED,
    RELEASING,
    RETURN_ON_ERROR,
    TRANSITIONS,
    Connection,
    Reassembly,
    Timers,
    UnitdataReassembly,
    return_unitdata,
    segment,
    segment_unitdata,
)

BSSAP = Address(254)


def pump(one, other, now):
    """Carries what both have to say, through the codec; returns the events of each."""
    events = {one: [], other: []}
    moved = True
    while moved:
        moved = False
        for sender, receiver in ((one, other), (other, one)):
            for message in sender.pending():
                moved = True
                events[receiver] += receiver.receive(sccp.decode(sccp.encode(message)), now)
    return events[one], events[other]


@pytest.fixture
def pair():
    bss, msc = Connection(0x010203), Connection(0x040506)
    bss.connect(BSSAP, b"hello", 0.0)
    _, heard = pump(bss, msc, 0.0)
    assert [(event.kind, event.data) for event in heard] == [("connect", b"hello")]
    msc.accept(0.0)
    heard, _ = pump(bss, msc, 0.0)
    assert [event.kind for event in heard] == ["confirm"]
    assert bss.state == msc.state == ACTIVE
    assert bss.remote == msc.local
    assert msc.remote == bss.local
    return bss, msc


def test_data_in_segments(pair):
    bss, msc = pair
    data = bytes(range(256)) * 3
    bss.send(data, 1.0)
    _, heard = pump(bss, msc, 1.0)
    assert [event.data for event in heard] == [data]


def test_release(pair):
    bss, msc = pair
    msc.disconnect(2.0)
    heard, _ = pump(bss, msc, 2.0)
    assert [(event.kind, event.cause) for event in heard] == [("disconnect", 0)]
    assert bss.state == msc.state == CLOSED
    assert msc.next_deadline is None


def test_both_release_at_once(pair):
    bss, msc = pair
    msc.disconnect(2.0)
    bss.disconnect(2.0)
    pump_once = [*bss.pending(), *msc.pending()]
    bss.receive(pump_once[1], 2.0)
    msc.receive(pump_once[0], 2.0)
    assert bss.state == msc.state == CLOSED


def test_refusal():
    bss, msc = Connection(1), Connection(2)
    bss.connect(BSSAP, b"x", 0.0)
    pump(bss, msc, 0.0)
    msc.refuse(5)
    heard, _ = pump(bss, msc, 0.0)
    assert [(event.kind, event.cause) for event in heard] == [("refused", 5)]
    assert bss.state == CLOSED


def test_nobody_answers():
    bss = Connection(1, Timers(established_s=60))
    bss.connect(BSSAP, b"x", 0.0)
    assert bss.next_deadline == 60
    assert bss.handle_time(59.9) == []
    assert [event.kind for event in bss.handle_time(60.0)] == ["refused"]
    assert bss.state == CLOSED


def test_inactivity_test_keeps_a_connection(pair):
    bss, msc = pair
    now = 0.0
    for _ in range(10):
        now = min(bss.next_deadline, msc.next_deadline)
        assert bss.handle_time(now) == []
        assert msc.handle_time(now) == []
        assert pump(bss, msc, now) == ([], [])
    assert bss.state == msc.state == ACTIVE
    assert now > Timers().receive_inactivity_s


def test_silence_releases_repeats_and_gives_up(pair):
    _, msc = pair
    msc.pending()
    events = []
    while msc.state != CLOSED:
        events += msc.handle_time(msc.next_deadline)
    assert [(event.kind, event.cause) for event in events] == [("disconnect", 0x0D)]
    types = [message.type for message in msc.pending()]
    assert types.count("IT") == 2
    assert types.count("RLSD") >= 3


def test_data_while_releasing_is_dropped(pair):
    bss, msc = pair
    bss.send(b"late", 1.0)
    msc.disconnect(1.0)
    assert msc.receive(bss.pending()[0], 1.0) == []
    assert msc.state == RELEASING


def test_foreign_reference_and_wrong_state(pair):
    bss, _ = pair
    with pytest.raises(DecodeError, match="reference"):
        bss.receive(SccpMessage("DT1", destination=9, more=False, data=b"x"), 1.0)
    with pytest.raises(DecodeError, match="CC in state active"):
        bss.receive(SccpMessage("CC", destination=bss.local, source=1, protocol_class=2), 1.0)
    with pytest.raises(EncodeError, match="accept in state active"):
        bss.accept(1.0)
    assert bss.state == ACTIVE


def test_table_is_closed():
    states = {state for state, _ in TRANSITIONS} | set(TRANSITIONS.values())
    assert {state for state, _ in TRANSITIONS} == states - {CLOSED}


def test_reassembly_has_a_limit():
    assembly = Reassembly(limit=300)
    first, *_ = segment(bytes(600), 1)
    assert assembly.push(first) is None
    with pytest.raises(DecodeError, match="300"):
        assembly.push(first)


def test_unitdata_segments():
    data = bytes(range(250)) * 4
    messages = [sccp.decode(sccp.encode(m)) for m in segment_unitdata(data, BSSAP, BSSAP, 0xABCDEF)]
    assert len(messages) == 5
    assembly = UnitdataReassembly()
    assert [assembly.push(message, 0.0) for message in messages] == [None] * 4 + [data]


def test_unitdata_segments_out_of_place_or_late():
    one, two, *_ = segment_unitdata(bytes(600), BSSAP, BSSAP, 1)
    assembly = UnitdataReassembly(timeout_s=5)
    with pytest.raises(DecodeError, match="to come"):
        assembly.push(two, 0.0)
    assert assembly.push(one, 0.0) is None
    with pytest.raises(DecodeError, match="to come"):
        assembly.push(two, 5.0)


def test_single_unitdata_needs_no_segmentation():
    (message,) = segment_unitdata(b"x", BSSAP, BSSAP, 1)
    assert message.segmentation is None
    assert UnitdataReassembly().push(message, 0.0) == b"x"


@pytest.mark.parametrize("mark", [Segmentation(True, 16, 0)])
def test_too_many_segments(mark):
    message = SccpMessage(
        "XUDT", protocol_class=1, hop_counter=15, called=BSSAP, calling=BSSAP, data=b"x", segmentation=mark
    )
    with pytest.raises(EncodeError, match="16 remaining"):
        sccp.encode(message)
    with pytest.raises(EncodeError, match="segments"):
        segment_unitdata(bytes(5000), BSSAP, BSSAP, 1)


def test_class_3_data_are_numbered_and_joined():
    parts = [b"one", b"two", b"three"]
    reassembly, whole = Reassembly(), None
    for index, part in enumerate(parts):
        more = index < len(parts) - 1
        message = SccpMessage(
            "DT2", destination=1, data=part, sequencing=sccp.sequencing(index + 125, 7, more=more)
        )
        assert sccp.decode(sccp.encode(message)) == message
        assert (message.send_number, message.expected_number, message.more_data) == (index + 125, 7, more)
        whole = reassembly.push(message)
    assert whole == b"onetwothree"
    acknowledgement = SccpMessage("AK", destination=1, receive_number=126 << 1, credit=4)
    assert acknowledgement.expected_number == 126
    assert acknowledgement.send_number is None
    with pytest.raises(EncodeError, match="128"):
        sccp.sequencing(128, 0)


@pytest.mark.parametrize("kind", ["UDT", "XUDT", "LUDT"])
def test_undeliverable_unitdata_come_back_when_asked_for(kind):
    hops = None if kind == "UDT" else 3
    mark = None if kind == "UDT" else Segmentation(True, 0, 0x010203)

    def unitdata(protocol_class):
        return SccpMessage(
            kind, protocol_class=protocol_class, hop_counter=hops, called=Address(254, 23),
            calling=Address(254, 42), data=b"data", segmentation=mark,
        )  # fmt: skip

    assert return_unitdata(unitdata(1), 3) is None
    returned = return_unitdata(unitdata(1 | RETURN_ON_ERROR), 3)
    assert returned is not None
    assert sccp.decode(sccp.encode(returned)) == returned
    assert (returned.type, returned.cause, returned.data) == (kind + "S", 3, b"data")
    assert (returned.called, returned.calling) == (Address(254, 42), Address(254, 23))
    assert returned.segmentation == mark
    # What has come back does not go back again.
    assert return_unitdata(returned, 3) is None
