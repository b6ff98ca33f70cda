"""Channels: how a contact leaves, and how what comes back is understood."""

from typing import Final

from marketing.channels.desks import DeskChannel
from marketing.channels.files import FileChannel
from marketing.channels.mms import MmsChannel
from marketing.channels.opening import open_channels
from marketing.channels.outgoing import (
    Answer,
    Attachment,
    Channel,
    Inbound,
    Outcome,
    Outgoing,
    Receipt,
    Reply,
    in_order,
)
from marketing.channels.smpp_link import SmppLink
from marketing.channels.sms import SmsChannel
from marketing.channels.switchboard import Switchboard
from marketing.channels.wap import WapChannel

__all__ = [
    "CHANNEL_TYPES",
    "Answer",
    "Attachment",
    "Channel",
    "DeskChannel",
    "FileChannel",
    "Inbound",
    "MmsChannel",
    "Outcome",
    "Outgoing",
    "Receipt",
    "Reply",
    "SmppLink",
    "SmsChannel",
    "Switchboard",
    "WapChannel",
    "in_order",
    "open_channels",
]

CHANNEL_TYPES: Final[dict[str, type]] = {
    "sms": SmsChannel,
    "wap": WapChannel,
    "mms": MmsChannel,
    "outbound": FileChannel,
    "bulk-sms": FileChannel,
    "email": FileChannel,
    "direct-mail": FileChannel,
    "hall": DeskChannel,
    "hotline": DeskChannel,
    "web": DeskChannel,
}
"""What sends by each of `marketing.campaigns.CHANNELS`; the conformance suite runs over all of them."""
