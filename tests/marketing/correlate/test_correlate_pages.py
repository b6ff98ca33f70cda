"""Pages without response, handsets, copies of messages: what the correlator says of them, and what not."""

import numpy as np
import pytest

from marketing.correlate import Correlator
from marketing.decode import decode_batch

IMSI = 1010000000001
PAGE_US = 10_000_000


def feed(wire, correlator, messages):
    data, offsets = wire.pack([m.octets for m in messages])
    times = np.array([m.t_us for m in messages], dtype=np.int64)
    return correlator.feed(data, offsets, decode_batch(data, offsets), times)


def page(wire, t_us):
    (message,) = wire.story("paging_only", t_us)
    return message


def response(wire, t_us, lac=4097):
    """PAGING RESPONSE of the same subscriber, by his IMSI."""
    message = next(m for m in wire.story("mt_sms", identity="imsi", lac=lac) if m.name == "PAGING RESPONSE")
    return wire.Message(t_us, message.octets, message.stream)


def failed(rows):
    rows = rows[rows["kind"] == 33]
    return list(zip(rows["t_us"].tolist(), rows["imsi"].tolist(), rows["lac"].tolist(), strict=True))


@pytest.mark.parametrize("hold_us", [0, 200_000])
@pytest.mark.parametrize(
    ("pages", "answers", "wanted"),
    [
        ([0], [], [PAGE_US]),
        ([0], [PAGE_US], []),
        ([0], [PAGE_US + 1], [PAGE_US]),
        ([0, 4_000_000], [], [PAGE_US + 4_000_000]),
        ([0, 4_000_000], [PAGE_US + 1], []),
        ([0, 30_000_000], [30_500_000], [PAGE_US]),
        ([0, 30_000_000], [], [PAGE_US, 30_000_000 + PAGE_US]),
        ([1_000_000], [500_000], [1_000_000 + PAGE_US]),
    ],
)
def test_a_page_has_so_long_to_be_answered(wire, hold_us, pages, answers, wanted):
    messages = sorted(
        [page(wire, t) for t in pages] + [response(wire, t) for t in answers], key=lambda m: m.t_us
    )
    for size in (1, 2, 9):
        correlator = Correlator(hold_us=hold_us)
        found = [feed(wire, correlator, messages[at : at + size]) for at in range(0, len(messages), size)]
        found.append(correlator.expire(60_000_000))
        assert failed(np.concatenate(found)) == [(t, IMSI, 4097) for t in wanted]
        assert correlator.pages <= len(answers)


@pytest.mark.parametrize("late_us", [1, 90_000, 200_000])
def test_an_answer_may_overtake_its_page(wire, late_us):
    correlator = Correlator(hold_us=200_000)
    found = [feed(wire, correlator, [response(wire, 1_000_000), page(wire, 1_000_000 + late_us)])]
    found.append(correlator.expire(60_000_000))
    assert failed(np.concatenate(found)) == []


def test_at_the_end_of_the_stream_nobody_knows(wire):
    correlator = Correlator(hold_us=0)
    feed(wire, correlator, [page(wire, 0)])
    assert correlator.pages == 1
    assert len(correlator.flush()) == 0
    assert correlator.pages == 0
    with pytest.raises(ValueError, match="page_s"):
        Correlator(page_s=0)


def test_pages_are_bounded(wire):
    correlator = Correlator(hold_us=0)
    memory = []
    for thousand in range(80):
        people = (f"00101{thousand * 1000 + i:010d}" for i in range(1000))
        messages = [wire.story("paging_only", 0, imsi=imsi, tmsi=7)[0] for imsi in people]
        feed(wire, correlator, messages)
        memory.append(correlator.memory)
    assert correlator.pages == 65_536
    assert correlator.counters["pages_dropped"] == 80_000 - 65_536
    assert memory[-1] == memory[70]


# ---------------------------------------------------------------- handsets


@pytest.mark.parametrize(
    ("imei", "wanted"),
    [
        ("490154203237518", [490154203237518]),
        ("490154203237510", [490154203237518]),  # the check digit sent as 0
        ("490154203237512", []),
        ("000000000000000", []),
    ],
)
def test_an_imei_has_a_check_digit(wire, imei, wanted):
    correlator = Correlator(hold_us=0)
    found = wire.feed(correlator, wire.story("lu_attach", ask_imei=True, identity="imsi", imei=imei))
    assert found[found["kind"] == 26]["detail"].tolist() == wanted
    assert correlator.counters["wrong_imei"] == (not wanted)


def test_whose_imsi_was_not_told_has_no_handset(wire):
    """A TMSI may mean somebody else by now; only the IMSI on the same connection is certain."""
    correlator = Correlator(hold_us=0)
    wire.feed(correlator, wire.story("lu_attach", identity="imsi", new_tmsi=77))
    story = wire.story("lu_attach", 100_000_000, ask_imei=True, tmsi=77, old_lac=4097)
    rows = wire.feed(correlator, [m for m in story if m.name != "COMMON ID"])
    assert wire.told(rows) == ["power_on"]
    assert rows["imsi"].tolist() == [IMSI]


# ---------------------------------------------------------------- copies


@pytest.mark.parametrize("kind", ["detach", "mo_call_answered", "lu_attach", "ussd_query", "mt_sms"])
def test_copies_of_messages_give_no_copies_of_behaviours(wire, kind):
    """Each message twice, the copy behind the next message: as SCTP never does, and taps may."""
    story = wire.story(kind, identity="imsi", **({"ask_imei": True} if kind == "lu_attach" else {}))
    doubled = []
    for i, message in enumerate(story):
        doubled.append(message)
        if i:
            doubled.append(story[i - 1])
    wanted = wire.plain(wire.behaviours(story))
    assert wire.plain(wire.behaviours(doubled)) == wanted


def test_nothing_behind_a_detach_tells_whose_it_was(wire):
    """Its reference is taken by somebody else's messages: they must not switch him off."""
    detach = wire.story("detach", tmsi=55)
    other = next(m for m in wire.story("mo_call_answered") if m.name == "COMMON ID")
    late = wire.Message(detach[1].t_us + 1, other.octets, other.stream)
    correlator = Correlator(hold_us=200_000)
    found = wire.feed(correlator, [*detach[:2], late, *detach[2:]])
    assert found[found["kind"] == 2]["imsi"].tolist() == [0]
