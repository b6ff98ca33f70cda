"""Contacts in a living world: delivered, waited for, cancelled, expired; read, answered, and told of."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from sim.network.intents import DAY_US
from sim.network.messages import Submit
from sim.run import LivePhase, Run, build, sub_of_msisdn
from sim.scenario import BscScenario, NetworkScenario, WorldScenario
from sim.subscribers import diary
from sim.subscribers.offers import Offer
from sim.subscribers.response import ResponseModel

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
NIGHT = 3 * HOUR
TICK = 60 * SECOND
SCENARIO = WorldScenario(
    world="w",
    about="x",
    epoch=date(2007, 6, 4),
    subscribers=200,
    network=NetworkScenario(
        cells=40,
        bscs=[BscScenario(point_code=257, lacs=[4097, 4098]), BscScenario(point_code=258, lacs=[4099, 4112])],
    ),
)
EPOCH = SCENARIO.epoch_unix_us


@pytest.fixture(scope="module")
def world():
    return build(SCENARIO, 3)


@pytest.fixture
def alive(world, library, new_desk):
    """A run that begins at ten o'clock, its desk, and a way to let time pass."""

    def begin(until_h: int = 24, offer: Offer | None = None, start_us: int = 10 * HOUR, boss=None):
        desk = new_desk()
        run = Run(
            world, sink=desk, tick_us=TICK, start_us=start_us, end_us=until_h * HOUR,
            library=library, boss=boss,
            responses=ResponseModel(world, [offer]) if offer else None,
            originators={"1008601": offer.name if offer else "something"},
        )  # fmt: skip

        def pass_time(us: int) -> list:
            told, until_us = [], int(run.env.now) + us
            while run.env.now < min(until_us, until_h * HOUR):
                run.step()
                told += run.outgoing()
            return told

        return run, desk, pass_time

    return begin


def message(world, sub: int, name: str = "c", valid_us: int | None = None, **other) -> Submit:
    fields = {"part": 1, "parts": 1, "data": b"hello", "data_coding": 0, "esm_class": 0, **other}
    return Submit(
        message_id=f"{name}.{fields['part']}", contact_id=name, source="1008601",
        destination=world.population.msisdn_text(sub), validity_until_us=valid_us, **fields,
    )  # fmt: skip


def people_on(world, t_us: int, on: bool = True) -> list[int]:
    """Who is on (or off) at a time and stays so for an hour."""
    _, now = diary.state_at(world, t_us)
    switched = diary.power(world, t_us // DAY_US * DAY_US, (t_us // DAY_US + 1) * DAY_US)
    changing = set(switched.sub[(switched.t_us >= t_us - HOUR) & (switched.t_us < t_us + HOUR)].tolist())
    return [sub for sub in np.flatnonzero(now == on).tolist() if sub not in changing]


def test_a_contact_is_delivered_and_receipted(world, alive) -> None:
    run, desk, pass_time = alive()
    sub = people_on(world, 10 * HOUR)[0]
    pass_time(MINUTE)
    now = int(run.env.now)
    run.inject_submits([message(world, sub)], now)
    [receipt] = pass_time(10 * MINUTE)
    assert (receipt.kind, receipt.state, receipt.message_id) == ("receipt", "delivered", "c.1")
    assert receipt.stable_id == "receipt c.1"
    assert receipt.submitted_us == now
    [part], [contact] = desk.seen["parts"], desk.seen["contacts"]
    assert part["t_us"] == contact["t_us"] == receipt.t_us + EPOCH
    assert contact["text"] == "hello"
    assert contact["reference"] == -1
    assert contact["smsc_us"] == now + EPOCH
    assert contact["recent_contacts"] == contact["ordinal"] == 0
    assert contact["local_second"] == receipt.t_us // SECOND % 86400
    rows = [row for row in desk.seen["visible"] if row[2] == 21 and row[6] == b"1008601"]
    assert [(row[0], row[1]) for row in rows] == [(contact["t_us"], int(world.population.imsi[sub]))]


def test_a_long_message_counts_once_when_it_is_whole(world, alive) -> None:
    run, desk, pass_time = alive()
    sub = people_on(world, 10 * HOUR)[1]
    texts = ["出门在外，" * 8, "通话更省心！"]
    parts = [
        message(
            world, sub, part=k, parts=2, data_coding=8, esm_class=0x40,
            data=bytes([5, 0, 3, 77, 2, k]) + text.encode("utf-16-be"),
        )
        for k, text in enumerate(texts, 1)
    ]  # fmt: skip
    run.inject_submits(parts, 10 * HOUR)
    receipts = pass_time(20 * MINUTE)
    assert [r.state for r in receipts] == ["delivered"] * 2
    assert len(desk.seen["parts"]) == 2
    [contact] = desk.seen["contacts"]
    assert contact["text"] == "".join(texts)
    assert (contact["reference"], contact["parts"]) == (77, 2)
    assert contact["t_us"] == max(part["t_us"] for part in desk.seen["parts"])
    assert sorted(part["part"] for part in desk.seen["parts"]) == [1, 2]


def test_who_is_off_gets_it_after_switching_on(world, alive) -> None:
    sub = people_on(world, NIGHT, on=False)[0]
    switched = diary.power(world, 0, DAY_US)
    wakes_us = int(switched.t_us[(switched.sub == sub) & switched.on][0])
    run, desk, pass_time = alive(start_us=NIGHT)
    run.inject_submits([message(world, sub)], NIGHT)
    [receipt] = pass_time(20 * HOUR)
    assert receipt.state == "delivered"
    assert 0 < receipt.t_us - wakes_us < 2 * MINUTE
    assert 0 < desk.seen["contacts"][0]["since_power_on_us"] < 2 * MINUTE


def test_what_cannot_be_delivered_in_time_expires(world, alive) -> None:
    run, desk, pass_time = alive(start_us=NIGHT)
    sub = people_on(world, NIGHT, on=False)[0]
    run.inject_submits([message(world, sub, valid_us=NIGHT + 20 * MINUTE)], NIGHT)
    [receipt] = pass_time(HOUR)
    assert (receipt.state, receipt.error, receipt.t_us) == ("expired", 27, NIGHT + 20 * MINUTE)
    assert desk.seen["parts"] == []


def test_a_message_may_be_taken_back_while_it_waits(world, alive) -> None:
    run, desk, pass_time = alive(start_us=NIGHT)
    sub = people_on(world, NIGHT, on=False)[0]
    run.inject_submits([message(world, sub)], NIGHT)
    assert pass_time(10 * MINUTE) == []
    assert run.cancel("c.1")
    assert not run.cancel("c.1")
    assert not run.cancel("nobody.1")
    [receipt] = pass_time(MINUTE)
    assert receipt.state == "deleted"
    assert pass_time(20 * HOUR) == []
    assert desk.seen["parts"] == []


def test_nobodys_number(world, alive) -> None:
    run, _, pass_time = alive(12)
    stranger = Submit("x.1", "x", 1, 1, "1008601", "8613300000001", b"hello", 0, 0, None)
    run.inject_submits([stranger], 10 * HOUR)
    [receipt] = pass_time(MINUTE)
    assert (receipt.state, receipt.error) == ("undeliverable", 1)
    assert sub_of_msisdn(world, "not a number") == -1


def test_who_likes_it_orders_once(world, alive) -> None:
    offer = Offer(name="something", logit=15.0, reply_median_s=60, organic_per_day=0.0)
    run, desk, pass_time = alive(offer=offer)
    subs = people_on(world, 10 * HOUR)[:12]
    run.inject_submits([message(world, sub, f"c{sub}") for sub in subs], 10 * HOUR)
    told = pass_time(6 * HOUR)
    replies = [d for d in told if d.kind == "reply"]
    assert len(replies) == len(desk.seen["responses"]) == len(subs)
    numbers = {world.population.msisdn_text(sub) for sub in subs}
    assert {d.source for d in replies} == numbers
    assert {(d.destination, d.data in (b"1", b"Y", b"y"), d.data_coding) for d in replies} == {
        ("1008601", True, 0)
    }
    assert [(d.t_us, d.stable_id) for d in told] == sorted((d.t_us, d.stable_id) for d in told)
    when = {row["sub"]: row["t_us"] for row in desk.seen["responses"]}
    for reply in replies:
        taken_us = when[sub_of_msisdn(world, reply.source)]
        assert taken_us < reply.t_us + EPOCH
        sent = [row for row in desk.seen["visible"] if row[2] == 20 and row[0] == reply.t_us + EPOCH]
        assert [row[6] for row in sent] == [b"1008601"]
    run.inject_submits([message(world, sub, f"d{sub}") for sub in subs], int(run.env.now))
    assert [d for d in pass_time(6 * HOUR) if d.kind == "reply"] == []
    assert {row["ordinal"] for row in desk.seen["contacts"]} == {0, 1}
    assert {row["recent_contacts"] for row in desk.seen["contacts"]} == {0, 1}


def test_taking_up_without_a_contact_reaches_the_boss_once(world, alive) -> None:
    orders = []
    offer = Offer(name="something", logit=15.0, reply_median_s=60, organic_per_day=0.5)
    run, desk, pass_time = alive(offer=offer, boss=lambda *order: orders.append(order))
    pass_time(2 * HOUR)
    taken = {row["sub"] for row in desk.seen["responses"]}
    assert len(orders) == len(taken) > 0
    assert orders == sorted(orders, key=lambda order: order[2])
    run.inject_submits([message(world, sub, f"c{sub}") for sub in sorted(taken)], int(run.env.now))
    assert [d for d in pass_time(4 * HOUR) if d.kind == "reply" and d.data != b"TD"] == []
    both = [(row["sub"], row["source"]) for row in desk.seen["responses"] if row["take_up"]]
    assert len(both) == len({sub for sub, _ in both})


def test_contacts_change_only_what_they_touch(world, alive) -> None:
    def day(contacted: int) -> list:
        run, desk, pass_time = alive(16)
        if contacted >= 0:
            run.inject_submits([message(world, contacted)], 10 * HOUR)
        pass_time(6 * HOUR)
        return [row[:9] for row in desk.seen["visible"]]

    sub = people_on(world, 10 * HOUR)[3]
    imsi = int(world.population.imsi[sub])
    without, with_one = day(-1), day(sub)
    changed = set(with_one) ^ set(without)
    assert 0 < len(changed) < 12
    assert imsi in {row[1] for row in changed}


def test_two_runs_are_alike(world, alive) -> None:
    def day() -> tuple:
        offer = Offer(name="something", logit=1.0, organic_per_day=0.2)
        run, desk, pass_time = alive(14, offer)
        run.inject_submits([message(world, sub, f"c{sub}") for sub in range(40)], 10 * HOUR)
        return pass_time(4 * HOUR), desk.seen

    assert day() == day()


def test_a_live_phase_delivers_into_what_it_has_drawn(world, library) -> None:
    until_us = NIGHT + 10 * MINUTE
    live = LivePhase(world, NIGHT, until_us, library)
    assert np.all(np.diff(live.batch.t_us) >= 0)
    assert live.batch.t_us[-1] < until_us
    assert set(live.batch.act.tolist()) <= set(live.acts["act"].tolist())
    assert len(live.visible)
    awake, asleep = people_on(world, NIGHT)[:20], people_on(world, NIGHT, on=False)
    assert sum(live.react(message(world, sub), NIGHT).batch.n > 0 for sub in awake) > 15
    assert all(live.react(message(world, sub), NIGHT).outcome == "absent" for sub in asleep)
