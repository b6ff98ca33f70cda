"""All channels of one platform behind one door: each message goes out by the channel that it names."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass

from marketing.channels.files import FileChannel
from marketing.channels.outgoing import Channel, Outcome, Outgoing, ready

__all__ = ["Switchboard"]


@dataclass(slots=True)
class Switchboard:
    """Channels by name; started in their order, closed the other way round."""

    channels: Mapping[str, Channel]

    @property
    def up(self) -> frozenset[str]:
        """Names of channels that a message would leave by now.

        Short messages belong to them always: what takes nothing else waits for the message centre.
        """
        return frozenset(name for name, one in self.channels.items() if one.bound or name == "sms")

    def bound(self, name: str) -> bool:
        """Whether a message would leave by one channel now; False: it is not there."""
        channel = self.channels.get(name)
        return channel is not None and channel.bound

    @property
    def ports(self) -> dict[str, int]:
        """Where the peers of channels find us, by the channel's name."""
        found = ((name, getattr(channel, "port", 0)) for name, channel in self.channels.items())
        return {name: port for name, port in found if port}

    async def start(self) -> None:
        """Opens them all. Raises what the first that cannot be opened raises."""
        for channel in self.channels.values():
            await channel.start()

    def tend(self) -> None:
        """Reads what peers have left for those channels that do not look by themselves."""
        for channel in self.channels.values():
            if isinstance(channel, FileChannel) and channel.poll_s is None:
                channel.tend()

    async def close(self) -> None:
        """Closes them all."""
        for channel in reversed(list(self.channels.values())):
            await channel.close()

    def submit(self, message: Outgoing, unsent_after_s: float) -> Awaitable[Outcome]:
        """See `Channel.submit`."""
        channel = self.channels.get(message.channel)
        if channel is None:  # taken out of the configuration since it was decided
            return ready(Outcome("failed", "no_channel", counted=False))
        return channel.submit(message, unsent_after_s)

    async def cancel(self, channel: str, message_id: str, originator: str, msisdn: str) -> bool:
        """See `Channel.cancel`."""
        one = self.channels.get(channel)
        return False if one is None else await one.cancel(message_id, originator, msisdn)
