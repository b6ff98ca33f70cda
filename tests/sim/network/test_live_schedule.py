"""Deliveries woven into a drawn schedule: reachable people only, in gaps, with references of their own."""

from __future__ import annotations

import numpy as np
import pytest

from sim.bssap import sccp
from sim.network.live import FIRST_REACTION, Live
from sim.network.messages import Submit
from sim.network.references import RESERVED_REFERENCES

SECOND = 1_000_000
HOUR = 3600 * SECOND


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
def live(network, script, cell_of, library):
    story = script(
        [cell_of(4097)] * 6,
        [True] * 5 + [False],
        power=[(HOUR + 100 * SECOND, 1, False, True)],
        calls=[(HOUR, 0, 2, -1, "10086", SECOND, 5 * SECOND, 60 * SECOND, 0, 1)],
    )
    core, _, _ = network(story)
    return Live(core, story.people(), library, 0, 0, 2 * HOUR)


def test_the_schedule_is_whole(live) -> None:
    assert np.all(np.diff(live.batch.t_us) >= 0)
    assert live.batch.corr.tolist() == list(range(1, live.batch.n + 1))
    assert live.visible["kind"].tolist()[:3] == [10, 11, 12]


def test_a_delivery_waits_for_the_end_of_the_call(live) -> None:
    number = live._core.switch.number(0)
    ended = int(live.batch.t_us[live.batch.act == live.batch.act[0]].max())
    first = live.react(submit(number), 0, HOUR + 30 * SECOND)
    assert first.t_us[0] > ended
    assert first.corr.tolist() == list(range(FIRST_REACTION, FIRST_REACTION + first.n))
    again = live.react(submit(number), 0, HOUR + 31 * SECOND)
    assert again.t_us[0] > first.t_us[-1]
    assert again.corr[0] == first.corr[-1] + 1
    messages = [sccp.decode(p) for p in payloads(first)]
    assert [m.type for m in messages[:3]] == ["UDT", "CR", "CC"]
    assert messages[1].source >= RESERVED_REFERENCES
    assert messages[2].source >= RESERVED_REFERENCES
    assert [rows["kind"].tolist() for _, rows in live.reactions] == [[21], [21]]


def test_who_is_off_is_not_reached(live) -> None:
    number = live._core.switch.number
    assert live.react(submit(number(5)), 5, HOUR).n == 0
    assert live.react(submit(number(1)), 1, HOUR + 50 * SECOND).n > 0
    assert live.react(submit(number(1)), 1, HOUR + 150 * SECOND).n == 0
    assert live.react(submit(number(2)), 2, 2 * HOUR - SECOND).n == 0
