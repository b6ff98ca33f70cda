"""Links and multimedia messages in a living world: what comes to the push port, and what becomes of it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.network import mms_notification
from sim.network.messages import MmsCancel, MmsSubmit, Submit
from sim.network.mms_notification import Notification
from sim.run import Run, build
from sim.scenario import BscScenario, NetworkScenario, WorldScenario
from sim.subscribers import diary
from sim.subscribers.terminals import TERMINALS
from smpp.push import ServiceIndication, split

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
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
    def begin(until_h=24):
        desk = new_desk()
        run = Run(
            world, sink=desk, tick_us=MINUTE, start_us=10 * HOUR, end_us=until_h * HOUR, library=library,
            originators={"1008605": "wap-pack", "1008607": "mms-pack"},
        )  # fmt: skip

        def pass_time(us):
            told, until_us = [], int(run.env.now) + us
            while run.env.now < min(until_us, until_h * HOUR):
                run.step()
                told += run.outgoing()
            return told

        return run, desk, pass_time

    return begin


def person(world, ability, has=True, on=True):
    """Somebody whose handset has, or has not, an ability, and who is on (or off) around ten o'clock."""
    _, now = diary.state_at(world, 10 * HOUR)
    power = diary.power(world, 0, 24 * HOUR)
    changing = set(power.sub[(power.t_us > 9 * HOUR) & (power.t_us < 13 * HOUR)].tolist())
    models = world.population.terminal_at(0, np.arange(world.n))
    return next(
        sub
        for sub in range(world.n)
        if bool(now[sub]) == on and sub not in changing and getattr(TERMINALS[models[sub]], ability) == has
    )


def link(world, sub, text="候车看新闻", parts=None):
    indication = ServiceIndication(text, href="http://wap.example.com/news", si_id="c1@1008605")
    made = split(indication, reference=9)
    return [
        Submit(
            message_id=f"c1.{n}", contact_id="c1", part=n, parts=len(made), source="1008605",
            destination=world.population.msisdn_text(sub), data=one.short_message,
            data_coding=one.data_coding, esm_class=one.esm_class, validity_until_us=None,
        )
        for n, one in enumerate(made, 1)
    ]  # fmt: skip


def picture(world, sub, until_us=None, number=None):
    return MmsSubmit(
        message_id="mm.c2", contact_id="c2", source="1008607",
        destination=number or world.population.msisdn_text(sub), subject="新手机", text="发彩信吧",
        parts=(("text.txt", "text/plain", 12), ("a.jpg", "image/jpeg", 9000)), until_us=until_us,
    )  # fmt: skip


def cells_of(world):
    return {f"{int(lac)}-{int(ci)}" for lac, ci in zip(world.topology.lac, world.topology.ci, strict=True)}


def test_a_link_is_shown_by_a_handset_with_a_browser(world, alive):
    run, desk, pass_time = alive()
    run.inject_submits(link(world, person(world, "wap")), 10 * HOUR)
    [receipt] = pass_time(20 * MINUTE)
    assert receipt.state == "delivered"
    [part], [contact] = desk.seen["parts"], desk.seen["contacts"]
    assert part["channel"] == "wap"
    assert part["cell"] in cells_of(world)
    assert part["text"] == contact["text"] == "候车看新闻 http://wap.example.com/news"
    assert (contact["channel"], contact["offer"], contact["parts"]) == (2, "wap-pack", 1)


def test_a_long_link_is_one_contact_of_several_parts(world, alive):
    run, desk, pass_time = alive()
    submits = link(world, person(world, "wap"), "新" * 100)
    assert len(submits) > 2
    run.inject_submits(submits, 10 * HOUR)
    pass_time(20 * MINUTE)
    assert [p["part"] for p in desk.seen["parts"]] == list(range(1, len(submits) + 1))
    assert {p["channel"] for p in desk.seen["parts"]} == {"wap"}
    assert [bool(p["text"]) for p in desk.seen["parts"]] == [False] * (len(submits) - 1) + [True]
    [contact] = desk.seen["contacts"]
    assert contact["text"].startswith("新" * 100)


def test_a_handset_without_a_browser_receives_the_link_and_shows_nothing(world, alive):
    run, desk, pass_time = alive()
    run.inject_submits(link(world, person(world, "wap", has=False)), 10 * HOUR)
    assert [r.state for r in pass_time(20 * MINUTE)] == ["delivered"]
    assert len(desk.seen["parts"]) == 1
    assert not desk.seen["contacts"]


def test_a_multimedia_message_is_notified_over_the_air_and_fetched(world, alive):
    run, desk, pass_time = alive()
    sub = person(world, "mms")
    run.inject_mms([picture(world, sub)], [], 10 * HOUR)
    assert not pass_time(20 * MINUTE)  # of the notification nothing is told by short message
    [part], [contact] = desk.seen["parts"], desk.seen["contacts"]
    assert (part["channel"], part["parts"], part["source"]) == ("mms", 1, "1008607")
    assert part["text"] == contact["text"] == "新手机 发彩信吧"
    assert part["smsc_us"] == 10 * HOUR + EPOCH
    assert (contact["channel"], contact["offer"]) == (1, "mms-pack")
    [report] = run.outgoing_mms()
    assert (report.status, report.message_id) == ("Retrieved", "mm.c2")
    assert report.t_us + EPOCH == part["t_us"]
    # The notification itself is at the tap, before the message is fetched.
    seen = [row[0] for row in desk.seen["visible"] if row[2] == 21 and row[6] == b"1008607"]
    assert len(seen) >= 1
    assert max(seen) < part["t_us"]


def test_who_cannot_show_it_never_fetches_it_and_it_expires(world, alive):
    run, desk, pass_time = alive()
    sub = person(world, "mms", has=False)
    run.inject_mms([picture(world, sub, until_us=11 * HOUR)], [], 10 * HOUR)
    pass_time(2 * HOUR)
    assert not desk.seen["parts"]
    assert [(r.status, r.t_us) for r in run.outgoing_mms()] == [("Expired", 11 * HOUR)]


def test_who_is_off_gets_it_when_switched_on_or_not_at_all(world, alive):
    run, desk, pass_time = alive()
    sub = person(world, "mms", on=False)
    run.inject_mms([picture(world, sub, until_us=10 * HOUR + 30 * MINUTE)], [], 10 * HOUR)
    pass_time(HOUR)
    assert [r.status for r in run.outgoing_mms()] == ["Expired"]
    assert not desk.seen["parts"]


def test_it_can_be_taken_back_until_it_is_fetched(world, alive):
    run, desk, pass_time = alive()
    sub = person(world, "mms", on=False)
    run.inject_mms([picture(world, sub)], [], 10 * HOUR)
    pass_time(MINUTE)
    run.inject_mms([], [MmsCancel("mm.c2", 0)], int(run.env.now))
    pass_time(13 * HOUR)
    assert not desk.seen["parts"]
    assert not run.outgoing_mms()
    assert not run.multimedia.cancel("mm.c2")


def test_nobodys_number_is_rejected(world, alive):
    run, _desk, pass_time = alive()
    run.inject_mms([picture(world, 0, number="8613000000000")], [], 10 * HOUR)
    pass_time(MINUTE)
    assert [r.status for r in run.outgoing_mms()] == ["Rejected"]


ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=300)


@given(
    st.builds(
        Notification, ASCII, ASCII, ASCII, st.integers(0, 2**31), st.integers(0, 2**31),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
    )
)  # fmt: skip
def test_notifications_written_are_read(value):
    assert mms_notification.decode(mms_notification.encode(value)) == value


@given(st.binary(max_size=60))
def test_rubbish_is_no_notification(data):
    with pytest.raises(ValueError, match=r".*"):
        mms_notification.decode(data)


def test_a_notification_octet_by_octet():
    value = Notification("t1", "http://m/1", "1008607", 9012, 3600, "Hi")
    assert mms_notification.encode(value).hex(" ") == (
        "8c 82 98 74 31 00 8d 90 89 09 80 31 30 30 38 36 30 37 00 96 04 ea 48 69 00 8a 81 "
        "8e 02 23 34 88 04 81 02 0e 10 83 68 74 74 70 3a 2f 2f 6d 2f 31 00"
    )
