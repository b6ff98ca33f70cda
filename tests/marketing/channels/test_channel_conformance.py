"""What every channel promises, held by each of them against a real peer of it."""

import asyncio

import pytest

from marketing.channels import CHANNEL_TYPES, Receipt

OUTSIDE = ["sms", "wap", "mms", "outbound", "bulk-sms", "email", "direct-mail"]
"""Those whose peer is another program, which may refuse, and takes only what can be written."""
ALL = [*OUTSIDE, "hall", "hotline", "web"]
WIRED = ["sms", "wap", "mms"]
"""Those that talk to their peer over a connection, which can break."""


def test_every_channel_is_in_the_suite(desk):
    assert sorted(ALL) == sorted(CHANNEL_TYPES) == sorted(desk.peers)


async def until(holds, timeout_s=10.0):
    end_s = asyncio.get_running_loop().time() + timeout_s
    while not holds():
        assert asyncio.get_running_loop().time() < end_s, "it never came"
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", ALL)
def test_started_it_is_up_and_closed_it_is_not(desk, name):
    async def story(peer):
        assert peer.channel.name == name
        assert peer.channel.bound
        await peer.channel.close()
        assert not peer.channel.bound
        outcome = await peer.channel.submit(desk.message(name), 1.0)
        assert (outcome.state, outcome.counted) == ("failed", False)
        assert not peer.got

    desk.run(name, story)


@pytest.mark.parametrize("name", ALL)
def test_what_is_taken_is_what_was_said(desk, name):
    async def story(peer):
        outcome = await peer.channel.submit(desk.message(name), 10.0)
        assert outcome.state == "submitted"
        assert outcome.counted
        assert outcome.message_ids
        (got,) = peer.got
        assert (got.contact_id, got.originator) == ("0" * 15 + "1", "1008601")
        assert (got.msisdn, got.text) == ("8613900000001", "您好，回复1开通。Hello!")
        assert got.valid_until_s == desk.VALID_US // 1_000_000

    desk.run(name, story)


@pytest.mark.parametrize("text", ["您好", "Hello, 10% off @ {shop} ~ €5", "早上好😀", "中" * 650, "x" * 700])
@pytest.mark.parametrize("name", ALL)
def test_chinese_english_and_long_texts_arrive_whole(desk, name, text):
    if name == "wap":
        text = text[:120]  # the longest title that a campaign may have

    async def story(peer):
        assert (await peer.channel.submit(desk.message(name, text=text), 10.0)).state == "submitted"
        assert [got.text for got in peer.got] == [text]

    desk.run(name, story)


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_is_refused_is_proven_not_taken(desk, name):
    async def story(peer):
        peer.refuse(1)
        outcome = await peer.channel.submit(desk.message(name, text="Hello"), 10.0)
        assert (outcome.state, outcome.counted, outcome.message_ids) == ("failed", False, ())
        assert outcome.reason
        assert not peer.got
        assert (await peer.channel.submit(desk.message(name, 2), 10.0)).state == "submitted"

    desk.run(name, story)


@pytest.mark.parametrize("name", WIRED)
def test_a_peer_that_vanishes_before_the_answer_leaves_an_unknown_that_never_goes_again(desk, name):
    async def story(peer):
        peer.wire.cut_before_answer = True
        outcome = await peer.channel.submit(desk.message(name, text="Hello"), 10.0)
        assert (outcome.state, outcome.counted) == ("unknown", True)
        peer.wire.cut_before_answer = False
        await until(lambda: peer.channel.bound)
        assert (await peer.channel.submit(desk.message(name, 2, text="Hello"), 10.0)).state == "submitted"
        assert sorted(got.contact_id[-1] for got in peer.got) == ["1", "2"]

    desk.run(name, story)


@pytest.mark.parametrize("name", WIRED)
def test_who_is_asked_for_less_comes_again_by_itself_and_once(desk, name):
    async def story(peer):
        peer.throttle(3)
        outcome = await peer.channel.submit(desk.message(name, text="Hello"), 20.0)
        assert outcome.state == "submitted"
        assert peer.channel.throttled >= 3
        assert len(peer.got) == 1

    desk.run(name, story)


@pytest.mark.parametrize("name", WIRED)
def test_what_is_throttled_for_too_long_never_goes(desk, name):
    async def story(peer):
        peer.throttle(1000)
        outcome = await peer.channel.submit(desk.message(name, text="Hello"), 0.3)
        assert (outcome.state, outcome.counted) == ("failed", False)
        peer.statuses.clear()
        await asyncio.sleep(0.3)
        assert not peer.got

    desk.run(name, story)


@pytest.mark.parametrize("name", WIRED)
def test_what_could_not_leave_in_time_never_does(desk, name):
    async def story(peer):
        await peer.wire.down()
        # A connection that was open may take one message with it before the loss is seen.
        first = await peer.channel.submit(desk.message(name), 0.2)
        assert first.state in ("failed", "unknown")
        await until(lambda: not peer.channel.bound)
        outcome = await peer.channel.submit(desk.message(name, 2), 0.2)
        assert (outcome.state, outcome.counted) == ("failed", False)
        await peer.wire.up()
        await until(lambda: peer.channel.bound)
        await asyncio.sleep(0.3)
        assert "2" not in [got.contact_id[-1] for got in peer.got]

    desk.run(name, story)


@pytest.mark.parametrize("name", WIRED)
def test_it_comes_back_by_itself_with_growing_pauses_and_sends_what_waited_once(desk, name):
    async def story(peer):
        await peer.wire.down()
        await peer.channel.submit(desk.message(name, 1), 0.2)
        await until(lambda: not peer.channel.bound)
        waiting = asyncio.ensure_future(peer.channel.submit(desk.message(name, 2), 20.0))
        before = peer.wire.connections
        await asyncio.sleep(0.8)
        assert not waiting.done()
        await peer.wire.up()
        assert (await waiting).state == "submitted"
        assert [got.contact_id[-1] for got in peer.got].count("2") == 1
        assert peer.wire.connections - before <= 3
        assert peer.bound[-1]

    desk.run(name, story)


@pytest.mark.parametrize("name", WIRED)
def test_what_waits_at_the_peer_can_be_taken_back(desk, name):
    async def story(peer):
        message = desk.message(name, text="Hello")
        outcome = await peer.channel.submit(message, 10.0)
        for message_id in outcome.message_ids:
            assert await peer.channel.cancel(message_id, message.originator, message.msisdn)
        assert peer.got
        assert len(peer.cancelled) == len(outcome.message_ids)
        assert not await peer.channel.cancel("nobody's", message.originator, message.msisdn)

    desk.run(name, story)


@pytest.mark.parametrize("state", ["delivered", "expired"])
@pytest.mark.parametrize("name", WIRED)
def test_final_reports_name_the_message(desk, name, state):
    async def story(peer):
        outcome = await peer.channel.submit(desk.message(name, text="Hello"), 10.0)
        await peer.report(outcome.message_ids[0], state)
        await until(lambda: peer.inbound)
        assert peer.inbound == [Receipt(desk.NOW_US, outcome.message_ids[0], state)]

    desk.run(name, story)


@pytest.mark.parametrize("name", ALL)
def test_many_at_once_go_once_each(desk, name):
    async def story(peer):
        peer.throttle(5) if name in WIRED else None
        waiting = [peer.channel.submit(desk.message(name, n, text=f"Hello {n}"), 20.0) for n in range(1, 61)]
        outcomes = [await one for one in waiting]
        assert {o.state for o in outcomes} == {"submitted"}
        got = peer.got
        assert sorted(g.contact_id for g in got) == [f"{n:016x}" for n in range(1, 61)]
        ids = [m for o in outcomes for m in o.message_ids]
        assert len(set(ids)) == len(ids)
        assert {g.text for g in got} == {f"Hello {n}" for n in range(1, 61)}

    desk.run(name, story)


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_cannot_be_encoded_is_proven_not_taken(desk, name):
    async def story(peer):
        changes = {"url": "http://x y"} if name == "wap" else {}
        outcome = await peer.channel.submit(desk.message(name, text="\ud800", **changes), 10.0)
        assert (outcome.state, outcome.counted) == ("failed", False)
        assert "cannot be encoded" in outcome.reason
        assert not peer.got

    desk.run(name, story)
