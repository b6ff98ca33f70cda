"""A message goes by the channel that it names, which is the one that the policy judged, or not at all."""

import asyncio

import pytest

from marketing.channels import Outcome, Outgoing
from marketing.channels.outgoing import ready
from marketing.channels.switchboard import Switchboard


class Line:
    """A channel that says what it is given; down, it has let the time of the message pass."""

    def __init__(self, bound):
        self.bound, self.taken = bound, []

    def submit(self, message, unsent_after_s):
        self.taken.append(message.contact_id)
        return ready(Outcome("submitted" if self.bound else "failed", counted=self.bound))


async def once(board, message):
    return await board.submit(message, 1.0)


@pytest.mark.parametrize("mms", [True, False, None], ids=["up", "down", "taken away"])
def test_another_channel_never_takes_its_place(mms):
    lines = {"sms": Line(True), "wap": Line(True)} | ({} if mms is None else {"mms": Line(mms)})
    board = Switchboard(lines)
    outcome = asyncio.run(once(board, Outgoing("0123456789abcdef", "mms", "1008601", "86139", "hello", 1)))
    assert (outcome.state, outcome.counted) == (("submitted", True) if mms else ("failed", False))
    assert lines["sms"].taken == lines["wap"].taken == []
    assert ("mms" in board.up) is bool(mms)
