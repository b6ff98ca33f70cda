"""Screens at which customers are served: an offer goes onto one when the customer is there."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from math import inf

from marketing.channels.outgoing import Outcome, Outgoing, ready

__all__ = ["DeskChannel"]

MOST: int = 100_000
"""Offers kept on screens; the oldest goes for a new one."""


@dataclass(slots=True)
class DeskChannel:
    """Hall, hotline or web: whoever asks by HTTP is shown what has been put here (`marketing.desk`)."""

    name: str
    screens: dict[str, Outgoing] = field(default_factory=dict)
    """Contact id -> what is shown, the latest last."""
    throttled: int = 0
    _up: bool = False

    @property
    def bound(self) -> bool:
        """Whether offers are shown."""
        return self._up

    async def start(self) -> None:
        """Opens."""
        self._up = True

    async def close(self) -> None:
        """Shows nothing more."""
        self._up = False

    def submit(self, message: Outgoing, unsent_after_s: float = inf) -> Awaitable[Outcome]:
        """Puts an offer onto the screen."""
        if not self._up:
            return ready(Outcome("failed", "not sent: the desk is closed", counted=False))
        if unsent_after_s <= 0:
            return ready(Outcome("failed", "not sent: too late", counted=False))
        if len(self.screens) >= MOST:
            del self.screens[next(iter(self.screens))]
        self.screens[message.contact_id] = message
        return ready(Outcome("submitted", "", (f"{self.name}:{message.contact_id}",)))

    async def cancel(self, message_id: str, originator: str, msisdn: str) -> bool:
        """Takes an offer off the screen; False: nobody would have seen it any more."""
        return self.screens.pop(message_id.removeprefix(f"{self.name}:"), None) is not None
