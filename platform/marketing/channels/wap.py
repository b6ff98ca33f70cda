"""WAP push by SMPP 3.4: a Service Indication (WAP-167) to the terminal's push port."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from marketing.channels.outgoing import Outcome, Outgoing
from marketing.channels.smpp_link import OverSmpp
from smpp.push import ServiceIndication, split
from smpp.text import Part

__all__ = ["WapChannel"]


@dataclass(slots=True)
class WapChannel(OverSmpp):
    """Links through the same session as short messages."""

    name: ClassVar[str] = "wap"

    def submit(self, message: Outgoing, unsent_after_s: float = inf) -> Awaitable[Outcome]:
        """Sends all parts at once, in order; the terminal throws the link away when it is stale."""

        def parts(shared: int) -> Sequence[Part]:
            indication = ServiceIndication(
                message.text,
                href=message.url,
                si_id=f"{message.contact_id}@{message.originator}",
                si_expires_s=message.valid_until_us // 1_000_000,
            )
            return split(indication, reference=shared)

        return self.send(message, parts, unsent_after_s)
