"""Short messages by SMPP 3.4, a long text in parts."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from marketing.channels.outgoing import Outcome, Outgoing
from marketing.channels.smpp_link import OverSmpp
from smpp.text import split

__all__ = ["SmsChannel"]


@dataclass(slots=True)
class SmsChannel(OverSmpp):
    """Texts through a session with the message centre."""

    name: ClassVar[str] = "sms"

    def submit(self, message: Outgoing, unsent_after_s: float = inf) -> Awaitable[Outcome]:
        """Sends all parts at once, in order."""
        return self.send(message, lambda shared: split(message.text, reference=shared), unsent_after_s)
