"""Who waits to be told that what he sent is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Unanswered"]


@dataclass(slots=True)
class Unanswered:
    """Replies that the centre is told of once they are durable: a stop code confirmed is not forgotten."""

    waiting: list[asyncio.Future[bool]] = field(default_factory=list)

    def add(self) -> asyncio.Future[bool]:
        """What the centre waits for: True, it is kept; False, it is to be delivered again."""
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    def take(self) -> Callable[[bool], None]:
        """Answers those that wait now; to be called when it is known."""
        taken, self.waiting = self.waiting, []

        def answer(kept: bool) -> None:
            for one in taken:
                if not one.done():
                    one.set_result(kept)

        return answer
