"""The channels that a configuration asks for, behind one door."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from zoneinfo import ZoneInfo

from marketing.channels.desks import DeskChannel
from marketing.channels.files import FileChannel
from marketing.channels.mms import MmsChannel
from marketing.channels.outgoing import Channel, TakesInbound
from marketing.channels.smpp_link import SmppLink
from marketing.channels.sms import SmsChannel
from marketing.channels.switchboard import Switchboard
from marketing.channels.wap import WapChannel
from marketing.clock import Clock
from marketing.config import PlatformConfig

__all__ = ["open_channels"]


def open_channels(
    config: PlatformConfig,
    clock: Clock,
    sock: socket.socket | None,
    on_inbound: TakesInbound,
    on_bound: Callable[[str, bool, str], None],
    zone: str,
) -> Switchboard:
    """Nothing is open yet; `Switchboard.start` opens it.

    `sock`: end of a session with the message centre to use instead of its address. `on_bound(channel, bound,
    reason)` is called at each change; wap shares the session of sms, and of it only that is told. `zone`:
    local time of interface files.
    """
    keys = config.channels
    link = SmppLink(
        config.smpp, clock.now_us, on_inbound, lambda bound, why: on_bound("sms", bound, why), sock
    )
    channels: dict[str, Channel] = {"sms": SmsChannel(link)}
    if keys.wap:
        channels["wap"] = WapChannel(link)
    if keys.mms is not None:
        channels["mms"] = MmsChannel(
            keys.mms, clock.now_us, on_inbound, lambda bound, why: on_bound("mms", bound, why)
        )
    if keys.files is not None:
        lockstep = clock.mode == "lockstep"
        for name in keys.files.channels:
            channels[name] = FileChannel(
                name,
                keys.files.dir / name,
                clock.now_us,
                on_inbound,
                ZoneInfo(zone),
                0.0 if lockstep else keys.files.every_s / clock.factor,
                keys.files.most,
                partial(on_bound, name),
                poll_s=None if lockstep else keys.files.poll_s,
            )
    channels |= {name: DeskChannel(name) for name in keys.desks}
    return Switchboard(channels)
