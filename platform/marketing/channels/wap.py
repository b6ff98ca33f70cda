"""WAP push by SMPP 3.4: a Service Indication (WAP-167) to the terminal's push port."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from marketing.channels.outgoing import Outcome, Outgoing, ready
from marketing.channels.smpp_link import SmppLink, submit_sm
from marketing.channels.sms import reference_of
from smpp.errors import SmppError
from smpp.push import ServiceIndication, split

__all__ = ["WapChannel"]


@dataclass(slots=True)
class WapChannel:
    """Links through the same session as short messages."""

    link: SmppLink
    name: ClassVar[str] = "wap"

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
        """Sends all parts at once, in order; the terminal throws the link away when it is stale."""
        try:
            indication = ServiceIndication(
                message.text,
                href=message.url,
                si_id=f"{message.contact_id}@{message.originator}",
                si_expires_s=message.valid_until_us // 1_000_000,
            )
            parts = [
                submit_sm(message, part.short_message, part.data_coding, part.esm_class)
                for part in split(indication, reference=reference_of(message.contact_id))
            ]
        except SmppError as error:
            return ready(Outcome("failed", f"cannot be encoded: {error}", counted=False))
        return self.link.send(parts, unsent_after_s)

    async def cancel(self, message_id: str, originator: str, msisdn: str) -> bool:
        """Takes back one part; False where it is too late."""
        return await self.link.cancel(message_id, originator, msisdn)
