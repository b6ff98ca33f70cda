"""Deliveries woven into a drawn schedule: reachable people only, in gaps, with references of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sim.bssap import sccp
from sim.network.kernel import RESERVED_REFERENCES
from sim.network.live import FIRST_REACTION, Live
from sim.network.messages import Submit

SECOND = 1_000_000
HOUR = 3600 * SECOND
EPOCH = 1_180_886_400_000_000


def submit(number: str) -> Submit:
    return Submit("c.1", "c", 1, 1, "1008603", number, b"hello", 0, 0, None)


def payloads(batch) -> list[bytes]:
    """SCCP messages of a batch: behind the M3UA header and routing label, without padding."""
    found = []
    for i in range(batch.n):
        message = batch.message(i)
        length = int.from_bytes(message[10:12], "big")
        found.append(message[24 : 8 + length])
    return found


@pytest.fixture
def story_of(script, cell_of):
    return lambda: script(
        [cell_of(4097)] * 6,
        [True] * 5 + [False],
        power=[(HOUR + 100 * SECOND, 1, False, True)],
        calls=[(HOUR, 0, 2, -1, "10086", SECOND, 5 * SECOND, 60 * SECOND, 0, 1)],
    )


@pytest.fixture
def live(network, topology, story_of):
    story = story_of()
    return Live(network(story), story.people(), topology, 0, 2 * HOUR)


def test_the_schedule_is_whole(live) -> None:
    assert np.all(np.diff(live.batch.t_us) >= 0)
    assert live.batch.corr.tolist() == list(range(1, live.batch.n + 1))
    assert live.visible["kind"].tolist()[:3] == [10, 11, 12]


def test_a_delivery_waits_for_the_end_of_the_call(live) -> None:
    number = live.network.number(0)
    ended = int(live.batch.t_us[live.batch.act == live.batch.act[0]].max())
    first = live.react(submit(number), 0, HOUR + 30 * SECOND).batch
    assert first.t_us[0] > ended
    assert first.corr.tolist() == list(range(FIRST_REACTION, FIRST_REACTION + first.n))
    again = live.react(submit(number), 0, HOUR + 31 * SECOND).batch
    assert again.t_us[0] > first.t_us[-1]
    assert again.corr[0] == first.corr[-1] + 1
    messages = [sccp.decode(p) for p in payloads(first)]
    assert [m.type for m in messages[:3]] == ["UDT", "CR", "CC"]
    assert messages[1].source >= RESERVED_REFERENCES
    assert messages[2].source >= RESERVED_REFERENCES
    assert [rows["kind"].tolist() for _, rows in live.reactions] == [[21], [21]]


def test_who_is_off_is_not_reached(live) -> None:
    number = live.network.number
    cases = [
        (5, HOUR, "absent"),
        (1, HOUR + 50 * SECOND, "delivered"),
        (1, HOUR + 150 * SECOND, "absent"),
        (2, 2 * HOUR - SECOND, "after_end"),
        (2, 2 * HOUR, "after_end"),
        (-1, HOUR, "unknown"),
    ]
    for sub, t_us, outcome in cases:
        reaction = live.react(submit(number(max(sub, 0))), sub, t_us)
        assert reaction.outcome == outcome
        assert (reaction.batch.n > 0) == (reaction.part is not None) == (outcome == "delivered")


def test_the_handset_has_it_at_rp_ack_and_the_receipt_says_so(live) -> None:
    t_us = HOUR + 30 * SECOND + 400_000
    reaction = live.react(submit(live.network.number(3)), 3, t_us)
    part, told = reaction.part, reaction.receipt
    assert (part.sub, part.smsc_us) == (3, HOUR + 30 * SECOND)
    assert live.reactions[-1][1]["t_us"].tolist() == [part.t_us + EPOCH]
    assert (told.t_us, told.submitted_us, told.message_id, told.state) == (
        part.t_us,
        t_us,
        "c.1",
        "delivered",
    )


def test_what_has_expired_is_not_delivered(live) -> None:
    late = replace(submit(live.network.number(3)), validity_until_us=HOUR + SECOND)
    reaction = live.react(late, 3, HOUR + SECOND)
    assert (reaction.outcome, reaction.batch.n, reaction.part) == ("expired", 0, None)
    assert (reaction.receipt.state, reaction.receipt.t_us) == ("expired", HOUR + SECOND)


def test_a_schedule_of_so_many_messages_ends_with_the_last(story_of, network, topology) -> None:
    whole, part = (Live(network(s), s.people(), topology, 0, 2 * HOUR, most) for s, most in
                   ((story_of(), None), (story_of(), 5)))  # fmt: skip
    assert part.batch.n == 5
    assert part.batch.data == whole.batch.data[: whole.batch.offsets[5]]
    assert part.end_us == whole.batch.t_us[4] + 1
    assert part.visible["corr"].tolist() == [c for c in whole.visible["corr"].tolist() if c <= 5]
    assert part.react(submit(part.network.number(3)), 3, part.end_us).outcome == "after_end"
