"""A subscriber's multimedia message to our number, by MM7_deliver over real HTTP."""

import asyncio

import pytest

from marketing.channels import Reply
from mm7 import Part
from sim.backoffice.mmsc import MmscError

PARTS = (Part("a.txt", "text/plain", "好的\n KT ".encode()), Part("b.jpg", "image/jpeg", b"\xff\xd8\xff"))


async def sent(peer, t_us):
    await asyncio.to_thread(peer.mmsc.pass_on, "8613900000001", "1008601", PARTS, t_us, 5.0)


def test_its_texts_are_a_reply(desk):
    async def story(peer):
        await sent(peer, desk.NOW_US - 5_000_000)
        assert peer.inbound == [Reply(desk.NOW_US - 5_000_000, "8613900000001", "1008601", "好的 KT")]

    desk.run("mms", story)


def test_a_time_that_cannot_be_is_not_believed(desk):
    async def story(peer):
        await sent(peer, desk.NOW_US + 40 * 86_400_000_000)
        assert [reply.t_us for reply in peer.inbound] == [desk.NOW_US]

    desk.run("mms", story)


@pytest.mark.parametrize("kept", [True, False])
def test_it_is_answered_once_it_is_known_whether_it_is_kept(desk, kept):
    async def story(peer):
        known = asyncio.get_running_loop().create_future()
        peer.channel.on_inbound = lambda inbound: known
        under_way = asyncio.create_task(sent(peer, desk.NOW_US))
        done, _ = await asyncio.wait([under_way], timeout=0.3)
        assert not done
        known.set_result(kept)
        if kept:
            await under_way
        else:
            with pytest.raises(MmscError, match="answered by"):
                await under_way

    desk.run("mms", story)
