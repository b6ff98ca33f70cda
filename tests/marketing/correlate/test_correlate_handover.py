"""Inter-BSC handover: two connections, one call; tied by COMMON ID, or by equal HANDOVER COMMAND bytes."""

import pytest

from marketing.correlate import Correlator


def without(messages, *names, leg=None):
    return [m for m in messages if m.name not in names or (leg is not None and m.stream != leg)]


def streams(messages):
    """Messages of each connection, apart."""
    return [[m for m in messages if m.stream == s] for s in sorted({m.stream for m in messages})]


@pytest.mark.parametrize("kind", ["mo_call_answered", "mt_call_answered"])
@pytest.mark.parametrize("hold_us", [0, 200_000])
def test_the_call_goes_on_in_the_target_cell(wire, kind, hold_us):
    batch = wire.behaviours(wire.story(kind, handover=True), hold_us)
    assert wire.told(batch) == ["call_started", "call_connected", "handover", "call_ended"]
    assert batch["ci"].tolist() == [0x65, 0x65, 0xC9, 0xC9]
    connected, ended = batch[1]["t_us"], batch[3]["t_us"]
    assert batch[3]["duration_us"] == ended - connected
    assert len(set(batch["imsi"].tolist())) == 1


@pytest.mark.parametrize("hold_us", [0, 200_000])
def test_tied_by_common_id_alone(wire, hold_us):
    """HANDOVER COMMAND was lost at the tap: the subscriber ties the legs."""
    messages = without(wire.story("mo_call_answered", handover=True), "HANDOVER COMMAND")
    batch = wire.behaviours(messages, hold_us)
    assert wire.told(batch) == ["call_started", "call_connected", "handover", "call_ended"]


@pytest.mark.parametrize("hold_us", [0, 200_000])
def test_tied_by_equal_bytes_alone(wire, hold_us):
    """No COMMON ID on either leg: the HANDOVER COMMAND ties them, and the subscriber goes along."""
    messages = without(wire.story("mo_call_answered", handover=True, identity="imsi"), "COMMON ID")
    batch = wire.behaviours(messages, hold_us)
    assert wire.told(batch) == ["call_started", "call_connected", "handover", "call_ended"]
    assert len(set(batch["imsi"].tolist())) == 1


def test_equal_bytes_of_two_handovers_are_told_apart_by_common_id(wire):
    """The same cell and handover reference twice at once: the later COMMON ID decides."""
    one = wire.story("mo_call_answered", handover=True)
    two = wire.story(
        "mo_call_answered",
        1_000_050,
        handover=True,
        imsi="001010000000002",
        tmsi=7,
        called="10086",
        sls=(3, 4),
        bss_ref=0x11,
        msc_ref=0x12,
        bss_ref2=0x13,
        msc_ref2=0x14,
    )
    batch = wire.behaviours(sorted(one + two, key=lambda m: m.t_us))
    for imsi, peer in ((1010000000001, b"8613900012345"), (1010000000002, b"10086")):
        mine = batch[batch["imsi"] == imsi]
        assert wire.told(mine) == ["call_started", "call_connected", "handover", "call_ended"]
        assert set(mine[mine["peer"] != b""]["peer"].tolist()) == {peer}


@pytest.mark.parametrize("cause", [0x09, 0x0B])
def test_the_source_may_be_cleared_before_the_target_is_heard(wire, cause):
    """Leg 1 overtaken by leg 0 by less than 200 ms: clearing the source does not end the call."""
    messages = wire.story("mo_call_answered", handover=True)
    clear = bytes([0x20, 4, 1])
    messages = [
        wire.Message(
            m.t_us, m.octets.replace(clear + b"\x0b", clear + bytes([cause])), m.stream, m.mark, m.name
        )
        for m in messages
    ]
    _, target = streams(messages)
    late = {id(m): m.t_us + (90_000 if m.stream == target[0].stream else 0) for m in messages}
    arrived = sorted(messages, key=lambda m: late[id(m)])
    arrivals = [m.name for m in arrived]
    assert arrivals.index("CLEAR COMMAND") < arrivals.index("HANDOVER COMPLETE")
    wanted = wire.plain(wire.behaviours(messages))
    assert wire.plain(wire.behaviours(arrived, 200_000)) == wanted


def test_the_target_may_be_heard_before_the_source(wire):
    messages = wire.story("mo_call_answered", handover=True)
    source, target = streams(messages)
    begun = next(i for i, m in enumerate(messages) if m.name == "HANDOVER REQUIRED")
    arrived = [
        *messages[:begun],
        *(m for m in target if m.name not in ("DISCONNECT", "RELEASE", "RELEASE COMPLETE")),
        *(m for m in source if m not in messages[:begun]),
        *(m for m in target if m.name in ("DISCONNECT", "RELEASE", "RELEASE COMPLETE")),
    ]
    clearing = [
        m for m in arrived if m.stream == target[0].stream and m.name in ("CLEAR COMMAND", "RLSD", "RLC")
    ]
    arrived = [m for m in arrived if m not in clearing] + clearing
    assert wire.plain(wire.behaviours(arrived, 10**9)) == wire.plain(wire.behaviours(messages))


@pytest.mark.parametrize("hold_us", [0, 200_000])
def test_a_failed_handover_leaves_the_call_where_it_was(wire, hold_us):
    """HANDOVER FAILURE on the source, the target cleared, the call ends on the source."""
    plain = wire.story("mo_call_answered")
    handed = wire.story("mo_call_answered", handover=True)
    _, target = streams(handed)
    upto = next(i for i, m in enumerate(handed) if m.name == "HANDOVER COMMAND")
    failure = wire.m3ua(bytes.fromhex("06 040506 00 01 06 00 04 16 04 01 04"), True, sls=1)
    t = handed[upto].t_us + 500_000
    cleared = wire.m3ua(bytes.fromhex("06 0708a9 00 01 06 00 04 20 04 01 0a"), False, sls=2, bsc=wire.BSC2)
    rest = [
        m
        for m in plain
        if m.name in ("DISCONNECT", "RELEASE", "RELEASE COMPLETE", "CLEAR COMMAND", "RLSD", "RLC")
    ]
    over = [m for m in target if m.name in ("RLSD", "RLC")]
    messages = [
        *handed[: upto + 1],
        wire.Message(t, failure, 1),
        wire.Message(t + 9, cleared, 2),
        *over,
        *rest,
    ]
    later = [wire.Message(t + 10 + i, m.octets, m.stream, m.mark, m.name) for i, m in enumerate(over + rest)]
    messages = [*messages[: upto + 3], *later]
    correlator = Correlator(hold_us=hold_us)
    batch = wire.feed(correlator, messages)
    assert wire.told(batch) == ["call_started", "call_connected", "call_ended"]
    assert batch[2]["cause"] == 16
    assert batch[2]["ci"] == 0x65
    assert correlator.connections == 0


def test_a_target_leg_alone_gives_its_handover_only(wire):
    """The source is at an interface that is not tapped (handover between two MSCs)."""
    messages = wire.story("mo_call_answered", handover=True)
    _, target = streams(messages)
    for hold_us in (0, 200_000):
        batch = wire.behaviours(target, hold_us)
        assert wire.told(batch) == ["handover"]
        assert batch["imsi"].tolist() == [1010000000001]


def test_a_call_may_be_handed_over_twice(wire):
    """Back to the first BSC: the target leg becomes a source itself."""
    first = wire.story("mo_call_answered", handover=True)
    second = wire.story(
        "mo_call_answered",
        handover=True,
        bss_ref=0x0708A9,
        msc_ref=0x0A0B0C,
        bss_ref2=0x31,
        msc_ref2=0x32,
        lac2=0x1004,
        ci2=0x77,
        handover_reference=0x11,
    )
    cut = next(i for i, m in enumerate(first) if m.name == "DISCONNECT")
    begin = next(i for i, m in enumerate(second) if m.name == "HANDOVER REQUIRED")
    again = []
    for m in second[begin:]:
        leg_of_first_bsc = m.stream == 2
        octets = m.octets
        if leg_of_first_bsc:  # the old target leg is at the other BSC
            octets = octets.replace(b"\0\0\1\1", b"\0\0\1\2", 1)
        else:
            octets = octets.replace(b"\0\0\1\2", b"\0\0\1\1", 1)
        again.append(wire.Message(m.t_us + 60_000_000, octets, m.stream, m.mark, m.name))
    batch = wire.behaviours(first[:cut] + again)
    assert wire.told(batch) == ["call_started", "call_connected", "handover", "handover", "call_ended"]
    assert batch["ci"].tolist() == [0x65, 0x65, 0xC9, 0x77, 0x77]
