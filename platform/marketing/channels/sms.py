"""Short messages by SMPP 3.4, a long text in parts."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from marketing.channels.outgoing import Outcome, Outgoing, ready
from marketing.channels.smpp_link import SmppLink, submit_sm
from smpp.errors import SmppError
from smpp.text import split

__all__ = ["SmsChannel", "reference_of"]


def reference_of(contact_id: str) -> int:
    """What the parts of one message share (TS 23.040 9.2.3.24.1): of the contact, ever the same."""
    return int(contact_id[-2:], 16)


@dataclass(slots=True)
class SmsChannel:
    """Texts through a session with the message centre."""

    link: SmppLink
    name: ClassVar[str] = "sms"

    @property
    def bound(self) -> bool:
        """Whether a submission would go out now."""
        return self.link.bound

    @property
    def throttled(self) -> int:
        """Refusals that asked for less, of the whole session."""
        return self.link.throttled

    async def start(self) -> None:
        """Binds. Raises SmppError: refused, or nobody there."""
        await self.link.start()

    async def close(self) -> None:
        """Unbinds after the responses under way."""
        await self.link.close()

    def submit(self, message: Outgoing, unsent_after_s: float = inf) -> Awaitable[Outcome]:
        """Sends all parts at once, in order."""
        try:
            parts = [
                submit_sm(message, part.short_message, part.data_coding, part.esm_class)
                for part in split(message.text, reference=reference_of(message.contact_id))
            ]
        except SmppError as error:
            return ready(Outcome("failed", f"cannot be encoded: {error}", counted=False))
        return self.link.send(parts, unsent_after_s)

    async def cancel(self, message_id: str, originator: str, msisdn: str) -> bool:
        """Takes back one part; False where it is too late."""
        return await self.link.cancel(message_id, originator, msisdn)
